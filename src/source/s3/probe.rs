//! What is to be known about a source that may not work: whose credentials, and prefix by prefix what can be listed.

use std::fmt;

use aws_sdk_s3::config::{Credentials, ProvideCredentials};
use aws_sdk_s3::error::DisplayErrorContext;
use jiff::Timestamp;
use tokio::time::timeout;

use super::clock::Clocks;
use super::failure::brief;
pub use super::listing::Prefix;
use super::{S3Source, listing};
use crate::error::{Error, ErrorKind, Result};

/// The part of the SDK's chain that credentials came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// `AWS_ACCESS_KEY_ID` and its secret, which count before any profile.
    Environment,
    /// Keys that stand in a profile.
    Profile,
    Sso,
    CredentialProcess,
    AssumedRole,
    WebIdentity,
    Container,
    Instance,
    /// One that we have no words for.
    Other,
}

impl Provider {
    /// The SDK has no accessor for the name, only its debug form, in which the secret is hidden.
    fn of(credentials: &Credentials) -> Provider {
        let debug = format!("{credentials:?}");
        let name = debug.split_once("provider_name: \"").and_then(|(_, rest)| rest.split('"').next());
        match name.unwrap_or_default() {
            "EnvironmentVariable" => Provider::Environment,
            "ProfileFile" => Provider::Profile,
            "SSO" => Provider::Sso,
            "CredentialProcess" => Provider::CredentialProcess,
            "AssumeRoleProvider" => Provider::AssumedRole,
            "WebIdentityToken" => Provider::WebIdentity,
            "EcsContainer" => Provider::Container,
            "IMDSv2" => Provider::Instance,
            _ => Provider::Other,
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Provider::Environment => "the environment",
            Provider::Profile => "a profile's keys",
            Provider::Sso => "SSO",
            Provider::CredentialProcess => "a credential process",
            Provider::AssumedRole => "an assumed role",
            Provider::WebIdentity => "a web identity token",
            Provider::Container => "the container's credential service",
            Provider::Instance => "the instance's metadata service",
            Provider::Other => "the AWS SDK's chain",
        })
    }
}

/// Credentials that were found, without them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    pub provider: Provider,
    /// None: they do not expire.
    pub expires: Option<Timestamp>,
}

impl S3Source {
    /// Where the credentials come from. Errors: `NoCredentials` if there are none, `TimedOut`; with the SDK's own words.
    pub fn credentials(&self) -> Result<Found> {
        let patience = self.link.settings.timeout;
        let provider = self.link.session.credentials();
        let found = self.threads.run(async {
            let Some(provider) = provider else { return Ok(Err(none("the SDK has no chain"))) };
            timeout(patience, provider.provide_credentials())
                .await
                .map(|found| found.map_err(|error| none(&brief(&DisplayErrorContext(&error).to_string()))))
        });
        let credentials = found.unwrap_or_else(|_| {
            Err(Error::new(ErrorKind::TimedOut, "whoever has the AWS credentials does not answer"))
        })?;
        let expires = credentials.expiry().and_then(|time| Timestamp::try_from(time).ok());
        Ok(Found { provider: Provider::of(&credentials), expires })
    }

    /// The region that requests are signed for, until a bucket says that it is elsewhere.
    pub fn region(&self) -> String {
        self.link.session.client().0.config().region().map_or_else(String::new, |region| region.to_string())
    }

    /// Lists each prefix for itself, so that one that is refused hides no other; optional ones only if they hold
    /// something.
    pub fn survey(&self) -> Vec<Prefix> {
        self.threads.run(listing::survey(self.link.clone()))
    }

    /// The server's clock beside ours, once it has answered anything at all.
    pub fn clocks(&self) -> Option<Clocks> {
        self.link.clock.read()
    }
}

/// Without the SDK's list of every place where there was nothing.
fn none(why: &str) -> Error {
    let why = why.split(". Attempted:").next().unwrap_or(why);
    let why = why.trim_start_matches("the credential provider was not enabled: ");
    Error::new(ErrorKind::NoCredentials, format!("no usable AWS credentials ({why})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_known_by_its_name() {
        for (name, provider) in [
            ("EnvironmentVariable", Provider::Environment),
            ("ProfileFile", Provider::Profile),
            ("SSO", Provider::Sso),
            ("IMDSv2", Provider::Instance),
            ("Static", Provider::Other),
        ] {
            let credentials = Credentials::new("KEY", "the-secret", None, None, name);
            assert_eq!(Provider::of(&credentials), provider, "{name}");
            assert!(!format!("{credentials:?}").contains("the-secret"));
        }
    }
}
