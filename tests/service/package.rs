//! The Debian package, installed with apt in a fresh root, used, removed and purged.

use std::process::{Command, Stdio};

use crate::common::run;

#[test]
fn the_package_installs_mounts_the_demo_and_leaves_nothing() {
    let root = env!("CARGO_MANIFEST_DIR");
    let built = run(Command::new(format!("{root}/scripts/package/build")).arg("dev").stdin(Stdio::null()));
    let package = String::from_utf8(built.stdout).expect("a path");
    let scratch = tempfile::tempdir().expect("a temporary folder");
    // A mount namespace of its own: whatever is mounted in it goes with it, also when the test fails.
    let mut fresh = Command::new("unshare");
    fresh.args(["--mount", "--pid", "--fork", "--kill-child", "--propagation", "private", "sh"]);
    fresh.arg(format!("{root}/tests/service/fresh_root.sh")).arg(package.trim()).arg(scratch.path());
    let output = run(fresh.stdin(Stdio::null()));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.ends_with("nothing is left\n"), "{said}");
}
