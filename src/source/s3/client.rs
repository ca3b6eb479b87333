//! One client for both buckets, made from the settings and the SDK's chain of configuration; sends nothing.

use std::time::Duration;

use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    Builder, IdentityCache, Region, RequestChecksumCalculation, ResponseChecksumValidation, SharedCredentialsProvider,
    SharedHttpClient, StalledStreamProtectionConfig,
};
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::{Builder as HttpBuilder, Connector};

use super::clock::ServerClock;
use super::{ATTEMPTS, PathStyle, S3Settings};

/// The client, and the chain that it takes its credentials from.
pub async fn connect(settings: &S3Settings, clock: &ServerClock) -> (Client, Option<SharedCredentialsProvider>) {
    let config = configuration(settings).await;
    let credentials = config.credentials_provider();
    let retries = RetryConfig::standard().with_max_attempts(ATTEMPTS).with_initial_backoff(Duration::from_millis(200));
    // A silent attempt is given up early enough for two more within the stated time.
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(settings.timeout / 3)
        .operation_attempt_timeout(settings.timeout / 3)
        .operation_timeout(settings.timeout)
        .build();
    let config = Builder::from(&config)
        .force_path_style(settings.path_style == PathStyle::On)
        .retry_config(retries)
        .timeout_config(timeouts)
        // The reader has its own watch over a body, one that can resume.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        // Ranges have no checksum of their own, nor have many servers; OpenPGP's integrity check covers every byte.
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .interceptor(clock.clone())
        .build();
    (Client::from_conf(config), credentials)
}

async fn configuration(settings: &S3Settings) -> SdkConfig {
    let mut profile_region = ProfileFileRegionProvider::builder();
    if let Some(profile) = &settings.profile {
        profile_region = profile_region.profile_name(profile);
    }
    // Without the instance's metadata at the end of the SDK's own chain: where we run says nothing of where the
    // bucket is, and asking costs seconds on a machine that is no instance.
    let region = RegionProviderChain::first_try(settings.region.clone().map(Region::new))
        .or_else(EnvironmentVariableRegionProvider::new())
        .or_else(profile_region.build())
        .or_else(Region::from_static("us-east-1"));
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http_client())
        .identity_cache(IdentityCache::lazy().load_timeout(settings.timeout).build())
        .region(region);
    if let Some(profile) = &settings.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(url) = &settings.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    loader.load().await
}

/// rustls over ring, the system's certificates, and the proxies that the environment names. The public builder
/// cannot set a proxy, hence the connector.
fn http_client() -> SharedHttpClient {
    HttpBuilder::new().build_with_connector_fn(|settings, components| {
        let mut connector =
            Connector::builder().tls_provider(Provider::Rustls(CryptoMode::Ring)).proxy_config(ProxyConfig::from_env());
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(|components| components.sleep_impl()));
        connector.build()
    })
}
