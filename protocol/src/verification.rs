//! R51: what two people compare to see that the one who asks to join is the one whom the host is about to admit.

use serde::Serialize;

use crate::ids::{EventId, NodeId};
use crate::keys::MemberPublic;
use crate::limits::VERIFICATION_WORDS;

/// Derives the words.
const WORDS_CONTEXT: &str = "inframe 1 verification words";
/// Bits of a word: the BIP-39 lists have 2,048 words.
const WORD_BITS: usize = 11;

/// What the words are made of, in this order.
#[derive(Serialize)]
struct Compared<'a> {
    event: EventId,
    host: &'a NodeId,
    member: &'a MemberPublic,
    joiner: &'a NodeId,
}

/// R51: the places of the words in the English BIP-39 list, from 0. Host and joiner each compute them from what they know themselves: the
/// event and the host's node from the invite or from their own, the joiner's keys and node from their own or from the request and the
/// transport. They are no secret.
pub fn verification_words(
    event: EventId,
    host: &NodeId,
    member: &MemberPublic,
    joiner: &NodeId,
) -> [u16; VERIFICATION_WORDS] {
    // Writing plain fields to memory cannot fail; if it ever did, both sides would show the same words, which is why a test changes each field.
    let compared = postcard::to_stdvec(&Compared { event, host, member, joiner }).unwrap_or_default();
    let hash = blake3::derive_key(WORDS_CONTEXT, &compared);
    let bit = |at: usize| hash.get(at / 8).is_some_and(|byte| byte >> (7 - at % 8) & 1 == 1);
    std::array::from_fn(|word| {
        (word * WORD_BITS..(word + 1) * WORD_BITS).fold(0, |place, at| place << 1 | u16::from(bit(at)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::MemberKeys;

    fn node(number: u8) -> NodeId {
        NodeId::new([number; 38]).unwrap()
    }

    #[test]
    fn r51_both_sides_see_the_same_words_and_anything_else_changes_them() {
        let (joiner, other) = (MemberKeys::from_bytes([5; 64]).public(), MemberKeys::from_bytes([6; 64]).public());
        let seen =
            |event, host, member, from| verification_words(EventId([event; 32]), &node(host), &member, &node(from));
        let words = seen(7, 1, joiner, 2);
        assert_eq!(words, seen(7, 1, joiner, 2));
        let (other_sign, other_seal) =
            (MemberPublic { sign: other.sign, ..joiner }, MemberPublic { seal: other.seal, ..joiner });
        let changed = [
            seen(8, 1, joiner, 2),
            seen(7, 3, joiner, 2),
            seen(7, 1, joiner, 3),
            seen(7, 2, joiner, 1),
            seen(7, 1, other_sign, 2),
            seen(7, 1, other_seal, 2),
        ];
        for others in changed {
            let equal = words.iter().zip(others).filter(|(word, other)| **word == *other).count();
            assert!(equal <= 1, "{words:?} and {others:?}");
        }
        assert!(words.iter().all(|word| *word < 2_048));
    }

    #[test]
    fn r51_the_words_are_the_first_66_bits_in_order() {
        let joiner = MemberKeys::from_bytes([5; 64]).public();
        let words = verification_words(EventId([7; 32]), &node(1), &joiner, &node(2));
        let body = postcard::to_stdvec(&(EventId([7; 32]), node(1), joiner, node(2))).unwrap();
        let hash = blake3::derive_key("inframe 1 verification words", &body);
        let first: u128 = u128::from_be_bytes(hash[..16].try_into().unwrap()) >> (128 - 66);
        let joined = words.iter().fold(0_u128, |all, word| all << 11 | u128::from(*word));
        assert_eq!(joined, first);
    }
}
