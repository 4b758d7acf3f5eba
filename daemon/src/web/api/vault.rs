//! Locking, unlocking and the ways to unlock. These answer whether the vault is locked or not.

use std::path::PathBuf;

use axum::extract::{ConnectInfo, DefaultBodyLimit, Extension, State};
use axum::http::header::{RETRY_AFTER, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Json, middleware};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt};
use utoipa_axum::routes;
use zeroize::Zeroizing;

use super::super::edge::{Edge, Way};
use super::super::entrance::Caller;
use super::super::guard::{Guards, only_signed_in};
use super::super::limits::JSON_BYTES;
use super::session::from;
use super::{Answer, JsonAnswer, Problem};
use crate::door::{DoorError, NewWay, Phase, Secret, SlotChange};
use crate::node::StartError;
use crate::vault::backup::BackupError;
use crate::vault::{KeyError, Passphrase, RecoveryPhrase, SlotKind, VaultError};
use crate::views::RestoreView;

/// A way to unlock the vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WayView {
    /// A file with a random secret, outside the data folder.
    KeyFile,
    /// Typed at each start.
    Passphrase,
    /// 24 words on paper.
    Recovery,
}

impl From<SlotKind> for WayView {
    fn from(kind: SlotKind) -> Self {
        match kind {
            SlotKind::KeyFile => Self::KeyFile,
            SlotKind::Passphrase => Self::Passphrase,
            SlotKind::Recovery => Self::Recovery,
        }
    }
}

impl From<WayView> for SlotKind {
    fn from(way: WayView) -> Self {
        match way {
            WayView::KeyFile => Self::KeyFile,
            WayView::Passphrase => Self::Passphrase,
            WayView::Recovery => Self::Recovery,
        }
    }
}

/// The vault from outside.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct VaultView {
    /// Whether it is locked.
    pub phase: Phase,
    /// Name of the machine.
    pub machine: String,
    /// What unlocks it; empty before its first start.
    pub ways: Vec<WayView>,
    /// How long the next try has to wait after wrong ones, in milliseconds.
    pub wait_ms: u64,
    /// Whether the owner has not been through the first steps yet; only told to those who are signed in.
    pub first_run: bool,
    /// Whether erasing everything takes the passphrase or the recovery phrase.
    pub erasing_takes_secret: bool,
    /// The backup that is being brought back, or was since the daemon started; only told to those who are signed in.
    pub restore: Option<RestoreView>,
}

/// What unlocks, as a browser or the command line shows it.
#[derive(Deserialize, ToSchema)]
pub(crate) struct SecretBody {
    /// Which way.
    pub(super) way: WayView,
    /// The passphrase or the words; nothing for the key file.
    #[schema(value_type = Option<String>)]
    secret: Option<Typed>,
}

/// What somebody typed, wiped when it was looked at.
#[derive(Deserialize)]
#[serde(from = "String")]
pub(super) struct Typed(pub(super) Zeroizing<String>);

impl From<String> for Typed {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

/// A change in the ways to unlock.
#[derive(Deserialize, ToSchema)]
pub(crate) struct SlotsBody {
    /// How the vault is unlocked now, to show that it is its owner who asks.
    by: SecretBody,
    /// What changes.
    change: ChangeBody,
    /// Which way.
    way: WayView,
    /// The new passphrase or the new words.
    #[schema(value_type = Option<String>)]
    secret: Option<Typed>,
    /// Where a new key file is made; where the daemon looks for it when absent.
    #[schema(value_type = Option<String>)]
    path: Option<PathBuf>,
}

/// Which change.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum ChangeBody {
    /// One more.
    Add,
    /// In place of all others of its kind.
    Replace,
    /// None of this kind any more.
    Remove,
}

/// The words of a new recovery phrase, to be written down and asked back; they open nothing yet.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct RecoveryWordsView {
    /// 24 of them, in order.
    pub words: Vec<String>,
}

impl std::fmt::Debug for RecoveryWordsView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RecoveryWordsView(hidden)")
    }
}

/// For browsers: unlocking signs one in, since whoever knows the passphrase is the owner.
pub(in super::super) fn routes(guards: &Guards, way: Way) -> OpenApiRouter<Edge> {
    let signed_in = || middleware::from_fn_with_state(guards.clone(), only_signed_in);
    OpenApiRouter::default()
        .routes(routes!(get_vault))
        .routes(routes!(unlock_vault))
        .routes(routes!(lock_vault).layer(signed_in()))
        .routes(routes!(change_slots).layer(signed_in()))
        .routes(routes!(new_recovery_words).layer(signed_in()))
        .layer(DefaultBodyLimit::max(JSON_BYTES))
        .layer(Extension(way))
}

