//! The profiles that this node may look for, the owner's own and those of the children whose guardian the owner is, with their selfies and the
//! consents behind them.

mod error;
mod likeness;
mod receipts;
mod stored;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use inframe_protocol::limits::MAX_LIVE_FIND_MES;

use super::consent::Scope;
use super::pack::{ActivePack, Pack};
use crate::clock::now_ms;
use crate::vault::{Batch, Kind, Vault, VaultError};
use crate::views::ConsentTextView;

pub use error::ProfileError;
pub use likeness::{Likable, Likeness};
pub use receipts::is_signed;
pub use stored::{ConsentReceipt, ProfileId, StoredProfile, StoredSelfie};

/// Selfies that one profile may hold; more add nothing to accuracy.
pub const MAX_SELFIES: usize = 8;

/// Profiles of one node, the owner's included: as many as may be announced in one event (rule R38 of the protocol).
pub const MAX_PROFILES: usize = MAX_LIVE_FIND_MES;

/// Names a selfie.
pub type SelfieId = [u8; 8];

/// Key of the standing consent to face finding; receipts are kept under their time beside it.
const STANDING: &[u8] = b"faces";

/// What the keys of guests' receipts begin with.
const GUEST_RECEIPT: &[u8] = b"guest-receipt";

fn guest_receipt(guest: [u8; 16], at: u64) -> Vec<u8> {
    [GUEST_RECEIPT, &at.to_be_bytes(), &guest].concat()
}

#[derive(Default)]
struct Held {
    selfies: Vec<(SelfieId, StoredSelfie)>,
    children: BTreeMap<ProfileId, StoredProfile>,
    consent: Option<ConsentReceipt>,
}

impl Held {
    fn selfies_of(&self, profile: ProfileId) -> impl Iterator<Item = &(SelfieId, StoredSelfie)> {
        self.selfies.iter().filter(move |(_, selfie)| selfie.profile == profile)
    }

    fn knows(&self, profile: ProfileId) -> bool {
        profile == ProfileId::ME || self.children.contains_key(&profile)
    }
}

/// All profiles; cheap to clone.
#[derive(Clone)]
pub struct Profiles {
    vault: Vault,
    pack: ActivePack,
    held: Arc<Mutex<Held>>,
    /// Held from the check of consent to the commit of what it allows, and while everything is erased.
    gate: Arc<Mutex<()>>,
}

