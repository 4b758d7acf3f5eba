//! How the master key is kept, in words for the owner.

use super::{Node, Place};
use crate::vault::{KeyError, Keys, SlotKind};

impl Node {
    /// How the vault was unlocked, and what opens it besides.
    pub(super) async fn protection(&self) -> String {
        let place = self.place.clone();
        let words = tokio::task::spawn_blocking(move || words(&place)).await;
        match words {
            Ok(Ok(words)) => words,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "not known: looking at the key slots was broken off".into(),
        }
    }
}

fn words(place: &Place) -> Result<String, KeyError> {
    let there = Keys::slots(&place.dir)?;
    let mut words = match place.unlocked_by {
        SlotKind::KeyFile => format!(
            "a key file at {}; whoever has it and the data folder can read everything, so keep a copy in a safe place",
            place.key_file.path().display()
        ),
        SlotKind::Passphrase => "a passphrase, which is asked for at each start".to_owned(),
        SlotKind::Recovery => "the recovery phrase".to_owned(),
    };
    if !there.contains(&place.unlocked_by) {
        words = format!("until it is locked, the {} that was removed meanwhile", place.unlocked_by);
    }
    for other in SlotKind::ALL.into_iter().filter(|kind| *kind != place.unlocked_by && there.contains(kind)) {
        words.push_str(&format!("; a {other} opens it as well"));
    }
    if !there.contains(&SlotKind::Recovery) {
        words.push_str(
            "; there is no recovery phrase yet (add one in the settings, or with: inframe keys add recovery)",
        );
    }
    Ok(words)
}
