//! Files over which decoders stopped.

use axum::Json;
use axum::extract::{Path, State};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{JsonAnswer, Node};
use crate::views::QuarantinedView;

pub(super) fn routes() -> OpenApiRouter<Node> {
    OpenApiRouter::default().routes(routes!(list_quarantine)).routes(routes!(retry_quarantined))
}

/// Files that stopped their decoder three times and are left alone, newest first
#[utoipa::path(get, path = "/quarantine", tag = "library", responses((status = 200, body = [QuarantinedView])))]
async fn list_quarantine(State(node): State<Node>) -> JsonAnswer<Vec<QuarantinedView>> {
    Ok(Json(node.quarantine().await?))
}

/// Try one again from the start; gives what is still left alone
#[utoipa::path(post, path = "/quarantine/{id}/retry", tag = "library", params(("id" = String, Path)), responses((status = 200, body = [QuarantinedView])))]
async fn retry_quarantined(State(node): State<Node>, Path(id): Path<String>) -> JsonAnswer<Vec<QuarantinedView>> {
    Ok(Json(node.retry_quarantined(id).await?))
}
