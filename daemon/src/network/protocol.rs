//! The stream protocols that nodes speak.

/// One stream protocol; its name carries its version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// Asking to be admitted to an event; a stranger may use it.
    Join,
    /// Asking for an invite with a code that was read out; a stranger may use it, on the local network only.
    Code,
    /// Pulling the roster and records that are missing.
    Sync,
    /// Pushing new records to a connected member.
    Push,
    /// Offering a photo.
    Offer,
    /// Fetching a photo that was offered.
    Fetch,
    /// Asking to keep something for a member who is away, and bringing it to them.
    Keep,
    /// Deciding in the host's place, as a co-host.
    Deputy,
    /// Asking back a photo that was sent, and answering that.
    Recall,
    /// Connecting straight where a connection leads through a relay.
    Punch,
    /// What a relay is told and says; no node takes this.
    Relay,
}

impl Protocol {
    /// All protocols.
    pub const ALL: [Self; 11] = [
        Self::Join,
        Self::Code,
        Self::Sync,
        Self::Push,
        Self::Offer,
        Self::Fetch,
        Self::Keep,
        Self::Deputy,
        Self::Recall,
        Self::Punch,
        Self::Relay,
    ];
    /// Those that a node takes streams of.
    pub const OF_A_NODE: [Self; 10] = [
        Self::Join,
        Self::Code,
        Self::Sync,
        Self::Push,
        Self::Offer,
        Self::Fetch,
        Self::Keep,
        Self::Deputy,
        Self::Recall,
        Self::Punch,
    ];
    /// Those that a relay takes streams of.
    pub const OF_A_RELAY: [Self; 1] = [Self::Relay];

    /// Whether somebody who shares no event with this node may use it.
    pub(super) const fn is_for_strangers(self) -> bool {
        matches!(self, Self::Join | Self::Code)
    }

    /// Whether it is spoken between addresses of a local network only.
    pub(super) const fn is_local(self) -> bool {
        matches!(self, Self::Code)
    }

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Join => "/inframe/join/1",
            Self::Code => "/inframe/code/1",
            Self::Sync => "/inframe/sync/2",
            Self::Push => "/inframe/push/1",
            Self::Offer => "/inframe/offer/1",
            Self::Fetch => "/inframe/fetch/1",
            Self::Keep => "/inframe/keep/1",
            Self::Deputy => "/inframe/deputy/1",
            Self::Recall => "/inframe/recall/1",
            Self::Punch => "/inframe/punch/1",
            Self::Relay => "/inframe/relay/1",
        }
    }

    pub(super) fn from_name(name: &impl AsRef<str>) -> Option<Self> {
        Self::ALL.into_iter().find(|protocol| protocol.name() == name.as_ref())
    }

    /// A list of just this protocol.
    pub(super) const fn alone(self) -> &'static [Self] {
        match self {
            Self::Join => &[Self::Join],
            Self::Code => &[Self::Code],
            Self::Sync => &[Self::Sync],
            Self::Push => &[Self::Push],
            Self::Offer => &[Self::Offer],
            Self::Fetch => &[Self::Fetch],
            Self::Keep => &[Self::Keep],
            Self::Deputy => &[Self::Deputy],
            Self::Recall => &[Self::Recall],
            Self::Punch => &[Self::Punch],
            Self::Relay => &[Self::Relay],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_again_and_nothing_else_is() {
        for protocol in Protocol::ALL {
            assert_eq!(Protocol::from_name(&protocol.name()), Some(protocol));
            assert_eq!(protocol.alone(), [protocol]);
        }
        assert_eq!(Protocol::from_name(&"/inframe/fetch/2"), None);
    }
}
