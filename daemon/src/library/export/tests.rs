//! Exports over a real vault: what is written, what a repeat leaves alone, what a cut leaves, and what never happens to the files of others.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

use bytes::Bytes;
use inframe_protocol::{EventId, FindMeId, MemberId, OfferId};
use serde_json::{Value, json};

use super::*;
use crate::data_dir::DataDir;
use crate::library::{AssetKind, FacesState, NewAsset, Origin, Source};
use crate::live::Live;
use crate::sandbox::{Format, Inspection, Sandbox, SandboxConfig};
use crate::vault::{KeyFile, Vault};

/// 5 August 2026, noon.
const AUGUST: i64 = 1_785_931_200_000;

/// An asset that is in no library.
pub(super) fn asset(file_name: &str, bytes: &[u8]) -> StoredAsset {
    StoredAsset {
        kind: AssetKind::Photo,
        content: ContentId::of(bytes),
        file_name: file_name.into(),
        media_type: "image/jpeg".into(),
        size_bytes: bytes.len() as u64,
        width: 40,
        height: 30,
        taken_at: None,
        offset_minutes: None,
        imported_at: 0,
        camera: Some("Camera <1>".into()),
        has_location: true,
        mean_colour: 0,
        thumbhash: Vec::new(),
        original: BlobId([0; 16]),
        grid: None,
        preview: None,
        motion: None,
        origin: Origin::Imported,
        doubtful: false,
        faces: FacesState::Waiting { strikes: 0 },
        trashed: None,
    }
}

/// A library on the disk and a folder to export to. No decode process is ever needed.
struct Place {
    folder: tempfile::TempDir,
    library: Library,
}

impl Place {
    fn new() -> Self {
        Self::keeping_free(0)
    }

    fn keeping_free(bytes: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::open(folder.path().join("data")).unwrap();
        let vault = Vault::open(&dir, &KeyFile::at(folder.path().join("key"))).unwrap();
        let sandbox = Sandbox::start(SandboxConfig::new(PathBuf::from("/nonexistent")));
        let disk = Disk::of(folder.path(), Some(bytes));
        let library = Library::open(vault, sandbox, Live::default(), disk).unwrap();
        fs::create_dir(folder.path().join("disk")).unwrap();
        Self { folder, library }
    }

    fn disk(&self) -> PathBuf {
        self.folder.path().join("disk")
    }

    fn root(&self) -> PathBuf {
        self.disk().join(FOLDER)
    }

    /// Imports these bytes under a name.
    fn put(&self, name: &str, bytes: &[u8], taken_at: Option<i64>) -> AssetId {
        self.put_new(name, bytes, taken_at, Origin::Imported, false)
    }

    fn put_new(&self, name: &str, bytes: &[u8], taken_at: Option<i64>, origin: Origin, doubtful: bool) -> AssetId {
        let new = NewAsset {
            file_name: name.into(),
            content: ContentId::of(bytes),
            size_bytes: bytes.len() as u64,
            original: Source::Plain(Bytes::copy_from_slice(bytes)),
            origin,
            taken_at,
            doubtful,
        };
        let inspection = Inspection {
            format: Format::Jpeg,
            width: 40,
            height: 30,
            orientation: 1,
            taken_at: None,
            camera: None,
            has_location: false,
            motion_bytes: None,
            mean_rgb565: 1,
            thumbhash: vec![7; 25],
            grid: vec![1; 500],
            preview: vec![2; 900],
        };
        self.library.adopt(new, inspection).unwrap()
    }

    fn begin(&self) -> Result<PathBuf, ExportError> {
        self.library.begin_export(&self.disk())
    }

    fn export(&self) -> Exported {
        self.export_with(|_, _| Facts::default(), |_| true).unwrap()
    }

    fn export_with(
        &self,
        facts: impl Fn(AssetId, &StoredAsset) -> Facts,
        tell: impl FnMut(ExportProgress) -> bool,
    ) -> Result<Exported, ExportError> {
        self.begin()?;
        self.library.export(&self.disk(), facts, tell)
    }

