//! One JSON value, as it stands in a line or in a payload, and the texts and numbers that are taken out of it.

use std::borrow::Cow;

use crate::edx::event::object::length;
use crate::edx::tracking_log::{string_at, strip, unescape};

/// A value; what is in it is decoded when it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// Not there, or nothing where a value should be.
    Missing,
    Null,
    Bool(Truth),
    /// As written, in JSON's grammar.
    Number(&'a str),
    /// Any other bare word.
    Word(&'a [u8]),
    /// Without its quotes, escapes left in.
    String(&'a [u8]),
    /// From its first bracket on, with whatever follows.
    Object(&'a [u8]),
    Array(&'a [u8]),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    True,
    False,
}

impl<'a> Value<'a> {
    /// The value that `text` begins with.
    #[inline]
    pub fn of(text: Option<&'a [u8]>) -> Self {
        let Some(text) = text else { return Value::Missing };
        match text.first() {
            Some(b'"') => string_at(text, 0).map_or(Value::Missing, Value::String),
            Some(b'{') => Value::Object(text),
            Some(b'[') => Value::Array(text),
            _ => Value::of_word(&text[..word_length(text)]),
        }
    }

    fn of_word(word: &'a [u8]) -> Self {
        match word {
            b"" => Value::Missing,
            b"null" => Value::Null,
            b"true" => Value::Bool(Truth::True),
            b"false" => Value::Bool(Truth::False),
            _ => number(word).map_or(Value::Word(word), Value::Number),
        }
    }

    /// A string's text.
    pub fn string(self) -> Option<Cow<'a, str>> {
        match self {
            Value::String(raw) => Some(text(raw)),
            _ => None,
        }
    }

    /// An id: a string without white space around it, or a number as it is written; None where that is nothing.
    pub fn id(self) -> Option<Cow<'a, str>> {
        match self {
            Value::String(raw) => Some(stripped(text(raw))).filter(|id| !id.is_empty()),
            Value::Number(digits) => Some(Cow::Borrowed(digits)),
            _ => None,
        }
    }

    /// The bytes of an id as they are if it is written without escapes: where an id of these bytes is known, it is this one.
    #[inline]
    pub fn plain_id(self) -> Option<&'a [u8]> {
        match self {
            Value::String(raw) => memchr::memchr(b'\\', raw).is_none().then_some(raw),
            Value::Number(digits) => Some(digits.as_bytes()),
            _ => None,
        }
    }

    /// A number, also if it is written as a string.
    pub fn finite(self) -> Option<f64> {
        let parse = |digits: &str| digits.parse::<f64>().ok().filter(|number| number.is_finite());
        match self {
            Value::Number(digits) => parse(digits),
            Value::String(raw) => number(strip(&text(raw)).as_bytes()).and_then(parse),
            _ => None,
        }
    }

    /// As cells have it: a string's text, `1` and `0` for booleans, the source of anything else; None: null or missing.
    pub fn cell(self) -> Option<Cow<'a, str>> {
        match self {
            Value::Missing | Value::Null => None,
            Value::Bool(Truth::True) => Some(Cow::Borrowed("1")),
            Value::Bool(Truth::False) => Some(Cow::Borrowed("0")),
            Value::Number(digits) => Some(Cow::Borrowed(digits)),
            Value::Word(word) => Some(source(word)),
            Value::String(raw) => Some(text(raw)),
            Value::Object(rest) | Value::Array(rest) => length(rest).map(|length| source(&rest[..length])),
        }
    }
}

/// The text of a JSON string given without its quotes.
pub fn text(raw: &[u8]) -> Cow<'_, str> {
    let is_plain = memchr::memchr2(b'\\', 0, raw).is_none();
    match str::from_utf8(raw) {
        Ok(text) if is_plain => Cow::Borrowed(text),
        _ => without_nul(unescape(raw)),
    }
}

fn source(bytes: &[u8]) -> Cow<'_, str> {
    without_nul(String::from_utf8_lossy(bytes))
}

fn without_nul(text: Cow<'_, str>) -> Cow<'_, str> {
    if memchr::memchr(0, text.as_bytes()).is_none() {
        return text;
    }
    Cow::Owned(text.replace('\0', "\u{2400}"))
}

fn stripped(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(strip(text)),
        Cow::Owned(text) if strip(&text).len() == text.len() => Cow::Owned(text),
        Cow::Owned(text) => Cow::Owned(strip(&text).to_owned()),
    }
}

