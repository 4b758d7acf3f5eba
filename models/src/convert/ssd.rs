//! The detector: SSD on MobileNet v1, `[1, 3, 512, 512]` RGB 0..255 in, `boxes [1, 5118, 4]` (ymin, xmin, ymax, xmax as fractions of 512) and
//! `scores [1, 5118]` out.
//!
//! The package knows the square only and puts black where the photo is not. The file takes an input without that black as well, 384 high or
//! wide: every cell that is left lies where it lies in the square.

use super::ConvertError;
use super::graph::{Convolution, Graph};
use super::weights::{Tensor, Weights};

/// The net takes `pixel / 127.5 - 1`. The subtraction stays in the graph because the first convolution pads with zeros after it.
const PIXEL_MIDDLE: f64 = 127.5;

/// Added to the variance when batch normalisation is folded, as the package does.
const EPSILON: f64 = 0.001_000_000_047_497_451_3;

/// Input channels, output channels and stride of the thirteen depthwise and pointwise pairs.
const PAIRS: [(usize, usize, i64); 13] = [
    (32, 64, 1),
    (64, 128, 2),
    (128, 128, 1),
    (128, 256, 2),
    (256, 256, 1),
    (256, 512, 2),
    (512, 512, 1),
    (512, 512, 1),
    (512, 512, 1),
    (512, 512, 1),
    (512, 512, 1),
    (512, 1024, 2),
    (1024, 1024, 1),
];

/// The pair (counted from 1) whose result feeds the head for the smallest faces.
const FINE_PAIR: usize = 11;

/// Side, input channels, output channels and stride of the extra convolutions; every second one feeds a head.
const EXTRAS: [(usize, usize, usize, i64); 8] = [
    (1, 1024, 256, 1),
    (3, 256, 512, 2),
    (1, 512, 128, 1),
    (3, 128, 256, 2),
    (1, 256, 128, 1),
    (3, 128, 256, 2),
    (1, 256, 64, 1),
    (3, 64, 128, 2),
];

/// Channels, anchors per cell, and cells along a side of what each head reads.
const HEADS: [(usize, usize, usize); 6] =
    [(512, 3, 32), (1024, 6, 16), (512, 6, 8), (256, 6, 4), (256, 6, 2), (128, 6, 1)];

/// Anchors of all heads together.
const ANCHORS: usize = 5118;

/// The extra convolution that finds 3 cells along the shorter side of an input of 384, where the square has 4.
const ODD_EXTRA: usize = 5;

/// Logits per anchor (background, face, and one that is never read), and which of them means "face".
const CLASSES: usize = 3;
const FACE_CLASS: usize = 1;

/// The encoding of a box: its centre is in tenths, the logarithm of its size in fifths, of the anchor's size.
const CENTRE_SCALE: f64 = 10.0;
const SIZE_SCALE: f64 = 5.0;

pub(super) fn build(weights: &Weights) -> Result<Vec<u8>, ConvertError> {
    let mut graph = Graph::default();
    let input = graph.input("image", &[1, 3, 0, 0]);
    let features = backbone(&mut graph, weights, &input)?;

    let mut encodings = Vec::new();
    let mut logits = Vec::new();
    for (index, (feature, (channels, anchors, _))) in features.iter().zip(HEADS).enumerate() {
        let name = format!("Prediction/BoxPredictor_{index}");
        let (filter, bias) = head(weights, &format!("{name}/BoxEncodingPredictor"), channels, 4 * anchors)?;
        let value = graph.convolve(feature, &filter, Some(&bias), Convolution::valid(1));
        let value = graph.channels_last(&value);
        encodings.push(graph.reshape(&value, &[1, -1, 4]));

        let (filter, bias) = head(weights, &format!("{name}/ClassPredictor"), channels, CLASSES * anchors)?;
        let faces: Vec<usize> = (0..anchors).map(|anchor| CLASSES * anchor + FACE_CLASS).collect();
        let bias: Vec<f64> = faces.iter().map(|&face| bias[face]).collect();
        let value = graph.convolve(feature, &filter.select_outputs(&faces), Some(&bias), Convolution::valid(1));
        let value = graph.channels_last(&value);
        logits.push(graph.reshape(&value, &[1, -1]));
    }

    let encodings = graph.concat(&encodings, 1);
    let boxes = decode(&mut graph, weights, &encodings, &features)?;
    graph.output(&boxes, "boxes", &[1, 0, 4]);
    let logits = graph.concat(&logits, 1);
    let scores = graph.sigmoid(&logits);
    graph.output(&scores, "scores", &[1, 0]);
    Ok(graph.finish("ssd_mobilenetv1"))
}

