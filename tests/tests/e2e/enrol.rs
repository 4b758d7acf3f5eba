//! Enrolment before a camera: who passes the pose challenge, who does not, and what others are told of it.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use image::{DynamicImage, RgbImage};
use inframe_tests::api::refusal;
use inframe_tests::daemon::Daemon;
use inframe_tests::heads::{self, Turn};
use inframe_tests::photos::{self, Variation};
use inframe_tests::scene::{WORKED, agree};
use inframe_tests::views::{Challenge, Profile};

/// Shows what is asked until the challenge ends.
async fn obey(node: &Daemon, profile: &str) -> Result<Challenge> {
    let mut view = node.api().begin_challenge(profile).await?;
    for _ in 0..40 {
        if view.state != "running" {
            return Ok(view);
        }
        let frame = heads::jpeg(heads::turn(&view.ask)?)?;
        view = node.api().challenge_frame(profile, &view.id, frame).await?;
    }
    bail!("the challenge does not end: {view:?}")
}

/// From one frame to the next, about as in the dashboard: one straight after the other, a fast machine would run out of frames before the time is over.
const BETWEEN_FRAMES: Duration = Duration::from_millis(150);

/// Shows the same frames over and over, at the pace of a camera, until the challenge ends.
async fn show(node: &Daemon, frames: &[Vec<u8>]) -> Result<Challenge> {
    let mut view = node.api().begin_challenge("me").await?;
    let shown = async {
        let mut camera = tokio::time::interval(BETWEEN_FRAMES);
        for frame in frames.iter().cycle() {
            camera.tick().await;
            view = node.api().challenge_frame("me", &view.id, frame.clone()).await?;
            if view.state != "running" {
                break;
            }
        }
        anyhow::Ok(view)
    };
    tokio::time::timeout(WORKED, shown).await?
}

async fn me(node: &Daemon) -> Result<Profile> {
    node.api().profile().await
}

#[tokio::test]
async fn whoever_turns_as_asked_is_enrolled_live_until_a_file_is_added() -> Result<()> {
    let node = Daemon::start("Finder").await?;
    let refused = refusal(node.api().begin_challenge("me").await)?;
    assert_eq!(refused.kind, "no-consent");
    agree(node.api()).await?;

    let passed = obey(&node, "me").await?;
    assert_eq!((passed.state.as_str(), passed.done, passed.steps), ("passed", 6, 6), "{passed:?}");
    let profile = me(&node).await?;
    ensure!(profile.enrolled && profile.live && profile.selfies.iter().all(|selfie| selfie.live), "{profile:?}");
    ensure!((1..=4).contains(&profile.selfies.len()), "{} selfies", profile.selfies.len());

    let again = refusal(node.api().challenge_frame("me", &passed.id, heads::jpeg(Turn::default())?).await)?;
    assert_eq!((again.status, again.kind.as_str()), (409, "challenge-over"), "what is over takes no more frames");

    let mixed = node.api().add_selfie(photos::selfie()?).await?;
    ensure!(!mixed.live && mixed.enrolled, "one picture from a file makes the profile not live");
    Ok(())
}

#[tokio::test]
async fn a_photo_held_before_the_camera_fails_straight_or_slanted() -> Result<()> {
    let node = Daemon::start("Finder").await?;
    agree(node.api()).await?;
    let photo = DynamicImage::ImageRgb8(heads::hers(Turn::default())?);
    let slanted = |width: u32, height: u32| {
        photos::to_jpeg(&photo.resize_exact(width, height, image::imageops::FilterType::CatmullRom))
    };
    let tilted = photos::to_jpeg(&photo.crop_imm(60, 30, 440, 480))?;
    let frames = [slanted(560, 560)?, slanted(430, 560)?, tilted, slanted(500, 560)?, slanted(560, 450)?];
    let failed = show(&node, &frames).await?;
    assert_eq!(failed.state, "failed", "{failed:?}");
    ensure!(failed.advice.as_deref().is_some_and(|why| why.contains("A photo held before the camera")), "{failed:?}");
    ensure!(failed.done <= 1, "no turn was seen: {failed:?}");
    ensure!(!me(&node).await?.enrolled, "nothing is kept of a failed challenge");
    Ok(())
}

#[tokio::test]
async fn another_person_in_the_middle_ends_it() -> Result<()> {
    let node = Daemon::start("Finder").await?;
    agree(node.api()).await?;
    let mut view = node.api().begin_challenge("me").await?;
    view = node.api().challenge_frame("me", &view.id, heads::jpeg(Turn::default())?).await?;
    assert_eq!(view.done, 1, "{view:?}");
    // Somebody else, alone and straight.
    let stranger = photos::varied(6, Variation::Cropped(1060, 180, 360, 460))?;
    for _ in 0..4 {
        view = node.api().challenge_frame("me", &view.id, stranger.clone()).await?;
    }
    assert_eq!((view.state.as_str(), view.done), ("failed", 1), "{view:?}");
    ensure!(view.advice.as_deref().is_some_and(|why| why.contains("Another face")), "{view:?}");
    ensure!(!me(&node).await?.enrolled);
    Ok(())
}

#[tokio::test]
async fn frames_that_cannot_be_used_say_why_and_cost_no_step() -> Result<()> {
    let node = Daemon::start("Finder").await?;
    agree(node.api()).await?;
    let mut view = node.api().begin_challenge("me").await?;
    let dark: RgbImage = {
        let mut head = heads::hers(Turn::default())?;
        head.iter_mut().for_each(|value| *value /= 8);
        head
    };
    let far = DynamicImage::ImageRgb8(heads::hers(Turn::default())?).thumbnail(150, 150);
    let cases = [
        (photos::sample(1)?, "More than one face"),
        (photos::to_jpeg(&photos::pattern(640, 480, 3))?, "No face"),
        (photos::to_jpeg(&dark.into())?, "Too dark"),
        (photos::to_jpeg(&far)?, "Too far away"),
        (b"no picture at all".to_vec(), "could not be read"),
    ];
    for (frame, word) in cases {
        view = node.api().challenge_frame("me", &view.id, frame).await?;
        let advice = view.advice.clone().unwrap_or_default();
        ensure!(advice.contains(word), "{word}: {advice}");
        assert_eq!((view.state.as_str(), view.done), ("running", 0), "{word}");
    }
    let turned = heads::jpeg(heads::turn("left")?)?;
    view = node.api().challenge_frame("me", &view.id, turned).await?;
    assert_eq!((view.done, view.advice.as_deref()), (0, Some("Look straight into the camera")));

    let large = refusal(node.api().challenge_frame("me", &view.id, vec![0; 1024 * 1024 + 1]).await)?;
    assert_eq!(large.status, 413, "d7: a frame has at most 1 MiB");
    let newer = node.api().begin_challenge("me").await?;
    ensure!(newer.id != view.id);
    let older = refusal(node.api().challenge_frame("me", &view.id, heads::jpeg(Turn::default())?).await)?;
    assert_eq!(older.kind, "challenge-over", "a new challenge takes the place of the one before");
    Ok(())
}
