//! Whatever is lost, doubled, late or out of order, and whoever restarts in between: all members of an event end with the same state.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure of the helpers is a failure of the test")]

mod party;

use inframe_protocol::record::{Contact, Protection, RecordBody, Subject, Wish};
use inframe_protocol::roster::SignedRosterEntry;
use inframe_protocol::{FindMeId, ProtectionId, UnixMillis};
use party::{Guest, HOUR, MINUTE, Party, START, catch_up};
use proptest::prelude::*;

/// One thing that happens. Numbers are taken modulo what there is.
#[derive(Debug, Clone)]
enum Step {
    Announce {
        who: usize,
        child: usize,
        hours: u64,
    },
    Withdraw {
        who: usize,
        child: usize,
    },
    Profile {
        who: usize,
        nickname: u8,
    },
    /// A name is shown, or taken back.
    Contact {
        who: usize,
        name: u8,
    },
    /// A wish is said, or taken back.
    Protect {
        who: usize,
        child: usize,
        wish: Option<Wish>,
    },
    /// Any earlier message arrives somewhere: late, again, or never.
    Deliver {
        to: usize,
        message: usize,
    },
    Sync {
        from: usize,
        to: usize,
    },
    Restart {
        who: usize,
    },
    Prune {
        who: usize,
    },
    Rotate,
    Remove {
        who: usize,
    },
    Admit,
    Wait {
        minutes: u64,
    },
    /// A member signs two different records with one number and sends them to different members.
    Equivocate {
        who: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let number = 0..1_000_usize;
    prop_oneof![
        5 => (number.clone(), 0..3_usize, 1..25_u64)
            .prop_map(|(who, child, hours)| Step::Announce { who, child, hours }),
        2 => (number.clone(), 0..3_usize).prop_map(|(who, child)| Step::Withdraw { who, child }),
        2 => (number.clone(), any::<u8>()).prop_map(|(who, nickname)| Step::Profile { who, nickname }),
        1 => (number.clone(), any::<u8>()).prop_map(|(who, name)| Step::Contact { who, name }),
        3 => (number.clone(), 0..3_usize, 0..4_usize).prop_map(|(who, child, wish)| Step::Protect {
            who,
            child,
            wish: [Wish::HoldBack, Wish::Blur, Wish::Show].get(wish).copied(),
        }),
        12 => (number.clone(), number.clone()).prop_map(|(to, message)| Step::Deliver { to, message }),
        3 => (number.clone(), number.clone()).prop_map(|(from, to)| Step::Sync { from, to }),
        2 => number.clone().prop_map(|who| Step::Restart { who }),
        1 => number.clone().prop_map(|who| Step::Prune { who }),
        1 => Just(Step::Rotate),
        1 => number.clone().prop_map(|who| Step::Remove { who }),
        1 => Just(Step::Admit),
        4 => (1..120_u64).prop_map(|minutes| Step::Wait { minutes }),
        1 => number.prop_map(|who| Step::Equivocate { who }),
    ]
}

#[derive(Clone)]
enum Sent {
    Entry(SignedRosterEntry),
    Record(Vec<u8>),
}

struct World {
    party: Party,
    now: UnixMillis,
    sent: Vec<Sent>,
    /// Find-mes of each guest, in the order of the party.
    children: Vec<[FindMeId; 3]>,
    admitted: u16,
}

impl World {
    fn new() -> Self {
        let party = Party::of(5);
        let children = party.guests.iter().map(|guest| std::array::from_fn(|_| guest.fresh_id())).collect();
        Self { party, now: START.plus(HOUR), sent: Vec::new(), children, admitted: 5 }
    }

    fn who(&self, number: usize) -> usize {
        number % self.party.guests.len()
    }

