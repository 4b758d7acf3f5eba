//! Joining by a code that the host reads out. The daemons of these tests do not look for each other on the network, so they know each other from an
//! event that they share; `tests/net` has strangers on a bridge.

use anyhow::{Context, Result, ensure};
use inframe_tests::api::{Problem, refusal};
use inframe_tests::cli;
use inframe_tests::daemon::Daemon;
use inframe_tests::scene::{self, SOON};
use inframe_tests::views::Code;
use inframe_tests::wait::{Seen, wait_until};

/// Two daemons that are connected, and the second event of the first one, which the other is not in.
async fn two_with_a_second_event() -> Result<(Daemon, Daemon, String)> {
    let (host, guest) = tokio::try_join!(Daemon::start("Host"), Daemon::start("Guest"))?;
    let first = host.api().create_event("Picnic").await?.id;
    let link = host.api().invite(&first, None, None).await?.link;
    scene::join(host.api(), &guest, &first, &link).await?;
    let second = host.api().create_event("Wedding").await?.id;
    Ok((host, guest, second))
}

async fn shown(host: &Daemon, event: &str) -> Result<Code> {
    host.api().event(event).await?.code.context("no code")
}

/// Another secret under the same selector.
fn mistyped(code: &str) -> String {
    let last = if code.ends_with('0') { "1" } else { "0" };
    format!("{}{last}", &code[..code.len() - 1])
}

async fn problem_of(guest: &Daemon, code: &str) -> Result<Problem> {
    let error = guest.api().join(code).await.err().context("the code was taken")?;
    error.downcast::<Problem>()
}

#[tokio::test]
async fn somebody_on_the_same_network_types_a_code_and_asks_to_join() -> Result<()> {
    let (host, guest, event) = two_with_a_second_event().await?;
    let said = cli::answer(&host, &["event", "code", "Wedding"])?;
    let code = shown(&host, &event).await?;
    let digits = code.code.clone().context("no digits")?;
    ensure!(said.contains(&digits) && digits.len() == 10, "{said} {digits}");
    assert_eq!((code.state.as_str(), code.guesses_left), ("open", 5));

    // As people type it, in groups and on the command line.
    let groups: Vec<&str> = digits.split(' ').collect();
    let said = cli::answer(&guest, &[&["event", "join"], groups.as_slice()].concat())?;
    ensure!(said.contains("Wedding") && said.contains("Waiting for the host"), "{said}");
    let asks = wait_until("the request at the host", SOON, async || {
        Ok(Seen::when(host.api().event(&event).await?.waiting.first().cloned(), || "nobody waits".to_owned()))
    })
    .await?;
    // Its only use is reserved, so the code has ended too.
    assert_eq!(shown(&host, &event).await?.state, "used");
    assert_eq!(
        guest.api().event(&event).await?.verification,
        asks.verification,
        "the words guard against somebody between"
    );
    host.api().admit(&event, &asks.id, true).await?;
    wait_until("the admission", SOON, async || {
        let role = guest.api().event(&event).await?.role;
        Ok(Seen::when((role == "member").then_some(()), || role))
    })
    .await
}

#[tokio::test]
async fn five_wrong_codes_end_it_over_a_restart_and_the_host_sees_why() -> Result<()> {
    let (mut host, guest, event) = two_with_a_second_event().await?;
    let invite = host.api().invite(&event, None, Some(10)).await?;
    let shown_code = host.api().show_code(&event, &invite.id).await?.code.and_then(|code| code.code);
    let right = shown_code.context("no code")?;
    let wrong = mistyped(&right);
    for left in (1..=4).rev() {
        let problem = problem_of(&guest, &wrong).await?;
        ensure!(problem.kind == "wrong-code" && problem.detail.contains(&format!(" {left} ")), "{left}: {problem:?}");
    }
    host.kill().await?;
    host.restart().await?;
    assert_eq!(shown(&host, &event).await?.guesses_left, 1, "what was counted is counted");
    wait_until("the connection", SOON, async || {
        let problem = problem_of(&guest, &wrong).await?;
        Ok(Seen::when((problem.kind == "code-ended").then_some(()), || format!("{problem:?}")))
    })
    .await?;
    let ended = shown(&host, &event).await?;
    assert_eq!((ended.state.as_str(), ended.code), ("guessed", None));
    let problem = problem_of(&guest, &right).await?;
    assert_eq!(problem.kind, "no-such-code", "the right one comes too late");
    wait_until("a note for the host", SOON, async || {
        let noted = host.api().activity().await?;
        let found = noted.iter().any(|entry| entry.kind == "suspicious" && entry.text.contains("too many wrong ones"));
        Ok(Seen::when(found.then_some(()), || format!("{noted:?}")))
    })
    .await?;
    ensure!(host.api().event(&event).await?.waiting.is_empty(), "somebody came to the door by a wrong code");
    // The link is as good as before, and so is a fresh code.
    let fresh = host.api().show_code(&event, &invite.id).await?.code.and_then(|code| code.code).context("no code")?;
    ensure!(guest.api().join(&fresh).await?.id == event, "another event");
    Ok(())
}

#[tokio::test]
async fn a_code_that_is_none_or_not_here_or_was_stopped_is_told_apart() -> Result<()> {
    let (host, guest, event) = two_with_a_second_event().await?;
    let alone = Daemon::start("Alone").await?;
    assert_eq!(problem_of(&alone, "12 345 678").await?.kind, "nobody-near");
    assert_eq!(problem_of(&guest, "12 345 678").await?.kind, "no-such-code");
    let short = problem_of(&guest, "12 345 67").await?;
    ensure!(short.kind == "bad-code" && short.detail.contains("8 digits"), "{short:?}");
    let invite = host.api().invite(&event, None, None).await?;
    let code = host.api().show_code(&event, &invite.id).await?.code.and_then(|code| code.code).context("no code")?;
    assert_eq!(problem_of(&host, &code).await?.kind, "own-code");
    host.api().stop_code(&event).await?;
    assert_eq!(problem_of(&guest, &code).await?.kind, "no-such-code");
    let refused = refusal(guest.api().show_code(&event, &invite.id).await)?;
    ensure!(refused.status == 404 || refused.status == 403, "{refused:?}");
    let secrets = host.log()?;
    ensure!(!secrets.contains(&code) && !secrets.contains(&code.replace(' ', "")), "the code stands in the log");
    Ok(())
}
