//! Status, settings, imports, the timeline and single photos.

use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::media::video_view;
use super::{Answer, Node, NodeError, Picture, ThumbSize};
use crate::clock::now_ms;
use crate::faces::{Likeness, ProfileId, StoredFace};
use crate::library::{Added, AssetId, AssetKind, FacesState, LibraryError, Origin, StoredAsset};
use crate::live::What;
use crate::people::FaceRef;
use crate::sandbox::most_processes;
use crate::settings::{MAX_WATCHED_FOLDERS, MOST_UNDO_SECONDS, clean_nickname, tidy_contact};
use crate::sharing::ledgers::{ApprovalState, DeliveryState};
use crate::sharing::recalls::RecallState;
use crate::tasks::Stage;
use crate::video::VideoFormat;
use crate::views::{
    AssetView, DiskView, FaceView, FileView, ImportView, MotionView, OriginView, SettingsPatch, SettingsView,
    SharedWithView, StatusView, TimelineBlockView, UploadView, WatchedFolderView,
};
use crate::workers::{Core, Job, import, trash};

pub(super) fn asset_id(text: &str) -> Answer<AssetId> {
    text.parse().map_err(|()| NodeError::NotFound("photo"))
}

fn unix(moment: i64) -> u64 {
    u64::try_from(moment).unwrap_or(0)
}

impl Node {
    /// The node at a glance.
    ///
    /// # Errors
    /// When counting what guests wait for was broken off.
    pub async fn status(&self) -> Answer<StatusView> {
        let core = &self.core;
        let key_protection = self.protection().await;
        // Every find of every guest is looked at.
        let guests_waiting = self.blocking(|core| Ok(super::guests::waiting(core))).await?;
        let settings = core.settings.get();
        let (asset_count, asset_bytes) = core.library.totals();
        let (trash_count, trash_bytes) = core.library.trash_totals();
        let sandbox = core.sandbox.status();
        let waiting = core.approvals.all().iter().filter(|(_, row)| row.state == ApprovalState::Waiting).count()
            + core.asked_back.all().iter().filter(|(_, row)| row.state == RecallState::Open).count();
        let announcing = core.events.ids().iter().filter(|event| !core.events.announcing(event).is_empty()).count();
        Ok(StatusView {
            version: env!("CARGO_PKG_VERSION").into(),
            node_id: core.network.peer_id_text(),
            nickname: settings.nickname,
            device_name: settings.device_name,
            addresses: core.network.addresses(),
            uptime_s: now_ms().saturating_sub(core.started_at) / 1000,
            asset_count,
            asset_bytes,
            trash_count,
            trash_bytes,
            disk: core.disk.space().map(|space| DiskView {
                free_bytes: space.free_bytes,
                reserve_bytes: space.reserve_bytes,
                low: core.disk.is_low(),
            }),
            peers_connected: count(core.network.peers().borrow().len()),
            approvals_waiting: count(waiting),
            guests_waiting,
            pack: core.pack().id.clone(),
            faces: super::models::progress(core),
            sandbox_processes: count(sandbox.processes),
            background_paused: core.background.get().paused,
            sandbox_active: sandbox.report.active,
            sandbox_gaps: sandbox.report.gaps,
            key_protection,
            enrolled: !core.profile.selfies(ProfileId::ME).is_empty(),
            announcing: count(announcing),
            video_tools: core.videos.are_there(),
            notices_failure: core.notice_desk.news().2.map(|failure| failure.text),
            workers: core.board.views(),
            timeline_rev: core.library.timeline(|timeline| timeline.rev()),
        })
    }

    /// The settings.
    ///
    /// # Errors
    /// None at present.
    pub async fn settings(&self) -> Answer<SettingsView> {
        let settings = self.core.settings.get();
        let watched_folders = settings
            .watched_folders
            .into_iter()
            .map(|path| WatchedFolderView { problem: self.core.watchers.problem(Path::new(&path)), path })
            .collect();
        Ok(SettingsView {
            nickname: settings.nickname,
            device_name: settings.device_name,
            watched_folders,
            background_paused: self.core.background.get().paused,
            processes: count(self.core.sandbox.processes()),
            most_processes: count(most_processes()),
            traffic: super::traffic::view(&self.core.traffic.get()),
            keeping: super::keeping::view(&self.core),
            undo_seconds: self.core.undo_time.get().seconds,
            contact: super::events::contact_view(self.core.settings.contact()),
        })
    }

