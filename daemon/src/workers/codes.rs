//! Joining by a code that was read out: the host's side of a run, and the joiner's search of the local network (R62 to R66).

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use inframe_protocol::NodeId;
use inframe_protocol::code::{CodeAsk, CodeGrant, CodeProof, CodeReply, CodeRun, Element, JoinCode};
use inframe_protocol::frame::Message;
use inframe_protocol::invite::Invite;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::{Core, blocking, events};
use crate::activity::ActivityKind;
use crate::events::Judged;
use crate::network::{PeerStream, Protocol};

/// Runs that a host answers at once, whoever asks: each holds a stream for a few seconds.
const RUNS_AT_ONCE: usize = 16;
/// A message of a run comes within this time: nobody types anything in between, and whoever says nothing must not hold a place.
const MESSAGE_WITHIN: Duration = Duration::from_secs(5);
/// Nodes that are asked at once whether they show a code.
const ASKED_AT_ONCE: usize = 16;
/// One node must be reached and answer within this time.
const ANSWER_WITHIN: Duration = Duration::from_secs(8);
/// The whole search ends within this time: the person waits before the screen.
const SEARCH_WITHIN: Duration = Duration::from_secs(25);
/// Nodes that are given a proof of one code that was typed. Each could be somebody who guesses; more than two open codes with one selector are rare.
const MAX_PROOFS: usize = 3;

/// The places for runs that a host answers.
pub struct Runs(Semaphore);

impl Default for Runs {
    fn default() -> Self {
        Self(Semaphore::new(RUNS_AT_ONCE))
    }
}

/// Why a code led to no invite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SearchError {
    /// It is one of this node's own.
    #[error("this is the code of your own event; somebody else is to type it")]
    Own,
    /// There is nobody to ask.
    #[error(
        "no other device was found on this network: connect both to the same one, and if it keeps its devices apart (as guest networks do), use the link"
    )]
    Alone,
    /// Nobody shows a code like it.
    #[error("no event on this network has this code: check the first two digits, and whether the host still shows it")]
    NotHere,
    /// The first two digits are right and the others are not.
    #[error("the code is wrong; it ends after {0} more wrong ones")]
    Wrong(u8),
    /// It was wrong, or right too late.
    #[error("the code is wrong or has ended: ask the host for a new one")]
    Ended,
}

/// Somebody on the local network runs an exchange with a code that this node may show.
pub(super) async fn answer(core: Arc<Core>, mut stream: PeerStream) -> anyhow::Result<()> {
    let Ok(_place) = core.rounds.code_runs.0.try_acquire() else {
        stream.write_message(&CodeReply::Declined).await?;
        return Ok(stream.close().await?);
    };
    let ask: CodeAsk = stream.read_message_within(CodeAsk::MAX_BYTES, MESSAGE_WITHIN).await?;
    let Some((event, code)) = core.events.code_of(ask.selector) else {
        stream.write_message(&CodeReply::Declined).await?;
        return Ok(stream.close().await?);
    };
    let peer = stream.peer().clone();
    let run = CodeRun::of_host(&code, &core.network.node_id(), &peer)?;
    let element = Element(run.element());
    let key = run.finish(&ask.element)?;
    stream.write_message(&CodeReply::Go(element)).await?;
    let proof: CodeProof = stream.read_message_within(CodeProof::MAX_BYTES, MESSAGE_WITHIN).await?;
    let fits = key.verify(&proof).is_ok();
    let judge = core.clone();
    let judged = blocking(move || judge.events.judge_code(&event, &code, fits)).await??;
    let (grant, left) = match judged {
        Judged::Granted(invite) => (key.grant(&invite)?, None),
        Judged::Wrong(left) => (CodeGrant::Wrong(left), Some(left)),
        Judged::Ended => (CodeGrant::Wrong(0), None),
    };
    // What was counted is noted below, however the stream ends.
    let written = stream.write_message(&grant).await;
    let _ = stream.close().await;
    let name = core.events.name(&event);
    if let Some(left) = left {
        let text = format!("A wrong code for {name} was typed on this network; it ends after {left} more.");
        events::note_of(&core, peer, ActivityKind::Refused, text, Some(event)).await;
    }
    if left == Some(0) {
        let text = format!(
            "The code for {name} was ended, because too many wrong ones were tried. Nobody came in by them. Show a new one, or send a link."
        );
        core.note(ActivityKind::Suspicious, text, None, Some(event)).await;
    }
    Ok(written?)
}

