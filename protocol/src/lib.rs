//! What Inframe nodes say to each other: ids, keys, invites, the event's roster and records, templates, offers and transfer framing.
//!
//! The crate is pure. It opens no socket and no file, spawns no task and reads no clock: bytes and the time go in, values and bytes come
//! out. The only thing it takes from the machine is randomness for fresh keys and nonces. `SPEC.md` beside it numbers every rule (R1, R2,
//! ...); the number stands at the check and in the test that holds it. `vectors/` holds one file for each broken rule.
//!
//! The way of a message: bytes from a peer go through [`frame::decode`], which refuses what is too long, not canonical or out of its
//! limits ([`limits`]); records then go through the stages [`record`], so that no
//! check can be skipped; [`event::EventState`] holds what was applied and says what it means.
//!
//! A host makes an event and admits Ann; her node learns the roster and tells the host's node where to reach her:
//!
//! ```
//! use inframe_protocol::event::{Change, EventState};
//! use inframe_protocol::keys::{EventKey, MemberKeys};
//! use inframe_protocol::record::RecordBody;
//! use inframe_protocol::roster::{Joining, NewEvent, RosterWriter};
//! use inframe_protocol::{NodeId, UnixMillis};
//!
//! let now = UnixMillis(1_767_225_600_000);
//! let (event_key, host_keys, ann_keys) = (EventKey::generate()?, MemberKeys::generate()?, MemberKeys::generate()?);
//!
//! let mut host = EventState::new(event_key.event_id());
//! host.set_keys(host_keys.clone());
//! let event = NewEvent {
//!     name: "Wedding".into(),
//!     starts: None,
//!     ends: None,
//!     host: host_keys.public(),
//!     node: NodeId::new([1; 38])?,
//!     nickname: "Ben".into(),
//! };
//! let (created, grant) = RosterWriter::create(&event_key, event, now)?;
//! host.apply_roster(&created)?;
//! let (node, nickname) = (NodeId::new([2; 38])?, "Ann".into());
//! let joining = Joining { member: ann_keys.public(), node, nickname, invite: None };
//! let joined = RosterWriter::new(&event_key, host.roster())?.admit(&grant, joining, now)?;
//! host.apply_roster(&joined)?;
//!
//! let mut ann = EventState::new(event_key.event_id());
//! ann.set_keys(ann_keys.clone());
//! for entry in host.missing_for(&ann.vector()).roster {
//!     ann.apply_roster(&entry)?;
//! }
//! let profile = RecordBody::Profile { nickname: "Ann".into(), addresses: vec!["/ip4/10.0.0.2/tcp/7412".into()] };
//! let (record, _) = ann.write(profile, now)?;
//! assert_eq!(host.receive(&record, now)?, [Change::ProfileChanged(ann_keys.member_id())]);
//! assert_eq!(host.vector(), ann.vector());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod aead;
mod fixed_bytes;

pub mod allowance;
pub mod code;
pub mod deputy;
pub mod event;
pub mod fetch;
pub mod frame;
pub mod groups;
pub mod ids;
pub mod invite;
pub mod join;
pub mod keep;
pub mod keys;
pub mod limits;
pub mod offer;
pub mod push;
pub mod recall;
pub mod record;
pub mod relay;
pub mod roster;
pub mod sync;
pub mod template;
pub mod text;
pub mod verification;

pub use ids::{ContentId, EventId, FindMeId, InviteId, MemberId, NodeId, OfferId, ProtectionId, UnixMillis};
