//! What may be left of a small recording, case by case.

use super::*;

/// A file 1 in the root, named `a` and then `b`, as a careful program makes it.
fn careful() -> Recording {
    let names = |changes: &[(&str, Option<Node>)]| {
        Operation::Names(changes.iter().map(|(name, node)| (0, OsString::from(name), *node)).collect())
    };
    Recording {
        operations: vec![
            names(&[("a", Some(1))]),
            Operation::Write { node: 1, at: 0, bytes: vec![7; 10_000] },
            Operation::SyncFile { node: 1, begun: 2 },
            names(&[("a", None), ("b", Some(1))]),
            Operation::SyncFolder { node: 0, begun: 4 },
            Operation::Said(b"done".to_vec()),
        ],
        labels: vec![String::new(); 6],
        folders: vec![true, false],
    }
}

fn states(recording: &Recording, played: usize) -> BTreeMap<[u8; 32], State> {
    let mut disk = Disk::new(recording);
    disk.play_to(played);
    let mut dice = Dice::of(1, "states");
    let all = (0..60).flat_map(|_| Loss::ALL).map(|loss| disk.after(loss, &mut dice));
    all.map(|state| (state.fingerprint(), state)).collect()
}

#[test]
fn what_was_synced_is_there_whatever_happens() {
    let recording = careful();
    let after: Vec<State> = states(&recording, 6).into_values().collect();
    assert_eq!(after.len(), 1);
    assert_eq!(after[0].files(), BTreeMap::from([(PathBuf::from("b"), [7; 10_000].as_slice())]));
    let mut disk = Disk::new(&recording);
    disk.play_to(5);
    assert!(disk.said().is_empty());
    disk.play_to(6);
    assert_eq!(disk.said(), b"done");
}

#[test]
fn what_was_not_synced_may_be_there_or_not_or_in_part() {
    let recording = careful();
    let lengths: BTreeSet<Option<usize>> =
        states(&recording, 2).values().map(|state| state.files().values().next().map(|bytes| bytes.len())).collect();
    assert!(lengths.contains(&None), "the name lost");
    assert!(lengths.contains(&Some(0)), "all bytes lost");
    assert!(lengths.contains(&Some(10_000)), "nothing lost");
    assert!(lengths.iter().flatten().any(|length| length % SECTOR_BYTES == 0 && *length > 0), "torn: {lengths:?}");
    let holes = states(&recording, 2)
        .into_values()
        .any(|state| state.files().values().any(|bytes| bytes.contains(&0) && bytes.contains(&7)));
    assert!(holes, "pages missing in the middle");
}

#[test]
fn a_rename_happens_as_a_whole_or_not_at_all() {
    let recording = careful();
    let names: BTreeSet<Vec<PathBuf>> =
        states(&recording, 4).values().map(|state| state.files().into_keys().collect()).collect();
    let one = |name: &str| vec![PathBuf::from(name)];
    // Both at once only where the older name is lost together with the rename; then neither is there.
    assert_eq!(names, BTreeSet::from([vec![], one("a"), one("b")]));
}

#[test]
fn a_sync_covers_only_what_came_before_it_began() {
    let mut recording = careful();
    recording.operations[2] = Operation::SyncFile { node: 1, begun: 1 };
    let lost = states(&recording, 6).into_values().any(|state| state.files()[Path::new("b")].is_empty());
    assert!(lost, "a write during the sync may be lost");
}

#[test]
fn a_state_is_written_as_it_is() {
    let recording = careful();
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().join("state");
    fs::create_dir(&at).unwrap();
    fs::write(at.join("left over"), b"from before").unwrap();
    for state in states(&recording, 6).values() {
        state.write_to(&at).unwrap();
        assert_eq!(fs::read(at.join("b")).unwrap(), [7; 10_000]);
        assert_eq!(fs::read_dir(&at).unwrap().count(), 1);
    }
}
