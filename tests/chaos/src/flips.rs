//! Flipped bits: every bit of every header, key slot and key file, and bits by chance everywhere else. What is served afterwards is right, or the vault
//! says what is damaged.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use anyhow::{Context as _, Result, ensure};
use inframe::{
    data_dir::DataDir,
    limits::BLOB_CHUNK_BYTES,
    vault::{BlobEntry, BlobError, BlobId, BlobKind, KeyError, Keys, Subkey, Unlock, Vault},
};

use crate::{
    check,
    child::{self, End, Part, Trace},
    dice::Dice,
    outcome::{Outcome, Plan},
    panics,
    place::{Place, kind_of},
    points::in_lanes,
    promises::Promises,
};

/// What comes before the sealed metadata of a blob, whose length stands at its end: `FORMAT.md`, "Header".
const PREFIX_BYTES: usize = 32;
/// The wrapped key of a blob, between prefix and metadata.
const WRAPPED_KEY_BYTES: usize = 72;
/// The head of a journal file: `FORMAT.md`, "Journal".
const JOURNAL_HEAD_BYTES: usize = 34;

/// How a flip ended well.
const HARMLESS: &str = "harmless: everything is served right";
const REPAIRED: &str = "repaired by itself, nothing missing";
const DETECTED: &str = "detected: the vault says what is damaged";

/// A vault with something of everything in it, at rest.
struct Sound {
    files: BTreeMap<PathBuf, Vec<u8>>,
    promises: Promises,
}

impl Sound {
    fn make(program: &Path, plan: Plan) -> Result<Self> {
        let scratch = child::scratch()?;
        let place = Place::at(scratch.path().join("place"));
        let part = Part::Story { seed: plan.seed, rounds: 1 };
        let done = child::run(program, &place, part, Trace { calls: "none", bytes: false, inject: None })?;
        ensure!(done.end == End::Exit(0), "the story ended with {:?}: {}", done.end, done.complaint());
        let mut files = BTreeMap::new();
        for path in inframe_tests::scan::files(place.folder())? {
            files.insert(path.strip_prefix(place.folder())?.to_path_buf(), fs::read(&path)?);
        }
        let promises = Promises::heard(done.said.iter().map(String::as_str))?;
        Ok(Self { files, promises })
    }

