//! Files over which decoders stopped three times: what they are, and another try.

use super::library::asset_id;
use super::{Answer, Node, NodeError};
use crate::library::{AssetKind, FacesState};
use crate::live::What;
use crate::tasks::Stage;
use crate::vault::Batch;
use crate::views::QuarantinedView;
use crate::workers::{Job, again as files};

const READING: &str = "reading";
const FACES: &str = "faces";

impl Node {
    /// What is left alone, newest first.
    ///
    /// # Errors
    /// None at present.
    pub async fn quarantine(&self) -> Answer<Vec<QuarantinedView>> {
        let library = &self.core.library;
        let reading = library.quarantine().all().into_iter().filter_map(|(key, row)| {
            Some(QuarantinedView {
                id: format!("{}-{READING}", data_encoding::HEXLOWER.encode(&key)),
                work: READING.into(),
                file_name: row.file_name.clone(),
                size_bytes: row.size_bytes,
                // One that was deleted meanwhile is of no interest.
                asset: library.by_content(&row.content).filter(|id| library.get(*id).is_some())?.to_string(),
                reason: row.reason.clone(),
                at: row.at,
            })
        });
        let faces = library.without_faces().into_iter().filter_map(|(id, asset)| match &asset.faces {
            FacesState::Failed(reason) => Some(QuarantinedView {
                id: format!("{id}-{FACES}"),
                work: FACES.into(),
                file_name: asset.file_name.clone(),
                size_bytes: asset.size_bytes,
                asset: id.to_string(),
                reason: reason.clone(),
                at: asset.imported_at,
            }),
            _ => None,
        });
        let mut all: Vec<_> = reading.chain(faces).collect();
        all.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| a.id.cmp(&b.id)));
        Ok(all)
    }

    /// Tries a file again from the start: reads it as a picture, or looks for faces. One that fails three times more is in quarantine again.
    ///
    /// # Errors
    /// When it is not in quarantine, or cannot be read from the vault.
    pub async fn retry_quarantined(&self, id: String) -> Answer<Vec<QuarantinedView>> {
        const WHAT: &str = "file in quarantine";
        match id.rsplit_once('-') {
            Some((key, READING)) => {
                let key = data_encoding::HEXLOWER.decode(key.as_bytes()).map_err(|_| NodeError::NotFound(WHAT))?;
                let released = self.blocking(move |core| {
                    let row = core.library.quarantine().release(&key)?.ok_or(NodeError::NotFound(WHAT))?;
                    let asset = core.library.by_content(&row.content).ok_or(NodeError::NotFound(WHAT))?;
                    // Should the daemon stop before the look, the next start has it.
                    core.library.change(asset, Batch::default(), |asset| {
                        if let AssetKind::File { may_change, .. } = &mut asset.kind {
                            *may_change = true;
                        }
                    })?;
                    Ok(asset)
                });
                let asset = released.await?;
                self.core.tasks.spawn(Stage::Work, "another look", files::look_again(self.core.clone(), asset));
            }
            Some((asset, FACES)) => {
                let asset = asset_id(asset)?;
                let known = self.core.library.get(asset).ok_or(NodeError::NotFound("photo"))?;
                if !matches!(known.faces, FacesState::Failed(_)) {
                    return Err(NodeError::NotFound(WHAT));
                }
                self.blocking(move |core| {
                    core.library
                        .change(asset, Batch::default(), |asset| asset.faces = FacesState::Waiting { strikes: 0 })?;
                    Ok(())
                })
                .await?;
                self.core.board.ring(Job::Faces);
            }
            _ => return Err(NodeError::NotFound(WHAT)),
        }
        self.core.live.tell(What::Status, None);
        self.quarantine().await
    }
}
