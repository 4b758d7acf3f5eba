//! The profile "me": consent, selfies, and the question whether a face is mine.

use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::consent::Scope;
use crate::clock::now_ms;
use crate::vault::{Batch, CatalogError, Kind, Vault, VaultError, Versioned};

/// Selfies that one profile may hold; more add nothing to accuracy.
pub const MAX_SELFIES: usize = 8;

/// A selfie's embedding with a small still of the face.
#[derive(Clone, Serialize, Deserialize)]
pub struct StoredSelfie {
    /// Model pack of the embedding.
    pub pack: String,
    /// Raw embedding.
    pub embedding: Vec<f32>,
    /// JPEG of at most 3,000 bytes; sent along with a find-me.
    pub still: Vec<u8>,
    /// Quality 0..1.
    pub quality: f32,
    /// When enrolled, Unix milliseconds.
    pub at: u64,
    /// Whose it is; zeros for the owner.
    pub profile: [u8; 8],
    /// Whether it was taken before a camera while the person followed instructions, so that it is no photo of a photo.
    pub live: bool,
    /// JPEG of the face with some surroundings, from which another model pack can compute its own embedding; empty for selfies of the first
    /// version.
    pub source: Vec<u8>,
}

impl Versioned for StoredSelfie {
    const VERSION: u8 = 2;
    type Before = first::StoredSelfie;
}

impl std::fmt::Debug for StoredSelfie {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StoredSelfie {{ quality: {:.2}, hidden }}", self.quality)
    }
}

/// What was agreed to, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsentReceipt {
    /// Scope.
    pub scope: Scope,
    /// Hash of the text shown, hex.
    pub text_hash: String,
    /// Version of the text.
    pub version: u32,
    /// When, Unix milliseconds.
    pub at: u64,
    /// Event, for an announcement.
    pub event: Option<[u8; 32]>,
}

/// Why the profile could not be changed.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// The text hash is not the current one.
    #[error("the consent text has changed meanwhile; please read it again")]
    OtherText,
    /// No consent to face finding yet.
    #[error("please read and accept the consent text on finding faces first")]
    NoConsent,
    /// Too many selfies.
    #[error("there are {MAX_SELFIES} selfies already; remove one first")]
    Full,
    /// The new selfie shows somebody else.
    #[error("this selfie does not look like the person of the other selfies; remove those first if they are wrong")]
    OtherPerson,
    /// No such selfie.
    #[error("no such selfie")]
    NotFound,
    /// The vault failed.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The catalog failed.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// No randomness.
    #[error("the system gives no random numbers")]
    Random,
}

/// How near a face is to the profile.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Likeness {
    /// Within the sure threshold of a selfie.
    Me(f32),
    /// Within the maybe threshold.
    Perhaps(f32),
    /// Further away, or nothing to compare with.
    NotMe,
}

type SelfieId = [u8; 8];

#[derive(Default)]
struct Held {
    selfies: Vec<(SelfieId, StoredSelfie)>,
    consent: Option<ConsentReceipt>,
}

/// The profile "me"; cheap to clone.
#[derive(Clone)]
pub struct Profile {
    vault: Vault,
    pack: String,
    sure: f32,
    maybe: f32,
    held: Arc<Mutex<Held>>,
    /// Held from the check of consent to the commit of what it allows, and while everything is erased.
    gate: Arc<Mutex<()>>,
}

/// Key of the standing consent to face finding; receipts are kept under their time beside it.
const STANDING: &[u8] = b"faces";

