//! What the owner is told of, at an address of their own: once, without names unless they say so, and never while the vault is locked.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use inframe_tests::api::{Api, refusal};
use inframe_tests::cli::{answer, said, typed};
use inframe_tests::daemon::Daemon;
use inframe_tests::doctor::Doctor;
use inframe_tests::notices::{Post, Receiver};
use inframe_tests::photos::{self, Variation};
use inframe_tests::scene::{SOON, Scene, announce, upload};
use inframe_tests::wait::{Seen, wait_until};
use reqwest::header::ORIGIN;
use serde_json::{Value, json};

const PASSPHRASE: &str = "lamps over a quiet harbour";
/// Bursts are gathered for half a minute, and notices of one kind are a minute apart.
const GATHERED: Duration = Duration::from_secs(150);

/// Waits until the receiver has been sent something of which this is true.
async fn sent(receiver: &Receiver, what: &str, is_it: impl Fn(&[Post]) -> bool) -> Result<Vec<Post>> {
    wait_until(what, GATHERED, async || {
        let posts = receiver.posts();
        Ok(Seen::when(is_it(&posts).then(|| posts.clone()), || format!("{posts:?}")))
    })
    .await
}

/// Webhook messages of a kind.
fn of_kind(posts: &[Post], kind: &str) -> Vec<Value> {
    posts.iter().filter_map(|post| post.json().ok()).filter(|json| json["kind"] == kind).collect()
}

fn counted(posts: &[Post], kind: &str) -> u64 {
    of_kind(posts, kind).iter().filter_map(|json| json["count"].as_u64()).sum()
}

/// A browser signs in to the dashboard.
async fn sign_in(node: &Daemon) -> Result<()> {
    let link = node.api().launch_link().await?.url;
    let token = link.split_once("#launch=").context("no token")?.1;
    let base = node.ready().dashboard.trim_end_matches('/');
    let post = reqwest::Client::new().post(format!("{base}/api/v1/session")).header(ORIGIN, base);
    post.json(&json!({ "token": token })).send().await?.error_for_status()?;
    Ok(())
}

async fn told_here(api: &Api, kind: &str, count: usize) -> Result<Vec<Value>> {
    wait_until(&format!("{count} notices of {kind} in the dashboard"), SOON, async || {
        let view = api.notices().await?;
        let recent = view["recent"].as_array().cloned().unwrap_or_default();
        let found: Vec<Value> = recent.into_iter().filter(|one| one["kind"] == kind).collect();
        Ok(Seen::when((found.len() >= count).then_some(found), || view.to_string()))
    })
    .await
}

#[tokio::test]
async fn photos_of_me_are_told_once_and_names_go_along_only_when_wished() -> Result<()> {
    let mut scene = Scene::gather("automatic").await?;
    let receiver = Receiver::start().await?;
    let leaves = async |api: &Api| -> Result<Vec<String>> {
        let privacy = api.privacy().await?;
        let all = privacy["leaves"].as_array().context("no list")?.iter();
        Ok(all.filter(|one| one["kind"] == "notices").map(|one| one["text"].to_string()).collect())
    };
    ensure!(leaves(scene.finder.api()).await?.is_empty(), "by default nothing is sent anywhere");
    let shown = answer(&scene.finder, &["notices", "set", "--webhook", &receiver.address()])?;
    ensure!(shown.contains(&receiver.address()) && shown.contains("Names go along: no"), "{shown}");
    let said = leaves(scene.finder.api()).await?;
    ensure!(said.len() == 1 && said[0].contains("127.0.0.1") && said[0].contains("without names"), "d6: {said:?}");

    for (name, light) in [("one.jpg", 0.95), ("two.jpg", 0.85)] {
        upload(scene.photographer.api(), name, photos::varied(1, Variation::Darker(light))?).await?;
    }
    announce(scene.finder.api(), &scene.event).await?;
    scene.wait_for_received(2).await?;
    let posts = sent(&receiver, "both photos", |posts| counted(posts, "photos") >= 2).await?;
    let photos = of_kind(&posts, "photos");
    ensure!(counted(&posts, "photos") == 2 && photos[0]["title"] == "New photos of you", "{posts:?}");
    // The machine may have taken longer for the second than a burst lasts.
    if photos.len() == 1 {
        ensure!(photos[0]["text"] == "2 new photos of you", "{posts:?}");
    }
    for post in &posts {
        ensure!(!post.body.contains("Photographer") && !post.body.contains("Summer"), "named: {}", post.body);
        ensure!(post.header("authorization").is_empty() && post.header("user-agent").is_empty(), "{post:?}");
    }
    let here = told_here(scene.finder.api(), "photos", 1).await?;
    ensure!(here[0]["named"].as_str().is_some_and(|text| text.contains("(Photographer in Summer party)")), "{here:?}");
    ensure!(here[0]["page"] == "/photos", "{here:?}");
    let left = scene.finder.api().activity().await?.into_iter().filter(|entry| entry.kind == "left");
    let left: Vec<String> = left.map(|entry| entry.text).collect();
    ensure!(left.len() == photos.len(), "d4: an entry for each: {left:?}");
    ensure!(left[0] == "A notice that names nobody goes to 127.0.0.1: New photos of you.", "{left:?}");

    // Not again after a restart; what comes then is told with names.
    scene.finder.kill().await?;
    scene.finder.restart().await?;
    let shown = answer(&scene.finder, &["notices", "set", "--names"])?;
    ensure!(shown.contains("Names go along: yes"), "{shown}");
    upload(scene.photographer.api(), "three.jpg", photos::varied(1, Variation::Darker(0.75))?).await?;
    scene.wait_for_received(3).await?;
    let posts = sent(&receiver, "the third photo", |posts| counted(posts, "photos") >= 3).await?;
    let photos = of_kind(&posts, "photos");
    let last = photos.last().context("none")?;
    ensure!(last["text"] == "1 new photo of you (Photographer in Summer party)", "{posts:?}");
    ensure!(counted(&posts, "photos") == 3, "told again: {posts:?}");
    Ok(())
}

