//! Each prefix of each bucket: can it be listed, and what does it hold.

use std::sync::Arc;

use crate::config::S3Settings;
use crate::doctor::contents::{Contents, Stock};
use crate::doctor::{Case, Report, credentials};
use crate::error::Error;
use crate::source::s3::S3Source;
use crate::source::s3::probe::Prefix;
use crate::volume;

const CHECK: &str = "bucket";

pub fn check(case: &Case<'_>, s3: &S3Settings, org: &str, report: &mut Report<'_>) -> Stock {
    let source = match S3Source::connect(volume::s3_settings(s3, org, case.settings.timeout)) {
        Ok(source) => source,
        Err(error) => {
            report.wrong(CHECK, &error);
            return Stock::unreachable(org);
        }
    };
    if !credentials::check(case, s3, &source, report) {
        report.note(CHECK, format!("{}: not asked without credentials", case.settings.source));
        return Stock::unreachable(org);
    }
    let surveyed = source.survey();
    let clocks = source.clocks();
    tell(org, &surveyed, report);
    let objects = surveyed.into_iter().filter_map(|prefix| prefix.objects.ok()).flatten().collect();
    Stock { org: org.to_owned(), source: Some(Arc::new(source)), objects, clocks }
}

/// What fails alike everywhere is told once.
fn tell(org: &str, surveyed: &[Prefix], report: &mut Report<'_>) {
    let failure = |prefix: &Prefix| prefix.objects.as_ref().err().map(Error::message);
    let mut told: Vec<String> = Vec::new();
    for prefix in surveyed {
        match &prefix.objects {
            Ok(objects) if objects.is_empty() && prefix.place.ends_with(&format!("/{org}/")) => {
                let text =
                    format!("{}: may be listed, but holds nothing; check --org and --events-bucket", prefix.place);
                report.warn(CHECK, text);
            }
            Ok(objects) => report.ok(CHECK, format!("{}: {}", prefix.place, Contents::of(org, objects))),
            Err(error) => {
                let message = error.message();
                if told.contains(&message) {
                    continue;
                }
                let alike = surveyed.iter().filter(|other| failure(other).as_ref() == Some(&message)).count();
                let place = match alike {
                    1 => prefix.place.clone(),
                    more => format!("{} and {} more", prefix.place, more - 1),
                };
                report.wrong(CHECK, &Error::new(error.kind(), &*message).about(place));
                told.push(message);
            }
        }
    }
}
