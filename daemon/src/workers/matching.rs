//! The matching worker: finds who of the wanted is in which of my photos, and turns each find into a delivery or a question. Also the other
//! way round: questions and deliveries whose find-me, member or policy is gone are ended.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use inframe_protocol::template::{Projection, ProjectionKey, Template};

use super::board::Step;
use super::core::{Held, rules as rules_of};
use super::{Core, Job, blocking};
use crate::clock::now_ms;
use crate::events::{Search, Takes, Wanted};
use crate::faces::{Pack, Stamp, StoredFace};
use crate::library::{AssetId, Origin, StoredAsset};
use crate::live::What;
use crate::matching::{Grade, PhotoFace, PhotoMatch, Sought, match_photo};
use crate::sharing::ledgers::{ApprovalKind, ApprovalState, DeliveryState, StoredApproval, StoredDelivery};
use crate::sharing::policy::{Ruling, rule};

/// One step over everything; cheap where nothing changed, as templates are kept.
pub(super) async fn step(core: Arc<Core>) -> anyhow::Result<Step> {
    blocking(move || run(&core)).await?
}

fn run(core: &Arc<Core>) -> anyhow::Result<Step> {
    // Without consent nothing is compared, but what was asked before still has to end.
    let searches = if core.profile.consent_at().is_some() { core.events.searches(now_ms()) } else { Vec::new() };
    let mut ruled: HashSet<[u8; 16]> = HashSet::new();
    let mut asked: HashSet<[u8; 16]> = HashSet::new();
    let mut found = 0;
    let pack = core.pack();
    for search in &searches {
        let wanted: Vec<_> = search.wanted.iter().filter(|w| w.pack == pack.id).collect();
        if wanted.is_empty() {
            continue;
        }
        let sought: Vec<Sought> = wanted.iter().map(|w| Sought { template: w.template, child: w.child }).collect();
        let lens = Lens::new(&search.projection, pack.clone());
        for id in core.library.ids() {
            if !core.library.get(id).is_some_and(|asset| takes_part(search, id, &asset)) {
                continue;
            }
            let Some(photo) = photo_faces(core, &lens, id)? else { continue };
            for hit in match_photo(&photo, &sought, &rules_of(&pack)) {
                found += 1;
                settle(core, search, wanted[hit.wanted], id, &hit, &mut ruled, &mut asked)?;
            }
        }
    }
    end_what_is_gone(core, &ruled, &asked)?;
    // What takes part may have changed, and faces are looked at by now.
    core.board.ring(Job::Guests);
    Ok(Step { done: found, ..Step::default() })
}

/// Whether a photo takes part in an event: mine, and within the event's time, or added by hand. What I received from others I never pass on, and
/// in a file that cannot be shown nobody can be found.
pub(crate) fn takes_part(search: &Search, id: AssetId, asset: &StoredAsset) -> bool {
    // What a guest added takes part in the event of its guest page only, and only by the host's word.
    let of_guest = match &asset.origin {
        Origin::Imported => false,
        Origin::Guest { event, .. } if *event == search.event => true,
        Origin::Guest { .. } | Origin::Received { .. } => return false,
    };
    if asset.grid.is_none() || asset.doubtful || search.settings.taken_out.contains(&id) {
        return false;
    }
    if of_guest || search.settings.chosen.contains(&id) {
        return search.settings.chosen.contains(&id);
    }
    match search.settings.takes {
        Takes::All => true,
        Takes::Chosen => false,
        Takes::Window => {
            let moment = u64::try_from(asset.moment()).unwrap_or(0);
            asset.taken_at.is_some()
                && search.starts.is_none_or(|starts| starts <= moment)
                && search.ends.is_none_or(|ends| moment <= ends)
        }
    }
}

/// A photo under a projection, which a hash stands for.
type ProjectedPhoto = ([u8; 32], AssetId);

/// The faces of a photo under a projection, as they were at a stamp.
type SeenFaces = (Stamp, Arc<Vec<PhotoFace>>);

/// Faces under each projection in use. Rebuilt after a restart; forgotten when it grows beyond its bound.
#[derive(Default)]
pub struct Projected {
    known: Mutex<HashMap<ProjectedPhoto, SeenFaces>>,
}

impl Projected {
    /// Forgets every face.
    pub fn forget(&self) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// About 50 bytes a face: some tens of megabytes at most.
const MAX_PROJECTED_PHOTOS: usize = 100_000;

/// The projection of one event for one model pack, drawn once for all photos.
pub(super) struct Lens {
    pack: Arc<Pack>,
    hash: [u8; 32],
    projection: Projection,
    faceless: Template,
}

impl Lens {
    pub(super) fn new(projection: &ProjectionKey, pack: Arc<Pack>) -> Self {
        let key = [&projection.0[..], pack.id.as_bytes()].concat();
        Self {
            pack,
            hash: blake3::derive_key("inframe projection cache v2", &key),
            projection: Projection::new(projection),
            faceless: Template::faceless(projection),
        }
    }

