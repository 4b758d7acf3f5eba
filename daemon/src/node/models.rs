//! Model packs: which there are, adding one, and using another.
//!
//! A change of the pack is one commit: the choice, and the selfies described anew. Photos follow in the background; until a photo's turn comes
//! its old faces stay and compare with nothing, so going back before the end costs nothing for those that were not reached.

use std::path::PathBuf;

use super::{Answer, Node, NodeError};
use crate::activity::ActivityKind;
use crate::faces::{SelfieId, StoredSelfie};
use crate::library::FacesProgress;
use crate::live::What;
use crate::packs::{Listed, Packs, PacksError, Wish};
use crate::sandbox::{Model, SandboxError};
use crate::tasks::Stage;
use crate::views::{AddModelBody, AddingView, FacesProgressView, ModelView, ModelsView, UseModelBody};
use crate::workers::{Core, Job, embeddings};

impl Node {
    /// Every model pack, and how far the photos are with the one in use.
    ///
    /// # Errors
    /// When the folder of packs cannot be read.
    pub async fn models(&self) -> Answer<ModelsView> {
        self.blocking(|core| {
            let in_use = core.pack().id.clone();
            let chosen = core.packs.chosen()?;
            let trouble = core.packs.trouble();
            let is_chosen = |listed: &Listed| match &chosen {
                Some(id) if trouble.is_some() => listed.id == *id,
                _ => listed.id == in_use,
            };
            let packs = core.packs.list()?.into_iter().map(|listed| view(is_chosen(&listed), listed)).collect();
            let adding = core.packs.adding();
            let adding = adding.map(|at| AddingView { file: at.file, done_bytes: at.done, total_bytes: at.total });
            Ok(ModelsView { packs, adding, faces: progress(core), trouble })
        })
        .await
    }

    /// Adds a pack: brings it in, tries it out, keeps it. Gives all packs.
    ///
    /// # Errors
    /// What is wrong with the pack or the way to it; nothing is kept then.
    pub async fn add_model(&self, body: AddModelBody) -> Answer<ModelsView> {
        let wish = wish(body)?;
        let core = &self.core;
        let _turn = core.packs.turn().await;
        let stop = core.tasks.stop_token(Stage::Work);
        let staged = self.blocking(move |core| Ok(core.packs.stage(&wish, &|| stop.is_cancelled())?)).await?;
        core.sandbox.try_model(&staged.model()).await.map_err(unusable)?;
        self.blocking(move |core| {
            core.packs.keep(&staged)?;
            let text = format!("You added the model pack {}.", staged.facts().id);
            Ok(core.activity.note(ActivityKind::Models, text, None, None)?)
        })
        .await?;
        core.live.tell(What::Settings, None);
        self.models().await
    }

    /// Uses another pack from now on.
    ///
    /// # Errors
    /// When there is none, or it cannot be used; the old one stays in use then.
    pub async fn use_model(&self, body: UseModelBody) -> Answer<ModelsView> {
        let core = &self.core;
        let _turn = core.packs.turn().await;
        let (facts, model) = self.blocking(move |core| Ok(core.packs.find(&body.pack)?)).await?;
        if *model.id == *core.pack().id && core.packs.trouble().is_none() {
            return self.models().await;
        }
        core.sandbox.try_model(&model).await.map_err(unusable)?;
        let selfies = self.described_anew(&model).await?;
        let chosen = model.clone();
        self.blocking(move |core| {
            let text = format!("You changed the model pack to {}.", facts.id);
            core.profile.change_pack(facts.into(), selfies, Packs::choose(&chosen)?)?;
            core.people.change_pack(embeddings(&core.pack()))?;
            core.packs.set_trouble(None);
            Ok(core.activity.note(ActivityKind::Models, text, None, None)?)
        })
        .await?;
        core.sandbox.use_model(model).await;
        // What was begun with the other pack compares with nothing any more.
        core.challenges.forget(None);
        core.projected.forget();
        for job in [Job::Faces, Job::People, Job::Events, Job::Matching] {
            core.board.ring(job);
        }
        for what in [What::Settings, What::Profile, What::People, What::Status] {
            core.live.tell(what, None);
        }
        self.models().await
    }

