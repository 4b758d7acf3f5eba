//! Fetching: the request for the bytes of an accepted offer and its reply; after a reply that is ready come the bytes, group by group.

use serde::{Deserialize, Serialize};

use crate::frame::Message;
use crate::groups::{GroupError, GroupHash, GroupList};
use crate::ids::{ContentId, OfferId};
use crate::limits::{MAX_FETCH_REPLY_BYTES, MAX_GROUPS, MAX_SMALL_MESSAGE_BYTES};
use crate::offer::{check_groups, check_size};
use crate::text::{FieldError, check_count};

/// Asks for a rendition from one of its groups on. Only what was offered to the asking node is ever sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchRequest {
    /// The offer.
    pub offer: OfferId,
    /// The content that the offer named.
    pub content: ContentId,
    /// First group wanted: the asker has those before it.
    pub from_group: u64,
}

impl Message for FetchRequest {
    const MAX_BYTES: usize = MAX_SMALL_MESSAGE_BYTES;

    fn check(&self) -> Result<(), FieldError> {
        check_count("from_group", self.from_group, MAX_GROUPS as u64)
    }
}

/// Answer to a fetch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FetchReply {
    /// The raw bytes of all groups from the one asked for follow, with nothing between and nothing after them.
    Ready {
        /// Bytes of the whole content.
        size_bytes: u64,
        /// Hashes of all its groups.
        groups: Vec<GroupHash>,
    },
    /// R44: there is no such offer to you, whatever the reason.
    NotFound,
}

impl FetchReply {
    /// The reply of a holder.
    pub fn ready(list: &GroupList) -> Self {
        Self::Ready { size_bytes: list.size_bytes(), groups: list.hashes().to_vec() }
    }

    /// R41: the list of group hashes, checked against the content asked for; `None` if it was not found.
    ///
    /// # Errors
    /// The list does not belong to the content.
    pub fn verify(self, content: ContentId) -> Result<Option<GroupList>, GroupError> {
        match self {
            Self::Ready { size_bytes, groups } => GroupList::verify(content, size_bytes, groups).map(Some),
            Self::NotFound => Ok(None),
        }
    }
}

impl Message for FetchReply {
    const MAX_BYTES: usize = MAX_FETCH_REPLY_BYTES;

    fn check(&self) -> Result<(), FieldError> {
        let Self::Ready { size_bytes, groups } = self else { return Ok(()) };
        check_size(*size_bytes)?;
        check_groups(groups, *size_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame;
    use crate::groups::GroupHasher;
    use crate::limits::MAX_RENDITION_BYTES;

    fn list() -> GroupList {
        let mut hasher = GroupHasher::new();
        hasher.update(b"photo");
        hasher.finish().unwrap()
    }

    #[test]
    fn requests_and_replies_come_back_from_their_bytes() {
        let request = FetchRequest { offer: OfferId([1; 16]), content: list().content(), from_group: 3 };
        let frame = frame::encode(&request, 256).unwrap();
        assert_eq!(frame::decode::<FetchRequest>(&frame, 256).unwrap(), request);
        for reply in [FetchReply::ready(&list()), FetchReply::NotFound] {
            let frame = frame::encode(&reply, MAX_FETCH_REPLY_BYTES).unwrap();
            assert_eq!(frame::decode::<FetchReply>(&frame, MAX_FETCH_REPLY_BYTES).unwrap(), reply);
        }
        let full = FetchReply::Ready { size_bytes: MAX_RENDITION_BYTES, groups: vec![[1; 32]; MAX_GROUPS] };
        assert!(frame::encode(&full, MAX_FETCH_REPLY_BYTES).is_ok());
    }

    #[test]
    fn r41_a_reply_with_hashes_of_something_else_is_refused() {
        assert_eq!(FetchReply::ready(&list()).verify(list().content()), Ok(Some(list())));
        assert_eq!(FetchReply::ready(&list()).verify(ContentId([0; 32])), Err(GroupError::WrongList));
        assert_eq!(FetchReply::NotFound.verify(list().content()), Ok(None));
    }

    #[test]
    fn r44_not_found_tells_no_reason() {
        assert_eq!(frame::encode(&FetchReply::NotFound, MAX_FETCH_REPLY_BYTES).unwrap(), [1, 0, 0, 0, 1]);
    }

    #[test]
    fn d7_a_reply_that_declares_too_much_is_refused() {
        for reply in [
            FetchReply::Ready { size_bytes: 1 << 40, groups: vec![] },
            FetchReply::Ready { size_bytes: MAX_RENDITION_BYTES + 1, groups: vec![[0; 32]; MAX_GROUPS + 1] },
            FetchReply::Ready { size_bytes: 0, groups: vec![[0; 32]] },
            FetchReply::Ready { size_bytes: 5, groups: vec![[0; 32]; 2] },
        ] {
            assert!(frame::encode(&reply, MAX_FETCH_REPLY_BYTES).is_err());
            let body = postcard::to_stdvec(&reply).unwrap();
            assert!(frame::decode_body::<FetchReply>(&body, MAX_FETCH_REPLY_BYTES).is_err());
        }
        let request = FetchRequest { offer: OfferId([1; 16]), content: ContentId([2; 32]), from_group: u64::MAX };
        assert!(frame::encode(&request, 256).is_err());
    }
}
