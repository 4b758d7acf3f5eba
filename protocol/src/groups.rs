//! Chunk groups: a content is verified in pieces of 256 KiB whose hashes fold up to its plain BLAKE3 hash.
//!
//! The hash of a group is the chaining value of its subtree in BLAKE3's own tree, so the list of hashes needs no signature: whoever knows
//! the [`ContentId`] can check the list, and with the list each group by itself, in any order and from any source. A content of one group
//! (or of no bytes at all) has that one group, whose hash is the content's own.

use blake3::hazmat::{HasherExt, Mode, left_subtree_len, merge_subtrees_non_root, merge_subtrees_root};
use thiserror::Error;

use crate::ids::ContentId;
use crate::limits::GROUP_BYTES;

/// The hash of one group.
pub type GroupHash = [u8; 32];

/// Why a group or a list of group hashes is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum GroupError {
    /// The list has not one hash for each group.
    #[error("a content of {size_bytes} bytes has {expected} groups, not {found}")]
    WrongCount {
        /// Bytes of the content.
        size_bytes: u64,
        /// Groups that it has.
        expected: u64,
        /// Hashes in the list.
        found: u64,
    },
    /// No group has this index.
    #[error("the content has no group {index}")]
    NoSuchGroup {
        /// The index asked for.
        index: u64,
    },
    /// The group has not the bytes that it should have.
    #[error("group {index} has {found} bytes, not {expected}")]
    WrongLength {
        /// Index of the group.
        index: u64,
        /// Bytes that it should have.
        expected: u64,
        /// Bytes given.
        found: u64,
    },
    /// R40: the bytes of a group do not have its hash.
    #[error("the bytes of group {index} are not those that were promised: drop them and ask another source")]
    WrongBytes {
        /// Index of the group.
        index: u64,
    },
    /// R41: the list does not fold up to the content.
    #[error("the group hashes do not belong to this content: drop them and ask another source")]
    WrongList,
}

/// How many groups a content of `size_bytes` has; never 0.
pub fn group_count(size_bytes: u64) -> u64 {
    size_bytes.div_ceil(GROUP_BYTES).max(1)
}

/// How many bytes group `index` of a content of `size_bytes` has.
///
/// # Errors
/// The content has no such group.
pub fn group_len(size_bytes: u64, index: u64) -> Result<u64, GroupError> {
    if index >= group_count(size_bytes) {
        return Err(GroupError::NoSuchGroup { index });
    }
    Ok(size_bytes.saturating_sub(index * GROUP_BYTES).min(GROUP_BYTES))
}

/// The hash of group `index` of a content of `size_bytes`.
///
/// # Errors
/// There is no such group, or `bytes` is not of its length.
pub fn group_hash(size_bytes: u64, index: u64, bytes: &[u8]) -> Result<GroupHash, GroupError> {
    let expected = group_len(size_bytes, index)?;
    let found = bytes.len() as u64;
    if found != expected {
        return Err(GroupError::WrongLength { index, expected, found });
    }
    if group_count(size_bytes) == 1 {
        return Ok(*blake3::hash(bytes).as_bytes());
    }
    Ok(blake3::Hasher::new().set_input_offset(index * GROUP_BYTES).update(bytes).finalize_non_root())
}

/// R40: checks the bytes of one group against its hash from a verified list.
///
/// # Errors
/// The length or the bytes are wrong.
pub fn verify_group(expected: &GroupHash, size_bytes: u64, index: u64, bytes: &[u8]) -> Result<(), GroupError> {
    // Compared as blake3::Hash, whose equality takes the same time whatever differs.
    let found = blake3::Hash::from(group_hash(size_bytes, index, bytes)?);
    if found == blake3::Hash::from(*expected) { Ok(()) } else { Err(GroupError::WrongBytes { index }) }
}

/// Folds the hashes of all groups to the id of the content.
///
/// # Errors
/// The list has not one hash for each group.
pub fn fold(groups: &[GroupHash], size_bytes: u64) -> Result<ContentId, GroupError> {
    let expected = group_count(size_bytes);
    if groups.len() as u64 != expected {
        return Err(GroupError::WrongCount { size_bytes, expected, found: groups.len() as u64 });
    }
    let [only] = groups else {
        let (left, right) = split(groups, size_bytes);
        return Ok(ContentId(*merge_subtrees_root(&left, &right, Mode::Hash).as_bytes()));
    };
    Ok(ContentId(*only))
}

