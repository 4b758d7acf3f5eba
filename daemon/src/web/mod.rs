//! The local web edge: one set of API routes with three ways in, and the dashboard's files.
//!
//! | way in | guard |
//! |---|---|
//! | TCP on loopback, for browsers on this device | host names, launch link, session cookie, same origin ([`guard`]) |
//! | TCP in the network, if the owner wants it, with TLS (`lan`) | the same, and a password; who is not signed in sees the sign-in page and nothing else |
//! | unix socket in the data folder, for the command line | the file's mode, 0600 |
//!
//! Guests at an event have a port, routes and guards of their own (`guest`).
//!
//! Handlers do no work: each hands one wish to the [`Node`] and dresses the answer. Errors are problem+json ([`problem`]).

mod api;
mod download;
mod edge;
mod elsewhere;
mod entrance;
pub mod guard;
mod guest;
mod intake;
mod lan;
mod limits;
mod pages;
pub mod problem;
mod serve;

pub use self::api::lan::{CertificateView, LanView};
pub use self::api::session::LaunchLinkView;
pub use self::api::vault::{RecoveryWordsView, VaultView, WayView};
pub use self::api::whole::{ERASE_WORDS, FoundBackupView};
pub use self::guard::{Clock, Guards, NoRandomness, SessionStore, StoredSession};
pub use self::guest::serve_guests;
pub use self::lan::{Lan, LanAccess, bind_lan, keep_certificates, own_names};
pub use self::serve::{BindError, bind_dashboard, bind_socket, serve};

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use axum::{Extension, Json, Router};
use utoipa::OpenApi;
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::path::Operation;
use utoipa::openapi::{RefOr, ResponseBuilder};
use utoipa_axum::router::OpenApiRouter;

use self::api::live::LiveRoom;
use self::edge::{Edge, Way};
use self::guard::{guarded, only_signed_in};
use self::problem::{PROBLEM_JSON, Problem, as_problems};
use crate::node::Node;
use crate::views::{LiveView, ProblemView};

/// Where the API lives.
pub const API_ROOT: &str = "/api/v1";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Inframe",
        description = "The API of an Inframe node, for its dashboard and its command line. Ids are lowercase hex strings, times are Unix \
                       milliseconds, boxes are fractions of the upright image.",
        license(name = "MIT OR Apache-2.0")
    ),
    components(schemas(LiveView, ProblemView))
)]
struct Description;

/// The API as an OpenAPI document, made from the routes themselves.
pub fn openapi() -> utoipa::openapi::OpenApi {
    // The routes of both ways in; where they listen does not show in the document.
    let guards = Guards::new(([127, 0, 0, 1], 7410).into(), &[]);
    let routes: OpenApiRouter<Node> = api::routes()
        .merge(api::session::routes(&guards).with_state(guards.clone()))
        .merge(api::session::socket_routes().with_state(guards.clone()));
    let routes = OpenApiRouter::with_openapi(Description::openapi()).nest(API_ROOT, routes);
    let edge = api::vault::routes(&guards, Way::Dashboard)
        .merge(api::whole::routes(&guards))
        .merge(api::lan::sign_in_routes(Way::Dashboard))
        .merge(api::lan::routes(&guards, Way::Dashboard))
        .merge(api::lan::socket_only_routes());
    let mut document = routes.into_openapi().nest(API_ROOT, edge.into_openapi());
    for item in document.paths.paths.values_mut() {
        let operations =
            [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete].into_iter().flatten();
        operations.for_each(may_fail);
    }
    document
}

/// Every operation may be answered with a problem.
fn may_fail(operation: &mut Operation) {
    let problem = utoipa::openapi::Ref::from_schema_name("ProblemView");
    let content = ContentBuilder::new().schema(Some(problem)).build();
    let response = ResponseBuilder::new().description("What went wrong and what to do").content(PROBLEM_JSON, content);
    operation.responses.responses.insert("default".into(), RefOr::T(response.build()));
}

/// What browsers reach of a node.
fn dashboard(node: Node, guards: &Guards, room: LiveRoom) -> Router {
    let (routes, _) = api::routes().with_state(node).split_for_parts();
    let signed_in = routes.fallback(no_such_path).layer(from_fn_with_state(guards.clone(), only_signed_in));
    with_shape(signed_in, room)
}

/// What the command line reaches of a node.
fn control(node: Node, room: LiveRoom) -> Router {
    let (routes, _) = api::routes().with_state(node).split_for_parts();
    with_shape(routes.fallback(no_such_path), room)
}

/// What browsers reach by this way, whether there is a node or not.
fn dashboard_edge(edge: Edge, way: Way) -> Router {
    let guards = edge.guards.clone();
    let signed_in = || from_fn_with_state(guards.clone(), only_signed_in);
    let (session, _) = api::session::routes(&guards).with_state(guards.clone()).split_for_parts();
    let (sign_in, _) = api::lan::sign_in_routes(way).with_state(edge.clone()).split_for_parts();
    let vault = api::vault::routes(&guards, way).merge(api::whole::routes(&guards));
    let (vault, _) = vault.merge(api::lan::routes(&guards, way)).with_state(edge.clone()).split_for_parts();
    let mut behind = vault
        .route("/openapi.json", get(serve_openapi).layer(signed_in()))
        .fallback_service(to_the_node(edge.clone(), way));
    if matches!(way, Way::Network) {
        // On this device others see whether the vault is locked, and unlock it with what they know; in the network they see nothing.
        behind = behind.layer(signed_in());
    }
    let wake = from_fn_with_state(edge, Edge::wake);
    let api = session.merge(sign_in).merge(behind).layer(wake).layer(from_fn(as_problems));
    guarded(Router::new().nest(API_ROOT, api).fallback(pages::fallback), &guards)
}

/// What the command line reaches, whether there is a node or not.
fn control_edge(edge: Edge) -> Router {
    let (links, _) = api::session::socket_routes().with_state(edge.guards.clone()).split_for_parts();
    let vault = api::vault::socket_routes().merge(api::whole::socket_routes()).merge(api::lan::socket_routes());
    let (vault, _) = vault.with_state(edge.clone()).split_for_parts();
    let api = links
        .merge(vault)
        .route("/session", get(|| async { StatusCode::NO_CONTENT }))
        .route("/openapi.json", get(serve_openapi))
        .fallback_service(to_the_node(edge.clone(), Way::Control))
        .layer(from_fn_with_state(edge, Edge::wake))
        .layer(from_fn(as_problems));
    Router::new().nest(API_ROOT, api).fallback(no_such_path)
}

/// Everything else is the node's to answer.
fn to_the_node(edge: Edge, way: Way) -> Router {
    let forward = move |State(edge): State<Edge>, request: Request| edge.forward(way, request);
    Router::new().fallback(forward).with_state(edge)
}

/// What both ways in have around a node's routes.
fn with_shape(api: Router, room: LiveRoom) -> Router {
    api.layer(Extension(room)).layer(from_fn(as_problems))
}

async fn serve_openapi() -> Json<utoipa::openapi::OpenApi> {
    Json(openapi())
}

async fn no_such_path() -> Problem {
    Problem::no_such_path()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_dashboards_copy_of_the_api_document_is_current() {
        let kept = include_str!("../../../webui/openapi.json");
        let now = super::openapi().to_pretty_json().unwrap();
        assert!(
            kept.trim() == now.trim(),
            "run `inframe openapi > webui/openapi.json`, then `npm run types` in webui, and commit both"
        );
    }
}