    /// Changes names, how much of the machine the background may have, how much of the line transfers may have, and how much is kept for others.
    ///
    /// # Errors
    /// When a name is empty, the number of processes is none that this machine can give, or a limit, an hour, the room or a time makes no sense.
    pub async fn change_settings(&self, patch: SettingsPatch) -> Answer<SettingsView> {
        let clean = |name: Option<String>, what: &str| match name.as_deref().map(clean_nickname) {
            Some(name) if name.is_empty() => {
                Err(NodeError::Invalid("empty-name", format!("the {what} needs at least one visible character")))
            }
            name => Ok(name),
        };
        let (nickname, device_name) = (clean(patch.nickname, "nickname")?, clean(patch.device_name, "device name")?);
        let most = most_processes();
        let processes = match patch.processes.map(|processes| usize::try_from(processes).unwrap_or(usize::MAX)) {
            Some(processes) if !(1..=most).contains(&processes) => {
                return Err(NodeError::Invalid("bad-processes", format!("give a number from 1 to {most}")));
            }
            processes => processes,
        };
        let traffic = patch.traffic.as_ref().map(super::traffic::chosen).transpose()?;
        let keeping = patch.keeping.as_ref().map(super::keeping::chosen).transpose()?;
        if patch.undo_seconds.is_some_and(|seconds| seconds > MOST_UNDO_SECONDS) {
            return Err(NodeError::Invalid("bad-undo", format!("give 0 to {MOST_UNDO_SECONDS} seconds")));
        }
        let contact = match patch.contact {
            Some(given) => Some(tidy_contact(&given.name, &given.email).ok_or_else(|| {
                NodeError::Invalid("bad-email", "this is no e-mail address; leave it empty for none".into())
            })?),
            None => None,
        };
        self.blocking(move |core| {
            if let Some(contact) = contact {
                core.settings.set_contact(contact)?;
            }
            if let Some(seconds) = patch.undo_seconds {
                core.undo_time.change(|now| now.seconds = seconds)?;
            }
            if let Some(traffic) = traffic {
                core.traffic.change(|now| *now = traffic)?;
                core.apply_traffic();
            }
            if let Some(keeping) = keeping {
                core.keeping_row.change(|now| *now = keeping)?;
                core.board.ring(crate::workers::Job::Keeping);
            }
            if patch.background_paused.is_some() || processes.is_some() {
                let now = core.background.change(|background| {
                    background.paused = patch.background_paused.unwrap_or(background.paused);
                    background.processes = processes.and_then(|n| n.try_into().ok()).or(background.processes);
                })?;
                core.apply(now);
            }
            core.settings.change(|settings| {
                settings.nickname = nickname.unwrap_or_else(|| settings.nickname.clone());
                settings.device_name = device_name.unwrap_or_else(|| settings.device_name.clone());
            })?;
            Ok(())
        })
        .await?;
        self.core.live.tell(What::Settings, None);
        self.core.live.tell(What::Status, None);
        self.core.board.ring(Job::Events);
        self.settings().await
    }

    /// Watches a folder for new photos.
    ///
    /// # Errors
    /// When it is no readable folder, lies in the data folder, or there are too many.
    pub async fn watch_folder(&self, path: String) -> Answer<SettingsView> {
        let folder = self.own_path(path).await?;
        let refuse = |why: &str| Err(NodeError::Invalid("bad-folder", why.to_owned()));
        if !folder.is_dir() {
            return refuse("this is a file; name the folder that it lies in");
        }
        let text = folder.display().to_string();
        let watched = self.core.settings.get().watched_folders;
        if watched.contains(&text) {
            return self.settings().await;
        }
        if watched.len() >= MAX_WATCHED_FOLDERS {
            return refuse("64 folders are the most; stop watching one first");
        }
        self.blocking(move |core| Ok(core.settings.change(|settings| settings.watched_folders.push(text))?)).await?;
        self.core.live.tell(What::Settings, None);
        self.core.board.ring(Job::Watch);
        self.settings().await
    }

    /// Stops watching a folder; what was imported from it stays.
    ///
    /// # Errors
    /// When it is not watched.
    pub async fn unwatch_folder(&self, path: String) -> Answer<SettingsView> {
        if !self.core.settings.get().watched_folders.contains(&path) {
            return Err(NodeError::NotFound("watched folder"));
        }
        self.blocking(move |core| {
            Ok(core.settings.change(|settings| settings.watched_folders.retain(|one| *one != path))?)
        })
        .await?;
        self.core.live.tell(What::Settings, None);
        self.core.board.ring(Job::Watch);
        self.settings().await
    }

