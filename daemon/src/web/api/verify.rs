//! The soundness of the vault's files.

use axum::Json;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{JsonAnswer, Node};
use crate::views::{VerifyBody, VerifyView};

pub(super) fn routes() -> OpenApiRouter<Node> {
    OpenApiRouter::default().routes(routes!(get_verify, run_verify, stop_verify))
}

/// How the files of the vault are
#[utoipa::path(get, path = "/verify", tag = "vault", responses((status = 200, body = VerifyView)))]
async fn get_verify(State(node): State<Node>) -> JsonAnswer<VerifyView> {
    Ok(Json(node.verify().await?))
}

/// Read every file of the vault, and mend what is damaged
#[utoipa::path(post, path = "/verify", tag = "vault", request_body = VerifyBody, responses((status = 200, body = VerifyView)))]
async fn run_verify(State(node): State<Node>, Json(body): Json<VerifyBody>) -> JsonAnswer<VerifyView> {
    Ok(Json(node.run_verify(body.repair).await?))
}

/// Break off what reads or mends the files
#[utoipa::path(delete, path = "/verify", tag = "vault", responses((status = 200, body = VerifyView)))]
async fn stop_verify(State(node): State<Node>) -> JsonAnswer<VerifyView> {
    Ok(Json(node.stop_verify().await?))
}
