//! Those who want in, and a host who lies.

use anyhow::{Context as _, Result, bail, ensure};
use inframe_protocol::{
    InviteId, MemberId,
    invite::Invite,
    join::{JoinRefusal, JoinReply, JoinRequest},
    keys::{EventKey, MemberKeys},
    limits::{MAX_JOINS_A_MINUTE, MAX_MEMBERS, MAX_SYNC_REQUEST_BYTES, MAX_VECTOR_BYTES},
    push::{Push, PushReply},
    record::RecordTag,
    roster::{NewEvent, Roster, RosterBody, RosterEntry, RosterWriter, SignedRosterEntry},
    sync::{Held, Slices, StateVector, SyncRequest},
};
use inframe_tests::{
    scene::SOON,
    wait::{Seen, wait_until},
};

use crate::{
    case::Pace,
    field::Field,
    forge,
    member::{ask_to_join, now},
    peer::{FETCH, JOIN, OFFER, PUSH, Peer, SYNC, random},
    wire::ANSWER,
};

const DAY_MS: u64 = 24 * 3_600_000;

/// 14: asks to join without the secret, with somebody else's request, and for what a stranger may not ask.
pub async fn ghost(field: &Field, pace: Pace) -> Result<String> {
    let invite = Invite::parse(&field.link)?;
    let stranger = Peer::start().await?;
    let daemon = stranger.connect(&invite.addresses).await?;
    for protocol in [SYNC, PUSH, OFFER, FETCH] {
        ensure!(stranger.open(daemon, protocol).await.is_err(), "a stranger may speak {protocol}");
    }
    let node = stranger.node()?;
    let guess = Invite { secret: random()?, ..invite.clone() };
    let no_such = Invite { id: InviteId::generate()?, ..invite.clone() };
    let other_event = Invite { event: EventKey::generate()?.event_id(), ..invite.clone() };
    let ask = |invite: &Invite, node| {
        let keys = MemberKeys::generate().map(|keys| keys.public());
        keys.map(|keys| JoinRequest::new(invite, node, &keys, "Ghost", Vec::new()))
    };
    let somebody = Peer::start().await?;
    let requests = [
        (ask(&guess, &node)?, JoinRefusal::WrongProof),
        (ask(&invite, &somebody.node()?)?, JoinRefusal::WrongProof),
        (ask(&no_such, &node)?, JoinRefusal::UnknownInvite),
        (ask(&other_event, &node)?, JoinRefusal::UnknownInvite),
    ];
    let rounds = pace.pick(100, 3);
    for round in 0..rounds {
        for (request, refusal) in &requests {
            let reply = ask_to_join(&stranger, daemon, request).await?;
            let too_often = round * requests.len() >= MAX_JOINS_A_MINUTE as usize;
            let expected = [Some(*refusal), too_often.then_some(JoinRefusal::Busy)];
            let is_refused = matches!(reply, JoinReply::Refused(why) if expected.contains(&Some(why)));
            ensure!(is_refused, "{reply:?} instead of {refusal:?}");
        }
    }
    Ok(format!(
        "four other protocols refused unread; {} requests with a guessed secret, for another node, with no such invite: refused",
        rounds * 4
    ))
}

/// 15: an invite for one, used twice, and one that was taken back.
pub async fn invite_again(field: &Field, _: Pace) -> Result<String> {
    let once = field.api().invite(&field.event, None, Some(1)).await?.link;
    let first = crate::member::Member::join(&once, "First").await?;
    let again = crate::member::Member::join(&once, "Second").await.err().context("the invite let two in")?;
    ensure!(again.to_string().contains("UsedUp"), "{again:#}");
    // Several at once, so that the second comes while the first is written.
    let race = field.api().invite(&field.event, None, Some(1)).await?.link;
    let racing = (0..8).map(|_| crate::member::Member::join(&race, "Racer"));
    let in_time = futures::future::join_all(racing).await.into_iter().filter(Result::is_ok).count();
    ensure!(in_time == 1, "an invite for one let {in_time} in");
    drop(first);
    Ok("the second use, and seven of eight at once, are refused".to_owned())
}

/// 28: cut off at each step of joining.
pub async fn cut_joins(field: &Field, pace: Pace) -> Result<String> {
    let invite = Invite::parse(&field.link)?;
    let rounds = pace.pick(20, 3);
    let mut connected = 0;
    for _ in 0..rounds {
        for step in 0..5 {
            let peer = Peer::start().await?;
            // So many from one address are too many at times.
            let Ok(daemon) = peer.connect(&invite.addresses).await else { continue };
            connected += 1;
            let keys = MemberKeys::generate()?;
            // A wrong secret, so that nobody is let in by halves.
            let guess = Invite { secret: random()?, ..invite.clone() };
            let request = JoinRequest::new(&guess, &peer.node()?, &keys.public(), "Cut", Vec::new());
            let bytes = inframe_protocol::frame::encode(&request, usize::MAX)?;
            let mut wire = peer.open_untaken(daemon, JOIN).await?;
            if step >= 1 {
                wire.wait_until_taken().await?;
            }
            match step {
                2 => wire.raw(bytes.get(..3).unwrap_or_default()).await?,
                3 => wire.raw(bytes.get(..bytes.len() / 2).unwrap_or_default()).await?,
                4 => wire.raw(&bytes).await?,
                _ => {}
            }
        }
    }
    ensure!(connected >= 15, "only {connected} connections were made");
    Ok(format!("{connected} of {} connections made, and cut in the middle of a request to join", rounds * 5))
}

