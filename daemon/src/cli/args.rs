//! The grammar of the command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

use super::backup::{BackupArgs, RestoreArgs};
use super::doctor::DoctorArgs;
use super::export::ExportArgs;
use super::keep::KeepArgs;
use super::keys::{By, KeysCommand};
use super::models::ModelsCommand;
use super::notices::NoticesCommand;
use super::password::PasswordCommand;
use super::relay::RelayFlags;
use super::sharing::ApprovalCommand;
use super::traffic::TrafficArgs;
use super::trash::TrashCommand;
use super::verify::VerifyArgs;
use super::when::{end, start};
use crate::config::RunFlags;

/// Get every photo that you are in, straight from the people who took it.
#[derive(Parser)]
#[command(name = "inframe", version)]
pub struct Cli {
    /// Folder in which the daemon keeps everything [default: inframe in the desktop's data folder]
    #[arg(long, global = true, env = "INFRAME_DATA_DIR", value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,
    /// Print the daemon's answers as JSON
    #[arg(long, global = true)]
    pub json: bool,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Subcommand)]
pub(super) enum Command {
    /// Start the daemon
    Run(Box<RunFlags>),
    /// Import photos from files and folders
    Import {
        /// Files or folders
        #[arg(required = true, value_name = "PATH")]
        paths: Vec<PathBuf>,
    },
    /// Found events, invite, join, decide who may have what
    #[command(subcommand)]
    Event(EventCommand),
    /// Your face: consent, selfies
    #[command(subcommand)]
    Profile(ProfileCommand),
    /// The people in your photos; what you call them never leaves this node
    #[command(subcommand)]
    People(PeopleCommand),
    /// What was deleted in the last 30 days: restore it, or delete it for good
    #[command(subcommand)]
    Trash(TrashCommand),
    /// Ask the members of an event for photos of you
    #[command(subcommand)]
    FindMe(FindMeCommand),
    /// Photos that wait for your decision
    #[command(subcommand)]
    Approvals(ApprovalCommand),
    /// The networks that find and describe faces
    #[command(subcommand)]
    Models(ModelsCommand),
    /// Ways to unlock the vault: key file, passphrase, recovery phrase
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Lock the vault of the running daemon: no key stays in memory, sharing stops
    Lock,
    /// Unlock the vault of the running daemon
    Unlock(By),
    /// The copy of the vault in another folder: where, how often, now
    Backup(BackupArgs),
    /// Read every file of the vault, and mend what is damaged
    Verify(VerifyArgs),
    /// Bring a backup back into an empty data folder, while no daemon runs in it
    Restore(RestoreArgs),
    /// Write all originals, plain, with sidecars into a folder; again writes what is new
    Export(ExportArgs),
    /// Destroy everything in the data folder and the key file, for good; asks first
    Erase(By),
    /// Nodes that this one knows
    Peers {
        /// Say where one is, by an address that `inframe status` shows there: it is tried now, and again until the daemon stops
        #[arg(long, value_name = "ADDRESS")]
        add: Option<String>,
    },
    /// Be reached across the internet: the relay that this node uses, and whether it does
    MyRelay {
        #[command(subcommand)]
        wish: Option<MyRelayCommand>,
    },
    /// Run a relay: a small server through which nodes behind routers reach each other. Needs no vault
    Relay(RelayFlags),
    /// The node at a glance
    Status,
    /// Check everything the node depends on, and say what to do about what is not well; also while no daemon runs
    Doctor(DoctorArgs),
    /// Photos on their way
    Transfers {
        /// Try this one again now
        #[arg(long, value_name = "ID")]
        retry: Option<String>,
    },
    /// What left, arrived, was asked or looked suspicious
    Activity {
        /// Number of entries
        #[arg(long, default_value_t = 30)]
        limit: u32,
    },
    /// How much of the line transfers may have, and when; shows it, or changes what is given
    Traffic(TrafficArgs),
    /// What you are told of, and where it is sent to; shows what holds, or changes it
    Notices {
        #[command(subcommand)]
        wish: Option<NoticesCommand>,
    },
    /// Keep sealed photos for members who are away; shows what holds, or changes it
    Keep(KeepArgs),
    /// Let imports, watched folders and the search for faces rest
    Pause,
    /// Let them go on
    Resume,
    /// Files over which decoders stopped three times
    Quarantine {
        /// Try this one again now
        #[arg(long, value_name = "ID")]
        retry: Option<String>,
    },
    /// Print a fresh link that signs a browser in to the dashboard, once
    Open {
        /// For a browser on another device, where the daemon runs with --lan
        #[arg(long)]
        lan: bool,
    },
    /// The password that signs in to the dashboard from other devices
    #[command(subcommand)]
    Password(PasswordCommand),
    /// Print the OpenAPI document
    #[command(hide = true)]
    Openapi,
}

