//! Locking and unlocking while the daemon runs.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use inframe_tests::api::refusal;
use inframe_tests::cli::{said, typed};
use inframe_tests::daemon::Daemon;
use inframe_tests::photos;
use inframe_tests::scene::join;
use inframe_tests::wait::{Seen, wait_until};
use serde_json::json;

const PASSPHRASE: &str = "lamps over a quiet harbour";
const PATIENCE: Duration = Duration::from_secs(30);

/// The keys of the vault, from the key file and the key slots, by the description of their formats alone.
fn keys_of(node: &Daemon) -> Result<Vec<(&'static str, [u8; 32])>> {
    let file = std::fs::read_to_string(node.key_file())?;
    let line = file.lines().find(|line| !line.starts_with('#')).context("no line")?;
    let text = line.strip_prefix("inframe-key-1-").context("no key file")?.to_uppercase();
    let mut bits = 0_u64;
    let (mut held, mut secret) = (0, Vec::new());
    for letter in text.bytes() {
        let five = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".iter().position(|one| *one == letter).context("no base32")?;
        (bits, held) = ((bits << 5) | five as u64, held + 5);
        if held >= 8 {
            held -= 8;
            secret.push((bits >> held) as u8);
        }
    }
    let secret: [u8; 32] = secret.get(..32).context("too short")?.try_into()?;
    let slots = std::fs::read(node.data_dir().join("key-slots"))?;
    // Magic and version, the vault's id, one slot: number of slots, kind, id, no parameters, length, the wrapped key.
    let vault = slots.get(10..26).context("short slots")?;
    ensure!(slots.get(26..28) == Some(&[1, 1]), "one slot of a key file");
    let wrapped = slots.get(38..38 + 72).context("short slots")?;
    let aad = [&slots[..10], vault, &[1]].concat();
    let wrapping = blake3::derive_key("inframe 2026-11-25 key file: wrapping key", &secret);
    let nonce = XNonce::try_from(&wrapped[..24])?;
    let payload = Payload { msg: &wrapped[24..], aad: &aad };
    let cipher = XChaCha20Poly1305::new(&wrapping.into());
    let master = cipher.decrypt(&nonce, payload).ok().context("the slot does not open")?;
    let master: [u8; 32] = master.as_slice().try_into()?;
    let sub = |context| blake3::derive_key(context, &master);
    Ok(vec![
        ("the key file's secret", secret),
        ("the master key", master),
        ("the key of blobs", sub("inframe 2026-11-25 vault: blobs")),
        ("the key of the catalog", sub("inframe 2026-11-25 vault: catalog")),
        ("the key of face data", sub("inframe 2026-11-25 vault: biometrics")),
        ("the identity", sub("inframe 2026-11-25 vault: identity")),
        (
            "the key of catalog values",
            blake3::derive_key("inframe 2026-11-25 catalog: values", &sub("inframe 2026-11-25 vault: catalog")),
        ),
    ])
}

/// How often each needle stands in the writable memory of a process.
fn in_memory(pid: u32, needles: &[Vec<u8>]) -> Result<Vec<usize>> {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps"))?;
    let mut memory = std::fs::File::open(format!("/proc/{pid}/mem"))?;
    let mut found = vec![0; needles.len()];
    for line in maps.lines() {
        let (range, rest) = line.split_once(' ').context("no map")?;
        if !rest.starts_with("rw") {
            continue;
        }
        let (from, to) = range.split_once('-').context("no range")?;
        let (from, to) = (u64::from_str_radix(from, 16)?, u64::from_str_radix(to, 16)?);
        memory.seek(SeekFrom::Start(from))?;
        let mut bytes = vec![0; usize::try_from(to - from)?];
        // What was unmapped meanwhile holds nothing any more.
        if memory.read_exact(&mut bytes).is_err() {
            continue;
        }
        for (needle, found) in needles.iter().zip(&mut found) {
            let first = needle[0];
            let mut at = 0;
            while let Some(next) = bytes[at..].iter().position(|byte| *byte == first) {
                at += next;
                *found += usize::from(bytes[at..].starts_with(needle));
                at += 1;
            }
        }
    }
    Ok(found)
}

