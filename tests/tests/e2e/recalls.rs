//! A photo that was sent is asked back: its receiver decides, and its sender hears how.

use anyhow::{Context as _, Result, ensure};
use inframe_tests::api::{Api, refusal};
use inframe_tests::photos::{self, Variation};
use inframe_tests::scene::{SOON, Scene, announce, received, upload};
use inframe_tests::views::{Recall, Transfer};
use inframe_tests::wait::{Seen, wait_until};

async fn sent(api: &Api) -> Result<Vec<Transfer>> {
    let all = api.transfers().await?.into_iter();
    Ok(all.filter(|one| one.direction == "sending" && one.state == "delivered").collect())
}

async fn asked(api: &Api, count: usize) -> Result<Vec<Recall>> {
    wait_until("the requests", SOON, async || {
        let asked = api.recalls().await?;
        Ok(Seen::when((asked.len() == count).then_some(asked.clone()), || format!("{asked:?}")))
    })
    .await
}

async fn stands(api: &Api, id: &str, state: &str) -> Result<()> {
    wait_until("the answer", SOON, async || {
        let found = api.transfers().await?.into_iter().find(|one| one.id == id).context("no such transfer")?;
        Ok(Seen::when((found.recall.as_deref() == Some(state)).then_some(()), || format!("{:?}", found.recall)))
    })
    .await
}

#[tokio::test]
async fn what_is_asked_back_is_deleted_or_kept_as_its_receiver_decides() -> Result<()> {
    let mut scene = Scene::gather("automatic").await?;
    for (name, light) in [("one.jpg", 0.95), ("two.jpg", 0.85), ("three.jpg", 0.75)] {
        upload(scene.photographer.api(), name, photos::varied(1, Variation::Darker(light))?).await?;
    }
    announce(scene.finder.api(), &scene.event).await?;
    let got = scene.wait_for_received(3).await?;
    scene.wait_for_rest().await?;
    let rows = sent(scene.photographer.api()).await?;
    ensure!(rows.len() == 3 && rows.iter().all(|row| row.recall.is_none()), "{rows:?}");
    let theirs = scene.finder.api().transfers().await?;
    let refused = refusal(scene.finder.api().recall(&theirs[0].id).await)?;
    ensure!(refused.status == 409, "what came is not mine to ask back: {refused:?}");

    // One is deleted, one is kept.
    for row in &rows[..2] {
        scene.photographer.api().recall(&row.id).await?;
    }
    let requests = asked(scene.finder.api(), 2).await?;
    ensure!(requests.iter().all(|one| one.nickname == "Photographer" && one.asset.is_some()), "{requests:?}");
    for row in &rows[..2] {
        stands(scene.photographer.api(), &row.id, "open").await?;
    }
    let (gone, kept) = (&requests[0], &requests[1]);
    scene.finder.api().answer_recall(&gone.id, true).await?;
    scene.finder.api().answer_recall(&kept.id, false).await?;
    stands(scene.photographer.api(), &gone.id, "deleted").await?;
    stands(scene.photographer.api(), &kept.id, "kept").await?;
    let left: Vec<String> = received(scene.finder.api()).await?.into_iter().map(|asset| asset.id).collect();
    let expected: Vec<&String> =
        got.iter().map(|asset| &asset.id).filter(|id| Some(*id) != gone.asset.as_ref()).collect();
    ensure!(left.len() == 2 && expected.iter().all(|id| left.contains(id)), "{left:?}");
    ensure!(scene.finder.api().trash(None, 10).await?.items.is_empty(), "deleted for good, not into the trash");
    let refused = refusal(scene.finder.api().answer_recall(&kept.id, true).await)?;
    ensure!(refused.status == 409, "an answer stands: {refused:?}");

    // Who is away is asked when they are back, and what is asked back is not sent again.
    scene.finder.stop().await?;
    let third = &rows[2].id;
    let row = scene.photographer.api().recall(third).await?;
    ensure!(row.recall.as_deref() == Some("waiting"), "{row:?}");
    scene.finder.restart().await?;
    let request = asked(scene.finder.api(), 1).await?;
    scene.finder.api().move_to_trash(request[0].asset.as_deref().context("no photo")?).await?;
    let request = asked(scene.finder.api(), 1).await?;
    ensure!(request[0].asset.is_none(), "it lies in the trash, and the question stands");
    scene.finder.api().answer_recall(&request[0].id, true).await?;
    stands(scene.photographer.api(), third, "deleted").await?;
    scene.wait_for_rest().await?;
    ensure!(received(scene.finder.api()).await?.len() == 1, "what was asked back came again");
    Ok(())
}
