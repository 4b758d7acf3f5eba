//! An invite that leaked: withdrawn at once, with those who came by it, and new keys for the others.

use anyhow::{Context, Result, ensure};
use inframe_tests::cli;
use inframe_tests::daemon::Daemon;
use inframe_tests::scene::{self, SOON};
use inframe_tests::wait::{Seen, wait_until};

#[tokio::test]
async fn an_invite_that_leaked_is_replaced_and_who_came_by_it_is_removed() -> Result<()> {
    let (host, friend, stranger) =
        tokio::try_join!(Daemon::start("Host"), Daemon::start("Friend"), Daemon::start("Stranger"))?;
    let (waiter, late) = tokio::try_join!(Daemon::start("Waiter"), Daemon::start("Late"))?;
    let event = host.api().create_event("Picnic").await?.id;
    let leaked = host.api().invite(&event, Some(86_400), Some(10)).await?;
    scene::join(host.api(), &friend, &event, &leaked.link).await?;
    scene::join(host.api(), &stranger, &event, &leaked.link).await?;
    waiter.api().join(&leaked.link).await?;
    wait_until("somebody at the door", SOON, async || {
        let waiting = host.api().event(&event).await?.waiting;
        Ok(Seen::when((waiting.len() == 1).then_some(()), || format!("{waiting:?}")))
    })
    .await?;
    let listed = host.api().invites(&event, true).await?;
    let [one] = listed.as_slice() else { anyhow::bail!("{} invites", listed.len()) };
    let joined: Vec<&str> = one.joined.iter().map(|member| member.nickname.as_str()).collect();
    assert_eq!((joined.as_slice(), one.waiting), (["Friend", "Stranger"].as_slice(), 1));

    let before = host.api().event(&event).await?.epoch;
    let bad = one.joined.iter().find(|member| member.nickname == "Stranger").context("no stranger")?;
    let done = host.api().leaked(&event, Some(&leaked.id), &[&bad.id]).await?;
    assert_eq!((done.removed.as_slice(), done.declined), (["Stranger".to_owned()].as_slice(), 1));
    assert_eq!((done.invite.uses_left, done.event.epoch), (10, before + 1), "of the same kind, under new keys");
    ensure!(done.invite.link != leaked.link && done.event.waiting.is_empty(), "{:?}", done.event);

    // Whoever waits is declined, whoever comes later is told that there is no such invite, the friend stays and has the new keys.
    for (node, word) in [(&waiter, "declined"), (&late, "does not know this invite")] {
        if node.nickname() == "Late" {
            node.api().join(&leaked.link).await?;
        }
        wait_until("a reason", SOON, async || {
            let problem = node.api().event(&event).await?.problem;
            Ok(Seen::when(problem.as_deref().is_some_and(|problem| problem.contains(word)).then_some(()), || {
                format!("{}: {problem:?}", node.nickname())
            }))
        })
        .await?;
    }
    wait_until("the new keys at the friend", SOON, async || {
        let seen = friend.api().event(&event).await?;
        let names: Vec<String> = seen.members.into_iter().map(|member| member.nickname).collect();
        let done = seen.epoch == before + 1 && names.len() == 2 && names.iter().all(|name| name != "Stranger");
        Ok(Seen::when(done.then_some(()), || format!("epoch {}, {names:?}", seen.epoch)))
    })
    .await?;
    scene::join(host.api(), &Daemon::start("Welcome").await?, &event, &done.invite.link).await?;
    let noted = host.api().activity().await?;
    ensure!(
        noted.iter().any(|entry| entry.text.contains("leaked") && entry.text.contains("removed Stranger")),
        "{noted:?}"
    );
    Ok(())
}

#[tokio::test]
async fn an_invite_for_one_that_somebody_else_used_is_replaced_on_the_command_line() -> Result<()> {
    let (host, stranger) = tokio::try_join!(Daemon::start("Host"), Daemon::start("Stranger"))?;
    let event = host.api().create_event("Picnic").await?.id;
    let leaked = host.api().invite(&event, None, None).await?;
    scene::join(host.api(), &stranger, &event, &leaked.link).await?;
    let listed = cli::answer(&host, &["event", "invites", "Picnic"])?;
    ensure!(listed.contains("over") && listed.contains("Stranger"), "{listed}");
    let said = cli::answer(&host, &["event", "leaked", "Picnic", "--invite", &leaked.id, "--remove", "Stranger"])?;
    ensure!(said.contains("Removed: Stranger") && said.contains("inframe://join/"), "{said}");
    let seen = host.api().event(&event).await?;
    assert_eq!((seen.members.len(), seen.epoch), (1, 1));
    Ok(())
}
