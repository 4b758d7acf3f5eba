//! The trash: out of sight and out of every event at once, back with everything, and gone for good with its keys.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use inframe_tests::api::{Api, refusal};
use inframe_tests::cli::answer;
use inframe_tests::daemon::Daemon;
use inframe_tests::photos::{self, Variation, pattern};
use inframe_tests::scene::{
    self, SOON, Scene, WORKED, announce, received, somebody_in, upload, wait_for_faces, wait_for_rest,
};
use inframe_tests::wait::{Seen, wait_until};

/// The part of a blob's header that holds its wrapped key, in bytes; see `vault/FORMAT.md`.
const WRAPPED_KEY: std::ops::Range<usize> = 32..104;

async fn ids(api: &Api) -> Result<BTreeSet<String>> {
    Ok(api.assets().await?.into_iter().map(|asset| asset.id).collect())
}

/// Files of blobs in the vault.
fn blobs(node: &Daemon) -> Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    for folder in std::fs::read_dir(node.data_dir().join("blobs"))? {
        let folder = folder?.path();
        if folder.file_name().is_some_and(|name| name.len() == 2) {
            found.extend(std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?);
        }
    }
    Ok(found)
}

/// Second names for files, by which they are seen after they were removed.
fn linked(node: &Daemon, files: impl IntoIterator<Item = PathBuf>) -> Result<Vec<(PathBuf, PathBuf)>> {
    let folder = node.folder().join("links");
    std::fs::create_dir_all(&folder)?;
    let link = |file: PathBuf| {
        let link = folder.join(file.file_name().context("no name")?);
        std::fs::hard_link(&file, &link)?;
        Ok((file, link))
    };
    files.into_iter().map(link).collect()
}

fn has_key(file: &Path) -> Result<bool> {
    let bytes = std::fs::read(file)?;
    Ok(bytes.get(WRAPPED_KEY).context("no header")?.iter().any(|byte| *byte != 0))
}

async fn erased(node: &Daemon) -> Result<()> {
    wait_until("everything erased", SOON, async || {
        let left = node.api().trash(None, 1).await?.erasing;
        Ok(Seen::when((left == 0).then_some(()), || format!("{left} files to erase")))
    })
    .await
}

#[tokio::test]
async fn what_is_deleted_is_out_of_sight_at_once_and_comes_back_with_its_people_and_dates() -> Result<()> {
    let mut node = Daemon::start("Node").await?;
    scene::agree(node.api()).await?;
    let mut assets = vec![upload(node.api(), "party.jpg", photos::sample(3)?).await?];
    for variation in [Variation::Darker(0.8), Variation::Smaller(1400), Variation::TurnedByExif] {
        assets.push(upload(node.api(), "terrace.jpg", photos::varied(1, variation)?).await?);
    }
    let person = somebody_in(&node, 4).await?;
    node.api().name_person(&person.id, "Guest").await?;
    let before = node.api().asset(&assets[0]).await?;
    ensure!(before.faces.iter().any(|face| face.name.as_deref() == Some("Guest")));

    let trashed = node.api().move_to_trash(&assets[0]).await?;
    assert_eq!(
        (trashed.id.as_str(), trashed.file_name.as_str(), trashed.days_left),
        (assets[0].as_str(), "party.jpg", 30)
    );
    assert_eq!(node.api().move_to_trash(&assets[0]).await?.days_left, 30, "once more is no mistake");
    for restarted in [false, true] {
        if restarted {
            node.restart().await?;
        }
        assert!(!ids(node.api()).await?.contains(&assets[0]));
        assert_eq!(node.api().status().await?.asset_count, 3);
        assert_eq!(refusal(node.api().asset(&assets[0]).await)?.status, 404);
        assert_eq!(refusal(node.api().original(&assets[0]).await)?.status, 404);
        photos::dimensions(&node.api().thumb(&assets[0], "preview").await?)?;
        let trash = node.api().trash(None, 10).await?;
        assert_eq!((trash.total, trash.items.len(), trash.items[0].id.as_str()), (1, 1, assets[0].as_str()));
        // Two others are in the three copies as well, and nowhere else.
        somebody_in(&node, 3).await?;
        let detail = node.api().person(&person.id).await?;
        assert_eq!((detail.person.photos, detail.photos.len()), (3, 3));
        assert!(detail.photos.iter().all(|photo| photo.face.asset != assets[0]));
    }
    // With all her photos she goes, and with them she comes back, by her name.
    for asset in &assets[1..] {
        node.api().move_to_trash(asset).await?;
    }
    assert!(node.api().people().await?.people.is_empty());
    assert_eq!(node.api().questions().await?.total, 0);
    node.restart().await?;
    let all: Vec<&str> = assets.iter().map(String::as_str).collect();
    let back = node.api().restore(&all).await?;
    assert_eq!((back.done, back.total), (4, 0));
    assert_eq!((somebody_in(&node, 4).await?.id, node.api().people().await?.pending), (person.id, 0));
    let after = wait_for_faces(node.api(), &assets[0]).await?;
    assert_eq!(
        (after.taken_at, &after.file_name, &after.content_id),
        (before.taken_at, &before.file_name, &before.content_id)
    );
    ensure!(after.faces.iter().any(|face| face.name.as_deref() == Some("Guest")), "her name came back with the photo");
    assert_eq!(refusal(node.api().restore(&all).await)?.status, 404);
    Ok(())
}

