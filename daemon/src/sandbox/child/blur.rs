//! Destroys faces in pixels: each head becomes a few large flat blocks of its mean colours. Nothing is smoothed or overlaid: what was there is
//! averaged over thousands of pixels, rounded, and written over, so that there is nothing to sharpen or take away again.

use image::{Rgb, RgbImage};

use crate::sandbox::message::FractionRect;

/// Blocks that a head is made of, across and down. Twelve mean colours are what is left of it.
pub(super) const BLOCKS: (u32, u32) = (3, 4);
/// Steps that a mean colour is rounded to.
const COLOUR_STEP: u8 = 16;
/// How much wider than the face's box a head is on each side, as a part of the box's width.
const BESIDE: f32 = 0.5;
/// How much higher a head reaches than the face's box (hair, hat), and how much lower (chin, beard), as parts of the box's height.
const ABOVE: f32 = 0.75;
const BELOW: f32 = 0.4;
/// A face that stays keeps the pixels of its box where a neighbour's head would cover them, but not where it would be the neighbour's face, which is
/// the box and so much more.
const FACE_MARGIN: f32 = 0.1;

/// Whole pixels: left and top edge, and the first ones beyond right and bottom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Area {
    pub(super) left: u32,
    pub(super) top: u32,
    pub(super) right: u32,
    pub(super) bottom: u32,
}

impl Area {
    /// All pixels that the edges touch, within the image; a box whose numbers are none is the whole image, so that nothing is spared by mistake.
    fn touching(edges: [f32; 4], (width, height): (u32, u32)) -> Self {
        if !edges.iter().all(|edge| edge.is_finite()) {
            return Self { left: 0, top: 0, right: width, bottom: height };
        }
        let [left, top, right, bottom] = edges;
        let low = |edge: f32, side: u32| ((edge * side as f32).floor().max(0.0) as u32).min(side);
        let high = |edge: f32, side: u32| ((edge * side as f32).ceil().max(0.0) as u32).min(side);
        Self { left: low(left, width), top: low(top, height), right: high(right, width), bottom: high(bottom, height) }
    }

    /// The box of a face, widened by these parts of its size: beside, above, below.
    fn around(face: FractionRect, (beside, above, below): (f32, f32, f32), size: (u32, u32)) -> Self {
        let FractionRect { x, y, w, h } = face;
        Self::touching([x - w * beside, y - h * above, x + w * (1.0 + beside), y + h * (1.0 + below)], size)
    }

    fn holds(&self, x: u32, y: u32) -> bool {
        (self.left..self.right).contains(&x) && (self.top..self.bottom).contains(&y)
    }

    /// The part of it in one block of the grid.
    fn block(&self, column: u32, row: u32) -> Self {
        let (columns, rows) = BLOCKS;
        let at = |from: u32, to: u32, part: u32, of: u32| {
            from + (u64::from(to.saturating_sub(from)) * u64::from(part) / u64::from(of)) as u32
        };
        Self {
            left: at(self.left, self.right, column, columns),
            right: at(self.left, self.right, column + 1, columns),
            top: at(self.top, self.bottom, row, rows),
            bottom: at(self.top, self.bottom, row + 1, rows),
        }
    }
}

/// The head that a face's box stands for.
pub(super) fn head(face: FractionRect, size: (u32, u32)) -> Area {
    Area::around(face, (BESIDE, ABOVE, BELOW), size)
}

/// Destroys the faces with their heads. Boxes in `kept` are of faces that stay to be seen.
pub(super) fn destroy(image: &mut RgbImage, faces: &[FractionRect], kept: &[FractionRect]) {
    let size = image.dimensions();
    let kept: Vec<Area> = kept.iter().map(|face| Area::around(*face, (0.0, 0.0, 0.0), size)).collect();
    for face in faces {
        let head = head(*face, size);
        let middle = Area::around(*face, (FACE_MARGIN, FACE_MARGIN, FACE_MARGIN), size);
        for (column, row) in (0..BLOCKS.1).flat_map(|row| (0..BLOCKS.0).map(move |column| (column, row))) {
            let block = head.block(column, row);
            let Some(colour) = mean(image, block) else { continue };
            for y in block.top..block.bottom {
                for x in block.left..block.right {
                    let stays = !middle.holds(x, y) && kept.iter().any(|face| face.holds(x, y));
                    if !stays {
                        image.put_pixel(x, y, colour);
                    }
                }
            }
        }
    }
}

/// The mean colour of an area, rounded; nothing of an empty one.
fn mean(image: &RgbImage, area: Area) -> Option<Rgb<u8>> {
    let mut sums = [0u64; 3];
    let mut count = 0u64;
    for y in area.top..area.bottom {
        for x in area.left..area.right {
            let Rgb(colour) = image.get_pixel(x, y);
            sums.iter_mut().zip(colour).for_each(|(sum, value)| *sum += u64::from(*value));
            count += 1;
        }
    }
    let rounded = |sum: u64| {
        let mean = u8::try_from(sum / count).unwrap_or(u8::MAX);
        mean - mean % COLOUR_STEP + COLOUR_STEP / 2
    };
    (count > 0).then(|| Rgb(sums.map(rounded)))
}

