//! The event, its clock and its links.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap};
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use inframe_protocol::frame::{Message, encode};
use inframe_protocol::keys::{EventKey, MemberKeys};
use inframe_protocol::roster::{Joining, NewEvent, RosterWriter};
use inframe_protocol::{NodeId, UnixMillis, event::EventState};

use crate::measure::{Report, Spreads};
use crate::member::{Asks, Member};
use crate::random::Random;

/// When events begin: 1 January 2026, in milliseconds.
const START: u64 = 1_767_225_600_000;
pub(crate) const SECOND: u64 = 1_000;
pub(crate) const MINUTE: u64 = 60 * SECOND;
/// Everybody connects and writes for the first time within this time, which is not counted.
const WARM_UP: u64 = 10 * MINUTE;
/// At the end all who are away come back, and have this long to agree.
const SETTLE: u64 = 6 * MINUTE;
/// A record counts as lost if somebody who was there had not got it after this long.
const PATIENCE: u64 = 5 * MINUTE;
/// Bytes that a home sends in a millisecond: 20 Mbit/s.
const UPLINK: u64 = 2_500;
/// A member who vanishes without a word is missed after so long: two pings and what they may take.
const MISSED_AFTER: u64 = 35 * SECOND;

/// What is simulated.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Members, those included who join later.
    pub members: usize,
    /// What decides about everything random but keys and nonces.
    pub seed: u64,
    /// Minutes that are counted.
    pub minutes: u64,
    /// Of a hundred members so many go away within an hour, and come back after 2 to 20 minutes.
    pub churn_percent: u64,
    /// Of the members so many join within the counted time.
    pub joins: u64,
    /// Removals, each with an epoch of a new projection after which everybody writes anew.
    pub removals: u64,
    /// Whether the event falls into two halves for the second fifth of the counted time.
    pub partition: bool,
}

/// Something that happens at a time.
pub(crate) enum Happening {
    /// A message arrives.
    Arrives { from: usize, to: usize, wire: Wire },
    /// What a member does each minute.
    Round(usize),
    /// The heartbeat of a member's gossip.
    Heartbeat(usize),
    /// A member looks whom it should be connected to.
    LookAround(usize),
    /// A connection comes up.
    Connected(usize, usize),
    /// A connection is known to be lost.
    Lost(usize, usize),
    /// A sync is given up if it is still this one.
    GiveUp(usize, u64),
    /// A member writes its records for the epoch, if they are older.
    WriteAnew(usize),
    /// A member takes back its find-me, or announces one again.
    ChangeFindMe(usize),
    /// A member goes away for so long.
    Leaves(usize, u64),
    /// A member comes back.
    Returns(usize),
    /// Somebody joins.
    Joins,
    /// Somebody is removed.
    Removes,
    /// The event falls apart, or is whole again.
    Partition(bool),
}

/// What travels.
#[derive(Clone)]
pub(crate) enum Wire {
    SyncRequest(Rc<[u8]>, bool),
    SyncReply(Rc<[u8]>, bool),
    Push(Rc<[u8]>),
    PushReply(Rc<[u8]>),
    /// A record by gossip: its number, the epoch whose topic it is on, and its bytes.
    Gossip(usize, u32, Rc<[u8]>),
    /// Records that a neighbour has, and its wish for some of them.
    Have(Rc<[usize]>),
    Want(Rc<[usize]>),
}

pub(crate) struct World {
    pub(crate) settings: Settings,
    pub(crate) random: Random,
    pub(crate) members: Vec<Member>,
    pub(crate) numbers: HashMap<NodeId, usize>,
    pub(crate) now: u64,
    queue: BinaryHeap<Reverse<(u64, u64)>>,
    happenings: HashMap<u64, Happening>,
    next: u64,
    pub(crate) spreads: Spreads,
    key: EventKey,
    parted: bool,
    pub(crate) caught_up: Vec<u64>,
    pub(crate) turned_away: u64,
    news_bytes: u64,
    memory_before: u64,
    began: Duration,
    /// Records by number: their bytes.
    pub(crate) gossiped: Vec<Rc<[u8]>>,
}

