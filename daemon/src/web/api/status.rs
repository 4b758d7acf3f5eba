//! The node at a glance, its settings and its watched folders.

use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Answer, JsonAnswer, Node};
use crate::views::{ErasureView, PathBody, SettingsPatch, SettingsView, StatusView};

pub(super) fn routes() -> OpenApiRouter<Node> {
    OpenApiRouter::default()
        .routes(routes!(get_status))
        .routes(routes!(get_settings, change_settings))
        .routes(routes!(watch_folder, unwatch_folder))
        .routes(routes!(get_erasure))
        .routes(routes!(end_first_run))
}

/// The node at a glance
#[utoipa::path(get, path = "/status", tag = "node", responses((status = 200, body = StatusView)))]
async fn get_status(State(node): State<Node>) -> JsonAnswer<StatusView> {
    Ok(Json(node.status().await?))
}

/// Settings of the owner
#[utoipa::path(get, path = "/settings", tag = "node", responses((status = 200, body = SettingsView)))]
async fn get_settings(State(node): State<Node>) -> JsonAnswer<SettingsView> {
    Ok(Json(node.settings().await?))
}

/// Change settings; absent fields stay
#[utoipa::path(patch, path = "/settings", tag = "node", request_body = SettingsPatch, responses((status = 200, body = SettingsView)))]
async fn change_settings(State(node): State<Node>, Json(patch): Json<SettingsPatch>) -> JsonAnswer<SettingsView> {
    Ok(Json(node.change_settings(patch).await?))
}

/// What erasing everything would destroy
#[utoipa::path(get, path = "/erasure", tag = "vault", responses((status = 200, body = ErasureView)))]
async fn get_erasure(State(node): State<Node>) -> JsonAnswer<ErasureView> {
    Ok(Json(node.erasure().await?))
}

/// Never show the first steps again
#[utoipa::path(post, path = "/first-run/done", tag = "node", responses((status = 204, description = "Durable")))]
async fn end_first_run(State(node): State<Node>) -> Answer<StatusCode> {
    node.end_first_run().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Watch a folder for new photos
#[utoipa::path(post, path = "/watched-folders", tag = "node", request_body = PathBody, responses((status = 200, body = SettingsView)))]
async fn watch_folder(State(node): State<Node>, Json(body): Json<PathBody>) -> JsonAnswer<SettingsView> {
    Ok(Json(node.watch_folder(body.path).await?))
}

/// Stop watching a folder; its photos stay in the library
#[utoipa::path(delete, path = "/watched-folders", tag = "node", params(PathBody), responses((status = 200, body = SettingsView)))]
async fn unwatch_folder(State(node): State<Node>, Query(body): Query<PathBody>) -> JsonAnswer<SettingsView> {
    Ok(Json(node.unwatch_folder(body.path).await?))
}
