//! The same photo from two members: it comes once, from both where there is much, and from the other one where the first goes.

use anyhow::{Context as _, Result, ensure};
use inframe_tests::api::Api;
use inframe_tests::jpeg::picture_hash;
use inframe_tests::photos::{self, Variation};
use inframe_tests::scene::{SOON, Scene, WORKED, announce, received, upload, wait_for_faces};
use inframe_tests::views::Transfer;
use inframe_tests::wait::{Seen, wait_until};
use serde_json::json;

/// So large that it is some seconds on its way at [`SLOWLY`].
const LARGE_SIDE: u32 = 5600;
const SLOWLY: u64 = 256 << 10;
/// What the first of the two has sent before it goes.
const BEGUN: u64 = 600_000;
/// Photos that both have.
const SIDES: [u32; 6] = [2000, 2100, 2200, 2300, 2400, 2500];

async fn coming(api: &Api) -> Result<Vec<Transfer>> {
    Ok(api.transfers().await?.into_iter().filter(|transfer| transfer.direction == "receiving").collect())
}

async fn all_delivered(api: &Api, count: usize) -> Result<()> {
    wait_until("the receipts", SOON, async || {
        let sent = api.transfers().await?;
        let over = sent.len() == count && sent.iter().all(|one| one.state == "delivered");
        Ok(if over { Seen::Done(()) } else { Seen::NotYet(format!("{sent:?}")) })
    })
    .await
}

/// Entries that say that a photo left.
async fn left(api: &Api) -> Result<usize> {
    Ok(api.activity().await?.iter().filter(|entry| entry.kind == "left").count())
}

#[tokio::test]
async fn what_two_members_offer_comes_once_and_the_second_goes_on_where_the_first_broke_off() -> Result<()> {
    let mut scene = Scene::gather("automatic").await?;
    let photo = photos::varied(1, Variation::Smaller(LARGE_SIDE))?;
    ensure!(photo.len() as u64 > 2 * BEGUN, "{} bytes", photo.len());
    for holder in [&scene.host, &scene.photographer] {
        let id = upload(holder.api(), "large.jpg", photo.clone()).await?;
        wait_for_faces(holder.api(), &id).await?;
    }
    scene.finder.api().limit_traffic(&json!({ "down_bytes_s": SLOWLY })).await?;
    announce(scene.finder.api(), &scene.event).await?;
    let first = wait_until("both offers, and one under way", WORKED, async || {
        let transfers = coming(scene.finder.api()).await?;
        let active: Vec<_> = transfers.iter().filter(|one| one.state == "active").collect();
        ensure!(active.len() <= 1, "the same comes twice: {transfers:?}");
        let begun = active.first().filter(|one| transfers.len() == 2 && one.done_bytes > BEGUN);
        Ok(Seen::when(begun.map(|one| (*one).clone()), || format!("{transfers:?}")))
    })
    .await?;
    let waits = coming(scene.finder.api()).await?.into_iter().find(|one| one.id != first.id).context("no other")?;
    assert_eq!(waits.reason, Some(format!("it comes from {} just now", first.nickname)), "{waits:?}");

    let (going, staying) = if first.nickname == "Host" {
        (&mut scene.host, &scene.photographer)
    } else {
        (&mut scene.photographer, &scene.host)
    };
    going.kill().await?;
    wait_until("the other one, from there on", WORKED, async || {
        let transfers = coming(scene.finder.api()).await?;
        let other = transfers.iter().find(|one| one.id == waits.id && one.state == "active").cloned();
        if let Some(other) = &other {
            ensure!(other.done_bytes >= BEGUN, "it begins again: {other:?}");
        }
        Ok(Seen::when(other, || format!("{transfers:?}")))
    })
    .await?;
    scene.finder.api().limit_traffic(&json!({})).await?;
    let got = wait_until("the photo", WORKED, async || {
        let got = received(scene.finder.api()).await?;
        Ok(Seen::when(got.first().cloned(), || "nothing".to_owned()))
    })
    .await?;
    assert_eq!(picture_hash(&scene.finder.api().original(&got.id).await?)?, picture_hash(&photo)?);
    all_delivered(staying.api(), 1).await?;
    going.restart().await?;
    all_delivered(going.api(), 1).await?;
    assert_eq!(received(scene.finder.api()).await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn what_two_members_have_is_taken_from_both_and_leaves_each_once() -> Result<()> {
    let scene = Scene::gather("automatic").await?;
    for side in SIDES {
        let photo = photos::varied(1, Variation::Smaller(side))?;
        for holder in [&scene.host, &scene.photographer] {
            let id = upload(holder.api(), &format!("{side}.jpg"), photo.clone()).await?;
            wait_for_faces(holder.api(), &id).await?;
        }
    }
    // Both have offered all before the first is fetched.
    scene.finder.api().limit_traffic(&json!({ "down_bytes_s": SLOWLY })).await?;
    announce(scene.finder.api(), &scene.event).await?;
    wait_until("all offers", WORKED, async || {
        let transfers = coming(scene.finder.api()).await?;
        Ok(if transfers.len() == 2 * SIDES.len() { Seen::Done(()) } else { Seen::NotYet(format!("{transfers:?}")) })
    })
    .await?;
    scene.finder.api().limit_traffic(&json!({})).await?;
    for holder in [&scene.host, &scene.photographer] {
        all_delivered(holder.api(), SIDES.len()).await?;
    }
    scene.wait_for_rest().await?;
    assert_eq!(received(scene.finder.api()).await?.len(), SIDES.len());
    let (host, photographer) = (left(scene.host.api()).await?, left(scene.photographer.api()).await?);
    ensure!(host > 0 && photographer > 0, "{host} from one and {photographer} from the other");
    assert_eq!(host + photographer, SIDES.len(), "{host} from one and {photographer} from the other");
    Ok(())
}