    /// Every file of the export with its bytes, by its path.
    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut found = BTreeMap::new();
        let mut folders = vec![self.root()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(self.root()).unwrap().to_str().unwrap().to_owned();
                    found.insert(name, fs::read(path).unwrap());
                }
            }
        }
        found
    }

    /// What tells whether a file was written anew: its number on the disk.
    fn numbers(&self) -> BTreeMap<String, u64> {
        let number = |name: &String| fs::metadata(self.root().join(name)).unwrap().ino();
        self.files().keys().map(|name| (name.clone(), number(name))).collect()
    }

    fn names(&self) -> Vec<String> {
        self.files().into_keys().collect()
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&fs::read(self.root().join(name)).unwrap()).unwrap()
    }

    /// Flips a bit in the middle of an original's file in the vault.
    fn damage(&self, id: AssetId) {
        let blob = self.library.get(id).unwrap().original.to_string();
        let path = self.folder.path().join("data/blobs").join(&blob[..2]).join(blob);
        let mut bytes = fs::read(&path).unwrap();
        let at = bytes.len() - 20;
        bytes[at] ^= 1;
        fs::write(path, bytes).unwrap();
    }
}

fn received() -> Origin {
    Origin::Received {
        event: EventId([5; 32]),
        from: MemberId([1; 32]),
        find_me: FindMeId([2; 16]),
        offer: OfferId([3; 16]),
    }
}

#[tokio::test]
async fn every_original_is_written_as_it_was_imported_and_nothing_else() {
    let place = Place::new();
    let large: Vec<u8> = (0..700_000_u32).map(|n| (n % 251) as u8).collect();
    let live = place.put("IMG_1.HEIC", b"one", Some(AUGUST));
    place.library.add_motion(live, "video/quicktime", b"film").unwrap();
    place.put("img_1.heic", b"two", Some(AUGUST + 1000));
    place.put("large.jpg", &large, Some(-1));
    place.put("../../NUL", b"three", Some(AUGUST));
    let undated = place.put("undated.jpg", b"four", None);
    place.put_new("sent.jpg", b"five", Some(AUGUST), received(), false);
    place.put_new("doubtful.jpg", b"six", Some(AUGUST), received(), true);
    let gone = place.put("gone.jpg", b"seven", Some(AUGUST));
    place.library.trash(&[gone]).unwrap();

    let progress = Cell::new(ExportProgress::default());
    let facts = |id, _: &StoredAsset| match id == live {
        true => Facts { people: vec!["Zoë".into()], ..Facts::default() },
        false => Facts { people: Vec::new(), event: Some("Party".into()), from: Some("Alice".into()) },
    };
    let done = place.export_with(facts, |now| {
        progress.set(now);
        true
    });
    let size = 3 + 3 + large.len() as u64 + 5 + 4 + 4;
    let whole = Exported { files: 6, bytes: size, new_files: 6, damaged: Vec::new(), damaged_count: 0 };
    assert_eq!(done.unwrap(), whole);
    assert_eq!(progress.get(), ExportProgress { files: 6, of: 6, bytes: size + 4 });

    let imported = place.library.get(undated).unwrap().local_day();
    let (year, month) = month(imported).unwrap();
    let undated = format!("{year}/{year}-{month:02}/undated.jpg");
    let mut wanted: BTreeMap<&str, &[u8]> = BTreeMap::from([
        ("2026/2026-08/IMG_1.HEIC", b"one".as_slice()),
        ("2026/2026-08/IMG_1.mov", b"film"),
        ("2026/2026-08/img_1 (2).heic", b"two"),
        ("2026/2026-08/_NUL.jpg", b"three"),
        ("2026/2026-08/sent.jpg", b"five"),
        ("1969/1969-12/large.jpg", &large),
        (undated.as_str(), b"four"),
    ]);
    let files = place.files();
    for (name, bytes) in &files {
        if let Some(original) = name.strip_suffix(".xmp").or_else(|| name.strip_suffix(".json")) {
            assert!(name == "inframe-export.json" || files.contains_key(original), "a sidecar of nothing: {name}");
        } else {
            assert_eq!(wanted.remove(name.as_str()), Some(bytes.as_slice()), "{name}");
        }
        let mode = fs::metadata(place.root().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name} is for its owner alone");
    }
    assert!(wanted.is_empty(), "missing: {:?}", wanted.keys());
    assert_eq!(files.len(), 7 + 2 * 6 + 1);

    let photo = place.json("2026/2026-08/IMG_1.HEIC.json");
    assert_eq!(photo["content_id"], json!(blake3::hash(b"one").to_string()));
    assert_eq!(photo["people"], json!(["Zoë"]));
    assert_eq!(photo["motion"]["file"], json!("IMG_1.mov"));
    assert_eq!(photo["motion"]["content_id"], json!(blake3::hash(b"film").to_string()));
    let sent = place.json("2026/2026-08/sent.jpg.json");
    assert_eq!(sent["origin"], json!({ "kind": "received", "event": "Party", "from": "Alice" }));
    assert_eq!(place.json("2026/2026-08/_NUL.jpg.json")["file_name"], json!("../../NUL"), "its own name is kept");

    let list = place.json("inframe-export.json");
    assert_eq!((&list["format"], &list["version"]), (&json!("inframe-export"), &json!(1)));
    assert_eq!((&list["count"], &list["damaged_count"]), (&json!(6), &json!(0)));
    for row in list["files"].as_array().unwrap() {
        let bytes = &files[row["path"].as_str().unwrap()];
        assert_eq!(row["content_id"], json!(blake3::hash(bytes).to_string()));
        assert_eq!(row["size_bytes"], json!(bytes.len()));
    }
    let film = list["files"].as_array().unwrap().iter().find_map(|row| row["motion"]["file"].as_str());
    assert_eq!(film, Some("2026/2026-08/IMG_1.mov"));
}

