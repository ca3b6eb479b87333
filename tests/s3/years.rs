//! What happens to a mount that nobody looks after: S3 goes and comes back, logs rotate, the budget and the clock change.

use std::fs;
use std::path::Path;

use edxfs::demo::bucket::{Object, Operation, Reply, Request};

use crate::common::{Mount, wait_for};
use crate::gnupg::{Keyring, Reader, gzipped};
use crate::injury::noise;
use crate::reading::{problems, read, undamaged};
use crate::servers::{S3Server, on_every_server};
use crate::site::{ENVIRONMENT, EVENTS, Site, all, day_key, hang_up};

const DAYS: [&str; 4] = ["2015-03-04", "2015-03-05", "2015-03-06", "2015-03-07"];
const NEW: &str = "2015-03-16";

on_every_server!(
    a_rotated_log_is_begun_anew_at_the_signal,
    a_budget_made_smaller_holds_from_the_start_and_everything_still_opens,
);

fn assert_right(mount: &Mount, day: &str) {
    assert_eq!(read(&mount.path(&all(day))), undamaged()[&all(day)], "{day}");
}

/// The site has one more day: a copy of an old one.
fn put_new_day(site: &Site) {
    let object = Object::file(&site.made.data.join(EVENTS).join(day_key(DAYS[0]))).unwrap();
    site.server.put(EVENTS, &day_key(NEW), object);
}

fn shows_new_day(mount: &Mount) -> bool {
    mount.list("events/all").contains(&format!("{NEW}.log"))
}

#[test]
fn a_source_that_was_away_at_the_start_is_listed_soon_after_it_is_back() {
    let site = Site::new();
    let before = site.mount();
    assert_right(&before, DAYS[0]);
    let scratch = before.stop();
    site.server.set_hook(|_| Reply::Status(503, "SlowDown"));
    // The next regular refresh is an hour away.
    let mount = Mount::start_in(scratch, &site.options(), &ENVIRONMENT);
    assert_right(&mount, DAYS[0]);
    wait_for("a failed listing", || mount.log().contains("the last known listing stays"));
    assert!(mount.status()["refresh_error"].is_string());
    put_new_day(&site);
    site.server.set_hook(|_| Reply::Pass);
    wait_for("the new day", || shows_new_day(&mount));
    assert!(mount.status()["refresh_error"].is_null());
    site.server.take_log();
    assert_right(&mount, DAYS[1]);
    let lists = site.server.take_log().iter().filter(|request| request.operation == Operation::List).count();
    assert_eq!(lists, 0, "once it is back it is left in peace");
}

fn a_rotated_log_is_begun_anew_at_the_signal<S: S3Server>() {
    let site = Site::<S>::start();
    let logs = tempfile::tempdir().unwrap();
    let log = logs.path().join("edxfs.log");
    let mount = site.mount_with(&["--log-file", log.to_str().unwrap(), "--log", "debug"]);
    wait_for("a line", || length(&log) > 0);
    let rotated = logs.path().join("edxfs.log.1");
    fs::rename(&log, &rotated).unwrap();
    hang_up(&mount);
    wait_for("the new file", || log.exists());
    assert_right(&mount, DAYS[0]);
    wait_for("a line in it", || length(&log) > 0);
    let old = length(&rotated);
    assert_right(&mount, DAYS[1]);
    assert_eq!(length(&rotated), old, "nothing more goes to the old one");
}

/// A night without a network, while the first thousand days are being indexed.
#[test]
fn what_could_not_be_indexed_is_tried_again_when_the_source_is_back() {
    let site = Site::new();
    let is_day = |request: &Request| request.operation == Operation::Get && request.key.contains("-events-");
    site.server.set_hook(move |request| if is_day(request) { Reply::Status(503, "SlowDown") } else { Reply::Pass });
    let options = site.options().into_iter().map(|option| match option.as_str() {
        "off" => "background".to_owned(),
        "1h" => "1s".to_owned(),
        _ => option,
    });
    let newest = ["--since", "2015-03-14", "--course", "UniX-CHEM-R1"].map(str::to_owned);
    let options: Vec<_> = options.chain(newest).collect();
    let mount = Mount::start_in(tempfile::tempdir().unwrap(), &options, &ENVIRONMENT);
    wait_for("a failure", || problems(&mount).iter().any(|problem| problem.errno == "EHOSTUNREACH"));
    site.server.set_hook(|_| Reply::Pass);
    wait_for("an index of everything", || {
        let status = mount.status();
        status["indexed_objects"] == status["known_objects"]
    });
    assert!(problems(&mount).iter().all(|problem| problem.errno != "EHOSTUNREACH"));
}

