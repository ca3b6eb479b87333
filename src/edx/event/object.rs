//! The members of an object, in one quick pass; its slow twin is the walker of `tracking_log`.

use crate::edx::event::value::Value;
use crate::edx::tracking_log::{is_white, skip_white, unescape, walk_object};

/// What was found of an object.
pub(super) struct Found<'a, const N: usize> {
    /// The last member of each name asked for.
    pub members: [Value<'a>; N],
    /// Bytes from its first bracket to its last.
    pub length: usize,
}

/// The members called `names` of the object that `text` begins with; None if it is not one.
pub(super) fn members<'a, const N: usize>(text: &'a [u8], names: [&str; N]) -> Option<Found<'a, N>> {
    if text.first() != Some(&b'{') {
        return None;
    }
    let mut starts = [None; N];
    let length = scan(text, |key, value| {
        let found = match memchr::memchr(b'\\', key) {
            None => names.iter().position(|name| key == name.as_bytes()),
            Some(_) => names.iter().position(|name| unescape(key) == *name),
        };
        if let Some(found) = found {
            starts[found] = Some(value);
        }
    })?;
    Some(Found { members: starts.map(|start| Value::of(start.and_then(|start| text.get(start..)))), length })
}

/// Calls `found` for every member of the object that `text` begins with, in order; its name has its escapes left in.
pub(super) fn each_member<'a>(text: &'a [u8], mut found: impl FnMut(&'a [u8], Value<'a>)) -> Option<()> {
    scan(text, |key, value| found(key, Value::of(text.get(value..)))).map(drop)
}

/// Bytes from the first bracket of the array or object that `text` begins with to its last.
pub(super) fn length(text: &[u8]) -> Option<usize> {
    scan(text, |_, _| {})
}

/// Finds where the brackets that `text` begins with close, and on the way each key and where its value begins.
fn scan<'a>(text: &'a [u8], mut found: impl FnMut(&'a [u8], usize)) -> Option<usize> {
    /// Brackets of one kind are the bits of a word.
    const DEEPEST: u32 = u64::BITS;
    let mut open = 0_u64;
    let mut depth = 0;
    let mut key: Option<&[u8]> = None;
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'"' => {
                let end = string_end(text, at + 1)?;
                if depth == 1 {
                    key = Some(&text[at + 1..end]);
                }
                at = end + 1;
                continue;
            }
            b':' if depth == 1 => {
                if let Some(key) = key {
                    found(key, skip_white(text, at + 1));
                }
            }
            b'{' | b'[' if depth == DEEPEST => return scan_slowly(text, found),
            b'{' | b'[' => {
                open = open << 1 | u64::from(byte == b'[');
                depth += 1;
            }
            b'}' | b']' => {
                if depth == 0 || open & 1 != u64::from(byte == b']') {
                    return None;
                }
                open >>= 1;
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
        if !is_white(byte) {
            key = None;
        }
        at += 1;
    }
    None
}

/// For what is nested too deeply: everything from its beginning, so that the last of a repeated member still wins.
#[cold]
fn scan_slowly<'a>(text: &'a [u8], mut found: impl FnMut(&'a [u8], usize)) -> Option<usize> {
    walk_object(text, 0, |depth, _, key, value| {
        if depth == 1 {
            found(&text[key], value);
        }
    })
}

/// Where the closing quote of the string stands whose content begins at `from`.
#[inline(always)]
fn string_end(text: &[u8], mut from: usize) -> Option<usize> {
    loop {
        match *text.get(from)? {
            b'"' => return Some(from),
            b'\\' => from += 2,
            _ => from += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    type Members<'a> = Vec<(&'a [u8], usize)>;

    fn quick(text: &[u8]) -> (Option<usize>, Members<'_>) {
        let mut members = Vec::new();
        (scan(text, |key, value| members.push((key, value))), members)
    }

    fn slow(text: &[u8]) -> (Option<usize>, Members<'_>) {
        let mut members = Vec::new();
        let end = walk_object(text, 0, |depth, _, key, value| {
            if depth == 1 {
                members.push((&text[key], value));
            }
        });
        (end, members)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn the_quick_pass_finds_what_the_walker_finds(
            pieces in prop::collection::vec(select(vec![
                "{", "}", "[", "]", ":", ",", " ", "\"", "\\", "\"a\": ", "\"id\":7,", "\"a\\\"b\" :", "\"\": {}, ", "nul",
                "\"a string that is longer than sixteen bytes\"", "\\\\", "\"x\": [{\"y\": [", "]}]",
            ]), 0..30),
        ) {
            let text = format!("{{{}", pieces.concat());
            prop_assert_eq!(quick(text.as_bytes()), slow(text.as_bytes()));
        }
    }

    #[test]
    fn depth_changes_nothing() {
        for depth in [62, 63, 64, 65, 200] {
            let text = format!("{{\"a\": 1, \"b\": {}{}, \"a\": \"2\"}} ", "[".repeat(depth), "]".repeat(depth));
            let found = members(text.as_bytes(), ["a", "c"]).expect("an object");
            assert_eq!(found.members, [Value::String(b"2"), Value::Missing]);
            assert_eq!(found.length, text.len() - 1);
        }
    }

    #[test]
    fn names_may_be_written_with_escapes() {
        let found = members(br#"{"\u0069d": 1, "x": {"id": 2}}"#, ["id"]).expect("an object");
        assert_eq!(found.members, [Value::Number("1")]);
        assert!(members(b"[1]", ["id"]).is_none());
        assert!(members(b"{\"id\": 1", ["id"]).is_none());
    }
}
