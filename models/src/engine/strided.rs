//! Depthwise 3x3 convolutions with stride 2, which tract 0.23 computes one point at a time: they took a quarter of the detector's time.
//!
//! The columns of a channel are sorted into even and odd ones first. Each of the nine taps then reads numbers that lie side by side, which the
//! compiler makes vector instructions of, as for stride 1.

use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::*;
use tract_onnx::tract_core::model::Rewriter;
use tract_onnx::tract_core::ops::cnn::PaddingSpec;
use tract_onnx::tract_core::ops::cnn::conv::{Conv, KernelFormat};
use tract_onnx::tract_core::ops::nn::DataFormat;

/// Taps along a side, and columns from one output to the next.
const TAPS: usize = 3;
const STRIDE: usize = 2;

/// Replaces every such convolution, if it is padded only below and on the right, in a network with known shapes.
pub(super) fn replace(model: &mut TypedModel) -> TractResult<()> {
    Rewriter::default()
        .with_rule_for("strided-depthwise", |_: &(), model, node, _, conv| rule(model, node, conv))
        .rewrite(&(), model)
}

fn rule(model: &TypedModel, node: &TypedNode, conv: &Conv) -> TractResult<Option<TypedModelPatch>> {
    let spec = &conv.pool_spec;
    let &[image, kernel, bias] = &node.inputs[..] else { return Ok(None) };
    let (image, kernel, bias) = (model.outlet_fact(image)?, model.outlet_fact(kernel)?, model.outlet_fact(bias)?);
    let PaddingSpec::Explicit(before, after) = &spec.padding else { return Ok(None) };
    let (&[0, 0], &[below, right]) = (&before[..], &after[..]) else { return Ok(None) };
    let (leading, size) = match (spec.data_format, image.shape.as_concrete()) {
        (DataFormat::NCHW, Some(&[1, channels, height, width])) if channels == conv.group => (vec![1], [height, width]),
        (DataFormat::CHW, Some(&[channels, height, width])) if channels == conv.group => (vec![], [height, width]),
        _ => return Ok(None),
    };
    let channels = conv.group;
    let fits = conv.q_params.is_none()
        && conv.kernel_fmt == KernelFormat::OIHW
        && spec.output_channels == channels
        && [image, kernel, bias].iter().all(|fact| fact.datum_type == f32::datum_type())
        && kernel.shape.as_concrete() == Some(&[channels, 1, TAPS, TAPS])
        && bias.shape.as_concrete() == Some(&[channels])
        && spec.strides.as_deref() == Some(&[STRIDE; 2])
        && spec.dilations.as_deref().is_none_or(|dilations| dilations == [1, 1])
        && below.max(right) < TAPS
        && size[0] + below >= TAPS
        && size[1] + right >= TAPS;
    if !fits {
        return Ok(None);
    }
    let outputs = [(size[0] + below - TAPS) / STRIDE + 1, (size[1] + right - TAPS) / STRIDE + 1];
    let op = StridedDepthwise { leading, channels, size, outputs };
    TypedModelPatch::replace_single_op(model, node, &node.inputs, op).map(Some)
}

/// See the head of this file. Inputs are the image, the filters `[channels, 1, 3, 3]` and a bias for each channel.
#[derive(Debug, Clone, PartialEq, Eq)]
struct StridedDepthwise {
    /// Axes of length 1 before the channels.
    leading: Vec<usize>,
    channels: usize,
    /// Height and width of the image.
    size: [usize; 2],
    /// Height and width of what comes out.
    outputs: [usize; 2],
}

impl StridedDepthwise {
    fn shape(&self) -> TVec<usize> {
        self.leading.iter().copied().chain([self.channels]).chain(self.outputs).collect()
    }
}

impl Op for StridedDepthwise {
    fn name(&self) -> StaticName {
        "StridedDepthwise".into()
    }

    fn validation(&self) -> Validation {
        Validation::Rounding
    }

    op_as_typed_op!();
}

impl EvalOp for StridedDepthwise {
    op_out_of_plan!();

    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let [image, kernel, bias] = &inputs[..] else { bail!("a convolution takes three inputs") };
        let [image, kernel, bias] = [image, kernel, bias].map(|input| input.try_as_plain_ram());
        let (image, kernel, bias) = (image?, kernel?, bias?);
        let mut out = Tensor::zero::<f32>(&self.shape())?;
        let mut places = out.try_as_plain_ram_mut()?;
        let (image, kernel, bias) = (image.as_slice()?, kernel.as_slice()?, bias.as_slice()?);
        convolve(image, kernel, bias, self.size, self.outputs, places.as_slice_mut()?);
        Ok(tvec!(out.into()))
    }
}

impl TypedOp for StridedDepthwise {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(tvec!(inputs[0].datum_type.fact(self.shape())))
    }

    as_op!();
}