fn node(number: usize) -> Result<NodeId> {
    let mut bytes = [0; 38];
    bytes.iter_mut().zip((number as u64).to_be_bytes()).for_each(|(to, from)| *to = from);
    Ok(NodeId::new(bytes)?)
}

fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: Option<u64> = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    pages.unwrap_or(0) * 4_096
}

/// Processor time of this process so far.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // After the name, which may hold anything: user and system time in hundredths of a second.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    Duration::from_millis(fields.filter_map(|field| field.parse::<u64>().ok()).sum::<u64>() * 10)
}

impl World {
    pub(crate) fn new(settings: &Settings) -> Result<Self> {
        let (began, memory_before) = (processor_time(), resident_bytes());
        let mut random = Random::new(settings.seed);
        let key = EventKey::from_seed(random.bytes());
        let now = UnixMillis(START);
        let keys: Vec<MemberKeys> =
            (settings.joins..settings.members as u64).map(|_| MemberKeys::from_bytes(random.bytes())).collect();
        let mut state = EventState::new(key.event_id());
        let mut numbers = HashMap::new();
        for (number, keys) in keys.iter().enumerate() {
            let (node, nickname) = (node(number)?, format!("Guest {number}"));
            numbers.insert(node.clone(), number);
            let signed = if number == 0 {
                state.set_keys(keys.clone());
                let name = "Wedding".to_owned();
                let new = NewEvent { name, starts: None, ends: None, host: keys.public(), node, nickname };
                RosterWriter::create(&key, new, now)?.0
            } else {
                let grant = state.current_grant().context("the host has the grant")?.clone();
                let joining = Joining { member: keys.public(), node, nickname, invite: None };
                RosterWriter::new(&key, state.roster())?.admit(&grant, joining, now)?
            };
            state.apply_roster(&signed)?;
        }
        let entries = state.roster().next_index();
        let members = keys.into_iter().enumerate().map(|(number, keys)| {
            let mut state = state.clone();
            state.set_keys(keys.clone());
            Ok(Member::new(keys, node(number)?, state))
        });
        let members = members.collect::<Result<Vec<Member>>>()?;
        let mut spreads = Spreads::default();
        (0..members.len()).for_each(|number| spreads.entries_came(entries, number, 0, false));
        let queue = BinaryHeap::new();
        Ok(Self {
            settings: settings.clone(),
            random,
            members,
            numbers,
            now: 0,
            queue,
            happenings: HashMap::new(),
            next: 0,
            spreads,
            key,
            parted: false,
            caught_up: Vec::new(),
            turned_away: 0,
            news_bytes: 0,
            memory_before,
            began,
            gossiped: Vec::new(),
        })
    }

    /// The time of all members' clocks.
    pub(crate) fn clock(&self) -> UnixMillis {
        UnixMillis(START + self.now)
    }

    fn end(&self) -> u64 {
        WARM_UP + self.settings.minutes * MINUTE
    }

    /// Whether what happens now is counted.
    pub(crate) fn is_counted(&self) -> bool {
        (WARM_UP..self.end()).contains(&self.now)
    }

    pub(crate) fn later(&mut self, after: u64, happening: Happening) {
        self.queue.push(Reverse((self.now + after, self.next)));
        self.happenings.insert(self.next, happening);
        self.next += 1;
    }

    /// Milliseconds between two members: 5 to 80, the same both ways.
    pub(crate) fn delay(&self, one: usize, other: usize) -> u64 {
        let pair = (one.min(other) as u64) << 32 | one.max(other) as u64;
        Random::new(self.settings.seed ^ pair).between(5, 80)
    }

    /// Whether two members could be connected now.
    pub(crate) fn can_meet(&self, one: usize, other: usize) -> bool {
        let apart = self.parted && one % 2 != other % 2;
        let online = |number: usize| self.members.get(number).is_some_and(|member| member.online);
        one != other && !apart && online(one) && online(other)
    }

