//! The key slots: a small file that holds the master key, wrapped once for each way of unlocking it. Format: `vault/FORMAT.md`.

use std::{fs, io, path::Path};

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

use super::{DataDir, KeyError, SealError, Secret32, SlotKind, Unlock, durable};
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
    let Some((content, sum)) = bytes.split_last_chunk::<CHECKSUM_BYTES>() else { return Ok(Parsed::Damaged) };
    if blake3::hash(content) != *sum {
        return Ok(Parsed::Damaged);
    }
    let Some((head, body)) = content.split_first_chunk::<HEAD_BYTES>() else { return Ok(Parsed::Damaged) };
    let Some([low, high]) = head.strip_prefix(MAGIC) else { return Ok(Parsed::Damaged) };
    let version = u16::from_le_bytes([*low, *high]);
    if version > VERSION {
        return Ok(Parsed::Newer(version));
    }
    Ok(match postcard::from_bytes::<Body>(body) {
        Ok(body) if version == VERSION && body.slots.len() <= MAX_KEY_SLOTS => Parsed::Sound(body),
        _ => Parsed::Damaged,
    })
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

fn kinds(body: &Body) -> Vec<SlotKind> {
    body.slots.iter().filter_map(|slot| SlotKind::of(slot.kind)).collect()
}

/// The kinds of the slots, in their order; none before the first start.
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
        let failed = |source| KeyError::Io { action: "destroy", path: path.clone(), source };
        let length = match fs::metadata(path) {
            Ok(metadata) => metadata.len().min(MAX_KEY_SLOTS_BYTES) as usize,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(failed(error)),
        };
        let file = fs::OpenOptions::new().write(true).open(path).map_err(failed)?;
        std::os::unix::fs::FileExt::write_all_at(&file, &vec![0; length], 0).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        fs::remove_file(path).map_err(failed)?;
    }
    durable::sync_folder(&dir.root).map_err(|source| KeyError::Io { action: "sync", path: dir.root.clone(), source })
}
