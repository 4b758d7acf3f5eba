//! The hashes of what is being sent, so that a transfer that breaks off and goes on does not read the whole file again.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use inframe_protocol::groups::GroupList;

use crate::vault::BlobId;

/// Hashes kept in all, 32 bytes each: those of 64 GiB.
const MOST_HASHES: u64 = 1 << 18;

/// Lists of the renditions that were made or sent last; what has fallen out, or was made before a restart, is hashed when it is asked for.
#[derive(Default)]
pub struct Lists {
    kept: Mutex<VecDeque<(BlobId, Arc<GroupList>)>>,
}

impl Lists {
    /// The list of a rendition, if it is kept.
    #[must_use]
    pub fn get(&self, blob: BlobId) -> Option<Arc<GroupList>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let place = kept.iter().position(|(id, _)| *id == blob)?;
        let found = kept.remove(place)?;
        let list = found.1.clone();
        kept.push_back(found);
        Some(list)
    }

    /// Keeps a list; those that were not asked for the longest go.
    pub fn keep(&self, blob: BlobId, list: Arc<GroupList>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(id, _)| *id != blob);
        kept.push_back((blob, list));
        let mut hashes: u64 = kept.iter().map(|(_, list)| list.count()).sum();
        while hashes > MOST_HASHES && kept.len() > 1 {
            hashes -= kept.pop_front().map_or(0, |(_, list)| list.count());
        }
    }

    /// The rendition is gone.
    pub fn forget(&self, blob: BlobId) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).retain(|(id, _)| *id != blob);
    }
}
