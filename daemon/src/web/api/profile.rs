//! Consent texts, consent, profiles, selfies and the pose challenge.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::middleware::from_fn;
use axum::response::Response;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt};
use utoipa_axum::routes;

use super::super::intake;
use super::super::limits::{FRAME_BYTES, UPLOAD_BYTES};
use super::{Answer, JsonAnswer, Node, picture};
use crate::views::{ChallengeView, ConsentBody, ConsentTextView, NewProfileBody, ProfileView, ReceiptView};

pub(super) fn routes() -> OpenApiRouter<Node> {
    OpenApiRouter::default()
        .routes(routes!(get_consent_text))
        .routes(routes!(get_receipts))
        .routes(routes!(get_profile, erase_profile))
        .routes(routes!(give_consent))
        .routes(routes!(get_profiles, add_child))
        .routes(routes!(remove_child))
        .routes(routes!(enrol_selfie).layer(DefaultBodyLimit::max(UPLOAD_BYTES)).layer(from_fn(intake::of_pictures)))
        .routes(routes!(remove_selfie))
        .routes(routes!(get_selfie_still))
        .routes(routes!(begin_challenge))
        .routes(routes!(abandon_challenge))
        .routes(routes!(challenge_frame).layer(DefaultBodyLimit::max(FRAME_BYTES)))
}

/// The text to show before consent is asked
#[utoipa::path(
    get, path = "/consent-texts/{scope}", tag = "profile",
    params(("scope" = String, Path, description = "`faces`, `announce`, `guardian` or `announce-child`")),
    responses((status = 200, body = ConsentTextView))
)]
async fn get_consent_text(State(node): State<Node>, Path(scope): Path<String>) -> JsonAnswer<ConsentTextView> {
    Ok(Json(node.consent_text(scope).await?))
}

/// Proofs of every consent and declaration, oldest first
#[utoipa::path(get, path = "/consent-receipts", tag = "profile", responses((status = 200, body = Vec<ReceiptView>)))]
async fn get_receipts(State(node): State<Node>) -> JsonAnswer<Vec<ReceiptView>> {
    Ok(Json(node.receipts().await?))
}

/// The owner's own profile
#[utoipa::path(get, path = "/profile", tag = "profile", responses((status = 200, body = ProfileView)))]
async fn get_profile(State(node): State<Node>) -> JsonAnswer<ProfileView> {
    Ok(Json(node.profile().await?))
}

/// Consent to face finding with the hash of the text that was shown
#[utoipa::path(post, path = "/profile/consent", tag = "profile", request_body = ConsentBody, responses((status = 200, body = ProfileView)))]
async fn give_consent(State(node): State<Node>, Json(body): Json<ConsentBody>) -> JsonAnswer<ProfileView> {
    Ok(Json(node.give_consent(body.text_hash).await?))
}

/// Erase all profiles, face templates and consent, and withdraw everywhere
#[utoipa::path(delete, path = "/profile", tag = "profile", responses((status = 200, body = ProfileView)))]
async fn erase_profile(State(node): State<Node>) -> JsonAnswer<ProfileView> {
    Ok(Json(node.erase_profile().await?))
}

/// Every profile, the owner's first, then those of their children
#[utoipa::path(get, path = "/profiles", tag = "profile", responses((status = 200, body = Vec<ProfileView>)))]
async fn get_profiles(State(node): State<Node>) -> JsonAnswer<Vec<ProfileView>> {
    Ok(Json(node.profiles().await?))
}

/// Make a profile for a child, with the guardian's declaration
#[utoipa::path(post, path = "/profiles", tag = "profile", request_body = NewProfileBody, responses((status = 200, body = ProfileView)))]
async fn add_child(State(node): State<Node>, Json(body): Json<NewProfileBody>) -> JsonAnswer<ProfileView> {
    Ok(Json(node.add_child(body).await?))
}

/// Withdraw a child everywhere and erase their profile
#[utoipa::path(
    delete, path = "/profiles/{profile}", tag = "profile", params(("profile" = String, Path)),
    responses((status = 200, body = Vec<ProfileView>))
)]
async fn remove_child(State(node): State<Node>, Path(profile): Path<String>) -> JsonAnswer<Vec<ProfileView>> {
    Ok(Json(node.remove_child(profile).await?))
}

/// Enrol a selfie from a file, the raw image as the body; 422 with advice if it is not usable
#[utoipa::path(
    post, path = "/profiles/{profile}/selfies", tag = "profile", params(("profile" = String, Path, description = "`me` or an id")),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, body = ProfileView))
)]
async fn enrol_selfie(State(node): State<Node>, Path(profile): Path<String>, bytes: Bytes) -> JsonAnswer<ProfileView> {
    Ok(Json(node.enrol_selfie(profile, bytes).await?))
}

/// Remove a selfie
#[utoipa::path(
    delete, path = "/profiles/{profile}/selfies/{id}", tag = "profile", params(("profile" = String, Path), ("id" = String, Path)),
    responses((status = 200, body = ProfileView))
)]
async fn remove_selfie(
    State(node): State<Node>,
    Path((profile, id)): Path<(String, String)>,
) -> JsonAnswer<ProfileView> {
    Ok(Json(node.remove_selfie(profile, id).await?))
}

/// The small still of a selfie
#[utoipa::path(
    get, path = "/profiles/{profile}/selfies/{id}/still", tag = "profile", params(("profile" = String, Path), ("id" = String, Path)),
    responses((status = 200, body = Vec<u8>, content_type = "image/*"))
)]
async fn get_selfie_still(State(node): State<Node>, Path((profile, id)): Path<(String, String)>) -> Answer<Response> {
    Ok(picture(node.selfie_still(profile, id).await?))
}

/// Begin a pose challenge before a camera, in place of any other
#[utoipa::path(
    post, path = "/profiles/{profile}/challenge", tag = "profile", params(("profile" = String, Path)),
    responses((status = 200, body = ChallengeView))
)]
async fn begin_challenge(State(node): State<Node>, Path(profile): Path<String>) -> JsonAnswer<ChallengeView> {
    Ok(Json(node.begin_challenge(profile).await?))
}

/// Have a frame of the camera judged, a JPEG of at most 1 MiB as the body
#[utoipa::path(
    post, path = "/profiles/{profile}/challenge/{id}/frames", tag = "profile", params(("profile" = String, Path), ("id" = String, Path)),
    request_body(content = Vec<u8>, content_type = "image/jpeg"),
    responses((status = 200, body = ChallengeView))
)]
async fn challenge_frame(
    State(node): State<Node>,
    Path((profile, id)): Path<(String, String)>,
    bytes: Bytes,
) -> JsonAnswer<ChallengeView> {
    Ok(Json(node.challenge_frame(profile, id, bytes).await?))
}

/// End a pose challenge that was left
#[utoipa::path(
    delete, path = "/profiles/{profile}/challenge/{id}", tag = "profile", params(("profile" = String, Path), ("id" = String, Path)),
    responses((status = 204))
)]
async fn abandon_challenge(
    State(node): State<Node>,
    Path((profile, id)): Path<(String, String)>,
) -> Answer<StatusCode> {
    node.abandon_challenge(profile, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
