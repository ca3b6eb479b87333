//! What the kernel's mount table says of a mount point, and taking mounts off it.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::io::Errno;

use super::FS_NAME;
use crate::error::{Error, Result};

/// Dead mounts that may lie on top of each other, each left by one crash.
const MOST_STALE: usize = 16;

/// One line of the mount table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mounted {
    /// `major:minor`, which names the mount's superblock.
    pub device: String,
    pub point: PathBuf,
    pub fs_type: String,
    /// What was mounted, as the mount says: a block device, a name.
    pub source: String,
    /// Of a FUSE mount: the user whose process serves it.
    pub user: Option<u32>,
}

impl Mounted {
    pub fn is_ours(&self) -> bool {
        self.fs_type == format!("fuse.{FS_NAME}")
    }
}

/// How hard to pull.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Force {
    /// Fails while anything is open.
    IfIdle,
    /// Takes the mount out of the tree now; open files live on as long as the process that serves them.
    Detach,
}

/// Takes off whatever a crash of ours has left at `point` (`Transport endpoint is not connected`).
///
/// Errors: `Usage` if the dead mount is another filesystem's.
pub fn detach_stale(point: &Path) -> Result<()> {
    for _ in 0..MOST_STALE {
        if !is_dead(point) {
            return Ok(());
        }
        let path = absolute(point)?;
        match top_mount(&path)? {
            Some(mounted) if mounted.is_ours() => unmount_with(&path, Force::Detach)?,
            _ => {
                return Err(Error::usage("a dead mount of another filesystem lies there")
                    .about(point.display())
                    .advise("unmount it first"));
            }
        }
        tracing::info!("detached a dead mount from {}", point.display());
    }
    Ok(())
}

/// Asks for what the kernel never keeps: a dead mount's attributes may still be remembered.
pub fn is_dead(point: &Path) -> bool {
    rustix::fs::statvfs(point).is_err_and(|error| error == Errno::NOTCONN)
}

/// Unmounts a mount of ours, also with files open, whoever serves it; says which it took.
///
/// Errors: `Usage` if nothing of ours is mounted at `point`; `Internal` with the system's words.
pub fn unmount(point: &Path) -> Result<Force> {
    let path = absolute(point)?;
    match top_mount(&path)? {
        Some(mounted) if mounted.is_ours() => detach(&path),
        Some(_) => Err(Error::usage("this is a mount, but not one of edxfs").about(point.display())),
        None => Err(Error::usage("nothing is mounted there").about(point.display())),
    }
}

/// Unmounts `path` if it is idle, else detaches it; says which it took.
pub fn detach(path: &Path) -> Result<Force> {
    match unmount_with(path, Force::IfIdle) {
        Ok(()) => Ok(Force::IfIdle),
        Err(_) => unmount_with(path, Force::Detach).map(|()| Force::Detach),
    }
}

/// The mount that is seen at `path` (absolute, without links), if one is there.
pub fn top_mount(path: &Path) -> Result<Option<Mounted>> {
    let table = fs::read("/proc/self/mountinfo").map_err(|error| Error::from(error).about("mount table"))?;
    Ok(mount_table(&table).into_iter().rfind(|mounted| mounted.point == path))
}

/// The user whose process serves the mount of ours that is seen at `path` (absolute, without links).
pub fn user_of_mount(path: &Path) -> Option<u32> {
    top_mount(path).ok().flatten().filter(Mounted::is_ours)?.user
}

/// The lines of a mount table (`/proc/self/mountinfo`), in its order: what comes later covers what comes before.
/// Names in it are bytes, whatever their encoding.
pub fn mount_table(text: &[u8]) -> Vec<Mounted> {
    text.split(|byte| *byte == b'\n').filter_map(parse_line).collect()
}

/// `point` without links, found through its parent: a dead mount cannot be asked.
pub fn absolute(point: &Path) -> Result<PathBuf> {
    let wrong = |error: io::Error| Error::usage(error.to_string()).about(point.display());
    match (point.canonicalize(), point.parent(), point.file_name()) {
        (Ok(path), _, _) => Ok(path),
        (Err(error), Some(parent), Some(name)) if error.raw_os_error() == Some(libc::ENOTCONN) => {
            let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
            Ok(parent.canonicalize().map_err(wrong)?.join(name))
        }
        (Err(error), _, _) => Err(wrong(error)),
    }
}

