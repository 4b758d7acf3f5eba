//! `inframe profile` and `inframe find-me`: nothing about a face happens before its consent text was shown.

use std::path::PathBuf;

use super::args::{FindMeCommand, ProfileCommand};
use super::client::{CliError, Client, segment};
use super::event::named_event;
use super::text::{Screen, one_line, plain, short, table};
use super::when::shown;
use crate::faces::is_signed;
use crate::views::{
    AnnouncementView, ConsentBody, ConsentTextView, ContactView, FindMeBody, NewProfileBody, ProfileView, ReceiptView,
    SettingsPatch, SettingsView,
};
use data_encoding::HEXLOWER;
use reqwest::Method;

pub(super) async fn run(client: &Client, screen: &Screen, command: ProfileCommand) -> Result<(), CliError> {
    match command {
        ProfileCommand::Consent { yes } => {
            let text_hash = consent(client, screen, "faces", yes).await?;
            client.post("/profile/consent", &ConsentBody { text_hash }).await?;
        }
        ProfileCommand::Child { name, yes } => {
            let text_hash = consent(client, screen, "guardian", yes).await?;
            client.post("/profiles", &NewProfileBody { name, text_hash }).await?;
        }
        ProfileCommand::Enrol { files, profile } => enrol(client, screen, &profile, files).await?,
        ProfileCommand::Show => {}
        ProfileCommand::Contact { name, email } => {
            let mut contact = client.view::<SettingsView>(&client.get("/settings").await?)?.contact;
            contact.name = name.unwrap_or(contact.name);
            contact.email = email.unwrap_or(contact.email);
            let patch = SettingsPatch { contact: Some(contact), ..SettingsPatch::default() };
            let answer = client.json(Method::PATCH, "/settings", Some(&patch)).await?;
            return screen.show(&answer, || Ok(contact_lines(&client.view::<SettingsView>(&answer)?.contact)));
        }
        ProfileCommand::Receipts { check } => {
            let answer = match check {
                Some(file) => {
                    let bytes = std::fs::read(&file).map_err(|error| CliError::File(file.clone(), error))?;
                    serde_json::from_slice(&bytes).map_err(|error| CliError::File(file, error.into()))?
                }
                None => client.get("/consent-receipts").await?,
            };
            return screen.show(&answer, || Ok(receipt_lines(&client.view::<Vec<ReceiptView>>(&answer)?)));
        }
        ProfileCommand::Remove { profile, yes } => {
            let profile = named_profile(client, &profile).await?;
            if !yes {
                screen.confirm("Erase this child's pictures and templates, and withdraw them from every event?")?;
            }
            client.json(Method::DELETE, &format!("/profiles/{}", segment(&profile)), None::<&()>).await?;
        }
        ProfileCommand::Erase { yes } => {
            if !yes {
                screen.confirm("Erase all selfies, face templates and your consent, and withdraw from every event?")?;
            }
            client.json(Method::DELETE, "/profile", None::<&()>).await?;
        }
    }
    let answer = client.get("/profiles").await?;
    screen.show(&answer, || Ok(profile_lines(&client.view::<Vec<ProfileView>>(&answer)?)))
}

pub(super) async fn find_me(client: &Client, screen: &Screen, command: FindMeCommand) -> Result<(), CliError> {
    match command {
        FindMeCommand::Start { event, profile, hours, yes } => {
            let event = named_event(client, &event).await?;
            let profile = named_profile(client, &profile).await?;
            let scope = if profile == "me" { "announce" } else { "announce-child" };
            let text_hash = consent(client, screen, scope, yes).await?;
            let path = format!("/events/{}/find-me", segment(&event.id));
            client.json(Method::PUT, &path, Some(&FindMeBody { profile, text_hash, hours })).await?;
        }
        FindMeCommand::Stop { event, profile } => {
            let event = named_event(client, &event).await?;
            let profile = named_profile(client, &profile).await?;
            let path = format!("/events/{}/find-me?profile={}", segment(&event.id), segment(&profile));
            client.json(Method::DELETE, &path, None::<&()>).await?;
        }
        FindMeCommand::List => {}
    }
    let profiles: Vec<ProfileView> = client.view(&client.get("/profiles").await?)?;
    let announcements: Vec<AnnouncementView> = profiles.into_iter().flat_map(|one| one.announcements).collect();
    screen.show(&serde_json::to_value(&announcements).unwrap_or_default(), || Ok(announcement_lines(&announcements)))
}

/// The id of the profile with this name or id.
pub(super) async fn named_profile(client: &Client, name: &str) -> Result<String, CliError> {
    let profiles: Vec<ProfileView> = client.view(&client.get("/profiles").await?)?;
    let found = profiles.into_iter().find(|one| one.id == name || one.name.as_deref() == Some(name));
    found
        .map(|one| one.id)
        .ok_or_else(|| CliError::Ambiguous(format!("there is no profile {name:?}; see `inframe profile show`")))
}

