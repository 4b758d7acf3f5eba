//! Imports from folders of the daemon's machine, and uploads.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::middleware::from_fn;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt};
use utoipa_axum::routes;

use super::super::intake::{self, Upload};
use super::super::limits::FILE_NAME_BYTES;
use super::{Answer, JsonAnswer, Node, Problem};
use crate::video::VideoFormat;
use crate::views::{ImportView, PathBody, UploadView};

pub(super) fn routes() -> OpenApiRouter<Node> {
    OpenApiRouter::default()
        .routes(routes!(start_import, list_imports))
        .routes(routes!(get_import))
        .routes(routes!(upload).layer(from_fn(intake::of_files)))
}

/// Start to import a file or folder; goes on in the background
#[utoipa::path(post, path = "/imports", tag = "library", request_body = PathBody, responses((status = 202, body = ImportView)))]
async fn start_import(State(node): State<Node>, Json(body): Json<PathBody>) -> Answer<(StatusCode, Json<ImportView>)> {
    Ok((StatusCode::ACCEPTED, Json(node.import_path(body.path).await?)))
}

/// Imports, newest first
#[utoipa::path(get, path = "/imports", tag = "library", responses((status = 200, body = [ImportView])))]
async fn list_imports(State(node): State<Node>) -> JsonAnswer<Vec<ImportView>> {
    Ok(Json(node.imports().await?))
}

/// One import
#[utoipa::path(get, path = "/imports/{id}", tag = "library", params(("id" = String, Path)), responses((status = 200, body = ImportView)))]
async fn get_import(State(node): State<Node>, Path(id): Path<String>) -> JsonAnswer<ImportView> {
    Ok(Json(node.import(id).await?))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct UploadArgs {
    /// File name, at most 255 bytes; only shown, never used as a path.
    name: String,
}

/// Upload one file as the raw body; answered once it is durable
#[utoipa::path(
    post, path = "/uploads", tag = "library", params(UploadArgs),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, body = UploadView))
)]
async fn upload(State(node): State<Node>, Query(args): Query<UploadArgs>, body: Body) -> JsonAnswer<UploadView> {
    if args.name.is_empty() || args.name.len() > FILE_NAME_BYTES {
        return Err(Problem::invalid("bad-name", "Give the file a name of 1 to 255 bytes"));
    }
    let upload = Upload::open(body, VideoFormat::SNIFFED_BYTES).await?;
    if let Some(format) = VideoFormat::sniff(upload.first()) {
        let (pieces, fill) = upload.pipe();
        let (view, ()) = tokio::join!(node.upload_video(args.name, format, pieces), fill);
        return Ok(Json(view?));
    }
    let larger = match upload.whole().await? {
        Ok(bytes) => return Ok(Json(node.upload(args.name, bytes).await?)),
        Err(larger) => larger,
    };
    let (pieces, fill) = larger.pipe();
    let (view, ()) = tokio::join!(node.upload_large(args.name, pieces), fill);
    Ok(Json(view?))
}
