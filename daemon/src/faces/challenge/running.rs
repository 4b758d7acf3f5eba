//! The one challenge that may be under way on a node, and how often one may begin.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Ask, Challenge, Rules};
use crate::faces::ProfileId;

/// Names a challenge; nobody who did not begin it can guess it.
pub type ChallengeId = [u8; 16];

/// Challenges that may begin within [`HOUR_MS`]: enough for a family with bad light, too few to try out films.
const MAX_STARTS: usize = 30;
const HOUR_MS: u64 = 3_600_000;

/// Why a challenge cannot begin or go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChallengeError {
    /// Too many were begun.
    #[error("there were {MAX_STARTS} tries within an hour; wait a while, or add a photo from a file")]
    TooMany,
    /// Another one has begun, or it is over.
    #[error("this try is over; start again")]
    Over,
    /// The frame before is still being looked at.
    #[error("one picture at a time: the one before is still being looked at")]
    Busy,
    /// No randomness.
    #[error("the system gives no random numbers")]
    Random,
}

/// A challenge with what it is for.
#[derive(Debug)]
pub struct Place {
    /// Its name.
    pub id: ChallengeId,
    /// Who is to be enrolled.
    pub profile: ProfileId,
    /// The challenge itself.
    pub challenge: Challenge,
}

#[derive(Default)]
struct Inner {
    running: Option<Place>,
    /// The one of which a frame is being looked at.
    looking: Option<ChallengeId>,
    starts: Vec<u64>,
}

/// Holds the challenge under way; cheap to clone. It is in memory only: after a restart one begins anew.
#[derive(Clone, Default)]
pub struct Challenges {
    inner: Arc<Mutex<Inner>>,
}

impl Challenges {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins one with an order drawn at random, in place of any other; reads what is asked first with `read`.
    ///
    /// # Errors
    /// When too many were begun, or without randomness.
    pub fn begin<T>(
        &self,
        profile: ProfileId,
        rules: Rules,
        now: u64,
        read: impl FnOnce(&Place) -> T,
    ) -> Result<T, ChallengeError> {
        let mut inner = self.inner();
        inner.starts.retain(|start| now.saturating_sub(*start) < HOUR_MS);
        if inner.starts.len() >= MAX_STARTS {
            return Err(ChallengeError::TooMany);
        }
        let mut id = ChallengeId::default();
        let mut dice = [0; 8];
        getrandom::fill(&mut id).map_err(|_| ChallengeError::Random)?;
        getrandom::fill(&mut dice).map_err(|_| ChallengeError::Random)?;
        inner.starts.push(now);
        let place = Place { id, profile, challenge: Challenge::new(order(u64::from_le_bytes(dice)), rules, now) };
        let answer = read(&place);
        inner.running = Some(place);
        Ok(answer)
    }

    /// Reserves the running challenge for one frame; [`Challenges::judge`] or [`Challenges::release`] ends that.
    ///
    /// # Errors
    /// When it is not this one, or a frame is being looked at.
    pub fn reserve(&self, id: &ChallengeId, profile: ProfileId) -> Result<(), ChallengeError> {
        let mut inner = self.inner();
        if !inner.running.as_ref().is_some_and(|place| place.id == *id && place.profile == profile) {
            return Err(ChallengeError::Over);
        }
        if inner.looking == Some(*id) {
            return Err(ChallengeError::Busy);
        }
        inner.looking = Some(*id);
        Ok(())
    }

    /// Gives a reserved challenge back without a verdict.
    pub fn release(&self, id: &ChallengeId) {
        let mut inner = self.inner();
        inner.looking = inner.looking.filter(|looking| looking != id);
    }

    /// Judges a frame of the reserved challenge with `judge`, which says whether it goes on; takes it out when it does not.
    ///
    /// # Errors
    /// When another one was begun meanwhile.
    pub fn judge<T>(
        &self,
        id: &ChallengeId,
        judge: impl FnOnce(&mut Place) -> (bool, T),
    ) -> Result<(T, Option<Place>), ChallengeError> {
        self.release(id);
        let mut inner = self.inner();
        let Some(place) = inner.running.as_mut().filter(|place| place.id == *id) else {
            return Err(ChallengeError::Over);
        };
        let (goes_on, answer) = judge(place);
        let over = if goes_on { None } else { inner.running.take() };
        Ok((answer, over))
    }

    /// Ends a challenge that nobody waits for any more.
    pub fn abandon(&self, id: &ChallengeId) {
        let mut inner = self.inner();
        if inner.running.as_ref().is_some_and(|place| place.id == *id) {
            inner.running = None;
        }
    }

    /// Ends whatever is under way for a profile that was erased.
    pub fn forget(&self, profile: Option<ProfileId>) {
        let mut inner = self.inner();
        if inner.running.as_ref().is_some_and(|place| profile.is_none_or(|profile| profile == place.profile)) {
            inner.running = None;
        }
    }
}

/// One of the six orders; the bias of the remainder is below 1 in 10^18.
pub(super) fn order(dice: u64) -> [Ask; 3] {
    const ORDERS: [[Ask; 3]; 6] = [
        [Ask::Left, Ask::Right, Ask::Up],
        [Ask::Left, Ask::Up, Ask::Right],
        [Ask::Right, Ask::Left, Ask::Up],
        [Ask::Right, Ask::Up, Ask::Left],
        [Ask::Up, Ask::Left, Ask::Right],
        [Ask::Up, Ask::Right, Ask::Left],
    ];
    ORDERS[(dice % 6) as usize]
}
