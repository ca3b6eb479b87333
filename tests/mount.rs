//! A real mount of a small organisation, encrypted by GnuPG, read by the tools that people use.
//!
//! - `truth`:      what must be in every event file, found out with gpg, gunzip and Python alone
//! - `tools`:      one table: each tool reads a file of a size not yet known, and reads it right
//! - `tree`:       which names there are
//! - `content`:    every byte of the package under its name, in one place only
//! - `attributes`: modes, times, sizes, inodes, xattrs; nothing can be changed
//! - `options`:    what each setting of the view changes
//! - `life`:       coming, going, crashing, and the other commands beside a mount
//! - `clients`:    the commands beside a mount, which answers for its tree
//! - `desktop`:    a file manager that looks at it
//! - `mirror`:     a package that somebody has decrypted already

mod common;

#[path = "mount/attributes.rs"]
mod attributes;
#[path = "mount/clients.rs"]
mod clients;
#[path = "mount/content.rs"]
mod content;
#[path = "mount/desktop.rs"]
mod desktop;
#[path = "common/gnupg_home.rs"]
mod gnupg_home;
#[path = "mount/life.rs"]
mod life;
#[path = "mount/mirror.rs"]
mod mirror;
#[path = "mount/options.rs"]
mod options;
#[path = "mount/tools.rs"]
mod tools;
#[path = "mount/tree.rs"]
mod tree;
#[path = "mount/truth.rs"]
mod truth;

use common::{Mount, folder_options, small_package};

/// The small package mounted with nothing read yet and nobody reading ahead.
fn mounted(more: &[&str]) -> Mount {
    let mut options = folder_options(&small_package());
    options.extend(["--index", "off"].map(str::to_owned));
    options.extend(more.iter().map(|option| (*option).to_owned()));
    Mount::start(&options)
}
