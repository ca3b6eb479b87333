//! What a failed request says, whichever operation it was; no bucket, no key.

use std::error::Error as StdError;

use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

use crate::error::{Error, ErrorKind};

/// A failure as far as we tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// No such key.
    NoKey,
    NoBucket,
    /// If-Match did not match.
    OtherVersion,
    /// The range begins behind the object's end.
    BehindEnd,
    Archived,
    Denied,
    /// The bucket is in another region.
    Elsewhere,
    /// We have no credentials to sign with.
    NoCredentials,
    /// The server understands us and will not do it, for a reason that its code tells.
    Rejected,
    TimedOut,
    /// The server is overloaded or failing.
    Busy,
    Unreachable,
}

#[derive(Debug)]
pub struct Failure {
    pub kind: FailureKind,
    /// Where the server says that the bucket is.
    pub region: Option<String>,
    /// The S3 error code, or the client's chain of causes; never a credential.
    text: String,
}

/// What a refusal blames that is about who asks, not about what for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blamed {
    KeyPair,
    Session,
}

impl Failure {
    pub fn of<E>(error: &SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    {
        let Some(response) = error.raw_response() else { return Self::without_response(error) };
        let status = response.status().as_u16();
        let code = error.code().unwrap_or_default();
        let region = response.headers().get("x-amz-bucket-region").map(str::to_owned);
        let text = if code.is_empty() { format!("HTTP status {status}") } else { code.to_owned() };
        Failure { kind: kind_of(status, code), region, text }
    }

    fn without_response<E: StdError + Send + Sync + 'static>(error: &SdkError<E>) -> Self {
        let text = DisplayErrorContext(error).to_string();
        let kind = match error {
            SdkError::TimeoutError(_) => FailureKind::TimedOut,
            SdkError::DispatchFailure(failure) if failure.is_timeout() => FailureKind::TimedOut,
            SdkError::DispatchFailure(failure) if failure.is_io() => FailureKind::Unreachable,
            _ if is_of_credentials(error) => FailureKind::NoCredentials,
            _ => FailureKind::Unreachable,
        };
        Failure { kind, region: None, text: brief(&text) }
    }

    /// The error for a caller, without what depends on the operation: `NoKey`, `NoBucket` and `OtherVersion` are
    /// better told by who knows what was asked for.
    pub fn error(&self) -> Error {
        let (kind, message) = match self.kind {
            FailureKind::NoKey | FailureKind::NoBucket => (ErrorKind::NotFound, "does not exist"),
            FailureKind::OtherVersion => (ErrorKind::Changed, "has changed since it was listed"),
            FailureKind::BehindEnd => (ErrorKind::Corrupt, "is shorter than listed"),
            FailureKind::Archived => (ErrorKind::Archived, "lies in an archived storage class"),
            FailureKind::Denied if self.is_of_credentials() => (ErrorKind::NoCredentials, "access denied"),
            FailureKind::Denied => (ErrorKind::Refused, "access denied"),
            FailureKind::Elsewhere => (ErrorKind::Refused, "the bucket is in another region"),
            FailureKind::NoCredentials => (ErrorKind::NoCredentials, "no usable AWS credentials"),
            FailureKind::Rejected => (ErrorKind::Refused, "S3 rejects the request"),
            FailureKind::Busy => (ErrorKind::Unreachable, "S3 is overloaded or failing"),
            FailureKind::TimedOut => (ErrorKind::TimedOut, "S3 does not answer"),
            FailureKind::Unreachable => (ErrorKind::Unreachable, "S3 cannot be reached"),
        };
        let error = Error::new(kind, format!("{message} ({})", self.text));
        match self.advice() {
            Some(advice) => error.advise(advice),
            None => error,
        }
    }

