//! Downloads of originals: whole or one range, decrypted piece by piece, as an attachment, or as a video for a page.

use std::ops::Range;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::header::{
    ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_RANGE, RANGE,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use futures::{StreamExt as _, stream};

use super::limits::{ORIGINAL_PIECE_BYTES, ORIGINAL_PIECES_AHEAD};
use super::problem::Problem;
use crate::node::{NodeError, Original, ReadAt};

/// What a `Range` header asks of a file.
#[derive(Debug, PartialEq, Eq)]
enum Wish {
    Whole,
    Part(Range<u64>),
    Unsatisfiable,
}

/// Answers with an original. Blocking: its first piece is read here, so that a file that cannot be read is an error and not a short download, and
/// so that this piece waits for no other thread.
pub(super) fn answer(original: Original, headers: &HeaderMap) -> Result<Response, Problem> {
    let size = original.size_bytes;
    let tag = format!("\"{}\"", original.tag);
    let wish = match headers.get(IF_RANGE) {
        Some(known) if known.as_bytes() != tag.as_bytes() => Wish::Whole,
        _ => wish(headers.get(RANGE), size),
    };
    let (status, range) = match wish {
        Wish::Whole => (StatusCode::OK, 0..size),
        Wish::Part(range) => (StatusCode::PARTIAL_CONTENT, range),
        Wish::Unsatisfiable => {
            let problem = Problem::new(
                StatusCode::RANGE_NOT_SATISFIABLE,
                "no-such-range",
                format!("The file has {size} bytes; ask for a range within them"),
            );
            let mut response = problem.into_response();
            set(&mut response, CONTENT_RANGE, &format!("bytes */{size}"));
            return Ok(response);
        }
    };
    let stored = original.start.saturating_add(range.start)..original.start.saturating_add(range.end);
    let (part, rest) = first_part(&stored);
    let first = if part.is_empty() { None } else { Some(Ok(fill(&original.read_at, part)?)) };
    let body = Body::from_stream(stream::iter(first).chain(pieces(original.read_at, rest)));
    let mut response = (status, body).into_response();
    set(&mut response, CONTENT_TYPE, &original.media_type);
    set(&mut response, CONTENT_LENGTH, &range.end.saturating_sub(range.start).to_string());
    let disposition = if original.is_shown { "inline".to_owned() } else { disposition(&original.file_name) };
    set(&mut response, CONTENT_DISPOSITION, &disposition);
    set(&mut response, ACCEPT_RANGES, "bytes");
    set(&mut response, ETAG, &tag);
    if status == StatusCode::PARTIAL_CONTENT {
        set(&mut response, CONTENT_RANGE, &format!("bytes {}-{}/{size}", range.start, range.end.saturating_sub(1)));
    }
    Ok(response)
}

fn set(response: &mut Response, name: axum::http::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// A range cut behind its first piece, where stored pieces are cut too.
fn first_part(range: &Range<u64>) -> (Range<u64>, Range<u64>) {
    let end = (range.start / ORIGINAL_PIECE_BYTES + 1).saturating_mul(ORIGINAL_PIECE_BYTES).min(range.end);
    (range.start..end, end..range.end)
}

/// The pieces one after the other. While one is sent the next ones are decrypted, on as many cores; a slow reader holds them.
fn pieces(read_at: ReadAt, mut left: Range<u64>) -> impl futures::Stream<Item = Result<Bytes, NodeError>> + Send {
    let parts = std::iter::from_fn(move || {
        let (part, rest) = first_part(&left);
        left = rest;
        (!part.is_empty()).then_some(part)
    });
    let begin = move |part| {
        let read_at = Arc::clone(&read_at);
        let reading = tokio::task::spawn_blocking(move || fill(&read_at, part));
        async { reading.await.map_err(|_| NodeError::Internal("reading the file was broken off; try again".into()))? }
    };
    stream::iter(parts).map(begin).buffered(ORIGINAL_PIECES_AHEAD)
}

/// Reads all of a piece, which is most often one read without a copy.
fn fill(read_at: &ReadAt, part: Range<u64>) -> Result<Bytes, NodeError> {
    let wished = usize::try_from(part.end.saturating_sub(part.start)).unwrap_or(usize::MAX);
    let mut whole = Bytes::new();
    while whole.len() < wished {
        let left = wished.saturating_sub(whole.len());
        let bytes = read_at(part.start.saturating_add(whole.len() as u64), left)?;
        if bytes.is_empty() || bytes.len() > left {
            return Err(NodeError::Internal(
                "the stored file has not the length that it should have; see the status page".into(),
            ));
        }
        whole = if whole.is_empty() { bytes } else { [whole, bytes].concat().into() };
    }
    Ok(whole)
}

/// Reads a `Range` header (RFC 9110, section 14.2). What is not understood, and several ranges at once, is answered with the whole.
fn wish(header: Option<&HeaderValue>, size: u64) -> Wish {
    let Some(set) = header.and_then(|value| value.to_str().ok()?.strip_prefix("bytes=")) else {
        return Wish::Whole;
    };
    let Some((first, last)) = set.trim().split_once('-') else {
        return Wish::Whole;
    };
    let number = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<u64>().ok()).flatten();
    match (number(first), number(last)) {
        (None, Some(tail)) if first.is_empty() => match tail.min(size) {
            0 => Wish::Unsatisfiable,
            tail => Wish::Part(size.saturating_sub(tail)..size),
        },
        (Some(first), _) if last.is_empty() && first < size => Wish::Part(first..size),
        (Some(first), Some(last)) if last < first => Wish::Whole,
        (Some(first), Some(last)) if first < size => Wish::Part(first..last.saturating_add(1).min(size)),
        (Some(_), Some(_)) => Wish::Unsatisfiable,
        (Some(_), None) if last.is_empty() => Wish::Unsatisfiable,
        _ => Wish::Whole,
    }
}

/// The header that makes a download of it, with the name in both notations of RFC 6266. The name may come from a stranger (D8).
fn disposition(name: &str) -> String {
    let name: String = name.chars().map(|c| if unfit(c) { '_' } else { c }).take(150).collect();
    let name = name.trim_matches(|c: char| c == '.' || c.is_whitespace());
    let name = if name.is_empty() { "photo" } else { name };
    let plain: String = name.chars().map(|c| if c.is_ascii() && c != '%' { c } else { '_' }).collect();
    let encoded: String = name.bytes().map(percent).collect();
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}")
}

