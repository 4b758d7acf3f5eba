//! The activity log: a hash-chained local record of everything that left, arrived, was asked, refused or looked suspicious (D4).

use std::cmp::Ordering;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::clock::now_ms;
use crate::live::{Live, What};
use crate::vault::{Batch, CatalogError, Kind, Vault, VaultError};
use crate::views::ActivityView;

/// Where the end of the chain is kept.
const HEAD_KEY: &[u8] = b"activity-head";
/// Entries in memory at a time while the chain is verified.
const ENTRIES_PER_PAGE: usize = 1000;
/// Faults that the note about them names.
const FAULTS_SHOWN: usize = 3;

/// What an entry is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ActivityKind {
    /// A photo left.
    Left,
    /// A photo arrived.
    Arrived,
    /// Somebody asked for something.
    Asked,
    /// Something was refused.
    Refused,
    /// Something looked suspicious.
    Suspicious,
    /// Consent was given or taken back.
    Consent,
    /// Somebody joined, left or was removed.
    Member,
    /// A model pack was added or changed.
    Models,
}

impl ActivityKind {
    fn word(self) -> &'static str {
        match self {
            ActivityKind::Left => "left",
            ActivityKind::Arrived => "arrived",
            ActivityKind::Asked => "asked",
            ActivityKind::Refused => "refused",
            ActivityKind::Suspicious => "suspicious",
            ActivityKind::Consent => "consent",
            ActivityKind::Member => "member",
            ActivityKind::Models => "models",
        }
    }
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Time, Unix milliseconds.
    pub at: u64,
    /// Kind.
    pub kind: ActivityKind,
    /// A sentence for the owner.
    pub text: String,
    /// Asset concerned, hex.
    pub asset: Option<String>,
    /// Event concerned, hex.
    pub event: Option<String>,
    /// Hash of the entry before; zeros for the first.
    pub previous: [u8; 32],
}

impl Entry {
    fn hash(&self) -> Result<[u8; 32], CatalogError> {
        let bytes =
            postcard::to_stdvec(self).map_err(|source| CatalogError::Encode { kind: Kind::Activity, source })?;
        Ok(blake3::derive_key("inframe activity chain v1", &bytes))
    }
}

/// Where the chain ends, in a row of its own that changes together with each entry: without it, entries cut off at the end would not be missed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Head {
    /// Number of the last entry.
    seq: u64,
    /// Its hash.
    hash: [u8; 32],
    /// Hash of the faults that the owner has been told of, so that each start does not tell them again.
    told: [u8; 32],
}

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

/// The log; cheap to clone.
#[derive(Clone)]
pub struct Activity {
    vault: Vault,
    live: Live,
    head: Arc<Mutex<Head>>,
}

impl Activity {
    /// Finds the end of the chain and verifies it; what is wrong with it is noted as suspicious, once.
    ///
    /// # Errors
    /// When the vault cannot be read or written.
    pub fn open(vault: Vault, live: Live) -> Result<Self, VaultError> {
        let stored = vault.catalog().get_as::<Head>(Kind::Settings, HEAD_KEY)?;
        let found = Chain::walk(&vault)?;
        // The row is right about the hash of an entry that was changed or removed, so that what follows keeps pointing at the fault.
        let mut head = stored.clone().unwrap_or(Head { seq: 0, hash: [0; 32], told: [0; 32] });
        if found.last > head.seq {
            (head.seq, head.hash) = (found.last, found.hash);
        }
        let faults = found.faults(stored.as_ref());
        let activity = Self { vault, live, head: Arc::new(Mutex::new(head)) };
        activity.tell_of(&faults)?;
        Ok(activity)
    }

