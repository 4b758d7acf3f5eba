//! Depthwise 3x3 convolutions, with the bounds that follow them.
//!
//! tract 0.23 computes those with stride 2 and the edges of the others one point at a time, which took a third of the detector's time and half
//! of the landmark net's. Here the columns and rows of a channel are sorted first, for stride 2 into even and odd ones, so that each of the nine
//! taps reads numbers that lie side by side for the whole channel; the compiler makes the vector instructions that the processor has of it.

use pulp::{Arch, NullaryFnOnce};
use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::*;
use tract_onnx::tract_core::model::Rewriter;
use tract_onnx::tract_core::ops::binary::TypedBinOp;
use tract_onnx::tract_core::ops::cnn::PaddingSpec;
use tract_onnx::tract_core::ops::cnn::conv::{Conv, KernelFormat};
use tract_onnx::tract_core::ops::math::{Max, Min};
use tract_onnx::tract_core::ops::nn::DataFormat;

/// Taps along a side.
const TAPS: usize = 3;

/// Numbers that are summed at once: two of the widest registers.
const BLOCK: usize = 32;

/// Replaces every such convolution in a network with known shapes.
pub(super) fn replace(model: &mut TypedModel) -> TractResult<()> {
    Rewriter::default()
        .with_rule_for("depthwise", |_: &(), model, node, _, conv| rule(model, node, conv))
        .rewrite(&(), model)
}

fn rule(model: &TypedModel, node: &TypedNode, conv: &Conv) -> TractResult<Option<TypedModelPatch>> {
    let spec = &conv.pool_spec;
    let &[image, kernel, bias] = &node.inputs[..] else { return Ok(None) };
    let (image, kernel, bias) = (model.outlet_fact(image)?, model.outlet_fact(kernel)?, model.outlet_fact(bias)?);
    let PaddingSpec::Explicit(before, after) = &spec.padding else { return Ok(None) };
    let stride = match spec.strides.as_deref() {
        None | Some([1, 1]) => 1,
        Some([2, 2]) => 2,
        _ => return Ok(None),
    };
    let (leading, size) = match (spec.data_format, image.shape.as_concrete()) {
        (DataFormat::NCHW, Some(&[1, channels, height, width])) if channels == conv.group => (vec![1], [height, width]),
        (DataFormat::CHW, Some(&[channels, height, width])) if channels == conv.group => (vec![], [height, width]),
        _ => return Ok(None),
    };
    let channels = conv.group;
    let padded = |axis: usize| size[axis] + before[axis] + after[axis];
    let fits = conv.q_params.is_none()
        && conv.kernel_fmt == KernelFormat::OIHW
        && spec.output_channels == channels
        && [image, kernel, bias].iter().all(|fact| fact.datum_type == f32::datum_type())
        && kernel.shape.as_concrete() == Some(&[channels, 1, TAPS, TAPS])
        && bias.shape.as_concrete().is_some_and(|shape| [channels, 1].contains(&shape.iter().product()))
        && spec.dilations.as_deref().is_none_or(|dilations| dilations == [1, 1])
        && [before, after].iter().all(|pads| pads.len() == 2 && pads.iter().all(|pad| *pad < TAPS))
        && padded(0) >= TAPS
        && padded(1) >= TAPS;
    if !fits {
        return Ok(None);
    }
    let outputs = [0, 1].map(|axis| (padded(axis) - TAPS) / stride + 1);
    let (bounds, last) = bounds_after(model, node)?;
    let grid = Grid { stride, size, before: [before[0], before[1]], outputs };
    let op = Depthwise { leading, channels, grid, bounds: bounds.map(f32::to_bits) };
    let mut patch = TypedModelPatch::default();
    let inputs = patch.taps(model, &node.inputs)?;
    let out = patch.wire_node(&node.name, op, &inputs)?;
    patch.shunt_outside(model, last.into(), out[0])?;
    Ok(Some(patch))
}

/// The least and the largest value that the nodes after this one let through, and the last of those nodes.
fn bounds_after(model: &TypedModel, node: &TypedNode) -> TractResult<([f32; 2], usize)> {
    let mut bounds = [f32::NEG_INFINITY, f32::INFINITY];
    let mut last = node.id;
    while let Some(next) = model.single_succ(last)? {
        let Some(TypedBinOp(op, _)) = next.op_as() else { break };
        let mut others = next.inputs.iter().filter(|input| input.node != last);
        let Some(bound) = others.next().and_then(|other| model.outlet_fact(*other).ok()?.konst.clone()) else { break };
        let (bound, same_shape) = (
            bound.cast_to_scalar::<f32>(),
            model.outlet_fact(next.id.into())?.shape == model.outlet_fact(last.into())?.shape,
        );
        let Some(bound) = bound.ok().filter(|_| same_shape) else { break };
        if op.is::<Max>() {
            bounds = bounds.map(|old| old.max(bound));
        } else if op.is::<Min>() {
            bounds = bounds.map(|old| old.min(bound));
        } else {
            break;
        }
        last = next.id;
    }
    Ok((bounds, last))
}

