//! Reads the directory of one archive object from its source.

use std::io::Read;
use std::ops::Range;

use crate::decode::tar;
use crate::decode::zip::{Directory, Ranged};
use crate::error::Result;
use crate::source::{ObjectId, ObjectMeta, Source};

/// A zip's central directory (one or two small reads), or a tar's headers. Errors: the source's; `Corrupt`.
pub fn read_directory(source: &dyn Source, meta: &ObjectMeta) -> Result<Directory> {
    let object = Object { source, id: &meta.id };
    let directory =
        if meta.id.key.as_str().ends_with(".tar") { tar::entries(&object) } else { Directory::read(&object) };
    directory.map_err(|error| error.about(&meta.id))
}

struct Object<'a> {
    source: &'a dyn Source,
    id: &'a ObjectId,
}

impl Ranged for Object<'_> {
    fn bytes(&self) -> u64 {
        self.id.bytes
    }

    fn read(&self, range: Range<u64>) -> Result<Box<dyn Read + Send>> {
        self.source.open(self.id, range)
    }
}
