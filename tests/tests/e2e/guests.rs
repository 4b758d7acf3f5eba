//! Guests with a browser and no node: the page's own port, what comes in by it, and what it gives out.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use inframe_tests::api::Api;
use inframe_tests::daemon::Daemon;
use inframe_tests::guest::{Guest, PIECE_BYTES};
use inframe_tests::photos;
use inframe_tests::scene::{SOON, WORKED, agree};
use inframe_tests::views::EventPatch;
use inframe_tests::wait::{Seen, wait_until};
use reqwest::{Client, Method};
use serde_json::{Value, json};

/// A host with an event whose guest page is on, and its link.
async fn hosted(patch: Value) -> Result<(Daemon, String, String)> {
    let host = Daemon::start("Ann").await?;
    let event = host.api().create_event("Summer party").await?.id;
    let link = switched_on(host.api(), &event, patch).await?;
    Ok((host, event, link))
}

pub(super) async fn switched_on(api: &Api, event: &str, mut patch: Value) -> Result<String> {
    patch["on"] = json!(true);
    api.change_guest_page(event, &patch).await?;
    link(api, event).await
}

async fn link(api: &Api, event: &str) -> Result<String> {
    wait_until("the guest page's port", SOON, async || {
        let page = api.guest_page(event).await?;
        Ok(Seen::when(page["links"][0]["link"].as_str().map(str::to_owned), || format!("{}", page["problem"])))
    })
    .await
}

pub(super) async fn set_policy(api: &Api, event: &str, policy: &str) -> Result<()> {
    api.patch_event(event, &EventPatch { policy: Some(policy.to_owned()), ..EventPatch::default() }).await?;
    Ok(())
}

async fn becomes(guest: &Guest, upload: &str, state: &str) -> Result<Value> {
    wait_until("the upload's state", WORKED, async || {
        let seen = guest.upload(upload).await?;
        Ok(Seen::when((seen["state"] == state).then(|| seen.clone()), || seen.to_string()))
    })
    .await
}

/// Ids of the photos in which a guest is surely found, once there are some.
async fn surely(guest: &Guest) -> Result<Vec<String>> {
    wait_until("photos of the guest", WORKED, async || {
        let found = guest.found().await?;
        let ids: Vec<String> = found["sure"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|one| one["id"].as_str().map(str::to_owned))
            .collect();
        Ok(Seen::when((!ids.is_empty()).then(|| ids.clone()), || found.to_string()))
    })
    .await
}

