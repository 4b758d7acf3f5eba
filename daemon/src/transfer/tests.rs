//! Transfers between two real nodes on loopback: whole ones, broken ones, and peers that lie, stall or go away.

use std::{
    future::{self, Future},
    io::{self, Cursor},
    sync::Arc,
};

use futures::future::join_all;
use inframe_protocol::{
    fetch::{FetchReply, FetchRequest},
    frame::Message,
    groups::{GroupError, GroupHasher, GroupList},
    ids::OfferId,
    limits::GROUP_BYTES,
    offer::{Receipt, ReceiptState},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::watch,
};

use super::*;
use crate::network::{
    PeerStream, Protocol, StreamError,
    testing::{TestNode, pair, within},
};

const GROUP: usize = GROUP_BYTES as usize;
const OFFER: OfferId = OfferId([7; 16]);

/// Bytes that no two groups share.
pub(super) fn content(seed: u8, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new_keyed(&[seed; 32]).finalize_xof().fill(&mut bytes);
    bytes
}

fn list_of(content: &[u8]) -> GroupList {
    let mut hasher = GroupHasher::new();
    hasher.update(content);
    hasher.finish().unwrap()
}

pub(super) fn wanted(content: &[u8]) -> Wanted {
    Wanted { offer: OFFER, content: list_of(content).content(), size_bytes: content.len() as u64 }
}

/// A sink whose groups outlive it, as a file's would, and whose growth can be waited for.
#[derive(Clone, Debug, Default)]
pub(super) struct Stored {
    groups: Arc<watch::Sender<Vec<Vec<u8>>>>,
    full_at: Option<u64>,
}

impl Stored {
    /// A sink that has so many groups of no bytes.
    fn with(groups: usize) -> Self {
        Self { groups: Arc::new(watch::Sender::new(vec![Vec::new(); groups])), full_at: None }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        self.groups.borrow().concat()
    }

    async fn wait_for(&self, groups: usize) {
        within(self.groups.subscribe().wait_for(|stored| stored.len() >= groups)).await.unwrap();
    }
}

impl GroupSink for Stored {
    fn have(&self) -> u64 {
        self.groups.borrow().len() as u64
    }

    fn append(&mut self, index: u64, group: &mut Vec<u8>) -> io::Result<()> {
        assert_eq!(index, self.have(), "groups come in order");
        if self.full_at == Some(index) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.groups.send_modify(|groups| groups.push(std::mem::take(group)));
        Ok(())
    }
}

/// Bytes as a disk gives them, right or wrong.
impl GroupSource for Cursor<Vec<u8>> {
    fn read_group(&mut self, index: u64, group: &mut Vec<u8>) -> io::Result<()> {
        self.set_position(index * GROUP_BYTES);
        group.clear();
        io::Read::read_to_end(&mut io::Read::take(self, GROUP_BYTES), group).map(|_| ())
    }
}

pub(super) async fn streams(finder: &TestNode, holder: &mut TestNode) -> (PeerStream, PeerStream) {
    let ours = within(finder.network.open(&holder.id(), Protocol::Fetch)).await.unwrap();
    (ours, holder.inbound().await)
}

async fn asked(stream: &mut PeerStream) -> FetchRequest {
    stream.read_message(FetchRequest::MAX_BYTES).await.unwrap()
}

/// An honest holder of `content` whose disk is `source`.
pub(super) async fn hold(
    mut stream: PeerStream,
    content: &[u8],
    source: impl GroupSource,
    limits: TransferLimits,
) -> (FetchRequest, Result<Receipt, ServeError>) {
    let request = asked(&mut stream).await;
    let served = serve(stream, &request, list_of(content), source, &limits, |_| {}).await;
    (request, served)
}

