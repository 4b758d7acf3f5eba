//! The answer to those who do not encrypt where that is asked for: the same address with `https`, or one sentence.

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::limits::PLAIN_HEAD_BYTES;
use crate::tls::Tls;

/// Where they are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Elsewhere {
    /// To the name and the port that they have called.
    SameName,
    /// To the name that the certificate is for, at this port.
    NameOfCertificate(u16),
}

const REFUSAL: &str = "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 61\r\nconnection: close\r\n\r\n\
                       This address is encrypted: write https:// at its beginning.\r\n";

/// Reads what they ask for, answers, and hangs up. What they have sent in the clear is not looked at beyond its address.
pub(super) async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, elsewhere: &Elsewhere, tls: &Tls) {
    let (mut head, mut piece) = (Vec::new(), [0; 1024]);
    while head.len() < PLAIN_HEAD_BYTES && !head.windows(4).any(|part| part == b"\r\n\r\n") {
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => break,
            Ok(read) => head.extend_from_slice(piece.get(..read).unwrap_or_default()),
        }
    }
    let text = String::from_utf8_lossy(&head);
    let name = match elsewhere {
        Elsewhere::SameName => None,
        Elsewhere::NameOfCertificate(port) => tls.shown().parsed.host().map(|host| authority(host, *port)),
    };
    let answer = match redirect(&text, name.as_deref()) {
        Some(to) => format!(
            "HTTP/1.1 307 Temporary Redirect\r\nlocation: {to}\r\ncache-control: no-store\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        ),
        None => REFUSAL.to_owned(),
    };
    // Whoever does not take it has gone.
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}

/// A name with its port, as it stands in an address that begins with `https`.
pub(super) fn authority(host: &str, port: u16) -> String {
    if port == 443 { host.to_owned() } else { format!("{host}:{port}") }
}

/// The address of a page that is asked for, encrypted, under `name` or else the name that was called. Only for what is read: a form that was sent in the clear
/// shall fail, so that somebody notices.
fn redirect(head: &str, name: Option<&str>) -> Option<String> {
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, path, version) = (first.next()?, first.next()?, first.next()?);
    let is_path = path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic());
    if !matches!(method, "GET" | "HEAD") || !version.starts_with("HTTP/1.") || !is_path {
        return None;
    }
    let mut hosts = lines.filter_map(|line| line.split_once(':')).filter(|(key, _)| key.eq_ignore_ascii_case("host"));
    let (Some((_, called)), None) = (hosts.next(), hosts.next()) else { return None };
    let called = called.trim();
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'[' | b']');
    if called.is_empty() || !called.bytes().all(is_name) {
        return None;
    }
    Some(format!("https://{}{path}", name.unwrap_or(called)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_found_again_under_https_and_nothing_else_is() {
        let get = "GET /g/ab?x=1 HTTP/1.1\r\nhost: 192.168.1.20:7411\r\nAccept: */*\r\n\r\n";
        assert_eq!(redirect(get, None).as_deref(), Some("https://192.168.1.20:7411/g/ab?x=1"));
        assert_eq!(redirect(get, Some("photos.test:7411")).as_deref(), Some("https://photos.test:7411/g/ab?x=1"));
        for bad in [
            "",
            "GET / HTTP/1.1",
            "GET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: \r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: evil.test/@a\r\n\r\n",
            "GET http://evil.test/ HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /a\u{1}b HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\n\r\n",
            "SSH-2.0-OpenSSH\r\n",
        ] {
            assert_eq!(redirect(bad, None), None, "{bad:?}");
        }
    }

    #[test]
    fn the_refusal_says_how_long_it_is() {
        let (head, body) = REFUSAL.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{}", body.len());
        assert_eq!(authority("photos.test", 443), "photos.test");
        assert_eq!(authority("photos.test", 7411), "photos.test:7411");
    }
}