fn convolve(image: &[f32], kernel: &[f32], bias: &[f32], size: [usize; 2], outputs: [usize; 2], out: &mut [f32]) {
    let ([height, width], [rows, columns]) = (size, outputs);
    let mut planes = Planes::new(TAPS + STRIDE * (rows - 1), columns);
    let channels = image.chunks_exact(height * width).zip(kernel.as_chunks::<{ TAPS * TAPS }>().0).zip(bias);
    for (((channel, kernel), bias), out) in channels.zip(out.chunks_exact_mut(rows * columns)) {
        planes.fill(channel, width);
        for (row, out) in out.chunks_exact_mut(columns).enumerate() {
            planes.row(STRIDE * row, kernel, *bias, out);
        }
    }
}

/// The even and the odd columns of one channel, with zeros where it is padded.
struct Planes {
    /// Outputs of a row.
    columns: usize,
    /// One more than `columns` a row: the last output reads the next even one.
    even: Vec<f32>,
    odd: Vec<f32>,
}

impl Planes {
    fn new(rows: usize, columns: usize) -> Self {
        Self { columns, even: vec![0.0; rows * (columns + 1)], odd: vec![0.0; rows * columns] }
    }

    /// Every channel fills the same places, so that the padding stays zero.
    fn fill(&mut self, channel: &[f32], width: usize) {
        let evens = self.even.chunks_exact_mut(self.columns + 1);
        let odds = self.odd.chunks_exact_mut(self.columns);
        for ((row, even), odd) in channel.chunks_exact(width).zip(evens).zip(odds) {
            let (pairs, last) = row.as_chunks::<STRIDE>();
            for (pair, even) in pairs.iter().zip(even.iter_mut()) {
                *even = pair[0];
            }
            for (pair, odd) in pairs.iter().zip(odd) {
                *odd = pair[1];
            }
            if let (Some(last), Some(even)) = (last.first(), even.get_mut(pairs.len())) {
                *even = *last;
            }
        }
    }

    /// One row of outputs, from the three rows that begin with `top`.
    fn row(&self, top: usize, kernel: &[f32; TAPS * TAPS], bias: f32, out: &mut [f32]) {
        let columns = self.columns;
        let even = [0, 1, 2].map(|row| &self.even[(top + row) * (columns + 1)..][..=columns]);
        let odd = [0, 1, 2].map(|row| &self.odd[(top + row) * columns..][..columns]);
        let (left, right) = (even.map(|row| &row[..columns]), even.map(|row| &row[1..]));
        let out = &mut out[..columns];
        for at in 0..columns {
            let mut sum = bias;
            for row in 0..TAPS {
                let weights = &kernel[TAPS * row..];
                sum += weights[0] * left[row][at] + weights[1] * odd[row][at] + weights[2] * right[row][at];
            }
            out[at] = sum;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As the definition says, point by point.
    fn plainly(image: &[f32], kernel: &[f32], bias: &[f32], size: [usize; 2], outputs: [usize; 2]) -> Vec<f32> {
        let mut out = Vec::new();
        for (channel, bias) in bias.iter().enumerate() {
            for (row, column) in (0..outputs[0]).flat_map(|row| (0..outputs[1]).map(move |column| (row, column))) {
                let mut sum = *bias;
                for (y, x) in (0..TAPS).flat_map(|y| (0..TAPS).map(move |x| (y, x))) {
                    let (from_y, from_x) = (STRIDE * row + y, STRIDE * column + x);
                    if from_y < size[0] && from_x < size[1] {
                        let pixel = image[(channel * size[0] + from_y) * size[1] + from_x];
                        sum += kernel[(channel * TAPS + y) * TAPS + x] * pixel;
                    }
                }
                out.push(sum);
            }
        }
        out
    }

    proptest! {
        #[test]
        fn it_computes_what_the_definition_says(
            height in 1_usize..20, width in 1_usize..20, below in 0_usize..3, right in 0_usize..3, seed in any::<u32>()
        ) {
            prop_assume!(height + below >= TAPS && width + right >= TAPS);
            let mut state = seed;
            let mut some = |count: usize| -> Vec<f32> {
                let mut next = || { state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223); (state >> 16) as f32 / 65_536.0 - 0.5 };
                (0..count).map(|_| next()).collect()
            };
            let (image, kernel, bias) = (some(3 * height * width), some(3 * TAPS * TAPS), some(3));
            let outputs = [(height + below - TAPS) / STRIDE + 1, (width + right - TAPS) / STRIDE + 1];
            let mut fast = vec![0.0; 3 * outputs[0] * outputs[1]];
            convolve(&image, &kernel, &bias, [height, width], outputs, &mut fast);
            let plain = plainly(&image, &kernel, &bias, [height, width], outputs);
            prop_assert_eq!(fast.len(), plain.len());
            for (fast, plain) in fast.iter().zip(&plain) {
                prop_assert!((fast - plain).abs() < 1e-5, "{} {}", fast, plain);
            }
        }
    }
}
