//! Somebody who looks for the face of another member is noticed by that member and by the host.

use anyhow::{Context as _, Result, ensure};
use inframe_tests::api::Api;
use inframe_tests::daemon::Daemon;
use inframe_tests::photos;
use inframe_tests::scene::{SOON, agree, announce, enrol, join};
use inframe_tests::wait::{Seen, wait_until};

async fn suspicions(api: &Api) -> Result<Vec<String>> {
    let activity = api.activity().await?.into_iter();
    Ok(activity.filter(|entry| entry.kind == "suspicious").map(|entry| entry.text).collect())
}

async fn hears(node: &Daemon, words: &str) -> Result<()> {
    wait_until("the alarm", SOON, async || {
        let heard = suspicions(node.api()).await?;
        let is_there = heard.iter().any(|text| text.starts_with(words));
        Ok(Seen::when(is_there.then_some(()), || format!("{}: {heard:?}", node.nickname())))
    })
    .await
}

#[tokio::test]
async fn who_enrols_a_picture_of_a_member_is_noticed_by_the_member_and_the_host() -> Result<()> {
    let (host, ann, ben, cleo) =
        tokio::try_join!(Daemon::start("Host"), Daemon::start("Ann"), Daemon::start("Ben"), Daemon::start("Cleo"))?;
    let event = host.api().create_event("Picnic").await?.id;
    for joiner in [&ann, &ben, &cleo] {
        let link = host.api().invite(&event, None, None).await?.link;
        join(host.api(), joiner, &event, &link).await?;
    }
    enrol(ann.api()).await?;
    announce(ann.api(), &event).await?;

    // A picture of her, as somebody might take it from a screen.
    let hers = image::load_from_memory(&photos::selfie()?).context("the selfie")?;
    let copied = hers.resize(hers.width() * 4 / 5, hers.height() * 4 / 5, image::imageops::FilterType::Triangle);
    agree(ben.api()).await?;
    ben.api().add_selfie(photos::to_jpeg(&copied.brighten(-15))?).await?;
    announce(ben.api(), &event).await?;

    hears(&ann, "Ben looks in Picnic for photos of a face very like yours").await?;
    hears(&ben, "Ann looks in Picnic for photos of a face very like yours").await?;
    wait_until("the host's alarm", SOON, async || {
        let heard = suspicions(host.api()).await?;
        let both = |text: &String| text.contains("Ann") && text.contains("Ben") && text.contains("very alike");
        Ok(Seen::when(heard.iter().any(both).then_some(()), || format!("{heard:?}")))
    })
    .await?;
    let seen = wait_until("both at the one whom it does not concern", SOON, async || {
        let event = cleo.api().event(&event).await?;
        let looking = event.members.iter().filter(|member| member.looking).count();
        Ok(Seen::when((looking == 2).then_some(looking), || format!("{looking} look")))
    })
    .await?;
    ensure!(suspicions(cleo.api()).await?.is_empty(), "{seen} look, and neither is like her");
    // Once, though it is announced again.
    announce(ben.api(), &event).await?;
    let told = suspicions(ann.api()).await?.len();
    ensure!(told == 1, "told {told} times");
    Ok(())
}