/// A host of an event of its own, which lies to those whom it admits.
struct Host {
    peer: Peer,
    key: EventKey,
    roster: Roster,
    invite: Invite,
}

impl Host {
    async fn start() -> Result<Self> {
        let (peer, key) = (Peer::start().await?, EventKey::generate()?);
        let host = MemberKeys::generate()?.public();
        let (name, nickname) = ("A trap".to_owned(), "Liar".to_owned());
        let new = NewEvent { name: name.clone(), starts: None, ends: None, host, node: peer.node()?, nickname };
        let (first, _) = RosterWriter::create(&key, new, now())?;
        let mut roster = Roster::new(key.event_id());
        roster.append(&first)?;
        let invite = Invite {
            event: key.event_id(),
            event_name: name,
            host: peer.node()?,
            addresses: vec![peer.address()],
            id: InviteId::generate()?,
            secret: random()?,
            expires: now().plus(DAY_MS),
        };
        Ok(Self { peer, key, roster, invite })
    }

    fn renamed(&self, index: u32, previous: [u8; 32], name: &str) -> Result<SignedRosterEntry> {
        let body = RosterBody::Changed { name: name.to_owned(), starts: None, ends: None };
        forge::roster_entry(&RosterEntry { event: self.key.event_id(), index, previous, at: now(), body }, &self.key)
    }
}

/// 13: tells two stories: signs two different entries for one place, and goes back to before somebody came.
pub async fn two_rosters(field: &Field, _: Pace) -> Result<String> {
    let host = Host::start().await?;
    let mut joins = host.peer.accept(JOIN)?;
    field.api().join(&host.invite.to_link()?).await?;
    let event = host.key.event_id().to_string();
    let mut wire = tokio::time::timeout(ANSWER, joins.recv())
        .await
        .context("the daemon does not ask")?
        .context("the node has ended")?;
    let request: JoinRequest = wire.message().await?;
    let admitted = admit(&host, &request)?;
    wire.send(&JoinReply::admitted(&[host.roster.entries(), std::slice::from_ref(&admitted)].concat())).await?;
    wire.close().await?;
    wait_until("the daemon in the event", SOON, async || {
        let role = field.api().event(&event).await?.role;
        Ok(Seen::when((role == "member").then_some(()), || role))
    })
    .await?;
    let mut roster = host.roster.clone();
    roster.append(&admitted)?;
    let (index, head) = (roster.next_index(), roster.head_hash());
    let daemon = host.peer.connect(&field.addresses()?).await?;
    let push = async |entries: Vec<SignedRosterEntry>| {
        let mut wire = host.peer.open(daemon, PUSH).await?;
        wire.send(&Push { event: host.key.event_id(), roster: entries, records: Vec::new() }).await?;
        wire.message::<PushReply>().await
    };
    push(vec![host.renamed(index, head, "One story")?]).await?;
    wait_until("the first story", SOON, async || {
        let name = field.api().event(&event).await?.name;
        Ok(Seen::when((name == "One story").then_some(()), || name))
    })
    .await?;
    push(vec![host.renamed(index, head, "Another story")?]).await?;
    push(vec![host.renamed(1, [7; 32], "From before you came")?]).await?;
    let name = field.api().event(&event).await?.name;
    ensure!(name == "One story", "the daemon believes the second story: {name}");
    Ok("the first story stays, the second is refused as a contradiction".to_owned())
}

fn admit(host: &Host, request: &JoinRequest) -> Result<SignedRosterEntry> {
    // The daemon's node is not looked for: whoever asks by this invite is it.
    let node = host_guest(request)?;
    let grant = inframe_protocol::keys::EpochGrant::generate()?;
    let joining = inframe_protocol::roster::Joining {
        member: request.member,
        node,
        nickname: request.nickname.clone(),
        invite: Some(request.invite),
    };
    Ok(RosterWriter::new(&host.key, &host.roster)?.admit(&grant, joining, now())?)
}

fn host_guest(request: &JoinRequest) -> Result<inframe_protocol::NodeId> {
    let peer = request.addresses.iter().find_map(|address| address.rsplit_once("/p2p/")).context("no node")?.1;
    let peer: libp2p::PeerId = peer.parse()?;
    Ok(inframe_protocol::NodeId::new(peer.to_bytes())?)
}