    /// A face as the event sees it; nothing of one whose numbers are out of range.
    pub(super) fn project(&self, embedding: &[f32]) -> Option<Template> {
        self.projection.project(embedding, &self.pack.mean).ok()
    }
}

/// The faces of a photo as the event sees them; none when it has none by the pack in use.
pub(super) fn photo_faces(core: &Core, lens: &Lens, id: AssetId) -> anyhow::Result<Option<Arc<Vec<PhotoFace>>>> {
    let Some(stamp) = core.faces.stamp(id) else { return Ok(None) };
    let key = (lens.hash, id);
    let cache = || core.projected.known.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, known)) = cache().get(&key).filter(|(of, _)| *of == stamp) {
        return Ok(Some(known.clone()));
    }
    let Some(faces) = core.faces.read(id)?.filter(|faces| faces.pack == lens.pack.id) else { return Ok(None) };
    // A face whose embedding is out of range looks like nobody.
    let project = |embedding: &[f32]| lens.project(embedding).unwrap_or(lens.faceless);
    let face = |(index, face): (usize, &StoredFace)| PhotoFace {
        index: u16::try_from(index).unwrap_or(u16::MAX),
        template: project(&face.embedding),
        width_px: face.width_px,
        quality: face.quality,
    };
    let made = Arc::new(faces.faces.iter().enumerate().map(face).collect::<Vec<_>>());
    let mut cache = cache();
    if cache.len() > MAX_PROJECTED_PHOTOS {
        cache.clear();
    }
    cache.insert(key, (stamp, made.clone()));
    Ok(Some(made))
}

fn settle(
    core: &Arc<Core>,
    search: &Search,
    wanted: &Wanted,
    asset: AssetId,
    hit: &PhotoMatch,
    ruled: &mut HashSet<[u8; 16]>,
    asked: &mut HashSet<[u8; 16]>,
) -> anyhow::Result<()> {
    let key = wanted.approval_id(&search.event, asset);
    let Some(question) = core.question(&search.event, wanted, hit.grade, asset) else { return Ok(()) };
    let ruling = rule(&question);
    if ruling != Ruling::Hold {
        match core.seen_of(search, wanted, asset) {
            Err(held) => return hold_back(core, search, wanted, asset, hit, key, held),
            // What was accepted already is made and offered anew at once, not when it is asked for.
            Ok(seen) => {
                let known = core.deliveries.get(&key);
                let is_open = |known: &StoredDelivery| known.state == DeliveryState::Accepted;
                if known.is_some_and(|known| is_open(&known) && core.is_outdated(&known, &seen)) {
                    offer_anew(core, &key)?;
                    core.board.ring(Job::Sending);
                }
            }
        }
    }
    match ruling {
        Ruling::Hold => Ok(()),
        Ruling::Send => {
            ruled.insert(key);
            deliver(core, search, wanted, asset, hit, key)
        }
        // What they have is past asking, should the rule have become stricter since.
        Ruling::Ask if core.deliveries.get(&key).is_some_and(|known| known.state == DeliveryState::Delivered) => Ok(()),
        Ruling::Ask => {
            asked.insert(key);
            ask(core, search, wanted, asset, hit, key)
        }
    }
}

fn deliver(
    core: &Arc<Core>,
    search: &Search,
    wanted: &Wanted,
    asset: AssetId,
    hit: &PhotoMatch,
    key: [u8; 16],
) -> anyhow::Result<()> {
    if let Some(approval) = core.approvals.get(&key)
        && approval.state == ApprovalState::Waiting
    {
        // The policy became automatic meanwhile: the question is answered by it.
        end_question(core, &key)?;
    }
    let again = |state| matches!(state, DeliveryState::Cancelled);
    match core.deliveries.get(&key) {
        Some(known) if !again(known.state) => return Ok(()),
        _ => {}
    }
    let mut row = fresh(search, wanted, asset, hit, DeliveryState::Pending);
    row.reason = core.may_be_taken_back(&row).then(|| Held::MayBeTakenBack.to_string());
    core.deliveries.put(&key, row)?;
    core.tell_transfer(&inframe_protocol::OfferId(key));
    core.board.ring(Job::Sending);
    Ok(())
}

/// Has a delivery that was accepted offered anew, since somebody in it wishes something else by now.
pub(super) fn offer_anew(core: &Core, key: &[u8]) -> anyhow::Result<()> {
    core.deliveries.change(key, |row| {
        let is_accepted = row.state == DeliveryState::Accepted;
        if is_accepted {
            row.state = DeliveryState::Pending;
            row.reason = Some(Held::Outdated.to_string());
            row.changed_at = now_ms();
        }
        is_accepted
    })?;
    Ok(())
}

fn fresh(search: &Search, wanted: &Wanted, asset: AssetId, hit: &PhotoMatch, state: DeliveryState) -> StoredDelivery {
    let now = now_ms();
    StoredDelivery {
        event: search.event,
        member: wanted.member,
        find_me: wanted.find_me,
        asset,
        score: hit.score,
        grade: hit.grade,
        state,
        rendition: None,
        reason: None,
        at: now,
        changed_at: now,
    }
}

