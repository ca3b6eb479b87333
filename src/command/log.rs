//! Where log lines go: standard error, the journal behind it, or a file that can be reopened.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::fmt::format::{FmtSpan, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, Registry};

use crate::config::{Detachment, LogLevel, LogSettings, StderrKind};
use crate::error::{Error, Result};

/// What a log is kept for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Mount(Detachment),
    /// A command that reports to the terminal anyway.
    Command,
}

/// A log file that is written to; cheap to clone.
#[derive(Clone)]
pub struct LogFile {
    path: PathBuf,
    file: Arc<Mutex<File>>,
}

impl LogFile {
    fn open(path: &Path) -> Result<Self> {
        let file = open(path).map_err(|error| Error::usage("cannot write the log file").caused_by(error))?;
        Ok(LogFile { path: path.to_path_buf(), file: Arc::new(Mutex::new(file)) })
    }

    /// Begins the file anew under its name, after it has been moved away. Errors: local I/O; then the old one goes on.
    pub fn reopen(&self) -> Result<()> {
        let file = open(&self.path)?;
        *self.file.lock().unwrap_or_else(PoisonError::into_inner) = file;
        Ok(())
    }
}

impl Write for LogFile {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner).write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn open(path: &Path) -> io::Result<File> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    File::options().append(true).create(true).mode(0o600).open(path)
}

/// Sets up logging for the rest of the process. Returns the file, where it is one. Errors: `Usage`.
pub fn start(settings: &LogSettings, role: Role) -> Result<Option<LogFile>> {
    let level = settings.level.unwrap_or(match role {
        Role::Mount(_) => LogLevel::Info,
        // What a warning would say, the command itself says in its own words.
        Role::Command => LogLevel::Error,
    });
    let path = match (&settings.file, role, settings.stderr) {
        (Some(path), _, _) => Some(path),
        (None, Role::Mount(Detachment::Background), StderrKind::Other) => Some(&settings.default_file),
        _ => None,
    };
    match path {
        Some(path) => {
            let file = LogFile::open(path).map_err(|error| error.about(path.display()))?;
            let writer = file.clone();
            install(fmt::layer().with_span_events(FmtSpan::NEW).with_writer(move || writer.clone()), level);
            Ok(Some(file))
        }
        None => {
            let lines = fmt::layer().with_span_events(FmtSpan::NEW).with_writer(io::stderr);
            match settings.stderr {
                // The journal has its own clock, and shows a priority in its own way.
                StderrKind::Journal => {
                    let line = fmt::format().without_time().with_level(false);
                    install(lines.event_format(Prioritised(line)), level)
                }
                StderrKind::Other => install(lines, level),
            }
            Ok(None)
        }
    }
}

/// Lines with the priority in front that the journal files them under: sd-daemon(3).
struct Prioritised<F>(F);

impl<S, N, F> FormatEvent<S, N> for Prioritised<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut line: Writer<'_>,
        event: &Event<'_>,
    ) -> std::fmt::Result {
        line.write_str(priority(*event.metadata().level()))?;
        self.0.format_event(context, line, event)
    }
}

/// What the journal takes off a line again.
pub fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "<3>",
        Level::WARN => "<4>",
        Level::INFO => "<6>",
        Level::DEBUG | Level::TRACE => "<7>",
    }
}

/// Other crates speak up only with errors: the warnings of an HTTP client quote whole responses.
fn install<S>(lines: S, level: LogLevel)
where
    S: Layer<Registry> + Send + Sync + 'static,
    Registry: Subscriber + for<'a> LookupSpan<'a>,
{
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let filter = Targets::new().with_target("edxfs", level).with_default(LevelFilter::ERROR);
    // Fails only where a test has set up another one.
    let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(lines.with_filter(filter)));
}
