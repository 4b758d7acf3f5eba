//! The vault as a whole: nothing readable on the disk, and nothing lost when the process is killed.

use std::{
    collections::BTreeMap,
    env, fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::unix::{fs::PermissionsExt as _, process::ExitStatusExt as _},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    sync::Mutex,
    thread,
};

use serde::{Deserialize, Serialize};

use super::{
    place::{Place, files_below, pattern},
    *,
};
use crate::limits::BLOB_CHUNK_BYTES;

const CANARY: &str = "canary-Zaphod-Beeblebrox-42.1234N";

/// Files below `folder` that hold `needle`, in their bytes or in their name.
fn holders(folder: &Path, needle: &[u8]) -> Vec<String> {
    let finder = memchr::memmem::Finder::new(needle);
    let holds = |path: &std::path::PathBuf| {
        finder.find(&fs::read(path).unwrap()).is_some() || finder.find(path.as_os_str().as_encoded_bytes()).is_some()
    };
    files_below(folder).iter().filter(|path| holds(path)).map(|path| path.display().to_string()).collect()
}

/// The ways in which a careless program would write a text.
fn forms(text: &[u8]) -> Vec<Vec<u8>> {
    let wide = text.iter().flat_map(|byte| [*byte, 0]).collect();
    let encodings = [data_encoding::HEXLOWER, data_encoding::HEXUPPER, data_encoding::BASE64, data_encoding::BASE64URL];
    // Base64 of whole groups, so that padding does not hide it.
    let whole = &text[..text.len() / 3 * 3];
    let encoded = encodings.iter().map(|encoding| encoding.encode(whole).into_bytes());
    [text.to_vec(), wide].into_iter().chain(encoded).collect()
}

/// Plants the canary everywhere that a caller can put something.
fn plant(vault: &Vault, canary: &[u8]) {
    let long = canary.repeat(2 * BLOB_CHUNK_BYTES / canary.len() + 1);
    for kind in BlobKind::ALL {
        vault.blobs().put(kind, canary, &long).unwrap();
        vault.blobs().put(kind, canary, canary).unwrap();
    }
    let removed = vault.blobs().put(BlobKind::Original, canary, canary).unwrap();
    vault.blobs().remove(removed).unwrap();
    let mut incoming =
        vault.blobs().incoming(BlobId::random().unwrap(), BlobKind::Original, long.len() as u64, canary).unwrap();
    incoming.append(&mut long[..BLOB_CHUNK_BYTES].to_vec()).unwrap();
    incoming.set_meta(&[canary, canary].concat()).unwrap();
    for round in 0..2u8 {
        for kind in Kind::ALL {
            let mut batch = Batch::new();
            batch.put(kind, [round], canary.repeat(3)).put_as(kind, [round, 1], &CANARY.to_owned()).unwrap();
            batch.put(kind, [9], canary).remove(kind, [9]);
            vault.catalog().commit(batch).unwrap();
        }
        vault.settle().unwrap();
    }
    let content = blake3::hash(canary);
    let mut batch = Batch::new();
    batch.put(Kind::ContentTag, vault.content_tag(content.as_bytes()), b"");
    vault.catalog().commit(batch).unwrap();
}

#[test]
fn d3_no_plaintext_is_on_the_disk_while_it_is_open_nor_after() {
    let place = Place::new();
    let vault = place.vault();
    plant(&vault, CANARY.as_bytes());
    let mut needles = forms(CANARY.as_bytes());
    let content = blake3::hash(CANARY.as_bytes());
    needles.extend(forms(content.as_bytes()));
    needles.push(content.to_string().into_bytes());
    for key in [Subkey::Blobs, Subkey::Catalog, Subkey::Biometrics, Subkey::Identity, Subkey::ContentTags] {
        needles.push(vault.subkey(key).expose().to_vec());
    }
    // And a part that a chunk boundary or a page could have split.
    needles.push(b"Beeblebrox".to_vec());
    let scan = |when: &str| {
        assert!(files_below(&place.root()).len() > 20);
        for needle in &needles {
            assert_eq!(
                holders(&place.root(), needle),
                Vec::<String>::new(),
                "{when}: {:?}",
                String::from_utf8_lossy(needle)
            );
        }
    };
    scan("while it is open");
    // Also in the files of a rebuild, and in a database that was set aside.
    let catalog = vault.catalog().clone();
    drop(vault);
    drop(catalog);
    scan("after it was closed");
    fs::write(place.root().join("catalog.damaged"), b"").unwrap();
    let vault = place.vault();
    assert!(matches!(vault.catalog().opening(), Opening::Rebuilt { complete: true, .. }));
    assert!(place.root().join("catalog.set-aside").exists());
    scan("after a rebuild");
    assert_eq!(vault.catalog().get(Kind::Album, [0]).unwrap().unwrap(), CANARY.repeat(3).as_bytes());
    // The scan does find what is there.
    fs::write(place.root().join("blobs/leak"), format!("x{CANARY}x")).unwrap();
    assert_eq!(holders(&place.root(), &needles[0]).len(), 1);
}

