//! Guests' faces, and the photos in which they were found.

use std::sync::Arc;

use super::{Guests, StoredGuestMatch, StoredGuestSelfie, Word};
use crate::library::{AssetId, GuestId};
use crate::vault::VaultError;

fn match_key(guest: GuestId, asset: AssetId) -> Vec<u8> {
    [guest.0, asset.0].concat()
}

impl Guests {
    /// A guest's face.
    #[must_use]
    pub fn selfie(&self, guest: GuestId) -> Option<Arc<StoredGuestSelfie>> {
        self.inner.selfies.get(&guest.0)
    }

    /// Every guest's face.
    #[must_use]
    pub fn selfies(&self) -> Vec<(GuestId, Arc<StoredGuestSelfie>)> {
        let all = self.inner.selfies.all().into_iter();
        all.filter_map(|(key, selfie)| Some((GuestId(key.try_into().ok()?), selfie))).collect()
    }

    /// Keeps a guest's face; what the one before was found in is forgotten, and with it what the host said. Durable when it returns.
    ///
    /// # Errors
    /// When the vault fails.
    pub fn put_selfie(&self, guest: GuestId, selfie: StoredGuestSelfie) -> Result<(), VaultError> {
        let event = selfie.event;
        self.inner.matches.remove(&self.match_keys(guest))?;
        self.inner.selfies.put(&guest.0, selfie)?;
        self.tell(&event);
        Ok(())
    }

    /// Erases a guest's face and what follows from it, durably; whether there was one. The journal of the catalog is cut as well.
    ///
    /// # Errors
    /// When the vault fails.
    pub fn remove_selfie(&self, guest: GuestId) -> Result<bool, VaultError> {
        let known = self.selfie(guest);
        self.inner.selfies.remove(&[guest.0.to_vec()])?;
        self.inner.matches.remove(&self.match_keys(guest))?;
        if let Some(selfie) = &known {
            self.inner.vault.settle()?;
            self.tell(&selfie.event);
        }
        Ok(known.is_some())
    }

    /// Erases every guest's face and what follows from it, durably.
    ///
    /// # Errors
    /// When the vault fails.
    pub fn forget_faces(&self) -> Result<(), VaultError> {
        let selfies: Vec<_> = self.inner.selfies.all().into_iter().map(|(key, _)| key).collect();
        let matches: Vec<_> = self.inner.matches.all().into_iter().map(|(key, _)| key).collect();
        self.inner.selfies.remove(&selfies)?;
        self.inner.matches.remove(&matches)
    }

    pub(super) fn match_keys(&self, guest: GuestId) -> Vec<Vec<u8>> {
        self.inner.matches.under(&guest.0).into_iter().map(|(key, _)| key).collect()
    }

    /// The photos in which a guest was found.
    #[must_use]
    pub fn matches_of(&self, guest: GuestId) -> Vec<(AssetId, Arc<StoredGuestMatch>)> {
        let rows = self.inner.matches.under(&guest.0).into_iter();
        rows.filter_map(|(key, row)| Some((AssetId(key.get(16..)?.try_into().ok()?), row))).collect()
    }

    /// One of them.
    #[must_use]
    pub fn match_of(&self, guest: GuestId, asset: AssetId) -> Option<Arc<StoredGuestMatch>> {
        self.inner.matches.get(&match_key(guest, asset))
    }

    /// Puts what was found in the place of what was found before; the host's words on photos that are still among them stay. Durable when it returns.
    /// Nothing happens if the guest has another face meanwhile, or none.
    ///
    /// # Errors
    /// When the vault fails.
    pub fn put_matches(
        &self,
        guest: GuestId,
        selfie_at: u64,
        found: Vec<(AssetId, StoredGuestMatch)>,
    ) -> Result<bool, VaultError> {
        let _one_at_a_time = self.counting();
        let Some(selfie) = self.selfie(guest).filter(|selfie| selfie.at == selfie_at) else { return Ok(false) };
        let before = self.matches_of(guest);
        let mut put = Vec::new();
        for (asset, row) in &found {
            let known = before.iter().find(|(known, _)| known == asset).map(|(_, row)| **row);
            let row = known.map_or(*row, |known| StoredGuestMatch {
                word: known.word,
                seen: known.seen,
                at: known.at,
                ..*row
            });
            if known != Some(row) {
                put.push((match_key(guest, *asset), row));
            }
        }
        let gone = before.iter().filter(|(asset, _)| !found.iter().any(|(now, _)| now == asset));
        // A word is kept for when the photo comes back: somebody takes it out of the event and in again.
        let gone: Vec<_> =
            gone.filter(|(_, row)| row.word == Word::None).map(|(asset, _)| match_key(guest, *asset)).collect();
        let changes = !put.is_empty() || !gone.is_empty();
        self.inner.matches.replace(put, &gone)?;
        if changes {
            self.tell(&selfie.event);
        }
        Ok(changes)
    }

    /// Notes the host's word on photos for a guest. Durable when it returns.
    ///
    /// # Errors
    /// When the vault fails.
    pub fn answer(&self, guest: GuestId, asset: AssetId, word: Word) -> Result<bool, VaultError> {
        let changed = self.inner.matches.change(&match_key(guest, asset), |row| {
            row.word = word;
            true
        })?;
        if let Some(row) = &changed {
            self.tell(&row.event);
        }
        Ok(changed.is_some())
    }

    /// Notes that a guest has seen a photo. Durable when it returns.
    ///
    /// # Errors
    /// When the vault fails.
    pub fn saw(&self, guest: GuestId, asset: AssetId) -> Result<(), VaultError> {
        self.inner.matches.change(&match_key(guest, asset), |row| !std::mem::replace(&mut row.seen, true))?;
        Ok(())
    }
}
