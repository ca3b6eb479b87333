//! Sources: what a folder and S3 both promise, then what only S3 can get wrong.
//!
//! The S3 side is the real client over HTTP, where no fault is needed against every server of `common/servers`.
//! Credentials come from a profile file, as a user's do.

#[path = "common/servers/mod.rs"]
mod servers;
#[path = "source/site.rs"]
mod site;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use edxfs::demo::bucket::{Credentials, Object, Operation, Reply, Request, Server};
use edxfs::error::{Error, ErrorKind, Result};
use edxfs::source::folder::FolderSource;
use edxfs::source::recorded::Recorded;
use edxfs::source::s3::{ATTEMPTS, RequesterPays, S3Settings, S3Source};
use edxfs::source::{Availability, ObjectId, ObjectKey, Source};

use servers::{ACCESS_KEY, Gone, S3Server, SECRET, on_every_server, on_our_server_and_moto};
use site::{EVENTS, SNAPSHOTS, Site, connect, on_every_site, replace_keys, server, settings, start};

const DAY: &str = "chalmersx/edx/events/2015/chalmersx-edx-events-2015-08-30.log.gz.gpg";
const ZIP: &str = "chalmersx-2015-08-30.zip";

on_every_site!(
    a_listing_names_every_object_once_with_its_size,
    a_range_is_read_exactly,
    another_version_is_never_read,
    a_deleted_object_leaves_the_listing_and_says_so,
);

on_every_server!(
    a_listing_pages_and_always_sends_a_prefix,
    other_organisations_keys_are_left_out,
    a_dropped_reader_stops_fetching,
    a_reader_outlives_its_source,
    the_requester_pays_only_when_told_to,
    a_folder_served_over_s3_reads_as_it_lies_on_disk,
);

mod archived {
    use super::*;

    on_our_server_and_moto!(an_archived_object_says_what_to_do);
}

fn find(source: &dyn Source, key: &str) -> ObjectId {
    let listed = source.list().unwrap();
    listed.into_iter().map(|object| object.id).find(|id| id.key.as_str().ends_with(key)).unwrap()
}

fn read(source: &dyn Source, id: &ObjectId, range: Range<u64>) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.open(id, range)?.read_to_end(&mut bytes).map_err(Error::from)?;
    Ok(bytes)
}

fn kind<T>(result: Result<T>) -> ErrorKind {
    result.err().expect("it was to fail").kind()
}

