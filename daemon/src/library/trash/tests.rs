//! The trash over a real vault: what is seen, what comes back, and what a crash at any point of a purge leaves.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;

use bytes::Bytes;
use inframe_protocol::{ContentId, EventId, FindMeId, MemberId, OfferId};

use super::*;
use crate::data_dir::DataDir;
use crate::disk::Disk;
use crate::library::{Added, FacesState, NewAsset, Origin, Sort, Source};
use crate::live::Live;
use crate::sandbox::{Format, Inspection, Sandbox, SandboxConfig};
use crate::vault::{BlobError, KeyFile, Vault};

const DAY_MS: u64 = 24 * 3600 * 1000;
const PACK: &str = "pack";
const EVENT: EventId = EventId([5; 32]);

/// A library on the disk, opened and, as after a crash, opened again. No decode process is ever needed.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn open(&self) -> Library {
        let dir = DataDir::open(self.folder.path().join("data")).unwrap();
        let vault = Vault::open(&dir, &KeyFile::at(self.folder.path().join("key"))).unwrap();
        finish_purges(&vault).unwrap();
        let sandbox = Sandbox::start(SandboxConfig::new(PathBuf::from("/nonexistent")));
        Library::open(vault, sandbox, Live::default(), Disk::of(self.folder.path(), Some(0))).unwrap()
    }

    fn blob(&self, id: BlobId) -> PathBuf {
        let name = id.to_string();
        self.folder.path().join("data/blobs").join(&name[..2]).join(name)
    }

    /// A second name for the file of a blob, by which it is seen after it lost its first.
    fn link(&self, id: BlobId) -> PathBuf {
        let link = self.folder.path().join(id.to_string());
        fs::hard_link(self.blob(id), &link).unwrap();
        link
    }
}

fn bytes_of(number: u8) -> Bytes {
    Bytes::from(vec![number; 3000])
}

fn received() -> Origin {
    Origin::Received { event: EVENT, from: MemberId([1; 32]), find_me: FindMeId([2; 16]), offer: OfferId([3; 16]) }
}

fn put(library: &Library, number: u8, origin: Origin, doubtful: bool) -> AssetId {
    let bytes = bytes_of(number);
    let new = NewAsset {
        file_name: format!("IMG_{number}.jpg"),
        content: ContentId::of(&bytes),
        size_bytes: bytes.len() as u64,
        original: Source::Plain(bytes),
        origin,
        taken_at: Some(1_700_000_000_000 + i64::from(number)),
        doubtful,
    };
    let inspection = Inspection {
        format: Format::Jpeg,
        width: 40,
        height: 30,
        orientation: 1,
        taken_at: None,
        camera: Some("Camera".into()),
        has_location: true,
        motion_bytes: None,
        mean_rgb565: 1,
        thumbhash: vec![7; 25],
        grid: vec![1; 500],
        preview: vec![2; 900],
    };
    library.adopt(new, inspection).unwrap()
}

fn pass(library: &Library, time_ms: u64) {
    library.clock().advance(time_ms);
}

#[tokio::test]
async fn what_is_in_the_trash_is_met_by_nothing_but_the_trash() {
    let place = Place::new();
    let library = place.open();
    let (stays, goes) = (put(&library, 1, received(), false), put(&library, 2, received(), false));
    assert_eq!(library.trash(&[goes, goes, AssetId([9; 16])]).unwrap(), [goes]);
    let check = |library: &Library| {
        assert!(library.get(goes).is_none());
        assert_eq!(library.ids(), [stays]);
        let seen = library.select(Sort::Photo, |_| true).len();
        assert_eq!((seen, library.totals()), (1, (1, 3000)));
        assert_eq!(library.waiting_for_faces(PACK, 9), (vec![stays], 0));
        assert_eq!(library.received_in(&EVENT), [stays]);
        let listed = library.timeline(|timeline| timeline.items().iter().map(|item| item.id).collect::<Vec<_>>());
        assert_eq!(listed, [stays]);
        assert!(matches!(library.read_original(goes), Err(LibraryError::NotFound)));
        assert!(matches!(library.change(goes, Batch::default(), |_| {}), Err(LibraryError::NotFound)));
        assert!(matches!(library.delete(goes), Err(LibraryError::NotFound)));
        assert_eq!(library.trash(&[goes]).unwrap(), []);
        // The trash itself, the search for duplicates and the owner's eyes do.
        assert_eq!(library.by_content(&ContentId::of(&bytes_of(2))), Some(goes));
        assert_eq!((library.all_trash()[0].id, library.trash_totals()), (goes, (1, 3000)));
        assert_eq!(library.read_picture(goes, true).unwrap(), vec![2; 900]);
        assert_eq!(library.trash_ids(), HashSet::from([goes]));
    };
    check(&library);
    drop(library);
    check(&place.open());
}

