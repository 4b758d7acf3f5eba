//! A program that does to a vault what a daemon does, one step after the other on one thread, and says each promise on a line: the one that is
//! killed, cut off and given a broken disk.
//!
//! Every step goes on after an error, as the daemon's workers do: it says `refused`, opens the vault again, and tries the step once more.

use std::{io::Write as _, path::Path};

use anyhow::{Context as _, Result, bail, ensure};
use data_encoding::HEXLOWER;
use inframe::{
    data_dir::DataDir,
    library::{AssetId, AssetKind, FacesState, Origin, StoredAsset, Trashed, finish_purges},
    limits::BLOB_CHUNK_BYTES,
    vault::{Batch, BlobId, BlobKind, Keys, Kind, RecoveryPhrase, SlotKind, Unlock, Vault, backup::Backup},
};
use inframe_protocol::ContentId;

use crate::{dice::Dice, place::Place};

/// A word that is in every photo, file name and record of a story, and must never be on the disk in plain.
pub const CANARY: &str = "Canary-Slartibartfast-1979";

/// When the first backup is made, Unix milliseconds.
const FIRST_BACKUP_MS: u64 = 1_800_000_000_000;

/// How often a step is tried before the story gives up.
const TRIES: usize = 3;

/// Says one line on standard output, in one write, so that a record of system calls shows when it was said.
fn say(line: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("@{line}\n").as_bytes())?;
    Ok(out.flush()?)
}

/// The lines that a story has said, without what else a program prints.
pub fn lines(output: &str) -> impl Iterator<Item = &str> {
    // The last line counts only if all of it was said.
    output.split_inclusive('\n').filter_map(|line| line.strip_prefix('@')?.strip_suffix('\n'))
}

fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

struct Story {
    place: Place,
    vault: Option<(DataDir, Vault)>,
    dice: Dice,
    /// The recovery phrase that opens the vault now.
    phrase: Option<String>,
}

/// Runs the story in `folder`: `rounds` times everything that a vault is used for. What it is used for next (a trash, a backup) is one more step here, and
/// is then killed, cut off and refused at each of its calls like the others.
///
/// # Errors
/// When a step fails several times over.
pub fn run(folder: &Path, seed: u64, rounds: usize) -> Result<()> {
    let mut story = Story { place: Place::at(folder), vault: None, dice: Dice::of(seed, "story"), phrase: None };
    for round in 0..rounds {
        let kept = story.step("import", |story| story.import(BLOB_CHUNK_BYTES + 1))?;
        let other = story.step("import", |story| story.import(3000 + round))?;
        story.step("index", |story| story.index(kept))?;
        story.step("share", |story| story.share(kept))?;
        story.step("receive", |story| story.receive(2 * BLOB_CHUNK_BYTES + 77))?;
        story.step("revoke", |story| story.revoke(kept))?;
        story.step("snapshot", |story| story.snapshot())?;
        story.step("trash", |story| story.trash(other, true))?;
        story.step("trash", |story| story.trash(kept, true))?;
        story.step("restore", |story| story.trash(kept, false))?;
        story.step("backup", |story| story.back_up(round as u64))?;
        story.step("delete", |story| story.delete(other))?;
        story.step("key change", |story| story.change_keys(round % 2 == 1))?;
        story.step("import", |story| story.import(BLOB_CHUNK_BYTES))?;
    }
    say("ended")
}

/// Only opens the vault and reads all records once: what the first seconds of a daemon do to the disk.
///
/// # Errors
/// When it does not open.
pub fn recover(folder: &Path) -> Result<()> {
    let mut story = Story { place: Place::at(folder), vault: None, dice: Dice::of(0, "recovery"), phrase: None };
    let vault = story.vault()?;
    for kind in Kind::ALL {
        vault.catalog().scan(kind)?;
    }
    story.snapshot()?;
    say("ended")
}

impl Story {
    fn vault(&mut self) -> Result<Vault> {
        if let Some((_, vault)) = &self.vault {
            return Ok(vault.clone());
        }
        let dir = DataDir::open(self.place.data())?;
        let vault = Vault::open(&dir, &self.place.key_file())?;
        finish_purges(&vault)?;
        self.vault = Some((dir, vault.clone()));
        Ok(vault)
    }

    fn step<T>(&mut self, name: &str, mut step: impl FnMut(&mut Self) -> Result<T>) -> Result<T> {
        for _ in 0..TRIES {
            say(&format!("begun {name}"))?;
            match step(self) {
                Ok(done) => return Ok(done),
                Err(error) => {
                    say(&format!("refused {name} because {error:#}").replace('\n', " "))?;
                    // What a user who reads the message does: start it again.
                    self.vault = None;
                }
            }
        }
        bail!("{name} was refused {TRIES} times")
    }