fn unfit(c: char) -> bool {
    let reorders =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || reorders || matches!(c, '"' | '\\' | '/' | ':' | '*' | '?' | '<' | '>' | '|' | ';')
}

fn percent(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
        char::from(byte).to_string()
    } else {
        format!("%{byte:02X}")
    }
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use proptest::prelude::*;

    use super::*;

    fn original(bytes: Vec<u8>, name: &str) -> Original {
        let size_bytes = bytes.len() as u64;
        let bytes = Bytes::from(bytes);
        let read_at = Arc::new(move |offset: u64, len: usize| {
            let start = usize::try_from(offset).unwrap();
            Ok(bytes.slice(start..(start + len).min(bytes.len())))
        });
        Original {
            media_type: "image/jpeg".into(),
            file_name: name.into(),
            size_bytes,
            tag: "ab12".into(),
            is_shown: false,
            start: 0,
            read_at,
        }
    }

    async fn get(bytes: &[u8], headers: &[(axum::http::HeaderName, &str)]) -> (StatusCode, HeaderMap, Bytes) {
        let headers = headers.iter().map(|(k, v)| (k.clone(), HeaderValue::from_str(v).unwrap())).collect();
        let response = answer(original(bytes.to_vec(), "a.jpg"), &headers).unwrap();
        let (parts, body) = response.into_parts();
        (parts.status, parts.headers, to_bytes(body, usize::MAX).await.unwrap())
    }

    #[tokio::test]
    async fn the_whole_file_comes_in_pieces() {
        // One byte beyond three pieces: the last piece is short.
        let bytes: Vec<u8> = (0..ORIGINAL_PIECE_BYTES * 3 + 1).map(|i| (i % 251) as u8).collect();
        let (status, headers, body) = get(&bytes, &[]).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(headers[CONTENT_LENGTH], bytes.len().to_string());
        assert_eq!(headers[ACCEPT_RANGES], "bytes");
        assert_eq!(body, bytes);
        let (status, _, body) = get(b"", &[]).await;
        assert_eq!((status, body.len()), (StatusCode::OK, 0));
    }

    #[tokio::test]
    async fn a_range_is_answered_with_206_and_a_bad_one_with_416() {
        let (status, headers, body) = get(b"0123456789", &[(RANGE, "bytes=2-4")]).await;
        assert_eq!((status, &body[..]), (StatusCode::PARTIAL_CONTENT, &b"234"[..]));
        assert_eq!(headers[CONTENT_RANGE], "bytes 2-4/10");
        let (status, headers, _) = get(b"0123456789", &[(RANGE, "bytes=10-")]).await;
        assert_eq!(status, StatusCode::RANGE_NOT_SATISFIABLE);
        assert_eq!(headers[CONTENT_RANGE], "bytes */10");
    }

    #[tokio::test]
    async fn a_range_of_another_version_is_answered_with_the_whole() {
        let (status, ..) = get(b"0123456789", &[(RANGE, "bytes=2-4"), (IF_RANGE, "\"other\"")]).await;
        assert_eq!(status, StatusCode::OK);
        let (status, ..) = get(b"0123456789", &[(RANGE, "bytes=2-4"), (IF_RANGE, "\"ab12\"")]).await;
        assert_eq!(status, StatusCode::PARTIAL_CONTENT);
    }

    #[tokio::test]
    async fn pieces_that_are_read_in_parts_come_whole_and_in_order() {
        let bytes: Vec<u8> = (0..ORIGINAL_PIECE_BYTES * 9 + 5).map(|i| (i % 253) as u8).collect();
        let mut slow = original(bytes.clone(), "a.jpg");
        let whole = Bytes::from(bytes.clone());
        slow.read_at = Arc::new(move |offset, len| {
            let start = usize::try_from(offset).unwrap();
            // The later ones are ready first.
            std::thread::sleep(std::time::Duration::from_millis(9_u64.saturating_sub(offset / ORIGINAL_PIECE_BYTES)));
            Ok(whole.slice(start..(start + len.min(100_000)).min(whole.len())))
        });
        let headers = HeaderMap::from_iter([(RANGE, HeaderValue::from_static("bytes=7-"))]);
        let response = answer(slow, &headers).unwrap();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        assert_eq!(body, bytes[7..]);
    }

    #[tokio::test]
    async fn what_begins_within_a_stored_file_is_read_as_it_is_stored_and_nothing_twice() {
        let bytes: Vec<u8> = (0..ORIGINAL_PIECE_BYTES * 3).map(|i| (i % 241) as u8).collect();
        let mut film = original(bytes.clone(), "a.mp4");
        film.start = 100;
        film.size_bytes = bytes.len() as u64 - 100;
        let (whole, reads) = (Bytes::from(bytes.clone()), Arc::new(std::sync::Mutex::new(Vec::new())));
        let seen = Arc::clone(&reads);
        film.read_at = Arc::new(move |offset, len| {
            seen.lock().unwrap().push(offset / ORIGINAL_PIECE_BYTES);
            let start = usize::try_from(offset).unwrap();
            Ok(whole.slice(start..start + len))
        });
        let headers = HeaderMap::from_iter([(RANGE, HeaderValue::from_static("bytes=7-"))]);
        let body = to_bytes(answer(film, &headers).unwrap().into_body(), usize::MAX).await.unwrap();
        assert_eq!(body, bytes[107..]);
        let mut reads = reads.lock().unwrap().clone();
        reads.sort_unstable();
        assert_eq!(reads, [0, 1, 2]);
    }

    #[tokio::test]
    async fn a_file_shorter_than_it_should_be_is_an_error_and_not_a_short_download() {
        let mut broken = original(b"0123".to_vec(), "a.jpg");
        broken.read_at = Arc::new(|_, _| Ok(Bytes::new()));
        assert!(answer(broken, &HeaderMap::new()).is_err());
    }

    #[test]
    fn ranges_are_read_as_the_standard_says() {
        let cases = [
            ("bytes=0-0", Wish::Part(0..1)),
            ("bytes=0-9", Wish::Part(0..10)),
            ("bytes=5-", Wish::Part(5..10)),
            ("bytes=-3", Wish::Part(7..10)),
            ("bytes=-99", Wish::Part(0..10)),
            ("bytes=5-18446744073709551615", Wish::Part(5..10)),
            ("bytes=-0", Wish::Unsatisfiable),
            ("bytes=10-12", Wish::Unsatisfiable),
            ("bytes=10-", Wish::Unsatisfiable),
            ("bytes=4-2", Wish::Whole),
            ("bytes=0-1,3-4", Wish::Whole),
            ("bytes=+1-2", Wish::Whole),
            ("bytes=a-b", Wish::Whole),
            ("bytes=-", Wish::Whole),
            ("items=0-1", Wish::Whole),
        ];
        for (text, expected) in cases {
            assert_eq!(wish(Some(&HeaderValue::from_static(text)), 10), expected, "{text}");
        }
        assert_eq!(wish(None, 10), Wish::Whole);
        assert_eq!(wish(Some(&HeaderValue::from_static("bytes=0-")), 0), Wish::Unsatisfiable);
    }

    #[test]
    fn d8_a_file_name_cannot_leave_its_header_or_its_folder() {
        assert_eq!(disposition("a b.jpg"), "attachment; filename=\"a b.jpg\"; filename*=UTF-8''a%20b.jpg");
        assert_eq!(disposition("Zoë.jpg"), "attachment; filename=\"Zo_.jpg\"; filename*=UTF-8''Zo%C3%AB.jpg");
        assert_eq!(disposition("../../x"), "attachment; filename=\"_.._x\"; filename*=UTF-8''_.._x");
        assert_eq!(disposition("...\u{202e}"), "attachment; filename=\"_\"; filename*=UTF-8''_");
        assert_eq!(disposition("."), "attachment; filename=\"photo\"; filename*=UTF-8''photo");
    }

    proptest! {
        #[test]
        fn d8_any_file_name_makes_a_valid_header(name in ".*") {
            let line = disposition(&name);
            prop_assert!(HeaderValue::from_str(&line).is_ok());
            prop_assert_eq!(line.matches('"').count(), 2);
            prop_assert!(line.len() < 2_500);
        }

        #[test]
        fn any_range_lies_within_the_file(text in "bytes=[0-9]{0,21}-[0-9]{0,21}", size in 0_u64..2_000) {
            if let Wish::Part(range) = wish(Some(&HeaderValue::from_str(&text).unwrap()), size) {
                prop_assert!(range.start < range.end && range.end <= size);
            }
        }
    }
}
