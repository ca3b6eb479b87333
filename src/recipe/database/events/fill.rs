//! One course's records into the tables, in one pass.

use std::collections::HashMap;

use jiff::civil::Date;

use crate::error::{Error, Result};
use crate::recipe::database::bulk::{Bulk, IntegerColumn};
use crate::recipe::database::events::Kind;
use crate::recipe::database::events::problems::Namer;
use crate::recipe::database::events::rows::{AnswerRows, CountRows, Insert, Key, date_text, time_text};
use crate::recipe::database::events::schema::{PAGES, SURVEYS, Schema, WideTable, page_name, problem_table};
use crate::recipe::tallies::record::{CheckValues, Counted, Page, Record, Time};

/// Holds a row of each table, and the names of the course's problem tables.
pub(super) struct Fill<'a> {
    titles: &'a HashMap<String, String>,
    events: u64,
    namer: Namer,
    problem_index: Insert,
    event_counts: Insert,
    video: CountRows<'a>,
    per_video: CountRows<'a>,
    video_steps: Option<CountRows<'a>>,
    pre_roll: CountRows<'a>,
    problem_activity: CountRows<'a>,
    textbook: CountRows<'a>,
    /// As `SURVEYS`.
    surveys: Vec<AnswerRows<'a>>,
    pages: PageRows<'a>,
    checks: CheckRows<'a>,
}

impl<'a> Fill<'a> {
    pub fn new(
        schema: &'a Schema,
        bulk: &Bulk<'_>,
        course: &'a str,
        titles: &'a HashMap<String, String>,
    ) -> Result<Self> {
        let counts = |table| CountRows::new(bulk, table, course);
        let surveys = schema.surveys.iter().map(|table| AnswerRows::new(bulk, table, course));
        Ok(Fill {
            titles,
            events: 0,
            namer: schema.namer(),
            problem_index: Insert::new(bulk, &schema.problem_index, course)?,
            event_counts: Insert::new(bulk, &schema.event_counts, course)?,
            video: counts(&schema.video)?,
            per_video: counts(&schema.per_video)?,
            video_steps: schema.video_steps.as_ref().map(counts).transpose()?,
            pre_roll: counts(&schema.pre_roll)?,
            problem_activity: counts(&schema.problem_activity)?,
            textbook: counts(&schema.textbook)?,
            surveys: surveys.collect::<Result<_>>()?,
            pages: PageRows::new(schema, bulk, course)?,
            checks: CheckRows::new(schema, bulk, course)?,
        })
    }

    pub fn take(&mut self, bulk: &mut Bulk<'_>, record: &Record<'_>) -> Result<()> {
        match *record {
            Record::Events { count } => self.events += count,
            Record::MetProblem { problem, display_name, .. } => self.add_problem(bulk, problem, display_name)?,
            Record::EventCount { date, event_type, event_source, count } => {
                self.event_counts.text(0, &date_text(date));
                self.event_counts.text(1, event_type);
                self.event_counts.text(2, event_source);
                self.event_counts.count(3, count);
                self.event_counts.execute(bulk)?;
            }
            Record::Video { user, video, name, count } => self.add_video(bulk, user, video, name, count)?,
            Record::VideoStep { user, video, compartment, name, count } => {
                if let Some(rows) = &mut self.video_steps {
                    let key = Key { user, video: Some(video), compartment: Some(compartment) };
                    rows.add_named(bulk, key, name, count)?;
                }
            }
            Record::Count { table, user, name, count } => {
                self.counts(table)?.add_named(bulk, Key::of(user), name, count)?;
            }
            Record::Page { user, page, date, count } => self.pages.add(bulk, user, page, date, count)?,
            Record::Check { problem, user, time, latest, .. } => self.checks.add(bulk, problem, user, time, &latest)?,
            Record::SurveyCheck { survey, user, column, time, value } => {
                let place = SURVEYS.iter().position(|&other| other == survey).expect("both surveys are listed");
                self.surveys[place].add(bulk, user, column, time, value)?;
            }
            Record::MetName { .. } | Record::MetDate { .. } | Record::MetAnswer { .. } | Record::VideoError { .. } => {}
        }
        Ok(())
    }

    /// Writes the rows that have begun; the course's events.
    pub fn finish(mut self, bulk: &mut Bulk<'_>) -> Result<u64> {
        let counts = [&mut self.video, &mut self.per_video].into_iter().chain(&mut self.video_steps);
        let counts = counts.chain([&mut self.pre_roll, &mut self.problem_activity, &mut self.textbook]);
        for rows in counts.chain(self.pages.wide.iter_mut().map(|(_, rows)| rows)) {
            rows.flush(bulk)?;
        }
        self.surveys.iter_mut().try_for_each(|rows| rows.flush(bulk))?;
        Ok(self.events)
    }

