//! What `Debug` shows of every type that holds a secret, a face or a link that lets somebody in: `secrets.txt`, to be read before it is changed.
//! That no other type derives it is held by a rule about the source tree (`tests/tests/source_tree.rs`).

use std::fmt::{Debug, Write as _};

use inframe_models::{Embedding, Face, Pose, Quality, Rect};
use inframe_protocol::code::{CodeKey, CodeRun, JoinCode, OpenCode};
use inframe_protocol::invite::Invite;
use inframe_protocol::keys::{EpochGrant, EventKey, MemberKeys, Signature};
use inframe_protocol::record::{Contact, FindMe, RecordBody, Subject};
use inframe_protocol::relay::RelayProof;
use inframe_protocol::template::{Projection, ProjectionKey, Template};
use inframe_protocol::{EventId, FindMeId, InviteId, MemberId, NodeId, UnixMillis};

use crate::cli::Ready;
use crate::door::{NewWay, Secret, SlotChange};
use crate::events::{IssuedInvite, IssuedLink, Joining, ShownCode};
use crate::faces::challenge::Frame;
use crate::faces::{Likable, ProfileId, StoredFace, StoredFaces, StoredProfile, StoredSelfie};
use crate::guest::{
    Guests, SealKey, StoredGuest, StoredGuestSelfie, StoredPage, StoredRemoval, StoredUpload, UploadState,
};
use crate::library::{AssetId, GuestId};
use crate::network::{NetworkConfig, RelayWish};
use crate::people::StoredPerson;
use crate::sandbox::EnrolledFace;
use crate::settings::{NoticeForm, NoticeReceiver};
use crate::vault::{Batch, KeyFile, Keys, Kind, Passphrase, RecoveryPhrase, Secret32, Unlock};
use crate::views::{
    CodeView, ContactView, GuestLinkView, GuestWifiBody, GuestWifiView, InviteView, JoinBody, NoticeReceiverBody,
    RelayBody,
};
use crate::web::guard::secret::WebSecret;
use crate::web::{LaunchLinkView, RecoveryWordsView, StoredSession};

/// A byte of every secret: 171 in decimal, `ab` in hex.
const BYTE: u8 = 0xab;
/// Stands in every text that is a secret.
const CANARY: &str = "canary";
/// A coordinate of every face.
const NUMBER: f32 = 0.171_717;

fn passphrase() -> Passphrase {
    Passphrase::typed("a canary in a quiet harbour").unwrap()
}

/// All of one byte: known, so that its words could be recognised.
fn phrase() -> RecoveryPhrase {
    RecoveryPhrase::typed(&format!("{}{CANARY_WORD}", "abandon ".repeat(23))).unwrap()
}

/// The last of the 24 words for nothing but zeros.
const CANARY_WORD: &str = "art";

fn face() -> Face {
    let quality = Quality { width_px: 100.0, sharpness: 50.0, frontality: 1.0, score: 0.5 };
    let rect = Rect { x: 1.0, y: 2.0, w: 3.0, h: 4.0 };
    Face { rect, score: 0.9, landmarks: Vec::new(), quality, embedding: Embedding(vec![NUMBER; 4]) }
}

fn protocol() -> Vec<Box<dyn Debug>> {
    let (code, key) = (JoinCode::parse("17 117 117").unwrap(), CodeKey::from_bytes([BYTE; 32]));
    let host = NodeId::new([2; 38]).unwrap();
    let find_me = FindMe {
        id: FindMeId([1; 16]),
        pack: "pack".into(),
        template: Template([BYTE; 64]),
        subject: Subject::Me,
        live: true,
        expires: UnixMillis(7),
        still: vec![BYTE; 8],
        label: CANARY.into(),
    };
    vec![
        Box::new(EventKey::from_seed([BYTE; 32])),
        Box::new(MemberKeys::from_bytes([BYTE; 64])),
        Box::new(EpochGrant { secret: [BYTE; 32], projection: [BYTE; 32] }),
        Box::new(ProjectionKey([BYTE; 32])),
        Box::new(Projection::new(&ProjectionKey([BYTE; 32]))),
        Box::new(Template([BYTE; 64])),
        Box::new(Signature([BYTE; 64])),
        Box::new(Invite {
            event: EventId([1; 32]),
            event_name: CANARY.into(),
            host: NodeId::new([2; 38]).unwrap(),
            addresses: vec![CANARY.into()],
            id: InviteId([3; 8]),
            secret: [BYTE; 32],
            expires: UnixMillis(7),
        }),
        Box::new(code.clone()),
        Box::new(key.prove()),
        Box::new(CodeRun::of_joiner(&code, &host, &host).unwrap()),
        Box::new(key.clone()),
        Box::new(find_me.clone()),
        Box::new(RecordBody::FindMe(find_me)),
        Box::new(RecordBody::Contact(Contact { name: CANARY.into(), email: CANARY.into() })),
    ]
}

