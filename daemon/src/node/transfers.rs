//! Transfers in both directions, as pages and the command line see them.

use std::cmp::Reverse;
use std::sync::Arc;

use inframe_protocol::{EventId, NodeId, OfferId};

use super::sharing::short_id;
use super::{Answer, Node, NodeError};
use crate::clock::now_ms;
use crate::sharing::ledgers::{ArrivalState, DeliveryState, StoredArrival, StoredDelivery};
use crate::views::TransferView;
use crate::workers::{Core, Job};

/// What comes of it when the other side is back.
const GOES_OUT: &str = "it goes out when they are back";
const GOES_ON: &str = "it goes on when they are back";

impl Node {
    /// Transfers: those under way, those that failed, those that wait, and then all others, each kind with its latest change first. At most `limit`
    /// of them, from the one after `after` on.
    ///
    /// # Errors
    /// When `after` is the id of none.
    pub async fn transfers(&self, after: Option<String>, limit: usize) -> Answer<Vec<TransferView>> {
        let core = &self.core;
        let after = after.map(|id| short_id(&id, "transfer")).transpose()?;
        let rows = rows(core);
        let begin = match after {
            Some(key) => rows.iter().position(|row| row.id.0 == key).ok_or(NodeError::NotFound("transfer"))? + 1,
            None => 0,
        };
        Ok(rows.iter().skip(begin).take(limit).map(|row| row.view(core)).collect())
    }

    /// Tries a transfer again.
    ///
    /// # Errors
    /// When there is none with that id, or it needs no other try.
    pub async fn retry_transfer(&self, id: String) -> Answer<TransferView> {
        let key = short_id(&id, "transfer")?;
        self.blocking(move |core| {
            if core.deliveries.get(&key).is_none() && core.arrivals.get(&key).is_none() {
                return Err(NodeError::NotFound("transfer"));
            }
            core.deliveries.change(&key, |row| {
                let again = matches!(row.state, DeliveryState::Failed | DeliveryState::Declined);
                if again {
                    row.state = DeliveryState::Pending;
                    row.reason = None;
                    row.changed_at = now_ms();
                }
                again
            })?;
            core.arrivals.change(&key, |row| {
                let again = row.state == ArrivalState::Failed;
                if again {
                    row.state = ArrivalState::Accepted;
                    row.reason = None;
                    row.changed_at = now_ms();
                }
                again
            })?;
            Ok(())
        })
        .await?;
        self.core.tell_transfer(&OfferId(key));
        self.core.offers.hurry();
        self.core.fetches.hurry();
        self.core.board.ring(Job::Sending);
        self.core.board.ring(Job::Receiving);
        self.transfer(OfferId(key))
    }

    /// One transfer.
    pub(super) fn transfer(&self, id: OfferId) -> Answer<TransferView> {
        let found = rows(&self.core).into_iter().find(|row| row.id == id);
        Ok(found.ok_or(NodeError::NotFound("transfer"))?.view(&self.core))
    }
}

/// How far a transfer is; in the order in which pages show them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Active,
    Failed,
    Waiting,
    Delivered,
    Declined,
    Cancelled,
}

impl State {
    fn of_delivery(core: &Core, id: &OfferId, row: &StoredDelivery) -> Self {
        match row.state {
            DeliveryState::Pending | DeliveryState::Accepted if core.progress.of(id).is_some() => Self::Active,
            DeliveryState::Pending | DeliveryState::Accepted => Self::Waiting,
            DeliveryState::Delivered => Self::Delivered,
            DeliveryState::Declined => Self::Declined,
            DeliveryState::Failed => Self::Failed,
            DeliveryState::Cancelled => Self::Cancelled,
        }
    }

    fn of_arrival(core: &Core, id: &OfferId, row: &StoredArrival) -> Self {
        match row.state {
            ArrivalState::Accepted if core.progress.of(id).is_none() => Self::Waiting,
            ArrivalState::Accepted | ArrivalState::Stored(_) => Self::Active,
            ArrivalState::Done(_) => Self::Delivered,
            ArrivalState::Failed => Self::Failed,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Failed => "failed",
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::Declined => "declined",
            Self::Cancelled => "cancelled",
        }
    }

    /// Those that are over are one kind.
    fn rank(self) -> Self {
        self.min(Self::Delivered)
    }
}

enum Stored {
    Delivery(Arc<StoredDelivery>),
    Arrival(Arc<StoredArrival>),
}

struct Row {
    id: OfferId,
    state: State,
    changed_at: u64,
    stored: Stored,
}

impl Row {
    fn view(&self, core: &Core) -> TransferView {
        match &self.stored {
            Stored::Delivery(row) => sending_view(core, self.id, row, self.state),
            Stored::Arrival(row) => receiving_view(core, self.id, row, self.state),
        }
    }
}

