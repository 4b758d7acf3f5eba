//! The guest page of an event, as its host sees and changes it.

mod links;
mod members;

use std::sync::Arc;

use inframe_protocol::EventId;

use self::links::{links, wifi_of, wifi_view};
use self::members::{members_part, members_view, withdraw};
use super::events::{event_id, invalid};
use super::library::asset_id;
use super::sharing::short_id;
use super::{Answer, Node, NodeError, Picture};
use crate::activity::ActivityKind;
use crate::clock::now_ms;
use crate::events::MyRole;
use crate::guest::{Guests, Listening, StoredGuestMatch, StoredPage, UploadState, Word, limits};
use crate::library::{AssetId, AssetKind, GuestId};
use crate::sandbox::FractionRect;
use crate::views::{
    GuestAskView, GuestAsksBody, GuestPagePatch, GuestPageView, GuestRemovalView, GuestUploadView, GuestUploadsBody,
    GuestView, GuestWifiBody, GuestWifiView, GuestsWaitingView,
};
use crate::workers::{Core, Job, guests as guests_worker};

/// Things of one kind in one answer, and in one wish.
const MOST: usize = 500;
/// How much of a photo is shown around a face, as a part of the face's size.
const CROP_MARGIN: f32 = 0.45;
/// Long side of that picture, pixels.
const CROP_SIDE_PX: u32 = 320;

pub(super) fn guest_id(text: &str) -> Answer<GuestId> {
    text.parse().map_err(|()| NodeError::NotFound("guest"))
}

impl Node {
    /// The guests of this node, for the guest page's own port.
    #[must_use]
    pub fn guests(&self) -> &Guests {
        &self.core.guests
    }

    /// Notes where the guest page's port is, or why it is not.
    pub fn guest_port(&self, listening: Listening) {
        self.core.guests.set_listening(listening);
    }

    /// The guest page of an event.
    ///
    /// # Errors
    /// When there is no such event, or this node is not its host.
    pub async fn guest_page(&self, event: String) -> Answer<GuestPageView> {
        let id = event_id(&event)?;
        self.blocking(move |core| {
            let page = hosted(core, &id)?;
            page_view(core, &id, &page)
        })
        .await
    }

    /// Switches it on or off and changes its rules.
    ///
    /// # Errors
    /// When this node is not the host or a value makes no sense.
    pub async fn change_guest_page(&self, event: String, patch: GuestPagePatch) -> Answer<GuestPageView> {
        let id = event_id(&event)?;
        self.blocking(move |core| {
            let before = hosted(core, &id)?;
            let page = changed(core, &before, patch)?;
            core.guests.put_page(&id, page.clone())?;
            let name = core.events.name(&id);
            let said = match (before.on, page.on) {
                (false, true) => Some(format!("You switched the guest page of {name} on.")),
                (true, false) => Some(format!("You switched the guest page of {name} off.")),
                _ => None,
            };
            if let Some(text) = said {
                core.activity.note(ActivityKind::Consent, text, None, Some(id.to_string()))?;
            }
            if before.approve_first && !guests_worker::approves_first(core, &id) {
                show_all_waiting(core, &id)?;
            }
            core.board.ring(Job::Guests);
            page_view(core, &id, &page)
        })
        .await
    }

    /// Gives it a fresh link; the one before leads nowhere from then on, nor do the private links that begin with it. Nor does anybody join with the
    /// invite that it carried: the fresh one is for guests alone.
    ///
    /// # Errors
    /// When this node is not the host.
    pub async fn new_guest_link(&self, event: String) -> Answer<GuestPageView> {
        let id = event_id(&event)?;
        self.blocking(move |core| {
            let before = hosted(core, &id)?;
            withdraw(core, &id, &before)?;
            let page = StoredPage { members: None, ..Guests::with_new_link(&before)? };
            core.guests.put_page(&id, page.clone())?;
            let text = format!(
                "You made a new link to the guest page of {}; the one before leads nowhere.",
                core.events.name(&id)
            );
            core.activity.note(ActivityKind::Consent, text, None, Some(id.to_string()))?;
            page_view(core, &id, &page)
        })
        .await
    }

