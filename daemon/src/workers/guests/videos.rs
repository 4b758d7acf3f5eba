//! Videos as guests get them (D4): pictures and sound packed anew when the first guest asks, kept for a while for the next one, and never named by a row, so
//! that a start sweeps what an end left.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::clock::now_ms;
use crate::guest::limits::{VIDEO_BYTES, VIDEO_LIFE_MS};
use crate::library::{AssetId, GuestId};
use crate::sharing::ledgers::Rendition;
use crate::tasks::Stage;
use crate::vault::BlobId;
use crate::workers::{Core, Job, blocking, videos};

/// A video that was made ready.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ready {
    pub(crate) blob: BlobId,
    pub(crate) size_bytes: u64,
}

struct Kept {
    ready: Ready,
    used_at: u64,
    /// Guests of whom the activity says that they play it.
    told: HashSet<GuestId>,
}

/// What is kept of them.
#[derive(Default)]
pub struct GuestVideos {
    kept: Mutex<HashMap<AssetId, Kept>>,
    /// Held while one is made: many guests ask at once, and the machine is the host's.
    making: Arc<tokio::sync::Mutex<()>>,
}

impl GuestVideos {
    fn kept(&self) -> MutexGuard<'_, HashMap<AssetId, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One that is ready.
    fn get(&self, id: AssetId, now: u64) -> Option<Ready> {
        let mut kept = self.kept();
        let known = kept.get_mut(&id)?;
        known.used_at = now;
        Some(known.ready)
    }

    /// Keeps one; gives what has to make room for it.
    fn keep(&self, id: AssetId, ready: Ready, now: u64) -> Vec<BlobId> {
        let mut kept = self.kept();
        let before = kept.insert(id, Kept { ready, used_at: now, told: HashSet::new() });
        let mut gone: Vec<BlobId> = before.map(|before| before.ready.blob).into_iter().collect();
        let mut bytes: u64 = kept.values().map(|one| one.ready.size_bytes).sum();
        while bytes > VIDEO_BYTES {
            let others = kept.iter().filter(|(other, _)| **other != id);
            let Some(oldest) = others.min_by_key(|(_, one)| one.used_at).map(|(other, _)| *other) else { break };
            let Some(one) = kept.remove(&oldest) else { break };
            bytes = bytes.saturating_sub(one.ready.size_bytes);
            gone.push(one.ready.blob);
        }
        gone
    }

    /// Takes out those that nobody got for a while, and those that `stays` does not hold for.
    fn take_unused(&self, now: u64, stays: impl Fn(AssetId) -> bool) -> Vec<BlobId> {
        let mut gone = Vec::new();
        self.kept().retain(|id, one| {
            let keeps = now.saturating_sub(one.used_at) < VIDEO_LIFE_MS && stays(*id);
            if !keeps {
                gone.push(one.ready.blob);
            }
            keeps
        });
        gone
    }

    /// How long it is until the next one was unused for too long.
    pub(super) fn next(&self, now: u64) -> Option<Duration> {
        let left = |one: &Kept| one.used_at.saturating_add(VIDEO_LIFE_MS).saturating_sub(now);
        self.kept().values().map(|one| Duration::from_millis(left(one))).min()
    }

    /// Whether it is news that a guest plays one: a browser asks for it in many parts, and one entry says it.
    pub(crate) fn is_news(&self, id: AssetId, guest: GuestId) -> bool {
        self.kept().get(&id).is_none_or(|one| !one.told.contains(&guest))
    }

    /// The activity says so by now.
    pub(crate) fn was_told(&self, id: AssetId, guest: GuestId) {
        if let Some(one) = self.kept().get_mut(&id) {
            one.told.insert(guest);
        }
    }
}

