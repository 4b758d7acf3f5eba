//! Files over which decoders stopped three times: what they are, and another try.

use super::library::asset_id;
use super::{Answer, Node, NodeError};
use crate::library::FacesState;
use crate::live::What;
use crate::vault::Batch;
use crate::views::QuarantinedView;
use crate::workers::Job;

const READING: &str = "reading";
const FACES: &str = "faces";

impl Node {
    /// What is left alone, newest first.
    ///
    /// # Errors
    /// None at present.
    pub async fn quarantine(&self) -> Answer<Vec<QuarantinedView>> {
        let reading = self.core.library.quarantine().all().into_iter().map(|(key, row)| QuarantinedView {
            id: format!("{}-{READING}", data_encoding::HEXLOWER.encode(&key)),
            work: READING.into(),
            file_name: row.file_name.clone(),
            size_bytes: row.size_bytes,
            path: row.path.clone(),
            asset: None,
            reason: row.reason.clone(),
            at: row.at,
            can_retry: row.path.is_some(),
        });
        let faces = self.core.library.all().into_iter().filter_map(|(id, asset)| match &asset.faces {
            FacesState::Failed(reason) => Some(QuarantinedView {
                id: format!("{id}-{FACES}"),
                work: FACES.into(),
                file_name: asset.file_name.clone(),
                size_bytes: asset.size_bytes,
                path: None,
                asset: Some(id.to_string()),
                reason: reason.clone(),
                at: asset.imported_at,
                can_retry: true,
            }),
            _ => None,
        });
        let mut all: Vec<_> = reading.chain(faces).collect();
        all.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| a.id.cmp(&b.id)));
        Ok(all)
    }

    /// Tries a file again from the start: reads it from where it lay, or looks for faces again. An upload is only released; it must be added again.
    ///
    /// # Errors
    /// When it is not in quarantine, or its file cannot be read any more; it stays in quarantine then.
    pub async fn retry_quarantined(&self, id: String) -> Answer<Vec<QuarantinedView>> {
        const WHAT: &str = "file in quarantine";
        match id.rsplit_once('-') {
            Some((key, READING)) => {
                let key = data_encoding::HEXLOWER.decode(key.as_bytes()).map_err(|_| NodeError::NotFound(WHAT))?;
                let known = self.core.library.quarantine().all();
                let (_, row) = known.into_iter().find(|(other, _)| *other == key).ok_or(NodeError::NotFound(WHAT))?;
                if let Some(path) = &row.path {
                    self.own_path(path.clone()).await?;
                }
                self.blocking(move |core| {
                    core.library.quarantine().release(&key)?.ok_or(NodeError::NotFound(WHAT))?;
                    Ok(())
                })
                .await?;
                if let Some(path) = &row.path {
                    self.import_path(path.clone()).await?;
                }
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
