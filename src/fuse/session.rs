//! One mount, from mounting to unmounting: threads and signals.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use fuser::{Notifier, Session};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::{Handle as Signals, SignalsInfo};

use super::invalidation;
use super::kernel::Kernel;
use super::mounts::{self, Force};
use super::operations::Operations;
use super::{Options, attach};
use crate::error::{Error, Result};
use crate::volume::Volume;

/// What the kernel reads ahead where we may say so: 1 MiB is what one request can carry.
const READ_AHEAD_KIB: &str = "1024";

/// Set once, when the mount has left the tree: how it came to that.
#[derive(Default)]
struct Ended {
    ended: Mutex<Option<Result<()>>>,
    changed: Condvar,
}

impl Ended {
    /// Only the first counts.
    fn set(&self, end: Result<()>) {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(end);
        self.changed.notify_all();
    }

    fn is_set(&self) -> bool {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    fn wait(&self) -> Result<()> {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let ended = self.changed.wait_while(ended, |ended| ended.is_none()).unwrap_or_else(PoisonError::into_inner);
        ended.clone().unwrap_or(Ok(()))
    }
}

/// A mounted volume. Dropping it unmounts.
pub struct Mount {
    point: Arc<MountPoint>,
    operations: Arc<Operations>,
    notifier: Notifier,
    signals: Mutex<Vec<Signals>>,
}

/// Where a mount is, and whether it still is.
struct MountPoint {
    path: PathBuf,
    /// `major:minor`: whether what lies there is still this mount.
    device: String,
    ended: Ended,
}

impl Mount {
    /// Mounts `volume` at the directory `point` and returns once the mount answers. A dead mount of ours is taken off first.
    ///
    /// Errors: `Usage` if `point` is no directory, holds a mount of ours already or may not be mounted on; `Internal` with the system's words.
    pub fn start(volume: Arc<Volume>, point: &Path, options: &Options) -> Result<Mount> {
        mounts::detach_stale(point)?;
        let path = mounts::absolute(point)?;
        if !fs::metadata(&path).is_ok_and(|metadata| metadata.is_dir()) {
            return Err(Error::usage("is not a directory").about(point.display()));
        }
        if mounts::top_mount(&path)?.is_some_and(|mounted| mounted.is_ours()) {
            return Err(Error::usage("is mounted already").about(point.display()).advise("unmount it first"));
        }
        let operations = Arc::new(Operations::new(volume, options.clone()));
        let session =
            attach::attach(Kernel::new(operations.clone()), &path, options).map_err(|error| refused(&path, error))?;
        let mounted = mounts::top_mount(&path).inspect_err(|_| drop(mounts::unmount_with(&path, Force::Detach)))?;
        let device = mounted.map(|mounted| mounted.device).unwrap_or_default();
        let point = Arc::new(MountPoint { path, device, ended: Ended::default() });
        // From here on whatever fails takes the mount off again.
        let mount = Mount { point, operations, notifier: session.notifier(), signals: Mutex::default() };
        serve(session, mount.point.clone())?;
        let root = fs::metadata(&mount.point.path).map_err(|error| Error::from(error).about(mount.path().display()))?;
        raise_read_ahead(root.dev());
        Ok(mount)
    }

    pub fn path(&self) -> &Path {
        &self.point.path
    }

    /// From now on SIGTERM and SIGINT unmount, also with files open, and SIGHUP calls `on_hangup`, on a thread of its own.
    pub fn handle_signals(&self, on_hangup: impl Fn() + Send + 'static) -> Result<()> {
        let failed = |error| Error::from(error).about("signals");
        let mut signals: SignalsInfo = SignalsInfo::new([SIGTERM, SIGINT, SIGHUP]).map_err(failed)?;
        self.signals.lock().unwrap_or_else(PoisonError::into_inner).push(signals.handle());
        let point = self.point.clone();
        spawn("edxfs-signals", move || {
            for signal in signals.forever() {
                match signal {
                    SIGHUP => on_hangup(),
                    _ => point.leave(),
                }
            }
        })
    }

