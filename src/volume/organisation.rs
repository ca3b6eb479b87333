//! One organisation: its tree over its catalog, its engine, and the background work for both.

use std::collections::HashSet;
use std::io::{BufRead, BufReader};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::catalog::Catalog;
use crate::catalog::problem::Problem;
use crate::control::Origin;
use crate::edx::course_run::CourseId;
use crate::edx::course_structure;
use crate::edx::tracking_log::{CourseRule, Evidence};
use crate::edx::window::Window;
use crate::engine::Engine;
use crate::engine::indexer::Indexer;
use crate::engine::size::Size;
use crate::engine::wait::Wait;
use crate::error::{Error, ErrorKind, Result};
use crate::recipe::derived::Late;
use crate::recipe::tallies::TallyParams;
use crate::recipe::{Artifact, Output, Part, Recipe};
use crate::store::Store;
use crate::store::blob::Blob;
use crate::tree::{Body, Known, Node, Page, Tree};
use crate::volume::derived::Resolved;
use crate::volume::faults::Fault;
use crate::volume::learned::Learned;
use crate::volume::records::{Records, Refreshed};

use crate::volume::{Listed, Provenance, Sizes};

pub struct Organisation {
    pub(super) records: Arc<Records>,
    pub(super) engine: Engine,
    pub(super) store: Store,
    pub(super) rule: CourseRule,
    /// How days are tallied.
    pub(super) tallies: Arc<TallyParams>,
    pub(super) sizes: Sizes,
    /// How long `--sizes exact` lets a `stat` wait.
    pub(super) patience: Duration,
    pub(super) indexer: Option<Indexer>,
    pub(super) learned: Learned,
    pub(super) resolved: Resolved,
}

impl Organisation {
    pub fn lookup(&self, path: &str, wait: Wait<'_>) -> Result<Node> {
        self.with_tree(path, wait, |tree| tree.lookup(path))
    }

    pub fn list(&self, path: &str, wait: Wait<'_>) -> Result<Arc<Vec<Listed>>> {
        self.prepare_rosters(path, wait)?;
        let entries = self.with_tree(path, wait, |tree| tree.list(path))?;
        let listed: Vec<_> = entries.into_iter().map(|(name, node)| Listed { name, node }).collect();
        self.urge_indexing(path, &listed);
        Ok(Arc::new(listed))
    }

    pub fn render(&self, page: &Page) -> Arc<str> {
        let catalog = self.records.catalog();
        self.tree(&catalog).render(page).into()
    }

    pub fn size(&self, artifact: &Artifact, wait: Wait<'_>) -> Result<Size> {
        let size = self.size_at_once(artifact);
        match (size, self.sizes, wait) {
            (Size::StandIn(_), Sizes::Exact, Wait::Never) => {
                Err(Error::new(ErrorKind::WouldWait, "its size is not known yet"))
            }
            (Size::StandIn(_), Sizes::Exact, Wait::Until(gone)) => self.measure(artifact, gone),
            _ => Ok(size),
        }
    }

    /// Exact where known, else a stand-in.
    pub fn size_at_once(&self, artifact: &Artifact) -> Size {
        let known = self.resolve(artifact).map(|resolved| self.engine.size(&resolved));
        match (known, &artifact.recipe) {
            (None | Some(Size::StandIn(_)), Recipe::Late(late)) => self.late_stand_in(late),
            (Some(size), _) => size,
            (None, _) => self.engine.size(artifact),
        }
    }

    fn measure(&self, artifact: &Artifact, gone: &(dyn Fn() -> bool + Sync)) -> Result<Size> {
        let begun = Instant::now();
        let patience = self.patience;
        let enough = move || gone() || begun.elapsed() > patience;
        let made = self.settle(artifact, Wait::Until(&enough)).and_then(|artifact| {
            self.engine.index(&artifact.recipe, Wait::Until(&enough))?;
            Ok(self.engine.size(&artifact))
        });
        made.map_err(|error| {
            if error.kind() == ErrorKind::Interrupted && !gone() {
                let message = format!("its size was not known within {} s", patience.as_secs());
                return Error::new(ErrorKind::TimedOut, message).advise("run `edxfs index` on it first");
            }
            error
        })
    }

    /// The content. Errors: see [`Engine::open`].
    pub fn open(&self, artifact: &Artifact, wait: Wait<'_>) -> Result<Blob> {
        let artifact = self.settle(artifact, wait)?;
        self.engine.open(&artifact, wait)
    }

