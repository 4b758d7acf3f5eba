//! Events: founding, joining, members, invites, find-me and the photos that take part.

use axum::Json;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::StatusCode;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt};
use utoipa_axum::routes;

use super::super::limits::{ASSETS_JSON_BYTES, ASSETS_PER_WISH};
use super::{Answer, JsonAnswer, Node, Problem};
use crate::views::{
    AdmitBody, AssetsBody, CodeBody, DetailsView, EventPatch, EventView, FindMeBody, InviteView, InvitesQuery,
    JoinBody, LeakBody, LeakView, MemberPolicyBody, MemberRoleBody, NewEventBody, NewInviteBody, ProtectionBody,
    WithdrawQuery,
};

pub(super) fn routes() -> OpenApiRouter<Node> {
    OpenApiRouter::default()
        .routes(routes!(list_events, create_event))
        .routes(routes!(join_event))
        .routes(routes!(get_event, change_event, leave_event))
        .routes(routes!(get_wall))
        .routes(routes!(create_invite, list_invites))
        .routes(routes!(revoke_invite))
        .routes(routes!(replace_leaked))
        .routes(routes!(show_code, stop_code))
        .routes(routes!(admit_member))
        .routes(routes!(remove_member))
        .routes(routes!(set_member_role))
        .routes(routes!(set_member_policy))
        .routes(routes!(set_member_details))
        .routes(routes!(renew_keys))
        .routes(routes!(announce, withdraw))
        .routes(routes!(protect, unprotect))
        .routes(routes!(take_part, take_out).layer(DefaultBodyLimit::max(ASSETS_JSON_BYTES)))
}

/// Events of this node
#[utoipa::path(get, path = "/events", tag = "events", responses((status = 200, body = [EventView])))]
async fn list_events(State(node): State<Node>) -> JsonAnswer<Vec<EventView>> {
    Ok(Json(node.events().await?))
}

/// Found an event
#[utoipa::path(post, path = "/events", tag = "events", request_body = NewEventBody, responses((status = 200, body = EventView)))]
async fn create_event(State(node): State<Node>, Json(body): Json<NewEventBody>) -> JsonAnswer<EventView> {
    Ok(Json(node.create_event(body).await?))
}

/// Ask to join with an invite link, or with a code that a host shows on this network: the answer then comes when it was found
#[utoipa::path(post, path = "/events/join", tag = "events", request_body = JoinBody, responses((status = 200, body = EventView)))]
async fn join_event(State(node): State<Node>, Json(body): Json<JoinBody>) -> JsonAnswer<EventView> {
    Ok(Json(node.join_event(body.link).await?))
}

/// One event
#[utoipa::path(get, path = "/events/{id}", tag = "events", params(("id" = String, Path)), responses((status = 200, body = EventView)))]
async fn get_event(State(node): State<Node>, Path(id): Path<String>) -> JsonAnswer<EventView> {
    Ok(Json(node.event(id).await?))
}

/// Photos for a screen that everybody in the room sees, the newest first: those that take part and that nobody in them wants hidden
#[utoipa::path(get, path = "/events/{id}/wall", tag = "events", params(("id" = String, Path)), responses((status = 200, body = [String])))]
async fn get_wall(State(node): State<Node>, Path(id): Path<String>) -> JsonAnswer<Vec<String>> {
    Ok(Json(node.wall(id).await?))
}

/// Change this node's settings for an event; absent fields stay
#[utoipa::path(
    patch, path = "/events/{id}", tag = "events", params(("id" = String, Path)), request_body = EventPatch,
    responses((status = 200, body = EventView))
)]
async fn change_event(
    State(node): State<Node>,
    Path(id): Path<String>,
    Json(patch): Json<EventPatch>,
) -> JsonAnswer<EventView> {
    Ok(Json(node.change_event(id, patch).await?))
}

/// Leave an event
#[utoipa::path(
    delete, path = "/events/{id}", tag = "events", params(("id" = String, Path)), responses((status = 204, description = "Left"))
)]
async fn leave_event(State(node): State<Node>, Path(id): Path<String>) -> Answer<StatusCode> {
    node.leave_event(id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Make an invite
#[utoipa::path(
    post, path = "/events/{id}/invites", tag = "events", params(("id" = String, Path)), request_body = NewInviteBody,
    responses((status = 200, body = InviteView))
)]
async fn create_invite(
    State(node): State<Node>,
    Path(id): Path<String>,
    Json(body): Json<NewInviteBody>,
) -> JsonAnswer<InviteView> {
    Ok(Json(node.create_invite(id, body).await?))
}

