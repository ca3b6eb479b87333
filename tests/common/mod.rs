//! What the tests of the whole program share: a data package made once, and mounts that end with the test.
#![allow(dead_code)]

use std::ffi::CString;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use edxfs::demo::{self, Keep, Made, Plan};

/// The program under test.
pub const EDXFS: &str = env!("CARGO_BIN_EXE_edxfs");

/// How long anything here may take before a test gives up.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A data package of `plan`, with its plaintexts beside it (`Made::plain`); made once for all tests, never to be changed.
pub fn package(name: &str, plan: Plan) -> Made {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("packages");
    fs::create_dir_all(&folder).expect("the target folder can be written");
    let plan = Plan { keep: Keep::PlainToo, ..plan };
    // The generator may have changed since: its own modification time is part of the name.
    let built = fs::metadata(EDXFS).expect("the program is built").mtime();
    let folder = folder.join(format!("{name}-{built}"));
    let lock = File::create(folder.with_extension("lock")).expect("a lock file can be made");
    lock.lock().expect("a lock can be taken");
    let done = folder.join("done");
    if !done.exists() {
        remove_older(&folder, name);
        fs::create_dir_all(&folder).expect("a folder can be made");
        let made = demo::generate(&folder, &plan).expect("gpg and zip make the package");
        fs::write(&done, made.courses.join("\n")).expect("a file can be made");
    }
    Made {
        data: folder.join("data"),
        secret_key: folder.join("keys/czar-secret.asc"),
        passphrase_file: folder.join("keys/passphrase.txt"),
        plain: Some(folder.join("plain")),
        org: plan.org,
        courses: fs::read_to_string(&done).expect("the list of courses").lines().map(str::to_owned).collect(),
    }
}

/// Packages of earlier builds, and what a test that was ended left behind.
fn remove_older(folder: &Path, name: &str) {
    for entry in fs::read_dir(folder.parent().expect("it is in a folder")).expect("it can be listed").flatten() {
        let built = entry.file_name().to_string_lossy().strip_prefix(&format!("{name}-")).map(str::to_owned);
        if built.is_some_and(|built| built.bytes().all(|byte| byte.is_ascii_digit())) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// The package that most tests use: 14 days, six courses, two sites, two weekly zips.
pub fn small_package() -> Made {
    package("small", Plan { events_per_day: 400, ..Plan::default() })
}

/// A copy of a package's data that the test may change: small files are copied, nothing is shared.
pub fn copy_of(made: &Made, into: &Path) -> Made {
    let data = into.join("data");
    run(Command::new("cp").arg("-a").arg(&made.data).arg(&data));
    Made { data, ..made.clone() }
}

/// Runs a command to its end and fails the test if it fails.
pub fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}: {errors}", output.status);
    output
}

/// The options that mount a package from its folder.
pub fn folder_options(made: &Made) -> Vec<String> {
    let mut options = vec!["--folder".to_owned(), made.data.display().to_string()];
    options.extend(key_options(made));
    options
}

/// Organisation, key and passphrase.
pub fn key_options(made: &Made) -> Vec<String> {
    let path = |path: &Path| path.display().to_string();
    let org = ["--org".to_owned(), made.org.clone()];
    let key = ["--secret-key".to_owned(), path(&made.secret_key)];
    let passphrase = ["--passphrase-file".to_owned(), path(&made.passphrase_file)];
    [org, key, passphrase].concat()
}

/// A mount in a process of its own, ended and taken off when dropped.
pub struct Mount {
    pub server: Child,
    pub point: PathBuf,
    pub scratch: tempfile::TempDir,
}

impl Mount {
    /// Mounts with `--foreground`, `options`, and a cache folder of its own unless `options` has one.
    pub fn start(options: &[String]) -> Mount {
        Mount::start_in(tempfile::tempdir().expect("a temporary folder"), options, &[])
    }

