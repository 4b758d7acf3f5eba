//! The guest page of an event, for its host.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Answer, JsonAnswer, Node, picture};
use crate::views::{
    GuestAsksBody, GuestBody, GuestMembersBody, GuestPagePatch, GuestPageView, GuestRemovalBody, GuestUploadsBody,
    GuestWifiBody, GuestWifiView,
};

pub(super) fn routes() -> OpenApiRouter<Node> {
    OpenApiRouter::default()
        .routes(routes!(guest_page, change_guest_page))
        .routes(routes!(new_guest_link))
        .routes(routes!(let_members_join, let_no_members_join))
        .routes(routes!(answer_guest_uploads))
        .routes(routes!(answer_guest_asks))
        .routes(routes!(answer_guest_removal))
        .routes(routes!(block_guest))
        .routes(routes!(guest_still))
        .routes(routes!(guest_crop))
        .routes(routes!(guest_wifi))
}

/// The guest page of an event (host only)
#[utoipa::path(get, path = "/events/{id}/guest-page", tag = "guests", params(("id" = String, Path)), responses((status = 200, body = GuestPageView)))]
async fn guest_page(State(node): State<Node>, Path(id): Path<String>) -> JsonAnswer<GuestPageView> {
    Ok(Json(node.guest_page(id).await?))
}

/// Switch the guest page on or off and change its rules; absent fields stay (host only)
#[utoipa::path(
    patch, path = "/events/{id}/guest-page", tag = "guests", params(("id" = String, Path)), request_body = GuestPagePatch,
    responses((status = 200, body = GuestPageView))
)]
async fn change_guest_page(
    State(node): State<Node>,
    Path(id): Path<String>,
    Json(patch): Json<GuestPagePatch>,
) -> JsonAnswer<GuestPageView> {
    Ok(Json(node.change_guest_page(id, patch).await?))
}

/// Give the guest page a fresh link; the one before leads nowhere from then on, for members neither (host only)
#[utoipa::path(
    post, path = "/events/{id}/guest-page/link", tag = "guests", params(("id" = String, Path)),
    responses((status = 200, body = GuestPageView))
)]
async fn new_guest_link(State(node): State<Node>, Path(id): Path<String>) -> JsonAnswer<GuestPageView> {
    Ok(Json(node.new_guest_link(id).await?))
}

/// Let members join with the link of the guest page too: it carries a fresh invite, and the one before is withdrawn (host only)
#[utoipa::path(
    put, path = "/events/{id}/guest-page/members", tag = "guests", params(("id" = String, Path)), request_body = GuestMembersBody,
    responses((status = 200, body = GuestPageView))
)]
async fn let_members_join(
    State(node): State<Node>,
    Path(id): Path<String>,
    Json(body): Json<GuestMembersBody>,
) -> JsonAnswer<GuestPageView> {
    Ok(Json(node.let_members_join(id, body).await?))
}

/// Have the link of the guest page be for guests alone; the invite that it carried is withdrawn (host only)
#[utoipa::path(
    delete, path = "/events/{id}/guest-page/members", tag = "guests", params(("id" = String, Path)),
    responses((status = 200, body = GuestPageView))
)]
async fn let_no_members_join(State(node): State<Node>, Path(id): Path<String>) -> JsonAnswer<GuestPageView> {
    Ok(Json(node.let_no_members_join(id).await?))
}

/// Say of what guests have added whether it takes part in the event or goes into the trash (host only)
#[utoipa::path(
    post, path = "/events/{id}/guest-page/uploads", tag = "guests", params(("id" = String, Path)), request_body = GuestUploadsBody,
    responses((status = 200, body = GuestPageView))
)]
async fn answer_guest_uploads(
    State(node): State<Node>,
    Path(id): Path<String>,
    Json(body): Json<GuestUploadsBody>,
) -> JsonAnswer<GuestPageView> {
    Ok(Json(node.answer_guest_uploads(id, body).await?))
}

/// Say whether guests may see photos in which they were found (host only)
#[utoipa::path(
    post, path = "/events/{id}/guest-page/asks", tag = "guests", params(("id" = String, Path)), request_body = GuestAsksBody,
    responses((status = 200, body = GuestPageView))
)]
async fn answer_guest_asks(
    State(node): State<Node>,
    Path(id): Path<String>,
    Json(body): Json<GuestAsksBody>,
) -> JsonAnswer<GuestPageView> {
    Ok(Json(node.answer_guest_asks(id, body).await?))
}

/// Deal with a guest's wish that a photo be removed (host only)
#[utoipa::path(
    post, path = "/events/{id}/guest-page/removals/{removal}", tag = "guests",
    params(("id" = String, Path), ("removal" = String, Path)), request_body = GuestRemovalBody,
    responses((status = 200, body = GuestPageView))
)]
async fn answer_guest_removal(
    State(node): State<Node>,
    Path((id, removal)): Path<(String, String)>,
    Json(body): Json<GuestRemovalBody>,
) -> JsonAnswer<GuestPageView> {
    Ok(Json(node.answer_guest_removal(id, removal, body.take_out).await?))
}

/// Shut a guest out and erase their selfie, or let them in again (host only)
#[utoipa::path(
    put, path = "/events/{id}/guest-page/guests/{guest}", tag = "guests", params(("id" = String, Path), ("guest" = String, Path)),
    request_body = GuestBody, responses((status = 200, body = GuestPageView))
)]
async fn block_guest(
    State(node): State<Node>,
    Path((id, guest)): Path<(String, String)>,
    Json(body): Json<GuestBody>,
) -> JsonAnswer<GuestPageView> {
    Ok(Json(node.block_guest(id, guest, body.blocked).await?))
}

/// The small picture of a guest who looks for themselves (host only)
#[utoipa::path(
    get, path = "/events/{id}/guest-page/guests/{guest}/still", tag = "guests",
    params(("id" = String, Path), ("guest" = String, Path)),
    responses((status = 200, description = "JPEG", content_type = "image/jpeg"))
)]
async fn guest_still(State(node): State<Node>, Path((id, guest)): Path<(String, String)>) -> Answer<Response> {
    Ok(picture(node.guest_still(id, guest).await?))
}

/// The face in which a guest was found (host only)
#[utoipa::path(
    get, path = "/events/{id}/guest-page/guests/{guest}/found/{asset}", tag = "guests",
    params(("id" = String, Path), ("guest" = String, Path), ("asset" = String, Path)),
    responses((status = 200, description = "JPEG", content_type = "image/jpeg"))
)]
async fn guest_crop(
    State(node): State<Node>,
    Path((id, guest, asset)): Path<(String, String, String)>,
) -> Answer<Response> {
    Ok(picture(node.guest_crop(id, guest, asset).await?))
}

/// A QR code with which phones join a Wi-Fi network, for the poster; kept only if asked for (host only)
#[utoipa::path(
    post, path = "/events/{id}/guest-page/wifi", tag = "guests", params(("id" = String, Path)), request_body = GuestWifiBody,
    responses((status = 200, body = Option<GuestWifiView>))
)]
async fn guest_wifi(
    State(node): State<Node>,
    Path(id): Path<String>,
    Json(body): Json<GuestWifiBody>,
) -> JsonAnswer<Option<GuestWifiView>> {
    Ok(Json(node.guest_wifi(id, body).await?))
}