    /// Puts all files at `place` as they were.
    fn lay(&self, place: &Place) -> Result<()> {
        match fs::remove_dir_all(place.folder()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        for (path, bytes) in &self.files {
            let path = place.folder().join(path);
            fs::create_dir_all(path.parent().context("a file without a folder")?)?;
            fs::write(&path, bytes)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        }
        Ok(())
    }

    fn of_kind(&self, kind: &str) -> impl Iterator<Item = (&PathBuf, &Vec<u8>)> {
        self.files.iter().filter(move |(path, _)| kind_of(path) == kind)
    }
}

fn flipped(bytes: &[u8], bit: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    if let Some(byte) = bytes.get_mut(bit / 8) {
        *byte ^= 1 << (bit % 8);
    }
    bytes
}

/// Every bit of the first `bytes`, or `count` of them by chance.
fn bits(bytes: usize, count: Option<usize>, dice: &mut Dice) -> Vec<usize> {
    match count {
        None => (0..bytes * 8).collect(),
        Some(count) => (0..count).map(|_| dice.below(bytes * 8)).collect(),
    }
}

/// The campaign.
///
/// # Errors
/// When the vault cannot be made or its files not be changed; a flip that is served as if nothing were wrong is counted instead.
pub fn run(plan: Plan, program: &Path) -> Result<Outcome> {
    panics::watch();
    let mut outcome = Outcome::begin("bit flips", plan, plan.pick(10_000, 500));
    let mut dice = Dice::of(plan.seed, "flips");
    let sound = Sound::make(program, plan)?;
    let scratch = child::scratch()?;
    let place = Place::at(scratch.path().join("place"));
    keys(plan, &sound, &place, &mut dice, &mut outcome)?;
    blobs(plan, &sound, &place, &mut dice, &mut outcome)?;
    received(plan, &sound, &place, &mut dice, &mut outcome)?;
    catalog(plan, &sound, &mut dice, &mut outcome)?;
    backups(plan, &sound, &mut dice, &mut outcome)?;
    panics::report(&mut outcome);
    Ok(outcome.ended())
}

/// Key file and both copies of the key slots: the same keys come out, or none.
fn keys(plan: Plan, sound: &Sound, place: &Place, dice: &mut Dice, outcome: &mut Outcome) -> Result<()> {
    sound.lay(place)?;
    let dir = DataDir::open(place.data())?;
    let way = Unlock::KeyFile(place.key_file());
    let master = |keys: &Keys| keys.subkey(Subkey::Blobs).expose().to_vec();
    let right = master(&Keys::unlock(&dir, &way)?);
    let files: Vec<_> = sound.of_kind("key slots").chain(sound.of_kind("key file")).collect();
    for (path, bytes) in &files {
        for bit in bits(bytes.len(), plan.pick(None, Some(40)), dice) {
            for (path, bytes) in &files {
                fs::write(place.folder().join(path), bytes)?;
            }
            fs::write(place.folder().join(path), flipped(bytes, bit))?;
            let end = match Keys::unlock(&dir, &way) {
                Ok(keys) if master(&keys) != right => {
                    outcome.violated(format!("bit {bit} of {}: other keys came out", path.display()));
                    "violated"
                }
                Ok(_) if fs::read(place.folder().join(path))? == **bytes => REPAIRED,
                Ok(_) => HARMLESS,
                Err(KeyError::Io { .. }) => {
                    outcome.violated(format!("bit {bit} of {}: taken for a broken disk", path.display()));
                    "violated"
                }
                Err(_) => DETECTED,
            };
            outcome.count(format!("{}, every bit", kind_of(path)), end);
        }
    }
    Ok(())
}

/// Blobs: every bit of a header of each kind, and bits of all blobs by chance.
fn blobs(plan: Plan, sound: &Sound, place: &Place, dice: &mut Dice, outcome: &mut Outcome) -> Result<()> {
    sound.lay(place)?;
    let dir = DataDir::open(place.data())?;
    let vault = Vault::open(&dir, &place.key_file())?;
    let mut of_kind: BTreeMap<u8, (&PathBuf, &Vec<u8>, BlobId)> = BTreeMap::new();
    let mut all = Vec::new();
    for (path, bytes) in sound.of_kind("blob") {
        let name = path.file_name().and_then(|name| name.to_str()).context("a blob without a name")?;
        let id: BlobId = name.parse().ok().context("a blob with another name")?;
        all.push((path, bytes, id));
        of_kind.entry(vault.blobs().describe(id)?.kind as u8).or_insert((path, bytes, id));
    }
    let mut flip = |(path, bytes, id): (&PathBuf, &Vec<u8>, BlobId), bit: usize, fault: &str| -> Result<()> {
        let at = place.folder().join(path);
        let right = (vault.blobs().describe(id)?, vault.blobs().read(id)?.to_vec());
        fs::write(&at, flipped(bytes, bit))?;
        let read = vault.blobs().describe(id).and_then(|entry| Ok((entry, vault.blobs().read(id)?.to_vec())));
        fs::write(&at, bytes)?;
        let end = judge_read(&right, read);
        if end == "violated" {
            outcome.violated(format!("bit {bit} of {}: served as if nothing were wrong", path.display()));
        }
        outcome.count(fault, end);
        Ok(())
    };
    for blob in of_kind.into_values() {
        let header = header_bytes(blob.1)?;
        for bit in bits(header, plan.pick(None, Some(40)), dice) {
            flip(blob, bit, "header of a blob, every bit")?;
        }
    }
    for _ in 0..plan.pick(2500, 100) {
        let Some(blob) = all.get(dice.below(all.len())).copied() else { continue };
        let header = header_bytes(blob.1)?;
        flip(blob, header * 8 + dice.below((blob.1.len() - header) * 8), "chunk of a blob, by chance")?;
    }
    Ok(())
}

type Read = (BlobEntry, Vec<u8>);

fn judge_read(right: &Read, read: Result<Read, BlobError>) -> &'static str {
    match read {
        Ok(read) if read == *right => HARMLESS,
        Ok(_) | Err(BlobError::NotFound { .. }) => "violated",
        Err(_) => DETECTED,
    }
}

