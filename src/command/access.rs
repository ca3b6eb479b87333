//! Reading the tree without FUSE: from a volume of our own, or through the mount that owns the cache folder.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::command::{answers, hygiene, keys, shown};
use crate::config::Settings;
use crate::control::{self, Claim, Conversation, Item, Origin, Owned, Progress, Reply, Request, Serving, Whereabouts};
use crate::engine::wait::Wait;
use crate::error::{Error, ErrorKind, Result};
use crate::volume::{Contents, Freshness, Indexed, Volume};

/// A way to the tree. Paths: components joined by `/`, no leading slash, `""` is the root.
pub enum Access {
    /// Our own; the folders stay ours as long as this lives.
    Volume { volume: Arc<Volume>, _serving: Vec<Serving> },
    /// That of the mount that answers for `cache_dir`; `root` is where in its tree ours begins.
    Owner { cache_dir: PathBuf, root: String },
}

/// Patience that no signal ends: Ctrl-C ends the process.
const FOREVER: Wait<'static> = Wait::Until(&|| false);
/// How often we look whether we should stop while an owner works.
const LOOK: Duration = Duration::from_millis(200);

impl Access {
    /// Takes the cache folders, or finds the mount that has them; waits for an owner that is done soon.
    ///
    /// Errors: `Usage` if an owner that is no mount keeps a folder, or a mount shows another tree than the settings ask
    /// for; those of starting a volume.
    pub fn start(settings: &Settings) -> Result<Access> {
        hygiene::harden()?;
        let mut owned = Vec::new();
        for cache_dir in settings.cache_dirs() {
            match reach(&cache_dir, settings)? {
                Reached::Ours(ours) => owned.push(ours),
                Reached::Mount { root } => return Ok(Access::Owner { cache_dir, root }),
            }
        }
        let volume = Volume::start(settings, keys::unlock(settings)?, Freshness::Current)?;
        Ok(Access::Volume { _serving: answers::answer_for(&volume, owned, settings, None)?, volume })
    }

    /// What stands under a path. Errors: `NotFound`, and those of the source.
    pub fn item(&self, path: &str) -> Result<Item> {
        match self {
            Access::Volume { volume, .. } => volume.item(path, FOREVER),
            Access::Owner { .. } => match self.ask(|| Request::Item { path: self.inner(path) })?.reply()? {
                Reply::Item(item) => Ok(item),
                _ => Err(unexpected()),
            },
        }
    }

    /// A directory's entries in order of name.
    pub fn list(&self, path: &str) -> Result<Vec<Item>> {
        match self {
            Access::Volume { volume, .. } => volume.items(path, FOREVER),
            Access::Owner { .. } => {
                let mut conversation = self.ask(|| Request::List { path: self.inner(path) })?;
                let mut items = Vec::new();
                loop {
                    match conversation.reply()? {
                        Reply::Item(item) => items.push(item),
                        Reply::Done => return Ok(items),
                        _ => return Err(unexpected()),
                    }
                }
            }
        }
    }

    /// What a file comes from, without making it. Errors: as `item`; `Usage` for a directory.
    pub fn origin(&self, path: &str) -> Result<Origin> {
        match self {
            Access::Volume { volume, .. } => volume.origin(path, FOREVER),
            Access::Owner { .. } => match self.ask(|| Request::Origin { path: self.inner(path) })?.reply()? {
                Reply::Origin(origin) => Ok(origin),
                _ => Err(unexpected()),
            },
        }
    }

    /// A file's content, complete and verified. Errors: `Usage` for a directory, all of tree.md 4; `Interrupted` once
    /// `stop` says so while the file is made.
    pub fn open(&self, path: &str, stop: &(dyn Fn() -> bool + Sync)) -> Result<Contents> {
        match self {
            Access::Volume { volume, .. } => volume.contents(path, Wait::Until(stop)),
            Access::Owner { .. } => {
                let mut conversation = self.ask(|| Request::Read { path: self.inner(path) })?;
                match conversation.reply_unless(stop, LOOK)? {
                    Some(Reply::Opened(opened)) => Ok(Contents { opened, reader: Box::new(conversation) }),
                    Some(_) => Err(unexpected()),
                    None => Err(Error::new(ErrorKind::Interrupted, "interrupted")),
                }
            }
        }
    }

