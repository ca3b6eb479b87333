//! Course runs in their spellings: course id, package prefix, folder name. Nowhere else splits or joins one.

use std::fmt;
use std::sync::Arc;

/// An edX site, its spellings unified: `edx` and `prod` are `prod`; `edge`; any other token stands for itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Site(Arc<str>);

impl Site {
    pub fn from_token(token: &str) -> Self {
        Site(if token == "edx" { "prod".into() } else { token.into() })
    }
    /// `prod`, `edge`, …
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// What a folder name has behind it: nothing for prod, `@edge`, `@other`.
    pub fn suffix(&self) -> String {
        if &*self.0 == "prod" { String::new() } else { format!("@{}", self.0) }
    }
}

/// A valid course key as it stands in events (never a library key).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CourseId(Arc<str>);

impl CourseId {
    pub fn parse(_text: &str) -> Option<Self> {
        todo!()
    }
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// The prefix that the package uses for this id: its parts joined by `-`.
    pub fn prefix(&self) -> CoursePrefix {
        todo!()
    }
}

/// `{org}-{course}-{run}` as file names in the weekly package begin; never split.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CoursePrefix(Arc<str>);

impl CoursePrefix {
    pub fn new(prefix: &str) -> Self {
        CoursePrefix(prefix.into())
    }
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CoursePrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
