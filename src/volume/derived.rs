//! What a file of many days comes to: its days' tallies and its snapshot's tables, or what is still to be made for it.
//!
//! A day that cannot be read is left out and named, so that one damaged object takes no course away; it is tried once
//! in each mount. Days that cannot be reached are waited for, or are an error.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use jiff::civil::Date;
use lru::LruCache;

use crate::catalog::Catalog;
use crate::catalog::courses::Course;
use crate::catalog::day_log::DayLog;
use crate::edx::course_run::{CourseId, Site};
use crate::edx::window::Window;
use crate::engine::size::{Size, stand_in};
use crate::engine::wait::Wait;
use crate::error::{Error, ErrorKind, Result};
use crate::recipe::database::axis::AXIS;
use crate::recipe::database::forum::FORUM;
use crate::recipe::database::tables::STANDARD;
use crate::recipe::derived::{
    CourseInputs, Database, Fold, Late, LateFile, Learner, LearnerLines, Roster, Scope, TalliedDay,
};
use crate::recipe::make::Tallied;
use crate::recipe::{Artifact, Output, Part, Recipe};
use crate::tree::inputs::snapshot_inputs;
use crate::volume::organisation::Organisation;
use crate::volume::records::is_unreadable;

/// The one that the organisation's leaves out, for its size.
const LEFT_OUT: &str = "courseware_studentmodule";

/// Bytes of rows that a byte of tallies comes to at most, unless nearly all of them are a course's long name.
const ROWS_PER_TALLY: u64 = 8;

/// How often days may change, or turn out to be missing, while they are made.
const MOST_ROUNDS: usize = 4;

/// What a file of many days comes to.
pub(super) enum Resolution {
    Known(Artifact),
    /// These have to be made before it can be told.
    Missing(Vec<Artifact>),
}

/// The days of a course, as far as they are tallied.
#[derive(Default)]
struct Days {
    tallied: Vec<TalliedDay>,
    unreadable: Vec<Date>,
    missing: Vec<Artifact>,
    /// Of the course's slices.
    slice_bytes: u64,
}

/// What was found for the last few scopes.
pub(super) struct Resolved(Mutex<LruCache<(Scope, Window), Found>>);

/// Good for one catalog and what is known to be unreadable.
struct Found {
    /// Not kept for it.
    catalog: Weak<Catalog>,
    unreadable: u64,
    database: Arc<Database>,
    /// Of the slices that it is made of.
    slice_bytes: u64,
}

impl Default for Resolved {
    fn default() -> Self {
        const SCOPES: NonZeroUsize = NonZeroUsize::new(64).expect("is not zero");
        Resolved(Mutex::new(LruCache::new(SCOPES)))
    }
}

impl Organisation {
    /// What `late` comes to; None where its course is gone, and while days have to be tallied for it: the everyday
    /// answer of a mount that has decoded little, and one that looks at few days.
    pub(super) fn resolved_late(&self, late: &Late) -> Option<Artifact> {
        let catalog = self.records.catalog();
        if let Some(artifact) = without_days(&catalog, late) {
            return Some(artifact);
        }
        let is_known = self.remembered(&catalog, &late.scope, late.window, |_| ()).is_some();
        if !is_known && self.undecided_days(&catalog, &late.scope, late.window).next().is_some() {
            return None;
        }
        match self.resolve_late(late)? {
            Resolution::Known(artifact) => Some(artifact),
            Resolution::Missing(_) => None,
        }
    }

    /// What `late` comes to; None where its course is gone.
    pub(super) fn resolve_late(&self, late: &Late) -> Option<Resolution> {
        let whole = |recipe| Resolution::Known(Artifact { recipe, output: Output::Whole });
        if let LateFile::Learner { user, lines } = &late.file {
            return self.resolve_learner(late, user, *lines);
        }
        if let Some(artifact) = without_days(&self.records.catalog(), late) {
            return Some(Resolution::Known(artifact));
        }
        Some(match self.database(&late.scope, late.window)? {
            Err(missing) => Resolution::Missing(missing),
            Ok(database) => whole(match &late.file {
                LateFile::Sheet(table) => Recipe::Sheet { database, table: table.clone() },
                LateFile::VideoErrors => {
                    let folds = database.courses.iter().flat_map(|course| course.folds.iter().cloned()).collect();
                    Recipe::VideoErrors { folds }
                }
                LateFile::Samced | LateFile::Learner { .. } => Recipe::Database(database),
            }),
        })
    }

