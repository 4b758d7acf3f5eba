//! The ids that nodes use to name contents, events, members, find-mes, offers, invites and each other.

use std::fmt;
use std::str::FromStr;

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use thiserror::Error;

use crate::fixed_bytes;
use crate::keys::{KeyError, random};
use crate::limits::MAX_NODE_ID_BYTES;

/// Why a text or some bytes are not an id.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum IdError {
    /// Not the right number of hexadecimal digits.
    #[error("an id of this kind is {digits} hexadecimal digits: copy it in full")]
    NotHex {
        /// How many digits it should have.
        digits: usize,
    },
    /// A node id that is empty, too long or not hexadecimal.
    #[error("a node id is 1 to 64 bytes: copy it in full")]
    NotANode,
}

macro_rules! fixed_id {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $len]);

        impl $name {
            /// Length in bytes.
            pub const LEN: usize = $len;

            /// The bytes of the id.
            pub fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&HEXLOWER.encode(&self.0))
            }
        }

        /// Short, so that logs stay readable and do not carry whole ids of others.
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let start: String = HEXLOWER.encode(&self.0).chars().take(8).collect();
                write!(f, concat!(stringify!($name), "({}..)"), start)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                fixed_bytes::from_hex(text).map(Self).ok_or(IdError::NotHex { digits: $len * 2 })
            }
        }

        impl From<[u8; $len]> for $name {
            fn from(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                fixed_bytes::serialize(&self.0, serializer)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                fixed_bytes::deserialize(deserializer).map(Self)
            }
        }
    };
}

fixed_id!(
    /// A content: the plain BLAKE3 hash of its plain bytes.
    ContentId,
    32
);
fixed_id!(
    /// An event: its Ed25519 verifying key.
    EventId,
    32
);
fixed_id!(
    /// A member of one event: the member's Ed25519 verifying key for that event, fresh for each event.
    MemberId,
    32
);
fixed_id!(
    /// A find-me, the same through all its renewals. Its first half is bound to its author (R31), so that nobody can announce another's.
    FindMeId,
    16
);
fixed_id!(
    /// A protection, the same through all its renewals. Its first half is bound to its author (R75).
    ProtectionId,
    16
);
fixed_id!(
    /// An offer of one rendition to one finder.
    OfferId,
    16
);
fixed_id!(
    /// An invite, as the host knows it.
    InviteId,
    8
);

/// How many leading bytes of a [`FindMeId`] or a [`ProtectionId`] are bound to its author.
const AUTHOR_BYTES: usize = 8;

impl ContentId {
    /// The id of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }
}

impl FindMeId {
    /// A new id for a find-me of `author`.
    ///
    /// # Errors
    /// The machine gave no randomness.
    pub fn generate(author: &MemberId) -> Result<Self, KeyError> {
        bound_id(FIND_ME_CONTEXT, author).map(Self)
    }

    /// R31: whether this id can be one of `author`'s.
    pub fn belongs_to(&self, author: &MemberId) -> bool {
        is_bound(&self.0, FIND_ME_CONTEXT, author)
    }
}

impl ProtectionId {
    /// A new id for a protection of `author`.
    ///
    /// # Errors
    /// The machine gave no randomness.
    pub fn generate(author: &MemberId) -> Result<Self, KeyError> {
        bound_id(PROTECTION_CONTEXT, author).map(Self)
    }

    /// R75: whether this id can be one of `author`'s.
    pub fn belongs_to(&self, author: &MemberId) -> bool {
        is_bound(&self.0, PROTECTION_CONTEXT, author)
    }
}

/// Binds the id of a find-me to its author.
const FIND_ME_CONTEXT: &str = "inframe 1 find-me id";
/// Binds the id of a protection to its author.
const PROTECTION_CONTEXT: &str = "inframe 1 protection id";

/// The part of an id that its author determines: 64 bits, so that another member would have to search 2^64 keys for a clash.
fn author_part(context: &str, author: &MemberId) -> impl Iterator<Item = u8> {
    blake3::derive_key(context, &author.0).into_iter().take(AUTHOR_BYTES)
}

fn bound_id(context: &str, author: &MemberId) -> Result<[u8; 16], KeyError> {
    let mut id: [u8; 16] = random()?;
    id.iter_mut().zip(author_part(context, author)).for_each(|(byte, bound)| *byte = bound);
    Ok(id)
}

fn is_bound(id: &[u8; 16], context: &str, author: &MemberId) -> bool {
    id.iter().zip(author_part(context, author)).all(|(byte, bound)| *byte == bound)
}

