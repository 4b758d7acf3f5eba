//! The dashboard in the network: how it is reached, the password, and signing in with it. These answer whether the vault is locked or not.

use std::net::{IpAddr, Ipv4Addr};

use axum::extract::{ConnectInfo, DefaultBodyLimit, Extension, State};
use axum::http::header::{RETRY_AFTER, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Json, middleware};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use zeroize::Zeroizing;

use super::super::edge::{Edge, Way};
use super::super::entrance::Caller;
use super::super::guard::{Guards, Tried, Visitor, only_signed_in};
use super::super::limits::SIGN_IN_BYTES;
use super::session::{LaunchLinkView, from};
use super::vault::Typed;
use super::{Answer, JsonAnswer, Problem};
use crate::clock::now_ms;
use crate::vault::password::{PasswordError, PasswordFile};

/// How a browser signs in here.
#[derive(Serialize, ToSchema)]
pub(crate) struct SignInView {
    /// Whether it asks over the network.
    over_network: bool,
    /// Whether a password signs in.
    password: bool,
}

/// The password that signs in over the network.
#[derive(Deserialize, ToSchema)]
pub(crate) struct PasswordBody {
    /// As it is typed.
    #[schema(value_type = String)]
    password: Typed,
}

/// A change of the password that signs in over the network.
#[derive(Deserialize, ToSchema)]
pub(crate) struct ChangePasswordBody {
    /// The new one, of ten characters or more; none any more when absent.
    #[schema(value_type = Option<String>)]
    password: Option<Typed>,
    /// The present one, where there is one. The command line need not know it.
    #[schema(value_type = Option<String>)]
    current: Option<Typed>,
}

/// The dashboard in the network.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct LanView {
    /// Whether it is reached there, which is chosen when the daemon is started.
    pub on: bool,
    /// Addresses for a browser, the likeliest first.
    pub addresses: Vec<String>,
    /// The certificate that browsers get to see; nothing while it is off.
    pub certificate: Option<CertificateView>,
    /// Whether there is a password, without which only a launch link signs in.
    pub has_password: bool,
    /// Whether the browser that asks does so over the network.
    pub over_network: bool,
}

/// A certificate.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct CertificateView {
    /// Whether this node made it for itself: no browser knows it, and the owner has to compare its fingerprint.
    pub own: bool,
    /// Its SHA-256, in pairs of hex digits.
    pub fingerprint: String,
    /// Names that it is for.
    pub hosts: Vec<String>,
    /// Its end, Unix milliseconds. The node's own is made anew before that.
    pub until: u64,
    /// Whether the owner has to renew it soon.
    pub ends_soon: bool,
    /// Why what lies in its place now cannot be used, while the one from before is.
    pub problem: Option<String>,
}

/// For browsers that are not signed in yet.
pub(in super::super) fn sign_in_routes(way: Way) -> OpenApiRouter<Edge> {
    OpenApiRouter::default()
        .routes(routes!(sign_in_view))
        .routes(routes!(sign_in_by_password))
        .layer(DefaultBodyLimit::max(SIGN_IN_BYTES))
        .layer(Extension(way))
}

/// For browsers that are.
pub(in super::super) fn routes(guards: &Guards, way: Way) -> OpenApiRouter<Edge> {
    let signed_in = middleware::from_fn_with_state(guards.clone(), only_signed_in);
    shared().layer(signed_in).layer(Extension(way))
}

/// For the unix socket.
pub(in super::super) fn socket_routes() -> OpenApiRouter<Edge> {
    shared().layer(Extension(Way::Control)).merge(socket_only_routes())
}

/// What the unix socket alone has.
pub(in super::super) fn socket_only_routes() -> OpenApiRouter<Edge> {
    OpenApiRouter::default().routes(routes!(make_lan_launch_link))
}

fn shared() -> OpenApiRouter<Edge> {
    OpenApiRouter::default()
        .routes(routes!(get_lan))
        .routes(routes!(change_lan_password))
        .layer(DefaultBodyLimit::max(SIGN_IN_BYTES))
}

/// How a browser signs in here
#[utoipa::path(get, path = "/session/ways", tag = "session", responses((status = 200, body = SignInView)))]
async fn sign_in_view(State(edge): State<Edge>, Extension(way): Extension<Way>) -> Json<SignInView> {
    let over_network = matches!(way, Way::Network);
    // On this device nobody needs to know.
    let password = over_network && is_set(edge.password()).await;
    Json(SignInView { over_network, password })
}

/// Sign in over the network with the password
#[utoipa::path(
    post, path = "/session/password", tag = "session", request_body = PasswordBody,
    responses((status = 204, description = "Signed in; sets the session cookie"))
)]
async fn sign_in_by_password(
    State(edge): State<Edge>,
    Extension(way): Extension<Way>,
    caller: Option<Extension<ConnectInfo<Caller>>>,
    headers: HeaderMap,
    Json(body): Json<PasswordBody>,
) -> Answer<Response> {
    let (Way::Network, Some(caller)) = (way, from(caller)) else {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "not-over-network",
            "The password signs in over the network only; on this machine run `inframe open` and open the link that it prints",
        ));
    };
    if !is_set(edge.password()).await {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "no-password",
            "There is no password yet: run `inframe password set` or `inframe open --lan` on the machine of the daemon",
        ));
    }
    if let Some(refused) = tried(&edge, body.password.0, caller).await? {
        return Ok(refused);
    }
    let cookie = edge.guards.open_session(&headers, Some(caller)).await.map_err(internal)?;
    let value = HeaderValue::from_str(&cookie).map_err(internal)?;
    Ok((StatusCode::NO_CONTENT, [(SET_COOKIE, value)]).into_response())
}

