//! The short form of an invite, which stands in a web link behind the guests' own part: the code that a phone's camera scans is the one with which a
//! node joins.
//!
//! `http://` or `https://`, the address of a guest page, `#`, the page's own part, `~`, and base32 of: one byte of version, the fields in postcard, four
//! bytes of a BLAKE3 checksum over both. Base32, because QR codes pack capital letters and digits more densely than small ones.

use core::net::{Ipv4Addr, Ipv6Addr};

use data_encoding::BASE32_NOPAD;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::{CHECKSUM_BYTES, Invite, InviteError};
use crate::fixed_bytes;
use crate::frame::{FrameError, from_canonical, to_canonical};
use crate::ids::{EventId, InviteId, NodeId, UnixMillis};

/// What stands before the short form.
pub const WEB_SEPARATOR: char = '~';
/// Version of the short form.
const VERSION: u8 = 1;
/// What stands before the Ed25519 key in the id of a node that has one.
const KEY_NODE: [u8; 6] = [0, 36, 8, 1, 18, 32];

/// A node's id without what is the same in all of them.
#[derive(Serialize, Deserialize)]
enum Node {
    Key([u8; 32]),
    Other(NodeId),
}

impl From<&NodeId> for Node {
    fn from(node: &NodeId) -> Self {
        let key = node.as_bytes().strip_prefix(&KEY_NODE).and_then(|key| key.try_into().ok());
        key.map_or_else(|| Self::Other(node.clone()), Self::Key)
    }
}

impl Node {
    fn full(&self) -> Result<NodeId, InviteError> {
        match self {
            Self::Key(key) => NodeId::new([&KEY_NODE[..], key].concat()).map_err(|_| InviteError::Damaged),
            Self::Other(node) => Ok(node.clone()),
        }
    }
}

/// An address: in as few bytes as it takes where it is of a usual kind.
#[derive(Serialize, Deserialize, PartialEq, Eq)]
enum Place {
    Text(String),
    Ip4([u8; 4], u16),
    Ip6([u8; 16], u16),
    Ip4Relay([u8; 4], u16, [u8; 32]),
    Ip6Relay([u8; 16], u16, [u8; 32]),
}

impl Place {
    /// Of an address that does not end in the host's own id.
    fn of(address: &str) -> Self {
        let usual = Self::usual(address).filter(|place| place.text() == address);
        usual.unwrap_or_else(|| Self::Text(address.to_owned()))
    }

    fn usual(address: &str) -> Option<Self> {
        let parts: Vec<&str> = address.split('/').collect();
        let (&["", kind, ip, "tcp", port], rest) = parts.split_first_chunk()? else { return None };
        let port = port.parse().ok()?;
        let relay = match rest {
            [] => None,
            ["p2p", relay, "p2p-circuit"] => {
                let id = bs58::decode(relay).into_vec().ok()?;
                Some(<[u8; 32]>::try_from(id.strip_prefix(&KEY_NODE)?).ok()?)
            }
            _ => return None,
        };
        Some(match (kind, relay) {
            ("ip4", None) => Self::Ip4(ip.parse::<Ipv4Addr>().ok()?.octets(), port),
            ("ip6", None) => Self::Ip6(ip.parse::<Ipv6Addr>().ok()?.octets(), port),
            ("ip4", Some(relay)) => Self::Ip4Relay(ip.parse::<Ipv4Addr>().ok()?.octets(), port, relay),
            ("ip6", Some(relay)) => Self::Ip6Relay(ip.parse::<Ipv6Addr>().ok()?.octets(), port, relay),
            _ => return None,
        })
    }

    fn text(&self) -> String {
        let (ip4, ip6) = (|ip: &[u8; 4]| Ipv4Addr::from(*ip), |ip: &[u8; 16]| Ipv6Addr::from(*ip));
        let relay = |key: &[u8; 32]| bs58::encode([&KEY_NODE[..], key].concat()).into_string();
        match self {
            Self::Text(text) => text.clone(),
            Self::Ip4(ip, port) => format!("/ip4/{}/tcp/{port}", ip4(ip)),
            Self::Ip6(ip, port) => format!("/ip6/{}/tcp/{port}", ip6(ip)),
            Self::Ip4Relay(ip, port, key) => format!("/ip4/{}/tcp/{port}/p2p/{}/p2p-circuit", ip4(ip), relay(key)),
            Self::Ip6Relay(ip, port, key) => format!("/ip6/{}/tcp/{port}/p2p/{}/p2p-circuit", ip6(ip), relay(key)),
        }
    }
}