    /// The file, with everything made that it has to be known by. Errors: those of days that cannot be reached;
    /// `WouldWait`.
    pub(super) fn settle_late(&self, late: &Late, wait: Wait<'_>) -> Result<Artifact> {
        for _ in 0..MOST_ROUNDS {
            let missing = match self.resolve_late(late).ok_or_else(|| Error::not_found("no such file"))? {
                Resolution::Known(artifact) => return self.with_inputs(artifact, wait),
                Resolution::Missing(missing) => missing,
            };
            if matches!(wait, Wait::Never) {
                return Err(Error::new(ErrorKind::WouldWait, "needs days that are not decoded yet"));
            }
            let failed = self.engine.prepare(&missing, wait)?;
            // An object that has changed is found anew; an unreadable one is left out.
            let is_passed = |error: &Error| is_unreadable(error.kind()) || error.kind() == ErrorKind::Changed;
            if let Some((_, error)) = failed.into_iter().find(|(_, error)| !is_passed(error)) {
                return Err(error);
            }
        }
        Err(Error::new(ErrorKind::Changed, "its days change while they are read").about(late.label()))
    }

    /// Makes a database's folds a few at a time, which its own run would do one by one.
    fn with_inputs(&self, artifact: Artifact, wait: Wait<'_>) -> Result<Artifact> {
        let folds: Vec<&Arc<Fold>> = match &artifact.recipe {
            Recipe::Database(database) | Recipe::Sheet { database, .. } => {
                database.courses.iter().flat_map(|course| &course.folds).collect()
            }
            _ => Vec::new(),
        };
        if matches!(wait, Wait::Never) || folds.len() < 2 || self.engine.is_cached(&artifact) {
            return Ok(artifact);
        }
        if let Recipe::Sheet { database, .. } = &artifact.recipe
            && self.engine.is_cached(&whole(Recipe::Database(database.clone())))
        {
            return Ok(artifact);
        }
        let mut folds = folds;
        // One month's days are read for all courses before the next month's.
        folds.sort_by_key(|fold| fold.days.first().map(|day| day.date));
        let folds = folds.into_iter().map(|fold| whole(Recipe::Fold(fold.clone())));
        let missing: Vec<_> = folds.filter(|fold| !self.engine.is_cached(fold)).collect();
        // What fails here fails in the run, which says what it was for.
        self.engine.prepare(&missing, wait)?;
        Ok(artifact)
    }

    /// A stand-in for the size of a file that is not made yet.
    pub(super) fn late_stand_in(&self, late: &Late) -> Size {
        let catalog = self.records.catalog();
        let courses = courses_of(&catalog, &late.scope);
        let table_bytes = |artifact: &Artifact| self.engine.size(artifact).bytes();
        let mut bytes: u64 = 1 << 20;
        let of_slices = self.remembered(&catalog, &late.scope, late.window, |found| found.slice_bytes);
        bytes = bytes.saturating_add(ROWS_PER_TALLY * of_slices.unwrap_or_default());
        for course in courses {
            let inputs = course_inputs(course, &late.scope, late.window);
            let of_course = match &late.file {
                LateFile::Sheet(table) if inputs.tables.iter().any(|(name, _)| name == table) => {
                    let same = inputs.tables.iter().filter(|(name, _)| name == table);
                    same.map(|(_, artifact)| 2 * table_bytes(artifact)).sum()
                }
                LateFile::Learner { .. } => self.segment_bytes(&catalog, course, late.window),
                _ => {
                    let table_bytes = inputs.files().map(table_bytes).fold(0, u64::saturating_add);
                    let slice_bytes =
                        if of_slices.is_some() { 0 } else { self.slice_bytes(&catalog, course, late.window) };
                    table_bytes.saturating_mul(2).saturating_add(ROWS_PER_TALLY * slice_bytes)
                }
            };
            bytes = bytes.saturating_add(of_course);
        }
        Size::StandIn(bytes.min(i64::MAX as u64 / 2))
    }

    /// Bytes of a course's lines, or of stand-ins for them.
    fn segment_bytes(&self, catalog: &Catalog, course: &Course, window: Window) -> u64 {
        let bytes = |log: Part| {
            let recipe = Recipe::Day { log, rule: self.rule };
            let output = course.id.as_ref().map_or(Output::Loose, |(id, _)| Output::Course(id.clone()));
            let artifact = Artifact { recipe, output };
            self.engine.known(&artifact).unwrap_or_else(|| stand_in(&artifact).bytes())
        };
        let logs = catalog.days(&course.site, window).map(|log| Part::whole(log.object.clone()));
        logs.map(bytes).fold(0, u64::saturating_add)
    }

