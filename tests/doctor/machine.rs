//! The cache folder, whoever has it, mounts that have died, and what the system is set up to do.

use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown};
use std::path::Path;
use std::process::Command;

use crate::common::{EDXFS, Mount, folder_options, run, small_package};
use crate::reading::quiet;
use crate::site::Disk;
use crate::visit::{Home, Visit, option};

const DAY: &str = "events/all/2015-03-04.log";
/// A user without rights.
const NOBODY: u32 = 65534;

#[test]
fn a_cache_folder_that_others_can_enter_is_wrong() {
    let home = Home::new();
    let cache = home.path("cache");
    fs::create_dir(&cache).expect("it is ours");
    fs::set_permissions(&cache, Permissions::from_mode(0o755)).expect("it is ours");
    let options = [folder_options(&small_package()), option("--cache-dir", &cache).to_vec()].concat();
    let visit = home.visit(&options);
    assert_eq!(visit.code, Some(1), "{visit}");
    visit.assert_well_but(&["cache folder"]);
    let remedy = format!("chmod 700 {}", cache.display());
    visit.assert_said("wrong", "cache folder", &["mode 0755", &remedy]);
    assert_eq!(
        fs::metadata(&cache).expect("it is there").permissions().mode() & 0o777,
        0o755,
        "the doctor changes nothing"
    );
}

#[test]
fn a_cache_folder_that_cannot_be_written_is_wrong() {
    let home = Home::new();
    let cache = home.path("the cache");
    fs::create_dir(&cache).expect("it is ours");
    chown(&cache, Some(NOBODY), Some(NOBODY)).expect("root may");
    let config =
        home.write("x.toml", &format!("org = 'x'\nfolder = '/nonexistent'\ncache-dir = '{}'\n", cache.display()));
    for (mode, level, said) in [
        (0o500, "wrong", format!("may not be read and written by you (mode 0500); chmod 700 '{}'", cache.display())),
        (0o1700, "ok", format!("{}, 1700, ", cache.display())),
    ] {
        fs::set_permissions(&cache, Permissions::from_mode(mode)).expect("it is ours");
        as_nobody(&home, &config, &[]).assert_said(level, "cache folder", &[&said]);
    }
}

#[test]
fn a_cache_folder_on_a_disk_that_is_read_only_is_wrong() {
    let disk = Disk::of("8m");
    let there = disk.path().join("there");
    DirBuilder::new().mode(0o700).create(&there).expect("it is ours");
    run(Command::new("mount").args(["-o", "remount,ro"]).arg(disk.path()));
    for cache in [there, disk.path().join("not/there")] {
        let options = [folder_options(&small_package()), option("--cache-dir", &cache).to_vec()].concat();
        let visit = Home::new().visit(&options);
        assert_eq!(visit.code, Some(1), "{visit}");
        visit.assert_well_but(&["cache folder"]);
        let remedy = format!("sudo mount -o remount,rw {}", disk.path().display());
        visit.assert_said("wrong", "cache folder", &["its disk is read-only", &remedy]);
    }
}

#[test]
fn two_cache_folders_share_the_room_of_their_disk() {
    let disk = Disk::of("64m");
    let cache = option("--cache-dir", &disk.path().join("cache"));
    let more = ["--org", "two", "--cache-size", "40MiB"].map(str::to_owned);
    let visit = Home::new().visit(&[folder_options(&small_package()), more.to_vec(), cache.to_vec()].concat());
    let said = visit.only("warn", "cache folder");
    assert!(said.contains("cache/unix") && said.contains("cache/two"), "{visit}");
    assert!(said.contains("64.0 MiB free, but they may grow by 80.0 MiB: --cache-size 28MiB"), "{visit}");
}

#[test]
fn a_disk_without_the_room_is_a_warning() {
    let disk = Disk::of("8m");
    let cache = option("--cache-dir", &disk.path().join("cache"));
    let visit = Home::new().visit(&[folder_options(&small_package()), cache.to_vec()].concat());
    assert_eq!(visit.code, Some(0), "{visit}");
    visit.assert_said("warn", "cache folder", &["its disk has 8.00 MiB free", "grow by 20.0 GiB: --cache-size 7MiB"]);
    visit.assert_said("ok", "disk", &["in memory"]);
}

#[test]
fn a_cache_too_small_for_the_tallies_is_a_warning() {
    let size = ["--cache-size".to_owned(), "1MiB".to_owned()];
    let visit = Home::new().visit(&[folder_options(&small_package()), size.to_vec()].concat());
    let tallies = [visit.said("ok", "tallies"), visit.said("warn", "tallies")].concat();
    assert_eq!(tallies.len(), 1, "{visit}");
    assert!(tallies[0].contains("of 256 KiB (a quarter of --cache-size), by an estimate"), "{visit}");
}

