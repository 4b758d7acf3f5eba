//! Writes ONNX: a graph grown node by node, each call returning the name of the value that it makes.

use prost::Message;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, TensorShapeProto, TypeProto,
    ValueInfoProto, tensor_shape_proto, type_proto,
};

use super::weights::Tensor;

/// Operator set in which `Clip`, `Pad` and `Slice` take their bounds as inputs and `ReduceMean` still takes its axes as an attribute.
const OPERATOR_SET: i64 = 13;

/// The file format version that goes with that operator set.
const IR_VERSION: i64 = 7;

/// Stride, zero padding (top, left, bottom, right) and groups of a convolution.
#[derive(Clone, Copy)]
pub(super) struct Convolution {
    pub(super) stride: i64,
    pub(super) pads: [i64; 4],
    pub(super) groups: i64,
}

impl Convolution {
    /// No padding.
    pub(super) const fn valid(stride: i64) -> Self {
        Self { stride, pads: [0; 4], groups: 1 }
    }

    /// A 3x3 filter with the padding that TensorFlow calls SAME, for sides that the stride divides: with stride 2 it pads only at the
    /// bottom and on the right.
    pub(super) const fn same3(stride: i64) -> Self {
        let before = if stride == 1 { 1 } else { 0 };
        Self { stride, pads: [before, before, 1, 1], groups: 1 }
    }

    /// The same with stride 2 for sides that may be odd: a row more of padding is left over where the side is even and gives a row of results
    /// at the bottom where it is not, and likewise on the right.
    pub(super) const fn halving3() -> Self {
        Self { stride: 2, pads: [0, 0, 2, 2], groups: 1 }
    }

    /// One filter for each of `channels` channels.
    pub(super) const fn depthwise(self, channels: i64) -> Self {
        Self { groups: channels, ..self }
    }
}

/// A graph under construction.
#[derive(Default)]
pub(crate) struct Graph {
    nodes: Vec<NodeProto>,
    constants: Vec<TensorProto>,
    inputs: Vec<ValueInfoProto>,
    outputs: Vec<ValueInfoProto>,
}

impl Graph {
    /// A side of 0 may have any length.
    pub(crate) fn input(&mut self, name: &str, shape: &[i64]) -> String {
        self.inputs.push(value_info(name, shape));
        name.to_owned()
    }

    /// Gives a value its public name; a side of 0 may have any length.
    pub(crate) fn output(&mut self, value: &str, name: &str, shape: &[i64]) {
        self.nodes.push(node("Identity", vec![value.to_owned()], name, vec![]));
        self.outputs.push(value_info(name, shape));
    }

    pub(crate) fn constant(&mut self, shape: &[usize], values: &[f64]) -> String {
        let raw_data = values.iter().flat_map(|&value| (value as f32).to_le_bytes()).collect();
        self.push_constant(DataType::Float, shape, raw_data)
    }

    fn integers(&mut self, values: &[i64]) -> String {
        self.push_constant(
            DataType::Int64,
            &[values.len()],
            values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        )
    }

    fn push_constant(&mut self, data_type: DataType, shape: &[usize], raw_data: Vec<u8>) -> String {
        let name = format!("c{}", self.constants.len());
        self.constants.push(TensorProto {
            name: name.clone(),
            data_type: data_type as i32,
            dims: shape.iter().map(|&side| side as i64).collect(),
            raw_data,
            ..TensorProto::default()
        });
        name
    }

    fn apply(&mut self, op: &str, inputs: &[&str], attributes: Vec<AttributeProto>) -> String {
        let name = format!("v{}", self.nodes.len());
        self.nodes.push(node(op, inputs.iter().map(|&input| input.to_owned()).collect(), &name, attributes));
        name
    }

    /// `filter` is out, in, height, width.
    pub(super) fn convolve(&mut self, value: &str, filter: &Tensor, bias: Option<&[f64]>, how: Convolution) -> String {
        let kernel = [filter.shape[2] as i64, filter.shape[3] as i64];
        let filter = self.constant(&filter.shape, &filter.values);
        let attributes = vec![
            ints("kernel_shape", &kernel),
            ints("strides", &[how.stride, how.stride]),
            ints("pads", &how.pads),
            int("group", how.groups),
        ];
        match bias {
            Some(bias) => {
                let bias = self.constant(&[bias.len()], bias);
                self.apply("Conv", &[value, &filter, &bias], attributes)
            }
            None => self.apply("Conv", &[value, &filter], attributes),
        }
    }

    pub(super) fn relu(&mut self, value: &str) -> String {
        self.apply("Relu", &[value], vec![])
    }

    pub(super) fn relu6(&mut self, value: &str) -> String {
        let (low, high) = (self.constant(&[], &[0.0]), self.constant(&[], &[6.0]));
        self.apply("Clip", &[value, &low, &high], vec![])
    }

    pub(super) fn sigmoid(&mut self, value: &str) -> String {
        self.apply("Sigmoid", &[value], vec![])
    }

    pub(super) fn exp(&mut self, value: &str) -> String {
        self.apply("Exp", &[value], vec![])
    }

    pub(crate) fn add(&mut self, left: &str, right: &str) -> String {
        self.apply("Add", &[left, right], vec![])
    }