    fn photo(&mut self, bytes: usize) -> Vec<u8> {
        let mut photo = self.dice.bytes(bytes);
        let at = photo.len() / 2;
        photo.splice(at..at, CANARY.bytes());
        photo
    }

    /// As the library takes in a photo: its blobs in one batch, then its rows.
    fn import(&mut self, bytes: usize) -> Result<AssetId> {
        let (vault, photo) = (self.vault()?, self.photo(bytes));
        let id = AssetId::random()?;
        let mut blobs = vault.blobs().batch()?;
        let original = blobs.put(BlobKind::Original, &meta(id), &photo)?;
        let grid = blobs.put(BlobKind::Grid, &meta(id), CANARY.repeat(40).as_bytes())?;
        let preview = blobs.put(BlobKind::Preview, &meta(id), CANARY.repeat(400).as_bytes())?;
        blobs.commit()?;
        self.list(&vault, id, asset(&photo, [original, grid, preview]), Batch::new())?;
        Ok(id)
    }

    fn list(&self, vault: &Vault, id: AssetId, asset: StoredAsset, mut batch: Batch) -> Result<()> {
        batch.put_versioned(Kind::Asset, id.0, &asset)?;
        batch.put(Kind::ContentTag, vault.content_tag(&asset.content.0), id.0);
        vault.catalog().commit(batch)?;
        say(&format!("photo {id} {}", hex(&asset.content.0)))
    }

    /// A record that is promised once it is committed.
    fn record(&self, vault: &Vault, kind: Kind, key: &[u8], value: &[u8]) -> Result<()> {
        say(&format!("changing {} {}", kind as u8, hex(key)))?;
        let mut batch = Batch::new();
        batch.put(kind, key, value);
        vault.catalog().commit(batch)?;
        say(&format!("record {} {} {}", kind as u8, hex(key), blake3::hash(value).to_hex()))
    }

    fn index(&mut self, id: AssetId) -> Result<()> {
        let (vault, value) = (self.vault()?, self.photo(900));
        self.record(&vault, Kind::Face, &id.0, &value)
    }

    fn share(&mut self, id: AssetId) -> Result<()> {
        let (vault, value) = (self.vault()?, self.photo(300));
        let rendition = vault.blobs().put(BlobKind::Rendition, &meta(id), &value)?;
        self.record(&vault, Kind::Rendition, &id.0, rendition.as_bytes())?;
        self.record(&vault, Kind::Offer, &id.0, &value)
    }

    /// As a transfer arrives: begun, interrupted, gone on with, finished, listed.
    fn receive(&mut self, bytes: usize) -> Result<()> {
        let (vault, photo) = (self.vault()?, self.photo(bytes));
        let (id, blob) = (AssetId::random()?, BlobId::random()?);
        let mut batch = Batch::new();
        batch.put(Kind::Incoming, blob.as_bytes(), id.0);
        vault.catalog().commit(batch)?;
        let mut groups = photo.chunks(BLOB_CHUNK_BYTES);
        let mut incoming = vault.blobs().incoming(blob, BlobKind::Original, photo.len() as u64, &meta(id))?;
        incoming.append(&mut groups.next().unwrap_or_default().to_vec())?;
        drop(incoming);
        let mut incoming = vault.blobs().incoming(blob, BlobKind::Original, photo.len() as u64, &meta(id))?;
        ensure!(incoming.present() == 1, "a group is gone");
        for group in groups {
            incoming.append(&mut group.to_vec())?;
        }
        incoming.finish()?;
        let mut blobs = vault.blobs().batch()?;
        let grid = blobs.put(BlobKind::Grid, &meta(id), CANARY.repeat(30).as_bytes())?;
        let preview = blobs.put(BlobKind::Preview, &meta(id), CANARY.repeat(300).as_bytes())?;
        blobs.commit()?;
        let mut batch = Batch::new();
        batch.remove(Kind::Incoming, blob.as_bytes());
        self.list(&vault, id, asset(&photo, [blob, grid, preview]), batch)
    }

    fn revoke(&mut self, id: AssetId) -> Result<()> {
        let vault = self.vault()?;
        self.record(&vault, Kind::Consent, &id.0, CANARY.as_bytes())?;
        say(&format!("changing {} {}", Kind::Consent as u8, hex(&id.0)))?;
        let mut batch = Batch::new();
        batch.remove(Kind::Consent, id.0);
        vault.catalog().commit(batch)?;
        say(&format!("removed {} {}", Kind::Consent as u8, hex(&id.0)))
    }

    fn snapshot(&mut self) -> Result<()> {
        self.vault()?.settle()?;
        say("settled")
    }

