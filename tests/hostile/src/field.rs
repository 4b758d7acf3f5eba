//! Where a case takes place: a real daemon with an event of its own, an honest member beside it, and where needed a second daemon.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, ensure};
use image::ImageFormat;
use inframe_protocol::{NodeId, invite::Invite};
use inframe_tests::{
    api::Api,
    daemon::{Daemon, Options},
    photos, scan, scene,
    views::{Activity, EventPatch},
    wait::{Seen, wait_until},
};
use tokio::sync::Mutex;

use crate::member::Member;

/// Until a daemon has come to rest after an attack: a group that does not come is waited for a minute.
const REST: Duration = Duration::from_secs(150);
/// Until an entry that is written is seen.
const SOON: Duration = Duration::from_secs(30);
/// Uses of the invite that everybody of a case comes in by.
const USES: u32 = 100;
/// Open files beyond those before the attack that are no leak: the database opens and closes some by itself.
const SPARE_FILES: usize = 12;

/// What a case needs of the daemon that it attacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// An event.
    Event,
    /// And that its owner looks for photos of herself, so that it takes offers.
    Finder,
    /// And that it has a photo of somebody whose daemon is in the event too, and sends such photos by itself.
    Holder,
}

/// The place of a case.
pub struct Field {
    /// The daemon that is attacked, host of the event.
    pub victim: Daemon,
    /// Another daemon in the event, which looks for photos of its owner.
    pub friend: Option<Daemon>,
    /// The event, as the API names it.
    pub event: String,
    /// A link by which everybody is let in.
    pub link: String,
    /// The attacked daemon's node.
    pub node: NodeId,
    /// A member who keeps the rules.
    pub honest: Arc<Mutex<Member>>,
}

/// What there was before an attack.
pub struct Before {
    seq: Option<u64>,
    assets: u64,
    open_files: usize,
    log_bytes: usize,
}

impl Field {
    /// Sets the field up.
    ///
    /// # Errors
    /// When any step fails.
    pub async fn prepare(needs: Needs) -> Result<Self> {
        let victim = Daemon::start("Victim").await?;
        let event = victim.api().create_event("Summer party").await?.id;
        let patch = EventPatch { admit_automatically: Some(true), ..EventPatch::default() };
        victim.api().patch_event(&event, &patch).await?;
        let link = victim.api().invite(&event, None, Some(USES)).await?.link;
        let node = Invite::parse(&link)?.host;
        if needs == Needs::Finder {
            scene::enrol(victim.api()).await?;
            scene::announce(victim.api(), &event).await?;
        }
        let friend = if needs == Needs::Holder { Some(holding(&victim, &event, &link).await?) } else { None };
        let honest = Arc::new(Mutex::new(Member::join(&link, "Honest").await?));
        scene::wait_for_rest(&victim).await?;
        Ok(Self { victim, friend, event, link, node, honest })
    }

    /// The API of the attacked daemon.
    #[must_use]
    pub fn api(&self) -> &Api {
        self.victim.api()
    }

    /// Its addresses.
    ///
    /// # Errors
    /// When the link is none.
    pub fn addresses(&self) -> Result<Vec<String>> {
        Ok(Invite::parse(&self.link)?.addresses)
    }

    /// The second daemon.
    ///
    /// # Errors
    /// When the case did not ask for one.
    pub fn friend(&self) -> Result<&Daemon> {
        self.friend.as_ref().context("there is no second daemon in this case")
    }

    /// What there is now.
    ///
    /// # Errors
    /// When the daemon does not answer.
    pub async fn now(&self) -> Result<Before> {
        let seq = self.api().activity().await?.first().map(|entry| entry.seq);
        let assets = self.api().status().await?.asset_count;
        Ok(Before { seq, assets, open_files: self.open_files()?, log_bytes: self.victim.log()?.len() })
    }

    /// Entries of the activity log since then, newest first, as many as the daemon shows at once.
    ///
    /// # Errors
    /// When the daemon does not answer.
    pub async fn noted_since(&self, before: &Before) -> Result<Vec<Activity>> {
        let mut entries = self.api().activity().await?;
        entries.retain(|entry| before.seq.is_none_or(|seq| entry.seq > seq));
        Ok(entries)
    }

    /// Waits for something in the activity log, or else in the daemon's log file.
    ///
    /// # Errors
    /// When it does not come.
    pub async fn wait_until_noted(&self, before: &Before, words: &str) -> Result<()> {
        wait_until(&format!("a note of: {words}"), SOON, async || {
            let noted = self.noted_since(before).await?.into_iter().map(|entry| entry.text).collect::<Vec<_>>();
            let log = self.victim.log()?;
            let logged = log.get(before.log_bytes..).unwrap_or_default();
            let found = noted.iter().any(|text| text.contains(words)) || logged.contains(words);
            Ok(Seen::when(found.then_some(()), || format!("{noted:?}\n{logged}")))
        })
        .await
    }

