//! The owner's settings, one row of the catalog.

mod background;
mod backup;
mod contact;
mod export;
mod keeping;
mod kept;
mod notices;
mod relay;
mod traffic;
mod undo;
mod verify;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use inframe_protocol::record::Contact;
use serde::{Deserialize, Serialize};

pub use background::{Background, BackgroundRow};
pub use backup::{BackupPlan, BackupRow};
pub use contact::tidy_contact;
pub use export::{ExportPlan, ExportResult, ExportRow};
pub use keeping::{Keeping, KeepingRow, LEAST_ROOM_BYTES};
pub use kept::{Kept, KeptRow};
pub use notices::{NoticeForm, NoticeKind, NoticeMarks, NoticeMarksRow, NoticeReceiver, Notices, NoticesRow, Way};
pub use relay::{NamedRelay, RelayRow};
pub use traffic::{LEAST_BYTES_S, QuietHours, Traffic, TrafficRow};
pub use undo::{MOST_UNDO_SECONDS, UndoRow, UndoTime};
pub use verify::{Verified, VerifiedRow};

use crate::vault::{Batch, Kind, Vault, VaultError};

/// Longest nickname or device name, characters.
pub const MAX_NAME_CHARS: usize = 40;
/// Most watched folders.
pub const MAX_WATCHED_FOLDERS: usize = 64;

const KEY: &[u8] = b"settings";
/// A row that is there until the owner has been through the first steps in the dashboard, or has passed them over.
const FIRST_RUN: &[u8] = b"first-run";

/// Settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// The name that other members see.
    pub nickname: String,
    /// Name of this device.
    pub device_name: String,
    /// Absolute paths.
    pub watched_folders: Vec<String>,
}

/// The settings in memory and in the catalog; cheap to clone.
#[derive(Clone)]
pub struct SettingsRow {
    vault: Vault,
    current: Arc<Mutex<Settings>>,
    contact: Kept<Contact>,
    first_run: Arc<AtomicBool>,
}

impl SettingsRow {
    /// Reads them, or starts with `first`.
    ///
    /// # Errors
    /// When the vault cannot be read or written.
    pub fn open(vault: Vault, first: impl FnOnce() -> Settings) -> Result<Self, VaultError> {
        let current = match vault.catalog().get_as(Kind::Settings, KEY)? {
            Some(settings) => settings,
            None => {
                let settings = first();
                let mut batch = Batch::default();
                batch.put_as(Kind::Settings, KEY, &settings)?;
                batch.put_as(Kind::Settings, FIRST_RUN, &true)?;
                vault.catalog().commit(batch)?;
                settings
            }
        };
        let first_run = Arc::new(AtomicBool::new(vault.catalog().contains(Kind::Settings, FIRST_RUN)?));
        let contact = Kept::open(vault.clone())?;
        Ok(Self { vault, current: Arc::new(Mutex::new(current)), contact, first_run })
    }

    /// Whether the owner has not been through the first steps yet.
    #[must_use]
    pub fn is_first_run(&self) -> bool {
        self.first_run.load(Ordering::Relaxed)
    }

    /// The first steps are never shown again; blocking.
    ///
    /// # Errors
    /// When the vault fails.
    pub fn end_first_run(&self) -> Result<(), VaultError> {
        if self.is_first_run() {
            let mut batch = Batch::default();
            batch.remove(Kind::Settings, FIRST_RUN);
            self.vault.catalog().commit(batch)?;
            self.first_run.store(false, Ordering::Relaxed);
        }
        Ok(())
    }

    /// The settings now.
    #[must_use]
    pub fn get(&self) -> Settings {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The owner's name and e-mail address, which may be empty.
    #[must_use]
    pub fn contact(&self) -> Contact {
        self.contact.get()
    }

    /// Changes those durably; blocking.
    ///
    /// # Errors
    /// When the vault fails; nothing is changed then.
    pub fn set_contact(&self, contact: Contact) -> Result<(), VaultError> {
        self.contact.change(|now| *now = contact).map(drop)
    }

    /// Changes them durably; blocking.
    ///
    /// # Errors
    /// When the vault fails; nothing is changed then.
    pub fn change(&self, change: impl FnOnce(&mut Settings)) -> Result<Settings, VaultError> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = current.clone();
        change(&mut next);
        write(&self.vault, &next)?;
        *current = next.clone();
        Ok(next)
    }
}

