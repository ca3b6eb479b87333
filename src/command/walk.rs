//! Opening every file below a mount point, in a thread of its own: whoever waits for it can stop waiting.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::Duration;

use indicatif::ProgressBar;

use crate::command::{Outcome, complain, interrupted};
use crate::error::Result;

/// Opens every file below the paths, until `stop` says so.
pub fn index(root: &Path, paths: &[String], bar: &ProgressBar, stop: &dyn Fn() -> bool) -> Result<Outcome> {
    let mut failures = 0;
    let walk = start(roots(root, paths));
    let ended = loop {
        match walk.recv_timeout(Duration::from_millis(100)) {
            Ok(Step::Opened(path)) => {
                bar.inc(1);
                bar.set_message(path.strip_prefix(root).unwrap_or(&path).display().to_string());
            }
            Ok(Step::Failed(path, error)) => {
                bar.suspend(|| complain(format_args!("{}: {error}", path.display())));
                failures += 1;
            }
            Err(RecvTimeoutError::Timeout) => bar.tick(),
            Err(RecvTimeoutError::Disconnected) => break Outcome::Done,
        }
        if stop() {
            break interrupted();
        }
    };
    bar.finish_and_clear();
    if failures > 0 {
        complain(format_args!("{failures} files cannot be made; {}/problems.tsv says why", root.display()));
    }
    Ok(if ended == Outcome::Done && failures > 0 { Outcome::Reported(1) } else { ended })
}

/// One file, or folder, dealt with.
enum Step {
    Opened(PathBuf),
    Failed(PathBuf, io::Error),
}

/// Where to begin: the paths given, else the course folders, also of a mount of several organisations.
fn roots(mount_point: &Path, paths: &[String]) -> Vec<PathBuf> {
    if !paths.is_empty() {
        return paths.iter().map(|path| mount_point.join(path)).collect();
    }
    let courses = mount_point.join("courses");
    if courses.is_dir() {
        return vec![courses];
    }
    let entries = fs::read_dir(mount_point).into_iter().flatten().flatten();
    let mut roots: Vec<_> = entries.map(|entry| entry.path().join("courses")).filter(|path| path.is_dir()).collect();
    roots.sort();
    roots
}

/// Opening a file of a mount makes its size known, and those of its day's other files. Older snapshots are left out
/// unless a root lies in them.
fn start(roots: Vec<PathBuf>) -> Receiver<Step> {
    let (steps, receiver) = mpsc::sync_channel(64);
    thread::spawn(move || roots.iter().try_for_each(|root| visit(root, &steps)));
    receiver
}

/// None once nobody listens.
fn visit(path: &Path, steps: &SyncSender<Step>) -> Option<()> {
    let outcome = match fs::metadata(path) {
        Ok(meta) if meta.is_dir() => {
            match fs::read_dir(path).and_then(|entries| entries.collect::<io::Result<Vec<_>>>()) {
                Ok(entries) => {
                    let mut paths: Vec<_> = entries.iter().map(|entry| entry.path()).collect();
                    paths.retain(|path| !path.ends_with("snapshots"));
                    paths.sort();
                    return paths.iter().try_for_each(|path| visit(path, steps));
                }
                Err(error) => Err(error),
            }
        }
        Ok(_) => File::open(path).map(|_| ()),
        Err(error) => Err(error),
    };
    let step = match outcome {
        Ok(()) => Step::Opened(path.to_path_buf()),
        Err(error) => Step::Failed(path.to_path_buf(), error),
    };
    steps.send(step).ok()
}
