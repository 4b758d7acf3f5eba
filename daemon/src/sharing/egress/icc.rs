//! Colour profiles: what turns numbers into colours is kept; names, texts, dates, makers and tables of no known use go.
//!
//! A profile is rebuilt from its tables of known kind (ICC.1:2022, sections 7 to 10), each cut to the length that its own numbers ask for. Its
//! description and copyright, without which it would be none, say nothing. Not looked into: the numbers of the tables, and what lies within a table
//! of the kinds `mAB ` and `mBA `, which keep their own order.

use crate::sandbox::limits;

const HEADER_LEN: usize = 128;
const ENTRY_LEN: usize = 12;
/// Profiles have about ten tags; those of cameras some more.
const MAX_TAGS: usize = 100;
/// Header fields that say how to read the tables, as offset and length: version, class, colours, intent, illuminant.
const HEADER_KEPT: [(usize, usize); 5] = [(8, 4), (12, 12), (36, 4), (64, 4), (68, 12)];
/// Tags that make colours.
const KEPT: [&[u8; 4]; 16] = [
    b"wtpt", b"bkpt", b"chad", b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC", b"kTRC", b"A2B0", b"A2B1",
    b"A2B2", b"B2A0", b"B2A1", b"B2A2",
];
/// What a profile is called: nothing.
const NAME: &str = "ICC";

/// The profile without what it says beside colours; `None` for what is no profile, which no reader would heed.
pub(super) fn clean(profile: &[u8]) -> Option<Vec<u8>> {
    let header = profile.first_chunk::<HEADER_LEN>()?;
    if header.get(36..40)? != b"acsp" {
        return None;
    }
    let is_v4 = header.get(8).is_some_and(|major| *major >= 4);
    let mut tags: Vec<([u8; 4], Vec<u8>)> = vec![(*b"desc", named(is_v4)), (*b"cprt", unclaimed(is_v4))];
    let own = tags.len();
    let count = usize::try_from(number(profile, HEADER_LEN)?).ok().filter(|count| *count <= MAX_TAGS)?;
    for index in 0..count {
        let at = HEADER_LEN + 4 + index * ENTRY_LEN;
        let signature: [u8; 4] = profile.get(at..at + 4)?.try_into().ok()?;
        let (offset, len) = (number(profile, at + 4)?, number(profile, at + 8)?);
        let is_known = KEPT.contains(&&signature) && tags.iter().all(|(known, _)| *known != signature);
        let Some(body) = is_known.then(|| element(profile, offset, len)).flatten() else { continue };
        tags.push((signature, body));
    }
    (tags.len() > own).then(|| written(header, &tags)).filter(|out| out.len() <= limits::MAX_ICC_BYTES)
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().copied().map(u32::from_be_bytes)
}

/// One table, if it is of a known kind and whole.
fn element(profile: &[u8], offset: u32, len: u32) -> Option<Vec<u8>> {
    let start = usize::try_from(offset).ok()?;
    let declared = profile.get(start..start.checked_add(usize::try_from(len).ok()?)?)?;
    let mut body = declared.get(..asked_for(declared)?)?.to_vec();
    body.get_mut(4..8)?.fill(0);
    Some(body)
}

/// The bytes that a table has by its own word.
fn asked_for(table: &[u8]) -> Option<usize> {
    let at = |place: usize| table.get(place).copied().map(usize::from);
    let short = |place: usize| Some(at(place)? << 8 | at(place + 1)?);
    match table.get(..4)? {
        b"XYZ " => Some(20),
        // Nine numbers: a matrix.
        b"sf32" => Some(44),
        b"curv" => usize::try_from(number(table, 8)?).ok()?.checked_mul(2)?.checked_add(12),
        b"para" => [1, 3, 4, 5, 7].get(short(8)?).map(|numbers| 12 + 4 * numbers),
        kind @ (b"mft1" | b"mft2") => {
            let (inputs, outputs, grid) = (at(8)?, at(9)?, at(10)?);
            let points = grid.checked_pow(u32::try_from(inputs).ok()?)?.checked_mul(outputs)?;
            let (head, curves, bytes) = match kind {
                b"mft1" => (48, 256 * (inputs + outputs), 1),
                _ => (52, short(48)? * inputs + short(50)? * outputs, 2),
            };
            points.checked_add(curves)?.checked_mul(bytes)?.checked_add(head)
        }
        b"mAB " | b"mBA " => Some(table.len()),
        _ => None,
    }
}

