//! What a service manager hears, and when.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use edxfs::demo::Made;

use crate::common::{EDXFS, run, small_package, wait_for};
use crate::manager::{Address, Service, listen};

/// `edxfs mount` with a locked key and no way to its passphrase; and the mount point.
fn mount(made: &Made, scratch: &Path) -> (Command, PathBuf) {
    let point = scratch.join("mnt");
    let _ = fs::create_dir(&point);
    let mut command = Command::new(EDXFS);
    command.args(["mount", "--index", "off", "--org", &made.org, "--folder"]).arg(&made.data);
    command.arg("--secret-key").arg(&made.secret_key).arg("--cache-dir").arg(scratch.join("cache")).arg(&point);
    (command, point)
}

fn mount_in_the_foreground(made: &Made, scratch: &Path) -> (Command, PathBuf) {
    let (mut command, point) = mount(made, scratch);
    command.arg("--foreground");
    (command, point)
}

/// A pipe whose reader waits for the passphrase, and so the mount with it.
fn open_for_its_reader(pipe: &Path) -> File {
    let mut opened = None;
    wait_for("the question for the passphrase", || {
        opened = File::options().write(true).custom_flags(libc::O_NONBLOCK).open(pipe).ok();
        opened.is_some()
    });
    opened.expect("it has just been opened")
}

#[test]
fn ready_is_said_when_the_mount_answers_and_not_before() {
    let made = small_package();
    for address in [Address::Path, Address::Abstract] {
        let scratch = tempfile::tempdir().expect("a temporary folder");
        let pipe = scratch.path().join("pipe");
        run(Command::new("mkfifo").arg(&pipe));
        let (mut command, point) = mount_in_the_foreground(&made, scratch.path());
        command.arg("--passphrase-command").arg(format!("cat {}", pipe.display()));
        let mut service = Service::start(&mut command, &point, scratch.path(), address);
        let mut pipe = open_for_its_reader(&pipe);
        let heard = service.heard();
        assert!(heard.starts_with("STATUS=") && !heard.contains("READY"), "{address:?}: {heard}");
        assert!(!point.join("README.txt").exists());
        pipe.write_all(&fs::read(&made.passphrase_file).expect("it is there")).expect("it is waited for");
        drop(pipe);

        let ready = service.hear_until("READY=1");
        assert_eq!(ready, format!("READY=1\nSTATUS=unix on {}\n", point.display()));
        assert!(fs::read_to_string(point.join("courses.tsv")).expect("it answers").contains("UniX-CHEM-R1"));
        service.signal("-HUP");
        let reloading = service.hear();
        assert!(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{address:?}: {reloading}");
        assert_eq!(service.hear(), ready);
        service.stop();
        assert_eq!(service.heard(), "");
    }
}

#[test]
fn a_reload_that_finds_the_source_away_says_so_and_the_mount_goes_on() {
    let made = small_package();
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let mine = crate::common::copy_of(&made, scratch.path());
    let (mut command, point) = mount_in_the_foreground(&mine, scratch.path());
    command.arg("--passphrase-file").arg(&made.passphrase_file);
    let mut service = Service::start(&mut command, &point, scratch.path(), Address::Path);
    let ready = service.hear_until("READY=1");
    fs::rename(&mine.data, scratch.path().join("away")).expect("it is ours");
    service.signal("-HUP");
    let after = service.hear_until("READY=1");
    assert!(after.starts_with(ready.trim_end()) && after.contains("; found no new objects: "), "{after}");
    assert!(point.join("courses.tsv").exists());
    service.stop();
}

#[test]
fn the_passphrase_comes_from_the_managers_credential_and_the_log_goes_to_its_journal() {
    let made = small_package();
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let credentials = scratch.path().join("credentials");
    fs::create_dir(&credentials).expect("it is ours");
    fs::copy(&made.passphrase_file, credentials.join("edxfs-passphrase")).expect("it is ours");
    let (mut command, point) = mount_in_the_foreground(&made, scratch.path());
    command.env("CREDENTIALS_DIRECTORY", &credentials).args(["--log", "debug"]);
    let mut service = Service::start(&mut command, &point, scratch.path(), Address::Path);
    service.hear_until("READY=1");
    assert!(fs::read(point.join("courses/UniX-CHEM-R1/events/2015-03-04.log")).is_ok_and(|day| !day.is_empty()));
    service.stop();
    let journal = service.journal();
    let priority = |line: &str| line.len() > 3 && ["<3>", "<4>", "<6>", "<7>"].contains(&&line[..3]);
    assert!(journal.lines().all(priority), "{journal}");
    assert!(journal.contains("<6>edxfs::command::session: mounted ") && journal.contains("\n<7>"), "{journal}");
    assert!(!journal.contains("INFO"), "{journal}");
}

#[test]
fn what_ends_a_service_is_an_error_in_its_journal_and_nobody_hears_that_it_is_ready() {
    let made = small_package();
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let cache = scratch.path().join("cache");
    fs::create_dir(&cache).and_then(|()| fs::set_permissions(&cache, Permissions::from_mode(0o755))).expect("ours");
    let (mut command, point) = mount_in_the_foreground(&made, scratch.path());
    command.arg("--passphrase-file").arg(&made.passphrase_file);
    let mut service = Service::start(&mut command, &point, scratch.path(), Address::Path);
    assert_eq!(service.main.wait().expect("it is ours").code(), Some(2));
    assert!(service.journal().starts_with("<3>edxfs: "), "{}", service.journal());
    assert!(!service.heard().contains("READY"));
}

#[test]
fn a_mount_in_the_background_tells_nobody() {
    let made = small_package();
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let (mut command, point) = mount(&made, scratch.path());
    let (socket, name) = listen(scratch.path(), Address::Path);
    command.arg("--passphrase-file").arg(&made.passphrase_file);
    command.arg("--log-file").arg(scratch.path().join("log")).env("NOTIFY_SOCKET", name);
    let mounted = command.output().expect("the program is built");
    let unmounted = Command::new(EDXFS).arg("unmount").arg(&point).status();
    assert!(mounted.status.success(), "{}", String::from_utf8_lossy(&mounted.stderr));
    assert!(unmounted.is_ok_and(|status| status.success()));
    socket.set_nonblocking(true).expect("it is open");
    assert_eq!(socket.recv(&mut [0; 64]).expect_err("nothing was said").kind(), io::ErrorKind::WouldBlock);
}
