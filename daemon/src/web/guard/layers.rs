//! The guards as layers around the routes, outermost first: response headers, host names, origins, sessions.

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, ORIGIN, REFERRER_POLICY, UPGRADE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tower_http::csrf::{CsrfLayer, ProtectionError};

use super::super::entrance::Caller;
use super::super::problem::Problem;
use super::Guards;
use super::host::HostList;

/// What pages of the dashboard may load and do.
pub const PAGE_POLICY: &str = "default-src 'none'; img-src 'self' blob:; media-src 'self'; script-src 'self'; style-src 'self'; font-src 'self'; connect-src 'self'; \
     frame-ancestors 'none'; base-uri 'none'; form-action 'self'; require-trusted-types-for 'script'";

/// Answers of the API are no pages: they load and do nothing.
const ANSWER_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Puts every guard but the session check around a whole router.
pub(crate) fn guarded(router: Router, guards: &Guards) -> Router {
    router
        .layer(CsrfLayer::new().with_rejection_response(cross_origin_write))
        .layer(from_fn_with_state(guards.clone(), only_this_origin))
        .layer(from_fn_with_state(guards.clone(), only_known_hosts))
        .layer(from_fn(with_safe_headers))
}

/// Lets through requests with a good session cookie.
pub(crate) async fn only_signed_in(State(guards): State<Guards>, mut request: Request, next: Next) -> Response {
    match guards.visitor(request.headers()).await {
        Some(visitor) => {
            request.extensions_mut().insert(visitor);
            next.run(request).await
        }
        None => guards.not_signed_in().into_response(),
    }
}

impl Guards {
    pub(crate) fn not_signed_in(&self) -> Problem {
        let detail = if self.of_network() {
            "This browser is not signed in; sign in with the password, or run `inframe open --lan` on the machine of the daemon and open the link that it prints"
        } else {
            "This browser is not signed in; run `inframe open` on the machine of the daemon and open the link that it prints"
        };
        Problem::new(StatusCode::UNAUTHORIZED, "not-signed-in", detail)
    }
}

async fn only_known_hosts(State(guards): State<Guards>, request: Request, next: Next) -> Response {
    let caller = request.extensions().get::<ConnectInfo<Caller>>();
    let called = caller.and_then(|ConnectInfo(caller)| caller.called);
    if guards.front.hosts.admits(request.headers(), request.uri(), called) {
        return next.run(request).await;
    }
    Problem::new(
        StatusCode::MISDIRECTED_REQUEST,
        "wrong-host",
        "The dashboard does not answer to this name; use the address that `inframe open` prints, or add the name with --host",
    )
    .into_response()
}

/// The API is for this dashboard's own pages: no other site, and no other port of this machine, may read or embed its answers.
async fn only_this_origin(State(guards): State<Guards>, request: Request, next: Next) -> Response {
    if !request.uri().path().starts_with("/api") {
        return next.run(request).await;
    }
    let headers = request.headers();
    let foreign = headers.get(SEC_FETCH_SITE).is_some_and(|site| site != "same-origin" && site != "none");
    let origin = headers.get(ORIGIN).map(|origin| origin.to_str().unwrap_or_default());
    let own = origin.is_some_and(|origin| HostList::same_origin(headers, origin, guards.of_network()));
    // Browsers always name the origin of a WebSocket, and no other rule of theirs holds for it. In the network a page of this very name that is not encrypted
    // is somebody else's, which old browsers tell by nothing else.
    let foreign_origin = !own && (headers.contains_key(UPGRADE) || (guards.of_network() && origin.is_some()));
    if foreign || foreign_origin {
        return cross_origin().into_response();
    }
    next.run(request).await
}

fn cross_origin_write(_error: ProtectionError) -> Response {
    cross_origin().into_response()
}

fn cross_origin() -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "cross-origin", "Only the dashboard's own pages may use its API")
}

async fn with_safe_headers(request: Request, next: Next) -> Response {
    let of_api = request.uri().path().starts_with("/api");
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let policy = if of_api { ANSWER_POLICY } else { PAGE_POLICY };
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    // D3: the browser's disk cache is outside the vault, so nothing of the library may enter it.
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
