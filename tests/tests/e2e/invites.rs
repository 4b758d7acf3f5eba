//! Joining: what a good invite does, and how every bad one is refused.

use anyhow::{Result, ensure};
use inframe_tests::api::refusal;
use inframe_tests::daemon::Daemon;
use inframe_tests::scene::{self, SOON};
use inframe_tests::views::EventPatch;
use inframe_tests::wait::{Seen, wait_until};

/// Waits until the joiner is told why it may not join: at once, or by the host's answer.
async fn problem_of_joining(joiner: &Daemon, link: &str) -> Result<String> {
    let event = match joiner.api().join(link).await {
        Ok(event) => event,
        Err(error) => return Ok(error.downcast::<inframe_tests::api::Problem>()?.detail),
    };
    wait_until("a reason for the refusal", SOON, async || {
        let seen = joiner.api().event(&event.id).await?;
        ensure!(seen.role == "waiting", "joined as {} with an invite that is not valid", seen.role);
        Ok(Seen::when(seen.problem, || "no reason yet".to_owned()))
    })
    .await
}

#[tokio::test]
async fn a_member_is_admitted_by_the_host_and_both_see_the_same_event() -> Result<()> {
    let (host, guest) = tokio::try_join!(Daemon::start("Host"), Daemon::start("Guest"))?;
    let event = host.api().create_event("Picnic").await?;
    assert_eq!(event.role, "host");
    let invite = host.api().invite(&event.id, None, None).await?;
    ensure!(invite.link.starts_with("inframe://join/"), "an unknown form of link: {}", invite.link);
    ensure!(invite.qr_svg.contains("<svg"), "the QR code is no SVG");
    assert_eq!(invite.uses_left, 1);
    scene::join(host.api(), &guest, &event.id, &invite.link).await?;
    for node in [&host, &guest] {
        let seen = node.api().event(&event.id).await?;
        assert_eq!(seen.name, "Picnic");
        let mut names: Vec<&str> = seen.members.iter().map(|member| member.nickname.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["Guest", "Host"]);
        assert!(seen.waiting.is_empty());
    }
    Ok(())
}

#[tokio::test]
async fn an_invite_used_twice_is_refused_the_second_time() -> Result<()> {
    let (host, first, second) =
        tokio::try_join!(Daemon::start("Host"), Daemon::start("Guest"), Daemon::start("Second guest"))?;
    let event = host.api().create_event("Picnic").await?.id;
    let link = host.api().invite(&event, None, None).await?.link;
    scene::join(host.api(), &first, &event, &link).await?;
    let problem = problem_of_joining(&second, &link).await?;
    ensure!(problem.contains("used"), "the reason does not say that it was used: {problem}");
    let seen = host.api().event(&event).await?;
    assert_eq!((seen.members.len(), seen.waiting.len()), (2, 0));
    Ok(())
}

#[tokio::test]
async fn an_invite_for_one_lets_in_one_of_two_who_come_at_once() -> Result<()> {
    let (host, first, second) =
        tokio::try_join!(Daemon::start("Host"), Daemon::start("Guest"), Daemon::start("Second guest"))?;
    let event = host.api().create_event("Picnic").await?.id;
    let patch = EventPatch { admit_automatically: Some(true), ..EventPatch::default() };
    host.api().patch_event(&event, &patch).await?;
    let link = host.api().invite(&event, None, None).await?.link;
    tokio::try_join!(first.api().join(&link), second.api().join(&link))?;
    wait_until("one let in, one told why not", SOON, async || {
        let (a, b) = tokio::try_join!(first.api().event(&event), second.api().event(&event))?;
        let settled = [&a, &b].iter().all(|seen| seen.role == "member" || seen.problem.is_some());
        Ok(if settled { Seen::Done(()) } else { Seen::NotYet(format!("{} and {}", a.role, b.role)) })
    })
    .await?;
    assert_eq!(host.api().event(&event).await?.members.len(), 2);
    Ok(())
}

#[tokio::test]
async fn an_expired_invite_is_refused() -> Result<()> {
    let (host, guest) = tokio::try_join!(Daemon::start("Host"), Daemon::start("Guest"))?;
    let event = host.api().create_event("Picnic").await?.id;
    let invite = host.api().invite(&event, Some(1), None).await?;
    wait_until("the invite's expiry", SOON, async || {
        let now = std::time::UNIX_EPOCH.elapsed()?.as_millis() as u64;
        Ok(if now > invite.expires_at {
            Seen::Done(())
        } else {
            Seen::NotYet(format!("{} ms left", invite.expires_at - now))
        })
    })
    .await?;
    let problem = problem_of_joining(&guest, &invite.link).await?;
    ensure!(problem.contains("expired"), "the reason does not say that it has expired: {problem}");
    assert!(host.api().event(&event).await?.waiting.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_host_who_says_no_is_heard_and_nothing_is_joined() -> Result<()> {
    let (host, guest) = tokio::try_join!(Daemon::start("Host"), Daemon::start("Guest"))?;
    let event = host.api().create_event("Picnic").await?.id;
    let link = host.api().invite(&event, None, None).await?.link;
    guest.api().join(&link).await?;
    let asks = wait_until("the request", SOON, async || {
        let waiting = host.api().event(&event).await?.waiting;
        Ok(Seen::when(waiting.first().cloned(), || "nobody waits".to_owned()))
    })
    .await?;
    host.api().admit(&event, &asks.id, false).await?;
    wait_until("the refusal at the joiner", SOON, async || {
        let seen = guest.api().event(&event).await?;
        Ok(Seen::when(seen.problem, || seen.role))
    })
    .await?;
    assert_eq!(host.api().event(&event).await?.members.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_link_that_is_no_invite_is_refused_with_a_reason() -> Result<()> {
    let (host, guest) = tokio::try_join!(Daemon::start("Host"), Daemon::start("Guest"))?;
    let event = host.api().create_event("Picnic").await?.id;
    let good = host.api().invite(&event, None, None).await?.link;
    let mut damaged = good.clone().into_bytes();
    let middle = damaged.len() / 2;
    damaged[middle] = if damaged[middle] == b'A' { b'B' } else { b'A' };
    let damaged = String::from_utf8(damaged)?;
    let cut = &good[..good.len() - 7];
    for link in ["", "https://example.org/", "inframe://join/", cut, &damaged] {
        let refusal = refusal(guest.api().join(link).await)?;
        ensure!((400..500).contains(&refusal.status) && !refusal.detail.is_empty(), "{link:?}: {refusal}");
    }
    assert!(guest.api().events().await?.is_empty(), "a refused link leaves no event behind");
    Ok(())
}
