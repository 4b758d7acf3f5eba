//! The chain: what it notices, and that it goes on.

use std::thread;

use super::*;
use crate::data_dir::DataDir;
use crate::vault::KeyFile;

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn vault(&self) -> Vault {
        let dir = DataDir::open(self.0.path().join("data")).unwrap();
        Vault::open(&dir, &KeyFile::at(self.0.path().join("key"))).unwrap()
    }

    fn activity(&self) -> Activity {
        Activity::open(self.vault(), Live::default()).unwrap()
    }

    /// A log of `count` entries, closed; then the vault that it is in, for whoever has the key and means ill.
    fn filled(&self, count: u32) -> Vault {
        let activity = self.activity();
        for number in 1..=count {
            activity.note(ActivityKind::Left, format!("Photo {number} left."), None, None).unwrap();
        }
        assert_eq!(activity.verify().unwrap(), []);
        drop(activity);
        self.vault()
    }
}

fn entry(vault: &Vault, seq: u64) -> Entry {
    entry_at(vault, &seq.to_be_bytes()).unwrap().unwrap()
}

fn replace(vault: &Vault, seq: u64, entry: &Entry) {
    let mut batch = Batch::default();
    batch.put_as(Kind::Activity, seq.to_be_bytes(), entry).unwrap();
    vault.catalog().commit(batch).unwrap();
}

fn remove(vault: &Vault, seqs: &[u64]) {
    let mut batch = Batch::default();
    for seq in seqs {
        batch.remove(Kind::Activity, seq.to_be_bytes());
    }
    vault.catalog().commit(batch).unwrap();
}

/// Opens the log: the faults must be these, noted as suspicious at this start and not again at the next, and the log must go on.
fn noted_once(place: &Place, vault: Vault, expected: &[ChainFault]) {
    noted_once_as(place, vault, &expected[0], expected);
}

/// As above, where the note says something else than what is to be seen once it was written.
fn noted_once_as(place: &Place, vault: Vault, told: &ChainFault, expected: &[ChainFault]) {
    drop(vault);
    let activity = place.activity();
    let newest = activity.read(None, 1).unwrap().remove(0);
    assert_eq!(newest.kind, "suspicious", "{newest:?}");
    assert!(newest.text.contains(&told.to_string()), "{newest:?}");
    assert_eq!(activity.verify().unwrap(), expected);
    activity.note(ActivityKind::Arrived, "A photo arrived.".into(), None, None).unwrap();
    drop(activity);
    let activity = place.activity();
    assert_eq!(activity.read(None, 1).unwrap()[0].kind, "arrived", "it is told once");
    assert_eq!(activity.verify().unwrap(), expected, "it is not forgotten");
}

#[test]
fn d4_a_whole_log_raises_no_suspicion_over_restarts() {
    let place = Place::new();
    for restart in 0..3u64 {
        let activity = place.activity();
        assert_eq!(activity.verify().unwrap(), []);
        assert_eq!(activity.read(None, 100).unwrap().len() as u64, 2 * restart);
        for kind in [ActivityKind::Left, ActivityKind::Consent] {
            activity.note(kind, "x".into(), Some("a".into()), Some("e".into())).unwrap();
        }
        assert_eq!(activity.verify().unwrap(), []);
    }
    let activity = place.activity();
    let all = activity.read(None, 100).unwrap();
    assert_eq!(all.iter().map(|view| view.seq).collect::<Vec<_>>(), [6, 5, 4, 3, 2, 1]);
    assert_eq!((all[0].kind.as_str(), all[1].kind.as_str()), ("consent", "left"));
    assert_eq!((all[0].asset.as_deref(), all[0].event.as_deref()), (Some("a"), Some("e")));
    let page = activity.read(Some(4), 2).unwrap();
    assert_eq!(page.iter().map(|view| view.seq).collect::<Vec<_>>(), [3, 2]);
    assert!(activity.read(Some(1), 9).unwrap().is_empty() && activity.read(Some(0), 9).unwrap().is_empty());
}

