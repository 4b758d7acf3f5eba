//! The faces of labelled photos themselves, for measurements that are made elsewhere.

use std::path::Path;

use super::EvalError;
use super::labels::{self, Labels, at_working_size, open};
use crate::{Embedding, Engine};

/// The face of a labelled person in one photo.
#[derive(Debug, Clone)]
pub struct LabelledFace {
    /// Number of the person.
    pub person: usize,
    /// The embedding.
    pub embedding: Embedding,
}

/// The widest face of each photo that is labelled with a person, in a labelled folder or each one in a folder. `progress` as for
/// [`evaluate`](super::evaluate). Photos that cannot be decoded, and those without a face, are left out.
///
/// # Errors
/// When there are no labels, they cannot be read, or the engine fails.
pub fn labelled_faces(
    engine: &Engine,
    folder: &Path,
    progress: &mut dyn FnMut(&str, usize, usize),
) -> Result<Vec<LabelledFace>, EvalError> {
    let mut found: Vec<LabelledFace> = Vec::new();
    let mut first_person = 0;
    for labels in Labels::find(folder)? {
        for (at, photo) in labels.photos.iter().enumerate() {
            progress(&photo.name, at, labels.photos.len());
            let (Some(person), Ok(image)) = (photo.person, open(&photo.path)) else { continue };
            let faces = engine.find_faces(&at_working_size(image))?;
            let widest = faces.into_iter().max_by(|a, b| a.rect.w.total_cmp(&b.rect.w));
            found.extend(widest.map(|face| LabelledFace { person: first_person + person, embedding: face.embedding }));
        }
        first_person += labels.photos.len();
    }
    Ok(found)
}

/// Every face of every photo of a folder, each as another person.
///
/// # Errors
/// When the folder cannot be read or the engine fails.
pub fn unlabelled_faces(
    engine: &Engine,
    folder: &Path,
    progress: &mut dyn FnMut(&str, usize, usize),
) -> Result<Vec<LabelledFace>, EvalError> {
    let mut found = Vec::new();
    let photos = labels::photos(folder, None)?;
    for (at, photo) in photos.iter().enumerate() {
        progress(&photo.name, at, photos.len());
        let Ok(image) = open(&photo.path) else { continue };
        for face in engine.find_faces(&at_working_size(image))? {
            found.push(LabelledFace { person: found.len(), embedding: face.embedding });
        }
    }
    Ok(found)
}
