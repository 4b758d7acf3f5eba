//! From the edge, which is always open, to the node, which runs only while the vault is unlocked.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body::{Frame, SizeHint};
use tokio::sync::Mutex;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tower::ServiceExt as _;

use super::api::live::LiveRoom;
use super::guard::{Guards, SessionStore, StoredSession, StoredSessions};
use super::lan::LanAccess;
use super::problem::Problem;
use crate::activity::{Activity, ActivityKind};
use crate::door::{Door, Opened, Phase};
use crate::vault::password::PasswordFile;
use crate::vault::{Batch, Kind, Vault};

/// Key of the one row that holds the browsers' sessions.
const SESSIONS: &[u8] = b"browsers";

/// Keeps the sessions of browsers over restarts: hashes only, sealed like everything else.
struct SessionsInVault(Vault, Activity);

impl SessionStore for SessionsInVault {
    fn load(&self) -> Vec<StoredSession> {
        let stored = self.0.catalog().get_versioned::<StoredSessions>(Kind::Session, SESSIONS).ok().flatten();
        stored.map(|stored| stored.0).unwrap_or_default()
    }

    fn save(&self, sessions: &[StoredSession]) {
        let mut batch = Batch::default();
        let put = batch.put_versioned(Kind::Session, SESSIONS, &StoredSessions(sessions.to_vec())).map(|_| ());
        let saved = put.and_then(|()| self.0.catalog().commit(batch));
        if let Err(error) = saved {
            tracing::warn!("browsers will have to sign in again after a restart: {error}");
        }
    }

    fn tell(&self, session: &StoredSession) {
        let from = session.from.as_ref().map(|from| format!(" over the network, from {from}")).unwrap_or_default();
        self.note(
            ActivityKind::SignIn,
            format!(
                "{} signed in to this dashboard{from}. Signed-in browsers are listed in the settings.",
                session.browser
            ),
        );
    }

    fn inform(&self, text: String) {
        self.note(ActivityKind::SignIn, text);
    }

    fn warn(&self, text: String) {
        self.note(ActivityKind::Suspicious, text);
    }
}

impl SessionsInVault {
    fn note(&self, kind: ActivityKind, text: String) {
        if let Err(error) = self.1.note(kind, text, None, None) {
            tracing::warn!("a sign-in could not be noted: {error}");
        }
    }
}

/// Which way in a request came.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way {
    /// A browser on this device.
    Dashboard,
    /// A browser in the network.
    Network,
    /// The command line.
    Control,
}

impl Way {
    /// Whether a browser asks, which has to sign in.
    pub(super) fn is_browser(self) -> bool {
        matches!(self, Self::Dashboard | Self::Network)
    }
}

/// The way from the edge to the node that runs now; cheap to clone.
#[derive(Clone)]
pub(super) struct Edge {
    pub(super) door: Door,
    /// Of the front by which a request came.
    pub(super) guards: Guards,
    fronts: Arc<Fronts>,
    routes: Arc<Mutex<Option<Routes>>>,
    /// The process is ending.
    closing: CancellationToken,
}

/// The fronts for browsers.
struct Fronts {
    device: Guards,
    network: Option<(Guards, LanAccess)>,
}

/// The routes of one node; dropped with it.
#[derive(Clone)]
struct Routes {
    number: u64,
    dashboard: Router,
    network: Option<Router>,
    control: Router,
    leaving: CancellationToken,
}

impl Edge {
    /// For the front on this device and the command line.
    pub(super) fn new(door: Door, guards: Guards, network: Option<LanAccess>, closing: CancellationToken) -> Self {
        let network = network.map(|access| (access.guards(&guards), access));
        let fronts = Fronts { device: guards.clone(), network };
        Self { door, guards, fronts: Arc::new(fronts), routes: Arc::default(), closing }
    }

    /// The same for the front of the network, if there is one.
    pub(super) fn for_network(&self) -> Option<Self> {
        let (guards, _) = self.fronts.network.as_ref()?;
        Some(Self { guards: guards.clone(), ..self.clone() })
    }

    /// How the dashboard is reached over the network, if it is.
    pub(super) fn lan(&self) -> Option<&LanAccess> {
        self.fronts.network.as_ref().map(|(_, access)| access)
    }

