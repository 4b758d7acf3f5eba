//! A member: its node's state, what it writes, and whom it is connected to.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use anyhow::{Context as _, Result};
use inframe_protocol::allowance::{Allowance, Ask};
use inframe_protocol::event::spreading::{SYNC_EVERY_MS, sync_partners};
use inframe_protocol::event::{Asking, EventState};
use inframe_protocol::keys::MemberKeys;
use inframe_protocol::limits::TEMPLATE_COORDINATES;
use inframe_protocol::push::Push;
use inframe_protocol::record::{FindMe, Received, RecordBody, Subject};
use inframe_protocol::roster::SignedRosterEntry;
use inframe_protocol::template::Template;
use inframe_protocol::{FindMeId, NodeId};

use crate::random::Random;
use crate::world::{Happening, MINUTE, SECOND, Wire, World};

/// Bytes of a still, as a face of 112 pixels takes.
const STILL_BYTES: usize = 2_600;
/// What a node does when something has changed, it does after so long, once.
const SOON: u64 = 200;
/// Connections that neither side wants are closed when a member looks around the next minute; new ones take two ways to and fro.
const HANDSHAKES: u64 = 4;

/// What bytes are sent for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Asks {
    Gossip,
    Sync,
    Push,
}

pub(crate) struct Member {
    pub(crate) keys: MemberKeys,
    pub(crate) node: NodeId,
    pub(crate) state: EventState,
    pub(crate) online: bool,
    pub(crate) removed: bool,
    /// From when until when it was online.
    pub(crate) stays: Vec<(u64, u64)>,
    pub(crate) connected: BTreeSet<usize>,
    /// Whom it wants to be connected to.
    pub(crate) kept: BTreeSet<usize>,
    looks_around: bool,
    // Gossip.
    pub(crate) mesh: BTreeSet<usize>,
    pub(crate) seen: HashSet<usize>,
    pub(crate) recent: Vec<(usize, usize)>,
    unheard: Vec<usize>,
    // Syncs.
    pub(crate) asking: Option<(usize, Asking, u64)>,
    pub(crate) waiting: VecDeque<usize>,
    pub(crate) syncs: u64,
    pub(crate) back_since: Option<u64>,
    rounds: u64,
    // What it has to say.
    find_me: Option<FindMeId>,
    looks: bool,
    moved: bool,
    // Counted.
    pub(crate) uplink_free_at: u64,
    pub(crate) sent: [u64; 3],
    allowances: HashMap<usize, Allowance>,
}

impl Member {
    pub(crate) fn new(keys: MemberKeys, node: NodeId, state: EventState) -> Self {
        Self {
            keys,
            node,
            state,
            online: false,
            removed: false,
            stays: Vec::new(),
            connected: BTreeSet::new(),
            kept: BTreeSet::new(),
            looks_around: false,
            mesh: BTreeSet::new(),
            seen: HashSet::new(),
            recent: Vec::new(),
            unheard: Vec::new(),
            asking: None,
            waiting: VecDeque::new(),
            syncs: 0,
            back_since: None,
            rounds: 0,
            find_me: None,
            looks: true,
            moved: false,
            uplink_free_at: 0,
            sent: [0; 3],
            allowances: HashMap::new(),
        }
    }

    /// The epoch whose topic it follows.
    pub(crate) fn topic(&self) -> u32 {
        self.state.roster().epoch()
    }

    pub(crate) fn forget_talks(&mut self) {
        self.asking = None;
        self.waiting.clear();
        self.mesh.clear();
        self.recent.clear();
        self.kept.clear();
    }
}

impl World {
    /// A member's node starts.
    pub(crate) fn returns(&mut self, number: usize) {
        let now = self.now;
        let Some(member) = self.members.get_mut(number).filter(|member| !member.online && !member.removed) else {
            return;
        };
        member.online = true;
        let again = !member.stays.is_empty();
        member.stays.push((now, u64::MAX));
        // Half of those who come back have another address.
        member.moved = again && number.is_multiple_of(2);
        member.back_since = again.then_some(now);
        self.look_around(number);
        if again {
            self.later(2 * SECOND, Happening::WriteAnew(number));
        }
    }

    /// Looks whom to be connected to, soon.
    pub(crate) fn look_soon(&mut self, number: usize) {
        if let Some(member) = self.members.get_mut(number)
            && !std::mem::replace(&mut member.looks_around, true)
        {
            self.later(SOON, Happening::LookAround(number));
        }
    }

    pub(crate) fn look_around(&mut self, number: usize) {
        let Some(member) = self.members.get_mut(number) else { return };
        member.looks_around = false;
        if !member.online {
            return;
        }
        let numbers = &self.numbers;
        let is_connected = |node: &NodeId| numbers.get(node).is_some_and(|other| member.connected.contains(other));
        let neighbours = member.state.neighbours(is_connected);
        member.kept = neighbours.iter().filter_map(|node| numbers.get(node).copied()).collect();
        let kept = member.kept.iter().copied().collect();
        for other in self.not_connected(number, kept) {
            if self.can_meet(number, other) {
                let after = HANDSHAKES * self.delay(number, other);
                self.later(after, Happening::Connected(number, other));
            }
        }
    }

