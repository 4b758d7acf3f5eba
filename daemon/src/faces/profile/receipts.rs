//! Receipts of consents: signed when they are given, with the very text that was shown kept beside them.

use inframe_protocol::EventId;
use inframe_protocol::keys::{EventKey, Signature, verify};

use super::{ConsentReceipt, ProfileError};
use crate::vault::{Batch, Kind, Vault};
use crate::views::ConsentTextView;

/// Key of the row with the seed of the key that signs receipts, which does nothing else.
const KEY: &[u8] = b"receipts: signing key";
const CONTEXT: &str = "inframe consent receipt v1";

/// Signs a receipt with the key for receipts, which is made with the first.
pub(super) fn signed(vault: &Vault, mut receipt: ConsentReceipt) -> Result<ConsentReceipt, ProfileError> {
    let key = match key(vault)? {
        Some(key) => key,
        None => {
            let key = EventKey::generate().map_err(|_| ProfileError::Random)?;
            let mut batch = Batch::default();
            batch.put_as(Kind::Settings, KEY, &*key.seed())?;
            vault.catalog().commit(batch)?;
            key
        }
    };
    receipt.signature = Some(key.sign(CONTEXT, receipt.statement().as_bytes()));
    Ok(receipt)
}

/// Puts a receipt and the text that it is about into `batch`.
pub(super) fn put(batch: &mut Batch, receipt: &ConsentReceipt) -> Result<(), ProfileError> {
    batch.put_versioned(Kind::Consent, receipt.key(), receipt)?;
    batch.put_as(Kind::Settings, text_key(&receipt.text_hash), &receipt.scope.view())?;
    Ok(())
}

/// The text that was agreed to, where it was kept or has not changed since.
pub(super) fn text(vault: &Vault, receipt: &ConsentReceipt) -> Result<Option<ConsentTextView>, ProfileError> {
    let kept = vault.catalog().get_as(Kind::Settings, text_key(&receipt.text_hash))?;
    Ok(kept.or_else(|| (receipt.scope.text_hash() == receipt.text_hash).then(|| receipt.scope.view())))
}

/// The public half of the key for receipts; none before the first receipt.
pub(super) fn public(vault: &Vault) -> Result<Option<EventId>, ProfileError> {
    Ok(key(vault)?.map(|key| key.event_id()))
}

/// Whether `signature` is that of the holder of `key` on the receipt that says `statement`.
#[must_use]
pub fn is_signed(key: &[u8; 32], statement: &str, signature: [u8; 64]) -> bool {
    verify(key, CONTEXT, statement.as_bytes(), &Signature(signature)).is_ok()
}

fn key(vault: &Vault) -> Result<Option<EventKey>, ProfileError> {
    Ok(vault.catalog().get_as::<[u8; 32]>(Kind::Settings, KEY)?.map(EventKey::from_seed))
}

fn text_key(text_hash: &str) -> Vec<u8> {
    [b"receipts: text ", text_hash.as_bytes()].concat()
}
