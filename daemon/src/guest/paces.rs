//! How fast addresses and guests may ask: a bucket for each that fills with time. Bounded, and a pure function of the time it is given.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Instant;

use super::limits::PACES;
use crate::library::GuestId;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ask {
    /// Anything at all, of one address. Behind some routers all guests have one.
    Anything,
    /// A page that is not there: whoever guesses addresses.
    Wrong,
    /// To become a guest.
    Join,
    /// To read or to change something, of one guest.
    Step,
    /// To give a piece of a file.
    Piece,
    /// To have a selfie looked at.
    Selfie,
    /// An archive.
    Archive,
    /// A part of a video, of one guest: browsers ask for many while somebody jumps in it.
    Video,
}

impl Ask {
    /// How many at once, and how many come back in a second.
    fn bucket(self) -> (f64, f64) {
        match self {
            Self::Anything => (600.0, 100.0),
            Self::Wrong => (20.0, 0.1),
            Self::Join => (60.0, 0.2),
            Self::Step => (120.0, 10.0),
            Self::Piece => (100.0, 60.0),
            Self::Selfie => (6.0, 1.0 / 60.0),
            Self::Archive => (4.0, 1.0 / 30.0),
            Self::Video => (120.0, 4.0),
        }
    }
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Asker {
    /// An address; of IPv6 the part that a network gives to one household.
    Address([u8; 8]),
    /// A guest.
    Guest(GuestId),
}

impl Asker {
    /// Whoever is at this address.
    #[must_use]
    pub fn at(address: IpAddr) -> Self {
        let mut part = [0; 8];
        match address.to_canonical() {
            IpAddr::V4(address) => {
                part.iter_mut().zip([0xff, 0xff, 0, 0]).for_each(|(to, from)| *to = from);
                part.iter_mut().skip(4).zip(address.octets()).for_each(|(to, from)| *to = from);
            }
            IpAddr::V6(address) => part.iter_mut().zip(address.octets()).for_each(|(to, from)| *to = from),
        }
        Self::Address(part)
    }
}

struct Bucket {
    left: f64,
    at: Instant,
}

/// The paces of all.
#[derive(Default)]
pub struct Paces {
    buckets: HashMap<(Ask, Asker), Bucket>,
}

impl Paces {
    /// Whether it may be done now; takes one from the bucket if so.
    pub fn admit(&mut self, ask: Ask, asker: Asker, now: Instant) -> bool {
        let (most, each_second) = ask.bucket();
        if self.buckets.len() >= PACES && !self.buckets.contains_key(&(ask, asker)) {
            self.make_room();
        }
        let bucket = self.buckets.entry((ask, asker)).or_insert(Bucket { left: most, at: now });
        let passed = now.saturating_duration_since(bucket.at).as_secs_f64();
        bucket.left = passed.mul_add(each_second, bucket.left).min(most);
        bucket.at = now;
        let admitted = bucket.left >= 1.0;
        if admitted {
            bucket.left -= 1.0;
        }
        admitted
    }

    /// Forgets the half of them that was quiet for longest.
    fn make_room(&mut self) {
        let mut times: Vec<Instant> = self.buckets.values().map(|bucket| bucket.at).collect();
        times.sort_unstable();
        if let Some(middle) = times.get(times.len() / 2).copied() {
            self.buckets.retain(|_, bucket| bucket.at > middle);
        }
        if self.buckets.len() >= PACES {
            self.buckets.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn from(n: u32) -> Asker {
        Asker::at(IpAddr::from(n.to_be_bytes()))
    }

    #[test]
    fn d7_whoever_asks_too_often_waits_and_others_do_not() {
        let (mut paces, now) = (Paces::default(), Instant::now());
        let admitted = |paces: &mut Paces, now| (0..50).filter(|_| paces.admit(Ask::Wrong, from(1), now)).count();
        assert_eq!(admitted(&mut paces, now), 20);
        assert!(paces.admit(Ask::Wrong, from(2), now), "another address");
        assert!(paces.admit(Ask::Join, from(1), now), "another thing");
        assert_eq!(admitted(&mut paces, now + Duration::from_secs(30)), 3);
        assert_eq!(admitted(&mut paces, now + Duration::from_secs(3600)), 20, "never more than at first");
    }

    #[test]
    fn d7_many_addresses_do_not_make_it_grow() {
        let (mut paces, now) = (Paces::default(), Instant::now());
        for n in 0..100_000u32 {
            paces.admit(Ask::Anything, from(n), now + Duration::from_micros(u64::from(n)));
            assert!(paces.buckets.len() <= PACES);
        }
    }

    #[test]
    fn a_household_is_one_address() {
        let at = |text: &str| Asker::at(text.parse().unwrap());
        assert_eq!(at("2001:db8::1"), at("2001:db8::ffff"));
        assert_ne!(at("2001:db8::1"), at("2001:db8:0:1::1"));
        assert_eq!(at("::ffff:10.0.0.1"), at("10.0.0.1"));
        assert_ne!(at("10.0.0.1"), at("10.0.0.2"));
    }
}
