//! The node's own certificate. Its key is made once and stays; the certificate around it is made anew before its end, or when this device has got an address
//! that it does not name. No authority vouches for it: the owner compares its fingerprint.

use std::net::IpAddr;
use std::time::Duration;

use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, SanType, SerialNumber, date_time_ymd,
};
use zeroize::Zeroizing;

use super::parsed::{DAY_MS, is_host};
use super::{Loaded, Names, Parsed, TlsError, files};
use crate::data_dir::{DataDir, make_folder};
use crate::limits::{CERTIFICATE_ADDRESSES, MAX_PEM_BYTES, OWN_CERTIFICATE_DAYS};
use crate::vault::durable;

/// Clocks of devices in a house are minutes apart, and one that is set back must not make a fresh certificate one of tomorrow.
const BEFORE_MS: u64 = DAY_MS;

/// Where it is kept.
pub(super) struct Own {
    dir: DataDir,
}

impl Own {
    pub(super) fn of(dir: &DataDir) -> Self {
        Self { dir: dir.clone() }
    }

    /// The one that is there, if it is good for these names for some time; else a new one.
    pub(super) fn load(&self, names: &Names, now: u64) -> Result<Loaded, TlsError> {
        let known = match self.read(now) {
            Some(loaded) if is_good(&loaded.parsed, names, now) => return Ok(loaded),
            Some(loaded) => loaded.parsed.addresses,
            None => Vec::new(),
        };
        self.make(names, &known, now)?;
        files::load(&self.dir.lan_certificate, &self.dir.lan_key, now)
    }

    /// A new one if that is called for: by the names, by its end, or because it was erased with everything else.
    pub(super) fn reload(&self, names: &Names, now_used: &Parsed, now: u64) -> Option<Result<Loaded, TlsError>> {
        let there = self.dir.lan_certificate.exists() && self.dir.lan_key.exists();
        (!there || !is_good(now_used, names, now)).then(|| self.load(names, now))
    }

    fn read(&self, now: u64) -> Option<Loaded> {
        files::load(&self.dir.lan_certificate, &self.dir.lan_key, now).ok()
    }

    /// `known` are addresses that it named before: a device that comes and goes between two networks shall not need a new one each time.
    fn make(&self, names: &Names, known: &[IpAddr], now: u64) -> Result<(), TlsError> {
        let make = |error: rcgen::Error| TlsError::Make(error.to_string());
        let key = match self.key() {
            Some(key) => key,
            None => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(make)?,
        };
        let mut parameters =
            CertificateParams::new(names.hosts.iter().filter(|host| is_host(host)).cloned().collect::<Vec<_>>())
                .map_err(make)?;
        let mut addresses = names.addresses.clone();
        addresses.extend(known.iter().filter(|address| !names.addresses.contains(address)));
        addresses.truncate(CERTIFICATE_ADDRESSES);
        parameters.subject_alt_names.extend(addresses.into_iter().map(SanType::IpAddress));
        parameters.distinguished_name = DistinguishedName::new();
        let host = names.hosts.first().map_or("this device", String::as_str);
        parameters.distinguished_name.push(DnType::CommonName, format!("Inframe on {host}"));
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        // Browsers refuse for good two certificates of one name and one serial number.
        parameters.serial_number = Some(serial()?);
        let epoch = date_time_ymd(1970, 1, 1);
        parameters.not_before = epoch + Duration::from_millis(now.saturating_sub(BEFORE_MS));
        parameters.not_after = epoch + Duration::from_millis(now - now.min(BEFORE_MS) + OWN_CERTIFICATE_DAYS * DAY_MS);
        let certificate = parameters.self_signed(&key).map_err(make)?;
        let failed = |path: &std::path::Path| {
            let path = path.to_owned();
            move |source| TlsError::Io { action: "write", path, source }
        };
        make_folder(&self.dir.lan).map_err(failed(&self.dir.lan))?;
        let pem = Zeroizing::new(key.serialize_pem());
        durable::replace(&self.dir.lan_key, pem.as_bytes()).map_err(failed(&self.dir.lan_key))?;
        durable::replace(&self.dir.lan_certificate, certificate.pem().as_bytes())
            .map_err(failed(&self.dir.lan_certificate))
    }

    /// The key that is there. One that cannot be read is made anew: it opens nothing.
    fn key(&self) -> Option<KeyPair> {
        let bytes = Zeroizing::new(durable::read_at_most(&self.dir.lan_key, MAX_PEM_BYTES).ok()??);
        KeyPair::from_pem(std::str::from_utf8(&bytes).ok()?).ok()
    }
}

/// Whether it names all that it has to and does not end soon.
fn is_good(parsed: &Parsed, names: &Names, now: u64) -> bool {
    let mut addresses = names.addresses.iter().take(CERTIFICATE_ADDRESSES);
    let mut hosts = names.hosts.iter().filter(|host| is_host(host));
    !parsed.ends_soon(now)
        && parsed.from <= now
        && addresses.all(|address| parsed.addresses.contains(address))
        && hosts.all(|host| parsed.hosts.contains(&host.to_ascii_lowercase()))
}

fn serial() -> Result<SerialNumber, TlsError> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|error| TlsError::Make(error.to_string()))?;
    // Positive, and of full length.
    bytes[0] = bytes[0] & 0x7f | 0x40;
    Ok(SerialNumber::from_slice(&bytes))
}
