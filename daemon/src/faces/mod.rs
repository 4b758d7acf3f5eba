//! Faces found in assets, the profiles that this node may look for, and how a camera shows that a living person enrols. Embeddings are kept in the biometric part of the catalog and never leave the node (D5).

pub mod challenge;
pub mod consent;
mod pack;
mod profile;
pub mod tracks;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use inframe_models::Face;
use serde::{Deserialize, Serialize};

pub use pack::{ActivePack, Pack};
pub use profile::{
    ConsentReceipt, Likable, Likeness, MAX_PROFILES, MAX_SELFIES, ProfileError, ProfileId, Profiles, SelfieId,
    StoredProfile, StoredSelfie, is_signed,
};

use crate::library::AssetId;
use crate::vault::{Batch, Kind, Vault, VaultError, Versioned};

/// One face of an asset.
#[derive(Clone, Serialize, Deserialize)]
pub struct StoredFace {
    /// Left, top, width and height as fractions of the upright image.
    pub rect: [f32; 4],
    /// Width in pixels of the image that the face was measured in.
    pub width_px: f32,
    /// Quality 0..1.
    pub quality: f32,
    /// Embedding of the pack named by [`StoredFaces::pack`]; the catalog keeps a byte a number.
    #[serde(with = "bytes")]
    pub embedding: Vec<f32>,
    /// In a video, when the face is seen best, in milliseconds from the start.
    pub at_ms: Option<u64>,
}

impl std::fmt::Debug for StoredFace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StoredFace {{ rect: {:?}, quality: {:.2}, embedding: hidden }}", self.rect, self.quality)
    }
}

/// The faces of one asset, left to right.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StoredFaces {
    /// The model pack that made the embeddings; only equal packs compare.
    pub pack: String,
    /// Faces.
    pub faces: Vec<StoredFace>,
}

impl Versioned for StoredFaces {
    const VERSION: u8 = 3;
    type Before = second::StoredFaces;
}

impl StoredFaces {
    /// From the models' answer for an upright image of this size.
    #[must_use]
    pub fn new(pack: String, found: Vec<Face>, width: u32, height: u32) -> Self {
        let (w, h) = (width.max(1) as f32, height.max(1) as f32);
        let mut faces: Vec<StoredFace> = found
            .into_iter()
            .map(|face| StoredFace {
                rect: [face.rect.x / w, face.rect.y / h, face.rect.w / w, face.rect.h / h],
                width_px: face.quality.width_px,
                quality: face.quality.score,
                embedding: face.embedding.0,
                at_ms: None,
            })
            .collect();
        faces.sort_by(|a, b| a.rect[0].total_cmp(&b.rect[0]));
        Self { pack, faces }
    }
}

/// All faces of the library; cheap to clone. They lie in the catalog, and memory knows only of which assets there are any: at 100,000 photos the
/// embeddings alone would take 150 MB.
#[derive(Clone)]
pub struct Faces {
    vault: Vault,
    known: Arc<Mutex<Known>>,
    /// Assets whose faces came, changed or went since somebody took note of it.
    changed: Arc<Mutex<BTreeSet<AssetId>>>,
}

/// Of which assets there are faces.
#[derive(Default)]
struct Known {
    assets: HashMap<AssetId, Stamp>,
    /// The stamp given last.
    last: Stamp,
}

/// Changes when an asset's faces do: for whoever keeps what follows from them.
pub type Stamp = u64;

impl Known {
    fn put(&mut self, asset: AssetId) {
        self.last += 1;
        self.assets.insert(asset, self.last);
    }
}