#[tokio::test]
async fn what_is_restored_is_what_it_was() {
    let place = Place::new();
    let library = place.open();
    let ids = [put(&library, 1, Origin::Imported, false), put(&library, 2, received(), false)];
    let before = ids.map(|id| library.get(id).unwrap());
    library.trash(&ids).unwrap();
    assert_eq!((library.totals().0, library.timeline(|timeline| timeline.len())), (0, 0));
    drop(library);
    let library = place.open();
    assert_eq!(library.restore(&[ids[0], ids[1], ids[0]]).unwrap(), ids);
    assert_eq!(library.restore(&ids).unwrap(), []);
    let check = |library: &Library| {
        assert_eq!(ids.map(|id| library.get(id).unwrap()), before);
        assert_eq!((library.totals(), library.trash_totals()), ((2, 6000), (0, 0)));
        assert_eq!(library.timeline(|timeline| timeline.len()), 2);
    };
    check(&library);
    drop(library);
    check(&place.open());
}

#[tokio::test]
async fn importing_the_same_bytes_brings_it_back_with_its_origin() {
    let place = Place::new();
    let library = place.open();
    let id = put(&library, 1, received(), false);
    library.trash(&[id]).unwrap();
    assert_eq!(library.import("again.jpg", bytes_of(1)).await.unwrap(), Added::Restored(id));
    assert_eq!(library.get(id).unwrap().origin, received());
    assert_eq!(library.import("again.jpg", bytes_of(1)).await.unwrap(), Added::Duplicate(id));
    // As a stream, too; what was written of it meanwhile is let go.
    library.trash(&[id]).unwrap();
    let before = library.vault.blobs().list().unwrap();
    let again = library.import_large("again.jpg", std::io::Cursor::new(bytes_of(1))).await.unwrap();
    assert_eq!((again, library.vault.blobs().list().unwrap()), (Added::Restored(id), before));
}

#[tokio::test]
async fn what_waits_for_the_owners_word_is_not_moved_and_nothing_beside_it() {
    let place = Place::new();
    let library = place.open();
    let (fine, doubtful) = (put(&library, 1, Origin::Imported, false), put(&library, 2, received(), true));
    assert!(matches!(library.trash(&[fine, doubtful]), Err(LibraryError::Unanswered)));
    assert!(library.get(fine).is_some() && library.get(doubtful).is_some());
}

#[tokio::test]
async fn erased_face_data_is_erased_in_the_trash_as_well() {
    let place = Place::new();
    let library = place.open();
    let id = put(&library, 1, Origin::Imported, false);
    let mut row = Batch::default();
    row.put(Kind::Face, id.0, b"a face".to_vec());
    library.change(id, row, |asset| asset.faces = FacesState::Done { pack: PACK.into(), count: 1 }).unwrap();
    library.trash(&[id]).unwrap();
    assert!(library.vault.catalog().contains(Kind::Face, id.0).unwrap());
    library.forget_faces().unwrap();
    assert!(!library.vault.catalog().contains(Kind::Face, id.0).unwrap());
    assert!(library.get(id).is_none(), "forgetting faces took it out of the trash");
    drop(library);
    let library = place.open();
    library.restore(&[id]).unwrap();
    assert_eq!(library.waiting_for_faces(PACK, 9).0, [id]);
}

#[tokio::test]
async fn thirty_days_are_counted_over_restarts() {
    let place = Place::new();
    let library = place.open();
    let (first, second) = (put(&library, 1, Origin::Imported, false), put(&library, 2, Origin::Imported, false));
    library.trash(&[first]).unwrap();
    pass(&library, 10 * DAY_MS);
    library.trash(&[second]).unwrap();
    let left = |library: &Library, id| library.one_in_trash(id).unwrap().left.as_secs().div_ceil(24 * 3600);
    assert_eq!((left(&library, first), left(&library, second)), (20, 30));
    pass(&library, 19 * DAY_MS);
    assert!(library.due().is_empty());
    library.keep_trash_time().unwrap();
    drop(library);
    let library = place.open();
    assert_eq!((left(&library, first), left(&library, second)), (1, 11));
    pass(&library, DAY_MS);
    assert_eq!(library.due(), [first]);
    library.restore(&[first]).unwrap();
    assert!(library.due().is_empty());
    // Trashed again, it has all its days again.
    library.trash(&[first]).unwrap();
    assert_eq!(left(&library, first), 30);
}

