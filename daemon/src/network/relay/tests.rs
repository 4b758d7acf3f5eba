//! A relay on loopback, with real nodes.

use libp2p::swarm::SwarmEvent;
use tokio::{sync::oneshot, task::JoinHandle};

use super::{
    super::{
        RelayState, RelayTrouble, RelayWish,
        testing::{TestNode, within},
    },
    *,
};

struct TestRelay {
    node: NodeId,
    address: String,
    _stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

const TOKEN: &str = "a token";

async fn start() -> TestRelay {
    let config = RelayConfig {
        seed: Secret32::new([99; 32]),
        token: Zeroizing::new(TOKEN.to_owned()),
        listen: vec!["/ip4/127.0.0.1/tcp/0".parse().unwrap()],
        announce: Vec::new(),
    };
    let relay = Relay::start(config).unwrap();
    let node = relay.me.clone();
    let (stop, stopped) = oneshot::channel::<()>();
    let (listening, mut told) = tokio::sync::mpsc::channel(64);
    let task = tokio::spawn(relay.run(
        async {
            let _ = stopped.await;
        },
        move |event| {
            if let RelayEvent::Listening(addresses) = event {
                let _ = listening.try_send(addresses);
            }
        },
    ));
    let address = within(told.recv()).await.unwrap().remove(0);
    TestRelay { node, address, _stop: stop, task }
}

impl TestRelay {
    fn wish(&self, token: &str) -> RelayWish {
        let (_, address) = address::parse_relay(&self.address).unwrap();
        RelayWish { node: self.node.clone(), address, token: token.to_owned() }
    }
}

async fn becomes(node: &TestNode, wanted: impl Fn(&RelayState) -> bool) {
    let mut state = node.network.relay();
    within(state.wait_for(wanted)).await.unwrap();
}

#[tokio::test]
async fn a_node_is_reached_through_its_relay_and_again_after_the_relay_was_gone_for_it() {
    let relay = start().await;
    let (mut a, b) = (TestNode::start(1).await, TestNode::start(2).await);
    a.network.set_relay(Some(relay.wish(TOKEN))).await;
    becomes(&a, |state| *state == RelayState::Reserved).await;
    let circuit = a.addresses().into_iter().find(|address| address.ends_with("/p2p-circuit")).unwrap();
    b.network.connect(&a.id(), &[circuit]).await.unwrap();
    let peers = b.network.peers().borrow().clone();
    assert!(peers.iter().any(|peer| peer.node == a.id() && peer.relayed && !peer.is_relay), "{peers:?}");
    assert!(peers.iter().any(|peer| peer.node == relay.node && peer.is_relay && !peer.relayed), "{peers:?}");
    let id = a.id();
    let opened = b.network.open(&id, Protocol::Join);
    let (opened, taken) = tokio::join!(within(opened), a.inbound());
    assert_eq!((opened.unwrap().peer(), taken.peer()), (&a.id(), &b.id()), "proven from end to end");
    assert!(within(b.network.open(&id, Protocol::Code)).await.is_err(), "a code is for the local network");
    assert_eq!(b.network.nearby().await, std::slice::from_ref(&relay.node), "through a relay nobody is near");

    a.network.disconnect(&relay.node).await;
    becomes(&a, |state| matches!(state, RelayState::Failed(_))).await;
    becomes(&a, |state| *state == RelayState::Reserved).await;
    a.network.set_relay(None).await;
    becomes(&a, |state| *state == RelayState::None).await;
    assert!(a.addresses().iter().all(|address| !address.ends_with("/p2p-circuit")));
}

#[tokio::test]
async fn a_wrong_token_is_refused_and_the_reason_said() {
    let relay = start().await;
    let a = TestNode::start(1).await;
    a.network.set_relay(Some(relay.wish("another"))).await;
    becomes(&a, |state| *state == RelayState::Failed(RelayTrouble::Token)).await;
    let no_relay = TestNode::start(3).await;
    let (node, address) = address::parse_relay(&no_relay.addresses()[0]).unwrap();
    a.network.set_relay(Some(RelayWish { node, address, token: TOKEN.into() })).await;
    becomes(&a, |state| matches!(state, RelayState::Failed(RelayTrouble::Stranger(why)) if why.contains("no relay")))
        .await;
}

#[tokio::test]
async fn a_relay_that_is_asked_says_where_it_sees_the_node_whether_it_takes_it_and_what_time_it_has() {
    let relay = start().await;
    let a = TestNode::start(1).await;
    let nobody = a.network.look_outside().await;
    assert!(nobody.relay.is_none() && nobody.seen.is_empty());
    for (token, admitted) in [("another", false), (TOKEN, true)] {
        a.network.set_relay(Some(relay.wish(token))).await;
        becomes(&a, |state| matches!((admitted, state), (false, RelayState::Failed(_)) | (true, RelayState::Reserved)))
            .await;
        let before = now_ms();
        let said = a.network.look_outside().await;
        let relay = said.relay.clone().unwrap();
        assert_eq!(relay.admitted, admitted);
        assert!(relay.now_ms >= before && relay.now_ms <= now_ms());
        assert!(
            said.seen.iter().any(|seen| *seen == relay.seen && seen.starts_with("/ip4/127.0.0.1/tcp/")),
            "{said:?}"
        );
    }
}

#[tokio::test]
async fn whoever_asks_for_a_place_without_a_greeting_gets_none() {
    let relay = start().await;
    let mut stranger = SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_tcp(tcp::Config::default(), noise::Config::new, muxer::Upgrade::default)
        .unwrap()
        .with_relay_client(noise::Config::new, muxer::Upgrade::default)
        .unwrap()
        .with_behaviour(|_, client| client)
        .unwrap()
        .build();
    let listener = stranger.listen_on(format!("{}/p2p-circuit", relay.address).parse().unwrap()).unwrap();
    within(async {
        loop {
            match stranger.select_next_some().await {
                SwarmEvent::NewListenAddr { address, .. } => panic!("a place was given: {address}"),
                SwarmEvent::ListenerClosed { listener_id, reason, .. } if listener_id == listener => {
                    assert!(reason.is_err());
                    break;
                }
                _ => {}
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_relay_that_is_told_to_stop_closes_its_connections_and_ends() {
    let relay = start().await;
    let a = TestNode::start(1).await;
    a.network.set_relay(Some(relay.wish(TOKEN))).await;
    becomes(&a, |state| *state == RelayState::Reserved).await;
    drop(relay._stop);
    within(relay.task).await.unwrap();
    becomes(&a, |state| matches!(state, RelayState::Failed(_))).await;
}
