//! Somebody who was admitted: a node with keys and the state of the event, as an honest member has them. What it does with them is its own business.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use inframe_protocol::{
    EventId, FindMeId, NodeId, OfferId, UnixMillis,
    event::EventState,
    fetch::{FetchReply, FetchRequest},
    groups::{GroupHasher, GroupList},
    invite::Invite,
    join::{JoinReply, JoinRequest},
    keys::MemberKeys,
    limits::MAX_FETCH_REPLY_BYTES,
    offer::{Offer, OfferReply},
    push::{Push, PushReply},
    record::{FindMe, Header, RecordBody, Subject},
    roster::SignedRosterEntry,
    sync::{Slices, StateVector, SyncReply},
    template::Template,
};
use libp2p::PeerId;

use crate::{
    peer::{FETCH, JOIN, OFFER, PUSH, Peer, SYNC},
    wire::{ANSWER, Wire},
};

const HOUR_MS: u64 = 3_600_000;

/// A member of the event.
pub struct Member {
    /// Its node.
    pub peer: Peer,
    /// Its keys in the event.
    pub keys: MemberKeys,
    /// What it knows of the event.
    pub state: EventState,
    /// The event.
    pub event: EventId,
    /// The daemon that it is connected to.
    pub daemon: PeerId,
}

/// Now.
#[must_use]
pub fn now() -> UnixMillis {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    UnixMillis(since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX)))
}

/// Asks to join and gives the answer.
///
/// # Errors
/// When there is none.
pub async fn ask_to_join(peer: &Peer, daemon: PeerId, request: &JoinRequest) -> Result<JoinReply> {
    let mut wire = peer.open(daemon, JOIN).await?;
    wire.send(request).await?;
    wire.message().await
}

impl Member {
    /// Joins by a link of an event that admits by itself.
    ///
    /// # Errors
    /// When it is not admitted.
    pub async fn join(link: &str, nickname: &str) -> Result<Self> {
        Self::join_as(Peer::start().await?, link, nickname).await
    }