/// The chaining values of both halves of a subtree of at least two groups, split where BLAKE3 splits it.
fn split(groups: &[GroupHash], size_bytes: u64) -> (GroupHash, GroupHash) {
    let left_bytes = left_subtree_len(size_bytes);
    let at = usize::try_from(left_bytes / GROUP_BYTES).unwrap_or(usize::MAX).min(groups.len());
    let (left, right) = groups.split_at(at);
    (fold_subtree(left, left_bytes), fold_subtree(right, size_bytes - left_bytes))
}

fn fold_subtree(groups: &[GroupHash], size_bytes: u64) -> GroupHash {
    if let [only] = groups {
        return *only;
    }
    let (left, right) = split(groups, size_bytes);
    merge_subtrees_non_root(&left, &right, Mode::Hash)
}

/// A list of group hashes that was checked against its content (R41): the only way to check groups one by one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupList {
    content: ContentId,
    size_bytes: u64,
    groups: Vec<GroupHash>,
}

impl GroupList {
    /// R41: checks that the list folds up to `content`.
    ///
    /// # Errors
    /// It does not.
    pub fn verify(content: ContentId, size_bytes: u64, groups: Vec<GroupHash>) -> Result<Self, GroupError> {
        if fold(&groups, size_bytes)? != content {
            return Err(GroupError::WrongList);
        }
        Ok(Self { content, size_bytes, groups })
    }

    /// The content.
    pub fn content(&self) -> ContentId {
        self.content
    }

    /// Bytes of the content.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// How many groups there are.
    pub fn count(&self) -> u64 {
        self.groups.len() as u64
    }

    /// All hashes in order.
    pub fn hashes(&self) -> &[GroupHash] {
        &self.groups
    }

    /// Bytes of group `index`.
    ///
    /// # Errors
    /// There is no such group.
    pub fn group_len(&self, index: u64) -> Result<u64, GroupError> {
        group_len(self.size_bytes, index)
    }

    /// R40: checks the bytes of group `index`.
    ///
    /// # Errors
    /// There is no such group, or its length or bytes are wrong.
    pub fn check(&self, index: u64, bytes: &[u8]) -> Result<(), GroupError> {
        let hash = usize::try_from(index).ok().and_then(|at| self.groups.get(at));
        verify_group(hash.ok_or(GroupError::NoSuchGroup { index })?, self.size_bytes, index, bytes)
    }
}

/// Hashes a content of unknown length as it streams by.
#[derive(Debug, Clone)]
pub struct GroupHasher {
    /// Hasher of the group being filled, at its offset in the content.
    group: blake3::Hasher,
    filled: u64,
    size_bytes: u64,
    groups: Vec<GroupHash>,
}

impl Default for GroupHasher {
    fn default() -> Self {
        Self::new()
    }
}

impl GroupHasher {
    /// A hasher that has seen nothing.
    pub fn new() -> Self {
        Self { group: blake3::Hasher::new(), filled: 0, size_bytes: 0, groups: Vec::new() }
    }

