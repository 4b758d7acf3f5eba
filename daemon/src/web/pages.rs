//! The dashboard's own files, embedded in the binary: the page, its hashed assets and nothing else.

use std::borrow::Cow;

use axum::body::Body;
use axum::http::header::{ACCEPT_ENCODING, ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;

use super::problem::Problem;

#[derive(RustEmbed)]
#[folder = "../webui/dist"]
#[allow_missing = true]
struct Dist;

const NOT_BUILT: &str = "<!doctype html><meta charset=utf-8><title>Inframe</title><h1>The dashboard is not built in</h1>\
     <p>This binary was built before the dashboard. Run <code>make setup</code>, then build again. The API and the command line work.";

pub(super) type Lookup = fn(&str) -> Option<Cow<'static, [u8]>>;

/// Answers whatever is not the API.
pub(super) async fn fallback(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    page(&method, uri.path(), &headers, |path| Dist::get(path).map(|file| file.data))
}

fn page(method: &Method, path: &str, headers: &HeaderMap, lookup: Lookup) -> Response {
    if path == "/api" || path.starts_with("/api/") {
        return Problem::no_such_path().into_response();
    }
    if method != Method::GET && method != Method::HEAD {
        return (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "GET, HEAD")]).into_response();
    }
    let name = path.trim_start_matches('/');
    if !name.is_empty()
        && name != "index.html"
        && let Some(found) = file(name, headers, lookup)
    {
        return found;
    }
    // A page asks for files by name; only addresses without a dot are places within the page. A missing file that came as the page
    // would leave the browser with a script that is HTML and no error to see.
    let is_place = !name.starts_with("assets/") && !name.rsplit('/').next().unwrap_or_default().contains('.');
    if !(is_place || name == "index.html") {
        return (StatusCode::NOT_FOUND, "not found").into_response();
    }
    file("index.html", headers, lookup).unwrap_or_else(not_built)
}

pub(super) fn file(name: &str, headers: &HeaderMap, lookup: Lookup) -> Option<Response> {
    if name.ends_with(".gz") {
        return None;
    }
    let packed = takes_gzip(headers).then(|| lookup(&format!("{name}.gz"))).flatten();
    let is_packed = packed.is_some();
    let data = packed.or_else(|| lookup(name))?;
    let length = data.len();
    let mut response = Response::new(Body::from(data.into_owned()));
    let answer = response.headers_mut();
    answer.insert(CONTENT_TYPE, HeaderValue::from_static(media_type(name)));
    answer.insert(CONTENT_LENGTH, length.into());
    answer.insert(VARY, HeaderValue::from_static("accept-encoding"));
    if is_packed {
        answer.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    let cache = if name.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    answer.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    Some(response)
}

fn takes_gzip(headers: &HeaderMap) -> bool {
    let codings = headers.get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    codings.split(',').any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, "q=1"));
        name.trim() == "gzip" && !matches!(weight.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000")
    })
}

fn not_built() -> Response {
    let headers = [(CONTENT_TYPE, "text/html; charset=utf-8"), (CACHE_CONTROL, "no-cache")];
    (StatusCode::SERVICE_UNAVAILABLE, headers, NOT_BUILT).into_response()
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;

    use super::*;

    fn built(path: &str) -> Option<Cow<'static, [u8]>> {
        match path {
            "index.html" => Some(Cow::Borrowed(b"<!doctype html>the page")),
            "assets/app-1a2b.js" => Some(Cow::Borrowed(b"plain script")),
            "assets/app-1a2b.js.gz" => Some(Cow::Borrowed(b"packed script")),
            "favicon.svg" => Some(Cow::Borrowed(b"<svg/>")),
            _ => None,
        }
    }

    async fn get(path: &str, lookup: Lookup, encoding: &'static str) -> (u16, HeaderMap, String) {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(encoding));
        let (parts, body) = page(&Method::GET, path, &headers, lookup).into_parts();
        let body = String::from_utf8(to_bytes(body, 10_000).await.unwrap().to_vec()).unwrap();
        (parts.status.as_u16(), parts.headers, body)
    }

    #[tokio::test]
    async fn every_place_is_the_page_and_is_asked_for_anew() {
        for path in ["/", "/index.html", "/events", "/events/ab12/invites"] {
            let (status, headers, body) = get(path, built, "").await;
            assert_eq!((status, body.as_str()), (200, "<!doctype html>the page"), "{path}");
            assert_eq!(headers[CACHE_CONTROL], "no-cache");
            assert_eq!(headers[CONTENT_TYPE], "text/html; charset=utf-8");
        }
    }

    #[tokio::test]
    async fn a_missing_file_is_never_the_page() {
        for path in
            ["/assets/gone-9z.js", "/assets/gone", "/assets/", "/robots.txt", "/assets/../index.html", "/a/b.js"]
        {
            let (status, _, body) = get(path, built, "").await;
            assert_eq!(status, 404, "{path}");
            assert!(!body.contains("html"), "{path}");
        }
        let (status, headers, _) = get("/api/nothing", built, "").await;
        assert_eq!(status, 404);
        assert_eq!(headers[CONTENT_TYPE], "application/problem+json");
    }

    #[tokio::test]
    async fn hashed_assets_are_kept_for_good_and_come_packed_to_those_who_take_it() {
        let (_, headers, body) = get("/assets/app-1a2b.js", built, "br, gzip").await;
        assert_eq!(body, "packed script");
        assert_eq!(headers[CONTENT_ENCODING], "gzip");
        assert_eq!(headers[CACHE_CONTROL], "public, max-age=31536000, immutable");
        assert_eq!(headers[CONTENT_TYPE], "text/javascript; charset=utf-8");
        let (_, headers, body) = get("/assets/app-1a2b.js", built, "gzip;q=0").await;
        assert_eq!(body, "plain script");
        assert!(!headers.contains_key(CONTENT_ENCODING));
        let (status, ..) = get("/assets/app-1a2b.js.gz", built, "gzip").await;
        assert_eq!(status, 404);
    }

    #[tokio::test]
    async fn without_a_built_dashboard_a_page_says_what_to_do() {
        let (status, _, body) = get("/", |_| None, "").await;
        assert_eq!(status, 503);
        assert!(body.contains("make setup"));
    }

    #[test]
    fn pages_are_only_read() {
        let response = page(&Method::POST, "/", &HeaderMap::new(), built);
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    }
}
