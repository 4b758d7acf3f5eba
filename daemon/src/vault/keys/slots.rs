//! The key slots: a small file that holds the master key, wrapped once for each way of unlocking it. Format: `vault/FORMAT.md`.

use std::{fs, io, path::Path};

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

use super::{DataDir, KeyError, KeyFile, SealError, Secret32, SlotKind, Unlock, durable};
use crate::{
    limits::{MAX_KEY_SLOTS, MAX_KEY_SLOTS_BYTES},
    vault::seal,
};

const MAGIC: &[u8; 8] = b"IFSLOTS\n";
const VERSION: u16 = 1;
const CHECKSUM_BYTES: usize = 32;
const HEAD_BYTES: usize = MAGIC.len() + 2;

#[derive(Serialize, Deserialize)]
struct Body {
    vault: [u8; 16],
    slots: Vec<Slot>,
}

#[derive(Serialize, Deserialize)]
struct Slot {
    /// Of [`SlotKind`].
    kind: u8,
    /// Tells which secret the slot belongs to, so that a wrong secret is not mistaken for damage.
    key_id: [u8; 8],
    /// What the kind needs besides, such as the cost of a passphrase; empty for a key file.
    parameters: Vec<u8>,
    wrapped: Vec<u8>,
}

fn key_id(kind: SlotKind, secret: &Secret32) -> [u8; 8] {
    let [a, b, c, d, e, f, g, h, ..] = *secret.derive(kind.contexts()[0]).expose();
    [a, b, c, d, e, f, g, h]
}

fn wrapping_key(kind: SlotKind, secret: &Secret32) -> Secret32 {
    secret.derive(kind.contexts()[1])
}

fn aad(vault: &[u8; 16], kind: u8) -> Vec<u8> {
    [MAGIC.as_slice(), &VERSION.to_le_bytes(), vault, &[kind]].concat()
}

enum Parsed {
    Missing,
    Damaged,
    Newer(u16),
    Sound(Body),
}

fn parse(path: &Path) -> Result<Parsed, KeyError> {
    let bytes = match durable::read_at_most(path, MAX_KEY_SLOTS_BYTES) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Ok(Parsed::Missing),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => return Ok(Parsed::Damaged),
        Err(source) => return Err(KeyError::Io { action: "read", path: path.to_path_buf(), source }),
    };
    Ok(parse_bytes(&bytes))
}

fn parse_bytes(bytes: &[u8]) -> Parsed {
    let Some((content, sum)) = bytes.split_last_chunk::<CHECKSUM_BYTES>() else { return Parsed::Damaged };
    if blake3::hash(content) != *sum {
        return Parsed::Damaged;
    }
    let Some((head, body)) = content.split_first_chunk::<HEAD_BYTES>() else { return Parsed::Damaged };
    let Some([low, high]) = head.strip_prefix(MAGIC) else { return Parsed::Damaged };
    let version = u16::from_le_bytes([*low, *high]);
    if version > VERSION {
        return Parsed::Newer(version);
    }
    match postcard::from_bytes::<Body>(body) {
        Ok(body) if version == VERSION && body.slots.len() <= MAX_KEY_SLOTS => Parsed::Sound(body),
        _ => Parsed::Damaged,
    }
}

/// Slots that lie elsewhere; `path` is named when they are of no use.
fn body_of(bytes: &[u8], path: &Path) -> Result<Body, KeyError> {
    match parse_bytes(bytes) {
        Parsed::Sound(body) => Ok(body),
        Parsed::Newer(version) => Err(KeyError::NewerSlots { path: path.to_path_buf(), version }),
        Parsed::Missing | Parsed::Damaged => Err(KeyError::SlotsDamaged { path: path.to_path_buf() }),
    }
}

/// The kinds of slots that lie elsewhere.
pub(super) fn list_of(bytes: &[u8], path: &Path) -> Result<Vec<SlotKind>, KeyError> {
    Ok(kinds(&body_of(bytes, path)?))
}

/// The master key in slots that lie elsewhere.
pub(super) fn unlock_of(bytes: &[u8], path: &Path, way: &Unlock) -> Result<Secret32, KeyError> {
    let body = body_of(bytes, path)?;
    match unwrap_master(&body, way)? {
        Unwrapped::Master { master, .. } => Ok(master),
        Unwrapped::NoSlot => Err(no_slot(&body, way)),
        Unwrapped::Damaged => Err(KeyError::SlotsDamaged { path: path.to_path_buf() }),
    }
}

