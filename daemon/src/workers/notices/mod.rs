//! Tells the owner what came: compares what there is with what was told, by way and kind. First start, restart and a receiver that was away are the
//! same path.

mod desk;
mod finding;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;

pub use desk::Desk;
pub(crate) use desk::{Pair, pairs};

use self::desk::Due;
use self::finding::Waiting;
use super::board::{Job, Step};
use super::{Core, blocking};
use crate::activity::ActivityKind;
use crate::clock::now_ms;
use crate::limits::NOTICE_ENTRIES_PER_PAGE;
use crate::live::What;
use crate::notices::{Item, Message, Receiver};
use crate::settings::{Notices, Way};
use crate::tasks::Stage;

/// What may change what there is to tell.
const HEARD: [What; 5] = [What::Activity, What::Approvals, What::Events, What::Profile, What::Settings];
/// Messages of the live hub come in bursts; this long after the first of one it is looked.
const GATHER: Duration = Duration::from_secs(1);

/// Rings the worker when something may have changed. Runs until the node stops.
pub(super) async fn listen(core: Arc<Core>) {
    let stop = core.tasks.stop_token(Stage::Work);
    let (_, mut messages) = core.live.follow(None);
    loop {
        let rings = match stop.run_until_cancelled(messages.recv()).await {
            None | Some(Err(RecvError::Closed)) => return,
            Some(Err(RecvError::Lagged(_))) => true,
            Some(Ok(message)) => HEARD.iter().any(|what| what.word() == message.what),
        };
        if !rings {
            continue;
        }
        if stop.run_until_cancelled(tokio::time::sleep(GATHER)).await.is_none() {
            return;
        }
        messages = messages.resubscribe();
        core.board.ring(Job::Notices);
    }
}

/// One step.
pub(super) async fn step(core: Arc<Core>) -> anyhow::Result<Step> {
    let looker = core.clone();
    let (due, next) = blocking(move || look(&looker)).await??;
    let mut done = 0;
    for due in due.into_iter().filter(|due| due.way == Way::Outward) {
        if !send(&core, due).await? {
            break;
        }
        done += 1;
    }
    // What failed sets the time of its next try; the rest is looked for again.
    let desk = &core.notice_desk;
    let again_in = next.map(|at| Duration::from_millis(at.saturating_sub(desk.now()).max(1)));
    Ok(Step { done, pending: u64::from(desk.is_failing()), again_in })
}

/// Looks what there is, and tells here what is due here. Gives what is due elsewhere, and when the next comes due.
fn look(core: &Core) -> anyhow::Result<(Vec<Due>, Option<u64>)> {
    let (desk, notices) = (&core.notice_desk, core.notices.get());
    let open = open(core)?;
    if !desk.has_begun() {
        desk.catch_up(&pairs().collect::<Vec<_>>(), core.activity.last(), &open)?;
    }
    read_log(core, &notices)?;
    desk.forget(&open)?;
    let quiet = notices.quiet.is_some_and(|quiet| quiet.hold_now());
    let (due, next) = desk.due(&notices, quiet, &open, desk.now());
    let (here, outward): (Vec<Due>, Vec<Due>) = due.into_iter().partition(|due| due.way == Way::Here);
    for due in &here {
        desk.settle(due)?;
    }
    if !here.is_empty() {
        core.live.tell(What::Notices, None);
    }
    Ok((outward, next))
}

/// What waits for the owner, the texts that have changed among it.
fn open(core: &Core) -> anyhow::Result<Vec<(Waiting, Item)>> {
    let mut open = finding::waiting(core);
    open.extend(core.notice_desk.texts(|| finding::changed_texts(core))?);
    Ok(open)
}

fn read_log(core: &Core, notices: &Notices) -> anyhow::Result<()> {
    loop {
        let last = core.activity.last();
        let read_to = core.notice_desk.read_to(notices, last);
        let entries = core.activity.after(read_to, NOTICE_ENTRIES_PER_PAGE)?;
        let is_all = entries.len() < NOTICE_ENTRIES_PER_PAGE;
        let told = |(seq, entry): (u64, crate::activity::Entry)| (seq, finding::of_entry(core, &entry));
        core.notice_desk.take(notices, entries.into_iter().map(told).collect(), last)?;
        if is_all {
            return Ok(());
        }
    }
}

/// Sends a notice to where the owner wants it; whether it was taken. Nothing leaves before the activity log says so (D4), and nothing once the node
/// is being stopped.
async fn send(core: &Arc<Core>, due: Due) -> anyhow::Result<bool> {
    let Some(named) = core.notices.get().receiver else { return Ok(false) };
    let message = Message::new(due.kind, due.tally.text(named.names), due.tally.count(), now_ms());
    let receiver = match Receiver::new(&named) {
        Ok(receiver) => receiver,
        Err(error) => {
            core.notice_desk.failed(error.to_string());
            return Ok(false);
        }
    };
    if core.notice_desk.is_unnoted(due.kind) {
        let names = if named.names { "with names" } else { "that names nobody" };
        let text = format!("A notice {names} goes to {}: {}.", receiver.host(), message.title);
        let noter = core.clone();
        blocking(move || noter.activity.note(ActivityKind::Left, text, None, None)).await??;
        core.notice_desk.noted(due.kind);
    }
    let stop = core.tasks.stop_token(Stage::Work);
    let sent = blocking(move || if stop.is_cancelled() { None } else { Some(receiver.send(&message)) }).await?;
    let taken = match sent {
        None => return Ok(false),
        Some(Ok(())) => {
            let settler = core.clone();
            blocking(move || settler.notice_desk.settle(&due)).await??;
            true
        }
        Some(Err(error)) => {
            tracing::info!("a notice was not taken and will be sent again: {error}");
            core.notice_desk.failed(error.to_string());
            false
        }
    };
    core.live.tell(What::Notices, None);
    Ok(taken)
}

/// Before something is switched on: nothing that is there already is told then. Blocking.
///
/// # Errors
/// When the vault fails.
pub(crate) fn switch_on(core: &Core, on: &[Pair]) -> anyhow::Result<()> {
    if on.is_empty() {
        return Ok(());
    }
    let open = open(core)?;
    Ok(core.notice_desk.catch_up(on, core.activity.last(), &open)?)
}

#[cfg(test)]
mod tests;
