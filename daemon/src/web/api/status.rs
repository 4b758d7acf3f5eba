//! The node at a glance, its settings and its watched folders.

use axum::Json;
use axum::extract::{Query, State};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{JsonAnswer, Node};
use crate::views::{PathBody, SettingsPatch, SettingsView, StatusView};

pub(super) fn routes() -> OpenApiRouter<Node> {
    OpenApiRouter::default()
        .routes(routes!(get_status))
        .routes(routes!(get_settings, change_settings))
        .routes(routes!(watch_folder, unwatch_folder))
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
