//! Who asks: the page that a token leads to, the guest whom a cookie or a private link names, and how fast they ask.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{ConnectInfo, FromRef, FromRequestParts, RawPathParams};
use axum::http::header::COOKIE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use inframe_protocol::EventId;
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::super::entrance::Caller;
use super::super::problem::Problem;
use super::files::nothing;
use crate::clock::now_ms;
use crate::guest::limits::{PIECES_AT_ONCE, SELFIES_AT_ONCE};
use crate::guest::seal::{Purpose, open};
use crate::guest::{Ask, Asker, Paces, StoredPage};
use crate::library::GuestId;
use crate::node::{Node, Visitor};

/// What every handler works with; cheap to clone.
#[derive(Clone)]
pub(super) struct Desk {
    pub(super) node: Node,
    pub(super) closing: CancellationToken,
    /// Whether the page comes by HTTPS.
    pub(super) secure: bool,
    pub(super) selfies: Arc<Semaphore>,
    pub(super) pieces: Arc<Semaphore>,
    paces: Arc<Mutex<Paces>>,
    /// When the log heard of a flood the last time.
    flooded: Arc<Mutex<Option<Instant>>>,
}

/// A flood is told at most so often.
const FLOOD_TOLD_EVERY: Duration = Duration::from_secs(60);

impl Desk {
    pub(super) fn new(node: Node, secure: bool, closing: CancellationToken) -> Self {
        Self {
            node,
            closing,
            secure,
            selfies: Arc::new(Semaphore::new(SELFIES_AT_ONCE)),
            pieces: Arc::new(Semaphore::new(PIECES_AT_ONCE)),
            paces: Arc::default(),
            flooded: Arc::default(),
        }
    }

    fn is_news(&self) -> bool {
        let mut told = self.flooded.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = told.is_none_or(|told| told.elapsed() >= FLOOD_TOLD_EVERY);
        if is_news {
            *told = Some(Instant::now());
        }
        is_news
    }

    async fn admit(&self, ask: Ask, asker: Asker) -> Result<(), Problem> {
        let admitted = self.paces.lock().unwrap_or_else(PoisonError::into_inner).admit(ask, asker, Instant::now());
        if admitted {
            return Ok(());
        }
        if self.is_news() {
            self.node.note_guest_flood().await;
        }
        Err(Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too-often",
            "That was too often; wait a moment, it goes on by itself",
        ))
    }
}

/// A page that is open, and who asks for it.
#[derive(Clone)]
pub(super) struct Here {
    pub(super) desk: Desk,
    pub(super) token: String,
    pub(super) event: EventId,
    pub(super) page: Arc<StoredPage>,
    pub(super) asker: Asker,
    secret: Option<String>,
}

impl Here {
    /// The guest whom the cookie names.
    pub(super) fn guest(&self) -> Option<GuestId> {
        let secret = self.secret.as_ref()?;
        self.desk.node.guests().guest_of_secret(&self.event, secret).map(|(guest, _)| guest)
    }

    /// Name of the cookie: one for each page, so that somebody can be a guest of two.
    pub(super) fn cookie_name(&self) -> String {
        cookie_name(&self.token)
    }

    /// Whether this address may do that now.
    pub(super) async fn admit(&self, ask: Ask) -> Result<(), Problem> {
        self.desk.admit(ask, self.asker).await
    }

    /// A sealed JSON body of some kind.
    pub(super) fn opened<T: DeserializeOwned>(&self, kind: &str, body: &[u8]) -> Result<T, Problem> {
        let plain = open(&self.page.key, Purpose::Json(kind), body).ok_or_else(not_sealed)?;
        serde_json::from_slice(&plain)
            .map_err(|error| Problem::invalid("bad-json", format!("This makes no sense: {error}")))
    }
}

fn cookie_name(token: &str) -> String {
    format!("inframe_guest_{}", token.get(..8).unwrap_or_default())
}

/// What was not sealed with the key of the link.
pub(super) fn not_sealed() -> Problem {
    Problem::invalid(
        "not-sealed",
        "This could not be opened. The link is not whole, or it is an old one: scan the code again",
    )
}

impl<S: Send + Sync> FromRequestParts<S> for Here
where
    Desk: FromRef<S>,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let desk = Desk::from_ref(state);
        let caller = parts.extensions.get::<ConnectInfo<Caller>>().map(|ConnectInfo(caller)| *caller);
        let asker = Asker::at(caller.ok_or_else(nothing)?.address);
        desk.admit(Ask::Anything, asker).await.map_err(Problem::into_response)?;
        let params = RawPathParams::from_request_parts(parts, state).await.map_err(|_| nothing())?;
        let token = params.iter().find(|(name, _)| *name == "token").map(|(_, token)| token.to_owned());
        let token = token.unwrap_or_default();
        let Some((event, page)) = desk.node.guests().page_of_token(&token, now_ms()) else {
            desk.admit(Ask::Wrong, asker).await.map_err(Problem::into_response)?;
            return Err(nothing());
        };
        let secret = cookie(&parts.headers, &cookie_name(&token));
        Ok(Self { desk, token, event, page, asker, secret })
    }
}

/// A guest of an open page.
#[derive(Clone)]
pub(super) struct Known {
    pub(super) here: Here,
    pub(super) visitor: Visitor,
}

impl Known {
    /// Whether this guest may do that now.
    pub(super) async fn admit(&self, ask: Ask) -> Result<(), Problem> {
        self.here.desk.admit(ask, Asker::Guest(self.visitor.guest)).await
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Known
where
    Desk: FromRef<S>,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let here = Here::from_request_parts(parts, state).await?;
        let Some(guest) = here.guest() else {
            let problem = Problem::new(
                StatusCode::UNAUTHORIZED,
                "no-guest",
                "You are not known here; give your name, or open your private link",
            );
            return Err(problem.into_response());
        };
        let visitor = Visitor { event: here.event, guest };
        Ok(Self { here, visitor })
    }
}

fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let all = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(known, _)| *known == name).map(|(_, value)| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_among_others_by_its_whole_name() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, "a=1; inframe_guest_ab=secret".parse().unwrap());
        headers.append(COOKIE, "b=2".parse().unwrap());
        assert_eq!(cookie(&headers, "inframe_guest_ab").as_deref(), Some("secret"));
        assert_eq!(cookie(&headers, "b").as_deref(), Some("2"));
        assert_eq!(cookie(&headers, "guest_ab"), None);
    }
}
