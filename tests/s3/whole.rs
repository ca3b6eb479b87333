//! The whole tree from S3, and what it costs, on every server.

use std::fs;
use std::process::Command;

use edxfs::demo::bucket::{Operation, Request};

use crate::common::run;
use crate::injury::zip_entries;
use crate::reading::{Expect, assert_tree, read, read_tree, undamaged};
use crate::servers::{S3Server, on_every_server};
use crate::site::{EVENTS, SNAPSHOTS, Site};

on_every_server!(
    the_whole_tree_is_the_same_from_s3_under_the_czars_policy,
    one_table_costs_the_directory_once_and_its_own_bytes,
    a_second_mount_fetches_nothing_that_it_knows,
);

const NEWEST: &str = "unix-2015-03-15.zip";

fn the_whole_tree_is_the_same_from_s3_under_the_czars_policy<S: S3Server>() {
    let site = Site::<S>::start();
    site.server.restrict(EVENTS, "unix");
    let page_keys = site.server.small_pages();
    let mount = site.mount();
    let listed = site.server.take_log();
    let lists: Vec<_> = listed.iter().filter(|request| request.operation == Operation::List).collect();
    let pages = lists.iter().filter(|request| request.bucket == EVENTS).count();
    let objects = run(Command::new("find").arg(site.made.data.join(EVENTS).join("unix")).args(["-type", "f"]));
    let objects = objects.stdout.iter().filter(|byte| **byte == b'\n').count();
    assert_eq!(pages, objects.div_ceil(page_keys), "pages of {page_keys} keys: {lists:#?}");
    for request in &lists {
        let allowed = match request.bucket.as_str() {
            EVENTS => request.key == "unix/",
            _ => ["unix-", "email-opt-in/unix-", "2012-", "2013-", "2014-"].contains(&request.key.as_str()),
        };
        assert!(allowed, "{request:?}");
    }
    assert_tree(&read_tree(&mount, ""), "", |_| Expect::Right);
    for request in site.server.take_log() {
        assert!(request.if_match.is_some(), "an object is read without its ETag: {request:?}");
    }
    assert_eq!(mount.status()["fetched_objects"].as_u64().map(|count| count > 30), Some(true));
}

fn one_table_costs_the_directory_once_and_its_own_bytes<S: S3Server>() {
    let site = Site::<S>::start();
    let mount = site.mount();
    let zip = fs::read(site.made.data.join(SNAPSHOTS).join(NEWEST)).unwrap();
    let directory = zip.len() - zip_entries(&zip)[0].central;
    let spent = bytes_of(&site.server.take_log(), NEWEST);
    assert!(spent as usize <= directory + (128 << 10), "{spent} bytes for a directory of {directory}");

    let path = "courses/UniX-PHY-101-T1/course.xml.tar.gz";
    let name = "unix-2015-03-15/UniX-PHY-101-T1-course-prod-analytics.xml.tar.gz.gpg";
    let entry = zip_entries(&zip).into_iter().find(|entry| entry.name == name).unwrap();
    mount.list("courses/UniX-PHY-101-T1/tables");
    assert_eq!(bytes_of(&site.server.take_log(), NEWEST), 0, "a listing fetches nothing");
    assert_eq!(read(&mount.path(path)), undamaged()[path]);
    let log = site.server.take_log();
    let spent = bytes_of(&log, NEWEST) as usize;
    assert!(spent <= entry.data.len() + 4096, "{spent} bytes for {} of an entry: {log:#?}", entry.data.len());
    assert!(log.len() <= 2, "{log:#?}");
    assert_eq!(read(&mount.path("courses/UniX-PHY-101-T1/snapshots/2015-03-15/course.xml.tar.gz")), undamaged()[path]);
    assert!(site.server.take_log().is_empty(), "the same entry is fetched once");
}

/// Bytes asked for of a key's body.
fn bytes_of(log: &[Request], key: &str) -> u64 {
    let gets = log.iter().filter(|request| request.operation == Operation::Get && request.key == key);
    gets.map(|request| {
        let range = request.range.as_deref().unwrap_or_else(|| panic!("a whole package is fetched: {request:?}"));
        let (from, to) = range.strip_prefix("bytes=").and_then(|range| range.split_once('-')).unwrap();
        to.parse::<u64>().unwrap() - from.parse::<u64>().unwrap() + 1
    })
    .sum()
}

/// The directory of a package is read once for all mounts.
fn a_second_mount_fetches_nothing_that_it_knows<S: S3Server>() {
    let site = Site::<S>::start();
    let mount = site.mount();
    let path = "courses/UniX-PHY-101-T1/tables/auth_user.tsv";
    assert_eq!(read(&mount.path(path)), undamaged()[path]);
    let scratch = mount.stop();
    site.server.take_log();
    let mount = crate::common::Mount::start_in(scratch, &site.options(), &crate::site::ENVIRONMENT);
    assert_eq!(read(&mount.path(path)), undamaged()[path]);
    let gets = site.server.take_log().into_iter().filter(|request| request.operation == Operation::Get);
    assert_eq!(gets.collect::<Vec<_>>(), []);
}
