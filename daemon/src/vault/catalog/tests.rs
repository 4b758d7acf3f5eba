//! What the catalog promises as long as the disk keeps its word; `damage` and `gaps` are about the rest.

mod damage;
mod gaps;

use std::{
    collections::BTreeMap,
    sync::{
        Barrier,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::{super::place::Place, *};
use crate::limits::{
    MAX_CATALOG_BATCH_BYTES, MAX_CATALOG_BATCH_CHANGES, MAX_CATALOG_KEY_BYTES, MAX_CATALOG_VALUE_BYTES,
};

fn put(catalog: &Catalog, kind: Kind, key: impl AsRef<[u8]>, value: &[u8]) {
    let mut batch = Batch::new();
    batch.put(kind, key, value);
    catalog.commit(batch).unwrap();
}

/// Everything in the catalog.
fn everything(catalog: &Catalog) -> BTreeMap<(Kind, Vec<u8>), Vec<u8>> {
    let scan = |kind| catalog.scan(kind).unwrap().into_iter().map(move |(key, value)| ((kind, key), value));
    Kind::ALL.into_iter().flat_map(scan).collect()
}

#[test]
fn a_batch_over_several_kinds_happens_in_order_and_survives_restarts() {
    let place = Place::new();
    let catalog = place.catalog();
    assert_eq!(*catalog.opening(), Opening::New);
    let mut batch = Batch::new();
    batch.put(Kind::Asset, b"a", b"1").put(Kind::Face, b"a", b"2").put(Kind::Asset, b"b", b"3");
    batch.put(Kind::Asset, b"a", b"4").remove(Kind::Asset, b"b").remove(Kind::Event, b"never there");
    let mut more = Batch::new();
    more.put(Kind::Settings, [], b"");
    batch.extend(more);
    assert_eq!((batch.len(), batch.is_empty()), (7, false));
    assert_eq!(format!("{batch:?}"), "Batch { changes: 7, .. }");
    catalog.commit(batch).unwrap();
    let check = |catalog: &Catalog| {
        assert_eq!(catalog.get(Kind::Asset, b"a").unwrap().unwrap(), b"4");
        assert_eq!(catalog.get(Kind::Face, b"a").unwrap().unwrap(), b"2");
        assert_eq!(catalog.get(Kind::Settings, []).unwrap().unwrap(), b"");
        assert!(!catalog.contains(Kind::Asset, b"b").unwrap() && catalog.contains(Kind::Asset, b"a").unwrap());
        assert_eq!(everything(catalog).len(), 3);
    };
    check(&catalog);
    drop(catalog);
    for _ in 0..2 {
        let catalog = place.catalog();
        assert_eq!(*catalog.opening(), Opening::Opened { replayed: 0 });
        check(&catalog);
    }
}

#[test]
fn typed_values_are_read_strictly() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Row {
        name: String,
        count: u32,
    }
    let place = Place::new();
    let catalog = place.catalog();
    let row = Row { name: "x".to_owned(), count: 300 };
    let mut batch = Batch::new();
    batch.put_as(Kind::Album, b"1", &row).unwrap();
    let mut newer = value::encode(Kind::Album, &row).unwrap();
    newer[0] = 2;
    batch.put(Kind::Event, b"newer", newer);
    let longer = [value::encode(Kind::Album, &row).unwrap(), vec![0]].concat();
    batch.put(Kind::Event, b"longer", longer).put(Kind::Event, b"empty", b"").put(Kind::Event, b"cut", [1, 1]);
    catalog.commit(batch).unwrap();
    let get = |key: &[u8]| catalog.get_as::<Row>(Kind::Event, key);
    assert_eq!(catalog.get_as::<Row>(Kind::Album, b"1").unwrap().unwrap(), row);
    assert_eq!(catalog.scan_as::<Row>(Kind::Album).unwrap(), [(b"1".to_vec(), row)]);
    assert!(get(b"none").unwrap().is_none());
    assert!(matches!(get(b"newer"), Err(CatalogError::NewerValue { kind: Kind::Event, version: 2 })));
    for key in [b"longer".as_slice(), b"empty", b"cut"] {
        assert!(matches!(get(key), Err(CatalogError::Decode { kind: Kind::Event, .. })), "{key:?}");
    }
    // None of it is damage: the next start must not rebuild because of it.
    assert!(!catalog.shared.dir.catalog_damaged.exists());
}

#[test]
fn pages_and_prefixes_stay_within_their_kind() {
    let place = Place::new();
    let catalog = place.catalog();
    let mut batch = Batch::new();
    for key in 0..10u8 {
        batch.put(Kind::Activity, [key], [key]);
    }
    // Neighbours on both sides, and the key that sorts last.
    batch.put(Kind::Delivery, [255, 255], b"").put(Kind::Settings, [0], b"").put(Kind::Activity, [255, 255], [99]);
    batch.put(Kind::Face, [1, 1], b"").put(Kind::Face, [1, 255], b"").put(Kind::Face, [2], b"");
    catalog.commit(batch).unwrap();
    let keys = |records: Vec<Record>| records.into_iter().map(|(key, _)| key[0]).collect::<Vec<_>>();
    let after = |key: Option<&[u8]>, limit| keys(catalog.page_after(Kind::Activity, key, limit).unwrap());
    let before = |key: Option<&[u8]>, limit| keys(catalog.page_before(Kind::Activity, key, limit).unwrap());
    assert_eq!(after(None, 3), [0, 1, 2]);
    assert_eq!(after(Some(&[2]), 3), [3, 4, 5]);
    assert_eq!(after(Some(&[8]), 9), [9, 255]);
    assert!(after(Some(&[255, 255]), 9).is_empty() && after(None, 0).is_empty());
    assert_eq!(before(None, 3), [255, 9, 8]);
    assert_eq!(before(Some(&[9]), 2), [8, 7]);
    assert!(before(Some(&[0]), 2).is_empty() && before(Some(&[]), 2).is_empty());
    assert_eq!(catalog.last(Kind::Activity).unwrap().unwrap().1, [99]);
    assert!(catalog.last(Kind::Album).unwrap().is_none());
    assert_eq!((catalog.count(Kind::Activity).unwrap(), catalog.count(Kind::Album).unwrap()), (11, 0));
    assert_eq!(catalog.scan_prefix(Kind::Face, [1]).unwrap().len(), 2);
    assert_eq!(catalog.scan_prefix(Kind::Activity, [255]).unwrap().len(), 1);
}

#[test]
fn d7_what_is_too_large_is_refused_and_changes_nothing() {
    let place = Place::new();
    let catalog = place.catalog();
    let refused = |batch: Batch| {
        let outcome = catalog.commit(batch);
        assert!(matches!(outcome, Err(CatalogError::TooLarge { .. })), "{outcome:?}");
    };
    let with = |key: usize, value: usize| {
        let mut batch = Batch::new();
        batch.put(Kind::Event, b"beside", b"").put(Kind::Asset, vec![1; key], vec![2; value]);
        batch
    };
    refused(with(MAX_CATALOG_KEY_BYTES + 1, 0));
    refused(with(1, MAX_CATALOG_VALUE_BYTES + 1));
    let mut many = Batch::new();
    for _ in 0..=MAX_CATALOG_BATCH_CHANGES {
        many.remove(Kind::Asset, b"x");
    }
    refused(many);
    let mut heavy = Batch::new();
    for key in 0..=(MAX_CATALOG_BATCH_BYTES / MAX_CATALOG_VALUE_BYTES) as u8 {
        heavy.put(Kind::Asset, [key], vec![0; MAX_CATALOG_VALUE_BYTES]);
    }
    refused(heavy);
    assert!(everything(&catalog).is_empty());
    catalog.commit(with(MAX_CATALOG_KEY_BYTES, MAX_CATALOG_VALUE_BYTES)).unwrap();
    drop(catalog);
    std::fs::remove_dir_all(place.root().join("catalog")).unwrap();
    let catalog = place.catalog();
    let value = catalog.get(Kind::Asset, vec![1; MAX_CATALOG_KEY_BYTES]).unwrap().unwrap();
    assert_eq!(value.len(), MAX_CATALOG_VALUE_BYTES, "the largest value goes through the journal");
}

#[test]
fn decisions_happen_one_after_the_other_and_may_refuse() {
    let place = Place::new();
    let catalog = place.catalog();
    let count = |catalog: &Catalog| catalog.get_as::<u32>(Kind::Budget, b"n").unwrap().unwrap_or(0);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..20 {
                    catalog
                        .update(|catalog, batch| {
                            batch.put_as(Kind::Budget, b"n", &(count(catalog) + 1))?;
                            Ok::<_, CatalogError>(())
                        })
                        .unwrap();
                }
            });
        }
    });
    assert_eq!(count(&catalog), 160);
    let refused = catalog.update(|_, batch| {
        batch.put(Kind::Budget, b"n", b"");
        Err::<(), _>(CatalogError::DiskFull)
    });
    assert!(matches!(refused, Err(CatalogError::DiskFull)));
    assert_eq!(count(&catalog), 160);
    let nothing: Result<u8, CatalogError> = catalog.update(|_, _| Ok(7));
    assert_eq!(nothing.unwrap(), 7);
    catalog.commit(Batch::new()).unwrap();
    drop(catalog);
    assert_eq!(count(&place.catalog()), 160);
}

