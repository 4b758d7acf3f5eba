//! The verify worker: takes in again what the catalog has lost, reads every file when the owner wishes it, and mends what can be mended: from the backup,
//! from the original, or from whoever sent it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, PoisonError};

use inframe_protocol::fetch::{FetchReply, FetchRequest};

use super::board::Step;
use super::going::{Going, errand};
use super::{Core, Job, blocking};
use crate::activity::ActivityKind;
use crate::clock::now_ms;
use crate::library::{AssetId, Broken, LibraryError, Origin, Part, Salvaged, Scan, StoredDamage};
use crate::limits::ASKED_AGAIN;
use crate::live::What;
use crate::network::Protocol;
use crate::transfer;
use crate::vault::backup::{Backup, BackupError, Progress};
use crate::vault::{BlobError, BlobId, VaultError};

const READ: u8 = 1;
const REPAIR: u8 = 2;

/// What the owner wished for, and how far it is.
#[derive(Default)]
pub struct VerifyState {
    wished: AtomicU8,
    going: Going<Verifying>,
}

/// What runs now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verifying {
    /// Taking in what no row names.
    Salvage,
    /// Reading every file.
    Read,
    /// Mending.
    Mend,
}

impl VerifyState {
    /// Has the worker read every file at its next step, and mend what is damaged if that is wished.
    pub fn wish(&self, repair: bool) {
        self.wished.fetch_max(if repair { REPAIR } else { READ }, Ordering::Relaxed);
    }

    /// Breaks off what runs, and forgets what was wished for.
    pub fn stop(&self) {
        self.wished.store(0, Ordering::Relaxed);
        self.going.stop();
    }

    /// What runs now, and how far it is; what was wished for counts as running.
    #[must_use]
    pub fn running(&self) -> Option<(Verifying, Progress)> {
        let wished = self.wished.load(Ordering::Relaxed) > 0;
        self.going.running().or_else(|| wished.then(|| (Verifying::Read, Progress::default())))
    }
}

/// One step.
pub(super) async fn step(core: Arc<Core>) -> anyhow::Result<Step> {
    let mut done = salvage(&core).await?;
    let wished = core.verify_state.wished.load(Ordering::Relaxed);
    if wished > 0 {
        let scanned =
            errand(&core, |core| &core.verify_state.going, Verifying::Read, |core, tell| core.library.scan(tell));
        match scanned.await? {
            Ok(Some(scan)) => {
                done += 1;
                settle(&core, scan, wished == REPAIR).await?;
            }
            Ok(None) => {}
            Err(error) => {
                let (core, words) = (core.clone(), error.to_string());
                blocking(move || core.verified.change(|verified| verified.problem = Some(words))).await??;
            }
        }
        // Only now, so that whoever waits for the end sees what came of it. More may have been wished for meanwhile.
        let over = core.verify_state.wished.compare_exchange(wished, 0, Ordering::Relaxed, Ordering::Relaxed);
        if over.is_err_and(|now| now > 0) {
            core.board.ring(Job::Verify);
        }
        core.live.tell(What::Status, None);
    }
    let waiting = ask_senders(&core).await?;
    Ok(Step { done, pending: waiting, again_in: (waiting > 0).then_some(ASKED_AGAIN) })
}