    fn counts(&mut self, table: Counted) -> Result<&mut CountRows<'a>> {
        match table {
            Counted::PreRoll => Ok(&mut self.pre_roll),
            Counted::Problem => Ok(&mut self.problem_activity),
            Counted::Textbook => Ok(&mut self.textbook),
            Counted::Video | Counted::VideoSteps => Err(Error::internal("a video event is counted without its video")),
        }
    }

    fn add_video(
        &mut self,
        bulk: &mut Bulk<'_>,
        user: &str,
        video: Option<&str>,
        name: &str,
        count: u64,
    ) -> Result<()> {
        let column = self.video.column(name)?;
        self.video.begin(bulk, Key::of(user))?;
        self.video.add(column, count);
        if video.is_some() {
            self.per_video.begin(bulk, Key { user, video, compartment: None })?;
            self.per_video.add(column, count);
        }
        Ok(())
    }

    fn add_problem(&mut self, bulk: &mut Bulk<'_>, problem: &str, display_name: Option<&str>) -> Result<()> {
        let table = self.namer.name(problem);
        self.problem_index.text(0, &table);
        self.problem_index.text(1, problem);
        self.problem_index.maybe_text(2, self.titles.get(problem).map(String::as_str).or(display_name));
        self.problem_index.execute(bulk)?;
        self.checks.add_table(problem, table);
        Ok(())
    }
}

/// `page_activity` and its four wide tables.
struct PageRows<'a> {
    long: Insert,
    /// The day of the last row.
    date: Option<Date>,
    /// As `PAGES`.
    wide: Vec<(&'a WideTable, CountRows<'a>)>,
}

impl<'a> PageRows<'a> {
    fn new(schema: &'a Schema, bulk: &Bulk<'_>, course: &str) -> Result<Self> {
        let rows = |wide: &'a WideTable| Ok((wide, CountRows::new(bulk, &wide.table, course)?));
        let wide = schema.wide_pages.iter().map(rows).collect::<Result<_>>()?;
        Ok(PageRows { long: Insert::new(bulk, &schema.pages, course)?, date: None, wide })
    }

    /// A user whose days were all cut has a row nevertheless.
    fn add(&mut self, bulk: &mut Bulk<'_>, user: &str, page: Page, date: Date, count: u64) -> Result<()> {
        self.long.text(0, user);
        self.long.text(1, page_name(page));
        if self.date.replace(date) != Some(date) {
            self.long.text(2, &date_text(date));
        }
        self.long.count(3, count);
        self.long.execute(bulk)?;
        let place = PAGES.iter().position(|&other| other == page).expect("every page is listed");
        let (wide, rows) = &mut self.wide[place];
        rows.begin(bulk, Key::of(user))?;
        if let Ok(column) = wide.dates.binary_search(&date) {
            rows.add(column, count);
        }
        Ok(())
    }
}

/// `problem` and the tables of problems.
struct CheckRows<'a> {
    kind: Kind,
    course: &'a str,
    long: Insert,
    numbers: IntegerColumn,
    /// Ids and their tables; none in an organisation.
    tables: HashMap<String, String>,
    /// Only one at a time: a course may have thousands.
    current: Option<(String, Insert)>,
}

impl<'a> CheckRows<'a> {
    fn new(schema: &'a Schema, bulk: &Bulk<'_>, course: &'a str) -> Result<Self> {
        let long = Insert::new(bulk, &schema.checks, course)?;
        let numbers = IntegerColumn::new()?;
        Ok(CheckRows { kind: schema.kind, course, long, numbers, tables: HashMap::new(), current: None })
    }

    fn add_table(&mut self, problem: &str, table: String) {
        if self.kind == Kind::Course {
            self.tables.insert(problem.to_owned(), table);
        }
    }

    fn add(
        &mut self,
        bulk: &mut Bulk<'_>,
        problem: &str,
        user: &str,
        time: Time,
        latest: &CheckValues<'_>,
    ) -> Result<()> {
        let time = time_text(time);
        let numbers = [latest.attempts, latest.grade, latest.max_grade];
        let [attempts, grade, max_grade] = numbers.map(|text| self.numbers.value(text));
        let (attempts, grade, max_grade) = (attempts?, grade?, max_grade?);
        self.long.text(0, problem);
        self.long.text(1, user);
        self.long.value(2, attempts);
        self.long.maybe_text(3, latest.success);
        self.long.value(4, grade);
        self.long.value(5, max_grade);
        self.long.maybe_text(6, time.as_deref());
        self.long.execute(bulk)?;
        if self.kind == Kind::Organisation {
            return Ok(());
        }
        let rows = self.table(bulk, problem)?;
        rows.text(0, user);
        rows.value(1, attempts);
        rows.value(2, grade);
        rows.value(3, max_grade);
        rows.maybe_text(4, latest.success);
        rows.maybe_text(5, time.as_deref());
        rows.execute(bulk)
    }

    fn table(&mut self, bulk: &mut Bulk<'_>, problem: &str) -> Result<&mut Insert> {
        if self.current.as_ref().is_none_or(|(current, _)| current != problem) {
            let unknown = || Error::internal("a problem was not announced");
            let table = problem_table(self.tables.get(problem).ok_or_else(unknown)?.clone());
            // Checks come by problem.
            if let Some((_, complete)) = self.current.take() {
                complete.complete(bulk)?;
            }
            self.current = Some((problem.to_owned(), Insert::new(bulk, &table, self.course)?));
        }
        let (_, rows) = self.current.as_mut().expect("it was just set");
        Ok(rows)
    }
}
