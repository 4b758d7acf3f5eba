//! AVIF: AV1 pictures in HEIF's container, one or a grid of them, with their opacity.

use heic_decoder::{AlphaPlane, ChromaSampling, ColorInfo, DecodedImage, Metadata};
use image::{DynamicImage, GenericImage, RgbImage};
use inframe_models::photo::Decoded;
use re_rav1d::dav1d::pixel::YUVRange;
use re_rav1d::dav1d::{Decoder, Error, Picture, PixelLayout, PlanarImageComponent, Settings};

use super::{broken, heif};
use crate::sandbox::container::heif::Heif;
use crate::sandbox::limits;
use crate::sandbox::refusal::Refusal;

/// What says that a picture is another one's opacity.
const ALPHA: &[u8] = b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha";

/// Width and height of the photo as stored.
pub(super) fn size(file: &Heif<'_>) -> Result<(u32, u32), Refusal> {
    let size = file.size(file.primary).ok_or_else(|| damaged("it does not say its size"))?;
    if size.0 == 0 || size.1 == 0 { Err(damaged("it has no pixels")) } else { Ok(size) }
}

/// Decodes as stored.
pub(super) fn decode(file: &Heif<'_>) -> Result<Decoded, Refusal> {
    let id = file.primary;
    let image = match file.kind(id).as_ref().map(<[u8; 4]>::as_slice) {
        Some(b"grid") => grid(file, id)?,
        Some(b"av01") => one(file, id)?,
        _ => return Err(Refusal::Unsupported("AVIF".to_string())),
    };
    if (image.width(), image.height()) != size(file)? {
        return Err(damaged("its size does not fit its pixels"));
    }
    let profile = file.profile(id).or_else(|| file.profile(*file.refers_to(id, b"dimg").first()?));
    Ok(Decoded { image, icc: profile.map(<[u8]>::to_vec) })
}

/// One picture, with its opacity if it has one.
fn one(file: &Heif<'_>, id: u32) -> Result<DynamicImage, Refusal> {
    let mut planes = planes(&picture(file, id)?, file.colours(id))?;
    let is_alpha = |id: &u32| {
        let kind = file.property(*id, b"auxC").and_then(|body| body.get(4..));
        kind.is_some_and(|kind| kind.starts_with(ALPHA)) && file.kind(*id) == Some(*b"av01")
    };
    if let Some(alpha) = file.about_primary(b"auxl").find(is_alpha).filter(|_| id == file.primary) {
        let alpha = self::planes(&picture(file, alpha)?, None)?;
        if (alpha.width, alpha.height) == (planes.width, planes.height) {
            let premultiplied = !file.refers_to(id, b"prem").is_empty();
            planes.alpha = Some(AlphaPlane { bit_depth: alpha.bit_depth_luma, samples: alpha.y, premultiplied });
        }
    }
    heif::pixels(&planes)
}

/// A photo in tiles: rows and columns, one less than there are, and the size of the whole.
fn grid(file: &Heif<'_>, id: u32) -> Result<DynamicImage, Refusal> {
    let bytes = file.bytes(id).map_err(broken)?;
    let (rows, columns, width, height) = match bytes.as_slice() {
        [_, flags, rows, columns, w0, w1, h0, h1] if flags & 1 == 0 => {
            (rows, columns, u16::from_be_bytes([*w0, *w1]).into(), u16::from_be_bytes([*h0, *h1]).into())
        }
        [_, _, rows, columns, w0, w1, w2, w3, h0, h1, h2, h3] => {
            (rows, columns, u32::from_be_bytes([*w0, *w1, *w2, *w3]), u32::from_be_bytes([*h0, *h1, *h2, *h3]))
        }
        _ => return Err(damaged("its tiles are not described")),
    };
    // The canvas is made only after its size was held against the limits.
    if (width, height) != size(file)? {
        return Err(damaged("its size does not fit its tiles"));
    }
    let (rows, columns) = (u32::from(*rows) + 1, u32::from(*columns) + 1);
    let tiles = file.refers_to(id, b"dimg");
    if u32::try_from(tiles.len()) != Ok(rows * columns) {
        return Err(damaged("tiles are missing"));
    }
    let mut canvas = RgbImage::new(width, height);
    let mut tile_size = None;
    for (at, tile) in (0..).zip(tiles) {
        let image = one(file, *tile)?.into_rgb8();
        let (w, h) = *tile_size.get_or_insert(image.dimensions());
        if image.dimensions() != (w, h) || w.saturating_mul(columns) < width || h.saturating_mul(rows) < height {
            return Err(damaged("a tile of a wrong size"));
        }
        let (x, y) = (at % columns * w, at / columns * h);
        if x >= width || y >= height {
            return Err(damaged("a tile outside the image"));
        }
        let part = image::imageops::crop_imm(&image, 0, 0, w.min(width - x), h.min(height - y)).to_image();
        canvas.copy_from(&part, x, y).map_err(|_| damaged("a tile outside the image"))?;
    }
    Ok(canvas.into())
}

