//! The guest page, as a guest uses it. Everything here is asked by strangers: it names one event and one guest, and gives nothing that belongs to another.

mod video;

use std::sync::Arc;

use bytes::Bytes;
use inframe_protocol::EventId;

use super::library::asset_id;
use super::sharing::short_id;
use super::{Answer, Node, NodeError};
use crate::activity::ActivityKind;
use crate::clock::now_ms;
use crate::faces::consent::Scope;
use crate::guest::{StoredGuestSelfie, StoredPage, StoredRemoval, StoredUpload, UploadState, limits};
use crate::library::{AssetId, AssetKind, GuestId, StoredAsset, shown_name};
use crate::matching::Grade;
use crate::sandbox::{Details, SandboxError};
use crate::settings::clean_name;
use crate::sharing::egress;
use crate::views::{FoundPhotoView, FoundView, VisitUploadView, VisitView, VisitorView};
use crate::workers::guests::{Sight, asked, may_see};
use crate::workers::shielding::Seen;
use crate::workers::{Core, Job, guests as guests_worker};

/// Somebody on a guest page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visitor {
    /// The event.
    pub event: EventId,
    /// The guest.
    pub guest: GuestId,
}

/// What a guest gets of a photo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shape {
    /// For a grid.
    Small,
    /// For the whole screen.
    Large,
    /// The photo itself.
    Whole,
}

impl Node {
    /// What the page shows.
    ///
    /// # Errors
    /// When the event is gone.
    pub async fn visit(&self, event: EventId, page: Arc<StoredPage>, guest: Option<GuestId>) -> Answer<VisitView> {
        self.blocking(move |core| {
            let now = now_ms();
            let found = core.events.describe(&event, now).ok_or(NodeError::NotFound("event"))?;
            Ok(VisitView {
                event: found.name,
                host: core.settings.get().nickname,
                takes_uploads: page.takes_uploads(now),
                opens_at: page.opens_at.filter(|opens| *opens > now),
                approve_first: guests_worker::approves_first(core, &event),
                selfies: page.selfies && core.profile.consent_at().is_some(),
                erases_at: page.erases_at(),
                piece_bytes: limits::PIECE_BYTES,
                file_bytes: limits::FILE_BYTES,
                consent: Scope::Guest.view(),
                guest: guest.map(|guest| visitor_view(core, guest)),
            })
        })
        .await
    }

    /// Makes a guest of somebody; gives the secret of their private link.
    ///
    /// # Errors
    /// When the name is empty or there are too many.
    pub async fn guest_joins(&self, event: EventId, name: &str) -> Answer<(GuestId, String)> {
        let name = guest_name(name)?;
        self.blocking(move |core| {
            let joined = core.guests.join(&event, name.clone(), now_ms())?;
            let text = format!("{name} came to {} as a guest.", core.events.name(&event));
            core.activity.note(ActivityKind::Member, text, None, Some(event.to_string()))?;
            Ok(joined)
        })
        .await
    }

    /// Gives a guest another name.
    ///
    /// # Errors
    /// When it is empty.
    pub async fn guest_renames(&self, visitor: Visitor, name: &str) -> Answer<()> {
        let name = guest_name(name)?;
        self.blocking(move |core| Ok(core.guests.change_guest(visitor.guest, |guest| guest.name = name)?)).await
    }

    /// Begins an upload, or goes on with it.
    ///
    /// # Errors
    /// When none is taken now, a bound is reached, or the disk is almost full.
    pub async fn guest_begins(&self, visitor: Visitor, name: &str, size_bytes: u64) -> Answer<VisitUploadView> {
        let name = shown_name(name);
        self.blocking(move |core| {
            takes_uploads(core, &visitor.event)?;
            // Its pieces, and then the file itself.
            core.disk.room_for(size_bytes.saturating_mul(2)).map_err(|_| no_room())?;
            let id = core.guests.begin(&visitor.event, visitor.guest, name, size_bytes, now_ms())?;
            let upload = core.guests.upload(&id).ok_or(NodeError::NotFound("upload"))?;
            Ok(upload_view(core, id, &upload))
        })
        .await
    }

