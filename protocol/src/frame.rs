//! How a message stands on a stream: its length as 4 bytes, little-endian, then its body in postcard; strict in both directions.

use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::text::FieldError;

/// Bytes of the length before each body.
pub const HEADER_BYTES: usize = 4;

/// A message of the protocol: how long its body may be and what its fields may hold.
pub trait Message: Serialize + DeserializeOwned {
    /// Most bytes of a body, whatever limit the caller sets.
    const MAX_BYTES: usize;

    /// Checks the limits of every field. [`encode`] and [`decode`] call it, so a decoded message is within its limits.
    ///
    /// # Errors
    /// The first field that breaks one.
    fn check(&self) -> Result<(), FieldError>;
}

/// Why bytes are not a message, or a message cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FrameError {
    /// R1: longer than the limit.
    #[error("a message of {found} bytes where at most {limit} are allowed")]
    TooLong {
        /// Bytes of its body, as announced or found.
        found: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// Fewer bytes than announced.
    #[error("the message is cut off: ask for it again")]
    CutOff,
    /// R2: bytes after the end of the message.
    #[error("there are bytes after the end of the message")]
    TrailingBytes,
    /// Not the encoding of such a message.
    #[error("the bytes are not such a message")]
    Malformed,
    /// R2: another encoding of the same message than the one that everybody writes.
    #[error("the message is not in its canonical encoding")]
    NotCanonical,
    /// A field breaks its limit.
    #[error(transparent)]
    Field(#[from] FieldError),
}

/// A message with its length before it, ready for a stream. `limit` is in bytes of body.
///
/// # Errors
/// A field or the whole breaks its limit.
pub fn encode<M: Message>(message: &M, limit: usize) -> Result<Vec<u8>, FrameError> {
    let body = encode_body(message, limit)?;
    let length = u32::try_from(body.len()).map_err(|_| FrameError::TooLong { found: body.len(), limit })?;
    let mut frame = Vec::with_capacity(HEADER_BYTES + body.len());
    frame.extend_from_slice(&length.to_le_bytes());
    frame.extend_from_slice(&body);
    Ok(frame)
}

/// A message without a length, for carriers that keep boundaries (gossip).
///
/// # Errors
/// A field or the whole breaks its limit.
pub fn encode_body<M: Message>(message: &M, limit: usize) -> Result<Vec<u8>, FrameError> {
    message.check()?;
    let limit = limit.min(M::MAX_BYTES);
    let body = to_canonical(message)?;
    if body.len() > limit {
        return Err(FrameError::TooLong { found: body.len(), limit });
    }
    Ok(body)
}

/// How many bytes of body follow this header. Read the header, ask this, and only then make room for the body.
///
/// # Errors
/// R1: more than `limit`.
pub fn body_len(header: [u8; HEADER_BYTES], limit: usize) -> Result<usize, FrameError> {
    let found = u32::from_le_bytes(header) as usize;
    if found > limit { Err(FrameError::TooLong { found, limit }) } else { Ok(found) }
}

/// Reads one whole frame: header and body and nothing else. `limit` is in bytes of body.
///
/// # Errors
/// The frame is not exactly one canonical message within its limits.
pub fn decode<M: Message>(bytes: &[u8], limit: usize) -> Result<M, FrameError> {
    let (header, body) = bytes.split_first_chunk::<HEADER_BYTES>().ok_or(FrameError::CutOff)?;
    let announced = body_len(*header, limit.min(M::MAX_BYTES))?;
    if body.len() < announced {
        return Err(FrameError::CutOff);
    }
    if body.len() > announced {
        return Err(FrameError::TrailingBytes);
    }
    decode_body(body, limit)
}

/// Reads a body that came without its header.
///
/// # Errors
/// As [`decode`].
pub fn decode_body<M: Message>(body: &[u8], limit: usize) -> Result<M, FrameError> {
    let limit = limit.min(M::MAX_BYTES);
    if body.len() > limit {
        return Err(FrameError::TooLong { found: body.len(), limit });
    }
    let message: M = from_canonical(body)?;
    message.check()?;
    Ok(message)
}

/// The one encoding of a value.
pub(crate) fn to_canonical<T: Serialize>(value: &T) -> Result<Vec<u8>, FrameError> {
    postcard::to_stdvec(value).map_err(|_| FrameError::Malformed)
}

/// Reads a value and refuses any bytes that are not the one encoding of it: postcard itself would take numbers with needless zero groups.
pub(crate) fn from_canonical<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Result<T, FrameError> {
    let (value, rest) = postcard::take_from_bytes::<T>(bytes).map_err(|error| match error {
        postcard::Error::DeserializeUnexpectedEnd => FrameError::CutOff,
        _ => FrameError::Malformed,
    })?;
    if !rest.is_empty() {
        return Err(FrameError::TrailingBytes);
    }
    if to_canonical(&value)? != bytes {
        return Err(FrameError::NotCanonical);
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Note {
        number: u32,
        text: String,
    }

    impl Message for Note {
        const MAX_BYTES: usize = 16;

        fn check(&self) -> Result<(), FieldError> {
            crate::text::check_label("text", &self.text, 8)
        }
    }

    fn note(text: &str) -> Note {
        Note { number: 1, text: text.to_owned() }
    }

    #[test]
    fn a_frame_is_length_and_body() {
        let frame = encode(&note("ab"), 16).unwrap();
        assert_eq!(frame, [4, 0, 0, 0, 1, 2, b'a', b'b']);
        assert_eq!(decode::<Note>(&frame, 16).unwrap(), note("ab"));
    }

    #[test]
    fn r1_longer_than_the_limit_is_refused_by_its_header_alone() {
        assert_eq!(body_len([17, 0, 0, 0], 16), Err(FrameError::TooLong { found: 17, limit: 16 }));
        assert_eq!(decode::<Note>(&[17, 0, 0, 0], 99), Err(FrameError::TooLong { found: 17, limit: 16 }));
        assert_eq!(decode::<Note>(&[9, 0, 0, 0], 8), Err(FrameError::TooLong { found: 9, limit: 8 }));
        let frame = encode(&note("ab"), 4).unwrap();
        assert_eq!(decode::<Note>(&frame, 4).unwrap(), note("ab"), "exactly the limit");
        let body = &frame[HEADER_BYTES..];
        assert_eq!(decode_body::<Note>(body, 4).unwrap(), note("ab"));
        assert_eq!(decode_body::<Note>(body, 3), Err(FrameError::TooLong { found: 4, limit: 3 }));
        assert_eq!(decode_body::<Note>(&[0; 17], 99), Err(FrameError::TooLong { found: 17, limit: 16 }));
        assert_eq!(encode(&note("ab"), 3), Err(FrameError::TooLong { found: 4, limit: 3 }));
    }

    #[test]
    fn r2_only_the_canonical_bytes_decode() {
        assert_eq!(decode::<Note>(&[4, 0, 0, 0, 1, 2, b'a', b'b', 0], 16), Err(FrameError::TrailingBytes));
        assert_eq!(decode::<Note>(&[5, 0, 0, 0, 1, 2, b'a', b'b', 0], 16), Err(FrameError::TrailingBytes));
        assert_eq!(decode::<Note>(&[4, 0, 0, 0, 1, 2, b'a'], 16), Err(FrameError::CutOff));
        assert_eq!(decode::<Note>(&[3, 0, 0, 0, 1, 2, b'a'], 16), Err(FrameError::CutOff));
        assert_eq!(decode::<Note>(&[3, 0, 0], 16), Err(FrameError::CutOff));
        assert_eq!(
            decode::<Note>(&[5, 0, 0, 0, 1, 2, b'a', b'b'], 16),
            Err(FrameError::CutOff),
            "one more was announced"
        );
        assert_eq!(decode::<Note>(&[5, 0, 0, 0, 0x81, 0, 2, b'a', b'b'], 16), Err(FrameError::NotCanonical));
        assert_eq!(decode::<Note>(&[3, 0, 0, 0, 1, 1, 0xff], 16), Err(FrameError::Malformed));
    }

    #[test]
    fn fields_are_checked_both_ways() {
        assert!(matches!(encode(&note("123456789"), 16), Err(FrameError::Field(_))));
        let mut frame = vec![11, 0, 0, 0, 1, 9];
        frame.extend(b"123456789");
        assert!(matches!(decode::<Note>(&frame, 16), Err(FrameError::Field(_))));
    }
}