// The receiver answers while the test waits for a command.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_fails_loses_nothing_and_hears_nothing_while_the_vault_is_locked() -> Result<()> {
    let node = Daemon::start("Node").await?;
    let api = node.api();
    ensure!(refusal(api.test_notices().await)?.status == 409, "there is nowhere to send to");
    for (address, words) in [
        ("http://example.org/topic", "https"),
        ("https://me:secret@example.org/topic", "token"),
        ("https://example.org", "topic"),
    ] {
        let refused = refusal(api.set_notice_receiver(&json!({ "form": "ntfy", "address": address })).await)?;
        ensure!(refused.kind == "bad-receiver" && refused.detail.contains(words), "d6: {refused:?}");
    }
    let receiver = Receiver::start().await?;
    receiver.answer(503);
    let token = node.folder().join("token");
    std::fs::write(&token, "tk_of_harbour_4711\n")?;
    let token = token.display().to_string();
    // Not told of: it was before there was an address.
    sign_in(&node).await?;
    told_here(api, "sign-ins", 1).await?;
    let shown = answer(&node, &["notices", "set", "--ntfy", &receiver.address(), "--token-file", &token])?;
    let view = api.notices().await?;
    ensure!(shown.contains("Token: yes") && view["receiver"]["has_token"] == true, "{shown} {view}");
    for text in [&shown, &view.to_string(), &api.about_me().await?.to_string()] {
        ensure!(!text.contains("4711"), "d3: the token is shown: {text}");
    }
    let tested = typed(&node, &["notices", "test"], &[])?;
    ensure!(
        !tested.status.success() && said(&tested).contains("503: it has a problem of its own"),
        "{}",
        said(&tested)
    );

    sign_in(&node).await?;
    let posts = sent(&receiver, "two tries", |posts| posts.len() >= 3).await?;
    for post in &posts[1..] {
        ensure!(post.body == "A browser signed in to your dashboard" && post.path == "/topic", "{post:?}");
        ensure!(post.header("title") == "A browser signed in" && post.header("tags") == "key", "{post:?}");
        ensure!(post.header("authorization") == "Bearer tk_of_harbour_4711", "{post:?}");
    }
    let view = api.notices().await?;
    ensure!(view["failure"]["text"].as_str().is_some_and(|text| text.contains("503")), "{view}");
    ensure!(answer(&node, &["notices"])?.contains("LAST TRY FAILED"), "the command says so as well");
    ensure!(answer(&node, &["status"])?.contains("NOTICES ARE NOT TAKEN: it answered 503"), "and the status");
    Doctor::of(&node)?.expect("notices", "failed", "it answered 503", "Put the address right")?;

    // Locked: nothing leaves. Unlocked: what was not taken, and the wrong tries.
    let added = typed(&node, &["keys", "add", "passphrase"], &[PASSPHRASE, PASSPHRASE])?;
    ensure!(added.status.success(), "{}", said(&added));
    api.lock().await?;
    receiver.answer(200);
    let before = receiver.posts().len();
    refusal(api.unlock(&json!({ "way": "passphrase", "secret": "lamps over a loud harbour" })).await)?;
    ensure!(receiver.posts().len() == before, "sent while locked");
    api.unlock(&json!({ "way": "passphrase", "secret": PASSPHRASE })).await?;
    let titled = |posts: &[Post], title: &str| posts.iter().filter(|post| post.header("title") == title).count();
    let posts = sent(&receiver, "what waited", |posts| {
        titled(&posts[before..], "A browser signed in") == 1
            && titled(&posts[before..], "Something looks suspicious") == 1
    })
    .await?;
    let suspicious = posts.iter().find(|post| post.header("title") == "Something looks suspicious").context("none")?;
    ensure!(suspicious.header("priority") == "high" && !suspicious.body.contains("passphrase"), "{suspicious:?}");
    let view = api.notices().await?;
    ensure!(view["failure"].is_null() && view["sent_at"].is_u64(), "{view}");

    // Quiet hours: the whole day but for one minute that is not now, nor soon, in any time zone.
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs() / 60;
    let minute = (now + 10) % 15;
    let quiet = format!("12:{:02}-12:{minute:02}", minute + 1);
    answer(&node, &["notices", "set", "--quiet", &quiet])?;
    let count = api.notices().await?["recent"].as_array().map_or(0, Vec::len);
    sign_in(&node).await?;
    sign_in(&node).await?;
    wait_until("both in the log", SOON, async || {
        let signed_in = api.activity().await?.into_iter().filter(|entry| entry.kind == "sign-in").count();
        Ok(Seen::when((signed_in == 4).then_some(()), || format!("{signed_in}")))
    })
    .await?;
    inframe_tests::scene::wait_for_rest(&node).await?;
    ensure!(receiver.posts().len() == posts.len(), "told in quiet hours: {:?}", receiver.posts().last());
    ensure!(api.notices().await?["recent"].as_array().map_or(0, Vec::len) == count, "here too nobody is disturbed");
    answer(&node, &["notices", "set", "--quiet", "none"])?;
    let before = posts.len();
    let posts = sent(&receiver, "both at once", |posts| posts.len() > before).await?;
    ensure!(posts.len() == before + 1 && posts[before].body == "2 browsers signed in to your dashboard", "{posts:?}");

    let tested = answer(&node, &["notices", "test"])?;
    ensure!(tested.contains("took it"), "{tested}");
    let shown = answer(&node, &["notices", "off"])?;
    ensure!(shown.contains("Sent to: nowhere"), "{shown}");
    Ok(())
}

