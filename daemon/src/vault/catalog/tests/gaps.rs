//! Several journal files, and what is missing among them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{
    super::{
        super::place::{Place, files_below},
        store::SealedChange,
        *,
    },
    damage::{database, journal_file, place_of, rebuilt},
    everything, put,
};

/// Three journal files, as when the process was killed before it could trim them.
fn three_files(place: &Place) -> Vec<PathBuf> {
    let (dir, keys) = place.dir_and_keys();
    let values = ValueKeys::new(&keys);
    for (first, value) in [(1, b"one"), (4, b"two"), (7, b"six")] {
        let mut journal = Journal::begin(&dir.catalog_journal, values.journal(), first).unwrap();
        for number in first..first + 3 {
            let changes = [number, 100].map(|key| {
                let at = place_of(Kind::Asset, &key.to_be_bytes());
                let value = Some(values.seal(Kind::Asset, &at, value).unwrap());
                SealedChange { place: at, value }
            });
            journal.append(number, &changes).unwrap();
        }
    }
    journal::files(&dir.catalog_journal).unwrap().into_iter().map(|(_, path)| path).collect()
}

#[test]
fn journal_files_that_follow_each_other_are_one() {
    let place = Place::new();
    three_files(&place);
    let catalog = place.catalog();
    assert!(rebuilt(&catalog));
    assert_eq!(catalog.count(Kind::Asset).unwrap(), 10);
    assert_eq!(catalog.get(Kind::Asset, 100u64.to_be_bytes()).unwrap().unwrap(), b"six");
}

/// Damage before the end of the journal, with the database lost too: what can be had is had, the loss is said, and nothing that is older or newer
/// is ever mixed in by a later start.
#[test]
fn a_gap_in_the_journal_is_reported_and_never_filled_with_something_else() {
    type Damage = fn(&Path);
    let cut: Damage = |path| fs::write(path, &fs::read(path).unwrap()[..80]).unwrap();
    let remove: Damage = |path| fs::remove_file(path).unwrap();
    let behead: Damage = |path| fs::write(path, b"IF").unwrap();
    for (damage, file, expected) in
        [(cut, 1, 7), (remove, 1, 7), (behead, 1, 7), (cut, 0, 7), (remove, 0, 7), (behead, 0, 7)]
    {
        let place = Place::new();
        damage(&three_files(&place)[file]);
        let catalog = place.catalog();
        assert!(!rebuilt(&catalog), "file {file}");
        assert_eq!(catalog.count(Kind::Asset).unwrap(), expected, "file {file}");
        assert_eq!(catalog.get(Kind::Asset, 100u64.to_be_bytes()).unwrap().unwrap(), b"six", "the last word counts");
        for key in 20..25u64 {
            put(&catalog, Kind::Asset, key.to_be_bytes(), b"new");
        }
        put(&catalog, Kind::Asset, 100u64.to_be_bytes(), b"new");
        let before = everything(&catalog);
        drop(catalog);
        journal_file(&place);
        fs::remove_dir_all(database(&place)).unwrap();
        let catalog = place.catalog();
        assert!(rebuilt(&catalog), "what was told once is over");
        assert_eq!(everything(&catalog), before);
    }
}

/// The same where the last file has no commit yet, so that nothing in it tells of the gap.
#[test]
fn an_empty_journal_file_after_a_gap_does_not_outlive_it() {
    let place = Place::new();
    let files = three_files(&place);
    fs::remove_file(&files[1]).unwrap();
    let head = fs::read(&files[2]).unwrap()[..34].to_vec();
    fs::write(&files[2], head).unwrap();
    let catalog = place.catalog();
    assert!(!rebuilt(&catalog));
    assert_eq!(catalog.count(Kind::Asset).unwrap(), 4);
    // Beyond the number that the empty file began with.
    for key in 20..30u64 {
        put(&catalog, Kind::Asset, key.to_be_bytes(), b"new");
    }
    let before = everything(&catalog);
    drop(catalog);
    fs::remove_dir_all(database(&place)).unwrap();
    let catalog = place.catalog();
    assert!(rebuilt(&catalog));
    assert_eq!(everything(&catalog), before);
}

/// Everything but the database itself, which writes when it is opened.
fn files_besides_the_database(place: &Place) -> Vec<(PathBuf, Vec<u8>)> {
    let files = files_below(&place.root()).into_iter();
    let kept = files.filter(|path| !path.starts_with(place.root().join("catalog")));
    kept.map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

#[test]
fn a_database_of_a_newer_format_is_refused_and_not_built_anew() {
    let place = Place::new();
    let catalog = place.catalog();
    put(&catalog, Kind::Asset, b"a", b"1");
    catalog.snapshot().unwrap();
    let plain = [2_u16.to_le_bytes().as_slice(), &1_u64.to_le_bytes()].concat();
    let position = b"\0position".to_vec();
    let value = catalog.shared.values.seal(Kind::Settings, &position, &plain).unwrap();
    catalog.shared.store.apply(&[SealedChange { place: position, value: Some(value) }]).unwrap();
    drop(catalog);
    let before = files_besides_the_database(&place);
    for _ in 0..2 {
        let refused = place.try_catalog().map(drop).unwrap_err();
        assert!(matches!(refused, CatalogError::NewerFormat { version: 2 }), "{refused}");
        assert!(refused.to_string().contains("install that version or a later one"));
        assert!(!place.root().join("catalog.set-aside").exists(), "it is not damaged");
        assert_eq!(files_besides_the_database(&place), before);
    }
}
