//! What would be lost if everything were erased, and the farewell before it is.

use super::{Answer, Node};
use crate::clock::now_ms;
use crate::vault::{Keys, SlotKind};
use crate::views::ErasureView;
use crate::workers::{events as events_worker, farewells};

impl Node {
    /// What erasing everything would destroy.
    ///
    /// # Errors
    /// When the key slots cannot be read.
    pub async fn erasure(&self) -> Answer<ErasureView> {
        let place = self.place.clone();
        self.blocking(move |core| {
            let (photos, photo_bytes) = core.library.totals();
            let (in_trash, trash_bytes) = core.library.trash_totals();
            let events = core.events.describe_all(now_ms());
            let selfies: usize = core.profile.ids().iter().map(|one| core.profile.selfies(*one).len()).sum();
            let slots = Keys::slots(&place.dir).map_err(crate::vault::VaultError::from)?;
            let key_file = slots.contains(&SlotKind::KeyFile).then(|| place.key_file.path().display().to_string());
            Ok(ErasureView {
                photos,
                photo_bytes,
                in_trash,
                trash_bytes,
                people: core.people.read(|grouping| grouping.people().len()) as u64,
                events: events.len() as u64,
                hosted: events.iter().filter(|event| event.role.word() == "host").count() as u64,
                selfies: selfies as u64,
                key_file,
                backup_folder: core.backup.get().folder,
            })
        })
        .await
    }

    /// Leaves every event, so that the others erase this node's faces, and tells those who are reachable now. May take as long as they
    /// do: the caller has a limit.
    pub async fn take_leave(&self) {
        let withdrawn = self.blocking(|core| {
            for event in core.events.ids() {
                if let Err(error) = core.events.leave(&event) {
                    tracing::warn!("an event could not be left; its find-mes end by themselves within a day: {error}");
                }
            }
            Ok(())
        });
        if withdrawn.await.is_ok() {
            events_worker::tell_others(&self.core).await;
            farewells::say(&self.core).await;
        }
    }
}
