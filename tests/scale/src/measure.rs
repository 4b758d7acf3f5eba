//! What is measured.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use inframe_protocol::MemberId;

/// A record or a roster entry that spreads.
#[derive(Debug)]
struct Spread {
    written_at: u64,
    /// When each member had it, by their number.
    had_at: Vec<Option<u64>>,
    counted: bool,
}

/// Who had what when.
#[derive(Debug, Default)]
pub(crate) struct Spreads {
    places: HashMap<(MemberId, u64), usize>,
    records: Vec<Spread>,
    entries: Vec<Spread>,
}

fn note(spread: &mut Spread, member: usize, now: u64) {
    if spread.had_at.len() <= member {
        spread.had_at.resize(member + 1, None);
    }
    if let Some(had_at) = spread.had_at.get_mut(member) {
        had_at.get_or_insert(now);
    }
}

impl Spreads {
    /// A record was written; gives its number.
    pub(crate) fn written(&mut self, place: (MemberId, u64), author: usize, now: u64, counted: bool) -> usize {
        let number = self.records.len();
        let mut spread = Spread { written_at: now, had_at: Vec::new(), counted };
        note(&mut spread, author, now);
        self.records.push(spread);
        self.places.insert(place, number);
        number
    }

    pub(crate) fn number(&self, place: &(MemberId, u64)) -> Option<usize> {
        self.places.get(place).copied()
    }

    /// A member has taken in a record.
    pub(crate) fn record_came(&mut self, place: &(MemberId, u64), member: usize, now: u64) {
        if let Some(spread) = self.number(place).and_then(|number| self.records.get_mut(number)) {
            note(spread, member, now);
        }
    }

    /// A member has so many roster entries.
    pub(crate) fn entries_came(&mut self, count: u32, member: usize, now: u64, counted: bool) {
        while self.entries.len() < count as usize {
            self.entries.push(Spread { written_at: now, had_at: Vec::new(), counted });
        }
        // Whoever has an entry has all before it.
        for spread in self.entries.iter_mut().take(count as usize).rev() {
            if spread.had_at.get(member).is_some_and(Option::is_some) {
                break;
            }
            note(spread, member, now);
        }
    }

    /// For each counted record the milliseconds until each of those who were there all the time had it. `stayed` tells who was there from a
    /// moment until so much later.
    pub(crate) fn times(&self, stayed: impl Fn(usize, u64) -> bool, members: usize) -> Times {
        times(&self.records, &stayed, members)
    }

    /// As [`Spreads::times`] for roster entries.
    pub(crate) fn entry_times(&self, stayed: impl Fn(usize, u64) -> bool, members: usize) -> Times {
        times(&self.entries, &stayed, members)
    }
}

fn times(spreads: &[Spread], stayed: &impl Fn(usize, u64) -> bool, members: usize) -> Times {
    let mut times = Times::default();
    for spread in spreads.iter().filter(|spread| spread.counted) {
        let mut last = 0;
        for member in (0..members).filter(|member| stayed(*member, spread.written_at)) {
            match spread.had_at.get(member).copied().flatten() {
                Some(at) => {
                    let took = at.saturating_sub(spread.written_at);
                    last = last.max(took);
                    times.each.push(took);
                }
                None => times.never += 1,
            }
        }
        times.all.push(last);
    }
    times.each.sort_unstable();
    times.all.sort_unstable();
    times
}

/// Milliseconds, sorted.
#[derive(Debug, Default, Clone)]
pub struct Times {
    /// Until one member had it.
    pub each: Vec<u64>,
    /// Until the last one had it.
    pub all: Vec<u64>,
    /// How often somebody who was there never got it.
    pub never: usize,
}

/// The value below which so many in a thousand are; 0 if there is none.
#[must_use]
pub fn permille(sorted: &[u64], permille: usize) -> u64 {
    let place = (sorted.len() * permille).div_ceil(1_000).saturating_sub(1);
    sorted.get(place).copied().unwrap_or(0)
}

/// What came out.
#[derive(Debug, Clone)]
pub struct Report {
    /// Members.
    pub members: usize,
    /// How long records took.
    pub records: Times,
    /// How long roster entries took.
    pub entries: Times,
    /// Milliseconds until those who came back held the same as a neighbour; sorted.
    pub caught_up: Vec<u64>,
    /// Bytes that a member sent within an hour, on average.
    pub bytes_per_hour: u64,
    /// Of these bytes those of gossip, sync and push.
    pub parts: [u64; 3],
    /// Bytes that the member sent who sent most.
    pub most_bytes_per_hour: u64,
    /// Bytes of the records and entries that came into being in that hour: what each member needs to receive.
    pub news_bytes_per_hour: u64,
    /// Connections of a member at the end, on average and at most.
    pub connections: (f64, usize),
    /// Bytes of this process for each member.
    pub memory_per_member: u64,
    /// Bytes of the largest roster entry, of the roster, and of a whole vector.
    pub sizes: [usize; 3],
    /// Messages that were turned away because there were too many (R53).
    pub turned_away: u64,
    /// How many members hold something else than the host at the end.
    pub different: usize,
    /// Processor time of the whole run.
    pub took: Duration,
}

impl Report {
    /// The heads of the columns.
    pub const HEAD: &str = "| members | record p50 | record p99 | to all p50 | to all p99 | to all max | roster p99 | back p50 | back p99 | sent an hour | of the news | most sent | connections | memory | largest entry | processor |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|";
}

fn seconds(millis: u64) -> String {
    format!("{:.2} s", millis as f64 / 1_000.0)
}

fn mega(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

/// One line of the table.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let times = [
            permille(&self.records.each, 500),
            permille(&self.records.each, 990),
            permille(&self.records.all, 500),
            permille(&self.records.all, 990),
            permille(&self.records.all, 1_000),
            permille(&self.entries.each, 990),
            permille(&self.caught_up, 500),
            permille(&self.caught_up, 990),
        ];
        write!(f, "| {} |", self.members)?;
        times.iter().try_for_each(|time| write!(f, " {} |", seconds(*time)))?;
        write!(
            f,
            " {} | {:.1} x | {} | {:.1} ({}) | {} | {} KB | {} s |",
            mega(self.bytes_per_hour),
            self.bytes_per_hour as f64 / self.news_bytes_per_hour.max(1) as f64,
            mega(self.most_bytes_per_hour),
            self.connections.0,
            self.connections.1,
            mega(self.memory_per_member),
            self.sizes[0] / 1_000,
            self.took.as_secs(),
        )
    }
}
