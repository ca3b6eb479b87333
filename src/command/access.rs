//! Reading the tree without FUSE, or through the mount of whoever owns the cache folder.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::command::{hygiene, keys, session};
use crate::config::Settings;
use crate::control::{self, Claim, Owned, Reply, Request, Serving};
use crate::engine::size::Size;
use crate::engine::wait::Wait;
use crate::error::{Error, Result};
use crate::tree::{Body, Node};
use crate::volume::{Freshness, Volume};

/// A way to the tree.
pub enum Access {
    /// Our own; the folders stay ours as long as this lives.
    Volume { volume: Arc<Volume>, _serving: Vec<Serving> },
    /// The mount point of the process that owns the cache.
    Mounted(PathBuf),
}

/// What a listing shows of one name.
pub struct Item {
    pub name: String,
    /// None for a directory.
    pub size: Option<Size>,
    pub modified: Timestamp,
}

/// Patience that no signal ends: Ctrl-C ends the process.
const FOREVER: Wait<'static> = Wait::Until(&|| false);

impl Access {
    /// Takes the cache folders, or finds the mount of whoever has them; waits for a short-lived owner.
    ///
    /// Errors: `Usage` if an owner that has no mount keeps a folder; those of starting a volume.
    pub fn start(settings: &Settings) -> Result<Access> {
        hygiene::harden()?;
        let mut owned = Vec::new();
        for dir in settings.cache_dirs() {
            match reach(&dir, settings)? {
                Reached::Ours(ours) => owned.push(ours),
                Reached::Mounted(root) => return Ok(Access::Mounted(root)),
            }
        }
        let volume = Volume::start(settings, keys::unlock(settings)?, Freshness::Current)?;
        Ok(Access::Volume { _serving: session::answer_for(&volume, owned, settings, None)?, volume })
    }

    /// What stands under a path. Errors: `NotFound`, and those of the source.
    pub fn item(&self, path: &str) -> Result<Item> {
        match self {
            Access::Volume { volume, .. } => item(volume, path, &volume.lookup(path, FOREVER)?),
            Access::Mounted(root) => mounted_item(&root.join(path), path),
        }
    }

    /// A directory's entries in order of name.
    pub fn list(&self, path: &str) -> Result<Vec<Item>> {
        match self {
            Access::Volume { volume, .. } => {
                let entries = volume.list(path, FOREVER)?;
                entries.iter().map(|entry| item(volume, &entry.name, &entry.node)).collect()
            }
            Access::Mounted(root) => {
                let mut items = Vec::new();
                for entry in fs::read_dir(root.join(path))? {
                    let entry = entry?;
                    items.push(mounted_item(&entry.path(), &entry.file_name().to_string_lossy())?);
                }
                items.sort_by(|a, b| a.name.cmp(&b.name));
                Ok(items)
            }
        }
    }

    /// Writes a file's content. The outer error is of the output, the inner one of the file.
    pub fn copy(&self, path: &str, out: &mut impl Write) -> io::Result<Result<()>> {
        match self {
            Access::Volume { volume, .. } => copy_from_volume(volume, path, out),
            Access::Mounted(root) => copy_from_mount(&root.join(path), out),
        }
    }
}

enum Reached {
    Ours(Owned),
    Mounted(PathBuf),
}

/// Another `ls` or `cat` is done soon; a mount never is, but can be read through.
fn reach(dir: &Path, settings: &Settings) -> Result<Reached> {
    let deadline = Instant::now() + settings.timeout;
    loop {
        if let Claim::Ours(owned) = control::claim(dir)? {
            return Ok(Reached::Ours(owned));
        }
        if let Some(Reply::Status(status)) = control::ask(dir, Request::Status)?
            && let Some(root) = &status.mount_point
        {
            return root_of(root, &status.orgs, &settings.orgs).map(Reached::Mounted);
        }
        if Instant::now() > deadline {
            return control::own(dir).map(Reached::Ours);
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// Where in a mount of `mounted` organisations the tree of the `wanted` ones is.
fn root_of(mount_point: &Path, mounted: &[String], wanted: &[String]) -> Result<PathBuf> {
    match wanted {
        _ if mounted == wanted => Ok(mount_point.to_path_buf()),
        [org] if mounted.contains(org) => Ok(mount_point.join(org)),
        _ => {
            let message = format!("a mount of {} has the cache folder", mounted.join(" "));
            Err(Error::usage(message).advise("name the same organisations").about(mount_point.display()))
        }
    }
}

fn item(volume: &Volume, name: &str, node: &Node) -> Result<Item> {
    let (size, modified) = match node {
        Node::Dir { modified } => (None, *modified),
        Node::File { body: Body::Page(page), modified } => {
            (Some(Size::Exact(volume.render(name, page).len() as u64)), *modified)
        }
        // A listing waits for no size, also where `--sizes exact` makes a mount's `stat` wait.
        Node::File { body: Body::Artifact(artifact), modified } => (Some(volume.size_at_once(artifact)?), *modified),
    };
    Ok(Item { name: name.to_string(), size, modified })
}

fn mounted_item(path: &Path, name: &str) -> Result<Item> {
    let meta = fs::metadata(path)?;
    // A stand-in has no blocks behind it.
    let size = if meta.blocks() == 0 { Size::StandIn(meta.len()) } else { Size::Exact(meta.len()) };
    let modified = Timestamp::from_second(meta.mtime()).unwrap_or_default();
    Ok(Item { name: name.to_string(), size: meta.is_file().then_some(size), modified })
}

fn copy_from_volume(volume: &Volume, path: &str, out: &mut impl Write) -> io::Result<Result<()>> {
    let blob = match volume.lookup(path, FOREVER) {
        Ok(Node::Dir { .. }) => return Ok(Err(Error::usage("is a directory"))),
        Ok(Node::File { body: Body::Page(page), .. }) => {
            return out.write_all(volume.render(path, &page).as_bytes()).map(Ok);
        }
        Ok(Node::File { body: Body::Artifact(artifact), .. }) => volume.open(&artifact, FOREVER),
        Err(error) => Err(error),
    };
    let blob = match blob {
        Ok(blob) => blob,
        Err(error) => return Ok(Err(error)),
    };
    copy(|buffer, offset| blob.read_at(buffer, offset), out)
}

fn copy_from_mount(path: &Path, out: &mut impl Write) -> io::Result<Result<()>> {
    match File::open(path) {
        Ok(file) => copy(|buffer, offset| Ok(file.read_at(buffer, offset)?), out),
        Err(error) => Ok(Err(error.into())),
    }
}

fn copy(read: impl Fn(&mut [u8], u64) -> Result<usize>, out: &mut impl Write) -> io::Result<Result<()>> {
    let mut buffer = vec![0; 256 << 10];
    let mut offset = 0;
    loop {
        match read(&mut buffer, offset) {
            Ok(0) => return Ok(Ok(())),
            Ok(bytes) => {
                out.write_all(&buffer[..bytes])?;
                offset += bytes as u64;
            }
            Err(error) => return Ok(Err(error)),
        }
    }
}