    /// The same in a folder that may hold the cache of an earlier mount, with environment variables.
    pub fn start_in(scratch: tempfile::TempDir, options: &[String], environment: &[(&str, &str)]) -> Mount {
        require_fuse();
        let point = scratch.path().join("mnt");
        let _ = fs::create_dir(&point);
        let mut command = Command::new(EDXFS);
        command.arg("mount").args(options).arg("--foreground").envs(environment.iter().copied());
        if !options.iter().any(|option| option == "--cache-dir") {
            command.arg("--cache-dir").arg(scratch.path().join("cache"));
        }
        let log = File::options().create(true).append(true).open(scratch.path().join("log")).expect("a log file");
        let child = command.arg(&point).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
        let mut mount = Mount { server: child.expect("edxfs starts"), point, scratch };
        mount.wait_until_it_answers();
        mount
    }

    fn wait_until_it_answers(&mut self) {
        let device = |path: &Path| fs::metadata(path).map(|metadata| metadata.dev()).ok();
        let above = device(self.scratch.path());
        let begun = Instant::now();
        while device(&self.point).is_none_or(|device| Some(device) == above) {
            let ended = self.server.try_wait().expect("a child can be waited for");
            assert!(ended.is_none(), "edxfs ended: {}", self.log());
            assert!(begun.elapsed() < PATIENCE, "edxfs does not mount: {}", self.log());
            thread::sleep(Duration::from_millis(20));
        }
        // The commands find it a little later: it listens for them once it is mounted.
        let mut status = Command::new(EDXFS);
        status.arg("status").arg(&self.point).stdout(Stdio::null()).stderr(Stdio::null());
        wait_for("an answer on the control socket", || status.status().is_ok_and(|status| status.success()));
    }

    /// What the program has written to its standard error.
    pub fn log(&self) -> String {
        fs::read_to_string(self.scratch.path().join("log")).unwrap_or_default()
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.point.join(path)
    }

    /// A file's whole content.
    pub fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        fs::read(self.path(path))
    }

    /// Sorted names in a folder.
    pub fn list(&self, path: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        let mut names: Vec<_> =
            entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// The status as scripts see it.
    pub fn status(&self) -> serde_json::Value {
        let output = run(Command::new(EDXFS).args(["status", "--json"]).arg(&self.point));
        serde_json::from_slice(&output.stdout).expect("the status is JSON")
    }

    /// Unmounts and gives back the scratch folder with the cache in it.
    pub fn stop(mut self) -> tempfile::TempDir {
        self.end();
        std::mem::replace(&mut self.scratch, tempfile::tempdir().expect("a temporary folder"))
    }

    fn end(&mut self) {
        let pid = self.server.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &pid]).stderr(Stdio::null()).status();
        let begun = Instant::now();
        while self.server.try_wait().is_ok_and(|ended| ended.is_none()) {
            if begun.elapsed() > Duration::from_secs(10) {
                let _ = self.server.kill();
            }
            thread::sleep(Duration::from_millis(10));
        }
        let _ = Command::new("umount").arg("-l").arg(&self.point).stderr(Stdio::null()).status();
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        self.end();
    }
}

fn require_fuse() {
    assert!(Path::new("/dev/fuse").exists(), "these tests mount: /dev/fuse must be there");
}

/// Waits until `condition` holds; fails the test with `what` if it does not in time.
pub fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < PATIENCE, "{what} did not happen in time");
        thread::sleep(Duration::from_millis(10));
    }
}

/// A folder with links to what it is given, for tools that want everything in one place.
pub fn linked(into: &Path, name: &str, target: &Path) {
    symlink(target, into.join(name)).expect("a link can be made");
}

/// An extended attribute as text; None where there is none.
pub fn xattr(path: &Path, name: &str) -> Option<String> {
    let text = |bytes: &[u8]| CString::new(bytes).expect("no NUL in it");
    let (path, name) = (text(path.as_os_str().as_bytes()), text(name.as_bytes()));
    let mut value = vec![0_u8; 4096];
    // SAFETY: both names end in NUL, and the buffer is as long as is said.
    let length = unsafe { libc::getxattr(path.as_ptr(), name.as_ptr(), value.as_mut_ptr().cast(), value.len()) };
    value.truncate(usize::try_from(length).ok()?);
    Some(String::from_utf8_lossy(&value).into_owned())
}
