//! Lanes of offers: none is starved, small ones go first, whatever is open.

use std::collections::{BTreeMap, BTreeSet};

use inframe_protocol::{ContentId, OfferId};
use proptest::prelude::*;

use super::plan::{AGED, LANES, LARGE_LANES, Peers, Plan, Running, SLOW_LANES, SLOW_TURN, SMALL_BYTES, Waiting, plan};

const MIB: u64 = 1 << 20;

fn id(n: u64) -> OfferId {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&n.to_be_bytes());
    OfferId(id)
}

fn waits(n: u64, peer: u8, mib: u64, since: u64) -> Waiting<u8> {
    Waiting { id: id(n), peer, size_bytes: mib * MIB, since, content: None }
}

fn runs(one: &Waiting<u8>, since: u64) -> Running<u8> {
    Running { id: one.id, peer: one.peer, size_bytes: one.size_bytes, since, content: one.content }
}

/// The lanes as they really go: transfers come, run at the speed of their peer, and end.
struct World {
    /// Bytes a second of each peer.
    speeds: Vec<u64>,
    /// When each comes, Unix milliseconds, with its peer and size.
    coming: Vec<Waiting<u8>>,
    waiting: Vec<Waiting<u8>>,
    running: Vec<(Running<u8>, u64)>,
    left: BTreeMap<OfferId, u64>,
    peers: Peers<u8>,
    ended: BTreeMap<OfferId, u64>,
    started: Vec<(u8, OfferId)>,
    now: u64,
}

impl World {
    fn new(speeds: Vec<u64>, coming: Vec<Waiting<u8>>) -> Self {
        let (waiting, running, started) = (Vec::new(), Vec::new(), Vec::new());
        let (left, peers, ended) = (BTreeMap::new(), Peers::default(), BTreeMap::new());
        Self { speeds, coming, waiting, running, left, peers, ended, started, now: 0 }
    }

    fn is_over(&self) -> bool {
        self.coming.is_empty() && self.waiting.is_empty() && self.running.is_empty()
    }

    /// Decides once and lets a second pass.
    fn second(&mut self) {
        let now = self.now;
        let (came, coming) = self.coming.drain(..).partition(|one| one.since <= now);
        self.coming = coming;
        let came: Vec<Waiting<u8>> = came;
        self.waiting.extend(came);
        for (one, _) in &self.running {
            // As measured: slow after five seconds.
            if self.speeds[usize::from(one.peer)] < 256 << 10 && now - one.since >= 5_000 {
                self.peers.slow.insert(one.peer);
            }
        }
        let running: Vec<_> = self.running.iter().map(|(one, _)| one.clone()).collect();
        let plan = plan(&self.waiting, &running, &mut self.peers, now);
        for stop in plan.stop {
            let at = self.running.iter().position(|(one, _)| one.id == stop).unwrap();
            let (one, left) = self.running.remove(at);
            self.left.insert(stop, left);
            self.waiting.push(Waiting {
                id: stop,
                peer: one.peer,
                size_bytes: one.size_bytes,
                since: 0,
                content: None,
            });
        }
        for start in plan.start {
            let at = self.waiting.iter().position(|one| one.id == start).unwrap();
            let one = self.waiting.remove(at);
            self.started.push((one.peer, one.id));
            let left = self.left.get(&start).copied().unwrap_or(one.size_bytes);
            self.running.push((runs(&one, now), left));
        }
        self.hold();
        self.now += 1000;
        let (speeds, now, ended) = (&self.speeds, self.now, &mut self.ended);
        self.running.retain_mut(|(one, left)| {
            *left = left.saturating_sub(speeds[usize::from(one.peer)]);
            if *left == 0 {
                ended.insert(one.id, now);
            }
            *left > 0
        });
    }

