//! The relay that the owner named, and the place that this node has there: a state with due times, no sockets.

use std::fmt;

use inframe_protocol::{ids::NodeId, relay::RelayProof};
use libp2p::{Multiaddr, PeerId, core::transport::ListenerId};
use tokio::time::Instant;

use super::{address, limits, redial::Redial};

/// The relay that the owner wants to be reached through.
#[derive(Clone, PartialEq, Eq)]
pub struct RelayWish {
    /// The relay.
    pub node: NodeId,
    /// Where it is: `/ip4|ip6/A/tcp/P`.
    pub address: String,
    /// The token that it asks for.
    pub token: String,
}

impl fmt::Debug for RelayWish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RelayWish {{ address: {:?}, token: hidden }}", self.address)
    }
}

/// What has become of that.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum RelayState {
    /// No relay is named.
    #[default]
    None,
    /// It is being reached.
    Connecting,
    /// This node can be reached through it.
    Reserved,
    /// It is not reached, or takes this node in no more; tried again by itself.
    Failed(RelayTrouble),
}

/// Why this node cannot be reached through its relay.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RelayTrouble {
    /// Nothing answers at its address.
    #[error("it does not answer; is it running, and is its address the right one?")]
    Silent,
    /// It was connected and is not any more.
    #[error("the connection to it is lost")]
    Lost,
    /// It does not take the token.
    #[error("it does not take this token: ask whoever runs it for the one it has now")]
    Token,
    /// It takes the token and gives no place.
    #[error("it gives this node no place now; it may be full")]
    NoPlace,
    /// The node there speaks otherwise, in words.
    #[error("{0}")]
    Stranger(String),
}

/// The relay in use.
pub(super) struct MyRelay {
    pub(super) peer: PeerId,
    pub(super) at: Multiaddr,
    wish: RelayWish,
    /// When to try again.
    redial: Redial,
    /// Where circuits come in; there until the place is lost.
    pub(super) listener: Option<ListenerId>,
    pub(super) state: RelayState,
}

impl MyRelay {
    /// `None` if the wish names no relay that can be dialled.
    pub(super) fn new(wish: RelayWish, now: Instant) -> Option<Self> {
        let peer = address::peer_id(&wish.node)?;
        let at = address::parse_all(&peer, std::slice::from_ref(&wish.address)).pop()?;
        let mut redial = Redial::default();
        redial.set(vec![(peer, vec![at.clone()])], now, |_| false);
        Some(Self { peer, at, wish, redial, listener: None, state: RelayState::Connecting })
    }

    /// What this node shows to it.
    pub(super) fn proof(&self, me: &NodeId) -> RelayProof {
        RelayProof::new(&self.wish.token, &self.wish.node, me)
    }

    /// The address to tell to others, while there is a place.
    pub(super) fn circuit(&self) -> Option<Multiaddr> {
        (self.state == RelayState::Reserved).then(|| address::through(self.peer, &self.at))
    }

    /// When it is to be tried again.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.redial.next_due()
    }

    /// Whether it is to be tried now; then it must be reported as reserved or failed.
    pub(super) fn take_due(&mut self, now: Instant) -> bool {
        !self.redial.take_due(now, 1).is_empty()
    }

    /// This node has a place there.
    pub(super) fn reserved(&mut self, now: Instant) {
        self.state = RelayState::Reserved;
        self.redial.connected(&self.peer, now);
    }

    /// There is no place, or none any more.
    pub(super) fn failed(&mut self, why: RelayTrouble, now: Instant, jitter: f64) {
        let had_one = self.state == RelayState::Reserved;
        self.listener = None;
        self.state = RelayState::Failed(why);
        if had_one {
            self.redial.disconnected(&self.peer, now, limits::REDIAL_LAST, jitter);
        } else if self.redial.next_due().is_none() {
            self.redial.failed(&self.peer, now, limits::REDIAL_LAST, jitter);
        }
    }

    /// The network has changed: it is tried at once.
    pub(super) fn hurry(&mut self, now: Instant) {
        self.redial.hurry_all(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_asked_for_at_once_and_after_pauses_and_told_while_there_is_one() {
        let (peer, now) = (PeerId::random(), Instant::now());
        let wish = RelayWish {
            node: address::node_id(&peer).unwrap(),
            address: "/ip4/203.0.113.7/tcp/7413".into(),
            token: "secret".into(),
        };
        assert!(!format!("{wish:?}").contains("secret"), "D3: no token in a log");
        let mut relay = MyRelay::new(wish, now).unwrap();
        assert!(relay.take_due(now) && relay.next_due().is_none());
        relay.failed(RelayTrouble::Silent, now, 0.5);
        relay.failed(RelayTrouble::Silent, now, 0.5);
        assert_eq!(relay.next_due(), Some(now + limits::REDIAL_FIRST), "one pause for one failure");
        let later = now + limits::REDIAL_FIRST;
        assert!(relay.take_due(later) && relay.circuit().is_none());
        relay.reserved(later);
        let told = format!("/ip4/203.0.113.7/tcp/7413/p2p/{peer}/p2p-circuit");
        assert_eq!(relay.circuit().unwrap().to_string(), told);
        relay.failed(RelayTrouble::Lost, later, 0.5);
        assert!(relay.circuit().is_none() && relay.next_due().is_some());
    }
}
