//! People of a library: found, named, corrected, kept over restarts, erased with consent, and never told to anybody.

use anyhow::{Context, Result};
use inframe_tests::api::{Api, refusal};
use inframe_tests::daemon::Daemon;
use inframe_tests::photos::{self, Variation};
use inframe_tests::scan::{self, Canary};
use inframe_tests::scene::{self, Scene, somebody_in, upload, wait_for_faces, wait_for_rest};
use inframe_tests::views::FaceRef;

const NAME: &str = "Name-Canary-5512";

/// Photos of the finder: the first sample and darker or smaller copies, and the third, in which she is again.
async fn photos_of_her(api: &Api) -> Result<Vec<String>> {
    let variations = [Variation::Darker(0.8), Variation::Smaller(1400), Variation::TurnedByExif];
    let mut assets =
        vec![upload(api, "0.jpg", photos::sample(1)?).await?, upload(api, "3.jpg", photos::sample(3)?).await?];
    for (number, variation) in (4..).zip(variations) {
        assets.push(upload(api, &format!("{number}.jpg"), photos::varied(1, variation)?).await?);
    }
    Ok(assets)
}

async fn consented(nickname: &str) -> Result<Daemon> {
    let node = Daemon::start(nickname).await?;
    let text = node.api().consent_text("faces").await?;
    node.api().consent(&text.hash).await?;
    Ok(node)
}

/// Her face in a photo: the one of this person.
async fn face_of(api: &Api, asset: &str, person: &str) -> Result<Option<FaceRef>> {
    let faces = wait_for_faces(api, asset).await?.faces;
    let found = faces.iter().find(|face| face.person.as_deref() == Some(person));
    found.map(|face| Ok(FaceRef { asset: asset.to_owned(), face: face.id.parse()? })).transpose()
}

#[tokio::test]
async fn people_are_found_named_and_stay_named_over_a_restart() -> Result<()> {
    let mut node = consented("Node").await?;
    let assets = photos_of_her(node.api()).await?;
    // She is in all five; the two others of the first sample are in its four copies.
    let her = somebody_in(&node, 5).await?;
    let people = node.api().people().await?;
    assert!(people.consented);
    let counts: Vec<u32> = people.people.iter().map(|person| person.photos).collect();
    assert_eq!(counts, [5, 4, 4], "each copy shows the same three people");
    assert!(her.name.is_none() && !her.me && !her.hidden);
    let cover = her.cover.clone().context("no face stands for her")?;
    let (width, height) = photos::dimensions(&node.api().face_crop(&cover).await?)?;
    assert!(width >= 100 && height >= 100, "{width} x {height}");

    let named = node.api().name_person(&her.id, &format!("  {NAME}\u{202e} ")).await?;
    assert_eq!(named.name.as_deref(), Some(NAME), "trimmed, and without what turns the reading order");
    for asset in &assets {
        let face = face_of(node.api(), asset, &her.id).await?;
        assert!(face.is_some(), "she is in {asset}");
    }
    let detail = node.api().person(&her.id).await?;
    assert_eq!((detail.person.photos, detail.photos.len()), (5, 5));

    node.restart().await?;
    let again = somebody_in(&node, 5).await?;
    assert_eq!((again.id.as_str(), again.name.as_deref()), (her.id.as_str(), Some(NAME)));
    let later = upload(node.api(), "later.jpg", photos::varied(3, Variation::Darker(0.7))?).await?;
    assert_eq!(somebody_in(&node, 6).await?.id, her.id);
    assert!(face_of(node.api(), &later, &her.id).await?.is_some(), "a new photo of her after the restart is hers");
    Ok(())
}

#[tokio::test]
async fn corrections_hold_and_can_be_undone() -> Result<()> {
    let mut node = consented("Node").await?;
    let assets = photos_of_her(node.api()).await?;
    let her = somebody_in(&node, 5).await?;
    node.api().name_person(&her.id, NAME).await?;
    let everyone = node.api().people().await?;
    let other = everyone.people.iter().find(|person| person.id != her.id).context("nobody else")?.clone();

    let together = refusal(node.api().merge_people(&other.id, &her.id).await)?;
    assert_eq!((together.status, together.kind.as_str()), (409, "seen-together"), "{together}");

    let face = face_of(node.api(), &assets[1], &her.id).await?.context("she is in the third sample")?;
    node.api().not_person(&her.id, std::slice::from_ref(&face)).await?;
    assert_eq!(node.api().person(&her.id).await?.person.photos, 4);
    let gone = refusal(node.api().not_person(&her.id, std::slice::from_ref(&face)).await)?;
    assert_eq!(gone.status, 404);
    // Neither a restart nor new photos of her bring it back.
    node.restart().await?;
    upload(node.api(), "later.jpg", photos::varied(3, Variation::Darker(0.7))?).await?;
    somebody_in(&node, 5).await?;
    assert!(face_of(node.api(), &assets[1], &her.id).await?.is_none(), "what was denied came back");

    // Said to be her after all, then split off with another one, then undone.
    let asset = node.api().assign_face(&face, &her.id).await?;
    assert!(asset.faces.iter().any(|face| face.name.as_deref() == Some(NAME)));
    let first = face_of(node.api(), &assets[0], &her.id).await?.context("she is in the first sample")?;
    let split = node.api().split_person(&her.id, &[face.clone(), first.clone()]).await?;
    assert!(split.id != her.id && split.photos >= 2);
    assert!(face_of(node.api(), &assets[0], &split.id).await?.is_some());
    node.api().undo_correction().await?;
    assert!(face_of(node.api(), &assets[0], &her.id).await?.is_some(), "undone");
    assert!(refusal(node.api().person(&split.id).await)?.status == 404);

    node.api().hide_person(&other.id, true).await?;
    let people = node.api().people().await?.people;
    assert!(people.iter().any(|person| person.id == other.id && person.hidden));
    Ok(())
}

