//! Nodes on real loopback sockets: reaching each other, what strangers may not, gossip, bad frames and limits.

use std::{collections::HashSet, future::Future, io, time::Duration};

use futures::future::join_all;
use inframe_protocol::{
    frame::{self, FrameError, HEADER_BYTES, Message},
    ids::{NodeId, OfferId},
    offer::{Receipt, ReceiptState},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::interval,
};

use super::{
    testing::{TestNode, pair, within},
    *,
};

fn receipt(number: u8) -> Receipt {
    Receipt { offer: OfferId([number; 16]), state: ReceiptState::Delivered }
}

/// Asks again and again until the answer is there, or far too long has passed.
async fn until<T, F: Future<Output = Option<T>>>(mut ask: impl FnMut() -> F) -> T {
    within(async {
        let mut tick = interval(Duration::from_millis(10));
        loop {
            tick.tick().await;
            if let Some(answer) = ask().await {
                return answer;
            }
        }
    })
    .await
}

/// A loopback address at which nobody listens.
fn nobody_at() -> String {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    format!("/ip4/127.0.0.1/tcp/{port}")
}

async fn connected_event(node: &mut TestNode) -> NodeId {
    node.next(|event| match event {
        NetworkEvent::Connected(peer) => Some(peer),
        _ => None,
    })
    .await
}

async fn disconnected_event(node: &mut TestNode) -> NodeId {
    node.next(|event| match event {
        NetworkEvent::Disconnected(peer) => Some(peer),
        _ => None,
    })
    .await
}

#[tokio::test]
async fn nodes_connect_by_their_addresses_and_both_hear_of_it() {
    let (mut a, mut b) = (TestNode::start(1).await, TestNode::start(2).await);
    a.connect(&b).await;
    a.connect(&b).await;
    assert_eq!(connected_event(&mut a).await, b.id());
    assert_eq!(connected_event(&mut b).await, a.id());
    assert!(a.network.is_connected(&b.id()));
    let shown = a.network.peers().borrow().clone();
    assert_eq!(shown.len(), 1);
    assert!(b.addresses()[0].starts_with(&shown[0].addresses[0]));

    a.network.disconnect(&b.id()).await;
    assert_eq!(disconnected_event(&mut a).await, b.id());
    assert_eq!(disconnected_event(&mut b).await, a.id());
    assert!(a.network.peers().borrow().is_empty());
}

#[tokio::test]
async fn two_nodes_that_dial_each_other_at_the_same_moment_are_connected() {
    let (a, b) = (TestNode::start(1).await, TestNode::start(2).await);
    within(async { tokio::join!(a.connect(&b), b.connect(&a)) }).await;
    let mut stream = within(a.network.open(&b.id(), Protocol::Join)).await.unwrap();
    stream.write_message(&receipt(1)).await.unwrap();
}

#[tokio::test]
async fn each_way_not_to_reach_a_node_has_its_own_error() {
    let (a, b, c) = (TestNode::start(1).await, TestNode::start(2).await, TestNode::start(3).await);
    let (b_id, own) = (b.id(), a.network.connect(&a.id(), &a.addresses()).await);
    assert!(matches!(own, Err(ConnectError::Oneself)));
    assert!(matches!(a.network.connect(&b_id, &[]).await, Err(ConnectError::NoAddress(node)) if node == b_id));
    let odd = NodeId::new(vec![1, 2, 3]).unwrap();
    assert!(matches!(a.network.connect(&odd, &b.addresses()).await, Err(ConnectError::NotANode(_))));
    let closed = a.network.connect(&b_id, &[nobody_at(), nobody_at()]).await;
    assert!(matches!(closed, Err(ConnectError::Unreachable { tried: 2, .. })), "{closed:?}");
    // Addresses of somebody else: with their id they are not even tried, without it the handshake finds out.
    let theirs = c.addresses();
    assert!(matches!(a.network.connect(&b_id, &theirs).await, Err(ConnectError::NoAddress(_))));
    let bare: Vec<String> = theirs.iter().map(|text| text.split("/p2p/").next().unwrap().to_owned()).collect();
    let wrong = a.network.connect(&b_id, &bare).await;
    assert!(matches!(&wrong, Err(ConnectError::WrongPeer { address, .. }) if bare.contains(address)), "{wrong:?}");
    assert!(!a.network.is_connected(&c.id()), "who answered instead is no peer");
    // One right address among wrong ones is enough.
    let mixed = [bare, vec![nobody_at()], b.addresses()].concat();
    within(a.network.connect(&b_id, &mixed)).await.unwrap();

    let handle = a.network.clone();
    a.stop().await;
    assert!(matches!(handle.connect(&c.id(), &c.addresses()).await, Err(ConnectError::Stopped)));
}

