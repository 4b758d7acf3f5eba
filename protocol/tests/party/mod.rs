//! A party for tests: an event with its host and members, each with a state of their own, and ways to pass bytes between them.
#![allow(dead_code, reason = "each test file is compiled with its own copy and uses a part of it")]

use inframe_protocol::event::{Asking, Change, EventState, Heard};
use inframe_protocol::frame::{Message, decode, encode};
use inframe_protocol::keys::{EventKey, MemberKeys, Signature};
use inframe_protocol::push::Push;
use inframe_protocol::record::{FindMe, Header, Protection, RecordBody, RecordError, SealedRecord, Subject, Wish};
use inframe_protocol::roster::{Joining, NewEvent, RosterEntry, RosterWriter, SignedRosterEntry};
use inframe_protocol::template::Template;
use inframe_protocol::{EventId, FindMeId, MemberId, NodeId, ProtectionId, UnixMillis};

pub const MINUTE: u64 = 60 * 1_000;
pub const HOUR: u64 = 60 * MINUTE;
/// When tests begin: 1 January 2026.
pub const START: UnixMillis = UnixMillis(1_767_225_600_000);

/// What the event's key signs roster entries for, as SPEC.md says; written out, so that a change of the constant is noticed.
pub const ROSTER_CONTEXT: &str = "inframe 1 roster entry";

/// A node id of this number.
pub fn node(number: u16) -> NodeId {
    let [high, low] = number.to_be_bytes();
    NodeId::new([&[high ^ low], [low; 37].as_slice()].concat()).unwrap()
}

/// One member and their node.
#[derive(Clone)]
pub struct Guest {
    pub keys: MemberKeys,
    pub node: NodeId,
    pub state: EventState,
}

impl Guest {
    pub fn new(event: EventId, number: u16) -> Self {
        let keys = MemberKeys::generate().unwrap();
        let mut state = EventState::new(event);
        state.set_keys(keys.clone());
        Self { keys, node: node(number), state }
    }

    pub fn id(&self) -> MemberId {
        self.keys.member_id()
    }

    pub fn joining(&self) -> Joining {
        Joining { member: self.keys.public(), node: self.node.clone(), nickname: "Guest".to_owned(), invite: None }
    }

    /// A find-me of this guest under the current epoch, for a face of this number.
    pub fn find_me(&self, id: FindMeId, face: u8, subject: Subject, expires: UnixMillis) -> FindMe {
        let key = self.state.current_grant().unwrap().projection_key();
        FindMe {
            id,
            pack: "face-api@1.7.15".to_owned(),
            template: Template::project(&embedding(face), &[0.0; 128], &key).unwrap(),
            subject,
            live: true,
            expires,
            still: vec![0xff, 0xd8, 0xff, 0xe0, face],
            label: String::new(),
        }
    }

    pub fn announce(
        &mut self,
        id: FindMeId,
        now: UnixMillis,
        life: u64,
    ) -> Result<(Vec<u8>, Vec<Change>), RecordError> {
        let find_me = self.find_me(id, 1, Subject::Child, now.plus(life));
        self.state.write(RecordBody::FindMe(find_me), now)
    }

    /// A protection of this guest under the current epoch, for a face of this number.
    pub fn protection(&self, face: u8, subject: Subject, wish: Wish, expires: UnixMillis) -> Protection {
        let key = self.state.current_grant().unwrap().projection_key();
        Protection {
            id: ProtectionId::generate(&self.id()).unwrap(),
            pack: "face-api@1.7.15".to_owned(),
            template: Template::project(&embedding(face), &[0.0; 128], &key).unwrap(),
            subject,
            wish,
            expires,
        }
    }

    /// Ids and wishes of the protections that count here.
    pub fn protected(&self, now: UnixMillis) -> Vec<(MemberId, ProtectionId, Wish)> {
        let live = self.state.protections(now);
        live.iter().map(|live| (live.author, live.protection.id, live.protection.wish)).collect()
    }

    pub fn fresh_id(&self) -> FindMeId {
        FindMeId::generate(&self.id()).unwrap()
    }

    /// Ids of the find-mes that count here.
    pub fn found(&self, now: UnixMillis) -> Vec<(MemberId, FindMeId, UnixMillis)> {
        self.state.find_mes(now).iter().map(|live| (live.author, live.find_me.id, live.find_me.expires)).collect()
    }

    /// Stops and starts again: only what was stored is left.
    pub fn restart(&mut self) {
        let mut state = EventState::from_bytes(&self.state.to_bytes()).unwrap();
        state.set_keys(self.keys.clone());
        assert_eq!(state.vector(), self.state.vector());
        self.state = state;
    }