    /// How many objects are still to be decoded for it.
    pub(super) fn late_needs(&self, late: &Late) -> usize {
        let uncached = |artifacts: &mut dyn Iterator<Item = Artifact>| -> usize {
            artifacts.filter(|artifact| !self.engine.is_cached(artifact)).count()
        };
        let artifact = match self.resolve_late(late) {
            None => return 0,
            Some(Resolution::Missing(missing)) => return missing.len() + self.undecoded_files(late),
            Some(Resolution::Known(artifact)) => artifact,
        };
        if self.engine.is_cached(&artifact) {
            return 0;
        }
        let of_fold = |fold: &Fold| {
            let is_made = self.engine.is_cached(&whole(Recipe::Fold(Arc::new(fold.clone()))));
            if is_made { 0 } else { uncached(&mut fold.days.iter().map(|day| whole(day.tallies()))) }
        };
        match &artifact.recipe {
            Recipe::Database(database) | Recipe::Sheet { database, .. } => {
                let folds = database.courses.iter().flat_map(|course| &course.folds);
                let files = database.courses.iter().flat_map(CourseInputs::files).cloned();
                folds.map(|fold| of_fold(fold)).sum::<usize>() + uncached(&mut files.into_iter())
            }
            Recipe::VideoErrors { folds } => folds.iter().map(|fold| of_fold(fold)).sum(),
            Recipe::Learner(learner) => {
                let segments = learner.days.iter().map(|day| day.segment(&learner.course));
                uncached(&mut segments.chain(learner.auth_user.clone()))
            }
            _ => 0,
        }
    }

    /// Of a database's, those of its scope's files that are not decoded yet.
    fn undecoded_files(&self, late: &Late) -> usize {
        if !matches!(late.file, LateFile::Samced | LateFile::Sheet(_)) {
            return 0;
        }
        let catalog = self.records.catalog();
        let inputs = courses_of(&catalog, &late.scope).map(|course| course_inputs(course, &late.scope, late.window));
        inputs.map(|inputs| inputs.files().filter(|file| !self.engine.is_cached(file)).count()).sum()
    }

    /// Everybody who has lines in a course; None while some of its days are not tallied, nobody inside that.
    pub(super) fn roster(&self, folder: &str) -> Option<Option<Artifact>> {
        let catalog = self.records.catalog();
        let course = catalog.course(folder)?;
        if self.undecided_days(&catalog, &Scope::Course(folder.into()), Window::ALL).next().is_some() {
            return None;
        }
        let days = self.days_of(&catalog, course, Window::ALL);
        if !days.missing.is_empty() {
            return None;
        }
        let Some((id, _)) = &course.id else { return Some(None) };
        let auth_user = snapshot_inputs(course, Window::ALL).auth_user;
        let roster = Roster { course: id.clone(), days: days.tallied, auth_user };
        Some(Some(whole(Recipe::Roster(Arc::new(roster)))))
    }

    /// Before a learner's courses are listed at the root: who is in which, where that takes no decoding.
    pub(super) fn prepare_rosters(&self, path: &str, wait: Wait<'_>) -> Result<()> {
        if path.strip_prefix("learners/").is_none_or(|learner| learner.contains('/')) {
            return Ok(());
        }
        let catalog = self.records.catalog();
        let rosters = catalog.courses().filter_map(|course| self.roster(&course.folder)?);
        let missing: Vec<_> = rosters.filter(|roster| !self.engine.is_cached(roster) && self.is_near(roster)).collect();
        match (missing.is_empty(), wait) {
            (true, _) => Ok(()),
            (false, Wait::Never) => Err(Error::new(ErrorKind::WouldWait, "who is in which course has to be looked up")),
            // A course whose learners cannot be told is listed.
            (false, Wait::Until(_)) => self.engine.prepare(&missing, wait).map(drop),
        }
    }

    /// Whether a roster can be made of what the cache holds.
    fn is_near(&self, roster: &Artifact) -> bool {
        let Recipe::Roster(roster) = &roster.recipe else { return false };
        let lines = roster.days.iter().map(TalliedDay::lines);
        lines.chain(roster.auth_user.clone()).all(|artifact| self.engine.is_cached(&artifact))
    }

