//! All is well, in a folder and on S3; and what is said of settings that are incomplete.

use std::fs;

use crate::common::{folder_options, small_package};
use crate::servers::{S3Server, on_every_server};
use crate::site::{ENVIRONMENT, EVENTS, SNAPSHOTS, Site};
use crate::visit::Home;

on_every_server!(a_package_on_s3_is_well_and_costs_some_kilobytes);

#[test]
fn a_package_in_a_folder_is_well() {
    let home = Home::new();
    let visit = home.visit(&folder_options(&small_package()));
    visit.assert_well_but(&[]);
    assert_eq!(visit.code, Some(0), "{visit}");
    visit.assert_said("ok", "configuration", &["no configuration file", "org=UniX", "folder="]);
    visit.assert_said("ok", "folder", &["27 day logs, newest of 2015-03-15", "2 weekly packages"]);
    visit.assert_said("ok", "key", &["certificate ", "locked, and the passphrase opens it"]);
    let recipients = visit.said("ok", "recipients");
    assert_eq!(recipients.len(), 2, "{visit}");
    assert!(recipients[0].contains("events-2015-03-15.log.gz.gpg: opens with key "), "{visit}");
    assert!(recipients[1].contains(".zip: opens with key "), "{visit}");
    visit.assert_said("ok", "cache folder", &[".cache/edxfs/unix, not there yet, can be made, 0 B of 20.0 GiB"]);
    visit.assert_said("ok", "clock", &["no server's to compare"]);
    visit.assert_said("ok", "tallies", &["of 5.00 GiB"]);
    assert!(!home.path(".cache").exists(), "the doctor makes nothing");
}

fn a_package_on_s3_is_well_and_costs_some_kilobytes<S: S3Server>() {
    let site = Site::<S>::start();
    let home = Home::with(&ENVIRONMENT);
    let visit = home.visit(&site.source_options());
    visit.assert_well_but(&[]);
    assert_eq!(visit.code, Some(0), "{visit}");
    visit.assert_said("ok", "credentials", &["from the environment; region us-east-1"]);
    let buckets = visit.said("ok", "bucket").join("\n");
    for part in [
        "s3://edx-course-data/unix/: 27 day logs, newest of 2015-03-15",
        "s3://course-data/unix-: 2 weekly packages",
        "s3://course-data/email-opt-in/unix-: 2 opt-in lists",
    ] {
        assert!(buckets.contains(part), "{part}: {visit}");
    }
    assert_eq!(visit.only("ok", "clock"), "agrees with the S3 server's");
    assert_eq!(visit.said("ok", "recipients").len(), 2, "{visit}");
    assert!(!visit.text.contains("secret-of-tests") && !visit.text.contains("KEY"), "{visit}");
    let gets: Vec<_> = site.server.take_log().into_iter().filter(|request| request.range.is_some()).collect();
    let ranges: Vec<_> = gets.iter().map(|get| (get.bucket.as_str(), get.range.clone().unwrap_or_default())).collect();
    assert_eq!(ranges.len(), 3, "a day's head, a zip's directory, an entry: {ranges:?}");
    assert!(ranges.iter().all(|(bucket, _)| [EVENTS, SNAPSHOTS].contains(bucket)));
    let (first, last) =
        ranges.iter().find(|(bucket, _)| *bucket == EVENTS).expect("a day").1[6..].split_once('-').unwrap();
    let bytes = last.parse::<u64>().unwrap() + 1 - first.parse::<u64>().unwrap();
    assert!(bytes <= 16 << 10, "{bytes} bytes of the day");
}

#[test]
fn json_has_the_same_findings() {
    let home = Home::new();
    let options = [folder_options(&small_package()), vec!["--json".to_owned()]].concat();
    let visit = home.visit(&options);
    let mut checks = Vec::new();
    for line in visit.text.lines() {
        let finding: serde_json::Value = serde_json::from_str(line).expect("a line is an object");
        assert!(["ok", "note", "warn"].contains(&finding["level"].as_str().unwrap()), "{finding}");
        assert!(!finding["text"].as_str().unwrap().is_empty());
        checks.push(finding["check"].as_str().unwrap().to_owned());
    }
    for check in ["configuration", "fuse", "folder", "clock", "passphrase", "key", "recipients", "cache folder", "swap"]
    {
        assert!(checks.iter().any(|known| known == check), "{check}: {checks:?}");
    }
}

#[test]
fn without_an_organisation_the_rest_is_examined() {
    let visit = Home::new().visit(&[]);
    assert_eq!(visit.code, Some(1), "{visit}");
    visit.assert_said("wrong", "configuration", &["no organisation", "--org chalmersx"]);
    visit.assert_said("ok", "clock", &["says 20"]);
    assert_eq!(visit.said("ok", "fuse").len() + visit.said("wrong", "fuse").len(), 1, "{visit}");
}

#[test]
fn a_file_that_cannot_be_followed_is_a_finding_and_a_command_line_is_code_2() {
    let home = Home::new();
    let path = home.write(".config/edxfs/config.toml", "org = 'x'\npassfrase-file = 'y'\n");
    let visit = home.visit(&folder_options(&small_package()));
    assert_eq!(visit.code, Some(1), "{visit}");
    let named = path.display().to_string();
    visit.assert_said("wrong", "configuration", &[&named, "unknown key `passfrase-file`", "command line alone"]);
    assert_eq!(visit.said("ok", "recipients").len(), 2, "{visit}");
    assert_eq!(home.visit(&["--orgg".to_owned()]).code, Some(2));
}

#[test]
fn the_configuration_is_told_as_it_is_in_effect() {
    let home = Home::new();
    let made = small_package();
    let text =
        "org = 'unix'\nprofile = 'edx'\ncache-size = '2GiB'\nrefresh = '1h'\npassphrase-command = 'echo hunter2'\n";
    home.write(".config/edxfs/config.toml", text);
    let options = ["--folder".to_owned(), made.data.display().to_string(), "--cache-size=3GiB".to_owned()];
    let visit = home.visit(&options);
    let said = visit.only("ok", "configuration");
    assert!(said.contains("config.toml: org=unix passphrase-command=(not shown) refresh=1h;"), "{visit}");
    assert!(said.ends_with(&format!("cache-size=3GiB folder={}", made.data.display())), "{visit}");
    assert!(!visit.text.contains("hunter2") && !said.contains("profile"), "{visit}");
    assert!(fs::read_dir(home.path(".config/edxfs")).is_ok_and(|entries| entries.count() == 1));
}
