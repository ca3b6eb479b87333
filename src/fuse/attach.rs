//! Putting a mount on a mount point, so that the mount table shows `fuse.edxfs` whoever mounts.
//!
//! fuser's own mount(2) passes the type `fuse` and no subtype, which only fusermount3 adds. So root's mount is made here
//! and its descriptor handed to fuser; everybody else goes through fusermount3 as fuser does it. No `auto_unmount`: it
//! needs a fusermount3 that stays, and what a crash leaves is detached by the next mount.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use fuser::{Config, Filesystem, MountOption, Session, SessionACL};

use super::mounts::{self, Force};
use super::{Access, FS_NAME, Options};

const FS_TYPE: &CStr = c"fuse.edxfs";
const FLAGS: libc::c_ulong = libc::MS_RDONLY | libc::MS_NODEV | libc::MS_NOSUID | libc::MS_NOEXEC | libc::MS_NOATIME;

/// Mounts `filesystem` at `point` (absolute, without links) and shakes hands with the kernel.
///
/// Errors: the system's words; then nothing is mounted.
pub fn attach<F: Filesystem>(filesystem: F, point: &Path, options: &Options) -> io::Result<Session<F>> {
    match mount_as_root(point, options) {
        Ok(device) => {
            let config = config(options);
            let session = Session::from_fd(filesystem, device, config.acl, config);
            session.inspect_err(|_| drop(mounts::unmount_with(point, Force::Detach)))
        }
        Err(error) if error.raw_os_error() == Some(libc::EPERM) => Session::new(filesystem, point, &config(options)),
        Err(error) => Err(error),
    }
}

/// The other end of the mount. Errors: `EPERM` for everybody but root.
fn mount_as_root(point: &Path, options: &Options) -> io::Result<OwnedFd> {
    let device = File::options().read(true).write(true).open("/dev/fuse")?;
    // SAFETY: both calls only read the process's credentials and cannot fail.
    let (uid, gid) = unsafe { (libc::getuid(), libc::getgid()) };
    let others = if options.access == Access::AllowOther { ",allow_other" } else { "" };
    let data = format!(
        "fd={},rootmode={:o},user_id={uid},group_id={gid},default_permissions{others}",
        device.as_raw_fd(),
        libc::S_IFDIR
    );
    let source = CString::new(source(options))?;
    let (point, data) = (CString::new(point.as_os_str().as_bytes())?, CString::new(data)?);
    // SAFETY: every text ends in NUL and outlives the call, as the descriptor that `data` names does.
    let failed =
        unsafe { libc::mount(source.as_ptr(), point.as_ptr(), FS_TYPE.as_ptr(), FLAGS, data.as_ptr().cast()) != 0 };
    if failed { Err(io::Error::last_os_error()) } else { Ok(device.into()) }
}

/// What the mount table shows as the mount's device.
fn source(options: &Options) -> &str {
    options.source.as_deref().unwrap_or(FS_NAME)
}

fn config(options: &Options) -> Config {
    let mut config = Config::default();
    // fusermount3 ends an option at a comma.
    let source = source(options).replace('\\', r"\\").replace(',', r"\,");
    config.mount_options = vec![
        MountOption::RO,
        MountOption::NoDev,
        MountOption::NoSuid,
        MountOption::NoExec,
        MountOption::NoAtime,
        MountOption::DefaultPermissions,
        MountOption::FSName(source),
        MountOption::Subtype(FS_NAME.to_owned()),
    ];
    config.acl = match options.access {
        Access::OwnerOnly => SessionACL::Owner,
        Access::AllowOther => SessionACL::All,
    };
    config.n_threads = Some(options.threads.max(1));
    config
}
