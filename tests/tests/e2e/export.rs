//! An export by the command line: every file as it was imported, its sidecars true, again only what is new, and on after a kill.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use inframe_tests::api::refusal;
use inframe_tests::cli::{answer, said, typed};
use inframe_tests::daemon::Daemon;
use inframe_tests::kill;
use inframe_tests::photos::{self, Exif, Variation, pattern};
use inframe_tests::scan;
use inframe_tests::scene::{self, SOON, WORKED, somebody_in, upload};
use inframe_tests::views::Export;
use inframe_tests::wait::{Seen, wait_until};
use serde_json::{Value, json};

use super::import::film;

/// The names of what was exported by the hashes of the bytes, sidecars and list left out.
fn originals(root: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let mut found = BTreeMap::new();
    for path in scan::files(root)? {
        let name = path.file_name().and_then(|name| name.to_str()).context("a name that is no text")?;
        if ![".json", ".xmp"].iter().any(|ending| name.ends_with(ending)) {
            let before = found.insert(hash(&std::fs::read(&path)?), path.clone());
            ensure!(before.is_none(), "{before:?} is there twice");
        }
    }
    Ok(found)
}

fn hash(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

/// The sidecar with one more ending than the file.
fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn json_of(file: &Path) -> Result<Value> {
    Ok(serde_json::from_slice(&std::fs::read(file)?)?)
}

async fn ended(node: &Daemon) -> Result<Export> {
    wait_until("the end of the export", WORKED, async || {
        let now = node.api().export().await?;
        Ok(if now.running { Seen::NotYet(format!("{now:?}")) } else { Seen::Done(now) })
    })
    .await
}

/// What `exiftool` reads in a sidecar; `None`, said aloud, where it is not installed.
fn exiftool(file: &Path) -> Result<Option<Value>> {
    let Ok(read) = Command::new("exiftool").args(["-j", "-G1"]).arg(file).output() else {
        if std::env::var_os("CI").is_some() {
            bail!("exiftool is not installed: apt install libimage-exiftool-perl");
        }
        eprintln!("skipped: what exiftool reads in an exported sidecar: it is not installed");
        return Ok(None);
    };
    let said: Value = serde_json::from_slice(&read.stdout)?;
    Ok(said.get(0).cloned())
}

#[tokio::test]
async fn every_exported_file_is_what_was_imported_and_its_sidecars_say_what_the_library_knows() -> Result<()> {
    let node = Daemon::start("Node").await?;
    scene::agree(node.api()).await?;
    let folder = node.photo_dir()?;
    let exif = Exif { taken: Some("2026:05:01 12:00:00".to_owned()), location: true, ..Exif::default() };
    let mut wanted = BTreeMap::new();
    let mut give = |path: &str, bytes: Vec<u8>| -> Result<()> {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().context("no folder")?)?;
        std::fs::write(&path, &bytes)?;
        wanted.insert(hash(&bytes), path);
        Ok(())
    };
    give("IMG_1.jpg", photos::with_exif(&photos::to_jpeg(&pattern(320, 240, 1))?, &exif)?)?;
    give("IMG_1.MOV", film(3))?;
    // Later, so that it is the one that gives way.
    let later = Exif { taken: Some("2026:05:01 12:00:01".to_owned()), ..exif };
    give("deeper/img_1.JPG", photos::with_exif(&photos::to_jpeg(&pattern(320, 240, 2))?, &later)?)?;
    give("alone.mov", film(60))?;
    give("no picture.jpg", b"no picture at all".to_vec())?;
    give("tail. .. .jpg", photos::to_jpeg(&pattern(320, 240, 3))?)?;
    give("a & <b>.jpg", photos::varied(1, Variation::Darker(0.8))?)?;
    give("terrace.jpg", photos::varied(1, Variation::Smaller(1400))?)?;
    give("harbour.jpg", photos::varied(1, Variation::Darker(0.9))?)?;
    answer(&node, &["import", &folder.display().to_string()])?;
    let hostile = photos::to_jpeg(&pattern(320, 240, 4))?;
    upload(node.api(), "..\\..\\nul.jpg", hostile.clone()).await?;
    wanted.insert(hash(&hostile), "an upload".into());
    let gone = upload(node.api(), "gone.jpg", photos::to_jpeg(&pattern(320, 240, 5))?).await?;
    node.api().move_to_trash(&gone).await?;
    let person = somebody_in(&node, 3).await?;
    node.api().name_person(&person.id, "Zoë & \"<i>\"").await?;

    assert!(answer(&node, &["export"])?.contains("Nothing was exported yet"));
    let disk = node.folder().join("disk");
    let to = disk.display().to_string();
    let away = typed(&node, &["export", &to], &[])?;
    ensure!(!away.status.success() && said(&away).contains("cannot be read"), "{}", said(&away));
    let inside = refusal(node.api().begin_export(&node.data_dir().join("blobs")).await)?;
    assert_eq!(inside.status, 422, "{inside}");
    std::fs::create_dir(&disk)?;
    let done = answer(&node, &["export", &to])?;
    ensure!(done.contains("9 files") && done.contains("9 of them new") && done.contains("not encrypted"), "{done}");

    let root = disk.join("inframe-export");
    let found = originals(&root)?;
    let (were, are): (Vec<&String>, Vec<&String>) = (wanted.keys().collect(), found.keys().collect());
    assert_eq!(were, are, "{found:#?} of {wanted:#?}");
    let list = json_of(&root.join("inframe-export.json"))?;
    assert_eq!((&list["count"], &list["damaged_count"]), (&json!(9), &json!(0)));
    for row in list["files"].as_array().context("no files")? {
        let path = root.join(row["path"].as_str().context("no path")?);
        let content = row["content_id"].as_str().context("no content")?;
        assert_eq!(found.get(content), Some(&path));
        let sidecar = json_of(&beside(&path, ".json"))?;
        assert_eq!((&sidecar["content_id"], &sidecar["version"]), (&json!(content), &json!(1)));
        ensure!(beside(&path, ".xmp").is_file(), "{} has no XMP sidecar", path.display());
    }
    let may = root.join("2026/2026-05");
    for name in ["IMG_1.jpg", "IMG_1.mov", "img_1 (2).JPG"] {
        ensure!(may.join(name).is_file(), "{name} is not among {found:#?}");
    }
    let live = json_of(&may.join("IMG_1.jpg.json"))?;
    assert_eq!((&live["taken_at"], &live["has_location"]), (&json!("2026-05-01T12:00:00"), &json!(true)));
    assert_eq!(live["motion"]["file"], json!("IMG_1.mov"));
    let of = |name: &str| {
        let path = found.values().find(|path| path.ends_with(name));
        path.with_context(|| format!("no {name} in {found:#?}"))
    };
    let terrace = of("terrace.jpg")?;
    assert_eq!(json_of(&beside(terrace, ".json"))?["people"], json!(["Zoë & \"<i>\""]));
    assert_eq!(json_of(&beside(of("_nul.jpg")?, ".json"))?["kind"], json!("photo"));
    assert_eq!(json_of(&beside(of("no picture.jpg")?, ".json"))?["kind"], json!("file"));
    if let Some(read) = exiftool(&beside(of("a & _b_.jpg")?, ".xmp"))? {
        assert_eq!(read["XMP-iptcExt:PersonInImage"], json!("Zoë & \"<i>\""), "{read:#}");
        assert_eq!(read["XMP-xmpMM:PreservedFileName"], json!("a & <b>.jpg"), "{read:#}");
    }

    // Once more, nothing is new; the log says what left.
    let again = answer(&node, &["export", &to])?;
    ensure!(again.contains("9 files") && again.contains(" 0 of them new"), "{again}");
    let log = node.api().activity().await?;
    let of_export: Vec<&str> =
        log.iter().filter(|entry| entry.kind == "left").map(|entry| entry.text.as_str()).collect();
    assert_eq!(of_export.len(), 4, "{log:#?}");
    ensure!(of_export[3].contains("begins") && of_export[3].contains(" 9 "), "{of_export:#?}");
    ensure!(of_export[0].contains("complete") && of_export[0].contains("9 files"), "{of_export:#?}");
    Ok(())
}

