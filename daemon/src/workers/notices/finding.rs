//! What there is to tell: entries of the activity log that came since, and what waits for the owner's word.

use std::str::FromStr as _;

use inframe_protocol::{EventId, MemberId};

use super::super::{Core, deputies};
use crate::activity::{ActivityKind, Entry};
use crate::clock::now_ms;
use crate::faces::ProfileId;
use crate::faces::consent::Scope;
use crate::guest::UploadState;
use crate::library::{AssetId, Origin};
use crate::notices::{EventName, Item, Matter};
use crate::sharing::ledgers::{ApprovalKind, ApprovalState};
use crate::sharing::recalls::RecallState;

/// Names something that waits: what it is, and a hash of which.
pub(super) type Waiting = [u8; 17];

fn name(matter: Matter, parts: &[&[u8]]) -> Waiting {
    let mut hasher = blake3::Hasher::new_derive_key("inframe notices v1: what waits");
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    let mut name = [0; 17];
    hasher.finalize_xof().fill(&mut name);
    // Part of the format of the catalog.
    name[0] = match matter {
        Matter::Approval | Matter::Doubtful => 1,
        Matter::Recall => 2,
        Matter::Join => 3,
        Matter::Upload => 4,
        Matter::Removal => 5,
        Matter::Text => 6,
        Matter::Photo | Matter::PhotoOfChild | Matter::Suspicious | Matter::SignIn => 0,
    };
    name
}

fn event_name(core: &Core, id: EventId) -> EventName {
    EventName { id, name: core.events.name(&id) }
}

fn plain(matter: Matter) -> Item {
    Item { matter, who: String::new(), event: None, sentence: None, photo: None }
}

/// What an entry of the log tells the owner, if anything.
pub(super) fn of_entry(core: &Core, entry: &Entry) -> Option<Item> {
    match entry.kind {
        ActivityKind::Suspicious => Some(Item { sentence: Some(entry.text.clone()), ..plain(Matter::Suspicious) }),
        ActivityKind::SignIn => Some(Item { sentence: Some(entry.text.clone()), ..plain(Matter::SignIn) }),
        ActivityKind::Arrived => photo(core, AssetId::from_str(entry.asset.as_deref()?).ok()?),
        ActivityKind::Left
        | ActivityKind::Asked
        | ActivityKind::Refused
        | ActivityKind::Consent
        | ActivityKind::Member
        | ActivityKind::Models => None,
    }
}

/// A photo that came because somebody is in it. One that may not be them is asked about instead; of a video another entry says when it is clear.
fn photo(core: &Core, id: AssetId) -> Option<Item> {
    let asset = core.library.get(id).filter(|asset| !asset.doubtful)?;
    let Origin::Received { event, from, find_me, .. } = asset.origin else { return None };
    let is_child = core.profile_sought(&event, &find_me).is_some_and(|profile| profile != ProfileId::ME);
    Some(Item {
        who: core.events.nickname(&event, &from),
        event: Some(event_name(core, event)),
        photo: Some(id.0),
        ..plain(if is_child { Matter::PhotoOfChild } else { Matter::Photo })
    })
}

/// Everything that waits for the owner's word now.
pub(super) fn waiting(core: &Core) -> Vec<(Waiting, Item)> {
    let mut all = Vec::new();
    let of_member = |matter, event: EventId, member: &MemberId| Item {
        who: core.events.nickname(&event, member),
        event: Some(event_name(core, event)),
        ..plain(matter)
    };
    for (key, row) in core.approvals.all() {
        if row.state == ApprovalState::Waiting {
            let matter = match row.kind {
                ApprovalKind::Match => Matter::Approval,
                ApprovalKind::Doubtful => Matter::Doubtful,
            };
            all.push((name(matter, &[&key]), of_member(matter, row.event, &row.member)));
        }
    }
    for (key, row) in core.asked_back.all() {
        if row.state == RecallState::Open {
            all.push((name(Matter::Recall, &[&key]), of_member(Matter::Recall, row.event, &row.member)));
        }
    }
    for event in core.events.ids() {
        let mine = core.events.waiting(&event).into_iter();
        let as_co_host = deputies::waiting(core, &event).into_iter().map(|one| (one.id, one.nickname, one.at));
        for (member, who, at) in mine.chain(as_co_host) {
            let key = name(Matter::Join, &[&event.0, &member.0, &at.to_le_bytes()]);
            all.push((key, Item { who, event: Some(event_name(core, event)), ..plain(Matter::Join) }));
        }
        for (key, wish) in core.guests.removals_of(&event).into_iter().filter(|(_, wish)| !wish.done) {
            let who = core.guests.name(&wish.guest);
            let item = Item { who, event: Some(event_name(core, event)), ..plain(Matter::Removal) };
            all.push((name(Matter::Removal, &[&key]), item));
        }
    }
    for (key, upload) in core.guests.uploads() {
        if matches!(upload.state, UploadState::Waiting(_)) {
            let (who, event) = (core.guests.name(&upload.guest), Some(event_name(core, upload.event)));
            all.push((name(Matter::Upload, &[&key]), Item { who, event, ..plain(Matter::Upload) }));
        }
    }
    all
}

