//! The trash: what was deleted in the last thirty days.

use axum::Json;
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::limits::TRASH_DEFAULT;
use super::{JsonAnswer, Node};
use crate::views::{TrashBody, TrashDoneView, TrashView, TrashedView};

pub(super) fn routes() -> OpenApiRouter<Node> {
    OpenApiRouter::default()
        .routes(routes!(trash_asset))
        .routes(routes!(list_trash))
        .routes(routes!(restore))
        .routes(routes!(purge))
        .routes(routes!(empty_trash))
}

/// Move an asset into the trash; says until when it can be restored
#[utoipa::path(delete, path = "/assets/{id}", tag = "trash", params(("id" = String, Path)), responses((status = 200, body = TrashedView)))]
async fn trash_asset(State(node): State<Node>, Path(id): Path<String>) -> JsonAnswer<TrashedView> {
    Ok(Json(node.trash_asset(id).await?))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Part {
    /// The `next` of the part before.
    before: Option<String>,
    /// How many, 1 to 1,000; 200 when absent.
    limit: Option<usize>,
}

/// The trash, newest first
#[utoipa::path(get, path = "/trash", tag = "trash", params(Part), responses((status = 200, body = TrashView)))]
async fn list_trash(State(node): State<Node>, Query(part): Query<Part>) -> JsonAnswer<TrashView> {
    Ok(Json(node.trash(part.before, part.limit.unwrap_or(TRASH_DEFAULT)).await?))
}

/// Bring assets back from the trash
#[utoipa::path(
    post, path = "/trash/restore", operation_id = "restore_from_trash", tag = "trash", request_body = TrashBody,
    responses((status = 200, body = TrashDoneView))
)]
async fn restore(State(node): State<Node>, Json(body): Json<TrashBody>) -> JsonAnswer<TrashDoneView> {
    Ok(Json(node.restore(body.assets).await?))
}

/// Delete assets in the trash for good
#[utoipa::path(post, path = "/trash/purge", tag = "trash", request_body = TrashBody, responses((status = 200, body = TrashDoneView)))]
async fn purge(State(node): State<Node>, Json(body): Json<TrashBody>) -> JsonAnswer<TrashDoneView> {
    Ok(Json(node.purge(body.assets).await?))
}

/// Delete everything in the trash for good
#[utoipa::path(post, path = "/trash/empty", tag = "trash", responses((status = 200, body = TrashDoneView)))]
async fn empty_trash(State(node): State<Node>) -> JsonAnswer<TrashDoneView> {
    Ok(Json(node.empty_trash().await?))
}