#[tokio::test]
async fn d2_an_export_that_a_kill_cut_goes_on_by_itself_at_the_next_start() -> Result<()> {
    if !kill::is_possible("d2_an_export_that_a_kill_cut_goes_on_by_itself_at_the_next_start") {
        return Ok(());
    }
    let mut node = Daemon::start("Node").await?;
    let mut wanted = Vec::new();
    for number in 0..3 {
        let photo = photos::to_jpeg(&pattern(320, 240, number))?;
        upload(node.api(), "same.jpg", photo.clone()).await?;
        wanted.push(hash(&photo));
    }
    wanted.sort();
    let disk = node.folder().join("disk");
    let root = disk.join("inframe-export");
    std::fs::create_dir(&disk)?;
    // Three files a photo: in the middle of the second.
    node.run_under(kill::at("renameat2", &root, 5));
    node.restart().await?;
    // It may die before it has answered.
    let _ = node.api().begin_export(&disk).await;
    wait_until("the end of the daemon", SOON, async || {
        let answer = node.api().vault().await;
        Ok(if answer.is_err() { Seen::Done(()) } else { Seen::NotYet(format!("{answer:?}")) })
    })
    .await?;
    ensure!(!root.join("inframe-export.json").exists(), "the list comes last");
    let cut = originals(&root)?;
    ensure!(cut.keys().any(|content| wanted.contains(content)), "something had been written: {cut:?}");
    node.run_under(Vec::new());
    node.restart().await?;
    let now = ended(&node).await?;
    let result = now.result.context("no result")?;
    ensure!(result.files == 3 && result.new_files < 3 && result.damaged_count == 0, "{result:?}");
    assert_eq!(originals(&root)?.into_keys().collect::<Vec<_>>(), wanted);
    ensure!(
        scan::files(&root)?.iter().all(|path| !path.to_string_lossy().contains(".inframe-part-")),
        "nothing half-written is left"
    );
    assert_eq!(scan::files(&root)?.len(), 3 * 3 + 1);
    Ok(())
}

