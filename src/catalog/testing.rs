//! Hand-made inventories for tests: no I/O.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::courses::MetCourse;
use super::filter::Filter;
use super::{Catalog, Directory};
use crate::decode::zip::{Entry, Method};
use crate::edx::course_run::{CourseId, Site};
use crate::error::{Error, ErrorKind, Result};
use crate::source::{Availability, ETag, ObjectId, ObjectKey, ObjectMeta};

/// The organisation of every shelf.
pub const ORG: &str = "unix";

/// Objects with the directories of those that are archives.
#[derive(Default)]
pub struct Shelf {
    pub objects: Vec<ObjectMeta>,
    directories: HashMap<String, Arc<Directory>>,
    pub met: Vec<MetCourse>,
    pub filter: Filter,
}

impl Shelf {
    /// An object of 1000 bytes, a second newer than the one before.
    pub fn object(&mut self, key: &str) -> &mut ObjectMeta {
        let modified = Timestamp::from_second(1_500_000_000 + self.objects.len() as i64).expect("in range");
        let id = ObjectId {
            key: ObjectKey::new(key),
            etag: ETag::new(&format!("{}-{key}", self.objects.len())),
            bytes: 1000,
        };
        self.objects.push(ObjectMeta { id, modified, availability: Availability::Ready });
        self.objects.last_mut().expect("just pushed")
    }

    /// The production log of a day, in package form.
    pub fn log(&mut self, date: &str) -> &mut ObjectMeta {
        self.site_log("edx", date)
    }

    pub fn site_log(&mut self, site: &str, date: &str) -> &mut ObjectMeta {
        let year = &date[..4];
        self.object(&format!("edx-course-data/unix/{site}/events/{year}/unix-{site}-events-{date}.log.gz.gpg"))
    }

    /// An archive with entries of these full names.
    pub fn archive(&mut self, key: &str, names: &[&str]) -> &mut Directory {
        let entries = names.iter().map(|name| entry(name)).collect();
        self.object(key);
        let directory = Arc::new(Directory { entries, refused: Vec::new() });
        self.directories.insert(key.to_owned(), directory);
        Arc::get_mut(self.directories.get_mut(key).expect("just inserted")).expect("not shared yet")
    }

    /// A weekly zip; the names stand below its folder.
    pub fn weekly(&mut self, date: &str, names: &[&str]) -> &mut Directory {
        let names: Vec<String> = names.iter().map(|name| format!("unix-{date}/{name}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        self.archive(&format!("course-data/unix-{date}.zip"), &names)
    }

    pub fn met(&mut self, site: &str, id: &str, stated: Option<u64>) {
        self.met.push(met(site, id, stated));
    }

    pub fn catalog(&self) -> Catalog {
        let directories = |object: &ObjectMeta| self.directory(object);
        Catalog::build(ORG, &self.objects, &directories, &self.met, &self.filter)
    }

    fn directory(&self, object: &ObjectMeta) -> Result<Arc<Directory>> {
        let found = self.directories.get(object.id.key.as_str()).cloned();
        found.ok_or_else(|| Error::new(ErrorKind::Corrupt, "no end of central directory"))
    }
}

pub fn met(site: &str, id: &str, stated: Option<u64>) -> MetCourse {
    MetCourse { site: Site::from_token(site), id: course_id(id), stated }
}

pub fn course_id(id: &str) -> CourseId {
    CourseId::parse(id).expect("a valid id")
}

pub fn entry(name: &str) -> Entry {
    Entry { name: name.into(), offset: 0, compressed: 100, bytes: 100, crc32: Some(7), method: Method::Stored }
}