    fn write(&mut self, who: usize, body: RecordBody) {
        // Refused when a budget is used up, or by a guest who has not heard of being admitted.
        if let Ok((bytes, _)) = self.party.guests[who].state.write(body, self.now) {
            self.sent.push(Sent::Record(bytes));
        }
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Protect { who, child, wish } => {
                let who = self.who(who);
                let guest = &self.party.guests[who];
                if guest.state.current_grant().is_none() {
                    return;
                }
                // As the find-me of the same face is bound to its author, so is this.
                let mut id = ProtectionId::generate(&guest.id()).unwrap();
                id.0[8..].fill(child as u8);
                let Some(wish) = wish else {
                    return self.write(who, RecordBody::Unprotect { protection: id });
                };
                let subject = if child == 0 { Subject::Me } else { Subject::Child };
                let expires = self.now.plus(7 * 24 * HOUR);
                let protection = Protection { id, ..guest.protection(child as u8, subject, wish, expires) };
                self.write(who, RecordBody::Protect(protection));
            }
            Step::Announce { who, child, hours } => {
                let who = self.who(who);
                let guest = &self.party.guests[who];
                if guest.state.current_grant().is_none() {
                    return;
                }
                let subject = if child == 0 { Subject::Me } else { Subject::Child };
                let expires = self.now.plus(hours * HOUR).minus(1);
                let find_me = guest.find_me(self.children[who][child], child as u8, subject, expires);
                self.write(who, RecordBody::FindMe(find_me));
            }
            Step::Withdraw { who, child } => {
                let who = self.who(who);
                let find_me = self.children[who][child];
                self.write(who, RecordBody::Withdraw { find_me });
            }
            Step::Profile { who, nickname } => {
                let who = self.who(who);
                let nickname = format!("Guest {nickname}");
                self.write(who, RecordBody::Profile { nickname, addresses: vec!["/ip4/10.0.0.1/tcp/7412".into()] });
            }
            Step::Contact { who, name } => {
                let name = if name < 64 { String::new() } else { format!("Guest {name}") };
                self.write(self.who(who), RecordBody::Contact(Contact { name, email: String::new() }));
            }
            Step::Deliver { to, message } => {
                let to = self.who(to);
                if let Some(sent) = self.sent.get(message % self.sent.len().max(1)).cloned() {
                    self.deliver(to, &sent);
                }
            }
            Step::Sync { from, to } => self.sync(self.who(from), self.who(to)),
            Step::Restart { who } => {
                let who = self.who(who);
                self.party.guests[who].restart();
            }
            Step::Prune { who } => {
                let who = self.who(who);
                self.party.guests[who].state.prune(self.now);
            }
            Step::Rotate => {
                let entry = self.party.rotate();
                self.sent.push(Sent::Entry(entry));
            }
            Step::Remove { who } => self.remove(self.who(who)),
            Step::Admit => {
                let entry = self.party.admit(self.admitted);
                self.admitted += 1;
                let newcomer = self.party.guests.last().unwrap();
                self.children.push(std::array::from_fn(|_| newcomer.fresh_id()));
                self.sent.push(Sent::Entry(entry));
            }
            Step::Wait { minutes } => self.now = self.now.plus(minutes * MINUTE),
            Step::Equivocate { who } => self.equivocate(self.who(who)),
        }
    }

    fn deliver(&mut self, to: usize, sent: &Sent) {
        let state = &mut self.party.guests[to].state;
        // What cannot be judged yet is refused, and comes again by sync.
        match sent {
            Sent::Entry(entry) => drop(state.apply_roster(entry)),
            Sent::Record(bytes) => drop(state.receive(bytes, self.now)),
        }
    }

    fn sync(&mut self, from: usize, to: usize) {
        if from != to {
            let answerer = self.party.guests[from].clone();
            catch_up(&mut self.party.guests[to], &answerer, self.now);
        }
    }

    fn remove(&mut self, who: usize) {
        if who == 0 || self.party.guests.len() < 4 {
            return;
        }
        let id = self.party.guests[who].id();
        let entries = self.party.remove(&id);
        self.party.guests.remove(who);
        self.children.remove(who);
        self.sent.extend(entries.map(Sent::Entry));
    }

    fn equivocate(&mut self, who: usize) {
        let guest = self.party.guests[who].clone();
        if guest.state.current_grant().is_none() || guest.state.roster().member(&guest.id()).is_none() {
            return;
        }
        let vector = guest.state.vector();
        let own = vector.authors.iter().find(|(author, _)| *author == guest.id());
        let last = own.and_then(|(_, held)| held.last()).map_or(0, |held| held.seq);
        let header = guest.header(last.max(self.now.0) + 1, self.now);
        for name in ["One", "Another"] {
            let body = RecordBody::Profile { nickname: name.to_owned(), addresses: Vec::new() };
            let sent = Sent::Record(guest.forge(header, &body));
            self.sent.push(sent.clone());
            // The author's own node knows, so that the number is not used in a later epoch too: whoever joined then would not get the
            // earlier ones (R49), and might keep another one of the author's records than the rest.
            self.deliver(who, &sent);
            let to = (who + name.len()) % self.party.guests.len();
            self.deliver(to, &sent);
        }
    }