    /// Sends something over the connection of two members.
    pub(crate) fn send(&mut self, from: usize, to: usize, wire: Wire, asks: Asks) {
        // A gossiped record stands in an envelope with the name of the topic.
        let bytes = match &wire {
            Wire::SyncRequest(bytes, _) | Wire::SyncReply(bytes, _) | Wire::Push(bytes) | Wire::PushReply(bytes) => {
                bytes.len()
            }
            Wire::Gossip(_, _, bytes) => bytes.len() + 80,
            Wire::Have(records) | Wire::Want(records) => records.len() * 34 + 80,
        } as u64;
        let (now, counted) = (self.now, self.is_counted());
        let Some(member) = self.members.get_mut(from) else { return };
        if counted {
            member.sent[asks as usize] += bytes;
        }
        // Thousandths of a millisecond, so that small messages are not free.
        let free_at = member.uplink_free_at.max(now * 1_000) + bytes * 1_000 / UPLINK;
        member.uplink_free_at = free_at;
        let after = (free_at / 1_000).saturating_sub(now) + self.delay(from, to);
        self.later(after, Happening::Arrives { from, to, wire });
    }

    pub(crate) fn frame<M: Message>(message: &M) -> Result<Rc<[u8]>> {
        Ok(encode(message, M::MAX_BYTES)?.into())
    }

    pub(crate) fn came_into_being(&mut self, bytes: usize) {
        if self.is_counted() {
            self.news_bytes += bytes as u64;
        }
    }

    /// Plans what happens by itself.
    fn plan(&mut self) {
        let end = self.end();
        for number in 0..self.members.len() {
            self.begin(number, 10 * SECOND, WARM_UP / 2);
            let away = number != 0 && self.random.below(100) < self.settings.churn_percent * self.settings.minutes / 60;
            if away {
                let at = self.random.between(WARM_UP, end);
                let takes = self.random.between(2 * MINUTE, 20 * MINUTE);
                self.later(at, Happening::Leaves(number, takes));
            }
            // A quarter of those who look for photos takes that back within the hour, and announces anew.
            if number % 10 == 1 {
                let at = self.random.between(WARM_UP, end);
                self.later(at, Happening::ChangeFindMe(number));
                self.later(at + 3 * MINUTE, Happening::ChangeFindMe(number));
            }
        }
        for _ in 0..self.settings.joins {
            let at = self.random.between(WARM_UP, end);
            self.later(at, Happening::Joins);
        }
        for removal in 0..self.settings.removals {
            let at = WARM_UP + (removal + 1) * (end - WARM_UP) / (self.settings.removals + 1);
            self.later(at, Happening::Removes);
        }
        if self.settings.partition {
            let fifth = (end - WARM_UP) / 5;
            self.later(WARM_UP + fifth, Happening::Partition(true));
            self.later(WARM_UP + 2 * fifth, Happening::Partition(false));
        }
    }

    /// A member starts its node, and writes within a time.
    pub(crate) fn begin(&mut self, number: usize, connects_within: u64, writes_within: u64) {
        let (connects, writes) = (self.random.below(connects_within), self.random.below(writes_within));
        let round = self.random.below(MINUTE);
        let beat = self.random.below(SECOND);
        self.later(connects, Happening::Returns(number));
        self.later(connects + writes, Happening::WriteAnew(number));
        self.later(connects + round, Happening::Round(number));
        self.later(connects + beat, Happening::Heartbeat(number));
    }

    pub(crate) fn run(mut self) -> Result<Report> {
        self.plan();
        let end = self.end();
        self.run_until(end)?;
        for number in 0..self.members.len() {
            if self.members.get(number).is_some_and(|member| !member.online && !member.removed) {
                self.happen(Happening::Returns(number))?;
            }
        }
        self.run_until(end + SETTLE)?;
        Ok(self.report())
    }

