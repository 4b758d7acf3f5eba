//! One ONNX network, optimised for one concrete input shape.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tract_onnx::prelude::*;

use super::{EngineError, depthwise};
use crate::pack::Pixels;
use crate::pixels::Planes;

/// Runs of which the shortest counts.
const TIMED_RUNS: usize = 20;

/// Names and shapes of outputs, in order.
pub(super) type Outputs<'a> = [(&'a str, &'a [usize])];

/// How pixels become numbers: their order, then `(pixel - mean) * scale`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Feed {
    pub(super) pixels: Pixels,
    pub(super) mean: f32,
    pub(super) scale: f32,
}

impl From<Pixels> for Feed {
    fn from(pixels: Pixels) -> Self {
        Self { pixels, mean: 0.0, scale: 1.0 }
    }
}

impl Feed {
    /// The numbers that go in, as `[1, 3, height, width]`.
    fn numbers(&self, planes: &Planes) -> Vec<f32> {
        let area = planes.width * planes.height;
        let mut numbers = Vec::with_capacity(planes.values.len());
        for channel in self.pixels.channels() {
            let plane = planes.values.iter().skip(channel * area).take(area);
            numbers.extend(plane.map(|value| (value - self.mean) * self.scale));
        }
        numbers
    }

    fn changes_nothing(&self) -> bool {
        self.pixels == Pixels::RgbBytes && self.mean == 0.0 && self.scale == 1.0
    }
}

/// A parsed network file, from which a [`Network`] is made for each input shape that is wanted.
pub(super) struct Source {
    file: String,
    model: InferenceModel,
}

impl Source {
    pub(super) fn parse(file: &str, onnx: &[u8]) -> Result<Self, EngineError> {
        // Shapes other than the input's are left for tract to infer: those written in foreign files often name a symbolic batch.
        let model = tract_onnx::onnx()
            .with_ignore_output_shapes(true)
            .with_ignore_value_info(true)
            .model_for_read(&mut &onnx[..])
            .map_err(|error| refused(file, &error))?;
        if model.inputs.len() != 1 {
            let reason = "it has not exactly one input".to_owned();
            return Err(EngineError::Network { file: file.to_owned(), reason });
        }
        Ok(Self { file: file.to_owned(), model })
    }

    /// Width and height of the input when the file takes no other.
    pub(super) fn only_size(&self) -> Option<[usize; 2]> {
        let shape = self.model.input_fact(0).ok()?.shape.as_concrete_finite().ok()??;
        match *shape {
            [_, 3, height, width] => Some([width, height]),
            _ => None,
        }
    }

    /// Whether `outputs` come out for RGB input of this width and height.
    pub(super) fn check(&self, size: [usize; 2], outputs: &Outputs) -> Result<(), EngineError> {
        let file = &self.file;
        let model = self.shaped(size).and_then(InferenceModelExt::into_typed);
        check_outputs(file, &model.map_err(|error| refused(file, &error))?, outputs)
    }

    /// Optimises for RGB input of this width and height; `outputs` must come out.
    pub(super) fn optimise(&self, size: [usize; 2], feed: Feed, outputs: &Outputs) -> Result<Network, EngineError> {
        let file = &self.file;
        let model = self.shaped(size).and_then(optimised).map_err(|error| refused(file, &error))?;
        check_outputs(file, &model, outputs)?;
        let plan = model.into_runnable().map_err(|error| refused(file, &error))?;
        Ok(Network { file: file.clone(), size, feed, plan })
    }

    fn shaped(&self, [width, height]: [usize; 2]) -> TractResult<InferenceModel> {
        self.model.clone().with_input_fact(0, InferenceFact::dt_shape(f32::datum_type(), [1, 3, height, width]))
    }
}

/// A network that is ready to run. Its outputs are checked when it is loaded, so a run can rely on their number and shapes.
pub(super) struct Network {
    file: String,
    /// Width and height of the input.
    size: [usize; 2],
    feed: Feed,
    plan: Arc<TypedRunnableModel>,
}

