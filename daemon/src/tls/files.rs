//! The owner's certificate and key, as files that another program may renew at any time.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use super::{Loaded, Parsed, TlsError, certified};
use crate::limits::MAX_PEM_BYTES;
use crate::vault::durable;

/// Two files, and how they were when they were read last.
pub(super) struct Files {
    certificate: PathBuf,
    key: PathBuf,
    read: Mutex<Option<Look>>,
}

/// What a change of a file shows in.
type Look = [Option<(SystemTime, u64)>; 2];

impl Files {
    pub(super) fn new(certificate: PathBuf, key: PathBuf) -> Self {
        Self { certificate, key, read: Mutex::default() }
    }

    pub(super) fn certificate(&self) -> &Path {
        &self.certificate
    }

    /// Reads both.
    pub(super) fn load(&self, now: u64) -> Result<Loaded, TlsError> {
        let look = self.look();
        let loaded = load(&self.certificate, &self.key, now)?;
        *self.read.lock().unwrap_or_else(PoisonError::into_inner) = Some(look);
        Ok(loaded)
    }

    /// Reads both if they look otherwise than at the last good time. While they are being exchanged they may not belong together for a moment, so what is
    /// wrong is looked at again the next time.
    pub(super) fn reload(&self, now: u64) -> Option<Result<Loaded, TlsError>> {
        let same = *self.read.lock().unwrap_or_else(PoisonError::into_inner) == Some(self.look());
        (!same).then(|| self.load(now))
    }

    fn look(&self) -> Look {
        [&self.certificate, &self.key].map(|path| {
            let found = fs::metadata(path).ok()?;
            Some((found.modified().ok()?, found.len()))
        })
    }
}

/// A certificate and its key from two PEM files.
pub(super) fn load(certificate: &Path, key: &Path, now: u64) -> Result<Loaded, TlsError> {
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&read(certificate)?)
        .collect::<Result<_, _>>()
        .map_err(|_| TlsError::NoCertificate(certificate.to_owned()))?;
    let parsed = chain.first().and_then(|first| Parsed::read(first));
    let parsed = parsed.ok_or_else(|| TlsError::NoCertificate(certificate.to_owned()))?;
    let no_key = || TlsError::NoKey(key.to_owned());
    let private = PrivateKeyDer::from_pem_slice(&read(key)?).map_err(|_| no_key())?;
    let mismatch = |()| TlsError::Mismatch { certificate: certificate.to_owned(), key: key.to_owned() };
    let certified = certified(chain, private).ok_or_else(no_key)?.map_err(mismatch)?;
    if parsed.until <= now {
        return Err(TlsError::Expired(certificate.to_owned()));
    }
    if parsed.from > now {
        return Err(TlsError::NotYet(certificate.to_owned()));
    }
    Ok(Loaded { certified, parsed })
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, TlsError> {
    let failed = |source| TlsError::Io { action: "read", path: path.to_owned(), source };
    match durable::read_at_most(path, MAX_PEM_BYTES).map_err(failed)? {
        Some(bytes) => Ok(Zeroizing::new(bytes)),
        None => Err(failed(std::io::ErrorKind::NotFound.into())),
    }
}
