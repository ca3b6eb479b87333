//! The three ways in which an id can be wrapped: JSON escapes, percent escapes, white space around it.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// The text of a JSON string given without its quotes.
///
/// What is not UTF-8, not an escape or half of a surrogate pair becomes U+FFFD: it is valid in no id and no name.
pub fn unescape(raw: &[u8]) -> Cow<'_, str> {
    if memchr::memchr(b'\\', raw).is_none() {
        return String::from_utf8_lossy(raw);
    }
    let text = String::from_utf8_lossy(raw);
    let mut out = String::with_capacity(text.len());
    let mut rest = &*text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let (decoded, length) = escape(&rest[at..]);
        out.push(decoded);
        rest = &rest[at + length..];
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Decodes the escape that `text` begins with, and gives the bytes that it takes.
fn escape(text: &str) -> (char, usize) {
    let Some(letter) = text[1..].chars().next() else { return (char::REPLACEMENT_CHARACTER, 1) };
    let decoded = match letter {
        '"' | '\\' | '/' => letter,
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'u' => return unicode_escape(text),
        _ => char::REPLACEMENT_CHARACTER,
    };
    (decoded, 1 + letter.len_utf8())
}

/// `\uXXXX`, or two of them that make a surrogate pair.
fn unicode_escape(text: &str) -> (char, usize) {
    const LENGTH: usize = 6;
    let Some(high) = code_unit(text) else { return (char::REPLACEMENT_CHARACTER, 2) };
    if let Some(plain) = char::from_u32(high) {
        return (plain, LENGTH);
    }
    let low = text.get(LENGTH..).and_then(code_unit).filter(|low| (0xDC00..0xE000).contains(low));
    let pair = low
        .filter(|_| high < 0xDC00)
        .and_then(|low| char::from_u32(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)));
    pair.map_or((char::REPLACEMENT_CHARACTER, LENGTH), |pair| (pair, 2 * LENGTH))
}

fn code_unit(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    u32::from_str_radix(digits, 16).ok()
}

/// Without white space on both sides, as Python's `strip` sees it: Unicode's, and the four ASCII separators.
pub fn strip(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || ('\x1c'..='\x1f').contains(&c))
}

/// Percent escapes decoded, once; what is then not UTF-8 becomes U+FFFD.
pub fn percent_decode(text: &str) -> Cow<'_, str> {
    percent_decode_str(text).decode_utf8_lossy()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_decoded_and_bad_ones_replaced() {
        for (raw, text) in [
            (&b"course-v1:a\\u002Bb\\u002bc"[..], "course-v1:a+b+c"),
            (b"a\\/b\\\\\\\"\\n\\t\\r\\b\\f", "a/b\\\"\n\t\r\u{8}\u{c}"),
            (b"\\ud83d\\ude00|\\ud83d|\\ude00\\ud83d", "\u{1F600}|\u{FFFD}|\u{FFFD}\u{FFFD}"),
            (b"\\q\\u12|\\u+123", "\u{FFFD}\u{FFFD}12|\u{FFFD}+123"),
            (b"a\\", "a\u{FFFD}"),
            (b"\xff\\n", "\u{FFFD}\n"),
            ("å\\å".as_bytes(), "å\u{FFFD}"),
        ] {
            assert_eq!(unescape(raw), text);
        }
    }
}
