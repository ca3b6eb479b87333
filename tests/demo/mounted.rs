//! `edxfs demo`: the package mounted, from a folder and from the S3 server of its own, and gone again.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

const EDXFS: &str = env!("CARGO_BIN_EXE_edxfs");

/// Unmounts when dropped.
struct Demo(tempfile::TempDir);

impl Demo {
    fn start(options: &[&str]) -> Demo {
        let scratch = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir(scratch.path().join("mnt")).expect("a folder");
        let mut command = Command::new(EDXFS);
        command.args(["demo", "--days", "3", "--events-per-day", "100"]).args(options).arg(scratch.path().join("mnt"));
        command.env("TMPDIR", scratch.path()).env("XDG_STATE_HOME", scratch.path().join("state"));
        let output = command.stdin(Stdio::null()).output().expect("edxfs starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(String::from_utf8_lossy(&output.stdout).contains("grep"), "it says what to try");
        Demo(scratch)
    }

    fn path(&self, path: &str) -> std::path::PathBuf {
        self.0.path().join("mnt").join(path)
    }

    fn stop(&self) -> bool {
        let unmount = Command::new(EDXFS).arg("unmount").arg(self.path("")).stderr(Stdio::null()).status();
        unmount.is_ok_and(|status| status.success())
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        self.stop();
    }
}

fn shows_a_package_and_leaves_nothing(options: &[&str]) {
    let demo = Demo::start(options);
    let courses = fs::read_dir(demo.path("courses")).expect("it is mounted").count();
    assert!(courses >= 6, "{courses} courses");
    let day = fs::read(demo.path("courses/UniX-CHEM-R1/events/2015-03-02.log")).expect("a day opens");
    assert!(String::from_utf8_lossy(&day).contains("course-v1:UniX+CHEM+R1"));
    let table = fs::read_to_string(demo.path("tables/student_courseenrollment.tsv")).expect("a table opens");
    assert!(table.starts_with("course\tid\tuser_id\t"), "{}", &table[..40]);
    assert!(demo.stop(), "it unmounts");
    let left: Vec<_> = fs::read_dir(demo.0.path()).expect("a folder").flatten().map(|entry| entry.path()).collect();
    let scratch = left.iter().filter(|path| !path.ends_with("mnt") && !path.ends_with("state"));
    let log = fs::read_to_string(demo.0.path().join("state/edxfs/demo.log")).unwrap_or_default();
    assert_eq!(scratch.count(), 0, "{left:?} {log}");
    assert!(Path::new(&demo.path("")).read_dir().expect("a folder").next().is_none());
}

#[test]
fn the_demo_is_mounted_from_a_folder() {
    shows_a_package_and_leaves_nothing(&[]);
}

#[test]
fn the_demo_is_mounted_from_an_s3_server() {
    shows_a_package_and_leaves_nothing(&["--s3"]);
}