    /// Takes the next bytes of the content.
    pub fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            // A full group is closed only when more bytes come: a content of exactly one group has the plain hash.
            if self.filled == GROUP_BYTES {
                self.groups.push(self.group.finalize_non_root());
                self.group = blake3::Hasher::new();
                self.group.set_input_offset(self.size_bytes);
                self.filled = 0;
            }
            let room = usize::try_from(GROUP_BYTES - self.filled).unwrap_or(usize::MAX);
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.group.update(now);
            self.filled += now.len() as u64;
            self.size_bytes += now.len() as u64;
            bytes = later;
        }
    }

    /// The list of what went by.
    ///
    /// # Errors
    /// None that a caller can bring about; the fold is checked like any other.
    pub fn finish(mut self) -> Result<GroupList, GroupError> {
        let last = match self.groups.is_empty() {
            true => *self.group.finalize().as_bytes(),
            false => self.group.finalize_non_root(),
        };
        self.groups.push(last);
        let content = fold(&self.groups, self.size_bytes)?;
        Ok(GroupList { content, size_bytes: self.size_bytes, groups: self.groups })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const G: usize = GROUP_BYTES as usize;

    fn content(size: usize) -> Vec<u8> {
        let mut bytes = vec![0; size];
        blake3::Hasher::new().update(b"group tests").finalize_xof().fill(&mut bytes);
        bytes
    }

    fn hashes(bytes: &[u8]) -> Vec<GroupHash> {
        let size = bytes.len() as u64;
        (0..group_count(size))
            .map(|index| {
                let start = index as usize * G;
                group_hash(size, index, &bytes[start..bytes.len().min(start + G)]).unwrap()
            })
            .collect()
    }

    #[test]
    fn the_fold_is_the_plain_hash_at_every_boundary() {
        // Around one chunk of BLAKE3 (1 KiB), one group, a power of two of groups, and odd tails.
        let sizes = [
            0,
            1,
            1023,
            1024,
            1025,
            G - 1,
            G,
            G + 1,
            2 * G - 1,
            2 * G,
            2 * G + 1,
            3 * G,
            4 * G,
            4 * G + 1,
            5 * G + 7,
            7 * G - 1,
            8 * G,
            9 * G + 1024,
        ];
        for size in sizes {
            let bytes = content(size);
            let plain = ContentId::of(&bytes);
            let list = hashes(&bytes);
            assert_eq!(fold(&list, size as u64).unwrap(), plain, "{size}");
            for step in [1024 * 1024, 65_537, G] {
                let mut hasher = GroupHasher::new();
                bytes.chunks(step).for_each(|part| hasher.update(part));
                let streamed = hasher.finish().unwrap();
                assert_eq!((streamed.content(), streamed.hashes()), (plain, list.as_slice()), "{size} by {step}");
                assert_eq!(streamed.size_bytes(), size as u64);
            }
        }
    }

    #[test]
    fn r40_a_group_with_one_wrong_bit_is_refused() {
        for size in [1, G, G + 1, 5 * G + 7] {
            let bytes = content(size);
            let list = GroupList::verify(ContentId::of(&bytes), size as u64, hashes(&bytes)).unwrap();
            for index in 0..list.count() {
                let start = index as usize * G;
                let mut group = bytes[start..size.min(start + G)].to_vec();
                assert_eq!(list.check(index, &group), Ok(()));
                group[0] ^= 1;
                assert_eq!(list.check(index, &group), Err(GroupError::WrongBytes { index }));
                group.pop();
                assert!(matches!(list.check(index, &group), Err(GroupError::WrongLength { .. })));
            }
            assert_eq!(list.check(list.count(), &[]), Err(GroupError::NoSuchGroup { index: list.count() }));
            assert_eq!(list.check(u64::MAX, &[]), Err(GroupError::NoSuchGroup { index: u64::MAX }));
        }
    }

    #[test]
    fn r40_a_group_at_another_place_is_refused() {
        // Equal bytes in two places have different hashes, so a source cannot swap groups.
        let bytes = vec![5; 3 * G];
        let list = hashes(&bytes);
        assert_ne!(list[0], list[1]);
        assert_eq!(verify_group(&list[0], 3 * G as u64, 1, &bytes[..G]), Err(GroupError::WrongBytes { index: 1 }));
    }

    #[test]
    fn r41_a_list_that_does_not_fold_to_the_content_is_refused() {
        let bytes = content(2 * G + 1);
        let id = ContentId::of(&bytes);
        let size = bytes.len() as u64;
        let good = hashes(&bytes);
        let mut swapped = good.clone();
        swapped.swap(0, 1);
        assert_eq!(GroupList::verify(id, size, swapped), Err(GroupError::WrongList));
        assert!(matches!(GroupList::verify(id, size, good[..2].to_vec()), Err(GroupError::WrongCount { .. })));
        assert_eq!(
            GroupList::verify(id, size - 1, good.clone()).unwrap_err(),
            GroupError::WrongCount { size_bytes: size - 1, expected: 2, found: 3 }
        );
        assert_eq!(GroupList::verify(ContentId([0; 32]), size, good), Err(GroupError::WrongList));
        assert!(GroupList::verify(id, u64::MAX, vec![[0; 32]]).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn any_size_folds_to_the_plain_hash(size in 0usize..6 * G, cut in 1usize..400_000) {
            let bytes = content(size);
            let mut hasher = GroupHasher::new();
            bytes.chunks(cut).for_each(|part| hasher.update(part));
            prop_assert_eq!(hasher.finish().unwrap().content(), ContentId::of(&bytes));
        }
    }
}
