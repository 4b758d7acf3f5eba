//! `inframe event`: events by their names.

mod invites;

use clap::ValueEnum;
use reqwest::Method;
use serde_json::Value;

use super::args::{EventCommand, WishArg};
use super::client::{CliError, Client, segment};
use super::profile::{consent, named_profile};
use super::text::{Screen, one_line, short, table};
use super::when::shown;
use crate::views::{
    AdmitBody, DetailsView, EventPatch, EventView, JoinBody, MemberPolicyBody, MemberRoleBody, MemberView,
    NewEventBody, ProtectionBody,
};

pub(super) async fn run(client: &Client, screen: &Screen, command: EventCommand) -> Result<(), CliError> {
    match command {
        EventCommand::Create { name, starts, ends } => {
            let body = NewEventBody { name, starts_at: starts, ends_at: ends };
            show_event(client, screen, &client.post("/events", &body).await?)
        }
        EventCommand::Invite { event, hours, uses } => invites::invite(client, screen, &event, hours, uses).await,
        EventCommand::Invites { event } => invites::list(client, screen, &event).await,
        EventCommand::Leaked { event, invite, remove, remove_all } => {
            invites::leaked(client, screen, &event, invite, &remove, remove_all).await
        }
        EventCommand::Code { event, stop: true, .. } => {
            let event = named_event(client, &event).await?;
            show_event(client, screen, &client.json(Method::DELETE, &path(&event, "/code"), None::<&()>).await?)
        }
        EventCommand::Code { event, invite, uses, stop: false } => {
            invites::code(client, screen, &event, invite, uses).await
        }
        EventCommand::Join { link } => {
            // A code may be typed in groups.
            let link = link.join(" ");
            show_event(client, screen, &client.post("/events/join", &JoinBody { link }).await?)
        }
        EventCommand::List => list(client, screen).await,
        EventCommand::Show { event } => {
            let event = named_event(client, &event).await?;
            show_event(client, screen, &client.get(&path(&event, "")).await?)
        }
        EventCommand::Admit { event, member, refuse } => admit(client, screen, &event, member, !refuse).await,
        EventCommand::Policy { event, policy, member } => {
            let event = named_event(client, &event).await?;
            let policy = word(policy);
            let answer = match member {
                Some(member) => {
                    let path = format!("{}/policy", member_path(&event, &member)?);
                    client.json(Method::PUT, &path, Some(&MemberPolicyBody { policy })).await?
                }
                None => patch(client, &event, EventPatch { policy: Some(policy), ..EventPatch::default() }).await?,
            };
            show_event(client, screen, &answer)
        }
        EventCommand::Details { event, member, time, place, camera } => {
            let event = named_event(client, &event).await?;
            let path = format!("{}/details", member_path(&event, &member)?);
            let chosen = DetailsView { time, place, camera };
            show_event(client, screen, &client.json(Method::PUT, &path, Some(&chosen)).await?)
        }
        EventCommand::Protect { event, wish, profile, yes } => {
            let event = named_event(client, &event).await?;
            show_event(client, screen, &protect(client, screen, &event, wish, &profile, yes).await?)
        }
        EventCommand::Change { event, scope, admit_automatically, blur_bystanders, children_present, show_contact } => {
            let event = named_event(client, &event).await?;
            let scope = scope.map(word);
            let changes = EventPatch {
                scope,
                admit_automatically,
                blur_bystanders,
                children_present,
                show_contact,
                policy: None,
            };
            show_event(client, screen, &patch(client, &event, changes).await?)
        }
        EventCommand::CoHost { event, member, no_longer } => {
            let event = named_event(client, &event).await?;
            let path = format!("{}/role", member_path(&event, &member)?);
            let role = MemberRoleBody { co_host: !no_longer };
            show_event(client, screen, &client.json(Method::PUT, &path, Some(&role)).await?)
        }
        EventCommand::Remove { event, member } => {
            let event = named_event(client, &event).await?;
            let path = member_path(&event, &member)?;
            show_event(client, screen, &client.json(Method::DELETE, &path, None::<&()>).await?)
        }
        EventCommand::RenewKeys { event } => {
            let event = named_event(client, &event).await?;
            show_event(client, screen, &client.json(Method::POST, &path(&event, "/keys"), None::<&()>).await?)
        }
        EventCommand::Leave { event } => {
            let event = named_event(client, &event).await?;
            let answer = client.json(Method::DELETE, &path(&event, ""), None::<&()>).await?;
            screen.show(&answer, || Ok(vec![format!("Left {}.", one_line(&event.name))]))
        }
    }
}

