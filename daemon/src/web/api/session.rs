//! Signing in and out: in the browser with a launch token, on the unix socket by being allowed to open it.

use std::net::IpAddr;

use axum::extract::{ConnectInfo, DefaultBodyLimit, Extension, Path, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Json, middleware};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::entrance::Caller;
use super::super::guard::{Guards, StoredSession, Visitor, only_signed_in};
use super::super::limits::SIGN_IN_BYTES;
use super::{Answer, JsonAnswer, Problem};

/// What a launch link carries.
#[derive(Deserialize, ToSchema)]
pub(crate) struct LaunchBody {
    /// The token in the link's fragment, `#launch=TOKEN`.
    token: String,
}

/// A browser that is signed in.
#[derive(Serialize, ToSchema)]
pub(crate) struct SessionView {
    /// Id, by which it can be signed out.
    id: String,
    /// Such as `Firefox on Linux`, by its own word.
    browser: String,
    /// When it signed in.
    opened_at: u64,
    /// When it was used last, to within ten minutes after a restart.
    used_at: u64,
    /// Whether it is the one that asks.
    this: bool,
    /// The address from which it signed in over the network; nothing for a browser on this device.
    from: Option<String>,
}

/// A fresh launch link.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct LaunchLinkView {
    /// Signs one browser in, once, within ten minutes.
    pub url: String,
    /// SHA-256 of the certificate that the browser gets to see there, where it is one that no browser knows.
    pub fingerprint: Option<String>,
}

impl std::fmt::Debug for LaunchLinkView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LaunchLinkView(hidden)")
    }
}

/// For browsers.
pub(in super::super) fn routes(guards: &Guards) -> OpenApiRouter<Guards> {
    let signed_in = middleware::from_fn_with_state(guards.clone(), only_signed_in);
    let of_the_owner = OpenApiRouter::default()
        .routes(routes!(sign_out))
        .routes(routes!(list_sessions, end_other_sessions))
        .routes(routes!(end_session));
    let sign_in = OpenApiRouter::default().routes(routes!(get_session, sign_in));
    sign_in.layer(DefaultBodyLimit::max(SIGN_IN_BYTES)).merge(of_the_owner.layer(signed_in))
}

/// The address from which somebody asks over the network; nothing for somebody on this device.
pub(super) fn from(caller: Option<Extension<ConnectInfo<Caller>>>) -> Option<IpAddr> {
    caller.map(|Extension(ConnectInfo(caller))| caller.address)
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
    guards.visitor(&headers).await.map(|_| StatusCode::NO_CONTENT).ok_or_else(|| guards.not_signed_in())
}

/// Sign in with the token of a launch link
#[utoipa::path(
    post, path = "/session", tag = "session", request_body = LaunchBody,
    responses((status = 204, description = "Signed in; sets the session cookie"))
)]
async fn sign_in(
    State(guards): State<Guards>,
    caller: Option<Extension<ConnectInfo<Caller>>>,
    headers: HeaderMap,
    Json(body): Json<LaunchBody>,
) -> Answer<Response> {
    let cookie = guards.sign_in(&body.token, &headers, from(caller)).await.map_err(internal)?;
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

/// List the browsers that are signed in
#[utoipa::path(get, path = "/sessions", tag = "session", responses((status = 200, body = Vec<SessionView>)))]
async fn list_sessions(Extension(visitor): Extension<Visitor>) -> JsonAnswer<Vec<SessionView>> {
    let view = |(session, this): (StoredSession, bool)| SessionView {
        id: HEXLOWER.encode(&session.hash),
        browser: session.browser,
        opened_at: session.opened_at,
        used_at: session.used_at,
        this,
        from: session.from,
    };
    Ok(Json(visitor.sessions().into_iter().map(view).collect()))
}

/// Sign every other browser out, and make unused launch links useless
#[utoipa::path(delete, path = "/sessions", tag = "session", responses((status = 204, description = "Signed out")))]
async fn end_other_sessions(Extension(visitor): Extension<Visitor>) -> Answer<StatusCode> {
    visitor.end_others().await;
    Ok(StatusCode::NO_CONTENT)
}

/// Sign one browser out
#[utoipa::path(
    delete, path = "/sessions/{id}", tag = "session", params(("id" = String, Path, description = "Id of the session, hex")),
    responses((status = 204, description = "Signed out"))
)]
async fn end_session(Extension(visitor): Extension<Visitor>, Path(id): Path<String>) -> Answer<StatusCode> {
    let hash = HEXLOWER.decode(id.as_bytes()).ok().and_then(|hash| hash.try_into().ok());
    match hash {
        Some(hash) if visitor.end(hash).await => Ok(StatusCode::NO_CONTENT),
        _ => Err(Problem::new(
            StatusCode::NOT_FOUND,
            "not-found",
            "No browser is signed in under this id; it may have signed out meanwhile",
        )),
    }
}

/// Make a launch link; only on the unix socket
#[utoipa::path(post, path = "/session/launch-links", tag = "session", responses((status = 200, body = LaunchLinkView)))]
async fn make_launch_link(State(guards): State<Guards>) -> JsonAnswer<LaunchLinkView> {
    let url = guards.launch_link().map_err(internal)?;
    Ok(Json(LaunchLinkView { url, fingerprint: None }))
}

fn with_cookie(cookie: &str) -> Answer<Response> {
    let value = HeaderValue::from_str(cookie).map_err(internal)?;
    Ok((StatusCode::NO_CONTENT, [(SET_COOKIE, value)]).into_response())
}

fn internal(error: impl std::fmt::Display) -> Problem {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", error.to_string())
}
