//! Certificates for what is reached over the network by HTTPS: the node's own, which it makes itself, or its owner's, from files.
//!
//! | file | job |
//! |---|---|
//! | `parsed` | what a certificate says of itself, and whether it is good |
//! | `own` | the node's own certificate: made once, made anew when its time or the addresses ask for it |
//! | `files` | the owner's certificate and key |
//!
//! What is absent on purpose: no call to anybody who hands out certificates (D6), no certificate that is put into a store of the system, and nothing that
//! checks the certificates of others.

mod files;
mod own;
mod parsed;

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use thiserror::Error;

pub use parsed::Parsed;

use self::files::Files;
use self::own::Own;
use crate::clock::now_ms;
use crate::data_dir::DataDir;

/// Why a certificate cannot be used.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file system error.
    #[error("cannot {action} {}: check that the file exists and that this user may {action} it", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// No certificate in the file.
    #[error("{} holds no certificate in PEM form, which begins with -----BEGIN CERTIFICATE-----", .0.display())]
    NoCertificate(PathBuf),
    /// No key in the file.
    #[error("{} holds no private key in PEM form that can be used; one with a passphrase has to be decrypted first", .0.display())]
    NoKey(PathBuf),
    /// They do not belong together.
    #[error("the key in {} does not belong to the certificate in {}: name the two files that were made together", key.display(), certificate.display())]
    Mismatch {
        /// The certificate.
        certificate: PathBuf,
        /// The key.
        key: PathBuf,
    },
    /// Its time is over.
    #[error("the certificate in {} has ended: renew it, or start without --tls-cert", .0.display())]
    Expired(PathBuf),
    /// Its time has not begun.
    #[error("the certificate in {} is not good yet: check the clock of this device", .0.display())]
    NotYet(PathBuf),
    /// It names no host.
    #[error("the certificate in {} has no DNS name that a link could begin with: guests can be served by HTTPS only under such a name", .0.display())]
    NoName(PathBuf),
    /// The certificate of the node's own cannot be made.
    #[error("this node cannot make a certificate for itself: {0}")]
    Make(String),
}

/// The names under which this device is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Of the host, such as `nas` and `nas.local`, the one to call it by first.
    pub hosts: Vec<String>,
    /// Addresses, the likeliest first.
    pub addresses: Vec<IpAddr>,
}

/// What there is to show of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Whether it is the node's own, which no browser knows.
    pub own: bool,
    /// What it says of itself.
    pub parsed: Parsed,
    /// Why what is in its place now cannot be used, while what was there before still is.
    pub problem: Option<String>,
}

/// A certificate in use; cheap to clone. What is served with it takes each change at once.
#[derive(Clone)]
pub struct Tls(Arc<Inner>);

struct Inner {
    source: Source,
    current: RwLock<Current>,
    /// One look at the files at a time.
    looking: Mutex<()>,
    server: Arc<ServerConfig>,
}

enum Source {
    Own(Box<Own>),
    Files(Files),
}

struct Current {
    loaded: Loaded,
    problem: Option<String>,
}

/// A certificate with its key, ready to be used.
struct Loaded {
    certified: Arc<CertifiedKey>,
    parsed: Parsed,
}

impl Tls {
    /// The node's own certificate for these names, kept in `dir`; made where there is none. Blocking.
    ///
    /// # Errors
    /// When it cannot be made or kept.
    pub fn own(dir: &DataDir, names: &Names) -> Result<Self, TlsError> {
        let own = Own::of(dir);
        let loaded = own.load(names, now_ms())?;
        Self::with(Source::Own(Box::new(own)), loaded)
    }

    /// The owner's certificate in two PEM files, of which the first may hold the rest of the chain as well. Blocking.
    ///
    /// # Errors
    /// When they cannot be read, do not belong together, or their time is over.
    pub fn of_owner(certificate: PathBuf, key: PathBuf) -> Result<Self, TlsError> {
        let files = Files::new(certificate, key);
        let loaded = files.load(now_ms())?;
        Self::with(Source::Files(files), loaded)
    }

    fn with(source: Source, loaded: Loaded) -> Result<Self, TlsError> {
        let current = Arc::new(Resolver::default());
        let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| TlsError::Make(error.to_string()))?;
        let mut server = builder.with_no_client_auth().with_cert_resolver(current.clone());
        server.alpn_protocols = vec![b"http/1.1".to_vec()];
        let inner = Inner {
            source,
            current: RwLock::new(Current { loaded, problem: None }),
            looking: Mutex::default(),
            server: Arc::new(server),
        };
        let tls = Self(Arc::new(inner));
        current.follow(&tls);
        Ok(tls)
    }

    /// How connections are served with it.
    #[must_use]
    pub fn server(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0.server)
    }

    /// What there is to show of it.
    #[must_use]
    pub fn shown(&self) -> Shown {
        let current = self.0.current.read().unwrap_or_else(PoisonError::into_inner);
        Shown {
            own: matches!(self.0.source, Source::Own(_)),
            parsed: current.loaded.parsed.clone(),
            problem: current.problem.clone(),
        }
    }

    /// Refuses a certificate that names no host: no link could lead to it.
    ///
    /// # Errors
    /// [`TlsError::NoName`].
    pub fn with_a_host(self) -> Result<Self, TlsError> {
        match (&self.0.source, self.shown().parsed.host()) {
            (Source::Files(files), None) => Err(TlsError::NoName(files.certificate().to_owned())),
            _ => Ok(self),
        }
    }

    /// Looks whether the files have changed, or the node's own certificate has to be made anew for these names, and takes what is new. What cannot be used
    /// is said, and what was there before goes on. Blocking.
    pub fn refresh(&self, names: &Names) {
        let _turn = self.0.looking.lock().unwrap_or_else(PoisonError::into_inner);
        let found = match &self.0.source {
            Source::Own(own) => own.reload(names, &self.shown().parsed, now_ms()),
            Source::Files(files) => files.reload(now_ms()),
        };
        let Some(found) = found else { return };
        let mut current = self.0.current.write().unwrap_or_else(PoisonError::into_inner);
        match found {
            Ok(loaded) => {
                if loaded.parsed.fingerprint != current.loaded.parsed.fingerprint {
                    tracing::info!(fingerprint = %loaded.parsed.fingerprint, "another certificate is in use");
                }
                *current = Current { loaded, problem: None };
            }
            Err(error) => {
                let problem = error.to_string();
                if current.problem.as_ref() != Some(&problem) {
                    tracing::warn!("the certificate from before stays in use: {problem}");
                }
                current.problem = Some(problem);
            }
        }
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tls").field(&self.shown().parsed.fingerprint).finish()
    }
}

/// Hands each connection the certificate of now.
#[derive(Default)]
struct Resolver(Mutex<std::sync::Weak<Inner>>);

impl Resolver {
    fn follow(&self, tls: &Tls) {
        // Weak: the configuration is a part of what it would hold.
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(&tls.0);
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner).upgrade()?;
        let current = inner.current.read().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(&current.loaded.certified))
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolver(..)")
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Puts a chain and its key together. `None` where the key cannot be used, `Some(Err)` where they do not belong together.
fn certified(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Option<Result<Arc<CertifiedKey>, ()>> {
    match CertifiedKey::from_der(chain, key, &provider()) {
        Ok(certified) => Some(Ok(Arc::new(certified))),
        Err(rustls::Error::InconsistentKeys(_)) => Some(Err(())),
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests;
