//! The generated package against the real tools: GnuPG, gunzip, unzip and Python say what is in it.

#[path = "common/gnupg_home.rs"]
mod gnupg_home;
#[path = "demo/mounted.rs"]
mod mounted;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use edxfs::demo::{Keep, Made, Plan, generate};
use edxfs::error::ErrorKind;
use tempfile::TempDir;

use gnupg_home::GnupgHome;

const DAY: &str = "edx-course-data/unix/edx/events/2015/unix-edx-events-2015-03-02.log";
const ZIP: &str = "course-data/unix-2015-03-15.zip";

fn small() -> Plan {
    Plan { days: 3, events_per_day: 120, courses: 2, packages: 1, keep: Keep::PlainToo, ..Plan::default() }
}

/// Runs a program on some input and gives its output; it must succeed.
fn run(command: &mut Command, input: &[u8]) -> Vec<u8> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the program is installed");
    let mut stdin = child.stdin.take().expect("it was piped");
    let output = std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input));
        child.wait_with_output().expect("it can be waited for")
    });
    assert!(output.status.success(), "{command:?}: {}", output.status);
    output.stdout
}

/// A GnuPG home that holds the package's secret key.
struct Gpg<'a> {
    home: GnupgHome,
    made: &'a Made,
}

impl<'a> Gpg<'a> {
    fn new(made: &'a Made) -> Self {
        let gpg = Gpg { home: GnupgHome::new(), made };
        run(gpg.command().arg("--import").arg(&made.secret_key), b"");
        gpg
    }

    fn command(&self) -> Command {
        let mut gpg = self.home.gpg();
        gpg.arg("--batch").arg("--passphrase-file").arg(&self.made.passphrase_file);
        gpg
    }

    fn decrypt(&self, encrypted: &[u8]) -> Vec<u8> {
        run(self.command().arg("--decrypt"), encrypted)
    }
}

/// Every file below a folder with its content.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(folder).unwrap().to_owned(), fs::read(&path).unwrap());
            }
        }
    }
    found
}

#[test]
fn equal_plans_give_equal_plaintexts_and_another_seed_others() {
    let folder = TempDir::new().unwrap();
    let plain = |name: &str, plan: &Plan| files(&generate(&folder.path().join(name), plan).unwrap().plain.unwrap());
    let first = plain("first", &small());
    assert!(first.len() > 150, "{}", first.len());
    assert!(first == plain("second", &small()));
    let other = plain("other", &Plan { seed: 2, packages: 0, ..small() });
    assert_ne!(first[Path::new(DAY)], other[Path::new(DAY)]);
}

#[test]
fn a_folder_that_holds_a_package_is_left_alone() {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("data")).unwrap();
    assert_eq!(generate(folder.path(), &small()).unwrap_err().kind(), ErrorKind::Usage);
}

#[test]
fn gpg_and_gunzip_give_the_plain_copy_and_unzip_lists_both_methods() {
    let folder = TempDir::new().unwrap();
    let made = generate(folder.path(), &Plan { courses: 6, packages: 2, ..small() }).unwrap();
    let plain = files(made.plain.as_deref().unwrap());
    let gpg = Gpg::new(&made);
    let day = gpg.decrypt(&fs::read(made.data.join(DAY).with_extension("log.gz.gpg")).unwrap());
    assert!(run(Command::new("gunzip").arg("-c"), &day) == plain[Path::new(DAY)]);

    let listing = String::from_utf8(run(Command::new("unzip").arg("-v").arg(made.data.join(ZIP)), b"")).unwrap();
    for expected in [
        "Stored",
        "Defl:N",
        " unix-2015-03-15/\n",
        " unix-2015-03-15/ora/\n",
        "/UniX-BIO-1.2x-2014_T1-auth_user-prod-analytics.sql.gpg\n",
        "/UniX-CHEM-R1-teams_membership-prod-analytics.sql.failed.gpg\n",
        "/UniX-CHEM-R1-courseware_studentmodule-prod-edge-analytics.sql.gpg\n",
        "/UniX-CHEM-R1-ccx-82-prod.mongo.gpg\n",
        "/UniX-CHEM-R1-edge.mongo.gpg\n",
        "/UniX-PHY-101-T1-course-prod-analytics.xml.tar.gz.gpg\n",
        "/UniX-_ko-1x-2T2015-course_structure-prod-analytics.json.gpg\n",
        "/ora/UniX-CHEM-R1-assessment_assessmentfeedback_options-prod-edge-analytics.sql.gpg\n",
    ] {
        assert!(listing.contains(expected), "{expected} is not in\n{listing}");
    }
    for unexpected in [
        "UniX-_ko-1x-2T2015-courseware_studentmodule",
        "UniX-BIO-1.2x-2014_T1-student_languageproficiency-prod-a",
        "UniX-CHEM-R1-teams_membership-prod-analytics.sql.gpg",
    ] {
        assert!(!listing.contains(unexpected), "{unexpected} is in\n{listing}");
    }
    let entry = "unix-2015-03-15/UniX-CHEM-R1-courseware_studentmodule-prod-analytics.sql";
    let member = run(Command::new("unzip").arg("-p").arg(made.data.join(ZIP)).arg(format!("{entry}.gpg")), b"");
    let table = &plain[&Path::new("course-data/unix-2015-03-15").join(entry)];
    assert!(gpg.decrypt(&member) == *table);
    check_tables(&plain);
    check_objects(&made);
}

