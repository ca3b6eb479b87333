//! Where in the mirror an object lies: the layout that the ChalmersX toolkit's `aws s3 sync` leaves.
//!
//! | object | in the mirror |
//! |---|---|
//! | `{org}/{site}/events/{year}/{log}` in the events bucket | `edx-course-data/{site}/events/{year}/{log}` |
//! | everything else in it, like `{org}/rdx/…` | `edx-course-data/{key}` |
//! | everything in the snapshots bucket | `course-data/{key}` |
//!
//! The organisation's level is left out where the file's name says whose it is, so that several organisations can share
//! a mirror and are told apart in it. The folders have these names whatever the buckets are called.

use crate::edx::object_key::{ObjectRole, object_role};
use crate::error::{Error, Result};
use crate::source::ObjectKey;

const EVENTS_FOLDER: &str = "edx-course-data";
const SNAPSHOTS_FOLDER: &str = "course-data";

/// How an organisation's source names its objects.
#[derive(Clone, Debug)]
pub enum Layout {
    /// Keys are `bucket/key`; `org` is in lower case.
    Buckets { org: String, events_bucket: String },
    /// A folder that is mounted with `--folder`: what is the organisation's keeps its path.
    Folder { org: String },
}

impl Layout {
    /// The key that an object has in the mirror; None if it is not the organisation's.
    ///
    /// Errors: `Unsupported` for a key that is no path below a folder.
    pub fn place(&self, key: &ObjectKey) -> Option<Result<ObjectKey>> {
        let placed = match self {
            Layout::Folder { org } if object_role(org, key.as_str()) == ObjectRole::Unknown => return None,
            Layout::Folder { .. } => key.as_str().to_owned(),
            Layout::Buckets { org, events_bucket } => in_folders(org, events_bucket, key.as_str()),
        };
        Some(checked(&placed))
    }
}

fn in_folders(org: &str, events_bucket: &str, key: &str) -> String {
    let (bucket, below) = key.split_once('/').unwrap_or(("", key));
    let of_org = below.strip_prefix(org).and_then(|rest| rest.strip_prefix('/'));
    match of_org.filter(|_| bucket == events_bucket) {
        Some(rest) if matches!(object_role(org, below), ObjectRole::DayLog { .. }) => format!("{EVENTS_FOLDER}/{rest}"),
        Some(_) => format!("{EVENTS_FOLDER}/{below}"),
        None => format!("{SNAPSHOTS_FOLDER}/{below}"),
    }
}

/// Hidden names are refused as well: a mount of the mirror leaves them out, and unfinished files have them.
fn checked(placed: &str) -> Result<ObjectKey> {
    let why = match placed.split('/').find_map(|name| wrong_with(name)) {
        None => return Ok(ObjectKey::new(placed)),
        Some(why) => why,
    };
    Err(Error::unsupported(format!("cannot be a file of the mirror: {why}")).advise("copy it under another key"))
}

fn wrong_with(name: &str) -> Option<&'static str> {
    match name {
        "" => Some("its key has an empty part"),
        "." | ".." => Some("its key leads through `.` or `..`"),
        _ if name.starts_with('.') => Some("a part of its key begins with a dot"),
        _ if name.contains(char::is_control) => Some("its key has control characters"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(key: &str) -> String {
        let layout = Layout::Buckets { org: "unix".to_owned(), events_bucket: "events".to_owned() };
        layout.place(&ObjectKey::new(key)).unwrap().unwrap().as_str().to_owned()
    }

    #[test]
    fn buckets_lie_as_the_toolkit_leaves_them() {
        for (key, expected) in [
            (
                "events/unix/edx/events/2015/unix-edx-events-2015-03-04.log.gz.gpg",
                "edx-course-data/edx/events/2015/unix-edx-events-2015-03-04.log.gz.gpg",
            ),
            ("events/unix/rdx/7/O_C_R.tar.gz.gpg", "edx-course-data/unix/rdx/7/O_C_R.tar.gz.gpg"),
            ("events/unix/notes.txt", "edx-course-data/unix/notes.txt"),
            ("snapshots/unix-2015-03-08.zip", "course-data/unix-2015-03-08.zip"),
            ("snapshots/email-opt-in/unix-2017-12-03.zip", "course-data/email-opt-in/unix-2017-12-03.zip"),
            ("events/unix-2015-03-08.zip", "course-data/unix-2015-03-08.zip"),
        ] {
            assert_eq!(placed(key), expected, "{key}");
        }
    }

    #[test]
    fn a_file_means_in_the_mirror_what_it_meant_in_the_bucket() {
        for key in [
            "events/unix/edx/events/2015/unix-edx-events-2015-03-04.log.gz.gpg",
            "events/unix/a-b/events/2015/unix-a-b-events-2015-03-04.log.gz.gpg",
            "events/unix/edx/events/2014/unix-edx-2014-09-04.log.gz.gpg",
            "events/unix/rdx/7/O_C_R.tar.gz.gpg",
            "snapshots/unix-2015-03-08.zip",
            "snapshots/email-opt-in/unix-2017-12-03.zip",
            "snapshots/2014-05-04-unix-tracking.tar",
        ] {
            for org in ["unix", "other"] {
                assert_eq!(object_role(org, &placed(key)), object_role(org, key), "{key}");
            }
        }
    }

    #[test]
    fn of_a_folder_only_what_is_the_organisations_is_taken() {
        let layout = Layout::Folder { org: "unix".to_owned() };
        let key = ObjectKey::new("mirror/unix-2015-03-08.zip");
        assert_eq!(layout.place(&key).unwrap().unwrap(), key);
        assert!(layout.place(&ObjectKey::new("mirror/unixpro-2015-03-08.zip")).is_none());
        assert!(layout.place(&ObjectKey::new("taxes.pdf")).is_none());
    }

    #[test]
    fn a_key_that_is_no_path_below_the_folder_is_refused() {
        let layout = Layout::Buckets { org: "unix".to_owned(), events_bucket: "events".to_owned() };
        for key in [
            "events/unix/../../../etc/passwd",
            "events/unix/./a",
            "events/unix//a",
            "events//etc/passwd",
            "events/unix/a/",
            "events/unix/.hidden",
            "events/unix/.git/config",
            "events/unix/a\0b",
            "events/unix/a\nb",
            "events/unix/a\tb",
            "events/unix/edx/events/../../../../unix-edx-events-2015-03-04.log.gz.gpg",
        ] {
            let error = layout.place(&ObjectKey::new(key)).unwrap().expect_err(key);
            assert!(error.to_string().contains("cannot be a file of the mirror"), "{error}");
        }
    }
}
