//! The guests worker: takes in what guests have added, finds in which photos and videos those are who look for themselves, gives up what never came to its end, and erases
//! what guests left of themselves when the time of an event is over.

mod looking;
mod taking;
mod videos;

use std::sync::Arc;
use std::time::Duration;

use inframe_protocol::EventId;

pub(crate) use super::sending::sent_as;
pub(crate) use super::videos::MEDIA_TYPE as VIDEO_TYPE;
pub(crate) use looking::{Sight, asked, may_see};
pub(crate) use taking::{approves_first, show, show_unseen, withdraw};
pub use videos::GuestVideos;
pub(crate) use videos::video;

use super::board::Step;
use super::{Core, blocking};
use crate::activity::ActivityKind;
use crate::clock::now_ms;
use crate::guest::{UploadState, limits};

/// One step.
pub(super) async fn step(core: Arc<Core>) -> anyhow::Result<Step> {
    let (now, eraser) = (now_ms(), core.clone());
    blocking(move || retire(&eraser, now)).await??;
    let (mut done, mut failed) = (0, None);
    for (id, upload) in core.guests.uploads() {
        if upload.state != UploadState::Here {
            continue;
        }
        // One that fails must not hold up the others.
        match taking::take_in(core.clone(), id, upload).await {
            Ok(()) => done += 1,
            Err(error) => failed = Some(error),
        }
    }
    let looker = core.clone();
    done += blocking(move || looking::look(&looker, now)).await??;
    match failed {
        Some(error) => Err(error),
        None => {
            let again_in = next_end(&core, now).into_iter().chain(core.guest_videos.next(now)).min();
            Ok(Step { done, again_in, ..Step::default() })
        }
    }
}

/// How long it is until the time of a page is over.
fn next_end(core: &Core, now: u64) -> Option<Duration> {
    let ends =
        core.guests.pages().into_iter().filter(|(_, page)| page.erased_at.is_none()).map(|(_, page)| page.erases_at());
    ends.map(|ends| Duration::from_millis(ends.saturating_sub(now))).min()
}

/// Erases what is due at this time, removes videos that no guest gets any more, and gives up uploads of which nothing came for a day.
pub(crate) fn retire(core: &Core, now: u64) -> anyhow::Result<()> {
    for (event, page) in core.guests.pages() {
        if page.is_due(now) {
            let erased = core.guests.erase(&event, now)?;
            note_erased(core, &event, erased.faces)?;
        }
    }
    for (id, upload) in core.guests.uploads() {
        let given_up = now.saturating_sub(upload.changed_at) > limits::COMING_LIFE_MS;
        if upload.state == UploadState::Coming && given_up {
            core.guests.drop_upload(&id)?;
        }
    }
    videos::drop_unused(core, now)
}

fn note_erased(core: &Core, event: &EventId, faces: usize) -> anyhow::Result<()> {
    let selfies = match faces {
        0 => "there were no selfies of theirs to erase".to_owned(),
        1 => "the one selfie of theirs was erased".to_owned(),
        many => format!("{many} selfies of theirs were erased"),
    };
    let text = format!(
        "The guest page of {} is over: {selfies}, and their private links lead nowhere.",
        core.events.name(event)
    );
    Ok(core.activity.note(ActivityKind::Consent, text, None, Some(event.to_string()))?)
}