/// Mends what can be, and keeps the rest in mind.
async fn settle(core: &Arc<Core>, mut scan: Scan, repair: bool) -> anyhow::Result<()> {
    let found = scan.broken.len() as u64;
    // Originals first: pictures are made from them.
    scan.broken.sort_by_key(|broken| broken.part);
    let mut left = Vec::new();
    if repair && found > 0 {
        core.verify_state.going.set(Some(Verifying::Mend));
        for (number, broken) in scan.broken.into_iter().enumerate() {
            core.verify_state.going.tell(Progress { files: number as u64, of: found, bytes: 0 });
            core.live.tell(What::Status, None);
            match mend(core, &broken).await {
                Ok(true) => {}
                Ok(false) => left.push(broken),
                Err(error) => {
                    tracing::warn!("a damaged file could not be mended yet: {error:#}");
                    left.push(broken);
                }
            }
        }
        core.verify_state.going.set(None);
        for job in [Job::Videos, Job::Copies, Job::Faces] {
            core.board.ring(job);
        }
    } else {
        left = scan.broken;
    }
    let core = core.clone();
    blocking(move || {
        let mended = found - left.len() as u64;
        remember(&core, &left, repair)?;
        if found > 0 {
            let text = format!("Reading every file of the vault found {found} that are damaged or missing; {mended} of them were mended.");
            core.activity.note(ActivityKind::Suspicious, text, None, None)?;
        }
        core.verified.change(|verified| {
            (verified.last_at, verified.files, verified.bytes) = (Some(now_ms()), scan.files, scan.bytes);
            (verified.mended, verified.problem) = (mended, None);
        })?;
        tracing::info!(files = scan.files, found, mended, "every file was read");
        anyhow::Ok(())
    })
    .await?
}

/// Keeps in the catalog what is left damaged, and forgets what no longer is.
fn remember(core: &Core, left: &[Broken], wanted: bool) -> anyhow::Result<()> {
    let still = |key: &[u8]| left.iter().any(|broken| broken.asset.0 == *key);
    let over: Vec<_> = core.damage.all().into_iter().map(|(key, _)| key).filter(|key| !still(key)).collect();
    core.damage.remove(&over)?;
    let mut assets: Vec<AssetId> = left.iter().map(|broken| broken.asset).collect();
    assets.sort_unstable();
    assets.dedup();
    for asset in assets {
        let of_it = left.iter().filter(|broken| broken.asset == asset);
        let parts = of_it.map(|broken| (broken.part, broken.why.clone())).collect();
        let before = core.damage.get(&asset.0);
        let at = before.as_ref().map_or_else(now_ms, |before| before.at);
        let wanted = wanted || before.is_some_and(|before| before.wanted);
        core.damage.put(&asset.0, StoredDamage { parts, at, wanted })?;
    }
    Ok(())
}

/// Whether it could be mended here.
async fn mend(core: &Arc<Core>, broken: &Broken) -> anyhow::Result<bool> {
    let (worker, wanted) = (core.clone(), broken.clone());
    if blocking(move || from_backup(&worker, &wanted)).await?? {
        return Ok(true);
    }
    Ok(core.library.make_again(broken).await?)
}

fn from_backup(core: &Core, broken: &Broken) -> anyhow::Result<bool> {
    let Some(copy) = copy_in_backup(core, broken.blob)? else { return Ok(false) };
    if !core.vault.blobs().bring_back(broken.blob, &copy)? || core.library.is_broken(broken)? {
        return Ok(false);
    }
    if broken.part == Part::Original {
        core.library.put_original(broken.asset, broken.blob)?;
    }
    Ok(true)
}

