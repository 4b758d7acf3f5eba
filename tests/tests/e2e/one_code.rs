//! One code for phones and for nodes: the link to a guest page carries an invite as well, for as long as that can be used.

use std::net::TcpListener;

use anyhow::{Context as _, Result, ensure};
use inframe_tests::api::{Api, refusal};
use inframe_tests::cli;
use inframe_tests::daemon::Daemon;
use inframe_tests::guest::Guest;
use inframe_tests::scene::{self, SOON};
use inframe_tests::views::EventPatch;
use inframe_tests::wait::{Seen, wait_until};
use serde_json::{Value, json};

/// A host with an event whose guest page is on.
async fn hosted() -> Result<(Daemon, String)> {
    let host = Daemon::start("Ann").await?;
    let event = host.api().create_event("Summer party").await?.id;
    host.api().change_guest_page(&event, &json!({ "on": true })).await?;
    link(host.api(), &event).await?;
    Ok((host, event))
}

/// The text of the code.
async fn link(api: &Api, event: &str) -> Result<String> {
    wait_until("the guest page's port", SOON, async || {
        let page = api.guest_page(event).await?;
        Ok(Seen::when(page["links"][0]["link"].as_str().map(str::to_owned), || format!("{}", page["problem"])))
    })
    .await
}

async fn state(api: &Api, event: &str) -> Result<Value> {
    Ok(api.guest_page(event).await?["members"]["state"].clone())
}

/// Why a node that joins with this link is refused.
async fn refused(joiner: &Daemon, link: &str) -> Result<String> {
    let event = joiner.api().join(link).await?.id;
    wait_until("a reason", SOON, async || {
        let seen = joiner.api().event(&event).await?;
        ensure!(seen.role == "waiting", "joined as {}", seen.role);
        Ok(Seen::when(seen.problem, || "none yet".to_owned()))
    })
    .await
}

#[tokio::test]
async fn one_code_lets_a_guest_in_and_a_member_join() -> Result<()> {
    let (host, event) = hosted().await?;
    let (joiner, other) = tokio::try_join!(Daemon::start("Ben"), Daemon::start("Cleo"))?;
    let api = host.api();
    // Whoever comes by the poster is let in by hand, even where everybody else is not.
    let patch = EventPatch { admit_automatically: Some(true), ..EventPatch::default() };
    api.patch_event(&event, &patch).await?;

    let for_guests = link(api, &event).await?;
    ensure!(!for_guests.contains('~') && api.guest_page(&event).await?["members"].is_null());
    let why = refusal(joiner.api().join(&for_guests).await)?;
    ensure!(why.detail.contains("for phones") && why.detail.contains("ask the host"), "{why}");

    let page = api.let_members_join(&event, &json!({})).await?;
    assert_eq!(page["members"]["state"], "open");
    assert_eq!((&page["members"]["uses_left"], &page["members"]["by_hand"]), (&json!(10), &json!(true)));
    let both = link(api, &event).await?;
    ensure!(both.starts_with(&for_guests) && both.contains('~'), "the guests' part is the same as before");
    let qr = page["links"][0]["qr_svg"].as_str().context("a code")?;
    ensure!(qr.contains("<svg"), "{qr}");

    let mut guest = Guest::with(&both)?;
    guest.joins("Mia").await?;
    ensure!(guest.visit().await?["guest"]["name"] == "Mia");

    // A node takes the very same text, and does not so much as knock at the address in it.
    let watched = TcpListener::bind("127.0.0.1:0")?;
    watched.set_nonblocking(true)?;
    let (_, rest) = both.split_once("/g/").context("a guest page")?;
    scene::join(api, &joiner, &event, &format!("http://{}/g/{rest}", watched.local_addr()?)).await?;
    ensure!(watched.accept().is_err(), "the joiner has fetched something");
    cli::answer(&other, &["event", "join", &both])?;
    let waiting = wait_until("Cleo at the door", SOON, async || {
        let waiting = api.event(&event).await?.waiting;
        Ok(Seen::when(waiting.into_iter().find(|one| one.nickname == "Cleo"), || "nobody".to_owned()))
    })
    .await?;
    api.admit(&event, &waiting.id, true).await?;

    let page = api.guest_page(&event).await?;
    assert_eq!((&page["members"]["uses_left"], page["guests"].as_array().map(Vec::len)), (&json!(8), Some(1)));
    let invites = api.invites(&event, true).await?;
    let of_poster = invites.iter().find(|invite| invite.poster).context("none is of the poster")?;
    ensure!(of_poster.by_hand && of_poster.joined.len() == 2 && of_poster.waiting == 0, "{:?}", of_poster.joined);
    let own = refusal(api.join(&both).await)?;
    ensure!(own.detail.contains("your own event"), "{own}");
    Ok(())
}

