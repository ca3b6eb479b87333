//! The course structure JSON: one object keyed by block id; knows blocks, not courses.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::io::Read;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use crate::error::{Error, Result};

/// The display name of the block of category `course`; None if there is none.
///
/// Input: the whole JSON, read once in bounded memory. Errors: `Corrupt` if it is no such object.
/// Source: edX Research Guide, "Course Content Data".
pub fn title(json: impl Read) -> Result<Option<String>> {
    let mut deserializer = serde_json::Deserializer::from_reader(json);
    let title = deserializer.deserialize_map(Blocks);
    title.map_err(is_none)
}

fn is_none(error: serde_json::Error) -> Error {
    Error::corrupt(format!("is no course structure: line {}", error.line()))
}

/// A course's blocks, as far as tables show them.
#[derive(Debug, Default)]
pub struct Structure {
    blocks: HashMap<String, Block>,
    /// Those of category `course`: one, in what edX writes.
    courses: BTreeSet<String>,
}

/// Members that are missing, null or of another type are None.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Block {
    pub category: Option<String>,
    /// Ids, in order; some may be of no block.
    pub children: Vec<String>,
    pub display_name: Option<String>,
    pub graded: Option<bool>,
    /// This and `due`: as they came.
    pub start: Option<String>,
    pub due: Option<String>,
}

/// A block and its place in the course.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    pub id: &'a str,
    pub block: &'a Block,
    pub parent: Option<&'a str>,
    /// Among the parent's children, from 1.
    pub position: Option<u32>,
    /// This and the next two: the nearest such block on the way up, itself included.
    pub chapter: Option<&'a str>,
    pub sequential: Option<&'a str>,
    pub vertical: Option<&'a str>,
}

impl Structure {
    /// Reads the whole JSON. Memory: what is kept of it. Errors: `Corrupt` if it is no object.
    pub fn read(json: impl Read) -> Result<Self> {
        let mut structure = Structure::default();
        let mut deserializer = serde_json::Deserializer::from_reader(json);
        Keep(&mut structure).deserialize(&mut deserializer).and_then(|()| deserializer.end()).map_err(is_none)?;
        Ok(structure)
    }

    /// The blocks that can be reached from the course's, depth first, each once.
    pub fn places(&self) -> Places<'_> {
        let waiting = self.courses.iter().rev().map(|id| Place {
            id,
            block: &self.blocks[id],
            parent: None,
            position: None,
            chapter: None,
            sequential: None,
            vertical: None,
        });
        Places { structure: self, waiting: waiting.collect(), visited: HashSet::new() }
    }

    /// The display names of problems, by block id.
    pub fn problem_titles(&self) -> HashMap<String, String> {
        let problems = self.blocks.iter().filter(|(_, block)| block.category.as_deref() == Some("problem"));
        problems.filter_map(|(id, block)| Some((id.clone(), block.display_name.clone()?))).collect()
    }
}

/// Iterates over a structure in course order.
pub struct Places<'a> {
    structure: &'a Structure,
    /// The next last.
    waiting: Vec<Place<'a>>,
    visited: HashSet<&'a str>,
}

impl<'a> Iterator for Places<'a> {
    type Item = Place<'a>;

    fn next(&mut self) -> Option<Place<'a>> {
        loop {
            let mut place = self.waiting.pop()?;
            if !self.visited.insert(place.id) {
                continue;
            }
            match place.block.category.as_deref() {
                Some("chapter") => place.chapter = Some(place.id),
                Some("sequential") => place.sequential = Some(place.id),
                Some("vertical") => place.vertical = Some(place.id),
                _ => {}
            }
            for (at, child) in (1..).zip(&place.block.children).collect::<Vec<_>>().into_iter().rev() {
                if let Some((id, block)) = self.structure.blocks.get_key_value(child) {
                    let (parent, position) = (Some(place.id), Some(at));
                    self.waiting.push(Place { id, block, parent, position, ..place });
                }
            }
            return Some(place);
        }
    }
}

impl Block {
    fn of(mut json: Value) -> Self {
        let Some(block) = json.as_object_mut() else { return Block::default() };
        let children = block.get_mut("children").map(Value::take);
        let mut metadata = block.get_mut("metadata").map(Value::take).unwrap_or_default();
        let graded = match metadata.get("graded") {
            Some(Value::Bool(graded)) => Some(*graded),
            Some(Value::String(graded)) if graded.eq_ignore_ascii_case("true") => Some(true),
            Some(Value::String(graded)) if graded.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        };
        Block {
            category: block.get_mut("category").and_then(text),
            children: match children {
                Some(Value::Array(mut ids)) => ids.iter_mut().filter_map(text).collect(),
                _ => Vec::new(),
            },
            display_name: metadata.get_mut("display_name").and_then(text),
            graded,
            start: metadata.get_mut("start").and_then(text),
            due: metadata.get_mut("due").and_then(text),
        }
    }
}

fn text(value: &mut Value) -> Option<String> {
    match value.take() {
        Value::String(text) if text.contains('\0') => Some(text.replace('\0', "\u{2400}")),
        Value::String(text) => Some(text),
        _ => None,
    }
}

