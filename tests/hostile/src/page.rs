//! The page `tests/hostile.md`.

use std::{fmt::Write as _, path::Path, process::Command};

use anyhow::{Context as _, Result};

use crate::case::{ANSWER_SECONDS, Case, MEMORY_BYTES, Outcome};

/// What no case tries.
pub const NOT_TESTED: [&str; 6] = [
    "Number 6 of the list, fragments of QUIC out of order: QUIC is not spoken.",
    "Attackers with many addresses at once: all here come from loopback, from two addresses of it.",
    "A picture that crashes its decoder: none is known. That a decoder which dies or hangs harms nobody is in `make chaos-worker`.",
    "Hours of an attack: each case takes seconds to minutes.",
    "A host who lets somebody in whom its members do not know: they see every join, and no more can be done.",
    "That answers take equally long whether an id exists or not: the times are in the table and nothing is held against them.",
];

/// Writes the page.
///
/// # Errors
/// When it cannot be written.
pub fn write(path: &Path, results: &[(&Case, Result<Outcome>)]) -> Result<()> {
    std::fs::write(path, text(results)).with_context(|| format!("cannot write {}", path.display()))
}

/// The page.
#[must_use]
pub fn text(results: &[(&Case, Result<Outcome>)]) -> String {
    let mut page = String::from(
        "# Hostile peers\n\nMade by `make hostile`, not written by hand. `make test` runs a short form of each case.\n\n",
    );
    let contained = results.iter().filter(|(_, outcome)| breaches(outcome).is_empty()).count();
    let date = jiff::Timestamp::now().strftime("%Y-%m-%d");
    // Writing to a string cannot fail.
    let _ =
        writeln!(page, "{contained} of {} contained. Commit {}, {date}, development build.\n", results.len(), commit());
    let _ = writeln!(
        page,
        "Each peer meets a fresh daemon, a process of its own, which hosts an event. It joins by a real invite or stays a stranger, and misbehaves. Meanwhile an honest \
         member syncs with the daemon and its owner asks its API, five times a second each. Contained means: the daemon takes less than {} MiB, both are answered within {ANSWER_SECONDS} s, \
         what is worth a note is noted, nothing is left in `incoming/` or among temporary files, no open file or photo more than before, nothing left the daemon, nothing panics.\n",
        MEMORY_BYTES >> 20
    );
    page.push_str("| no. | peer | what it does | what came of it | peak MiB | workers MiB | honest member s | owner s | noted | left behind | |\n|---|---|---|---|--:|--:|--:|--:|---|---|---|\n");
    for (case, outcome) in results {
        let _ = writeln!(page, "{}", row(case, outcome));
    }
    page.push_str("\nPeak: the most memory of the daemon's own process during the attack; workers: of the processes in which it decodes. Seconds: the longest wait for an answer.\n");
    let broken: Vec<_> = results.iter().filter(|(_, outcome)| !breaches(outcome).is_empty()).collect();
    if !broken.is_empty() {
        page.push_str("\n## Not contained\n\n");
        for (case, outcome) in broken {
            for breach in breaches(outcome) {
                let _ = writeln!(page, "- {} ({}): {}", case.number, case.name, one_line(&breach));
            }
        }
    }
    page.push_str("\n## Not tested\n\n");
    for line in NOT_TESTED {
        let _ = writeln!(page, "- {line}");
    }
    page
}

fn breaches(outcome: &Result<Outcome>) -> Vec<String> {
    match outcome {
        Ok(outcome) => outcome.all_breaches(),
        Err(error) => vec![format!("{error:#}")],
    }
}

fn row(case: &Case, outcome: &Result<Outcome>) -> String {
    let head = format!("| {} | {} | {} |", case.number, case.name, case.does);
    match outcome {
        Err(_) => format!("{head} could not be run | | | | | | | **no** |"),
        Ok(outcome) => {
            let left = if outcome.left.is_empty() { "nothing".to_owned() } else { one_line(&outcome.left.join("; ")) };
            let verdict = if outcome.all_breaches().is_empty() { "contained" } else { "**no**" };
            let (peak, workers) = (outcome.peak_bytes >> 20, outcome.workers_bytes >> 20);
            let (sync, api) = (outcome.sync_seconds, outcome.api_seconds);
            let (went, noted) = (one_line(&outcome.went), one_line(&outcome.noted));
            format!("{head} {went} | {peak} | {workers} | {sync:.2} | {api:.2} | {noted} | {left} | {verdict} |")
        }
    }
}

/// Without what would end a line or a cell of the table; not longer than one reads.
fn one_line(text: &str) -> String {
    const MOST: usize = 300;
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "/").replace('<', "&lt;");
    if line.chars().count() <= MOST { line } else { line.chars().take(MOST).chain("...".chars()).collect() }
}

/// The commit that is checked out.
fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let changed = git(&["status", "--porcelain"]).is_some_and(|changes| !changes.is_empty());
    let commit = git(&["rev-parse", "--short=10", "HEAD"]).unwrap_or_else(|| "unknown".to_owned());
    if changed { format!("{commit} with changes") } else { commit }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cases::CASES;

    fn outcome(breaches: Vec<String>) -> Outcome {
        let (went, noted) = ("went | on\nwell".to_owned(), "<b>".to_owned());
        let (sync_seconds, api_seconds, seconds) = (0.25, 0.5, 1.0);
        Outcome {
            went,
            peak_bytes: 100 << 20,
            workers_bytes: 0,
            sync_seconds,
            api_seconds,
            noted,
            left: Vec::new(),
            breaches,
            seconds,
        }
    }

    #[test]
    fn the_page_has_every_case_and_says_what_was_not_contained() {
        let late = Outcome { sync_seconds: 6.0, ..outcome(Vec::new()) };
        let results = vec![
            (&CASES[0], Ok(outcome(Vec::new()))),
            (&CASES[1], Ok(outcome(vec!["it fell".to_owned()]))),
            (&CASES[2], Ok(late)),
            (&CASES[3], Err(anyhow::anyhow!("no daemon"))),
        ];
        let page = text(&results);
        let parts = [
            "1 of 4 contained",
            "went / on well | 100 | 0 | 0.25 | 0.50 | &lt;b> | nothing | contained |",
            "it fell",
            "an honest member waited 6.0 s",
            "no daemon",
        ];
        for part in parts.into_iter().chain(NOT_TESTED) {
            assert!(page.contains(part), "{part} is not in {page}");
        }
    }
}
