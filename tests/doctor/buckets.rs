//! Whose credentials, and what the buckets say to them.

use std::fs;
use std::process::Command;

use crate::common::{key_options, run, small_package};
use crate::servers::{Gone, S3Server, on_every_server};
use crate::site::{ENVIRONMENT, Site};
use crate::visit::{Home, Visit};

on_every_server!(an_unknown_bucket_hides_no_other, a_bucket_without_the_organisation_is_a_warning);

/// Without keys in the environment.
fn anonymous() -> Vec<(&'static str, &'static str)> {
    ENVIRONMENT
        .into_iter()
        .filter(|(name, _)| !name.starts_with("AWS_ACCESS") && !name.starts_with("AWS_SECRET"))
        .collect()
}

/// A home with AWS's own files, and nothing else to take credentials from.
fn home_with_profiles(config: &str, credentials: &str) -> Home {
    let files = ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"];
    let rest: Vec<_> = anonymous().into_iter().filter(|(name, _)| !files.contains(name)).collect();
    let home = Home::with(&rest);
    home.write(".aws/config", config);
    home.write(".aws/credentials", credentials);
    home
}

fn visit<S: S3Server>(home: &Home, site: &Site<S>, more: &[&str]) -> Visit {
    let more = more.iter().map(|option| (*option).to_owned());
    home.visit(&site.source_options().into_iter().chain(more).collect::<Vec<_>>())
}

#[test]
fn a_wrong_secret_is_named_as_such_and_hides_no_other_check() {
    let site = Site::new();
    let mut environment = ENVIRONMENT;
    environment[1] = ("AWS_SECRET_ACCESS_KEY", "another-secret-4711");
    let visit = visit(&Home::with(&environment), &site, &[]);
    assert_eq!(visit.code, Some(1), "{visit}");
    visit.assert_well_but(&["bucket"]);
    let wrong = visit.only("wrong", "bucket");
    assert!(wrong.contains("s3://edx-course-data/unix/ and 5 more"), "told once: {visit}");
    assert!(wrong.contains("the access key or its secret is wrong"), "{visit}");
    assert!(!visit.text.contains("4711"), "{visit}");
    visit.assert_said("ok", "key", &["certificate "]);
    visit.assert_said("ok", "clock", &["agrees with the S3 server's"]);
    visit.assert_said("ok", "cache folder", &["can be made"]);
}

fn an_unknown_bucket_hides_no_other<S: S3Server>() {
    let site = Site::<S>::start();
    let visit = visit(&Home::with(&ENVIRONMENT), &site, &["--snapshots-bucket", "curse-data"]);
    assert_eq!(visit.code, Some(1), "{visit}");
    visit.assert_well_but(&["bucket"]);
    let wrong = visit.only("wrong", "bucket");
    assert!(wrong.contains("s3://curse-data/unix-") && wrong.contains("no such bucket"), "{visit}");
    assert!(wrong.contains("check --snapshots-bucket"), "{visit}");
    visit.assert_said("ok", "bucket", &["s3://edx-course-data/unix/: 27 day logs"]);
    visit.assert_said("ok", "recipients", &["log.gz.gpg: opens"]);
}

#[test]
fn a_server_that_is_away_is_code_4() {
    let site = Site::new();
    let options = site.source_options();
    let _gone = Gone::end(site.server);
    let visit = Home::with(&ENVIRONMENT).visit(&options);
    assert_eq!(visit.code, Some(4), "{visit}");
    visit.assert_well_but(&["bucket"]);
    assert!(visit.only("wrong", "bucket").contains("cannot be reached"), "{visit}");
    visit.assert_said("note", "recipients", &["not compared"]);
    visit.assert_said("ok", "key", &["certificate "]);
}

#[test]
fn a_policy_that_refuses_names_the_permission() {
    let site = Site::new();
    site.server.restrict("edx-course-data", "other");
    let visit = visit(&Home::with(&ENVIRONMENT), &site, &[]);
    assert_eq!(visit.code, Some(1), "{visit}");
    let wrong = visit.only("wrong", "bucket");
    assert!(wrong.contains("access denied") && wrong.contains("s3:ListBucket on edx-course-data"), "{visit}");
    visit.assert_said("ok", "recipients", &[".zip: opens"]);
}

