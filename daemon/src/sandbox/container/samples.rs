//! Raw and HEIF files built byte by byte as the makers build them, with a preview, a lossless raw image beside it, and words planted that must not
//! leave; for tests.

use super::bmff;
use super::jpeg;
use super::raw::RawKind;

/// Part of every planted text: where it turns up, something has leaked.
pub(crate) const CANARY: &str = "CANARY";

/// A TIFF structure that is written from its leaves to its root.
pub(crate) struct Writer {
    out: Vec<u8>,
    is_big_endian: bool,
}

/// Tag, type, value in the byte order of the file.
pub(crate) type Entry = (u16, u16, Vec<u8>);

impl Writer {
    /// Begins with byte order and magic number; the offset of the root comes with [`Self::finish`].
    pub(crate) fn new(is_big_endian: bool, magic: [u8; 2], more: &[u8]) -> Self {
        let order = if is_big_endian { b"MM" } else { b"II" };
        Self { out: [order, &magic[..], &[0; 4], more].concat(), is_big_endian }
    }

    pub(crate) fn long(&self, value: u32) -> Vec<u8> {
        if self.is_big_endian { value.to_be_bytes().to_vec() } else { value.to_le_bytes().to_vec() }
    }

    pub(crate) fn short(&self, value: u16) -> Vec<u8> {
        if self.is_big_endian { value.to_be_bytes().to_vec() } else { value.to_le_bytes().to_vec() }
    }

    /// Puts bytes down; gives their offset.
    pub(crate) fn blob(&mut self, bytes: &[u8]) -> u32 {
        self.out.resize(self.out.len().next_multiple_of(2), 0);
        let at = self.out.len();
        self.out.extend_from_slice(bytes);
        u32::try_from(at).unwrap()
    }

    /// Puts a directory down; gives its offset.
    pub(crate) fn directory(&mut self, entries: &[Entry], next: u32) -> u32 {
        let fields: Vec<Vec<u8>> = entries
            .iter()
            .map(|(_, _, value)| {
                if value.len() > 4 {
                    let at = self.blob(value);
                    return self.long(at);
                }
                [value.as_slice(), &vec![0; 4 - value.len()]].concat()
            })
            .collect();
        let mut body = self.short(u16::try_from(entries.len()).unwrap());
        for ((tag, kind, value), field) in entries.iter().zip(fields) {
            let size = [0, 1, 1, 2, 4, 8, 1, 1][usize::from(*kind)];
            body.extend(self.short(*tag));
            body.extend(self.short(*kind));
            body.extend(self.long(u32::try_from(value.len() / size).unwrap()));
            body.extend(field);
        }
        body.extend(self.long(next));
        self.blob(&body)
    }

    pub(crate) fn finish(mut self, root: u32) -> Vec<u8> {
        let root = self.long(root);
        self.out[4..8].copy_from_slice(&root);
        self.out
    }
}

fn text(tag: u16, words: &str) -> Entry {
    (tag, 2, [words.as_bytes(), &[0]].concat())
}

/// A JPEG that cameras use for raw pixels: lossless, larger than the preview.
fn lossless() -> Vec<u8> {
    let mut out = vec![0xff, 0xd8];
    jpeg::write_segment(&mut out, 0xc3, &[14, 0x10, 0, 0x20, 0, 1, 1, 0x11, 0], &[]);
    jpeg::write_segment(&mut out, jpeg::SOS, &[1, 1, 0, 1, 0, 0], b"CANARY pixels");
    out.extend([0xff, 0xd9]);
    out
}

/// The preview with a note that must not leave.
pub(crate) fn with_comment(preview: &[u8]) -> Vec<u8> {
    let mut comment = Vec::new();
    jpeg::write_segment(&mut comment, jpeg::COM, b"CANARY in a comment of the preview", &[]);
    [&preview[..2], &comment, &preview[2..]].concat()
}

/// Camera, time, position and owner; turned by 90 degrees.
fn facts(writer: &mut Writer, maker: &str) -> Vec<Entry> {
    let long = |writer: &Writer, value| writer.long(value);
    let note = b"CANARY in the maker's notes".to_vec();
    let detail = vec![
        text(0x9003, "2023:07:08 21:30:15"),
        text(0x9011, "+02:00"),
        (0x927c, 7, note),
        text(0xa431, "CANARY serial number"),
    ];
    let detail = writer.directory(&detail, 0);
    let degrees: Vec<u8> = [48, 1, 51, 1, 0, 1].into_iter().flat_map(|n| long(writer, n)).collect();
    let place = writer.directory(&[(0x0002, 5, degrees.clone()), (0x0004, 5, degrees)], 0);
    vec![
        text(0x010f, maker),
        text(0x0110, "Camera One"),
        (0x0112, 3, writer.short(6)),
        text(0x013b, "CANARY, an artist"),
        (0x8769, 4, writer.long(detail)),
        (0x8825, 4, writer.long(place)),
    ]
}

