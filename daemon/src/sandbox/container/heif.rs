//! HEIF's items: which of them is the photo, where its bytes lie, how it is to be turned, and what is said of it. HEIC and AVIF are made of these.

use image::metadata::Orientation;

use super::bmff::{self, Piece};
use super::{ContainerError, Cursor};
use crate::sandbox::limits;

/// The description of a file, over the file's bytes.
#[derive(Clone, Debug)]
pub struct Heif<'a> {
    file: &'a [u8],
    /// Bytes of items that lie in the description itself.
    data: &'a [u8],
    /// The item that is the photo.
    pub primary: u32,
    items: Vec<Item>,
    properties: Vec<Piece<'a>>,
    references: Vec<Reference>,
}

/// One item.
#[derive(Clone, Debug, Default)]
struct Item {
    id: u32,
    kind: [u8; 4],
    /// Whether its extents count from the start of [`Heif::data`].
    in_data: bool,
    /// Offset and length of the pieces that it lies in; a length of 0 is up to the end.
    extents: Vec<(u64, u64)>,
    /// Its properties, as indices.
    properties: Vec<usize>,
}

#[derive(Clone, Debug)]
struct Reference {
    kind: [u8; 4],
    from: u32,
    to: Vec<u32>,
}

impl<'a> Heif<'a> {
    /// Reads the description.
    ///
    /// # Errors
    /// `CutShort` when the file ends before it or before an item's bytes, `Malformed` when it contradicts itself.
    pub fn open(file: &'a [u8]) -> Result<Self, ContainerError> {
        let top = bmff::pieces(file)?;
        let meta = bmff::first(&top, b"meta").ok_or(ContainerError::Malformed("no description of its images"))?;
        let meta = bmff::pieces(bmff::versioned(meta)?.2)?;
        let must =
            |kind| bmff::first(&meta, kind).ok_or(ContainerError::Malformed("a part of the description is missing"));
        let (version, _, body) = bmff::versioned(must(b"pitm")?)?;
        let primary = id(&mut Cursor::new(body), version > 0)?;
        let properties = bmff::pieces(must(b"iprp")?)?;
        let mut heif = Self {
            file,
            data: bmff::first(&meta, b"idat").unwrap_or_default(),
            primary,
            items: items(must(b"iinf")?)?,
            properties: bmff::first(&properties, b"ipco").map(bmff::pieces).transpose()?.unwrap_or_default(),
            references: bmff::first(&meta, b"iref").map(references).transpose()?.unwrap_or_default(),
        };
        heif.locate(must(b"iloc")?)?;
        for piece in properties.iter().filter(|piece| &piece.kind == b"ipma") {
            heif.associate(piece.body)?;
        }
        for item in &heif.items {
            heif.check(item)?;
        }
        Ok(heif)
    }

    fn item(&self, id: u32) -> Option<&Item> {
        self.items.iter().find(|item| item.id == id)
    }

    /// Four letters that say what an item is.
    #[must_use]
    pub fn kind(&self, id: u32) -> Option<[u8; 4]> {
        self.item(id).map(|item| item.kind)
    }

    /// Notes where each item lies.
    fn locate(&mut self, body: &[u8]) -> Result<(), ContainerError> {
        let (version, _, body) = bmff::versioned(body)?;
        let mut cursor = Cursor::new(body);
        let [sizes, more] = cursor.array()?;
        let (offset_size, length_size) = (sizes >> 4, sizes & 15);
        let (base_size, index_size) = (more >> 4, if version > 0 { more & 15 } else { 0 });
        for _ in 0..id(&mut cursor, version > 1)? {
            let item_id = id(&mut cursor, version > 1)?;
            let method = if version > 0 { u16::from_be_bytes(cursor.array()?) & 15 } else { 0 };
            // Another file, which there is none of.
            let elsewhere = u16::from_be_bytes(cursor.array()?) != 0;
            let base = number(&mut cursor, base_size)?;
            let count = u16::from_be_bytes(cursor.array()?);
            if usize::from(count) > limits::MAX_HEIF_EXTENTS {
                return Err(ContainerError::Malformed("an image in too many pieces"));
            }
            let mut extents = Vec::with_capacity(count.into());
            for _ in 0..count {
                number(&mut cursor, index_size)?;
                let offset = number(&mut cursor, offset_size)?;
                extents.push((base.saturating_add(offset), number(&mut cursor, length_size)?));
            }
            if let Some(item) = self.items.iter_mut().find(|item| item.id == item_id)
                && method < 2
                && !elsewhere
            {
                (item.in_data, item.extents) = (method == 1, extents);
            }
        }
        Ok(())
    }

