//! Counts one day's events, in the pass that splits the day.
//!
//! Every line of every course is handed in once, each course's in their order. What is counted is noted in a few bytes
//! an event, with numbers for texts, and sorted, added up and written only when it is full or the day ends: a run for
//! each course, and another that says where whose lines are. A course's runs merge to the same whatever was full when.

mod counted;
mod noted;
mod places;
mod surveys;
mod texts;
mod valued;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::civil::Date;

use crate::edx::course_run::CourseId;
use crate::edx::event::check::Check;
use crate::edx::event::names::Name;
use crate::edx::event::page::{Addresses, PageKind, Section};
use crate::edx::event::payload::PayloadText;
use crate::edx::event::video::{self, NoVideo, VideoPayload};
use crate::edx::event::{self, EventSource, EventType};
use crate::edx::tracking_log::Fields;
use crate::error::Result;
use crate::recipe::make::Tallied;
use crate::recipe::tallies::TallyParams;
use crate::recipe::tallies::record::{CheckValues, Record, Survey, Time};
use crate::recipe::tallies::slices::SlicesWriter;
use crate::recipe::{Outputs, Slot};

use counted::{Column, EventKind};
use noted::Noted;
use surveys::Surveys;

/// A day of more lines may be written in several runs a course, which lie otherwise when it is counted course by course.
pub const MOST_LINES_OF_ONE_RUN: u64 = 200_000;

/// One day's counts.
pub struct TallyBuilder {
    compartment_seconds: u32,
    surveys: Surveys,
    log_date: Date,
    tallies: SlicesWriter,
    lines: SlicesWriter,
    /// By the numbers that the caller gives them.
    courses: Vec<Option<Course>>,
    noted: Noted,
    room: PayloadText,
}

/// A course of the day.
struct Course {
    id: CourseId,
    addresses: Addresses,
    lines: u64,
    bytes: u64,
    /// Its number among those with lines since the last runs were written.
    number: Option<u32>,
}

/// One event, as far as every table asks.
struct Event<'e, 'a> {
    fields: &'e Fields<'a>,
    /// Numbers of its course and user.
    course: u32,
    user: u32,
    source: EventSource,
    time: Time,
    /// Of the course's segment, from 1.
    line: u64,
}

impl TallyBuilder {
    /// `log_date`: the date in the log's name. `whole`, `lines`: the outputs of tallies and of lines. Errors: `Usage` for
    /// a pattern that is none.
    pub fn new(params: &TallyParams, log_date: Date, whole: Slot, lines: Slot) -> Result<Self> {
        Ok(TallyBuilder {
            compartment_seconds: params.compartment_seconds.max(1),
            surveys: Surveys::new(params)?,
            log_date,
            tallies: SlicesWriter::new(whole),
            lines: SlicesWriter::new(lines),
            courses: Vec::new(),
            noted: Noted::new(),
            room: PayloadText::default(),
        })
    }

    /// Counts `line`, with its line end as it goes to the segment, and `fields`, what a scan found in it.
    ///
    /// `course` is a number of the caller's for `id`, below the number of courses met. Errors: the outputs'.
    pub fn add(
        &mut self,
        outputs: &mut dyn Outputs,
        course: usize,
        id: &CourseId,
        line: &[u8],
        fields: &Fields<'_>,
    ) -> Result<()> {
        if self.noted.is_full() {
            self.write_runs(outputs)?;
        }
        let (number, line_number, offset) = self.enter(course, id, line.len());
        let event = Event {
            fields,
            course: number,
            user: self.noted.user(event::user_id(fields)),
            source: EventSource::of(fields),
            time: event::time(fields),
            line: line_number,
        };
        let event_type = EventType::of(fields);
        let is_video = matches!(event_type, EventType::Known(name) if name.is_video_event());
        let kind = self.add_to_tables(&event, course, event_type)?;
        if let Some(time) = event.time {
            self.noted.counted.event(event.course, event::time::day_of(time), kind, event.source);
        }
        let person = self.noted.person(event.user, fields);
        self.noted.places.add(event.course, person, offset, line.len(), is_video);
        Ok(())
    }

    /// Writes what is left, and both directories; gives the courses, sorted by id. Errors: the outputs'.
    pub fn finish(mut self, outputs: &mut dyn Outputs) -> Result<Vec<Tallied>> {
        self.write_runs(outputs)?;
        self.lines.finish(outputs)?;
        let events: BTreeMap<_, _> = self.courses.iter().flatten().map(|course| (&course.id, course.lines)).collect();
        let slices = self.tallies.finish(outputs)?.into_iter();
        let tallied = slices.map(|slice| Tallied {
            events: events.get(&slice.course).copied().unwrap_or_default(),
            course: slice.course.as_str().to_owned(),
            digest: slice.digest,
            bytes: slice.bytes,
        });
        Ok(tallied.collect())
    }

    /// Notes one more line of a course: the course's present number, the line's number and its offset.
    fn enter(&mut self, course: usize, id: &CourseId, line_bytes: usize) -> (u32, u64, u64) {
        if self.courses.len() <= course {
            self.courses.resize_with(course + 1, || None);
        }
        let state = self.courses[course].get_or_insert_with(|| Course {
            id: id.clone(),
            addresses: Addresses::of(id),
            lines: 0,
            bytes: 0,
            number: None,
        });
        let number = *state.number.get_or_insert_with(|| self.noted.begin_course());
        self.noted.add_line(number);
        let offset = state.bytes;
        state.lines += 1;
        state.bytes += line_bytes as u64;
        (number, state.lines, offset)
    }