    /// The host's word on what guests have added.
    ///
    /// # Errors
    /// When this node is not the host or too many are named; what is gone is passed over.
    pub async fn answer_guest_uploads(&self, event: String, body: GuestUploadsBody) -> Answer<GuestPageView> {
        let id = event_id(&event)?;
        let uploads = bounded(&body.uploads)?.iter().map(|one| short_id(one, "upload")).collect::<Answer<Vec<_>>>()?;
        self.blocking(move |core| {
            let page = hosted(core, &id)?;
            for upload in uploads {
                if core.guests.upload(&upload).is_some_and(|row| row.event == id) {
                    guests_worker::show(core, &upload, body.show)?;
                }
            }
            page_view(core, &id, &page)
        })
        .await
    }

    /// The host's word on photos and videos in which guests were found.
    ///
    /// # Errors
    /// When this node is not the host or too many are named; what is gone is passed over.
    pub async fn answer_guest_asks(&self, event: String, body: GuestAsksBody) -> Answer<GuestPageView> {
        let id = event_id(&event)?;
        let parse = |ask: &crate::views::GuestAskId| Ok((guest_id(&ask.guest)?, asset_id(&ask.asset)?));
        let asks = bounded(&body.asks)?.iter().map(parse).collect::<Answer<Vec<(GuestId, AssetId)>>>()?;
        self.blocking(move |core| {
            let page = hosted(core, &id)?;
            let word = if body.allow { Word::Allowed } else { Word::Refused };
            for (guest, asset) in asks {
                if core.guests.match_of(guest, asset).is_some_and(|row| row.event == id) {
                    core.guests.answer(guest, asset, word)?;
                }
            }
            page_view(core, &id, &page)
        })
        .await
    }

    /// Deals with a guest's wish that a photo be removed.
    ///
    /// # Errors
    /// When this node is not the host or there is no such wish.
    pub async fn answer_guest_removal(&self, event: String, removal: String, take_out: bool) -> Answer<GuestPageView> {
        let (id, removal) = (event_id(&event)?, short_id(&removal, "wish")?);
        self.blocking(move |core| {
            let page = hosted(core, &id)?;
            let known = core.guests.removals_of(&id).into_iter().find(|(known, _)| *known == removal);
            let (_, wish) = known.ok_or(NodeError::NotFound("wish"))?;
            if take_out {
                core.events.change_settings(&id, |settings| {
                    settings.taken_out.insert(wish.asset);
                    settings.chosen.remove(&wish.asset);
                })?;
                core.board.ring(Job::Matching);
            }
            core.guests.removal_done(&removal)?;
            page_view(core, &id, &page)
        })
        .await
    }

    /// Shuts a guest out, or lets them in again.
    ///
    /// # Errors
    /// When this node is not the host or there is no such guest.
    pub async fn block_guest(&self, event: String, guest: String, blocked: bool) -> Answer<GuestPageView> {
        let (id, guest) = (event_id(&event)?, guest_id(&guest)?);
        self.blocking(move |core| {
            let page = hosted(core, &id)?;
            let known = core.guests.guest(guest).filter(|known| known.event == id);
            let name = known.ok_or(NodeError::NotFound("guest"))?.name.clone();
            core.guests.change_guest(guest, |guest| guest.blocked = blocked)?;
            if blocked {
                core.guests.remove_selfie(guest)?;
            }
            let did = if blocked { "shut out" } else { "let in again" };
            let text = format!("You {did} {name}, a guest of {}.", core.events.name(&id));
            core.activity.note(ActivityKind::Member, text, None, Some(id.to_string()))?;
            page_view(core, &id, &page)
        })
        .await
    }

