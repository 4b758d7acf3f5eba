//! `inframe doctor`: the daemon's checks, or those that need none.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use libp2p::Multiaddr;
use reqwest::Method;

use super::CliError;
use super::client::Client;
use super::text::{Screen, one_line};
use crate::clock::now_ms;
use crate::config::{DASHBOARD_PORT, size};
use crate::doctor::decoding::TriedPack;
use crate::doctor::multicast::try_all;
use crate::doctor::{Check, Topic, clock, decoding, interfaces, multicast, ports, storage};
use crate::door::Phase;
use crate::packs::list_in;
use crate::sandbox::{Model, Sandbox, SandboxConfig};
use crate::video::Tools;
use crate::views::{CheckView, DoctorView};
use crate::web::VaultView;

/// How often it is asked how far the daemon is.
const ASK: Duration = Duration::from_millis(200);

/// What `inframe run` would be given; of use while no daemon runs.
#[derive(Debug, clap::Args)]
pub(super) struct DoctorArgs {
    /// While no daemon runs: where it would listen for other nodes
    #[arg(
        long,
        env = "INFRAME_P2P",
        value_name = "MULTIADDR",
        value_delimiter = ',',
        default_value = "/ip4/0.0.0.0/tcp/7412"
    )]
    p2p: Vec<Multiaddr>,
    /// While no daemon runs: where its dashboard would be
    #[arg(long, env = "INFRAME_DASHBOARD", value_name = "ADDRESS", default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, DASHBOARD_PORT)))]
    dashboard: SocketAddr,
    /// While no daemon runs: it would not look for nodes on the local network
    #[arg(long, env = "INFRAME_NO_MDNS")]
    no_mdns: bool,
    /// While no daemon runs: space to keep free on the disk of the data folder
    #[arg(long, env = "INFRAME_KEEP_FREE", value_name = "SIZE", value_parser = size)]
    keep_free: Option<u64>,
}

/// How the daemon of the data folder is.
enum Daemon {
    Runs,
    Locked,
    Away,
}