#[tokio::test]
async fn a_repeat_writes_only_what_is_new_and_names_stay() {
    let place = Place::new();
    place.put("a.jpg", b"later", Some(AUGUST + 5000));
    place.put("b.jpg", b"other", Some(AUGUST));
    place.export();
    let before = place.numbers();
    // Older, and of the same name: it must not take the name of the one that is there.
    place.put("a.jpg", b"older", Some(AUGUST - 5000));
    let done = place.export();
    assert_eq!((done.files, done.new_files), (3, 1));
    let files = place.files();
    assert_eq!(files["2026/2026-08/a.jpg"], b"later");
    assert_eq!(files["2026/2026-08/a (2).jpg"], b"older");
    let after = place.numbers();
    let anew: Vec<&String> = before.keys().filter(|name| before[*name] != after[*name]).collect();
    assert_eq!(anew, ["inframe-export.json"]);

    // A name that the owner gives comes into the sidecars, and nothing else is written.
    let named = |_, asset: &StoredAsset| Facts {
        people: if asset.file_name == "b.jpg" { vec!["Zoë".into()] } else { Vec::new() },
        ..Facts::default()
    };
    // A program that keeps its edits in the sidecar has made it its own.
    let edited = place.root().join("2026/2026-08/b.jpg.xmp");
    let theirs = fs::read_to_string(&edited).unwrap().replace("Inframe export 1", "XMP Core 5.5.0-Exiv2");
    fs::write(&edited, &theirs).unwrap();
    let done = place.export_with(named, |_| true).unwrap();
    assert_eq!((done.files, done.new_files), (3, 0));
    let last = place.numbers();
    let anew: Vec<&String> = after.keys().filter(|name| after[*name] != last[*name]).collect();
    assert_eq!(anew, ["2026/2026-08/b.jpg.json", "inframe-export.json"]);
    assert_eq!(place.json("2026/2026-08/b.jpg.json")["people"], json!(["Zoë"]));
    assert_eq!(fs::read_to_string(&edited).unwrap(), theirs);
}

