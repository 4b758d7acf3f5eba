//! How an event lies in the catalog: whatever its members write, it still takes what comes next, and a start finds all of it.

use inframe_protocol::keys::MemberKeys;
use inframe_protocol::limits::{MAX_LARGE_RECORDS_PER_AUTHOR, MAX_RECORD_BYTES, MAX_RECORDS_PER_AUTHOR};
use inframe_protocol::record::{FindMe, Header, RecordBody, SealedRecord, Subject};

use super::*;
use crate::limits::MAX_CATALOG_VALUE_BYTES;
use crate::vault::{Batch, Kind};

/// Opens the same vault anew.
fn restarted(place: &Place) -> Events {
    Events::open(place.vault.clone(), Live::default(), place.events.me.clone()).unwrap()
}

/// Records that a changed daemon would write: as many as asked for, each as large as a record can be, or small.
fn forged(author: &Place, event: &EventId, count: u64, large: bool) -> Vec<Vec<u8>> {
    let entries = author.events.entries();
    let entry = &entries[event];
    let (keys, grant): (&MemberKeys, _) = (&entry.keys, entry.state.current_grant().unwrap());
    let id = FindMeId::generate(&keys.member_id()).unwrap();
    let mut face = [0; 128];
    blake3::Hasher::new().update(b"a face").finalize_xof().fill(&mut face);
    let face: Vec<f32> = face.iter().map(|byte| (f32::from(*byte) - 127.5) / 800.0).collect();
    let template = Template::project(&face, &[0.0; 128], &grant.projection_key()).unwrap();
    let now = now_ms();
    let body = if large {
        RecordBody::FindMe(FindMe {
            id,
            pack: "face-api@1.7.15".into(),
            template,
            subject: Subject::Child,
            live: true,
            expires: UnixMillis(now + 3_600_000),
            still: [&[0xff, 0xd8, 0xff][..], &[7; 2_900]].concat(),
            label: String::new(),
        })
    } else {
        let address = |number| format!("/dns4/{}{number}", "a".repeat(115));
        RecordBody::Profile { nickname: "Guest".into(), addresses: (0..6).map(address).collect() }
    };
    let header = |seq| Header {
        event: *event,
        epoch: entry.state.roster().epoch(),
        author: keys.member_id(),
        seq,
        at: UnixMillis(now),
    };
    let first = if large { 1_000 } else { 1 };
    let write = |seq| SealedRecord::write(header(seq), &body, keys, grant).unwrap().to_bytes().unwrap();
    (first..first + count).map(write).collect()
}

#[test]
fn d7_members_who_write_as_much_as_they_can_do_not_stop_an_event() {
    let (event, host, guests) = party(12);
    for guest in &guests {
        let large = forged(guest, &event, MAX_RECORDS_PER_AUTHOR as u64, true);
        assert!(large.iter().all(|record| record.len() > MAX_RECORD_BYTES - 200));
        let small = forged(guest, &event, MAX_RECORDS_PER_AUTHOR as u64, false);
        for page in small.chunks(64).chain(large.chunks(64)) {
            let _ = host.events.take(&event, &[], page);
        }
        let author = guest.events.entries()[&event].my_id();
        let held = host.events.vector(&event).unwrap().authors.into_iter().find(|(id, _)| *id == author).unwrap().1;
        assert_eq!(held.len(), MAX_RECORDS_PER_AUTHOR);
    }
    let bytes = host.events.entries()[&event].state.to_bytes().len();
    assert!(bytes > MAX_CATALOG_VALUE_BYTES, "one row would not hold it: {bytes}");
    assert!(bytes < 12 * (MAX_LARGE_RECORDS_PER_AUTHOR + 2) * MAX_RECORD_BYTES + 12 * 224 * 1_280 + 32 * 1_024);
    // It still takes what its members say, and what its host decides.
    let body = |nickname: &str| RecordBody::Profile { nickname: nickname.into(), addresses: Vec::new() };
    guests[3].events.write(&event, body("Ann")).unwrap();
    pass(&guests[3], &[&host]);
    host.events.write(&event, body("The host")).unwrap();
    let late = join(&host, &event, 200);
    let ann = guests[3].events.entries()[&event].my_id();
    for events in [&host.events, &restarted(&host)] {
        assert_eq!(events.nickname(&event, &ann), "Ann");
        assert_eq!(events.describe(&event, now_ms()).unwrap().members.len(), 14);
        assert_eq!(events.vector(&event), host.events.vector(&event));
    }
    assert_eq!(members(&late, &event).len(), 14);
    // And it can be left: nothing stays behind.
    host.events.leave(&event).unwrap();
    for kind in [Kind::Event, Kind::RosterEntry, Kind::EventRecord, Kind::EventAlarms] {
        assert_eq!(host.vault.catalog().count(kind).unwrap(), 0, "{kind:?}");
    }
}