/// Looks on the local network for the host who shows this code, and gets their invite.
pub(crate) async fn find(core: &Arc<Core>, code: &JoinCode) -> Result<Invite, SearchError> {
    if core.events.code_of(code.selector()).is_some_and(|(_, own)| own == *code) {
        return Err(SearchError::Own);
    }
    let near = core.network.nearby().await;
    if near.is_empty() {
        return Err(SearchError::Alone);
    }
    timeout(SEARCH_WITHIN, search(core, code, near)).await.unwrap_or(Err(SearchError::NotHere))
}

async fn search(core: &Arc<Core>, code: &JoinCode, near: Vec<NodeId>) -> Result<Invite, SearchError> {
    let begun = futures::stream::iter(near).map(|node| async move {
        match timeout(ANSWER_WITHIN, begin(core, code, &node)).await {
            Ok(Ok(begun)) => begun,
            Ok(Err(error)) => {
                tracing::debug!("a node could not be asked for a code: {error:#}");
                None
            }
            Err(_) => None,
        }
    });
    let mut begun =
        std::pin::pin!(begun.buffer_unordered(ASKED_AT_ONCE).filter_map(std::future::ready).take(MAX_PROOFS));
    let mut why = SearchError::NotHere;
    // One after the other: whoever has granted is the last to get a proof.
    while let Some(begun) = begun.next().await {
        match timeout(ANSWER_WITHIN, prove(begun)).await {
            Ok(Ok(Ok(invite))) => return Ok(invite),
            Ok(Ok(Err(0))) => why = SearchError::Ended,
            Ok(Ok(Err(left))) => why = SearchError::Wrong(left),
            Ok(Err(error)) => tracing::debug!("a code led to nothing: {error:#}"),
            Err(_) => {}
        }
    }
    Err(why)
}

/// A run with a node that shows a code of the same selector.
struct Begun {
    stream: PeerStream,
    run: CodeRun,
    element: [u8; 32],
}

/// Asks a node; none if it shows no such code.
async fn begin(core: &Arc<Core>, code: &JoinCode, node: &NodeId) -> anyhow::Result<Option<Begun>> {
    core.network.connect(node, &[]).await?;
    let mut stream = core.network.open(node, Protocol::Code).await?;
    let run = CodeRun::of_joiner(code, node, &core.network.node_id())?;
    stream.write_message(&CodeAsk { selector: code.selector(), element: run.element() }).await?;
    match stream.read_message_within(CodeReply::MAX_BYTES, MESSAGE_WITHIN).await? {
        CodeReply::Go(Element(element)) => Ok(Some(Begun { stream, run, element })),
        CodeReply::Declined => {
            // The answer is there; how the stream ends changes nothing.
            let _ = stream.close().await;
            Ok(None)
        }
    }
}

/// Proves that the code is known; the invite, or how many wrong ones are still borne.
async fn prove(Begun { mut stream, run, element }: Begun) -> anyhow::Result<Result<Invite, u8>> {
    let key = run.finish(&element)?;
    stream.write_message(&key.prove()).await?;
    let grant: CodeGrant = stream.read_message_within(CodeGrant::MAX_BYTES, MESSAGE_WITHIN).await?;
    let host = stream.peer().clone();
    let _ = stream.close().await;
    match grant {
        CodeGrant::Granted(granted) => Ok(Ok(key.open(&granted, &host)?)),
        CodeGrant::Wrong(left) => Ok(Err(left)),
    }
}
