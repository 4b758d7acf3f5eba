//! Messages between two members: syncs, one at a time, announcements of a new roster, and pushes.

use std::rc::Rc;

use anyhow::Result;
use inframe_protocol::allowance::Ask;
use inframe_protocol::event::{Asking, Heard};
use inframe_protocol::frame::{Message, decode};
use inframe_protocol::push::{Push, PushReply};
use inframe_protocol::sync::{SyncReply, SyncRequest};

use crate::member::Asks;
use crate::world::{Happening, SECOND, Wire, World};

/// A sync that takes longer lets the next begin.
const SYNC_WITHIN: u64 = 5 * SECOND;

fn read<M: Message>(frame: &[u8]) -> Result<M> {
    Ok(decode(frame, M::MAX_BYTES)?)
}

impl World {
    pub(crate) fn arrives(&mut self, from: usize, to: usize, wire: Wire) -> Result<()> {
        if !self.can_meet(from, to) || !self.members.get(to).is_some_and(|member| member.connected.contains(&from)) {
            return Ok(());
        }
        match wire {
            Wire::SyncRequest(frame, announces) => self.answer(from, to, &frame, announces),
            Wire::SyncReply(frame, announces) => self.hear(from, to, &frame, announces),
            Wire::Push(frame) => {
                if !self.may_ask(from, to, Ask::Push) {
                    return Ok(());
                }
                let push: Push = read(&frame)?;
                let known = self.members.get(to).map_or(0, |member| member.state.roster().next_index());
                let gap =
                    push.roster.iter().filter_map(|entry| entry.index().ok()).min().is_some_and(|first| first > known);
                self.take(to, &push.roster, &push.records)?;
                let reply = Self::frame(&PushReply::Taken)?;
                self.send(to, from, Wire::PushReply(reply), Asks::Push);
                if gap { self.want_sync(to, from) } else { Ok(()) }
            }
            Wire::PushReply(frame) => read::<PushReply>(&frame).map(drop),
            Wire::Gossip(record, epoch, bytes) => {
                if self.hears(from, to, record, epoch) && self.may_ask(from, to, Ask::Gossip) {
                    self.take(to, &[], &[bytes.to_vec()])?;
                }
                Ok(())
            }
            Wire::Have(records) => {
                self.told(from, to, &records);
                Ok(())
            }
            Wire::Want(records) => {
                self.wants(from, to, &records);
                Ok(())
            }
        }
    }

    /// A sync with a neighbour, now or after those that wait.
    pub(crate) fn want_sync(&mut self, number: usize, with: usize) -> Result<()> {
        let Some(member) = self.members.get_mut(number).filter(|member| member.online) else { return Ok(()) };
        if !member.waiting.contains(&with) {
            member.waiting.push_back(with);
        }
        if member.asking.is_none() { self.next_sync(number) } else { Ok(()) }
    }

    fn next_sync(&mut self, number: usize) -> Result<()> {
        loop {
            let Some(member) = self.members.get_mut(number) else { return Ok(()) };
            let Some(with) = member.waiting.pop_front() else { return Ok(()) };
            if !member.connected.contains(&with) {
                continue;
            }
            let Some(node) = self.members.get(with).map(|other| other.node.clone()) else { continue };
            let Some(member) = self.members.get_mut(number) else { return Ok(()) };
            member.syncs += 1;
            let token = member.syncs;
            member.asking = Some((with, Asking::new(node), token));
            self.later(SYNC_WITHIN, Happening::GiveUp(number, token));
            return self.ask(number);
        }
    }

    fn ask(&mut self, number: usize) -> Result<()> {
        let Some(member) = self.members.get_mut(number) else { return Ok(()) };
        let Some((with, asking, token)) = &mut member.asking else { return Ok(()) };
        let (with, token) = (*with, *token);
        match asking.request(&member.state) {
            Some(request) => {
                let frame = Self::frame(&request)?;
                self.send(number, with, Wire::SyncRequest(frame, false), Asks::Sync);
                Ok(())
            }
            None => self.give_up(number, token),
        }
    }

    pub(crate) fn give_up(&mut self, number: usize, token: u64) -> Result<()> {
        let Some(member) = self.members.get_mut(number) else { return Ok(()) };
        if member.asking.as_ref().is_some_and(|(_, _, asked)| *asked == token) {
            member.asking = None;
            return self.next_sync(number);
        }
        Ok(())
    }

    /// Tells some neighbours that the roster has changed.
    pub(crate) fn announce(&mut self, number: usize) -> Result<()> {
        let Some(member) = self.members.get(number) else { return Ok(()) };
        let frame = Self::frame(&member.state.announcement())?;
        let nodes = member.connected.iter().filter_map(|other| Some(self.members.get(*other)?.node.clone()));
        let told = member.state.told_of_roster(nodes);
        let told: Vec<usize> = told.iter().filter_map(|node| self.numbers.get(node).copied()).collect();
        for other in told {
            self.send(number, other, Wire::SyncRequest(frame.clone(), true), Asks::Sync);
        }
        Ok(())
    }

    fn answer(&mut self, from: usize, to: usize, frame: &Rc<[u8]>, announces: bool) -> Result<()> {
        if !self.may_ask(from, to, Ask::Sync) {
            return Ok(());
        }
        let request: SyncRequest = read(frame)?;
        let Some(node) = self.members.get(from).map(|member| member.node.clone()) else { return Ok(()) };
        let Some(member) = self.members.get(to) else { return Ok(()) };
        let known = member.state.member_by_node(&node).is_some();
        let reply = if known { member.state.answer(&request) } else { SyncReply::NotFound };
        let lags = member.state.lags_behind(&request);
        let frame = Self::frame(&reply)?;
        self.send(to, from, Wire::SyncReply(frame, announces), Asks::Sync);
        if lags { self.want_sync(to, from) } else { Ok(()) }
    }

    fn hear(&mut self, from: usize, to: usize, frame: &Rc<[u8]>, announces: bool) -> Result<()> {
        let reply: SyncReply = read(frame)?;
        if announces {
            if let SyncReply::Page { page, .. } = reply {
                self.take(to, &page.roster, &[])?;
            }
            return Ok(());
        }
        let Some(member) = self.members.get_mut(to) else { return Ok(()) };
        let Some((with, asking, token)) = &mut member.asking else { return Ok(()) };
        if *with != from {
            return Ok(());
        }
        let token = *token;
        match asking.hear(reply) {
            Heard::Same => {
                self.caught_up_with(to);
                self.give_up(to, token)
            }
            Heard::NotFound => self.give_up(to, token),
            Heard::AskAgain => self.ask(to),
            Heard::Page { page, theirs, ask_again } => {
                self.take(to, &page.roster, &page.records)?;
                if ask_again {
                    return self.ask(to);
                }
                self.caught_up_with(to);
                let back = self
                    .members
                    .get(to)
                    .and_then(|member| Some(Push::page(member.state.event(), member.state.pushed_back(&theirs)?)));
                if let Some(push) = back {
                    self.push(to, &[from], &push)?;
                }
                self.give_up(to, token)
            }
        }
    }

    /// A sync came to its end: whoever was away has caught up.
    fn caught_up_with(&mut self, number: usize) {
        let now = self.now;
        let back = self.members.get_mut(number).and_then(|member| member.back_since.take());
        if let Some(since) = back.filter(|_| self.is_counted()) {
            self.caught_up.push(now - since);
        }
    }
}
