//! Guests against a real vault.

use std::io::Read as _;

use super::*;
use crate::data_dir::DataDir;
use crate::library::AssetId;
use crate::matching::Grade;
use crate::vault::KeyFile;

const EVENT: EventId = EventId([1; 32]);
const OTHER: EventId = EventId([2; 32]);
const DAY: u64 = 24 * 3600 * 1000;

fn vault(folder: &tempfile::TempDir) -> Vault {
    let dir = DataDir::open(folder.path().join("data")).unwrap();
    Vault::open(&dir, &KeyFile::at(folder.path().join("key"))).unwrap()
}

fn guests(folder: &tempfile::TempDir) -> Guests {
    Guests::open(&vault(folder), Live::default()).unwrap()
}

fn open_page(guests: &Guests, ends_at: u64) -> StoredPage {
    let page = StoredPage { on: true, ..Guests::new_page(ends_at, 0).unwrap() };
    guests.put_page(&EVENT, page.clone()).unwrap();
    page
}

fn token(page: &StoredPage) -> String {
    data_encoding::HEXLOWER.encode(&page.token)
}

fn selfie(at: u64) -> StoredGuestSelfie {
    StoredGuestSelfie { event: EVENT, pack: "p".into(), embedding: vec![0.25; 4], still: vec![1], at }
}

fn found(word: Word) -> StoredGuestMatch {
    StoredGuestMatch { event: EVENT, face: 0, score: 0.2, grade: Grade::Sure, word, seen: false, at: 5 }
}

#[test]
fn only_the_token_of_an_open_page_leads_anywhere() {
    let folder = tempfile::tempdir().unwrap();
    let guests = guests(&folder);
    let page = open_page(&guests, 10 * DAY);
    assert_eq!(guests.page_of_token(&token(&page), 0).unwrap().0, EVENT);
    assert!(guests.any_open(0));
    for wrong in ["", "0", "zz", &"0".repeat(32), &token(&page)[..30], &token(&page).to_uppercase()] {
        assert!(guests.page_of_token(wrong, 0).is_none(), "{wrong}");
    }
    assert!(guests.page_of_token(&token(&page), 17 * DAY - 1).is_some(), "until everything is erased");
    assert!(guests.page_of_token(&token(&page), 17 * DAY).is_none());
    guests.put_page(&EVENT, StoredPage { on: false, ..page.clone() }).unwrap();
    assert!(guests.page_of_token(&token(&page), 0).is_none() && !guests.any_open(0));
    let fresh = Guests::with_new_link(&StoredPage { on: true, ..page.clone() }).unwrap();
    guests.put_page(&EVENT, fresh).unwrap();
    assert!(guests.page_of_token(&token(&page), 0).is_none(), "the link before is of no use");
}

#[test]
fn the_window_for_adding_has_a_beginning_and_an_end() {
    let page = StoredPage { on: true, opens_at: Some(5), closes_at: Some(9), ..Guests::new_page(DAY, 0).unwrap() };
    let open: Vec<u64> = (0..12).filter(|now| page.takes_uploads(*now)).collect();
    assert_eq!(open, [5, 6, 7, 8]);
    let always = StoredPage { opens_at: None, closes_at: None, ..page.clone() };
    assert!(always.takes_uploads(0) && always.takes_uploads(7 * DAY) && !always.takes_uploads(8 * DAY));
    assert!(!StoredPage { on: false, ..page }.takes_uploads(6));
}

