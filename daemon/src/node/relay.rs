//! The relay through which others may reach this node.

use super::{Answer, Node, NodeError};
use crate::live::What;
use crate::network::{Network, RelayState, RelayWish, parse_relay};
use crate::settings::NamedRelay;
use crate::tasks::Stage;
use crate::views::{RelayBody, RelayView};

/// Longest token, bytes: those that relays make have 26.
const MAX_TOKEN_BYTES: usize = 128;

/// Takes the place that the owner has named; a row that names none, or none that can be dialled, takes none.
pub(super) async fn apply(network: &Network, named: NamedRelay) {
    let wish = named.address.and_then(|address| {
        let (node, address) = parse_relay(&address).ok()?;
        Some(RelayWish { node, address, token: named.token })
    });
    network.set_relay(wish).await;
}

impl Node {
    /// The relay that the owner has named, and what has become of it.
    ///
    /// # Errors
    /// None at present.
    pub async fn relay(&self) -> Answer<RelayView> {
        let address = self.core.relay.get().address;
        let state = self.core.network.relay().borrow().clone();
        let (state, problem) = match (&address, state) {
            (None, _) => ("none", None),
            (Some(_), RelayState::None | RelayState::Connecting) => ("connecting", None),
            (Some(_), RelayState::Reserved) => ("reachable", None),
            (Some(_), RelayState::Failed(why)) => ("failed", Some(why.to_string())),
        };
        Ok(RelayView { address, state: state.into(), problem })
    }

    /// Names the relay through which others may reach this node.
    ///
    /// # Errors
    /// When it is no address that can be dialled, or this node's own, or there is no token.
    pub async fn set_relay(&self, body: RelayBody) -> Answer<RelayView> {
        let (node, _) =
            parse_relay(&body.address).map_err(|error| NodeError::Invalid("bad-address", error.to_string()))?;
        if node == self.core.network.node_id() {
            return Err(NodeError::Invalid(
                "own-address",
                "this is the address of this node itself; a relay is another program".into(),
            ));
        }
        let token = body.token.trim().to_owned();
        if token.is_empty() || token.len() > MAX_TOKEN_BYTES {
            return Err(NodeError::Invalid(
                "bad-token",
                "give the token that `inframe relay` prints beside its address".into(),
            ));
        }
        self.keep_relay(NamedRelay { address: Some(body.address.trim().to_owned()), token }).await
    }

    /// Uses no relay any more.
    ///
    /// # Errors
    /// When the vault fails.
    pub async fn forget_relay(&self) -> Answer<RelayView> {
        self.keep_relay(NamedRelay::default()).await
    }

    async fn keep_relay(&self, named: NamedRelay) -> Answer<RelayView> {
        let kept = named.clone();
        self.blocking(move |core| Ok(core.relay.change(|row| *row = kept).map(drop)?)).await?;
        apply(&self.core.network, named).await;
        self.core.live.tell(What::Settings, None);
        self.relay().await
    }

    /// Takes the place that was named before the start, and tells open pages what becomes of it.
    pub(super) async fn start_relay(&self) {
        apply(&self.core.network, self.core.relay.get()).await;
        let (network, live) = (&self.core.network, self.core.live.clone());
        let (mut state, mut peers) = (network.relay(), network.peers());
        self.core.tasks.spawn(Stage::Work, "ways to peers", async move {
            loop {
                // Also when a connection through a relay becomes a straight one.
                tokio::select! {
                    Ok(()) = state.changed() => live.tell(What::Settings, None),
                    Ok(()) = peers.changed() => live.tell(What::Status, None),
                    else => return,
                }
            }
        });
    }
}