/// Checks everything; the exit code says whether something has failed.
pub(super) async fn run(args: DoctorArgs, folder: &Path, screen: &Screen) -> Result<ExitCode, CliError> {
    let client = Client::new(folder.join("inframe.sock"))?;
    let daemon = match client.get("/vault").await {
        Ok(answer) => match client.view::<VaultView>(&answer)?.phase {
            Phase::Open => Daemon::Runs,
            _ => Daemon::Locked,
        },
        Err(CliError::NotRunning(_)) => Daemon::Away,
        Err(error) => return Err(error),
    };
    let view = match daemon {
        Daemon::Runs => of_the_daemon(&client, screen).await?,
        Daemon::Locked | Daemon::Away => alone(args, folder, &daemon, screen).await,
    };
    let answer = serde_json::to_value(&view).map_err(|error| CliError::Terminal(error.into()))?;
    screen.show(&answer, || Ok::<_, CliError>(lines(&view.checks)))?;
    let failed = view.checks.iter().any(|check| check.state == "failed");
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn of_the_daemon(client: &Client, screen: &Screen) -> Result<DoctorView, CliError> {
    let mut view: DoctorView = client.view(&client.json(Method::POST, "/doctor", None::<&()>).await?)?;
    while view.running {
        screen.progress(&format!("Checking: {} of {}", view.done, view.of));
        tokio::time::sleep(ASK).await;
        view = client.view(&client.get("/doctor").await?)?;
    }
    screen.progress_over();
    Ok(view)
}

/// The checks that need no daemon. What the vault holds is not known here: no relay, no event, not which model pack is in use.
async fn alone(args: DoctorArgs, folder: &Path, daemon: &Daemon, screen: &Screen) -> DoctorView {
    let mut checks = Vec::new();
    let mut note = |check: Check| {
        screen.progress(&format!("Checked: {}", check.topic.title()));
        checks.push(check.view());
    };
    note(match daemon {
        Daemon::Locked => Check::warning(
            Topic::Daemon,
            "The daemon runs, but its vault is locked: nothing is shared, and the relay is not checked.",
            "Unlock it with `inframe unlock` or in the dashboard, then check again.",
        ),
        _ => Check::warning(
            Topic::Daemon,
            format!(
                "No daemon runs on {}: nothing is shared, and the router and the relay are not checked.",
                folder.display()
            ),
            "Start it with `inframe run`, then check again; another data folder is named with --data-dir.",
        ),
    });
    let found = interfaces::all();
    note(interfaces::check(&found));
    let tried = (!args.no_mdns).then(|| try_all(&found.unwrap_or_default()));
    note(multicast::check(tried.as_deref()));
    if matches!(daemon, Daemon::Away) {
        note(ports::check_free(&args.p2p, args.dashboard));
    }
    note(clock::check(&clock::Known { now: now_ms(), saved: clock::last_saved(folder), ..clock::Known::default() }));
    note(storage::check(folder, args.keep_free));
    decoders(folder, &mut note).await;
    screen.progress_over();
    let done = u32::try_from(checks.len()).unwrap_or(u32::MAX);
    DoctorView { running: false, done, of: done, at: Some(now_ms()), checks }
}

async fn decoders(folder: &Path, note: &mut impl FnMut(Check)) {
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return note(decoding::sandbox(Err(error.to_string()))),
    };
    let sandbox = Sandbox::start(SandboxConfig::new(program.clone()));
    let models = folder.join("models");
    let mut tried = Vec::new();
    if !Model::builtin().id.is_empty() {
        tried.push(TriedPack::run(&sandbox, &Model::builtin()).await);
    }
    for pack in list_in(&models).unwrap_or_default().into_iter().filter(|pack| !pack.built_in) {
        tried.push(match pack.facts {
            Ok(facts) => TriedPack::run(&sandbox, &Model::in_folder(&facts.id, models.join(&pack.id))).await,
            Err(error) => TriedPack::missing(pack.id, error.to_string()),
        });
    }
    note(decoding::models(&tried));
    let warmed = sandbox.warm().await.map_err(|error| error.to_string());
    let report = sandbox.status().report;
    note(decoding::sandbox(warmed.map(|()| (report.active.as_slice(), report.gaps.as_slice()))));
    sandbox.shutdown().await;
    note(decoding::videos(Tools::on_path(program).are_there()));
}

fn lines(checks: &[CheckView]) -> Vec<String> {
    let word = |check: &CheckView| match check.state.as_str() {
        "good" => "good",
        "warning" => "WARNING",
        "failed" => "FAILED",
        _ => "not checked",
    };
    let width = checks.iter().map(|check| check.title.chars().count()).max().unwrap_or(0);
    let mut lines = Vec::new();
    for check in checks {
        lines.push(format!("{:<11}  {:<width$}  {}", word(check), one_line(&check.title), one_line(&check.found)));
        let advice = check.advice.iter().filter(|_| check.state != "good");
        lines.extend(advice.map(|advice| format!("{:<11}  {:<width$}  -> {}", "", "", one_line(advice))));
    }
    let count = |state: &str| checks.iter().filter(|check| check.state == state).count();
    lines.push(format!(
        "{} good, {} with a warning, {} failed, {} not checked",
        count("good"),
        count("warning"),
        count("failed"),
        count("not-checked")
    ));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_well_is_written_large_with_what_to_do_below_it() {
        let checks = [
            Check::good(Topic::Clock, "It is noon.").view(),
            Check::failed(Topic::Disk, "It is full.\x1b[2J", "Delete something.").view(),
        ];
        let lines = lines(&checks);
        assert_eq!(lines[0], "good         Clock  It is noon.");
        assert_eq!(lines[1], "FAILED       Disk   It is full.\u{fffd}[2J");
        assert_eq!(lines[2].trim(), "-> Delete something.");
        assert_eq!(lines[3], "1 good, 0 with a warning, 1 failed, 0 not checked");
    }
}
