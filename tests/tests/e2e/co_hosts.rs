//! Co-hosts: they let in and remove by way of the host's device, and only what a co-host may.

use anyhow::{Context as _, Result, ensure};
use inframe_tests::api::{Api, refusal};
use inframe_tests::cli;
use inframe_tests::daemon::Daemon;
use inframe_tests::scene::{SOON, join};
use inframe_tests::views::{Admission, Event};
use inframe_tests::wait::{Seen, wait_until};

async fn seen(api: &Api, event: &str, what: &str, is: impl Fn(&Event) -> bool) -> Result<Event> {
    wait_until(what, SOON, async || {
        let event = api.event(event).await?;
        Ok(if is(&event) { Seen::Done(event) } else { Seen::NotYet(format!("{event:?}")) })
    })
    .await
}

fn id_of(event: &Event, nickname: &str) -> Result<String> {
    let member = event.members.iter().find(|member| member.nickname == nickname);
    Ok(member.with_context(|| format!("no {nickname}"))?.id.clone())
}

/// Somebody asks to be let in.
async fn knocks(host: &Daemon, event: &str, nickname: &str) -> Result<(Daemon, Vec<String>)> {
    let guest = Daemon::start(nickname).await?;
    let link = host.api().invite(event, None, None).await?.link;
    let words = guest.api().join(&link).await?.verification;
    Ok((guest, words))
}

async fn waits_at(api: &Api, event: &str, nickname: &str) -> Result<Admission> {
    let event = seen(api, event, "the one who knocks", |event| {
        event.waiting.iter().any(|waiting| waiting.nickname == nickname)
    })
    .await?;
    event.waiting.into_iter().find(|waiting| waiting.nickname == nickname).context("gone")
}

#[tokio::test]
async fn a_co_host_lets_in_and_removes_by_way_of_the_hosts_device() -> Result<()> {
    let (mut host, deputy, guest) =
        tokio::try_join!(Daemon::start("Host"), Daemon::start("Ann"), Daemon::start("Ben"))?;
    let event = host.api().create_event("Picnic").await?.id;
    for joiner in [&deputy, &guest] {
        let link = host.api().invite(&event, None, None).await?.link;
        join(host.api(), joiner, &event, &link).await?;
    }
    let (cleo, words) = knocks(&host, &event, "Cleo").await?;
    let at_host = waits_at(host.api(), &event, "Cleo").await?;

    // A plain member sees nobody at the door, and decides nothing.
    ensure!(deputy.api().event(&event).await?.waiting.is_empty(), "a member sees who waits");
    let refused = refusal(deputy.api().admit(&event, &at_host.id, true).await)?;
    assert_eq!(refused.status, 403, "{refused}");

    cli::answer(&host, &["event", "co-host", "Picnic", "Ann"])?;
    seen(deputy.api(), &event, "the role", |event| event.role == "co-host").await?;
    let at_deputy = waits_at(deputy.api(), &event, "Cleo").await?;
    assert_eq!(at_deputy.id, at_host.id);
    assert_eq!(at_deputy.verification, words, "the words are those on the newcomer's screen");
    deputy.api().admit(&event, &at_deputy.id, true).await?;
    seen(cleo.api(), &event, "the admission", |event| event.role == "member").await?;
    seen(host.api(), &event, "nobody at the door", |event| event.waiting.is_empty() && event.members.len() == 4)
        .await?;
    let noted = host.api().activity().await?;
    ensure!(noted.iter().any(|entry| entry.text == "Ann, co-host, admitted Cleo to Picnic."), "{noted:?}");

    // Somebody who knocks now is seen at once, and a refusal is one.
    let (dan, _) = knocks(&host, &event, "Dan").await?;
    let dans = waits_at(deputy.api(), &event, "Dan").await?;
    deputy.api().admit(&event, &dans.id, false).await?;
    let told = seen(dan.api(), &event, "the refusal", |event| event.problem.is_some()).await?;
    ensure!(told.problem.as_deref().is_some_and(|problem| problem.contains("declined")), "{told:?}");

    // She removes a member, and neither the host nor another co-host.
    let members = seen(deputy.api(), &event, "Cleo among the members", |event| event.members.len() == 4).await?;
    for untouchable in ["Host", "Ann"] {
        let refused = refusal(deputy.api().remove_member(&event, &id_of(&members, untouchable)?).await)?;
        assert_eq!((refused.status, refused.kind.as_str()), (409, "not-done"), "{untouchable}: {refused}");
    }
    deputy.api().remove_member(&event, &id_of(&members, "Cleo")?).await?;
    let now = seen(guest.api(), &event, "the removal", |event| event.members.len() == 3 && event.epoch == 1).await?;
    ensure!(id_of(&now, "Cleo").is_err());

    // Without the host's device nobody comes or goes, and it is said why.
    let (_eve, _) = knocks(&host, &event, "Eve").await?;
    let eves = waits_at(deputy.api(), &event, "Eve").await?;
    host.stop().await?;
    seen(deputy.api(), &event, "nobody to decide on", |event| event.waiting.is_empty()).await?;
    let refused = refusal(deputy.api().admit(&event, &eves.id, true).await)?;
    assert_eq!((refused.status, refused.kind.as_str()), (409, "host-away"), "{refused}");
    host.restart().await?;
    waits_at(deputy.api(), &event, "Eve").await?;

    // The role is taken back.
    cli::answer(&host, &["event", "co-host", "Picnic", "Ann", "--no-longer"])?;
    seen(deputy.api(), &event, "the role taken back", |event| event.role == "member" && event.waiting.is_empty())
        .await?;
    let refused = refusal(deputy.api().admit(&event, &eves.id, true).await)?;
    assert_eq!(refused.status, 403, "{refused}");
    ensure!(host.api().event(&event).await?.waiting.len() == 1, "Eve waits still");
    Ok(())
}

