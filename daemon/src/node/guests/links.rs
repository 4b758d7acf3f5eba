//! Where guests reach the page, and the Wi-Fi network on the poster.

use std::net::{IpAddr, SocketAddr};

use inframe_protocol::invite::web::WEB_SEPARATOR;

use super::super::Answer;
use super::super::events::invalid;
use super::super::invites::printed_qr_svg;
use crate::doctor::interfaces::{all, reachable};
use crate::guest::{Listening, StoredPage, StoredWifi, limits};
use crate::settings::clean_name;
use crate::views::{GuestLinkView, GuestWifiBody, GuestWifiView};

/// Links in one answer.
const MOST_LINKS: usize = 6;

/// Links to a page by every address, the likeliest first; with an invite for members behind the guests' own part, if there is one.
pub(super) fn links(listening: &Listening, page: &StoredPage, members: Option<&str>) -> Answer<Vec<GuestLinkView>> {
    let Some(at) = listening.at else { return Ok(Vec::new()) };
    let scheme = if listening.host.is_some() { "https" } else { "http" };
    let authorities = match &listening.host {
        Some(host) if at.port() == 443 => vec![host.clone()],
        Some(host) => vec![format!("{host}:{}", at.port())],
        None => addresses(at).into_iter().map(|ip| SocketAddr::new(ip, at.port()).to_string()).collect(),
    };
    let token = data_encoding::HEXLOWER.encode(&page.token);
    let key = data_encoding::BASE64URL_NOPAD.encode(&page.key.0);
    let members = members.map(|part| format!("{WEB_SEPARATOR}{part}")).unwrap_or_default();
    let link = |address: String| {
        let link = format!("{scheme}://{address}/g/{token}#{key}{members}");
        Ok(GuestLinkView { qr_svg: printed_qr_svg(&link)?, address, link })
    };
    authorities.into_iter().take(MOST_LINKS).map(link).collect()
}

fn addresses(at: SocketAddr) -> Vec<IpAddr> {
    if at.ip().is_unspecified() { reachable(&all().unwrap_or_default()) } else { vec![at.ip()] }
}

/// The network that the host typed; none for an empty name.
pub(super) fn wifi_of(body: &GuestWifiBody) -> Answer<Option<StoredWifi>> {
    let name = clean_name(&body.name, limits::WIFI_NAME_BYTES, limits::WIFI_NAME_BYTES);
    if body.name.trim().is_empty() {
        return Ok(None);
    }
    if name != body.name.trim() {
        return Err(invalid("bad-wifi-name", "the name of a Wi-Fi network has at most 32 bytes"));
    }
    let password = body.password.clone();
    if password.len() > limits::WIFI_PASSWORD_BYTES || password.chars().any(char::is_control) {
        return Err(invalid("bad-wifi-password", "the password of a Wi-Fi network has at most 63 letters"));
    }
    if (1..8).contains(&password.len()) {
        return Err(invalid(
            "bad-wifi-password",
            "the password of a Wi-Fi network has at least 8 letters; leave it empty for an open one",
        ));
    }
    Ok(Some(StoredWifi { name, password }))
}

/// It with its QR code.
pub(super) fn wifi_view(wifi: &StoredWifi) -> Answer<GuestWifiView> {
    Ok(GuestWifiView {
        name: wifi.name.clone(),
        password: wifi.password.clone(),
        qr_svg: printed_qr_svg(&wifi_text(wifi))?,
    })
}

/// The form that the cameras of phones know, with what has a meaning in it set off by a backslash.
fn wifi_text(wifi: &StoredWifi) -> String {
    let escaped = |text: &str| {
        let mut out = String::new();
        for letter in text.chars() {
            if matches!(letter, '\\' | ';' | ',' | ':' | '"') {
                out.push('\\');
            }
            out.push(letter);
        }
        out
    };
    match wifi.password.as_str() {
        "" => format!("WIFI:T:nopass;S:{};;", escaped(&wifi.name)),
        password => format!("WIFI:T:WPA;S:{};P:{};;", escaped(&wifi.name), escaped(password)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_written_as_cameras_read_it() {
        let of = |name: &str, password: &str| {
            wifi_of(&GuestWifiBody { name: name.into(), password: password.into(), keep: false })
        };
        assert_eq!(
            wifi_text(&of("Barn; \"upper\"", "a:b,c;d\\e").unwrap().unwrap()),
            r#"WIFI:T:WPA;S:Barn\; \"upper\";P:a\:b\,c\;d\\e;;"#
        );
        assert_eq!(wifi_text(&of(" Open ", "").unwrap().unwrap()), "WIFI:T:nopass;S:Open;;");
        assert!(of("", "whatever").unwrap().is_none());
        for (name, password) in [(&*"x".repeat(33), "longenough"), ("Barn", "short"), ("Barn", &*"x".repeat(64))] {
            assert!(of(name, password).is_err(), "{name} {password}");
        }
    }
}
