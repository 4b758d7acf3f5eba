//! A member who says what the rules forbid.

use anyhow::{Context as _, Result, ensure};
use inframe_protocol::{
    FindMeId, MemberId, UnixMillis,
    keys::{EpochGrant, EventKey, MemberKeys},
    limits::{MAX_LIVE_FIND_MES, MAX_RECORDS_PER_AUTHOR},
    push::PushReply,
    record::{FindMe, Header, RecordBody, Subject},
    roster::{RosterBody, RosterEntry},
    template::Template,
};
use inframe_tests::wait::{Seen, wait_until};

use crate::{
    case::Pace,
    field::Field,
    forge::{self, gossip},
    member::{Member, now},
    peer::{GOSSIP, random},
    wire::ANSWER,
};

const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;

fn profile(nickname: &str) -> RecordBody {
    RecordBody::Profile { nickname: nickname.to_owned(), addresses: Vec::new() }
}

/// What the daemon holds of an author, by its own word; a record that was refused is not there.
async fn held(field: &Field, author: &MemberId) -> Result<Vec<u64>> {
    let mut honest = field.honest.lock().await;
    honest.sync().await?;
    let vector = honest.held_by_daemon().await?;
    let of = vector.authors.into_iter().find(|(id, _)| id == author);
    Ok(of.map(|(_, held)| held.into_iter().map(|held| held.seq).collect()).unwrap_or_default())
}

/// Pushes records that break a rule, by a push and by gossip, and holds the daemon to having taken none of them.
async fn refused(field: &Field, member: &Member, records: Vec<Vec<u8>>) -> Result<()> {
    let author = member.keys.member_id();
    let before = held(field, &author).await?;
    let topic = member.state.current_grant().context("no key of the event")?.topic_name();
    let mut wire = member.peer.open_untaken(member.daemon, GOSSIP).await?;
    for record in records {
        wire.raw(&gossip::publish(&topic, &record)).await?;
        member.push(Vec::new(), vec![record]).await?;
    }
    let after = held(field, &author).await?;
    ensure!(before == after, "a record was taken: {after:?} instead of {before:?}");
    Ok(())
}

/// 10: signatures of nobody, and in the name of others.
pub async fn forged(field: &Field, _: Pace) -> Result<String> {
    let mut member = Member::join(&field.link, "Mallory").await?;
    let grant = member.state.current_grant().context("no key of the event")?.clone();
    let right = member.say(profile("Mallory")).await?;
    let victim = member.state.roster().host().context("no host")?.id();
    let header = member.header()?;
    let in_the_name = forge::record(Header { author: victim, ..header }, &profile("Somebody"), &member.keys, &grant)?;
    let other_keys = forge::record(header, &profile("Somebody"), &MemberKeys::generate()?, &grant)?;
    let nobody = Header { author: MemberKeys::generate()?.member_id(), ..header };
    let nobody = forge::record(nobody, &profile("Ghost"), &member.keys, &grant)?;
    let foreign = RecordBody::Withdraw { find_me: FindMeId::generate(&victim)? };
    let foreign = forge::record(header, &foreign, &member.keys, &grant)?;
    let records = vec![forge::with_a_wrong_signature(right), in_the_name, other_keys, nobody, foreign];
    let count = records.len();
    refused(field, &member, records).await?;
    Ok(format!("{count} forgeries, by push and by gossip: none was taken"))
}

/// 11, 12: expired, of an epoch that was or never will be, and said again.
pub async fn old(field: &Field, _: Pace) -> Result<String> {
    let mut member = Member::join(&field.link, "Mallory").await?;
    let grant = member.state.current_grant().context("no key of the event")?.clone();
    let right = member.say(profile("Mallory")).await?;
    let header = member.header()?;
    let expired = Header { at: UnixMillis(now().0 - 2 * DAY_MS), ..header };
    let expired = forge::record(
        expired,
        &RecordBody::Withdraw { find_me: FindMeId::generate(&header.author)? },
        &member.keys,
        &grant,
    )?;
    let never = forge::record(Header { epoch: header.epoch + 7, ..header }, &profile("Later"), &member.keys, &grant)?;
    // New keys for all; then a newcomer uses those from before it came, which it has from a friend.
    field.api().renew_keys(&field.event).await?;
    let newcomer = Member::join(&field.link, "Trudy").await?;
    ensure!(newcomer.state.roster().epoch() > header.epoch, "no new epoch");
    let before = Header { epoch: header.epoch, ..newcomer.header()? };
    let before = forge::record(before, &profile("From before"), &newcomer.keys, &grant)?;
    refused(field, &newcomer, vec![before]).await?;
    member.sync().await?;
    refused(field, &member, vec![expired, never, right.clone(), right]).await?;
    Ok("expired, too early, of an epoch before the author came, and twice the same: none was taken".to_owned())
}

