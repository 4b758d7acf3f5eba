//! What the API shows: plain values, made for the dashboard and the CLI, from which the OpenAPI document and the UI's types are generated.
//! Ids are lowercase hex strings, times are Unix milliseconds, boxes are fractions (0..1) of the upright image.

mod contact;
mod doctor;
mod erasure;
mod export;
mod guests;
mod notices;
mod people;
mod privacy;
mod recall;
mod trash;

pub use contact::*;
pub use doctor::*;
pub use erasure::*;
pub use export::*;
pub use guests::*;
pub use notices::*;
pub use people::*;
pub use privacy::*;
pub use recall::*;
pub use trash::*;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// One background worker, for the status page.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct WorkerView {
    /// Name, such as `faces` or `transfer`.
    pub name: String,
    /// `idle`, `working` or `failing`.
    pub state: String,
    /// Jobs known to be waiting.
    pub pending: u64,
    /// Jobs done since start.
    pub done: u64,
    /// The last error, in words.
    pub last_error: Option<String>,
}

/// The node at a glance.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct StatusView {
    /// Version of the daemon.
    pub version: String,
    /// Peer id in base58, as libp2p writes it.
    pub node_id: String,
    /// The name that other members see.
    pub nickname: String,
    /// Name of this device.
    pub device_name: String,
    /// Multiaddresses at which others reach this node.
    pub addresses: Vec<String>,
    /// Seconds since start.
    pub uptime_s: u64,
    /// Assets in the library.
    pub asset_count: u64,
    /// Plain bytes of all assets.
    pub asset_bytes: u64,
    /// Assets in the trash.
    pub trash_count: u64,
    /// Plain bytes of what is in the trash.
    pub trash_bytes: u64,
    /// The disk of the data folder; absent when the system does not say.
    pub disk: Option<DiskView>,
    /// Connected peers.
    pub peers_connected: u32,
    /// Approvals waiting for an answer.
    pub approvals_waiting: u32,
    /// Hosted events in which guests wait for the owner's word.
    pub guests_waiting: Vec<GuestsWaitingView>,
    /// Id of the model pack in use.
    pub pack: String,
    /// How far the photos are with it.
    pub faces: FacesProgressView,
    /// Sandbox processes alive now.
    pub sandbox_processes: u32,
    /// Whether the owner paused imports, watched folders and the search for faces.
    pub background_paused: bool,
    /// What holds the sandbox's processes, in words; empty until the first one has started.
    pub sandbox_active: Vec<String>,
    /// What of the sandbox this machine does not offer, in words; empty when complete.
    pub sandbox_gaps: Vec<String>,
    /// How the master key is kept, in words.
    pub key_protection: String,
    /// Whether profile "me" is enrolled.
    pub enrolled: bool,
    /// Events in which this node announces a find-me now.
    pub announcing: u32,
    /// Whether `ffmpeg`, which videos need, is installed.
    pub video_tools: bool,
    /// Why notices cannot be sent to where the owner wants them, if so.
    pub notices_failure: Option<String>,
    /// Every worker.
    pub workers: Vec<WorkerView>,
    /// Revision of the timeline.
    pub timeline_rev: u64,
}

/// The disk of the data folder.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
pub struct DiskView {
    /// Free, in bytes.
    pub free_bytes: u64,
    /// Kept free, in bytes: imports and receiving wait while there is less.
    pub reserve_bytes: u64,
    /// Whether something waits for space, or would.
    pub low: bool,
}

/// How far the photos are with the model pack in use.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct FacesProgressView {
    /// Photos whose faces were found with it.
    pub done: u64,
    /// Photos of the library.
    pub total: u64,
    /// Those in which faces cannot be looked for.
    pub failed: u64,
}

/// Every model pack.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ModelsView {
    /// The packs, the built-in one first.
    pub packs: Vec<ModelView>,
    /// The file that is on its way into a new pack.
    pub adding: Option<AddingView>,
    /// How far the photos are with the pack in use.
    pub faces: FacesProgressView,
    /// Why no faces are looked for, when the pack in use is damaged.
    pub trouble: Option<String>,
}

/// A model pack.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ModelView {
    /// Id: only embeddings of equal ids compare.
    pub id: String,
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
    /// Licence of the weights, as the pack states it.
    pub licence: String,
    /// Where the weights come from, as the pack states it.
    pub provenance: String,
    /// Whether it is part of the program.
    pub built_in: bool,
    /// Whether it is in use.
    pub active: bool,
    /// Why it cannot be used, if so.
    pub problem: Option<String>,
}

/// A file on its way into a pack.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AddingView {
    /// Its name in the pack.
    pub file: String,
    /// Bytes so far.
    pub done_bytes: u64,
    /// Bytes in all, where the server said so.
    pub total_bytes: Option<u64>,
}

