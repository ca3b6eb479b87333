//! The units: judged by systemd's own tools, and their lines run as systemd runs them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{EDXFS, copy_of, run, small_package};
use crate::manager::{Address, Service};

const SYSTEM: &str = include_str!("../../scripts/package/system/edxfs@.service");
const USER: &str = include_str!("../../scripts/package/user/edxfs@.service");

/// Settings for which systemd makes a mount namespace (`exec_needs_mount_namespace` in its source): a mount made in one
/// is seen by nobody else.
const NAMESPACED: &[&str] = &[
    "BindPaths",
    "BindReadOnlyPaths",
    "DynamicUser",
    "ExecPaths",
    "ExtensionDirectories",
    "ExtensionImages",
    "InaccessiblePaths",
    "IPCNamespacePath",
    "LogNamespace",
    "MountAPIVFS",
    "MountFlags",
    "MountImages",
    "NetworkNamespacePath",
    "NoExecPaths",
    "PrivateDevices",
    "PrivateIPC",
    "PrivateMounts",
    "PrivateNetwork",
    "PrivateTmp",
    "PrivateUsers",
    "ProcSubset",
    "ProtectControlGroups",
    "ProtectHome",
    "ProtectKernelLogs",
    "ProtectKernelModules",
    "ProtectKernelTunables",
    "ProtectProc",
    "ProtectSystem",
    "ReadOnlyPaths",
    "ReadWritePaths",
    "RootDirectory",
    "RootImage",
    "TemporaryFileSystem",
];

/// What implies NoNewPrivileges= for a user's service, and so takes fusermount3 its privilege (systemd.exec(5)).
const UNPRIVILEGED: &[&str] = &[
    "LockPersonality",
    "MemoryDenyWriteExecute",
    "NoNewPrivileges",
    "ProtectClock",
    "ProtectHostname",
    "RestrictAddressFamilies",
    "RestrictFileSystems",
    "RestrictNamespaces",
    "RestrictRealtime",
    "RestrictSUIDSGID",
    "SystemCallArchitectures",
    "SystemCallFilter",
    "SystemCallLog",
];

/// The highest that `systemd-analyze security` may rate the system unit, in tenths: without a mount namespace it does
/// not get better.
const EXPOSURE: &str = "40";

/// The values of a setting, in order.
fn values<'a>(unit: &'a str, name: &str) -> Vec<&'a str> {
    unit.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('=')).collect()
}

fn names(unit: &str) -> impl Iterator<Item = &str> {
    unit.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('=')).map(|(name, _)| name)
}

/// A copy of a unit that starts the program under test.
fn write_unit(unit: &str, folder: &Path) -> PathBuf {
    let path = folder.join("edxfs@.service");
    fs::write(&path, unit.replace("/usr/bin/edxfs", EDXFS)).expect("it is ours");
    path
}

#[test]
fn systemd_can_follow_both_units() {
    for (scope, unit) in [("--system", SYSTEM), ("--user", USER)] {
        let scratch = tempfile::tempdir().expect("a temporary folder");
        let mut verify = Command::new("systemd-analyze");
        verify.args(["verify", scope, "--man=no", "--recursive-errors=no"]).arg(write_unit(unit, scratch.path()));
        let output = run(verify.env("XDG_RUNTIME_DIR", scratch.path()));
        assert_eq!((&*output.stdout, &*output.stderr), (&b""[..], &b""[..]), "{scope}: {output:?}");
    }
}

#[test]
fn the_system_unit_is_as_closed_as_a_mount_that_others_see_can_be() {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let mut security = Command::new("systemd-analyze");
    security.args(["security", "--offline=true", "--threshold", EXPOSURE]).arg(write_unit(SYSTEM, scratch.path()));
    run(&mut security);
    let namespaced: Vec<&str> = names(SYSTEM).filter(|name| NAMESPACED.contains(name)).collect();
    assert!(namespaced.is_empty(), "others do not see the mount with {namespaced:?}");
    let unprivileged: Vec<&str> =
        names(USER).filter(|name| NAMESPACED.contains(name) || UNPRIVILEGED.contains(name)).collect();
    assert!(unprivileged.is_empty(), "fusermount3 cannot mount with {unprivileged:?}");
}

