//! One input for each way to break each rule that bytes can break.

use inframe_protocol::frame::Message;
use inframe_protocol::groups::GroupHasher;
use inframe_protocol::join::{JoinReply, JoinRequest};
use inframe_protocol::keep::{Label, SealedDelivery};
use inframe_protocol::keys::{EventKey, MemberPublic, seal_to};
use inframe_protocol::limits::{GROUP_BYTES, MAX_RENDITION_BYTES, MAX_ROSTER_ENTRY_BYTES};
use inframe_protocol::offer::Offer;
use inframe_protocol::record::{FindMe, Header, RecordBody, Subject};
use inframe_protocol::relay::RelayHello;
use inframe_protocol::roster::{Role, RosterBody, SignedRosterEntry};
use inframe_protocol::sync::{Held, SliceDigest, Slices, StateDigest, StateVector, SyncRequest};
use inframe_protocol::template::Template;
use inframe_protocol::{ContentId, EventId, MemberId, NodeId, OfferId};
use serde::Serialize;

use super::accepted::{
    CODE_KEY, GUESTS_LINK, SEEN, code_grant, code_proof, code_run, delivery, entry, host, invite, join_request, joiner,
    kept, label, letter, offer, record, relay_hello, relay_proof, web_link,
};
use super::{Case, Hex, Input, case, embedding, face};
use crate::party::{Guest, HOUR, MINUTE, Party, START, seal_unchecked, sign_entry, sign_unchecked};

type Refused = (u32, &'static str, &'static str, Input);

/// A frame that no honest node writes: of any value, unchecked.
pub(super) fn raw_frame<T: Serialize>(name: &str, value: &T) -> Input {
    raw_body(name, &postcard::to_stdvec(value).unwrap())
}

fn raw_body(name: &str, body: &[u8]) -> Input {
    let frame = [&(body.len() as u32).to_le_bytes(), body].concat();
    Input::Frame { message: name.to_owned(), frame: Hex(frame) }
}

