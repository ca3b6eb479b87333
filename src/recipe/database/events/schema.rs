//! The tables from events and their SQL: which there are, in which order, with which columns.

use std::collections::BTreeSet;

use jiff::civil::Date;

use crate::recipe::database::columns::quoted;
use crate::recipe::database::events::Kind;
use crate::recipe::database::events::columns::Met;
use crate::recipe::database::events::problems::{Namer, index_name};
use crate::recipe::tallies::record::{Counted, Page, Survey};

use Affinity::{Integer, Text};

/// In the order of their tables.
pub(super) const PAGES: [Page; 4] = [Page::Progress, Page::Info, Page::Courseware, Page::Discussion];
pub(super) const SURVEYS: [Survey; 2] = [Survey::Pre, Survey::Post];

#[derive(Clone, Copy)]
enum Affinity {
    Integer,
    Text,
}

/// A table: columns that it always has, then one for each name met.
pub(super) struct Table {
    pub name: String,
    fixed: Vec<(&'static str, Affinity)>,
    /// Sorted.
    pub names: Vec<String>,
    names_affinity: Affinity,
}

/// `page_activity_<page>`.
pub(super) struct WideTable {
    pub table: Table,
    /// The day of each of its columns, sorted.
    pub dates: Vec<Date>,
}

/// All tables from events of one database.
pub(super) struct Schema {
    pub kind: Kind,
    pub video: Table,
    pub per_video: Table,
    pub video_steps: Option<Table>,
    pub pre_roll: Table,
    pub problem_activity: Table,
    pub textbook: Table,
    /// As `SURVEYS`.
    pub surveys: [Table; 2],
    /// As `PAGES`.
    pub wide_pages: [WideTable; 4],
    pub pages: Table,
    /// In order of full id.
    problems: Vec<Table>,
    pub checks: Table,
    pub problem_index: Table,
    pub event_counts: Table,
    /// Names that no problem's table may have, in lower case.
    reserved: Vec<String>,
    pub cut_columns: u64,
}

impl Schema {
    /// `taken`: names of the database's other tables, in lower case.
    pub fn new(kind: Kind, met: Met, taken: &BTreeSet<String>) -> Self {
        let counted = |name, table| Table::new(kind, name, &[USER]).with(met.names(table), Integer);
        let mut cut_columns = 0;
        let surveys = SURVEYS.map(|survey| survey_table(kind, survey, &met, &mut cut_columns));
        let wide_pages = PAGES.map(|page| wide_table(kind, page, &met, &mut cut_columns));
        let per_video = Table::new(kind, "video_activity_ng", &[USER, VIDEO]);
        let video_steps = Table::new(kind, "video_activity_ng2", &[USER, VIDEO, ("time_compartment", Integer)]);
        let visits = [USER, ("page", Text), ("date", Text), ("visits", Integer)];
        let index = [("table_name", Text), ("problem_id", Text), ("display_name", Text)];
        let events = [("date", Text), ("event_type", Text), ("event_source", Text), ("events", Integer)];
        let mut schema = Schema {
            kind,
            video: counted("video_activity", Counted::Video),
            per_video: per_video.with(met.names(Counted::Video), Integer),
            video_steps: (kind == Kind::Course).then(|| video_steps.with(met.names(Counted::VideoSteps), Integer)),
            pre_roll: counted("pre_roll_video_activity", Counted::PreRoll),
            problem_activity: counted("problem_activity", Counted::Problem),
            textbook: counted("textbook_activity", Counted::Textbook),
            surveys,
            wide_pages,
            pages: Table::new(kind, "page_activity", &visits),
            problems: Vec::new(),
            checks: checks_table(),
            problem_index: Table::new(kind, "problem_index", &index),
            event_counts: Table::new(kind, "event_counts", &events),
            reserved: Vec::new(),
            cut_columns,
        };
        schema.reserved = schema.tables().map(|table| table.name.clone()).chain(taken.iter().cloned()).collect();
        let mut namer = schema.namer();
        schema.problems = met.problems.iter().map(|problem| problem_table(namer.name(problem))).collect();
        schema
    }

