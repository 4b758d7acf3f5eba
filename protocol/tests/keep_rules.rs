//! Sealed deliveries: who may send, open and receipt them, and when they are taken back.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure of the helpers is a failure of the test")]

mod party;

use inframe_protocol::frame::{Message as _, decode, encode};
use inframe_protocol::keep::{
    KeepError, KeepRequest, Label, Letter, PIECE_BYTES, SealedDelivery, fresh_key, open_piece, seal_piece, sealed_bytes,
};
use inframe_protocol::record::{RecordBody, Subject};
use inframe_protocol::{ContentId, OfferId};
use party::{HOUR, Party, START};

fn letter(size_bytes: u64) -> Letter {
    Letter {
        key: fresh_key().unwrap(),
        content: ContentId::of(b"photo"),
        size_bytes,
        media_type: "image/jpeg".to_owned(),
        width: 40,
        height: 30,
        taken_at: None,
        score: 9.0,
    }
}

fn label(party: &Party, size_bytes: u64) -> Label {
    Label {
        event: party.key.event_id(),
        offer: OfferId([1; 16]),
        from: party.guests[1].id(),
        to: party.guests[2].id(),
        find_me: party.guests[2].fresh_id(),
        content: ContentId::of(b"sealed photo"),
        size_bytes: sealed_bytes(size_bytes),
        expires: START.plus(24 * HOUR),
    }
}

#[test]
fn r67_a_delivery_is_from_a_member_to_another_and_nobody_changes_it_on_the_way() {
    let mut party = Party::of(4);
    let delivery = party.guests[1].state.seal_delivery(label(&party, 7), &letter(7)).unwrap();
    for carrier in [0, 2, 3] {
        assert_eq!(party.guests[carrier].state.check_delivery(&delivery, START), Ok(()));
    }
    // Every bit of label, letter and signature counts.
    let bytes = postcard::to_stdvec(&delivery).unwrap();
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        let Ok(changed) = postcard::from_bytes::<SealedDelivery>(&changed) else { continue };
        assert!(party.guests[0].state.check_delivery(&changed, START).is_err(), "{at}");
    }
    assert_eq!(
        party.guests[3].state.seal_delivery(label(&party, 7), &letter(7)),
        Err(KeepError::NotMembers),
        "nobody writes in another's name"
    );
    // Whoever is removed sends and gets nothing.
    party.remove(&party.guests[2].id());
    assert_eq!(party.guests[0].state.check_delivery(&delivery, START), Err(KeepError::NotMembers));
}

#[test]
fn r68_a_delivery_has_a_fortnight_at_most() {
    let party = Party::of(3);
    let delivery = party.guests[1].state.seal_delivery(label(&party, 7), &letter(7)).unwrap();
    let at = |now| party.guests[0].state.check_delivery(&delivery, now);
    assert_eq!((at(START.plus(24 * HOUR - 1)), at(START.plus(24 * HOUR))), (Ok(()), Err(KeepError::WrongTime)));
    assert_eq!((at(START.minus(13 * 24 * HOUR)), at(START.minus(14 * 24 * HOUR))), (Ok(()), Err(KeepError::WrongTime)));
}

#[test]
fn r69_only_the_receiver_reads_the_letter() {
    let party = Party::of(4);
    let written = letter(7);
    let delivery = party.guests[1].state.seal_delivery(label(&party, 7), &written).unwrap();
    let opened = party.guests[2].state.open_delivery(&delivery, START).unwrap();
    assert_eq!(opened, written);
    for other in [0, 1, 3] {
        assert_eq!(party.guests[other].state.open_delivery(&delivery, START), Err(KeepError::CannotOpen));
    }
    let other_size = party.guests[1].state.seal_delivery(label(&party, 8), &written).unwrap();
    assert_eq!(party.guests[2].state.open_delivery(&other_size, START), Err(KeepError::WrongLetter));
    let frame = encode(&KeepRequest::Delivery(Box::new(delivery.clone())), KeepRequest::MAX_BYTES).unwrap();
    assert_eq!(
        decode::<KeepRequest>(&frame, KeepRequest::MAX_BYTES).unwrap(),
        KeepRequest::Delivery(Box::new(delivery))
    );
    let shown = format!("{opened:?}");
    assert!(!shown.contains(&format!("{:?}", opened.key)) && !shown.contains("key"), "{shown}");
}