    /// The size of an upload of this guest, to open its pieces with.
    ///
    /// # Errors
    /// When there is no such upload of theirs.
    pub fn guest_upload_bytes(&self, visitor: Visitor, id: &str) -> Answer<u64> {
        let id = short_id(id, "upload")?;
        let mine = self.core.guests.upload(&id).filter(|upload| upload.guest == visitor.guest);
        Ok(mine.ok_or(NodeError::NotFound("upload"))?.size_bytes)
    }

    /// Takes a piece that was opened. Durable when it returns.
    ///
    /// # Errors
    /// When there is no such upload of theirs, the piece does not fit, or the disk is almost full.
    pub async fn guest_gives(&self, visitor: Visitor, id: String, index: u64, plain: Bytes) -> Answer<()> {
        let id = short_id(&id, "upload")?;
        self.blocking(move |core| {
            own(core, visitor, &id)?;
            takes_uploads(core, &visitor.event)?;
            core.disk.room_for(plain.len() as u64).map_err(|_| no_room())?;
            Ok(core.guests.take_piece(&id, index, &plain)?)
        })
        .await
    }

    /// Says that an upload is complete. Durable when it returns; it is taken into the library next.
    ///
    /// # Errors
    /// When pieces are missing or there is no such upload of theirs.
    pub async fn guest_completes(&self, visitor: Visitor, id: String) -> Answer<VisitUploadView> {
        let id = short_id(&id, "upload")?;
        self.blocking(move |core| {
            own(core, visitor, &id)?;
            core.guests.complete(&id, now_ms())?;
            core.board.ring(Job::Guests);
            let upload = core.guests.upload(&id).ok_or(NodeError::NotFound("upload"))?;
            Ok(upload_view(core, id, &upload))
        })
        .await
    }

    /// Deletes something that the guest has added.
    ///
    /// # Errors
    /// When there is no such upload of theirs.
    pub async fn guest_withdraws(&self, visitor: Visitor, id: String) -> Answer<()> {
        let id = short_id(&id, "upload")?;
        self.blocking(move |core| {
            own(core, visitor, &id)?;
            guests_worker::withdraw(core, visitor.guest, &id)?;
            Ok(())
        })
        .await
    }

    /// Keeps the face of a selfie, after consent, and has it looked for.
    ///
    /// # Errors
    /// When selfies are off, the text was another, or the picture cannot be used: with advice.
    pub async fn guest_selfie(&self, visitor: Visitor, text_hash: String, bytes: Bytes) -> Answer<()> {
        if text_hash != Scope::Guest.text_hash() {
            let why = "the text has changed meanwhile; reload the page and read it again";
            return Err(NodeError::Conflict("consent-text-changed", why.into()));
        }
        let allowed = move |core: &Core| {
            let on = core.guests.page(&visitor.event).is_some_and(|page| page.selfies && page.is_open(now_ms()));
            if on && core.profile.consent_at().is_some() { Ok(()) } else { Err(no_selfies()) }
        };
        allowed(&self.core)?;
        let enrolled = self.core.sandbox.enrol(bytes).await.map_err(|error| match error {
            SandboxError::Crashed(_) | SandboxError::TimedOut => {
                NodeError::Invalid("unusable-picture", "this picture cannot be read; take another".into())
            }
            other => other.into(),
        })?;
        self.blocking(move |core| {
            let kept = core.profile.if_consented(|| {
                allowed(core)?;
                let at = now_ms();
                core.profile.keep_guest_receipt(visitor.event.0, visitor.guest.0, at)?;
                let selfie = StoredGuestSelfie {
                    event: visitor.event,
                    pack: enrolled.pack,
                    embedding: enrolled.face.embedding.0,
                    still: enrolled.still,
                    at,
                };
                core.guests.put_selfie(visitor.guest, selfie)?;
                let (name, event) = (core.guests.name(&visitor.guest), core.events.name(&visitor.event));
                let text = format!("{name}, a guest of {event}, agreed to be looked for and took a selfie.");
                core.activity.note(ActivityKind::Consent, text, None, Some(visitor.event.to_string()))?;
                Ok(())
            });
            kept.unwrap_or_else(|| Err(no_selfies()))
        })
        .await?;
        self.core.board.ring(Job::Guests);
        Ok(())
    }