    pub(crate) fn connected(&mut self, one: usize, other: usize) -> Result<()> {
        if !self.can_meet(one, other) {
            return Ok(());
        }
        let new = self.members.get_mut(one).is_some_and(|member| member.connected.insert(other));
        if let Some(member) = self.members.get_mut(other) {
            member.connected.insert(one);
        }
        if !new {
            return Ok(());
        }
        for (number, with) in [(one, other), (other, one)] {
            self.want_sync(number, with)?;
            self.look_soon(number);
            let unheard = self.members.get_mut(number).map(|member| std::mem::take(&mut member.unheard));
            for record in unheard.unwrap_or_default() {
                self.publish_or_keep(number, record);
            }
        }
        Ok(())
    }

    pub(crate) fn lost(&mut self, number: usize, other: usize) -> Result<()> {
        // It may have come back before it was missed.
        if self.can_meet(number, other)
            && self.members.get(other).is_some_and(|member| member.connected.contains(&number))
        {
            return Ok(());
        }
        let Some(member) = self.members.get_mut(number) else { return Ok(()) };
        member.connected.remove(&other);
        member.mesh.remove(&other);
        if let Some((with, _, token)) = &member.asking
            && *with == other
        {
            let token = *token;
            self.give_up(number, token)?;
        }
        self.look_soon(number);
        Ok(())
    }

    /// What a node does each minute.
    pub(crate) fn round(&mut self, number: usize) -> Result<()> {
        self.later(SYNC_EVERY_MS, Happening::Round(number));
        let clock = self.clock();
        let Some(member) = self.members.get_mut(number).filter(|member| member.online) else { return Ok(()) };
        member.state.prune(clock);
        member.rounds += 1;
        let nodes: Vec<NodeId> = member
            .connected
            .iter()
            .copied()
            .collect::<Vec<_>>()
            .into_iter()
            .filter_map(|other| self.members.get(other).map(|member| member.node.clone()))
            .collect();
        let rounds = self.members.get(number).map_or(0, |member| member.rounds);
        for node in sync_partners(nodes, rounds) {
            if let Some(with) = self.numbers.get(&node).copied() {
                self.want_sync(number, with)?;
            }
        }
        self.close_unwanted(number);
        self.look_around(number);
        Ok(())
    }

    /// Closes connections that neither side wants and gossip does not use.
    fn close_unwanted(&mut self, number: usize) {
        let Some(member) = self.members.get(number) else { return };
        let wants = |one: &Member, other: usize| one.kept.contains(&other) || one.mesh.contains(&other);
        let unwanted = |other: &usize| {
            !wants(member, *other) && !self.members.get(*other).is_some_and(|other| wants(other, number))
        };
        let unwanted: Vec<usize> = member.connected.iter().copied().filter(unwanted).collect();
        for other in unwanted {
            for (one, other) in [(number, other), (other, number)] {
                if let Some(member) = self.members.get_mut(one) {
                    member.connected.remove(&other);
                }
            }
        }
    }

    /// Takes in what came, as a daemon does; gives whether something was new.
    pub(crate) fn take(&mut self, number: usize, roster: &[SignedRosterEntry], records: &[Vec<u8>]) -> Result<bool> {
        let (now, clock, counted) = (self.now, self.clock(), self.is_counted());
        let Some(member) = self.members.get_mut(number) else { return Ok(false) };
        let (before, epoch) = (member.state.roster().next_index(), member.state.roster().epoch());
        for signed in roster {
            // What is known, or comes too early, is passed over.
            let _ = member.state.apply_roster(signed);
        }
        let mut new = false;
        for bytes in records {
            let Ok(received) = Received::read(bytes) else { continue };
            let place = (received.claimed().author, received.claimed().seq);
            let known = member.state.record(&place.0, place.1).is_some();
            if !known && member.state.receive(bytes, clock).is_ok() {
                self.spreads.record_came(&place, number, now);
                // What came otherwise is not asked for when gossip tells of it.
                new = true;
            }
        }
        let (count, same_epoch) = (member.state.roster().next_index(), member.state.roster().epoch() == epoch);
        if count > before {
            self.spreads.entries_came(count, number, now, counted);
            self.roster_changed(number, !same_epoch)?;
            new = true;
        }
        Ok(new)
    }

    fn roster_changed(&mut self, number: usize, new_epoch: bool) -> Result<()> {
        self.look_soon(number);
        self.announce(number)?;
        if new_epoch {
            self.later(1, Happening::WriteAnew(number));
        }
        Ok(())
    }

    /// The host has written entries: it takes them and pushes them to those who are connected.
    pub(crate) fn host_wrote(&mut self, entries: Vec<SignedRosterEntry>) -> Result<()> {
        let host = self.members.first().context("there is a host")?;
        let push = Push::roster(host.state.event(), entries.clone());
        let others: Vec<usize> = host.connected.iter().copied().collect();
        self.take(0, &entries, &[])?;
        self.push(0, &others, &push)
    }

