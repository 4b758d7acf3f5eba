//! Every bound of a transfer (D7) that the protocol does not set already. Sizes are the protocol's.

use std::time::Duration;

use super::Pace;

/// Limits of a transfer.
#[derive(Debug, Clone)]
pub struct TransferLimits {
    /// One group of 256 KiB must pass within this time: 4 KiB a second is the slowest line that is waited for, and a
    /// peer that sends a byte a second is given up after a minute.
    pub group_within: Duration,
    /// The receiver must confirm within this time after the last byte: it has to store the photo durably, and to
    /// check it, on a busy machine.
    pub receipt_within: Duration,
    /// The bytes a second that this transfer shares with others.
    pub pace: Pace,
}

impl Default for TransferLimits {
    fn default() -> Self {
        Self::at(Pace::default())
    }
}

impl TransferLimits {
    /// The usual time limits at a given pace.
    #[must_use]
    pub fn at(pace: Pace) -> Self {
        Self { group_within: Duration::from_secs(60), receipt_within: Duration::from_secs(180), pace }
    }

    /// Short limits, for tests of slow peers.
    #[cfg(test)]
    pub(crate) fn for_testing() -> Self {
        Self {
            group_within: Duration::from_millis(300),
            receipt_within: Duration::from_millis(300),
            pace: Pace::default(),
        }
    }
}
