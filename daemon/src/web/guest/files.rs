//! The guest page's own files, embedded in the binary.

use std::borrow::Cow;

use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;

use super::super::pages;

#[derive(RustEmbed)]
#[folder = "../webui/dist/guest"]
#[allow_missing = true]
struct Dist;

const NOT_BUILT: &str =
    "<!doctype html><meta charset=utf-8><title>Inframe</title><h1>The guest page is not built in</h1>";

fn found(name: &str) -> Option<Cow<'static, [u8]>> {
    Dist::get(name).map(|file| file.data)
}

/// The page.
pub(super) fn page(headers: &HeaderMap) -> Response {
    let not_built = || (StatusCode::SERVICE_UNAVAILABLE, [(CONTENT_TYPE, "text/html; charset=utf-8")], NOT_BUILT);
    pages::file("index.html", headers, found).unwrap_or_else(|| not_built().into_response())
}

/// One of its scripts and styles.
pub(super) async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Response {
    // Hashed names of one folder, and nothing else.
    pages::file(&format!("assets/{name}"), &headers, found).unwrap_or_else(nothing)
}

/// What is answered wherever there is nothing: an address that was never one, a page that is off, and somebody else's photo look alike.
pub(super) fn nothing() -> Response {
    let page = "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\"><title>Nothing here</title>\
         <h1>There is nothing here</h1><p>The page may be switched off, or the link is not whole. Scan the code once more, or ask the host.</p>";
    let headers = [(CONTENT_TYPE, "text/html; charset=utf-8"), (CACHE_CONTROL, "no-store")];
    (StatusCode::NOT_FOUND, headers, page).into_response()
}