    /// Measures an artifact's recipe and keeps its content if there is room.
    pub fn fill(&self, artifact: &Artifact, wait: Wait<'_>) -> Result<()> {
        self.engine.fill(&self.settle(artifact, wait)?, wait)?;
        // A day that was decoded when nothing was tallied yet.
        if let Recipe::Day { log, rule } = &artifact.recipe {
            self.engine.index(&self.tallies_of(log, *rule), wait)?;
        }
        Ok(())
    }

    pub(super) fn tallies_of(&self, log: &Part, rule: CourseRule) -> Recipe {
        Recipe::Tallies { log: log.clone(), rule, params: self.tallies.clone() }
    }

    pub fn provenance(&self, artifact: &Artifact) -> Provenance {
        let resolved = self.resolve(artifact);
        let resolved = resolved.as_ref().unwrap_or(artifact);
        let Origin { source, etag } = origin_of(resolved);
        Provenance { source, etag, cached: self.engine.is_cached(resolved), needs: self.needs(artifact) }
    }

    /// Where its bytes come from. Decodes nothing.
    pub fn origin(&self, artifact: &Artifact) -> Origin {
        origin_of(self.resolve(artifact).as_ref().unwrap_or(artifact))
    }

    fn needs(&self, artifact: &Artifact) -> usize {
        if let Recipe::Late(late) = &artifact.recipe {
            return self.late_needs(late);
        }
        let is_cached = |artifact: &Artifact| {
            self.resolve(artifact).as_ref().is_some_and(|resolved| self.engine.is_cached(resolved))
        };
        let missing = |artifact: &Artifact| usize::from(!is_cached(artifact));
        match (&artifact.recipe, missing(artifact)) {
            (Recipe::Joined { parts, .. }, 1) => parts.iter().map(|part| missing(&part.artifact())).sum(),
            (Recipe::OptIn(opt_in), 1) => opt_in.files().map(missing).sum(),
            (_, missing) => missing,
        }
    }

    /// 64 bits that stand for the content; None while what it is made of is not known.
    pub fn identity(&self, artifact: &Artifact) -> Option<u64> {
        let hash = blake3::hash(&self.resolve(artifact)?.identity());
        let (first, _) = hash.as_bytes().split_first_chunk::<8>().expect("a hash has 32 bytes");
        Some(u64::from_le_bytes(*first))
    }

    pub fn refresh(&self) -> Result<Refreshed> {
        let refreshed = self.records.refresh()?;
        if refreshed == Refreshed::Changed {
            self.plan_indexing();
        }
        if let Some(indexer) = &self.indexer {
            indexer.resume();
        }
        Ok(refreshed)
    }

    /// What a background indexer would measure, in its order: event days, then the newest snapshot, newest first.
    pub fn worth_indexing(&self) -> Vec<Artifact> {
        let catalog = self.records.catalog();
        let mut days: Vec<_> = catalog.sites().flat_map(|site| catalog.days(site, Window::ALL)).collect();
        days.sort_by(|a, b| (b.date, &a.object.key).cmp(&(a.date, &b.object.key)));
        let day = |log: Part| Artifact { recipe: Recipe::Day { log, rule: self.rule }, output: Output::Loose };
        let mut worth: Vec<_> = days.into_iter().map(|log| day(Part::whole(log.object.clone()))).collect();
        for course in catalog.courses() {
            worth.extend(self.snapshot_files(&course.folder));
        }
        // What is empty cannot be decoded, and the catalog has said so.
        worth.retain(|artifact| artifact.recipe.input().is_none_or(|part| part.encoded_bytes() > 0));
        worth
    }

    /// The files of a course's newest snapshot.
    fn snapshot_files(&self, folder: &str) -> Vec<Artifact> {
        let mut files = Vec::new();
        for path in [format!("courses/{folder}"), format!("courses/{folder}/tables")] {
            let entries = self.with_tree(&path, Wait::Never, |tree| tree.list(&path)).unwrap_or_default();
            files.extend(entries.into_iter().filter_map(|(_, node)| match node {
                Node::File { body: Body::Artifact(artifact), .. } => Some(artifact),
                _ => None,
            }));
        }
        files.retain(|artifact| !matches!(artifact.recipe, Recipe::Late(_)));
        files
    }

