//! Whom a node keeps connected and whom it syncs with: decisions that depend on nothing but the event, so that a simulation of a thousand
//! members runs the very ones that the daemon runs.
//!
//! A small event is a full mesh. In a large one each member keeps six others connected, drawn by a hash of the event and both ids; with those
//! who drew it, it has twelve neighbours on average. Such a graph is connected and four or five steps wide at a thousand members, stays so
//! when a fifth of them is away, and changes in a few places only when somebody joins.

use super::EventState;
use crate::ids::{MemberId, NodeId, UnixMillis};

/// Members up to which everybody keeps everybody connected.
pub const FULL_MESH_MEMBERS: usize = 50;
/// Members that each keeps connected in a larger event.
pub const KEPT_NEIGHBOURS: usize = 6;
/// Members that are tried for that, when many are away.
pub const TRIED_NEIGHBOURS: usize = 24;
/// Connected members up to which a round of syncs is with all of them.
pub const SYNC_WITH_ALL: usize = 12;
/// Members that a round of syncs is with otherwise.
pub const SYNC_PARTNERS: usize = 3;
/// Members whom a node tells at once that its roster has changed.
const TOLD_OF_ROSTER: usize = 12;
/// Milliseconds from one round of syncs to the next.
pub const SYNC_EVERY_MS: u64 = 60_000;
/// Milliseconds that a large event's new epoch has to spread before its members write anew. What comes before the epoch is dropped, and would
/// have to be asked for.
pub const EPOCH_SPREADS_MS: u64 = 10_000;
/// Milliseconds over which the members of a large event write anew, each at its own moment.
pub const WRITE_ANEW_WITHIN_MS: u64 = 20_000;

/// Derives the order in which a member draws its neighbours.
const NEIGHBOURS_CONTEXT: &str = "inframe 1 neighbours";

/// Derives the order in which a member tells others of a roster.
const TOLD_CONTEXT: &str = "inframe 1 told of a roster";

/// The place of another member in this member's order.
fn rank(key: &[u8; 32], other: &MemberId) -> u64 {
    let hash = blake3::keyed_hash(key, other.as_bytes());
    hash.as_bytes().first_chunk().map_or(0, |first| u64::from_le_bytes(*first))
}

impl EventState {
    fn order_key(&self, me: &MemberId) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_derive_key(NEIGHBOURS_CONTEXT);
        hasher.update(self.event().as_bytes()).update(me.as_bytes());
        *hasher.finalize().as_bytes()
    }

    /// Whether the event is so large that not everybody is connected to everybody.
    pub fn is_sparse(&self) -> bool {
        self.roster().members().len() > FULL_MESH_MEMBERS
    }

    /// The nodes that this member keeps connected: everybody's in a small event. In a large one the first six of its order that are connected,
    /// and those before them, who may come back. None for whoever is no member.
    pub fn neighbours(&self, is_connected: impl Fn(&NodeId) -> bool) -> Vec<NodeId> {
        let Some(me) = self.me().filter(|me| self.member(me).is_some()) else { return Vec::new() };
        let others = self.members().filter(|member| member.id() != me);
        if !self.is_sparse() {
            return others.map(|member| member.node.clone()).collect();
        }
        let key = self.order_key(&me);
        let mut ranked: Vec<(u64, &NodeId)> =
            others.map(|member| (rank(&key, &member.public.sign), &member.node)).collect();
        ranked.sort_unstable();
        let mut connected = 0;
        let kept = ranked.into_iter().take(TRIED_NEIGHBOURS).take_while(|(_, node)| {
            let goes_on = connected < KEPT_NEIGHBOURS;
            connected += usize::from(is_connected(node));
            goes_on
        });
        kept.map(|(_, node)| node.clone()).collect()
    }

    /// Whom of these connected nodes this member tells at once of the roster that is here now. Each roster draws others: a member who is told by
    /// none of them of one entry hears of the next.
    pub fn told_of_roster(&self, connected: impl IntoIterator<Item = NodeId>) -> Vec<NodeId> {
        let Some(me) = self.me() else { return Vec::new() };
        let mut hasher = blake3::Hasher::new_derive_key(TOLD_CONTEXT);
        hasher.update(&self.roster().head_hash()).update(me.as_bytes());
        let key = *hasher.finalize().as_bytes();
        let ranked = connected.into_iter().map(|node| (*blake3::keyed_hash(&key, node.as_bytes()).as_bytes(), node));
        let mut ranked: Vec<_> = ranked.collect();
        ranked.sort_unstable();
        ranked.into_iter().map(|(_, node)| node).take(TOLD_OF_ROSTER).collect()
    }

    /// Whether it is time for this member to write its records anew under the current epoch, or the milliseconds until then. The epoch's age is
    /// by the host's clock, which may be wrong: then it is time at once.
    ///
    /// # Errors
    /// The milliseconds that are left.
    pub fn may_write_anew(&self, now: UnixMillis) -> Result<(), u64> {
        let (Some(me), true, true) = (self.me(), self.is_sparse(), self.roster().epoch() > 0) else { return Ok(()) };
        let began = self.roster().epoch_at();
        let key = self.order_key(&me);
        let mine = u64::from(key[0]) * WRITE_ANEW_WITHIN_MS / 256;
        let wait = EPOCH_SPREADS_MS + mine;
        let age = now.0.saturating_sub(began.0);
        if now < began || age >= wait { Ok(()) } else { Err(wait - age) }
    }
}

/// Those of the connected members of an event, in any order, that a round of syncs is with: all of a few, and else three, others in each round.
pub fn sync_partners(mut connected: Vec<NodeId>, round: u64) -> Vec<NodeId> {
    let count = connected.len();
    if count <= SYNC_WITH_ALL {
        return connected;
    }
    connected.sort_unstable();
    let first = (round % count as u64) as usize * SYNC_PARTNERS % count;
    connected.rotate_left(first);
    connected.truncate(SYNC_PARTNERS);
    connected
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn node(number: u8) -> NodeId {
        NodeId::new([number; 38]).unwrap()
    }

    #[test]
    fn a_round_is_with_all_of_a_few_and_rounds_reach_everybody() {
        let few: Vec<_> = (0..12).map(node).collect();
        assert_eq!(sync_partners(few.clone(), 7), few);
        for count in [13_u8, 14, 15, 40] {
            let many: Vec<_> = (0..count).map(node).collect();
            let rounds = u64::from(count.div_ceil(3));
            let met: BTreeSet<_> = (0..rounds).flat_map(|round| sync_partners(many.clone(), round)).collect();
            assert_eq!(met.len(), usize::from(count), "{count}");
            assert!((0..99).all(|round| sync_partners(many.clone(), round).len() == SYNC_PARTNERS));
        }
    }
}