/// A JPEG of a directory by offset and length, in the old way or as the only strip.
fn pointed(writer: &Writer, at: u32, len: usize, as_strip: bool) -> [Entry; 2] {
    let (offset, length) = if as_strip { (0x0111, 0x0117) } else { (0x0201, 0x0202) };
    [(offset, 4, writer.long(at)), (length, 4, writer.long(u32::try_from(len).unwrap()))]
}

/// A raw file of a kind around `preview`. Each says `facts`, but Fujifilm's, which leaves that to its JPEG.
pub(crate) fn raw_file(kind: RawKind, preview: &[u8]) -> Vec<u8> {
    let preview = with_comment(preview);
    let raw = lossless();
    match kind {
        RawKind::Raf => {
            let mut out = b"FUJIFILMCCD-RAW 0201FF000000Camera One".to_vec();
            out.resize(84, 0);
            out.extend(160u32.to_be_bytes());
            out.extend(u32::try_from(preview.len()).unwrap().to_be_bytes());
            out.resize(160, 0);
            [&out, &preview[..], b"CANARY raw pixels"].concat()
        }
        RawKind::Cr3 => cr3(&preview),
        RawKind::Rw2 => {
            let mut writer = Writer::new(false, [0x55, 0], &[]);
            let mut main = facts(&mut writer, "Panasonic");
            main.insert(0, (0x002e, 7, preview));
            let root = writer.directory(&main, 0);
            writer.finish(root)
        }
        RawKind::Orf => orf(&preview),
        RawKind::Cr2 => {
            let mut writer = Writer::new(false, [42, 0], b"CR\x02\0\0\0\0\0");
            let (at, raw_at) = (writer.blob(&preview), writer.blob(&raw));
            let mut unshown = vec![(0x0103, 3, writer.short(6))];
            unshown.extend(pointed(&writer, raw_at, raw.len(), true));
            let last = writer.directory(&unshown, 0);
            let mut main = facts(&mut writer, "Canon");
            main.push((0x0103, 3, writer.short(6)));
            main.extend(pointed(&writer, at, preview.len(), true));
            let root = writer.directory(&main, last);
            writer.finish(root)
        }
        RawKind::Nef | RawKind::Arw | RawKind::Dng | RawKind::Other => {
            let mut writer =
                Writer::new(kind == RawKind::Nef, if kind == RawKind::Nef { [0, 42] } else { [42, 0] }, &[]);
            let (at, raw_at) = (writer.blob(&preview), writer.blob(&raw));
            let mut shown = vec![(0x0103, 3, writer.short(7))];
            shown.extend(pointed(&writer, at, preview.len(), kind == RawKind::Dng));
            let mut unshown = vec![(0x0103, 3, writer.short(7)), (0x0106, 3, writer.short(32803))];
            unshown.extend(pointed(&writer, raw_at, raw.len(), true));
            let subs = [writer.directory(&shown, 0), writer.directory(&unshown, 0)];
            let maker = match kind {
                RawKind::Nef => "NIKON CORPORATION",
                RawKind::Arw => "SONY",
                _ => "PENTAX",
            };
            let mut main = facts(&mut writer, maker);
            main.push((0x014a, 4, subs.into_iter().flat_map(|at| writer.long(at)).collect()));
            if kind == RawKind::Dng {
                main.push((0xc612, 1, vec![1, 4, 0, 0]));
            }
            let root = writer.directory(&main, 0);
            writer.finish(root)
        }
    }
}

/// Olympus: the preview is named in the camera settings inside the maker's notes, whose offsets count from the notes.
fn orf(preview: &[u8]) -> Vec<u8> {
    let mut notes = Writer::new(false, [0, 0], b"\0\0\0\0");
    notes.out = b"OLYMPUS\0II\x03\0".to_vec();
    // One directory of one entry comes first, 18 bytes; then the settings with two, 30 bytes; then the preview.
    let (settings_at, preview_at) = (12 + 18, 12 + 18 + 30);
    let main = notes.directory(&[(0x2020, 4, settings_at_bytes(settings_at))], 0);
    let length = u32::try_from(preview.len()).unwrap();
    let settings =
        notes.directory(&[(0x0101, 4, settings_at_bytes(preview_at)), (0x0102, 4, settings_at_bytes(length))], 0);
    let put = notes.blob(preview);
    assert_eq!((main, settings, put), (12, settings_at, preview_at));
    let mut writer = Writer::new(false, *b"RO", &[]);
    let detail = [text(0x9003, "2023:07:08 21:30:15"), text(0x9011, "+02:00"), (0x927c, 7, notes.out)];
    let detail = writer.directory(&detail, 0);
    let mut main = facts(&mut writer, "OLYMPUS IMAGING CORP.");
    main.retain(|entry| entry.0 != 0x8769);
    main.push((0x8769, 4, writer.long(detail)));
    let root = writer.directory(&main, 0);
    writer.finish(root)
}

fn settings_at_bytes(at: u32) -> Vec<u8> {
    at.to_le_bytes().to_vec()
}

/// A box of these boxes.
pub(crate) fn boxed(kind: &[u8; 4], parts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    bmff::write(&mut out, kind, &parts.concat());
    out
}

