//! Where the objects come from: a folder, or buckets.

use std::path::Path;
use std::sync::Arc;

use crate::config::SourceSettings;
use crate::doctor::contents::{Contents, Stock};
use crate::doctor::{Case, Report, buckets};
use crate::error::{Error, Result};
use crate::source::folder::FolderSource;
use crate::source::{ObjectMeta, Source};

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