#[tokio::test]
async fn when_its_invite_ends_the_code_goes_on_working_for_guests() -> Result<()> {
    let (host, event) = hosted().await?;
    let (first, second) = tokio::try_join!(Daemon::start("Ben"), Daemon::start("Cleo"))?;
    let api = host.api();
    for (wish, problem) in [(json!({ "uses": 0 }), "bad-uses"), (json!({ "expires_in_s": 0 }), "bad-expiry")] {
        assert_eq!(refusal(api.let_members_join(&event, &wish).await)?.kind, problem);
    }

    // Withdrawn in the list of invites.
    let page = api.let_members_join(&event, &json!({ "uses": 1 })).await?;
    let withdrawn = link(api, &event).await?;
    api.revoke(&event, page["members"]["invite"].as_str().context("its id")?).await?;
    assert_eq!(state(api, &event).await?, "withdrawn");
    let for_guests = link(api, &event).await?;
    ensure!(!for_guests.contains('~') && withdrawn.starts_with(&for_guests), "the guests' part has not changed");
    let why = refused(&first, &withdrawn).await?;
    ensure!(why.contains("does not know this invite"), "{why}");
    let mut guest = Guest::with(&withdrawn)?;
    guest.joins("Mia").await?;

    // Used up.
    api.let_members_join(&event, &json!({ "uses": 1 })).await?;
    let once = link(api, &event).await?;
    scene::join(api, &first, &event, &once).await?;
    assert_eq!(state(api, &event).await?, "used");
    let why = refused(&second, &once).await?;
    ensure!(why.contains("used"), "{why}");

    // Leaked: all invites are replaced, and the one of the poster is gone.
    api.let_members_join(&event, &json!({})).await?;
    let leaked = link(api, &event).await?;
    api.leaked(&event, None, &[]).await?;
    assert_eq!(state(api, &event).await?, "withdrawn");
    let why = refused(&second, &leaked).await?;
    ensure!(why.contains("does not know this invite"), "{why}");

    // Made anew, the one before is void; unticked, so is the last.
    api.let_members_join(&event, &json!({})).await?;
    let before = link(api, &event).await?;
    api.let_members_join(&event, &json!({})).await?;
    let last = link(api, &event).await?;
    refused(&second, &before).await?;
    let page = api.let_no_members_join(&event).await?;
    ensure!(page["members"].is_null() && page["links"][0]["link"].as_str().is_some_and(|link| !link.contains('~')));
    refused(&second, &last).await?;

    // A new link ends the one before for members as well.
    api.let_members_join(&event, &json!({})).await?;
    let old = link(api, &event).await?;
    api.guest_wish(&event, "link", &Value::Null).await?;
    ensure!(state(api, &event).await?.is_null());
    refused(&second, &old).await?;
    ensure!(Guest::with(&old)?.visit().await.is_err(), "for guests neither");
    let mut guest = Guest::with(&link(api, &event).await?)?;
    guest.joins("Mia").await?;

    // Its time is over.
    api.let_members_join(&event, &json!({ "expires_in_s": 1 })).await?;
    wait_until("the end of it", SOON, async || {
        let state = state(api, &event).await?;
        Ok(Seen::when((state == "expired").then_some(()), || state.to_string()))
    })
    .await?;
    let link = link(api, &event).await?;
    ensure!(!link.contains('~'), "the code is for guests alone");
    ensure!(guest.visit().await?["guest"]["name"] == "Mia", "whoever came by the code is still there");
    Ok(())
}
