//! Links that carry an invite, whole, damaged, and for guests alone.

use super::*;
use crate::limits::{MAX_ADDRESSES, MAX_EVENT_NAME_BYTES, MAX_INVITE_LINK_CHARS};
use proptest::prelude::*;

/// A link to a guest page as hosts print it.
const PAGE: &str =
    "http://192.168.1.20:7411/g/0123456789abcdef0123456789abcdef#AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fn node(key: u8) -> NodeId {
    NodeId::new([&KEY_NODE[..], &[key; 32]].concat()).unwrap()
}

fn named(node: &NodeId) -> String {
    bs58::encode(node.as_bytes()).into_string()
}

fn invite() -> Invite {
    Invite {
        event: EventId([1; 32]),
        event_name: "Zoë and Max".to_owned(),
        host: node(2),
        addresses: vec!["/ip4/192.168.1.20/tcp/7412".to_owned()],
        id: InviteId([3; 8]),
        secret: [4; 32],
        expires: UnixMillis(1_800_000_000_000),
    }
}

fn link(invite: &Invite) -> String {
    format!("{PAGE}{WEB_SEPARATOR}{}", invite.to_web_part().unwrap())
}

#[test]
fn the_guests_link_carries_an_invite_and_is_short() {
    let text = link(&invite());
    assert!(text.len() - PAGE.len() < 235, "{} characters", text.len() - PAGE.len());
    assert_eq!(Invite::parse(&text).unwrap(), invite());
    let (start, end) = text.split_at(150);
    assert_eq!(Invite::parse(&format!(" {start}\r\n {end}\n")).unwrap(), invite(), "white space of mail programs");
    // By name and encrypted, and as a keyboard writes the beginning of a line.
    let other = text.replace("http://192.168.1.20:7411", "Https://photos.example.org");
    assert_eq!(Invite::parse(&other).unwrap(), invite());
}

#[test]
fn addresses_of_every_kind_come_back_without_the_hosts_own_id() {
    let (host, relay) = (named(&node(2)), named(&node(5)));
    let straight = ["/ip4/192.168.1.20/tcp/7412", "/ip6/2001:db8::7/tcp/7412", "/dns4/example.org/tcp/7412"];
    let through = [
        format!("/ip4/203.0.113.7/tcp/7413/p2p/{relay}/p2p-circuit"),
        format!("/ip6/2001:db8::8/tcp/7413/p2p/{relay}/p2p-circuit"),
    ];
    let told: Vec<String> = straight.iter().map(|at| format!("{at}/p2p/{host}")).chain(through.clone()).collect();
    let read = Invite::parse(&link(&Invite { addresses: told, ..invite() })).unwrap();
    let expected: Vec<String> = straight.iter().map(|at| (*at).to_owned()).chain(through).collect();
    assert_eq!(read.addresses, expected);
    assert_eq!(Invite::parse(&link(&read)).unwrap(), read, "and the same once more");
    // What looks usual and is not stays as it is.
    for odd in ["/ip4/192.168.1.020/tcp/7412", "/ip4/1.2.3.4/tcp/07412", "/ip6/::FFFF/tcp/1", "/p2p/x", "/ip4/1.2.3.4"]
    {
        let read = Invite::parse(&link(&Invite { addresses: vec![odd.to_owned()], ..invite() })).unwrap();
        assert_eq!(read.addresses, [odd]);
    }
    let other = NodeId::new([9; 38]).unwrap();
    assert_eq!(Invite::parse(&link(&Invite { host: other.clone(), ..invite() })).unwrap().host, other);
}

#[test]
fn r6_a_link_for_guests_alone_is_told_from_one_for_members() {
    assert_eq!(Invite::parse(PAGE), Err(InviteError::GuestsOnly));
    assert_eq!(Invite::parse("http://192.168.1.20:7411/g/0123"), Err(InviteError::GuestsOnly));
    assert_eq!(Invite::parse(&format!("{PAGE}.0123456789abcdef")), Err(InviteError::GuestsOnly), "a private link");
    assert!(InviteError::GuestsOnly.to_string().contains("ask the host for one for members"));
    let code = invite().to_web_part().unwrap();
    for other in ["https://example.org/", "http:///g/", "ftp://a/g/0", "http://a", "https://example.org/photos/g/0"] {
        assert_eq!(Invite::parse(other), Err(InviteError::NotAnInvite), "{other}");
        assert_eq!(Invite::parse(&format!("{other}#~{code}")), Err(InviteError::NotAnInvite), "{other}");
    }
    assert_eq!(Invite::parse(&code), Err(InviteError::NotAnInvite), "the code alone");
}

