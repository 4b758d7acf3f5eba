//! Leaving an event: everybody hears of it, whoever was away, and the keys are changed. And the words that two people compare.

use anyhow::{Result, ensure};
use inframe_tests::daemon::Daemon;
use inframe_tests::scene::{self, SOON, Scene, announce};
use inframe_tests::wait::{Seen, wait_until};
use inframe_tests::{cli, views};

/// Waits until a node sees these members, looked at by name, under this epoch.
async fn sees(node: &Daemon, event: &str, names: &[&str], epoch: u32) -> Result<()> {
    wait_until(&format!("{names:?} under epoch {epoch} at {}", node.nickname()), SOON, async || {
        let seen = node.api().event(event).await?;
        let mut found: Vec<&str> = seen.members.iter().map(|member| member.nickname.as_str()).collect();
        found.sort_unstable();
        let there = found == names && seen.epoch == epoch;
        Ok(if there { Seen::Done(()) } else { Seen::NotYet(format!("{found:?}, epoch {}", seen.epoch)) })
    })
    .await
}

/// A host with guests of these names in an event.
async fn gather(names: &[&str]) -> Result<(Daemon, Vec<Daemon>, String)> {
    let host = Daemon::start("Host").await?;
    let event = host.api().create_event("Picnic").await?.id;
    let mut guests = Vec::new();
    for name in names {
        let guest = Daemon::start(name).await?;
        let link = host.api().invite(&event, None, None).await?.link;
        scene::join(host.api(), &guest, &event, &link).await?;
        guests.push(guest);
    }
    Ok((host, guests, event))
}

#[tokio::test]
async fn a_leave_is_heard_by_all_ends_the_find_me_and_moves_the_epoch() -> Result<()> {
    let scene = Scene::gather("automatic").await?;
    announce(scene.finder.api(), &scene.event).await?;
    wait_until("the find-me at the photographer", SOON, async || {
        let members = scene.photographer.api().event(&scene.event).await?.members;
        Ok(if members.iter().any(|member| member.looking) { Seen::Done(()) } else { Seen::NotYet("none".to_owned()) })
    })
    .await?;
    scene.finder.api().leave(&scene.event).await?;
    assert!(scene.finder.api().events().await?.is_empty(), "it is gone here at once");
    for node in [&scene.host, &scene.photographer] {
        sees(node, &scene.event, &["Host", "Photographer"], 1).await?;
        let seen = node.api().event(&scene.event).await?;
        ensure!(seen.members.iter().all(|member| !member.looking), "a find-me of nobody: {seen:?}");
        let noted: Vec<String> = node.api().activity().await?.into_iter().map(|entry| entry.text).collect();
        let told = noted.iter().filter(|text| text.contains("left") || text.contains("removed")).count();
        ensure!(told == 1 && noted.iter().any(|text| text == "Finder left Summer party."), "{noted:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_host_who_was_away_hears_of_every_leave_from_the_others_and_changes_the_keys_once() -> Result<()> {
    let (mut host, mut guests, event) = gather(&["Ann", "Ben", "Cem"]).await?;
    for guest in &guests {
        sees(guest, &event, &["Ann", "Ben", "Cem", "Host"], 0).await?;
    }
    wait_until("all connected", SOON, async || {
        let seen = guests[2].api().event(&event).await?.members;
        Ok(if seen.iter().all(|member| member.online) { Seen::Done(()) } else { Seen::NotYet(format!("{seen:?}")) })
    })
    .await?;
    host.kill().await?;
    for leaver in &guests[..2] {
        leaver.api().leave(&event).await?;
    }
    sees(&guests[2], &event, &["Cem", "Host"], 0).await?;
    // Those who left are gone for good: only the one who stayed can tell the host.
    for leaver in &mut guests[..2] {
        leaver.kill().await?;
    }
    host.restart().await?;
    for node in [&host, &guests[2]] {
        sees(node, &event, &["Cem", "Host"], 1).await?;
    }
    Ok(())
}

#[tokio::test]
async fn d1_a_leave_that_nobody_heard_is_told_when_they_are_back() -> Result<()> {
    let (mut host, mut guests, event) = gather(&["Ann"]).await?;
    host.kill().await?;
    guests[0].api().leave(&event).await?;
    assert!(guests[0].api().events().await?.is_empty());
    guests[0].kill().await?;
    guests[0].restart().await?;
    host.restart().await?;
    sees(&host, &event, &["Host"], 1).await
}

#[tokio::test]
async fn new_keys_on_demand_reach_every_member_and_only_the_host_gives_them() -> Result<()> {
    let (host, guests, event) = gather(&["Ann", "Ben"]).await?;
    cli::answer(&host, &["event", "renew-keys", "Picnic"])?;
    for node in std::iter::once(&host).chain(&guests) {
        sees(node, &event, &["Ann", "Ben", "Host"], 1).await?;
    }
    let refused = inframe_tests::api::refusal(guests[0].api().renew_keys(&event).await)?;
    assert_eq!(refused.status, 403, "{refused}");
    Ok(())
}

#[tokio::test]
async fn host_and_joiner_see_the_same_six_words_while_the_request_waits() -> Result<()> {
    let (host, guest, other) = tokio::try_join!(Daemon::start("Host"), Daemon::start("Ann"), Daemon::start("Ann"))?;
    let event = host.api().create_event("Picnic").await?.id;
    let mut shown = Vec::new();
    for joiner in [&guest, &other] {
        let link = host.api().invite(&event, None, None).await?.link;
        let asked = joiner.api().join(&link).await?;
        ensure!(asked.verification.len() == 6, "{:?}", asked.verification);
        shown.push(asked.verification);
    }
    let waiting: Vec<views::Admission> = wait_until("both requests", SOON, async || {
        let waiting = host.api().event(&event).await?.waiting;
        Ok(if waiting.len() == 2 { Seen::Done(waiting) } else { Seen::NotYet(format!("{waiting:?}")) })
    })
    .await?;
    let mut seen: Vec<Vec<String>> = waiting.iter().map(|one| one.verification.clone()).collect();
    seen.sort();
    shown.sort();
    assert_eq!(seen, shown, "namesakes are told apart");
    ensure!(shown[0] != shown[1], "{shown:?}");
    let typed = cli::answer(&host, &["event", "show", "Picnic"])?;
    ensure!(shown.iter().all(|words| typed.contains(&words.join(" "))), "{typed}");
    host.api().admit(&event, &waiting[0].id, true).await?;
    wait_until("the end of the words", SOON, async || {
        let left = host.api().event(&event).await?.waiting.len();
        Ok(if left == 1 { Seen::Done(()) } else { Seen::NotYet(format!("{left} wait")) })
    })
    .await
}
