//! The events that this node is in: the shared state (roster and records, in `protocol`), my keys in each, and my own settings for it.
//!
//! Every change is durable before it is seen or sent (D1). All calls may block on the disk; call them on a blocking thread. Nothing here
//! opens a socket: what has to be told to others is handed out as [`Outgoing`] by [`Events::take_outgoing`].

mod alarms;
mod announcing;
mod asking;
mod codes;
mod deputies;
mod description;
mod entry;
mod epochs;
mod invites;
mod joining;
mod keeping;
mod leaving;
mod protecting;
mod rows;
mod showing;
mod stored;
mod taking;
#[cfg(test)]
mod tests;
mod words;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use inframe_protocol::record::RecordBody;
use inframe_protocol::roster::{NewEvent, RosterError, RosterWriter, SignedRosterEntry};
use inframe_protocol::template::{ProjectionKey, Template};
use inframe_protocol::{EventId, FindMeId, MemberId, NodeId, UnixMillis};

pub use alarms::{Alarm, Fork, Spoken};
pub use announcing::Portrait;
pub use codes::{CodeDescription, CodeState, Judged};
pub use description::{Description, MemberDescription, WaitingDescription};
pub use entry::MyRole;
pub use invites::{IssuedLink, Replaced, Terms};
pub use protecting::{Protected, Protecting};
pub use stored::{Announcing, LocalSettings, Takes, WaitingAdmission};
#[cfg(test)]
pub(crate) use stored::{IssuedInvite, Joining, ShownCode};
pub use taking::Taken;

use crate::clock::now_ms;
use crate::library::AssetId;
use crate::live::{Live, What};
use crate::sandbox::Details;
use crate::sharing::ledgers::{ApprovalId, approval_id};
use crate::vault::{CatalogError, Vault, VaultError};
use entry::Entry;
use leaving::Farewell;

/// Events that one node may be in.
pub const MAX_EVENTS: usize = 200;
/// Things to tell others that may wait; what does not fit is healed by the next sync.
const MAX_OUTGOING: usize = 1_024;