/// See the head of this file. Inputs are the image, the filters `[channels, 1, 3, 3]` and a bias for each channel or for all.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Depthwise {
    /// Axes of length 1 before the channels.
    leading: Vec<usize>,
    channels: usize,
    grid: Grid,
    /// Bits of the least and the largest number that come out.
    bounds: [u32; 2],
}

impl Depthwise {
    fn shape(&self) -> TVec<usize> {
        self.leading.iter().copied().chain([self.channels]).chain(self.grid.outputs).collect()
    }
}

impl Op for Depthwise {
    fn name(&self) -> StaticName {
        "Depthwise3x3".into()
    }

    fn validation(&self) -> Validation {
        Validation::Rounding
    }

    op_as_typed_op!();
}

impl EvalOp for Depthwise {
    op_out_of_plan!();

    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let [image, kernel, bias] = &inputs[..] else { bail!("a convolution takes three inputs") };
        let [image, kernel, bias] = [image, kernel, bias].map(|input| input.try_as_plain_ram());
        let (image, kernel, bias) = (image?, kernel?, bias?);
        let (image, kernel, bias) = (image.as_slice()?, kernel.as_slice()?, bias.as_slice()?);
        let mut out = Tensor::zero::<f32>(&self.shape())?;
        let mut places = out.try_as_plain_ram_mut()?;
        self.grid.convolve(image, kernel, bias, self.bounds.map(f32::from_bits), places.as_slice_mut()?);
        Ok(tvec!(out.into()))
    }
}

impl TypedOp for Depthwise {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(tvec!(inputs[0].datum_type.fact(self.shape())))
    }

    as_op!();
}

/// Which points of a channel are read. Pairs are of rows and columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Grid {
    /// 1 or 2.
    stride: usize,
    size: [usize; 2],
    /// Zeros above and on the left.
    before: [usize; 2],
    outputs: [usize; 2],
}

impl Grid {
    /// Rows and columns of one plane: the taps of the last output lie up to two points behind it, with stride 2 one.
    fn plane(&self) -> [usize; 2] {
        self.outputs.map(|side| side + (TAPS - 1) / self.stride)
    }

    fn convolve(&self, image: &[f32], kernel: &[f32], bias: &[f32], bounds: [f32; 2], out: &mut [f32]) {
        Arch::new().dispatch(Job { grid: *self, image, kernel, bias, bounds, out });
    }

    /// Copies a channel to where its taps are read. Every channel fills the same places, so that the padding stays zero.
    #[inline(always)]
    fn sort(&self, channel: &[f32], planes: &mut [f32]) {
        let ([above, left], [plane_rows, line]) = (self.before, self.plane());
        for (row, numbers) in channel.chunks_exact(self.size[1]).enumerate() {
            let (row, first) = (row + above, (row + above) % self.stride * self.stride);
            let at = |plane: usize| (plane * plane_rows + row / self.stride) * line;
            if row / self.stride >= plane_rows {
                break;
            }
            if self.stride == 1 {
                let to = planes[at(0)..][..line].iter_mut().skip(left);
                to.zip(numbers).for_each(|(to, number)| *to = *number);
                continue;
            }
            // With an odd number of columns before it, the first column is an odd one.
            for odd in 0..2 {
                let skipped = (odd + left) % 2;
                let to = &mut planes[at(first + odd)..][..line];
                let to = to.get_mut((left + skipped) / 2..).unwrap_or_default();
                let (pairs, last) = numbers.get(skipped..).unwrap_or_default().as_chunks::<2>();
                for (to, pair) in to.iter_mut().zip(pairs) {
                    *to = pair[0];
                }
                if let (Some(to), Some(last)) = (to.get_mut(pairs.len()), last.first()) {
                    *to = *last;
                }
            }
        }
    }
}

/// One run, which is compiled for each set of vector instructions; all that it calls has to be a part of it.
struct Job<'a> {
    grid: Grid,
    image: &'a [f32],
    kernel: &'a [f32],
    bias: &'a [f32],
    bounds: [f32; 2],
    out: &'a mut [f32],
}

