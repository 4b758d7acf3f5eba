//! What the rest of the daemon asks of the sandbox.

use std::sync::Arc;

use bytes::Bytes;

use super::config::{SandboxConfig, SandboxStatus};
use super::message::{Answer, Job};
use super::model::Model;
use super::pool::Pool;
use super::{Details, EnrolledFace, Film, Format, FoundFaces, FractionRect, Inspection, Refusal, SandboxError};
use super::{answers, libheif};

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
        let (mut inspection, helped) = self.run(Job::Inspect, file, answers::inspection).await?;
        if helped {
            inspection.format = Format::Heif;
            inspection.motion_bytes = None;
        }
        Ok(inspection)
    }

    /// All faces of an image.
    ///
    /// # Errors
    /// As for [`Self::inspect`].
    pub async fn faces(&self, file: Bytes) -> Result<FoundFaces, SandboxError> {
        let ((found, pack), _) = self.run_with_model(Job::Faces, file, answers::faces).await?;
        Ok(FoundFaces { pack, ..found })
    }

    /// The one clearly dominant, usable face of a selfie, with a small still of it.
    ///
    /// # Errors
    /// `Refused` with advice if no face or no single face is good enough; otherwise as for [`Self::inspect`].
    pub async fn enrol(&self, file: Bytes) -> Result<EnrolledFace, SandboxError> {
        let ((enrolled, pack), _) = self.run_with_model(Job::Enrol, file, answers::enrolled).await?;
        Ok(EnrolledFace { pack, ..enrolled })
    }

    /// The only face of a camera's frame, however it is turned, with a small still of it.
    ///
    /// # Errors
    /// `Refused` with advice if there is none or more than one, or if it is too small, blurred, or badly lit; otherwise as for
    /// [`Self::inspect`].
    pub async fn frame(&self, file: Bytes) -> Result<EnrolledFace, SandboxError> {
        let (enrolled, pack) = self.pool.run_with_model(Job::Frame, file, answers::enrolled).await?;
        Ok(EnrolledFace { pack, ..enrolled })
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
        Ok(self.run(Job::Crop { rect, margin, long_side_px }, file, answers::crop).await?.0)
    }

    /// The bytes that may leave: the same pixels, orientation and colour profile, and nothing else (promise D4).
    ///
    /// # Errors
    /// `Refused` if the file cannot be cleaned with certainty; otherwise as for [`Self::inspect`].
    pub async fn rendition(&self, file: Bytes, details: Details) -> Result<Vec<u8>, SandboxError> {
        Ok(self.run(Job::Rendition { details }, file, answers::rendition).await?.0)
    }

    /// The bytes that may leave, without some faces: the boxes in `faces` are destroyed with the heads around them, those in `kept` stay. Always a JPEG.
    ///
    /// # Errors
    /// As for [`Self::rendition`].
    pub async fn blurred(
        &self,
        file: Bytes,
        faces: Vec<FractionRect>,
        kept: Vec<FractionRect>,
        details: Details,
    ) -> Result<Vec<u8>, SandboxError> {
        Ok(self.run(Job::Blurred { faces, kept, details }, file, answers::blurred).await?.0)
    }

    /// What film it is, if it was taken with the photo of the same name (a Live Photo).
    ///
    /// # Errors
    /// `TooLarge` for both together; otherwise as for [`Self::inspect`].
    pub async fn pair(&self, photo: &[u8], film: &[u8]) -> Result<Option<Film>, SandboxError> {
        let photo_bytes = u32::try_from(photo.len()).map_err(|_| SandboxError::TooLarge)?;
        let both = Bytes::from([photo, film].concat());
        self.pool.run(Job::Pair { photo_bytes }, both, answers::pair).await
    }

    /// Whether libheif's program is there, for the HEIC files that need it.
    #[must_use]
    pub fn has_libheif(&self) -> bool {
        libheif::find().is_some()
    }

    /// Has a child do a job; a HEIC that the child cannot read is first made into a JPEG by libheif, if that is there. Tells whether it was.
    async fn run<T>(
        &self,
        job: Job,
        file: Bytes,
        believe: fn(Answer, Vec<u8>) -> Option<T>,
    ) -> Result<(T, bool), SandboxError> {
        let ((done, _), helped) = self.run_with_model(job, file, believe).await?;
        Ok((done, helped))
    }

    /// As [`Self::run`]; gives also the id of the model pack that the child had.
    async fn run_with_model<T>(
        &self,
        job: Job,
        file: Bytes,
        believe: fn(Answer, Vec<u8>) -> Option<T>,
    ) -> Result<((T, String), bool), SandboxError> {
        match self.pool.run_with_model(job.clone(), file.clone(), believe).await {
            Err(SandboxError::Refused(Refusal::NeedsLibheif)) => {
                let Some(tool) = libheif::find() else { return Err(Refusal::NeedsLibheif.into()) };
                let jpeg = libheif::to_jpeg(self.pool.program(), &tool, &file).await?;
                Ok((self.pool.run_with_model(job, jpeg.into(), believe).await?, true))
            }
            outcome => Ok((outcome?, false)),
        }
    }

    /// Has faces found with this model pack from now on. Children that hold another one finish their jobs and go.
    pub async fn use_model(&self, model: Model) {
        self.pool.use_model(model).await;
    }

    /// Loads and runs a model pack in a child of its own, which ends with it.
    ///
    /// # Errors
    /// `Model` with what is wrong with the pack; `Crashed` or `TimedOut` when it stopped the child.
    pub async fn try_model(&self, model: &Model) -> Result<(), SandboxError> {
        self.pool.run_apart(model, Job::TryModel, Bytes::new(), answers::model_runs).await
    }

    /// As [`Self::enrol`], in a child of its own with a model pack that need not be the one in use.
    ///
    /// # Errors
    /// As for [`Self::enrol`] and [`Self::try_model`].
    pub async fn enrol_with(&self, model: &Model, file: Bytes) -> Result<EnrolledFace, SandboxError> {
        let enrolled = self.pool.run_apart(model, Job::Enrol, file, answers::enrolled).await?;
        Ok(EnrolledFace { pack: model.id.to_string(), ..enrolled })
    }

    /// Most children at once.
    #[must_use]
    pub fn processes(&self) -> usize {
        self.pool.processes()
    }

    /// Changes the most children at once, 1 at least; jobs under way are finished first.
    pub fn give_processes(&self, processes: usize) {
        self.pool.give_processes(processes.max(1));
    }

    /// Starts a child, which then waits for the first job, so that [`Self::status`] can say what holds it.
    ///
    /// # Errors
    /// `Unavailable` when none can be had.
    pub async fn warm(&self) -> Result<(), SandboxError> {
        self.pool.warm().await
    }

    /// What is alive, what holds it, and what does not.
    #[must_use]
    pub fn status(&self) -> SandboxStatus {
        self.pool.status()
    }

    /// Whether [`Self::shutdown`] was called.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.pool.is_closed()
    }

    /// Ends idle children and refuses further jobs; those under way finish and their children go then.
    pub async fn shutdown(&self) {
        self.pool.shutdown().await;
    }
}