    /// The small picture of a guest who looks for themselves.
    ///
    /// # Errors
    /// When this node is not the host, or there is none.
    pub async fn guest_still(&self, event: String, guest: String) -> Answer<Picture> {
        let (id, guest) = (event_id(&event)?, guest_id(&guest)?);
        self.blocking(move |core| {
            hosted(core, &id)?;
            let selfie = core.guests.selfie(guest).filter(|selfie| selfie.event == id);
            Ok(Picture::jpeg(selfie.ok_or(NodeError::NotFound("picture"))?.still.clone()))
        })
        .await
    }

    /// The face in which a guest was found, cut out of the photo, or out of the video at its time, with some of its surroundings.
    ///
    /// # Errors
    /// When this node is not the host, or the photo is gone.
    pub async fn guest_crop(&self, event: String, guest: String, asset: String) -> Answer<Picture> {
        let (id, guest, asset) = (event_id(&event)?, guest_id(&guest)?, asset_id(&asset)?);
        let (rect, at_ms) = self
            .blocking(move |core| {
                hosted(core, &id)?;
                let row = core.guests.match_of(guest, asset).filter(|row| row.event == id);
                let row = row.ok_or(NodeError::NotFound("picture"))?;
                let faces = core.faces.of(asset);
                let face = faces.as_ref().and_then(|known| known.faces.get(usize::from(row.face)));
                let face = face.ok_or(NodeError::NotFound("picture"))?;
                Ok((face.rect, face.at_ms))
            })
            .await?;
        let bytes = match self.frame_of_video(asset, at_ms).await? {
            Some(frame) => frame,
            None => self.blocking(move |core| Ok(core.library.read_original(asset)?)).await?,
        };
        let [x, y, w, h] = rect;
        let rect = FractionRect { x, y, w, h };
        Ok(Picture::jpeg(self.core.sandbox.crop(bytes, rect, CROP_MARGIN, CROP_SIDE_PX).await?))
    }

    /// A QR code with which phones join a Wi-Fi network; it is kept only if the host says so.
    ///
    /// # Errors
    /// When this node is not the host, or name or password cannot be those of a network.
    pub async fn guest_wifi(&self, event: String, body: GuestWifiBody) -> Answer<Option<GuestWifiView>> {
        let id = event_id(&event)?;
        self.blocking(move |core| {
            let page = hosted(core, &id)?;
            let wifi = wifi_of(&body)?;
            let kept = wifi.clone().filter(|_| body.keep);
            if page.wifi != kept {
                core.guests.put_page(&id, StoredPage { wifi: kept, ..page })?;
            }
            wifi.as_ref().map(wifi_view).transpose()
        })
        .await
    }
}

fn bounded<T>(named: &[T]) -> Answer<&[T]> {
    if named.len() > MOST { Err(NodeError::TooLarge(format!("name at most {MOST} at once"))) } else { Ok(named) }
}

/// The page of an event that this node is the host of, as it is or as it would be.
fn hosted(core: &Core, event: &EventId) -> Answer<StoredPage> {
    let now = now_ms();
    let found = core.events.describe(event, now).ok_or(NodeError::NotFound("event"))?;
    if found.role != MyRole::Host {
        return Err(NodeError::NotHost);
    }
    match core.guests.page(event) {
        Some(page) => Ok(StoredPage::clone(&page)),
        None => {
            let ends_at =
                found.ends.filter(|ends| *ends > now).unwrap_or_else(|| now.saturating_add(limits::NO_END_MS));
            Ok(Guests::new_page(ends_at, now)?)
        }
    }
}

