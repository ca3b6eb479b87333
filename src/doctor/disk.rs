//! Is what lies on a disk encrypted below the file system? Said only where the kernel tells; else it is unknown.

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::doctor::room::existing;
use crate::doctor::{Case, Machine, Report};
use crate::fuse::Mounted;

const CHECK: &str = "disk";
/// Devices below each other; real machines have three or four.
const DEEPEST: usize = 16;

/// What lies under a file or a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sealing {
    Encrypted(&'static str),
    Plain,
    /// Goes where memory goes.
    InMemory,
    Unknown(String),
}

pub fn check(case: &Case<'_>, folder: &Path, report: &mut Report<'_>) {
    let folder = existing(folder);
    let at = folder.display();
    match under_path(case.machine, folder) {
        Sealing::Encrypted(how) => report.ok(CHECK, format!("under {at}: encrypted ({how})")),
        Sealing::InMemory => report.ok(CHECK, format!("under {at}: in memory, gone with the next start")),
        Sealing::Plain => {
            report.note(CHECK, format!("under {at}: not encrypted; what edxfs keeps there is sealed by itself"));
        }
        Sealing::Unknown(why) => {
            report.note(CHECK, format!("under {at}: unknown ({why}); what edxfs keeps there is sealed by itself"));
        }
    }
}

/// What is under a file or folder.
pub fn under_path(machine: &Machine, path: &Path) -> Sealing {
    if has_fscrypt_policy(path) {
        return Sealing::Encrypted("fscrypt");
    }
    match mount_of(machine, path) {
        Some(mounted) => under_mount(machine, &mounted),
        None => Sealing::Unknown("it is in no mount table".to_owned()),
    }
}

/// The mount that a path lies in, links followed.
pub fn mount_of(machine: &Machine, path: &Path) -> Option<Mounted> {
    let table = fs::read(machine.proc.join("self/mountinfo")).unwrap_or_default();
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    holding(&crate::fuse::mount_table(&table), &path).cloned()
}

/// The mount that a path lies in: the longest that leads to it, and of those the last, which covers the others.
fn holding<'a>(table: &'a [Mounted], path: &Path) -> Option<&'a Mounted> {
    table
        .iter()
        .filter(|mounted| path.starts_with(&mounted.point))
        .max_by_key(|mounted| mounted.point.as_os_str().len())
}

fn under_mount(machine: &Machine, mounted: &Mounted) -> Sealing {
    match mounted.fs_type.as_str() {
        "ecryptfs" => Sealing::Encrypted("eCryptfs"),
        "tmpfs" | "ramfs" => Sealing::InMemory,
        // No block device of its own, but often one behind it.
        _ if mounted.device.starts_with("0:") => match block_number(Path::new(&mounted.source)) {
            Some(device) => under_device(machine, &device),
            None => Sealing::Unknown(format!("the file system {} does not say", mounted.fs_type)),
        },
        _ => under_device(machine, &mounted.device),
    }
}

/// `major:minor` of a device file.
pub fn block_number(path: &Path) -> Option<String> {
    let number = fs::metadata(path).ok().filter(|meta| meta.rdev() != 0 && path.is_absolute())?.rdev();
    Some(format!("{}:{}", libc::major(number), libc::minor(number)))
}

/// What is under a block device, `major:minor`.
pub fn under_device(machine: &Machine, device: &str) -> Sealing {
    match machine.sys.join("dev/block").join(device).canonicalize() {
        Ok(folder) => walk(&folder, DEEPEST),
        Err(_) => Sealing::Unknown(format!("device {device} is not in {}", machine.sys.display())),
    }
}

