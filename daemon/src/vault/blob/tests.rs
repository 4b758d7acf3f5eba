//! What the disk may do to a blob, and what must come of it.

use std::{
    fs,
    io::{Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::{FileExt as _, PermissionsExt as _},
    path::PathBuf,
};

use proptest::prelude::*;

use super::{
    super::place::{Place, files_below, pattern},
    header::{META_AT, PREFIX_BYTES},
    *,
};
use crate::{
    limits::{BLOB_CHUNK_BYTES, BLOB_META_STEP_BYTES, MAX_BLOB_META_BYTES, MAX_BLOBS_PER_BATCH},
    vault::seal::{SEAL_BYTES, TAG_BYTES},
};

const CHUNK: usize = BLOB_CHUNK_BYTES;
/// Bytes of a header whose metadata takes one step.
const HEADER: usize = META_AT + BLOB_META_STEP_BYTES + SEAL_BYTES;

/// Puts `bytes` in the place of a blob's file and reads all of it, header and chunks.
fn read_as(blobs: &Blobs, id: BlobId, bytes: &[u8]) -> Result<Vec<u8>, BlobError> {
    fs::write(blobs.path_of(id), bytes).unwrap();
    blobs.read(id).map(|plain| plain.to_vec())
}

fn temporary_files(blobs: &Blobs) -> Vec<PathBuf> {
    files_below(&blobs.store.dir.blobs_temporary)
}

#[test]
fn every_size_around_the_chunks_comes_back_after_a_restart() {
    let place = Place::new();
    let sizes = [0, 1, 2, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK - 1, 3 * CHUNK + 7];
    let blobs = place.blobs();
    let ids = sizes.map(|size| blobs.put(BlobKind::Original, b"meta", &pattern(size)).unwrap());
    drop(blobs);
    let blobs = place.blobs();
    for (size, id) in sizes.into_iter().zip(ids) {
        let reader = blobs.open(id).unwrap();
        assert_eq!((reader.id(), reader.kind(), reader.len()), (id, BlobKind::Original, size as u64));
        assert_eq!((reader.meta(), reader.is_empty()), (b"meta".as_slice(), size == 0));
        reader.verify().unwrap();
        assert_eq!(*blobs.read(id).unwrap(), pattern(size), "size {size}");
        let in_file = fs::metadata(blobs.path_of(id)).unwrap();
        let chunks = size.div_ceil(CHUNK).max(1);
        assert_eq!(in_file.len() as usize, HEADER + size + chunks * TAG_BYTES, "size {size}");
        assert_eq!(in_file.permissions().mode() & 0o777, 0o600);
    }
    let mut sorted = ids.to_vec();
    sorted.sort();
    assert_eq!(blobs.list().unwrap(), sorted);
    assert!(temporary_files(&blobs).is_empty());
}

#[test]
fn equal_content_gives_unrelated_files() {
    let place = Place::new();
    let blobs = place.blobs();
    let [one, other] = [0; 2].map(|_| blobs.put(BlobKind::Grid, b"m", &pattern(600)).unwrap());
    let (one, other) = (fs::read(blobs.path_of(one)).unwrap(), fs::read(blobs.path_of(other)).unwrap());
    assert_eq!(one.len(), other.len());
    let equal = one[PREFIX_BYTES..].iter().zip(&other[PREFIX_BYTES..]).filter(|(a, b)| a == b).count();
    // Chance alone gives about one byte in 256.
    assert!(equal < one.len() / 32, "{equal} of {} bytes are equal", one.len());
}

#[test]
fn every_flipped_byte_of_a_small_blob_is_refused() {
    let place = Place::new();
    let blobs = place.blobs();
    let id = blobs.put(BlobKind::Preview, b"meta", b"a small picture").unwrap();
    let sound = fs::read(blobs.path_of(id)).unwrap();
    for at in 0..sound.len() {
        let mut bad = sound.clone();
        bad[at] ^= 0x40;
        let error = read_as(&blobs, id, &bad).unwrap_err();
        let expected = match at {
            0..8 => matches!(error, BlobError::NotABlob { .. }),
            8..10 => matches!(error, BlobError::NewerVersion { .. }),
            10..HEADER => matches!(error, BlobError::HeaderDamaged { .. }),
            _ => matches!(error, BlobError::ChunkDamaged { chunk: 0, .. }),
        };
        assert!(expected, "byte {at}: {error:?}");
        assert!(error.to_string().contains(&id.to_string()), "byte {at}: {error}");
        assert_eq!(error.is_damage(), !(8..10).contains(&at), "byte {at}");
    }
    assert_eq!(read_as(&blobs, id, &sound).unwrap(), b"a small picture");
}

#[test]
fn a_flipped_bit_anywhere_in_a_chunk_spoils_that_chunk_alone() {
    let place = Place::new();
    let blobs = place.blobs();
    let plain = pattern(2 * CHUNK + 100);
    let id = blobs.put(BlobKind::Original, b"", &plain).unwrap();
    let sound = fs::read(blobs.path_of(id)).unwrap();
    for at in [0, 1, CHUNK / 2, CHUNK - 1, CHUNK, SEALED_CHUNK_BYTES - 1] {
        let mut bad = sound.clone();
        bad[HEADER + SEALED_CHUNK_BYTES + at] ^= 1;
        fs::write(blobs.path_of(id), &bad).unwrap();
        let reader = blobs.open(id).unwrap();
        let mut out = vec![0; CHUNK];
        reader.read_exact_at(0, &mut out).unwrap();
        assert_eq!(out, plain[..CHUNK]);
        let mut out = vec![0xee; CHUNK];
        let error = reader.read_at(CHUNK as u64, &mut out).unwrap_err();
        assert!(matches!(error, BlobError::ChunkDamaged { chunk: 1, .. }), "{error:?}");
        assert!(out.iter().all(|byte| *byte == 0xee), "plain bytes of a damaged chunk came out");
        let mut out = vec![0; 100];
        reader.read_exact_at(2 * CHUNK as u64, &mut out).unwrap();
        assert_eq!(out, plain[2 * CHUNK..]);
        assert!(matches!(reader.verify(), Err(BlobError::ChunkDamaged { chunk: 1, .. })));
        assert!(matches!(blobs.read(id), Err(BlobError::ChunkDamaged { chunk: 1, .. })));
    }
}

#[test]
fn a_cut_file_is_refused_at_every_length() {
    let place = Place::new();
    let blobs = place.blobs();
    let id = blobs.put(BlobKind::Grid, b"meta", b"a small picture").unwrap();
    let sound = fs::read(blobs.path_of(id)).unwrap();
    for length in 0..sound.len() {
        let error = read_as(&blobs, id, &sound[..length]).unwrap_err();
        let expected = match length {
            0..HEADER => matches!(error, BlobError::HeaderDamaged { .. }),
            _ => matches!(error, BlobError::WrongLength { found, .. } if found == length as u64),
        };
        assert!(expected && error.is_damage(), "cut to {length}: {error:?}");
    }
}

#[test]
fn cut_extended_and_reordered_chunks_are_refused() {
    let place = Place::new();
    let blobs = place.blobs();
    let id = blobs.put(BlobKind::Original, b"", &pattern(3 * CHUNK)).unwrap();
    let sound = fs::read(blobs.path_of(id)).unwrap();
    let (header, chunks) = sound.split_at(HEADER);
    let chunks: Vec<&[u8]> = chunks.chunks(SEALED_CHUNK_BYTES).collect();
    let with = |order: &[usize]| {
        let body = order.iter().map(|index| chunks[*index]).collect::<Vec<_>>().concat();
        read_as(&blobs, id, &[header, &body].concat()).unwrap_err()
    };
    // Whole chunks missing or too many.
    for order in [[0, 1].as_slice(), &[1, 2], &[], &[0, 1, 2, 2], &[0, 1, 1, 2]] {
        assert!(matches!(with(order), BlobError::WrongLength { .. }), "{order:?}");
    }
    // As many as there must be, but not in their places.
    for (order, first_wrong) in [([1, 0, 2], 0), ([0, 2, 1], 1), ([0, 0, 2], 1), ([0, 1, 1], 2), ([2, 1, 0], 0)] {
        let error = with(&order);
        assert!(matches!(error, BlobError::ChunkDamaged { chunk, .. } if chunk == first_wrong), "{order:?}: {error:?}");
    }
    for extra in [1, TAG_BYTES, CHUNK] {
        let error = read_as(&blobs, id, &[sound.as_slice(), &vec![0; extra]].concat()).unwrap_err();
        assert!(matches!(error, BlobError::WrongLength { .. }), "{error:?}");
    }
    assert_eq!(read_as(&blobs, id, &sound).unwrap(), pattern(3 * CHUNK));
}

#[test]
fn the_file_of_another_blob_or_of_another_vault_is_refused() {
    let place = Place::new();
    let blobs = place.blobs();
    let put = |plain: &[u8]| blobs.put(BlobKind::Original, b"meta", plain).unwrap();
    let (mine, other) = (put(b"my photo"), put(b"my other"));
    let [mine_bytes, other_bytes] = [mine, other].map(|id| fs::read(blobs.path_of(id)).unwrap());
    assert!(matches!(read_as(&blobs, mine, &other_bytes), Err(BlobError::HeaderDamaged { id }) if id == mine));
    // The name changed to match does not help, nor does a header with the chunks of another blob.
    let mut renamed = other_bytes.clone();
    renamed[12..28].copy_from_slice(mine.as_bytes());
    assert!(matches!(read_as(&blobs, mine, &renamed), Err(BlobError::HeaderDamaged { .. })));
    let spliced = [&mine_bytes[..HEADER], &other_bytes[HEADER..]].concat();
    assert!(matches!(read_as(&blobs, mine, &spliced), Err(BlobError::ChunkDamaged { chunk: 0, .. })));
    // Metadata and wrapped key of one blob each cannot be put together.
    let spliced = [&mine_bytes[..META_AT], &other_bytes[META_AT..]].concat();
    assert!(matches!(read_as(&blobs, mine, &spliced), Err(BlobError::HeaderDamaged { .. })));

    let stranger = Place::new();
    let blobs = stranger.blobs();
    fs::create_dir(blobs.folder_of(mine)).unwrap();
    assert!(matches!(read_as(&blobs, mine, &mine_bytes), Err(BlobError::HeaderDamaged { .. })));
}

#[test]
fn a_kind_cannot_be_changed_even_among_kinds_with_one_key() {
    let place = Place::new();
    let blobs = place.blobs();
    for (kind, to) in [(BlobKind::Selfie, BlobKind::Crop), (BlobKind::Selfie, BlobKind::Grid)] {
        let id = blobs.put(kind, b"", b"face").unwrap();
        let mut bytes = fs::read(blobs.path_of(id)).unwrap();
        assert_eq!(bytes[10], kind as u8);
        bytes[10] = to as u8;
        assert!(matches!(read_as(&blobs, id, &bytes), Err(BlobError::HeaderDamaged { .. })), "{to:?}");
    }
}

#[test]
fn a_file_of_a_newer_version_is_left_alone() {
    let place = Place::new();
    let blobs = place.blobs();
    let id = blobs.put(BlobKind::Grid, b"", b"x").unwrap();
    let mut bytes = fs::read(blobs.path_of(id)).unwrap();
    bytes[8] = 2;
    let error = read_as(&blobs, id, &bytes).unwrap_err();
    assert!(matches!(error, BlobError::NewerVersion { version: 2, .. }), "{error:?}");
    assert!(!error.is_damage(), "it must not be taken for something to replace");
}

#[test]
fn a_header_cannot_ask_for_more_memory_than_metadata_may_take() {
    let place = Place::new();
    let blobs = place.blobs();
    let id = blobs.put(BlobKind::Grid, b"", b"x").unwrap();
    let mut bytes = fs::read(blobs.path_of(id)).unwrap();
    bytes[28..32].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(matches!(read_as(&blobs, id, &bytes), Err(BlobError::HeaderDamaged { .. })));
}

#[test]
fn metadata_may_grow_within_its_room_while_a_blob_is_written() {
    let place = Place::new();
    let blobs = place.blobs();
    let mut writer = blobs.writer(BlobKind::Original, b"short").unwrap();
    let room = BLOB_META_STEP_BYTES - 12;
    assert!(matches!(
        writer.set_meta(&vec![1; room + 1]),
        Err(BlobError::MetaTooLarge { given, limit }) if (given, limit) == (room + 1, room)
    ));
    writer.set_meta(&vec![1; room]).unwrap();
    writer.write_all(b"bytes").unwrap();
    assert_eq!(writer.written(), 5);
    let id = writer.finish().unwrap();
    let entry = blobs.describe(id).unwrap();
    assert_eq!(entry, BlobEntry { id, kind: BlobKind::Original, size_bytes: 5, meta: vec![1; room] });
    assert!(!format!("{entry:?}").contains("meta"));

    let most = vec![7; MAX_BLOB_META_BYTES];
    let id = blobs.put(BlobKind::Original, &most, b"").unwrap();
    assert_eq!(blobs.open(id).unwrap().meta(), most);
    let more = vec![7; MAX_BLOB_META_BYTES + 1];
    assert!(matches!(blobs.put(BlobKind::Original, &more, b""), Err(BlobError::MetaTooLarge { .. })));
}

#[test]
fn an_unfinished_writer_leaves_nothing() {
    let place = Place::new();
    let blobs = place.blobs();
    let mut writer = blobs.writer(BlobKind::Original, b"").unwrap();
    writer.write_all(&pattern(2 * CHUNK)).unwrap();
    let id = writer.id();
    assert_eq!(temporary_files(&blobs).len(), 1);
    assert!(!blobs.contains(id));
    assert!(matches!(blobs.open(id), Err(BlobError::NotFound { .. })));
    drop(writer);
    assert!(temporary_files(&blobs).is_empty());
    assert!(blobs.list().unwrap().is_empty());
}

#[test]
fn what_a_crash_left_half_written_is_swept_at_open_and_nothing_else() {
    let place = Place::new();
    let blobs = place.blobs();
    let kept = blobs.put(BlobKind::Grid, b"", b"kept").unwrap();
    let mut writer = blobs.writer(BlobKind::Original, b"").unwrap();
    writer.write_all(&pattern(CHUNK + 1)).unwrap();
    // A crash: nobody runs the destructor.
    std::mem::forget(writer);
    let folder = blobs.store.dir.blobs.clone();
    fs::write(folder.join("temporary/torn"), b"torn").unwrap();
    fs::write(blobs.folder_of(kept).join("notes.txt"), b"of the owner").unwrap();
    assert_eq!(temporary_files(&blobs).len(), 2);
    let store = Arc::clone(&blobs.store);
    let keys = Keys::open(&store.dir, &place.key_file()).unwrap().0;
    let blobs = Blobs::at(&store.dir, &keys).unwrap();
    assert!(temporary_files(&blobs).is_empty());
    assert_eq!(blobs.list().unwrap(), [kept], "a file with another name is no blob");
    assert_eq!(*blobs.read(kept).unwrap(), b"kept");
    assert!(blobs.folder_of(kept).join("notes.txt").exists());
}

#[test]
fn a_batch_is_invisible_until_it_is_committed_and_bounded() {
    let place = Place::new();
    let blobs = place.blobs();
    let mut batch = blobs.batch().unwrap();
    let photo = batch.put(BlobKind::Original, b"o", &pattern(CHUNK + 5)).unwrap();
    let mut writer = batch.writer(BlobKind::Grid, b"g").unwrap();
    writer.write_all(b"grid").unwrap();
    let grid = batch.add(writer).unwrap();
    assert!(!blobs.contains(photo) && !blobs.contains(grid));
    assert_eq!(batch.commit().unwrap(), [photo, grid]);
    assert_eq!(*blobs.read(photo).unwrap(), pattern(CHUNK + 5));
    assert_eq!(*blobs.read(grid).unwrap(), b"grid");
    assert_eq!(photo.as_bytes()[0], grid.as_bytes()[0], "one folder, one fsync");

    let mut batch = blobs.batch().unwrap();
    batch.put(BlobKind::Grid, b"", b"dropped").unwrap();
    drop(batch);
    assert!(temporary_files(&blobs).is_empty());
    assert_eq!(blobs.list().unwrap().len(), 2);

    let mut batch = blobs.batch().unwrap();
    for _ in 0..MAX_BLOBS_PER_BATCH {
        batch.put(BlobKind::Grid, b"", b"").unwrap();
    }
    assert!(matches!(batch.put(BlobKind::Grid, b"", b""), Err(BlobError::BatchFull)));
}

#[test]
fn readers_seek_and_stop_at_the_end() {
    let place = Place::new();
    let blobs = place.blobs();
    let plain = pattern(CHUNK + 10);
    let id = blobs.put(BlobKind::Original, b"", &plain).unwrap();
    let mut reader = blobs.open(id).unwrap();
    assert_eq!(reader.seek(SeekFrom::End(-4)).unwrap(), CHUNK as u64 + 6);
    let mut out = Vec::new();
    reader.read_to_end(&mut out).unwrap();
    assert_eq!(out, plain[CHUNK + 6..]);
    assert_eq!(reader.read(&mut [0; 8]).unwrap(), 0);
    assert_eq!(reader.seek(SeekFrom::Start(u64::MAX)).unwrap(), u64::MAX);
    assert_eq!(reader.read(&mut [0; 8]).unwrap(), 0);
    assert!(reader.seek(SeekFrom::Current(1)).is_err());
    assert!(reader.seek(SeekFrom::End(-(CHUNK as i64) - 11)).is_err());
    assert!(matches!(reader.read_exact_at(CHUNK as u64 + 5, &mut [0; 6]), Err(BlobError::TooLarge { .. })));
    assert!(matches!(reader.read_exact_at(u64::MAX, &mut [0; 6]), Err(BlobError::TooLarge { .. })));
    assert!(matches!(reader.read_whole(CHUNK as u64), Err(BlobError::TooLarge { .. })));
    reader.rewind().unwrap();
    let mut out = Vec::new();
    reader.read_to_end(&mut out).unwrap();
    assert_eq!(out, plain);
}

#[test]
fn a_removed_blob_is_gone_and_its_key_is_destroyed_first() {
    let place = Place::new();
    let blobs = place.blobs();
    let id = blobs.put(BlobKind::Original, b"meta", &pattern(CHUNK + 1)).unwrap();
    // A second name for the same file shows what the disk holds after the removal.
    let witness = place.outside().join("witness");
    fs::hard_link(blobs.path_of(id), &witness).unwrap();
    let before = fs::read(&witness).unwrap();
    assert!(blobs.remove(id).unwrap());
    assert!(!blobs.contains(id));
    assert!(matches!(blobs.read(id), Err(BlobError::NotFound { .. })));
    assert!(!blobs.remove(id).unwrap());
    let after = fs::read(&witness).unwrap();
    assert!(after[PREFIX_BYTES..HEADER].iter().all(|byte| *byte == 0));
    assert_eq!(after[HEADER..], before[HEADER..]);
    // A crash between the two: the file is there but says so, and can be removed again.
    fs::copy(&witness, blobs.path_of(id)).unwrap();
    assert!(matches!(blobs.read(id), Err(BlobError::Removed { .. })));
    assert!(blobs.remove(id).unwrap());
    assert!(blobs.list().unwrap().is_empty());
}

#[test]
fn a_blob_cut_while_it_is_read_is_damage_and_not_an_end() {
    let place = Place::new();
    let blobs = place.blobs();
    let id = blobs.put(BlobKind::Original, b"", &pattern(2 * CHUNK)).unwrap();
    let mut reader = blobs.open(id).unwrap();
    let file = fs::OpenOptions::new().write(true).open(blobs.path_of(id)).unwrap();
    file.set_len((HEADER + SEALED_CHUNK_BYTES + 7) as u64).unwrap();
    file.write_all_at(&[], 0).unwrap();
    let error = reader.read_to_end(&mut Vec::new()).unwrap_err();
    assert!(matches!(BlobError::of(&error), Some(BlobError::ChunkDamaged { chunk: 1, .. })), "{error:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// However the bytes come in and wherever they are read, they are the same.
    #[test]
    fn any_writes_and_any_reads_agree(
        pieces in prop::collection::vec(0..CHUNK, 0..6),
        reads in prop::collection::vec((0..5 * CHUNK, 0..2 * CHUNK), 1..8),
    ) {
        let place = Place::new();
        let blobs = place.blobs();
        let plain = pattern(pieces.iter().sum());
        let mut writer = blobs.writer(BlobKind::Original, b"").unwrap();
        let mut rest = plain.as_slice();
        for piece in pieces {
            let (now, later) = rest.split_at(piece);
            writer.write_all(now).unwrap();
            rest = later;
        }
        let reader = blobs.open(writer.finish().unwrap()).unwrap();
        for (offset, length) in reads {
            let mut out = vec![0; length];
            let end = offset + length;
            if end <= plain.len() {
                reader.read_exact_at(offset as u64, &mut out).unwrap();
                prop_assert_eq!(&out, &plain[offset..end]);
            } else {
                let count = reader.read_at(offset as u64, &mut out).unwrap();
                prop_assert_eq!(&out[..count], plain.get(offset..offset + count).unwrap_or_default());
            }
        }
    }
}

#[test]
fn the_rest_of_a_chunk_is_what_lies_there_and_nothing_of_a_damaged_one() {
    let place = Place::new();
    let (blobs, plain) = (place.blobs(), pattern(2 * CHUNK + 9));
    let id = blobs.put(BlobKind::Original, b"meta", &plain).unwrap();
    let reader = blobs.open(id).unwrap();
    for at in [0, 1, CHUNK - 1, CHUNK, 2 * CHUNK - 3, 2 * CHUNK + 8, 2 * CHUNK + 9, 5 * CHUNK] {
        let end = plain.len().min((at / CHUNK + 1) * CHUNK);
        assert_eq!(reader.rest_of_chunk(at as u64).unwrap(), plain.get(at..end).unwrap_or_default(), "at {at}");
    }
    let mut bytes = fs::read(blobs.path_of(id)).unwrap();
    bytes[HEADER + CHUNK + TAG_BYTES + 5] ^= 1;
    fs::write(blobs.path_of(id), bytes).unwrap();
    let reader = blobs.open(id).unwrap();
    assert!(matches!(reader.rest_of_chunk(CHUNK as u64), Err(BlobError::ChunkDamaged { chunk: 1, .. })));
    assert_eq!(reader.rest_of_chunk(3).unwrap(), plain[3..CHUNK]);
}
