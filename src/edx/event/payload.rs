//! The object that `event` is, or that is written in it as a string.

use crate::edx::event::object::members;
use crate::edx::event::value::{Value, text};
use crate::edx::tracking_log::{Fields, is_white};

/// Room for the text of one payload, used again and again.
#[derive(Default)]
pub struct PayloadText(Vec<u8>);

impl PayloadText {
    /// What is kept from one payload to the next, at most.
    const KEPT_BYTES: usize = 1 << 20;

    /// The payload's members called `names`; None where it is no object, or a string that holds anything but one.
    pub fn members<'t, const N: usize>(&'t mut self, fields: &Fields<'t>, names: [&str; N]) -> Option<[Value<'t>; N]> {
        match Value::of(fields.event_and_rest()) {
            Value::Object(object) => Some(members(object, names)?.members),
            Value::String(raw) => {
                let text = trim(self.unescaped(raw));
                let found = members(text, names)?;
                (found.length == text.len()).then_some(found.members)
            }
            _ => None,
        }
    }

    /// The bytes of a string's text. Those that are no UTF-8 stay as they are: whoever takes a text out replaces them.
    fn unescaped<'t>(&'t mut self, raw: &'t [u8]) -> &'t [u8] {
        if memchr::memchr(b'\\', raw).is_none() {
            return raw;
        }
        self.0.clear();
        self.0.shrink_to(Self::KEPT_BYTES);
        if unescape_plainly(raw, &mut self.0).is_none() {
            self.0.clear();
            self.0.extend_from_slice(text(raw).as_bytes());
        }
        &self.0
    }
}

/// Decodes escapes of one letter; None where there is any other.
fn unescape_plainly(raw: &[u8], out: &mut Vec<u8>) -> Option<()> {
    out.reserve(raw.len());
    let mut from = 0;
    let mut rest = raw;
    while let Some(at) = backslash(&rest[from..]) {
        let at = from + at;
        let decoded = match *rest.get(at + 1)? {
            plain @ (b'"' | b'\\' | b'/') => plain,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            _ => return None,
        };
        out.extend_from_slice(&rest[..at]);
        out.push(decoded);
        rest = &rest[at + 2..];
        from = 0;
    }
    out.extend_from_slice(rest);
    Some(())
}

/// Where the first backslash is.
#[inline]
fn backslash(text: &[u8]) -> Option<usize> {
    /// Payloads are full of them.
    const NEAR: usize = 16;
    match text.iter().take(NEAR).position(|&byte| byte == b'\\') {
        Some(near) => Some(near),
        None => memchr::memchr(b'\\', text.get(NEAR..)?).map(|at| NEAR + at),
    }
}

fn trim(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|&byte| !is_white(byte)).unwrap_or(text.len());
    let end = text.iter().rposition(|&byte| !is_white(byte)).map_or(start, |last| last + 1);
    &text[start..end]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::edx::tracking_log::{unescape, walk};

    fn id(event: &str) -> Option<Option<String>> {
        let line = format!("{{\"event\": {event}}}");
        let fields = walk(line.as_bytes()).expect("an event");
        let mut text = PayloadText::default();
        text.members(&fields, ["id"]).map(|[id]| id.id().map(String::from))
    }

    #[test]
    fn a_payload_is_an_object_or_the_text_of_one() {
        let found = Some(Some("v".to_owned()));
        assert_eq!(id(r#"{"id": "v"}"#), found);
        assert_eq!(id(r#""{\"id\": \"v\"}""#), found);
        assert_eq!(id(r#"" \n{\"id\": \"v\"}\t""#), found);
        assert_eq!(id(r#""{\"\u0069d\": \"\\u0076\"}""#), found);
        assert_eq!(id(r#""{\u0022id\": \"v\"}""#), found);
        assert_eq!(id(r#""{\"id\": 1, \"id\": \"\\nv\"}""#), found);
        assert_eq!(id("{}"), Some(None));
        for none in
            [r#""""#, r#""{\"id\": \"v\"} x""#, r#""{\"id\": \"v\"""#, r#""[{\"id\": \"v\"}]""#, "[]", "null", "7"]
        {
            assert_eq!(id(none), None, "{none}");
        }
    }

    proptest! {
        #[test]
        fn plain_escapes_are_decoded_as_all_are(raw in "([a-z å]|\\\\[nrtbf/\"\\\\u]|\\\\){0,40}") {
            let mut out = Vec::new();
            if unescape_plainly(raw.as_bytes(), &mut out).is_some() {
                prop_assert_eq!(String::from_utf8_lossy(&out), unescape(raw.as_bytes()));
            }
        }
    }
}