#[test]
fn a_private_link_brings_back_its_guest_in_its_event_only() {
    let folder = tempfile::tempdir().unwrap();
    let guests = guests(&folder);
    let (id, secret) = guests.join(&EVENT, "Mia".into(), 1).unwrap();
    let (other, others) = guests.join(&EVENT, "Ben".into(), 2).unwrap();
    assert_eq!(guests.guest_of_secret(&EVENT, &secret).unwrap().0, id);
    assert_eq!(guests.guest_of_secret(&EVENT, &others).unwrap().0, other);
    assert!(guests.guest_of_secret(&OTHER, &secret).is_none());
    assert!(guests.guest_of_secret(&EVENT, "").is_none());
    guests.change_guest(id, |guest| guest.blocked = true).unwrap();
    assert!(guests.guest_of_secret(&EVENT, &secret).is_none(), "shut out");
    assert_eq!(guests.name(&id), "Mia");
}

#[test]
fn d2_pieces_come_in_any_order_and_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let first = guests(&folder);
    let (guest, _) = first.join(&EVENT, "Mia".into(), 1).unwrap();
    // One byte beyond two pieces: the last is short.
    let size = 2 * limits::PIECE_BYTES + 1;
    let plain: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
    let piece = |index: u64| {
        let start = usize::try_from(index * limits::PIECE_BYTES).unwrap();
        &plain[start..plain.len().min(start + usize::try_from(limits::PIECE_BYTES).unwrap())]
    };
    let id = first.begin(&EVENT, guest, "a.mp4".into(), size, 2).unwrap();
    assert_eq!(first.begin(&EVENT, guest, "a.mp4".into(), size, 3).unwrap(), id, "the same file goes on");
    assert_ne!(first.begin(&EVENT, guest, "b.mp4".into(), size, 3).unwrap(), id);
    first.take_piece(&id, 2, piece(2)).unwrap();
    first.take_piece(&id, 0, piece(0)).unwrap();
    first.take_piece(&id, 0, piece(0)).unwrap();
    assert!(matches!(first.take_piece(&id, 1, piece(2)), Err(ComingError::Length { .. })));
    assert!(matches!(first.take_piece(&id, 3, b"x"), Err(ComingError::Length { expected: 0, .. })));
    assert!(matches!(first.complete(&id, 4), Err(ComingError::Missing(1))));
    drop(first);
    let again = guests(&folder);
    assert_eq!(again.present(&id), [0, 2]);
    again.take_piece(&id, 1, piece(1)).unwrap();
    again.complete(&id, 5).unwrap();
    assert!(matches!(again.take_piece(&id, 1, piece(1)), Err(ComingError::NotFound)), "it is complete");
    let mut read = Vec::new();
    again.read(&id).read_to_end(&mut read).unwrap();
    assert_eq!(read, plain);
    assert_eq!(again.piece_blobs().len(), 3);
    again.drop_upload(&id).unwrap();
    assert!(again.piece_blobs().is_empty() && again.upload(&id).is_none());
}

#[test]
fn d7_a_guest_cannot_begin_more_than_they_may() {
    let folder = tempfile::tempdir().unwrap();
    let guests = guests(&folder);
    let (guest, _) = guests.join(&EVENT, "Mia".into(), 1).unwrap();
    let begin = |name: &str, size| guests.begin(&EVENT, guest, name.into(), size, 2);
    assert!(matches!(begin("none", 0), Err(GuestsError::Full(_))));
    assert!(matches!(begin("large", limits::FILE_BYTES + 1), Err(GuestsError::Full(_))));
    for n in 0..limits::COMING_PER_GUEST {
        if n < 8 {
            begin(&n.to_string(), limits::FILE_BYTES).unwrap();
        } else {
            assert!(matches!(begin(&n.to_string(), limits::FILE_BYTES), Err(GuestsError::Full(_))), "32 GiB in all");
        }
    }
    let (other, _) = guests.join(&EVENT, "Ben".into(), 1).unwrap();
    for n in 0..limits::COMING_PER_GUEST {
        guests.begin(&EVENT, other, n.to_string(), 9, 2).unwrap();
    }
    assert!(matches!(guests.begin(&EVENT, other, "more".into(), 9, 2), Err(GuestsError::Full(_))));
}

