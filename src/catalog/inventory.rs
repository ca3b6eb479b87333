//! What the objects of a listing are, and which of several stands for a day or a week.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;

use super::day_log::{self, Candidate, DayLog};
use super::holding::{Gathering, Holdings, UNDATED};
use super::package::{Contents, Meanings, Package, Reading, is_file_name, newest};
use super::problem::{Problem, RESTORE};
use super::{Directories, Exchange};
use crate::decode::Layers;
use crate::edx::course_run::Site;
use crate::edx::object_key::{ObjectRole, object_role};
use crate::source::{Availability, ObjectMeta};

/// The part of a catalog that a newly met course does not change.
pub(super) struct Inventory {
    pub org: String,
    pub days: BTreeMap<Site, BTreeMap<Date, DayLog>>,
    /// Weekly packages and tracking tars, by folder name.
    pub packages: BTreeMap<String, Arc<Package>>,
    pub opt_ins: BTreeMap<String, Package>,
    /// By request and package name.
    pub exchanges: BTreeMap<(String, String), Exchange>,
    pub holdings: Holdings,
    pub problems: BTreeSet<Problem>,
    pub unknown_keys: u64,
    pub newest: Timestamp,
    pub refreshed: Timestamp,
}

/// Objects by role, several of one name where the source has several.
#[derive(Default)]
struct Sorted {
    days: BTreeMap<(Site, Date), Vec<Candidate>>,
    zips: BTreeMap<Date, Vec<ObjectMeta>>,
    tars: BTreeMap<Date, Vec<ObjectMeta>>,
    opt_ins: BTreeMap<Date, Vec<ObjectMeta>>,
    exchanges: BTreeMap<(String, String), Vec<ObjectMeta>>,
    loose: BTreeMap<Option<Date>, Vec<(String, ObjectMeta)>>,
    unknown_keys: u64,
}

impl Sorted {
    fn add(&mut self, org: &str, object: &ObjectMeta) {
        let this = || object.clone();
        match object_role(org, object.id.key.as_str()) {
            ObjectRole::DayLog { site, site_token, date } => {
                self.days.entry((site, date)).or_default().push(Candidate { site_token, object: this() });
            }
            ObjectRole::Package { date } => self.zips.entry(date).or_default().push(this()),
            ObjectRole::OptIn { date } => self.opt_ins.entry(date).or_default().push(this()),
            ObjectRole::TrackingTar { date } => self.tars.entry(date).or_default().push(this()),
            ObjectRole::Rdx { request, package } => {
                self.exchanges.entry((request, package)).or_default().push(this());
            }
            ObjectRole::Loose { date, entry } => self.loose.entry(date).or_default().push((entry, this())),
            ObjectRole::Unknown => self.unknown_keys += 1,
        }
    }
}

impl Inventory {
    pub(super) fn take(org: &str, objects: &[ObjectMeta], directories: &Directories<'_>) -> Inventory {
        let mut sorted = Sorted::default();
        objects.iter().for_each(|object| sorted.add(org, object));
        let mut taking = Taking { org, directories, meanings: Meanings::default(), problems: BTreeSet::new() };
        taking.note_objects(org, objects);
        let days = taking.days(sorted.days);
        let weekly = taking.weekly(sorted.zips, sorted.loose);
        let mut gathering = Gathering::default();
        for package in weekly.values() {
            gathering.add(package, &mut |problem| {
                taking.problems.insert(problem);
            });
        }
        let holdings = gathering.finish(&mut |problem| {
            taking.problems.insert(problem);
        });
        let mut packages: BTreeMap<String, Arc<Package>> =
            weekly.into_values().map(|package| (package.name.clone(), package)).collect();
        packages.extend(taking.tars(sorted.tars));
        let opt_ins = taking.opt_ins(sorted.opt_ins);
        let exchanges = taking.exchanges(sorted.exchanges);
        Inventory {
            org: org.to_owned(),
            days,
            packages,
            opt_ins,
            exchanges,
            holdings,
            problems: taking.problems,
            unknown_keys: sorted.unknown_keys,
            newest: newest(objects.iter()),
            refreshed: Timestamp::now(),
        }
    }
}