#[test]
fn keys_of_a_profile_are_said_to_be() {
    let site = Site::new();
    let keys = "aws_access_key_id = KEY\naws_secret_access_key = secret-of-tests\n";
    let home = home_with_profiles("[profile edx]\nregion = us-east-1\n", &format!("[edx]\n{keys}"));
    let by_profile = visit(&home, &site, &["--profile", "edx"]);
    assert_eq!(by_profile.code, Some(0), "{by_profile}");
    by_profile.assert_said("ok", "credentials", &["from a profile's keys, profile edx; region us-east-1"]);

    let script = home
        .write("get", "echo '{\"Version\": 1, \"AccessKeyId\": \"KEY\", \"SecretAccessKey\": \"secret-of-tests\"}'\n");
    let config = format!("[profile vault]\ncredential_process = sh {}\n", script.display());
    let by_process = visit(&home_with_profiles(&config, ""), &site, &["--profile", "vault"]);
    assert_eq!(by_process.code, Some(0), "{by_process}");
    by_process.assert_said("ok", "credentials", &["from a credential process, profile vault"]);
}

#[test]
fn the_environment_before_a_profile_is_a_warning() {
    let site = Site::new();
    let visit = visit(&Home::with(&ENVIRONMENT), &site, &["--profile", "edx"]);
    assert_eq!(visit.code, Some(0), "{visit}");
    visit.assert_said(
        "warn",
        "credentials",
        &["from the environment", "before --profile edx", "unset AWS_ACCESS_KEY_ID"],
    );
}

#[test]
fn a_profile_that_is_not_there_is_told_with_those_that_are() {
    let site = Site::new();
    let home = home_with_profiles("[profile work]\nregion = x\n", "[old]\naws_access_key_id = a\n");
    let absent = visit(&home, &site, &["--profile", "edx"]);
    assert_eq!(absent.code, Some(1), "{absent}");
    absent.assert_well_but(&["credentials"]);
    let wrong = absent.only("wrong", "credentials");
    assert!(wrong.contains("profile edx is neither in ") && wrong.contains("they name work, old"), "{absent}");
    assert!(wrong.contains("aws configure --profile edx"), "{absent}");
    absent.assert_said("note", "bucket", &["not asked without credentials"]);
    absent.assert_said("ok", "cache folder", &["can be made"]);
    let none = visit(&home, &site, &[]);
    none.assert_said("wrong", "credentials", &["export AWS_PROFILE", "they name work, old"]);
}

#[test]
fn an_expired_session_says_how_to_log_in() {
    let site = Site::new();
    let config = "[profile edx]\nsso_session = work\nsso_account_id = 123456789012\nsso_role_name = czar\n\
                  [sso-session work]\nsso_region = us-east-1\nsso_start_url = https://x.awsapps.example/start\n";
    let home = home_with_profiles(config, "");
    let named = home.write("session", "work");
    let digest = String::from_utf8(run(Command::new("sha1sum").arg(&named)).stdout).expect("UTF-8");
    let token = r#"{"accessToken": "token-4711", "expiresAt": "2020-01-01T00:00:00Z", "region": "us-east-1",
                    "startUrl": "https://x.awsapps.example/start"}"#;
    home.write(&format!(".aws/sso/cache/{}.json", &digest[..40]), token);
    let visit = visit(&home, &site, &["--profile", "edx"]);
    assert_eq!(visit.code, Some(1), "{visit}");
    visit.assert_said("wrong", "credentials", &["aws sso login --profile edx"]);
    assert!(!visit.text.contains("4711"), "{visit}");
}

fn a_bucket_without_the_organisation_is_a_warning<S: S3Server>() {
    let site = Site::<S>::start();
    let options: Vec<String> = site
        .source_options()
        .into_iter()
        .map(|option| if option == "UniX" { "unox".to_owned() } else { option })
        .collect();
    let visit = Home::with(&ENVIRONMENT).visit(&options);
    visit.assert_said("warn", "bucket", &["s3://edx-course-data/unox/: may be listed, but holds nothing", "--org"]);
    let folder = Home::new();
    fs::create_dir(folder.path("empty")).expect("it is ours");
    let made = small_package();
    let mut options = key_options(&made);
    options.extend(["--folder".to_owned(), folder.path("empty").display().to_string()]);
    let visit = folder.visit(&options);
    assert_eq!(visit.code, Some(1), "{visit}");
    visit.assert_said("wrong", "folder", &["holds nothing of unix", "check --org and --folder"]);
}