/// Fetches from an honest holder and confirms; gives the request that the holder saw.
async fn deliver(finder: &TestNode, holder: &mut TestNode, content: &[u8], sink: Stored) -> FetchRequest {
    let (ours, theirs) = streams(finder, holder).await;
    let holding = hold(theirs, content, Cursor::new(content.to_vec()), TransferLimits::default());
    let fetching = async {
        let fetched = fetch(ours, wanted(content), sink, &TransferLimits::default(), |_| {}).await.unwrap();
        fetched.confirmation.confirm(ReceiptState::Delivered).await.unwrap();
    };
    let ((request, served), ()) = within(async { tokio::join!(holding, fetching) }).await;
    assert_eq!(served.unwrap(), Receipt { offer: OFFER, state: ReceiptState::Delivered });
    request
}

/// Fetches from a holder that answers the request with `reply` and then these bytes, and ends in good order or, with
/// `stall`, does nothing more until the finder has given up.
async fn fetch_from(reply: FetchReply, bytes: Vec<u8>, stall: bool, wanted: Wanted, sink: Stored) -> FetchError {
    let (finder, mut holder) = pair().await;
    let (ours, mut theirs) = streams(&finder, &mut holder).await;
    let limits = if stall { TransferLimits::for_testing() } else { TransferLimits::default() };
    let holding = async {
        asked(&mut theirs).await;
        theirs.write_message(&reply).await.unwrap();
        // The finder may hang up before it has read all of it.
        let _ = theirs.write_all(&bytes).await;
        let _ = theirs.flush().await;
        if stall {
            let _ = theirs.read(&mut [0]).await;
        } else {
            let _ = theirs.close().await;
        }
    };
    let fetching = fetch(ours, wanted, sink, &limits, |_| {});
    let ((), fetched) = within(async { tokio::join!(holding, fetching) }).await;
    fetched.err().unwrap()
}

#[tokio::test]
async fn twenty_megabytes_arrive_whole_and_in_order() {
    let (finder, mut holder) = pair().await;
    let content = content(1, 20_000_000);
    let (sink, mut told_finder, mut told_holder) = (Stored::default(), Vec::new(), Vec::new());
    let (ours, mut theirs) = streams(&finder, &mut holder).await;
    let limits = TransferLimits::default();
    let holding = async {
        let request = asked(&mut theirs).await;
        let source = Cursor::new(content.clone());
        serve(theirs, &request, list_of(&content), source, &limits, |now| told_holder.push(now)).await
    };
    let fetching = async {
        let fetched = fetch(ours, wanted(&content), sink.clone(), &limits, |now| told_finder.push(now)).await.unwrap();
        // D1: until this moment the holder has heard of no delivery.
        assert!(sink.bytes() == content);
        fetched.confirmation.confirm(ReceiptState::Delivered).await.unwrap();
    };
    let (served, ()) = within(async { tokio::join!(holding, fetching) }).await;
    assert_eq!(served.unwrap().state, ReceiptState::Delivered);
    let groups = 20_000_000_u64.div_ceil(GROUP_BYTES);
    let expected = |from: u64| {
        (from..=groups).map(move |done| Progress {
            groups_done: done,
            groups,
            bytes_done: (done * GROUP_BYTES).min(20_000_000),
            size_bytes: 20_000_000,
        })
    };
    assert!(told_finder.into_iter().eq(expected(0)), "each group is told once, the start too");
    assert!(told_holder.into_iter().eq(expected(1)));
}

#[tokio::test]
async fn contents_of_every_edge_of_size_arrive() {
    let (finder, mut holder) = pair().await;
    for len in [1, GROUP - 1, GROUP, GROUP + 1, 3 * GROUP] {
        let (content, sink) = (content(2, len), Stored::default());
        deliver(&finder, &mut holder, &content, sink.clone()).await;
        assert!(sink.bytes() == content, "{len} bytes");
        assert_eq!(sink.have(), (len as u64).div_ceil(GROUP_BYTES));
    }
}