/// The first picture of an item's AV1 stream.
fn picture(file: &Heif<'_>, id: u32) -> Result<Picture, Refusal> {
    let bytes = file.bytes(id).map_err(broken)?;
    let mut settings = Settings::new();
    settings.set_n_threads(1);
    settings.set_max_frame_delay(1);
    settings.set_frame_size_limit(u32::try_from(limits::MAX_HEIF_PIXELS).unwrap_or(u32::MAX));
    let mut decoder = Decoder::with_settings(&settings).map_err(|error| refusal(&error))?;
    match decoder.send_data(bytes, None, None, None) {
        Ok(()) | Err(Error::Again) => {}
        Err(error) => return Err(refusal(&error)),
    }
    decoder.get_picture().map_err(|error| refusal(&error))
}

fn refusal(error: &Error) -> Refusal {
    match error {
        Error::UnsupportedBitstream => Refusal::Unsupported("AVIF".to_string()),
        Error::NotEnoughMemory => Refusal::NeedsTooMuchMemory,
        Error::Again => Refusal::CutShort,
        _ => damaged("its pixels cannot be decoded"),
    }
}

fn damaged(what: &str) -> Refusal {
    Refusal::Damaged(what.to_string())
}

/// Brings a decoded picture into the form that the conversion to pixels takes. What the container says of the colours comes before what the stream
/// says.
fn planes(picture: &Picture, said: Option<([u16; 3], bool)>) -> Result<DecodedImage, Refusal> {
    let (width, height) = (picture.width(), picture.height());
    let (format, sub_x, sub_y) = match picture.pixel_layout() {
        PixelLayout::I400 => (0, 1, 1),
        PixelLayout::I420 => (1, 2, 2),
        PixelLayout::I422 => (2, 2, 1),
        PixelLayout::I444 => (3, 1, 1),
    };
    let depth = u32::try_from(picture.bit_depth()).unwrap_or(8);
    let chroma = if format == 0 { (0, 0) } else { (width.div_ceil(sub_x), height.div_ceil(sub_y)) };
    let plane = |which, size| samples(picture, which, size, depth);
    let ([primaries, transfer, matrix], full_range) = said.unwrap_or_else(|| {
        // The numbers are those of the stream; the names only wrap them.
        let of_stream = [
            picture.color_primaries() as u16,
            picture.transfer_characteristic() as u16,
            picture.matrix_coefficients() as u16,
        ];
        (of_stream, picture.color_range() == YUVRange::Full)
    });
    // Unsaid: what AVIF prescribes, which is BT.601 at full range.
    let matrix = if matrix == 2 { 6 } else { matrix };
    let size = |(width, height): (u32, u32)| (usize::try_from(width).ok(), usize::try_from(height).ok());
    let (Some(whole_width), Some(whole_height)) = size((width, height)) else {
        return Err(Refusal::NeedsTooMuchMemory);
    };
    let (Some(cb_width), Some(cb_height)) = size(chroma) else { return Err(Refusal::NeedsTooMuchMemory) };
    Ok(DecodedImage {
        alpha: None,
        width: whole_width,
        height: whole_height,
        bit_depth_luma: depth,
        bit_depth_chroma: depth,
        chroma_format_idc: format,
        color_info: Some(ColorInfo {
            color_primaries: primaries,
            transfer_characteristics: transfer,
            matrix_coefficients: matrix,
            full_range,
        }),
        chroma_sampling: ChromaSampling { sub_x, sub_y, origin_x: 0.0, origin_y: if sub_y == 2 { 0.5 } else { 0.0 } },
        y: plane(PlanarImageComponent::Y, (width, height))?,
        cb: plane(PlanarImageComponent::U, chroma)?,
        cr: plane(PlanarImageComponent::V, chroma)?,
        cb_width,
        cb_height,
        metadata: Metadata::default(),
    })
}

/// The samples of one plane without the padding of its rows.
fn samples(
    picture: &Picture,
    which: PlanarImageComponent,
    (width, height): (u32, u32),
    depth: u32,
) -> Result<Vec<i32>, Refusal> {
    let short = || damaged("its pixels are incomplete");
    let (Ok(width), Ok(height)) = (usize::try_from(width), usize::try_from(height)) else { return Err(short()) };
    let mut out = Vec::with_capacity(width * height);
    if width == 0 || height == 0 {
        return Ok(out);
    }
    let plane = picture.plane(which);
    let bytes: &[u8] = plane.as_ref();
    let stride = usize::try_from(picture.stride(which)).map_err(|_| short())?;
    let sample_bytes = if depth > 8 { 2 } else { 1 };
    for row in bytes.chunks(stride.max(1)).take(height) {
        let row = row.get(..width * sample_bytes).ok_or_else(short)?;
        if depth > 8 {
            out.extend(row.as_chunks().0.iter().map(|sample| i32::from(u16::from_ne_bytes(*sample))));
        } else {
            out.extend(row.iter().map(|sample| i32::from(*sample)));
        }
    }
    if out.len() == width * height { Ok(out) } else { Err(short()) }
}