    /// What holds at any time.
    fn hold(&self) {
        let is_slow = |peer: &u8| self.peers.slow.contains(peer);
        let fast: Vec<_> = self.running.iter().filter(|(one, _)| !is_slow(&one.peer)).collect();
        let slow: Vec<u8> = self.running.iter().map(|(one, _)| one.peer).filter(is_slow).collect();
        assert!(fast.len() <= LANES);
        assert!(fast.iter().filter(|(one, _)| one.size_bytes > SMALL_BYTES).count() <= LARGE_LANES);
        assert!(slow.len() <= SLOW_LANES);
        let served: BTreeSet<&u8> = slow.iter().collect();
        let left_out = self.waiting.iter().any(|one| is_slow(&one.peer) && !served.contains(&one.peer));
        assert!(!left_out || served.len() == slow.len(), "no slow peer has a second transfer while another has none");
        let slow_waits = self.waiting.iter().any(|one| is_slow(&one.peer));
        assert!(!slow_waits || slow.len() == SLOW_LANES, "no lane of slow ones is empty while one of them waits");
        let small_waits = self.waiting.iter().any(|one| !is_slow(&one.peer) && one.size_bytes <= SMALL_BYTES);
        assert!(!small_waits || fast.len() == LANES, "no lane is empty while a photo waits");
    }
}

proptest! {
    #[test]
    fn nothing_starves_and_no_lane_is_empty_for_nothing(
        speeds in prop::collection::vec(prop_oneof![4_000..200_000u64, 1_000_000..20_000_000u64], 1..7),
        offers in prop::collection::vec((any::<u8>(), 1..300u64, 0..120_000u64), 1..60),
    ) {
        // A slow peer has less to send, so that the test ends.
        let offer = |(n, (peer, mib, since)): (usize, (u8, u64, u64))| {
            let peer = usize::from(peer) % speeds.len();
            let mib = if speeds[peer] < 256 << 10 { mib % 3 + 1 } else { mib };
            waits(n as u64, u8::try_from(peer).unwrap(), mib, since)
        };
        let coming: Vec<_> = offers.into_iter().enumerate().map(offer).collect();
        // Even one after the other, and each slow peer's turn lost once to every other.
        let alone: u64 = coming.iter().map(|one| one.size_bytes / speeds[usize::from(one.peer)] + 2).sum();
        let bound = 120 + alone + SLOW_TURN.as_secs();
        let count = coming.len();
        let mut world = World::new(speeds.clone(), coming);
        while !world.is_over() {
            world.second();
            prop_assert!(world.now / 1000 <= bound, "{:?} wait after {bound} s", world.waiting);
        }
        prop_assert_eq!(world.ended.len(), count);
    }

    #[test]
    fn peers_with_as_much_to_send_get_as_many_turns(peers in 2..6u8, each in 2..30u64) {
        let of_peer = |peer: u8| (0..each).map(move |n| waits(u64::from(peer) * 1000 + n, peer, 1 + n, 0));
        let mut world = World::new(vec![MIB; usize::from(peers)], (0..peers).flat_map(of_peer).collect());
        while !world.waiting.is_empty() || !world.coming.is_empty() {
            world.second();
            let mut turns = vec![0u64; usize::from(peers)];
            world.started.iter().for_each(|(peer, _)| turns[usize::from(*peer)] += 1);
            let waiting: BTreeSet<u8> = world.waiting.iter().map(|one| one.peer).collect();
            let counts: Vec<u64> = waiting.iter().map(|peer| turns[usize::from(*peer)]).collect();
            let (most, least) = (counts.iter().max().copied(), counts.iter().min().copied());
            prop_assert!(most.unwrap_or(0) - least.unwrap_or(0) <= 1 + LANES as u64, "{turns:?}");
        }
    }
}

#[test]
fn a_photo_starts_beside_videos_and_before_those_that_wait() {
    let mut peers = Peers::default();
    let videos: Vec<_> = (0..6).map(|n| waits(n, 0, 1000, n)).collect();
    let begun = plan(&videos, &[], &mut peers, 10);
    assert_eq!(begun.start, [id(0), id(1)], "two large ones at a time");
    let running: Vec<_> = videos[..2].iter().map(|one| runs(one, 10)).collect();
    let mut waiting = videos[2..].to_vec();
    waiting.push(waits(9, 0, 4, 20));
    assert_eq!(plan(&waiting, &running, &mut peers, 20).start, [id(9)]);
}

#[test]
fn what_has_waited_for_long_goes_before_what_is_smaller() {
    let aged = u64::try_from(AGED.as_millis()).unwrap();
    let full: Vec<_> = (10..13).map(|n| runs(&waits(n, 0, 1, 0), 0)).collect();
    let waiting = [waits(1, 0, 60, 0), waits(2, 0, 1, aged)];
    assert_eq!(plan(&waiting, &full, &mut Peers::default(), aged - 1).start, [id(2)]);
    assert_eq!(plan(&waiting, &full, &mut Peers::default(), aged).start, [id(1)]);
}