#[tokio::test]
async fn the_port_is_there_only_while_a_page_is_on_and_wrong_addresses_are_alike() -> Result<()> {
    let host = Daemon::start("Ann").await?;
    let event = host.api().create_event("Summer party").await?.id;
    let page = host.api().guest_page(&event).await?;
    ensure!(page["on"] == false && page["links"].as_array().is_some_and(Vec::is_empty), "{page}");
    let link = switched_on(host.api(), &event, json!({})).await?;
    let guest = Guest::with(&link)?;
    let (http, address) = (Client::new(), guest.address().to_owned());
    let origin = address.split("/g/").next().context("an origin")?.to_owned();

    let whole = http.get(&address).send().await?;
    ensure!(whole.status() == 200, "{}", whole.status());
    let policy = whole.headers()["content-security-policy"].to_str()?.to_owned();
    ensure!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    ensure!(whole.headers()["referrer-policy"] == "no-referrer" && whole.headers()["cache-control"] == "no-cache");

    // None of these tells from another, nor from a page that never was.
    let mut answers = Vec::new();
    for path in [
        "/g/00000000000000000000000000000000",
        "/g/x",
        "/",
        "/api/v1/status",
        "/g/00000000000000000000000000000000/api/visit",
        "/guest/assets/none.js",
        "/index.html",
    ] {
        let answer = http.get(format!("{origin}{path}")).send().await?;
        let status = answer.status();
        answers.push((status.as_u16(), answer.text().await?));
    }
    ensure!(answers.iter().all(|answer| *answer == answers[0] && answer.0 == 404), "{answers:?}");

    // The dashboard's cookie and its API are another world.
    let answer = http.get(format!("{origin}/api/v1/events")).send().await?;
    ensure!(answer.status() == 404);

    host.api().change_guest_page(&event, &json!({ "on": false })).await?;
    wait_until("a closed port", SOON, async || {
        let closed = Client::new().get(&address).send().await.is_err();
        Ok(Seen::when(closed.then_some(()), || "still open".to_owned()))
    })
    .await?;

    // A second event with a page: whoever has the link to one reads nothing of the other.
    switched_on(host.api(), &event, json!({})).await?;
    let other = host.api().create_event("Office").await?.id;
    let mut theirs = Guest::with(&switched_on(host.api(), &other, json!({})).await?)?;
    let mut mine = Guest::with(&self::link(host.api(), &event).await?)?;
    mine.joins("Mia").await?;
    theirs.joins("Ben").await?;
    let secret = mine.secret.clone().context("a private link")?;
    ensure!(theirs.without_cookie().comes_back(&secret).await? == 404, "a private link of another event");
    let id = mine.adds("a.jpg", &photos::hers()?).await?;
    ensure!(theirs.upload(&id).await.is_err());
    ensure!(theirs.completes(&id).await? == 404 && theirs.gives(&id, 0, theirs.piece(&id, 0, b"x")).await? == 404);
    let seen = becomes(&mine, &id, "waiting").await?;
    let photo = seen["photo"].as_str().context("a picture of it")?;
    ensure!(mine.photo(photo, "small").await?.0 == 200);
    ensure!(theirs.photo(photo, "small").await?.0 == 404, "another event's guest");
    ensure!(mine.without_cookie().photo(photo, "small").await?.0 == 401, "nobody in particular");
    let mut again = mine.without_cookie();
    ensure!(again.comes_back(&secret).await? == 200 && again.photo(photo, "small").await?.0 == 200);
    Ok(())
}

#[tokio::test]
async fn d2_an_upload_goes_on_after_a_kill_and_a_piece_that_was_changed_is_refused() -> Result<()> {
    let (mut host, event, link) = hosted(json!({})).await?;
    let mut guest = Guest::with(&link)?;
    guest.joins("Mia").await?;
    let photo = photos::hers_large(1400)?;
    ensure!(photo.len() > 2 * PIECE_BYTES, "several pieces: {}", photo.len());
    let (id, have) = guest.begins("large.png", photo.len()).await?;
    ensure!(have.is_empty());
    let good = guest.piece(&id, 1, &photo);
    let mut bad = good.clone();
    bad[PIECE_BYTES / 2] ^= 1;
    ensure!(guest.gives(&id, 1, bad).await? == 422, "a bit was changed on its way");
    ensure!(guest.gives(&id, 0, good.clone()).await? == 422, "at another place");
    ensure!(guest.gives(&id, 1, good).await? == 204);
    ensure!(guest.completes(&id).await? == 409, "pieces are missing");
    let stranger = Guest::with(&format!("{}#{}", guest.address(), "A".repeat(43)))?;
    ensure!(stranger.clone().joins("Eve").await.is_err(), "without the key of the link");

    host.kill().await?;
    host.restart().await?;
    guest.moves_to(&self::link(host.api(), &event).await?);
    let (same, have) = guest.begins("large.png", photo.len()).await?;
    ensure!(same == id && have == [1], "{same} {have:?}");
    for index in (0..photo.len().div_ceil(PIECE_BYTES)).filter(|index| *index != 1) {
        ensure!(guest.gives(&id, index, guest.piece(&id, index, &photo)).await? == 204);
    }
    ensure!(guest.completes(&id).await? == 200);
    let seen = becomes(&guest, &id, "waiting").await?;
    let asset = host.api().asset(seen["photo"].as_str().context("its id")?).await?;
    ensure!(asset.origin.kind == "guest" && asset.origin.from.as_deref() == Some("Mia"), "{:?}", asset.origin);
    ensure!(asset.size_bytes == photo.len() as u64);

    // The same file once more, from somebody else: it is there.
    let mut other = guest.without_cookie();
    other.joins("Ben").await?;
    let twice = other.adds("copy.png", &photo).await?;
    becomes(&other, &twice, "known").await?;
    // No photo at all.
    let text = guest.adds("notes.txt", b"not a picture").await?;
    let failed = becomes(&guest, &text, "failed").await?;
    ensure!(failed["reason"].as_str().is_some_and(|why| !why.is_empty()), "{failed}");
    ensure!(host.api().status().await?.asset_count == 1, "nothing of it is kept");
    Ok(())
}

