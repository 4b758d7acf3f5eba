//! Large bodies: how many at once, how large, and a clear answer when one is too large.

use std::sync::LazyLock;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::CONTENT_LENGTH;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use tokio::sync::Semaphore;

use super::limits::{DISCARDED_BYTES, UPLOAD_BYTES, UPLOADS_AT_ONCE};
use super::problem::Problem;

/// One for the process: the bound is on memory, which all ways in share.
static PLACES: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(UPLOADS_AT_ONCE));

/// Lets pictures through, a few at a time; the framework's own limit guards those that do not say their length.
pub(super) async fn of_pictures(request: Request, next: Next) -> Response {
    let length = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > UPLOAD_BYTES as u64) {
        discard(request).await;
        return Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "A file may have at most 64 MiB")
            .into_response();
    }
    let Ok(_place) = PLACES.acquire().await else {
        return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "closing", "The daemon is stopping").into_response();
    };
    next.run(request).await
}

/// Reads a body away. A connection closed with unread bytes is reset, and the sender would see that instead of the answer.
async fn discard(request: Request) {
    let mut body = request.into_body().into_data_stream();
    let mut read = 0_u64;
    while let Some(Ok(piece)) = body.next().await {
        read = read.saturating_add(piece.len() as u64);
        if read > DISCARDED_BYTES {
            return;
        }
    }
}