    fn resolve_learner(&self, late: &Late, user: &Arc<str>, lines: LearnerLines) -> Option<Resolution> {
        let Scope::Course(folder) = &late.scope else { return None };
        let catalog = self.records.catalog();
        let course = catalog.course(folder)?;
        let days = self.days_of(&catalog, course, late.window);
        if !days.missing.is_empty() {
            return Some(Resolution::Missing(days.missing));
        }
        let Some((id, _)) = &course.id else {
            // Nobody has lines in a course without any.
            return Some(Resolution::Known(whole(Recipe::VideoErrors { folds: Vec::new() })));
        };
        let auth_user = snapshot_inputs(course, late.window).auth_user;
        let learner = Learner { course: id.clone(), user: user.clone(), lines, days: days.tallied, auth_user };
        Some(Resolution::Known(whole(Recipe::Learner(Arc::new(learner)))))
    }

    /// A scope's database, or what is missing to know it; None where the course is gone.
    fn database(&self, scope: &Scope, window: Window) -> Option<Result<Arc<Database>, Vec<Artifact>>> {
        let catalog = self.records.catalog();
        if let Scope::Course(folder) = scope {
            catalog.course(folder)?;
        }
        if let Some(database) = self.remembered(&catalog, scope, window, |found| found.database.clone()) {
            return Some(Ok(database));
        }
        let (place, unreadable) = ((scope.clone(), window), self.records.unreadable_version());
        let mut missing: Vec<_> = self
            .undecided_days(&catalog, scope, window)
            .map(|log| whole(self.tallies_of(&Part::whole(log.object.clone()), self.rule)))
            .collect();
        if !missing.is_empty() {
            return Some(Err(missing));
        }
        let (mut courses, mut slice_bytes) = (Vec::new(), 0);
        for course in courses_of(&catalog, scope) {
            let days = self.days_of(&catalog, course, window);
            missing.extend(days.missing);
            slice_bytes += days.slice_bytes;
            let folds = course.id.as_ref().map(|(id, _)| by_month(id, days.tallied)).unwrap_or_default();
            courses.push(CourseInputs { folds, unreadable: days.unreadable, ..course_inputs(course, scope, window) });
        }
        if !missing.is_empty() {
            return Some(Err(missing));
        }
        let database = Arc::new(Database { scope: scope.clone(), window, courses });
        let mut resolved = self.resolved.0.lock().unwrap_or_else(PoisonError::into_inner);
        resolved.put(
            place,
            Found { catalog: Arc::downgrade(&catalog), unreadable, database: database.clone(), slice_bytes },
        );
        Some(Ok(database))
    }

    /// The folds of every course that can be made of what the cache holds, oldest first: what makes its samced.db a matter
    /// of seconds.
    pub(super) fn folds(&self) -> Vec<Artifact> {
        let catalog = self.records.catalog();
        let mut folds = Vec::new();
        for course in catalog.courses() {
            let Some((id, _)) = &course.id else { continue };
            let days = self.days_of(&catalog, course, Window::ALL);
            if days.missing.is_empty() {
                folds.extend(by_month(id, days.tallied));
            }
        }
        let mut cached = HashMap::new();
        folds.retain(|fold| {
            fold.days.iter().all(|day| {
                let is_cached = || self.engine.is_cached(&whole(day.tallies()));
                *cached.entry(day.log.object.clone()).or_insert_with(is_cached)
            })
        });
        // One month's days are read for all courses before the next month's.
        folds.sort_by_key(|fold| fold.days.first().map(|day| day.date));
        folds.into_iter().map(|fold| whole(Recipe::Fold(fold))).collect()
    }

    /// What was found for a scope last, if nothing has changed since.
    fn remembered<T>(
        &self,
        catalog: &Arc<Catalog>,
        scope: &Scope,
        window: Window,
        what: impl FnOnce(&Found) -> T,
    ) -> Option<T> {
        let unreadable = self.records.unreadable_version();
        let mut resolved = self.resolved.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = resolved.get(&(scope.clone(), window))?;
        // As long as this is here, no other catalog has its address.
        let is_current = found.catalog.as_ptr() == Arc::as_ptr(catalog) && found.unreadable == unreadable;
        is_current.then(|| what(found))
    }

