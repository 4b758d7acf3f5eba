//! Receiving with restarts, crashes and damage in between.

use std::{fs, io::Read as _};

use super::{
    super::{
        keys::Keys,
        place::{Place, pattern},
    },
    *,
};
use crate::limits::BLOB_META_STEP_BYTES;

const CHUNK: usize = BLOB_CHUNK_BYTES;
const SIZE: usize = 3 * CHUNK + 77;

fn begin(blobs: &Blobs, id: BlobId) -> Result<Incoming, BlobError> {
    blobs.incoming(id, BlobKind::Original, SIZE as u64, b"meta")
}

fn group(index: usize) -> Vec<u8> {
    pattern(SIZE)[index * CHUNK..].iter().copied().take(CHUNK).collect()
}

/// Begins a blob and receives the first `count` groups.
fn received(blobs: &Blobs, count: usize) -> BlobId {
    let id = BlobId::random().unwrap();
    let mut incoming = begin(blobs, id).unwrap();
    for index in 0..count {
        incoming.append(&mut group(index)).unwrap();
    }
    id
}

fn finish(blobs: &Blobs, id: BlobId) {
    let mut incoming = begin(blobs, id).unwrap();
    while !incoming.is_complete() {
        incoming.append(&mut group(incoming.present() as usize)).unwrap();
    }
    assert_eq!(incoming.finish().unwrap(), id);
    assert_eq!(*blobs.read(id).unwrap(), pattern(SIZE));
    assert!(blobs.list_incoming().unwrap().is_empty());
}

#[test]
fn d2_receiving_goes_on_after_every_group_and_a_restart() {
    let place = Place::new();
    let id = BlobId::random().unwrap();
    for present in 0..=4 {
        let blobs = place.blobs();
        assert_eq!(blobs.list_incoming().unwrap(), if present == 0 { vec![] } else { vec![id] });
        let mut incoming = begin(&blobs, id).unwrap();
        assert_eq!((incoming.present(), incoming.groups()), (present, 4));
        assert_eq!((incoming.id(), incoming.kind(), incoming.size_bytes()), (id, BlobKind::Original, SIZE as u64));
        assert_eq!(incoming.meta(), b"meta");
        for index in 0..present {
            assert_eq!(*incoming.read_group(index).unwrap(), group(index as usize));
        }
        assert!(matches!(incoming.read_group(present), Err(BlobError::WrongGroup { .. })));
        assert!(!blobs.contains(id) && blobs.list().unwrap().is_empty());
        if !incoming.is_complete() {
            incoming.append(&mut group(present as usize)).unwrap();
        }
    }
    let blobs = place.blobs();
    finish(&blobs, id);
    assert!(matches!(begin(&blobs, id), Err(BlobError::Finished { .. })));
    drop(blobs);
    // Durable, and in the format of any other blob.
    let blobs = place.blobs();
    let mut reader = blobs.open(id).unwrap();
    assert_eq!((reader.kind(), reader.meta()), (BlobKind::Original, b"meta".as_slice()));
    let mut out = Vec::new();
    reader.read_to_end(&mut out).unwrap();
    assert_eq!(out, pattern(SIZE));
    assert_eq!(blobs.list().unwrap(), [id]);
}

#[test]
fn blobs_of_every_size_around_the_groups_finish() {
    let place = Place::new();
    let blobs = place.blobs();
    for size in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK] {
        let id = BlobId::random().unwrap();
        let mut incoming = blobs.incoming(id, BlobKind::Rendition, size as u64, b"").unwrap();
        assert_eq!(incoming.groups() as usize, size.div_ceil(CHUNK));
        for part in pattern(size).chunks(CHUNK) {
            assert_eq!(incoming.group_bytes(incoming.present()), part.len());
            incoming.append(&mut part.to_vec()).unwrap();
        }
        assert_eq!(incoming.group_bytes(incoming.present()), 0);
        incoming.finish().unwrap();
        blobs.open(id).unwrap().verify().unwrap();
        assert_eq!(*blobs.read(id).unwrap(), pattern(size), "size {size}");
    }
}

