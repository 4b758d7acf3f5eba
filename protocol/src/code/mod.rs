//! Joining by a short code that people on one local network read to each other: an exchange of keys from a password (SPAKE2), in which whoever does
//! not know the code has one guess a run and learns nothing else.
//!
//! The joiner begins with [`CodeAsk`], the host answers [`CodeReply`], the joiner proves with [`CodeProof`] that they know the code, and only then
//! does the host seal the invite to them ([`CodeGrant`]). From there on the invite is used as one that was pasted.

mod message;
mod run;

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::ids::UnixMillis;
use crate::keys::{KeyError, random};
use crate::limits::{CODE_DIGITS, CODE_LIFE_MS, CODE_SELECTORS, MAX_WRONG_CODES};

pub use message::{CodeAsk, CodeGrant, CodeProof, CodeReply, Element, SealedInvite};
pub use run::{CodeKey, CodeRun, GrantError, WrongCode, WrongElement};

/// Codes that there are.
const CODES: u32 = 10_u32.pow(CODE_DIGITS as u32);
/// Codes of one selector.
const OF_A_SELECTOR: u32 = CODES / CODE_SELECTORS as u32;

/// Why a text is not a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CodeError {
    /// R62: there is something else than digits.
    #[error("a code has digits only")]
    NotDigits,
    /// R62: too few or too many digits.
    #[error("a code has {CODE_DIGITS} digits, this one has {0}")]
    Digits(usize),
}

/// A code: the first two digits are its selector, which says which of the codes on a network is meant and is no secret; the others are.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(try_from = "u32", into = "u32")]
pub struct JoinCode(u32);

impl TryFrom<u32> for JoinCode {
    type Error = CodeError;

    fn try_from(number: u32) -> Result<Self, CodeError> {
        if number < CODES { Ok(Self(number)) } else { Err(CodeError::Digits(number.to_string().len())) }
    }
}

impl From<JoinCode> for u32 {
    fn from(code: JoinCode) -> Self {
        code.0
    }
}

impl fmt::Debug for JoinCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JoinCode(hidden)")
    }
}

/// Grouped as people read it: `47 293 816`.
impl fmt::Display for JoinCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02} {:03} {:03}", self.selector(), self.0 / 1_000 % 1_000, self.0 % 1_000)
    }
}

impl JoinCode {
    /// A fresh one, each as likely as any other.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn generate() -> Result<Self, KeyError> {
        loop {
            let number = u32::from_le_bytes(random()?);
            // The largest multiple within the range: what lies above would make some codes likelier.
            if number < u32::MAX / CODES * CODES {
                return Ok(Self(number % CODES));
            }
        }
    }

    /// R62: reads a code as people type it: white space and dashes are ignored.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(text: &str) -> Result<Self, CodeError> {
        if !Self::is_meant_by(text) {
            return Err(CodeError::NotDigits);
        }
        let digits = text.bytes().filter(u8::is_ascii_digit);
        let count = digits.clone().count();
        if count != CODE_DIGITS {
            return Err(CodeError::Digits(count));
        }
        Ok(Self(digits.fold(0, |number, digit| number * 10 + u32::from(digit - b'0'))))
    }

    /// Whether whoever typed this meant a code, right or wrong, and not a link.
    pub fn is_meant_by(text: &str) -> bool {
        let digits = text.chars().any(|c| c.is_ascii_digit());
        digits
            && text
                .chars()
                .all(|c| c.is_ascii_digit() || c.is_whitespace() || matches!(c, '-' | '\u{2010}'..='\u{2015}'))
    }

    /// Which of the codes on a network this is.
    pub fn selector(&self) -> u8 {
        // At most 99.
        (self.0 / OF_A_SELECTOR) as u8
    }
}

/// R66: what a host keeps of a code that it shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub struct OpenCode {
    /// The code.
    pub code: JoinCode,
    /// When it ends.
    #[zeroize(skip)]
    pub until: UnixMillis,
    /// Wrong proofs so far.
    wrong: u8,
}