#[tokio::test]
async fn a_cut_export_leaves_nothing_half_written_and_is_taken_up_again() {
    let place = Place::new();
    let large = vec![9; 3 * EXPORT_PIECE_BYTES];
    place.put("first.jpg", b"first", Some(AUGUST));
    place.put("large.jpg", &large, Some(AUGUST + 1000));
    // Stopped in the middle of the second.
    let cut = place.export_with(|_, _| Facts::default(), |now| now.bytes < 2 * EXPORT_PIECE_BYTES as u64);
    assert!(matches!(cut, Err(ExportError::Stopped)), "{cut:?}");
    let first = ["2026/2026-08/first.jpg", "2026/2026-08/first.jpg.json", "2026/2026-08/first.jpg.xmp"];
    assert_eq!(place.names(), first, "no list yet, no half of a file");
    // A killed process does not clear up; and it may have come as far as an original without its sidecars.
    fs::write(place.root().join(".inframe-part-7"), b"half").unwrap();
    fs::write(place.root().join("2026/2026-08/large.jpg"), &large).unwrap();
    let before = place.numbers();
    let done = place.export();
    assert_eq!((done.files, done.new_files), (2, 0));
    let after = place.numbers();
    assert_eq!(after.len(), 7, "{after:?}");
    for name in [first.as_slice(), &["2026/2026-08/large.jpg"]].concat() {
        assert_eq!(before[name], after[name], "{name} was there");
    }
}

#[tokio::test]
async fn a_damaged_original_is_named_and_the_rest_goes_on() {
    let place = Place::new();
    let rotten = place.put("rotten.jpg", &[5; 3000], Some(AUGUST));
    place.put("sound.jpg", b"sound", Some(AUGUST + 1000));
    place.damage(rotten);
    // A vault that gives sound bytes of something else.
    let wrong = place.put("wrong.jpg", b"what was imported", Some(AUGUST));
    place.library.change(wrong, crate::vault::Batch::default(), |asset| asset.content = ContentId([7; 32])).unwrap();
    let done = place.export();
    assert_eq!((done.files, done.damaged_count), (1, 2));
    let mut named: Vec<&str> = done.damaged.iter().map(|one| one.file_name.as_str()).collect();
    named.sort_unstable();
    assert_eq!(named, ["rotten.jpg", "wrong.jpg"]);
    assert!(done.damaged.iter().any(|one| one.reason.contains("damaged in chunk 0")), "{done:?}");
    assert!(done.damaged.iter().any(|one| one.reason.contains("not those that were imported")), "{done:?}");
    let sound = ["2026/2026-08/sound.jpg", "2026/2026-08/sound.jpg.json", "2026/2026-08/sound.jpg.xmp"];
    assert_eq!(place.names(), [sound.as_slice(), &["inframe-export.json"]].concat());
    let list = place.json("inframe-export.json");
    assert_eq!((&list["count"], &list["damaged_count"]), (&json!(1), &json!(2)));
}

#[tokio::test]
async fn a_film_that_is_damaged_costs_only_itself() {
    let place = Place::new();
    let photo = place.put("a.heic", b"photo", Some(AUGUST));
    place.library.add_motion(photo, "video/quicktime", b"film").unwrap();
    let film = place.library.get(photo).unwrap().motion.as_ref().and_then(|film| film.blob).unwrap();
    place.library.vault.blobs().remove(film).unwrap();
    let done = place.export();
    assert_eq!((done.files, done.damaged_count), (1, 1));
    assert_eq!(done.damaged[0].file_name, "a.heic (its film)");
    assert_eq!(place.json("2026/2026-08/a.heic.json")["motion"], Value::Null);
}

#[tokio::test]
async fn d8_files_of_others_stay_as_they_are_and_no_link_leads_out() {
    let place = Place::new();
    place.put("a.jpg", b"mine", Some(AUGUST));
    place.put("b.jpg", b"b", Some(AUGUST));
    place.put("c.jpg", b"c", Some(AUGUST));
    place.put("d.jpg", b"d", Some(AUGUST));
    place.begin().unwrap();
    let month = place.root().join("2026/2026-08");
    fs::create_dir_all(&month).unwrap();
    let outside = place.folder.path().join("outside.txt");
    fs::write(&outside, b"precious").unwrap();
    fs::write(month.join("A.JPG"), b"of another case").unwrap();
    symlink(&outside, month.join("b.jpg")).unwrap();
    symlink(&outside, month.join("c.jpg.json")).unwrap();
    fs::write(month.join("d.jpg.xmp"), b"a sidecar of something else").unwrap();
    for _ in 0..2 {
        assert_eq!(place.export().files, 4);
        assert_eq!(fs::read(&outside).unwrap(), b"precious");
        assert_eq!(fs::read(month.join("A.JPG")).unwrap(), b"of another case");
        assert_eq!(fs::read(month.join("d.jpg.xmp")).unwrap(), b"a sidecar of something else");
        for (name, bytes) in [("a", "mine"), ("b", "b"), ("c", "c"), ("d", "d")] {
            assert_eq!(fs::read(month.join(format!("{name} (2).jpg"))).unwrap(), bytes.as_bytes());
        }
        assert_eq!(fs::read_dir(&month).unwrap().count(), 4 + 4 * 3);
    }
    // A file that was changed in the folder is left, and the original is written beside it.
    fs::write(month.join("b (2).jpg"), b"B").unwrap();
    assert_eq!(place.export().new_files, 1);
    assert_eq!(fs::read(month.join("b (2).jpg")).unwrap(), b"B");
    assert_eq!(fs::read(month.join("b (3).jpg")).unwrap(), b"b");
}

