//! How many bytes may pass in a second, all transfers of one direction together.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

/// What may pass at once after a rest: less would make a limited transfer wait twice a group for nothing.
const BURST: Duration = Duration::from_millis(500);

/// A limit that transfers share, each in its turn; cheap to clone. Without a limit it costs nothing.
#[derive(Debug, Clone, Default)]
pub struct Pace(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    now: Mutex<Now>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Now {
    bytes_s: Option<u64>,
    /// When everything that was let pass before has passed.
    free_at: Option<Instant>,
}

impl Pace {
    /// Changes the limit, in bytes a second; whoever waits goes on.
    pub fn set(&self, bytes_s: Option<u64>) {
        *self.0.now.lock().unwrap_or_else(PoisonError::into_inner) = Now { bytes_s, free_at: None };
        self.0.changed.notify_waiters();
    }

    /// Waits until so many bytes may pass, after all that asked before.
    pub async fn pass(&self, bytes: u64) {
        let changed = self.0.changed.notified();
        if let Some(until) = self.book(bytes, Instant::now()) {
            tokio::select! {
                () = tokio::time::sleep_until(until) => {}
                () = changed => {}
            }
        }
    }

    /// Books the time that so many bytes take, and says when it begins, if that is not at once.
    fn book(&self, bytes: u64, now: Instant) -> Option<Instant> {
        let mut shared = self.0.now.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes_s = shared.bytes_s?.max(1);
        let earliest = now.checked_sub(BURST).unwrap_or(now);
        let begins = shared.free_at.map_or(earliest, |free_at| free_at.max(earliest));
        let takes = Duration::from_micros(bytes.saturating_mul(1_000_000) / bytes_s);
        shared.free_at = begins.checked_add(takes);
        (begins > now).then_some(begins)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_bytes_pass_in_a_second_and_no_more() {
        let pace = Pace::default();
        let mut now = Instant::now();
        assert_eq!(pace.book(u64::MAX, now), None);
        pace.set(Some(1_000_000));
        let began = now;
        let mut passed = 0;
        while passed < 10_000_000 {
            now = pace.book(100_000, now).unwrap_or(now);
            passed += 100_000;
        }
        let took = now.duration_since(began);
        // The last piece passes while nobody waits for it, and half a second was saved up before.
        assert_eq!(took, Duration::from_millis(10_000 - 100 - 500));
        // A rest saves up no more than that.
        let later = now + Duration::from_secs(3600);
        let waits = (0..10).filter(|_| pace.book(100_000, later).is_some()).count();
        assert_eq!(waits, 4);
    }

    #[tokio::test]
    async fn whoever_waits_goes_on_when_the_limit_is_lifted() {
        let pace = Pace::default();
        pace.set(Some(1));
        pace.pass(1_000_000).await;
        let waiting = tokio::spawn({
            let pace = pace.clone();
            async move { pace.pass(1).await }
        });
        tokio::task::yield_now().await;
        pace.set(None);
        waiting.await.unwrap();
    }
}