/// The id of the key in a key file, if one of the slots is for it.
pub(super) fn id_of_key_file(dir: &DataDir, key_file: &KeyFile) -> Result<Option<[u8; 8]>, KeyError> {
    let Ok(secret) = key_file.read() else { return Ok(None) };
    let id = key_id(SlotKind::KeyFile, &secret);
    for path in [&dir.key_slots, &dir.key_slots_copy] {
        if let Parsed::Sound(body) = parse(path)? {
            let ours = body.slots.iter().any(|slot| slot.kind == SlotKind::KeyFile.number() && slot.key_id == id);
            return Ok(ours.then_some(id));
        }
    }
    Ok(None)
}

/// The id of the key in a key file.
pub(super) fn id_in(key_file: &KeyFile) -> Option<[u8; 8]> {
    Some(key_id(SlotKind::KeyFile, &key_file.read().ok()?))
}

fn encode(body: &Body) -> Result<Vec<u8>, KeyError> {
    let mut bytes = [MAGIC.as_slice(), &VERSION.to_le_bytes()].concat();
    bytes.extend(postcard::to_stdvec(body).map_err(|_| SealError)?);
    let sum = blake3::hash(&bytes);
    bytes.extend_from_slice(sum.as_bytes());
    Ok(bytes)
}

fn write_both(dir: &DataDir, bytes: &[u8]) -> Result<(), KeyError> {
    // The copy first: the vault counts as made once the first file is there.
    for path in [&dir.key_slots_copy, &dir.key_slots] {
        durable::replace(path, bytes).map_err(|source| KeyError::Io { action: "write", path: path.clone(), source })?;
    }
    Ok(())
}

/// Makes a new master key, wrapped for `way`.
pub(super) fn create(dir: &DataDir, way: &Unlock) -> Result<Secret32, KeyError> {
    let master = Secret32::random().map_err(|_| SealError)?;
    let mut vault = [0; 16];
    getrandom::fill(&mut vault).map_err(|_| SealError)?;
    let slots = vec![wrap(&vault, &master, way)?];
    write_both(dir, &encode(&Body { vault, slots })?)?;
    Ok(master)
}

fn wrap(vault: &[u8; 16], master: &Secret32, way: &Unlock) -> Result<Slot, KeyError> {
    let kind = way.kind();
    let parameters = way.new_parameters()?;
    let secret = way.secret(&parameters)?;
    let wrapped = seal::seal(&wrapping_key(kind, &secret), &aad(vault, kind.number()), master.expose())?;
    Ok(Slot { kind: kind.number(), key_id: key_id(kind, &secret), parameters, wrapped })
}

/// The master key, or `None` if there are no slots yet.
pub(super) fn unlock(dir: &DataDir, way: &Unlock) -> Result<Option<Secret32>, KeyError> {
    Ok(open(dir, way)?.map(|opened| opened.master))
}

/// The slots as they were found, unlocked.
struct Opened {
    master: Secret32,
    body: Body,
    /// Index of the slot that was unlocked.
    by: usize,
}

fn open(dir: &DataDir, way: &Unlock) -> Result<Option<Opened>, KeyError> {
    let mut missing = 0;
    for path in [&dir.key_slots, &dir.key_slots_copy] {
        match parse(path)? {
            Parsed::Missing => missing += 1,
            Parsed::Damaged => {}
            Parsed::Newer(version) => return Err(KeyError::NewerSlots { path: path.clone(), version }),
            Parsed::Sound(body) => match unwrap_master(&body, way)? {
                Unwrapped::Master { master, by } => {
                    restore_other_copy(dir, &body)?;
                    return Ok(Some(Opened { master, body, by }));
                }
                Unwrapped::NoSlot => return Err(no_slot(&body, way)),
                Unwrapped::Damaged => {}
            },
        }
    }
    if missing == 2 { Ok(None) } else { Err(KeyError::SlotsDamaged { path: dir.key_slots.clone() }) }
}

/// Why none of the slots opens.
fn no_slot(body: &Body, way: &Unlock) -> KeyError {
    let kinds = kinds(body);
    if !kinds.contains(&way.kind()) {
        return KeyError::NoSuchSlot { wanted: way.kind(), there: kinds };
    }
    match way {
        Unlock::KeyFile(file) => KeyError::WrongKeyFile { path: file.path().to_path_buf() },
        Unlock::Passphrase(_) | Unlock::Recovery(_) => KeyError::WrongSecret(way.kind()),
    }
}

enum Unwrapped {
    Master { master: Secret32, by: usize },
    NoSlot,
    Damaged,
}