    /// Erases the guest's face.
    ///
    /// # Errors
    /// When the vault fails.
    pub async fn guest_forgets(&self, visitor: Visitor) -> Answer<()> {
        self.blocking(move |core| {
            if core.guests.remove_selfie(visitor.guest)? {
                let (name, event) = (core.guests.name(&visitor.guest), core.events.name(&visitor.event));
                let text = format!("{name}, a guest of {event}, deleted their selfie.");
                core.activity.note(ActivityKind::Consent, text, None, Some(visitor.event.to_string()))?;
            }
            Ok(())
        })
        .await
    }

    /// Photos and videos in which the guest was found and that they may see.
    ///
    /// # Errors
    /// None at present.
    pub async fn guest_found(&self, visitor: Visitor) -> Answer<FoundView> {
        self.blocking(move |core| {
            let now = now_ms();
            let (mut sure, mut maybe, mut waiting) = (Vec::new(), Vec::new(), 0);
            let search = core.events.search(&visitor.event, now);
            for (id, row) in core.guests.matches_of(visitor.guest) {
                let Some(asset) = core.library.get(id) else { continue };
                match may_see(core, &visitor.event, visitor.guest, id, now) {
                    Some(Sight::Found(Grade::Sure, _)) => sure.push((asset.moment(), id, asset)),
                    Some(Sight::Found(Grade::Maybe, _)) => maybe.push((asset.moment(), id, asset)),
                    Some(Sight::Own) if row.grade == Grade::Sure => sure.push((asset.moment(), id, asset)),
                    Some(Sight::Own) => maybe.push((asset.moment(), id, asset)),
                    None => {
                        waiting += u64::from(search.as_ref().is_some_and(|search| asked(core, search, id, &row)));
                    }
                }
            }
            let selfie = core.guests.selfie(visitor.guest);
            let looking = selfie.is_some() && core.library.count_waiting(&core.pack().id) > 0;
            Ok(FoundView {
                selfie: selfie.is_some(),
                sure: latest_first(sure),
                maybe: latest_first(maybe),
                looking,
                waiting,
            })
        })
        .await
    }

    /// Bytes of a photo, or of a video's poster, that a guest may see, as they may leave (D4). Blocking work is done elsewhere; what is not theirs to see is not there.
    ///
    /// # Errors
    /// When there is no such photo for them, or it cannot be made safe to show.
    pub async fn guest_picture(&self, visitor: Visitor, id: &str, shape: Shape) -> Answer<(Bytes, String)> {
        let id = asset_id(id).map_err(|_| NodeError::NotFound("photo"))?;
        let (leaving, media_type) = self
            .blocking(move |core| {
                let sight = may_see(core, &visitor.event, visitor.guest, id, now_ms());
                let seen = match sight.ok_or(NodeError::NotFound("photo"))? {
                    Sight::Own => Seen::default(),
                    Sight::Found(_, seen) => seen,
                };
                let asset = core.library.get(id).ok_or(NodeError::NotFound("photo"))?;
                note_seen(core, visitor, id)?;
                let (bytes, media_type) = match shape {
                    Shape::Small | Shape::Large => {
                        let picture = core.library.read_picture(id, shape == Shape::Large)?;
                        if seen.destroyed.is_empty() {
                            // Made here from pixels: filtered at once, rather than behind faces that are looked for.
                            let clean = egress::rendition(&picture).map_err(|error| {
                                NodeError::Internal(format!("the picture cannot be made safe to show: {error}"))
                            })?;
                            return Ok((Leaving::Clean(Bytes::from(clean)), "image/jpeg".to_owned()));
                        }
                        (picture, "image/jpeg".to_owned())
                    }
                    // Videos go their own way.
                    Shape::Whole if !matches!(asset.kind, AssetKind::Photo) => {
                        return Err(NodeError::NotFound("photo"));
                    }
                    Shape::Whole => {
                        let sent_as = guests_worker::sent_as(&asset.media_type, !seen.destroyed.is_empty()).to_owned();
                        (core.library.read_original(id)?, sent_as)
                    }
                };
                Ok((Leaving::ToBeMade(bytes, seen), media_type))
            })
            .await?;
        let shown = match leaving {
            Leaving::Clean(clean) => return Ok((clean, media_type)),
            Leaving::ToBeMade(bytes, seen) if seen.destroyed.is_empty() => {
                self.core.sandbox.rendition(bytes, Details::default()).await?
            }
            Leaving::ToBeMade(bytes, seen) => {
                let (destroyed, kept) = seen.boxes();
                self.core.sandbox.blurred(bytes, destroyed, kept, Details::default()).await?
            }
        };
        Ok((shown.into(), media_type))
    }

