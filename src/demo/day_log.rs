//! One day of one site: lines as several servers wrote them, merged, so not in order of time.

use std::io::{self, Write};

use jiff::civil::Date;

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
    let mut odd_lines = OddLines::new(plan, date, lines);
    for number in 0..lines {
        let moment = moment(&name, number, lines, &mut random);
        let mut scene = scene(org, site, &name, moment, &mut random);
        scene.key_order = (number * SERVERS / lines.max(1)) as usize;
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

fn scene<'a>(org: &'a Organisation, site: Site, date: &'a str, moment: Moment, random: &mut Random) -> Scene<'a> {
    let course = org.draw_course(site, random);
    let enrolments = course.enrolments(site);
    let enrolment = &enrolments[random.low_index(enrolments.len())];
    let learner = &org.learners[enrolment.learner];
    // One session for each six hours.
    let mut session = Random::new(learner.id, &learner.hash_id[..8]);
    for _ in 0..moment.second / 21_600 {
        session.number();
    }
    Scene {
        site,
        course,
        learner,
        anonymous_id: &enrolment.anonymous_id,
        moment,
        received: date,
        session: session.hex(32),
        key_order: 0,
    }
}
