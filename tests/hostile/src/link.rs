//! A connection made by hand, step by step, so that it can stop at each; and streams on it that nobody negotiates.

use std::{future::poll_fn, net::Ipv4Addr, pin::Pin, task::Poll, time::Duration};

use anyhow::{Context as _, Result, ensure};
use futures::{AsyncReadExt as _, AsyncWriteExt as _};
use libp2p::{
    core::{StreamMuxer, upgrade::OutboundConnectionUpgrade as _},
    identity::Keypair,
    noise,
};
use tokio::{
    net::{TcpSocket, TcpStream},
    time::timeout,
};
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt as _};

use crate::peer::{many_streams, random};

const SELECT: &str = "/multistream/1.0.0";
const NOISE: &str = "/noise";
const YAMUX: &str = "/yamux/1.0.0";
const STEP: Duration = Duration::from_secs(20);

type Socket = Compat<TcpStream>;
type Secured = noise::Output<Socket>;

/// How far a connection is made before it is left alone or cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// TCP, and not a byte.
    Connected,
    /// A part of the first word.
    HalfAWord,
    /// Noise is agreed on.
    NoiseAgreed,
    /// Keys are agreed.
    Secured,
    /// Yamux is agreed on.
    YamuxAgreed,
    /// A connection.
    Made,
}

impl Step {
    /// All, in their order.
    pub const ALL: [Self; 6] =
        [Self::Connected, Self::HalfAWord, Self::NoiseAgreed, Self::Secured, Self::YamuxAgreed, Self::Made];
}

/// A connection that was made up to some step. Dropping it cuts it.
pub enum Link {
    /// Up to TCP.
    Plain(Socket),
    /// Encrypted.
    Secured(Box<Secured>),
    /// Made.
    Made(Box<libp2p_yamux::Muxer<Secured>>),
}

/// The port of a daemon on loopback, from one of its addresses.
///
/// # Errors
/// When it has none.
pub fn port(addresses: &[String]) -> Result<u16> {
    let mut parts = addresses.iter().filter_map(|address| address.split("/tcp/").nth(1));
    let port = parts.next().and_then(|rest| rest.split('/').next()).context("no TCP address")?;
    Ok(port.parse()?)
}

/// Makes a connection from a loopback address, with an identity of its own, up to a step.
///
/// # Errors
/// When the daemon does not go that far.
pub async fn reach(port: u16, from: Ipv4Addr, step: Step) -> Result<Link> {
    let made = async {
        let socket = TcpSocket::new_v4()?;
        socket.bind((from, 0).into())?;
        let mut plain = socket.connect((Ipv4Addr::LOCALHOST, port).into()).await?.compat();
        if step == Step::Connected {
            return Ok(Link::Plain(plain));
        }
        if step == Step::HalfAWord {
            plain.write_all(b"\x13/multi").await?;
            return Ok(Link::Plain(plain));
        }
        agree(&mut plain, NOISE).await?;
        if step == Step::NoiseAgreed {
            return Ok(Link::Plain(plain));
        }
        let identity = Keypair::ed25519_from_bytes(random::<32>()?)?;
        let (_, mut secured) = noise::Config::new(&identity)?.upgrade_outbound(plain, NOISE).await?;
        if step == Step::Secured {
            return Ok(Link::Secured(Box::new(secured)));
        }
        agree(&mut secured, YAMUX).await?;
        if step == Step::YamuxAgreed {
            return Ok(Link::Secured(Box::new(secured)));
        }
        Ok(Link::Made(Box::new(many_streams().upgrade_outbound(secured, YAMUX).await?)))
    };
    timeout(STEP, made).await.context("the daemon does not go on")?
}

/// Agrees on a protocol with the words of multistream-select.
async fn agree(socket: &mut (impl futures::AsyncRead + futures::AsyncWrite + Unpin), protocol: &str) -> Result<()> {
    let word = |text: &str| [&[text.len() as u8 + 1], text.as_bytes(), b"\n"].concat();
    let said = [word(SELECT), word(protocol)].concat();
    socket.write_all(&said).await?;
    socket.flush().await?;
    let mut heard = vec![0; said.len()];
    socket.read_exact(&mut heard).await?;
    ensure!(heard == said, "the daemon does not speak {protocol}");
    Ok(())
}

/// Opens streams on a made connection as fast as they go, sends a byte on each and negotiates none. Gives how many there were until the other side
/// cut the connection or `most` were reached; holds them for a while.
///
/// # Errors
/// When the connection is not made.
pub async fn flood(link: Link, most: usize, hold: Duration) -> Result<usize> {
    let Link::Made(mut muxer) = link else { anyhow::bail!("the connection is not made") };
    let mut streams = Vec::new();
    let opening = poll_fn(|context| {
        loop {
            // Driven first, so that resets and credit of the other side are read.
            if let Poll::Ready(Err(_)) = Pin::new(&mut *muxer).poll(context) {
                return Poll::Ready(());
            }
            if streams.len() >= most {
                return Poll::Ready(());
            }
            match Pin::new(&mut *muxer).poll_outbound(context) {
                Poll::Ready(Ok(mut stream)) => {
                    let _ =
                        Pin::new(&mut stream as &mut (dyn futures::AsyncWrite + Unpin)).poll_write(context, &[0x13]);
                    streams.push(stream);
                }
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
    });
    // It ends when the daemon cuts or stalls the connection.
    let _ = timeout(STEP, opening).await;
    let holding = poll_fn(|context| Pin::new(&mut *muxer).poll(context));
    let _ = timeout(hold, holding).await;
    Ok(streams.len())
}
