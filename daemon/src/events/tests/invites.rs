//! Invites that leaked, and codes that stand for invites.

use inframe_protocol::InviteId;
use inframe_protocol::code::JoinCode;
use inframe_protocol::invite::Invite;
use inframe_protocol::join::JoinRefusal;
use inframe_protocol::limits::{MAX_DEPUTY_INVITES, MAX_WRONG_CODES};

use super::*;
use crate::events::codes::{CodeState, Judged};

const TERMS: Terms = Terms { life_ms: DAY_MS, uses: 3, by_hand: false };
const OTHERWISE: Terms = Terms { life_ms: 5 * DAY_MS, uses: 7, by_hand: false };

fn host() -> (Place, EventId) {
    let host = place(0);
    let event = host.events.create("Picnic".into(), None, None, "Host".into()).unwrap();
    (host, event)
}

fn invite(host: &Place, event: &EventId) -> IssuedLink {
    host.events.issue_invite(event, Vec::new(), TERMS).unwrap()
}

/// Somebody with this link who has asked once, and what they were answered.
fn asks(host: &Place, number: u8, link: &str) -> (Place, JoinReply) {
    let guest = place(number);
    guest.events.begin_joining(link).unwrap();
    let reply = again(host, &guest, number);
    (guest, reply)
}

fn again(host: &Place, guest: &Place, number: u8) -> JoinReply {
    host.events.answer_join(&node(number), request(guest)).unwrap()
}

fn let_in(host: &Place, event: &EventId, guest: &Place, number: u8) -> MemberId {
    let member = request(guest).member.member_id();
    host.events.decide_admission(event, &member, true).unwrap();
    assert!(matches!(again(host, guest, number), JoinReply::Admitted(_)));
    member
}

fn restarted(place: &Place) -> Events {
    Events::open(place.vault.clone(), Live::default(), place.events.me.clone()).unwrap()
}

#[test]
fn a_leaked_invite_is_worth_nothing_at_once_and_who_came_by_it_goes_if_the_host_says_so() {
    let (host, event) = host();
    let (leaked, other) = (invite(&host, &event), invite(&host, &event));
    let (friend, _) = asks(&host, 1, &leaked.link);
    let (stranger, _) = asks(&host, 2, &leaked.link);
    let (waiter, _) = asks(&host, 3, &leaked.link);
    let (elsewhere, _) = asks(&host, 4, &other.link);
    let (friends, strangers) = (let_in(&host, &event, &friend, 1), let_in(&host, &event, &stranger, 2));
    host.events.show_code(&event, &other.id).unwrap();

    let shown = host.events.invites(&event, true).unwrap();
    let joined: BTreeSet<MemberId> = shown[0].joined.iter().map(|(member, _)| *member).collect();
    assert_eq!((joined, shown[0].waiting), ([friends, strangers].into(), 1));
    assert_eq!((shown[1].joined.len(), shown[1].waiting), (0, 1));
    let before = epoch(&host, &event);
    let replaced = host.events.replace_leaked(&event, Some(&leaked.id), &[strangers], Vec::new(), OTHERWISE).unwrap();
    assert_eq!((replaced.removed.as_slice(), replaced.declined), (["Guest".to_owned()].as_slice(), 1));
    assert_eq!((replaced.fresh.uses_left, replaced.fresh.uses), (TERMS.uses, TERMS.uses), "of the same kind");
    assert!(replaced.fresh.expires.abs_diff(now_ms() + TERMS.life_ms) < 60_000);
    assert_eq!(epoch(&host, &event), before + 1);
    assert_eq!(members(&host, &event), [node(0), node(1)].into());
    assert_eq!(
        host.events.describe(&event, now_ms()).unwrap().code.unwrap().state,
        CodeState::Open,
        "of another invite"
    );

    // All of it survives a restart.
    let host = Place { events: restarted(&host), ..host };
    assert_eq!(again(&host, &waiter, 3), JoinReply::Refused(JoinRefusal::Declined));
    assert_eq!(asks(&host, 5, &leaked.link).1, JoinReply::Refused(JoinRefusal::UnknownInvite));
    assert_eq!(again(&host, &elsewhere, 4), JoinReply::Waiting, "asked by another invite");
    assert_eq!(asks(&host, 6, &replaced.fresh.link).1, JoinReply::Waiting);
    // With the fresh one, whoever was removed waits for the host even where others do not.
    host.events.change_settings(&event, |settings| settings.admit_automatically = true).unwrap();
    let (_, reply) = asks(&host, 2, &replaced.fresh.link);
    assert_eq!(reply, JoinReply::Waiting);
}