fn noise(bytes: usize) -> Vec<u8> {
    (0..bytes as u64).map(|at| (at.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect()
}

fn a_listing_names_every_object_once_with_its_size<P: Site>() {
    let keys = [DAY, "chalmersx/rdx/r 1/mitx_A+B_é&%41;=~.tar.gz.gpg", "chalmersx/edge/events/2015/x..log"];
    let site = P::start();
    let mut expected = BTreeMap::new();
    for (at, key) in keys.iter().enumerate() {
        site.put(EVENTS, key, &noise(100 + at));
        expected.insert(ObjectKey::new(&format!("{EVENTS}/{key}")), 100 + at as u64);
    }
    site.put(SNAPSHOTS, ZIP, &noise(5));
    expected.insert(ObjectKey::new(&format!("{SNAPSHOTS}/{ZIP}")), 5);
    let listed = site.source().list().unwrap();
    assert_eq!(listed.len(), expected.len());
    assert_eq!(listed.iter().map(|o| (o.id.key.clone(), o.id.bytes)).collect::<BTreeMap<_, _>>(), expected);
    assert!(listed.iter().all(|object| object.availability == Availability::Ready));
    for object in &listed {
        assert_eq!(read(site.source(), &object.id, 0..object.id.bytes).unwrap(), noise(object.id.bytes as usize));
    }
}

fn a_range_is_read_exactly<P: Site>() {
    let site = P::start();
    let content = noise(900_000);
    site.put(SNAPSHOTS, ZIP, &content);
    let id = find(site.source(), ZIP);
    for range in [0..1, 0..900_000, 17..700_001, 899_999..900_000, 5..5, 900_000..900_000] {
        let part = &content[range.start as usize..range.end as usize];
        assert_eq!(read(site.source(), &id, range.clone()).unwrap(), part, "{range:?}");
    }
    assert_eq!(kind(read(site.source(), &id, 899_000..900_001)), ErrorKind::Corrupt);
    assert_eq!(kind(read(site.source(), &id, 900_001..900_002)), ErrorKind::Corrupt);
    let traffic = site.source().traffic();
    assert!(traffic.fetched_bytes >= 1_599_986, "{traffic:?}");
    assert_eq!(traffic.fetched_objects, 6, "an empty range is no request");
}

fn another_version_is_never_read<P: Site>() {
    let site = P::start();
    site.put(EVENTS, DAY, b"first");
    let first = find(site.source(), DAY);
    let mut open = site.source().open(&first, 0..5).unwrap();
    site.put(EVENTS, DAY, b"other");
    assert_eq!(kind(read(site.source(), &first, 0..5)), ErrorKind::Changed);
    let other = find(site.source(), DAY);
    assert_ne!(first.etag, other.etag);
    assert_eq!(read(site.source(), &other, 0..5).unwrap(), b"other");
    let mut bytes = Vec::new();
    if open.read_to_end(&mut bytes).is_ok() {
        assert_eq!(bytes, b"first");
    }
}

fn a_deleted_object_leaves_the_listing_and_says_so<P: Site>() {
    let site = P::start();
    site.put(EVENTS, DAY, b"day");
    let id = find(site.source(), DAY);
    site.delete(EVENTS, DAY);
    let error = read(site.source(), &id, 0..3).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Changed);
    assert!(error.to_string().contains(DAY) && error.to_string().contains("deleted"), "{error}");
    assert!(site.source().list().unwrap().is_empty());
}

#[test]
fn calls_are_counted_by_key() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.zip"), noise(1000)).unwrap();
    let source = Recorded::new(FolderSource::new(folder.path()).unwrap());
    let id = find(&source, "a.zip");
    read(&source, &id, 10..20).unwrap();
    let mut reader = source.open(&id, 0..1000).unwrap();
    reader.read_exact(&mut [0; 100]).unwrap();
    assert_eq!((source.lists(), source.opens(&id.key)), (1, vec![10..20, 0..1000]));
    assert_eq!(source.read_bytes(&id.key), 110);
}

fn a_listing_pages_and_always_sends_a_prefix<S: S3Server>() {
    let server: S = start();
    let page_keys = server.small_pages();
    server.restrict(EVENTS, "chalmersx");
    let keys = page_keys + 7;
    for at in 0..keys {
        server.put(EVENTS, &format!("chalmersx/edx/events/2015/{at}.log.gz.gpg"), b"x");
    }
    for day in 10..20 {
        server.put(SNAPSHOTS, &format!("chalmersx-2015-08-{day}.zip"), b"y");
    }
    assert_eq!(connect(&server).list().unwrap().len(), keys + 10);
    let log = server.take_log();
    assert!(log.iter().all(|request| request.operation == Operation::List && !request.key.is_empty()));
    assert_eq!(log.iter().filter(|request| request.bucket == EVENTS).count(), keys.div_ceil(page_keys));
    assert!(log.iter().filter(|request| request.bucket == EVENTS).all(|request| request.key == "chalmersx/"));
}

fn other_organisations_keys_are_left_out<S: S3Server>() {
    let server: S = start();
    for key in [
        "chalmersx-pro-2015-08-30.zip",
        "chalmersxx-2015-08-30.zip",
        "email-opt-in/chalmersx-pro-2015-08-30.zip",
        "2014-05-04-mitx-tracking.tar",
        "2014-05-04-mitx-chalmersx-tracking.tar",
    ] {
        server.put(SNAPSHOTS, key, b"theirs");
    }
    let ours = [ZIP, "email-opt-in/chalmersx-2015-08-30.zip", "2014-05-04-chalmersx-tracking.tar"];
    for key in ours {
        server.put(SNAPSHOTS, key, b"ours");
    }
    let listed = connect(&server).list().unwrap();
    assert!(listed.iter().all(|object| object.id.bytes == 4), "{listed:?}");
    assert_eq!(listed.len(), ours.len());
}

