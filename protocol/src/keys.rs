//! The keys of an event and of its members, and sealing to a member.
//!
//! Every signature and every derived key has a context string of its own, so that bytes made for one purpose are worth nothing for another.
//! Types that hold a secret wipe it when dropped and print none of it.

use std::fmt;

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{ChaCha20Poly1305, KeyInit};
use ed25519_dalek::{Signature as DalekSignature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::fixed_bytes;
use crate::ids::{EventId, MemberId};
use crate::limits::MAX_SEALED_BOX_BYTES;
use crate::template::ProjectionKey;
use crate::text::{FieldError, check_count};

/// Signs roster entries.
pub(crate) const ROSTER_CONTEXT: &str = "inframe 1 roster entry";
/// Signs records.
pub(crate) const RECORD_CONTEXT: &str = "inframe 1 record";
/// Derives the one-time key of a sealed box.
const SEAL_CONTEXT: &str = "inframe 1 sealed box";
/// Derives the name of the gossip topic from an epoch's secret.
const TOPIC_CONTEXT: &str = "inframe 1 topic name";
/// Derives the key that seals records from an epoch's secret.
const RECORD_KEY_CONTEXT: &str = "inframe 1 record key";
/// Derives the key of the template projection.
const PROJECTION_CONTEXT: &str = "inframe 1 template projection";

/// Why a key cannot be made or does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum KeyError {
    /// The operating system gave no random bytes.
    #[error("the machine gives no randomness: try again later")]
    NoRandomness,
    /// R11: a public key that gives everybody the same secret.
    #[error("the public key is not usable")]
    UnusablePublicKey,
    /// The box was not sealed for these keys, this purpose or this place, or it was changed.
    #[error("the sealed box does not open with these keys")]
    CannotOpen,
    /// R10: the signature does not belong to the key and the bytes.
    #[error("the signature is wrong")]
    BadSignature,
}

/// Fresh random bytes from the operating system.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], KeyError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| KeyError::NoRandomness)?;
    Ok(bytes)
}

/// An Ed25519 signature.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature(#[serde(with = "fixed_bytes")] pub [u8; 64]);

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature(..)")
    }
}

/// What is signed: the context, its length before it, then the bytes.
fn in_context(context: &str, bytes: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(1 + context.len() + bytes.len());
    // Contexts are short constants of this crate, so the length fits.
    message.push(context.len() as u8);
    message.extend_from_slice(context.as_bytes());
    message.extend_from_slice(bytes);
    message
}

fn sign(key: &SigningKey, context: &str, bytes: &[u8]) -> Signature {
    Signature(key.sign(&in_context(context, bytes)).to_bytes())
}

/// R10: checks a signature strictly: weak keys and second forms of a signature are refused. What is signed is the length of `context` in one byte,
/// `context`, and `bytes`.
///
/// # Errors
/// The key is unusable, or the signature is not of these bytes in this context.
pub fn verify(key: &[u8; 32], context: &str, bytes: &[u8], signature: &Signature) -> Result<(), KeyError> {
    let key = VerifyingKey::from_bytes(key).map_err(|_| KeyError::UnusablePublicKey)?;
    let signature = DalekSignature::from_bytes(&signature.0);
    key.verify_strict(&in_context(context, bytes), &signature).map_err(|_| KeyError::BadSignature)
}

/// The key of an event, held by its host: it signs the roster, and its public half is the event's id.
#[derive(Clone)]
pub struct EventKey(SigningKey);

impl EventKey {
    /// A fresh key.
    ///
    /// # Errors
    /// The machine gave no randomness.
    pub fn generate() -> Result<Self, KeyError> {
        random().map(Self::from_seed)
    }

    /// The key of a stored seed.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        let seed = Zeroizing::new(seed);
        Self(SigningKey::from_bytes(&seed))
    }

    /// The seed, to be stored in the vault.
    pub fn seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// The id of the event.
    pub fn event_id(&self) -> EventId {
        EventId(self.0.verifying_key().to_bytes())
    }

    /// Signs bytes for one purpose.
    pub fn sign(&self, context: &str, bytes: &[u8]) -> Signature {
        sign(&self.0, context, bytes)
    }
}