/// Everything of the asset's files is gone: the names, and the keys in whatever still holds their bytes.
fn assert_erased(place: &Place, library: &Library, links: &[(BlobId, PathBuf)]) {
    for (blob, link) in links {
        assert!(!place.blob(*blob).exists(), "{blob} is still there");
        fs::rename(link, place.blob(*blob)).unwrap();
        let opened = library.vault.blobs().open(*blob);
        assert!(matches!(opened, Err(BlobError::Removed { .. })), "the key of {blob} survives: {opened:?}");
        fs::remove_file(place.blob(*blob)).unwrap();
    }
}

/// An asset in the trash, another that stays, and second names for the files of the first.
fn about_to_purge(place: &Place) -> (Library, AssetId, AssetId, Vec<(BlobId, PathBuf)>) {
    let library = place.open();
    let (goes, stays) = (put(&library, 1, Origin::Imported, false), put(&library, 2, Origin::Imported, false));
    let links = library.get(goes).unwrap().blobs().map(|blob| (blob, place.link(blob))).collect();
    library.trash(&[goes]).unwrap();
    (library, goes, stays, links)
}

fn assert_sound(library: &Library, goes: AssetId, stays: AssetId) {
    assert!(library.in_trash(goes).is_none() && library.get(goes).is_none());
    assert!(library.by_content(&ContentId::of(&bytes_of(1))).is_none());
    assert_eq!(library.read_original(stays).unwrap(), bytes_of(2));
    assert_eq!(library.vault.blobs().list().unwrap().len(), 3);
}

/// What a start does before anything is written.
fn swept(library: &Library, others: &HashSet<BlobId>) {
    for id in library.unnamed(others).unwrap() {
        library.vault.blobs().remove(id).unwrap();
    }
}

#[tokio::test]
async fn purging_overwrites_every_key_before_its_file_goes() {
    let place = Place::new();
    let (library, goes, stays, links) = about_to_purge(&place);
    assert_eq!(library.purge(&[goes]).unwrap(), [goes]);
    assert_eq!((library.still_to_erase(), library.purge(&[goes]).unwrap()), (3, vec![]));
    assert_eq!((library.erase_some(2).unwrap(), library.erase_some(2).unwrap()), (1, 0));
    assert_sound(&library, goes, stays);
    assert_erased(&place, &library, &links);
}

#[tokio::test]
async fn d2_a_crash_before_the_purge_is_durable_leaves_it_in_the_trash_whole() {
    let place = Place::new();
    let (library, goes, ..) = about_to_purge(&place);
    drop(library);
    let library = place.open();
    swept(&library, &HashSet::new());
    assert_eq!(library.restore(&[goes]).unwrap(), [goes]);
    assert_eq!(library.read_original(goes).unwrap(), bytes_of(1));
}

#[tokio::test]
async fn d2_a_crash_between_the_commit_and_any_of_the_files_is_finished_by_the_next_start() {
    for erased_before in 0..=3 {
        let place = Place::new();
        let (library, goes, stays, links) = about_to_purge(&place);
        library.purge(&[goes]).unwrap();
        library.erase_some(erased_before).unwrap();
        drop(library);
        let library = place.open();
        swept(&library, &HashSet::new());
        assert_sound(&library, goes, stays);
        assert_erased(&place, &library, &links);
    }
}

#[tokio::test]
async fn d2_a_crash_between_a_key_and_its_file_is_finished_by_the_next_start() {
    let place = Place::new();
    let (library, goes, stays, links) = about_to_purge(&place);
    library.purge(&[goes]).unwrap();
    library.erase_some(1).unwrap();
    drop(library);
    // The file whose key is overwritten under its name again, as if the crash had come before it was removed.
    let (erased, link) = links.iter().find(|(blob, _)| !place.blob(*blob).exists()).unwrap();
    fs::hard_link(link, place.blob(*erased)).unwrap();
    let library = place.open();
    swept(&library, &HashSet::new());
    assert_sound(&library, goes, stays);
    assert_erased(&place, &library, &links);
}