/// The values that the six heads read, finest first.
fn backbone(graph: &mut Graph, weights: &Weights, input: &str) -> Result<Vec<String>, ConvertError> {
    let middle = graph.constant(&[1, 3, 1, 1], &[PIXEL_MIDDLE; 3]);
    let centred = graph.subtract(input, &middle);
    let (mut filter, bias) = pointwise(weights, "MobilenetV1/Conv2d_0", 3, 3, 32)?;
    filter.values.iter_mut().for_each(|weight| *weight /= PIXEL_MIDDLE);
    let value = graph.convolve(&centred, &filter, Some(&bias), Convolution::same3(2));
    let mut value = graph.relu6(&value);

    let mut features = Vec::new();
    for (index, (from, to, stride)) in PAIRS.into_iter().enumerate() {
        let number = index + 1;
        let (filter, bias) = depthwise(weights, number, from)?;
        value = graph.convolve(&value, &filter, Some(&bias), Convolution::same3(stride).depthwise(from as i64));
        value = graph.relu6(&value);
        let (filter, bias) = pointwise(weights, &format!("MobilenetV1/Conv2d_{number}"), 1, from, to)?;
        value = graph.convolve(&value, &filter, Some(&bias), Convolution::valid(1));
        value = graph.relu6(&value);
        if number == FINE_PAIR {
            features.push(value.clone());
        }
    }
    features.push(value.clone());

    for (index, (side, from, to, stride)) in EXTRAS.into_iter().enumerate() {
        let (filter, bias) = pointwise(weights, &format!("Prediction/Conv2d_{index}"), side, from, to)?;
        let how = match side {
            1 => Convolution::valid(1),
            _ if index == ODD_EXTRA => Convolution::halving3(),
            _ => Convolution::same3(stride),
        };
        value = graph.convolve(&value, &filter, Some(&bias), how);
        value = graph.relu6(&value);
        if index % 2 == 1 {
            features.push(value.clone());
        }
    }
    Ok(features)
}

/// A convolution whose batch normalisation is already folded in the file.
fn pointwise(
    weights: &Weights,
    name: &str,
    side: usize,
    from: usize,
    to: usize,
) -> Result<(Tensor, Vec<f64>), ConvertError> {
    let filter = weights.get(&format!("{name}_pointwise/weights"), &[side, side, from, to])?.filter_to_onnx();
    Ok((filter, weights.vector(&format!("{name}_pointwise/convolution_bn_offset"), to)?))
}

/// A depthwise convolution with its batch normalisation folded in.
fn depthwise(weights: &Weights, number: usize, channels: usize) -> Result<(Tensor, Vec<f64>), ConvertError> {
    let name = format!("MobilenetV1/Conv2d_{number}_depthwise");
    let mut filter = weights.get(&format!("{name}/depthwise_weights"), &[3, 3, channels, 1])?.depthwise_to_onnx();
    let normalisation = |part: &str| weights.vector(&format!("{name}/BatchNorm/{part}"), channels);
    let (gamma, beta) = (normalisation("gamma")?, normalisation("beta")?);
    let (mean, variance) = (normalisation("moving_mean")?, normalisation("moving_variance")?);
    let scale: Vec<f64> =
        gamma.iter().zip(&variance).map(|(gamma, variance)| gamma / (variance + EPSILON).sqrt()).collect();
    filter.scale_outputs(&scale);
    let bias = beta.iter().zip(&mean).zip(&scale).map(|((beta, mean), scale)| beta - mean * scale).collect();
    Ok((filter, bias))
}

