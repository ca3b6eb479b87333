//! One immutable refresh: objects, members, course runs (those met in logs are handed in); no content, no sizes.
//!
//! Whatever is wrong with an object or an entry becomes a [`Problem`]; a catalog itself never fails. What a listing
//! says is the [inventory](inventory); which course folders stand over it depends on the ids met in decoded days too,
//! and is made anew by [`Catalog::with_met`] without touching the inventory.

pub mod courses;
pub mod day_log;
pub mod filter;
mod holding;
mod inventory;
pub mod package;
pub mod problem;
#[cfg(test)]
pub(crate) mod testing;

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;

use crate::decode::zip::Directory;
use crate::edx::course_run::{CourseId, Site};
use crate::error::Result;
use crate::source::{ObjectId, ObjectMeta};

use crate::edx::window::Window;
use courses::{Course, Courses, MetCourse};
use day_log::DayLog;
use filter::Filter;
pub use holding::Snapshot;
use inventory::Inventory;
use package::{Member, Package};
use problem::Problem;

/// Gives the directory of a zip or tar object; asked once for each object and catalog.
pub type Directories<'a> = dyn Fn(&ObjectMeta) -> Result<Arc<Directory>> + 'a;

/// A Research Data Exchange package: an encrypted tar, of which the catalog knows no members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    pub request: String,
    /// `{org}_{course}_{run}`.
    pub package: String,
    pub object: ObjectId,
    pub modified: Timestamp,
}

/// What one organisation's sources held at one time, and the course folders that this makes.
#[derive(Clone)]
pub struct Catalog {
    inventory: Arc<Inventory>,
    courses: Courses,
    filter: Arc<Filter>,
}

impl Catalog {
    /// Takes stock of `objects`, listed for organisation `org` (any case).
    ///
    /// `met` are the course ids that decoded days hold, in any order. `filter` limits what is shown, not what a line
    /// is attributed to.
    pub fn build(
        org: &str,
        objects: &[ObjectMeta],
        directories: &Directories<'_>,
        met: &[MetCourse],
        filter: &Filter,
    ) -> Catalog {
        let inventory = Arc::new(Inventory::take(&org.to_lowercase(), objects, directories));
        let courses = Courses::build(&inventory.holdings, met, filter);
        Catalog { inventory, courses, filter: Arc::new(filter.clone()) }
    }

    /// The same inventory with the course folders that `met` makes.
    pub fn with_met(&self, met: &[MetCourse]) -> Catalog {
        let courses = Courses::build(&self.inventory.holdings, met, &self.filter);
        Catalog { courses, ..self.clone() }
    }

    /// The organisation's name as keys have it: lower case.
    pub fn org(&self) -> &str {
        &self.inventory.org
    }

    /// LastModified of the newest object; the epoch if there is none.
    pub fn newest(&self) -> Timestamp {
        self.inventory.newest
    }

    /// When the inventory was taken.
    pub fn refreshed(&self) -> Timestamp {
        self.inventory.refreshed
    }

    /// How many objects have a key that means nothing to us.
    pub fn unknown_keys(&self) -> u64 {
        self.inventory.unknown_keys
    }

    /// The sites that have day logs.
    pub fn sites(&self) -> impl Iterator<Item = &Site> {
        self.inventory.days.keys()
    }

    /// A site's logs of the days that are in `window` and pass the filter, oldest first.
    pub fn days<'a>(&'a self, site: &Site, window: Window) -> impl DoubleEndedIterator<Item = &'a DayLog> + use<'a> {
        let within = window.intersect(self.filter.days());
        let days = self.inventory.days.get(site);
        days.into_iter().filter_map(move |days| Some(days.range(within.range()?))).flatten().map(|(_, log)| log)
    }

    /// The log of one day, if it passes the filter.
    pub fn day(&self, site: &Site, date: Date) -> Option<&DayLog> {
        if !self.filter.days().contains(date) {
            return None;
        }
        self.inventory.days.get(site)?.get(&date)
    }

    /// The course folders that pass the filter, in order of folder name.
    pub fn courses(&self) -> impl Iterator<Item = &Arc<Course>> {
        self.courses.listed()
    }

    /// The course with this folder, if it passes the filter.
    pub fn course(&self, folder: &str) -> Option<&Arc<Course>> {
        self.courses.by_folder(folder)
    }

    /// The course whose folder the lines of an id belong to, whether or not it passes the filter; None: no folder,
    /// so the lines are unattributed.
    pub fn folder_of(&self, site: &Site, id: &CourseId) -> Option<&Course> {
        self.courses.by_id(site, id)
    }

    /// What stands under `course-data`: weekly packages and tars, in order of folder name.
    pub fn packages(&self) -> impl Iterator<Item = &Package> {
        self.inventory.packages.values().map(|package| &**package)
    }

    /// One folder of `course-data`.
    pub fn package(&self, name: &str) -> Option<&Package> {
        self.inventory.packages.get(name).map(|package| &**package)
    }

    /// The opt-in lists that are packages of their own, in order of folder name.
    pub fn opt_ins(&self) -> impl Iterator<Item = &Package> {
        self.inventory.opt_ins.values()
    }

    /// One folder of `email-opt-in`.
    pub fn opt_in(&self, name: &str) -> Option<&Package> {
        self.inventory.opt_ins.get(name)
    }

    /// The newest opt-in list: of the packages of its own, or of the weekly ones, which held it in former years.
    pub fn newest_opt_in_list(&self) -> Option<Member<'_>> {
        let weekly = self.packages().filter_map(|package| Some((package.date, 0, package.opt_in_list()?)));
        let own = self.opt_ins().filter_map(|package| Some((package.date, 1, package.opt_in_list()?)));
        weekly.chain(own).max_by_key(|(date, rank, _)| (*date, *rank)).map(|(_, _, list)| list)
    }

    /// Research Data Exchange packages, by request and package name.
    pub fn exchanges(&self) -> impl Iterator<Item = &Exchange> {
        self.inventory.exchanges.values()
    }

    /// One Research Data Exchange package.
    pub fn exchange(&self, request: &str, package: &str) -> Option<&Exchange> {
        self.inventory.exchanges.get(&(request.to_owned(), package.to_owned()))
    }

    /// Name of the newest weekly package that holds a file of any course.
    pub fn newest_package(&self) -> Option<&str> {
        let newest = self.inventory.holdings.values().filter_map(|holding| holding.last());
        newest.map(Snapshot::package).max_by_key(|package| package.date).map(|package| package.name.as_str())
    }

    /// What is wrong with objects and entries, sorted, without repetitions.
    pub fn problems(&self) -> &BTreeSet<Problem> {
        &self.inventory.problems
    }
}

#[cfg(test)]
mod tests;