    /// An absolute path on this machine that exists and is not part of the data folder.
    pub(super) async fn own_path(&self, path: String) -> Answer<PathBuf> {
        let root = self.place.dir.root.clone();
        self.blocking(move |_| {
            let refuse = |why: String| Err(NodeError::Invalid("bad-path", why));
            if !Path::new(&path).is_absolute() {
                return refuse("give the whole path, from the root on".into());
            }
            let found = match Path::new(&path).canonicalize() {
                Ok(found) => found,
                Err(error) => return refuse(format!("{path} cannot be read by the daemon: {error}")),
            };
            if found.starts_with(&root) {
                return refuse("this is the daemon's own data folder".into());
            }
            Ok(found)
        })
        .await
    }

    /// Starts to import a file or folder; goes on in the background.
    ///
    /// # Errors
    /// When the path cannot be read.
    pub async fn import_path(&self, path: String) -> Answer<ImportView> {
        let path = self.own_path(path).await?;
        self.core.disk.room_for(0)?;
        let run = self.core.imports.begin(path.display().to_string())?;
        let id = run.id().to_owned();
        self.core.tasks.spawn(Stage::Work, "import", import::import_path(self.core.clone(), path, run));
        self.import(id).await
    }

    /// Imports, newest first.
    ///
    /// # Errors
    /// None at present.
    pub async fn imports(&self) -> Answer<Vec<ImportView>> {
        Ok(self.core.imports.all())
    }

    /// One import.
    ///
    /// # Errors
    /// When there is none with that id.
    pub async fn import(&self, id: String) -> Answer<ImportView> {
        self.core.imports.get(&id).ok_or(NodeError::NotFound("import"))
    }

