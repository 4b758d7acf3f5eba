//! Photos and videos as one ZIP file, written as each is made: nothing of it is kept. Stored and not compressed, as they are compressed; no names and no times
//! of theirs.

use std::collections::VecDeque;

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use futures::stream;

use crate::guest::limits::ARCHIVE_BYTES;
use crate::node::{Node, NodeError, ReadAt, Shape, Visitor};
use crate::views::FoundPhotoView;

/// 1 January 1980, the first day of the format.
const NO_DATE: u16 = 0x21;
/// Names are UTF-8.
const UTF_8: u16 = 0x0800;
/// Version of the format that is needed to read it: 2.0.
const VERSION: u16 = 20;

/// The list at the end of a file, and how far it got.
#[derive(Default)]
struct Writer {
    list: Vec<u8>,
    count: u16,
    written: u32,
}

impl Writer {
    /// The head of a file within the archive; its bytes follow. `None` if it does not fit any more.
    fn head(&mut self, name: &str, bytes: &[u8]) -> Option<Vec<u8>> {
        self.head_of(name, bytes.len() as u64, crc32fast::hash(bytes))
    }

    /// The same for a file of this size and check sum.
    fn head_of(&mut self, name: &str, size_bytes: u64, crc: u32) -> Option<Vec<u8>> {
        let (size, at) = (u32::try_from(size_bytes).ok()?, self.written);
        let name_bytes = u16::try_from(name.len()).ok()?;
        let after = u64::from(at) + 30 + u64::from(name_bytes) + u64::from(size);
        if after > ARCHIVE_BYTES {
            return None;
        }
        (self.written, self.count) = (u32::try_from(after).ok()?, self.count.checked_add(1)?);
        let mut common = Vec::new();
        for number in [VERSION, UTF_8, 0, 0, NO_DATE] {
            common.extend(number.to_le_bytes());
        }
        for number in [crc, size, size] {
            common.extend(number.to_le_bytes());
        }
        common.extend(name_bytes.to_le_bytes());
        common.extend(0u16.to_le_bytes());
        let head = [&0x0403_4b50_u32.to_le_bytes()[..], &common, name.as_bytes()].concat();
        self.list.extend(0x0201_4b50_u32.to_le_bytes());
        self.list.extend(VERSION.to_le_bytes());
        self.list.extend(&common);
        // No comment, first disk, no attributes.
        self.list.extend([0; 10]);
        self.list.extend(at.to_le_bytes());
        self.list.extend(name.as_bytes());
        Some(head)
    }

    /// Whether a file of this size may still fit, so that a large one is not read for nothing.
    fn has_room(&self, size_bytes: u64) -> bool {
        u64::from(self.written).saturating_add(size_bytes) <= ARCHIVE_BYTES
    }

    /// What stands at the end.
    fn end(self) -> Vec<u8> {
        let mut out = self.list;
        let list_bytes = u32::try_from(out.len()).unwrap_or(u32::MAX);
        out.extend(0x0605_4b50_u32.to_le_bytes());
        out.extend([0; 4]);
        out.extend(self.count.to_le_bytes());
        out.extend(self.count.to_le_bytes());
        out.extend(list_bytes.to_le_bytes());
        out.extend(self.written.to_le_bytes());
        out.extend([0; 2]);
        out
    }
}

/// What of a video is still to be sent.
struct Rest {
    read_at: ReadAt,
    at: u64,
    end: u64,
}

/// Photos and videos of a guest as an attachment. One that they may no longer see, or that cannot be made safe, is left out; a video that they may no longer see
/// while it is sent ends the archive.
pub(super) fn answer(node: Node, visitor: Visitor, all: Vec<FoundPhotoView>) -> Response {
    let left = Left {
        node,
        visitor,
        all: all.into(),
        ready: VecDeque::new(),
        rest: None,
        writer: Some(Writer::default()),
        number: 0,
    };
    let pieces = stream::unfold(left, |mut left| async move { left.next().await.map(|piece| (piece, left)) });
    let headers = [(CONTENT_TYPE, "application/zip"), (CONTENT_DISPOSITION, "attachment; filename=\"photos.zip\"")];
    (headers, Body::from_stream(pieces)).into_response()
}

struct Left {
    node: Node,
    visitor: Visitor,
    all: VecDeque<FoundPhotoView>,
    ready: VecDeque<Bytes>,
    rest: Option<Rest>,
    writer: Option<Writer>,
    number: usize,
}