/// A model pack to add: either `folder`, or `url` with `blake3`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct AddModelBody {
    /// Absolute path of a folder on the daemon's machine.
    pub folder: Option<String>,
    /// Address of a `pack.toml`.
    pub url: Option<String>,
    /// BLAKE3 of that `pack.toml` in lowercase hex.
    pub blake3: Option<String>,
    /// With a folder: whether files that are not in it may be downloaded from the addresses in its `pack.toml`.
    pub download: bool,
    /// Whether plain http to other machines is allowed.
    pub insecure: bool,
}

/// The model pack to use.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct UseModelBody {
    /// Its id, or its name where only one has it.
    pub pack: String,
}

/// Settings that the owner can change.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SettingsView {
    /// The name that other members see, at most 40 characters.
    pub nickname: String,
    /// Name of this device, at most 40 characters.
    pub device_name: String,
    /// Folders that are watched for new photos.
    pub watched_folders: Vec<WatchedFolderView>,
    /// Whether imports, watched folders and the search for faces rest.
    pub background_paused: bool,
    /// Processes that decode photos at once.
    pub processes: u32,
    /// The most that this machine can give: its processor cores.
    pub most_processes: u32,
    /// How much of the line transfers may have, and when.
    pub traffic: TrafficView,
    /// What this device keeps for members who are away.
    pub keeping: KeepingView,
    /// For how many seconds an answer to an approval can be taken back before anything leaves; 0 for not at all.
    pub undo_seconds: u32,
    /// The owner's name and e-mail address, for the members of those events in which they are shown; nobody else gets them.
    pub contact: ContactView,
}

/// What this device keeps for members who are away: sealed, so that it cannot look at it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeepingView {
    /// Bytes that it may take; nothing is kept when absent.
    pub room_bytes: Option<u64>,
    /// Photos and videos that lie here for others.
    pub count: u64,
    /// Bytes of them.
    pub bytes: u64,
}

/// How much is to be kept for members who are away.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeepingBody {
    /// Bytes that it may take, at least 67108864; absent to keep nothing, which erases what lies here.
    pub room_bytes: Option<u64>,
}

/// How much of the line transfers may have, and when.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TrafficView {
    /// Bytes a second that may go out, all transfers together, at least 131072; no limit when absent.
    pub up_bytes_s: Option<u64>,
    /// Bytes a second that may come in.
    pub down_bytes_s: Option<u64>,
    /// From when on nothing is sent or received every day, such as `23:00` on the clock of the daemon's machine; absent, with the next, when nothing is quiet.
    pub quiet_from: Option<String>,
    /// Until when.
    pub quiet_until: Option<String>,
}

/// A file over which decoders stopped three times.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct QuarantinedView {
    /// Id.
    pub id: String,
    /// `reading`: it is kept as a file, not as a picture. `faces`: it is a photo, and no faces were looked for.
    pub work: String,
    /// File name, as shown.
    pub file_name: String,
    /// Size in bytes.
    pub size_bytes: u64,
    /// What it is in the library.
    pub asset: String,
    /// What happened, in words.
    pub reason: String,
    /// When it happened last, Unix milliseconds; for `faces`, when the photo was imported.
    pub at: u64,
}

/// One watched folder.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct WatchedFolderView {
    /// Absolute path.
    pub path: String,
    /// Why it cannot be read now, if so.
    pub problem: Option<String>,
}

/// Changes to the settings; absent fields stay.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct SettingsPatch {
    /// New nickname.
    pub nickname: Option<String>,
    /// New device name.
    pub device_name: Option<String>,
    /// Let imports, watched folders and the search for faces rest, or go on.
    pub background_paused: Option<bool>,
    /// Processes that decode photos at once, from 1 to `most_processes`.
    pub processes: Option<u32>,
    /// How much of the line transfers may have, and when: all of it anew.
    pub traffic: Option<TrafficView>,
    /// How much is kept for members who are away.
    pub keeping: Option<KeepingBody>,
    /// For how many seconds an answer to an approval can be taken back, 0 to 600.
    pub undo_seconds: Option<u32>,
    /// The owner's name and e-mail address, both anew; empty for none.
    pub contact: Option<ContactView>,
}

/// A path on the daemon's machine.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, IntoParams)]
pub struct PathBody {
    /// Absolute path of a file or folder.
    pub path: String,
}

