//! Backups made, damaged, thinned out and brought back, with real files.

use std::fs;
use std::path::Path;

use super::*;
use crate::data_dir::DataDir;
use crate::vault::place::{Place, files_below, pattern};
use crate::vault::{Batch, BlobKind, Kind, Opening, RecoveryPhrase, Unlock};

const DAY: u64 = 24 * 60 * 60 * 1000;

struct Scene {
    place: Place,
    vault: Vault,
    target: tempfile::TempDir,
    paper: Unlock,
}

impl Scene {
    fn new() -> Self {
        let place = Place::new();
        let vault = place.vault();
        let paper = Unlock::Recovery(RecoveryPhrase::random().unwrap());
        Keys::add_slot(vault.dir(), &Unlock::KeyFile(place.key_file()), &paper).unwrap();
        Self { place, vault, target: tempfile::tempdir().unwrap(), paper }
    }

    fn backup(&self) -> Backup {
        Backup::begin(&self.vault, self.target.path()).unwrap()
    }

    /// A photo of so many bytes, with a row that names it.
    fn photo(&self, bytes: usize) -> BlobId {
        let id = self.vault.blobs().put(BlobKind::Original, b"a photo", &pattern(bytes)).unwrap();
        let mut batch = Batch::new();
        batch.put(Kind::Asset, id.as_bytes(), b"row".to_vec());
        self.vault.catalog().commit(batch).unwrap();
        id
    }

    fn delete(&self, id: BlobId) {
        let mut batch = Batch::new();
        batch.remove(Kind::Asset, id.as_bytes());
        self.vault.catalog().commit(batch).unwrap();
        self.vault.blobs().remove(id).unwrap();
    }

    fn file(&self, id: BlobId) -> PathBuf {
        blob_path(self.backup().root(), id)
    }
}

fn go(_: Progress) -> bool {
    true
}

/// The vault that is brought back into a fresh folder.
fn brought_back(from: &Path, way: &Unlock) -> (tempfile::TempDir, Restored, Vault) {
    let folder = tempfile::tempdir().unwrap();
    let dir = DataDir::open(folder.path().join("data")).unwrap();
    let restored = restore(from, &dir, way, go).unwrap();
    let vault = Vault::unlock(&dir, way).unwrap();
    (folder, restored, vault)
}

#[test]
fn everything_comes_back_on_an_empty_machine_with_the_words_on_paper() {
    let scene = Scene::new();
    let ids: Vec<(BlobId, usize)> = [0, 1, 70_000, 300_000].map(|bytes| (scene.photo(bytes), bytes)).to_vec();
    let made = scene.backup().make(5 * DAY, go).unwrap();
    assert_eq!((made.files, made.copied, made.unreadable.len()), (4, 4, 0));
    let (_folder, restored, vault) = brought_back(scene.target.path(), &scene.paper);
    assert_eq!((restored.files, restored.lost.len(), restored.version), (4, 0, made.version));
    assert!(
        matches!(vault.catalog().opening(), Opening::Rebuilt { complete: true, .. }),
        "{:?}",
        vault.catalog().opening()
    );
    for (id, bytes) in ids {
        assert_eq!(*vault.blobs().read(id).unwrap(), pattern(bytes));
        assert_eq!(vault.catalog().get(Kind::Asset, id.as_bytes()).unwrap().unwrap(), b"row");
    }
    assert_eq!(vault.subkey(crate::vault::Subkey::Identity), scene.vault.subkey(crate::vault::Subkey::Identity));
}

#[test]
fn a_second_backup_copies_only_what_is_new_and_what_was_cut_short_is_used() {
    let scene = Scene::new();
    for bytes in [10, 20, 30] {
        scene.photo(bytes);
    }
    let mut left = 2;
    let cut = scene.backup().make(DAY, |_| {
        left -= 1;
        left > 0
    });
    assert!(matches!(cut, Err(BackupError::Stopped)), "{cut:?}");
    assert!(scene.backup().versions().unwrap().is_empty(), "one that was cut short is no version");
    assert!(matches!(restore(scene.target.path(), &scene_dir().1, &scene.paper, go), Err(BackupError::NoVersion(_))));
    let finished = scene.backup().make(DAY, go).unwrap();
    assert_eq!((finished.files, finished.copied), (3, 2), "what was copied is used");
    scene.photo(40);
    let made = scene.backup().make(2 * DAY, go).unwrap();
    assert_eq!((made.copied, made.files), (1, 4));
    let again = scene.backup().make(2 * DAY, go).unwrap();
    assert_eq!((again.copied, again.files), (0, 4));
    assert!(again.version > made.version, "a clock that stands still");
}