#[test]
fn a_refused_listing_says_what_is_missing() {
    let server = server();
    server.put(SNAPSHOTS, ZIP, Object::memory(b"x"));
    server.set_hook(|request| match request.key.as_str() {
        "2012-" | "2013-" | "2014-" => Reply::Status(403, "AccessDenied"),
        _ => Reply::Pass,
    });
    assert_eq!(connect(&server).list().unwrap().len(), 1, "who may not see the tar era has none");
    server.set_hook(|request| match request.key.as_str() {
        "chalmersx/" => Reply::Status(403, "AccessDenied"),
        _ => Reply::Pass,
    });
    let error = connect(&server).list().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    for part in [EVENTS, "chalmersx/", "s3:ListBucket", "--events-bucket"] {
        assert!(error.to_string().contains(part), "{error}");
    }
    let error = S3Source::connect(S3Settings { snapshots_bucket: "nowhere".to_owned(), ..settings(&server) });
    let error = error.unwrap().list().unwrap_err();
    assert!(error.to_string().contains("chalmersx/"), "the first failure is told: {error}");
    server.set_hook(|_| Reply::Pass);
    let source = S3Source::connect(S3Settings { snapshots_bucket: "nowhere".to_owned(), ..settings(&server) }).unwrap();
    let error = source.list().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("nowhere") && error.to_string().contains("--snapshots-bucket"), "{error}");
}

/// A source with one day in it, on our own server, listed; the log is empty.
fn one_day(content: &[u8], edit: impl FnOnce(&mut S3Settings)) -> (Server, S3Source, ObjectId) {
    one_day_on(content, edit)
}

fn one_day_on<S: S3Server>(content: &[u8], edit: impl FnOnce(&mut S3Settings)) -> (S, S3Source, ObjectId) {
    let server: S = start();
    server.put(EVENTS, DAY, content);
    let mut settings = settings(&server);
    edit(&mut settings);
    let source = S3Source::connect(settings).unwrap();
    let id = find(&source, DAY);
    server.take_log();
    (server, source, id)
}

#[test]
fn a_refused_object_says_what_is_missing() {
    let (server, source, id) = one_day(b"day", |_| {});
    server.set_hook(|_| Reply::Status(403, "AccessDenied"));
    let error = read(&source, &id, 0..3).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.to_string().contains(DAY) && error.to_string().contains("s3:GetObject"), "{error}");
    server.set_hook(|_| Reply::Status(400, "ExpiredToken"));
    let error = read(&source, &id, 0..3).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoCredentials);
    assert!(error.to_string().contains("log in again"), "{error}");
}

#[test]
fn a_wrong_secret_is_refused_and_not_told() {
    let server = server();
    let source = S3Source::connect(S3Settings { profile: Some("wrong".to_owned()), ..settings(&server) }).unwrap();
    let error = source.list().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoCredentials);
    assert!(error.to_string().contains("secret is wrong") && !error.to_string().contains("other"), "{error}");
    assert!(server.take_log().is_empty(), "nothing unsigned got through");
}

#[test]
fn no_credentials_are_named_as_such() {
    let server = server();
    let source = S3Source::connect(S3Settings { profile: Some("none".to_owned()), ..settings(&server) }).unwrap();
    let error = source.list().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoCredentials, "{error}");
    assert!(error.to_string().contains("--profile") && !error.to_string().contains('\n'), "{error}");
}

#[test]
fn a_busy_server_is_asked_again() {
    let (server, source, id) = one_day(b"day", |_| {});
    let count = AtomicU32::new(0);
    server.set_hook(move |_| match count.fetch_add(1, Ordering::Relaxed) {
        0 => Reply::Status(503, "SlowDown"),
        1 => Reply::Status(500, "InternalError"),
        _ => Reply::Pass,
    });
    assert_eq!(read(&source, &id, 0..3).unwrap(), b"day");
    assert_eq!(server.take_log().len(), 3);
    server.set_hook(|_| Reply::Status(503, "SlowDown"));
    let error = read(&source, &id, 0..3).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
    assert_eq!(server.take_log().len(), ATTEMPTS as usize);
}