fn changed(core: &Core, before: &StoredPage, patch: GuestPagePatch) -> Answer<StoredPage> {
    let now = now_ms();
    let mut page = before.clone();
    page.approve_first = patch.approve_first.unwrap_or(page.approve_first);
    page.selfies = patch.selfies.unwrap_or(page.selfies);
    let moment = |given: Option<u64>, known| given.map_or(known, |at| (at > 0).then_some(at));
    page.opens_at = moment(patch.opens_at, page.opens_at);
    page.closes_at = moment(patch.closes_at, page.closes_at);
    page.ends_at = patch.ends_at.unwrap_or(page.ends_at);
    page.keep_days = patch.keep_days.unwrap_or(page.keep_days);
    page.on = patch.on.unwrap_or(page.on);
    if patch.selfies == Some(true) && core.profile.consent_at().is_none() {
        let why =
            "guests can look for themselves once you have agreed that faces are found in your photos: see Profile";
        return Err(NodeError::Conflict("no-consent", why.into()));
    }
    if page.keep_days > limits::MAX_KEEP_DAYS {
        return Err(invalid(
            "bad-days",
            format!("guests' selfies may be kept for at most {} days", limits::MAX_KEEP_DAYS),
        ));
    }
    if page.ends_at > now.saturating_add(limits::MAX_END_MS) {
        return Err(invalid("bad-end", "the end lies at most two years from now"));
    }
    if matches!((page.opens_at, page.closes_at), (Some(opens), Some(closes)) if closes <= opens) {
        return Err(invalid("bad-window", "the time for adding photos must end after it begins"));
    }
    if page.on && page.erases_at() <= now {
        return Err(invalid("over", "this lies in the past: set a later end before you switch it on"));
    }
    if page.on {
        page.erased_at = None;
    }
    Ok(page)
}

fn show_all_waiting(core: &Arc<Core>, event: &EventId) -> Answer<()> {
    for (id, upload) in core.guests.uploads() {
        if upload.event == *event {
            guests_worker::show_unseen(core, &id)?;
        }
    }
    Ok(())
}

fn page_view(core: &Core, event: &EventId, page: &StoredPage) -> Answer<GuestPageView> {
    let listening = core.guests.listening();
    let guests = core.guests.guests_of(event);
    let uploads: Vec<_> = core.guests.uploads().into_iter().filter(|(_, upload)| upload.event == *event).collect();
    // R81: where children are present, the host is asked about what they have not looked at before as well.
    let children_present = core.events.children_present(event);
    let waits = |state: &UploadState| match state {
        UploadState::Waiting(_) => true,
        UploadState::ShownUnseen(_) => children_present,
        _ => false,
    };
    let shown = |state: &UploadState| matches!(state, UploadState::Shown(_) | UploadState::ShownUnseen(_));
    let mut waiting: Vec<_> = uploads.iter().filter(|(_, upload)| waits(&upload.state)).collect();
    waiting.sort_by_key(|(id, upload)| (upload.at, *id));
    let shown_count = uploads.iter().filter(|(_, upload)| shown(&upload.state)).count() as u64;
    let asks = asks(core, event);
    let view = |(id, guest): &(GuestId, Arc<crate::guest::StoredGuest>)| GuestView {
        id: id.to_string(),
        name: guest.name.clone(),
        at: guest.at,
        blocked: guest.blocked,
        uploads: u32::try_from(uploads.iter().filter(|(_, upload)| upload.guest == *id).count()).unwrap_or(u32::MAX),
        selfie: core.guests.selfie(*id).is_some(),
    };
    let upload_view = |(id, upload): &&([u8; 16], Arc<crate::guest::StoredUpload>)| {
        let asset = upload.state.asset()?;
        let stored = core.library.get(asset)?;
        Some(GuestUploadView {
            id: data_encoding::HEXLOWER.encode(id),
            guest_name: core.guests.name(&upload.guest),
            asset: asset.to_string(),
            video: matches!(stored.kind, AssetKind::Video { .. }),
            at: upload.changed_at,
        })
    };
    let queue: Vec<GuestUploadView> = waiting.iter().filter_map(upload_view).collect();
    let links = if page.is_open(now_ms()) {
        links(&listening, page, members_part(core, event, page)?.as_deref())?
    } else {
        Vec::new()
    };
    let nowhere = || "this device has no address on a network that guests could reach; see Settings, Doctor".to_owned();
    let problem = listening.problem.or_else(|| (listening.at.is_some() && links.is_empty()).then(nowhere));
    Ok(GuestPageView {
        on: page.is_open(now_ms()),
        problem: problem.filter(|_| page.on),
        links,
        approve_first: page.approve_first,
        children_present,
        selfies: page.selfies,
        selfies_possible: core.profile.consent_at().is_some(),
        opens_at: page.opens_at,
        closes_at: page.closes_at,
        ends_at: page.ends_at,
        keep_days: page.keep_days,
        erases_at: page.erases_at(),
        erased_at: page.erased_at,
        guests: guests.iter().map(view).collect(),
        waiting_count: queue.len() as u64,
        uploads: queue.into_iter().take(MOST).collect(),
        shown_count,
        asks_count: asks.len() as u64,
        asks: asks.into_iter().take(MOST).collect(),
        removals: removals(core, event),
        wifi: page.wifi.as_ref().map(wifi_view).transpose()?,
        members: members_view(core, event, page),
    })
}