/// One run of an import.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ImportView {
    /// Id.
    pub id: String,
    /// Folder, `upload` or `watched folder`.
    pub source: String,
    /// `running`, `done`.
    pub state: String,
    /// Files seen so far.
    pub total: u64,
    /// Files imported and durable.
    pub imported: u64,
    /// Exact duplicates skipped.
    pub duplicates: u64,
    /// Files that were in the trash and are back in the library.
    pub restored: u64,
    /// What it waits for now, in words, such as space on the disk; it goes on by itself.
    pub waits: Option<String>,
    /// Those of them that are kept but cannot be shown, at most the first 1,000.
    pub files: Vec<ImportFailureView>,
    /// Files that could not be imported, at most the first 1,000.
    pub failed: Vec<ImportFailureView>,
    /// Start.
    pub started_at: u64,
    /// End.
    pub finished_at: Option<u64>,
}

/// A file that was not imported, or is kept but cannot be shown.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ImportFailureView {
    /// File name.
    pub name: String,
    /// Reason and what to do.
    pub reason: String,
}

/// What became of one uploaded file.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct UploadView {
    /// `imported`, `kept` (as a file that cannot be shown), `duplicate`, `restored` (from the trash) or `refused`.
    pub outcome: String,
    /// The asset, unless refused.
    pub asset: Option<String>,
    /// Why it was refused or cannot be shown.
    pub reason: Option<String>,
}

/// A fixed block of 256 items of the timeline, newest first, as columns of equal length.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TimelineBlockView {
    /// Revision that the block belongs to.
    pub rev: u64,
    /// Index of the first item.
    pub start: u64,
    /// Asset ids.
    pub ids: Vec<String>,
    /// Capture time (or import time where unknown), Unix ms.
    pub taken_at: Vec<u64>,
    /// Whether the asset was received from somebody.
    pub received: Vec<bool>,
    /// Faces found, or -1 while not looked at.
    pub faces: Vec<i32>,
    /// Length of a video in milliseconds, 0 while it is not known; null for what is no video.
    pub durations: Vec<Option<u64>>,
    /// For files that cannot be shown, the end of their name, such as `PDF`.
    pub file: Vec<Option<String>>,
}

/// A face in an asset.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct FaceView {
    /// Id.
    pub id: String,
    /// Left, fraction of width.
    pub x: f32,
    /// Top, fraction of height.
    pub y: f32,
    /// Width, fraction of width.
    pub w: f32,
    /// Height, fraction of height.
    pub h: f32,
    /// Quality 0..1.
    pub quality: f32,
    /// In a video, when the face is seen best, in milliseconds from the start.
    pub at_ms: Option<u64>,
    /// Whether it is the owner's own face by this node's own check.
    pub me: bool,
    /// The person that it belongs to, if any.
    pub person: Option<String>,
    /// What the owner calls that person.
    pub name: Option<String>,
}

/// Where an asset came from.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct OriginView {
    /// `imported`, `received` (from a member) or `guest` (added on the guest page).
    pub kind: String,
    /// Nickname of the sender.
    pub from: Option<String>,
    /// Event id it was received in.
    pub event: Option<String>,
    /// Event name.
    pub event_name: Option<String>,
    /// When it arrived here.
    pub at: u64,
}

/// To whom an asset went.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SharedWithView {
    /// Nickname.
    pub nickname: String,
    /// Event name.
    pub event_name: String,
    /// When it was confirmed as delivered.
    pub at: u64,
}

/// A video's length and how far the work on it has got.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct VideoView {
    /// Length in milliseconds; 0 while it is not known.
    pub duration_ms: u64,
    /// `ready` (it plays), `waiting` (a copy that browsers play is being made) or `failed`.
    pub playable: String,
    /// Why it does not play, in words.
    pub reason: Option<String>,
    /// Per cent of that copy that is made, while it is being made.
    pub copy_percent: Option<u8>,
    /// Per cent of the video that was searched for faces, while it is being searched.
    pub faces_percent: Option<u8>,
}

/// One asset in full.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AssetView {
    /// Id.
    pub id: String,
    /// BLAKE3 of the plain bytes, hex.
    pub content_id: String,
    /// File name as imported.
    pub file_name: String,
    /// Media type.
    pub media_type: String,
    /// Plain size.
    pub size_bytes: u64,
    /// Upright width in pixels.
    pub width: u32,
    /// Upright height in pixels.
    pub height: u32,
    /// What there is to say of a video.
    pub video: Option<VideoView>,
    /// Capture time, if the file says so (local wall time taken as UTC when the file has no offset).
    pub taken_at: Option<u64>,
    /// Import time.
    pub imported_at: u64,
    /// Camera, if known.
    pub camera: Option<String>,
    /// Whether the file carries a location (it is never shown to others).
    pub has_location: bool,
    /// Thumbhash, base64.
    pub thumbhash: String,
    /// Why it cannot be shown, for a file that is no picture; it has no thumbnails then.
    pub file: Option<FileView>,
    /// The film that was taken with it; `/assets/{id}/motion` gives it.
    pub motion: Option<MotionView>,
    /// `waiting`, `done` or `failed`.
    pub faces_state: String,
    /// Faces, left to right.
    pub faces: Vec<FaceView>,
    /// Origin.
    pub origin: OriginView,
    /// Deliveries to others.
    pub shared_with: Vec<SharedWithView>,
}