/// Canon's newer format: facts in boxes, the preview as the only sample of a track.
fn cr3(preview: &[u8]) -> Vec<u8> {
    let mut writer = Writer::new(false, [42, 0], &[]);
    let mut main = facts(&mut writer, "Canon");
    main.retain(|entry| entry.0 < 0x8000);
    let root = writer.directory(&main, 0);
    let main = writer.finish(root);
    let mut writer = Writer::new(false, [42, 0], &[]);
    let root = writer.directory(&[text(0x9003, "2023:07:08 21:30:15"), text(0x9011, "+02:00")], 0);
    let detail = writer.finish(root);
    let mut writer = Writer::new(false, [42, 0], &[]);
    let degrees: Vec<u8> = [48, 1, 51, 1, 0, 1].into_iter().flat_map(u32::to_le_bytes).collect();
    let root = writer.directory(&[(0x0002, 5, degrees)], 0);
    let place = writer.finish(root);
    let canon = boxed(
        b"uuid",
        &[
            b"\x85\xc0\xb6\x87\x82\x0f\x11\xe0\x81\x11\xf4\xce\x46\x2b\x6a\x48",
            &boxed(b"CMT1", &[&main]),
            &boxed(b"CMT2", &[&detail]),
            &boxed(b"CMT3", &[b"CANARY in the maker's notes"]),
            &boxed(b"CMT4", &[&place]),
        ],
    );
    let start = boxed(b"ftyp", &[b"crx \0\0\0\x01crx isom"]);
    let build = |offset: u32| {
        let len = u32::try_from(preview.len()).unwrap();
        let sizes = boxed(b"stsz", &[&[0; 4], &len.to_be_bytes(), &1u32.to_be_bytes()]);
        let place = boxed(b"co64", &[&[0; 4], &1u32.to_be_bytes(), &u64::from(offset).to_be_bytes()]);
        let track = boxed(b"trak", &[&boxed(b"mdia", &[&boxed(b"minf", &[&boxed(b"stbl", &[&sizes, &place])])])]);
        [start.clone(), boxed(b"moov", &[&canon, &track])].concat()
    };
    let offset = u32::try_from(build(0).len() + 8).unwrap();
    [build(offset), boxed(b"mdat", &[preview, b"CANARY raw pixels"])].concat()
}

/// An AVIF of four tiles, two by two, each the picture of `file` (an AVIF of one picture), which is `size`.
pub(crate) fn avif_grid(av1c: &[u8], coded: &[u8], (width, height): (u32, u32)) -> Vec<u8> {
    let item = |id: u16, kind: &[u8; 4]| boxed(b"infe", &[&[2, 0, 0, 0], &id.to_be_bytes(), &[0, 0], kind, &[0]]);
    let size = |width: u32, height: u32| boxed(b"ispe", &[&[0; 4], &width.to_be_bytes(), &height.to_be_bytes()]);
    let properties = boxed(b"ipco", &[&boxed(b"av1C", &[av1c]), &size(width, height), &size(2 * width, 2 * height)]);
    let mut of_items = vec![0, 0, 0, 0, 0, 0, 0, 5, 0, 1, 1, 3];
    for id in 2..=5 {
        of_items.extend([0, id, 2, 1, 2]);
    }
    let grid =
        [&[0, 0, 1, 1][..], &[2 * width, 2 * height].map(|px| u16::try_from(px).unwrap().to_be_bytes()).concat()];
    let start = boxed(b"ftyp", &[b"avif\0\0\0\0avifmif1"]);
    let build = |offset: u32| {
        // Version 1, four bytes for offsets and lengths, none for bases and indices.
        let mut places = vec![1, 0, 0, 0, 0x44, 0, 0, 5];
        let mut place = |id: u16, method: u16, offset: u32, len: usize| {
            places.extend([id, method, 0, 1].map(u16::to_be_bytes).concat());
            places.extend(offset.to_be_bytes());
            places.extend(u32::try_from(len).unwrap().to_be_bytes());
        };
        place(1, 1, 0, 8);
        (2..=5).for_each(|id| place(id, 0, offset, coded.len()));
        let items = [item(1, b"grid"), item(2, b"av01"), item(3, b"av01"), item(4, b"av01"), item(5, b"av01")].concat();
        let tiles = [1u16, 4, 2, 3, 4, 5].map(u16::to_be_bytes).concat();
        let meta = boxed(
            b"meta",
            &[
                &[0; 4],
                &boxed(b"pitm", &[&[0; 4], &[0, 1]]),
                &boxed(b"iinf", &[&[0; 4], &[0, 5], &items]),
                &boxed(b"iref", &[&[0; 4], &boxed(b"dimg", &[&tiles])]),
                &boxed(b"iprp", &[&properties, &boxed(b"ipma", &[&of_items])]),
                &boxed(b"idat", &[&grid.concat()]),
                &boxed(b"iloc", &[&places]),
            ],
        );
        [start.clone(), meta].concat()
    };
    let offset = u32::try_from(build(0).len() + 8).unwrap();
    [build(offset), boxed(b"mdat", &[coded])].concat()
}
