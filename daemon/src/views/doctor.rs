//! What the API shows of the doctor.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How everything is on which this node depends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DoctorView {
    /// Whether the checks run now; those that are not done yet are shown as the run before has left them.
    pub running: bool,
    /// Checks that are done in the present run, or were in the last.
    pub done: u32,
    /// Checks of a run.
    pub of: u32,
    /// When all were done last, Unix milliseconds; `null` if never since the start.
    pub at: Option<u64>,
    /// What was found, one a topic; empty before the first run.
    pub checks: Vec<CheckView>,
}

/// What a check has shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CheckView {
    /// `interfaces`, `multicast`, `ports`, `nat`, `relay`, `certificate`, `notices`, `clock`, `disk`, `models`, `sandbox`, `videos`; on the command line also `daemon`.
    pub key: String,
    /// Its name for people.
    pub title: String,
    /// `good`, `warning`, `failed`, `not-checked`.
    pub state: String,
    /// What was found, in words and figures.
    pub found: String,
    /// What to do, in one sentence; there unless it is good.
    pub advice: Option<String>,
}
