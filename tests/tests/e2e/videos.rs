//! Videos: looked at, searched for faces, made playable, with the real `ffmpeg`; kept without it.

use anyhow::{Context, Result, ensure};
use inframe_tests::api::Api;
use inframe_tests::daemon::{Daemon, Options};
use inframe_tests::films::{self, Film, PHONE};
use inframe_tests::scan::{self, Canary};
use inframe_tests::scene::{Scene, WORKED, announce, enrol, upload};
use inframe_tests::views::{Asset, FaceRef, Video};
use inframe_tests::wait::{Seen, wait_until};

/// 1 July 2024, 12:34:56 UTC.
const TAKEN_MS: u64 = 1_719_837_296_000;
const SMALL: (u32, u32) = (640, 360);

async fn video_when(api: &Api, id: &str, what: &str, holds: impl Fn(&Asset, &Video) -> bool) -> Result<Asset> {
    wait_until(what, WORKED, async || {
        let asset = api.asset(id).await?;
        let is_so = asset.video.as_ref().is_some_and(|video| holds(&asset, video));
        Ok(if is_so { Seen::Done(asset) } else { Seen::NotYet(format!("{asset:?}")) })
    })
    .await
}

async fn playable(api: &Api, id: &str) -> Result<Asset> {
    video_when(api, id, "a video that plays", |_, video| video.playable != "waiting").await
}

#[tokio::test]
async fn one_person_is_found_once_in_a_whole_video_with_the_time_and_strangers_stay_apart() -> Result<()> {
    if !films::tools("faces in videos")? {
        return Ok(());
    }
    let node = Daemon::start("Node").await?;
    enrol(node.api()).await?;
    // She is in the second and the fourth shot; six seconds of others lie between.
    let film = Film { photos: &[2, 1, 4, 3], seconds: 3, size: (1280, 720), encoding: PHONE };
    let bytes = film.make(&node.photo_dir()?.join("party.mov"))?;
    let id = upload(node.api(), "party.mov", bytes).await?;
    let asset = video_when(node.api(), &id, "faces in a video", |asset, _| asset.faces_state != "waiting").await?;
    assert_eq!(asset.faces_state, "done", "{asset:?}");
    let times: Vec<u64> =
        asset.faces.iter().map(|face| face.at_ms.context("a face without a time")).collect::<Result<_>>()?;
    ensure!(times.iter().all(|at| *at < 12_000), "{times:?}");
    let her: Vec<u64> = asset.faces.iter().filter(|face| face.me).filter_map(|face| face.at_ms).collect();
    assert_eq!(her.len(), 1, "she is one person: {:?}", asset.faces);
    ensure!((3000..6000).contains(&her[0]) || (9000..12_000).contains(&her[0]), "she is not seen at {} ms", her[0]);
    // Each has a picture, from the frame of its time.
    for face in &asset.faces {
        let picture = node.api().face_crop(&FaceRef { asset: id.clone(), face: face.id.parse()? }).await?;
        ensure!(picture.starts_with(&[0xff, 0xd8]), "no picture of the face at {:?} ms", face.at_ms);
    }
    // The same shots as photos: everybody in them is somebody else, but for her, who is in two of them.
    let mut people = 0;
    for photo in [2, 1, 4, 3] {
        let still = Film { photos: &[photo], seconds: 1, size: (1280, 720), encoding: PHONE };
        let bytes = still.make(&node.photo_dir()?.join(format!("still{photo}.mp4")))?;
        let id = upload(node.api(), "still.mp4", bytes).await?;
        let still = video_when(node.api(), &id, "faces in a shot", |asset, _| asset.faces_state == "done").await?;
        people += still.faces.len();
    }
    assert_eq!(asset.faces.len() + 1, people, "{:?}", asset.faces);
    Ok(())
}

