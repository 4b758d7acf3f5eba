//! Crashes, torn files, bit rot and tampering.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{
    super::{
        super::place::{Place, files_below, pattern},
        store::SealedChange,
        *,
    },
    everything, put,
};

pub(super) fn database(place: &Place) -> PathBuf {
    place.root().join("catalog")
}

pub(super) fn journal_file(place: &Place) -> PathBuf {
    let mut files = journal::files(&place.root().join("journal")).unwrap();
    assert_eq!(files.len(), 1);
    files.remove(0).1
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for file in files_below(from) {
        let target = to.join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(&file, target).unwrap();
    }
}

/// Puts the files below `saved` back as all that there is at `root`.
fn restore(saved: &Path, root: &Path) {
    let _ = fs::remove_dir_all(root);
    copy(saved, root);
}

pub(super) fn rebuilt(catalog: &Catalog) -> bool {
    match catalog.opening() {
        Opening::Rebuilt { complete, .. } => *complete,
        other => panic!("it was not rebuilt: {other:?}"),
    }
}

/// A catalog with some records in its snapshot and some only in its journal, closed; and what is in it.
fn filled(place: &Place) -> std::collections::BTreeMap<(Kind, Vec<u8>), Vec<u8>> {
    let catalog = place.catalog();
    for key in 0..40u8 {
        put(&catalog, if key % 2 == 0 { Kind::Asset } else { Kind::Face }, [key], &pattern(2000 + usize::from(key)));
    }
    catalog.snapshot().unwrap();
    for key in 30..50u8 {
        put(&catalog, Kind::Asset, [key], &[key; 500]);
    }
    let mut batch = Batch::new();
    batch.remove(Kind::Asset, [0]).remove(Kind::Face, [1]);
    catalog.commit(batch).unwrap();
    everything(&catalog)
}

#[test]
fn a_value_moved_to_another_key_or_kind_is_refused_and_repaired() {
    let place = Place::new();
    let catalog = place.catalog();
    let mut batch = Batch::new();
    batch.put(Kind::Asset, b"a", b"one").put(Kind::Asset, b"b", b"two").put(Kind::Face, b"a", b"three");
    batch.put(Kind::Person, b"a", b"four");
    catalog.commit(batch).unwrap();
    let before = everything(&catalog);
    let store = &catalog.shared.store;
    let sealed = store.get(&place_of(Kind::Asset, b"a")).unwrap();
    // Another key of its kind; a kind with the same sub-key; a kind with another.
    for (kind, key) in [(Kind::Asset, b"b"), (Kind::Event, b"a"), (Kind::Face, b"a")] {
        store.apply(&[SealedChange { place: place_of(kind, key), value: sealed.clone() }]).unwrap();
        let found = catalog.get(kind, key);
        assert!(matches!(found, Err(CatalogError::ValueDamaged { kind: named }) if named == kind), "{found:?}");
        assert!(matches!(catalog.scan(kind), Err(CatalogError::ValueDamaged { .. })));
    }
    let face = store.get(&place_of(Kind::Person, b"a")).unwrap();
    store.apply(&[SealedChange { place: place_of(Kind::Face, b"a"), value: face }]).unwrap();
    assert!(catalog.get(Kind::Face, b"a").is_err());
    // The rest goes on, and the next start repairs without a question.
    assert_eq!(catalog.get(Kind::Person, b"a").unwrap().unwrap(), b"four");
    put(&catalog, Kind::Asset, b"later", b"five");
    drop(catalog);
    let catalog = place.catalog();
    assert!(rebuilt(&catalog));
    let mut expected = before;
    expected.insert((Kind::Asset, b"later".to_vec()), b"five".to_vec());
    assert_eq!(everything(&catalog), expected);
    drop(catalog);
    assert_eq!(*place.catalog().opening(), Opening::Opened { replayed: 0 });
}

pub(super) fn place_of(kind: Kind, key: &[u8]) -> Vec<u8> {
    value::place(kind, key)
}

