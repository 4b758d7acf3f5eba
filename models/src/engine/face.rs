//! What the engine says about a face.

use serde::{Deserialize, Serialize};

use crate::{Rect, distance_squared};

/// A face found in a photo.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Face {
    /// Where it is, within the photo.
    pub rect: Rect,
    /// How sure the detector is, 0..1.
    pub score: f32,
    /// In pixels of the photo: the 68 points of the iBUG scheme (jaw 0-16, brows 17-26, nose 27-35, eyes 36-47, mouth 48-67), or, from packs
    /// without a landmark net, the five of [`five_points`].
    pub landmarks: Vec<[f32; 2]>,
    /// How well it can be recognised.
    pub quality: Quality,
    /// What it looks like, as numbers.
    pub embedding: Embedding,
}

/// The eye on the left of the image, the one on the right, the tip of the nose, the corner of the mouth on the left, the one on the right: of
/// landmarks in either form that [`Face::landmarks`] has. `None` for any other number of points.
#[must_use]
pub fn five_points(landmarks: &[[f32; 2]]) -> Option<[[f32; 2]; 5]> {
    if let Ok(five) = landmarks.try_into() {
        return Some(five);
    }
    let points: &[[f32; 2]; 68] = landmarks.try_into().ok()?;
    let middle = |from: usize| {
        let [x, y] = points[from..from + 6].iter().fold([0.0, 0.0], |[x, y], point| [x + point[0], y + point[1]]);
        [x / 6.0, y / 6.0]
    };
    Some([middle(36), middle(42), points[30], points[48], points[54]])
}

/// How well a face can be recognised.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// Width of the box in pixels of the photo.
    pub width_px: f32,
    /// Variance of the Laplacian of the aligned chip's brightness (0..255 scale); below about 20 is blurred.
    pub sharpness: f32,
    /// 1 looks into the camera, 0 is a profile.
    pub frontality: f32,
    /// All of it together, 0..1.
    pub score: f32,
}

/// What a face looks like, as a point: photos of one person lie close together. Biometric data: it never leaves the node (D5).
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Embedding(pub Vec<f32>);

impl Embedding {
    /// Euclidean distance. Infinite when the lengths differ, since embeddings of different packs never compare.
    #[must_use]
    pub fn distance(&self, other: &Self) -> f32 {
        distance_squared(&self.0, &other.0).sqrt()
    }
}

impl std::fmt::Debug for Embedding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Embedding({} numbers)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_is_euclidean_and_infinite_across_lengths() {
        let (a, b) = (Embedding(vec![0.0, 0.0]), Embedding(vec![3.0, 4.0]));
        assert_eq!(a.distance(&b), 5.0);
        assert_eq!(a.distance(&a), 0.0);
        assert_eq!(a.distance(&Embedding(vec![0.0])), f32::INFINITY);
    }

    #[test]
    fn five_points_are_taken_from_either_form() {
        let landmarks: Vec<[f32; 2]> = (0..68).map(|number| [number as f32, -1.0]).collect();
        let five = [[38.5, -1.0], [44.5, -1.0], [30.0, -1.0], [48.0, -1.0], [54.0, -1.0]];
        assert_eq!(five_points(&landmarks), Some(five));
        assert_eq!(five_points(&five), Some(five));
        assert_eq!(five_points(&landmarks[..67]), None);
    }

    #[test]
    fn d3_no_embedding_is_printed() {
        assert_eq!(format!("{:?}", Embedding(vec![0.123_456; 128])), "Embedding(128 numbers)");
    }
}
