//! What is only counted: noted as a few bytes an event, sorted when it is written, equal neighbours added up.

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::LazyLock;

use crate::edx::event::EventSource;
use crate::edx::event::names::Name;
use crate::edx::event::page::{PageKind, Section};
use crate::edx::event::time::date_of;
use crate::error::Result;
use crate::recipe::tallies::record::{Counted, Page, Record};

/// A column of a table: a name, or one of the two ends of a move in a video. In the order of their texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Column(u16);

const ENDINGS: [&str; 3] = ["", "_end", "_start"];

impl Column {
    const COUNT: usize = Name::COUNT * ENDINGS.len();

    pub(super) fn of(name: Name) -> Self {
        Column(u16::from(name.number()) * ENDINGS.len() as u16)
    }

    pub(super) fn end(self) -> Self {
        Column(self.0 + 1)
    }

    pub(super) fn start(self) -> Self {
        Column(self.0 + 2)
    }

    fn as_str(self) -> &'static str {
        static TEXTS: LazyLock<Vec<String>> = LazyLock::new(|| {
            let names = (0..=u8::MAX).map_while(Name::from_number);
            names.flat_map(|name| ENDINGS.map(|ending| format!("{}{ending}", name.as_str()))).collect()
        });
        &TEXTS[usize::from(self.0)]
    }
}

/// What `event_counts` tells apart: names, then kinds of page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EventKind(u8);

impl EventKind {
    pub(super) const OTHER: EventKind = EventKind::of_name(Name::OTHER);

    pub(super) const fn of_name(name: Name) -> Self {
        EventKind(name.number())
    }

    pub(super) fn of_page(kind: PageKind) -> Self {
        match kind {
            PageKind::Other => EventKind::OTHER,
            kind => EventKind(Name::COUNT as u8 + kind as u8),
        }
    }

    fn as_str(self) -> &'static str {
        match Name::from_number(self.0) {
            Some(name) => name.as_str(),
            None => PageKind::ALL[usize::from(self.0) - Name::COUNT].as_str(),
        }
    }
}

/// Bits of each number in a word.
const COURSE_BITS: u32 = 20;
pub(super) const USER_BITS: u32 = 20;
pub(super) const VIDEO_BITS: u32 = 20;
const TABLE_BITS: u32 = 4;
const _: () = assert!(COURSE_BITS + TABLE_BITS + USER_BITS + VIDEO_BITS == u64::BITS);

/// In the order of the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Table {
    Video,
    Steps,
    PreRoll,
    Problem,
    Textbook,
    Page,
}

const TABLES: [Table; 6] = [Table::Video, Table::Steps, Table::PreRoll, Table::Problem, Table::Textbook, Table::Page];

/// One event's share of one table. Once its numbers are ranks, its order is that of the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    /// Course, table, user, and video + 1 or 0.
    word: u64,
    /// A compartment or a page and a day, as an unsigned number.
    part: u64,
    column: Column,
}

impl Entry {
    fn new(course: u32, table: Table, user: u32, video: Option<u32>) -> Self {
        let word = u64::from(course) << TABLE_BITS | table as u64;
        let word = word << USER_BITS | u64::from(user);
        let word = word << VIDEO_BITS | video.map_or(0, |video| u64::from(video) + 1);
        Entry { word, part: 0, column: Column(0) }
    }

    fn video(self) -> Option<u32> {
        ((self.word & ((1 << VIDEO_BITS) - 1)) as u32).checked_sub(1)
    }

    fn user(self) -> u32 {
        (self.word >> VIDEO_BITS & ((1 << USER_BITS) - 1)) as u32
    }

    fn table(self) -> Table {
        TABLES[(self.word >> (VIDEO_BITS + USER_BITS) & ((1 << TABLE_BITS) - 1)) as usize]
    }

    fn course(self) -> u32 {
        (self.word >> (VIDEO_BITS + USER_BITS + TABLE_BITS)) as u32
    }

    fn section_and_day(self) -> (Page, i32) {
        (PAGES[(self.part >> 32) as usize], (self.part as u32 ^ DAY_SIGN) as i32)
    }
}

const PAGES: [Page; 4] = [Page::Courseware, Page::Discussion, Page::Info, Page::Progress];
const SIGN: u64 = 1 << 63;
const DAY_SIGN: u32 = 1 << 31;

/// Counts of a course's events of one day, kind and source, by a word made of these.
type EventCounts = HashMap<u64, u64, BuildHasherDefault<WordHasher>>;

/// Asked for every event: no text of a learner's is in these words, so none is made to collide.
#[derive(Default)]
struct WordHasher(u64);

