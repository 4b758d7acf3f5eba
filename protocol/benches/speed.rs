//! How fast matching and verification are, as ratios measured in the same run.
//!
//! `cargo bench -p inframe-protocol`: each figure is the median of several rounds. SPEC.md says what came out.

use std::hint::black_box;
use std::time::{Duration, Instant};

use inframe_protocol::event::EventState;
use inframe_protocol::groups::{GroupHasher, GroupList};
use inframe_protocol::keys::{EventKey, MemberKeys};
use inframe_protocol::limits::{GROUP_BYTES, MAX_RECORDS_PER_AUTHOR};
use inframe_protocol::record::RecordBody;
use inframe_protocol::roster::{NewEvent, RosterWriter};
use inframe_protocol::template::{Projection, ProjectionKey, Template, distance_squared};
use inframe_protocol::{ContentId, NodeId, UnixMillis};

const FACES: usize = 10_000;
const FIND_MES: usize = 20;
const CONTENT_BYTES: usize = 64 * 1024 * 1024;
const ROUNDS: usize = 15;

fn median(mut work: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed()
        })
        .collect();
    times.sort();
    times[ROUNDS / 2]
}

fn face(seed: usize) -> Vec<f32> {
    let mut bytes = [0; 128];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes.iter().map(|byte| (f32::from(*byte) - 127.5) / 800.0).collect()
}

/// The distance that an unprotected matcher computes.
fn plain_distance(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

fn matching() {
    let faces: Vec<_> = (0..FACES).map(face).collect();
    let wanted: Vec<_> = (FACES..FACES + FIND_MES).map(face).collect();
    let (key, mean) = (ProjectionKey([7; 32]), [0.0; 128]);
    let drawn = median(|| drop(black_box(Projection::new(black_box(&key)))));
    let projection = Projection::new(&key);
    let project = |faces: &[Vec<f32>]| -> Vec<Template> {
        faces.iter().filter_map(|face| projection.project(face, &mean).ok()).collect()
    };
    let projected = median(|| drop(black_box(project(black_box(&faces)))));
    let (templates, sought) = (project(&faces), project(&wanted));
    let compared = median(|| {
        let near = templates.iter().flat_map(|face| sought.iter().map(move |find_me| distance_squared(face, find_me)));
        black_box(near.min());
    });
    let plain = median(|| {
        let near = faces.iter().flat_map(|face| wanted.iter().map(move |find_me| plain_distance(face, find_me)));
        black_box(near.fold(f32::MAX, f32::min));
    });
    let pairs = (FACES * FIND_MES) as f64;
    println!("drawing the projection of a key: {drawn:?}");
    println!("projecting {FACES} faces: {projected:?}, {:.2} us a face", projected.as_secs_f64() * 1e6 / FACES as f64);
    println!(
        "comparing {FACES} faces with {FIND_MES} find-mes: {compared:?}, {:.0} million pairs a second",
        pairs / compared.as_secs_f64() / 1e6
    );
    println!(
        "the same with plain embeddings of 128 f32: {plain:?}; templates take {:.2} of that",
        compared.as_secs_f64() / plain.as_secs_f64()
    );
}

fn groups() {
    let content: Vec<u8> = (0..CONTENT_BYTES).map(|at| (at / 7 % 251) as u8).collect();
    let plain = median(|| {
        black_box(ContentId::of(black_box(&content)));
    });
    let mut hasher = GroupHasher::new();
    hasher.update(&content);
    let Ok(list) = hasher.finish() else { return };
    let verified = median(|| {
        let list = GroupList::verify(list.content(), list.size_bytes(), list.hashes().to_vec());
        let all = content
            .chunks(GROUP_BYTES as usize)
            .zip(0..)
            .all(|(group, index)| list.as_ref().is_ok_and(|list| list.check(index, black_box(group)).is_ok()));
        assert!(all);
    });
    let streamed = median(|| {
        let mut hasher = GroupHasher::new();
        content.chunks(GROUP_BYTES as usize).for_each(|chunk| hasher.update(black_box(chunk)));
        drop(black_box(hasher.finish()));
    });
    let speed = |time: Duration| CONTENT_BYTES as f64 / time.as_secs_f64() / 1e6;
    println!("plain BLAKE3 of 64 MiB: {:.0} MB/s", speed(plain));
    println!("checking it group by group: {:.0} MB/s, {:.2} of plain", speed(verified), speed(verified) / speed(plain));
    println!("making its group list: {:.0} MB/s, {:.2} of plain", speed(streamed), speed(streamed) / speed(plain));
}

type Failure = Box<dyn std::error::Error>;

/// A state with one member who wrote as many records as are kept of one.
fn written() -> Result<(EventState, EventState, Vec<Vec<u8>>), Failure> {
    let now = UnixMillis(1_767_225_600_000);
    let (key, keys) = (EventKey::generate()?, MemberKeys::generate()?);
    let event = NewEvent {
        name: "Wedding".to_owned(),
        starts: None,
        ends: None,
        host: keys.public(),
        node: NodeId::new([1; 38])?,
        nickname: "Ann".to_owned(),
    };
    let mut empty = EventState::new(key.event_id());
    empty.set_keys(keys);
    empty.apply_roster(&RosterWriter::create(&key, event, now)?.0)?;
    let mut full = empty.clone();
    let mut records = Vec::new();
    for number in 0..MAX_RECORDS_PER_AUTHOR {
        let body = RecordBody::Profile { nickname: format!("Ann {number}"), addresses: Vec::new() };
        records.push(full.write(body, now)?.0);
    }
    Ok((empty, full, records))
}

fn records() -> Result<(), Failure> {
    let (empty, full, records) = written()?;
    let now = UnixMillis(1_767_225_600_000);
    let received = median(|| {
        let mut state = empty.clone();
        let taken = records.iter().filter(|record| state.receive(black_box(record), now).is_ok()).count();
        assert_eq!(taken, records.len());
    });
    let signing = ed25519_dalek::SigningKey::from_bytes(&[1; 32]);
    let signature = ed25519_dalek::Signer::sign(&signing, &records[0]);
    let verified = median(|| {
        for _ in &records {
            assert!(signing.verifying_key().verify_strict(black_box(&records[0]), &signature).is_ok());
        }
    });
    let stored = full.to_bytes();
    let read = median(|| assert!(EventState::from_bytes(black_box(&stored)).is_ok()));
    let each = |time: Duration| time.as_secs_f64() * 1e6 / records.len() as f64;
    println!(
        "taking in a record: {:.0} us, of which checking an Ed25519 signature takes {:.0} us",
        each(received),
        each(verified)
    );
    println!("reading a stored record again: {:.0} us", each(read));
    Ok(())
}

fn main() -> Result<(), Failure> {
    matching();
    groups();
    records()
}
