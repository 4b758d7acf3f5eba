//! From a match to a delivery: what goes, what is asked, what never leaves.

use anyhow::{Result, ensure};
use inframe_tests::api::refusal;
use inframe_tests::jpeg::{picture_hash, split};
use inframe_tests::photos::{self, Exif};
use inframe_tests::scene::{self, SOON, Scene, WORKED, announce, received, upload, wait_for_faces};
use inframe_tests::views::Approval;
use inframe_tests::wait::{Seen, wait_until};

const SERIAL: &str = "SN-7733-CANARY";

/// A photo of her as a camera would have written it: with a position, a serial number, a maker's comment.
fn photo_with_secrets() -> Result<Vec<u8>> {
    let exif = Exif {
        orientation: Some(1),
        taken: Some("2026:05:01 12:00:00".to_owned()),
        model: Some("Camera CANARY".to_owned()),
        serial: Some(SERIAL.to_owned()),
        location: true,
        ..Exif::default()
    };
    let photo = photos::with_exif(&photos::hers()?, &exif)?;
    inframe_tests::jpeg::with_segment(&photo, 0xFE, b"a comment, CANARY")
}

async fn one_question(scene: &Scene) -> Result<Approval> {
    wait_until("a question to the photographer", WORKED, async || {
        let waiting = scene.photographer.api().approvals("waiting").await?;
        Ok(Seen::when(waiting.first().cloned(), || "no question".to_owned()))
    })
    .await
}

#[tokio::test]
async fn automatic_policy_delivers_her_photos_filtered_and_nothing_else() -> Result<()> {
    let scene = Scene::gather("automatic").await?;
    let photo = photo_with_secrets()?;
    upload(scene.photographer.api(), "in secret.jpg", photo.clone()).await?;
    upload(scene.photographer.api(), "others.jpg", photos::sample(5)?).await?;
    upload(scene.host.api(), "more others.jpg", photos::sample(2)?).await?;
    announce(scene.finder.api(), &scene.event).await?;

    let got = scene.wait_for_received(1).await?;
    scene.wait_for_rest().await?;
    assert_eq!(received(scene.finder.api()).await?.len(), 1, "one photo shows her, so one is delivered");
    let asset = &got[0];
    let bytes = scene.finder.api().original(&asset.id).await?;
    assert_eq!(asset.content_id, blake3::hash(&bytes).to_hex().as_str());
    assert_eq!(picture_hash(&bytes)?, picture_hash(&photo)?, "no pixel byte changed");
    assert_eq!(asset.origin.from.as_deref(), Some("Photographer"));
    assert!(asset.taken_at.is_some(), "the day of the photo comes with the offer, not with the file");
    assert_eq!(asset.origin.event.as_ref(), Some(&scene.event));
    assert!(!asset.file_name.contains("secret"), "d4: the file name stays with the holder: {}", asset.file_name);
    assert!(!asset.has_location, "d4: the position stays with the holder");
    for trace in [SERIAL.as_bytes(), b"CANARY".as_slice()] {
        assert!(!bytes.windows(trace.len()).any(|window| window == trace), "d4: metadata left the node");
    }
    let (segments, _) = split(&bytes)?;
    assert!(segments.iter().all(|segment| segment.marker != 0xFE), "d4: a comment left the node");

    let event = scene.finders_event().await?;
    assert!(event.asset_ids.contains(&asset.id), "it is in the event's album");
    let face = wait_for_faces(scene.finder.api(), &asset.id).await?.faces;
    assert!(face.iter().any(|face| face.me), "the finder's node recognises her");
    Ok(())
}

#[tokio::test]
async fn ask_policy_shows_both_faces_and_sends_only_after_yes() -> Result<()> {
    let scene = Scene::gather("ask").await?;
    let asset = upload(scene.photographer.api(), "sofa.jpg", photos::sample(3)?).await?;
    announce(scene.finder.api(), &scene.event).await?;
    let question = one_question(&scene).await?;
    assert_eq!(
        (question.asset.as_str(), question.nickname.as_str(), question.kind.as_str()),
        (asset.as_str(), "Finder", "match")
    );
    for which in ["still", "crop"] {
        let (width, height) = photos::dimensions(&scene.photographer.api().approval_image(&question.id, which).await?)?;
        ensure!(width >= 64 && height >= 64, "the {which} is too small to recognise anybody: {width} x {height}");
    }
    scene.wait_for_rest().await?;
    assert!(received(scene.finder.api()).await?.is_empty(), "d4: nothing leaves before the answer");

    scene.photographer.api().decide(&question.id, "allow", true).await?;
    scene.wait_for_received(1).await?;
    upload(scene.photographer.api(), "arrival.jpg", photos::hers()?).await?;
    scene.wait_for_received(2).await?;
    Ok(())
}

