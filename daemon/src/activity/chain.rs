//! A walk along the chain of the log, and what is wrong with it.

use std::cmp::Ordering;
use std::fmt;

use super::{Entry, Head};
use crate::vault::{CatalogError, Kind, Vault};

/// Entries in memory at a time while the chain is verified.
const ENTRIES_PER_PAGE: usize = 1000;

/// What is wrong with the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChainFault {
    /// Entries were removed.
    Missing {
        /// The first of them.
        first: u64,
        /// The last of them.
        last: u64,
    },
    /// The entry does not follow the one before it: one of the two was changed, or put in this place.
    Broken {
        /// Its number.
        seq: u64,
    },
    /// The last entry is not the one that was written last: it was changed, or put there.
    End {
        /// Its number.
        seq: u64,
    },
}

impl fmt::Display for ChainFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { first, last } if first == last => write!(f, "entry {first} is missing"),
            Self::Missing { first, last } => write!(f, "entries {first} to {last} are missing"),
            Self::Broken { seq } => write!(f, "entry {seq} does not follow the one before it"),
            Self::End { seq } => write!(f, "entry {seq} is not the one that was written last"),
        }
    }
}

pub(super) fn number(key: &[u8]) -> Option<u64> {
    <[u8; 8]>::try_from(key).ok().map(u64::from_be_bytes)
}

/// The entry at `key`; `None` if what is there is none.
pub(super) fn entry_at(vault: &Vault, key: &[u8]) -> Result<Option<Entry>, CatalogError> {
    match vault.catalog().get_as(Kind::Activity, key) {
        Err(CatalogError::Decode { .. }) => Ok(None),
        other => other,
    }
}

pub(super) fn fingerprint(faults: &[ChainFault]) -> [u8; 32] {
    let words: Vec<String> = faults.iter().map(ToString::to_string).collect();
    blake3::derive_key("inframe activity chain v1: faults", words.join("\n").as_bytes())
}

/// A walk along the entries.
pub(super) struct Chain {
    /// Number of the last entry; 0 if there is none.
    pub(super) last: u64,
    /// Hash of the last entry.
    pub(super) hash: [u8; 32],
    faults: Vec<ChainFault>,
}

impl Chain {
    /// Walks from the first entry that `head` says is kept, or from the very first.
    pub(super) fn walk(vault: &Vault, head: Option<&Head>) -> Result<Self, CatalogError> {
        let (cut, hash) = head.map_or((0, [0; 32]), |head| (head.cut, head.cut_hash));
        let mut chain = Self { last: cut, hash, faults: Vec::new() };
        // Whether the hash of the entry before is known.
        let mut linked = true;
        let mut after: Option<Vec<u8>> = None;
        loop {
            let page = vault.catalog().page_after(Kind::Activity, after.as_deref(), ENTRIES_PER_PAGE)?;
            let Some((last_key, _)) = page.last() else { return Ok(chain) };
            after = Some(last_key.clone());
            for (key, _) in page {
                let (Some(seq), Some(entry)) = (number(&key), entry_at(vault, &key)?) else {
                    let seq = number(&key).unwrap_or(chain.last + 1);
                    chain.faults.push(ChainFault::Broken { seq });
                    chain.last = chain.last.max(seq);
                    linked = false;
                    continue;
                };
                if seq > chain.last + 1 {
                    chain.faults.push(ChainFault::Missing { first: chain.last + 1, last: seq - 1 });
                } else if linked && entry.previous != chain.hash {
                    chain.faults.push(ChainFault::Broken { seq });
                }
                (chain.last, chain.hash, linked) = (seq, entry.hash()?, true);
            }
        }
    }

    /// The faults along the way, and those at the end that `head` tells.
    pub(super) fn faults(mut self, head: Option<&Head>) -> Vec<ChainFault> {
        let (seq, hash) = head.map_or((0, [0; 32]), |head| (head.seq, head.hash));
        match self.last.cmp(&seq) {
            Ordering::Less => self.faults.push(ChainFault::Missing { first: self.last + 1, last: seq }),
            Ordering::Equal if hash == self.hash => {}
            Ordering::Equal | Ordering::Greater => self.faults.push(ChainFault::End { seq: self.last }),
        }
        self.faults
    }
}