impl fmt::Debug for EventKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EventKey(of {:?})", self.event_id())
    }
}

/// A member's secret keys for one event: one signs records, one opens what is sealed to the member.
#[derive(Clone)]
pub struct MemberKeys {
    sign: SigningKey,
    seal: StaticSecret,
}

impl MemberKeys {
    /// Fresh keys.
    ///
    /// # Errors
    /// The machine gave no randomness.
    pub fn generate() -> Result<Self, KeyError> {
        random().map(Self::from_bytes)
    }

    /// The keys of stored bytes.
    pub fn from_bytes(bytes: [u8; 64]) -> Self {
        let bytes = Zeroizing::new(bytes);
        let (mut sign, mut seal) = (Zeroizing::new([0; 32]), Zeroizing::new([0; 32]));
        sign.iter_mut().zip(bytes.iter()).for_each(|(to, from)| *to = *from);
        seal.iter_mut().zip(bytes.iter().skip(32)).for_each(|(to, from)| *to = *from);
        Self { sign: SigningKey::from_bytes(&sign), seal: StaticSecret::from(*seal) }
    }

    /// The bytes of both keys, to be stored in the vault.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 64]> {
        let mut bytes = Zeroizing::new([0; 64]);
        let (sign, seal) = (Zeroizing::new(self.sign.to_bytes()), Zeroizing::new(self.seal.to_bytes()));
        bytes.iter_mut().zip(sign.iter().chain(seal.iter())).for_each(|(to, from)| *to = *from);
        bytes
    }

    /// The member's id: the public half of the signing key.
    pub fn member_id(&self) -> MemberId {
        MemberId(self.sign.verifying_key().to_bytes())
    }

    /// Both public halves.
    pub fn public(&self) -> MemberPublic {
        MemberPublic { sign: self.member_id(), seal: PublicKey::from(&self.seal).to_bytes() }
    }

    /// Signs bytes for one purpose.
    pub(crate) fn sign(&self, context: &str, bytes: &[u8]) -> Signature {
        sign(&self.sign, context, bytes)
    }
}

impl fmt::Debug for MemberKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemberKeys(of {:?})", self.member_id())
    }
}

/// A member's public keys for one event.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberPublic {
    /// Verifies what the member signs; it is the member's id.
    pub sign: MemberId,
    /// X25519 key that things for the member are sealed to.
    #[serde(with = "fixed_bytes")]
    pub seal: [u8; 32],
}

impl MemberPublic {
    /// The member's id.
    pub fn member_id(&self) -> MemberId {
        self.sign
    }

    /// R11: refuses keys with which everybody could sign or open.
    ///
    /// # Errors
    /// One of the keys is not usable.
    pub fn check(&self) -> Result<(), KeyError> {
        let key = VerifyingKey::from_bytes(&self.sign.0).map_err(|_| KeyError::UnusablePublicKey)?;
        let probe = StaticSecret::from([1; 32]).diffie_hellman(&PublicKey::from(self.seal));
        if key.is_weak() || !probe.was_contributory() { Err(KeyError::UnusablePublicKey) } else { Ok(()) }
    }
}

impl fmt::Debug for MemberPublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemberPublic({:?})", self.sign)
    }
}

/// Something sealed to one X25519 key by a one-time key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedBox {
    #[serde(with = "fixed_bytes")]
    ephemeral: [u8; 32],
    sealed: Vec<u8>,
}

impl SealedBox {
    /// Checks the size of the box.
    pub(crate) fn check(&self) -> Result<(), FieldError> {
        check_count("sealed", self.sealed.len() as u64, MAX_SEALED_BOX_BYTES as u64)
    }
}

impl fmt::Debug for SealedBox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedBox({} bytes)", self.sealed.len())
    }
}

