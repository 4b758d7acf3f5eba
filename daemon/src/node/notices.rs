//! What the owner is told of, and how.

use super::{Answer, Node, NodeError};
use crate::activity::ActivityKind;
use crate::clock::now_ms;
use crate::live::What;
use crate::notices::{BadReceiver, Message, Receiver};
use crate::settings::{NoticeForm, NoticeKind, NoticeReceiver, Notices, Way};
use crate::views::{NoticeKindView, NoticeReceiverBody, NoticeReceiverView, NoticeTestView, NoticesPatch, NoticesView};
use crate::workers::{Job, blocking, notices};

impl From<BadReceiver> for NodeError {
    fn from(error: BadReceiver) -> Self {
        Self::Invalid("bad-receiver", error.to_string())
    }
}

fn kind_of(word: &str) -> Answer<NoticeKind> {
    NoticeKind::from_word(word).ok_or_else(|| {
        let known = NoticeKind::ALL.map(NoticeKind::word).join(", ");
        NodeError::Invalid("bad-kind", format!("there is no such kind of notice; the kinds are {known}"))
    })
}

impl Node {
    /// What the owner is told of, how, and what they were told lately.
    ///
    /// # Errors
    /// None at present.
    pub async fn notices(&self) -> Answer<NoticesView> {
        let notices = self.core.notices.get();
        let (recent, sent_at, failure) = self.core.notice_desk.news();
        let (quiet_from, quiet_until) = notices.quiet.map(|quiet| quiet.words()).unzip();
        let kind = |kind: NoticeKind| NoticeKindView {
            kind: kind.word().into(),
            title: kind.title().into(),
            here: !notices.off.contains(&(Way::Here, kind)),
            outward: !notices.off.contains(&(Way::Outward, kind)),
        };
        Ok(NoticesView {
            kinds: NoticeKind::ALL.map(kind).into(),
            quiet_from,
            quiet_until,
            receiver: notices.receiver.as_ref().map(|receiver| NoticeReceiverView {
                form: receiver.form.word().into(),
                address: receiver.address.clone(),
                insecure: receiver.insecure,
                has_token: receiver.token.is_some(),
                names: receiver.names,
            }),
            sent_at,
            failure,
            recent,
        })
    }

    /// Switches kinds on or off, and sets the quiet hours.
    ///
    /// # Errors
    /// When a kind or an hour makes no sense.
    pub async fn change_notices(&self, patch: NoticesPatch) -> Answer<NoticesView> {
        let mut switches = Vec::new();
        for switch in &patch.kinds {
            let kind = kind_of(&switch.kind)?;
            let ways = [(Way::Here, switch.here), (Way::Outward, switch.outward)];
            switches.extend(ways.into_iter().filter_map(|(way, on)| Some((way, kind, on?))));
        }
        let quiet = match &patch.quiet {
            Some(hours) => Some(super::traffic::hours(hours.from.as_deref(), hours.until.as_deref())?),
            None => None,
        };
        self.set_notices(None, move |notices| {
            switches.iter().for_each(|(way, kind, on)| notices.switch(*way, *kind, *on));
            notices.quiet = quiet.unwrap_or(notices.quiet);
        })
        .await
    }

    /// Names where notices are sent to. A token that was given before goes only to the address that it was given for.
    ///
    /// # Errors
    /// When it is none that can be used.
    pub async fn set_notice_receiver(&self, body: NoticeReceiverBody) -> Answer<NoticesView> {
        let form = NoticeForm::from_word(&body.form)
            .ok_or_else(|| NodeError::Invalid("bad-form", "the form is `ntfy` or `webhook`".into()))?;
        let address = body.address.trim().to_owned();
        let before = self.core.notices.get().receiver;
        let token = match body.token.as_deref().map(str::trim) {
            Some("") => None,
            Some(token) => Some(token.to_owned()),
            None => before.filter(|before| before.address == address).and_then(|before| before.token),
        };
        let named = NoticeReceiver { form, address, insecure: body.insecure, token, names: body.names };
        let host = Receiver::new(&named)?.host().to_owned();
        let said = if named.names { "with names of people and events" } else { "that name nobody" };
        let text = format!("From now on notices {said} are sent to {host}.");
        self.set_notices(Some(text), move |notices| notices.receiver = Some(named)).await
    }

    /// Sends notices nowhere any more.
    ///
    /// # Errors
    /// When the vault fails.
    pub async fn forget_notice_receiver(&self) -> Answer<NoticesView> {
        let text = self.core.notices.get().receiver.map(|_| "Notices are no longer sent anywhere.".to_owned());
        self.set_notices(text, |notices| notices.receiver = None).await
    }

    async fn set_notices(
        &self,
        note: Option<String>,
        change: impl FnOnce(&mut Notices) + Send + 'static,
    ) -> Answer<NoticesView> {
        self.blocking(move |core| {
            let before = core.notices.get();
            let mut after = before.clone();
            change(&mut after);
            let is_new = |(way, kind): &notices::Pair| after.tells(*way, *kind) && !before.tells(*way, *kind);
            notices::switch_on(core, &notices::pairs().filter(is_new).collect::<Vec<_>>())?;
            // Before it holds: what is sent somewhere new is in the log first (D4).
            if let Some(text) = note {
                core.activity.note(ActivityKind::Consent, text, None, None)?;
            }
            let anew = after.receiver.is_none() || after.receiver != before.receiver;
            core.notices.change(|now| *now = after)?;
            if anew {
                core.notice_desk.begin_anew();
            }
            Ok(())
        })
        .await?;
        self.core.live.tell(What::Notices, None);
        self.core.live.tell(What::Settings, None);
        self.core.board.ring(Job::Notices);
        self.notices().await
    }

    /// Sends a trial to where notices are sent, at once; what became of it, in words.
    ///
    /// # Errors
    /// When no address is named.
    pub async fn test_notices(&self) -> Answer<NoticeTestView> {
        let Some(named) = self.core.notices.get().receiver else {
            return Err(NodeError::Conflict("no-receiver", "name an address first: notices are sent nowhere".into()));
        };
        let receiver = Receiver::new(&named)?;
        let host = receiver.host().to_owned();
        let text = format!("A notice to see whether it arrives goes to {host}.");
        self.blocking(move |core| Ok(core.activity.note(ActivityKind::Left, text, None, None)?)).await?;
        let sent = blocking(move || receiver.send(&Message::test(now_ms()))).await?;
        Ok(match sent {
            Ok(()) => NoticeTestView { taken: true, text: format!("{host} took it. Look whether it has arrived.") },
            Err(error) => NoticeTestView { taken: false, text: format!("{host} did not take it: {error}.") },
        })
    }
}
