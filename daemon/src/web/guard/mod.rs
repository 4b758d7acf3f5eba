//! Who may speak to the dashboard's TCP ports: host names, one-time launch links, the password, sessions, same-origin checks and response headers.
//!
//! There are two fronts with the same sessions behind them: one on this device, in the clear, and, where the owner wants it, one for the network, always
//! encrypted. Deliberately absent: CORS (no other origin is ever allowed), tokens in URLs that a server sees (the launch token stands in the fragment, which
//! browsers keep to themselves), a password on this device itself.

mod browser;
mod host;
mod launch;
mod layers;
mod network;
pub(crate) mod secret;
mod session;
mod tries;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::http::HeaderMap;
use axum::http::header::COOKIE;

pub use self::layers::PAGE_POLICY;
pub(super) use self::layers::{guarded, only_signed_in};
pub(in crate::web) use self::network::Tried;
pub(in crate::web) use self::session::StoredSessions;
pub use self::session::{SessionStore, StoredSession};

use self::host::HostList;
use self::launch::LaunchTokens;
use self::network::Unheard;
use self::secret::SecretHash;
use self::session::{Checked, Sessions};
use self::tries::Tries;
use super::limits::SESSION_LIFE_MS;

/// Gives the time in Unix milliseconds; an argument so that expiry is tested without waiting.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// The guards of one front of the dashboard; cheap to clone.
#[derive(Clone)]
pub struct Guards {
    front: Arc<Front>,
    shared: Arc<Shared>,
}

/// What differs between the fronts.
struct Front {
    origin: String,
    cookie: String,
    hosts: HostList,
    /// Whether it is that of the network.
    of_network: bool,
}

/// What both have in common.
struct Shared {
    launch: Mutex<LaunchTokens>,
    sessions: Mutex<Sessions>,
    /// Held while storing, so that an older state never overwrites a newer one.
    storing: Mutex<()>,
    /// Where sessions outlive a restart; nowhere while the vault is locked.
    store: Mutex<Option<Arc<dyn SessionStore>>>,
    tries: Mutex<Tries>,
    /// Held while a password is looked at: one at a time, so that nobody takes all memory.
    guessing: Arc<tokio::sync::Mutex<()>>,
    /// Wrong passwords that the log could not hear of.
    unheard: Mutex<Unheard>,
    clock: Clock,
}

