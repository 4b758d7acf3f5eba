//! The look that the sandbox takes at a file before it is taken in, and what becomes of files that stop their decoder.

use bytes::Bytes;
use inframe_protocol::ContentId;

use super::{Library, LibraryError, Quarantine, STRIKES, Unshown, shown_name};
use crate::live::What;
use crate::sandbox::{Inspection, SandboxError};

impl Library {
    /// Files over which decoders stopped.
    #[must_use]
    pub fn quarantine(&self) -> &Quarantine {
        &self.quarantine
    }

    /// Examines bytes in the sandbox; gives what they show or why they cannot be shown. A decoder that stops is tried again at once, three times
    /// in all and over restarts; then the file is left alone, so that it never holds up what comes after it.
    ///
    /// # Errors
    /// When the sandbox could not look at them at all, or the vault fails.
    pub(super) async fn inspect(
        &self,
        content: ContentId,
        file_name: &str,
        bytes: Bytes,
    ) -> Result<Result<Inspection, Unshown>, LibraryError> {
        loop {
            if let Some(reason) = self.quarantine.reason(&content) {
                return Ok(Err(Unshown::left_alone(&reason)));
            }
            let why = match self.sandbox.inspect(bytes.clone()).await {
                Ok(inspection) => {
                    let quarantine = self.quarantine.clone();
                    blocking(move || quarantine.forgive(&content)).await??;
                    return Ok(Ok(inspection));
                }
                Err(SandboxError::Refused(refusal)) => return Ok(Err(refusal.into())),
                Err(SandboxError::Crashed(why)) => why,
                Err(SandboxError::TimedOut) => "it took too long".to_owned(),
                Err(other) => return Err(LibraryError::Sandbox(other)),
            };
            let (quarantine, name, size_bytes) = (self.quarantine.clone(), shown_name(file_name), bytes.len() as u64);
            let strikes = blocking(move || quarantine.strike(&content, &name, size_bytes, why)).await??;
            if strikes >= STRIKES {
                self.live.tell(What::Status, None);
            }
        }
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, LibraryError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| LibraryError::Ending)
}
