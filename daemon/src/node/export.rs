//! Wishes about the export.

use std::path::Path;

use super::{Answer, Node, NodeError};
use crate::activity::ActivityKind;
use crate::library::ExportError;
use crate::live::What;
use crate::settings::ExportPlan;
use crate::views::{ExportResultView, ExportView, NotExportedView};
use crate::workers::export;

impl Node {
    /// The export that runs or ran last.
    ///
    /// # Errors
    /// None at present.
    pub async fn export(&self) -> Answer<ExportView> {
        let plan = self.core.export.get();
        let progress = self.core.export_state.progress().unwrap_or_default();
        let damaged = |(file_name, reason)| NotExportedView { file_name, reason };
        Ok(ExportView {
            folder: plan.folder,
            running: plan.wished || self.core.export_state.progress().is_some(),
            done_files: progress.files,
            of_files: progress.of,
            done_bytes: progress.bytes,
            problem: plan.problem,
            result: plan.result.map(|result| ExportResultView {
                at: result.at,
                files: result.files,
                bytes: result.bytes,
                new_files: result.new_files,
                damaged: result.damaged.into_iter().map(damaged).collect(),
                damaged_count: result.damaged_count,
            }),
        })
    }

    /// Begins to export the library into a folder, which is tried out at once; goes on in the background, over a restart too.
    ///
    /// # Errors
    /// When one runs, or the folder cannot take it.
    pub async fn begin_export(&self, folder: String) -> Answer<ExportView> {
        if self.export().await?.running {
            return Err(NodeError::Conflict(
                "export-running",
                "an export is under way: wait for its end, or stop it first".into(),
            ));
        }
        let folder = self.own_path(folder).await?;
        self.blocking(move |core| {
            let root = core.library.begin_export(&folder).map_err(refused)?;
            let files = core.library.timeline(|timeline| timeline.len());
            let plain = export::counted(files as u64, "photo, video or file goes", "photos, videos and files go");
            // Before a byte leaves the vault (D4).
            let text = format!("An export begins: plain copies of {plain} to {}.", root.display());
            core.activity.note(ActivityKind::Left, text, None, None)?;
            let folder = folder_name(&folder)?;
            core.export.change(|plan| {
                *plan = ExportPlan { folder: Some(folder), wished: true, result: None, problem: None };
            })?;
            core.live.tell(What::Status, None);
            export::ring(core);
            Ok(())
        })
        .await?;
        self.export().await
    }

    /// Breaks off the one that runs; what was written is used the next time.
    ///
    /// # Errors
    /// When the vault fails.
    pub async fn stop_export(&self) -> Answer<ExportView> {
        self.blocking(|core| {
            if core.export.get().wished {
                core.export.change(|plan| plan.wished = false)?;
                core.export_state.stop();
            }
            core.live.tell(What::Status, None);
            Ok(())
        })
        .await?;
        self.export().await
    }
}

fn folder_name(folder: &Path) -> Answer<String> {
    let text = folder.to_str().map(str::to_owned);
    text.ok_or_else(|| NodeError::Invalid("export-folder", "the name of this folder is no text; rename it".into()))
}

fn refused(error: ExportError) -> NodeError {
    match error {
        ExportError::NoRoom(..) | ExportError::Full(_) => NodeError::NoRoom(error.to_string()),
        ExportError::Busy(_) => NodeError::Conflict("export-running", error.to_string()),
        error => NodeError::Invalid("export-folder", error.to_string()),
    }
}