#[test]
fn groups_of_the_wrong_size_and_one_too_many_are_refused() {
    let place = Place::new();
    let blobs = place.blobs();
    let mut incoming = begin(&blobs, BlobId::random().unwrap()).unwrap();
    for wrong in [0, 1, 77, CHUNK - 1, CHUNK + 1] {
        let refused = incoming.append(&mut pattern(wrong));
        assert!(
            matches!(refused, Err(BlobError::WrongGroup { group: 0, expected, found, .. })
                if (expected, found) == (CHUNK as u64, wrong as u64)),
            "{refused:?}"
        );
    }
    for index in 0..3 {
        incoming.append(&mut group(index)).unwrap();
    }
    assert!(matches!(incoming.append(&mut pattern(CHUNK)), Err(BlobError::WrongGroup { expected: 77, .. })));
    incoming.append(&mut group(3)).unwrap();
    assert!(matches!(incoming.append(&mut group(3)), Err(BlobError::WrongGroup { group: 4, expected: 0, .. })));
    assert_eq!(*blobs.read(incoming.finish().unwrap()).unwrap(), pattern(SIZE));
    let too_large = blobs.incoming(BlobId::random().unwrap(), BlobKind::Original, MAX_BLOB_BYTES + 1, b"");
    assert!(matches!(too_large, Err(BlobError::TooLarge { .. })));
}

#[test]
fn what_is_incomplete_does_not_finish_and_stays() {
    let place = Place::new();
    let blobs = place.blobs();
    let id = received(&blobs, 2);
    let refused = begin(&blobs, id).unwrap().finish();
    assert!(matches!(refused, Err(BlobError::Incomplete { present: 2, expected: 4, .. })), "{refused:?}");
    assert_eq!(begin(&blobs, id).unwrap().present(), 2);
    finish(&blobs, id);
}

#[test]
fn a_damaged_group_and_all_after_it_are_received_again() {
    let place = Place::new();
    let blobs = place.blobs();
    for damaged in 0..4 {
        let id = received(&blobs, 4);
        let path = blobs.incoming_path(id);
        let mut bytes = fs::read(&path).unwrap();
        let header = bytes.len() - SIZE - 4 * TAG_BYTES;
        bytes[header + damaged * SEALED_CHUNK_BYTES + 5] ^= 1;
        fs::write(&path, bytes).unwrap();
        assert_eq!(begin(&blobs, id).unwrap().present(), damaged as u64);
        finish(&blobs, id);
    }
}

#[test]
fn a_group_that_rots_while_it_waits_is_not_handed_out() {
    let place = Place::new();
    let blobs = place.blobs();
    let id = received(&blobs, 2);
    let incoming = begin(&blobs, id).unwrap();
    let end = incoming.place_of(1);
    incoming.file.write_all_at(&[0; 4], end - 9).unwrap();
    assert!(matches!(incoming.read_group(0), Err(BlobError::ChunkDamaged { chunk: 0, .. })));
    assert_eq!(*incoming.read_group(1).unwrap(), group(1));
}

#[test]
fn d2_a_file_torn_at_any_length_is_taken_up_where_it_is_sound() {
    let place = Place::new();
    let blobs = place.blobs();
    let id = received(&blobs, 4);
    let path = blobs.incoming_path(id);
    let sound = fs::read(&path).unwrap();
    let header = sound.len() - SIZE - 4 * TAG_BYTES;
    for (length, present) in [
        (0, 0),
        (31, 0),
        (header - 1, 0),
        (header, 0),
        (header + 1, 0),
        (header + SEALED_CHUNK_BYTES - 8, 0),
        (header + SEALED_CHUNK_BYTES, 1),
        (header + 2 * SEALED_CHUNK_BYTES + 9, 2),
        (sound.len() - 8, 3),
        (sound.len(), 4),
    ] {
        fs::write(&path, &sound[..length]).unwrap();
        assert_eq!(begin(&blobs, id).unwrap().present(), present, "cut to {length}");
        // Lengths that the file system gave to bytes that never came; the cuts take so many that they were not all zeros before.
        let mut zeros = sound[..length].to_vec();
        zeros.resize(sound.len() + 5000, 0);
        fs::write(&path, zeros).unwrap();
        assert_eq!(begin(&blobs, id).unwrap().present(), present, "zeros after {length}");
    }
    finish(&blobs, id);
}

