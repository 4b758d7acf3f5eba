//! What the sandbox costs. Prints, and holds nothing against a slow machine: run with
//! `cargo test -p inframe --test sandbox cost -- --ignored --nocapture`.

use std::time::{Duration, Instant};

use bytes::Bytes;
use image::{ImageFormat, Rgb, RgbImage};

use crate::files::{encode, picture, sample};
use crate::{memory, only_child, sandbox};

/// Runs of which the fastest counts: whatever else the machine does only ever adds.
const RUNS: usize = 7;

/// As large and as detailed as a phone's photo: shapes, and grain that keeps the coefficients from being zero.
fn twelve_megapixels() -> Bytes {
    let mut grain = 1u32;
    let image = RgbImage::from_fn(4000, 3000, |x, y| {
        grain = grain.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let noise = grain >> 28;
        let wave = |at: u32, length: f32| ((at as f32 / length).sin() * 90.0 + 120.0) as u32;
        let level = |value: u32| u8::try_from((value + noise).min(255)).unwrap();
        Rgb([level(wave(x, 170.0)), level(wave(y, 230.0)), level(wave(x + y, 310.0))])
    });
    encode(&image, ImageFormat::Jpeg).into()
}

fn fastest(times: Vec<Duration>) -> Duration {
    times.into_iter().min().unwrap()
}

#[tokio::test]
#[ignore = "prints numbers, proves nothing"]
async fn cost() {
    let mib = |bytes: Option<u64>| bytes.unwrap() / (1024 * 1024);
    let file = twelve_megapixels();
    let sandbox = sandbox();
    let before = Instant::now();
    sandbox.inspect(encode(&picture(), ImageFormat::Jpeg).into()).await.unwrap();
    println!("first tiny image, with the start of a child: {:?}", before.elapsed());
    let child = only_child(&sandbox);
    println!("resident, idle: {} MiB", mib(memory(child, "VmRSS")));
    let (mut decoding, mut inspecting) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let before = Instant::now();
        assert_eq!(image::load_from_memory(&file).unwrap().width(), 4000);
        decoding.push(before.elapsed());
        let before = Instant::now();
        assert_eq!(sandbox.inspect(file.clone()).await.unwrap().width, 4000);
        inspecting.push(before.elapsed());
    }
    let (decoding, inspecting) = (fastest(decoding), fastest(inspecting));
    let ratio = inspecting.as_secs_f64() / decoding.as_secs_f64();
    println!(
        "12 megapixels, {} kB: decoded {decoding:?}, inspected {inspecting:?}, {ratio:.2} times",
        file.len() / 1000
    );
    println!("resident, most while inspecting: {} MiB", mib(memory(child, "VmHWM")));
    println!("resident, idle after it: {} MiB", mib(memory(child, "VmRSS")));
    let before = Instant::now();
    sandbox.faces(sample(1).into()).await.unwrap();
    println!("first faces, with the loading of the model: {:?}", before.elapsed());
    let mut looking = Vec::new();
    for _ in 0..3 {
        let before = Instant::now();
        sandbox.faces(sample(1).into()).await.unwrap();
        looking.push(before.elapsed());
    }
    println!("3 faces: {:?}", fastest(looking));
    println!("resident, most while looking for faces: {} MiB", mib(memory(child, "VmHWM")));
    println!("resident, idle with the model: {} MiB", mib(memory(child, "VmRSS")));
    assert_eq!(only_child(&sandbox), child);
}