    fn add_to_tables(&mut self, event: &Event<'_, '_>, course: usize, event_type: EventType<'_>) -> Result<EventKind> {
        match event_type {
            EventType::Path(path) => Ok(self.add_path(event, course, &path)),
            EventType::Known(name) => self.add_named(event, name),
            EventType::Textbook => {
                self.noted.counted.textbook(event.course, event.user, Name::OTHER);
                Ok(EventKind::OTHER)
            }
            EventType::Other => Ok(EventKind::OTHER),
        }
    }

    fn add_path(&mut self, event: &Event<'_, '_>, course: usize, path: &str) -> EventKind {
        let addresses = self.courses[course].as_ref().map(|course| &course.addresses);
        let Some(below) = addresses.and_then(|addresses| addresses.below(path)) else { return EventKind::OTHER };
        if let (EventSource::Server, Some(time), Some(section)) = (event.source, event.time, Section::of(&below)) {
            self.noted.counted.page(event.course, event.user, section, event::time::day_of(time));
        }
        EventKind::of_page(PageKind::of(&below))
    }

    fn add_named(&mut self, event: &Event<'_, '_>, name: Name) -> Result<EventKind> {
        let (course, user) = (event.course, event.user);
        if name.is_video_event() {
            self.add_video(event, name)?;
        } else if name.is_problem() {
            let column = match (name, event.source) {
                (Name::PROBLEM_CHECK, EventSource::Browser) => Name::PROBLEM_CHECK_BROWSER,
                (Name::PROBLEM_CHECK, EventSource::Server) => Name::PROBLEM_CHECK_SERVER,
                _ => name,
            };
            self.noted.counted.problem(course, user, column);
            if column == Name::PROBLEM_CHECK_SERVER {
                self.add_check(event)?;
            }
        } else if name.is_bumper() {
            self.noted.counted.bumper(course, user, name);
        } else if name.is_textbook() {
            self.noted.counted.textbook(course, user, name);
        }
        Ok(EventKind::of_name(name))
    }

    fn add_video(&mut self, event: &Event<'_, '_>, event_type: Name) -> Result<()> {
        let column = Column::of(video::column(event.fields, event_type));
        let payload = VideoPayload::read(event.fields, &mut self.room);
        let video = match &payload {
            Some(payload) => self.noted.video(payload),
            None => Err(NoVideo::Unreadable),
        };
        let (course, user) = (event.course, event.user);
        self.noted.counted.video(course, user, video.ok(), column);
        let compartment = |place| video::compartment(place, self.compartment_seconds);
        match (video, payload.map(|payload| payload.place)) {
            (Err(reason), _) => {
                let record = Record::VideoError { date: self.log_date, line: event.line, reason: reason.reason() };
                return self.noted.keep(course, &record);
            }
            (Ok(video), Some(video::Place::At(place))) => {
                self.noted.counted.step(course, user, video, compartment(place), column);
            }
            (Ok(video), Some(video::Place::Moved { from, to })) => {
                self.noted.counted.step(course, user, video, compartment(from), column.start());
                self.noted.counted.step(course, user, video, compartment(to), column.end());
            }
            (Ok(_), _) => {}
        }
        Ok(())
    }

    fn add_check(&mut self, event: &Event<'_, '_>) -> Result<()> {
        let Some(check) = Check::read(event.fields) else { return Ok(()) };
        let (course, time, problem) = (event.course, event.time, &*check.problem);
        let display_name = check.display_name.as_deref();
        self.noted.keep(course, &Record::MetProblem { problem, time, display_name })?;
        let latest = CheckValues {
            attempts: check.attempts.as_deref(),
            grade: check.grade.as_deref(),
            max_grade: check.max_grade.as_deref(),
            success: check.success.as_deref(),
        };
        let of_user = |user| Record::Check { problem, user, checks: 1, first_time: time, time, latest };
        self.noted.keep_of_user(course, event.user, of_user)?;
        for survey in display_name.map(|name| self.surveys.of(name)).into_iter().flatten().flatten() {
            self.add_survey(event, survey, &check)?;
        }
        Ok(())
    }

    fn add_survey(&mut self, event: &Event<'_, '_>, survey: Survey, check: &Check<'_>) -> Result<()> {
        let (course, user, time) = (event.course, event.user, event.time);
        let of_user = |user| Record::SurveyCheck { survey, user, column: None, time, value: None };
        self.noted.keep_of_user(course, user, of_user)?;
        for (column, answer) in &check.answers() {
            self.noted.keep(course, &Record::MetAnswer { survey, column })?;
            let (column, value) = (Some(column.as_str()), Some(&**answer));
            let of_user = |user| Record::SurveyCheck { survey, user, column, time, value };
            self.noted.keep_of_user(course, user, of_user)?;
        }
        Ok(())
    }

    /// Everything noted becomes a run of each course, and nothing is noted then.
    fn write_runs(&mut self, outputs: &mut dyn Outputs) -> Result<()> {
        let mut courses: Vec<(u32, &CourseId)> = self
            .courses
            .iter_mut()
            .flatten()
            .filter_map(|course| course.number.take().map(|number| (number, &course.id)))
            .collect();
        courses.sort_unstable_by_key(|(_, id)| *id);
        let users = self.noted.order_users();
        self.noted.write_tallies(&courses, &users, &mut |id, run| self.tallies.add_run(outputs, id, run))?;
        self.noted.write_places(&courses, &users, &mut |id, run| self.lines.add_run(outputs, id, run))?;
        self.noted.clear();
        Ok(())
    }
}
