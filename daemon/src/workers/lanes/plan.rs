//! Which transfers run: a pure function of what waits and what runs.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use inframe_protocol::{ContentId, OfferId};

/// Transfers at once; concurrency hides disk and network latency, not CPU.
pub(crate) const LANES: usize = 4;
/// Of these, those for large files, so that two long videos leave room for photos.
pub(super) const LARGE_LANES: usize = 2;
/// A file is large above this.
pub(super) const SMALL_BYTES: u64 = 64 << 20;
/// Transfers of slow peers, beside the lanes: they cost time, and hardly any work.
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
    /// Where one transfer of it will do, whoever it is from: what it is of.
    pub(crate) content: Option<ContentId>,
}

/// A transfer that runs.
#[derive(Clone, Debug)]
pub(crate) struct Running<P> {
    pub(super) id: OfferId,
    pub(super) peer: P,
    pub(super) size_bytes: u64,
    /// Unix milliseconds.
    pub(super) since: u64,
    pub(super) content: Option<ContentId>,
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
/// [`AGED`]. What several peers offer is taken from the one whose turn it is first, and from another one when that one breaks off. Slow peers are
/// served beside the lanes, so that others never wait for them: one transfer each, and what is left over once each has one.
pub(super) fn plan<P: Ord + Clone>(
    waiting: &[Waiting<P>],
    running: &[Running<P>],
    peers: &mut Peers<P>,
    now: u64,
) -> Plan {
    let mut plan = Plan { stop: to_stop(waiting, running, peers, now), start: Vec::new() };
    let stopped: BTreeSet<OfferId> = plan.stop.iter().copied().collect();
    let goes_on = running.iter().filter(|one| !stopped.contains(&one.id));
    let mut under_way: BTreeSet<ContentId> = goes_on.clone().filter_map(|one| one.content).collect();
    let mut kept: Vec<(P, bool)> = goes_on.map(|one| (one.peer.clone(), one.size_bytes > SMALL_BYTES)).collect();
    let comes = |one: &Waiting<P>, under_way: &BTreeSet<_>| one.content.is_some_and(|one| under_way.contains(&one));
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
            true => slow_lanes < SLOW_LANES,
            false => lanes < LANES && (one.size_bytes <= SMALL_BYTES || large < LARGE_LANES),
        };
        let turn = |peer: &P| peers.turns.get(peer).copied().unwrap_or(0);
        let mut best: Option<(usize, (usize, u64))> = None;
        for (place, one) in left.iter().enumerate().filter(|(_, one)| may_start(one) && !comes(one, &under_way)) {
            let rank = (of(&one.peer), turn(&one.peer));
            if best.is_none_or(|(_, least)| rank < least) {
                best = Some((place, rank));
            }
        }
        let Some((place, _)) = best else { return plan };
        let one = left.remove(place);
        kept.push((one.peer.clone(), one.size_bytes > SMALL_BYTES));
        under_way.extend(one.content);
        peers.took_turn(&one.peer);
        plan.start.push(one.id);
    }
}

/// What gives its place to slow peers that have none, or has none itself: first what a slow peer has beside its first, the newest before the
/// others as it loses the least; then whoever has had its turn.
fn to_stop<P: Ord>(waiting: &[Waiting<P>], running: &[Running<P>], peers: &Peers<P>, now: u64) -> Vec<OfferId> {
    let mut slow: Vec<&Running<P>> = running.iter().filter(|one| peers.slow.contains(&one.peer)).collect();
    slow.sort_by_key(|one| (one.since, one.id));
    let served: BTreeSet<&P> = slow.iter().map(|one| &one.peer).collect();
    // Whoever has only what comes from somebody else already needs no place.
    let under_way: BTreeSet<ContentId> = running.iter().filter_map(|one| one.content).collect();
    let could_start = |one: &&Waiting<P>| one.content.is_none_or(|content| !under_way.contains(&content));
    let waiting = waiting.iter().filter(could_start).map(|one| &one.peer);
    let newcomers: BTreeSet<&P> = waiting.filter(|peer| peers.slow.contains(peer) && !served.contains(peer)).collect();
    let over = slow.len().saturating_sub(SLOW_LANES);
    let wanted = (slow.len() + newcomers.len()).saturating_sub(SLOW_LANES);
    let is_first = |place: usize| slow.iter().position(|one| one.peer == slow[place].peer) == Some(place);
    let (firsts, more): (Vec<usize>, Vec<usize>) = (0..slow.len()).partition(|place| is_first(*place));
    let mut stop: Vec<usize> = more.into_iter().rev().take(wanted).collect();
    stop.extend(firsts.iter().rev().take(over.saturating_sub(stop.len())));
    let had_their_turn = firsts.iter().filter(|place| waited(slow[**place].since, now) >= SLOW_TURN);
    let still_wanted = wanted.saturating_sub(stop.len());
    let leave: Vec<usize> = had_their_turn.filter(|place| !stop.contains(*place)).take(still_wanted).copied().collect();
    stop.extend(leave);
    stop.into_iter().map(|place| slow[place].id).collect()
}

fn waited(since: u64, now: u64) -> Duration {
    Duration::from_millis(now.saturating_sub(since))
}
