//! Names and addresses from strangers (D8): what they may hold, and how to make one's own input fit.

use thiserror::Error;

use crate::limits::{MAX_ADDRESS_BYTES, MAX_ADDRESSES};

/// Which limit a field of a message breaks.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FieldError {
    /// A text that must not be empty is.
    #[error("the field {field} is empty")]
    Empty {
        /// Name of the field.
        field: &'static str,
    },
    /// More than the field may hold.
    #[error("the field {field} has {found} where at most {limit} are allowed")]
    TooLong {
        /// Name of the field.
        field: &'static str,
        /// What it has, in the unit of the limit.
        found: u64,
        /// What it may have.
        limit: u64,
    },
    /// A control or direction character, or white space at an end.
    #[error("the field {field} holds characters that are not allowed there")]
    Characters {
        /// Name of the field.
        field: &'static str,
    },
    /// A value that makes no sense.
    #[error("the field {field} has a value that is not allowed: {why}")]
    Value {
        /// Name of the field.
        field: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
}

/// R4: no control characters and none that turn the direction of what follows, so that a name cannot dress up as other text.
fn is_forbidden(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Checks a name: not empty, at most `limit` bytes, no forbidden character, no white space at its ends.
///
/// # Errors
/// R4 is broken.
pub fn check_name(field: &'static str, text: &str, limit: usize) -> Result<(), FieldError> {
    if text.is_empty() {
        return Err(FieldError::Empty { field });
    }
    check_label(field, text, limit)
}

/// Checks a label: as a name, but it may be empty.
///
/// # Errors
/// R4 is broken.
pub fn check_label(field: &'static str, text: &str, limit: usize) -> Result<(), FieldError> {
    check_count(field, text.len() as u64, limit as u64)?;
    if text.chars().any(is_forbidden) || text.trim() != text {
        return Err(FieldError::Characters { field });
    }
    Ok(())
}

/// Checks a list of addresses: at most 8, each at most 128 bytes of visible ASCII that begins with a slash, as a multiaddress does.
///
/// # Errors
/// R5 is broken.
pub fn check_addresses(addresses: &[String]) -> Result<(), FieldError> {
    let field = "addresses";
    check_count(field, addresses.len() as u64, MAX_ADDRESSES as u64)?;
    for address in addresses {
        check_count("address", address.len() as u64, MAX_ADDRESS_BYTES as u64)?;
        if !address.starts_with('/') || !address.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(FieldError::Characters { field });
        }
    }
    Ok(())
}

/// Checks a number against a limit.
pub(crate) fn check_count(field: &'static str, found: u64, limit: u64) -> Result<(), FieldError> {
    if found > limit { Err(FieldError::TooLong { field, found, limit }) } else { Ok(()) }
}

/// Makes a name of what a person typed: drops forbidden characters, folds white space, cuts at `limit` bytes. `None` if nothing is left.
pub fn tidy_name(raw: &str, limit: usize) -> Option<String> {
    let mut name = String::new();
    for word in raw.split(|c: char| c.is_whitespace() || c.is_control()) {
        let word: String = word.chars().filter(|c| !is_forbidden(*c)).collect();
        if word.is_empty() {
            continue;
        }
        if !name.is_empty() {
            name.push(' ');
        }
        name.push_str(&word);
    }
    while name.len() > limit {
        name.pop();
    }
    let name = name.trim_end();
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r4_a_name_has_no_control_or_direction_characters() {
        for good in ["Ann", "Zoë & Łukasz", "李小龍", "דנה", "a\u{200d}b", "👩‍👧"] {
            assert_eq!(check_name("name", good, 64), Ok(()), "{good:?}");
        }
        for bad in ["a\nb", "a\0", "\u{202e}gpj.exe", "a\u{2066}b", " a", "a ", "\u{feff}a"] {
            assert_eq!(check_name("name", bad, 64), Err(FieldError::Characters { field: "name" }), "{bad:?}");
        }
        assert_eq!(check_name("name", "", 64), Err(FieldError::Empty { field: "name" }));
        assert_eq!(check_label("label", "", 64), Ok(()));
        assert_eq!(check_name("name", "ab", 1), Err(FieldError::TooLong { field: "name", found: 2, limit: 1 }));
    }

    #[test]
    fn tidy_name_always_passes_the_check() {
        assert_eq!(tidy_name("  Ann \n Lee\u{202e} ", 64).as_deref(), Some("Ann Lee"));
        assert_eq!(tidy_name("éé", 3).as_deref(), Some("é"));
        assert_eq!(tidy_name("abc", 3).as_deref(), Some("abc"));
        assert_eq!(tidy_name("ab cd", 3).as_deref(), Some("ab"));
        assert_eq!(tidy_name(" \u{202e}\t", 64), None);
    }

    #[test]
    fn r5_addresses_are_few_short_and_visible() {
        let good = "/ip4/192.168.1.2/tcp/7412".to_owned();
        assert_eq!(check_addresses(&vec![good.clone(); 8]), Ok(()));
        assert!(check_addresses(&vec![good; 9]).is_err());
        assert!(check_addresses(&["http://x".to_owned()]).is_err());
        assert!(check_addresses(&["/dns4/a b".to_owned()]).is_err());
        assert!(check_addresses(&[format!("/{}", "a".repeat(128))]).is_err());
    }
}
