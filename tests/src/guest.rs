//! A guest of an event: speaks to the guest page's own port as its page does, and seals what it sends.

use anyhow::{Context as _, Result, ensure};
use inframe_protocol::aead;
use reqwest::header::{COOKIE, SET_COOKIE};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

use crate::api::Api;

/// Plain bytes of a piece.
pub const PIECE_BYTES: usize = 1024 * 1024;

/// The host's side: switching the page on and answering.
#[allow(missing_docs, clippy::missing_errors_doc)]
impl Api {
    pub async fn guest_page(&self, event: &str) -> Result<Value> {
        self.get(&format!("/events/{event}/guest-page")).await
    }

    pub async fn change_guest_page(&self, event: &str, patch: &Value) -> Result<Value> {
        self.with(Method::PATCH, &format!("/events/{event}/guest-page"), patch).await
    }

    pub async fn block_guest(&self, event: &str, guest: &str, blocked: bool) -> Result<Value> {
        let path = format!("/events/{event}/guest-page/guests/{guest}");
        self.with(Method::PUT, &path, &json!({ "blocked": blocked })).await
    }

    pub async fn let_members_join(&self, event: &str, wish: &Value) -> Result<Value> {
        self.with(Method::PUT, &format!("/events/{event}/guest-page/members"), wish).await
    }

    pub async fn let_no_members_join(&self, event: &str) -> Result<Value> {
        self.json(self.request(Method::DELETE, &format!("/events/{event}/guest-page/members"))).await
    }

    pub async fn guest_crop(&self, event: &str, guest: &str, asset: &str) -> Result<Vec<u8>> {
        self.bytes(&format!("/events/{event}/guest-page/guests/{guest}/found/{asset}")).await
    }

    pub async fn guest_wish(&self, event: &str, what: &str, body: &Value) -> Result<Value> {
        self.with(Method::POST, &format!("/events/{event}/guest-page/{what}"), body).await
    }
}

/// Somebody who has scanned the poster.
#[derive(Clone, Debug)]
pub struct Guest {
    http: Client,
    base: String,
    key: [u8; 32],
    cookie: Option<String>,
    /// Secret of the private link, once they are a guest.
    pub secret: Option<String>,
}

impl Guest {
    /// Somebody with this link.
    ///
    /// # Errors
    /// When the link is not one.
    pub fn with(link: &str) -> Result<Self> {
        let (base, fragment) = link.split_once('#').context("the link has no key")?;
        // Behind it there may be an invite for members, which a guest's page leaves alone.
        let key = fragment.split('~').next().unwrap_or_default();
        let key = decode(key).context("the key is not base64")?;
        let key = key.try_into().map_err(|_| anyhow::anyhow!("the key has not 32 bytes"))?;
        Ok(Self { http: Client::new(), base: base.to_owned(), key, cookie: None, secret: None })
    }

    /// The same with a client that has no cookie.
    #[must_use]
    pub fn without_cookie(&self) -> Self {
        Self { cookie: None, ..self.clone() }
    }

