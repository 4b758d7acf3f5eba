//! What is wrong in an event is kept and told once: whichever came first, and over a restart.

use inframe_protocol::record::{Header, SealedRecord};

use super::*;
use crate::faces::{Likable, ProfileId};

/// Two records of a guest with one number, the one that all keep first.
fn two_of_one_number(author: &Place, event: &EventId) -> [Vec<u8>; 2] {
    let entries = author.events.entries();
    let entry = &entries[event];
    let grant = entry.state.current_grant().unwrap();
    let at = UnixMillis(now_ms());
    let header = Header { event: *event, epoch: entry.state.roster().epoch(), author: entry.my_id(), seq: 7, at };
    let write = |nickname: &str| {
        let body = RecordBody::Profile { nickname: nickname.into(), addresses: Vec::new() };
        SealedRecord::write(header, &body, &entry.keys, grant).unwrap().to_bytes().unwrap()
    };
    let mut both = [write("Ann"), write("Anna")];
    let mut kept = entry.state.clone();
    kept.receive(&both[0], at).unwrap();
    if kept.receive(&both[1], at).is_ok() {
        both.reverse();
    }
    both
}

#[test]
fn r35_two_records_of_one_number_are_told_once_whichever_comes_first() {
    let (event, host, guests) = party(2);
    let ann = guests[0].events.entries()[&event].my_id();
    let [kept, other] = two_of_one_number(&guests[0], &event);
    for order in [[&kept, &other], [&other, &kept]] {
        let listener = Events::open(host.vault.clone(), Live::default(), node(0)).unwrap();
        listener.entries().get_mut(&event).unwrap().alarms = Default::default();
        assert!(listener.take(&event, &[], &[order[0].clone()]).alarms.is_empty());
        let second = listener.take(&event, &[], &[order[1].clone()]);
        assert!(second.problem.is_none(), "it is its author's fault, not the bringer's: {:?}", second.problem);
        assert_eq!(second.alarms, [Alarm::Equivocated(ann)]);
        assert!(listener.take(&event, &[], std::slice::from_ref(&other)).alarms.is_empty(), "once");
        let again = Events::open(host.vault.clone(), Live::default(), node(0)).unwrap();
        assert!(again.take(&event, &[], std::slice::from_ref(&other)).alarms.is_empty(), "over a restart as well");
        // For the next round, as if nothing had come.
        let mut batch = crate::vault::Batch::default();
        for key in host.vault.catalog().keys(crate::vault::Kind::EventRecord).unwrap() {
            batch.remove(crate::vault::Kind::EventRecord, key);
        }
        batch.remove(crate::vault::Kind::EventAlarms, event.0);
        host.vault.catalog().commit(batch).unwrap();
    }
}

#[test]
fn r15_a_second_roster_is_told_once_and_both_entries_are_kept() {
    let (event, host, guests) = party(2);
    // The host goes on from an old copy of itself, and lets somebody else in under each.
    let state = host.events.entries()[&event].clone();
    let _first = join(&host, &event, 7);
    pass(&host, &[&guests[0], &guests[1]]);
    *host.events.entries().get_mut(&event).unwrap() = state;
    let _second = join(&host, &event, 8);
    let told = host.events.take_outgoing();
    for _ in 0..2 {
        let taken = guests[0].events.take(&event, &told[0].roster, &[]);
        assert!(taken.problem.is_none() && taken.changes.is_empty(), "{taken:?}");
        let fork = guests[0].events.entries()[&event].alarms.fork.clone().unwrap();
        assert_eq!((fork.index, &fork.theirs), (3, &told[0].roster[0]));
        assert_ne!(fork.ours, fork.theirs);
    }
    let again = Events::open(guests[0].vault.clone(), Live::default(), node(1)).unwrap();
    assert!(again.take(&event, &told[0].roster, &[]).alarms.is_empty(), "it was told");
    let fresh = guests[1].events.take(&event, &told[0].roster, &[]);
    assert_eq!(fresh.alarms, [Alarm::Forked { index: 3 }]);
}

#[test]
fn r54_a_node_that_goes_back_is_told_once_a_day_and_answers_that_cross_are_not() {
    let (event, host, guests) = party(1);
    let member = guests[0].events.entries()[&event].my_id();
    let shows = |roster, at| host.events.look_at_roster(&event, &node(1), roster, at).unwrap();
    let start = now_ms();
    assert_eq!(shows(2, start), None);
    assert_eq!(shows(1, start + 60_000), None, "it may have been on its way");
    assert_eq!(shows(1, start + 180_000), Some(Alarm::WentBack(member)));
    assert_eq!(shows(1, start + 400_000), None, "that is where it is now");
    assert_eq!((shows(2, start + 500_000), shows(1, start + 900_000)), (None, None), "again, on the same day");
    assert_eq!(shows(2, start + DAY_MS), None);
    assert_eq!(shows(1, start + 2 * DAY_MS), Some(Alarm::WentBack(member)));
    assert_eq!(host.events.look_at_roster(&event, &node(99), 1, start).unwrap(), None);
}

