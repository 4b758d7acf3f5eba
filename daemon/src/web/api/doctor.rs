//! The doctor.

use axum::Json;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{JsonAnswer, Node};
use crate::views::DoctorView;

pub(super) fn routes() -> OpenApiRouter<Node> {
    OpenApiRouter::default().routes(routes!(get_doctor, run_doctor))
}

/// What the last checks have shown, and how far the present ones are
#[utoipa::path(get, path = "/doctor", tag = "node", responses((status = 200, body = DoctorView)))]
async fn get_doctor(State(node): State<Node>) -> JsonAnswer<DoctorView> {
    Ok(Json(node.doctor().await?))
}

/// Check everything that the node depends on; answered at once, and looked at again for how it goes
#[utoipa::path(post, path = "/doctor", tag = "node", responses((status = 200, body = DoctorView)))]
async fn run_doctor(State(node): State<Node>) -> JsonAnswer<DoctorView> {
    Ok(Json(node.run_doctor().await?))
}