/// For the unix socket.
pub(in super::super) fn socket_routes() -> OpenApiRouter<Edge> {
    OpenApiRouter::default()
        .routes(routes!(get_vault))
        .routes(routes!(unlock_vault))
        .routes(routes!(lock_vault))
        .routes(routes!(change_slots))
        .routes(routes!(new_recovery_words))
        .layer(DefaultBodyLimit::max(JSON_BYTES))
        .layer(Extension(Way::Control))
}

/// Whether the vault is locked, and what unlocks it
#[utoipa::path(get, path = "/vault", tag = "vault", responses((status = 200, body = VaultView)))]
async fn get_vault(
    State(edge): State<Edge>,
    Extension(way_in): Extension<Way>,
    headers: HeaderMap,
) -> JsonAnswer<VaultView> {
    let mut view = view(&edge).await?;
    if way_in.is_browser() && edge.guards.visitor(&headers).await.is_none() {
        view.first_run = false;
        view.restore = None;
    }
    Ok(Json(view))
}

/// Unlock the vault and start the node; in a browser, sign in as well
#[utoipa::path(
    post, path = "/vault/unlock", tag = "vault", request_body = SecretBody,
    responses((status = 204, description = "Unlocked; the session cookie is set where there was none"))
)]
async fn unlock_vault(
    State(edge): State<Edge>,
    Extension(way_in): Extension<Way>,
    caller: Option<Extension<ConnectInfo<Caller>>>,
    headers: HeaderMap,
    Json(body): Json<SecretBody>,
) -> Answer<Response> {
    let stranger = way_in.is_browser() && edge.guards.visitor(&headers).await.is_none();
    // A key file shows nothing about who asks; what one knows does.
    if stranger && body.way == WayView::KeyFile {
        return Err(edge.guards.not_signed_in());
    }
    if let Err(error) = edge.door.unlock(secret(body)?).await {
        return Ok(refused(error));
    }
    if !stranger {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let cookie = edge.guards.open_session(&headers, from(caller)).await.map_err(internal)?;
    let value = HeaderValue::from_str(&cookie).map_err(internal)?;
    Ok((StatusCode::NO_CONTENT, [(SET_COOKIE, value)]).into_response())
}

/// Stop the node and forget every key
#[utoipa::path(
    post, path = "/vault/lock", tag = "vault",
    responses((status = 204, description = "Locked: no key is in memory, sharing has stopped"))
)]
async fn lock_vault(State(edge): State<Edge>) -> Answer<StatusCode> {
    edge.door.lock().await.map_err(problem)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Add, replace or remove a way to unlock; no photo is encrypted anew
#[utoipa::path(
    post, path = "/vault/slots", tag = "vault", request_body = SlotsBody,
    responses((status = 200, description = "The ways that there are now", body = VaultView))
)]
async fn change_slots(State(edge): State<Edge>, Json(body): Json<SlotsBody>) -> Answer<Response> {
    let SlotsBody { by, change, way, secret: text, path } = body;
    let names_path = path.is_some();
    if path.as_ref().is_some_and(|path| !path.is_absolute()) {
        return Err(Problem::invalid("key-file", "give the whole path of the key file, such as /etc/inframe/key"));
    }
    let new = || -> Answer<NewWay> {
        Ok(match way {
            WayView::KeyFile => NewWay::KeyFile(path),
            WayView::Passphrase => NewWay::Passphrase(Passphrase::chosen(typed(&text)).map_err(of_key)?),
            WayView::Recovery => NewWay::Recovery(RecoveryPhrase::typed(typed(&text)).map_err(of_key)?),
        })
    };
    let change = match change {
        ChangeBody::Add => SlotChange::Add(new()?),
        ChangeBody::Replace => SlotChange::Replace(new()?),
        ChangeBody::Remove => SlotChange::Remove(way.into()),
    };
    match edge.door.change_slots(change, secret(by)?).await {
        Ok(_) => Ok(Json(view(&edge).await?).into_response()),
        // No file can be made at the path that was asked for.
        Err(DoorError::Key(error @ KeyError::Io { .. })) if names_path => {
            Err(Problem::invalid("key-file", error.to_string()))
        }
        Err(error) => Ok(refused(error)),
    }
}

