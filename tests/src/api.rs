//! Every endpoint of `/api/v1`, over the daemon's Unix socket (file permission is the guard there, so no cookie is needed).

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use reqwest::{Client, Method, RequestBuilder, Response};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::views::{
    Activity, Asset, Challenge, ConsentText, Event, FaceRef, Import, LaunchLink, Models, MyRelay, Peer, People, Person,
    PersonDetail, Profile, Quarantined, Questions, Settings, Status, TimelineBlock, Trash, TrashDone, Trashed, Upload,
};

/// A request that hangs is a bug; the slowest honest one (an upload on a loaded machine) stays far below.
const REQUEST_LIMIT: Duration = Duration::from_secs(60);

/// A refusal of the API, as its `application/problem+json` says.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Problem {
    /// HTTP status.
    pub status: u16,
    /// Stable kind.
    #[serde(rename = "type")]
    pub kind: String,
    /// What happened and what to do.
    pub detail: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} {}: {}", self.status, self.kind, self.detail)
    }
}

impl std::error::Error for Problem {}

/// The refusal inside `outcome`.
///
/// # Errors
/// When the call went through, or failed for another reason than an answer of the API.
pub fn refusal<T>(outcome: Result<T>) -> Result<Problem> {
    match outcome {
        Ok(_) => anyhow::bail!("the call went through, though it should have been refused"),
        Err(error) => error.downcast::<Problem>(),
    }
}

/// A client of one daemon.
#[derive(Clone, Debug)]
pub struct Api {
    http: Client,
    base: String,
}

impl Api {
    /// A client that speaks to the daemon behind `socket`.
    ///
    /// # Errors
    /// When the HTTP client cannot be built.
    pub fn on_socket(socket: &Path) -> Result<Self> {
        let http = Client::builder().unix_socket(socket.to_path_buf()).timeout(REQUEST_LIMIT).build()?;
        Ok(Self { http, base: "http://localhost/api/v1".to_owned() })
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base))
    }

    /// Sends a request and turns a refusal into [`Problem`].
    ///
    /// # Errors
    /// When the daemon cannot be reached or refuses.
    pub async fn send(&self, request: RequestBuilder) -> Result<Response> {
        let answer = request.send().await.context("the daemon does not answer on its socket")?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let body = answer.text().await.unwrap_or_default();
        let problem = serde_json::from_str(&body).unwrap_or_else(|_| Problem { detail: body, ..Problem::default() });
        Err(Problem { status: status.as_u16(), ..problem }.into())
    }

    pub(crate) async fn json<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T> {
        let answer = self.send(request).await?;
        let url = answer.url().path().to_owned();
        answer.json().await.with_context(|| format!("{url} answered with something else than its schema"))
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.json(self.request(Method::GET, path)).await
    }

    pub(crate) async fn with<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T> {
        self.json(self.request(method, path).json(body)).await
    }

    pub(crate) async fn bytes(&self, path: &str) -> Result<Vec<u8>> {
        Ok(self.send(self.request(Method::GET, path)).await?.bytes().await?.to_vec())
    }
}

/// Status, settings, sessions.
#[allow(missing_docs, clippy::missing_errors_doc)]
impl Api {
    pub async fn status(&self) -> Result<Status> {
        self.get("/status").await
    }

    pub async fn undo_within(&self, seconds: u32) -> Result<Settings> {
        self.with(Method::PATCH, "/settings", &json!({ "undo_seconds": seconds })).await
    }

    pub async fn set_contact(&self, name: &str, email: &str) -> Result<Settings> {
        self.with(Method::PATCH, "/settings", &json!({ "contact": { "name": name, "email": email } })).await
    }

    pub async fn settings(&self) -> Result<Settings> {
        self.get("/settings").await
    }

    pub async fn pause_background(&self, paused: bool) -> Result<Settings> {
        self.with(Method::PATCH, "/settings", &json!({ "background_paused": paused })).await
    }

    pub async fn limit_traffic(&self, traffic: &Value) -> Result<Settings> {
        self.with(Method::PATCH, "/settings", &json!({ "traffic": traffic })).await
    }

