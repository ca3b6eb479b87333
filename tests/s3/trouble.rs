//! S3 away, slow, refusing, overloaded, cut off: the errno that says so, in time, and nothing else is harmed.

use std::fs;
use std::time::{Duration, Instant};

use edxfs::demo::bucket::{Operation, Reply};

use crate::common::Mount;
use crate::reading::{assert_told, problems, read, undamaged};
use crate::servers::{S3Server, on_our_server_and_moto};
use crate::site::{ENVIRONMENT, EVENTS, SNAPSHOTS, Site, TIMEOUT, all, day_key, errno, refusal_in};

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
    drop(site);
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
    drop(site);
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
