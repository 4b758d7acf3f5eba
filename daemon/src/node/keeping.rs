//! What this device keeps for members who are away, as the API says it.

use super::{Answer, NodeError};
use crate::settings::{Keeping, LEAST_ROOM_BYTES};
use crate::views::{KeepingBody, KeepingView};
use crate::workers::{Core, keeping};

pub(super) fn view(core: &Core) -> KeepingView {
    let (count, bytes) = keeping::held_now(core);
    KeepingView { room_bytes: core.keeping_row.get().room_bytes, count, bytes }
}

pub(super) fn chosen(body: &KeepingBody) -> Answer<Keeping> {
    match body.room_bytes {
        Some(room) if room < LEAST_ROOM_BYTES => {
            let why =
                format!("leave room for at least {LEAST_ROOM_BYTES} bytes, or leave it out to keep nothing for others");
            Err(NodeError::Invalid("bad-room", why))
        }
        room_bytes => Ok(Keeping { room_bytes }),
    }
}