#[test]
fn a_damaged_value_never_gets_into_a_snapshot() {
    let place = Place::new();
    let catalog = place.catalog();
    put(&catalog, Kind::Asset, b"a", b"one");
    put(&catalog, Kind::Face, b"a", b"two");
    let at = place_of(Kind::Face, b"a");
    let mut sealed = catalog.shared.store.get(&at).unwrap().unwrap();
    sealed[30] ^= 1;
    catalog.shared.store.apply(&[SealedChange { place: at, value: Some(sealed) }]).unwrap();
    // Nobody has read it yet when the snapshot comes by.
    assert!(matches!(catalog.snapshot(), Err(CatalogError::ValueDamaged { kind: Kind::Face })));
    assert!(!catalog.shared.dir.catalog_snapshot.exists());
    drop(catalog);
    let catalog = place.catalog();
    assert!(rebuilt(&catalog));
    assert_eq!(catalog.get(Kind::Face, b"a").unwrap().unwrap(), b"two");
    catalog.snapshot().unwrap();
}

#[test]
fn the_keys_of_another_vault_are_refused_and_nothing_is_touched() {
    let (place, stranger) = (Place::new(), Place::new());
    let before = filled(&place);
    let other_keys = stranger.dir_and_keys().1;
    let files = |place: &Place| {
        let of_catalog = |path: &PathBuf| !path.starts_with(database(place)) && !path.ends_with("lock");
        let read = |path: PathBuf| (path.clone(), fs::read(path).unwrap());
        files_below(&place.root()).into_iter().filter(of_catalog).map(read).collect::<Vec<_>>()
    };
    let saved = place.outside().join("saved");
    copy(&place.root(), &saved);
    for (snapshot, database_there) in [(true, true), (true, false), (false, true), (false, false)] {
        restore(&saved, &place.root());
        if !snapshot {
            fs::remove_file(place.root().join("catalog.snapshot")).unwrap();
        }
        if !database_there {
            fs::remove_dir_all(database(&place)).unwrap();
        }
        let untouched = files(&place);
        for _ in 0..2 {
            let opened = Catalog::open(&place.dir(), &other_keys);
            assert!(matches!(opened, Err(CatalogError::WrongKey)), "{snapshot} {database_there}: {opened:?}");
            assert_eq!(files(&place), untouched);
            assert_eq!(database(&place).exists(), database_there);
        }
    }
    restore(&saved, &place.root());
    assert_eq!(everything(&place.catalog()), before);
}

#[test]
fn d1_a_lost_database_comes_back_from_snapshot_and_journal() {
    let place = Place::new();
    let before = filled(&place);
    fs::remove_dir_all(database(&place)).unwrap();
    let catalog = place.catalog();
    assert!(rebuilt(&catalog));
    assert_eq!(everything(&catalog), before);
    put(&catalog, Kind::Album, b"new", b"commit");
    drop(catalog);
    let catalog = place.catalog();
    assert_eq!(*catalog.opening(), Opening::Opened { replayed: 0 });
    assert_eq!(catalog.count(Kind::Album).unwrap(), 1);
}