    /// A record of this guest that no honest node would write: header and body as given.
    pub fn forge(&self, header: Header, body: &RecordBody) -> Vec<u8> {
        let grant = self.state.grant(header.epoch).or(self.state.current_grant()).unwrap();
        SealedRecord::write(header, body, &self.keys, grant).unwrap().to_bytes().unwrap()
    }

    pub fn header(&self, seq: u64, at: UnixMillis) -> Header {
        Header { event: self.state.event(), epoch: self.state.roster().epoch(), author: self.id(), seq, at }
    }
}

/// An event with its guests; the first is the host.
#[derive(Clone)]
pub struct Party {
    pub key: EventKey,
    pub guests: Vec<Guest>,
}

impl Party {
    /// Only the host.
    pub fn new() -> Self {
        let key = EventKey::generate().unwrap();
        let mut host = Guest::new(key.event_id(), 0);
        let new = NewEvent {
            name: "Wedding".to_owned(),
            starts: Some(START),
            ends: None,
            host: host.keys.public(),
            node: host.node.clone(),
            nickname: "Host".to_owned(),
        };
        let (created, _) = RosterWriter::create(&key, new, START).unwrap();
        host.state.apply_roster(&created).unwrap();
        Self { key, guests: vec![host] }
    }

    /// The host and `count - 1` members who all know the whole roster.
    pub fn of(count: u16) -> Self {
        let mut party = Self::admitted(count);
        party.spread_roster();
        party
    }

    /// The host and `count - 1` members of whom only the host knows.
    pub fn admitted(count: u16) -> Self {
        let mut party = Self::new();
        for number in 1..count {
            party.admit(number);
        }
        party
    }

    pub fn host(&mut self) -> &mut Guest {
        &mut self.guests[0]
    }

    pub fn writer(&self) -> RosterWriter<'_> {
        RosterWriter::new(&self.key, self.guests[0].state.roster()).unwrap()
    }

    /// Admits a new guest, who knows nothing of the roster yet.
    pub fn admit(&mut self, number: u16) -> SignedRosterEntry {
        let guest = Guest::new(self.key.event_id(), number);
        let grant = self.guests[0].state.current_grant().unwrap().clone();
        let entry = self.writer().admit(&grant, guest.joining(), START).unwrap();
        self.guests[0].state.apply_roster(&entry).unwrap();
        self.guests.push(guest);
        entry
    }

    /// Removes a guest at the host's node.
    pub fn remove(&mut self, member: &MemberId) -> [SignedRosterEntry; 2] {
        let entries = self.writer().remove_and_rotate(member, START).unwrap();
        entries.iter().for_each(|entry| drop(self.guests[0].state.apply_roster(entry).unwrap()));
        entries
    }

    /// Begins a new epoch at the host's node.
    pub fn rotate(&mut self) -> SignedRosterEntry {
        let grant = self.guests[0].state.current_grant().unwrap().clone();
        let entry = self.writer().rotate(&grant, START).unwrap();
        self.guests[0].state.apply_roster(&entry).unwrap();
        entry
    }

    /// Gives everybody the host's roster.
    pub fn spread_roster(&mut self) {
        (1..self.guests.len()).for_each(|number| self.spread_roster_to(number));
    }

    /// Gives one guest the host's roster.
    pub fn spread_roster_to(&mut self, number: usize) {
        let entries = self.guests[0].state.roster().entries().to_vec();
        for entry in &entries {
            self.guests[number].state.apply_roster(entry).unwrap();
        }
    }

    /// An entry that the event's key signed although no honest host would: as the host's next one, with this body.
    pub fn forge(&self, change: impl FnOnce(&mut RosterEntry)) -> SignedRosterEntry {
        sign_entry(&self.key, &postcard::to_stdvec(&self.forge_entry(change)).unwrap())
    }

    /// As [`Party::forge`], unsigned.
    pub fn forge_entry(&self, change: impl FnOnce(&mut RosterEntry)) -> RosterEntry {
        let roster = self.guests[0].state.roster();
        let honest = self.writer().change("Forged", None, None, START).unwrap();
        let mut entry = read_entry(&honest);
        assert_eq!(entry.index, roster.next_index());
        change(&mut entry);
        entry
    }
}

/// What a signed entry says.
pub fn read_entry(signed: &SignedRosterEntry) -> RosterEntry {
    let (bytes, _): (Vec<u8>, Signature) = postcard::from_bytes(&postcard::to_stdvec(signed).unwrap()).unwrap();
    postcard::from_bytes(&bytes).unwrap()
}