/// A file that cannot be shown.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct FileView {
    /// The end of its name, such as `PDF`.
    pub ending: String,
    /// Why it cannot be shown.
    pub reason: String,
    /// Whether another version, or a program that the reason names, may show it; it is tried again by itself.
    pub may_change: bool,
}

/// The moving part of a photo.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct MotionView {
    /// Media type.
    pub media_type: String,
    /// Size.
    pub size_bytes: u64,
}

/// The consent text that stands before enrolment or announcement.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ConsentTextView {
    /// `faces` (find faces and enrol me), `announce` (announce my face in an event), `guardian` (enrol a child), `announce-child`, `protect` (blur or hold back photos of me in an event) or `protect-child`.
    pub scope: String,
    /// Version.
    pub version: u32,
    /// BLAKE3 of the text, hex; to be sent back with the consent.
    pub hash: String,
    /// Title.
    pub title: String,
    /// Question and answer pairs.
    pub sections: Vec<ConsentSectionView>,
    /// The sentence beside the tick box.
    pub tick: String,
}

/// One paragraph of a consent text.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ConsentSectionView {
    /// Heading: what is computed, where it is kept, who gets what, how long, how to stop.
    pub heading: String,
    /// Text.
    pub text: String,
}

/// Consent given to a text.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ConsentBody {
    /// Hash of the text that was shown.
    pub text_hash: String,
}

/// A selfie of a profile.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SelfieView {
    /// Id; the still is at `/profiles/{profile}/selfies/{id}/still`.
    pub id: String,
    /// Quality 0..1.
    pub quality: f32,
    /// Whether it was taken before a camera in a pose challenge.
    pub live: bool,
    /// When enrolled.
    pub at: u64,
    /// Whether it counts with the model pack in use; otherwise it must be taken anew.
    pub usable: bool,
}

/// Somebody whom this node may look for: the owner, or a child of theirs.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ProfileView {
    /// `me`, or an id.
    pub id: String,
    /// `me` or `child`.
    pub subject: String,
    /// What the owner calls the child; never told to others.
    pub name: Option<String>,
    /// Whether consent to face finding was given and when.
    pub consent_at: Option<u64>,
    /// When the guardian's declaration was given, for a child.
    pub declared_at: Option<u64>,
    /// Whether at least one selfie is enrolled.
    pub enrolled: bool,
    /// Whether all selfies were taken live, as holders of photos are told.
    pub live: bool,
    /// Selfies.
    pub selfies: Vec<SelfieView>,
    /// Selfies that may still be added.
    pub room: u32,
    /// Where it is announced now.
    pub announcements: Vec<AnnouncementView>,
}

/// A new profile of a child.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct NewProfileBody {
    /// What to call the child here, at most 40 characters; never told to others.
    pub name: String,
    /// Hash of the `guardian` text that was shown.
    pub text_hash: String,
}

/// Proof of a consent or declaration.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ReceiptView {
    /// Scope of the text.
    pub scope: String,
    /// Version of the text.
    pub version: u32,
    /// BLAKE3 of the text that was shown, hex.
    pub text_hash: String,
    /// When it was given.
    pub at: u64,
    /// The event, for an announcement.
    pub event: Option<String>,
    /// Profile id.
    pub profile: String,
    /// What the child's profile is called, while it exists.
    pub profile_name: Option<String>,
    /// The text itself; receipts of before texts were kept show it only while it has not changed.
    pub text: Option<ConsentTextView>,
    /// What is signed: all of the above but the text and the name, in lines of text.
    pub statement: String,
    /// Ed25519 signature of the statement in its context, hex; none on receipts of before they were signed.
    pub signature: Option<String>,
    /// The public key of this device for receipts, hex.
    pub key: Option<String>,
}

/// A pose challenge under way, or how it ended.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ChallengeView {
    /// Id; frames go to `/profiles/{profile}/challenge/{id}/frames`.
    pub id: String,
    /// `running`, `passed` or `failed`.
    pub state: String,
    /// What is asked now: `straight`, `left`, `right` or `up`, from the person's own point of view.
    pub ask: String,
    /// The same in words.
    pub instruction: String,
    /// What to do differently, or why it failed.
    pub advice: Option<String>,
    /// Steps done.
    pub done: u32,
    /// Steps in all.
    pub steps: u32,
    /// How far the last frame went in the direction that is asked, 0..1.
    pub reached: f32,
    /// When the step must be done.
    pub step_ends_at: u64,
}