impl Network {
    /// A network that takes a square of this side.
    pub(super) fn load(
        file: &str,
        onnx: &[u8],
        side: usize,
        feed: Feed,
        outputs: &Outputs,
    ) -> Result<Self, EngineError> {
        Source::parse(file, onnx)?.optimise([side, side], feed, outputs)
    }

    /// File name, and the least time of several runs on black.
    pub(super) fn time(&self) -> Result<(String, Duration), EngineError> {
        let [width, height] = self.size;
        let input = Planes::black(width, height);
        let run = || {
            let start = Instant::now();
            self.run_all(&input).map(|_| start.elapsed())
        };
        let times: Vec<Duration> = (0..TIMED_RUNS).map(|_| run()).collect::<Result<_, _>>()?;
        Ok((self.file.clone(), times.into_iter().min().unwrap_or_default()))
    }

    /// The outputs as flat lists, all finite.
    pub(super) fn run<const OUTPUTS: usize>(&self, input: &Planes) -> Result<[Vec<f32>; OUTPUTS], EngineError> {
        let mut lists = [const { Vec::new() }; OUTPUTS];
        for (list, output) in lists.iter_mut().zip(self.run_all(input)?) {
            *list = output;
        }
        Ok(lists)
    }

    fn run_all(&self, input: &Planes) -> Result<Vec<Vec<f32>>, EngineError> {
        let failed = |error: TractError| EngineError::Run { file: self.file.clone(), reason: format!("{error:#}") };
        let [width, height] = self.size;
        let shape = [1, 3, height, width];
        let input = if self.feed.changes_nothing() {
            Tensor::from_shape(&shape, &input.values)
        } else {
            Tensor::from_shape(&shape, &self.feed.numbers(input))
        };
        let mut lists = Vec::new();
        for output in self.plan.run(tvec!(input.map_err(failed)?.into())).map_err(failed)?.iter() {
            let list: Vec<f32> = output.to_plain_array_view::<f32>().map_err(failed)?.iter().copied().collect();
            if !list.iter().all(|number| number.is_finite()) {
                return Err(EngineError::NotFinite { file: self.file.clone() });
            }
            lists.push(list);
        }
        Ok(lists)
    }
}

fn optimised(model: InferenceModel) -> TractResult<TypedModel> {
    let mut model = model.into_typed()?.into_decluttered()?;
    depthwise::replace(&mut model)?;
    model.into_optimized()
}

fn refused(file: &str, error: &TractError) -> EngineError {
    EngineError::Network { file: file.to_owned(), reason: format!("{error:#}") }
}

fn check_outputs(file: &str, model: &TypedModel, expected: &Outputs) -> Result<(), EngineError> {
    let mut found = Vec::new();
    for outlet in &model.outputs {
        let label = model.outlet_label(*outlet).unwrap_or_default();
        let fact = model.outlet_fact(*outlet).map_err(|error| refused(file, &error))?;
        let float = fact.datum_type == f32::datum_type();
        found.push((label, fact.shape.as_concrete().filter(|_| float).unwrap_or_default()));
    }
    if found == expected {
        return Ok(());
    }
    Err(EngineError::Shape { file: file.to_owned(), expected: format!("{expected:?}"), found: format!("{found:?}") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Pack;

    #[test]
    fn every_depthwise_convolution_of_the_builtin_pack_runs_in_our_loop_with_its_bounds() {
        let pack = Pack::builtin().unwrap();
        for (onnx, side, expected) in [(pack.detector(), 512, 13), (pack.landmarks().unwrap(), 112, 15)] {
            let model = optimised(Source::parse("network", onnx).unwrap().shaped([side, side]).unwrap()).unwrap();
            let named = |name: &str| model.nodes().iter().filter(|node| node.op.name() == name).collect::<Vec<_>>();
            let ours = named("Depthwise3x3");
            assert_eq!((ours.len(), named("DepthWiseConv").len()), (expected, 0));
            for node in ours.iter().flat_map(|node| &node.outputs).flat_map(|output| &output.successors) {
                let after = model.node(node.node).op.name();
                assert!(!after.contains("Max") && !after.contains("Min"), "{after} after a depthwise convolution");
            }
        }
    }
}