    /// As the library moves a photo into the trash, or brings it back.
    fn trash(&mut self, id: AssetId, goes: bool) -> Result<()> {
        let vault = self.vault()?;
        let asset = vault.catalog().get_versioned::<StoredAsset>(Kind::Asset, id.0)?.context("no such photo")?;
        say(&format!("changing {} {}", Kind::Asset as u8, hex(&id.0)))?;
        let mut batch = Batch::new();
        let trashed = goes.then_some(Trashed { at: 1, counted_ms: 1 });
        batch.put_versioned(Kind::Asset, id.0, &StoredAsset { trashed, ..asset })?;
        vault.catalog().commit(batch)?;
        let value = vault.catalog().get(Kind::Asset, id.0)?.context("the photo is gone")?;
        say(&format!("record {} {} {}", Kind::Asset as u8, hex(&id.0), blake3::hash(&value).to_hex()))
    }

    /// As the backup worker does, to a folder beside the data folder; then read through.
    fn back_up(&mut self, round: u64) -> Result<()> {
        let (vault, disk) = (self.vault()?, self.place.disk());
        std::fs::create_dir_all(&disk)?;
        // That the folder is there is the owner's part.
        std::fs::File::open(self.place.folder())?.sync_all()?;
        let backup = Backup::begin(&vault, &disk)?;
        let made = backup.make(FIRST_BACKUP_MS + round, |_| true)?;
        ensure!(made.unreadable.is_empty(), "{} files cannot be read", made.unreadable.len());
        let checked = backup.check(|_| true)?;
        ensure!(checked.lost.is_empty(), "{} files of the backup are damaged", checked.lost.len());
        say("backed up")
    }

    /// As the library deletes for good: a note, the rows, the blobs, and the note goes.
    fn delete(&mut self, id: AssetId) -> Result<()> {
        let vault = self.vault()?;
        let Some(asset) = vault.catalog().get_versioned::<StoredAsset>(Kind::Asset, id.0)? else {
            // Deleted by the try before, which was refused after its commit; its blobs are nobody's now.
            return Ok(());
        };
        say(&format!("deleting {id}"))?;
        say(&format!("changing {} {}", Kind::Asset as u8, hex(&id.0)))?;
        vault.note_purging(asset.blobs())?;
        let mut batch = Batch::new();
        batch.remove(Kind::Asset, id.0).remove(Kind::Face, id.0);
        vault.catalog().commit(batch)?;
        for blob in asset.blobs() {
            vault.blobs().remove(blob)?;
        }
        vault.purged()?;
        let blobs: Vec<String> = asset.blobs().map(|blob| hex(blob.as_bytes())).collect();
        say(&format!("deleted {id} {}", blobs.join(" ")))
    }

    /// A new recovery phrase in the place of the one before; then, if asked for, none.
    fn change_keys(&mut self, remove: bool) -> Result<()> {
        self.vault()?;
        let Some((dir, _)) = &self.vault else { bail!("the vault is not open") };
        let by = Unlock::KeyFile(self.place.key_file());
        let phrase = RecoveryPhrase::random()?;
        let words = phrase.words()?.join("-");
        let before = self.phrase.take();
        // One of a story before this one may open it too.
        say("phrase changing")?;
        Keys::replace_slot(dir, &by, &Unlock::Recovery(phrase))?;
        if let Some(before) = &before {
            say(&format!("phrase revoked {before}"))?;
        }
        say(&format!("phrase opens {words}"))?;
        if remove {
            say(&format!("phrase changing {words}"))?;
            Keys::remove_slots(dir, &by, SlotKind::Recovery)?;
            say(&format!("phrase revoked {words}"))?;
        } else {
            self.phrase = Some(words);
        }
        Ok(())
    }
}

fn meta(id: AssetId) -> Vec<u8> {
    [id.0.as_slice(), CANARY.as_bytes()].concat()
}

fn asset(photo: &[u8], [original, grid, preview]: [BlobId; 3]) -> StoredAsset {
    StoredAsset {
        kind: AssetKind::Photo,
        content: ContentId::of(photo),
        file_name: format!("{CANARY}.jpg"),
        media_type: "image/jpeg".to_owned(),
        size_bytes: photo.len() as u64,
        width: 4,
        height: 3,
        taken_at: None,
        offset_minutes: None,
        imported_at: 0,
        camera: Some(CANARY.to_owned()),
        has_location: false,
        mean_colour: 0,
        thumbhash: Vec::new(),
        original,
        grid: Some(grid),
        preview: Some(preview),
        motion: None,
        origin: Origin::Imported,
        doubtful: false,
        faces: FacesState::Waiting { strikes: 0 },
        trashed: None,
    }
}