impl NullaryFnOnce for Job<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { grid, image, kernel, bias, bounds, out } = self;
        let ([height, width], [rows, columns], [plane_rows, line]) = (grid.size, grid.outputs, grid.plane());
        let area = plane_rows * line;
        // Behind the planes are zeros: for the taps of columns that are thrown away, and for the last block.
        let mut planes = vec![0.0; grid.stride * grid.stride * area + TAPS * line + TAPS + BLOCK];
        let mut sums = vec![[0.0; BLOCK]; (rows * line).div_ceil(BLOCK)];
        let channels = image.chunks_exact(height * width).zip(kernel.as_chunks::<{ TAPS * TAPS }>().0);
        for (((channel, kernel), bias), out) in
            channels.zip(bias.iter().cycle()).zip(out.chunks_exact_mut(rows * columns))
        {
            grid.sort(channel, &mut planes);
            let mut taps = [&planes[..]; TAPS * TAPS];
            for (tap, from) in taps.iter_mut().enumerate() {
                let [y, x] = [tap / TAPS, tap % TAPS];
                let plane = (y % grid.stride) * grid.stride + x % grid.stride;
                *from = &planes[plane * area + (y / grid.stride) * line + x / grid.stride..];
            }
            sum(taps, kernel, *bias, bounds, &mut sums);
            for (out, sums) in out.chunks_exact_mut(columns).zip(sums.as_flattened().chunks_exact(line)) {
                out.copy_from_slice(&sums[..columns]);
            }
        }
    }
}

/// Sums whole blocks; there are as many more numbers behind each tap.
#[inline(always)]
fn sum(
    taps: [&[f32]; TAPS * TAPS],
    kernel: &[f32; TAPS * TAPS],
    bias: f32,
    [least, most]: [f32; 2],
    out: &mut [[f32; BLOCK]],
) {
    for (at, out) in out.iter_mut().enumerate() {
        let mut sums = [bias; BLOCK];
        for (weight, tap) in kernel.iter().zip(taps) {
            for (sum, number) in sums.iter_mut().zip(&tap[at * BLOCK..][..BLOCK]) {
                *sum += weight * number;
            }
        }
        for (out, sum) in out.iter_mut().zip(sums) {
            let sum = if sum < least { least } else { sum };
            *out = if sum > most { most } else { sum };
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As the definition says, point by point.
    fn plainly(grid: Grid, image: &[f32], kernel: &[f32], bias: &[f32], [least, most]: [f32; 2]) -> Vec<f32> {
        let [height, width] = grid.size;
        let mut out = Vec::new();
        for (channel, bias) in bias.iter().enumerate() {
            for (row, column) in
                (0..grid.outputs[0]).flat_map(|row| (0..grid.outputs[1]).map(move |column| (row, column)))
            {
                let mut sum = *bias;
                for (y, x) in (0..TAPS).flat_map(|y| (0..TAPS).map(move |x| (y, x))) {
                    let at = [
                        (grid.stride * row + y).checked_sub(grid.before[0]),
                        (grid.stride * column + x).checked_sub(grid.before[1]),
                    ];
                    if let [Some(from_y), Some(from_x)] = at
                        && from_y < height
                        && from_x < width
                    {
                        sum += kernel[(channel * TAPS + y) * TAPS + x]
                            * image[(channel * height + from_y) * width + from_x];
                    }
                }
                out.push(sum.clamp(least, most));
            }
        }
        out
    }

    proptest! {
        #[test]
        fn it_computes_what_the_definition_says(
            stride in 1_usize..3, size in [1_usize..20, 1_usize..20], before in [0_usize..3, 0_usize..3], after in [0_usize..3, 0_usize..3],
            most in 0.1_f32..2.0, seed in any::<u32>()
        ) {
            let padded = [0, 1].map(|axis| size[axis] + before[axis] + after[axis]);
            prop_assume!(padded.iter().all(|side| *side >= TAPS));
            let grid = Grid { stride, size, before, outputs: padded.map(|side| (side - TAPS) / stride + 1) };
            let mut state = seed;
            let mut some = |count: usize| -> Vec<f32> {
                let mut next = || { state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223); (state >> 16) as f32 / 65_536.0 - 0.5 };
                (0..count).map(|_| next()).collect()
            };
            let (image, kernel, bias) = (some(3 * size[0] * size[1]), some(3 * TAPS * TAPS), some(3));
            let mut fast = vec![0.0; 3 * grid.outputs[0] * grid.outputs[1]];
            grid.convolve(&image, &kernel, &bias, [-0.1, most], &mut fast);
            let plain = plainly(grid, &image, &kernel, &bias, [-0.1, most]);
            prop_assert_eq!(fast.len(), plain.len());
            for (fast, plain) in fast.iter().zip(&plain) {
                prop_assert!((fast - plain).abs() < 1e-5, "{} {}", fast, plain);
            }
        }
    }
}
