//! The very first start, every later one, and everything that may be missing, damaged or somebody else's by then.

use std::{
    collections::HashSet,
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
};

use super::{
    super::place::{Place, files_below},
    *,
};

const SUBKEYS: [Subkey; 7] = [
    Subkey::Blobs,
    Subkey::Catalog,
    Subkey::Names,
    Subkey::Biometrics,
    Subkey::Identity,
    Subkey::Sessions,
    Subkey::ContentTags,
];

fn open(place: &Place) -> Result<Keys, KeyError> {
    Keys::open(&place.dir(), &place.key_file()).map(|(keys, _)| keys)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Every file in the place, with its bytes.
fn contents(place: &Place) -> Vec<(PathBuf, Vec<u8>)> {
    files_below(place.outside()).into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

/// Opening is refused for the reason that `expected` knows, and no byte in the place changes.
fn refused_untouched(place: &Place, expected: impl Fn(&KeyError) -> bool) {
    let dir = place.dir();
    let before = contents(place);
    for _ in 0..2 {
        let error = Keys::open(&dir, &place.key_file()).unwrap_err();
        assert!(expected(&error), "{error:?}");
        assert_eq!(contents(place), before);
    }
}

#[test]
fn the_first_start_makes_private_files_and_later_ones_give_the_same_keys() {
    let place = Place::new();
    let (first, new) = Keys::open(&place.dir(), &place.key_file()).unwrap();
    assert!(new);
    let dir = place.dir();
    for file in [place.key_file().path(), &dir.key_slots, &dir.key_slots_copy] {
        assert_eq!(mode(file), 0o600, "{}", file.display());
    }
    assert_eq!(mode(place.key_file().path().parent().unwrap()), 0o700);
    assert_eq!(fs::read(&dir.key_slots).unwrap(), fs::read(&dir.key_slots_copy).unwrap());
    let (second, new) = Keys::open(&dir, &place.key_file()).unwrap();
    assert!(!new);
    let mut seen = HashSet::new();
    for subkey in SUBKEYS {
        assert_eq!(first.subkey(subkey), second.subkey(subkey));
        assert!(seen.insert(*first.subkey(subkey).expose()), "{subkey:?} shares its key");
        assert_ne!(first.subkey(subkey), first.master);
    }
    assert!(!format!("{first:?}").contains(&format!("{:?}", first.master.expose())));
}

#[test]
fn d3_neither_the_master_key_nor_that_of_the_file_is_in_the_data_folder() {
    let place = Place::new();
    let keys = open(&place).unwrap();
    let secret = place.key_file().read().unwrap();
    for path in files_below(&place.root()) {
        let bytes = fs::read(&path).unwrap();
        for secret in [keys.master.expose(), secret.expose()] {
            assert!(!bytes.windows(8).any(|window| secret.windows(8).any(|part| part == window)), "{}", path.display());
        }
    }
    assert!(!fs::read(place.key_file().path()).unwrap().windows(8).any(|window| window == &keys.master.expose()[..8]));
}

#[test]
fn a_missing_key_file_is_never_made_again_beside_a_vault() {
    let place = Place::new();
    let keys = open(&place).unwrap();
    let saved = fs::read(place.key_file().path()).unwrap();
    fs::remove_file(place.key_file().path()).unwrap();
    refused_untouched(&place, |error| matches!(error, KeyError::KeyFileMissing { .. }));
    assert!(!place.key_file().path().exists());
    fs::write(place.key_file().path(), saved).unwrap();
    fs::set_permissions(place.key_file().path(), fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(open(&place).unwrap().master, keys.master);
}

#[test]
fn missing_key_slots_are_never_made_again_beside_anything_sealed() {
    let remains = ["blobs/ab/0123", "incoming/0123", "journal/0000000000000001", "catalog/db", "catalog.snapshot"];
    for remains in remains {
        let place = Place::new();
        open(&place).unwrap();
        let path = place.root().join(remains);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, b"sealed").unwrap();
        fs::remove_file(place.root().join("key-slots")).unwrap();
        fs::remove_file(place.root().join("key-slots.copy")).unwrap();
        refused_untouched(&place, |error| matches!(error, KeyError::SlotsMissing { .. }));
        // Nor with a new key file, which somebody may have moved away before.
        fs::remove_file(place.key_file().path()).unwrap();
        refused_untouched(&place, |error| matches!(error, KeyError::SlotsMissing { .. }));
    }
}

#[test]
fn a_first_start_that_was_cut_short_is_taken_up_again() {
    let place = Place::new();
    open(&place).unwrap();
    let key_file = fs::read(place.key_file().path()).unwrap();
    for slots in ["key-slots", "key-slots.copy"] {
        fs::remove_file(place.root().join(slots)).unwrap();
    }
    // After the key file, before the slots; and what a crash in the middle of a write leaves.
    fs::write(place.root().join("key-slots.new"), b"half").unwrap();
    fs::write(place.outside().join("config/key.new"), b"half").unwrap();
    let (keys, new) = Keys::open(&place.dir(), &place.key_file()).unwrap();
    assert!(new);
    assert_eq!(fs::read(place.key_file().path()).unwrap(), key_file);
    // After the copy of the slots, before the slots.
    fs::remove_file(place.root().join("key-slots")).unwrap();
    let (again, new) = Keys::open(&place.dir(), &place.key_file()).unwrap();
    assert!(!new);
    assert_eq!(again.master, keys.master);
    assert!(place.root().join("key-slots").exists());
}

#[test]
fn the_key_file_of_another_vault_is_refused() {
    let (place, other) = (Place::new(), Place::new());
    open(&place).unwrap();
    open(&other).unwrap();
    fs::copy(other.key_file().path(), place.key_file().path()).unwrap();
    refused_untouched(&place, |error| matches!(error, KeyError::WrongKeyFile { .. }));
}

#[test]
fn every_changed_character_of_the_key_is_noticed_as_damage() {
    let place = Place::new();
    let keys = open(&place).unwrap();
    let path = place.key_file().path().to_path_buf();
    let sound = fs::read_to_string(&path).unwrap();
    let key_at = sound.find("inframe-key-1-").unwrap();
    let dir = place.dir();
    for at in key_at..sound.len() - 1 {
        let mut bad = sound.clone().into_bytes();
        bad[at] = if bad[at] == b'a' { b'b' } else { b'a' };
        fs::write(&path, bad).unwrap();
        let error = Keys::open(&dir, &place.key_file()).unwrap_err();
        assert!(matches!(error, KeyError::KeyFileDamaged { .. }), "character {at}: {error:?}");
    }
    let line = &sound[key_at..];
    let twice = format!("{line}{line}");
    let long = format!("{}\n{line}", "#".repeat(crate::limits::MAX_KEY_FILE_BYTES as usize));
    for bad in ["", "\n", "# only a comment\n", &line[..line.len() - 3], &twice, "\u{feff}x", &long] {
        fs::write(&path, bad).unwrap();
        let error = Keys::open(&dir, &place.key_file()).unwrap_err();
        assert!(matches!(error, KeyError::KeyFileDamaged { .. }), "{bad:?}: {error:?}");
    }
    // What an editor or a copy by hand does is no damage.
    for good in [line.to_owned(), format!("\r\n  {}  \r\n# mine\r\n", line.trim()), line.replace('\n', "")] {
        fs::write(&path, good).unwrap();
        assert_eq!(Keys::open(&dir, &place.key_file()).unwrap().0.master, keys.master);
    }
}

#[test]
fn a_key_file_that_others_may_read_is_refused_and_says_what_to_do() {
    let place = Place::new();
    open(&place).unwrap();
    for mode in [0o640, 0o604, 0o620, 0o601, 0o777] {
        fs::set_permissions(place.key_file().path(), fs::Permissions::from_mode(mode)).unwrap();
        let error = open(&place).unwrap_err();
        assert!(matches!(error, KeyError::KeyFileExposed { .. }), "{mode:o}: {error:?}");
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }
    fs::set_permissions(place.key_file().path(), fs::Permissions::from_mode(0o400)).unwrap();
    open(&place).unwrap();
}

#[test]
fn a_key_file_inside_the_data_folder_is_refused_however_it_is_named() {
    let place = Place::new();
    open(&place).unwrap();
    let dir = place.dir();
    let inside = dir.root.join("key");
    fs::copy(place.key_file().path(), &inside).unwrap();
    let outside = place.outside();
    symlink(&dir.root, outside.join("folder-link")).unwrap();
    symlink(&inside, outside.join("file-link")).unwrap();
    for path in [
        inside.clone(),
        dir.root.join("deep/er/key"),
        dir.blobs.join("../key"),
        outside.join("config/../data/key"),
        outside.join("folder-link/key"),
        outside.join("folder-link/not-there-yet/key"),
        outside.join("file-link"),
    ] {
        let error = Keys::open(&dir, &KeyFile::at(&path)).unwrap_err();
        assert!(matches!(error, KeyError::KeyFileInsideDataFolder { .. }), "{}: {error:?}", path.display());
    }
    // A name that only begins like that of the folder.
    let beside = outside.join("data-key");
    fs::copy(place.key_file().path(), &beside).unwrap();
    Keys::open(&dir, &KeyFile::at(beside)).unwrap();
}

#[test]
fn damaged_slots_are_restored_from_their_copy_whichever_it_is() {
    let place = Place::new();
    let keys = open(&place).unwrap();
    let dir = place.dir();
    let sound = fs::read(&dir.key_slots).unwrap();
    for path in [&dir.key_slots, &dir.key_slots_copy] {
        let flipped = (0..sound.len()).step_by(7).map(|at| {
            let mut bad = sound.clone();
            bad[at] ^= 1;
            bad
        });
        let cut = [Vec::new(), sound[..20].to_vec(), sound[..sound.len() - 1].to_vec(), vec![0; 70_000]];
        for bad in flipped.chain(cut) {
            fs::write(path, bad).unwrap();
            assert_eq!(Keys::open(&dir, &place.key_file()).unwrap().0.master, keys.master);
            assert_eq!(fs::read(path).unwrap(), sound, "{} was not restored", path.display());
        }
        fs::remove_file(path).unwrap();
        assert_eq!(Keys::open(&dir, &place.key_file()).unwrap().0.master, keys.master);
        assert_eq!(fs::read(path).unwrap(), sound);
    }
}

#[test]
fn slots_of_which_no_copy_is_sound_are_refused() {
    let place = Place::new();
    open(&place).unwrap();
    let [slots, copy] = ["key-slots", "key-slots.copy"].map(|name| place.root().join(name));
    fs::write(&slots, b"damaged").unwrap();
    fs::write(&copy, b"damaged too").unwrap();
    refused_untouched(&place, |error| matches!(error, KeyError::SlotsDamaged { .. }));
    fs::remove_file(&slots).unwrap();
    refused_untouched(&place, |error| matches!(error, KeyError::SlotsDamaged { .. }));
}

#[test]
fn slots_of_a_newer_version_are_refused_even_if_the_copy_is_older() {
    let place = Place::new();
    open(&place).unwrap();
    let path = place.root().join("key-slots");
    let bytes = fs::read(&path).unwrap();
    let mut content = bytes[..bytes.len() - 32].to_vec();
    content[8] = 2;
    let sum = blake3::hash(&content);
    fs::write(&path, [content.as_slice(), sum.as_bytes()].concat()).unwrap();
    refused_untouched(&place, |error| matches!(error, KeyError::NewerSlots { version: 2, .. }));
}

#[test]
fn a_wrapped_key_cannot_be_moved_to_another_vault() {
    let (place, other) = (Place::new(), Place::new());
    open(&place).unwrap();
    fs::create_dir_all(other.key_file().path().parent().unwrap()).unwrap();
    fs::copy(place.key_file().path(), other.key_file().path()).unwrap();
    open(&other).unwrap();
    // Both are wrapped for the same key file; only the id of the vault, bound to the wrapping, differs.
    let [mine, theirs] = [&place, &other].map(|place| fs::read(place.root().join("key-slots")).unwrap());
    assert_eq!(mine.len(), theirs.len());
    let mut content = mine[..mine.len() - 32].to_vec();
    let vault = 10..26;
    content[vault.clone()].copy_from_slice(&theirs[vault]);
    let sum = blake3::hash(&content);
    let forged = [content.as_slice(), sum.as_bytes()].concat();
    for name in ["key-slots", "key-slots.copy"] {
        fs::write(place.root().join(name), &forged).unwrap();
    }
    refused_untouched(&place, |error| matches!(error, KeyError::SlotsDamaged { .. }));
}

#[test]
fn destroyed_slots_are_overwritten_before_they_go() {
    let place = Place::new();
    open(&place).unwrap();
    let dir = place.dir();
    let witness = place.outside().join("witness");
    fs::hard_link(&dir.key_slots, &witness).unwrap();
    fs::create_dir_all(dir.blobs.join("ab")).unwrap();
    Keys::destroy(&dir).unwrap();
    assert!(!dir.key_slots.exists() && !dir.key_slots_copy.exists());
    assert!(fs::read(&witness).unwrap().iter().all(|byte| *byte == 0));
    drop(dir);
    refused_untouched(&place, |error| matches!(error, KeyError::SlotsMissing { .. }));
    Keys::destroy(&place.dir()).unwrap();
}

#[test]
fn subkeys_are_those_of_the_format() {
    // From FORMAT.md, with the master key 00 01 .. 1f.
    let keys = Keys { master: Secret32::new(std::array::from_fn(|at| at as u8)) };
    let subkeys = [
        (Subkey::Blobs, "blobs"),
        (Subkey::Catalog, "catalog"),
        (Subkey::Names, "names"),
        (Subkey::Biometrics, "biometrics"),
        (Subkey::Identity, "identity"),
        (Subkey::Sessions, "sessions"),
        (Subkey::ContentTags, "content tags"),
    ];
    for (subkey, name) in subkeys {
        let mut hasher = blake3::Hasher::new_derive_key(&format!("inframe 2026-11-25 vault: {name}"));
        hasher.update(keys.master.expose());
        assert_eq!(keys.subkey(subkey).expose(), hasher.finalize().as_bytes(), "{name}");
    }
}

fn passphrase(text: &str) -> Unlock {
    Unlock::Passphrase(Passphrase::chosen(text).unwrap())
}

#[test]
fn every_way_opens_the_same_vault_and_none_that_was_removed_does() {
    let place = Place::new();
    let master = open(&place).unwrap().master;
    let dir = place.dir();
    let file = Unlock::KeyFile(place.key_file());
    let spoken = passphrase("four words are enough");
    let paper = RecoveryPhrase::random().unwrap();
    Keys::add_slot(&dir, &file, &spoken).unwrap();
    let there = Keys::add_slot(&dir, &spoken, &Unlock::Recovery(paper.clone())).unwrap();
    assert_eq!(there, [SlotKind::KeyFile, SlotKind::Passphrase, SlotKind::Recovery]);
    let typed = Unlock::Recovery(RecoveryPhrase::typed(&paper.words().unwrap().join(" ")).unwrap());
    for way in [&file, &spoken, &typed] {
        assert_eq!(Keys::unlock(&dir, way).unwrap().master, master, "{way:?}");
    }

    let left = Keys::remove_slots(&dir, &spoken, SlotKind::KeyFile).unwrap();
    assert_eq!(left, [SlotKind::Passphrase, SlotKind::Recovery]);
    let refused = Keys::unlock(&dir, &file).unwrap_err();
    assert!(matches!(&refused, KeyError::NoSuchSlot { wanted: SlotKind::KeyFile, .. }), "{refused:?}");
    assert!(refused.to_string().contains("only its passphrase or its recovery phrase does"), "{refused}");
    assert_eq!(Keys::unlock(&dir, &typed).unwrap().master, master);
    assert_eq!(fs::read(&dir.key_slots).unwrap(), fs::read(&dir.key_slots_copy).unwrap());
}

#[test]
fn a_new_passphrase_takes_the_place_of_the_old_one() {
    let place = Place::new();
    let master = open(&place).unwrap().master;
    let dir = place.dir();
    let file = Unlock::KeyFile(place.key_file());
    let (old, new) = (passphrase("the first four words"), passphrase("the second four words"));
    Keys::add_slot(&dir, &file, &old).unwrap();
    Keys::replace_slot(&dir, &old, &new).unwrap();
    assert_eq!(Keys::unlock(&dir, &new).unwrap().master, master);
    let refused = Keys::unlock(&dir, &old).unwrap_err();
    assert!(matches!(refused, KeyError::WrongSecret(SlotKind::Passphrase)), "{refused:?}");
}

#[test]
fn nobody_shuts_themselves_out() {
    let place = Place::new();
    open(&place).unwrap();
    let dir = place.dir();
    let file = Unlock::KeyFile(place.key_file());
    let before = fs::read(&dir.key_slots).unwrap();
    let refused = Keys::remove_slots(&dir, &file, SlotKind::KeyFile).unwrap_err();
    assert!(matches!(refused, KeyError::OwnSlot(SlotKind::KeyFile)), "{refused:?}");
    let refused = Keys::remove_slots(&dir, &file, SlotKind::Passphrase).unwrap_err();
    assert!(matches!(refused, KeyError::NoSuchSlot { wanted: SlotKind::Passphrase, .. }), "{refused:?}");
    let wrong = passphrase("this is no passphrase of it");
    let refused = Keys::add_slot(&dir, &wrong, &passphrase("whoever is outside stays there")).unwrap_err();
    assert!(matches!(refused, KeyError::NoSuchSlot { .. }), "{refused:?}");
    assert_eq!(fs::read(&dir.key_slots).unwrap(), before);
    let mut way = file.clone();
    for number in 1..crate::limits::MAX_KEY_SLOTS {
        let next = Unlock::Recovery(RecoveryPhrase::random().unwrap());
        let there = Keys::add_slot(&dir, &way, &next).unwrap_or_else(|error| panic!("{number}: {error}"));
        assert_eq!(there, [SlotKind::KeyFile, SlotKind::Recovery], "a way to unlock is named once");
        way = next;
    }
    let refused = Keys::add_slot(&dir, &file, &Unlock::Recovery(RecoveryPhrase::random().unwrap())).unwrap_err();
    assert!(matches!(refused, KeyError::TooManySlots), "{refused:?}");
}

#[test]
fn a_passphrase_makes_no_vault_and_opens_none_whose_slots_are_lost() {
    let place = Place::new();
    let way = passphrase("four words are enough");
    assert!(matches!(Keys::unlock(&place.dir(), &way).unwrap_err(), KeyError::NoVault));
    assert!(Keys::slots(&place.dir()).unwrap().is_empty());
    open(&place).unwrap();
    let dir = place.dir();
    Keys::add_slot(&dir, &Unlock::KeyFile(place.key_file()), &way).unwrap();
    fs::write(dir.blobs.join("photo"), b"sealed").unwrap();
    for path in [&dir.key_slots, &dir.key_slots_copy] {
        fs::remove_file(path).unwrap();
    }
    assert!(matches!(Keys::unlock(&dir, &way).unwrap_err(), KeyError::SlotsMissing { .. }));
}

#[test]
fn any_flipped_bit_of_either_copy_is_made_good_and_of_both_is_told() {
    let place = Place::new();
    open(&place).unwrap();
    let dir = place.dir();
    let paper = Unlock::Recovery(RecoveryPhrase::random().unwrap());
    Keys::add_slot(&dir, &Unlock::KeyFile(place.key_file()), &paper).unwrap();
    let sound = fs::read(&dir.key_slots).unwrap();
    for at in 0..sound.len() {
        let mut flipped = sound.clone();
        flipped[at] ^= 1 << (at % 8);
        for path in [&dir.key_slots, &dir.key_slots_copy] {
            fs::write(path, &flipped).unwrap();
            // A version number may have become a later one, which is told and not repaired.
            if !matches!(Keys::unlock(&dir, &paper), Err(KeyError::NewerSlots { .. })) {
                assert_eq!(fs::read(path).unwrap(), sound, "byte {at}");
            }
            fs::write(path, &sound).unwrap();
        }
        for path in [&dir.key_slots, &dir.key_slots_copy] {
            fs::write(path, &flipped).unwrap();
        }
        assert!(Keys::unlock(&dir, &paper).is_err(), "byte {at}");
        for path in [&dir.key_slots, &dir.key_slots_copy] {
            fs::write(path, &sound).unwrap();
        }
    }
}
