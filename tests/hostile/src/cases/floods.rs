//! Too much of everything: connections, streams, topics, gossip, requests.

use std::{
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use futures::{StreamExt as _, stream};
use inframe_protocol::record::RecordBody;
use libp2p::PeerId;

use crate::{
    case::Pace,
    field::Field,
    forge::{self, gossip},
    link::{self, Step},
    member::Member,
    peer::{GOSSIP, JOIN, PUSH, Peer, STREAMS, SYNC, random},
    wire::Wire,
};

/// A stream of gossip on which nothing gets on for so long is as good as cut.
const STALLED: Duration = Duration::from_secs(5);

/// An address of loopback that the honest do not use, as another machine would have.
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 66);

/// 7: ten thousand streams, by a stranger who negotiates none and by a member who asks for one protocol after the other.
pub async fn streams(field: &Field, pace: Pace) -> Result<String> {
    let port = link::port(&field.addresses()?)?;
    let most: usize = pace.pick(10_000, 2_000);
    let mut raw = 0;
    for _ in 0..most.div_ceil(STREAMS) {
        let made = link::reach(port, ELSEWHERE, Step::Made).await?;
        raw += link::flood(made, STREAMS.min(most), Duration::from_secs(2)).await?;
    }
    let member = Member::join(&field.link, "Mallory").await?;
    let opening = stream::iter(0..most).map(|number| {
        let (peer, daemon) = (&member.peer, member.daemon);
        async move {
            let protocol = [SYNC, PUSH, JOIN].get(number % 3).copied().unwrap_or(SYNC);
            peer.open(daemon, protocol).await.ok()
        }
    });
    let held: Vec<_> = opening.buffer_unordered(1_000).filter_map(|stream| async { stream }).collect().await;
    ensure!(raw > 0 && !held.is_empty(), "not one stream was opened: {raw}, {}", held.len());
    ensure!(held.len() <= 256, "a member holds {} streams", held.len());
    Ok(format!("a stranger opened {raw} and negotiated none; of a member's {most}, {} were open at once", held.len()))
}

/// 29: a thousand connections a second, left at each step.
pub async fn connections(field: &Field, pace: Pace) -> Result<String> {
    let addresses = field.addresses()?;
    let port = link::port(&addresses)?;
    let seconds = pace.pick(20, 4);
    let begun = Instant::now();
    let (mut tried, mut held) = (0_usize, Vec::new());
    let mut reconnects: Vec<Duration> = Vec::new();
    for second in 0..seconds {
        let pause = (begun + Duration::from_secs(second)).saturating_duration_since(Instant::now());
        tokio::time::sleep(pause).await;
        // Half say nothing and stay; the others go through the handshake, as far as they are let, and stay as well.
        let step = |number: usize| if number.is_multiple_of(2) { Step::Connected } else { Step::Made };
        let reaching = stream::iter(0..1_000).map(|number| async move {
            let reached =
                tokio::time::timeout(Duration::from_secs(2), link::reach(port, ELSEWHERE, step(number))).await;
            reached.ok().and_then(Result::ok)
        });
        let links: Vec<_> = reaching.buffer_unordered(500).collect().await;
        tried += links.len();
        held.extend(links.into_iter().flatten());
        // Somebody else, from another machine, comes anew.
        reconnects.push(comes_in(&addresses).await?);
        // No more than a process may have open.
        held.truncate(4_000);
    }
    let slowest = reconnects.into_iter().max().unwrap_or_default();
    let rate = tried as f64 / begun.elapsed().as_secs_f64();
    Ok(format!(
        "{tried} connections, {rate:.0} a second; a newcomer from elsewhere got in within {:.1} s each time",
        slowest.as_secs_f64()
    ))
}

/// How long a newcomer takes to be connected.
async fn comes_in(addresses: &[String]) -> Result<Duration> {
    loop {
        let newcomer = Peer::start().await?;
        let asked = Instant::now();
        match newcomer.connect(addresses).await {
            Ok(_) => return Ok(asked.elapsed()),
            // Its port was one of the thousands that have just been used for the same way: this machine's affair, before anything is sent.
            Err(error) if format!("{error:#}").contains("Address already in use") => {}
            Err(error) => return Err(error.context("an honest newcomer from elsewhere is kept out")),
        }
    }
}

/// 28: left in the middle of the handshake, at each step of it.
pub async fn cut_handshakes(field: &Field, pace: Pace) -> Result<String> {
    let port = link::port(&field.addresses()?)?;
    let rounds = pace.pick(50, 4);
    let mut reached = 0;
    for _ in 0..rounds {
        for step in Step::ALL {
            reached += usize::from(link::reach(port, ELSEWHERE, step).await.is_ok());
        }
    }
    ensure!(reached > 0, "not one connection was made");
    Ok(format!("{reached} of {} connections were made as far as wanted, and cut there", rounds * Step::ALL.len()))
}

/// 29: half-open handshakes that stay, as many as are let.
pub async fn half_open(field: &Field, _: Pace) -> Result<String> {
    let addresses = field.addresses()?;
    let port = link::port(&addresses)?;
    let steps = [Step::Connected, Step::HalfAWord, Step::NoiseAgreed];
    let mut held = Vec::new();
    for number in 0..300 {
        let step = steps.get(number % steps.len()).copied().unwrap_or(Step::Connected);
        if let Ok(Ok(link)) = tokio::time::timeout(Duration::from_secs(1), link::reach(port, ELSEWHERE, step)).await {
            held.push(link);
        }
        if number == 200 {
            Peer::start().await?.connect(&addresses).await.context("an honest newcomer from elsewhere is kept out")?;
        }
    }
    ensure!(!held.is_empty(), "not one connection stays half open");
    Ok(format!("{} half-open connections from one address; a newcomer from elsewhere got in", held.len()))
}