    pub(super) fn subtract(&mut self, left: &str, right: &str) -> String {
        self.apply("Sub", &[left, right], vec![])
    }

    pub(crate) fn multiply(&mut self, left: &str, right: &str) -> String {
        self.apply("Mul", &[left, right], vec![])
    }

    pub(super) fn matrix_multiply(&mut self, left: &str, right: &str) -> String {
        self.apply("MatMul", &[left, right], vec![])
    }

    pub(super) fn max_pool(&mut self, value: &str, side: i64, stride: i64) -> String {
        self.apply("MaxPool", &[value], vec![ints("kernel_shape", &[side, side]), ints("strides", &[stride, stride])])
    }

    pub(crate) fn average_pool(&mut self, value: &str, side: i64, stride: i64) -> String {
        self.apply(
            "AveragePool",
            &[value],
            vec![ints("kernel_shape", &[side, side]), ints("strides", &[stride, stride])],
        )
    }

    /// Appends zeros: `after` counts them at the end of each axis.
    pub(super) fn pad_end(&mut self, value: &str, after: [i64; 4]) -> String {
        let mut pads = vec![0; 4];
        pads.extend_from_slice(&after);
        let pads = self.integers(&pads);
        self.apply("Pad", &[value, &pads], vec![string("mode", "constant")])
    }

    /// Mean over height and width: batch, channel, height, width becomes batch, channel.
    pub(crate) fn mean_over_pixels(&mut self, value: &str) -> String {
        self.apply("ReduceMean", &[value], vec![ints("axes", &[2, 3]), int("keepdims", 0)])
    }

    pub(super) fn channels_last(&mut self, value: &str) -> String {
        self.apply("Transpose", &[value], vec![ints("perm", &[0, 2, 3, 1])])
    }

    pub(crate) fn reshape(&mut self, value: &str, shape: &[i64]) -> String {
        let shape = self.integers(shape);
        self.apply("Reshape", &[value, &shape], vec![])
    }

    /// The first rows and columns of a constant `[1, height, width, ...]`: as many as the value `[1, channels, rows, columns]` has.
    pub(super) fn crop_like(&mut self, constant: &str, value: &str) -> String {
        let shape = self.apply("Shape", &[value], vec![]);
        let sides = self.slice(&shape, 0, 2, 4);
        let (from, axes) = (self.integers(&[0, 0]), self.integers(&[1, 2]));
        self.apply("Slice", &[constant, &from, &sides, &axes], vec![])
    }

    pub(super) fn concat(&mut self, values: &[String], axis: i64) -> String {
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        self.apply("Concat", &values, vec![int("axis", axis)])
    }

    pub(crate) fn slice(&mut self, value: &str, axis: i64, from: i64, to: i64) -> String {
        let (from, to, axis) = (self.integers(&[from]), self.integers(&[to]), self.integers(&[axis]));
        self.apply("Slice", &[value, &from, &to, &axis], vec![])
    }

    /// The finished file.
    pub(crate) fn finish(self, name: &str) -> Vec<u8> {
        let graph = GraphProto {
            name: name.to_owned(),
            node: self.nodes,
            initializer: self.constants,
            input: self.inputs,
            output: self.outputs,
            ..GraphProto::default()
        };
        ModelProto {
            ir_version: IR_VERSION,
            producer_name: "inframe".to_owned(),
            opset_import: vec![OperatorSetIdProto { domain: String::new(), version: OPERATOR_SET }],
            graph: Some(graph),
            ..ModelProto::default()
        }
        .encode_to_vec()
    }
}

fn node(op: &str, input: Vec<String>, output: &str, attribute: Vec<AttributeProto>) -> NodeProto {
    NodeProto {
        name: output.to_owned(),
        op_type: op.to_owned(),
        input,
        output: vec![output.to_owned()],
        attribute,
        ..NodeProto::default()
    }
}

fn int(name: &str, i: i64) -> AttributeProto {
    AttributeProto { name: name.to_owned(), r#type: AttributeType::Int as i32, i, ..AttributeProto::default() }
}

fn ints(name: &str, ints: &[i64]) -> AttributeProto {
    AttributeProto {
        name: name.to_owned(),
        r#type: AttributeType::Ints as i32,
        ints: ints.to_vec(),
        ..AttributeProto::default()
    }
}

fn string(name: &str, value: &str) -> AttributeProto {
    AttributeProto {
        name: name.to_owned(),
        r#type: AttributeType::String as i32,
        s: value.as_bytes().to_vec(),
        ..AttributeProto::default()
    }
}

fn value_info(name: &str, shape: &[i64]) -> ValueInfoProto {
    let dim = shape
        .iter()
        .map(|&side| tensor_shape_proto::Dimension {
            value: (side != 0).then_some(tensor_shape_proto::dimension::Value::DimValue(side)),
            ..tensor_shape_proto::Dimension::default()
        })
        .collect();
    let tensor = type_proto::Tensor { elem_type: DataType::Float as i32, shape: Some(TensorShapeProto { dim }) };
    ValueInfoProto {
        name: name.to_owned(),
        r#type: Some(TypeProto { value: Some(type_proto::Value::TensorType(tensor)), ..TypeProto::default() }),
        ..ValueInfoProto::default()
    }
}