fn frames() -> Vec<Refused> {
    let request = join_request();
    let body = postcard::to_stdvec(&request).unwrap();
    let with = |change: fn(&mut JoinRequest)| {
        let mut request = join_request();
        change(&mut request);
        raw_frame("JoinRequest", &request)
    };
    let announced = ((JoinRequest::MAX_BYTES + 1) as u32).to_le_bytes().to_vec();
    // The count of addresses is 1; written as two bytes it says the same.
    let count = body.windows(2).position(|window| window == [1, request.addresses[0].len() as u8]).unwrap();
    let overlong = [&body[..count], &[0x81, 0], &body[count + 1..]].concat();
    let long_entry = sign_entry(&EventKey::from_seed([1; 32]), &vec![0; MAX_ROSTER_ENTRY_BYTES + 1]);
    let vector = |authors| SyncRequest::Lacking {
        event: EventId([7; 32]),
        vector: StateVector { roster: 1, head: [1; 32], oldest_epoch: 0, slices: Slices::ALL, authors },
    };
    let digest = StateDigest { roster: 1, head: [1; 32], from_epoch: 0, slices: vec![SliceDigest([1; 16]); 31] };
    let held = |seq| Held { seq, tag: inframe_protocol::record::RecordTag([1; 8]) };
    let (a, b) = (MemberId([1; 32]), MemberId([2; 32]));
    vec![
        (
            1,
            "too_long",
            "the header announces more than a join request may have",
            Input::Frame { message: "JoinRequest".to_owned(), frame: Hex(announced) },
        ),
        (62, "seven_digits", "a digit is missing", Input::Code { text: "47 293 81".to_owned() }),
        (62, "letter", "a letter O for a zero", Input::Code { text: "47 293 O16".to_owned() }),
        (62, "selector", "a selector of three digits", raw_frame("CodeAsk", &(100_u8, [6_u8; 32]))),
        (63, "no_point", "an element that is no point of the curve", code_run(Some([2; 32]))),
        (64, "other_key", "a proof of somebody who used another code", code_proof([8; 32])),
        (65, "other_key", "a grant of somebody who used another code", code_grant([8; 32], |_| (), host())),
        (
            65,
            "changed",
            "a sealed invite with a bit turned",
            code_grant(CODE_KEY, |grant| grant.sealed[0] ^= 1, host()),
        ),
        (65, "cut_off", "less than a tag", code_grant(CODE_KEY, |grant| grant.sealed.truncate(15), host())),
        (
            65,
            "other_host",
            "an invite of another host than the one that sends it",
            code_grant(CODE_KEY, |_| (), joiner()),
        ),
        (55, "no_proof", "a hello without a proof", relay_proof(RelayHello { proof: None }, "a token")),
        (55, "other_token", "a proof with another token", relay_proof(relay_hello(), "another token")),
        (
            56,
            "no_address",
            "a host and a port in other words",
            raw_frame("RelayWelcome", &("203.0.113.7:7412", true, 0_u64)),
        ),
        (56, "nine_addresses", "one address too many", raw_frame("Punch", &[vec![SEEN; 9]])),
        (2, "trailing_byte", "a byte after the end", raw_body("JoinRequest", &[body.as_slice(), &[0]].concat())),
        (2, "cut_off", "the last byte is missing", raw_body("JoinRequest", &body[..body.len() - 1])),
        (2, "not_canonical", "a number in two bytes that fits one", raw_body("JoinRequest", &overlong)),
        (
            4,
            "direction",
            "a nickname that turns the direction of text",
            with(|request| {
                request.nickname = "\u{202e}moc.elpmaxe".to_owned();
            }),
        ),
        (4, "control", "a nickname with a line feed", with(|request| request.nickname = "a\nb".to_owned())),
        (4, "empty", "no nickname", with(|request| request.nickname.clear())),
        (4, "too_long", "a nickname of 65 bytes", with(|request| request.nickname = "a".repeat(65))),
        (5, "too_many", "nine addresses", with(|request| request.addresses = vec!["/ip4/10.0.0.1".to_owned(); 9])),
        (
            5,
            "not_an_address",
            "an address that is a web address",
            with(|request| {
                request.addresses = vec!["http://10.0.0.1".to_owned()];
            }),
        ),
        (
            9,
            "long_entry",
            "an entry of 160 KiB and one byte in a join reply",
            raw_frame("JoinReply", &JoinReply::Admitted(vec![long_entry])),
        ),
        (
            11,
            "shared_secret",
            "a sealing key that gives everybody the same secret",
            with(|request| {
                request.member = MemberPublic { seal: [0; 32], ..request.member };
            }),
        ),
        (
            45,
            "authors_not_in_order",
            "authors of a vector fall",
            raw_frame("SyncRequest", &vector(vec![(b, vec![held(1)]), (a, vec![held(1)])])),
        ),
        (
            45,
            "numbers_twice",
            "a sequence number stands twice",
            raw_frame("SyncRequest", &vector(vec![(a, vec![held(1), held(1)])])),
        ),
        (
            45,
            "too_many_records",
            "257 records of one author",
            raw_frame("SyncRequest", &vector(vec![(a, (0..257).map(held).collect())])),
        ),
        (
            57,
            "one_slice_less",
            "a digest of 31 slices",
            raw_frame("SyncRequest", &SyncRequest::Compare { event: EventId([7; 32]), digest }),
        ),
    ]
}

