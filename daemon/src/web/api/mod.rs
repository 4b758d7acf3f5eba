//! Every address of the API as a thin handler: take the wish apart, hand it to the node, dress the answer.

mod asset;
mod backup;
mod doctor;
mod event;
mod exchange;
mod export;
mod guests;
mod import;
pub(super) mod lan;
pub(super) mod live;
mod models;
mod notices;
mod people;
mod privacy;
mod profile;
mod quarantine;
pub(super) mod session;
mod status;
mod timeline;
mod trash;
pub(super) mod vault;
mod verify;
pub(super) mod whole;

use axum::Json;
use axum::extract::DefaultBodyLimit;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use utoipa_axum::router::OpenApiRouter;

use super::limits::JSON_BYTES;
use super::problem::Problem;
use crate::node::{Node, Picture};

type Answer<T> = Result<T, Problem>;
type JsonAnswer<T> = Answer<Json<T>>;

/// All addresses that both ways in share.
pub(super) fn routes() -> OpenApiRouter<Node> {
    OpenApiRouter::default()
        .merge(status::routes())
        .merge(import::routes())
        .merge(timeline::routes())
        .merge(asset::routes())
        .merge(backup::routes())
        .merge(doctor::routes())
        .merge(models::routes())
        .merge(profile::routes())
        .merge(people::routes())
        .merge(notices::routes())
        .merge(privacy::routes())
        .merge(quarantine::routes())
        .merge(trash::routes())
        .merge(verify::routes())
        .merge(event::routes())
        .merge(exchange::routes())
        .merge(guests::routes())
        .merge(export::routes())
        .merge(live::routes())
        .layer(DefaultBodyLimit::max(JSON_BYTES))
}

/// A decrypted picture as an answer. Only kinds that no browser runs as a page are named; the cache stays out (D3).
fn picture(picture: Picture) -> Response {
    let media_type = match picture.media_type.as_str() {
        "image/jpeg" => "image/jpeg",
        "image/png" => "image/png",
        "image/webp" => "image/webp",
        _ => "application/octet-stream",
    };
    (StatusCode::OK, [(CONTENT_TYPE, HeaderValue::from_static(media_type))], picture.bytes).into_response()
}
