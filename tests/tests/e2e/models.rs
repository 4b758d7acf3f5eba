//! Model packs on a real node: adding from a folder and from an address, changing over, and everything that is refused.

use std::path::{Path, PathBuf};
use std::process::Output;

use anyhow::{Context, Result, ensure};
use inframe_tests::api::{Api, refusal};
use inframe_tests::cli::{answer, typed};
use inframe_tests::daemon::Daemon;
use inframe_tests::files::FileServer;
use inframe_tests::photos;
use inframe_tests::scene::{WORKED, agree, enrol, upload, wait_for_faces};
use inframe_tests::views::Models;
use inframe_tests::wait::{Seen, wait_until};
use serde_json::json;
use tempfile::TempDir;

/// Files of the built-in pack.
const NETWORKS: [&str; 3] = ["detector.onnx", "landmarks.onnx", "recogniser.onnx"];

fn builtin(file: &str) -> Result<Vec<u8>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../models/pack/face-api").join(file);
    std::fs::read(&path).with_context(|| format!("cannot read {}; run `make setup` first", path.display()))
}

fn hash(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

/// `pack.toml` of another pack, made of the built-in one's files. It embeds a face without its mirror image, so its embeddings are others.
fn manifest() -> Result<String> {
    let text = String::from_utf8(builtin("pack.toml")?)?;
    let text = text.replace("name = \"face-api\"", "name = \"plain\"").replace("mirrored = true", "mirrored = false");
    ensure!(text.contains("\"plain\"") && text.contains("mirrored = false"), "the built-in pack.toml is another one");
    Ok(text)
}

/// A folder with this `pack.toml` and these files.
fn folder(manifest: &str, files: &[(&str, &[u8])]) -> Result<TempDir> {
    let folder = TempDir::new()?;
    std::fs::write(folder.path().join("pack.toml"), manifest)?;
    for (name, bytes) in files {
        std::fs::write(folder.path().join(name), bytes)?;
    }
    Ok(folder)
}

/// Files that the daemon keeps for packs, unfinished ones included.
fn kept(node: &Daemon) -> Result<Vec<String>> {
    let entries = std::fs::read_dir(node.data_dir().join("models"))?;
    entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

async fn add_folder(api: &Api, folder: &Path) -> Result<Models> {
    api.add_model(&json!({ "folder": folder })).await
}

fn active(models: &Models) -> Result<&str> {
    let active: Vec<&str> = models.packs.iter().filter(|pack| pack.active).map(|pack| pack.id.as_str()).collect();
    ensure!(active.len() == 1, "{models:?}");
    Ok(active[0])
}

async fn looked_at(api: &Api) -> Result<Models> {
    wait_until("every photo with the pack in use", WORKED, async || {
        let models = api.models().await?;
        Ok(if models.faces.done == models.faces.total {
            Seen::Done(models)
        } else {
            Seen::NotYet(format!("{models:?}"))
        })
    })
    .await
}

/// In how many photos the owner is marked, and how many faces there are.
async fn marked(api: &Api) -> Result<(usize, usize)> {
    let assets = api.assets().await?;
    let me = assets.iter().filter(|asset| asset.faces.iter().any(|face| face.me)).count();
    Ok((me, assets.iter().map(|asset| asset.faces.len()).sum()))
}

#[tokio::test]
async fn changing_the_pack_looks_at_everything_anew_and_never_compares_across_packs() -> Result<()> {
    let mut node = Daemon::start("Node").await?;
    enrol(node.api()).await?;
    for (name, photo) in
        [("hers.jpg", photos::hers()?), ("three.jpg", photos::sample(3)?), ("other.jpg", photos::sample(2)?)]
    {
        let asset = upload(node.api(), name, photo).await?;
        wait_for_faces(node.api(), &asset).await?;
    }
    let before = looked_at(node.api()).await?;
    let first = active(&before)?.to_owned();
    ensure!(before.packs.len() == 1 && before.faces.total == 3 && node.api().status().await?.pack == first);
    let (me, faces) = marked(node.api()).await?;
    ensure!(me == 2, "she is in two photos, marked in {me}");

    // The files that are not in the folder are those of the program.
    let source = folder(&manifest()?, &[])?;
    let added = add_folder(node.api(), source.path()).await?;
    drop(source);
    ensure!(added.packs.len() == 2 && active(&added)? == first, "{added:?}");
    let second = added.packs[1].id.clone();
    ensure!(second.starts_with("plain@") && !added.packs[1].licence.is_empty() && added.packs[1].problem.is_none());

    // Nothing works in the background: what is left of the old pack must not be taken for the new one's.
    node.api().pause_background(true).await?;
    let changed = node.api().use_model("plain").await?;
    ensure!(active(&changed)? == second && (changed.faces.done, changed.faces.total) == (0, 3), "{changed:?}");
    ensure!(node.api().status().await?.pack == second);
    ensure!(marked(node.api()).await? == (0, faces), "a face of one pack was compared with a selfie of another");
    let profile = node.api().profile().await?;
    ensure!(profile.enrolled && profile.selfies.iter().all(|selfie| selfie.usable), "{profile:?}");

    // Cut short, it goes on after the restart.
    node.restart().await?;
    let again = node.api().models().await?;
    ensure!(active(&again)? == second && again.faces.done == 0, "{again:?}");
    node.api().pause_background(false).await?;
    looked_at(node.api()).await?;
    ensure!(marked(node.api()).await? == (me, faces), "she is recognised with the second pack as well");

    ensure!(active(&node.api().use_model(&first).await?)? == first);
    looked_at(node.api()).await?;
    ensure!(marked(node.api()).await? == (me, faces));
    let told: Vec<_> = node.api().activity().await?.into_iter().filter(|one| one.kind == "models").collect();
    ensure!(told.len() == 3, "added, changed, changed back: {told:?}");
    Ok(())
}

#[tokio::test]
async fn a_pack_that_is_not_in_order_is_refused_with_the_reason_and_leaves_nothing() -> Result<()> {
    let node = Daemon::start("Node").await?;
    let good = manifest()?;
    let [detector, landmarks, recogniser] = NETWORKS.map(builtin);
    let (detector, landmarks, recogniser) = (detector?, landmarks?, recogniser?);
    let mut flipped = detector.clone();
    *flipped.last_mut().context("an empty detector")? ^= 1;
    let noise = b"this is no network".as_slice();
    /// What is wrong, the manifest, files of its own, and a word of the refusal.
    type Case<'a> = (&'a str, String, &'a [(&'a str, &'a [u8])], &'a str);
    let cases: [Case; 7] = [
        ("another hash", good.clone(), &[("detector.onnx", &flipped)], "detector.onnx of the model pack is damaged"),
        ("no network", good.replace(&hash(&recogniser), &hash(noise)), &[("recogniser.onnx", noise)], "not a network"),
        (
            "another network",
            good.replace(&hash(&recogniser), &hash(&landmarks)),
            &[("recogniser.onnx", &landmarks)],
            "recogniser.onnx",
        ),
        ("other numbers", good.replace("dimensions = 128", "dimensions = 64"), &[], "64"),
        ("nowhere", good.replace(&hash(&detector), &hash(noise)), &[], "detector.onnx"),
        ("a way out", good.replace("\"detector.onnx\"", "\"../detector.onnx\""), &[], "file"),
        ("no pack.toml worth the name", "format = ".to_owned(), &[], "pack.toml"),
    ];
    for (what, text, files, word) in cases {
        ensure!(text != good || !files.is_empty(), "{what} changes nothing");
        let source = folder(&text, files)?;
        let problem = refusal(add_folder(node.api(), source.path()).await)?;
        ensure!((400..500).contains(&problem.status) && problem.detail.contains(word), "{what}: {problem}");
    }
    let nothing = refusal(add_folder(node.api(), node.folder()).await)?;
    ensure!(nothing.detail.contains("no folder with a model pack"), "{nothing}");
    let builtin_again = folder(&String::from_utf8(builtin("pack.toml")?)?, &[])?;
    ensure!(refusal(add_folder(node.api(), builtin_again.path()).await)?.status == 409);
    ensure!(refusal(node.api().use_model("nobody").await)?.detail.contains("no model pack nobody"));
    ensure!(kept(&node)?.is_empty(), "{:?}", kept(&node)?);
    ensure!(node.api().models().await?.packs.len() == 1);
    Ok(())
}

#[tokio::test]
async fn d6_a_download_happens_only_when_asked_for_and_only_with_its_hash() -> Result<()> {
    let node = Daemon::start("Node").await?;
    let server = FileServer::start().await?;
    // A file that the program does not have, with the address from which it could come.
    let centre = [builtin("centre.json")?, b"\n".to_vec()].concat();
    let named = format!("blake3 = \"{}\"", hash(&builtin("centre.json")?));
    let text = manifest()?.replace(
        &named,
        &format!("blake3 = \"{}\"\nurl = \"{}\"", hash(&centre), server.address("elsewhere/centre.json")),
    );
    ensure!(text.contains("elsewhere"), "the built-in pack.toml is another one");
    let source = folder(&text, &[])?;

    let problem = refusal(add_folder(node.api(), source.path()).await)?;
    ensure!(problem.detail.contains("centre.json") && problem.detail.contains("--download"), "{problem}");
    ensure!(server.asked().is_empty(), "asked for {:?} without being told to", server.asked());

    let wanted = json!({ "folder": source.path(), "download": true });
    server.serve("elsewhere/centre.json", b"something else");
    let problem = refusal(node.api().add_model(&wanted).await)?;
    ensure!(problem.detail.contains("centre.json of the model pack is damaged"), "{problem}");
    server.serve("elsewhere/centre.json", &vec![b' '; 2 << 20]);
    let problem = refusal(node.api().add_model(&wanted).await)?;
    ensure!(problem.status == 413, "d7: {problem}");
    ensure!(kept(&node)?.is_empty(), "{:?}", kept(&node)?);
    server.serve("elsewhere/centre.json", &centre);
    ensure!(node.api().add_model(&wanted).await?.packs.len() == 2);

    // By address: the rest of another version comes from beside its pack.toml, or is already here.
    let text = text.replace("version = \"1.7.15\"", "version = \"2\"");
    let url = server.address("packs/pack.toml");
    let by_address = |blake3: &str| json!({ "url": url, "blake3": blake3 });
    let problem = refusal(node.api().add_model(&by_address(&hash(text.as_bytes()))).await)?;
    ensure!(problem.detail.contains("404"), "{problem}");
    server.serve("packs/pack.toml", text.as_bytes());
    let problem = refusal(node.api().add_model(&by_address(&hash(b"another"))).await)?;
    ensure!(problem.detail.contains(&hash(text.as_bytes())), "{problem}");
    let problem = refusal(node.api().add_model(&json!({ "url": url })).await)?;
    ensure!(problem.detail.contains("BLAKE3"), "{problem}");
    let added = node.api().add_model(&by_address(&hash(text.as_bytes()))).await?;
    ensure!(added.packs.len() == 3 && added.packs[2].id.starts_with("plain@2-"), "{added:?}");

    let asked = server.asked().len();
    let outside = json!({ "url": "http://192.0.2.1/pack.toml", "blake3": hash(b"x") });
    ensure!(refusal(node.api().add_model(&outside).await)?.detail.contains("https://"));
    ensure!(server.asked().len() == asked);
    Ok(())
}

fn command(node: &Daemon, arguments: &[&str]) -> Result<Output> {
    typed(node, &[&["models"], arguments].concat(), &[])
}

fn said(node: &Daemon, arguments: &[&str]) -> Result<String> {
    answer(node, &[&["models"], arguments].concat())
}

fn in_use(listed: &str, pack: &str) -> bool {
    listed.lines().any(|line| line.contains(&format!("{pack}@")) && line.contains("in use"))
}

#[tokio::test]
async fn the_command_line_adds_and_uses_packs_and_says_when_one_is_damaged() -> Result<()> {
    let mut node = Daemon::start("Node").await?;
    agree(node.api()).await?;
    ensure!(in_use(&said(&node, &["list"])?, "face-api"));
    let source = folder(&manifest()?, &[])?;
    let path = source.path().to_str().context("a temporary folder that is not UTF-8")?;
    ensure!(said(&node, &["add", path])?.contains("plain@"));
    let used = said(&node, &["use", "plain", "--yes"])?;
    ensure!(in_use(&used, "plain"), "{used}");
    let wrong = command(&node, &["add", "https://example.org/pack.toml"])?;
    ensure!(!wrong.status.success() && String::from_utf8_lossy(&wrong.stderr).contains("--hash"));

    let id = node.api().status().await?.pack;
    std::fs::write(node.data_dir().join("models").join(&id).join("pack.toml"), "format = 1")?;
    node.restart().await?;
    let listed = said(&node, &["list"])?;
    ensure!(listed.contains("No faces are looked for"), "{listed}");
    // Adding it again mends it; another one with its id is not taken for it.
    said(&node, &["add", path])?;
    ensure!(in_use(&said(&node, &["use", "plain", "--yes"])?, "plain") && node.api().models().await?.trouble.is_none());
    std::fs::write(source.path().join("pack.toml"), manifest()?.replace("min_score = 0.5", "min_score = 0.6"))?;
    let known = command(&node, &["add", path])?;
    ensure!(!known.status.success() && String::from_utf8_lossy(&known.stderr).contains("another version"), "{known:?}");
    Ok(())
}