#[tokio::test]
async fn the_host_says_what_takes_part_and_a_guest_takes_back_what_is_theirs() -> Result<()> {
    let (host, event, link) = hosted(json!({ "approve_first": true })).await?;
    let api = host.api();
    let mut guest = Guest::with(&link)?;
    guest.joins("Mia").await?;
    let (one, two) = (guest.adds("1.jpg", &photos::sample(1)?).await?, guest.adds("2.jpg", &photos::sample(2)?).await?);
    let one_seen = becomes(&guest, &one, "waiting").await?;
    becomes(&guest, &two, "waiting").await?;
    ensure!(api.event(&event).await?.asset_ids.is_empty(), "nothing takes part before the host's word");
    let page = api.guest_page(&event).await?;
    ensure!(page["waiting_count"] == 2 && page["guests"][0]["name"] == "Mia", "{page}");
    api.guest_wish(&event, "uploads", &json!({ "uploads": [one], "show": true })).await?;
    api.guest_wish(&event, "uploads", &json!({ "uploads": [two], "show": false })).await?;
    becomes(&guest, &one, "shown").await?;
    becomes(&guest, &two, "refused").await?;
    let shown = api.event(&event).await?.asset_ids;
    ensure!(shown == [one_seen["photo"].as_str().context("its id")?], "{shown:?}");
    // What was refused does not come back by adding it again.
    let again = guest.adds("2.jpg", &photos::sample(2)?).await?;
    becomes(&guest, &again, "refused").await?;

    guest.request(Method::DELETE, &format!("uploads/{one}")).send().await?.error_for_status()?;
    ensure!(api.event(&event).await?.asset_ids.is_empty() && api.status().await?.asset_count == 0);
    ensure!(api.trash(None, 100).await?.items.iter().all(|item| item.id != shown[0]), "deleted for good");

    // Without moderation it takes part at once; outside of the window nothing is taken.
    api.change_guest_page(&event, &json!({ "approve_first": false })).await?;
    let three = guest.adds("3.jpg", &photos::sample(3)?).await?;
    becomes(&guest, &three, "shown").await?;
    ensure!(api.event(&event).await?.asset_ids.len() == 1);
    api.change_guest_page(&event, &json!({ "closes_at": 1 })).await?;
    ensure!(guest.begins("4.jpg", 9).await.is_err_and(|error| error.to_string().contains("closed")));

    let told: Vec<String> = api.activity().await?.into_iter().map(|entry| entry.text).collect();
    for words in ["Mia came to Summer party as a guest", "added a photo; it waits", "deleted something"] {
        ensure!(told.iter().any(|text| text.contains(words)), "{words}: {told:?}");
    }
    let mia = page["guests"][0]["id"].as_str().context("her id")?;
    api.block_guest(&event, mia, true).await?;
    ensure!(guest.visit().await?["guest"].is_null(), "shut out");
    Ok(())
}

