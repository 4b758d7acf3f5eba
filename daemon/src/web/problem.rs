//! Errors as `application/problem+json` (RFC 9457), whether they come from the node, the guards or the web framework.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::limits::ERROR_TEXT_BYTES;
use crate::node::NodeError;
use crate::views::ProblemView;

/// Media type of a problem.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// An answer that says what went wrong and what to do.
#[derive(Debug, Clone)]
pub struct Problem {
    status: StatusCode,
    view: Box<ProblemView>,
}

impl Problem {
    /// A problem of a stable kind with a sentence for the owner.
    pub fn new(status: StatusCode, kind: &str, detail: impl Into<String>) -> Self {
        let view = ProblemView {
            kind: kind.to_owned(),
            title: title(status).to_owned(),
            status: status.as_u16(),
            detail: sentence(&detail.into()),
        };
        Self { status, view: Box::new(view) }
    }

    /// Nothing lives at that address of the API.
    pub fn no_such_path() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "no-such-path",
            "There is nothing at this address of the API; see /api/v1/openapi.json",
        )
    }

    /// The value of a field or of a query is not acceptable.
    pub fn invalid(kind: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, kind, detail)
    }
}

impl From<NodeError> for Problem {
    fn from(error: NodeError) -> Self {
        let detail = error.to_string();
        match error {
            NodeError::NotFound(_) => Self::new(StatusCode::NOT_FOUND, "not-found", detail),
            NodeError::Invalid(kind, _) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, kind, detail),
            NodeError::Conflict(kind, _) => Self::new(StatusCode::CONFLICT, kind, detail),
            NodeError::NotHost => Self::new(StatusCode::FORBIDDEN, "not-host", detail),
            NodeError::TooOften(_) => Self::new(StatusCode::TOO_MANY_REQUESTS, "too-often", detail),
            NodeError::NoRoom(_) => Self::new(StatusCode::INSUFFICIENT_STORAGE, "disk-almost-full", detail),
            NodeError::TooLarge(_) => Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail),
            NodeError::Internal(_) => {
                tracing::error!(error = %error, "a wish of the dashboard failed");
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self.view).unwrap_or_default();
        (self.status, [(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON))], body).into_response()
    }
}

/// Turns the framework's own plain errors (bad JSON, wrong method, body too large) into problems, so that the API has one shape of error.
pub async fn as_problems(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let status = response.status();
    if !(status.is_client_error() || status.is_server_error()) || is_problem(&response) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let text = to_bytes(body, ERROR_TEXT_BYTES).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let detail = if text.trim().is_empty() { default_detail(status).to_owned() } else { text.trim().to_owned() };
    let (problem, body) = Problem::new(status, kind(status), detail).into_response().into_parts();
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.extend(problem.headers);
    Response::from_parts(parts, Body::new(body))
}

fn is_problem(response: &Response) -> bool {
    response.headers().get(CONTENT_TYPE).is_some_and(|value| value == PROBLEM_JSON)
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn title(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 => "Not signed in",
        403 => "Not allowed",
        404 => "Not found",
        405 => "Method not allowed",
        409 => "Changed meanwhile",
        413 => "Too large",
        415 => "Wrong kind of body",
        416 => "No such range",
        421 => "Wrong host",
        422 => "Not valid",
        423 => "Locked",
        429 => "Too often",
        503 => "Busy",
        507 => "Disk almost full",
        500..=599 => "Something failed",
        _ => "Bad request",
    }
}

fn kind(status: StatusCode) -> &'static str {
    match status.as_u16() {
        404 => "not-found",
        405 => "wrong-method",
        413 => "too-large",
        415 => "wrong-media-type",
        422 => "wrong-shape",
        500..=599 => "internal",
        _ => "bad-request",
    }
}

fn default_detail(status: StatusCode) -> &'static str {
    match status.as_u16() {
        405 => "This address of the API does not take that method; see /api/v1/openapi.json",
        413 => "The request is too large",
        _ => "The request could not be answered",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn body_of(problem: Problem) -> (StatusCode, String, serde_json::Value) {
        let response = problem.into_response();
        let media = response.headers()[CONTENT_TYPE].to_str().unwrap().to_owned();
        let status = response.status();
        let bytes = to_bytes(response.into_body(), 10_000).await.unwrap();
        (status, media, serde_json::from_slice(&bytes).unwrap())
    }

    #[tokio::test]
    async fn every_node_error_has_its_status_and_kind() {
        let cases = [
            (NodeError::NotFound("photo"), 404, "not-found"),
            (NodeError::Invalid("invite-expired", "the invite has expired".into()), 422, "invite-expired"),
            (NodeError::Conflict("stale", "the timeline has changed".into()), 409, "stale"),
            (NodeError::NotHost, 403, "not-host"),
            (NodeError::TooLarge("at most 64 MiB".into()), 413, "too-large"),
            (NodeError::NoRoom("the disk is almost full".into()), 507, "disk-almost-full"),
            (NodeError::Internal("the disk is full".into()), 500, "internal"),
        ];
        for (error, status, kind) in cases {
            let (answered, media, value) = body_of(error.into()).await;
            assert_eq!(answered.as_u16(), status);
            assert_eq!(media, PROBLEM_JSON);
            assert_eq!(value["type"], kind);
            assert_eq!(value["status"], status);
            assert!(!value["title"].as_str().unwrap().is_empty());
            assert!(value["detail"].as_str().unwrap().starts_with(char::is_uppercase));
        }
    }
}