#[test]
fn a_mount_that_runs_is_named_and_goes_on() {
    let made = small_package();
    let mount = Mount::start(&quiet(folder_options(&made)));
    let cache = option("--cache-dir", &mount.scratch.path().join("cache"));
    let visit = Home::new().visit(&[folder_options(&made), cache.to_vec()].concat());
    visit.assert_well_but(&[]);
    assert_eq!(visit.code, Some(0), "{visit}");
    let point = format!("process {}, mounted on {}", mount.server.id(), mount.point.display());
    visit.assert_said("ok", "owner", &[&point, "last refresh 20"]);
    visit.assert_said("ok", "cache folder", &["0700"]);
    assert!(mount.read(DAY).is_ok_and(|day| !day.is_empty()), "the mount still answers");
}

#[test]
fn a_mount_that_has_died_is_named_with_what_takes_it_off() {
    let made = small_package();
    let mut mount = Mount::start(&quiet(folder_options(&made)));
    mount.server.kill().and_then(|()| mount.server.wait()).expect("it is our child");
    let visit = Home::new().visit(&folder_options(&made));
    let remedy = format!("fusermount3 -u -z {}", mount.point.display());
    visit.assert_said("warn", "stale mount", &["Transport endpoint is not connected", &remedy]);
}

/// In a mount namespace of its own, whose /etc has one file more.
#[test]
fn the_line_for_updatedb_is_printed() {
    let home = Home::new();
    let made = small_package();
    for (line, level, said) in [
        ("PRUNEFS = \"NFS proc fuse.sshfs\"", "warn", "PRUNEFS=\"NFS proc fuse.sshfs fuse.edxfs\""),
        ("PRUNEFS = \"NFS proc fuse.edxfs\"", "ok", "leaves edxfs out"),
    ] {
        let conf = home.write("updatedb.conf", &format!("PRUNE_BIND_MOUNTS = \"yes\"\n{line}\n"));
        let script = "mkdir -p \"$1/etc\" && cp -a /etc/. \"$1/etc\" && cp \"$2\" \"$1/etc/updatedb.conf\" \
                      && mount --bind \"$1/etc\" /etc && shift 2 && exec \"$@\"";
        let inner = home.command(&folder_options(&made));
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", script, "sh"]).arg(home.path("")).arg(conf).arg(EDXFS);
        command.args(inner.get_args()).env("HOME", home.path(""));
        let visit = Visit::of(&mut command);
        assert_eq!(visit.code, Some(0), "{visit}");
        visit.assert_said(level, "updatedb", &[said]);
    }
}

#[test]
fn a_user_learns_what_keeps_fuse_from_working() {
    let home = Home::new();
    let config = home.write("x.toml", "allow-other = true\norg = 'x'\nfolder = '/nonexistent'\n");
    let visit = as_nobody(&home, &config, &["FUSERMOUNT_PATH=/nonexistent/fusermount3"]);
    assert_eq!(visit.code, Some(1), "{visit}");
    let fuse = visit.only("wrong", "fuse");
    assert!(fuse.contains("chmod 666 /dev/fuse") || fuse.contains("unset FUSERMOUNT_PATH"), "{visit}");
    let allowed =
        fs::read_to_string("/etc/fuse.conf").is_ok_and(|text| text.lines().any(|line| line == "user_allow_other"));
    match allowed {
        true => visit.assert_said("ok", "allow-other", &["has user_allow_other"]),
        false => visit.assert_said("wrong", "allow-other", &["echo user_allow_other | sudo tee -a /etc/fuse.conf"]),
    }
    visit.assert_said("wrong", "folder", &["/nonexistent"]);
    visit.assert_said("wrong", "cache folder", &["cannot be made", "--cache-dir"]);
}

/// A visit of a user without rights, who has no program in PATH.
fn as_nobody(home: &Home, config: &Path, environment: &[&str]) -> Visit {
    let (program, programs) = (home.path("edxfs"), home.path("bin"));
    // By another process: a child of another test's would keep ours open for writing, and nobody can run it then.
    run(Command::new("cp").arg(EDXFS).arg(&program));
    fs::create_dir_all(&programs).expect("it is ours");
    for path in [&program, &home.path(""), &programs, config] {
        fs::set_permissions(path, Permissions::from_mode(0o755)).expect("it is ours");
    }
    let mut command = Command::new("setpriv");
    let user = [format!("--reuid={NOBODY}"), format!("--regid={NOBODY}")];
    command.args(user).args(["--clear-groups", "env", "-i"]).args(environment);
    command.arg(format!("HOME={}", home.path("").display())).arg(format!("PATH={}", programs.display()));
    Visit::of(command.arg(&program).args(["doctor", "--config"]).arg(config))
}