#[tokio::test]
async fn d4_a_guest_sees_photos_of_themselves_as_the_hosts_rule_says_and_nothing_hidden_in_them() -> Result<()> {
    let host = Daemon::start("Ann").await?;
    let api = host.api();
    let event = api.create_event("Summer party").await?.id;
    ensure!(
        api.change_guest_page(&event, &json!({ "selfies": true })).await.is_err(),
        "without the host's own consent"
    );
    agree(api).await?;
    let exif = photos::Exif { location: true, ..photos::Exif::default() };
    let hers = photos::with_exif(&photos::hers()?, &exif)?;
    let original = api.upload("hers.jpg", hers.clone()).await?.asset.context("an asset")?;
    let stranger =
        api.upload("other.jpg", photos::to_jpeg(&photos::pattern(640, 480, 3))?).await?.asset.context("an asset")?;
    let link = switched_on(api, &event, json!({ "selfies": true })).await?;
    let mut guest = Guest::with(&link)?;
    guest.joins("Mia").await?;
    ensure!(guest.takes_selfie(&photos::selfie()?).await? == 204);

    // The rule is to ask: nothing is shown, and the host is asked.
    let asks = wait_until("a question", WORKED, async || {
        let page = api.guest_page(&event).await?;
        let asks = page["asks"].as_array().cloned().unwrap_or_default();
        let about: Vec<Value> = asks.into_iter().filter(|ask| ask["asset"] == original.as_str()).collect();
        Ok(Seen::when((!about.is_empty()).then(|| about.clone()), || page.to_string()))
    })
    .await?;
    let found = guest.found().await?;
    ensure!(found["sure"].as_array().is_some_and(Vec::is_empty) && found["waiting"].as_u64() > Some(0), "{found}");
    ensure!(guest.photo(&original, "small").await?.0 == 404);
    let waiting = api.status().await?.guests_waiting;
    ensure!(waiting.len() == 1 && waiting[0].event == event && waiting[0].count >= asks.len() as u64, "{waiting:?}");
    let ask = json!({ "guest": asks[0]["guest"], "asset": asks[0]["asset"] });
    api.guest_wish(&event, "asks", &json!({ "asks": [ask], "allow": true })).await?;
    ensure!(surely(&guest).await? == std::slice::from_ref(&original));
    for shape in ["small", "large", "whole"] {
        let (status, bytes) = guest.photo(&original, shape).await?;
        ensure!(status == 200 && !bytes.is_empty(), "{shape}: {status}");
        ensure!(
            !bytes.windows(4).any(|four| four == b"Exif") || !hides_place(&bytes),
            "{shape} says where it was taken"
        );
    }
    ensure!(hides_place(&hers), "the original does say where");
    ensure!(guest.photo(&stranger, "small").await?.0 == 404, "a photo without them");
    let archive = guest.request(Method::GET, "found.zip").send().await?.error_for_status()?.bytes().await?;
    ensure!(archive.starts_with(b"PK\x03\x04") && !hides_place(&archive), "an archive");
    let left: Vec<String> =
        api.activity().await?.into_iter().filter(|one| one.kind == "left").map(|one| one.text).collect();
    ensure!(
        left.iter().any(|text| text.contains("shown to Mia")) && left.iter().any(|text| text.contains("saved a photo")),
        "{left:?}"
    );

    // A wish for removal reaches the host.
    ensure!(guest.asks_removal(&original, "I look silly").await? == 204);
    ensure!(guest.asks_removal(&stranger, "not mine").await? == 404);
    let removals = api.guest_page(&event).await?["removals"].clone();
    ensure!(removals[0]["reason"] == "I look silly" && removals[0]["guest_name"] == "Mia", "{removals}");

    // Never wins over every yes.
    set_policy(api, &event, "never").await?;
    ensure!(guest.photo(&original, "small").await?.0 == 404, "never");
    ensure!(guest.found().await?["sure"].as_array().is_some_and(Vec::is_empty));
    set_policy(api, &event, "automatic").await?;
    ensure!(guest.photo(&original, "small").await?.0 == 200);
    let removal = removals[0]["id"].as_str().context("its id")?;
    api.guest_wish(&event, &format!("removals/{removal}"), &json!({ "take_out": true })).await?;
    ensure!(guest.photo(&original, "small").await?.0 == 404, "taken out of the event");

    guest.request(Method::DELETE, "selfie").send().await?.error_for_status()?;
    let found = guest.found().await?;
    ensure!(found["selfie"] == false && found["sure"].as_array().is_some_and(Vec::is_empty), "{found}");
    Ok(())
}

