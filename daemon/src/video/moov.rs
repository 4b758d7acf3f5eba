//! Boxes of MP4 and MOV files (ISO 14496-12), and the one change made to them: the places of media chunks in an index that moves.
//!
//! Reads lengths and one table of numbers, in place; allocates nothing and goes no deeper than the path to that table.

use super::InputError;

/// A box: its kind, the length of its header, and its whole length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BoxHeader {
    /// Such as `moov`.
    pub kind: [u8; 4],
    /// 8 or 16 bytes.
    pub header_bytes: u64,
    /// Header included.
    pub bytes: u64,
}

impl BoxHeader {
    /// Most bytes of a header.
    pub(super) const MAX_BYTES: usize = 16;

    /// Reads the header at the beginning of `bytes`, of a box that may reach over at most `room` bytes.
    pub(super) fn read(bytes: &[u8], room: u64) -> Option<Self> {
        let [size, kind] = bytes.first_chunk::<8>().map(|head| {
            let [a, b, c, d, rest @ ..] = *head;
            [[a, b, c, d], rest]
        })?;
        let (header_bytes, size) = match u32::from_be_bytes(size) {
            0 => (8, room),
            1 => (16, u64::from_be_bytes(*bytes.get(8..)?.first_chunk()?)),
            size => (8, u64::from(size)),
        };
        (header_bytes..=room).contains(&size).then_some(Self { kind, header_bytes, bytes: size })
    }
}

/// The way from a `moov` box to its tables of chunk places.
const PATH: [&[u8; 4]; 4] = [b"trak", b"mdia", b"minf", b"stbl"];

/// Puts `moved(place)` for each chunk's place in the whole `moov` box.
pub(super) fn move_chunks(moov: &mut [u8], moved: &impl Fn(u64) -> u64) -> Result<(), InputError> {
    let header = BoxHeader::read(moov, moov.len() as u64).ok_or(InputError::Damaged)?;
    let body = usize::try_from(header.header_bytes).ok().and_then(|at| moov.get_mut(at..));
    descend(body.ok_or(InputError::Damaged)?, &PATH, moved)
}

fn descend(mut boxes: &mut [u8], path: &[&[u8; 4]], moved: &impl Fn(u64) -> u64) -> Result<(), InputError> {
    // Up to 7 bytes may be left over: QuickTime ends some lists with a zero.
    while boxes.len() >= 8 {
        let Some(header) = BoxHeader::read(boxes, boxes.len() as u64) else { return Err(InputError::Damaged) };
        let (Ok(bytes), Ok(header_bytes)) = (usize::try_from(header.bytes), usize::try_from(header.header_bytes))
        else {
            return Err(InputError::Damaged);
        };
        let (this, rest) = boxes.split_at_mut_checked(bytes).ok_or(InputError::Damaged)?;
        boxes = rest;
        let body = this.get_mut(header_bytes..).ok_or(InputError::Damaged)?;
        match (path, &header.kind) {
            ([first, deeper @ ..], kind) if *first == kind => descend(body, deeper, moved)?,
            ([], b"stco") => entries::<4>(body, |place| {
                u32::try_from(moved(u32::from_be_bytes(place).into())).ok().map(u32::to_be_bytes)
            })?,
            ([], b"co64") => entries::<8>(body, |place| Some(moved(u64::from_be_bytes(place)).to_be_bytes()))?,
            // An index that is itself compressed: made by QuickTime around 1998.
            (_, b"cmov") => return Err(InputError::Unsupported("a compressed index")),
            _ => {}
        }
    }
    Ok(())
}

/// Changes each entry of a table that begins with version, flags and a count.
fn entries<const N: usize>(table: &mut [u8], change: impl Fn([u8; N]) -> Option<[u8; N]>) -> Result<(), InputError> {
    let (head, places) = table.split_first_chunk_mut::<8>().ok_or(InputError::Damaged)?;
    let [_, _, _, _, count @ ..] = *head;
    let count = u32::from_be_bytes(count) as usize;
    let (places, _) = places.as_chunks_mut::<N>();
    for place in places.get_mut(..count).ok_or(InputError::Damaged)? {
        *place = change(*place).ok_or(InputError::Unsupported("an index for less than 4 GiB in a larger file"))?;
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A box around `body`.
    pub(in crate::video) fn boxed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
        let size = u32::try_from(body.len() + 8).unwrap();
        [&size.to_be_bytes(), &kind[..], body].concat()
    }

    /// An index whose only track has chunks at these places.
    pub(in crate::video) fn index(kind: &[u8; 4], places: &[u64]) -> Vec<u8> {
        let mut table = vec![0; 4];
        table.extend((places.len() as u32).to_be_bytes());
        for place in places {
            match kind {
                b"stco" => table.extend(u32::try_from(*place).unwrap().to_be_bytes()),
                _ => table.extend(place.to_be_bytes()),
            }
        }
        let inner = PATH.iter().rev().fold(boxed(kind, &table), |inner, kind| boxed(kind, &inner));
        boxed(b"moov", &[boxed(b"mvhd", &[0; 100]), inner].concat())
    }

    #[test]
    fn places_are_moved_in_both_kinds_of_tables() {
        for kind in [b"stco", b"co64"] {
            let mut moov = index(kind, &[40, 1000]);
            move_chunks(&mut moov, &|place| place + 7).unwrap();
            assert_eq!(moov, index(kind, &[47, 1007]));
        }
    }

    #[test]
    fn a_place_that_no_longer_fits_is_said_and_not_cut() {
        let mut moov = index(b"stco", &[u64::from(u32::MAX)]);
        assert!(matches!(move_chunks(&mut moov, &|place| place + 1), Err(InputError::Unsupported(_))));
    }

    #[test]
    fn compressed_indexes_are_said() {
        let mut moov = boxed(b"moov", &boxed(b"cmov", &[0; 20]));
        assert!(matches!(move_chunks(&mut moov, &|place| place), Err(InputError::Unsupported(_))));
    }

    #[test]
    fn d8_lying_lengths_are_refused() {
        let sound = index(b"stco", &[40, 1000]);
        let lies: [(usize, u32); 4] = [(0, 7), (0, u32::MAX), (sound.len() - 24, 9), (sound.len() - 12, 3)];
        for (at, lie) in lies {
            let mut moov = sound.clone();
            moov[at..at + 4].copy_from_slice(&lie.to_be_bytes());
            assert_eq!(move_chunks(&mut moov, &|place| place), Err(InputError::Damaged), "{at} {lie}");
        }
    }

    proptest! {
        #[test]
        fn d8_any_bytes_end_in_an_answer(mut moov in proptest::collection::vec(any::<u8>(), 0..400), at in 0usize..400) {
            let _ = move_chunks(&mut moov, &|place| place.wrapping_add(1));
            let mut spoilt = index(b"co64", &[1, 2, 3]);
            let at = at % spoilt.len();
            spoilt[at] = spoilt[at].wrapping_add(moov.first().copied().unwrap_or(1));
            let length = spoilt.len();
            let _ = move_chunks(&mut spoilt, &|place| place.wrapping_add(1));
            prop_assert_eq!(spoilt.len(), length);
        }
    }
}
