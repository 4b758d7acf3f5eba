//! People: who is in which photo, names, and what the owner says about them. None of it ever leaves the node.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Answer, JsonAnswer, Node, picture};
use crate::limits::MAX_PERSON_PHOTOS_PER_ANSWER;
use crate::views::{
    AssetView, AssignBody, FacesBody, MergeBody, PeopleAnswerBody, PeopleView, PersonDetailView, PersonPatch,
    PersonView, QuestionsView,
};

pub(super) fn routes() -> OpenApiRouter<Node> {
    OpenApiRouter::default()
        .routes(routes!(get_people))
        .routes(routes!(get_questions, answer_question))
        .routes(routes!(undo_correction))
        .routes(routes!(get_person, change_person))
        .routes(routes!(merge_people))
        .routes(routes!(split_person))
        .routes(routes!(not_person))
        .routes(routes!(get_face_crop))
        .routes(routes!(assign_face))
}

/// Everybody who has a name or is seen often
#[utoipa::path(get, path = "/people", tag = "people", responses((status = 200, body = PeopleView)))]
async fn get_people(State(node): State<Node>) -> JsonAnswer<PeopleView> {
    Ok(Json(node.people().await?))
}

/// What waits for the owner's answer: who somebody is, whether a face is somebody
#[utoipa::path(get, path = "/people/queue", tag = "people", responses((status = 200, body = QuestionsView)))]
async fn get_questions(State(node): State<Node>) -> JsonAnswer<QuestionsView> {
    Ok(Json(node.questions().await?))
}

/// Answer one of them; gives those that are left
#[utoipa::path(
    post, path = "/people/queue", tag = "people", request_body = PeopleAnswerBody, responses((status = 200, body = QuestionsView))
)]
async fn answer_question(State(node): State<Node>, Json(body): Json<PeopleAnswerBody>) -> JsonAnswer<QuestionsView> {
    Ok(Json(node.answer_question(body).await?))
}

/// Take the last correction back
#[utoipa::path(post, path = "/people/undo", tag = "people", responses((status = 200, body = PeopleView)))]
async fn undo_correction(State(node): State<Node>) -> JsonAnswer<PeopleView> {
    Ok(Json(node.undo_correction().await?))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct PhotoArgs {
    /// Photos to leave out at the beginning.
    #[serde(default)]
    offset: usize,
    /// Photos to give; at most 1,000.
    limit: Option<usize>,
}

/// A person with their photos, newest first
#[utoipa::path(
    get, path = "/people/{id}", tag = "people", params(("id" = String, Path), PhotoArgs), responses((status = 200, body = PersonDetailView))
)]
async fn get_person(
    State(node): State<Node>,
    Path(id): Path<String>,
    Query(args): Query<PhotoArgs>,
) -> JsonAnswer<PersonDetailView> {
    Ok(Json(node.person(id, args.offset, args.limit.unwrap_or(MAX_PERSON_PHOTOS_PER_ANSWER)).await?))
}

/// Name, hide or show a person, or choose the face that stands for them
#[utoipa::path(
    patch, path = "/people/{id}", tag = "people", params(("id" = String, Path)), request_body = PersonPatch,
    responses((status = 200, body = PersonView))
)]
async fn change_person(
    State(node): State<Node>,
    Path(id): Path<String>,
    Json(patch): Json<PersonPatch>,
) -> JsonAnswer<PersonView> {
    Ok(Json(node.change_person(id, patch).await?))
}

/// Two people are one: make this one part of another, who is given
#[utoipa::path(
    post, path = "/people/{id}/merge", tag = "people", params(("id" = String, Path)), request_body = MergeBody,
    responses((status = 200, body = PersonView))
)]
async fn merge_people(
    State(node): State<Node>,
    Path(id): Path<String>,
    Json(body): Json<MergeBody>,
) -> JsonAnswer<PersonView> {
    Ok(Json(node.merge_people(id, body.into).await?))
}

/// Some faces are somebody else, all of them the same; gives the new person
#[utoipa::path(
    post, path = "/people/{id}/split", tag = "people", params(("id" = String, Path)), request_body = FacesBody,
    responses((status = 200, body = PersonView))
)]
async fn split_person(
    State(node): State<Node>,
    Path(id): Path<String>,
    Json(body): Json<FacesBody>,
) -> JsonAnswer<PersonView> {
    Ok(Json(node.split_person(id, body).await?))
}

/// Some faces are not this person
#[utoipa::path(
    post, path = "/people/{id}/not", tag = "people", params(("id" = String, Path)), request_body = FacesBody,
    responses((status = 200, body = PeopleView))
)]
async fn not_person(
    State(node): State<Node>,
    Path(id): Path<String>,
    Json(body): Json<FacesBody>,
) -> JsonAnswer<PeopleView> {
    Ok(Json(node.not_person(id, body).await?))
}

/// The picture of a face
#[utoipa::path(
    get, path = "/people/faces/{asset}/{face}/crop", tag = "people", params(("asset" = String, Path), ("face" = u16, Path)),
    responses((status = 200, body = Vec<u8>, content_type = "image/*"))
)]
async fn get_face_crop(State(node): State<Node>, Path((asset, face)): Path<(String, u16)>) -> Answer<Response> {
    Ok(picture(node.face_crop(asset, face).await?))
}

/// Say who a face in a photo is: a person, or a new name
#[utoipa::path(
    put, path = "/assets/{asset}/faces/{face}/person", tag = "people", params(("asset" = String, Path), ("face" = u16, Path)),
    request_body = AssignBody, responses((status = 200, body = AssetView))
)]
async fn assign_face(
    State(node): State<Node>,
    Path((asset, face)): Path<(String, u16)>,
    Json(body): Json<AssignBody>,
) -> JsonAnswer<AssetView> {
    Ok(Json(node.assign_face(asset, face, body).await?))
}
