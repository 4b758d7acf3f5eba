//! Photos with canaries planted wherever a file can say more than its pixels, for the tests of the egress filter.

use image::{DynamicImage, Rgb, RgbImage, codecs};

use crate::sandbox::container::{jpeg, png, webp};

/// Part of every planted text: where it turns up, something has leaked.
pub(super) const CANARY: &str = "CANARY";
/// EXIF's number for the orientation of all planted files: turn by 90 degrees.
pub(super) const ORIENTATION: u8 = 6;

/// A text that names its place.
pub(super) fn canary(place: &str) -> Vec<u8> {
    format!("{CANARY} in {place}").into_bytes()
}

/// A colour profile whose colours must stay, with texts in its header, its tags and behind its tables.
pub(super) fn profile(version: u8) -> Vec<u8> {
    let xyz = |x: u32, y: u32, z: u32| [b"XYZ \0\0\0\0", &[x, y, z].map(u32::to_be_bytes).concat()[..]].concat();
    let curve = [b"curvCANA\0\0\0\x01\x02\x33", &canary("bytes behind a curve")[..]].concat();
    let text = |place: &str| [b"text\0\0\0\0", &canary(place)[..]].concat();
    let tags: Vec<(&[u8; 4], Vec<u8>)> = vec![
        (b"desc", text("the description of a profile")),
        (b"cprt", text("the copyright of a profile")),
        (b"wtpt", xyz(0xf351, 0x1_0000, 0x1_16cc)),
        (b"dmnd", text("the maker of a display")),
        (b"rXYZ", xyz(0x6fa2, 0x38f5, 0x390)),
        (b"gXYZ", xyz(0x6299, 0xb785, 0x18da)),
        (b"bXYZ", xyz(0x24a0, 0xf84, 0xb6cf)),
        (b"rTRC", curve.clone()),
        (b"gTRC", curve.clone()),
        (b"bTRC", curve),
        (b"meta", canary("a private tag")),
    ];
    let mut out = vec![0; 128];
    out[4..8].copy_from_slice(b"CANA");
    out[8] = version;
    out[12..24].copy_from_slice(b"mntrRGB XYZ ");
    out[24..36].copy_from_slice(b"CANARY dates");
    out[36..40].copy_from_slice(b"acsp");
    out[40..64].copy_from_slice(b"CANARY device and flags.");
    out[80..128].fill(b'C');
    out.extend((tags.len() as u32).to_be_bytes());
    let mut at = out.len() + 12 * tags.len();
    for (tag, body) in &tags {
        out.extend(*tag);
        out.extend([at as u32, body.len() as u32].map(u32::to_be_bytes).concat());
        at += body.len();
    }
    out.extend(tags.into_iter().flat_map(|(_, body)| body));
    out.extend(canary("bytes behind a profile"));
    let len = (out.len() as u32).to_be_bytes();
    out[..4].copy_from_slice(&len);
    out
}

/// A picture with enough in it that a wrong table shows.
pub(super) fn picture() -> RgbImage {
    RgbImage::from_fn(75, 50, |x, y| {
        let hash = x.wrapping_mul(2_654_435_761) ^ y.wrapping_mul(40_503);
        Rgb([(x * 3) as u8, (y * 5) as u8, (hash >> 5) as u8])
    })
}

/// The picture as a bare JPEG.
pub(super) fn bare_jpeg() -> Vec<u8> {
    let mut out = Vec::new();
    codecs::jpeg::JpegEncoder::new_with_quality(&mut out, 88).encode_image(&picture()).unwrap();
    out
}

/// The picture as a bare PNG.
pub(super) fn bare_png() -> Vec<u8> {
    let mut out = std::io::Cursor::new(Vec::new());
    DynamicImage::from(picture()).write_to(&mut out, image::ImageFormat::Png).unwrap();
    out.into_inner()
}

/// The picture as a bare WebP: one chunk, no extended header.
pub(super) fn bare_webp() -> Vec<u8> {
    let mut out = Vec::new();
    let picture = picture();
    codecs::webp::WebPEncoder::new_lossless(&mut out)
        .encode(picture.as_raw(), picture.width(), picture.height(), image::ExtendedColorType::Rgb8)
        .unwrap();
    out
}