fn vault() -> Vec<Box<dyn Debug>> {
    let mut batch = Batch::default();
    batch.put(Kind::Settings, [BYTE; 8], vec![BYTE; 8]);
    vec![
        Box::new(Secret32::new([BYTE; 32])),
        Box::new(Keys::of_master([BYTE; 32])),
        Box::new(passphrase()),
        Box::new(phrase()),
        Box::new(Unlock::Passphrase(passphrase())),
        Box::new(Unlock::Recovery(phrase())),
        Box::new(Unlock::KeyFile(KeyFile::at("/k/key"))),
        Box::new(Secret::Passphrase(passphrase())),
        Box::new(Secret::Recovery(phrase())),
        Box::new(SlotChange::Add(NewWay::Passphrase(passphrase()))),
        Box::new(SlotChange::Replace(NewWay::Recovery(phrase()))),
        Box::new(batch),
        Box::new(NetworkConfig { seed: Secret32::new([BYTE; 32]), listen: Vec::new(), mdns: false }),
    ]
}

fn faces() -> Vec<Box<dyn Debug>> {
    let stored = StoredFace { rect: [0.0; 4], width_px: 100.0, quality: 0.5, embedding: vec![NUMBER; 4], at_ms: None };
    let pose = Pose { yaw: 0.0, pitch: 0.0, roll: 0.0 };
    let (still, pack) = (vec![BYTE; 8], "pack".to_owned());
    vec![
        Box::new(Embedding(vec![NUMBER; 4])),
        Box::new(face()),
        Box::new(stored.clone()),
        Box::new(StoredFaces { pack: pack.clone(), faces: vec![stored] }),
        Box::new(StoredSelfie {
            pack: pack.clone(),
            embedding: vec![NUMBER; 4],
            still: still.clone(),
            quality: 0.5,
            at: 7,
            profile: ProfileId::ME,
            live: true,
            source: still.clone(),
        }),
        Box::new(StoredProfile { name: CANARY.into(), at: 7 }),
        Box::new(StoredPerson { name: Some(CANARY.into()), hidden: false, cover: None, kept: true, skipped: false }),
        Box::new(Likable { embedding: vec![NUMBER; 4], still: still.clone(), live: true }),
        Box::new(Frame {
            pose,
            embedding: Embedding(vec![NUMBER; 4]),
            quality: 0.5,
            still: still.clone(),
            source: still.clone(),
            pack: pack.clone(),
        }),
        Box::new(EnrolledFace { pack, face: face(), still: still.clone(), source: still }),
    ]
}

