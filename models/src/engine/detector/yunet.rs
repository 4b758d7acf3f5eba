//! YuNet: a grid of boxes with five points each, at three strides, from an input of any size that the largest stride divides.

use std::cmp::Ordering;
use std::sync::OnceLock;

use image::RgbImage;

use super::Detection;
use crate::Rect;
use crate::engine::EngineError;
use crate::engine::network::{Network, Source};
use crate::pack::Detector as Spec;
use crate::pixels::{Fit, Placement, fit};

/// Pixels of the input from one cell to the next, for each of the three grids. A side of the input must be a multiple of the largest.
const STRIDES: [usize; 3] = [8, 16, 32];

/// Numbers of a cell: whether it is a face, whether it is anything, a box, five points.
const PARTS: [(&str, usize); 4] = [("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)];

/// The largest size of a box relative to its stride, as a logarithm: beyond it lies no input (e^7 x 8 px is about 8,800).
const LARGEST: f32 = 7.0;

pub(super) struct Yunet {
    source: Source,
    spec: Spec,
    /// Inputs of the same long side with networks for them, the square, which suits every region, last. Made when first used: each takes a tenth of a second.
    shapes: Vec<Shape>,
}

struct Shape {
    /// Width and height in pixels.
    size: [usize; 2],
    network: OnceLock<Network>,
}

impl Yunet {
    pub(super) fn load(spec: &Spec, onnx: &[u8]) -> Result<Self, EngineError> {
        let source = Source::parse(&spec.file, onnx)?;
        let long = spec.input;
        // A file that takes one size only is asked for the square, and says so if that is another one.
        let short = long * 3 / 4 / STRIDES[2] * STRIDES[2];
        let sizes = match source.only_size() {
            Some(only) if only != [long, long] => {
                let reason = format!("it takes an input of {} x {} only, the pack says {long}", only[0], only[1]);
                return Err(EngineError::Network { file: spec.file.clone(), reason });
            }
            Some(only) => vec![only],
            None => vec![[long, short], [short, long], [long, long]],
        };
        let shapes = sizes.into_iter().map(|size| Shape { size, network: OnceLock::new() }).collect();
        let yunet = Self { source, spec: spec.clone(), shapes };
        // One is made now, so that a file which is no such network is refused when the pack is loaded.
        if let Some(first) = yunet.shapes.first() {
            yunet.network(first)?;
        }
        Ok(yunet)
    }

    pub(super) fn look(&self, image: &RgbImage, region: Rect) -> Result<Vec<Detection>, EngineError> {
        let visible = region.within(image.width(), image.height());
        let Some(shape) = self.shapes.iter().find(|shape| shape.suits(&visible)) else { return Ok(Vec::new()) };
        let width = shape.size[0];
        let Some((planes, placement)) = fit(image, region, shape.size, Fit::Start) else { return Ok(Vec::new()) };
        let outputs: [Vec<f32>; 12] = self.network(shape)?.run(&planes)?;
        let [faces, objects, boxes, points] = [0, 3, 6, 9].map(|from| &outputs[from..from + 3]);
        let mut found = Vec::new();
        for (grid, stride) in STRIDES.into_iter().enumerate() {
            let columns = width / stride;
            let sure = faces[grid].iter().zip(&objects[grid]);
            let (boxes, points) = (boxes[grid].as_chunks::<4>().0, points[grid].as_chunks::<10>().0);
            for (cell, ((sure, numbers), points)) in sure.zip(boxes).zip(points).enumerate() {
                let score = (sure.0.clamp(0.0, 1.0) * sure.1.clamp(0.0, 1.0)).sqrt();
                if score < self.spec.min_score {
                    continue;
                }
                let cell = Cell { place: [cell % columns, cell / columns].map(|at| at as f32), stride: stride as f32 };
                let rect = cell.rect(numbers, placement).within(image.width(), image.height());
                if rect.w >= 1.0 && rect.h >= 1.0 {
                    found.push(Detection { rect, score, points: Some(cell.points(points, placement)) });
                }
            }
        }
        Ok(found)
    }

    fn network<'a>(&self, shape: &'a Shape) -> Result<&'a Network, EngineError> {
        if let Some(network) = shape.network.get() {
            return Ok(network);
        }
        let [width, height] = shape.size;
        let names = PARTS
            .iter()
            .flat_map(|(part, numbers)| STRIDES.map(|stride| (format!("{part}_{stride}"), stride, *numbers)));
        let outputs: Vec<(String, [usize; 3])> =
            names.map(|(name, stride, numbers)| (name, [1, (width / stride) * (height / stride), numbers])).collect();
        let outputs: Vec<(&str, &[usize])> = outputs.iter().map(|(name, shape)| (&**name, &shape[..])).collect();
        let network = self.source.optimise(shape.size, self.spec.pixels.into(), &outputs)?;
        Ok(shape.network.get_or_init(|| network))
    }
}

impl Shape {
    /// Whether a region of these proportions is as large in this input as in the square one.
    fn suits(&self, region: &Rect) -> bool {
        let [width, height] = self.size.map(|side| side as f32);
        match width.total_cmp(&height) {
            Ordering::Greater => region.w * height >= region.h * width,
            Ordering::Less => region.h * width >= region.w * height,
            Ordering::Equal => true,
        }
    }
}

/// One cell of a grid.
struct Cell {
    /// Column and row.
    place: [f32; 2],
    /// Pixels of the input from one cell to the next.
    stride: f32,
}

impl Cell {
    /// The box in the photo, from the place of its middle and the logarithms of its sides, all in strides.
    fn rect(&self, numbers: &[f32; 4], placement: Placement) -> Rect {
        let [x, y, width, height] = *numbers;
        let [middle_x, middle_y] = self.point([x, y]);
        let [half_w, half_h] = [width, height].map(|side| side.min(LARGEST).exp() * self.stride / 2.0);
        let [left, top] = placement.to_source([middle_x - half_w, middle_y - half_h]);
        let [right, bottom] = placement.to_source([middle_x + half_w, middle_y + half_h]);
        Rect::from_corners(left, top, right, bottom)
    }

    /// The five points in the photo.
    fn points(&self, numbers: &[f32; 10], placement: Placement) -> [[f32; 2]; 5] {
        let mut points = [[0.0; 2]; 5];
        for (to, from) in points.iter_mut().zip(numbers.as_chunks::<2>().0) {
            *to = placement.to_source(self.point(*from));
        }
        points
    }

    fn point(&self, offset: [f32; 2]) -> [f32; 2] {
        [0, 1].map(|axis| (self.place[axis] + offset[axis]) * self.stride)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_input_with_the_proportions_of_the_photo_is_chosen() {
        let shapes = [[640, 480], [480, 640], [640, 640]].map(|size| Shape { size, network: OnceLock::new() });
        let chosen =
            |w: f32, h: f32| shapes.iter().find(|shape| shape.suits(&Rect { x: 0.0, y: 0.0, w, h })).unwrap().size;
        assert_eq!(chosen(1600.0, 1200.0), [640, 480]);
        assert_eq!(chosen(1920.0, 1080.0), [640, 480]);
        assert_eq!(chosen(1080.0, 1920.0), [480, 640]);
        assert_eq!(chosen(1000.0, 900.0), [640, 640]);
        assert_eq!(chosen(900.0, 1000.0), [640, 640]);
    }
}