    /// Notes which properties belong to which item.
    fn associate(&mut self, body: &[u8]) -> Result<(), ContainerError> {
        let (version, flags, body) = bmff::versioned(body)?;
        let mut cursor = Cursor::new(body);
        for _ in 0..u32::from_be_bytes(cursor.array()?) {
            let item_id = id(&mut cursor, version > 0)?;
            let [count] = cursor.array()?;
            let mut indices = Vec::with_capacity(count.into());
            for _ in 0..count {
                // The highest bit says that a reader must know the property; the rest counts from 1.
                let index = if flags & 1 == 1 {
                    u16::from_be_bytes(cursor.array()?) & 0x7fff
                } else {
                    (cursor.array::<1>()?[0] & 0x7f).into()
                };
                indices.extend(usize::from(index).checked_sub(1));
            }
            if let Some(item) = self.items.iter_mut().find(|item| item.id == item_id) {
                item.properties.extend(indices);
            }
        }
        Ok(())
    }

    /// Whether an item's bytes are there.
    fn check(&self, item: &Item) -> Result<(), ContainerError> {
        item.extents.iter().try_for_each(|extent| self.extent(item, *extent).map(|_| ()))
    }

    fn extent(&self, item: &Item, (offset, len): (u64, u64)) -> Result<&'a [u8], ContainerError> {
        let from = if item.in_data { self.data } else { self.file };
        let rest =
            usize::try_from(offset).ok().and_then(|offset| from.get(offset..)).ok_or(ContainerError::CutShort)?;
        if len == 0 {
            return Ok(rest);
        }
        usize::try_from(len).ok().and_then(|len| rest.get(..len)).ok_or(ContainerError::CutShort)
    }

    /// An item's bytes; at most as many as the file has, so that pieces that name the same bytes over and over are no bomb.
    ///
    /// # Errors
    /// `Malformed` when there is no such item with bytes of its own.
    pub fn bytes(&self, id: u32) -> Result<Vec<u8>, ContainerError> {
        let missing = ContainerError::Malformed("an image without bytes");
        let item = self.item(id).filter(|item| !item.extents.is_empty()).ok_or(missing)?;
        let mut out = Vec::new();
        for extent in &item.extents {
            out.extend_from_slice(self.extent(item, *extent)?);
            if out.len() > self.file.len() {
                return Err(ContainerError::Malformed("pieces of an image overlap"));
            }
        }
        Ok(out)
    }

    /// The first piece of an item, where one is all there is.
    fn slice(&self, id: u32) -> Option<&'a [u8]> {
        let item = self.item(id)?;
        match item.extents.as_slice() {
            [one] => self.extent(item, *one).ok(),
            _ => None,
        }
    }

    /// The body of an item's first property of a kind.
    #[must_use]
    pub fn property(&self, id: u32, kind: &[u8; 4]) -> Option<&'a [u8]> {
        let all = self.item(id)?.properties.iter();
        all.filter_map(|index| self.properties.get(*index)).find(|piece| &piece.kind == kind).map(|piece| piece.body)
    }

    /// Width and height of an item as stored, in pixels.
    #[must_use]
    pub fn size(&self, id: u32) -> Option<(u32, u32)> {
        let (_, _, body) = bmff::versioned(self.property(id, b"ispe")?).ok()?;
        let mut cursor = Cursor::new(body);
        Some((u32::from_be_bytes(cursor.array().ok()?), u32::from_be_bytes(cursor.array().ok()?)))
    }

    /// How the photo is to be turned, by its own properties, which come before EXIF's word.
    #[must_use]
    pub fn orientation(&self) -> Orientation {
        // Quarter turns against the clock, then a mirror: 0 for top to bottom, 1 for left to right.
        let turns = self.property(self.primary, b"irot").and_then(<[u8]>::first).map_or(0, |turns| turns & 3);
        let mirror = self.property(self.primary, b"imir").and_then(<[u8]>::first).map(|axis| axis & 1);
        match (turns, mirror) {
            (0, None) => Orientation::NoTransforms,
            (1, None) => Orientation::Rotate270,
            (2, None) => Orientation::Rotate180,
            (_, None) => Orientation::Rotate90,
            (0, Some(0)) | (2, Some(1)) => Orientation::FlipVertical,
            (0, Some(_)) | (2, Some(_)) => Orientation::FlipHorizontal,
            (1, Some(0)) | (3, Some(1)) => Orientation::Rotate90FlipH,
            (_, Some(_)) => Orientation::Rotate270FlipH,
        }
    }

    /// Items that `id` is made of or refers to, by the kind of reference.
    #[must_use]
    pub fn refers_to(&self, id: u32, kind: &[u8; 4]) -> &[u32] {
        let found = self.references.iter().find(|reference| reference.from == id && &reference.kind == kind);
        found.map(|reference| reference.to.as_slice()).unwrap_or_default()
    }

    /// Items of a kind that refer to the photo.
    pub fn about_primary<'b>(&'b self, reference: &'b [u8; 4]) -> impl Iterator<Item = u32> + 'b {
        let all = self.references.iter();
        all.filter(move |found| &found.kind == reference && found.to.contains(&self.primary)).map(|found| found.from)
    }

    /// The photo's EXIF block, from its byte-order mark on.
    #[must_use]
    pub fn exif(&self) -> Option<&'a [u8]> {
        let id = self.about_primary(b"cdsc").find(|id| self.kind(*id) == Some(*b"Exif"))?;
        // A count of bytes that come before the block.
        let (skip, rest) = self.slice(id)?.split_first_chunk::<4>()?;
        rest.get(usize::try_from(u32::from_be_bytes(*skip)).ok()?..)
    }

    /// The photo's XMP packets (and whatever else is text about it).
    #[must_use]
    pub fn xmp(&self) -> Vec<&'a [u8]> {
        let texts = self.about_primary(b"cdsc").filter(|id| self.kind(*id) == Some(*b"mime"));
        texts.filter_map(|id| self.slice(id)).collect()
    }

    /// The colour profile of an item.
    #[must_use]
    pub fn profile(&self, id: u32) -> Option<&'a [u8]> {
        let all = self.item(id)?.properties.iter().filter_map(|index| self.properties.get(*index));
        all.filter(|piece| &piece.kind == b"colr")
            .find_map(|piece| piece.body.strip_prefix(b"prof").or(piece.body.strip_prefix(b"rICC")))
    }

    /// Primaries, transfer, matrix and whether the range is full, where the file says so.
    #[must_use]
    pub fn colours(&self, id: u32) -> Option<([u16; 3], bool)> {
        let all = self.item(id)?.properties.iter().filter_map(|index| self.properties.get(*index));
        let body = all.filter(|piece| &piece.kind == b"colr").find_map(|piece| piece.body.strip_prefix(b"nclx"))?;
        let (&[a, b, c, d, e, f, range], _) = body.split_first_chunk::<7>()?;
        Some(([[a, b], [c, d], [e, f]].map(u16::from_be_bytes), range & 0x80 != 0))
    }
}