    /// What to do about it, where the failure alone tells.
    fn advice(&self) -> Option<&'static str> {
        let advice = match (self.kind, self.text.as_str()) {
            (FailureKind::Archived, _) => "restore it first (aws s3api restore-object), then open it again",
            (FailureKind::Elsewhere, _) => "name its region with --region",
            (FailureKind::NoCredentials, _) => {
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile with --profile (for SSO: aws sso login)"
            }
            (FailureKind::Denied, "RequestTimeTooSkewed") => "set this machine's clock",
            (FailureKind::Denied, _) => match self.blamed()? {
                Blamed::KeyPair => "the access key or its secret is wrong: check the profile or the environment",
                Blamed::Session => "the session has expired: log in again (for SSO: aws sso login)",
            },
            (FailureKind::TimedOut | FailureKind::Unreachable, _) => {
                "check the network and --endpoint-url; it is tried again when opened again"
            }
            (FailureKind::Busy, _) => "try again later",
            _ => return None,
        };
        Some(advice)
    }

    /// Whether the server, or the SDK, would take other credentials instead.
    pub fn is_of_credentials(&self) -> bool {
        self.kind == FailureKind::NoCredentials || (self.kind == FailureKind::Denied && self.blamed().is_some())
    }

    fn blamed(&self) -> Option<Blamed> {
        match self.text.as_str() {
            "InvalidAccessKeyId" | "SignatureDoesNotMatch" => Some(Blamed::KeyPair),
            "ExpiredToken" | "InvalidToken" | "TokenRefreshRequired" => Some(Blamed::Session),
            _ => None,
        }
    }

    /// Whether permissions are the matter, not the key pair itself.
    pub fn is_of_permissions(&self) -> bool {
        self.kind == FailureKind::Denied && self.advice().is_none()
    }
}

fn kind_of(status: u16, code: &str) -> FailureKind {
    match (status, code) {
        (_, "InvalidObjectState") => FailureKind::Archived,
        (_, "NoSuchBucket") => FailureKind::NoBucket,
        (_, "ExpiredToken" | "InvalidToken" | "TokenRefreshRequired" | "InvalidAccessKeyId") => FailureKind::Denied,
        (_, "PermanentRedirect" | "TemporaryRedirect" | "AuthorizationHeaderMalformed") => FailureKind::Elsewhere,
        (301 | 307, _) => FailureKind::Elsewhere,
        (401 | 403, _) => FailureKind::Denied,
        (404, _) => FailureKind::NoKey,
        (412, _) => FailureKind::OtherVersion,
        (416, _) => FailureKind::BehindEnd,
        (408 | 429, _) | (_, "RequestTimeout" | "SlowDown") => FailureKind::Busy,
        (400..=499, _) => FailureKind::Rejected,
        _ => FailureKind::Busy,
    }
}

/// The SDK's type for this is in a crate that it does not re-export; its words are all there is to go by.
fn is_of_credentials(error: &(dyn StdError + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let text = error.to_string();
        if text.contains("credential") || text.contains("identity") {
            return true;
        }
        cause = error.source();
    }
    false
}

/// One line of the chain of causes: `DisplayErrorContext` ends with its debug form, in brackets.
pub fn brief(text: &str) -> String {
    let chain = text.split(" (").next().unwrap_or(text);
    let chain = chain.strip_prefix("dispatch failure: ").unwrap_or(chain);
    chain.strip_prefix("other: ").unwrap_or(chain).split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_says_more_than_its_status() {
        assert_eq!(kind_of(403, "InvalidObjectState"), FailureKind::Archived);
        assert_eq!(kind_of(400, "ExpiredToken"), FailureKind::Denied);
        assert_eq!(kind_of(404, "NoSuchBucket"), FailureKind::NoBucket);
        assert_eq!(kind_of(400, "AuthorizationHeaderMalformed"), FailureKind::Elsewhere);
        assert_eq!(kind_of(503, "SlowDown"), FailureKind::Busy);
        assert_eq!(kind_of(400, "RequestTimeout"), FailureKind::Busy);
        assert_eq!(kind_of(400, "InvalidRequest"), FailureKind::Rejected);
    }
}
