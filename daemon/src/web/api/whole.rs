//! What concerns the vault as a whole: bringing a backup back into an empty node, erasing everything. These answer whether a node runs or not.

use std::path::PathBuf;

use axum::extract::{DefaultBodyLimit, Extension, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Json, middleware};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt};
use utoipa_axum::routes;

use super::super::edge::Edge;
use super::super::guard::{Guards, Visitor, only_signed_in};
use super::super::limits::JSON_BYTES;
use super::vault::{SecretBody, WayView, refused, secret};
use super::{Answer, Problem};

/// What is typed before everything is erased.
pub const ERASE_WORDS: &str = "erase everything";

/// Where a backup is.
#[derive(Deserialize, ToSchema)]
pub(crate) struct BackupFolderBody {
    /// The folder that was named when it was made, an absolute path.
    #[schema(value_type = String)]
    folder: PathBuf,
}

/// A backup that was found.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct FoundBackupView {
    /// What unlocks it.
    pub ways: Vec<WayView>,
    /// When its newest version was made, Unix milliseconds.
    pub newest: u64,
}

/// A wish to bring a backup back.
#[derive(Deserialize, ToSchema)]
pub(crate) struct RestoreBody {
    /// The folder that was named when it was made, an absolute path.
    #[schema(value_type = String)]
    folder: PathBuf,
    /// What unlocks it.
    by: SecretBody,
    /// Whether this computer's key file unlocks it from then on, so that the daemon starts without a question.
    by_itself: bool,
}

/// A wish to erase everything.
#[derive(Deserialize, ToSchema)]
pub(crate) struct EraseBody {
    /// The words `erase everything`.
    words: String,
    /// The passphrase or the recovery phrase, where the vault has one that is asked for.
    by: Option<SecretBody>,
}

/// For browsers that are signed in.
pub(in super::super) fn routes(guards: &Guards) -> OpenApiRouter<Edge> {
    let signed_in = || middleware::from_fn_with_state(guards.clone(), only_signed_in);
    OpenApiRouter::default()
        .routes(routes!(look_for_backup).layer(signed_in()))
        .routes(routes!(restore).layer(signed_in()))
        .routes(routes!(erase).layer(signed_in()))
        .layer(DefaultBodyLimit::max(JSON_BYTES))
}

/// For the unix socket.
pub(in super::super) fn socket_routes() -> OpenApiRouter<Edge> {
    OpenApiRouter::default()
        .routes(routes!(look_for_backup))
        .routes(routes!(restore))
        .routes(routes!(erase))
        .layer(DefaultBodyLimit::max(JSON_BYTES))
}

/// Look for a backup in a folder
#[utoipa::path(
    post, path = "/vault/restore/look", tag = "vault", request_body = BackupFolderBody,
    responses((status = 200, body = FoundBackupView))
)]
async fn look_for_backup(State(edge): State<Edge>, Json(body): Json<BackupFolderBody>) -> Answer<Response> {
    match edge.door.look_for_backup(absolute(body.folder)?).await {
        Ok(found) => {
            let ways = found.ways.into_iter().map(WayView::from).collect();
            Ok(Json(FoundBackupView { ways, newest: found.newest }).into_response())
        }
        Err(error) => Ok(refused(error)),
    }
}

/// Bring a backup back into this node, which must never have been used; how it goes is told with the vault
#[utoipa::path(
    post, path = "/vault/restore", operation_id = "restore_backup", tag = "vault", request_body = RestoreBody,
    responses((status = 202, description = "It can be brought back, and that has begun"))
)]
async fn restore(State(edge): State<Edge>, Json(body): Json<RestoreBody>) -> Answer<Response> {
    let (folder, by) = (absolute(body.folder)?, secret(body.by)?);
    match edge.door.restore(folder, by, body.by_itself).await {
        Ok(()) => Ok(StatusCode::ACCEPTED.into_response()),
        Err(error) => Ok(refused(error)),
    }
}

/// Erase everything and begin as new; of the browsers, only the one that asked stays signed in
#[utoipa::path(
    post, path = "/vault/erase", tag = "vault", request_body = EraseBody,
    responses((status = 204, description = "Everything is erased; a new, empty node runs"))
)]
async fn erase(
    State(edge): State<Edge>,
    visitor: Option<Extension<Visitor>>,
    Json(body): Json<EraseBody>,
) -> Answer<Response> {
    if !body.words.trim().eq_ignore_ascii_case(ERASE_WORDS) {
        return Err(Problem::invalid("not-confirmed", format!("type the words: {ERASE_WORDS}")));
    }
    let by = body.by.map(secret).transpose()?;
    if let Err(error) = edge.door.erase(by).await {
        return Ok(refused(error));
    }
    edge.guards.end_others(visitor.map(|Extension(visitor)| visitor)).await;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn absolute(folder: PathBuf) -> Answer<PathBuf> {
    if folder.is_absolute() {
        return Ok(folder);
    }
    Err(Problem::invalid("bad-folder", "give the whole path of the folder, beginning with a slash"))
}