fn invites() -> Vec<Refused> {
    let link = invite().to_link().unwrap();
    let (now, late) = (START.0, START.plus(HOUR).0);
    let mut damaged = link.clone().into_bytes();
    let at = damaged.len() - 20;
    damaged[at] = if damaged[at] == b'A' { b'B' } else { b'A' };
    let damaged = String::from_utf8(damaged).unwrap();
    let web = web_link(&invite());
    let (start, end) = web.split_at(web.len() - 20);
    let damaged_web = format!("{start}{}{}", if end.starts_with('A') { 'B' } else { 'A' }, &end[1..]);
    let proof = |host: NodeId, joiner: NodeId, secret: [u8; 32]| Input::JoinProof {
        request: Hex(inframe_protocol::frame::encode(&join_request(), JoinRequest::MAX_BYTES).unwrap()),
        secret: Hex(secret.to_vec()),
        host,
        joiner,
    };
    vec![
        (
            6,
            "cut_off",
            "the last characters are missing",
            Input::InviteLink { link: link[..link.len() - 7].into(), now },
        ),
        (6, "wrong_character", "one character is another", Input::InviteLink { link: damaged, now }),
        (
            6,
            "guests_only",
            "a guest page's link without an invite",
            Input::InviteLink { link: GUESTS_LINK.into(), now },
        ),
        (
            6,
            "web_cut_off",
            "the last letters are missing",
            Input::InviteLink { link: web[..web.len() - 7].into(), now },
        ),
        (6, "web_wrong_letter", "one letter is another", Input::InviteLink { link: damaged_web, now }),
        (7, "expired", "its time has just come", Input::InviteLink { link, now: late }),
        (8, "other_joiner", "passed on by another node", proof(host(), host(), [4; 32])),
        (8, "other_host", "passed on to another host", proof(joiner(), joiner(), [4; 32])),
        (8, "other_secret", "made with another secret", proof(host(), joiner(), [5; 32])),
    ]
}

fn rosters() -> Vec<Refused> {
    let mut party = Party::of(3);
    let honest = party.writer().change("Feast", None, None, START).unwrap();
    let (bytes, _): (Vec<u8>, inframe_protocol::keys::Signature) =
        postcard::from_bytes(&postcard::to_stdvec(&honest).unwrap()).unwrap();
    let signed_for = |context: &str| -> SignedRosterEntry {
        postcard::from_bytes(&postcard::to_stdvec(&(&bytes, party.key.sign(context, &bytes))).unwrap()).unwrap()
    };
    let joined = |guest: &Guest| {
        let new = guest.joining();
        let grant = seal_to(&new.member.seal, "x", b"", &[0; 64]).unwrap();
        RosterBody::Joined { member: new.member, node: new.node, nickname: new.nickname, invite: None, grant }
    };
    let with = |body: RosterBody| entry(&party, &party.forge(|entry| entry.body = body));
    let (hosts, member) = (party.guests[0].id(), party.guests[2].clone());
    let newcomer = Guest::new(party.key.event_id(), 9);
    let same_node = Guest { node: member.node.clone(), ..newcomer.clone() };
    let mut weak = newcomer.joining();
    // The neutral point of the curve.
    weak.member.sign = MemberId(std::array::from_fn(|at| u8::from(at == 0)));
    let mut long_node = postcard::to_stdvec(&party.forge_entry(|entry| entry.body = joined(&newcomer))).unwrap();
    let node = long_node.windows(39).position(|window| window == [&[38], [9; 38].as_slice()].concat()).unwrap();
    long_node.splice(node..node + 39, std::iter::once(65).chain([9; 65]));
    let mut cases = vec![
        (3, "long_node", "a node of 65 bytes", entry(&party, &sign_entry(&party.key, &long_node))),
        (10, "other_context", "the event's key signed it as a record", entry(&party, &signed_for("inframe 1 record"))),
        (
            11,
            "weak_key",
            "a signing key whose signatures everybody can make",
            with(RosterBody::Joined {
                member: weak.member,
                node: weak.node,
                nickname: "Eve".to_owned(),
                invite: None,
                grant: seal_to(&weak.member.seal, "x", b"", &[0; 64]).unwrap(),
            }),
        ),
        (12, "other_event", "of another event", entry(&party, &party.forge(|entry| entry.event = EventId([1; 32])))),
        (13, "other_key", "signed by another key", entry(&party, &sign_entry(&EventKey::from_seed([1; 32]), &bytes))),
        (14, "gap", "an entry before it is missing", entry(&party, &party.forge(|entry| entry.index += 1))),
        (
            14,
            "wrong_previous",
            "it follows another entry",
            entry(&party, &party.forge(|entry| entry.previous = [7; 32])),
        ),
        (
            15,
            "fork",
            "a second entry with a valid signature at a place that is taken",
            entry(&party, &party.forge(|entry| entry.index -= 1)),
        ),
        (17, "keys_in_use", "a member joins again", with(joined(&member))),
        (17, "node_in_use", "fresh keys at the node of a member", with(joined(&same_node))),
        (18, "host_removed", "the host is removed", with(RosterBody::Removed { member: hosts })),
        (
            18,
            "stranger_removed",
            "one who is no member is removed",
            with(RosterBody::Removed { member: newcomer.id() }),
        ),
        (18, "second_host", "a member becomes host", with(RosterBody::Role { member: member.id(), role: Role::Host })),
        (19, "epoch_skipped", "epoch 2 after epoch 0", with(RosterBody::Epoch { number: 2, sealed: Vec::new() })),
        (
            19,
            "epoch_for_nobody",
            "an epoch that is sealed to no member",
            with(RosterBody::Epoch { number: 1, sealed: Vec::new() }),
        ),
    ];
    let [removed, _] = party.remove(&member.id());
    party.guests[1].state.apply_roster(&removed).unwrap();
    let late = {
        let index = party.guests[1].state.roster().next_index();
        let previous = party.guests[1].state.roster().head_hash();
        party.forge(|entry| (entry.index, entry.previous) = (index, previous))
    };
    cases.push((
        20,
        "no_rotation",
        "the event is described anew before the epoch that a removal needs",
        entry(&party, &late),
    ));
    let first = party.forge(|entry| (entry.index, entry.previous) = (0, [0; 32]));
    party.guests[1].state = inframe_protocol::event::EventState::new(party.key.event_id());
    cases.push((16, "not_created", "an event that begins with a change", entry(&party, &first)));
    cases
}