impl OpenCode {
    /// Opens a code now.
    pub fn new(code: JoinCode, now: UnixMillis) -> Self {
        Self { code, until: now.plus(CODE_LIFE_MS), wrong: 0 }
    }

    /// R66: whether a proof is looked at.
    pub fn is_open(&self, now: UnixMillis) -> bool {
        // A clock that was set back must not make a code live longer.
        let left = self.until.0.saturating_sub(now.0);
        self.guesses_left() > 0 && (1..=CODE_LIFE_MS).contains(&left)
    }

    /// Wrong proofs that it still bears.
    pub fn guesses_left(&self) -> u8 {
        MAX_WRONG_CODES.saturating_sub(self.wrong)
    }

    /// R66: counts a wrong proof. To be kept before the answer is given.
    pub fn guessed_wrong(&mut self) {
        self.wrong = self.wrong.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{self, Message};

    fn code(text: &str) -> JoinCode {
        JoinCode::parse(text).unwrap()
    }

    #[test]
    fn r62_a_code_is_eight_digits_however_they_are_grouped() {
        for text in ["47293816", "47 293 816", " 47-293-816\n", "4729 3816", "47\u{2013}293816"] {
            assert_eq!(code(text), JoinCode(47_293_816), "{text}");
        }
        assert_eq!((code("00000007").selector(), code("00000007").to_string().as_str()), (0, "00 000 007"));
        assert_eq!((code("99 999 999").selector(), code("47 293 816").selector()), (99, 47));
        for (text, error) in [
            ("", CodeError::NotDigits),
            (" - ", CodeError::NotDigits),
            ("inframe://join/47293816", CodeError::NotDigits),
            ("4729381o", CodeError::NotDigits),
            ("4729381", CodeError::Digits(7)),
            ("472938160", CodeError::Digits(9)),
            (&"1".repeat(5_000), CodeError::Digits(5_000)),
        ] {
            assert_eq!(JoinCode::parse(text), Err(error), "{text}");
        }
        let ask = CodeAsk { selector: 99, element: [1; 32] };
        assert!(frame::encode(&ask, CodeAsk::MAX_BYTES).is_ok());
        assert!(frame::encode(&CodeAsk { selector: 100, ..ask }, CodeAsk::MAX_BYTES).is_err());
    }

    #[test]
    fn codes_are_drawn_from_all_there_are() {
        let codes: Vec<JoinCode> = (0..2_000).map(|_| JoinCode::generate().unwrap()).collect();
        let selectors: std::collections::BTreeSet<u8> = codes.iter().map(JoinCode::selector).collect();
        assert!(selectors.len() == 100 && codes.iter().all(|one| code(&one.to_string()) == *one));
        assert!(JoinCode::try_from(CODES).is_err());
    }

    #[test]
    fn r66_a_code_ends_after_ten_minutes_or_five_wrong_proofs() {
        let start = UnixMillis(1_000_000);
        let mut open = OpenCode::new(code("12345678"), start);
        assert!(open.is_open(start) && open.is_open(start.plus(CODE_LIFE_MS - 1)));
        assert!(!open.is_open(start.plus(CODE_LIFE_MS)));
        assert!(!open.is_open(UnixMillis(start.0 - 1)), "a clock that is set back ends it");
        for left in (0..MAX_WRONG_CODES).rev() {
            assert!(open.is_open(start));
            open.guessed_wrong();
            assert_eq!(open.guesses_left(), left);
        }
        assert!(!open.is_open(start));
    }

    #[test]
    fn nothing_of_a_code_is_shown_by_debug() {
        let open = OpenCode::new(code("12345678"), UnixMillis(1));
        let shown = format!("{open:?} {:?} {:?}", CodeKey::from_bytes([7; 32]), CodeKey::from_bytes([7; 32]).prove());
        assert!(!shown.contains("345") && !shown.contains("7, 7"), "{shown}");
    }
}