/// What to do about the relay that this node uses.
#[derive(Subcommand)]
pub(super) enum MyRelayCommand {
    /// Be reached through this one
    Set {
        /// What `inframe relay` prints: /ip4/203.0.113.7/tcp/7413/p2p/12D3KooW...
        address: String,
        /// The token that it prints
        #[arg(env = "INFRAME_RELAY_TOKEN", hide_env_values = true)]
        token: String,
    },
    /// Use none
    Off,
}

/// How a policy reads.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum PolicyArg {
    /// Ask for each new person
    Ask,
    /// Send sure matches without asking
    Automatic,
    /// Send nothing
    Never,
    /// With --member: as for the event
    Event,
}

/// Which photos take part in an event.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum ScopeArg {
    /// Those taken between start and end
    Window,
    /// All
    All,
    /// Those chosen by hand
    Chosen,
}

/// What is asked of photos that show somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum WishArg {
    /// They go as usual
    AsUsual,
    /// The face is blurred
    Blur,
    /// They do not go
    HoldBack,
    /// The face is not blurred, also where the event blurs bystanders
    Show,
}

// Not to be printed: an invite link holds a secret.
#[derive(Subcommand)]
pub(super) enum EventCommand {
    /// Found an event
    Create {
        /// Its name
        name: String,
        /// Start: 2026-05-01, 2026-05-01T14:00 or with an offset
        #[arg(long, value_parser = start, value_name = "TIME")]
        starts: Option<u64>,
        /// End; a day alone means all of it
        #[arg(long, value_parser = end, value_name = "TIME")]
        ends: Option<u64>,
    },
    /// Make an invite and show it as a link and a QR code
    Invite {
        /// Name or id of the event
        event: String,
        /// Life of the invite in hours [default: 48]
        #[arg(long)]
        hours: Option<u64>,
        /// How many may use it [default: 1]
        #[arg(long)]
        uses: Option<u32>,
    },
    /// List the invites of an event, and who came by each (host only)
    Invites {
        /// Name or id of the event
        event: String,
    },
    /// An invite leaked: withdraw it, give the members new keys and make a fresh one (host only)
    Leaked {
        /// Name or id of the event
        event: String,
        /// Id of the invite, or its first letters; without it all invites of the event
        #[arg(long, value_name = "ID")]
        invite: Option<String>,
        /// Remove this member, who came in by it; more than once for several
        #[arg(long, value_name = "MEMBER")]
        remove: Vec<String>,
        /// Remove everybody who came in by it
        #[arg(long, conflicts_with = "remove")]
        remove_all: bool,
    },
    /// Show a short code that people on this network can type, for ten minutes (host only)
    Code {
        /// Name or id of the event
        event: String,
        /// Id of the invite that it stands for, or its first letters [default: a new one]
        #[arg(long, value_name = "ID")]
        invite: Option<String>,
        /// How many may use the new invite [default: 1]
        #[arg(long, conflicts_with = "invite")]
        uses: Option<u32>,
        /// Stop showing it
        #[arg(long, conflicts_with_all = ["invite", "uses"])]
        stop: bool,
    },
    /// Join with an invite link, or with a code that a host on this network shows
    Join {
        /// The link, or the eight digits
        #[arg(required = true, num_args = 1..)]
        link: Vec<String>,
    },
    /// List events
    List,
    /// Show one event
    Show {
        /// Name or id of the event
        event: String,
    },
    /// Admit somebody who asks to join (host, or co-host while the host's device is connected)
    Admit {
        /// Name or id of the event
        event: String,
        /// Nickname or id of the person; everybody who waits when absent
        member: Option<String>,
        /// Refuse instead
        #[arg(long)]
        refuse: bool,
    },
    /// Say who gets photos: by event or by person
    Policy {
        /// Name or id of the event
        event: String,
        /// The policy
        policy: PolicyArg,
        /// Only towards this member
        #[arg(long, value_name = "MEMBER")]
        member: Option<String>,
    },
    /// Choose what photos still say of their taking when they go to a member; without any of the three, nothing
    Details {
        /// Name or id of the event
        event: String,
        /// Nickname or id of the member
        member: String,
        /// When they were taken
        #[arg(long)]
        time: bool,
        /// Where they were taken, to the metre: also where you live, if you take some there
        #[arg(long)]
        place: bool,
        /// With what camera
        #[arg(long)]
        camera: bool,
    },
    /// Change which photos take part, and how people are admitted
    Change {
        /// Name or id of the event
        event: String,
        /// Which photos take part
        #[arg(long)]
        scope: Option<ScopeArg>,
        /// Whether valid invites are admitted without asking (host only)
        #[arg(long, value_name = "true|false")]
        admit_automatically: Option<bool>,
        /// Whether everybody's device blurs the faces of bystanders in what it sends (host only)
        #[arg(long, value_name = "true|false")]
        blur_bystanders: Option<bool>,
        /// Whether children are present: every photo is asked about, bystanders are blurred (host only)
        #[arg(long, value_name = "true|false")]
        children_present: Option<bool>,
        /// Whether the members see your name and e-mail address (see `inframe profile contact`)
        #[arg(long, value_name = "true|false")]
        show_contact: Option<bool>,
    },
    /// Say what is to become of photos of you before they go to anybody else
    Protect {
        /// Name or id of the event
        event: String,
        /// What you wish
        wish: WishArg,
        /// Whose photos: `me`, or the name or id of a child's profile
        #[arg(long, default_value = "me", value_name = "PROFILE")]
        profile: String,
        /// Consent without being asked
        #[arg(long)]
        yes: bool,
    },
    /// Make a member a co-host, who admits and removes while this device is connected (host only)
    CoHost {
        /// Name or id of the event
        event: String,
        /// Nickname or id of the member
        member: String,
        /// Make them a member like others again
        #[arg(long)]
        no_longer: bool,
    },
    /// Remove a member (host, or co-host while the host's device is connected)
    Remove {
        /// Name or id of the event
        event: String,
        /// Nickname or id of the member
        member: String,
    },
    /// Give all members new keys now (host only); it happens by itself every week
    RenewKeys {
        /// Name or id of the event
        event: String,
    },
    /// Leave an event
    Leave {
        /// Name or id of the event
        event: String,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum ProfileCommand {
    /// Read the consent text and consent to face finding
    Consent {
        /// Consent without a question; the text is printed all the same
        #[arg(long)]
        yes: bool,
    },
    /// Make a profile for a child whose guardian you are; the declaration is shown and asked for
    Child {
        /// What to call the profile; it never leaves this device
        name: String,
        /// Declare without a question; the text is printed all the same
        #[arg(long)]
        yes: bool,
    },
    /// Enrol a face from pictures; others are told that they were not taken live
    Enrol {
        /// Pictures that show the person alone
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Whose: `me`, or the name or id of a child's profile
        #[arg(long, default_value = "me")]
        profile: String,
    },
    /// Show every profile
    Show,
    /// Your name and e-mail address, both optional; nobody gets them but events where you choose so
    Contact {
        /// Your name; empty to remove it
        #[arg(long)]
        name: Option<String>,
        /// Your e-mail address; empty to remove it
        #[arg(long)]
        email: Option<String>,
    },
    /// Proofs of every consent and declaration, with the texts
    Receipts {
        /// Check the signatures of receipts that were saved to this file instead
        #[arg(long, value_name = "FILE")]
        check: Option<PathBuf>,
    },
    /// Withdraw a child everywhere and erase their profile
    Remove {
        /// Name or id of the child's profile
        #[arg(long)]
        profile: String,
        /// Without a question
        #[arg(long)]
        yes: bool,
    },
    /// Erase all profiles, face templates and consent, and withdraw everywhere
    Erase {
        /// Without a question
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum PeopleCommand {
    /// List people, most photos first
    List {
        /// Hidden ones as well
        #[arg(long)]
        all: bool,
    },
    /// Give a person a name
    Name {
        /// Name or id of the person, or its first letters
        person: String,
        /// The name; empty takes it away
        name: String,
    },
    /// Two people are one
    Merge {
        /// Name or id of the person who becomes part of the other
        person: String,
        /// Name or id of the person who stays
        into: String,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum FindMeCommand {
    /// Announce your face, or a child's, to the members of an event
    Start {
        /// Name or id of the event
        event: String,
        /// Whom: `me`, or the name or id of a child's profile
        #[arg(long, default_value = "me")]
        profile: String,
        /// How long, in hours
        #[arg(long, default_value_t = 24)]
        hours: u32,
        /// Consent without a question; the text is printed all the same
        #[arg(long)]
        yes: bool,
    },
    /// Withdraw the announcement
    Stop {
        /// Name or id of the event
        event: String,
        /// Whose: `me`, or the name or id of a child's profile
        #[arg(long, default_value = "me")]
        profile: String,
    },
    /// Where faces are announced
    List,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_grammar_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn hidden_commands_are_not_listed() {
        let help = Cli::command().render_long_help().to_string();
        assert!(!help.contains("openapi"));
        assert!(help.contains("find-me"));
    }
}