    pub fn plan_indexing(&self) {
        if let Some(indexer) = &self.indexer {
            let recipe = |artifact: Artifact| match artifact.recipe {
                // Its pass makes the segments as well.
                Recipe::Day { log, rule } => self.tallies_of(&log, rule),
                recipe => recipe,
            };
            indexer.plan(self.worth_indexing().into_iter().map(recipe));
        }
    }

    /// Lines of problems.tsv.
    pub fn problem_count(&self) -> u64 {
        (self.records.catalog().problems().len() + self.problems().len()) as u64
    }

    /// Somebody looks at these files: their sizes are wanted first.
    fn urge_indexing(&self, path: &str, listed: &[Listed]) {
        let Some(indexer) = &self.indexer else { return };
        if !(path.starts_with("courses/") || path.starts_with("events/")) {
            return;
        }
        let artifact = |entry: &Listed| match &entry.node {
            Node::File { body: Body::Artifact(artifact), .. } => Some(artifact.clone()),
            _ => None,
        };
        let artifacts = listed.iter().rev().filter_map(artifact);
        // What joins days is made when somebody wants it.
        let own = artifacts.filter(|artifact| !matches!(artifact.recipe, Recipe::Late(_) | Recipe::Gzipped { .. }));
        let unknown = own.filter(|artifact| matches!(self.size_at_once(artifact), Size::StandIn(_)));
        let recipes = unknown
            .map(|artifact| self.first_recipe(artifact))
            .filter(|recipe| matches!(recipe, Recipe::Day { .. }) || path.starts_with("courses/"));
        indexer.urge(recipes.collect());
    }

    /// What has to be run before an artifact can be resolved; its own recipe if it needs no resolving.
    fn first_recipe(&self, artifact: Artifact) -> Recipe {
        match artifact.recipe {
            Recipe::Unattributed { log, rule } => Recipe::Day { log, rule },
            Recipe::Gzipped { content } => self.first_recipe(*content),
            recipe => recipe,
        }
    }

    /// The artifact with nothing left open, running the day it depends on if need be.
    fn settle(&self, artifact: &Artifact, wait: Wait<'_>) -> Result<Artifact> {
        if let Recipe::Late(late) = &artifact.recipe {
            return self.settle_late(late, wait);
        }
        if let Some(resolved) = self.resolve(artifact) {
            return Ok(resolved);
        }
        if matches!(wait, Wait::Never) {
            return Err(Error::new(ErrorKind::WouldWait, "its day is not decoded yet"));
        }
        let day = self.first_recipe(artifact.clone());
        self.engine.open(&Artifact { recipe: day.clone(), output: Output::Order }, wait)?;
        if let Some(resolved) = self.resolve(artifact) {
            return Ok(resolved);
        }
        // The output was at hand, but the record of what the day holds is damaged.
        self.engine.index(&day, wait)?;
        self.resolve(artifact).ok_or_else(|| Error::internal("a decoded day is not in the ledger"))
    }

    /// The artifact that a name known late comes to; None while its day is not decoded.
    fn resolve(&self, artifact: &Artifact) -> Option<Artifact> {
        match (&artifact.recipe, &artifact.output) {
            (Recipe::Unattributed { log, rule }, _) => self.resolve_unattributed(log, *rule),
            (Recipe::Late(late), _) => self.resolved_late(late),
            (Recipe::Gzipped { content }, _) => {
                let content = Box::new(self.resolve(content)?);
                Some(Artifact { recipe: Recipe::Gzipped { content }, output: artifact.output.clone() })
            }
            (Recipe::Day { log, .. }, Output::OfFolder(folder)) => {
                let summary = self.engine.summary(&artifact.recipe)?;
                let site = self.records.site_of(log)?;
                let catalog = self.records.catalog();
                let owns =
                    |id: &CourseId| catalog.folder_of(&site, id).is_some_and(|course| *course.folder == **folder);
                let id = summary.courses.into_iter().map(|(id, _)| id).find(owns);
                let output = id.map_or_else(|| artifact.output.clone(), Output::Course);
                Some(Artifact { recipe: artifact.recipe.clone(), output })
            }
            _ => Some(artifact.clone()),
        }
    }