#[test]
fn keys_are_new_even_if_nobody_goes_and_nobody_goes_who_came_another_way() {
    let (host, event) = host();
    let (leaked, other) = (invite(&host, &event), invite(&host, &event));
    let (guest, _) = asks(&host, 1, &other.link);
    let member = let_in(&host, &event, &guest, 1);
    let me = host.events.describe(&event, now_ms()).unwrap().members[0].id;
    let leak = |which: Option<&InviteId>, remove: &[MemberId]| {
        host.events.replace_leaked(&event, which, remove, Vec::new(), OTHERWISE)
    };
    let before = epoch(&host, &event);
    assert!(matches!(leak(Some(&leaked.id), &[member]), Err(EventsError::Invalid(_))));
    assert!(matches!(leak(None, &[me]), Err(EventsError::Invalid(_))), "the host stays");
    assert!(matches!(leak(Some(&InviteId([9; 8])), &[]), Err(EventsError::NotFound)));
    assert_eq!(
        (epoch(&host, &event), host.events.invites(&event, false).unwrap().len()),
        (before, 2),
        "nothing changed"
    );
    leak(Some(&leaked.id), &[]).unwrap();
    assert_eq!(epoch(&host, &event), before + 1);
    // All at once; then there is nothing whose kind the fresh one could have.
    let all = leak(None, &[member]).unwrap();
    assert_eq!((all.removed.len(), all.fresh.uses), (1, TERMS.uses));
    assert_eq!(host.events.invites(&event, true).unwrap().len(), 1);
    host.events.revoke_invite(&event, &all.fresh.id).unwrap();
    assert_eq!(leak(None, &[]).unwrap().fresh.uses, OTHERWISE.uses);
    assert!(matches!(guest.events.replace_leaked(&event, None, &[], Vec::new(), TERMS), Err(EventsError::NotHost)));
}

#[test]
fn an_invite_that_was_used_up_is_listed_with_whoever_came_by_it() {
    let (host, event) = host();
    let _guest = join(&host, &event, 1);
    let expired = host.events.issue_invite(&event, Vec::new(), Terms { life_ms: 0, uses: 1, by_hand: false }).unwrap();
    assert!(host.events.invites(&event, false).unwrap().is_empty());
    let all = host.events.invites(&event, true).unwrap();
    assert_eq!((all.len(), all[0].open, all[0].joined.len(), all[0].uses_left), (1, false, 1, 0));
    assert!(!expired.open);
}

fn code(host: &Place, event: &EventId) -> JoinCode {
    host.events.describe(event, now_ms()).unwrap().code.unwrap().code.unwrap()
}

fn state(host: &Place, event: &EventId) -> Option<CodeState> {
    host.events.describe(event, now_ms()).unwrap().code.map(|code| code.state)
}

#[test]
fn r66_a_code_bears_five_wrong_ones_over_restarts_and_then_the_right_one_is_refused() {
    let (mut host, event) = host();
    let issued = invite(&host, &event);
    host.events.show_code(&event, &issued.id).unwrap();
    let right = code(&host, &event);
    assert_eq!(host.events.code_of(right.selector()), Some((event, right.clone())));
    assert_eq!(host.events.code_of((right.selector() + 1) % 100), None);
    let Judged::Granted(granted) = host.events.judge_code(&event, &right, true).unwrap() else { panic!() };
    assert_eq!(granted.to_link().unwrap(), issued.link);
    for left in (0..MAX_WRONG_CODES).rev() {
        assert_eq!(host.events.judge_code(&event, &right, false).unwrap(), Judged::Wrong(left));
        host.events = restarted(&host);
    }
    assert_eq!(host.events.judge_code(&event, &right, true).unwrap(), Judged::Ended);
    assert_eq!(host.events.judge_code(&event, &right, false).unwrap(), Judged::Ended);
    assert_eq!((host.events.code_of(right.selector()), state(&host, &event)), (None, Some(CodeState::Guessed)));
    assert!(host.events.describe(&event, now_ms()).unwrap().code.unwrap().code.is_none());
    assert_eq!(host.events.invites(&event, false).unwrap().len(), 1, "the link is as good as before");
    // A fresh code has its own guesses; a run that began with the old one is none with the new.
    host.events.show_code(&event, &issued.id).unwrap();
    assert_eq!(host.events.judge_code(&event, &right, false).unwrap(), Judged::Ended);
    assert_eq!(host.events.describe(&event, now_ms()).unwrap().code.unwrap().guesses_left, MAX_WRONG_CODES);
    host.events.stop_code(&event).unwrap();
    assert!(state(&host, &event).is_none() && matches!(host.events.stop_code(&event), Err(EventsError::NotFound)));
}

