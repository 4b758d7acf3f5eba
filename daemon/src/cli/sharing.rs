//! What goes between nodes, on the terminal: approvals, transfers, peers, the log, and the node at a glance.

use clap::Subcommand;
use reqwest::Method;

use super::args::MyRelayCommand;
use super::client::{CliError, Client, segment};
use super::event::choose;
use super::text::{Screen, bytes, one_line, short, table};
use super::when::shown;
use crate::clock::now_ms;
use crate::views::{
    ActivityView, ApprovalView, DecisionBody, DiskView, GuestsWaitingView, NewPeerBody, PeerView, RelayBody, RelayView,
    StatusView, TransferView,
};
use crate::web::LanView;

#[derive(Debug, Subcommand)]
pub(super) enum ApprovalCommand {
    /// List what waits
    List {
        /// Answered ones as well
        #[arg(long)]
        all: bool,
    },
    /// Let the photo go (or: yes, it is me)
    Allow {
        /// Id, or its first letters
        id: String,
        /// And later sure matches with this person in this event
        #[arg(long)]
        always: bool,
    },
    /// Keep the photo back (or: no, it is not me)
    Refuse {
        /// Id, or its first letters
        id: String,
        /// And do not ask again for this person
        #[arg(long)]
        never: bool,
    },
    /// Take an answer back, in the first moments after it
    Undo {
        /// Id, or its first letters
        id: String,
    },
}

pub(super) async fn approvals(client: &Client, screen: &Screen, command: ApprovalCommand) -> Result<(), CliError> {
    let (id, decision) = match command {
        ApprovalCommand::List { all } => return list_approvals(client, screen, all).await,
        ApprovalCommand::Allow { id, always } => (id, Some(("allow", always))),
        ApprovalCommand::Refuse { id, never } => (id, Some((if never { "never" } else { "not_now" }, false))),
        ApprovalCommand::Undo { id } => (id, None),
    };
    let known: Vec<ApprovalView> = client.view(&client.get("/approvals?state=all").await?)?;
    let chosen = choose(known, &id, |approval| (&approval.id, ""));
    let chosen = chosen.map_err(|problem| CliError::Ambiguous(format!("{problem}; see `inframe approvals list`")))?;
    let path = format!("/approvals/{}", segment(&chosen.id));
    let answer = match decision {
        Some((decision, always)) => client.post(&path, &DecisionBody { decision: decision.to_owned(), always }).await?,
        None => client.json(Method::DELETE, &format!("{path}/answer"), None::<&()>).await?,
    };
    screen.show(&answer, || {
        let approval: ApprovalView = client.view(&answer)?;
        let id = short(&approval.id);
        let mut lines = vec![format!("{id} for {}: {}", one_line(&approval.nickname), approval.state)];
        if let Some(until) = approval.undo_until {
            let seconds = until.saturating_sub(now_ms()).div_ceil(1000);
            lines.push(format!("For {seconds} seconds this takes it back: inframe approvals undo {id}"));
        }
        Ok(lines)
    })
}

async fn list_approvals(client: &Client, screen: &Screen, all: bool) -> Result<(), CliError> {
    let answer = client.get(if all { "/approvals?state=all" } else { "/approvals" }).await?;
    screen.show(&answer, || {
        let approvals: Vec<ApprovalView> = client.view(&answer)?;
        if approvals.is_empty() {
            return Ok(vec!["Nothing waits for you.".to_owned()]);
        }
        let row = |a: &ApprovalView| {
            let question = match a.kind.as_str() {
                "doubtful" => "is it you?",
                _ if a.children_present => "may it go? children are present",
                _ => "may it go?",
            };
            let likeness = format!("{} ({:.2} of {:.2})", a.grade, a.score, a.sure_below);
            vec![short(&a.id), question.into(), a.nickname.clone(), a.event_name.clone(), likeness, a.state.clone()]
        };
        let rows: Vec<_> = approvals.iter().map(row).collect();
        Ok(table(&["ID", "QUESTION", "PERSON", "EVENT", "LIKENESS", "STATE"], &rows))
    })
}

pub(super) async fn peers(client: &Client, screen: &Screen, add: Option<String>) -> Result<(), CliError> {
    let answer = match add {
        Some(address) => client.post("/peers", &NewPeerBody { address }).await?,
        None => client.get("/peers").await?,
    };
    screen.show(&answer, || {
        let peers: Vec<PeerView> = client.view(&answer)?;
        let row = |peer: &PeerView| {
            let state = match (peer.connected, peer.relayed) {
                (true, false) => "connected",
                (true, true) => "connected through a relay",
                (false, _) => "away",
            };
            let nickname = peer.nickname.clone().unwrap_or_default();
            vec![peer.node_id.clone(), nickname, state.into(), peer.events.join(", "), peer.addresses.join(" ")]
        };
        Ok(table(&["NODE", "NAME", "STATE", "EVENTS", "ADDRESSES"], &peers.iter().map(row).collect::<Vec<_>>()))
    })
}

pub(super) async fn my_relay(client: &Client, screen: &Screen, wish: Option<MyRelayCommand>) -> Result<(), CliError> {
    let answer = match wish {
        Some(MyRelayCommand::Set { address, token }) => {
            client.json(Method::PUT, "/relay", Some(&RelayBody { address, token })).await?
        }
        Some(MyRelayCommand::Off) => client.json(Method::DELETE, "/relay", None::<&()>).await?,
        None => client.get("/relay").await?,
    };
    screen.show(&answer, || {
        let relay: RelayView = client.view(&answer)?;
        let state = match relay.state.as_str() {
            "none" => "no relay is named".to_owned(),
            "connecting" => "connecting".to_owned(),
            "reachable" => "others can reach this node through it".to_owned(),
            _ => format!("others cannot reach this node through it: {}", relay.problem.unwrap_or_default()),
        };
        let mut lines: Vec<String> =
            relay.address.iter().map(|address| format!("Relay: {}", one_line(address))).collect();
        lines.push(format!("State: {}", one_line(&state)));
        Ok(lines)
    })
}

