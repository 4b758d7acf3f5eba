//! Sessions of browsers: opened with a launch token, known by the hash of a cookie, ended by time, by log-out or by too many of them.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::super::limits::{SESSION_IDLE_MS, SESSION_LIFE_MS, SESSION_STORE_EVERY_MS, SESSIONS};
use super::secret::{SecretHash, WebSecret};
use crate::vault::Versioned;

/// A session as it is stored: no secret, only the hash of one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredSession {
    /// Hash of the cookie's value.
    pub hash: [u8; 32],
    /// Start, Unix ms.
    pub opened_at: u64,
    /// Last use, Unix ms.
    pub used_at: u64,
    /// What kind of browser it is, by its own word.
    pub browser: String,
    /// Whether the owner was told that it signed in.
    pub noted: bool,
    /// The address from which it signed in over the network; nothing for one on this device.
    pub from: Option<String>,
}

/// All sessions, as they are stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::web) struct StoredSessions(pub(in crate::web) Vec<StoredSession>);

impl Versioned for StoredSessions {
    const VERSION: u8 = 3;
    type Before = second::StoredSessions;
}

/// The forms of the first version.
mod first {
    use serde::{Deserialize, Serialize};

    #[derive(Serialize, Deserialize)]
    pub(in crate::web) struct StoredSession {
        pub(super) hash: [u8; 32],
        pub(super) opened_at: u64,
        pub(super) used_at: u64,
    }

    #[derive(Serialize, Deserialize)]
    pub(in crate::web) struct StoredSessions(pub(super) Vec<StoredSession>);

    crate::first_version!(StoredSessions);

    impl From<StoredSessions> for super::second::StoredSessions {
        fn from(StoredSessions(all): StoredSessions) -> Self {
            let browser = || "A browser".to_owned();
            let with = |StoredSession { hash, opened_at, used_at }| super::second::StoredSession {
                hash,
                opened_at,
                used_at,
                browser: browser(),
                noted: true,
            };
            Self(all.into_iter().map(with).collect())
        }
    }
}

/// The forms of the second version, in which all were on this device.
mod second {
    use serde::{Deserialize, Serialize};

    use crate::vault::Versioned;

    #[derive(Serialize, Deserialize)]
    pub(in crate::web) struct StoredSession {
        pub(super) hash: [u8; 32],
        pub(super) opened_at: u64,
        pub(super) used_at: u64,
        pub(super) browser: String,
        pub(super) noted: bool,
    }

    #[derive(Serialize, Deserialize)]
    pub(in crate::web) struct StoredSessions(pub(super) Vec<StoredSession>);

    impl Versioned for StoredSessions {
        const VERSION: u8 = 2;
        type Before = super::first::StoredSessions;
    }

    impl From<StoredSessions> for super::StoredSessions {
        fn from(StoredSessions(all): StoredSessions) -> Self {
            let with = |StoredSession { hash, opened_at, used_at, browser, noted }| super::StoredSession {
                hash,
                opened_at,
                used_at,
                browser,
                noted,
                from: None,
            };
            Self(all.into_iter().map(with).collect())
        }
    }
}

/// Where sessions outlive a restart. Calls may block; the web edge makes them on blocking threads.
pub trait SessionStore: Send + Sync + 'static {
    /// All sessions stored last; none where nothing can be read.
    fn load(&self) -> Vec<StoredSession>;
    /// Replaces what is stored.
    fn save(&self, sessions: &[StoredSession]);
    /// Tells the owner that a browser has signed in.
    fn tell(&self, session: &StoredSession);
    /// Tells the owner of a change in who may sign in.
    fn inform(&self, text: String);
    /// Tells the owner of something suspicious.
    fn warn(&self, text: String);
}

/// What became of a check.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Checked {
    /// No such session, or it has ended.
    Unknown,
    /// Good.
    Good,
    /// Good, and its last use is worth storing.
    GoodAndAged,
}

/// The live sessions.
pub(super) struct Sessions {
    live: Vec<StoredSession>,
    stored_at: u64,
}

impl Sessions {
    /// Goes on with those that were stored.
    pub(super) fn new(mut stored: Vec<StoredSession>) -> Self {
        stored.sort_by_key(|session| std::cmp::Reverse(session.used_at));
        stored.truncate(SESSIONS);
        Self { live: stored, stored_at: 0 }
    }

