//! Large bodies: how many at once, how large, and a clear answer when one is too large.

use std::future::Future;
use std::io;
use std::sync::LazyLock;

use axum::body::{Body, BodyDataStream, Bytes};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::CONTENT_LENGTH;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::BytesMut;
use futures::StreamExt;
use tokio::sync::{Semaphore, mpsc};

use super::limits::{DISCARDED_BYTES, UPLOAD_BYTES, UPLOADS_AT_ONCE, VIDEO_PIECES};
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

/// Lets files of any kind through, a few at a time; what they are is seen by their first bytes.
pub(super) async fn of_files(request: Request, next: Next) -> Response {
    let Ok(_place) = PLACES.acquire().await else {
        return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "closing", "The daemon is stopping").into_response();
    };
    next.run(request).await
}

/// An uploaded file whose first bytes were looked at.
pub(super) struct Upload {
    first: BytesMut,
    rest: BodyDataStream,
}

impl Upload {
    /// Reads the first bytes, `least` of them if there are so many.
    pub(super) async fn open(body: Body, least: usize) -> Result<Self, Problem> {
        let (mut first, mut rest) = (BytesMut::new(), body.into_data_stream());
        while first.len() < least {
            let Some(piece) = rest.next().await else { break };
            first.extend_from_slice(&piece.map_err(|_| cut())?);
        }
        Ok(Self { first, rest })
    }

    /// The bytes read so far.
    pub(super) fn first(&self) -> &[u8] {
        &self.first
    }

    /// All of it, if it has at most `UPLOAD_BYTES`; otherwise itself again, to be read as a pipe.
    pub(super) async fn whole(mut self) -> Result<Result<Bytes, Self>, Problem> {
        while self.first.len() <= UPLOAD_BYTES {
            let Some(piece) = self.rest.next().await else { return Ok(Ok(self.first.freeze())) };
            self.first.extend_from_slice(&piece.map_err(|_| cut())?);
        }
        Ok(Err(self))
    }

    /// Two ends of a pipe: one to be read on a blocking thread, and the work of filling it, to be done meanwhile.
    pub(super) fn pipe(self) -> (Pieces, impl Future<Output = ()>) {
        let (sender, receiver) = mpsc::channel(VIDEO_PIECES);
        let pieces = Pieces { now: self.first.freeze(), rest: receiver };
        let mut body = self.rest;
        let fill = async move {
            while let Some(piece) = body.next().await {
                if sender.send(piece.map_err(io::Error::other)).await.is_err() {
                    // Refused early; the browser still has to see the answer.
                    return read_away(body).await;
                }
            }
            // Only the end of the body says so: a connection that is lost drops this work before.
            let _ = sender.send(Ok(Bytes::new())).await;
        };
        (pieces, fill)
    }
}

fn cut() -> Problem {
    Problem::invalid("cut-short", "The upload was broken off; send the file again")
}

/// A body as it comes, for a blocking thread.
pub(super) struct Pieces {
    now: Bytes,
    rest: mpsc::Receiver<io::Result<Bytes>>,
}

impl io::Read for Pieces {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.now.is_empty() {
            self.now = self.rest.blocking_recv().ok_or(io::ErrorKind::UnexpectedEof)??;
            if self.now.is_empty() {
                // So that another read ends the same way.
                self.rest.close();
                return Ok(0);
            }
        }
        let count = self.now.len().min(out.len());
        let piece = self.now.split_to(count);
        out.iter_mut().zip(&piece).for_each(|(to, from)| *to = *from);
        Ok(count)
    }
}

/// Reads a body away. A connection closed with unread bytes is reset, and the sender would see that instead of the answer.
async fn discard(request: Request) {
    read_away(request.into_body().into_data_stream()).await;
}

async fn read_away(mut body: BodyDataStream) {
    let mut read = 0_u64;
    while let Some(Ok(piece)) = body.next().await {
        read = read.saturating_add(piece.len() as u64);
        if read > DISCARDED_BYTES {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn body(pieces: Vec<io::Result<Bytes>>) -> Body {
        Body::from_stream(futures::stream::iter(pieces))
    }

    async fn read(upload: Upload) -> io::Result<Vec<u8>> {
        let (mut pieces, fill) = upload.pipe();
        let reading = tokio::task::spawn_blocking(move || {
            let mut out = Vec::new();
            pieces.read_to_end(&mut out).map(|_| out)
        });
        fill.await;
        reading.await.unwrap()
    }

    #[tokio::test]
    async fn an_upload_is_read_from_its_first_byte_to_its_last() {
        let pieces = || (0..20u8).map(|n| Ok(Bytes::from(vec![n; 100]))).collect();
        let expected: Vec<u8> = (0..20u8).flat_map(|n| vec![n; 100]).collect();
        let upload = Upload::open(body(pieces()), 150).await.ok().unwrap();
        assert_eq!(upload.first(), &expected[..200]);
        assert_eq!(read(upload).await.unwrap(), expected);
        let upload = Upload::open(body(pieces()), 9999).await.ok().unwrap();
        assert_eq!(upload.whole().await.ok().unwrap().ok().unwrap(), expected);
    }

    #[tokio::test]
    async fn an_upload_too_large_for_memory_is_read_from_its_first_byte_to_its_last() {
        let piece = Bytes::from(vec![7; 1 << 20]);
        let pieces = (0..=UPLOAD_BYTES >> 20).map(|_| Ok(piece.clone())).collect();
        let upload = Upload::open(body(pieces), 3).await.ok().unwrap();
        let larger = upload.whole().await.ok().unwrap().err().unwrap();
        assert_eq!(read(larger).await.unwrap().len(), UPLOAD_BYTES + piece.len());
    }

    #[tokio::test]
    async fn d1_an_upload_that_breaks_off_is_never_taken_for_a_whole_one() {
        let broken = vec![Ok(Bytes::from_static(b"begin")), Err(io::ErrorKind::ConnectionReset.into())];
        let upload = Upload::open(body(broken), 3).await.ok().unwrap();
        assert!(read(upload).await.is_err());
        // The connection is lost: the work of filling is dropped.
        let upload = Upload::open(body(vec![Ok(Bytes::from_static(b"begin"))]), 3).await.ok().unwrap();
        let (mut pieces, fill) = upload.pipe();
        drop(fill);
        let mut out = Vec::new();
        let ended = tokio::task::spawn_blocking(move || pieces.read_to_end(&mut out)).await.unwrap();
        assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
