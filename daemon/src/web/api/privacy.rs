//! Who can see what, and everything about the owner.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_DISPOSITION;
use axum::response::{IntoResponse, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Answer, JsonAnswer, Node};
use crate::views::PrivacyView;

pub(super) fn routes() -> OpenApiRouter<Node> {
    OpenApiRouter::default().routes(routes!(get_privacy)).routes(routes!(get_all_about_me))
}

/// Who can see what, and what leaves this machine
#[utoipa::path(get, path = "/privacy", tag = "privacy", responses((status = 200, body = PrivacyView)))]
async fn get_privacy(State(node): State<Node>) -> JsonAnswer<PrivacyView> {
    Ok(Json(node.privacy().await?))
}

/// Everything that this node knows about its owner, photos aside, as a file
#[utoipa::path(get, path = "/privacy/export", tag = "privacy", responses((status = 200, body = serde_json::Value)))]
async fn get_all_about_me(State(node): State<Node>) -> Answer<Response> {
    let name = HeaderValue::from_static("attachment; filename=\"inframe-about-me.json\"");
    Ok(([(CONTENT_DISPOSITION, name)], Json(node.all_about_me().await?)).into_response())
}
