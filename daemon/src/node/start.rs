//! Bringing up every part of a node in order, and down again in the reverse one.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, Weak};

use inframe_models::PackError;
use libp2p::Multiaddr;

use super::{Node, Place};
use crate::activity::{Activity, ActivityKind};
use crate::clock::now_ms;
use crate::data_dir::DataDir;
use crate::disk::Disk;
use crate::events::{Events, EventsError};
use crate::faces::{ActivePack, Faces, Profiles};
use crate::guest::Guests;
use crate::ledger::Ledger;
use crate::library::{Imports, Library, LibraryError, StoredDamage, finish_purges};
use crate::live::{Live, What};
use crate::network::{Network, NetworkConfig};
use crate::packs::{Packs, PacksError};
use crate::people::People;
use crate::sandbox::{Model, Sandbox, SandboxConfig, most_processes};
use crate::settings::{
    BackgroundRow, BackupRow, ExportRow, KeepingRow, NoticesRow, RelayRow, Settings, SettingsRow, TrafficRow, UndoRow,
    VerifiedRow, clean_nickname, generated_nickname, host_name,
};
use crate::sharing::kept::{StoredDeposit, StoredHeld, StoredSealed};
use crate::sharing::ledgers::ArrivalState;
use crate::tasks::{ShutdownReport, Stage, Tasks};
use crate::tls::Tls;
use crate::vault::{BlobId, KeyFile, Keys, Kind, Opening, SlotKind, Subkey, Vault, VaultError};
use crate::video::Tools;
use crate::workers::keeping::held_blob;
use crate::workers::{self, Board, Core, Desk, Lanes, embeddings};

