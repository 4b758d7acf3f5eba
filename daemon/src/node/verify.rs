//! Wishes about the soundness of the vault's files.

use super::{Answer, Node};
use crate::library::{AssetId, Origin, Part, StoredDamage};
use crate::views::{DamageView, VerifyView};
use crate::workers::{Core, Job, Verifying};

/// Most damaged assets that are named at once.
const MOST_NAMED: usize = 200;

impl Node {
    /// How the files are, and how far the look at them is.
    ///
    /// # Errors
    /// None at present.
    pub async fn verify(&self) -> Answer<VerifyView> {
        self.blocking(|core| Ok(view(core))).await
    }

    /// Reads every file, and mends what is damaged if that is wished.
    ///
    /// # Errors
    /// None at present.
    pub async fn run_verify(&self, repair: bool) -> Answer<VerifyView> {
        self.core.verify_state.wish(repair);
        self.core.board.ring(Job::Verify);
        self.verify().await
    }

    /// Breaks off what runs.
    ///
    /// # Errors
    /// None at present.
    pub async fn stop_verify(&self) -> Answer<VerifyView> {
        self.core.verify_state.stop();
        self.verify().await
    }
}

fn view(core: &Core) -> VerifyView {
    let last = core.verified.get();
    let running = core.verify_state.running();
    let (what, progress) = running.unzip();
    let progress = progress.unwrap_or_default();
    let mut damaged: Vec<DamageView> =
        core.damage.all().into_iter().filter_map(|(key, damage)| one(core, &key, &damage)).collect();
    let damaged_total = damaged.len() as u64;
    damaged.sort_by(|a, b| b.lost.cmp(&a.lost).then_with(|| a.file_name.cmp(&b.file_name)));
    damaged.truncate(MOST_NAMED);
    let what = what.map(|what| match what {
        Verifying::Salvage => "salvage",
        Verifying::Read => "read",
        Verifying::Mend => "mend",
    });
    VerifyView {
        running: what.map(str::to_owned),
        done_files: progress.files,
        of_files: progress.of,
        done_bytes: progress.bytes,
        last_at: last.last_at,
        files: last.files,
        bytes: last.bytes,
        mended: last.mended,
        damaged,
        damaged_total,
        problem: last.problem,
    }
}

fn one(core: &Core, key: &[u8], damage: &StoredDamage) -> Option<DamageView> {
    let id = AssetId(key.try_into().ok()?);
    let trashed = core.library.in_trash(id);
    let in_trash = trashed.is_some();
    let asset = trashed.or_else(|| core.library.get(id))?;
    let name = |part: Part| match part {
        Part::Original => "the file itself",
        Part::Film => "its moving part",
        Part::Grid => "the small picture",
        Part::Preview => "the large picture",
        Part::Copy => "the copy for browsers",
    };
    let what: Vec<String> = damage.parts.iter().map(|(part, why)| format!("{}: {why}", name(*part))).collect();
    let asked = match asset.origin {
        Origin::Received { event, from, .. } if !in_trash && core.wants_again(id) => {
            Some(core.events.nickname(&event, &from))
        }
        _ => None,
    };
    Some(DamageView {
        asset: id.to_string(),
        file_name: asset.file_name.clone(),
        what: what.join("; "),
        lost: damage.parts.iter().any(|(part, _)| part.is_precious()),
        asked,
        in_trash,
    })
}