    fn resolve_unattributed(&self, log: &Part, rule: CourseRule) -> Option<Artifact> {
        let day = Recipe::Day { log: log.clone(), rule };
        let summary = self.engine.summary(&day)?;
        let site = self.records.site_of(log)?;
        let catalog = self.records.catalog();
        let mentioned = summary.courses.iter().filter(|(_, stated)| *stated == Evidence::Mentioned);
        let mut ids: Vec<_> = mentioned.map(|(id, _)| id.clone()).collect();
        ids.retain(|id| catalog.folder_of(&site, id).is_none());
        Some(if ids.is_empty() {
            Artifact { recipe: day, output: Output::Loose }
        } else {
            Artifact { recipe: Recipe::Merged { log: log.clone(), rule, ids }, output: Output::Whole }
        })
    }

    fn day<T>(&self, log: &Part, answer: impl FnOnce(&dyn Fn(&CourseId) -> bool) -> T) -> Option<T> {
        let look_up = || {
            let summary = self.engine.summary(&Recipe::Day { log: log.clone(), rule: self.rule })?;
            let with_lines = summary.courses.into_iter().map(|(id, _)| id);
            Some(with_lines.filter(|id| summary.lineless.binary_search(id).is_err()).collect())
        };
        self.learned.day(&log.object, self.engine.runs(), look_up, answer)
    }

    fn tree<'a>(&'a self, catalog: &'a Catalog) -> Tree<'a> {
        Tree { catalog, known: self, rule: self.rule }
    }

    /// Asks the tree, running first what it needs to know (only exchanged packages need anything).
    fn with_tree<T>(&self, path: &str, wait: Wait<'_>, ask: impl Fn(&Tree<'_>) -> Result<T>) -> Result<T> {
        let catalog = self.records.catalog();
        let tree = self.tree(&catalog);
        let answer = ask(&tree);
        let would_wait = matches!(&answer, Err(error) if error.kind() == ErrorKind::WouldWait);
        let needed = if would_wait && matches!(wait, Wait::Until(_)) { tree.needs(path) } else { None };
        let Some(recipe) = needed else { return answer };
        self.engine.index(&recipe, wait)?;
        ask(&tree)
    }
}

fn origin_of(resolved: &Artifact) -> Origin {
    let input = resolved.recipe.input();
    Origin {
        source: input.map_or_else(|| resolved.recipe.label(), Part::name),
        etag: input.map_or_else(String::new, |part| part.object.etag.as_str().to_owned()),
    }
}

impl Known for Organisation {
    fn holds(&self, log: &Part, course: &CourseId) -> Option<bool> {
        self.day(log, |holds| holds(course))
    }

    fn decoded(&self, log: &Part) -> bool {
        self.day(log, |_| ()).is_some()
    }

    fn title(&self, structure: &Artifact) -> Option<Arc<str>> {
        let identity = structure.identity();
        if let Some(title) = self.learned.title(&identity) {
            return Some(title);
        }
        let blob = self.open(structure, Wait::Never).ok()?;
        let title = course_structure::title(BufReader::new(blob.reader())).unwrap_or_else(|error| {
            // Noted as none: the root's listing shows this page's size, and would parse megabytes in vain each time.
            tracing::warn!("{}: {error}", structure.recipe.label());
            None
        });
        let title: Arc<str> = title.unwrap_or_default().into();
        self.learned.note_title(identity, &title);
        Some(title)
    }

    fn unpacked(&self, package: &Part) -> Option<Arc<Vec<String>>> {
        let summary = self.engine.summary(&Recipe::Unpacked { package: package.clone() })?;
        Some(Arc::new(summary.members))
    }

    fn tables(&self, database: &Late) -> Option<Arc<Vec<String>>> {
        Some(Arc::new(self.engine.summary(&self.resolved_late(database)?.recipe)?.members))
    }

    fn has_learner(&self, course: &str, user: &str) -> Option<bool> {
        let Some(roster) = self.roster(course)? else { return Some(false) };
        let roster = self.engine.open(&roster, Wait::Never).ok()?;
        let mut learners = BufReader::new(roster.reader()).lines();
        learners.try_fold(false, |found, learner| Some(found || learner.ok()? == user))
    }

    fn problems(&self) -> Vec<Problem> {
        // What the listing shows to be unreadable has been named; that reading it failed is the same cause.
        let catalog = self.records.catalog();
        let unreadable = catalog.problems().iter().filter(|problem| !problem.errno.is_empty());
        let named: HashSet<_> = unreadable.map(|problem| (&*problem.object, &*problem.entry)).collect();
        let faults = self.records.faults.all();
        faults.iter().filter(|fault| !named.contains(&(&*fault.object, &*fault.entry))).map(Fault::problem).collect()
    }
}