/// Words for a new recovery phrase, shown once
#[utoipa::path(
    post, path = "/vault/recovery-words", tag = "vault", responses((status = 200, body = RecoveryWordsView))
)]
async fn new_recovery_words(State(edge): State<Edge>) -> JsonAnswer<RecoveryWordsView> {
    let words = edge.door.new_recovery_words().map_err(problem)?;
    Ok(Json(RecoveryWordsView { words }))
}

async fn view(edge: &Edge) -> Answer<VaultView> {
    Ok(VaultView {
        phase: edge.door.phase(),
        machine: crate::settings::host_name(),
        ways: edge.door.slots().await.map_err(problem)?.into_iter().map(WayView::from).collect(),
        wait_ms: u64::try_from(edge.door.wait().as_millis()).unwrap_or(u64::MAX),
        first_run: edge.door.opened().is_some_and(|opened| opened.node.is_first_run()),
        erasing_takes_secret: edge.door.erasing_takes_a_secret().await.map_err(problem)?,
        restore: edge.door.restore_view(),
    })
}

fn typed(text: &Option<Typed>) -> &str {
    text.as_ref().map_or("", |text| text.0.as_str())
}

pub(super) fn secret(body: SecretBody) -> Answer<Secret> {
    Ok(match body.way {
        WayView::KeyFile => Secret::KeyFile,
        WayView::Passphrase => Secret::Passphrase(Passphrase::typed(typed(&body.secret)).map_err(of_key)?),
        WayView::Recovery => Secret::Recovery(RecoveryPhrase::typed(typed(&body.secret)).map_err(of_key)?),
    })
}

pub(super) fn refused(error: DoorError) -> Response {
    let wait = match &error {
        DoorError::Wait(wait) => Some(wait.as_secs().max(1)),
        _ => None,
    };
    let mut response = problem(error).into_response();
    if let Some(wait) = wait {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait));
    }
    response
}

fn problem(error: DoorError) -> Problem {
    match error {
        DoorError::Wait(_) => Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many-tries", error.to_string()),
        DoorError::Key(error) => of_key(error),
        DoorError::Start(error) => match *error {
            StartError::Vault(VaultError::Key(error)) => of_key(error),
            error => internal(error),
        },
        DoorError::Restoring => Problem::new(StatusCode::CONFLICT, "restoring", error.to_string()),
        DoorError::InUse => Problem::new(StatusCode::CONFLICT, "not-empty", error.to_string()),
        DoorError::Locked => Problem::new(StatusCode::LOCKED, "locked", error.to_string()),
        DoorError::Backup(error) => of_backup(*error),
        DoorError::Erase(_) | DoorError::Held | DoorError::BrokenOff => internal(error),
    }
}

fn of_backup(error: BackupError) -> Problem {
    match error {
        BackupError::NoRoom(..) | BackupError::Full(_) => {
            Problem::new(StatusCode::INSUFFICIENT_STORAGE, "disk-almost-full", error.to_string())
        }
        BackupError::Newer(_) => Problem::invalid("newer-backup", error.to_string()),
        BackupError::Away(_) | BackupError::NoBackup(_) | BackupError::NoVersion(_) | BackupError::Io { .. } => {
            Problem::invalid("no-backup", error.to_string())
        }
        other => internal(other),
    }
}

fn of_key(error: KeyError) -> Problem {
    match error {
        KeyError::WrongSecret(_) => Problem::new(StatusCode::FORBIDDEN, "wrong-secret", error.to_string()),
        KeyError::NoSuchSlot { .. } | KeyError::OwnSlot(_) | KeyError::TooManySlots | KeyError::KeyFileInUse { .. } => {
            Problem::new(StatusCode::CONFLICT, "no-such-way", error.to_string())
        }
        KeyError::BadPassphrase(_) => Problem::invalid("bad-passphrase", error.to_string()),
        KeyError::BadRecoveryPhrase(_) => Problem::invalid("bad-recovery-phrase", error.to_string()),
        KeyError::KeyFileMissing { .. }
        | KeyError::KeyFileDamaged { .. }
        | KeyError::WrongKeyFile { .. }
        | KeyError::KeyFileExposed { .. }
        | KeyError::KeyFileInsideDataFolder { .. } => Problem::invalid("key-file", error.to_string()),
        KeyError::RestoreUnfinished { .. } => Problem::new(StatusCode::CONFLICT, "restoring", error.to_string()),
        KeyError::NewerSlots { .. } => Problem::invalid("newer-backup", error.to_string()),
        other => internal(other),
    }
}

fn internal(error: impl std::fmt::Display) -> Problem {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", error.to_string())
}
