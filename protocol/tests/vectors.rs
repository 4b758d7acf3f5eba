//! The test vectors under `vectors/`: every file is run, and every rule that bytes can break has one that breaks it.
//!
//! `cargo test -p inframe-protocol --test vectors -- --ignored` writes those that are missing, with fresh keys.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure of the helpers is a failure of the test")]

mod party;
mod vector_cases;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use vector_cases::{Case, all_cases};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors")
}

/// All files, by their path below the folder.
fn files() -> Vec<(String, Case)> {
    let mut files = Vec::new();
    for kind in ["accepted", "refused", "template"] {
        for file in fs::read_dir(folder().join(kind)).unwrap() {
            let path = file.unwrap().path();
            let name = format!("{kind}/{}", path.file_stem().unwrap().to_str().unwrap());
            let text = fs::read_to_string(&path).unwrap();
            files.push((name, serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path:?}: {error}"))));
        }
    }
    files
}

#[test]
fn every_vector_has_the_outcome_that_its_file_says() {
    for (name, case) in files() {
        assert_eq!(case.input.outcome(), case.outcome, "{name}: {}", case.what);
        assert_eq!(case.outcome.is_err(), name.starts_with("refused/"), "{name} lies in the wrong folder");
    }
}

#[test]
fn every_refused_vector_is_named_by_the_rule_that_it_breaks() {
    for (name, case) in files() {
        if let Some(name) = name.strip_prefix("refused/") {
            let rule = name.split('_').next().unwrap().to_uppercase();
            assert_eq!(Some(rule), case.rule, "{name}");
        }
    }
}

#[test]
fn every_rule_that_bytes_can_break_has_a_vector() {
    let broken: BTreeSet<_> = files().into_iter().filter_map(|(_, case)| case.rule).collect();
    // These say what a state makes of records, or what a node answers: `record_rules`, `roster_rules` and the sync tests hold them.
    let of_behaviour = [
        34, 36, 37, 38, 39, 44, 46, 47, 48, 49, 50, 51, 52, 53, 54, 58, 59, 60, 61, 66, 71, 72, 73, 76, 77, 78, 79, 81,
    ];
    for rule in (1..=82).filter(|rule| !of_behaviour.contains(rule)) {
        assert!(broken.contains(&format!("R{rule}")), "no vector breaks R{rule}");
    }
}

#[test]
fn the_files_are_those_that_the_writer_makes() {
    let written: BTreeSet<_> = all_cases().into_iter().map(|(name, _)| name).collect();
    let found: BTreeSet<_> = files().into_iter().map(|(name, _)| name).collect();
    assert_eq!(found, written);
}

#[test]
#[ignore = "writes the vectors that are missing; delete those whose format has changed before"]
fn write_vectors() {
    let cases = all_cases();
    for (name, _) in files() {
        if !cases.iter().any(|(case, _)| *case == name) {
            fs::remove_file(folder().join(format!("{name}.json"))).unwrap();
        }
    }
    for (name, case) in cases {
        let path = folder().join(format!("{name}.json"));
        if !path.exists() {
            fs::write(path, serde_json::to_string_pretty(&case).unwrap() + "\n").unwrap();
        }
    }
}
