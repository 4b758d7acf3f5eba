//! What the fuzzer begins with: the test vectors, and what a party of honest members writes.

use std::{fs, path::Path};

use data_encoding::HEXLOWER;
use inframe_protocol::{
    FindMeId, UnixMillis,
    groups::group_hash,
    invite::Invite,
    record::{Contact, RecordBody, Subject, Wish},
};
use serde_json::Value;

use super::{MESSAGES, party};
use crate::party::{START, read_entry};

/// The inputs of all vectors of this kind.
fn vectors(kind: &str) -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors");
    let mut files: Vec<_> = ["accepted", "refused"]
        .iter()
        .flat_map(|name| fs::read_dir(folder.join(name)).unwrap())
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    let inputs = files.iter().map(|path| {
        let case: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        case["input"].clone()
    });
    inputs.filter(|input| input["kind"] == kind).collect()
}

fn hex(input: &Value, field: &str) -> Vec<u8> {
    HEXLOWER.decode(input[field].as_str().unwrap().as_bytes()).unwrap()
}

pub fn messages() -> Vec<Vec<u8>> {
    let frames = vectors("frame").into_iter().filter_map(|input| {
        let which = MESSAGES.iter().position(|(name, _)| input["message"] == *name)?;
        let frame = hex(&input, "frame");
        Some([&[which as u8], frame.get(4..)?].concat())
    });
    frames.collect()
}

pub fn records() -> Vec<Vec<u8>> {
    let mut author = party().guests[2].clone();
    let id = author.fresh_id();
    let honest = author.announce(id, START, 3_600_000).unwrap().0;
    // Those of the vectors are of other events, and refused for that.
    vectors("record").iter().map(|input| hex(input, "record")).chain([honest]).collect()
}

pub fn bodies() -> Vec<Vec<u8>> {
    let author = &party().guests[2];
    let find_me = |subject, id: FindMeId| RecordBody::FindMe(author.find_me(id, 1, subject, START.plus(3_600_000)));
    let bodies = [
        RecordBody::Profile { nickname: "Ann".to_owned(), addresses: vec!["/ip4/192.0.2.1/tcp/7412".to_owned()] },
        find_me(Subject::Me, author.fresh_id()),
        find_me(Subject::Child, author.fresh_id()),
        RecordBody::Withdraw { find_me: author.fresh_id() },
        RecordBody::Leave,
        RecordBody::Protect(author.protection(1, Subject::Me, Wish::Blur, START.plus(3_600_000))),
        RecordBody::Contact(Contact { name: "Ann Lee".to_owned(), email: "ann@example.org".to_owned() }),
    ];
    let plain = bodies.iter().enumerate().map(|(number, body)| {
        let body = postcard::to_stdvec(body).unwrap();
        let size = [256, 1_024, 2_048, 3_840].into_iter().find(|size| *size >= body.len() + 2).unwrap();
        let mut plain = vec![number as u8];
        plain.extend((body.len() as u16).to_le_bytes());
        plain.extend(body);
        plain.resize(size + 1, 0);
        plain
    });
    plain.collect()
}

pub fn entries() -> Vec<Vec<u8>> {
    let mut party = party().clone();
    let all = |party: &crate::party::Party| party.guests[0].state.roster().entries().to_vec();
    let mut entries = all(&party);
    // The next one, of each kind.
    let member = party.guests[2].id();
    let before = party.clone();
    party.remove(&member);
    entries.extend(all(&party));
    party = before.clone();
    party.rotate();
    entries.extend(all(&party));
    party = before;
    party.admit(7);
    entries.extend(all(&party));
    entries.iter().map(|entry| postcard::to_stdvec(&read_entry(entry)).unwrap()).collect()
}

pub fn states() -> Vec<Vec<u8>> {
    vectors("record").iter().map(|input| hex(input, "state")).collect()
}

pub fn links() -> Vec<Vec<u8>> {
    let links = vectors("invite_link");
    let texts = links.iter().map(|input| input["link"].as_str().unwrap().as_bytes().to_vec());
    let mut all: Vec<Vec<u8>> = texts.collect();
    let readable = links.iter().find_map(|input| Invite::parse(input["link"].as_str()?).ok());
    if let Some(mut invite) = readable {
        invite.expires = UnixMillis(u64::MAX);
        all.push(invite.to_link().unwrap().into_bytes());
        all.push(format!("http://10.0.0.1/g/0#A~{}", invite.to_web_part().unwrap()).into_bytes());
    }
    all
}

pub fn groups() -> Vec<Vec<u8>> {
    let part = |size: u64, index: u64, bytes: &[u8]| {
        let hash = group_hash(size, index, bytes).unwrap();
        [&size.to_le_bytes(), &index.to_le_bytes(), hash.as_slice(), bytes].concat()
    };
    let small = b"A photo, or what is left of one.";
    let mut all = vec![part(small.len() as u64, 0, small)];
    // A list of two hashes: the content of both is made of them.
    let whole = vec![7_u8; (256 << 10) + 5];
    let size = whole.len() as u64;
    let (first, last) = whole.split_at(256 << 10);
    let hashes = [group_hash(size, 0, first).unwrap(), group_hash(size, 1, last).unwrap()];
    let content = blake3::hash(&whole);
    all.push([&size.to_le_bytes(), [0; 8].as_slice(), content.as_bytes(), hashes.concat().as_slice()].concat());
    all
}