    pub async fn keep_for_others(&self, room_bytes: Option<u64>) -> Result<Settings> {
        self.with(Method::PATCH, "/settings", &json!({ "keeping": { "room_bytes": room_bytes } })).await
    }

    pub async fn give_processes(&self, processes: u32) -> Result<Settings> {
        self.with(Method::PATCH, "/settings", &json!({ "processes": processes })).await
    }

    pub async fn quarantine(&self) -> Result<Vec<Quarantined>> {
        self.get("/quarantine").await
    }

    pub async fn retry_quarantined(&self, id: &str) -> Result<Vec<Quarantined>> {
        self.with(Method::POST, &format!("/quarantine/{id}/retry"), &json!({})).await
    }

    pub async fn models(&self) -> Result<Models> {
        self.get("/models").await
    }

    pub async fn add_model(&self, wish: &Value) -> Result<Models> {
        self.with(Method::POST, "/models", wish).await
    }

    pub async fn use_model(&self, pack: &str) -> Result<Models> {
        self.with(Method::POST, "/models/use", &json!({ "pack": pack })).await
    }

    pub async fn rename(&self, nickname: &str) -> Result<Settings> {
        self.with(Method::PATCH, "/settings", &json!({ "nickname": nickname })).await
    }

    pub async fn watch(&self, folder: &Path) -> Result<Settings> {
        self.with(Method::POST, "/watched-folders", &json!({ "path": folder })).await
    }

    pub async fn launch_link(&self) -> Result<LaunchLink> {
        self.with(Method::POST, "/session/launch-links", &json!({})).await
    }

    pub async fn peers(&self) -> Result<Vec<Peer>> {
        self.get("/peers").await
    }

    pub async fn add_peer(&self, address: &str) -> Result<Vec<Peer>> {
        self.with(Method::POST, "/peers", &json!({ "address": address })).await
    }

    pub async fn relay(&self) -> Result<MyRelay> {
        self.get("/relay").await
    }

    pub async fn set_relay(&self, address: &str, token: &str) -> Result<MyRelay> {
        self.with(Method::PUT, "/relay", &json!({ "address": address, "token": token })).await
    }

    pub async fn activity(&self) -> Result<Vec<Activity>> {
        self.get("/activity").await
    }

    pub async fn openapi(&self) -> Result<Value> {
        self.get("/openapi.json").await
    }
}

/// Library.
#[allow(missing_docs, clippy::missing_errors_doc)]
impl Api {
    pub async fn import(&self, path: &Path) -> Result<Import> {
        self.with(Method::POST, "/imports", &json!({ "path": path })).await
    }

    pub async fn import_state(&self, id: &str) -> Result<Import> {
        self.get(&format!("/imports/{id}")).await
    }

    pub async fn imports(&self) -> Result<Vec<Import>> {
        self.get("/imports").await
    }

    pub async fn upload(&self, name: &str, bytes: Vec<u8>) -> Result<Upload> {
        self.json(self.request(Method::POST, "/uploads").query(&[("name", name)]).body(bytes)).await
    }

    pub async fn timeline_block(&self, index: u64, rev: u64) -> Result<TimelineBlock> {
        self.get(&format!("/timeline/blocks/{index}?rev={rev}")).await
    }

    pub async fn skeleton(&self) -> Result<Vec<u8>> {
        self.bytes("/timeline/skeleton").await
    }

    pub async fn asset(&self, id: &str) -> Result<Asset> {
        self.get(&format!("/assets/{id}")).await
    }

    pub async fn add_assets(&self, event: &str, assets: &[&str]) -> Result<Event> {
        self.with(Method::POST, &format!("/events/{event}/assets"), &json!({ "assets": assets })).await
    }

    pub async fn move_to_trash(&self, id: &str) -> Result<Trashed> {
        self.json(self.request(Method::DELETE, &format!("/assets/{id}"))).await
    }

    pub async fn trash(&self, before: Option<&str>, limit: usize) -> Result<Trash> {
        let before = before.map(|mark| format!("&before={mark}")).unwrap_or_default();
        self.get(&format!("/trash?limit={limit}{before}")).await
    }

