//! One run of an exchange by code (SPAKE2), what both sides prove with its key, and the invite that is sealed under it.

use std::fmt;

use rand_core::{CryptoRng, RngCore};
use spake2::{Ed25519Group, Identity, Password, Spake2};
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{CodeGrant, CodeProof, JoinCode, SealedInvite};
use crate::aead;
use crate::frame::{from_canonical, to_canonical};
use crate::ids::NodeId;
use crate::invite::Invite;
use crate::keys::{KeyError, random};
use crate::limits::CODE_DIGITS;

/// Stands before the digits in the password of the exchange.
const PASSWORD_CONTEXT: &str = "inframe 1 join code";
/// Derives the joiner's proof from the key of a run.
const JOINER_CONTEXT: &str = "inframe 1 code joiner";
/// Derives the host's proof.
const HOST_CONTEXT: &str = "inframe 1 code host";
/// Derives the key that seals the invite.
const SEAL_CONTEXT: &str = "inframe 1 code seal";
/// The sides of an exchange, as SPAKE2 writes them before an element.
const JOINER: u8 = b'A';
const HOST: u8 = b'B';

/// The element of the other side is none (R63).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the other side of an exchange by code sent no element of the group")]
pub struct WrongElement;

/// One side of one run. It is used up by the other's element, so a run is one guess.
pub struct CodeRun {
    spake: Spake2<Ed25519Group>,
    element: [u8; 32],
    theirs: u8,
}

impl fmt::Debug for CodeRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CodeRun(hidden)")
    }
}

/// Random bytes that were drawn before.
struct Drawn<'a>(&'a [u8; 64]);

impl RngCore for Drawn<'_> {
    fn next_u32(&mut self) -> u32 {
        self.next_u64() as u32
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill_bytes(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// The exchange draws once, and all of it.
    fn fill_bytes(&mut self, into: &mut [u8]) {
        for (into, from) in into.iter_mut().zip(self.0) {
            *into = *from;
        }
    }

    fn try_fill_bytes(&mut self, into: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(into);
        Ok(())
    }
}

impl CryptoRng for Drawn<'_> {}

impl CodeRun {
    /// The joiner's side. `host` and `joiner` are the two ends of the connection, as the transport knows them.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn of_joiner(code: &JoinCode, host: &NodeId, joiner: &NodeId) -> Result<Self, KeyError> {
        Ok(Self::joiner_with(code, host, joiner, &*draw()?))
    }

    /// The host's side.
    ///
    /// # Errors
    /// As [`CodeRun::of_joiner`].
    pub fn of_host(code: &JoinCode, host: &NodeId, joiner: &NodeId) -> Result<Self, KeyError> {
        Ok(Self::host_with(code, host, joiner, &*draw()?))
    }

    /// As [`CodeRun::of_joiner`] from random bytes that are known, for test vectors.
    pub fn joiner_with(code: &JoinCode, host: &NodeId, joiner: &NodeId, random: &[u8; 64]) -> Self {
        let (password, host, joiner) = of_the_exchange(code, host, joiner);
        Self::of(Spake2::start_a_with_rng(&password, &joiner, &host, Drawn(random)), HOST)
    }

    /// As [`CodeRun::of_host`] from random bytes that are known, for test vectors.
    pub fn host_with(code: &JoinCode, host: &NodeId, joiner: &NodeId, random: &[u8; 64]) -> Self {
        let (password, host, joiner) = of_the_exchange(code, host, joiner);
        Self::of(Spake2::start_b_with_rng(&password, &joiner, &host, Drawn(random)), JOINER)
    }

    fn of((spake, message): (Spake2<Ed25519Group>, Vec<u8>), theirs: u8) -> Self {
        // The side's letter and 32 bytes. Were it anything else, the other side would refuse the zeros or come to another key.
        let element = message.split_first().and_then(|(_, element)| element.try_into().ok()).unwrap_or_default();
        Self { spake, element, theirs }
    }

    /// What the other side is sent.
    pub fn element(&self) -> [u8; 32] {
        self.element
    }

    /// R63: ends the run with the element of the other side.
    ///
    /// # Errors
    /// It is none.
    pub fn finish(self, theirs: &[u8; 32]) -> Result<CodeKey, WrongElement> {
        let message = [&[self.theirs], theirs.as_slice()].concat();
        let key = Zeroizing::new(self.spake.finish(&message).map_err(|_| WrongElement)?);
        key.as_slice().try_into().map(CodeKey).map_err(|_| WrongElement)
    }
}