/// What guests wait for, event by event: photos of theirs to be let in, photos they were found in, wishes that one be removed.
pub(super) fn waiting(core: &Core) -> Vec<GuestsWaitingView> {
    let pages = core.guests.pages();
    if pages.is_empty() {
        return Vec::new();
    }
    let (uploads, known) = (core.guests.uploads(), core.events.ids());
    let of = |(event, _): (EventId, Arc<StoredPage>)| {
        let uploads = uploads.iter().filter(|(_, upload)| upload.event == event);
        let uploads = uploads.filter(|(_, upload)| matches!(upload.state, UploadState::Waiting(_))).count();
        let removals = core.guests.removals_of(&event).iter().filter(|(_, wish)| !wish.done).count();
        let count = (uploads + removals + asked(core, &event).len()) as u64;
        let view = || GuestsWaitingView { event: event.to_string(), name: core.events.name(&event), count };
        (count > 0 && known.contains(&event)).then(view)
    };
    pages.into_iter().filter_map(of).collect()
}

fn asks(core: &Core, event: &EventId) -> Vec<GuestAskView> {
    let view = |(guest, asset, row): (GuestId, AssetId, Arc<StoredGuestMatch>)| GuestAskView {
        guest: guest.to_string(),
        guest_name: core.guests.name(&guest),
        asset: asset.to_string(),
        sure: row.grade == crate::matching::Grade::Sure,
        at: row.at,
    };
    let mut asks: Vec<GuestAskView> = asked(core, event).into_iter().map(view).collect();
    asks.sort_by(|a, b| a.at.cmp(&b.at).then_with(|| a.asset.cmp(&b.asset)));
    asks
}

/// Guests and what they were found in that the host is asked about, in no order.
fn asked(core: &Core, event: &EventId) -> Vec<(GuestId, AssetId, Arc<StoredGuestMatch>)> {
    let Some(search) = core.events.search(event, now_ms()) else { return Vec::new() };
    let here = core.guests.selfies().into_iter().filter(|(_, selfie)| selfie.event == *event);
    let found =
        here.flat_map(|(guest, _)| core.guests.matches_of(guest).into_iter().map(move |(id, row)| (guest, id, row)));
    found.filter(|(_, id, row)| guests_worker::asked(core, &search, *id, row)).collect()
}

fn removals(core: &Core, event: &EventId) -> Vec<GuestRemovalView> {
    let view = |(id, wish): ([u8; 16], Arc<crate::guest::StoredRemoval>)| GuestRemovalView {
        id: data_encoding::HEXLOWER.encode(&id),
        guest_name: core.guests.name(&wish.guest),
        asset: wish.asset.to_string(),
        reason: wish.reason.clone(),
        at: wish.at,
        done: wish.done,
        is_there: core.library.get(wish.asset).is_some(),
    };
    core.guests.removals_of(event).into_iter().take(MOST).map(view).collect()
}
