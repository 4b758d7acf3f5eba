//! What is asked of photos is kept, renewed before it ends, made anew in a new epoch, and gone when it is taken back or has nobody behind it.

use inframe_protocol::record::Wish;

use super::alarms::portrait;
use super::*;
use crate::sandbox::Details;

fn wishes(at: &Events, event: &EventId) -> Vec<Wish> {
    at.search(event, now_ms()).unwrap().protected.into_iter().map(|one| one.wish).collect()
}

#[test]
fn a_wish_reaches_the_others_and_outlives_a_restart_on_both_sides() {
    let (event, host, guests) = party(2);
    let mine = portrait("her", 0.0);
    guests[0].events.protect(&event, &mine, Wish::Blur).unwrap();
    pass(&guests[0], &[&host, &guests[1]]);
    let since = guests[0].events.protecting(&event)[0].1.since;
    for at in [&host, &guests[1], &guests[0]] {
        let again = Events::open(at.vault.clone(), Live::default(), node(9)).unwrap();
        assert_eq!(wishes(&again, &event), [Wish::Blur]);
    }
    let restarted = Events::open(guests[0].vault.clone(), Live::default(), node(1)).unwrap();
    let (whose, kept) = restarted.protecting(&event)[0];
    assert_eq!((whose, kept.wish, kept.since), (crate::faces::ProfileId::ME, Wish::Blur, since));
    // Another wish takes its place, under the same id. Whoever was up to date has not heard it yet.
    let words = restarted.words(&event);
    restarted.protect(&event, &mine, Wish::HoldBack).unwrap();
    assert_eq!(restarted.words(&event), words + 1);
    let (_, changed) = restarted.protecting(&event)[0];
    assert_eq!((changed.protection, changed.wish), (kept.protection, Wish::HoldBack));
    assert!(restarted.unprotect(&event, whose).unwrap() && !restarted.unprotect(&event, whose).unwrap());
    for outgoing in restarted.take_outgoing() {
        assert!(host.events.take(&event, &outgoing.roster, &outgoing.records).problem.is_none());
    }
    assert!(wishes(&host.events, &event).is_empty() && restarted.protecting(&event).is_empty());
    let rows = guests[0].vault.catalog().count(crate::vault::Kind::EventProtecting).unwrap();
    assert_eq!(rows, 0, "nothing is left of it");
}

#[test]
fn it_is_renewed_daily_and_in_a_new_epoch_and_ends_with_the_selfies() {
    let (event, host, guests) = party(2);
    let guest = &guests[0];
    let mine = portrait("her", 0.0);
    guest.events.protect(&event, &mine, Wish::Blur).unwrap();
    pass(guest, &[&host, &guests[1]]);
    let renew = |known: bool| {
        guest.events.renew_protections(|_| known.then(|| mine.clone())).unwrap();
        let told = guest.events.take_outgoing();
        told.iter().for_each(|one| drop(host.events.take(&event, &one.roster, &one.records)));
        told.len()
    };
    assert_eq!(renew(true), 0, "it is of today");
    let yesterday = now_ms() - 25 * 3_600_000;
    guest.events.entries().get_mut(&event).unwrap().protecting.values_mut().for_each(|one| one.said_at = yesterday);
    assert_eq!((renew(true), renew(true)), (1, 0));
    // Somebody is removed: until it is made anew, it counts as it was.
    let before = guest.events.protecting(&event)[0].1;
    let gone = guests[1].events.entries()[&event].my_id();
    host.events.remove_member(&event, &gone).unwrap();
    assert_eq!(wishes(&host.events, &event), [Wish::Blur], "its author may be away");
    pass(&host, &[guest]);
    assert_eq!((renew(true), renew(true)), (1, 0));
    let after = guest.events.protecting(&event)[0].1;
    assert_eq!((after.protection, after.wish, after.since), (before.protection, before.wish, before.since));
    assert!(after.epoch > before.epoch);
    assert_eq!(wishes(&host.events, &event), [Wish::Blur]);
    // Without a selfie there is no face to protect.
    assert_eq!((renew(false), wishes(&host.events, &event).len()), (1, 0));
}

#[test]
fn only_the_host_has_bystanders_blurred() {
    let (event, host, guests) = party(1);
    assert!(matches!(guests[0].events.set_blur_bystanders(&event, true), Err(EventsError::NotHost)));
    host.events.set_blur_bystanders(&event, true).unwrap();
    host.events.set_blur_bystanders(&event, true).unwrap();
    assert_eq!(host.events.to_tell().waiting.len(), 1, "what holds already is not said again");
    pass(&host, &[&guests[0]]);
    for at in [&host, &guests[0]] {
        assert!(at.events.search(&event, now_ms()).unwrap().blur_bystanders);
        assert!(at.events.describe(&event, now_ms()).unwrap().blur_bystanders);
    }
}

#[test]
fn where_children_are_present_stricter_rules_hold_and_what_was_chosen_is_kept() {
    let (event, host, guests) = party(1);
    let guest = &guests[0];
    let (all, to) = (Details { time: true, place: true, camera: true }, host.events.me_in(&event).unwrap());
    guest.events.set_details(&event, to, all).unwrap();
    assert!(matches!(guest.events.set_children_present(&event, true), Err(EventsError::NotHost)));
    for present in [true, false, true] {
        assert!(host.events.set_children_present(&event, present).unwrap());
        assert!(!host.events.set_children_present(&event, present).unwrap(), "what holds already is not said again");
        pass(&host, &[guest]);
        for at in [&host, guest] {
            let search = at.events.search(&event, now_ms()).unwrap();
            assert_eq!((search.children_present, search.blur_bystanders), (present, present));
            let shown = at.events.describe(&event, now_ms()).unwrap();
            assert_eq!((shown.children_present, shown.blur_bystanders), (present, false), "that rule is its own");
        }
        let told = if present { Details::default() } else { all };
        assert_eq!(guest.events.details_for(&event, &to), told);
        let kept = guest.events.describe(&event, now_ms()).unwrap().members;
        assert!(kept.iter().any(|member| member.id == to && member.details == all), "shown as it was chosen");
    }
}