    /// What was noted, in words: how often each sentence, or how many lines the log file has of it.
    ///
    /// # Errors
    /// When the daemon does not answer.
    pub async fn noted_in_words(&self, before: &Before, words: &str) -> Result<String> {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for entry in self.noted_since(before).await? {
            if matches!(entry.kind.as_str(), "suspicious" | "refused") {
                *counts.entry(entry.text).or_default() += 1;
            }
        }
        if counts.is_empty() {
            let log = self.victim.log()?;
            let lines = log.get(before.log_bytes..).unwrap_or_default().lines().filter(|line| line.contains(words));
            return Ok(match lines.count() {
                0 => "nothing to note".to_owned(),
                lines => format!("log file only, {lines} times: \"{words}\""),
            });
        }
        let shown = counts.into_iter().map(|(text, count)| match count {
            1 => format!("\"{text}\""),
            count => format!("\"{text}\" ({count} times or more)"),
        });
        Ok(shown.collect::<Vec<_>>().join(" "))
    }

    /// What an attack left behind or took away, in words; empty is as it should be.
    ///
    /// # Errors
    /// When the daemon does not answer any more.
    pub async fn left_behind(&self, before: &Before, may_leave: bool) -> Result<Vec<String>> {
        let mut left = Vec::new();
        let settled = wait_until("the daemon at rest", REST, async || {
            let status = self.api().status().await?;
            let (parts, files) = (self.parts()?, self.open_files()?);
            let done = status.at_rest() && parts.is_empty() && files <= before.open_files + SPARE_FILES;
            let state =
                || format!("{:?}, parts {parts:?}, {files} files open after {}", status.workers, before.open_files);
            Ok(Seen::when(done.then_some(()), state))
        });
        if let Err(error) = settled.await {
            left.push(format!("{error:#}"));
        }
        let assets = self.api().status().await?.asset_count;
        if assets != before.assets {
            left.push(format!("{assets} photos in the library instead of {}", before.assets));
        }
        for entry in self.noted_since(before).await? {
            if entry.kind == "left" && !may_leave {
                left.push(format!("something left the daemon: {}", entry.text));
            }
        }
        let log = self.victim.log()?;
        if log.contains("panicked") {
            left.push("the daemon panicked".to_owned());
        }
        Ok(left)
    }

    /// Parts of things received, and temporary files.
    fn parts(&self) -> Result<Vec<PathBuf>> {
        let below = |path: &PathBuf, name: &str| path.components().any(|part| part.as_os_str() == name);
        let mut found = scan::files(&self.victim.data_dir())?;
        found.retain(|path| below(path, "incoming"));
        found.extend(scan::files(&self.victim.folder().join("tmp"))?);
        Ok(found)
    }

    fn open_files(&self) -> Result<usize> {
        let pid = self.victim.pid().context("the daemon has ended")?;
        Ok(std::fs::read_dir(format!("/proc/{pid}/fd"))?.count())
    }
}

/// Gives the daemon a photo of the owner of a second one, which has joined and looks for her. Waits until the photo is there, so that all is at rest.
async fn holding(victim: &Daemon, event: &str, link: &str) -> Result<Daemon> {
    scene::share_all(victim.api(), event, "automatic").await?;
    // Not as the JPEG that it is: a photo of many groups can be stopped in the middle.
    let photo = photos::to_format(&image::load_from_memory(&photos::hers()?)?, ImageFormat::Png)?;
    let photo = scene::upload(victim.api(), "arrival.png", photo).await?;
    scene::wait_for_faces(victim.api(), &photo).await?;
    let friend = Daemon::start_with(Options::local("Friend")).await?;
    friend.api().join(link).await?;
    wait_until("the second daemon in the event", SOON, async || {
        let role = friend.api().event(event).await?.role;
        Ok(Seen::when((role == "member").then_some(()), || role))
    })
    .await?;
    scene::enrol(friend.api()).await?;
    scene::announce(friend.api(), event).await?;
    wait_until("the photo at the second daemon", scene::WORKED, async || {
        let got = scene::received(friend.api()).await?.len();
        ensure!(got <= 1, "{got} photos came where one was sent");
        Ok(Seen::when((got == 1).then_some(()), || "nothing".to_owned()))
    })
    .await?;
    scene::wait_for_rest(&friend).await?;
    Ok(friend)
}
