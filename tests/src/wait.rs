//! Waiting for a condition: no fixed sleeps in tests, and a time-out that says what was seen last.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How often a condition is looked at: short beside any time that a test waits for, long beside one request on the Unix socket.
pub const LOOK_EVERY: Duration = Duration::from_millis(25);

/// What one look at the condition showed.
pub enum Seen<T> {
    /// The condition holds; here is what was waited for.
    Done(T),
    /// Not yet; what was seen, in words, for the message on time-out.
    NotYet(String),
}

impl<T> Seen<T> {
    /// `Done` with the value if there is one, else `NotYet` with what was seen.
    pub fn when(found: Option<T>, state: impl FnOnce() -> String) -> Self {
        match found {
            Some(value) => Self::Done(value),
            None => Self::NotYet(state()),
        }
    }
}

/// Looks at `condition` until it is done.
///
/// # Errors
/// An error of the condition itself ends the wait at once; after `limit` the error names `what` and the last state seen.
pub async fn wait_until<T>(
    what: &str,
    limit: Duration,
    mut condition: impl AsyncFnMut() -> Result<Seen<T>>,
) -> Result<T> {
    let start = Instant::now();
    loop {
        let state = match condition().await? {
            Seen::Done(value) => return Ok(value),
            Seen::NotYet(state) => state,
        };
        if start.elapsed() > limit {
            bail!("waited {} s in vain for: {what}; last seen: {state}", limit.as_secs());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_time_out_reports_the_last_state() {
        let mut looks = 0;
        let outcome = wait_until::<()>("the moon", Duration::ZERO, async || {
            looks += 1;
            Ok(Seen::NotYet(format!("look {looks}")))
        })
        .await;
        let message = outcome.unwrap_err().to_string();
        assert!(message.contains("the moon") && message.contains("look 1"), "{message}");
    }
}
