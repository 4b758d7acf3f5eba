//! Signing in and out: in the browser with a launch token, on the unix socket by being allowed to open it.

use axum::extract::{Extension, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Json, middleware};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt};
use utoipa_axum::routes;

use super::super::guard::{Guards, Visitor, not_signed_in, only_signed_in};
use super::{Answer, JsonAnswer, Problem};

/// What a launch link carries.
#[derive(Deserialize, ToSchema)]
pub(crate) struct LaunchBody {
    /// The token in the link's fragment, `#launch=TOKEN`.
    token: String,
}

/// A fresh launch link.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct LaunchLinkView {
    /// Signs one browser in, once, within ten minutes.
    pub url: String,
}

impl std::fmt::Debug for LaunchLinkView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LaunchLinkView(hidden)")
    }
}

/// For browsers.
pub(in super::super) fn routes(guards: &Guards) -> OpenApiRouter<Guards> {
    let signed_in = middleware::from_fn_with_state(guards.clone(), only_signed_in);
    OpenApiRouter::default().routes(routes!(get_session, sign_in)).routes(routes!(sign_out).layer(signed_in))
}

/// For the unix socket.
pub(in super::super) fn socket_routes() -> OpenApiRouter<Guards> {
    OpenApiRouter::default().routes(routes!(make_launch_link))
}

/// Whether this browser is signed in
#[utoipa::path(
    get, path = "/session", tag = "session",
    responses((status = 204, description = "Signed in"), (status = 401, description = "Not signed in"))
)]
async fn get_session(State(guards): State<Guards>, headers: HeaderMap) -> Answer<StatusCode> {
    guards.visitor(&headers).await.map(|_| StatusCode::NO_CONTENT).ok_or_else(not_signed_in)
}

/// Sign in with the token of a launch link
#[utoipa::path(
    post, path = "/session", tag = "session", request_body = LaunchBody,
    responses((status = 204, description = "Signed in; sets the session cookie"))
)]
async fn sign_in(State(guards): State<Guards>, Json(body): Json<LaunchBody>) -> Answer<Response> {
    let cookie = guards.sign_in(&body.token).await.map_err(internal)?;
    let Some(cookie) = cookie else {
        return Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "launch-link-used",
            "This launch link was used already or is older than ten minutes; run `inframe open` for a fresh one",
        ));
    };
    with_cookie(&cookie)
}

/// Sign out
#[utoipa::path(delete, path = "/session", tag = "session", responses((status = 204, description = "Signed out")))]
async fn sign_out(Extension(visitor): Extension<Visitor>) -> Answer<Response> {
    with_cookie(&visitor.sign_out().await)
}

/// Make a launch link; only on the unix socket
#[utoipa::path(post, path = "/session/launch-links", tag = "session", responses((status = 200, body = LaunchLinkView)))]
async fn make_launch_link(State(guards): State<Guards>) -> JsonAnswer<LaunchLinkView> {
    let url = guards.launch_link().map_err(internal)?;
    Ok(Json(LaunchLinkView { url }))
}

fn with_cookie(cookie: &str) -> Answer<Response> {
    let value = HeaderValue::from_str(cookie).map_err(internal)?;
    Ok((StatusCode::NO_CONTENT, [(SET_COOKIE, value)]).into_response())
}

fn internal(error: impl std::fmt::Display) -> Problem {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", error.to_string())
}