fn header_bytes(blob: &[u8]) -> Result<usize> {
    let length = blob.get(PREFIX_BYTES - 4..PREFIX_BYTES).and_then(|bytes| bytes.try_into().ok());
    let sealed = u32::from_le_bytes(length.context("a blob without a header")?) as usize;
    Ok(PREFIX_BYTES + WRAPPED_KEY_BYTES + sealed)
}

/// A blob that is being received: what is gone on with is right, the rest is received again.
fn received(plan: Plan, sound: &Sound, place: &Place, dice: &mut Dice, outcome: &mut Outcome) -> Result<()> {
    sound.lay(place)?;
    let dir = DataDir::open(place.data())?;
    let vault = Vault::open(&dir, &place.key_file())?;
    let (id, plain) = (BlobId::random()?, dice.bytes(3 * BLOB_CHUNK_BYTES));
    let begin = || vault.blobs().incoming(id, BlobKind::Original, plain.len() as u64, b"meta");
    let mut incoming = begin()?;
    for group in plain.chunks(BLOB_CHUNK_BYTES).take(2) {
        incoming.append(&mut group.to_vec())?;
    }
    drop(incoming);
    let path = dir.incoming.join(id.to_string());
    let bytes = fs::read(&path)?;
    let header = header_bytes(&bytes)?;
    let mut flips: Vec<(usize, &str)> = bits(header, plan.pick(None, Some(25)), dice)
        .into_iter()
        .map(|bit| (bit, "header of a received blob, every bit"))
        .collect();
    for _ in 0..plan.pick(200, 15) {
        flips.push((header * 8 + dice.below((bytes.len() - header) * 8), "group of a received blob, by chance"));
    }
    for (bit, fault) in flips {
        fs::write(&path, flipped(&bytes, bit))?;
        let end = match begin() {
            Err(BlobError::Io { .. }) => "violated",
            Err(_) => DETECTED,
            Ok(incoming) => {
                let wrong = (0..incoming.present())
                    .zip(plain.chunks(BLOB_CHUNK_BYTES))
                    .any(|(group, right)| incoming.read_group(group).map_or(true, |read| *read != right));
                match (wrong, incoming.present()) {
                    (true, _) => "violated",
                    (false, 2) => HARMLESS,
                    (false, _) => "detected: received again from the damage on",
                }
            }
        };
        if end == "violated" {
            outcome.violated(format!("bit {bit} of a received blob: gone on with as if nothing were wrong"));
        }
        outcome.count(fault, end);
    }
    Ok(())
}

