//! What the API shows of guest pages to the host, and what a guest page is told.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The guest page of an event, as its host sees it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct GuestPageView {
    /// Whether it is switched on.
    pub on: bool,
    /// Why it cannot be reached although it is on, in words.
    pub problem: Option<String>,
    /// Links to it by every address of this device that others on the network could use, the likeliest first; none while it is off.
    pub links: Vec<GuestLinkView>,
    /// Whether what guests add takes part only after the host's word.
    pub approve_first: bool,
    /// Whether children are present in the event: then it does in any case, and every photo of a guest is asked about.
    pub children_present: bool,
    /// Whether guests may look for themselves with a selfie.
    pub selfies: bool,
    /// Whether they could: the host has to have agreed that faces are found here.
    pub selfies_possible: bool,
    /// When guests may begin to add photos, Unix ms; at once if not said.
    pub opens_at: Option<u64>,
    /// Until when; until everything is erased if not said.
    pub closes_at: Option<u64>,
    /// The end of the event for guests, Unix ms.
    pub ends_at: u64,
    /// Days from then until guests' face data is erased.
    pub keep_days: u16,
    /// When that is, Unix ms.
    pub erases_at: u64,
    /// When it was done, if it was.
    pub erased_at: Option<u64>,
    /// Guests, oldest first.
    pub guests: Vec<GuestView>,
    /// What guests have added and what waits for the host's word, oldest first, 500 at most.
    pub uploads: Vec<GuestUploadView>,
    /// How many wait in all.
    pub waiting_count: u64,
    /// How many take part in the event.
    pub shown_count: u64,
    /// Photos and videos that guests were found in and may see only by the host's word, 500 at most.
    pub asks: Vec<GuestAskView>,
    /// How many there are in all.
    pub asks_count: u64,
    /// Wishes that a photo be removed, newest first.
    pub removals: Vec<GuestRemovalView>,
    /// The Wi-Fi network for the poster, if the host had it kept.
    pub wifi: Option<GuestWifiView>,
    /// The invite that the links carry, if the host lets members join with them too.
    pub members: Option<GuestMembersView>,
}

/// The invite in the links to a guest page.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct GuestMembersView {
    /// Id of the invite.
    pub invite: String,
    /// How it stands: `open`; or `used`, `expired` or `withdrawn`, and then the links are for guests alone.
    pub state: String,
    /// When it ends, Unix ms.
    pub expires_at: u64,
    /// Uses left.
    pub uses_left: u32,
    /// Whether who comes by it waits for a yes even where the event lets everybody in.
    pub by_hand: bool,
}

/// Request for an invite in the links to a guest page.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct GuestMembersBody {
    /// Life in seconds; default 48 hours, at most 90 days.
    #[serde(default)]
    pub expires_in_s: Option<u64>,
    /// Number of uses; default 10, at most 500.
    #[serde(default)]
    pub uses: Option<u32>,
    /// Whether who comes by it waits for a yes even where the event lets everybody in; default yes.
    #[serde(default)]
    pub by_hand: Option<bool>,
}

/// One address of a guest page.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct GuestLinkView {
    /// Address of this device with the port.
    pub address: String,
    /// The whole link. Whoever has it may use the page, and ask to join as a member if it carries an invite.
    pub link: String,
    /// The link as a QR code, SVG.
    pub qr_svg: String,
}

/// A guest.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct GuestView {
    /// Id.
    pub id: String,
    /// What they call themselves.
    pub name: String,
    /// When they came, Unix ms.
    pub at: u64,
    /// Whether the host has shut them out.
    pub blocked: bool,
    /// How many files they have added.
    pub uploads: u32,
    /// Whether they look for themselves.
    pub selfie: bool,
}

/// Something that a guest has added and that waits for the host's word.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct GuestUploadView {
    /// Id.
    pub id: String,
    /// Who.
    pub guest_name: String,
    /// The asset.
    pub asset: String,
    /// Whether it is a video.
    pub video: bool,
    /// When it came, Unix ms.
    pub at: u64,
}

/// A photo or video in which a guest was found.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct GuestAskView {
    /// The guest.
    pub guest: String,
    /// What they call themselves.
    pub guest_name: String,
    /// The asset.
    pub asset: String,
    /// Whether it is surely them.
    pub sure: bool,
    /// When it was found, Unix ms.
    pub at: u64,
}

/// A guest's wish that a photo be removed.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct GuestRemovalView {
    /// Id.
    pub id: String,
    /// Who.
    pub guest_name: String,
    /// The asset.
    pub asset: String,
    /// In their words.
    pub reason: String,
    /// When, Unix ms.
    pub at: u64,
    /// Whether the host has dealt with it.
    pub done: bool,
    /// Whether the photo is still there.
    pub is_there: bool,
}

/// A Wi-Fi network for a poster.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct GuestWifiView {
    /// Its name.
    pub name: String,
    /// Its password; empty for an open one.
    pub password: String,
    /// A QR code with which phones join it, SVG.
    pub qr_svg: String,
}

