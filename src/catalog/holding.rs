//! Which files of a course the weekly packages hold, week by week.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;

use super::package::{Member, Package};
use super::problem::Problem;
use crate::edx::course_run::{CoursePrefix, Site};
use crate::edx::member_name::MemberKind;

/// A course's snapshots, oldest first; never empty.
pub(super) type Holding = Vec<Snapshot>;

/// The courses of all packages.
pub(super) type Holdings = BTreeMap<(Site, CoursePrefix), Arc<Holding>>;

/// The files of one course in one weekly package, without failed ones; at least one, and one of each kind at most.
#[derive(Clone, Debug)]
pub struct Snapshot {
    package: Arc<Package>,
    /// Positions in the package.
    members: Vec<u32>,
}

impl Snapshot {
    pub fn package(&self) -> &Package {
        &self.package
    }

    /// None: files that lie in no dated folder; older than any other.
    pub fn date(&self) -> Option<Date> {
        self.package.date
    }

    /// The date as folders show it.
    pub fn name(&self) -> String {
        self.date().map_or_else(|| UNDATED.to_owned(), |date| date.to_string())
    }

    pub fn modified(&self) -> Timestamp {
        self.package.modified
    }

    /// The file of a kind.
    pub fn member(&self, kind: &MemberKind) -> Option<Member<'_>> {
        self.members().find(|(held, _)| *held == kind).map(|(_, member)| member)
    }

    /// Every file with its kind.
    pub fn members(&self) -> impl Iterator<Item = (&MemberKind, Member<'_>)> {
        self.members.iter().filter_map(|&at| {
            let member = self.package.at(at as usize);
            Some((&member.meaning?.kind, member))
        })
    }
}

/// Name of the snapshot and of the package of files that lie in no dated folder.
pub(super) const UNDATED: &str = "undated";

/// Gathers snapshots package by package, oldest first.
#[derive(Default)]
pub(super) struct Gathering {
    holdings: BTreeMap<(Site, CoursePrefix), Holding>,
    /// What the newest snapshot of a course lacks that the one before had.
    missing: BTreeMap<(Site, CoursePrefix), Vec<Problem>>,
}

/// Positions by kind, of one course in one package.
#[derive(Default)]
struct Gathered<'a> {
    held: BTreeMap<&'a MemberKind, u32>,
    failed: BTreeSet<&'a MemberKind>,
}

impl Gathering {
    pub(super) fn add(&mut self, package: &Arc<Package>, problems: &mut dyn FnMut(Problem)) {
        for ((site, prefix), gathered) in by_course(package, problems) {
            if gathered.held.is_empty() {
                continue;
            }
            let snapshot = Snapshot { package: package.clone(), members: gathered.held.values().copied().collect() };
            let course = (site.clone(), prefix.clone());
            let holding = self.holdings.entry(course.clone()).or_default();
            let missing = holding.last().map(|before| lacking(before, &snapshot, &gathered)).unwrap_or_default();
            self.missing.insert(course, missing);
            holding.push(snapshot);
        }
    }

    pub(super) fn finish(self, problems: &mut dyn FnMut(Problem)) -> Holdings {
        self.missing.into_values().flatten().for_each(problems);
        self.holdings.into_iter().map(|(course, holding)| (course, Arc::new(holding))).collect()
    }
}

fn by_course<'a>(
    package: &'a Package,
    problems: &mut dyn FnMut(Problem),
) -> HashMap<(&'a Site, &'a CoursePrefix), Gathered<'a>> {
    let mut courses: HashMap<(&Site, &CoursePrefix), Gathered<'_>> = HashMap::new();
    for (at, member) in package.members().enumerate() {
        let Some(meaning) = member.meaning else { continue };
        let Some(course) = &meaning.course else { continue };
        let gathered = courses.entry((&meaning.site, course)).or_default();
        if meaning.failed {
            gathered.failed.insert(&meaning.kind);
            continue;
        }
        let at = u32::try_from(at).expect("positions come from 32-bit indices");
        let Some(&other) = gathered.held.get(&meaning.kind) else {
            gathered.held.insert(&meaning.kind, at);
            continue;
        };
        let (kept, dropped) = if package.at(other as usize).is_void() { (at, other) } else { (other, at) };
        gathered.held.insert(&meaning.kind, kept);
        let what = format!("not used: {} is the same file of the course", package.at(kept as usize).path);
        problems(package.problem(dropped as usize, what, "read it in course-data"));
    }
    courses
}

fn lacking(before: &Snapshot, now: &Snapshot, gathered: &Gathered<'_>) -> Vec<Problem> {
    let gone =
        before.members().filter(|(kind, _)| !gathered.held.contains_key(*kind) && !gathered.failed.contains(*kind));
    let object = now.members().next().map(|(_, member)| member.object);
    gone.filter_map(|(_, member)| {
        let what = format!("missing: the snapshot of {} has this file", before.name());
        let name = member.path.rsplit('/').next().unwrap_or(member.path);
        Some(Problem::new(object?, what, "use the older snapshot").entry(name).errno("ENOENT"))
    })
    .collect()
}