#[test]
fn concurrent_writers_share_the_journal_and_all_are_there_after_a_rebuild() {
    let place = Place::new();
    let catalog = place.catalog();
    let together = Barrier::new(8);
    thread::scope(|scope| {
        for writer in 0..8u8 {
            let (catalog, together) = (&catalog, &together);
            scope.spawn(move || {
                for round in 0..25u8 {
                    together.wait();
                    put(catalog, Kind::Offer, [writer, round], &[round; 100]);
                    assert_eq!(catalog.get(Kind::Offer, [writer, round]).unwrap().unwrap(), [round; 100]);
                }
            });
        }
    });
    catalog.settle().unwrap();
    let before = everything(&catalog);
    assert_eq!(before.len(), 200);
    drop(catalog);
    // The journal alone must suffice.
    std::fs::remove_dir_all(place.root().join("catalog")).unwrap();
    let catalog = place.catalog();
    assert!(matches!(catalog.opening(), Opening::Rebuilt { replayed: 200, complete: true, .. }));
    assert_eq!(everything(&catalog), before);
}

#[test]
fn nobody_sees_half_of_a_batch() {
    let place = Place::new();
    let catalog = place.catalog();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut seen = 0;
            while !done.load(Ordering::Relaxed) {
                let values = catalog.scan(Kind::Match).unwrap();
                assert!(values.windows(2).all(|pair| pair[0].1 == pair[1].1), "{values:?}");
                seen += values.len();
            }
            seen
        });
        for round in 0..60u8 {
            let mut batch = Batch::new();
            for key in 0..20u8 {
                batch.put(Kind::Match, [key], [round]);
            }
            catalog.commit(batch).unwrap();
        }
        done.store(true, Ordering::Relaxed);
        assert!(reader.join().unwrap() > 0);
    });
}

