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
use tokio::{sync::oneshot, time::Instant};

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
    /// The dial of straight addresses, and that of one through a relay beside or after it.
    connection: Option<ConnectionId>,
    circuit: Option<ConnectionId>,
    /// Also while the relay itself is being connected.
    circuit_under_way: bool,
    trying: Vec<Multiaddr>,
    untried: Vec<Multiaddr>,
    /// No straight address is left.
    straight_over: bool,
    /// Addresses through relays that were not tried yet, and those that were.
    circuits: Vec<Multiaddr>,
    circuits_tried: Vec<Multiaddr>,
    since: Instant,
    tried: usize,
    wrong: Option<Multiaddr>,
    waiters: Vec<ConnectAnswer>,
}

/// Which dial of a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attempt {
    Straight,
    Circuit,
}

/// What to do next about a peer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Dial these addresses and report the dial with [`Dials::started`].
    Dial(Vec<Multiaddr>),
    /// Dial this address through a relay and report the dial with [`Dials::started_circuit`].
    Through(Multiaddr),
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
            dial.add(addresses);
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
        let mut dial = Dial {
            node,
            connection: None,
            circuit: None,
            circuit_under_way: false,
            trying: Vec::new(),
            untried: Vec::new(),
            straight_over: false,
            circuits: Vec::new(),
            circuits_tried: Vec::new(),
            since: Instant::now(),
            tried: 0,
            wrong: None,
            waiters: waiter.into_iter().collect(),
        };
        dial.add(addresses);
        let next = dial.onward(Vec::new());
        self.peers.insert(peer, dial);
        next
    }

    /// The swarm has begun the dial under this connection id.
    pub(super) fn started(&mut self, peer: &PeerId, connection: ConnectionId) {
        if let Some(dial) = self.peers.get_mut(peer) {
            dial.connection = Some(connection);
        }
    }

    /// The swarm has begun the dial through a relay under this connection id.
    pub(super) fn started_circuit(&mut self, peer: &PeerId, connection: ConnectionId) {
        if let Some(dial) = self.peers.get_mut(peer) {
            dial.circuit = Some(connection);
        }
    }

    /// Whose dial this connection id belongs to. The peer id in the swarm's error may be that of whoever answered.
    pub(super) fn peer_of(&self, connection: ConnectionId) -> Option<(PeerId, Attempt)> {
        self.peers.iter().find_map(|(peer, dial)| match Some(connection) {
            one if one == dial.connection => Some((*peer, Attempt::Straight)),
            one if one == dial.circuit => Some((*peer, Attempt::Circuit)),
            _ => None,
        })
    }

    /// Peers that did not answer straight for a while, with an address through a relay for each, to be dialled now.
    pub(super) fn late(&mut self, now: Instant) -> Vec<(PeerId, Multiaddr)> {
        let waits = |dial: &Dial| now.duration_since(dial.since) >= limits::CIRCUIT_AFTER;
        let late = self.peers.iter_mut().filter(|(_, dial)| waits(dial));
        late.filter_map(|(peer, dial)| Some((*peer, dial.next_circuit()?))).collect()
    }

    /// A connection to `peer` is there, whoever made it.
    pub(super) fn connected(&mut self, peer: &PeerId) {
        if let Some(dial) = self.peers.remove(peer) {
            dial.finish(&Ok(()));
        }
    }

    /// A dial of `peer` has failed with `error`.
    pub(super) fn failed(&mut self, peer: &PeerId, attempt: Attempt, error: &DialError) -> Next {
        let Some(dial) = self.peers.get_mut(peer) else { return Next::GivenUp };
        let mut rest = Vec::new();
        match (attempt, error) {
            (Attempt::Circuit, _) => dial.circuit_under_way = false,
            (Attempt::Straight, DialError::WrongPeerId { address, .. } | DialError::LocalPeerId { address }) => {
                let wrong = address::without_peer(address);
                let others: Vec<Multiaddr> = dial.trying.iter().filter(|tried| **tried != wrong).cloned().collect();
                // Should the address not be among those dialled, going on would never end.
                if others.len() < dial.trying.len() {
                    rest = others;
                }
                dial.wrong = Some(wrong);
            }
            (Attempt::Straight, DialError::Transport(_) | DialError::Aborted) => {}
            (
                Attempt::Straight,
                DialError::Denied { .. } | DialError::DialPeerConditionFalse(_) | DialError::NoAddresses,
            ) => {
                let refused = ConnectError::Denied(dial.node.clone());
                return self.give_up(peer, refused);
            }
        }
        let next =
            if attempt == Attempt::Straight || dial.straight_over { dial.onward(rest) } else { dial.circuit_next() };
        if next != Next::GivenUp {
            return next;
        }
        let (node, tried) = (dial.node.clone(), dial.tried);
        let reason = match dial.wrong.take() {
            Some(address) => ConnectError::WrongPeer { wanted: node, address: address.to_string() },
            None => ConnectError::Unreachable { node, tried },
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
    /// Takes addresses that it does not have yet.
    fn add(&mut self, addresses: Vec<Multiaddr>) {
        for new in addresses {
            let (list, other) = if address::is_straight(&new) {
                (&mut self.untried, &self.trying)
            } else {
                (&mut self.circuits, &self.circuits_tried)
            };
            if list.len() < limits::ADDRESSES_PER_PEER && !list.contains(&new) && !other.contains(&new) {
                list.push(new);
                self.tried += 1;
            }
        }
    }

    /// What to dial when no straight dial is under way: `rest` and what has come meanwhile, then through relays.
    fn onward(&mut self, mut rest: Vec<Multiaddr>) -> Next {
        rest.append(&mut self.untried);
        self.connection = None;
        self.straight_over = rest.is_empty();
        self.trying.clone_from(&rest);
        if rest.is_empty() { self.circuit_next() } else { Next::Dial(rest) }
    }

    fn circuit_next(&mut self) -> Next {
        match self.next_circuit() {
            Some(circuit) => Next::Through(circuit),
            None if self.circuit_under_way || !self.straight_over => Next::Wait,
            None => Next::GivenUp,
        }
    }

    /// An address through a relay, if none is being tried.
    fn next_circuit(&mut self) -> Option<Multiaddr> {
        if self.circuit_under_way || self.circuits.is_empty() {
            return None;
        }
        let next = self.circuits.remove(0);
        self.circuit_under_way = true;
        self.circuit = None;
        self.circuits_tried.push(next.clone());
        Some(next)
    }

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
        assert_eq!(dials.failed(&peer, Attempt::Straight, &wrong(&ours)), Next::Dial(vec![theirs.clone()]));
        assert!(result.try_recv().is_err(), "still trying");
        assert_eq!(dials.failed(&peer, Attempt::Straight, &wrong(&theirs)), Next::GivenUp);
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
        assert_eq!(dials.failed(&wanted.0, Attempt::Straight, &DialError::Transport(vec![])), Next::Dial(vec![new]));
        dials.connected(&wanted.0);
        assert!(first_result.try_recv().unwrap().is_ok() && second_result.try_recv().unwrap().is_ok());
    }

    #[test]
    fn addresses_through_relays_are_dialled_after_straight_ones_or_beside_slow_ones() {
        let wanted = wanted();
        let straight = at("/ip4/10.0.0.1/tcp/7412");
        let circuits = [1, 2].map(|n| address::through(PeerId::random(), &at(&format!("/ip4/203.0.113.{n}/tcp/7413"))));
        let all = [vec![circuits[0].clone(), straight.clone()], vec![circuits[1].clone()]].concat();
        let none_left = DialError::Transport(vec![]);

        let mut dials = Dials::default();
        assert_eq!(dials.want(wanted.clone(), all.clone(), None), Next::Dial(vec![straight.clone()]));
        assert_eq!(dials.late(Instant::now()), [], "straight ones come first");
        assert_eq!(dials.failed(&wanted.0, Attempt::Straight, &none_left), Next::Through(circuits[0].clone()));
        assert_eq!(dials.failed(&wanted.0, Attempt::Circuit, &none_left), Next::Through(circuits[1].clone()));
        assert_eq!(dials.failed(&wanted.0, Attempt::Circuit, &none_left), Next::GivenUp);

        assert_eq!(dials.want(wanted.clone(), all, None), Next::Dial(vec![straight]));
        let later = Instant::now() + limits::CIRCUIT_AFTER;
        assert_eq!(dials.late(later), [(wanted.0, circuits[0].clone())]);
        assert_eq!(dials.late(later), [], "one at a time");
        assert_eq!(dials.failed(&wanted.0, Attempt::Straight, &none_left), Next::Wait, "for the one through a relay");
        assert_eq!(dials.failed(&wanted.0, Attempt::Circuit, &none_left), Next::Through(circuits[1].clone()));
        dials.connected(&wanted.0);
        assert_eq!(dials.want(wanted, vec![circuits[1].clone()], None), Next::Through(circuits[1].clone()));
    }

    #[test]
    fn d7_an_answer_from_an_address_that_was_not_dialled_does_not_loop() {
        let wanted = wanted();
        let mut dials = Dials::default();
        dials.want(wanted.clone(), vec![at("/ip4/10.0.0.1/tcp/7412")], None);
        assert_eq!(dials.failed(&wanted.0, Attempt::Straight, &wrong(&at("/ip4/10.9.9.9/tcp/1"))), Next::GivenUp);
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
