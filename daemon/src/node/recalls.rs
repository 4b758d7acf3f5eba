//! Asking back photos that were sent, and deciding on those that others ask back.

use inframe_protocol::OfferId;

use super::sharing::short_id;
use super::{Answer, Node, NodeError};
use crate::live::What;
use crate::sharing::recalls::{RecallState, StoredRecall};
use crate::tasks::Stage;
use crate::views::{RecallView, TransferView};
use crate::workers::{Core, recalls};

impl Node {
    /// Asks the receiver of a photo to delete it.
    ///
    /// # Errors
    /// When there is no such transfer, or nothing was delivered by it.
    pub async fn recall(&self, transfer: String) -> Answer<TransferView> {
        let offer = OfferId(short_id(&transfer, "transfer")?);
        let was_delivered = self.blocking(move |core| Ok(recalls::begin(core, &offer)?)).await?;
        if !was_delivered {
            return Err(NodeError::Conflict(
                "not-delivered",
                "only a photo that somebody has from you can be asked back".into(),
            ));
        }
        let core = self.core.clone();
        self.core.tasks.spawn(Stage::Work, "recall", async move { recalls::ask(&core).await });
        self.transfer(offer)
    }

    /// Photos that others ask this node to delete, and that wait for the owner's answer; oldest first.
    ///
    /// # Errors
    /// None at present.
    pub async fn asked_back(&self) -> Answer<Vec<RecallView>> {
        let rows = self.core.asked_back.all().into_iter();
        let open = rows.filter(|(_, row)| row.state == RecallState::Open);
        let mut views: Vec<RecallView> = open.filter_map(|(key, row)| view(&self.core, key, &row)).collect();
        views.sort_by(|a, b| a.at.cmp(&b.at).then_with(|| a.id.cmp(&b.id)));
        Ok(views)
    }

    /// Deletes a photo that somebody asks back for good, or keeps it, and tells them.
    ///
    /// # Errors
    /// When nobody asks it back, it was answered already, or it cannot be deleted.
    pub async fn answer_recall(&self, id: String, delete: bool) -> Answer<Vec<RecallView>> {
        let offer = OfferId(short_id(&id, "request")?);
        let row = self.core.asked_back.get(&offer.0).ok_or(NodeError::NotFound("request"))?;
        if row.state != RecallState::Open {
            return Err(NodeError::Conflict("answered", "this was answered already".into()));
        }
        self.blocking(move |core| {
            recalls::decide(core, &offer, &row, delete)
                .map_err(|error| NodeError::Conflict("not-deleted", format!("{error:#}")))
        })
        .await?;
        self.core.live.tell(What::Approvals, None);
        self.core.live.tell(What::Status, None);
        let core = self.core.clone();
        self.core.tasks.spawn(Stage::Work, "answering a recall", async move { recalls::tell(&core, offer).await });
        self.asked_back().await
    }
}

fn view(core: &Core, key: Vec<u8>, row: &StoredRecall) -> Option<RecallView> {
    let offer = OfferId(key.try_into().ok()?);
    // What lies in the trash is shown by nothing but its name there; the request stands all the same.
    let asset = core.library.get(row.asset).map(|_| row.asset.to_string());
    Some(RecallView {
        id: offer.to_string(),
        event: row.event.to_string(),
        event_name: core.events.name(&row.event),
        nickname: core.events.nickname(&row.event, &row.member),
        asset,
        at: row.at,
    })
}
