//! One WebSocket per page for what changes: what was missed first, then messages as they come.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{Extension, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, interval_at, timeout};
use tokio_util::sync::CancellationToken;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::guard::Visitor;
use super::super::limits::{LIVE_INCOMING_BYTES, LIVE_PING_EVERY, LIVE_SEND_WITHIN, LIVE_SOCKETS};
use super::{Answer, Node, Problem};
use crate::views::LiveView;

/// Room for live sockets and the signal that ends them; both ways in share it.
#[derive(Clone)]
pub(crate) struct LiveRoom {
    places: Arc<Semaphore>,
    closing: CancellationToken,
    ping_every: Duration,
}

impl LiveRoom {
    /// A room that is emptied when `closing` is cancelled.
    pub(crate) fn new(closing: CancellationToken) -> Self {
        Self { places: Arc::new(Semaphore::new(LIVE_SOCKETS)), closing, ping_every: LIVE_PING_EVERY }
    }
}

pub(super) fn routes() -> OpenApiRouter<Node> {
    OpenApiRouter::default().routes(routes!(open_live))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct LiveArgs {
    /// Sequence number of the last message that was seen; later ones are sent first.
    since: Option<u64>,
}

/// Live messages over a WebSocket, one JSON `LiveView` each
#[utoipa::path(
    get, path = "/live", tag = "node", params(LiveArgs),
    responses((status = 101, description = "A WebSocket of `LiveView` messages", body = LiveView))
)]
async fn open_live(
    State(node): State<Node>,
    Query(args): Query<LiveArgs>,
    Extension(room): Extension<LiveRoom>,
    visitor: Option<Extension<Visitor>>,
    upgrade: WebSocketUpgrade,
) -> Answer<Response> {
    let place = Arc::clone(&room.places).try_acquire_owned().map_err(|_| full())?;
    let (missed, receiver) = node.live(args.since);
    let visitor = visitor.map(|Extension(visitor)| visitor);
    let line = Line { missed, last: args.since.unwrap_or(0), receiver, visitor, room, _place: place };
    Ok(upgrade
        .max_message_size(LIVE_INCOMING_BYTES)
        .max_frame_size(LIVE_INCOMING_BYTES)
        .on_upgrade(move |socket| line.serve(socket)))
}

fn full() -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "too-many-pages",
        "Too many pages of the dashboard are open; close some",
    )
}

/// One open socket.
struct Line {
    missed: Vec<LiveView>,
    last: u64,
    receiver: Receiver<LiveView>,
    /// Who signed in; nobody on the unix socket, where the file's mode is the guard.
    visitor: Option<Visitor>,
    room: LiveRoom,
    _place: OwnedSemaphorePermit,
}

/// The other side is gone or too slow.
struct Gone;

impl Line {
    async fn serve(mut self, mut socket: WebSocket) {
        let goodbye = match self.talk(&mut socket).await {
            Ok(goodbye) => goodbye,
            Err(Gone) => return,
        };
        // The socket closes either way; the frame only says why.
        let _ = timeout(LIVE_SEND_WITHIN, socket.send(Message::Close(Some(goodbye)))).await;
    }

    async fn talk(&mut self, socket: &mut WebSocket) -> Result<CloseFrame, Gone> {
        for message in std::mem::take(&mut self.missed) {
            self.tell(socket, &message).await?;
        }
        let mut ping = interval_at(Instant::now() + self.room.ping_every, self.room.ping_every);
        let mut heard = true;
        loop {
            tokio::select! {
                () = self.room.closing.cancelled() => return Ok(goodbye(close_code::AWAY, "the daemon is stopping")),
                change = self.receiver.recv() => match change {
                    Ok(message) => self.tell(socket, &message).await?,
                    Err(RecvError::Lagged(_)) => {
                        let message = LiveView { seq: self.last, what: "resync".into(), id: None };
                        self.tell(socket, &message).await?;
                    }
                    Err(RecvError::Closed) => return Ok(goodbye(close_code::AWAY, "the daemon is stopping")),
                },
                incoming = socket.recv() => match incoming {
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(Gone),
                    Some(Ok(_)) => heard = true,
                },
                _ = ping.tick() => {
                    if !std::mem::take(&mut heard) {
                        return Err(Gone);
                    }
                    if self.visitor.as_ref().is_some_and(|visitor| !visitor.still_signed_in()) {
                        return Ok(goodbye(close_code::POLICY, "signed out"));
                    }
                    send(socket, Message::Ping(Vec::new().into())).await?;
                }
            }
        }
    }

    async fn tell(&mut self, socket: &mut WebSocket, message: &LiveView) -> Result<(), Gone> {
        self.last = self.last.max(message.seq);
        let text = serde_json::to_string(message).map_err(|_| Gone)?;
        send(socket, Message::Text(text.into())).await
    }
}

async fn send(socket: &mut WebSocket, message: Message) -> Result<(), Gone> {
    match timeout(LIVE_SEND_WITHIN, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        _ => Err(Gone),
    }
}

fn goodbye(code: u16, reason: &'static str) -> CloseFrame {
    CloseFrame { code, reason: reason.into() }
}
