//! The record of a real daemon: photos over its API and from a folder, faces, an event, a profile that is erased, an orderly stop, another start.

use std::{ffi::OsString, path::Path};

use anyhow::{Context as _, Result};
use inframe::vault::Kind;
use inframe_tests::{
    daemon::{Daemon, Options},
    photos::{self, Exif, Variation},
    scene,
    wait::{Seen, wait_until},
};

use crate::{
    child,
    power::{Recorded, as_on_the_disk},
    recording::{self, Operation, Recording},
    story::CANARY,
    strace::{self, Call},
};

/// What the daemon said and is held to from then on: words that are in its answer, and what they promise.
type Answer = (Vec<u8>, String);

/// Records a daemon.
///
/// # Errors
/// When it fails, or when the recording does not lead to what is on the disk.
pub async fn record() -> Result<Recorded> {
    let scratch = child::scratch()?;
    let mut answers: Vec<Answer> = Vec::new();
    let log = |number: usize| scratch.path().join(format!("{number}.strace"));
    let mut node = Daemon::start_with(Options { under: under(&log(0)), ..Options::local("Node") }).await?;
    let sources = scratch.path().join("photos");
    std::fs::create_dir(&sources)?;
    std::fs::write(sources.join("a.jpg"), with_canary(&photos::to_jpeg(&photos::pattern(640, 480, 1))?)?)?;
    std::fs::write(sources.join("b.jpg"), with_canary(&photos::to_jpeg(&photos::pattern(640, 480, 2))?)?)?;

    upload(&node, 3, &mut answers).await?;
    scene::agree(node.api()).await?;
    upload(&node, 4, &mut answers).await?;
    node.api().create_event(CANARY).await?;
    node.api().import(&sources).await?;
    wait_until("the photos of the folder", scene::WORKED, async || {
        let count = node.api().status().await?.asset_count;
        Ok(if count == 4 { Seen::Done(()) } else { Seen::NotYet(format!("{count}")) })
    })
    .await?;
    scene::enrol(node.api()).await?;
    scene::wait_for_rest(&node).await?;
    node.api().erase_profile().await?;
    // The answer to this comes after the profile was erased, and is told from every other.
    node.api().rename("Erased-4242").await?;
    let erased = format!("@erased {}\n@erased {}\n", Kind::Profile as u8, Kind::Selfie as u8);
    answers.push((b"Erased-4242".to_vec(), erased));
    node.stop().await?;
    node.run_under(under(&log(1)));
    node.restart().await?;
    upload(&node, 5, &mut answers).await?;
    node.stop().await?;

    let mut calls = whole_log(&log(0)).await?;
    strace::chain(&mut calls, whole_log(&log(1)).await?);
    let mut recording = recording::read(&calls, node.folder())?;
    as_on_the_disk(&recording, node.folder())?;
    answer(&mut recording, answers)?;
    Ok(Recorded { name: "daemon", recording })
}

fn under(log: &Path) -> Vec<OsString> {
    strace::around(log, strace::CALLS, true, None)
}

async fn whole_log(log: &Path) -> Result<Vec<Call>> {
    wait_until("the end of the record", scene::SOON, async || {
        let text = std::fs::read_to_string(log)?;
        // The first thread is the last that goes.
        let first = text.split(' ').next().context("an empty record")?;
        let ended = text.lines().rev().take(50).any(|line| line.starts_with(first) && line.contains(" +++ "));
        Ok(if ended { Seen::Done(()) } else { Seen::NotYet(format!("{} bytes", text.len())) })
    })
    .await?;
    strace::calls(log)
}

fn with_canary(jpeg: &[u8]) -> Result<Vec<u8>> {
    photos::with_exif(jpeg, &Exif { model: Some(CANARY.to_owned()), ..Exif::default() })
}

async fn upload(node: &Daemon, number: u32, answers: &mut Vec<Answer>) -> Result<()> {
    let bytes = with_canary(&photos::varied(number, Variation::Smaller(640))?)?;
    let id = scene::upload(node.api(), &format!("{CANARY}.jpg"), bytes.clone()).await?;
    let promise = format!("@photo {id} {}\n", blake3::hash(&bytes).to_hex());
    answers.push((id.into_bytes(), promise));
    Ok(())
}

/// Puts the promises in the place of the answers, and silence in the place of everything else that was said.
fn answer(recording: &mut Recording, answers: Vec<Answer>) -> Result<()> {
    let mut answers = answers.into_iter().peekable();
    for (operation, label) in recording.operations.iter_mut().zip(&mut recording.labels) {
        let Operation::Said(said) = operation else { continue };
        let holds = |words: &[u8]| said.windows(words.len()).any(|window| window == words);
        let promised = answers.next_if(|(words, _)| holds(words)).map(|(_, promise)| promise);
        if let Some(promise) = &promised {
            *label = format!("acknowledge {}", promise.split(' ').next().unwrap_or_default().trim_start_matches('@'));
        }
        *said = promised.unwrap_or_default().into_bytes();
    }
    anyhow::ensure!(answers.next().is_none(), "an answer is not in the record");
    Ok(())
}
