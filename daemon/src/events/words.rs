//! The words that host and joiner compare while a request waits (R51).

use inframe_protocol::keys::MemberPublic;
use inframe_protocol::verification::verification_words;
use inframe_protocol::{EventId, NodeId};

/// The words themselves.
pub(super) fn words(event: EventId, host: &NodeId, member: &MemberPublic, joiner: &NodeId) -> Vec<&'static str> {
    let list = bip39::Language::English.word_list();
    let places = verification_words(event, host, member, joiner);
    places.iter().filter_map(|place| list.get(usize::from(*place)).copied()).collect()
}

#[cfg(test)]
mod tests {
    use inframe_protocol::keys::MemberKeys;

    use super::*;

    #[test]
    fn there_are_six_words_of_the_list_in_the_order_of_their_places() {
        let (host, joiner) = (NodeId::new([1; 38]).unwrap(), NodeId::new([2; 38]).unwrap());
        for number in 0..50 {
            let member = MemberKeys::from_bytes([number; 64]).public();
            let words = words(EventId([number; 32]), &host, &member, &joiner);
            let places = verification_words(EventId([number; 32]), &host, &member, &joiner);
            let found: Vec<u16> = words.iter().filter_map(|word| bip39::Language::English.find_word(word)).collect();
            assert_eq!(found, places);
        }
    }
}
