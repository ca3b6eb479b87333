//! The two skins over one tree: a volume asked directly, and a mount asked through the kernel.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::num::NonZeroU32;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use edxfs::config::{
    CacheLocation, Detachment, Index, LogSettings, PassphraseSource, Readers, Settings, Sizes, Sniffers,
    SourceSettings, StderrKind,
};
use edxfs::decode::openpgp::SecretKeys;
use edxfs::edx::tracking_log::CourseRule;
use edxfs::engine::size::Size;
use edxfs::engine::wait::Wait;
use edxfs::error::ErrorKind;
use edxfs::tree::{Body, Node};
use edxfs::volume::{Freshness, Volume};

use super::workshop::{Dice, Key};
use crate::common::Mount;

/// What is said of a file without opening it.
#[derive(Debug)]
pub struct Shown {
    pub size: u64,
    pub is_exact: bool,
    /// None: stands for the path as yet.
    pub identity: Option<u64>,
}

/// Why a file was not read.
#[derive(Debug, PartialEq, Eq)]
pub enum Refused {
    Missing,
    /// The object is no longer the one that was listed.
    Changed,
}

pub trait Skin {
    /// Sorted names; None if there is no such folder.
    fn list(&self, path: &str) -> Option<Vec<String>>;
    fn show(&self, path: &str) -> Option<Shown>;
    /// The whole content, compared with pieces of it at odd offsets.
    fn read(&self, path: &str, dice: &mut Dice) -> Result<Vec<u8>, Refused>;
    fn refresh(&self);
    /// How long what it shows may lag behind a change.
    fn lag(&self) -> Duration;
}

fn settings(data: &Path, cache: &Path, key: &Key, cache_bytes: u64) -> Settings {
    Settings {
        config_file: None,
        given: BTreeSet::new(),
        notify_socket: None,
        orgs: vec!["unix".into()],
        source: SourceSettings::Folder(data.into()),
        keys: vec![key.secret()],
        passphrase: PassphraseSource::Prompt,
        cache_location: CacheLocation::Given(cache.into()),
        cache_bytes,
        sizes: Sizes::Lazy,
        index: Index::Off,
        index_rate: None,
        refresh: Duration::from_secs(3600),
        courses: Vec::new(),
        since: None,
        until: None,
        readers: Readers::Owner,
        uid: 0,
        gid: 0,
        mode: 0o400,
        dir_mode: 0o500,
        sniffers: Sniffers::Refuse,
        course_rule: CourseRule::Recall,
        survey_pre: None,
        survey_post: None,
        compartment: NonZeroU32::new(5).expect("not zero"),
        timeout: Duration::from_secs(30),
        backup: None,
        detachment: Detachment::Foreground,
        log: LogSettings { level: None, file: None, default_file: cache.join("log"), stderr: StderrKind::Other },
        temp_dir: cache.into(),
    }
}

pub struct Direct(pub Arc<Volume>);

impl Direct {
    pub fn start(data: &Path, cache: &Path, key: &Key, cache_bytes: u64) -> Direct {
        let keys = SecretKeys::load(&[key.secret()], &mut |_| Ok(None)).expect("a key without passphrase");
        let settings = settings(data, cache, key, cache_bytes);
        Direct(Volume::start(&settings, keys, Freshness::Current).expect("a volume"))
    }
}

impl Skin for Direct {
    fn list(&self, path: &str) -> Option<Vec<String>> {
        let listed = self.0.list(path, Wait::Never).ok()?;
        Some(listed.iter().map(|entry| entry.name.clone()).collect())
    }

    fn show(&self, path: &str) -> Option<Shown> {
        let Ok(Node::File { body: Body::Artifact(artifact), .. }) = self.0.lookup(path, Wait::Never) else {
            return None;
        };
        let size = self.0.size(&artifact, Wait::Never).expect("a size");
        let is_exact = matches!(size, Size::Exact(_));
        Some(Shown { size: size.bytes(), is_exact, identity: self.0.identity(&artifact) })
    }