#[tokio::test]
async fn containers_and_codecs_are_looked_at_and_made_playable() -> Result<()> {
    if !films::tools("playing videos")? {
        return Ok(());
    }
    let node = Daemon::start("Node").await?;
    let folder = node.photo_dir()?;
    let h264: &[&str] = PHONE;
    let vp9: &[&str] =
        &["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-pix_fmt", "yuv420p", "-c:a", "libopus"];
    let mpeg4: &[&str] = &["-c:v", "mpeg4", "-q:v", "5", "-c:a", "libmp3lame"];
    let hevc: &[&str] = &[
        "-c:v",
        "libx265",
        "-preset",
        "ultrafast",
        "-x265-params",
        "log-level=none",
        "-pix_fmt",
        "yuv420p10le",
        "-c:a",
        "aac",
    ];
    let mpeg2: &[&str] = &["-c:v", "mpeg2video", "-q:v", "5", "-c:a", "mp2"];
    // Name, encoding, media type, whether a browser gets it as it is.
    let cases = [
        ("phone.mp4", h264, "video/mp4", true),
        ("camera.mov", h264, "video/quicktime", false),
        ("film.mkv", h264, "video/x-matroska", false),
        ("web.webm", vp9, "video/webm", true),
        ("old.avi", mpeg4, "video/x-msvideo", false),
        ("new.mp4", hevc, "video/mp4", false),
        ("camcorder.mts", h264, "video/mp2t", false),
        ("disc.mpg", mpeg2, "video/mpeg", false),
    ];
    for (name, encoding, media_type, as_it_is) in cases {
        let film = Film { photos: &[1, 2], seconds: 2, size: SMALL, encoding };
        let bytes = film.make(&folder.join(name))?;
        // The name says nothing.
        let id = upload(node.api(), "clip.bin", bytes.clone()).await?;
        let asset = playable(node.api(), &id).await.with_context(|| name.to_owned())?;
        let video = asset.video.as_ref().context("no video")?;
        assert_eq!((video.playable.as_str(), asset.media_type.as_str()), ("ready", media_type), "{name}: {video:?}");
        assert_eq!((asset.width, asset.height), SMALL, "{name}");
        // A stream without an index is as long as its last packets say.
        ensure!((3800..4300).contains(&video.duration_ms), "{name} is {} ms long", video.duration_ms);
        assert_eq!(node.api().original(&id).await?, bytes, "{name} is kept as it came");
        let played = node.api().video(&id).await?;
        assert_eq!(played == bytes, as_it_is, "{name}");
        // What a browser asks for when somebody jumps: any part is that part of the whole.
        let size = played.len() as u64;
        for (first, last) in [(0, 99), (size / 2, size / 2 + 300_000), (size - 10, size - 1)] {
            let (said, part) = node.api().video_part(&id, first, last).await?;
            let end = last.min(size - 1);
            assert_eq!(said, format!("bytes {first}-{end}/{size}"), "{name}");
            ensure!(part == played[first as usize..=end as usize], "{name}: {first} to {end} are other bytes");
        }
        if !as_it_is {
            let copy = folder.join(format!("{name}.copy.mp4"));
            std::fs::write(&copy, &played)?;
            check_copy(&copy, name, 4.0)?;
        }
    }
    Ok(())
}

/// H.264 with AAC of about so many seconds.
fn check_copy(copy: &std::path::Path, name: &str, length: f64) -> Result<()> {
    let said = films::probe(copy)?;
    let of = |kind: &str, key: &str| {
        let streams = said["streams"].as_array().into_iter().flatten();
        streams.filter(|stream| stream["codec_type"] == kind).map(|stream| stream[key].clone()).next()
    };
    assert_eq!(of("video", "codec_name").context("no pictures")?, "h264", "{name}");
    assert_eq!(of("video", "pix_fmt").context("no pictures")?, "yuv420p", "{name}");
    assert_eq!(of("audio", "codec_name").context("no sound")?, "aac", "{name}");
    let seconds: f64 = said["format"]["duration"].as_str().context("no length")?.parse()?;
    ensure!((length - 0.3..length + 0.5).contains(&seconds), "{name} is {seconds} s long");
    Ok(())
}

