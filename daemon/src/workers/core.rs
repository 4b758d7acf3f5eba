//! What the workers and the facade share: every part of the running node, built in dependency order.

use std::sync::{Arc, Mutex};

use inframe_models::Thresholds;
use inframe_protocol::{EventId, FindMeId, MemberId, NodeId, OfferId};

use super::backup::BackupState;
use super::board::{Board, Job};
use super::events::Rounds;
use super::export::ExportState;
use super::guests::GuestVideos;
use super::keeping::Remembered;
use super::lanes::Lanes;
use super::lists::Lists;
use super::matching::Projected;
use super::notices::Desk;
use super::progress::Progress;
use super::shielding::Seen;
use super::verify::VerifyState;
use super::videos::VideoProgress;
use super::watch::{SeenFile, Watchers};
use crate::activity::{Activity, ActivityKind};
use crate::disk::Disk;
use crate::doctor::Rounds as DoctorRounds;
use crate::events::Events;
use crate::faces::challenge::Challenges;
use crate::faces::{ActivePack, Faces, Pack, ProfileId, Profiles};
use crate::guest::Guests;
use crate::ledger::Ledger;
use crate::library::{Imports, Library, Part, StoredDamage};
use crate::live::{Live, What};
use crate::matching::{Grade, MatchRules};
use crate::network::Network;
use crate::packs::Packs;
use crate::people::{Embeddings, FacePictures, GroupingRules, People};
use crate::sandbox::Sandbox;
use crate::settings::{
    Background, BackgroundRow, BackupRow, ExportRow, KeepingRow, NoticesRow, RelayRow, SettingsRow, TrafficRow,
    UndoRow, VerifiedRow,
};
use crate::sharing::kept::{StoredDeposit, StoredHeld, StoredSealed};
use crate::sharing::ledgers::{StoredApproval, StoredArrival, StoredDelivery};
use crate::sharing::recalls::StoredRecall;
use crate::sharing::shield::Stays;
use crate::sharing::undo::Undo;
use crate::tasks::Tasks;
use crate::transfer::Pace;
use crate::vault::{BlobId, Vault};
use crate::video::Tools;

/// What grouping faces into people needs to know of a pack.
#[must_use]
pub fn embeddings(pack: &Pack) -> Embeddings {
    let Thresholds { sure, maybe, min_face_px, min_quality, .. } = pack.thresholds;
    let rules = GroupingRules { sure, maybe, min_face_px, min_quality };
    Embeddings { pack: pack.id.clone(), dimensions: pack.mean.len(), rules }
}

/// The rules of matching for a pack.
#[must_use]
pub fn rules(pack: &Pack) -> MatchRules {
    MatchRules {
        sure: pack.thresholds.template_sure,
        maybe: pack.thresholds.template_maybe,
        child_maybe: pack.thresholds.for_child().template_maybe,
        min_face_px: pack.thresholds.min_face_px,
        min_quality: pack.thresholds.min_quality,
        min_margin: pack.thresholds.template_margin,
    }
}

