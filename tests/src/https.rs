//! A browser of another device, as far as TLS and headers go: each header as the test wants it, the certificate looked at. And certificates for daemons.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use ring::digest::{SHA256, digest};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring::default_provider};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// An answer comes far sooner; a password takes as long as Argon2 does on a loaded machine.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);

/// A browser on one address.
#[derive(Clone)]
pub struct Https {
    at: SocketAddr,
    /// What it believes to be connected to, with the port.
    host: String,
    config: Arc<ClientConfig>,
    /// The session, once signed in.
    pub cookie: Option<String>,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Names in lowercase.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Answer {
    /// The first header of this name, or nothing.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// When it is none.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.body).with_context(|| format!("{}: no JSON: {}", self.status, self.body))
    }
}

impl Https {
    /// One that goes on whatever the certificate is, for an address such as `https://192.168.1.20:7414`.
    ///
    /// # Errors
    /// When the address is none with an IP address.
    pub fn on(address: &str) -> Result<Self> {
        let host = address.strip_prefix("https://").context("not https")?.trim_end_matches('/').to_owned();
        Ok(Self { at: host.parse()?, host, config: Arc::new(blind()?), cookie: None })
    }

    /// One that trusts this authority and nobody else, and knows the daemon by `name`.
    ///
    /// # Errors
    /// When the certificate cannot be used.
    pub fn trusting(authority: &Authority, at: SocketAddr, name: &str) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(authority.der.clone())?;
        let config = builder()?.with_root_certificates(roots).with_no_client_auth();
        Ok(Self { at, host: format!("{name}:{}", at.port()), config: Arc::new(config), cookie: None })
    }

    /// The address as it stands in the `Host` header.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// An encrypted connection.
    ///
    /// # Errors
    /// When it is refused, or the certificate is not trusted.
    pub async fn connect(&self) -> Result<TlsStream<TcpStream>> {
        let name = self.host.rsplit_once(':').map_or(self.host.as_str(), |(name, _)| name);
        let name = ServerName::try_from(name.trim_matches(['[', ']']).to_owned())?;
        let stream = TcpStream::connect(self.at).await?;
        Ok(TlsConnector::from(self.config.clone()).connect(name, stream).await?)
    }

    /// SHA-256 of the certificate, as the browser shows it.
    ///
    /// # Errors
    /// When there is no connection.
    pub async fn fingerprint(&self) -> Result<String> {
        let stream = self.connect().await?;
        let (_, session) = stream.get_ref();
        let certificate = session.peer_certificates().and_then(|all| all.first()).context("no certificate")?;
        let pairs: Vec<String> =
            digest(&SHA256, certificate).as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
        Ok(pairs.join(":"))
    }

    /// Asks with the headers of a page of this very dashboard, but for those in `headers`, which stand for the usual ones.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn ask(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
        headers: &[(&str, &str)],
    ) -> Result<Answer> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = self.request(method, path, &body, headers);
        let mut stream = self.connect().await?;
        tokio::time::timeout(ANSWER_LIMIT, exchange(&mut stream, request.as_bytes()))
            .await
            .context("no answer in time")?
    }

    /// As [`Https::ask`] with nothing unusual.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.ask("GET", path, None, &[]).await
    }

    /// The same without TLS.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn in_the_clear(&self, method: &str, path: &str) -> Result<Answer> {
        let mut stream = TcpStream::connect(self.at).await?;
        let request = self.request(method, path, "", &[]);
        tokio::time::timeout(ANSWER_LIMIT, exchange(&mut stream, request.as_bytes()))
            .await
            .context("no answer in time")?
    }

    /// Signs in and keeps the cookie; gives the answer. The body is that of a launch token or of a password.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn sign_in(&mut self, path: &str, body: &Value) -> Result<Answer> {
        let answer = self.ask("POST", path, Some(body), &[]).await?;
        if answer.status == 204 {
            let cookie = answer.header("set-cookie").split(';').next().unwrap_or_default();
            ensure!(!cookie.is_empty(), "no cookie: {answer:?}");
            self.cookie = Some(cookie.to_owned());
        }
        Ok(answer)
    }

    fn request(&self, method: &str, path: &str, body: &str, headers: &[(&str, &str)]) -> String {
        let origin = format!("https://{}", self.host);
        let length = body.len().to_string();
        let usual = [("host", self.host.as_str()), ("origin", &origin), ("sec-fetch-site", "same-origin")];
        let usual = usual.into_iter().filter(|(name, _)| headers.iter().all(|(other, _)| other != name));
        let mut all: Vec<(&str, &str)> = usual.chain(headers.iter().copied()).collect();
        all.extend(self.cookie.as_deref().map(|cookie| ("cookie", cookie)));
        if !body.is_empty() {
            all.extend([("content-type", "application/json"), ("content-length", &length)]);
        }
        let lines: String = all.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        format!("{method} {path} HTTP/1.1\r\n{lines}connection: close\r\n\r\n{body}")
    }
}

/// Sends a request, and reads the answer to its end. Bodies come whole here: with a length or until the connection ends.
async fn exchange<S>(stream: &mut S, request: &[u8]) -> Result<Answer>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    stream.write_all(request).await?;
    stream.flush().await?;
    let mut bytes = Vec::new();
    if let Err(error) = stream.read_to_end(&mut bytes).await
        && bytes.is_empty()
    {
        return Err(error.into());
    }
    let text = String::from_utf8_lossy(&bytes);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { bail!("no answer: {text:?}") };
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).context("no status")?.parse()?;
    let pair =
        |line: &str| line.split_once(':').map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()));
    Ok(Answer { status, headers: lines.filter_map(pair).collect(), body: body.to_owned() })
}

fn builder() -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>> {
    Ok(ClientConfig::builder_with_provider(Arc::new(default_provider())).with_safe_default_protocol_versions()?)
}

fn blind() -> Result<ClientConfig> {
    let verifier = Arc::new(Blind(default_provider()));
    Ok(builder()?.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

/// Takes every certificate, as an owner who has compared it.
#[derive(Debug)]
struct Blind(CryptoProvider);

impl ServerCertVerifier for Blind {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _others: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// An authority that vouches for names, as one does that phones know.
pub struct Authority {
    certificate: rcgen::Certificate,
    key: KeyPair,
    der: CertificateDer<'static>,
}

impl Authority {
    /// A new one.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn new() -> Result<Self> {
        let key = KeyPair::generate()?;
        let mut parameters = CertificateParams::new(Vec::<String>::new())?;
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = parameters.self_signed(&key)?;
        let der = certificate.der().clone();
        Ok(Self { certificate, key, der })
    }

    /// Writes a certificate for a name, and its key, into a folder; gives the paths of both.
    ///
    /// # Errors
    /// When they cannot be made or written.
    pub fn vouch_for(&self, name: &str, folder: &Path) -> Result<(PathBuf, PathBuf)> {
        let key = KeyPair::generate()?;
        let mut parameters = CertificateParams::new(vec![name.to_owned()])?;
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = parameters.signed_by(&key, &self.certificate, &self.key)?;
        let paths = (folder.join("certificate.pem"), folder.join("certificate-key.pem"));
        std::fs::write(&paths.0, certificate.pem())?;
        std::fs::write(&paths.1, key.serialize_pem())?;
        Ok(paths)
    }
}
