//! `course-run-data/`: what the ChalmersX Analytic Toolkit leaves of a course run, under the names that its
//! second-stage scripts look for.

use std::cell::LazyCell;

use super::scope::CourseScope;
use super::view::{Listing, View};
use super::{Body, Node, Tree, days, late, missing, pages, snapshot_files};
use crate::catalog::package::Member;
use crate::edx::member_name::MemberKind;
use crate::error::Result;
use crate::recipe::derived::LateFile;
use crate::recipe::{Artifact, Output, Recipe};

pub(super) struct RunData;

const EVENTS: &str = "events";
const SURVEYS: &str = "survey-data";
const VIDEOS: &str = "improved-video-data";
const FORUM: &str = "improved-forum-data";

/// Tables shown as the package has them; what identifies people is not.
const RAW_TABLES: [&str; 6] = [
    "courseware_studentmodule",
    "student_courseenrollment",
    "student_languageproficiency",
    "user_api_usercoursetag",
    "wiki_article",
    "wiki_articlerevision",
];

/// Tables shown without the columns that identify people.
const REDUCED_TABLES: [&str; 2] = ["auth_userprofile", "certificates_generatedcertificate"];

/// What a name stands for.
enum Entry<'a> {
    Folder,
    Info,
    Member(Member<'a>),
    Late(LateFile),
}

type Entries<'a> = Vec<(String, Entry<'a>)>;

/// The entries of a folder of it, but for those of `events`.
fn entries<'a>(scope: &'a CourseScope, folder: &[&str]) -> Result<Entries<'a>> {
    match folder {
        [] => Ok(top(scope)),
        [SURVEYS] => Ok(sheets(&["pre_survey_answers", "post_survey_answers"])),
        [VIDEOS] => {
            let mut entries = sheets(&["video_activity", "video_activity_ng", "video_activity_ng2"]);
            entries.push(("errors.txt".to_owned(), Entry::Late(LateFile::VideoErrors)));
            Ok(entries)
        }
        [FORUM] if holds(scope, &MemberKind::Forum) => {
            Ok(sheets(&["discussion_forum_activity", "discussion_forum_activity_ng"]))
        }
        _ => Err(missing()),
    }
}

fn top(scope: &CourseScope) -> Entries<'_> {
    let members = scope.snapshot().into_iter().flat_map(|snapshot| snapshot.members());
    let raw = members.filter(|(kind, _)| is_raw(kind)).map(|(_, member)| {
        let name = member.path.rsplit('/').next().unwrap_or(member.path);
        (name.to_owned(), Entry::Member(member))
    });
    let mut entries: Entries<'_> = raw.collect();
    let is_held = |table: &&str| holds(scope, &MemberKind::Table((*table).to_owned()));
    let reduced: Vec<&str> = REDUCED_TABLES.into_iter().filter(is_held).collect();
    entries.extend(sheets(&reduced));
    let forum = holds(scope, &MemberKind::Forum).then_some(FORUM);
    let folders = [EVENTS, SURVEYS, VIDEOS].into_iter().chain(forum);
    entries.extend(folders.map(|name| (name.to_owned(), Entry::Folder)));
    entries.push(("info.txt".to_owned(), Entry::Info));
    entries
}

fn is_raw(kind: &MemberKind) -> bool {
    match kind {
        MemberKind::Table(table) => RAW_TABLES.contains(&table.as_str()),
        MemberKind::Forum | MemberKind::Structure | MemberKind::Content => true,
        MemberKind::OptIn => false,
    }
}

fn holds(scope: &CourseScope, kind: &MemberKind) -> bool {
    scope.snapshot().and_then(|snapshot| snapshot.member(kind)).is_some_and(|member| !member.is_void())
}

fn sheets<'a>(tables: &[&str]) -> Entries<'a> {
    let sheet = |table: &&str| (format!("{table}.csv"), Entry::Late(LateFile::Sheet((*table).into())));
    tables.iter().map(sheet).collect()
}

fn nodes(tree: &Tree<'_>, scope: &CourseScope, entries: Entries<'_>) -> Listing {
    let modified = LazyCell::new(|| late::modified(tree, scope));
    let node = |entry| match entry {
        Entry::Folder => tree.folder(),
        Entry::Info => pages::run_info(tree, scope),
        Entry::Member(member) => snapshot_files::decrypted(&member),
        Entry::Late(file) => late::file(late::of_course(tree, scope, file), *modified),
    };
    entries.into_iter().map(|(name, entry)| (name, node(entry))).collect()
}

fn gzipped(node: Node) -> Node {
    match node {
        Node::File { body: Body::Artifact(content), modified } => {
            let recipe = Recipe::Gzipped { content: Box::new(content) };
            Node::File { body: Body::Artifact(Artifact { recipe, output: Output::Whole }), modified }
        }
        other => other,
    }
}

impl View<CourseScope> for RunData {
    fn name(&self) -> &'static str {
        "course-run-data"
    }

    fn lookup(&self, tree: &Tree<'_>, scope: &CourseScope, rest: &[&str]) -> Result<Node> {
        match rest {
            [] => Ok(tree.folder()),
            [EVENTS, name] => {
                let name = name.strip_suffix(".gz").ok_or_else(missing)?;
                days::lookup(tree, &scope.course, scope.days(), name).map(gzipped)
            }
            [folder @ .., name] => {
                let mut entries = entries(scope, folder)?;
                entries.retain(|(found, _)| found == name);
                nodes(tree, scope, entries).pop().map(|(_, node)| node).ok_or_else(missing)
            }
        }
    }

    fn list(&self, tree: &Tree<'_>, scope: &CourseScope, rest: &[&str]) -> Result<Listing> {
        match rest {
            [EVENTS] => {
                let days = days::list(tree, &scope.course, scope.days()).into_iter();
                Ok(days.map(|(name, node)| (format!("{name}.gz"), gzipped(node))).collect())
            }
            folder => Ok(nodes(tree, scope, entries(scope, folder)?)),
        }
    }
}
