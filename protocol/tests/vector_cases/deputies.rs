//! One input for each way to break a rule of what co-hosts and the host's node say to each other.

use inframe_protocol::keys::{MemberKeys, MemberPublic};
use inframe_protocol::{EventId, MemberId, NodeId};

use super::accepted::invite;
use super::refused::raw_frame;
use super::{Case, Input, case};
use crate::party::{HOUR, START};

pub(super) fn cases() -> Vec<(String, Case)> {
    let keys = MemberKeys::from_bytes([4; 64]).public();
    let node = NodeId::new([2; 38]).unwrap();
    let of = |count: usize, nickname: &str, keys: MemberPublic| {
        let one = (keys, node.clone(), nickname.to_owned(), START);
        raw_frame("DeputyReply", &(0_u8, vec![one; count]))
    };
    let asked = |uses: u32, life_ms: u64| raw_frame("DeputyRequest", &(4_u8, EventId([7; 32]), uses, life_ms));
    let weak = MemberPublic { sign: MemberId([0; 32]), ..keys };
    let cases = [
        (72, "too_many", "51 who wait", of(51, "Guest", keys)),
        (72, "no_name", "somebody without a name", of(1, "", keys)),
        (72, "long_name", "a name of 65 bytes", of(1, &"x".repeat(65), keys)),
        (72, "weak_keys", "keys that everybody can sign for", of(1, "Guest", weak)),
        (72, "invites_too_many", "9 invites", raw_frame("DeputyReply", &(3_u8, vec![(invite(), 10_u32, 9_u32); 9]))),
        (72, "invite_for_nobody", "an invite for nobody", asked(0, HOUR)),
        (72, "invite_for_too_many", "an invite for 501", asked(501, HOUR)),
        (72, "invite_too_long", "an invite for 90 days and a bit", asked(1, 90 * 24 * HOUR + 1)),
    ];
    let named = |(rule, name, what, input): (u32, &str, &str, Input)| {
        (format!("refused/r{rule}_{name}"), case(what, Some(rule), input))
    };
    cases.into_iter().map(named).collect()
}