#[test]
fn d2_a_change_writes_what_is_different_and_a_restart_finds_it() {
    let (event, host, guests) = party(3);
    let rows = |kind| host.vault.catalog().count(kind).unwrap();
    assert_eq!((rows(Kind::RosterEntry), rows(Kind::EventRecord)), (4, 0));
    let body = RecordBody::Profile { nickname: "Ann".into(), addresses: Vec::new() };
    guests[0].events.write(&event, body).unwrap();
    let head = host.vault.catalog().get(Kind::Event, event.0).unwrap();
    pass(&guests[0], &[&host]);
    assert_eq!(rows(Kind::EventRecord), 1);
    assert_eq!(host.vault.catalog().get(Kind::Event, event.0).unwrap(), head, "a record leaves the head as it is");
    assert_eq!(restarted(&host).vector(&event), host.events.vector(&event));
    // The keys of rows tell nobody who wrote.
    let ann = guests[0].events.entries()[&event].my_id();
    let keys = host.vault.catalog().keys(Kind::EventRecord).unwrap();
    assert!(keys.iter().all(|key| key[..32] == event.0 && !key.windows(8).any(|part| ann.0.starts_with(part))));
    // With its author, a record goes.
    host.events.remove_member(&event, &ann).unwrap();
    assert_eq!((rows(Kind::RosterEntry), rows(Kind::EventRecord)), (6, 0));
    assert_eq!(restarted(&host).vector(&event), host.events.vector(&event));
}

#[test]
fn d2_what_the_catalog_does_not_take_is_as_if_it_had_never_come() {
    let (event, host, guests) = party(2);
    let body = |nickname: &str| RecordBody::Profile { nickname: nickname.into(), addresses: Vec::new() };
    let before = host.events.vector(&event);
    // More in one batch than the catalog takes: a name that no honest caller gives.
    let huge = "x".repeat(MAX_CATALOG_VALUE_BYTES);
    let refused = host.events.change(&event, |entry| {
        entry.state.write(body("Host"), UnixMillis(now_ms()))?;
        entry.invited_name = huge;
        Ok(())
    });
    assert!(matches!(refused, Err(EventsError::Catalog(_))), "{refused:?}");
    assert_eq!(host.events.vector(&event), before);
    assert_eq!(restarted(&host).vector(&event), before);
    host.events.write(&event, body("Host")).unwrap();
    guests[0].events.write(&event, body("Ann")).unwrap();
    pass(&guests[0], &[&host]);
    assert_ne!(host.events.vector(&event), before);
    assert_eq!(restarted(&host).vector(&event), host.events.vector(&event));
}

#[test]
fn a_damaged_record_is_left_out_and_a_roster_that_is_not_whole_is_none() {
    let (event, host, guests) = party(2);
    let body = RecordBody::Profile { nickname: "Ann".into(), addresses: Vec::new() };
    guests[0].events.write(&event, body).unwrap();
    let told = guests[0].events.take_outgoing();
    host.events.take(&event, &[], &told[0].records);
    let whole = host.events.vector(&event);
    let key = host.vault.catalog().keys(Kind::EventRecord).unwrap().remove(0);
    let mut batch = Batch::default();
    batch.put_as(Kind::EventRecord, &key, b"rubbish".as_slice()).unwrap();
    host.vault.catalog().commit(batch).unwrap();
    let healed = restarted(&host);
    assert_ne!(healed.vector(&event), whole);
    assert!(healed.take(&event, &[], &told[0].records).problem.is_none());
    assert_eq!(healed.vector(&event), whole, "the next sync brings it back");
    // A host who went on from an earlier place of the roster would sign two entries for one place.
    let last = host.vault.catalog().keys(Kind::RosterEntry).unwrap().pop().unwrap();
    let mut batch = Batch::default();
    batch.remove(Kind::RosterEntry, last);
    host.vault.catalog().commit(batch).unwrap();
    assert!(restarted(&host).ids().is_empty());
}

/// Writes the row of an event as the second version did: everything in one.
fn as_older_version(place: &Place, event: &EventId) {
    let entries = place.events.entries();
    let entry = &entries[event];
    let mut batch = Batch::default();
    entry.erase(&mut batch);
    place.vault.catalog().commit(batch).unwrap();
    let row = crate::events::stored::older_row(entry);
    let mut batch = Batch::default();
    batch.put(Kind::Event, event.0, row);
    place.vault.catalog().commit(batch).unwrap();
}

#[test]
fn an_event_of_an_older_version_moves_into_rows_once() {
    let (event, host, guests) = party(2);
    let body = RecordBody::Profile { nickname: "Ann".into(), addresses: Vec::new() };
    guests[0].events.write(&event, body).unwrap();
    pass(&guests[0], &[&host]);
    as_older_version(&host, &event);
    assert_eq!(host.vault.catalog().count(Kind::RosterEntry).unwrap(), 0);
    for _ in 0..2 {
        let moved = restarted(&host);
        assert_eq!(moved.vector(&event), host.events.vector(&event));
        assert_eq!(moved.describe(&event, now_ms()).unwrap().members.len(), 3);
        assert_eq!(host.vault.catalog().count(Kind::RosterEntry).unwrap(), 3);
        assert_eq!(host.vault.catalog().count(Kind::EventRecord).unwrap(), 1);
    }
}
