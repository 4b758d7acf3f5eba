//! What goes between nodes: approvals, transfers, peers and the log of it all.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::limits::{ACTIVITY_DEFAULT, ACTIVITY_PER_PAGE, TRANSFERS_DEFAULT, TRANSFERS_PER_PAGE};
use super::{Answer, JsonAnswer, Node, picture};
use crate::views::{
    ActivityView, ApprovalView, DecisionBody, NewPeerBody, PeerView, RecallBody, RecallView, RelayBody, RelayView,
    TransferView,
};

pub(super) fn routes() -> OpenApiRouter<Node> {
    OpenApiRouter::default()
        .routes(routes!(list_approvals))
        .routes(routes!(decide_approval))
        .routes(routes!(take_back_approval))
        .routes(routes!(get_approval_still))
        .routes(routes!(get_approval_crop))
        .routes(routes!(list_transfers))
        .routes(routes!(retry_transfer))
        .routes(routes!(recall_transfer))
        .routes(routes!(list_recalls))
        .routes(routes!(answer_recall))
        .routes(routes!(list_peers, add_peer))
        .routes(routes!(get_relay, set_relay, forget_relay))
        .routes(routes!(list_activity))
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum WishedApprovals {
    /// Those without an answer.
    #[default]
    Waiting,
    /// Answered ones as well.
    All,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ApprovalArgs {
    /// Which ones; `waiting` when absent.
    #[serde(default)]
    state: WishedApprovals,
}

/// What waits for the owner's decision
#[utoipa::path(get, path = "/approvals", tag = "sharing", params(ApprovalArgs), responses((status = 200, body = [ApprovalView])))]
async fn list_approvals(State(node): State<Node>, Query(args): Query<ApprovalArgs>) -> JsonAnswer<Vec<ApprovalView>> {
    Ok(Json(node.approvals(args.state == WishedApprovals::All).await?))
}

/// Decide
#[utoipa::path(
    post, path = "/approvals/{id}", tag = "sharing", params(("id" = String, Path)), request_body = DecisionBody,
    responses((status = 200, body = ApprovalView))
)]
async fn decide_approval(
    State(node): State<Node>,
    Path(id): Path<String>,
    Json(body): Json<DecisionBody>,
) -> JsonAnswer<ApprovalView> {
    Ok(Json(node.decide(id, body).await?))
}

/// Take an answer back, while nothing has left by it
#[utoipa::path(
    delete, path = "/approvals/{id}/answer", tag = "sharing", params(("id" = String, Path)), responses((status = 200, body = ApprovalView))
)]
async fn take_back_approval(State(node): State<Node>, Path(id): Path<String>) -> JsonAnswer<ApprovalView> {
    Ok(Json(node.take_back(id).await?))
}

/// The still of the person who looks for themselves
#[utoipa::path(
    get, path = "/approvals/{id}/still", tag = "sharing", params(("id" = String, Path)),
    responses((status = 200, body = Vec<u8>, content_type = "image/*"))
)]
async fn get_approval_still(State(node): State<Node>, Path(id): Path<String>) -> Answer<Response> {
    Ok(picture(node.approval_still(id).await?))
}

/// The matched face in the photo
#[utoipa::path(
    get, path = "/approvals/{id}/crop", tag = "sharing", params(("id" = String, Path)),
    responses((status = 200, body = Vec<u8>, content_type = "image/*"))
)]
async fn get_approval_crop(State(node): State<Node>, Path(id): Path<String>) -> Answer<Response> {
    Ok(picture(node.approval_crop(id).await?))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct TransferArgs {
    /// Only those after the one with this id.
    after: Option<String>,
    /// At most so many, 1 to 500; 200 when absent.
    limit: Option<u32>,
}

/// Transfers in both directions: under way, failed, waiting, and all others, the latest change first
#[utoipa::path(get, path = "/transfers", tag = "sharing", params(TransferArgs), responses((status = 200, body = [TransferView])))]
async fn list_transfers(State(node): State<Node>, Query(args): Query<TransferArgs>) -> JsonAnswer<Vec<TransferView>> {
    let limit = args.limit.unwrap_or(TRANSFERS_DEFAULT).clamp(1, TRANSFERS_PER_PAGE);
    Ok(Json(node.transfers(args.after, usize::try_from(limit).unwrap_or(usize::MAX)).await?))
}

/// Try a transfer again now
#[utoipa::path(
    post, path = "/transfers/{id}/retry", tag = "sharing", params(("id" = String, Path)), responses((status = 200, body = TransferView))
)]
async fn retry_transfer(State(node): State<Node>, Path(id): Path<String>) -> JsonAnswer<TransferView> {
    Ok(Json(node.retry_transfer(id).await?))
}

