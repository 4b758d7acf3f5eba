//! Rules about the source itself that no compiler holds: which part may use which, what must not be in the tree.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Modules of the daemon in the order in which they may use each other: each only those of earlier groups, or of its own group.
const ORDER: &[&[&str]] = &[
    &["limits"],
    &["views", "clock", "config", "data_dir", "disk", "tasks"],
    &["live"],
    &["vault"],
    &["tls"],
    &["settings", "ledger", "activity"],
    &["sandbox"],
    &["video"],
    &["library"],
    &["faces"],
    &["outward"],
    &["packs", "notices"],
    &["people"],
    &["matching"],
    &["sharing"],
    &["events"],
    &["guest"],
    &["network"],
    &["transfer"],
    &["doctor"],
    &["workers"],
    &["node"],
    &["door"],
    &["web"],
    &["cli"],
    &["run"],
    // A test alone, over the types of all.
    &["secrets"],
    &["main"],
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Folders that set-up and builds make; git is told to ignore them.
const MADE: [&str; 4] = ["target", "node_modules", "dist", ".git"];

/// Names of the files that git tracks; where there is no git, of all files but those that are made.
fn names() -> Result<Vec<PathBuf>> {
    let listing =
        Command::new("git").args(["ls-files", "-z"]).current_dir(root()).output().context("cannot run git")?;
    if listing.status.success() {
        let names = String::from_utf8(listing.stdout)?;
        return Ok(names.split('\0').filter(|name| !name.is_empty()).map(PathBuf::from).collect());
    }
    let (mut names, mut folders) = (Vec::new(), vec![PathBuf::new()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(root().join(&folder))? {
            let entry = entry?;
            let name = folder.join(entry.file_name());
            if !entry.file_type()?.is_dir() {
                names.push(name);
            } else if !MADE.iter().any(|made| entry.file_name() == *made) {
                folders.push(name);
            }
        }
    }
    Ok(names)
}

/// Every file of the repository, relative to the root, with its content where it is text.
fn tracked() -> Result<Vec<(PathBuf, Option<String>)>> {
    let files = names()?.into_iter();
    // A file may be deleted in the work tree but not yet in the index.
    Ok(files
        .filter_map(|name| std::fs::read(root().join(&name)).ok().map(|bytes| (name, String::from_utf8(bytes).ok())))
        .collect())
}

fn rust_files(folder: &str) -> Result<Vec<(PathBuf, String)>> {
    let files = tracked()?.into_iter();
    let of_folder = files
        .filter(|(path, _)| path.starts_with(folder) && path.extension().is_some_and(|extension| extension == "rs"));
    Ok(of_folder.filter_map(|(path, text)| text.map(|text| (path, text))).collect())
}

/// Code without line comments, so that prose may mention what code must not use.
fn without_comments(text: &str) -> String {
    text.lines().map(|line| line.split("//").next().unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

/// Names of the crate's top-level modules that the code mentions: `crate::name`, `use crate::{name, ..}`.
fn modules_used(code: &str, prefix: &str) -> Vec<String> {
    let mut used = Vec::new();
    for (at, _) in code.match_indices(prefix) {
        let rest = &code[at + prefix.len()..];
        if let Some(group) = rest.strip_prefix('{') {
            used.extend(top_level_names(group));
        } else {
            used.extend(leading_name(rest));
        }
    }
    used
}

fn leading_name(text: &str) -> Option<String> {
    let name: String =
        text.trim_start().chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
    (!name.is_empty()).then_some(name)
}

/// First path segments of a `{a::b, c::{d, e}, f}` group, given what follows its opening brace.
fn top_level_names(group: &str) -> Vec<String> {
    let mut depth = 0_usize;
    let mut names = Vec::new();
    let mut start = true;
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => start = true,
            _ if start && !letter.is_whitespace() => {
                names.extend(leading_name(&group[at..]));
                start = false;
            }
            _ => {}
        }
    }
    names
}

/// The top-level module that a file of `daemon/src` belongs to.
fn module_of(path: &Path) -> Option<String> {
    let inside = path.strip_prefix("daemon/src").ok()?;
    let first = inside.components().next()?.as_os_str().to_str()?;
    Some(first.trim_end_matches(".rs").to_owned())
}

fn rank(module: &str) -> Option<usize> {
    ORDER.iter().position(|group| group.contains(&module))
}

#[test]
fn modules_of_the_daemon_use_only_earlier_ones() -> Result<()> {
    let mut wrong = Vec::new();
    for (path, text) in rust_files("daemon/src")? {
        let Some(module) = module_of(&path).filter(|module| module != "lib") else { continue };
        let Some(own) = rank(&module) else {
            wrong.push(format!("{}: module {module} has no place in the order", path.display()));
            continue;
        };
        let code = without_comments(&text);
        for used in modules_used(&code, "crate::").into_iter().chain(modules_used(&code, "inframe::")) {
            if rank(&used).is_some_and(|rank| rank > own) {
                wrong.push(format!("{}: {module} uses {used}, which comes later", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    Ok(())
}

#[test]
fn crates_keep_to_what_they_may_use() -> Result<()> {
    // DESIGN: `protocol` is pure, `models` knows no database, network or other crate of ours, the tests know no inside of the daemon.
    let rules: &[(&str, &[&str])] = &[
        ("protocol", &["tokio", "std::fs", "std::net", "SystemTime", "Instant::now", "inframe::", "inframe_models"]),
        ("models", &["tokio", "std::net", "sled", "inframe::", "inframe_protocol"]),
        ("tests/src", &["inframe::", "inframe_models"]),
    ];
    let mut wrong = Vec::new();
    for (folder, banned) in rules {
        for (path, text) in rust_files(folder)? {
            let inside = path.strip_prefix(folder)?;
            // Tests and benches of a crate may read files and clocks.
            if ["tests", "benches", "examples", "build.rs"].iter().any(|name| inside.starts_with(name)) {
                continue;
            }
            let code = without_comments(text.split("#[cfg(test)]").next().unwrap_or(&text));
            wrong.extend(
                banned
                    .iter()
                    .filter(|name| code.contains(**name))
                    .map(|name| format!("{} uses {name}", path.display())),
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    Ok(())
}

#[test]
fn the_database_is_named_in_one_folder_only() -> Result<()> {
    let elsewhere: Vec<PathBuf> = rust_files("daemon/src")?
        .into_iter()
        .filter(|(path, text)| {
            without_comments(text).contains("sled::") && !path.starts_with("daemon/src/vault/catalog")
        })
        .map(|(path, _)| path)
        .collect();
    assert!(elsewhere.is_empty(), "sled is named in {elsewhere:?}");
    Ok(())
}

#[test]
fn every_source_file_says_its_job_and_stays_readable() -> Result<()> {
    /// Lines, tests included.
    const LONGEST: usize = 500;
    let mut wrong = Vec::new();
    for folder in ["daemon", "protocol", "models", "tests"] {
        for (path, text) in rust_files(folder)? {
            if !text.starts_with("//!") {
                wrong.push(format!("{} does not begin with a sentence on its job", path.display()));
            }
            // A plain list of the API's value types has nothing to be split by.
            if text.lines().count() > LONGEST && !path.ends_with("daemon/src/views.rs") {
                wrong.push(format!("{} has {} lines", path.display(), text.lines().count()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    Ok(())
}

/// Names of fields that hold a secret, a face or a link that lets somebody in, where their type is a plain one: a type of our own hides them itself.
const SECRET_FIELDS: [&str; 15] = [
    "secret",
    "secrets",
    "passphrase",
    "phrase",
    "words",
    "token",
    "link",
    "launch",
    "embedding",
    "embeddings",
    "template",
    "seed",
    "master",
    "still",
    "selfie",
];
const PLAIN_TYPES: [&str; 8] = ["[u8;", "Vec<u8>", "String", "Vec<String>", "Vec<f32>", "[f32;", "Zeroizing<", "Bytes"];

/// The fields of that kind in types that derive `Debug`: type and field.
fn shown_secrets(code: &str) -> Vec<String> {
    let mut shown = Vec::new();
    for (at, _) in code.match_indices("#[derive(") {
        let rest = &code[at..];
        let Some(derived) = rest.find(")]") else { continue };
        if !rest[..derived].contains("Debug") {
            continue;
        }
        let rest = &rest[derived..];
        let Some((open, close)) = rest.find('{').and_then(|open| closing(rest, open).map(|close| (open, close))) else {
            continue;
        };
        // A type without named fields ends before the next brace.
        if rest[..open].contains(';') {
            continue;
        }
        let words: Vec<&str> = rest[..open].split_whitespace().collect();
        let kind = words.iter().position(|word| ["struct", "enum"].contains(word));
        let Some(name) = kind.and_then(|kind| words.get(kind + 1)) else { continue };
        for line in rest[open..close].lines() {
            let Some((field, of)) = line.trim().trim_start_matches("pub ").split_once(": ") else { continue };
            let of = of.trim_start_matches("Option<");
            if SECRET_FIELDS.contains(&field) && PLAIN_TYPES.iter().any(|plain| of.starts_with(plain)) {
                shown.push(format!("{name}.{field}"));
            }
        }
    }
    shown
}

/// Where the brace at `open` is closed.
fn closing(text: &str, open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, letter) in text.char_indices().skip_while(|(at, _)| *at < open) {
        match letter {
            '{' => depth += 1,
            '}' if depth == 1 => return Some(at),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

#[test]
fn d3_no_type_derives_debug_over_a_secret() -> Result<()> {
    let mut wrong = Vec::new();
    for folder in ["protocol/src", "models/src", "daemon/src"] {
        for (path, text) in rust_files(folder)? {
            let shown = shown_secrets(&without_comments(&text));
            wrong.extend(shown.into_iter().map(|field| format!("{}: {field}", path.display())));
        }
    }
    ensure!(wrong.is_empty(), "write Debug by hand, and put the type into daemon/src/secrets.rs: {wrong:#?}");
    Ok(())
}

#[test]
fn the_rule_about_debug_sees_what_it_should() {
    let code = "#[derive(Clone, Debug)]\n#[serde(a)]\npub struct A {\n    pub id: u8,\n    pub secret: [u8; 32],\n}\n\
                #[derive(Debug)]\nenum B {\n    C {\n        link: Option<String>,\n    },\n}\n\
                #[derive(Debug)]\nstruct D(u8);\n#[derive(Clone)]\nstruct E {\n    secret: Vec<u8>,\n}\n\
                #[derive(Debug)]\nstruct F {\n    secret: Secret32,\n}\n";
    assert_eq!(shown_secrets(code), ["A.secret", "B.link"]);
}

#[test]
fn the_tree_holds_no_machine_path_and_no_unfinished_mark() -> Result<()> {
    // Put together here, so that this file does not trip over itself.
    let banned = [
        ["/wo", "rk/"].concat(),
        ["/ro", "ot/"].concat(),
        ["TO", "DO"].concat(),
        ["FIX", "ME"].concat(),
        ["XX", "X:"].concat(),
    ];
    let mut wrong = Vec::new();
    for (path, text) in tracked()? {
        let Some(text) = text else { continue };
        wrong.extend(
            banned.iter().filter(|word| text.contains(word.as_str())).map(|word| format!("{}: {word}", path.display())),
        );
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    Ok(())
}

#[test]
fn lock_files_name_no_download_address() -> Result<()> {
    let mut wrong = Vec::new();
    for (path, text) in tracked()? {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let Some(text) = text.filter(|_| name == "package-lock.json") else { continue };
        wrong.extend(
            text.lines()
                .filter(|line| line.contains("\"resolved\": \"http"))
                .map(|line| format!("{}: {line}", path.display())),
        );
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    Ok(())
}

#[test]
fn dependencies_come_from_one_registry_under_known_licences() -> Result<()> {
    /// Licences that ask for a notice at most, for code that is linked into the binary.
    const ALLOWED: &[&str] = &[
        "MIT",
        "MIT-0",
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "ISC",
        "Zlib",
        "0BSD",
        "Unlicense",
        "CC0-1.0",
        "Unicode-3.0",
        "BSL-1.0",
        "NCSA",
        // Of the root certificates, which are data: asks for nothing but its own text where they are passed on.
        "CDLA-Permissive-2.0",
        // Of a crate in the lock file that no enabled feature uses.
        "MPL-2.0",
    ];
    let host = Command::new(env!("CARGO")).arg("-vV").output()?;
    let host = String::from_utf8(host.stdout)?;
    let host = host.lines().find_map(|line| line.strip_prefix("host: ")).context("cargo does not name its host")?;
    // Offline: what the build needs is here already, and this test asks nobody.
    let arguments = ["metadata", "--format-version", "1", "--offline", "--locked", "--filter-platform", host];
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(root()).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let mut wrong = Vec::new();
    for package in metadata["packages"].as_array().context("no packages")? {
        let name = package["name"].as_str().unwrap_or_default();
        let source = package["source"].as_str();
        if source.is_some_and(|source| !source.starts_with("registry+")) {
            wrong.push(format!("{name} comes from {source:?}"));
        }
        let licence = package["license"].as_str().unwrap_or_default();
        let licence = licence.replace('/', " OR ");
        // An expression is fine when one of its alternatives is; `WITH` exceptions only allow more.
        let fine = licence.split(" OR ").any(|alternative| {
            let parts = alternative.trim_matches(['(', ')', ' ']).split(" AND ");
            parts.into_iter().all(|part| {
                part.trim_matches(['(', ')', ' ']).split(" WITH ").next().is_some_and(|id| ALLOWED.contains(&id))
            })
        });
        if !fine {
            wrong.push(format!("{name}: licence {licence:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    Ok(())
}

#[test]
fn the_reader_of_imports_reads_groups_and_single_paths() {
    let code = "use crate::{vault::{Vault, Kind}, library, events::Log};\nuse crate::node::Node;\nlet x = crate::web::serve();";
    assert_eq!(modules_used(code, "crate::"), ["vault", "library", "events", "node", "web"]);
}
