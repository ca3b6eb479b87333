//! A folder that holds the same keys as the buckets, or a mirror of them; no shortcuts that S3 lacks.
//!
//! An ETag here is length, modification time and inode, so a file that is rewritten or replaced is another version.
//! Out of reach: a file rewritten in place, to the same length, within one tick of the file system's clock.

use std::collections::BTreeSet;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;

use crate::error::{Error, ErrorKind, Result};
use crate::source::{Availability, ETag, ObjectId, ObjectKey, ObjectMeta, ObjectReader, Source, Traffic};

/// Every regular file below a root is an object, keyed by its path below the root.
///
/// Left out: hidden names (temporary files of a running sync), names that are not UTF-8 (counted), and whatever is
/// neither file nor folder. Links to files are followed, and links to folders that lie apart from the root and from what
/// earlier links led to, in order of their keys: another disk counts, a `latest` would show each file twice, or never
/// end. A folder below the root that may not be listed is left out with a warning.
pub struct FolderSource {
    root: PathBuf,
    skipped_names: AtomicU64,
    counters: Arc<Counters>,
}

#[derive(Default)]
struct Counters {
    bytes: AtomicU64,
    objects: AtomicU64,
}

impl FolderSource {
    /// Errors: `NotFound`, `Refused`, and `Usage` if `root` is no folder.
    pub fn new(root: &Path) -> Result<Self> {
        let root = root.canonicalize().map_err(|error| Error::from(error).about(root.display()))?;
        if !root.is_dir() {
            return Err(Error::usage("not a folder").about(root.display()).advise("give one with --folder"));
        }
        Ok(FolderSource { root, skipped_names: AtomicU64::new(0), counters: Arc::default() })
    }

    /// Names that are not UTF-8, as met by the last listing.
    pub fn skipped_names(&self) -> u64 {
        self.skipped_names.load(Ordering::Relaxed)
    }

    /// The folders that a listing walks, none in another: the root, and where links lead. Errors: those of `list`.
    pub fn grounds(&self) -> Result<Vec<PathBuf>> {
        Ok(self.walk()?.grounds)
    }

    fn walk(&self) -> Result<Walk> {
        let mut walk = Walk::of(&self.root);
        let mut skipped = 0;
        while let Some(folder) = walk.next(&self.root) {
            match self.list_folder(&folder, &mut walk) {
                Ok(names) => skipped += names,
                Err(error) if folder.is_empty() => return Err(self.open_error(error).about(self.root.display())),
                // It went away during the walk.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    tracing::warn!("{folder}: left out of the source folder, which may not be listed here");
                }
                // A failing disk must not look as if the objects had been deleted.
                Err(error) => return Err(read_error(error).about(folder)),
            }
        }
        if skipped != self.skipped_names.swap(skipped, Ordering::Relaxed) {
            tracing::warn!("{}: {skipped} names are not UTF-8 and were left out", self.root.display());
        }
        Ok(walk)
    }

    /// Takes up a folder's files, folders and links; the names that were not UTF-8.
    fn list_folder(&self, folder: &str, walk: &mut Walk) -> io::Result<u64> {
        let mut skipped = 0;
        for entry in fs::read_dir(self.root.join(folder))? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else {
                skipped += 1;
                continue;
            };
            if name.starts_with('.') {
                continue;
            }
            let key = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            // What went away since its name was read is no reason to lose its neighbours.
            let Ok(file_type) = entry.file_type() else { continue };
            if file_type.is_dir() {
                walk.folders.push(key);
            } else if let Ok(metadata) = fs::metadata(entry.path()) {
                if metadata.is_file() {
                    walk.found.push(object_meta(&key, &metadata));
                } else if metadata.is_dir() {
                    walk.links.insert(key);
                }
            }
        }
        Ok(skipped)
    }

    fn path(&self, key: &ObjectKey) -> Result<PathBuf> {
        let below = Path::new(key.as_str());
        if below.components().all(|part| matches!(part, Component::Normal(_))) && !key.as_str().is_empty() {
            return Ok(self.root.join(below));
        }
        Err(Error::not_found("not a path below the folder"))
    }

    fn open_file(&self, id: &ObjectId, range: Range<u64>) -> Result<ObjectReader> {
        let path = self.path(&id.key)?;
        // A pipe put in the file's place must not make the opener wait for a writer.
        let opened = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path);
        let mut file = opened.map_err(|error| self.open_error(error))?;
        check_version(&file, &id.etag)?;
        let left = range.end.saturating_sub(range.start);
        if left == 0 {
            return Ok(Box::new(io::empty()));
        }
        file.seek(SeekFrom::Start(range.start)).map_err(read_error)?;
        self.counters.objects.fetch_add(1, Ordering::Relaxed);
        Ok(Box::new(PartReader { file, id: id.clone(), left, counters: self.counters.clone() }))
    }

    fn open_error(&self, error: io::Error) -> Error {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory if self.root.is_dir() => {
                Error::new(ErrorKind::Changed, "was deleted since it was listed")
            }
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
                Error::new(ErrorKind::Unreachable, "the source folder is gone").advise("mount its disk again")
            }
            io::ErrorKind::PermissionDenied => {
                Error::new(ErrorKind::Refused, "may not be read").advise("give yourself read permission")
            }
            _ => read_error(error),
        }
    }
}

