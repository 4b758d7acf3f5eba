//! The bytes of a sealed delivery: made from a rendition as they are asked for, and opened as they come. Nothing sealed lies on the disk of the
//! sender or of the receiver.

use std::io;

use inframe_protocol::groups::{GroupHasher, GroupList, group_count};
use inframe_protocol::keep::{PIECE_BYTES, open_piece, seal_piece, sealed_bytes};
use inframe_protocol::limits::GROUP_BYTES;

use crate::sharing::kept::PieceKey;
use crate::transfer::GroupSource;

/// The sealed groups of a rendition.
pub(in crate::workers) struct Sealing<R> {
    reader: R,
    plain_bytes: u64,
    key: PieceKey,
}

impl<R: io::Read + io::Seek + Send + 'static> Sealing<R> {
    /// Of these bytes, with this key.
    pub(in crate::workers) fn new(reader: R, plain_bytes: u64, key: PieceKey) -> Self {
        Self { reader, plain_bytes, key }
    }

    fn groups(&self) -> u64 {
        group_count(sealed_bytes(self.plain_bytes))
    }

    /// The hashes of all groups: everything is read and sealed once.
    pub(in crate::workers) fn list(&mut self) -> anyhow::Result<GroupList> {
        let mut hasher = GroupHasher::new();
        for index in 0..self.groups() {
            hasher.update(&self.sealed(index)?);
        }
        Ok(hasher.finish()?)
    }

    fn sealed(&mut self, index: u64) -> io::Result<Vec<u8>> {
        let start = index.saturating_mul(PIECE_BYTES);
        let len = self.plain_bytes.saturating_sub(start).min(PIECE_BYTES);
        let mut piece = vec![0; usize::try_from(len).map_err(io::Error::other)?];
        self.reader.seek(io::SeekFrom::Start(start))?;
        self.reader.read_exact(&mut piece)?;
        seal_piece(&self.key.0, index, index + 1 == self.groups(), &mut piece).map_err(io::Error::other)?;
        Ok(piece)
    }
}

impl<R: io::Read + io::Seek + Send + 'static> GroupSource for Sealing<R> {
    fn read_group(&mut self, index: u64, group: &mut Vec<u8>) -> io::Result<()> {
        *group = self.sealed(index)?;
        Ok(())
    }
}

/// Makes the groups of a rendition from those of its sealed bytes. What is there already is not opened again.
#[derive(Debug)]
pub(in crate::workers) struct Opening {
    key: PieceKey,
    sealed_groups: u64,
    /// The sealed group to begin with.
    first: u64,
    /// Bytes of its piece that are there already.
    skip: usize,
    /// Opened, and not a whole group yet.
    carry: Vec<u8>,
}

impl Opening {
    /// For sealed bytes of this size, of whose rendition so many groups are there.
    pub(in crate::workers) fn new(key: PieceKey, plain_bytes: u64, present: u64) -> Self {
        let sealed_groups = group_count(sealed_bytes(plain_bytes));
        let there = present.saturating_mul(GROUP_BYTES);
        let (first, skip) = if there >= plain_bytes {
            (sealed_groups, 0)
        } else {
            (there / PIECE_BYTES, (there % PIECE_BYTES) as usize)
        };
        Self { key, sealed_groups, first, skip, carry: Vec::new() }
    }

    /// The sealed group to begin with.
    pub(in crate::workers) fn first(&self) -> u64 {
        self.first
    }

    /// Takes the next sealed group and gives `take` each group of the rendition that is whole with it.
    ///
    /// # Errors
    /// It does not open ([`io::ErrorKind::InvalidData`]), or `take` fails.
    pub(in crate::workers) fn append(
        &mut self,
        index: u64,
        piece: &mut Vec<u8>,
        mut take: impl FnMut(&mut Vec<u8>) -> io::Result<()>,
    ) -> io::Result<()> {
        let is_last = index + 1 == self.sealed_groups;
        let unreadable = |error| io::Error::new(io::ErrorKind::InvalidData, error);
        open_piece(&self.key.0, index, is_last, piece).map_err(unreadable)?;
        self.carry.extend_from_slice(piece.get(std::mem::take(&mut self.skip)..).unwrap_or_default());
        let group_bytes = usize::try_from(GROUP_BYTES).map_err(io::Error::other)?;
        while self.carry.len() >= group_bytes {
            let rest = self.carry.split_off(group_bytes);
            take(&mut std::mem::replace(&mut self.carry, rest))?;
        }
        if is_last && !self.carry.is_empty() {
            take(&mut std::mem::take(&mut self.carry))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    #[test]
    fn a_rendition_comes_through_whole_whatever_is_there_already() {
        let key = PieceKey([7; 32]);
        for plain_bytes in [1, PIECE_BYTES, GROUP_BYTES, 2 * GROUP_BYTES, 5 * GROUP_BYTES + 99] {
            let plain: Vec<u8> = (0..plain_bytes).map(|at| ((at * 7) >> 3) as u8).collect();
            let mut source = Sealing::new(Cursor::new(plain.clone()), plain_bytes, key);
            let list = source.list().unwrap();
            assert_eq!(list.size_bytes(), sealed_bytes(plain_bytes));
            for present in 0..=plain_bytes.div_ceil(GROUP_BYTES) {
                let mut opened = plain[..(present * GROUP_BYTES).min(plain_bytes) as usize].to_vec();
                let mut opening = Opening::new(key, plain_bytes, present);
                for index in opening.first()..list.count() {
                    let mut group = Vec::new();
                    source.read_group(index, &mut group).unwrap();
                    list.check(index, &group).unwrap();
                    let take = |group: &mut Vec<u8>| {
                        opened.extend_from_slice(group);
                        Ok(())
                    };
                    opening.append(index, &mut group, take).unwrap();
                }
                assert!(opened == plain, "{plain_bytes} bytes from {present} on");
            }
        }
    }

    #[test]
    fn what_is_sealed_with_another_key_does_not_open() {
        let mut source = Sealing::new(Cursor::new(vec![1; 10]), 10, PieceKey([7; 32]));
        let mut group = Vec::new();
        source.read_group(0, &mut group).unwrap();
        let taken = Opening::new(PieceKey([8; 32]), 10, 0).append(0, &mut group, |_| Ok(()));
        assert_eq!(taken.unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