/// What a node is started with.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// Where an unattended start finds its secret.
    pub key_file: KeyFile,
    /// Where to listen for other nodes.
    pub listen: Vec<Multiaddr>,
    /// Whether to look for nodes on the local network.
    pub mdns: bool,
    /// Where the dashboard is.
    pub dashboard: SocketAddr,
    /// The certificate with which it is reached over the network, if it is.
    pub certificate: Option<Tls>,
    /// Bytes to keep free on the disk of the data folder, if the owner said so.
    pub keep_free: Option<u64>,
    /// New nickname, if given.
    pub nickname: Option<String>,
    /// New device name, if given.
    pub device_name: Option<String>,
    /// The binary whose argument `worker` starts a decode process.
    pub program: PathBuf,
}

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The vault cannot be opened.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The built-in model pack cannot be used.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// The folder of model packs cannot be read.
    #[error(transparent)]
    Packs(#[from] PacksError),
    /// The library cannot be read.
    #[error(transparent)]
    Library(#[from] LibraryError),
    /// The events cannot be read.
    #[error(transparent)]
    Events(#[from] EventsError),
    /// The network cannot be started.
    #[error(transparent)]
    Network(#[from] crate::network::StartError),
    /// A name is empty or holds nothing that can be shown.
    #[error("the {0} is empty: give it at least one visible character")]
    EmptyName(&'static str),
    /// No random numbers.
    #[error("the system gives no random numbers")]
    Random,
    /// A step panicked.
    #[error("starting was broken off: {0}")]
    BrokenOff(String),
}

impl Node {
    /// Starts every part on the vault in `dir`, which `keys` opens; returns once the node listens. Needs a running tokio runtime. `unlocked_by` is how
    /// the owner gave the keys.
    ///
    /// # Errors
    /// A [`StartError`] that says what to do; nothing runs on then.
    pub async fn start(
        config: NodeConfig,
        dir: DataDir,
        keys: Keys,
        unlocked_by: SlotKind,
    ) -> Result<Self, StartError> {
        let names = Names::of(&config)?;
        let tasks = Tasks::new();
        let live = Live::default();
        let sandbox_config = SandboxConfig::new(config.program.clone());
        let sandbox_processes = most_processes();
        let sandbox = Sandbox::start(sandbox_config);
        let place = Place {
            dir: dir.clone(),
            key_file: config.key_file.clone(),
            unlocked_by,
            listen: config.listen.clone(),
            mdns: config.mdns,
            dashboard: config.dashboard,
            certificate: config.certificate.clone(),
            keep_free: config.keep_free,
        };
        let stored = {
            let (live, sandbox, keep_free) = (live.clone(), sandbox.clone(), config.keep_free);
            let opened =
                tokio::task::spawn_blocking(move || Stored::open(&dir, keys, keep_free, names, &live, sandbox));
            opened.await.map_err(|error| StartError::BrokenOff(error.to_string()))??
        };
        let seed = stored.vault.subkey(Subkey::Identity);
        let network_config = NetworkConfig { seed, listen: config.listen, mdns: config.mdns };
        let (network, incoming, swarm) = Network::start(&network_config)?;
        tasks.spawn(Stage::Network, "network", swarm);
        let (events, live_events) = (stored.vault.clone(), live.clone());
        let me = network.node_id();
        let events = tokio::task::spawn_blocking(move || Events::open(events, live_events, me));
        let events = events.await.map_err(|error| StartError::BrokenOff(error.to_string()))??;
        let Stored {
            disk,
            vault,
            settings,
            background,
            backup,
            verified,
            damage,
            unnamed,
            export,
            relay,
            activity,
            packs,
            model,
            pack,
            library,
            faces,
            people,
            profile,
            seen_files,
            approvals,
            recalls,
            asked_back,
            deliveries,
            arrivals,
            deposits,
            held,
            sealed,
            keeping_row,
            traffic,
            undo_time,
            notices,
            notice_desk,
            guests,
        } = stored;
        sandbox.use_model(model).await;
        let core = Arc::new(Core {
            imports: Imports::new(live.clone()),
            board: Board::new(live.clone()),
            watchers: Default::default(),
            progress: Default::default(),
            rounds: Default::default(),
            projected: Default::default(),
            undo: Default::default(),
            filing: Default::default(),
            challenges: Default::default(),
            started_at: now_ms(),
            tasks,
            live,
            disk,
            vault,
            settings,
            background,
            backup,
            backup_state: Default::default(),
            verified,
            verify_state: Default::default(),
            damage,
            unnamed: Mutex::new(unnamed),
            export,
            relay,
            export_state: Default::default(),
            doctor: Default::default(),
            activity,
            sandbox,
            sandbox_processes,
            videos: Tools::on_path(config.program),
            video_progress: Default::default(),
            guest_videos: Default::default(),
            packs,
            pack,
            library,
            seen_files,
            faces,
            people,
            face_pictures: Default::default(),
            profile,
            events,
            guests,
            approvals,
            recalls,
            asked_back,
            deliveries,
            arrivals,
            deposits,
            held,
            sealed,
            keeping_row,
            traffic,
            undo_time,
            notices,
            notice_desk,
            keeping: Default::default(),
            up: Default::default(),
            down: Default::default(),
            fetches: Lanes::new(workers::FETCH_PAUSE),
            offers: Lanes::new(workers::OFFER_PAUSE),
            lists: Default::default(),
            network,
        });
        core.network.listening().await;
        core.apply(core.background.get());
        core.apply_traffic();
        let warming = core.clone();
        core.tasks.spawn(Stage::Work, "first decode process", async move {
            if let Err(error) = warming.sandbox.warm().await {
                tracing::warn!("{error}");
            }
            warming.live.tell(What::Status, None);
        });
        workers::start(&core, incoming);
        let node = Self { core, place: Arc::new(place) };
        node.start_relay().await;
        Ok(node)
    }

    /// Addresses at which other nodes reach this one.
    #[must_use]
    pub fn addresses(&self) -> Vec<String> {
        self.core.network.addresses()
    }

    /// The tasks of the node; the web edge spawns its own in [`Stage::Edge`].
    #[must_use]
    pub fn tasks(&self) -> &Tasks {
        &self.core.tasks
    }

    /// To see, after [`Node::stop`], whether anything still holds the node and its keys.
    #[must_use]
    pub fn remains(&self) -> Remains {
        Remains(Arc::downgrade(&self.core))
    }

    /// Notes that somebody tried to unlock the vault with wrong secrets.
    pub async fn note_wrong_secrets(&self, times: u32) {
        let times = if times == 1 { "once".to_owned() } else { format!("{times} times") };
        let text = format!("Somebody tried to unlock this vault with a wrong passphrase or wrong words, {times}");
        let core = self.core.clone();
        let noted = move || core.activity.note(ActivityKind::Suspicious, text, None, None);
        if let Ok(Err(error)) = tokio::task::spawn_blocking(noted).await {
            tracing::warn!("the wrong tries could not be noted: {error}");
        }
    }

    /// Stops every part in order and leaves the vault settled.
    pub async fn stop(&self) -> ShutdownReport {
        let report = self.core.tasks.shutdown(crate::limits::SHUTDOWN_PATIENCE).await;
        self.core.sandbox.shutdown().await;
        let vault = self.core.vault.clone();
        match tokio::task::spawn_blocking(move || vault.settle()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!("the catalog's snapshot was not written, nothing is lost: {error}"),
            Err(_) => tracing::error!("settling the vault panicked"),
        }
        report
    }
}

/// What may be left of a node that was stopped.
#[derive(Debug)]
pub struct Remains(Weak<Core>);

impl Remains {
    /// Whether nothing is: every part of it, the keys included, was dropped.
    #[must_use]
    pub fn gone(&self) -> bool {
        self.0.strong_count() == 0
    }
}

/// Names given on the command line, cleaned.
struct Names {
    nickname: Option<String>,
    device_name: Option<String>,
}

impl Names {
    fn of(config: &NodeConfig) -> Result<Self, StartError> {
        let clean = |name: &Option<String>, what| match name.as_deref().map(clean_nickname) {
            Some(name) if name.is_empty() => Err(StartError::EmptyName(what)),
            name => Ok(name),
        };
        Ok(Self {
            nickname: clean(&config.nickname, "nickname")?,
            device_name: clean(&config.device_name, "device name")?,
        })
    }
}

/// The parts that only need the disk.
struct Stored {
    disk: Disk,
    vault: Vault,
    settings: SettingsRow,
    background: BackgroundRow,
    backup: BackupRow,
    verified: VerifiedRow,
    damage: Ledger<StoredDamage>,
    /// Blobs that no row names, if rows may be lost.
    unnamed: Option<Vec<BlobId>>,
    export: ExportRow,
    relay: RelayRow,
    activity: Activity,
    packs: Packs,
    /// The pack to begin with.
    model: Model,
    pack: ActivePack,
    library: Library,
    faces: Faces,
    people: People,
    profile: Profiles,
    seen_files: Ledger<workers::SeenFile>,
    approvals: Ledger<crate::sharing::ledgers::StoredApproval>,
    recalls: Ledger<crate::sharing::recalls::StoredRecall>,
    asked_back: Ledger<crate::sharing::recalls::StoredRecall>,
    deliveries: Ledger<crate::sharing::ledgers::StoredDelivery>,
    arrivals: Ledger<crate::sharing::ledgers::StoredArrival>,
    deposits: Ledger<StoredDeposit>,
    held: Ledger<StoredHeld>,
    sealed: Ledger<StoredSealed>,
    keeping_row: KeepingRow,
    traffic: TrafficRow,
    undo_time: UndoRow,
    notices: NoticesRow,
    notice_desk: Desk,
    guests: Guests,
}

impl Stored {
    fn open(
        dir: &DataDir,
        keys: Keys,
        keep_free: Option<u64>,
        names: Names,
        live: &Live,
        sandbox: Sandbox,
    ) -> Result<Self, StartError> {
        let vault = Vault::with(dir, keys)?;
        finish_purges(&vault)?;
        let generated = generated_nickname().map_err(|_| StartError::Random)?;
        let first = || Settings { nickname: generated, device_name: host_name(), watched_folders: Vec::new() };
        let settings = SettingsRow::open(vault.clone(), first)?;
        if names.nickname.is_some() || names.device_name.is_some() {
            settings.change(|settings| {
                if let Some(nickname) = names.nickname {
                    settings.nickname = nickname;
                }
                if let Some(device_name) = names.device_name {
                    settings.device_name = device_name;
                }
            })?;
        }
        let disk = Disk::of(&dir.root, keep_free);
        let packs = Packs::open(dir.models.clone(), vault.clone())?;
        let (pack, model) = chosen_pack(&packs)?;
        let faces = Faces::open(&vault)?;
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|_| StartError::Random)?;
        let people = People::open(vault.clone(), faces.clone(), embeddings(&pack.get()), seed)?;
        let mut stored = Self {
            activity: Activity::open(vault.clone(), live.clone())?,
            library: Library::open(vault.clone(), sandbox, live.clone(), disk.clone())?,
            faces,
            people,
            profile: Profiles::open(vault.clone(), pack.clone())?,
            background: BackgroundRow::open(vault.clone())?,
            backup: BackupRow::open(vault.clone())?,
            verified: VerifiedRow::open(vault.clone())?,
            damage: Ledger::open(vault.clone(), Kind::Damage)?,
            unnamed: None,
            export: ExportRow::open(vault.clone())?,
            relay: RelayRow::open(vault.clone())?,
            seen_files: Ledger::open(vault.clone(), Kind::ImportedFile)?,
            approvals: Ledger::open_versioned(vault.clone(), Kind::Approval)?,
            recalls: Ledger::open(vault.clone(), Kind::Recall)?,
            asked_back: Ledger::open(vault.clone(), Kind::AskedBack)?,
            deliveries: Ledger::open_versioned(vault.clone(), Kind::Delivery)?,
            arrivals: Ledger::open(vault.clone(), Kind::Incoming)?,
            deposits: Ledger::open_versioned(vault.clone(), Kind::Deposit)?,
            held: Ledger::open(vault.clone(), Kind::Held)?,
            sealed: Ledger::open(vault.clone(), Kind::Sealed)?,
            keeping_row: KeepingRow::open(vault.clone())?,
            traffic: TrafficRow::open(vault.clone())?,
            undo_time: UndoRow::open(vault.clone())?,
            notices: NoticesRow::open(vault.clone())?,
            notice_desk: Desk::open(&vault)?,
            guests: Guests::open(&vault, live.clone())?,
            settings,
            packs,
            model,
            pack,
            vault,
            disk,
        };
        stored.people.set_aside(|| stored.library.trash_ids());
        stored.unnamed = stored.sweep()?;
        Ok(stored)
    }

    /// Says, at the start that found it, that the catalog has lost records.
    fn tell_of_losses(&self) {
        tracing::error!(
            "the catalog has lost records: files that no record names are looked into now, and none is removed"
        );
        if matches!(self.vault.catalog().opening(), Opening::Opened { .. }) {
            return;
        }
        let text = "The catalog was damaged and records are lost. Photos are found again in their files; what only the catalog knew, such as names and decisions, may be missing";
        if let Err(error) = self.activity.note(ActivityKind::Suspicious, text.into(), None, None) {
            tracing::warn!("the loss could not be noted: {error}");
        }
    }

    /// Erases blobs that no row names. While rows may be lost it erases none, and gives them: they are looked into one by one.
    fn sweep(&self) -> Result<Option<Vec<BlobId>>, StartError> {
        let deliveries = self.deliveries.all();
        let renditions = deliveries.iter().filter_map(|(_, row)| row.rendition.as_ref().map(|made| made.blob));
        let mut arriving: HashSet<BlobId> = HashSet::new();
        for (key, row) in self.arrivals.all() {
            arriving.extend(match row.state {
                ArrivalState::Accepted => key.as_slice().try_into().ok().map(BlobId),
                ArrivalState::Stored(blob) => Some(blob),
                ArrivalState::Done(_) | ArrivalState::Failed => None,
            });
        }
        // What is kept for others is named in the same way.
        arriving.extend(
            self.held.all().iter().filter(|(_, row)| row.bytes() > 0).map(|(_, row)| held_blob(row.delivery.label())),
        );
        let pieces = self.guests.piece_blobs();
        let named = renditions.chain(arriving.iter().copied()).chain(pieces);
        let unnamed = self.library.unnamed(&named.collect())?;
        if self.vault.is_incomplete() {
            self.tell_of_losses();
            return Ok(Some(unnamed));
        }
        let blobs = self.vault.blobs();
        for id in unnamed {
            blobs.remove(id).map_err(VaultError::from)?;
        }
        for id in blobs.list_incoming().map_err(VaultError::from)?.into_iter().filter(|id| !arriving.contains(id)) {
            blobs.discard_incoming(id).map_err(VaultError::from)?;
        }
        Ok(None)
    }
}

/// The pack that the owner chose. Where it cannot be used, the built-in one stands in its place but finds no faces: nothing shall be looked at
/// anew because a file is damaged.
fn chosen_pack(packs: &Packs) -> Result<(ActivePack, Model), StartError> {
    let builtin = Model::builtin();
    let chosen = packs.chosen()?.unwrap_or_else(|| builtin.id.to_string());
    let (facts, model) = match packs.find(&chosen) {
        Ok(found) => found,
        Err(error) if chosen != *builtin.id => {
            tracing::error!("the model pack {chosen} cannot be used: {error}");
            packs.set_trouble(Some(format!("the model pack {chosen} cannot be used: {error}")));
            packs.find(&builtin.id)?
        }
        Err(error) => return Err(error.into()),
    };
    Ok((ActivePack::new(facts.into()), model))
}
