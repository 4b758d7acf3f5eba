//! Strangers on one bridge, of whom one types the code that another shows.

use anyhow::{Context, Result, ensure};
use inframe_tests::api::Problem;
use inframe_tests::daemon::Daemon;
use inframe_tests::lan::Lan;
use inframe_tests::scene::SOON;
use inframe_tests::views::EventPatch;
use inframe_tests::wait::{Seen, wait_until};

use super::meet::BACK;

/// An event of this host, and its code.
async fn shows(host: &Daemon, name: &str) -> Result<(String, String)> {
    let api = host.api();
    let event = api.create_event(name).await?.id;
    let patch = EventPatch { admit_automatically: Some(true), ..EventPatch::default() };
    api.patch_event(&event, &patch).await?;
    let invite = api.invite(&event, None, Some(10)).await?;
    let code = api.show_code(&event, &invite.id).await?.code.and_then(|code| code.code).context("no code")?;
    Ok((event, code))
}

#[tokio::test]
async fn a_code_finds_its_host_among_strangers_on_a_bridge_and_nobody_behind_a_router() -> Result<()> {
    if !Lan::is_possible("a code on a bridge")? {
        return Ok(());
    }
    let lan = Lan::subnets(&[3, 1])?;
    let starting = ["Ann", "Bob", "Guest", "Elsewhere"].into_iter().enumerate();
    let starting = starting.map(|(host, nickname)| Daemon::start_with(lan.options(host, nickname)));
    let nodes = futures::future::try_join_all(starting).await?;
    let [ann, bob, guest, elsewhere] = nodes.as_slice() else { anyhow::bail!("four nodes") };
    let (_, of_ann) = shows(ann, "Picnic").await?;
    let (event, of_bob) = shows(bob, "Wedding").await?;
    // By multicast alone: nobody has told the guest where anybody is.
    let joined = wait_until("the event of the code", BACK, async || match guest.api().join(&of_bob).await {
        Ok(joined) => Ok(Seen::Done(joined)),
        Err(error) => {
            let problem = error.downcast::<Problem>()?;
            ensure!(["nobody-near", "no-such-code"].contains(&problem.kind.as_str()), "{problem:?}");
            Ok(Seen::NotYet(format!("{problem:?}")))
        }
    })
    .await?;
    assert_eq!((joined.id.as_str(), joined.name.as_str()), (event.as_str(), "Wedding"));
    wait_until("the guest in the event", SOON, async || {
        let role = guest.api().event(&event).await?.role;
        Ok(Seen::when((role == "member").then_some(()), || role))
    })
    .await?;
    if of_ann[..2] != of_bob[..2] {
        let left = ann.api().events().await?.into_iter().find_map(|event| event.code).context("no code")?;
        assert_eq!(
            (left.state.as_str(), left.guesses_left),
            ("open", 5),
            "a code of another host is no wrong guess here"
        );
    }
    let refused = elsewhere.api().join(&of_bob).await.err().context("found behind a router")?;
    assert_eq!(refused.downcast::<Problem>()?.kind, "nobody-near");
    Ok(())
}
