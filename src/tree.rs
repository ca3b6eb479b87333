//! Path → node: a pure function of a catalog and of what is known of its days; no sizes, no runs.

use std::sync::Arc;

use jiff::Timestamp;

use crate::recipe::Artifact;

/// What stands under one path.
#[derive(Clone, Debug)]
pub enum Node {
    Dir { modified: Timestamp },
    File { body: Body, modified: Timestamp },
}

/// What a file is made of.
#[derive(Clone, Debug)]
pub enum Body {
    Artifact(Artifact),
    /// Rendered when looked up; small, decodes nothing.
    Page(Page),
}

/// The rendered files.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Page {
    Readme,
    Courses,
    Problems,
    /// `info.txt` of a course folder.
    Info(Arc<str>),
}
