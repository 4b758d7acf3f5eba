//! Ways to unlock the vault, changed from the command line while the daemon rests; `lock` changes them while it runs.

use std::io::{BufRead, BufReader, Read, Write};

use anyhow::{Context, Result, ensure};
use inframe_tests::cli::{command, said, typed};
use inframe_tests::daemon::Daemon;
use inframe_tests::photos;

const PASSPHRASE: &str = "lamps over a quiet harbour";

#[tokio::test]
async fn a_passphrase_takes_the_place_of_the_key_file_and_the_photos_stay() -> Result<()> {
    let mut node = Daemon::start("Node").await?;
    let photo = photos::sample(1)?;
    let id = node.api().upload("photo.jpg", photo.clone()).await?.asset.context("no asset")?;
    let protection = node.api().status().await?.key_protection;
    ensure!(protection.contains("master.key") && protection.contains("no recovery phrase"), "{protection}");

    node.stop().await?;

    let short = typed(&node, &["keys", "add", "passphrase"], &["short", "short"])?;
    ensure!(!short.status.success() && said(&short).contains("at least"), "{}", said(&short));
    let differs = typed(&node, &["keys", "add", "passphrase"], &[PASSPHRASE, "lamps over a quiet Harbour"])?;
    ensure!(!differs.status.success() && said(&differs).contains("not the same"), "{}", said(&differs));
    let own = typed(&node, &["keys", "remove", "key-file"], &[])?;
    ensure!(!own.status.success(), "the last way cannot be removed: {}", said(&own));

    let added = typed(&node, &["keys", "add", "passphrase"], &[PASSPHRASE, PASSPHRASE])?;
    ensure!(added.status.success() && said(&added).contains("key file, passphrase"), "{}", said(&added));
    let removed = typed(&node, &["keys", "remove", "key-file"], &[PASSPHRASE])?;
    ensure!(removed.status.success(), "{}", said(&removed));
    std::fs::remove_file(node.key_file())?;

    let file = node.folder().join("passphrase");
    std::fs::write(&file, "lamps over a loud harbour")?;
    node.unlock_with(file.clone());
    ensure!(node.restart().await.is_err(), "another passphrase opens nothing");
    ensure!(node.log()?.contains("does not open the vault"), "it says why");
    std::fs::write(&file, format!("{PASSPHRASE}\n"))?;
    node.restart().await?;
    assert_eq!(node.api().original(&id).await?, photo);
    let protection = node.api().status().await?.key_protection;
    ensure!(protection.starts_with("a passphrase"), "{protection}");
    ensure!(!node.log()?.contains("harbour"), "d3: no passphrase in the log");
    Ok(())
}

#[tokio::test]
async fn words_on_paper_open_the_vault_when_the_key_file_is_lost() -> Result<()> {
    let mut node = Daemon::start("Node").await?;
    let photo = photos::sample(2)?;
    let id = node.api().upload("photo.jpg", photo.clone()).await?.asset.context("no asset")?;
    node.stop().await?;

    let wrong = typed(&node, &["keys", "add", "recovery"], &["none", "of", "them"])?;
    ensure!(!wrong.status.success() && said(&wrong).contains("nothing was changed"), "{}", said(&wrong));

    let mut child = command(&node, &["keys", "add", "recovery"])?.spawn()?;
    let mut stdin = child.stdin.take().context("no standard input")?;
    let mut shown = BufReader::new(child.stdout.take().context("no standard output")?);
    let mut asked = BufReader::new(child.stderr.take().context("no standard error")?);
    let mut words: Vec<String> = Vec::new();
    while words.len() < 24 {
        let mut row = String::new();
        ensure!(asked.read_line(&mut row)? > 0, "the words ended after {}", words.len());
        let mut parts = row.split_whitespace();
        // "1. word  2. word": the sentence before has no such numbers.
        while let Some(part) = parts.next() {
            if part == format!("{}.", words.len() + 1) {
                words.extend(parts.next().map(str::to_owned));
            }
        }
    }
    for _ in 0..3 {
        let mut question = Vec::new();
        while !question.ends_with(b": ") {
            ensure!(asked.read_until(b' ', &mut question)? > 0, "no more questions");
        }
        let question = String::from_utf8(question)?;
        let number = question.rsplit("Word ").next().and_then(|rest| rest.trim_end_matches(": ").parse::<usize>().ok());
        let word = words.get(number.context("which word?")? - 1).context("no such word")?;
        stdin.write_all(format!("{word}\n").as_bytes())?;
    }
    let mut answer = String::new();
    shown.read_to_string(&mut answer)?;
    ensure!(child.wait()?.success() && answer.contains("key file, recovery phrase"), "{answer}");

    std::fs::remove_file(node.key_file())?;
    let paper = words.join(" ");
    node.restart().await?;
    ensure!(node.ready().locked, "no key file, no vault");
    node.api().unlock(&serde_json::json!({ "way": "recovery", "secret": paper })).await?;
    assert_eq!(node.api().original(&id).await?, photo);
    node.stop().await?;
    // As after a fire: another machine, the data folder from a copy, the paper.
    let new = node.folder().join("new.key");
    let arguments = ["keys", "add", "key-file", "--by", "recovery", "--to", &new.display().to_string()];
    let added = typed(&node, &arguments, &[&paper.to_uppercase()])?;
    ensure!(added.status.success(), "{}", said(&added));
    std::fs::rename(&new, node.key_file())?;
    node.restart().await?;
    assert_eq!(node.api().original(&id).await?, photo);
    Ok(())
}