    /// Takes in those of `stored` that are not known yet.
    pub(super) fn join(&mut self, stored: Vec<StoredSession>) {
        let known = |one: &StoredSession| self.live.iter().any(|live| live.hash == one.hash);
        let new: Vec<StoredSession> = stored.into_iter().filter(|one| !known(one)).collect();
        self.live.extend(new);
        self.live.sort_by_key(|session| std::cmp::Reverse(session.used_at));
        self.live.truncate(SESSIONS);
    }

    /// Opens a session; the one unused for longest gives way when there are too many (D7).
    ///
    /// # Errors
    /// When the operating system gives no random bytes.
    pub(super) fn open(
        &mut self,
        browser: &str,
        from: Option<IpAddr>,
        now: u64,
    ) -> Result<WebSecret, getrandom::Error> {
        self.prune(now);
        let secret = WebSecret::random()?;
        self.live.sort_by_key(|session| std::cmp::Reverse(session.used_at));
        self.live.truncate(SESSIONS.saturating_sub(1));
        let (hash, browser, from) = (secret.hash().0, browser.to_owned(), from.map(|from| from.to_string()));
        self.live.push(StoredSession { hash, opened_at: now, used_at: now, browser, noted: false, from });
        Ok(secret)
    }

    /// Whether the session lives; marks it as used.
    pub(super) fn check(&mut self, hash: &SecretHash, now: u64) -> Checked {
        self.prune(now);
        let mut found = false;
        for session in &mut self.live {
            if hash.is(&SecretHash(session.hash)) {
                session.used_at = session.used_at.max(now);
                found = true;
            }
        }
        if !found {
            return Checked::Unknown;
        }
        if now.saturating_sub(self.stored_at) < SESSION_STORE_EVERY_MS {
            return Checked::Good;
        }
        self.stored_at = now;
        Checked::GoodAndAged
    }

    /// Whether the session lives, without marking it as used.
    pub(super) fn lives(&self, hash: &SecretHash, now: u64) -> bool {
        self.live.iter().any(|session| hash.is(&SecretHash(session.hash)) && alive(session, now))
    }

    /// Those that live, the one used last first, each with whether it is that of `mine`.
    pub(super) fn list(&mut self, mine: &SecretHash, now: u64) -> Vec<(StoredSession, bool)> {
        self.prune(now);
        let mut all: Vec<_> = self.live.iter().map(|one| (one.clone(), mine.is(&SecretHash(one.hash)))).collect();
        all.sort_by_key(|(one, _)| std::cmp::Reverse(one.used_at));
        all
    }

    /// Those that the owner was not told of, which counts as told now.
    pub(super) fn take_untold(&mut self) -> Vec<StoredSession> {
        let untold = self.live.iter_mut().filter(|one| !one.noted);
        untold
            .map(|one| {
                one.noted = true;
                one.clone()
            })
            .collect()
    }

    /// Ends a session.
    pub(super) fn close(&mut self, hash: &SecretHash) {
        self.live.retain(|session| !hash.is(&SecretHash(session.hash)));
    }

    /// Ends every session but this one.
    pub(super) fn keep_only(&mut self, hash: Option<&SecretHash>) {
        self.live.retain(|session| hash.is_some_and(|hash| hash.is(&SecretHash(session.hash))));
    }

    /// What to store.
    pub(super) fn stored(&self) -> Vec<StoredSession> {
        self.live.clone()
    }

    fn prune(&mut self, now: u64) {
        self.live.retain(|session| alive(session, now));
    }
}