    /// The address of the page, without the key.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.base
    }

    /// After a restart of the daemon the page may be at another port.
    pub fn moves_to(&mut self, link: &str) {
        self.base = link.split('#').next().unwrap_or_default().to_owned();
    }

    /// A request, with the cookie.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}/api/{path}", self.base));
        match &self.cookie {
            Some(cookie) => request.header(COOKIE, cookie),
            None => request,
        }
    }

    /// What the page would make of these bytes.
    #[must_use]
    pub fn sealed(&self, purpose: &str, plain: &[u8]) -> Vec<u8> {
        let mut body = plain.to_vec();
        // The test's own randomness: which nonce it is does not matter as long as it is not used twice.
        let nonce: [u8; 24] =
            blake3::hash(&[purpose.as_bytes(), plain].concat()).as_bytes()[..24].try_into().unwrap_or([0; 24]);
        let aad = format!("inframe guest 1 {purpose}");
        let tag = aead::seal_extended(&self.key, &nonce, aad.as_bytes(), &mut body).unwrap_or_default();
        [&nonce[..], &body, &tag].concat()
    }

    async fn post(&self, path: &str, purpose: &str, body: &Value) -> Result<Response> {
        let sealed = self.sealed(purpose, body.to_string().as_bytes());
        Ok(self.request(Method::POST, path).body(sealed).send().await?)
    }

    /// Gives a name and becomes a guest.
    ///
    /// # Errors
    /// When that is refused.
    pub async fn joins(&mut self, name: &str) -> Result<()> {
        let answer = good(self.post("guest", "guest", &json!({ "name": name })).await?).await?;
        self.keep_cookie(&answer)?;
        let view: Value = answer.json().await?;
        self.secret = view["secret"].as_str().map(str::to_owned);
        Ok(())
    }

    /// Comes back by a private link.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn comes_back(&mut self, secret: &str) -> Result<StatusCode> {
        let answer = self.post("return", "return", &json!({ "secret": secret })).await?;
        let status = answer.status();
        if status.is_success() {
            self.keep_cookie(&answer)?;
        }
        Ok(status)
    }

    fn keep_cookie(&mut self, answer: &Response) -> Result<()> {
        let Some(cookie) = answer.headers().get(SET_COOKIE) else { return Ok(()) };
        let cookie = cookie.to_str()?;
        let strict = cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict") && cookie.contains("Path=/g/");
        ensure!(strict, "a weak cookie: {cookie}");
        self.cookie = cookie.split(';').next().map(str::to_owned);
        Ok(())
    }

    /// What the page shows.
    ///
    /// # Errors
    /// When that is refused.
    pub async fn visit(&self) -> Result<Value> {
        Ok(good(self.request(Method::GET, "visit").send().await?).await?.json().await?)
    }

    /// Begins an upload, or goes on with it; gives its id and the numbers of the pieces that are there.
    ///
    /// # Errors
    /// When that is refused.
    pub async fn begins(&self, name: &str, size: usize) -> Result<(String, Vec<u64>)> {
        let answer = good(self.post("uploads", "upload", &json!({ "name": name, "size": size })).await?).await?;
        let view: Value = answer.json().await?;
        let have = view["have"].as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
        Ok((view["id"].as_str().context("no id")?.to_owned(), have))
    }

    /// A piece of a file as it is sent.
    #[must_use]
    pub fn piece(&self, id: &str, index: usize, bytes: &[u8]) -> Vec<u8> {
        let start = (index * PIECE_BYTES).min(bytes.len());
        let plain = &bytes[start..(start + PIECE_BYTES).min(bytes.len())];
        self.sealed(&format!("piece {id} {index} {}", bytes.len()), plain)
    }

    /// Sends a sealed piece.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn gives(&self, id: &str, index: usize, sealed: Vec<u8>) -> Result<StatusCode> {
        Ok(self.request(Method::PUT, &format!("uploads/{id}?piece={index}")).body(sealed).send().await?.status())
    }

    /// Says that an upload is complete.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn completes(&self, id: &str) -> Result<StatusCode> {
        Ok(self.request(Method::POST, &format!("uploads/{id}/done")).send().await?.status())
    }

    /// Adds a whole file.
    ///
    /// # Errors
    /// When that is refused.
    pub async fn adds(&self, name: &str, bytes: &[u8]) -> Result<String> {
        let (id, _) = self.begins(name, bytes.len()).await?;
        for index in 0..bytes.len().div_ceil(PIECE_BYTES) {
            let status = self.gives(&id, index, self.piece(&id, index, bytes)).await?;
            ensure!(status.is_success(), "piece {index}: {status}");
        }
        let status = self.completes(&id).await?;
        ensure!(status.is_success(), "not taken: {status}");
        Ok(id)
    }

    /// State of an upload, as the guest sees it.
    ///
    /// # Errors
    /// When that is refused, or there is no such upload.
    pub async fn upload(&self, id: &str) -> Result<Value> {
        let visit = self.visit().await?;
        let all = visit["guest"]["uploads"].as_array().context("no uploads")?;
        all.iter().find(|one| one["id"] == id).cloned().context("no such upload")
    }

    /// Takes a selfie after consent.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn takes_selfie(&self, bytes: &[u8]) -> Result<StatusCode> {
        let visit = self.visit().await?;
        let consent = visit["consent"]["hash"].as_str().context("no consent text")?.to_owned();
        let sealed = self.sealed("selfie", bytes);
        Ok(self.request(Method::PUT, &format!("selfie?consent={consent}")).body(sealed).send().await?.status())
    }

    /// Photos and videos in which they were found.
    ///
    /// # Errors
    /// When that is refused.
    pub async fn found(&self) -> Result<Value> {
        Ok(good(self.request(Method::GET, "found").send().await?).await?.json().await?)
    }

    /// A photo, if they may see it.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn photo(&self, id: &str, shape: &str) -> Result<(StatusCode, Vec<u8>)> {
        let answer = self.request(Method::GET, &format!("photos/{id}/{shape}")).send().await?;
        Ok((answer.status(), answer.bytes().await?.to_vec()))
    }

    /// A video, to be played or saved, if they may have it.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn video(&self, id: &str, to_save: bool) -> Result<(StatusCode, Vec<u8>)> {
        let answer = self.request(Method::GET, &format!("photos/{id}/video?save={to_save}")).send().await?;
        Ok((answer.status(), answer.bytes().await?.to_vec()))
    }

    /// Asks for a photo or a video to be removed.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn asks_removal(&self, id: &str, reason: &str) -> Result<StatusCode> {
        Ok(self.post(&format!("photos/{id}/removal"), "removal", &json!({ "reason": reason })).await?.status())
    }
}

async fn good(answer: Response) -> Result<Response> {
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let text = answer.text().await.unwrap_or_default();
    anyhow::bail!("refused with {status}: {text}")
}

/// URL-safe base64 without padding.
fn decode(text: &str) -> Option<Vec<u8>> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (mut out, mut bits, mut held) = (Vec::new(), 0u32, 0);
    for letter in text.bytes() {
        let value = LETTERS.iter().position(|known| *known == letter)?;
        bits = (bits << 6) | u32::try_from(value).ok()?;
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push(u8::try_from((bits >> held) & 0xff).ok()?);
        }
    }
    Some(out)
}