#[cfg(test)]
mod evaluation;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// A picture in which no two neighbours are alike.
    fn noise(width: u32, height: u32, seed: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| {
            let mixed = (x ^ seed).wrapping_mul(2_654_435_761) ^ y.wrapping_mul(40_503).rotate_left(x % 13);
            Rgb([mixed as u8, (mixed >> 8) as u8, (mixed >> 16) as u8])
        })
    }

    const FACE: FractionRect = FractionRect { x: 0.4, y: 0.4, w: 0.2, h: 0.25 };

    #[test]
    fn twelve_colours_are_left_of_a_head_and_nothing_else_changes() {
        let before = noise(400, 320, 1);
        let mut after = before.clone();
        destroy(&mut after, &[FACE], &[]);
        let head = head(FACE, before.dimensions());
        let Area { left, top, right, bottom } = head;
        let wanted = [(left, 120), (top, 68), (right, 280), (bottom, 240)];
        assert!(wanted.iter().all(|(edge, at): &(u32, u32)| edge.abs_diff(*at) <= 1), "{head:?}");
        let mut colours = BTreeSet::new();
        for (x, y, colour) in after.enumerate_pixels() {
            if head.holds(x, y) {
                colours.insert(colour.0);
            } else {
                assert_eq!(colour, before.get_pixel(x, y));
            }
        }
        assert!(colours.len() <= (BLOCKS.0 * BLOCKS.1) as usize, "{}", colours.len());
        assert!(colours.iter().flatten().all(|value| value % COLOUR_STEP == COLOUR_STEP / 2));
    }

    #[test]
    fn no_pixel_of_a_face_has_a_say_of_its_own() {
        // Two faces with the same means, whose pixels lie otherwise in each block, give the very same picture.
        let one = noise(300, 300, 7);
        let mut other = one.clone();
        let head = head(FACE, one.dimensions());
        for (column, row) in (0..BLOCKS.0).flat_map(|column| (0..BLOCKS.1).map(move |row| (column, row))) {
            let block = head.block(column, row);
            for y in block.top..block.bottom {
                for x in block.left..block.right {
                    let from = (block.left + block.right - 1 - x, block.top + block.bottom - 1 - y);
                    other.put_pixel(x, y, *one.get_pixel(from.0, from.1));
                }
            }
        }
        assert_ne!(one, other);
        let [mut one, mut other] = [one, other];
        destroy(&mut one, &[FACE], &[]);
        destroy(&mut other, &[FACE], &[]);
        assert_eq!(one, other);
    }

    #[test]
    fn a_neighbour_who_stays_keeps_their_face_but_not_a_pixel_of_the_one_destroyed() {
        let before = noise(400, 320, 3);
        let neighbour = FractionRect { x: 0.58, y: 0.4, w: 0.2, h: 0.25 };
        let mut after = before.clone();
        destroy(&mut after, &[FACE], &[neighbour]);
        let size = before.dimensions();
        let (theirs, mine) = (
            Area::around(neighbour, (0.0, 0.0, 0.0), size),
            Area::around(FACE, (FACE_MARGIN, FACE_MARGIN, FACE_MARGIN), size),
        );
        let mut unlike = 0;
        for (x, y, colour) in after.enumerate_pixels() {
            let same = colour == before.get_pixel(x, y);
            if mine.holds(x, y) {
                unlike += u32::from(!same);
            } else if theirs.holds(x, y) {
                assert!(same, "{x} {y}");
            }
        }
        let area = (mine.right - mine.left) * (mine.bottom - mine.top);
        assert!(unlike > area * 99 / 100, "{unlike} of {area}");
    }

    #[test]
    fn d8_wild_boxes_destroy_too_much_rather_than_too_little() {
        for wild in [f32::NAN, f32::INFINITY] {
            let mut image = noise(40, 30, 5);
            destroy(&mut image, &[FractionRect { x: wild, ..FACE }], &[]);
            let colours: BTreeSet<_> = image.pixels().map(|colour| colour.0).collect();
            assert!(colours.len() <= 12, "{}", colours.len());
        }
        for face in [
            FractionRect { x: -3.0, y: -3.0, w: 9.0, h: 9.0 },
            FractionRect { x: 2.0, y: 2.0, w: 1.0, h: 1.0 },
            FractionRect { x: 0.5, y: 0.5, w: -1.0, h: 0.0 },
        ] {
            destroy(&mut noise(40, 30, 5), &[face], &[face]);
            destroy(&mut RgbImage::new(1, 1), &[face], &[]);
            destroy(&mut RgbImage::new(0, 0), &[face], &[]);
        }
    }
}
