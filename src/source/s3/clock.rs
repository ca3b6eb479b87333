//! What the server's answers say the time is, any answer's `Date`, refusals' too; corrects nothing.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use aws_sdk_s3::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::primitives::DateTime;
use aws_smithy_types::date_time::Format;

/// The newest answer's time, beside ours when it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clocks {
    pub server: SystemTime,
    pub ours: SystemTime,
}

/// Shared with the client, which notes each answer in it.
#[derive(Clone, Debug, Default)]
pub struct ServerClock(Arc<Mutex<Option<Clocks>>>);

impl ServerClock {
    /// None before the first answer that has a date.
    pub fn read(&self) -> Option<Clocks> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, date: &str) {
        let parsed = DateTime::from_str(date, Format::HttpDate).ok();
        if let Some(server) = parsed.and_then(|date| SystemTime::try_from(date).ok()) {
            let clocks = Clocks { server, ours: SystemTime::now() };
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(clocks);
        }
    }
}

impl Intercept for ServerClock {
    fn name(&self) -> &'static str {
        "server clock"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(date) = context.response().headers().get("date") {
            self.note(date);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_date_is_read_and_nonsense_is_not() {
        let clock = ServerClock::default();
        clock.note("yesterday");
        assert_eq!(clock.read(), None);
        clock.note("Sun, 06 Nov 1994 08:49:37 GMT");
        let noted = clock.read().expect("that was a date");
        assert_eq!(noted.server, SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777));
    }
}
