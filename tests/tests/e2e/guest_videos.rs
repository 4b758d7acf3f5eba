//! Guests who are found in the host's videos: what they see, play and save of them, and what stays.

use anyhow::{Context as _, Result, ensure};
use inframe_tests::api::Api;
use inframe_tests::daemon::{Daemon, Options};
use inframe_tests::films::{self, Film, PHONE};
use inframe_tests::guest::Guest;
use inframe_tests::photos;
use inframe_tests::scene::{WORKED, agree, join, upload, wait_for_faces};
use inframe_tests::wait::{Seen, wait_until};
use reqwest::Method;
use reqwest::header::{CONTENT_DISPOSITION, CONTENT_RANGE, CONTENT_TYPE, RANGE};
use serde_json::{Value, json};

use super::guests::{set_policy, switched_on};
use super::protection::{known_by, protect, selfie_of_neighbour};

const SIZE: (u32, u32) = (1280, 720);

/// What a camera writes into its videos and what must stay where it is.
const CANARIES: [&str; 4] = ["Title-Canary-4711", "Artist-Canary-0815", "+48.1173+011.5166/", "Comment-Canary-2342"];

/// A video that shows her in its second shot, with everything that a camera says, in the container that the name says.
fn hers(host: &Daemon, name: &str) -> Result<Vec<u8>> {
    let folder = host.photo_dir()?;
    let plain = folder.join(format!("plain-{name}"));
    Film { photos: &[2, 1], seconds: 2, size: SIZE, encoding: PHONE }.make(&plain)?;
    let [title, artist, place, comment] = CANARIES;
    let said = [("title", title), ("artist", artist), ("location", place), ("comment", comment)];
    let said: Vec<String> =
        said.iter().flat_map(|(tag, value)| ["-metadata".to_owned(), format!("{tag}={value}")]).collect();
    let said: Vec<&str> = said.iter().map(String::as_str).collect();
    let bytes = films::repacked(&plain, &folder.join(name), &said)?;
    // In MP4 a place is written as numbers.
    for canary in CANARIES.iter().filter(|canary| **canary != place || name.ends_with(".mov")) {
        ensure!(holds(&bytes, canary), "{canary} was not planted into {name}");
    }
    Ok(bytes)
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|part| part == text.as_bytes())
}

async fn ready(api: &Api, id: &str) -> Result<()> {
    wait_until("a video that was looked at", WORKED, async || {
        let asset = api.asset(id).await?;
        let plays = asset.video.as_ref().is_some_and(|video| video.playable == "ready");
        Ok(Seen::when((plays && asset.faces_state == "done").then_some(()), || format!("{asset:?}")))
    })
    .await
}

/// Surely and maybe alike.
fn all(found: &Value) -> Vec<Value> {
    ["sure", "maybe"].iter().flat_map(|grade| found[grade].as_array().cloned().unwrap_or_default()).collect()
}

/// Questions about these, once there are as many.
async fn asked(api: &Api, event: &str, about: &[&str]) -> Result<Vec<Value>> {
    wait_until("questions", WORKED, async || {
        let page = api.guest_page(event).await?;
        let asks = page["asks"].as_array().cloned().unwrap_or_default();
        let asks: Vec<Value> =
            asks.into_iter().filter(|ask| ask["asset"].as_str().is_some_and(|id| about.contains(&id))).collect();
        Ok(Seen::when((asks.len() == about.len()).then(|| asks.clone()), || page.to_string()))
    })
    .await
}

fn named(asks: &[Value]) -> Vec<Value> {
    asks.iter().map(|ask| json!({ "guest": ask["guest"], "asset": ask["asset"] })).collect()
}

