//! Gossip as libp2p's gossipsub does it with its usual settings: what a member publishes goes to all its neighbours, what it hears goes on to the
//! six of its mesh, and once a second six others are told what there is, and ask for what they lack.

use std::rc::Rc;

use crate::member::Asks;
use crate::world::{Happening, SECOND, Wire, World};

/// Members of a mesh: as many as wished, the fewest and the most.
const MESH: (usize, usize, usize) = (6, 5, 12);
/// Neighbours outside the mesh that are told each second.
const TOLD: usize = 6;
/// Heartbeats for which a record is told of.
const TOLD_FOR: usize = 3;

impl World {
    /// The neighbours who follow the same topic.
    fn followers(&self, number: usize) -> Vec<usize> {
        let Some(member) = self.members.get(number) else { return Vec::new() };
        let same = |other: &usize| {
            self.can_meet(number, *other)
                && self.members.get(*other).is_some_and(|other| other.topic() == member.topic())
        };
        member.connected.iter().copied().filter(same).collect()
    }

    /// Publishes a record; whether anybody follows the topic.
    pub(crate) fn publish(&mut self, number: usize, record: usize) -> bool {
        let followers = self.followers(number);
        if let Some(member) = self.members.get_mut(number) {
            member.seen.insert(record);
            member.recent.push((record, TOLD_FOR));
        }
        self.pass_on(number, record, &followers);
        !followers.is_empty()
    }

    fn pass_on(&mut self, number: usize, record: usize, to: &[usize]) {
        let epoch = self.members.get(number).map_or(0, |member| member.topic());
        let Some(bytes) = self.gossiped.get(record).cloned() else { return };
        for other in to {
            self.send(number, *other, Wire::Gossip(record, epoch, bytes.clone()), Asks::Gossip);
        }
    }

    /// A gossiped record arrives; whether it is the first time.
    pub(crate) fn hears(&mut self, from: usize, to: usize, record: usize, epoch: u32) -> bool {
        let Some(member) = self.members.get_mut(to) else { return false };
        if member.topic() != epoch || !member.seen.insert(record) {
            return false;
        }
        member.recent.push((record, TOLD_FOR));
        let mesh: Vec<usize> = member.mesh.iter().copied().filter(|other| *other != from).collect();
        self.pass_on(to, record, &mesh);
        true
    }

    pub(crate) fn heartbeat(&mut self, number: usize) {
        self.later(SECOND, Happening::Heartbeat(number));
        if !self.members.get(number).is_some_and(|member| member.online) {
            return;
        }
        let followers = self.followers(number);
        let Some(member) = self.members.get_mut(number) else { return };
        member.mesh.retain(|other| followers.contains(other));
        let mesh = member.mesh.clone();
        let (wished, fewest, most) = MESH;
        if mesh.len() < fewest && mesh.len() < followers.len() {
            let outside: Vec<usize> = followers.iter().copied().filter(|other| !mesh.contains(other)).collect();
            for other in self.random.some(outside, wished - mesh.len()) {
                self.graft(number, other);
            }
        } else if mesh.len() > most {
            for other in self.random.some(mesh.into_iter().collect(), most - wished) {
                for (one, other) in [(number, other), (other, number)] {
                    if let Some(member) = self.members.get_mut(one) {
                        member.mesh.remove(&other);
                    }
                }
            }
        }
        let Some(member) = self.members.get_mut(number) else { return };
        if member.recent.is_empty() {
            return;
        }
        let records: Rc<[usize]> = member.recent.iter().map(|(record, _)| *record).collect();
        member.recent.iter_mut().for_each(|(_, left)| *left -= 1);
        member.recent.retain(|(_, left)| *left > 0);
        let mesh = member.mesh.clone();
        let outside: Vec<usize> = followers.into_iter().filter(|other| !mesh.contains(other)).collect();
        for other in self.random.some(outside, TOLD) {
            self.send(number, other, Wire::Have(records.clone()), Asks::Gossip);
        }
    }

    fn graft(&mut self, one: usize, other: usize) {
        for (one, other) in [(one, other), (other, one)] {
            if let Some(member) = self.members.get_mut(one) {
                member.mesh.insert(other);
            }
        }
    }

    /// A neighbour tells what it has.
    pub(crate) fn told(&mut self, from: usize, to: usize, records: &[usize]) {
        let Some(member) = self.members.get(to) else { return };
        let lacking: Rc<[usize]> = records.iter().copied().filter(|record| !member.seen.contains(record)).collect();
        if !lacking.is_empty() {
            self.send(to, from, Wire::Want(lacking), Asks::Gossip);
        }
    }

    /// A neighbour wants some of it.
    pub(crate) fn wants(&mut self, from: usize, to: usize, records: &[usize]) {
        records.iter().for_each(|record| self.pass_on(to, *record, &[from]));
    }
}