#[tokio::test]
async fn the_queue_asks_who_is_seen_often() -> Result<()> {
    let node = consented("Node").await?;
    photos_of_her(node.api()).await?;
    let her = somebody_in(&node, 5).await?;
    let queue = node.api().questions().await?;
    assert_eq!((queue.total, queue.questions[0].kind.as_str(), &queue.questions[0].person.id), (3, "who", &her.id));
    assert!(queue.questions[0].faces.len() > 1 && queue.questions[0].suggestions.is_empty());
    let skipped = node.api().answer_question(&her.id, "skip").await?;
    assert_eq!((skipped.total, &skipped.questions[2].person.id), (3, &her.id), "asked last now");
    let bad = refusal(node.api().answer_question(&her.id, "yes").await)?;
    assert_eq!((bad.status, bad.kind.as_str()), (422, "no-answer"));
    node.api().name_person(&her.id, NAME).await?;
    assert_eq!(node.api().questions().await?.total, 2);
    Ok(())
}

#[tokio::test]
async fn nobody_is_known_without_consent_and_all_is_erased_with_it() -> Result<()> {
    let mut node = Daemon::start("Node").await?;
    photos_of_her(node.api()).await?;
    wait_for_rest(&node).await?;
    let people = node.api().people().await?;
    assert!(!people.consented && people.people.is_empty() && people.questions == 0);

    scene::enrol(node.api()).await?;
    let her = somebody_in(&node, 5).await?;
    assert!(her.me, "her selfie says who she is");
    node.api().name_person(&her.id, NAME).await?;
    node.api().erase_profile().await?;
    let people = node.api().people().await?;
    assert!(!people.consented && people.people.is_empty());
    assert_eq!(refusal(node.api().name_person(&her.id, NAME).await)?.kind, "no-consent");
    // With consent again everybody is found anew, without the name.
    let text = node.api().consent_text("faces").await?;
    node.api().consent(&text.hash).await?;
    let again = somebody_in(&node, 5).await?;
    assert!(again.id != her.id && again.name.is_none());
    node.restart().await?;
    assert!(node.api().people().await?.people.iter().all(|person| person.name.is_none()));
    Ok(())
}

#[tokio::test]
async fn d5_a_name_is_in_no_record_offer_rendition_log_or_activity() -> Result<()> {
    let mut scene = Scene::gather("automatic").await?;
    photos_of_her(scene.photographer.api()).await?;
    let her = somebody_in(&scene.photographer, 5).await?;
    scene.photographer.api().name_person(&her.id, NAME).await?;
    scene::announce(scene.finder.api(), &scene.event).await?;
    let got = scene.wait_for_received(1).await?;
    scene.wait_for_rest().await?;
    for asset in &got {
        let shown = serde_json::to_string(&scene.finder.api().asset_json(&asset.id).await?)?;
        assert!(!shown.contains(NAME), "the name came with the photo: {shown}");
        let bytes = scene.finder.api().original(&asset.id).await?;
        assert!(
            !bytes.windows(NAME.len()).any(|window| window == NAME.as_bytes()),
            "the name is in the photo that left"
        );
    }
    let logged = scene.photographer.api().activity().await?;
    assert!(logged.iter().all(|entry| !entry.text.contains(NAME)), "the name is in the activity log");
    // Logs, temporary files and everything else on disk, of all three.
    let canary = [Canary::new("the name", NAME)];
    for node in [&mut scene.host, &mut scene.photographer, &mut scene.finder] {
        assert!(!node.log()?.contains(NAME), "the name is in a log");
        node.stop().await?;
        assert_eq!(scan::find(node.folder(), &canary)?, Vec::<String>::new(), "in {}'s folder", node.nickname());
    }
    Ok(())
}