/// Header, list and tables; equal tables are written once, as the three curves of most displays are.
fn written(header: &[u8; HEADER_LEN], tags: &[([u8; 4], Vec<u8>)]) -> Vec<u8> {
    let mut out = vec![0; HEADER_LEN];
    for (at, len) in HEADER_KEPT {
        if let (Some(to), Some(from)) = (out.get_mut(at..at + len), header.get(at..at + len)) {
            to.copy_from_slice(from);
        }
    }
    let tables_at = HEADER_LEN + 4 + tags.len() * ENTRY_LEN;
    let (mut list, mut tables) = ((tags.len() as u32).to_be_bytes().to_vec(), Vec::new());
    let mut places: Vec<(&[u8], usize)> = Vec::new();
    for (signature, body) in tags {
        let known = places.iter().find(|(table, _)| *table == body.as_slice()).map(|(_, place)| *place);
        let place = known.unwrap_or_else(|| {
            let place = tables_at + tables.len();
            tables.extend_from_slice(body);
            tables.resize(tables.len().next_multiple_of(4), 0);
            places.push((body, place));
            place
        });
        list.extend_from_slice(signature);
        list.extend_from_slice(&(place as u32).to_be_bytes());
        list.extend_from_slice(&(body.len() as u32).to_be_bytes());
    }
    out.extend(list);
    out.extend(tables);
    let len = (out.len() as u32).to_be_bytes();
    if let Some(size) = out.get_mut(..4) {
        size.copy_from_slice(&len);
    }
    out
}

/// A text of version 4 (`mluc`): one record.
fn record(text: &str) -> Vec<u8> {
    let coded: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let head = [1, 12, u32::from_be_bytes(*b"enUS"), coded.len() as u32, 28].map(u32::to_be_bytes).concat();
    [b"mluc\0\0\0\0", head.as_slice(), &coded].concat()
}

fn named(is_v4: bool) -> Vec<u8> {
    if is_v4 {
        return record(NAME);
    }
    // In ASCII with its end; then none in Unicode and none in a script of 67 bytes.
    let len = (NAME.len() as u32 + 1).to_be_bytes();
    [b"desc\0\0\0\0", &len[..], NAME.as_bytes(), &[0; 1 + 8 + 3 + 67]].concat()
}

fn unclaimed(is_v4: bool) -> Vec<u8> {
    if is_v4 { record(NAME) } else { [b"text\0\0\0\0", NAME.as_bytes(), b"\0"].concat() }
}

#[cfg(test)]
mod tests {
    use super::super::planted::{CANARY, profile};
    use super::*;

    fn tags(profile: &[u8]) -> Vec<([u8; 4], &[u8])> {
        let at = |place: usize| number(profile, place).unwrap() as usize;
        let entry = |index: usize| {
            let place = 132 + index * 12;
            (profile[place..place + 4].try_into().unwrap(), &profile[at(place + 4)..][..at(place + 8)])
        };
        (0..at(128)).map(entry).collect()
    }

    #[test]
    fn d4_of_a_profile_its_colours_stay_and_every_text_goes() {
        for version in [2, 4] {
            let planted = profile(version);
            assert!(memchr::memmem::find_iter(&planted, CANARY).count() >= 4);
            let out = clean(&planted).unwrap();
            assert_eq!(memchr::memmem::find_iter(&out, CANARY).count(), 0);
            let kept: Vec<[u8; 4]> = tags(&out).iter().map(|(tag, _)| *tag).collect();
            let known = [b"desc", b"cprt", b"wtpt", b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC"];
            assert_eq!(kept, known.map(|tag| *tag));
            let colours =
                |profile| tags(profile).into_iter().filter(|(tag, _)| KEPT.contains(&tag)).collect::<Vec<_>>();
            for ((tag, after), (_, before)) in colours(&out).into_iter().zip(colours(&planted)) {
                assert_eq!(after[8..], before[8..after.len()], "{}", String::from_utf8_lossy(&tag));
            }
            assert_eq!(clean(&out).unwrap(), out, "cleaning twice gives the same bytes");
            assert!(out[24..36].iter().chain(&out[40..64]).chain(&out[80..128]).all(|byte| *byte == 0));
        }
    }

    #[test]
    fn what_is_no_profile_is_left_out() {
        let whole = profile(2);
        for len in 0..132 {
            assert_eq!(clean(&whole[..len]), None);
        }
        for (at, value) in [(36, b'x'), (128, 1)] {
            let mut other = whole.clone();
            other[at] = value;
            assert_eq!(clean(&other), None);
        }
    }

    #[test]
    fn tables_have_the_length_that_their_numbers_ask_for() {
        let table = |kind: &[u8; 4], rest: &[u8]| asked_for(&[kind, &[0; 4][..], rest].concat());
        assert_eq!(table(b"curv", &[0, 0, 4, 0]), Some(12 + 2048));
        assert_eq!(table(b"curv", &[0xff; 4]).filter(|len| *len < 1 << 32), None);
        assert_eq!(table(b"para", &[0, 3, 0, 0]), Some(32));
        assert_eq!(table(b"para", &[0, 9, 0, 0]), None);
        assert_eq!(table(b"mft1", &[3, 3, 33, 0]), Some(48 + 256 * 6 + 33 * 33 * 33 * 3));
        assert_eq!(table(b"mft1", &[255, 255, 255, 0]), None);
        assert_eq!(table(b"text", b"CANARY"), None);
    }
}