#[test]
fn a_snapshot_trims_the_journal_and_loses_nothing() {
    let place = Place::new();
    let catalog = place.catalog();
    let journal = catalog.shared.dir.catalog_journal.clone();
    for key in 0..50u8 {
        put(&catalog, Kind::Asset, [key], &[key; 1000]);
    }
    assert!(!catalog.snapshot_if_due().unwrap());
    let before = everything(&catalog);
    catalog.snapshot().unwrap();
    let files = journal::files(&journal).unwrap();
    assert_eq!(files.iter().map(|(first, _)| *first).collect::<Vec<_>>(), [51]);
    let snapshot = std::fs::read(&catalog.shared.dir.catalog_snapshot).unwrap();
    catalog.snapshot().unwrap();
    assert_eq!(std::fs::read(&catalog.shared.dir.catalog_snapshot).unwrap(), snapshot, "nothing new, nothing written");
    put(&catalog, Kind::Asset, [0], b"later");
    drop(catalog);
    std::fs::remove_dir_all(place.root().join("catalog")).unwrap();
    let catalog = place.catalog();
    assert!(matches!(catalog.opening(), Opening::Rebuilt { records: 50, replayed: 1, complete: true, .. }));
    let mut expected = before;
    expected.insert((Kind::Asset, vec![0]), b"later".to_vec());
    assert_eq!(everything(&catalog), expected);
}

#[test]
fn a_journal_that_nobody_trims_is_trimmed_by_the_commit_itself() {
    let place = Place::new();
    let (dir, keys) = place.dir_and_keys();
    let catalog = Catalog::open_with(&dir, &keys, 20_000).unwrap();
    thread::scope(|scope| {
        for writer in 0..4u8 {
            let catalog = &catalog;
            scope.spawn(move || {
                for round in 0..30u8 {
                    put(catalog, Kind::Asset, [writer, round], &[round; 1000]);
                }
            });
        }
    });
    assert!(dir.catalog_snapshot.exists());
    let files = journal::files(&dir.catalog_journal).unwrap();
    assert_eq!(files.len(), 1);
    assert!(std::fs::metadata(&files[0].1).unwrap().len() < 30_000);
    let before = everything(&catalog);
    assert_eq!(before.len(), 120);
    drop((catalog, dir));
    std::fs::remove_dir_all(place.root().join("catalog")).unwrap();
    assert_eq!(everything(&place.catalog()), before);
}

