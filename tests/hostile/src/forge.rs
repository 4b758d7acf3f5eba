//! Bytes that no honest node would send.

use anyhow::{Context as _, Result};
use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305,
    aead::{Aead as _, Payload},
};
use inframe_protocol::{
    keys::{EpochGrant, EventKey, MemberKeys, Signature},
    record::Header,
    roster::{RosterEntry, SignedRosterEntry},
};
use serde::Serialize;

use crate::peer::random;

const RECORD: &str = "inframe 1 record";
const ROSTER: &str = "inframe 1 roster entry";

/// A record with any body, whether it keeps the rules or not, sealed and signed as it should be.
///
/// # Errors
/// When it cannot be sealed.
pub fn record(header: Header, body: &impl Serialize, keys: &MemberKeys, grant: &EpochGrant) -> Result<Vec<u8>> {
    let body = postcard::to_stdvec(body)?;
    let mut plain = [u16::try_from(body.len())?.to_le_bytes().as_slice(), &body].concat();
    let padded = [256, 1024, 2048, 3840].into_iter().find(|size| *size >= plain.len()).context("too long a body")?;
    plain.resize(padded, 0);
    let nonce = random::<24>()?;
    let key = blake3::derive_key("inframe 1 record key", &grant.secret);
    let aad = postcard::to_stdvec(&header)?;
    let sealed = XChaCha20Poly1305::new(&key.into())
        .encrypt(&nonce.into(), Payload { msg: &plain, aad: &aad })
        .map_err(|_| anyhow::anyhow!("cannot seal"))?;
    let sealed = [nonce.as_slice(), &sealed].concat();
    let signature = signature(keys, &postcard::to_stdvec(&(header, &sealed))?);
    Ok(postcard::to_stdvec(&(header, sealed, signature))?)
}

/// The bytes of a record with one bit of the signature changed.
#[must_use]
pub fn with_a_wrong_signature(mut record: Vec<u8>) -> Vec<u8> {
    if let Some(last) = record.last_mut() {
        *last ^= 1;
    }
    record
}

fn signature(keys: &MemberKeys, bytes: &[u8]) -> Signature {
    let mut seed = [0; 32];
    seed.iter_mut().zip(keys.to_bytes().iter()).for_each(|(to, from)| *to = *from);
    // The two kinds of keys sign alike; only the one of events lets itself be used with any context.
    EventKey::from_seed(seed).sign(RECORD, bytes)
}

/// A roster entry signed with any key.
///
/// # Errors
/// When it cannot be written.
pub fn roster_entry(entry: &RosterEntry, key: &EventKey) -> Result<SignedRosterEntry> {
    let bytes = postcard::to_stdvec(entry)?;
    let signature = key.sign(ROSTER, &bytes);
    Ok(postcard::from_bytes(&postcard::to_stdvec(&(bytes, signature))?)?)
}

/// A message of gossip, with its length before it, as the protocol buffers of gossipsub have it.
pub mod gossip {
    fn varint(mut number: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        while number >= 0x80 {
            bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        bytes.push(number as u8);
        bytes
    }

    fn field(number: u64, bytes: &[u8]) -> Vec<u8> {
        [varint(number << 3 | 2), varint(bytes.len() as u64), bytes.to_vec()].concat()
    }

    fn number(number: u64, value: u64) -> Vec<u8> {
        [varint(number << 3), varint(value)].concat()
    }

    fn whole(rpc: &[u8]) -> Vec<u8> {
        [varint(rpc.len() as u64), rpc.to_vec()].concat()
    }

    /// Follows topics.
    #[must_use]
    pub fn subscribe(topics: impl IntoIterator<Item = String>) -> Vec<u8> {
        let one = |topic: String| field(1, &[number(1, 1), field(2, topic.as_bytes())].concat());
        whole(&topics.into_iter().flat_map(one).collect::<Vec<u8>>())
    }

    /// Publishes under a topic.
    #[must_use]
    pub fn publish(topic: &str, data: &[u8]) -> Vec<u8> {
        whole(&field(2, &[field(2, data), field(4, topic.as_bytes())].concat()))
    }

    /// Says that the topic may not be grafted again for so many seconds.
    #[must_use]
    pub fn prune(topic: &str, backoff_seconds: u64) -> Vec<u8> {
        let prune = field(4, &[field(1, topic.as_bytes()), number(3, backoff_seconds)].concat());
        whole(&field(3, &prune))
    }

    /// Says that there are messages of these ids.
    #[must_use]
    pub fn have(topic: &str, ids: impl IntoIterator<Item = [u8; 32]>) -> Vec<u8> {
        let ids: Vec<u8> = ids.into_iter().flat_map(|id| field(2, &id)).collect();
        whole(&field(3, &field(1, &[field(1, topic.as_bytes()), ids].concat())))
    }
}
