//! `mount.edxfs` as mount(8) calls it. That mount(8) itself finds it is shown where it is installed, in `package`.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::common::{EDXFS, run, small_package, wait_for};

/// The helper beside a configuration file and a mount point; what is mounted there is taken off at the end.
struct Fstab {
    scratch: tempfile::TempDir,
}

impl Fstab {
    fn new() -> Fstab {
        let scratch = tempfile::tempdir().expect("a temporary folder");
        let made = small_package();
        let lines = [
            format!("org = '{}'", made.org),
            format!("folder = '{}'", made.data.display()),
            format!("secret-key = '{}'", made.secret_key.display()),
            format!("passphrase-file = '{}'", made.passphrase_file.display()),
            "cache-dir = 'cache'\nlog-file = 'log'\nforeground = true".to_owned(),
        ];
        fs::create_dir(scratch.path().join("mnt")).expect("it is ours");
        fs::write(scratch.path().join("x,y.toml"), lines.join("\n")).expect("it is ours");
        symlink(EDXFS, scratch.path().join("mount.edxfs")).expect("it is ours");
        Fstab { scratch }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// `mount.edxfs DEVICE DIR ARGUMENTS…`, as mount(8) orders them.
    fn call(&self, device: &str, arguments: &[&str]) -> Output {
        let mut helper = Command::new(self.path("mount.edxfs"));
        helper.arg(self.path(device)).arg(self.path("mnt")).args(arguments).stdin(Stdio::null());
        helper.env("XDG_STATE_HOME", self.scratch.path()).output().expect("the link leads to the program")
    }

    /// Source, type and options of what is mounted.
    fn mounted(&self) -> Option<[String; 3]> {
        let point = self.path("mnt");
        let table = fs::read_to_string("/proc/self/mounts").expect("there is /proc");
        let line = table.lines().find(|line| line.split(' ').nth(1) == point.to_str())?;
        let columns: Vec<&str> = line.split(' ').collect();
        Some([columns[0], columns[2], columns[3]].map(str::to_owned))
    }

    fn owner(&self) -> PathBuf {
        let pid = fs::read_to_string(self.path("cache/lock")).expect("the owner's number");
        Path::new("/proc").join(pid.trim())
    }
}

impl Drop for Fstab {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path("mnt")).stderr(Stdio::null()).status();
    }
}

fn message(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_line_of_fstab_is_mounted_and_unmounted() {
    let fstab = Fstab::new();
    let options = "rw,_netdev,noauto,x-systemd.automount,index=off,mode=0440,dir_mode=0550,uid=1234,gid=1234,\
                   allow_other,course=\"*{CHEM,BIO}*\"";
    let output = fstab.call("x,y.toml", &["-n", "-v", "-o", options, "-t", "edxfs"]);
    assert_eq!((output.status.code(), message(&output)), (Some(0), String::new()));
    let [source, fs_type, shown] = fstab.mounted().expect("it answers");
    assert_eq!((source, &*fs_type), (fstab.path("x,y.toml").display().to_string(), "fuse.edxfs"));
    assert!(shown.starts_with("ro,nosuid,nodev,noexec,noatime") && shown.ends_with(",allow_other"), "{shown}");
    let readme = fs::metadata(fstab.path("mnt/README.txt")).expect("it answers");
    assert_eq!((readme.permissions().mode() & 0o777, readme.uid(), readme.gid()), (0o440, 1234, 1234));
    let courses = fs::read_dir(fstab.path("mnt/courses")).expect("it answers").count();
    let chosen = |name: &str| fstab.path("mnt/courses").join(name).exists();
    assert!(chosen("UniX-CHEM-R1") && chosen("UniX-BIO-1.2x-2014_T1") && courses < 6, "{courses}");

    let again = fstab.call("x,y.toml", &[]);
    assert_eq!(again.status.code(), Some(32), "{}", message(&again));
    let owner = fstab.owner();
    run(Command::new("umount").arg(fstab.path("mnt")));
    wait_for("the end of its process", || !owner.join("exe").exists());
    assert_eq!(fstab.mounted(), None);
}

#[test]
fn what_cannot_be_mounted_has_mounts_own_exit_codes_and_mounts_nothing() {
    let fstab = Fstab::new();
    fs::write(fstab.path("broken.toml"), "organisation = 'x'").expect("it is ours");
    let table: [(&str, &[&str], i32, &str); 10] = [
        ("x,y.toml", &["-o", "ro,nonsense=1"], 1, "edxfs: -o nonsense: there is no such option"),
        ("x,y.toml", &["-o", "remount,ro"], 1, "edxfs: -o remount: there is no such option"),
        ("x,y.toml", &["-o", "sizes=big"], 1, "edxfs: invalid value 'big' for '--sizes <lazy|exact>'"),
        ("x,y.toml", &["-o", "org"], 1, "edxfs: a value is required for '--org <ORG>'"),
        ("x,y.toml", &["-N", "/proc/1/ns/mnt"], 1, "edxfs: -N: cannot mount in another namespace"),
        ("x,y.toml", &["-q"], 1, "edxfs: unexpected argument '-q'"),
        ("none.toml", &[], 1, "none.toml: no such configuration file"),
        ("broken.toml", &[], 1, "broken.toml: unknown key `organisation`"),
        ("x,y.toml", &["-o", "secret_key=/nonexistent"], 32, "/nonexistent"),
        ("x,y.toml", &["-o", "cache-dir=/dev/null"], 32, "/dev/null"),
    ];
    for (device, arguments, code, expected) in table {
        let output = fstab.call(device, arguments);
        assert!(message(&output).contains(expected), "{arguments:?}: {}", message(&output));
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", message(&output));
        assert_eq!(fstab.mounted(), None, "{arguments:?}");
    }
    fs::remove_dir(fstab.path("mnt")).expect("nothing is mounted there");
    assert_eq!(fstab.call("x,y.toml", &[]).status.code(), Some(32), "no mount point");
}

#[test]
fn a_dry_run_checks_and_does_nothing() {
    let fstab = Fstab::new();
    for (arguments, code) in [
        (&["-f", "-o", "rw,index=off"][..], 0),
        (&["-f", "-o", "nonsense"], 1),
        (&["-f", "-s", "-o", "nonsense"], 0),
        (&["--help"], 0),
    ] {
        let output = fstab.call("x,y.toml", arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", message(&output));
        assert!(fstab.mounted().is_none() && !fstab.path("cache").exists(), "{arguments:?}");
    }
}