    /// The selfies as this pack describes them. One in which it finds no usable face stays as it is, and the profile says so.
    async fn described_anew(&self, model: &Model) -> Answer<Vec<(SelfieId, StoredSelfie)>> {
        let mut described = Vec::new();
        for (id, selfie) in self.core.profile.all_selfies() {
            if *selfie.pack == *model.id || selfie.source.is_empty() {
                continue;
            }
            match self.core.sandbox.enrol_with(model, selfie.source.clone().into()).await {
                Ok(enrolled) => described.push((
                    id,
                    StoredSelfie {
                        pack: enrolled.pack,
                        embedding: enrolled.face.embedding.0,
                        quality: enrolled.face.quality.score,
                        ..selfie
                    },
                )),
                Err(SandboxError::Refused(reason)) => {
                    tracing::warn!("a selfie cannot be used with the model pack {}: {reason}", model.id);
                }
                Err(error) => return Err(unusable(error)),
            }
        }
        Ok(described)
    }
}

/// How far the photos are with the pack in use.
pub(super) fn progress(core: &Core) -> FacesProgressView {
    let FacesProgress { done, total, failed } = core.library.faces_progress(&core.pack().id);
    FacesProgressView { done, total, failed }
}

fn view(active: bool, listed: Listed) -> ModelView {
    let (facts, problem) = match listed.facts {
        Ok(facts) => (Some(facts), None),
        Err(error) => (None, Some(error.to_string())),
    };
    let (name, version, licence, provenance) =
        facts.map(|facts| (facts.name, facts.version, facts.licence, facts.provenance)).unwrap_or_default();
    let name = if name.is_empty() { listed.id.clone() } else { name };
    ModelView { id: listed.id, name, version, licence, provenance, built_in: listed.built_in, active, problem }
}

fn wish(body: AddModelBody) -> Answer<Wish> {
    let AddModelBody { folder, url, blake3, download, insecure } = body;
    match (folder, url, blake3) {
        (Some(folder), None, None) => {
            let path = PathBuf::from(folder);
            let absolute = NodeError::Invalid("bad-path", "give the whole path of the folder".into());
            if path.is_absolute() { Ok(Wish::Folder { path, download, insecure }) } else { Err(absolute) }
        }
        (None, Some(url), Some(blake3)) => Ok(Wish::Address { url, blake3, insecure }),
        (None, Some(_), None) => {
            Err(NodeError::Invalid("no-hash", "give the BLAKE3 of pack.toml with its address".into()))
        }
        _ => Err(NodeError::Invalid("bad-source", "give either a folder or an address with a hash".into())),
    }
}

/// What the trial of a pack says of the pack, not of a photo.
fn unusable(error: SandboxError) -> NodeError {
    let words = match error {
        SandboxError::Unavailable(_) | SandboxError::TooLarge => return error.into(),
        SandboxError::Model(why) => format!("the model pack cannot be used: {why}"),
        SandboxError::TimedOut => "the model pack cannot be used: trying it took too long".into(),
        SandboxError::Crashed(why) => {
            format!("the model pack cannot be used: it stopped the process that tried it ({why})")
        }
        SandboxError::Refused(reason) => reason.to_string(),
    };
    NodeError::Invalid("unusable-pack", words)
}

impl From<PacksError> for NodeError {
    fn from(error: PacksError) -> Self {
        let mut words = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(deeper) = cause {
            words = format!("{words}: {deeper}");
            cause = deeper.source();
        }
        match error {
            PacksError::NotFound(_) | PacksError::Renamed { .. } | PacksError::Pack(_) => {
                Self::Invalid("unusable-pack", words)
            }
            PacksError::Io { .. } | PacksError::Random | PacksError::Ending => Self::Internal(words),
            PacksError::Known(_) | PacksError::BuiltIn(_) => Self::Conflict("pack-known", words),
            PacksError::TooLarge { .. } => Self::TooLarge(words),
            _ => Self::Invalid("pack-not-added", words),
        }
    }
}
