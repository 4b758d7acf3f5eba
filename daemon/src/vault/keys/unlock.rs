//! Ways of unlocking: what the owner has in a file, in mind, or on paper.

use std::fmt;

use argon2::{Algorithm, Argon2, Params, Version};
use bip39::Mnemonic;
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;

use super::{KeyError, KeyFile, SealError, Secret32};
use crate::limits::{
    MAX_PASSPHRASE_BYTES, MAX_PASSPHRASE_LANES, MAX_PASSPHRASE_MEMORY_KIB, MAX_PASSPHRASE_PASSES, MIN_PASSPHRASE_CHARS,
    PASSPHRASE_LANES, PASSPHRASE_MEMORY_KIB, PASSPHRASE_PASSES,
};

/// Words of a recovery phrase: 256 bits and a checksum.
pub const RECOVERY_WORDS: usize = 24;

/// How a slot is unlocked. The numbers are part of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SlotKind {
    /// A file with a random secret: the daemon starts unattended.
    KeyFile,
    /// A passphrase that is typed at each start.
    Passphrase,
    /// 24 words on paper, for the day when the rest is lost.
    Recovery,
}

impl SlotKind {
    /// All of them, the one that asks least of the owner first.
    pub const ALL: [Self; 3] = [Self::KeyFile, Self::Passphrase, Self::Recovery];

    pub(super) fn number(self) -> u8 {
        match self {
            Self::KeyFile => 1,
            Self::Passphrase => 2,
            Self::Recovery => 3,
        }
    }

    pub(super) fn of(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }

    /// As in a sentence.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::KeyFile => "key file",
            Self::Passphrase => "passphrase",
            Self::Recovery => "recovery phrase",
        }
    }

    /// Contexts of the id and of the wrapping key; no two kinds share one.
    pub(super) fn contexts(self) -> [&'static str; 2] {
        match self {
            Self::KeyFile => ["inframe 2026-11-25 key file: id", "inframe 2026-11-25 key file: wrapping key"],
            Self::Passphrase => ["inframe 2026-11-26 passphrase: id", "inframe 2026-11-26 passphrase: wrapping key"],
            Self::Recovery => {
                ["inframe 2026-11-26 recovery phrase: id", "inframe 2026-11-26 recovery phrase: wrapping key"]
            }
        }
    }
}

impl fmt::Display for SlotKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
    }
}

/// A passphrase, in one Unicode form (NFKC) whatever keyboard it was typed on.
#[derive(Clone)]
pub struct Passphrase(Zeroizing<String>);

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(hidden)")
    }
}

impl Passphrase {
    /// As typed; an end of line is not a part of it.
    ///
    /// # Errors
    /// [`KeyError::BadPassphrase`] when it is empty or far too long.
    pub fn typed(text: &str) -> Result<Self, KeyError> {
        let text = text.trim_end_matches(['\r', '\n']);
        if text.is_empty() {
            return Err(KeyError::BadPassphrase("the passphrase is empty".into()));
        }
        if text.len() > MAX_PASSPHRASE_BYTES {
            return Err(KeyError::BadPassphrase(format!("a passphrase has at most {MAX_PASSPHRASE_BYTES} bytes")));
        }
        Ok(Self(Zeroizing::new(text.nfkc().collect())))
    }

    /// How many characters it has.
    #[must_use]
    pub fn chars(&self) -> usize {
        self.0.chars().count()
    }

    /// As chosen for a new slot.
    ///
    /// # Errors
    /// As [`Passphrase::typed`], and when it is so short that a thief of the data folder would find it by trying.
    pub fn chosen(text: &str) -> Result<Self, KeyError> {
        let chosen = Self::typed(text)?;
        if chosen.chars() < MIN_PASSPHRASE_CHARS {
            return Err(KeyError::BadPassphrase(format!(
                "a passphrase needs at least {MIN_PASSPHRASE_CHARS} characters: take four or more words that nobody else would put together"
            )));
        }
        Ok(chosen)
    }
}

/// The words from which the key of a recovery slot is made again.
#[derive(Clone)]
pub struct RecoveryPhrase(Secret32);

impl fmt::Debug for RecoveryPhrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryPhrase(hidden)")
    }
}

impl RecoveryPhrase {
    /// A new one.
    ///
    /// # Errors
    /// If the operating system has no randomness to give.
    pub fn random() -> Result<Self, KeyError> {
        Ok(Self(Secret32::random().map_err(|_| SealError)?))
    }