#[tokio::test]
async fn turned_videos_stand_upright_and_say_when_and_where_they_were_taken() -> Result<()> {
    if !films::tools("turned videos")? {
        return Ok(());
    }
    let node = Daemon::start("Node").await?;
    let folder = node.photo_dir()?;
    let lying = folder.join("lying.mov");
    Film { photos: &[1], seconds: 2, size: SMALL, encoding: PHONE }.make(&lying)?;
    let said = [
        "-metadata:s:v",
        "rotate=90",
        "-metadata",
        "creation_time=2024-07-01T12:34:56Z",
        "-metadata",
        "location=+48.1+011.5/",
    ];
    let bytes = films::repacked(&lying, &folder.join("standing.mov"), &said)?;
    let id = upload(node.api(), "standing.mov", bytes).await?;
    let asset = playable(node.api(), &id).await?;
    assert_eq!((asset.width, asset.height), (SMALL.1, SMALL.0), "upright size");
    assert_eq!((asset.taken_at, asset.has_location), (Some(TAKEN_MS), true));
    let (width, height) = inframe_tests::photos::dimensions(&node.api().thumb(&id, "grid").await?)?;
    ensure!(height > width, "the poster stands upright: {width} x {height}");
    let copy = folder.join("copy.mp4");
    std::fs::write(&copy, node.api().video(&id).await?)?;
    let said = films::probe(&copy)?.to_string();
    ensure!(!said.contains("+48.1") && !said.contains("2024-07"), "the copy says where or when: {said}");
    Ok(())
}

#[tokio::test]
async fn damaged_videos_are_kept_with_a_reason_and_what_can_be_seen_of_them_is() -> Result<()> {
    if !films::tools("damaged videos")? {
        return Ok(());
    }
    let node = Daemon::start("Node").await?;
    enrol(node.api()).await?;
    let film = Film { photos: &[1, 2], seconds: 3, size: SMALL, encoding: PHONE };
    let whole = film.make(&node.photo_dir()?.join("whole.mp4"))?;
    let cut = whole[..whole.len() * 2 / 3].to_vec();
    let mut rubbish = whole[..64].to_vec();
    rubbish.extend((0..200_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8));
    for (name, bytes) in [("cut.mp4", cut), ("rubbish.mp4", rubbish)] {
        let id = upload(node.api(), name, bytes.clone()).await?;
        let asset = video_when(node.api(), &id, "a reason", |_, video| video.playable == "failed").await?;
        let reason = asset.video.and_then(|video| video.reason).context("no reason")?;
        ensure!(reason.starts_with("the video"), "{name}: {reason}");
        assert_eq!(asset.faces_state, "failed", "{name}");
        assert_eq!(node.api().original(&id).await?, bytes, "{name} is kept");
        let refused = node.api().video(&id).await;
        ensure!(refused.is_err(), "{name} does not play");
    }
    // A stream without an index can be cut anywhere.
    let mkv = films::repacked(&node.photo_dir()?.join("whole.mp4"), &node.photo_dir()?.join("whole.mkv"), &[])?;
    let id = upload(node.api(), "cut.mkv", mkv[..mkv.len() * 2 / 3].to_vec()).await?;
    let seen = |asset: &Asset, video: &Video| video.playable == "ready" && asset.faces_state == "done";
    let asset = video_when(node.api(), &id, "what can be seen of a cut video", seen).await?;
    ensure!(!asset.faces.is_empty(), "{asset:?}");
    assert_eq!(node.api().status().await?.asset_count, 3);
    Ok(())
}