/// Invites that are still valid, or all
#[utoipa::path(
    get, path = "/events/{id}/invites", tag = "events", params(("id" = String, Path), InvitesQuery),
    responses((status = 200, body = [InviteView]))
)]
async fn list_invites(
    State(node): State<Node>,
    Path(id): Path<String>,
    Query(query): Query<InvitesQuery>,
) -> JsonAnswer<Vec<InviteView>> {
    Ok(Json(node.invites(id, query.all).await?))
}

/// Revoke an invite
#[utoipa::path(
    delete, path = "/events/{id}/invites/{invite}", tag = "events", params(("id" = String, Path), ("invite" = String, Path)),
    responses((status = 204, description = "Revoked"))
)]
async fn revoke_invite(State(node): State<Node>, Path((id, invite)): Path<(String, String)>) -> Answer<StatusCode> {
    node.revoke_invite(id, invite).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// An invite leaked, or any may have: withdraw it, remove who came by it, give the others new keys, make a fresh one (host only)
#[utoipa::path(
    post, path = "/events/{id}/invites/leaked", tag = "events", params(("id" = String, Path)), request_body = LeakBody,
    responses((status = 200, body = LeakView))
)]
async fn replace_leaked(
    State(node): State<Node>,
    Path(id): Path<String>,
    Json(body): Json<LeakBody>,
) -> JsonAnswer<LeakView> {
    Ok(Json(node.replace_leaked(id, body).await?))
}

/// Show a fresh code for an invite to people on this network, for ten minutes (host only)
#[utoipa::path(
    put, path = "/events/{id}/code", tag = "events", params(("id" = String, Path)), request_body = CodeBody,
    responses((status = 200, body = EventView))
)]
async fn show_code(
    State(node): State<Node>,
    Path(id): Path<String>,
    Json(body): Json<CodeBody>,
) -> JsonAnswer<EventView> {
    Ok(Json(node.show_code(id, body).await?))
}

/// Stop showing the code, or why it has ended
#[utoipa::path(
    delete, path = "/events/{id}/code", tag = "events", params(("id" = String, Path)), responses((status = 200, body = EventView))
)]
async fn stop_code(State(node): State<Node>, Path(id): Path<String>) -> JsonAnswer<EventView> {
    Ok(Json(node.stop_code(id).await?))
}

/// Admit or refuse somebody who waits (host, or co-host while the host's node is connected)
#[utoipa::path(
    post, path = "/events/{id}/admissions/{member}", tag = "events", params(("id" = String, Path), ("member" = String, Path)),
    request_body = AdmitBody, responses((status = 200, body = EventView))
)]
async fn admit_member(
    State(node): State<Node>,
    Path((id, member)): Path<(String, String)>,
    Json(body): Json<AdmitBody>,
) -> JsonAnswer<EventView> {
    Ok(Json(node.admit(id, member, body.admit).await?))
}

/// Make a member a co-host, who admits and removes while this node is connected, or a plain member again (host only)
#[utoipa::path(
    put, path = "/events/{id}/members/{member}/role", tag = "events", params(("id" = String, Path), ("member" = String, Path)),
    request_body = MemberRoleBody, responses((status = 200, body = EventView))
)]
async fn set_member_role(
    State(node): State<Node>,
    Path((id, member)): Path<(String, String)>,
    Json(body): Json<MemberRoleBody>,
) -> JsonAnswer<EventView> {
    Ok(Json(node.set_co_host(id, member, body.co_host).await?))
}

/// Remove a member (host, or co-host while the host's node is connected)
#[utoipa::path(
    delete, path = "/events/{id}/members/{member}", tag = "events", params(("id" = String, Path), ("member" = String, Path)),
    responses((status = 200, body = EventView))
)]
async fn remove_member(State(node): State<Node>, Path((id, member)): Path<(String, String)>) -> JsonAnswer<EventView> {
    Ok(Json(node.remove_member(id, member).await?))
}

