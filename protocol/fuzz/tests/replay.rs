//! What fuzzing has found is run again: nothing breaks, and each target still takes some inputs and refuses some.

#![allow(clippy::unwrap_used, reason = "a failure of the helpers is a failure of the test")]

use inframe_fuzz::{TARGETS, corpus};

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
