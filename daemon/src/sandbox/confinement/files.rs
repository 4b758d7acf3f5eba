//! The file system and TCP ports, closed by the kernel (landlock).

use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, LandlockStatus, RestrictionStatus, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope, path_beneath_rules,
};

use super::{Report, ToolFiles};

/// What all rules are written for; older kernels hold a part of them.
const LEVEL: ABI = ABI::V6;

/// Folders of the machine's libraries, for reading and running: the loader of dynamic libraries is a program too.
const LIBRARIES: [&str; 7] = ["/lib", "/lib32", "/lib64", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/local/lib"];
/// What libraries read when they start, with nothing in it about the owner.
const READABLE: [&str; 8] = [
    "/usr/share",
    "/nix/store",
    "/etc/ld.so.cache",
    "/proc/cpuinfo",
    "/sys/devices/system/cpu",
    "/sys/devices/system/node",
    "/dev/urandom",
    "/dev/zero",
];

/// Closes the file system and the network for good; what is open stays open.
pub(super) fn close(report: &mut Report) {
    note(ruleset().and_then(RulesetCreated::restrict_self), "no file can be opened", report);
}

/// Leaves to `tool` itself, the machine's libraries, and what is allowed.
pub(super) fn restrict(tool: &Path, allowed: &ToolFiles, report: &mut Report) {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let run = read | AccessFs::Execute;
    let write = AccessFs::from_write(LEVEL) & !AccessFs::MakeBlock & !AccessFs::MakeChar & !AccessFs::MakeSock;
    let restricted = ruleset().and_then(|rules| {
        rules
            .add_rules(path_beneath_rules(LIBRARIES, run))?
            .add_rules(path_beneath_rules([tool], AccessFs::ReadFile | AccessFs::Execute))?
            .add_rules(path_beneath_rules(READABLE, read))?
            .add_rules(path_beneath_rules(["/dev/null"], AccessFs::ReadFile | AccessFs::WriteFile))?
            .add_rules(path_beneath_rules(&allowed.readable, read))?
            .add_rules(path_beneath_rules(&allowed.writable, read | write))?
            .restrict_self()
    });
    note(restricted, "only the machine's libraries and the given files can be opened", report);
}

fn ruleset() -> Result<RulesetCreated, RulesetError> {
    Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(LEVEL))?
        .handle_access(AccessNet::from_all(LEVEL))?
        .scope(Scope::from_all(LEVEL))?
        .create()
}

fn note(restricted: Result<RestrictionStatus, RulesetError>, what: &str, report: &mut Report) {
    let none = "the kernel does not shut decoder processes out of the file system (landlock)";
    let Ok(RestrictionStatus { ruleset, landlock, .. }) = restricted else {
        return report.gaps.push(format!("{none}: it refuses the rules"));
    };
    let level = match landlock {
        LandlockStatus::Available { effective_abi, .. } => effective_abi as i32,
        LandlockStatus::NotEnabled => return report.gaps.push(format!("{none}: it is switched off on this machine")),
        LandlockStatus::NotImplemented => return report.gaps.push(format!("{none}: it needs Linux 5.13 or later")),
    };
    if ruleset == RulesetStatus::NotEnforced {
        return report.gaps.push(format!("{none}: it does not enforce the rules"));
    }
    report.active.push(format!("{what} (landlock, version {level})"));
    if ruleset == RulesetStatus::PartiallyEnforced {
        report.gaps.push(format!(
            "landlock is of version {level} on this kernel; {} closes TCP ports and signals to other programs too",
            LEVEL as i32
        ));
    }
}
