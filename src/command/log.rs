//! Where log lines go: standard error, the journal behind it, or a file that can be reopened.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::fmt::format::FmtSpan;
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
                // The journal has its own clock.
                StderrKind::Journal => install(lines.without_time(), level),
                StderrKind::Other => install(lines, level),
            }
            Ok(None)
        }
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