    fn read(&self, path: &str, dice: &mut Dice) -> Result<Vec<u8>, Refused> {
        let Ok(Node::File { body: Body::Artifact(artifact), .. }) = self.0.lookup(path, Wait::Never) else {
            return Err(Refused::Missing);
        };
        let blob = match self.0.open(&artifact, Wait::Until(&|| false)) {
            Ok(blob) => blob,
            Err(error) if error.kind() == ErrorKind::Changed => return Err(Refused::Changed),
            Err(error) => panic!("{path}: {error}"),
        };
        let mut whole = vec![0; blob.len() as usize];
        assert_eq!(blob.read_at(&mut whole, 0).expect("verified"), whole.len());
        pieces(&whole, dice, |piece, offset| blob.read_at(piece, offset).expect("verified"));
        Ok(whole)
    }

    fn refresh(&self) {
        self.0.refresh().expect("a folder can be listed");
    }

    fn lag(&self) -> Duration {
        Duration::ZERO
    }
}

impl Skin for Mount {
    fn list(&self, path: &str) -> Option<Vec<String>> {
        let entries = fs::read_dir(self.path(path)).ok()?;
        let mut names: Vec<_> =
            entries.map(|e| e.expect("an entry").file_name().into_string().expect("UTF-8")).collect();
        names.sort();
        Some(names)
    }

    fn show(&self, path: &str) -> Option<Shown> {
        let metadata = fs::metadata(self.path(path)).ok()?;
        let is_exact = metadata.blocks() > 0 || metadata.len() == 0;
        Some(Shown { size: metadata.len(), is_exact, identity: is_exact.then_some(metadata.ino()) })
    }

    fn read(&self, path: &str, dice: &mut Dice) -> Result<Vec<u8>, Refused> {
        let file = match File::open(self.path(path)) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(Refused::Missing),
            Err(error) if error.raw_os_error() == Some(libc::ESTALE) => return Err(Refused::Changed),
            Err(error) => panic!("{path}: {error}: {}", self.log()),
        };
        let whole = fs::read(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&file)));
        let whole = whole.unwrap_or_else(|error| panic!("{path}: {error}: {}", self.log()));
        assert_eq!(file.metadata().expect("open").len(), whole.len() as u64, "{path}");
        pieces(&whole, dice, |piece, offset| file.read_at(piece, offset).expect("verified"));
        Ok(whole)
    }

    fn refresh(&self) {
        let before = last_refresh(self);
        let pid = self.server.id().to_string();
        crate::common::run(Command::new("kill").args(["-HUP", &pid]));
        crate::common::wait_for("a refresh", || last_refresh(self) != before);
    }

    fn lag(&self) -> Duration {
        Duration::from_secs(10)
    }
}

fn last_refresh(mount: &Mount) -> serde_json::Value {
    let cache = mount.scratch.path().join("cache");
    let mut status = Command::new(crate::common::EDXFS);
    let output = crate::common::run(status.args(["status", "--json", "--cache-dir"]).arg(cache).arg(&mount.point));
    let status: serde_json::Value = serde_json::from_slice(&output.stdout).expect("the status is JSON");
    status["last_refresh"].clone()
}

/// Reads at odd offsets, up to the end and not beyond it.
fn pieces(whole: &[u8], dice: &mut Dice, read: impl Fn(&mut [u8], u64) -> usize) {
    for _ in 0..3 {
        let offset = dice.below(whole.len() + 1);
        let mut piece = vec![0; 1 + dice.below(5000)];
        let expected = &whole[offset..whole.len().min(offset + piece.len())];
        let bytes = read(&mut piece, offset as u64);
        assert!(bytes <= expected.len() && (bytes > 0 || expected.is_empty()));
        assert_eq!(piece[..bytes], expected[..bytes]);
    }
}
