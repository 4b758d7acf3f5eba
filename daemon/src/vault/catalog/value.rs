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

/// A type of values that has changed since the first version of the catalog. Values of its older forms are read as well, and are written in
/// the new form when they next change.
pub trait Versioned: Serialize + DeserializeOwned {
    /// Version of the form that is written, 2 or more.
    const VERSION: u8;
    /// The form of the version before: plain values for version 1, another versioned type after that.
    type Before: Older + Into<Self>;
}

/// A form that an older version wrote.
pub trait Older: Sized {
    /// Reads the postcard form that stands behind the version byte; `None` when this form was never written with that version.
    ///
    /// # Errors
    /// When it is not of this form.
    fn read(version: u8, postcard: &[u8]) -> Option<postcard::Result<Self>>;
}

/// Makes a plain type the form of version 1.
#[macro_export]
macro_rules! first_version {
    ($form:ty) => {
        impl $crate::vault::catalog::Older for $form {
            fn read(version: u8, postcard: &[u8]) -> Option<postcard::Result<Self>> {
                (version == 1).then(|| $crate::vault::catalog::strict(postcard))
            }
        }
    };
}

impl<T: Versioned> Older for T {
    fn read(version: u8, postcard: &[u8]) -> Option<postcard::Result<Self>> {
        if version == T::VERSION {
            return Some(strict(postcard));
        }
        Some(T::Before::read(version, postcard)?.map(Into::into))
    }
}

/// Reads a value; bytes left over mean that it is not of this type.
pub fn strict<T: DeserializeOwned>(postcard: &[u8]) -> postcard::Result<T> {
    match postcard::take_from_bytes(postcard)? {
        (value, []) => Ok(value),
        _ => Err(postcard::Error::DeserializeUnexpectedEnd),
    }
}

pub(super) fn encode<T: Serialize + ?Sized>(kind: Kind, value: &T) -> Result<Vec<u8>, CatalogError> {
    encode_with(VERSION, kind, value)
}

pub(super) fn encode_versioned<T: Versioned>(kind: Kind, value: &T) -> Result<Vec<u8>, CatalogError> {
    encode_with(T::VERSION, kind, value)
}

fn encode_with<T: Serialize + ?Sized>(version: u8, kind: Kind, value: &T) -> Result<Vec<u8>, CatalogError> {
    postcard::to_extend(value, vec![version]).map_err(|source| CatalogError::Encode { kind, source })
}

pub(super) fn decode<T: DeserializeOwned>(kind: Kind, bytes: &[u8]) -> Result<T, CatalogError> {
    decode_with(VERSION, kind, bytes, |version, rest| (version == VERSION).then(|| strict(rest)))
}

pub(super) fn decode_versioned<T: Versioned>(kind: Kind, bytes: &[u8]) -> Result<T, CatalogError> {
    decode_with(T::VERSION, kind, bytes, T::read)
}

fn decode_with<T>(
    newest: u8,
    kind: Kind,
    bytes: &[u8],
    read: impl FnOnce(u8, &[u8]) -> Option<postcard::Result<T>>,
) -> Result<T, CatalogError> {
    let malformed = postcard::Error::DeserializeUnexpectedEnd;
    match bytes.split_first() {
        Some((&version, _)) if version > newest => Err(CatalogError::NewerValue { kind, version }),
        Some((&version, rest)) => {
            read(version, rest).unwrap_or(Err(malformed)).map_err(|source| CatalogError::Decode { kind, source })
        }
        None => Err(CatalogError::Decode { kind, source: malformed }),
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