/// The one-time key of a box: bound to both public keys, the shared secret and the purpose.
fn box_key(
    ephemeral: &[u8; 32],
    recipient: &[u8; 32],
    secret: &StaticSecret,
    peer: &[u8; 32],
    context: &str,
) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    let shared = secret.diffie_hellman(&PublicKey::from(*peer));
    if !shared.was_contributory() {
        return Err(KeyError::UnusablePublicKey);
    }
    let mut hasher = blake3::Hasher::new_derive_key(SEAL_CONTEXT);
    hasher.update(shared.as_bytes()).update(ephemeral).update(recipient).update(context.as_bytes());
    Ok(Zeroizing::new(*hasher.finalize().as_bytes()))
}

/// Seals `plain` so that only the holder of `recipient`'s secret opens it, and only with the same `context` and `aad`.
///
/// # Errors
/// The key is not usable, or the machine gave no randomness.
pub fn seal_to(recipient: &[u8; 32], context: &str, aad: &[u8], plain: &[u8]) -> Result<SealedBox, KeyError> {
    let secret = StaticSecret::from(*Zeroizing::new(random::<32>()?));
    seal_with(secret, recipient, context, aad, plain)
}

/// As [`seal_to`], with the one-time secret given.
fn seal_with(
    secret: StaticSecret,
    recipient: &[u8; 32],
    context: &str,
    aad: &[u8],
    plain: &[u8],
) -> Result<SealedBox, KeyError> {
    let ephemeral = PublicKey::from(&secret).to_bytes();
    let key = box_key(&ephemeral, recipient, &secret, recipient, context)?;
    // The key is used once, so the nonce may be zero.
    let sealed = ChaCha20Poly1305::new(&(*key).into())
        .encrypt(&[0; 12].into(), Payload { msg: plain, aad })
        .map_err(|_| KeyError::CannotOpen)?;
    Ok(SealedBox { ephemeral, sealed })
}

/// Opens what [`seal_to`] sealed to the member.
///
/// # Errors
/// It was sealed to another key, for another context or aad, or was changed.
pub fn open_sealed(
    keys: &MemberKeys,
    context: &str,
    aad: &[u8],
    sealed: &SealedBox,
) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let recipient = PublicKey::from(&keys.seal).to_bytes();
    let key = box_key(&sealed.ephemeral, &recipient, &keys.seal, &sealed.ephemeral, context)?;
    ChaCha20Poly1305::new(&(*key).into())
        .decrypt(&[0; 12].into(), Payload { msg: &sealed.sealed, aad })
        .map(Zeroizing::new)
        .map_err(|_| KeyError::CannotOpen)
}

/// What a member is given at each epoch.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub struct EpochGrant {
    /// The epoch's own secret: topic name and record key come from it.
    pub secret: [u8; 32],
    /// Secret of the template projection. It stays through epochs and changes only when a member is removed: templates of one face under
    /// two keys add up for whoever holds both.
    pub projection: [u8; 32],
}

impl EpochGrant {
    /// A grant with a fresh secret and a fresh projection.
    ///
    /// # Errors
    /// The machine gave no randomness.
    pub fn generate() -> Result<Self, KeyError> {
        Ok(Self { secret: random()?, projection: random()? })
    }

    /// A grant with a fresh secret and this one's projection.
    ///
    /// # Errors
    /// The machine gave no randomness.
    pub fn rotated(&self) -> Result<Self, KeyError> {
        Ok(Self { secret: random()?, projection: self.projection })
    }

    /// Name of the epoch's gossip topic: tells an outsider nothing about the event.
    pub fn topic_name(&self) -> String {
        data_encoding::HEXLOWER.encode(&blake3::derive_key(TOPIC_CONTEXT, &self.secret))
    }

    /// Key that seals the records of the epoch.
    pub(crate) fn record_key(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(blake3::derive_key(RECORD_KEY_CONTEXT, &self.secret))
    }

    /// Key of the template projection.
    pub fn projection_key(&self) -> ProjectionKey {
        ProjectionKey(blake3::derive_key(PROJECTION_CONTEXT, &self.projection))
    }
}