fn scene_dir() -> (tempfile::TempDir, DataDir) {
    let folder = tempfile::tempdir().unwrap();
    let dir = DataDir::open(folder.path().join("data")).unwrap();
    (folder, dir)
}

#[test]
fn d3_nothing_but_ciphertext_and_no_name_is_in_the_folder() {
    let scene = Scene::new();
    let canary = b"canary of the backup 42.1234N";
    scene.vault.blobs().put(BlobKind::Original, canary, &canary.repeat(5_000)).unwrap();
    let mut batch = Batch::new();
    batch.put(Kind::Asset, [1], canary.to_vec());
    scene.vault.catalog().commit(batch).unwrap();
    scene.backup().make(DAY, go).unwrap();
    let files = files_below(scene.target.path());
    assert!(files.len() >= 5, "{files:?}");
    for file in files {
        let bytes = fs::read(&file).unwrap();
        assert!(memchr::memmem::find(&bytes, canary).is_none(), "{}", file.display());
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o077, 0, "{}", file.display());
    }
}

#[test]
fn a_check_names_what_is_damaged_and_copies_it_anew() {
    let scene = Scene::new();
    let [flipped, cut, missing, fine] = [50, 60, 70, 80].map(|bytes| scene.photo(bytes));
    scene.backup().make(DAY, go).unwrap();
    let mut bytes = fs::read(scene.file(flipped)).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(scene.file(flipped), &bytes).unwrap();
    fs::write(scene.file(cut), b"").unwrap();
    fs::remove_file(scene.file(missing)).unwrap();
    let checked = scene.backup().check(go).unwrap();
    assert_eq!((checked.sound, checked.mended, checked.lost.as_slice()), (1, 3, [].as_slice()));
    assert_eq!(scene.backup().check(go).unwrap().sound, 4);
    // Damaged here and gone there: nothing can be done but to say so.
    fs::write(scene.file(fine), b"rubbish").unwrap();
    scene.vault.blobs().remove(fine).unwrap();
    assert_eq!(scene.backup().check(go).unwrap().lost, [fine]);
    let (_folder, restored, _) = brought_back(scene.target.path(), &scene.paper);
    assert_eq!((restored.files, restored.lost), (3, vec![fine]));
}

#[test]
fn a_wrong_secret_another_vault_and_a_vault_that_is_there_are_refused_and_nothing_is_changed() {
    let scene = Scene::new();
    scene.photo(10);
    scene.backup().make(DAY, go).unwrap();
    let (_folder, dir) = scene_dir();
    let other = Unlock::Recovery(RecoveryPhrase::random().unwrap());
    let wrong = restore(scene.target.path(), &dir, &other, go);
    assert!(matches!(wrong, Err(BackupError::Key(KeyError::WrongSecret(_)))), "{wrong:?}");
    assert!(!Keys::is_there(&dir).unwrap() && !dir.restoring.exists(), "as empty as before");
    restore(scene.target.path(), &dir, &scene.paper, go).unwrap();
    let twice = restore(scene.target.path(), &dir, &scene.paper, go);
    assert!(matches!(twice, Err(BackupError::NotEmpty(_))), "{twice:?}");
    let another = Scene::new();
    assert!(matches!(Backup::begin(&another.vault, scene.target.path()), Err(BackupError::OtherVault(_))));
    assert!(matches!(Backup::begin(&another.vault, &another.place.root()), Err(BackupError::Inside(_))));
    assert!(matches!(Backup::begin(&another.vault, Path::new("/nonexistent")), Err(BackupError::Away(_))));
    let empty = tempfile::tempdir().unwrap();
    assert!(matches!(restore(empty.path(), &scene_dir().1, &other, go), Err(BackupError::NoBackup(_))));
}

