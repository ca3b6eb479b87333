use proptest::prelude::*;

use super::*;
use crate::error::ErrorKind;
use crate::recipe::derived::LearnerLines::{All, Videos};
use crate::recipe::tallies::lines::encode;
use crate::recipe::tallies::run::RunWriter;
use crate::recipe::testing::{Kept, MemoryInputs, blob, course, day, part};
use crate::recipe::{Artifact, Recipe};

/// Whose a line is, whether it is a video event, and its text.
type Line = (Person<'static>, bool, &'static str);

const SEVEN: Person<'static> = Person::Id("7");
const ANN: Person<'static> = Person::Username("ann");
const BOB: Person<'static> = Person::Username("bob");

fn auth_user() -> Artifact {
    let recipe = Recipe::Decoded { part: part("auth_user.sql"), layers: Default::default() };
    Artifact { recipe, output: Output::Whole }
}

/// The index of one stretch of a segment, `offset` bytes into it.
fn index(lines: &[Line], mut offset: u64) -> Vec<u8> {
    let mut people: Vec<(Vec<u8>, Person<'_>, Vec<Place>)> = Vec::new();
    for (person, is_video, text) in lines {
        let place = Place { offset, bytes: text.len() as u64, is_video: *is_video };
        offset += place.bytes;
        match people.iter_mut().find(|(_, other, _)| other == person) {
            Some((_, _, places)) => places.push(place),
            None => {
                let mut key = Vec::new();
                encode(*person, &[], &mut key, &mut Vec::new());
                people.push((key, *person, vec![place]));
            }
        }
    }
    people.sort_by(|one, other| one.0.cmp(&other.0));
    let mut writer = RunWriter::new();
    for (_, person, places) in people {
        let (mut key, mut value) = (Vec::new(), Vec::new());
        encode(person, &places, &mut key, &mut value);
        writer.push(&key, &value).expect("in order");
    }
    writer.finish()
}

/// Days of lines; each day's index in as many runs as there are lists.
fn inputs(days: &[&[&[Line]]], users: &str) -> MemoryInputs {
    let mut inputs = MemoryInputs::default();
    inputs.keep(auth_user(), users.as_bytes().to_vec());
    for (number, lists) in days.iter().enumerate() {
        let day = day(number as i8 + 1);
        let (mut segment, mut runs) = (String::new(), Vec::new());
        for lines in *lists {
            runs.push(index(lines, segment.len() as u64));
            lines.iter().for_each(|(_, _, text)| segment.push_str(text));
        }
        let other = index(&[(SEVEN, true, "of another course")], 0);
        let runs: Vec<_> =
            [("0/0/0", &other[..])].into_iter().chain(runs.iter().map(|run| ("A/B/C", &run[..]))).collect();
        inputs.keep(day.lines(), blob(&runs));
        inputs.keep(day.segment(&course("A/B/C")), segment.into_bytes());
    }
    inputs
}

fn learner(user: &str, lines: LearnerLines, days: i8, auth_user: Option<Artifact>) -> Learner {
    let days = (1..=days).map(day).collect();
    Learner { course: course("A/B/C"), user: user.into(), lines, days, auth_user }
}

fn made(learner: &Learner, inputs: &MemoryInputs) -> Result<String> {
    let mut kept = Kept::default();
    make_learner(learner, inputs, &mut kept)?;
    Ok(String::from_utf8_lossy(kept.bytes(&Output::Whole)).into_owned())
}

fn roster(days: i8, auth_user: Option<Artifact>, inputs: &MemoryInputs) -> String {
    let mut kept = Kept::default();
    let roster = Roster { course: course("A/B/C"), days: (1..=days).map(day).collect(), auth_user };
    make_roster(&roster, inputs, &mut kept).expect("good days");
    String::from_utf8_lossy(kept.bytes(&Output::Whole)).into_owned()
}

/// Ann is 7, bob is nobody of the course.
const USERS: &str = "first_name\tusername\tid\nA\t ann \t7\nB\tbo\\tb\t8\nC\tNULL\t9\nD\tbob\tNULL\nE\n";

const FIRST: &[&[Line]] = &[
    &[(SEVEN, true, "1\n"), (ANN, false, "2\n"), (BOB, true, "3\n"), (Person::Id("70"), true, "4\n")],
    &[(Person::Nobody, true, "5\n"), (SEVEN, false, "6\n"), (ANN, true, "7\n"), (Person::Id("007"), true, "8\n")],
];
const SECOND: &[&[Line]] = &[&[(Person::Id("x"), true, "9\n"), (Person::Id("undefined"), false, "10\n")]];
const THIRD: &[&[Line]] = &[&[(ANN, true, "11\n"), (Person::Id("8"), true, "12\n"), (SEVEN, true, "13")]];
const DAYS: &[&[&[Line]]] = &[FIRST, SECOND, THIRD];

#[test]
fn a_learners_lines_are_those_of_the_id_and_of_its_name() {
    let inputs = inputs(DAYS, USERS);
    for (user, lines, table, expected) in [
        ("7", All, Some(auth_user()), "1\n2\n6\n7\n11\n13"),
        ("7", Videos, Some(auth_user()), "1\n7\n11\n13"),
        ("7", All, None, "1\n6\n13"),
        ("8", All, Some(auth_user()), "12\n"),
        ("9", All, Some(auth_user()), ""),
        ("undefined", All, Some(auth_user()), "3\n5\n10\n"),
        ("undefined", Videos, Some(auth_user()), "3\n5\n"),
        ("undefined", All, None, "2\n3\n5\n7\n10\n11\n"),
    ] {
        let found = made(&learner(user, lines, 3, table), &inputs).expect("good days");
        assert_eq!(found, expected, "{user} {lines:?}");
    }
}

#[test]
fn segments_are_opened_once_and_only_where_there_are_lines() {
    let (inputs, opened) = (inputs(DAYS, USERS), |inputs: &MemoryInputs| {
        [1, 2, 3].map(|number| inputs.opened(&day(number).segment(&course("A/B/C"))))
    });
    made(&learner("7", All, 3, Some(auth_user())), &inputs).expect("good days");
    assert_eq!(opened(&inputs), [1, 0, 1]);
    made(&learner("8", Videos, 3, Some(auth_user())), &inputs).expect("good days");
    assert_eq!(opened(&inputs), [1, 0, 2]);
    made(&learner("undefined", Videos, 3, Some(auth_user())), &inputs).expect("good days");
    assert_eq!(opened(&inputs), [2, 0, 2]);
}

#[test]
fn the_table_of_users_is_read_only_for_names() {
    let days: &[&[&[Line]]] = &[&[&[(SEVEN, true, "1\n"), (Person::Nobody, true, "2\n")]]];
    let inputs = inputs(days, USERS);
    assert_eq!(made(&learner("7", All, 1, Some(auth_user())), &inputs).expect("good days"), "1\n");
    assert_eq!(roster(1, Some(auth_user()), &inputs), "7\nundefined\n");
    assert_eq!(inputs.opened(&auth_user()), 0);
}

#[test]
fn a_roster_names_everybody_who_can_have_a_folder() {
    let inputs = inputs(DAYS, USERS);
    assert_eq!(roster(3, Some(auth_user()), &inputs), "7\n8\n70\nundefined\n");
    assert_eq!(roster(0, None, &inputs), "");
    let ann: &[&[&[Line]]] = &[&[&[(ANN, true, "1\n"), (Person::Id("10"), true, "2\n")]]];
    let inputs = self::inputs(ann, USERS);
    assert_eq!(roster(1, Some(auth_user()), &inputs), "7\n10\n");
    assert_eq!(roster(1, None, &inputs), "10\nundefined\n");
}

#[test]
fn a_table_without_its_columns_owns_no_name() {
    for users in ["", "\n", "id\tname\n7\tann\n", "username\nann\n", "id\tusername\n"] {
        let inputs = inputs(DAYS, users);
        assert_eq!(
            made(&learner("7", All, 3, Some(auth_user())), &inputs).expect("good days"),
            "1\n6\n13",
            "{users:?}"
        );
    }
}

#[test]
fn long_lines_are_copied_whole() {
    let long: &'static str = "x".repeat(3 * PIECE_BYTES / 2).leak();
    let lines: &[Line] = &[(SEVEN, true, long), (BOB, true, "b\n"), (SEVEN, true, long), (SEVEN, true, "end\n")];
    let found = made(&learner("7", All, 1, None), &inputs(&[&[lines]], "")).expect("a good day");
    assert!(found == format!("{long}{long}end\n"));
}

#[test]
fn an_index_that_does_not_fit_is_an_error() {
    let mut inputs = inputs(&[FIRST], USERS);
    inputs.keep(day(1).segment(&course("A/B/C")), b"1\n2".to_vec());
    assert_eq!(made(&learner("7", All, 1, None), &inputs).expect_err("cut").kind(), ErrorKind::Corrupt);
    let twice = index(FIRST[0], 0);
    inputs.keep(day(1).lines(), blob(&[("A/B/C", &twice), ("A/B/C", &twice)]));
    assert_eq!(made(&learner("7", All, 1, None), &inputs).expect_err("twice").kind(), ErrorKind::Corrupt);
}

#[test]
fn folders_are_called_by_plain_numbers() {
    for name in ["0", "7", "10", "12345678901234567890", "undefined"] {
        assert!(is_folder_name(name), "{name}");
    }
    for name in ["", "00", "07", "x", "7 ", "-1", "٣", "123456789012345678901", "Undefined"] {
        assert!(!is_folder_name(name), "{name}");
    }
}

proptest! {
    #[test]
    fn every_line_is_somebodys_once(
        whose in prop::collection::vec((0usize..6, any::<bool>()), 0..40),
        cut: prop::sample::Index,
    ) {
        const PEOPLE: [Person<'_>; 6] = [SEVEN, ANN, BOB, Person::Nobody, Person::Id("8"), Person::Id("70")];
        let lines: Vec<Line> = whose
            .iter()
            .enumerate()
            .map(|(at, (person, is_video))| (PEOPLE[*person], *is_video, &*format!("{at}\n").leak()))
            .collect();
        let (one, other) = lines.split_at(cut.index(lines.len() + 1));
        let inputs = inputs(&[&[one, other]], USERS);
        let mut found: Vec<String> = Vec::new();
        for user in roster(1, Some(auth_user()), &inputs).lines() {
            let own = made(&learner(user, All, 1, Some(auth_user())), &inputs).expect("a good day");
            prop_assert!(!own.is_empty(), "{} is in the roster", user);
            found.extend(own.split_inclusive('\n').map(str::to_owned));
        }
        let mut expected: Vec<_> = lines.iter().map(|(_, _, text)| (*text).to_owned()).collect();
        found.sort();
        expected.sort();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn damage_is_an_error(run: Vec<u8>, lines: Vec<u8>) {
        let mut inputs = inputs(&[FIRST], USERS);
        for damaged in [blob(&[("A/B/C", &run)]), lines] {
            inputs.keep(day(1).lines(), damaged);
            for user in ["7", "undefined"] {
                if let Err(error) = made(&learner(user, All, 1, Some(auth_user())), &inputs) {
                    prop_assert_eq!(error.kind(), ErrorKind::Corrupt);
                }
            }
        }
    }
}
