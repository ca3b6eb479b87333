//! Where one person's lines are in a course's segment of a day: what `Output::Lines` holds, as runs like the tallies.
//!
//! ```text
//! key     1, user (as in tallies) | 2, user name, NUL | 3
//! value   places in order of offset: varint gap to the end of the place before,
//!                                    varint bytes * 2 + 1 if the line is a video event
//! ```

use crate::error::{Error, Result};
use crate::recipe::tallies::record::{push_terminated, push_user, take_terminated, take_user};
use crate::recipe::tallies::varint;

/// Who an event says it is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Person<'a> {
    /// `context.user_id`, as tallies have it.
    Id(&'a str),
    /// Where there is no id.
    Username(&'a str),
    Nobody,
}

/// One line, its line end included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// In the course's segment of the day.
    pub offset: u64,
    pub bytes: u64,
    pub is_video: bool,
}

const ID: u8 = 1;
const USERNAME: u8 = 2;
const NOBODY: u8 = 3;

/// Appends the bytes of a person's lines; `places` must be in order of offset and not overlap.
///
/// Keys compared as bytes: ids in the order of users, then user names, then nobody.
pub fn encode(person: Person<'_>, places: &[Place], key: &mut Vec<u8>, value: &mut Vec<u8>) {
    encode_person(person, key);
    let mut end = 0;
    for place in places {
        end = encode_place(end, place, value);
    }
}

/// Appends the key alone.
pub fn encode_person(person: Person<'_>, key: &mut Vec<u8>) {
    match person {
        Person::Id(user) => {
            key.push(ID);
            push_user(key, user);
        }
        Person::Username(name) => {
            key.push(USERNAME);
            push_terminated(key, name);
        }
        Person::Nobody => key.push(NOBODY),
    }
}

/// Appends one more place to a value whose last place ends at `end` (0 where there is none); gives its own end.
pub fn encode_place(end: u64, place: &Place, value: &mut Vec<u8>) -> u64 {
    debug_assert!(place.offset >= end, "places come in order");
    varint::push(value, place.offset.saturating_sub(end));
    varint::push(value, place.bytes << 1 | u64::from(place.is_video));
    place.offset + place.bytes
}

/// A person, and the places in order. Errors: `Corrupt`; the places have their own.
pub fn decode<'a>(key: &'a [u8], value: &'a [u8]) -> Result<(Person<'a>, Places<'a>)> {
    let person = read_person(key).ok_or_else(damaged)?;
    Ok((person, Places { value, end: 0 }))
}

fn read_person(mut key: &[u8]) -> Option<Person<'_>> {
    let (kind, rest) = key.split_first()?;
    key = rest;
    let person = match *kind {
        ID => Person::Id(take_user(&mut key)?),
        USERNAME => Person::Username(take_terminated(&mut key)?),
        NOBODY => Person::Nobody,
        _ => return None,
    };
    key.is_empty().then_some(person)
}

/// Places, one by one; nothing behind an error.
#[derive(Clone, Debug)]
pub struct Places<'a> {
    value: &'a [u8],
    end: u64,
}

impl Places<'_> {
    fn take(&mut self) -> Option<Place> {
        let offset = self.end.checked_add(varint::take(&mut self.value)?)?;
        let coded = varint::take(&mut self.value)?;
        let place = Place { offset, bytes: coded >> 1, is_video: coded & 1 == 1 };
        self.end = offset.checked_add(place.bytes)?;
        Some(place)
    }
}

impl Iterator for Places<'_> {
    type Item = Result<Place>;

    fn next(&mut self) -> Option<Result<Place>> {
        if self.value.is_empty() {
            return None;
        }
        let place = self.take();
        if place.is_none() {
            self.value = &[];
        }
        Some(place.ok_or_else(damaged))
    }
}

fn damaged() -> Error {
    Error::corrupt("the index of a day's lines is damaged")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place(offset: u64, bytes: u64, is_video: bool) -> Place {
        Place { offset, bytes, is_video }
    }

    #[test]
    fn places_come_back_and_people_are_in_order() {
        let places = [place(0, 10, true), place(10, 300, false), place(1 << 40, 1, true)];
        let (name, other) = (Person::Username("a"), Person::Username("b"));
        let mut keys = Vec::new();
        for person in [Person::Id("9"), Person::Id("10"), Person::Id("x"), name, other, Person::Nobody] {
            let (mut key, mut value) = (Vec::new(), Vec::new());
            encode(person, &places, &mut key, &mut value);
            let (found, coded) = decode(&key, &value).expect("good bytes");
            assert_eq!(found, person);
            assert_eq!(coded.collect::<Result<Vec<_>>>().expect("good places"), places);
            keys.push(key);
        }
        assert!(keys.is_sorted());
    }

    proptest! {
        #[test]
        fn damage_is_an_error(key: Vec<u8>, value: Vec<u8>) {
            if let Ok((_, places)) = decode(&key, &value) {
                places.for_each(drop);
            }
            let places: Vec<_> = Places { value: &value, end: 1 << 60 }.collect();
            prop_assert!(places.iter().rev().skip(1).all(Result::is_ok));
        }
    }
}