/// Journal, snapshot and database, each flip before a start of its own.
fn catalog(plan: Plan, sound: &Sound, dice: &mut Dice, outcome: &mut Outcome) -> Result<()> {
    let mut flips: Vec<(&PathBuf, usize, &str)> = Vec::new();
    for (path, _) in sound.of_kind("journal") {
        let head = bits(JOURNAL_HEAD_BYTES, plan.pick(None, Some(15)), dice);
        flips.extend(head.into_iter().map(|bit| (path, bit, "head of the journal, every bit")));
    }
    for (path, bytes) in sound.of_kind("snapshot") {
        let header = bits(header_bytes(bytes)?, plan.pick(None, Some(15)), dice);
        flips.extend(header.into_iter().map(|bit| (path, bit, "header of the snapshot, every bit")));
    }
    for (kind, fault) in
        [("journal", "journal, by chance"), ("snapshot", "snapshot, by chance"), ("database", "database, by chance")]
    {
        let files: Vec<_> = sound.of_kind(kind).filter(|(_, bytes)| !bytes.is_empty()).collect();
        for _ in 0..plan.pick(600, 15) {
            let Some((path, bytes)) = files.get(dice.below(files.len())) else { continue };
            flips.push((path, dice.below(bytes.len() * 8), fault));
        }
    }
    // The snapshot is read only when the database is lost: then its damage must show.
    let snapshots: Vec<_> = sound.of_kind("snapshot").collect();
    let with_database = flips.len();
    for _ in 0..plan.pick(300, 10) {
        let Some((path, bytes)) = snapshots.first() else { continue };
        flips.push((path, dice.below(bytes.len() * 8), "snapshot while the database is lost, by chance"));
    }
    let shared = Mutex::new(outcome);
    in_lanes(flips.len(), |number, place| {
        let Some(flip) = flips.get(number) else { return Ok(()) };
        let (end, violation) = flip_and_start(sound, place, *flip, number >= with_database)?;
        let mut outcome = shared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(violation) = violation {
            outcome.violated(violation);
        }
        outcome.count(flip.2, end);
        Ok(())
    })
}

/// A backup on a disk that rots: what comes back is right, or is said to be damaged.
fn backups(plan: Plan, sound: &Sound, dice: &mut Dice, outcome: &mut Outcome) -> Result<()> {
    let files: Vec<_> = sound.of_kind("backup").filter(|(_, bytes)| !bytes.is_empty()).collect();
    ensure!(!files.is_empty(), "there is no backup");
    let mut flips = Vec::new();
    for _ in 0..plan.pick(600, 25) {
        let Some((path, bytes)) = files.get(dice.below(files.len())).copied() else { continue };
        flips.push((path, bytes, dice.below(bytes.len() * 8)));
    }
    let shared = Mutex::new(outcome);
    in_lanes(flips.len(), |number, place| {
        let Some((path, bytes, bit)) = flips.get(number) else { return Ok(()) };
        sound.lay(place)?;
        fs::write(place.folder().join(path), flipped(bytes, *bit))?;
        let brought = check::backed_up(place, &sound.promises);
        let mut outcome = shared.lock().unwrap_or_else(PoisonError::into_inner);
        let end = match brought {
            Ok(()) => HARMLESS,
            Err(error) if check::is_said_by_the_vault(&error) => DETECTED,
            Err(error) => {
                outcome.violated(format!("bit {bit} of {}: {error:#}", path.display()));
                "violated"
            }
        };
        outcome.count("backup, by chance", end);
        Ok(())
    })
}

/// How it ended, and what was broken if anything was.
fn flip_and_start(
    sound: &Sound,
    place: &Place,
    (path, bit, _): (&PathBuf, usize, &str),
    database_lost: bool,
) -> Result<(&'static str, Option<String>)> {
    sound.lay(place)?;
    if database_lost {
        fs::remove_dir_all(place.data().join("catalog"))?;
    }
    let bytes = sound.files.get(path).context("no such file")?;
    fs::write(place.folder().join(path), flipped(bytes, bit))?;
    let violated = |error: anyhow::Error| Some(format!("bit {bit} of {}: {error:#}", path.display()));
    Ok(match check::all(place, &sound.promises) {
        Ok(found) if found.rebuilt => (REPAIRED, None),
        Ok(_) => (HARMLESS, None),
        Err(error) if check::is_said_by_the_vault(&error) => match after_detection(place, &sound.promises) {
            Ok(end) => (end, None),
            Err(error) => ("violated", violated(error.context("after it was detected"))),
        },
        Err(error) => ("violated", violated(error)),
    })
}

/// The damage was reported: at the next start everything is there again, or what is there is right.
fn after_detection(place: &Place, promises: &Promises) -> Result<&'static str> {
    if check::all(place, promises).is_ok() {
        return Ok("detected, and repaired at the next start");
    }
    check::nothing_wrong(place)?;
    Ok(DETECTED)
}