#[tokio::test]
async fn d4_a_guest_gets_the_videos_that_show_them_as_the_hosts_rule_says_and_nothing_hidden_in_them() -> Result<()> {
    if !films::tools("guests in videos")? {
        return Ok(());
    }
    let host = Daemon::start("Ann").await?;
    let api = host.api();
    agree(api).await?;
    let event = api.create_event("Summer party").await?.id;
    // One that a browser plays as it is, and one of which it plays a copy.
    let whole = hers(&host, "phone.mp4")?;
    let (phone, camera) =
        (upload(api, "phone.mp4", whole.clone()).await?, upload(api, "camera.mov", hers(&host, "camera.mov")?).await?);
    let strangers = Film { photos: &[4], seconds: 1, size: SIZE, encoding: PHONE };
    let other = upload(api, "other.mp4", strangers.make(&host.photo_dir()?.join("other.mp4"))?).await?;
    for id in [&phone, &camera, &other] {
        ready(api, id).await?;
    }
    ensure!(api.asset(&phone).await?.has_location && api.asset(&camera).await?.has_location);
    let link = switched_on(api, &event, json!({ "selfies": true })).await?;
    let mut guest = Guest::with(&link)?;
    guest.joins("Mia").await?;
    ensure!(guest.takes_selfie(&photos::selfie()?).await? == 204);

    // The rule is to ask: nothing is shown, and the host is asked with the face at its time.
    let asks = asked(api, &event, &[&phone, &camera]).await?;
    let found = guest.found().await?;
    ensure!(all(&found).is_empty() && found["waiting"].as_u64() >= Some(2), "{found}");
    for id in [&phone, &camera] {
        ensure!(guest.photo(id, "small").await?.0 == 404 && guest.video(id, false).await?.0 == 404);
    }
    let mia = asks[0]["guest"].as_str().context("her id")?;
    let crop = api.guest_crop(&event, mia, &phone).await?;
    ensure!(crop.starts_with(&[0xff, 0xd8]), "the face, cut out of the video");
    api.guest_wish(&event, "asks", &json!({ "asks": named(&asks), "allow": true })).await?;
    let found = guest.found().await?;
    let videos: Vec<Value> = all(&found).into_iter().filter(|one| one["video"] == true).collect();
    ensure!(videos.len() == 2, "{found}");
    ensure!(videos.iter().all(|one| one["duration_ms"].as_u64().is_some_and(|ms| (3_500..4_500).contains(&ms))));
    ensure!(guest.video(&other, false).await?.0 == 404 && guest.video(&other, true).await?.0 == 404, "without them");
    ensure!(guest.without_cookie().video(&phone, false).await?.0 == 401, "nobody in particular");

    let folder = host.photo_dir()?;
    for id in [&phone, &camera] {
        ensure!(guest.photo(id, "large").await?.0 == 200, "its poster");
        ensure!(guest.photo(id, "whole").await?.0 == 404, "a video is no photo");
        let (status, played) = guest.video(id, false).await?;
        ensure!(status == 200 && !played.is_empty(), "{status}");
        for canary in CANARIES.iter().chain(&["x264 - core"]) {
            ensure!(!holds(&played, canary), "{canary} went out");
        }
        let path = folder.join(format!("{id}.got.mp4"));
        std::fs::write(&path, &played)?;
        let said = films::probe(&path)?;
        let tags = said["format"]["tags"].as_object().context("no tags")?;
        let allowed = ["major_brand", "minor_version", "compatible_brands"];
        ensure!(tags.keys().all(|tag| allowed.contains(&tag.as_str())), "{tags:?}");
        ensure!(said["streams"].as_array().is_some_and(|all| all.len() == 2), "pictures and sound: {said}");
        // Any part is that part of the whole.
        let part = guest.request(Method::GET, &format!("photos/{id}/video")).header(RANGE, "bytes=100-299");
        let part = part.send().await?;
        ensure!(part.status() == 206 && part.headers()[CONTENT_TYPE] == "video/mp4");
        ensure!(part.headers()[CONTENT_RANGE] == format!("bytes 100-299/{}", played.len()));
        ensure!(part.bytes().await? == played[100..300]);
        let saved = guest.request(Method::GET, &format!("photos/{id}/video?save=true")).send().await?;
        let disposition = saved.headers()[CONTENT_DISPOSITION].to_str()?.to_owned();
        ensure!(disposition.starts_with("attachment") && disposition.contains("video.mp4"), "{disposition}");
        ensure!(saved.bytes().await? == played);
    }
    let left = |told: &[String], words: &str| told.iter().filter(|text| text.contains(words)).count();
    let told: Vec<String> =
        api.activity().await?.into_iter().filter(|one| one.kind == "left").map(|one| one.text).collect();
    // However many parts a browser asks for, it is played once.
    ensure!(left(&told, "plays a video") == 2 && left(&told, "saved a video") == 2, "{told:?}");
    ensure!(left(&told, "picture of a video was shown to Mia") == 2, "{told:?}");
    ensure!(api.original(&phone).await? == whole, "the original is what it was");
    check_archive(&guest, &folder).await?;

    // A wish for removal, a no, and never.
    ensure!(guest.asks_removal(&phone, "I dance badly").await? == 204 && guest.asks_removal(&other, "").await? == 404);
    api.guest_wish(&event, "asks", &json!({ "asks": named(&asks[..1]), "allow": false })).await?;
    let (refused, allowed) = (asks[0]["asset"].as_str().context("an id")?, asks[1]["asset"].as_str().context("an id")?);
    for to_save in [false, true] {
        ensure!(guest.video(refused, to_save).await?.0 == 404 && guest.video(allowed, to_save).await?.0 == 200);
    }
    set_policy(api, &event, "never").await?;
    ensure!(guest.video(allowed, false).await?.0 == 404 && guest.photo(allowed, "small").await?.0 == 404, "never");
    ensure!(all(&guest.found().await?).is_empty());
    Ok(())
}

