//! What a sync replaces is kept as `{backups}/{UTC date}/{key}`; a second one of that day as `{key}.2`, and so on.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::disk;
use crate::error::Result;
use crate::source::ObjectKey;

/// Keeps the file at `target`, if there is one: by a link where the file system can, else as a copy. Errors: local I/O.
pub fn keep(target: &Path, key: &ObjectKey, backups: &Path) -> Result<()> {
    if fs::symlink_metadata(target).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        return Ok(());
    }
    let day = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let first = backups.join(day.to_string()).join(key.as_str());
    disk::make_parents(&first)?;
    let mut number = 1;
    loop {
        let backup = numbered(&first, number);
        match fs::hard_link(target, &backup) {
            Ok(()) => return disk::sync_parent(&backup).map_err(|error| disk::local(error, &backup)),
            // A sync that was killed between the link and the new file's name.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && disk::is_same_file(target, &backup) => {
                return Ok(());
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            // Another disk, or one without links.
            Err(_) => return copy(target, &backup).map_err(|error| disk::local(error, &backup)),
        }
    }
}

fn numbered(first: &Path, number: u32) -> PathBuf {
    match number {
        1 => first.to_owned(),
        _ => {
            let name = first.file_name().unwrap_or_default().to_string_lossy();
            first.with_file_name(format!("{name}.{number}"))
        }
    }
}

/// `backup` is a name that nothing has.
fn copy(target: &Path, backup: &Path) -> io::Result<()> {
    let name = backup.file_name().unwrap_or_default().to_string_lossy();
    let part = backup.with_file_name(format!(".{name}.part"));
    let mut from = File::open(target)?;
    let mut to = File::options().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
    io::copy(&mut from, &mut to)?;
    to.set_modified(from.metadata()?.modified()?)?;
    to.sync_all()?;
    fs::rename(&part, backup)?;
    disk::sync_parent(backup)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn no_backup_of_the_day_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let (target, backups) = (folder.path().join("a.zip"), folder.path().join("backups"));
        let key = ObjectKey::new("course-data/a.zip");
        keep(&target, &key, &backups).unwrap();
        assert!(!backups.exists(), "there was nothing to keep");
        for content in ["one", "two", "three"] {
            fs::write(folder.path().join("new"), content).unwrap();
            fs::rename(folder.path().join("new"), &target).unwrap();
            keep(&target, &key, &backups).unwrap();
            keep(&target, &key, &backups).unwrap();
        }
        let [day] =
            fs::read_dir(&backups).unwrap().map(|day| day.unwrap().path()).collect::<Vec<_>>().try_into().unwrap();
        let kept = ["a.zip", "a.zip.2", "a.zip.3"].map(|name| fs::read(day.join("course-data").join(name)).unwrap());
        assert_eq!(kept, [b"one".to_vec(), b"two".to_vec(), b"three".to_vec()]);
        assert_eq!(fs::read_dir(day.join("course-data")).unwrap().count(), 3);
    }

    #[test]
    fn a_copy_has_content_and_time_and_is_ours_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (target, backup) = (folder.path().join("a"), folder.path().join("b"));
        fs::write(&target, "content").unwrap();
        File::options().append(true).open(&target).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
        copy(&target, &backup).unwrap();
        let metadata = fs::metadata(&backup).unwrap();
        assert_eq!(fs::read(&backup).unwrap(), b"content");
        assert_eq!(metadata.modified().unwrap(), std::time::UNIX_EPOCH);
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