/// All of them, in the order of the pages.
fn rows(core: &Core) -> Vec<Row> {
    let id = |key: Vec<u8>| <[u8; 16]>::try_from(key).ok().map(OfferId);
    let mut rows: Vec<Row> = Vec::new();
    for (id, row) in core.deliveries.all().into_iter().filter_map(|(key, row)| Some((id(key)?, row))) {
        let (state, changed_at) = (State::of_delivery(core, &id, &row), row.changed_at);
        rows.push(Row { id, state, changed_at, stored: Stored::Delivery(row) });
    }
    for (id, row) in core.arrivals.all().into_iter().filter_map(|(key, row)| Some((id(key)?, row))) {
        let (state, changed_at) = (State::of_arrival(core, &id, &row), row.changed_at);
        rows.push(Row { id, state, changed_at, stored: Stored::Arrival(row) });
    }
    rows.sort_by_key(|row| (row.state.rank(), Reverse(row.changed_at), row.id));
    rows
}

/// Why it waits, if it is not for its turn.
fn waits_for(core: &Core, node: Option<&NodeId>, when_back: &str) -> Option<String> {
    let away = || format!("they are away; {when_back}");
    let is_away = node.is_none_or(|node| !core.network.is_connected(node));
    core.traffic.get().quiet_now().or_else(|| is_away.then(away))
}

/// Who keeps it for a receiver who is away.
fn kept_by(core: &Core, id: OfferId, event: &EventId) -> Option<String> {
    let deposit = core.deposits.get(&id.0).filter(|deposit| deposit.is_kept)?;
    let (_, keeper) = core.events.member_by_node(event, &deposit.keeper)?;
    Some(format!("they are away; {keeper} keeps it for them, sealed"))
}

/// Whether it goes through a relay, while it moves.
fn path(core: &Core, node: Option<&NodeId>, state: State) -> Option<bool> {
    node.filter(|_| state == State::Active).and_then(|node| core.network.is_relayed(node))
}

/// Whose copy of the same it waits for.
fn comes_otherwise(core: &Core, row: &StoredArrival) -> Option<String> {
    let under_way = core.progress.under_way().into_iter().filter_map(|id| core.arrivals.get(&id.0));
    let other = under_way.into_iter().find(|other| other.content == row.content)?;
    Some(format!("it comes from {} just now", core.events.nickname(&other.event, &other.from)))
}

/// Bytes a second, and seconds that are left.
fn pace(core: &Core, id: OfferId, size_bytes: u64) -> (Option<u64>, Option<u64>) {
    let speed = core.progress.speed(&id);
    let left = size_bytes.saturating_sub(core.progress.of(&id).unwrap_or(0));
    (speed, speed.filter(|speed| *speed > 0).map(|speed| left.div_ceil(speed)))
}

fn sending_view(core: &Core, id: OfferId, row: &StoredDelivery, state: State) -> TransferView {
    let under_way = core.progress.of(&id);
    let asset = core.library.get(row.asset);
    let size_bytes =
        row.rendition.as_ref().map(|made| made.size_bytes).or(asset.as_ref().map(|asset| asset.size_bytes));
    let size_bytes = size_bytes.unwrap_or(0);
    let (bytes_per_second, seconds_left) = pace(core, id, size_bytes);
    let node = core.events.member_node(&row.event, &row.member);
    TransferView {
        id: id.to_string(),
        direction: "sending".into(),
        nickname: core.events.nickname(&row.event, &row.member),
        event_name: core.events.name(&row.event),
        asset: asset.map(|_| row.asset.to_string()),
        size_bytes,
        done_bytes: match row.state {
            DeliveryState::Delivered => size_bytes,
            _ => under_way.unwrap_or(0),
        },
        bytes_per_second,
        seconds_left,
        relayed: path(core, node.as_ref(), state),
        state: state.word().into(),
        reason: match state {
            State::Waiting => kept_by(core, id, &row.event).or_else(|| waits_for(core, node.as_ref(), GOES_OUT)),
            _ => None,
        }
        .or_else(|| row.reason.clone()),
        at: row.at,
        changed_at: row.changed_at,
        recall: core.recalls.get(&id.0).map(|recall| recall.state.word().into()),
    }
}

fn receiving_view(core: &Core, id: OfferId, row: &StoredArrival, state: State) -> TransferView {
    let under_way = core.progress.of(&id);
    let asset = match &row.state {
        ArrivalState::Done(asset) => {
            core.library.get(*asset).filter(|asset| !asset.doubtful).map(|_| asset.to_string())
        }
        _ => None,
    };
    let (bytes_per_second, seconds_left) = pace(core, id, row.size_bytes);
    TransferView {
        id: id.to_string(),
        direction: "receiving".into(),
        nickname: core.events.nickname(&row.event, &row.from),
        event_name: core.events.name(&row.event),
        asset,
        size_bytes: row.size_bytes,
        done_bytes: match row.state {
            ArrivalState::Stored(_) | ArrivalState::Done(_) => row.size_bytes,
            _ => under_way.unwrap_or(0),
        },
        bytes_per_second,
        seconds_left,
        relayed: path(core, Some(&row.node), state),
        state: state.word().into(),
        reason: match state {
            State::Waiting => waits_for(core, Some(&row.node), GOES_ON).or_else(|| comes_otherwise(core, row)),
            _ => None,
        }
        .or_else(|| row.reason.clone()),
        at: row.at,
        changed_at: row.changed_at,
        recall: None,
    }
}