#[tokio::test]
async fn a_known_node_that_comes_back_on_another_port_is_connected_again() {
    let (a, b) = pair().await;
    let (b_id, old) = (b.id(), b.addresses());
    b.stop().await;
    a.wait_connected(&b_id, false).await;

    // It dials us, and we have never heard of its new port.
    let b = TestNode::start(2).await;
    assert_ne!(b.addresses(), old);
    b.know(&[&a]).await;
    a.wait_connected(&b_id, true).await;
    b.stop().await;
    a.wait_connected(&b_id, false).await;

    // We are told of the new port and dial it.
    let b = TestNode::start(2).await;
    a.know(&[&b]).await;
    a.wait_connected(&b_id, true).await;
    within(a.network.open(&b_id, Protocol::Join)).await.unwrap();
}

#[tokio::test]
async fn d8_strangers_may_ask_to_join_by_link_or_code_and_nothing_else() {
    let (mut host, guest) = (TestNode::start(1).await, TestNode::start(2).await);
    guest.connect(&host).await;
    let id = host.id();
    let others = Protocol::OF_A_NODE.into_iter().filter(|protocol| !protocol.is_for_strangers());
    let refused = join_all(others.clone().map(|protocol| guest.network.open(&id, protocol)));
    for answer in within(refused).await {
        assert!(matches!(answer, Err(OpenError::Lost(_))), "{answer:?}");
    }
    let mut joining = within(guest.network.open(&id, Protocol::Join)).await.unwrap();
    let mut asked = host.inbound().await;
    assert_eq!(
        (asked.protocol(), asked.peer()),
        (Protocol::Join, &guest.id()),
        "the first stream that was let through"
    );
    joining.write_message(&receipt(3)).await.unwrap();
    assert_eq!(asked.read_message::<Receipt>(Receipt::MAX_BYTES).await.unwrap(), receipt(3));

    // With a code as well, since both are on one machine.
    assert_eq!(guest.network.nearby().await, std::slice::from_ref(&id));
    let _code = within(guest.network.open(&id, Protocol::Code)).await.unwrap();
    assert_eq!(host.inbound().await.protocol(), Protocol::Code);

    // Once known, all of them that are for straight connections too.
    host.know(&[&guest]).await;
    for protocol in others.filter(|protocol| *protocol != Protocol::Punch) {
        let _stream = within(guest.network.open(&id, protocol)).await.unwrap();
        assert_eq!(host.inbound().await.protocol(), protocol);
    }
    // And no longer once forgotten.
    host.know(&[]).await;
    assert!(within(guest.network.open(&id, Protocol::Fetch)).await.is_err());
}

#[tokio::test]
async fn d7_strangers_and_known_peers_have_so_many_streams_and_get_places_back() {
    for (known, most) in [(false, limits::STREAMS_OF_STRANGER), (true, limits::STREAMS_OF_KNOWN_PEER)] {
        let (mut host, guest) = (TestNode::start(1).await, TestNode::start(2).await);
        if known {
            host.know(&[&guest]).await;
        }
        guest.connect(&host).await;
        let id = host.id();
        let open = || guest.network.open(&id, Protocol::Join);
        let held: Vec<_> = within(join_all((0..most).map(|_| open()))).await.into_iter().map(Result::unwrap).collect();
        let refused = within(open()).await;
        assert!(matches!(refused, Err(OpenError::Lost(_))), "{refused:?}");
        // One is done with; its place serves the next.
        drop(host.inbound().await);
        let next = within(open()).await.unwrap();
        drop((held, next));
    }
}

