//! The list at the root of an export: written as the export goes on, named last, so that it is there only when all in it is.

use std::path::Path;

use serde::Serialize;

use super::folder::{Part, Root};
use super::sidecar::{Film, written};
use super::{ExportError, Exported};
use crate::clock::now_ms;

/// The list of what was exported, written last.
const LIST: &str = "inframe-export.json";
/// By this a list is known to be ours.
const FORMAT: &str = "\"format\": \"inframe-export\"";

/// One original in the list.
#[derive(Serialize)]
pub(super) struct Row<'a> {
    /// From the root on.
    pub(super) path: String,
    /// BLAKE3 of its bytes.
    pub(super) content_id: String,
    /// Its size.
    pub(super) size_bytes: u64,
    /// The film beside it.
    pub(super) motion: Option<&'a Film>,
}

/// The list, which grows beside the export and gets its name at the end.
pub(super) struct List<'a> {
    root: &'a Root,
    part: Part<'a>,
    rows: u64,
}

impl<'a> List<'a> {
    /// Whether there is a list of ours; what else has its name is in the way.
    pub(super) fn is_there(root: &Root) -> Result<bool, ExportError> {
        match root.head(LIST)? {
            Some(head) if memchr::memmem::find(&head, FORMAT.as_bytes()).is_some() => Ok(true),
            Some(_) => Err(ExportError::Taken(root.path().join(LIST))),
            None => Ok(false),
        }
    }

    /// Begins a new one.
    pub(super) fn begin(root: &'a Root) -> Result<Self, ExportError> {
        let mut part = root.part()?;
        let now = i64::try_from(now_ms()).ok().and_then(|now| written(now, Some(0))).unwrap_or_default();
        let head = format!("{{\n{FORMAT},\n\"version\": 1,\n\"written_at\": \"{now}\",\n\"files\": [");
        part.append(head.as_bytes(), root, LIST)?;
        Ok(Self { root, part, rows: 0 })
    }

    /// Adds an original.
    pub(super) fn add(&mut self, row: &Row<'_>) -> Result<(), ExportError> {
        let mut line = if self.rows > 0 { b",\n".to_vec() } else { b"\n".to_vec() };
        line.extend(in_json(row)?);
        self.rows += 1;
        self.part.append(&line, self.root, LIST)
    }

    /// Gives the list its name; `listed` is whether there is one of ours to be replaced.
    pub(super) fn end(mut self, done: &Exported, listed: bool) -> Result<(), ExportError> {
        let root = self.root;
        let damaged = String::from_utf8(in_json(&done.damaged)?).unwrap_or_default();
        let tail = format!(
            "\n],\n\"damaged\": {damaged},\n\"damaged_count\": {},\n\"count\": {}\n}}\n",
            done.damaged_count, self.rows
        );
        self.part.append(tail.as_bytes(), root, LIST)?;
        if listed {
            return self.part.replace(root, LIST);
        }
        match self.part.name(root, LIST)? {
            true => Ok(()),
            false => Err(ExportError::Taken(root.path().join(LIST))),
        }
    }
}

fn in_json(value: &impl Serialize) -> Result<Vec<u8>, ExportError> {
    serde_json::to_vec(value).map_err(|error| ExportError::of("write", Path::new(LIST), error.into()))
}