impl Profiles {
    /// Reads them from the catalog. Only selfies of the pack in use count.
    ///
    /// # Errors
    /// When the vault cannot be read.
    pub fn open(vault: Vault, pack: ActivePack) -> Result<Self, VaultError> {
        let catalog = vault.catalog();
        let mut selfies = Vec::new();
        for (key, selfie) in catalog.scan_versioned::<StoredSelfie>(Kind::Selfie)? {
            selfies.extend(SelfieId::try_from(key.as_slice()).ok().map(|id| (id, selfie)));
        }
        selfies.sort_by_key(|(_, selfie)| selfie.at);
        let mut children = BTreeMap::new();
        for (key, child) in catalog.scan_as::<StoredProfile>(Kind::Profile)? {
            children.extend(<[u8; 8]>::try_from(key.as_slice()).ok().map(|id| (ProfileId(id), child)));
        }
        let consent = catalog.get_versioned(Kind::Consent, STANDING)?;
        let held = Held { selfies, children, consent };
        Ok(Self { vault, pack, held: Arc::new(Mutex::new(held)), gate: Arc::default() })
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn gate(&self) -> MutexGuard<'_, ()> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When consent to face finding was given.
    #[must_use]
    pub fn consent_at(&self) -> Option<u64> {
        self.held().consent.as_ref().map(|consent| consent.at)
    }

    /// Does what needs consent, if it stands, such that no erasure comes between; blocking.
    pub fn if_consented<T>(&self, work: impl FnOnce() -> T) -> Option<T> {
        let _no_erasure = self.gate();
        self.consent_at().is_some().then(work)
    }

    /// Every profile: the owner's, then the children's in the order in which they were made.
    #[must_use]
    pub fn ids(&self) -> Vec<ProfileId> {
        let held = self.held();
        let mut children: Vec<_> = held.children.iter().map(|(id, child)| (child.at, *id)).collect();
        children.sort_unstable();
        std::iter::once(ProfileId::ME).chain(children.into_iter().map(|(_, id)| id)).collect()
    }

    /// A child's profile.
    #[must_use]
    pub fn child(&self, profile: ProfileId) -> Option<StoredProfile> {
        self.held().children.get(&profile).cloned()
    }

    /// Selfies of a profile, oldest first, with their ids in hex.
    #[must_use]
    pub fn selfies(&self, profile: ProfileId) -> Vec<(String, StoredSelfie)> {
        let held = self.held();
        held.selfies_of(profile).map(|(id, selfie)| (data_encoding::HEXLOWER.encode(id), selfie.clone())).collect()
    }

    /// Notes a consent that was given to the current text. Durable when it returns.
    ///
    /// # Errors
    /// [`ProfileError::OtherText`] when the hash is not that of the current text.
    pub fn give_consent(
        &self,
        scope: Scope,
        text_hash: &str,
        event: Option<[u8; 32]>,
        profile: ProfileId,
    ) -> Result<(), ProfileError> {
        let receipt = self.receipt(scope, text_hash, event, profile)?;
        let mut batch = Batch::default();
        receipts::put(&mut batch, &receipt)?;
        if scope == Scope::Faces {
            batch.put_versioned(Kind::Consent, STANDING, &receipt)?;
        }
        self.vault.catalog().commit(batch)?;
        if scope == Scope::Faces {
            self.held().consent = Some(receipt);
        }
        Ok(())
    }

    /// Keeps the proof that a guest of an event agreed to the text for guests; without their name and their face. Durable when it returns.
    ///
    /// # Errors
    /// When the vault fails.
    pub fn keep_guest_receipt(&self, event: [u8; 32], guest: [u8; 16], at: u64) -> Result<(), ProfileError> {
        let scope = Scope::Guest;
        let (text_hash, version) = (scope.text_hash(), scope.version());
        let (event, profile) = (Some(event), ProfileId::ME);
        let receipt = ConsentReceipt { scope, text_hash, version, at, event, profile, signature: None };
        let receipt = receipts::signed(&self.vault, receipt)?;
        let key = guest_receipt(guest, at);
        let mut batch = Batch::default();
        batch.put_versioned(Kind::Consent, key, &receipt)?;
        Ok(self.vault.catalog().commit(batch)?)
    }

    /// The version of the text that a guest agreed to at this time, if they did.
    ///
    /// # Errors
    /// When the vault cannot be read.
    pub fn guest_agreed_to(&self, guest: [u8; 16], at: u64) -> Result<Option<u32>, ProfileError> {
        let receipt = self.vault.catalog().get_versioned::<ConsentReceipt>(Kind::Consent, guest_receipt(guest, at))?;
        Ok(receipt.map(|receipt| receipt.version))
    }

    /// Every receipt, oldest first; they outlive what they allowed.
    ///
    /// # Errors
    /// When the vault cannot be read.
    pub fn receipts(&self) -> Result<Vec<ConsentReceipt>, ProfileError> {
        let all = self.vault.catalog().scan_versioned::<ConsentReceipt>(Kind::Consent)?;
        Ok(all.into_iter().filter(|(key, _)| key.starts_with(ConsentReceipt::PREFIX)).map(|(_, one)| one).collect())
    }

    /// The text that a receipt is about, where it is still known.
    ///
    /// # Errors
    /// When the vault cannot be read.
    pub fn agreed_text(&self, receipt: &ConsentReceipt) -> Result<Option<ConsentTextView>, ProfileError> {
        receipts::text(&self.vault, receipt)
    }

    /// The public key with which receipts are checked; none before the first.
    ///
    /// # Errors
    /// When the vault cannot be read.
    pub fn receipts_key(&self) -> Result<Option<[u8; 32]>, ProfileError> {
        Ok(receipts::public(&self.vault)?.map(|key| key.0))
    }

    /// Makes the profile of a child after its guardian's declaration, with the receipt. Durable when it returns.
    ///
    /// # Errors
    /// Without consent to face finding, with another text, without a name of its own, or when there are too many.
    pub fn add_child(&self, name: &str, text_hash: &str) -> Result<ProfileId, ProfileError> {
        let _no_erasure = self.gate();
        if self.consent_at().is_none() {
            return Err(ProfileError::NoConsent);
        }
        if name.is_empty() {
            return Err(ProfileError::NoName);
        }
        let mut id = ProfileId::ME;
        getrandom::fill(&mut id.0).map_err(|_| ProfileError::Random)?;
        let receipt = self.receipt(Scope::Guardian, text_hash, None, id)?;
        let mut held = self.held();
        if held.children.len() + 1 >= MAX_PROFILES {
            return Err(ProfileError::TooMany);
        }
        if held.children.values().any(|child| child.name == name) {
            return Err(ProfileError::NameTaken);
        }
        let child = StoredProfile { name: name.to_owned(), at: receipt.at };
        let mut batch = Batch::default();
        batch.put_as(Kind::Profile, id.0, &child)?;
        receipts::put(&mut batch, &receipt)?;
        self.vault.catalog().commit(batch)?;
        held.children.insert(id, child);
        Ok(id)
    }

    /// Erases a child's profile with its selfies, durably; the receipts stay as proof.
    ///
    /// # Errors
    /// When there is none, or the vault fails.
    pub fn remove_child(&self, profile: ProfileId) -> Result<(), ProfileError> {
        let _nothing_new = self.gate();
        let mut held = self.held();
        if !held.children.contains_key(&profile) {
            return Err(ProfileError::NoProfile);
        }
        let mut batch = Batch::default();
        batch.remove(Kind::Profile, profile.0);
        for (id, _) in held.selfies_of(profile) {
            batch.remove(Kind::Selfie, id);
        }
        self.vault.catalog().commit(batch)?;
        held.children.remove(&profile);
        held.selfies.retain(|(_, selfie)| selfie.profile != profile);
        Ok(())
    }

    /// How many more selfies a profile may hold.
    ///
    /// # Errors
    /// Without consent, when there is no such profile, or when it is full.
    pub fn room(&self, profile: ProfileId) -> Result<usize, ProfileError> {
        let held = self.held();
        if held.consent.is_none() {
            return Err(ProfileError::NoConsent);
        }
        if !held.knows(profile) {
            return Err(ProfileError::NoProfile);
        }
        match MAX_SELFIES.saturating_sub(held.selfies_of(profile).count()) {
            0 => Err(ProfileError::Full),
            room => Ok(room),
        }
    }

    /// Adds selfies of one profile, all or none. Durable when it returns.
    ///
    /// # Errors
    /// Without consent, when full, or when one shows somebody else than the other selfies.
    pub fn add_selfies(&self, profile: ProfileId, selfies: Vec<StoredSelfie>) -> Result<(), ProfileError> {
        let _no_erasure = self.gate();
        if self.room(profile)? < selfies.len() {
            return Err(ProfileError::Full);
        }
        let mut batch = Batch::default();
        let mut added = Vec::new();
        for selfie in selfies {
            if !self.may_be(profile, &selfie.pack, &selfie.embedding) {
                return Err(ProfileError::OtherPerson);
            }
            let mut id = SelfieId::default();
            getrandom::fill(&mut id).map_err(|_| ProfileError::Random)?;
            let selfie = StoredSelfie { profile, ..selfie };
            batch.put_versioned(Kind::Selfie, id, &selfie)?;
            added.push((id, selfie));
        }
        self.vault.catalog().commit(batch)?;
        self.held().selfies.extend(added);
        Ok(())
    }

    /// Removes a selfie of a profile, durably.
    ///
    /// # Errors
    /// When there is none with that id.
    pub fn remove_selfie(&self, profile: ProfileId, id: &str) -> Result<(), ProfileError> {
        let key = data_encoding::HEXLOWER.decode(id.as_bytes()).map_err(|_| ProfileError::NotFound)?;
        if !self.held().selfies_of(profile).any(|(known, _)| known.as_slice() == key) {
            return Err(ProfileError::NotFound);
        }
        let mut batch = Batch::default();
        batch.remove(Kind::Selfie, &key);
        self.vault.catalog().commit(batch)?;
        self.held().selfies.retain(|(known, _)| known.as_slice() != key);
        Ok(())
    }

    /// Every selfie of every profile.
    #[must_use]
    pub fn all_selfies(&self) -> Vec<(SelfieId, StoredSelfie)> {
        self.held().selfies.clone()
    }

    /// Uses another model pack from now on, with these selfies described by it, all in one commit with `batch`. Selfies that were removed
    /// meanwhile stay away.
    ///
    /// # Errors
    /// When the vault fails; nothing is changed then.
    pub fn change_pack(
        &self,
        pack: Pack,
        selfies: Vec<(SelfieId, StoredSelfie)>,
        mut batch: Batch,
    ) -> Result<(), ProfileError> {
        let _no_erasure = self.gate();
        let mut held = self.held();
        let mut next = held.selfies.clone();
        for (id, selfie) in selfies {
            if let Some((_, known)) = next.iter_mut().find(|(known, _)| *known == id) {
                batch.put_versioned(Kind::Selfie, id, &selfie)?;
                *known = selfie;
            }
        }
        self.vault.catalog().commit(batch)?;
        held.selfies = next;
        self.pack.set(pack);
        Ok(())
    }

    /// Erases all profiles, selfies and the standing consent, then `more`, durably; receipts of past consents stay as proof.
    ///
    /// # Errors
    /// When the vault fails.
    pub fn erase<E: From<ProfileError>>(&self, more: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        let _nothing_new = self.gate();
        self.erase_own()?;
        more()
    }

    fn erase_own(&self) -> Result<(), ProfileError> {
        let mut held = self.held();
        let mut batch = Batch::default();
        for (id, _) in &held.selfies {
            batch.remove(Kind::Selfie, id);
        }
        for id in held.children.keys() {
            batch.remove(Kind::Profile, id.0);
        }
        batch.remove(Kind::Consent, STANDING);
        self.vault.catalog().commit(batch)?;
        *held = Held::default();
        Ok(())
    }

    fn receipt(
        &self,
        scope: Scope,
        text_hash: &str,
        event: Option<[u8; 32]>,
        profile: ProfileId,
    ) -> Result<ConsentReceipt, ProfileError> {
        if text_hash != scope.text_hash() {
            return Err(ProfileError::OtherText);
        }
        let (text_hash, version, at) = (text_hash.into(), scope.version(), now_ms());
        let receipt = ConsentReceipt { scope, text_hash, version, at, event, profile, signature: None };
        receipts::signed(&self.vault, receipt)
    }
}
