//! What the owner of cache folders answers on its sockets: how it is, and its tree.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;

use crate::command::shown;
use crate::config::Settings;
use crate::control::status::Status;
use crate::control::{self, Failure, Owned, Progress, Replies, Reply, Request, Serving, Whereabouts};
use crate::engine::wait::Wait;
use crate::error::{Error, Result};
use crate::volume::{Indexed, Volume};

/// Answers on the sockets of all cache folders of a volume, as long as the result lives.
pub fn answer_for(
    volume: &Arc<Volume>,
    owned: Vec<Owned>,
    settings: &Settings,
    mount_point: Option<&Path>,
) -> Result<Vec<Serving>> {
    let whereabouts = Whereabouts {
        mount_point: mount_point.map(Path::to_path_buf),
        pid: std::process::id(),
        orgs: settings.orgs.clone(),
        shown: shown::of(settings),
    };
    let cache_dirs = owned.iter().map(|owned| owned.dir().to_path_buf()).collect();
    let identity = Identity { source: settings.source.to_string(), cache_dirs, whereabouts };
    let volume = Arc::clone(volume);
    let answer: control::Answer = Arc::new(move |request, replies| answer(&volume, &identity, request, replies));
    owned.into_iter().map(|owned| control::serve(owned, Arc::clone(&answer))).collect()
}

/// What stays the same as long as we own the folders.
struct Identity {
    source: String,
    cache_dirs: Vec<PathBuf>,
    whereabouts: Whereabouts,
}

fn answer(volume: &Volume, identity: &Identity, request: Request, replies: &mut Replies<'_>) -> io::Result<()> {
    let gone = replies.nobody_listens();
    let wait = Wait::Until(&gone);
    let answered = match request {
        Request::Status => {
            let status = Status {
                source: identity.source.clone(),
                cache_dirs: identity.cache_dirs.clone(),
                mount_point: identity.whereabouts.mount_point.clone(),
                ..volume.status()
            };
            replies.send(&Reply::Status(Box::new(status))).map(Ok)
        }
        Request::Where => replies.send(&Reply::Where(identity.whereabouts.clone())).map(Ok),
        Request::Refresh => done(volume.refresh(), replies),
        Request::Item { path } => match volume.item(&path, wait) {
            Ok(item) => replies.send(&Reply::Item(item)).map(Ok),
            Err(error) => Ok(Err(error)),
        },
        Request::List { path } => match volume.items(&path, wait) {
            Ok(items) => {
                items.into_iter().try_for_each(|item| replies.send(&Reply::Item(item)))?;
                done(Ok(()), replies)
            }
            Err(error) => Ok(Err(error)),
        },
        Request::Origin { path } => match volume.origin(&path, wait) {
            Ok(origin) => replies.send(&Reply::Origin(origin)).map(Ok),
            Err(error) => Ok(Err(error)),
        },
        Request::Read { path } => match volume.contents(&path, wait) {
            Ok(mut contents) => {
                replies.send(&Reply::Opened(contents.opened))?;
                replies.content(&mut *contents.reader).map(Ok)
            }
            Err(error) => Ok(Err(error)),
        },
        Request::Index { paths } => index(volume, &paths, wait, replies),
    };
    answered?.or_else(|error| replies.fail(&error))
}

fn done(outcome: Result<()>, replies: &mut Replies<'_>) -> io::Result<Result<()>> {
    match outcome {
        Ok(()) => replies.send(&Reply::Done).map(Ok),
        Err(error) => Ok(Err(error)),
    }
}

/// Tells how far the walk is while it goes on in another thread; a step that the client cannot take is said anew by the
/// next. The outer error is of the connection.
fn index(volume: &Volume, paths: &[String], wait: Wait<'_>, replies: &mut Replies<'_>) -> io::Result<Result<()>> {
    let (steps, progress) = mpsc::channel::<Progress>();
    let indexed = thread::scope(|scope| -> io::Result<Result<Indexed>> {
        let walk = scope.spawn(move || {
            volume.index(
                paths,
                &|now| {
                    let _ = steps.send(now);
                },
                wait,
            )
        });
        let mut told = Ok(());
        for now in progress {
            if told.is_ok() {
                told = replies.offer(&Reply::Progress(now));
            }
        }
        let indexed = walk.join().unwrap_or_else(|_| Err(Error::internal("the index walk has failed")));
        told.map(|()| indexed)
    })?;
    match indexed {
        Ok(indexed) => {
            for (object, error) in indexed.failed {
                replies.send(&Reply::Unmade(Failure::from(&error.about(object))))?;
            }
            done(Ok(()), replies)
        }
        Err(error) => Ok(Err(error)),
    }
}
