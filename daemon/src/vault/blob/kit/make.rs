//! Makes the cases of the kit from the description in `vault/FORMAT.md`, with ciphers of its own: nothing of the writer is used here.

use chacha20poly1305::{
    ChaCha20Poly1305, KeyInit, XChaCha20Poly1305,
    aead::{Aead, Payload},
};

use super::{Case, Range};

const C: usize = 262_144;
/// Where the metadata, and where the chunks of a usual blob begin.
const META: usize = 104;
const CHUNKS: usize = META + 296;
const MASTER: [u8; 32] = [0x11; 32];
const ID: [u8; 16] = *b"a blob of a kit!";

/// All that a blob is made from; each may be wrong.
#[derive(Clone)]
struct Parts {
    master: [u8; 32],
    file_key: [u8; 32],
    subkey: &'static str,
    magic: [u8; 8],
    version: u16,
    kind: u8,
    log: u8,
    id: [u8; 16],
    sealed_meta_bytes: Option<u32>,
    size: u64,
    meta_bytes: u32,
    slot: usize,
    /// Length, number and last flag of each chunk.
    chunks: Vec<(usize, u64, u8)>,
}

/// A blob in its pieces, and the plain bytes of its chunks.
struct Made {
    header: Vec<u8>,
    chunks: Vec<Vec<u8>>,
    plain: Vec<Vec<u8>>,
}

impl Made {
    fn bytes(&self) -> Vec<u8> {
        [self.header.clone(), self.chunks.concat()].concat()
    }

    fn in_order(&self, order: &[usize]) -> Vec<u8> {
        order.iter().fold(self.header.clone(), |all, chunk| [all, self.chunks[*chunk].clone()].concat())
    }
}

fn sound(size: usize) -> Parts {
    let count = size.div_ceil(C).max(1);
    let chunks = (0..count).map(|i| ((size - i * C).min(C), i as u64, u8::from(i + 1 == count))).collect();
    Parts {
        master: MASTER,
        file_key: [0x22; 32],
        subkey: "inframe 2026-11-25 vault: blobs",
        magic: *b"IFBLOB\r\n",
        version: 1,
        kind: 1,
        log: 18,
        id: ID,
        sealed_meta_bytes: None,
        size: size as u64,
        meta_bytes: 8,
        slot: 256,
        chunks,
    }
}

fn seal(key: &[u8; 32], aad: &[u8], plain: &[u8], nonce: u8) -> Vec<u8> {
    let nonce = [nonce; 24];
    let sealed = XChaCha20Poly1305::new(key.into()).encrypt(&nonce.into(), Payload { msg: plain, aad }).unwrap();
    [nonce.to_vec(), sealed].concat()
}

impl Parts {
    fn make(&self) -> Made {
        let n = self.sealed_meta_bytes.unwrap_or(self.slot as u32 + 40);
        let mut prefix = self.magic.to_vec();
        prefix.extend(self.version.to_le_bytes());
        prefix.extend([self.kind, self.log]);
        prefix.extend(self.id);
        prefix.extend(n.to_le_bytes());
        let sub = blake3::derive_key(self.subkey, &self.master);
        let wrapping = blake3::derive_key("inframe 2026-11-25 blob: wrapping key", &sub);
        let meta_key = blake3::derive_key("inframe 2026-11-25 blob: metadata", &self.file_key);
        let chunk_key = blake3::derive_key("inframe 2026-11-25 blob: chunks", &self.file_key);
        let mut slot = self.size.to_le_bytes().to_vec();
        slot.extend(self.meta_bytes.to_le_bytes());
        slot.extend(b"metadata");
        slot.resize(self.slot, 0);
        let wrapped = seal(&wrapping, &prefix, &self.file_key, 0x33);
        let meta = seal(&meta_key, &prefix, &slot, 0x44);
        let cipher = ChaCha20Poly1305::new((&chunk_key).into());
        let (mut chunks, mut plain) = (Vec::new(), Vec::new());
        for (length, index, last) in &self.chunks {
            let nonce: [u8; 12] = [&[0; 3], index.to_be_bytes().as_slice(), &[*last]].concat().try_into().unwrap();
            let seal = |msg: &[u8]| cipher.encrypt(&nonce.into(), Payload { msg, aad: &prefix }).unwrap();
            // The plain bytes whose ciphertext is zeros, so that the file of the case is short.
            let mut key_stream = seal(&vec![0; *length]);
            key_stream.truncate(*length);
            chunks.push(seal(&key_stream));
            plain.push(key_stream);
        }
        Made { header: [prefix, wrapped, meta].concat(), chunks, plain }
    }