    /// The password that signs in over the network.
    pub(super) fn password(&self) -> PasswordFile {
        PasswordFile::of(self.door.dir())
    }

    /// Hands a request to the node; says that the vault is locked when there is none, or as soon as there is none any more.
    pub(super) async fn forward(self, way: Way, request: Request) -> Response {
        let Some(routes) = self.routes().await else { return locked(self.door.phase()).into_response() };
        let router = match way {
            Way::Dashboard => Some(routes.dashboard),
            Way::Network => routes.network,
            Way::Control => Some(routes.control),
        };
        let Some(router) = router else { return Problem::no_such_path().into_response() };
        tokio::select! {
            answer = router.oneshot(request) => {
                let Ok(answer) = answer;
                answer.map(|body| Body::new(Until::new(body, routes.leaving)))
            }
            () = routes.leaving.cancelled() => locked(Phase::Closing).into_response(),
        }
    }

    /// Has the guards go on with the sessions of the node that runs now, before anybody is asked who they are.
    pub(super) async fn wake(State(edge): State<Self>, request: Request, next: Next) -> Response {
        edge.routes().await;
        next.run(request).await
    }

    /// The routes of the node that runs now, made at the first request.
    async fn routes(&self) -> Option<Routes> {
        let leaving = self.door.leaving();
        let Opened { number, node } = self.door.opened()?;
        let mut kept = self.routes.lock().await;
        if let Some(routes) = kept.as_ref().filter(|routes| routes.number == number) {
            return Some(routes.clone());
        }
        // The node may have been locked meanwhile, and its vault shall not be held by the guards after that.
        let store = Arc::new(SessionsInVault(node.vault().clone(), node.activity_log().clone()));
        self.guards.attach(store).await;
        let closing = leaving.child_token();
        let room = LiveRoom::new(closing.clone());
        let routes = Routes {
            number,
            dashboard: super::dashboard(node.clone(), &self.fronts.device, room.clone()),
            network: (self.fronts.network.as_ref())
                .map(|(guards, _)| super::dashboard(node.clone(), guards, room.clone())),
            control: super::control(node, room),
            leaving: leaving.clone(),
        };
        *kept = Some(routes.clone());
        drop(kept);
        let edge = self.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = leaving.cancelled() => edge.let_go(number).await,
                // Sockets end with the process too.
                () = edge.closing.cancelled() => closing.cancel(),
            }
        });
        Some(routes)
    }

    /// Drops what holds a node that is being stopped.
    async fn let_go(&self, number: u64) {
        let mut kept = self.routes.lock().await;
        if kept.as_ref().is_some_and(|routes| routes.number == number) {
            *kept = None;
            self.guards.detach();
        }
    }
}

/// Why there is no answer from the node.
pub(super) fn locked(phase: Phase) -> Problem {
    let (kind, detail) = match phase {
        Phase::Opening => ("unlocking", "The vault is being unlocked; try again in a moment"),
        Phase::Restoring | Phase::Unfinished => (
            "restoring",
            "A backup is being brought back; the dashboard shows how far it is, and whether it has to be gone on with",
        ),
        Phase::Erasing => ("erasing", "Everything is being erased; try again in a moment"),
        Phase::Locked | Phase::Open | Phase::Closing => {
            ("locked", "The vault is locked; unlock it in the dashboard, or with `inframe unlock`")
        }
    };
    Problem::new(StatusCode::LOCKED, kind, detail)
}

/// A body that breaks off when its node is stopped, so that a slow download does not keep the keys in memory.
pub(super) struct Until {
    body: Body,
    leaving: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Until {
    /// A body that breaks off at `leaving`.
    pub(super) fn new(body: Body, leaving: CancellationToken) -> Self {
        Self { body, leaving: Box::pin(leaving.cancelled_owned()) }
    }
}

impl HttpBody for Until {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        if this.leaving.as_mut().poll(cx).is_ready() {
            this.body = Body::empty();
            return Poll::Ready(Some(Err(axum::Error::new(std::io::Error::other("the vault was locked")))));
        }
        pin!(&mut this.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
