//! What cache folders may still grow by, beside what their disks have free: those on one disk share it.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::control::status::size;
use crate::doctor::Report;

/// Of all that is said of cache folders.
pub const CHECK: &str = "cache folder";

/// A cache folder on its disk.
pub struct Room {
    folder: PathBuf,
    /// What its files take.
    pub used_bytes: u64,
    /// None where the system does not say.
    disk: Option<Disk>,
}

#[derive(Clone, Copy)]
struct Disk {
    number: u64,
    /// Bytes that this user may still write there.
    free_bytes: u64,
}

/// `112 GiB free`
impl fmt::Display for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.disk {
            Some(disk) => write!(f, "{} free", size(disk.free_bytes)),
            None => f.write_str("free space unknown"),
        }
    }
}

impl Room {
    /// Of a folder that need not be there yet.
    pub fn of(folder: &Path) -> Room {
        Room { folder: folder.to_owned(), used_bytes: disk_bytes(folder), disk: disk(existing(folder)).ok() }
    }
}

/// Warns of each disk that is smaller than what it was promised for; the limit is that of each folder.
pub fn check(limit_bytes: u64, rooms: &[Room], report: &mut Report<'_>) {
    let mut disks: BTreeMap<u64, (Disk, Vec<&Room>)> = BTreeMap::new();
    for room in rooms {
        if let Some(disk) = room.disk {
            disks.entry(disk.number).or_insert((disk, Vec::new())).1.push(room);
        }
    }
    for (disk, sharing) in disks.into_values() {
        let growth = sharing.iter().map(|room| limit_bytes.saturating_sub(room.used_bytes)).sum();
        if disk.free_bytes < growth {
            report.warn(CHECK, too_small(disk, growth, &sharing));
        }
    }
}

fn too_small(disk: Disk, growth: u64, sharing: &[&Room]) -> String {
    let folders: Vec<String> = sharing.iter().map(|room| room.folder.display().to_string()).collect();
    let (its, it) = if folders.len() == 1 { ("its", "it") } else { ("their", "they") };
    let used: u64 = sharing.iter().map(|room| room.used_bytes).sum();
    let fits = (used + disk.free_bytes / 10 * 9) / sharing.len() as u64;
    let (folders, free, growth) = (folders.join(" and "), size(disk.free_bytes), size(growth));
    let fits = (fits >> 20).max(1);
    format!("{folders}: {its} disk has {free} free, but {it} may grow by {growth}: --cache-size {fits}MiB")
}

/// The nearest folder above that is there.
pub fn existing(folder: &Path) -> &Path {
    folder.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"))
}

/// What the files of a folder take on its disk; those that go meanwhile count as nothing.
fn disk_bytes(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let bytes = entries.map(|entry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => disk_bytes(&entry.path()),
        Ok(meta) => meta.blocks() * 512,
        Err(_) => 0,
    });
    bytes.sum()
}

fn disk(path: &Path) -> io::Result<Disk> {
    let number = fs::metadata(path)?.dev();
    let answer = rustix::fs::statvfs(path)?;
    Ok(Disk { number, free_bytes: answer.f_bavail.saturating_mul(answer.f_frsize) })
}
