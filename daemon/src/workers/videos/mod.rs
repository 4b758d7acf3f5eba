//! The three workers for videos: one looks at new ones, one makes copies that browsers play, one finds faces. Side by side, because a copy may take
//! an hour and a new video should be seen at once. None keeps anything half-done: what is broken off is begun again.

mod copies;
mod faces;
mod looks;
mod rendition;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub(super) use copies::step as copies;
pub(super) use faces::step as faces;
pub(super) use looks::step as looks;
pub(crate) use rendition::MEDIA_TYPE;
pub(super) use rendition::{rendition, rendition_for_guests};

use super::board::Step;
use super::{Core, Job, blocking};
use crate::library::{AssetId, AssetKind, STRIKES, Sort, StoredAsset};
use crate::live::What;
use crate::video::{Input, VideoError};

/// While the tools are missing and something waits for them, they are looked for this often.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// How far the work on videos has got; lost at a restart, when the work is begun again.
#[derive(Default)]
pub struct VideoProgress {
    done: Mutex<HashMap<(AssetId, Job), u8>>,
}

impl VideoProgress {
    /// Per cent done of what a worker does with a video now.
    #[must_use]
    pub fn of(&self, asset: AssetId, job: Job) -> Option<u8> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner).get(&(asset, job)).copied()
    }

    /// Notes it; whether that changes what is shown.
    fn set(&self, asset: AssetId, job: Job, percent: u8) -> bool {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        done.insert((asset, job), percent) != Some(percent)
    }
}

/// One piece of work on a video that is under way; its progress is forgotten at its end, however it ends.
struct Working {
    core: Arc<Core>,
    asset: AssetId,
    job: Job,
    duration_ms: u64,
}

impl Working {
    fn begin(core: &Arc<Core>, asset: AssetId, job: Job, duration_ms: u64) -> Self {
        let working = Self { core: core.clone(), asset, job, duration_ms };
        working.at(0);
        working
    }

    /// The work has got to this time of the video.
    fn at(&self, done_ms: u64) {
        let percent = done_ms.saturating_mul(100).checked_div(self.duration_ms).unwrap_or(0).min(99);
        if self.core.video_progress.set(self.asset, self.job, u8::try_from(percent).unwrap_or(99)) {
            self.core.live.tell(What::Asset, Some(self.asset.to_string()));
        }
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        let progress = &self.core.video_progress;
        progress.done.lock().unwrap_or_else(PoisonError::into_inner).remove(&(self.asset, self.job));
        self.core.live.tell(What::Asset, Some(self.asset.to_string()));
    }
}

/// Videos for which `wanted` holds, newest first.
fn waiting(core: &Core, wanted: impl Fn(&StoredAsset) -> bool) -> Vec<(AssetId, Arc<StoredAsset>)> {
    let mut waiting = core.library.select(Sort::Video, wanted);
    waiting.sort_unstable_by_key(|(id, asset)| (std::cmp::Reverse(asset.imported_at), *id));
    waiting
}

/// The next of `waiting`, if it may be worked on and the tools are there; otherwise the step that says how many wait.
fn next(core: &Core, job: Job, waiting: Vec<(AssetId, Arc<StoredAsset>)>) -> Result<(AssetId, Arc<StoredAsset>), Step> {
    let pending = waiting.len() as u64;
    let Some(first) = waiting.into_iter().next() else { return Err(Step::default()) };
    if core.background.get().paused {
        return Err(Step { done: 0, pending, again_in: None });
    }
    if !core.videos.are_there() {
        return Err(Step { done: 0, pending, again_in: Some(LOOK_AGAIN) });
    }
    if pending > 1 {
        core.board.ring(job);
    }
    Ok(first)
}

/// A video as it is piped; `None` when it was deleted meanwhile.
async fn input(core: &Arc<Core>, id: AssetId) -> anyhow::Result<Option<Result<Input, VideoError>>> {
    let reader = core.clone();
    Ok(blocking(move || reader.library.video_input(id)).await?.ok())
}

/// The length that a video states; of one that states none, what was measured.
fn duration_ms(asset: &StoredAsset) -> u64 {
    if let AssetKind::Video { duration_ms, .. } = asset.kind { duration_ms } else { 0 }
}