    fn with(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut parts = self.clone();
        change(&mut parts);
        parts
    }
}

/// A case that fails before a byte comes out.
fn refused(name: &str, about: &str, expect: &str, bytes: Vec<u8>) -> Case {
    let (name, about, expect) = (name.to_owned(), about.to_owned(), expect.to_owned());
    Case { name, about, expect, key: MASTER, id: ID, released: Vec::new(), ranges: Vec::new(), bytes }
}

/// A case that opens, of which the chunks `bad` do not.
fn opened(name: &str, about: &str, plain: &[Vec<u8>], bad: &[usize], bytes: Vec<u8>) -> Case {
    let expect = bad.first().map_or("success".to_owned(), |chunk| format!("chunk damaged {chunk}"));
    let end = bad.first().copied().unwrap_or(plain.len());
    let all = plain.concat();
    let mut ranges = Vec::new();
    for (at, length) in [(0, 1), (0, all.len()), (C - 8, 16), (C, 16), (2 * C - 3, 5), (2 * C, 7), (all.len(), 0)] {
        let Some(piece) = all.get(at..at + length) else { continue };
        let hit = bad.iter().find(|chunk| length > 0 && (at / C..=(at + length - 1) / C).contains(chunk));
        ranges.push(Range {
            at,
            length,
            outcome: hit.map_or_else(|| hash(piece), |chunk| format!("chunk damaged {chunk}")),
        });
    }
    Case { expect, released: plain[..end].concat(), ranges, ..refused(name, about, "", bytes) }
}

pub(super) fn hash(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

fn flipped(bytes: &[u8], at: usize, bit: u8) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at] ^= bit;
    bytes
}

/// Every case, in order.
pub(super) fn cases() -> Vec<Case> {
    [sound_blobs(), headers(), lengths(), damaged_chunks()].concat()
}

fn sound_blobs() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, size) in [
        ("empty", 0),
        ("one-byte", 1),
        ("small", 100),
        ("chunk-less-one", C - 1),
        ("one-chunk", C),
        ("chunk-and-one", C + 1),
        ("two-chunks", 2 * C),
        ("three-chunks", 2 * C + 77),
    ] {
        let made = sound(size).make();
        cases.push(opened(name, &format!("a sound blob of {size} bytes"), &made.plain, &[], made.bytes()));
    }
    for kind in [2, 3, 4, 5, 6, 7, 8, 9, 64_u8] {
        let subkey = match kind {
            64 => "inframe 2026-11-25 vault: catalog",
            4 | 5 | 6 | 8 => "inframe 2026-11-25 vault: biometrics",
            _ => "inframe 2026-11-25 vault: blobs",
        };
        let made = sound(50).with(|p| (p.kind, p.subkey) = (kind, subkey)).make();
        let about = "a sound blob of this kind, under the key of its kind";
        cases.push(opened(&format!("kind-{kind}"), about, &made.plain, &[], made.bytes()));
    }
    let made = sound(50).with(|p| (p.slot, p.meta_bytes) = (16_640, 16_384)).make();
    cases.push(opened("meta-longest", "as much metadata as may be", &made.plain, &[], made.bytes()));
    let made = sound(50).with(|p| p.meta_bytes = 244).make();
    cases.push(opened("meta-fills-slot", "metadata without a zero behind it", &made.plain, &[], made.bytes()));
    let made = sound(50).with(|p| p.file_key = [0x55; 32]).make();
    let about = "another whole blob under the same id: the format alone cannot tell, ids are never used twice";
    cases.push(opened("rolled-back", about, &made.plain, &[], made.bytes()));
    cases
}

