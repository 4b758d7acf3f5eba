//! Transfers side by side: new ones start while others run, and none waits behind a large or slow one.

mod plan;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use futures::future::{AbortHandle, Abortable};
use futures::stream::FuturesUnordered;
use inframe_protocol::OfferId;

pub(super) use self::plan::Waiting;
use self::plan::{Peers, Running, plan};
use super::board::Step;
use super::progress::RATE_WINDOW;
use super::{Core, Job};
use crate::clock::now_ms;

/// A peer is slow below this, all its transfers together.
const SLOW_BYTES_S: u64 = 256 << 10;
/// How often it is looked what is slow.
const LOOK: Duration = Duration::from_secs(1);
/// Rows are read again after this long at the earliest while transfers run.
const READ_AGAIN: Duration = Duration::from_millis(50);
/// A transfer that did not get on is tried again after this long, then twice as long, and so on.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// What one worker's lanes remember from step to step; lost at a restart, which tries everything again.
pub struct Lanes<P> {
    peers: Mutex<Peers<P>>,
    pauses: Mutex<HashMap<OfferId, Pause>>,
    longest_pause: Duration,
}

#[derive(Clone, Copy)]
struct Pause {
    until: u64,
    length: Duration,
}

impl<P: Ord> Lanes<P> {
    /// Empty ones; what does not get on is tried again after `longest_pause` at most.
    #[must_use]
    pub fn new(longest_pause: Duration) -> Self {
        Self { peers: Mutex::default(), pauses: Mutex::default(), longest_pause }
    }

    /// Nothing pauses any more: a peer is back, or the owner wishes it.
    pub fn hurry(&self) {
        self.pauses.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn pause(&self, id: OfferId) {
        let mut pauses = self.pauses.lock().unwrap_or_else(PoisonError::into_inner);
        let length = pauses.get(&id).map_or(FIRST_PAUSE, |pause| pause.length * 2).min(self.longest_pause);
        pauses.insert(id, Pause { until: now_ms() + u64::try_from(length.as_millis()).unwrap_or(u64::MAX), length });
    }

    fn settled(&self, id: OfferId) {
        self.pauses.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }

    /// A peer whose transfer took no longer than it does at that speed is not slow any more: what is over in a moment is never measured.
    fn not_slow_after(&self, ended: &Running<P>, slow_below: u64) {
        let took = now_ms().saturating_sub(ended.since).max(1);
        if ended.size_bytes.saturating_mul(1000) / took >= slow_below {
            self.peers.lock().unwrap_or_else(PoisonError::into_inner).slow.remove(&ended.peer);
        }
    }

    /// Takes out what pauses, and says when the first of it is due.
    fn without_pausing(&self, waiting: Vec<Waiting<P>>) -> (Vec<Waiting<P>>, Option<Duration>) {
        let pauses = self.pauses.lock().unwrap_or_else(PoisonError::into_inner);
        let now = now_ms();
        let due = |one: &Waiting<P>| pauses.get(&one.id).map(|pause| pause.until).filter(|until| *until > now);
        let first = waiting.iter().filter_map(due).min().map(|until| Duration::from_millis(until - now));
        (waiting.into_iter().filter(|one| due(one).is_none()).collect(), first)
    }
}

/// What a worker's lanes are about.
pub(super) trait Work {
    /// Whom fairness is about.
    type Peer: Ord + Clone;

