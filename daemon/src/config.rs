//! What the owner chose when starting the daemon: flags, environment variables and their defaults.

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use libp2p::Multiaddr;

/// Port of the dashboard when none is chosen.
pub const DASHBOARD_PORT: u16 = 7410;
/// Port of the guest page when none is chosen.
pub const GUESTS_PORT: u16 = 7411;

/// Flags of `inframe run`. Each also has an environment variable, for containers and service files.
#[derive(Clone, Debug, clap::Args)]
pub struct RunFlags {
    /// Key file that opens the vault; keep it on another disk than the data folder [default: inframe/key in the configuration folder]
    #[arg(long, env = "INFRAME_KEY_FILE", value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// File with the passphrase, for a vault that has one and no key file; without it the passphrase is asked for on the terminal or, where there is none, in the dashboard
    #[arg(long, env = "INFRAME_PASSPHRASE_FILE", value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
    /// Address of the dashboard, loopback only; port 0 takes a free one
    #[arg(long, env = "INFRAME_DASHBOARD", value_name = "ADDRESS", default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, DASHBOARD_PORT)))]
    pub dashboard: SocketAddr,
    /// Address of the guest page, which is open only while an event of yours has it switched on; port 0 takes a free one
    #[arg(long, env = "INFRAME_GUESTS", value_name = "ADDRESS", default_value_t = SocketAddr::from((Ipv4Addr::UNSPECIFIED, GUESTS_PORT)))]
    pub guests: SocketAddr,
    /// Address at which the dashboard is reached over the network as well, encrypted, with a password: say 0.0.0.0:7414; off by default
    #[arg(long, env = "INFRAME_LAN", value_name = "ADDRESS")]
    pub lan: Option<SocketAddr>,
    /// Certificate for --lan and --guests-tls, as PEM; without it the node makes one for --lan that no browser knows. Taken anew when the file changes
    #[arg(long, env = "INFRAME_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// The private key of that certificate, as PEM
    #[arg(long, env = "INFRAME_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Serve the guest page by HTTPS with that certificate, which the phones of guests have to trust
    #[arg(long, env = "INFRAME_GUESTS_TLS", requires = "tls_cert")]
    pub guests_tls: bool,
    /// Another name under which the dashboard answers, as behind a reverse proxy; may be repeated
    #[arg(long = "host", env = "INFRAME_HOSTS", value_name = "NAME", value_delimiter = ',')]
    pub hosts: Vec<String>,
    /// Multiaddress to listen at for other nodes; may be repeated
    #[arg(
        long,
        env = "INFRAME_P2P",
        value_name = "MULTIADDR",
        value_delimiter = ',',
        default_value = "/ip4/0.0.0.0/tcp/7412"
    )]
    pub p2p: Vec<Multiaddr>,
    /// Do not look for nodes on the local network
    #[arg(long, env = "INFRAME_NO_MDNS")]
    pub no_mdns: bool,
    /// Space to keep free on the disk of the data folder, such as 5GB: imports and receiving wait below that [default: 1 GiB, or a twentieth of
    /// a smaller disk]
    #[arg(long, env = "INFRAME_KEEP_FREE", value_name = "SIZE", value_parser = size)]
    pub keep_free: Option<u64>,
    /// The name that others see; kept from then on
    #[arg(long, env = "INFRAME_NICKNAME", value_name = "NAME")]
    pub nickname: Option<String>,
    /// Name of this device; kept from then on
    #[arg(long, env = "INFRAME_DEVICE_NAME", value_name = "NAME")]
    pub device_name: Option<String>,
    /// Print one line of JSON once everything listens, for scripts
    #[arg(long)]
    pub ready_json: bool,
    /// Open the dashboard in the browser
    #[arg(long)]
    pub open: bool,
}

