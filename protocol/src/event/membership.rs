//! Who is a member now: whom the roster names, without those who said that they have left (R50).
//!
//! The host puts a leave down in the roster later, perhaps days later. Until then the leaver's own word counts, everywhere the same.

use super::EventState;
use crate::ids::{MemberId, NodeId, UnixMillis};
use crate::roster::Member;

impl EventState {
    /// The members who have not left, in the order of their ids.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.roster.members().filter(|member| !self.has_left(&member.id()))
    }

    /// The member of this id, unless removed or gone.
    pub fn member(&self, id: &MemberId) -> Option<&Member> {
        self.roster.member(id).filter(|_| !self.has_left(id))
    }

    /// The member whose node this is, unless removed or gone.
    pub fn member_by_node(&self, node: &NodeId) -> Option<&Member> {
        self.roster.member_by_node(node).filter(|member| !self.has_left(&member.id()))
    }

    /// The latest time of a record that another than `me` wrote, by its author's clock.
    pub fn newest_of_others(&self, me: &MemberId) -> Option<UnixMillis> {
        let others = self.logs.iter().filter(|(author, _)| *author != me);
        others.flat_map(|(_, log)| log.records().map(|record| record.header().at)).max()
    }

    /// R50: whether a member of the roster has said that they have left.
    pub fn has_left(&self, id: &MemberId) -> bool {
        self.logs.get(id).is_some_and(|log| log.has_left())
    }

    /// R50: those who have left and still stand in the roster: the host removes them. The host, who cannot be removed (R18), is none of them.
    pub fn leavers(&self) -> Vec<MemberId> {
        let host = self.roster.host().map(Member::id);
        let gone = self.roster.members().map(Member::id).filter(|id| self.has_left(id));
        gone.filter(|id| Some(*id) != host).collect()
    }
}
