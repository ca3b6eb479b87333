//! The course structure JSON: one object keyed by block id; knows blocks, not courses.

use std::fmt;
use std::io::Read;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::error::{Error, Result};

/// The display name of the block of category `course`; None if there is none.
///
/// Input: the whole JSON, read once in bounded memory. Errors: `Corrupt` if it is no such object.
/// Source: edX Research Guide, "Course Content Data".
pub fn title(json: impl Read) -> Result<Option<String>> {
    let mut deserializer = serde_json::Deserializer::from_reader(json);
    let title = deserializer.deserialize_map(Blocks);
    title.map_err(|error| Error::corrupt(format!("is no course structure: line {}", error.line())))
}

#[derive(Deserialize)]
struct Block {
    #[serde(default)]
    category: Option<String>,
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Deserialize, Default)]
struct Metadata {
    #[serde(default)]
    display_name: Option<serde_json::Value>,
}

struct Blocks;

impl<'de> Visitor<'de> for Blocks {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of blocks")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut blocks: A) -> std::result::Result<Self::Value, A::Error> {
        let mut title = None;
        while let Some((_, block)) = blocks.next_entry::<IgnoredAny, Block>()? {
            if block.category.as_deref() == Some("course") {
                title = block.metadata.display_name.as_ref().and_then(|name| name.as_str()).map(str::to_owned);
            }
        }
        Ok(title)
    }
}

#[cfg(test)]
mod tests {
    use super::title;

    #[test]
    fn the_course_block_gives_the_title() {
        let json = br#"{"i4x://U/B/chapter/w1": {"category": "chapter", "children": [], "metadata": {"display_name": "Week 1"}},
            "i4x://U/B/course/R": {"category": "course", "children": ["x"], "metadata": {"display_name": "Bio", "end": null}}}"#;
        assert_eq!(title(&json[..]).expect("reads").as_deref(), Some("Bio"));
        assert_eq!(title(&b"{}"[..]).expect("reads"), None);
        assert!(title(&b"[1"[..]).is_err());
    }
}