impl Source for FolderSource {
    fn list(&self) -> Result<Vec<ObjectMeta>> {
        Ok(self.walk()?.found)
    }

    fn open(&self, id: &ObjectId, range: Range<u64>) -> Result<ObjectReader> {
        self.open_file(id, range).map_err(|error| error.about(id))
    }

    fn traffic(&self) -> Traffic {
        Traffic {
            fetched_bytes: self.counters.bytes.load(Ordering::Relaxed),
            fetched_objects: self.counters.objects.load(Ordering::Relaxed),
        }
    }
}

/// A listing on its way; folders and links by their keys.
struct Walk {
    folders: Vec<String>,
    links: BTreeSet<String>,
    /// Real paths of the root and of what links led to; none lies in another.
    grounds: Vec<PathBuf>,
    found: Vec<ObjectMeta>,
}

impl Walk {
    fn of(root: &Path) -> Walk {
        Walk { folders: vec![String::new()], links: BTreeSet::new(), grounds: vec![root.to_owned()], found: Vec::new() }
    }

    /// The next folder to list: first all that can be had without a link.
    fn next(&mut self, root: &Path) -> Option<String> {
        if let Some(folder) = self.folders.pop() {
            return Some(folder);
        }
        while let Some(link) = self.links.pop_first() {
            let Ok(target) = root.join(&link).canonicalize() else { continue };
            if !self.grounds.iter().any(|ground| ground.starts_with(&target) || target.starts_with(ground)) {
                self.grounds.push(target);
                return Some(link);
            }
        }
        None
    }
}

struct PartReader {
    file: File,
    id: ObjectId,
    left: u64,
    counters: Arc<Counters>,
}

impl PartReader {
    fn read_some(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let most = usize::try_from(self.left).map_or(buffer.len(), |left| left.min(buffer.len()));
        if most == 0 {
            return Ok(0);
        }
        let bytes = loop {
            match self.file.read(&mut buffer[..most]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                result => break result.map_err(read_error)?,
            }
        };
        // The last bytes are given only when the whole part is known to come from one version.
        if bytes == 0 || bytes as u64 == self.left {
            check_version(&self.file, &self.id.etag)?;
        }
        if bytes == 0 {
            return Err(Error::corrupt(format!("ends {} bytes early", self.left)));
        }
        self.left -= bytes as u64;
        self.counters.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        Ok(bytes)
    }
}

impl Read for PartReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(self.read_some(buffer).map_err(|error| error.about(&self.id))?)
    }
}

fn object_meta(key: &str, metadata: &Metadata) -> ObjectMeta {
    let modified = i32::try_from(metadata.mtime_nsec())
        .ok()
        .and_then(|nanoseconds| Timestamp::new(metadata.mtime(), nanoseconds).ok())
        .unwrap_or(Timestamp::UNIX_EPOCH);
    let id = ObjectId { key: ObjectKey::new(key), etag: etag(metadata), bytes: metadata.len() };
    ObjectMeta { id, modified, availability: Availability::Ready }
}

fn etag(metadata: &Metadata) -> ETag {
    let (length, inode) = (metadata.len(), metadata.ino());
    ETag::new(&format!("{length:x}-{:x}.{:x}-{inode:x}", metadata.mtime(), metadata.mtime_nsec()))
}

fn check_version(file: &File, wanted: &ETag) -> Result<()> {
    let metadata = file.metadata().map_err(read_error)?;
    if metadata.is_file() && etag(&metadata) == *wanted {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Changed, "has changed since it was listed").advise("open it again"))
}