    /// What they remember.
    fn lanes(&self) -> &Lanes<Self::Peer>;
    /// What could start now or runs; `None` while nothing may.
    fn waiting(&self) -> Option<Vec<Waiting<Self::Peer>>>;
    /// Bytes a second, if it is being measured.
    fn speed(&self, id: &OfferId) -> Option<u64>;
    /// Does it; whether it is settled.
    fn start(&self, id: OfferId) -> impl Future<Output = anyhow::Result<bool>>;
    /// Whatever is not settled, what cannot start now included.
    fn pending(&self) -> u64;
}

/// Runs what waits and what comes meanwhile, until nothing runs and nothing may start.
pub(super) async fn run<W: Work>(core: &Core, job: Job, work: &W) -> anyhow::Result<Step> {
    let lanes = work.lanes();
    let mut futures = FuturesUnordered::new();
    let mut running: BTreeMap<OfferId, (Running<W::Peer>, AbortHandle)> = BTreeMap::new();
    let (mut done, mut failure) = (0, None);
    // Rows are read again when something has come, and not more often than makes sense.
    let (mut waiting, mut again_in, mut halted) = (Vec::new(), None, false);
    let mut read_at = None::<Instant>;
    let mut is_stale = true;
    loop {
        if is_stale && read_at.is_none_or(|at| at.elapsed() >= READ_AGAIN || running.is_empty()) {
            let now_waiting = work.waiting();
            halted = now_waiting.is_none();
            (waiting, again_in) = lanes.without_pausing(now_waiting.unwrap_or_default());
            waiting.retain(|one| !running.contains_key(&one.id));
            (read_at, is_stale) = (Some(Instant::now()), false);
        }
        let plan = {
            let mut peers = lanes.peers.lock().unwrap_or_else(PoisonError::into_inner);
            judge(&mut peers, running.values().map(|(one, _)| one), work, slow_below(core));
            let now_running: Vec<_> = running.values().map(|(one, _)| one.clone()).collect();
            plan(&waiting, &now_running, &mut peers, now_ms())
        };
        let stopped: Vec<_> = if halted { running.keys().copied().collect() } else { plan.stop };
        for (_, handle) in stopped.iter().filter_map(|id| running.get(id)) {
            handle.abort();
        }
        for id in plan.start {
            let Some(place) = waiting.iter().position(|one| one.id == id) else { continue };
            let one = waiting.swap_remove(place);
            let (handle, registration) = AbortHandle::new_pair();
            let begun =
                Running { id, peer: one.peer, size_bytes: one.size_bytes, since: now_ms(), content: one.content };
            let task = Abortable::new(work.start(id), registration);
            futures.push(async move { (id, task.await) });
            running.insert(id, (begun, handle));
        }
        if running.is_empty() {
            if is_stale {
                continue;
            }
            break;
        }
        tokio::select! {
            Some((id, outcome)) = futures.next() => {
                let ended = running.remove(&id).map(|(one, _)| one);
                is_stale |= waiting.is_empty();
                match outcome {
                    Ok(Ok(true)) => {
                        lanes.settled(id);
                        if let Some(one) = ended {
                            lanes.not_slow_after(&one, slow_below(core));
                            // Who else has it is asked once it is known what came of it.
                            waiting.retain(|other| other.content.is_none() || other.content != one.content);
                            is_stale = true;
                        }
                        done += 1;
                        core.board.left(job, (waiting.len() + running.len()) as u64);
                    }
                    Ok(Ok(false)) => lanes.pause(id),
                    Ok(Err(error)) => {
                        tracing::debug!("a transfer did not get on: {error:#}");
                        lanes.pause(id);
                        failure = Some(error);
                    }
                    // Stopped for the sake of others.
                    Err(_) => {}
                }
            }
            () = core.board.rung(job) => is_stale = true,
            () = tokio::time::sleep(if is_stale { READ_AGAIN } else { LOOK }) => is_stale = true,
        }
    }
    match failure {
        // One that fails must not make the whole worker back off: the others were served.
        Some(error) if done == 0 => Err(error),
        _ => Ok(Step { done, pending: work.pending(), again_in }),
    }
}

/// Below this a peer is slow: it is not to blame for the owner's own limit.
fn slow_below(core: &Core) -> u64 {
    let limit = core.traffic.get().down_bytes_s;
    limit.map_or(SLOW_BYTES_S, |limit| SLOW_BYTES_S.min(limit / (2 * plan::LANES as u64)))
}

/// Says of each peer that was measured for long enough whether it is slow.
fn judge<'a, W: Work>(
    peers: &mut Peers<W::Peer>,
    running: impl Iterator<Item = &'a Running<W::Peer>>,
    work: &W,
    slow_below: u64,
) where
    W::Peer: 'a,
{
    let now = now_ms();
    let mut measured: BTreeMap<&W::Peer, (u64, Option<u64>)> = BTreeMap::new();
    for one in running {
        let speed = work.speed(&one.id);
        let (age, sum) = measured.entry(&one.peer).or_insert((0, Some(0)));
        *age = (*age).max(now.saturating_sub(one.since));
        *sum = sum.zip(speed).map(|(sum, speed)| sum + speed);
    }
    for (peer, (age, sum)) in measured {
        match sum {
            Some(sum) if Duration::from_millis(age) >= RATE_WINDOW && sum < slow_below => {
                peers.slow.insert(peer.clone());
            }
            Some(sum) if sum >= slow_below => {
                peers.slow.remove(peer);
            }
            _ => {}
        }
    }
}