async fn protect(
    client: &Client,
    screen: &Screen,
    event: &EventView,
    wish: WishArg,
    profile: &str,
    yes: bool,
) -> Result<Value, CliError> {
    let profile = named_profile(client, profile).await?;
    let place = path(event, "/protection");
    if wish == WishArg::AsUsual {
        let place = format!("{place}?profile={}", segment(&profile));
        return client.json(Method::DELETE, &place, None::<&()>).await;
    }
    let scope = if profile == "me" { "protect" } else { "protect-child" };
    let text_hash = consent(client, screen, scope, yes).await?;
    client.json(Method::PUT, &place, Some(&ProtectionBody { profile, wish: word(wish), text_hash })).await
}

/// The event that a person means: by id, the first letters of one, or its name.
pub(super) async fn named_event(client: &Client, wanted: &str) -> Result<EventView, CliError> {
    let events: Vec<EventView> = client.view(&client.get("/events").await?)?;
    let found = choose(events, wanted, |event| (&event.id, &event.name));
    found.map_err(|problem| CliError::Ambiguous(format!("{problem}; `inframe event list` shows all events")))
}

/// The one thing that has this id, name, or (from four letters on) beginning of an id.
pub(super) fn choose<T>(things: Vec<T>, wanted: &str, labels: impl Fn(&T) -> (&str, &str)) -> Result<T, String> {
    let exact = things.iter().any(|thing| labels(thing).0 == wanted);
    let fits = |thing: &T| {
        let (id, name) = labels(thing);
        let begins = wanted.len() >= 4 && id.starts_with(&wanted.to_lowercase());
        if exact { id == wanted } else { name.to_lowercase() == wanted.to_lowercase() || begins }
    };
    let mut found = things.into_iter().filter(|thing| fits(thing));
    match (found.next(), found.next()) {
        (Some(thing), None) => Ok(thing),
        (Some(_), Some(_)) => Err(format!("several are called \"{wanted}\"; give the id")),
        (None, _) => Err(format!("nothing is called \"{wanted}\"")),
    }
}

fn path(event: &EventView, rest: &str) -> String {
    format!("/events/{}{rest}", segment(&event.id))
}

fn member_path(event: &EventView, wanted: &str) -> Result<String, CliError> {
    let member = choose(event.members.clone(), wanted, |member| (&member.id, &member.nickname));
    let member = member.map_err(|problem| CliError::Ambiguous(format!("{problem} among the members")))?;
    Ok(path(event, &format!("/members/{}", segment(&member.id))))
}