/// A video for a guest, made now unless it is there; whether they may have it is asked before. An inner error says why it cannot be made.
pub(crate) async fn video(core: &Arc<Core>, id: AssetId) -> anyhow::Result<Result<Ready, String>> {
    if let Some(ready) = core.guest_videos.get(id, now_ms()) {
        return Ok(Ok(ready));
    }
    let one = core.guest_videos.making.clone().lock_owned().await;
    if let Some(ready) = core.guest_videos.get(id, now_ms()) {
        return Ok(Ok(ready));
    }
    let Some(asset) = core.library.get(id) else { return Ok(Err("it was deleted".into())) };
    if core.disk.room_for(asset.size_bytes.saturating_mul(2)).is_err() {
        return Ok(Err("the host's device has no room to make it ready at the moment".into()));
    }
    // A task of its own: a phone that goes away meanwhile leaves nothing half-done, and the next one finds it ready.
    let (tell, made) = oneshot::channel();
    let (worker, stop) = (core.clone(), core.tasks.stop_token(Stage::Work));
    core.tasks.spawn(Stage::Work, "video for guests", async move {
        let _one = one;
        if let Some(made) = stop.run_until_cancelled(make(&worker, id)).await {
            let _ = tell.send(made);
        }
    });
    made.await.unwrap_or_else(|_| Err(anyhow::anyhow!("making it was broken off")))
}

async fn make(core: &Arc<Core>, id: AssetId) -> anyhow::Result<Result<Ready, String>> {
    let Rendition { blob, size_bytes, .. } = match videos::rendition_for_guests(core, id).await? {
        Ok(rendition) => rendition,
        Err(reason) => return Ok(Err(reason)),
    };
    let ready = Ready { blob, size_bytes };
    let (core, gone) = (core.clone(), core.guest_videos.keep(id, ready, now_ms()));
    blocking(move || {
        forget(&core, gone)?;
        // It may have been deleted while it was made.
        drop_unused(&core, now_ms())?;
        core.board.ring(Job::Guests);
        anyhow::Ok(())
    })
    .await??;
    Ok(Ok(ready))
}

/// Removes what nobody got for a while, what was deleted, and everything when no page is open; blocking.
pub(super) fn drop_unused(core: &Core, now: u64) -> anyhow::Result<()> {
    let is_open = core.guests.any_open(now);
    let gone = core.guest_videos.take_unused(now, |id| is_open && core.library.get(id).is_some());
    forget(core, gone)
}

fn forget(core: &Core, gone: Vec<BlobId>) -> anyhow::Result<()> {
    for blob in gone {
        core.lists.forget(blob);
        core.vault.blobs().remove(blob)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(number: u8, size_bytes: u64) -> Ready {
        Ready { blob: BlobId([number; 16]), size_bytes }
    }

    #[test]
    fn d7_what_is_kept_has_a_bound_and_the_one_used_longest_ago_makes_room() {
        let videos = GuestVideos::default();
        let id = |number| AssetId([number; 16]);
        assert!(videos.keep(id(1), ready(1, VIDEO_BYTES / 2), 10).is_empty());
        assert!(videos.keep(id(2), ready(2, VIDEO_BYTES / 2), 20).is_empty());
        assert!(videos.get(id(1), 30).is_some());
        assert_eq!(videos.keep(id(3), ready(3, 1), 40), [BlobId([2; 16])]);
        // One that is larger than the bound stands alone.
        assert_eq!(videos.keep(id(4), ready(4, VIDEO_BYTES + 1), 50).len(), 2);
        assert!(videos.get(id(4), 60).is_some() && videos.get(id(1), 60).is_none());
    }

    #[test]
    fn what_nobody_gets_and_what_was_deleted_goes_and_playing_is_told_once() {
        let videos = GuestVideos::default();
        let (id, guest) = (AssetId([1; 16]), GuestId([7; 16]));
        assert!(videos.is_news(id, guest));
        videos.keep(id, ready(1, 5), 10);
        videos.was_told(id, guest);
        assert!(!videos.is_news(id, guest) && videos.is_news(id, GuestId([8; 16])));
        assert_eq!(videos.next(10), Some(Duration::from_millis(VIDEO_LIFE_MS)));
        assert!(videos.take_unused(9 + VIDEO_LIFE_MS, |_| true).is_empty());
        assert_eq!(videos.take_unused(11, |_| false), [BlobId([1; 16])]);
        videos.keep(id, ready(2, 5), 10);
        assert_eq!(videos.take_unused(10 + VIDEO_LIFE_MS, |_| true), [BlobId([2; 16])]);
        assert_eq!(videos.next(20), None);
    }
}
