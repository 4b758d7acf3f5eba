//! What the owner is told of, and where it is sent to.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use reqwest::Method;
use zeroize::Zeroizing;

use super::CliError;
use super::client::Client;
use super::text::{Screen, one_line, table};
use super::traffic::{Hours, hours};
use super::when::shown;
use crate::views::{NoticeReceiverBody, NoticeSwitchBody, NoticeTestView, NoticesPatch, NoticesView, QuietHoursBody};

/// What to do about notices; nothing shows what holds.
#[derive(Debug, Subcommand)]
pub(super) enum NoticesCommand {
    /// Say where notices are sent to, what goes there and when; what is not given stays
    Set(SetArgs),
    /// Send a trial there now, and say what became of it
    Test,
    /// Send them nowhere any more; the dashboard still tells
    Off,
}

#[derive(Debug, Args)]
pub(super) struct SetArgs {
    /// To this topic of an ntfy server, such as https://ntfy.example.org/my-topic
    #[arg(long, value_name = "ADDRESS")]
    ntfy: Option<String>,
    /// To this address, as JSON
    #[arg(long, value_name = "ADDRESS", conflicts_with = "ntfy")]
    webhook: Option<String>,
    /// File with the token that the address asks for; an empty one for none
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Allow plain http to another machine
    #[arg(long)]
    insecure: bool,
    /// Whether names of people and events go along
    #[arg(long, value_name = "true|false", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    names: Option<bool>,
    /// When nothing is told, such as 22:00-7:00, or `none`; it is told afterwards
    #[arg(long, value_name = "FROM-UNTIL", value_parser = hours)]
    quiet: Option<Hours>,
    /// Do not send this kind: photos, requests, suspicious, sign-ins or consent-texts; may be repeated
    #[arg(long, value_name = "KIND")]
    off: Vec<String>,
    /// Send this kind again; may be repeated
    #[arg(long, value_name = "KIND")]
    on: Vec<String>,
}

/// Shows it, or does what is wished.
pub(super) async fn run(
    client: &Client,
    screen: &Screen,
    command: Option<NoticesCommand>,
) -> Result<ExitCode, CliError> {
    let answer = match command {
        None => client.get("/notices").await?,
        Some(NoticesCommand::Off) => client.json(Method::DELETE, "/notices/receiver", None::<&()>).await?,
        Some(NoticesCommand::Set(wishes)) => {
            set(client, wishes).await?;
            client.get("/notices").await?
        }
        Some(NoticesCommand::Test) => return test(client, screen).await,
    };
    screen.show(&answer, || Ok::<_, CliError>(lines(&client.view(&answer)?)))?;
    Ok(ExitCode::SUCCESS)
}

async fn test(client: &Client, screen: &Screen) -> Result<ExitCode, CliError> {
    let answer = client.post("/notices/test", &()).await?;
    let test: NoticeTestView = client.view(&answer)?;
    screen.show(&answer, || Ok::<_, CliError>(vec![one_line(&test.text)]))?;
    Ok(if test.taken { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn set(client: &Client, wishes: SetArgs) -> Result<(), CliError> {
    let SetArgs { ntfy, webhook, token_file, insecure, names, quiet, off, on } = wishes;
    // What is not sent any more goes first, so that it is never sent to what is named now.
    let switch = |outward: bool| move |kind| NoticeSwitchBody { kind, here: None, outward: Some(outward) };
    let kinds = off.into_iter().map(switch(false)).chain(on.into_iter().map(switch(true))).collect();
    let quiet = quiet.map(|Hours(quiet)| {
        let (from, until) = quiet.unzip();
        QuietHoursBody { from, until }
    });
    client.json(Method::PATCH, "/notices", Some(&NoticesPatch { kinds, quiet })).await?;
    if ntfy.is_none() && webhook.is_none() && token_file.is_none() && names.is_none() && !insecure {
        return Ok(());
    }
    let before: NoticesView = client.view(&client.get("/notices").await?)?;
    let before = before.receiver;
    let (form, address) = match (ntfy, webhook, &before) {
        (Some(address), ..) => ("ntfy".to_owned(), address),
        (None, Some(address), _) => ("webhook".to_owned(), address),
        (None, None, Some(before)) => (before.form.clone(), before.address.clone()),
        (None, None, None) => {
            let why = "notices are sent nowhere yet: say where to, with --ntfy ADDRESS or --webhook ADDRESS";
            return Err(CliError::Refused(why.into()));
        }
    };
    let token = match token_file {
        Some(path) => {
            let text = Zeroizing::new(std::fs::read_to_string(&path).map_err(|error| CliError::File(path, error))?);
            Some(text.trim().to_owned())
        }
        None => None,
    };
    let insecure = insecure || before.as_ref().is_some_and(|before| before.insecure && before.address == address);
    let names = names.unwrap_or_else(|| before.is_some_and(|before| before.names));
    let body = NoticeReceiverBody { form, address, token, insecure, names };
    client.json(Method::PUT, "/notices/receiver", Some(&body)).await?;
    Ok(())
}

fn lines(notices: &NoticesView) -> Vec<String> {
    let mut lines = match &notices.receiver {
        None => vec!["Sent to: nowhere (inframe notices set --ntfy ADDRESS)".to_owned()],
        Some(receiver) => vec![
            format!("Sent to: {} ({})", one_line(&receiver.address), receiver.form),
            format!("Names go along: {}", if receiver.names { "yes" } else { "no" }),
            format!("Token: {}", if receiver.has_token { "yes, hidden" } else { "none" }),
        ],
    };
    lines.push(match (&notices.quiet_from, &notices.quiet_until) {
        (Some(from), Some(until)) => format!("Quiet hours: from {from} to {until}, every day"),
        _ => "Quiet hours: none".to_owned(),
    });
    lines.extend(notices.sent_at.map(|at| format!("Last sent: {}", shown(at))));
    let failed = |failure: &crate::views::NoticeFailureView| {
        format!("LAST TRY FAILED: {}: {}; it is tried again", shown(failure.at), one_line(&failure.text))
    };
    lines.extend(notices.failure.as_ref().map(failed));
    let word = |on: bool| if on { "yes" } else { "no" }.to_owned();
    let row = |kind: &crate::views::NoticeKindView| {
        vec![kind.kind.clone(), word(kind.here), word(kind.outward), kind.title.clone()]
    };
    lines.extend(table(&["KIND", "DASHBOARD", "SENT", ""], &notices.kinds.iter().map(row).collect::<Vec<_>>()));
    lines
}
