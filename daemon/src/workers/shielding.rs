//! What may be seen of a photo by somebody whom it goes to: its faces compared with what the members of the event ask (R79, D4).

use std::sync::Arc;

use inframe_protocol::record::Wish;
use inframe_protocol::template::{ProjectionKey, distance};
use inframe_protocol::{EventId, MemberId, NodeId, OfferId, UnixMillis};

use super::core::Held;
use super::matching::{self, Lens};
use super::{Core, blocking, core, events};
use crate::events::{Protected, Search, Wanted};
use crate::faces::ProfileId;
use crate::library::{AssetId, AssetKind, StoredAsset};
use crate::matching::{PhotoFace, Sought, match_photo};
use crate::sandbox::{Details, FractionRect};
use crate::sharing::ledgers::{Rendition, StoredDelivery};
use crate::sharing::shield::{Asked, Blurred, FaceFacts, Near, Shield, Stays, shield};

/// What leaves of a photo that may leave: which faces are destroyed in it and which stay, as fractions of the upright image, and what it still says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Seen {
    pub(crate) destroyed: Vec<[f32; 4]>,
    pub(crate) kept: Vec<[f32; 4]>,
    pub(crate) details: Details,
}

impl Seen {
    /// What a rendition is bound to.
    pub(crate) fn blurred(&self) -> Blurred {
        Blurred::of(&self.destroyed)
    }

    /// Both kinds of boxes, as the sandbox takes them.
    pub(crate) fn boxes(&self) -> (Vec<FractionRect>, Vec<FractionRect>) {
        let boxes =
            |all: &[[f32; 4]]| all.iter().map(|[x, y, w, h]| FractionRect { x: *x, y: *y, w: *w, h: *h }).collect();
        (boxes(&self.destroyed), boxes(&self.kept))
    }
}

impl Rendition {
    /// Whether it was made to show just this.
    pub(crate) fn shows(&self, seen: &Seen) -> bool {
        self.blurred == seen.blurred() && self.details == seen.details
    }
}

/// Why a photo stays, in the words that its owner reads: not who asked.
pub(crate) fn words(stays: Stays) -> &'static str {
    match stays {
        Stays::Asked => "somebody in it asks that photos of them are held back",
        Stays::Video => "a face in it would have to be blurred, and videos are held back then",
    }
}

/// What may be seen of a photo by whoever is behind this find-me.
///
/// # Errors
/// An inner error says why it stays. The outer one: its faces cannot be read, so that nobody knows.
pub(crate) fn seen(
    core: &Core,
    search: &Search,
    wanted: &Wanted,
    asset: AssetId,
) -> anyhow::Result<Result<Seen, Stays>> {
    let (pack, rules) = (core.pack(), core::rules(&core.pack()));
    seen_but(core, search, asset, Some(wanted.member), |faces| sought(faces, search, wanted, &pack.id, &rules))
}

/// Whether everybody may see a photo as it is: nobody in it asks otherwise, and no bystander would have to be blurred. Not if who is in it is not known.
pub(crate) fn is_for_all(core: &Core, search: &Search, asset: AssetId) -> bool {
    matches!(seen_but(core, search, asset, None, |_| None), Ok(Ok(seen)) if seen.destroyed.is_empty())
}

/// What may be seen of a photo by a guest who was found in it: in this face, at this distance.
///
/// # Errors
/// As [`seen`].
pub(super) fn seen_by_guest(
    core: &Core,
    search: &Search,
    asset: AssetId,
    face: u16,
    score: f32,
) -> anyhow::Result<Result<Seen, Stays>> {
    let place = |faces: &[PhotoFace]| faces.iter().position(|one| one.index == face);
    seen_but(core, search, asset, None, |faces| place(faces).map(|place| (place, score)))
}