/// Changes of a guest page; absent fields stay.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct GuestPagePatch {
    /// Whether it is switched on.
    pub on: Option<bool>,
    /// Whether what guests add takes part only after the host's word.
    pub approve_first: Option<bool>,
    /// Whether guests may look for themselves with a selfie.
    pub selfies: Option<bool>,
    /// When guests may begin to add photos, Unix ms; 0 for at once.
    pub opens_at: Option<u64>,
    /// Until when, Unix ms; 0 for as long as the page lives.
    pub closes_at: Option<u64>,
    /// The end of the event for guests, Unix ms.
    pub ends_at: Option<u64>,
    /// Days from then until guests' face data is erased, 0 to 90.
    pub keep_days: Option<u16>,
}

/// The host's word on what guests have added.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct GuestUploadsBody {
    /// Ids of uploads, 500 at most.
    pub uploads: Vec<String>,
    /// They take part in the event, or go into the trash.
    pub show: bool,
}

/// A photo and a guest.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct GuestAskId {
    /// The guest.
    pub guest: String,
    /// The asset.
    pub asset: String,
}

/// The host's word on photos and videos in which guests were found.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct GuestAsksBody {
    /// Which, 500 at most.
    pub asks: Vec<GuestAskId>,
    /// Whether the guests may see them.
    pub allow: bool,
}

/// What becomes of a wish for removal.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct GuestRemovalBody {
    /// Whether the photo is taken out of the event.
    pub take_out: bool,
}

/// Whether a guest is shut out.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct GuestBody {
    /// Whether they are.
    pub blocked: bool,
}

/// A Wi-Fi network to be printed on a poster.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct GuestWifiBody {
    /// Its name; empty to forget what was kept.
    pub name: String,
    /// Its password; empty for an open one.
    pub password: String,
    /// Whether it is kept, encrypted, for the next time.
    pub keep: bool,
}

/// What a guest page shows.
#[derive(Clone, Debug, Serialize)]
pub struct VisitView {
    /// Name of the event.
    pub event: String,
    /// The host's nickname.
    pub host: String,
    /// Whether photos may be added now.
    pub takes_uploads: bool,
    /// When that begins, if it has not, Unix ms.
    pub opens_at: Option<u64>,
    /// Whether what is added waits for the host's word.
    pub approve_first: bool,
    /// Whether one may look for oneself.
    pub selfies: bool,
    /// When guests' face data is erased, Unix ms.
    pub erases_at: u64,
    /// Plain bytes of a piece of an upload.
    pub piece_bytes: u64,
    /// Largest file, in bytes.
    pub file_bytes: u64,
    /// The consent text for the selfie.
    pub consent: super::ConsentTextView,
    /// The guest, if they are known.
    pub guest: Option<VisitorView>,
}

/// A guest, as they see themselves.
#[derive(Clone, Debug, Serialize)]
pub struct VisitorView {
    /// What they call themselves.
    pub name: String,
    /// Whether they look for themselves.
    pub selfie: bool,
    /// Their uploads, oldest first.
    pub uploads: Vec<VisitUploadView>,
}

/// An upload, as its guest sees it.
#[derive(Clone, Debug, Serialize)]
pub struct VisitUploadView {
    /// Id.
    pub id: String,
    /// File name.
    pub name: String,
    /// Plain bytes.
    pub size: u64,
    /// `coming`, `here`, `waiting`, `shown`, `known`, `refused` or `failed`.
    pub state: &'static str,
    /// Why it failed, in words.
    pub reason: Option<String>,
    /// Numbers of the pieces that are there, while it is coming.
    pub have: Vec<u64>,
    /// Its picture, by this id, once there is one.
    pub photo: Option<String>,
}

/// Photos and videos in which a guest was found.
#[derive(Clone, Debug, Serialize)]
pub struct FoundView {
    /// Whether they look for themselves.
    pub selfie: bool,
    /// Surely them, latest first.
    pub sure: Vec<FoundPhotoView>,
    /// Maybe them, latest first.
    pub maybe: Vec<FoundPhotoView>,
    /// Whether photos are still looked at.
    pub looking: bool,
    /// How many wait for the host's word.
    pub waiting: u64,
}

/// Guests of an event wait for its host's word.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct GuestsWaitingView {
    /// Which event.
    pub event: String,
    /// Its name.
    pub name: String,
    /// Photos to be let in, photos they were found in and wishes that one be removed.
    pub count: u64,
}

/// One of them.
#[derive(Clone, Debug, Serialize)]
pub struct FoundPhotoView {
    /// Id.
    pub id: String,
    /// Upright width in pixels.
    pub width: u32,
    /// Upright height in pixels.
    pub height: u32,
    /// Whether it is a video.
    pub video: bool,
    /// Length of a video, 0 for a photo.
    pub duration_ms: u64,
}

impl std::fmt::Debug for GuestLinkView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "GuestLinkView {{ address: {:?}, link: hidden }}", self.address)
    }
}

impl std::fmt::Debug for GuestWifiView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "GuestWifiView {{ name: {:?}, password: hidden }}", self.name)
    }
}

impl std::fmt::Debug for GuestWifiBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "GuestWifiBody {{ name: {:?}, keep: {}, password: hidden }}", self.name, self.keep)
    }
}