/// How the dashboard is reached over the network
#[utoipa::path(get, path = "/lan", tag = "session", responses((status = 200, body = LanView)))]
async fn get_lan(State(edge): State<Edge>, Extension(way): Extension<Way>) -> JsonAnswer<LanView> {
    Ok(Json(view(&edge, way).await))
}

/// Set, change or remove the password that signs in over the network; other browsers are signed out where there was one
#[utoipa::path(
    put, path = "/lan/password", tag = "session", request_body = ChangePasswordBody,
    responses((status = 200, body = LanView))
)]
async fn change_lan_password(
    State(edge): State<Edge>,
    Extension(way): Extension<Way>,
    caller: Option<Extension<ConnectInfo<Caller>>>,
    visitor: Option<Extension<Visitor>>,
    Json(body): Json<ChangePasswordBody>,
) -> Answer<Response> {
    let had = is_set(edge.password()).await;
    if had && way.is_browser() {
        let Some(current) = body.current else {
            return Err(Problem::invalid("wrong-password", "give the present password as well"));
        };
        let caller = from(caller).unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        if let Some(refused) = tried(&edge, current.0, caller).await? {
            return Ok(refused);
        }
    }
    let (file, sets) = (edge.password(), body.password.is_some());
    let changed = tokio::task::spawn_blocking(move || match body.password {
        Some(password) => file.set(&password.0),
        None => file.remove().map(drop),
    });
    changed.await.map_err(internal)?.map_err(problem)?;
    if had {
        edge.guards.end_others(visitor.map(|Extension(visitor)| visitor)).await;
    }
    let what = match (had, sets) {
        (false, true) => "A password for this dashboard was set",
        (true, true) => "The password for this dashboard was changed",
        (true, false) => "The password for this dashboard was removed",
        (false, false) => return Ok(Json(view(&edge, way).await).into_response()),
    };
    edge.guards.tell(format!("{what}; it signs in over the network.")).await;
    Ok(Json(view(&edge, way).await).into_response())
}

/// Make a launch link for a browser in the network; exists on the unix socket only
#[utoipa::path(post, path = "/lan/launch-links", tag = "session", responses((status = 200, body = LaunchLinkView)))]
async fn make_lan_launch_link(State(edge): State<Edge>) -> JsonAnswer<LaunchLinkView> {
    let Some(access) = edge.lan() else {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "lan-off",
            "The dashboard is not reached over the network: start the daemon with --lan 0.0.0.0:7414, or set INFRAME_LAN",
        ));
    };
    let url = edge.guards.launch_link_at(&access.origin()).map_err(internal)?;
    let certificate = access.certificate();
    Ok(Json(LaunchLinkView { url, fingerprint: certificate.own.then_some(certificate.parsed.fingerprint) }))
}

async fn view(edge: &Edge, way: Way) -> LanView {
    let lan = edge.lan();
    let certificate = lan.map(|lan| lan.certificate()).map(|shown| CertificateView {
        own: shown.own,
        ends_soon: !shown.own && shown.parsed.ends_soon(now_ms()),
        hosts: shown.parsed.hosts,
        until: shown.parsed.until,
        fingerprint: shown.parsed.fingerprint,
        problem: shown.problem,
    });
    LanView {
        on: lan.is_some(),
        addresses: lan.map(|lan| lan.origins()).unwrap_or_default(),
        certificate,
        has_password: is_set(edge.password()).await,
        over_network: matches!(way, Way::Network),
    }
}

async fn is_set(file: PasswordFile) -> bool {
    tokio::task::spawn_blocking(move || file.is_set()).await.unwrap_or(false)
}

/// Looks at a password; what there is to say when it is not the right one.
async fn tried(edge: &Edge, password: Zeroizing<String>, caller: IpAddr) -> Answer<Option<Response>> {
    match edge.guards.try_password(edge.password(), password, caller).await.map_err(problem)? {
        Tried::Right => Ok(None),
        Tried::Wrong => {
            Err(Problem::new(StatusCode::FORBIDDEN, "wrong-password", "That is not the password; look at the keyboard"))
        }
        Tried::Wait(wait) => {
            let seconds = wait.as_secs() + 1;
            let detail = format!("Too many wrong passwords: wait {seconds} s and try again");
            let mut answer = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many-tries", detail).into_response();
            answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
            Ok(Some(answer))
        }
    }
}

fn problem(error: PasswordError) -> Problem {
    match error {
        PasswordError::Short | PasswordError::Long => Problem::invalid("bad-password", error.to_string()),
        error => internal(error),
    }
}

fn internal(error: impl std::fmt::Display) -> Problem {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", error.to_string())
}
