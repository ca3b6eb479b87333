//! `edx-course-data/<site>/events/<year>/<org>-<site>-events-<date>.log.gz`: decrypted, still gzip, as a plain
//! `aws s3 sync` and gpg would leave them.

use std::collections::BTreeSet;

use jiff::civil::Date;

use super::scope::Organisation;
use super::view::{Listing, View};
use super::{Body, Node, Tree, days, missing};
use crate::catalog::day_log::DayLog;
use crate::edx::course_run::Site;
use crate::edx::window::{Window, date};
use crate::error::Result;
use crate::recipe::{Artifact, Output, Recipe};

pub(super) struct DecryptedLogs;

/// The days of the year that a folder is named after.
fn year(name: &str) -> Result<Window> {
    let day = |rest: &str| -> Result<Date> { date(&format!("{name}{rest}")).ok_or_else(missing) };
    Ok(Window { from: Some(day("-01-01")?), to: Some(day("-12-31")?) })
}

/// The site that a folder's name is a spelling of.
fn site(token: &str) -> Site {
    Site::from_token(&token.to_lowercase())
}

/// The logs under one spelling of a site.
fn logs<'a>(tree: &Tree<'a>, token: &str, window: Window) -> impl Iterator<Item = &'a DayLog> {
    tree.catalog.days(&site(token), window).filter(move |log| log.site_token == token)
}

fn file(log: &DayLog) -> Node {
    let recipe = Recipe::Decoded { part: days::part(log), layers: log.encryption() };
    let body = Body::Artifact(Artifact { recipe, output: Output::Whole });
    Node::File { body, modified: log.modified }
}

/// The log whose decrypted copy is called `name`.
fn named<'a>(tree: &Tree<'a>, token: &str, window: Window, name: &str) -> Option<&'a DayLog> {
    let head = format!("{}-{token}-events-", tree.catalog.org());
    let date = date(name.strip_prefix(&head)?.get(..10)?).filter(|date| window.contains(*date))?;
    let log = tree.catalog.day(&site(token), date)?;
    (log.site_token == token && log.decrypted_name(tree.catalog.org()) == name).then_some(log)
}

impl View<Organisation> for DecryptedLogs {
    fn name(&self) -> &'static str {
        "edx-course-data"
    }

    fn lookup(&self, tree: &Tree<'_>, _: &Organisation, rest: &[&str]) -> Result<Node> {
        let found = match rest {
            [] => tree.catalog.sites().next().map(|_| tree.folder()),
            [token] | [token, "events"] => logs(tree, token, Window::ALL).next().map(|_| tree.folder()),
            [token, "events", name] => logs(tree, token, year(name)?).next().map(|_| tree.folder()),
            [token, "events", folder, name] => named(tree, token, year(folder)?, name).map(file),
            _ => None,
        };
        found.ok_or_else(missing)
    }

    fn list(&self, tree: &Tree<'_>, scope: &Organisation, rest: &[&str]) -> Result<Listing> {
        self.lookup(tree, scope, rest)?;
        let folders = |names: BTreeSet<String>| Ok(names.into_iter().map(|name| (name, tree.folder())).collect());
        match rest {
            [] => {
                let logs = tree.catalog.sites().flat_map(|site| tree.catalog.days(site, Window::ALL));
                folders(logs.map(|log| log.site_token.clone()).collect())
            }
            [_] => folders(BTreeSet::from(["events".to_owned()])),
            [token, _] => {
                let years = logs(tree, token, Window::ALL).map(|log| format!("{:04}", log.date.year()));
                folders(years.collect())
            }
            [token, _, folder] => {
                let logs = logs(tree, token, year(folder)?);
                Ok(logs.map(|log| (log.decrypted_name(tree.catalog.org()), file(log))).collect())
            }
            _ => Err(missing()),
        }
    }
}