/// 12, 14: roster entries by a member without the event's key: a ghost, a rollback of the keys, the host's removal.
pub async fn roster(field: &Field, _: Pace) -> Result<String> {
    let member = Member::join(&field.link, "Mallory").await?;
    let state = &member.state;
    let (index, previous) = (state.roster().next_index(), state.roster().head_hash());
    let keys = MemberKeys::generate()?;
    let joined = state.roster().entries().iter().rev().find_map(entry_body).context("nobody joined")?;
    let RosterBody::Joined { grant, .. } = joined else { anyhow::bail!("nobody joined") };
    let ghost = RosterBody::Joined {
        member: keys.public(),
        node: inframe_protocol::NodeId::new(random::<38>()?.to_vec())?,
        nickname: "Ghost".to_owned(),
        invite: None,
        grant,
    };
    let host = state.roster().host().context("no host")?.id();
    let bodies = [
        ghost,
        RosterBody::Epoch { number: state.roster().epoch() + 1, sealed: Vec::new() },
        RosterBody::Removed { member: host },
    ];
    let mut entries = Vec::new();
    for body in bodies {
        for (index, previous) in [(index, previous), (1, [0; 32])] {
            let entry = RosterEntry { event: member.event, index, previous, at: now(), body: body.clone() };
            entries.push(forge::roster_entry(&entry, &EventKey::generate()?)?);
        }
    }
    let count = entries.len();
    for entry in entries {
        member.push(vec![entry], Vec::new()).await?;
    }
    let mut honest = field.honest.lock().await;
    honest.sync().await?;
    let held = honest.held_by_daemon().await?;
    ensure!((held.roster, held.head) == (index, previous), "the daemon has another roster");
    Ok(format!("{count} entries signed with other keys: the roster is as it was"))
}

fn entry_body(entry: &inframe_protocol::roster::SignedRosterEntry) -> Option<RosterBody> {
    let (bytes, _): (Vec<u8>, inframe_protocol::keys::Signature) =
        postcard::from_bytes(&postcard::to_stdvec(entry).ok()?).ok()?;
    let entry: RosterEntry = postcard::from_bytes(&bytes).ok()?;
    matches!(entry.body, RosterBody::Joined { .. }).then_some(entry.body)
}

/// 21: templates that are near to everybody's, scaled, empty; find-mes that live for ever.
pub async fn templates(field: &Field, _: Pace) -> Result<String> {
    let member = Member::join(&field.link, "Mallory").await?;
    let grant = member.state.current_grant().context("no key of the event")?.clone();
    let faceless = Template::faceless(&grant.projection_key());
    let right = member.claim(faceless, "pack".to_owned())?;
    let of = |template: Template| FindMe { template, ..right.clone() };
    let noise = Template(random::<64>()?);
    let live_for_ever = FindMe { expires: UnixMillis(u64::MAX), ..of(noise) };
    let bad =
        vec![of(faceless), of(Template([0; 64])), of(Template([0xff; 64])), of(Template([0x55; 64])), live_for_ever];
    let count = bad.len();
    let mut records = Vec::new();
    for (number, find_me) in bad.into_iter().enumerate() {
        let header = member.header()?;
        let header = Header { seq: header.seq + number as u64, ..header };
        records.push(forge::record(header, &RecordBody::FindMe(find_me), &member.keys, &grant)?);
    }
    refused(field, &member, records).await?;
    Ok(format!("{count} find-mes that are near to all faces or live for ever: none was taken"))
}

/// 22: more find-mes than a member may announce, and of everybody's children.
pub async fn budget(field: &Field, pace: Pace) -> Result<String> {
    let member = Member::join(&field.link, "Mallory").await?;
    let grant = member.state.current_grant().context("no key of the event")?.clone();
    let count = pace.pick(300, 12);
    for number in 0..count {
        let template = plausible()?;
        let claim = FindMe { subject: Subject::Child, ..member.claim(template, "pack".to_owned())? };
        let header = member.header()?;
        let header = Header { seq: header.seq + number, ..header };
        member.push(Vec::new(), vec![forge::record(header, &RecordBody::FindMe(claim), &member.keys, &grant)?]).await?;
    }
    let author = member.keys.member_id();
    let kept = held(field, &author).await?.len();
    ensure!(kept <= MAX_RECORDS_PER_AUTHOR, "the daemon keeps {kept} find-mes");
    // What counts is a function of what is held: an honest member who holds the same counts the same.
    let honest = field.honest.lock().await;
    let counted = honest.state.find_mes(now()).iter().filter(|live| live.author == author).count();
    ensure!(counted == MAX_LIVE_FIND_MES, "{counted} find-mes count");
    Ok(format!("{count} find-mes within a second: {kept} are kept, {counted} count"))
}

