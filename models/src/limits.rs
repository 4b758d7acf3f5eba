//! Every bound of this crate with its unit and reason (D7).

/// Faces reported of one photo. A group photo has a few dozen; above that the time per photo would be a stranger's to choose.
pub const MAX_FACES: usize = 100;

/// Boxes that enter the suppression of overlaps, best scores first. It compares in pairs, so this bounds it to half a million comparisons.
pub const MAX_CANDIDATES: usize = 1000;

/// Looks at parts of one photo in search of small faces, each about a tenth of a second. Six cover a photo of 2560 px with tiles of 1152 px.
pub const MAX_TILES: usize = 6;

/// Boxes in parts of one photo that are looked at a second time. A photo of a texture may have any number of them.
pub const MAX_SECOND_LOOKS: usize = 12;

/// Pixels along a side of the frame that an evaluation pastes photos into: 144 megapixels take 430 MB.
pub const MAX_EVAL_SIDE: u32 = 12_000;

/// Photos of one labelled folder. All are compared with all, which takes 150 MB and some minutes for so many.
pub const MAX_EVAL_PHOTOS: usize = 3_000;

/// Bytes of one network file of a pack. The largest that we know has 37 MB.
pub const MAX_NETWORK_BYTES: u64 = 128 << 20;

/// Bytes of `pack.toml`. Ours has about 6 KB.
pub const MAX_MANIFEST_BYTES: u64 = 64 << 10;

/// Bytes that the hidden parts of a PNG may unpack to, such as its colour profile: printing profiles reach 2 MB.
pub const MAX_PNG_ASIDE_BYTES: u64 = 16 << 20;

/// Bytes of the centre file. 128 numbers take about 2 KB.
pub const MAX_CENTRE_BYTES: u64 = 64 << 10;

/// Numbers in an embedding. The recognisers that we know give 128 or 512.
pub const MAX_EMBEDDING: usize = 1024;

/// Pixels along a side of a network's input. Beyond it a run takes seconds.
pub const MAX_INPUT_SIDE: usize = 1280;

/// Bytes of the name of a licence: it is shown in one line.
pub const MAX_LICENCE_BYTES: usize = 200;

/// Bytes of an address that a file can be downloaded from.
pub const MAX_URL_BYTES: usize = 2000;

/// Embeddings in one cell of [`Neighbours`](crate::Neighbours) before it is split. Smaller cells make more centres to look at, larger ones more
/// embeddings in each cell visited; at 300,000 both cost about the same here.
pub const CELL_MOST: usize = 256;

/// Cells that a search visits, the nearest first. The bench of `inframe`'s people shows what that misses.
pub const CELLS_VISITED: usize = 24;