impl Faces {
    /// Reads from the catalog which there are.
    ///
    /// # Errors
    /// When the vault cannot be read.
    pub fn open(vault: &Vault) -> Result<Self, VaultError> {
        let mut known = Known::default();
        for key in vault.catalog().keys(Kind::Face)? {
            if let Ok(key) = <[u8; 16]>::try_from(key.as_slice()) {
                known.put(AssetId(key));
            }
        }
        Ok(Self { vault: vault.clone(), known: Arc::new(Mutex::new(known)), changed: Arc::default() })
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts an asset's faces into a batch; call [`Faces::remember`] once it is committed.
    ///
    /// # Errors
    /// When the value cannot be encoded.
    pub fn put(batch: &mut Batch, asset: AssetId, faces: &StoredFaces) -> Result<(), VaultError> {
        batch.put_versioned(Kind::Face, asset.0, faces)?;
        Ok(())
    }

    /// Takes note of faces that were committed.
    pub fn remember(&self, asset: AssetId) {
        self.known().put(asset);
        self.mark_changed([asset]);
    }

    /// Forgets an asset that was deleted.
    pub fn forget(&self, asset: AssetId) {
        self.known().assets.remove(&asset);
        self.mark_changed([asset]);
    }

    /// Every asset whose faces are known, in no order.
    #[must_use]
    pub fn assets(&self) -> Vec<AssetId> {
        self.known().assets.keys().copied().collect()
    }

    /// Notes that what follows from the faces of these assets has to be looked at.
    pub fn mark_changed(&self, assets: impl IntoIterator<Item = AssetId>) {
        self.changed.lock().unwrap_or_else(PoisonError::into_inner).extend(assets);
    }

    /// How many assets' faces have changed and were not taken note of.
    #[must_use]
    pub fn changed(&self) -> usize {
        self.changed.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Takes up to `most` of the assets whose faces have changed; whoever fails to deal with them marks them again. The second number is how
    /// many are left.
    #[must_use]
    pub fn take_changed(&self, most: usize) -> (Vec<AssetId>, usize) {
        let mut changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        let some: Vec<AssetId> = changed.iter().take(most).copied().collect();
        some.iter().for_each(|asset| _ = changed.remove(asset));
        (some, changed.len())
    }

    /// The faces of an asset, read from the catalog; blocking.
    ///
    /// # Errors
    /// When the vault cannot be read.
    pub fn read(&self, asset: AssetId) -> Result<Option<Arc<StoredFaces>>, VaultError> {
        Ok(self.vault.catalog().get_versioned::<StoredFaces>(Kind::Face, asset.0)?.map(Arc::new))
    }

    /// The same for whoever can do without: those that cannot be read count as none.
    #[must_use]
    pub fn of(&self, asset: AssetId) -> Option<Arc<StoredFaces>> {
        self.read(asset).unwrap_or_else(|error| {
            tracing::error!(error = &error as &dyn std::error::Error, "the faces of a photo cannot be read");
            None
        })
    }

    /// Changes when the asset's faces do; `None` when it has none.
    #[must_use]
    pub fn stamp(&self, asset: AssetId) -> Option<Stamp> {
        self.known().assets.get(&asset).copied()
    }

    /// Forgets the faces of every asset, once they are erased from the catalog.
    pub fn forget_all(&self) {
        self.known().assets.clear();
    }
}

/// An embedding as bytes and their scale: a quarter of its size, for a change of distances that no threshold notices.
mod bytes {
    use inframe_models::{compact, expand};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(embedding: &[f32], to: S) -> Result<S::Ok, S::Error> {
        compact(embedding).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<f32>, D::Error> {
        let (numbers, scale) = <(Vec<i8>, f32)>::deserialize(from)?;
        Ok(expand(&numbers, scale))
    }
}

/// The form of the second version: four bytes a number.
mod second {
    use serde::{Deserialize, Serialize};

    use crate::vault::Versioned;

    #[derive(Serialize, Deserialize)]
    pub struct StoredFace {
        pub(super) rect: [f32; 4],
        pub(super) width_px: f32,
        pub(super) quality: f32,
        pub(super) embedding: Vec<f32>,
        pub(super) at_ms: Option<u64>,
    }

    #[derive(Serialize, Deserialize)]
    pub struct StoredFaces {
        pub(super) pack: String,
        pub(super) faces: Vec<StoredFace>,
    }

    impl Versioned for StoredFaces {
        const VERSION: u8 = 2;
        type Before = super::first::StoredFaces;
    }

    impl From<StoredFaces> for super::StoredFaces {
        fn from(old: StoredFaces) -> Self {
            let faces = old.faces.into_iter().map(|StoredFace { rect, width_px, quality, embedding, at_ms }| {
                super::StoredFace { rect, width_px, quality, embedding, at_ms }
            });
            Self { pack: old.pack, faces: faces.collect() }
        }
    }
}

/// The form of the first version: photos only.
mod first {
    use serde::{Deserialize, Serialize};

    #[derive(Serialize, Deserialize)]
    pub struct StoredFace {
        rect: [f32; 4],
        width_px: f32,
        quality: f32,
        embedding: Vec<f32>,
    }

    #[derive(Serialize, Deserialize)]
    pub struct StoredFaces {
        pack: String,
        faces: Vec<StoredFace>,
    }

    crate::first_version!(StoredFaces);

    impl From<StoredFaces> for super::second::StoredFaces {
        fn from(old: StoredFaces) -> Self {
            let faces = old.faces.into_iter().map(|StoredFace { rect, width_px, quality, embedding }| {
                super::second::StoredFace { rect, width_px, quality, embedding, at_ms: None }
            });
            Self { pack: old.pack, faces: faces.collect() }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::Older;

    fn embedding() -> Vec<f32> {
        (0..128u32).map(|at| (at * at * 31 % 251) as f32 / 1250.0 - 0.1).collect()
    }

    #[test]
    fn a_face_takes_little_room_and_comes_back_as_good_as_it_was() {
        let face = StoredFace {
            rect: [0.1, 0.2, 0.3, 0.4],
            width_px: 90.0,
            quality: 0.7,
            embedding: embedding(),
            at_ms: None,
        };
        let faces = StoredFaces { pack: "pack".into(), faces: vec![face; 3] };
        let bytes = postcard::to_extend(&faces, Vec::new()).unwrap();
        assert!(bytes.len() < 3 * 170, "{} bytes", bytes.len());
        let back = StoredFaces::read(StoredFaces::VERSION, &bytes).unwrap().unwrap();
        let moved = inframe_models::distance_squared(&back.faces[2].embedding, &embedding()).sqrt();
        assert!(moved < 0.006, "moved by {moved}");
        assert_eq!(back.faces[2].rect, [0.1, 0.2, 0.3, 0.4]);
    }

    #[test]
    fn faces_of_older_versions_are_read() {
        let old =
            second::StoredFace { rect: [0.1; 4], width_px: 90.0, quality: 0.7, embedding: embedding(), at_ms: Some(5) };
        let old = second::StoredFaces { pack: "pack".into(), faces: vec![old] };
        let bytes = postcard::to_extend(&old, Vec::new()).unwrap();
        let read = StoredFaces::read(2, &bytes).unwrap().unwrap();
        assert_eq!((read.faces[0].embedding.clone(), read.faces[0].at_ms), (embedding(), Some(5)));
        let mut bytes = postcard::to_extend("pack", Vec::new()).unwrap();
        bytes = postcard::to_extend(&vec![([0.1f32; 4], 90.0f32, 0.7f32, embedding())], bytes).unwrap();
        let read = StoredFaces::read(1, &bytes).unwrap().unwrap();
        assert_eq!((read.faces[0].embedding.clone(), read.faces[0].at_ms), (embedding(), None));
    }
}
