//! The key slots: a small file that holds the master key, wrapped once for each way of unlocking it. Format: `vault/FORMAT.md`.

use std::{fs, io, path::Path};

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

use super::{DataDir, KeyError, KeyFile, SealError, Secret32, durable};
use crate::{
    limits::{MAX_KEY_SLOTS, MAX_KEY_SLOTS_BYTES},
    vault::seal,
};

const MAGIC: &[u8; 8] = b"IFSLOTS\n";
const VERSION: u16 = 1;
const CHECKSUM_BYTES: usize = 32;
const HEAD_BYTES: usize = MAGIC.len() + 2;

/// How a slot is unlocked. Numbers are part of the format; 2 and 3 are set aside for a passphrase and a recovery phrase.
const KIND_KEY_FILE: u8 = 1;

#[derive(Serialize, Deserialize)]
struct Body {
    vault: [u8; 16],
    slots: Vec<Slot>,
}

#[derive(Serialize, Deserialize)]
struct Slot {
    kind: u8,
    /// Tells which secret the slot belongs to, so that a wrong key file is not mistaken for damage.
    key_id: [u8; 8],
    /// What the kind needs besides, such as the cost of a passphrase; empty for a key file.
    parameters: Vec<u8>,
    wrapped: Vec<u8>,
}

fn key_id(secret: &Secret32) -> [u8; 8] {
    let [a, b, c, d, e, f, g, h, ..] = *secret.derive("inframe 2026-11-25 key file: id").expose();
    [a, b, c, d, e, f, g, h]
}

fn wrapping_key(secret: &Secret32) -> Secret32 {
    secret.derive("inframe 2026-11-25 key file: wrapping key")
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

/// Makes a new master key, wrapped for `secret`.
pub(super) fn create(dir: &DataDir, secret: &Secret32) -> Result<Secret32, KeyError> {
    let master = Secret32::random().map_err(|_| SealError)?;
    let mut vault = [0; 16];
    getrandom::fill(&mut vault).map_err(|_| SealError)?;
    let wrapped = seal::seal(&wrapping_key(secret), &aad(&vault, KIND_KEY_FILE), master.expose())?;
    let slot = Slot { kind: KIND_KEY_FILE, key_id: key_id(secret), parameters: Vec::new(), wrapped };
    write_both(dir, &encode(&Body { vault, slots: vec![slot] })?)?;
    Ok(master)
}

/// The master key, or `None` if there are no slots yet.
pub(super) fn unlock(dir: &DataDir, key_file: &KeyFile) -> Result<Option<Secret32>, KeyError> {
    let mut missing = 0;
    for path in [&dir.key_slots, &dir.key_slots_copy] {
        match parse(path)? {
            Parsed::Missing => missing += 1,
            Parsed::Damaged => {}
            Parsed::Newer(version) => return Err(KeyError::NewerSlots { path: path.clone(), version }),
            Parsed::Sound(body) => {
                let secret = key_file.read()?;
                match unwrap_master(&body, &secret) {
                    Unwrapped::Master(master) => {
                        restore_other_copy(dir, &body)?;
                        return Ok(Some(master));
                    }
                    Unwrapped::NoSlot => {
                        return Err(KeyError::WrongKeyFile { path: key_file.path().to_path_buf() });
                    }
                    Unwrapped::Damaged => {}
                }
            }
        }
    }
    if missing == 2 { Ok(None) } else { Err(KeyError::SlotsDamaged { path: dir.key_slots.clone() }) }
}

enum Unwrapped {
    Master(Secret32),
    NoSlot,
    Damaged,
}

fn unwrap_master(body: &Body, secret: &Secret32) -> Unwrapped {
    let id = key_id(secret);
    let mine = |slot: &&Slot| slot.kind == KIND_KEY_FILE && bool::from(slot.key_id.ct_eq(&id));
    let mut outcome = Unwrapped::NoSlot;
    for slot in body.slots.iter().filter(mine) {
        let plain = seal::open(&wrapping_key(secret), &aad(&body.vault, slot.kind), &slot.wrapped);
        match plain.as_ref().and_then(|plain| plain.first_chunk::<32>()) {
            Some(master) => return Unwrapped::Master(Secret32::new(*master)),
            None => outcome = Unwrapped::Damaged,
        }
    }
    outcome
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
