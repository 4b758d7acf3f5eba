//! How much slower a transfer is than a plain TCP copy of the same bytes on the same machine, measured on request.

use std::{io::Cursor, time::Instant};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::tests::{Stored, content, hold, streams, wanted};
use super::*;
use crate::network::testing::{pair, within};

/// Bytes of one run: the largest rendition.
const BYTES: usize = 64 * 1024 * 1024;
/// Runs of each kind, taken in turns; the best of each counts.
const RUNS: usize = 5;

/// Seconds to copy the bytes over a plain socket into memory.
async fn plain(bytes: &[u8]) -> f64 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let begun = Instant::now();
    let sending = async {
        let mut socket = TcpStream::connect(address).await.unwrap();
        socket.write_all(bytes).await.unwrap();
        socket.shutdown().await.unwrap();
    };
    let receiving = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut received = vec![0; BYTES];
        socket.read_exact(&mut received).await.unwrap();
        received
    };
    let ((), received) = within(async { tokio::join!(sending, receiving) }).await;
    let seconds = begun.elapsed().as_secs_f64();
    assert!(received == bytes);
    seconds
}

/// Seconds to transfer them, checked on both sides and encrypted, to the receipt.
async fn transferred(bytes: &[u8]) -> f64 {
    let (finder, mut holder) = pair().await;
    let (ours, theirs) = streams(&finder, &mut holder).await;
    let (sink, limits, wanted) = (Stored::default(), TransferLimits::default(), wanted(bytes));
    let (kept, sent, theirs_too) = (sink.clone(), bytes.to_vec(), limits.clone());
    let holding = tokio::spawn(async move { hold(theirs, &sent, Cursor::new(sent.clone()), theirs_too).await.1 });
    let begun = Instant::now();
    let fetching = async {
        let fetched = fetch(ours, wanted, sink, &limits, |_| {}).await.unwrap();
        fetched.confirmation.confirm(inframe_protocol::offer::ReceiptState::Delivered).await.unwrap();
    };
    within(fetching).await;
    within(holding).await.unwrap().unwrap();
    let seconds = begun.elapsed().as_secs_f64();
    assert!(kept.bytes() == bytes);
    seconds
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, not a test"]
async fn throughput_over_loopback_against_a_plain_tcp_copy() {
    let bytes = content(99, BYTES);
    let (mut best_plain, mut best_transfer) = (f64::MAX, f64::MAX);
    for _ in 0..RUNS {
        best_plain = best_plain.min(plain(&bytes).await);
        best_transfer = best_transfer.min(transferred(&bytes).await);
    }
    let rate = |seconds: f64| BYTES as f64 / 1e6 / seconds;
    println!(
        "transfer {:.0} MB/s, plain TCP {:.0} MB/s, ratio {:.3}",
        rate(best_transfer),
        rate(best_plain),
        best_plain / best_transfer
    );
}