/// The same for whoever has the face that `theirs` gives, with its distance; what `receiver` asks does not count for them.
fn seen_but(
    core: &Core,
    search: &Search,
    asset: AssetId,
    receiver: Option<MemberId>,
    theirs: impl FnOnce(&[PhotoFace]) -> Option<(usize, f32)>,
) -> anyhow::Result<Result<Seen, Stays>> {
    let pack = core.pack();
    let asks = |one: &&Protected| Some(one.author) != receiver && one.pack == pack.id;
    let protected: Vec<&Protected> = search.protected.iter().filter(asks).collect();
    if !search.blur_bystanders && protected.iter().all(|one| one.wish == Wish::Show) {
        return Ok(Ok(Seen::default()));
    }
    let stored = core.library.get(asset);
    let is_video = stored.is_some_and(|stored| matches!(stored.kind, AssetKind::Video { .. }));
    let lens = Lens::new(&search.projection, pack.clone());
    let Some(faces) = matching::photo_faces(core, &lens, asset)? else {
        anyhow::bail!("its faces are being looked for anew");
    };
    let rules = core::rules(&pack);
    let mut facts: Vec<FaceFacts> = faces.iter().map(|_| FaceFacts::default()).collect();
    if let Some((face, score)) = theirs(&faces)
        && let Some(facts) = facts.get_mut(face)
    {
        facts.sought = Some(score);
    }
    for one in protected {
        // Templates of one projection only compare with each other (R77).
        let theirs = match one.projection == search.projection {
            true => faces.clone(),
            false => under(core, &one.projection, &pack, asset)?,
        };
        for (facts, face) in facts.iter_mut().zip(theirs.iter()) {
            let distance = distance(&face.template, &one.template);
            match one.wish {
                // Children resemble each other, so their limit for a match is stricter; here the wider one errs towards them.
                Wish::HoldBack | Wish::Blur if distance <= rules.maybe => {
                    let asked = if one.wish == Wish::HoldBack { Asked::HoldBack } else { Asked::Blur };
                    facts.near.push(Near { distance, asked });
                }
                Wish::Show => facts.shown |= distance <= rules.sure,
                Wish::HoldBack | Wish::Blur => {}
            }
        }
    }
    if search.blur_bystanders {
        let mine = events::portrait(core, ProfileId::ME).and_then(|portrait| lens.project(&portrait.likable.embedding));
        let looking = search.wanted.iter().filter(|one| one.pack == pack.id).map(|one| one.template);
        let known: Vec<_> = looking.chain(mine).collect();
        for (facts, face) in facts.iter_mut().zip(faces.iter()) {
            facts.shown |= known.iter().any(|known| distance(&face.template, known) <= rules.sure);
        }
    }
    let Shield { stays, blurred } = shield(&facts, search.blur_bystanders, is_video);
    if let Some(stays) = stays {
        return Ok(Err(stays));
    }
    if blurred.is_empty() {
        return Ok(Ok(Seen::default()));
    }
    let boxes = core.faces.read(asset)?.filter(|known| known.pack == pack.id && known.faces.len() == faces.len());
    let Some(boxes) = boxes else { anyhow::bail!("its faces were looked for anew just now") };
    let mut seen = Seen::default();
    for (index, face) in boxes.faces.iter().enumerate() {
        let list = if blurred.contains(&index) { &mut seen.destroyed } else { &mut seen.kept };
        list.push(face.rect);
    }
    Ok(Ok(seen))
}

/// The faces under the projection of another epoch.
fn under(
    core: &Core,
    projection: &ProjectionKey,
    pack: &Arc<crate::faces::Pack>,
    asset: AssetId,
) -> anyhow::Result<Arc<Vec<PhotoFace>>> {
    let faces = matching::photo_faces(core, &Lens::new(projection, pack.clone()), asset)?;
    faces.ok_or_else(|| anyhow::anyhow!("its faces are being looked for anew"))
}

/// The face for which somebody gets the photo, and how near it is.
fn sought(
    faces: &[PhotoFace],
    search: &Search,
    wanted: &Wanted,
    pack: &str,
    rules: &crate::matching::MatchRules,
) -> Option<(usize, f32)> {
    let all: Vec<&Wanted> = search.wanted.iter().filter(|one| one.pack == pack).collect();
    let sought: Vec<Sought> = all.iter().map(|one| Sought { template: one.template, child: one.child }).collect();
    let hits = match_photo(faces, &sought, rules);
    let hit = hits.into_iter().find(|hit| all.get(hit.wanted).is_some_and(|one| one.find_me == wanted.find_me))?;
    let place = faces.iter().position(|face| face.index == hit.face)?;
    Some((place, hit.score))
}