#[test]
fn a_server_that_is_gone_is_unreachable() {
    let (server, source, id) = one_day(b"day", |_| {});
    let _gone = Gone::end(server);
    assert_eq!(kind(read(&source, &id, 0..3)), ErrorKind::Unreachable);
    assert_eq!(kind(source.list()), ErrorKind::Unreachable);
}

/// The first byte of a `bytes=a-b` range.
fn first_byte(request: &Request) -> u64 {
    let range = request.range.as_deref().unwrap().strip_prefix("bytes=").unwrap();
    range.split('-').next().unwrap().parse().unwrap()
}

#[test]
fn a_cut_body_goes_on_where_it_broke() {
    let content = noise(3_000_000);
    let (server, source, id) = one_day(&content, |_| {});
    let count = AtomicU32::new(0);
    server.set_hook(move |_| match count.fetch_add(1, Ordering::Relaxed) {
        0 => Reply::CutAfter(1_000_000),
        1 => Reply::CutAfter(700_000),
        _ => Reply::Pass,
    });
    assert_eq!(read(&source, &id, 0..3_000_000).unwrap(), content);
    let starts: Vec<u64> = server.take_log().iter().map(first_byte).collect();
    assert_eq!(starts, [0, 1_000_000, 1_700_000]);
    assert_eq!(source.traffic().fetched_bytes, 3_000_000);
    assert_eq!(source.traffic().fetched_objects, 1);
}

#[test]
fn a_cut_body_never_goes_on_with_another_version() {
    let (server, source, id) = one_day(&noise(3_000_000), |_| {});
    server.set_hook(|request| if first_byte(request) == 0 { Reply::CutAfter(1_000_000) } else { Reply::Pass });
    let mut reader = source.open(&id, 0..3_000_000).unwrap();
    server.put(EVENTS, DAY, Object::memory(&noise(3_000_001)));
    let mut bytes = Vec::new();
    let error = Error::from(reader.read_to_end(&mut bytes).unwrap_err());
    assert_eq!(error.kind(), ErrorKind::Changed);
    assert!(error.to_string().contains(DAY), "{error}");
    assert!(reader.read(&mut [0]).is_err(), "an error stays");
}

#[test]
fn a_body_that_always_breaks_off_ends_in_an_error() {
    let (server, source, id) = one_day(&noise(100_000), |_| {});
    server.set_hook(|_| Reply::CutAfter(10));
    let error = read(&source, &id, 0..100_000).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
    assert_eq!(server.take_log().len(), ATTEMPTS as usize);
}

#[test]
fn a_stalled_body_is_asked_for_again_and_then_times_out() {
    let content = noise(600_000);
    let (server, source, id) = one_day(&content, |settings| settings.timeout = Duration::from_millis(1500));
    server.set_hook(|request| if first_byte(request) == 0 { Reply::StallAfter(5000) } else { Reply::Pass });
    assert_eq!(read(&source, &id, 0..600_000).unwrap(), content);
    server.set_hook(|_| Reply::StallAfter(0));
    let begun = Instant::now();
    assert_eq!(kind(read(&source, &id, 0..600_000)), ErrorKind::TimedOut);
    assert!(begun.elapsed() < Duration::from_millis(3500), "{:?}", begun.elapsed());
}

#[test]
fn a_silent_server_times_out() {
    let (server, source, id) = one_day(b"day", |settings| settings.timeout = Duration::from_millis(900));
    server.set_hook(|_| Reply::Delay(Duration::from_secs(30)));
    for result in [read(&source, &id, 0..3).map(drop), source.list().map(drop)] {
        assert_eq!(kind(result), ErrorKind::TimedOut);
    }
    assert!(server.take_log().len() > 2, "a silent connection is given up for another one");
}

fn a_dropped_reader_stops_fetching<S: S3Server>() {
    let bytes = 64 << 20;
    let (_server, source, id) = one_day_on::<S>(&vec![7; bytes], |_| {});
    let mut reader = source.open(&id, 0..bytes as u64).unwrap();
    reader.read_exact(&mut [0; 10]).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let ahead = source.traffic().fetched_bytes;
    drop(reader);
    std::thread::sleep(Duration::from_millis(100));
    let after = source.traffic().fetched_bytes;
    assert!(after < 8 << 20 && after == ahead, "{ahead} bytes were fetched ahead, {after} after");
}