    fn run_until(&mut self, end: u64) -> Result<()> {
        while let Some(Reverse((at, number))) = self.queue.peek().copied().filter(|Reverse((at, _))| *at <= end) {
            self.queue.pop();
            self.now = at;
            if let Some(happening) = self.happenings.remove(&number) {
                self.happen(happening)?;
            }
        }
        self.now = end;
        Ok(())
    }

    fn happen(&mut self, happening: Happening) -> Result<()> {
        match happening {
            Happening::Arrives { from, to, wire } => self.arrives(from, to, wire)?,
            Happening::Round(number) => self.round(number)?,
            Happening::Heartbeat(number) => self.heartbeat(number),
            Happening::LookAround(number) => self.look_around(number),
            Happening::Connected(one, other) => self.connected(one, other)?,
            Happening::Lost(number, other) => self.lost(number, other)?,
            Happening::GiveUp(number, token) => self.give_up(number, token)?,
            Happening::WriteAnew(number) => self.write_anew(number)?,
            Happening::ChangeFindMe(number) => self.change_find_me(number)?,
            Happening::Leaves(number, takes) => {
                self.goes_away(number);
                self.later(takes, Happening::Returns(number));
            }
            Happening::Returns(number) => self.returns(number),
            Happening::Joins => self.joins()?,
            Happening::Removes => self.removes()?,
            Happening::Partition(parted) => {
                self.parted = parted;
                for number in 0..self.members.len() {
                    let others = self.members.get(number).map(|member| member.connected.clone()).unwrap_or_default();
                    for other in others.into_iter().filter(|other| parted && other % 2 != number % 2) {
                        self.later(MISSED_AFTER, Happening::Lost(number, other));
                    }
                    self.later(1, Happening::LookAround(number));
                }
            }
        }
        Ok(())
    }

    /// A member's node stops: half of them say so, the others are missed.
    pub(crate) fn goes_away(&mut self, number: usize) {
        let polite = self.random.below(2) == 0;
        let Some(member) = self.members.get_mut(number).filter(|member| member.online) else { return };
        member.online = false;
        let others = std::mem::take(&mut member.connected);
        member.forget_talks();
        let end = self.now;
        if let Some(stay) = member.stays.last_mut() {
            stay.1 = end;
        }
        for other in others {
            let after = if polite { self.delay(number, other) } else { MISSED_AFTER };
            self.later(after, Happening::Lost(other, number));
        }
    }

    fn joins(&mut self) -> Result<()> {
        let number = self.members.len();
        let keys = MemberKeys::from_bytes(self.random.bytes());
        let clock = self.clock();
        let host = self.members.first_mut().context("there is a host")?;
        let grant = host.state.current_grant().context("the host has the grant")?.clone();
        let joining =
            Joining { member: keys.public(), node: node(number)?, nickname: format!("Guest {number}"), invite: None };
        let signed = RosterWriter::new(&self.key, host.state.roster())?.admit(&grant, joining, clock)?;
        let mut state = EventState::new(self.key.event_id());
        state.set_keys(keys.clone());
        // The answer to the request to join.
        let reply = inframe_protocol::join::JoinReply::admitted(host.state.roster().entries());
        host.sent[Asks::Sync as usize] += Self::frame(&reply)?.len() as u64;
        if let inframe_protocol::join::JoinReply::Admitted(entries) = reply {
            entries.iter().try_for_each(|entry| state.apply_roster(entry).map(drop))?;
        }
        self.numbers.insert(node(number)?, number);
        self.members.push(Member::new(keys, node(number)?, state));
        self.came_into_being(350);
        self.host_wrote(vec![signed])?;
        self.begin(number, 1, 10 * SECOND);
        // It knows the host, who answers at the same connection.
        self.later(2, Happening::Connected(number, 0));
        Ok(())
    }