/// A template as a face has it: codes about a normal distribution.
fn plausible() -> Result<Template> {
    let mut bytes = [0; 64];
    // A third of the codes outside, as R28 wants it.
    for (byte, dice) in bytes.iter_mut().zip(random::<256>()?.chunks(4)) {
        for (place, dice) in dice.iter().enumerate() {
            let code = match dice % 6 {
                0 => 0,
                1 | 2 => 1,
                3 | 4 => 2,
                _ => 3,
            };
            *byte |= code << (2 * place);
        }
    }
    Ok(Template(bytes))
}

/// 24, 25: names that are markup, that run backwards, and that look like somebody else's.
pub async fn names(field: &Field, _: Pace) -> Result<String> {
    let mut member = Member::join(&field.link, "Mallory").await?;
    let grant = member.state.current_grant().context("no key of the event")?.clone();
    let bad = [
        "\u{202e}tsenoH",
        "line\nbreak",
        "bell\u{7}",
        "nul\0",
        "\u{feff}Honest",
        " Honest ",
        "",
        "\u{2066}x\u{2069}",
        &"a".repeat(65),
    ];
    let mut records = Vec::new();
    for (number, name) in bad.iter().enumerate() {
        let header = member.header()?;
        let header = Header { seq: header.seq + number as u64, ..header };
        records.push(forge::record(header, &profile(name), &member.keys, &grant)?);
    }
    refused(field, &member, records).await?;
    // Markup is a name like any other: it is stored and shown as what it is, text.
    let markup = "<img src=x onerror=alert(1)>";
    member.say(profile(markup)).await?;
    wait_until("the name", ANSWER, async || {
        let members = field.api().event(&field.event).await?.members;
        let shown = members.iter().any(|member| member.nickname == markup);
        Ok(Seen::when(shown.then_some(()), || format!("{members:?}")))
    })
    .await?;
    let twin = Member::join(&field.link, "Hоnest").await?;
    let members = field.api().event(&field.event).await?.members;
    let alike: Vec<_> = members.iter().filter(|member| member.nickname.ends_with("nest")).collect();
    ensure!(alike.len() == 2 && alike.iter().any(|member| member.id == twin.keys.member_id().to_string()), "{alike:?}");
    Ok(format!(
        "{} names with control characters refused; markup is shown as text; a look-alike has its own id beside its name",
        bad.len()
    ))
}

/// 26: clocks that lie, and numbers at the end of counting.
pub async fn clocks(field: &Field, _: Pace) -> Result<String> {
    let member = Member::join(&field.link, "Mallory").await?;
    let grant = member.state.current_grant().context("no key of the event")?.clone();
    let header = member.header()?;
    let mut records = Vec::new();
    for (number, at) in [now().0 + HOUR_MS, now().0 + 365 * DAY_MS, u64::MAX, 0].into_iter().enumerate() {
        let header = Header { at: UnixMillis(at), seq: header.seq + number as u64, ..header };
        let body = RecordBody::Withdraw { find_me: FindMeId::generate(&header.author)? };
        records.push(forge::record(header, &body, &member.keys, &grant)?);
    }
    refused(field, &member, records).await?;
    // The last number there is: allowed, and it ends what this member can say, nobody else.
    let last = forge::record(Header { seq: u64::MAX, ..header }, &profile("Mallory"), &member.keys, &grant)?;
    let reply = member.push(Vec::new(), vec![last]).await?;
    ensure!(reply == PushReply::Taken, "the last number was answered by {reply:?}");
    field.honest.lock().await.say(profile("Honest still")).await?;
    Ok("an hour ahead, a year ahead, at the end of time and in 1970: none was taken; the highest number harms its author only".to_owned())
}

/// 27: brings what others have said: again, changed, and into another event.
pub async fn relayed(field: &Field, _: Pace) -> Result<String> {
    let member = Member::join(&field.link, "Mallory").await?;
    let said = field.honest.lock().await.say(profile("Honest")).await?;
    let mut changed = said.clone();
    if let Some(byte) = changed.get_mut(100) {
        *byte ^= 1;
    }
    let author = field.honest.lock().await.keys.member_id();
    let before = held(field, &author).await?;
    for record in [said.clone(), changed, said] {
        member.push(Vec::new(), vec![record]).await?;
    }
    ensure!(held(field, &author).await? == before, "something of an honest member changed");
    Ok("said again: no effect; changed by a bit: refused".to_owned())
}

/// The key of an epoch, for those who have kept it.
pub(super) fn grant_of(member: &Member) -> Result<EpochGrant> {
    Ok(member.state.current_grant().context("no key of the event")?.clone())
}
