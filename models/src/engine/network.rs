//! One ONNX network, optimised for one concrete input shape.

use std::sync::Arc;

use tract_onnx::prelude::*;

use super::EngineError;
use crate::pixels::Planes;

/// A network that is ready to run. Its outputs are checked when it is loaded, so a run can rely on their number and shapes.
pub(super) struct Network {
    file: String,
    side: usize,
    plan: Arc<TypedRunnableModel>,
}

impl Network {
    /// `side` is that of the square RGB input `[1, 3, side, side]`; `outputs` are the names and shapes that must come out, in order.
    pub(super) fn load(
        file: &str,
        onnx: &[u8],
        side: usize,
        outputs: &[(&str, &[usize])],
    ) -> Result<Self, EngineError> {
        let refused = |error: TractError| EngineError::Network { file: file.to_owned(), reason: format!("{error:#}") };
        // Shapes other than the input's are left for tract to infer: those written in foreign files often name a symbolic batch.
        let model = tract_onnx::onnx()
            .with_ignore_output_shapes(true)
            .with_ignore_value_info(true)
            .model_for_read(&mut &onnx[..])
            .map_err(refused)?;
        if model.inputs.len() != 1 {
            return Err(EngineError::Network {
                file: file.to_owned(),
                reason: "it has not exactly one input".to_owned(),
            });
        }
        let input = InferenceFact::dt_shape(f32::datum_type(), [1, 3, side, side]);
        let model = model.with_input_fact(0, input).and_then(InferenceModelExt::into_optimized).map_err(refused)?;
        check_outputs(file, &model, outputs)?;
        let plan = model.into_runnable().map_err(refused)?;
        Ok(Self { file: file.to_owned(), side, plan })
    }

    /// The outputs as flat lists, all finite.
    pub(super) fn run<const OUTPUTS: usize>(&self, input: &Planes) -> Result<[Vec<f32>; OUTPUTS], EngineError> {
        let failed = |error: TractError| EngineError::Run { file: self.file.clone(), reason: format!("{error:#}") };
        let input = Tensor::from_shape(&[1, 3, self.side, self.side], &input.values).map_err(failed)?;
        let outputs = self.plan.run(tvec!(input.into())).map_err(failed)?;
        let mut lists = [const { Vec::new() }; OUTPUTS];
        for (list, output) in lists.iter_mut().zip(outputs.iter()) {
            list.extend(output.to_plain_array_view::<f32>().map_err(failed)?.iter());
            if !list.iter().all(|number: &f32| number.is_finite()) {
                return Err(EngineError::NotFinite { file: self.file.clone() });
            }
        }
        Ok(lists)
    }
}

fn check_outputs(file: &str, model: &TypedModel, expected: &[(&str, &[usize])]) -> Result<(), EngineError> {
    let mut found = Vec::new();
    for outlet in &model.outputs {
        let label = model.outlet_label(*outlet).unwrap_or_default();
        let fact = model
            .outlet_fact(*outlet)
            .map_err(|error| EngineError::Network { file: file.to_owned(), reason: format!("{error:#}") })?;
        let float = fact.datum_type == f32::datum_type();
        found.push((label, fact.shape.as_concrete().filter(|_| float).unwrap_or_default()));
    }
    if found == expected {
        return Ok(());
    }
    Err(EngineError::Shape { file: file.to_owned(), expected: format!("{expected:?}"), found: format!("{found:?}") })
}
