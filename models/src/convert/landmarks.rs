//! The 68-point landmark net: `[1, 3, 112, 112]` RGB 0..255 in, `points [1, 136]` out (x, y, x, y, ... as fractions of the square).

use super::graph::{Convolution, Graph};
use super::weights::Weights;
use super::{CHANNEL_MEANS, ConvertError, PIXEL_SCALE};

/// Input and output channels of the four dense blocks.
const BLOCKS: [(usize, usize); 4] = [(3, 32), (32, 64), (64, 128), (128, 256)];

/// Two numbers for each of the 68 points.
const OUTPUTS: usize = 136;

pub(super) fn build(weights: &Weights) -> Result<Vec<u8>, ConvertError> {
    let mut graph = Graph::default();
    let input = graph.input("image", &[1, 3, 112, 112]);
    // The mean cannot be folded into the first convolution, which pads with zeros after it was taken off.
    let mean = graph.constant(&[1, 3, 1, 1], &CHANNEL_MEANS);
    let mut value = graph.subtract(&input, &mean);

    for (index, (from, to)) in BLOCKS.into_iter().enumerate() {
        let name = format!("dense{index}");
        let first = if index == 0 {
            first_convolution(&mut graph, weights, &value)?
        } else {
            separable(&mut graph, weights, &format!("{name}/conv0"), &value, (from, to), 2)?
        };
        let first = graph.relu(&first);
        let mut sum = first.clone();
        let mut activated = first;
        for layer in 1..4 {
            let next = separable(&mut graph, weights, &format!("{name}/conv{layer}"), &activated, (to, to), 1)?;
            sum = graph.add(&sum, &next);
            activated = graph.relu(&sum);
        }
        value = activated;
    }

    let pooled = graph.mean_over_pixels(&value);
    let last = weights.get("fc/weights", &[256, OUTPUTS])?;
    let last = graph.constant(&last.shape, &last.values);
    let bias = weights.vector("fc/bias", OUTPUTS)?;
    let bias = graph.constant(&[1, OUTPUTS], &bias);
    let product = graph.matrix_multiply(&pooled, &last);
    let points = graph.add(&product, &bias);
    graph.output(&points, "points", &[1, OUTPUTS as i64]);
    Ok(graph.finish("face_landmark_68"))
}

fn first_convolution(graph: &mut Graph, weights: &Weights, value: &str) -> Result<String, ConvertError> {
    let mut filter = weights.get("dense0/conv0/filters", &[3, 3, 3, 32])?.filter_to_onnx();
    filter.values.iter_mut().for_each(|weight| *weight /= PIXEL_SCALE);
    let bias = weights.vector("dense0/conv0/bias", 32)?;
    Ok(graph.convolve(value, &filter, Some(&bias), Convolution::same3(2)))
}

/// A depthwise and a pointwise convolution, with nothing in between.
fn separable(
    graph: &mut Graph,
    weights: &Weights,
    name: &str,
    value: &str,
    (from, to): (usize, usize),
    stride: i64,
) -> Result<String, ConvertError> {
    let depthwise = weights.get(&format!("{name}/depthwise_filter"), &[3, 3, from, 1])?.depthwise_to_onnx();
    let pointwise = weights.get(&format!("{name}/pointwise_filter"), &[1, 1, from, to])?.filter_to_onnx();
    let bias = weights.vector(&format!("{name}/bias"), to)?;
    let value = graph.convolve(value, &depthwise, None, Convolution::same3(stride).depthwise(from as i64));
    Ok(graph.convolve(&value, &pointwise, Some(&bias), Convolution::valid(1)))
}