#[test]
fn the_hosts_word_on_a_photo_outlives_a_new_search_but_not_a_new_face() {
    let folder = tempfile::tempdir().unwrap();
    let guests = guests(&folder);
    let (guest, _) = guests.join(&EVENT, "Mia".into(), 1).unwrap();
    guests.put_selfie(guest, selfie(3)).unwrap();
    let (one, two) = (AssetId([1; 16]), AssetId([2; 16]));
    assert!(guests.put_matches(guest, 3, vec![(one, found(Word::None)), (two, found(Word::None))]).unwrap());
    assert!(guests.answer(guest, one, Word::Refused).unwrap());
    assert!(!guests.answer(guest, AssetId([9; 16]), Word::Allowed).unwrap());
    guests.put_matches(guest, 3, vec![(one, found(Word::None))]).unwrap();
    assert_eq!(guests.match_of(guest, one).unwrap().word, Word::Refused);
    assert!(guests.match_of(guest, two).is_none());
    assert!(!guests.put_matches(guest, 2, vec![(two, found(Word::None))]).unwrap(), "of a face that is gone");
    guests.put_selfie(guest, selfie(4)).unwrap();
    assert!(guests.matches_of(guest).is_empty());
}

#[test]
fn when_the_time_is_over_faces_links_and_half_files_are_erased_and_photos_stay() {
    let folder = tempfile::tempdir().unwrap();
    let guests = guests(&folder);
    let page = open_page(&guests, 10 * DAY);
    let (giver, secret) = guests.join(&EVENT, "Mia".into(), 1).unwrap();
    let (looker, _) = guests.join(&EVENT, "Ben".into(), 1).unwrap();
    let (elsewhere, _) = guests.join(&OTHER, "Zoe".into(), 1).unwrap();
    for guest in [giver, looker, elsewhere] {
        let event = if guest == elsewhere { OTHER } else { EVENT };
        guests.put_selfie(guest, StoredGuestSelfie { event, ..selfie(3) }).unwrap();
        guests.put_matches(guest, 3, vec![(AssetId([1; 16]), found(Word::Allowed))]).unwrap();
    }
    let kept = guests.begin(&EVENT, giver, "a.jpg".into(), 3, 2).unwrap();
    guests.set_upload(&kept, UploadState::Shown(AssetId([7; 16])), 3).unwrap();
    let half = guests.begin(&EVENT, looker, "b.jpg".into(), 3, 2).unwrap();
    guests.take_piece(&half, 0, b"abc").unwrap();
    assert!(!page.is_due(17 * DAY - 1));
    assert!(page.is_due(17 * DAY));
    let erased = guests.erase(&EVENT, 17 * DAY).unwrap();
    assert_eq!(erased, Erased { guests: 2, faces: 2 });
    assert!(guests.selfie(giver).is_none() && guests.selfie(looker).is_none());
    assert!(guests.matches_of(giver).is_empty() && guests.piece_blobs().is_empty());
    assert!(guests.guest_of_secret(&EVENT, &secret).is_none());
    assert_eq!((guests.name(&giver), guests.name(&looker)), ("Mia".to_owned(), "a guest".to_owned()));
    assert!(guests.upload(&kept).is_some() && guests.upload(&half).is_none());
    assert!(guests.selfie(elsewhere).is_some(), "another event is another matter");
    let page = guests.page(&EVENT).unwrap();
    assert!(!page.on && page.erased_at == Some(17 * DAY) && !page.is_due(99 * DAY));
}

#[test]
fn d3_nothing_of_a_guest_is_printed() {
    let page = Guests::new_page(9, 1).unwrap();
    let guest = StoredGuest { event: EVENT, secret: [7; 32], name: "Mia".into(), at: 1, blocked: false };
    let shown = format!("{page:?} {guest:?} {:?}", selfie(3));
    assert!(
        !shown.contains("Mia") && !shown.contains("0.25") && !shown.contains(&format!("{:?}", page.token)),
        "{shown}"
    );
}