#[test]
fn d3_every_file_is_its_owners_alone() {
    let place = Place::new();
    let vault = place.vault();
    plant(&vault, CANARY.as_bytes());
    for path in files_below(&place.root()) {
        // What sled makes lies in a folder of its own that nobody else can enter.
        let private = path.ancestors().take_while(|path| path.starts_with(place.root())).any(|path| {
            let mode = fs::metadata(path).unwrap().permissions().mode();
            mode & 0o077 == 0
        });
        assert!(private, "{}", path.display());
    }
    assert_eq!(fs::metadata(place.root()).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn content_tags_and_sub_keys_differ_between_vaults() {
    let (one, other) = (Place::new(), Place::new());
    let (one, other) = (one.vault(), other.vault());
    let content = [7; 32];
    assert_eq!(one.content_tag(&content), one.clone().content_tag(&content));
    assert_ne!(one.content_tag(&content), other.content_tag(&content));
    assert_ne!(one.content_tag(&content), one.content_tag(&[8; 32]));
    assert_ne!(one.subkey(Subkey::Identity), other.subkey(Subkey::Identity));
}

#[test]
fn a_vault_under_the_slots_of_another_refuses_and_is_whole_once_its_own_are_back() {
    let (place, stranger) = (Place::new(), Place::new());
    let vault = place.vault();
    let id = vault.blobs().put(BlobKind::Original, b"meta", b"photo").unwrap();
    let mut batch = Batch::new();
    batch.put(Kind::Asset, b"a", b"record");
    vault.catalog().commit(batch).unwrap();
    vault.settle().unwrap();
    drop(vault);
    drop(stranger.vault());
    let names = ["key-slots", "key-slots.copy"];
    let own = names.map(|name| fs::read(place.root().join(name)).unwrap());
    for name in names {
        fs::copy(stranger.root().join(name), place.root().join(name)).unwrap();
    }
    let opened = Vault::open(&place.dir(), &stranger.key_file());
    assert!(matches!(opened, Err(VaultError::Catalog(CatalogError::WrongKey))), "{opened:?}");
    for (name, bytes) in names.iter().zip(own) {
        fs::write(place.root().join(name), bytes).unwrap();
    }
    let vault = place.vault();
    assert_eq!(*vault.blobs().read(id).unwrap(), b"photo");
    assert_eq!(vault.catalog().get(Kind::Asset, b"a").unwrap().unwrap(), b"record");
}

#[test]
fn a_catalog_lost_for_good_can_be_told_from_the_blobs() {
    let place = Place::new();
    let vault = place.vault();
    let ids = [1u8, 2, 3].map(|number| vault.blobs().put(BlobKind::Original, &[number], &[number; 10]).unwrap());
    drop(vault);
    for name in ["catalog", "journal"] {
        fs::remove_dir_all(place.root().join(name)).unwrap();
    }
    let vault = place.vault();
    assert_eq!(*vault.catalog().opening(), Opening::New);
    let mut found: Vec<_> = vault.blobs().list().unwrap();
    found.sort_by_key(|id| vault.blobs().describe(*id).unwrap().meta);
    assert_eq!(found, ids);
}

// ---- killed at any point ----

/// In the environment of the child: the folder that it works in.
const FOLDER: &str = "INFRAME_TEST_VAULT_FOLDER";
const CHILD: &str = "vault::tests::the_child_that_is_killed";
/// Writers of the child, so that commits share an fsync.
const WRITERS: u32 = 3;

/// What the child commits together with a blob, in one batch of two kinds.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Written {
    blob: BlobId,
    size: u32,
}

/// Run by the test below in a process of its own; it never ends by itself.
#[test]
#[ignore = "the kill test starts it"]
fn the_child_that_is_killed() {
    let place = Place::of_another(env::var_os(FOLDER).expect("only the kill test starts this"));
    let out = Mutex::new(std::io::stdout());
    let say = |words: std::fmt::Arguments<'_>| {
        let mut out = out.lock().unwrap();
        // On a line of its own, since the test harness may have begun one.
        out.write_all(format!("\n@{words}\n").as_bytes()).unwrap();
        out.flush().unwrap();
    };
    say(format_args!("opening"));
    let vault = place.vault();
    let first = vault.catalog().count(Kind::Asset).unwrap() as u32;
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (vault, say) = (&vault, &say);
            scope.spawn(move || {
                for number in (first + writer..).step_by(WRITERS as usize) {
                    let size = number % 7 * 50_000 + number % 3;
                    let meta = number.to_be_bytes();
                    let blob = vault.blobs().put(BlobKind::Original, &meta, &pattern(size as usize)).unwrap();
                    let written = Written { blob, size };
                    let mut batch = Batch::new();
                    batch.put_as(Kind::Asset, blob.as_bytes(), &written).unwrap();
                    batch.put_as(Kind::Face, blob.as_bytes(), &written).unwrap();
                    vault.catalog().commit(batch).unwrap();
                    say(format_args!("{blob} {size}"));
                    if number % 11 == 10 {
                        vault.settle().unwrap();
                        say(format_args!("settled"));
                    }
                }
            });
        }
    });
}

