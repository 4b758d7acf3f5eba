//! In which of the host's photos and videos guests are, and which of those they may see.

use std::collections::BTreeMap;
use std::sync::Arc;

use inframe_protocol::EventId;
use inframe_protocol::template::{Template, distance};

use crate::events::Search;
use crate::faces::consent::GUEST_VIDEOS_SINCE;
use crate::guest::{StoredGuestMatch, Word, limits};
use crate::library::{AssetId, AssetKind, GuestId, Origin};
use crate::matching::{Grade, MatchRules, PhotoFace, PhotoMatch, Sought, match_photo};
use crate::sharing::policy::{Decision, Question, Ruling, rule};
use crate::workers::Core;
use crate::workers::core::rules as rules_of;
use crate::workers::matching::{Lens, photo_faces, takes_part};
use crate::workers::shielding::{Seen, seen_by_guest};

/// A guest's face as it is looked for.
struct Looker {
    guest: GuestId,
    selfie_at: u64,
    sought: Sought,
    /// Whether they agreed to be looked for in videos too.
    in_videos: bool,
    found: Vec<(AssetId, StoredGuestMatch)>,
}

/// Looks for every guest anew; cheap where nothing changed, as templates are kept. Gives how many changed.
pub(super) fn look(core: &Core, now: u64) -> anyhow::Result<u64> {
    // Without the host's own consent nothing is compared.
    if core.profile.consent_at().is_none() {
        return Ok(0);
    }
    let pack = core.pack();
    let mut by_event: BTreeMap<EventId, Vec<_>> = BTreeMap::new();
    for (guest, selfie) in core.guests.selfies().into_iter().filter(|(_, selfie)| selfie.pack == pack.id) {
        by_event.entry(selfie.event).or_default().push((guest, selfie));
    }
    let mut changed = 0;
    for (event, selfies) in by_event {
        let is_open = core.guests.page(&event).is_some_and(|page| page.is_open(now));
        let Some(search) = core.events.search(&event, now).filter(|_| is_open) else { continue };
        let lens = Lens::new(&search.projection, pack.clone());
        let looker = |(guest, selfie): (GuestId, Arc<crate::guest::StoredGuestSelfie>)| {
            let sought = Sought { template: lens.project(&selfie.embedding)?, child: false };
            let agreed = core.profile.guest_agreed_to(guest.0, selfie.at);
            let looker = agreed.map(|version| {
                let in_videos = version.is_some_and(|version| version >= GUEST_VIDEOS_SINCE);
                Looker { guest, selfie_at: selfie.at, sought, in_videos, found: Vec::new() }
            });
            Some(looker)
        };
        let mut lookers = selfies.into_iter().filter_map(looker).collect::<Result<Vec<Looker>, _>>()?;
        let members: Vec<Template> =
            search.wanted.iter().filter(|wanted| wanted.pack == pack.id).map(|wanted| wanted.template).collect();
        let rules = rules_of(&pack);
        for id in core.library.ids() {
            let Some(asset) = core.library.get(id).filter(|asset| takes_part(&search, id, asset)) else { continue };
            let is_video = matches!(asset.kind, AssetKind::Video { .. });
            let Some(faces) = photo_faces(core, &lens, id)? else { continue };
            for looker in lookers.iter_mut().filter(|looker| looker.in_videos || !is_video) {
                for hit in match_photo(&faces, &[looker.sought], &rules) {
                    let grade = graded(&hit, &faces, &members, &rules);
                    let row = StoredGuestMatch {
                        event,
                        face: hit.face,
                        score: hit.score,
                        grade,
                        word: Word::None,
                        seen: false,
                        at: now,
                    };
                    looker.found.push((id, row));
                }
            }
        }
        for mut looker in lookers {
            looker.found.sort_by(|(a, one), (b, other)| one.score.total_cmp(&other.score).then(a.cmp(b)));
            looker.found.truncate(limits::MATCHES_PER_GUEST);
            changed += u64::from(core.guests.put_matches(looker.guest, looker.selfie_at, looker.found)?);
        }
    }
    Ok(changed)
}

/// A face that looks about as much like a member who looks for themselves, or for their child, is not surely the guest: a selfie may be of anybody.
fn graded(hit: &PhotoMatch, faces: &[PhotoFace], members: &[Template], rules: &MatchRules) -> Grade {
    let face = faces.iter().find(|face| face.index == hit.face);
    let contested = face.is_some_and(|face| {
        members.iter().any(|member| distance(&face.template, member) < hit.score + rules.min_margin)
    });
    if contested { Grade::Maybe } else { hit.grade }
}

/// Why a guest sees a photo.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Sight {
    /// They added it.
    Own,
    /// They were found in it, and see it without the faces that are to be destroyed.
    Found(Grade, Seen),
}

/// Whether a guest may see a photo at this moment (D4): asked before every picture and every file that they get.
pub(crate) fn may_see(core: &Core, event: &EventId, guest: GuestId, id: AssetId, now: u64) -> Option<Sight> {
    let asset = core.library.get(id)?;
    if asset.origin == (Origin::Guest { event: *event, guest }) {
        return Some(Sight::Own);
    }
    let row = core.guests.match_of(guest, id)?;
    let search = core.events.search(event, now)?;
    if ruling(core, &search, id, &row)? != Ruling::Send {
        return None;
    }
    // What the members of the event ask of photos of them holds for guests too, and what is not known is not shown.
    match seen_by_guest(core, &search, id, row.face, row.score) {
        Ok(Ok(seen)) => Some(Sight::Found(row.grade, seen)),
        Ok(Err(_)) => None,
        Err(error) => {
            tracing::debug!("who is in a photo is not known just now: {error:#}");
            None
        }
    }
}

/// Whether the host is to be asked about a photo for a guest.
pub(crate) fn asked(core: &Core, search: &Search, id: AssetId, row: &StoredGuestMatch) -> bool {
    ruling(core, search, id, row) == Some(Ruling::Ask)
}

fn ruling(core: &Core, search: &Search, id: AssetId, row: &StoredGuestMatch) -> Option<Ruling> {
    let asset = core.library.get(id)?;
    let looks = core.profile.consent_at().is_some() && core.guests.page(&search.event).is_some_and(|page| page.selfies);
    if !looks || row.event != search.event || !takes_part(search, id, &asset) {
        return None;
    }
    let decision = match row.word {
        Word::None => None,
        Word::Allowed => Some(Decision::Allowed),
        Word::Refused => Some(Decision::Refused),
    };
    let (event, children_present) = (search.settings.policy, search.children_present);
    Some(rule(&Question { event, person: None, grade: row.grade, child: false, children_present, decision }))
}
