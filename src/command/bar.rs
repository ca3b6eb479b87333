//! Progress bars: drawn where standard error is a terminal, nothing elsewhere.

use indicatif::{ProgressBar, ProgressStyle};

use crate::control::Progress;

/// A bar of bytes whose message says how many objects are done.
pub struct OverObjects(ProgressBar);

impl OverObjects {
    /// Of no length yet.
    pub fn start() -> OverObjects {
        let template = "{bar:30} {bytes} of {total_bytes}  {msg}  {bytes_per_sec}  {eta} left";
        let style = ProgressStyle::with_template(template).expect("a template is a constant of ours");
        OverObjects(ProgressBar::new(0).with_style(style))
    }

    pub fn show(&self, now: Progress) {
        self.0.set_length(now.total_bytes);
        self.0.set_position(now.done_bytes);
        self.0.set_message(format!("{} of {} objects", now.done_objects, now.total_objects));
    }

    /// Takes it away.
    pub fn clear(&self) {
        self.0.finish_and_clear();
    }
}

/// A count of bytes whose message says how many files are done; how many there are is not known beforehand.
pub fn over_files() -> ProgressBar {
    let template = "{spinner} {bytes}  {msg}  {bytes_per_sec}  {elapsed}";
    let style = ProgressStyle::with_template(template).expect("a template is a constant of ours");
    ProgressBar::no_length().with_style(style)
}
