//! What is noted between two writings: numbers of texts, counts, values, places; and the runs made of them.

use jiff::civil::Date;

use crate::edx::course_run::CourseId;
use crate::edx::event::value::Value;
use crate::edx::event::video::{NoVideo, VideoPayload};
use crate::edx::event::{LONGEST_ID, username};
use crate::edx::tracking_log::Fields;
use crate::error::Result;
use crate::recipe::tallies::builder::counted::{CountedEvents, OfCourse, USER_BITS, VIDEO_BITS};
use crate::recipe::tallies::builder::places::{LINE_BITS, PERSON_BITS, Places};
use crate::recipe::tallies::builder::texts::{Order, Texts};
use crate::recipe::tallies::builder::valued::{Bytes, Valued};
use crate::recipe::tallies::lines::{Person, encode_person, encode_place};
use crate::recipe::tallies::record::{Record, UNDEFINED, push_user};
use crate::recipe::tallies::run::RunWriter;

/// Takes one course's run.
pub(super) type WriteRun<'w> = dyn FnMut(&CourseId, &[u8]) -> Result<()> + 'w;

/// A course's number and its id; the rank is the place among them.
pub(super) type Ranked<'c> = [(u32, &'c CourseId)];

pub(super) struct Noted {
    /// By the numbers that `begin_course` gives.
    courses: Vec<CourseNoted>,
    users: Texts,
    videos: Texts,
    /// Of those without an id.
    usernames: Texts,
    pub(super) counted: CountedEvents,
    pub(super) places: Places,
    valued_bytes: usize,
    bytes: Bytes,
    limits: Limits,
}

/// One course's.
#[derive(Default)]
struct CourseNoted {
    lines: u64,
    valued: Valued,
}

/// When it is time to write.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) lines: usize,
    pub(super) side_bytes: usize,
}

/// Numbers must fit their bits: a line brings one course, user and video at most. It brings up to three entries, too,
/// most lines one.
const MOST: Limits = Limits { lines: (1 << LINE_BITS) - 2, side_bytes: 48 << 20 };

const _: () = assert!(LINE_BITS <= USER_BITS && LINE_BITS <= VIDEO_BITS && LINE_BITS < PERSON_BITS);

/// Persons: the numbers of users, then from here on those of user names, and this for nobody.
const FIRST_USERNAME: u32 = 1 << 30;
const NOBODY: u32 = u32::MAX;

/// The number of `undefined`.
const UNDEFINED_NUMBER: u32 = 0;

impl Noted {
    pub(super) fn new() -> Self {
        let mut noted = Noted {
            courses: Vec::new(),
            users: Texts::new(),
            videos: Texts::new(),
            usernames: Texts::new(),
            counted: CountedEvents::default(),
            places: Places::default(),
            valued_bytes: 0,
            bytes: Bytes::default(),
            limits: MOST,
        };
        noted.users.number(UNDEFINED);
        noted
    }

