//! What is fuzzed: each decoder of the protocol takes any bytes, and what it reads must be written the same again.
//!
//! Signatures and seals keep a fuzzer out of most of the code. So the targets sign and seal what it makes up, as somebody
//! does who has the keys: a member for records, the host for the roster.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a panic is what a fuzzer looks for, and the helpers are those of tests"
)]

#[path = "../../tests/party/mod.rs"]
mod party;
mod seeds;

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use data_encoding::HEXLOWER;
use inframe_protocol::{
    ContentId, UnixMillis,
    code::{CodeAsk, CodeGrant, CodeProof, CodeReply},
    deputy::{DeputyReply, DeputyRequest},
    event::EventState,
    fetch::{FetchReply, FetchRequest},
    frame::{Message, decode, encode},
    groups::{GroupList, verify_group},
    invite::{Invite, web::WEB_SEPARATOR},
    join::{JoinReply, JoinRequest},
    keep::{KeepReply, KeepRequest},
    offer::{Offer, OfferReply, Receipt},
    push::{Push, PushReply},
    recall::{Recall, RecallReply},
    relay::{Punch, PunchNow, RelayHello, RelayWelcome},
    sync::{SyncReply, SyncRequest},
};
use party::{Guest, Party, START, seal_plain, sign_entry};

/// One decoder under fire.
pub struct Target {
    /// Its name, also that of its corpus.
    pub name: &'static str,
    /// Runs it; whether it took the bytes. Panics when a promise is broken.
    pub run: fn(&[u8]) -> bool,
    /// Inputs to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target { name: "messages", run: messages, seeds: seeds::messages },
    Target { name: "records", run: records, seeds: seeds::records },
    Target { name: "bodies", run: bodies, seeds: seeds::bodies },
    Target { name: "entries", run: entries, seeds: seeds::entries },
    Target { name: "states", run: states, seeds: seeds::states },
    Target { name: "links", run: links, seeds: seeds::links },
    Target { name: "groups", run: groups, seeds: seeds::groups },
];

fn party() -> &'static Party {
    static PARTY: OnceLock<Party> = OnceLock::new();
    PARTY.get_or_init(|| Party::of(3))
}

/// Reads a message from the body of a frame; whether it was taken.
type Read = fn(&[u8]) -> bool;

/// The messages by name, in the order of the first byte that chooses one, with what reads them.
pub const MESSAGES: &[(&str, Read)] = &[
    ("JoinRequest", reread::<JoinRequest>),
    ("JoinReply", reread::<JoinReply>),
    ("SyncRequest", reread::<SyncRequest>),
    ("SyncReply", reread::<SyncReply>),
    ("Push", reread::<Push>),
    ("PushReply", reread::<PushReply>),
    ("Offer", reread::<Offer>),
    ("OfferReply", reread::<OfferReply>),
    ("Receipt", reread::<Receipt>),
    ("FetchRequest", reread::<FetchRequest>),
    ("FetchReply", reread::<FetchReply>),
    ("RelayHello", reread::<RelayHello>),
    ("RelayWelcome", reread::<RelayWelcome>),
    ("Punch", reread::<Punch>),
    ("PunchNow", reread::<PunchNow>),
    ("KeepRequest", reread::<KeepRequest>),
    ("KeepReply", reread::<KeepReply>),
    ("CodeAsk", reread::<CodeAsk>),
    ("CodeReply", reread::<CodeReply>),
    ("CodeProof", reread::<CodeProof>),
    ("CodeGrant", reread::<CodeGrant>),
    ("DeputyRequest", reread::<DeputyRequest>),
    ("DeputyReply", reread::<DeputyReply>),
    ("Recall", reread::<Recall>),
    ("RecallReply", reread::<RecallReply>),
];

fn reread<M: Message>(body: &[u8]) -> bool {
    let mut frame = (body.len() as u32).to_le_bytes().to_vec();
    frame.extend_from_slice(body);
    let Ok(message) = decode::<M>(&frame, M::MAX_BYTES) else { return false };
    assert_eq!(encode(&message, M::MAX_BYTES).unwrap(), frame, "it is written as it was read");
    true
}

