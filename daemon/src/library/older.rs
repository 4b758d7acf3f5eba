//! Assets as earlier versions wrote them.

use inframe_protocol::ContentId;
use serde::{Deserialize, Serialize};

use super::asset::{AssetKind, FacesState, Origin, StoredAsset, StoredMotion};
use crate::vault::{BlobId, Versioned};

/// The form of the second version: nothing was ever in the trash.
#[derive(Serialize, Deserialize)]
pub struct Second {
    kind: AssetKind,
    content: ContentId,
    file_name: String,
    media_type: String,
    size_bytes: u64,
    width: u32,
    height: u32,
    taken_at: Option<i64>,
    offset_minutes: Option<i16>,
    imported_at: u64,
    camera: Option<String>,
    has_location: bool,
    mean_colour: u16,
    thumbhash: Vec<u8>,
    original: BlobId,
    grid: Option<BlobId>,
    preview: Option<BlobId>,
    motion: Option<StoredMotion>,
    origin: Origin,
    doubtful: bool,
    faces: FacesState,
}

impl Versioned for Second {
    const VERSION: u8 = 2;
    type Before = First;
}

impl From<Second> for StoredAsset {
    fn from(old: Second) -> Self {
        Self {
            kind: old.kind,
            content: old.content,
            file_name: old.file_name,
            media_type: old.media_type,
            size_bytes: old.size_bytes,
            width: old.width,
            height: old.height,
            taken_at: old.taken_at,
            offset_minutes: old.offset_minutes,
            imported_at: old.imported_at,
            camera: old.camera,
            has_location: old.has_location,
            mean_colour: old.mean_colour,
            thumbhash: old.thumbhash,
            original: old.original,
            grid: old.grid,
            preview: old.preview,
            motion: old.motion,
            origin: old.origin,
            doubtful: old.doubtful,
            faces: old.faces,
            trashed: None,
        }
    }
}

/// The form of the first version: photos only.
#[derive(Serialize, Deserialize)]
pub struct First {
    content: ContentId,
    file_name: String,
    media_type: String,
    size_bytes: u64,
    width: u32,
    height: u32,
    taken_at: Option<i64>,
    offset_minutes: Option<i16>,
    imported_at: u64,
    camera: Option<String>,
    has_location: bool,
    mean_colour: u16,
    thumbhash: Vec<u8>,
    original: BlobId,
    grid: BlobId,
    preview: BlobId,
    origin: Origin,
    doubtful: bool,
    faces: FacesState,
}

crate::first_version!(First);

impl From<First> for Second {
    fn from(old: First) -> Self {
        Self {
            kind: AssetKind::Photo,
            content: old.content,
            file_name: old.file_name,
            media_type: old.media_type,
            size_bytes: old.size_bytes,
            width: old.width,
            height: old.height,
            taken_at: old.taken_at,
            offset_minutes: old.offset_minutes,
            imported_at: old.imported_at,
            camera: old.camera,
            has_location: old.has_location,
            mean_colour: old.mean_colour,
            thumbhash: old.thumbhash,
            original: old.original,
            grid: Some(old.grid),
            preview: Some(old.preview),
            origin: old.origin,
            doubtful: old.doubtful,
            faces: old.faces,
            motion: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::Older as _;

    fn blob(n: u8) -> BlobId {
        BlobId([n; 16])
    }

    fn first() -> First {
        First {
            content: ContentId::of(b"x"),
            file_name: "a.jpg".into(),
            media_type: "image/jpeg".into(),
            size_bytes: 1,
            width: 4,
            height: 3,
            taken_at: Some(-5),
            offset_minutes: None,
            imported_at: 7,
            camera: None,
            has_location: true,
            mean_colour: 9,
            thumbhash: vec![1],
            original: blob(1),
            grid: blob(2),
            preview: blob(3),
            origin: Origin::Imported,
            doubtful: false,
            faces: FacesState::Waiting { strikes: 2 },
        }
    }

    #[test]
    fn assets_of_the_first_version_are_photos_and_other_versions_are_refused() {
        let bytes = postcard::to_allocvec(&first()).unwrap();
        let asset = StoredAsset::read(1, &bytes).unwrap().unwrap();
        assert_eq!((&asset.kind, asset.trashed), (&AssetKind::Photo, None));
        assert_eq!(asset.blobs().collect::<Vec<_>>(), [blob(1), blob(2), blob(3)]);
        let again = postcard::to_allocvec(&asset).unwrap();
        assert_eq!(StoredAsset::read(3, &again).unwrap().unwrap(), asset);
        assert!(StoredAsset::read(2, &bytes).unwrap().is_err() && StoredAsset::read(3, &bytes).unwrap().is_err());
        assert!(StoredAsset::read(4, &again).is_none() && StoredAsset::read(0, &bytes).is_none());
    }

    #[test]
    fn assets_of_the_second_version_keep_everything_and_are_not_in_the_trash() {
        let mut second = Second::from(first());
        second.kind = AssetKind::File { reason: "no picture".into(), may_change: true };
        second.doubtful = true;
        let bytes = postcard::to_allocvec(&second).unwrap();
        let asset = StoredAsset::read(2, &bytes).unwrap().unwrap();
        assert!(asset.doubtful && asset.trashed.is_none() && matches!(asset.kind, AssetKind::File { .. }));
        assert!(StoredAsset::read(3, &bytes).unwrap().is_err());
    }
}