#[test]
fn d4_every_changed_field_of_an_entry_is_noticed() {
    let changes: [fn(&mut Entry); 6] = [
        |entry| entry.text = "Nothing happened.".into(),
        |entry| entry.at += 1,
        |entry| entry.kind = ActivityKind::Arrived,
        |entry| entry.asset = Some(String::new()),
        |entry| entry.event = Some("e".into()),
        |entry| entry.previous[31] ^= 1,
    ];
    for change in changes {
        let place = Place::new();
        let vault = place.filled(4);
        let mut changed = entry(&vault, 2);
        let before = changed.clone();
        change(&mut changed);
        replace(&vault, 2, &changed);
        let faults = if changed.previous == before.previous {
            vec![ChainFault::Broken { seq: 3 }]
        } else {
            vec![ChainFault::Broken { seq: 2 }, ChainFault::Broken { seq: 3 }]
        };
        noted_once(&place, vault, &faults);
    }
}

#[test]
fn d4_a_changed_last_entry_is_noticed() {
    let place = Place::new();
    let vault = place.filled(3);
    let mut changed = entry(&vault, 3);
    changed.text = "Nothing happened.".into();
    replace(&vault, 3, &changed);
    // With the note after it, what was the end is in the middle, and does not fit there either.
    noted_once_as(&place, vault, &ChainFault::End { seq: 3 }, &[ChainFault::Broken { seq: 4 }]);
}

#[test]
fn d4_removed_entries_are_noticed_at_the_start_in_the_middle_and_at_the_end() {
    for (removed, fault) in [
        ([1].as_slice(), ChainFault::Missing { first: 1, last: 1 }),
        (&[3], ChainFault::Missing { first: 3, last: 3 }),
        (&[2, 3, 4], ChainFault::Missing { first: 2, last: 4 }),
        (&[6], ChainFault::Missing { first: 6, last: 6 }),
        (&[4, 5, 6], ChainFault::Missing { first: 4, last: 6 }),
        (&[1, 2, 3, 4, 5, 6], ChainFault::Missing { first: 1, last: 6 }),
    ] {
        let place = Place::new();
        let vault = place.filled(6);
        remove(&vault, removed);
        noted_once(&place, vault, &[fault]);
    }
}

#[test]
fn d4_reordered_entries_are_noticed() {
    let place = Place::new();
    let vault = place.filled(5);
    let (second, third) = (entry(&vault, 2), entry(&vault, 3));
    replace(&vault, 2, &third);
    replace(&vault, 3, &second);
    noted_once(&place, vault, &[2, 3, 4].map(|seq| ChainFault::Broken { seq }));
}

#[test]
fn d4_an_entry_put_in_or_made_unreadable_is_noticed() {
    let place = Place::new();
    let vault = place.filled(3);
    let mut forged = entry(&vault, 3);
    forged.previous = forged.hash().unwrap();
    replace(&vault, 4, &forged);
    drop(vault);
    let activity = place.activity();
    assert_eq!(activity.read(None, 1).unwrap()[0].kind, "suspicious");
    drop(activity);

    let place = Place::new();
    let vault = place.filled(3);
    let mut batch = Batch::default();
    batch.put(Kind::Activity, 2u64.to_be_bytes(), b"\x01rubbish");
    vault.catalog().commit(batch).unwrap();
    noted_once(&place, vault, &[ChainFault::Broken { seq: 2 }]);
}

#[test]
fn d4_further_faults_are_told_again_and_many_are_summed_up() {
    let place = Place::new();
    let vault = place.filled(20);
    remove(&vault, &[2]);
    noted_once(&place, vault, &[ChainFault::Missing { first: 2, last: 2 }]);
    let vault = place.vault();
    remove(&vault, &[4, 6, 8, 10]);
    drop(vault);
    let newest = place.activity().read(None, 1).unwrap().remove(0);
    assert_eq!(newest.kind, "suspicious");
    assert!(newest.text.ends_with("entry 2 is missing; entry 4 is missing; entry 6 is missing; and 2 more."));
}

#[test]
fn writers_at_the_same_time_make_one_chain() {
    let place = Place::new();
    let activity = place.activity();
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                for _ in 0..10 {
                    activity.note(ActivityKind::Left, "A photo left.".into(), None, None).unwrap();
                    assert_eq!(activity.verify().unwrap(), []);
                }
            });
        }
    });
    assert_eq!(activity.read(None, 100).unwrap().len(), 60);
    drop(activity);
    assert_eq!(place.activity().verify().unwrap(), []);
}

