//! What photos and videos are looked at with: the model pack, the sandbox, and the tools for videos.

use super::{Check, Topic, listed};
use crate::sandbox::{Model, Sandbox, SandboxError};

/// The model pack that was tried.
#[derive(Debug)]
pub struct TriedPack {
    /// Its id.
    pub id: String,
    /// Whether it is part of the program.
    pub built_in: bool,
    /// Whether its files are as its `pack.toml` says and it runs; else why not, in words.
    pub outcome: Result<(), String>,
}

impl TriedPack {
    /// Loads and runs a pack in a process of its own; some seconds on a slow machine. Every hash of its files is checked meanwhile.
    pub async fn run(sandbox: &Sandbox, model: &Model) -> Self {
        let outcome = sandbox.try_model(model).await.map_err(|error| match error {
            SandboxError::Model(why) => why,
            error => error.to_string(),
        });
        Self { id: model.id.to_string(), built_in: model.folder.is_none(), outcome }
    }

    /// One that was not even found.
    #[must_use]
    pub fn missing(id: String, why: String) -> Self {
        Self { id, built_in: false, outcome: Err(why) }
    }
}

/// Judges the packs: the first is the one in use, others are there as well.
#[must_use]
pub fn models(tried: &[TriedPack]) -> Check {
    let topic = Topic::Models;
    let Some((first, others)) = tried.split_first() else {
        let found = "There is no model pack: this program was built without one.";
        return Check::failed(topic, found, "Add one with `inframe models add`, or install a program that has one.");
    };
    if let Err(why) = &first.outcome {
        let found = format!("No faces can be found: the model pack {} cannot be used: {why}.", name(&first.id));
        let advice = match first.built_in {
            true => "Install the program again: its model pack is damaged or was left out.",
            false => {
                "Remove the folder of the pack from `models` in the data folder and add it again with `inframe models add`, or use another one."
            }
        };
        return Check::failed(topic, found, advice);
    }
    let broken: Vec<String> =
        others.iter().filter(|pack| pack.outcome.is_err()).map(|pack| name(&pack.id).to_owned()).collect();
    let good = format!("The model pack {} is whole, and it runs.", name(&first.id));
    if broken.is_empty() {
        return Check::good(topic, good);
    }
    let found = format!("{good} Not usable: {}.", listed(&broken));
    Check::warning(
        topic,
        found,
        "See `inframe models list` for what is wrong, and add those again, or remove their folders from `models` in the data folder.",
    )
}

/// Of an id the part that people know it by.
fn name(id: &str) -> &str {
    if id.is_empty() { "that is built in" } else { id }
}

/// Judges what confines decoders; `Err` says why there is none.
#[must_use]
pub fn sandbox(report: Result<(&[String], &[String]), String>) -> Check {
    let topic = Topic::Sandbox;
    match report {
        Err(why) => Check::failed(
            topic,
            format!("No process for decoding can be started: {why}."),
            "Free some memory, see whether this user may start more processes, and restart the daemon.",
        ),
        Ok((active, [])) => Check::good(
            topic,
            format!("Photos are decoded in processes that are fully shut off, by {} measures.", active.len()),
        ),
        Ok((_, gaps)) => Check::warning(
            topic,
            format!("Photos are decoded with gaps in the protection: {}.", gaps.join("; ")),
            "Use a Linux kernel of 5.19 or later with Landlock and seccomp turned on; in a container, allow both.",
        ),
    }
}

/// Judges the programs for videos.
#[must_use]
pub fn videos(ffmpeg: bool) -> Check {
    let topic = Topic::Videos;
    match ffmpeg {
        true => Check::good(topic, "ffmpeg and ffprobe are installed."),
        false => Check::warning(
            topic,
            "ffmpeg is not installed: videos are kept, but not shown, played or searched for faces.",
            "Install it (on Debian and Ubuntu: apt install ffmpeg); it is then found by itself.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    fn pack(id: &str, built_in: bool, outcome: Result<(), &str>) -> TriedPack {
        TriedPack { id: id.into(), built_in, outcome: outcome.map_err(str::to_owned) }
    }

    #[test]
    fn the_pack_in_use_decides_and_a_damaged_one_beside_it_is_named() {
        let good = || pack("a-1-x", true, Ok(()));
        let cases = [
            (vec![], State::Failed, "no model pack", "models add"),
            (vec![good()], State::Good, "a-1-x is whole", ""),
            (vec![pack("a", true, Err("cut short"))], State::Failed, "cut short", "Install the program again"),
            (vec![pack("b", false, Err("cut short")), good()], State::Failed, "No faces", "data folder"),
            (vec![good(), pack("b", false, Err("gone"))], State::Warning, "Not usable: b.", "models list"),
        ];
        for (tried, state, words, advice) in cases {
            let check = models(&tried);
            assert_eq!(check.state, state, "{check:?}");
            assert!(check.found.contains(words), "{check:?}");
            assert!(check.advice.unwrap_or_default().contains(advice));
        }
    }

    #[test]
    fn gaps_of_the_sandbox_are_named_and_missing_tools_can_be_installed() {
        let (active, gaps) = (["seccomp".to_owned()], ["no Landlock".to_owned()]);
        assert_eq!(sandbox(Ok((&active, &[]))).state, State::Good);
        let check = sandbox(Ok((&active, &gaps)));
        assert!(check.state == State::Warning && check.found.contains("no Landlock"), "{check:?}");
        assert_eq!(sandbox(Err("no memory".into())).state, State::Failed);
        assert_eq!(videos(true).state, State::Good);
        assert!(videos(false).advice.unwrap().contains("apt install ffmpeg"));
    }
}