#[tokio::test]
async fn a_transfer_that_was_cut_goes_on_from_the_last_whole_group() {
    let content = content(3, 11 * GROUP + 99);
    let (finder, mut holder) = pair().await;
    for cut in [0, 1, 2, 5, 10, 11] {
        let sink = Stored::default();
        let sent = (cut * GROUP + 50).min(content.len());
        let ready = FetchReply::ready(&list_of(&content));
        let error = fetch_from(ready, content[..sent].to_vec(), false, wanted(&content), sink.clone()).await;
        assert!(matches!(error, FetchError::PeerClosed { group, .. } if group == cut as u64), "{cut}: {error:?}");
        assert!(sink.bytes() == content[..cut * GROUP], "whole groups before the cut at {cut} are kept, no others");

        let request = deliver(&finder, &mut holder, &content, sink.clone()).await;
        assert_eq!(request.from_group, cut as u64, "nothing is fetched twice");
        assert!(sink.bytes() == content);
        // All is there: asked once more, not a byte need come.
        assert_eq!(deliver(&finder, &mut holder, &content, sink).await.from_group, 12);
    }
}

#[tokio::test]
async fn a_transfer_goes_on_after_the_holder_crashed_and_came_back_on_another_port() {
    let (finder, mut holder) = pair().await;
    let (content, sink) = (content(4, 9 * GROUP), Stored::default());
    let (ours, mut theirs) = streams(&finder, &mut holder).await;
    let (limits, old) = (TransferLimits::default(), holder.addresses());
    let crashing = async {
        let request = asked(&mut theirs).await;
        theirs.write_message(&FetchReply::ready(&list_of(&content))).await.unwrap();
        assert_eq!(request.from_group, 0);
        theirs.write_all(&content[..4 * GROUP]).await.unwrap();
        theirs.flush().await.unwrap();
        // Four groups are stored at the finder before the crash.
        sink.wait_for(4).await;
        holder.stop().await;
    };
    let fetching = fetch(ours, wanted(&content), sink.clone(), &limits, |_| {});
    let error = within(async { tokio::join!(crashing, fetching).1 }).await.err().unwrap();
    assert!(matches!(error, FetchError::PeerClosed { group: 4, .. }), "{error:?}");

    let mut holder = TestNode::start(2).await;
    assert_ne!(holder.addresses(), old);
    holder.network.set_known(vec![(finder.id(), Vec::new())], |_| true).await;
    finder.wait_connected(&holder.id(), false).await;
    finder.connect(&holder).await;
    assert_eq!(deliver(&finder, &mut holder, &content, sink.clone()).await.from_group, 4);
    assert!(sink.bytes() == content);
}

#[tokio::test]
async fn d8_a_wrong_group_is_refused_and_nothing_after_it_is_stored() {
    let content = content(5, 6 * GROUP + 1000);
    for wrong in [0, 1, 4, 6] {
        let (mut sent, sink) = (content.clone(), Stored::default());
        sent[wrong * GROUP + 500] ^= 1;
        let ready = FetchReply::ready(&list_of(&content));
        let error = fetch_from(ready, sent, false, wanted(&content), sink.clone()).await;
        assert!(matches!(error, FetchError::WrongBytes { group } if group == wrong as u64), "{wrong}: {error:?}");
        assert!(sink.bytes() == content[..wrong * GROUP], "group {wrong}");
    }
}

#[tokio::test]
async fn d8_two_right_groups_in_the_wrong_order_are_refused() {
    let (content, sink) = (content(6, 3 * GROUP), Stored::default());
    let swapped = [&content[..GROUP], &content[2 * GROUP..], &content[GROUP..2 * GROUP]].concat();
    let error = fetch_from(FetchReply::ready(&list_of(&content)), swapped, false, wanted(&content), sink.clone()).await;
    assert!(matches!(error, FetchError::WrongBytes { group: 1 }), "{error:?}");
    assert!(sink.bytes() == content[..GROUP]);
}

