//! Finds the EXIF block and XMP packets of a file, without reading what is in them, and the orientation.

use std::borrow::Cow;

use image::metadata::Orientation;

use super::heif::Heif;
use super::tiff::{self, Tiff, tag};
use super::{ContainerError, Format, gif, jpeg, png, raw, webp};

/// Where a file keeps what it says about itself.
#[derive(Default)]
pub struct Metadata<'a> {
    /// The EXIF block, from its byte-order mark on. Where a file has several, the first one counts. Of TIFF and raw files, whose directories are
    /// spread over the file, a digest.
    pub exif: Option<Cow<'a, [u8]>>,
    /// XMP packets.
    pub xmp: Vec<&'a [u8]>,
    /// How to turn the image, where the container says so itself, which then comes before EXIF's word.
    pub turn: Option<Orientation>,
}

impl<'a> Metadata<'a> {
    /// Walks the whole structure of `bytes`, so it also tells whether the file is complete.
    ///
    /// # Errors
    /// When the file is cut short or its structure is damaged.
    pub fn find(bytes: &'a [u8], format: Format) -> Result<Self, ContainerError> {
        let mut found = Self::default();
        match format {
            Format::Jpeg => {
                for segment in jpeg::segments(bytes)? {
                    if segment.marker == jpeg::APP1 {
                        found.note_app1(segment.body);
                    }
                }
            }
            Format::Png => {
                for chunk in png::chunks(bytes)? {
                    match &chunk.kind {
                        b"eXIf" => found.note_exif(chunk.body),
                        b"iTXt" if chunk.body.starts_with(b"XML:com.adobe.xmp\0") => found.xmp.push(chunk.body),
                        _ => {}
                    }
                }
            }
            Format::WebP => {
                for chunk in webp::chunks(bytes)? {
                    match &chunk.kind {
                        b"EXIF" => found.note_exif(chunk.body),
                        b"XMP " => found.xmp.push(chunk.body),
                        _ => {}
                    }
                }
            }
            Format::Gif => {
                gif::blocks(bytes)?;
            }
            Format::Bmp => {}
            Format::Tiff => found.note_tiff(bytes)?,
            Format::Avif | Format::Heif => {
                let heif = Heif::open(bytes)?;
                found.turn = Some(heif.orientation());
                found.xmp = heif.xmp();
                if let Some(exif) = heif.exif() {
                    found.note_exif(exif);
                }
            }
            Format::Raw(kind) => {
                let preview = raw::preview(bytes, kind)?;
                found = Self::find(preview.jpeg, Format::Jpeg)?;
                // What the raw file says itself comes first; often its preview says nothing, not even how to turn it.
                if !preview.exif.is_empty() {
                    found.exif = Some(Cow::Owned(preview.exif));
                }
            }
        }
        Ok(found)
    }

    fn note_tiff(&mut self, bytes: &'a [u8]) -> Result<(), ContainerError> {
        let tiff = Tiff::open(bytes, &[42])?;
        let main = tiff.directory(tiff.first)?;
        let named = |tag| main.number(tag).and_then(|offset| tiff.directory(offset).ok());
        self.exif = Some(Cow::Owned(tiff::digest(&main, named(tag::EXIF).as_ref(), named(tag::GPS).as_ref())));
        self.xmp.extend(main.get(tag::XMP).map(|entry| entry.value));
        Ok(())
    }

    /// Notes an APP1 segment of a JPEG.
    fn note_app1(&mut self, body: &'a [u8]) {
        if body.starts_with(jpeg::EXIF_PREFIX) {
            self.note_exif(body);
        } else if body.starts_with(jpeg::XMP_PREFIX) || body.starts_with(jpeg::XMP_EXTENSION_PREFIX) {
            self.xmp.push(body);
        }
    }

    /// PNG and WebP files sometimes carry JPEG's prefix too.
    fn note_exif(&mut self, body: &'a [u8]) {
        self.exif.get_or_insert(Cow::Borrowed(body.strip_prefix(jpeg::EXIF_PREFIX).unwrap_or(body)));
    }

    /// How the stored pixels must be turned to stand upright; "as they are" when nothing valid is said.
    #[must_use]
    pub fn orientation(&self) -> Orientation {
        let said = || self.exif.as_deref().and_then(Orientation::from_exif_chunk);
        self.turn.or_else(said).unwrap_or(Orientation::NoTransforms)
    }
}

/// The smallest EXIF block that says an orientation, and nothing else.
#[must_use]
pub fn minimal_exif(orientation: Orientation) -> Vec<u8> {
    let mut out = Vec::with_capacity(26);
    out.extend_from_slice(b"MM\0\x2a\0\0\0\x08"); // big-endian TIFF, first directory at byte 8
    out.extend_from_slice(&[0, 1]); // one entry:
    out.extend_from_slice(&[0x01, 0x12, 0, 3, 0, 0, 0, 1]); // orientation, of type SHORT, one of it
    out.extend_from_slice(&[0, orientation.to_exif(), 0, 0]); // left-justified value
    out.extend_from_slice(&[0, 0, 0, 0]); // no further directory
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minimal_exif_says_each_orientation() {
        for value in 1..=8 {
            let orientation = Orientation::from_exif(value).unwrap();
            let block = minimal_exif(orientation);
            assert_eq!(Orientation::from_exif_chunk(&block), Some(orientation));
            assert_eq!(block.len(), 26);
        }
    }
}
