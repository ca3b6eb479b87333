//! One mount from beginning to end: cache folder, volume, FUSE session, control socket, SIGHUP.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use signal_hook::consts::SIGHUP;
use signal_hook::iterator::Signals;

use crate::command::background::Ready;
use crate::command::log::LogFile;
use crate::command::{Outcome, keys};
use crate::config::{self, Readers, Settings};
use crate::control::status::Status;
use crate::control::{self, Answer, Owned, Reply, Request, Serving};
use crate::error::Result;
use crate::fuse::{self, Mount};
use crate::volume::{Freshness, Volume};

/// Owns the cache, mounts, says so, and stays until the mount is gone.
pub fn serve(settings: &Settings, mount_point: &Path, log: Option<LogFile>, ready: Ready) -> Result<Outcome> {
    let owned = settings.cache_dirs().iter().map(|dir| control::own(dir)).collect::<Result<Vec<_>>>()?;
    let volume = Volume::start(settings, keys::unlock(settings)?, Freshness::LastKnown)?;
    let mount = Mount::start(Arc::clone(&volume), mount_point, &fuse_options(settings))?;
    let _serving = answer_for(&volume, owned, Some(mount_point))?;
    on_hangup(&volume, log)?;
    ready()?;
    tracing::info!(mount_point = %mount_point.display(), "mounted");
    mount.wait();
    tracing::info!("unmounted");
    Ok(Outcome::Done)
}

fn fuse_options(settings: &Settings) -> fuse::Options {
    fuse::Options {
        access: match settings.readers {
            Readers::Owner => fuse::Access::OwnerOnly,
            Readers::Everybody => fuse::Access::AllowOther,
        },
        uid: settings.uid,
        gid: settings.gid,
        mode: settings.mode as u16,
        dir_mode: settings.dir_mode as u16,
        sizes: match settings.sizes {
            config::Sizes::Lazy => fuse::Sizes::Lazy,
            config::Sizes::Exact => fuse::Sizes::Exact,
        },
        sniffers: match settings.sniffers {
            config::Sniffers::Refuse => fuse::Sniffers::Refuse,
            config::Sniffers::Wait => fuse::Sniffers::Wait,
        },
        ..fuse::Options::default()
    }
}

/// Answers on the sockets of all cache folders of a volume, as long as the result lives.
pub fn answer_for(volume: &Arc<Volume>, owned: Vec<Owned>, mount_point: Option<&Path>) -> Result<Vec<Serving>> {
    let cache_dirs: Vec<PathBuf> = owned.iter().map(|owned| owned.dir().to_path_buf()).collect();
    let (mount_point, pid) = (mount_point.map(Path::to_path_buf), std::process::id());
    let volume = Arc::clone(volume);
    let answer: Answer = Arc::new(move |request| match request {
        Request::Where => Reply::Where { mount_point: mount_point.clone(), pid },
        Request::Status => {
            let (mount_point, cache_dirs) = (mount_point.clone(), cache_dirs.clone());
            Reply::Status(Box::new(Status { mount_point, pid, cache_dirs, ..volume.status() }))
        }
        Request::Refresh => match volume.refresh() {
            Ok(_) => Reply::Done,
            Err(error) => Reply::Failed { message: error.to_string() },
        },
    });
    owned.into_iter().map(|owned| control::serve(owned, Arc::clone(&answer))).collect()
}

fn on_hangup(volume: &Arc<Volume>, log: Option<LogFile>) -> Result<()> {
    let mut signals = Signals::new([SIGHUP])?;
    let volume = Arc::downgrade(volume);
    let listen = move || {
        for _ in signals.forever() {
            let Some(volume) = volume.upgrade() else { return };
            if let Some(Err(error)) = log.as_ref().map(LogFile::reopen) {
                tracing::warn!("cannot reopen the log file: {error}");
            }
            if let Err(error) = volume.refresh() {
                tracing::warn!("{error}");
            }
        }
    };
    std::thread::Builder::new().name("hangup".into()).spawn(listen)?;
    Ok(())
}
