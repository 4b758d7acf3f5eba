//! One asset: its facts, its pictures and its original.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::download;
use super::{Answer, JsonAnswer, Node, picture};
use crate::node::ThumbSize;
use crate::views::AssetView;

pub(super) fn routes() -> OpenApiRouter<Node> {
    OpenApiRouter::default()
        .routes(routes!(get_asset))
        .routes(routes!(get_thumb))
        .routes(routes!(get_original))
        .routes(routes!(get_video))
        .routes(routes!(get_motion))
}

/// One asset in full
#[utoipa::path(get, path = "/assets/{id}", tag = "library", params(("id" = String, Path)), responses((status = 200, body = AssetView)))]
async fn get_asset(State(node): State<Node>, Path(id): Path<String>) -> JsonAnswer<AssetView> {
    Ok(Json(node.asset(id).await?))
}

#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum WishedSize {
    /// About 480 pixels on the long side.
    #[default]
    Grid,
    /// About 1600 pixels on the long side.
    Preview,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ThumbArgs {
    /// Which picture; `grid` when absent.
    #[serde(default)]
    size: WishedSize,
}

/// A picture of an asset for the screen
#[utoipa::path(
    get, path = "/assets/{id}/thumb", tag = "library", params(("id" = String, Path), ThumbArgs),
    responses((status = 200, body = Vec<u8>, content_type = "image/*"))
)]
async fn get_thumb(
    State(node): State<Node>,
    Path(id): Path<String>,
    Query(args): Query<ThumbArgs>,
) -> Answer<Response> {
    let size = match args.size {
        WishedSize::Grid => ThumbSize::Grid,
        WishedSize::Preview => ThumbSize::Preview,
    };
    Ok(picture(node.thumb(id, size).await?))
}

/// The original file, as a download; takes `Range`
#[utoipa::path(
    get, path = "/assets/{id}/original", tag = "library", params(("id" = String, Path)),
    responses(
        (status = 200, body = Vec<u8>, content_type = "*/*"),
        (status = 206, body = Vec<u8>, content_type = "*/*", description = "The range asked for"),
    )
)]
async fn get_original(State(node): State<Node>, Path(id): Path<String>, headers: HeaderMap) -> Answer<Response> {
    node.original(id, move |original| download::answer(original, &headers)).await?
}

/// A video in a form that browsers play; takes `Range`
#[utoipa::path(
    get, path = "/assets/{id}/video", tag = "library", params(("id" = String, Path)),
    responses(
        (status = 200, body = Vec<u8>, content_type = "video/*"),
        (status = 206, body = Vec<u8>, content_type = "video/*", description = "The range asked for"),
    )
)]
async fn get_video(State(node): State<Node>, Path(id): Path<String>, headers: HeaderMap) -> Answer<Response> {
    node.video(id, move |video| download::answer(video, &headers)).await?
}

/// The film that was taken with a photo; takes `Range`
#[utoipa::path(
    get, path = "/assets/{id}/motion", tag = "library", params(("id" = String, Path)),
    responses(
        (status = 200, body = Vec<u8>, content_type = "video/mp4"),
        (status = 206, body = Vec<u8>, content_type = "video/mp4", description = "The range asked for"),
    )
)]
async fn get_motion(State(node): State<Node>, Path(id): Path<String>, headers: HeaderMap) -> Answer<Response> {
    node.motion(id, move |film| download::answer(film, &headers)).await?
}