    /// As typed: words of the English list, in upper or lower case, with any space between them.
    ///
    /// # Errors
    /// [`KeyError::BadRecoveryPhrase`] says which word is none of the list, or that one of them was exchanged.
    pub fn typed(text: &str) -> Result<Self, KeyError> {
        let words: Zeroizing<String> =
            Zeroizing::new(text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" "));
        let count = words.split(' ').filter(|word| !word.is_empty()).count();
        if count != RECOVERY_WORDS {
            return Err(KeyError::BadRecoveryPhrase(format!(
                "a recovery phrase has {RECOVERY_WORDS} words, these are {count}"
            )));
        }
        let parsed = Mnemonic::parse_in_normalized(bip39::Language::English, &words).map_err(|error| {
            KeyError::BadRecoveryPhrase(match error {
                bip39::Error::UnknownWord(at) => format!("word {} is not in the list; look at its spelling", at + 1),
                _ => "the words do not belong together; one of them is another or they are in another order".into(),
            })
        })?;
        let entropy = Zeroizing::new(parsed.to_entropy());
        let secret = entropy.first_chunk::<32>().copied().ok_or(SealError)?;
        Ok(Self(Secret32::new(secret)))
    }

    /// The words, to be written on paper.
    ///
    /// # Errors
    /// Never for 256 bits.
    pub fn words(&self) -> Result<Vec<&'static str>, KeyError> {
        let phrase = Mnemonic::from_entropy(self.0.expose()).map_err(|_| SealError)?;
        Ok(phrase.words().collect())
    }
}

/// What the owner unlocks with.
#[derive(Clone, Debug)]
pub enum Unlock {
    /// The key file; made at the very first start.
    KeyFile(KeyFile),
    /// The passphrase.
    Passphrase(Passphrase),
    /// The recovery phrase.
    Recovery(RecoveryPhrase),
}

impl Unlock {
    /// Which kind of slot it opens.
    #[must_use]
    pub fn kind(&self) -> SlotKind {
        match self {
            Self::KeyFile(_) => SlotKind::KeyFile,
            Self::Passphrase(_) => SlotKind::Passphrase,
            Self::Recovery(_) => SlotKind::Recovery,
        }
    }

    /// What a new slot states besides the wrapped key.
    pub(super) fn new_parameters(&self) -> Result<Vec<u8>, KeyError> {
        match self {
            Self::Passphrase(_) => Ok(postcard::to_stdvec(&Cost::new()?).map_err(|_| SealError)?),
            Self::KeyFile(_) | Self::Recovery(_) => Ok(Vec::new()),
        }
    }

    /// The secret behind a slot with these parameters. Takes memory and time for a passphrase: see [`Cost`].
    pub(super) fn secret(&self, parameters: &[u8]) -> Result<Secret32, KeyError> {
        match self {
            Self::KeyFile(file) => file.read(),
            Self::Recovery(phrase) => Ok(phrase.0.clone()),
            Self::Passphrase(passphrase) => Cost::read(parameters)?.stretch(passphrase),
        }
    }
}

/// What makes a guess dear: parameters of Argon2id, kept in the slot.
#[derive(Serialize, Deserialize)]
pub(in crate::vault) struct Cost {
    salt: [u8; 16],
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl Cost {
    /// That of a new secret, with a salt of its own.
    pub(in crate::vault) fn new() -> Result<Self, KeyError> {
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).map_err(|_| SealError)?;
        Ok(Self { salt, memory_kib: PASSPHRASE_MEMORY_KIB, passes: PASSPHRASE_PASSES, lanes: PASSPHRASE_LANES })
    }

    /// Whoever can write the file must not be able to take all memory at the next start (D7).
    pub(in crate::vault) fn read(parameters: &[u8]) -> Result<Self, KeyError> {
        let cost: Self = postcard::from_bytes(parameters).map_err(|_| KeyError::PassphraseCost)?;
        let bounded = cost.memory_kib <= MAX_PASSPHRASE_MEMORY_KIB
            && cost.passes <= MAX_PASSPHRASE_PASSES
            && cost.lanes <= MAX_PASSPHRASE_LANES;
        if bounded { Ok(cost) } else { Err(KeyError::PassphraseCost) }
    }