#[tokio::test]
async fn d7_a_burst_beyond_the_room_is_told_so_and_no_stream_is_lost() {
    let mut host = TestNode::start(9).await;
    let guests = [TestNode::start(1).await, TestNode::start(2).await, TestNode::start(3).await];
    host.know(&guests.each_ref()).await;
    let id = host.id();
    for guest in &guests {
        guest.connect(&host).await;
    }
    let opening = guests.iter().flat_map(|guest| {
        (0..limits::STREAMS_OF_KNOWN_PEER).map(|_| guest.network.open(&id, Protocol::Push)).collect::<Vec<_>>()
    });
    let mut answers = within(join_all(opening)).await;
    let all = answers.len();
    let refused: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().err()).cloned().collect();
    assert!(refused.iter().all(|error| matches!(error, OpenError::Busy(_))), "{refused:?}");
    let taken = all - refused.len();
    assert!(taken <= limits::EVENTS_WAITING && taken + 8 >= limits::EVENTS_WAITING, "{taken} of {all}");
    // Each opener that was told "taken" has a stream there that works.
    for stream in answers.iter_mut().flatten() {
        stream.write_message(&receipt(5)).await.unwrap();
    }
    for _ in 0..taken {
        let mut stream = host.inbound().await;
        assert_eq!(stream.read_message::<Receipt>(Receipt::MAX_BYTES).await.unwrap(), receipt(5));
    }
    drop(answers);
    within(guests[0].network.open(&id, Protocol::Push)).await.unwrap();
    host.inbound().await;
}

fn gossip(event: NetworkEvent) -> Option<(Vec<u8>, NodeId)> {
    match event {
        NetworkEvent::Gossip { topic, bytes, from } if topic == "topic" => Some((bytes, from)),
        _ => None,
    }
}

/// Publishes until somebody who follows the topic is connected.
async fn publish(node: &TestNode, bytes: &[u8]) {
    until(async || match node.network.publish("topic", bytes.to_vec()).await {
        Ok(()) => Some(()),
        Err(GossipError::NobodyListens) => None,
        Err(error) => panic!("{error}"),
    })
    .await;
}

/// Three nodes in a line that follow the topic, with what the first says reaching the last.
async fn line() -> [TestNode; 3] {
    let (a, b, mut c) = (TestNode::start(1).await, TestNode::start(2).await, TestNode::start(3).await);
    a.know(&[&b]).await;
    b.know(&[&a, &c]).await;
    c.know(&[&b]).await;
    for node in [&a, &b, &c] {
        node.network.subscribe("topic").await.unwrap();
    }
    b.wait_connected(&a.id(), true).await;
    b.wait_connected(&c.id(), true).await;
    let mut number = 0_u32;
    within(async {
        let mut tick = interval(Duration::from_millis(50));
        loop {
            tokio::select! {
                _ = tick.tick() => {
                    number += 1;
                    publish(&a, &number.to_le_bytes()).await;
                }
                _ = c.next(gossip) => return,
            }
        }
    })
    .await;
    [a, b, c]
}

#[tokio::test]
async fn gossip_reaches_three_nodes_in_a_line_and_names_only_the_neighbour() {
    let [mut a, mut b, mut c] = line().await;
    let ids = [a.id(), b.id(), c.id()];
    for (said, from) in [(&b"from one end"[..], 0), (b"from the other", 2)] {
        publish([&a, &b, &c][from], said).await;
        for (at, node) in [&mut a, &mut b, &mut c].into_iter().enumerate().filter(|(at, _)| *at != from) {
            let neighbour = node.next(|event| gossip(event).filter(|(bytes, _)| bytes == said)).await.1;
            assert_eq!(neighbour, ids[if at == 1 { from } else { 1 }]);
        }
    }
    assert_eq!(a.network.publish("topic", b"from one end".to_vec()).await, Err(GossipError::Duplicate));
}

