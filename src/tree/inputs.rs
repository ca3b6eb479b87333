//! What a course's snapshot gives to the files that are derived from it: the same artifacts as `tables/` shows.

use std::sync::Arc;

use super::snapshot_files;
use crate::catalog::Snapshot;
use crate::catalog::courses::Course;
use crate::edx::member_name::MemberKind;
use crate::edx::window::Window;
use crate::recipe::Artifact;

/// The tables that samced.db takes over, in order of name.
const STANDARD_TABLES: [&str; 8] = [
    "auth_userprofile",
    "certificates_generatedcertificate",
    "courseware_studentmodule",
    "student_courseenrollment",
    "student_languageproficiency",
    "user_api_usercoursetag",
    "wiki_article",
    "wiki_articlerevision",
];

/// The files of one snapshot, those left out that are empty although encrypted.
#[derive(Debug, Default)]
pub struct SnapshotInputs {
    /// The snapshot's name; None: no snapshot holds a file of the course.
    pub snapshot: Option<Arc<str>>,
    /// The standard tables that it holds, in order of name.
    pub tables: Vec<(Arc<str>, Artifact)>,
    pub forum: Option<Artifact>,
    pub structure: Option<Artifact>,
    pub auth_user: Option<Artifact>,
}

/// The files of the snapshot that stands for the window.
pub fn snapshot_inputs(course: &Course, window: Window) -> SnapshotInputs {
    let Some(snapshot) = course.snapshot_for(window.to) else { return SnapshotInputs::default() };
    let standard = |name: &&str| Some(((*name).into(), table(snapshot, name)?));
    SnapshotInputs {
        snapshot: Some(snapshot.name().into()),
        tables: STANDARD_TABLES.iter().filter_map(standard).collect(),
        forum: usable(snapshot, &MemberKind::Forum),
        structure: usable(snapshot, &MemberKind::Structure),
        auth_user: table(snapshot, "auth_user"),
    }
}

/// One table of a snapshot.
pub(super) fn table(snapshot: &Snapshot, name: &str) -> Option<Artifact> {
    usable(snapshot, &MemberKind::Table(name.to_owned()))
}

fn usable(snapshot: &Snapshot, kind: &MemberKind) -> Option<Artifact> {
    snapshot.member(kind).filter(|member| !member.is_void()).map(|member| snapshot_files::artifact(&member))
}
