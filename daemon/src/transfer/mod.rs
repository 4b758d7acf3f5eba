//! Moving the bytes of a photo between two nodes over an open stream, verified group by group.
//!
//! The holder calls [`serve()`] after it has checked that the photo was offered to the peer; the finder calls
//! [`fetch()`], stores the result durably and only then [`Confirmation::confirm`]s it (D1). A transfer that breaks off
//! goes on from the last group that was verified. Two groups are in memory at a time, whatever the size.
//!
//! How its speed compares with a plain TCP copy: `cargo test -p inframe --lib throughput -- --ignored --nocapture`; figures of whole transfers
//! between two daemons are in the README (`make bench-transfer`).
//!
//! Absent on purpose: nothing here knows the vault, the catalog or who may have what.

mod exchange;
mod fetch;
pub mod limits;
mod pace;
mod serve;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod throughput;

use std::io;

use inframe_protocol::{groups::GroupList, limits::GROUP_BYTES};

pub use self::{
    exchange::{AskError, ask, request},
    fetch::{Confirmation, FetchError, Fetched, Wanted, fetch},
    limits::TransferLimits,
    pace::Pace,
    serve::{ServeError, not_found, serve},
};

/// Where the bytes of a content come from. Calls may block; they are made on a blocking thread, one at a time.
pub trait GroupSource: Send + 'static {
    /// Makes `group`, which may hold anything, the bytes of group `index`.
    ///
    /// # Errors
    /// If the bytes cannot be read.
    fn read_group(&mut self, index: u64, group: &mut Vec<u8>) -> io::Result<()>;

    /// Whether what it reads is authenticated already, so that a damaged disk is an error of [`GroupSource::read_group`] and no hash has to find it.
    fn is_authenticated(&self) -> bool {
        false
    }
}

/// Where the verified groups of a content go. Calls may block; they are made on a blocking thread, one at a time.
pub trait GroupSink: Send + 'static {
    /// How many groups, from the first on, are there already.
    fn have(&self) -> u64;

    /// Takes group `index`, which is the next one and verified. What `group` holds afterwards is of no use.
    ///
    /// # Errors
    /// If it cannot be stored.
    fn append(&mut self, index: u64, group: &mut Vec<u8>) -> io::Result<()>;
}

/// How far a transfer has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Groups that are verified and stored, or sent.
    pub groups_done: u64,
    /// Groups in all.
    pub groups: u64,
    /// Bytes in the groups done.
    pub bytes_done: u64,
    /// Bytes in all.
    pub size_bytes: u64,
}

impl Progress {
    fn at(groups_done: u64, list: &GroupList) -> Self {
        let size_bytes = list.size_bytes();
        let bytes_done = groups_done.saturating_mul(GROUP_BYTES).min(size_bytes);
        Self { groups_done, groups: list.count(), bytes_done, size_bytes }
    }
}

/// Gives `buffer` the exact length of group `index`; one that has it already is left as it is.
fn resize(buffer: &mut Vec<u8>, list: &GroupList, index: u64) -> io::Result<()> {
    let length = list.group_len(index).map_err(io::Error::other)?;
    buffer.resize(usize::try_from(length).map_err(io::Error::other)?, 0);
    Ok(())
}
