//! What is gathered and what was told, by way and kind. What is told is noted durably, so that it is told once, over restarts too; what is not told
//! yet is found again by looking, so that nothing has to be kept for it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use super::finding::{Waiting, outdated};
use crate::clock::now_ms;
use crate::ledger::Ledger;
use crate::limits::{NOTICE_ENTRIES_PER_PAGE, NOTICES_RECENT};
use crate::notices::{Gathering, Item, Retries, Tally, pace};
use crate::settings::{NoticeKind, NoticeMarksRow, Notices, Way};
use crate::vault::{Kind, Vault, VaultError};
use crate::views::{NoticeFailureView, NoticeView};

/// A kind by a way.
pub(crate) type Pair = (Way, NoticeKind);

/// Every kind by every way.
pub(crate) fn pairs() -> impl Iterator<Item = Pair> {
    Way::ALL.into_iter().flat_map(|way| NoticeKind::ALL.into_iter().map(move |kind| (way, kind)))
}

/// Whether a kind is found in the activity log; the others wait for the owner, and are found where they wait.
fn is_logged(kind: NoticeKind) -> bool {
    matches!(kind, NoticeKind::Photos | NoticeKind::Suspicious | NoticeKind::SignIns)
}

fn row_key(way: Way, waiting: &Waiting) -> Vec<u8> {
    // Part of the format of the catalog.
    let way = match way {
        Way::Here => 1,
        Way::Outward => 2,
    };
    [&[way], waiting.as_slice()].concat()
}

/// A notice whose time has come.
#[derive(Clone, Debug)]
pub(crate) struct Due {
    pub(crate) way: Way,
    pub(crate) kind: NoticeKind,
    pub(crate) tally: Tally,
    settles: Settles,
}

/// What is noted once it was told.
#[derive(Clone, Debug)]
enum Settles {
    /// Entries of the log up to this one.
    UpTo(u64),
    /// What waits.
    Rows(Vec<Waiting>),
}

#[derive(Default)]
struct Inner {
    /// The last entry of the log that was looked at.
    read_to: Option<u64>,
    /// What the log has told since what was settled.
    logged: BTreeMap<Pair, Tally>,
    gatherings: BTreeMap<Pair, Gathering>,
    retries: Retries,
    /// Kinds whose going outward is in the activity log already, while it is tried.
    noted: BTreeSet<NoticeKind>,
    recent: VecDeque<NoticeView>,
    failure: Option<NoticeFailureView>,
    sent_at: Option<u64>,
}

/// The desk.
pub struct Desk {
    marks: NoticeMarksRow,
    told: Ledger<u64>,
    began: Instant,
    /// Texts that have changed: those of a program do not change while it runs.
    texts: OnceLock<Vec<(Waiting, Item)>>,
    inner: Mutex<Inner>,
}

