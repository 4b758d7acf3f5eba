//! Certificates as they are made, read, exchanged and renewed.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair, date_time_ymd};

use super::own::Own;
use super::parsed::DAY_MS;
use super::*;
use crate::limits::{CERTIFICATE_ENDS_SOON_DAYS, OWN_CERTIFICATE_DAYS};

/// In 2026.
const NOW: u64 = 1_790_000_000_000;

fn names(hosts: &[&str], addresses: &[&str]) -> Names {
    Names {
        hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
        addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
    }
}

fn place() -> (tempfile::TempDir, DataDir) {
    let folder = tempfile::tempdir().unwrap();
    let dir = DataDir::open(folder.path().join("data")).unwrap();
    (folder, dir)
}

/// A certificate for a name, good for the days from one to the other counted from 1970, and its key, as PEM.
fn made(host: &str, from: u64, until: u64) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let mut parameters = CertificateParams::new(vec![host.to_owned()]).unwrap();
    parameters.not_before = date_time_ymd(1970, 1, 1) + Duration::from_secs(from * 86_400);
    parameters.not_after = date_time_ymd(1970, 1, 1) + Duration::from_secs(until * 86_400);
    (parameters.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

fn write(folder: &Path, certificate: &str, key: &str) -> (PathBuf, PathBuf) {
    let paths = (folder.join("cert.pem"), folder.join("key.pem"));
    fs::write(&paths.0, certificate).unwrap();
    fs::write(&paths.1, key).unwrap();
    paths
}

#[test]
fn the_nodes_own_certificate_is_kept_and_names_the_device() {
    let (_folder, dir) = place();
    let wanted = names(&["nas", "nas.local"], &["192.168.1.20", "fd00::2"]);
    let own = Own::of(&dir);
    let first = own.load(&wanted, NOW).unwrap().parsed;
    assert_eq!(first.hosts, ["nas", "nas.local"]);
    assert_eq!(first.addresses, wanted.addresses);
    assert_eq!((first.until - first.from) / DAY_MS, OWN_CERTIFICATE_DAYS);
    assert_eq!(first.fingerprint.len(), 32 * 3 - 1);
    assert_eq!(own.load(&wanted, NOW + DAY_MS).unwrap().parsed, first, "a restart changes nothing");
    for (path, mode) in [(&dir.lan, 0o700), (&dir.lan_key, 0o600), (&dir.lan_certificate, 0o600)] {
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, mode, "{}", path.display());
    }
}

#[test]
fn a_new_address_and_a_near_end_make_a_new_certificate_of_the_same_key() {
    let (_folder, dir) = place();
    let own = Own::of(&dir);
    let (home, away) = (names(&["nas"], &["192.168.1.20"]), names(&["nas"], &["10.0.0.7"]));
    let first = own.load(&home, NOW).unwrap().parsed;
    let key = fs::read(&dir.lan_key).unwrap();
    assert!(own.reload(&home, &first, NOW).is_none());
    let second = own.reload(&away, &first, NOW).unwrap().unwrap().parsed;
    assert_ne!(second.fingerprint, first.fingerprint);
    assert!(own.reload(&home, &second, NOW).is_none(), "back at home it is still good");
    let late = second.until - CERTIFICATE_ENDS_SOON_DAYS * DAY_MS + 1;
    let third = own.reload(&away, &second, late).unwrap().unwrap().parsed;
    assert!(third.until > second.until);
    assert_eq!(fs::read(&dir.lan_key).unwrap(), key);
    fs::remove_dir_all(&dir.lan).unwrap();
    let fourth = own.reload(&away, &third, late).unwrap().unwrap().parsed;
    assert_ne!(fourth.fingerprint, third.fingerprint);
    assert_ne!(fs::read(&dir.lan_key).unwrap(), key, "what was erased is not made again");
}

#[test]
fn what_is_wrong_with_the_files_of_the_owner_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let today = crate::clock::now_ms() / DAY_MS;
    let (good, good_key) = made("photos.test", today - 1, today + 90);
    let (_, other_key) = made("photos.test", today - 1, today + 90);
    let refused = |certificate: &str, key: &str| {
        let (certificate, key) = write(folder.path(), certificate, key);
        Tls::of_owner(certificate, key).unwrap_err()
    };
    assert!(matches!(refused("nothing", &good_key), TlsError::NoCertificate(_)));
    assert!(matches!(refused(&good, "nothing"), TlsError::NoKey(_)));
    assert!(matches!(refused(&good, &good), TlsError::NoKey(_)));
    assert!(matches!(refused(&good, &other_key), TlsError::Mismatch { .. }));
    let (ended, ended_key) = made("photos.test", today - 90, today - 1);
    assert!(matches!(refused(&ended, &ended_key), TlsError::Expired(_)));
    let (coming, coming_key) = made("photos.test", today + 2, today + 90);
    assert!(matches!(refused(&coming, &coming_key), TlsError::NotYet(_)));
    let missing = Tls::of_owner(folder.path().join("gone.pem"), folder.path().join("key.pem")).unwrap_err();
    assert!(missing.to_string().contains("gone.pem"), "{missing}");
}

#[test]
fn a_renewed_certificate_is_taken_and_a_broken_one_leaves_the_old_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let today = crate::clock::now_ms() / DAY_MS;
    let (first, first_key) = made("photos.test", today - 1, today + 90);
    let (certificate, key) = write(folder.path(), &first, &first_key);
    let tls = Tls::of_owner(certificate, key).unwrap();
    let before = tls.shown();
    assert_eq!((before.own, before.parsed.host()), (false, Some("photos.test")));
    tls.refresh(&Names::default());
    assert_eq!(tls.shown(), before);

    let (second, second_key) = made("renewed.test", today - 1, today + 365);
    write(folder.path(), &second, &first_key);
    tls.refresh(&Names::default());
    let broken = tls.shown();
    assert_eq!(broken.parsed, before.parsed, "half of an exchange is not taken");
    assert!(broken.problem.unwrap().contains("does not belong"));
    write(folder.path(), &second, &second_key);
    tls.refresh(&Names::default());
    let renewed = tls.shown();
    assert_eq!((renewed.parsed.host(), renewed.problem), (Some("renewed.test"), None));
}

#[test]
fn links_begin_with_a_name_that_is_one() {
    let today = crate::clock::now_ms() / DAY_MS;
    let folder = tempfile::tempdir().unwrap();
    let of = |host: &str| {
        let (certificate, key) = made(host, today - 1, today + 90);
        let (certificate, key) = write(folder.path(), &certificate, &key);
        Tls::of_owner(certificate, key).unwrap().with_a_host()
    };
    assert!(matches!(of("*.photos.test"), Err(TlsError::NoName(_))));
    assert!(matches!(of("192.168.1.20"), Err(TlsError::NoName(_))));
    assert_eq!(of("photos.test").unwrap().shown().parsed.host(), Some("photos.test"));
}

#[test]
fn debug_shows_no_key() {
    let (_folder, dir) = place();
    let tls = Tls::own(&dir, &names(&["nas"], &[])).unwrap();
    let shown = format!("{tls:?}");
    assert_eq!(shown, format!("Tls({:?})", tls.shown().parsed.fingerprint));
}
