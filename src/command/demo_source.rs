//! A made-up data package as the source of a mount.

use std::path::Path;

use crate::config::{
    Addressing, CacheLocation, EVENTS_BUCKET, PassphraseSource, Payer, S3Settings, SNAPSHOTS_BUCKET, Settings,
    SourceSettings,
};
use crate::demo::Made;
use crate::demo::bucket::{Credentials, Server};
use crate::error::Result;

/// Serves the package on loopback, and lets the AWS SDK find the credentials. No other thread may exist yet.
pub fn serve_buckets(made: &Made) -> Result<Server> {
    let credentials = Credentials::new("edxfs-demo", "open to this machine, and made up");
    // SAFETY: no other thread exists yet that could read the environment meanwhile.
    unsafe {
        std::env::set_var("AWS_ACCESS_KEY_ID", &credentials.access_key);
        std::env::set_var("AWS_SECRET_ACCESS_KEY", &credentials.secret);
        std::env::remove_var("AWS_SESSION_TOKEN");
        std::env::remove_var("AWS_PROFILE");
    }
    let server = Server::start(credentials)?;
    for bucket in [EVENTS_BUCKET, SNAPSHOTS_BUCKET] {
        server.put_folder(bucket, &made.data.join(bucket))?;
    }
    Ok(server)
}

/// The user's own organisation, keys and cache stay out of this.
pub fn demo_settings(settings: Settings, made: &Made, scratch: &Path, server: Option<&Server>) -> Settings {
    Settings {
        config_file: None,
        orgs: vec![made.org.to_lowercase()],
        source: match server {
            None => SourceSettings::Folder(made.data.clone()),
            Some(server) => SourceSettings::S3(S3Settings {
                events_bucket: EVENTS_BUCKET.to_string(),
                snapshots_bucket: SNAPSHOTS_BUCKET.to_string(),
                endpoint_url: Some(server.endpoint_url()),
                region: Some("us-east-1".to_string()),
                profile: None,
                addressing: Addressing::Path,
                payer: Payer::BucketOwner,
            }),
        },
        keys: vec![made.secret_key.clone()],
        passphrase: PassphraseSource::File(made.passphrase_file.clone()),
        cache_location: CacheLocation::Given(scratch.join("cache")),
        courses: Vec::new(),
        since: None,
        until: None,
        ..settings
    }
}
