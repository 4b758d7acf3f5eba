//! One accepted sample of each message, roster entry and record.

use inframe_protocol::code::{CodeAsk, CodeGrant, CodeKey, CodeProof, CodeReply, Element, SealedInvite};
use inframe_protocol::deputy::{DeputyInvite, DeputyReply, DeputyRequest, WaitingJoin};
use inframe_protocol::fetch::{FetchReply, FetchRequest};
use inframe_protocol::frame::{Message, encode};
use inframe_protocol::groups::GroupHasher;
use inframe_protocol::invite::Invite;
use inframe_protocol::join::{JoinRefusal, JoinReply, JoinRequest};
use inframe_protocol::keep::{KeepReply, KeepRequest, Label, Letter, SealedDelivery, sealed_bytes};
use inframe_protocol::keys::{MemberKeys, Signature};
use inframe_protocol::offer::{DeclineReason, Offer, OfferReply, Receipt, ReceiptState};
use inframe_protocol::push::{Push, PushReply};
use inframe_protocol::recall::{Recall, RecallAnswer, RecallReply};
use inframe_protocol::record::{Contact, RecordBody, Subject, Wish};
use inframe_protocol::relay::{Punch, PunchNow, RelayHello, RelayProof, RelayWelcome};
use inframe_protocol::roster::{Role, SignedRosterEntry};
use inframe_protocol::sync::{Slices, SyncReply};
use inframe_protocol::{ContentId, EventId, FindMeId, InviteId, NodeId, OfferId, UnixMillis};

use super::{Case, Hex, Input, case, frame};
use crate::party::{Guest, HOUR, Party, START};

pub(super) fn host() -> NodeId {
    NodeId::new([1; 38]).unwrap()
}

pub(super) fn joiner() -> NodeId {
    NodeId::new([2; 38]).unwrap()
}

pub(super) fn invite() -> Invite {
    Invite {
        event: EventId([7; 32]),
        event_name: "Wedding of Ann and Ben".to_owned(),
        host: host(),
        addresses: vec!["/ip4/192.168.1.2/tcp/7412".to_owned()],
        id: InviteId([3; 8]),
        secret: [4; 32],
        expires: START.plus(HOUR),
    }
}

/// A link to a guest page that carries an invite.
pub(super) fn web_link(invite: &Invite) -> String {
    format!("{GUESTS_LINK}~{}", invite.to_web_part().unwrap())
}

/// A link to a guest page.
pub(super) const GUESTS_LINK: &str =
    "http://192.168.1.2:7411/g/00112233445566778899aabbccddeeff#AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Where somebody is seen.
pub(super) const SEEN: &str = "/ip4/203.0.113.7/tcp/7412";

pub(super) fn relay_hello() -> RelayHello {
    RelayHello { proof: Some(RelayProof::new("a token", &host(), &joiner())) }
}

pub(super) fn relay_proof(hello: RelayHello, token: &str) -> Input {
    let hello = Hex(encode(&hello, RelayHello::MAX_BYTES).unwrap());
    Input::RelayProof { hello, token: token.to_owned(), relay: host(), node: joiner() }
}

/// The key of a run.
pub(super) const CODE_KEY: [u8; 32] = [9; 32];

pub(super) fn code_run(element: Option<[u8; 32]>) -> Input {
    Input::CodeRun {
        code: "47 293 816".to_owned(),
        host: host(),
        joiner: joiner(),
        joiners_random: Hex(vec![3; 64]),
        hosts_random: Hex(vec![4; 64]),
        element: element.map(|element| Hex(element.to_vec())),
    }
}

pub(super) fn code_proof(key: [u8; 32]) -> Input {
    let proof = encode(&CodeKey::from_bytes(key).prove(), CodeProof::MAX_BYTES).unwrap();
    Input::CodeProof { key: Hex(CODE_KEY.to_vec()), proof: Hex(proof) }
}

