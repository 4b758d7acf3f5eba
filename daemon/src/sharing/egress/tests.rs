//! What leaves, and what never does: every promise of the filter on planted, random, damaged and truncated files.

use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, metadata::Orientation};
use proptest::{collection::vec, prelude::*, sample::Index};

use super::planted::{
    CANARY, ORIENTATION, bare_jpeg, bare_png, bare_webp, canary, exif, extended_header, planted_jpeg, planted_png,
    planted_webp, profile as planted_profile, webp_pixels,
};
use super::{EgressError, filter_in_sandbox, rendition, telling};
use crate::sandbox::container::{ContainerError, jpeg, png, webp};
use crate::sandbox::{CaptureTime, Refusal, Told};

fn all_planted() -> [(&'static str, Vec<u8>); 4] {
    [
        ("jpeg", planted_jpeg()),
        ("png", planted_png()),
        ("webp", planted_webp(false)),
        ("animated webp", planted_webp(true)),
    ]
}

fn count(haystack: &[u8], needle: &str) -> usize {
    memchr::memmem::find_iter(haystack, needle).count()
}

fn decoded(bytes: &[u8]) -> (DynamicImage, Option<Vec<u8>>, Orientation) {
    let reader = ImageReader::new(std::io::Cursor::new(bytes)).with_guessed_format().unwrap();
    let mut decoder = reader.into_decoder().unwrap();
    let profile = decoder.icc_profile().unwrap();
    let orientation = decoder.orientation().unwrap();
    (DynamicImage::from_decoder(decoder).unwrap(), profile, orientation)
}

#[test]
fn the_planted_files_are_real() {
    for (name, file) in all_planted() {
        assert!(count(&file, CANARY) >= 12, "{name}");
        let read = exif::Reader::new().read_from_container(&mut std::io::Cursor::new(&file));
        let read = match name {
            "animated webp" => exif::Reader::new().read_raw(exif()),
            _ => read,
        }
        .unwrap_or_else(|error| panic!("{name}: {error}"));
        for tag in [exif::Tag::GPSLatitude, exif::Tag::GPSLongitude, exif::Tag::MakerNote, exif::Tag::BodySerialNumber]
        {
            assert!(read.get_field(tag, exif::In::PRIMARY).is_some(), "{name} {tag}");
        }
        assert!(read.get_field(exif::Tag::JPEGInterchangeFormat, exif::In::THUMBNAIL).is_some(), "{name}");
        decoded(&file);
    }
}

#[test]
fn d4_no_canary_leaves_from_any_place() {
    for (name, file) in all_planted() {
        let out = rendition(&file).unwrap();
        assert_eq!(count(&out, CANARY), 0, "{name}");
        for word in ["GPS", "xmpmeta", "Photoshop", "MPF", "JFXX", "ftyp", "CAN"] {
            assert_eq!(count(&out, word), 0, "{name} still has {word}");
        }
        assert!(out.len() < file.len());
    }
}

#[test]
fn d4_the_pieces_that_leave_are_exactly_those_allowed() {
    let out = rendition(&planted_jpeg()).unwrap();
    let mut markers: Vec<u8> = jpeg::segments(&out).unwrap().iter().map(|segment| segment.marker).collect();
    markers.dedup();
    assert_eq!(markers, [0xe0, 0xe1, 0xe2, 0xee, 0xc0, 0xdb, 0xc4, 0xda]);
    assert!(out.ends_with(&[0xff, 0xd9]));
    assert_eq!(out[6..11], *b"JFIF\0");
    assert_eq!(out[18..20], [0, 0], "a thumbnail of no pixels");

    let out = rendition(&planted_png()).unwrap();
    let mut kinds: Vec<[u8; 4]> = png::chunks(&out).unwrap().iter().map(|chunk| chunk.kind).collect();
    kinds.dedup();
    assert_eq!(kinds, [*b"IHDR", *b"eXIf", *b"iCCP", *b"pHYs", *b"IDAT", *b"IEND"]);

    let out = rendition(&planted_webp(false)).unwrap();
    let kinds: Vec<[u8; 4]> = webp::chunks(&out).unwrap().iter().map(|chunk| chunk.kind).collect();
    assert_eq!(kinds, [*b"VP8X", *b"ICCP", *b"VP8L", *b"EXIF"]);
    assert_eq!(webp::chunks(&out).unwrap()[0].body[0], webp::FLAG_ICC | webp::FLAG_EXIF);
}

#[test]
fn d4_the_exif_block_that_leaves_says_the_orientation_only() {
    for (name, file) in [("jpeg", planted_jpeg()), ("png", planted_png()), ("webp", planted_webp(false))] {
        let out = rendition(&file).unwrap();
        let read = exif::Reader::new().read_from_container(&mut std::io::Cursor::new(out)).unwrap();
        let fields: Vec<_> = read.fields().map(|field| (field.tag, field.value.get_uint(0))).collect();
        assert_eq!(fields, [(exif::Tag::Orientation, Some(u32::from(ORIENTATION)))], "{name}");
    }
}

#[test]
fn d4_details_that_stay_are_written_anew_and_nothing_comes_with_them() {
    let told = Told { taken_at: Some(CaptureTime { wall_ms: 0, offset_min: None }), ..Told::default() };
    for (name, file) in [("jpeg", planted_jpeg()), ("png", planted_png()), ("webp", planted_webp(false))] {
        let out = telling(&file, &told).unwrap();
        assert_eq!(count(&out, CANARY), 0, "{name}");
        let read = exif::Reader::new().read_from_container(&mut std::io::Cursor::new(&out)).unwrap();
        let tags: Vec<exif::Tag> = read.fields().map(|field| field.tag).collect();
        assert_eq!(tags, [exif::Tag::Orientation, exif::Tag::DateTimeOriginal], "{name}");
        assert!(decoded(&out).0 == decoded(&file).0, "{name}");
        assert_eq!(rendition(&out), rendition(&file), "{name}: the next one who sends it takes them out again");
    }
}

#[test]
fn pixels_profile_and_orientation_stay() {
    for (name, file) in all_planted() {
        let (pixels, profile, orientation) = decoded(&rendition(&file).unwrap());
        let (before, profile_before, orientation_before) = decoded(&file);
        assert!(pixels == before, "{name}: other pixels");
        assert_eq!(profile_before, Some(planted_profile(2)), "{name}");
        assert_eq!(profile, super::icc::clean(&planted_profile(2)), "{name}");
        assert_eq!((orientation, orientation_before.to_exif()), (orientation_before, ORIENTATION), "{name}");
    }
}

#[test]
fn pixels_of_other_kinds_of_image_stay() {
    let picture = DynamicImage::from(super::planted::picture());
    let turned = |format| {
        [
            picture.to_luma8().into(),
            picture.to_rgba8().into(),
            picture.to_luma_alpha8().into(),
            picture.to_rgb8().into(),
        ]
        .into_iter()
        .filter_map(move |image: DynamicImage| {
            let mut out = std::io::Cursor::new(Vec::new());
            image.write_to(&mut out, format).ok().map(|()| out.into_inner())
        })
    };
    let all: Vec<Vec<u8>> =
        [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP].into_iter().flat_map(turned).collect();
    assert!(all.len() >= 8);
    for file in all {
        let out = rendition(&file).unwrap();
        assert!(decoded(&out).0 == decoded(&file).0);
    }
    let deep = DynamicImage::from(picture.to_rgb16());
    let mut file = std::io::Cursor::new(Vec::new());
    deep.write_to(&mut file, ImageFormat::Png).unwrap();
    assert!(decoded(&rendition(file.get_ref()).unwrap()).0 == deep);
}

#[test]
fn an_animated_png_keeps_its_frames() {
    let (width, height) = super::planted::picture().dimensions();
    let control = |number: u32| {
        let mut body = [number, width, height, 0, 0].map(u32::to_be_bytes).concat();
        body.extend([0, 1, 0, 10, 0, 0]);
        body
    };
    let mut file = png_with(&[(*b"acTL", &[0, 0, 0, 2, 0, 0, 0, 0]), (*b"fcTL", &control(0))]);
    let frame: Vec<u8> =
        png::chunks(&file).unwrap().iter().filter(|c| &c.kind == b"IDAT").flat_map(|c| c.body).copied().collect();
    let mut second = Vec::new();
    png::write_chunk(&mut second, *b"fcTL", &control(1));
    png::write_chunk(&mut second, *b"tEXt", &canary("between two frames"));
    png::write_chunk(&mut second, *b"fdAT", &[&[0, 0, 0, 2], &frame[..]].concat());
    let end = file.len() - 12;
    file.splice(end..end, second);
    let frames = |bytes: &[u8]| {
        let decoder = image::codecs::png::PngDecoder::new(std::io::Cursor::new(bytes.to_vec())).unwrap();
        let frames = image::AnimationDecoder::into_frames(decoder.apng().unwrap()).collect_frames().unwrap();
        frames.into_iter().map(image::Frame::into_buffer).collect::<Vec<_>>()
    };
    let out = rendition(&file).unwrap();
    assert_eq!((frames(&out).len(), count(&out, CANARY)), (2, 0));
    assert!(frames(&out) == frames(&file));
}

#[test]
fn every_orientation_stays_and_a_nonsensical_one_goes() {
    for value in 0..=9_u8 {
        let mut block = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
        block.extend([value, 0, 0, 0, 0, 0, 0]);
        let mut file = bare_jpeg();
        let mut segment = Vec::new();
        jpeg::write_segment(&mut segment, jpeg::APP1, &[jpeg::EXIF_PREFIX, &block].concat(), &[]);
        file.splice(2..2, segment);
        let out = rendition(&file).unwrap();
        let expected = Orientation::from_exif(value).unwrap_or(Orientation::NoTransforms);
        assert_eq!(decoded(&out).2, expected, "{value}");
        assert_eq!(count(&out, "Exif"), usize::from(expected != Orientation::NoTransforms), "upright needs no block");
    }
}

#[test]
fn filtering_twice_gives_the_same_bytes() {
    let bare = [("bare jpeg", bare_jpeg()), ("bare png", bare_png()), ("bare webp", bare_webp())];
    for (name, file) in all_planted().into_iter().chain(bare) {
        let once = rendition(&file).unwrap();
        assert!(rendition(&once).unwrap() == once, "{name}");
    }
}

#[test]
fn d4_every_truncation_is_refused_or_filtered_whole() {
    for (name, file) in all_planted() {
        let whole = rendition(&file).unwrap();
        let mut ends = 0;
        for len in 0..file.len() {
            match rendition(&file[..len]) {
                Ok(out) => {
                    assert!(out == whole, "{name} cut at {len} gives something else");
                    ends += 1;
                }
                Err(EgressError::NotAnImage) => assert!(len < 12, "{name} cut at {len}"),
                Err(error) => assert_eq!(error, ContainerError::CutShort.into(), "{name} cut at {len}"),
            }
        }
        assert!(ends > 0 && ends < file.len() / 2, "{name}: only what follows the end may be missing");
    }
}

/// A JPEG of which `change` may alter every segment.
fn rewritten_jpeg(mut change: impl FnMut(u8, &[u8]) -> Vec<Vec<u8>>) -> Vec<u8> {
    let bare = bare_jpeg();
    let mut out = vec![0xff, 0xd8];
    for segment in jpeg::segments(&bare).unwrap() {
        for body in change(segment.marker, segment.body) {
            jpeg::write_segment(&mut out, segment.marker, &body, segment.coded);
        }
    }
    out.extend([0xff, 0xd9]);
    out
}

#[test]
fn d4_bytes_behind_a_table_a_frame_or_a_scan_header_are_refused() {
    for behind in [0xdb, 0xc4, 0xc0, 0xda] {
        let file = rewritten_jpeg(|marker, body| {
            vec![if marker == behind { [body, b"CANARY"].concat() } else { body.to_vec() }]
        });
        assert_eq!(rendition(&file), Err(EgressError::Unknown("a table of a wrong size")), "{behind:x}");
    }
    for extra in [(0xdd, &b"\0\x08CANARY"[..]), (0xdc, b"CANARY"), (0xcc, b"CANARYS")] {
        let mut file = bare_jpeg();
        let mut segment = Vec::new();
        jpeg::write_segment(&mut segment, extra.0, extra.1, &[]);
        file.splice(2..2, segment);
        assert_eq!(rendition(&file), Err(EgressError::Unknown("a table of a wrong size")), "{:x}", extra.0);
    }
}

#[test]
fn d4_jpegs_that_are_not_one_image_are_refused() {
    let two_frames = rewritten_jpeg(|marker, body| vec![body.to_vec(); if marker == 0xc0 { 2 } else { 1 }]);
    assert_eq!(rendition(&two_frames), Err(EgressError::NoPixels));
    let no_scan = rewritten_jpeg(|marker, body| if marker == jpeg::SOS { vec![] } else { vec![body.to_vec()] });
    assert_eq!(rendition(&no_scan), Err(EgressError::NoPixels));
    for marker in [0xc8, 0xde, 0xdf, 0xf0, 0xf7, 0xfd] {
        let mut file = bare_jpeg();
        let mut segment = Vec::new();
        jpeg::write_segment(&mut segment, marker, b"CANARY", &[]);
        file.splice(2..2, segment);
        assert_eq!(rendition(&file), Err(EgressError::Unknown("a segment of an unknown kind")), "{marker:x}");
    }
}

#[test]
fn two_notes_on_the_colour_transform_must_agree() {
    let with = |transforms: &[u8]| {
        let mut segments = Vec::new();
        for transform in transforms {
            let body = [b"Adobe\0\x64\0\0\0\0", &[*transform][..]].concat();
            jpeg::write_segment(&mut segments, jpeg::APP14, &body, &[]);
        }
        let mut file = bare_jpeg();
        file.splice(2..2, segments);
        file
    };
    assert_eq!(rendition(&with(&[0, 1])), Err(EgressError::Unknown("two colour transforms")));
    assert_eq!(rendition(&with(&[1, 1])), rendition(&with(&[1])));
}

/// The bare PNG with these chunks after its header.
fn png_with(chunks: &[([u8; 4], &[u8])]) -> Vec<u8> {
    let mut file = bare_png();
    let mut more = Vec::new();
    for (kind, body) in chunks {
        png::write_chunk(&mut more, *kind, body);
    }
    file.splice(33..33, more);
    file
}

#[test]
fn d4_png_chunks_that_could_carry_more_than_their_numbers_are_refused() {
    let long = [b'C'; 769];
    let palette = Err(EgressError::Structure(ContainerError::Malformed("the palette")));
    assert_eq!(rendition(&png_with(&[(*b"PLTE", &long)])), palette);
    let cases: [([u8; 4], &[u8]); 6] = [
        (*b"tRNS", &long[..257]),
        (*b"gAMA", b"CANARY"),
        (*b"pHYs", b"CANARY CANARY"),
        (*b"acTL", b"CANARYCANARY"),
        (*b"sRGB", b"CANARY"),
        (*b"cHRM", &long[..33]),
    ];
    for chunk in cases {
        assert_eq!(rendition(&png_with(&[chunk])), Err(EgressError::Unknown("a chunk of a wrong size")), "{chunk:?}");
    }
    let twice = Err(EgressError::Unknown("a chunk twice that may stand there once"));
    assert_eq!(rendition(&png_with(&[(*b"gAMA", b"CANA"), (*b"gAMA", b"RYin")])), twice);
    assert_eq!(rendition(&png_with(&[(*b"iCCP", b"a\0\0bc"), (*b"iCCP", b"a\0\0bc")])), twice);
    let unknown = Err(EgressError::Unknown("a necessary chunk of an unknown kind"));
    assert_eq!(rendition(&png_with(&[(*b"CgBI", b"CANARY")])), unknown);
    let nameless = Err(EgressError::Unknown("a colour profile without a name"));
    assert_eq!(rendition(&png_with(&[(*b"iCCP", &[b'x'; 90])])), nameless);
}

/// A WebP of these chunks.
fn webp_of(chunks: &[([u8; 4], &[u8])]) -> Vec<u8> {
    let mut inner = Vec::new();
    for (kind, body) in chunks {
        webp::write_chunk(&mut inner, *kind, body);
    }
    webp::frame(&inner)
}

#[test]
fn d4_webps_that_are_not_one_image_are_refused() {
    let (pixels, header) = (webp_pixels(), extended_header(0));
    let two = Err(EgressError::Unknown("more than one image"));
    assert_eq!(rendition(&webp_of(&[(*b"VP8L", &pixels), (*b"VP8L", b"CANARY")])), two);
    assert_eq!(rendition(&webp_of(&[(*b"VP8X", &header), (*b"VP8L", &pixels), (*b"VP8 ", b"CANARY")])), two);
    let mut frame = vec![0; 16];
    webp::write_chunk(&mut frame, *b"VP8L", &pixels);
    assert_eq!(rendition(&webp_of(&[(*b"VP8X", &header), (*b"ANMF", &frame), (*b"VP8 ", b"CANARY")])), two);
    webp::write_chunk(&mut frame, *b"VP8L", b"CANARY");
    assert_eq!(rendition(&webp_of(&[(*b"VP8X", &header), (*b"ANMF", &frame)])), two);
    let twice = Err(EgressError::Unknown("a chunk twice that may stand there once"));
    let alpha = [(*b"VP8X", &header[..]), (*b"ALPH", b"\0"), (*b"ALPH", b"CANARY"), (*b"VP8L", &pixels)];
    assert_eq!(rendition(&webp_of(&alpha)), twice);
    let headers = [(*b"VP8X", &header[..]), (*b"VP8X", &header), (*b"VP8L", &pixels)];
    assert_eq!(rendition(&webp_of(&headers)), Err(EgressError::Unknown("two headers")));
    assert_eq!(rendition(&webp_of(&[(*b"VP8X", &header), (*b"EXIF", &exif())])), Err(EgressError::NoPixels));
}

#[test]
fn d4_bytes_behind_a_webps_headers_do_not_leave() {
    let pixels = webp_pixels();
    let header = [&extended_header(0x02)[..], b"CANARY"].concat();
    let mut frame = vec![0; 16];
    webp::write_chunk(&mut frame, *b"VP8L", &pixels);
    let out =
        rendition(&webp_of(&[(*b"VP8X", &header), (*b"ANIM", b"\0\0\0\0\0\0CANARY"), (*b"ANMF", &frame)])).unwrap();
    let sizes: Vec<usize> = webp::chunks(&out).unwrap().iter().map(|chunk| chunk.body.len()).collect();
    assert_eq!((sizes, count(&out, CANARY)), (vec![10, 6, frame.len()], 0));
    for cut in [(*b"VP8X", &header[..9]), (*b"ANIM", b"\0\0\0\0\0"), (*b"ANMF", &frame[..15])] {
        let chunks = [(*b"VP8X", &header[..]), cut];
        let file = webp_of(if cut.0 == *b"VP8X" { &chunks[1..] } else { &chunks });
        assert!(matches!(rendition(&file), Err(EgressError::Unknown(_))), "{cut:?}");
    }
}

#[test]
fn d4_a_profile_that_could_be_a_hiding_place_is_refused() {
    let big = vec![7; crate::sandbox::limits::MAX_ICC_BYTES + 1];
    assert_eq!(rendition(&png_with(&[(*b"iCCP", &big)])), Err(EgressError::ProfileTooLarge));
    let header = extended_header(webp::FLAG_ICC);
    let file = webp_of(&[(*b"VP8X", &header), (*b"ICCP", &big), (*b"VP8L", &webp_pixels())]);
    assert_eq!(rendition(&file), Err(EgressError::ProfileTooLarge));
    let mut segments = Vec::new();
    for part in big.chunks(65_000) {
        let body = [jpeg::ICC_PREFIX, &[1, 1], part].concat();
        jpeg::write_segment(&mut segments, jpeg::APP2, &body, &[]);
    }
    let mut file = bare_jpeg();
    file.splice(2..2, segments);
    assert_eq!(rendition(&file), Err(EgressError::ProfileTooLarge));
}

#[test]
fn refusals_reach_the_sandbox_in_its_own_words() {
    assert_eq!(filter_in_sandbox(b"<svg xmlns=", &Told::default()), Err(Refusal::NotAnImage));
    assert_eq!(filter_in_sandbox(&bare_jpeg()[..300], &Told::default()), Err(Refusal::CutShort));
    let refused = filter_in_sandbox(&png_with(&[(*b"CgBI", b"x")]), &Told::default());
    assert_eq!(refused, Err(Refusal::NotCleanable("it holds a necessary chunk of an unknown kind".into())));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn d4_random_segments_anywhere_in_a_jpeg_change_nothing_that_leaves(
        planted in vec((any::<Index>(), 0xe0..=0xf0_u8, vec(any::<u8>(), 0..300), any::<bool>()), 1..8),
    ) {
        let bare = bare_jpeg();
        let pieces = jpeg::segments(&bare).unwrap();
        let mut file = vec![0xff, 0xd8];
        for (at, piece) in pieces.iter().enumerate() {
            for (place, marker, body, stray) in &planted {
                if place.index(pieces.len()) == at {
                    let marker = if *marker == 0xf0 { jpeg::COM } else { *marker };
                    if *stray && at > 0 {
                        file.extend(canary("stray bytes"));
                    }
                    jpeg::write_segment(&mut file, marker, &[canary("a segment"), body.clone()].concat(), &[]);
                }
            }
            jpeg::write_segment(&mut file, piece.marker, piece.body, piece.coded);
        }
        file.extend(b"\xff\xd9CANARY");
        prop_assert!(rendition(&file).unwrap() == rendition(&bare).unwrap());
    }

    #[test]
    fn d4_random_chunks_anywhere_in_a_png_change_nothing_that_leaves(
        planted in vec((any::<Index>(), "[a-z][A-Za-z][A-Z][a-z]", vec(any::<u8>(), 0..300)), 1..8),
    ) {
        let kept = ["sRGB", "gAMA", "cICP", "sBIT", "bKGD", "cLLI", "pHYs", "mDCV", "cHRM", "iCCP", "tRNS", "eXIf"];
        let bare = bare_png();
        let pieces = png::chunks(&bare).unwrap();
        let mut file = png::SIGNATURE.to_vec();
        for (at, piece) in pieces.iter().enumerate() {
            for (place, kind, body) in &planted {
                let kind_bytes: [u8; 4] = kind.as_bytes().try_into().unwrap();
                let animates = ["acTL", "fcTL", "fdAT"].contains(&kind.as_str());
                if place.index(pieces.len() - 1) + 1 == at && !kept.contains(&kind.as_str()) && !animates {
                    png::write_chunk(&mut file, kind_bytes, &[canary("a chunk"), body.clone()].concat());
                }
            }
            png::write_chunk(&mut file, piece.kind, piece.body);
        }
        prop_assert!(rendition(&file).unwrap() == rendition(&bare).unwrap());
    }

    #[test]
    fn d4_random_chunks_anywhere_in_a_webp_change_nothing_that_leaves(
        planted in vec((any::<bool>(), "[a-z]{4}|XMP |EXIF", vec(any::<u8>(), 0..300)), 1..8),
    ) {
        let (pixels, header) = (webp_pixels(), extended_header(0));
        let chunks = |before: bool| planted.iter().filter(move |chunk| chunk.0 == before).map(|(_, kind, body)| {
            (<[u8; 4]>::try_from(kind.as_bytes()).unwrap(), [canary("a chunk"), body.clone()].concat())
        });
        let mut all = vec![(*b"VP8X", header.to_vec())];
        all.extend(chunks(true));
        all.push((*b"VP8L", pixels.clone()));
        all.extend(chunks(false));
        let all: Vec<_> = all.iter().map(|(kind, body)| (*kind, body.as_slice())).collect();
        let clean = webp_of(&[(*b"VP8X", &header), (*b"VP8L", &pixels)]);
        prop_assert!(rendition(&webp_of(&all)).unwrap() == rendition(&clean).unwrap());
    }

    #[test]
    fn d4_a_damaged_file_gives_a_refusal_or_bytes_that_filter_to_themselves(
        which in 0..4_usize, damage in vec((any::<Index>(), any::<u8>()), 1..6), cut in proptest::option::of(any::<Index>()),
    ) {
        let (_, mut file) = all_planted().into_iter().nth(which).unwrap();
        for (at, byte) in damage {
            let at = at.index(file.len());
            file[at] = byte;
        }
        if let Some(cut) = cut {
            file.truncate(cut.index(file.len()));
        }
        if let Ok(out) = rendition(&file) {
            prop_assert!(rendition(&out).unwrap() == out);
            prop_assert!(out != file, "never the file as it was");
        }
    }

    #[test]
    fn d4_random_bytes_after_a_signature_never_pass_as_they_are(which in 0..3_usize, bytes in vec(any::<u8>(), 0..400)) {
        let start: [&[u8]; 3] = [b"\xff\xd8\xff", png::SIGNATURE, b"RIFF\x40\0\0\0WEBPVP8 "];
        let file = [start[which], &bytes].concat();
        if let Ok(out) = rendition(&file) {
            prop_assert!(rendition(&out).unwrap() == out);
        }
    }
}
