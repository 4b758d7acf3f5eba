//! What the owner is told of, and how.

use axum::Json;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{JsonAnswer, Node};
use crate::views::{NoticeReceiverBody, NoticeTestView, NoticesPatch, NoticesView};

pub(super) fn routes() -> OpenApiRouter<Node> {
    OpenApiRouter::default()
        .routes(routes!(get_notices, change_notices))
        .routes(routes!(set_notice_receiver, forget_notice_receiver))
        .routes(routes!(test_notices))
}

/// What the owner is told of, how, and what they were told lately
#[utoipa::path(get, path = "/notices", tag = "node", responses((status = 200, body = NoticesView)))]
async fn get_notices(State(node): State<Node>) -> JsonAnswer<NoticesView> {
    Ok(Json(node.notices().await?))
}

/// Change what the owner is told of; absent fields stay
#[utoipa::path(patch, path = "/notices", tag = "node", request_body = NoticesPatch, responses((status = 200, body = NoticesView)))]
async fn change_notices(State(node): State<Node>, Json(patch): Json<NoticesPatch>) -> JsonAnswer<NoticesView> {
    Ok(Json(node.change_notices(patch).await?))
}

/// Name where notices are sent to
#[utoipa::path(put, path = "/notices/receiver", tag = "node", request_body = NoticeReceiverBody, responses((status = 200, body = NoticesView)))]
async fn set_notice_receiver(
    State(node): State<Node>,
    Json(body): Json<NoticeReceiverBody>,
) -> JsonAnswer<NoticesView> {
    Ok(Json(node.set_notice_receiver(body).await?))
}

/// Send them nowhere any more
#[utoipa::path(delete, path = "/notices/receiver", tag = "node", responses((status = 200, body = NoticesView)))]
async fn forget_notice_receiver(State(node): State<Node>) -> JsonAnswer<NoticesView> {
    Ok(Json(node.forget_notice_receiver().await?))
}

/// Send a trial there now; what became of it is in the answer
#[utoipa::path(post, path = "/notices/test", tag = "node", responses((status = 200, body = NoticeTestView)))]
async fn test_notices(State(node): State<Node>) -> JsonAnswer<NoticeTestView> {
    Ok(Json(node.test_notices().await?))
}
