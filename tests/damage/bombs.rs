//! What expands without end is an error, and costs the cache no more than its budget.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::common::{Mount, copy_of, folder_options, run, small_package};
use crate::gnupg::{Keyring, Reader, gzipped};
use crate::injury::replace;
use crate::reading::{FIRST_DAY, assert_told, keep_days, quiet, read, undamaged};

const MIB: usize = 1 << 20;
const DAY: &str = "edx-course-data/unix/edx/events/2015/unix-edx-events-2015-03-04.log.gz.gpg";
const OPT_IN: &str = "course-data/email-opt-in/unix-2015-03-15.zip";
/// Of the cache.
const BUDGET: u64 = 64 << 20;

/// 1 GiB of zeros as gzip: members one after the other are one file, and GnuPG compresses them once more.
fn bomb() -> Vec<u8> {
    gzipped(&vec![0; 64 * MIB]).repeat(16)
}

#[test]
fn a_bomb_is_an_error_and_stays_within_the_budget() {
    let scratch = tempfile::tempdir().unwrap();
    let made = copy_of(&small_package(), scratch.path());
    keep_days(&made, &[FIRST_DAY, "2015-03-04"]);
    replace(&made.data.join(DAY), &Keyring::of(&made).encrypt(Reader::Czar, &bomb()));
    let name = "unix-2015-03-15/unix-email_opt_in-prod-analytics.csv.gpg";
    let folder = scratch.path().join("zip");
    fs::create_dir_all(folder.join("unix-2015-03-15")).unwrap();
    fs::File::create(folder.join(name)).unwrap().set_len(256 * MIB as u64).unwrap();
    let zip = scratch.path().join("bomb.zip");
    run(Command::new("zip").args(["-qr1"]).arg(&zip).arg("unix-2015-03-15").current_dir(&folder));
    replace(&made.data.join(OPT_IN), &fs::read(zip).unwrap());

    let mut options = quiet(folder_options(&made));
    options.extend(["--cache-size".to_owned(), BUDGET.to_string()]);
    let mount = Mount::start(&options);
    let cache = mount.scratch.path().join("cache");
    let done = AtomicBool::new(false);
    let most = thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut most = 0;
            while !done.load(Ordering::Relaxed) {
                most = most.max(disk_bytes(&cache));
                thread::sleep(Duration::from_millis(5));
            }
            most
        });
        let begun = Instant::now();
        for path in ["courses/UniX-PHY-101-T1/events/2015-03-04.log", "events/all/2015-03-04.log"] {
            assert_eq!(mount.read(path).unwrap_err().raw_os_error(), Some(libc::EIO), "{path}");
        }
        let opt_in = "email-opt-in/unix-2015-03-15/unix-email_opt_in-prod-analytics.csv";
        assert_eq!(mount.read(opt_in).unwrap_err().raw_os_error(), Some(libc::EIO));
        done.store(true, Ordering::Relaxed);
        assert!(begun.elapsed() < Duration::from_secs(30), "a bomb took {:?}", begun.elapsed());
        watch.join().unwrap()
    });
    assert!(most < BUDGET + (8 << 20), "the cache grew to {most} bytes");
    assert!(fs::read_dir(cache.join("tmp")).unwrap().next().is_none(), "temporary files stay");
    let told = assert_told(&mount, DAY, "", "EIO");
    assert!(told.what.contains("bomb"), "{told:?}");
    assert_told(&mount, OPT_IN, name, "EIO");
    let sound = format!("events/all/{FIRST_DAY}.log");
    assert_eq!(read(&mount.path(&sound)), undamaged()[&sound]);
}

/// Bytes on disk below a folder; what goes away meanwhile counts nothing.
fn disk_bytes(folder: &Path) -> u64 {
    let mut bytes = 0;
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => bytes += disk_bytes(&entry.path()),
            Ok(metadata) => bytes += std::os::unix::fs::MetadataExt::blocks(&metadata) * 512,
            Err(_) => {}
        }
    }
    bytes
}