#[test]
fn an_entry_that_cannot_be_written_does_not_move_the_chain() {
    let place = Place::new();
    let activity = place.activity();
    let too_long = "x".repeat(crate::limits::MAX_CATALOG_VALUE_BYTES + 1);
    assert!(activity.note(ActivityKind::Left, too_long, None, None).is_err());
    activity.note(ActivityKind::Left, "A photo left.".into(), None, None).unwrap();
    assert_eq!(activity.read(None, 9).unwrap().len(), 1);
    assert_eq!(activity.verify().unwrap(), []);
}

fn within(place: &Place, most: u64, at_once: usize) -> Activity {
    Activity::open_within(place.vault(), Live::default(), Bounds { most, at_once }).unwrap()
}

#[test]
fn d7_of_too_many_entries_the_oldest_go_and_the_rest_is_a_chain() {
    let place = Place::new();
    let activity = within(&place, 20, 5);
    for number in 1..=33 {
        activity.note(ActivityKind::Left, format!("Photo {number} left."), None, None).unwrap();
        assert_eq!(activity.verify().unwrap(), [], "after {number}");
        assert!(activity.read(None, 100).unwrap().len() < 25);
    }
    let kept: Vec<u64> = activity.read(None, 100).unwrap().iter().map(|view| view.seq).collect();
    assert_eq!((kept[0], *kept.last().unwrap()), (33, 11));
    drop(activity);
    // A start finds the cut, and no fault; what goes from there on is noticed.
    assert_eq!(place.activity().read(None, 1).unwrap()[0].kind, "left");
    let vault = place.vault();
    remove(&vault, &[11]);
    noted_once(&place, vault, &[ChainFault::Missing { first: 11, last: 11 }]);
}

#[test]
fn d7_a_fault_that_is_cut_off_is_not_told_again() {
    let place = Place::new();
    let vault = place.filled(6);
    remove(&vault, &[2, 5]);
    drop(vault);
    let faults = |seqs: &[u64]| -> Vec<ChainFault> {
        seqs.iter().map(|seq| ChainFault::Missing { first: *seq, last: *seq }).collect()
    };
    let activity = within(&place, 4, 3);
    assert_eq!(activity.read(None, 1).unwrap()[0].kind, "suspicious");
    assert_eq!(activity.verify().unwrap(), faults(&[5]), "the second is among those that went");
    drop(activity);
    let activity = within(&place, 40, 3);
    assert_eq!(activity.read(None, 1).unwrap()[0].seq, 7, "it was told");
}

#[test]
fn the_head_of_the_first_version_is_read() {
    let place = Place::new();
    let vault = place.filled(3);
    let head = vault.catalog().get_versioned::<Head>(Kind::Settings, HEAD_KEY).unwrap().unwrap();
    let mut batch = Batch::default();
    let first = FirstHead { seq: head.seq, hash: head.hash, told: head.told };
    batch.put_as(Kind::Settings, HEAD_KEY, &first).unwrap();
    vault.catalog().commit(batch).unwrap();
    drop(vault);
    let activity = place.activity();
    assert_eq!((activity.verify().unwrap(), activity.read(None, 9).unwrap().len()), (vec![], 3));
}

#[test]
fn d7_a_flood_of_one_peer_is_twenty_entries_and_a_count() {
    let place = Place::new();
    let activity = place.activity();
    let peer = NodeId::new([1; 38]).unwrap();
    for number in 0..300 {
        let text = format!("Request {number} was refused.");
        activity.note_of(&peer, ActivityKind::Refused, text, None).unwrap();
        activity.note(ActivityKind::Suspicious, "A node asked for what it may not have.".into(), None, None).unwrap();
    }
    assert_eq!(activity.read(None, 200).unwrap().len(), 40);
    // What the owner did is never counted away.
    for _ in 0..30 {
        activity.note(ActivityKind::Left, "A photo left.".into(), None, None).unwrap();
        activity.note(ActivityKind::Refused, "You kept a photo.".into(), Some("a".into()), None).unwrap();
    }
    assert_eq!(activity.read(None, 200).unwrap().len(), 100);
    activity.sum_up(now_ms() + 3_600_000).unwrap();
    let texts: Vec<String> = activity.read(None, 2).unwrap().into_iter().map(|view| view.text).collect();
    assert!(
        texts.iter().any(|text| text == "And 280 more within an hour, such as: Request 20 was refused."),
        "{texts:?}"
    );
    assert!(texts.iter().all(|text| text.starts_with("And 280 more")), "{texts:?}");
    assert_eq!(activity.verify().unwrap(), []);
}
