//! YuNet: a grid of boxes with five points each, at three strides, from an input of any size that the largest stride divides.

use image::RgbImage;

use super::Detection;
use super::shapes::{Shapes, with_oblong};
use crate::Rect;
use crate::engine::EngineError;
use crate::engine::network::Source;
use crate::pack::Detector as Spec;
use crate::pixels::{Fit, Placement, fit};

/// Pixels of the input from one cell to the next, for each of the three grids. A side of the input must be a multiple of the largest.
const STRIDES: [usize; 3] = [8, 16, 32];

/// Numbers of a cell: whether it is a face, whether it is anything, a box, five points.
const PARTS: [(&str, usize); 4] = [("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)];

/// The largest size of a box relative to its stride, as a logarithm: beyond it lies no input (e^7 x 8 px is about 8,800).
const LARGEST: f32 = 7.0;

pub(super) struct Yunet {
    pub(super) shapes: Shapes,
    min_score: f32,
}

impl Yunet {
    pub(super) fn load(spec: &Spec, onnx: &[u8]) -> Result<Self, EngineError> {
        let source = Source::parse(&spec.file, onnx)?;
        let long = spec.input;
        let sizes = match source.only_size() {
            Some(only) if only != [long, long] => {
                let reason = format!("it takes an input of {} x {} only, the pack says {long}", only[0], only[1]);
                return Err(EngineError::Network { file: spec.file.clone(), reason });
            }
            Some(only) => vec![only],
            None => with_oblong(long).into_iter().map(|size| size.map(|side| side / STRIDES[2] * STRIDES[2])).collect(),
        };
        let outputs = |[width, height]: [usize; 2]| {
            let of_part = |(part, numbers): (&'static str, usize)| {
                STRIDES
                    .map(|stride| (format!("{part}_{stride}"), vec![1, (width / stride) * (height / stride), numbers]))
            };
            PARTS.into_iter().flat_map(of_part).collect()
        };
        Ok(Self { shapes: Shapes::load(source, spec.pixels.into(), sizes, outputs)?, min_score: spec.min_score })
    }

    pub(super) fn look(&self, image: &RgbImage, region: Rect) -> Result<Vec<Detection>, EngineError> {
        let visible = region.within(image.width(), image.height());
        let Some((size, network)) = self.shapes.suiting(&visible)? else { return Ok(Vec::new()) };
        let Some((planes, placement)) = fit(image, region, size, Fit::Start) else { return Ok(Vec::new()) };
        let outputs: [Vec<f32>; 12] = network.run(&planes)?;
        let [faces, objects, boxes, points] = [0, 3, 6, 9].map(|from| &outputs[from..from + 3]);
        let mut found = Vec::new();
        for (grid, stride) in STRIDES.into_iter().enumerate() {
            let columns = size[0] / stride;
            let sure = faces[grid].iter().zip(&objects[grid]);
            let (boxes, points) = (boxes[grid].as_chunks::<4>().0, points[grid].as_chunks::<10>().0);
            for (cell, ((sure, numbers), points)) in sure.zip(boxes).zip(points).enumerate() {
                let score = (sure.0.clamp(0.0, 1.0) * sure.1.clamp(0.0, 1.0)).sqrt();
                if score < self.min_score {
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