fn headers() -> Vec<Case> {
    let (small, damaged) = (sound(100), "header damaged");
    let bytes = small.make().bytes();
    let changed = |name: &str, about: &str, expect: &str, change: &dyn Fn(&mut Parts)| {
        refused(name, about, expect, small.with(|parts| change(parts)).make().bytes())
    };
    let mut cases = vec![
        changed("magic", "other magic", "not a blob", &|p| p.magic = *b"IFBLOC\r\n"),
        changed("magic-newline", "magic that went through a text filter", "not a blob", &|p| p.magic = *b"IFBLOB\n\n"),
        changed("version-0", "version 0", damaged, &|p| p.version = 0),
        changed("version-2", "a later version", "newer version", &|p| p.version = 2),
        changed("version-swapped", "version as big-endian", "newer version", &|p| p.version = 256),
        changed("kind-0", "no such kind", damaged, &|p| p.kind = 0),
        changed("kind-10", "no such kind", damaged, &|p| p.kind = 10),
        changed("kind-255", "no such kind", damaged, &|p| p.kind = 255),
        changed("kind-key", "a selfie under the key of photos", damaged, &|p| p.kind = 5),
        changed("log-16", "chunks of 65536 bytes", damaged, &|p| p.log = 16),
        changed("log-255", "chunks of 2^255 bytes", damaged, &|p| p.log = 255),
        changed("master-key", "sealed for another vault", damaged, &|p| p.master = [0x12; 32]),
        changed("subkey", "an original under the key of the catalog", damaged, &|p| {
            p.subkey = "inframe 2026-11-25 vault: catalog";
        }),
        changed("id", "the file of another blob", damaged, &|p| p.id = [9; 16]),
        changed("meta-0", "no sealed metadata", damaged, &|p| p.sealed_meta_bytes = Some(0)),
        changed("meta-short", "sealed metadata shorter than a seal", damaged, &|p| p.sealed_meta_bytes = Some(39)),
        changed("meta-less-one", "sealed metadata a byte short", damaged, &|p| p.sealed_meta_bytes = Some(295)),
        changed("meta-more", "sealed metadata reaches into the chunk", damaged, &|p| p.sealed_meta_bytes = Some(297)),
        changed("meta-limit", "sealed metadata over the limit", damaged, &|p| p.sealed_meta_bytes = Some(16_681)),
        changed("meta-overflow", "sealed metadata of 4 GiB", damaged, &|p| p.sealed_meta_bytes = Some(u32::MAX)),
        changed("meta-past-slot", "metadata longer than its room", damaged, &|p| p.meta_bytes = 245),
        changed("meta-bytes-overflow", "metadata of 4 GiB", damaged, &|p| p.meta_bytes = u32::MAX),
        changed("slot-of-8", "room for the size only", damaged, &|p| p.slot = 8),
        changed("slot-of-0", "no room at all", damaged, &|p| p.slot = 0),
        changed("size-overflow", "2^64 - 1 bytes", damaged, &|p| p.size = u64::MAX),
        changed("size-of-16-tib", "larger than a blob may be", damaged, &|p| p.size = 1 << 44),
        changed("size-more", "says a byte more than there is", "wrong length", &|p| p.size = 101),
        changed("size-less", "says a byte less than there is", "wrong length", &|p| p.size = 99),
        changed("size-0", "says that it is empty", "wrong length", &|p| p.size = 0),
    ];
    let mut removed = bytes.clone();
    removed[32..400].fill(0);
    cases.push(refused("removed", "key and metadata are zeros", "removed", removed.clone()));
    removed[100] = 1;
    cases.push(refused("removed-in-part", "a wrapped key that is not all zeros", damaged, removed));
    for (name, at) in [
        ("id", 12),
        ("nonce-of-key", 32),
        ("wrapped-key", 56),
        ("tag-of-key", 103),
        ("nonce-of-meta", META),
        ("size", META + 24),
        ("meta", META + 36),
        ("padding", 383),
        ("tag-of-meta", CHUNKS - 1),
    ] {
        cases.push(refused(&format!("flip-{name}"), "a bit of the header differs", damaged, flipped(&bytes, at, 1)));
    }
    let other = small.with(|p| p.file_key = [0x55; 32]).make().bytes();
    for (name, from, to) in [("wrapped-key", 32, META), ("meta", META, CHUNKS)] {
        let mixed = [&bytes[..from], &other[from..to], &bytes[to..]].concat();
        cases.push(refused(&format!("{name}-of-another"), "taken from a blob of the same id", damaged, mixed));
    }
    cases
}