    /// Notes that a guest takes photos and videos with them; before the first byte leaves (D4).
    ///
    /// # Errors
    /// When it cannot be noted; nothing may leave then.
    pub async fn note_guest_takes(
        &self,
        visitor: Visitor,
        (photos, videos): (usize, usize),
        asset: Option<String>,
    ) -> Answer<()> {
        self.blocking(move |core| {
            let (name, event) = (core.guests.name(&visitor.guest), core.events.name(&visitor.event));
            let text = format!("{name}, a guest of {event}, saved {} of themselves.", things(photos, videos));
            Ok(core.activity.note(ActivityKind::Left, text, asset, Some(visitor.event.to_string()))?)
        })
        .await
    }

    /// Notes that a guest asks for a photo to be removed.
    ///
    /// # Errors
    /// When they may not see it, or have asked too often.
    pub async fn guest_asks_removal(&self, visitor: Visitor, id: &str, reason: &str) -> Answer<()> {
        let asset = asset_id(id).map_err(|_| NodeError::NotFound("photo"))?;
        let reason = clean_name(reason, limits::REASON_CHARS, limits::REASON_BYTES);
        self.blocking(move |core| {
            may_see(core, &visitor.event, visitor.guest, asset, now_ms()).ok_or(NodeError::NotFound("photo"))?;
            let (event, guest) = (visitor.event, visitor.guest);
            core.guests.ask_removal(StoredRemoval { event, guest, asset, reason, at: now_ms(), done: false })?;
            let (name, event_name) = (core.guests.name(&guest), core.events.name(&event));
            let what = kind(core, asset);
            let text = format!("{name}, a guest of {event_name}, asks you to remove a {what}.");
            Ok(core.activity.note(ActivityKind::Asked, text, Some(asset.to_string()), Some(event.to_string()))?)
        })
        .await
    }

    /// Notes that somebody asks the guest page too often.
    pub async fn note_guest_flood(&self) {
        let text = "Somebody asks the guest page far too often, or guesses its address, and is held up.".to_owned();
        self.core.note(ActivityKind::Suspicious, text, None, None).await;
    }
}

/// A photo on its way to a guest.
enum Leaving {
    /// As it may leave.
    Clean(Bytes),
    /// To be made so in the sandbox, as it may be seen.
    ToBeMade(Bytes, Seen),
}

/// D4: the entry is durable before the first byte of a picture leaves; what a guest has added themselves is no news to them.
fn note_seen(core: &Core, visitor: Visitor, id: AssetId) -> Answer<()> {
    if core.guests.match_of(visitor.guest, id).is_none_or(|row| row.seen) {
        return Ok(());
    }
    let (name, event) = (core.guests.name(&visitor.guest), core.events.name(&visitor.event));
    let what = if kind(core, id) == "video" { "The picture of a video" } else { "A photo" };
    let text = format!("{what} was shown to {name}, a guest of {event}.");
    core.activity.note(ActivityKind::Left, text, Some(id.to_string()), Some(visitor.event.to_string()))?;
    Ok(core.guests.saw(visitor.guest, id)?)
}