/// 8 and 9: a hundred thousand topics, ids without end, and a time-out for grafting of centuries.
pub async fn topics(field: &Field, pace: Pace) -> Result<String> {
    let member = Member::join(&field.link, "Mallory").await?;
    let stranger = Peer::start().await?;
    let daemon = stranger.connect(&field.addresses()?).await?;
    let topic = member.state.current_grant().context("no key of the event")?.topic_name();
    let thousands = pace.pick(100, 20);
    let mut told = Vec::new();
    for (peer, daemon) in [(&member.peer, member.daemon), (&stranger, daemon)] {
        let mut flood = Gossip::begin(peer, daemon).await?;
        for thousand in 0..thousands {
            let topics = (0..1_000).map(|number| format!("{thousand:032}{number:032}"));
            // In pieces that a message may be long.
            for piece in topics.collect::<Vec<_>>().chunks(100) {
                flood.send(&gossip::subscribe(piece.iter().cloned())).await;
            }
        }
        for message in [
            gossip::prune(&topic, u64::MAX),
            gossip::prune(&topic, u64::from(u32::MAX)),
            gossip::have(&topic, ids(4_000)?),
        ] {
            flood.send(&message).await;
        }
        told.push(flood.told());
    }
    // Gossip still reaches the daemon by others: an honest member says something.
    let renamed = RecordBody::Profile { nickname: "Honest again".to_owned(), addresses: Vec::new() };
    field.honest.lock().await.say(renamed).await?;
    Ok(format!("{} topics, by a member ({}) and by a stranger ({})", thousands * 1_000, told[0], told[1]))
}

/// A stream of gossip that is begun anew when it is cut, until the daemon listens to this connection no more.
struct Gossip<'a> {
    peer: &'a Peer,
    daemon: PeerId,
    wire: Option<Wire>,
    sent: u32,
    cut: u32,
}

impl<'a> Gossip<'a> {
    async fn begin(peer: &'a Peer, daemon: PeerId) -> Result<Self> {
        Ok(Self { peer, daemon, wire: Some(peer.open_untaken(daemon, GOSSIP).await?), sent: 0, cut: 0 })
    }

    async fn send(&mut self, message: &[u8]) {
        let Some(wire) = &mut self.wire else { return };
        // Whoever is made to wait so long begins anew.
        match tokio::time::timeout(STALLED, wire.raw(message)).await {
            Ok(Ok(())) => self.sent += 1,
            _ => {
                self.cut += 1;
                self.wire = self.peer.open_untaken(self.daemon, GOSSIP).await.ok();
            }
        }
    }

    fn told(&self) -> String {
        let end = if self.wire.is_some() { "" } else { ", then not listened to any more" };
        format!("{} messages sent, cut off {} times{end}", self.sent, self.cut)
    }
}

fn ids(count: usize) -> Result<Vec<[u8; 32]>> {
    (0..count).map(|_| random::<32>()).collect()
}

/// 8: gossip without end: valid records with wrong signatures, nonsense, and messages that are too long.
pub async fn gossip_flood(field: &Field, pace: Pace) -> Result<String> {
    let mut member = Member::join(&field.link, "Mallory").await?;
    let topic = member.state.current_grant().context("no key of the event")?.topic_name();
    let body = RecordBody::Profile { nickname: "Mallory".to_owned(), addresses: Vec::new() };
    let honest = member.say(body).await?;
    let mut flood = Gossip::begin(&member.peer, member.daemon).await?;
    flood.send(&gossip::subscribe([topic.clone()])).await;
    let count = pace.pick(20_000, 2_000);
    for number in 0..count {
        let message = match number % 3 {
            0 => {
                let mut other = honest.clone();
                // Another number, so that it is another message; the signature is wrong for it.
                if let Some(byte) = other.get_mut(80) {
                    *byte = number as u8;
                }
                forge::with_a_wrong_signature(other)
            }
            1 => random::<512>()?.to_vec(),
            _ => vec![number as u8; 64 * 1024],
        };
        flood.send(&gossip::publish(&topic, &message)).await;
    }
    Ok(format!("{count} messages: {}", flood.told()))
}

/// Requests that are all in order, without a pause: syncs, pushes of what is known, joins of a member.
pub async fn requests(field: &Field, pace: Pace) -> Result<String> {
    let member = Member::join(&field.link, "Mallory").await?;
    let count = pace.pick(5_000, 500);
    let asking = stream::iter(0..count).map(|number| {
        let member = &member;
        async move {
            match number % 2 {
                0 => member.sync_once().await.is_ok(),
                _ => member.push(member.state.roster().entries().to_vec(), Vec::new()).await.is_ok(),
            }
        }
    });
    let answered = asking.buffer_unordered(64).filter(|answered| std::future::ready(*answered)).count().await;
    ensure!(answered > 0, "not one request was answered");
    Ok(format!("{answered} of {count} requests answered"))
}
