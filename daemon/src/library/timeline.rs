//! The timeline in memory: every photo's order, day, shape and colour, and their binary form for the dashboard.

use super::asset::{AssetId, AssetKind, FacesState, Origin, StoredAsset};

/// Items in one block; the dashboard asks for blocks of ids as they come into view.
pub const BLOCK: usize = 256;

const MAGIC: &[u8; 4] = b"IFSK";
const FORMAT_VERSION: u32 = 1;

/// One photo as the timeline knows it, without touching the catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The asset.
    pub id: AssetId,
    /// Orders the timeline, Unix milliseconds.
    pub moment: i64,
    /// Local day.
    pub day: i32,
    /// Mean colour, RGB565.
    pub colour: u16,
    /// Logarithmic aspect ratio code.
    pub ratio: u8,
    /// Received from somebody.
    pub received: bool,
    /// Faces found, or -1 while not looked at.
    pub faces: i32,
    /// Length of a video in milliseconds.
    pub duration_ms: Option<u64>,
    /// For a file that cannot be shown, the end of its name, in capitals and short.
    pub file: Option<Box<str>>,
}

/// Longest ending of a file's name that is shown on its tile, in characters.
const ENDING_CHARS: usize = 5;

/// The ending of a file's name as its tile shows it; "FILE" where there is none to show.
#[must_use]
pub fn ending(file_name: &str) -> String {
    let ending = file_name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_uppercase()).unwrap_or_default();
    let fits = (1..=ENDING_CHARS).contains(&ending.len()) && ending.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if fits { ending } else { "FILE".to_owned() }
}

impl Item {
    /// The timeline's view of an asset.
    #[must_use]
    pub fn of(id: AssetId, asset: &StoredAsset) -> Self {
        Self {
            id,
            moment: asset.moment(),
            day: asset.local_day(),
            colour: asset.mean_colour,
            // A file is shown as a square.
            ratio: ratio_code(asset.width, asset.height),
            received: matches!(asset.origin, Origin::Received { .. }),
            faces: match asset.faces {
                FacesState::Done { count, .. } => i32::from(count),
                _ => -1,
            },
            duration_ms: match asset.kind {
                AssetKind::Video { duration_ms, .. } => Some(duration_ms),
                _ => None,
            },
            file: matches!(asset.kind, AssetKind::File { .. }).then(|| ending(&asset.file_name).into()),
        }
    }

    /// Newest day first, newest photo first, ids break ties so that the order is total.
    fn sort_key(&self) -> (std::cmp::Reverse<i32>, std::cmp::Reverse<i64>, AssetId) {
        (std::cmp::Reverse(self.day), std::cmp::Reverse(self.moment), self.id)
    }
}

/// Aspect ratio (width / height) on a logarithmic scale from 0.1 (code 0) to 10 (code 255).
#[must_use]
pub fn ratio_code(width: u32, height: u32) -> u8 {
    let ratio = (f64::from(width.max(1)) / f64::from(height.max(1))).clamp(0.1, 10.0);
    // Cannot leave 0..=255 after the clamp.
    (((ratio / 0.1).ln() / 100f64.ln()) * 255.0).round() as u8
}

/// The ordered timeline with its revision.
#[derive(Debug, Default)]
pub struct Timeline {
    items: Vec<Item>,
    rev: u64,
}

impl Timeline {
    /// Builds it at unlock.
    #[must_use]
    pub fn build(mut items: Vec<Item>) -> Self {
        items.sort_by_key(Item::sort_key);
        Self { items, rev: 1 }
    }

    /// Revision; changes with every change of the set, the order or a shown value.
    #[must_use]
    pub fn rev(&self) -> u64 {
        self.rev
    }

    /// Number of photos.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there is no photo.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Adds a photo, or replaces what is known of it: `before`.
    pub fn put(&mut self, before: Option<&Item>, item: Item) {
        if let Some(before) = before {
            self.take(before);
        }
        let at = self.items.partition_point(|other| other.sort_key() < item.sort_key());
        self.items.insert(at, item);
        self.rev += 1;
    }

    /// Removes a photo that is there as `item`.
    pub fn remove(&mut self, item: &Item) {
        if self.take(item) {
            self.rev += 1;
        }
    }

    fn take(&mut self, item: &Item) -> bool {
        let found = self.items.binary_search_by_key(&item.sort_key(), Item::sort_key);
        found.map(|at| self.items.remove(at)).is_ok()
    }