#[test]
fn d1_after_a_failed_write_nothing_more_is_promised() {
    let place = Place::new();
    let catalog = place.catalog();
    put(&catalog, Kind::Asset, b"before", b"1");
    // A file that refuses to be written, as a disk that went read-only does.
    let journal = journal::files(&catalog.shared.dir.catalog_journal).unwrap().remove(0).1;
    catalog.writer().journal.file = Arc::new(std::fs::File::open(journal).unwrap());
    let commit = |key: &[u8]| {
        let mut batch = Batch::new();
        batch.put(Kind::Asset, key, b"2");
        catalog.commit(batch)
    };
    assert!(matches!(commit(b"failed"), Err(CatalogError::Stopped)));
    assert!(matches!(commit(b"later"), Err(CatalogError::Stopped)));
    // What was durable before still is, and may be kept.
    catalog.snapshot().unwrap();
    assert!(matches!(commit(b"still later"), Err(CatalogError::Stopped)));
    assert_eq!(catalog.get(Kind::Asset, b"before").unwrap().unwrap(), b"1");
    drop(catalog);
    assert_eq!(everything(&place.catalog()).len(), 1);
}

#[test]
fn d1_a_commit_that_cannot_be_synced_is_not_acknowledged_and_none_after_it() {
    let place = Place::new();
    let catalog = place.catalog();
    put(&catalog, Kind::Asset, b"before", b"1");
    // The kernel refuses to sync this one, as it does after the disk has lost a page.
    catalog.shared.sync.turn_to(Arc::new(std::fs::File::open("/dev/null").unwrap()));
    let outcomes: Vec<_> = thread::scope(|scope| {
        let commit = |key: u8| {
            let catalog = &catalog;
            move || {
                let mut batch = Batch::new();
                batch.put(Kind::Asset, [key], b"2");
                catalog.commit(batch)
            }
        };
        let writers: Vec<_> = (0..6).map(|key| scope.spawn(commit(key))).collect();
        writers.into_iter().map(|writer| writer.join().unwrap()).collect()
    });
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Err(CatalogError::Stopped))), "{outcomes:?}");
    assert!(matches!(catalog.settle(), Err(CatalogError::Stopped)));
    // Not even by a snapshot, which would make it look as if they had been promised.
    assert!(matches!(catalog.snapshot(), Err(CatalogError::Stopped)));
    assert!(!catalog.shared.dir.catalog_snapshot.exists());
    drop(catalog);
    let catalog = place.catalog();
    assert_eq!(catalog.get(Kind::Asset, b"before").unwrap().unwrap(), b"1");
    put(&catalog, Kind::Asset, b"after", b"3");
}

#[derive(Clone, Debug)]
enum Step {
    Commit(Vec<(Kind, u8, Option<u8>)>),
    Snapshot,
    Restart,
    Rebuild,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let kind = prop_oneof![Just(Kind::Asset), Just(Kind::Face)];
    let change = (kind, 0..4u8, prop::option::of(any::<u8>()));
    let step = prop_oneof![
        6 => prop::collection::vec(change, 1..5).prop_map(Step::Commit),
        1 => Just(Step::Snapshot),
        1 => Just(Step::Restart),
        1 => Just(Step::Rebuild),
    ];
    prop::collection::vec(step, 1..16)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    /// Commits, snapshots, restarts and losses of the database in any order: the catalog is what a map in memory is.
    #[test]
    fn agrees_with_a_map_in_memory(steps in steps()) {
        let place = Place::new();
        let mut catalog = Some(place.catalog());
        let mut model = BTreeMap::new();
        for step in steps {
            match step {
                Step::Commit(changes) => {
                    let mut batch = Batch::new();
                    for (kind, key, value) in changes {
                        match value {
                            Some(value) => {
                                batch.put(kind, [key], [value]);
                                model.insert((kind, vec![key]), vec![value]);
                            }
                            None => {
                                batch.remove(kind, [key]);
                                model.remove(&(kind, vec![key]));
                            }
                        }
                    }
                    catalog.as_ref().unwrap().commit(batch).unwrap();
                }
                Step::Snapshot => catalog.as_ref().unwrap().snapshot().unwrap(),
                Step::Restart | Step::Rebuild => {
                    drop(catalog.take());
                    if matches!(step, Step::Rebuild) {
                        std::fs::remove_dir_all(place.root().join("catalog")).unwrap();
                    }
                    catalog = Some(place.catalog());
                }
            }
            prop_assert_eq!(&everything(catalog.as_ref().unwrap()), &model);
        }
    }
}