#[test]
fn groups_cannot_be_reordered_or_come_from_another_blob() {
    let place = Place::new();
    let blobs = place.blobs();
    let [id, other] = [0; 2].map(|_| received(&blobs, 3));
    let [mut bytes, other] = [id, other].map(|id| fs::read(blobs.incoming_path(id)).unwrap());
    let header = bytes.len() - 3 * SEALED_CHUNK_BYTES;
    let second = header + SEALED_CHUNK_BYTES..header + 2 * SEALED_CHUNK_BYTES;
    bytes[second.clone()].copy_from_slice(&other[second.clone()]);
    fs::write(blobs.incoming_path(id), &bytes).unwrap();
    assert_eq!(begin(&blobs, id).unwrap().present(), 1);
    let first = other[header..header + SEALED_CHUNK_BYTES].to_vec();
    let mut swapped = other.clone();
    swapped.copy_within(second.clone(), header);
    swapped[second].copy_from_slice(&first);
    let id = blobs.list_incoming().unwrap().into_iter().find(|found| *found != id).unwrap();
    fs::write(blobs.incoming_path(id), swapped).unwrap();
    assert_eq!(begin(&blobs, id).unwrap().present(), 0);
}

#[test]
fn a_blob_is_received_once_at_a_time_and_as_it_was_begun() {
    let place = Place::new();
    let blobs = place.blobs();
    let id = BlobId::random().unwrap();
    let incoming = begin(&blobs, id).unwrap();
    assert!(matches!(begin(&blobs.clone(), id), Err(BlobError::IncomingInUse { .. })));
    assert!(matches!(blobs.discard_incoming(id), Err(BlobError::IncomingInUse { .. })));
    drop(incoming);
    let other = [(BlobKind::Original, 1), (BlobKind::Rendition, SIZE as u64)];
    for (kind, size) in other {
        assert!(matches!(blobs.incoming(id, kind, size, b""), Err(BlobError::IncomingDiffers { .. })));
    }
    finish(&blobs, id);
}

#[test]
fn metadata_is_replaced_and_kept_over_a_restart() {
    let place = Place::new();
    let blobs = place.blobs();
    let id = received(&blobs, 2);
    begin(&blobs, id).unwrap().set_meta(b"what the bytes turned out to be").unwrap();
    let mut incoming = begin(&blobs, id).unwrap();
    assert_eq!((incoming.meta(), incoming.present()), (b"what the bytes turned out to be".as_slice(), 2));
    let too_much = vec![0; BLOB_META_STEP_BYTES];
    assert!(matches!(incoming.set_meta(&too_much), Err(BlobError::MetaTooLarge { .. })));
    drop(incoming);
    finish(&blobs, id);
    assert_eq!(blobs.open(id).unwrap().meta(), b"what the bytes turned out to be");
}

#[test]
fn what_is_discarded_is_gone_and_its_key_first() {
    let place = Place::new();
    let blobs = place.blobs();
    let id = received(&blobs, 2);
    let witness = place.outside().join("witness");
    fs::hard_link(blobs.incoming_path(id), &witness).unwrap();
    begin(&blobs, id).unwrap().discard().unwrap();
    assert!(blobs.list_incoming().unwrap().is_empty());
    assert!(fs::read(&witness).unwrap()[32..104].iter().all(|byte| *byte == 0), "the wrapped key is on the disk");
    assert!(!blobs.discard_incoming(id).unwrap());
    // A crash between the two: it begins again.
    fs::copy(&witness, blobs.incoming_path(id)).unwrap();
    assert_eq!(begin(&blobs, id).unwrap().present(), 0);
    assert!(blobs.discard_incoming(id).unwrap());
    assert_eq!(begin(&blobs, id).unwrap().present(), 0);
}

#[test]
fn the_partial_file_of_another_vault_is_not_taken_up() {
    let (place, stranger) = (Place::new(), Place::new());
    let blobs = place.blobs();
    let id = received(&blobs, 2);
    let (dir, keys): (_, Keys) = stranger.dir_and_keys();
    let foreign = Blobs::at(&dir, &keys).unwrap();
    fs::copy(blobs.incoming_path(id), foreign.incoming_path(id)).unwrap();
    assert_eq!(begin(&foreign, id).unwrap().present(), 0);
}