fn records() -> Vec<Refused> {
    let mut party = Party::of(4);
    party.rotate();
    party.admit(4);
    (1..5).for_each(|number| party.spread_roster_to(number));
    let removed = party.guests[3].clone();
    party.remove(&removed.id());
    [1, 2, 4].into_iter().for_each(|number| party.spread_roster_to(number));
    let (listener, guest, now) = (&party.guests[0], &party.guests[1], START.plus(HOUR));
    let profile = |name: &str| RecordBody::Profile { nickname: name.to_owned(), addresses: Vec::new() };
    let header = guest.header(1, now);
    let good = guest.forge(header, &profile("Ann"));
    let told = |header: Header| record(listener, guest.forge(header, &profile("Ann")));
    let find_me = |change: &dyn Fn(&mut FindMe)| {
        let mut find_me = guest.find_me(guest.fresh_id(), 1, Subject::Me, now.plus(HOUR));
        change(&mut find_me);
        record(listener, seal_unchecked(guest, header, &RecordBody::FindMe(find_me)))
    };
    let mut changed = good.clone();
    *changed.last_mut().unwrap() ^= 1;
    let mut stranger = Guest::new(party.key.event_id(), 9);
    stranger.state = guest.state.clone();
    let newcomer = &party.guests[4];
    let moved = sign_unchecked(&guest.keys, Header { seq: 2, ..header }, sealed_of(&good));
    let foreign = party.guests[2].fresh_id();
    // Two records with one number: whoever has the one with the lower tag refuses the other.
    let other = guest.forge(header, &profile("Anna"));
    let mut knows = listener.clone();
    knows.state.receive(&good, now).unwrap();
    let second = if knows.state.clone().receive(&other, now).is_err() {
        other
    } else {
        knows.state.receive(&other, now).unwrap();
        good.clone()
    };
    let key = guest.state.current_grant().unwrap().projection_key();
    vec![
        (21, "trailing_byte", "a byte after the end", record(listener, [good.as_slice(), &[0]].concat())),
        (21, "too_long", "4 KiB and one byte", record(listener, vec![0; 4 * 1024 + 1])),
        (21, "other_event", "of another event", told(Header { event: EventId([1; 32]), ..header })),
        (
            22,
            "stranger",
            "by nobody in the roster",
            record(listener, stranger.forge(stranger.header(1, now), &profile("Eve"))),
        ),
        (
            22,
            "removed",
            "by a removed member",
            record(listener, removed.forge(removed.header(1, now), &profile("Eve"))),
        ),
        (23, "epoch_ahead", "of an epoch that has not begun", told(Header { epoch: 3, ..header })),
        (
            23,
            "before_joining",
            "of an epoch before its author joined",
            record(listener, newcomer.forge(Header { epoch: 0, ..newcomer.header(1, now) }, &profile("Zoe"))),
        ),
        (24, "signature", "one bit of the signature is wrong", record(listener, changed)),
        (
            24,
            "other_author",
            "one member speaks for another",
            record(listener, guest.forge(party.guests[2].header(1, now), &profile("Ann"))),
        ),
        (25, "moved", "the sealed body of another record", record(listener, moved)),
        (25, "short", "too short to hold a nonce", record(listener, sign_unchecked(&guest.keys, header, vec![1; 23]))),
        (27, "still", "a still that is not a JPEG", find_me(&|find_me| find_me.still = b"<svg>".to_vec())),
        (27, "long_still", "a still of 3,001 bytes", find_me(&|find_me| find_me.still.resize(3_001, 0))),
        (27, "label", "a label with a line feed", find_me(&|find_me| find_me.label = "a\nb".to_owned())),
        (
            28,
            "flat",
            "a template with all codes in the middle",
            find_me(&|find_me| find_me.template = Template([0x66; 64])),
        ),
        (29, "faceless", "the template of no face", find_me(&|find_me| find_me.template = Template::faceless(&key))),
        (
            30,
            "too_long",
            "it lives a day and a millisecond",
            find_me(&|find_me| {
                find_me.expires = now.plus(24 * HOUR + 1);
            }),
        ),
        (30, "ended", "it ends when it begins", find_me(&|find_me| find_me.expires = now)),
        (31, "foreign", "the find-me of another member", find_me(&|find_me| find_me.id = foreign)),
        (
            31,
            "foreign_withdrawal",
            "another member's find-me is withdrawn",
            record(listener, seal_unchecked(guest, header, &RecordBody::Withdraw { find_me: foreign })),
        ),
        (32, "future", "eleven minutes ahead", told(guest.header(1, now.plus(11 * MINUTE)))),
        (
            33,
            "old",
            "a withdrawal of two days ago",
            record(
                listener,
                guest.forge(guest.header(1, now.minus(48 * HOUR)), &RecordBody::Withdraw { find_me: guest.fresh_id() }),
            ),
        ),
        (35, "equivocation", "another record with a number that is taken", record(&knows, second)),
    ]
}

