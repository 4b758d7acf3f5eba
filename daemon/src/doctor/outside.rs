//! How this node looks from outside: the router, and the relay that the owner named.
//!
//! Only a relay says where it sees this node, so without one nothing is known of the router: no service of anybody else is asked.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::ports::sockets;
use super::{Check, Topic, listed};
use crate::network::{Outside, RelayState, RelayTrouble};

/// A relay that takes longer to answer makes everything through it slow.
const SLOW: Duration = Duration::from_millis(500);
/// What others who know how to name a relay are told to do.
const NAME_ONE: &str = "To be reached from other networks, name a relay in the settings or with `inframe my-relay set`; on one local network none is \
                        needed.";

/// Judges the router between here and the internet.
///
/// `own` are the addresses of this device, `bound` where it listens.
#[must_use]
pub fn router(named: bool, outside: &Outside, own: &[IpAddr], bound: &[SocketAddr]) -> Check {
    let topic = Topic::Router;
    let mut seen = sockets(&outside.seen);
    if let Some(relay) = &outside.relay {
        // The newest word first.
        for newest in sockets(std::slice::from_ref(&relay.seen)) {
            seen.retain(|before| *before != newest);
            seen.insert(0, newest);
        }
    }
    let Some(first) = seen.first().copied() else {
        return match named {
            true => Check::not_checked(
                topic,
                "Your relay does not say where it sees this device.",
                "See the check of the relay: once that answers, this one can be made.",
            ),
            false => Check::not_checked(
                topic,
                "Nobody outside says where this device is seen: no relay is named.",
                "Name a relay, if this device shall be reached from other networks.",
            ),
        };
    };
    let ip = first.ip();
    if own.contains(&ip) {
        return if is_public(ip) {
            Check::good(topic, format!("No router changes addresses: the relay sees this device at its own, {first}."))
        } else {
            let found = format!(
                "The relay sees this device at its own address, {first}: it is in the same network, and says nothing of the internet."
            );
            Check::not_checked(
                topic,
                found,
                "Nothing, unless others are to reach this device from elsewhere: then name a relay on the internet.",
            )
        };
    }
    let ports: Vec<u16> = bound.iter().map(SocketAddr::port).collect();
    let kept = seen.iter().all(|address| ports.contains(&address.port()));
    let shown = listed(&seen.iter().map(SocketAddr::to_string).collect::<Vec<_>>());
    let twice = if is_public(ip) {
        ""
    } else {
        " That is no address of the internet: there is a second router behind the first."
    };
    if kept {
        let found = format!(
            "A router translates addresses (NAT) and keeps the port: this device is seen at {shown}.{twice} Direct connections are likely."
        );
        return Check::good(topic, found);
    }
    let found = format!(
        "A router translates addresses (NAT) and gives each connection a port of its own: this device is seen at {shown}.{twice} Direct connections \
         from the internet are unlikely; photos go through the relay."
    );
    let port = ports.first().copied().unwrap_or(7412);
    let advice =
        format!("It works as it is; for direct connections, have the router forward TCP port {port} to this device.");
    Check::warning(topic, found, advice)
}

/// Judges the relay. `address` is what the owner named.
#[must_use]
pub fn relay(address: Option<&str>, state: &RelayState, outside: &Outside) -> Check {
    let topic = Topic::Relay;
    let Some(address) = address else {
        return Check::not_checked(topic, "No relay is named.", NAME_ONE);
    };
    // The address alone; the id behind it says nothing to people.
    let at = sockets(&[address.to_owned()]).first().map_or_else(|| address.to_owned(), SocketAddr::to_string);
    match (state, &outside.relay) {
        (RelayState::Reserved, Some(answer)) if answer.admitted => {
            let round_trip = answer.round_trip;
            let found = format!(
                "The relay at {at} takes the token, holds a place for this node, and answers within {} ms.",
                round_trip.as_millis().max(1)
            );
            match round_trip > SLOW {
                false => Check::good(topic, found),
                true => Check::warning(
                    topic,
                    found,
                    "It is slow: take a relay that is nearer, or one that has less to carry.",
                ),
            }
        }
        (RelayState::Reserved, Some(_)) => trouble(&at, &RelayTrouble::Token),
        (RelayState::Reserved, None) => Check::warning(
            topic,
            format!("The relay at {at} holds a place for this node, but has not answered just now."),
            "Check again in a minute; if it stays so, restart the relay.",
        ),
        (RelayState::Failed(why), _) => trouble(&at, why),
        (RelayState::None | RelayState::Connecting, _) => Check::warning(
            topic,
            format!("The relay at {at} is still being reached."),
            "Check again in a minute; if it stays so, see whether the relay runs and its address is right.",
        ),
    }
}