/// The word of the API, which is that of the command line.
fn word(value: impl ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

async fn patch(client: &Client, event: &EventView, changes: EventPatch) -> Result<Value, CliError> {
    client.json(Method::PATCH, &path(event, ""), Some(&changes)).await
}

async fn admit(
    client: &Client,
    screen: &Screen,
    event: &str,
    member: Option<String>,
    admit: bool,
) -> Result<(), CliError> {
    let event = named_event(client, event).await?;
    let waiting = match member {
        Some(wanted) => {
            let one = choose(event.waiting.clone(), &wanted, |waiting| (&waiting.id, &waiting.nickname));
            vec![one.map_err(|problem| CliError::Ambiguous(format!("{problem} among those who wait")))?]
        }
        None => event.waiting.clone(),
    };
    if waiting.is_empty() {
        return Err(CliError::Ambiguous("nobody waits to join this event".to_owned()));
    }
    let mut answer = Value::Null;
    for person in waiting {
        let path = path(&event, &format!("/admissions/{}", segment(&person.id)));
        answer = client.post(&path, &AdmitBody { admit }).await?;
    }
    show_event(client, screen, &answer)
}

async fn list(client: &Client, screen: &Screen) -> Result<(), CliError> {
    let answer = client.get("/events").await?;
    screen.show(&answer, || {
        let events: Vec<EventView> = client.view(&answer)?;
        let row = |event: &EventView| {
            let (members, received) = (event.members.len().to_string(), event.received_count.to_string());
            vec![short(&event.id), event.name.clone(), event.role.clone(), members, event.policy.clone(), received]
        };
        Ok(table(&["ID", "NAME", "ROLE", "MEMBERS", "POLICY", "RECEIVED"], &events.iter().map(row).collect::<Vec<_>>()))
    })
}

fn show_event(client: &Client, screen: &Screen, answer: &Value) -> Result<(), CliError> {
    screen.show(answer, || Ok(event_lines(&client.view(answer)?)))
}

fn event_lines(event: &EventView) -> Vec<String> {
    let mut lines = vec![format!("{}  ({})", one_line(&event.name), one_line(&event.id))];
    lines.push(format!("You are: {}. Policy: {}. Photos that take part: {}.", event.role, event.policy, event.scope));
    if let Some(problem) = &event.problem {
        lines.push(format!("Problem: {}", one_line(problem)));
    }
    if let (Some(starts), Some(ends)) = (event.starts_at, event.ends_at) {
        lines.push(format!("From {} to {}.", shown(starts), shown(ends)));
    }
    if let Some(code) = &event.code {
        lines.push(invites::code_line(code));
    }
    if !event.verification.is_empty() {
        lines.push(format!("Waiting for the host, whose screen shows: {}", one_line(&event.verification.join(" "))));
    }
    for one in &event.protections {
        let whom = one.profile_name.as_deref().map_or_else(|| "you".to_owned(), one_line);
        lines.push(match one.wish.as_str() {
            "hold-back" => format!("Photos of {whom} are to be held back."),
            "blur" => format!("The face of {whom} is to be blurred in photos."),
            _ => format!("The face of {whom} is not to be blurred."),
        });
    }
    if event.children_present {
        lines.push(
            "Children are present: every photo is asked about, bystanders are blurred, and photos say nothing of when and where they were taken, \
             whatever else is set."
                .to_owned(),
        );
    } else if event.blur_bystanders {
        lines.push("Faces of bystanders are blurred in what is sent.".to_owned());
    }
    lines.push(format!("{} of your photos take part, {} received.", event.eligible_count, event.received_count));
    lines.extend(event.members.iter().filter_map(details_line));
    lines.extend(event.members.iter().filter_map(contact_line));
    let row = |member: &MemberView| {
        let presence = if member.me {
            "you"
        } else if member.online {
            "online"
        } else {
            "away"
        };
        let looking = if member.looking { "looks for themselves" } else { "" };
        let words = [&member.nickname, &member.role, presence, looking, &member.policy];
        std::iter::once(short(&member.id)).chain(words.map(str::to_owned)).collect()
    };
    let rows: Vec<Vec<String>> = event.members.iter().map(row).collect();
    lines.extend(table(&["MEMBER", "NAME", "ROLE", "", "", "POLICY"], &rows));
    for person in &event.waiting {
        lines.push(format!("Waits to join: {} ({})", one_line(&person.nickname), short(&person.id)));
        lines.push(format!("  Their screen shows: {}", one_line(&person.verification.join(" "))));
    }
    lines
}

/// Who a member is by their own word, if they say so.
fn contact_line(member: &MemberView) -> Option<String> {
    let contact = member.contact.as_ref()?;
    let said: Vec<String> =
        [&contact.name, &contact.email].into_iter().filter(|one| !one.is_empty()).map(|one| one_line(one)).collect();
    let who =
        if member.me { "Members see of you".to_owned() } else { format!("{} says to be", one_line(&member.nickname)) };
    Some(format!("{who}: {}", said.join(", ")))
}

/// What photos for a member still say, if anything.
fn details_line(member: &MemberView) -> Option<String> {
    let said = member.details.words()?;
    Some(format!("Photos that go to {} say {said} they were taken.", one_line(&member.nickname)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pick(wanted: &str) -> Result<&'static str, String> {
        let things = vec![("aaaa11", "Wedding"), ("aaaa22", "Hike"), ("bbbb33", "hike"), ("Hike", "odd")];
        choose(things, wanted, |thing| (thing.0, thing.1)).map(|thing| thing.0)
    }

    #[test]
    fn a_thing_is_found_by_id_name_or_beginning_and_never_guessed() {
        assert_eq!(pick("aaaa22"), Ok("aaaa22"));
        assert_eq!(pick("wedding"), Ok("aaaa11"));
        assert_eq!(pick("BBBB"), Ok("bbbb33"));
        assert_eq!(pick("Hike"), Ok("Hike"));
        assert!(pick("hike").unwrap_err().contains("several"));
        assert!(pick("aaaa").unwrap_err().contains("several"));
        assert!(pick("bbb").unwrap_err().contains("nothing"));
        assert!(pick("").unwrap_err().contains("nothing"));
    }
}