#[tokio::test]
async fn importing_what_lies_in_the_trash_brings_it_back_and_says_so() -> Result<()> {
    let node = Daemon::start("Node").await?;
    let folder = node.photo_dir()?;
    let bytes = photos::to_jpeg(&pattern(320, 240, 1))?;
    std::fs::write(folder.join("a.jpg"), &bytes)?;
    let id = upload(node.api(), "a.jpg", bytes.clone()).await?;
    node.api().move_to_trash(&id).await?;
    let again = node.api().upload("again.jpg", bytes).await?;
    assert_eq!((again.outcome.as_str(), again.asset.as_deref()), ("restored", Some(id.as_str())));
    assert_eq!((node.api().trash(None, 9).await?.total, ids(node.api()).await?), (0, BTreeSet::from([id.clone()])));
    node.api().move_to_trash(&id).await?;
    let output = answer(&node, &["import", folder.to_str().context("no text")?])?;
    assert!(output.contains("0 imported, 0 there already, 1 restored from the trash, 0 failed"), "{output}");
    assert_eq!(node.api().asset(&id).await?.file_name, "a.jpg");
    Ok(())
}

#[tokio::test]
async fn d4_what_is_in_the_trash_is_neither_asked_about_nor_sent() -> Result<()> {
    let mut scene = Scene::gather("ask").await?;
    let asset = upload(scene.photographer.api(), "sofa.jpg", photos::sample(3)?).await?;
    announce(scene.finder.api(), &scene.event).await?;
    let asked = async |scene: &Scene, count: usize| {
        wait_until(&format!("{count} questions"), WORKED, async || {
            let waiting = scene.photographer.api().approvals("waiting").await?;
            Ok(if waiting.len() == count { Seen::Done(waiting) } else { Seen::NotYet(format!("{waiting:?}")) })
        })
        .await
    };
    let question = asked(&scene, 1).await?.remove(0);
    scene.photographer.api().move_to_trash(&asset).await?;
    assert!(scene.photographer.api().approvals("waiting").await?.is_empty(), "the question goes with the photo");
    let late = refusal(scene.photographer.api().decide(&question.id, "allow", false).await)?;
    assert_eq!((late.status, late.kind.as_str()), (409, "answered"));
    scene.wait_for_rest().await?;
    assert!(scene.photographer.api().approvals("waiting").await?.is_empty());
    // Back, it is asked about again; allowed while she is away, it waits, and goes nowhere from the trash.
    scene.photographer.api().restore(&[&asset]).await?;
    let question = asked(&scene, 1).await?.remove(0);
    scene.finder.kill().await?;
    scene.photographer.api().decide(&question.id, "allow", false).await?;
    let state = async |scene: &Scene, wanted: &str| {
        wait_until(&format!("a delivery that is {wanted}"), WORKED, async || {
            let transfers = scene.photographer.api().transfers().await?;
            let is = transfers.iter().any(|transfer| transfer.state == wanted);
            Ok(Seen::when(is.then_some(()), || format!("{transfers:?}")))
        })
        .await
    };
    state(&scene, "waiting").await?;
    scene.photographer.api().move_to_trash(&asset).await?;
    let transfers = scene.photographer.api().transfers().await?;
    assert_eq!((transfers.len(), transfers[0].state.as_str()), (1, "cancelled"), "{transfers:?}");
    assert_eq!(transfers[0].reason.as_deref(), Some("you deleted the photo"));
    scene.photographer.restart().await?;
    scene.finder.restart().await?;
    scene.wait_for_rest().await?;
    assert!(received(scene.finder.api()).await?.is_empty(), "d4: it left from the trash");
    assert_eq!(refusal(scene.photographer.api().add_assets(&scene.event, &[&asset]).await)?.status, 404);
    let event = scene.photographer.api().event(&scene.event).await?;
    assert!(event.asset_ids.is_empty(), "{:?}", event.asset_ids);
    // What was allowed still is when it is restored.
    scene.photographer.api().restore(&[&asset]).await?;
    scene.wait_for_received(1).await?;
    Ok(())
}