/// What it is, in words.
fn kind(core: &Core, id: AssetId) -> &'static str {
    let is_video = core.library.get(id).is_some_and(|asset| matches!(asset.kind, AssetKind::Video { .. }));
    if is_video { "video" } else { "photo" }
}

/// So many photos and videos, in words.
fn things(photos: usize, videos: usize) -> String {
    let counted = |count: usize, what: &str| match count {
        0 => None,
        1 => Some(format!("a {what}")),
        many => Some(format!("{many} {what}s")),
    };
    let said: Vec<String> = [counted(photos, "photo"), counted(videos, "video")].into_iter().flatten().collect();
    said.join(" and ")
}

fn no_selfies() -> NodeError {
    NodeError::Conflict("no-selfies", "the host does not offer this at the moment".into())
}

fn no_room() -> NodeError {
    NodeError::NoRoom("the host's device has no room for this at the moment; tell them, and try again later".into())
}

fn guest_name(name: &str) -> Answer<String> {
    match clean_name(name, limits::NAME_CHARS, limits::NAME_BYTES) {
        name if name.is_empty() => {
            Err(NodeError::Invalid("empty-name", "give a name, so that the host knows whose photos these are".into()))
        }
        name => Ok(name),
    }
}

fn own(core: &Core, visitor: Visitor, id: &[u8; 16]) -> Answer<()> {
    let mine = core.guests.upload(id).is_some_and(|upload| upload.guest == visitor.guest);
    if mine { Ok(()) } else { Err(NodeError::NotFound("upload")) }
}

fn takes_uploads(core: &Core, event: &EventId) -> Answer<()> {
    if core.guests.page(event).is_some_and(|page| page.takes_uploads(now_ms())) {
        return Ok(());
    }
    Err(NodeError::Conflict("closed", "photos cannot be added at this time; ask the host".into()))
}

fn visitor_view(core: &Core, guest: GuestId) -> VisitorView {
    VisitorView {
        name: core.guests.name(&guest),
        selfie: core.guests.selfie(guest).is_some(),
        uploads: core.guests.uploads_of(guest).iter().map(|(id, upload)| upload_view(core, *id, upload)).collect(),
    }
}

fn upload_view(core: &Core, id: [u8; 16], upload: &StoredUpload) -> VisitUploadView {
    let photo = upload.state.asset().and_then(|asset| core.library.get(asset).map(|stored| (asset, stored)));
    let (state, reason) = match &upload.state {
        UploadState::Coming => ("coming", None),
        UploadState::Here => ("here", None),
        // The host has deleted it in another way.
        UploadState::Waiting(_) | UploadState::Shown(_) | UploadState::ShownUnseen(_) if photo.is_none() => {
            ("refused", None)
        }
        UploadState::Waiting(_) => ("waiting", None),
        UploadState::Shown(_) | UploadState::ShownUnseen(_) => ("shown", None),
        UploadState::Known => ("known", None),
        UploadState::Refused => ("refused", None),
        UploadState::Failed(why) => ("failed", Some(why.clone())),
    };
    VisitUploadView {
        id: data_encoding::HEXLOWER.encode(&id),
        name: upload.name.clone(),
        size: upload.size_bytes,
        state,
        reason,
        have: if state == "coming" { core.guests.present(&id) } else { Vec::new() },
        photo: photo.filter(|(_, stored)| stored.grid.is_some()).map(|(asset, _)| asset.to_string()),
    }
}

fn latest_first(mut found: Vec<(i64, AssetId, Arc<StoredAsset>)>) -> Vec<FoundPhotoView> {
    found.sort_by_key(|one| std::cmp::Reverse((one.0, one.1)));
    let view = |(_, id, asset): (i64, AssetId, Arc<StoredAsset>)| FoundPhotoView {
        id: id.to_string(),
        width: asset.width,
        height: asset.height,
        video: matches!(asset.kind, AssetKind::Video { .. }),
        duration_ms: if let AssetKind::Video { duration_ms, .. } = asset.kind { duration_ms } else { 0 },
    };
    found.into_iter().map(view).collect()
}