#[tokio::test]
async fn d8_a_wrong_group_is_named_even_when_the_peer_then_stalls() {
    let (mut sent, sink) = (content(7, 2 * GROUP), Stored::default());
    let (list, wanted) = (list_of(&sent), wanted(&sent));
    sent[0] ^= 1;
    sent.truncate(GROUP);
    let error = fetch_from(FetchReply::ready(&list), sent, true, wanted, sink.clone()).await;
    assert!(matches!(error, FetchError::WrongBytes { group: 0 }), "{error:?}");
    assert_eq!(sink.have(), 0);
}

#[tokio::test]
async fn d8_a_peer_that_lies_about_size_or_hashes_is_refused_before_a_byte_is_taken() {
    let content = content(8, 3 * GROUP);
    let (list, wanted, size_bytes) = (list_of(&content), wanted(&content), content.len() as u64);
    let mut other = list.hashes().to_vec();
    other[2][0] ^= 1;
    let mut swapped = list.hashes().to_vec();
    swapped.swap(0, 1);
    let short = list.hashes()[..2].to_vec();
    for groups in [other, swapped] {
        let (reply, sink) = (FetchReply::Ready { size_bytes, groups }, Stored::default());
        let error = fetch_from(reply, content.clone(), false, wanted, sink.clone()).await;
        assert!(matches!(error, FetchError::WrongList(GroupError::WrongList)), "{error:?}");
        assert_eq!(sink.have(), 0);
    }
    let reply = FetchReply::Ready { size_bytes: size_bytes - 1, groups: list.hashes().to_vec() };
    let error = fetch_from(reply, content.clone(), false, wanted, Stored::default()).await;
    let sizes = (size_bytes, size_bytes - 1);
    assert!(
        matches!(error, FetchError::SizeMismatch { offered, announced } if (offered, announced) == sizes),
        "{error:?}"
    );
    // A list of another length than the size needs does not even pass as a message.
    let reply = FetchReply::Ready { size_bytes, groups: short };
    assert!(inframe_protocol::frame::encode(&reply, FetchReply::MAX_BYTES).is_err());
}

#[tokio::test]
async fn an_offer_that_is_unknown_is_not_offered() {
    let content = content(9, GROUP);
    let error = fetch_from(FetchReply::NotFound, Vec::new(), false, wanted(&content), Stored::default()).await;
    assert!(matches!(error, FetchError::NotOffered), "{error:?}");

    // The holder's own checks: another content than the offer's, and a group past the end.
    let (finder, mut holder) = pair().await;
    let other = Wanted { content: list_of(b"other").content(), ..wanted(&content) };
    let past = Stored::with(2);
    for (wanted, sink) in [(other, Stored::default()), (wanted(&content), past)] {
        let (ours, theirs) = streams(&finder, &mut holder).await;
        let limits = TransferLimits::default();
        let holding = hold(theirs, &content, Cursor::new(content.clone()), limits.clone());
        let fetching = fetch(ours, wanted, sink, &limits, |_| {});
        let ((_, served), fetched) = within(async { tokio::join!(holding, fetching) }).await;
        assert!(matches!(served, Err(ServeError::NotOffered)), "{served:?}");
        assert!(matches!(fetched, Err(FetchError::NotOffered)), "{fetched:?}");
    }
}

#[tokio::test]
async fn more_groups_in_store_than_the_content_has_are_noticed() {
    let content = content(10, GROUP);
    let sink = Stored::with(3);
    let ready = FetchReply::ready(&list_of(&content));
    let error = fetch_from(ready, Vec::new(), false, wanted(&content), sink).await;
    assert!(matches!(error, FetchError::TooManyStored { have: 3, groups: 1 }), "{error:?}");
}