fn head(weights: &Weights, name: &str, from: usize, to: usize) -> Result<(Tensor, Vec<f64>), ConvertError> {
    let filter = weights.get(&format!("{name}/weights"), &[1, 1, from, to])?.filter_to_onnx();
    Ok((filter, weights.vector(&format!("{name}/biases"), to)?))
}

/// Boxes from their encodings (dy, dx, dh, dw), relative to the anchors of the cells that `features` have.
fn decode(graph: &mut Graph, weights: &Weights, encodings: &str, features: &[String]) -> Result<String, ConvertError> {
    let anchors = weights.get("Output/extra_dim", &[1, ANCHORS, 4])?;
    let (mut sizes, mut centres) = (Vec::new(), Vec::new());
    for anchor in anchors.values.as_chunks::<4>().0 {
        let [top, left, bottom, right] = *anchor;
        sizes.extend([bottom - top, right - left]);
        centres.extend([(top + bottom) / 2.0, (left + right) / 2.0]);
    }
    let scaled = |by: f64| sizes.iter().map(|size| size / by).collect::<Vec<f64>>();
    let steps = of_cells(graph, &scaled(CENTRE_SCALE), features);
    let centres = of_cells(graph, &centres, features);
    let halves = of_cells(graph, &scaled(2.0), features);
    let size_scale = graph.constant(&[1, 1, 1], &[1.0 / SIZE_SCALE]);

    let shift = graph.slice(encodings, 2, 0, 2);
    let shift = graph.multiply(&shift, &steps);
    let centre = graph.add(&shift, &centres);
    let growth = graph.slice(encodings, 2, 2, 4);
    let growth = graph.multiply(&growth, &size_scale);
    let growth = graph.exp(&growth);
    let half = graph.multiply(&growth, &halves);
    let low = graph.subtract(&centre, &half);
    let high = graph.add(&centre, &half);
    Ok(graph.concat(&[low, high], 2))
}

/// Two numbers for each anchor of the square, as `[1, anchors, 2]` with those of the cells that `features` have.
fn of_cells(graph: &mut Graph, numbers: &[f64], features: &[String]) -> String {
    let mut rest = numbers;
    let mut kept = Vec::new();
    for (feature, (_, anchors, cells)) in features.iter().zip(HEADS) {
        let (here, after) = rest.split_at(cells * cells * anchors * 2);
        rest = after;
        let square = graph.constant(&[1, cells, cells, anchors * 2], here);
        let cropped = graph.crop_like(&square, feature);
        kept.push(graph.reshape(&cropped, &[1, -1, 2]));
    }
    graph.concat(&kept, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batch_normalisation_is_folded_into_the_depthwise_convolution() {
        let name = "MobilenetV1/Conv2d_1_depthwise";
        let vector = |part: &str| format!(r#"{{"name":"{name}/BatchNorm/{part}","shape":[1]}}"#);
        let parts = ["gamma", "beta", "moving_mean", "moving_variance"].map(vector).join(",");
        let manifest = format!(r#"[{{"weights":[{{"name":"{name}/depthwise_weights","shape":[3,3,1,1]}},{parts}]}}]"#);
        let [gamma, beta, mean, variance] = [1.5_f32, -0.5, 3.0, 4.0];
        let kernel: Vec<f32> = (1..=9).map(|value| value as f32).collect();
        let numbers = [&kernel[..], &[gamma, beta, mean, variance]].concat();
        let bin: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        let weights = Weights::parse(manifest.as_bytes(), &bin).unwrap();
        let (filter, bias) = depthwise(&weights, 1, 1).unwrap();
        // All nine inputs are 2.
        let plain = kernel.iter().map(|&weight| f64::from(weight) * 2.0).sum::<f64>();
        let layered =
            f64::from(gamma) * (plain - f64::from(mean)) / (f64::from(variance) + EPSILON).sqrt() + f64::from(beta);
        let folded = filter.values.iter().map(|weight| weight * 2.0).sum::<f64>() + bias[0];
        assert!((folded - layered).abs() < 1e-12, "{folded} {layered}");
    }

    #[test]
    fn the_heads_together_have_one_box_for_each_anchor() {
        assert_eq!(HEADS.iter().map(|(_, anchors, cells)| anchors * cells * cells).sum::<usize>(), ANCHORS);
    }
}
