//! The words of `--help` that are not about one option, and small conversions between what is typed or printed
//! and what it stands for.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use crate::error::{Error, Result};
use crate::shell::quoted;

pub const EXAMPLES: &str = "\
Try it, without any data of your own:
  edxfs demo                     # makes a small data package, mounts it on ./edxfs-demo
  ls edxfs-demo/courses/*/events

A data package in S3:
  gpg --export-secret-keys czar@chalmers.example > czar.key; chmod 600 czar.key
  edxfs mount --org chalmersx --profile edx --secret-key czar.key ~/edx
  grep -ah edx.course.enrollment ~/edx/courses/ChalmersX-ChM001x-1T2015/events/*.log
  edxfs status ~/edx
  edxfs unmount ~/edx

A mirror on disk, encrypted or not; `sync` makes one and keeps it up to date:
  edxfs sync --org chalmersx --profile edx /data/edx
  edxfs mount --org chalmersx --folder /data/edx --secret-key czar.key ~/edx

Without a mount (no FUSE needed):
  edxfs ls -l --org chalmersx --folder /data/edx courses
  edxfs cat --org chalmersx --folder /data/edx courses.tsv

A course for a researcher, who alone can open it, and plain copies that later runs bring up to date:
  edxfs export --org chalmersx --recipient them.asc courses/ChalmersX-ChM001x-1T2015 chm.tar.gpg
  edxfs export --org chalmersx courses/ChalmersX-ChM001x-1T2015 /secure/project

Something does not work:
  edxfs doctor --org chalmersx --profile edx --secret-key czar.key

Know every size beforehand, so that the first `ls -l` is exact:
  edxfs index --org chalmersx --profile edx --secret-key czar.key

Once in ~/.config/edxfs/config.toml, never typed again (each option is a key of the same name):
  org = \"chalmersx\"
  profile = \"edx\"
  secret-key = \"~/keys/czar.key\"
  passphrase-command = \"pass show edx\"

Exit codes: 0 all went well; 1 something failed, see the message; 2 the command line or the
configuration cannot be followed, or somebody else owns the cache folder or the mirror; 3 no secret
key, or no passphrase for it; 4 the source cannot be reached; 130 interrupted.";

/// What to try on a mounted demo.
pub fn after_demo(mount_point: &Path) -> String {
    let at = quoted(mount_point);
    format!(
        "\
mounted on {at}; try:
  cat {at}/README.txt
  ls {at}/courses/*/events
  grep -c play_video {at}/courses/*/events/*.log
  awk -F '\\t' 'NR > 1 {{ print $2 }}' {at}/courses.tsv
  edxfs status {at}
  edxfs unmount {at}
"
    )
}

/// A value as one line of JSON. Errors: a path that is not UTF-8.
pub fn json_line(value: &impl serde::Serialize) -> Result<String> {
    let mut line = serde_json::to_string(value).map_err(io::Error::from)?;
    line.push('\n');
    Ok(line)
}

/// A path as typed → as the volume takes it: no leading slash, no `.`, no doubled slash. Errors: `NotFound` for `..`.
pub fn tree_path(typed: &str) -> Result<String> {
    let parts: Vec<&str> = typed.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    match parts.contains(&"..") {
        true => Err(Error::not_found("a path in the tree goes down only")),
        false => Ok(parts.join("/")),
    }
}

/// Standard output for bytes: Rust's own looks for line ends in everything that passes.
pub fn unbuffered_stdout() -> Result<File> {
    Ok(File::from(io::stdout().as_fd().try_clone_to_owned()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_path_is_plain() {
        for (typed, plain) in [("/", ""), ("./a//b/", "a/b"), ("a", "a"), ("", "")] {
            assert_eq!(tree_path(typed).expect("has no .."), plain);
        }
        assert!(tree_path("a/../b").is_err());
    }
}