/// What a host with this key of the run sends, as the joiner meets it.
pub(super) fn code_grant(key: [u8; 32], change: fn(&mut SealedInvite), from: NodeId) -> Input {
    let mut grant = CodeKey::from_bytes(key).grant(&invite()).unwrap();
    if let CodeGrant::Granted(granted) = &mut grant {
        change(granted);
    }
    let grant = Hex(encode(&grant, CodeGrant::MAX_BYTES).unwrap());
    Input::CodeGrant { key: Hex(CODE_KEY.to_vec()), grant, host: from }
}

pub(super) fn join_request() -> JoinRequest {
    let member = inframe_protocol::keys::MemberKeys::from_bytes([5; 64]).public();
    JoinRequest::new(&invite(), &joiner(), &member, "Zoë", vec!["/ip4/192.168.1.3/tcp/7412".to_owned()])
}

pub(super) fn offer() -> Offer {
    Offer {
        offer: OfferId([1; 16]),
        event: EventId([2; 32]),
        find_me: FindMeId([3; 16]),
        content: ContentId::of(b"a photo"),
        size_bytes: 7,
        media_type: "image/jpeg".to_owned(),
        width: 4_000,
        height: 3_000,
        taken_at: Some(START),
        score: 9.5,
        groups: Vec::new(),
    }
}

/// What a keeper would hold of [`offer`], from the second guest of a party to the third.
pub(super) fn label(party: &Party) -> Label {
    Label {
        event: party.key.event_id(),
        offer: OfferId([1; 16]),
        from: party.guests[1].id(),
        to: party.guests[2].id(),
        find_me: FindMeId([3; 16]),
        content: ContentId::of(b"a photo, sealed"),
        size_bytes: sealed_bytes(7),
        expires: START.plus(7 * 24 * HOUR),
    }
}

pub(super) fn letter() -> Letter {
    Letter {
        key: [6; 32],
        content: offer().content,
        size_bytes: 7,
        media_type: "image/jpeg".to_owned(),
        width: 4_000,
        height: 3_000,
        taken_at: Some(START),
        score: 9.5,
    }
}

/// As the third guest meets it an hour after the start, with the receipt of these keys.
pub(super) fn kept(party: &Party, delivery: &SealedDelivery, signer: &MemberKeys) -> Input {
    let receiver = &party.guests[2];
    Input::Kept {
        state: Hex(receiver.state.to_bytes()),
        keys: Hex(receiver.keys.to_bytes().to_vec()),
        now: START.plus(HOUR).0,
        delivery: Hex(postcard::to_stdvec(delivery).unwrap()),
        receipt: Hex(delivery.receipt(signer).unwrap().0.to_vec()),
    }
}

/// From the second guest to the third, for the label and with the keys given.
pub(super) fn delivery(party: &Party, label: Label, keys: &MemberKeys) -> SealedDelivery {
    SealedDelivery::write(label, &letter(), &party.guests[2].keys.public().seal, keys).unwrap()
}

/// A roster entry as the second guest meets it.
pub(super) fn entry(party: &Party, entry: &SignedRosterEntry) -> Input {
    let guest = &party.guests[1];
    Input::RosterEntry {
        state: Hex(guest.state.to_bytes()),
        keys: Hex(guest.keys.to_bytes().to_vec()),
        entry: Hex(postcard::to_stdvec(entry).unwrap()),
    }
}

/// A record as this guest meets it an hour after the start.
pub(super) fn record(listener: &Guest, record: Vec<u8>) -> Input {
    Input::Record {
        state: Hex(listener.state.to_bytes()),
        keys: Hex(listener.keys.to_bytes().to_vec()),
        now: START.plus(HOUR).0,
        record: Hex(record),
    }
}