#[test]
fn r66_a_code_ends_with_its_time_and_with_its_invite() {
    let (host, event) = host();
    let once = host.events.issue_invite(&event, Vec::new(), Terms { uses: 1, ..TERMS }).unwrap();
    host.events.show_code(&event, &once.id).unwrap();
    let later = now_ms() + 11 * 60_000;
    assert_eq!(host.events.describe(&event, later).unwrap().code.unwrap().state, CodeState::Expired);
    let (guest, _) = asks(&host, 1, &once.link);
    assert_eq!(state(&host, &event), Some(CodeState::Used), "whoever waits has its only use");
    assert!(matches!(host.events.show_code(&event, &once.id), Err(EventsError::Invalid(_))));
    let_in(&host, &event, &guest, 1);
    for end in [Events::revoke_invite, |events: &Events, event: &EventId, invite: &InviteId| {
        events.replace_leaked(event, Some(invite), &[], Vec::new(), OTHERWISE).map(drop)
    }] {
        let other = invite(&host, &event);
        host.events.show_code(&event, &other.id).unwrap();
        end(&host.events, &event, &other.id).unwrap();
        assert_eq!(state(&host, &event), None);
    }
    assert!(matches!(host.events.show_code(&event, &InviteId([9; 8])), Err(EventsError::NotFound)));
    assert!(matches!(guest.events.show_code(&event, &once.id), Err(EventsError::NotHost | EventsError::NotFound)));
}

#[test]
fn open_codes_of_one_host_have_different_selectors() {
    let host = place(0);
    let mut selectors = BTreeSet::new();
    for number in 0..40 {
        let event = host.events.create(format!("Event {number}"), None, None, "Host".into()).unwrap();
        host.events.show_code(&event, &invite(&host, &event).id).unwrap();
        let shown = code(&host, &event);
        assert!(selectors.insert(shown.selector()));
        assert_eq!(host.events.code_of(shown.selector()), Some((event, shown)));
    }
}

#[test]
fn whoever_comes_by_an_invite_by_hand_waits_where_others_are_let_in() {
    let (host, event) = host();
    host.events.change_settings(&event, |settings| settings.admit_automatically = true).unwrap();
    let by_hand = host.events.issue_invite(&event, Vec::new(), Terms { by_hand: true, ..TERMS }).unwrap();
    let (guest, reply) = asks(&host, 1, &by_hand.link);
    assert_eq!(reply, JoinReply::Waiting);
    assert!(matches!(asks(&host, 2, &invite(&host, &event).link).1, JoinReply::Admitted(_)));
    let host = Place { events: restarted(&host), ..host };
    assert_eq!(asks(&host, 3, &by_hand.link).1, JoinReply::Waiting, "after a restart too");
    let_in(&host, &event, &guest, 1);
    let replaced = host.events.replace_leaked(&event, Some(&by_hand.id), &[], Vec::new(), OTHERWISE).unwrap();
    assert!(replaced.fresh.by_hand, "of the same kind");
    assert_eq!(host.events.invite(&event, &by_hand.id).map(|invite| invite.open), None);
}