/// Removes a rendition unless it shows just this.
pub(super) async fn forget_rendition(core: &Arc<Core>, offer: OfferId, but: &Seen) -> anyhow::Result<()> {
    let (writer, but) = (core.clone(), but.clone());
    blocking(move || {
        let mut blob = None;
        writer.deliveries.change(&offer.0, |row| {
            blob = row.rendition.take_if(|made| !made.shows(&but)).map(|made| made.blob);
            blob.is_some()
        })?;
        if let Some(blob) = blob {
            writer.lists.forget(blob);
            writer.vault.blobs().remove(blob)?;
        }
        anyhow::Ok(())
    })
    .await?
}

/// Whether a node asks for what it was offered before somebody in the photo had a wish; what has to be made anew is offered again.
pub(super) fn is_protected_since(core: &Core, peer: &NodeId, offer: OfferId) -> anyhow::Result<bool> {
    let Some(delivery) = core.deliveries.get(&offer.0) else { return Ok(false) };
    let theirs = core.events.member_node(&delivery.event, &delivery.member).as_ref() == Some(peer);
    match core.may_be_served(&delivery) {
        Err(Held::Outdated) if theirs => {
            matching::offer_anew(core, &offer.0)?;
            Ok(true)
        }
        Err(Held::Protected(_) | Held::FacesUnknown | Held::MayBeTakenBack) => Ok(theirs),
        // It is being made anew, or has been and was not offered yet.
        Ok(_) => Ok(theirs && delivery.reason == Some(Held::Outdated.to_string())),
        _ => Ok(false),
    }
}

impl Core {
    /// What may be seen of a delivery's photo now.
    ///
    /// # Errors
    /// Why it may not leave.
    pub(crate) fn seen_of(&self, search: &Search, wanted: &Wanted, asset: AssetId) -> Result<Seen, Held> {
        match seen(self, search, wanted, asset) {
            Ok(Ok(seen)) => Ok(Seen { details: self.events.details_for(&search.event, &wanted.member), ..seen }),
            Ok(Err(stays)) => Err(Held::Protected(stays)),
            Err(error) => {
                tracing::debug!("who is in a photo is not known just now: {error:#}");
                Err(Held::FacesUnknown)
            }
        }
    }

    /// When a photo was taken, as a member is told beside it; not where children are present (R81).
    pub(super) fn taken_as_told(&self, event: &EventId, asset: &StoredAsset) -> Option<UnixMillis> {
        let taken = asset.taken_at.filter(|_| !self.events.children_present(event));
        taken.and_then(|at| u64::try_from(at).ok()).map(UnixMillis)
    }

    /// Whether the rendition of a delivery, if it has one, shows or says what it must not, or hides what it need not: it is made anew then.
    pub(crate) fn is_outdated(&self, delivery: &StoredDelivery, seen: &Seen) -> bool {
        delivery.rendition.as_ref().is_some_and(|made| !made.shows(seen))
    }
}

#[cfg(test)]
mod tests {
    use inframe_protocol::ContentId;

    use super::*;
    use crate::vault::BlobId;

    #[test]
    fn d4_a_rendition_goes_only_while_it_shows_and_says_what_it_may() {
        let face = [0.1, 0.2, 0.3, 0.4];
        let seen = |destroyed: &[[f32; 4]], place| Seen {
            destroyed: destroyed.to_vec(),
            kept: Vec::new(),
            details: Details { place, ..Details::default() },
        };
        let (blob, content) = (BlobId([1; 16]), ContentId([2; 32]));
        for (destroyed, place) in [(&[][..], false), (&[face][..], false), (&[][..], true), (&[face][..], true)] {
            let now = seen(destroyed, place);
            let made = Rendition { blob, content, size_bytes: 3, blurred: now.blurred(), details: now.details };
            assert!(made.shows(&now));
            assert!(!made.shows(&seen(destroyed, !place)), "it says more or less than was chosen since");
            let other = if destroyed.is_empty() { &[face][..] } else { &[] };
            assert!(!made.shows(&seen(other, place)), "it shows another face");
        }
    }
}
