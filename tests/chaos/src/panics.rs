//! Panics while vaults are opened in this process: none may be ours, and those of the database are counted.

use std::sync::{Mutex, Once, PoisonError};

use crate::outcome::Outcome;

static SEEN: Mutex<Vec<String>> = Mutex::new(Vec::new());
static INSTALLED: Once = Once::new();

/// From now on panics are noted here instead of being printed.
pub fn watch() {
    INSTALLED.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let place = info.location().map(ToString::to_string).unwrap_or_default();
            if place.contains("/tests/chaos/") {
                // A failed assertion of a test of ours.
                before(info);
                return;
            }
            SEEN.lock().unwrap_or_else(PoisonError::into_inner).push(place);
        }));
    });
}

/// The places of all panics since the last call: those in the database, and those anywhere else.
fn take() -> (Vec<String>, Vec<String>) {
    let seen = std::mem::take(&mut *SEEN.lock().unwrap_or_else(PoisonError::into_inner));
    seen.into_iter().partition(|place| place.contains("/sled-"))
}

/// Takes all panics since the last call and notes them in the outcome of a campaign.
pub fn report(outcome: &mut Outcome) {
    let (database, ours) = take();
    if !database.is_empty() {
        outcome.ends.insert("panics inside the database, caught".to_owned(), database.len() as u64);
    }
    for place in ours {
        outcome.violated(format!("a panic at {place}"));
    }
}