/// A live find-me of one of my profiles.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AnnouncementView {
    /// Whom it looks for: `me`, or the id of a child's profile.
    pub profile: String,
    /// What the child's profile is called here.
    pub profile_name: Option<String>,
    /// Whether holders are told that its selfies were taken live.
    pub live: bool,
    /// Event id.
    pub event: String,
    /// Event name.
    pub event_name: String,
    /// Start.
    pub since: u64,
    /// Expiry of the owner's consent; renewed records end with it.
    pub until: u64,
    /// Members whose nodes have it since this node started.
    pub seen_by: u32,
}

/// What one of my profiles asks of photos in an event.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ProtectionView {
    /// Whose photos: `me`, or the id of a child's profile.
    pub profile: String,
    /// What the child's profile is called here.
    pub profile_name: Option<String>,
    /// `hold-back`, `blur`, or `show` (not blurred where bystanders are).
    pub wish: String,
    /// Since when.
    pub since: u64,
    /// Members whose nodes have it since this node started.
    pub seen_by: u32,
}

/// What is asked of photos that show a profile.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ProtectionBody {
    /// Whose photos: `me`, or the id of a child's profile.
    #[serde(default = "me")]
    pub profile: String,
    /// `hold-back`, `blur` or `show`.
    pub wish: String,
    /// Hash of the `protect` or, for a child, `protect-child` consent text that was shown.
    pub text_hash: String,
}

/// A member of an event.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct MemberView {
    /// Member id.
    pub id: String,
    /// Nickname.
    pub nickname: String,
    /// `host`, `co-host` or `member`.
    pub role: String,
    /// Whether it is this node.
    pub me: bool,
    /// Whether its node is connected now.
    pub online: bool,
    /// Whether a find-me of theirs is live.
    pub looking: bool,
    /// When admitted.
    pub joined_at: u64,
    /// Own policy towards this person: `ask`, `automatic`, `never`, or `event` for the event's.
    pub policy: String,
    /// What my photos still say when they go to this person.
    pub details: DetailsView,
    /// The name and the e-mail address that this person shows here, by their own word; of mine, what the others see.
    pub contact: Option<ContactView>,
}

/// What photos still say of their taking when they go to somebody; all else that cameras and programs write into them goes in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DetailsView {
    /// When.
    pub time: bool,
    /// Where, to the metre.
    pub place: bool,
    /// With what camera.
    pub camera: bool,
}

impl DetailsView {
    /// Such as `when and where`, to be followed by "it was taken"; `None` for nothing.
    #[must_use]
    pub fn words(self) -> Option<String> {
        let said = [(self.time, "when"), (self.place, "where"), (self.camera, "with what camera")];
        let said: Vec<&str> = said.into_iter().filter_map(|(is_on, word)| is_on.then_some(word)).collect();
        let (last, first) = said.split_last()?;
        Some(if first.is_empty() { (*last).to_owned() } else { format!("{} and {last}", first.join(", ")) })
    }
}

/// Somebody who asks to join.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AdmissionView {
    /// Member id they propose.
    pub id: String,
    /// Nickname.
    pub nickname: String,
    /// When they asked.
    pub at: u64,
    /// Six words that the joiner's screen shows too, unless somebody stands between.
    pub verification: Vec<String>,
}

/// An event in full.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct EventView {
    /// Id.
    pub id: String,
    /// Name.
    pub name: String,
    /// `host`, `co-host`, `member`, or `waiting` while the host has not admitted this node.
    pub role: String,
    /// Why joining stopped, if refused: in words.
    pub problem: Option<String>,
    /// Start of the event.
    pub starts_at: Option<u64>,
    /// End of the event.
    pub ends_at: Option<u64>,
    /// Admitted members.
    pub members: Vec<MemberView>,
    /// Those who wait for admission (host only).
    pub waiting: Vec<AdmissionView>,
    /// Whether valid invites are admitted without asking (host only).
    pub admit_automatically: bool,
    /// The code that this node shows as host, or showed last.
    pub code: Option<CodeView>,
    /// Policy of this node here: `ask`, `automatic`, `never`.
    pub policy: String,
    /// Which of my photos take part: `window` (taken between start and end), `all` or `chosen`.
    pub scope: String,
    /// My photos that take part.
    pub eligible_count: u64,
    /// Photos of this event on this node: received ones and those that take part.
    pub asset_ids: Vec<String>,
    /// Received photos.
    pub received_count: u64,
    /// My own live announcement.
    pub find_me: Option<AnnouncementView>,
    /// Every live announcement of this node, the children's included.
    pub find_mes: Vec<AnnouncementView>,
    /// What this node's profiles ask of photos that show them.
    pub protections: Vec<ProtectionView>,
    /// Whether the faces of bystanders are blurred in what leaves; the host says so.
    pub blur_bystanders: bool,
    /// Whether children are present; the host says so. Then every photo is asked about, bystanders are blurred, and nothing goes with what it says of
    /// its taking, whatever else is set.
    pub children_present: bool,
    /// Whether the members see the owner's name and e-mail address, as far as they are given in the settings.
    pub shows_contact: bool,
    /// Epoch number.
    pub epoch: u32,
    /// When the members got their keys; none while waiting.
    pub epoch_at: Option<u64>,
    /// While waiting: six words that the host's screen shows too, unless somebody stands between. Else empty.
    pub verification: Vec<String>,
}