fn sealed_of(record: &[u8]) -> Vec<u8> {
    postcard::from_bytes::<inframe_protocol::record::SealedRecord>(record).unwrap().sealed
}

fn embeddings() -> Vec<Refused> {
    let key = [1; 32];
    let mut large = face(1, 128);
    large[5] = 64.5;
    vec![
        (26, "too_large", "a coordinate beyond 64", embedding(large, face(2, 128), key)),
        (26, "the_mean_itself", "an embedding that is the mean", embedding(face(1, 128), face(1, 128), key)),
        (26, "zero", "an embedding of zeros", embedding(vec![0.0; 128], face(1, 128), key)),
        (26, "too_many", "256 coordinates", embedding(face(1, 256), face(2, 256), key)),
        (26, "other_mean", "the mean of another pack", embedding(face(1, 128), face(2, 127), key)),
        (26, "none", "no coordinate", embedding(Vec::new(), Vec::new(), key)),
    ]
}

fn contents() -> Vec<Refused> {
    let mut hasher = GroupHasher::new();
    hasher.update(b"a small photo");
    let small = hasher.finish().unwrap();
    let mut hasher = GroupHasher::new();
    hasher.update(&vec![9; GROUP_BYTES as usize + 1]);
    let two = hasher.finish().unwrap();
    let group = |index, bytes: &[u8]| Input::Group {
        size_bytes: small.size_bytes(),
        index,
        hash: Hex(small.hashes()[0].to_vec()),
        bytes: Hex(bytes.to_vec()),
    };
    let groups =
        |content: ContentId, hashes: Vec<Hex>| Input::Groups { content, size_bytes: two.size_bytes(), groups: hashes };
    let mut hashes: Vec<_> = two.hashes().iter().map(|hash| Hex(hash.to_vec())).collect();
    let right = hashes.clone();
    hashes.reverse();
    let with = |change: fn(&mut Offer)| {
        let mut offer = offer();
        change(&mut offer);
        raw_frame("Offer", &offer)
    };
    vec![
        (40, "one_bit", "one bit of a group is wrong", group(0, b"a small phot\x6e")),
        (40, "short", "a group lacks a byte", group(0, b"a small phot")),
        (40, "no_such_group", "a group after the last", group(1, b"")),
        (41, "turned", "the hashes of the groups are exchanged", groups(two.content(), hashes)),
        (41, "other_content", "the hashes of another content", groups(small.content(), right.clone())),
        (41, "too_few", "a hash is missing", groups(two.content(), right[..1].to_vec())),
        (41, "offer", "an offer with more hashes than groups", with(|offer| offer.groups = vec![[1; 32]; 2])),
        (42, "empty", "no bytes", with(|offer| offer.size_bytes = 0)),
        (42, "too_large", "4 GiB and one byte", with(|offer| offer.size_bytes = MAX_RENDITION_BYTES + 1)),
        (42, "no_width", "no pixels", with(|offer| offer.width = 0)),
        (42, "score", "a distance that is no number", with(|offer| offer.score = f32::NAN)),
        (43, "media_type", "a media type with a line feed", with(|offer| offer.media_type = "image/jpeg\n".to_owned())),
        (43, "path", "a media type that is a path", with(|offer| offer.media_type = "../../x".to_owned())),
    ]
}