impl fmt::Debug for EpochGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EpochGrant(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d3_debug_prints_no_secret() {
        let event = EventKey::from_seed([0x5a; 32]);
        let member = MemberKeys::from_bytes([0x5a; 64]);
        let grant = EpochGrant { secret: [0x5a; 32], projection: [0x5a; 32] };
        let shown = format!("{event:?} {member:?} {grant:?} {:?} {:?}", grant.projection_key(), member.public());
        for secret in ["5a5a", "90, 90", "[90", &data_encoding::HEXLOWER.encode(&grant.record_key()[..4])] {
            assert!(!shown.contains(secret), "{shown}");
        }
        assert!(shown.starts_with("EventKey(of EventId("), "{shown}");
    }

    #[test]
    fn keys_come_back_from_their_bytes() {
        let event = EventKey::generate().unwrap();
        assert_eq!(EventKey::from_seed(*event.seed()).event_id(), event.event_id());
        let member = MemberKeys::generate().unwrap();
        assert_eq!(MemberKeys::from_bytes(*member.to_bytes()).public(), member.public());
    }

    #[test]
    fn a_box_opens_for_its_recipient_context_and_aad_only() {
        let (ann, ben) = (MemberKeys::generate().unwrap(), MemberKeys::generate().unwrap());
        let sealed = seal_to(&ann.public().seal, "test", b"place", b"secret").unwrap();
        assert_eq!(open_sealed(&ann, "test", b"place", &sealed).unwrap().as_slice(), b"secret");
        assert_eq!(open_sealed(&ben, "test", b"place", &sealed), Err(KeyError::CannotOpen));
        assert_eq!(open_sealed(&ann, "tes", b"place", &sealed), Err(KeyError::CannotOpen));
        assert_eq!(open_sealed(&ann, "test", b"other", &sealed), Err(KeyError::CannotOpen));
        for at in 0..sealed.sealed.len() {
            let mut changed = sealed.clone();
            changed.sealed[at] ^= 1;
            assert_eq!(open_sealed(&ann, "test", b"place", &changed), Err(KeyError::CannotOpen));
        }
        assert_ne!(sealed, seal_to(&ann.public().seal, "test", b"place", b"secret").unwrap());
    }

    #[test]
    fn r10_a_signature_is_worth_nothing_in_another_context() {
        let key = EventKey::generate().unwrap();
        let signature = key.sign(ROSTER_CONTEXT, b"bytes");
        let id = key.event_id().0;
        assert_eq!(verify(&id, ROSTER_CONTEXT, b"bytes", &signature), Ok(()));
        assert_eq!(verify(&id, RECORD_CONTEXT, b"bytes", &signature), Err(KeyError::BadSignature));
        assert_eq!(verify(&id, ROSTER_CONTEXT, b"bytez", &signature), Err(KeyError::BadSignature));
        let other = EventKey::generate().unwrap().event_id().0;
        assert_eq!(verify(&other, ROSTER_CONTEXT, b"bytes", &signature), Err(KeyError::BadSignature));
    }

    #[test]
    fn r11_keys_that_work_for_everybody_are_refused() {
        let good = MemberKeys::generate().unwrap().public();
        assert_eq!(good.check(), Ok(()));
        // The identity point signs anything; the zero key gives everybody the same shared secret.
        let mut identity = [0; 32];
        identity[0] = 1;
        assert_eq!(MemberPublic { sign: MemberId(identity), ..good }.check(), Err(KeyError::UnusablePublicKey));
        assert_eq!(MemberPublic { seal: [0; 32], ..good }.check(), Err(KeyError::UnusablePublicKey));
        assert_eq!(seal_to(&[0; 32], "test", b"", b"secret"), Err(KeyError::UnusablePublicKey));
    }

    #[test]
    fn a_rotated_grant_keeps_its_projection_and_changes_its_topic() {
        let first = EpochGrant::generate().unwrap();
        let next = first.rotated().unwrap();
        assert_eq!(first.projection_key(), next.projection_key());
        assert_ne!(first.topic_name(), next.topic_name());
        assert_ne!(first.record_key(), next.record_key());
        assert_ne!(first.projection_key(), EpochGrant::generate().unwrap().projection_key());
    }
}
