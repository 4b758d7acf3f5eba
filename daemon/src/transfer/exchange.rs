//! One question, one answer.

use inframe_protocol::{frame::Message, ids::NodeId};

use crate::network::{Network, OpenError, PeerStream, Protocol, StreamError};

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// There is no stream to the peer.
    #[error("the peer cannot be asked")]
    Open(#[source] OpenError),
    /// The stream failed.
    #[error("the peer did not answer properly")]
    Stream(#[source] StreamError),
}

/// Writes a message on an open stream and reads the answer.
///
/// # Errors
/// If either cannot be done in time, or the answer is not one.
pub async fn request<Q: Message, A: Message>(stream: &mut PeerStream, question: &Q) -> Result<A, StreamError> {
    stream.write_message(question).await?;
    stream.read_message(A::MAX_BYTES).await
}

/// Opens a stream, connecting if need be, asks and returns the answer.
///
/// # Errors
/// If there is no stream or no answer.
pub async fn ask<Q: Message + Sync, A: Message>(
    network: &Network,
    node: &NodeId,
    protocol: Protocol,
    question: &Q,
) -> Result<A, AskError> {
    let mut stream = network.open(node, protocol).await.map_err(AskError::Open)?;
    let answer = request(&mut stream, question).await.map_err(AskError::Stream)?;
    // The answer is here; how the stream ends changes nothing.
    let _ = stream.close().await;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use inframe_protocol::{
        fetch::{FetchReply, FetchRequest},
        ids::{ContentId, OfferId},
    };

    use super::*;
    use crate::network::{
        ConnectError,
        testing::{TestNode, pair, within},
    };
    use crate::transfer::not_found;

    #[tokio::test]
    async fn a_question_is_answered_or_an_error_says_why_not() {
        let (a, mut b) = pair().await;
        let question = FetchRequest { offer: OfferId([1; 16]), content: ContentId([2; 32]), from_group: 0 };
        let (network, node) = (a.network.clone(), b.id());
        let asking = || ask::<_, FetchReply>(&network, &node, Protocol::Fetch, &question);

        let answering = async { not_found(b.inbound().await).await };
        let (answer, _) = within(async { tokio::join!(asking(), answering) }).await;
        assert_eq!(answer.unwrap(), FetchReply::NotFound);

        let silence = async { b.inbound().await.close().await };
        let (answer, _) = within(async { tokio::join!(asking(), silence) }).await;
        assert!(matches!(answer, Err(AskError::Stream(StreamError::Closed))), "{answer:?}");

        let nobody = TestNode::start(9).await.id();
        let answer = ask::<_, FetchReply>(&network, &nobody, Protocol::Fetch, &question).await;
        let Err(AskError::Open(OpenError::NotConnected(ConnectError::NoAddress(node)))) = answer else {
            panic!("{answer:?}");
        };
        assert_eq!(node, nobody);
    }
}