#[test]
fn a_peer_that_turns_slow_gives_its_lanes_back() {
    let mut peers = Peers::default();
    let stalled: Vec<_> = (0..4).map(|n| waits(n, 1, 4, n)).collect();
    assert_eq!(plan(&stalled, &[], &mut peers, 0).start.len(), 4);
    let running: Vec<_> = stalled.iter().map(|one| runs(one, 0)).collect();
    let other = [waits(7, 2, 4, 6_000)];
    assert_eq!(plan(&other, &running, &mut peers, 6_000).start, [], "nobody knows yet");
    peers.slow.insert(1);
    let next = plan(&other, &running, &mut peers, 6_000);
    assert_eq!(
        (next.stop, next.start),
        (vec![], vec![id(7)]),
        "nobody else is slow, so what runs goes on beside the lanes"
    );
}

#[test]
fn a_slow_peer_has_all_that_no_other_slow_one_needs() {
    let mut peers = Peers { slow: BTreeSet::from([1, 2, 3]), ..Peers::default() };
    let all: Vec<_> = (0..6).map(|n| waits(n, 1, 4, n)).collect();
    assert_eq!(plan(&all, &[], &mut peers, 0).start, [id(0), id(1), id(2), id(3)]);
    let running: Vec<_> = all[..4].iter().map(|one| runs(one, one.since)).collect();
    let others = [waits(8, 2, 4, 9), waits(9, 3, 4, 9), waits(10, 3, 4, 9)];
    let next = plan(&others, &running, &mut peers, 9);
    assert_eq!((next.stop, next.start), (vec![id(3), id(2)], vec![id(8), id(9)]), "the newest gives way, one for each");
}

#[test]
fn what_several_peers_have_is_taken_from_all_of_them_and_once() {
    let of =
        |n: u64, peer: u8, content: u8| Waiting { content: Some(ContentId([content; 32])), ..waits(n, peer, 4, n) };
    let both: Vec<_> = (0..6).flat_map(|n| [of(n, 1, n as u8), of(10 + n, 2, n as u8)]).collect();
    let mut peers = Peers::default();
    let begun = plan(&both, &[], &mut peers, 20);
    assert_eq!(begun.start, [id(0), id(11), id(2), id(13)], "four contents, two from each");
    let running: Vec<_> = both.iter().filter(|one| begun.start.contains(&one.id)).map(|one| runs(one, 20)).collect();
    let other = &both[1..2];
    assert_eq!(plan(other, &running, &mut peers, 20).start, [], "it comes already");
    assert_eq!(plan(other, &running[1..], &mut peers, 20).start, [id(10)], "who broke off is followed by the other");
}

#[test]
fn a_slow_peer_who_has_only_what_comes_already_takes_nobodys_place() {
    let mut peers = Peers { slow: BTreeSet::from([1, 2]), ..Peers::default() };
    let of =
        |n: u64, peer: u8, content: u8| Waiting { content: Some(ContentId([content; 32])), ..waits(n, peer, 4, n) };
    let running: Vec<_> = (0..4).map(|n| runs(&of(n, 1, n as u8), n)).collect();
    assert_eq!(plan(&[of(9, 2, 0)], &running, &mut peers, 9), Plan::default());
    let next = plan(&[of(9, 2, 7)], &running, &mut peers, 9);
    assert_eq!((next.stop, next.start), (vec![id(3)], vec![id(9)]), "what nobody sends yet does");
}

#[test]
fn slow_peers_take_turns() {
    let mut peers = Peers { slow: (0..6).collect(), ..Peers::default() };
    let all: Vec<_> = (0..6).map(|n| waits(u64::from(n), n, 1000, 0)).collect();
    let begun = plan(&all, &[], &mut peers, 0);
    assert_eq!(begun.start.len(), SLOW_LANES);
    let running: Vec<_> = all[..4].iter().map(|one| runs(one, 0)).collect();
    let turn = u64::try_from(SLOW_TURN.as_millis()).unwrap();
    assert_eq!(plan(&all[4..], &running, &mut peers, turn - 1).stop, []);
    let next = plan(&all[4..], &running, &mut peers, turn);
    assert_eq!((next.stop, next.start), (vec![id(0), id(1)], vec![id(4), id(5)]));
}