/// Where the backup has a blob, if there is one and it is connected.
fn copy_in_backup(core: &Core, blob: BlobId) -> Result<Option<PathBuf>, BackupError> {
    let Some(folder) = core.backup.get().folder else { return Ok(None) };
    match Backup::open(&core.vault, &PathBuf::from(folder)) {
        Ok(backup) => Ok(Some(backup.path_of(blob))),
        Err(BackupError::Away(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Takes in the originals that no row names, after the catalog has lost rows; how many.
async fn salvage(core: &Arc<Core>) -> anyhow::Result<u64> {
    let unnamed = core.unnamed.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let Some(unnamed) = unnamed else { return Ok(0) };
    let of = unnamed.len() as u64;
    core.verify_state.going.set(Some(Verifying::Salvage));
    let (mut back, mut lost, mut films) = (0_u64, 0_u64, Vec::new());
    for (number, id) in unnamed.into_iter().enumerate() {
        core.verify_state.going.tell(Progress { files: number as u64, of, bytes: 0 });
        core.live.tell(What::Status, None);
        match one(core, id).await? {
            Some(Salvaged::Back(_)) => back += 1,
            Some(Salvaged::FilmOf(_)) => films.push(id),
            Some(Salvaged::Film(_) | Salvaged::Duplicate | Salvaged::Other) => {}
            None => lost += 1,
        }
    }
    // Now that every photo is there that comes back.
    for id in films {
        if let Salvaged::FilmOf(_) = core.library.salvage(id).await? {
            let library = core.library.clone();
            blocking(move || library.film_alone(id)).await??;
            back += 1;
        }
    }
    core.verify_state.going.set(None);
    let worker = core.clone();
    blocking(move || {
        let mut text =
            format!("The catalog had lost records: {back} photos and files were found again and are in the library");
        if lost > 0 {
            text.push_str(&format!("; {lost} files cannot be read and were set aside in the data folder"));
        }
        worker.activity.note(ActivityKind::Suspicious, format!("{text}."), None, None)?;
        worker.vault.is_complete_again()?;
        *worker.unnamed.lock().unwrap_or_else(PoisonError::into_inner) = None;
        anyhow::Ok(())
    })
    .await??;
    for job in [Job::Faces, Job::Videos, Job::Copies, Job::VideoFaces] {
        core.board.ring(job);
    }
    core.live.tell(What::Status, None);
    Ok(back)
}

/// One blob that no row names; `None` if it cannot be read, here or in the backup.
async fn one(core: &Arc<Core>, id: BlobId) -> anyhow::Result<Option<Salvaged>> {
    let damaged = match core.library.salvage(id).await {
        Err(LibraryError::Vault(VaultError::Blob(error))) => error,
        other => return Ok(Some(other?)),
    };
    let worker = core.clone();
    let brought = blocking(move || -> anyhow::Result<Option<bool>> {
        let blobs = worker.vault.blobs();
        match damaged {
            // Its removal was cut short.
            BlobError::Removed { .. } => blobs.remove(id).map(|_| None),
            BlobError::NotFound { .. } => Ok(None),
            error if error.is_damage() => match copy_in_backup(&worker, id)? {
                Some(copy) if blobs.bring_back(id, &copy)? => return Ok(Some(true)),
                _ => blobs.set_aside(id).map(|()| Some(false)),
            },
            error => Err(error),
        }
        .map_err(anyhow::Error::from)
    })
    .await??;
    Ok(match brought {
        Some(true) => Some(core.library.salvage(id).await?),
        Some(false) => None,
        None => Some(Salvaged::Other),
    })
}

/// Asks for received originals again that are damaged here; how many still wait.
async fn ask_senders(core: &Arc<Core>) -> anyhow::Result<u64> {
    let mut waiting = 0;
    for (key, damage) in core.damage.all() {
        let Ok(id) = <[u8; 16]>::try_from(key.as_slice()).map(AssetId) else { continue };
        let is_wanted = damage.wanted && damage.parts.iter().any(|(part, _)| *part == Part::Original);
        let Some(asset) = core.library.get(id).filter(|_| is_wanted) else { continue };
        let Origin::Received { event, from, offer, .. } = asset.origin else { continue };
        waiting += 1;
        let Some(node) = core.events.member_node(&event, &from) else { continue };
        if !core.network.is_connected(&node) {
            continue;
        }
        let question = FetchRequest { offer, content: asset.content, from_group: 0 };
        // They answer that there is nothing to fetch, and offer it again if they still have it and may.
        let asked: Result<FetchReply, _> = transfer::ask(&core.network, &node, Protocol::Fetch, &question).await;
        if let Err(error) = asked {
            tracing::debug!("a sender could not be asked for a photo again: {error}");
        }
    }
    Ok(waiting)
}