    /// What a passphrase comes to at this cost.
    pub(in crate::vault) fn stretch(&self, passphrase: &Passphrase) -> Result<Secret32, KeyError> {
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(32));
        let params = params.map_err(|_| KeyError::PassphraseCost)?;
        let mut secret = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase.0.as_bytes(), &self.salt, secret.as_mut_slice())
            .map_err(|_| KeyError::PassphraseCost)?;
        Ok(Secret32::new(*secret))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d3_no_secret_is_printed() {
        let phrase = RecoveryPhrase::random().unwrap();
        let passphrase = Passphrase::typed("correct horse battery staple").unwrap();
        let shown = format!("{:?} {:?}", Unlock::Recovery(phrase.clone()), Unlock::Passphrase(passphrase));
        assert_eq!(shown, "Recovery(RecoveryPhrase(hidden)) Passphrase(Passphrase(hidden))");
        assert_eq!(format!("{phrase:?}"), "RecoveryPhrase(hidden)");
    }

    #[test]
    fn a_recovery_phrase_is_read_back_however_it_is_typed() {
        let phrase = RecoveryPhrase::random().unwrap();
        let words = phrase.words().unwrap();
        assert_eq!(words.len(), RECOVERY_WORDS);
        let typed = format!("  {}\n", words.join("  \n ").to_uppercase());
        assert_eq!(RecoveryPhrase::typed(&typed).unwrap().0, phrase.0);
    }

    #[test]
    fn a_wrong_word_is_told_by_its_place() {
        let words = RecoveryPhrase::random().unwrap().words().unwrap();
        let reason = |words: &[&str]| match RecoveryPhrase::typed(&words.join(" ")).unwrap_err() {
            KeyError::BadRecoveryPhrase(reason) => reason,
            other => panic!("{other}"),
        };
        let mut misspelt = words.clone();
        misspelt[6] = "phoot";
        assert!(reason(&misspelt).contains("word 7"));
        assert!(reason(&words[..23]).contains("these are 23"));
        // One word for another of the list: the checksum has 8 bits, so that a few of 2,048 words would pass.
        let mut exchanged = words;
        let list = bip39::Language::English.word_list();
        let refused = list.iter().filter(|word| {
            exchanged[0] = word;
            RecoveryPhrase::typed(&exchanged.join(" ")).is_err()
        });
        assert!(refused.count() > 2_000);
    }

    /// Vector of the published list for 256 bits of 0x7f.
    #[test]
    fn the_words_are_those_of_bip_39() {
        let phrase = RecoveryPhrase(Secret32::new([0x7f; 32]));
        assert_eq!(
            phrase.words().unwrap().join(" "),
            "legal winner thank year wave sausage worth useful legal winner thank year wave sausage worth useful legal \
             winner thank year wave sausage worth title"
        );
    }

    /// Keyboards send either form.
    #[test]
    fn one_passphrase_in_two_unicode_forms_gives_one_secret() {
        let cost = Cost { salt: [3; 16], memory_kib: 64, passes: 1, lanes: 1 };
        let composed = Passphrase::typed("\u{fc}ber alle Berge\n").unwrap();
        let decomposed = Passphrase::typed("u\u{308}ber alle Berge").unwrap();
        assert_eq!(cost.stretch(&composed).unwrap(), cost.stretch(&decomposed).unwrap());
        let other = Cost { salt: [4; 16], ..cost };
        assert_ne!(other.stretch(&composed).unwrap(), cost.stretch(&composed).unwrap());
    }

    #[test]
    fn d7_a_cost_beyond_the_limit_is_refused_before_memory_is_taken() {
        for (memory_kib, passes, lanes) in [
            (MAX_PASSPHRASE_MEMORY_KIB + 1, 1, 1),
            (64, MAX_PASSPHRASE_PASSES + 1, 1),
            (64, 1, MAX_PASSPHRASE_LANES + 1),
        ] {
            let cost = postcard::to_stdvec(&Cost { salt: [0; 16], memory_kib, passes, lanes }).unwrap();
            assert!(matches!(Cost::read(&cost), Err(KeyError::PassphraseCost)));
        }
        assert!(matches!(Cost::read(&[1, 2, 3]), Err(KeyError::PassphraseCost)));
    }

    #[test]
    fn short_passphrases_are_not_taken_and_long_ones_are_not_read() {
        assert!(Passphrase::chosen("short").is_err());
        assert!(Passphrase::chosen("four words are enough").is_ok());
        assert!(Passphrase::typed("short").is_ok(), "whatever the slot was made with");
        assert!(Passphrase::typed("\n").is_err());
        assert!(Passphrase::typed(&"x".repeat(MAX_PASSPHRASE_BYTES + 1)).is_err());
    }
}
