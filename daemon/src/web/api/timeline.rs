//! The geometry of the whole library in one small answer, and its items in blocks.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::header::{CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Answer, JsonAnswer, Node};
use crate::views::TimelineBlockView;

pub(super) fn routes() -> OpenApiRouter<Node> {
    OpenApiRouter::default().routes(routes!(get_skeleton)).routes(routes!(get_block))
}

/// Days, colours and ratios of all items
///
/// Little-endian: magic `IFSK`, u32 version 1, u64 rev, u32 number of days, u32 number of items; per day, newest first: i32 days since
/// 1970-01-01, u32 count; then per item, newest first: u16 RGB565, u8 ratio code, where width / height = 0.1 * exp(code / 255 * ln 100).
#[utoipa::path(
    get, path = "/timeline/skeleton", tag = "library",
    responses(
        (status = 200, body = Vec<u8>, content_type = "application/octet-stream", headers(("etag" = String, description = "The revision"))),
        (status = 304, description = "The revision of `If-None-Match` is still the present one"),
    )
)]
async fn get_skeleton(State(node): State<Node>, headers: HeaderMap) -> Answer<Response> {
    let (rev, bytes) = node.timeline_skeleton().await?;
    let tag = format!("\"{rev}\"");
    let known = headers.get(IF_NONE_MATCH).is_some_and(|value| value.as_bytes() == tag.as_bytes());
    let Ok(etag) = HeaderValue::from_str(&tag) else {
        return Ok(bytes.into_response());
    };
    if known {
        return Ok((StatusCode::NOT_MODIFIED, [(ETAG, etag)]).into_response());
    }
    Ok(([(ETAG, etag), (CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"))], bytes).into_response())
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct BlockArgs {
    /// Revision of the skeleton that the block belongs to; another one is answered with 409.
    rev: u64,
}

/// A block of 256 items
#[utoipa::path(
    get, path = "/timeline/blocks/{n}", tag = "library", params(("n" = u64, Path, description = "Number of the block"), BlockArgs),
    responses((status = 200, body = TimelineBlockView))
)]
async fn get_block(
    State(node): State<Node>,
    Path(block): Path<u64>,
    Query(args): Query<BlockArgs>,
) -> JsonAnswer<TimelineBlockView> {
    Ok(Json(node.timeline_block(block, args.rev).await?))
}