/// Why an event could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum EventsError {
    /// No such event here.
    #[error("there is no such event here")]
    NotFound,
    /// Only the host.
    #[error("only the host of the event can do that")]
    NotHost,
    /// Not admitted yet.
    #[error("the host has not admitted you yet")]
    NotAdmitted,
    /// A name is missing or too long, a time is wrong, a bound is reached: in words.
    #[error("{0}")]
    Invalid(String),
    /// The invite cannot be used.
    #[error(transparent)]
    Invite(#[from] inframe_protocol::invite::InviteError),
    /// A roster entry is not right.
    #[error(transparent)]
    Roster(#[from] RosterError),
    /// A record is not right.
    #[error(transparent)]
    Record(#[from] inframe_protocol::record::RecordError),
    /// Keys could not be made or used.
    #[error(transparent)]
    Key(#[from] inframe_protocol::keys::KeyError),
    /// The template could not be made.
    #[error(transparent)]
    Template(#[from] inframe_protocol::template::TemplateError),
    /// The stored state is damaged.
    #[error("the stored state of an event is damaged: {0}")]
    Damaged(String),
    /// The vault failed.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The catalog failed.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
}

/// Something to push to the other members and to publish under the topic.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// The event.
    pub event: EventId,
    /// Gossip topic of the current epoch.
    pub topic: Option<String>,
    /// Sealed records.
    pub records: Vec<Vec<u8>>,
    /// Roster entries.
    pub roster: Vec<SignedRosterEntry>,
    /// How often something of mine was said in the event by then, see [`Events::words`].
    pub words: u64,
}

/// What is to be told to others.
#[derive(Default)]
struct ToTell {
    waiting: VecDeque<Outgoing>,
    words: HashMap<EventId, u64>,
}

/// A find-me of somebody else, as matching needs it.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Who.
    pub member: MemberId,
    /// The find-me.
    pub find_me: FindMeId,
    /// Its template.
    pub template: Template,
    /// Whether it is a child's.
    pub child: bool,
    /// Whether its selfies were taken live, by the word of its author.
    pub live: bool,
    /// Model pack of the template.
    pub pack: String,
}

impl Wanted {
    /// The id of the question whether a photo may go to them.
    #[must_use]
    pub fn approval_id(&self, event: &EventId, asset: AssetId) -> ApprovalId {
        approval_id(event, &self.member, self.child.then_some(&self.find_me), asset)
    }
}

/// An event as matching needs it.
#[derive(Clone, Debug)]
pub struct Search {
    /// The event.
    pub event: EventId,
    /// My settings.
    pub settings: LocalSettings,
    /// Start, Unix milliseconds.
    pub starts: Option<u64>,
    /// End, Unix milliseconds.
    pub ends: Option<u64>,
    /// Projection of the current epoch.
    pub projection: ProjectionKey,
    /// Who is wanted.
    pub wanted: Vec<Wanted>,
    /// What everybody asks of photos that show them, I as well.
    pub protected: Vec<Protected>,
    /// Whether the faces of bystanders are blurred in what leaves, by either word of the host (R79, R81).
    pub blur_bystanders: bool,
    /// Whether the host says that children are present (R81).
    pub children_present: bool,
}

/// All events; cheap to clone.
#[derive(Clone)]
pub struct Events {
    vault: Vault,
    live: Live,
    me: NodeId,
    entries: Arc<Mutex<BTreeMap<EventId, Entry>>>,
    /// Locked after `entries`, where both are.
    farewells: Arc<Mutex<BTreeMap<EventId, Farewell>>>,
    outgoing: Arc<Mutex<ToTell>>,
}

impl Events {
    /// Reads every event. An event whose state is damaged is left out and said so in the log; it heals by joining again.
    ///
    /// # Errors
    /// When the vault cannot be read.
    pub fn open(vault: Vault, live: Live, me: NodeId) -> Result<Self, EventsError> {
        let mut entries = BTreeMap::new();
        for entry in Entry::read_all(&vault)? {
            entries.insert(entry.id, entry);
        }
        let farewells = Farewell::read_all(&vault)?.into_iter().collect();
        let (entries, farewells) = (Arc::new(Mutex::new(entries)), Arc::new(Mutex::new(farewells)));
        Ok(Self { vault, live, me, entries, farewells, outgoing: Arc::default() })
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<EventId, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn farewells(&self) -> MutexGuard<'_, BTreeMap<EventId, Farewell>> {
        self.farewells.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads one event.
    fn read<T>(&self, event: &EventId, read: impl FnOnce(&Entry) -> T) -> Option<T> {
        self.entries().get(event).map(read)
    }

    /// Changes one event: `change` works on the entry, which is then written durably. When either fails, the entry is as before.
    fn change<T>(
        &self,
        event: &EventId,
        change: impl FnOnce(&mut Entry) -> Result<T, EventsError>,
    ) -> Result<T, EventsError> {
        let mut entries = self.entries();
        let entry = entries.get_mut(event).ok_or(EventsError::NotFound)?;
        // Cheap: the roster and the records are shared with the copy.
        let before = entry.clone();
        let outcome = change(entry).and_then(|value| entry.write(&self.vault).map(|()| value));
        if outcome.is_err() {
            *entry = before;
        }
        drop(entries);
        if outcome.is_ok() {
            self.live.tell(What::Events, Some(event.to_string()));
        }
        outcome
    }

    fn tell_others(&self, event: EventId, records: Vec<Vec<u8>>, roster: Vec<SignedRosterEntry>) {
        self.push_outgoing(Outgoing { event, topic: self.topic(&event), records, roster, words: 0 });
    }

    fn push_outgoing(&self, mut new: Outgoing) {
        let ToTell { waiting, words } = &mut *self.to_tell();
        let said = words.entry(new.event).or_default();
        *said += u64::from(!new.records.is_empty());
        new.words = *said;
        if waiting.len() == MAX_OUTGOING {
            waiting.pop_front();
        }
        waiting.push_back(new);
    }

    fn to_tell(&self) -> MutexGuard<'_, ToTell> {
        self.outgoing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What has to be told to others, oldest first; empties the list.
    #[must_use]
    pub fn take_outgoing(&self) -> Vec<Outgoing> {
        self.to_tell().waiting.drain(..).collect()
    }

    /// How often something of mine was said in an event since the start: whoever is up to date with an earlier word has not heard the last one.
    #[must_use]
    pub fn words(&self, event: &EventId) -> u64 {
        self.to_tell().words.get(event).copied().unwrap_or(0)
    }

    /// Makes an event with this node as its host.
    ///
    /// # Errors
    /// When a field is not valid or the vault fails.
    pub fn create(
        &self,
        name: String,
        starts: Option<u64>,
        ends: Option<u64>,
        nickname: String,
    ) -> Result<EventId, EventsError> {
        if self.entries().len() >= MAX_EVENTS {
            return Err(EventsError::Invalid(format!("{MAX_EVENTS} events are the most; leave one first")));
        }
        let key = inframe_protocol::keys::EventKey::generate()?;
        let keys = inframe_protocol::keys::MemberKeys::generate()?;
        let new = NewEvent {
            name: name.clone(),
            starts: starts.map(UnixMillis),
            ends: ends.map(UnixMillis),
            host: keys.public(),
            node: self.me.clone(),
            nickname,
        };
        let (first, _grant) = RosterWriter::create(&key, new, UnixMillis(now_ms()))?;
        let takes = if starts.is_some() || ends.is_some() { Takes::Window } else { Takes::All };
        let mut entry = Entry::new(key.event_id(), keys, name, takes);
        entry.event_key = Some(key);
        entry.state.apply_roster(&first)?;
        entry.write(&self.vault)?;
        let id = entry.id;
        self.entries().insert(id, entry);
        self.live.tell(What::Events, Some(id.to_string()));
        Ok(id)
    }

    /// The latest time of a record that another member wrote, by their clock, Unix milliseconds.
    #[must_use]
    pub fn newest_of_others(&self) -> Option<u64> {
        let entries = self.entries();
        entries.values().filter_map(|entry| entry.state.newest_of_others(&entry.my_id())).max().map(|at| at.0)
    }

    /// Changes my settings for an event.
    ///
    /// # Errors
    /// When there is no such event or the vault fails.
    pub fn change_settings(&self, event: &EventId, change: impl FnOnce(&mut LocalSettings)) -> Result<(), EventsError> {
        self.change(event, |entry| {
            change(&mut entry.settings);
            Ok(())
        })
    }

    /// Chooses what photos still say when they go to a member.
    ///
    /// # Errors
    /// When the vault fails.
    pub fn set_details(&self, event: &EventId, member: MemberId, details: Details) -> Result<(), EventsError> {
        self.change(event, |entry| {
            match details == Details::default() {
                true => entry.details.remove(&member),
                false => entry.details.insert(member, details),
            };
            Ok(())
        })
    }

    /// Writes a record of my own and has it told to others.
    ///
    /// # Errors
    /// When I am not admitted, the record is refused by its own rules, or the vault fails.
    pub fn write(&self, event: &EventId, body: RecordBody) -> Result<(), EventsError> {
        let bytes = self.change(event, |entry| {
            if !entry.is_admitted() {
                return Err(EventsError::NotAdmitted);
            }
            let (bytes, _changes) = entry.state.write(body, UnixMillis(now_ms()))?;
            Ok(bytes)
        })?;
        self.tell_others(*event, vec![bytes], Vec::new());
        Ok(())
    }
}