fn messages() -> Vec<(&'static str, Input)> {
    let mut party = Party::of(2);
    let entries = party.guests[0].state.roster().entries().to_vec();
    let id = party.guests[0].fresh_id();
    let (bytes, _) = party.host().announce(id, START, HOUR).unwrap();
    let event = party.key.event_id();
    let (host, guest) = (&party.guests[0].state, &party.guests[1].state);
    let mut content = GroupHasher::new();
    content.update(&vec![9; 600_000]);
    let list = content.finish().unwrap();
    let receipt = |state| Receipt { offer: OfferId([1; 16]), state };
    let three = Party::of(3);
    let member = three.guests[1].id();
    let waiting = WaitingJoin {
        member: three.guests[2].keys.public(),
        node: NodeId::new([2; 38]).unwrap(),
        nickname: "Guest".to_owned(),
        at: START,
    };
    let sealed = delivery(&three, label(&three), &three.guests[1].keys);
    vec![
        ("keep_request_room", frame("KeepRequest", &KeepRequest::Room { event, size_bytes: 17 })),
        ("keep_request_delivery", frame("KeepRequest", &KeepRequest::Delivery(Box::new(sealed.clone())))),
        ("keep_request_erase", frame("KeepRequest", &KeepRequest::Erase { event, offer: OfferId([1; 16]) })),
        ("keep_reply_accept", frame("KeepReply", &KeepReply::Accept)),
        ("keep_reply_kept", frame("KeepReply", &KeepReply::Kept)),
        ("keep_reply_delivered", frame("KeepReply", &KeepReply::Delivered(Signature([9; 64])))),
        ("keep_reply_not_now", frame("KeepReply", &KeepReply::NotNow)),
        ("keep_reply_no", frame("KeepReply", &KeepReply::No)),
        ("deputy_request_waiting", frame("DeputyRequest", &DeputyRequest::Waiting { event })),
        ("deputy_request_decide", frame("DeputyRequest", &DeputyRequest::Decide { event, member, admit: true })),
        ("deputy_request_remove", frame("DeputyRequest", &DeputyRequest::Remove { event, member })),
        ("deputy_request_changed", frame("DeputyRequest", &DeputyRequest::Changed { event })),
        ("deputy_request_invite", frame("DeputyRequest", &DeputyRequest::Invite { event, uses: 10, life_ms: HOUR })),
        ("deputy_request_invites", frame("DeputyRequest", &DeputyRequest::Invites { event })),
        (
            "deputy_request_withdraw",
            frame("DeputyRequest", &DeputyRequest::Withdraw { event, invite: InviteId([3; 8]) }),
        ),
        (
            "deputy_reply_invites",
            frame(
                "DeputyReply",
                &DeputyReply::Invites(vec![DeputyInvite { invite: invite(), uses: 10, uses_left: 9 }]),
            ),
        ),
        ("deputy_reply_waiting", frame("DeputyReply", &DeputyReply::Waiting(vec![waiting]))),
        ("deputy_reply_done", frame("DeputyReply", &DeputyReply::Done)),
        ("deputy_reply_no", frame("DeputyReply", &DeputyReply::No)),
        ("recall_ask", frame("Recall", &Recall::Ask { event, offers: vec![OfferId([5; 16]), OfferId([6; 16])] })),
        ("recall_tell", frame("Recall", &Recall::Tell { event, offer: OfferId([5; 16]), answer: RecallAnswer::Kept })),
        (
            "recall_reply",
            frame(
                "RecallReply",
                &RecallReply { answers: vec![RecallAnswer::Open, RecallAnswer::Deleted, RecallAnswer::Unknown] },
            ),
        ),
        ("kept_delivery", kept(&three, &sealed, &three.guests[2].keys)),
        ("join_request", frame("JoinRequest", &join_request())),
        ("join_reply_waiting", frame("JoinReply", &JoinReply::Waiting)),
        ("join_reply_admitted", frame("JoinReply", &JoinReply::admitted(&entries))),
        ("join_reply_refused", frame("JoinReply", &JoinReply::Refused(JoinRefusal::UsedUp))),
        ("sync_request_compare", frame("SyncRequest", &host.compare_with(&party.guests[1].node))),
        ("sync_request_announce", frame("SyncRequest", &host.announcement())),
        ("sync_request_lacking", frame("SyncRequest", &guest.lacking(Slices::ALL))),
        ("sync_reply_page", frame("SyncReply", &host.answer(&guest.lacking(Slices::ALL)))),
        ("sync_reply_same", frame("SyncReply", &host.answer(&host.compare_with(&party.guests[1].node)))),
        ("sync_reply_differs", frame("SyncReply", &host.answer(&guest.compare_with(&party.guests[0].node)))),
        ("sync_reply_not_found", frame("SyncReply", &SyncReply::NotFound)),
        ("push_record", frame("Push", &Push::record(event, bytes))),
        ("push_roster", frame("Push", &Push::roster(event, entries))),
        ("push_reply_taken", frame("PushReply", &PushReply::Taken)),
        ("push_reply_refused", frame("PushReply", &PushReply::Refused)),
        ("offer", frame("Offer", &offer())),
        ("offer_reply_accept", frame("OfferReply", &OfferReply::Accept)),
        ("offer_reply_have", frame("OfferReply", &OfferReply::Have)),
        ("offer_reply_decline", frame("OfferReply", &OfferReply::Decline(DeclineReason::NoSuchFindMe))),
        ("offer_reply_not_now", frame("OfferReply", &OfferReply::NotNow)),
        (
            "fetch_request",
            frame("FetchRequest", &FetchRequest { offer: OfferId([1; 16]), content: list.content(), from_group: 2 }),
        ),
        ("fetch_reply_ready", frame("FetchReply", &FetchReply::ready(&list))),
        ("fetch_reply_not_found", frame("FetchReply", &FetchReply::NotFound)),
        ("receipt_delivered", frame("Receipt", &receipt(ReceiptState::Delivered))),
        ("receipt_rejected", frame("Receipt", &receipt(ReceiptState::Rejected))),
        ("code_ask", frame("CodeAsk", &CodeAsk { selector: 47, element: [6; 32] })),
        ("code_reply", frame("CodeReply", &CodeReply::Go(Element([6; 32])))),
        ("code_declined", frame("CodeReply", &CodeReply::Declined)),
        ("code_proof_message", frame("CodeProof", &CodeKey::from_bytes(CODE_KEY).prove())),
        ("code_wrong", frame("CodeGrant", &CodeGrant::Wrong(4))),
        ("code_grant_message", frame("CodeGrant", &CodeKey::from_bytes(CODE_KEY).grant(&invite()).unwrap())),
        ("code", Input::Code { text: "47-293-816".to_owned() }),
        ("code_run", code_run(None)),
        ("code_proof", code_proof(CODE_KEY)),
        ("code_grant", code_grant(CODE_KEY, |_| (), invite().host)),
        ("relay_hello", frame("RelayHello", &relay_hello())),
        (
            "relay_welcome",
            frame(
                "RelayWelcome",
                &RelayWelcome { seen: SEEN.to_owned(), admitted: true, now: UnixMillis(1_800_000_000_000) },
            ),
        ),
        ("relay_proof", relay_proof(relay_hello(), "a token")),
        ("punch", frame("Punch", &Punch { seen: vec![SEEN.to_owned()] })),
        ("punch_now", frame("PunchNow", &PunchNow { round_trip_ms: 80 })),
        ("invite_link", Input::InviteLink { link: invite().to_link().unwrap(), now: START.0 }),
        ("invite_web_link", Input::InviteLink { link: web_link(&invite()), now: START.0 }),
        (
            "verification_words",
            Input::Words {
                event: EventId([7; 32]),
                host: invite().host,
                member: inframe_protocol::keys::MemberKeys::from_bytes([5; 64]).public(),
                joiner: joiner(),
            },
        ),
        (
            "groups",
            Input::Groups {
                content: list.content(),
                size_bytes: list.size_bytes(),
                groups: list.hashes().iter().map(|hash| Hex(hash.to_vec())).collect(),
            },
        ),
    ]
}

