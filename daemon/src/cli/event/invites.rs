//! `inframe event invite`, `invites`, `leaked` and `code`: invites as links, QR codes and short codes.

use reqwest::Method;

use super::super::client::{CliError, Client};
use super::super::text::{Screen, one_line, qr, short, table};
use super::super::when::shown;
use super::{choose, named_event, path};
use crate::views::{CodeBody, CodeView, EventView, InviteView, LeakBody, LeakView, NewInviteBody};

pub(super) async fn invite(
    client: &Client,
    screen: &Screen,
    event: &str,
    hours: Option<u64>,
    uses: Option<u32>,
) -> Result<(), CliError> {
    let event = named_event(client, event).await?;
    let body = NewInviteBody { expires_in_s: hours.map(|hours| hours.saturating_mul(3600)), uses, by_hand: None };
    let answer = client.post(&path(&event, "/invites"), &body).await?;
    screen.show(&answer, || Ok(invite_lines(&event.name, client.view(&answer)?)))
}

fn invite_lines(event: &str, invite: InviteView) -> Vec<String> {
    let terms = format!("Uses left: {}. Expires {}.", invite.uses_left, shown(invite.expires_at));
    let code = qr(&invite.link).unwrap_or_else(|| "(the link is too long for a QR code)".to_owned());
    vec![format!("Invite to {}", one_line(event)), code, invite.link, terms]
}

async fn all_invites(client: &Client, event: &EventView) -> Result<Vec<InviteView>, CliError> {
    client.view(&client.get(&path(event, "/invites?all=true")).await?)
}

/// The invite that a person means by its id, or the first letters of it.
fn chosen(invites: Vec<InviteView>, wanted: &str) -> Result<InviteView, CliError> {
    let found = choose(invites, wanted, |invite| (&invite.id, &invite.id));
    found.map_err(|problem| CliError::Ambiguous(format!("{problem}; `inframe event invites` shows them")))
}

pub(super) async fn list(client: &Client, screen: &Screen, event: &str) -> Result<(), CliError> {
    let event = named_event(client, event).await?;
    let answer = client.get(&path(&event, "/invites?all=true")).await?;
    screen.show(&answer, || {
        let invites: Vec<InviteView> = client.view(&answer)?;
        let row = |invite: &InviteView| {
            let joined: Vec<&str> = invite.joined.iter().map(|member| member.nickname.as_str()).collect();
            let state = if invite.open { "valid" } else { "over" };
            let left = format!("{} of {}", invite.uses_left, invite.uses);
            let waiting = invite.waiting.to_string();
            vec![
                short(&invite.id),
                state.to_owned(),
                left,
                shown(invite.expires_at),
                waiting,
                one_line(&joined.join(", ")),
            ]
        };
        let rows: Vec<Vec<String>> = invites.iter().map(row).collect();
        Ok(table(&["ID", "", "USES LEFT", "EXPIRES", "WAIT", "CAME BY IT"], &rows))
    })
}

pub(super) async fn leaked(
    client: &Client,
    screen: &Screen,
    event: &str,
    invite: Option<String>,
    remove: &[String],
    remove_all: bool,
) -> Result<(), CliError> {
    let event = named_event(client, event).await?;
    let invites = all_invites(client, &event).await?;
    let leaked = match invite {
        Some(wanted) => vec![chosen(invites, &wanted)?],
        None => invites,
    };
    let one = match leaked.as_slice() {
        [one] => Some(one.id.clone()),
        _ => None,
    };
    let came: Vec<_> = leaked.into_iter().flat_map(|invite| invite.joined).collect();
    let remove = if remove_all {
        came.into_iter().map(|member| member.id).collect()
    } else {
        let named = |wanted: &String| {
            let found = choose(came.clone(), wanted, |member| (&member.id, &member.nickname));
            found
                .map(|member| member.id)
                .map_err(|problem| CliError::Ambiguous(format!("{problem} among those who came by it")))
        };
        remove.iter().map(named).collect::<Result<_, _>>()?
    };
    let answer = client.post(&path(&event, "/invites/leaked"), &LeakBody { invite: one, remove }).await?;
    screen.show(&answer, || {
        let done: LeakView = client.view(&answer)?;
        let removed = if done.removed.is_empty() { "nobody".to_owned() } else { one_line(&done.removed.join(", ")) };
        let mut lines = vec![format!(
            "Withdrawn. Removed: {removed}. Declined of those who waited: {}. The members have new keys.",
            done.declined
        )];
        lines.extend(invite_lines(&event.name, done.invite));
        Ok(lines)
    })
}

pub(super) async fn code(
    client: &Client,
    screen: &Screen,
    event: &str,
    invite: Option<String>,
    uses: Option<u32>,
) -> Result<(), CliError> {
    let event = named_event(client, event).await?;
    let invite = match invite {
        Some(wanted) => chosen(all_invites(client, &event).await?, &wanted)?,
        None => {
            let body = NewInviteBody { expires_in_s: None, uses, by_hand: None };
            client.view(&client.post(&path(&event, "/invites"), &body).await?)?
        }
    };
    let body = CodeBody { invite: invite.id };
    let answer = client.json(Method::PUT, &path(&event, "/code"), Some(&body)).await?;
    screen.show(&answer, || {
        let shown: EventView = client.view(&answer)?;
        Ok(shown.code.iter().map(code_line).collect())
    })
}

/// A code, or why it has ended.
pub(super) fn code_line(code: &CodeView) -> String {
    match (&code.code, code.state.as_str()) {
        (Some(digits), _) => format!(
            "Code for people on this network: {}. It ends {}, or after {} wrong ones.",
            one_line(digits),
            shown(code.ends_at),
            code.guesses_left
        ),
        (None, "guessed") => {
            "The code was ended, because too many wrong ones were tried; nobody came in by them.".to_owned()
        }
        (None, "used") => "The code has ended: its invite was used.".to_owned(),
        (None, _) => "The code has ended: its time is over.".to_owned(),
    }
}