    /// In their order.
    pub fn tables(&self) -> impl Iterator<Item = &Table> {
        let videos = [&self.video, &self.per_video].into_iter().chain(&self.video_steps);
        let counted = [&self.pre_roll, &self.problem_activity, &self.textbook];
        let wide = self.wide_pages.iter().map(|wide| &wide.table);
        let last = [&self.checks, &self.problem_index, &self.event_counts];
        videos.chain(counted).chain(&self.surveys).chain(wide).chain([&self.pages]).chain(&self.problems).chain(last)
    }

    /// Names the problem tables of one course.
    pub fn namer(&self) -> Namer {
        Namer::new(self.reserved.iter().map(String::as_str))
    }
}

const USER: (&str, Affinity) = ("user_id", Text);
const VIDEO: (&str, Affinity) = ("video_event_id", Text);
const COURSE: (&str, Affinity) = ("course", Text);

fn survey_table(kind: Kind, survey: Survey, met: &Met, cut_columns: &mut u64) -> Table {
    let name = match survey {
        Survey::Pre => "pre_survey_answers",
        Survey::Post => "post_survey_answers",
    };
    let kept = met.answers(survey);
    *cut_columns += kept.cut;
    Table::new(kind, name, &[USER, ("time", Text)]).with(kept.columns, Text)
}

fn wide_table(kind: Kind, page: Page, met: &Met, cut_columns: &mut u64) -> WideTable {
    let kept = met.dates(page);
    *cut_columns += kept.cut;
    let names = kept.columns.iter().map(|day| format!("date_{:04}{:02}{:02}", day.year(), day.month(), day.day()));
    let table = Table::new(kind, &format!("page_activity_{}", page_name(page)), &[USER]);
    WideTable { table: table.with(names.collect(), Integer), dates: kept.columns }
}

pub(super) fn page_name(page: Page) -> &'static str {
    match page {
        Page::Courseware => "courseware",
        Page::Discussion => "discussion",
        Page::Info => "info",
        Page::Progress => "progress",
    }
}

/// `problem_<id>`.
pub(super) fn problem_table(name: String) -> Table {
    let checks = [USER, ("attempts", Integer), ("grade", Integer), ("max_grade", Integer)];
    Table::new(Kind::Course, &name, &[&checks[..], &[("success", Text), ("time", Text)]].concat())
}

/// `problem` names the course in every database, so that those of courses can be put together.
fn checks_table() -> Table {
    let key = [("problem_id", Text), USER];
    let values = [("attempts", Integer), ("success", Text), ("grade", Integer), ("max_grade", Integer), ("time", Text)];
    Table::new(Kind::Organisation, "problem", &[&key[..], &values].concat())
}

impl Table {
    fn new(kind: Kind, name: &str, fixed: &[(&'static str, Affinity)]) -> Self {
        let course: &[_] = match kind {
            Kind::Course => &[],
            Kind::Organisation => &[COURSE],
        };
        Table { name: name.to_owned(), fixed: [course, fixed].concat(), names: Vec::new(), names_affinity: Integer }
    }

    fn with(self, names: Vec<String>, names_affinity: Affinity) -> Self {
        Table { names, names_affinity, ..self }
    }

    /// Whether it begins with the column `course`.
    pub fn has_course(&self) -> bool {
        self.fixed.first().is_some_and(|&(name, _)| name == COURSE.0)
    }

    /// Where the columns of `names` begin, `course` not counted.
    pub fn first_name(&self) -> usize {
        self.fixed.len() - usize::from(self.has_course())
    }

    pub fn create_sql(&self) -> String {
        let fixed = self.fixed.iter().copied();
        let names = self.names.iter().map(|name| (name.as_str(), self.names_affinity));
        let columns = fixed.chain(names).map(|(name, affinity)| format!("{} {}", quoted(name), affinity.sql()));
        format!("CREATE TABLE {} ({})", quoted(&self.name), columns.collect::<Vec<_>>().join(", "))
    }

    /// How many there are.
    pub fn columns(&self) -> usize {
        self.fixed.len() + self.names.len()
    }

    /// None: the table has no user_id.
    pub fn index_sql(&self) -> Option<String> {
        let (user, _) = self.fixed.iter().find(|&&(name, _)| name == USER.0)?;
        Some(format!("CREATE INDEX {} ON {} ({})", quoted(&index_name(&self.name)), quoted(&self.name), quoted(user)))
    }
}

impl Affinity {
    fn sql(self) -> &'static str {
        match self {
            Integer => "INTEGER",
            Text => "TEXT",
        }
    }
}