fn a_reader_outlives_its_source<S: S3Server>() {
    let content = noise(5_000_000);
    let (_server, source, id) = one_day_on::<S>(&content, |_| {});
    let mut reader = source.open(&id, 0..5_000_000).unwrap();
    drop(source);
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes, content);
}

fn an_archived_object_says_what_to_do<S: S3Server>() {
    let server: S = start();
    server.put_archived(SNAPSHOTS, ZIP, b"old");
    let source = connect(&server);
    let listed = source.list().unwrap();
    assert_eq!(listed[0].availability, Availability::Archived);
    let error = read(&source, &listed[0].id, 0..3).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Archived);
    assert!(error.to_string().contains("restore"), "{error}");
}

fn the_requester_pays_only_when_told_to<S: S3Server>() {
    for (choice, header) in [(RequesterPays::Off, None), (RequesterPays::On, Some("requester".to_owned()))] {
        let (server, source, id) = one_day_on::<S>(b"day", |settings| settings.requester_pays = choice);
        read(&source, &id, 0..3).unwrap();
        source.list().unwrap();
        assert!(server.take_log().iter().all(|request| request.request_payer == header));
    }
}

#[test]
fn a_bucket_in_another_region_is_followed() {
    let (server, source, id) = one_day(b"day", |_| {});
    server.set_hook(|request| match request.region.as_str() {
        "eu-north-1" => Reply::Pass,
        _ => Reply::Redirect("eu-north-1"),
    });
    assert_eq!(read(&source, &id, 0..3).unwrap(), b"day");
    assert_eq!(source.list().unwrap().len(), 1);
    let log = server.take_log();
    assert_eq!(log.iter().filter(|request| request.bucket == EVENTS && request.region == "us-east-1").count(), 1);
}

#[test]
fn expired_credentials_are_renewed() {
    let server = server();
    for run in 1..100 {
        server.add_credentials(Credentials::new(&format!("RUN{run}"), "s"));
    }
    let source = S3Source::connect(S3Settings { profile: Some("process".to_owned()), ..settings(&server) }).unwrap();
    let keys_used = || {
        source.list().unwrap();
        server.take_log().into_iter().map(|request| request.access_key).collect::<BTreeSet<_>>()
    };
    let before = keys_used();
    std::thread::sleep(Duration::from_millis(3100));
    let after = keys_used();
    assert!(before.contains("RUN1") && before.is_disjoint(&after), "{before:?} {after:?}");
}

/// As after 90 days, in a mount that nobody looks after.
#[test]
fn keys_that_were_replaced_in_the_profile_are_taken_up() {
    replace_keys(ACCESS_KEY, SECRET);
    let server = server();
    let source = S3Source::connect(S3Settings { profile: Some("replaced".to_owned()), ..settings(&server) }).unwrap();
    assert!(source.list().unwrap().is_empty());
    server.add_credentials(Credentials::new("NEW", "s"));
    server.set_hook(|request| match request.access_key.as_str() {
        "NEW" => Reply::Pass,
        _ => Reply::Status(403, "InvalidAccessKeyId"),
    });
    assert_eq!(kind(source.list()), ErrorKind::NoCredentials);
    replace_keys("NEW", "s");
    let begun = Instant::now();
    while let Err(error) = source.list() {
        assert_eq!(error.kind(), ErrorKind::NoCredentials, "{error}");
        assert!(begun.elapsed() < Duration::from_secs(30), "{error}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn a_folder_served_over_s3_reads_as_it_lies_on_disk<S: S3Server>() {
    let folder = tempfile::tempdir().unwrap();
    let content = noise(3_000_000);
    let path = folder.path().join(DAY);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, &content).unwrap();
    let server: S = start();
    server.put_folder(EVENTS, folder.path());
    let source = connect(&server);
    let id = find(&source, DAY);
    assert_eq!(read(&source, &id, 0..3_000_000).unwrap(), content);
    assert_eq!(read(&source, &id, 1_500_001..1_500_011).unwrap(), content[1_500_001..1_500_011]);
}