/// Down through device mapper, RAID and partitions: encrypted if every branch is.
fn walk(device: &Path, deepest: usize) -> Sealing {
    let uuid = fs::read_to_string(device.join("dm/uuid")).unwrap_or_default();
    // A partition of an encrypted device is called `part1-CRYPT-…`.
    if uuid
        .split("part")
        .any(|uuid| uuid.trim_start_matches(|c: char| c.is_ascii_digit() || c == '-').starts_with("CRYPT-"))
    {
        return Sealing::Encrypted("dm-crypt");
    }
    if device.join("loop/backing_file").exists() {
        return Sealing::Unknown("a loop device".to_owned());
    }
    let below = slaves(device);
    match (below.is_empty(), deepest) {
        (true, _) if device.join("partition").exists() => match device.parent() {
            Some(whole) => walk(whole, deepest.saturating_sub(1)),
            None => Sealing::Plain,
        },
        (true, _) => Sealing::Plain,
        (false, 0) => Sealing::Unknown("too many devices below each other".to_owned()),
        (false, _) => {
            let found: Vec<Sealing> = below.iter().map(|device| walk(device, deepest - 1)).collect();
            found.iter().find(|under| !matches!(under, Sealing::Encrypted(_))).unwrap_or(&found[0]).clone()
        }
    }
}

fn slaves(device: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(device.join("slaves")).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.path().canonicalize().ok()).collect()
}

/// Whether the folder's own file system encrypts it (ext4, f2fs, ubifs, ceph).
fn has_fscrypt_policy(path: &Path) -> bool {
    /// `_IOWR('f', 22, __u8[9])`: a size, then room for either version of a policy.
    const FS_IOC_GET_ENCRYPTION_POLICY_EX: libc::Ioctl = 0xc009_6616_u32 as libc::Ioctl;
    let Ok(file) = File::open(path) else { return false };
    let mut request = [0_u8; 8 + 24];
    request[0] = 24;
    // SAFETY: the descriptor is open, and the kernel writes no more than the size that stands in front.
    unsafe { libc::ioctl(file.as_raw_fd(), FS_IOC_GET_ENCRYPTION_POLICY_EX, request.as_mut_ptr()) == 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::testing::Made;

    #[test]
    fn encryption_is_found_below_volumes_partitions_and_raids() {
        let made = Made::new();
        made.device("8:0", "sda", None);
        made.device("8:1", "sda/sda1", None);
        made.write("sys/devices/sda/sda1/partition", "1");
        made.device("253:0", "dm-0", Some("CRYPT-LUKS2-abc-root"));
        made.slave("dm-0", "sda/sda1");
        made.device("253:1", "dm-1", Some("LVM-xyz"));
        made.slave("dm-1", "dm-0");
        made.device("253:2", "dm-2", Some("part1-CRYPT-PLAIN-abc"));
        made.device("9:0", "md0", None);
        made.slave("md0", "dm-0");
        made.slave("md0", "sda/sda1");
        made.device("253:3", "dm-3", Some("LVM-CRYPT-not"));
        made.slave("dm-3", "sda/sda1");
        made.device("7:0", "loop0", None);
        made.write("sys/devices/loop0/loop/backing_file", "/x");
        let under = |device: &str| under_device(&made.machine, device);
        for device in ["253:0", "253:1", "253:2"] {
            assert_eq!(under(device), Sealing::Encrypted("dm-crypt"), "{device}");
        }
        for device in ["8:0", "8:1", "9:0", "253:3"] {
            assert_eq!(under(device), Sealing::Plain, "{device}");
        }
        for device in ["7:0", "1:1"] {
            assert!(matches!(under(device), Sealing::Unknown(_)), "{device}");
        }
    }

    #[test]
    fn a_path_is_under_the_last_of_the_longest_mounts() {
        let table = crate::fuse::mount_table(
            b"1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 0:5 / /home rw - tmpfs tmpfs rw\n\
             3 1 0:6 / /home rw - ecryptfs /home rw\n4 1 0:7 / /homes rw - zfs tank rw\n",
        );
        let kind = |path: &str| holding(&table, Path::new(path)).map(|mounted| mounted.fs_type.as_str());
        assert_eq!((kind("/home/x"), kind("/homes/x"), kind("/etc")), (Some("ecryptfs"), Some("zfs"), Some("ext4")));
        let made = Made::new();
        assert_eq!(under_mount(&made.machine, &table[1]), Sealing::InMemory);
        assert_eq!(under_mount(&made.machine, &table[2]), Sealing::Encrypted("eCryptfs"));
        assert!(matches!(under_mount(&made.machine, &table[3]), Sealing::Unknown(_)));
    }
}