/// Every part of the running node.
pub struct Core {
    /// Tasks.
    pub tasks: Tasks,
    /// Live messages.
    pub live: Live,
    /// Vault.
    pub vault: Vault,
    /// Settings.
    pub settings: SettingsRow,
    /// Where the vault is backed up.
    pub backup: BackupRow,
    /// The backup that runs.
    pub backup_state: BackupState,
    /// What the last look at every file has shown.
    pub verified: VerifiedRow,
    /// The look that runs.
    pub verify_state: VerifyState,
    /// Assets with damaged files.
    pub damage: Ledger<StoredDamage>,
    /// Blobs that no row named at the start, if rows may be lost.
    pub unnamed: Mutex<Option<Vec<BlobId>>>,
    /// The export that was wished for last.
    pub export: ExportRow,
    /// The relay through which others may reach this node.
    pub relay: RelayRow,
    /// The export that runs.
    pub export_state: ExportState,
    /// What the doctor has found.
    pub doctor: DoctorRounds,
    /// Activity log.
    pub activity: Activity,
    /// Sandbox.
    pub sandbox: Sandbox,
    /// How many sandbox processes this machine can run at once; how many it may, the sandbox holds to.
    pub sandbox_processes: usize,
    /// Tools for videos.
    pub videos: Tools,
    /// How far the work on videos has got.
    pub video_progress: VideoProgress,
    /// How much of the machine the background may have.
    pub background: BackgroundRow,
    /// Model pack in use.
    pub pack: ActivePack,
    /// Model packs that can be used.
    pub packs: Packs,
    /// Library.
    pub library: Library,
    /// Import runs.
    pub imports: Imports,
    /// Files already taken from watched folders.
    pub seen_files: Ledger<SeenFile>,
    /// Notices on watched folders.
    pub watchers: Watchers,
    /// Faces.
    pub faces: Faces,
    /// Who is in which photo.
    pub people: People,
    /// Pictures of faces, made lately.
    pub face_pictures: FacePictures,
    /// Profiles that this node may look for, and the consents.
    pub profile: Profiles,
    /// The pose challenge under way.
    pub challenges: Challenges,
    /// Events.
    pub events: Events,
    /// Guests: people without a node.
    pub guests: Guests,
    /// Videos that were made ready for them.
    pub guest_videos: GuestVideos,
    /// Approvals.
    pub approvals: Ledger<StoredApproval>,
    /// Answers that can still be taken back.
    pub undo: Undo,
    /// For how long they can.
    pub undo_time: UndoRow,
    /// Photos that this node asked back.
    pub recalls: Ledger<StoredRecall>,
    /// Photos that others ask back from this node.
    pub asked_back: Ledger<StoredRecall>,
    /// Photos on their way to others.
    pub deliveries: Ledger<StoredDelivery>,
    /// Photos on their way here.
    pub arrivals: Ledger<StoredArrival>,
    /// What others keep for my receivers.
    pub deposits: Ledger<StoredDeposit>,
    /// What I keep for others.
    pub held: Ledger<StoredHeld>,
    /// How arrivals are opened that keepers bring.
    pub sealed: Ledger<StoredSealed>,
    /// Whether I keep things for others, and how much.
    pub keeping_row: KeepingRow,
    /// What keeping remembers.
    pub keeping: Remembered,
    /// Progress of transfers.
    pub progress: Progress,
    /// How much of the line transfers may have, and when.
    pub traffic: TrafficRow,
    /// What the owner is told of, and how.
    pub notices: NoticesRow,
    /// What is gathered to be told, and what was.
    pub notice_desk: Desk,
    /// The limit of what goes out.
    pub up: Pace,
    /// The limit of what comes in.
    pub down: Pace,
    /// What is fetched side by side.
    pub fetches: Lanes<NodeId>,
    /// What is offered side by side.
    pub offers: Lanes<MemberId>,
    /// Hashes of what is being sent.
    pub lists: Lists,
    /// Network.
    pub network: Network,
    /// What the events worker remembers.
    pub rounds: Rounds,
    /// What the matching worker keeps at hand.
    pub projected: Projected,
    /// Held while an arrival is filed, so that the same bytes from two members become one photo.
    pub filing: Mutex<()>,
    /// Bells and states of workers.
    pub board: Board,
    /// The disk of the data folder.
    pub disk: Disk,
    /// When the node started, Unix milliseconds.
    pub started_at: u64,
}