    pub async fn restore(&self, assets: &[&str]) -> Result<TrashDone> {
        self.with(Method::POST, "/trash/restore", &json!({ "assets": assets })).await
    }

    pub async fn purge(&self, assets: &[&str]) -> Result<TrashDone> {
        self.with(Method::POST, "/trash/purge", &json!({ "assets": assets })).await
    }

    pub async fn empty_trash(&self) -> Result<TrashDone> {
        self.json(self.request(Method::POST, "/trash/empty")).await
    }

    pub async fn original(&self, id: &str) -> Result<Vec<u8>> {
        self.bytes(&format!("/assets/{id}/original")).await
    }

    /// A video as a browser gets it.
    pub async fn video(&self, id: &str) -> Result<Vec<u8>> {
        self.bytes(&format!("/assets/{id}/video")).await
    }

    /// The bytes `first` to `last` of it, and the header that says so.
    pub async fn video_part(&self, id: &str, first: u64, last: u64) -> Result<(String, Vec<u8>)> {
        let request = self.request(Method::GET, &format!("/assets/{id}/video"));
        let answer = self.send(request.header("range", format!("bytes={first}-{last}"))).await?;
        let said = answer.headers().get("content-range").and_then(|value| value.to_str().ok()).unwrap_or_default();
        Ok((said.to_owned(), answer.bytes().await?.to_vec()))
    }

    /// The film of a photo, or a range of it.
    pub async fn motion(&self, id: &str, range: Option<&'static str>) -> Result<Vec<u8>> {
        let mut request = self.request(Method::GET, &format!("/assets/{id}/motion"));
        if let Some(range) = range {
            request = request.header("Range", range);
        }
        Ok(self.send(request).await?.bytes().await?.to_vec())
    }

    pub async fn thumb(&self, id: &str, size: &str) -> Result<Vec<u8>> {
        self.bytes(&format!("/assets/{id}/thumb?size={size}")).await
    }

    /// Every asset, newest first.
    pub async fn assets(&self) -> Result<Vec<Asset>> {
        let rev = u64_at(&self.skeleton().await?, 8)?;
        let mut assets = Vec::new();
        for index in 0.. {
            // A block past the end is empty or refused; both end the list.
            let Ok(block) = self.timeline_block(index, rev).await else { break };
            if block.ids.is_empty() {
                break;
            }
            for id in &block.ids {
                assets.push(self.asset(id).await?);
            }
        }
        Ok(assets)
    }
}

/// Profile and find-me.
#[allow(missing_docs, clippy::missing_errors_doc)]
impl Api {
    pub async fn consent_text(&self, scope: &str) -> Result<ConsentText> {
        self.get(&format!("/consent-texts/{scope}")).await
    }

    pub async fn profile(&self) -> Result<Profile> {
        self.get("/profile").await
    }

    pub async fn consent(&self, text_hash: &str) -> Result<Profile> {
        self.with(Method::POST, "/profile/consent", &json!({ "text_hash": text_hash })).await
    }

    pub async fn add_selfie(&self, image: Vec<u8>) -> Result<Profile> {
        self.add_picture("me", image).await
    }

    pub async fn add_picture(&self, profile: &str, image: Vec<u8>) -> Result<Profile> {
        let request = self.request(Method::POST, &format!("/profiles/{profile}/selfies"));
        self.json(request.header("content-type", "image/jpeg").body(image)).await
    }

    pub async fn profiles(&self) -> Result<Vec<Profile>> {
        self.get("/profiles").await
    }

    pub async fn add_child(&self, name: &str, text_hash: &str) -> Result<Profile> {
        self.with(Method::POST, "/profiles", &json!({ "name": name, "text_hash": text_hash })).await
    }

    pub async fn remove_child(&self, profile: &str) -> Result<Vec<Profile>> {
        self.json(self.request(Method::DELETE, &format!("/profiles/{profile}"))).await
    }

    pub async fn receipts(&self) -> Result<Vec<serde_json::Value>> {
        self.get("/consent-receipts").await
    }

    /// Who can see what.
    pub async fn privacy(&self) -> Result<Value> {
        self.get("/privacy").await
    }

