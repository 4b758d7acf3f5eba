//! What fuzzing has found is run again: nothing breaks, and each target still takes some inputs and refuses some.

#![allow(clippy::unwrap_used, reason = "a failure of the helpers is a failure of the test")]

use std::collections::BTreeSet;

use inframe_fuzz::{MESSAGES, TARGETS, corpus};

#[test]
fn d8_every_input_of_every_corpus_is_taken_or_refused_and_never_more() {
    for target in TARGETS {
        let (seeds, found) = ((target.seeds)(), corpus(target.name).unwrap());
        assert!(!seeds.is_empty() && found.len() > 10, "{}: {} seeds, {} found", target.name, seeds.len(), found.len());
        let taken = seeds.iter().chain(&found).filter(|input| (target.run)(input)).count();
        assert!(taken > 0, "{}: nothing is taken, so nothing behind the door is tested", target.name);
        assert!(taken < seeds.len() + found.len(), "{}: everything is taken", target.name);
    }
}

#[test]
fn every_kind_of_message_is_taken_in_some_form() {
    let target = TARGETS.iter().find(|target| target.name == "messages").unwrap();
    let inputs = (target.seeds)().into_iter().chain(corpus(target.name).unwrap());
    let taken: BTreeSet<u8> =
        inputs.filter(|input| (target.run)(input)).filter_map(|input| input.first().copied()).collect();
    let never = MESSAGES.iter().enumerate().filter(|(which, _)| !taken.contains(&(*which as u8)));
    assert_eq!(never.map(|(_, (name, _))| *name).collect::<Vec<_>>(), Vec::<&str>::new());
}
