//! Faults by the thousand against the vault of Inframe, in the way SQLite is tested: kills, power cuts, full and broken disks, flipped bits.
//!
//! | module | job |
//! |---|---|
//! | [`story`] | the program under test: everything that a vault is used for, each promise said on a line |
//! | [`promises`] | what was said, and must be true after any fault |
//! | [`check`] | opens a vault as a start does and holds it against the promises |
//! | [`strace`], [`recording`], [`disk`] | what a program asked of the kernel; the same as operations on files and names; what a power cut leaves of them |
//! | [`child`], [`daemon`] | the story and a real daemon, watched |
//! | [`power`], [`points`], [`faults`], [`broken`], [`flips`], [`kills`] | the campaigns |
//! | [`outcome`], [`page`] | what came out, as a table and as the page `tests/reliability.md` |
//!
//! Unlike `inframe-tests` this crate opens vaults with the daemon's own library, because ten thousand starts of a daemon would take a day. What a user
//! sees of a fault is tested with real daemons in [`kills`], and what a daemon writes is what [`power`] records.

pub mod broken;
pub mod check;
pub mod child;
pub mod daemon;
pub mod dice;
pub mod disk;
pub mod faults;
pub mod flips;
pub mod kills;
pub mod outcome;
pub mod page;
pub mod panics;
pub mod place;
pub mod points;
pub mod power;
pub mod promises;
pub mod recording;
pub mod story;
pub mod strace;
