//! An event as its owner sees it: members, who waits, my settings.

use inframe_protocol::invite::Invite;
use inframe_protocol::record::Contact;
use inframe_protocol::roster::Role;
use inframe_protocol::{EventId, MemberId, NodeId, UnixMillis};

use super::Events;
use super::codes::CodeDescription;
use super::entry::{Entry, MyRole};
use super::stored::LocalSettings;
use super::words::words;
use crate::sandbox::Details;

/// A member as the owner of this node sees them.
#[derive(Clone, Debug)]
pub struct MemberDescription {
    /// Id.
    pub id: MemberId,
    /// Node.
    pub node: NodeId,
    /// Nickname.
    pub nickname: String,
    /// The name and the e-mail address that they show, if they do.
    pub contact: Option<Contact>,
    /// What they may do.
    pub role: Role,
    /// Whether it is this node.
    pub me: bool,
    /// Whether a find-me of theirs is live.
    pub looking: bool,
    /// When admitted, Unix milliseconds.
    pub joined_at: u64,
    /// What my photos still say when they go to them.
    pub details: Details,
}

/// Somebody who waits for admission.
#[derive(Clone, Debug)]
pub struct WaitingDescription {
    /// Id.
    pub id: MemberId,
    /// Nickname.
    pub nickname: String,
    /// When they asked, Unix milliseconds.
    pub at: u64,
    /// Words to compare with those on the joiner's screen.
    pub verification: Vec<&'static str>,
}

/// An event in full.
#[derive(Clone, Debug)]
pub struct Description {
    /// Id.
    pub id: EventId,
    /// Name.
    pub name: String,
    /// What this node is in it.
    pub role: MyRole,
    /// Why joining ended, if it did.
    pub problem: Option<String>,
    /// Start, Unix milliseconds.
    pub starts: Option<u64>,
    /// End, Unix milliseconds.
    pub ends: Option<u64>,
    /// Members, in the order of their admission.
    pub members: Vec<MemberDescription>,
    /// Those who wait, as the host sees them.
    pub waiting: Vec<WaitingDescription>,
    /// The code that I show as host, or showed last.
    pub code: Option<CodeDescription>,
    /// Whether the host says that the faces of bystanders are blurred in what leaves.
    pub blur_bystanders: bool,
    /// Whether the host says that children are present (R81).
    pub children_present: bool,
    /// Whether the members are to see my name and e-mail address.
    pub shows_contact: bool,
    /// My settings.
    pub settings: LocalSettings,
    /// Epoch.
    pub epoch: u32,
    /// When the epoch began, Unix milliseconds; none while I wait.
    pub epoch_at: Option<u64>,
    /// While I wait: words to compare with those on the host's screen.
    pub verification: Vec<&'static str>,
}

impl Entry {
    fn describe(&self, here: &NodeId, now: u64) -> Description {
        let roster = self.state.roster();
        let me = self.my_id();
        let looking: Vec<MemberId> = self.state.find_mes(UnixMillis(now)).into_iter().map(|live| live.author).collect();
        let mut members: Vec<MemberDescription> = self
            .state
            .members()
            .map(|member| MemberDescription {
                id: member.id(),
                node: member.node.clone(),
                nickname: self.nickname(&member.id()).unwrap_or_default(),
                contact: self.contact(&member.id()),
                role: member.role,
                me: member.id() == me,
                looking: looking.contains(&member.id()),
                joined_at: member.joined_at.0,
                details: self.details.get(&member.id()).copied().unwrap_or_default(),
            })
            .collect();
        members.sort_by_key(|member| (member.joined_at, member.id));
        let waiting = self
            .waiting
            .iter()
            .map(|waiting| WaitingDescription {
                id: waiting.request.member.member_id(),
                nickname: waiting.request.nickname.clone(),
                at: waiting.at,
                verification: words(self.id, here, &waiting.request.member, &waiting.node),
            })
            .collect();
        Description {
            id: self.id,
            name: self.name(),
            role: self.role(),
            problem: self.joining.as_ref().and_then(|joining| joining.problem.clone()),
            starts: roster.starts().map(|at| at.0),
            ends: roster.ends().map(|at| at.0),
            members,
            waiting,
            code: self.code_now(now),
            blur_bystanders: roster.blur_bystanders(),
            children_present: roster.children_present(),
            shows_contact: self.shows_contact,
            settings: self.settings.clone(),
            epoch: roster.epoch(),
            epoch_at: roster.is_created().then(|| roster.epoch_at().0),
            verification: self.my_words(here).unwrap_or_default(),
        }
    }

    /// The words that the host sees beside my request, while it waits.
    fn my_words(&self, here: &NodeId) -> Option<Vec<&'static str>> {
        let joining = self.joining.as_ref().filter(|joining| joining.problem.is_none() && !self.is_admitted())?;
        let invite = Invite::parse(&joining.link).ok()?;
        Some(words(self.id, &invite.host, &self.keys.public(), here))
    }
}

impl Events {
    /// One event in full.
    #[must_use]
    pub fn describe(&self, event: &EventId, now: u64) -> Option<Description> {
        self.read(event, |entry| entry.describe(&self.me, now))
    }

    /// Every event in full, the latest first by its start or, where it has none, by when its first member came.
    #[must_use]
    pub fn describe_all(&self, now: u64) -> Vec<Description> {
        let mut all: Vec<Description> = self.entries().values().map(|entry| entry.describe(&self.me, now)).collect();
        all.sort_by_key(|one| {
            let since = one.starts.or(one.members.first().map(|member| member.joined_at)).unwrap_or(u64::MAX);
            (std::cmp::Reverse(since), one.id)
        });
        all
    }
}