#[tokio::test]
async fn d8_strangers_are_neither_heard_nor_told_in_gossip() {
    let [a, mut b, mut c] = line().await;
    let mut stranger = TestNode::start(4).await;
    stranger.know(&[&b]).await;
    stranger.network.subscribe("topic").await.unwrap();
    b.wait_connected(&stranger.id(), true).await;
    for round in 0..5_u8 {
        publish(&stranger, &[b's', round]).await;
        publish(&a, &[b'a', round]).await;
        // Everything known arrives at both; nothing of the stranger is among it.
        for node in [&mut b, &mut c] {
            let heard =
                node.next(|event| gossip(event).filter(|(bytes, _)| bytes.len() == 2).map(|(bytes, _)| bytes)).await;
            assert_eq!(heard, [b'a', round]);
        }
        // A stream over the stranger's connection arrives after what was sent before it.
        let _stream = within(stranger.network.open(&b.id(), Protocol::Join)).await.unwrap();
    }
    while let Ok(event) = stranger.events.try_recv() {
        assert_eq!(gossip(event), None, "told to a stranger");
    }
    // Admitted, it hears.
    b.know(&[&a, &c, &stranger]).await;
    let mut number = 100_u8;
    let from = within(async {
        let mut tick = interval(Duration::from_millis(100));
        loop {
            tokio::select! {
                _ = tick.tick() => {
                    number += 1;
                    publish(&a, &[b'a', number]).await;
                }
                (_, from) = stranger.next(gossip) => return from,
            }
        }
    })
    .await;
    assert_eq!(from, b.id());
}

#[tokio::test]
async fn d7_gossip_has_bounds() {
    let node = TestNode::start(1).await;
    let long = "x".repeat(limits::TOPIC_BYTES + 1);
    assert_eq!(node.network.subscribe("").await, Err(GossipError::Topic));
    assert_eq!(node.network.subscribe(&long).await, Err(GossipError::Topic));
    assert_eq!(node.network.publish("t", vec![0; limits::GOSSIP_BYTES + 1]).await, Err(GossipError::TooLong));
    assert_eq!(node.network.publish("t", b"x".to_vec()).await, Err(GossipError::NobodyListens));
    for number in 0..limits::TOPICS {
        node.network.subscribe(&number.to_string()).await.unwrap();
    }
    assert_eq!(node.network.subscribe("one more").await, Err(GossipError::TooManyTopics));
    node.network.subscribe("7").await.unwrap();
    node.network.unsubscribe("7").await;
    node.network.subscribe("one more").await.unwrap();
}

/// What reading a receipt gives when the peer writes these bytes and ends.
async fn read_of(a: &TestNode, b: &mut TestNode, bytes: &[u8], limit: usize) -> Result<Receipt, StreamError> {
    let mut writer = within(a.network.open(&b.id(), Protocol::Offer)).await.unwrap();
    let mut reader = b.inbound().await;
    let writing = async {
        // The reader may refuse before it has read all.
        let _ = writer.write_all(bytes).await;
        let _ = writer.close().await;
    };
    let reading = async {
        let read = reader.read_message(limit).await;
        drop(reader);
        read
    };
    within(async { tokio::join!(writing, reading) }).await.1
}

#[tokio::test]
async fn d7_d8_oversized_malformed_and_cut_frames_are_errors_of_that_stream_only() {
    let (a, mut b) = pair().await;
    let good = frame::encode(&receipt(6), Receipt::MAX_BYTES).unwrap();
    assert_eq!(read_of(&a, &mut b, &good, Receipt::MAX_BYTES).await.unwrap(), receipt(6));

    for announced in [Receipt::MAX_BYTES as u32 + 1, 1 << 20, u32::MAX] {
        let bytes = [&announced.to_le_bytes()[..], &[0; 64]].concat();
        let error = read_of(&a, &mut b, &bytes, usize::MAX).await.unwrap_err();
        assert!(matches!(error, StreamError::Message(FrameError::TooLong { .. })), "{announced}: {error:?}");
    }
    let error = read_of(&a, &mut b, &good, 3).await.unwrap_err();
    assert!(matches!(error, StreamError::Message(FrameError::TooLong { limit: 3, .. })), "{error:?}");

    let framed = |body: &[u8]| [&(body.len() as u32).to_le_bytes()[..], body].concat();
    let body = &good[HEADER_BYTES..];
    for wrong in [framed(&[0xff; 40]), framed(&[]), framed(&body[1..]), framed(&[body, b"more"].concat())] {
        let error = read_of(&a, &mut b, &wrong, Receipt::MAX_BYTES).await.unwrap_err();
        assert!(matches!(error, StreamError::Message(_)), "{wrong:x?}: {error:?}");
    }
    for cut in 1..good.len() {
        let error = read_of(&a, &mut b, &good[..cut], Receipt::MAX_BYTES).await.unwrap_err();
        assert!(matches!(error, StreamError::CutOff), "cut at {cut}: {error:?}");
    }
    assert!(matches!(read_of(&a, &mut b, &[], 256).await, Err(StreamError::Closed)));
    assert_eq!(read_of(&a, &mut b, &good, Receipt::MAX_BYTES).await.unwrap(), receipt(6), "the connection is fine");
}