    pub(crate) fn push(&mut self, number: usize, to: &[usize], push: &Push) -> Result<()> {
        let frame = Self::frame(push)?;
        to.iter().for_each(|other| self.send(number, *other, Wire::Push(frame.clone()), Asks::Push));
        Ok(())
    }

    /// Writes what has to be written anew: the profile of this epoch or of a new address, and the find-me of a new projection.
    pub(crate) fn write_anew(&mut self, number: usize) -> Result<()> {
        let clock = self.clock();
        let Some(member) = self.members.get_mut(number) else { return Ok(()) };
        if !member.online || member.state.current_grant().is_none() {
            return Ok(());
        }
        if let Err(wait) = member.state.may_write_anew(clock) {
            self.later(wait, Happening::WriteAnew(number));
            return Ok(());
        }
        let id = member.keys.member_id();
        let epoch = member.state.roster().epoch();
        if std::mem::take(&mut member.moved) || member.state.profile(&id).is_none_or(|profile| profile.epoch < epoch) {
            let seed = self.random.below(250);
            let addresses = ["192.168.1", "10.0.0", "172.17.0"].map(|net| format!("/ip4/{net}.{seed}/tcp/7412"));
            let body = RecordBody::Profile { nickname: format!("Guest {number}"), addresses: addresses.to_vec() };
            self.write(number, body)?;
        }
        self.announce_find_me(number)
    }

    /// Four of ten look for photos of themselves.
    fn announce_find_me(&mut self, number: usize) -> Result<()> {
        let clock = self.clock();
        let Some(member) = self.members.get_mut(number) else { return Ok(()) };
        let id = member.keys.member_id();
        if number % 5 > 1 || !member.looks || member.state.find_mes(clock).iter().any(|live| live.author == id) {
            return Ok(());
        }
        let find_me = match member.find_me {
            Some(find_me) => find_me,
            None => FindMeId::generate(&id)?,
        };
        member.find_me = Some(find_me);
        let Some(grant) = member.state.current_grant() else { return Ok(()) };
        let mut face = Random::new(number as u64);
        let embedding: Vec<f32> =
            (0..TEMPLATE_COORDINATES / 2).map(|_| (face.below(256) as f32 - 127.5) / 800.0).collect();
        let template = Template::project(&embedding, &[0.0; TEMPLATE_COORDINATES / 2], &grant.projection_key())?;
        let body = RecordBody::FindMe(FindMe {
            id: find_me,
            pack: "face-api@1.7.15".to_owned(),
            template,
            subject: Subject::Me,
            live: true,
            expires: clock.plus(12 * 60 * MINUTE),
            still: [&[0xff, 0xd8, 0xff][..], &[7; STILL_BYTES - 3]].concat(),
            label: String::new(),
        });
        self.write(number, body)
    }

    pub(crate) fn change_find_me(&mut self, number: usize) -> Result<()> {
        let Some(member) = self.members.get_mut(number).filter(|member| member.online) else { return Ok(()) };
        let Some(find_me) = member.find_me else { return Ok(()) };
        member.looks = !member.looks;
        if member.looks {
            member.find_me = None;
            return self.announce_find_me(number);
        }
        self.write(number, RecordBody::Withdraw { find_me })
    }

    /// Writes a record, gossips it and pushes it to those who are connected.
    fn write(&mut self, number: usize, body: RecordBody) -> Result<()> {
        let (now, clock, counted) = (self.now, self.clock(), self.is_counted());
        let Some(member) = self.members.get_mut(number) else { return Ok(()) };
        // Four announcements in an hour are allowed (R39).
        let Ok((bytes, _)) = member.state.write(body, clock) else { return Ok(()) };
        let header = *Received::read(&bytes)?.claimed();
        let (event, others) = (member.state.event(), member.connected.iter().copied().collect::<Vec<_>>());
        self.came_into_being(bytes.len());
        let record = self.spreads.written((header.author, header.seq), number, now, counted);
        self.gossiped.push(bytes.as_slice().into());
        self.publish_or_keep(number, record);
        self.push(number, &others, &Push::record(event, bytes))
    }

    /// Publishes a record, or keeps it until somebody listens.
    fn publish_or_keep(&mut self, number: usize, record: usize) {
        if !self.publish(number, record)
            && let Some(member) = self.members.get_mut(number)
        {
            member.unheard.push(record);
        }
    }

    /// R53: whether one may ask another.
    pub(crate) fn may_ask(&mut self, from: usize, to: usize, ask: Ask) -> bool {
        let clock = self.clock();
        let Some(member) = self.members.get_mut(to) else { return false };
        let may = member.allowances.entry(from).or_insert_with(|| Allowance::new(clock)).take(ask, clock);
        self.turned_away += u64::from(!may);
        may
    }
}
