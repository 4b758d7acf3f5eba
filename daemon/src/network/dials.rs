//! Dials under way and who waits for them: one dial per peer, which goes on to other addresses when somebody else
//! answers at one.
//!
//! An address may lead to a stranger: `127.0.0.1` in an invite that was made on another machine, or a local address
//! that the router has given to another device. libp2p gives up the whole dial when that happens, although the other
//! addresses were not tried to the end; here the wrong one is struck out and the dial repeated.

use std::collections::HashMap;

use inframe_protocol::ids::NodeId;
use libp2p::{
    Multiaddr, PeerId,
    swarm::{ConnectionId, DialError},
};
use tokio::sync::oneshot;

use super::{ConnectError, address, limits};

/// Where the result of a dial goes.
pub(super) type ConnectAnswer = oneshot::Sender<Result<(), ConnectError>>;

/// The dials under way.
#[derive(Default)]
pub(super) struct Dials {
    peers: HashMap<PeerId, Dial>,
}

struct Dial {
    node: NodeId,
    connection: Option<ConnectionId>,
    trying: Vec<Multiaddr>,
    untried: Vec<Multiaddr>,
    tried: usize,
    wrong: Option<Multiaddr>,
    waiters: Vec<ConnectAnswer>,
}

/// What to do next about a peer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Dial these addresses and report the dial with [`Dials::started`].
    Dial(Vec<Multiaddr>),
    /// A dial is under way.
    Wait,
    /// It has failed; those who waited know.
    GivenUp,
}

impl Dials {
    /// How many are under way.
    pub(super) fn len(&self) -> usize {
        self.peers.len()
    }

    /// Somebody wants a connection to `peer`, or the table of known peers does if `waiter` is `None`.
    pub(super) fn want(
        &mut self,
        (peer, node): (PeerId, NodeId),
        addresses: Vec<Multiaddr>,
        waiter: Option<ConnectAnswer>,
    ) -> Next {
        if let Some(dial) = self.peers.get_mut(&peer) {
            dial.waiters.retain(|waiter| !waiter.is_closed());
            if dial.waiters.len() >= limits::WAITERS_PER_DIAL {
                answer(waiter, &Err(ConnectError::Busy));
                return Next::Wait;
            }
            for new in addresses {
                let room = dial.untried.len() < limits::ADDRESSES_PER_PEER;
                if room && !dial.trying.contains(&new) && !dial.untried.contains(&new) {
                    dial.untried.push(new);
                }
            }
            dial.waiters.extend(waiter);
            return Next::Wait;
        }
        if addresses.is_empty() {
            answer(waiter, &Err(ConnectError::NoAddress(node)));
            return Next::GivenUp;
        }
        if self.peers.len() >= limits::DIALS {
            answer(waiter, &Err(ConnectError::Busy));
            return Next::GivenUp;
        }
        let dial = Dial {
            node,
            connection: None,
            trying: addresses.clone(),
            untried: Vec::new(),
            tried: addresses.len(),
            wrong: None,
            waiters: waiter.into_iter().collect(),
        };
        self.peers.insert(peer, dial);
        Next::Dial(addresses)
    }

    /// The swarm has begun the dial under this connection id.
    pub(super) fn started(&mut self, peer: &PeerId, connection: ConnectionId) {
        if let Some(dial) = self.peers.get_mut(peer) {
            dial.connection = Some(connection);
        }
    }

    /// Whose dial this connection id belongs to. The peer id in the swarm's error may be that of whoever answered.
    pub(super) fn peer_of(&self, connection: ConnectionId) -> Option<PeerId> {
        self.peers.iter().find(|(_, dial)| dial.connection == Some(connection)).map(|(peer, _)| *peer)
    }

    /// A connection to `peer` is there, whoever made it.
    pub(super) fn connected(&mut self, peer: &PeerId) {
        if let Some(dial) = self.peers.remove(peer) {
            dial.finish(&Ok(()));
        }
    }

    /// The dial of `peer` has failed with `error`.
    pub(super) fn failed(&mut self, peer: &PeerId, error: &DialError) -> Next {
        let Some(dial) = self.peers.get_mut(peer) else { return Next::GivenUp };
        let mut next = match error {
            DialError::WrongPeerId { address, .. } | DialError::LocalPeerId { address } => {
                let wrong = address::without_peer(address);
                let rest: Vec<Multiaddr> = dial.trying.iter().filter(|tried| **tried != wrong).cloned().collect();
                // Should the address not be among those dialled, going on would never end.
                let progress = rest.len() < dial.trying.len();
                dial.wrong = Some(wrong);
                if progress { rest } else { Vec::new() }
            }
            DialError::Transport(_) | DialError::Aborted => Vec::new(),
            DialError::Denied { .. } | DialError::DialPeerConditionFalse(_) | DialError::NoAddresses => {
                let refused = ConnectError::Denied(dial.node.clone());
                return self.give_up(peer, refused);
            }
        };
        dial.tried += dial.untried.len();
        next.append(&mut dial.untried);
        if !next.is_empty() {
            dial.trying.clone_from(&next);
            dial.connection = None;
            return Next::Dial(next);
        }
        let node = dial.node.clone();
        let reason = match dial.wrong.take() {
            Some(address) => ConnectError::WrongPeer { wanted: node, address: address.to_string() },
            None => ConnectError::Unreachable { node, tried: dial.tried },
        };
        self.give_up(peer, reason)
    }

