//! Reads a weight file of the package: tensors back to back in the order of the manifest, most of them as one byte a number.

use std::collections::HashMap;

use serde::Deserialize;

use super::ConvertError;

#[derive(Deserialize)]
struct Group {
    weights: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    shape: Vec<usize>,
    quantization: Option<Quantization>,
}

/// A stored byte `q` stands for `q * scale + min`.
#[derive(Deserialize)]
struct Quantization {
    scale: f64,
    min: f64,
}

/// A tensor in row-major order.
#[derive(Debug, Clone)]
pub(super) struct Tensor {
    pub(super) shape: Vec<usize>,
    pub(super) values: Vec<f64>,
}

impl Tensor {
    /// A convolution filter from height, width, in, out to ONNX's out, in, height, width.
    pub(super) fn filter_to_onnx(&self) -> Self {
        self.permute([3, 2, 0, 1])
    }

    /// A depthwise filter from height, width, channel, 1 to ONNX's channel, 1, height, width.
    pub(super) fn depthwise_to_onnx(&self) -> Self {
        self.permute([2, 3, 0, 1])
    }

    fn permute(&self, order: [usize; 4]) -> Self {
        let shape: Vec<usize> = order.iter().map(|&axis| self.shape[axis]).collect();
        let strides = [self.shape[1] * self.shape[2] * self.shape[3], self.shape[2] * self.shape[3], self.shape[3], 1];
        let mut values = Vec::with_capacity(self.values.len());
        for a in 0..shape[0] {
            for b in 0..shape[1] {
                for c in 0..shape[2] {
                    for d in 0..shape[3] {
                        let index = [a, b, c, d];
                        let at: usize = order.iter().zip(index).map(|(&axis, i)| strides[axis] * i).sum();
                        values.push(self.values[at]);
                    }
                }
            }
        }
        Self { shape, values }
    }

    /// Multiplies everything that leads to output channel `i` (the first axis) by `factors[i]`.
    pub(super) fn scale_outputs(&mut self, factors: &[f64]) {
        let per_output = self.values.len() / factors.len();
        for (chunk, factor) in self.values.chunks_exact_mut(per_output).zip(factors) {
            chunk.iter_mut().for_each(|value| *value *= factor);
        }
    }

    /// Keeps the output channels (the first axis) that `keep` names, in its order.
    pub(super) fn select_outputs(&self, keep: &[usize]) -> Self {
        let per_output = self.values.len() / self.shape[0];
        let mut shape = self.shape.clone();
        shape[0] = keep.len();
        let values =
            keep.iter().flat_map(|&at| &self.values[at * per_output..(at + 1) * per_output]).copied().collect();
        Self { shape, values }
    }
}

/// Every tensor of one weight file by name.
pub(super) struct Weights {
    tensors: HashMap<String, Tensor>,
}

impl Weights {
    pub(super) fn parse(manifest: &[u8], bin: &[u8]) -> Result<Self, ConvertError> {
        let groups: Vec<Group> = serde_json::from_slice(manifest).map_err(ConvertError::Manifest)?;
        let mut tensors = HashMap::new();
        let mut rest = bin;
        for entry in groups.into_iter().flat_map(|group| group.weights) {
            let layout = || ConvertError::Layout { tensor: entry.name.clone() };
            let count = entry.shape.iter().try_fold(1_usize, |all, &side| all.checked_mul(side)).ok_or_else(layout)?;
            let width = if entry.quantization.is_some() { 1 } else { size_of::<f32>() };
            let length = count.checked_mul(width).ok_or_else(layout)?;
            let (bytes, after) = rest.split_at_checked(length).ok_or_else(layout)?;
            rest = after;
            let values = match &entry.quantization {
                // Rounded to `f32` as the package itself does, so that both compute with the same weights.
                Some(code) => bytes.iter().map(|&q| f64::from((f64::from(q) * code.scale + code.min) as f32)).collect(),
                None => bytes.as_chunks::<4>().0.iter().map(|&four| f64::from(f32::from_le_bytes(four))).collect(),
            };
            tensors.insert(entry.name, Tensor { shape: entry.shape, values });
        }
        if !rest.is_empty() {
            return Err(ConvertError::Layout { tensor: "(end of file)".to_owned() });
        }
        Ok(Self { tensors })
    }

    /// The tensor of this name, of exactly this shape.
    pub(super) fn get(&self, name: &str, shape: &[usize]) -> Result<Tensor, ConvertError> {
        match self.tensors.get(name) {
            Some(tensor) if tensor.shape == shape => Ok(tensor.clone()),
            _ => Err(ConvertError::Tensor { tensor: name.to_owned(), expected: shape.to_vec() }),
        }
    }

    /// The numbers of a one-dimensional tensor.
    pub(super) fn vector(&self, name: &str, length: usize) -> Result<Vec<f64>, ConvertError> {
        Ok(self.get(name, &[length])?.values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = r#"[{"weights":[
        {"name":"coded","shape":[2],"dtype":"float32","quantization":{"dtype":"uint8","scale":0.5,"min":-1.0}},
        {"name":"plain","shape":[1],"dtype":"float32"}],"paths":["x.bin"]}]"#;

    #[test]
    fn coded_and_plain_tensors_are_read_in_order() {
        let mut bin = vec![0, 4];
        bin.extend_from_slice(&1.25_f32.to_le_bytes());
        let weights = Weights::parse(MANIFEST.as_bytes(), &bin).unwrap();
        assert_eq!(weights.vector("coded", 2).unwrap(), [-1.0, 1.0]);
        assert_eq!(weights.vector("plain", 1).unwrap(), [1.25]);
    }

    #[test]
    fn a_short_file_and_a_long_file_are_refused() {
        assert!(matches!(Weights::parse(MANIFEST.as_bytes(), &[0; 5]), Err(ConvertError::Layout { .. })));
        assert!(matches!(Weights::parse(MANIFEST.as_bytes(), &[0; 7]), Err(ConvertError::Layout { .. })));
    }

    #[test]
    fn an_absent_tensor_and_another_shape_are_refused() {
        let weights = Weights::parse(MANIFEST.as_bytes(), &[0; 6]).unwrap();
        assert!(matches!(weights.vector("nothing", 1), Err(ConvertError::Tensor { .. })));
        assert!(matches!(weights.vector("coded", 3), Err(ConvertError::Tensor { .. })));
    }

    #[test]
    fn permuting_moves_every_number_to_its_place() {
        let tensor = Tensor { shape: vec![1, 2, 1, 2], values: vec![1.0, 2.0, 3.0, 4.0] };
        let moved = tensor.filter_to_onnx();
        assert_eq!(moved.shape, [2, 1, 1, 2]);
        assert_eq!(moved.values, [1.0, 3.0, 2.0, 4.0]);
    }
}