struct Keep<'a>(&'a mut Structure);

impl<'de> DeserializeSeed<'de> for Keep<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> std::result::Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Keep<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of blocks")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut blocks: A) -> std::result::Result<(), A::Error> {
        while let Some((id, block)) = blocks.next_entry::<String, Value>()? {
            let block = Block::of(block);
            if block.category.as_deref() == Some("course") {
                self.0.courses.insert(id.clone());
            }
            self.0.blocks.insert(id, block);
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct Titled {
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
        while let Some((_, block)) = blocks.next_entry::<IgnoredAny, Titled>()? {
            if block.category.as_deref() == Some("course") {
                title = block.metadata.display_name.as_ref().and_then(|name| name.as_str()).map(str::to_owned);
            }
        }
        Ok(title)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COURSE: &str = "i4x://U/B/course/R";

    #[test]
    fn the_course_block_gives_the_title() {
        let json = br#"{"i4x://U/B/chapter/w1": {"category": "chapter", "children": [], "metadata": {"display_name": "Week 1"}},
            "i4x://U/B/course/R": {"category": "course", "children": ["x"], "metadata": {"display_name": "Bio", "end": null}}}"#;
        assert_eq!(title(&json[..]).expect("reads").as_deref(), Some("Bio"));
        assert_eq!(title(&b"{}"[..]).expect("reads"), None);
        assert!(title(&b"[1"[..]).is_err());
    }

    fn places(json: &str) -> Vec<String> {
        let structure = Structure::read(json.as_bytes()).expect("reads");
        let name = |id: Option<&str>| id.unwrap_or("-").to_owned();
        let line = |place: Place<'_>| {
            let position = place.position.map_or("-".to_owned(), |position| position.to_string());
            let above = [place.parent, place.chapter, place.sequential, place.vertical].map(name).join(" ");
            format!("{} {position} {above}", place.id)
        };
        structure.places().map(line).collect()
    }

    #[test]
    fn blocks_come_in_course_order_with_what_they_stand_in() {
        let json = r#"{
            "c1": {"category": "chapter", "children": ["s1", "gone"]}, "c2": {"category": "chapter", "children": ["s2"]},
            "lost": {"category": "html", "children": []},
            "p1": {"category": "problem"}, "p2": {"category": "problem", "children": null, "metadata": null},
            "r": {"category": "course", "children": ["c2", "gone", "c1"]},
            "s1": {"category": "sequential", "children": ["v1"]}, "s2": {"category": "sequential", "children": ["p2"]},
            "v1": {"category": "vertical", "children": ["v2", "p1"]}, "v2": {"category": "vertical", "children": [7]},
            "x": null}"#;
        assert_eq!(
            places(json),
            [
                "r - - - - -",
                "c2 1 r c2 - -",
                "s2 1 c2 c2 s2 -",
                "p2 1 s2 c2 s2 -",
                "c1 3 r c1 - -",
                "s1 1 c1 c1 s1 -",
                "v1 1 s1 c1 s1 v1",
                "v2 1 v1 c1 s1 v2",
                "p1 2 v1 c1 s1 v1"
            ]
        );
    }

    #[test]
    fn a_block_is_met_once_whoever_has_it() {
        let json = r#"{"r": {"category": "course", "children": ["a", "b", "b"]}, "a": {"children": ["b", "r", "a"]},
            "b": {"children": ["a"]}}"#;
        assert_eq!(places(json), ["r - - - - -", "a 1 r - - -", "b 1 a - - -"]);
        assert!(places("{}").is_empty());
    }

    #[test]
    fn a_chain_of_any_length_is_walked() {
        let mut json = format!("{{\"{COURSE}\": {{\"category\": \"course\", \"children\": [\"b0\"]}}");
        (0..100_000).for_each(|n| json += &format!(", \"b{n}\": {{\"children\": [\"b{}\"]}}", n + 1));
        assert_eq!(places(&(json + "}")).len(), 100_001);
    }

    #[test]
    fn members_of_other_types_are_not_there() {
        let json = r#"{"p": {"category": "problem", "children": {}, "metadata": {"display_name": "a\u0000", "graded": "True",
            "start": null, "due": "2014-08-10T07:00:00Z", "x": {}}}, "q": {"category": "problem", "metadata": {"display_name": 1,
            "graded": false}}, "v": {"category": "video", "metadata": {"display_name": "V"}}}"#;
        let structure = Structure::read(json.as_bytes()).expect("reads");
        let name = "a\u{2400}".to_owned();
        let p = &structure.blocks["p"];
        assert_eq!((&p.display_name, p.graded, &p.start), (&Some(name.clone()), Some(true), &None));
        assert_eq!(p.due.as_deref(), Some("2014-08-10T07:00:00Z"));
        assert_eq!(structure.blocks["q"].graded, Some(false));
        assert_eq!(structure.problem_titles(), HashMap::from([("p".to_owned(), name)]));
        for json in ["", "[]", "{} x", "{\"a\": {}"] {
            assert!(Structure::read(json.as_bytes()).is_err(), "{json}");
        }
    }
}