/// A new event.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct NewEventBody {
    /// Name, 1 to 80 characters.
    pub name: String,
    /// Start.
    pub starts_at: Option<u64>,
    /// End.
    pub ends_at: Option<u64>,
}

/// A change to an event's local settings; absent fields stay.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct EventPatch {
    /// `ask`, `automatic`, `never`.
    pub policy: Option<String>,
    /// `window`, `all`, `chosen`.
    pub scope: Option<String>,
    /// Host only.
    pub admit_automatically: Option<bool>,
    /// Host only: whether everybody's device blurs the faces of bystanders.
    pub blur_bystanders: Option<bool>,
    /// Host only: whether children are present.
    pub children_present: Option<bool>,
    /// Whether the members see the owner's name and e-mail address.
    pub show_contact: Option<bool>,
}

/// Policy towards one member.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct MemberPolicyBody {
    /// `ask`, `automatic`, `never` or `event`.
    pub policy: String,
}

/// Request for an invite.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct NewInviteBody {
    /// Life in seconds; default 48 hours, at most 90 days.
    pub expires_in_s: Option<u64>,
    /// Number of uses; default 1, at most 500.
    pub uses: Option<u32>,
    /// Whether who comes by it waits for a yes even where the event lets everybody in; default no.
    #[serde(default)]
    pub by_hand: Option<bool>,
}

/// An invite.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct InviteView {
    /// Id.
    pub id: String,
    /// Link to paste; holds the secret.
    pub link: String,
    /// The link as a QR code, an SVG document.
    pub qr_svg: String,
    /// Expiry.
    pub expires_at: u64,
    /// Uses left.
    pub uses_left: u32,
    /// Uses when it was made.
    pub uses: u32,
    /// Whether it can still be used.
    pub open: bool,
    /// Whether who comes by it waits for a yes even where the event lets everybody in.
    pub by_hand: bool,
    /// Nickname of the co-host who asked for it, if it was one and the host asks.
    pub by: Option<String>,
    /// Whether it is the one in the link of the guest page.
    pub poster: bool,
    /// Members who came in by it.
    pub joined: Vec<InvitedView>,
    /// How many wait with it.
    pub waiting: u64,
}

/// A member who came in by an invite.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct InvitedView {
    /// Id of the member.
    pub id: String,
    /// Nickname.
    pub nickname: String,
}

/// Which invites to list.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct InvitesQuery {
    /// Also those that can be used no more, if a member came in by them or somebody waits with them.
    #[serde(default)]
    pub all: bool,
}

/// An invite that leaked.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct LeakBody {
    /// Its id; none for all invites of the event.
    pub invite: Option<String>,
    /// Ids of the members to remove, of those who came in by it.
    #[serde(default)]
    pub remove: Vec<String>,
}

/// What was done about an invite that leaked.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct LeakView {
    /// The event as it is now, under new keys.
    pub event: EventView,
    /// Nicknames of those who were removed.
    pub removed: Vec<String>,
    /// How many who waited with it were declined.
    pub declined: u64,
    /// A fresh invite of the same kind.
    pub invite: InviteView,
}

/// Which invite a code is to stand for.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CodeBody {
    /// Id of the invite.
    pub invite: String,
}

/// The code that the host of an event shows to people on the same network, or showed last.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct CodeView {
    /// Eight digits, grouped; only while it is open.
    pub code: Option<String>,
    /// Id of the invite that it stands for.
    pub invite: String,
    /// `open`, `guessed` (ended by too many wrong ones), `used` (its invite can be used no more) or `expired`.
    pub state: String,
    /// When it ends.
    pub ends_at: u64,
    /// Wrong ones that it still bears.
    pub guesses_left: u32,
}

/// A pasted invite link, or a code that somebody on the same network shows.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct JoinBody {
    /// The link, or the eight digits of the code.
    pub link: String,
}

// Whoever has a link can ask to join, so it is not for a log.
impl std::fmt::Debug for InviteView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "InviteView {{ id: {:?}, uses_left: {}, link: hidden }}", self.id, self.uses_left)
    }
}