/// An id or a count: 16 bits, or 32 in later versions.
fn id(cursor: &mut Cursor<'_>, is_wide: bool) -> Result<u32, ContainerError> {
    if is_wide { cursor.array().map(u32::from_be_bytes) } else { cursor.array().map(|b| u16::from_be_bytes(b).into()) }
}

/// A number of 0, 4 or 8 bytes.
fn number(cursor: &mut Cursor<'_>, size: u8) -> Result<u64, ContainerError> {
    match size {
        0 => Ok(0),
        4 => Ok(u32::from_be_bytes(cursor.array()?).into()),
        8 => cursor.array().map(u64::from_be_bytes),
        _ => Err(ContainerError::Malformed("a number of a wrong size")),
    }
}

fn items(body: &[u8]) -> Result<Vec<Item>, ContainerError> {
    let (version, _, body) = bmff::versioned(body)?;
    let mut cursor = Cursor::new(body);
    id(&mut cursor, version > 0)?;
    let entries = bmff::pieces(cursor.rest())?;
    if entries.len() > limits::MAX_HEIF_ITEMS {
        return Err(ContainerError::Malformed("too many images"));
    }
    let mut found = Vec::with_capacity(entries.len());
    for entry in entries.iter().filter(|entry| &entry.kind == b"infe") {
        let (version, _, body) = bmff::versioned(entry.body)?;
        let mut cursor = Cursor::new(body);
        let item_id = id(&mut cursor, version > 2)?;
        cursor.take(2)?;
        // Before version 2 an entry had a name and no kind.
        let kind = if version >= 2 { cursor.array()? } else { [0; 4] };
        found.push(Item { id: item_id, kind, ..Item::default() });
    }
    Ok(found)
}

