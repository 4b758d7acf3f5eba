//! Frames on the pipes between the daemon and a child: two lengths, a header in postcard, and raw bytes.
//!
//! Layout: header length (u32, little-endian), payload length (u32, little-endian), header, payload. Both sides check both lengths against
//! `limits` before they allocate: a child that decoded hostile bytes may be hostile itself (promise D8).

use std::io::{self, Read, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::limits;

/// Why a frame could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The pipe closed or broke.
    #[error("the pipe broke")]
    Pipe(#[from] io::Error),
    /// A length is over its limit.
    #[error("a frame announces more bytes than it may have")]
    TooLong,
    /// The header is not what it should be.
    #[error("a frame's header cannot be understood")]
    Header,
}

fn lengths(header: usize, payload: usize) -> Result<[u8; 8], FrameError> {
    if header > limits::MAX_HEADER_BYTES || payload > limits::MAX_PAYLOAD_BYTES {
        return Err(FrameError::TooLong);
    }
    let word = |len: usize| u32::try_from(len).map(u32::to_le_bytes).map_err(|_| FrameError::TooLong);
    let ([a, b, c, d], [e, f, g, h]) = (word(header)?, word(payload)?);
    Ok([a, b, c, d, e, f, g, h])
}

fn checked(prefix: [u8; 8]) -> Result<(usize, usize), FrameError> {
    let [a, b, c, d, e, f, g, h] = prefix;
    let word = |bytes: [u8; 4]| usize::try_from(u32::from_le_bytes(bytes)).map_err(|_| FrameError::TooLong);
    let (header, payload) = (word([a, b, c, d])?, word([e, f, g, h])?);
    lengths(header, payload)?;
    Ok((header, payload))
}

fn header_of<T: Serialize>(message: &T) -> Result<Vec<u8>, FrameError> {
    postcard::to_stdvec(message).map_err(|_| FrameError::Header)
}

fn message_of<T: DeserializeOwned>(header: &[u8]) -> Result<T, FrameError> {
    match postcard::take_from_bytes(header) {
        Ok((message, [])) => Ok(message),
        _ => Err(FrameError::Header),
    }
}

/// Writes one frame, blocking.
pub fn write<T: Serialize>(out: &mut impl Write, message: &T, payload: &[&[u8]]) -> Result<(), FrameError> {
    let header = header_of(message)?;
    out.write_all(&lengths(header.len(), payload.iter().map(|part| part.len()).sum())?)?;
    out.write_all(&header)?;
    for part in payload {
        out.write_all(part)?;
    }
    Ok(out.flush()?)
}

/// Reads one frame, blocking; `None` when the pipe was closed between frames.
pub fn read<T: DeserializeOwned>(from: &mut impl Read) -> Result<Option<(T, Vec<u8>)>, FrameError> {
    let mut prefix = [0; 8];
    let (first, rest) = prefix.split_at_mut(1);
    if from.read(first)? == 0 {
        return Ok(None);
    }
    from.read_exact(rest)?;
    let (header_len, payload_len) = checked(prefix)?;
    let mut header = vec![0; header_len];
    from.read_exact(&mut header)?;
    let mut payload = vec![0; payload_len];
    from.read_exact(&mut payload)?;
    Ok(Some((message_of(&header)?, payload)))
}

/// Writes one frame. Not cancel safe: the pipe must be given up when this is dropped half-way.
pub async fn send<T: Serialize>(
    out: &mut (impl AsyncWrite + Unpin),
    message: &T,
    payload: &[u8],
) -> Result<(), FrameError> {
    let header = header_of(message)?;
    out.write_all(&lengths(header.len(), payload.len())?).await?;
    out.write_all(&header).await?;
    out.write_all(payload).await?;
    Ok(out.flush().await?)
}

/// Reads one frame. Not cancel safe: the pipe must be given up when this is dropped half-way.
pub async fn receive<T: DeserializeOwned>(from: &mut (impl AsyncRead + Unpin)) -> Result<(T, Vec<u8>), FrameError> {
    let mut prefix = [0; 8];
    from.read_exact(&mut prefix).await?;
    let (header_len, payload_len) = checked(prefix)?;
    let mut header = vec![0; header_len];
    from.read_exact(&mut header).await?;
    let mut payload = vec![0; payload_len];
    from.read_exact(&mut payload).await?;
    Ok((message_of(&header)?, payload))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back_as_they_went() {
        let mut pipe = Vec::new();
        write(&mut pipe, &(7u8, "words".to_string()), &[b"raw", b" bytes"]).unwrap();
        write(&mut pipe, &9u8, &[]).unwrap();
        let mut from = pipe.as_slice();
        let (message, payload) = read::<(u8, String)>(&mut from).unwrap().unwrap();
        assert_eq!((message, payload.as_slice()), ((7, "words".to_string()), &b"raw bytes"[..]));
        assert_eq!(read::<u8>(&mut from).unwrap(), Some((9, vec![])));
        assert_eq!(read::<u8>(&mut from).unwrap(), None);
    }

    #[test]
    fn d7_lengths_over_the_limit_are_refused_before_allocation() {
        let mut endless = [0xff; 8].as_slice();
        assert!(matches!(read::<u8>(&mut endless), Err(FrameError::TooLong)));
    }

    #[test]
    fn d8_headers_with_a_tail_and_cut_frames_are_refused() {
        let mut tail = b"\x02\0\0\0\0\0\0\0\x01\x02".as_slice();
        assert!(matches!(read::<u8>(&mut tail), Err(FrameError::Header)));
        let mut cut = b"\x02\0\0\0\0\0\0\0\x01".as_slice();
        assert!(matches!(read::<u8>(&mut cut), Err(FrameError::Pipe(_))));
    }

    #[tokio::test]
    async fn both_flavours_speak_the_same_bytes() {
        let (mut blocking, mut waiting) = (Vec::new(), Vec::new());
        write(&mut blocking, &(1u8, true), &[b"x"]).unwrap();
        send(&mut waiting, &(1u8, true), b"x").await.unwrap();
        assert_eq!(blocking, waiting);
        let (message, payload) = receive::<(u8, bool)>(&mut waiting.as_slice()).await.unwrap();
        assert_eq!((message, payload), ((1, true), b"x".to_vec()));
    }
}
