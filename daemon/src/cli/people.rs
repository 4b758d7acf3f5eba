//! `inframe people`: who is in the photos, names, and people who are one.

use reqwest::Method;

use super::args::PeopleCommand;
use super::client::{CliError, Client, segment};
use super::event::choose;
use super::text::{Screen, one_line, short, table};
use crate::views::{MergeBody, PeopleView, PersonPatch, PersonView};

pub(super) async fn run(client: &Client, screen: &Screen, command: PeopleCommand) -> Result<(), CliError> {
    let answer = match command {
        PeopleCommand::List { all } => return list(client, screen, all).await,
        PeopleCommand::Name { person, name } => {
            let person = person_called(client, &person).await?;
            let patch = PersonPatch { name: Some(name), ..PersonPatch::default() };
            client.json(Method::PATCH, &format!("/people/{}", segment(&person.id)), Some(&patch)).await?
        }
        PeopleCommand::Merge { person, into } => {
            let (person, into) = (person_called(client, &person).await?, person_called(client, &into).await?);
            let path = format!("/people/{}/merge", segment(&person.id));
            client.post(&path, &MergeBody { into: into.id }).await?
        }
    };
    screen.show(&answer, || {
        let person: PersonView = client.view(&answer)?;
        Ok(vec![format!("{}: {}, {} photos", short(&person.id), shown_name(&person), person.photos)])
    })
}

async fn list(client: &Client, screen: &Screen, all: bool) -> Result<(), CliError> {
    let answer = client.get("/people").await?;
    screen.show(&answer, || {
        let PeopleView { consented, people, pending, .. } = client.view(&answer)?;
        if !consented {
            return Ok(vec!["Nobody is known: faces are found after `inframe profile consent` only.".to_owned()]);
        }
        let row = |one: &PersonView| {
            let hidden = if one.hidden { "hidden" } else { "" };
            vec![short(&one.id), shown_name(one), one.photos.to_string(), hidden.to_owned()]
        };
        let rows: Vec<_> = people.iter().filter(|one| all || !one.hidden).map(row).collect();
        let mut lines = match rows.is_empty() {
            true => vec!["Nobody yet: somebody is listed from three photos on.".to_owned()],
            false => table(&["ID", "NAME", "PHOTOS", ""], &rows),
        };
        if pending > 0 {
            lines.push(format!("{pending} photos are still to be looked at."));
        }
        Ok(lines)
    })
}

fn shown_name(person: &PersonView) -> String {
    match (&person.name, person.me) {
        (Some(name), _) => one_line(name),
        (None, true) => "you".to_owned(),
        (None, false) => "-".to_owned(),
    }
}

async fn person_called(client: &Client, text: &str) -> Result<PersonView, CliError> {
    let PeopleView { people, .. } = client.view(&client.get("/people").await?)?;
    choose(people, text, |person| (&person.id, person.name.as_deref().unwrap_or_default()))
        .map_err(|problem| CliError::Ambiguous(format!("{problem}; see `inframe people list`")))
}