    /// One block of items with the index of its first.
    #[must_use]
    pub fn block(&self, block: u64) -> (u64, &[Item]) {
        let start = usize::try_from(block).unwrap_or(usize::MAX).saturating_mul(BLOCK).min(self.items.len());
        let end = (start + BLOCK).min(self.items.len());
        (start as u64, &self.items[start..end])
    }

    /// All items, newest first.
    #[must_use]
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// The skeleton: header, per day its number and count, per item its colour and shape; all little-endian.
    #[must_use]
    pub fn skeleton(&self) -> Vec<u8> {
        let mut days: Vec<(i32, u32)> = Vec::new();
        for item in &self.items {
            match days.last_mut() {
                Some((day, count)) if *day == item.day => *count += 1,
                _ => days.push((item.day, 1)),
            }
        }
        let mut out = Vec::with_capacity(24 + days.len() * 8 + self.items.len() * 3);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
        out.extend_from_slice(&self.rev.to_le_bytes());
        out.extend_from_slice(&(days.len() as u32).to_le_bytes());
        out.extend_from_slice(&(self.items.len() as u32).to_le_bytes());
        for (day, count) in days {
            out.extend_from_slice(&day.to_le_bytes());
            out.extend_from_slice(&count.to_le_bytes());
        }
        for item in &self.items {
            out.extend_from_slice(&item.colour.to_le_bytes());
            out.push(item.ratio);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(n: u8, day: i32, moment: i64) -> Item {
        Item {
            id: AssetId([n; 16]),
            moment,
            day,
            colour: u16::from(n),
            ratio: n,
            received: false,
            faces: -1,
            duration_ms: None,
            file: None,
        }
    }

    #[test]
    fn the_newest_day_and_photo_come_first_and_every_change_has_a_revision() {
        let mut timeline = Timeline::build(vec![item(1, 10, 100), item(2, 11, 90), item(3, 10, 200)]);
        assert_eq!(timeline.items().iter().map(|i| i.id.0[0]).collect::<Vec<_>>(), [2, 3, 1]);
        let before = timeline.rev();
        timeline.put(None, item(4, 12, 1));
        timeline.put(Some(&item(1, 10, 100)), item(1, 12, 2));
        assert_eq!(timeline.items().iter().map(|i| i.id.0[0]).collect::<Vec<_>>(), [1, 4, 2, 3]);
        timeline.remove(&item(3, 10, 200));
        timeline.remove(&item(99, 10, 200));
        assert_eq!((timeline.len(), timeline.rev()), (3, before + 3));
    }

    #[test]
    fn the_skeleton_has_the_documented_bytes() {
        let timeline = Timeline::build(vec![item(1, 10, 100), item(2, -1, 90), item(3, 10, 200)]);
        let bytes = timeline.skeleton();
        assert_eq!(&bytes[..4], b"IFSK");
        assert_eq!(bytes.len(), 24 + 2 * 8 + 3 * 3);
        assert_eq!(&bytes[16..24], [2, 0, 0, 0, 3, 0, 0, 0]);
        assert_eq!(&bytes[24..40], [10, 0, 0, 0, 2, 0, 0, 0, 255, 255, 255, 255, 1, 0, 0, 0]);
        assert_eq!(&bytes[40..], [3, 0, 3, 1, 0, 1, 2, 0, 2]);
    }

    #[test]
    fn ratio_codes_are_within_two_percent_and_bounded() {
        for (w, h) in [(4000, 3000), (3000, 4000), (1, 1), (1920, 1080), (300, 2999)] {
            let back = 0.1 * (f64::from(ratio_code(w, h)) / 255.0 * 100f64.ln()).exp();
            assert!((back / (f64::from(w) / f64::from(h)) - 1.0).abs() < 0.02);
        }
        assert_eq!(ratio_code(1, 32_000), 0);
        assert_eq!(ratio_code(32_000, 0), 255);
    }

    #[test]
    fn endings_are_short_and_tame() {
        let shown = ["report.pdf", "IMG_1.HEIC", "archive.tar.gz", "no ending", "a.verylong", "x.\u{202e}gpj", "a."]
            .map(ending);
        assert_eq!(shown, ["PDF", "HEIC", "GZ", "FILE", "FILE", "FILE", "FILE"]);
    }

    #[test]
    fn blocks_beyond_the_end_are_empty() {
        let timeline = Timeline::build((0..300).map(|n| item((n % 256) as u8, n, i64::from(n))).collect());
        assert_eq!(timeline.block(1), (256, &timeline.items()[256..]));
        assert!(timeline.block(u64::MAX).1.is_empty());
    }
}