    fn tell_of(&self, faults: &[ChainFault]) -> Result<(), VaultError> {
        if faults.is_empty() || self.locked().told == fingerprint(faults) {
            return Ok(());
        }
        let shown = faults.iter().take(FAULTS_SHOWN).map(ToString::to_string).collect::<Vec<_>>().join("; ");
        let more = match faults.len().saturating_sub(FAULTS_SHOWN) {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        let text = format!("This log was damaged or changed by somebody: {shown}{more}.");
        tracing::warn!(faults = faults.len(), "the chain of the activity log is broken");
        self.note(ActivityKind::Suspicious, text, None, None)?;
        // Looked at again, because a fault at the end is one in the middle now.
        let told = fingerprint(&self.verify()?);
        let mut head = self.locked();
        let next = Head { told, ..head.clone() };
        let mut batch = Batch::default();
        batch.put_as(Kind::Settings, HEAD_KEY, &next)?;
        self.vault.catalog().commit(batch)?;
        *head = next;
        Ok(())
    }

    /// What is wrong with the chain; empty if it is whole. Reads every entry. Blocking.
    ///
    /// # Errors
    /// When the vault cannot be read.
    pub fn verify(&self) -> Result<Vec<ChainFault>, VaultError> {
        // Held over the walk: an entry appended meanwhile would look like one that was put there.
        let _head = self.locked();
        let stored = self.vault.catalog().get_as::<Head>(Kind::Settings, HEAD_KEY)?;
        Ok(Chain::walk(&self.vault)?.faults(stored.as_ref()))
    }

    /// Appends an entry; durable when it returns. Blocking.
    ///
    /// # Errors
    /// When the vault fails; then nothing may leave.
    pub fn note(
        &self,
        kind: ActivityKind,
        text: String,
        asset: Option<String>,
        event: Option<String>,
    ) -> Result<(), VaultError> {
        let mut head = self.locked();
        let entry = Entry { at: now_ms(), kind, text, asset, event, previous: head.hash };
        let next = Head { seq: head.seq + 1, hash: entry.hash()?, told: head.told };
        let mut batch = Batch::default();
        batch.put_as(Kind::Activity, next.seq.to_be_bytes(), &entry)?;
        batch.put_as(Kind::Settings, HEAD_KEY, &next)?;
        self.vault.catalog().commit(batch)?;
        *head = next;
        drop(head);
        self.live.tell(What::Activity, None);
        Ok(())
    }

    /// Entries before `before` (or the newest), newest first. What is not an entry is left out; [`Activity::verify`] reports it.
    ///
    /// # Errors
    /// When the vault cannot be read.
    pub fn read(&self, before: Option<u64>, limit: u32) -> Result<Vec<ActivityView>, VaultError> {
        let before = before.map(u64::to_be_bytes);
        let before = before.as_ref().map(<[u8; 8]>::as_slice);
        let records = self.vault.catalog().page_before(Kind::Activity, before, limit as usize)?;
        let mut out = Vec::with_capacity(records.len());
        for (key, _) in records {
            let (Some(seq), Some(entry)) = (number(&key), entry_at(&self.vault, &key)?) else { continue };
            out.push(ActivityView {
                seq,
                at: entry.at,
                kind: entry.kind.word().into(),
                text: entry.text,
                asset: entry.asset,
                event: entry.event,
            });
        }
        Ok(out)
    }

    fn locked(&self) -> MutexGuard<'_, Head> {
        self.head.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn number(key: &[u8]) -> Option<u64> {
    <[u8; 8]>::try_from(key).ok().map(u64::from_be_bytes)
}

/// The entry at `key`; `None` if what is there is none.
fn entry_at(vault: &Vault, key: &[u8]) -> Result<Option<Entry>, CatalogError> {
    match vault.catalog().get_as(Kind::Activity, key) {
        Err(CatalogError::Decode { .. }) => Ok(None),
        other => other,
    }
}

fn fingerprint(faults: &[ChainFault]) -> [u8; 32] {
    let words: Vec<String> = faults.iter().map(ToString::to_string).collect();
    blake3::derive_key("inframe activity chain v1: faults", words.join("\n").as_bytes())
}

/// A walk along the entries.
struct Chain {
    /// Number of the last entry; 0 if there is none.
    last: u64,
    /// Hash of the last entry.
    hash: [u8; 32],
    faults: Vec<ChainFault>,
}

impl Chain {
    fn walk(vault: &Vault) -> Result<Self, CatalogError> {
        let mut chain = Self { last: 0, hash: [0; 32], faults: Vec::new() };
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
    fn faults(mut self, head: Option<&Head>) -> Vec<ChainFault> {
        let (seq, hash) = head.map_or((0, [0; 32]), |head| (head.seq, head.hash));
        match self.last.cmp(&seq) {
            Ordering::Less => self.faults.push(ChainFault::Missing { first: self.last + 1, last: seq }),
            Ordering::Equal if hash == self.hash => {}
            Ordering::Equal | Ordering::Greater => self.faults.push(ChainFault::End { seq: self.last }),
        }
        self.faults
    }
}

#[cfg(test)]
mod tests;