/// A host who answers a request to join with all that is wrong.
pub async fn lying_host(field: &Field, _: Pace) -> Result<String> {
    let host = Host::start().await?;
    let mut joins = host.peer.accept(JOIN)?;
    field.api().join(&host.invite.to_link()?).await?;
    let other = Host::start().await?;
    let garbage = random::<64>()?;
    let mut answered = 0;
    for answer in 0..4 {
        let Ok(Some(mut wire)) = tokio::time::timeout(ANSWER, joins.recv()).await else { break };
        let _: JoinRequest = wire.message().await?;
        match answer {
            0 => wire.raw(&u32::MAX.to_le_bytes()).await?,
            1 => wire.send_body(&garbage).await?,
            2 => wire.send(&JoinReply::Admitted(Vec::new())).await?,
            // Another event's roster.
            _ => wire.send(&JoinReply::admitted(other.roster.entries())).await?,
        }
        answered += 1;
        let _ = wire.close().await;
    }
    if answered < 2 {
        bail!("the daemon asked {answered} times only");
    }
    let event = host.key.event_id().to_string();
    let role = field.api().event(&event).await?.role;
    ensure!(role != "member", "the daemon takes itself for a member");
    field.api().leave(&event).await?;
    Ok(format!("{answered} wrong answers: the daemon waits on and is no member; the owner leaves"))
}

/// R45, R57: vectors of the greatest size that break a rule, a longer one, and a digest of too few slices.
pub async fn vectors(field: &Field, _: Pace) -> Result<String> {
    let member = crate::member::Member::join(&field.link, "Mallory").await?;
    let lacking = |authors: Vec<(MemberId, Vec<Held>)>| {
        let (roster, head) = (member.state.roster().next_index(), member.state.roster().head_hash());
        let vector = StateVector { roster, head, oldest_epoch: 0, slices: Slices::ALL, authors };
        postcard::to_stdvec(&SyncRequest::Lacking { event: member.event, vector })
    };
    let held = |seqs: &mut dyn Iterator<Item = u64>| -> Vec<Held> {
        seqs.map(|seq| Held { seq, tag: RecordTag([0xff; 8]) }).collect()
    };
    let author = |number: usize| {
        let mut id = [0; 32];
        id[..8].copy_from_slice(&(number as u64).to_be_bytes());
        MemberId(id)
    };
    let top = u64::MAX - 1_000;
    // As many full authors as fit one request, of whom the last breaks the rule, so that all is read before.
    let full: Vec<_> =
        (0..MAX_VECTOR_BYTES / 5_000).map(|number| (author(number), held(&mut (top..top + 256)))).collect();
    let ending = |last: (MemberId, Vec<Held>)| [full.as_slice(), &[last]].concat();
    let broken = [
        lacking(ending((author(999), held(&mut (top..=top + 256)))))?,
        lacking(ending((author(999), held(&mut (top..top + 200).rev()))))?,
        lacking(ending((author(0), held(&mut (top..top + 9)))))?,
        lacking((0..=MAX_MEMBERS).map(|number| (author(number), held(&mut (1..3)))).collect())?,
    ];
    ensure!(broken.iter().take(3).all(|body| body.len() > MAX_VECTOR_BYTES * 9 / 10), "they are not the greatest");
    let mut streams = Vec::new();
    for round in 0..4 {
        for body in &broken {
            let mut wire = member.peer.open(member.daemon, SYNC).await?;
            wire.send_body(body).await.with_context(|| format!("round {round}"))?;
            streams.push(wire);
        }
    }
    let count = streams.len();
    for mut wire in streams {
        ensure!(wire.rest(1024, ANSWER).await?.is_empty(), "a broken vector was answered");
    }
    let mut wire = member.peer.open(member.daemon, SYNC).await?;
    // The daemon may have cut the stream before all is written.
    let _ = wire.send_body(&vec![1; MAX_SYNC_REQUEST_BYTES + 1]).await;
    ensure!(wire.rest(1024, ANSWER).await?.is_empty(), "a request that is too long was answered");
    let SyncRequest::Compare { event, mut digest } = member.state.compare_with(&field.node) else { bail!("no digest") };
    digest.slices.pop();
    let mut wire = member.peer.open(member.daemon, SYNC).await?;
    wire.send_body(&postcard::to_stdvec(&SyncRequest::Compare { event, digest })?).await?;
    ensure!(wire.rest(1024, ANSWER).await?.is_empty(), "a digest of 31 slices was answered");
    // One that keeps the rules is.
    member.held_by_daemon().await?;
    Ok(format!(
        "{count} requests of the greatest size at once, a longer one and a digest of 31 slices: none is answered"
    ))
}