    #[cfg(test)]
    pub(super) fn limit(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Whether one more line might be too much.
    pub(super) fn is_full(&self) -> bool {
        self.places.len() >= self.limits.lines
            || self.counted.len() >= self.limits.lines
            || self.side_bytes() >= self.limits.side_bytes
    }

    fn side_bytes(&self) -> usize {
        let texts = self.users.bytes() + self.videos.bytes() + self.usernames.bytes();
        texts + self.valued_bytes + self.counted.bytes()
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.courses.clear();
        (self.users, self.videos, self.usernames) = (Texts::new(), Texts::new(), Texts::new());
        self.users.number(UNDEFINED);
        self.counted.clear();
        self.places.clear();
        self.valued_bytes = 0;
    }

    /// The number of a course that has none.
    pub(super) fn begin_course(&mut self) -> u32 {
        self.courses.push(CourseNoted::default());
        self.courses.len() as u32 - 1
    }

    pub(super) fn add_line(&mut self, course: u32) {
        self.courses[course as usize].lines += 1;
    }

    /// The number of the user that a value names; `undefined` where it names none.
    pub(super) fn user(&mut self, id: Value<'_>) -> u32 {
        if let Some(known) = id.plain_id().and_then(|id| self.users.find(id)) {
            return known;
        }
        match id.id() {
            Some(id) if id.len() <= LONGEST_ID => self.users.number(&id),
            _ => UNDEFINED_NUMBER,
        }
    }

    /// The number of the video that a payload names.
    pub(super) fn video(&mut self, payload: &VideoPayload<'_>) -> Result<u32, NoVideo> {
        if let Some(known) = payload.id.plain_id().and_then(|id| self.videos.find(id)) {
            return Ok(known);
        }
        Ok(self.videos.number(&payload.id()?))
    }

    /// Whose a line is.
    pub(super) fn person(&mut self, user: u32, fields: &Fields<'_>) -> u32 {
        if user != UNDEFINED_NUMBER {
            return user;
        }
        username(fields).map_or(NOBODY, |name| FIRST_USERNAME + self.usernames.number(&name))
    }

    /// Merges a record of a course that is later than those before it.
    pub(super) fn keep(&mut self, course: u32, record: &Record<'_>) -> Result<()> {
        self.valued_bytes += self.courses[course as usize].valued.keep(&mut self.bytes, record)?;
        Ok(())
    }

    /// As `keep`, of a record that is made with the text of `user`.
    pub(super) fn keep_of_user<'r>(
        &'r mut self,
        course: u32,
        user: u32,
        record: impl FnOnce(&'r str) -> Record<'r>,
    ) -> Result<()> {
        let Noted { courses, users, valued_bytes, bytes, .. } = self;
        *valued_bytes += courses[course as usize].valued.keep(bytes, &record(users.get(user)))?;
        Ok(())
    }

    /// The users in their order.
    pub(super) fn order_users(&self) -> Order {
        self.users.order(|user, key| push_user(key, user))
    }

    /// Writes the tallies of the courses, in order.
    pub(super) fn write_tallies(
        &mut self,
        courses: &Ranked<'_>,
        users: &Order,
        write: &mut WriteRun<'_>,
    ) -> Result<()> {
        let ranks = ranks_of(courses, self.courses.len());
        let videos = self.videos.order(push_text);
        let sorted = self.counted.sort(&ranks, &users.ranks, &videos.ranks);
        let texts = RankedTexts { users: (&self.users, users), videos: (&self.videos, &videos) };
        for (rank, (number, id)) in (0..).zip(courses) {
            let run = run_of(&self.courses[*number as usize], &sorted.of_course(rank), &texts, &mut self.bytes)?;
            write(id, &run)?;
        }
        Ok(())
    }

    /// Writes where whose lines are in the courses, in order.
    pub(super) fn write_places(&mut self, courses: &Ranked<'_>, users: &Order, write: &mut WriteRun<'_>) -> Result<()> {
        let usernames = self.usernames.order(push_text);
        let people = People { users: (&self.users, users), usernames: (&self.usernames, &usernames) };
        let sorted = self.places.sorted(&ranks_of(courses, self.courses.len()), |person| people.rank(person));
        let Bytes { key, value } = &mut self.bytes;
        let mut run = RunWriter::new();
        let mut present = 0;
        for (course, person, places) in sorted.people() {
            if course != present {
                write(courses[present].1, &std::mem::take(&mut run).finish())?;
                present = course;
            }
            key.clear();
            value.clear();
            encode_person(people.of_rank(person), key);
            places.fold(0, |end, place| encode_place(end, &place, value));
            run.push(key, value)?;
        }
        // Every course that is noted has a line, and so a run.
        courses.get(present).map_or(Ok(()), |(_, id)| write(id, &run.finish()))
    }
}

fn push_text(text: &str, key: &mut Vec<u8>) {
    key.extend_from_slice(text.as_bytes());
}

/// By number.
fn ranks_of(courses: &Ranked<'_>, count: usize) -> Vec<u32> {
    let mut ranks = vec![0; count];
    for (rank, (number, _)) in courses.iter().enumerate() {
        ranks[*number as usize] = rank as u32;
    }
    ranks
}

type Ordered<'t> = (&'t Texts, &'t Order);

fn of_rank<'t>((texts, order): Ordered<'t>, rank: u32) -> &'t str {
    texts.get(order.numbers[rank as usize])
}

/// Texts by rank.
struct RankedTexts<'t> {
    users: Ordered<'t>,
    videos: Ordered<'t>,
}

/// One course's tallies.
fn run_of(course: &CourseNoted, counts: &OfCourse<'_>, texts: &RankedTexts<'_>, bytes: &mut Bytes) -> Result<Vec<u8>> {
    let mut run = RunWriter::new();
    let mut write = |run: &mut RunWriter, record: &Record<'_>| {
        bytes.encode(record);
        run.push(&bytes.key, &bytes.value)
    };
    write(&mut run, &Record::Events { count: course.lines })?;
    counts.each_met(&mut |record| write(&mut run, record))?;
    let first_counted = first_counted();
    let (mut before, mut behind) = course.valued.around(&first_counted);
    before.try_for_each(|(key, value)| run.push(key, value))?;
    let user = |rank| of_rank(texts.users, rank);
    let video = |rank| of_rank(texts.videos, rank);
    counts.each_count(user, video, &mut |record| write(&mut run, record))?;
    behind.try_for_each(|(key, value)| run.push(key, value))?;
    Ok(run.finish())
}

/// What the keys of the first counted records begin with.
fn first_counted() -> Vec<u8> {
    let first = Record::EventCount { date: Date::MIN, event_type: "", event_source: "", count: 0 };
    let mut bytes = Bytes::default();
    bytes.encode(&first);
    bytes.key.truncate(1);
    bytes.key
}

/// Users, then those with a name alone, then nobody.
struct People<'t> {
    users: Ordered<'t>,
    usernames: Ordered<'t>,
}

impl<'t> People<'t> {
    fn first_username(&self) -> u32 {
        self.users.0.len() as u32
    }

    fn nobody(&self) -> u32 {
        self.first_username() + self.usernames.0.len() as u32
    }

    fn rank(&self, person: u32) -> u32 {
        match person {
            NOBODY => self.nobody(),
            FIRST_USERNAME.. => self.first_username() + self.usernames.1.ranks[(person - FIRST_USERNAME) as usize],
            user => self.users.1.ranks[user as usize],
        }
    }

    fn of_rank(&self, rank: u32) -> Person<'t> {
        if rank == self.nobody() {
            return Person::Nobody;
        }
        match rank.checked_sub(self.first_username()) {
            Some(username) => Person::Username(of_rank(self.usernames, username)),
            None => Person::Id(of_rank(self.users, rank)),
        }
    }
}
