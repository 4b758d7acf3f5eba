//! Invites: the link and QR code with which a node or a guest asks to join an event.
//!
//! `inframe://join/` and base64url of: one byte of version, the fields in postcard, four bytes of a BLAKE3 checksum over both. A link to a guest page can
//! carry one as well, in the form of [`web`].

pub mod web;

use std::fmt;

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::fixed_bytes;
use crate::frame::{FrameError, from_canonical, to_canonical};
use crate::ids::{EventId, InviteId, NodeId, UnixMillis};
use crate::limits::{MAX_EVENT_NAME_BYTES, MAX_INVITE_LINK_CHARS};
use crate::text::{FieldError, check_addresses, check_name};

/// What a link begins with.
pub const LINK_PREFIX: &str = "inframe://join/";
/// Version of the fields.
const VERSION: u8 = 1;
/// Bytes of the checksum: it finds mistakes of copying, not attacks.
const CHECKSUM_BYTES: usize = 4;

/// Why a text is not a valid invite.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InviteError {
    /// Something else altogether.
    #[error("this is not an invite: an invite begins with inframe://join/, or is the link of a host's guest page")]
    NotAnInvite,
    /// A link to a guest page without an invite.
    #[error("this link is for phones: ask the host for one for members")]
    GuestsOnly,
    /// R6: the end is missing.
    #[error("the invite is cut off: copy the whole link")]
    Incomplete,
    /// R6: some characters are wrong.
    #[error("the invite is damaged: copy the link again or scan the code again")]
    Damaged,
    /// Made by a later version of the program.
    #[error("the invite was made by a newer version of Inframe: update first")]
    NewerVersion,
    /// R7: its time is over.
    #[error("the invite has expired: ask the host for a new one")]
    Expired,
    /// A field breaks its limit.
    #[error("the invite holds something that is not allowed: {0}")]
    Field(#[from] FieldError),
}

/// An invite to an event. Whoever holds it can ask to join, so it is a secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invite {
    /// The event.
    pub event: EventId,
    /// Its name when the invite was made, shown before joining.
    pub event_name: String,
    /// The node that admits.
    pub host: NodeId,
    /// Where that node may be reached: multiaddresses.
    pub addresses: Vec<String>,
    /// Which invite this is, for the host.
    pub id: InviteId,
    /// Proof that one was invited.
    #[serde(with = "fixed_bytes")]
    pub secret: [u8; 32],
    /// When it ends.
    pub expires: UnixMillis,
}

impl fmt::Debug for Invite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invite")
            .field("event", &self.event)
            .field("host", &self.host)
            .field("id", &self.id)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

impl Invite {
    /// R4, R5: checks the fields.
    ///
    /// # Errors
    /// The first that breaks its limit.
    pub fn check(&self) -> Result<(), FieldError> {
        check_name("event_name", &self.event_name, MAX_EVENT_NAME_BYTES)?;
        check_addresses(&self.addresses)
    }

    /// The link.
    ///
    /// # Errors
    /// A field breaks its limit.
    pub fn to_link(&self) -> Result<String, InviteError> {
        self.check()?;
        let mut bytes = Zeroizing::new(vec![VERSION]);
        bytes.extend_from_slice(&Zeroizing::new(to_canonical(self).map_err(|_| InviteError::Damaged)?));
        let sum = checksum(&bytes);
        bytes.extend_from_slice(&sum);
        Ok(format!("{LINK_PREFIX}{}", BASE64URL_NOPAD.encode(&bytes)))
    }

    /// Reads a link as people paste it, of an invite or of a guest page that carries one: white space anywhere in it (broken lines) is ignored.
    ///
    /// # Errors
    /// What is wrong with it, worded for the person who pasted it. The expiry is not looked at: see [`Invite::check_expiry`].
    pub fn parse(text: &str) -> Result<Self, InviteError> {
        // A little slack for white space, and no work at all on a pasted book.
        if text.len() > 2 * MAX_INVITE_LINK_CHARS {
            return Err(InviteError::NotAnInvite);
        }
        let link: Zeroizing<String> = Zeroizing::new(text.chars().filter(|c| !c.is_whitespace()).collect());
        let Some(code) = link.strip_prefix(LINK_PREFIX) else {
            return Self::parse_web(&link);
        };
        let bytes = Zeroizing::new(decode_base64(code)?);
        let (version, _) = bytes.split_first().ok_or(InviteError::Incomplete)?;
        if *version > VERSION {
            return Err(InviteError::NewerVersion);
        }
        if *version < VERSION {
            return Err(InviteError::Damaged);
        }
        let (summed, sum) = bytes.split_last_chunk::<CHECKSUM_BYTES>().ok_or(InviteError::Incomplete)?;
        let fields = summed.get(1..).ok_or(InviteError::Incomplete)?;
        let invite = from_canonical::<Self>(fields);
        if checksum(summed) != *sum {
            // Fields that end too early were cut off; fields that end well or late have a wrong character somewhere.
            let cut_off = invite == Err(FrameError::CutOff);
            return Err(if cut_off { InviteError::Incomplete } else { InviteError::Damaged });
        }
        let invite = invite.map_err(|_| InviteError::Damaged)?;
        invite.check()?;
        Ok(invite)
    }

    /// R7: refuses an invite whose time is over.
    ///
    /// # Errors
    /// It is.
    pub fn check_expiry(&self, now: UnixMillis) -> Result<(), InviteError> {
        if now >= self.expires { Err(InviteError::Expired) } else { Ok(()) }
    }
}

