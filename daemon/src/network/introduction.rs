//! What is said between this node and a relay, and between two nodes that want to connect straight. Each is one short
//! talk on a stream, with a time limit on every message.

use std::time::{Duration, Instant};

use inframe_protocol::{
    frame::Message,
    ids::NodeId,
    relay::{Punch, PunchNow, RelayHello, RelayProof, RelayWelcome},
};
use tokio::{
    sync::oneshot,
    time::{sleep, timeout},
};

use super::{
    Protocol, limits,
    peer_stream::{Answer, PeerStream},
    substreams::NotOpened,
};

/// Why a talk led to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum TalkError {
    /// The other side does not speak the protocol.
    #[error("the node at its address is no relay: check the address, it must be the one that `inframe relay` prints")]
    Unsupported,
    /// It did not answer, or too late, or not so that it can be read.
    #[error("it does not answer as a relay does; it may run another version")]
    NoAnswer,
}

type Opened = oneshot::Receiver<Result<libp2p::Stream, NotOpened>>;

async fn opened(node: NodeId, protocol: Protocol, opened: Opened) -> Result<PeerStream, TalkError> {
    let stream = match timeout(limits::NEGOTIATE_WITHIN * 2, opened).await {
        Ok(Ok(Ok(stream))) => stream,
        Ok(Ok(Err(NotOpened::Unsupported))) => return Err(TalkError::Unsupported),
        _ => return Err(TalkError::NoAnswer),
    };
    let mut stream = PeerStream::new(node, protocol, stream, None);
    match stream.answered().await {
        Ok(Answer::Taken) => Ok(stream),
        _ => Err(TalkError::NoAnswer),
    }
}

/// Greets a relay.
pub(super) async fn greet(relay: NodeId, stream: Opened, proof: Option<RelayProof>) -> Result<RelayWelcome, TalkError> {
    Ok(greet_timed(relay, stream, proof).await?.0)
}

/// As [`greet`]; says also how long the answer took.
pub(super) async fn greet_timed(
    relay: NodeId,
    stream: Opened,
    proof: Option<RelayProof>,
) -> Result<(RelayWelcome, Duration), TalkError> {
    let mut stream = opened(relay, Protocol::Relay, stream).await?;
    let asked = Instant::now();
    stream.write_message(&RelayHello { proof }).await.map_err(|_| TalkError::NoAnswer)?;
    let welcome = stream.read_message(RelayWelcome::MAX_BYTES).await.map_err(|_| TalkError::NoAnswer)?;
    let round_trip = asked.elapsed();
    // The answer is there; how the stream ends changes nothing.
    let _ = stream.close().await;
    Ok((welcome, round_trip))
}

/// Begins to agree on a straight connection. Returns at the moment to dial, with where the other side is seen.
pub(super) async fn begin_punch(node: NodeId, stream: Opened, seen: Vec<String>) -> Result<Vec<String>, TalkError> {
    let mut stream = opened(node, Protocol::Punch, stream).await?;
    let asked = Instant::now();
    stream.write_message(&Punch { seen }).await.map_err(|_| TalkError::NoAnswer)?;
    let theirs: Punch = stream.read_message(Punch::MAX_BYTES).await.map_err(|_| TalkError::NoAnswer)?;
    let round_trip = asked.elapsed();
    if theirs.seen.is_empty() {
        return Ok(theirs.seen);
    }
    let round_trip_ms = u32::try_from(round_trip.as_millis()).unwrap_or(u32::MAX);
    stream.write_message(&PunchNow { round_trip_ms }).await.map_err(|_| TalkError::NoAnswer)?;
    sleep((round_trip / 2).min(limits::PUNCH_WAIT)).await;
    tokio::spawn(async move {
        // The other side reads what was written, or does not; it has a time limit of its own.
        let _ = stream.close().await;
    });
    Ok(theirs.seen)
}

/// Agrees on a straight connection that the other side wants. Returns at the moment to dial.
pub(super) async fn answer_punch(mut stream: PeerStream, seen: Vec<String>) -> Result<Vec<String>, TalkError> {
    stream.answer(Answer::Taken).await.map_err(|_| TalkError::NoAnswer)?;
    let theirs: Punch = stream.read_message(Punch::MAX_BYTES).await.map_err(|_| TalkError::NoAnswer)?;
    stream.write_message(&Punch { seen }).await.map_err(|_| TalkError::NoAnswer)?;
    let now = stream.read_message_within::<PunchNow>(PunchNow::MAX_BYTES, Duration::from_secs(10));
    now.await.map_err(|_| TalkError::NoAnswer)?;
    Ok(theirs.seen)
}
