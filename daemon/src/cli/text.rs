//! Words on the terminal: lines, tables, questions and QR codes. Strangers' words are made harmless first (D8).

use std::io::{self, IsTerminal, Write};

use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};
use serde_json::Value;
use zeroize::Zeroizing;

use super::client::CliError;

/// How answers are shown.
pub(super) struct Screen {
    /// As the daemon gave them.
    pub(super) json: bool,
}

impl Screen {
    /// Shows an answer as JSON, or as lines made from it.
    pub(super) fn show<E>(&self, answer: &Value, lines: impl FnOnce() -> Result<Vec<String>, E>) -> Result<(), E> {
        if self.json {
            println!("{answer:#}");
        } else {
            for line in lines()? {
                println!("{line}");
            }
        }
        Ok(())
    }

    /// Says something besides the answer; on standard error, so that JSON stays JSON.
    pub(super) fn say(&self, text: &str) {
        eprintln!("{}", plain(text));
    }

    /// Progress on one line of a terminal; nothing elsewhere.
    pub(super) fn progress(&self, text: &str) {
        if !self.json && io::stderr().is_terminal() {
            eprint!("\r\x1b[K{}", plain(text));
        }
    }

    /// Removes the progress line.
    pub(super) fn progress_over(&self) {
        if !self.json && io::stderr().is_terminal() {
            eprint!("\r\x1b[K");
        }
    }

    /// Asks for a line. The answer may be a secret.
    pub(super) fn ask(&self, question: &str) -> io::Result<Zeroizing<String>> {
        eprint!("{}", plain(question));
        io::stderr().flush()?;
        let mut answer = Zeroizing::new(String::new());
        if io::stdin().read_line(&mut answer)? == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "nothing was typed"));
        }
        Ok(answer)
    }

    /// As [`Screen::ask`], not shown while it is typed; from a pipe as it comes.
    pub(super) fn ask_secretly(&self, question: &str) -> io::Result<Zeroizing<String>> {
        if !io::stdin().is_terminal() {
            return self.ask(question);
        }
        rpassword::prompt_password(plain(question)).map(Zeroizing::new)
    }

    /// Asks yes or no; anything but a clear yes is a no.
    pub(super) fn confirm(&self, question: &str) -> Result<(), CliError> {
        let answer = match self.ask(&format!("{question} [y/N] ")) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(CliError::Declined),
            answer => answer?,
        };
        match answer.trim().to_lowercase().as_str() {
            "y" | "yes" => Ok(()),
            _ => Err(CliError::Declined),
        }
    }
}

/// A stranger's text without what could move the cursor, colour the screen or turn the reading order.
pub(super) fn plain(text: &str) -> String {
    let harmless = |c: char| match c {
        '\n' | '\t' => c,
        '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    text.chars().map(harmless).collect()
}

/// The same on one line.
pub(super) fn one_line(text: &str) -> String {
    plain(text).replace(['\n', '\t'], " ")
}

/// Columns as wide as their widest cell; cells are made harmless.
pub(super) fn table(head: &[&str], rows: &[Vec<String>]) -> Vec<String> {
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| one_line(cell)).collect()).collect();
    let head: Vec<String> = head.iter().map(|&cell| cell.to_owned()).collect();
    let all = || std::iter::once(&head).chain(&rows);
    let widths: Vec<usize> = (0..head.len())
        .map(|column| all().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0))
        .collect();
    let line = |row: &Vec<String>| {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    all().map(line).collect()
}

/// A QR code in block letters; `None` if the text is too long for one.
pub(super) fn qr(text: &str) -> Option<String> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
    // Terminals are mostly dark, so the light modules are the drawn ones; the quiet zone belongs to the code.
    Some(code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).quiet_zone(true).build())
}

/// The first letters of an id: enough to tell ids apart by eye.
pub(super) fn short(id: &str) -> String {
    id.chars().take(12).collect()
}

/// A size as people read it.
pub(super) fn bytes(size: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut size = size as f64;
    let mut unit = 0;
    while size >= 1000.0 && unit + 1 < UNITS.len() {
        size /= 1000.0;
        unit += 1;
    }
    let digits = usize::from(unit > 0 && size < 100.0);
    format!("{size:.digits$} {}", UNITS.get(unit).copied().unwrap_or("B"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d8_a_strangers_name_cannot_steer_the_terminal() {
        assert_eq!(plain("\x1b[31mred\u{9b}2J\u{202e}"), "\u{fffd}[31mred\u{fffd}2J\u{fffd}");
        assert_eq!(one_line("a\nb\tc"), "a b c");
        assert_eq!(plain("Zoë 🎉"), "Zoë 🎉");
    }

    #[test]
    fn tables_line_up() {
        let rows = [vec!["Ada".to_owned(), "x".to_owned()], vec!["Bo\n".to_owned(), "yy".to_owned()]];
        assert_eq!(table(&["NAME", "N"], &rows), ["NAME  N", "Ada   x", "Bo    yy"]);
    }

    #[test]
    fn sizes_read_well() {
        let cases = [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (64_000_000, "64.0 MB"), (123_456_789, "123 MB")];
        for (size, text) in cases {
            assert_eq!(bytes(size), text);
        }
    }

    #[test]
    fn an_invite_link_fits_a_qr_code_and_a_novel_does_not() {
        let code = qr(&format!("inframe://join/{}", "A".repeat(400))).unwrap();
        assert!(code.lines().count() < 45 && code.contains('█'));
        assert!(qr(&"A".repeat(5000)).is_none());
    }
}
