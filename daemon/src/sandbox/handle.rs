//! What the rest of the daemon asks of the sandbox.

use std::sync::Arc;

use bytes::Bytes;

use super::answers;
use super::config::{SandboxConfig, SandboxStatus};
use super::message::Job;
use super::pool::Pool;
use super::{EnrolledFace, FoundFaces, FractionRect, Inspection, SandboxError};

/// A cheap handle on the pool; when the last one is dropped, idle children exit.
#[derive(Clone)]
pub struct Sandbox {
    pool: Arc<Pool>,
}

impl Sandbox {
    /// Prepares the pool; no child starts before the first job. Call it inside a tokio runtime.
    #[must_use]
    pub fn start(config: SandboxConfig) -> Self {
        Self { pool: Pool::start(config) }
    }

    /// Metadata and thumbnails of an image.
    ///
    /// # Errors
    /// `Refused` with the reason if it is no readable image; see [`SandboxError`] for the rest.
    pub async fn inspect(&self, file: Bytes) -> Result<Inspection, SandboxError> {
        self.pool.run(Job::Inspect, file, answers::inspection).await
    }

    /// All faces of an image.
    ///
    /// # Errors
    /// As for [`Self::inspect`].
    pub async fn faces(&self, file: Bytes) -> Result<FoundFaces, SandboxError> {
        self.pool.run(Job::Faces, file, answers::faces).await
    }

    /// The one clearly dominant, usable face of a selfie, with a small still of it.
    ///
    /// # Errors
    /// `Refused` with advice if no face or no single face is good enough; otherwise as for [`Self::inspect`].
    pub async fn enrol(&self, file: Bytes) -> Result<EnrolledFace, SandboxError> {
        self.pool.run(Job::Enrol, file, answers::enrolled).await
    }

    /// A JPEG of a part of the upright image, `margin` (a part of the rectangle's size) wider on each side, `long_side_px` at most.
    ///
    /// # Errors
    /// As for [`Self::inspect`].
    pub async fn crop(
        &self,
        file: Bytes,
        rect: FractionRect,
        margin: f32,
        long_side_px: u32,
    ) -> Result<Vec<u8>, SandboxError> {
        self.pool.run(Job::Crop { rect, margin, long_side_px }, file, answers::crop).await
    }

    /// The bytes that may leave: the same pixels, orientation and colour profile, and nothing else (promise D4).
    ///
    /// # Errors
    /// `Refused` if the file cannot be cleaned with certainty; otherwise as for [`Self::inspect`].
    pub async fn rendition(&self, file: Bytes) -> Result<Vec<u8>, SandboxError> {
        self.pool.run(Job::Rendition, file, answers::rendition).await
    }

    /// What is alive, what holds it, and what does not.
    #[must_use]
    pub fn status(&self) -> SandboxStatus {
        self.pool.status()
    }

    /// Ends idle children and refuses further jobs; those under way finish and their children go then.
    pub async fn shutdown(&self) {
        self.pool.shutdown().await;
    }
}