/// The first byte chooses the message, the rest is what is in the frame.
fn messages(bytes: &[u8]) -> bool {
    let Some((which, body)) = bytes.split_first() else { return false };
    MESSAGES.get(usize::from(*which)).is_some_and(|(_, read)| read(body))
}

/// A member takes these bytes as a record; whatever comes of it, what is stored is read again.
fn take(guest: &Guest, record: &[u8]) -> bool {
    let mut guest = guest.clone();
    let taken = guest.state.receive(record, START).is_ok();
    if taken {
        assert!(guest.state.vector().authors.iter().any(|(_, held)| !held.is_empty()));
        guest.restart();
    }
    guest.state.prune(UnixMillis(u64::MAX));
    guest.restart();
    taken
}

/// A record as it comes: nobody's signature fits, unless the fuzzer is very lucky.
fn records(bytes: &[u8]) -> bool {
    take(&party().guests[1], bytes)
}

/// What is in a record, padding and all, sealed and signed by a member. The first byte is a part of its number.
fn bodies(bytes: &[u8]) -> bool {
    let Some((seq, plain)) = bytes.split_first() else { return false };
    let author = &party().guests[2];
    let record = seal_plain(author, author.header(u64::from(*seq) + 1, START), plain);
    take(&party().guests[1], &record)
}

/// A roster entry that the host's key has signed, as the next one.
fn entries(bytes: &[u8]) -> bool {
    let party = party();
    let entry = sign_entry(&party.key, bytes);
    let mut guest = party.guests[1].clone();
    let taken = guest.state.apply_roster(&entry).is_ok();
    let mut new = Guest::new(party.key.event_id(), 9);
    let first = new.state.apply_roster(&entry).is_ok();
    for mut state in [guest.state, new.state] {
        let again = EventState::from_bytes(&state.to_bytes()).unwrap();
        assert_eq!(again.roster().entries(), state.roster().entries());
        state.prune(UnixMillis(u64::MAX));
    }
    taken || first
}

/// An event as it was kept in one piece.
fn states(bytes: &[u8]) -> bool {
    let Ok(state) = EventState::from_bytes(bytes) else { return false };
    let again = EventState::from_bytes(&state.to_bytes()).unwrap();
    assert_eq!(again.vector(), state.vector());
    true
}

fn links(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let Ok(invite) = Invite::parse(text) else { return false };
    let _ = invite.check_expiry(START);
    let link = invite.to_link().unwrap();
    assert_eq!(Invite::parse(&link).unwrap().to_link().unwrap(), link);
    let short = invite.to_web_part().unwrap();
    let again = Invite::parse(&format!("http://a/g/0#{WEB_SEPARATOR}{short}")).unwrap();
    assert_eq!(again.to_web_part().unwrap(), short);
    true
}

/// Size, index and hash of a group, then its bytes; and the same bytes as a list of hashes for that content.
fn groups(bytes: &[u8]) -> bool {
    let Some((size, rest)) = bytes.split_first_chunk::<8>() else { return false };
    let Some((index, rest)) = rest.split_first_chunk::<8>() else { return false };
    let Some((hash, rest)) = rest.split_first_chunk::<32>() else { return false };
    let (size, index) = (u64::from_le_bytes(*size), u64::from_le_bytes(*index));
    let group = verify_group(hash, size, index, rest).is_ok();
    let (hashes, _) = rest.as_chunks::<32>();
    match GroupList::verify(ContentId(*hash), size, hashes.to_vec()) {
        Ok(list) => {
            assert_eq!((list.count(), list.size_bytes()), (hashes.len() as u64, size));
            let whole: u64 = (0..list.count()).map(|index| list.group_len(index).unwrap()).sum();
            assert_eq!(whole, size);
            true
        }
        Err(_) => group,
    }
}

/// The file with the corpus of a target: an input a line, in hexadecimal.
pub fn corpus_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(format!("{name}.hex"))
}

/// The corpus of a target; empty before its first campaign.
///
/// # Errors
/// When the file is there and cannot be read.
pub fn corpus(name: &str) -> io::Result<Vec<Vec<u8>>> {
    let text = match fs::read_to_string(corpus_file(name)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        text => text?,
    };
    let inputs = text.lines().map(|line| HEXLOWER.decode(line.as_bytes()));
    inputs.collect::<Result<_, _>>().map_err(io::Error::other)
}
