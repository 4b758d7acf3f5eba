//! The profile "me": consent texts, consent and selfies.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRef, Path, State};
use axum::middleware::from_fn;
use axum::response::Response;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt};
use utoipa_axum::routes;

use super::super::intake;
use super::super::limits::UPLOAD_BYTES;
use super::{Answer, JsonAnswer, Node, picture};
use crate::views::{ConsentBody, ConsentTextView, ProfileView};

pub(super) fn routes<S>() -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
    Node: FromRef<S>,
{
    OpenApiRouter::default()
        .routes(routes!(get_consent_text))
        .routes(routes!(get_profile, erase_profile))
        .routes(routes!(give_consent))
        .routes(routes!(enrol_selfie).layer(DefaultBodyLimit::max(UPLOAD_BYTES)).layer(from_fn(intake::of_pictures)))
        .routes(routes!(remove_selfie))
        .routes(routes!(get_selfie_still))
}

/// The text to show before consent is asked
#[utoipa::path(
    get, path = "/consent-texts/{scope}", tag = "profile", params(("scope" = String, Path, description = "`faces` or `announce`")),
    responses((status = 200, body = ConsentTextView))
)]
async fn get_consent_text(State(node): State<Node>, Path(scope): Path<String>) -> JsonAnswer<ConsentTextView> {
    Ok(Json(node.consent_text(scope).await?))
}

/// The profile "me"
#[utoipa::path(get, path = "/profile", tag = "profile", responses((status = 200, body = ProfileView)))]
async fn get_profile(State(node): State<Node>) -> JsonAnswer<ProfileView> {
    Ok(Json(node.profile().await?))
}

/// Consent to face finding with the hash of the text that was shown
#[utoipa::path(post, path = "/profile/consent", tag = "profile", request_body = ConsentBody, responses((status = 200, body = ProfileView)))]
async fn give_consent(State(node): State<Node>, Json(body): Json<ConsentBody>) -> JsonAnswer<ProfileView> {
    Ok(Json(node.give_consent(body.text_hash).await?))
}

/// Enrol a selfie, the raw image as the body; 422 with advice if it is not usable
#[utoipa::path(
    post, path = "/profile/selfies", tag = "profile",
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, body = ProfileView))
)]
async fn enrol_selfie(State(node): State<Node>, bytes: Bytes) -> JsonAnswer<ProfileView> {
    Ok(Json(node.enrol_selfie(bytes).await?))
}

/// Remove a selfie
#[utoipa::path(
    delete, path = "/profile/selfies/{id}", tag = "profile", params(("id" = String, Path)), responses((status = 200, body = ProfileView))
)]
async fn remove_selfie(State(node): State<Node>, Path(id): Path<String>) -> JsonAnswer<ProfileView> {
    Ok(Json(node.remove_selfie(id).await?))
}

/// The small still of a selfie
#[utoipa::path(
    get, path = "/profile/selfies/{id}/still", tag = "profile", params(("id" = String, Path)),
    responses((status = 200, body = Vec<u8>, content_type = "image/*"))
)]
async fn get_selfie_still(State(node): State<Node>, Path(id): Path<String>) -> Answer<Response> {
    Ok(picture(node.selfie_still(id).await?))
}

/// Erase face templates and consent, and withdraw everywhere
#[utoipa::path(delete, path = "/profile", tag = "profile", responses((status = 200, body = ProfileView)))]
async fn erase_profile(State(node): State<Node>) -> JsonAnswer<ProfileView> {
    Ok(Json(node.erase_profile().await?))
}
