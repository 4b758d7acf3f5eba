//! The activity log: a hash-chained local record of everything that left, arrived, was asked, refused or looked suspicious (D4).
//!
//! It is bounded (D7): what one peer does wrong, and what is said again and again, is written a few times an hour and then counted (`floods`), and of more
//! entries than are kept the oldest go, with the place of the cut in the row that tells the end of the chain (`chain`).

mod chain;
mod floods;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use inframe_protocol::NodeId;
use serde::{Deserialize, Serialize};

pub use chain::ChainFault;
use chain::{Chain, entry_at, fingerprint, number};
use floods::{Floods, Source};

use crate::clock::now_ms;
use crate::live::{Live, What};
use crate::vault::{Batch, CatalogError, Kind, Vault, VaultError, Versioned};
use crate::views::ActivityView;

/// Where the end of the chain is kept.
const HEAD_KEY: &[u8] = b"activity-head";
/// How many entries are kept: 35 MB with long sentences, years of a busy node.
const KEPT: Bounds = Bounds { most: 100_000, at_once: 1_000 };
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
    /// A browser signed in.
    SignIn,
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
            ActivityKind::SignIn => "sign-in",
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

/// Bounds of the log, in entries.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    /// Kept at least, once there were so many.
    most: u64,
    /// Cut off at once, when there are so many more than that.
    at_once: usize,
}

/// Where the chain begins and ends, in a row of its own that changes together with each entry: without it, entries cut off at an end would not be missed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Head {
    /// Number of the last entry.
    seq: u64,
    /// Its hash.
    hash: [u8; 32],
    /// Hash of the faults that the owner has been told of, so that each start does not tell them again.
    told: [u8; 32],
    /// Number of the last entry that was cut off because there were too many; 0 if none was.
    cut: u64,
    /// Its hash, which the first entry that is kept holds.
    cut_hash: [u8; 32],
}

impl Versioned for Head {
    const VERSION: u8 = 2;
    type Before = FirstHead;
}

/// The form of the first version, which cut nothing off.
#[derive(Serialize, Deserialize)]
struct FirstHead {
    seq: u64,
    hash: [u8; 32],
    told: [u8; 32],
}

crate::first_version!(FirstHead);

impl From<FirstHead> for Head {
    fn from(FirstHead { seq, hash, told }: FirstHead) -> Self {
        Self { seq, hash, told, ..Self::default() }
    }
}

/// The log; cheap to clone.
#[derive(Clone)]
pub struct Activity {
    vault: Vault,
    live: Live,
    head: Arc<Mutex<Head>>,
    floods: Arc<Mutex<Floods>>,
    bounds: Bounds,
}

impl Activity {
    /// Finds the end of the chain and verifies it; what is wrong with it is noted as suspicious, once.
    ///
    /// # Errors
    /// When the vault cannot be read or written.
    pub fn open(vault: Vault, live: Live) -> Result<Self, VaultError> {
        Self::open_within(vault, live, KEPT)
    }

    fn open_within(vault: Vault, live: Live, bounds: Bounds) -> Result<Self, VaultError> {
        let stored = vault.catalog().get_versioned::<Head>(Kind::Settings, HEAD_KEY)?;
        let found = Chain::walk(&vault, stored.as_ref())?;
        // The row is right about the hash of an entry that was changed or removed, so that what follows keeps pointing at the fault.
        let mut head = stored.clone().unwrap_or_default();
        if found.last > head.seq {
            (head.seq, head.hash) = (found.last, found.hash);
        }
        let faults = found.faults(stored.as_ref());
        let activity = Self { vault, live, head: Arc::new(Mutex::new(head)), floods: Arc::default(), bounds };
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
        self.append(ActivityKind::Suspicious, text, None, None)?;
        // Looked at again, because a fault at the end is one in the middle now.
        let told = fingerprint(&self.verify()?);
        let mut head = self.locked();
        let next = Head { told, ..head.clone() };
        let mut batch = Batch::default();
        batch.put_versioned(Kind::Settings, HEAD_KEY, &next)?;
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
        let stored = self.vault.catalog().get_versioned::<Head>(Kind::Settings, HEAD_KEY)?;
        Ok(Chain::walk(&self.vault, stored.as_ref())?.faults(stored.as_ref()))
    }

