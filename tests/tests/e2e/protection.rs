//! What members ask of photos of them that others took: blurred, held back, as usual again; by whom it is obeyed and when.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use image::{GenericImageView as _, RgbImage};
use inframe_tests::api::{Api, refusal};
use inframe_tests::daemon::Daemon;
use inframe_tests::photos::{self, Variation};
use inframe_tests::scene::{SOON, Scene, WORKED, agree, announce, received, upload, wait_for_faces};
use inframe_tests::views::{Approval, Asset, EventPatch, Face, Transfer};
use inframe_tests::wait::{Seen, wait_until};
use serde_json::json;

/// Another copy of the photo that shows the finder and her neighbours, lighter or darker.
fn group(light: f32) -> Result<Vec<u8>> {
    photos::varied(1, Variation::Darker(light))
}

/// A selfie of the one beside the finder in the group photo, whose faces `asset` has: the face with what is around it, and nobody else's.
pub(super) fn selfie_of_neighbour(photo: &[u8], asset: &Asset, finder: (f32, f32)) -> Result<Vec<u8>> {
    let image = image::load_from_memory(photo)?;
    let (width, height) = (image.width() as f32, image.height() as f32);
    let is_finder =
        |face: &&Face| (face.x..face.x + face.w).contains(&finder.0) && (face.y..face.y + face.h).contains(&finder.1);
    let others = asset.faces.iter().filter(|face| !is_finder(face));
    let face = others.max_by(|a, b| a.w.total_cmp(&b.w)).context("nobody else is in the photo")?;
    let side = |from: f32, len: f32, most: f32| {
        let (start, end) = ((from - len * 0.35).max(0.0) * most, ((from + len * 1.35) * most).min(most));
        (start as u32, (end - start) as u32)
    };
    let ((x, w), (y, h)) = (side(face.x, face.w, width), side(face.y, face.h, height));
    photos::to_jpeg(&image.crop_imm(x, y, w, h).resize(600, 600, image::imageops::FilterType::CatmullRom))
}

/// The share of a face's pixels that differ from their neighbour by more than noise: a third and more of a face, next to nothing of flat blocks.
fn detail(image: &RgbImage, face: &Face) -> f32 {
    let (width, height) = (image.width() as f32, image.height() as f32);
    let (left, right) = ((face.x * width) as u32 + 1, ((face.x + face.w) * width) as u32);
    let (top, bottom) = ((face.y * height) as u32, ((face.y + face.h) * height) as u32);
    let (mut sum, mut count) = (0f32, 0f32);
    for y in top..bottom.min(image.height()) {
        for x in left..right.min(image.width()) {
            let (here, there) = (image.get_pixel(x, y).0, image.get_pixel(x - 1, y).0);
            sum += f32::from(u8::from(here.iter().zip(there).any(|(a, b)| a.abs_diff(b) > 3)));
            count += 1.0;
        }
    }
    sum / count.max(1.0)
}

/// More detail than this: a face is seen.
const SEEN: f32 = 0.2;
/// Less than this: it is gone.
const GONE: f32 = 0.1;

/// The host is in the group photo beside the finder and enrols with a selfie. Gives the faces of the photo as the photographer's node knows them, the
/// finder's and the host's first.
struct Group {
    scene: Scene,
    finder: Face,
    host: Face,
    others: Vec<Face>,
}

impl Group {
    async fn gather(policy: &str) -> Result<Self> {
        let scene = Scene::gather(policy).await?;
        let api = scene.photographer.api();
        let photo = group(0.95)?;
        let id = upload(api, "first.jpg", photo.clone()).await?;
        let known = wait_for_faces(api, &id).await?;
        // Where her selfie was cut from: its middle is her face.
        let (width, height) = image::load_from_memory(&photo)?.dimensions();
        let finder = (1_600.0 / width as f32, 330.0 / height as f32);
        let selfie = selfie_of_neighbour(&photo, &known, finder)?;
        agree(scene.host.api()).await?;
        scene.host.api().add_selfie(selfie).await?;
        let holds = |face: &Face, (x, y): (f32, f32)| {
            (face.x..face.x + face.w).contains(&x) && (face.y..face.y + face.h).contains(&y)
        };
        let mut faces = known.faces;
        let of_finder = faces.iter().position(|face| holds(face, finder)).context("the finder's face is not found")?;
        let finder = faces.remove(of_finder);
        faces.sort_by(|a, b| b.w.total_cmp(&a.w));
        let host = faces.remove(0);
        Ok(Self { scene, finder, host, others: faces })
    }

