//! A host, a photographer and a finder who meet in an event: the set-up that sharing tests and the demo have in common.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::api::Api;
use crate::daemon::{Daemon, Options};
use crate::lan::Lan;
use crate::photos;
use crate::views::{Asset, Event, EventPatch, Person, Status};
use crate::wait::{Seen, wait_until};

/// For what takes messages only: a second on an idle machine.
pub const SOON: Duration = Duration::from_secs(30);
/// For what takes decoding and face finding of some photos on a loaded machine.
pub const WORKED: Duration = Duration::from_secs(180);
/// How long a test announcement lasts.
const ANNOUNCE_HOURS: u32 = 24;

/// Three nodes in one event.
pub struct Scene {
    /// Made the event.
    pub host: Daemon,
    /// Holds photos.
    pub photographer: Daemon,
    /// Looks for photos of herself.
    pub finder: Daemon,
    /// Id of the event.
    pub event: String,
}

impl Scene {
    /// Three daemons on loopback, the event made, photographer and finder admitted, the finder enrolled but not announced; both holders share
    /// all their photos by `policy`.
    ///
    /// # Errors
    /// When any step fails.
    pub async fn gather(policy: &str) -> Result<Self> {
        let (host, photographer, finder) = tokio::try_join!(
            Daemon::start_with(Options::local("Host")),
            Daemon::start_with(Options::local("Photographer")),
            Daemon::start_with(Options::local("Finder")),
        )?;
        let event = host.api().create_event("Summer party").await?.id;
        for joiner in [&photographer, &finder] {
            let link = host.api().invite(&event, None, None).await?.link;
            join(host.api(), joiner, &event, &link).await?;
        }
        for holder in [&host, &photographer] {
            share_all(holder.api(), &event, policy).await?;
        }
        enrol(finder.api()).await?;
        Ok(Self { host, photographer, finder, event })
    }

    /// The event as the finder's node sees it.
    ///
    /// # Errors
    /// When the daemon does not answer.
    pub async fn finders_event(&self) -> Result<Event> {
        self.finder.api().event(&self.event).await
    }

    /// Waits until the finder has received `count` photos and gives them.
    ///
    /// # Errors
    /// When they do not come.
    pub async fn wait_for_received(&self, count: usize) -> Result<Vec<Asset>> {
        let what = format!("{count} received photos");
        wait_until(&what, WORKED, async || {
            let got = received(self.finder.api()).await?;
            Ok(if got.len() >= count { Seen::Done(got) } else { Seen::NotYet(format!("{} received", got.len())) })
        })
        .await
    }

    /// Waits until no worker of any node has anything left to do, so that what has not been sent by then will not be sent.
    ///
    /// # Errors
    /// When they do not come to rest.
    pub async fn wait_for_rest(&self) -> Result<()> {
        for node in [&self.host, &self.photographer, &self.finder] {
            wait_for_rest(node).await?;
        }
        // What a node sent last may have given another one work.
        for node in [&self.finder, &self.photographer, &self.host] {
            wait_for_rest(node).await?;
        }
        Ok(())
    }
}

/// Starts a daemon on each host of a network, in one event that the first has made. Gives them and the id of the event.
///
/// # Errors
/// When any step fails.
pub async fn gather_on(lan: &Lan, hosts: usize) -> Result<(Vec<Daemon>, String)> {
    let starting = (0..hosts).map(|host| Daemon::start_with(lan.options(host, &format!("Node {host}"))));
    let nodes = futures::future::try_join_all(starting).await?;
    let (first, others) = nodes.split_first().context("no hosts")?;
    let event = first.api().create_event("Party").await?.id;
    let patch = EventPatch { admit_automatically: Some(true), ..EventPatch::default() };
    first.api().patch_event(&event, &patch).await?;
    let link = first.api().invite(&event, None, Some(10)).await?.link;
    for node in others {
        node.api().join(&link).await?;
    }
    for node in &nodes {
        wait_until(&format!("all members at {}", node.nickname()), SOON, async || {
            let seen = node.api().event(&event).await?;
            let all = seen.members.len() == hosts;
            Ok(Seen::when(all.then_some(()), || format!("{} members, {:?}", seen.members.len(), seen.problem)))
        })
        .await?;
    }
    Ok((nodes, event))
}

/// Waits until all workers of `node` are idle with nothing pending.
///
/// # Errors
/// When they do not come to rest.
pub async fn wait_for_rest(node: &Daemon) -> Result<Status> {
    let what = format!("{} at rest", node.nickname());
    wait_until(&what, WORKED, async || {
        let status = node.api().status().await?;
        Ok(if status.at_rest() { Seen::Done(status) } else { Seen::NotYet(format!("{:?}", status.workers)) })
    })
    .await
}