#[tokio::test]
async fn a_co_host_invites_by_way_of_the_hosts_device_and_what_they_invited_ends_with_the_role() -> Result<()> {
    let (mut host, deputy, other) =
        tokio::try_join!(Daemon::start("Host"), Daemon::start("Ann"), Daemon::start("Ben"))?;
    let event = host.api().create_event("Picnic").await?.id;
    for joiner in [&deputy, &other] {
        let link = host.api().invite(&event, None, None).await?.link;
        join(host.api(), joiner, &event, &link).await?;
    }
    assert_eq!(refusal(deputy.api().invite(&event, None, None).await)?.status, 403, "a plain member");
    cli::answer(&host, &["event", "co-host", "Picnic", "Ann"])?;
    seen(deputy.api(), &event, "the role", |event| event.role == "co-host").await?;

    let invite = deputy.api().invite(&event, Some(3600), Some(5)).await?;
    assert_eq!((invite.uses, invite.uses_left, invite.open), (5, 5, true));
    ensure!(cli::answer(&deputy, &["event", "invite", "Picnic"])?.contains("inframe://join/"));
    assert_eq!(deputy.api().invites(&event, false).await?.len(), 2);
    let at_host = host.api().invites(&event, false).await?;
    ensure!(at_host.iter().filter(|one| one.by.as_deref() == Some("Ann")).count() == 2, "the host sees whose they are");
    let noted = host.api().activity().await?;
    ensure!(
        noted.iter().any(|entry| entry.text == "Ann, co-host, made an invite for 5 people to Picnic."),
        "{noted:?}"
    );

    // Whoever uses it knocks at the host, and the co-host who invited lets them in.
    let cleo = Daemon::start("Cleo").await?;
    let words = cleo.api().join(&invite.link).await?.verification;
    let at_deputy = waits_at(deputy.api(), &event, "Cleo").await?;
    assert_eq!(at_deputy.verification, words);
    deputy.api().admit(&event, &at_deputy.id, true).await?;
    seen(cleo.api(), &event, "the admission", |event| event.role == "member").await?;
    for node in [&host, &other] {
        seen(node.api(), &event, "four members", |event| event.members.len() == 4).await?;
    }
    let listed = deputy.api().invites(&event, false).await?;
    let used = listed.iter().find(|one| one.id == invite.id).context("it is listed")?;
    assert_eq!(used.uses_left, 4);

    // The bounds are those of the host; nobody else's invites are theirs to withdraw.
    assert_eq!(refusal(deputy.api().invite(&event, None, Some(501)).await)?.kind, "bad-uses");
    for _ in 2..8 {
        deputy.api().invite(&event, None, None).await?;
    }
    let refused = refusal(deputy.api().invite(&event, None, None).await)?;
    assert_eq!((refused.status, refused.kind.as_str()), (409, "not-done"), "{refused}");
    let hosts = host.api().invite(&event, None, None).await?;
    assert_eq!(refusal(deputy.api().revoke(&event, &hosts.id).await)?.kind, "not-done");
    let mine = deputy.api().invites(&event, false).await?;
    deputy.api().revoke(&event, &mine[1].id).await?;
    assert_eq!(deputy.api().invites(&event, false).await?.len(), 7);
    assert_eq!(refusal(deputy.api().leaked(&event, None, &[]).await)?.status, 403, "that is the host's");

    // Without the host's device there is none.
    host.kill().await?;
    let away = wait_until("the host's absence", SOON, async || match deputy.api().invite(&event, None, None).await {
        Err(error) => {
            let problem = refusal::<()>(Err(error))?;
            Ok(Seen::when((problem.kind == "host-away").then_some(()), || problem.to_string()))
        }
        Ok(_) => anyhow::bail!("an invite without the host"),
    });
    away.await?;
    host.restart().await?;

    // With the role they end, for those who have them as well.
    let ann = id_of(&host.api().event(&event).await?, "Ann")?;
    host.api().co_host(&event, &ann, false).await?;
    let dan = Daemon::start("Dan").await?;
    dan.api().join(&invite.link).await?;
    let told = seen(dan.api(), &event, "the refusal", |event| event.problem.is_some()).await?;
    ensure!(told.problem.as_deref().is_some_and(|why| why.contains("does not know this invite")), "{told:?}");
    ensure!(host.api().invites(&event, false).await?.iter().all(|one| one.by.is_none()), "none can be used");
    Ok(())
}
