//! The API's answers, as far as a client of ours reads them: written by hand, so that a change of the API that breaks clients breaks a test.
#![allow(missing_docs)]

mod event;

use serde::{Deserialize, Serialize};

pub use event::{Admission, Code, Contact, Event, EventPatch, Invite, Invited, Leak, Member, Protection};

#[derive(Clone, Debug, Deserialize)]
pub struct Worker {
    pub name: String,
    pub state: String,
    pub pending: u64,
    pub last_error: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Status {
    pub version: String,
    pub node_id: String,
    pub nickname: String,
    pub addresses: Vec<String>,
    pub key_protection: String,
    pub asset_count: u64,
    pub trash_count: u64,
    pub disk: Option<Disk>,
    pub peers_connected: u32,
    pub approvals_waiting: u32,
    pub guests_waiting: Vec<GuestsWaiting>,
    pub pack: String,
    pub sandbox_processes: u32,
    pub enrolled: bool,
    pub announcing: u32,
    pub workers: Vec<Worker>,
    pub timeline_rev: u64,
    pub background_paused: bool,
    pub sandbox_active: Vec<String>,
    pub sandbox_gaps: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct GuestsWaiting {
    pub event: String,
    pub count: u64,
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Disk {
    pub free_bytes: u64,
    pub reserve_bytes: u64,
    pub low: bool,
}

impl Status {
    /// Whether no worker has anything left to do.
    pub fn at_rest(&self) -> bool {
        self.workers.iter().all(|worker| worker.pending == 0 && worker.state == "idle")
    }
}

#[derive(Clone, Debug, Deserialize)]
pub struct WatchedFolder {
    pub path: String,
    pub problem: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Settings {
    pub nickname: String,
    pub watched_folders: Vec<WatchedFolder>,
    pub background_paused: bool,
    pub processes: u32,
    pub most_processes: u32,
    pub traffic: serde_json::Value,
    pub keeping: Keeping,
    pub contact: Contact,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Keeping {
    pub room_bytes: Option<u64>,
    pub count: u64,
    pub bytes: u64,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Quarantined {
    pub id: String,
    pub work: String,
    pub file_name: String,
    pub reason: String,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Model {
    pub id: String,
    pub licence: String,
    pub built_in: bool,
    pub active: bool,
    pub problem: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct FacesProgress {
    pub done: u64,
    pub total: u64,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Models {
    pub packs: Vec<Model>,
    pub faces: FacesProgress,
    pub trouble: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct ImportFailure {
    pub name: String,
    pub reason: String,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Import {
    pub id: String,
    pub state: String,
    pub total: u64,
    pub imported: u64,
    pub duplicates: u64,
    pub restored: u64,
    pub waits: Option<String>,
    pub files: Vec<ImportFailure>,
    pub failed: Vec<ImportFailure>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Upload {
    pub outcome: String,
    pub asset: Option<String>,
    pub reason: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct TimelineBlock {
    pub rev: u64,
    pub start: u64,
    pub ids: Vec<String>,
    pub taken_at: Vec<u64>,
    pub received: Vec<bool>,
    pub faces: Vec<i32>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Face {
    pub id: String,
    pub x: f32,
    pub y: f32,
    pub w: f32,
    pub h: f32,
    pub at_ms: Option<u64>,
    pub me: bool,
    pub person: Option<String>,
    pub name: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Origin {
    pub kind: String,
    pub from: Option<String>,
    pub event: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct SharedWith {
    pub nickname: String,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Video {
    pub duration_ms: u64,
    pub playable: String,
    pub reason: Option<String>,
    pub copy_percent: Option<u8>,
    pub faces_percent: Option<u8>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Asset {
    pub id: String,
    pub content_id: String,
    pub file_name: String,
    pub media_type: String,
    pub size_bytes: u64,
    pub width: u32,
    pub height: u32,
    pub taken_at: Option<u64>,
    pub has_location: bool,
    pub file: Option<UnshownFile>,
    pub motion: Option<Motion>,
    pub faces_state: String,
    pub faces: Vec<Face>,
    pub video: Option<Video>,
    pub origin: Origin,
    pub shared_with: Vec<SharedWith>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Trashed {
    pub id: String,
    pub file_name: String,
    pub trashed_at: u64,
    pub days_left: u32,
    pub received: bool,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Trash {
    pub items: Vec<Trashed>,
    pub next: Option<String>,
    pub total: u64,
    pub erasing: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct TrashDone {
    pub done: u64,
    pub total: u64,
    pub erasing: u64,
}

#[derive(Clone, Debug, Deserialize)]
pub struct UnshownFile {
    pub ending: String,
    pub reason: String,
    pub may_change: bool,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Motion {
    pub size_bytes: u64,
}

#[derive(Clone, Debug, Deserialize)]
pub struct ConsentText {
    pub hash: String,
    pub sections: Vec<serde_json::Value>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Selfie {
    pub id: String,
    pub live: bool,
    pub usable: bool,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Announcement {
    pub profile: String,
    pub live: bool,
    pub event: String,
    pub until: u64,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Challenge {
    pub id: String,
    pub state: String,
    pub ask: String,
    pub advice: Option<String>,
    pub done: u32,
    pub steps: u32,
    pub reached: f32,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Profile {
    pub id: String,
    pub subject: String,
    pub name: Option<String>,
    pub consent_at: Option<u64>,
    pub enrolled: bool,
    pub live: bool,
    pub selfies: Vec<Selfie>,
    pub announcements: Vec<Announcement>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Approval {
    pub id: String,
    pub blurred_faces: u32,
    pub child: bool,
    pub children_present: bool,
    pub live: bool,
    pub next_best: Option<f32>,
    pub rival: Option<f32>,
    pub kind: String,
    pub state: String,
    pub nickname: String,
    pub asset: String,
    pub grade: String,
    pub score: f32,
    pub sure_below: f32,
    pub undo_until: Option<u64>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Transfer {
    pub id: String,
    pub direction: String,
    pub nickname: String,
    pub asset: Option<String>,
    pub size_bytes: u64,
    pub done_bytes: u64,
    pub bytes_per_second: Option<u64>,
    pub seconds_left: Option<u64>,
    pub relayed: Option<bool>,
    pub state: String,
    pub reason: Option<String>,
    pub recall: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Recall {
    pub id: String,
    pub nickname: String,
    pub asset: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Peer {
    pub node_id: String,
    pub connected: bool,
    pub relayed: bool,
}

#[derive(Clone, Debug, Deserialize)]
pub struct MyRelay {
    pub address: Option<String>,
    pub state: String,
    pub problem: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Activity {
    pub seq: u64,
    pub at: u64,
    pub kind: String,
    pub text: String,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Backup {
    pub folder: Option<String>,
    pub same_disk: bool,
    pub last_at: Option<u64>,
    pub checked_at: Option<u64>,
    pub files: u64,
    pub problem: Option<String>,
    pub running: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Verify {
    pub running: Option<String>,
    pub last_at: Option<u64>,
    pub files: u64,
    pub mended: u64,
    pub damaged: Vec<Damage>,
    pub damaged_total: u64,
    pub problem: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Damage {
    pub asset: String,
    pub lost: bool,
    pub asked: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Export {
    pub folder: Option<String>,
    pub running: bool,
    pub problem: Option<String>,
    pub result: Option<ExportResult>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct ExportResult {
    pub files: u64,
    pub new_files: u64,
    pub damaged: Vec<NotExported>,
    pub damaged_count: u64,
}

#[derive(Clone, Debug, Deserialize)]
pub struct NotExported {
    pub file_name: String,
    pub reason: String,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Vault {
    pub phase: String,
    pub ways: Vec<String>,
    pub wait_ms: u64,
    pub first_run: bool,
    pub restore: Option<Restore>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Restore {
    pub state: String,
    pub files: u64,
    pub of_files: u64,
    pub lost: u64,
    pub problem: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct FoundBackup {
    pub ways: Vec<String>,
    pub newest: u64,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Erasure {
    pub photos: u64,
    pub in_trash: u64,
    pub events: u64,
    pub hosted: u64,
    pub selfies: u64,
    pub key_file: Option<String>,
    pub backup_folder: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct LaunchLink {
    pub url: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaceRef {
    pub asset: String,
    pub face: u16,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Person {
    pub id: String,
    pub name: Option<String>,
    pub me: bool,
    pub hidden: bool,
    pub photos: u32,
    pub cover: Option<FaceRef>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct People {
    pub consented: bool,
    pub people: Vec<Person>,
    pub questions: u32,
    pub pending: u64,
}

#[derive(Clone, Debug, Deserialize)]
pub struct PersonPhoto {
    pub face: FaceRef,
    pub confirmed: bool,
}

#[derive(Clone, Debug, Deserialize)]
pub struct PersonDetail {
    pub person: Person,
    pub photos: Vec<PersonPhoto>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Question {
    pub kind: String,
    pub person: Person,
    pub faces: Vec<FaceRef>,
    pub suggestions: Vec<Person>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Questions {
    pub questions: Vec<Question>,
    pub total: u32,
}
