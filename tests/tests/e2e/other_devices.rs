//! The dashboard from other devices: encrypted, with a launch link or a password, and nothing for whoever has neither.

use std::net::SocketAddr;
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use futures::StreamExt as _;
use inframe_tests::cli;
use inframe_tests::daemon::{Daemon, Options, binary};
use inframe_tests::guest::Guest;
use inframe_tests::https::{Authority, Https};
use inframe_tests::photos::{self, pattern};
use inframe_tests::scene::SOON;
use inframe_tests::wait::{Seen, wait_until};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;

const PASSWORD: &str = "lanterns on the lake";
const BY_PASSWORD: &str = "/api/v1/session/password";

/// A node whose dashboard is in the network, and a browser of another device there.
async fn node() -> Result<(Daemon, Https)> {
    let flags = ["--lan", "0.0.0.0:0"].map(Into::into).to_vec();
    let node = Daemon::start_with(Options { flags, ..Options::local("Node") }).await?;
    let browser = Https::on(&node.ready().lan.as_ref().context("not in the network")?.dashboard)?;
    Ok((node, browser))
}

fn token(link: &Value) -> Result<Value> {
    let token = link["url"].as_str().and_then(|url| url.split_once("/#launch=")).context("no launch link")?.1;
    Ok(json!({ "token": token }))
}

async fn activity(node: &Daemon) -> Result<Vec<(String, String)>> {
    let entries = node.api().activity().await?;
    Ok(entries.into_iter().map(|entry| (entry.kind, entry.text)).collect())
}

#[tokio::test]
async fn without_a_password_a_launch_link_signs_in_and_who_has_none_sees_nothing() -> Result<()> {
    let (mut node, mut browser) = node().await?;
    let ready = node.ready().lan.clone().context("not in the network")?;
    let at: SocketAddr = ready.dashboard.trim_start_matches("https://").parse()?;
    ensure!(!at.ip().is_loopback(), "{at} is not in the network");
    assert_eq!(browser.fingerprint().await?, ready.fingerprint);
    for command in [vec!["status"], vec!["open", "--lan"], vec!["password", "show"]] {
        let said = cli::answer(&node, &command)?;
        ensure!(said.contains(&ready.fingerprint), "{command:?}: {said}");
        ensure!(said.contains(&ready.dashboard), "{command:?}: {said}");
    }

    let page = browser.get("/").await?;
    ensure!(page.status == 200 || page.status == 503, "the page to sign in: {page:?}");
    ensure!(page.header("content-security-policy").contains("default-src 'none'"), "{page:?}");
    for path in ["/status", "/vault", "/lan", "/openapi.json", "/events", "/sessions", "/nothing"] {
        assert_eq!(browser.get(&format!("/api/v1{path}")).await?.status, 401, "{path}");
    }
    let unlock = json!({ "way": "passphrase", "secret": "four words are enough" });
    assert_eq!(browser.ask("POST", "/api/v1/vault/unlock", Some(&unlock), &[]).await?.status, 401);
    let ways = browser.get("/api/v1/session/ways").await?.json()?;
    assert_eq!(ways, json!({ "over_network": true, "password": false }));
    let no_password = browser.sign_in(BY_PASSWORD, &json!({ "password": PASSWORD })).await?;
    assert_eq!((no_password.status, no_password.json()?["type"].as_str()), (403, Some("no-password")));

    let link = node.api().lan_launch_link().await?;
    assert_eq!(link["fingerprint"], ready.fingerprint.as_str());
    let answer = browser.sign_in("/api/v1/session", &token(&link)?).await?;
    let cookie = answer.header("set-cookie").to_owned();
    ensure!(cookie.starts_with("__Host-inframe_"), "{cookie}");
    for part in ["; Secure", "; HttpOnly", "; SameSite=Strict", "; Path=/;"] {
        ensure!(cookie.contains(part), "{cookie}");
    }
    assert_eq!(browser.get("/api/v1/status").await?.status, 200);
    let again = Https::on(&ready.dashboard)?.sign_in("/api/v1/session", &token(&link)?).await?;
    assert_eq!(again.status, 401, "a link works once");

    let sessions = browser.get("/api/v1/sessions").await?.json()?;
    assert_eq!(sessions[0]["from"], at.ip().to_string());
    let said = activity(&node).await?;
    ensure!(said.iter().any(|(kind, text)| kind == "sign-in" && text.contains("over the network, from")), "{said:?}");
    // A session goes on after a restart, though nobody here has looked at the dashboard since.
    let port = at.port();
    node.restart_with(vec!["--lan".into(), format!("0.0.0.0:{port}").into()]).await?;
    browser = Https::on(&ready.dashboard)?;
    browser.cookie = cookie.split(';').next().map(str::to_owned);
    assert_eq!(browser.get("/api/v1/session").await?.status, 204);
    assert_eq!(browser.fingerprint().await?, ready.fingerprint, "and the certificate stays");
    // Here the password signs nobody in, and nobody is told whether there is one.
    let local = reqwest::Client::new().get(format!("{}/api/v1/session/ways", node.ready().dashboard)).send().await?;
    assert_eq!(local.json::<Value>().await?, json!({ "over_network": false, "password": false }));
    Ok(())
}