    /// Learns sizes and fills the cache, as `Volume::index`. Errors: `Interrupted` once `stop` says so.
    pub fn index(
        &self,
        paths: &[String],
        progress: &dyn Fn(Progress),
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<Indexed> {
        match self {
            Access::Volume { volume, .. } => volume.index(paths, progress, Wait::Until(stop)),
            Access::Owner { root, .. } => {
                // Without a path the owner would index all its organisations.
                let whole = (paths.is_empty() && !root.is_empty()).then(|| root.clone());
                let paths = paths.iter().map(|path| self.inner(path)).chain(whole).collect();
                follow(self.ask(|| Request::Index { paths })?, progress, stop)
            }
        }
    }

    fn ask(&self, request: impl FnOnce() -> Request) -> Result<Conversation> {
        let Access::Owner { cache_dir, .. } = self else { return Err(Error::internal("nobody is to be asked")) };
        let ended = || Error::new(ErrorKind::Unreachable, "the mount has ended").about(cache_dir.display());
        Conversation::begin(cache_dir, &request())?.ok_or_else(ended)
    }

    fn inner(&self, path: &str) -> String {
        match self {
            Access::Owner { root, .. } if !root.is_empty() && !path.is_empty() => format!("{root}/{path}"),
            Access::Owner { root, .. } if path.is_empty() => root.clone(),
            _ => path.to_owned(),
        }
    }
}

fn follow(
    mut conversation: Conversation,
    progress: &dyn Fn(Progress),
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Indexed> {
    let mut indexed = Indexed::default();
    loop {
        match conversation.reply_unless(stop, LOOK)? {
            Some(Reply::Progress(now)) => progress(now),
            Some(Reply::Unmade(failure)) => {
                let error = Error::from(failure);
                indexed.failed.push((error.subject().unwrap_or_default().to_owned(), error));
            }
            Some(Reply::Done) => return Ok(indexed),
            Some(_) => return Err(unexpected()),
            None => {}
        }
        if stop() {
            return Err(Error::new(ErrorKind::Interrupted, "interrupted; what is done stays done"));
        }
    }
}

/// Copies a whole stream. The outer error is of the output, the inner one of the file.
pub fn copy(reader: &mut dyn Read, out: &mut impl io::Write) -> io::Result<Result<()>> {
    let mut buffer = vec![0; 256 << 10];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(Ok(())),
            Ok(bytes) => out.write_all(&buffer[..bytes])?,
            Err(error) => return Ok(Err(error.into())),
        }
    }
}

enum Reached {
    Ours(Owned),
    Mount { root: String },
}

/// Another `ls` or `cat` is done soon; a mount never is, but answers for its tree.
fn reach(dir: &Path, settings: &Settings) -> Result<Reached> {
    let deadline = Instant::now() + settings.timeout;
    loop {
        if let Claim::Ours(owned) = control::claim(dir)? {
            return Ok(Reached::Ours(owned));
        }
        if let Some(Reply::Where(Whereabouts { mount_point: Some(mount_point), orgs, shown, .. })) =
            control::ask(dir, Request::Where)?
        {
            let root = root_of(&orgs, &settings.orgs).and_then(|root| shown::check(&shown, settings).map(|()| root));
            let root = root.map_err(|error| error.about(mount_point.display()))?;
            return Ok(Reached::Mount { root });
        }
        if Instant::now() > deadline {
            return control::own(dir).map(Reached::Ours);
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// Where in a tree of `mounted` organisations that of the `wanted` ones is.
fn root_of(mounted: &[String], wanted: &[String]) -> Result<String> {
    match wanted {
        _ if mounted == wanted => Ok(String::new()),
        _ if mounted.is_empty() => Err(unexpected()),
        [org] if mounted.contains(org) => Ok(org.clone()),
        _ => {
            let message = format!("a mount of {} has the cache folder", mounted.join(" "));
            Err(Error::usage(message).advise("name the same organisations"))
        }
    }
}

fn unexpected() -> Error {
    Error::internal("the mount's answer does not fit the question; perhaps it is of another version: mount it anew")
}