/// Reading fails for reasons of the disk or of the network behind it: nothing that another key or file would heal.
fn read_error(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::TimedOut => {
            Error::new(ErrorKind::TimedOut, "the folder's disk does not answer").caused_by(error)
        }
        _ if matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE)) => {
            Error::internal("too many files are open").caused_by(error).advise("raise the limit: ulimit -n")
        }
        _ => Error::new(ErrorKind::Unreachable, "cannot be read from the folder's disk").caused_by(error),
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn keys(source: &FolderSource) -> Vec<String> {
        let mut keys: Vec<_> = source.list().unwrap().into_iter().map(|o| o.id.key.as_str().to_owned()).collect();
        keys.sort();
        keys
    }

    fn only(source: &FolderSource) -> ObjectId {
        let [object] = source.list().unwrap().try_into().unwrap();
        object.id
    }

    #[test]
    fn a_listing_holds_each_visible_file_once() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        fs::create_dir_all(path("2015/deep")).unwrap();
        fs::create_dir(path(".hidden")).unwrap();
        for name in ["2015/deep/a.zip", "b", ".c.zip.Xy12", ".hidden/d"] {
            fs::write(path(name), name).unwrap();
        }
        symlink("2015", path("latest")).unwrap();
        symlink("..", path("2015/loop")).unwrap();
        symlink("../b", path("2015/link")).unwrap();
        symlink("nowhere", path("2015/dangling")).unwrap();
        fs::write(root.path().join(OsStr::from_bytes(b"caf\xe9")), "x").unwrap();
        let source = FolderSource::new(root.path()).unwrap();
        assert_eq!(keys(&source), ["2015/deep/a.zip", "2015/link", "b"]);
        assert_eq!(source.skipped_names(), 1);
    }

    #[test]
    fn a_link_to_a_folder_elsewhere_is_followed_once() {
        let base = tempfile::tempdir().unwrap();
        let path = |name: &str| base.path().join(name);
        for folder in ["root/in", "disk/2015", "other/deep"] {
            fs::create_dir_all(path(folder)).unwrap();
        }
        for name in ["root/in/a", "disk/2015/b", "other/deep/c"] {
            fs::write(path(name), name).unwrap();
        }
        // Elsewhere; elsewhere again, in it, around it; back to the root; from elsewhere to elsewhere.
        symlink(path("disk"), path("root/d")).unwrap();
        symlink(path("disk"), path("root/in/again")).unwrap();
        symlink("2015", path("disk/latest")).unwrap();
        symlink("..", path("disk/around")).unwrap();
        symlink(path("root/in"), path("disk/back")).unwrap();
        symlink(path("other"), path("disk/on")).unwrap();
        symlink("..", path("other/deep/loop")).unwrap();
        let source = FolderSource::new(&path("root")).unwrap();
        assert_eq!(keys(&source), ["d/2015/b", "d/on/deep/c", "in/a"]);
        let object = source.list().unwrap().into_iter().find(|object| object.id.key.as_str() == "d/on/deep/c").unwrap();
        let mut content = String::new();
        source.open(&object.id, 0..object.id.bytes).unwrap().read_to_string(&mut content).unwrap();
        assert_eq!(content, "other/deep/c");
    }

    #[test]
    fn a_file_rewritten_in_place_is_noticed_before_its_last_byte() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a");
        fs::write(&path, "0123456789").unwrap();
        let source = FolderSource::new(root.path()).unwrap();
        let mut reader = source.open(&only(&source), 0..10).unwrap();
        reader.read_exact(&mut [0; 4]).unwrap();
        let file = File::options().write(true).open(&path).unwrap();
        file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
        let error = Error::from(reader.read_to_end(&mut Vec::new()).unwrap_err());
        assert_eq!(error.kind(), ErrorKind::Changed);
    }

    #[test]
    fn nothing_outside_the_folder_is_read() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("in")).unwrap();
        fs::write(root.path().join("out"), "x").unwrap();
        let source = FolderSource::new(&root.path().join("in")).unwrap();
        for key in ["../out", "/etc/passwd", "", "a/../../out"] {
            let id = ObjectId { key: ObjectKey::new(key), etag: ETag::new("x"), bytes: 1 };
            assert_eq!(source.open(&id, 0..1).err().unwrap().kind(), ErrorKind::NotFound, "{key}");
        }
    }

    #[test]
    fn a_missing_folder_is_told_from_a_deleted_file() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("a"), "x").unwrap();
        let source = FolderSource::new(root.path()).unwrap();
        let id = only(&source);
        drop(root);
        assert_eq!(source.open(&id, 0..1).err().unwrap().kind(), ErrorKind::Unreachable);
        assert_eq!(source.list().unwrap_err().kind(), ErrorKind::Unreachable);
    }

    #[test]
    fn a_file_without_permission_is_refused_and_hides_no_other() {
        let root = tempfile::tempdir().unwrap();
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(root.path().join("closed")).unwrap();
        fs::write(root.path().join("a"), "x").unwrap();
        let closed = fs::Permissions::from_mode(0o000);
        fs::set_permissions(root.path().join("a"), closed.clone()).unwrap();
        fs::set_permissions(root.path().join("closed"), closed).unwrap();
        let source = FolderSource::new(root.path()).unwrap();
        // Root may read everything; this thread of it may not, once it acts for another user on files.
        // SAFETY: it changes this thread's file system user, and nothing else.
        let user = unsafe { libc::setfsuid(65534) };
        let (listed, opened) = (source.list(), source.open(&only(&source), 0..1));
        // SAFETY: as above.
        unsafe { libc::setfsuid(user as libc::uid_t) };
        assert_eq!(listed.unwrap().len(), 1);
        assert_eq!(opened.err().unwrap().kind(), ErrorKind::Refused);
    }
}
