//! `edxfs ls`: names under a path, without FUSE.

use std::io::{self, BufWriter, Write};

use crate::command::access::Access;
use crate::command::log::{self, Role};
use crate::command::{Outcome, complain, text};
use crate::config::Settings;
use crate::config::args::ReadArgs;
use crate::control::Item;
use crate::engine::size::Size;
use crate::error::Result;

/// List the tree without FUSE
///
/// Goes through the mount where one has the cache folder, with the mount's view options. With -l a size that is not known yet has a `~` before it: an upper bound.
#[derive(clap::Args)]
pub struct Args {
    /// Paths in the tree, as seen under the mount point [default: the root]
    #[arg(value_name = "PATH")]
    paths: Vec<String>,
    /// Sizes and times too
    #[arg(short = 'l')]
    long: bool,
    #[command(flatten)]
    read: ReadArgs,
}

pub fn run(args: &Args, settings: &Settings) -> Result<Outcome> {
    log::start(&settings.log, Role::Command)?;
    let access = Access::start(settings)?;
    let paths = if args.paths.is_empty() { vec![String::new()] } else { args.paths.clone() };
    let mut out = BufWriter::new(io::stdout().lock());
    let mut outcome = Outcome::Done;
    for (i, path) in paths.iter().enumerate() {
        match listing(&access, path) {
            Ok(items) => {
                let heading = (paths.len() > 1).then_some(path);
                let written = write_listing(&mut out, heading, i > 0, &items, args.long).and_then(|()| out.flush());
                if written.is_err() {
                    return Ok(Outcome::PipeClosed);
                }
            }
            Err(error) => {
                complain(error.about(if path.is_empty() { "/" } else { path }));
                outcome = Outcome::Reported(1);
            }
        }
    }
    Ok(outcome)
}

fn listing(access: &Access, path: &str) -> Result<Vec<Item>> {
    let inner = text::tree_path(path)?;
    let item = access.item(&inner)?;
    match item.size {
        None => access.list(&inner),
        Some(_) => Ok(vec![Item { name: path.to_string(), ..item }]),
    }
}

fn write_listing(
    out: &mut impl Write,
    heading: Option<&String>,
    apart: bool,
    items: &[Item],
    long: bool,
) -> io::Result<()> {
    if let Some(path) = heading {
        writeln!(out, "{}{path}:", if apart { "\n" } else { "" })?;
    }
    let sizes: Vec<String> = items.iter().map(size).collect();
    let width = sizes.iter().map(String::len).max().unwrap_or(0);
    for (item, size) in items.iter().zip(&sizes) {
        let slash = if item.size.is_none() { "/" } else { "" };
        match long {
            true => {
                writeln!(out, "{size:>width$}  {}  {}{slash}", item.modified.strftime("%Y-%m-%d %H:%M"), item.name)?
            }
            false => writeln!(out, "{}{slash}", item.name)?,
        }
    }
    Ok(())
}

fn size(item: &Item) -> String {
    match item.size {
        None => "-".to_string(),
        Some(Size::Exact(bytes)) => bytes.to_string(),
        Some(Size::StandIn(bytes)) => format!("~{bytes}"),
    }
}