/// Why a delivery may not leave (any more).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Held {
    /// Not a member now, or not of an event of mine.
    #[error("they are not a member of the event any more")]
    NotMember,
    /// The find-me is not live.
    #[error("they withdrew their find-me or it ran out")]
    FindMeGone,
    /// The policy says no.
    #[error("your rule for this event, person or photo does not allow it")]
    Policy,
    /// The photo was deleted.
    #[error("the photo was deleted")]
    Deleted,
    /// Somebody who may be in it asks that it stays, or that what cannot be done with a video.
    #[error("{}", super::shielding::words(*.0))]
    Protected(Stays),
    /// Somebody in the event asks something of photos of them, and who is in this one is not known just now.
    #[error("its faces are being looked for anew, and somebody in the event asked about photos of them")]
    FacesUnknown,
    /// The owner has allowed it a moment ago.
    #[error("it goes in a moment; until then you can take your answer back")]
    MayBeTakenBack,
    /// What was made to be sent was made before somebody's wish, or before the owner chose what it says.
    #[error("it is made anew, as somebody in it wishes or as you chose")]
    Outdated,
}

impl Core {
    /// Whether the original of an asset is damaged and whoever sent it may send it again.
    #[must_use]
    pub fn wants_again(&self, id: crate::library::AssetId) -> bool {
        let is_original = |part: &(Part, String)| part.0 == Part::Original;
        self.damage.get(&id.0).is_some_and(|damage| damage.wanted && damage.parts.iter().any(is_original))
    }

    /// The model pack in use now.
    #[must_use]
    pub fn pack(&self) -> Arc<Pack> {
        self.pack.get()
    }

    /// Puts into force what the owner leaves to the background.
    pub fn apply(&self, background: Background) {
        if let Some(processes) = background.processes {
            self.sandbox.give_processes(usize::from(processes).clamp(1, self.sandbox_processes));
        }
        self.live.tell(What::Status, None);
        if !background.paused {
            for job in [Job::Watch, Job::Faces, Job::Videos, Job::Copies, Job::VideoFaces] {
                self.board.ring(job);
            }
        }
    }

    /// Puts into force how much of the line transfers may have.
    pub fn apply_traffic(&self) {
        let traffic = self.traffic.get();
        self.up.set(traffic.up_bytes_s);
        self.down.set(traffic.down_bytes_s);
        self.live.tell(What::Transfers, None);
        self.board.ring(Job::Sending);
        self.board.ring(Job::Receiving);
    }

    /// The last check before bytes leave (D4): asked when a delivery is offered and again before its first byte is served.
    ///
    /// # Errors
    /// Why it may not leave.
    pub fn may_leave(&self, delivery: &StoredDelivery) -> Result<NodeId, Held> {
        self.leaves(delivery).map(|(node, _)| node)
    }

    /// As [`Core::may_leave`], and what was made to be sent shows what may be seen now: asked before its bytes leave.
    ///
    /// # Errors
    /// Why it may not leave.
    pub fn may_be_served(&self, delivery: &StoredDelivery) -> Result<NodeId, Held> {
        let (node, seen) = self.leaves(delivery)?;
        if self.is_outdated(delivery, &seen) { Err(Held::Outdated) } else { Ok(node) }
    }

    /// Where a delivery may go, and what may be seen of it there.
    pub(super) fn leaves(&self, delivery: &StoredDelivery) -> Result<(NodeId, Seen), Held> {
        let now = crate::clock::now_ms();
        let node = self.events.member_node(&delivery.event, &delivery.member).ok_or(Held::NotMember)?;
        let wanted = self.events.wanted(&delivery.event, &delivery.find_me, now).ok_or(Held::FindMeGone)?;
        if wanted.member != delivery.member {
            return Err(Held::FindMeGone);
        }
        let asset = self.library.get(delivery.asset).ok_or(Held::Deleted)?;
        let search = self.events.search(&delivery.event, now).ok_or(Held::NotMember)?;
        if self.profile.consent_at().is_none() || !super::matching::takes_part(&search, delivery.asset, &asset) {
            return Err(Held::Policy);
        }
        let question = self.question(&delivery.event, &wanted, delivery.grade, delivery.asset);
        match question.map(|question| crate::sharing::policy::rule(&question)) {
            Some(crate::sharing::policy::Ruling::Send) if self.may_be_taken_back(delivery) => Err(Held::MayBeTakenBack),
            Some(crate::sharing::policy::Ruling::Send) => Ok((node, self.seen_of(&search, &wanted, delivery.asset)?)),
            _ => Err(Held::Policy),
        }
    }

