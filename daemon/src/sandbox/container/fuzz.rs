//! Every parser of containers is given files that were damaged at random: none of them may stop, take long, or give bytes that are not the file's.
//!
//! A few thousand files in each `make test`, as many as wished by `make fuzz FUZZ=1000000`. What fails prints the number of its damage, which
//! `INFRAME_FUZZ_SEED` does again.

use std::hint::black_box;
use std::time::{Duration, Instant};

use image::{DynamicImage, ImageFormat, RgbImage};

use super::heif::Heif;
use super::metadata::Metadata;
use super::raw::RawKind;
use super::{Format, jpeg, motion, raw, samples};

/// Damaged files of each kind when nothing else is asked for.
const FILES: u64 = 1_500;
/// Far above what a whole file of this size takes, also on a busy machine.
const LONGEST: Duration = Duration::from_secs(2);

/// SplitMix64: a number for each number.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % below.max(1) as u64) as usize
    }

    /// One to six damages: bits, lengths of the kind that overflow, cuts, repeats, and parts of the file elsewhere in it.
    fn damage(&mut self, file: &[u8]) -> Vec<u8> {
        const EXTREMES: [u32; 8] = [0, 1, 7, 0x7fff_ffff, 0x8000_0000, 0xffff_fff0, u32::MAX, 0x0001_0000];
        let mut out = file.to_vec();
        for _ in 0..=self.roll(5) {
            let at = self.roll(out.len());
            let until = (at + 1 + self.roll(64)).min(out.len());
            match self.roll(7) {
                0 | 1 => out.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << self.roll(8)),
                2 => {
                    let extreme = EXTREMES[self.roll(EXTREMES.len())];
                    let bytes = if self.roll(2) == 0 { extreme.to_be_bytes() } else { extreme.to_le_bytes() };
                    out.iter_mut().skip(at).zip(bytes).for_each(|(byte, extreme)| *byte = extreme);
                }
                3 => out.truncate(at),
                4 => drop(out.drain(at..until)),
                5 => {
                    let piece = out[at..until].to_vec();
                    let to = self.roll(out.len());
                    out.splice(to..to, piece);
                }
                _ => {
                    let piece = out[at..until].to_vec();
                    let to = self.roll(out.len());
                    out.iter_mut().skip(to).zip(piece).for_each(|(byte, other)| *byte = other);
                }
            }
        }
        out
    }
}

/// Says which damage it was when a parser panics.
struct Told<'a>(&'a str, u64);

impl Drop for Told<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}: stopped at INFRAME_FUZZ_SEED={}", self.0, self.1);
        }
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

/// Has `parse` take `file` and what is left of it after many kinds of damage.
pub(crate) fn fuzz(what: &str, file: &[u8], parse: impl Fn(&[u8])) {
    parse(file);
    let seeds = match number("INFRAME_FUZZ_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("INFRAME_FUZZ").unwrap_or(FILES),
    };
    for seed in seeds {
        let told = Told(what, seed);
        let damaged = Dice(seed).damage(file);
        let start = Instant::now();
        parse(&damaged);
        assert!(start.elapsed() < LONGEST, "it took {:?}", start.elapsed());
        drop(told);
    }
}

/// Whether `part` lies within `file`, and is no copy or overrun.
fn lies_in(file: &[u8], part: &[u8]) -> bool {
    file.as_ptr_range().start <= part.as_ptr() && part.as_ptr_range().end <= file.as_ptr_range().end
}

/// All that the sandbox asks of a photo's container.
fn photo(file: &[u8]) {
    let Some(format) = black_box(Format::sniff(file)) else { return };
    if let Ok(found) = Metadata::find(file, format) {
        let _ = black_box(found.orientation());
        assert!(found.xmp.iter().all(|packet| lies_in(file, packet)));
    }
    if let Some(film) = motion::film(file, format) {
        assert!(lies_in(file, film));
        black_box(motion::belongs(file, film));
    }
    match format {
        Format::Jpeg => {
            black_box((jpeg::end(file), jpeg::viewable_size(file), jpeg::scans(file)));
        }
        Format::Raw(kind) => {
            if let Ok(preview) = raw::preview(file, kind) {
                assert!(lies_in(file, preview.jpeg));
            }
        }
        _ => {}
    }
    heif(file);
}

fn heif(file: &[u8]) {
    let Ok(heif) = Heif::open(file) else { return };
    for id in 0..8 {
        if let Ok(bytes) = heif.bytes(id) {
            assert!(bytes.len() <= file.len());
        }
        black_box((heif.kind(id), heif.size(id), heif.profile(id), heif.colours(id), heif.refers_to(id, b"dimg")));
    }
    black_box((heif.orientation(), heif.exif(), heif.xmp()));
}

fn encoded(format: ImageFormat) -> Vec<u8> {
    let image = DynamicImage::from(RgbImage::from_fn(48, 32, |x, y| image::Rgb([(x * 5) as u8, (y * 7) as u8, 90])));
    let mut out = std::io::Cursor::new(Vec::new());
    image.write_to(&mut out, format).unwrap();
    out.into_inner()
}

#[test]
fn d8_damaged_photos_stop_no_parser() {
    use ImageFormat::{Bmp, Gif, Jpeg, Png, Tiff, WebP};
    for format in [Jpeg, Png, WebP, Gif, Tiff, Bmp] {
        fuzz(&format!("{format:?}"), &encoded(format), photo);
    }
    let film = [samples::boxed(b"ftyp", &[b"mp42isom"]), samples::boxed(b"moov", &[&[0; 40]])].concat();
    fuzz("a motion photo", &[samples::with_comment(&encoded(Jpeg)), film].concat(), photo);
}

#[test]
fn d8_damaged_raw_files_stop_no_parser() {
    let preview = encoded(ImageFormat::Jpeg);
    use RawKind::{Arw, Cr2, Cr3, Dng, Nef, Orf, Other, Raf, Rw2};
    for kind in [Cr2, Cr3, Nef, Arw, Dng, Raf, Orf, Rw2, Other] {
        fuzz(&format!("{kind:?}"), &samples::raw_file(kind, &preview), photo);
    }
}

#[test]
fn d8_damaged_heif_files_stop_no_parser() {
    fuzz("AVIF in tiles", &samples::avif_grid(&[0x81, 0, 0, 0], &[7; 300], (64, 64)), photo);
}
