//! `learners/<user_id>/…`: one learner's lines, of a course, and at the root of every course. No folder of theirs is
//! listed; any id resolves.

use super::scope::{CourseScope, Organisation};
use super::view::{Listing, View};
use super::{Node, Tree, late, missing};
use crate::error::Result;
use crate::recipe::derived::{LateFile, LearnerLines};

pub(super) struct Learners;

const FILES: [LearnerLines; 2] = [LearnerLines::All, LearnerLines::Videos];
const LONGEST_ID: usize = 20;
/// Whose events state no user id.
const NOBODY: &str = "undefined";

/// Errors: `NotFound` for what is no user's folder; file managers look for `.Trash` and the like.
fn user(name: &str) -> Result<&str> {
    let is_number = !name.is_empty() && name.len() <= LONGEST_ID && name.bytes().all(|byte| byte.is_ascii_digit());
    let is_plain = is_number && (name == "0" || !name.starts_with('0'));
    (is_plain || name == NOBODY).then_some(name).ok_or_else(missing)
}

fn late_file(user: &str, lines: LearnerLines) -> LateFile {
    LateFile::Learner { user: user.into(), lines }
}

fn lookup(tree: &Tree<'_>, scope: &CourseScope, user: &str, name: &str) -> Result<Node> {
    let lines = FILES.into_iter().find(|lines| lines.name() == name).ok_or_else(missing)?;
    let late = late::of_course(tree, scope, late_file(user, lines));
    Ok(late::file(late, late::modified(tree, scope)))
}

fn list(tree: &Tree<'_>, scope: &CourseScope, user: &str) -> Listing {
    let modified = late::modified(tree, scope);
    let file = |lines| late::file(late::of_course(tree, scope, late_file(user, lines)), modified);
    FILES.into_iter().map(|lines| (lines.name().to_owned(), file(lines))).collect()
}

fn scope(tree: &Tree<'_>, folder: &str) -> Result<CourseScope> {
    let course = tree.catalog.course(folder).ok_or_else(missing)?;
    Ok(CourseScope { course: course.clone(), window: None })
}

impl View<CourseScope> for Learners {
    fn name(&self) -> &'static str {
        "learners"
    }

    fn lookup(&self, tree: &Tree<'_>, scope: &CourseScope, rest: &[&str]) -> Result<Node> {
        match rest {
            [] => Ok(tree.folder()),
            [id] => user(id).map(|_| tree.folder()),
            [id, name] => lookup(tree, scope, user(id)?, name),
            _ => Err(missing()),
        }
    }

    fn list(&self, tree: &Tree<'_>, scope: &CourseScope, rest: &[&str]) -> Result<Listing> {
        match rest {
            [] => Ok(Vec::new()),
            [id] => Ok(list(tree, scope, user(id)?)),
            _ => Err(missing()),
        }
    }
}

impl View<Organisation> for Learners {
    fn name(&self) -> &'static str {
        "learners"
    }

    fn lookup(&self, tree: &Tree<'_>, _: &Organisation, rest: &[&str]) -> Result<Node> {
        match rest {
            [] => Ok(tree.folder()),
            [id] => user(id).map(|_| tree.folder()),
            [id, folder] => {
                user(id)?;
                scope(tree, folder).map(|_| tree.folder())
            }
            [id, folder, name] => lookup(tree, &scope(tree, folder)?, user(id)?, name),
            _ => Err(missing()),
        }
    }

    /// A course known to have nothing of the learner is left out, but still resolves: a name once listed stays.
    fn list(&self, tree: &Tree<'_>, _: &Organisation, rest: &[&str]) -> Result<Listing> {
        match rest {
            [] => Ok(Vec::new()),
            [id] => {
                let user = user(id)?;
                let has = |folder: &str| tree.known.has_learner(folder, user) != Some(false);
                let folders = tree.catalog.courses().map(|course| &*course.folder).filter(|folder| has(folder));
                Ok(folders.map(|folder| (folder.to_owned(), tree.folder())).collect())
            }
            [id, folder] => Ok(list(tree, &scope(tree, folder)?, user(id)?)),
            _ => Err(missing()),
        }
    }
}
