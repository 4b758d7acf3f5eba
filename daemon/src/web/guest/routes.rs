//! Every address of the guest page as a thin handler: take the wish apart, hand it to the node, dress the answer.

use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, Query, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LINK, REFERRER_POLICY, SET_COOKIE,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tower_http::csrf::CsrfLayer;

use super::super::download;
use super::super::edge::Until;
use super::super::problem::Problem;
use super::desk::{Desk, Here, Known, not_sealed};
use super::{archive, files};
use crate::guest::Ask;
use crate::guest::limits::{JSON_BYTES, PIECE_BYTES, SELFIE_BYTES};
use crate::guest::seal::{Purpose, SEAL_BYTES, open};
use crate::node::Shape;
use crate::views::{FoundPhotoView, FoundView, VisitUploadView, VisitView};

/// What the page may load and do: its own files, pictures and videos of its own, pictures of files that were just chosen, and its own addresses.
const PAGE_POLICY: &str = "default-src 'none'; img-src 'self' blob:; media-src 'self'; script-src 'self'; style-src 'self'; connect-src 'self'; frame-ancestors 'none'; \
     base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'";

/// Seconds that the browser keeps the cookie: until long after everything is erased.
const COOKIE_LIFE_S: u32 = 180 * 24 * 3600;

type Answer<T> = Result<T, Problem>;

/// All addresses.
pub(super) fn router(desk: Desk) -> Router {
    let sealed = |bytes: usize| DefaultBodyLimit::max(bytes + SEAL_BYTES);
    let piece_bytes = usize::try_from(PIECE_BYTES).unwrap_or(usize::MAX / 2);
    let api = Router::new()
        .route("/visit", get(visit))
        .route("/guest", post(join))
        .route("/return", post(come_back))
        .route("/uploads", post(begin_upload))
        .route("/uploads/{id}", put(give_piece).layer(sealed(piece_bytes)).delete(withdraw_upload))
        .route("/uploads/{id}/done", post(complete_upload))
        .route("/selfie", put(give_selfie).layer(sealed(SELFIE_BYTES)).delete(delete_selfie))
        .route("/found", get(found))
        .route("/found.zip", get(save_all))
        .route("/photos/{id}/{shape}", get(picture))
        .route("/photos/{id}/video", get(video))
        .route("/photos/{id}/removal", post(ask_removal))
        .fallback(|| async { files::nothing() })
        .layer(sealed(JSON_BYTES));
    Router::new()
        .route("/g/{token}", get(page))
        .nest("/g/{token}/api", api)
        .route("/guest/assets/{name}", get(files::asset))
        .fallback(|| async { files::nothing() })
        .layer(CsrfLayer::new())
        .layer(from_fn_with_state(desk.clone(), while_open))
        .layer(from_fn(with_safe_headers))
        .with_state(desk)
}

