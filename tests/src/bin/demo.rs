//! The demo: three daemons on this machine, real photos, one person who finds herself. Exits non-zero when any step fails.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use inframe_tests::daemon::{Daemon, Options};
use inframe_tests::jpeg::picture_hash;
use inframe_tests::photos::{self, Variation};
use inframe_tests::scene::{self, Scene, WORKED};
use inframe_tests::views::Asset;
use inframe_tests::wait::{Seen, wait_until};

/// The aim for a 2-megapixel JPEG from the drop on one page to its appearance on another, on an idle machine.
const DROP_AIM: Duration = Duration::from_secs(2);
/// Drops to measure; the first one may find the worker processes gone.
const DROPS: u32 = 3;
/// 1920 x 1080 pixels of `sample1.jpg`, from which her selfie was cut, with all three of its faces: nobody is asked. The offset makes each drop another file.
const DROP_CROP: (u32, u32) = (1920, 1080);

/// A photo of the demo and who takes it.
struct Photo {
    name: &'static str,
    bytes: Vec<u8>,
    /// Whether the finder is in it.
    hers: bool,
}

/// A clock that prints every step with its time since the start.
struct Steps {
    start: Instant,
    last: Instant,
}

impl Steps {
    fn begin() -> Self {
        println!("{:>8}  {:>8}  step", "at", "took");
        Self { start: Instant::now(), last: Instant::now() }
    }

