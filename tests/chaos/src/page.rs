//! The results as a table on the terminal and as the page `tests/reliability.md`.

use std::{fmt::Write as _, path::Path};

use anyhow::{Context as _, Result};

use crate::{disk::Loss, outcome::Kept};

/// What no campaign does. Whoever adds one takes its line away.
pub const NOT_TESTED: [&str; 10] = [
    "Erasing everything, and bringing a backup back, under kills and power cuts; their own tests cut them short. A backup is brought back after every fault of the others, as a check.",
    "Real power cuts on real disks. The states are made from what the program asked of the kernel, under these assumptions: a sync is honest, a rename \
     happens as a whole or not at all, a sector of 512 bytes is written as a whole or not at all. Disks that say that they have synced and have not are not covered.",
    "Power cuts in the middle of a recovery from a power cut. Power cuts and kills in the middle of a recovery from a kill are covered.",
    "Errors while reading (a bad sector under a blob or under the database). Flipped bits and torn files are covered.",
    "A transfer while the disk is full: full and broken disks are tested with uploads, and with the vault's side of a transfer.",
    "Two faults at once, except a damaged snapshot while the database is lost. A flipped bit in the last commits of the journal cannot be told from a torn \
     end once the database, which has them too, is lost as well.",
    "Bit flips in memory, and in the slot of a passphrase (the slots that are flipped are those of a key file and of a recovery phrase).",
    "Videos, model packs and web sessions under faults.",
    "Network file systems, and file systems without a journal.",
    "Any system but Linux on x86-64.",
];

/// The table of the results.
#[must_use]
pub fn table(results: &[Kept]) -> String {
    let mut text = String::from(
        "| campaign | planned | done | violations | seconds | seed | commit | date |\n|---|--:|--:|--:|--:|--:|---|---|\n",
    );
    for Kept { commit, date, seed, outcome } in results {
        let (planned, done) = (thousands(outcome.planned), thousands(outcome.total()));
        let (violations, seconds) = (outcome.violations.len(), outcome.seconds);
        let _ = writeln!(
            text,
            "| {} | {planned} | {done} | {violations} | {seconds:.0} | {seed} | {commit} | {date} |",
            outcome.campaign
        );
    }
    text
}

/// Every campaign in detail.
#[must_use]
pub fn details(results: &[Kept]) -> String {
    let mut text = String::new();
    for outcome in results.iter().map(|result| &result.outcome) {
        let _ = writeln!(text, "### {}\n", capital(&outcome.campaign));
        text.push_str("| fault | times |\n|---|--:|\n");
        for (fault, times) in &outcome.faults {
            let _ = writeln!(text, "| {fault} | {} |", thousands(*times));
        }
        text.push_str("\n| how it ended | times |\n|---|--:|\n");
        for (end, times) in &outcome.ends {
            let _ = writeln!(text, "| {end} | {} |", thousands(*times));
        }
        text.push('\n');
        for violation in &outcome.violations {
            let _ = writeln!(text, "- violated: {violation}");
        }
    }
    text
}

/// What was not tested, as a list.
#[must_use]
pub fn not_tested() -> String {
    NOT_TESTED.iter().map(|line| format!("- {line}\n")).collect()
}

/// Writes the page.
///
/// # Errors
/// When it cannot be written.
pub fn write(path: &Path, results: &[Kept]) -> Result<()> {
    let faults: u64 = results.iter().map(|result| result.outcome.total()).sum();
    let violations: usize = results.iter().map(|result| result.outcome.violations.len()).sum();
    let text = format!(
        "# Reliability\n\n\
         Made by `make chaos`, not written by hand. `make test` runs a short form of each campaign.\n\n\
         {faults} faults, {violations} broken promises.\n\n\
         After every fault the vault is started with nobody's help, twice, and held against what it had acknowledged before: every photo is there and \
         hash-equal, everything that is listed is whole, what was backed up comes back on an empty machine, what was deleted or revoked stays so, a removed recovery phrase opens nothing, the start takes less \
         than 10 s, nothing panics, and no byte of a photo, name or record was ever written in plain.\n\n\
         {table}\n\
         ## What is done\n\n{what}\n\
         ## In detail\n\n{details}\
         ## Not tested\n\n{not_tested}",
        faults = thousands(faults),
        table = table(results),
        what = what(),
        details = details(results),
        not_tested = not_tested(),
    );
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn what() -> String {
    let losses: Vec<&str> = Loss::ALL.into_iter().map(Loss::words).collect();
    format!(
        "- **Kill at random moments**: real daemons, which import, look for faces, delete, restore, back up, change settings and make events, or share photos with each other, and the \
         command that adds a passphrase, get SIGKILL at a random moment; so do starts after a kill.\n\
         - **Kill at every point**: a program that imports, indexes, shares, receives, revokes, snapshots, trashes, restores, backs up, deletes and changes keys is killed at each of its \
         system calls that changes a file or says that something is done; the start after it is killed at one of its own, another one each time.\n\
         - **Power loss**: everything that this program, this program killed and started again, and a real daemon ask of the kernel is recorded. For moments between any two calls the disk \
         is made anew as a power cut may leave it: {}. Played to its end, each recording must give the very files that are on the disk.\n\
         - **Full or broken disk**: each call fails once or from then on with \"no space left\", or once with an input/output error. The program must \
         refuse in words or go on, and lose nothing that it had acknowledged. Under a real daemon, calls of each thread fail from some moment on.\n\
         - **Bit flips**: in a vault at rest, or in its backup, one bit is flipped. What is served is right, or the vault says what is damaged.\n",
        losses.join("; ")
    )
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{Outcome, Plan};

    #[test]
    fn numbers_are_grouped_and_the_page_has_every_campaign() {
        assert_eq!(["7", "1,000", "12,345,678"].map(str::to_owned), [7, 1000, 12_345_678].map(thousands));
        let plan = Plan { seed: 7, full: false, limit: None };
        let mut outcome = Outcome::begin("bit flips", plan, 2);
        outcome.count("a header", "detected");
        outcome.violated("something came back");
        let folder = tempfile::tempdir().unwrap();
        Kept::new("0123456789", plan, outcome).keep(folder.path(), "flips").unwrap();
        assert!(Kept::read(folder.path(), "power").is_none());
        let path = folder.path().join("page.md");
        write(&path, &[Kept::read(folder.path(), "flips").unwrap()]).unwrap();
        let page = std::fs::read_to_string(path).unwrap();
        let parts =
            ["| bit flips | 2 | 1 | 1 | 0 | 7 | 0123456789 |", "### Bit flips", "- violated: something came back"];
        for part in parts.into_iter().chain(NOT_TESTED) {
            assert!(page.contains(part), "{part} is not in {page}");
        }
    }
}