/// One entry of a TIFF directory: tag, type, count, value.
type Entry = (u16, u16, u32, Vec<u8>);

fn ascii(tag: u16, place: &str) -> Entry {
    let mut text = canary(place);
    text.push(0);
    (tag, 2, text.len() as u32, text)
}

fn long(tag: u16, value: u32) -> Entry {
    (tag, 4, 1, value.to_le_bytes().to_vec())
}

/// A latitude or longitude whose bytes are letters, so that they can be searched for.
fn place(tag: u16) -> Entry {
    (tag, 5, 3, b"CANARY in GPS degrees---".to_vec())
}

fn directory_len(entries: &[Entry]) -> u32 {
    let outside = entries.iter().map(|entry| entry.3.len()).filter(|len| *len > 4).sum::<usize>();
    (2 + 12 * entries.len() + 4 + outside) as u32
}

fn directory(out: &mut Vec<u8>, entries: &[Entry], next: u32) {
    let mut outside_at = out.len() + 2 + 12 * entries.len() + 4;
    let mut outside = Vec::new();
    out.extend((entries.len() as u16).to_le_bytes());
    for (tag, kind, count, value) in entries {
        out.extend(tag.to_le_bytes());
        out.extend(kind.to_le_bytes());
        out.extend(count.to_le_bytes());
        if value.len() <= 4 {
            let mut inline = [0; 4];
            inline[..value.len()].copy_from_slice(value);
            out.extend(inline);
        } else {
            out.extend((outside_at as u32).to_le_bytes());
            outside_at += value.len();
            outside.extend_from_slice(value);
        }
    }
    out.extend(next.to_le_bytes());
    out.extend(outside);
}

/// An EXIF block with orientation, camera, serial numbers, owner, times, maker note, GPS and a thumbnail.
pub(super) fn exif() -> Vec<u8> {
    let mut thumbnail = bare_jpeg();
    let comment = canary("the comment of the thumbnail");
    let mut segment = Vec::new();
    jpeg::write_segment(&mut segment, jpeg::COM, &comment, &[]);
    thumbnail.splice(2..2, segment);

    let main = |exif_at, gps_at| {
        vec![
            ascii(0x010e, "ImageDescription"),
            ascii(0x0110, "Model"),
            (0x0112, 3, 1, vec![ORIENTATION, 0]),
            ascii(0x0132, "DateTime"),
            ascii(0x013b, "Artist"),
            ascii(0x8298, "Copyright"),
            long(0x8769, exif_at),
            long(0x8825, gps_at),
        ]
    };
    let detail = vec![
        ascii(0x9003, "DateTimeOriginal"),
        (0x927c, 7, 24, b"CANARY in the maker note".to_vec()),
        (0x9286, 7, 22, b"CANARY in user comment".to_vec()),
        ascii(0xa430, "CameraOwnerName"),
        ascii(0xa431, "BodySerialNumber"),
        ascii(0xa435, "LensSerialNumber"),
    ];
    let gps = vec![
        (0x0001, 2, 2, b"N\0".to_vec()),
        place(0x0002),
        (0x0003, 2, 2, b"E\0".to_vec()),
        place(0x0004),
        ascii(0x001d, "GPSDateStamp"),
    ];
    let preview = |at| vec![(0x0103, 3, 1, vec![6, 0]), long(0x0201, at), long(0x0202, thumbnail.len() as u32)];

    let exif_at = 8 + directory_len(&main(0, 0));
    let gps_at = exif_at + directory_len(&detail);
    let preview_at = gps_at + directory_len(&gps);
    let thumbnail_at = preview_at + directory_len(&preview(0));
    let mut out = b"II\x2a\0\x08\0\0\0".to_vec();
    directory(&mut out, &main(exif_at, gps_at), preview_at);
    directory(&mut out, &detail, 0);
    directory(&mut out, &gps, 0);
    directory(&mut out, &preview(thumbnail_at), 0);
    assert_eq!(out.len(), thumbnail_at as usize);
    out.extend(thumbnail);
    out
}

