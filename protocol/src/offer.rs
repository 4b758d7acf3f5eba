//! Offers: "I have a photo of you", its answer, and the receipt after the transfer.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::frame::Message;
use crate::groups::{GroupError, GroupHash, GroupList, group_count};
use crate::ids::{ContentId, EventId, FindMeId, OfferId, UnixMillis};
use crate::limits::{MAX_MEDIA_TYPE_BYTES, MAX_OFFER_BYTES, MAX_RENDITION_BYTES, MAX_SIDE_PX, MAX_SMALL_MESSAGE_BYTES};
use crate::text::{FieldError, check_count};

/// Offers one rendition to the finder behind one find-me.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Offer {
    /// Id of the offer: what is fetched by, and what the receipt names.
    pub offer: OfferId,
    /// The event under which it is made.
    pub event: EventId,
    /// The find-me that it answers.
    pub find_me: FindMeId,
    /// The rendition: what leaves, after the egress filter.
    pub content: ContentId,
    /// Bytes of the rendition.
    pub size_bytes: u64,
    /// Its media type, such as `image/jpeg`.
    pub media_type: String,
    /// Width in pixels as shown, after its orientation.
    pub width: u32,
    /// Height in pixels as shown.
    pub height: u32,
    /// When it was taken, if the holder tells.
    pub taken_at: Option<UnixMillis>,
    /// Template distance of the match; smaller is closer.
    pub score: f32,
    /// Hashes of its groups, or empty: then the reply to the fetch carries them.
    pub groups: Vec<GroupHash>,
}

impl Offer {
    /// The verified list of group hashes, if the offer carries one.
    ///
    /// # Errors
    /// R41: the list does not belong to the content.
    pub fn group_list(&self) -> Result<Option<GroupList>, GroupError> {
        if self.groups.is_empty() {
            return Ok(None);
        }
        GroupList::verify(self.content, self.size_bytes, self.groups.clone()).map(Some)
    }
}

impl fmt::Debug for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Offer")
            .field("offer", &self.offer)
            .field("event", &self.event)
            .field("size_bytes", &self.size_bytes)
            .field("media_type", &self.media_type)
            .finish_non_exhaustive()
    }
}

impl Message for Offer {
    const MAX_BYTES: usize = MAX_OFFER_BYTES;

    fn check(&self) -> Result<(), FieldError> {
        check_size(self.size_bytes)?;
        check_media_type(&self.media_type)?;
        check_picture(self.width, self.height, self.score)?;
        if !self.groups.is_empty() {
            check_groups(&self.groups, self.size_bytes)?;
        }
        Ok(())
    }
}

/// R42: the size of a rendition.
pub(crate) fn check_size(size_bytes: u64) -> Result<(), FieldError> {
    if size_bytes == 0 {
        return Err(FieldError::Empty { field: "size_bytes" });
    }
    check_count("size_bytes", size_bytes, MAX_RENDITION_BYTES)
}

/// R42: the sides of a rendition and the score of its match.
pub(crate) fn check_picture(width: u32, height: u32, score: f32) -> Result<(), FieldError> {
    for side in [width, height] {
        if side == 0 {
            return Err(FieldError::Empty { field: "width or height" });
        }
        check_count("width or height", u64::from(side), u64::from(MAX_SIDE_PX))?;
    }
    if score.is_finite() && score >= 0.0 {
        return Ok(());
    }
    Err(FieldError::Value { field: "score", why: "a distance is finite and not negative" })
}

/// R41: one hash for each group.
pub(crate) fn check_groups(groups: &[GroupHash], size_bytes: u64) -> Result<(), FieldError> {
    if groups.len() as u64 == group_count(size_bytes) {
        return Ok(());
    }
    Err(FieldError::Value { field: "groups", why: "there is not one hash for each group of 256 KiB" })
}

/// R43: two words of lowercase letters, digits, dot, plus and minus with a slash between.
pub(crate) fn check_media_type(text: &str) -> Result<(), FieldError> {
    let field = "media_type";
    check_count(field, text.len() as u64, MAX_MEDIA_TYPE_BYTES as u64)?;
    let is_word = |word: &str| {
        !word.is_empty() && word.bytes().all(|c| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'+' | b'-'))
    };
    match text.split_once('/') {
        Some((kind, name)) if is_word(kind) && is_word(name) => Ok(()),
        _ => Err(FieldError::Characters { field }),
    }
}

/// Why an offer is declined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeclineReason {
    /// No such find-me of mine is live, or not under this event: it may have been withdrawn.
    NoSuchFindMe,
    /// The offer came from a node that is not a member, or that is blocked.
    NotAllowed,
    /// I do not take files of this kind.
    UnsupportedType,
    /// I do not want it, or rejected it before.
    Unwanted,
}

/// The finder's answer to an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OfferReply {
    /// I shall fetch it.
    Accept,
    /// I have it already.
    Have,
    /// I do not want it; do not offer it again.
    Decline(DeclineReason),
    /// I cannot take it now (no room, busy): offer it again later.
    NotNow,
}