fn length(file: &Path) -> u64 {
    fs::metadata(file).map_or(0, |metadata| metadata.len())
}

fn a_budget_made_smaller_holds_from_the_start_and_everything_still_opens<S: S3Server>() {
    const BIG: usize = 1 << 20;
    let site = Site::<S>::start();
    let contents: Vec<_> = (1..=DAYS.len()).map(|more| noise(BIG + more)).collect();
    let keyring = Keyring::of(&site.made);
    for (day, content) in DAYS.iter().zip(&contents) {
        site.put_day(day, &keyring.encrypt(Reader::Czar, &gzipped(content)));
    }
    let assert_big = |mount: &Mount| {
        for (day, content) in DAYS.iter().zip(&contents) {
            assert!(mount.read(&all(day)).unwrap() == *content, "{day}");
        }
    };
    let roomy = site.mount();
    assert_big(&roomy);
    assert!(roomy.status()["cache_bytes"].as_u64().unwrap() as usize > DAYS.len() * BIG);
    let scratch = roomy.stop();
    let budget = 5 * BIG as u64 / 2;
    let options = [site.options(), vec!["--cache-size".to_owned(), budget.to_string()]].concat();
    let mount = Mount::start_in(scratch, &options, &ENVIRONMENT);
    let held = || mount.status()["cache_bytes"].as_u64().unwrap();
    assert!(held() <= budget, "{} of {budget}", held());
    let kept = "courses/UniX-CHEM-R1/tables/auth_user.tsv";
    assert_eq!(read(&mount.path(kept)), undamaged()[kept]);
    assert_big(&mount);
    assert!(held() <= budget, "{} of {budget}", held());
}

/// The wall clock leaps over a year ahead and as far back, for the mount alone; intervals go by a clock nobody sets.
#[test]
fn a_clock_that_jumps_harms_nothing() {
    let site = Site::new();
    let scratch = tempfile::tempdir().unwrap();
    let offset = scratch.path().join("offset");
    fs::write(&offset, "+0").unwrap();
    let library = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";
    assert!(Path::new(library).exists(), "scripts/setup installs faketime");
    let faked = [
        ("LD_PRELOAD", library),
        ("FAKETIME_TIMESTAMP_FILE", offset.to_str().unwrap()),
        ("FAKETIME_NO_CACHE", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ];
    let environment: Vec<_> = ENVIRONMENT.into_iter().chain(faked).collect();
    let mount = Mount::start_in(scratch, &site.options(), &environment);
    for (day, jump) in DAYS.into_iter().zip(["+0", "+400d", "-400d", "+0"]) {
        fs::write(&offset, jump).unwrap();
        // Signatures are corrected by the server's clock. The first one after a leap may be refused for its time: that
        // answer is what tells of the leap.
        assert!(refresh(&mount) || refresh(&mount), "{jump}: {}", mount.log());
        assert_right(&mount, day);
    }
    put_new_day(&site);
    hang_up(&mount);
    wait_for("the new day", || shows_new_day(&mount));
    for day in DAYS {
        assert_right(&mount, day);
    }
    assert_eq!(mount.status()["decoded_objects"], DAYS.len(), "nothing is decoded twice");
    assert!(!mount.log().contains("ERROR"), "{}", mount.log());
}

/// Refreshes, and says whether the source could be listed.
fn refresh(mount: &Mount) -> bool {
    let before = mount.status()["last_refresh"].clone();
    let refused = || mount.log().matches("RequestTimeTooSkewed").count();
    let refusals = refused();
    hang_up(mount);
    wait_for("a refresh", || mount.status()["last_refresh"] != before || refused() > refusals);
    refused() == refusals
}
