//! The owner's full name and e-mail address: nobody gets them but the members of an event in which they are shown, for as long as they are.

use anyhow::{Context as _, Result, ensure};
use inframe_tests::api::{Api, refusal};
use inframe_tests::cli::answer;
use inframe_tests::daemon::Daemon;
use inframe_tests::guest::Guest;
use inframe_tests::scene::{SOON, join, wait_for_rest};
use inframe_tests::views::{Contact, EventPatch};
use inframe_tests::wait::{Seen, wait_until};
use serde_json::json;

const EMAIL: &str = "ann.canary@example.org";

fn show(shows: bool) -> EventPatch {
    EventPatch { show_contact: Some(shows), ..EventPatch::default() }
}

/// What a node knows of a member by their nickname.
async fn known(api: &Api, event: &str, nickname: &str) -> Result<Option<Contact>> {
    let members = api.event(event).await?.members;
    let member = members.into_iter().find(|member| member.nickname == nickname);
    Ok(member.with_context(|| format!("{nickname} is no member"))?.contact)
}

async fn becomes(api: &Api, event: &str, nickname: &str, wanted: Option<(&str, &str)>) -> Result<()> {
    let wanted = wanted.map(|(name, email)| Contact { name: name.to_owned(), email: email.to_owned() });
    wait_until("what they show", SOON, async || {
        let seen = known(api, event, nickname).await?;
        Ok(Seen::when((seen == wanted).then_some(()), || format!("{seen:?}")))
    })
    .await
}

#[tokio::test]
async fn d5_who_the_owner_is_goes_to_the_members_of_an_event_only_while_the_owner_says_so() -> Result<()> {
    let (ann, ben, cleo) = tokio::try_join!(Daemon::start("Ann"), Daemon::start("Ben"), Daemon::start("Cleo"))?;
    let (hers, his) = (ann.api(), ben.api());
    let event = his.create_event("Summer party").await?.id;
    let other = his.create_event("Office").await?.id;
    for event in [&event, &other] {
        let link = his.invite(event, None, None).await?.link;
        join(his, &ann, event, &link).await?;
    }
    for bad in ["ann", "Ann <a@b>", "a b@example.org"] {
        let refused = refusal(hers.set_contact("Ann Lee", bad).await)?;
        ensure!(refused.kind.contains("bad-email"), "{refused}");
    }
    hers.set_contact("  Ann\u{202e} Lee ", EMAIL).await?;

    // Off, which it is until she says otherwise: nothing arrives, whatever else does.
    ensure!(!hers.event(&event).await?.shows_contact);
    wait_for_rest(&ann).await?;
    wait_for_rest(&ben).await?;
    ensure!(known(his, &event, "Ann").await?.is_none());
    ensure!(!hers.privacy().await?.to_string().contains("see who you are"));

    // On: it arrives, in this event and no other, and she sees what they see.
    ensure!(hers.patch_event(&event, &show(true)).await?.shows_contact);
    becomes(his, &event, "Ann", Some(("Ann Lee", EMAIL))).await?;
    becomes(hers, &event, "Ann", Some(("Ann Lee", EMAIL))).await?;
    wait_for_rest(&ann).await?;
    ensure!(known(his, &other, "Ann").await?.is_none(), "another event");
    let said = hers.privacy().await?.to_string();
    ensure!(said.contains(&format!("Members of Summer party see who you are: Ann Lee, {EMAIL}.")), "{said}");
    let about = hers.about_me().await?;
    ensure!(about["settings"]["contact"]["email"] == EMAIL && about["events"].to_string().contains(EMAIL), "{about}");
    let lines = answer(&ben, &["event", "show", &event])?;
    ensure!(lines.contains(EMAIL), "{lines}");

    // Who joins later, in a new epoch, reads it too.
    his.renew_keys(&event).await?;
    let link = his.invite(&event, None, None).await?.link;
    join(his, &cleo, &event, &link).await?;
    becomes(cleo.api(), &event, "Ann", Some(("Ann Lee", EMAIL))).await?;

    // Changed here, it changes there; no guest is told.
    hers.set_contact("", EMAIL).await?;
    becomes(his, &event, "Ann", Some(("", EMAIL))).await?;
    his.set_contact("Ben Long", "ben.canary@example.org").await?;
    his.patch_event(&event, &show(true)).await?;
    becomes(hers, &event, "Ben", Some(("Ben Long", "ben.canary@example.org"))).await?;
    his.change_guest_page(&event, &json!({ "on": true })).await?;
    let link = wait_until("the guest page", SOON, async || {
        let page = his.guest_page(&event).await?;
        Ok(Seen::when(page["links"][0]["link"].as_str().map(str::to_owned), || page.to_string()))
    })
    .await?;
    let mut guest = Guest::with(&link)?;
    guest.joins("Mia").await?;
    let visit = guest.visit().await?.to_string();
    ensure!(!visit.contains("canary") && !visit.contains("Ben Long"), "{visit}");

    // Off again: gone at all others, also at one that was restarted.
    hers.patch_event(&event, &show(false)).await?;
    for api in [his, cleo.api(), hers] {
        becomes(api, &event, "Ann", None).await?;
    }
    let mut ben = ben;
    ben.restart().await?;
    ensure!(known(ben.api(), &event, "Ann").await?.is_none());
    let told: Vec<String> = hers.activity().await?.into_iter().map(|entry| entry.text).collect();
    for words in [
        "You chose that the members of Summer party see",
        "You took your name and e-mail address back from Summer party",
    ] {
        ensure!(told.iter().any(|text| text.starts_with(words)), "{told:?}");
    }

    // Emptied while it is on: gone as well. And whoever leaves takes it along.
    hers.patch_event(&event, &show(true)).await?;
    becomes(ben.api(), &event, "Ann", Some(("", EMAIL))).await?;
    hers.set_contact("", "").await?;
    becomes(ben.api(), &event, "Ann", None).await?;
    Ok(())
}