#[tokio::test]
async fn damage_and_a_full_disk_are_said_and_a_stopped_export_goes_on() -> Result<()> {
    let mut node = Daemon::start("Node").await?;
    let large = vec![3; 4 << 20];
    upload(node.api(), "large.bin", large).await?;
    let sound = photos::to_jpeg(&pattern(320, 240, 1))?;
    upload(node.api(), "sound.jpg", sound.clone()).await?;
    // The largest file of the vault is the large original.
    let blobs = scan::files(&node.data_dir().join("blobs"))?;
    let blob =
        blobs.into_iter().max_by_key(|path| path.metadata().map_or(0, |found| found.len())).context("no blob")?;
    let whole = std::fs::read(&blob)?;
    let mut damaged = whole.clone();
    *damaged.get_mut(2 << 20).context("it is short")? ^= 1;
    std::fs::write(&blob, &damaged)?;
    let disk = node.folder().join("disk");
    let to = disk.display().to_string();
    std::fs::create_dir(&disk)?;
    let partly = typed(&node, &["export", &to], &[])?;
    ensure!(!partly.status.success() && said(&partly).contains("large.bin: "), "{}", said(&partly));
    let result = node.api().export().await?.result.context("no result")?;
    assert_eq!((result.files, result.damaged_count), (1, 1));
    assert_eq!(result.damaged[0].file_name, "large.bin");
    ensure!(result.damaged[0].reason.contains("restore it from a backup"), "{result:?}");
    assert_eq!(originals(&disk)?.into_keys().collect::<Vec<_>>(), [hash(&sound)]);
    std::fs::write(&blob, &whole)?;

    node.keep_free(Some("1000TB"));
    node.restart().await?;
    let full = refusal(node.api().begin_export(&disk).await)?;
    assert_eq!((full.status, full.kind.as_str()), (507, "disk-almost-full"), "{full}");
    ensure!(full.detail.contains("do not fit"), "{full}");
    node.keep_free(None);
    node.restart().await?;

    node.api().begin_export(&disk).await?;
    node.api().stop_export().await?;
    let stopped = ended(&node).await?;
    ensure!(stopped.problem.is_none() && stopped.folder.as_deref() == Some(to.as_str()), "{stopped:?}");
    let done = answer(&node, &["export", &to])?;
    ensure!(done.contains("2 files"), "{done}");
    Ok(())
}
