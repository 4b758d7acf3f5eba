//! The kit of cases below this folder, one file each: what a reader of blobs must make of them. `vault/FORMAT.md` says how a case is written.

mod make;

use std::{collections::BTreeSet, fmt::Write as _, fs, io::Read as _, path::PathBuf};

use make::hash;

use super::{super::keys::Keys, BlobError, BlobId, BlobReader, WrappingKeys};

#[derive(Clone)]
struct Range {
    at: usize,
    length: usize,
    outcome: String,
}

#[derive(Clone)]
struct Case {
    name: String,
    about: String,
    expect: String,
    key: [u8; 32],
    id: [u8; 16],
    /// What may come out of a stream before it fails.
    released: Vec<u8>,
    ranges: Vec<Range>,
    bytes: Vec<u8>,
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

/// Hex in lines of 32 bytes; a line `00*n` stands for n zeros.
fn body(bytes: &[u8]) -> String {
    let (mut text, mut rest) = (String::new(), bytes);
    while !rest.is_empty() {
        let zeros = rest.iter().take_while(|byte| **byte == 0).count();
        let count = if zeros >= 64 { zeros } else { rest.len().min(32) };
        let (line, after) = rest.split_at(count);
        if zeros >= 64 {
            writeln!(text, "00*{zeros}").unwrap()
        } else {
            writeln!(text, "{}", hex(line)).unwrap()
        }
        rest = after;
    }
    text
}

impl Case {
    fn text(&self) -> String {
        let Self { name, about, expect, .. } = self;
        let (key, id, size, digest) = (hex(&self.key), hex(&self.id), self.released.len(), hash(&self.released));
        let mut text = format!("name: {name}\nabout: {about}\nkey: {key}\nid: {id}\nexpect: {expect}\n");
        writeln!(text, "payload: {size} {digest}").unwrap();
        for Range { at, length, outcome } in &self.ranges {
            writeln!(text, "range: {at} {length} {outcome}").unwrap();
        }
        format!("{text}\n{}", body(&self.bytes))
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/vault/blob/kit")
}

/// Name and text of every committed case.
fn committed() -> Vec<(String, String)> {
    let files = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let cases = files.filter(|path| path.extension().is_some_and(|extension| extension == "case"));
    cases
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(path).unwrap()))
        .collect()
}

fn outcome(error: &BlobError) -> String {
    match error {
        BlobError::NotABlob { .. } => "not a blob".to_owned(),
        BlobError::NewerVersion { .. } => "newer version".to_owned(),
        BlobError::HeaderDamaged { .. } => "header damaged".to_owned(),
        BlobError::WrongLength { .. } => "wrong length".to_owned(),
        BlobError::Removed { .. } => "removed".to_owned(),
        BlobError::ChunkDamaged { chunk, .. } => format!("chunk damaged {chunk}"),
        other => panic!("unexpected: {other:?}"),
    }
}

fn unhex<const N: usize>(text: &str) -> [u8; N] {
    data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap().try_into().unwrap()
}

/// Runs one case from its text alone.
fn run(name: &str, text: &str) {
    let (header, body) = text.split_once("\n\n").unwrap();
    let field = |key: &str| header.lines().find_map(|line| line.strip_prefix(key)).unwrap();
    assert_eq!(field("name: "), name);
    let mut bytes = Vec::new();
    for line in body.lines() {
        match line.strip_prefix("00*") {
            Some(zeros) => bytes.resize(bytes.len() + zeros.parse::<usize>().unwrap(), 0),
            None => bytes.extend(data_encoding::HEXLOWER.decode(line.as_bytes()).unwrap()),
        }
    }
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("blob");
    fs::write(&path, bytes).unwrap();
    let keys = WrappingKeys::new(&Keys::of_master(unhex(field("key: "))));
    let id = BlobId(unhex(field("id: ")));

    let (mut released, mut found) = (Vec::new(), "success".to_owned());
    match BlobReader::open(&keys, id, &path) {
        Err(error) => found = outcome(&error),
        Ok(mut reader) => {
            if let Err(error) = reader.read_to_end(&mut released) {
                found = outcome(BlobError::of(&error).unwrap());
            }
            let verified = reader.verify().map_or_else(|error| outcome(&error), |()| "success".to_owned());
            assert_eq!(verified, found, "{name}");
        }
    }
    assert_eq!(found, field("expect: "), "{name}");
    assert_eq!(format!("{} {}", released.len(), hash(&released)), field("payload: "), "{name}");
    for range in header.lines().filter_map(|line| line.strip_prefix("range: ")) {
        let mut words = range.splitn(3, ' ');
        let mut number = || words.next().unwrap().parse::<usize>().unwrap();
        let (at, length) = (number(), number());
        let mut out = vec![0xee; length];
        let reader = BlobReader::open(&keys, id, &path).unwrap();
        let found = match reader.read_exact_at(at as u64, &mut out) {
            Ok(()) => hash(&out),
            Err(error) => {
                let BlobError::ChunkDamaged { chunk, .. } = error else { panic!("{name}: {error:?}") };
                let untouched = (chunk as usize * 262_144).saturating_sub(at);
                assert!(out[untouched..].iter().all(|byte| *byte == 0xee), "{name}: bytes of a damaged chunk came out");
                outcome(&error)
            }
        };
        assert_eq!(found, words.next().unwrap(), "{name}: {range}");
    }
}

#[test]
fn the_reader_makes_of_every_case_what_the_case_says() {
    let cases = committed();
    assert!(cases.len() >= 60, "{} cases", cases.len());
    for (name, text) in cases {
        run(&name, &text);
    }
}

#[test]
fn the_committed_cases_are_those_of_the_description() {
    let made = make::cases();
    let names: BTreeSet<_> = made.iter().map(|case| case.name.clone()).collect();
    assert_eq!(names.len(), made.len(), "two cases have one name");
    assert_eq!(committed().into_iter().map(|(name, _)| name).collect::<BTreeSet<_>>(), names);
    for case in made {
        let text = fs::read_to_string(folder().join(format!("{}.case", case.name))).unwrap();
        assert!(text == case.text(), "{} differs: run `write_the_cases`", case.name);
    }
}

#[test]
#[ignore = "writes the cases anew, after a change of the format"]
fn write_the_cases() {
    for case in make::cases() {
        fs::write(folder().join(format!("{}.case", case.name)), case.text()).unwrap();
    }
}
