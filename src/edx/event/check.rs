//! The server's checks of answers to problems, and the surveys that some of them are.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::edx::event::object::{each_member, length, members};
use crate::edx::event::value::{Truth, Value, text};
use crate::edx::tracking_log::Fields;

/// A problem's id is never longer, in bytes.
pub const LONGEST_PROBLEM: usize = 1024;

/// A server's `problem_check` with an object as payload.
#[derive(Clone, Debug, PartialEq)]
pub struct Check<'a> {
    /// Without white space around it, and not empty.
    pub problem: Cow<'a, str>,
    /// These four as cells have them.
    pub attempts: Option<Cow<'a, str>>,
    pub grade: Option<Cow<'a, str>>,
    pub max_grade: Option<Cow<'a, str>>,
    pub success: Option<Cow<'a, str>>,
    /// `context.module.display_name`.
    pub display_name: Option<Cow<'a, str>>,
    answers: Value<'a>,
}

impl<'a> Check<'a> {
    /// `fields`: of a server's `problem_check`. None where its payload is no object or names no problem.
    pub fn read(fields: &Fields<'a>) -> Option<Self> {
        let names = ["problem_id", "attempts", "grade", "max_grade", "success", "answers"];
        let [problem, attempts, grade, max_grade, success, answers] = members(fields.event_and_rest()?, names)?.members;
        let Value::String(_) = problem else { return None };
        Some(Check {
            problem: problem.id().filter(|problem| problem.len() <= LONGEST_PROBLEM)?,
            attempts: attempts.cell(),
            grade: grade.cell(),
            max_grade: max_grade.cell(),
            success: success.cell(),
            display_name: display_name(fields),
            answers,
        })
    }

    /// The answers to a survey's questions: column and text; of a column given twice the last.
    pub fn answers(&self) -> BTreeMap<String, Cow<'a, str>> {
        let mut answers = BTreeMap::new();
        if let Value::Object(object) = self.answers {
            each_member(object, |key, value| {
                if let (Some(column), Some(answer)) = (survey_column(&text(key)), answer(value)) {
                    answers.insert(column, answer);
                }
            });
        }
        answers
    }
}

fn display_name<'a>(fields: &Fields<'a>) -> Option<Cow<'a, str>> {
    let [name] = members(fields.module_and_rest()?, ["display_name"])?.members;
    name.string()
}

/// `problem_<n>_<m>` of a key that ends in `_<n>_<m>`.
fn survey_column(key: &str) -> Option<String> {
    let (rest, second) = key.rsplit_once('_')?;
    let (_, first) = rest.rsplit_once('_')?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (is_number(first) && is_number(second)).then(|| format!("problem_{first}_{second}"))
}

/// Several choices are joined by commas.
fn answer(value: Value<'_>) -> Option<Cow<'_, str>> {
    match value {
        Value::Object(_) => None,
        Value::Array(array) => Some(Cow::Owned(joined(array))),
        single => single.cell(),
    }
}

/// The elements of the array that `text` begins with, but for nulls and what has elements itself.
fn joined(text: &[u8]) -> String {
    let mut out = String::new();
    let mut is_first = true;
    let mut at = 1;
    while let Some(&byte) = text.get(at) {
        let value = Value::of(Some(&text[at..]));
        let bytes = match value {
            _ if byte == b']' => break,
            Value::Object(_) | Value::Array(_) => length(&text[at..]),
            Value::String(raw) => Some(raw.len() + 2),
            Value::Number(word) => Some(word.len()),
            Value::Word(word) => Some(word.len()),
            Value::Null | Value::Bool(Truth::True) => Some(4),
            Value::Bool(Truth::False) => Some(5),
            Value::Missing => Some(1),
        };
        let Some(bytes) = bytes else { break };
        if let (Some(cell), false) = (value.cell(), matches!(value, Value::Object(_) | Value::Array(_))) {
            if !is_first {
                out.push(',');
            }
            out.push_str(&cell);
            is_first = false;
        }
        at += bytes;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edx::tracking_log::walk;

    #[test]
    fn answers_are_named_by_the_end_of_their_key() {
        for (key, column) in [
            ("p1_2_1", Some("problem_2_1")),
            ("i4x-U-C-problem-p_q_10_007", Some("problem_10_007")),
            ("_2_1", Some("problem_2_1")),
            ("2_1", None),
            ("p_2_1 ", None),
            ("p_2_", None),
            ("p_2_1_dynamath", None),
            ("p_٢_1", None),
        ] {
            assert_eq!(survey_column(key).as_deref(), column, "{key}");
        }
    }

    #[test]
    fn choices_are_joined_and_what_is_no_text_is_left_out() {
        for (array, text) in [
            (r#"["choice_0", "choice_1"]"#, "choice_0,choice_1"),
            (r#"["a,b", 1.0, true, false, null, [7, "]"], {"a": "x"}, NaN]"#, "a,b,1.0,1,0,NaN"),
            ("[]", ""),
            (r#"["", "x"]"#, ",x"),
            ("[ 1 , 2 ]", "1,2"),
        ] {
            assert_eq!(joined(array.as_bytes()), text, "{array}");
        }
    }

    #[test]
    fn a_check_is_read_with_its_survey() {
        let line =
            br#"{"context": {"module": {"display_name": "Pre-course \u2013 Survey"}}, "event": {"problem_id": " p\n",
            "attempts": 2, "grade": "1.5", "max_grade": null, "success": true,
            "answers": {"p_2_1": ["a", "b"], "x": 1, "q_2_1": "last", "p_3_1": null, "p_4_1": {}}}}"#;
        let check = Check::read(&walk(line).expect("an event")).expect("a check");
        assert_eq!(check.problem, "p");
        assert_eq!(check.display_name.as_deref(), Some("Pre-course \u{2013} Survey"));
        let cells = [&check.attempts, &check.grade, &check.max_grade, &check.success].map(|cell| cell.as_deref());
        assert_eq!(cells, [Some("2"), Some("1.5"), None, Some("1")]);
        let answers = check.answers();
        assert_eq!(answers.iter().map(|(c, a)| (c.as_str(), &**a)).collect::<Vec<_>>(), [("problem_2_1", "last")]);
        for none in [r#""{\"problem_id\": \"p\"}""#, r#"{"problem_id": 7}"#, r#"{"problem_id": " "}"#, "{}", "[]"] {
            let line = format!("{{\"event\": {none}}}");
            assert_eq!(Check::read(&walk(line.as_bytes()).expect("an event")), None, "{none}");
        }
    }
}
