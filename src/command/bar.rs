//! Progress bars: drawn where standard error is a terminal, nothing elsewhere.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar of bytes whose message says how many objects are done; of no length yet.
pub fn over_objects() -> ProgressBar {
    let template = "{bar:30} {bytes} of {total_bytes}  {msg}  {bytes_per_sec}  {eta} left";
    let style = ProgressStyle::with_template(template).expect("a template is a constant of ours");
    ProgressBar::new(0).with_style(style)
}

/// A count of bytes whose message says how many files are done; how many there are is not known beforehand.
pub fn over_files() -> ProgressBar {
    let template = "{spinner} {bytes}  {msg}  {bytes_per_sec}  {elapsed}";
    let style = ProgressStyle::with_template(template).expect("a template is a constant of ours");
    ProgressBar::no_length().with_style(style)
}