fn unwrap_master(body: &Body, way: &Unlock) -> Result<Unwrapped, KeyError> {
    let kind = way.kind();
    let mut outcome = Unwrapped::NoSlot;
    for (by, slot) in body.slots.iter().enumerate().filter(|(_, slot)| slot.kind == kind.number()) {
        let secret = way.secret(&slot.parameters)?;
        if !bool::from(slot.key_id.ct_eq(&key_id(kind, &secret))) {
            continue;
        }
        let plain = seal::open(&wrapping_key(kind, &secret), &aad(&body.vault, slot.kind), &slot.wrapped);
        match plain.as_ref().and_then(|plain| plain.first_chunk::<32>()) {
            Some(master) => return Ok(Unwrapped::Master { master: Secret32::new(*master), by }),
            None => outcome = Unwrapped::Damaged,
        }
    }
    Ok(outcome)
}

/// Each kind once: whoever is asked to unlock need not know of how many key files there are.
fn kinds(body: &Body) -> Vec<SlotKind> {
    let mut kinds = Vec::new();
    for kind in body.slots.iter().filter_map(|slot| SlotKind::of(slot.kind)) {
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    kinds
}

/// The kinds of the slots, each once, in their order; none before the first start.
pub(super) fn list(dir: &DataDir) -> Result<Vec<SlotKind>, KeyError> {
    for path in [&dir.key_slots, &dir.key_slots_copy] {
        match parse(path)? {
            Parsed::Sound(body) => return Ok(kinds(&body)),
            Parsed::Newer(version) => return Err(KeyError::NewerSlots { path: path.clone(), version }),
            Parsed::Missing | Parsed::Damaged => {}
        }
    }
    Ok(Vec::new())
}

/// The vault's id and the bytes of a sound copy of the slots.
pub(super) fn sound(dir: &DataDir) -> Result<([u8; 16], Vec<u8>), KeyError> {
    for path in [&dir.key_slots, &dir.key_slots_copy] {
        match parse(path)? {
            Parsed::Sound(body) => return Ok((body.vault, encode(&body)?)),
            Parsed::Newer(version) => return Err(KeyError::NewerSlots { path: path.clone(), version }),
            Parsed::Missing | Parsed::Damaged => {}
        }
    }
    Err(KeyError::NoVault)
}

/// Takes over slots from elsewhere, byte for byte.
pub(super) fn adopt(dir: &DataDir, bytes: &[u8]) -> Result<(), KeyError> {
    write_both(dir, bytes)
}

/// What is to change of the slots.
pub(super) enum Change<'a> {
    /// One more.
    Add(&'a Unlock),
    /// One instead of all of its kind.
    Replace(&'a Unlock),
    /// All of a kind, which is not the kind that unlocked.
    Remove(SlotKind),
}

/// Changes the slots, unlocked with `by`. No blob is touched: all slots hold the same master key.
pub(super) fn change(dir: &DataDir, by: &Unlock, change: Change<'_>) -> Result<Vec<SlotKind>, KeyError> {
    let Opened { master, mut body, by: own } = open(dir, by)?.ok_or(KeyError::NoVault)?;
    match change {
        Change::Add(new) => body.slots.push(wrap(&body.vault, &master, new)?),
        Change::Replace(new) => {
            body.slots.retain(|slot| slot.kind != new.kind().number());
            body.slots.push(wrap(&body.vault, &master, new)?);
        }
        Change::Remove(kind) => {
            if body.slots.get(own).is_some_and(|slot| slot.kind == kind.number()) {
                return Err(KeyError::OwnSlot(kind));
            }
            let before = body.slots.len();
            body.slots.retain(|slot| slot.kind != kind.number());
            if body.slots.len() == before {
                return Err(KeyError::NoSuchSlot { wanted: kind, there: kinds(&body) });
            }
        }
    }
    if body.slots.len() > MAX_KEY_SLOTS {
        return Err(KeyError::TooManySlots);
    }
    write_both(dir, &encode(&body)?)?;
    Ok(kinds(&body))
}

/// Writes both copies again if they are not the same sound bytes.
fn restore_other_copy(dir: &DataDir, body: &Body) -> Result<(), KeyError> {
    let bytes = encode(body)?;
    let sound = |path: &Path| fs::read(path).is_ok_and(|found| found == bytes);
    if sound(&dir.key_slots) && sound(&dir.key_slots_copy) {
        return Ok(());
    }
    tracing::warn!("one copy of the key slots was missing or damaged and is written again from the other");
    write_both(dir, &bytes)
}

pub(super) fn destroy(dir: &DataDir) -> Result<(), KeyError> {
    for path in [&dir.key_slots, &dir.key_slots_copy] {
        // A change that was cut short leaves the slots under another name as well.
        for path in [path.clone(), durable::temporary_name(path)] {
            let failed = |source| KeyError::Io { action: "destroy", path: path.clone(), source };
            durable::destroy(&path, MAX_KEY_SLOTS_BYTES).map_err(failed)?;
        }
    }
    durable::sync_folder(&dir.root).map_err(|source| KeyError::Io { action: "sync", path: dir.root.clone(), source })
}
