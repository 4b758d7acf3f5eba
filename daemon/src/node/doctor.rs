//! The checks of a running node: facts from its parts, judged by [`crate::doctor`].

use std::io;
use std::time::Duration;

use tokio::time::timeout;

use super::{Answer, Node};
use crate::clock::now_ms;
use crate::doctor::decoding::TriedPack;
use crate::doctor::interfaces::{Interface, all};
use crate::doctor::multicast::try_all;
use crate::doctor::ports::{Listening, sockets};
use crate::doctor::{
    self, Check, Rounds, certificate, clock, decoding, interfaces, multicast, notices, outside, ports, storage,
};
use crate::live::What;
use crate::network::{Outside, RelayState};
use crate::sandbox::Model;
use crate::tasks::Stage;
use crate::tls::Tls;
use crate::views::DoctorView;
use crate::workers::{Core, blocking};

/// How long a relay that is not connected may take before it is said that it does not answer.
const RELAY_WITHIN: Duration = Duration::from_secs(8);

impl Node {
    /// What the last checks have shown, and how far the present ones are.
    ///
    /// # Errors
    /// None at present.
    pub async fn doctor(&self) -> Answer<DoctorView> {
        Ok(self.core.doctor.view())
    }

    /// Begins the checks, unless they run already.
    ///
    /// # Errors
    /// None at present.
    pub async fn run_doctor(&self) -> Answer<DoctorView> {
        if let Some(round) = Rounds::begin(&self.core.doctor) {
            let node = self.clone();
            let stop = self.core.tasks.stop_token(Stage::Work);
            self.core.tasks.spawn(Stage::Work, "doctor", async move {
                let live = node.core.live.clone();
                let checks = node.check_all(|check| {
                    round.note(check);
                    live.tell(What::Status, None);
                });
                if stop.run_until_cancelled(checks).await.is_some() {
                    round.complete(now_ms());
                }
                live.tell(What::Status, None);
            });
            self.core.live.tell(What::Status, None);
        }
        self.doctor().await
    }

    /// One check after the other, each given to `note` when it is done.
    async fn check_all(&self, note: impl Fn(Check)) {
        let (core, place) = (&self.core, &self.place);
        let found = blocking(all).await.unwrap_or_else(|error| Err(io::Error::other(error)));
        note(interfaces::check(&found));
        let found: Vec<Interface> = found.unwrap_or_default();

        let own = found.iter().flat_map(|interface| interface.addresses.clone()).collect::<Vec<_>>();
        let tried = if place.mdns { blocking(move || try_all(&found)).await.ok() } else { None };
        note(multicast::check(tried.as_deref()));

        let bound = sockets(&core.network.addresses());
        let listening = Listening { wished: place.listen.clone(), bound: bound.clone(), dashboard: place.dashboard };
        note(ports::check(&listening));

        let named = core.relay.get().address;
        let (state, seen) = look_outside(core).await;
        note(outside::router(named.is_some(), &seen, &own, &bound));
        note(outside::relay(named.as_deref(), &state, &seen));

        let shown = place.certificate.as_ref().map(Tls::shown);
        note(certificate::check(shown.as_ref(), now_ms()));

        let (_, sent_at, failure) = core.notice_desk.news();
        let named = core.notices.get().receiver.is_some();
        let failure = failure.map(|failure| failure.text);
        note(notices::check(&notices::Sending { named, taken: sent_at.is_some(), failure }));

        note(clock::check(&self.known_times(&seen).await));

        let (folder, keep_free) = (place.dir.root.clone(), place.keep_free);
        let disk = blocking(move || storage::check(&folder, keep_free)).await;
        note(disk.unwrap_or_else(|error| broken_off(doctor::Topic::Disk, &error)));

        note(decoding::models(&self.tried_packs().await));
        let warmed = core.sandbox.warm().await.map_err(|error| error.to_string());
        let report = core.sandbox.status().report;
        note(decoding::sandbox(warmed.map(|()| (report.active.as_slice(), report.gaps.as_slice()))));
        let videos = core.videos.clone();
        note(decoding::videos(blocking(move || videos.are_there()).await.unwrap_or(false)));
    }

    /// What is known of the time. An entry of the log counts as saved: its time is as exact as that of a file, and it comes with a backup.
    async fn known_times(&self, seen: &Outside) -> clock::Known {
        let (core, root) = (self.core.clone(), self.place.dir.root.clone());
        let relay = seen.relay.as_ref().map(|relay| (relay.now_ms, relay.round_trip));
        let known = blocking(move || {
            let entry = core.activity.read(None, 1).ok().and_then(|entries| Some(entries.first()?.at));
            clock::Known {
                now: now_ms(),
                saved: clock::last_saved(&root).max(entry),
                record: core.events.newest_of_others(),
                relay: None,
            }
        });
        let known = known.await.unwrap_or_else(|_| clock::Known { now: now_ms(), ..clock::Known::default() });
        clock::Known { relay, ..known }
    }

    /// The pack in use first, tried out; of the others what their `pack.toml` says.
    async fn tried_packs(&self) -> Vec<TriedPack> {
        let core = self.core.clone();
        let listed = blocking(move || (core.packs.chosen(), core.packs.list())).await;
        let Ok((Ok(chosen), Ok(listed))) = listed else {
            return vec![TriedPack::missing(String::new(), "the folder of the packs cannot be read".into())];
        };
        let builtin = Model::builtin().id.to_string();
        let chosen = chosen.unwrap_or(builtin);
        let mut tried = Vec::new();
        match listed.iter().find(|pack| pack.id == chosen).map(|pack| &pack.facts) {
            None => tried.push(TriedPack::missing(chosen.clone(), "its folder is gone".into())),
            Some(Err(error)) => tried.push(TriedPack::missing(chosen.clone(), error.to_string())),
            Some(Ok(_)) => {
                let core = self.core.clone();
                let id = chosen.clone();
                match blocking(move || core.packs.find(&id)).await {
                    Ok(Ok((_, model))) => tried.push(TriedPack::run(&self.core.sandbox, &model).await),
                    Ok(Err(error)) => tried.push(TriedPack::missing(chosen.clone(), error.to_string())),
                    Err(error) => tried.push(TriedPack::missing(chosen.clone(), error.to_string())),
                }
            }
        }
        let others = listed.into_iter().filter(|pack| pack.id != chosen);
        tried.extend(others.map(|pack| TriedPack {
            id: pack.id,
            built_in: pack.built_in,
            outcome: pack.facts.map(drop).map_err(|error| error.to_string()),
        }));
        tried
    }
}

/// Asks the relay, if there is one. One that is not connected is tried now and waited for.
async fn look_outside(core: &Core) -> (RelayState, Outside) {
    let mut state = core.network.relay();
    let first = core.network.look_outside().await;
    let now = state.borrow_and_update().clone();
    // One that answers and does not take the token says so at once.
    let refused = first.relay.as_ref().is_some_and(|relay| !relay.admitted);
    if refused || matches!(now, RelayState::None | RelayState::Reserved) {
        return (now, first);
    }
    let connecting = now == RelayState::Connecting;
    let settled =
        |state: &RelayState| *state == RelayState::Reserved || (connecting && *state != RelayState::Connecting);
    // Over time is an answer as well: it stays as it was.
    let _ = timeout(RELAY_WITHIN, state.wait_for(settled)).await;
    let now = state.borrow().clone();
    let seen = core.network.look_outside().await;
    (now, seen)
}

fn broken_off(topic: doctor::Topic, error: &anyhow::Error) -> Check {
    Check::not_checked(topic, format!("The check was broken off: {error}."), "Check again.")
}