/// Bytes of the bare word that `text` begins with.
fn word_length(text: &[u8]) -> usize {
    let ends =
        |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b',' | b':' | b'"' | b'{' | b'}' | b'[' | b']');
    text.iter().position(ends).unwrap_or(text.len())
}

/// The text, if JSON's grammar takes it for a number.
fn number(text: &[u8]) -> Option<&str> {
    let mut rest = text.strip_prefix(b"-").unwrap_or(text);
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let whole = digits(rest);
    if whole == 0 || (whole > 1 && rest[0] == b'0') {
        return None;
    }
    rest = &rest[whole..];
    if let Some(after) = rest.strip_prefix(b".") {
        let fraction = digits(after);
        if fraction == 0 {
            return None;
        }
        rest = &after[fraction..];
    }
    if let [b'e' | b'E', after @ ..] = rest {
        let after = after.strip_prefix(b"+").or_else(|| after.strip_prefix(b"-")).unwrap_or(after);
        let exponent = digits(after);
        if exponent == 0 {
            return None;
        }
        rest = &after[exponent..];
    }
    if rest.is_empty() { str::from_utf8(text).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(text: &str) -> Value<'_> {
        Value::of(Some(text.as_bytes()))
    }

    #[test]
    fn ids_are_strings_and_numbers() {
        for (json, id) in [
            ("1001,", Some("1001")),
            ("-1.50e3}", Some("-1.50e3")),
            ("\"1001\"", Some("1001")),
            ("\"\\n 7\\t\\u00a0\"", Some("7")),
            ("\"\\u0000\"", Some("\u{2400}")),
            ("\"\"", None),
            ("\" \\n\"", None),
            ("007", None),
            ("NaN", None),
            ("null", None),
            ("true", None),
            ("{\"a\": 1}", None),
            ("[1]", None),
            ("", None),
            ("\"open", None),
        ] {
            assert_eq!(of(json).id().as_deref(), id, "{json}");
        }
        assert_eq!(Value::of(None).id(), None);
    }

    #[test]
    fn cells_hold_texts_numbers_and_sources() {
        for (json, cell) in [
            ("\"a\\\"b\"", Some("a\"b")),
            ("1.0 ,", Some("1.0")),
            ("true", Some("1")),
            ("false}", Some("0")),
            ("null", None),
            ("", None),
            (",", None),
            ("NaN,", Some("NaN")),
            ("[1, {\"a\": \"]\"}] , 7", Some("[1, {\"a\": \"]\"}]")),
            ("{\"a\": [}", None),
        ] {
            assert_eq!(of(json).cell().as_deref(), cell, "{json}");
        }
    }

    #[test]
    fn numbers_may_be_written_as_strings_and_must_be_finite() {
        for (json, number) in [
            ("38.910057", Some(38.910057)),
            ("\" 147 \"", Some(147.0)),
            ("-0", Some(-0.0)),
            ("1e999", None),
            ("\"nan\"", None),
            ("\"0x10\"", None),
            ("\"1.\"", None),
            ("+1", None),
            ("null", None),
        ] {
            assert_eq!(of(json).finite(), number, "{json}");
        }
    }

    proptest! {
        #[test]
        fn the_grammar_of_numbers_is_jsons(text in "[-+]?[0-9]{0,3}[.]?[0-9]{0,2}([eE][-+]?[0-9]{0,2})?") {
            let is_number = serde_json::from_str::<serde_json::Number>(&text).is_ok() || {
                // Beyond the range of a float, its parser refuses what the grammar takes.
                text.contains(['e', 'E']) && number(text.as_bytes()).is_some_and(|n| n.parse::<f64>().is_ok_and(f64::is_infinite))
            };
            prop_assert_eq!(number(text.as_bytes()).is_some(), is_number);
        }

        #[test]
        fn bytes_without_escapes_that_are_a_known_id_are_that_id(raw: Vec<u8>) {
            let value = Value::String(&raw);
            if let (Some(plain), Some(id)) = (value.plain_id(), value.id())
                && plain == id.as_bytes() {
                prop_assert_eq!(Value::String(plain).id(), Some(id));
            }
        }
    }
}
