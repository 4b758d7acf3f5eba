//! Across the internet: what a node says to a relay and hears from it, and how two nodes agree to connect straight through their routers.

use std::fmt;
use std::slice;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::fixed_bytes;
use crate::frame::Message;
use crate::ids::{NodeId, UnixMillis};
use crate::limits::{MAX_PUNCH_BYTES, MAX_SMALL_MESSAGE_BYTES};
use crate::text::{FieldError, check_addresses};

/// Derives the key of the proof from the relay's token.
const PROOF_CONTEXT: &str = "inframe 1 relay token";

/// The proof of a hello does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the hello does not prove that its sender has the relay's token")]
pub struct WrongToken;

/// Bytes of a proof.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelayProof(#[serde(with = "fixed_bytes")] pub [u8; 32]);

impl RelayProof {
    /// R55: what `node` shows to `relay`. It is of use to nobody else, and does not give the token away to whoever answers in the relay's place.
    pub fn new(token: &str, relay: &NodeId, node: &NodeId) -> Self {
        Self(*prove(token, relay, node).as_bytes())
    }
}

impl fmt::Debug for RelayProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RelayProof(hidden)")
    }
}

fn prove(token: &str, relay: &NodeId, node: &NodeId) -> blake3::Hash {
    let key = Zeroizing::new(blake3::derive_key(PROOF_CONTEXT, token.as_bytes()));
    // Writing two ids to memory cannot fail; if it ever did, the proof would be that of nothing and be refused by the relay.
    blake3::keyed_hash(&key, &postcard::to_stdvec(&(relay, node)).unwrap_or_default())
}

/// Sent to a relay on every connection to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelayHello {
    /// From those who want to be reached through it; none from those who only want to reach somebody.
    pub proof: Option<RelayProof>,
}

impl RelayHello {
    /// R55: checks that the sender has the relay's token. `relay` and `node` are the two ends of the connection, as the transport knows them.
    ///
    /// # Errors
    /// There is no proof, or it was made with another token, for another relay, by another node.
    pub fn verify_proof(&self, token: &str, relay: &NodeId, node: &NodeId) -> Result<(), WrongToken> {
        let proof = self.proof.ok_or(WrongToken)?;
        // blake3::Hash compares in constant time.
        if prove(token, relay, node) == blake3::Hash::from(proof.0) { Ok(()) } else { Err(WrongToken) }
    }
}

impl Message for RelayHello {
    const MAX_BYTES: usize = MAX_SMALL_MESSAGE_BYTES;

    fn check(&self) -> Result<(), FieldError> {
        Ok(())
    }
}

/// A relay's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelayWelcome {
    /// Where the relay sees the sender: the address that the sender's router gave to this connection.
    pub seen: String,
    /// Whether the sender may be reached through the relay from now on.
    pub admitted: bool,
    /// R61: the time by the relay's clock.
    pub now: UnixMillis,
}

impl Message for RelayWelcome {
    const MAX_BYTES: usize = MAX_SMALL_MESSAGE_BYTES;

    fn check(&self) -> Result<(), FieldError> {
        // R56
        check_addresses(slice::from_ref(&self.seen))
    }
}

/// Where a node is seen from outside, told over a relayed connection to a member who tells the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Punch {
    /// Where relays have seen it.
    pub seen: Vec<String>,
}

impl Message for Punch {
    const MAX_BYTES: usize = MAX_PUNCH_BYTES;

    fn check(&self) -> Result<(), FieldError> {
        // R56
        check_addresses(&self.seen)
    }
}

/// Sent by the side that began, once it has both lists: whoever reads it dials at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PunchNow {
    /// Milliseconds that the other's list took to come: both dial at about the same moment when the side that began waits half of it.
    pub round_trip_ms: u32,
}

impl Message for PunchNow {
    const MAX_BYTES: usize = MAX_SMALL_MESSAGE_BYTES;

    fn check(&self) -> Result<(), FieldError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{self, FrameError};

    fn node(number: u8) -> NodeId {
        NodeId::new([number; 38]).unwrap()
    }

    #[test]
    fn r55_a_proof_is_good_for_one_token_one_relay_and_one_node() {
        let hello = RelayHello { proof: Some(RelayProof::new("token", &node(1), &node(2))) };
        assert_eq!(hello.verify_proof("token", &node(1), &node(2)), Ok(()));
        for (token, relay, from) in [("other", 1, 2), ("token", 3, 2), ("token", 1, 3), ("token", 2, 1)] {
            assert_eq!(hello.verify_proof(token, &node(relay), &node(from)), Err(WrongToken));
        }
        assert_eq!(RelayHello { proof: None }.verify_proof("token", &node(1), &node(2)), Err(WrongToken));
    }

    #[test]
    fn r61_a_welcome_tells_the_time_of_the_relay_whatever_it_is() {
        for now in [0, 1_800_000_000_000, u64::MAX].map(UnixMillis) {
            let welcome = RelayWelcome { seen: "/ip4/203.0.113.7/tcp/7412".to_owned(), admitted: false, now };
            let bytes = frame::encode(&welcome, RelayWelcome::MAX_BYTES).unwrap();
            let read: RelayWelcome = frame::decode(&bytes, RelayWelcome::MAX_BYTES).unwrap();
            assert_eq!(read.now, now);
        }
    }

    #[test]
    fn r56_only_addresses_are_told_and_not_too_many() {
        let seen = "/ip4/203.0.113.7/tcp/7412".to_owned();
        for (told, good) in [(seen.as_str(), true), ("", false), ("203.0.113.7", false), ("/ip4/1 2", false)] {
            let welcome = RelayWelcome { seen: told.to_owned(), admitted: true, now: UnixMillis(1) };
            assert_eq!(frame::encode(&welcome, RelayWelcome::MAX_BYTES).is_ok(), good, "{told}");
        }
        let many = Punch { seen: vec![seen; 9] };
        assert!(matches!(frame::encode(&many, Punch::MAX_BYTES), Err(FrameError::Field(_))));
        let full = Punch { seen: vec![format!("/{}", "a".repeat(127)); 8] };
        assert!(frame::encode(&full, Punch::MAX_BYTES).is_ok(), "all that may be told fits");
    }
}
