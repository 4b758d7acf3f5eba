//! An asset as the index holds it: what is asked of all assets again and again, and the rest packed into a third of its size.

use super::{AssetId, AssetKind, FacesState, Origin, StoredAsset};

/// What an asset is, without its details.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// A picture that can be shown.
    Photo,
    /// A moving picture.
    Video,
    /// Anything else.
    File,
}

/// How far the search for faces got; a pack stands for itself by its number in [`Packs`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Looked {
    Waiting,
    Done(u16),
    Failed,
}

/// Names of model packs that looked at assets: few, and in every asset.
#[derive(Default)]
pub(super) struct Packs(Vec<String>);

impl Packs {
    /// The number of a pack that some asset was looked at with.
    pub(super) fn number(&self, pack: &str) -> Option<u16> {
        self.0.iter().position(|known| known == pack).and_then(|at| u16::try_from(at).ok())
    }

    fn number_for(&mut self, pack: &str) -> u16 {
        self.number(pack).unwrap_or_else(|| {
            self.0.push(pack.to_owned());
            u16::try_from(self.0.len() - 1).unwrap_or(u16::MAX)
        })
    }
}

/// An asset in memory.
pub(super) struct Packed {
    /// The asset as the catalog encodes it.
    bytes: Box<[u8]>,
    /// When it came, Unix milliseconds.
    pub(super) imported_at: u64,
    pub(super) looked: Looked,
    pub(super) sort: Sort,
    /// Whether somebody sent it.
    pub(super) received: bool,
    /// Whether it has a moving part.
    pub(super) film: bool,
}

impl Packed {
    pub(super) fn of(asset: &StoredAsset, packs: &mut Packs) -> Self {
        // An asset is written to the catalog in the same form before it comes here, so this cannot fail.
        let bytes = postcard::to_extend(asset, Vec::new()).unwrap_or_default().into_boxed_slice();
        Self {
            bytes,
            imported_at: asset.imported_at,
            looked: match &asset.faces {
                FacesState::Waiting { .. } => Looked::Waiting,
                FacesState::Done { pack, .. } => Looked::Done(packs.number_for(pack)),
                FacesState::Failed(_) => Looked::Failed,
            },
            sort: match asset.kind {
                AssetKind::Photo => Sort::Photo,
                AssetKind::Video { .. } => Sort::Video,
                AssetKind::File { .. } => Sort::File,
            },
            received: matches!(asset.origin, Origin::Received { .. }),
            film: asset.motion.is_some(),
        }
    }

    /// The whole asset.
    pub(super) fn open(&self, id: AssetId) -> Option<StoredAsset> {
        postcard::from_bytes(&self.bytes).inspect_err(|error| tracing::error!("asset {id} in memory: {error}")).ok()
    }

    /// Whether faces are still to be looked for with the pack of this number; see [`FacesState::waits_for`].
    pub(super) fn waits_for(&self, pack: Option<u16>) -> bool {
        match self.looked {
            Looked::Waiting => true,
            Looked::Done(done) => Some(done) != pack,
            Looked::Failed => false,
        }
    }
}