impl Hasher for WordHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u64(&mut self, word: u64) {
        let mixed = (self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ mixed >> 32;
    }
}

/// Everything counted since the last runs.
#[derive(Default)]
pub(super) struct CountedEvents {
    entries: Vec<Entry>,
    events: EventCounts,
}

impl CountedEvents {
    /// Entries, of which a line makes three at most.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// What is held beside the entries, about.
    pub(super) fn bytes(&self) -> usize {
        self.events.len() * 32
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.events.clear();
    }

    pub(super) fn event(&mut self, course: u32, day: i32, kind: EventKind, source: EventSource) {
        let day = u64::from(day as u32 ^ DAY_SIGN);
        let key = u64::from(course) << (u64::BITS - COURSE_BITS)
            | (day & DAY_MASK) << 12
            | u64::from(kind.0) << 4
            | source as u64;
        *self.events.entry(key).or_default() += 1;
    }

    pub(super) fn video(&mut self, course: u32, user: u32, video: Option<u32>, column: Column) {
        self.entries.push(Entry { column, ..Entry::new(course, Table::Video, user, video) });
    }

    /// Counts nothing where the place is beyond all compartments.
    pub(super) fn step(&mut self, course: u32, user: u32, video: u32, compartment: Option<i64>, column: Column) {
        if let Some(compartment) = compartment {
            let part = compartment as u64 ^ SIGN;
            self.entries.push(Entry { part, column, ..Entry::new(course, Table::Steps, user, Some(video)) });
        }
    }

    pub(super) fn bumper(&mut self, course: u32, user: u32, name: Name) {
        self.named(course, Table::PreRoll, user, name);
    }

    pub(super) fn problem(&mut self, course: u32, user: u32, name: Name) {
        self.named(course, Table::Problem, user, name);
    }

    pub(super) fn textbook(&mut self, course: u32, user: u32, name: Name) {
        self.named(course, Table::Textbook, user, name);
    }

    fn named(&mut self, course: u32, table: Table, user: u32, name: Name) {
        self.entries.push(Entry { column: Column::of(name), ..Entry::new(course, table, user, None) });
    }

    pub(super) fn page(&mut self, course: u32, user: u32, section: Section, day: i32) {
        let page = match section {
            Section::Courseware => Page::Courseware,
            Section::Discussion => Page::Discussion,
            Section::Info => Page::Info,
            Section::Progress => Page::Progress,
        };
        let part = (page as u64) << 32 | u64::from(day as u32 ^ DAY_SIGN);
        self.entries.push(Entry { part, ..Entry::new(course, Table::Page, user, None) });
    }

    /// Puts everything in the order of the records; numbers are ranks from then on.
    pub(super) fn sort(&mut self, course_ranks: &[u32], user_ranks: &[u32], video_ranks: &[u32]) -> Sorted<'_> {
        for entry in &mut self.entries {
            let video = entry.video().map(|video| video_ranks[video as usize]);
            let (course, user) = (course_ranks[entry.course() as usize], user_ranks[entry.user() as usize]);
            entry.word = Entry::new(course, entry.table(), user, video).word;
        }
        self.entries.sort_unstable();
        let mut events: Vec<EventCount> =
            self.events.iter().map(|(key, count)| EventCount::of(*key, *count, course_ranks)).collect();
        events.sort_unstable();
        Sorted { entries: &self.entries, events }
    }
}

const DAY_MASK: u64 = u32::MAX as u64;

/// One row of `event_counts`, in the order of its fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct EventCount {
    course: u32,
    day: i32,
    kind: &'static str,
    source: EventSource,
    count: u64,
}

impl EventCount {
    fn of(key: u64, count: u64, course_ranks: &[u32]) -> Self {
        EventCount {
            course: course_ranks[(key >> (u64::BITS - COURSE_BITS)) as usize],
            day: ((key >> 12) as u32 ^ DAY_SIGN) as i32,
            kind: EventKind((key >> 4) as u8).as_str(),
            source: EventSource::ALL[(key & 0xf) as usize],
            count,
        }
    }
}

/// What is left to write, the courses in order of rank.
pub(super) struct Sorted<'c> {
    entries: &'c [Entry],
    events: Vec<EventCount>,
}

/// One course's counts.
pub(super) struct OfCourse<'c> {
    entries: &'c [Entry],
    events: &'c [EventCount],
}

impl Sorted<'_> {
    pub(super) fn of_course(&self, rank: u32) -> OfCourse<'_> {
        fn part<T>(all: &[T], rank: u32, course: impl Fn(&T) -> u32) -> &[T] {
            let start = all.partition_point(|one| course(one) < rank);
            let length = all[start..].partition_point(|one| course(one) == rank);
            &all[start..start + length]
        }
        let entries = part(self.entries, rank, |entry| entry.course());
        OfCourse { entries, events: part(&self.events, rank, |event| event.course) }
    }
}