/// `joiner` pastes the link, the host admits, the joiner sees itself a member.
///
/// # Errors
/// When any step fails.
pub async fn join(host: &Api, joiner: &Daemon, event: &str, link: &str) -> Result<()> {
    joiner.api().join(link).await.context("the invite was not taken")?;
    let asks = wait_until("the request to join at the host", SOON, async || {
        let waiting = host.event(event).await?.waiting;
        let mine = waiting.iter().find(|admission| admission.nickname == joiner.nickname()).cloned();
        Ok(Seen::when(mine, || format!("{waiting:?}")))
    })
    .await?;
    host.admit(event, &asks.id, true).await?;
    wait_until("the admission at the joiner", SOON, async || {
        let seen = joiner.api().event(event).await?;
        Ok(if seen.role == "member" {
            Seen::Done(())
        } else {
            Seen::NotYet(format!("role {}, problem {:?}", seen.role, seen.problem))
        })
    })
    .await
}

/// The owner of this node agrees that faces are found in its photos, and all of them take part in the event, under `policy`.
///
/// # Errors
/// When the daemon refuses.
pub async fn share_all(api: &Api, event: &str, policy: &str) -> Result<Event> {
    agree(api).await?;
    let patch = EventPatch { policy: Some(policy.to_owned()), scope: Some("all".to_owned()), ..EventPatch::default() };
    api.patch_event(event, &patch).await
}

/// Consents to face finding by the text shown.
///
/// # Errors
/// When the daemon refuses.
pub async fn agree(api: &Api) -> Result<()> {
    let text = api.consent_text("faces").await?;
    api.consent(&text.hash).await?;
    Ok(())
}

/// Consents to the text shown and enrols the selfie.
///
/// # Errors
/// When the daemon refuses.
pub async fn enrol(api: &Api) -> Result<()> {
    agree(api).await?;
    let profile = api.add_selfie(photos::selfie()?).await?;
    anyhow::ensure!(profile.enrolled, "the selfie was taken but the profile is not enrolled");
    Ok(())
}

/// Consents to the text shown and announces the face in the event.
///
/// # Errors
/// When the daemon refuses.
pub async fn announce(api: &Api, event: &str) -> Result<Event> {
    let text = api.consent_text("announce").await?;
    api.announce(event, &text.hash, ANNOUNCE_HOURS).await
}

/// The photos that this node has received from others.
///
/// # Errors
/// When the daemon does not answer.
pub async fn received(api: &Api) -> Result<Vec<Asset>> {
    let mut assets = api.assets().await?;
    assets.retain(|asset| asset.origin.kind == "received");
    Ok(assets)
}

/// Uploads a photo and gives the asset's id.
///
/// # Errors
/// When it is refused.
pub async fn upload(api: &Api, name: &str, bytes: Vec<u8>) -> Result<String> {
    let outcome = api.upload(name, bytes).await?;
    outcome.asset.with_context(|| format!("{name} was {}: {:?}", outcome.outcome, outcome.reason))
}

/// Waits until the node has looked for faces in the asset.
///
/// # Errors
/// When it does not.
pub async fn wait_for_faces(api: &Api, asset: &str) -> Result<Asset> {
    wait_until("faces looked for", WORKED, async || {
        let seen = api.asset(asset).await?;
        Ok(if seen.faces_state == "done" { Seen::Done(seen) } else { Seen::NotYet(seen.faces_state) })
    })
    .await
}

/// Waits until everything is looked at and somebody is in this many photos.
///
/// # Errors
/// When nobody is in time.
pub async fn somebody_in(node: &Daemon, photos: u32) -> Result<Person> {
    wait_for_rest(node).await?;
    wait_until(&format!("somebody in {photos} photos"), WORKED, async || {
        let people = node.api().people().await?;
        let found = people.people.iter().find(|person| person.photos == photos && people.pending == 0).cloned();
        Ok(Seen::when(found, || format!("{people:?}")))
    })
    .await
}

/// Has the node back itself up into a folder beside its own; gives the folder.
///
/// # Errors
/// When the backup is not there after a while.
pub async fn backed_up(node: &Daemon) -> Result<PathBuf> {
    let disk = node.folder().join("disk");
    std::fs::create_dir(&disk)?;
    node.api().change_backup(&serde_json::json!({ "folder": disk, "every_hours": 24 })).await?;
    wait_until("the backup", SOON, async || {
        let now = node.api().backup().await?;
        let done = now.last_at.is_some() && now.running.is_none();
        Ok(if done { Seen::Done(()) } else { Seen::NotYet(format!("{now:?}")) })
    })
    .await?;
    Ok(disk)
}