fn doors() -> Vec<Box<dyn Debug>> {
    let link = format!("inframe:{CANARY}");
    let id = InviteId([3; 8]);
    let code = JoinCode::parse("17 117 117").unwrap();
    vec![
        Box::new(WebSecret::random().unwrap()),
        Box::new(StoredSession {
            hash: [1; 32],
            opened_at: 1,
            used_at: 2,
            browser: "Firefox".into(),
            noted: true,
            from: None,
        }),
        Box::new(LaunchLinkView { url: link.clone(), fingerprint: None }),
        Box::new(RecoveryWordsView { words: vec![CANARY.into()] }),
        Box::new(Ready {
            dashboard: "http://127.0.0.1:1".into(),
            launch: link.clone(),
            lan: None,
            socket: "/d/s".into(),
            locked: false,
            p2p: Vec::new(),
        }),
        Box::new(IssuedInvite {
            id,
            secret: [BYTE; 32],
            link: link.clone(),
            expires: 7,
            uses_left: 1,
            uses: 1,
            life_ms: 9,
            by_hand: false,
            by: None,
        }),
        Box::new(ShownCode { open: OpenCode::new(code.clone(), UnixMillis(7)), invite: id }),
        Box::new(IssuedLink {
            id,
            link: link.clone(),
            expires: 7,
            uses_left: 1,
            uses: 1,
            open: true,
            by_hand: false,
            by: None,
            joined: vec![(MemberId([1; 32]), CANARY.into())],
            waiting: 0,
        }),
        Box::new(Joining { link: link.clone(), problem: None, at: 7 }),
        Box::new(InviteView {
            id: "03".into(),
            link: link.clone(),
            qr_svg: link.clone(),
            expires_at: 7,
            uses_left: 1,
            uses: 1,
            open: true,
            by_hand: false,
            by: None,
            poster: false,
            joined: Vec::new(),
            waiting: 0,
        }),
        Box::new(CodeView {
            code: Some(code.to_string()),
            invite: "03".into(),
            state: "open".into(),
            ends_at: 7,
            guesses_left: 5,
        }),
        Box::new(ContactView { name: CANARY.into(), email: CANARY.into() }),
        Box::new(JoinBody { link: link.clone() }),
        Box::new(RelayProof([BYTE; 32])),
        Box::new(RelayWish { node: NodeId::new([2; 38]).unwrap(), address: "/a".into(), token: CANARY.into() }),
        Box::new(RelayBody { address: "/a".into(), token: CANARY.into() }),
        Box::new(NoticeReceiver {
            form: NoticeForm::Ntfy,
            address: link.clone(),
            insecure: false,
            token: Some(CANARY.into()),
            names: true,
        }),
        Box::new(NoticeReceiverBody {
            form: "ntfy".into(),
            address: link,
            token: Some(CANARY.into()),
            insecure: false,
            names: true,
        }),
    ]
}

fn guests() -> Vec<Box<dyn Debug>> {
    let (event, guest) = (EventId([1; 32]), GuestId([2; 16]));
    let page = Guests::new_page(7, 7).unwrap();
    let (name, state) = (CANARY.to_owned(), UploadState::Coming);
    let upload = StoredUpload { event, guest, name: name.clone(), size_bytes: 9, state, at: 7, changed_at: 7 };
    vec![
        Box::new(StoredPage { on: true, token: [BYTE; 16], key: SealKey([BYTE; 32]), ..page }),
        Box::new(StoredGuest { event, secret: [BYTE; 32], name: name.clone(), at: 7, blocked: false }),
        Box::new(upload),
        Box::new(StoredGuestSelfie {
            event,
            pack: "pack".into(),
            embedding: vec![NUMBER; 4],
            still: vec![BYTE; 8],
            at: 7,
        }),
        Box::new(StoredRemoval { event, guest, asset: AssetId([1; 16]), reason: name.clone(), at: 7, done: false }),
        Box::new(GuestLinkView { address: "10.0.0.1:1".into(), link: name.clone(), qr_svg: name.clone() }),
        Box::new(GuestWifiView { name: "Barn".into(), password: name.clone(), qr_svg: name.clone() }),
        Box::new(GuestWifiBody { name: "Barn".into(), password: name, keep: true }),
    ]
}

#[test]
fn d3_debug_shows_nothing_of_a_secret() {
    let mut shown = String::new();
    let all =
        [("protocol", protocol()), ("vault", vault()), ("faces", faces()), ("doors", doors()), ("guests", guests())];
    for (what, values) in all {
        writeln!(shown, "# {what}").unwrap();
        for value in values {
            let (plain, pretty) = (format!("{value:?}"), format!("{value:#?}"));
            writeln!(shown, "{plain}").unwrap();
            // Only where it is laid out over lines.
            if pretty != plain {
                writeln!(shown, "{pretty}").unwrap();
            }
        }
    }
    for secret in ["171", "117", "ab, ab", "abab", "0.17", CANARY, CANARY_WORD, "abandon", "harbour"] {
        let line = shown.lines().find(|line| line.to_lowercase().contains(secret));
        assert!(line.is_none(), "{secret} is shown: {line:?}");
    }
    assert!(shown == include_str!("secrets.txt"), "Debug shows something else than secrets.txt says:\n{shown}");
}