    /// Everybody syncs with everybody, until all have heard of all.
    fn settle(&mut self) {
        for _ in 0..3 {
            for guest in &mut self.party.guests {
                guest.state.prune(self.now);
            }
            for from in 0..self.party.guests.len() {
                for to in 0..self.party.guests.len() {
                    self.sync(from, to);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn all_members_converge(steps in prop::collection::vec(step(), 1..90)) {
        let mut world = World::new();
        for step in &steps {
            world.take(step);
        }
        world.settle();
        let (now, guests) = (world.now, &world.party.guests);
        let host = &guests[0];
        let there_from_the_start = |guest: &&Guest| guest.state.vector().oldest_epoch == 0;
        for guest in guests {
            prop_assert_eq!(guest.state.roster(), host.state.roster());
            let all = host.found(now);
            if there_from_the_start(&guest) {
                prop_assert_eq!(guest.state.vector(), host.state.vector());
                prop_assert_eq!(guest.found(now), all);
                prop_assert_eq!(guest.protected(now), host.protected(now));
                for member in guest.state.members() {
                    prop_assert_eq!(guest.state.contact(&member.id()), host.state.contact(&member.id()));
                }
            } else {
                // Whoever came later cannot read everything, and finds nothing else.
                prop_assert!(guest.found(now).iter().all(|found| all.contains(found)));
                prop_assert!(guest.protected(now).iter().all(|one| host.protected(now).contains(one)));
            }
        }

        // Eight days later everything but the newest profiles and contacts is gone, and nobody has more than another.
        world.now = now.plus(8 * 24 * HOUR);
        world.settle();
        let guests = &world.party.guests;
        let left = guests[0].state.vector();
        prop_assert!(left.authors.iter().all(|(_, held)| (1..=2).contains(&held.len())));
        for guest in guests {
            let vector = guest.state.vector();
            prop_assert!(guest.found(world.now).is_empty() && guest.protected(world.now).is_empty());
            for (author, held) in &vector.authors {
                let all = left.authors.iter().find(|(known, _)| known == author).map(|(_, held)| held);
                prop_assert!(all.is_some_and(|all| held.iter().all(|one| all.contains(one))));
            }
        }
    }

    #[test]
    fn the_order_of_records_does_not_matter(
        seed in prop::collection::vec((0..5_usize, 0..4_usize, 1..24_u64, 0..50_u64), 1..40),
        order in prop::collection::vec(any::<prop::sample::Index>(), 120),
    ) {
        let mut world = World::new();
        for (who, child, hours, wait) in seed {
            world.take(&Step::Wait { minutes: wait });
            match child {
                3 => world.take(&Step::Withdraw { who, child: (hours % 3) as usize }),
                child => world.take(&Step::Announce { who, child, hours }),
            }
        }
        // Two fresh nodes of one member hear the same records: one in order, one in any order and some of them twice.
        let mut one = Party::clone(&world.party).guests.remove(1);
        one.state = inframe_protocol::event::EventState::new(world.party.key.event_id());
        one.state.set_keys(one.keys.clone());
        for entry in world.party.guests[0].state.roster().entries() {
            one.state.apply_roster(entry).unwrap();
        }
        let mut other = one.clone();
        let records: Vec<_> = world.sent.iter().filter_map(|sent| match sent {
            Sent::Record(bytes) => Some(bytes),
            Sent::Entry(_) => None,
        }).collect();
        let now = world.now;
        for record in &records {
            let _ = one.state.receive(record, now);
        }
        if !records.is_empty() {
            for index in order {
                let _ = other.state.receive(index.get(records.as_slice()).as_slice(), now);
            }
        }
        for record in records.iter().rev() {
            let _ = other.state.receive(record, now);
        }
        prop_assert_eq!(one.state.vector(), other.state.vector());
        prop_assert_eq!(one.found(now), other.found(now));
    }
}
