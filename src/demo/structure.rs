//! The structure file of a course, and its content as a gzip'd tar of OLX: `data-package.md` 10.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use crate::demo::course::{Block, Course};
use crate::demo::random::Random;
use crate::demo::tar::Tar;
use crate::demo::workshop::gzipped;
use crate::error::Result;

/// JSON by block id, two blanks to a level, keys sorted, one final `LF`.
pub fn structure(course: &Course) -> Vec<u8> {
    let mut blocks = Map::new();
    for block in &course.blocks {
        let mut children: Vec<&str> = block.children.iter().map(|child| course.blocks[*child].usage.as_str()).collect();
        if block.category == "course" && course.rank == 1 {
            // A child that the file does not have, as happens.
            children.push("i4x://UniX/BIO-1.2x/chapter/Week_9");
        }
        let metadata = metadata(block);
        blocks.insert(
            block.usage.clone(),
            json!({ "category": block.category, "children": children, "metadata": metadata }),
        );
    }
    let mut text = format!("{:#}", Value::Object(blocks));
    text.push('\n');
    text.into_bytes()
}

fn metadata(block: &Block) -> Value {
    let mut metadata = json!({ "display_name": block.title });
    let more = match block.category {
        "course" => json!({
            "start": "2015-02-01T00:00:00Z", "end": null, "days_early_for_beta": 90.0,
            "lti_passports": ["tool:key:secret"], "advertised_start": "Spring"
        }),
        "chapter" => json!({ "start": "2015-02-02T00:00:00Z" }),
        "sequential" => json!({ "format": "Homework", "graded": true, "due": "2015-04-01T23:30:00Z" }),
        "problem" => json!({ "markdown": ">>What is it?<<\n( ) this\n(x) that\n", "weight": 2.0, "max_attempts": 5 }),
        "video" => {
            json!({ "youtube_id_1_0": "b7xgknqkQk8", "html5_sources": ["https://example.org/v.mp4"], "sub": "" })
        }
        "discussion" => json!({ "discussion_id": block.name, "discussion_category": "Week 1" }),
        _ => json!({}),
    };
    if let (Some(metadata), Value::Object(more)) = (metadata.as_object_mut(), more) {
        metadata.extend(more);
    }
    metadata
}

/// `.xml.tar.gz` with one top folder; a picture in it does not compress, as real content does not.
pub fn content(course: &Course, seed: u64) -> Result<Vec<u8>> {
    let top = course.prefix.as_str();
    let mut tar = Tar::default();
    tar.folder(&format!("{top}/"));
    let (org, number, run) = (&course.org, &course.number, &course.run);
    tar.file(
        &format!("{top}/course.xml"),
        format!("<course url_name=\"{run}\" org=\"{org}\" course=\"{number}\"/>\n").as_bytes(),
    );
    tar.file(&format!("{top}/policies/policy.json"), b"{\"course/run\": {\"start\": \"2015-02-01T00:00:00Z\"}}\n");
    tar.file(&format!("{top}/grading_policy.json"), b"{\"GRADE_CUTOFFS\": {\"Pass\": 0.6}}\n");
    for block in &course.blocks {
        tar.file(&format!("{top}/{}/{}.xml", block.category, short(&block.name)), olx(course, block).as_bytes());
    }
    let picture = Random::new(seed, &format!("picture {}", course.id)).bytes(70_000);
    tar.file(&format!("{top}/static/picture.jpg"), &picture);
    gzipped(&tar.into_bytes())
}

/// A tar name has at most 100 bytes.
fn short(name: &str) -> &str {
    name.get(..32).unwrap_or(name)
}

fn olx(course: &Course, block: &Block) -> String {
    let category = block.category;
    let title = block.title.replace('&', "&amp;").replace('"', "&quot;");
    let mut text = format!("<{category} display_name=\"{title}\">\n");
    for child in &block.children {
        let child = &course.blocks[*child];
        put!(text, "  <{} url_name=\"{}\"/>\n", child.category, child.name);
    }
    put!(text, "</{category}>\n");
    text
}
