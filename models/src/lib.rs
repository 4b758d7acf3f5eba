//! An image in, faces out: model packs, conversion of weights to ONNX, detection, landmarks, alignment, embedding and quality.
//!
//! ```text
//! RgbImage ─► detector ─► landmarks ─► similarity ─► chip 150x150 ─► recogniser ─► Face
//!              boxes       68 points    33 of them                    embedding
//! ```
//!
//! | module | job |
//! |---|---|
//! | [`pack`](Pack) | a folder or the built-in pack: networks, thresholds, provenance; every file checked against its hash |
//! | [`engine`](Engine) | runs the networks on one image |
//! | [`convert`] | makes the ONNX files of the built-in pack from the pinned npm package |
//! | [`eval`] | how well a pack does on labelled photos |
//! | [`Neighbours`] | embeddings near a given one |
//! | `geometry`, `pixels` | boxes, similarity transforms, resizing and warping |
//!
//! Deliberately absent: the network, any database, the clock, threads, and the opening of photos by name: whoever calls brings the bytes
//! and may do so in a sandbox. Nothing here writes a file except [`convert`], nor opens a photo except
//! [`eval`]. Embeddings of different packs never compare ([`Pack::id`]).

pub mod convert;
mod engine;
pub mod eval;
mod geometry;
pub mod limits;
mod neighbours;
mod pack;
pub mod photo;
mod pixels;

pub use engine::{Detection, Effort, Embedding, Engine, EngineError, Face, Pose, Quality, five_points};
pub use geometry::{Rect, Similarity};
pub use neighbours::{Near, Neighbours, compact, distance_squared, expand};
pub use pack::{
    ChildThresholds, MANIFEST, Pack, PackError, PackFacts, PackFile, Thresholds, builtin_file, pinned_hash,
};