/// Shows a consent text in full and asks; the hash of the text if the answer is yes.
pub(super) async fn consent(client: &Client, screen: &Screen, scope: &str, yes: bool) -> Result<String, CliError> {
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

async fn enrol(client: &Client, screen: &Screen, profile: &str, files: Vec<PathBuf>) -> Result<(), CliError> {
    let profile = named_profile(client, profile).await?;
    for file in files {
        let bytes = std::fs::read(&file).map_err(|error| CliError::File(file.clone(), error))?;
        client.post_bytes(&format!("/profiles/{}/selfies", segment(&profile)), bytes).await?;
        screen.say(&format!("{}: enrolled, not live", file.display()));
    }
    Ok(())
}

fn profile_lines(profiles: &[ProfileView]) -> Vec<String> {
    let consent = match profiles.first().and_then(|me| me.consent_at) {
        Some(at) => format!("Consent to face finding: given {}", shown(at)),
        None => "Consent to face finding: not given; see `inframe profile consent`".to_owned(),
    };
    let mut lines = vec![consent];
    for profile in profiles {
        let who = match &profile.name {
            Some(name) => format!("{} (child, {})", one_line(name), short(&plain(&profile.id))),
            None => "me".to_owned(),
        };
        let live = match (profile.enrolled, profile.live) {
            (false, _) => "",
            (true, true) => ", taken live",
            (true, false) => ", not live",
        };
        lines.push(format!("Selfies of {who}: {}{live}", profile.selfies.len()));
        for selfie in &profile.selfies {
            let live = if selfie.live { "live" } else { "file" };
            lines.push(format!(
                "  {}  {live}  quality {:.2}  {}",
                short(&plain(&selfie.id)),
                selfie.quality,
                shown(selfie.at)
            ));
        }
    }
    let announcements: Vec<AnnouncementView> = profiles.iter().flat_map(|one| one.announcements.clone()).collect();
    lines.extend(announcement_lines(&announcements));
    lines
}

fn contact_lines(contact: &ContactView) -> Vec<String> {
    let said = |text: &str| if text.is_empty() { "not given".to_owned() } else { one_line(text) };
    vec![
        format!("Name: {}", said(&contact.name)),
        format!("E-mail: {}", said(&contact.email)),
        "Nobody gets them but the members of events with `inframe event change EVENT --show-contact true`.".to_owned(),
    ]
}

fn receipt_lines(receipts: &[ReceiptView]) -> Vec<String> {
    let row = |one: &ReceiptView| {
        let whom = one.profile_name.as_deref().map_or_else(|| one.profile.clone(), one_line);
        let text = short(&plain(&one.text_hash)).to_owned();
        vec![shown(one.at), plain(&one.scope), one.version.to_string(), whom, text, signed(one).to_owned()]
    };
    table(&["GIVEN", "TEXT", "VERSION", "FOR", "HASH", "SIGNATURE"], &receipts.iter().map(row).collect::<Vec<_>>())
}

/// What the signature of a receipt is worth. The fields beside the statement are those in it, or it proves nothing about them.
fn signed(receipt: &ReceiptView) -> &'static str {
    let (Some(signature), Some(key)) = (&receipt.signature, &receipt.key) else { return "none" };
    let bytes = |hex: &str| HEXLOWER.decode(hex.as_bytes()).unwrap_or_default();
    let (Ok(signature), Ok(key)) = (bytes(signature).try_into(), bytes(key).try_into()) else { return "WRONG" };
    let says = |name: &str, value: &str| receipt.statement.lines().any(|line| line == format!("{name}: {value}"));
    let same = says("scope", &receipt.scope)
        && says("text", &receipt.text_hash)
        && says("version", &receipt.version.to_string())
        && says("time", &receipt.at.to_string())
        && says("event", receipt.event.as_deref().unwrap_or("none"))
        && says("profile", &receipt.profile);
    if same && is_signed(&key, &receipt.statement, signature) { "good" } else { "WRONG" }
}

fn announcement_lines(announcements: &[AnnouncementView]) -> Vec<String> {
    if announcements.is_empty() {
        return vec!["Nobody is announced anywhere.".to_owned()];
    }
    let row = |a: &AnnouncementView| {
        let whom = a.profile_name.as_deref().map_or_else(|| "me".to_owned(), one_line);
        vec![one_line(&a.event_name), whom, shown(a.since), shown(a.until), a.seen_by.to_string()]
    };
    table(&["ANNOUNCED IN", "WHO", "SINCE", "UNTIL", "SEEN BY"], &announcements.iter().map(row).collect::<Vec<_>>())
}
