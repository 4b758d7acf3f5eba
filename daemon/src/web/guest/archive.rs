//! Photos as one ZIP file, written as each is made: nothing of it is kept. Stored and not compressed, as photos are; no names and no times of theirs.

use std::collections::VecDeque;

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use futures::stream;

use crate::guest::limits::ARCHIVE_BYTES;
use crate::node::{Node, Shape, Visitor};

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
        let (size, at) = (u32::try_from(bytes.len()).ok()?, self.written);
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
        for number in [crc32fast::hash(bytes), size, size] {
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

/// Photos of a guest as an attachment. One that they may no longer see, or that cannot be made safe, is left out.
pub(super) fn answer(node: Node, visitor: Visitor, ids: Vec<String>) -> Response {
    struct Left {
        node: Node,
        visitor: Visitor,
        ids: VecDeque<String>,
        ready: VecDeque<Bytes>,
        writer: Option<Writer>,
        number: usize,
    }
    let left =
        Left { node, visitor, ids: ids.into(), ready: VecDeque::new(), writer: Some(Writer::default()), number: 0 };
    let pieces = stream::unfold(left, |mut left| async move {
        loop {
            if let Some(bytes) = left.ready.pop_front() {
                return Some((Ok::<_, std::io::Error>(bytes), left));
            }
            let writer = left.writer.as_mut()?;
            let Some(id) = left.ids.pop_front() else {
                let end = left.writer.take()?.end();
                return Some((Ok(end.into()), left));
            };
            match left.node.guest_picture(left.visitor, &id, Shape::Whole).await {
                Ok((bytes, media_type)) => {
                    left.number += 1;
                    let name = format!("photo-{:03}.{}", left.number, ending(&media_type));
                    if let Some(head) = writer.head(&name, &bytes) {
                        left.ready.extend([head.into(), bytes]);
                    }
                }
                Err(error) => tracing::debug!("a photo is left out of a guest's archive: {error}"),
            }
        }
    });
    let headers = [(CONTENT_TYPE, "application/zip"), (CONTENT_DISPOSITION, "attachment; filename=\"photos.zip\"")];
    (headers, Body::from_stream(pieces)).into_response()
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
