//! The recogniser: dlib's 29-layer residual network, `[1, 3, 150, 150]` RGB 0..255 in, `descriptor [1, 128]` out.

use super::graph::{Convolution, Graph};
use super::weights::{Tensor, Weights};
use super::{CHANNEL_MEANS, ConvertError, PIXEL_SCALE};

/// How a block treats its input beside the two convolutions.
enum Block {
    /// Adds it.
    Same,
    /// Halves it by averaging and appends zero channels; the convolutions halve it too, without padding.
    Down,
}

use Block::{Down, Same};

/// Name, kind, input channels, output channels, and by how much the convolutions' result is smaller than the pooled one.
const BLOCKS: [(&str, Block, usize, usize, i64); 14] = [
    ("conv32_1", Same, 32, 32, 0),
    ("conv32_2", Same, 32, 32, 0),
    ("conv32_3", Same, 32, 32, 0),
    ("conv64_down", Down, 32, 64, 0),
    ("conv64_1", Same, 64, 64, 0),
    ("conv64_2", Same, 64, 64, 0),
    ("conv64_3", Same, 64, 64, 0),
    ("conv128_down", Down, 64, 128, 0),
    ("conv128_1", Same, 128, 128, 0),
    ("conv128_2", Same, 128, 128, 0),
    ("conv256_down", Down, 128, 256, 1),
    ("conv256_1", Same, 256, 256, 0),
    ("conv256_2", Same, 256, 256, 0),
    ("conv256_down_out", Down, 256, 256, 1),
];

pub(super) fn build(weights: &Weights) -> Result<Vec<u8>, ConvertError> {
    let mut graph = Graph::default();
    let input = graph.input("image", &[1, 3, 150, 150]);

    let (mut filter, mut bias) = folded(weights, "conv32_down", 7, 3, 32)?;
    fold_pixels(&mut filter, &mut bias);
    let value = graph.convolve(&input, &filter, Some(&bias), Convolution::valid(2));
    let value = graph.relu(&value);
    let mut value = graph.max_pool(&value, 3, 2);

    for (name, block, from, to, shortfall) in BLOCKS {
        value = match block {
            Same => residual(&mut graph, weights, name, &value, to)?,
            Down => residual_down(&mut graph, weights, name, &value, (from, to), shortfall)?,
        };
    }

    let mean = graph.mean_over_pixels(&value);
    let last = weights.get("fc", &[256, 128])?;
    let last = graph.constant(&last.shape, &last.values);
    let descriptor = graph.matrix_multiply(&mean, &last);
    graph.output(&descriptor, "descriptor", &[1, 128]);
    Ok(graph.finish("face_recognition"))
}

fn residual(
    graph: &mut Graph,
    weights: &Weights,
    name: &str,
    input: &str,
    channels: usize,
) -> Result<String, ConvertError> {
    let (filter, bias) = folded(weights, &format!("{name}/conv1"), 3, channels, channels)?;
    let value = graph.convolve(input, &filter, Some(&bias), Convolution::same3(1));
    let value = graph.relu(&value);
    let (filter, bias) = folded(weights, &format!("{name}/conv2"), 3, channels, channels)?;
    let value = graph.convolve(&value, &filter, Some(&bias), Convolution::same3(1));
    let sum = graph.add(&value, input);
    Ok(graph.relu(&sum))
}

fn residual_down(
    graph: &mut Graph,
    weights: &Weights,
    name: &str,
    input: &str,
    (from, to): (usize, usize),
    shortfall: i64,
) -> Result<String, ConvertError> {
    let (filter, bias) = folded(weights, &format!("{name}/conv1"), 3, from, to)?;
    let value = graph.convolve(input, &filter, Some(&bias), Convolution::valid(2));
    let value = graph.relu(&value);
    let (filter, bias) = folded(weights, &format!("{name}/conv2"), 3, to, to)?;
    let mut value = graph.convolve(&value, &filter, Some(&bias), Convolution::same3(1));
    if shortfall > 0 {
        value = graph.pad_end(&value, [0, 0, shortfall, shortfall]);
    }
    let mut pooled = graph.average_pool(input, 2, 2);
    if to > from {
        pooled = graph.pad_end(&pooled, [0, (to - from) as i64, 0, 0]);
    }
    let sum = graph.add(&pooled, &value);
    Ok(graph.relu(&sum))
}