#[test]
fn r6_every_shorter_web_link_is_incomplete() {
    let text = link(&invite());
    for end in PAGE.len() + 1..text.len() {
        assert_eq!(Invite::parse(&text[..end]), Err(InviteError::Incomplete), "{end}");
    }
}

#[test]
fn r6_any_wrong_character_of_a_web_link_is_found() {
    let text = link(&invite());
    // The first two letters hold the version.
    for at in PAGE.len() + 3..text.len() {
        for other in [b'A', b'B', b'a', b'1'] {
            let mut changed = text.clone().into_bytes();
            if changed[at] == other {
                continue;
            }
            changed[at] = other;
            let parsed = Invite::parse(&String::from_utf8(changed).unwrap());
            assert!(matches!(parsed, Err(InviteError::Damaged | InviteError::Incomplete)), "{at}: {parsed:?}");
        }
    }
    assert_eq!(Invite::parse(&format!("{text}!")), Err(InviteError::Damaged));
    assert!(Invite::parse(&format!("{text}AAAAAAAA")).is_err());
}

/// A link with these fields, whatever they are, and a checksum that fits.
fn made_of(version: u8, fields: &[u8]) -> String {
    let mut bytes = [&[version], fields].concat();
    let sum = checksum(&bytes);
    bytes.extend(sum);
    format!("{PAGE}{WEB_SEPARATOR}{}", BASE32_NOPAD.encode(&bytes))
}

#[test]
fn r6_an_invite_has_one_short_form() {
    let short = |change: &dyn Fn(&mut Short)| {
        let mut short = Short::of(&invite());
        change(&mut short);
        Invite::parse(&made_of(VERSION, &to_canonical(&short).unwrap()))
    };
    assert_eq!(short(&|_| {}).unwrap(), invite());
    let longer = short(&|short| short.addresses = vec![Place::Text("/ip4/192.168.1.20/tcp/7412".to_owned())]);
    assert_eq!(longer, Err(InviteError::Damaged));
    let owned = short(&|short| short.addresses = vec![Place::Text("/ip4/192.168.1.20/tcp/7412/p2p/x".to_owned())]);
    assert_eq!(owned, Err(InviteError::Damaged));
    assert_eq!(short(&|short| short.host = Node::Other(node(2))), Err(InviteError::Damaged));
    assert!(matches!(short(&|short| short.event_name = String::new()), Err(InviteError::Field(_))));
    assert!(matches!(short(&|short| short.addresses = vec![Place::Text("x".to_owned())]), Err(InviteError::Field(_))));
}

#[test]
fn a_newer_web_form_is_told_apart_and_there_was_none_before_the_first() {
    let fields = to_canonical(&Short::of(&invite())).unwrap();
    assert_eq!(Invite::parse(&made_of(VERSION + 1, &fields)), Err(InviteError::NewerVersion));
    assert_eq!(Invite::parse(&made_of(0, &fields)), Err(InviteError::Damaged));
}

#[test]
fn d7_the_fullest_invite_fits_a_web_link() {
    let full = Invite {
        event_name: "a".repeat(MAX_EVENT_NAME_BYTES),
        host: NodeId::new([2; 64]).unwrap(),
        addresses: vec![format!("/{}", "a".repeat(127)); MAX_ADDRESSES],
        expires: UnixMillis(u64::MAX),
        ..invite()
    };
    let text = link(&full);
    assert!(text.len() <= MAX_INVITE_LINK_CHARS, "{}", text.len());
    assert_eq!(Invite::parse(&text).unwrap(), full);
}

proptest! {
    #[test]
    fn whatever_an_address_is_made_of_the_short_form_is_read_again(
        parts in proptest::collection::vec("p2p|ip4|ip6|tcp|p2p-circuit|1\\.2\\.3\\.4|::1|0?[0-9]{1,5}|x?", 0..8),
    ) {
        let invite = Invite { addresses: vec![format!("/{}", parts.join("/"))], ..invite() };
        let read = Invite::parse(&link(&invite)).unwrap();
        prop_assert_eq!(link(&read), link(&invite));
        prop_assert!(invite.addresses[0].starts_with(&read.addresses[0]));
    }

    #[test]
    fn d8_any_web_link_is_parsed_without_a_panic(text in ".{0,300}", bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        for link in [format!("{PAGE}{text}"), format!("{PAGE}{WEB_SEPARATOR}{text}")] {
            prop_assert!(Invite::parse(&link).is_err());
        }
        let _ = Invite::parse(&made_of(VERSION, &bytes));
    }
}
