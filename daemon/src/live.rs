//! The live hub: numbered "something changed" messages for the pages that are open, and nudges for the workers.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::broadcast;

use crate::views::LiveView;

/// Messages kept for a page that reconnects; a page away for longer asks for everything again.
const BACKLOG: usize = 512;

/// What changed; the words of [`LiveView::what`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The set or order of photos.
    Timeline,
    /// One asset.
    Asset,
    /// An import's progress.
    Imports,
    /// An event, its members or its settings.
    Events,
    /// The approvals list.
    Approvals,
    /// A transfer.
    Transfers,
    /// The profile "me".
    Profile,
    /// Peers or workers.
    Status,
    /// The activity log.
    Activity,
    /// Settings.
    Settings,
    /// People: who is in which photo, and their names.
    People,
    /// The trash.
    Trash,
    /// What the owner is told of.
    Notices,
}

impl What {
    /// The word of it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            What::Timeline => "timeline",
            What::Asset => "asset",
            What::Imports => "imports",
            What::Events => "events",
            What::Approvals => "approvals",
            What::Transfers => "transfers",
            What::Profile => "profile",
            What::Status => "status",
            What::Activity => "activity",
            What::Settings => "settings",
            What::People => "people",
            What::Trash => "trash",
            What::Notices => "notices",
        }
    }
}

/// The hub; cheap to clone.
#[derive(Clone)]
pub struct Live {
    inner: Arc<Mutex<Backlog>>,
    sender: broadcast::Sender<LiveView>,
}

struct Backlog {
    next: u64,
    kept: VecDeque<LiveView>,
}

impl Default for Live {
    fn default() -> Self {
        // A page that falls behind by a whole backlog is told to ask for everything again.
        let (sender, _) = broadcast::channel(BACKLOG);
        Self { inner: Arc::new(Mutex::new(Backlog { next: 1, kept: VecDeque::new() })), sender }
    }
}

impl Live {
    /// Tells every open page that something changed.
    pub fn tell(&self, what: What, id: Option<String>) {
        let mut backlog = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let message = LiveView { seq: backlog.next, what: what.word().into(), id };
        backlog.next += 1;
        if backlog.kept.len() == BACKLOG {
            backlog.kept.pop_front();
        }
        backlog.kept.push_back(message.clone());
        // No receiver means no page is open, which is fine.
        let _ = self.sender.send(message);
    }

    /// Messages after `since`, then a receiver of what follows. A `resync` message stands first when some were missed, or when the page
    /// knows a number that this run never gave out (the daemon was restarted).
    #[must_use]
    pub fn follow(&self, since: Option<u64>) -> (Vec<LiveView>, broadcast::Receiver<LiveView>) {
        let backlog = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let receiver = self.sender.subscribe();
        let last = backlog.next - 1;
        let Some(since) = since else { return (vec![resync(last)], receiver) };
        let first_kept = backlog.kept.front().map_or(backlog.next, |message| message.seq);
        if since > last || since + 1 < first_kept {
            return (vec![resync(last)], receiver);
        }
        (backlog.kept.iter().filter(|message| message.seq > since).cloned().collect(), receiver)
    }
}

fn resync(seq: u64) -> LiveView {
    LiveView { seq, what: "resync".into(), id: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_reconnects_gets_what_it_missed_in_order() {
        let live = Live::default();
        for _ in 0..5 {
            live.tell(What::Timeline, None);
        }
        let (missed, _) = live.follow(Some(3));
        assert_eq!(missed.iter().map(|m| m.seq).collect::<Vec<_>>(), [4, 5]);
        let (nothing, _) = live.follow(Some(5));
        assert!(nothing.is_empty());
    }

    #[test]
    fn a_page_that_missed_too_much_or_knows_another_run_is_told_to_ask_again() {
        let live = Live::default();
        for _ in 0..BACKLOG + 10 {
            live.tell(What::Asset, Some("a".into()));
        }
        assert_eq!(live.follow(Some(3)).0[0].what, "resync");
        assert_eq!(live.follow(Some(9_999)).0[0].what, "resync");
        assert_eq!(live.follow(None).0[0].what, "resync");
    }
}
