//! Brings a volume to life from settings: sources, cache folders, engines, background work.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::catalog::filter::Filter;
use crate::config::{self, Index, Settings, SourceSettings};
use crate::decode::openpgp::SecretKeys;
use crate::engine::indexer::Indexer;
use crate::engine::ledger::Ledger;
use crate::engine::{Engine, Parts};
use crate::error::{Error, Result};
use crate::recipe::tallies::TallyParams;
use crate::source::Source;
use crate::source::folder::FolderSource;
use crate::source::s3::{PathStyle, RequesterPays, S3Settings, S3Source};
use crate::store::Store;
use crate::store::seal::DataKey;
use crate::volume::derived::Resolved;
use crate::volume::learned::Learned;
use crate::volume::organisation::Organisation;
use crate::volume::records::Records;
use crate::volume::{Volume, data_key, refresher};

/// In the cache folder, and again in `UNKEYED`.
pub(super) const LEDGER: &str = "ledger.sqlite";
/// A cache of its own in the cache folder, whose data key lives in memory.
pub(super) const UNKEYED: &str = "unkeyed";

/// Which listing a volume begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// The last known one, if there is one; a refresh follows in the background. For a mount.
    LastKnown,
    /// A new one; the last known where the source cannot be reached. For commands that end soon.
    Current,
}

impl Volume {
    /// Opens every organisation's source and cache folder. The caller owns the cache folders.
    ///
    /// Errors: the source's at its first listing; `NoSecretKey` for a cache that other keys have made; local I/O.
    pub fn start(settings: &Settings, keys: SecretKeys, freshness: Freshness) -> Result<Arc<Volume>> {
        let mut organisations = Vec::with_capacity(settings.orgs.len());
        for org in &settings.orgs {
            let source = connect(settings, org)?;
            organisations.push((org.clone(), Organisation::start(settings, org, source, keys.clone(), freshness)?));
        }
        let volume = Arc::new(Volume { organisations });
        volume.begin_background_work(settings, freshness);
        Ok(volume)
    }

    /// As `start`, over a given source of one organisation.
    pub fn over(settings: &Settings, source: Arc<dyn Source>, keys: SecretKeys) -> Result<Arc<Volume>> {
        let [org] = &settings.orgs[..] else { return Err(Error::usage("needs exactly one organisation")) };
        let organisation = Organisation::start(settings, org, source, keys, Freshness::Current)?;
        Ok(Arc::new(Volume { organisations: vec![(org.clone(), organisation)] }))
    }

    fn begin_background_work(self: &Arc<Self>, settings: &Settings, freshness: Freshness) {
        if freshness == Freshness::Current {
            return;
        }
        if let Err(error) = refresher::start(Arc::downgrade(self), settings.refresh) {
            tracing::warn!(%error, "no refresh: its thread cannot be started");
        }
    }
}

/// The source of one organisation. Errors: `NotFound`, `Refused` and `Usage` for a folder that cannot be read.
pub fn connect(settings: &Settings, org: &str) -> Result<Arc<dyn Source>> {
    match &settings.source {
        SourceSettings::Folder(folder) => Ok(Arc::new(FolderSource::new(folder)?)),
        SourceSettings::S3(s3) => Ok(Arc::new(S3Source::connect(s3_settings(s3, org, settings.timeout))?)),
    }
}

/// What is set for all, for one organisation.
pub fn s3_settings(s3: &config::S3Settings, org: &str, timeout: Duration) -> S3Settings {
    S3Settings {
        org: org.to_owned(),
        events_bucket: s3.events_bucket.clone(),
        snapshots_bucket: s3.snapshots_bucket.clone(),
        endpoint_url: s3.endpoint_url.clone(),
        region: s3.region.clone(),
        profile: s3.profile.clone(),
        path_style: match s3.addressing {
            config::Addressing::Path => PathStyle::On,
            config::Addressing::VirtualHost => PathStyle::Off,
        },
        requester_pays: match s3.payer {
            config::Payer::Requester => RequesterPays::On,
            config::Payer::BucketOwner => RequesterPays::Off,
        },
        timeout,
    }
}

impl Organisation {
    fn start(
        settings: &Settings,
        org: &str,
        source: Arc<dyn Source>,
        keys: SecretKeys,
        freshness: Freshness,
    ) -> Result<Arc<Organisation>> {
        let folder = settings.cache_dir(org);
        let (folder, data_key) = open_cache(&folder, &keys)?;
        let store = Store::open(&folder, &data_key, settings.cache_bytes)?;
        let ledger = Arc::new(Ledger::open(&folder.join(LEDGER), Arc::new(data_key))?);
        let filter = Filter::new(&settings.courses, settings.since, settings.until)?;
        let records = Arc::new(Records::recall(org, source.clone(), ledger.clone(), filter)?);
        let tallies = Arc::new(TallyParams {
            compartment_seconds: settings.compartment.get(),
            survey_pre: settings.survey_pre.clone(),
            survey_post: settings.survey_post.clone(),
        });
        let engine = Engine::new(Parts {
            source,
            keys,
            store: store.clone(),
            ledger,
            observer: records.clone(),
            patience: settings.timeout,
            background_rate: settings.index_rate,
            tallies: Some(tallies.clone()),
        });
        let background = settings.index == Index::Background && freshness == Freshness::LastKnown;
        let indexer = |organisation: &Weak<Organisation>| {
            let organisation = organisation.clone();
            let folds = move || organisation.upgrade().map_or_else(Vec::new, |organisation| organisation.folds());
            Indexer::start(engine.clone(), Box::new(move || folds().into_iter().map(|fold| fold.recipe).collect()))
        };
        let organisation = Arc::new_cyclic(|organisation| Organisation {
            indexer: background.then(|| indexer(organisation)),
            records,
            engine: engine.clone(),
            store,
            rule: settings.course_rule,
            tallies,
            sizes: settings.sizes,
            patience: settings.timeout,
            learned: Learned::default(),
            resolved: Resolved::default(),
        });
        organisation.first_listing(freshness)?;
        Ok(organisation)
    }

    fn first_listing(&self, freshness: Freshness) -> Result<()> {
        if freshness == Freshness::LastKnown && self.records.adopt_last_listing()? {
            self.plan_indexing();
            return Ok(());
        }
        match self.refresh() {
            Ok(_) => Ok(()),
            Err(error) if error.kind().is_away() && self.records.adopt_last_listing()? => {
                tracing::warn!(%error, "the source cannot be reached; the last known listing is used");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

/// The folder's data key. Without any OpenPGP key the data key lives in memory, in a folder that begins empty.
fn open_cache(folder: &Path, keys: &SecretKeys) -> Result<(std::path::PathBuf, DataKey)> {
    let folder = folder.to_owned();
    let unkeyed = folder.join(UNKEYED);
    // Its key has gone with the process that made it, and no budget counts it.
    if unkeyed.exists() {
        fs::remove_dir_all(&unkeyed).map_err(|error| Error::from(error).about(unkeyed.display()))?;
    }
    if !keys.is_empty() {
        let key = data_key::open_or_create(&folder, keys)?;
        return Ok((folder, key));
    }
    fs::create_dir(&unkeyed).map_err(|error| Error::from(error).about(unkeyed.display()))?;
    Ok((unkeyed, DataKey::random()?))
}
