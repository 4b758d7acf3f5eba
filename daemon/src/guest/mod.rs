//! Guests: people at an event who have a browser and no node. What is kept of them, who they are, and when it is erased.
//!
//! Pages, guests and what they add are rows of the catalog; nothing here opens a socket or asks the clock. Calls that change something block on the disk.
//!
//! | file | job |
//! |---|---|
//! | `stored` | rows |
//! | `finding` | guests' faces, and the photos in which they were found |
//! | `coming` | files on their way here, piece by piece |
//! | `seal` | opening what a page has sealed |
//! | `paces` | how fast addresses and guests may ask |
//! | `limits` | what guests can make grow, and how far |

mod coming;
mod finding;
pub mod limits;
mod paces;
pub mod seal;
mod stored;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use inframe_protocol::EventId;
use subtle::ConstantTimeEq as _;
use tokio::sync::watch;

pub use coming::{ComingError, PieceReader};
pub use paces::{Ask, Asker, Paces};
pub use stored::{
    SealKey, StoredGuest, StoredGuestMatch, StoredGuestSelfie, StoredMembersInvite, StoredPage, StoredRemoval,
    StoredUpload, StoredWifi, UploadState, Word,
};

use crate::ledger::Ledger;
use crate::library::GuestId;
use crate::live::{Live, What};
use crate::vault::{BlobId, Kind, Vault, VaultError};

/// Names an upload or a wish for removal; random.
pub type ShortId = [u8; 16];

/// What became of the guest page's own port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listening {
    /// Where it is reached, while it is.
    pub at: Option<SocketAddr>,
    /// The name under which it is reached by HTTPS; else it comes by plain HTTP, at its addresses.
    pub host: Option<String>,
    /// Why it is not, in words.
    pub problem: Option<String>,
}

/// Why a guest is not let in or a wish is not met.
#[derive(Debug, thiserror::Error)]
pub enum GuestsError {
    /// The system gives no randomness.
    #[error("the system gives no random numbers; restart the daemon")]
    Random,
    /// A bound is reached, in words for the guest.
    #[error("{0}")]
    Full(String),
    /// The vault failed.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

/// All guest pages; cheap to clone.
#[derive(Clone)]
pub struct Guests {
    inner: Arc<Inner>,
}

struct Inner {
    vault: Vault,
    live: Live,
    pages: Ledger<StoredPage>,
    guests: Ledger<StoredGuest>,
    uploads: Ledger<StoredUpload>,
    pieces: Ledger<BlobId>,
    selfies: Ledger<StoredGuestSelfie>,
    matches: Ledger<StoredGuestMatch>,
    removals: Ledger<StoredRemoval>,
    /// Held while it is looked whether one more fits, and until it is written.
    counting: Mutex<()>,
    listening: Mutex<Listening>,
    /// Told when a page may have been switched on or off.
    switched: watch::Sender<()>,
}

fn random<const N: usize>() -> Result<[u8; N], GuestsError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| GuestsError::Random)?;
    Ok(bytes)
}

/// The hash under which the secret of a private link is known.
fn hash_of(secret: &str) -> [u8; 32] {
    blake3::derive_key("inframe 2026-11-28 guest: private link", secret.as_bytes())
}