/// All that a daemon needs to know to start.
#[derive(Clone, Debug)]
pub struct RunConfig {
    /// The data folder; need not exist.
    pub data_dir: PathBuf,
    /// The key file; need not exist at first start.
    pub key_file: PathBuf,
    /// A file with the passphrase.
    pub passphrase_file: Option<PathBuf>,
    /// Where to bind the dashboard.
    pub dashboard: SocketAddr,
    /// Where to bind the guest page, while it is switched on.
    pub guests: SocketAddr,
    /// Where to bind the dashboard for the network, if it is to be reached there.
    pub lan: Option<SocketAddr>,
    /// Files of the owner's certificate and its key.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Whether the guest page is served with that certificate.
    pub guests_tls: bool,
    /// Names under which the dashboard answers besides the loopback ones.
    pub hosts: Vec<String>,
    /// Where to listen for other nodes.
    pub p2p_listen: Vec<Multiaddr>,
    /// Whether to look for nodes on the local network.
    pub mdns: bool,
    /// Bytes to keep free on the disk of the data folder, if given.
    pub keep_free: Option<u64>,
    /// New nickname, if given.
    pub nickname: Option<String>,
    /// New device name, if given.
    pub device_name: Option<String>,
    /// Whether to print the line of JSON.
    pub ready_json: bool,
    /// Whether to open the browser.
    pub open: bool,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Nothing says where the owner's files are.
    #[error(
        "cannot tell where to keep data: set HOME, or name a folder with --data-dir and a key file with --key-file"
    )]
    NoHome,
}

/// The key file that was chosen, or the default one.
///
/// # Errors
/// When the default is needed and no home folder is known.
pub fn key_file_or_default(
    chosen: Option<PathBuf>,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<PathBuf, ConfigError> {
    chosen.map_or_else(|| home_folder(&variable, "XDG_CONFIG_HOME", ".config").map(|f| f.join("key")), Ok)
}

impl RunFlags {
    /// Fills in what was not given; `variable` reads an environment variable.
    ///
    /// # Errors
    /// When a default is needed and no home folder is known.
    pub fn resolve(
        self,
        data_dir: Option<PathBuf>,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<RunConfig, ConfigError> {
        Ok(RunConfig {
            data_dir: data_dir_or_default(data_dir, &variable)?,
            key_file: key_file_or_default(self.key_file, &variable)?,
            passphrase_file: self.passphrase_file,
            dashboard: self.dashboard,
            guests: self.guests,
            lan: self.lan,
            tls: self.tls_cert.zip(self.tls_key),
            guests_tls: self.guests_tls,
            hosts: self.hosts,
            p2p_listen: self.p2p,
            mdns: !self.no_mdns,
            keep_free: self.keep_free,
            nickname: self.nickname,
            device_name: self.device_name,
            ready_json: self.ready_json,
            open: self.open,
        })
    }
}

/// A size in bytes as people write it: a number and B, kB, MB, GB or TB, or KiB, MiB, GiB or TiB.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        "tib" => 1 << 40,
        _ => return Err("give a whole number and a unit, such as 500MB or 5GB".into()),
    };
    let number: u64 = number.parse().map_err(|_| "give a whole number and a unit, such as 500MB or 5GB".to_owned())?;
    number.checked_mul(unit).ok_or_else(|| "that is more than any disk has".to_owned())
}