impl OfCourse<'_> {
    /// The columns met, in order.
    pub(super) fn each_met(&self, write: &mut dyn FnMut(&Record<'_>) -> Result<()>) -> Result<()> {
        let tables = [Counted::Video, Counted::VideoSteps, Counted::PreRoll, Counted::Problem, Counted::Textbook];
        let mut names = [[false; Column::COUNT]; 5];
        let mut dates = BTreeSet::new();
        for entry in self.entries {
            match entry.table() {
                Table::Page => drop(dates.insert(entry.section_and_day())),
                table => names[table as usize][usize::from(entry.column.0)] = true,
            }
        }
        for (table, names) in tables.into_iter().zip(&names) {
            for column in (0..Column::COUNT).filter(|column| names[*column]) {
                write(&Record::MetName { table, name: Column(column as u16).as_str() })?;
            }
        }
        dates.into_iter().try_for_each(|(page, day)| write(&Record::MetDate { page, date: date_of(day) }))
    }

    /// The counts, in order; `user` and `video` give the texts of ranks.
    pub(super) fn each_count<'t>(
        &self,
        user: impl Fn(u32) -> &'t str,
        video: impl Fn(u32) -> &'t str,
        write: &mut dyn FnMut(&Record<'_>) -> Result<()>,
    ) -> Result<()> {
        for event in self.events {
            let (date, event_type, event_source) = (date_of(event.day), event.kind, event.source.as_str());
            write(&Record::EventCount { date, event_type, event_source, count: event.count })?;
        }
        for equal in self.entries.chunk_by(|one, other| one == other) {
            let (entry, count) = (equal[0], equal.len() as u64);
            let (user, video) = (user(entry.user()), entry.video().map(&video));
            let name = entry.column.as_str();
            let counted = |table| Record::Count { table, user, name, count };
            let record = match entry.table() {
                Table::Video => Record::Video { user, video, name, count },
                Table::Steps => {
                    let compartment = (entry.part ^ SIGN) as i64;
                    Record::VideoStep { user, video: video.unwrap_or_default(), compartment, name, count }
                }
                Table::PreRoll => counted(Counted::PreRoll),
                Table::Problem => counted(Counted::Problem),
                Table::Textbook => counted(Counted::Textbook),
                Table::Page => {
                    let (page, day) = entry.section_and_day();
                    Record::Page { user, page, date: date_of(day), count }
                }
            };
            write(&record)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_of_a_table_are_in_the_order_of_their_texts() {
        let names: Vec<Name> = (0..=u8::MAX).map_while(Name::from_number).collect();
        assert_eq!(names.len(), Name::COUNT);
        let is_step = |name: &&Name| name.is_video_column() || **name == Name::OTHER;
        let steps = names.iter().filter(is_step).map(|name| Column::of(*name));
        let steps: Vec<_> = steps.flat_map(|column| [column, column.end(), column.start()]).collect();
        assert!(steps.is_sorted() && steps.iter().map(|column| column.as_str()).is_sorted());
        assert_eq!(steps.len(), 60);
        assert_eq!(steps[2].as_str(), "edx.video.language_menu.hidden_start");
        assert_eq!(Column::of(Name::PROBLEM_CHECK_SERVER).as_str(), "problem_check_server");
    }

    #[test]
    fn numbers_come_back_out_of_their_words() {
        let most = (1 << 20) - 1;
        for (table, course, user, video) in
            [(Table::Video, 0, 0, None), (Table::Steps, most, most, Some(most - 1)), (Table::Page, 7, 8, Some(0))]
        {
            let entry = Entry::new(course, table, user, video);
            assert_eq!((entry.course(), entry.table(), entry.user(), entry.video()), (course, table, user, video));
        }
        let mut counted = CountedEvents::default();
        for day in [-719_162, -1, 0, 2_932_896] {
            counted.page(1, 2, Section::Progress, day);
            assert_eq!(counted.entries.last().map(|entry| entry.section_and_day()), Some((Page::Progress, day)));
            let kind = EventKind::of_page(PageKind::Wiki);
            counted.event(most, day, kind, EventSource::Task);
        }
        let ranks: Vec<u32> = (0..=most).collect();
        let found: Vec<_> = counted.sort(&ranks, &ranks, &ranks).events;
        assert_eq!(found.iter().map(|event| event.day).collect::<Vec<_>>(), [-719_162, -1, 0, 2_932_896]);
        assert!(found.iter().all(|event| (event.course, event.kind) == (most, "wiki")));
    }
}