fn draw() -> Result<Zeroizing<[u8; 64]>, KeyError> {
    random().map(Zeroizing::new)
}

/// Password, host and joiner of an exchange.
fn of_the_exchange(code: &JoinCode, host: &NodeId, joiner: &NodeId) -> (Password, Identity, Identity) {
    let password = Zeroizing::new(format!("{PASSWORD_CONTEXT} {:0width$}", code.0, width = CODE_DIGITS));
    (Password::new(password.as_bytes()), Identity::new(host.as_bytes()), Identity::new(joiner.as_bytes()))
}

/// The key that both sides of a run have if they used the same code, and else two that have nothing in common.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct CodeKey([u8; 32]);

impl fmt::Debug for CodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CodeKey(hidden)")
    }
}

/// R64: the joiner used another code than the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the code is wrong")]
pub struct WrongCode;

/// R65: what a host sent after a proof is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum GrantError {
    /// The host did not use the same code.
    #[error("the other device does not know the code either")]
    WrongProof,
    /// It does not open, or not to an invite.
    #[error("the other device sent something that is no invite")]
    NoInvite,
    /// The invite is to somebody else's event.
    #[error("the other device sent an invite of somebody else")]
    OtherHost,
}

impl CodeKey {
    /// The key as bytes that are known, for test vectors.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The key's bytes, for test vectors.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0)
    }

    /// The joiner's proof, sent before anything that is secret.
    pub fn prove(&self) -> CodeProof {
        CodeProof { proof: blake3::derive_key(JOINER_CONTEXT, &self.0) }
    }

    /// R64: checks the joiner's proof.
    ///
    /// # Errors
    /// It does not fit: a wrong guess, which the host counts.
    pub fn verify(&self, proof: &CodeProof) -> Result<(), WrongCode> {
        // blake3::Hash compares in constant time.
        let fits = blake3::Hash::from(self.prove().proof) == blake3::Hash::from(proof.proof);
        if fits { Ok(()) } else { Err(WrongCode) }
    }

    /// The invite for a joiner whose proof fits.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn grant(&self, invite: &Invite) -> Result<CodeGrant, KeyError> {
        let proof = blake3::derive_key(HOST_CONTEXT, &self.0);
        let nonce = random()?;
        // Writing plain fields to memory and sealing them cannot fail; if either ever did, the joiner would open no invite.
        let mut sealed = to_canonical(invite).unwrap_or_default();
        let key = Zeroizing::new(blake3::derive_key(SEAL_CONTEXT, &self.0));
        let tag = aead::seal_extended(&key, &nonce, &proof, &mut sealed).unwrap_or_default();
        sealed.extend_from_slice(&tag);
        Ok(CodeGrant::Granted(SealedInvite { proof, nonce, sealed }))
    }

    /// R65: opens what `host`, the other end of the connection, sent.
    ///
    /// # Errors
    /// See [`GrantError`].
    pub fn open(&self, granted: &SealedInvite, host: &NodeId) -> Result<Invite, GrantError> {
        let proof = blake3::Hash::from(blake3::derive_key(HOST_CONTEXT, &self.0));
        if proof != blake3::Hash::from(granted.proof) {
            return Err(GrantError::WrongProof);
        }
        let (sealed, tag) = granted.sealed.split_last_chunk::<{ aead::TAG_BYTES }>().ok_or(GrantError::NoInvite)?;
        let mut plain = Zeroizing::new(sealed.to_vec());
        let key = Zeroizing::new(blake3::derive_key(SEAL_CONTEXT, &self.0));
        if !aead::open_extended(&key, &granted.nonce, &granted.proof, &mut plain, *tag) {
            return Err(GrantError::NoInvite);
        }
        let invite: Invite = from_canonical(&plain).map_err(|_| GrantError::NoInvite)?;
        invite.check().map_err(|_| GrantError::NoInvite)?;
        if invite.host == *host { Ok(invite) } else { Err(GrantError::OtherHost) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{self, Message};
    use crate::ids::{EventId, InviteId, UnixMillis};

    fn node(number: u8) -> NodeId {
        NodeId::new([number; 38]).unwrap()
    }

    fn code(text: &str) -> JoinCode {
        JoinCode::parse(text).unwrap()
    }

    fn invite(host: u8) -> Invite {
        Invite {
            event: EventId([1; 32]),
            event_name: "Wedding".to_owned(),
            host: node(host),
            addresses: vec!["/ip4/192.168.1.3/tcp/7412".to_owned()],
            id: InviteId([2; 8]),
            secret: [3; 32],
            expires: UnixMillis(9),
        }
    }

    /// The keys of both sides of a run: the joiner's, the host's.
    fn run(joiners: &JoinCode, hosts: &JoinCode, seen_host: u8, seen_joiner: u8) -> (CodeKey, CodeKey) {
        let joiner = CodeRun::of_joiner(joiners, &node(seen_host), &node(2)).unwrap();
        let host = CodeRun::of_host(hosts, &node(1), &node(seen_joiner)).unwrap();
        let (to_host, to_joiner) = (joiner.element(), host.element());
        (joiner.finish(&to_joiner).unwrap(), host.finish(&to_host).unwrap())
    }

    #[test]
    fn r63_what_is_no_point_ends_a_run() {
        let no_point = (0..=u8::MAX)
            .map(|byte| [byte; 32])
            .find(|bytes| CodeRun::of_host(&code("12345678"), &node(1), &node(2)).unwrap().finish(bytes).is_err());
        assert!(no_point.is_some());
        let joiner = CodeRun::of_joiner(&code("12345678"), &node(1), &node(2)).unwrap();
        assert_eq!(joiner.finish(&no_point.unwrap()), Err(WrongElement));
    }

    #[test]
    fn r64_a_proof_fits_one_code_and_the_two_ends_of_one_connection_and_one_run() {
        let (right, wrong) = (code("12 345 678"), code("12 345 679"));
        let (joiner, host) = run(&right, &right, 1, 2);
        assert_eq!(host.verify(&joiner.prove()), Ok(()));
        assert_ne!(joiner.prove().proof, joiner.0, "the key itself is never sent");
        for (hosts, seen_host, seen_joiner) in [(&wrong, 1, 2), (&right, 3, 2), (&right, 1, 3), (&right, 2, 1)] {
            let (joiner, host) = run(&right, hosts, seen_host, seen_joiner);
            assert_eq!(host.verify(&joiner.prove()), Err(WrongCode));
        }
        let (_, later) = run(&right, &right, 1, 2);
        assert_eq!(later.verify(&joiner.prove()), Err(WrongCode), "of another run");
        // What a joiner hears before the proof tells nothing of it: sent back, it is none.
        let (mine, theirs) = run(&right, &right, 1, 2);
        let CodeGrant::Granted(granted) = theirs.grant(&invite(1)).unwrap() else { unreachable!() };
        assert_ne!(granted.proof, mine.prove().proof);
    }

    #[test]
    fn r65_an_invite_is_opened_with_the_key_of_the_run_and_is_the_hosts_own() {
        let right = code("12 345 678");
        let (joiner, host) = run(&right, &right, 1, 2);
        let open = |key: &CodeKey, grant: CodeGrant, from: u8| match grant {
            CodeGrant::Granted(granted) => key.open(&granted, &node(from)),
            CodeGrant::Wrong(_) => unreachable!(),
        };
        assert_eq!(open(&joiner, host.grant(&invite(1)).unwrap(), 1), Ok(invite(1)));
        assert_eq!(open(&joiner, host.grant(&invite(4)).unwrap(), 1), Err(GrantError::OtherHost));
        let (other, _) = run(&right, &right, 1, 2);
        assert_eq!(open(&other, host.grant(&invite(1)).unwrap(), 1), Err(GrantError::WrongProof));
        let CodeGrant::Granted(granted) = host.grant(&invite(1)).unwrap() else { unreachable!() };
        for at in [0, granted.sealed.len() - 1] {
            let mut changed = granted.clone();
            changed.sealed[at] ^= 1;
            assert_eq!(joiner.open(&changed, &node(1)), Err(GrantError::NoInvite));
        }
        let short = SealedInvite { sealed: vec![0; 3], ..granted };
        assert_eq!(joiner.open(&short, &node(1)), Err(GrantError::NoInvite));
        let unfit = Invite { event_name: String::new(), ..invite(1) };
        assert_eq!(open(&joiner, host.grant(&unfit).unwrap(), 1), Err(GrantError::NoInvite));
    }

    #[test]
    fn the_longest_invite_fits_a_grant() {
        let long = Invite { addresses: vec![format!("/{}", "a".repeat(127)); 8], ..invite(1) };
        let long = Invite { event_name: "n".repeat(120), host: NodeId::new([1; 64]).unwrap(), ..long };
        let grant = CodeKey([7; 32]).grant(&long).unwrap();
        assert!(frame::encode(&grant, CodeGrant::MAX_BYTES).is_ok());
    }
}