#[tokio::test]
async fn a_no_is_kept_and_nothing_is_sent() -> Result<()> {
    let scene = Scene::gather("ask").await?;
    upload(scene.photographer.api(), "sofa.jpg", photos::sample(3)?).await?;
    announce(scene.finder.api(), &scene.event).await?;
    let question = one_question(&scene).await?;
    let decided = scene.photographer.api().decide(&question.id, "never", false).await?;
    assert_eq!(decided.state, "refused");
    upload(scene.photographer.api(), "arrival.jpg", photos::hers()?).await?;
    scene.wait_for_rest().await?;
    assert!(scene.photographer.api().approvals("waiting").await?.is_empty(), "never means that it is not asked again");
    assert!(received(scene.finder.api()).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn never_policy_neither_asks_nor_sends() -> Result<()> {
    let scene = Scene::gather("never").await?;
    let asset = upload(scene.photographer.api(), "arrival.jpg", photos::hers()?).await?;
    announce(scene.finder.api(), &scene.event).await?;
    wait_for_faces(scene.photographer.api(), &asset).await?;
    scene.wait_for_rest().await?;
    assert!(scene.photographer.api().approvals("all").await?.is_empty());
    assert!(scene.photographer.api().transfers().await?.is_empty(), "d4: no policy, no transfer");
    assert!(received(scene.finder.api()).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_withdrawal_stops_further_deliveries() -> Result<()> {
    let scene = Scene::gather("automatic").await?;
    upload(scene.photographer.api(), "arrival.jpg", photos::hers()?).await?;
    announce(scene.finder.api(), &scene.event).await?;
    scene.wait_for_received(1).await?;
    let after = scene.finder.api().withdraw(&scene.event).await?;
    assert!(after.find_me.is_none());
    wait_until("the withdrawal at the photographer", SOON, async || {
        let members = scene.photographer.api().event(&scene.event).await?.members;
        let looking = members.iter().any(|member| member.looking);
        Ok(if looking { Seen::NotYet("still looking".to_owned()) } else { Seen::Done(()) })
    })
    .await?;
    let asset = upload(scene.photographer.api(), "arrival, again.jpg", photos::sample(1)?).await?;
    wait_for_faces(scene.photographer.api(), &asset).await?;
    scene.wait_for_rest().await?;
    assert_eq!(received(scene.finder.api()).await?.len(), 1, "nothing is sent after the withdrawal");
    Ok(())
}

#[tokio::test]
async fn a_removed_member_gets_nothing_any_more() -> Result<()> {
    let scene = Scene::gather("automatic").await?;
    announce(scene.finder.api(), &scene.event).await?;
    let members = scene.host.api().event(&scene.event).await?.members;
    let finder = members.iter().find(|member| member.nickname == "Finder").map(|member| member.id.clone());
    let finder = finder.ok_or_else(|| anyhow::anyhow!("the finder is no member"))?;
    scene.host.api().remove_member(&scene.event, &finder).await?;
    wait_until("the removal at the photographer", SOON, async || {
        let seen = scene.photographer.api().event(&scene.event).await?;
        let gone = seen.members.len() == 2 && seen.epoch > 0;
        Ok(if gone {
            Seen::Done(())
        } else {
            Seen::NotYet(format!("{} members, epoch {}", seen.members.len(), seen.epoch))
        })
    })
    .await?;
    let asset = upload(scene.photographer.api(), "arrival.jpg", photos::hers()?).await?;
    wait_for_faces(scene.photographer.api(), &asset).await?;
    scene::wait_for_rest(&scene.photographer).await?;
    assert!(received(scene.finder.api()).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn consent_comes_before_every_face() -> Result<()> {
    let node = inframe_tests::daemon::Daemon::start("Finder").await?;
    let text = node.api().consent_text("faces").await?;
    ensure!(
        text.sections.len() >= 5,
        "the text says what is computed, where it is kept, who gets what, how long, how to stop"
    );
    let early = refusal(node.api().add_selfie(photos::selfie()?).await)?;
    assert_eq!(early.status / 100, 4, "d5: no selfie before consent: {early}");
    let other = refusal(node.api().consent(&"0".repeat(64)).await)?;
    assert_eq!(other.status / 100, 4, "d5: consent to another text is none: {other}");
    node.api().consent(&text.hash).await?;
    let crowd = refusal(node.api().add_selfie(photos::sample(1)?).await)?;
    assert_eq!(crowd.status, 422, "several faces are no selfie: {crowd}");
    let nobody = refusal(node.api().add_selfie(photos::to_jpeg(&photos::pattern(600, 600, 9))?).await)?;
    assert_eq!(nobody.status, 422, "nobody is no selfie: {nobody}");
    node.api().add_selfie(photos::selfie()?).await?;
    let event = node.api().create_event("Party").await?.id;
    let unread = refusal(node.api().announce(&event, &"0".repeat(64), 24).await)?;
    assert_eq!(unread.status / 100, 4, "d5: no announcement without the text: {unread}");
    announce(node.api(), &event).await?;
    let erased = node.api().erase_profile().await?;
    ensure!(
        !erased.enrolled && erased.selfies.is_empty() && erased.announcements.is_empty(),
        "erased means erased: {erased:?}"
    );
    assert!(node.api().event(&event).await?.find_me.is_none());
    Ok(())
}
