//! What is in the buckets under the organisation's prefixes, page by page; a prefix is always sent.

use std::sync::Arc;

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::types::{Object, ObjectStorageClass, OptionalObjectAttributes};
use jiff::Timestamp;

use super::Link;
use super::failure::{Failure, FailureKind};
use crate::error::{Error, ErrorKind, Result};
use crate::source::{Availability, ETag, ObjectId, ObjectKey, ObjectMeta};

/// Years of which there can be weekly tars; the form ended in 2014.
const TAR_YEARS: [&str; 3] = ["2012-", "2013-", "2014-"];

/// What came of listing one prefix.
pub struct Prefix {
    /// `s3://bucket/prefix`.
    pub place: String,
    pub objects: Result<Vec<ObjectMeta>>,
}

/// One prefix of one bucket, and which of its keys are ours.
#[derive(Clone, Debug)]
struct Area {
    bucket: String,
    /// The option that names the bucket.
    option: &'static str,
    prefix: String,
    keys: Keys,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keys {
    /// All: the prefix ends where the organisation's name does.
    All,
    /// Those with a date behind the prefix: `mitx-` is also the beginning of `mitx-pro-2016-05-29.zip`.
    Dated,
    /// Those that end in `-{org}-tracking.tar`. A czar who may not list them has none.
    Tars,
}

pub async fn list(link: Arc<Link>) -> Result<Vec<ObjectMeta>> {
    let mut found = Vec::new();
    let mut failed = None;
    for (_, listed) in each(&link).await {
        match listed {
            Ok(objects) => found.extend(objects),
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    // Half an inventory would look as if the other half had been deleted.
    failed.map_or(Ok(found), Err)
}

/// Every area with what came of it; the tars' only where there are some, or the server is in trouble.
pub async fn survey(link: Arc<Link>) -> Vec<Prefix> {
    let told = |(area, objects): (Area, Result<Vec<ObjectMeta>>)| {
        let none = area.keys == Keys::Tars && objects.as_ref().is_ok_and(Vec::is_empty);
        (!none).then(|| Prefix { place: area.place(), objects })
    };
    each(&link).await.into_iter().filter_map(told).collect()
}

/// All areas at once.
async fn each(link: &Arc<Link>) -> Vec<(Area, Result<Vec<ObjectMeta>>)> {
    let begun = |area: Area| (area.clone(), tokio::spawn(list_area(link.clone(), area)));
    let tasks: Vec<_> = areas(link).into_iter().map(begun).collect();
    let mut listed = Vec::with_capacity(tasks.len());
    for (area, task) in tasks {
        let objects = task.await;
        let broken = |error| Err(Error::internal("the listing broke off").caused_by(error));
        listed.push((area, objects.unwrap_or_else(broken)));
    }
    listed
}

fn areas(link: &Link) -> Vec<Area> {
    let settings = &link.settings;
    let org = &settings.org;
    let area = |prefix: String, keys| Area {
        bucket: settings.snapshots_bucket.clone(),
        option: "--snapshots-bucket",
        prefix,
        keys,
    };
    let events = Area {
        bucket: settings.events_bucket.clone(),
        option: "--events-bucket",
        prefix: format!("{org}/"),
        keys: Keys::All,
    };
    let mut areas =
        vec![events, area(format!("{org}-"), Keys::Dated), area(format!("email-opt-in/{org}-"), Keys::Dated)];
    areas.extend(TAR_YEARS.map(|year| area(year.to_owned(), Keys::Tars)));
    areas
}

async fn list_area(link: Arc<Link>, area: Area) -> Result<Vec<ObjectMeta>> {
    let mut found = Vec::new();
    let mut token = None;
    loop {
        let page = match page(&link, &area, token).await {
            Ok(page) => page,
            Err(failure) if failure.is_of_permissions() && area.keys == Keys::Tars => return Ok(Vec::new()),
            Err(failure) => return Err(area.error(&failure)),
        };
        for object in page.contents() {
            if let Some(key) = object.key().filter(|key| area.has(key, &link.settings.org)) {
                found.push(object_meta(&area.bucket, key, object)?);
            }
        }
        token = page.next_continuation_token().map(str::to_owned);
        if token.is_none() || page.is_truncated() != Some(true) {
            return Ok(found);
        }
    }
}

async fn page(link: &Link, area: &Area, token: Option<String>) -> Result<ListObjectsV2Output, Failure> {
    let request = |client: Client, settings| {
        client
            .list_objects_v2()
            .bucket(&area.bucket)
            .prefix(&area.prefix)
            .set_continuation_token(token.clone())
            .set_request_payer(link.settings.requester_pays.header())
            .optional_object_attributes(OptionalObjectAttributes::RestoreStatus)
            .customize()
            .config_override(settings)
            .send()
    };
    link.send(&area.bucket, request).await
}

impl Area {
    fn has(&self, key: &str, org: &str) -> bool {
        let Some(rest) = key.strip_prefix(self.prefix.as_str()) else { return false };
        match self.keys {
            // A key that ends in `/` only stands for a folder.
            Keys::All => !rest.is_empty() && !rest.ends_with('/'),
            Keys::Dated => starts_with_date(rest) && !rest.ends_with('/'),
            Keys::Tars => {
                let tail = key.get(10..).and_then(|tail| tail.strip_prefix('-')?.strip_prefix(org));
                starts_with_date(key) && tail == Some("-tracking.tar")
            }
        }
    }

    fn error(&self, failure: &Failure) -> Error {
        let (bucket, option, prefix) = (&self.bucket, self.option, &self.prefix);
        let error = match failure.kind {
            FailureKind::NoBucket | FailureKind::NoKey => {
                Error::not_found("no such bucket").advise(format!("check {option} and --endpoint-url"))
            }
            FailureKind::Denied if failure.is_of_permissions() => failure.error().advise(format!(
                "the access key needs s3:ListBucket on {bucket} for the prefix {prefix}; check {option} and --org"
            )),
            _ => failure.error(),
        };
        error.about(self.place())
    }

    fn place(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.prefix)
    }
}

fn starts_with_date(text: &str) -> bool {
    let date = text.as_bytes().get(..10);
    date.is_some_and(|date| {
        date.iter()
            .enumerate()
            .all(|(at, byte)| if matches!(at, 4 | 7) { *byte == b'-' } else { byte.is_ascii_digit() })
    })
}

fn object_meta(bucket: &str, key: &str, object: &Object) -> Result<ObjectMeta> {
    let full = format!("{bucket}/{key}");
    let (Some(etag), Some(Ok(bytes))) = (object.e_tag(), object.size().map(u64::try_from)) else {
        let error = Error::new(ErrorKind::Unsupported, "the server lists it without ETag or size");
        return Err(error.about(full));
    };
    let modified = object.last_modified().and_then(|time| Timestamp::new(time.secs(), time.subsec_nanos() as i32).ok());
    Ok(ObjectMeta {
        id: ObjectId { key: ObjectKey::new(&full), etag: ETag::new(etag.trim_matches('"')), bytes },
        modified: modified.unwrap_or(Timestamp::UNIX_EPOCH),
        availability: availability(object),
    })
}

/// An archived object that has been restored for a while can be read.
fn availability(object: &Object) -> Availability {
    let restored = object
        .restore_status()
        .is_some_and(|status| status.restore_expiry_date().is_some() && status.is_restore_in_progress() != Some(true));
    match object.storage_class() {
        Some(ObjectStorageClass::Glacier | ObjectStorageClass::DeepArchive) if !restored => Availability::Archived,
        _ => Availability::Ready,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn area(prefix: &str, keys: Keys) -> Area {
        Area { bucket: "b".to_owned(), option: "--snapshots-bucket", prefix: prefix.to_owned(), keys }
    }

    #[test]
    fn other_organisations_keys_are_not_ours() {
        let zips = area("mitx-", Keys::Dated);
        assert!(zips.has("mitx-2016-05-29.zip", "mitx"));
        assert!(!zips.has("mitx-pro-2016-05-29.zip", "mitx"));
        assert!(!zips.has("mitx-2016", "mitx"));
        let tars = area("2014-", Keys::Tars);
        assert!(tars.has("2014-05-04-mitx-tracking.tar", "mitx"));
        assert!(!tars.has("2014-05-04-pro-mitx-tracking.tar", "mitx"));
        assert!(!tars.has("2014-05-04-mitx-pro-tracking.tar", "mitx"));
        assert!(!tars.has("2014-05-0é-mitx-tracking.tar", "mitx"));
    }

    #[test]
    fn a_folder_marker_is_no_object() {
        assert!(!area("mitx/", Keys::All).has("mitx/", "mitx"));
        assert!(!area("mitx/", Keys::All).has("mitx/edx/", "mitx"));
        assert!(area("mitx/", Keys::All).has("mitx/edx/events/2015/x", "mitx"));
    }
}