impl OfferId {
    /// A new random id.
    ///
    /// # Errors
    /// The machine gave no randomness.
    pub fn generate() -> Result<Self, KeyError> {
        random().map(Self)
    }
}

impl InviteId {
    /// A new random id.
    ///
    /// # Errors
    /// The machine gave no randomness.
    pub fn generate() -> Result<Self, KeyError> {
        random().map(Self)
    }
}

/// A node: the bytes of its libp2p `PeerId`, 1 to 64 of them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(Vec<u8>);

impl NodeId {
    /// Takes the bytes of a `PeerId`.
    ///
    /// # Errors
    /// R3: there are none or more than 64.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, IdError> {
        let bytes = bytes.into();
        if bytes.is_empty() || bytes.len() > MAX_NODE_ID_BYTES {
            return Err(IdError::NotANode);
        }
        Ok(Self(bytes))
    }

    /// The bytes of the `PeerId`.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = HEXLOWER.encode(&self.0);
        // The first bytes of a PeerId say its kind only; the last ones tell peers apart.
        let end: String = text.chars().skip(text.len().saturating_sub(8)).collect();
        write!(f, "NodeId(..{end})")
    }
}

impl FromStr for NodeId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        if text.len() > MAX_NODE_ID_BYTES * 2 {
            return Err(IdError::NotANode);
        }
        Self::new(HEXLOWER_PERMISSIVE.decode(text.as_bytes()).map_err(|_| IdError::NotANode)?)
    }
}

impl Serialize for NodeId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return serializer.serialize_str(&self.to_string());
        }
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for NodeId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return String::deserialize(deserializer)?.parse().map_err(D::Error::custom);
        }
        Self::new(Vec::<u8>::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// A moment: milliseconds since the start of 1970, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct UnixMillis(pub u64);

impl UnixMillis {
    /// This moment and `millis` more; stops at the largest value.
    pub fn plus(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// This moment less `millis`; stops at zero.
    pub fn minus(self, millis: u64) -> Self {
        Self(self.0.saturating_sub(millis))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_print_and_parse_as_lowercase_hex() {
        let id = OfferId([0xab; 16]);
        assert_eq!(id.to_string(), "ab".repeat(16));
        assert_eq!(id.to_string().parse::<OfferId>().unwrap(), id);
        assert_eq!("AB".repeat(16).parse::<OfferId>().unwrap(), id);
        assert_eq!("ab".repeat(15).parse::<OfferId>(), Err(IdError::NotHex { digits: 32 }));
        assert_eq!("xy".repeat(16).parse::<OfferId>(), Err(IdError::NotHex { digits: 32 }));
    }

    #[test]
    fn debug_shows_the_start_only() {
        assert_eq!(format!("{:?}", ContentId([0x12; 32])), "ContentId(12121212..)");
        assert_eq!(format!("{:?}", NodeId::new([0x34; 38]).unwrap()), "NodeId(..34343434)");
    }

    #[test]
    fn ids_are_bare_bytes_on_the_wire_and_hex_in_json() {
        let id = InviteId([7; 8]);
        assert_eq!(postcard::to_stdvec(&id).unwrap(), [7; 8]);
        assert_eq!(serde_json::to_string(&id).unwrap(), "\"0707070707070707\"");
        assert_eq!(serde_json::from_str::<InviteId>("\"0707070707070707\"").unwrap(), id);
        let node = NodeId::new([9; 3]).unwrap();
        assert_eq!(postcard::to_stdvec(&node).unwrap(), [3, 9, 9, 9]);
        assert_eq!(serde_json::from_str::<NodeId>("\"090909\"").unwrap(), node);
    }

    #[test]
    fn r3_a_node_id_is_1_to_64_bytes() {
        assert_eq!(NodeId::new([]), Err(IdError::NotANode));
        assert!(NodeId::new([1; 64]).is_ok());
        assert_eq!(NodeId::new([1; 65]), Err(IdError::NotANode));
        let mut wire = vec![65];
        wire.extend([1; 65]);
        assert!(postcard::from_bytes::<NodeId>(&wire).is_err());
        assert!(postcard::from_bytes::<NodeId>(&[0]).is_err());
    }

    #[test]
    fn r31_a_find_me_id_is_bound_to_its_author() {
        let (mine, theirs) = (MemberId([1; 32]), MemberId([2; 32]));
        let id = FindMeId::generate(&mine).unwrap();
        assert!(id.belongs_to(&mine));
        assert!(!id.belongs_to(&theirs));
        assert_ne!(id, FindMeId::generate(&mine).unwrap());
    }
}