/// Somebody with a face made from these words; another one of the same words is nearly the same face.
pub(super) fn portrait(words: &str, other: f32) -> Portrait {
    let mut face = [0; 128];
    blake3::Hasher::new().update(words.as_bytes()).finalize_xof().fill(&mut face);
    let embedding = face.iter().enumerate();
    let embedding =
        embedding.map(|(at, byte)| (f32::from(*byte) - 127.5) / 800.0 + if at % 2 == 0 { other } else { -other });
    let likable = Likable { embedding: embedding.collect(), still: Vec::new(), live: false };
    Portrait { profile: ProfileId::ME, likable, mean: vec![0.0; 128], pack: "pack".into(), label: String::new() }
}

#[test]
fn two_who_look_for_one_face_are_told_once_to_both_and_to_the_host() {
    const SURE: f32 = 11.0;
    let (event, host, guests) = party(4);
    let [ann, ben, carl, dora] = guests.as_slice() else { panic!() };
    let id = |of: &Place| of.events.entries()[&event].my_id();
    let announce = |of: &Place, portrait: &Portrait| {
        of.events.announce(&event, portrait, now_ms() + DAY_MS).unwrap();
        pass(of, &[&host, ann, ben, carl, dora]);
        of.events.announcing(&event)[0].1.find_me
    };
    let look = |at: &Place, came, pack: &str, sure| {
        at.events.look_for_alikes(&event, &[Spoken::Looks(came)], None, pack, sure, now_ms()).unwrap()
    };
    let first = announce(ann, &portrait("one", 0.0));
    assert!([&host, ann, ben].iter().all(|at| look(at, first, "pack", SURE).is_empty()), "nobody else looks");
    let second = announce(ben, &portrait("one", 0.005));
    assert!(look(&host, second, "other pack", SURE).is_empty() && look(&host, second, "pack", 0.0).is_empty());
    assert_eq!(look(&host, second, "pack", SURE), [Alarm::LookAlike(id(ben), id(ann))]);
    assert_eq!(look(ann, second, "pack", SURE), [Alarm::LooksLikeMine(id(ben))]);
    assert_eq!(look(ben, second, "pack", SURE), [Alarm::LooksLikeMine(id(ann))]);
    assert!(look(carl, second, "pack", SURE).is_empty(), "it is not about them");
    assert!(look(&host, first, "pack", SURE).is_empty(), "once");
    let again = Events::open(host.vault.clone(), Live::default(), node(0)).unwrap();
    assert!(
        again.look_for_alikes(&event, &[Spoken::Looks(second)], None, "pack", SURE, now_ms()).unwrap().is_empty(),
        "over a restart as well"
    );
    let third = announce(carl, &portrait("another", 0.0));
    assert!(look(&host, third, "pack", SURE).is_empty() && look(carl, third, "pack", SURE).is_empty());
    let fourth = announce(dora, &portrait("another", 0.002));
    assert_eq!(look(&host, fourth, "pack", SURE), [Alarm::LookAlike(id(dora), id(carl))]);
}

#[test]
fn whoever_asks_something_of_photos_of_somebody_else_is_told_about_as_well() {
    const SURE: f32 = 11.0;
    let (event, host, guests) = party(3);
    let [ann, ben, carl] = guests.as_slice() else { panic!() };
    let id = |of: &Place| of.events.entries()[&event].my_id();
    ben.events.protect(&event, &portrait("one", 0.005), inframe_protocol::record::Wish::HoldBack).unwrap();
    pass(ben, &[&host, ann, carl]);
    let came = [Spoken::Asks(ben.events.protecting(&event)[0].1.protection)];
    let look = |at: &Place, mine: Option<&Portrait>| {
        at.events.look_for_alikes(&event, &came, mine, "pack", SURE, now_ms()).unwrap()
    };
    assert!(look(&host, None).is_empty() && look(ann, None).is_empty(), "nobody else speaks for it");
    assert!(look(carl, Some(&portrait("another", 0.0))).is_empty(), "it is not like theirs");
    // She has not announced herself; only her own node can know.
    assert_eq!(look(ann, Some(&portrait("one", 0.0))), [Alarm::LooksLikeMine(id(ben))]);
    assert!(look(ann, Some(&portrait("one", 0.0))).is_empty(), "once");
    ann.events.announce(&event, &portrait("one", 0.0), now_ms() + DAY_MS).unwrap();
    pass(ann, &[&host, ben, carl]);
    assert_eq!(look(&host, None), [Alarm::LookAlike(id(ben), id(ann))]);
}