/// Decodes base64url; a last character that stands alone was cut off from its neighbour.
fn decode_base64(code: &str) -> Result<Vec<u8>, InviteError> {
    BASE64URL_NOPAD.decode(code.as_bytes()).map_err(|_| {
        let all_known = code.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_');
        // With two or three characters over, left-over bits that are not zero also mean that a character is missing.
        if all_known && !code.len().is_multiple_of(4) { InviteError::Incomplete } else { InviteError::Damaged }
    })
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let [a, b, c, d, ..] = blake3::derive_key("inframe 1 invite checksum", bytes);
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn invite() -> Invite {
        Invite {
            event: EventId([1; 32]),
            event_name: "Zoë and Max".to_owned(),
            host: NodeId::new([2; 38]).unwrap(),
            addresses: vec!["/ip4/192.168.1.20/tcp/7412".to_owned()],
            id: InviteId([3; 8]),
            secret: [4; 32],
            expires: UnixMillis(1_000),
        }
    }

    #[test]
    fn a_link_is_short_enough_for_a_small_code() {
        let link = invite().to_link().unwrap();
        assert!(link.len() < 260, "{} characters", link.len());
        assert_eq!(Invite::parse(&link).unwrap(), invite());
    }

    #[test]
    fn white_space_of_mail_programs_is_ignored() {
        let link = invite().to_link().unwrap();
        let (start, end) = link.split_at(80);
        assert_eq!(Invite::parse(&format!("  {start}\r\n {end}\n")).unwrap(), invite());
    }

    #[test]
    fn r6_every_shorter_link_is_incomplete() {
        let link = invite().to_link().unwrap();
        for end in LINK_PREFIX.len()..link.len() {
            assert_eq!(Invite::parse(&link[..end]), Err(InviteError::Incomplete), "{end}");
        }
        assert_eq!(Invite::parse(""), Err(InviteError::NotAnInvite));
        assert_eq!(Invite::parse("https://example.org/"), Err(InviteError::NotAnInvite));
        assert_eq!(Invite::parse(&link.replace("inframe", "Inframe")), Err(InviteError::NotAnInvite));
    }

    #[test]
    fn r6_any_wrong_character_is_found() {
        let link = invite().to_link().unwrap();
        // The first character holds the version.
        for at in LINK_PREFIX.len() + 2..link.len() {
            let mut changed = link.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let parsed = Invite::parse(&String::from_utf8(changed).unwrap());
            assert!(matches!(parsed, Err(InviteError::Damaged | InviteError::Incomplete)), "{at}: {parsed:?}");
        }
        assert_eq!(Invite::parse(&format!("{link}!")), Err(InviteError::Damaged));
        assert!(Invite::parse(&format!("{link}AAAA")).is_err());
    }

    #[test]
    fn a_newer_version_is_told_apart() {
        let mut bytes = BASE64URL_NOPAD.decode(&invite().to_link().unwrap().as_bytes()[LINK_PREFIX.len()..]).unwrap();
        bytes[0] = 2;
        let link = format!("{LINK_PREFIX}{}", BASE64URL_NOPAD.encode(&bytes));
        assert_eq!(Invite::parse(&link), Err(InviteError::NewerVersion));
    }

    #[test]
    fn r6_there_was_no_version_before_the_first() {
        let mut bytes = BASE64URL_NOPAD.decode(&invite().to_link().unwrap().as_bytes()[LINK_PREFIX.len()..]).unwrap();
        bytes.truncate(bytes.len() - CHECKSUM_BYTES);
        bytes[0] = 0;
        let sum = checksum(&bytes);
        bytes.extend(sum);
        let link = format!("{LINK_PREFIX}{}", BASE64URL_NOPAD.encode(&bytes));
        assert_eq!(Invite::parse(&link), Err(InviteError::Damaged));
    }

    #[test]
    fn d7_a_pasted_book_is_not_looked_at() {
        let link = invite().to_link().unwrap();
        let spaces = |count: usize| format!("{}{link}", " ".repeat(count));
        assert_eq!(Invite::parse(&spaces(2 * MAX_INVITE_LINK_CHARS - link.len())).unwrap(), invite());
        let longer = spaces(2 * MAX_INVITE_LINK_CHARS - link.len() + 1);
        assert_eq!(Invite::parse(&longer), Err(InviteError::NotAnInvite));
        // The fullest invite fits.
        let full = Invite {
            event_name: "a".repeat(MAX_EVENT_NAME_BYTES),
            host: NodeId::new([2; 64]).unwrap(),
            addresses: vec![format!("/{}", "a".repeat(127)); 8],
            expires: UnixMillis(u64::MAX),
            ..invite()
        };
        let link = full.to_link().unwrap();
        assert!(link.len() <= MAX_INVITE_LINK_CHARS, "{}", link.len());
        assert_eq!(Invite::parse(&link).unwrap(), full);
    }

    #[test]
    fn r7_an_invite_ends() {
        assert_eq!(invite().check_expiry(UnixMillis(999)), Ok(()));
        assert_eq!(invite().check_expiry(UnixMillis(1_000)), Err(InviteError::Expired));
    }

    #[test]
    fn d3_debug_prints_no_secret() {
        let shown = format!("{:?}", invite());
        assert!(!shown.contains("0404") && !shown.contains("4, 4") && !shown.contains("Max"), "{shown}");
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_without_a_panic(text in ".{0,300}") {
            prop_assert!(Invite::parse(&text).is_err());
            let link = format!("{LINK_PREFIX}{text}");
            prop_assert!(Invite::parse(&link).is_err());
        }

        #[test]
        fn any_bytes_are_parsed_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut bytes = bytes;
            bytes.insert(0, VERSION);
            let sum = checksum(&bytes);
            bytes.extend(sum);
            let _ = Invite::parse(&format!("{LINK_PREFIX}{}", BASE64URL_NOPAD.encode(&bytes)));
        }
    }
}
