//! Every bound of a transfer (D7) that the protocol does not set already. Sizes are the protocol's.

use std::time::Duration;

/// Time limits of a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransferLimits {
    /// One group of 256 KiB must pass within this time: 4 KiB a second is the slowest line that is waited for, and a
    /// peer that sends a byte a second is given up after a minute.
    pub group_within: Duration,
    /// The receiver must confirm within this time after the last byte: it has to store the photo durably, and to
    /// check it, on a busy machine.
    pub receipt_within: Duration,
}

impl Default for TransferLimits {
    fn default() -> Self {
        Self { group_within: Duration::from_secs(60), receipt_within: Duration::from_secs(180) }
    }
}

impl TransferLimits {
    /// Short limits, for tests of slow peers.
    #[cfg(test)]
    pub(crate) fn for_testing() -> Self {
        Self { group_within: Duration::from_millis(300), receipt_within: Duration::from_millis(300) }
    }
}