#[tokio::test]
async fn without_ffmpeg_videos_are_kept_and_everything_else_works_and_later_it_is_found_by_itself() -> Result<()> {
    if !films::tools("missing tools")? {
        return Ok(());
    }
    let tools = tempfile::tempdir()?;
    let node = Daemon::start_with(Options { path: Some(tools.path().to_owned()), ..Options::local("Node") }).await?;
    enrol(node.api()).await?;
    let film = Film { photos: &[1], seconds: 2, size: SMALL, encoding: PHONE };
    let bytes = film.make(&node.photo_dir()?.join("clip.mkv"))?;
    let id = upload(node.api(), "clip.mkv", bytes.clone()).await?;
    let asset = node.api().asset(&id).await?;
    let video = asset.video.context("no video")?;
    assert_eq!(video.playable, "waiting");
    ensure!(video.reason.as_ref().is_some_and(|reason| reason.contains("apt install ffmpeg")), "{video:?}");
    assert_eq!(node.api().original(&id).await?, bytes, "it is kept");
    let photo = upload(node.api(), "photo.jpg", inframe_tests::photos::sample(1)?).await?;
    inframe_tests::scene::wait_for_faces(node.api(), &photo).await?;
    films::link_tools(tools.path())?;
    let seen = |asset: &Asset, video: &Video| video.playable == "ready" && asset.faces_state == "done";
    let asset = video_when(node.api(), &id, "the tools to be found", seen).await?;
    ensure!(asset.faces.iter().any(|face| face.me), "{:?}", asset.faces);
    Ok(())
}

#[tokio::test]
async fn d3_no_plain_byte_of_a_video_is_on_disk_while_it_is_worked_on_or_after() -> Result<()> {
    if !films::tools("secrecy of videos")? {
        return Ok(());
    }
    let mut node = Daemon::start("Node").await?;
    enrol(node.api()).await?;
    let elsewhere = tempfile::tempdir()?;
    let encoding = [PHONE, &["-metadata", "title=Title-Canary-4711"]].concat();
    let film = Film { photos: &[1, 2, 3], seconds: 3, size: (1280, 720), encoding: &encoding };
    let bytes = film.make(&elsewhere.path().join("film.mkv"))?;
    let id = upload(node.api(), "FileName-Canary-2342.mkv", bytes.clone()).await?;
    let mut canaries =
        vec![Canary::new("the title", "Title-Canary-4711"), Canary::new("the file name", "FileName-Canary-2342")];
    let cut = |what: &str, bytes: &[u8]| {
        let places = (1..8).map(|n| bytes.len() * n / 8).filter(|at| at + 16 <= bytes.len());
        places.map(|at| Canary::new(format!("{what} at {at}"), &bytes[at..at + 16])).collect::<Vec<_>>()
    };
    canaries.extend(cut("the video", &bytes));
    let ready = wait_until("the video to be worked on", WORKED, async || {
        let found = scan::find(node.folder(), &canaries)?;
        ensure!(found.is_empty(), "d3: found while it is worked on: {found:#?}");
        let asset = node.api().asset(&id).await?;
        let is_ready =
            asset.faces_state == "done" && asset.video.as_ref().is_some_and(|video| video.playable == "ready");
        Ok(if is_ready { Seen::Done(asset) } else { Seen::NotYet(format!("{asset:?}")) })
    })
    .await?;
    ensure!(!ready.faces.is_empty(), "{ready:?}");
    canaries.extend(cut("the copy", &node.api().video(&id).await?));
    canaries.extend(cut("the poster", &node.api().thumb(&id, "preview").await?));
    node.stop().await?;
    let found = scan::find(node.folder(), &canaries)?;
    ensure!(found.is_empty(), "d3: found afterwards: {found:#?}");
    Ok(())
}