impl Message for OfferReply {
    const MAX_BYTES: usize = MAX_SMALL_MESSAGE_BYTES;

    fn check(&self) -> Result<(), FieldError> {
        Ok(())
    }
}

/// What became of a fetched rendition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReceiptState {
    /// Verified and durable at the finder's (D1).
    Delivered,
    /// It was fetched, and refused: wrong bytes, unreadable, or not the finder at all.
    Rejected,
}

/// Tells the holder what became of an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The offer.
    pub offer: OfferId,
    /// What became of it.
    pub state: ReceiptState,
}

impl Message for Receipt {
    const MAX_BYTES: usize = MAX_SMALL_MESSAGE_BYTES;

    fn check(&self) -> Result<(), FieldError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame;
    use crate::limits::GROUP_BYTES;

    fn offer() -> Offer {
        Offer {
            offer: OfferId([1; 16]),
            event: EventId([2; 32]),
            find_me: FindMeId([3; 16]),
            content: ContentId::of(b"photo"),
            size_bytes: 5,
            media_type: "image/jpeg".to_owned(),
            width: 640,
            height: 480,
            taken_at: Some(UnixMillis(1)),
            score: 9.5,
            groups: vec![ContentId::of(b"photo").0],
        }
    }

    fn round_trip(offer: &Offer) -> Result<Offer, frame::FrameError> {
        frame::decode(&frame::encode(offer, MAX_OFFER_BYTES)?, MAX_OFFER_BYTES)
    }

    #[test]
    fn an_offer_comes_back_from_its_bytes() {
        assert_eq!(round_trip(&offer()).unwrap(), offer());
        assert_eq!(offer().group_list().unwrap().unwrap().count(), 1);
        let with_hashes =
            |size_bytes| Offer { size_bytes, groups: vec![[7; 32]; group_count(size_bytes) as usize], ..offer() };
        let full = with_hashes(256 * GROUP_BYTES);
        assert_eq!(round_trip(&full).unwrap(), full);
        // Larger ones leave the hashes to the reply to the fetch.
        assert!(frame::encode(&with_hashes(MAX_RENDITION_BYTES), MAX_OFFER_BYTES).is_err());
        let largest = Offer { size_bytes: MAX_RENDITION_BYTES, groups: vec![], ..offer() };
        assert_eq!(round_trip(&largest).unwrap(), largest);
    }

    fn refuses(bad: impl IntoIterator<Item = (&'static str, Offer)>) {
        for (name, offer) in bad {
            assert!(matches!(round_trip(&offer), Err(frame::FrameError::Field(_))), "{name}");
            let body = postcard::to_stdvec(&offer).unwrap();
            assert!(frame::decode_body::<Offer>(&body, MAX_OFFER_BYTES).is_err(), "{name}, by another implementation");
        }
    }

    #[test]
    fn r42_a_rendition_out_of_its_limits_is_refused() {
        let least = Offer { width: 1, height: 1, score: 0.0, size_bytes: 1, groups: vec![], ..offer() };
        let most = Offer { width: MAX_SIDE_PX, height: MAX_SIDE_PX, size_bytes: MAX_RENDITION_BYTES, ..least.clone() };
        assert!(round_trip(&least).is_ok() && round_trip(&most).is_ok());
        refuses([
            ("empty", Offer { size_bytes: 0, ..offer() }),
            ("1 TiB", Offer { size_bytes: 1 << 40, groups: vec![], ..offer() }),
            ("no width", Offer { width: 0, ..offer() }),
            ("too high", Offer { height: MAX_SIDE_PX + 1, ..offer() }),
            ("NaN score", Offer { score: f32::NAN, ..offer() }),
            ("negative score", Offer { score: -1.0, ..offer() }),
        ]);
    }

    #[test]
    fn r43_a_media_type_is_two_plain_words() {
        let of = |media_type: &str| Offer { media_type: media_type.to_owned(), ..offer() };
        for good in ["image/jpeg", "image/svg+xml", "application/vnd.a-b.c"] {
            assert!(round_trip(&of(good)).is_ok(), "{good}");
        }
        let long = format!("image/{}", "a".repeat(59));
        refuses(
            ["<b>/x", "image", "image/a/b", "image/", "/jpeg", "Image/JPEG", "image/a b", "", &long]
                .map(|bad| ("media type", of(bad))),
        );
    }

    #[test]
    fn r41_an_offer_has_one_hash_for_each_group() {
        refuses([("hash missing", Offer { size_bytes: GROUP_BYTES + 1, ..offer() })]);
    }

    #[test]
    fn r41_an_offer_with_hashes_of_something_else_is_refused() {
        let lie = Offer { groups: vec![[0; 32]], ..offer() };
        assert_eq!(lie.group_list(), Err(GroupError::WrongList));
        assert_eq!(Offer { groups: vec![], ..offer() }.group_list(), Ok(None));
    }
}