    fn give_up(&mut self, peer: &PeerId, reason: ConnectError) -> Next {
        if let Some(dial) = self.peers.remove(peer) {
            dial.finish(&Err(reason));
        }
        Next::GivenUp
    }
}

impl Dial {
    fn finish(self, result: &Result<(), ConnectError>) {
        for waiter in self.waiters {
            answer(Some(waiter), result);
        }
    }
}

fn answer(waiter: Option<ConnectAnswer>, result: &Result<(), ConnectError>) {
    if let Some(waiter) = waiter {
        // The caller may have stopped waiting.
        let _ = waiter.send(result.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Multiaddr {
        text.parse().unwrap()
    }

    fn wanted() -> (PeerId, NodeId) {
        let peer = PeerId::random();
        (peer, address::node_id(&peer).unwrap())
    }

    fn wrong(address: &Multiaddr) -> DialError {
        let address = address.clone().with_p2p(PeerId::random()).unwrap();
        DialError::WrongPeerId { obtained: PeerId::random(), address }
    }

    #[test]
    fn an_address_where_another_answers_is_struck_out_and_the_rest_dialled_again() {
        let (peer, node) = wanted();
        let (ours, theirs) = (at("/ip4/127.0.0.1/tcp/7412"), at("/ip4/10.0.0.2/tcp/7412"));
        let (waiter, mut result) = oneshot::channel();
        let mut dials = Dials::default();
        let both = vec![ours.clone(), theirs.clone()];
        assert_eq!(dials.want((peer, node.clone()), both.clone(), Some(waiter)), Next::Dial(both));
        assert_eq!(dials.failed(&peer, &wrong(&ours)), Next::Dial(vec![theirs.clone()]));
        assert!(result.try_recv().is_err(), "still trying");
        assert_eq!(dials.failed(&peer, &wrong(&theirs)), Next::GivenUp);
        assert!(matches!(result.try_recv().unwrap(), Err(ConnectError::WrongPeer { wanted, .. }) if wanted == node));
        assert_eq!(dials.len(), 0);
    }

    #[test]
    fn a_second_caller_brings_its_addresses_to_the_dial_under_way() {
        let wanted = wanted();
        let (old, new) = (at("/ip4/10.0.0.1/tcp/7412"), at("/ip4/10.0.0.2/tcp/7412"));
        let (first, mut first_result) = oneshot::channel();
        let (second, mut second_result) = oneshot::channel();
        let mut dials = Dials::default();
        dials.want(wanted.clone(), vec![old.clone()], Some(first));
        assert_eq!(dials.want(wanted.clone(), vec![old, new.clone()], Some(second)), Next::Wait);
        assert_eq!(dials.failed(&wanted.0, &DialError::Transport(vec![])), Next::Dial(vec![new]));
        dials.connected(&wanted.0);
        assert!(first_result.try_recv().unwrap().is_ok() && second_result.try_recv().unwrap().is_ok());
    }

    #[test]
    fn d7_an_answer_from_an_address_that_was_not_dialled_does_not_loop() {
        let wanted = wanted();
        let mut dials = Dials::default();
        dials.want(wanted.clone(), vec![at("/ip4/10.0.0.1/tcp/7412")], None);
        assert_eq!(dials.failed(&wanted.0, &wrong(&at("/ip4/10.9.9.9/tcp/1"))), Next::GivenUp);
    }

    #[test]
    fn d7_dials_and_those_who_wait_are_bounded() {
        let mut dials = Dials::default();
        for _ in 0..limits::DIALS {
            assert!(matches!(dials.want(wanted(), vec![at("/ip4/10.0.0.1/tcp/1")], None), Next::Dial(_)));
        }
        let (waiter, mut result) = oneshot::channel();
        assert_eq!(dials.want(wanted(), vec![at("/ip4/10.0.0.1/tcp/1")], Some(waiter)), Next::GivenUp);
        assert!(matches!(result.try_recv().unwrap(), Err(ConnectError::Busy)));
    }
}
