//! `inframe profile` and `inframe find-me`: nothing about a face happens before its consent text was shown.

use std::path::PathBuf;

use reqwest::Method;
use serde_json::Value;

use super::args::{FindMeCommand, ProfileCommand};
use super::client::{CliError, Client, segment};
use super::event::named_event;
use super::text::{Screen, one_line, plain, short, table};
use super::when::shown;
use crate::views::{AnnouncementView, ConsentBody, ConsentTextView, FindMeBody, ProfileView};

pub(super) async fn run(client: &Client, screen: &Screen, command: ProfileCommand) -> Result<(), CliError> {
    let answer = match command {
        ProfileCommand::Consent { yes } => {
            let text_hash = consent(client, screen, "faces", yes).await?;
            client.post("/profile/consent", &ConsentBody { text_hash }).await?
        }
        ProfileCommand::Enrol { files } => enrol(client, screen, files).await?,
        ProfileCommand::Show => client.get("/profile").await?,
        ProfileCommand::Erase { yes } => {
            if !yes {
                screen.confirm("Erase your selfies, face templates and consent, and withdraw from every event?")?;
            }
            client.json(Method::DELETE, "/profile", None::<&()>).await?
        }
    };
    screen.show(&answer, || Ok(profile_lines(&client.view(&answer)?)))
}

pub(super) async fn find_me(client: &Client, screen: &Screen, command: FindMeCommand) -> Result<(), CliError> {
    let answer = match command {
        FindMeCommand::Start { event, hours, yes } => {
            let event = named_event(client, &event).await?;
            let text_hash = consent(client, screen, "announce", yes).await?;
            let path = format!("/events/{}/find-me", segment(&event.id));
            client.json(Method::PUT, &path, Some(&FindMeBody { text_hash, hours })).await?;
            client.get("/profile").await?
        }
        FindMeCommand::Stop { event } => {
            let event = named_event(client, &event).await?;
            let path = format!("/events/{}/find-me", segment(&event.id));
            client.json(Method::DELETE, &path, None::<&()>).await?;
            client.get("/profile").await?
        }
        FindMeCommand::List => client.get("/profile").await?,
    };
    let profile: ProfileView = client.view(&answer)?;
    let announcements = answer.get("announcements").cloned().unwrap_or(Value::Null);
    screen.show(&announcements, || Ok(announcement_lines(&profile.announcements)))
}

/// Shows a consent text in full and asks; the hash of the text if the answer is yes.
async fn consent(client: &Client, screen: &Screen, scope: &str, yes: bool) -> Result<String, CliError> {
    let answer = client.get(&format!("/consent-texts/{scope}")).await?;
    let text: ConsentTextView = client.view(&answer)?;
    screen.say(&format!("{}\n", text.title));
    for section in &text.sections {
        screen.say(&format!("{}\n  {}\n", section.heading, section.text));
    }
    screen.say(&text.tick);
    if !yes {
        screen.confirm("Do you consent?")?;
    }
    Ok(text.hash)
}

async fn enrol(client: &Client, screen: &Screen, files: Vec<PathBuf>) -> Result<Value, CliError> {
    let mut answer = Value::Null;
    for file in files {
        let bytes = std::fs::read(&file).map_err(|error| CliError::File(file.clone(), error))?;
        answer = client.post_bytes("/profile/selfies", bytes).await?;
        screen.say(&format!("{}: enrolled", file.display()));
    }
    Ok(answer)
}

fn profile_lines(profile: &ProfileView) -> Vec<String> {
    let consent = match profile.consent_at {
        Some(at) => format!("Consent to face finding: given {}", shown(at)),
        None => "Consent to face finding: not given; see `inframe profile consent`".to_owned(),
    };
    let mut lines = vec![consent, format!("Selfies: {}", profile.selfies.len())];
    for selfie in &profile.selfies {
        lines.push(format!("  {}  quality {:.2}  {}", short(&plain(&selfie.id)), selfie.quality, shown(selfie.at)));
    }
    lines.extend(announcement_lines(&profile.announcements));
    lines
}

fn announcement_lines(announcements: &[AnnouncementView]) -> Vec<String> {
    if announcements.is_empty() {
        return vec!["Your face is announced nowhere.".to_owned()];
    }
    let row =
        |a: &AnnouncementView| vec![one_line(&a.event_name), shown(a.since), shown(a.until), a.seen_by.to_string()];
    table(&["ANNOUNCED IN", "SINCE", "UNTIL", "SEEN BY"], &announcements.iter().map(row).collect::<Vec<_>>())
}