/// Serves to a finder that asks properly and then does `then` with its stream.
async fn serve_to<F: Future<Output = ()>>(
    len: usize,
    limits: TransferLimits,
    then: impl FnOnce(PeerStream) -> F,
) -> Result<Receipt, ServeError> {
    let (finder, mut holder) = pair().await;
    let content = content(11, len);
    let (mut ours, theirs) = streams(&finder, &mut holder).await;
    let finding = async {
        let question = FetchRequest { offer: OFFER, content: list_of(&content).content(), from_group: 0 };
        let reply: FetchReply = request(&mut ours, &question).await.unwrap();
        assert_eq!(reply, FetchReply::ready(&list_of(&content)));
        then(ours).await;
    };
    let holding = hold(theirs, &content, Cursor::new(content.clone()), limits.clone());
    within(async { tokio::join!(holding, finding) }).await.0.1
}

#[tokio::test]
async fn a_receiver_that_goes_away_ends_the_transfer() {
    let gone = serve_to(80 * GROUP, TransferLimits::default(), async |mut stream| {
        stream.read_exact(&mut vec![0; GROUP]).await.unwrap();
    });
    let error = gone.await.unwrap_err();
    assert!(matches!(error, ServeError::PeerClosed { group, .. } if group < 80), "{error:?}");
}

#[tokio::test]
async fn d1_without_a_receipt_nothing_counts_as_delivered() {
    let all = async |stream: &mut PeerStream| stream.read_exact(&mut vec![0; 2 * GROUP]).await.map(drop).unwrap();
    let gone = serve_to(2 * GROUP, TransferLimits::default(), async |mut stream| all(&mut stream).await);
    assert!(matches!(gone.await, Err(ServeError::NoReceipt(_))));

    let silent = serve_to(2 * GROUP, TransferLimits::for_testing(), async |mut stream| {
        all(&mut stream).await;
        // Waits until the holder has hung up.
        let _ = stream.read(&mut [0]).await;
    });
    let error = silent.await.unwrap_err();
    assert!(matches!(error, ServeError::NoReceipt(StreamError::TimedOut)), "{error:?}");

    let other = serve_to(2 * GROUP, TransferLimits::default(), async |mut stream| {
        all(&mut stream).await;
        let receipt = Receipt { offer: OfferId([8; 16]), state: ReceiptState::Delivered };
        stream.write_message(&receipt).await.unwrap();
        stream.close().await.unwrap();
    });
    assert!(matches!(other.await, Err(ServeError::WrongReceipt)));

    let rejected = serve_to(2 * GROUP, TransferLimits::default(), async |mut stream| {
        all(&mut stream).await;
        stream.write_message(&Receipt { offer: OFFER, state: ReceiptState::Rejected }).await.unwrap();
        stream.close().await.unwrap();
    });
    assert_eq!(rejected.await.unwrap().state, ReceiptState::Rejected);
}

#[tokio::test]
async fn d7_a_slow_peer_is_given_up_on_either_side() {
    let content = content(12, 4 * GROUP);
    let (ready, sink) = (FetchReply::ready(&list_of(&content)), Stored::default());
    let half = content[..2 * GROUP + GROUP / 2].to_vec();
    let error = fetch_from(ready, half, true, wanted(&content), sink.clone()).await;
    assert!(matches!(error, FetchError::TooSlow { group: 2 }), "{error:?}");
    assert!(sink.bytes() == content[..2 * GROUP], "what came before is kept");

    // A receiver that reads nothing: its window fills, then the holder gives up.
    let mut held = None;
    let served = serve_to(80 * GROUP, TransferLimits::for_testing(), |stream| {
        held = Some(stream);
        future::ready(())
    });
    let error = served.await.unwrap_err();
    assert!(matches!(error, ServeError::TooSlow { group } if group < 80), "{error:?}");
}

/// A source that says how many groups were read from it.
struct Counted(Cursor<Vec<u8>>, watch::Sender<u64>);

impl GroupSource for Counted {
    fn read_group(&mut self, index: u64, group: &mut Vec<u8>) -> io::Result<()> {
        self.1.send_modify(|read| *read += 1);
        self.0.read_group(index, group)
    }
}

