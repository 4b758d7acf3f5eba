//! The export.

use axum::Json;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{JsonAnswer, Node};
use crate::views::{ExportBody, ExportView};

pub(super) fn routes() -> OpenApiRouter<Node> {
    OpenApiRouter::default().routes(routes!(get_export, begin_export, stop_export))
}

/// The export that runs or ran last
#[utoipa::path(get, path = "/export", tag = "vault", responses((status = 200, body = ExportView)))]
async fn get_export(State(node): State<Node>) -> JsonAnswer<ExportView> {
    Ok(Json(node.export().await?))
}

/// Write plain copies of all originals, with sidecars, into a folder of this machine
#[utoipa::path(post, path = "/export", tag = "vault", request_body = ExportBody, responses((status = 200, body = ExportView)))]
async fn begin_export(State(node): State<Node>, Json(body): Json<ExportBody>) -> JsonAnswer<ExportView> {
    Ok(Json(node.begin_export(body.folder).await?))
}

/// Break off the export that runs; what was written stays
#[utoipa::path(delete, path = "/export", tag = "vault", responses((status = 200, body = ExportView)))]
async fn stop_export(State(node): State<Node>) -> JsonAnswer<ExportView> {
    Ok(Json(node.stop_export().await?))
}