struct Taking<'a> {
    org: &'a str,
    directories: &'a Directories<'a>,
    meanings: Meanings,
    problems: BTreeSet<Problem>,
}

impl Taking<'_> {
    fn note_objects(&mut self, org: &str, objects: &[ObjectMeta]) {
        for object in objects {
            let role = object_role(org, object.id.key.as_str());
            if role == ObjectRole::Unknown {
                continue;
            }
            // In a decrypted mirror an empty file is just empty.
            let key = object.id.key.as_str();
            let plain = match role {
                ObjectRole::DayLog { .. } => Layers::of(key).0.0.is_empty(),
                ObjectRole::Loose { .. } => Layers::openpgp_only(key).0.0.is_empty(),
                _ => false,
            };
            if object.id.bytes == 0 && !plain {
                let advice = "ask edX to export it again; an expired key of a recipient is the usual cause";
                self.problems.insert(Problem::new(object, "empty object", advice).errno("EIO"));
            }
            if object.availability == Availability::Archived {
                let what = "lies in an archived storage class";
                self.problems.insert(Problem::new(object, what, RESTORE).errno("EACCES"));
            }
        }
    }

    fn days(&mut self, sorted: BTreeMap<(Site, Date), Vec<Candidate>>) -> BTreeMap<Site, BTreeMap<Date, DayLog>> {
        let mut days: BTreeMap<Site, BTreeMap<Date, DayLog>> = BTreeMap::new();
        for ((site, date), candidates) in sorted {
            let note = &mut |problem| {
                self.problems.insert(problem);
            };
            let Some(log) = day_log::choose(&site, date, candidates, note) else { continue };
            days.entry(site).or_default().insert(date, log);
        }
        days
    }

    /// Weekly packages, oldest first: a readable zip before the same week's unpacked files.
    fn weekly(
        &mut self,
        zips: BTreeMap<Date, Vec<ObjectMeta>>,
        mut loose: BTreeMap<Option<Date>, Vec<(String, ObjectMeta)>>,
    ) -> BTreeMap<Option<Date>, Arc<Package>> {
        let mut weekly = BTreeMap::new();
        for (date, objects) in zips {
            let Some(zip) = self.only(objects) else { continue };
            let name = format!("{}-{date}", self.org);
            let folder = format!("{name}/");
            let package = self.archive(&name, Some(date), &zip, &Reading { folder: Some(&folder), hidden: "" });
            if package.is_some() {
                self.pass_over(loose.remove(&Some(date)).unwrap_or_default(), &zip);
            } else if loose.contains_key(&Some(date)) {
                continue;
            }
            let package = package.unwrap_or_else(|| Package::unreadable(&name, Some(date), &zip));
            weekly.insert(Some(date), Arc::new(package));
        }
        for (date, files) in loose {
            weekly.insert(date, Arc::new(self.unpacked(date, files)));
        }
        weekly
    }

    fn unpacked(&mut self, date: Option<Date>, files: Vec<(String, ObjectMeta)>) -> Package {
        let (name, folder) = match date {
            Some(date) => (format!("{}-{date}", self.org), format!("{}-{date}/", self.org)),
            None => (UNDATED.to_owned(), String::new()),
        };
        let files = files.into_iter().map(|(entry, object)| (format!("{folder}{entry}"), object)).collect();
        let reading = Reading { folder: Some(&folder), hidden: "" };
        let note = &mut |problem| {
            self.problems.insert(problem);
        };
        Package::new(&name, date, Contents::Loose(files), &reading, &mut self.meanings, note)
    }

    fn tars(&mut self, sorted: BTreeMap<Date, Vec<ObjectMeta>>) -> BTreeMap<String, Arc<Package>> {
        let mut tars = BTreeMap::new();
        for objects in sorted.into_values() {
            let Some(tar) = self.only(objects) else { continue };
            let base = tar.id.key.base_name();
            let name = base.strip_suffix(".tar").unwrap_or(base);
            let reading = Reading { folder: None, hidden: "" };
            let package = self.archive(name, None, &tar, &reading);
            let package = package.unwrap_or_else(|| Package::unreadable(name, None, &tar));
            tars.insert(name.to_owned(), Arc::new(package));
        }
        tars
    }

    fn opt_ins(&mut self, sorted: BTreeMap<Date, Vec<ObjectMeta>>) -> BTreeMap<String, Package> {
        let mut opt_ins = BTreeMap::new();
        for (date, objects) in sorted {
            let Some(zip) = self.only(objects) else { continue };
            let name = format!("{}-{date}", self.org);
            let folder = format!("{name}/");
            let reading = Reading { folder: Some(""), hidden: &folder };
            let package = self.archive(&name, Some(date), &zip, &reading);
            let package = package.unwrap_or_else(|| Package::unreadable(&name, Some(date), &zip));
            opt_ins.insert(name, package);
        }
        opt_ins
    }

    fn exchanges(
        &mut self,
        sorted: BTreeMap<(String, String), Vec<ObjectMeta>>,
    ) -> BTreeMap<(String, String), Exchange> {
        let mut exchanges = BTreeMap::new();
        for (name, objects) in sorted {
            let Some(object) = self.only(objects) else { continue };
            if is_file_name(&name.0) && is_file_name(&name.1) {
                let (request, package) = name.clone();
                let exchange = Exchange { request, package, object: object.id, modified: object.modified };
                exchanges.insert(name, exchange);
            } else {
                let what = "the name cannot be shown as a path";
                self.problems.insert(Problem::new(&object, what, "copy the object under a shorter name"));
            }
        }
        exchanges
    }

    /// Opens a zip or tar; None where its directory cannot be had.
    fn archive(
        &mut self,
        name: &str,
        date: Option<Date>,
        object: &ObjectMeta,
        reading: &Reading<'_>,
    ) -> Option<Package> {
        if object.id.bytes == 0 {
            return None;
        }
        let directory = match (self.directories)(object) {
            Ok(directory) => directory,
            Err(error) => {
                self.problems.insert(Problem::unreadable(object, &error));
                return None;
            }
        };
        for (entry, why) in &directory.refused {
            let what = format!("refused entry: {why}");
            self.problems.insert(Problem::new(object, what, "unpack the package by hand").entry(entry));
        }
        let contents = Contents::Archive { object: object.clone(), directory };
        let note = &mut |problem| {
            self.problems.insert(problem);
        };
        Some(Package::new(name, date, contents, reading, &mut self.meanings, note))
    }

    /// The newest of several objects of one name, an empty one only where there is no other.
    fn only(&mut self, mut objects: Vec<ObjectMeta>) -> Option<ObjectMeta> {
        objects.sort_by_cached_key(|object| (object.id.bytes > 0, object.modified, Reverse(object.id.clone())));
        let chosen = objects.pop()?;
        for other in objects {
            let what = format!("not used: {} is the same package", chosen.id.key);
            let advice = "remove the one that is not wanted, if this choice is wrong";
            self.problems.insert(Problem::new(&other, what, advice));
        }
        Some(chosen)
    }

    fn pass_over(&mut self, files: Vec<(String, ObjectMeta)>, zip: &ObjectMeta) {
        let Some((_, first)) = files.iter().min_by(|a, b| a.1.id.cmp(&b.1.id)) else { return };
        let what = format!("unpacked files not used: {} is the same package", zip.id.key);
        let problem = Problem::new(first, what, "nothing, if they are equal").times(files.len() as u64);
        self.problems.insert(problem);
    }
}