fn xmp() -> Vec<u8> {
    b"<x:xmpmeta><exif:GPSLatitude>CANARY in XMP</exif:GPSLatitude></x:xmpmeta>".to_vec()
}

/// A zlib stream of stored blocks, so that what is in it can be searched for.
fn stored(bytes: &[u8]) -> Vec<u8> {
    let (mut a, mut b) = (1_u32, 0_u32);
    for byte in bytes {
        a = (a + u32::from(*byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    let len = bytes.len() as u16;
    let mut out = vec![0x78, 0x01, 1];
    out.extend(len.to_le_bytes());
    out.extend((!len).to_le_bytes());
    out.extend(bytes);
    out.extend((b << 16 | a).to_be_bytes());
    out
}

fn joined(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// The segments of the planted JPEG that stand between its start and its tables.
fn jpeg_segments() -> Vec<u8> {
    let segments: Vec<(u8, Vec<u8>)> = vec![
        (jpeg::APP0, joined(&[b"JFXX\0\x13\x01\x01", &canary("JFXX")])),
        (jpeg::APP1, joined(&[jpeg::EXIF_PREFIX, &exif()])),
        (jpeg::APP1, joined(&[jpeg::XMP_PREFIX, &xmp()])),
        (jpeg::APP1, joined(&[jpeg::XMP_EXTENSION_PREFIX, &[b'0'; 32], &[0; 8], &xmp()])),
        (jpeg::APP2, joined(&[jpeg::ICC_PREFIX, &[1, 2], &profile(2)[..20]])),
        (jpeg::APP2, joined(&[jpeg::ICC_PREFIX, &[2, 2], &profile(2)[20..]])),
        (jpeg::APP2, joined(&[b"MPF\0II\x2a\0\x08\0\0\0", &canary("MPF")])),
        (jpeg::APP2, joined(&[b"FPXR\0", &canary("FlashPix")])),
        (0xe3, canary("APP3")),
        (0xe4, canary("APP4")),
        (0xe5, canary("APP5 of a maker")),
        (0xeb, joined(&[b"JP\0\x01", &canary("JUMBF provenance")])),
        (0xec, joined(&[b"Ducky\0", &canary("Ducky")])),
        (jpeg::APP13, joined(&[b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x20\x1c\x02\x78", &canary("IPTC")])),
        (jpeg::APP14, joined(&[b"Adobe\0\x64\0\0\0\0\x01", &canary("bytes behind Adobe's note")])),
        (0xef, canary("APP15")),
        (jpeg::COM, canary("a comment")),
    ];
    let mut out = Vec::new();
    for (marker, body) in segments {
        jpeg::write_segment(&mut out, marker, &body, &[]);
    }
    out
}

/// A JPEG with everything planted, and a second image and a film behind its end.
pub(super) fn planted_jpeg() -> Vec<u8> {
    let bare = bare_jpeg();
    // The encoder begins with JFIF; it gets a thumbnail of its own.
    let jfif_end = 2 + 2 + usize::from(u16::from_be_bytes([bare[4], bare[5]]));
    assert_eq!(&bare[6..11], b"JFIF\0");
    let mut out = bare[..2].to_vec();
    let thumbnail = joined(&[&bare[6..18], &[2, 1], b"CANARY"]);
    jpeg::write_segment(&mut out, jpeg::APP0, &thumbnail, &[]);
    out.extend(jpeg_segments());
    out.extend(b"CANARY between two segments");
    out.extend(&bare[jfif_end..bare.len() - 2]);
    jpeg::write_segment(&mut out, jpeg::COM, &canary("a comment after the scan"), &[]);
    out.extend([0xff, 0xd9]);
    let mut second = bare;
    let mut comment = Vec::new();
    jpeg::write_segment(&mut comment, jpeg::COM, &canary("the second image"), &[]);
    second.splice(2..2, comment);
    out.extend(second);
    out.extend(canary("ftypmp42, the film of a motion photo"));
    out
}

/// A PNG with everything planted, before and after its pixels and behind its end.
pub(super) fn planted_png() -> Vec<u8> {
    let texts = |out: &mut Vec<u8>| {
        png::write_chunk(out, *b"tEXt", &joined(&[b"Author\0", &canary("tEXt")]));
        png::write_chunk(out, *b"zTXt", &joined(&[b"Comment\0\0", &stored(&canary("zTXt"))]));
        png::write_chunk(out, *b"iTXt", &joined(&[b"XML:com.adobe.xmp\0\0\0\0\0", &xmp()]));
        png::write_chunk(out, *b"tIME", &[7, 0xea, 11, 26, 1, 2, 3]);
        png::write_chunk(out, *b"sPLT", &canary("a suggested palette\0"));
        png::write_chunk(out, *b"caNv", &canary("a private chunk"));
        png::write_chunk(out, *b"caBX", &canary("provenance"));
    };
    let bare = bare_png();
    let mut out = png::SIGNATURE.to_vec();
    for chunk in png::chunks(&bare).unwrap() {
        match &chunk.kind {
            b"IHDR" => {
                png::write_chunk(&mut out, chunk.kind, chunk.body);
                png::write_chunk(&mut out, *b"iCCP", &joined(&[b"CANARY as its name\0\0", &stored(&profile(2))]));
                png::write_chunk(&mut out, *b"pHYs", &[0, 0, 0x0b, 0x13, 0, 0, 0x0b, 0x13, 1]);
                png::write_chunk(&mut out, *b"eXIf", &exif());
                texts(&mut out);
            }
            b"IEND" => {
                texts(&mut out);
                png::write_chunk(&mut out, chunk.kind, &canary("the end chunk"));
            }
            _ => png::write_chunk(&mut out, chunk.kind, chunk.body),
        }
    }
    out.extend(canary("bytes behind the end"));
    out
}

/// The extended header of the picture with these flags.
pub(super) fn extended_header(flags: u8) -> [u8; 10] {
    let (width, height) = picture().dimensions();
    let [w0, w1, w2, _] = (width - 1).to_le_bytes();
    let [h0, h1, h2, _] = (height - 1).to_le_bytes();
    [flags, b'C', b'A', b'N', w0, w1, w2, h0, h1, h2]
}

/// The picture's bitstream chunk.
pub(super) fn webp_pixels() -> Vec<u8> {
    let bare = bare_webp();
    let found = webp::chunks(&bare).unwrap();
    assert_eq!((found.len(), found[0].kind), (1, *b"VP8L"));
    found[0].body.to_vec()
}

/// A WebP with everything planted; `animated` puts the picture into frames with chunks of their own.
pub(super) fn planted_webp(animated: bool) -> Vec<u8> {
    let pixels = webp_pixels();
    let flags = webp::FLAG_ICC | webp::FLAG_EXIF | webp::FLAG_XMP | if animated { 0x02 } else { 0 };
    let mut inner = Vec::new();
    webp::write_chunk(&mut inner, *b"VP8X", &extended_header(flags));
    webp::write_chunk(&mut inner, *b"ICCP", &profile(2));
    if animated {
        webp::write_chunk(&mut inner, *b"ANIM", &[0; 6]);
        for _ in 0..2 {
            let [_, _, _, _, size @ ..] = extended_header(0);
            let mut frame = joined(&[&[0; 6], &size, &[50, 0, 0, 0]]);
            webp::write_chunk(&mut frame, *b"VP8L", &pixels);
            webp::write_chunk(&mut frame, *b"note", &canary("a chunk of a frame"));
            webp::write_chunk(&mut inner, *b"ANMF", &frame);
        }
    } else {
        webp::write_chunk(&mut inner, *b"VP8L", &pixels);
    }
    webp::write_chunk(&mut inner, *b"EXIF", &exif());
    webp::write_chunk(&mut inner, *b"XMP ", &xmp());
    webp::write_chunk(&mut inner, *b"note", &canary("an unknown chunk"));
    let mut out = webp::frame(&inner);
    out.extend(canary("bytes behind the frame"));
    out
}