#[tokio::test]
async fn d2_a_video_being_worked_on_when_the_daemon_is_killed_is_worked_on_again() -> Result<()> {
    if !films::tools("killed work on videos")? {
        return Ok(());
    }
    let mut node = Daemon::start("Node").await?;
    let encoding = ["-c:v", "mpeg4", "-q:v", "3", "-c:a", "libmp3lame"];
    let film = Film { photos: &[1, 2, 3, 4], seconds: 8, size: (1280, 720), encoding: &encoding };
    let bytes = film.make(&node.photo_dir()?.join("long.avi"))?;
    let id = upload(node.api(), "long.avi", bytes.clone()).await?;
    video_when(node.api(), &id, "the copy to be under way", |_, video| video.copy_percent.is_some()).await?;
    node.restart().await?;
    let asset = playable(node.api(), &id).await?;
    assert_eq!(asset.video.context("no video")?.playable, "ready");
    assert_eq!(node.api().original(&id).await?, bytes);
    Ok(())
}

/// Bytes that a camera writes into its videos and that must stay where they are.
const CANARIES: [&str; 4] = ["Title-Canary-4711", "Artist-Canary-0815", "+48.1173+011.5166/", "Comment-Canary-2342"];

#[tokio::test]
async fn d4_a_video_reaches_the_person_in_it_without_what_its_camera_wrote() -> Result<()> {
    if !films::tools("sharing videos")? {
        return Ok(());
    }
    let scene = Scene::gather("automatic").await?;
    let folder = scene.photographer.photo_dir()?;
    let plain = folder.join("plain.mp4");
    Film { photos: &[2, 1], seconds: 3, size: (1280, 720), encoding: PHONE }.make(&plain)?;
    let [title, artist, place, comment] = CANARIES;
    let said = [
        ("title", title),
        ("artist", artist),
        ("location", place),
        ("comment", comment),
        ("creation_time", "2024-07-01T12:34:56Z"),
        ("make", "Maker-Canary-1"),
        ("model", "Model-Canary-2"),
    ];
    let arguments: Vec<String> =
        said.iter().flat_map(|(tag, value)| ["-metadata".to_owned(), format!("{tag}={value}")]).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let bytes = films::repacked(&plain, &folder.join("camera.mov"), &arguments)?;
    for canary in CANARIES {
        ensure!(holds(&bytes, canary), "{canary} was not planted");
    }
    let id = upload(scene.photographer.api(), "camera.mov", bytes.clone()).await?;
    announce(scene.finder.api(), &scene.event).await?;
    let got = wait_until("the video at the person in it", WORKED, async || {
        // Whoever is not surely found is asked about; the photographer says yes, the finder too.
        for node in [&scene.photographer, &scene.finder] {
            for question in node.api().approvals("waiting").await? {
                node.api().decide(&question.id, "allow", false).await?;
            }
        }
        let got = inframe_tests::scene::received(scene.finder.api()).await?;
        let seen =
            got.iter().find(|asset| asset.video.as_ref().is_some_and(|video| video.playable == "ready")).cloned();
        let sent = scene.photographer.api().transfers().await?;
        Ok(Seen::when(seen, || format!("{} received, {sent:?}", got.len())))
    })
    .await?;
    assert_eq!(got.media_type, "video/mp4");
    ensure!(!got.has_location && got.faces.iter().any(|face| face.at_ms.is_some()), "{got:?}");
    let sent = scene.finder.api().original(&got.id).await?;
    for canary in CANARIES.iter().chain(&["Maker-Canary-1", "Model-Canary-2", "x264 - core"]) {
        ensure!(!holds(&sent, canary), "{canary} went out");
    }
    let path = folder.join("sent.mp4");
    std::fs::write(&path, &sent)?;
    check_copy(&path, "what was sent", 6.0)?;
    let said = films::probe(&path)?;
    let tags = said["format"]["tags"].as_object().context("no tags")?;
    let allowed = ["major_brand", "minor_version", "compatible_brands"];
    ensure!(tags.keys().all(|tag| allowed.contains(&tag.as_str())), "{tags:?}");
    assert_eq!(scene.photographer.api().original(&id).await?, bytes, "the original is what it was");
    Ok(())
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|part| part == text.as_bytes())
}