/// Whether bytes carry a tag of a place, whose name a JPEG spells as its number: the pointer to the block of places.
fn hides_place(bytes: &[u8]) -> bool {
    bytes.windows(4).any(|four| four == [0x88, 0x25, 0x00, 0x04] || four == [0x25, 0x88, 0x04, 0x00])
}

#[tokio::test]
async fn d4_where_children_are_present_the_host_looks_first_at_all_that_guests_add_and_see() -> Result<()> {
    let host = Daemon::start("Ann").await?;
    let api = host.api();
    agree(api).await?;
    let event = api.create_event("Summer party").await?.id;
    set_policy(api, &event, "automatic").await?;
    let original = api.upload("hers.jpg", photos::hers()?).await?.asset.context("an asset")?;
    let plain = |seed| photos::to_jpeg(&photos::pattern(640, 480, seed));
    let mine = api.upload("garden.jpg", plain(3)?).await?.asset.context("an asset")?;
    let link = switched_on(api, &event, json!({ "selfies": true, "approve_first": false })).await?;
    let mut guest = Guest::with(&link)?;
    guest.joins("Mia").await?;
    let early = guest.adds("early.jpg", &plain(4)?).await?;
    let early_photo = becomes(&guest, &early, "shown").await?["photo"].as_str().context("its id")?.to_owned();
    ensure!(guest.visit().await?["approve_first"] == false);
    ensure!(guest.takes_selfie(&photos::selfie()?).await? == 204);
    ensure!(surely(&guest).await? == std::slice::from_ref(&original), "by itself");
    wait_until("the wall", WORKED, async || {
        let wall = api.wall(&event).await?;
        Ok(Seen::when([&mine, &early_photo].iter().all(|id| wall.contains(id)).then_some(()), || format!("{wall:?}")))
    })
    .await?;

    let present = |present| EventPatch { children_present: Some(present), ..EventPatch::default() };
    api.patch_event(&event, &present(true)).await?;
    ensure!(guest.photo(&original, "small").await?.0 == 404, "d4: not before the host's word");
    let page = api.guest_page(&event).await?;
    ensure!(page["children_present"] == true && page["approve_first"] == false, "the setting is kept: {page}");
    ensure!(
        page["asks"].as_array().is_some_and(|asks| asks.iter().any(|ask| ask["asset"] == original.as_str())),
        "{page}"
    );
    ensure!(page["waiting_count"] == 1, "what nobody has looked at is shown to the host: {page}");
    ensure!(guest.visit().await?["approve_first"] == true, "and guests are told so");
    let late = guest.adds("late.jpg", &plain(5)?).await?;
    let late_photo = becomes(&guest, &late, "waiting").await?["photo"].as_str().context("its id")?.to_owned();
    // The setting is another one: it shows nothing while it is overruled.
    api.change_guest_page(&event, &json!({ "approve_first": true })).await?;
    api.change_guest_page(&event, &json!({ "approve_first": false })).await?;
    becomes(&guest, &late, "waiting").await?;

    ensure!(api.wall(&event).await?.is_empty(), "only what the host has put there or looked at");
    api.guest_wish(&event, "uploads", &json!({ "uploads": [early, late], "show": true })).await?;
    api.add_assets(&event, &[mine.as_str()]).await?;
    wait_until("the wall", WORKED, async || {
        let wall = api.wall(&event).await?;
        let all = wall.len() == 3 && [&mine, &early_photo, &late_photo].iter().all(|id| wall.contains(id));
        Ok(Seen::when(all.then_some(()), || format!("{wall:?}")))
    })
    .await?;
    let ask = json!({ "guest": page["asks"][0]["guest"], "asset": original });
    api.guest_wish(&event, "asks", &json!({ "asks": [ask], "allow": true })).await?;
    ensure!(guest.photo(&original, "small").await?.0 == 200, "by the host's word");
    let other = api
        .upload("hers too.jpg", photos::varied(1, photos::Variation::Darker(0.95))?)
        .await?
        .asset
        .context("an asset")?;
    wait_until("another question", WORKED, async || {
        let page = api.guest_page(&event).await?;
        let asks = page["asks"].as_array().is_some_and(|asks| asks.iter().any(|ask| ask["asset"] == other.as_str()));
        Ok(Seen::when(asks.then_some(()), || page.to_string()))
    })
    .await?;
    ensure!(guest.photo(&other, "small").await?.0 == 404);
    set_policy(api, &event, "never").await?;
    ensure!(guest.photo(&original, "small").await?.0 == 404, "never stays never");
    set_policy(api, &event, "automatic").await?;

    api.patch_event(&event, &present(false)).await?;
    ensure!(guest.photo(&other, "small").await?.0 == 200, "as before");
    ensure!(guest.visit().await?["approve_first"] == false);
    let last = guest.adds("last.jpg", &plain(6)?).await?;
    becomes(&guest, &last, "shown").await?;
    Ok(())
}