/// A convolution with the scale layer after it folded in: `W * scale` and `b * scale + shift`. Exact, since the zero padding comes before.
fn folded(
    weights: &Weights,
    name: &str,
    side: usize,
    from: usize,
    to: usize,
) -> Result<(Tensor, Vec<f64>), ConvertError> {
    let mut filter = weights.get(&format!("{name}/conv/filters"), &[side, side, from, to])?.filter_to_onnx();
    let bias = weights.vector(&format!("{name}/conv/bias"), to)?;
    let scale = weights.vector(&format!("{name}/scale/weights"), to)?;
    let shift = weights.vector(&format!("{name}/scale/biases"), to)?;
    filter.scale_outputs(&scale);
    let bias = bias.iter().zip(&scale).zip(&shift).map(|((bias, scale), shift)| bias * scale + shift).collect();
    Ok((filter, bias))
}

/// Folds `(pixel - mean) / 255` into the first convolution. Exact, since that convolution has no padding.
fn fold_pixels(filter: &mut Tensor, bias: &mut [f64]) {
    let area = filter.shape[2] * filter.shape[3];
    for (kernel, bias) in filter.values.chunks_exact_mut(3 * area).zip(bias) {
        for (channel, mean) in kernel.chunks_exact_mut(area).zip(CHANNEL_MEANS) {
            for weight in channel {
                *weight /= PIXEL_SCALE;
                *bias -= *weight * mean;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `y = filter * x + bias` of a 1x1 convolution with one output.
    fn apply(filter: &Tensor, bias: f64, input: &[f64]) -> f64 {
        filter.values.iter().zip(input).map(|(weight, value)| weight * value).sum::<f64>() + bias
    }

    #[test]
    fn the_scale_layer_is_folded_into_the_convolution_before_it() {
        let manifest = r#"[{"weights":[
            {"name":"a/conv/filters","shape":[1,1,2,1]},
            {"name":"a/conv/bias","shape":[1]},
            {"name":"a/scale/weights","shape":[1]},
            {"name":"a/scale/biases","shape":[1],"quantization":{"scale":0.5,"min":-3.0}}]}]"#;
        let mut bin: Vec<u8> = [2.0_f32, -4.0, 0.5, 3.0].iter().flat_map(|value| value.to_le_bytes()).collect();
        bin.push(8);
        let weights = Weights::parse(manifest.as_bytes(), &bin).unwrap();
        let (filter, bias) = folded(&weights, "a", 1, 2, 1).unwrap();
        let input = [5.0, 7.0];
        let layered = (2.0 * 5.0 - 4.0 * 7.0 + 0.5) * 3.0 + (8.0 * 0.5 - 3.0);
        assert_eq!(apply(&filter, bias[0], &input), layered);
    }

    #[test]
    fn the_mean_and_the_scale_of_pixels_are_folded_into_the_first_convolution() {
        let weights = [0.5, -1.5, 2.0];
        let pixel = [200.0, 17.0, 99.0];
        let normalised = |channel: usize| (pixel[channel] - CHANNEL_MEANS[channel]) / PIXEL_SCALE;
        let expected = (0..3).map(|channel| weights[channel] * normalised(channel)).sum::<f64>() + 0.25;
        let mut filter = Tensor { shape: vec![1, 3, 1, 1], values: weights.to_vec() };
        let mut bias = vec![0.25];
        fold_pixels(&mut filter, &mut bias);
        assert!((apply(&filter, bias[0], &pixel) - expected).abs() < 1e-12);
    }
}