#[test]
fn d2_a_restore_that_was_cut_short_does_not_start_and_is_taken_up_again() {
    let scene = Scene::new();
    for bytes in [10, 20, 30] {
        scene.photo(bytes);
    }
    scene.backup().make(DAY, go).unwrap();
    let (_folder, dir) = scene_dir();
    let mut left = 2;
    let cut = restore(scene.target.path(), &dir, &scene.paper, |_| {
        left -= 1;
        left > 0
    });
    assert!(matches!(cut, Err(BackupError::Stopped)), "{cut:?}");
    let started = Vault::unlock(&dir, &scene.paper);
    assert!(matches!(started, Err(crate::vault::VaultError::Key(KeyError::RestoreUnfinished { .. }))), "{started:?}");
    assert_eq!(restore(scene.target.path(), &dir, &scene.paper, go).unwrap().files, 3);
    Vault::unlock(&dir, &scene.paper).unwrap();
}

#[test]
fn what_was_deleted_leaves_the_backup_with_the_last_version_that_names_it() {
    let scene = Scene::new();
    let (gone, stays) = (scene.photo(10), scene.photo(20));
    scene.backup().make(1_000 * DAY, go).unwrap();
    scene.delete(gone);
    let made = scene.backup().make(1_001 * DAY, go).unwrap();
    assert_eq!((made.files, made.removed), (1, 0));
    assert!(scene.file(gone).exists(), "an earlier version still has it");
    let (_folder, _, vault) = brought_back(scene.target.path(), &scene.paper);
    assert!(!vault.blobs().contains(gone) && vault.blobs().contains(stays), "deleted stays deleted");
    // A year of daily backups.
    for day in (1_002..1_400).step_by(3) {
        scene.photo(1);
        scene.backup().make(day * DAY, go).unwrap();
    }
    assert!(!scene.file(gone).exists() && scene.file(stays).exists());
    assert!(scene.backup().versions().unwrap().len() <= 17);
}

#[test]
fn a_version_whose_list_is_damaged_is_passed_over_and_nothing_is_thinned_out_then() {
    let scene = Scene::new();
    let first = scene.photo(10);
    let made = scene.backup().make(DAY, go).unwrap();
    scene.photo(20);
    let second = scene.backup().make(2 * DAY, go).unwrap();
    let list = version_path(scene.backup().root(), second.version).join(LIST);
    let sound = fs::read(&list).unwrap();
    for at in 0..sound.len() {
        let mut bytes = sound.clone();
        bytes[at] ^= 1 << (at % 8);
        fs::write(&list, &bytes).unwrap();
        let version = newest(scene.backup().root(), &scene.backup().keys).unwrap().0;
        assert_eq!(version, made.version, "a bit of byte {at} was flipped");
    }
    scene.delete(first);
    scene.backup().make(400 * DAY, go).unwrap();
    assert!(scene.file(first).exists());
}

#[test]
fn the_empty_mount_point_of_a_disk_that_is_away_is_no_place_for_a_backup() {
    let scene = Scene::new();
    scene.photo(10);
    assert!(matches!(Backup::open(&scene.vault, scene.target.path()), Err(BackupError::Away(_))));
    assert_eq!(fs::read_dir(scene.target.path()).unwrap().count(), 0);
    scene.backup().make(DAY, go).unwrap();
    Backup::open(&scene.vault, scene.target.path()).unwrap();
    let root = scene.backup().root().to_path_buf();
    fs::rename(&root, scene.target.path().join("elsewhere")).unwrap();
    assert!(matches!(Backup::open(&scene.vault, scene.target.path()), Err(BackupError::Away(_))));
    assert!(!root.exists());
}

#[test]
fn what_a_backup_that_was_cut_short_left_damaged_is_copied_anew() {
    let scene = Scene::new();
    let id = scene.photo(70_000);
    scene.backup().copy_blob(id, |_| true).unwrap();
    let mut bytes = fs::read(scene.file(id)).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(scene.file(id), bytes).unwrap();
    assert_eq!(scene.backup().make(DAY, go).unwrap().copied, 1);
    assert_eq!(scene.backup().check(go).unwrap().sound, 1);
}