    /// The detail of the finder's and of the host's face in what the finder got.
    async fn seen(&self, node: &Daemon, asset: &Asset) -> Result<(f32, f32)> {
        let bytes = node.api().original(&asset.id).await?;
        ensure!(!bytes.windows(4).any(|four| four == b"Exif"), "what leaves says nothing of the camera");
        let image = image::load_from_memory(&bytes)?.to_rgb8();
        Ok((detail(&image, &self.finder), detail(&image, &self.host)))
    }

    async fn newest(&self, node: &Daemon, count: usize) -> Result<Asset> {
        wait_until(&format!("{count} received photos"), WORKED, async || {
            let mut got = received(node.api()).await?;
            got.sort_by_key(|asset| asset.file_name.clone());
            Ok(Seen::when((got.len() >= count).then(|| got.pop()).flatten(), || format!("{} received", got.len())))
        })
        .await
    }
}

pub(super) async fn protect(api: &Api, event: &str, wish: &str) -> Result<()> {
    let text = api.consent_text("protect").await?;
    let after = api.protect(event, wish, &text.hash).await?;
    ensure!(after.protections.iter().any(|one| one.wish == wish), "{:?}", after.protections);
    Ok(())
}

/// Waits until so many members know what this node asks.
pub(super) async fn known_by(node: &Daemon, event: &str, members: u32) -> Result<()> {
    wait_until("the wish at the others", SOON, async || {
        let mine = node.api().event(event).await?.protections;
        let told = mine.first().is_some_and(|one| one.seen_by >= members);
        Ok(Seen::when(told.then_some(()), || format!("{mine:?}")))
    })
    .await
}

async fn held(node: &Daemon) -> Result<Transfer> {
    wait_until("a photo held back", WORKED, async || {
        let transfers = node.api().transfers().await?;
        let asked = |one: &&Transfer| one.reason.as_deref().is_some_and(|why| why.contains("held back"));
        Ok(Seen::when(transfers.iter().find(asked).cloned(), || format!("{transfers:?}")))
    })
    .await
}

async fn ids(api: &Api) -> Result<Vec<String>> {
    Ok(received(api).await?.into_iter().map(|asset| asset.id).collect())
}

/// The photo that came since.
async fn came(node: &Daemon, before: &[String]) -> Result<Asset> {
    wait_until("one more photo", WORKED, async || {
        let mut got = received(node.api()).await?;
        got.retain(|asset| !before.contains(&asset.id));
        Ok(Seen::when(got.pop(), || format!("{} before", before.len())))
    })
    .await
}

