//! A volume without a kernel, over a source that notes what is asked of it.
#![allow(dead_code)]

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder};
use std::io::Read;
use std::num::NonZeroU32;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use edxfs::config::{
    CacheLocation, Detachment, Index, LogSettings, PassphraseSource, Readers, Settings, Sizes, Sniffers,
    SourceSettings, StderrKind,
};
use edxfs::decode::openpgp::{Passphrase, SecretKeys};
use edxfs::demo::Made;
use edxfs::edx::tracking_log::CourseRule;
use edxfs::engine::size::Size;
use edxfs::engine::wait::Wait;
use edxfs::source::folder::FolderSource;
use edxfs::source::recorded::{Call, Recorded};
use edxfs::tree::{Body, Node};
use edxfs::volume::Volume;

pub const FOREVER: Wait<'static> = Wait::Until(&|| false);

/// More than any test needs.
pub const ROOMY: u64 = 1 << 30;

/// One volume and the record of its source.
pub struct Recording {
    pub volume: Arc<Volume>,
    source: Arc<Recorded<FolderSource>>,
}

impl Recording {
    /// A volume over the package's folder, with a cache that earlier ones may have filled.
    pub fn start(made: &Made, cache: &Path, cache_bytes: u64) -> Recording {
        if !cache.exists() {
            DirBuilder::new().mode(0o700).create(cache).expect("a folder can be made");
        }
        let source = Arc::new(Recorded::new(FolderSource::new(&made.data).expect("the package is there")));
        let settings = settings(made, cache, cache_bytes);
        let volume = Volume::over(&settings, source.clone(), keys(made)).expect("the volume starts");
        Recording { volume, source }
    }

    /// Keys of the objects that were opened so far, in that order; a key once for each range.
    pub fn fetches(&self) -> Vec<String> {
        self.source.calls().into_iter().filter_map(|call| fetch(call).map(|(key, _)| key)).collect()
    }

    /// Bytes read so far of objects whose key ends so.
    pub fn fetched_bytes(&self, ending: &str) -> u64 {
        let fetched = self.source.calls().into_iter().filter_map(fetch);
        fetched.filter(|(key, _)| key.ends_with(ending)).map(|(_, bytes)| bytes).sum()
    }

    pub fn read(&self, path: &str) -> Vec<u8> {
        match self.volume.lookup(path, FOREVER).unwrap_or_else(|error| panic!("{path}: {error}")) {
            Node::File { body: Body::Artifact(artifact), .. } => {
                let mut content = Vec::new();
                let blob = self.volume.open(&artifact, FOREVER).unwrap_or_else(|error| panic!("{path}: {error}"));
                blob.reader().read_to_end(&mut content).unwrap_or_else(|error| panic!("{path}: {error}"));
                content
            }
            Node::File { body: Body::Page(page), .. } => self.volume.render(path, &page).as_bytes().to_vec(),
            Node::Dir { .. } => panic!("{path} is a folder"),
        }
    }

    /// What `stat` would say; None of a page.
    pub fn size(&self, path: &str) -> Option<Size> {
        match self.volume.lookup(path, Wait::Never).unwrap_or_else(|error| panic!("{path}: {error}")) {
            Node::File { body: Body::Artifact(artifact), .. } => {
                Some(self.volume.size(&artifact, Wait::Never).expect("a size"))
            }
            _ => None,
        }
    }

    pub fn list(&self, path: &str) -> Vec<String> {
        let listed = self.volume.list(path, Wait::Never).unwrap_or_else(|error| panic!("{path}: {error}"));
        listed.iter().map(|entry| entry.name.clone()).collect()
    }

    /// Every file below a folder, its size asked for as `find -ls` does; what would have to be unpacked stays closed.
    pub fn walk(&self, folder: &str, found: &mut Vec<(String, Option<Size>)>) {
        let Ok(listed) = self.volume.list(folder, Wait::Never) else { return };
        for entry in listed.iter() {
            let path = if folder.is_empty() { entry.name.clone() } else { format!("{folder}/{}", entry.name) };
            match &entry.node {
                Node::Dir { .. } => self.walk(&path, found),
                Node::File { .. } => found.push((path.clone(), self.size(&path))),
            }
        }
    }
}

fn fetch(call: Call) -> Option<(String, u64)> {
    match call {
        Call::List => None,
        // An empty range is answered without the network.
        Call::Open { range, .. } if range.is_empty() => None,
        Call::Open { id, read_bytes, .. } => Some((id.key.to_string(), read_bytes)),
    }
}

fn keys(made: &Made) -> SecretKeys {
    let passphrase = fs::read_to_string(&made.passphrase_file).expect("the package has a passphrase");
    let mut give = |_: &_| Ok(Some(Passphrase::new(passphrase.trim_end().as_bytes().to_vec())));
    SecretKeys::load(std::slice::from_ref(&made.secret_key), &mut give).expect("the key opens")
}

fn settings(made: &Made, cache: &Path, cache_bytes: u64) -> Settings {
    Settings {
        config_file: None,
        given: BTreeSet::new(),
        notify_socket: None,
        orgs: vec![made.org.to_lowercase()],
        source: SourceSettings::Folder(made.data.clone()),
        keys: vec![made.secret_key.clone()],
        passphrase: PassphraseSource::File(made.passphrase_file.clone()),
        cache_location: CacheLocation::Given(cache.to_owned()),
        cache_bytes,
        sizes: Sizes::Lazy,
        index: Index::Off,
        index_rate: None,
        refresh: Duration::from_secs(900),
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
        log: LogSettings { level: None, file: None, default_file: PathBuf::new(), stderr: StderrKind::Other },
        temp_dir: std::env::temp_dir(),
    }
}