#[test]
fn r69_a_rendition_comes_back_from_its_pieces() {
    let key = fresh_key().unwrap();
    for size in [1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES + 7] {
        let plain: Vec<u8> = (0..size).map(|at| at as u8).collect();
        let pieces: Vec<&[u8]> = plain.chunks(PIECE_BYTES as usize).collect();
        let is_last = |index: usize| index + 1 == pieces.len();
        let sealed: Vec<Vec<u8>> = pieces
            .iter()
            .enumerate()
            .map(|(index, piece)| {
                let mut piece = piece.to_vec();
                seal_piece(&key, index as u64, is_last(index), &mut piece).unwrap();
                piece
            })
            .collect();
        assert_eq!(sealed.concat().len() as u64, sealed_bytes(size));
        let opened = sealed.iter().enumerate().map(|(index, piece)| {
            let mut piece = piece.clone();
            open_piece(&key, index as u64, is_last(index), &mut piece).unwrap();
            piece
        });
        assert_eq!(opened.collect::<Vec<_>>().concat(), plain);
    }
}

#[test]
fn r70_only_the_receivers_own_receipt_counts() {
    let party = Party::of(4);
    let delivery = party.guests[1].state.seal_delivery(label(&party, 7), &letter(7)).unwrap();
    let other = party.guests[1].state.seal_delivery(Label { offer: OfferId([2; 16]), ..label(&party, 7) }, &letter(7));
    let receipt = party.guests[2].state.receipt_for(&delivery).unwrap();
    assert_eq!(delivery.verify_receipt(&receipt), Ok(()));
    assert_eq!(other.unwrap().verify_receipt(&receipt), Err(KeepError::BadSignature), "for another delivery");
    assert_eq!(party.guests[3].state.receipt_for(&delivery), None);
    let forged = delivery.receipt(&party.guests[3].keys).unwrap();
    assert_eq!(delivery.verify_receipt(&forged), Err(KeepError::BadSignature));
}

#[test]
fn what_is_withdrawn_or_replaced_is_taken_back_and_what_has_run_out_is_not() {
    let mut party = Party::of(3);
    let ids = [0, 1, 2].map(|_| party.guests[2].fresh_id());
    let author = party.guests[2].id();
    let announce = |party: &mut Party, at: usize, subject, life: u64| {
        let find_me = party.guests[2].find_me(ids[at], 1, subject, START.plus(life));
        let (bytes, _) = party.guests[2].state.write(RecordBody::FindMe(find_me), START).unwrap();
        party.host().state.receive(&bytes, START).unwrap();
    };
    announce(&mut party, 0, Subject::Me, HOUR);
    announce(&mut party, 1, Subject::Child, HOUR);
    let taken_back = |party: &Party| ids.map(|id| party.guests[0].state.was_withdrawn(&author, &id));
    assert_eq!(taken_back(&party), [false; 3]);
    let mut later = party.clone();
    later.host().state.prune(START.plus(10 * HOUR));
    assert!(later.guests[0].state.find_mes(START.plus(10 * HOUR)).is_empty(), "they have run out");
    assert_eq!(taken_back(&later), [false; 3], "which is not the same");

    // The second takes the place of the first, as both look for the author; the child is withdrawn.
    announce(&mut party, 2, Subject::Me, HOUR);
    let (bytes, _) = party.guests[2].state.write(RecordBody::Withdraw { find_me: ids[1] }, START).unwrap();
    party.host().state.receive(&bytes, START).unwrap();
    assert_eq!(taken_back(&party), [true, true, false]);
    let (bytes, _) = party.guests[2].state.write(RecordBody::Leave, START).unwrap();
    party.host().state.receive(&bytes, START).unwrap();
    assert_eq!(taken_back(&party), [true; 3]);
}