/// Set this node's policy towards one member
#[utoipa::path(
    put, path = "/events/{id}/members/{member}/policy", tag = "events", params(("id" = String, Path), ("member" = String, Path)),
    request_body = MemberPolicyBody, responses((status = 200, body = EventView))
)]
async fn set_member_policy(
    State(node): State<Node>,
    Path((id, member)): Path<(String, String)>,
    Json(body): Json<MemberPolicyBody>,
) -> JsonAnswer<EventView> {
    Ok(Json(node.set_member_policy(id, member, body.policy).await?))
}

/// Choose what photos still say of their taking when they go to one member
#[utoipa::path(
    put, path = "/events/{id}/members/{member}/details", tag = "events", params(("id" = String, Path), ("member" = String, Path)),
    request_body = DetailsView, responses((status = 200, body = EventView))
)]
async fn set_member_details(
    State(node): State<Node>,
    Path((id, member)): Path<(String, String)>,
    Json(body): Json<DetailsView>,
) -> JsonAnswer<EventView> {
    Ok(Json(node.set_member_details(id, member, body).await?))
}

/// Give all members new keys now (host only); it happens by itself every week
#[utoipa::path(
    post, path = "/events/{id}/keys", tag = "events", params(("id" = String, Path)),
    responses((status = 200, body = EventView))
)]
async fn renew_keys(State(node): State<Node>, Path(id): Path<String>) -> JsonAnswer<EventView> {
    Ok(Json(node.renew_keys(id).await?))
}

/// Announce a profile in this event, with consent
#[utoipa::path(
    put, path = "/events/{id}/find-me", tag = "events", params(("id" = String, Path)), request_body = FindMeBody,
    responses((status = 200, body = EventView))
)]
async fn announce(
    State(node): State<Node>,
    Path(id): Path<String>,
    Json(body): Json<FindMeBody>,
) -> JsonAnswer<EventView> {
    Ok(Json(node.announce(id, body).await?))
}

/// Withdraw the announcement of a profile
#[utoipa::path(
    delete, path = "/events/{id}/find-me", tag = "events", params(("id" = String, Path), WithdrawQuery),
    responses((status = 200, body = EventView))
)]
async fn withdraw(
    State(node): State<Node>,
    Path(id): Path<String>,
    Query(query): Query<WithdrawQuery>,
) -> JsonAnswer<EventView> {
    Ok(Json(node.withdraw(id, query.profile).await?))
}

/// Ask the members of this event to hold back photos of a profile or to blur its face, with consent
#[utoipa::path(
    put, path = "/events/{id}/protection", tag = "events", params(("id" = String, Path)), request_body = ProtectionBody,
    responses((status = 200, body = EventView))
)]
async fn protect(
    State(node): State<Node>,
    Path(id): Path<String>,
    Json(body): Json<ProtectionBody>,
) -> JsonAnswer<EventView> {
    Ok(Json(node.protect(id, body).await?))
}

/// Share photos of a profile as usual again
#[utoipa::path(
    delete, path = "/events/{id}/protection", tag = "events", params(("id" = String, Path), WithdrawQuery),
    responses((status = 200, body = EventView))
)]
async fn unprotect(
    State(node): State<Node>,
    Path(id): Path<String>,
    Query(query): Query<WithdrawQuery>,
) -> JsonAnswer<EventView> {
    Ok(Json(node.unprotect(id, query.profile).await?))
}

/// Let photos take part in the event, chosen by hand
#[utoipa::path(
    post, path = "/events/{id}/assets", tag = "events", params(("id" = String, Path)), request_body = AssetsBody,
    responses((status = 200, body = EventView))
)]
async fn take_part(
    State(node): State<Node>,
    Path(id): Path<String>,
    Json(body): Json<AssetsBody>,
) -> JsonAnswer<EventView> {
    Ok(Json(node.take_part(id, bounded(body)?).await?))
}

/// Take photos out of the event
#[utoipa::path(
    delete, path = "/events/{id}/assets", tag = "events", params(("id" = String, Path)), request_body = AssetsBody,
    responses((status = 200, body = EventView))
)]
async fn take_out(
    State(node): State<Node>,
    Path(id): Path<String>,
    Json(body): Json<AssetsBody>,
) -> JsonAnswer<EventView> {
    Ok(Json(node.take_out(id, bounded(body)?).await?))
}

fn bounded(body: AssetsBody) -> Answer<Vec<String>> {
    if body.assets.len() > ASSETS_PER_WISH {
        return Err(Problem::invalid("too-many", "Choose at most 10,000 photos at once"));
    }
    Ok(body.assets)
}