/// The archive holds both videos, whole, as they are saved one by one.
async fn check_archive(guest: &Guest, folder: &std::path::Path) -> Result<()> {
    let archive = guest.request(Method::GET, "found.zip").send().await?.error_for_status()?.bytes().await?;
    let path = folder.join("photos.zip");
    std::fs::write(&path, &archive)?;
    for canary in CANARIES {
        ensure!(!holds(&archive, canary), "{canary} went out in the archive");
    }
    let script = "import sys, zipfile\nz = zipfile.ZipFile(sys.argv[1])\nassert z.testzip() is None\n\
                  print(*[f'{i.filename}:{i.file_size}' for i in z.infolist()])";
    let read = std::process::Command::new("python3").args(["-c", script]).arg(&path).output()?;
    ensure!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    let listed = String::from_utf8(read.stdout)?;
    let mut sizes: Vec<u64> = listed
        .split_whitespace()
        .filter_map(|one| one.strip_prefix("video-")?.split(':').nth(1)?.parse().ok())
        .collect();
    let mut known = Vec::new();
    for one in all(&guest.found().await?) {
        known.push(guest.video(one["id"].as_str().context("an id")?, true).await?.1.len() as u64);
    }
    sizes.sort_unstable();
    known.sort_unstable();
    ensure!(sizes == known && sizes.len() == 2, "{listed}");
    Ok(())
}

#[tokio::test]
async fn d4_a_video_with_a_member_who_asks_otherwise_is_not_for_guests() -> Result<()> {
    if !films::tools("protected members in videos")? {
        return Ok(());
    }
    let (host, member) =
        tokio::try_join!(Daemon::start_with(Options::local("Host")), Daemon::start_with(Options::local("Member")))?;
    let api = host.api();
    agree(api).await?;
    let event = api.create_event("Summer party").await?.id;
    let invite = api.invite(&event, None, None).await?.link;
    join(api, &member, &event, &invite).await?;
    set_policy(api, &event, "automatic").await?;
    let group = photos::sample(1)?;
    let photo = upload(api, "group.jpg", group.clone()).await?;
    let known = wait_for_faces(api, &photo).await?;
    let image = image::load_from_memory(&group)?;
    // Where her selfie was cut from: its middle is her face.
    let her = (1_600.0 / image.width() as f32, 330.0 / image.height() as f32);
    agree(member.api()).await?;
    member.api().add_selfie(selfie_of_neighbour(&group, &known, her)?).await?;

    let film = Film { photos: &[1], seconds: 2, size: SIZE, encoding: PHONE };
    let video = upload(api, "group.mp4", film.make(&host.photo_dir()?.join("group.mp4"))?).await?;
    ready(api, &video).await?;
    let link = switched_on(api, &event, json!({ "selfies": true })).await?;
    let mut guest = Guest::with(&link)?;
    guest.joins("Mia").await?;
    ensure!(guest.takes_selfie(&photos::selfie()?).await? == 204);
    wait_until("her in the video", WORKED, async || {
        // Whoever is maybe found is asked about.
        let page = api.guest_page(&event).await?;
        let asks = named(page["asks"].as_array().map_or(&[], Vec::as_slice));
        api.guest_wish(&event, "asks", &json!({ "asks": asks, "allow": true })).await?;
        let found = guest.found().await?;
        let there = all(&found).iter().any(|one| one["id"] == video.as_str());
        Ok(Seen::when(there.then_some(()), || found.to_string()))
    })
    .await?;
    ensure!(guest.video(&video, false).await?.0 == 200, "nobody asks otherwise");
    for wish in ["blur", "hold-back"] {
        protect(member.api(), &event, wish).await?;
        known_by(&member, &event, 1).await?;
        // It was made ready before, and is not given any more.
        for to_save in [false, true] {
            ensure!(guest.video(&video, to_save).await?.0 == 404, "{wish}: a video cannot be blurred");
        }
        ensure!(guest.photo(&video, "small").await?.0 == 404, "{wish}: nor is its poster shown");
        let found = guest.found().await?;
        ensure!(all(&found).iter().all(|one| one["id"] != video.as_str()), "{wish}: {found}");
    }
    Ok(())
}