pub(super) async fn status(client: &Client, screen: &Screen) -> Result<(), CliError> {
    let answer = client.get("/status").await?;
    let lan: LanView = client.view(&client.get("/lan").await?)?;
    screen.show(&answer, || {
        let mut lines = status_lines(&client.view(&answer)?);
        lines.extend(super::password::lan_lines(&lan));
        Ok(lines)
    })
}

fn status_lines(status: &StatusView) -> Vec<String> {
    let mut lines = vec![
        format!("Inframe {} on {} as {}", status.version, one_line(&status.device_name), one_line(&status.nickname)),
        format!("Node: {}", status.node_id),
        format!("Reached at: {}", one_line(&status.addresses.join(" "))),
        format!("Up for: {} s", status.uptime_s),
        format!("Library: {} photos, {}", status.asset_count, bytes(status.asset_bytes)),
        format!("Trash: {} photos, {}", status.trash_count, bytes(status.trash_bytes)),
        format!("Disk: {}", disk_words(status.disk)),
        format!("Peers connected: {}", status.peers_connected),
        format!("Waiting for your decision: {}", status.approvals_waiting),
        format!("Your face: {}", if status.enrolled { "enrolled" } else { "not enrolled" }),
        format!("Announced in: {} events", status.announcing),
        format!("Model pack: {}", status.pack),
        format!("Photos looked at for faces with it: {} of {}", status.faces.done, status.faces.total),
        format!("Key: {}", status.key_protection),
        format!("Background: {}", if status.background_paused { "paused (inframe resume)" } else { "at work" }),
        format!("Decode processes: {}", status.sandbox_processes),
    ];
    let guests = |one: &GuestsWaitingView| {
        format!("Guests of {} wait for you: {} (dashboard, Guests)", one_line(&one.name), one.count)
    };
    lines.extend(status.guests_waiting.iter().map(guests));
    let failed = |why: &String| format!("NOTICES ARE NOT TAKEN: {}; tried again (inframe notices)", one_line(why));
    lines.extend(status.notices_failure.as_ref().map(failed));
    lines.extend(status.sandbox_active.iter().map(|holds| format!("Sandbox: {}", one_line(holds))));
    lines.extend(status.sandbox_gaps.iter().map(|gap| format!("Sandbox gap: {}", one_line(gap))));
    let row = |worker: &crate::views::WorkerView| {
        let error = worker.last_error.clone().unwrap_or_default();
        vec![worker.name.clone(), worker.state.clone(), worker.pending.to_string(), worker.done.to_string(), error]
    };
    let rows: Vec<_> = status.workers.iter().map(row).collect();
    lines.extend(table(&["WORKER", "STATE", "WAITING", "DONE", "LAST ERROR"], &rows));
    lines
}

fn disk_words(disk: Option<DiskView>) -> String {
    let Some(disk) = disk else { return "the system does not say what is free".to_owned() };
    let words = format!("{} free, of which {} are kept free", bytes(disk.free_bytes), bytes(disk.reserve_bytes));
    if disk.low { format!("ALMOST FULL: {words}; imports and receiving wait (inframe trash empty)") } else { words }
}

/// The most that one answer has; those that are under way, failed or wait come first.
const TRANSFERS: &str = "/transfers?limit=500";

pub(super) async fn transfers(client: &Client, screen: &Screen, retry: Option<String>) -> Result<(), CliError> {
    if let Some(id) = retry {
        let known: Vec<TransferView> = client.view(&client.get(TRANSFERS).await?)?;
        let chosen = choose(known, &id, |transfer| (&transfer.id, "")).map_err(CliError::Ambiguous)?;
        client.post(&format!("/transfers/{}/retry", segment(&chosen.id)), &()).await?;
    }
    let answer = client.get(TRANSFERS).await?;
    screen.show(&answer, || {
        let transfers: Vec<TransferView> = client.view(&answer)?;
        let row = |t: &TransferView| {
            let size = format!("{} of {}", bytes(t.done_bytes), bytes(t.size_bytes));
            let left = t.seconds_left.map_or_else(String::new, |seconds| format!(", {seconds} s left"));
            let by_relay = if t.relayed == Some(true) { ", through a relay" } else { "" };
            let speed = t.bytes_per_second.map(|speed| format!("{}/s{left}{by_relay}", bytes(speed)));
            let reason = t.reason.clone().or(speed).unwrap_or_default();
            vec![
                short(&t.id),
                t.direction.clone(),
                t.nickname.clone(),
                t.event_name.clone(),
                size,
                t.state.clone(),
                reason,
            ]
        };
        let rows: Vec<_> = transfers.iter().map(row).collect();
        Ok(table(&["ID", "DIRECTION", "PERSON", "EVENT", "SIZE", "STATE", "SPEED OR REASON"], &rows))
    })
}

pub(super) async fn activity(client: &Client, screen: &Screen, limit: u32) -> Result<(), CliError> {
    let answer = client.get(&format!("/activity?limit={limit}")).await?;
    screen.show(&answer, || {
        let entries: Vec<ActivityView> = client.view(&answer)?;
        Ok(entries.iter().map(|entry| format!("{}  {}", shown(entry.at), one_line(&entry.text))).collect())
    })
}