    /// Takes in one uploaded file; durable when it returns.
    ///
    /// # Errors
    /// When the node itself fails; a file that cannot be used is an outcome.
    pub async fn upload(&self, file_name: String, bytes: Bytes) -> Answer<UploadView> {
        match self.core.library.import(&file_name, bytes).await {
            Ok(added) => {
                self.core.board.ring(Job::Faces);
                Ok(self.uploaded(added).await)
            }
            Err(error @ LibraryError::Unreadable(_)) => {
                Ok(UploadView { outcome: "refused".into(), asset: None, reason: Some(error.to_string()) })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Takes in an uploaded file that is too large to be decoded, as its bytes come; durable when it returns.
    ///
    /// # Errors
    /// When the bytes end too early or the node itself fails.
    pub async fn upload_large(
        &self,
        file_name: String,
        bytes: impl std::io::Read + Send + 'static,
    ) -> Answer<UploadView> {
        Ok(self.uploaded(self.core.library.import_large(&file_name, bytes).await?).await)
    }

    /// Takes in an uploaded video as its bytes come; durable when it returns.
    ///
    /// # Errors
    /// When the bytes end too early or the node itself fails.
    pub async fn upload_video(
        &self,
        file_name: String,
        format: VideoFormat,
        bytes: impl std::io::Read + Send + 'static,
    ) -> Answer<UploadView> {
        let added = self.core.library.import_video(&file_name, format, bytes).await?;
        self.core.board.ring(Job::Videos);
        Ok(self.uploaded(added).await)
    }

    async fn uploaded(&self, added: Added) -> UploadView {
        if let Added::Restored(id) = added {
            trash::restored_one(&self.core, id).await;
        }
        uploaded(added)
    }

    /// The timeline's skeleton with its revision.
    ///
    /// # Errors
    /// None at present.
    pub async fn timeline_skeleton(&self) -> Answer<(u64, Bytes)> {
        self.blocking(|core| Ok(core.library.timeline(|timeline| (timeline.rev(), Bytes::from(timeline.skeleton())))))
            .await
    }

    /// One block of the timeline.
    ///
    /// # Errors
    /// When the timeline has moved on from `rev`.
    pub async fn timeline_block(&self, block: u64, rev: u64) -> Answer<TimelineBlockView> {
        self.core.library.timeline(|timeline| {
            if timeline.rev() != rev {
                return Err(NodeError::Conflict(
                    "stale-timeline",
                    "the timeline has changed; ask for the skeleton again".into(),
                ));
            }
            let (start, items) = timeline.block(block);
            Ok(TimelineBlockView {
                rev,
                start,
                ids: items.iter().map(|item| item.id.to_string()).collect(),
                taken_at: items.iter().map(|item| unix(item.moment)).collect(),
                received: items.iter().map(|item| item.received).collect(),
                faces: items.iter().map(|item| item.faces).collect(),
                durations: items.iter().map(|item| item.duration_ms).collect(),
                file: items.iter().map(|item| item.file.as_deref().map(str::to_owned)).collect(),
            })
        })
    }

    /// One photo in full.
    ///
    /// # Errors
    /// When there is none with that id.
    pub async fn asset(&self, id: String) -> Answer<AssetView> {
        let id = asset_id(&id)?;
        self.blocking(move |core| {
            let asset = core.library.get(id).ok_or(NodeError::NotFound("photo"))?;
            Ok(asset_view(core, id, &asset))
        })
        .await
    }

    /// A picture of a photo.
    ///
    /// # Errors
    /// When there is no such photo or its file is damaged.
    pub async fn thumb(&self, id: String, size: ThumbSize) -> Answer<Picture> {
        let id = asset_id(&id)?;
        self.blocking(move |core| Ok(Picture::jpeg(core.library.read_picture(id, size == ThumbSize::Preview)?))).await
    }
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn asset_view(core: &Core, id: AssetId, asset: &StoredAsset) -> AssetView {
    let faces = core.faces.of(id).map(|known| {
        let of_person = |index: usize| {
            let face = FaceRef { asset: id, index: u16::try_from(index).ok()? };
            core.people.read(|grouping| grouping.summary(grouping.person_of(face)?))
        };
        let view = |(index, face): (usize, &StoredFace)| {
            let person = of_person(index);
            FaceView {
                id: index.to_string(),
                x: face.rect[0],
                y: face.rect[1],
                w: face.rect[2],
                h: face.rect[3],
                quality: face.quality,
                at_ms: face.at_ms,
                me: matches!(core.profile.likeness(ProfileId::ME, &known.pack, &face.embedding), Likeness::Sure(_)),
                person: person.as_ref().map(|person| person.id.to_string()),
                name: person.and_then(|person| person.person.name),
            }
        };
        known.faces.iter().enumerate().map(view).collect()
    });
    let origin = match &asset.origin {
        Origin::Imported => {
            OriginView { kind: "imported".into(), from: None, event: None, event_name: None, at: asset.imported_at }
        }
        Origin::Guest { event, guest } => OriginView {
            kind: "guest".into(),
            from: Some(core.guests.name(guest)),
            event: Some(event.to_string()),
            event_name: Some(core.events.name(event)),
            at: asset.imported_at,
        },
        Origin::Received { event, from, .. } => OriginView {
            kind: "received".into(),
            from: Some(core.events.nickname(event, from)),
            event: Some(event.to_string()),
            event_name: Some(core.events.name(event)),
            at: asset.imported_at,
        },
    };
    let shared_with = core
        .deliveries
        .all()
        .into_iter()
        .filter(|(_, row)| row.asset == id && row.state == DeliveryState::Delivered)
        .map(|(_, row)| SharedWithView {
            nickname: core.events.nickname(&row.event, &row.member),
            event_name: core.events.name(&row.event),
            at: row.changed_at,
        })
        .collect();
    AssetView {
        id: id.to_string(),
        content_id: asset.content.to_string(),
        file_name: asset.file_name.clone(),
        media_type: asset.media_type.clone(),
        size_bytes: asset.size_bytes,
        width: asset.width,
        height: asset.height,
        video: video_view(core, id, asset),
        taken_at: asset.taken_at.map(unix),
        imported_at: asset.imported_at,
        camera: asset.camera.clone(),
        has_location: asset.has_location,
        thumbhash: data_encoding::BASE64.encode(&asset.thumbhash),
        file: match &asset.kind {
            AssetKind::File { reason, may_change } => Some(FileView {
                ending: crate::library::ending(&asset.file_name),
                reason: reason.clone(),
                may_change: *may_change,
            }),
            _ => None,
        },
        motion: asset
            .motion
            .as_ref()
            .map(|motion| MotionView { media_type: motion.media_type.clone(), size_bytes: motion.size_bytes }),
        faces_state: match asset.faces {
            FacesState::Waiting { .. } => "waiting",
            FacesState::Done { .. } => "done",
            FacesState::Failed(_) => "failed",
        }
        .into(),
        faces: faces.unwrap_or_default(),
        origin,
        shared_with,
    }
}

fn uploaded(added: Added) -> UploadView {
    let asset = Some(added.id().to_string());
    let (outcome, reason) = match added {
        Added::New(_) => ("imported", None),
        Added::File(_, why) => ("kept", Some(why.reason)),
        Added::Duplicate(_) => ("duplicate", None),
        Added::Restored(_) => ("restored", None),
    };
    UploadView { outcome: outcome.into(), asset, reason }
}
