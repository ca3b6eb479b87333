//! Member name → course prefix, site, kind, read from the right; no zip.

use crate::edx::course_run::{CoursePrefix, Site};

/// What a member of a weekly package holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MemberKind {
    /// A TSV table; the name in lower case as in the package, ORA tables included.
    Table(String),
    Forum,
    Structure,
    Content,
    /// The organisation-wide opt-in list; has no course.
    OptIn,
}

/// A member name understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CourseMember {
    /// None for the opt-in list alone.
    pub course: Option<CoursePrefix>,
    pub site: Site,
    pub kind: MemberKind,
    /// `….failed.gpg`: an error note, not the thing itself.
    pub failed: bool,
}

/// Parses the name behind `{org}-{date}/` (with or without `.gpg`); None where it is not understood: shown raw only.
pub fn parse_member(_entry: &str) -> Option<CourseMember> {
    todo!()
}