/// The database's own files, damaged in many ways: whatever sled makes of it, nothing that was acknowledged is lost. Damage that shows only when a
/// record is read takes one more start.
#[test]
fn d1_a_damaged_database_is_rebuilt_without_loss() {
    let place = Place::new();
    let before = filled(&place);
    let saved = place.outside().join("saved");
    copy(&place.root(), &saved);
    let (mut as_left, mut at_once, mut after_a_read) = (0, 0, 0);
    let relative = |path: PathBuf| path.strip_prefix(&saved).unwrap().to_path_buf();
    let files: Vec<PathBuf> = files_below(&saved.join("catalog")).into_iter().map(relative).collect();
    assert!(!files.is_empty());
    for file in &files {
        let sound = fs::read(saved.join(file)).unwrap();
        let mut variants =
            vec![Vec::new(), sound[..sound.len() / 2].to_vec(), vec![0; sound.len()], pattern(sound.len())];
        for part in 0..16 {
            let (from, to) = (sound.len() * part / 16, sound.len() * (part + 1) / 16);
            let mut zeroed = sound.clone();
            zeroed[from..to].fill(0);
            let mut flipped = sound.clone();
            flipped[(from + to) / 2] ^= 0x10;
            variants.extend([zeroed, flipped]);
        }
        for (variant, bytes) in variants.into_iter().enumerate() {
            restore(&saved, &place.root());
            fs::write(place.root().join(file), bytes).unwrap();
            let context = format!("{} variant {variant}", file.display());
            let catalog = place.try_catalog().unwrap_or_else(|error| panic!("{context}: {error:?}"));
            match catalog.opening() {
                Opening::Rebuilt { complete, .. } => {
                    assert!(complete, "{context}");
                    at_once += 1;
                }
                _ => as_left += 1,
            }
            if Kind::ALL.into_iter().any(|kind| catalog.scan(kind).is_err()) {
                drop(catalog);
                let catalog = place.catalog();
                assert!(rebuilt(&catalog), "{context}");
                assert_eq!(everything(&catalog), before, "{context}");
                after_a_read += 1;
            } else {
                assert_eq!(everything(&catalog), before, "{context}: {:?}", catalog.opening());
            }
        }
    }
    println!("opened as left {as_left}, rebuilt at once {at_once}, rebuilt after a read {after_a_read}");
    assert!(at_once > 0);
}

#[test]
fn d1_something_else_under_the_name_of_the_database_is_moved_away() {
    let place = Place::new();
    let before = filled(&place);
    let saved = place.outside().join("saved");
    copy(&place.root(), &saved);
    for name in ["catalog", "catalog/db", "catalog/conf"] {
        restore(&saved, &place.root());
        // Once in the way before, so that there is something to replace.
        fs::write(place.root().join("catalog.set-aside"), b"").unwrap();
        let path = place.root().join(name);
        if path.is_dir() {
            fs::remove_dir_all(&path).unwrap();
            fs::write(&path, b"a file").unwrap();
        } else {
            fs::remove_file(&path).unwrap();
            fs::create_dir(&path).unwrap();
        }
        let catalog = place.try_catalog().unwrap_or_else(|error| panic!("{name}: {error:?}"));
        assert!(rebuilt(&catalog), "{name}");
        assert_eq!(everything(&catalog), before, "{name}");
    }
}

/// A copy of the folder while the catalog is open is what a killed process leaves.
#[test]
fn d1_every_acknowledged_commit_is_in_a_crash_image() {
    let place = Place::new();
    let catalog = place.catalog();
    for key in 0..12u8 {
        put(&catalog, Kind::Offer, [key], &[key; 64]);
        if key == 6 {
            catalog.snapshot().unwrap();
        }
        let image = Place::new();
        copy(&place.root(), &image.root());
        fs::create_dir_all(image.outside().join("config")).unwrap();
        fs::copy(place.key_file().path(), image.key_file().path()).unwrap();
        let after = image.catalog();
        assert_eq!(everything(&after), everything(&catalog), "commit {key}: {:?}", after.opening());
    }
}

#[test]
fn d1_a_database_that_fell_back_takes_the_rest_from_the_journal() {
    let place = Place::new();
    let catalog = place.catalog();
    put(&catalog, Kind::Asset, b"1", b"one");
    drop(catalog);
    let old = place.outside().join("old");
    copy(&database(&place), &old);
    let catalog = place.catalog();
    put(&catalog, Kind::Asset, b"2", b"two");
    put(&catalog, Kind::Asset, b"1", b"three");
    let before = everything(&catalog);
    drop(catalog);
    restore(&old, &database(&place));
    let catalog = place.catalog();
    assert_eq!(*catalog.opening(), Opening::Opened { replayed: 2 });
    assert_eq!(everything(&catalog), before);
    // Before the snapshot, the journal no longer leads up to it.
    catalog.snapshot().unwrap();
    put(&catalog, Kind::Asset, b"4", b"four");
    let before = everything(&catalog);
    drop(catalog);
    restore(&old, &database(&place));
    let catalog = place.catalog();
    assert!(rebuilt(&catalog));
    assert_eq!(everything(&catalog), before);
}