#[tokio::test]
async fn when_the_time_is_over_faces_go_and_photos_stay() -> Result<()> {
    let host = Daemon::start("Ann").await?;
    let api = host.api();
    agree(api).await?;
    let event = api.create_event("Summer party").await?.id;
    let link = switched_on(api, &event, json!({ "selfies": true, "approve_first": false })).await?;
    let mut guest = Guest::with(&link)?;
    guest.joins("Mia").await?;
    let id = guest.adds("1.jpg", &photos::hers()?).await?;
    becomes(&guest, &id, "shown").await?;
    ensure!(guest.takes_selfie(&photos::selfie()?).await? == 204);
    ensure!(api.guest_page(&event).await?["guests"][0]["selfie"] == true);
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
    let soon = u64::try_from(now)? + 1_500;
    api.change_guest_page(&event, &json!({ "ends_at": soon, "keep_days": 0 })).await?;
    let page = wait_until("the end", SOON, async || {
        let page = api.guest_page(&event).await?;
        Ok(Seen::when(page["erased_at"].as_u64().is_some().then(|| page.clone()), || page.to_string()))
    })
    .await?;
    ensure!(
        page["on"] == false && page["guests"][0]["selfie"] == false && page["guests"][0]["name"] == "Mia",
        "{page}"
    );
    ensure!(api.status().await?.asset_count == 1, "photos are the host's");
    let told: Vec<String> = api.activity().await?.into_iter().map(|entry| entry.text).collect();
    ensure!(told.iter().any(|text| text.contains("the one selfie of theirs was erased")), "{told:?}");
    Ok(())
}

#[tokio::test]
async fn d7_whoever_guesses_addresses_is_held_up_and_the_host_hears_of_it() -> Result<()> {
    let (host, _, link) = hosted(json!({})).await?;
    let guest = Guest::with(&link)?;
    let origin = guest.address().split("/g/").next().context("an origin")?.to_owned();
    let http = Client::new();
    let mut statuses = Vec::new();
    for n in 0..60 {
        statuses.push(http.get(format!("{origin}/g/{n:032x}")).send().await?.status().as_u16());
    }
    ensure!(statuses[..10].iter().all(|status| *status == 404) && statuses[50..].contains(&429), "{statuses:?}");
    // A body that is too large is refused before it is read into memory.
    let mut mia = Guest::with(&link)?;
    mia.joins("Mia").await?;
    let (id, _) = mia.begins("a.jpg", 9).await?;
    ensure!(mia.gives(&id, 0, vec![0; 4 * PIECE_BYTES]).await.is_ok_and(|status| status == 413));
    let told = host.api().activity().await?;
    ensure!(told.iter().any(|entry| entry.kind == "suspicious" && entry.text.contains("guest page")), "{told:?}");
    Ok(())
}