impl Left {
    async fn next(&mut self) -> Option<Result<Bytes, NodeError>> {
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                return Some(Ok(bytes));
            }
            if let Some(rest) = self.rest.take() {
                match piece(rest).await {
                    Ok((bytes, rest)) => {
                        self.rest = rest;
                        return Some(Ok(bytes));
                    }
                    Err(error) => {
                        self.writer = None;
                        return Some(Err(error));
                    }
                }
            }
            self.writer.as_ref()?;
            let Some(found) = self.all.pop_front() else {
                let end = self.writer.take()?.end();
                return Some(Ok(end.into()));
            };
            let added = if found.video { self.add_video(&found.id).await } else { self.add_photo(&found.id).await };
            if let Err(error) = added {
                tracing::debug!("something is left out of a guest's archive: {error}");
            }
        }
    }

    async fn add_photo(&mut self, id: &str) -> Result<(), NodeError> {
        let (bytes, media_type) = self.node.guest_picture(self.visitor, id, Shape::Whole).await?;
        self.number += 1;
        let name = format!("photo-{:03}.{}", self.number, ending(&media_type));
        if let Some(head) = self.writer.as_mut().and_then(|writer| writer.head(&name, &bytes)) {
            self.ready.extend([head.into(), bytes]);
        }
        Ok(())
    }

    /// It is read twice, as its check sum stands before it.
    async fn add_video(&mut self, id: &str) -> Result<(), NodeError> {
        let video = self.node.guest_video(self.visitor, id, false).await?;
        if !self.writer.as_ref().is_some_and(|writer| writer.has_room(video.size_bytes)) {
            return Err(NodeError::TooLarge("it does not fit any more".into()));
        }
        let mut crc = crc32fast::Hasher::new();
        let mut rest = Some(Rest { read_at: video.read_at.clone(), at: 0, end: video.size_bytes });
        while let Some(next) = rest {
            let (bytes, left) = piece(next).await?;
            crc.update(&bytes);
            rest = left;
        }
        self.number += 1;
        let name = format!("video-{:03}.mp4", self.number);
        let head = self.writer.as_mut().and_then(|writer| writer.head_of(&name, video.size_bytes, crc.finalize()));
        if let Some(head) = head {
            self.ready.push_back(head.into());
            self.rest = Some(Rest { read_at: video.read_at, at: 0, end: video.size_bytes });
        }
        Ok(())
    }
}

/// The next piece, and what is left after it.
async fn piece(rest: Rest) -> Result<(Bytes, Option<Rest>), NodeError> {
    let Rest { read_at, at, end } = rest;
    let length = usize::try_from(end.saturating_sub(at)).unwrap_or(usize::MAX);
    let reading = tokio::task::spawn_blocking(move || read_at(at, length).map(|bytes| (bytes, read_at)));
    let read = reading.await.map_err(|_| NodeError::Internal("reading the video was broken off".into()))?;
    let (bytes, read_at) = read?;
    let next = at.saturating_add(bytes.len() as u64);
    if bytes.is_empty() || next > end {
        return Err(NodeError::Internal("the stored video has not the length that it should have".into()));
    }
    Ok((bytes, (next < end).then_some(Rest { read_at, at: next, end })))
}

/// The end of a file name.
pub(super) fn ending(media_type: &str) -> &'static str {
    match media_type {
        "image/png" => "png",
        "image/webp" => "webp",
        "image/gif" => "gif",
        _ => "jpg",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_is_read_by_a_program_that_others_wrote() {
        let mut writer = Writer::default();
        let mut out = Vec::new();
        let files =
            [("photo-001.jpg", vec![7u8; 300]), ("photo-002.png", Vec::new()), ("photo-003.jpg", b"end".to_vec())];
        for (name, bytes) in &files {
            out.extend(writer.head(name, bytes).unwrap());
            out.extend(bytes);
        }
        out.extend(writer.end());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("photos.zip");
        std::fs::write(&path, out).unwrap();
        let script = "import sys, zipfile\nz = zipfile.ZipFile(sys.argv[1])\nassert z.testzip() is None\n\
                      print(*[f'{i.filename}:{i.file_size}' for i in z.infolist()])";
        let read = std::process::Command::new("python3").args(["-c", script]).arg(&path).output().unwrap();
        assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
        assert_eq!(String::from_utf8_lossy(&read.stdout).trim(), "photo-001.jpg:300 photo-002.png:0 photo-003.jpg:3");
    }

    #[test]
    fn d7_an_archive_ends_before_the_format_does() {
        let mut writer = Writer { written: u32::try_from(ARCHIVE_BYTES).unwrap() - 50, ..Writer::default() };
        assert!(writer.head("a.jpg", &[0; 100]).is_none());
        assert!(writer.head("a.jpg", &[0; 5]).is_some());
    }
}