#[tokio::test]
async fn the_next_group_is_read_while_one_is_written_and_no_more() {
    let (finder, mut holder) = pair().await;
    let content = content(15, 40 * GROUP);
    let (mut ours, theirs) = streams(&finder, &mut holder).await;
    let (counter, mut read) = watch::channel(0);
    let source = Counted(Cursor::new(content.clone()), counter);
    let holding = hold(theirs, &content, source, TransferLimits::for_testing());
    let question = FetchRequest { offer: OFFER, content: list_of(&content).content(), from_group: 0 };
    let asking = request::<_, FetchReply>(&mut ours, &question);
    let ((_, served), _) = within(async { tokio::join!(holding, asking) }).await;
    let Err(ServeError::TooSlow { group }) = served else { panic!("{served:?}") };
    // Those sent, the one that is stuck, and the next, which may take its time.
    assert_eq!(*within(read.wait_for(|read| *read >= group + 2)).await.unwrap(), group + 2);
}

#[tokio::test]
async fn four_transfers_at_one_time_do_not_disturb_each_other() {
    let (finder, mut holder) = pair().await;
    let mut work = Vec::new();
    for seed in 20..24 {
        let content = content(seed, 5_000_000 + usize::from(seed));
        let (ours, theirs) = streams(&finder, &mut holder).await;
        work.push(tokio::spawn(async move {
            let (sink, limits) = (Stored::default(), TransferLimits::default());
            let holding = hold(theirs, &content, Cursor::new(content.clone()), limits.clone());
            let fetching = async {
                let fetched = fetch(ours, wanted(&content), sink.clone(), &limits, |_| {}).await.unwrap();
                fetched.confirmation.confirm(ReceiptState::Delivered).await.unwrap();
            };
            let ((_, served), ()) = tokio::join!(holding, fetching);
            assert_eq!(served.unwrap().state, ReceiptState::Delivered);
            assert!(sink.bytes() == content);
        }));
    }
    for done in within(join_all(work)).await {
        done.unwrap();
    }
}

#[tokio::test]
async fn a_damaged_copy_is_noticed_by_its_holder_and_never_sent() {
    let (finder, mut holder) = pair().await;
    let content = content(13, 5 * GROUP);
    let mut damaged = content.clone();
    damaged[3 * GROUP] ^= 1;
    let cut = content[..3 * GROUP + 10].to_vec();
    for disk in [damaged, cut] {
        let (sink, limits) = (Stored::default(), TransferLimits::default());
        let (ours, theirs) = streams(&finder, &mut holder).await;
        let holding = hold(theirs, &content, Cursor::new(disk), limits.clone());
        let fetching = fetch(ours, wanted(&content), sink.clone(), &limits, |_| {});
        let ((_, served), fetched) = within(async { tokio::join!(holding, fetching) }).await;
        assert!(matches!(served, Err(ServeError::Source { group: 3, .. })), "{served:?}");
        assert!(matches!(fetched, Err(FetchError::PeerClosed { group: 0..=3, .. })), "{fetched:?}");
        assert!(content.starts_with(&sink.bytes()));
    }
}

#[tokio::test]
async fn a_full_disk_ends_the_transfer_at_that_group() {
    let (finder, mut holder) = pair().await;
    let (content, sink, limits) =
        (content(14, 40 * GROUP), Stored { full_at: Some(2), ..Stored::default() }, TransferLimits::default());
    let (ours, theirs) = streams(&finder, &mut holder).await;
    let holding = hold(theirs, &content, Cursor::new(content.clone()), limits.clone());
    let fetching = fetch(ours, wanted(&content), sink.clone(), &limits, |_| {});
    let ((_, served), fetched) = within(async { tokio::join!(holding, fetching) }).await;
    assert!(matches!(fetched, Err(FetchError::Sink { group: 2, .. })), "{fetched:?}");
    assert!(served.is_err());
    assert!(sink.bytes() == content[..2 * GROUP]);
}