#[tokio::test]
async fn a_file_that_cannot_be_erased_now_is_tried_again_and_holds_up_no_other() {
    let place = Place::new();
    let (library, goes, _, links) = about_to_purge(&place);
    library.purge(&[goes]).unwrap();
    // A folder in the place of the last file: it cannot be opened for writing, not even by root.
    let (blob, _) = links[2];
    fs::remove_file(place.blob(blob)).unwrap();
    fs::create_dir(place.blob(blob)).unwrap();
    assert!(library.erase_some(9).is_err());
    assert_eq!(library.still_to_erase(), 3);
    assert!(library.erase_some(2).is_ok());
    assert_eq!(library.still_to_erase(), 1);
    fs::remove_dir(place.blob(blob)).unwrap();
    assert_eq!(library.erase_some(9).unwrap(), 0);
}

#[tokio::test]
async fn the_sweep_keeps_what_others_name() {
    let place = Place::new();
    let library = place.open();
    let id = put(&library, 1, Origin::Imported, false);
    let other = library.vault.blobs().put(crate::vault::BlobKind::Rendition, b"", b"rendition").unwrap();
    let nobodys = library.vault.blobs().put(crate::vault::BlobKind::Grid, b"", b"half an import").unwrap();
    let link = place.link(nobodys);
    library.trash(&[id]).unwrap();
    swept(&library, &HashSet::from([other]));
    assert_eq!(library.vault.blobs().read(other).unwrap().as_slice(), b"rendition");
    assert_eq!(library.read_picture(id, false).unwrap(), vec![1; 500]);
    assert_erased(&place, &library, &[(nobodys, link)]);
}

#[tokio::test]
async fn deleting_past_the_trash_erases_just_the_same() {
    let place = Place::new();
    let library = place.open();
    let id = put(&library, 1, received(), true);
    let links: Vec<_> = library.get(id).unwrap().blobs().map(|blob| (blob, place.link(blob))).collect();
    library.delete(id).unwrap();
    assert_eq!((library.trash_totals(), library.still_to_erase()), ((0, 0), 3));
    library.erase_some(3).unwrap();
    assert_erased(&place, &library, &links);
    assert!(library.ids().is_empty());
}

/// All that the catalog is, gone.
fn lose_the_catalog(place: &Place) {
    let data = place.folder.path().join("data");
    for folder in ["catalog", "journal"] {
        fs::remove_dir_all(data.join(folder)).unwrap();
    }
    let _ = fs::remove_file(data.join("catalog.snapshot"));
}

#[tokio::test]
async fn what_was_deleted_for_good_does_not_come_back_without_the_catalog_either() {
    for erased_before in 0..=2 {
        let place = Place::new();
        let (library, goes, stays, links) = about_to_purge(&place);
        let kept: HashSet<BlobId> = library.get(stays).unwrap().blobs().collect();
        library.purge(&[goes]).unwrap();
        library.erase_some(erased_before).unwrap();
        drop(library);
        lose_the_catalog(&place);
        let library = place.open();
        assert!(library.vault.is_incomplete() && library.ids().is_empty());
        assert_erased(&place, &library, &links);
        // What stays can be looked into, and nothing else is there.
        assert_eq!(library.unnamed(&HashSet::new()).unwrap().into_iter().collect::<HashSet<_>>(), kept);
        assert!(library.vault.purging().unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_purge_that_was_noted_and_not_committed_is_carried_out_by_the_next_start() {
    let place = Place::new();
    let (library, goes, stays, links) = about_to_purge(&place);
    library.vault.note_purging(library.in_trash(goes).unwrap().blobs()).unwrap();
    drop(library);
    let library = place.open();
    assert_sound(&library, goes, stays);
    assert_erased(&place, &library, &links);
    assert!(library.vault.purging().unwrap().is_empty());
}

#[tokio::test]
async fn a_purge_that_the_catalog_refuses_changes_nothing_even_after_a_start() {
    let place = Place::new();
    let (library, goes, ..) = about_to_purge(&place);
    let before = library.vault.note_purging(library.in_trash(goes).unwrap().blobs()).unwrap();
    library.vault.take_back_purging(before).unwrap();
    drop(library);
    let library = place.open();
    assert_eq!(library.restore(&[goes]).unwrap(), [goes]);
    assert_eq!(library.read_original(goes).unwrap(), bytes_of(1));
}
