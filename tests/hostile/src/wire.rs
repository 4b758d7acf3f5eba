//! One stream to or from the daemon, on which anything may be written.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use futures::{AsyncReadExt as _, AsyncWriteExt as _};
use inframe_protocol::frame::{self, Message};
use libp2p::Stream;
use tokio::time::timeout;

/// Whoever takes a stream says so with this byte before anything else.
const TAKEN: u8 = 1;
/// For answers that a daemon gives at once; longer than it takes on a machine that does much else.
pub const ANSWER: Duration = Duration::from_secs(30);

/// A stream whose protocol is agreed. Dropping it resets it.
pub struct Wire(Stream);

impl Wire {
    pub(crate) fn new(stream: Stream) -> Self {
        Self(stream)
    }

    /// Waits for the daemon's word that it takes the stream.
    ///
    /// # Errors
    /// When it refuses, which it does by a reset or by another byte.
    pub async fn wait_until_taken(&mut self) -> Result<()> {
        let mut byte = [0];
        timeout(ANSWER, self.0.read_exact(&mut byte)).await.context("not answered")?.context("the stream was reset")?;
        ensure!(byte == [TAKEN], "the daemon says that it is busy");
        Ok(())
    }

    /// Says that this stream, which the daemon opened, is taken.
    ///
    /// # Errors
    /// When the daemon is gone.
    pub async fn take(&mut self) -> Result<()> {
        self.raw(&[TAKEN]).await
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// When the daemon does not take them any more.
    pub async fn raw(&mut self, bytes: &[u8]) -> Result<()> {
        timeout(ANSWER, async {
            self.0.write_all(bytes).await?;
            self.0.flush().await
        })
        .await
        .context("the daemon does not read")?
        .context("the daemon closed the stream")
    }

    /// Sends a message as an honest node does.
    ///
    /// # Errors
    /// When it breaks the rules of its kind, or the daemon is gone.
    pub async fn send<M: Message>(&mut self, message: &M) -> Result<()> {
        self.raw(&frame::encode(message, M::MAX_BYTES)?).await
    }

    /// Sends any bytes in a frame.
    ///
    /// # Errors
    /// When the daemon is gone.
    pub async fn send_body(&mut self, body: &[u8]) -> Result<()> {
        self.raw(&[u32::try_from(body.len())?.to_le_bytes().as_slice(), body].concat()).await
    }

    /// Reads the body of a frame.
    ///
    /// # Errors
    /// When none comes, or it is longer than any of ours.
    pub async fn body(&mut self, limit: usize) -> Result<Vec<u8>> {
        timeout(ANSWER, async {
            let mut header = [0; frame::HEADER_BYTES];
            self.0.read_exact(&mut header).await?;
            let mut body = vec![0; frame::body_len(header, limit)?];
            self.0.read_exact(&mut body).await?;
            anyhow::Ok(body)
        })
        .await
        .context("no answer in time")?
    }

    /// Reads a message.
    ///
    /// # Errors
    /// When none comes or it is none.
    pub async fn message<M: Message>(&mut self) -> Result<M> {
        Ok(frame::decode_body(&self.body(M::MAX_BYTES).await?, M::MAX_BYTES)?)
    }

    /// Reads so many bytes.
    ///
    /// # Errors
    /// When they do not come.
    pub async fn bytes(&mut self, count: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; count];
        timeout(ANSWER, self.0.read_exact(&mut bytes)).await.context("not sent in time")??;
        Ok(bytes)
    }

    /// Reads until the daemon ends or resets the stream, at most so many bytes; gives what came.
    ///
    /// # Errors
    /// When it goes on for longer than `within`, or sends more.
    pub async fn rest(&mut self, most: usize, within: Duration) -> Result<Vec<u8>> {
        let mut came = Vec::new();
        let mut piece = vec![0; 64 * 1024];
        let ended = timeout(within, async {
            while let Ok(read @ 1..) = self.0.read(&mut piece).await {
                came.extend_from_slice(piece.get(..read).unwrap_or_default());
                if came.len() > most {
                    return false;
                }
            }
            true
        })
        .await;
        match ended {
            Ok(true) => Ok(came),
            Ok(false) => bail!("the daemon sent more than {most} bytes"),
            Err(_) => bail!("the daemon keeps the stream open"),
        }
    }

    /// Ends this side in good order.
    ///
    /// # Errors
    /// When the daemon does not take what was written.
    pub async fn close(mut self) -> Result<()> {
        timeout(ANSWER, self.0.close()).await.context("the daemon does not read")??;
        // Its own end is waited for, so that nothing is reset that it has not read.
        let _ = self.rest(1024, ANSWER).await;
        Ok(())
    }
}