impl Guests {
    /// Reads everything.
    ///
    /// # Errors
    /// When the vault cannot be read.
    pub fn open(vault: &Vault, live: Live) -> Result<Self, VaultError> {
        let inner = Inner {
            pages: Ledger::open_versioned(vault.clone(), Kind::GuestPage)?,
            guests: Ledger::open(vault.clone(), Kind::Guest)?,
            uploads: Ledger::open(vault.clone(), Kind::GuestUpload)?,
            pieces: Ledger::open(vault.clone(), Kind::GuestPiece)?,
            selfies: Ledger::open(vault.clone(), Kind::GuestSelfie)?,
            matches: Ledger::open(vault.clone(), Kind::GuestMatch)?,
            removals: Ledger::open(vault.clone(), Kind::GuestRemoval)?,
            vault: vault.clone(),
            live,
            counting: Mutex::default(),
            listening: Mutex::default(),
            switched: watch::Sender::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    fn tell(&self, event: &EventId) {
        self.inner.live.tell(What::Events, Some(event.to_string()));
    }

    fn counting(&self) -> MutexGuard<'_, ()> {
        self.inner.counting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // ---- pages ----

    /// The page of an event, if it ever had one.
    #[must_use]
    pub fn page(&self, event: &EventId) -> Option<Arc<StoredPage>> {
        self.inner.pages.get(&event.0)
    }

    /// Every page.
    #[must_use]
    pub fn pages(&self) -> Vec<(EventId, Arc<StoredPage>)> {
        let all = self.inner.pages.all().into_iter();
        all.filter_map(|(key, page)| Some((EventId(key.try_into().ok()?), page))).collect()
    }

    /// The open page with this token, which came from a stranger.
    #[must_use]
    pub fn page_of_token(&self, token: &str, now: u64) -> Option<(EventId, Arc<StoredPage>)> {
        let token = data_encoding::HEXLOWER.decode(token.as_bytes()).ok()?;
        self.pages().into_iter().find(|(_, page)| bool::from(page.token.ct_eq(&token)) && page.is_open(now))
    }

    /// Whether any page is open.
    #[must_use]
    pub fn any_open(&self, now: u64) -> bool {
        self.inner.pages.all().iter().any(|(_, page)| page.is_open(now))
    }

    /// Comes back when a page may have been switched on or off since `seen` was made or last changed.
    #[must_use]
    pub fn switched(&self) -> watch::Receiver<()> {
        self.inner.switched.subscribe()
    }

    /// Writes the page of an event. Durable when it returns.
    ///
    /// # Errors
    /// When the vault fails.
    pub fn put_page(&self, event: &EventId, page: StoredPage) -> Result<(), VaultError> {
        self.inner.pages.put(&event.0, page)?;
        self.inner.switched.send_replace(());
        self.tell(event);
        Ok(())
    }

    /// A page as it is before the host has said anything.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn new_page(ends_at: u64, now: u64) -> Result<StoredPage, GuestsError> {
        Ok(StoredPage {
            on: false,
            token: random()?,
            key: SealKey(random()?),
            approve_first: true,
            selfies: false,
            opens_at: None,
            closes_at: None,
            ends_at,
            keep_days: limits::KEEP_DAYS,
            made_at: now,
            erased_at: None,
            wifi: None,
            members: None,
        })
    }

    /// The page under a fresh link; the one before leads nowhere from then on.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn with_new_link(page: &StoredPage) -> Result<StoredPage, GuestsError> {
        Ok(StoredPage { token: random()?, key: SealKey(random()?), ..page.clone() })
    }

