//! How often a node may ask (R53): a bucket for each kind of request, which fills steadily and holds a minute's share.

use crate::ids::UnixMillis;
use crate::limits::{
    MAX_CODES_A_MINUTE, MAX_DEPUTIES_A_MINUTE, MAX_FETCHES_A_MINUTE, MAX_GOSSIP_A_MINUTE, MAX_JOINS_A_MINUTE,
    MAX_KEEPS_A_MINUTE, MAX_PUSHES_A_MINUTE, MAX_RECALLS_A_MINUTE, MAX_SYNCS_A_MINUTE,
};

const MINUTE_MS: u64 = 60_000;

/// What a node asks for or brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// To join.
    Join,
    /// To be told what it lacks.
    Sync,
    /// To take what is new.
    Push,
    /// To take a record that was gossiped.
    Gossip,
    /// To be sent a photo.
    Fetch,
    /// To keep something, or to take what was kept.
    Keep,
    /// To be let in with a code.
    Code,
    /// To decide in the host's place, or to be told that somebody waits.
    Deputy,
    /// To delete what was sent, or to be told how that stands.
    Recall,
}

impl Ask {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::Join,
        Self::Sync,
        Self::Push,
        Self::Gossip,
        Self::Fetch,
        Self::Keep,
        Self::Code,
        Self::Deputy,
        Self::Recall,
    ];

    /// How many in a minute.
    pub fn a_minute(self) -> u32 {
        match self {
            Self::Join => MAX_JOINS_A_MINUTE,
            Self::Sync => MAX_SYNCS_A_MINUTE,
            Self::Push => MAX_PUSHES_A_MINUTE,
            Self::Gossip => MAX_GOSSIP_A_MINUTE,
            Self::Fetch => MAX_FETCHES_A_MINUTE,
            Self::Keep => MAX_KEEPS_A_MINUTE,
            Self::Code => MAX_CODES_A_MINUTE,
            Self::Deputy => MAX_DEPUTIES_A_MINUTE,
            Self::Recall => MAX_RECALLS_A_MINUTE,
        }
    }
}

/// What one node may still ask.
#[derive(Debug, Clone, Copy)]
pub struct Allowance {
    /// What is left of each kind, in parts of a request: a minute's milliseconds make one.
    left: [u64; Ask::ALL.len()],
    at: UnixMillis,
}

impl Allowance {
    /// A minute's share of everything.
    pub fn new(now: UnixMillis) -> Self {
        Self { left: Ask::ALL.map(|ask| u64::from(ask.a_minute()) * MINUTE_MS), at: now }
    }

    /// R53: takes one request off; whether there was one left.
    pub fn take(&mut self, ask: Ask, now: UnixMillis) -> bool {
        // A clock that was set back gives nothing and takes nothing.
        let passed = now.0.saturating_sub(self.at.0).min(MINUTE_MS);
        self.at = now;
        for (left, ask) in self.left.iter_mut().zip(Ask::ALL) {
            let a_minute = u64::from(ask.a_minute());
            *left = (*left + passed * a_minute).min(a_minute * MINUTE_MS);
        }
        let left = &mut self.left[ask as usize];
        let rest = left.checked_sub(MINUTE_MS);
        *left = rest.unwrap_or(*left);
        rest.is_some()
    }

    /// Whether nothing was asked for so long that everything is there again.
    pub fn is_full(&self, now: UnixMillis) -> bool {
        now.0.saturating_sub(self.at.0) >= MINUTE_MS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r53_a_minute_has_its_share_of_each_kind_and_no_more() {
        for ask in Ask::ALL {
            let start = UnixMillis(1_000_000);
            let mut allowance = Allowance::new(start);
            let most = ask.a_minute();
            let burst = (0..most * 3).filter(|_| allowance.take(ask, start)).count();
            assert_eq!(burst as u32, most, "{ask:?}");
            // The others are not touched.
            assert!(Ask::ALL.into_iter().filter(|other| *other != ask).all(|other| allowance.take(other, start)));
            // Half a minute later there is half of it again, and after an hour no more than one share.
            let later = start.plus(MINUTE_MS / 2);
            assert_eq!((0..most * 3).filter(|_| allowance.take(ask, later)).count() as u32, most / 2);
            let hour = start.plus(60 * MINUTE_MS);
            assert!(allowance.is_full(hour) && !allowance.is_full(later));
            assert_eq!((0..most * 3).filter(|_| allowance.take(ask, hour)).count() as u32, most);
        }
    }

    #[test]
    fn r53_whoever_asks_steadily_at_the_limit_is_never_refused() {
        for ask in Ask::ALL {
            let mut allowance = Allowance::new(UnixMillis(0));
            for number in 0..u64::from(ask.a_minute()) * 10 {
                let at = number * MINUTE_MS / u64::from(ask.a_minute());
                assert!(allowance.take(ask, UnixMillis(at)), "{ask:?} {number}");
            }
        }
    }

    #[test]
    fn r53_a_clock_that_is_set_back_gives_nothing() {
        let mut allowance = Allowance::new(UnixMillis(9_000_000));
        assert_eq!((0..200).filter(|_| allowance.take(Ask::Join, UnixMillis(5))).count(), 60);
        assert!(!allowance.take(Ask::Join, UnixMillis(6)));
    }
}