/// The operating system gave no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the operating system gave no random bytes; restart the daemon")]
pub struct NoRandomness(#[from] getrandom::Error);

/// A browser that is signed in, known by the hash of its cookie.
#[derive(Clone)]
pub(super) struct Visitor {
    guards: Guards,
    hash: SecretHash,
}

impl Guards {
    /// Guards for a dashboard bound at `bound` on this device, which also answers to the names in `added_hosts`.
    pub fn new(bound: SocketAddr, added_hosts: &[String]) -> Self {
        Self::with_clock(bound, added_hosts, Arc::new(unix_millis))
    }

    /// The same with a clock of one's own.
    pub fn with_clock(bound: SocketAddr, added_hosts: &[String], clock: Clock) -> Self {
        let port = bound.port();
        let front = Front {
            origin: format!("http://{bound}"),
            // Cookies do not tell ports apart, so the name does: two daemons on one machine keep out of each other's way.
            cookie: format!("inframe_{port}"),
            hosts: HostList::new(port, added_hosts),
            of_network: false,
        };
        let shared = Shared {
            launch: Mutex::new(LaunchTokens::default()),
            sessions: Mutex::new(Sessions::new(Vec::new())),
            storing: Mutex::new(()),
            store: Mutex::default(),
            tries: Mutex::default(),
            guessing: Arc::default(),
            unheard: Mutex::default(),
            clock,
        };
        Self { front: Arc::new(front), shared: Arc::new(shared) }
    }

    /// Goes on with the sessions in `store` beside those of now, and stores all of them there from now on.
    pub async fn attach(&self, store: Arc<dyn SessionStore>) {
        let shared = Arc::clone(&self.shared);
        let stored = tokio::task::spawn_blocking(move || {
            let _turn = locked(&shared.storing);
            locked(&shared.sessions).join(store.load());
            save(&shared, store.as_ref());
            if let Some(text) = locked(&shared.unheard).take() {
                store.warn(text);
            }
            *locked(&shared.store) = Some(store);
        });
        if let Err(error) = stored.await {
            tracing::warn!(%error, "stored sessions could not be read; browsers need a new launch link");
        }
    }

    /// Stores sessions nowhere any more; those of now live on in memory.
    pub fn detach(&self) {
        // Not while one is being stored: what stores holds the vault.
        let _turn = locked(&self.shared.storing);
        *locked(&self.shared.store) = None;
    }

    /// Opens a session; the `Set-Cookie` value for it. For somebody who has shown that they are the owner, and is at this address if not on this device.
    pub(super) async fn open_session(&self, headers: &HeaderMap, from: Option<IpAddr>) -> Result<String, NoRandomness> {
        let secret = locked(&self.shared.sessions).open(&browser::name(headers), from, self.now())?;
        self.store_sessions().await;
        Ok(self.cookie_line(secret.text(), SESSION_LIFE_MS / 1000))
    }

    /// Ends every session but that of `visitor`, and makes launch links that nobody used yet useless.
    pub(super) async fn end_others(&self, visitor: Option<Visitor>) {
        *locked(&self.shared.launch) = LaunchTokens::default();
        locked(&self.shared.sessions).keep_only(visitor.map(|visitor| visitor.hash).as_ref());
        self.store_sessions().await;
    }

    /// Address of the dashboard on this device, such as `http://127.0.0.1:7410`.
    pub fn origin(&self) -> &str {
        &self.front.origin
    }

    /// Whether this is the front of the network.
    pub(super) fn of_network(&self) -> bool {
        self.front.of_network
    }

    /// A fresh link that signs one browser in, once, within ten minutes.
    ///
    /// # Errors
    /// When the operating system gives no random bytes.
    pub fn launch_link(&self) -> Result<String, NoRandomness> {
        self.launch_link_at(&self.front.origin)
    }

    /// The same for a browser that reaches the dashboard at `origin`.
    pub(super) fn launch_link_at(&self, origin: &str) -> Result<String, NoRandomness> {
        let token = locked(&self.shared.launch).issue(self.now())?;
        Ok(format!("{origin}/#launch={}", token.text()))
    }

    /// Swaps a launch token for the `Set-Cookie` value of a new session; `None` if the token is not good.
    pub(super) async fn sign_in(
        &self,
        token: &str,
        headers: &HeaderMap,
        from: Option<IpAddr>,
    ) -> Result<Option<String>, NoRandomness> {
        let now = self.now();
        if !locked(&self.shared.launch).redeem(token, now) {
            return Ok(None);
        }
        self.open_session(headers, from).await.map(Some)
    }

    /// The visitor whose session cookie is in `headers`, if it is good.
    pub(super) async fn visitor(&self, headers: &HeaderMap) -> Option<Visitor> {
        let hash = SecretHash::of(cookie_value(headers, &self.front.cookie)?);
        let checked = locked(&self.shared.sessions).check(&hash, self.now());
        match checked {
            Checked::Unknown => return None,
            Checked::Good => {}
            Checked::GoodAndAged => self.store_sessions().await,
        }
        Some(Visitor { guards: self.clone(), hash })
    }

    fn now(&self) -> u64 {
        (self.shared.clock)()
    }

    fn cookie_line(&self, value: &str, max_age_s: u64) -> String {
        let secure = if self.front.of_network { "; Secure" } else { "" };
        format!("{}={value}; HttpOnly; SameSite=Strict; Path=/; Max-Age={max_age_s}{secure}", self.front.cookie)
    }

    async fn store_sessions(&self) {
        let stored = self.with_store(save).await;
        if let Err(error) = stored {
            tracing::warn!(%error, "sessions could not be stored; browsers need a new launch link after a restart");
        }
    }

    /// Does something with the store, if there is one now. Whether there is.
    async fn with_store(
        &self,
        work: impl FnOnce(&Shared, &dyn SessionStore) + Send + 'static,
    ) -> Result<bool, tokio::task::JoinError> {
        let shared = Arc::clone(&self.shared);
        tokio::task::spawn_blocking(move || {
            let _turn = locked(&shared.storing);
            let Some(store) = locked(&shared.store).clone() else { return false };
            work(&shared, store.as_ref());
            true
        })
        .await
    }
}

/// Stores the sessions of now and tells of those that are new. Only with `storing` held.
fn save(shared: &Shared, store: &dyn SessionStore) {
    let (new, sessions) = {
        let mut sessions = locked(&shared.sessions);
        (sessions.take_untold(), sessions.stored())
    };
    store.save(&sessions);
    new.iter().for_each(|session| store.tell(session));
}

impl fmt::Debug for Guards {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guards").field("origin", &self.front.origin).finish_non_exhaustive()
    }
}

impl Visitor {
    /// Whether the session still lives; a question from a live socket, which does not count as use.
    pub(super) fn still_signed_in(&self) -> bool {
        locked(&self.guards.shared.sessions).lives(&self.hash, self.guards.now())
    }

    /// All browsers that are signed in, the one used last first, and whether each is this one.
    pub(super) fn sessions(&self) -> Vec<(StoredSession, bool)> {
        locked(&self.guards.shared.sessions).list(&self.hash, self.guards.now())
    }

    /// Ends the session with this hash. Whether there was one.
    pub(super) async fn end(&self, hash: [u8; 32]) -> bool {
        let known = self.sessions().iter().any(|(one, _)| one.hash == hash);
        locked(&self.guards.shared.sessions).close(&SecretHash(hash));
        self.guards.store_sessions().await;
        known
    }

    /// Ends every session but this one, and launch links that nobody used yet.
    pub(super) async fn end_others(self) {
        let guards = self.guards.clone();
        guards.end_others(Some(self)).await;
    }

    /// Ends the session; the `Set-Cookie` value that removes the cookie.
    pub(super) async fn sign_out(&self) -> String {
        locked(&self.guards.shared.sessions).close(&self.hash);
        self.guards.store_sessions().await;
        self.guards.cookie_line("", 0)
    }
}

fn cookie_value<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(';')).find_map(|pair| {
        let (key, value) = pair.trim().split_once('=')?;
        (key == name).then_some(value)
    })
}

fn unix_millis() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every change under these locks is a single step, so a panic elsewhere leaves no half-made state behind.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_cookie_is_found_among_others_and_by_its_whole_name() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("a=1; inframe_74101=no; inframe_7410=yes; b=2"));
        assert_eq!(cookie_value(&headers, "inframe_7410"), Some("yes"));
        assert_eq!(cookie_value(&headers, "frame_7410"), None);
        assert_eq!(cookie_value(&HeaderMap::new(), "inframe_7410"), None);
    }

    #[test]
    fn debug_shows_no_secret() {
        let guards = Guards::new(([127, 0, 0, 1], 7410).into(), &[]);
        assert_eq!(format!("{guards:?}"), r#"Guards { origin: "http://127.0.0.1:7410", .. }"#);
    }
}
