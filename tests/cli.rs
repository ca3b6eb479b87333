//! The command line as a script meets it: help, exit codes, messages, configuration, the cache folder's guard.

use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A home folder of its own, so that no setting of whoever runs the tests counts.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        Home(tempfile::tempdir().expect("a temporary folder can be made"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn folder(&self, name: &str, mode: u32) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(&path).expect("it is ours");
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("it is ours");
        path
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_edxfs"));
        command.args(line.split_whitespace()).current_dir(self.0.path()).stdin(Stdio::null());
        command.env_clear().env("HOME", self.0.path()).env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command
    }

    fn run(&self, line: &str) -> Output {
        self.command(line).output().expect("the binary was just built")
    }

    /// Exit code and standard error; standard output must be empty.
    fn fail(&self, line: &str) -> (Option<i32>, String) {
        let output = self.run(line);
        assert_eq!(text(&output.stdout), "", "{line}");
        (output.status.code(), text(&output.stderr))
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("messages are UTF-8")
}

#[test]
fn help_reads_as_recorded() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/help.txt");
    let home = Home::new();
    let mut help = String::new();
    let verbs =
        ["", "mount", "unmount", "index", "ls", "cat", "export", "sync", "status", "doctor", "rekey", "purge", "demo"];
    for verb in verbs {
        let output = home.run(&format!("{verb} --help"));
        assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
        help += &format!("$ edxfs {verb} --help\n{}\n", text(&output.stdout));
    }
    if std::env::var_os("EDXFS_WRITE_GOLDEN").is_some() {
        fs::write(&golden, &help).expect("the folder is there");
    }
    let recorded = fs::read_to_string(&golden).expect("tests/golden/help.txt is there");
    assert!(
        help == recorded,
        "the help has changed: run this test with EDXFS_WRITE_GOLDEN=1 and look at the difference"
    );
}

#[test]
fn the_examples_in_the_help_parse() {
    let home = Home::new();
    let help = text(&home.run("--help").stdout);
    let examples: Vec<&str> = help.lines().filter_map(|line| line.strip_prefix("  edxfs ")).collect();
    assert!(examples.len() >= 8, "{examples:?}");
    for example in examples {
        let example = example.split('#').next().unwrap_or_default();
        // clap reports the last thing it meets, so all before it parsed; and nothing is done.
        let output = home.run(&format!("{example} --log-file=/nonexistent/x --log=nonsense"));
        let message = text(&output.stderr);
        assert!(message.contains("'nonsense' for '--log"), "{example}: {message}");
    }
}

#[test]
fn what_cannot_be_followed_is_code_2_and_says_why() {
    let home = Home::new();
    home.folder("mnt", 0o700);
    fs::write(home.path("file"), "x").expect("it is ours");
    let table = [
        ("", "Usage: edxfs"),
        ("mont", "edxfs: unrecognized subcommand 'mont'"),
        ("mount --folderr x mnt", "similar argument exists: '--folder'"),
        ("mount mnt", "edxfs: no organisation; name it"),
        ("mount --org x", "<MOUNTPOINT>"),
        ("mount --org x nowhere", "edxfs: nowhere: no such folder to mount on; make it with mkdir"),
        ("mount --org x file", "edxfs: file: not a folder"),
        ("mount --org a/b mnt", "an organisation is written"),
        ("mount --org x --cache-size 20parsecs mnt", "`parsecs` is not a unit"),
        ("mount --org x --refresh 15 mnt", "a unit is missing"),
        ("mount --org x --mode 999 mnt", "octal"),
        ("mount --org x --since 2015-13-01 mnt", "--since <DATE>"),
        ("mount --org x --since 2016-01-02 --until 2016-01-01 mnt", "--until 2016-01-01 is before"),
        ("mount --org x --course {a mnt", "--course <GLOB>"),
        ("mount --org x --sizes big mnt", "--sizes <lazy|exact>"),
        ("mount --org x --folder d --profile p mnt", "cannot be used with"),
        ("mount --org x --passphrase-file p --passphrase-command c mnt", "cannot be used with"),
        ("mount --org x --endpoint-url ftp://x mnt", "begins with https://"),
        ("mount --org x --config no.toml mnt", "no.toml: no such configuration file"),
        ("mount --org x --cache-dir mnt/c mnt", "lies in it, and the mount would cover that"),
        ("mount --org x --folder mnt/d mnt", "lies in it, and the mount would cover that"),
        ("mount --org x --foreground --log-file file/x mnt", "cannot write the log file"),
        ("ls --allow-other --org x", "unexpected argument '--allow-other'"),
        ("cat --org x", "<PATH>..."),
        ("export --org x", "<PATH>..."),
        ("export --org x courses", "name what to export, then where to"),
        ("export --org x --recipient no.asc courses new.gpg --index off", "unexpected argument '--index'"),
        ("sync --org x", "<DIR>"),
        ("sync d", "edxfs: no organisation; name it"),
        ("sync --org x --secret-key k d", "unexpected argument '--secret-key'"),
        ("sync --org x --folder mnt mnt/copy", "lies in the source"),
        ("sync --org x --backup d/old d", "d/old: lies in the mirror"),
        ("sync --org x file", "edxfs: file: cannot be used as a folder"),
        ("demo --days many", "invalid value 'many'"),
    ];
    for (line, expected) in table {
        let (code, message) = home.fail(line);
        assert!(message.contains(expected), "{line}: {message}");
        assert_eq!(code, Some(2), "{line}: {message}");
    }
}

