//! Model packs: what there is, adding one, using another.

use axum::Json;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{JsonAnswer, Node};
use crate::views::{AddModelBody, ModelsView, UseModelBody};

pub(super) fn routes() -> OpenApiRouter<Node> {
    OpenApiRouter::default().routes(routes!(list_models, add_model)).routes(routes!(use_model))
}

/// Model packs, and how far the photos are with the one in use
#[utoipa::path(get, path = "/models", tag = "models", responses((status = 200, body = ModelsView)))]
async fn list_models(State(node): State<Node>) -> JsonAnswer<ModelsView> {
    Ok(Json(node.models().await?))
}

/// Add a model pack from a folder or an address; answered once it was tried out and is durable
#[utoipa::path(post, path = "/models", tag = "models", request_body = AddModelBody, responses((status = 200, body = ModelsView)))]
async fn add_model(State(node): State<Node>, Json(body): Json<AddModelBody>) -> JsonAnswer<ModelsView> {
    Ok(Json(node.add_model(body).await?))
}

/// Use another model pack from now on; photos are looked at anew in the background
#[utoipa::path(post, path = "/models/use", tag = "models", request_body = UseModelBody, responses((status = 200, body = ModelsView)))]
async fn use_model(State(node): State<Node>, Json(body): Json<UseModelBody>) -> JsonAnswer<ModelsView> {
    Ok(Json(node.use_model(body).await?))
}
