//! Asking back what was sent.

#![allow(clippy::unwrap_used, reason = "a failure of the helpers is a failure of the test")]

use inframe_protocol::frame::{Message as _, decode, encode};
use inframe_protocol::limits::MAX_RECALLS;
use inframe_protocol::recall::{Recall, RecallAnswer, RecallReply};
use inframe_protocol::{EventId, OfferId};

#[test]
fn r80_a_question_of_a_hundred_offers_fits_and_no_larger_or_empty_one_does() {
    let of = |count: usize| {
        let question = Recall::Ask { event: EventId([255; 32]), offers: vec![OfferId([255; 16]); count] };
        encode(&question, Recall::MAX_BYTES)
    };
    let full = of(MAX_RECALLS).unwrap();
    assert!(
        matches!(decode::<Recall>(&full, Recall::MAX_BYTES).unwrap(), Recall::Ask { offers, .. } if offers.len() == MAX_RECALLS)
    );
    assert!(of(0).is_err() && of(MAX_RECALLS + 1).is_err());
    let reply =
        |count: usize| encode(&RecallReply { answers: vec![RecallAnswer::Unknown; count] }, RecallReply::MAX_BYTES);
    assert!(reply(MAX_RECALLS).is_ok() && reply(MAX_RECALLS + 1).is_err());
}
