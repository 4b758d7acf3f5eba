//! The ways by which bytes of a photo leave, as the source shows them (D4). Each list below is complete or its test fails: whoever opens a new way
//! has to put it here, beside what judges it, or take one that exists.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn source(path: &str) -> Result<String> {
    fs::read_to_string(root().join(path)).with_context(|| format!("cannot read {path}"))
}

/// Every Rust file of the daemon but its tests, with its code; paths below `daemon/src`.
fn sources() -> Result<Vec<(String, String)>> {
    let (mut files, mut folders) = (Vec::new(), vec![root().join("daemon/src")]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(root().join("daemon/src"))?.display().to_string();
            if name.ends_with(".rs") && !name.contains("tests") {
                let text = fs::read_to_string(&path)?;
                let code = text.split("#[cfg(test)]").next().unwrap_or_default();
                let lines = code.lines().map(|line| line.split("//").next().unwrap_or_default());
                files.push((name, lines.collect::<Vec<_>>().join("\n")));
            }
        }
    }
    Ok(files)
}

fn users_of(words: &[&str]) -> Result<BTreeSet<String>> {
    let uses = |code: &String| words.iter().any(|word| code.contains(word));
    Ok(sources()?.into_iter().filter(|(_, code)| uses(code)).map(|(name, _)| name).collect())
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Between nodes: of all streams one carries bytes of photos, and what it reads asks before each group whether the photo may still go.
#[test]
fn d4_one_stream_carries_photos_and_asks_before_every_group() -> Result<()> {
    let protocols = source("daemon/src/network/protocol.rs")?;
    let names = protocols.split('"').filter(|text| text.starts_with("/inframe/") && !text.ends_with("fetch/2"));
    let streams: BTreeSet<String> = names.map(str::to_owned).collect();
    // Offers, keeping and recalls say which photo, sealed or by its hash; none of them carries its bytes.
    let known = [
        "join/1", "code/1", "sync/2", "push/1", "offer/1", "fetch/1", "keep/1", "deputy/1", "recall/1", "punch/1",
        "relay/1",
    ];
    ensure!(streams == known.map(|name| format!("/inframe/{name}")).into_iter().collect(), "{streams:?}");
    ensure!(users_of(&["transfer::serve("])? == set(&["workers/keeping/mod.rs", "workers/sending.rs"]));
    for (file, guards) in
        [("sending.rs", vec!["Guarded::new("]), ("keeping/mod.rs", vec!["Guarded::new(", "WhileWanted {"])]
    {
        let code = source(&format!("daemon/src/workers/{file}"))?;
        let served = code.matches("transfer::serve(").count();
        let guarded: usize = guards.iter().map(|guard| code.matches(&format!("let source = {guard}")).count()).sum();
        ensure!(served == guarded, "{file}: {served} transfers, {guarded} guarded sources");
    }
    Ok(())
}

/// What leaves in a transfer or to a guest is made by the sandbox's egress filter and nowhere else, after the policy was asked.
#[test]
fn d4_what_leaves_is_made_in_three_places_and_judged_in_each() -> Result<()> {
    let makers = users_of(&["sandbox.rendition(", "sandbox.blurred(", "egress::rendition("])?;
    let known = set(&["node/visits.rs", "workers/sending.rs"]);
    ensure!(
        makers.is_superset(&known)
            && makers.iter().all(|name| known.contains(name) || name.starts_with("workers/videos/")),
        "{makers:?}"
    );
    let visits = source("daemon/src/node/visits.rs")?;
    let picture = visits.split("pub async fn guest_picture").nth(1).context("no way for guests' pictures")?;
    let place =
        |word: &str| picture.find(word).with_context(|| format!("{word} is not in the way for guests' pictures"));
    ensure!(place("may_see(")? < place("read_picture(")? && place("read_picture(")? < place("sandbox.rendition(")?);
    ensure!(place("read_original(")? < place("sandbox.blurred(")?);
    Ok(())
}

/// Videos are made to leave in one file, for members and for guests; what guests get is judged before it is made, and again at each piece.
#[test]
fn d4_videos_for_guests_are_made_where_those_of_members_are_and_judged() -> Result<()> {
    ensure!(users_of(&["rendition_for_guests("])? == set(&["workers/guests/videos.rs", "workers/videos/rendition.rs"]));
    ensure!(users_of(&["guests_worker::video("])? == set(&["node/visits/video.rs"]));
    let video = source("daemon/src/node/visits/video.rs")?;
    let (way, judge) = video.split_once("fn is_theirs(").context("no judge")?;
    ensure!(judge.contains("may_see("));
    let places = |word: &str| way.match_indices(word).map(|(at, _)| at).collect::<Vec<_>>();
    let (judged, made, opened) = (places("is_theirs("), places("guests_worker::video("), places("blobs().open("));
    let (told, read) = (places("activity.note("), places("rest_of_chunk("));
    ensure!(judged.len() == 3 && [&made, &opened, &told, &read].iter().all(|places| places.len() == 1), "{video}");
    ensure!(judged[0] < made[0] && made[0] < judged[1] && judged[1] < told[0] && told[0] < opened[0]);
    ensure!(opened[0] < judged[2] && judged[2] < read[0], "each piece is asked for");
    Ok(())
}

/// Who reads photos at all. The network and the page for guests do not.
#[test]
fn d4_bytes_of_photos_are_read_by_those_who_may() -> Result<()> {
    let readers = users_of(&["read_original(", "read_picture(", "blobs().open(", "blobs().read("])?;
    let others: Vec<String> =
        readers.into_iter().filter(|name| !name.starts_with("vault/") && !name.starts_with("library/")).collect();
    let known = [
        // For the owner's own eyes, in the dashboard.
        "node/guests/mod.rs",
        "node/library.rs",
        "node/media.rs",
        "node/people/show.rs",
        "node/sharing.rs",
        // For guests: judged and filtered, see above.
        "node/visits.rs",
        "node/visits/video.rs",
        // To find faces in them.
        "workers/faces.rs",
        // To members: judged and filtered, see above.
        "workers/keeping/mod.rs",
        "workers/keeping/sender.rs",
        "workers/sending.rs",
        // What came, before it is taken in.
        "workers/receiving/taking_in.rs",
    ];
    let unknown: Vec<&String> = others.iter().filter(|name| !known.contains(&name.as_str())).collect();
    ensure!(unknown.is_empty(), "these read photos, and are not on the list: {unknown:?}");
    Ok(())
}

/// The dashboard's API: which answers are bytes of photos. All of it is for the signed-in owner.
#[test]
fn d4_answers_with_bytes_of_photos_are_known() -> Result<()> {
    let document: serde_json::Value = serde_json::from_str(&source("webui/openapi.json")?)?;
    let mut found = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().context("no paths")? {
        for operation in operations.as_object().into_iter().flat_map(|all| all.values()) {
            for response in operation["responses"].as_object().into_iter().flat_map(|all| all.values()) {
                let types = response["content"].as_object().into_iter().flat_map(|all| all.keys());
                if types.into_iter().any(|kind| !kind.contains("json")) {
                    found.insert(path.trim_start_matches("/api/v1").to_owned());
                }
            }
        }
    }
    let known = [
        "/approvals/{id}/crop",
        "/approvals/{id}/still",
        "/assets/{id}/motion",
        "/assets/{id}/original",
        "/assets/{id}/thumb",
        "/assets/{id}/video",
        "/events/{id}/guest-page/guests/{guest}/found/{asset}",
        "/events/{id}/guest-page/guests/{guest}/still",
        "/people/faces/{asset}/{face}/crop",
        "/profiles/{profile}/selfies/{id}/still",
        // Sizes and dates only.
        "/timeline/skeleton",
    ];
    ensure!(found == set(&known), "{:?}", found.symmetric_difference(&set(&known)).collect::<Vec<_>>());
    Ok(())
}

/// Calls to the outside (D6): one client makes them all, for two things that the owner asks for. What is told of goes where the owner wants it after the
/// activity log says so, and a notice is made of counts and words, never of a photo.
#[test]
fn d6_calls_to_the_outside_are_made_by_one_client_for_two_things() -> Result<()> {
    ensure!(users_of(&["ureq::Agent", "ureq::get(", "ureq::post(", "ureq::agent("])? == set(&["outward.rs"]));
    // The command line, to the daemon's socket.
    ensure!(users_of(&["reqwest::Client", "reqwest::get("])? == set(&["cli/client.rs"]));
    ensure!(users_of(&["Outward::new("])? == set(&["notices/receiver.rs", "packs/download.rs"]));
    let senders = users_of(&["receiver.send("])?;
    ensure!(senders == set(&["node/notices.rs", "workers/notices/mod.rs"]), "{senders:?}");
    for file in &senders {
        let code = source(&format!("daemon/src/{file}"))?;
        let place = |word: &str| code.find(word).with_context(|| format!("{word} is not in {file}"));
        ensure!(place("ActivityKind::Left")? < place("receiver.send(")?, "{file} sends before it notes");
    }
    let readers = users_of(&["blobs()", "read_original(", "read_picture("])?;
    ensure!(!readers.iter().any(|name| name.contains("notices")), "notices read photos: {readers:?}");
    Ok(())
}

/// The page for guests: its own routes, of which three give bytes of photos and videos, by the two ways above.
#[test]
fn d4_guests_reach_photos_by_one_way_and_videos_by_another() -> Result<()> {
    let routes = source("daemon/src/web/guest/routes.rs")?;
    let found: BTreeSet<String> =
        routes.split(".route(\"").skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect();
    let known = [
        "/visit",
        "/guest",
        "/return",
        "/uploads",
        "/uploads/{id}",
        "/uploads/{id}/done",
        "/selfie",
        "/found",
        "/found.zip",
        "/photos/{id}/{shape}",
        "/photos/{id}/video",
        "/photos/{id}/removal",
        "/g/{token}",
        "/guest/assets/{name}",
    ];
    ensure!(found == set(&known), "{:?}", found.symmetric_difference(&set(&known)).collect::<Vec<_>>());
    ensure!(users_of(&["guest_picture("])? == set(&["node/visits.rs", "web/guest/archive.rs", "web/guest/routes.rs"]));
    let givers = set(&["node/visits/video.rs", "web/guest/archive.rs", "web/guest/routes.rs"]);
    ensure!(users_of(&["guest_video("])? == givers);
    let inside: Vec<String> = users_of(&["blobs()", "read_original(", "read_picture("])?
        .into_iter()
        .filter(|name| name.starts_with("web/guest/"))
        .collect();
    ensure!(inside.is_empty(), "the page for guests reads photos by itself: {inside:?}");
    Ok(())
}