    /// Joins with this node.
    ///
    /// # Errors
    /// When it is not admitted.
    pub async fn join_as(peer: Peer, link: &str, nickname: &str) -> Result<Self> {
        let invite = Invite::parse(link)?;
        let keys = MemberKeys::generate()?;
        let daemon = peer.connect(&invite.addresses).await?;
        let request = JoinRequest::new(&invite, &peer.node()?, &keys.public(), nickname, vec![peer.address()]);
        let roster = match ask_to_join(&peer, daemon, &request).await? {
            JoinReply::Admitted(roster) => roster,
            other => bail!("not admitted: {other:?}"),
        };
        let mut state = EventState::new(invite.event);
        state.set_keys(keys.clone());
        let mut member = Self { peer, keys, state, event: invite.event, daemon };
        member.learn(&roster, &[]);
        // The daemon lets a new member speak a moment after it has answered.
        let begun = Instant::now();
        while let Err(error) = member.sync().await {
            if begun.elapsed() > ANSWER {
                return Err(error.context("admitted, and not let in"));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(member)
    }

    fn learn(&mut self, roster: &[SignedRosterEntry], records: &[Vec<u8>]) {
        // What is known or not for it is passed over, as an honest node does.
        for entry in roster {
            let _ = self.state.apply_roster(entry);
        }
        for record in records {
            let _ = self.state.receive(record, now());
        }
    }

    /// Fetches what it lacks, all of it.
    ///
    /// # Errors
    /// When the daemon does not answer, or not as to a member.
    pub async fn sync(&mut self) -> Result<()> {
        loop {
            let SyncReply::Page { page, .. } = self.sync_once().await? else { bail!("the daemon knows no such event") };
            self.learn(&page.roster, &page.records);
            if !page.more {
                return Ok(());
            }
        }
    }

    /// Asks what it lacks, once, and takes nothing of it.
    ///
    /// # Errors
    /// When the daemon does not answer.
    pub async fn sync_once(&self) -> Result<SyncReply> {
        let mut wire = self.peer.open(self.daemon, SYNC).await?;
        wire.send(&self.state.lacking(Slices::ALL)).await?;
        wire.message().await
    }

    /// What the daemon holds by its own word, when it has the same roster as this member.
    ///
    /// # Errors
    /// When it does not answer, or the rosters differ.
    pub async fn held_by_daemon(&self) -> Result<StateVector> {
        let SyncReply::Page { vector, .. } = self.sync_once().await? else { bail!("the daemon knows no such event") };
        ensure!(vector.slices == Slices::ALL, "the daemon tells of {:?} only", vector.slices);
        Ok(vector)
    }

    /// Pushes bytes as records and entries, whatever they are; gives the answer, which comes when the daemon has judged them.
    ///
    /// # Errors
    /// When there is none.
    pub async fn push(&self, roster: Vec<SignedRosterEntry>, records: Vec<Vec<u8>>) -> Result<PushReply> {
        let mut wire = self.peer.open(self.daemon, PUSH).await?;
        wire.send(&Push { event: self.event, roster, records }).await?;
        wire.message().await
    }

    /// A header for its next record.
    ///
    /// # Errors
    /// Never.
    pub fn header(&self) -> Result<Header> {
        let author = self.keys.member_id();
        let held = self.state.vector();
        let last = held.authors.iter().find(|(id, _)| *id == author).and_then(|(_, held)| held.last());
        let seq = last.map_or(0, |held| held.seq + 1).max(now().0);
        Ok(Header { event: self.event, epoch: self.state.roster().epoch(), author, seq, at: now() })
    }

    /// Writes a record as an honest member does, and pushes it.
    ///
    /// # Errors
    /// When it breaks a rule or the daemon does not take it.
    pub async fn say(&mut self, body: RecordBody) -> Result<Vec<u8>> {
        let (bytes, _) = self.state.write(body, now())?;
        let reply = self.push(Vec::new(), vec![bytes.clone()]).await?;
        ensure!(reply == PushReply::Taken, "what is right was answered by {reply:?}");
        Ok(bytes)
    }

    /// What the daemon's own member looks for: its find-me and template.
    ///
    /// # Errors
    /// When it announces nothing.
    pub fn sought_by(&self, node: &NodeId) -> Result<(FindMeId, FindMe)> {
        let author = self.state.roster().member_by_node(node).context("no such member")?.id();
        let live = self.state.find_mes(now());
        let found = live.iter().find(|live| live.author == author).context("they look for nothing")?;
        Ok((found.find_me.id, found.find_me.clone()))
    }

    /// A find-me of its own with somebody else's template.
    ///
    /// # Errors
    /// When no id can be made.
    pub fn claim(&self, template: Template, pack: String) -> Result<FindMe> {
        let id = FindMeId::generate(&self.keys.member_id())?;
        let expires = now().plus(HOUR_MS);
        let label = "Me".to_owned();
        Ok(FindMe { id, pack, template, subject: Subject::Me, live: true, expires, still: Vec::new(), label })
    }

    /// Offers a content; gives the answer.
    ///
    /// # Errors
    /// When there is none.
    pub async fn offer(&self, offer: &Offer) -> Result<OfferReply> {
        let mut wire = self.peer.open(self.daemon, OFFER).await?;
        wire.send(offer).await?;
        wire.message().await
    }

    /// Asks for a content and gives the bytes of the answer's frame.
    ///
    /// # Errors
    /// When there is none.
    pub async fn ask_for(&self, request: &FetchRequest) -> Result<Vec<u8>> {
        let mut wire = self.peer.open(self.daemon, FETCH).await?;
        wire.send(request).await?;
        wire.body(MAX_FETCH_REPLY_BYTES).await
    }
}

/// A content to offer.
pub struct Content {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Their groups.
    pub list: GroupList,
}

impl Content {
    /// A content of these bytes.
    ///
    /// # Errors
    /// When they are too many.
    pub fn new(bytes: Vec<u8>) -> Result<Self> {
        let mut hasher = GroupHasher::new();
        hasher.update(&bytes);
        Ok(Self { list: hasher.finish()?, bytes })
    }

    /// Random bytes, which are no picture.
    ///
    /// # Errors
    /// When the machine gives none.
    pub fn noise(len: usize) -> Result<Self> {
        let mut bytes = vec![0; len];
        getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
        Self::new(bytes)
    }

    /// An offer of it for a find-me.
    ///
    /// # Errors
    /// When no id can be made.
    pub fn offer(&self, event: EventId, find_me: FindMeId, media_type: &str) -> Result<Offer> {
        Ok(Offer {
            offer: OfferId::generate()?,
            event,
            find_me,
            content: self.list.content(),
            size_bytes: self.bytes.len() as u64,
            media_type: media_type.to_owned(),
            width: 640,
            height: 480,
            taken_at: None,
            score: 9.0,
            groups: Vec::new(),
        })
    }

    /// Reads the request on a stream for this content and answers that it is ready.
    ///
    /// # Errors
    /// When the daemon asks for something else.
    pub async fn ready(&self, wire: &mut Wire) -> Result<FetchRequest> {
        let request: FetchRequest = wire.message().await?;
        ensure!(request.content == self.list.content(), "the daemon asked for another content");
        wire.send(&FetchReply::ready(&self.list)).await?;
        Ok(request)
    }
}
