//! The byte walker: slow, obviously right, for any depth. The twin of `blocks`, and what that falls back to.

use crate::edx::tracking_log::text::unescape;
use crate::edx::tracking_log::{Fields, Span, context_member, event_member, is_white, skip_white};

/// The members of the event in `line`; None where the line is not an event.
pub fn walk(line: &[u8]) -> Option<Fields<'_>> {
    let start = line.iter().position(|&byte| byte == b'{')?;
    let mut fields = Fields::none_yet(line);
    let end = walk_object(line, start, |depth, inside, key, value| {
        let key = unescape(&line[key]);
        let member = match depth {
            1 => event_member(key.as_bytes()),
            2 if inside.is_some_and(|bracket| fields.is_context(bracket)) => context_member(key.as_bytes()),
            _ => None,
        };
        if let Some(member) = member {
            fields.set(member, value);
        }
    })?;
    line[end..].iter().all(|&byte| is_white(byte)).then_some(fields)
}

/// Walks the object whose `{` is at `start`; gives where it ends, None where it does not end or brackets mismatch.
///
/// A key is a string with a colon behind it. For every key at depth 1 and 2, `found(depth, bracket, key, value)`: the
/// position of the depth-2 bracket that the key stands in, the key's bytes, and where its value begins.
pub fn walk_object(
    line: &[u8],
    start: usize,
    mut found: impl FnMut(usize, Option<usize>, Span, usize),
) -> Option<usize> {
    let mut open: Vec<u8> = Vec::new();
    let mut second_bracket = None;
    // The string that ended last, if nothing but white space has come since.
    let mut last_string: Option<Span> = None;
    let mut at = start;
    while at < line.len() {
        let byte = line[at];
        match byte {
            b'"' => {
                let end = string_end(line, at + 1)?;
                last_string = Some(at + 1..end);
                at = end + 1;
                continue;
            }
            b'{' | b'[' => {
                open.push(byte);
                if open.len() == 2 {
                    second_bracket = Some(at);
                }
            }
            b'}' | b']' => {
                let opened = open.pop()?;
                if (opened == b'{') != (byte == b'}') {
                    return None;
                }
                if open.is_empty() {
                    return Some(at + 1);
                }
                if open.len() == 1 {
                    second_bracket = None;
                }
            }
            b':' if open.len() <= 2 => {
                if let Some(key) = last_string.take() {
                    found(open.len(), second_bracket, key, skip_white(line, at + 1));
                }
            }
            _ => {}
        }
        if !is_white(byte) {
            last_string = None;
        }
        at += 1;
    }
    None
}

/// The string whose opening quote is at `start`, without its quotes; None if there is no quote or no end.
pub fn string_at(line: &[u8], start: usize) -> Option<&[u8]> {
    if line.get(start) != Some(&b'"') {
        return None;
    }
    Some(&line[start + 1..string_end(line, start + 1)?])
}

/// Where the closing quote of the string stands whose content begins at `from`.
fn string_end(line: &[u8], mut from: usize) -> Option<usize> {
    loop {
        let rest = line.get(from..)?;
        let hit = from + memchr::memchr2(b'"', b'\\', rest)?;
        if line[hit] == b'"' {
            return Some(hit);
        }
        from = hit + 2;
    }
}

/// An object's members of the names asked for, each from its value's first byte on, and where the object ends.
pub struct Members<'a, const N: usize> {
    pub values: [Option<&'a [u8]>; N],
    pub end: usize,
}

/// The members called `names` of the object that `text` begins with, the last of each name; None if it is not one.
pub fn members_of<'a, const N: usize>(text: &'a [u8], names: [&str; N]) -> Option<Members<'a, N>> {
    if text.first() != Some(&b'{') {
        return None;
    }
    let mut values = [None; N];
    let end = walk_object(text, 0, |depth, _, key, value| {
        if depth == 1 {
            let key = unescape(&text[key]);
            if let Some(found) = names.iter().position(|name| key == *name) {
                values[found] = text.get(value..);
            }
        }
    })?;
    Some(Members { values, end })
}
