//! Where a photo has detail at all: plain parts (sky, walls, borders) hold no face and need no look.

use image::RgbImage;

use crate::Rect;

/// Pixels along a side of a block whose mean brightness is compared with its neighbours': finer detail is noise.
const BLOCK_PX: u32 = 4;

/// Difference of brightness (0..255) between neighbouring blocks that counts as an edge.
const EDGE: u32 = 12;

/// A region with a smaller share of edges among its blocks is plain. A face of 20 px has some ten blocks, most of them edges.
const LEAST_SHARE: f32 = 0.002;

/// The edges of a photo.
pub(super) struct Detail {
    columns: usize,
    edges: Vec<bool>,
}

impl Detail {
    pub(super) fn of(image: &RgbImage) -> Self {
        let (columns, rows) = (image.width() / BLOCK_PX, image.height() / BLOCK_PX);
        let mut means = Vec::with_capacity((columns * rows) as usize);
        for row in 0..rows {
            for column in 0..columns {
                let mut sum = 0;
                for y in row * BLOCK_PX..(row + 1) * BLOCK_PX {
                    for x in column * BLOCK_PX..(column + 1) * BLOCK_PX {
                        let [red, green, blue] = image.get_pixel(x, y).0.map(u32::from);
                        sum += red + 2 * green + blue;
                    }
                }
                means.push(sum / (4 * BLOCK_PX * BLOCK_PX));
            }
        }
        let columns = columns as usize;
        let differs = |a: u32, b: Option<&u32>| b.is_some_and(|b| a.abs_diff(*b) > EDGE);
        let edge = |(at, mean): (usize, &u32)| {
            let right = if (at + 1) % columns == 0 { None } else { means.get(at + 1) };
            differs(*mean, right) || differs(*mean, means.get(at + columns))
        };
        Self { columns, edges: means.iter().enumerate().map(edge).collect() }
    }

    /// Whether there is too little in a region for it to hold a face.
    pub(super) fn is_plain(&self, region: Rect) -> bool {
        let block = |pixels: f32| (pixels.max(0.0) / BLOCK_PX as f32) as usize;
        let (left, right) = (block(region.x), block(region.right()).min(self.columns));
        let rows = self.edges.chunks_exact(self.columns.max(1)).take(block(region.bottom())).skip(block(region.y));
        let (mut edges, mut blocks) = (0, 0);
        for row in rows {
            let part = row.get(left..right).unwrap_or_default();
            edges += part.iter().filter(|edge| **edge).count();
            blocks += part.len();
        }
        edges as f32 <= LEAST_SHARE * blocks as f32
    }
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    #[test]
    fn only_the_part_with_edges_is_not_plain() {
        let image = RgbImage::from_fn(640, 480, |x, y| {
            let inside = (400..440).contains(&x) && (300..340).contains(&y);
            Rgb([if inside && (x / 8 + y / 8) % 2 == 0 { 250 } else { 120 + (x % 3) as u8 }; 3])
        });
        let detail = Detail::of(&image);
        assert!(detail.is_plain(Rect { x: 0.0, y: 0.0, w: 320.0, h: 240.0 }));
        assert!(!detail.is_plain(Rect { x: 320.0, y: 240.0, w: 320.0, h: 240.0 }));
    }

    #[test]
    fn images_smaller_than_a_block_are_plain() {
        for (width, height) in [(0, 0), (1, 1), (3, 500), (500, 3)] {
            let region = Rect { x: 0.0, y: 0.0, w: width as f32, h: height as f32 };
            assert!(Detail::of(&RgbImage::new(width, height)).is_plain(region), "{width}x{height}");
        }
    }
}
