//! What a test vector holds, how it is run, and the cases that the files are made of.

mod accepted;
mod deputies;
mod protections;
mod refused;

use data_encoding::HEXLOWER;
use inframe_protocol::code::{CodeAsk, CodeGrant, CodeKey, CodeProof, CodeReply, CodeRun, JoinCode};
use inframe_protocol::deputy::{DeputyReply, DeputyRequest};
use inframe_protocol::event::EventState;
use inframe_protocol::fetch::{FetchReply, FetchRequest};
use inframe_protocol::frame::{Message, decode, encode};
use inframe_protocol::groups::{GroupList, verify_group};
use inframe_protocol::invite::Invite;
use inframe_protocol::join::{JoinReply, JoinRequest};
use inframe_protocol::keep::{KeepReply, KeepRequest, SealedDelivery};
use inframe_protocol::keys::{MemberKeys, MemberPublic, Signature};
use inframe_protocol::offer::{Offer, OfferReply, Receipt};
use inframe_protocol::push::{Push, PushReply};
use inframe_protocol::recall::{Recall, RecallReply};
use inframe_protocol::relay::{Punch, PunchNow, RelayHello, RelayWelcome};
use inframe_protocol::roster::SignedRosterEntry;
use inframe_protocol::sync::{SyncReply, SyncRequest};
use inframe_protocol::template::{Projection, ProjectionKey};
use inframe_protocol::verification::verification_words;
use inframe_protocol::{ContentId, EventId, NodeId, UnixMillis};
use serde::{Deserialize, Serialize};

/// Bytes as lowercase hex in the files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hex(pub Vec<u8>);

impl TryFrom<String> for Hex {
    type Error = data_encoding::DecodeError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        HEXLOWER.decode(text.as_bytes()).map(Self)
    }
}

impl From<Hex> for String {
    fn from(bytes: Hex) -> Self {
        HEXLOWER.encode(&bytes.0)
    }
}

impl Hex {
    fn array<const N: usize>(&self) -> [u8; N] {
        self.0.as_slice().try_into().unwrap()
    }
}

/// One file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Case {
    /// What it is, in words.
    pub what: String,
    /// The rule that it breaks, if it breaks one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rule: Option<String>,
    pub input: Input,
    /// What comes of it, or the error, as this implementation prints them.
    pub outcome: Result<String, String>,
}

/// What is fed in.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Input {
    /// A whole frame of a message of this name.
    Frame { message: String, frame: Hex },
    /// A roster entry and its signature in postcard, the state that it meets, and the keys of that state's member.
    RosterEntry { state: Hex, keys: Hex, entry: Hex },
    /// A record, the state that it meets, the keys of that state's member, and the time there.
    Record { state: Hex, keys: Hex, now: u64, record: Hex },
    /// An invite link, and the time.
    InviteLink { link: String, now: u64 },
    /// A join request, the invite's secret, and both ends of the connection.
    JoinProof { request: Hex, secret: Hex, host: NodeId, joiner: NodeId },
    /// A hello to a relay, the relay's token, and both ends of the connection.
    RelayProof { hello: Hex, token: String, relay: NodeId, node: NodeId },
    /// A sealed delivery, the state and the keys of its receiver, the time there, and the receipt for it.
    Kept { state: Hex, keys: Hex, now: u64, delivery: Hex, receipt: Hex },
    /// A code as somebody types it.
    Code { text: String },
    /// A run of a code: what both sides draw, and the element that the host is sent instead of the joiner's, if it is another.
    CodeRun { code: String, host: NodeId, joiner: NodeId, joiners_random: Hex, hosts_random: Hex, element: Option<Hex> },
    /// A joiner's proof as the host meets it, with the key of the run.
    CodeProof { key: Hex, proof: Hex },
    /// A host's grant as the joiner meets it, with the key of the run and the host's node.
    CodeGrant { key: Hex, grant: Hex, host: NodeId },
    /// Event, host's node, joiner's two public keys and node, as two people compare them.
    Words { event: EventId, host: NodeId, member: MemberPublic, joiner: NodeId },
    /// One group of a content.
    Group { size_bytes: u64, index: u64, hash: Hex, bytes: Hex },
    /// The hashes of all groups of a content.
    Groups { content: ContentId, size_bytes: u64, groups: Vec<Hex> },
    /// An embedding under a projection key. The permutation and the sign bits that the key gives are there to compare step by step.
    Embedding { embedding: Vec<f32>, mean: Vec<f32>, key: Hex, permutation: Hex, signs: Vec<Hex> },
}