impl std::fmt::Debug for CodeView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CodeView {{ invite: {:?}, state: {:?}, code: hidden }}", self.invite, self.state)
    }
}

impl std::fmt::Debug for JoinBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JoinBody { link: hidden }")
    }
}

/// The host's answer to an admission.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AdmitBody {
    /// Admit or refuse.
    pub admit: bool,
}

/// What a member may do.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct MemberRoleBody {
    /// Whether they admit and remove as the host does.
    pub co_host: bool,
}

/// Start of an announcement.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct FindMeBody {
    /// Whom to announce: `me`, or the id of a child's profile.
    #[serde(default = "me")]
    pub profile: String,
    /// Hash of the `announce` or, for a child, `announce-child` consent text that was shown.
    pub text_hash: String,
    /// How long to announce, hours; 1 to 2160 (renewed every day meanwhile).
    pub hours: u32,
}

fn me() -> String {
    "me".into()
}

/// Whose announcement to withdraw.
#[derive(Clone, Debug, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct WithdrawQuery {
    /// `me`, or the id of a child's profile.
    #[serde(default = "me")]
    pub profile: String,
}

/// Assets chosen by hand.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AssetsBody {
    /// Asset ids, at most 10,000.
    pub assets: Vec<String>,
}

/// Something that waits for the owner's decision.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ApprovalView {
    /// Id; `/approvals/{id}/still` is their selfie still, `/approvals/{id}/crop` the matched face.
    pub id: String,
    /// `match` (may this photo go to them?) or `doubtful` (is this received photo really of you?).
    pub kind: String,
    /// `waiting`, `allowed`, `refused`.
    pub state: String,
    /// Event id.
    pub event: String,
    /// Event name.
    pub event_name: String,
    /// Member id of the other person.
    pub member: String,
    /// Nickname of the other person.
    pub nickname: String,
    /// The asset.
    pub asset: String,
    /// The matched face.
    pub face: String,
    /// Other faces in the photo.
    pub other_faces: u32,
    /// Faces that are blurred in what goes, as somebody wishes or the event says.
    pub blurred_faces: u32,
    /// Template distance; smaller is closer.
    pub score: f32,
    /// The sure threshold for it.
    pub sure_below: f32,
    /// `sure` or `maybe`.
    pub grade: String,
    /// Distance of the next best face of the photo, if any.
    pub next_best: Option<f32>,
    /// Distance of the same face to the next best person who looks for themselves, if any.
    pub rival: Option<f32>,
    /// Whether a child is sought: then it is always asked.
    pub child: bool,
    /// Whether children are present in the event: then every photo is asked about.
    pub children_present: bool,
    /// By their word: whether the selfies were taken live. If not, they could be anybody's photos.
    pub live: bool,
    /// For a received photo of a child of the owner's: what the profile is called here.
    pub profile_name: Option<String>,
    /// When found.
    pub at: u64,
    /// Until when the answer can be taken back, Unix milliseconds; nothing leaves by it before. Absent when it cannot be.
    pub undo_until: Option<u64>,
}

/// A decision.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DecisionBody {
    /// `allow`, `not_now` or `never`.
    pub decision: String,
    /// With `allow`: send later sure matches with this person in this event without asking.
    #[serde(default)]
    pub always: bool,
}

/// A transfer.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TransferView {
    /// Id.
    pub id: String,
    /// `sending` or `receiving`.
    pub direction: String,
    /// Nickname of the other side.
    pub nickname: String,
    /// Event name.
    pub event_name: String,
    /// The local asset: the one sent, or the one that came of it.
    pub asset: Option<String>,
    /// Bytes in all.
    pub size_bytes: u64,
    /// Bytes verified so far.
    pub done_bytes: u64,
    /// Bytes a second over the last five seconds, while it is `active`.
    pub bytes_per_second: Option<u64>,
    /// Seconds that it still takes at that speed, if it moves at all.
    pub seconds_left: Option<u64>,
    /// Whether it goes through a relay, while it is `active`.
    pub relayed: Option<bool>,
    /// `waiting`, `active`, `delivered`, `declined`, `failed`, `cancelled`.
    pub state: String,
    /// Why it waits or failed, in words.
    pub reason: Option<String>,
    /// Created.
    pub at: u64,
    /// Last change.
    pub changed_at: u64,
    /// How it stands with a photo that was asked back: `waiting` (they are away), `open`, `deleted`, `kept` or `unknown`.
    pub recall: Option<String>,
}

