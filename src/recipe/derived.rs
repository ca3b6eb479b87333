//! What joins days and tables: what the tree asks for, and what it comes to once everything it is made of is known.
//!
//! The tree names such a file without I/O ([`Late`]). Its days' tallies have digests; a file made of days is keyed by
//! those, so that a day which holds nothing of a course changes no key of it.

use std::fmt;
use std::sync::Arc;

use jiff::civil::Date;

use crate::edx::course_run::CourseId;
use crate::edx::tracking_log::CourseRule;
use crate::edx::window::Window;
use crate::recipe::database::axis::AXIS;
use crate::recipe::database::forum::FORUM;
use crate::recipe::tallies::TallyParams;
use crate::recipe::{Artifact, Output, Part, Recipe};

/// Whose data.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    Organisation,
    /// The name of a course folder.
    Course(Arc<str>),
}

/// A file that joins days, as the tree names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Late {
    pub org: Arc<str>,
    pub file: LateFile,
    pub scope: Scope,
    pub window: Window,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LateFile {
    /// `samced.db`.
    Samced,
    /// One of its tables as CSV.
    Sheet(Arc<str>),
    /// `errors.txt`.
    VideoErrors,
    /// A learner's file; `user` as the folder is called.
    Learner { user: Arc<str>, lines: LearnerLines },
}

/// Which lines of a learner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LearnerLines {
    All,
    Videos,
}

/// One day's tallies of one course that has lines in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TalliedDay {
    pub log: Part,
    pub rule: CourseRule,
    pub params: Arc<TallyParams>,
    /// The date in the log's name.
    pub date: Date,
    /// BLAKE3 of the course's slice of the day's tallies.
    pub digest: [u8; 32],
}

/// Some days of one course, merged: those of a month, or of the part of it that a window holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fold {
    pub course: CourseId,
    /// In order of date, at least one.
    pub days: Vec<TalliedDay>,
}

/// What a samced.db is made of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Database {
    pub scope: Scope,
    pub window: Window,
    /// In order of folder name; one for the database of a course.
    pub courses: Vec<CourseInputs>,
}

/// One course's share of a database.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CourseInputs {
    pub folder: Arc<str>,
    /// None: no event of it was ever met, and its files do not tell.
    pub id: Option<CourseId>,
    /// The snapshot's name.
    pub snapshot: Option<Arc<str>>,
    /// Those of the standard tables that the snapshot holds, in order of name.
    pub tables: Vec<(Arc<str>, Artifact)>,
    pub forum: Option<Artifact>,
    pub structure: Option<Artifact>,
    /// By month, in order.
    pub folds: Vec<Arc<Fold>>,
    /// Days of the window whose logs could not be read, in order.
    pub unreadable: Vec<Date>,
}

/// One learner's lines of one course.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Learner {
    pub course: CourseId,
    /// 1 to 20 digits, or `undefined`.
    pub user: Arc<str>,
    pub lines: LearnerLines,
    /// Days that hold lines of the course, in order.
    pub days: Vec<TalliedDay>,
    /// Whose ids give those events a learner that state a username alone.
    pub auth_user: Option<Artifact>,
}

/// Everybody who has lines in one course.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Roster {
    pub course: CourseId,
    pub days: Vec<TalliedDay>,
    pub auth_user: Option<Artifact>,
}

/// The e-mail opt-in list and what it is joined to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OptIn {
    pub list: Artifact,
    /// Each course's `auth_user` and `auth_userprofile`, in order of folder name.
    pub users: Vec<Artifact>,
    pub profiles: Vec<Artifact>,
}

impl OptIn {
    pub fn files(&self) -> impl Iterator<Item = &Artifact> {
        self.users.iter().chain(&self.profiles).chain([&self.list])
    }
}

impl Scope {
    pub fn identity(&self) -> String {
        match self {
            Scope::Organisation => "/".to_owned(),
            Scope::Course(folder) => folder.to_string(),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scope::Organisation => f.write_str("the organisation"),
            Scope::Course(folder) => f.write_str(folder),
        }
    }
}

impl LearnerLines {
    /// The file's name.
    pub fn name(self) -> &'static str {
        match self {
            LearnerLines::All => "events.log",
            LearnerLines::Videos => "video_events.log",
        }
    }
}

impl Late {
    /// Never names a learner.
    pub fn label(&self) -> String {
        match &self.file {
            LateFile::Samced => format!("samced.db of {}", self.scope),
            LateFile::Sheet(table) => format!("{table} of samced.db of {}", self.scope),
            LateFile::VideoErrors => format!("errors.txt of {}", self.scope),
            LateFile::Learner { .. } => format!("a learner's lines of {}", self.scope),
        }
    }

    /// Differs between any two that differ.
    pub fn identity(&self) -> String {
        let file = match &self.file {
            LateFile::Samced => "samced".to_owned(),
            LateFile::Sheet(table) => format!("sheet {table}"),
            LateFile::VideoErrors => "errors".to_owned(),
            LateFile::Learner { user, lines } => format!("learner {user} {}", lines.name()),
        };
        format!("{file}\0{}\0{}", self.scope.identity(), self.window)
    }
}

impl TalliedDay {
    /// The day's tallies, every course's.
    pub fn tallies(&self) -> Recipe {
        Recipe::Tallies { log: self.log.clone(), rule: self.rule, params: self.params.clone() }
    }

    /// Where the day's learners have their lines.
    pub fn lines(&self) -> Artifact {
        Artifact { recipe: self.tallies(), output: Output::Lines }
    }

    /// The course's lines of the day.
    pub fn segment(&self, course: &CourseId) -> Artifact {
        let recipe = Recipe::Day { log: self.log.clone(), rule: self.rule };
        Artifact { recipe, output: Output::Course(course.clone()) }
    }
}

impl Fold {
    pub fn label(&self) -> String {
        let month = self.days.first().map_or_else(String::new, |day| day.date.strftime("%Y-%m").to_string());
        format!("{} in {month}", self.course)
    }
}

impl CourseInputs {
    /// Without the files that `table` is not made of, and without days.
    pub fn for_table(mut self, table: &str) -> Self {
        self.tables.retain(|(name, _)| **name == *table);
        self.forum.take_if(|_| !FORUM.contains(&table));
        self.structure.take_if(|_| table != AXIS);
        CourseInputs { folds: Vec::new(), unreadable: Vec::new(), ..self }
    }

    fn file_of(&self, table: &str) -> Option<&Artifact> {
        match table {
            forum if FORUM.contains(&forum) => self.forum.as_ref(),
            AXIS => self.structure.as_ref(),
            _ => self.tables.iter().find(|(name, _)| **name == *table).map(|(_, file)| file),
        }
    }

    /// Its files.
    pub fn files(&self) -> impl Iterator<Item = &Artifact> {
        self.tables.iter().map(|(_, file)| file).chain(&self.forum).chain(&self.structure)
    }
}

impl Database {
    pub fn label(&self) -> String {
        format!("samced.db of {}", self.scope)
    }

    /// The file that a table is made from, or a course's share of one (`<folder>/<table>`); None for a table made from
    /// events.
    pub fn file_of(&self, name: &str) -> Option<&Artifact> {
        let (folder, table) = name.split_once('/').map_or((None, name), |(folder, table)| (Some(folder), table));
        let courses = self.courses.iter().filter(|course| folder.is_none_or(|folder| *course.folder == *folder));
        courses.filter_map(|course| course.file_of(table)).next()
    }
}
