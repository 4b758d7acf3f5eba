//! Those who guess the code that a host reads out.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use inframe_protocol::{
    NodeId,
    code::{CodeAsk, CodeGrant, CodeProof, CodeReply, CodeRun, Element, JoinCode},
    limits::{CODE_SELECTORS, MAX_CODES_A_MINUTE, MAX_WRONG_CODES},
};
use libp2p::PeerId;

use crate::{
    case::Pace,
    field::Field,
    peer::{CODE, Peer, random},
    wire::Wire,
};

/// Asks with a code; the run and the daemon's element, if it shows one of this selector.
async fn begin(
    peer: &Peer,
    daemon: PeerId,
    host: &NodeId,
    code: &JoinCode,
) -> Result<Option<(Wire, CodeRun, [u8; 32])>> {
    let mut wire = peer.open(daemon, CODE).await?;
    let run = CodeRun::of_joiner(code, host, &peer.node()?)?;
    wire.send(&CodeAsk { selector: code.selector(), element: run.element() }).await?;
    match wire.message().await? {
        CodeReply::Go(Element(element)) => Ok(Some((wire, run, element))),
        CodeReply::Declined => Ok(None),
    }
}

/// One guess; none if the daemon shows no code of this selector.
async fn guess(peer: &Peer, daemon: PeerId, host: &NodeId, code: &JoinCode) -> Result<Option<CodeGrant>> {
    let Some((mut wire, run, element)) = begin(peer, daemon, host, code).await? else { return Ok(None) };
    wire.send(&run.finish(&element)?.prove()).await?;
    wire.message().await.map(Some)
}

/// A secret of this selector that is not the code.
fn wrong(right: &JoinCode, number: u32) -> Result<JoinCode> {
    let (of_a_selector, right) = (1_000_000, u32::from(right.clone()));
    let secret = (right % of_a_selector + 1 + number) % of_a_selector;
    Ok(JoinCode::try_from(right / of_a_selector * of_a_selector + secret)?)
}

/// 14b: guesses the code of the event, by many nodes at once and with all that is not a guess.
pub async fn guesses(field: &Field, pace: Pace) -> Result<String> {
    let api = field.api();
    let invite = api.invite(&field.event, None, Some(5)).await?;
    let members = api.event(&field.event).await?.members.len();
    let code = async || {
        let shown = api.show_code(&field.event, &invite.id).await?.code.and_then(|code| code.code);
        anyhow::Ok(JoinCode::parse(&shown.context("no code is shown")?)?)
    };
    let state = async || anyhow::Ok(api.event(&field.event).await?.code.context("no code")?);
    let right = code().await?;
    let host = &field.node;

    // What is no guess costs the host none: runs that are broken off, what cannot be read, an element that is none.
    for step in 0..pace.pick(12, 4) {
        let peer = Peer::start().await?;
        let daemon = peer.connect(&field.addresses()?).await?;
        let Some((mut wire, ..)) = begin(&peer, daemon, host, &right).await? else { anyhow::bail!("no run") };
        match step % 3 {
            0 => wire.raw(&[32, 0, 0]).await?,
            1 => wire.send_body(&random::<33>()?).await?,
            _ => {}
        }
    }
    // Anew, as a stranger who says nothing for a while is put out.
    let peer = Peer::start().await?;
    let daemon = peer.connect(&field.addresses()?).await?;
    let mut wire = peer.open(daemon, CODE).await?;
    wire.send(&CodeAsk { selector: right.selector(), element: [2; 32] }).await?;
    ensure!(wire.message::<CodeReply>().await.is_err(), "no point of the curve was taken for one");
    ensure!(state().await?.guesses_left == u32::from(MAX_WRONG_CODES), "what was no guess was counted");

    // A proof that was overheard, or thought out, is a wrong guess. What the host says to it opens nothing.
    let overheard = CodeProof { proof: random()? };
    let (mut wire, ..) = begin(&peer, daemon, host, &right).await?.context("no run")?;
    wire.send(&overheard).await?;
    ensure!(wire.message::<CodeGrant>().await? == CodeGrant::Wrong(MAX_WRONG_CODES - 1), "a made-up proof");

    // Many nodes at once, each with its own guess.
    let flood = pace.pick(40, 12);
    let mut guessers = Vec::new();
    for _ in 0..flood {
        let guesser = Peer::start().await?;
        // So many from one address are too many at times.
        if let Ok(daemon) = guesser.connect(&field.addresses()?).await {
            guessers.push((guesser, daemon));
        }
    }
    let guessing = guessers.iter().zip(0..).map(|((guesser, daemon), number)| {
        let wrong = wrong(&right, number);
        async move { guess(guesser, *daemon, host, &wrong?).await }
    });
    let answers = futures::future::join_all(guessing).await;
    // What one address may hold is held by them.
    drop(guessers);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let granted = answers.iter().filter(|answer| matches!(answer, Ok(Some(CodeGrant::Granted(_))))).count();
    ensure!(granted == 0, "{granted} guesses were taken for right");
    let counted = answers.iter().filter(|answer| matches!(answer, Ok(Some(CodeGrant::Wrong(_))))).count();
    ensure!(counted >= usize::from(MAX_WRONG_CODES) - 1, "{counted} guesses were answered: {answers:?}");
    let ended = state().await?;
    ensure!((ended.state.as_str(), ended.code.is_none()) == ("guessed", true), "the code goes on: {ended:?}");
    let peer = Peer::start().await?;
    let daemon = peer.connect(&field.addresses()?).await?;
    ensure!(guess(&peer, daemon, host, &right).await?.is_none(), "the code has ended, and is still taken");

    // All selectors, one after the other: most is turned away, and nothing is counted.
    let again = code().await?;
    let mut shown = 0;
    for selector in (0..CODE_SELECTORS).take(pace.pick(CODE_SELECTORS, MAX_CODES_A_MINUTE as usize)) {
        // Turned away, or put out altogether.
        let Ok(mut wire) = peer.open(daemon, CODE).await else { continue };
        if wire.send(&CodeAsk { selector: u8::try_from(selector)?, element: random()? }).await.is_err() {
            continue;
        }
        shown += usize::from(matches!(wire.message::<CodeReply>().await, Ok(CodeReply::Go(_))));
    }
    ensure!(shown <= 1, "{shown} selectors of one code");
    // Somebody who knows the code is served as before.
    let friend = Peer::start().await?;
    let daemon = friend.connect(&field.addresses()?).await?;
    let (mut wire, run, element) = begin(&friend, daemon, host, &again).await?.context("the code is not there")?;
    let key = run.finish(&element)?;
    wire.send(&key.prove()).await?;
    let CodeGrant::Granted(granted) = wire.message().await? else { anyhow::bail!("the right code is refused") };
    ensure!(key.open(&granted, host)?.to_link()? == invite.link, "another invite");
    let now = api.event(&field.event).await?;
    ensure!(now.members.len() == members && now.waiting.is_empty(), "somebody came in");
    Ok(format!(
        "{flood} nodes guess at once: the code ends after {MAX_WRONG_CODES}, the right one is refused then; broken runs do not count; a fresh code works"
    ))
}