impl Desk {
    /// Reads what was told.
    ///
    /// # Errors
    /// When the vault cannot be read.
    pub fn open(vault: &Vault) -> Result<Self, VaultError> {
        Ok(Self {
            marks: NoticeMarksRow::open(vault.clone())?,
            told: Ledger::open(vault.clone(), Kind::Told)?,
            began: Instant::now(),
            texts: OnceLock::new(),
            inner: Mutex::default(),
        })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The texts that have changed, looked for once.
    pub(crate) fn texts(
        &self,
        find: impl FnOnce() -> anyhow::Result<Vec<(Waiting, Item)>>,
    ) -> anyhow::Result<Vec<(Waiting, Item)>> {
        if let Some(texts) = self.texts.get() {
            return Ok(texts.clone());
        }
        let found = find()?;
        Ok(self.texts.get_or_init(|| found).clone())
    }

    /// Milliseconds on a clock that never goes back.
    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Whether it was noted what there was before the first notice.
    pub(crate) fn has_begun(&self) -> bool {
        self.marks.get().begun
    }

    /// From now on these are told, but nothing that is there already: for the first start with notices, and for what is switched on. `last` is the last
    /// entry of the log. Blocking.
    pub(crate) fn catch_up(&self, on: &[Pair], last: u64, open: &[(Waiting, Item)]) -> Result<(), VaultError> {
        let mut inner = self.inner();
        let now = now_ms();
        let waits = |(way, kind): &Pair| {
            let (way, kind) = (*way, *kind);
            let of_kind = open.iter().filter(move |(_, item)| item.matter.kind() == kind);
            of_kind.map(move |(waiting, _)| (row_key(way, waiting), now))
        };
        self.told.replace(on.iter().filter(|(_, kind)| !is_logged(*kind)).flat_map(waits).collect(), &[])?;
        self.marks.change(|marks| {
            marks.begun = true;
            on.iter().filter(|(_, kind)| is_logged(*kind)).for_each(|(way, kind)| marks.set(*way, *kind, last));
        })?;
        for pair in on {
            inner.logged.remove(pair);
            inner.noted.remove(&pair.1);
        }
        Ok(())
    }

    /// The number of the entry after which the log is to be read on. `last` is its last one.
    pub(crate) fn read_to(&self, notices: &Notices, last: u64) -> u64 {
        let marks = self.marks.get();
        let mut inner = self.inner();
        let wanted = pairs().filter(|(way, kind)| is_logged(*kind) && notices.tells(*way, *kind));
        let first = wanted.map(|(way, kind)| marks.of(way, kind)).min().unwrap_or(last);
        // A log that is shorter than it was has been lost, and begins anew.
        let read_to = inner.read_to.unwrap_or(first).min(last);
        inner.read_to = Some(read_to);
        read_to
    }

    /// Takes in what the log says after that: each entry's number, and what it tells if anything. Blocking.
    pub(crate) fn take(
        &self,
        notices: &Notices,
        entries: Vec<(u64, Option<Item>)>,
        last: u64,
    ) -> Result<(), VaultError> {
        let marks = self.marks.get();
        let mut inner = self.inner();
        for (seq, item) in entries {
            inner.read_to = Some(seq);
            let Some(item) = item else { continue };
            let kind = item.matter.kind();
            for way in Way::ALL {
                // A mark behind the end belongs to a log that was lost.
                let mark = Some(marks.of(way, kind)).filter(|mark| *mark <= last).unwrap_or(0);
                if notices.tells(way, kind) && seq > mark {
                    inner.logged.entry((way, kind)).or_default().add(item.clone());
                }
            }
        }
        // What tells nothing is not read again and again by the starts to come.
        let read_to = inner.read_to.unwrap_or(0);
        let is_far = |(way, kind): &Pair| {
            let mark = marks.of(*way, *kind);
            let behind = read_to.abs_diff(mark) >= NOTICE_ENTRIES_PER_PAGE as u64;
            is_logged(*kind) && (behind || mark > last) && !inner.logged.contains_key(&(*way, *kind))
        };
        let far: Vec<Pair> = pairs().filter(is_far).collect();
        if !far.is_empty() {
            self.marks.change(|marks| far.iter().for_each(|(way, kind)| marks.set(*way, *kind, read_to)))?;
        }
        Ok(())
    }

    /// Notices whose time has come, and when the next one's comes, on the clock of [`Desk::now`]. In quiet hours none has.
    pub(crate) fn due(
        &self,
        notices: &Notices,
        quiet: bool,
        open: &[(Waiting, Item)],
        now: u64,
    ) -> (Vec<Due>, Option<u64>) {
        let mut inner = self.inner();
        let (mut due, mut next) = (Vec::new(), None::<u64>);
        for (way, kind) in pairs() {
            if !notices.tells(way, kind) {
                inner.logged.remove(&(way, kind));
            }
            let (tally, settles) = match (notices.tells(way, kind), is_logged(kind)) {
                (false, _) => (Tally::default(), Settles::Rows(Vec::new())),
                (true, true) => {
                    let tally = inner.logged.get(&(way, kind)).cloned().unwrap_or_default();
                    (tally, Settles::UpTo(inner.read_to.unwrap_or(0)))
                }
                (true, false) => self.untold(way, kind, open),
            };
            let not_before = if way == Way::Outward { inner.retries.not_before() } else { 0 };
            let gathering = inner.gatherings.entry((way, kind)).or_default();
            let Some(at) = gathering.due(!tally.is_empty(), pace(way, kind), now).map(|at| at.max(not_before)) else {
                continue;
            };
            if quiet {
                continue;
            }
            if at <= now {
                due.push(Due { way, kind, tally, settles });
            } else {
                next = Some(next.map_or(at, |next| next.min(at)));
            }
        }
        (due, next)
    }

    fn untold(&self, way: Way, kind: NoticeKind, open: &[(Waiting, Item)]) -> (Tally, Settles) {
        let (mut tally, mut rows) = (Tally::default(), Vec::new());
        for (waiting, item) in open.iter().filter(|(_, item)| item.matter.kind() == kind) {
            if self.told.get(&row_key(way, waiting)).is_none() {
                tally.add(item.clone());
                rows.push(*waiting);
            }
        }
        (tally, Settles::Rows(rows))
    }

    /// Notes that it was told, durably; blocking.
    pub(crate) fn settle(&self, due: &Due) -> Result<(), VaultError> {
        match &due.settles {
            Settles::UpTo(seq) => {
                self.marks.change(|marks| marks.set(due.way, due.kind, *seq))?;
            }
            Settles::Rows(rows) => {
                let now = now_ms();
                self.told.replace(rows.iter().map(|waiting| (row_key(due.way, waiting), now)).collect(), &[])?;
            }
        }
        let now = self.now();
        let mut inner = self.inner();
        inner.logged.remove(&(due.way, due.kind));
        inner.gatherings.entry((due.way, due.kind)).or_default().told(now);
        match due.way {
            Way::Here => inner.show(due),
            Way::Outward => {
                inner.noted.remove(&due.kind);
                inner.retries.succeeded();
                (inner.failure, inner.sent_at) = (None, Some(now_ms()));
            }
        }
        Ok(())
    }

    /// Forgets what was told of things that wait no more; blocking.
    pub(crate) fn forget(&self, open: &[(Waiting, Item)]) -> Result<(), VaultError> {
        let open: BTreeSet<&[u8]> = open.iter().map(|(waiting, _)| waiting.as_slice()).collect();
        let told: Vec<(Vec<u8>, u64)> = self.told.all().into_iter().map(|(key, at)| (key, *at)).collect();
        self.told.remove(&outdated(&told, |key| key.get(1..).is_some_and(|waiting| open.contains(waiting))))
    }

    /// Whether the activity log does not say yet that this goes outward. It says so once, however often it is tried.
    pub(crate) fn is_unnoted(&self, kind: NoticeKind) -> bool {
        !self.inner().noted.contains(&kind)
    }

    /// The activity log says so.
    pub(crate) fn noted(&self, kind: NoticeKind) {
        self.inner().noted.insert(kind);
    }

    /// The receiver did not take what was sent.
    pub(crate) fn failed(&self, why: String) {
        let now = self.now();
        let mut inner = self.inner();
        inner.retries.failed(now);
        inner.failure = Some(NoticeFailureView { at: now_ms(), text: why });
    }

    /// Whether the receiver failed the last time.
    pub(crate) fn is_failing(&self) -> bool {
        self.inner().retries.is_failing()
    }

    /// Another receiver is named, or the same one anew: it is tried at once.
    pub(crate) fn begin_anew(&self) {
        let mut inner = self.inner();
        inner.retries.succeeded();
        inner.noted.clear();
        (inner.failure, inner.sent_at) = (None, None);
    }

    /// What was told here lately, oldest first; when something was sent last, and why the last try failed.
    pub(crate) fn news(&self) -> (Vec<NoticeView>, Option<u64>, Option<NoticeFailureView>) {
        let inner = self.inner();
        (inner.recent.iter().cloned().collect(), inner.sent_at, inner.failure.clone())
    }
}

impl Inner {
    fn show(&mut self, due: &Due) {
        // Rising over restarts too, so that a page knows what it has shown.
        let id = self.recent.back().map_or(0, |last| last.id + 1).max(now_ms());
        if self.recent.len() == NOTICES_RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(NoticeView {
            id,
            kind: due.kind.word().into(),
            at: now_ms(),
            title: due.kind.title().into(),
            text: due.tally.text(false),
            named: due.tally.text(true),
            count: due.tally.count(),
            page: due.tally.page(),
        });
    }
}