/// Ask the receiver of a photo to delete it
#[utoipa::path(
    post, path = "/transfers/{id}/recall", tag = "sharing", params(("id" = String, Path)), responses((status = 200, body = TransferView))
)]
async fn recall_transfer(State(node): State<Node>, Path(id): Path<String>) -> JsonAnswer<TransferView> {
    Ok(Json(node.recall(id).await?))
}

/// Photos that their senders ask this node to delete
#[utoipa::path(get, path = "/recalls", tag = "sharing", responses((status = 200, body = [RecallView])))]
async fn list_recalls(State(node): State<Node>) -> JsonAnswer<Vec<RecallView>> {
    Ok(Json(node.asked_back().await?))
}

/// Delete such a photo for good, or keep it; its sender is told
#[utoipa::path(
    post, path = "/recalls/{id}", tag = "sharing", params(("id" = String, Path)), request_body = RecallBody,
    responses((status = 200, body = [RecallView]))
)]
async fn answer_recall(
    State(node): State<Node>,
    Path(id): Path<String>,
    Json(body): Json<RecallBody>,
) -> JsonAnswer<Vec<RecallView>> {
    Ok(Json(node.answer_recall(id, body.delete).await?))
}

/// Nodes that this one knows
#[utoipa::path(get, path = "/peers", tag = "sharing", responses((status = 200, body = [PeerView])))]
async fn list_peers(State(node): State<Node>) -> JsonAnswer<Vec<PeerView>> {
    Ok(Json(node.peers().await?))
}

/// Say where a node is: the address is tried now, and again until the daemon stops
#[utoipa::path(post, path = "/peers", tag = "sharing", request_body = NewPeerBody, responses((status = 200, body = [PeerView])))]
async fn add_peer(State(node): State<Node>, Json(body): Json<NewPeerBody>) -> JsonAnswer<Vec<PeerView>> {
    Ok(Json(node.add_peer(body.address).await?))
}

/// The relay through which others may reach this node
#[utoipa::path(get, path = "/relay", tag = "sharing", responses((status = 200, body = RelayView)))]
async fn get_relay(State(node): State<Node>) -> JsonAnswer<RelayView> {
    Ok(Json(node.relay().await?))
}

/// Name it
#[utoipa::path(put, path = "/relay", tag = "sharing", request_body = RelayBody, responses((status = 200, body = RelayView)))]
async fn set_relay(State(node): State<Node>, Json(body): Json<RelayBody>) -> JsonAnswer<RelayView> {
    Ok(Json(node.set_relay(body).await?))
}

/// Use none any more
#[utoipa::path(delete, path = "/relay", tag = "sharing", responses((status = 200, body = RelayView)))]
async fn forget_relay(State(node): State<Node>) -> JsonAnswer<RelayView> {
    Ok(Json(node.forget_relay().await?))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ActivityArgs {
    /// Only entries with a smaller sequence number.
    before: Option<u64>,
    /// At most so many, 1 to 500; 100 when absent.
    limit: Option<u32>,
}

/// The activity log, newest first
#[utoipa::path(get, path = "/activity", tag = "sharing", params(ActivityArgs), responses((status = 200, body = [ActivityView])))]
async fn list_activity(State(node): State<Node>, Query(args): Query<ActivityArgs>) -> JsonAnswer<Vec<ActivityView>> {
    let limit = args.limit.unwrap_or(ACTIVITY_DEFAULT).clamp(1, ACTIVITY_PER_PAGE);
    Ok(Json(node.activity(args.before, limit).await?))
}