#[tokio::test]
async fn what_was_received_and_deleted_does_not_come_again() -> Result<()> {
    let scene = Scene::gather("automatic").await?;
    let sent = upload(scene.photographer.api(), "arrival.jpg", photos::hers()?).await?;
    announce(scene.finder.api(), &scene.event).await?;
    let got = scene.wait_for_received(1).await?.remove(0);
    let trashed = scene.finder.api().move_to_trash(&got.id).await?;
    assert!(trashed.received);
    assert!(!scene.finders_event().await?.asset_ids.contains(&got.id), "it is in no event any more");
    // The same bytes from another holder.
    upload(scene.host.api(), "arrival.jpg", photos::hers()?).await?;
    scene.wait_for_rest().await?;
    assert!(received(scene.finder.api()).await?.is_empty());
    assert_eq!(scene.finder.api().trash(None, 9).await?.total, 1);
    scene.finder.api().restore(&[&got.id]).await?;
    let back = scene.finder.api().asset(&got.id).await?;
    assert_eq!((back.origin.kind.as_str(), back.origin.event.as_ref()), ("received", Some(&scene.event)));
    assert!(scene.finders_event().await?.asset_ids.contains(&got.id));
    // The sender who deletes keeps no hold of it, and the finder keeps what she has.
    scene.photographer.api().move_to_trash(&sent).await?;
    scene.wait_for_rest().await?;
    assert_eq!(received(scene.finder.api()).await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn what_is_deleted_for_good_loses_its_keys_and_files() -> Result<()> {
    let mut node = Daemon::start("Node").await?;
    let stays = upload(node.api(), "stays.jpg", photos::to_jpeg(&pattern(320, 240, 1))?).await?;
    wait_for_rest(&node).await?;
    let of_others = blobs(&node)?;
    let bytes = photos::to_jpeg(&pattern(320, 240, 2))?;
    let id = upload(node.api(), "goes.jpg", bytes.clone()).await?;
    wait_for_rest(&node).await?;
    let links = linked(&node, blobs(&node)?.difference(&of_others).cloned())?;
    assert_eq!(links.len(), 3, "an original and two pictures");
    let not_there = refusal(node.api().purge(&[&id]).await)?;
    assert_eq!(not_there.status, 404, "only what is in the trash can be deleted for good");
    node.api().move_to_trash(&id).await?;
    for (_, link) in &links {
        ensure!(has_key(link)?, "it can still be restored");
    }
    let done = node.api().purge(&[&id, &stays]).await?;
    assert_eq!((done.done, done.total), (1, 0), "what is not in the trash is not touched");
    erased(&node).await?;
    assert_eq!(blobs(&node)?, of_others);
    for (_, link) in &links {
        ensure!(!has_key(link)?, "the key of {} survives", link.display());
    }
    assert_eq!(refusal(node.api().thumb(&id, "grid").await)?.status, 404);
    node.restart().await?;
    assert_eq!(ids(node.api()).await?, BTreeSet::from([stays]));
    assert_eq!(node.api().upload("goes.jpg", bytes).await?.outcome, "imported", "it is unknown again");
    Ok(())
}

#[tokio::test]
async fn d2_a_kill_right_after_the_trash_was_emptied_leaves_neither_files_nor_keys() -> Result<()> {
    let mut node = Daemon::start("Node").await?;
    for seed in 0..12 {
        let id = upload(node.api(), "goes.jpg", photos::to_jpeg(&pattern(320, 240, seed))?).await?;
        node.api().move_to_trash(&id).await?;
    }
    wait_for_rest(&node).await?;
    let links = linked(&node, blobs(&node)?)?;
    assert_eq!(node.api().empty_trash().await?.done, 12);
    node.kill().await?;
    node.restart().await?;
    assert_eq!((node.api().trash(None, 9).await?.total, blobs(&node)?), (0, BTreeSet::new()));
    assert_eq!(links.len(), 36);
    for (_, link) in &links {
        ensure!(!has_key(link)?, "the key of {} survives", link.display());
    }
    Ok(())
}

#[tokio::test]
async fn the_trash_is_listed_in_parts_newest_first_and_bad_marks_are_refused() -> Result<()> {
    let node = Daemon::start("Node").await?;
    let mut moved = Vec::new();
    for seed in 0..5 {
        let id = upload(node.api(), &format!("{seed}.jpg"), photos::to_jpeg(&pattern(320, 240, seed))?).await?;
        node.api().move_to_trash(&id).await?;
        moved.push(id);
    }
    let (mut listed, mut mark) = (Vec::new(), None);
    loop {
        let part = node.api().trash(mark.as_deref(), 2).await?;
        assert_eq!(part.total, 5);
        listed.extend(part.items);
        mark = part.next;
        if mark.is_none() {
            break;
        }
    }
    let ids: BTreeSet<&String> = listed.iter().map(|item| &item.id).collect();
    assert_eq!((listed.len(), ids), (5, moved.iter().collect()), "each once");
    assert!(listed.windows(2).all(|pair| pair[0].trashed_at >= pair[1].trashed_at), "{listed:?}");
    for mark in ["nonsense", "12", "12-zz"] {
        assert_eq!(refusal(node.api().trash(Some(mark), 2).await)?.kind, "bad-mark");
    }
    let many: Vec<&str> = std::iter::repeat_n(moved[0].as_str(), 1001).collect();
    assert_eq!(refusal(node.api().restore(&many).await)?.status, 413);
    assert_eq!(refusal(node.api().purge(&[]).await)?.status, 404);
    Ok(())
}

#[tokio::test]
async fn the_command_line_lists_restores_and_deletes_for_good() -> Result<()> {
    let node = Daemon::start("Node").await?;
    assert!(
        answer(&node, &["trash", "list"])?.starts_with("The trash is empty. What you delete stays in it for 30 days.")
    );
    for (seed, name) in [(1, "one.jpg"), (2, "two.jpg"), (3, "three.jpg")] {
        let id = upload(node.api(), name, photos::to_jpeg(&pattern(320, 240, seed))?).await?;
        node.api().move_to_trash(&id).await?;
    }
    let listed = answer(&node, &["trash", "list"])?;
    assert!(listed.contains("one.jpg") && listed.contains("30 days left"), "{listed}");
    assert_eq!(answer(&node, &["trash", "restore", "One.jpg"])?, "1 restored, 2 left in the trash.\n");
    let purged = answer(&node, &["trash", "purge", "two.jpg", "--yes"])?;
    assert!(purged.starts_with("1 deleted for good, 1 left in the trash."), "{purged}");
    let unasked = answer(&node, &["trash", "empty"]).unwrap_err().to_string();
    assert!(unasked.contains("Delete 1 photos") && unasked.contains("nothing was changed"), "{unasked}");
    let emptied = answer(&node, &["trash", "empty", "--yes"])?;
    assert!(emptied.starts_with("1 deleted for good, 0 left in the trash."), "{emptied}");
    let unknown = answer(&node, &["trash", "restore", "two.jpg"]).unwrap_err().to_string();
    assert!(unknown.contains("nothing is called \"two.jpg\"; see `inframe trash list`"), "{unknown}");
    assert_eq!(node.api().status().await?.asset_count, 1);
    Ok(())
}
