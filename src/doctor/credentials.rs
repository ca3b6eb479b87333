//! Whose credentials the AWS SDK finds, and by which part of its chain.

use std::fs;
use std::path::PathBuf;

use crate::config::S3Settings;
use crate::doctor::profile::{Kind, Profiles};
use crate::doctor::{Case, Report};
use crate::error::Error;
use crate::shell::quoted;
use crate::source::s3::S3Source;
use crate::source::s3::probe::{Found, Provider};

const CHECK: &str = "credentials";

/// Whether there are any.
pub fn check(case: &Case<'_>, s3: &S3Settings, source: &S3Source, report: &mut Report<'_>) -> bool {
    let found = source.credentials();
    match &found {
        Ok(found) => tell(case, s3, found, &source.region(), report),
        Err(error) => report.wrong(CHECK, &mended(error.clone(), case, s3)),
    }
    found.is_ok()
}

fn tell(case: &Case<'_>, s3: &S3Settings, found: &Found, region: &str, report: &mut Report<'_>) {
    let of_profile = !matches!(
        found.provider,
        Provider::Environment | Provider::WebIdentity | Provider::Container | Provider::Instance
    );
    let profile = if of_profile { format!(", profile {}", profile_name(case, s3)) } else { String::new() };
    let expires = match found.expires {
        Some(time) => format!(", until {time:.0}"),
        None => String::new(),
    };
    let text = format!("from {}{profile}{expires}; region {region}", found.provider);
    match (&s3.profile, found.provider) {
        (Some(name), Provider::Environment) => {
            let remedy = "unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN";
            report.warn(CHECK, format!("{text}; they count before --profile {}: {remedy}", quoted(name)));
        }
        _ => report.ok(CHECK, text),
    }
}

fn profile_name<'a>(case: &'a Case<'_>, s3: &'a S3Settings) -> &'a str {
    let named = s3.profile.as_deref().or(case.environment.aws.profile.as_deref());
    named.unwrap_or("default")
}

/// The error of the SDK's chain with what is to be done.
fn mended(error: Error, case: &Case<'_>, s3: &S3Settings) -> Error {
    let aws = &case.environment.aws;
    let text = |path: &Option<PathBuf>| path.as_ref().and_then(|path| fs::read_to_string(path).ok());
    let (config, credentials) = (text(&aws.config_file), text(&aws.credentials_file));
    let profiles = Profiles::read(&config.unwrap_or_default(), &credentials.unwrap_or_default());
    let files: Vec<String> = [&aws.config_file, &aws.credentials_file]
        .into_iter()
        .flatten()
        .map(|path| path.display().to_string())
        .collect();
    let named = s3.profile.is_some() || aws.profile.is_some();
    error.advise(remedy(&profiles, named.then(|| profile_name(case, s3)), &files.join(" nor ")))
}

/// `named` is the profile that was asked for, if one was.
fn remedy(profiles: &Profiles, named: Option<&str>, files: &str) -> String {
    let others = match profiles.names()[..] {
        [] => "they name none".to_owned(),
        ref names => format!("they name {}", names.join(", ")),
    };
    let profile = quoted(named.unwrap_or("default"));
    match (named, profiles.kind(named.unwrap_or("default"))) {
        (Some(name), None) => {
            format!(
                "profile {name} is neither in {files} ({others}): aws configure --profile {profile}, \
                 or export AWS_PROFILE"
            )
        }
        (_, Some(Kind::Sso)) => format!("log in: aws sso login --profile {profile}"),
        (_, Some(Kind::Process)) => {
            format!("run the credential_process of profile {profile} by hand to see what it says")
        }
        (_, Some(Kind::Role)) => format!("see why with: aws sts get-caller-identity --profile {profile}"),
        (_, Some(Kind::Keys | Kind::None)) => format!("aws configure --profile {profile}"),
        (None, None) if profiles.names().is_empty() => {
            "aws configure, or export AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY".to_owned()
        }
        (None, None) => format!("export AWS_PROFILE, or give --profile ({others})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_profile_has_its_remedy() {
        let config = "[profile s]\nsso_session = w\n[profile p]\ncredential_process = x\n[profile r]\nrole_arn = a\n";
        let profiles = Profiles::read(config, "[k]\naws_access_key_id = K\n");
        for (name, word) in [
            (Some("s"), "aws sso login --profile s"),
            (Some("p"), "credential_process of profile p"),
            (Some("r"), "aws sts get-caller-identity --profile r"),
            (Some("k"), "aws configure --profile k"),
            (Some("q r"), "aws configure --profile 'q r'"),
            (Some("x"), "profile x is neither in A nor B (they name s, p, r, k)"),
            (None, "export AWS_PROFILE, or give --profile (they name s, p, r, k)"),
        ] {
            let remedy = remedy(&profiles, name, "A nor B");
            assert!(remedy.contains(word), "{name:?}: {remedy}");
        }
        assert!(remedy(&Profiles::default(), None, "").contains("AWS_ACCESS_KEY_ID"));
    }
}