#[tokio::test]
async fn folders_that_are_no_place_for_an_export_are_refused() {
    let place = Place::new();
    place.put("a.jpg", b"a", Some(AUGUST));
    let refused = |folder: &Path| place.library.begin_export(folder).unwrap_err();
    assert!(matches!(refused(&place.folder.path().join("nowhere")), ExportError::Away(_)));
    assert!(matches!(refused(&place.folder.path().join("key")), ExportError::Away(_)), "a file");
    assert!(matches!(refused(&place.folder.path().join("data")), ExportError::Inside(_)));
    assert!(matches!(refused(&place.folder.path().join("data/blobs")), ExportError::Inside(_)));
    // The root, or a folder in it, leads elsewhere.
    symlink(place.folder.path().join("data"), place.root()).unwrap();
    assert!(matches!(refused(&place.disk()), ExportError::Taken(_)));
    fs::remove_file(place.root()).unwrap();
    place.begin().unwrap();
    symlink(place.folder.path().join("data"), place.root().join("2026")).unwrap();
    let led = place.export_with(|_, _| Facts::default(), |_| true);
    assert!(matches!(led, Err(ExportError::Taken(_))), "{led:?}");
    assert!(!place.folder.path().join("data/2026-08").exists());
    fs::remove_file(place.root().join("2026")).unwrap();
    // A list of something else.
    fs::write(place.root().join("inframe-export.json"), b"{}").unwrap();
    assert!(matches!(refused(&place.disk()), ExportError::Taken(_)));
    fs::remove_file(place.root().join("inframe-export.json")).unwrap();
    // The folder of an export names itself as well.
    assert_eq!(place.library.begin_export(&place.root()).unwrap(), place.root().canonicalize().unwrap());
    // Two at once, and a disk that was taken away.
    let held = Root::open(&place.disk(), &place.library.vault.dir().root, false).unwrap();
    assert!(matches!(refused(&place.disk()), ExportError::Busy(_)));
    drop(held);
    fs::remove_dir_all(place.root()).unwrap();
    let away = place.library.export(&place.disk(), |_, _| Facts::default(), |_| true);
    assert!(matches!(away, Err(ExportError::Away(_))), "{away:?}");
}

#[tokio::test]
async fn what_does_not_fit_is_said_before_anything_is_written() {
    let place = Place::keeping_free(u64::MAX / 2);
    place.put("a.jpg", b"a", Some(AUGUST));
    let refused = place.begin().unwrap_err();
    assert!(matches!(refused, ExportError::NoRoom(..)), "{refused:?}");
    assert!(refused.to_string().contains("do not fit"), "{refused}");
    assert!(place.names().is_empty());
}

#[tokio::test]
async fn days_give_months_and_times_that_nobody_writes_do_not() {
    assert_eq!(month(0), Some((1970, 1)));
    assert_eq!(month(-1), Some((1969, 12)));
    assert_eq!(month(i32::MAX), None);
    assert_eq!(month(i32::MIN), None);
    let place = Place::new();
    place.put("a.jpg", b"a", Some(i64::MAX));
    place.put("b.jpg", b"b", Some(i64::MIN));
    assert_eq!(place.export().files, 2);
    let imported = i32::try_from(crate::clock::now_ms() / 86_400_000).unwrap();
    let year = month(imported).unwrap().0;
    assert!(place.names().iter().filter(|name| name.ends_with(".jpg")).all(|name| name.starts_with(&year.to_string())));
}
