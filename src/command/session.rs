//! One mount from beginning to end: cache folder, volume, FUSE session, control socket, SIGHUP.

use std::path::Path;
use std::sync::Arc;
use std::thread;

use crate::command::answers::answer_for;
use crate::command::background::Ready;
use crate::command::log::LogFile;
use crate::command::service_manager::{ServiceManager, State};
use crate::command::{Outcome, keys};
use crate::config::{self, Readers, Settings};
use crate::control;
use crate::error::Result;
use crate::fuse::{self, Mount};
use crate::volume::{Freshness, Volume};

/// Owns the cache, mounts, says so, and stays until the mount is gone.
pub fn serve(settings: &Settings, mount_point: &Path, log: Option<LogFile>, ready: Ready) -> Result<Outcome> {
    let manager = ServiceManager::at(settings.notify_socket.as_deref());
    manager.tell(State::Starting("unlocking the keys, then looking for objects"));
    let owned = settings.cache_dirs().iter().map(|dir| control::own(dir)).collect::<Result<Vec<_>>>()?;
    let volume = Volume::start(settings, keys::unlock(settings)?, Freshness::LastKnown)?;
    let serving = answer_for(&volume, owned, settings, Some(mount_point))?;
    let mount = Mount::start(Arc::clone(&volume), mount_point, &fuse_options(settings))?;
    let mounted = format!("{} on {}", settings.orgs.join(" "), mount_point.display());
    mount.handle_signals(on_hangup(&volume, log, manager.clone(), mounted.clone()))?;
    volume.on_change(mount.invalidator()?);
    ready()?;
    manager.tell(State::Ready(&mounted));
    tracing::info!(mount_point = %mount_point.display(), "mounted");
    let ended = mount.wait();
    manager.tell(State::Stopping("unmounted; writing out what was learned"));
    match &ended {
        Ok(()) => tracing::info!("unmounted"),
        Err(error) => tracing::error!("{error}"),
    }
    // The lock goes last: whoever takes the folder next must find nobody at work in it.
    drop((mount, volume));
    drop(serving);
    ended.map(|()| Outcome::Done)
}

fn fuse_options(settings: &Settings) -> fuse::Options {
    fuse::Options {
        source: settings.config_file.as_ref().map(|file| file.display().to_string()),
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

/// Looks for new objects, on a thread of its own: a signal that ends the mount must not wait for a slow source.
fn on_hangup(
    volume: &Arc<Volume>,
    log: Option<LogFile>,
    manager: ServiceManager,
    mounted: String,
) -> impl Fn() + Send + 'static {
    let volume = Arc::downgrade(volume);
    move || {
        if let Some(Err(error)) = log.as_ref().map(LogFile::reopen) {
            tracing::warn!("cannot reopen the log file: {error}");
        }
        let (volume, manager, mounted) = (volume.clone(), manager.clone(), mounted.clone());
        let refresh = move || {
            manager.tell(State::Reloading("looking for new objects"));
            match volume.upgrade().map(|volume| volume.refresh()) {
                Some(Err(error)) => {
                    tracing::warn!("{error}");
                    manager.tell(State::Ready(&format!("{mounted}; found no new objects: {error}")));
                }
                _ => manager.tell(State::Ready(&mounted)),
            }
        };
        if let Err(error) = thread::Builder::new().name("hangup".into()).spawn(refresh) {
            tracing::warn!("no refresh: {error}");
        }
    }
}