    /// Whether a delivery goes by an answer that its owner can still take back.
    #[must_use]
    pub fn may_be_taken_back(&self, delivery: &StoredDelivery) -> bool {
        self.undo.holds(&delivery.event, &delivery.member, delivery.at, crate::clock::now_ms())
    }

    /// Why a delivery has come to its end, if it has. One that a keeper holds goes on when the find-me has run out, as it does while its receiver is
    /// away.
    #[must_use]
    pub fn ended(&self, offer: &[u8], delivery: &StoredDelivery) -> Option<Held> {
        let held = self.may_leave(delivery).err().filter(|held| *held != Held::MayBeTakenBack)?;
        let is_kept = || {
            let deposit = self.deposits.get(offer)?;
            let in_time = deposit.is_kept && deposit.delivery.label().expires.0 > crate::clock::now_ms();
            let taken_back = self.events.was_withdrawn(&delivery.event, &delivery.member, &delivery.find_me);
            (in_time && !taken_back).then_some(())
        };
        let goes_on = held == Held::FindMeGone && is_kept().is_some();
        (!goes_on).then_some(held)
    }

    /// The policy question for one photo and one person.
    #[must_use]
    pub fn question(
        &self,
        event: &EventId,
        wanted: &crate::events::Wanted,
        grade: Grade,
        asset: crate::library::AssetId,
    ) -> Option<crate::sharing::policy::Question> {
        use crate::sharing::ledgers::ApprovalState;
        use crate::sharing::policy::{Decision, Question};
        let settings = self.events.settings(event)?;
        let decision = match self.approvals.get(&wanted.approval_id(event, asset)).map(|approval| approval.state) {
            Some(ApprovalState::Allowed) => Some(Decision::Allowed),
            Some(ApprovalState::Refused) => Some(Decision::Refused),
            _ => None,
        };
        // What was asked back does not go to them again.
        let asked_back = |row: &StoredRecall| row.event == *event && row.member == wanted.member && row.asset == asset;
        let decision = if self.recalls.any(asked_back) { Some(Decision::Refused) } else { decision };
        let person = settings.persons.get(&wanted.member).copied();
        let children_present = self.events.children_present(event);
        Some(Question { event: settings.policy, person, grade, child: wanted.child, children_present, decision })
    }

    /// Writes an activity entry from async code; a failure is logged, for entries that do not gate anything.
    pub async fn note(
        self: &Arc<Self>,
        kind: ActivityKind,
        text: String,
        asset: Option<String>,
        event: Option<EventId>,
    ) {
        let core = self.clone();
        let noted =
            super::blocking(move || core.activity.note(kind, text, asset, event.map(|event| event.to_string()))).await;
        if !matches!(noted, Ok(Ok(()))) {
            tracing::error!("an activity entry could not be written");
        }
    }

    /// A transfer changed.
    pub fn tell_transfer(&self, offer: &OfferId) {
        self.live.tell(What::Transfers, Some(offer.to_string()));
    }

    /// Other arrivals of the same content.
    pub(super) fn same_arrivals(
        &self,
        offer: OfferId,
        row: &StoredArrival,
    ) -> impl Iterator<Item = (OfferId, Arc<StoredArrival>)> + use<> {
        let content = row.content;
        let all = self.arrivals.all().into_iter().filter(move |(_, row)| row.content == content);
        let others = all.filter_map(|(key, row)| Some((OfferId(<[u8; 16]>::try_from(key).ok()?), row)));
        others.filter(move |(id, _)| *id != offer)
    }

    /// The profile whose find-me an offer answers, if it is live.
    #[must_use]
    pub fn profile_sought(&self, event: &EventId, find_me: &FindMeId) -> Option<ProfileId> {
        let mine = self.events.announcing(event);
        mine.into_iter().find(|(_, mine)| mine.find_me == *find_me).map(|(profile, _)| profile)
    }
}