/// Puts down that a photo stays because of somebody in it, so that its owner sees why it does not go; nobody is asked about it meanwhile.
fn hold_back(
    core: &Arc<Core>,
    search: &Search,
    wanted: &Wanted,
    asset: AssetId,
    hit: &PhotoMatch,
    key: [u8; 16],
    held: Held,
) -> anyhow::Result<()> {
    let reason = held.to_string();
    match core.deliveries.get(&key).map(|known| (known.state, known.reason.clone())) {
        None => {
            let row = fresh(search, wanted, asset, hit, DeliveryState::Cancelled);
            core.deliveries.put(&key, StoredDelivery { reason: Some(reason), ..row })?;
        }
        Some((DeliveryState::Pending | DeliveryState::Accepted, _)) => return cancel(core, &key, &reason),
        Some((DeliveryState::Cancelled, known)) if known.as_deref() != Some(&reason) => {
            core.deliveries.change(&key, |row| {
                let stays = row.state == DeliveryState::Cancelled;
                if stays {
                    (row.reason, row.changed_at) = (Some(reason), now_ms());
                }
                stays
            })?;
        }
        Some(_) => return Ok(()),
    }
    core.tell_transfer(&inframe_protocol::OfferId(key));
    Ok(())
}

fn ask(
    core: &Arc<Core>,
    search: &Search,
    wanted: &Wanted,
    asset: AssetId,
    hit: &PhotoMatch,
    key: [u8; 16],
) -> anyhow::Result<()> {
    let under_way = |state| matches!(state, DeliveryState::Pending | DeliveryState::Accepted);
    if core.deliveries.get(&key).is_some_and(|delivery| under_way(delivery.state)) {
        // It was sure when it was queued; a look-alike announced themselves since.
        cancel(
            core,
            &key,
            "you are asked first: it is not sure any more that it shows them, or your rule has changed",
        )?;
    }
    match core.approvals.get(&key).map(|approval| approval.state) {
        None | Some(ApprovalState::Gone) => {}
        Some(_) => return Ok(()),
    }
    core.approvals.put(
        &key,
        StoredApproval {
            kind: ApprovalKind::Match,
            event: search.event,
            member: wanted.member,
            find_me: wanted.find_me,
            asset,
            face: hit.face,
            score: hit.score,
            next_best: hit.next_best,
            grade: hit.grade,
            state: ApprovalState::Waiting,
            at: now_ms(),
            rival: hit.rival,
            child: wanted.child,
            live: wanted.live,
        },
    )?;
    core.live.tell(What::Approvals, Some(data_encoding::HEXLOWER.encode(&key)));
    Ok(())
}

/// Ends deliveries that may no longer leave and questions that nobody needs answered any more.
fn end_what_is_gone(core: &Arc<Core>, ruled: &HashSet<[u8; 16]>, asked: &HashSet<[u8; 16]>) -> anyhow::Result<()> {
    for (key, delivery) in core.deliveries.all() {
        let under_way = matches!(delivery.state, DeliveryState::Pending | DeliveryState::Accepted);
        if !under_way || ruled.contains(key.as_slice()) {
            continue;
        }
        let Some(held) = core.ended(&key, &delivery) else { continue };
        cancel(core, &key, &held.to_string())?;
    }
    for (key, approval) in core.approvals.all() {
        let open = approval.kind == ApprovalKind::Match && approval.state == ApprovalState::Waiting;
        if open && !asked.contains(key.as_slice()) {
            end_question(core, &key)?;
        }
    }
    Ok(())
}

/// Ends a question that nobody needs answered any more, unless the owner answers it at this very moment.
pub(super) fn end_question(core: &Core, key: &[u8]) -> anyhow::Result<()> {
    core.approvals.change(key, |row| {
        let waits = row.state == ApprovalState::Waiting;
        if waits {
            row.state = ApprovalState::Gone;
        }
        waits
    })?;
    core.live.tell(What::Approvals, Some(data_encoding::HEXLOWER.encode(key)));
    Ok(())
}

/// Cancels a delivery and removes its rendition.
pub(crate) fn cancel(core: &Arc<Core>, key: &[u8], reason: &str) -> anyhow::Result<()> {
    let mut blob = None;
    core.deliveries.change(key, |row| {
        // What was delivered at this very moment stays delivered.
        if !matches!(row.state, DeliveryState::Pending | DeliveryState::Accepted) {
            return false;
        }
        blob = row.rendition.take().map(|rendition| rendition.blob);
        row.state = DeliveryState::Cancelled;
        row.reason = Some(reason.to_owned());
        row.changed_at = now_ms();
        true
    })?;
    if let Some(blob) = blob {
        core.vault.blobs().remove(blob)?;
    }
    if let Ok(key) = <[u8; 16]>::try_from(key) {
        core.tell_transfer(&inframe_protocol::OfferId(key));
    }
    Ok(())
}

/// Grades that the API shows.
#[must_use]
pub(crate) fn grade_word(grade: Grade) -> &'static str {
    match grade {
        Grade::Sure => "sure",
        Grade::Maybe => "maybe",
    }
}