/// The second week differs from the first where it should, and only there.
fn check_tables(plain: &BTreeMap<PathBuf, Vec<u8>>) {
    let table = |week: &str, name: &str| {
        let path = format!("course-data/unix-{week}/unix-{week}/UniX-CHEM-R1-{name}-prod-analytics.sql");
        String::from_utf8(plain[Path::new(&path)].clone()).unwrap()
    };
    let columns = |text: &str| text.lines().next().unwrap().split('\t').count();
    let (first, second) = (table("2015-03-08", "auth_userprofile"), table("2015-03-15", "auth_userprofile"));
    assert_eq!((columns(&first), columns(&second)), (17, 18));
    assert!(first.split('\n').skip(1).filter(|row| !row.is_empty()).all(|row| row.split('\t').count() == 17));
    assert!(
        table("2015-03-08", "student_courseenrollment").lines().count()
            < table("2015-03-15", "student_courseenrollment").lines().count()
    );
    assert_eq!(table("2015-03-08", "teams"), table("2015-03-15", "teams"));
    for awkward in ["Anna \"A\\\\K\" Kö", "1 Main St\\r\\nTown", "line\\ttwo", "C:\\\\new\\\\table"] {
        assert!(second.contains(awkward), "{awkward}");
    }
    assert!(table("2015-03-15", "courseware_studentmodule").contains(r#"a \\"b\\"\\nc \\\\ d"#));
    let forum = &plain[Path::new("course-data/unix-2015-03-15/unix-2015-03-15/UniX-CHEM-R1-prod.mongo")];
    let forms = r#"
import json, sys
posts = [json.loads(line) for line in sys.stdin.buffer]
kinds = {type(p["created_at"]["$date"]).__name__ for p in posts}
assert kinds == {"int", "str", "dict"}, kinds
ids = {p["_id"]["$oid"] for p in posts}
assert all(p["comment_thread_id"]["$oid"] in ids for p in posts if p["_type"] == "Comment")
"#;
    run(Command::new("python3").args(["-c", forms]), forum);
}

/// What else the listing shows: an empty object, a gap, and keys that a reader must leave alone.
fn check_objects(made: &Made) {
    let length = |key: &str| fs::metadata(made.data.join(key)).map(|meta| meta.len()).ok();
    assert_eq!(length("edx-course-data/unix/edx/events/2015/unix-edx-events-2015-03-03.log.gz.gpg"), Some(0));
    assert_eq!(length("edx-course-data/unix/edge/events/2015/unix-edge-events-2015-03-04.log.gz.gpg"), None);
    for key in [
        "course-data/email-opt-in/unix-2015-03-15.zip",
        "course-data/2014-05-04-unix-tracking.tar",
        "course-data/unixpro-2015-01-04.zip",
        "edx-course-data/unix/notes.txt",
        "edx-course-data/unix/rdx/REQ-7/OtherX_DemoX_R1.tar.gz.gpg",
    ] {
        assert!(length(key).is_some_and(|bytes| bytes > 0), "{key}");
    }
    let names =
        run(Command::new("tar").arg("-tf").arg(made.data.join("course-data/2014-05-04-unix-tracking.tar")), b"");
    assert!(String::from_utf8(names).unwrap().contains("prod-edge-001/2014-05-01-unix.log.gpg\n"));
    let mode = fs::metadata(&made.passphrase_file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn logs_have_the_size_the_compression_and_every_trap_of_real_ones() {
    let folder = TempDir::new().unwrap();
    let plan = Plan { events_per_day: 2000, courses: 6, packages: 0, ..small() };
    let made = generate(folder.path(), &plan).unwrap();
    let plain = made.plain.unwrap().join(DAY);
    let lines = fs::read(&plain).unwrap();
    let gz = run(Command::new("gzip").arg("-9c"), &lines);
    let ratio = lines.len() as f64 / gz.len() as f64;
    assert!((12.0..25.0).contains(&ratio), "{ratio}");
    let report = run(Command::new("python3").args(["-c", include_str!("demo/traps.py")]).arg("2015-03-02"), &lines);
    assert_eq!(String::from_utf8(report).unwrap(), "every trap is there\n");
}
