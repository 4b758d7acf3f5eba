//! What several members offer: fetched once, from whoever is there, and gone on with from another one when that one goes.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;

use inframe_protocol::limits::GROUP_BYTES;
use inframe_protocol::offer::ReceiptState;
use inframe_protocol::{ContentId, OfferId};

use crate::library::AssetId;
use crate::network::Protocol;
use crate::sharing::ledgers::{ArrivalState, StoredArrival};
use crate::transfer::{self, GroupSink, TransferLimits, Wanted};
use crate::vault::BlobId;
use crate::workers::{Core, blocking};

/// Contents that are here and not in the library yet.
pub(super) fn being_taken_in(core: &Core) -> HashSet<ContentId> {
    let all = core.arrivals.all().into_iter();
    all.filter(|(_, row)| matches!(row.state, ArrivalState::Stored(_))).map(|(_, row)| row.content).collect()
}

/// What another member of whom the same is expected has sent of it, unless this one has sent something already.
pub(super) async fn begun_by_another(
    core: &Arc<Core>,
    offer: OfferId,
    row: &StoredArrival,
) -> anyhow::Result<Option<BlobId>> {
    let is_open = |row: &StoredArrival| row.state == ArrivalState::Accepted;
    let mut others = core.same_arrivals(offer, row).filter(|(_, other)| is_open(other)).peekable();
    if others.peek().is_none() {
        return Ok(None);
    }
    let others: Vec<OfferId> = others.map(|(id, _)| id).filter(|id| core.sealed.get(&id.0).is_none()).collect();
    let reader = core.clone();
    blocking(move || {
        let begun: HashSet<BlobId> = reader.vault.blobs().list_incoming()?.into_iter().collect();
        let of_others = others.into_iter().map(|id| BlobId(id.0));
        let own = begun.contains(&BlobId(offer.0));
        Ok(of_others.into_iter().find(|blob| !own && begun.contains(blob)))
    })
    .await?
}

/// Whether what this one has begun another one has ended: then it is no longer its to be thrown away. Who goes on with it only now cannot be, as of
/// one content one transfer runs.
pub(super) fn was_ended_by_another(core: &Core, offer: OfferId, blob: BlobId) -> bool {
    let Some(row) = core.arrivals.get(&offer.0) else { return false };
    let library = &core.library;
    let kept = library.by_content(&row.content).and_then(|id| library.get(id).or_else(|| library.in_trash(id)));
    kept.is_some_and(|asset| asset.original == blob)
        || core.same_arrivals(offer, &row).any(|(_, other)| other.state == ArrivalState::Stored(blob))
}

/// It is in the library, from somebody else: this one is told that it is not needed any more.
pub(super) async fn came_otherwise(
    core: &Arc<Core>,
    offer: OfferId,
    row: &StoredArrival,
    id: AssetId,
    tell: bool,
) -> anyhow::Result<()> {
    super::set(core, offer, ArrivalState::Done(id), None).await?;
    let cleaner = core.clone();
    blocking(move || {
        // Its own part, if it had sent one; while somebody else goes on with that it is in use, and stays.
        let _ = cleaner.vault.blobs().discard_incoming(BlobId(offer.0));
    })
    .await?;
    if tell && let Err(error) = say_have(core, offer, row).await {
        // They offer it again, and hear it then.
        tracing::debug!("a receipt did not get through to them: {error:#}");
    }
    Ok(())
}

/// Asks for what comes after the last group, which is nothing, and confirms it.
async fn say_have(core: &Core, offer: OfferId, row: &StoredArrival) -> anyhow::Result<()> {
    let wanted = Wanted { offer, content: row.content, size_bytes: row.size_bytes };
    let stream = core.network.open(&row.node, Protocol::Fetch).await?;
    let all = All(row.size_bytes.div_ceil(GROUP_BYTES));
    let fetched = transfer::fetch(stream, wanted, all, &TransferLimits::at(core.down.clone()), |_| {}).await?;
    Ok(fetched.confirmation.confirm(ReceiptState::Delivered).await?)
}

/// Has all groups.
struct All(u64);

impl GroupSink for All {
    fn have(&self) -> u64 {
        self.0
    }

    fn append(&mut self, _: u64, _: &mut Vec<u8>) -> io::Result<()> {
        Err(io::Error::other("nothing more is needed"))
    }
}