#[tokio::test]
async fn a_password_signs_in_while_the_vault_is_locked_too_and_wrong_ones_wait_and_are_noted() -> Result<()> {
    let (node, mut browser) = node().await?;
    let typed = cli::typed(&node, &["password", "set"], &[PASSWORD, PASSWORD])?;
    ensure!(typed.status.success(), "{}", cli::said(&typed));
    let short = cli::typed(&node, &["password", "set"], &["short", "short"])?;
    ensure!(!short.status.success() && cli::said(&short).contains("at least 10 characters"), "{}", cli::said(&short));
    let ways = browser.get("/api/v1/session/ways").await?.json()?;
    assert_eq!(ways["password"], true);

    let large = json!({ "password": "x".repeat(2000) });
    assert_eq!(browser.sign_in(BY_PASSWORD, &large).await?.status, 413);
    let wrong = json!({ "password": "lanterns on the lak" });
    for _ in 0..4 {
        let answer = browser.sign_in(BY_PASSWORD, &wrong).await?;
        assert_eq!((answer.status, answer.json()?["type"].as_str()), (403, Some("wrong-password")));
    }
    let right = json!({ "password": PASSWORD });
    let waits = browser.sign_in(BY_PASSWORD, &right).await?;
    ensure!(waits.status == 429 && !waits.header("retry-after").is_empty(), "{waits:?}");
    wait_until("the next try", SOON, async || {
        let status = browser.sign_in(BY_PASSWORD, &right).await?.status;
        Ok(Seen::when((status == 204).then_some(()), || status.to_string()))
    })
    .await?;
    let said = activity(&node).await?;
    let suspicious = said.iter().filter(|(kind, text)| kind == "suspicious" && text.contains("wrong password"));
    assert_eq!(suspicious.count(), 3, "the first, the second and the fourth: {said:?}");

    // Locked, somebody in the network is told nothing, and whoever signs in may unlock.
    node.api().lock().await?;
    let mut other = Https::on(&node.ready().lan.as_ref().context("gone")?.dashboard)?;
    assert_eq!(other.get("/api/v1/vault").await?.status, 401);
    assert_eq!(other.sign_in(BY_PASSWORD, &wrong).await?.status, 403);
    assert_eq!(other.sign_in(BY_PASSWORD, &right).await?.status, 204);
    assert_eq!(other.get("/api/v1/vault").await?.json()?["phase"], "locked");
    assert_eq!(other.get("/api/v1/status").await?.status, 423);
    let unlocked = other.ask("POST", "/api/v1/vault/unlock", Some(&json!({ "way": "key-file" })), &[]).await?;
    assert_eq!(unlocked.status, 204);
    assert_eq!(other.get("/api/v1/status").await?.status, 200);
    let said = activity(&node).await?;
    ensure!(said.iter().any(|(_, text)| text.contains("while the vault was locked")), "{said:?}");

    // Another password takes the present one, and ends all other sessions.
    let change = |current: &str, password: Option<&str>| json!({ "current": current, "password": password });
    let refused = other.ask("PUT", "/api/v1/lan/password", Some(&change("no idea at all", None)), &[]).await?;
    assert_eq!(refused.status, 403);
    let refused = other.ask("PUT", "/api/v1/lan/password", Some(&json!({ "password": null })), &[]).await?;
    assert_eq!(refused.status, 422);
    let changed =
        other.ask("PUT", "/api/v1/lan/password", Some(&change(PASSWORD, Some("boats at midnight"))), &[]).await?;
    assert_eq!((changed.status, changed.json()?["has_password"].as_bool()), (200, Some(true)));
    assert_eq!(other.get("/api/v1/status").await?.status, 200, "who changed it stays");
    assert_eq!(browser.get("/api/v1/status").await?.status, 401, "the others go");
    assert_eq!(browser.sign_in(BY_PASSWORD, &right).await?.status, 403);
    node.api().set_lan_password(None).await?;
    assert_eq!(other.get("/api/v1/status").await?.status, 401);
    let hash = std::fs::read_dir(node.data_dir().join("lan"))?
        .filter_map(Result::ok)
        .any(|file| file.file_name() == "password");
    ensure!(!hash, "the hash is still there");
    Ok(())
}