/// Reads a frame and writes it again.
fn reread<M: Message>(frame: &[u8]) -> Result<String, String> {
    let message: M = decode(frame, M::MAX_BYTES).map_err(|error| format!("{error:?}"))?;
    assert_eq!(encode(&message, M::MAX_BYTES).unwrap(), frame, "it is written as it was read");
    Ok("read".to_owned())
}

fn state_of(state: &Hex, keys: &Hex) -> EventState {
    let mut state = EventState::from_bytes(&state.0).unwrap();
    state.set_keys(MemberKeys::from_bytes(keys.array()));
    state
}

fn said<T: std::fmt::Debug, E: std::fmt::Debug>(result: Result<T, E>) -> Result<String, String> {
    result.map(|value| format!("{value:?}")).map_err(|error| format!("{error:?}"))
}

impl Input {
    /// What this implementation makes of it.
    pub fn outcome(&self) -> Result<String, String> {
        match self {
            Self::Frame { message, frame } => match message.as_str() {
                "JoinRequest" => reread::<JoinRequest>(&frame.0),
                "JoinReply" => reread::<JoinReply>(&frame.0),
                "CodeAsk" => reread::<CodeAsk>(&frame.0),
                "CodeReply" => reread::<CodeReply>(&frame.0),
                "CodeProof" => reread::<CodeProof>(&frame.0),
                "CodeGrant" => reread::<CodeGrant>(&frame.0),
                "SyncRequest" => reread::<SyncRequest>(&frame.0),
                "SyncReply" => reread::<SyncReply>(&frame.0),
                "Push" => reread::<Push>(&frame.0),
                "Offer" => reread::<Offer>(&frame.0),
                "OfferReply" => reread::<OfferReply>(&frame.0),
                "PushReply" => reread::<PushReply>(&frame.0),
                "Receipt" => reread::<Receipt>(&frame.0),
                "FetchRequest" => reread::<FetchRequest>(&frame.0),
                "FetchReply" => reread::<FetchReply>(&frame.0),
                "RelayHello" => reread::<RelayHello>(&frame.0),
                "RelayWelcome" => reread::<RelayWelcome>(&frame.0),
                "Punch" => reread::<Punch>(&frame.0),
                "PunchNow" => reread::<PunchNow>(&frame.0),
                "KeepRequest" => reread::<KeepRequest>(&frame.0),
                "KeepReply" => reread::<KeepReply>(&frame.0),
                "DeputyRequest" => reread::<DeputyRequest>(&frame.0),
                "DeputyReply" => reread::<DeputyReply>(&frame.0),
                "Recall" => reread::<Recall>(&frame.0),
                "RecallReply" => reread::<RecallReply>(&frame.0),
                other => panic!("there is no message {other}"),
            },
            Self::RosterEntry { state, keys, entry } => {
                let entry: SignedRosterEntry = postcard::from_bytes(&entry.0).unwrap();
                said(state_of(state, keys).apply_roster(&entry))
            }
            Self::Record { state, keys, now, record } => {
                said(state_of(state, keys).receive(&record.0, UnixMillis(*now)))
            }
            Self::InviteLink { link, now } => said(Invite::parse(link).and_then(|invite| {
                invite.check_expiry(UnixMillis(*now))?;
                Ok(invite.event_name)
            })),
            Self::JoinProof { request, secret, host, joiner } => {
                let request: JoinRequest = decode(&request.0, JoinRequest::MAX_BYTES).unwrap();
                said(request.verify_proof(&secret.array(), host, joiner))
            }
            Self::RelayProof { hello, token, relay, node } => {
                let hello: RelayHello = decode(&hello.0, RelayHello::MAX_BYTES).unwrap();
                said(hello.verify_proof(token, relay, node))
            }
            Self::Kept { state, keys, now, delivery, receipt } => {
                let delivery: SealedDelivery = postcard::from_bytes(&delivery.0).unwrap();
                let opened = || {
                    delivery.verify(&state_of(state, keys))?;
                    delivery.check_time(UnixMillis(*now))?;
                    let letter = delivery.open(&MemberKeys::from_bytes(keys.array()))?;
                    delivery.verify_receipt(&Signature(receipt.array()))?;
                    Ok::<_, inframe_protocol::keep::KeepError>(letter.media_type.clone())
                };
                said(opened())
            }
            Self::Code { text } => said(JoinCode::parse(text).map(|code| format!("{} {code}", code.selector()))),
            Self::CodeRun { code, host, joiner, joiners_random, hosts_random, element } => {
                let code = JoinCode::parse(code).unwrap();
                let joiners = CodeRun::joiner_with(&code, host, joiner, &joiners_random.array());
                let hosts = CodeRun::host_with(&code, host, joiner, &hosts_random.array());
                let to_host = element.as_ref().map_or(joiners.element(), Hex::array);
                let shown = [joiners.element(), hosts.element()].map(|element| HEXLOWER.encode(&element)).join(" ");
                let key = hosts.finish(&to_host).map_err(|error| format!("{error:?}"))?;
                Ok(format!("{shown} {}", HEXLOWER.encode(&key.to_bytes()[..])))
            }
            Self::CodeProof { key, proof } => {
                let proof: CodeProof = decode(&proof.0, CodeProof::MAX_BYTES).unwrap();
                said(CodeKey::from_bytes(key.array()).verify(&proof))
            }
            Self::CodeGrant { key, grant, host } => match decode(&grant.0, CodeGrant::MAX_BYTES).unwrap() {
                CodeGrant::Granted(granted) => {
                    said(CodeKey::from_bytes(key.array()).open(&granted, host).map(|invite| invite.event_name))
                }
                wrong @ CodeGrant::Wrong(_) => Err(format!("{wrong:?}")),
            },
            Self::Words { event, host, member, joiner } => {
                Ok(format!("{:?}", verification_words(*event, host, member, joiner)))
            }
            Self::Group { size_bytes, index, hash, bytes } => {
                said(verify_group(&hash.array(), *size_bytes, *index, &bytes.0))
            }
            Self::Groups { content, size_bytes, groups } => {
                let groups = groups.iter().map(Hex::array).collect();
                said(GroupList::verify(*content, *size_bytes, groups).map(|list| list.count()))
            }
            Self::Embedding { embedding, mean, key, permutation, signs } => {
                let projection = Projection::new(&ProjectionKey(key.array()));
                assert_eq!(projection.permutation().as_slice(), permutation.0);
                assert!(
                    projection
                        .signs()
                        .iter()
                        .map(|round| round.as_slice())
                        .eq(signs.iter().map(|hex| hex.0.as_slice()))
                );
                let template = projection.project(embedding, mean).map_err(|error| format!("{error:?}"))?;
                Ok(HEXLOWER.encode(&template.0))
            }
        }
    }
}