#[tokio::test]
async fn a_locked_daemon_answers_423_and_holds_no_key() -> Result<()> {
    let node = Daemon::start("Node").await?;
    let photo = photos::sample(1)?;
    let id = node.api().upload("harbour at dawn 7193.jpg", photo.clone()).await?.asset.context("no asset")?;
    let keys = keys_of(&node)?;
    let mut needles: Vec<Vec<u8>> = keys.iter().map(|(_, key)| key.to_vec()).collect();
    needles.push(b"harbour at dawn 7193.jpg".to_vec());
    let pid = node.pid().context("not running")?;
    let open = in_memory(pid, &needles)?;
    // So that a search that finds nothing means something.
    ensure!(open[1] > 0 && open[needles.len() - 1] > 0, "an unlocked daemon holds its master key: {open:?}");

    let locked = typed(&node, &["lock"], &[])?;
    ensure!(locked.status.success() && said(&locked).contains("locked"), "{}", said(&locked));
    let held = in_memory(pid, &needles)?;
    let left: Vec<&str> = keys.iter().zip(&held).filter(|(_, found)| **found > 0).map(|((name, _), _)| *name).collect();
    ensure!(left.is_empty(), "d3: still in memory: {left:?} ({held:?})");

    for outcome in [
        refusal(node.api().status().await)?,
        refusal(node.api().original(&id).await)?,
        refusal(node.api().upload("b.jpg", photos::sample(2)?).await)?,
    ] {
        assert_eq!((outcome.status, outcome.kind.as_str()), (423, "locked"), "{outcome}");
    }
    let view = node.api().vault().await?;
    assert_eq!((view.phase.as_str(), view.ways.as_slice()), ("locked", ["key-file".to_owned()].as_slice()));
    let again = typed(&node, &["lock"], &[])?;
    ensure!(again.status.success(), "locking twice is no error: {}", said(&again));

    let unlocked = typed(&node, &["unlock"], &[])?;
    ensure!(unlocked.status.success(), "{}", said(&unlocked));
    assert_eq!(node.api().original(&id).await?, photo);
    Ok(())
}

#[tokio::test]
async fn ways_to_unlock_change_while_the_daemon_runs_and_wrong_tries_have_to_wait() -> Result<()> {
    let mut node = Daemon::start("Node").await?;
    let photo = photos::sample(1)?;
    let id = node.api().upload("photo.jpg", photo.clone()).await?.asset.context("no asset")?;
    let added = typed(&node, &["keys", "add", "passphrase"], &[PASSPHRASE, PASSPHRASE])?;
    ensure!(added.status.success() && said(&added).contains("key file, passphrase"), "{}", said(&added));
    let removed = typed(&node, &["keys", "remove", "key-file"], &[PASSPHRASE])?;
    ensure!(removed.status.success(), "{}", said(&removed));
    std::fs::remove_file(node.key_file())?;
    let own = typed(&node, &["keys", "remove", "passphrase"], &[PASSPHRASE])?;
    ensure!(!own.status.success() && said(&own).contains("unlocks the vault right now"), "{}", said(&own));
    assert_eq!(node.api().original(&id).await?, photo, "the node runs on");

    // Nobody is at a terminal: it begins locked, and says so.
    node.restart().await?;
    ensure!(node.ready().locked && node.ready().p2p.is_empty(), "{:?}", node.ready());
    let unlock = |secret: &str| json!({ "way": "passphrase", "secret": secret });
    let mut problem = refusal(node.api().unlock(&unlock("lamps over a loud harbour")).await)?;
    assert_eq!((problem.status, problem.kind.as_str()), (403, "wrong-secret"), "{problem}");
    for _ in 0..4 {
        problem = refusal(node.api().unlock(&unlock("lamps over a loud harbour")).await)?;
    }
    assert_eq!((problem.status, problem.kind.as_str()), (429, "too-many-tries"), "{problem}");
    ensure!(node.api().vault().await?.wait_ms > 0, "it says how long");
    let other = refusal(node.api().unlock(&json!({ "way": "key-file" })).await)?;
    ensure!(matches!(other.status, 409 | 429), "the key file opens nothing any more: {other}");
    wait_until("the wait to be over", PATIENCE, async || {
        let outcome = node.api().unlock(&unlock(PASSPHRASE)).await;
        Ok(Seen::when(outcome.is_ok().then_some(()), || "still too soon".to_owned()))
    })
    .await?;
    assert_eq!(node.api().original(&id).await?, photo);
    let noted = node.api().activity().await?;
    ensure!(
        noted.iter().any(|entry| entry.kind == "suspicious" && entry.text.contains("wrong passphrase")),
        "{noted:?}"
    );
    ensure!(!node.log()?.contains("harbour"), "d3: no passphrase in the log");
    Ok(())
}

#[tokio::test]
async fn others_see_a_locked_node_as_away_and_meet_it_again_when_it_is_unlocked() -> Result<()> {
    let (mut host, guest) = (Daemon::start("Host").await?, Daemon::start("Guest").await?);
    // From now on it listens at one port, as it does outside of tests: what the other knows of it holds after the unlocking.
    host.restart().await?;
    let event = host.api().create_event("Summer party").await?.id;
    let link = host.api().invite(&event, None, None).await?.link;
    join(host.api(), &guest, &event, &link).await?;
    let connected = async |wanted: bool| {
        wait_until("the other to notice", PATIENCE, async || {
            let peers = guest.api().peers().await?;
            let now = peers.iter().any(|peer| peer.connected);
            Ok(Seen::when((now == wanted).then_some(()), || format!("{peers:?}")))
        })
        .await
    };
    connected(true).await?;
    // The guest knows where to find the host again once the host's profile has come, which brings the new name.
    host.api().rename("The host").await?;
    wait_until("the host's profile", PATIENCE, async || {
        let members = guest.api().event(&event).await?.members;
        let told = members.iter().any(|member| member.nickname == "The host");
        Ok(Seen::when(told.then_some(()), || format!("{members:?}")))
    })
    .await?;
    host.api().lock().await?;
    connected(false).await?;
    host.api().unlock(&json!({ "way": "key-file" })).await?;
    connected(true).await?;
    Ok(())
}