#[tokio::test]
async fn erasing_everything_takes_the_password_with_it() -> Result<()> {
    let (node, mut browser) = node().await?;
    node.api().set_lan_password(Some(PASSWORD)).await?;
    assert_eq!(browser.sign_in(BY_PASSWORD, &json!({ "password": PASSWORD })).await?.status, 204);
    let erased = browser.ask("POST", "/api/v1/vault/erase", Some(&json!({ "words": "erase everything" })), &[]).await?;
    assert_eq!(erased.status, 204, "{erased:?}");
    assert_eq!(browser.get("/api/v1/status").await?.status, 200, "whoever asked for it stays signed in");
    assert_eq!(browser.get("/api/v1/lan").await?.json()?["has_password"], false);
    let other = Https::on(&node.ready().lan.as_ref().context("gone")?.dashboard)?;
    assert_eq!(other.get("/api/v1/session/ways").await?.json()?["password"], false);
    ensure!(!node.data_dir().join("lan/password").exists(), "the hash is still there");
    Ok(())
}

#[tokio::test]
async fn other_names_other_pages_and_what_is_not_encrypted_are_refused() -> Result<()> {
    let (node, mut browser) = node().await?;
    browser.sign_in("/api/v1/session", &token(&node.api().lan_launch_link().await?)?).await?;
    let port = browser.host().rsplit_once(':').context("no port")?.1.to_owned();
    for host in [
        "evil.example".into(),
        format!("evil.example:{port}"),
        format!("localhost:{port}"),
        format!("127.0.0.1:{port}"),
    ] {
        for path in ["/", "/api/v1/status"] {
            assert_eq!(browser.ask("GET", path, None, &[("host", &host)]).await?.status, 421, "{host}{path}");
        }
    }
    let name = json!({ "name": "Party" });
    let own_in_the_clear = format!("http://{}", browser.host());
    let foreign = [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("origin", own_in_the_clear.as_str()),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ];
    for header in foreign {
        let status = browser.ask("POST", "/api/v1/events", Some(&name), &[header]).await?.status;
        assert_eq!(status, 403, "{header:?}");
    }
    assert!(node.api().events().await?.is_empty());
    assert_eq!(browser.ask("POST", "/api/v1/events", Some(&name), &[]).await?.status, 200);

    let live = |origin: &str, cookie: Option<&str>| -> Result<_> {
        let mut request = format!("wss://{}/api/v1/live", browser.host()).into_client_request()?;
        request.headers_mut().insert("origin", HeaderValue::from_str(origin)?);
        if let Some(cookie) = cookie {
            request.headers_mut().insert("cookie", HeaderValue::from_str(cookie)?);
        }
        Ok(request)
    };
    let cookie = browser.cookie.as_deref();
    let own = format!("https://{}", browser.host());
    for (origin, cookie) in [("https://evil.example", cookie), (&own_in_the_clear, cookie), (&own, None)] {
        let refused = tokio_tungstenite::client_async(live(origin, cookie)?, browser.connect().await?).await;
        ensure!(refused.is_err(), "{origin} with cookie {} may listen", cookie.is_some());
    }
    let (mut socket, _) = tokio_tungstenite::client_async(live(&own, cookie)?, browser.connect().await?).await?;
    inframe_tests::scene::upload(node.api(), "a.jpg", photos::to_jpeg(&pattern(300, 200, 90))?).await?;
    let told = async {
        while let Some(message) = socket.next().await {
            let Ok(text) = message?.into_text() else { continue };
            if serde_json::from_str::<Value>(&text)?["what"] == "timeline" {
                return Ok(());
            }
        }
        anyhow::bail!("the live socket closed")
    };
    tokio::time::timeout(SOON, told).await.context("no word of the new photo")??;

    let page = browser.in_the_clear("GET", "/photos?at=1").await?;
    assert_eq!((page.status, page.header("location")), (307, format!("{own}/photos?at=1").as_str()));
    ensure!(page.body.is_empty(), "{page:?}");
    assert_eq!(browser.in_the_clear("POST", "/api/v1/events").await?.status, 400);
    Ok(())
}