/// The fields of the short form.
#[derive(Serialize, Deserialize)]
struct Short {
    event: EventId,
    event_name: String,
    host: Node,
    addresses: Vec<Place>,
    id: InviteId,
    #[serde(with = "fixed_bytes")]
    secret: [u8; 32],
    expires: UnixMillis,
}

impl Drop for Short {
    fn drop(&mut self) {
        self.secret.zeroize();
    }
}

impl Short {
    fn of(invite: &Invite) -> Self {
        Self {
            event: invite.event,
            event_name: invite.event_name.clone(),
            host: Node::from(&invite.host),
            addresses: invite.addresses.iter().map(|address| Place::of(without_owner(address))).collect(),
            id: invite.id,
            secret: invite.secret,
            expires: invite.expires,
        }
    }

    fn full(&self) -> Result<Invite, InviteError> {
        Ok(Invite {
            event: self.event,
            event_name: self.event_name.clone(),
            host: self.host.full()?,
            addresses: self.addresses.iter().map(Place::text).collect(),
            id: self.id,
            secret: self.secret,
            expires: self.expires,
        })
    }
}

/// An address without the id of the node at its end, which can only be the host's.
fn without_owner(address: &str) -> &str {
    let mut address = address;
    while let Some((start, _)) = address.rsplit_once('/')
        && let Some(before) = start.strip_suffix("/p2p").filter(|before| !before.is_empty())
    {
        address = before;
    }
    address
}

impl Invite {
    /// The short form, to stand in a web link behind [`WEB_SEPARATOR`]. The host's own id at the end of an address is left out of it.
    ///
    /// # Errors
    /// A field breaks its limit.
    pub fn to_web_part(&self) -> Result<String, InviteError> {
        self.check()?;
        let mut bytes = Zeroizing::new(vec![VERSION]);
        bytes.extend_from_slice(&Zeroizing::new(to_canonical(&Short::of(self)).map_err(|_| InviteError::Damaged)?));
        let sum = checksum(&bytes);
        bytes.extend_from_slice(&sum);
        Ok(BASE32_NOPAD.encode(&bytes))
    }

    /// R6: reads a link to a guest page, without white space, for the invite in its fragment. What stands before the fragment is looked at to know that
    /// it is one, and for nothing else.
    pub(super) fn parse_web(link: &str) -> Result<Self, InviteError> {
        let (page, fragment) = link.split_once('#').unwrap_or((link, ""));
        if !is_guest_page(page) {
            return Err(InviteError::NotAnInvite);
        }
        let (_, code) = fragment.split_once(WEB_SEPARATOR).ok_or(InviteError::GuestsOnly)?;
        let bytes = Zeroizing::new(decode_base32(code)?);
        let (version, _) = bytes.split_first().ok_or(InviteError::Incomplete)?;
        if *version > VERSION {
            return Err(InviteError::NewerVersion);
        }
        let (summed, sum) = bytes.split_last_chunk::<CHECKSUM_BYTES>().ok_or(InviteError::Incomplete)?;
        let (_, fields) = summed.split_first().ok_or(InviteError::Incomplete)?;
        let short = from_canonical::<Short>(fields);
        if checksum(summed) != *sum || *version < VERSION {
            let cut_off = matches!(short, Err(FrameError::CutOff));
            return Err(if cut_off { InviteError::Incomplete } else { InviteError::Damaged });
        }
        let invite = short.map_err(|_| InviteError::Damaged)?.full()?;
        invite.check()?;
        // One invite has one short form.
        let again = Zeroizing::new(to_canonical(&Short::of(&invite)).map_err(|_| InviteError::Damaged)?);
        if again.as_slice() == fields { Ok(invite) } else { Err(InviteError::Damaged) }
    }
}

/// `http(s)://HOST/g/TOKEN`, as guest pages have it.
fn is_guest_page(page: &str) -> bool {
    let Some((scheme, rest)) = page.split_once("://") else { return false };
    let is_web = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
    is_web && rest.split_once('/').is_some_and(|(host, path)| !host.is_empty() && path.starts_with("g/"))
}

/// Decodes base32; where the number of letters cannot be, some were cut off.
fn decode_base32(code: &str) -> Result<Vec<u8>, InviteError> {
    BASE32_NOPAD.decode(code.as_bytes()).map_err(|_| {
        let all_known = code.bytes().all(|c| c.is_ascii_uppercase() || matches!(c, b'2'..=b'7'));
        if all_known && !code.len().is_multiple_of(8) { InviteError::Incomplete } else { InviteError::Damaged }
    })
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let [a, b, c, d, ..] = blake3::derive_key("inframe 1 web invite checksum", bytes);
    [a, b, c, d]
}

#[cfg(test)]
mod tests;