/// The last frame cut at every byte, or followed by rubbish: what came before it is there, and the journal goes on.
#[test]
fn d1_a_torn_tail_of_the_journal_takes_nothing_else_with_it() {
    let place = Place::new();
    let catalog = place.catalog();
    put(&catalog, Kind::Asset, b"1", b"one");
    put(&catalog, Kind::Asset, b"2", b"two");
    let two = everything(&catalog);
    drop(catalog);
    let whole_bytes = fs::metadata(journal_file(&place)).unwrap().len() as usize;
    let catalog = place.catalog();
    put(&catalog, Kind::Asset, b"3", b"never acknowledged");
    drop(catalog);
    let sound = fs::read(journal_file(&place)).unwrap();
    let mut torn: Vec<Vec<u8>> = (whole_bytes..sound.len()).map(|length| sound[..length].to_vec()).collect();
    torn.push([&sound[..whole_bytes], &[0; 4096]].concat());
    torn.push([&sound[..whole_bytes], &[0xff; 4096]].concat());
    // Room that the file system gave, and bytes that never came.
    torn.push([&sound[..whole_bytes + 12], &vec![0; sound.len() - whole_bytes - 12]].concat());
    // A commit that was replayed by somebody: the frame of an earlier one.
    torn.push([&sound[..whole_bytes], &sound[34..whole_bytes]].concat());
    for bytes in torn {
        let _ = fs::remove_dir_all(database(&place));
        fs::write(journal_file(&place), &bytes).unwrap();
        let catalog = place.catalog();
        assert!(rebuilt(&catalog));
        assert_eq!(everything(&catalog), two, "{} bytes", bytes.len());
        assert_eq!(fs::metadata(journal_file(&place)).unwrap().len() as usize, whole_bytes);
    }
    let catalog = place.catalog();
    put(&catalog, Kind::Asset, b"3", b"three");
    drop(catalog);
    fs::remove_dir_all(database(&place)).unwrap();
    assert_eq!(place.catalog().get(Kind::Asset, b"3").unwrap().unwrap(), b"three");
}

#[test]
fn a_journal_damaged_beside_a_sound_database_costs_nothing() {
    let place = Place::new();
    let before = filled(&place);
    let saved = place.outside().join("saved");
    copy(&place.root(), &saved);
    let sound = fs::read(journal_file(&place)).unwrap();
    for bytes in [Vec::new(), pattern(100), sound[..200].to_vec(), [&sound[..300], &pattern(sound.len())].concat()] {
        restore(&saved, &place.root());
        fs::write(journal_file(&place), bytes).unwrap();
        let catalog = place.catalog();
        assert_eq!(everything(&catalog), before);
        // A snapshot made up for it at once, so that the database may be lost now.
        drop(catalog);
        fs::remove_dir_all(database(&place)).unwrap();
        let catalog = place.catalog();
        assert!(rebuilt(&catalog));
        assert_eq!(everything(&catalog), before);
    }
}

#[test]
fn a_damaged_snapshot_is_set_aside_and_its_loss_is_reported() {
    let place = Place::new();
    let before = filled(&place);
    let saved = place.outside().join("saved");
    copy(&place.root(), &saved);
    let snapshot = place.root().join("catalog.snapshot");
    let length = fs::metadata(&snapshot).unwrap().len() as usize;
    for at in [3, 20, 60, 150, length / 2, length - 1] {
        restore(&saved, &place.root());
        let mut bytes = fs::read(&snapshot).unwrap();
        bytes[at] ^= 1;
        fs::write(&snapshot, &bytes).unwrap();
        // Beside a sound database it is not even read.
        assert_eq!(everything(&place.catalog()), before);
        fs::remove_dir_all(database(&place)).unwrap();
        let catalog = place.catalog();
        assert!(!rebuilt(&catalog), "byte {at}");
        assert_eq!(fs::read(place.root().join("catalog.snapshot.damaged")).unwrap(), bytes);
        assert_eq!(catalog.get(Kind::Asset, [49]).unwrap().unwrap(), [49; 500], "what the journal has is back");
        let left = everything(&catalog);
        drop(catalog);
        fs::remove_dir_all(database(&place)).unwrap();
        assert_eq!(everything(&place.catalog()), left);
    }
}