#[tokio::test]
async fn a_certificate_of_the_owner_serves_the_dashboard_and_the_guest_page() -> Result<()> {
    let (authority, folder) = (Authority::new()?, tempfile::tempdir()?);
    let (certificate, key) = authority.vouch_for("photos.test", folder.path())?;
    let mut flags: Vec<std::ffi::OsString> = ["--lan", "0.0.0.0:0", "--guests-tls"].map(Into::into).to_vec();
    flags.extend(["--tls-cert".into(), certificate.clone().into(), "--tls-key".into(), key.clone().into()]);
    let host = Daemon::start_with(Options { flags, ..Options::local("Ann") }).await?;

    // The dashboard, under the name of the certificate, and known to those who trust its authority.
    let lan = host.ready().lan.clone().context("not in the network")?;
    let port: u16 = lan.dashboard.rsplit_once(':').context("no port")?.1.parse()?;
    assert_eq!(lan.dashboard, format!("https://photos.test:{port}"));
    let mut browser = Https::trusting(&authority, ([127, 0, 0, 1], port).into(), "photos.test")?;
    let link = host.api().lan_launch_link().await?;
    assert_eq!(link["fingerprint"], Value::Null, "nothing has to be compared");
    assert_eq!(browser.sign_in("/api/v1/session", &token(&link)?).await?.status, 204);
    assert_eq!(browser.get("/api/v1/status").await?.status, 200);
    let stranger = Https::trusting(&Authority::new()?, ([127, 0, 0, 1], port).into(), "photos.test")?;
    ensure!(stranger.connect().await.is_err(), "another authority vouches for nothing here");

    // The guest page.
    let event = host.api().create_event("Summer party").await?.id;
    host.api().change_guest_page(&event, &json!({ "on": true })).await?;
    let link = wait_until("the guest page's port", SOON, async || {
        let page = host.api().guest_page(&event).await?;
        Ok(Seen::when(page["links"][0]["link"].as_str().map(str::to_owned), || format!("{}", page["problem"])))
    })
    .await?;
    let rest = link.strip_prefix("https://photos.test:").with_context(|| format!("not encrypted: {link}"))?;
    let (port, path) = rest.split_once('/').context("no path")?;
    let path = format!("/{}", path.split('#').next().unwrap_or_default());
    let phone = Https::trusting(&authority, ([127, 0, 0, 1], port.parse()?).into(), "photos.test")?;
    let page = phone.get(&path).await?;
    ensure!(page.status == 200 && page.header("content-type").starts_with("text/html"), "{page:?}");
    let plain = phone.in_the_clear("GET", &path).await?;
    assert_eq!((plain.status, plain.header("location")), (307, format!("https://photos.test:{port}{path}").as_str()));
    // What a guest sends is sealed as before; their cookie is for encrypted connections only.
    let joined = joins(&phone, &path, &link).await?;
    ensure!(joined.contains("; Secure") && joined.contains("HttpOnly"), "{joined}");

    // A key that belongs to another certificate stops the start, with the reason.
    let other = tempfile::tempdir()?;
    let (_, wrong) = authority.vouch_for("photos.test", other.path())?;
    let run = tokio::process::Command::new(binary()?)
        .args(["run", "--lan", "127.0.0.1:0", "--dashboard", "127.0.0.1:0", "--data-dir"])
        .arg(other.path().join("data"))
        .arg("--key-file")
        .arg(other.path().join("key"))
        .arg("--tls-cert")
        .arg(&certificate)
        .arg("--tls-key")
        .arg(&wrong)
        .stdin(Stdio::null())
        .output();
    let ended = tokio::time::timeout(SOON, run).await.context("it started with a wrong key")??;
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    ensure!(!ended.status.success() && said.contains("does not belong to the certificate"), "{said}");
    Ok(())
}

/// Becomes a guest; the `Set-Cookie` line.
async fn joins(phone: &Https, path: &str, link: &str) -> Result<String> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let sealed = Guest::with(link)?.sealed("guest", json!({ "name": "Cleo" }).to_string().as_bytes());
    let head = format!(
        "POST {path}/api/guest HTTP/1.1\r\nhost: {}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        phone.host(),
        sealed.len()
    );
    let mut stream = phone.connect().await?;
    stream.write_all(&[head.as_bytes(), &sealed].concat()).await?;
    let mut answer = String::new();
    // What matters has come when the connection ends without a goodbye.
    let _ = stream.read_to_string(&mut answer).await;
    ensure!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let line = answer.lines().find(|line| line.to_ascii_lowercase().starts_with("set-cookie:"));
    Ok(line.context("no cookie")?.to_owned())
}
