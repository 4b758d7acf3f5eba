//! Measures the attacked daemon meanwhile: its memory, and how long an honest member and the owner wait for an answer.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use inframe_tests::api::Api;
use tokio::{
    sync::{Mutex, watch},
    task::JoinHandle,
};

use crate::{field::Field, member::Member};

/// Pause between two questions of the honest member.
const ASK_EVERY: Duration = Duration::from_millis(200);
/// Pause between two looks at the memory of the worker processes.
const LOOK_EVERY: Duration = Duration::from_millis(50);
const KIB: u64 = 1024;

/// What was measured during an attack.
#[derive(Debug, Default)]
pub struct Seen {
    /// Most memory of the daemon, bytes.
    pub peak_bytes: u64,
    /// Most memory of its worker processes together, bytes.
    pub workers_bytes: u64,
    /// The longest that a sync of the honest member took.
    pub sync: Duration,
    /// The longest that the owner's API took.
    pub api: Duration,
    /// Syncs that were made.
    pub syncs: u32,
    /// Questions that were not answered.
    pub unanswered: Vec<String>,
}

/// A measurement under way.
pub struct Watch {
    pid: u32,
    stop: watch::Sender<bool>,
    asking: JoinHandle<Seen>,
    looking: JoinHandle<u64>,
}

impl Watch {
    /// Begins to measure.
    ///
    /// # Errors
    /// When there is no such process.
    pub fn begin(field: &Field) -> Result<Self> {
        let pid = field.victim.pid().context("the daemon has ended")?;
        // From now on the kernel keeps the peak anew.
        std::fs::write(format!("/proc/{pid}/clear_refs"), "5").context("the kernel keeps no peak of memory")?;
        let (stop, stopped) = watch::channel(false);
        let asking = tokio::spawn(ask(field.api().clone(), field.honest.clone(), stopped.clone()));
        let looking = tokio::spawn(look(pid, stopped));
        Ok(Self { pid, stop, asking, looking })
    }

    /// Ends it.
    ///
    /// # Errors
    /// When the daemon has ended.
    pub async fn end(self) -> Result<Seen> {
        self.stop.send_replace(true);
        let mut seen = self.asking.await?;
        seen.workers_bytes = self.looking.await?;
        seen.peak_bytes = memory(self.pid, "VmHWM").context("the daemon has ended")?;
        Ok(seen)
    }
}

async fn ask(api: Api, honest: Arc<Mutex<Member>>, mut stopped: watch::Receiver<bool>) -> Seen {
    let mut seen = Seen::default();
    // Once at the least, and once more after the end.
    loop {
        let last = *stopped.borrow_and_update();
        let begun = Instant::now();
        match honest.lock().await.sync().await {
            Ok(()) => seen.syncs += 1,
            Err(error) => seen.unanswered.push(format!("a sync of the honest member: {error:#}")),
        }
        seen.sync = seen.sync.max(begun.elapsed());
        let begun = Instant::now();
        if let Err(error) = api.status().await {
            seen.unanswered.push(format!("the owner's API: {error:#}"));
        }
        seen.api = seen.api.max(begun.elapsed());
        if last {
            return seen;
        }
        let _ = tokio::time::timeout(ASK_EVERY, stopped.changed()).await;
    }
}

async fn look(pid: u32, mut stopped: watch::Receiver<bool>) -> u64 {
    let mut most = 0;
    while !*stopped.borrow_and_update() {
        most = most.max(workers(pid).into_iter().filter_map(|pid| memory(pid, "VmRSS")).sum());
        let _ = tokio::time::timeout(LOOK_EVERY, stopped.changed()).await;
    }
    most
}

/// The processes below one.
fn workers(pid: u32) -> Vec<u32> {
    let mut parents: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        if let Some(parent) = field(pid, "PPid").and_then(|parent| u32::try_from(parent).ok()) {
            parents.entry(parent).or_default().push(pid);
        }
    }
    let mut found = Vec::new();
    let mut open = vec![pid];
    while let Some(parent) = open.pop() {
        let children = parents.remove(&parent).unwrap_or_default();
        found.extend(&children);
        open.extend(children);
    }
    found
}

fn memory(pid: u32, name: &str) -> Option<u64> {
    field(pid, name).map(|kib| kib * KIB)
}

fn field(pid: u32, name: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}