/// The data folder that was named, else `inframe` in the folder where the desktop keeps data of programs.
///
/// # Errors
/// When a default is needed and no home folder is known.
pub fn data_dir_or_default(
    named: Option<PathBuf>,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<PathBuf, ConfigError> {
    named.map_or_else(|| home_folder(variable, "XDG_DATA_HOME", ".local/share"), Ok)
}

fn home_folder(
    variable: impl Fn(&str) -> Option<OsString>,
    xdg: &str,
    below_home: &str,
) -> Result<PathBuf, ConfigError> {
    // The XDG specification says that relative paths are to be ignored.
    let absolute = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute(xdg).or_else(|| absolute("HOME").map(|home| home.join(below_home)));
    base.map(|base| base.join("inframe")).ok_or(ConfigError::NoHome)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        flags: RunFlags,
    }

    fn resolve(args: &[&str], home: Option<&str>) -> Result<RunConfig, ConfigError> {
        let line = Line::try_parse_from([&["run"], args].concat()).unwrap();
        line.flags.resolve(None, |name| (name == "HOME").then_some(home).flatten().map(OsString::from))
    }

    #[test]
    fn defaults_keep_the_dashboard_on_loopback_and_the_key_outside_the_data_folder() {
        let config = resolve(&[], Some("/h")).unwrap();
        assert_eq!(config.dashboard.to_string(), "127.0.0.1:7410");
        assert_eq!(config.guests.to_string(), "0.0.0.0:7411");
        assert_eq!(config.p2p_listen, ["/ip4/0.0.0.0/tcp/7412".parse().unwrap()]);
        assert_eq!(config.data_dir, Path::new("/h/.local/share/inframe"));
        assert_eq!(config.key_file, Path::new("/h/.config/inframe/key"));
        assert!(!config.key_file.starts_with(&config.data_dir));
        assert!(config.mdns && !config.open && !config.ready_json);
        assert!(
            config.lan.is_none() && config.tls.is_none() && !config.guests_tls,
            "nothing for the network by itself"
        );
    }

    #[test]
    fn a_certificate_comes_with_its_key_and_guests_get_no_other() {
        let parse = |args: &[&str]| Line::try_parse_from([&["run"], args].concat()).is_ok();
        assert!(!parse(&["--tls-cert", "/c"]) && !parse(&["--tls-key", "/k"]) && !parse(&["--guests-tls"]));
        let config =
            resolve(&["--lan", "0.0.0.0:7414", "--tls-cert", "/c", "--tls-key", "/k", "--guests-tls"], Some("/h"));
        let config = config.unwrap();
        assert_eq!(config.tls, Some(("/c".into(), "/k".into())));
        assert!(config.guests_tls && config.lan.is_some_and(|lan| lan.port() == 7414));
    }

    #[test]
    fn default_folders_follow_xdg_and_relative_ones_are_ignored() {
        let resolve = |pairs: &'static [(&str, &str)]| {
            let line = Line::try_parse_from(["run"]).unwrap();
            let find =
                |name: &str| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value));
            line.flags.resolve(None, find).unwrap()
        };
        let both = resolve(&[("XDG_DATA_HOME", "/d"), ("XDG_CONFIG_HOME", "/c"), ("HOME", "/h")]);
        assert_eq!((both.data_dir, both.key_file), ("/d/inframe".into(), "/c/inframe/key".into()));
        let home = resolve(&[("XDG_DATA_HOME", "relative"), ("HOME", "/h")]);
        assert_eq!(home.data_dir, Path::new("/h/.local/share/inframe"));
    }

    #[test]
    fn without_a_home_the_error_says_what_to_give() {
        let error = resolve(&[], None).unwrap_err().to_string();
        assert!(error.contains("--data-dir") && error.contains("--key-file"));
    }

    #[test]
    fn sizes_are_read_as_people_write_them() {
        let good = [("0", 0), ("12", 12), ("5GB", 5_000_000_000), ("5 gb", 5_000_000_000), ("2GiB", 2 << 30)];
        good.iter().for_each(|(text, bytes)| assert_eq!(size(text), Ok(*bytes), "{text}"));
        for bad in ["", "GB", "-1", "1.5GB", "5 gallons", "99999999999999TB"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn flags_win_over_defaults() {
        let args = [
            "--dashboard",
            "127.0.0.1:0",
            "--no-mdns",
            "--p2p",
            "/ip4/127.0.0.1/tcp/0",
            "--key-file",
            "/k",
            "--host",
            "a,b",
        ];
        let config = resolve(&args, Some("/h")).unwrap();
        assert_eq!(config.dashboard.port(), 0);
        assert_eq!(config.p2p_listen, ["/ip4/127.0.0.1/tcp/0".parse().unwrap()]);
        assert_eq!(config.key_file, Path::new("/k"));
        assert_eq!(config.hosts, ["a", "b"]);
        assert!(!config.mdns);
    }
}