#[tokio::test]
async fn a_group_photo_goes_whole_then_blurred_then_not_at_all_and_then_again() -> Result<()> {
    let group_of = Group::gather("automatic").await?;
    let (scene, event) = (&group_of.scene, group_of.scene.event.as_str());
    announce(scene.finder.api(), event).await?;
    let whole = came(&scene.finder, &[]).await?;
    let (finder, host) = group_of.seen(&scene.finder, &whole).await?;
    ensure!(finder > SEEN && host > SEEN, "both are seen: {finder}, {host}");

    ensure!(scene.photographer.api().wall(event).await?.len() == 1, "nobody minds that it is shown to all");

    // No wish without the text, and none of somebody who has not enrolled.
    let unread = refusal(scene.host.api().protect(event, "blur", &"0".repeat(64)).await)?;
    ensure!(unread.status / 100 == 4, "d5: {unread}");
    let text = scene.photographer.api().consent_text("protect").await?;
    let faceless = refusal(scene.photographer.api().protect(event, "blur", &text.hash).await)?;
    ensure!(faceless.status == 409 && faceless.to_string().contains("selfie"), "{faceless}");

    protect(scene.host.api(), event, "blur").await?;
    known_by(&scene.host, event, 2).await?;
    ensure!(scene.photographer.api().wall(event).await?.is_empty(), "a wall shows nobody who asks otherwise");
    let before = ids(scene.finder.api()).await?;
    upload(scene.photographer.api(), "second.jpg", group(0.93)?).await?;
    let blurred = came(&scene.finder, &before).await?;
    let (finder, host) = group_of.seen(&scene.finder, &blurred).await?;
    ensure!(finder > SEEN, "the finder is seen: {finder}");
    ensure!(host < GONE, "nothing is left of the host's face: {host}");
    ensure!((blurred.width, blurred.height) == (whole.width, whole.height) && blurred.media_type == "image/jpeg");
    let faces = wait_for_faces(scene.finder.api(), &blurred.id).await?.faces;
    ensure!(faces.iter().any(|face| face.me), "the finder's node still recognises her");
    ensure!(faces.len() == group_of.others.len() + 1, "the host's face is found no more, the others are: {faces:?}");

    protect(scene.host.api(), event, "hold-back").await?;
    known_by(&scene.host, event, 2).await?;
    let before = ids(scene.finder.api()).await?;
    upload(scene.photographer.api(), "third.jpg", group(0.91)?).await?;
    let why = held(&scene.photographer).await?;
    ensure!(why.state == "cancelled" && why.nickname == "Finder", "{why:?}");
    ensure!(!why.reason.unwrap_or_default().contains("Host"), "it is not said who asked");
    scene.wait_for_rest().await?;
    ensure!(ids(scene.finder.api()).await? == before, "d4: it did not go");

    // Whoever is protected gets their own photos, as they are.
    announce(scene.host.api(), event).await?;
    group_of.newest(&scene.host, 3).await?;
    for own in received(scene.host.api()).await? {
        let (_, host) = group_of.seen(&scene.host, &own).await?;
        ensure!(host > SEEN, "the host's own face, not blurred: {host}");
    }

    // A restart forgets nothing, on either side.
    let (mut scene, finder, host, others) = (group_of.scene, group_of.finder, group_of.host, group_of.others);
    scene.host.restart().await?;
    scene.photographer.restart().await?;
    let kept = scene.host.api().event(&scene.event).await?.protections;
    ensure!(kept.len() == 1 && kept[0].wish == "hold-back", "{kept:?}");
    upload(scene.photographer.api(), "fourth.jpg", group(0.89)?).await?;
    scene.wait_for_rest().await?;
    ensure!(ids(scene.finder.api()).await? == before, "d4: it did not go after a restart");

    let after = scene.host.api().unprotect(&scene.event).await?;
    ensure!(after.protections.is_empty());
    let group_of = Group { scene, finder, host, others };
    let again = came(&group_of.scene.finder, &before).await?;
    let (finder, host) = group_of.seen(&group_of.scene.finder, &again).await?;
    ensure!(finder > SEEN && host > SEEN, "both are seen again: {finder}, {host}");
    let receipts = group_of.scene.host.api().receipts().await?;
    ensure!(receipts.iter().filter(|one| one["scope"] == "protect").count() == 2, "{receipts:?}");
    Ok(())
}

async fn question(node: &Daemon, fits: impl Fn(&Approval) -> bool) -> Result<Approval> {
    wait_until("the question", WORKED, async || {
        let waiting = node.api().approvals("waiting").await?;
        Ok(Seen::when(waiting.iter().find(|one| fits(one)).cloned(), || format!("{waiting:?}")))
    })
    .await
}

#[tokio::test]
async fn what_was_asked_while_the_holder_was_away_is_obeyed_before_anything_goes() -> Result<()> {
    let group_of = Group::gather("ask").await?;
    announce(group_of.scene.finder.api(), &group_of.scene.event).await?;
    let mut scene = group_of.scene;
    let asked = question(&scene.photographer, |one| one.nickname == "Finder").await?;
    scene.photographer.stop().await?;
    protect(scene.host.api(), &scene.event, "hold-back").await?;
    known_by(&scene.host, &scene.event, 1).await?;
    // Only the finder is left to tell.
    scene.host.stop().await?;
    scene.photographer.restart().await?;
    let decided = scene.photographer.api().decide(&asked.id, "allow", false).await;
    let why = held(&scene.photographer).await?;
    ensure!(why.state == "cancelled", "{why:?}, {decided:?}");
    ensure!(received(scene.finder.api()).await?.is_empty(), "d4: nothing went");
    // The one who asked is away, and comes back with it.
    scene.host.restart().await?;
    let kept = scene.host.api().event(&scene.event).await?.protections;
    ensure!(kept.len() == 1 && kept[0].wish == "hold-back", "{kept:?}");
    Ok(())
}