#[tokio::test]
async fn who_asks_to_join_is_told_once_and_the_notice_leads_to_the_event() -> Result<()> {
    let (mut host, joiner) = tokio::try_join!(Daemon::start("Host"), Daemon::start("Joiner"))?;
    let receiver = Receiver::start().await?;
    answer(&host, &["notices", "set", "--webhook", &receiver.address(), "--off", "sign-ins"])?;
    let event = host.api().create_event("Picnic").await?.id;
    let link = host.api().invite(&event, None, None).await?.link;
    joiner.api().join(&link).await?;
    let here = told_here(host.api(), "requests", 1).await?;
    ensure!(here[0]["named"] == "1 person asks to join an event (Joiner in Picnic)", "{here:?}");
    ensure!(here[0]["page"] == format!("/events/{event}"), "{here:?}");
    let posts = sent(&receiver, "the request", |posts| !posts.is_empty()).await?;
    ensure!(of_kind(&posts, "requests")[0]["text"] == "1 person asks to join an event", "{posts:?}");

    // It still waits after a restart, and is not told again.
    host.kill().await?;
    host.restart().await?;
    // Two notices of a kind are ten seconds apart here, as long as a request is gathered at most.
    for count in 1..=2 {
        sign_in(&host).await?;
        told_here(host.api(), "sign-ins", count).await?;
    }
    inframe_tests::scene::wait_for_rest(&host).await?;
    let view = host.api().notices().await?;
    ensure!(view["recent"].as_array().is_some_and(|recent| recent.len() == 2), "told again: {view}");
    ensure!(receiver.posts().len() == 1, "sign-ins are off, and the rest was told: {:?}", receiver.posts());
    Ok(())
}
