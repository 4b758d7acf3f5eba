//! Where the groups of an arrival go.

use std::io;

use inframe_protocol::limits::GROUP_BYTES;

use crate::disk::Disk;
use crate::limits::DISK_ROOM_STEP_BYTES;
use crate::transfer::GroupSink;
use crate::vault::Incoming;

/// Groups between two looks at the space on the disk: others write there meanwhile.
const GROUPS_PER_LOOK: u64 = DISK_ROOM_STEP_BYTES / GROUP_BYTES;

/// Writes groups into the vault's incoming blob, as long as the disk has room.
pub(super) struct Sink {
    incoming: Incoming,
    disk: Disk,
}

impl Sink {
    pub(super) fn new(incoming: Incoming, disk: Disk) -> Self {
        Self { incoming, disk }
    }

    pub(super) fn into_incoming(self) -> Incoming {
        self.incoming
    }
}

impl GroupSink for Sink {
    fn have(&self) -> u64 {
        self.incoming.present()
    }

    fn append(&mut self, index: u64, group: &[u8]) -> io::Result<()> {
        if index.is_multiple_of(GROUPS_PER_LOOK) {
            self.disk
                .room_for(DISK_ROOM_STEP_BYTES)
                .map_err(|full| io::Error::new(io::ErrorKind::StorageFull, full))?;
        }
        self.incoming.append(group).map_err(io::Error::other)
    }
}
