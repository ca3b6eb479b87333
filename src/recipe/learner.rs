//! One learner's lines of a course, found through the days' indexes; and who has any.
//!
//! Whose an event is: the user whose id it states; where it states a user name alone, the user whose id the course's
//! `auth_user` has beside that name; else nobody's, called `undefined`.

mod names;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::io::{Read, Seek, SeekFrom};

use crate::edx::course_run::CourseId;
use crate::error::{Error, Result};
use crate::recipe::derived::{Learner, LearnerLines, Roster, TalliedDay};
use crate::recipe::make::{Inputs, Summary};
use crate::recipe::tallies::lines::{Person, Place, decode};
use crate::recipe::tallies::record::{UNDEFINED, push_user, take_user};
use crate::recipe::tallies::run::RunReader;
use crate::recipe::tallies::slices::open_runs;
use crate::recipe::{Output, Outputs};

use names::each_known_name;

const PIECE_BYTES: usize = 256 << 10;

/// Whether a learner's folder can be called so: 1 to 20 digits without leading zeros, or `undefined`.
pub fn is_folder_name(user: &str) -> bool {
    let is_number = (1..=20).contains(&user.len()) && user.bytes().all(|byte| byte.is_ascii_digit());
    user == UNDEFINED || (is_number && (user == "0" || !user.starts_with('0')))
}

/// Copies the learner's lines of all days, in order, as they are. Output: `Whole`.
///
/// Memory: the learner's places of a day, and the names that events of the course have in place of an id. Errors:
/// `Corrupt`, the inputs', the outputs'.
pub fn make_learner(learner: &Learner, inputs: &dyn Inputs, outputs: &mut dyn Outputs) -> Result<Summary> {
    let slot = outputs.create(&Output::Whole)?;
    let met = Met::of_days(&learner.days, &learner.course, Some(&learner.user), inputs)?;
    let mut owned = BTreeSet::new();
    let mut unowned = met.names;
    each_known_name(learner.auth_user.as_ref(), &unowned.clone(), inputs, &mut |user, name| {
        unowned.remove(name);
        if user == &*learner.user {
            owned.insert(name.to_owned());
        }
    })?;
    let is_undefined = &*learner.user == UNDEFINED;
    let names = if is_undefined { unowned } else { owned };
    let is_own = |person: Person<'_>| match person {
        Person::Id(user) => user == &*learner.user,
        Person::Username(name) => names.contains(name),
        Person::Nobody => is_undefined,
    };
    for (day, held) in learner.days.iter().zip(met.held) {
        if held == Held::Theirs || (held == Held::Names && !names.is_empty()) {
            let places = places(day, learner, &is_own, inputs)?;
            copy(day, &learner.course, &places, inputs, &mut |bytes| outputs.append(slot, bytes))?;
        }
    }
    Ok(Summary::default())
}

/// Everybody who has lines, by folder name, one a line, in the order of users. Output: `Whole`.
pub fn make_roster(roster: &Roster, inputs: &dyn Inputs, outputs: &mut dyn Outputs) -> Result<Summary> {
    let slot = outputs.create(&Output::Whole)?;
    let met = Met::of_days(&roster.days, &roster.course, None, inputs)?;
    let (mut users, mut unowned) = (met.users, met.names);
    each_known_name(roster.auth_user.as_ref(), &unowned.clone(), inputs, &mut |user, name| {
        unowned.remove(name);
        insert_user(&mut users, user);
    })?;
    if !unowned.is_empty() {
        insert_user(&mut users, UNDEFINED);
    }
    let mut lines = Vec::new();
    for user in &users {
        let user = take_user(&mut &user[..]).ok_or_else(|| Error::internal("a user was not written well"))?;
        lines.extend_from_slice(user.as_bytes());
        lines.push(b'\n');
        if lines.len() >= PIECE_BYTES {
            outputs.append(slot, &lines)?;
            lines.clear();
        }
    }
    outputs.append(slot, &lines)?;
    Ok(Summary::default())
}

/// Users in their order: as the bytes that sort so.
type Users = BTreeSet<Vec<u8>>;

fn insert_user(users: &mut Users, user: &str) {
    let mut bytes = Vec::new();
    push_user(&mut bytes, user);
    users.insert(bytes);
}

