//! The dashboard's door: who may speak to the API over TCP, and what every answer carries.

use anyhow::{Context, Result, ensure};
use futures::StreamExt;
use inframe_tests::daemon::Daemon;
use inframe_tests::photos::{self, pattern};
use reqwest::header::{COOKIE, HOST, HeaderMap, ORIGIN, SET_COOKIE};
use reqwest::{Client, Response};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;

/// A browser's tab, as far as this needs one.
struct Tab {
    http: Client,
    base: String,
    cookie: Option<String>,
}

impl Tab {
    fn on(node: &Daemon) -> Self {
        Self { http: Client::new(), base: node.ready().dashboard.trim_end_matches('/').to_owned(), cookie: None }
    }

    fn request(&self, method: &str, path: &str) -> Result<reqwest::RequestBuilder> {
        let request = self.http.request(method.parse()?, format!("{}{path}", self.base));
        Ok(match &self.cookie {
            Some(cookie) => request.header(COOKIE, cookie),
            None => request,
        })
    }

    async fn get(&self, path: &str) -> Result<Response> {
        Ok(self.request("GET", path)?.send().await?)
    }

    /// Exchanges the token of a launch link for a cookie.
    async fn sign_in(&mut self, launch: &str) -> Result<Response> {
        let token = launch.split_once("#launch=").context("the launch link carries no token")?.1;
        let answer = self
            .request("POST", "/api/v1/session")?
            .header(ORIGIN, &self.base)
            .json(&json!({ "token": token }))
            .send()
            .await?;
        if let Some(cookie) = answer.headers().get(SET_COOKIE) {
            self.cookie = cookie.to_str()?.split(';').next().map(str::to_owned);
        }
        Ok(answer)
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

#[tokio::test]
async fn a_launch_link_works_once_and_gives_a_strict_cookie() -> Result<()> {
    let node = Daemon::start("Node").await?;
    let mut tab = Tab::on(&node);
    assert_eq!(tab.get("/api/v1/status").await?.status(), 401, "no cookie, no answer");
    assert_eq!(tab.get("/api/v1/session").await?.status(), 401);
    let answer = tab.sign_in(&node.ready().launch).await?;
    ensure!(answer.status().is_success(), "the launch link is refused with {}", answer.status());
    let cookie = header(answer.headers(), "set-cookie").to_ascii_lowercase();
    ensure!(cookie.contains("httponly") && cookie.contains("samesite=strict"), "a weak cookie: {cookie}");
    assert_eq!(tab.get("/api/v1/session").await?.status(), 204);
    assert_eq!(tab.get("/api/v1/status").await?.status(), 200);

    let again = Tab::on(&node).sign_in(&node.ready().launch).await?;
    ensure!(again.status().is_client_error(), "a launch link opened twice");
    let fresh = node.api().launch_link().await?.url;
    ensure!(Tab::on(&node).sign_in(&fresh).await?.status().is_success(), "a fresh link is refused");

    tab.request("DELETE", "/api/v1/session")?.header(ORIGIN, &tab.base).send().await?.error_for_status()?;
    assert_eq!(tab.get("/api/v1/status").await?.status(), 401, "signed out");
    Ok(())
}

#[tokio::test]
async fn another_name_in_the_host_header_is_refused() -> Result<()> {
    let node = Daemon::start("Node").await?;
    let mut tab = Tab::on(&node);
    tab.sign_in(&node.ready().launch).await?;
    for host in ["evil.example", "evil.example:7410", "127.0.0.1.evil.example", "localhost.evil.example"] {
        for path in ["/", "/api/v1/status"] {
            let status = tab.request("GET", path)?.header(HOST, host).send().await?.status();
            ensure!([403, 421].contains(&status.as_u16()), "{host} got {status} for {path}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_write_from_another_page_is_refused() -> Result<()> {
    let node = Daemon::start("Node").await?;
    let mut tab = Tab::on(&node);
    tab.sign_in(&node.ready().launch).await?;
    let name = json!({ "name": "Party" });
    let foreign = [
        ("origin", "http://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ];
    for (header, value) in foreign {
        let status = tab.request("POST", "/api/v1/events")?.header(header, value).json(&name).send().await?.status();
        assert_eq!(status, 403, "{header}: {value}");
    }
    assert!(node.api().events().await?.is_empty());
    let own = tab
        .request("POST", "/api/v1/events")?
        .header(ORIGIN, &tab.base)
        .header("sec-fetch-site", "same-origin")
        .json(&name);
    own.send().await?.error_for_status()?;
    Ok(())
}

#[tokio::test]
async fn every_answer_carries_its_protections() -> Result<()> {
    let node = Daemon::start("Node").await?;
    let asset = inframe_tests::scene::upload(node.api(), "a.jpg", photos::to_jpeg(&pattern(300, 200, 80))?).await?;
    let mut tab = Tab::on(&node);
    tab.sign_in(&node.ready().launch).await?;
    let thumb = format!("/api/v1/assets/{asset}/thumb?size=grid");
    for path in ["/", "/api/v1/status", &thumb, "/assets/missing.js"] {
        let answer = tab.get(path).await?;
        let headers = answer.headers();
        assert_eq!(header(headers, "x-content-type-options"), "nosniff", "{path}");
        let policy = header(headers, "content-security-policy");
        ensure!(
            policy.contains("default-src 'none'") || policy.contains("default-src 'self'"),
            "{path}: a weak policy {policy:?}"
        );
        ensure!(!policy.contains("unsafe"), "{path}: {policy}");
    }
    assert_eq!(tab.get("/assets/missing.js").await?.status(), 404, "a missing file is no page");
    let page = tab.get("/photos").await?;
    ensure!(header(page.headers(), "content-type").starts_with("text/html"), "a deep link opens the page");
    ensure!(
        header(page.headers(), "content-security-policy").contains("frame-ancestors 'none'"),
        "the page may be framed"
    );
    for path in [thumb, format!("/api/v1/assets/{asset}/original")] {
        let answer = tab.get(&path).await?.error_for_status()?;
        ensure!(header(answer.headers(), "cache-control").contains("no-store"), "{path} may be cached");
    }
    Ok(())
}

#[tokio::test]
async fn refusals_are_problem_documents() -> Result<()> {
    let node = Daemon::start("Node").await?;
    let mut tab = Tab::on(&node);
    tab.sign_in(&node.ready().launch).await?;
    let missing = "0".repeat(32);
    for path in [format!("/api/v1/assets/{missing}"), format!("/api/v1/events/{missing}"), "/api/v1/nothing".to_owned()]
    {
        let answer = tab.get(&path).await?;
        ensure!(answer.status().is_client_error(), "{path}: {}", answer.status());
        assert_eq!(header(answer.headers(), "content-type"), "application/problem+json", "{path}");
        let problem: Value = answer.json().await?;
        for field in ["type", "title", "status", "detail"] {
            ensure!(problem.get(field).is_some(), "{path}: no {field} in {problem}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_range_of_an_original_is_that_range() -> Result<()> {
    let node = Daemon::start("Node").await?;
    let photo = photos::sample(2)?;
    let asset = inframe_tests::scene::upload(node.api(), "a.jpg", photo.clone()).await?;
    let mut tab = Tab::on(&node);
    tab.sign_in(&node.ready().launch).await?;
    let path = format!("/api/v1/assets/{asset}/original");
    // Across the 64 KiB that a sealed chunk of the vault may hold, and the last bytes.
    for (range, expected) in [("bytes=65530-65545", &photo[65530..65546]), ("bytes=-10", &photo[photo.len() - 10..])] {
        let answer = tab.request("GET", &path)?.header("range", range).send().await?;
        assert_eq!(answer.status(), 206, "{range}");
        assert_eq!(answer.bytes().await?, expected, "{range}");
    }
    Ok(())
}

#[tokio::test]
async fn the_live_socket_tells_of_changes_and_only_its_own_page() -> Result<()> {
    let node = Daemon::start("Node").await?;
    let mut tab = Tab::on(&node);
    tab.sign_in(&node.ready().launch).await?;
    let address = format!("{}/api/v1/live?since=0", tab.base.replacen("http", "ws", 1));
    let request = |origin: &str, cookie: Option<&str>| -> Result<_> {
        let mut request = address.as_str().into_client_request()?;
        request.headers_mut().insert("origin", HeaderValue::from_str(origin)?);
        if let Some(cookie) = cookie {
            request.headers_mut().insert("cookie", HeaderValue::from_str(cookie)?);
        }
        Ok(request)
    };
    let cookie = tab.cookie.as_deref();
    ensure!(
        tokio_tungstenite::connect_async(request("http://evil.example", cookie)?).await.is_err(),
        "another page may listen"
    );
    ensure!(tokio_tungstenite::connect_async(request(&tab.base, None)?).await.is_err(), "a stranger may listen");

    let (mut live, _) = tokio_tungstenite::connect_async(request(&tab.base, cookie)?).await?;
    inframe_tests::scene::upload(node.api(), "a.jpg", photos::to_jpeg(&pattern(300, 200, 90))?).await?;
    let told = async {
        while let Some(message) = live.next().await {
            let Ok(text) = message?.into_text() else { continue };
            let message: Value = serde_json::from_str(&text)?;
            if message["what"] == "timeline" {
                return Ok(());
            }
        }
        anyhow::bail!("the live socket closed")
    };
    tokio::time::timeout(inframe_tests::scene::SOON, told).await.context("no word of the new photo")?
}

#[tokio::test]
async fn the_api_describes_itself() -> Result<()> {
    let node = Daemon::start("Node").await?;
    let document = node.api().openapi().await?;
    let paths = document["paths"].as_object().context("no paths in the OpenAPI document")?;
    for path in
        ["/status", "/uploads", "/events/{id}/find-me", "/approvals/{id}", "/transfers", "/profiles/{profile}/selfies"]
    {
        ensure!(paths.keys().any(|known| known.ends_with(path)), "{path} is not described; known: {:?}", paths.keys());
    }
    Ok(())
}