pub fn unmount_with(path: &Path, force: Force) -> Result<()> {
    let name = CString::new(path.as_os_str().as_bytes()).map_err(|_| Error::usage("a path holds no NUL"))?;
    let flags = libc::UMOUNT_NOFOLLOW | if force == Force::Detach { libc::MNT_DETACH } else { 0 };
    // SAFETY: `name` is a NUL-terminated path that outlives the call.
    if unsafe { libc::umount2(name.as_ptr(), flags) } == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    if error.raw_os_error() != Some(libc::EPERM) {
        return Err(Error::from(error).about(path.display()));
    }
    unmount_as_user(path, force)
}

/// Without root, only the setuid helper can.
fn unmount_as_user(path: &Path, force: Force) -> Result<()> {
    let mut last = None;
    for program in ["fusermount3", "fusermount"] {
        let mut command = Command::new(program);
        command.arg("-u").args((force == Force::Detach).then_some("-z")).arg("--").arg(path);
        match command.stdin(Stdio::null()).output() {
            Ok(output) if output.status.success() => return Ok(()),
            Ok(output) => {
                let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
                return Err(Error::internal(words).about(path.display()));
            }
            Err(error) => last = Some(error),
        }
    }
    let error = Error::internal("cannot unmount without root").about(path.display()).advise("install fuse3");
    Err(last.into_iter().fold(error, |error, cause| error.caused_by(cause)))
}

/// `36 35 98:0 /root /point options [tag…] - type source options`, octal escapes in paths (proc(5)).
fn parse_line(line: &[u8]) -> Option<Mounted> {
    let text = |word: &[u8]| String::from_utf8_lossy(&unescape(word)).into_owned();
    let mut words = line.split(|byte| *byte == b' ').skip(2);
    let device = text(words.next()?);
    let point = unescape_path(words.nth(1)?);
    let mut filesystem = words.skip_while(|word| *word != b"-").skip(1);
    let (fs_type, source) = (text(filesystem.next()?), text(filesystem.next()?));
    let options = text(filesystem.next().unwrap_or_default());
    let user = options.split(',').find_map(|option| option.strip_prefix("user_id=")?.parse().ok());
    Some(Mounted { device, point, fs_type, source, user })
}

/// A path as the kernel's tables have it.
pub fn unescape_path(text: &[u8]) -> PathBuf {
    PathBuf::from(std::ffi::OsString::from_vec(unescape(text)))
}

/// `\040` is a space.
fn unescape(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, tail)) = rest.split_first() {
        let digits = tail.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) if first == b'\\' => {
                bytes.push(byte);
                rest = &tail[3..];
            }
            _ => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_mount_table_is_read_with_its_escapes() {
        let line = br"36 35 0:98 / /mnt/with\040space ro,nosuid shared:1 - fuse.edxfs /etc/x\040y.toml rw,user_id=0";
        let mounted = parse_line(line).expect("it is well-formed");
        assert_eq!((&*mounted.device, &*mounted.point), ("0:98", Path::new("/mnt/with space")));
        assert!(mounted.is_ours() && mounted.source == "/etc/x y.toml" && mounted.user == Some(0));
        let other = parse_line(b"36 35 0:98 / /mnt rw - fuse sshfs rw").expect("it is well-formed");
        assert!(!other.is_ours() && other.user.is_none());
    }

    #[test]
    fn names_that_are_no_utf8_hide_no_other_mount() {
        let table =
            b"36 35 0:98 / /mnt/usb\xe5 rw - vfat /dev/sda1 rw\n37 35 0:99 / /mnt/\xe5 rw - fuse.edxfs edxfs rw\n";
        let points: Vec<_> = mount_table(table).into_iter().map(|mounted| mounted.point.into_os_string()).collect();
        assert_eq!(
            points.iter().map(|point| point.as_bytes()).collect::<Vec<_>>(),
            [&b"/mnt/usb\xe5"[..], b"/mnt/\xe5"]
        );
    }

    #[test]
    fn what_is_not_ours_is_not_unmounted() {
        assert_eq!(unmount(Path::new("/proc")).expect_err("it is not ours").kind(), crate::error::ErrorKind::Usage);
        assert!(top_mount(Path::new("/proc")).expect("it can be read").is_some());
        assert!(detach_stale(Path::new("/proc")).is_ok());
    }
}