/// The names that one word of a system call filter stands for; a set (`@mount`) may hold sets.
fn system_calls(word: &str) -> BTreeSet<String> {
    if !word.starts_with('@') {
        return BTreeSet::from([word.to_owned()]);
    }
    let listed = run(Command::new("systemd-analyze").args(["syscall-filter", word])).stdout;
    let listed = String::from_utf8(listed).expect("names are ASCII");
    // The set's own name stands first, its meaning behind a `#`.
    let words = listed.lines().skip(1).map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    words.flat_map(system_calls).collect()
}

#[test]
fn the_system_unit_lets_every_system_call_of_a_mount_through() {
    let mut allowed = BTreeSet::new();
    for filter in values(SYSTEM, "SystemCallFilter") {
        let named = filter.trim_start_matches('~').split(' ').flat_map(system_calls).collect();
        allowed = if filter.starts_with('~') { &allowed - &named } else { &allowed | &named };
    }
    let instance = Instance::new(SYSTEM);
    let trace = instance.scratch.path().join("trace");
    let mut traced = Command::new("strace");
    traced.args(["-f", "-qq", "-o"]).arg(&trace).arg(EDXFS).args(["mount", "--foreground", "--config"]);
    traced.arg(instance.scratch.path().join("config/edxfs/x.toml")).env("XDG_CACHE_HOME", instance.scratch.path());
    traced.env("CREDENTIALS_DIRECTORY", instance.scratch.path().join("credentials"));
    let point = instance.scratch.path().join("mnt");
    fs::create_dir(&point).expect("it is ours");
    let mut service = Service::start(traced.arg(&point), &point, instance.scratch.path(), Address::Path);
    service.hear_until("READY=1");
    fs::read(point.join("courses/UniX-CHEM-R1/samced.db")).expect("it is made");
    run(Command::new("umount").arg(&point));
    assert!(service.main.wait().expect("it is ours").success());
    let trace = fs::read_to_string(trace).expect("strace writes it");
    // `1234 read(3, …` and `1234 <... read resumed>`
    let calls = trace.lines().filter_map(|line| line.split_once(' ')?.1.trim_start().split_once('('));
    let used: BTreeSet<String> = calls.map(|(name, _)| name.to_owned()).filter(|name| !name.contains(' ')).collect();
    let denied: Vec<_> = used.difference(&allowed).collect();
    assert!(used.len() > 50 && denied.is_empty(), "{} used, denied: {denied:?}", used.len());
}

/// A unit's instance `x`, its paths moved into a scratch folder.
struct Instance {
    unit: String,
    point: PathBuf,
    home: Option<PathBuf>,
    scratch: tempfile::TempDir,
}

impl Instance {
    fn new(unit: &str) -> Instance {
        let scratch = tempfile::tempdir().expect("a temporary folder");
        let made = copy_of(&small_package(), scratch.path());
        for folder in ["config/edxfs", "credentials"] {
            fs::create_dir_all(scratch.path().join(folder)).expect("it is ours");
        }
        fs::copy(&made.passphrase_file, scratch.path().join("credentials/edxfs-passphrase")).expect("it is ours");
        let config = format!(
            "org = '{}'\nfolder = '{}'\nsecret-key = '{}'\nindex = 'off'\n",
            made.org,
            made.data.display(),
            made.secret_key.display()
        );
        fs::write(scratch.path().join("config/edxfs/x.toml"), config).expect("it is ours");
        let at = |folder: &str| scratch.path().join(folder).display().to_string();
        let mut unit = unit.replace("/usr/bin/edxfs", EDXFS);
        for (specifier, path) in [("/etc/edxfs", at("config/edxfs")), ("%E", at("config")), ("/srv", at("srv"))] {
            unit = unit.replace(specifier, &path);
        }
        // A user's manager has one; systemd gives services of the system none.
        let home = unit.contains("%h").then(|| scratch.path().join("home"));
        unit = unit.replace("%C", &at("cache")).replace("%h", &at("home")).replace("%i", "x");
        let point = values(&unit, "Environment").into_iter().find_map(|value| value.strip_prefix("EDXFS_MOUNTPOINT="));
        let point = PathBuf::from(point.expect("it has a mount point"));
        unit = unit.replace("${EDXFS_MOUNTPOINT}", point.to_str().expect("ASCII"));
        Instance { unit, point, home, scratch }
    }

