//! One day of one site: lines as several servers wrote them, merged, so not in order of time.

use std::io::{self, Write};

use jiff::civil::Date;

use crate::demo::course::{Course, Enrolment};
use crate::demo::event::counted::TRAPS;
use crate::demo::event::{self, odd};
use crate::demo::line::{Draft, EventSource, Moment, Scene, TimeForm};
use crate::demo::organisation::Organisation;
use crate::demo::plan::{Plan, Site, later};
use crate::demo::random::Random;

/// Each wrote its share of the day in order of time.
const SERVERS: u32 = 4;

/// Writes the day's lines, each with its `LF`. Equal arguments give equal bytes.
pub fn write_day(plan: &Plan, org: &Organisation, site: Site, date: Date, out: &mut dyn Write) -> io::Result<()> {
    let lines = plan.events(site);
    let name = date.to_string();
    let mut random = Random::new(plan.seed, &format!("events {site:?} {name}"));
    let mut draft = Draft::new();
    let mut line = String::new();
    let mut visits = Visits::begin(org, site, &mut random);
    let mut odd_lines = OddLines::new(plan, date, lines);
    let traps = Traps::new(plan, site, date, lines);
    for number in 0..lines {
        let mut scene = visits.next_scene(org, site, &name, &mut random);
        scene.moment = moment(&name, number, lines, &mut random);
        scene.key_order = (number * SERVERS / lines.max(1)) as usize;
        if let Some(turn) = traps.due(number) {
            let course = &org.courses[turn % 2 % org.courses.len()];
            let enrolment = &course.enrolments[number as usize % 5];
            let (learner, anonymous_id) = (&org.learners[enrolment.learner], enrolment.anonymous_id.as_str());
            let scene = Scene { course, learner, anonymous_id, ..scene };
            out.write_all(&TRAPS[turn / 2 % TRAPS.len()].line(&scene, &mut draft))?;
            out.write_all(b"\n")?;
            continue;
        }
        if let Some(oddity) = odd_lines.due(number) {
            let bytes = oddity(&mut odd::Odd {
                scene: &mut scene,
                draft: &mut draft,
                random: &mut random,
                previous: line.as_bytes(),
                date,
            });
            out.write_all(&bytes)?;
            out.write_all(b"\n")?;
            continue;
        }
        event::draw(&scene, &mut random, &mut draft);
        if draft.source == EventSource::Mobile && random.one_in(6) {
            scene.moment.date = later(date, -1 - random.below(5) as i64).to_string();
        }
        line.clear();
        draft.render(&scene, &mut line);
        line.push('\n');
        out.write_all(line.as_bytes())?;
    }
    Ok(())
}

/// Which lines are unusual: every so many, going round the list of oddities, onwards from day to day.
struct OddLines {
    period: u32,
    next: usize,
}

impl OddLines {
    fn new(plan: &Plan, date: Date, lines: u32) -> Self {
        let period = (lines / 60).clamp(8, 50);
        let day = plan.first_day.until(date).map(|span| span.get_days()).unwrap_or(0);
        let before = u64::from(day.unsigned_abs()) * u64::from(lines / period);
        OddLines { period, next: (before % odd::ODDITIES.len() as u64) as usize }
    }

    fn due(&mut self, line: u32) -> Option<odd::Oddity> {
        if line % self.period != self.period - 1 {
            return None;
        }
        let oddity = odd::ODDITIES[self.next % odd::ODDITIES.len()];
        self.next += 1;
        Some(oddity)
    }
}

/// The last lines of a production day that is not very short: for the two largest courses, a trap for each in turn.
struct Traps {
    from: u32,
    /// Lines of that kind on the days before.
    before: usize,
}

impl Traps {
    const LINES: u32 = 12;
    const SHORT_DAY: u32 = 100;

    fn new(plan: &Plan, site: Site, date: Date, lines: u32) -> Self {
        let has_traps = site == Site::Prod && lines >= Self::SHORT_DAY;
        let day = plan.first_day.until(date).map(|span| span.get_days().unsigned_abs()).unwrap_or(0);
        Traps { from: if has_traps { lines - Self::LINES } else { lines }, before: (day * Self::LINES) as usize }
    }

    fn due(&self, line: u32) -> Option<usize> {
        Some((line.checked_sub(self.from)?) as usize + self.before)
    }
}

fn moment(date: &str, number: u32, lines: u32, random: &mut Random) -> Moment {
    let share = lines.div_ceil(SERVERS).max(1);
    let steady = u64::from(number % share) * 86_300 / u64::from(share);
    let form = match random.below(100) {
        0 | 1 => TimeForm::NoFraction,
        2 => TimeForm::NoOffset,
        _ => TimeForm::Full,
    };
    Moment {
        date: date.to_owned(),
        second: (steady + random.below(100)) as u32,
        micros: random.below(1_000_000) as u32,
        form,
    }
}

/// Somebody at work on one page of one course.
struct Visit<'a> {
    course: &'a Course,
    enrolment: &'a Enrolment,
    session: String,
    place: usize,
}

impl<'a> Visit<'a> {
    fn begin(org: &'a Organisation, site: Site, random: &mut Random) -> Self {
        let course = org.draw_course(site, random);
        let enrolments = course.enrolments(site);
        let enrolment = &enrolments[random.low_index(enrolments.len())];
        Visit { course, enrolment, session: random.hex(32), place: random.low_index(course.pages.len()) }
    }
}

/// The visits that go on at one time: some end with each event, and others begin.
struct Visits<'a>(Vec<Visit<'a>>);

impl<'a> Visits<'a> {
    /// At a time on one server.
    const COUNT: usize = 4;
    /// Events of one visit, on average.
    const LENGTH: u64 = 30;

    fn begin(org: &'a Organisation, site: Site, random: &mut Random) -> Self {
        Visits((0..Self::COUNT).map(|_| Visit::begin(org, site, random)).collect())
    }

    fn next_scene(&mut self, org: &'a Organisation, site: Site, received: &'a str, random: &mut Random) -> Scene<'a> {
        let visit = &mut self.0[random.index(Self::COUNT)];
        if random.one_in(Self::LENGTH) {
            *visit = Visit::begin(org, site, random);
        }
        Scene {
            site,
            course: visit.course,
            learner: &org.learners[visit.enrolment.learner],
            anonymous_id: &visit.enrolment.anonymous_id,
            moment: Moment { date: received.to_owned(), second: 0, micros: 0, form: TimeForm::Full },
            received,
            session: visit.session.clone(),
            place: visit.place,
            key_order: 0,
        }
    }
}