fn keeping() -> Vec<Refused> {
    let party = Party::of(3);
    let (right, sender, receiver) = (label(&party), &party.guests[1].keys, &party.guests[2].keys);
    let of = |label: Label| kept(&party, &delivery(&party, label, sender), receiver);
    let stranger = Guest::new(party.key.event_id(), 9);
    let sealed_to_another = SealedDelivery::write(right, &letter(), &sender.public().seal, sender).unwrap();
    let room = |size_bytes: u64| raw_frame("KeepRequest", &(0_u8, EventId([7; 32]), size_bytes));
    vec![
        (67, "from_a_stranger", "its sender is no member", of(Label { from: stranger.id(), ..right })),
        (67, "to_oneself", "sender and receiver are one", of(Label { from: right.to, ..right })),
        (67, "other_event", "of another event", of(Label { event: EventId([7; 32]), ..right })),
        (67, "other_keys", "signed by another member", kept(&party, &delivery(&party, right, receiver), receiver)),
        (68, "expired", "its time is over", of(Label { expires: START, ..right })),
        (68, "too_long", "to be kept for over a fortnight", of(Label { expires: START.plus(15 * 24 * HOUR), ..right })),
        (68, "no_bytes", "a tag and nothing sealed", room(16)),
        (68, "too_large", "more than 4 GiB", room(MAX_RENDITION_BYTES + 1)),
        (69, "other_receiver", "the letter is sealed to another", kept(&party, &sealed_to_another, receiver)),
        (69, "other_size", "the letter is of another size", of(Label { size_bytes: 24, ..right })),
        (70, "other_receipt", "the sender signs the receipt", kept(&party, &delivery(&party, right, sender), sender)),
    ]
}

fn recalls() -> Vec<Refused> {
    let of = |count: usize| raw_frame("Recall", &(0_u8, EventId([7; 32]), vec![OfferId([5; 16]); count]));
    vec![
        (80, "no_offer", "a question without an offer", of(0)),
        (80, "too_many", "101 offers", of(101)),
        (80, "long_reply", "101 answers", raw_frame("RecallReply", &vec![0_u8; 101])),
    ]
}

pub(super) fn cases() -> Vec<(String, Case)> {
    [frames(), invites(), rosters(), records(), embeddings(), contents(), keeping(), recalls()]
        .concat()
        .into_iter()
        .map(|(rule, name, what, input)| (format!("refused/r{rule}_{name}"), case(what, Some(rule), input)))
        .collect()
}