    fn done(&mut self, step: impl std::fmt::Display) {
        let now = Instant::now();
        println!("{:>7.2}s  {:>7.2}s  {step}", (now - self.start).as_secs_f64(), (now - self.last).as_secs_f64());
        self.last = now;
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let once = std::env::args().any(|argument| argument == "--once");
    match run(once).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the demo failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(once: bool) -> Result<()> {
    let (hosts, photographers) = (hosts_photos()?, photographers_photos()?);
    let mut steps = Steps::begin();
    let scene = meet(&mut steps).await?;
    import(&scene.host, &hosts, &mut steps).await?;
    import(&scene.photographer, &photographers, &mut steps).await?;
    scene::announce(scene.finder.api(), &scene.event).await?;
    steps.done("the finder agreed to the text and announced her face in the event");

    let mut hers: BTreeMap<String, &str> = BTreeMap::new();
    for photo in hosts.iter().chain(&photographers).filter(|photo| photo.hers) {
        hers.insert(picture_hash(&photo.bytes)?, photo.name);
    }
    let asked = deliver(&scene, hers.len(), &mut steps).await?;
    verify(&scene, &hers).await?;
    steps.done(format!(
        "checked: {} of {} photos of her delivered ({asked} of them after a question to the owner), 0 wrong",
        hers.len(),
        hers.len()
    ));
    measure_drops(&scene, &mut steps).await?;
    if !once {
        show_dashboards(&scene).await?;
    }
    Ok(())
}

/// Three daemons, an event, two members admitted.
async fn meet(steps: &mut Steps) -> Result<Scene> {
    let open =
        |nickname: &str| Options { listen: "/ip4/0.0.0.0/tcp/0".to_owned(), mdns: true, ..Options::local(nickname) };
    let (host, photographer, finder) = tokio::try_join!(
        Daemon::start_with(open("the host")),
        Daemon::start_with(open("the photographer")),
        Daemon::start_with(open("the finder")),
    )?;
    steps.done("three daemons run: a host, a photographer, a finder");
    let event = host.api().create_event("Summer party").await?.id;
    steps.done("the host made the event \u{201c}Summer party\u{201d}");
    for joiner in [&photographer, &finder] {
        let link = host.api().invite(&event, None, None).await?.link;
        scene::join(host.api(), joiner, &event, &link).await?;
        steps.done(format!("{} pasted an invite link and was admitted", joiner.nickname()));
    }
    for holder in [&host, &photographer] {
        scene::share_all(holder.api(), &event, "automatic").await?;
    }
    steps.done("host and photographer share automatically in this event");
    scene::enrol(finder.api()).await?;
    steps.done("the finder agreed to the text and enrolled one selfie");
    Ok(Scene { host, photographer, finder, event })
}

fn hosts_photos() -> Result<Vec<Photo>> {
    let photo = |name, hers, bytes| Photo { name, bytes, hers };
    Ok(vec![
        photo("arrival.jpg", true, photos::sample(1)?),
        photo("at the bar.jpg", false, photos::sample(2)?),
        photo("garden.jpg", false, photos::sample(4)?),
        photo("sofa, upright phone.jpg", true, photos::varied(3, Variation::TurnedByExif)?),
        photo("sofa, small.jpg", true, photos::varied(3, Variation::Smaller(1000))?),
        photo("arrival, cropped.jpg", true, photos::varied(1, Variation::Cropped(760, 40, 1160, 1100))?),
    ])
}

fn photographers_photos() -> Result<Vec<Photo>> {
    let photo = |name, hers, bytes| Photo { name, bytes, hers };
    Ok(vec![
        photo("IMG_0001.jpg", true, photos::sample(3)?),
        photo("IMG_0002.jpg", false, photos::sample(5)?),
        photo("IMG_0003.jpg", false, photos::sample(6)?),
        photo("IMG_0004.jpg", true, photos::varied(3, Variation::Cropped(500, 80, 1300, 1150))?),
        photo("IMG_0005.jpg", true, photos::varied(1, Variation::Darker(0.6))?),
        photo("IMG_0006.jpg", true, photos::varied(1, Variation::TurnedByExif)?),
        photo("IMG_0007.jpg", true, photos::varied(3, Variation::Darker(0.7))?),
    ])
}

/// Puts the photos into a folder, imports it, waits until every photo was looked at.
async fn import(node: &Daemon, photos: &[Photo], steps: &mut Steps) -> Result<()> {
    let folder = node.photo_dir()?;
    for photo in photos {
        std::fs::write(folder.join(photo.name), &photo.bytes)?;
    }
    let id = node.api().import(&folder).await?.id;
    let done = wait_until("the import", WORKED, async || {
        let state = node.api().import_state(&id).await?;
        Ok(if state.state == "done" { Seen::Done(state) } else { Seen::NotYet(format!("{state:?}")) })
    })
    .await?;
    ensure!(
        done.imported == photos.len() as u64,
        "{} of {} photos imported: {:?}",
        done.imported,
        photos.len(),
        done.failed
    );
    steps.done(format!("{} imported {} photos", node.nickname(), done.imported));
    let mut faces = 0;
    for asset in node.api().assets().await? {
        faces += scene::wait_for_faces(node.api(), &asset.id).await?.faces.len();
    }
    steps.done(format!("{} found {faces} faces in them", node.nickname()));
    Ok(())
}

/// Waits for all of her photos; plays the owners, who answer the questions that come up. Gives the number of questions answered with yes.
async fn deliver(scene: &Scene, expected: usize, steps: &mut Steps) -> Result<usize> {
    let mut seen = 0;
    let mut asked = 0;
    wait_until("all photos of her", WORKED, async || {
        for holder in [&scene.host, &scene.photographer] {
            asked += answer_questions(holder).await?;
        }
        let count = scene.finders_event().await?.received_count as usize;
        if count > seen {
            steps.done(format!("{count} of {expected} photos arrived"));
            seen = count;
        }
        Ok(if count >= expected {
            Seen::Done(())
        } else {
            Seen::NotYet(format!("{count} of {expected}; {:?}", scene.finder.api().transfers().await?))
        })
    })
    .await?;
    // Whatever else would be sent must have had its chance before "nothing else" can be said.
    scene.wait_for_rest().await?;
    Ok(asked)
}

/// Says yes to what shows her, no to what does not; the names of the demo's photos tell.
async fn answer_questions(holder: &Daemon) -> Result<usize> {
    let mut yes = 0;
    for question in holder.api().approvals("waiting").await? {
        let name = holder.api().asset(&question.asset).await?.file_name;
        let hers = hosts_photos()?.iter().chain(&photographers_photos()?).any(|photo| photo.hers && photo.name == name);
        println!(
            "{:>20}{} is asked about {name:?} ({} match, {:.2}): {}",
            "",
            holder.nickname(),
            question.grade,
            question.score,
            if hers { "yes" } else { "no" }
        );
        holder.api().decide(&question.id, if hers { "allow" } else { "not_now" }, false).await?;
        yes += usize::from(hers);
    }
    Ok(yes)
}

/// Every photo of her arrived, once, with every pixel byte unchanged, and nothing else did.
async fn verify(scene: &Scene, hers: &BTreeMap<String, &str>) -> Result<()> {
    let mut missing = hers.clone();
    for asset in scene::received(scene.finder.api()).await? {
        let bytes = scene.finder.api().original(&asset.id).await?;
        ensure!(
            blake3::hash(&bytes).to_hex().as_str() == asset.content_id,
            "a received photo does not match its content id"
        );
        let hash = picture_hash(&bytes)?;
        ensure!(
            hers.contains_key(&hash),
            "a photo was delivered that does not show her, or that was changed on the way: {asset:?}"
        );
        ensure!(missing.remove(&hash).is_some(), "{} was delivered twice", hers.get(&hash).unwrap_or(&"a photo"));
        check_origin(scene, &asset)?;
    }
    ensure!(missing.is_empty(), "not delivered: {:?}", missing.values());
    Ok(())
}

fn check_origin(scene: &Scene, asset: &Asset) -> Result<()> {
    ensure!(asset.origin.event.as_ref() == Some(&scene.event), "a received photo does not name its event");
    let from = asset.origin.from.as_deref().context("a received photo does not name its sender")?;
    ensure!(
        [&scene.host, &scene.photographer].iter().any(|node| node.nickname() == from),
        "a photo from a stranger, {from}"
    );
    Ok(())
}

/// Drops a 2-megapixel photo at the photographer's and takes the time until the finder's event shows it.
async fn measure_drops(scene: &Scene, steps: &mut Steps) -> Result<()> {
    for drop in 0..DROPS {
        let (width, height) = DROP_CROP;
        let photo = photos::varied(1, Variation::Cropped(0, 60 + drop, width, height))?;
        let before = scene.finders_event().await?.received_count;
        let start = Instant::now();
        scene::upload(scene.photographer.api(), "dropped.jpg", photo).await?;
        let durable = start.elapsed();
        wait_until("the dropped photo at the finder", WORKED, async || {
            answer_questions(&scene.photographer).await?;
            let count = scene.finders_event().await?.received_count;
            Ok(if count > before { Seen::Done(()) } else { Seen::NotYet(format!("{count} received")) })
        })
        .await?;
        let visible = start.elapsed();
        let verdict = if visible <= DROP_AIM { "within" } else { "over" };
        steps.done(format!(
            "drop {} of {DROPS}: a 2-megapixel JPEG was stored after {:.2} s and on the finder's page after {:.2} s ({verdict} the aim of {} s)",
            drop + 1,
            durable.as_secs_f64(),
            visible.as_secs_f64(),
            DROP_AIM.as_secs()
        ));
    }
    Ok(())
}

/// Prints a launch link for each dashboard and waits for Ctrl-C.
async fn show_dashboards(scene: &Scene) -> Result<()> {
    println!("\nThe three dashboards, until Ctrl-C (each link opens once):");
    for node in [&scene.host, &scene.photographer, &scene.finder] {
        println!("  {:<24} {}", node.nickname(), node.api().launch_link().await?.url);
    }
    tokio::signal::ctrl_c().await?;
    Ok(())
}
