//! What the API shows of notices: what the owner is told of, and how.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What the owner is told of, how, and what they were told lately.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct NoticesView {
    /// Every kind, and by which ways it is told.
    pub kinds: Vec<NoticeKindView>,
    /// When quiet hours begin, as `23:00` on the clock of the node's machine; none when absent.
    pub quiet_from: Option<String>,
    /// When they are over.
    pub quiet_until: Option<String>,
    /// Where notices are sent to; nowhere when absent.
    pub receiver: Option<NoticeReceiverView>,
    /// When the last one was taken there, since the node was started.
    pub sent_at: Option<u64>,
    /// Why the last try failed, if it did. It is tried again by itself.
    pub failure: Option<NoticeFailureView>,
    /// What the dashboard was told since the node was started, oldest first; the last 20.
    pub recent: Vec<NoticeView>,
}

/// A kind of notice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NoticeKindView {
    /// `photos`, `requests`, `suspicious`, `sign-ins` or `consent-texts`.
    pub kind: String,
    /// What people read.
    pub title: String,
    /// Whether the dashboard and its browser tell of it.
    pub here: bool,
    /// Whether it is sent out, where there is an address to send to.
    pub outward: bool,
}

/// Where notices are sent to. Its token is never told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NoticeReceiverView {
    /// `ntfy` or `webhook`.
    pub form: String,
    /// Its address.
    pub address: String,
    /// Whether plain http to another machine is allowed.
    pub insecure: bool,
    /// Whether there is a token.
    pub has_token: bool,
    /// Whether names of people and events go along.
    pub names: bool,
}

/// A try that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NoticeFailureView {
    /// When.
    pub at: u64,
    /// Why, in words.
    pub text: String,
}

/// One notice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NoticeView {
    /// Rising number.
    pub id: u64,
    /// Kind, as in `NoticeKindView`.
    pub kind: String,
    /// When.
    pub at: u64,
    /// A few fixed words.
    pub title: String,
    /// A sentence that names nobody.
    pub text: String,
    /// The same with names, for the owner's own page.
    pub named: String,
    /// How many things it is about.
    pub count: u64,
    /// The page of the dashboard that shows them.
    pub page: String,
}

/// Changes of what the owner is told of; absent fields stay.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct NoticesPatch {
    /// Kinds to switch.
    #[serde(default)]
    pub kinds: Vec<NoticeSwitchBody>,
    /// Quiet hours.
    pub quiet: Option<QuietHoursBody>,
}

/// A switch; what is absent stays.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct NoticeSwitchBody {
    /// Kind, as in `NoticeKindView`.
    pub kind: String,
    /// Whether the dashboard and its browser tell of it.
    pub here: Option<bool>,
    /// Whether it is sent out.
    pub outward: Option<bool>,
}

/// Part of every day; none when both are absent.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct QuietHoursBody {
    /// When they begin, such as `23:00`.
    pub from: Option<String>,
    /// When they are over.
    pub until: Option<String>,
}

/// Where notices shall be sent to.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct NoticeReceiverBody {
    /// `ntfy` or `webhook`.
    pub form: String,
    /// Its address.
    pub address: String,
    /// The token that it asks for. When absent the one that is kept stays, if the address does; when empty there is none.
    pub token: Option<String>,
    /// Whether plain http to another machine is allowed.
    #[serde(default)]
    pub insecure: bool,
    /// Whether names of people and events go along.
    #[serde(default)]
    pub names: bool,
}

impl std::fmt::Debug for NoticeReceiverBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NoticeReceiverBody {{ form: {:?}, names: {}, address and token: hidden }}", self.form, self.names)
    }
}

/// What became of a trial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NoticeTestView {
    /// Whether it was taken.
    pub taken: bool,
    /// What happened, in a sentence.
    pub text: String,
}