fn entries() -> Vec<(&'static str, Input)> {
    let mut party = Party::of(3);
    let leaving = party.guests[2].id();
    let grant = party.guests[0].state.current_grant().unwrap().clone();
    let newcomer = Guest::new(party.key.event_id(), 9);
    let joined = party.writer().admit(&grant, newcomer.joining(), START).unwrap();
    let role = party.writer().change_role(&leaving, Role::CoHost, START).unwrap();
    let epoch = party.writer().rotate(&grant, START).unwrap();
    let changed = party.writer().change("Feast", Some(START), Some(START.plus(HOUR)), START).unwrap();
    let rules = party.writer().set_rules(true, START).unwrap();
    let children = party.writer().set_children(true, START).unwrap();
    let [removed, _] = party.writer().remove_and_rotate(&leaving, START).unwrap();
    let created = party.guests[0].state.roster().entries()[0].clone();
    let mut cases = vec![
        ("roster_joined", entry(&party, &joined)),
        ("roster_role", entry(&party, &role)),
        ("roster_rules", entry(&party, &rules)),
        ("roster_children", entry(&party, &children)),
        ("roster_epoch", entry(&party, &epoch)),
        ("roster_changed", entry(&party, &changed)),
        ("roster_removed", entry(&party, &removed)),
    ];
    party.guests[1].state = inframe_protocol::event::EventState::new(party.key.event_id());
    cases.push(("roster_created", entry(&party, &created)));
    cases
}

