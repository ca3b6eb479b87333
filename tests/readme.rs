//! The README's commands, as they stand there: each `sh` block runs, in order, in a home folder of its own.
//!
//! What needs a real bucket, or a service manager, stands in `console` blocks. `scripts/test` is what runs this test: of
//! that block it is only checked that it is what CI runs.

mod common;

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::{EDXFS, run};

/// The block that would run this test.
const ALL_TESTS: &str = "scripts/test\n";
/// Seconds that one block may take.
const LIMIT: &str = "120";

/// A part of the README between fences.
struct Block {
    language: String,
    line: usize,
    text: String,
}

/// Where the commands leave their files; a mount that they leave goes with it.
struct Home(tempfile::TempDir);

impl Drop for Home {
    fn drop(&mut self) {
        let point = self.0.path().join("edxfs-demo");
        let _ = Command::new(EDXFS).arg("unmount").arg(&point).stderr(Stdio::null()).status();
        let _ = Command::new("umount").arg("-l").arg(&point).stderr(Stdio::null()).status();
    }
}

impl Home {
    /// With a `cargo` that knows `scripts/demo` alone: what that would have built is here, and is being tested.
    fn new() -> Home {
        let home = Home(tempfile::tempdir().expect("a temporary folder"));
        let cargo = home.0.path().join("bin/cargo");
        fs::create_dir(home.0.path().join("bin")).expect("a folder can be made");
        fs::write(&cargo, "#!/bin/sh\n[ \"$*\" = \"build --locked\" ]\n").expect("a file can be made");
        fs::set_permissions(&cargo, fs::Permissions::from_mode(0o700)).expect("a mode can be set");
        home
    }

    /// Runs a block as a user would who pastes it, one who knows no AWS and has no settings.
    fn paste(&self, block: &Block) {
        // Those that name our scripts are for who has the repository.
        let folder = if block.text.contains("scripts/") { repository() } else { self.0.path().to_owned() };
        let programs = Path::new(EDXFS).parent().expect("it is in a folder").display().to_string();
        let mut shell = Command::new("timeout");
        shell.args(["--kill-after", "5", LIMIT, "sh", "-eu", "-c", &block.text]).current_dir(folder);
        shell.env_clear().env("HOME", self.0.path()).env("TMPDIR", self.0.path());
        let path = env::var("PATH").expect("there is a PATH");
        shell.env("PATH", format!("{}:{programs}:{path}", self.0.path().join("bin").display()));
        let output = shell.stdin(Stdio::null()).output().expect("there is a shell");
        let (out, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let what = format!("README.md:{}: {}\n{}\n{out}\n{errors}", block.line, output.status, block.text);
        println!("{what}");
        assert!(output.status.success(), "{what}");
    }
}

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (at, line) in text.lines().enumerate() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(language), None) => {
                open = Some(Block { language: language.to_owned(), line: at + 1, text: String::new() });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some(block)) => block.text += &format!("{line}\n"),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block without an end");
    blocks
}

#[test]
fn every_command_in_the_readme_runs_as_it_stands_there() {
    let blocks = blocks(&fs::read_to_string(repository().join("README.md")).expect("the README"));
    for block in &blocks {
        let hidden = ["", "bash", "shell"].contains(&&*block.language);
        assert!(!hidden, "README.md:{}: a block of commands is `sh`, or `console` if it cannot run here", block.line);
    }
    let commands: Vec<_> = blocks.iter().filter(|block| block.language == "sh").collect();
    assert!(commands.iter().any(|block| block.text == ALL_TESTS), "the README says how to run the tests");
    let home = Home::new();
    for block in commands.iter().filter(|block| block.text != ALL_TESTS) {
        home.paste(block);
    }
    let mounts = fs::read_to_string("/proc/self/mounts").expect("it is always there");
    let home = home.0.path().display().to_string();
    assert!(!mounts.contains(&home), "the last command takes the demonstration off: {mounts}");
}

#[test]
fn continuous_integration_runs_the_command_of_the_readme() {
    let script = repository().join(".ci/run");
    let text = fs::read_to_string(&script).expect("it is there");
    assert_eq!(text.lines().last(), Some(format!("exec {}", ALL_TESTS.trim_end()).as_str()), "{text}");
    run(Command::new("sh").arg("-n").arg(&script));
    run(Command::new("sh").arg("-n").arg(repository().join(ALL_TESTS.trim_end())));
}
