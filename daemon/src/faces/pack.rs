//! The model pack in use, as far as the daemon itself needs to know it; the networks are run in the sandbox only.

use std::sync::{Arc, PoisonError, RwLock};

use inframe_models::{PackFacts, Thresholds};

/// What embeddings of a pack mean.
#[derive(Clone, Debug)]
pub struct Pack {
    /// Id; only equal ids compare.
    pub id: String,
    /// Mean embedding that templates are centred on.
    pub mean: Vec<f32>,
    /// Thresholds.
    pub thresholds: Thresholds,
}

impl From<PackFacts> for Pack {
    fn from(facts: PackFacts) -> Self {
        Self { id: facts.id, mean: facts.centre, thresholds: facts.thresholds }
    }
}

/// The pack in use, which the owner may change at any time; cheap to clone. Whoever computes with it takes it once and keeps to it.
#[derive(Clone, Debug)]
pub struct ActivePack(Arc<RwLock<Arc<Pack>>>);

impl ActivePack {
    /// Begins with this one.
    #[must_use]
    pub fn new(pack: Pack) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(pack))))
    }

    /// The one in use now.
    #[must_use]
    pub fn get(&self) -> Arc<Pack> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Uses this one from now on.
    pub fn set(&self, pack: Pack) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(pack);
    }
}
