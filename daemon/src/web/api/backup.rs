//! The backup.

use axum::Json;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{JsonAnswer, Node};
use crate::views::{BackupPatch, BackupView};

pub(super) fn routes() -> OpenApiRouter<Node> {
    OpenApiRouter::default()
        .routes(routes!(get_backup, change_backup))
        .routes(routes!(run_backup, stop_backup))
        .routes(routes!(check_backup))
}

/// Where the vault is backed up, and how that goes
#[utoipa::path(get, path = "/backup", tag = "vault", responses((status = 200, body = BackupView)))]
async fn get_backup(State(node): State<Node>) -> JsonAnswer<BackupView> {
    Ok(Json(node.backup().await?))
}

/// Name the folder of the backup, and how often it is made
#[utoipa::path(patch, path = "/backup", tag = "vault", request_body = BackupPatch, responses((status = 200, body = BackupView)))]
async fn change_backup(State(node): State<Node>, Json(patch): Json<BackupPatch>) -> JsonAnswer<BackupView> {
    Ok(Json(node.change_backup(patch).await?))
}

/// Make a backup now
#[utoipa::path(post, path = "/backup/run", tag = "vault", responses((status = 200, body = BackupView)))]
async fn run_backup(State(node): State<Node>) -> JsonAnswer<BackupView> {
    Ok(Json(node.run_backup(false).await?))
}

/// Break off the backup or the check that runs
#[utoipa::path(delete, path = "/backup/run", tag = "vault", responses((status = 200, body = BackupView)))]
async fn stop_backup(State(node): State<Node>) -> JsonAnswer<BackupView> {
    Ok(Json(node.stop_backup().await?))
}

/// Read the backup through, and copy anew what is damaged
#[utoipa::path(post, path = "/backup/check", tag = "vault", responses((status = 200, body = BackupView)))]
async fn check_backup(State(node): State<Node>) -> JsonAnswer<BackupView> {
    Ok(Json(node.run_backup(true).await?))
}