struct Victim {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Victim {
    fn start(place: &Place) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .args([CHILD, "--exact", "--ignored", "--nocapture", "--test-threads=1"])
            .env(FOLDER, place.outside())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    /// The next line that the child said; `None` when it has ended.
    fn next(&mut self) -> Option<String> {
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            if let Some(said) = line.strip_prefix('@').and_then(|line| line.strip_suffix('\n')) {
                return Some(said.to_owned());
            }
        }
    }

    /// Reads until the child has said `count` lines, kills it, and gives all that it had said by then.
    fn kill_after(mut self, count: usize) -> Vec<String> {
        let mut said = Vec::new();
        while said.len() < count {
            said.push(self.next().expect("the child ended by itself"));
        }
        self.child.kill().unwrap();
        assert_eq!(self.child.wait().unwrap().signal(), Some(9));
        said.extend(std::iter::from_fn(|| self.next()));
        said
    }
}

#[test]
fn d1_what_was_acknowledged_survives_kill_9_at_any_point() {
    let place = Place::new();
    let mut acknowledged = BTreeMap::new();
    // Line 1 says that it opens the vault; small numbers kill it while it recovers from the kill before.
    for kill_after in [1, 2, 1, 5, 13, 1, 3, 8, 21, 2, 34, 4] {
        for said in Victim::start(&place).kill_after(kill_after) {
            if let Some((blob, size)) = said.split_once(' ') {
                acknowledged.insert(blob.parse::<BlobId>().unwrap(), size.parse::<u32>().unwrap());
            }
        }
        let vault = place.vault();
        let opening = vault.catalog().opening();
        assert!(matches!(opening, Opening::New | Opening::Opened { .. }), "a kill alone did damage: {opening:?}");
        let assets = vault.catalog().scan_as::<Written>(Kind::Asset).unwrap();
        assert_eq!(assets, vault.catalog().scan_as::<Written>(Kind::Face).unwrap(), "half of a batch");
        for (blob, size) in &acknowledged {
            let written = vault.catalog().get_as::<Written>(Kind::Asset, blob.as_bytes()).unwrap();
            assert_eq!(written, Some(Written { blob: *blob, size: *size }), "killed after {kill_after} lines");
        }
        // A record is committed after its blob is durable, so each record has a whole one, acknowledged or not.
        for (_, Written { blob, size }) in assets {
            let mut plain = Vec::new();
            vault.blobs().open(blob).unwrap().read_to_end(&mut plain).unwrap();
            assert_eq!(plain, pattern(size as usize), "blob {blob}");
        }
        for blob in vault.blobs().list().unwrap() {
            vault.blobs().open(blob).unwrap().verify().unwrap();
        }
        assert!(files_below(&place.root().join("blobs/temporary")).is_empty());
    }
    assert!(acknowledged.len() > 60, "only {} commits were acknowledged", acknowledged.len());
    // The database is only an index: what is durable is in the journal and in the snapshot.
    fs::remove_dir_all(place.root().join("catalog")).unwrap();
    let vault = place.vault();
    assert!(matches!(vault.catalog().opening(), Opening::Rebuilt { complete: true, .. }));
    assert!(acknowledged.keys().all(|blob| vault.catalog().contains(Kind::Face, blob.as_bytes()).unwrap()));
}