#[test]
fn of_a_guest_pages_link_a_node_keeps_the_invite_alone() {
    let (host, event) = host();
    let part = Invite::parse(&invite(&host, &event).link).unwrap().to_web_part().unwrap();
    let guest = place(1);
    guest.events.begin_joining(&format!("http://10.0.0.1:7411/g/00#AAAA~{part}")).unwrap();
    let link = guest.events.read(&event, |entry| entry.joining.as_ref().unwrap().link.clone()).unwrap();
    assert!(link.starts_with("inframe://join/"), "{link}");
    assert_eq!(host.events.answer_join(&node(1), request(&guest)).unwrap(), JoinReply::Waiting);
    assert!(guest.events.begin_joining("http://10.0.0.1:7411/g/00#AAAA").is_err());
}

#[test]
fn r73_an_invite_of_a_co_host_is_theirs_and_void_when_they_are_none() {
    let (host, event) = host();
    let (ann, ben) = (join(&host, &event, 1), join(&host, &event, 2));
    let id = |place: &Place| place.events.read(&event, Entry::my_id).unwrap();
    let (anns, bens) = (id(&ann), id(&ben));
    let ask = |number: u8| ask_of(&host, &event, number);
    assert!(matches!(ask(1), Err(EventsError::NotFound)), "a plain member");
    host.events.set_co_host(&event, &anns, true).unwrap();
    host.events.set_co_host(&event, &bens, true).unwrap();
    let theirs: Vec<IssuedLink> = (0..MAX_DEPUTY_INVITES).map(|_| ask(1).unwrap()).collect();
    assert!(matches!(ask(1), Err(EventsError::Invalid(_))), "as many as they may");
    let other = ask(2).unwrap();
    assert!(matches!(ask(9), Err(EventsError::NotFound)), "a stranger");
    assert_eq!(theirs[0].by, Some((anns, "Guest".to_owned())));

    // Each sees and withdraws their own, and nobody the host's.
    let own = invite(&host, &event);
    assert_eq!(host.events.invites_of_co_host(&event, &node(1)).len(), MAX_DEPUTY_INVITES);
    assert_eq!(host.events.invites_of_co_host(&event, &node(2)).len(), 1);
    assert!(host.events.invites_of_co_host(&event, &node(9)).is_empty());
    for not_theirs in [&other.id, &own.id] {
        assert!(matches!(host.events.withdraw_for(&event, &node(1), not_theirs), Err(EventsError::NotFound)));
    }
    host.events.withdraw_for(&event, &node(1), &theirs[0].id).unwrap();
    assert_eq!(asks(&host, 3, &theirs[0].link).1, JoinReply::Refused(JoinRefusal::UnknownInvite));

    // The role is taken back: void for good, whoever waits is the host's to decide on.
    let (waiter, reply) = asks(&host, 4, &theirs[1].link);
    assert_eq!(reply, JoinReply::Waiting);
    host.events.set_co_host(&event, &anns, false).unwrap();
    let host = Place { events: restarted(&host), ..host };
    assert_eq!(asks(&host, 5, &theirs[1].link).1, JoinReply::Refused(JoinRefusal::UnknownInvite));
    assert!(matches!(host.events.withdraw_for(&event, &node(1), &theirs[2].id), Err(EventsError::NotFound)));
    let_in(&host, &event, &waiter, 4);
    host.events.set_co_host(&event, &anns, true).unwrap();
    assert!(!matches!(asks(&host, 6, &theirs[2].link).1, JoinReply::Waiting), "a co-host once more");
    assert!(host.events.invites_of_co_host(&event, &node(1)).is_empty());
    let listed = host.events.invites(&event, true).unwrap();
    assert!(listed.iter().any(|invite| invite.id == theirs[1].id && !invite.open && invite.joined.len() == 1));

    // So it is when they are removed.
    host.events.remove_member(&event, &bens).unwrap();
    assert_eq!(asks(&host, 7, &other.link).1, JoinReply::Refused(JoinRefusal::UnknownInvite));
    assert!(matches!(host.events.show_code(&event, &other.id), Err(EventsError::Invalid(_))));
    assert!(matches!(ask_of(&host, &event, 2), Err(EventsError::NotFound)));
}

fn ask_of(host: &Place, event: &EventId, number: u8) -> Result<IssuedLink, EventsError> {
    host.events.issue_invite_for(event, &node(number), Vec::new(), TERMS)
}
