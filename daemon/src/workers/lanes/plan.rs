//! Which transfers run: a pure function of what waits and what runs.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use inframe_protocol::OfferId;

/// Transfers at once; concurrency hides disk and network latency, not CPU.
pub(crate) const LANES: usize = 4;
/// Of these, those for large files, so that two long videos leave room for photos.
pub(super) const LARGE_LANES: usize = 2;
/// A file is large above this.
pub(super) const SMALL_BYTES: u64 = 64 << 20;
/// Slow peers that are served beside the lanes, one transfer each: they cost time, and hardly any work.
pub(super) const SLOW_LANES: usize = 4;
/// A slow peer keeps its place for so long while other slow ones wait for one.
pub(super) const SLOW_TURN: Duration = Duration::from_secs(300);
/// What has waited for so long goes before what is smaller.
pub(super) const AGED: Duration = Duration::from_secs(300);

/// A transfer that may start.
#[derive(Clone, Debug)]
pub(crate) struct Waiting<P> {
    pub(crate) id: OfferId,
    pub(crate) peer: P,
    pub(crate) size_bytes: u64,
    /// Unix milliseconds.
    pub(crate) since: u64,
}

/// A transfer that runs.
#[derive(Clone, Debug)]
pub(crate) struct Running<P> {
    pub(super) id: OfferId,
    pub(super) peer: P,
    pub(super) size_bytes: u64,
    /// Unix milliseconds.
    pub(super) since: u64,
}

/// What is known of peers.
#[derive(Debug)]
pub(super) struct Peers<P> {
    /// Those that are slow.
    pub(super) slow: BTreeSet<P>,
    /// The number of the last turn that each had.
    pub(super) turns: BTreeMap<P, u64>,
    pub(super) next_turn: u64,
}

impl<P> Default for Peers<P> {
    fn default() -> Self {
        Self { slow: BTreeSet::new(), turns: BTreeMap::new(), next_turn: 1 }
    }
}

impl<P: Ord + Clone> Peers<P> {
    fn took_turn(&mut self, peer: &P) {
        self.turns.insert(peer.clone(), self.next_turn);
        self.next_turn += 1;
    }
}

/// What is to be done now.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// To be broken off; they go on later from where they were.
    pub(super) stop: Vec<OfferId>,
    /// To be started.
    pub(super) start: Vec<OfferId>,
}

/// Decides. Peers take turns, the one with the fewest transfers first; of one peer the smallest file goes first, unless something has waited for
/// [`AGED`]. A slow peer has one transfer, beside the lanes, so that others never wait for it.
pub(super) fn plan<P: Ord + Clone>(
    waiting: &[Waiting<P>],
    running: &[Running<P>],
    peers: &mut Peers<P>,
    now: u64,
) -> Plan {
    let mut plan = Plan::default();
    let mut kept: Vec<(P, bool)> = Vec::new();
    let slow_waits = |kept: &[(P, bool)]| {
        waiting.iter().any(|one| peers.slow.contains(&one.peer) && !kept.iter().any(|(peer, _)| *peer == one.peer))
    };
    let mut oldest: Vec<&Running<P>> = running.iter().collect();
    oldest.sort_by_key(|one| (one.since, one.id));
    let names: Vec<(P, bool)> = oldest.iter().map(|one| (one.peer.clone(), false)).collect();
    let others_wait = slow_waits(&names);
    let mut slow_kept = 0;
    let slow_runs = oldest.iter().filter(|one| peers.slow.contains(&one.peer));
    let all_taken = slow_runs.map(|one| &one.peer).collect::<BTreeSet<_>>().len() >= SLOW_LANES;
    for one in oldest {
        let slow = peers.slow.contains(&one.peer);
        let second = slow && kept.iter().any(|(peer, _)| *peer == one.peer);
        let over = slow && slow_kept >= SLOW_LANES;
        let had_its_turn = slow && others_wait && all_taken && waited(one.since, now) >= SLOW_TURN;
        if second || over || had_its_turn {
            plan.stop.push(one.id);
            continue;
        }
        slow_kept += usize::from(slow);
        kept.push((one.peer.clone(), one.size_bytes > SMALL_BYTES));
    }
    let stopped: BTreeSet<OfferId> = plan.stop.iter().copied().collect();
    let mut left: Vec<&Waiting<P>> = waiting.iter().filter(|one| !stopped.contains(&one.id)).collect();
    left.sort_by_key(|one| {
        let aged = waited(one.since, now) >= AGED;
        (!aged, if aged { one.since } else { one.size_bytes }, one.since, one.id)
    });
    loop {
        let of = |peer: &P| kept.iter().filter(|(runs, _)| runs == peer).count();
        let in_lanes = kept.iter().filter(|(peer, _)| !peers.slow.contains(peer));
        let (lanes, large) = in_lanes.fold((0, 0), |(all, large), one| (all + 1, large + usize::from(one.1)));
        let slow_lanes = kept.len() - lanes;
        let may_start = |one: &Waiting<P>| match peers.slow.contains(&one.peer) {
            true => slow_lanes < SLOW_LANES && of(&one.peer) == 0,
            false => lanes < LANES && (one.size_bytes <= SMALL_BYTES || large < LARGE_LANES),
        };
        let turn = |peer: &P| peers.turns.get(peer).copied().unwrap_or(0);
        let mut best: Option<(usize, (usize, u64))> = None;
        for (place, one) in left.iter().enumerate().filter(|(_, one)| may_start(one)) {
            let rank = (of(&one.peer), turn(&one.peer));
            if best.is_none_or(|(_, least)| rank < least) {
                best = Some((place, rank));
            }
        }
        let Some((place, _)) = best else { return plan };
        let one = left.remove(place);
        kept.push((one.peer.clone(), one.size_bytes > SMALL_BYTES));
        peers.took_turn(&one.peer);
        plan.start.push(one.id);
    }
}

fn waited(since: u64, now: u64) -> Duration {
    Duration::from_millis(now.saturating_sub(since))
}
