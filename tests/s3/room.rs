//! A file that does not fit is an error of its own; the rest goes on, and the room comes back. On every server.

use std::fs;

use crate::common::{Mount, wait_for};
use crate::gnupg::{Keyring, Reader, gzipped};
use crate::injury::noise;
use crate::reading::{is_joined, read, undamaged};
use crate::servers::{S3Server, on_every_server};
use crate::site::{Disk, ENVIRONMENT, Site, all, errno};

on_every_server!(
    a_file_larger_than_the_budget_does_not_fit,
    a_full_disk_refuses_one_file_and_gives_its_room_back,
    a_disk_filled_by_others_harms_nothing_for_good,
);

const DAY: &str = "2015-03-04";
const OTHER: &str = "2015-03-05";

/// Its big day is 5 MiB that do not compress.
fn site_with_a_big_day<S: S3Server>() -> Site<S> {
    let site = Site::<S>::start();
    let big = Keyring::of(&site.made).encrypt(Reader::Czar, &gzipped(&noise(5 << 20)));
    site.put_day(DAY, &big);
    site
}

fn assert_others_fit(mount: &Mount) {
    for path in [all(OTHER), format!("courses/UniX-CHEM-R1/events/{OTHER}.log")] {
        assert_eq!(read(&mount.path(&path)), undamaged()[&path], "{path}");
    }
    let path = "courses/UniX-CHEM-R1/course.xml.tar.gz";
    assert_eq!(read(&mount.path(path)), undamaged()[path]);
}

fn a_file_larger_than_the_budget_does_not_fit<S: S3Server>() {
    let site = site_with_a_big_day::<S>();
    let mount = site.mount_with(&["--cache-size", "1MiB"]);
    for path in [all(DAY), format!("events/unattributed/{DAY}.log")] {
        assert_eq!(errno(&mount, &path), libc::ENOSPC, "{path}");
        assert_others_fit(&mount);
    }
    assert!(mount.log().contains("--cache-size"), "{}", mount.log());
    let status = mount.status();
    assert!(status["cache_bytes"].as_u64() <= status["cache_limit_bytes"].as_u64(), "{status}");
    // More than the budget in all: older files go, newer ones are right.
    let of_course = |path: &str| path.starts_with("courses/UniX-BIO") && !path.contains(DAY) && !is_joined(path);
    for (path, met) in undamaged().iter().filter(|(path, _)| of_course(path)).take(60) {
        if matches!(met, crate::reading::Met::Content(..)) {
            assert_eq!(read(&mount.path(path)), *met, "{path}");
        }
    }
    let status = mount.status();
    assert!(status["cache_bytes"].as_u64() <= status["cache_limit_bytes"].as_u64(), "{status}");
}

fn a_full_disk_refuses_one_file_and_gives_its_room_back<S: S3Server>() {
    let site = site_with_a_big_day::<S>();
    let disk = Disk::of("4m");
    let cache = disk.path().join("cache");
    fs::create_dir(&cache).unwrap();
    let only_ours = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    fs::set_permissions(&cache, only_ours).unwrap();
    let mount = site.mount_with(&["--cache-dir", cache.to_str().unwrap()]);
    for _ in 0..2 {
        assert_eq!(errno(&mount, &all(DAY)), libc::ENOSPC);
        wait_for("the room comes back", || fs::read_dir(cache.join("tmp")).unwrap().next().is_none());
        assert_others_fit(&mount);
    }
    assert!(mount.log().contains("disk of the cache is full"), "{}", mount.log());
    assert!(mount.log().contains("--cache-dir"), "{}", mount.log());
    let mount = {
        let options = [site.options(), vec!["--cache-dir".to_owned(), cache.display().to_string()]].concat();
        Mount::start_in(mount.stop(), &options, &ENVIRONMENT)
    };
    assert_others_fit(&mount);
}

/// Somebody else fills the disk to its last byte, so that not even the ledger can grow.
fn a_disk_filled_by_others_harms_nothing_for_good<S: S3Server>() {
    let site = Site::<S>::start();
    let disk = Disk::of("6m");
    let cache = disk.path().join("cache");
    fs::create_dir(&cache).unwrap();
    fs::set_permissions(&cache, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let mount = site.mount_with(&["--cache-dir", cache.to_str().unwrap()]);
    assert_eq!(read(&mount.path(&all(OTHER))), undamaged()[&all(OTHER)]);
    let filler = disk.path().join("filler");
    let full = fs::write(&filler, noise(8 << 20)).unwrap_err();
    assert_eq!(full.raw_os_error(), Some(libc::ENOSPC));
    assert_eq!(errno(&mount, &all(DAY)), libc::ENOSPC);
    assert_eq!(read(&mount.path(&all(OTHER))), undamaged()[&all(OTHER)], "a cached file can be read");
    fs::remove_file(&filler).unwrap();
    assert_eq!(read(&mount.path(&all(DAY))), undamaged()[&all(DAY)]);
}