/// What the days' indexes say, before names are resolved.
struct Met {
    /// Names in place of an id.
    names: BTreeSet<String>,
    /// Everybody who can have a folder; of a roster only.
    users: Users,
    /// By day.
    held: Vec<Held>,
}

/// What there is for a learner in a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Held {
    Nothing,
    /// Names that may be the learner's.
    Names,
    Theirs,
}

impl Met {
    /// `learner`: None for a roster.
    fn of_days(days: &[TalliedDay], course: &CourseId, learner: Option<&str>, inputs: &dyn Inputs) -> Result<Self> {
        let mut met = Met { names: BTreeSet::new(), users: Users::new(), held: Vec::with_capacity(days.len()) };
        for day in days {
            let mut held = Held::Nothing;
            each_person(day, course, inputs, &mut |key, value| {
                held = held.max(met.note(decode(key, value)?.0, learner));
                Ok(())
            })?;
            met.held.push(held);
        }
        Ok(met)
    }

    fn note(&mut self, person: Person<'_>, learner: Option<&str>) -> Held {
        let user = match person {
            Person::Username(name) => {
                if !self.names.contains(name) {
                    self.names.insert(name.to_owned());
                }
                return Held::Names;
            }
            Person::Id(user) => user,
            Person::Nobody => UNDEFINED,
        };
        match learner {
            Some(learner) if learner == user => return Held::Theirs,
            None if is_folder_name(user) => insert_user(&mut self.users, user),
            _ => {}
        }
        Held::Nothing
    }
}

/// Takes a person's key and the bytes of their places.
type TakePerson<'t> = dyn FnMut(&[u8], &[u8]) -> Result<()> + 't;

/// Each person of the day with the bytes of their places, run by run: a later run's are later lines.
fn each_person(day: &TalliedDay, course: &CourseId, inputs: &dyn Inputs, take: &mut TakePerson<'_>) -> Result<()> {
    for run in open_runs(inputs, &day.lines(), course)? {
        let mut reader = RunReader::new(run);
        while let Some((key, value)) = reader.next()? {
            take(key, value)?;
        }
    }
    Ok(())
}

/// The learner's places of a day, in order, neighbours joined.
fn places(
    day: &TalliedDay,
    learner: &Learner,
    is_own: &dyn Fn(Person<'_>) -> bool,
    inputs: &dyn Inputs,
) -> Result<Vec<Place>> {
    let mut places: Vec<Place> = Vec::new();
    each_person(day, &learner.course, inputs, &mut |key, value| {
        let (person, lines) = decode(key, value)?;
        if is_own(person) {
            for place in lines {
                let place = place?;
                if learner.lines == LearnerLines::All || place.is_video {
                    places.push(place);
                }
            }
        }
        Ok(())
    })?;
    places.sort_unstable_by_key(|place| place.offset);
    if places.windows(2).any(|pair| pair[1].offset < pair[0].offset + pair[0].bytes) {
        return Err(Error::corrupt("the index of a day's lines has a line twice"));
    }
    places.dedup_by(|next, place| {
        let is_neighbour = next.offset == place.offset + place.bytes;
        if is_neighbour {
            place.bytes += next.bytes;
        }
        is_neighbour
    });
    Ok(places)
}

/// Copies these bytes of the day's segment, which is opened only if there are any.
fn copy(
    day: &TalliedDay,
    course: &CourseId,
    places: &[Place],
    inputs: &dyn Inputs,
    write: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    if places.is_empty() {
        return Ok(());
    }
    let mut segment = inputs.artifact(&day.segment(course))?;
    let mut buffer = Vec::with_capacity(PIECE_BYTES);
    for place in places {
        segment.seek(SeekFrom::Start(place.offset))?;
        let mut left = place.bytes;
        while left > 0 {
            if buffer.len() == PIECE_BYTES {
                write(&buffer)?;
                buffer.clear();
            }
            let room = (PIECE_BYTES - buffer.len()) as u64;
            let read = segment.by_ref().take(left.min(room)).read_to_end(&mut buffer)?;
            if read == 0 {
                return Err(Error::corrupt("the index of a day's lines does not fit its segment"));
            }
            left -= read as u64;
        }
    }
    write(&buffer)
}
