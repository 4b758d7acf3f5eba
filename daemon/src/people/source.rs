//! Where the numbers of faces come from. A library has too many of them for memory: the search holds those that it needs, the rest is read when asked for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::faces::{Faces, StoredFaces};
use crate::library::AssetId;

/// Gives the faces of a photo as they are now, which may be later ones than those that were grouped.
pub trait FaceSource: Send + Sync {
    /// The faces of a photo; `None` when it has none any more, or they cannot be read.
    fn faces(&self, asset: AssetId) -> Option<Arc<StoredFaces>>;

    /// These are about to be grouped. For sources that do not know by themselves.
    fn put(&self, _asset: AssetId, _faces: &Arc<StoredFaces>) {}

    /// The photo is gone. For sources that do not know by themselves.
    fn forget(&self, _asset: AssetId) {}
}

impl FaceSource for Faces {
    fn faces(&self, asset: AssetId) -> Option<Arc<StoredFaces>> {
        self.of(asset)
    }
}

/// Keeps what was grouped in memory: for whoever groups without a catalog.
#[derive(Default)]
pub struct Remembered(Mutex<HashMap<AssetId, Arc<StoredFaces>>>);

impl FaceSource for Remembered {
    fn faces(&self, asset: AssetId) -> Option<Arc<StoredFaces>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&asset).cloned()
    }

    fn put(&self, asset: AssetId, faces: &Arc<StoredFaces>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(asset, faces.clone());
    }

    fn forget(&self, asset: AssetId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&asset);
    }
}
