//! Where the groups of an arrival go.

use std::io;

use inframe_protocol::limits::GROUP_BYTES;

use crate::disk::Disk;
use crate::limits::DISK_ROOM_STEP_BYTES;
use crate::sharing::kept::PieceKey;
use crate::transfer::GroupSink;
use crate::vault::Incoming;
use crate::workers::keeping::sealing::Opening;

/// Groups between two looks at the space on the disk: others write there meanwhile.
const GROUPS_PER_LOOK: u64 = DISK_ROOM_STEP_BYTES / GROUP_BYTES;

/// Writes groups into the vault's incoming blob, as long as the disk has room; what a keeper had, it opens first.
pub(in crate::workers) struct Sink {
    incoming: Incoming,
    disk: Disk,
    opening: Option<Opening>,
}

impl Sink {
    pub(in crate::workers) fn new(incoming: Incoming, disk: Disk) -> Self {
        Self { incoming, disk, opening: None }
    }

    /// For groups that are sealed with this key.
    pub(super) fn opening(incoming: Incoming, disk: Disk, key: PieceKey) -> Self {
        let opening = Opening::new(key, incoming.size_bytes(), incoming.present());
        Self { incoming, disk, opening: Some(opening) }
    }

    pub(in crate::workers) fn into_incoming(self) -> Incoming {
        self.incoming
    }
}

impl GroupSink for Sink {
    fn have(&self) -> u64 {
        self.opening.as_ref().map_or(self.incoming.present(), Opening::first)
    }

    fn append(&mut self, index: u64, group: &mut Vec<u8>) -> io::Result<()> {
        if index.is_multiple_of(GROUPS_PER_LOOK) {
            self.disk
                .room_for(DISK_ROOM_STEP_BYTES)
                .map_err(|full| io::Error::new(io::ErrorKind::StorageFull, full))?;
        }
        let incoming = &mut self.incoming;
        match &mut self.opening {
            None => incoming.append(group).map_err(io::Error::other),
            Some(opening) => opening.append(index, group, |opened| incoming.append(opened).map_err(io::Error::other)),
        }
    }
}
