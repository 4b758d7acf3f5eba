//! One detector network for each of a few input shapes: black beside the photo costs as much time as the photo.

use std::cmp::Ordering;
use std::sync::OnceLock;
use std::time::Duration;

use crate::Rect;
use crate::engine::EngineError;
use crate::engine::network::{Feed, Network, Source};

/// Names and shapes of what a network puts out.
pub(super) type Named = Vec<(String, Vec<usize>)>;

/// Networks of one file for inputs of the same long side.
pub(super) struct Shapes {
    source: Source,
    feed: Feed,
    /// The square, which suits every region, last.
    all: Vec<Shape>,
}

struct Shape {
    /// Width and height in pixels.
    size: [usize; 2],
    outputs: Named,
    /// Made when it is first used: that takes a twentieth of a second or more, and most photos of a library are of one shape.
    network: OnceLock<Network>,
}

/// Cameras are not exact: a photo of nearly 4:3 is shown a little smaller rather than in a square.
const NEARLY: f32 = 0.98;

/// Width and height of an input of 4:3 on its side, of one upright, and of the square.
pub(super) fn with_oblong(long: usize) -> Vec<[usize; 2]> {
    let short = long * 3 / 4;
    vec![[long, short], [short, long], [long, long]]
}

impl Shapes {
    /// Networks for these widths and heights, the square last.
    ///
    /// # Errors
    /// When the file does not put out what it should for each of them.
    pub(super) fn load(
        source: Source,
        feed: Feed,
        sizes: Vec<[usize; 2]>,
        outputs: impl Fn([usize; 2]) -> Named,
    ) -> Result<Self, EngineError> {
        let shape = |size| Shape { size, outputs: outputs(size), network: OnceLock::new() };
        let shapes = Self { source, feed, all: sizes.into_iter().map(shape).collect() };
        for shape in &shapes.all {
            shapes.source.check(shape.size, &shape.outputs())?;
        }
        Ok(shapes)
    }

    /// Width and height of the input that shows a region as large as the square would, with the least black, and its network. `None` for a
    /// region without an area.
    pub(super) fn suiting(&self, region: &Rect) -> Result<Option<([usize; 2], &Network)>, EngineError> {
        let Some(shape) = self.all.iter().find(|shape| shape.suits(region)) else { return Ok(None) };
        Ok(Some((shape.size, self.network(shape)?)))
    }

    /// Of the square one.
    pub(super) fn time(&self) -> Result<(String, Duration), EngineError> {
        self.all.last().map_or_else(|| Ok(Default::default()), |square| self.network(square)?.time())
    }

    fn network<'a>(&self, shape: &'a Shape) -> Result<&'a Network, EngineError> {
        if let Some(network) = shape.network.get() {
            return Ok(network);
        }
        let network = self.source.optimise(shape.size, self.feed, &shape.outputs())?;
        Ok(shape.network.get_or_init(|| network))
    }
}

impl Shape {
    fn outputs(&self) -> Vec<(&str, &[usize])> {
        self.outputs.iter().map(|(name, shape)| (&**name, &shape[..])).collect()
    }

    /// Whether a region of these proportions is as large in this input as in the square one, or nearly.
    fn suits(&self, region: &Rect) -> bool {
        let [width, height] = self.size.map(|side| side as f32);
        match width.total_cmp(&height) {
            Ordering::Greater => region.w * height >= NEARLY * region.h * width,
            Ordering::Less => region.h * width >= NEARLY * region.w * height,
            Ordering::Equal => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_input_with_the_proportions_of_the_photo_is_chosen() {
        let shape = |size| Shape { size, outputs: vec![], network: OnceLock::new() };
        let shapes: Vec<Shape> = with_oblong(640).into_iter().map(shape).collect();
        let chosen =
            |w: f32, h: f32| shapes.iter().find(|shape| shape.suits(&Rect { x: 0.0, y: 0.0, w, h })).unwrap().size;
        assert_eq!(chosen(1600.0, 1200.0), [640, 480]);
        assert_eq!(chosen(1920.0, 1080.0), [640, 480]);
        assert_eq!(chosen(1080.0, 1920.0), [480, 640]);
        assert_eq!(chosen(1600.0, 1210.0), [640, 480]);
        assert_eq!(chosen(1000.0, 900.0), [640, 640]);
        assert_eq!(chosen(900.0, 1000.0), [640, 640]);
    }
}
