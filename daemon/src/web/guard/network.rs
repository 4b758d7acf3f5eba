//! The front for the network: its names, its cookie, and signing in with the password.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use super::tries::News;
use super::{Front, Guards, HostList, locked};
use crate::vault::password::{PasswordError, PasswordFile};

/// What became of a password.
#[derive(Debug)]
pub(in crate::web) enum Tried {
    /// It is the right one.
    Right,
    /// It is another.
    Wrong,
    /// There were too many wrong ones: nothing was looked at.
    Wait(Duration),
}

/// Wrong passwords while the vault was locked.
#[derive(Debug, Default)]
pub(super) struct Unheard {
    count: u64,
    last: Option<IpAddr>,
}

impl Unheard {
    /// A sentence about them, once.
    pub(super) fn take(&mut self) -> Option<String> {
        let Self { count, last } = std::mem::take(self);
        let last = last?;
        let many = if count == 1 { "A wrong password was".to_owned() } else { format!("{count} wrong passwords were") };
        Some(format!("{many} tried over the network while the vault was locked, the last one from {last}."))
    }
}

impl Guards {
    /// The front for the network at this port, under these names of the device and those that the owner added. Sessions and launch links are the same.
    #[must_use]
    pub fn for_network(&self, port: u16, own_names: &[String], added_hosts: &[String]) -> Self {
        let front = Front {
            origin: self.front.origin.clone(),
            // Browsers take a name that begins so only from an encrypted answer of this very host.
            cookie: format!("__Host-inframe_{port}"),
            hosts: HostList::of_network(port, own_names, added_hosts),
            of_network: true,
        };
        Self { front: Arc::new(front), shared: Arc::clone(&self.shared) }
    }

    /// Looks at a password from `caller`; a wrong one makes the next try wait. Goes on to its end even if nobody waits for it, so that each is counted.
    ///
    /// # Errors
    /// When the file of the password cannot be read.
    pub(in crate::web) async fn try_password(
        &self,
        file: PasswordFile,
        password: Zeroizing<String>,
        caller: IpAddr,
    ) -> Result<Tried, PasswordError> {
        let guards = self.clone();
        let tried = tokio::spawn(async move { guards.try_now(file, password, caller).await });
        tried.await.unwrap_or(Ok(Tried::Wrong))
    }

    async fn try_now(
        &self,
        file: PasswordFile,
        password: Zeroizing<String>,
        caller: IpAddr,
    ) -> Result<Tried, PasswordError> {
        let wait = || locked(&self.shared.tries).wait(caller, Instant::now());
        // Whoever has to wait does not stand in line before the others.
        let before = wait();
        if before > Duration::ZERO {
            return Ok(Tried::Wait(before));
        }
        let _turn = self.shared.guessing.lock().await;
        let now = wait();
        if now > Duration::ZERO {
            return Ok(Tried::Wait(now));
        }
        let looked = tokio::task::spawn_blocking(move || file.is(&password)).await;
        if looked.unwrap_or(Ok(false))? {
            locked(&self.shared.tries).right(caller);
            return Ok(Tried::Right);
        }
        let news = locked(&self.shared.tries).wrong(caller, Instant::now());
        self.tell_of_wrong(caller, news).await;
        Ok(Tried::Wrong)
    }

    /// Tells the owner of a change of the password.
    pub(in crate::web) async fn tell(&self, text: String) {
        if let Err(error) = self.with_store(move |_, store| store.inform(text)).await {
            tracing::warn!(%error, "a change of the password could not be noted");
        }
    }

    async fn tell_of_wrong(&self, caller: IpAddr, news: News) {
        tracing::warn!("somebody tried a wrong password over the network");
        let text = match news {
            News::OfAddress(1) => Some(format!("Somebody tried a wrong password for this dashboard, from {caller}.")),
            News::OfAddress(many) => {
                Some(format!("{many} wrong passwords in a row were tried for this dashboard, from {caller}."))
            }
            News::OfMany => {
                Some("Many wrong passwords are being tried for this dashboard over the network.".to_owned())
            }
            News::Nothing => None,
        };
        let told = match text {
            Some(text) => self.with_store(move |_, store| store.warn(text)).await.unwrap_or(false),
            None => locked(&self.shared.store).is_some(),
        };
        if !told {
            let mut unheard = locked(&self.shared.unheard);
            unheard.count = unheard.count.saturating_add(1);
            unheard.last = Some(caller);
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;

    use super::*;
    use crate::data_dir::DataDir;

    fn guards() -> (Guards, Guards) {
        let local = Guards::new(([127, 0, 0, 1], 7410).into(), &[]);
        let network = local.for_network(7414, &["nas".into()], &[]);
        (local, network)
    }

    #[tokio::test]
    async fn the_cookie_of_the_network_is_for_encrypted_connections_of_this_host_only_and_its_session_is_shared() {
        let (local, network) = guards();
        let from = IpAddr::from([192, 168, 1, 9]);
        let cookie = network.open_session(&HeaderMap::new(), Some(from)).await.unwrap();
        assert!(cookie.starts_with("__Host-inframe_7414="), "{cookie}");
        for part in ["; Secure", "; HttpOnly", "; SameSite=Strict", "; Path=/;"] {
            assert!(cookie.contains(part), "{cookie}");
        }
        assert!(!cookie.contains("Domain"), "{cookie}");
        let mut headers = HeaderMap::new();
        headers.insert("cookie", cookie.split(';').next().unwrap().parse().unwrap());
        let visitor = network.visitor(&headers).await.unwrap();
        assert_eq!(visitor.sessions()[0].0.from.as_deref(), Some("192.168.1.9"));
        assert!(local.visitor(&headers).await.is_none(), "the other front has a cookie of its own");
        local.end_others(None).await;
        assert!(network.visitor(&headers).await.is_none(), "and the same sessions");
    }

    #[tokio::test]
    async fn wrong_passwords_make_wait_and_are_told_of_once_the_vault_is_unlocked() {
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::open(folder.path().join("data")).unwrap();
        let file = PasswordFile::of(&dir);
        file.set("lanterns on the lake").unwrap();
        let (_, network) = guards();
        let (one, other) = (IpAddr::from([192, 168, 1, 66]), IpAddr::from([192, 168, 1, 9]));
        let try_one = |password: &str, from| network.try_password(file.clone(), Zeroizing::new(password.into()), from);
        for _ in 0..super::super::super::limits::TRIES_FREE {
            assert!(matches!(try_one("lanterns on the lak", one).await.unwrap(), Tried::Wrong));
        }
        assert!(matches!(try_one("lanterns on the lake", one).await.unwrap(), Tried::Wait(_)), "the right one too");
        assert!(matches!(try_one("lanterns on the lake", other).await.unwrap(), Tried::Right));
        let told = locked(&network.shared.unheard).take().unwrap();
        assert!(told.starts_with("4 wrong passwords were tried over the network"), "{told}");
        assert!(told.contains("192.168.1.66") && locked(&network.shared.unheard).take().is_none());
    }
}
