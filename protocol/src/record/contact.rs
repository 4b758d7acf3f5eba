//! The name and the e-mail address that a member shows to the others, if they want to.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::limits::{MAX_CONTACT_NAME_BYTES, MAX_EMAIL_BYTES};
use crate::text::{FieldError, check_label};

/// Who the author is besides their nickname, by their own word alone. Both empty: nothing is shown any more.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// Name; may be empty.
    pub name: String,
    /// E-mail address; may be empty.
    pub email: String,
}

/// Prints neither.
impl fmt::Debug for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Contact(..)")
    }
}

impl Contact {
    /// Whether nothing is shown.
    pub fn is_empty(&self) -> bool {
        self.name.is_empty() && self.email.is_empty()
    }

    /// R82: what both may hold. An address has something on both sides of its last `@` and nothing in it that ends it, so that no sentence stands in its
    /// place; whether mail arrives there nobody checks.
    ///
    /// # Errors
    /// The field that breaks it.
    pub fn check(&self) -> Result<(), FieldError> {
        check_label("name", &self.name, MAX_CONTACT_NAME_BYTES)?;
        check_label("email", &self.email, MAX_EMAIL_BYTES)?;
        if self.email.is_empty() {
            return Ok(());
        }
        let ends = |c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"' | ',' | ';' | ':' | '?' | '&');
        let has_sides = self.email.rsplit_once('@').is_some_and(|(who, at)| !who.is_empty() && !at.is_empty());
        if !has_sides || self.email.contains(ends) {
            return Err(FieldError::Value { field: "email", why: "it is no e-mail address" });
        }
        Ok(())
    }
}
