//! One line of a forum's `.mongo` file: a post as `mongoexport` writes it. Source: data-package notes, section 9.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use crate::edx::event::{LONGEST_ID, time};

/// What counts of a post. Texts that are missing, null or of another type are None.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Post {
    /// `CommentThread`, `Comment`, or what else comes.
    pub kind: Option<String>,
    /// Without white space around it; a number as its text.
    pub author: Option<String>,
    /// Microseconds since 1970.
    pub created: Option<i64>,
    /// The thread that it belongs to; a thread's own id.
    pub thread: Option<String>,
    /// The comment that it answers.
    pub parent: Option<String>,
}

/// The post of one line; None if that is no JSON object. Of a repeated member the last counts; what is not UTF-8 becomes
/// U+FFFD, and a NUL U+2400, at which SQLite's readers do not end a text.
pub fn post(line: &[u8]) -> Option<Post> {
    let text = String::from_utf8_lossy(line);
    let members: Members = serde_json::from_str(&text).ok()?;
    let kind = string(&members.kind);
    let own_id = kind.as_deref() == Some("CommentThread");
    Some(Post {
        author: author(&members.author),
        created: members.created.get("$date").and_then(instant),
        thread: id(if own_id { &members.id } else { &members.thread }),
        parent: id(&members.parent),
        kind,
    })
}

#[derive(Default)]
struct Members {
    id: Value,
    kind: Value,
    author: Value,
    created: Value,
    thread: Value,
    parent: Value,
}

#[derive(Deserialize)]
#[serde(field_identifier)]
enum Member {
    #[serde(rename = "_id")]
    Id,
    #[serde(rename = "_type")]
    Kind,
    #[serde(rename = "author_id")]
    Author,
    #[serde(rename = "created_at")]
    Created,
    #[serde(rename = "comment_thread_id")]
    Thread,
    #[serde(rename = "parent_id")]
    Parent,
    #[serde(other)]
    Other,
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(LastWins)
    }
}

/// A derived reader refuses an object with a repeated key.
struct LastWins;

impl<'de> Visitor<'de> for LastWins {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a post")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut members = Members::default();
        while let Some(member) = map.next_key::<Member>()? {
            let place = match member {
                Member::Id => &mut members.id,
                Member::Kind => &mut members.kind,
                Member::Author => &mut members.author,
                Member::Created => &mut members.created,
                Member::Thread => &mut members.thread,
                Member::Parent => &mut members.parent,
                Member::Other => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            *place = map.next_value()?;
        }
        Ok(members)
    }
}

/// `{"$oid": "…"}`, or the bare text.
fn id(value: &Value) -> Option<String> {
    string(value.get("$oid").unwrap_or(value))
}

fn string(value: &Value) -> Option<String> {
    value.as_str().map(|text| text.replace('\0', "\u{2400}"))
}

fn author(value: &Value) -> Option<String> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        value => string(value)?,
    };
    let text = text.trim_matches(|c: char| c.is_whitespace() || ('\x1c'..='\x1f').contains(&c));
    (!text.is_empty() && text.len() <= LONGEST_ID).then(|| text.to_owned())
}

/// Milliseconds, `{"$numberLong": "milliseconds"}` or a text, as they stand in `$date`.
fn instant(date: &Value) -> Option<i64> {
    match date {
        Value::Number(number) => number.as_i64()?.checked_mul(1_000),
        Value::String(text) => time::parse(text.as_bytes()),
        Value::Object(_) => {
            let number = date.get("$numberLong").or_else(|| date.get("$numberInt"))?;
            let milliseconds = number.as_i64().or_else(|| number.as_str()?.parse().ok())?;
            milliseconds.checked_mul(1_000)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn created(date: &str) -> Option<i64> {
        post(format!(r#"{{"created_at":{{"$date":{date}}}}}"#).as_bytes()).expect("an object").created
    }

    #[test]
    fn a_post_says_who_wrote_it_and_what_it_answers() {
        let thread = br#"{"_id":{"$oid":"52e4"},"_type":"CommentThread","author_id":"1001","body":"a\n\ud800","created_at":{"$date":1}}"#;
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            post(thread).unwrap(),
            Post {
                kind: text("CommentThread"),
                author: text("1001"),
                created: Some(1_000),
                thread: text("52e4"),
                parent: None
            }
        );
        let reply = br#"{"_id":{"$oid":"52e6"},"_type":"Comment","author_id":7,"comment_thread_id":{"$oid":"52e4"},"parent_id":{"$oid":"52e5"}}"#;
        let reply = post(reply).unwrap();
        assert_eq!((reply.author, reply.thread, reply.parent), (text("7"), text("52e4"), text("52e5")));
        let odd = post(b" {\"_type\":null,\"author_id\":\" \",\"parent_id\":null,\"parent_id\":\"\\u0000x\\ufffd\",\"x\":\"\xff\"}").unwrap();
        assert_eq!(odd, Post { parent: text("\u{2400}x\u{FFFD}"), ..Post::default() });
    }

    #[test]
    fn dates_come_in_three_forms() {
        let instant = Some(1_390_759_901_966_000);
        assert_eq!(created("1390759901966"), instant);
        assert_eq!(created(r#"{"$numberLong":"1390759901966"}"#), instant);
        assert_eq!(created(r#""2014-01-26T18:11:41.966Z""#), instant);
        assert_eq!(created(r#""2014-01-26T19:11:41.966+0100""#), instant);
        assert_eq!(created(r#""2014-01-26 18:11:41.9660009""#), instant);
        assert_eq!(created(r#""1969-12-31T23:59:59-00:01""#), Some(59_000_000));
        for bad in ["null", "9223372036854775807", "1.5", "{}", "\"\"", "\"2014-02-30T00:00:00Z\""] {
            assert_eq!(created(bad), None, "{bad}");
        }
        for bad in [
            "2014-01-26T18:11:60Z",
            "2014-01-26T24:11:00Z",
            "2014-01-26T18:11:41.Z",
            "2014-01-26T18:11:41+1",
            "2014-01-26",
        ] {
            assert_eq!(created(&format!("\"{bad}\"")), None, "{bad}");
        }
    }

    #[test]
    fn what_is_no_object_is_no_post() {
        for line in ["", "[]", "null", "{", "{} x", "\"a\"", "{\"author_id\":}"] {
            assert_eq!(post(line.as_bytes()), None, "{line}");
        }
        assert_eq!(post(b"{}\r"), Some(Post::default()));
    }
}
