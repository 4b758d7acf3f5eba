//! Files of a newer version: refused in words that say what to do, and left as they are.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::place::{Place, files_below, pattern};
use super::{Batch, BlobError, BlobKind, CatalogError, Kind, Vault};
use crate::data_dir::{DataDir, FORMAT, format_line};

/// Every file of the data folder and its bytes. The database is an index that is made again at any time: opening it may already write to it.
fn bytes_of(place: &Place, with_database: bool) -> Vec<(PathBuf, Vec<u8>, u32)> {
    let all = files_below(&place.root()).into_iter();
    all.filter(|path| with_database || !path.starts_with(place.root().join("catalog")))
        .map(|path| (path.clone(), fs::read(&path).unwrap(), fs::metadata(&path).unwrap().permissions().mode()))
        .collect()
}

fn used() -> Place {
    let place = Place::new();
    let vault = place.vault();
    let id = vault.blobs().put(BlobKind::Original, b"a photo", &pattern(1_000)).unwrap();
    let mut batch = Batch::new();
    batch.put(Kind::Asset, id.as_bytes(), b"row".to_vec());
    vault.catalog().commit(batch).unwrap();
    vault.settle().unwrap();
    place
}

fn patch(path: &Path, at: usize, byte: u8) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] = byte;
    fs::write(path, bytes).unwrap();
}

fn says_what_to_do(error: &dyn std::error::Error) -> bool {
    let mut error = Some(error);
    while let Some(one) = error {
        let words = one.to_string();
        if words.contains("newer version of inframe") && words.contains("install that version or a later one") {
            return true;
        }
        error = one.source();
    }
    false
}

#[test]
fn a_folder_whose_format_is_newer_is_refused_before_a_byte_of_it_is_changed() {
    let place = used();
    fs::write(place.root().join("format"), format_line(FORMAT + 1)).unwrap();
    let before = bytes_of(&place, true);
    let refused = DataDir::open(place.root()).unwrap_err();
    assert!(says_what_to_do(&refused), "{refused}");
    assert_eq!(bytes_of(&place, true), before);
    // The version that is named reads it again.
    fs::write(place.root().join("format"), format_line(FORMAT)).unwrap();
    place.vault();
}

#[test]
fn an_older_folder_without_a_format_gets_one() {
    let place = used();
    for text in [None, Some(""), Some("inframe vault 0 00000000\n")] {
        let path = place.root().join("format");
        text.map_or_else(|| fs::remove_file(&path).unwrap(), |text| fs::write(&path, text).unwrap());
        place.vault();
        assert_eq!(fs::read_to_string(&path).unwrap(), format_line(FORMAT));
    }
}

/// Each part has a version of its own as well, for files that come one by one, as from a backup.
#[test]
fn parts_of_a_newer_version_are_refused_and_stay_as_they_are() {
    let snapshot = |place: &Place| place.root().join("catalog.snapshot");
    let journal = |place: &Place| files_below(&place.root().join("journal")).pop().unwrap();
    let slots = |place: &Place, name: &str| {
        let path = place.root().join(name);
        let mut bytes = fs::read(&path).unwrap();
        bytes[8] = 2;
        let content = bytes.len() - 32;
        let sum = blake3::hash(&bytes[..content]);
        bytes[content..].copy_from_slice(sum.as_bytes());
        fs::write(path, bytes).unwrap();
    };
    let lost_database = |place: &Place| fs::remove_dir_all(place.root().join("catalog")).unwrap();
    type Make<'a> = &'a dyn Fn(&Place);
    let cases: [(&str, Make); 4] = [
        ("key slots", &|place| {
            slots(place, "key-slots");
            slots(place, "key-slots.copy");
        }),
        ("one copy of the key slots", &|place| slots(place, "key-slots")),
        ("journal", &|place| patch(&journal(place), 8, 2)),
        ("snapshot", &|place| {
            patch(&snapshot(place), 8, 2);
            lost_database(place);
        }),
    ];
    for (what, make) in cases {
        let place = used();
        make(&place);
        let before = bytes_of(&place, false);
        let dir = place.dir();
        let refused = Vault::open(&dir, &place.key_file()).map(drop).unwrap_err();
        assert!(says_what_to_do(&refused), "{what}: {refused}");
        drop(dir);
        let after = bytes_of(&place, false);
        let kept = before.iter().all(|file| after.contains(file));
        assert!(kept, "{what}: something was changed");
    }
}

#[test]
fn a_blob_and_a_record_of_a_newer_version_are_told_and_kept() {
    let place = used();
    let blob = files_below(&place.root().join("blobs")).pop().unwrap();
    let sound = fs::read(&blob).unwrap();
    patch(&blob, 8, 2);
    let vault = place.vault();
    let id = blob.file_name().unwrap().to_str().unwrap().parse().unwrap();
    let refused = vault.blobs().read(id).map(drop).unwrap_err();
    assert!(matches!(refused, BlobError::NewerVersion { .. }) && says_what_to_do(&refused), "{refused}");
    let mut batch = Batch::new();
    batch.put(Kind::Settings, b"settings", vec![2, 1, 2, 3]);
    vault.catalog().commit(batch).unwrap();
    let refused = vault.catalog().get_as::<u8>(Kind::Settings, b"settings").map(drop).unwrap_err();
    assert!(matches!(refused, CatalogError::NewerValue { version: 2, .. }) && says_what_to_do(&refused), "{refused}");
    drop(vault);
    patch(&blob, 8, 1);
    assert_eq!(fs::read(&blob).unwrap(), sound, "not a byte of it was changed");
    assert_eq!(*place.vault().blobs().read(id).unwrap(), pattern(1_000));
}
