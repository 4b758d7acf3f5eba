//! Pictures of faces, kept in memory because a page shows hundreds of them and each costs a decode. Never on disk in plain (D3).

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use super::Spot;
use crate::library::AssetId;
use crate::limits::FACE_PICTURES_BYTES;

/// A face, by where it is: another box is another picture.
type Key = (AssetId, [u32; 4], Option<u64>);

/// Pictures of faces, the last ones made.
#[derive(Default)]
pub struct FacePictures {
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    pictures: HashMap<Key, Bytes>,
    order: VecDeque<Key>,
    bytes: usize,
}

fn key(asset: AssetId, spot: &Spot) -> Key {
    (asset, spot.rect.map(f32::to_bits), spot.at_ms)
}

impl FacePictures {
    /// The picture of a face, if it was made lately.
    #[must_use]
    pub fn get(&self, asset: AssetId, spot: &Spot) -> Option<Bytes> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).pictures.get(&key(asset, spot)).cloned()
    }

    /// Keeps a picture; the oldest ones go when there are too many.
    pub fn put(&self, asset: AssetId, spot: &Spot, picture: Bytes) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let key = key(asset, spot);
        held.bytes += picture.len();
        match held.pictures.insert(key, picture) {
            Some(before) => held.bytes -= before.len(),
            None => held.order.push_back(key),
        }
        while held.bytes > FACE_PICTURES_BYTES {
            let Some(oldest) = held.order.pop_front() else { return };
            held.bytes -= held.pictures.remove(&oldest).map_or(0, |picture| picture.len());
        }
    }

    /// Forgets all of them.
    pub fn forget(&self) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Held::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d7_the_oldest_pictures_go_when_there_are_too_many() {
        let pictures = FacePictures::default();
        let spot = |n: u8| Spot { rect: [f32::from(n), 0.0, 0.1, 0.1], at_ms: None };
        let asset = AssetId([1; 16]);
        let third = Bytes::from(vec![0; FACE_PICTURES_BYTES / 3]);
        (0..3).for_each(|n| pictures.put(asset, &spot(n), third.clone()));
        pictures.put(asset, &spot(2), third.clone());
        assert!((0..3).all(|n| pictures.get(asset, &spot(n)).is_some()));
        pictures.put(asset, &spot(3), third);
        assert!(pictures.get(asset, &spot(0)).is_none() && pictures.get(asset, &spot(3)).is_some());
        pictures.forget();
        assert!(pictures.get(asset, &spot(3)).is_none());
    }
}
