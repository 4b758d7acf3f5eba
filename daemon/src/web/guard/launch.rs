//! One-time launch tokens: what a launch link carries and a browser swaps for a session.

use super::super::limits::{LAUNCH_LIFE_MS, LAUNCH_TEXT_BYTES, LAUNCH_TOKENS};
use super::secret::{SecretHash, WebSecret};

/// The launch tokens that nobody used yet, oldest first.
#[derive(Default)]
pub(super) struct LaunchTokens {
    live: Vec<(SecretHash, u64)>,
}

impl LaunchTokens {
    /// Makes a token; the oldest gives way when there are too many (D7).
    ///
    /// # Errors
    /// When the operating system gives no random bytes.
    pub(super) fn issue(&mut self, now: u64) -> Result<WebSecret, getrandom::Error> {
        self.prune(now);
        if self.live.len() >= LAUNCH_TOKENS {
            self.live.remove(0);
        }
        let secret = WebSecret::random()?;
        self.live.push((secret.hash(), now.saturating_add(LAUNCH_LIFE_MS)));
        Ok(secret)
    }

    /// Uses a token up. Whether it was good.
    pub(super) fn redeem(&mut self, text: &str, now: u64) -> bool {
        if text.len() > LAUNCH_TEXT_BYTES {
            return false;
        }
        self.prune(now);
        let hash = SecretHash::of(text);
        // No early exit: the time taken says nothing on which one was close.
        let before = self.live.len();
        self.live.retain(|(known, _)| !known.is(&hash));
        self.live.len() < before
    }

    fn prune(&mut self, now: u64) {
        self.live.retain(|(_, until)| now < *until);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_works_once() {
        let mut tokens = LaunchTokens::default();
        let token = tokens.issue(0).unwrap();
        assert!(tokens.redeem(token.text(), 1));
        assert!(!tokens.redeem(token.text(), 2));
    }

    #[test]
    fn a_token_ends_after_its_life() {
        let mut tokens = LaunchTokens::default();
        let (early, late) = (tokens.issue(0).unwrap(), tokens.issue(0).unwrap());
        assert!(tokens.redeem(early.text(), LAUNCH_LIFE_MS - 1));
        assert!(!tokens.redeem(late.text(), LAUNCH_LIFE_MS));
    }

    #[test]
    fn d7_the_oldest_token_gives_way() {
        let mut tokens = LaunchTokens::default();
        let all: Vec<_> = (0..=LAUNCH_TOKENS as u64).map(|now| tokens.issue(now).unwrap()).collect();
        let good = all.iter().filter(|token| tokens.redeem(token.text(), 100)).count();
        assert_eq!(good, LAUNCH_TOKENS);
        assert!(!tokens.redeem(all[0].text(), 100));
    }

    #[test]
    fn a_guess_is_refused_and_costs_nobody_their_token() {
        let mut tokens = LaunchTokens::default();
        let token = tokens.issue(0).unwrap();
        assert!(!tokens.redeem("", 1));
        assert!(!tokens.redeem(&"A".repeat(43), 1));
        assert!(!tokens.redeem(&"A".repeat(1_000_000), 1));
        assert!(tokens.redeem(token.text(), 1));
    }
}