/// A peer.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PeerView {
    /// Peer id in base58.
    pub node_id: String,
    /// Nicknames by which members know it.
    pub nickname: Option<String>,
    /// Whether connected.
    pub connected: bool,
    /// Whether every connection to it leads through a relay.
    pub relayed: bool,
    /// Addresses in use or known.
    pub addresses: Vec<String>,
    /// Names of common events.
    pub events: Vec<String>,
}

/// Where another node is, as its owner reads it out.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct NewPeerBody {
    /// An address that ends in the node's id: `/ip4/192.168.1.20/tcp/7412/p2p/12D3KooW...`.
    pub address: String,
}

/// The relay through which others may reach this node.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RelayView {
    /// Where it is, as the owner named it; `null` for none.
    pub address: Option<String>,
    /// `none`, `connecting`, `reachable`, `failed`.
    pub state: String,
    /// Why this node cannot be reached through it now, in words; it is tried again by itself.
    pub problem: Option<String>,
}

/// A relay that somebody runs.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct RelayBody {
    /// What `inframe relay` prints: `/ip4/203.0.113.7/tcp/7413/p2p/12D3KooW...`.
    pub address: String,
    /// The token that it prints.
    pub token: String,
}

impl std::fmt::Debug for RelayBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RelayBody {{ address: {:?}, token: hidden }}", self.address)
    }
}

/// One entry of the activity log.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ActivityView {
    /// Sequence number.
    pub seq: u64,
    /// Time.
    pub at: u64,
    /// `left`, `arrived`, `asked`, `refused`, `suspicious`, `consent`, `member`, `models`, `sign-in`.
    pub kind: String,
    /// A sentence for the owner.
    pub text: String,
    /// Asset concerned.
    pub asset: Option<String>,
    /// Event concerned.
    pub event: Option<String>,
}

/// A message of the live socket: something changed, ask for it again.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct LiveView {
    /// Rising number; pass the last one as `since` to resume.
    pub seq: u64,
    /// `timeline`, `asset`, `imports`, `events`, `approvals`, `transfers`, `profile`, `status`, `activity`, `settings`, `people`, `trash`, `notices`, or `resync` when messages were missed.
    pub what: String,
    /// The id concerned, if one.
    pub id: Option<String>,
}

/// A problem, as in RFC 9457 (`application/problem+json`).
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ProblemView {
    /// Stable kind, such as `invite-expired`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Short title.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What happened and what to do.
    pub detail: String,
}

/// The backup of the vault.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BackupView {
    /// The folder; none while there is no backup.
    pub folder: Option<String>,
    /// Whether it lies on the disk of the vault itself, and would be lost with it.
    pub same_disk: bool,
    /// Hours between two; only by hand when absent.
    pub every_hours: Option<u32>,
    /// The last one that was complete, Unix milliseconds.
    pub last_at: Option<u64>,
    /// Files in it.
    pub files: u64,
    /// Bytes in it.
    pub bytes: u64,
    /// When it was last read through and found whole, Unix milliseconds.
    pub checked_at: Option<u64>,
    /// What is wrong since the last try.
    pub problem: Option<String>,
    /// `backup` or `check` while one runs.
    pub running: Option<String>,
    /// Files done by what runs.
    pub done_files: u64,
    /// Files that it has to look at.
    pub of_files: u64,
    /// Bytes copied or read by it.
    pub done_bytes: u64,
}

/// Changes of the backup.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BackupPatch {
    /// The folder, a whole path; empty for none any more.
    pub folder: Option<String>,
    /// Hours between two; 0 is only by hand.
    pub every_hours: Option<u32>,
}

/// How the files of the vault are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct VerifyView {
    /// What runs: `salvage` takes in photos whose records were lost, `read` reads every file, `mend` makes sound what is damaged.
    pub running: Option<String>,
    /// Files done by what runs.
    pub done_files: u64,
    /// Files that it has to look at.
    pub of_files: u64,
    /// Bytes read by it.
    pub done_bytes: u64,
    /// When every file was last read, Unix milliseconds.
    pub last_at: Option<u64>,
    /// Files that were read then.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files that were damaged and are mended.
    pub mended: u64,
    /// Assets with damaged files; 200 at most.
    pub damaged: Vec<DamageView>,
    /// How many there are in all.
    pub damaged_total: u64,
    /// Why the last try failed.
    pub problem: Option<String>,
}

/// An asset with damaged files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DamageView {
    /// Which.
    pub asset: String,
    /// Its file name.
    pub file_name: String,
    /// What is wrong, in words.
    pub what: String,
    /// Whether the bytes that were imported are damaged, and not only what was made from them.
    pub lost: bool,
    /// The member who is asked to send it again.
    pub asked: Option<String>,
    /// Whether it is in the trash.
    pub in_trash: bool,
}

/// What to do with the files of the vault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VerifyBody {
    /// Whether to mend what is damaged.
    pub repair: bool,
}
