//! Course folders: which exist, what they are called, whose lines they take.
//!
//! A prefix (`{org}-{course}-{run}`) on a site has a plain folder if a snapshot holds a file of it or an event stated
//! an id of it. The id stated first owns the plain folder for good; ids of the same prefix stated later get folders
//! with a hash of their own. An id that was merely mentioned makes no folder, but may own one that only a snapshot
//! has made. So what comes out depends on the set of ids met and on the numbers they were recorded under, not on the
//! order in which they are handed in.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::civil::Date;

use super::filter::Filter;
use super::holding::{Holding, Holdings, Snapshot};
use super::package::is_file_name;
use crate::edx::course_run::{CourseId, CoursePrefix, Site};
use crate::edx::tracking_log::Evidence;

/// A course id that some decoded day of a site holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetCourse {
    pub site: Site,
    pub id: CourseId,
    /// Sequence number under which an event was first recorded that states the id; None: only mentioned so far.
    pub stated: Option<u64>,
}

/// One course folder.
#[derive(Clone, Debug)]
pub struct Course {
    /// The folder's name.
    pub folder: Arc<str>,
    pub site: Site,
    pub prefix: CoursePrefix,
    /// The id whose lines it takes, and what speaks for it; None until a decoded day holds one.
    pub id: Option<(CourseId, Evidence)>,
    holding: Option<Arc<Holding>>,
}

impl Course {
    /// Every snapshot that holds a file of the course, oldest first.
    pub fn snapshots(&self) -> &[Snapshot] {
        self.holding.as_deref().map_or(&[], Vec::as_slice)
    }

    /// The snapshot whose name (see [`Snapshot::name`]) is `name`.
    pub fn snapshot(&self, name: &str) -> Option<&Snapshot> {
        let date = crate::edx::window::date(name);
        let at = self.snapshots().binary_search_by_key(&date, Snapshot::date).ok()?;
        Some(&self.snapshots()[at]).filter(|snapshot| snapshot.name() == name)
    }

    /// The snapshot that stands for everything up to `end`: the first dated on or after it, else the newest;
    /// without an end the newest.
    pub fn snapshot_for(&self, end: Option<Date>) -> Option<&Snapshot> {
        let snapshots = self.snapshots();
        let Some(end) = end else { return snapshots.last() };
        let at = snapshots.partition_point(|snapshot| snapshot.date() < Some(end));
        snapshots.get(at).or(snapshots.last())
    }
}

/// The folders over one inventory.
#[derive(Clone, Default)]
pub(super) struct Courses {
    /// Those that pass the filter.
    listed: BTreeMap<Arc<str>, Arc<Course>>,
    by_id: HashMap<(Site, CourseId), Arc<Course>>,
}

impl Courses {
    pub(super) fn build(holdings: &Holdings, met: &[MetCourse], filter: &Filter) -> Courses {
        let mut claims: BTreeMap<(Site, CoursePrefix), Claims> =
            holdings.iter().map(|(course, holding)| (course.clone(), Claims::of(holding))).collect();
        for course in met {
            let claim = claims.entry((course.site.clone(), course.id.prefix())).or_default();
            claim.add(course);
        }
        let mut courses = Courses::default();
        let mut taken = BTreeSet::new();
        for ((site, prefix), claims) in claims {
            for course in claims.folders(&site, &prefix, &mut taken) {
                courses.insert(course, filter);
            }
        }
        courses
    }

    pub(super) fn listed(&self) -> impl Iterator<Item = &Arc<Course>> {
        self.listed.values()
    }

    pub(super) fn by_folder(&self, folder: &str) -> Option<&Arc<Course>> {
        self.listed.get(folder)
    }

    pub(super) fn by_id(&self, site: &Site, id: &CourseId) -> Option<&Course> {
        self.by_id.get(&(site.clone(), id.clone())).map(|course| &**course)
    }

    fn insert(&mut self, course: Course, filter: &Filter) {
        let course = Arc::new(course);
        if let Some((id, _)) = &course.id {
            self.by_id.insert((course.site.clone(), id.clone()), course.clone());
        }
        if filter.shows(&course.folder) {
            self.listed.insert(course.folder.clone(), course);
        }
    }
}

/// What claims one prefix on one site.
#[derive(Default)]
struct Claims {
    holding: Option<Arc<Holding>>,
    ids: BTreeMap<CourseId, Option<u64>>,
}

impl Claims {
    fn of(holding: &Arc<Holding>) -> Claims {
        Claims { holding: Some(holding.clone()), ids: BTreeMap::new() }
    }

