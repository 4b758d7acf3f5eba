//! Why profiles, selfies and consents could not be changed.

use super::{MAX_PROFILES, MAX_SELFIES};
use crate::vault::{CatalogError, VaultError};

/// Why a profile could not be changed.
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
    /// Too many profiles.
    #[error("there are {MAX_PROFILES} profiles already, as many as can be announced in one event; erase one first")]
    TooMany,
    /// A child's profile without a name.
    #[error("give the profile a name; it is shown on this device only")]
    NoName,
    /// Two profiles of one name cannot be told apart.
    #[error("there is a profile of that name already")]
    NameTaken,
    /// The new selfie shows somebody else.
    #[error("this selfie does not look like the person of the other selfies; remove those first if they are wrong")]
    OtherPerson,
    /// No such selfie.
    #[error("no such selfie")]
    NotFound,
    /// No such profile.
    #[error("no such profile")]
    NoProfile,
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