fn references(body: &[u8]) -> Result<Vec<Reference>, ContainerError> {
    let (version, _, body) = bmff::versioned(body)?;
    let mut found = Vec::new();
    for piece in bmff::pieces(body)?.into_iter().take(limits::MAX_HEIF_ITEMS) {
        let mut cursor = Cursor::new(piece.body);
        let from = id(&mut cursor, version > 0)?;
        let count = u16::from_be_bytes(cursor.array()?);
        let to = (0..count).map(|_| id(&mut cursor, version > 0)).collect::<Result<_, _>>()?;
        found.push(Reference { kind: piece.kind, from, to });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use image::{DynamicImage, GrayImage, Luma};

    use super::*;
    use crate::sandbox::container::samples::boxed;

    fn turned(properties: &[&[u8]]) -> Orientation {
        let indices: Vec<u8> = (1..=u8::try_from(properties.len()).unwrap()).collect();
        let of_item = [&[0, 0, 0, 0, 0, 0, 0, 1, 0, 1][..], &[u8::try_from(indices.len()).unwrap()], &indices].concat();
        let meta = boxed(
            b"meta",
            &[
                &[0; 4],
                &boxed(b"pitm", &[&[0; 4], &[0, 1]]),
                &boxed(b"iinf", &[&[0; 4], &[0, 1], &boxed(b"infe", &[b"\x02\0\0\0\0\x01\0\0av01\0"])]),
                &boxed(b"iprp", &[&boxed(b"ipco", properties), &boxed(b"ipma", &[&of_item])]),
                &boxed(b"iloc", &[&[0, 0, 0, 0, 0, 0, 0, 0]]),
            ],
        );
        Heif::open(&meta).unwrap().orientation()
    }

    #[test]
    fn turns_and_mirrors_are_one_orientation() {
        let picture = DynamicImage::from(GrayImage::from_fn(3, 2, |x, y| Luma([(x + 10 * y) as u8])));
        for turns in 0..4u8 {
            for axis in [None, Some(0u8), Some(1)] {
                let mut should = picture.clone();
                for _ in 0..turns {
                    should = should.rotate270();
                }
                should = match axis {
                    None => should,
                    Some(0) => should.flipv(),
                    Some(_) => should.fliph(),
                };
                let (turn, mirror) = (boxed(b"irot", &[&[turns]]), boxed(b"imir", &[&[axis.unwrap_or(0)]]));
                let properties = [&turn[..], &mirror];
                let orientation = turned(&properties[..1 + usize::from(axis.is_some())]);
                let mut is = picture.clone();
                is.apply_orientation(orientation);
                assert_eq!(is, should, "{turns} turns, mirror {axis:?}");
            }
        }
    }

    #[test]
    fn d7_pieces_that_name_the_same_bytes_over_and_over_are_no_bomb() {
        let extents: Vec<u8> = (0..64).flat_map(|_| [0, 0, 0, 0, 0, 0, 1, 0]).collect();
        let places = [&[0, 0, 0, 0, 0x44, 0, 0, 1, 0, 1, 0, 0, 0, 64][..], &extents].concat();
        let meta = boxed(
            b"meta",
            &[
                &[0; 4],
                &boxed(b"pitm", &[&[0; 4], &[0, 1]]),
                &boxed(b"iinf", &[&[0; 4], &[0, 1], &boxed(b"infe", &[b"\x02\0\0\0\0\x01\0\0av01\0"])]),
                &boxed(b"iprp", &[]),
                &boxed(b"iloc", &[&places]),
            ],
        );
        let heif = Heif::open(&meta).unwrap();
        assert_eq!(heif.bytes(1), Err(ContainerError::Malformed("pieces of an image overlap")));
    }
}