fn write(vault: &Vault, settings: &Settings) -> Result<(), VaultError> {
    let mut batch = Batch::default();
    batch.put_as(Kind::Settings, KEY, settings)?;
    Ok(vault.catalog().commit(batch)?)
}

/// A name to show to others: trimmed, no control or direction characters, bounded (D8).
#[must_use]
pub fn clean_name(name: &str, max_chars: usize, max_bytes: usize) -> String {
    let visible = |c: &char| {
        !c.is_control() && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut clean = String::new();
    for c in name.trim().chars().filter(visible).take(max_chars) {
        if clean.len() + c.len_utf8() > max_bytes {
            break;
        }
        clean.push(c);
    }
    clean.trim().to_owned()
}

/// A nickname or device name, bounded by what the protocol carries.
#[must_use]
pub fn clean_nickname(name: &str) -> String {
    clean_name(name, MAX_NAME_CHARS, inframe_protocol::limits::MAX_NICKNAME_BYTES)
}

/// A friendly generated nickname for a node whose owner has not chosen one, such as "Quiet Heron 42".
///
/// # Errors
/// When the system gives no randomness.
pub fn generated_nickname() -> Result<String, getrandom::Error> {
    const FIRST: [&str; 16] = [
        "Quiet", "Amber", "Brave", "Calm", "Clever", "Early", "Gentle", "Golden", "Happy", "Kind", "Lively", "Merry",
        "Misty", "Silver", "Sunny", "Warm",
    ];
    const SECOND: [&str; 16] = [
        "Heron", "Otter", "Finch", "Maple", "Willow", "Fox", "Robin", "Cedar", "Lynx", "Swift", "Wren", "Hazel",
        "Badger", "Lark", "Birch", "Swan",
    ];
    let mut dice = [0u8; 3];
    getrandom::fill(&mut dice)?;
    Ok(format!("{} {} {}", FIRST[usize::from(dice[0] % 16)], SECOND[usize::from(dice[1] % 16)], 10 + dice[2] % 90))
}

/// The machine's name, cleaned for display; the first name of the device.
#[must_use]
pub fn host_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let name = clean_nickname(&name);
    if name.is_empty() { "This device".into() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d8_names_lose_control_and_direction_characters_and_are_bounded() {
        assert_eq!(clean_nickname("  A\u{202e}li\u{0}ce \n"), "Alice");
        assert_eq!(clean_nickname(&"x".repeat(100)).len(), 40);
        assert_eq!(clean_nickname(&"\u{1f600}".repeat(30)).len(), 64);
    }

    #[test]
    fn settings_of_a_newer_version_are_refused_and_kept_and_the_first_steps_end_once() {
        let folder = tempfile::tempdir().unwrap();
        let dir = crate::data_dir::DataDir::open(folder.path().join("data")).unwrap();
        let vault = Vault::open(&dir, &crate::vault::KeyFile::at(folder.path().join("key"))).unwrap();
        let row = SettingsRow::open(vault.clone(), Settings::default).unwrap();
        assert!(row.is_first_run());
        assert!(SettingsRow::open(vault.clone(), || unreachable!("they are there")).unwrap().is_first_run());
        row.end_first_run().unwrap();
        row.end_first_run().unwrap();
        assert!(!row.is_first_run());
        assert!(!SettingsRow::open(vault.clone(), || unreachable!("they are there")).unwrap().is_first_run());
        let newer = vec![2, 1, 2, 3];
        let mut batch = Batch::default();
        batch.put(Kind::Settings, KEY, newer.clone());
        vault.catalog().commit(batch).unwrap();
        let refused = SettingsRow::open(vault.clone(), Settings::default).map(drop).unwrap_err();
        assert!(refused.to_string().contains("install that version or a later one"), "{refused}");
        assert_eq!(*vault.catalog().get(Kind::Settings, KEY).unwrap().unwrap(), newer, "no others in their place");
    }

    #[test]
    fn generated_nicknames_are_valid_names() {
        let name = generated_nickname().unwrap();
        assert_eq!(clean_nickname(&name), name);
    }
}