    /// A command of the unit, with the unit's environment, no more capabilities than the unit leaves it, and without a
    /// way to more.
    fn command(&self, line: &str) -> Command {
        let mut command = Command::new("setpriv");
        for capabilities in values(&self.unit, "CapabilityBoundingSet") {
            let kept = capabilities.to_lowercase().replace("cap_", "+");
            command.args(["--inh-caps=-all", "--bounding-set"]).arg(format!("-all,{kept}"));
        }
        if values(&self.unit, "NoNewPrivileges") == ["yes"] {
            command.arg("--no-new-privs");
        }
        command.arg("--").args(line.trim_start_matches('-').split(' '));
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin").current_dir("/");
        let variables = values(&self.unit, "Environment").into_iter().filter_map(|value| value.split_once('='));
        command.envs(variables);
        command.envs(self.home.as_ref().map(|home| ("HOME", home)));
        command.env("CREDENTIALS_DIRECTORY", self.scratch.path().join("credentials"));
        command
    }

    /// Runs the lines of a setting; one that begins with `-` may fail.
    fn run_lines(&self, name: &str, main: Option<u32>) {
        for line in values(&self.unit, name) {
            let line = line.replace("$MAINPID", &main.unwrap_or_default().to_string());
            let output = self.command(&line).output().expect("setpriv is installed");
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(line.starts_with('-') || output.status.success(), "{line}: {errors}");
        }
    }

    fn start(&self) -> Service {
        self.run_lines("ExecStartPre", None);
        let [line] = values(&self.unit, "ExecStart")[..] else { panic!("one main process") };
        let service = Service::start(&mut self.command(line), &self.point, self.scratch.path(), Address::Path);
        service.hear_until("READY=1");
        service
    }
}

#[test]
fn a_unit_starts_reloads_crashes_restarts_and_stops() {
    const DAY: &str = "courses/UniX-CHEM-R1/events/2015-03-04.log";
    for unit in [SYSTEM, USER] {
        let instance = Instance::new(unit);
        let point = instance.point.clone();
        let service = instance.start();
        let day = fs::read(point.join(DAY)).expect("it answers");
        instance.run_lines("ExecReload", Some(service.main.id()));
        assert!(service.hear().starts_with("RELOADING=1"));
        service.hear_until("READY=1");

        // A crash after which nobody has cleaned up: the next start does.
        let mut crashed = std::mem::ManuallyDrop::new(service);
        crashed.crash();
        assert_eq!(fs::read_dir(&point).expect_err("nobody answers").raw_os_error(), Some(libc::ENOTCONN));
        let mut service = instance.start();
        assert!(fs::read(point.join(DAY)).expect("it answers") == day);
        let table = fs::read_to_string("/proc/self/mounts").expect("there is /proc");
        assert_eq!(table.matches(point.to_str().expect("ASCII")).count(), 1);

        // A crash after which systemd cleans up: the folder is empty, and not dead.
        service.crash();
        instance.run_lines("ExecStopPost", None);
        assert_eq!(fs::read_dir(&point).expect("it is an empty folder").count(), 0);
        let mut service = instance.start();
        // As after a start that failed because this one was there before it.
        instance.run_lines("ExecStopPost", None);
        assert!(fs::read(point.join(DAY)).expect("it still answers") == day);
        service.stop();
        instance.run_lines("ExecStopPost", None);
        assert_eq!(fs::read_dir(&point).expect("it is an empty folder").count(), 0);
    }
}
