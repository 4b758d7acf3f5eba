//! Children: enrolled by their guardian's declaration, sought by stricter rules, always asked about. The sample photos show no children; the
//! woman who is in two of them stands for one.

use anyhow::{Context, Result, ensure};
use inframe_tests::api::refusal;
use inframe_tests::daemon::Daemon;
use inframe_tests::photos;
use inframe_tests::scene::{Scene, WORKED, agree, announce, received, upload};
use inframe_tests::views::{Approval, Profile};
use inframe_tests::wait::{Seen, wait_until};

const HOURS: u32 = 24;

async fn child(node: &Daemon, name: &str) -> Result<Profile> {
    let declaration = node.api().consent_text("guardian").await?;
    node.api().add_child(name, &declaration.hash).await
}

async fn announce_child(node: &Daemon, event: &str, profile: &str) -> Result<()> {
    let text = node.api().consent_text("announce-child").await?;
    node.api().announce_child(event, profile, &text.hash, HOURS).await?;
    Ok(())
}

async fn questions(scene: &Scene, count: usize) -> Result<Vec<Approval>> {
    wait_until("questions to the photographer", WORKED, async || {
        let waiting = scene.photographer.api().approvals("waiting").await?;
        Ok(if waiting.len() == count { Seen::Done(waiting) } else { Seen::NotYet(format!("{waiting:?}")) })
    })
    .await
}

#[tokio::test]
async fn a_child_is_always_asked_about_even_when_the_rule_is_automatic() -> Result<()> {
    let scene = Scene::gather("automatic").await?;
    let finder = &scene.finder;
    let child = child(finder, "younger").await?;
    finder.api().add_picture(&child.id, photos::selfie()?).await?;
    announce_child(finder, &scene.event, &child.id).await?;
    upload(scene.photographer.api(), "garden.jpg", photos::hers()?).await?;

    let question = questions(&scene, 1).await?.remove(0);
    ensure!(question.child && !question.live && question.grade == "maybe", "{question:?}");
    ensure!(question.score < question.sure_below, "an adult this near would have been sent: {question:?}");
    assert_eq!(question.nickname, "Finder", "the child's own name never leaves the guardian's node");
    scene.wait_for_rest().await?;
    ensure!(received(finder.api()).await?.is_empty(), "nothing leaves before the answer");

    let always = refusal(scene.photographer.api().decide(&question.id, "allow", true).await)?;
    assert_eq!(always.kind, "child-always-asks");
    scene.photographer.api().decide(&question.id, "allow", false).await?;
    scene.wait_for_received(1).await?;
    ensure!(finder.api().approvals("waiting").await?.is_empty(), "the guardian's node knows the child");

    // The yes was for that photo: the next one is asked about again.
    upload(scene.photographer.api(), "sofa.jpg", photos::varied(1, photos::Variation::Darker(0.6))?).await?;
    questions(&scene, 1).await?;
    Ok(())
}

#[tokio::test]
async fn a_face_near_two_find_mes_is_a_question_about_each_with_the_margin() -> Result<()> {
    let scene = Scene::gather("automatic").await?;
    let finder = &scene.finder;
    let child = child(finder, "lookalike").await?;
    finder.api().add_picture(&child.id, photos::selfie()?).await?;
    announce_child(finder, &scene.event, &child.id).await?;
    announce(finder.api(), &scene.event).await?;
    let looking = wait_until("both find-mes at the photographer", WORKED, async || {
        let event = scene.finders_event().await?;
        Ok(Seen::when((event.find_mes.len() == 2).then_some(event), || "one".to_owned()))
    })
    .await?;
    ensure!(looking.find_mes.iter().any(|one| one.profile == child.id));
    scene.wait_for_rest().await?;
    upload(scene.photographer.api(), "garden.jpg", photos::hers()?).await?;

    let questions = questions(&scene, 2).await?;
    for question in &questions {
        let rival = question.rival.with_context(|| format!("no margin is told: {question:?}"))?;
        ensure!((rival - question.score).abs() < 1.0, "two find-mes of one face are equally near: {question:?}");
        assert_eq!(question.grade, "maybe");
    }
    ensure!(questions.iter().any(|one| one.child) && questions.iter().any(|one| !one.child));
    scene.wait_for_rest().await?;
    ensure!(received(finder.api()).await?.is_empty(), "neither is sent by itself");
    Ok(())
}

#[tokio::test]
async fn the_declaration_comes_first_and_its_receipt_outlives_the_profile() -> Result<()> {
    let node = Daemon::start("Finder").await?;
    let early = refusal(child(&node, "early").await)?;
    assert_eq!(early.kind, "no-consent");
    agree(node.api()).await?;
    let undeclared = refusal(node.api().add_child("undeclared", "00").await)?;
    assert_eq!(undeclared.kind, "consent-text-changed");
    let older = child(&node, "older").await?;
    ensure!(older.subject == "child" && older.name.as_deref() == Some("older") && !older.enrolled);
    assert_eq!(refusal(child(&node, "older").await)?.kind, "profile-refused");
    child(&node, "younger").await?;
    assert_eq!(refusal(child(&node, "third").await)?.kind, "profile-refused", "d7: three profiles at most");

    let left = node.api().remove_child(&older.id).await?;
    assert_eq!(left.len(), 2);
    let receipts = node.api().receipts().await?;
    let of_older: Vec<_> = receipts.iter().filter(|one| one["profile"] == older.id.as_str()).collect();
    assert_eq!(of_older.len(), 1);
    assert_eq!(of_older[0]["scope"], "guardian");
    ensure!(of_older[0]["text"]["tick"].as_str().is_some_and(|tick| tick.contains("parent or guardian")));
    assert_eq!(refusal(node.api().remove_child("me").await)?.kind, "own-profile");
    Ok(())
}