#[tokio::test]
async fn bystanders_are_blurred_where_the_host_says_so() -> Result<()> {
    let group_of = Group::gather("ask").await?;
    let (scene, event) = (&group_of.scene, group_of.scene.event.as_str());
    let blur = |blur| EventPatch { blur_bystanders: Some(blur), ..EventPatch::default() };
    let others = u32::try_from(group_of.others.len())?;
    let refused = refusal(scene.finder.api().patch_event(event, &blur(true)).await)?;
    ensure!(refused.status == 403, "only the host: {refused}");
    let changed = scene.host.api().patch_event(event, &blur(true)).await?;
    ensure!(changed.blur_bystanders);
    wait_until("the rule at the photographer", SOON, async || {
        let seen = scene.photographer.api().event(event).await?;
        Ok(Seen::when(seen.blur_bystanders.then_some(()), || "not yet".to_owned()))
    })
    .await?;
    announce(scene.finder.api(), event).await?;
    let asked = question(&scene.photographer, |one| one.blurred_faces == others + 1).await?;
    // Who wants to be seen is seen, and does not have to look for photos.
    protect(scene.host.api(), event, "show").await?;
    question(&scene.photographer, |one| one.blurred_faces == others).await?;
    scene.photographer.api().decide(&asked.id, "allow", false).await?;
    let got = came(&scene.finder, &[]).await?;
    let (finder, host) = group_of.seen(&scene.finder, &got).await?;
    ensure!(finder > SEEN && host > SEEN, "both are seen: {finder}, {host}");
    let bytes = scene.finder.api().original(&got.id).await?;
    let image = image::load_from_memory(&bytes)?.to_rgb8();
    for other in &group_of.others {
        let detail = detail(&image, other);
        ensure!(detail < GONE, "a bystander: {detail}");
    }
    let after = scene.host.api().patch_event(event, &blur(false)).await?;
    ensure!(!after.blur_bystanders);
    Ok(())
}

/// The finder accepts what is offered and fetches nothing, until it may again.
async fn fetches(node: &Daemon, may: bool) -> Result<()> {
    // The whole day but for one minute that is not now, and not soon, in any time zone.
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() / 60;
    let minute = (now + 10) % 15;
    let quiet = json!({ "quiet_from": format!("12:{:02}", minute + 1), "quiet_until": format!("12:{minute:02}") });
    node.api().limit_traffic(&if may { json!({}) } else { quiet }).await?;
    Ok(())
}

async fn accepted(node: &Daemon, count: usize) -> Result<()> {
    wait_until("what is accepted", WORKED, async || {
        let transfers = node.api().transfers().await?;
        let waiting = transfers.iter().filter(|one| one.direction == "receiving" && one.state == "waiting").count();
        Ok(Seen::when((waiting == count).then_some(()), || format!("{transfers:?}")))
    })
    .await
}

#[tokio::test]
async fn what_was_accepted_before_the_wish_goes_as_wished_or_not_at_all() -> Result<()> {
    let group_of = Group::gather("automatic").await?;
    let (scene, event) = (&group_of.scene, group_of.scene.event.as_str());
    fetches(&scene.finder, false).await?;
    announce(scene.finder.api(), event).await?;
    accepted(&scene.finder, 1).await?;
    protect(scene.host.api(), event, "blur").await?;
    known_by(&scene.host, event, 2).await?;
    fetches(&scene.finder, true).await?;
    let blurred = came(&scene.finder, &[]).await?;
    let (finder, host) = group_of.seen(&scene.finder, &blurred).await?;
    ensure!(finder > SEEN && host < GONE, "d4: what was made before is not served: {finder}, {host}");

    fetches(&scene.finder, false).await?;
    upload(scene.photographer.api(), "second.jpg", group(0.93)?).await?;
    accepted(&scene.finder, 1).await?;
    protect(scene.host.api(), event, "hold-back").await?;
    known_by(&scene.host, event, 2).await?;
    let before = ids(scene.finder.api()).await?;
    held(&scene.photographer).await?;
    fetches(&scene.finder, true).await?;
    wait_until("the end of it at the finder", WORKED, async || {
        let transfers = scene.finder.api().transfers().await?;
        let over = transfers.iter().any(|one| one.state == "failed");
        Ok(Seen::when(over.then_some(()), || format!("{transfers:?}")))
    })
    .await?;
    ensure!(ids(scene.finder.api()).await? == before, "d4: it did not go");
    // Nobody did anything suspicious, and once it may, it goes.
    for node in [&scene.photographer, &scene.finder] {
        let log = node.api().activity().await?;
        ensure!(log.iter().all(|entry| entry.kind != "suspicious"), "{}: {log:?}", node.nickname());
    }
    scene.host.api().unprotect(event).await?;
    let whole = came(&scene.finder, &before).await?;
    let (finder, host) = group_of.seen(&scene.finder, &whole).await?;
    ensure!(finder > SEEN && host > SEEN, "both are seen: {finder}, {host}");
    Ok(())
}
