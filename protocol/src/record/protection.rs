//! What a member says about photos of them that others took: hold them back, blur the face, or leave it as it is where bystanders are blurred.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Header, RecordError, Subject};
use crate::ids::{ProtectionId, UnixMillis};
use crate::keys::EpochGrant;
use crate::limits::{MAX_PACK_ID_BYTES, MAX_PROTECTION_LIFETIME_MS};
use crate::template::Template;
use crate::text::check_name;

/// What is to become of a photo that shows somebody, before it goes to anybody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Wish {
    /// It does not go.
    HoldBack,
    /// It goes with their face destroyed.
    Blur,
    /// It goes as it is, also where the event blurs bystanders (R79).
    Show,
}

/// A member's word about a face that was enrolled with consent (D5), the author's or a child's of theirs. It carries no picture.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Protection {
    /// Id, the same through all renewals; bound to the author (R75).
    pub id: ProtectionId,
    /// Id of the model pack that the template comes from; only equal ids compare.
    pub pack: String,
    /// The template under the projection key of the record's epoch.
    pub template: Template,
    /// Whose face it is.
    pub subject: Subject,
    /// What is asked.
    pub wish: Wish,
    /// When it ends: at most seven days after the record's time.
    pub expires: UnixMillis,
}

/// Prints nothing of the face.
impl fmt::Debug for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Protection")
            .field("id", &self.id)
            .field("pack", &self.pack)
            .field("subject", &self.subject)
            .field("wish", &self.wish)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

impl Protection {
    pub(super) fn check(&self, header: &Header, grant: &EpochGrant) -> Result<(), RecordError> {
        // R75
        if !self.id.belongs_to(&header.author) {
            return Err(RecordError::ForeignProtection);
        }
        // R74
        check_name("pack", &self.pack, MAX_PACK_ID_BYTES)?;
        if self.expires <= header.at || self.expires > header.at.plus(MAX_PROTECTION_LIFETIME_MS) {
            return Err(RecordError::ProtectionLifetime);
        }
        // R28, R29
        self.template.check()?;
        Ok(self.template.check_face(&grant.projection_key())?)
    }
}
