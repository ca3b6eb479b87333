//! S3 away, slow, refusing, overloaded, cut off: the errno that says so, in time, and nothing else is harmed.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use edxfs::demo::bucket::{Operation, Reply, Request};

use crate::common::{EDXFS, Mount, wait_for};
use crate::reading::{assert_told, problems, read, undamaged};
use crate::servers::{ACCESS_KEY, Gone, S3Server, SECRET, on_our_server_and_moto};
use crate::site::{ENVIRONMENT, EVENTS, SNAPSHOTS, Site, TIMEOUT, all, day_key, errno, hang_up, refusal_in};

const DAY: &str = "2015-03-04";
const OTHER: &str = "2015-03-05";

on_our_server_and_moto!(an_archived_object_must_be_restored_first);

fn assert_right(mount: &Mount, path: &str) {
    assert_eq!(read(&mount.path(path)), undamaged()[path], "{path}");
}

/// Fails unless `errno` comes within the time-out and a little.
fn assert_errno_in_time(mount: &Mount, path: &str, wanted: i32) {
    let begun = Instant::now();
    assert_eq!(errno(mount, path), wanted, "{path}");
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(TIMEOUT * 2 + 2), "{path}: {took:?}");
}

#[test]
fn without_s3_a_first_mount_is_refused_in_words() {
    let site = Site::new();
    let endpoint = site.server.endpoint_url();
    let options = site.options();
    let _gone = Gone::end(site.server);
    let scratch = tempfile::tempdir().unwrap();
    let (code, errors) = refusal_in(&scratch, options, &ENVIRONMENT);
    assert_eq!(code, Some(4), "{errors}");
    assert!(errors.contains("cannot be reached") && errors.contains("--endpoint-url"), "{endpoint}: {errors}");
}

#[test]
fn with_s3_gone_what_is_known_stays() {
    let site = Site::new();
    let mount = site.mount();
    let names = mount.list("events/all");
    assert_right(&mount, &all(DAY));
    let options = site.options();
    let _gone = Gone::end(site.server);
    assert_right(&mount, &all(DAY));
    assert_errno_in_time(&mount, &all(OTHER), libc::EHOSTUNREACH);
    assert_eq!(mount.list("events/all"), names);
    assert_told(&mount, &format!("{EVENTS}/{}", day_key(OTHER)), "", "EHOSTUNREACH");

    let begun = Instant::now();
    let mount = Mount::start_in(mount.stop(), &options, &ENVIRONMENT);
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "a known listing is there at once, not after {:?}",
        begun.elapsed()
    );
    assert_eq!(mount.list("events/all"), names);
    assert_right(&mount, &all(DAY));
    assert_errno_in_time(&mount, &all(OTHER), libc::EHOSTUNREACH);
}

#[test]
fn a_stalled_body_times_out() {
    let site = Site::new();
    let mount = site.mount();
    site.answer_gets(Some(day_key(DAY)), |_| Reply::StallAfter(2000));
    assert_errno_in_time(&mount, &all(DAY), libc::ETIMEDOUT);
    assert_right(&mount, &all(OTHER));
    site.answer_gets(None, |_| Reply::Pass);
    assert_right(&mount, &all(DAY));
}

#[test]
fn slow_and_cut_answers_come_out_right() {
    let site = Site::new();
    let mount = site.mount();
    site.answer_gets(None, |_| Reply::Delay(Duration::from_millis(300)));
    assert_right(&mount, &all("2015-03-06"));
    assert_right(&mount, "courses/UniX-PHY-101-T1/tables/auth_user.tsv");
    // Each answer breaks off a little later than the one before, the fourth not at all.
    site.answer_gets(None, |count| if count % 4 == 3 { Reply::Pass } else { Reply::CutAfter(700 * count as u64) });
    for path in
        [all(DAY), "courses/UniX-CHEM-R1/course.xml.tar.gz".to_owned(), format!("events/unattributed/{OTHER}.log")]
    {
        assert_right(&mount, &path);
    }
}

#[test]
fn a_storm_of_503_passes() {
    let site = Site::new();
    let mount = site.mount();
    site.answer_gets(None, |count| if count < 3 { Reply::Status(503, "SlowDown") } else { Reply::Pass });
    assert_right(&mount, &all(DAY));
    site.answer_gets(None, |_| Reply::Status(503, "SlowDown"));
    assert_errno_in_time(&mount, &all(OTHER), libc::EHOSTUNREACH);
    assert_right(&mount, &all(DAY));
    site.answer_gets(None, |_| Reply::Pass);
    assert_right(&mount, &all(OTHER));
    let object = format!("{EVENTS}/{}", day_key(OTHER));
    assert!(problems(&mount).iter().all(|problem| problem.object != object), "a passing trouble is forgotten");
}