/// Signs any bytes as a roster entry.
pub fn sign_entry(key: &EventKey, bytes: &[u8]) -> SignedRosterEntry {
    let signed = (bytes, key.sign(ROSTER_CONTEXT, bytes));
    postcard::from_bytes(&postcard::to_stdvec(&signed).unwrap()).unwrap()
}

/// A made-up face: 128 coordinates of a size that face models give.
pub fn embedding(face: u8) -> Vec<f32> {
    let mut coordinates = [0; 128];
    blake3::Hasher::new().update(&[face]).finalize_xof().fill(&mut coordinates);
    coordinates.iter().map(|byte| (f32::from(*byte) - 127.5) / 800.0).collect()
}

/// Sends a message the way the network does: as bytes, within the limits of its kind.
pub fn over_the_wire<M: Message>(message: &M) -> M {
    decode(&encode(message, M::MAX_BYTES).unwrap(), M::MAX_BYTES).unwrap()
}

/// One guest asks another for what it lacks, question after question, until there is no more, and pushes what the other lacks if that is little.
/// Gives how many questions it took.
pub fn sync(asker: &mut Guest, answerer: &mut Guest, now: UnixMillis) -> usize {
    let mut asking = Asking::new(answerer.node.clone());
    for questions in 1.. {
        assert!(questions < 1_000, "the questions never end");
        let Some(request) = asking.request(&asker.state) else { return questions };
        let request = over_the_wire(&request);
        let reply = over_the_wire(&answerer.state.answer(&request));
        let Heard::Page { page, theirs, ask_again } = (match asking.hear(reply) {
            Heard::AskAgain => continue,
            heard => heard,
        }) else {
            return questions;
        };
        take(asker, &page.roster, &page.records, now);
        if ask_again {
            continue;
        }
        if let Some(page) = asker.state.pushed_back(&theirs) {
            let push = over_the_wire(&Push::page(asker.state.event(), page));
            take(answerer, &push.roster, &push.records, now);
        }
        return questions;
    }
    unreachable!()
}

fn take(guest: &mut Guest, roster: &[SignedRosterEntry], records: &[Vec<u8>], now: UnixMillis) {
    for entry in roster {
        let _ = guest.state.apply_roster(entry);
    }
    for record in records {
        let _ = guest.state.receive(record, now);
    }
}

/// As [`sync`], and the answerer stays as it is.
pub fn catch_up(asker: &mut Guest, answerer: &Guest, now: UnixMillis) -> usize {
    sync(asker, &mut answerer.clone(), now)
}

/// A record of a guest with this body, sealed without the checks that an honest writer makes.
pub fn seal_unchecked(author: &Guest, header: Header, body: &RecordBody) -> Vec<u8> {
    // As SPEC.md says, written out a second time.
    let body = postcard::to_stdvec(body).unwrap();
    let size = [256, 1_024, 2_048, 3_840].into_iter().find(|size| *size >= body.len() + 2).unwrap_or(body.len() + 2);
    let mut plain = (body.len() as u16).to_le_bytes().to_vec();
    plain.extend(body);
    plain.resize(size, 0);
    seal_plain(author, header, &plain)
}

/// A record of a guest with any bytes in it.
pub fn seal_plain(author: &Guest, header: Header, plain: &[u8]) -> Vec<u8> {
    use chacha20poly1305::aead::{Aead, Payload};
    use chacha20poly1305::{KeyInit, XChaCha20Poly1305};

    let grant = author.state.grant(header.epoch).unwrap();
    let key = blake3::derive_key("inframe 1 record key", &grant.secret);
    let aad = postcard::to_stdvec(&header).unwrap();
    let nonce = [7; 24];
    let sealed = XChaCha20Poly1305::new(&key.into()).encrypt(&nonce.into(), Payload { msg: plain, aad: &aad }).unwrap();
    sign_unchecked(&author.keys, header, [nonce.as_slice(), &sealed].concat())
}

/// Signs any sealed bytes.
pub fn sign_unchecked(keys: &MemberKeys, header: Header, sealed: Vec<u8>) -> Vec<u8> {
    use ed25519_dalek::{Signer, SigningKey};

    let context = "inframe 1 record";
    let mut message = vec![context.len() as u8];
    message.extend_from_slice(context.as_bytes());
    message.extend(postcard::to_stdvec(&(header, &sealed)).unwrap());
    let seed: [u8; 32] = keys.to_bytes()[..32].try_into().unwrap();
    let signature = SigningKey::from_bytes(&seed).sign(&message).to_bytes();
    let record = SealedRecord { header, sealed, signature: Signature(signature) };
    postcard::to_stdvec(&record).unwrap()
}
