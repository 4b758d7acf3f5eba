//! SPEC.md against the code: rules, limits and contexts stand in both, and every rule is broken by a test.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure of the helpers is a failure of the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use inframe_protocol::limits;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

fn source_of(folder: &str) -> String {
    files_below(&root().join(folder)).iter().map(|path| fs::read_to_string(path).unwrap()).collect()
}

fn spec() -> String {
    fs::read_to_string(root().join("SPEC.md")).unwrap()
}

/// Numbers that follow `letter` at the start of a word, and are followed by no letter or digit; for names, by an underscore.
fn numbers_after(letter: char, text: &str, end: impl Fn(char) -> bool) -> BTreeSet<u32> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let number = |word: &str| {
        let digits = word.strip_prefix(letter)?;
        let len = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
        let (digits, rest) = digits.split_at(len);
        rest.chars().next().map_or(end('\0'), &end).then(|| digits.parse().ok()).flatten()
    };
    words.filter_map(number).collect()
}

/// The rules that SPEC.md states: each once, and none left out.
fn rules() -> BTreeSet<u32> {
    let spec = spec();
    let stated: Vec<u32> =
        spec.lines().filter_map(|line| line.strip_prefix("- **R")?.split_once("**")?.0.parse().ok()).collect();
    let rules: BTreeSet<u32> = stated.iter().copied().collect();
    assert_eq!(rules.len(), stated.len(), "a rule is stated twice");
    assert!(rules.iter().copied().eq(1..=rules.len() as u32), "{rules:?}");
    rules
}

/// A line that says "R12 to R20" cites both ends only.
#[test]
fn every_rule_is_cited_in_the_code_and_every_citation_is_a_rule() {
    let cited = numbers_after('R', &source_of("src"), |c| c == '\0');
    let rules = rules();
    assert_eq!(rules.difference(&cited).collect::<Vec<_>>(), Vec::<&u32>::new(), "not cited");
    assert_eq!(cited.difference(&rules).collect::<Vec<_>>(), Vec::<&u32>::new(), "cited and not stated");
    let in_spec = numbers_after('R', &spec(), |c| c == '\0');
    assert_eq!(in_spec, rules, "SPEC.md refers to a rule that it does not state");
}

#[test]
fn every_rule_has_a_test_with_its_number() {
    let tests = source_of("src") + &source_of("tests");
    let names: String = tests.lines().filter_map(|line| line.trim().strip_prefix("fn ")).collect::<Vec<_>>().join("\n");
    let tested = numbers_after('r', &names, |c| c == '_');
    let rules = rules();
    assert_eq!(rules.difference(&tested).collect::<Vec<_>>(), Vec::<&u32>::new(), "no test is named after them");
    assert_eq!(tested.difference(&rules).collect::<Vec<_>>(), Vec::<&u32>::new(), "named after no rule");
}

#[test]
fn every_context_is_written_down() {
    let (source, spec) = (source_of("src"), spec().replace('\n', " "));
    let contexts = source.split('"').filter(|text| text.starts_with("inframe 1 "));
    let contexts: BTreeSet<_> = contexts.collect();
    assert!(contexts.len() > 10);
    for context in contexts {
        assert!(spec.contains(context), "{context}");
    }
}

macro_rules! values {
    ($($name:ident)*) => {
        BTreeMap::from([$((stringify!($name), limits::$name.to_string())),*])
    };
}

#[test]
fn d7_every_limit_stands_in_the_table_with_its_value() {
    let mut values = values! {
        MAX_NODE_ID_BYTES MAX_EVENT_NAME_BYTES MAX_NICKNAME_BYTES MAX_CONTACT_NAME_BYTES MAX_EMAIL_BYTES MAX_LABEL_BYTES MAX_ADDRESSES MAX_ADDRESS_BYTES MAX_PACK_ID_BYTES
        MAX_INVITE_LINK_CHARS MAX_JOIN_REQUEST_BYTES MAX_JOIN_REPLY_BYTES VERIFICATION_WORDS MAX_MEMBERS MAX_ROSTER_ENTRY_BYTES MAX_ROSTER_ENTRIES
        MAX_SEALED_BOX_BYTES MAX_ROSTER_BYTES MAX_RECORD_BYTES MAX_RECORD_PLAIN_BYTES RECORD_TAG_BYTES MAX_STILL_BYTES
        MAX_FIND_ME_LIFETIME_MS MAX_CLOCK_SKEW_MS RECORD_WINDOW_MS MAX_LIVE_FIND_MES MAX_FIND_MES_PER_HOUR FIND_ME_BUDGET_MS
        MAX_PROTECTION_LIFETIME_MS MAX_LIVE_PROTECTIONS MAX_PROTECTIONS_PER_HOUR PROTECTION_BUDGET_MS
        MAX_RECORDS_PER_AUTHOR MAX_SMALL_RECORD_BYTES MAX_LARGE_RECORDS_PER_AUTHOR MAX_SYNC_PAGE_BYTES MAX_VECTOR_BYTES MAX_SYNC_REQUEST_BYTES MAX_SYNC_REPLY_BYTES MAX_PUSH_BYTES
        TEMPLATE_COORDINATES TEMPLATE_BYTES MAX_EMBEDDING_COORDINATES MAX_EMBEDDING_COORDINATE MIN_FACELESS_DISTANCE_SQUARED
        MAX_RENDITION_BYTES MAX_SIDE_PX MAX_MEDIA_TYPE_BYTES GROUP_BYTES MAX_GROUPS MAX_OFFER_BYTES MAX_SMALL_MESSAGE_BYTES
        MAX_FETCH_REPLY_BYTES MAX_KEPT_MS MAX_KEEP_BYTES MAX_KEEPS_A_MINUTE MAX_JOINS_A_MINUTE MAX_SYNCS_A_MINUTE MAX_PUSHES_A_MINUTE MAX_GOSSIP_A_MINUTE MAX_FETCHES_A_MINUTE MAX_CODES_A_MINUTE MAX_DEPUTIES_A_MINUTE MAX_DEPUTY_INVITES MAX_INVITE_USES MAX_INVITE_LIFE_MS MAX_WAITING MAX_DEPUTY_BYTES MAX_RECALLS MAX_RECALL_BYTES MAX_RECALLS_A_MINUTE CODE_DIGITS CODE_SELECTORS CODE_LIFE_MS MAX_WRONG_CODES MAX_CODE_GRANT_BYTES
        MAX_PUNCH_BYTES SYNC_SLICES SLICE_DIGEST_BYTES
    };
    let padded = limits::RECORD_PADDED_BYTES.map(|size| size.to_string()).join(", ");
    values.insert("RECORD_PADDED_BYTES", padded);
    let codes = limits::TEMPLATE_OUTER_CODES;
    values.insert("TEMPLATE_OUTER_CODES", format!("{} to {}", codes.start(), codes.end()));
    let source = fs::read_to_string(root().join("src/limits.rs")).unwrap();
    let declared: BTreeSet<_> =
        source.lines().filter_map(|line| Some(line.strip_prefix("pub const ")?.split_once(':')?.0)).collect();
    assert!(declared.iter().copied().eq(values.keys().copied()), "the list above is not that of limits.rs");
    let spec = spec();
    for (name, value) in values {
        assert!(spec.contains(&format!("| `{name}` | {value} |")), "{name} is {value}");
    }
}
