//! Objects that change, go and come under a mount, on every server.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;

use crate::common::wait_for;
use crate::gnupg::{Keyring, Reader, gzipped};
use crate::reading::{read, stat, undamaged};
use crate::servers::{S3Server, on_every_server};
use crate::site::{EVENTS, SNAPSHOTS, Site, all, day_key, errno, hang_up};

on_every_server!(
    an_open_file_keeps_its_bytes_and_the_next_open_has_the_new_ones,
    a_change_between_listing_and_reading_is_stale_once,
    a_deleted_object_leaves_the_listing_and_open_handles_live_on,
    a_new_object_appears_after_a_refresh,
    a_mount_refreshes_by_itself,
);

const DAY: &str = "2015-03-04";
const NEW_LOG: &[u8] = b"{\"username\": \"new\", \"context\": {\"course_id\": \"UniX/PHY_101/T1\"}}\nno event\n";

fn new_day<S>(site: &Site<S>) -> Vec<u8> {
    Keyring::of(&site.made).encrypt(Reader::Czar, &gzipped(NEW_LOG))
}

fn an_open_file_keeps_its_bytes_and_the_next_open_has_the_new_ones<S: S3Server>() {
    let site = Site::<S>::start();
    let mount = site.mount();
    let path = mount.path(&all(DAY));
    let mut open = File::open(&path).unwrap();
    let mut begin = vec![0; 1000];
    open.read_exact(&mut begin).unwrap();
    let before = read(&path);
    assert_eq!(before, undamaged()[&all(DAY)]);
    let (ino, bytes) = stat(&path).unwrap();

    site.put_day(DAY, &new_day(&site));
    hang_up(&mount);
    wait_for("the new inode", || stat(&path).unwrap().0 != ino);
    assert_eq!(std::fs::read(&path).unwrap(), NEW_LOG, "the kernel's pages of the old content are not shown");
    assert_eq!(stat(&path).unwrap().1, NEW_LOG.len() as u64);

    let mut whole = begin;
    open.read_to_end(&mut whole).unwrap();
    assert_eq!(crate::reading::Met::bytes(&whole), before, "the open file keeps its content");
    let mut last = [0];
    assert_eq!(open.read_at(&mut last, bytes - 1).unwrap(), 1);
    let metadata = open.metadata().unwrap();
    assert_eq!((std::os::unix::fs::MetadataExt::ino(&metadata), metadata.len()), (ino, bytes));
    let unattributed = mount.read(&format!("events/unattributed/{DAY}.log")).unwrap();
    assert!(NEW_LOG.ends_with(&unattributed) && unattributed.ends_with(b"no event\n"));
}

/// On ESTALE the kernel looks the path up once more, so that a reader meets the error only where that is too early.
fn a_change_between_listing_and_reading_is_stale_once<S: S3Server>() {
    let site = Site::<S>::start();
    let mount = site.mount();
    site.put_day(DAY, &new_day(&site));
    if let Err(error) = mount.read(&all(DAY)) {
        assert_eq!(error.raw_os_error(), Some(libc::ESTALE));
    }
    assert_eq!(mount.read(&all(DAY)).unwrap(), NEW_LOG);
    assert!(mount.log().contains("has changed since it was listed"), "{}", mount.log());
    let zip = "unix-2015-03-15.zip";
    let older = std::fs::read(site.made.data.join("course-data/unix-2015-03-08.zip")).unwrap();
    site.server.put(SNAPSHOTS, zip, &[older, vec![0; 1]].concat());
    let path = "courses/UniX-CHEM-R1/tables/auth_user.tsv";
    let _ = mount.read(path);
    assert_ne!(read(&mount.path(path)), undamaged()[path], "nothing of the old package is read");
}

fn a_deleted_object_leaves_the_listing_and_open_handles_live_on<S: S3Server>() {
    let site = Site::<S>::start();
    let mount = site.mount();
    let kept = mount.path(&all("2015-03-05"));
    let open = File::open(&kept).unwrap();
    for day in [DAY, "2015-03-05"] {
        site.server.delete(EVENTS, &day_key(day));
    }
    assert!([libc::ESTALE, libc::ENOENT].contains(&errno(&mount, &all(DAY))));
    assert_eq!(errno(&mount, &all(DAY)), libc::ENOENT);
    wait_for("the days leave the listing", || {
        let names = mount.list("events/all");
        !names.iter().any(|name| name == "2015-03-04.log" || name == "2015-03-05.log")
    });
    assert_eq!(mount.list("events/all").len(), 12);
    let mut bytes = Vec::new();
    (&open).read_to_end(&mut bytes).unwrap();
    assert_eq!(crate::reading::Met::bytes(&bytes), undamaged()[&all("2015-03-05")]);
    assert_eq!(errno(&mount, &all("2015-03-05")), libc::ENOENT);
}

fn a_new_object_appears_after_a_refresh<S: S3Server>() {
    let site = Site::<S>::start();
    let mount = site.mount();
    let names = mount.list("events/all");
    let new = mount.path(&all("2015-03-16"));
    assert!(!new.exists(), "asked for before, so that the kernel knows that it is not there");
    site.put_day("2015-03-16", &new_day(&site));
    hang_up(&mount);
    wait_for("the new day", || new.exists());
    assert_eq!(std::fs::read(&new).unwrap(), NEW_LOG);
    assert_eq!(mount.list("events/all").len(), names.len() + 1);
}

fn a_mount_refreshes_by_itself<S: S3Server>() {
    let site = Site::<S>::start();
    let options = site.options().into_iter().map(|option| if option == "1h" { "1s".to_owned() } else { option });
    let options: Vec<_> = options.collect();
    let mount = crate::common::Mount::start_in(tempfile::tempdir().unwrap(), &options, &crate::site::ENVIRONMENT);
    site.put_day("2015-03-16", &new_day(&site));
    wait_for("the new day", || mount.list("events/all").contains(&"2015-03-16.log".to_owned()));
    assert_eq!(mount.read(&all("2015-03-16")).unwrap(), NEW_LOG);
}