    /// Appends an entry; durable when it returns. What others asked, did wrong or were refused, said in the same words again and again, is counted
    /// instead and told once an hour. Blocking.
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
        self.sum_up(now_ms())?;
        let of_others = matches!(kind, ActivityKind::Asked | ActivityKind::Refused | ActivityKind::Suspicious);
        if of_others && asset.is_none() {
            let source = Source::sentence(&text, event.as_deref());
            if !self.floods().admit(&[source], kind, &text, event.as_deref(), now_ms()) {
                return Ok(());
            }
        }
        self.append(kind, text, asset, event)
    }

    /// As [`Activity::note`], for what one peer asked or did wrong: a few entries an hour, and a few more of all peers together; the rest is counted.
    ///
    /// # Errors
    /// When the vault fails.
    pub fn note_of(
        &self,
        peer: &NodeId,
        kind: ActivityKind,
        text: String,
        event: Option<String>,
    ) -> Result<(), VaultError> {
        self.sum_up(now_ms())?;
        let sources = [Source::peer(peer), Source::all()];
        if !self.floods().admit(&sources, kind, &text, event.as_deref(), now_ms()) {
            return Ok(());
        }
        self.append(kind, text, None, event)
    }

    /// Tells how many entries were passed over in hours that have ended. Blocking.
    ///
    /// # Errors
    /// When the vault fails.
    pub fn sum_up(&self, now: u64) -> Result<(), VaultError> {
        let ended = self.floods().take_ended(now);
        ended.into_iter().try_for_each(|sum| self.append(sum.kind, sum.text, None, sum.event))
    }

    fn floods(&self) -> MutexGuard<'_, Floods> {
        self.floods.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn append(
        &self,
        kind: ActivityKind,
        text: String,
        asset: Option<String>,
        event: Option<String>,
    ) -> Result<(), VaultError> {
        let mut head = self.locked();
        let entry = Entry { at: now_ms(), kind, text, asset, event, previous: head.hash };
        let mut next = Head { seq: head.seq + 1, hash: entry.hash()?, ..head.clone() };
        let mut batch = Batch::default();
        batch.put_as(Kind::Activity, next.seq.to_be_bytes(), &entry)?;
        let cuts = next.seq - next.cut >= self.bounds.most + self.bounds.at_once as u64;
        if cuts {
            self.cut(&mut batch, &mut next)?;
        }
        batch.put_versioned(Kind::Settings, HEAD_KEY, &next)?;
        self.vault.catalog().commit(batch)?;
        *head = next;
        if cuts && head.told != [0; 32] {
            // What was wrong with the entries that went is wrong no longer, and what stays is not to be told again.
            head.told = fingerprint(&Chain::walk(&self.vault, Some(&head))?.faults(Some(&head)));
            let mut batch = Batch::default();
            batch.put_versioned(Kind::Settings, HEAD_KEY, &*head)?;
            self.vault.catalog().commit(batch)?;
        }
        drop(head);
        self.live.tell(What::Activity, None);
        Ok(())
    }

    /// Has the oldest entries go with the batch. The hash of the last of them stays in the head, so that the rest is still a chain from there on.
    fn cut(&self, batch: &mut Batch, head: &mut Head) -> Result<(), VaultError> {
        let mut going = Vec::new();
        for (key, _) in self.vault.catalog().page_after(Kind::Activity, None, self.bounds.at_once)? {
            going.push(key.clone());
            // What cannot be read has no hash, so the cut is never there.
            if let (Some(seq), Some(entry)) = (number(&key), entry_at(&self.vault, &key)?) {
                (head.cut, head.cut_hash) = (seq, entry.hash()?);
                for key in going.drain(..) {
                    batch.remove(Kind::Activity, key);
                }
            }
        }
        Ok(())
    }

    /// Number of the last entry; 0 if there is none.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.locked().seq
    }

    /// Up to `limit` entries after that number with their own, oldest first. What is not an entry is left out.
    ///
    /// # Errors
    /// When the vault cannot be read.
    pub fn after(&self, seq: u64, limit: usize) -> Result<Vec<(u64, Entry)>, VaultError> {
        let records = self.vault.catalog().page_after(Kind::Activity, Some(&seq.to_be_bytes()), limit)?;
        let mut out = Vec::with_capacity(records.len());
        for (key, _) in records {
            if let (Some(seq), Some(entry)) = (number(&key), entry_at(&self.vault, &key)?) {
                out.push((seq, entry));
            }
        }
        Ok(out)
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

#[cfg(test)]
mod tests;
