//! Values of records: postcard behind a version byte, sealed with the key of their kind and bound to their place.

use serde::{Serialize, de::DeserializeOwned};
use zeroize::Zeroizing;

use super::{CatalogError, Kind};
use crate::vault::{
    keys::{Keys, Subkey},
    seal,
    secret::Secret32,
};

/// Version of typed values.
const VERSION: u8 = 1;

pub(super) fn encode<T: Serialize + ?Sized>(kind: Kind, value: &T) -> Result<Vec<u8>, CatalogError> {
    postcard::to_extend(value, vec![VERSION]).map_err(|source| CatalogError::Encode { kind, source })
}

pub(super) fn decode<T: DeserializeOwned>(kind: Kind, bytes: &[u8]) -> Result<T, CatalogError> {
    match bytes.split_first() {
        Some((&VERSION, rest)) => {
            // Strict: bytes left over mean that the value is not of this type.
            let (value, left) =
                postcard::take_from_bytes(rest).map_err(|source| CatalogError::Decode { kind, source })?;
            if left.is_empty() {
                Ok(value)
            } else {
                Err(CatalogError::Decode { kind, source: postcard::Error::DeserializeUnexpectedEnd })
            }
        }
        Some((&version, _)) if version > VERSION => Err(CatalogError::NewerValue { kind, version }),
        _ => Err(CatalogError::Decode { kind, source: postcard::Error::DeserializeUnexpectedEnd }),
    }
}

/// The key of a record in the database: its kind, then its key.
pub(super) fn place(kind: Kind, key: &[u8]) -> Vec<u8> {
    [&[kind as u8], key].concat()
}

/// Seals values with the key of their kind.
#[derive(Clone, Debug)]
pub(super) struct ValueKeys {
    catalog: Secret32,
    biometrics: Secret32,
    journal: Secret32,
}

impl ValueKeys {
    pub(super) fn new(keys: &Keys) -> Self {
        let of = |subkey| keys.subkey(subkey).derive("inframe 2026-11-25 catalog: values");
        Self {
            catalog: of(Subkey::Catalog),
            biometrics: of(Subkey::Biometrics),
            journal: keys.subkey(Subkey::Catalog).derive("inframe 2026-11-25 catalog: journal"),
        }
    }

    fn of(&self, kind: Kind) -> &Secret32 {
        if kind.subkey() == Subkey::Biometrics { &self.biometrics } else { &self.catalog }
    }

    /// Seals `plain` for `place`, which is bound to it.
    pub(super) fn seal(&self, kind: Kind, place: &[u8], plain: &[u8]) -> Result<Vec<u8>, CatalogError> {
        Ok(seal::seal(self.of(kind), place, plain)?)
    }

    pub(super) fn open(&self, kind: Kind, place: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        seal::open(self.of(kind), place, sealed)
    }

    /// Whether the value at `place` opens; the kind if not. Kinds of later versions pass unseen.
    pub(super) fn check(&self, place: &[u8], sealed: &[u8]) -> Result<(), Kind> {
        let number = place.first();
        match Kind::ALL.into_iter().find(|kind| Some(&(*kind as u8)) == number) {
            Some(kind) if self.open(kind, place, sealed).is_none() => Err(kind),
            _ => Ok(()),
        }
    }

    pub(super) fn journal(&self) -> &Secret32 {
        &self.journal
    }
}