#[test]
fn an_unknown_key_in_the_configuration_is_named_with_its_file() {
    let home = Home::new();
    home.folder("mnt", 0o700);
    fs::write(home.path("edx.toml"), "org = 'x'\npassfrase-file = '/x'\n").expect("it is ours");
    let (code, message) = home.fail("mount --config edx.toml mnt");
    assert_eq!(code, Some(2));
    let expected = format!("edxfs: {}: unknown key `passfrase-file`", home.path("edx.toml").display());
    assert!(message.starts_with(&expected), "{message}");
}

#[test]
fn the_default_configuration_file_is_read_by_every_verb() {
    let home = Home::new();
    home.folder(".config/edxfs", 0o755);
    fs::write(home.path(".config/edxfs/config.toml"), "nonsense = 1\n").expect("it is ours");
    for line in [
        "mount m",
        "unmount m",
        "index",
        "ls",
        "cat x",
        "export x y",
        "sync d",
        "status",
        "rekey --list",
        "purge",
        "demo",
    ] {
        let (code, message) = home.fail(line);
        assert_eq!(code, Some(2), "{line}");
        assert!(message.contains("config.toml: unknown key `nonsense`"), "{line}: {message}");
    }
}

#[test]
fn a_cache_folder_that_others_can_enter_is_refused_with_the_remedy() {
    let home = Home::new();
    home.folder("data", 0o755);
    home.folder("mnt", 0o700);
    let cache = home.folder("cache", 0o755);
    for line in ["ls", "mount mnt", "mount --foreground mnt"] {
        let (code, message) = home.fail(&format!("{line} --org x --folder data --cache-dir cache"));
        assert_eq!(code, Some(2), "{line}: {message}");
        assert!(message.contains("mode 0755"), "{line}: {message}");
        assert!(message.contains(&format!("chmod 700 {}", cache.display())), "{line}: {message}");
    }
}

#[test]
fn a_second_owner_is_refused_with_the_pid_of_the_first() {
    let home = Home::new();
    home.folder("data", 0o755);
    home.folder("mnt", 0o700);
    let cache = home.folder("cache", 0o700);
    let mut lock = File::create(cache.join("lock")).expect("it is ours");
    lock.lock().expect("nobody else has it");
    writeln!(lock, "4242").expect("there is room");
    for line in ["mount mnt", "mount --foreground mnt", "ls --timeout 1s"] {
        let (code, message) = home.fail(&format!("{line} --org x --folder data --cache-dir cache"));
        assert_eq!(code, Some(2), "{line}: {message}");
        assert!(message.contains("in use by process 4242"), "{line}: {message}");
        assert!(message.contains("edxfs status"), "{line}: {message}");
    }
}

#[test]
fn a_process_that_may_hold_keys_leaves_no_core_and_no_readable_files() {
    let home = Home::new();
    let lock = File::create(home.folder("cache", 0o700).join("lock")).expect("it is ours");
    lock.lock().expect("nobody else has it");
    let mut waiting =
        home.command("ls --org x --folder . --cache-dir cache").stderr(Stdio::null()).spawn().expect("built");
    let proc = PathBuf::from(format!("/proc/{}", waiting.id()));
    let hardened = || {
        let limits = fs::read_to_string(proc.join("limits")).expect("it waits for the lock");
        let status = fs::read_to_string(proc.join("status")).expect("it waits for the lock");
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("is always there");
        core.split_whitespace().nth(4) == Some("0") && status.contains("Umask:\t0077")
    };
    let mut tries = 0;
    while !hardened() && tries < 100 {
        std::thread::sleep(std::time::Duration::from_millis(50));
        tries += 1;
    }
    let found = hardened();
    waiting.kill().and_then(|()| waiting.wait()).expect("it is our child");
    assert!(found);
}

#[test]
fn nothing_mounted_is_code_1() {
    let home = Home::new();
    home.folder("mnt", 0o700);
    // Without --org it would find whatever this user has mounted elsewhere.
    assert_eq!(home.fail("status --org x"), (Some(1), "edxfs: nothing is mounted\n".to_string()));
    let (code, message) = home.fail("status mnt --json");
    assert_eq!(code, Some(1));
    assert!(message.starts_with("edxfs: mnt: no mount of edxfs answers for it"), "{message}");
}

#[test]
fn version_goes_to_standard_output() {
    let output = Home::new().run("--version");
    assert_eq!(text(&output.stdout), format!("edxfs {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(output.status.code(), Some(0));
}
