//! A stranger's bytes never bring anything down (D8): the vectors, changed at random, and bytes that are random altogether.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure of the helpers is a failure of the test")]

mod party;
mod vector_cases;

use std::sync::OnceLock;

use inframe_protocol::UnixMillis;
use inframe_protocol::event::EventState;
use inframe_protocol::invite::Invite;
use party::{HOUR, Party, START};
use proptest::prelude::*;
use vector_cases::{Hex, Input, all_cases};

/// One change of some bytes.
#[derive(Debug, Clone)]
enum Damage {
    Flip {
        at: prop::sample::Index,
        bits: u8,
    },
    Cut {
        at: prop::sample::Index,
    },
    Insert {
        at: prop::sample::Index,
        bytes: Vec<u8>,
    },
    Remove {
        at: prop::sample::Index,
        count: usize,
    },
    /// The largest numbers that fit, where a length may stand.
    Huge {
        at: prop::sample::Index,
    },
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        (at(), 1..=u8::MAX).prop_map(|(at, bits)| Damage::Flip { at, bits }),
        at().prop_map(|at| Damage::Cut { at }),
        (at(), prop::collection::vec(any::<u8>(), 1..9)).prop_map(|(at, bytes)| Damage::Insert { at, bytes }),
        (at(), 1..9_usize).prop_map(|(at, count)| Damage::Remove { at, count }),
        at().prop_map(|at| Damage::Huge { at }),
    ]
}

impl Damage {
    fn apply(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        match self {
            Self::Flip { at, bits } => {
                let at = at.index(bytes.len());
                bytes[at] ^= bits;
            }
            Self::Cut { at } => bytes.truncate(at.index(bytes.len())),
            Self::Insert { at, bytes: new } => {
                let at = at.index(bytes.len());
                bytes.splice(at..at, new.iter().copied());
            }
            Self::Remove { at, count } => {
                let at = at.index(bytes.len());
                bytes.drain(at..bytes.len().min(at + count));
            }
            Self::Huge { at } => {
                let at = at.index(bytes.len());
                bytes.splice(at..at + 1, [0xff, 0xff, 0xff, 0xff, 0x0f]);
            }
        }
    }
}

/// The bytes of an input that come from a stranger.
fn strangers(input: &mut Input) -> Option<&mut Vec<u8>> {
    match input {
        Input::Frame { frame: Hex(bytes), .. } | Input::Record { record: Hex(bytes), .. } => Some(bytes),
        _ => None,
    }
}

fn inputs() -> &'static [Input] {
    static INPUTS: OnceLock<Vec<Input>> = OnceLock::new();
    INPUTS.get_or_init(|| {
        let inputs = all_cases().into_iter().map(|(_, case)| case.input);
        inputs.filter(|input| strangers(&mut input.clone()).is_some()).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// The outcome itself checks that a message which is read is written the same again.
    #[test]
    fn d8_damaged_messages_are_refused_or_read_and_never_more(
        which in any::<prop::sample::Index>(),
        damages in prop::collection::vec(damage(), 1..4),
        announce_the_right_length in any::<bool>(),
    ) {
        let mut input = which.get(inputs()).clone();
        let is_frame = matches!(input, Input::Frame { .. });
        let bytes = strangers(&mut input).unwrap();
        damages.iter().for_each(|damage| damage.apply(bytes));
        if is_frame && announce_the_right_length && bytes.len() >= 4 {
            let length = (bytes.len() as u32 - 4).to_le_bytes();
            bytes[..4].copy_from_slice(&length);
        }
        let _ = input.outcome();
    }

    #[test]
    fn d8_damaged_links_never_panic(link in "(inframe://join/|https?://a/g/0#[a-z]{0,3}~?)?[A-Za-z0-9_~-]{0,300}", now in any::<u64>()) {
        if let Ok(invite) = Invite::parse(&link) {
            let _ = invite.check_expiry(UnixMillis(now));
        }
    }

    #[test]
    fn d8_random_bytes_are_no_state_and_no_record(bytes in prop::collection::vec(any::<u8>(), 0..600), now in any::<u64>()) {
        static PARTY: OnceLock<Party> = OnceLock::new();
        let party = PARTY.get_or_init(|| Party::of(2));
        prop_assert!(party.guests[1].state.clone().receive(&bytes, UnixMillis(now)).is_err());
        let mut stored = vec![1];
        stored.extend(bytes);
        if let Ok(state) = EventState::from_bytes(&stored) {
            prop_assert!(!state.roster().is_created());
        }
    }

    /// Whatever the clocks say, nothing overflows, and what is written here is taken here.
    #[test]
    fn d8_no_time_is_too_early_or_too_late(now in any::<u64>(), then in any::<u64>(), life in 1..24 * HOUR) {
        let mut party = Party::of(2);
        let id = party.guests[1].fresh_id();
        for at in [UnixMillis(now), UnixMillis(then), START] {
            let _ = party.guests[1].announce(id, at, life);
            party.guests[1].state.prune(at);
            prop_assert!(party.guests[1].found(at).len() <= 1);
            party.guests[1].restart();
        }
    }
}