    /// Where the guest page's port is.
    #[must_use]
    pub fn listening(&self) -> Listening {
        self.inner.listening.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes where the port is, or why it is not.
    pub fn set_listening(&self, listening: Listening) {
        *self.inner.listening.lock().unwrap_or_else(PoisonError::into_inner) = listening;
        self.inner.live.tell(What::Events, None);
    }

    // ---- guests ----

    /// A guest, however they came back.
    #[must_use]
    pub fn guest(&self, id: GuestId) -> Option<Arc<StoredGuest>> {
        self.inner.guests.get(&id.0)
    }

    /// What a guest calls themselves; what was erased is nobody in particular.
    #[must_use]
    pub fn name(&self, id: &GuestId) -> String {
        self.inner.guests.get(&id.0).map_or_else(|| "a guest".to_owned(), |guest| guest.name.clone())
    }

    /// Guests of an event, oldest first.
    #[must_use]
    pub fn guests_of(&self, event: &EventId) -> Vec<(GuestId, Arc<StoredGuest>)> {
        let all = self.inner.guests.all().into_iter().filter(|(_, guest)| guest.event == *event);
        let mut all: Vec<_> = all.filter_map(|(key, guest)| Some((GuestId(key.try_into().ok()?), guest))).collect();
        all.sort_by_key(|(id, guest)| (guest.at, *id));
        all
    }

    /// Makes a guest; gives the secret of their private link, which is not kept.
    ///
    /// # Errors
    /// When there are too many, or the vault fails.
    pub fn join(&self, event: &EventId, name: String, now: u64) -> Result<(GuestId, String), GuestsError> {
        let _one_at_a_time = self.counting();
        if self.inner.guests.all().iter().filter(|(_, guest)| guest.event == *event).count() >= limits::GUESTS_PER_EVENT
        {
            return Err(GuestsError::Full("there are too many guests already; tell the host".into()));
        }
        let (id, secret) = (GuestId(random()?), data_encoding::HEXLOWER.encode(&random::<16>()?));
        let guest = StoredGuest { event: *event, secret: hash_of(&secret), name, at: now, blocked: false };
        self.inner.guests.put(&id.0, guest)?;
        self.tell(event);
        Ok((id, secret))
    }

    /// The guest of an event with this secret, unless the host has shut them out.
    #[must_use]
    pub fn guest_of_secret(&self, event: &EventId, secret: &str) -> Option<(GuestId, Arc<StoredGuest>)> {
        let hash = hash_of(secret);
        let mut all = self.inner.guests.all().into_iter();
        let found = all.find(|(_, guest)| guest.event == *event && bool::from(guest.secret.ct_eq(&hash)));
        let (key, guest) = found.filter(|(_, guest)| !guest.blocked)?;
        Some((GuestId(key.try_into().ok()?), guest))
    }

    /// Changes a guest. Durable when it returns.
    ///
    /// # Errors
    /// When the vault fails.
    pub fn change_guest(&self, id: GuestId, change: impl FnOnce(&mut StoredGuest)) -> Result<(), VaultError> {
        let changed = self.inner.guests.change(&id.0, |guest| {
            change(guest);
            true
        })?;
        if let Some(guest) = changed {
            self.tell(&guest.event);
        }
        Ok(())
    }

    // ---- removals ----

    /// Wishes that a photo be removed, newest first.
    #[must_use]
    pub fn removals_of(&self, event: &EventId) -> Vec<(ShortId, Arc<StoredRemoval>)> {
        let all = self.inner.removals.all().into_iter().filter(|(_, wish)| wish.event == *event);
        let mut all: Vec<_> = all.filter_map(|(key, wish)| Some((ShortId::try_from(key).ok()?, wish))).collect();
        all.sort_by_key(|(id, wish)| (std::cmp::Reverse(wish.at), *id));
        all
    }

    /// Notes such a wish; a second one for the same photo takes the place of the first. Durable when it returns.
    ///
    /// # Errors
    /// When there are too many, or the vault fails.
    pub fn ask_removal(&self, wish: StoredRemoval) -> Result<(), GuestsError> {
        let _one_at_a_time = self.counting();
        let mine: Vec<_> =
            self.removals_of(&wish.event).into_iter().filter(|(_, known)| known.guest == wish.guest).collect();
        let same = mine.iter().find(|(_, known)| known.asset == wish.asset).map(|(id, _)| *id);
        if same.is_none() && mine.len() >= limits::REMOVALS_PER_GUEST {
            return Err(GuestsError::Full("you have asked for many removals already; talk to the host".into()));
        }
        let id = same.map_or_else(random::<16>, Ok)?;
        let event = wish.event;
        self.inner.removals.put(&id, wish)?;
        self.tell(&event);
        Ok(())
    }

    /// Notes that the host has dealt with a wish; gives it. Durable when it returns.
    ///
    /// # Errors
    /// When the vault fails.
    pub fn removal_done(&self, id: &ShortId) -> Result<Option<Arc<StoredRemoval>>, VaultError> {
        let changed = self.inner.removals.change(id, |wish| {
            wish.done = true;
            true
        })?;
        if let Some(wish) = &changed {
            self.tell(&wish.event);
        }
        Ok(changed)
    }

    // ---- the end ----

    /// Erases what guests of an event left of themselves: faces, what they were found in, private links, files that never came to their end, and the names of
    /// those who added nothing. Photos that came are the host's, with the name of who added them. Durable when it returns; calling it again goes on.
    ///
    /// # Errors
    /// When the vault fails.
    pub fn erase(&self, event: &EventId, now: u64) -> Result<Erased, VaultError> {
        let guests = self.guests_of(event);
        let mut erased = Erased { guests: guests.len(), faces: 0 };
        for (id, upload) in self.uploads() {
            if upload.event == *event && upload.state.asset().is_none() {
                self.drop_upload(&id)?;
            }
        }
        for (guest, row) in guests {
            erased.faces += usize::from(self.selfie(guest).is_some());
            self.inner.selfies.remove(&[guest.0.to_vec()])?;
            self.inner.matches.remove(&self.match_keys(guest))?;
            if self.uploads_of(guest).is_empty() {
                self.inner.guests.remove(&[guest.0.to_vec()])?;
            } else if row.secret != [0; 32] {
                self.inner.guests.put(&guest.0, StoredGuest { secret: [0; 32], ..StoredGuest::clone(&row) })?;
            }
        }
        self.inner.vault.settle()?;
        if let Some(page) = self.page(event) {
            let page = StoredPage { on: false, erased_at: Some(now), wifi: None, ..StoredPage::clone(&page) };
            self.put_page(event, page)?;
        }
        Ok(erased)
    }
}

/// What was erased at the end of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Erased {
    /// Guests that there were.
    pub guests: usize,
    /// Faces of theirs.
    pub faces: usize,
}