fn records() -> Vec<(&'static str, Input)> {
    let mut party = Party::of(2);
    let (listener, now) = (party.guests[0].clone(), START.plus(HOUR));
    let guest = &mut party.guests[1];
    let find_me = guest.find_me(guest.fresh_id(), 1, Subject::Me, now.plus(HOUR));
    let id = find_me.id;
    let (announced, _) = guest.state.write(RecordBody::FindMe(find_me), now).unwrap();
    let (withdrawn, _) = guest.state.write(RecordBody::Withdraw { find_me: id }, now).unwrap();
    let profile =
        RecordBody::Profile { nickname: "Ben".to_owned(), addresses: vec!["/ip4/10.0.0.2/tcp/7412".to_owned()] };
    let (told, _) = guest.state.write(profile, now).unwrap();
    let protection = guest.protection(1, Subject::Me, Wish::Blur, now.plus(7 * 24 * HOUR));
    let (protected, _) = guest.state.write(RecordBody::Protect(protection.clone()), now).unwrap();
    let (unprotected, _) = guest.state.write(RecordBody::Unprotect { protection: protection.id }, now).unwrap();
    let contact = Contact { name: "Ben Long".to_owned(), email: "ben@example.org".to_owned() };
    let (shown, _) = guest.state.write(RecordBody::Contact(contact), now).unwrap();
    let (hidden, _) = guest.state.write(RecordBody::Contact(Contact::default()), now).unwrap();
    let (left, _) = guest.state.write(RecordBody::Leave, now).unwrap();
    let mut knows = listener.clone();
    knows.state.receive(&announced, now).unwrap();
    let mut obeys = listener.clone();
    obeys.state.receive(&protected, now).unwrap();
    vec![
        ("record_protect", record(&listener, protected)),
        ("record_unprotect", record(&obeys, unprotected)),
        ("record_find_me", record(&listener, announced)),
        ("record_withdraw", record(&knows, withdrawn)),
        ("record_profile", record(&listener, told)),
        ("record_contact", record(&listener, shown)),
        ("record_contact_taken_back", record(&listener, hidden)),
        ("record_leave", record(&knows, left)),
    ]
}

pub(super) fn cases() -> Vec<(String, Case)> {
    [messages(), entries(), records()]
        .concat()
        .into_iter()
        .map(|(name, input)| (format!("accepted/{name}"), case(&name.replace('_', " "), None, input)))
        .collect()
}