/// Texts that the owner agreed to and of which this version of the program has another one. Nobody who has erased their face data is bound by any.
///
/// # Errors
/// When the vault cannot be read.
pub(super) fn changed_texts(core: &Core) -> anyhow::Result<Vec<(Waiting, Item)>> {
    if core.profile.consent_at().is_none() {
        return Ok(Vec::new());
    }
    let receipts = core.profile.receipts()?;
    let agreed = receipts.iter().map(|receipt| (receipt.scope, receipt.text_hash.as_str(), receipt.at));
    Ok(changed(agreed, Scope::text_hash).into_iter().map(|scope| text(scope, &scope.text_hash())).collect())
}

fn text(scope: Scope, hash: &str) -> (Waiting, Item) {
    let title = scope.view().title;
    let sentence =
        Some(format!("The text \u{201c}{title}\u{201d}, to which you agreed, has a newer version. Find me shows it."));
    (name(Matter::Text, &[scope.word().as_bytes(), hash.as_bytes()]), Item { sentence, ..plain(Matter::Text) })
}

/// The scopes whose text is another one than that of the newest receipt.
fn changed<'a>(receipts: impl Iterator<Item = (Scope, &'a str, u64)>, now: impl Fn(Scope) -> String) -> Vec<Scope> {
    let receipts: Vec<_> = receipts.collect();
    let is_changed = |scope: &Scope| {
        let newest = receipts.iter().filter(|(of, ..)| of == scope).max_by_key(|(.., at)| *at);
        newest.is_some_and(|(_, hash, _)| *hash != now(*scope))
    };
    // What a guest agreed to is the guest's.
    Scope::ALL.into_iter().filter(|scope| *scope != Scope::Guest).filter(is_changed).collect()
}

/// For how long something that waits no more stays noted as told: what is back within a week is not told again.
const TOLD_KEPT_MS: u64 = 7 * 24 * 3_600_000;
/// Of more rows than these nothing is kept that waits no more.
const TOLD_KEPT: usize = 4_096;

/// Of what was told at a time the keys that need not be kept.
pub(super) fn outdated(told: &[(Vec<u8>, u64)], is_open: impl Fn(&[u8]) -> bool) -> Vec<Vec<u8>> {
    let (now, crowded) = (now_ms(), told.len() > TOLD_KEPT);
    let is_over = |(key, at): &&(Vec<u8>, u64)| !is_open(key) && (crowded || now.abs_diff(*at) > TOLD_KEPT_MS);
    told.iter().filter(is_over).map(|(key, _)| key.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_changed_when_the_newest_receipt_is_of_another_one() {
        let now = |scope: Scope| format!("{} today", scope.word());
        let changed = |receipts: &[(Scope, &str, u64)]| super::changed(receipts.iter().copied(), now);
        assert_eq!(changed(&[]), []);
        assert_eq!(changed(&[(Scope::Faces, "faces today", 5)]), []);
        assert_eq!(
            changed(&[(Scope::Faces, "faces before", 5), (Scope::Announce, "announce today", 6)]),
            [Scope::Faces]
        );
        assert_eq!(changed(&[(Scope::Faces, "faces today", 7), (Scope::Faces, "faces before", 5)]), [], "agreed anew");
        assert_eq!(changed(&[(Scope::Guest, "guest before", 5)]), [], "a guest's is not the owner's");
    }

    #[test]
    fn names_of_what_waits_are_apart() {
        let event = EventId([1; 32]);
        assert_ne!(name(Matter::Approval, &[b"a"]), name(Matter::Recall, &[b"a"]));
        assert_ne!(name(Matter::Join, &[&event.0, b"1"]), name(Matter::Join, &[&event.0, b"2"]));
        assert_eq!(name(Matter::Approval, &[b"a"]), name(Matter::Doubtful, &[b"a"]), "one row, one question");
        assert_ne!(text(Scope::Faces, "one").0, text(Scope::Faces, "two").0, "each new version is told once");
    }

    #[test]
    fn d7_what_was_told_is_forgotten_a_week_after_it_waited_last() {
        let now = now_ms();
        let told = |at| vec![(vec![1], at), (vec![2], at)];
        let open = |key: &[u8]| key == [1];
        assert_eq!(outdated(&told(now), open), Vec::<Vec<u8>>::new());
        assert_eq!(outdated(&told(now - TOLD_KEPT_MS - 1000), open), [vec![2]]);
        let many: Vec<_> = (0..5_000_u32).map(|n| (n.to_be_bytes().to_vec(), now)).collect();
        assert_eq!(outdated(&many, |key| key == [0, 0, 0, 1]).len(), 4_999);
    }
}