fn alive(session: &StoredSession, now: u64) -> bool {
    now.saturating_sub(session.used_at) < SESSION_IDLE_MS && now.saturating_sub(session.opened_at) < SESSION_LIFE_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good(sessions: &mut Sessions, secret: &WebSecret, now: u64) -> bool {
        sessions.check(&secret.hash(), now) != Checked::Unknown
    }

    #[test]
    fn a_session_ends_when_unused_for_long() {
        let mut sessions = Sessions::new(Vec::new());
        let secret = sessions.open("Firefox on Linux", None, 0).unwrap();
        assert!(good(&mut sessions, &secret, SESSION_IDLE_MS - 1));
        assert!(good(&mut sessions, &secret, SESSION_IDLE_MS * 2 - 2));
        assert!(!good(&mut sessions, &secret, SESSION_IDLE_MS * 3 - 2));
    }

    #[test]
    fn a_session_ends_after_its_life_however_much_used() {
        let mut sessions = Sessions::new(Vec::new());
        let secret = sessions.open("Firefox on Linux", None, 0).unwrap();
        let mut now = 0;
        while now + SESSION_IDLE_MS / 2 < SESSION_LIFE_MS {
            now += SESSION_IDLE_MS / 2;
            assert!(good(&mut sessions, &secret, now));
        }
        assert!(!good(&mut sessions, &secret, SESSION_LIFE_MS));
    }

    #[test]
    fn d7_the_session_unused_for_longest_gives_way() {
        let mut sessions = Sessions::new(Vec::new());
        let all: Vec<_> =
            (0..SESSIONS as u64).map(|now| sessions.open("Firefox on Linux", None, now).unwrap()).collect();
        assert!(good(&mut sessions, &all[0], 100));
        let newest = sessions.open("Firefox on Linux", None, 101).unwrap();
        assert_eq!(sessions.stored().len(), SESSIONS);
        assert!(good(&mut sessions, &all[0], 102));
        assert!(good(&mut sessions, &newest, 102));
        assert!(!good(&mut sessions, &all[1], 102));
    }

    #[test]
    fn a_closed_session_is_unknown_and_a_stored_one_goes_on() {
        let mut sessions = Sessions::new(Vec::new());
        let (kept, closed) =
            (sessions.open("Firefox on Linux", None, 0).unwrap(), sessions.open("Firefox on Linux", None, 0).unwrap());
        sessions.close(&closed.hash());
        let mut later = Sessions::new(sessions.stored());
        assert!(good(&mut later, &kept, 1));
        assert!(!good(&mut later, &closed, 1));
        assert!(later.lives(&kept.hash(), 1) && !later.lives(&kept.hash(), SESSION_LIFE_MS));
    }

    #[test]
    fn all_but_one_are_ended_at_once() {
        let mut sessions = Sessions::new(Vec::new());
        let (kept, other) =
            (sessions.open("Firefox on Linux", None, 0).unwrap(), sessions.open("Firefox on Linux", None, 0).unwrap());
        sessions.keep_only(Some(&kept.hash()));
        assert!(good(&mut sessions, &kept, 1) && !good(&mut sessions, &other, 1));
        sessions.keep_only(None);
        assert!(!good(&mut sessions, &kept, 1));
    }

    #[test]
    fn d3_a_stored_session_does_not_hold_the_cookie() {
        let mut sessions = Sessions::new(Vec::new());
        let secret = sessions.open("Firefox on Linux", None, 0).unwrap();
        let stored = serde_json::to_string(&sessions.stored()).unwrap();
        assert!(!stored.contains(secret.text()));
    }

    #[test]
    fn sessions_are_listed_and_the_owner_is_told_of_each_once() {
        let mut sessions = Sessions::new(Vec::new());
        let (mine, other) =
            (sessions.open("Firefox on Linux", None, 1).unwrap(), sessions.open("Safari on iPhone", None, 5).unwrap());
        let listed: Vec<_> =
            sessions.list(&mine.hash(), 6).into_iter().map(|(one, mine)| (one.browser, mine)).collect();
        assert_eq!(listed, [("Safari on iPhone".to_owned(), false), ("Firefox on Linux".to_owned(), true)]);
        assert_eq!(sessions.take_untold().len(), 2);
        assert!(sessions.take_untold().is_empty() && Sessions::new(sessions.stored()).take_untold().is_empty());
        sessions.close(&other.hash());
        assert_eq!(sessions.list(&mine.hash(), 6).len(), 1);
    }

    #[test]
    fn sessions_of_older_versions_are_read() {
        use crate::vault::Older;
        let old = first::StoredSessions(vec![first::StoredSession { hash: [3; 32], opened_at: 1, used_at: 2 }]);
        let read = StoredSessions::read(1, &postcard::to_allocvec(&old).unwrap()).unwrap().unwrap();
        assert_eq!((read.0[0].hash, read.0[0].noted, read.0[0].from.clone()), ([3; 32], true, None));
        let browser = "Firefox on Linux".to_owned();
        let old = second::StoredSession { hash: [4; 32], opened_at: 1, used_at: 2, browser, noted: false };
        let old = postcard::to_allocvec(&second::StoredSessions(vec![old])).unwrap();
        let read = StoredSessions::read(2, &old).unwrap().unwrap();
        assert_eq!((read.0[0].hash, read.0[0].noted, read.0[0].from.clone()), ([4; 32], false, None));
    }
}
