//! Where the objects come from: a folder, or buckets. What it holds is what later checks compare with.

use std::path::Path;
use std::sync::Arc;

use crate::config::SourceSettings;
use crate::doctor::contents::Contents;
use crate::doctor::{Case, Report, buckets};
use crate::error::{Error, Result};
use crate::source::folder::FolderSource;
use crate::source::s3::Clocks;
use crate::source::{ObjectMeta, Source};

/// What a source was found to hold.
pub struct Stock {
    pub org: String,
    /// None where it could not be reached.
    pub source: Option<Arc<dyn Source>>,
    pub objects: Vec<ObjectMeta>,
    pub clocks: Option<Clocks>,
}

impl Stock {
    pub fn unreachable(org: &str) -> Stock {
        Stock { org: org.to_owned(), source: None, objects: Vec::new(), clocks: None }
    }
}

pub fn check(case: &Case<'_>, org: &str, report: &mut Report<'_>) -> Stock {
    match &case.settings.source {
        SourceSettings::S3(s3) => buckets::check(case, s3, org, report),
        SourceSettings::Folder(folder) => match listed(folder, org) {
            Ok((source, objects)) => {
                report.ok("folder", format!("{}: {}", folder.display(), Contents::of(org, &objects)));
                Stock { source: Some(Arc::new(source)), objects, ..Stock::unreachable(org) }
            }
            Err(error) => {
                report.wrong("folder", &error.about(folder.display()));
                Stock::unreachable(org)
            }
        },
    }
}

fn listed(folder: &Path, org: &str) -> Result<(FolderSource, Vec<ObjectMeta>)> {
    let source = FolderSource::new(folder)?;
    let objects = source.list()?;
    let others = Contents::of(org, &objects).others;
    if others == objects.len() {
        let message = format!("holds nothing of {org} ({others} other files)");
        return Err(Error::not_found(message).advise("check --org and --folder"));
    }
    Ok((source, objects))
}