    /// What is called when names of the volume may lead elsewhere than before. Returns at once; the kernel is told later.
    pub fn invalidator(&self) -> Result<impl Fn() + Send + Sync + Clone + 'static> {
        let (sender, receiver) = channel();
        let (operations, notifier) = (Arc::downgrade(&self.operations), self.notifier.clone());
        spawn("edxfs-invalidate", move || invalidation::follow(&receiver, &operations, &notifier))?;
        Ok(move || {
            // Only a panic ends the thread, and has been told of.
            sender.send(()).ok();
        })
    }

    /// Takes the mount out of the tree, also with files open; those are cut off when the process ends.
    pub fn unmount(&self) {
        self.point.leave();
    }

    /// Returns when the mount has been unmounted, by whomever. Errors: `Internal` where it ended in another way, or is
    /// still in the tree.
    pub fn wait(&self) -> Result<()> {
        self.point.ended.wait()
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        self.point.leave();
        for signals in self.signals.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            signals.close();
        }
    }
}

impl MountPoint {
    fn leave(&self) {
        if self.ended.is_set() {
            return;
        }
        let left = self.unmount();
        match &left {
            Ok(Some(Force::Detach)) => tracing::info!("detached {} with files open", self.path.display()),
            Ok(_) => tracing::info!("unmounted {}", self.path.display()),
            Err(error) => tracing::error!("cannot unmount: {error}"),
        }
        self.ended.set(left.map(drop));
    }

    /// The kernel asks no more. Whoever has unmounted has taken the mount out of the tree before; else it is dead.
    fn connection_ended(&self, served: std::io::Result<()>) {
        let cut = || Error::internal("the connection to the kernel was cut").about(self.path.display());
        let end = match (self.unmount(), served) {
            (Ok(None), Ok(())) => Ok(()),
            (Ok(_), Err(error)) => Err(cut().caused_by(error)),
            (Ok(Some(_)), Ok(())) => Err(cut().advise("`umount -f` does that; mount it again")),
            (Err(error), _) => Err(error),
        };
        self.ended.set(end);
    }

    /// None if somebody else was faster.
    fn unmount(&self) -> Result<Option<Force>> {
        match mounts::top_mount(&self.path)? {
            Some(mounted) if mounted.device == self.device => mounts::detach(&self.path).map(Some),
            _ => Ok(None),
        }
    }
}

/// What a person can do about the usual reasons.
fn refused(path: &Path, error: std::io::Error) -> Error {
    let advice = match (error.kind(), Path::new("/dev/fuse").exists()) {
        (_, false) => "there is no /dev/fuse here: load the kernel module fuse, or give the container the device",
        (std::io::ErrorKind::PermissionDenied, _) if error.to_string().contains("user_allow_other") => {
            "put user_allow_other into /etc/fuse.conf, or leave --allow-other out"
        }
        (std::io::ErrorKind::PermissionDenied, _) => "you may not use /dev/fuse, or not mount on this directory",
        (std::io::ErrorKind::NotFound, _) => "install fuse3, whose fusermount3 mounts for users",
        _ => "see the reason above",
    };
    Error::usage("cannot mount").about(path.display()).caused_by(error).advise(advice)
}

/// Serves until the mount is gone.
fn serve(session: Session<Kernel>, point: Arc<MountPoint>) -> Result<()> {
    spawn("edxfs-session", move || {
        point.connection_ended(session.run());
    })
}

/// Only root may; elsewhere the kernel's 128 KiB stay.
fn raise_read_ahead(device: u64) {
    let (major, minor) = (libc::major(device), libc::minor(device));
    let setting = format!("/sys/class/bdi/{major}:{minor}/read_ahead_kb");
    if let Err(error) = fs::write(&setting, READ_AHEAD_KIB) {
        tracing::debug!("read-ahead stays as it is: {error}");
    }
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<()> {
    let spawned = thread::Builder::new().name(name.to_owned()).spawn(body);
    spawned.map(|_| ()).map_err(|error| Error::from(error).about("thread"))
}