    /// Everything that the node knows about its owner.
    pub async fn about_me(&self) -> Result<Value> {
        self.get("/privacy/export").await
    }

    pub async fn begin_challenge(&self, profile: &str) -> Result<Challenge> {
        self.json(self.request(Method::POST, &format!("/profiles/{profile}/challenge"))).await
    }

    pub async fn challenge_frame(&self, profile: &str, challenge: &str, jpeg: Vec<u8>) -> Result<Challenge> {
        let request = self.request(Method::POST, &format!("/profiles/{profile}/challenge/{challenge}/frames"));
        self.json(request.header("content-type", "image/jpeg").body(jpeg)).await
    }

    pub async fn erase_profile(&self) -> Result<Profile> {
        self.json(self.request(Method::DELETE, "/profile")).await
    }

    pub async fn announce(&self, event: &str, text_hash: &str, hours: u32) -> Result<Event> {
        self.with(Method::PUT, &format!("/events/{event}/find-me"), &json!({ "text_hash": text_hash, "hours": hours }))
            .await
    }

    pub async fn announce_child(&self, event: &str, profile: &str, text_hash: &str, hours: u32) -> Result<Event> {
        let body = json!({ "profile": profile, "text_hash": text_hash, "hours": hours });
        self.with(Method::PUT, &format!("/events/{event}/find-me"), &body).await
    }

    pub async fn withdraw(&self, event: &str) -> Result<Event> {
        self.json(self.request(Method::DELETE, &format!("/events/{event}/find-me"))).await
    }
}

/// People.
#[allow(missing_docs, clippy::missing_errors_doc)]
impl Api {
    pub async fn people(&self) -> Result<People> {
        self.get("/people").await
    }

    pub async fn person(&self, id: &str) -> Result<PersonDetail> {
        self.get(&format!("/people/{id}")).await
    }

    pub async fn name_person(&self, id: &str, name: &str) -> Result<Person> {
        self.with(Method::PATCH, &format!("/people/{id}"), &json!({ "name": name })).await
    }

    pub async fn hide_person(&self, id: &str, hidden: bool) -> Result<Person> {
        self.with(Method::PATCH, &format!("/people/{id}"), &json!({ "hidden": hidden })).await
    }

    pub async fn merge_people(&self, id: &str, into: &str) -> Result<Person> {
        self.with(Method::POST, &format!("/people/{id}/merge"), &json!({ "into": into })).await
    }

    pub async fn split_person(&self, id: &str, faces: &[FaceRef]) -> Result<Person> {
        self.with(Method::POST, &format!("/people/{id}/split"), &json!({ "faces": faces })).await
    }

    pub async fn not_person(&self, id: &str, faces: &[FaceRef]) -> Result<People> {
        self.with(Method::POST, &format!("/people/{id}/not"), &json!({ "faces": faces })).await
    }

    pub async fn assign_face(&self, face: &FaceRef, person: &str) -> Result<Asset> {
        let path = format!("/assets/{}/faces/{}/person", face.asset, face.face);
        self.with(Method::PUT, &path, &json!({ "person": person })).await
    }

    pub async fn questions(&self) -> Result<Questions> {
        self.get("/people/queue").await
    }

    pub async fn answer_question(&self, person: &str, answer: &str) -> Result<Questions> {
        self.with(Method::POST, "/people/queue", &json!({ "person": person, "answer": answer })).await
    }

    pub async fn undo_correction(&self) -> Result<People> {
        self.with(Method::POST, "/people/undo", &json!({})).await
    }

    pub async fn face_crop(&self, face: &FaceRef) -> Result<Vec<u8>> {
        self.bytes(&format!("/people/faces/{}/{}/crop", face.asset, face.face)).await
    }

    pub async fn asset_json(&self, id: &str) -> Result<Value> {
        self.get(&format!("/assets/{id}")).await
    }
}

fn u64_at(bytes: &[u8], at: usize) -> Result<u64> {
    let field =
        bytes.get(at..at + 8).and_then(|field| field.try_into().ok()).context("the timeline skeleton is cut short")?;
    Ok(u64::from_le_bytes(field))
}