    /// Days of the sites of a scope's courses that can be read and are not tallied, oldest first: each is asked for
    /// once, however many courses there are.
    fn undecided_days<'a>(
        &self,
        catalog: &'a Catalog,
        scope: &'a Scope,
        window: Window,
    ) -> impl Iterator<Item = &'a DayLog> {
        let sites: BTreeSet<&Site> = courses_of(catalog, scope).map(|course| &course.site).collect();
        let days = sites.into_iter().flat_map(move |site| catalog.days(site, window));
        days.filter(|log| !self.is_left_out(log)).filter(|log| {
            let look_up = || self.tallied_courses(log);
            !self.learned.is_tallied(&log.object, self.engine.runs(), look_up)
        })
    }

    /// Whether a day cannot be read.
    fn is_left_out(&self, log: &DayLog) -> bool {
        log.object.bytes == 0 || self.records.is_unreadable(&log.object)
    }

    fn tallied_courses(&self, log: &DayLog) -> Option<Vec<Tallied>> {
        let tallies = self.tallies_of(&Part::whole(log.object.clone()), self.rule);
        self.engine.summary(&tallies).map(|summary| summary.tallied)
    }

    /// Bytes of a course's slices; of the whole encoded log where a day is not tallied.
    fn slice_bytes(&self, catalog: &Catalog, course: &Course, window: Window) -> u64 {
        let Some((id, _)) = &course.id else { return 0 };
        let slice = |log: &DayLog| {
            let look_up = || self.tallied_courses(log);
            match self.learned.slice(&log.object, id, self.engine.runs(), look_up) {
                None => log.object.bytes,
                Some(slice) => slice.map_or(0, |slice| slice.bytes),
            }
        };
        catalog.days(&course.site, window).filter(|log| !self.is_left_out(log)).map(slice).sum()
    }

    fn days_of(&self, catalog: &Catalog, course: &Course, window: Window) -> Days {
        let mut days = Days::default();
        for log in catalog.days(&course.site, window) {
            if self.is_left_out(log) {
                days.unreadable.push(log.date);
                continue;
            }
            let look_up = || self.tallied_courses(log);
            let slice = match &course.id {
                Some((id, _)) => self.learned.slice(&log.object, id, self.engine.runs(), look_up),
                // Nobody has lines in a course without an id, but a day to come may bring one.
                None => self.learned.is_tallied(&log.object, self.engine.runs(), look_up).then_some(None),
            };
            match slice {
                None => days.missing.push(whole(self.tallies_of(&Part::whole(log.object.clone()), self.rule))),
                Some(None) => {}
                Some(Some(slice)) => {
                    days.slice_bytes += slice.bytes;
                    let part = Part::whole(log.object.clone());
                    let (rule, params) = (self.rule, self.tallies.clone());
                    days.tallied.push(TalliedDay { log: part, rule, params, date: log.date, digest: slice.digest });
                }
            }
        }
        days
    }
}

fn whole(recipe: Recipe) -> Artifact {
    Artifact { recipe, output: Output::Whole }
}

fn courses_of<'a>(catalog: &'a Catalog, scope: &'a Scope) -> impl Iterator<Item = &'a Arc<Course>> {
    catalog.courses().filter(move |course| match scope {
        Scope::Organisation => true,
        Scope::Course(folder) => course.folder == *folder,
    })
}

/// A course's share of a database, without its days.
fn course_inputs(course: &Course, scope: &Scope, window: Window) -> CourseInputs {
    let mut found = snapshot_inputs(course, window);
    found.tables.retain(|(table, _)| *scope != Scope::Organisation || **table != *LEFT_OUT);
    CourseInputs {
        folder: course.folder.clone(),
        id: course.id.as_ref().map(|(id, _)| id.clone()),
        snapshot: found.snapshot,
        tables: found.tables,
        forum: found.forum,
        structure: found.structure,
        folds: Vec::new(),
        unreadable: Vec::new(),
    }
}

/// A table of one file of each course: no day says anything about it. None for any other file.
fn without_days(catalog: &Catalog, late: &Late) -> Option<Artifact> {
    let LateFile::Sheet(table) = &late.file else { return None };
    if !STANDARD.iter().chain(&FORUM).chain(&[AXIS]).any(|other| **other == **table) {
        return None;
    }
    let inputs = |course: &Arc<Course>| course_inputs(course, &late.scope, late.window).for_table(table);
    let courses: Vec<_> = courses_of(catalog, &late.scope).map(inputs).collect();
    if courses.is_empty() {
        return None;
    }
    let database = Arc::new(Database { scope: late.scope.clone(), window: late.window, courses });
    Some(whole(Recipe::Sheet { database, table: table.clone() }))
}

fn by_month(course: &CourseId, days: Vec<TalliedDay>) -> Vec<Arc<Fold>> {
    let mut months: BTreeMap<(i16, i8), Vec<TalliedDay>> = BTreeMap::new();
    for day in days {
        months.entry((day.date.year(), day.date.month())).or_default().push(day);
    }
    months.into_values().map(|days| Arc::new(Fold { course: course.clone(), days })).collect()
}