/// Breaks off what is under way when the page is closed, so that a slow phone does not keep the node and its keys in memory.
async fn while_open(State(desk): State<Desk>, request: Request, next: Next) -> Response {
    let closing = desk.closing.clone();
    drop(desk);
    tokio::select! {
        answer = next.run(request) => answer.map(|body| Body::new(Until::new(body, closing))),
        () = closing.cancelled() => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

async fn with_safe_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(PAGE_POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // The token is part of the address.
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert("x-robots-tag", HeaderValue::from_static("noindex"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

async fn page(here: Here, headers: HeaderMap) -> Response {
    let mut response = files::page(&headers);
    // Asked for together with the script rather than by it: one way there and back less on a slow line.
    let early = format!("</g/{}/api/visit>; rel=preload; as=fetch; crossorigin", here.token);
    if let Ok(value) = HeaderValue::from_str(&early) {
        response.headers_mut().insert(LINK, value);
    }
    response
}

async fn visit(here: Here) -> Answer<Json<VisitView>> {
    let guest = here.guest();
    Ok(Json(here.desk.node.visit(here.event, here.page, guest).await?))
}

#[derive(Deserialize)]
struct NameBody {
    name: String,
}

#[derive(Serialize)]
struct JoinedView {
    /// Secret of the private link; only when somebody has just become a guest.
    secret: Option<String>,
}

async fn join(here: Here, body: Bytes) -> Answer<Response> {
    let NameBody { name } = here.opened("guest", &body)?;
    if let Some(guest) = here.guest() {
        let visitor = crate::node::Visitor { event: here.event, guest };
        here.desk.node.guest_renames(visitor, &name).await?;
        return Ok(Json(JoinedView { secret: None }).into_response());
    }
    here.admit(Ask::Join).await?;
    let (_, secret) = here.desk.node.guest_joins(here.event, &name).await?;
    with_cookie(&here, &secret, JoinedView { secret: Some(secret.clone()) })
}

#[derive(Deserialize)]
struct SecretBody {
    secret: String,
}

async fn come_back(here: Here, body: Bytes) -> Answer<Response> {
    let SecretBody { secret } = here.opened("return", &body)?;
    if here.desk.node.guests().guest_of_secret(&here.event, &secret).is_none() {
        here.admit(Ask::Wrong).await?;
        return Err(Problem::new(StatusCode::NOT_FOUND, "no-guest", "This private link leads nowhere any more"));
    }
    with_cookie(&here, &secret, JoinedView { secret: None })
}

fn with_cookie(here: &Here, secret: &str, view: JoinedView) -> Answer<Response> {
    let secure = if here.desk.secure { "; Secure" } else { "" };
    let cookie = format!(
        "{}={secret}; Path=/g/{}; Max-Age={COOKIE_LIFE_S}; HttpOnly; SameSite=Strict{secure}",
        here.cookie_name(),
        here.token
    );
    let mut response = Json(view).into_response();
    // Hex digits only: a guest was found by them, or they were just made.
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(SET_COOKIE, value);
    }
    Ok(response)
}

#[derive(Deserialize)]
struct UploadBody {
    name: String,
    size: u64,
}

async fn begin_upload(known: Known, body: Bytes) -> Answer<Json<VisitUploadView>> {
    known.admit(Ask::Step).await?;
    let UploadBody { name, size } = known.here.opened("upload", &body)?;
    Ok(Json(known.here.desk.node.guest_begins(known.visitor, &name, size).await?))
}

#[derive(Deserialize)]
struct PieceArgs {
    piece: u64,
}

/// The id in an address; the token stands before it.
#[derive(Deserialize)]
struct OfId {
    id: String,
}

async fn give_piece(
    known: Known,
    Path(OfId { id }): Path<OfId>,
    Query(args): Query<PieceArgs>,
    request: Request,
) -> Answer<StatusCode> {
    known.admit(Ask::Piece).await?;
    let node = &known.here.desk.node;
    let size_bytes = node.guest_upload_bytes(known.visitor, &id)?;
    let Ok(_place) = known.here.desk.pieces.acquire().await else { return Err(closing()) };
    let sealed = body_of(request).await?;
    let (page, upload) = (known.here.page.clone(), id.clone());
    let opened = tokio::task::spawn_blocking(move || {
        open(&page.key, Purpose::Piece { upload: &upload, index: args.piece, size_bytes }, &sealed)
    });
    let plain = opened.await.ok().flatten().ok_or_else(not_sealed)?;
    node.guest_gives(known.visitor, id, args.piece, Bytes::copy_from_slice(&plain)).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn complete_upload(known: Known, Path(OfId { id }): Path<OfId>) -> Answer<Json<VisitUploadView>> {
    known.admit(Ask::Step).await?;
    Ok(Json(known.here.desk.node.guest_completes(known.visitor, id).await?))
}

async fn withdraw_upload(known: Known, Path(OfId { id }): Path<OfId>) -> Answer<StatusCode> {
    known.admit(Ask::Step).await?;
    known.here.desk.node.guest_withdraws(known.visitor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
struct SelfieArgs {
    /// Hash of the text that was agreed to.
    consent: String,
}

async fn give_selfie(known: Known, Query(args): Query<SelfieArgs>, request: Request) -> Answer<StatusCode> {
    known.admit(Ask::Selfie).await?;
    let Ok(_place) = known.here.desk.selfies.acquire().await else { return Err(closing()) };
    let sealed = body_of(request).await?;
    let page = known.here.page.clone();
    let opened = tokio::task::spawn_blocking(move || open(&page.key, Purpose::Selfie, &sealed));
    let plain = opened.await.ok().flatten().ok_or_else(not_sealed)?;
    known.here.desk.node.guest_selfie(known.visitor, args.consent, Bytes::copy_from_slice(&plain)).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn delete_selfie(known: Known) -> Answer<StatusCode> {
    known.admit(Ask::Step).await?;
    known.here.desk.node.guest_forgets(known.visitor).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn found(known: Known) -> Answer<Json<FoundView>> {
    known.admit(Ask::Step).await?;
    Ok(Json(known.here.desk.node.guest_found(known.visitor).await?))
}

async fn save_all(known: Known) -> Answer<Response> {
    known.admit(Ask::Archive).await?;
    let node = known.here.desk.node.clone();
    let found = node.guest_found(known.visitor).await?;
    let mut all: Vec<FoundPhotoView> = found.sure.into_iter().chain(found.maybe).collect();
    if all.is_empty() {
        return Err(Problem::new(StatusCode::NOT_FOUND, "none", "There is nothing of you to save yet"));
    }
    // What does not fit into an archive shall not be the photos.
    all.sort_by_key(|one| one.video);
    let videos = all.iter().filter(|one| one.video).count();
    node.note_guest_takes(known.visitor, (all.len() - videos, videos), None).await?;
    Ok(archive::answer(node, known.visitor, all))
}

#[derive(Deserialize)]
struct OfPicture {
    id: String,
    shape: String,
}

async fn picture(known: Known, Path(OfPicture { id, shape }): Path<OfPicture>) -> Result<Response, Response> {
    let shape = match shape.as_str() {
        "small" => Shape::Small,
        "large" => Shape::Large,
        "whole" => Shape::Whole,
        _ => return Err(files::nothing()),
    };
    let node = &known.here.desk.node;
    let (bytes, media_type) = node.guest_picture(known.visitor, &id, shape).await.map_err(problem)?;
    let mut response = bytes.into_response();
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&media_type) {
        headers.insert(CONTENT_TYPE, value);
    }
    if shape == Shape::Whole {
        node.note_guest_takes(known.visitor, (1, 0), Some(id)).await.map_err(problem)?;
        let disposition = format!("attachment; filename=\"photo.{}\"", archive::ending(&media_type));
        if let Ok(value) = HeaderValue::from_str(&disposition) {
            headers.insert(CONTENT_DISPOSITION, value);
        }
    }
    Ok(response)
}

#[derive(Deserialize)]
struct VideoArgs {
    /// As a file rather than to be played.
    #[serde(default)]
    save: bool,
}

/// A video that plays from any place on, or its file, which comes whole: one entry in the activity says that it was saved.
async fn video(
    known: Known,
    Path(OfId { id }): Path<OfId>,
    Query(args): Query<VideoArgs>,
    headers: HeaderMap,
) -> Answer<Response> {
    known.admit(Ask::Video).await?;
    let node = &known.here.desk.node;
    let video = node.guest_video(known.visitor, &id, !args.save).await?;
    if args.save {
        node.note_guest_takes(known.visitor, (0, 1), Some(id)).await?;
    }
    let headers = if args.save { HeaderMap::new() } else { headers };
    tokio::task::spawn_blocking(move || download::answer(video, &headers)).await.map_err(|_| closing())?
}

fn problem(error: crate::node::NodeError) -> Response {
    Problem::from(error).into_response()
}

#[derive(Deserialize)]
struct ReasonBody {
    #[serde(default)]
    reason: String,
}

async fn ask_removal(known: Known, Path(OfId { id }): Path<OfId>, body: Bytes) -> Answer<StatusCode> {
    known.admit(Ask::Step).await?;
    let ReasonBody { reason } = known.here.opened("removal", &body)?;
    known.here.desk.node.guest_asks_removal(known.visitor, &id, &reason).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A body of the size that its address takes.
async fn body_of(request: Request) -> Answer<Bytes> {
    use axum::extract::FromRequest as _;
    Bytes::from_request(request, &()).await.map_err(|error| {
        let status = error.status();
        Problem::new(status, "bad-body", "This could not be received whole; it is sent again by itself")
    })
}

fn closing() -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "closing", "The host's device is stopping; try again later")
}