#[test]
fn a_refused_object_is_a_matter_of_access() {
    let site = Site::new();
    let mount = site.mount();
    site.answer_gets(Some(day_key(DAY)), |_| Reply::Status(403, "AccessDenied"));
    assert_errno_in_time(&mount, &all(DAY), libc::EACCES);
    assert_right(&mount, &all(OTHER));
    let told = assert_told(&mount, &format!("{EVENTS}/{}", day_key(DAY)), "", "EACCES");
    assert!(told.what.contains("denied"), "{told:?}");
    // Without that day it would look whole.
    let database = "courses/UniX-CHEM-R1/samced.db";
    assert_eq!(errno(&mount, database), libc::EACCES);
    site.answer_gets(Some(day_key(DAY)), |_| Reply::Pass);
    assert!(mount.read(database).expect("access is given").starts_with(b"SQLite format 3"));
}

fn an_archived_object_must_be_restored_first<S: S3Server>() {
    let site = Site::<S>::start();
    let object = fs::read(site.made.data.join(EVENTS).join(day_key(DAY))).unwrap();
    site.server.put_archived(EVENTS, &day_key(DAY), &object);
    let mount = site.mount();
    assert_errno_in_time(&mount, &all(DAY), libc::EACCES);
    assert_right(&mount, &all(OTHER));
    let key = format!("{EVENTS}/{}", day_key(DAY));
    let told = assert_told(&mount, &key, "", "EACCES");
    assert!(told.what.contains("archived") && told.what_to_do.contains("restore"), "{told:?}");
    assert!(mount.log().contains("restore it first"), "{}", mount.log());
    assert_eq!(problems(&mount).iter().filter(|problem| problem.object == key).count(), 1, "one line for one cause");
}

#[test]
fn an_archived_package_is_told_of_once_however_often_it_is_asked_for() {
    const ZIP: &str = "unix-2015-03-15.zip";
    let site = Site::new();
    let zip = fs::read(site.made.data.join(SNAPSHOTS).join(ZIP)).unwrap();
    site.server.put_archived(SNAPSHOTS, ZIP, &zip);
    let mount = site.mount();
    let is_try = |request: &Request| request.operation == Operation::Get && request.key == ZIP;
    let asked = || site.server.take_log().iter().filter(|request| is_try(request)).count();
    for _ in 0..3 {
        asked();
        hang_up(&mount);
        wait_for("another try", || asked() > 0);
    }
    site.put_day(DAY, &fs::read(site.made.data.join(EVENTS).join(day_key(OTHER))).unwrap());
    let told = || mount.log().matches("the directory of an archive cannot be read").count();
    assert_eq!(told(), 1, "{}", mount.log());
    assert_told(&mount, &format!("{SNAPSHOTS}/{ZIP}"), "", "EACCES");
}

/// As systemd starts services of the system.
#[test]
fn profiles_are_found_without_home_in_the_environment() {
    let site = Site::new();
    let scratch = tempfile::tempdir().unwrap();
    let at = |name: &str| scratch.path().join(name);
    fs::create_dir_all(at("home/.aws")).unwrap();
    let keys = format!("[edx]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET}\n");
    fs::write(at("home/.aws/credentials"), keys).unwrap();
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let fields = users.lines().find(|line| line.split(':').nth(2) == Some("0")).expect("root is a user");
    let mut fields: Vec<&str> = fields.split(':').collect();
    let home = at("home").display().to_string();
    fields[5] = &home;
    fs::write(at("passwd"), fields.join(":") + "\n").unwrap();
    let mut command = Command::new("unshare");
    let script = "mount --bind \"$1\" /etc/passwd && shift && exec \"$@\"";
    command.args(["--mount", "--propagation", "private", "sh", "-c", script, "sh"]).arg(at("passwd"));
    command.arg(EDXFS).arg("ls").args(site.source_options()).args([
        "--region",
        "us-east-1",
        "--profile",
        "edx",
        "--cache-dir",
    ]);
    command.arg(at("cache")).arg("courses").env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    let output = command.env("AWS_EC2_METADATA_DISABLED", "true").stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("UniX-CHEM-R1/"));
}

#[test]
fn a_refused_listing_names_bucket_and_permission() {
    let site = Site::new();
    for bucket in [EVENTS, SNAPSHOTS] {
        site.server.set_hook(move |request| match request.operation {
            Operation::List if request.bucket == bucket => Reply::Status(403, "AccessDenied"),
            _ => Reply::Pass,
        });
        let (code, errors) = site.refusal(&ENVIRONMENT);
        assert_eq!(code, Some(1), "{errors}");
        assert!(errors.contains(bucket) && errors.contains("ListBucket"), "{errors}");
    }
}

#[test]
fn a_wrong_secret_is_named_as_such() {
    let site = Site::new();
    let mut environment = ENVIRONMENT;
    environment[1] = ("AWS_SECRET_ACCESS_KEY", "another-secret-4711");
    let (code, errors) = site.refusal(&environment);
    assert_eq!(code, Some(1), "{errors}");
    assert!(errors.contains("access key or its secret is wrong"), "{errors}");
    assert!(!errors.contains("4711"), "{errors}");
}