#[tokio::test]
async fn a_peer_that_says_nothing_or_goes_away_is_an_error_in_time() {
    let (a, mut b) = pair().await;
    let _silent = within(a.network.open(&b.id(), Protocol::Push)).await.unwrap();
    let mut stream = b.inbound().await;
    let read = stream.read_message_within::<Receipt>(Receipt::MAX_BYTES, Duration::from_millis(50)).await;
    assert!(matches!(read, Err(StreamError::TimedOut)), "{read:?}");

    let dropped = within(a.network.open(&b.id(), Protocol::Push)).await.unwrap();
    let mut stream = b.inbound().await;
    drop(dropped);
    let read = within(stream.read_message::<Receipt>(Receipt::MAX_BYTES)).await;
    assert!(read.is_err(), "{read:?}");

    let _open = within(a.network.open(&b.id(), Protocol::Push)).await.unwrap();
    let mut stream = b.inbound().await;
    a.stop().await;
    let read = within(stream.read_message::<Receipt>(Receipt::MAX_BYTES)).await;
    assert!(matches!(read, Err(StreamError::Io(_) | StreamError::Closed)), "{read:?}");
}

#[tokio::test]
async fn d8_a_connection_that_speaks_something_else_is_closed_and_harms_nobody() {
    let (a, b) = (TestNode::start(1).await, TestNode::start(2).await);
    let address = a.addresses()[0].split('/').nth(4).unwrap().parse::<u16>().unwrap();
    for said in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xff; 4096], b"\x13/multistream/1.0.0\n\xff\xff\xff\xff\xff"] {
        let mut socket = TcpStream::connect(("127.0.0.1", address)).await.unwrap();
        let mut answer = Vec::new();
        let spoken: io::Result<_> = within(async {
            socket.write_all(said).await?;
            socket.read_to_end(&mut answer).await
        })
        .await;
        // Closed or reset, but not left open.
        drop(spoken);
        assert!(answer.len() < 1024);
    }
    b.connect(&a).await;
    a.wait_connected(&b.id(), true).await;
}

#[tokio::test]
async fn a_blocked_node_is_cut_off_and_refused_until_it_is_unblocked() {
    let (mut a, b) = pair().await;
    a.network.block(b.id()).await;
    a.wait_connected(&b.id(), false).await;
    let denied = within(a.network.connect(&b.id(), &b.addresses())).await;
    assert!(matches!(denied, Err(ConnectError::Denied(_))), "{denied:?}");
    // It may reach the socket, but no stream of it arrives.
    let _ = within(b.network.connect(&a.id(), &a.addresses())).await;
    assert!(within(b.network.open(&a.id(), Protocol::Join)).await.is_err());
    while let Ok(event) = a.events.try_recv() {
        assert!(!matches!(event, NetworkEvent::Inbound(..)), "{event:?}");
    }
    assert!(!a.network.is_connected(&b.id()));

    // It is known, so it is dialled again without being asked for.
    a.network.unblock(b.id()).await;
    a.wait_connected(&b.id(), true).await;
    within(a.network.open(&b.id(), Protocol::Fetch)).await.unwrap();
}

#[tokio::test]
async fn a_node_has_the_same_id_after_a_restart_and_no_other_has_it() {
    let mut ids = HashSet::new();
    for seed in 1..=3 {
        let node = TestNode::start(seed).await;
        let id = node.id();
        assert_eq!(peer_id_text(&id), Some(node.network.peer_id_text()));
        node.stop().await;
        assert_eq!(TestNode::start(seed).await.id(), id);
        assert!(ids.insert(id));
    }
}
