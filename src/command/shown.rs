//! The options that decide what stands in the files of a tree, whoever mounted it: its owner tells them, and a command
//! that was given others would not see what it asks for.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use clap::ValueEnum;

use crate::config::args::RuleName;
use crate::config::{Settings, SourceSettings};
use crate::edx::tracking_log::CourseRule;
use crate::error::{Error, Result};

/// Long names and values, defaults included.
pub fn of(settings: &Settings) -> BTreeMap<String, String> {
    let mut shown = vec![("compartment", settings.compartment.to_string())];
    shown.extend(rule_name(settings.course_rule).map(|name| ("course-rule", name)));
    shown.extend(settings.survey_pre.clone().map(|pattern| ("survey-pre", pattern)));
    shown.extend(settings.survey_post.clone().map(|pattern| ("survey-post", pattern)));
    match &settings.source {
        SourceSettings::Folder(folder) => shown.push(("folder", one_name(folder))),
        SourceSettings::S3(s3) => {
            shown.push(("events-bucket", s3.events_bucket.clone()));
            shown.push(("snapshots-bucket", s3.snapshots_bucket.clone()));
            shown.extend(s3.endpoint_url.clone().map(|url| ("endpoint-url", url)));
        }
    }
    shown.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Whether a tree of these options is the one that is asked for; what was not given is as it comes.
///
/// Errors: `Usage` with the first option that differs, and what to do.
pub fn check(shown: &BTreeMap<String, String>, settings: &Settings) -> Result<()> {
    let asked = of(settings);
    let mut given = asked.iter().filter(|(name, _)| settings.given.contains(*name));
    let Some((name, value)) = given.find(|(name, value)| shown.get(*name) != Some(*value)) else { return Ok(()) };
    let theirs = shown.get(name).map_or(format!("has no --{name}"), |theirs| format!("has --{name} {theirs}"));
    let message = format!("--{name} {value} is asked for, but the mount that owns the cache folder {theirs}");
    Err(Error::usage(message).advise("leave it out, `edxfs unmount` first, or give another --cache-dir"))
}

fn rule_name(rule: CourseRule) -> Option<String> {
    let name = RuleName::value_variants().iter().find(|name| CourseRule::from(**name) == rule)?;
    name.to_possible_value().map(|value| value.get_name().to_owned())
}

/// The same for all paths that lead to a folder.
fn one_name(folder: &Path) -> String {
    fs::canonicalize(folder).unwrap_or_else(|_| folder.to_path_buf()).display().to_string()
}
