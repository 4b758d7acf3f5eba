//! Chance from a seed: the same seed gives the same campaign.

/// An endless row of numbers that depends on nothing but the seed and what it is for.
pub struct Dice(blake3::OutputReader);

impl Dice {
    /// The numbers for one use of a seed.
    #[must_use]
    pub fn of(seed: u64, what: &str) -> Self {
        Self(blake3::Hasher::new().update(&seed.to_le_bytes()).update(what.as_bytes()).finalize_xof())
    }

    /// The next `count` bytes.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.0.fill(&mut bytes);
        bytes
    }

    /// A number below `end`; 0 if `end` is 0. The bias towards small numbers is one in 2^32 at least for ends that occur here.
    pub fn below(&mut self, end: usize) -> usize {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        (u64::from_le_bytes(bytes) % (end as u64).max(1)) as usize
    }

    /// Whether the coin shows heads.
    pub fn heads(&mut self) -> bool {
        self.below(2) == 0
    }
}
