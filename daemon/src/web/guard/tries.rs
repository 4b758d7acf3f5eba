//! Wrong passwords from the network, and how long the next try has to wait: of the one address, and of all together, since addresses cost nothing.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::super::limits::{
    TRIES_ADDRESSES, TRIES_FORGOTTEN_AFTER, TRIES_FREE, TRIES_FREE_OF_ALL, TRIES_LONGEST_WAIT,
    TRIES_LONGEST_WAIT_OF_ALL,
};

/// Wrong ones in a row.
#[derive(Debug)]
struct Count {
    wrong: u32,
    last: Instant,
    free_at: Instant,
}

impl Count {
    fn new(now: Instant) -> Self {
        Self { wrong: 0, last: now, free_at: now }
    }

    /// After the free ones the wait doubles, up to the longest.
    fn add(&mut self, now: Instant, free: u32, longest: Duration) {
        self.wrong = self.wrong.saturating_add(1);
        self.last = now;
        if let Some(over) = self.wrong.checked_sub(free) {
            self.free_at = now + Duration::from_secs(1 << over.min(30)).min(longest);
        }
    }

    fn is_old(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.last) >= TRIES_FORGOTTEN_AFTER
    }
}

/// The tries of the last time.
#[derive(Debug, Default)]
pub(super) struct Tries {
    of: HashMap<IpAddr, Count>,
    all: Option<Count>,
}

/// What there is to tell of a wrong one.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum News {
    /// So many in a row from that address.
    OfAddress(u32),
    /// So many from everywhere that they are no longer told apart.
    OfMany,
    /// The same as a moment ago.
    Nothing,
}

impl Tries {
    /// How long a try of `caller` has to wait.
    pub(super) fn wait(&self, caller: IpAddr, now: Instant) -> Duration {
        let counts = self.of.get(&network(caller)).into_iter().chain(&self.all);
        counts.map(|count| count.free_at.saturating_duration_since(now)).max().unwrap_or_default()
    }

    /// Counts a wrong one.
    pub(super) fn wrong(&mut self, caller: IpAddr, now: Instant) -> News {
        self.of.retain(|_, count| !count.is_old(now));
        if self.all.as_ref().is_some_and(|all| all.is_old(now)) {
            self.all = None;
        }
        let all = self.all.get_or_insert_with(|| Count::new(now));
        all.add(now, TRIES_FREE_OF_ALL, TRIES_LONGEST_WAIT_OF_ALL);
        let of_all = all.wrong;
        let caller = network(caller);
        if self.of.len() >= TRIES_ADDRESSES && !self.of.contains_key(&caller) {
            let oldest = self.of.iter().min_by_key(|(_, count)| count.last).map(|(address, _)| *address);
            oldest.map(|oldest| self.of.remove(&oldest));
        }
        let of_caller = self.of.entry(caller).or_insert_with(|| Count::new(now));
        of_caller.add(now, TRIES_FREE, TRIES_LONGEST_WAIT);
        match of_caller.wrong {
            _ if of_all > TRIES_FREE_OF_ALL => News::OfMany,
            wrong if wrong.is_power_of_two() => News::OfAddress(wrong),
            _ => News::Nothing,
        }
    }

    /// Forgets the wrong ones of an address from which the right one came. Those of all together stay: the others have not become the owner.
    pub(super) fn right(&mut self, caller: IpAddr) {
        self.of.remove(&network(caller));
    }
}

/// An IPv6 network of 64 bits is one: whoever has one address of it has them all.
fn network(caller: IpAddr) -> IpAddr {
    match caller.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) >> 64 << 64).into()),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn one_address_waits_longer_each_time_and_others_do_not() {
        let (mut tries, now) = (Tries::default(), Instant::now());
        let (one, other) = (address("192.168.1.66"), address("192.168.1.20"));
        let mut waits = Vec::new();
        for _ in 0..TRIES_FREE + 3 {
            tries.wrong(one, now);
            waits.push(tries.wait(one, now).as_secs());
        }
        let free = TRIES_FREE as usize - 1;
        assert_eq!(waits[..free], vec![0; free]);
        assert_eq!(waits[free..], [1, 2, 4, 8]);
        assert_eq!(tries.wait(other, now), Duration::ZERO);
        assert_eq!(tries.wait(one, now + Duration::from_secs(8)), Duration::ZERO);
        tries.right(one);
        assert_eq!(tries.wait(one, now), Duration::ZERO);
    }

    #[test]
    fn many_addresses_together_wait_as_well_and_what_is_long_ago_is_forgotten() {
        let (mut tries, now) = (Tries::default(), Instant::now());
        for last in 0..200 {
            tries.wrong(address(&format!("10.0.0.{last}")), now);
        }
        assert_eq!(tries.wait(address("192.168.1.20"), now), TRIES_LONGEST_WAIT_OF_ALL);
        let later = now + TRIES_FORGOTTEN_AFTER;
        assert_eq!(tries.wait(address("192.168.1.20"), later), Duration::ZERO);
        assert_eq!(tries.wrong(address("192.168.1.20"), later), News::OfAddress(1));
        assert_eq!(tries.of.len(), 1);
    }

    #[test]
    fn d7_addresses_cost_no_memory_and_a_network_of_64_bits_is_one() {
        let (mut tries, now) = (Tries::default(), Instant::now());
        for n in 0..10_000_u32 {
            tries.wrong(IpAddr::from(n.to_be_bytes()), now);
        }
        assert_eq!(tries.of.len(), TRIES_ADDRESSES);
        assert_eq!(network(address("2001:db8:1:2:3:4:5:6")), address("2001:db8:1:2::"));
        assert_eq!(network(address("::ffff:10.0.0.1")), address("10.0.0.1"));
    }

    #[test]
    fn d7_the_log_hears_less_and_less() {
        let (mut tries, now) = (Tries::default(), Instant::now());
        let one = address("192.168.1.66");
        let told = (0..TRIES_FREE_OF_ALL).filter(|_| matches!(tries.wrong(one, now), News::OfAddress(_))).count();
        assert!(told <= 6, "{told}");
        assert_eq!(tries.wrong(one, now), News::OfMany);
    }
}