impl Profile {
    /// Reads it from the catalog. `sure` and `maybe` are the pack's raw distance thresholds.
    ///
    /// # Errors
    /// When the vault cannot be read.
    pub fn open(vault: Vault, pack: String, sure: f32, maybe: f32) -> Result<Self, VaultError> {
        let mut selfies: Vec<(SelfieId, StoredSelfie)> = vault
            .catalog()
            .scan_versioned::<StoredSelfie>(Kind::Selfie)?
            .into_iter()
            .filter_map(|(key, selfie)| Some((SelfieId::try_from(key.as_slice()).ok()?, selfie)))
            .collect();
        selfies.sort_by_key(|(_, selfie)| selfie.at);
        let consent = vault.catalog().get_as(Kind::Consent, STANDING)?;
        Ok(Self {
            vault,
            pack,
            sure,
            maybe,
            held: Arc::new(Mutex::new(Held { selfies, consent })),
            gate: Arc::default(),
        })
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When consent to face finding was given.
    #[must_use]
    pub fn consent_at(&self) -> Option<u64> {
        self.held().consent.as_ref().map(|consent| consent.at)
    }

    /// Does what needs consent, if it stands, such that no erasure comes between; blocking.
    pub fn if_consented<T>(&self, work: impl FnOnce() -> T) -> Option<T> {
        let _no_erasure = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        self.consent_at().is_some().then(work)
    }

    /// Selfies, oldest first.
    #[must_use]
    pub fn selfies(&self) -> Vec<(String, StoredSelfie)> {
        self.held().selfies.iter().map(|(id, s)| (data_encoding::HEXLOWER.encode(id), s.clone())).collect()
    }

    /// Keeps a receipt; for [`Scope::Faces`] it becomes the standing consent. Durable when it returns.
    ///
    /// # Errors
    /// [`ProfileError::OtherText`] when the hash is not that of the current text.
    pub fn give_consent(&self, scope: Scope, text_hash: &str, event: Option<[u8; 32]>) -> Result<(), ProfileError> {
        if text_hash != scope.text_hash() {
            return Err(ProfileError::OtherText);
        }
        let receipt =
            ConsentReceipt { scope, text_hash: text_hash.into(), version: scope.version(), at: now_ms(), event };
        let mut batch = Batch::default();
        batch.put_as(Kind::Consent, receipt_key(&receipt), &receipt)?;
        if scope == Scope::Faces {
            batch.put_as(Kind::Consent, STANDING, &receipt)?;
        }
        self.vault.catalog().commit(batch)?;
        if scope == Scope::Faces {
            self.held().consent = Some(receipt);
        }
        Ok(())
    }

    /// Adds a selfie. Durable when it returns.
    ///
    /// # Errors
    /// Without consent, when full, or when it shows somebody else than the other selfies.
    pub fn add_selfie(&self, selfie: StoredSelfie) -> Result<(), ProfileError> {
        let _no_erasure = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        {
            let held = self.held();
            if held.consent.is_none() {
                return Err(ProfileError::NoConsent);
            }
            if held.selfies.len() >= MAX_SELFIES {
                return Err(ProfileError::Full);
            }
        }
        if !self.held().selfies.is_empty() && self.likeness(&selfie.pack, &selfie.embedding) == Likeness::NotMe {
            return Err(ProfileError::OtherPerson);
        }
        let mut id = [0; 8];
        getrandom::fill(&mut id).map_err(|_| ProfileError::Random)?;
        let mut batch = Batch::default();
        batch.put_versioned(Kind::Selfie, id, &selfie)?;
        self.vault.catalog().commit(batch)?;
        self.held().selfies.push((id, selfie));
        Ok(())
    }

    /// Removes a selfie, durably.
    ///
    /// # Errors
    /// When there is none with that id.
    pub fn remove_selfie(&self, id: &str) -> Result<(), ProfileError> {
        let key = data_encoding::HEXLOWER.decode(id.as_bytes()).map_err(|_| ProfileError::NotFound)?;
        if !self.held().selfies.iter().any(|(known, _)| known.as_slice() == key) {
            return Err(ProfileError::NotFound);
        }
        let mut batch = Batch::default();
        batch.remove(Kind::Selfie, &key);
        self.vault.catalog().commit(batch)?;
        self.held().selfies.retain(|(known, _)| known.as_slice() != key);
        Ok(())
    }

    /// Erases selfies and the standing consent, then `more`, durably; receipts of past consents stay as proof.
    ///
    /// # Errors
    /// When the vault fails.
    pub fn erase<E: From<ProfileError>>(&self, more: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        let _nothing_new = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        self.erase_own()?;
        more()
    }

    fn erase_own(&self) -> Result<(), ProfileError> {
        let mut batch = Batch::default();
        for (id, _) in &self.held().selfies {
            batch.remove(Kind::Selfie, id);
        }
        batch.remove(Kind::Consent, STANDING);
        self.vault.catalog().commit(batch)?;
        *self.held() = Held::default();
        Ok(())
    }

    /// The embedding to announce: the mean of the selfies of the current pack, with the best still.
    #[must_use]
    pub fn portrait(&self) -> Option<(Vec<f32>, Vec<u8>)> {
        let held = self.held();
        let mine: Vec<&StoredSelfie> =
            held.selfies.iter().map(|(_, s)| s).filter(|s| s.pack == self.pack && !s.embedding.is_empty()).collect();
        let best = mine.iter().max_by(|a, b| a.quality.total_cmp(&b.quality))?;
        let mut mean = vec![0f32; best.embedding.len()];
        for selfie in &mine {
            for (sum, value) in mean.iter_mut().zip(&selfie.embedding) {
                *sum += value / mine.len() as f32;
            }
        }
        Some((mean, best.still.clone()))
    }

    /// Embeddings of the owner's selfies, of the current pack.
    #[must_use]
    pub fn embeddings(&self) -> Vec<Vec<f32>> {
        let held = self.held();
        let mine =
            held.selfies.iter().map(|(_, selfie)| selfie).filter(|one| one.pack == self.pack && one.profile == [0; 8]);
        mine.map(|selfie| selfie.embedding.clone()).filter(|embedding| !embedding.is_empty()).collect()
    }

    /// Whether a face is mine, by the full embedding.
    #[must_use]
    pub fn likeness(&self, pack: &str, embedding: &[f32]) -> Likeness {
        let nearest = self
            .held()
            .selfies
            .iter()
            .filter(|(_, s)| s.pack == pack && s.embedding.len() == embedding.len())
            .map(|(_, s)| distance(&s.embedding, embedding))
            .min_by(f32::total_cmp);
        match nearest {
            Some(d) if d <= self.sure => Likeness::Me(d),
            Some(d) if d <= self.maybe => Likeness::Perhaps(d),
            _ => Likeness::NotMe,
        }
    }
}

fn distance(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| (x - y) * (x - y)).sum::<f32>().sqrt()
}

fn receipt_key(receipt: &ConsentReceipt) -> Vec<u8> {
    let mut key = b"receipt".to_vec();
    key.extend_from_slice(&receipt.at.to_be_bytes());
    key.push(receipt.scope as u8);
    key.extend_from_slice(&receipt.event.map_or([0; 8], |e| [e[0], e[1], e[2], e[3], e[4], e[5], e[6], e[7]]));
    key
}

/// The form of the first version.
mod first {
    use serde::{Deserialize, Serialize};

    #[derive(Serialize, Deserialize)]
    pub struct StoredSelfie {
        pack: String,
        embedding: Vec<f32>,
        still: Vec<u8>,
        quality: f32,
        at: u64,
    }

    crate::first_version!(StoredSelfie);

    impl From<StoredSelfie> for super::StoredSelfie {
        fn from(StoredSelfie { pack, embedding, still, quality, at }: StoredSelfie) -> Self {
            Self { pack, embedding, still, quality, at, profile: [0; 8], live: false, source: Vec::new() }
        }
    }
}