#[test]
fn files_of_a_newer_version_are_refused_and_kept() {
    let place = Place::new();
    filled(&place);
    let saved = place.outside().join("saved");
    copy(&place.root(), &saved);
    for (path, version_at) in [(journal_file(&place), 8), (place.root().join("catalog.snapshot"), 8)] {
        restore(&saved, &place.root());
        let mut bytes = fs::read(&path).unwrap();
        bytes[version_at] = 9;
        fs::write(&path, &bytes).unwrap();
        fs::remove_dir_all(database(&place)).unwrap();
        for _ in 0..2 {
            assert!(place.try_catalog().is_err(), "{}", path.display());
            assert_eq!(fs::read(&path).unwrap(), bytes, "{}", path.display());
        }
    }
}

#[test]
fn a_start_that_was_cut_short_anywhere_is_taken_up_again() {
    let place = Place::new();
    let before = filled(&place);
    let saved = place.outside().join("saved");
    copy(&place.root(), &saved);
    // While rebuilding: a database without a position, and one that was set aside before.
    fs::remove_dir_all(database(&place)).unwrap();
    drop(Store::open(&database(&place)).unwrap());
    fs::create_dir_all(place.root().join("catalog.set-aside")).unwrap();
    fs::write(place.root().join("catalog.damaged"), b"").unwrap();
    let catalog = place.catalog();
    assert!(rebuilt(&catalog));
    assert_eq!(everything(&catalog), before);
    drop(catalog);
    // While a snapshot was written: half of the new one, and a journal file without a commit.
    restore(&saved, &place.root());
    fs::write(place.root().join("catalog.snapshot.new"), pattern(1000)).unwrap();
    fs::write(place.root().join(format!("journal/{:016x}", 62)), b"IFJ").unwrap();
    let catalog = place.catalog();
    assert_eq!(everything(&catalog), before);
    put(&catalog, Kind::Album, b"next", b"");
    catalog.snapshot().unwrap();
    assert!(!place.root().join("catalog.snapshot.new").exists());
    drop(catalog);
    // At the very first start: a database without a journal.
    let fresh = Place::new();
    let (dir, _keys) = fresh.dir_and_keys();
    drop(Store::open(&dir.catalog).unwrap());
    drop(dir);
    let catalog = fresh.catalog();
    assert_eq!(*catalog.opening(), Opening::New);
    put(&catalog, Kind::Album, b"first", b"");
}

/// Nothing was promised yet, so nothing is reported as lost.
#[test]
fn d2_a_first_start_that_was_killed_while_the_database_was_made_is_a_first_start() {
    let fresh = Place::new();
    drop(fresh.catalog());
    let saved = fresh.outside().join("saved");
    copy(&fresh.root(), &saved);
    let journal = format!("journal/{:016x}", 1);
    for (file, bytes) in [("catalog/conf", &b""[..]), ("catalog/db", &[0; 20][..]), (journal.as_str(), &[0; 34][..])] {
        for database_there in [true, false] {
            restore(&saved, &fresh.root());
            fs::write(fresh.root().join(file), bytes).unwrap();
            if !database_there {
                fs::remove_dir_all(database(&fresh)).unwrap();
            }
            let catalog = fresh.catalog();
            let opening = catalog.opening();
            assert!(matches!(opening, Opening::New | Opening::Opened { replayed: 0 }), "{file}: {opening:?}");
            put(&catalog, Kind::Album, b"first", b"");
            drop(catalog);
            assert_eq!(fresh.catalog().count(Kind::Album).unwrap(), 1, "{file}");
        }
    }
    // A commit that may have been made is reported, even if its journal is damaged from the beginning.
    let journal = fresh.root().join(journal);
    fs::remove_dir_all(database(&fresh)).unwrap();
    fs::write(&journal, vec![0; fs::read(&journal).unwrap().len()]).unwrap();
    assert!(matches!(fresh.catalog().opening(), Opening::Rebuilt { complete: false, .. }));
}