    fn add(&mut self, met: &MetCourse) {
        let stated = self.ids.entry(met.id.clone()).or_default();
        *stated = match (*stated, met.stated) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }

    /// The plain folder first.
    fn folders(self, site: &Site, prefix: &CoursePrefix, taken: &mut BTreeSet<Arc<str>>) -> Vec<Course> {
        let mut stated: Vec<(u64, &CourseId)> = self.ids.iter().filter_map(|(id, at)| Some(((*at)?, id))).collect();
        stated.sort();
        let mut owners = stated.into_iter().map(|(_, id)| (id.clone(), Evidence::Stated));
        let owner = owners.next();
        if owner.is_none() && self.holding.is_none() {
            return Vec::new();
        }
        let plain = owner.or_else(|| self.ids.keys().next().map(|id| (id.clone(), Evidence::Mentioned)));
        let mut folder = |hashed: Hashed<'_>| name(prefix, site, hashed, taken);
        let course = |id: Option<(CourseId, Evidence)>, folder, holding| Course {
            folder,
            site: site.clone(),
            prefix: prefix.clone(),
            id,
            holding,
        };
        let mut courses = vec![course(plain, folder(Hashed::IfNeeded), self.holding.clone())];
        courses.extend(owners.map(|(id, evidence)| {
            let folder = folder(Hashed::With(id.as_str()));
            course(Some((id, evidence)), folder, None)
        }));
        courses
    }
}

/// Whether a folder's name has a hash in it.
#[derive(Clone, Copy)]
enum Hashed<'a> {
    /// Only where the prefix alone would be too long, or mean something else.
    IfNeeded,
    With(&'a str),
}

/// Longest folder name, in bytes.
const LONGEST: usize = 240;

/// `prefix[~hash][@site]`, at most [`LONGEST`] bytes. Where even that is taken, the hash is longer.
fn name(prefix: &CoursePrefix, site: &Site, hashed: Hashed<'_>, taken: &mut BTreeSet<Arc<str>>) -> Arc<str> {
    let suffix = site.suffix();
    let plain = format!("{prefix}{suffix}");
    let needed = plain.len() > LONGEST || is_reserved(prefix.as_str()) || taken.contains(plain.as_str());
    let (text, first) = match hashed {
        Hashed::IfNeeded if needed => (plain.as_str(), 6),
        Hashed::IfNeeded => {
            let plain: Arc<str> = plain.into();
            taken.insert(plain.clone());
            return plain;
        }
        Hashed::With(id) => (id, 6),
    };
    let hash = blake3::hash(text.as_bytes()).to_hex();
    let prefix = prefix.as_str().replace(['/', '\0'], "_");
    let names = (first..=hash.len()).map(|digits| -> Arc<str> {
        let suffix = cut(&suffix, LONGEST / 2);
        let room = LONGEST - 1 - digits - suffix.len();
        format!("{}~{}{suffix}", cut(&prefix, room), &hash[..digits]).into()
    });
    let free = names.into_iter().find(|name| taken.insert(name.clone()));
    free.expect("two names with one 256-bit hash would be needed for each of its lengths")
}

/// Names that mean something else beside course folders; `@` begins a site.
fn is_reserved(prefix: &str) -> bool {
    matches!(prefix, "all" | "unattributed") || prefix.contains('@') || !is_file_name(prefix)
}

/// The longest beginning of at most `bytes` bytes that ends between characters.
fn cut(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_mean_something_else_get_a_hash_and_no_name_comes_twice() {
        let mut taken = BTreeSet::new();
        let mut name = |prefix: &str, site: &str, hashed: Hashed<'_>| {
            name(&CoursePrefix::new(prefix), &Site::from_token(site), hashed, &mut taken).to_string()
        };
        assert_eq!(name("A-B-C", "edx", Hashed::IfNeeded), "A-B-C");
        assert_eq!(name("A-B-C", "edge", Hashed::IfNeeded), "A-B-C@edge");
        for prefix in ["all", "unattributed", "A@edge", ".", "a/b"] {
            let name = name(prefix, "edx", Hashed::IfNeeded);
            assert!(name.contains('~') && is_file_name(&name), "{prefix}");
        }
        let first = name("A-B-C", "edge", Hashed::With("A/B/C"));
        let second = name("A-B-C", "edge", Hashed::With("A/B/C"));
        assert!(first.len() == "A-B-C~123456@edge".len() && second.len() == first.len() + 1, "{first} {second}");
        let long = name("A-B-C", &"x".repeat(300), Hashed::IfNeeded);
        assert!(long.len() <= LONGEST, "{long}");
    }
}
