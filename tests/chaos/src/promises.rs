//! What a program has acknowledged, line by line, and must therefore be true after any fault.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use data_encoding::HEXLOWER;

/// What is owed. A thing that is being changed when the fault comes is owed in neither form, so it is not in here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Promises {
    /// Assets in the library, with the BLAKE3 of their original.
    pub photos: BTreeMap<[u8; 16], [u8; 32]>,
    /// Assets that were deleted, with the ids of their blobs.
    pub deleted: BTreeMap<[u8; 16], Vec<[u8; 16]>>,
    /// Records of the catalog by kind and key: the BLAKE3 of their value, or `None` for one that was removed (a revoked consent, a withdrawn find-me).
    pub records: BTreeMap<(u8, Vec<u8>), Option<[u8; 32]>>,
    /// Kinds of which no record may be left, after face data was erased.
    pub erased: Vec<u8>,
    /// Those of them that a backup has, once one was made.
    pub backed_up: Option<BTreeMap<[u8; 16], [u8; 32]>>,
    /// Recovery phrases, and whether they open the vault.
    pub phrases: BTreeMap<String, bool>,
}

impl Promises {
    /// Everything that these lines promise.
    ///
    /// # Errors
    /// When a line is none of ours.
    pub fn heard<'a>(lines: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let mut promises = Self::default();
        for line in lines {
            promises.hear(line).with_context(|| format!("a line that promises nothing: {line}"))?;
        }
        Ok(promises)
    }

    /// How many things are owed.
    #[must_use]
    pub fn count(&self) -> usize {
        self.photos.len() + self.deleted.len() + self.records.len() + self.erased.len() + self.phrases.len()
    }

    /// Takes note of one line.
    ///
    /// # Errors
    /// When it is none of ours.
    pub fn hear(&mut self, line: &str) -> Result<()> {
        let words: Vec<&str> = line.split(' ').collect();
        match *words.as_slice() {
            ["photo", asset, hash] => {
                self.photos.insert(array(asset)?, array(hash)?);
            }
            ["deleting", asset] => {
                self.photos.remove(&array(asset)?);
                if let Some(photos) = &mut self.backed_up {
                    photos.remove(&array(asset)?);
                }
            }
            ["deleted", asset, ref blobs @ ..] => {
                let blobs = blobs.iter().map(|blob| array(blob)).collect::<Result<_>>()?;
                self.deleted.insert(array(asset)?, blobs);
            }
            ["record", kind, key, hash] => {
                self.records.insert((kind.parse()?, bytes(key)?), Some(array(hash)?));
            }
            ["changing", kind, key] => {
                self.records.remove(&(kind.parse()?, bytes(key)?));
            }
            ["removed", kind, key] => {
                self.records.insert((kind.parse()?, bytes(key)?), None);
            }
            ["backed", "up"] => self.backed_up = Some(self.photos.clone()),
            ["erasing"] => self.erased.clear(),
            ["erased", kind] => self.erased.push(kind.parse()?),
            // Whichever opens is about to be replaced.
            ["phrase", "changing"] => self.phrases.retain(|_, opens| !*opens),
            ["phrase", "changing", words] => {
                self.phrases.remove(words);
            }
            ["phrase", opens @ ("opens" | "revoked"), words] => {
                self.phrases.insert(words.to_owned(), opens == "opens");
            }
            // Said for the log only.
            ["begun" | "settled" | "refused" | "ended", ..] => {}
            _ => bail!("no such promise"),
        }
        Ok(())
    }
}

fn bytes(hex: &str) -> Result<Vec<u8>> {
    HEXLOWER.decode(hex.as_bytes()).context("not in hexadecimal")
}

fn array<const N: usize>(hex: &str) -> Result<[u8; N]> {
    bytes(hex)?.try_into().ok().context("of another length")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_being_changed_is_owed_in_neither_form() {
        let asset = "01".repeat(16);
        let photo = format!("photo {asset} {}", "02".repeat(32));
        let deleting = format!("deleting {asset}");
        let deleted = format!("deleted {asset} {}", "03".repeat(16));
        assert_eq!(Promises::heard([photo.as_str()]).unwrap().photos.len(), 1);
        assert_eq!(Promises::heard([photo.as_str(), &deleting]).unwrap().count(), 0);
        let after = Promises::heard([photo.as_str(), &deleting, &deleted]).unwrap();
        assert_eq!(after.deleted[&[1; 16]], vec![[3; 16]]);
        let phrases = Promises::heard(["phrase opens a-b", "phrase changing a-b"]).unwrap();
        assert_eq!(phrases.count(), 0);
        assert!(Promises::heard(["photo 12"]).is_err() && Promises::heard(["hello"]).is_err());
    }
}