/// An input with the outcome that it has now.
fn case(what: &str, rule: Option<u32>, input: Input) -> Case {
    let outcome = input.outcome();
    Case { what: what.to_owned(), rule: rule.map(|rule| format!("R{rule}")), input, outcome }
}

fn frame<M: Message>(name: &str, message: &M) -> Input {
    Input::Frame { message: name.to_owned(), frame: Hex(encode(message, M::MAX_BYTES).unwrap()) }
}

/// An embedding with the intermediate values of its key.
fn embedding(embedding: Vec<f32>, mean: Vec<f32>, key: [u8; 32]) -> Input {
    let projection = Projection::new(&ProjectionKey(key));
    Input::Embedding {
        embedding,
        mean,
        key: Hex(key.to_vec()),
        permutation: Hex(projection.permutation().to_vec()),
        signs: projection.signs().iter().map(|round| Hex(round.to_vec())).collect(),
    }
}

/// Coordinates that are whole multiples of 1/4096, so that their decimal form is exact.
fn face(seed: u8, coordinates: usize) -> Vec<f32> {
    let mut bytes = vec![0; coordinates];
    blake3::Hasher::new().update(&[seed]).finalize_xof().fill(&mut bytes);
    bytes.iter().map(|byte| (f32::from(*byte) - 128.0) / 1_024.0).collect()
}

fn templates() -> Vec<(String, Case)> {
    let key = |seed: u8| *blake3::hash(&[seed]).as_bytes();
    let mut cases = Vec::new();
    for (name, what, seed, coordinates, key_seed) in [
        ("one_face", "a face of 128 coordinates", 1, 128, 1),
        ("same_face_other_key", "the same face in another event", 1, 128, 2),
        ("other_face", "another face under the first key", 2, 128, 1),
        ("longest", "as many coordinates as fit", 3, 255, 1),
        ("shortest", "one coordinate", 4, 1, 1),
    ] {
        let mean = face(100, coordinates).into_iter().map(|value| value / 2.0).collect();
        let input = embedding(face(seed, coordinates), mean, key(key_seed));
        cases.push((format!("template/{name}"), case(what, None, input)));
    }
    cases
}

/// Every case with the name of its file.
pub fn all_cases() -> Vec<(String, Case)> {
    [templates(), accepted::cases(), refused::cases(), protections::cases(), deputies::cases()].concat()
}