fn trouble(at: &str, why: &RelayTrouble) -> Check {
    let advice = match why {
        RelayTrouble::Silent => {
            "See whether the relay runs and its port is open (TCP 7413, unless it was told another), and whether the address in the settings is the \
             one that it prints."
        }
        RelayTrouble::Lost => {
            "See whether the relay still runs, and whether this device is online; it is tried again by itself."
        }
        RelayTrouble::Token => {
            "Ask whoever runs the relay for the token, and set it in the settings or with `inframe my-relay set`."
        }
        RelayTrouble::NoPlace => "Ask whoever runs the relay whether it is full, or name another one.",
        RelayTrouble::Stranger(_) => {
            "Set the address that `inframe relay` prints, and run the same version here and there."
        }
    };
    Check::failed(Topic::Relay, format!("Others cannot reach this node through the relay at {at}: {why}."), advice)
}

/// Whether an address is one of the internet, and not of a home or of a provider's own network.
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [first, second, ..] = ip.octets();
            let shared = first == 100 && (64..128).contains(&second);
            !(ip.is_private() || ip.is_loopback() || ip.is_link_local() || shared)
        }
        IpAddr::V6(ip) => !(ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;
    use crate::network::RelayAnswer;

    fn answer(seen: &str, admitted: bool, ms: u64) -> Outside {
        let answer = RelayAnswer { seen: seen.into(), admitted, now_ms: 0, round_trip: Duration::from_millis(ms) };
        Outside { seen: vec![seen.into()], relay: Some(answer) }
    }

    #[test]
    fn the_router_is_known_by_where_the_relay_sees_this_device() {
        let bound = ["10.79.0.1:7412".parse().unwrap(), "127.0.0.1:7412".parse().unwrap()];
        let own: Vec<IpAddr> = vec!["10.79.0.1".parse().unwrap(), "198.51.100.4".parse().unwrap()];
        let two =
            Outside { seen: vec!["/ip4/203.0.113.10/tcp/7412".into(), "/ip4/203.0.113.10/tcp/9".into()], relay: None };
        for (named, outside, state, words) in [
            (false, Outside::default(), State::NotChecked, "no relay is named"),
            (true, Outside::default(), State::NotChecked, "does not say"),
            (
                true,
                answer("/ip4/203.0.113.10/tcp/7412", true, 3),
                State::Good,
                "keeps the port: this device is seen at 203.0.113.10:7412.",
            ),
            (true, answer("/ip4/203.0.113.10/tcp/51234", true, 3), State::Warning, "unlikely"),
            (true, two, State::Warning, "203.0.113.10:7412 and 203.0.113.10:9"),
            (true, answer("/ip4/100.70.1.2/tcp/7412", true, 3), State::Good, "second router"),
            (true, answer("/ip4/10.79.0.1/tcp/7412", true, 3), State::NotChecked, "same network"),
            (true, answer("/ip4/198.51.100.4/tcp/7412", true, 3), State::Good, "No router"),
        ] {
            let check = router(named, &outside, &own, &bound);
            assert_eq!(check.state, state, "{check:?}");
            assert!(check.found.contains(words), "{check:?}");
            assert_eq!(check.advice.is_none(), state == State::Good);
        }
    }

    #[test]
    fn each_trouble_with_a_relay_has_an_advice_of_its_own() {
        let id = libp2p::PeerId::random();
        let address = format!("/ip4/203.0.113.1/tcp/7413/p2p/{id}");
        let at = Some(address.as_str());
        let good = answer("/ip4/203.0.113.10/tcp/7412", true, 12);
        let check = relay(at, &RelayState::Reserved, &good);
        assert_eq!(check.state, State::Good);
        assert!(check.found.contains("203.0.113.1:7413") && check.found.contains("12 ms"), "{check:?}");
        assert!(!check.found.contains(&id.to_string()), "{check:?}");
        let slow = answer("/ip4/203.0.113.10/tcp/7412", true, 900);
        assert_eq!(relay(at, &RelayState::Reserved, &slow).state, State::Warning);
        assert_eq!(relay(None, &RelayState::None, &Outside::default()).state, State::NotChecked);
        assert_eq!(relay(at, &RelayState::Connecting, &Outside::default()).state, State::Warning);
        assert_eq!(relay(at, &RelayState::Reserved, &Outside::default()).state, State::Warning);
        // The token was changed while this node had a place.
        let refused = answer("/ip4/203.0.113.10/tcp/7412", false, 12);
        let refused = relay(at, &RelayState::Reserved, &refused);
        assert!(refused.state == State::Failed && refused.advice.unwrap().contains("token"));
        let troubles = [
            RelayTrouble::Silent,
            RelayTrouble::Lost,
            RelayTrouble::Token,
            RelayTrouble::NoPlace,
            RelayTrouble::Stranger("odd".into()),
        ];
        let mut advices: Vec<String> = Vec::new();
        for trouble in troubles {
            let check = relay(at, &RelayState::Failed(trouble), &Outside::default());
            assert_eq!(check.state, State::Failed);
            advices.extend(check.advice);
        }
        advices.sort();
        advices.dedup();
        assert_eq!(advices.len(), 5);
    }
}