fn lengths() -> Vec<Case> {
    let bytes = sound(100).make().bytes();
    let mut cases = Vec::new();
    for at in [0, 7, 8, 10, 11, 12, 28, 31, 32, 56, 103, META, META + 24, 384, CHUNKS - 1, CHUNKS, 401, 499, 500, 515] {
        let expect = if at < CHUNKS { "header damaged" } else { "wrong length" };
        cases.push(refused(&format!("cut-at-{at}"), "the file ends early", expect, bytes[..at].to_vec()));
    }
    let wrong = |name: &str, about: &str, bytes| refused(name, about, "wrong length", bytes);
    let three = sound(2 * C + 77).make();
    let two = sound(2 * C).make();
    cases.extend([
        wrong("trailing-byte", "a byte behind the last chunk", [bytes.clone(), vec![0]].concat()),
        wrong("twice", "the whole file twice", [bytes.clone(), bytes].concat()),
        wrong("no-last-chunk", "the last chunk is missing", three.in_order(&[0, 1])),
        wrong("no-first-chunk", "the first chunk is missing", three.in_order(&[1, 2])),
        wrong("no-chunk", "all chunks are missing", three.in_order(&[])),
        wrong("chunk-repeated", "the second chunk stands there twice", three.in_order(&[0, 1, 1, 2])),
        wrong("empty-no-chunk", "an empty blob without its chunk", sound(0).make().in_order(&[])),
    ]);
    let extra = sound(2 * C).with(|p| p.chunks = vec![(C, 0, 0), (C, 1, 0), (0, 2, 1)]).make();
    cases.push(wrong("empty-last-chunk", "a last chunk of no byte behind full ones", extra.bytes()));
    cases.push(wrong("cut-in-chunk", "the second chunk is cut", two.bytes()[..CHUNKS + C + 1000].to_vec()));
    cases
}

fn damaged_chunks() -> Vec<Case> {
    let three = sound(2 * C + 77).make();
    let (plain, bytes, sealed) = (&three.plain, three.bytes(), C + 16);
    let mut cases = Vec::new();
    for (name, at, chunk) in [
        ("first-byte", 0, 0),
        ("first-tag", C, 0),
        ("second-byte", sealed, 1),
        ("second-end", sealed + C - 1, 1),
        ("second-tag", 2 * sealed - 1, 1),
        ("last-byte", 2 * sealed, 2),
        ("last-tag", 2 * sealed + 77 + 15, 2),
    ] {
        let bad = flipped(&bytes, CHUNKS + at, 0x80);
        cases.push(opened(&format!("chunk-{name}"), "a bit of one chunk differs", plain, &[chunk], bad));
    }
    let full = sound(3 * C).make();
    let other = sound(2 * C + 77).with(|p| p.file_key = [0x55; 32]).make();
    let mut foreign = bytes.clone();
    foreign[CHUNKS + sealed..CHUNKS + 2 * sealed].copy_from_slice(&other.chunks[1]);
    cases.extend([
        opened("swapped", "the first two chunks changed places", plain, &[0, 1], three.in_order(&[1, 0, 2])),
        opened("repeated", "the first chunk in place of the second", plain, &[1], three.in_order(&[0, 0, 2])),
        opened("last-moved", "the last two chunks changed places", &full.plain, &[1, 2], full.in_order(&[0, 2, 1])),
        opened("of-another", "the second chunk is that of another blob", plain, &[1], foreign),
    ]);
    for (name, about, bad, chunks) in [
        ("last-not-set", "the last chunk is not marked as the last", 1, [(C, 0, 0), (9, 1, 0)]),
        ("last-too-early", "the first of two chunks is marked as the last", 0, [(C, 0, 1), (9, 1, 1)]),
        ("last-is-2", "the mark of the last chunk is 2", 1, [(C, 0, 0), (9, 1, 2)]),
        ("counted-from-1", "chunks are counted from 1", 0, [(C, 1, 0), (9, 2, 1)]),
        ("count-skips", "a number is left out", 1, [(C, 0, 0), (9, 2, 1)]),
    ] {
        let made = sound(C + 9).with(|p| p.chunks = chunks.to_vec()).make();
        let bad = if name == "counted-from-1" { vec![0, 1] } else { vec![bad] };
        cases.push(opened(name, about, &made.plain, &bad, made.bytes()));
    }
    let made = sound(0).with(|p| p.chunks = vec![(0, 0, 0)]).make();
    cases.push(opened("empty-not-last", "the chunk of an empty blob is not marked", &made.plain, &[0], made.bytes()));
    let bad = flipped(&sound(0).make().bytes(), CHUNKS, 1);
    cases.push(opened("empty-tag", "the tag of an empty blob differs", &made.plain, &[0], bad));
    cases
}