    fn removes(&mut self) -> Result<()> {
        let candidates =
            (1..self.members.len()).filter(|number| self.members.get(*number).is_some_and(|member| !member.removed));
        let candidates: Vec<usize> = candidates.collect();
        let Some(number) = self.random.some(candidates, 1).first().copied() else { return Ok(()) };
        self.goes_away(number);
        let clock = self.clock();
        let Some(id) = self.members.get_mut(number).map(|member| {
            member.removed = true;
            member.keys.member_id()
        }) else {
            return Ok(());
        };
        let host = self.members.first().context("there is a host")?;
        let entries = RosterWriter::new(&self.key, host.state.roster())?.remove_all_and_rotate(&[id], clock)?;
        let push = Self::frame(&inframe_protocol::push::Push::roster(self.key.event_id(), entries.clone()))?;
        self.came_into_being(push.len());
        self.host_wrote(entries)
    }

    /// How many members hold something else than the host.
    fn different(&self) -> usize {
        let Some(host) = self.members.first() else { return 0 };
        let rest = self.members.iter().skip(1).filter(|member| !member.removed);
        let same = inframe_protocol::sync::SyncReply::Same;
        rest.filter(|member| member.state.answer(&host.state.compare_with(&member.node)) != same).count()
    }

    fn report(self) -> Report {
        let there: Vec<usize> = (0..self.members.len())
            .filter(|number| self.members.get(*number).is_some_and(|member| !member.removed))
            .collect();
        let stayed = |number: usize, at: u64| {
            let stays = self.members.get(number).filter(|member| !member.removed).map(|member| &member.stays);
            stays.is_some_and(|stays| stays.iter().any(|(from, to)| *from + MINUTE <= at && at + PATIENCE <= *to))
        };
        let members = self.members.len();
        let (records, entries) = (self.spreads.times(stayed, members), self.spreads.entry_times(stayed, members));
        let an_hour = |bytes: u64| bytes * 60 / self.settings.minutes.max(1);
        let sent = |number: &usize| self.members.get(*number).map_or([0; 3], |member| member.sent);
        let part = |part: usize| {
            an_hour(there.iter().map(|number| sent(number).get(part).copied().unwrap_or(0)).sum())
                / there.len().max(1) as u64
        };
        let parts = [part(0), part(1), part(2)];
        let most = there.iter().map(|number| an_hour(sent(number).iter().sum())).max().unwrap_or(0);
        let links: Vec<usize> =
            there.iter().filter_map(|number| self.members.get(*number)).map(|member| member.connected.len()).collect();
        let mut caught_up = self.caught_up.clone();
        caught_up.sort_unstable();
        let memory = resident_bytes().saturating_sub(self.memory_before);
        let sizes = self.members.first().map_or([0; 3], |host| {
            let entries = host.state.roster().entries().iter();
            let bytes: Vec<usize> =
                entries.filter_map(|entry| Some(Self::frame(&one_entry(entry)).ok()?.len())).collect();
            let vector =
                Self::frame(&host.state.lacking(inframe_protocol::sync::Slices::ALL)).map_or(0, |frame| frame.len());
            [bytes.iter().copied().max().unwrap_or(0), bytes.iter().sum(), vector]
        });
        Report {
            members: self.settings.members,
            records,
            entries,
            caught_up,
            bytes_per_hour: parts.iter().sum(),
            parts,
            most_bytes_per_hour: most,
            news_bytes_per_hour: an_hour(self.news_bytes),
            connections: (
                links.iter().sum::<usize>() as f64 / links.len().max(1) as f64,
                links.iter().copied().max().unwrap_or(0),
            ),
            memory_per_member: memory / members.max(1) as u64,
            sizes,
            turned_away: self.turned_away,
            different: self.different(),
            took: processor_time().saturating_sub(self.began),
        }
    }

    /// The members that could be connected to this one and are not.
    pub(crate) fn not_connected(&self, number: usize, of: Vec<usize>) -> BTreeSet<usize> {
        let connected = self.members.get(number).map(|member| &member.connected);
        of.into_iter().filter(|other| connected.is_some_and(|connected| !connected.contains(other))).collect()
    }
}

fn one_entry(entry: &inframe_protocol::roster::SignedRosterEntry) -> inframe_protocol::push::Push {
    inframe_protocol::push::Push::roster(inframe_protocol::EventId([0; 32]), vec![entry.clone()])
}
