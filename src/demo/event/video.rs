//! Video, bumper and textbook events: `data-package.md` 14.1 and 14.3.

use std::fmt::Write;

use crate::demo::line::{Draft, Scene};
use crate::demo::random::Random;

/// Event type, and its name in the mobile application.
const VIDEO: &[(u64, (&str, &str))] = &[
    (60, ("load_video", "edx.video.loaded")),
    (150, ("play_video", "edx.video.played")),
    (130, ("pause_video", "edx.video.paused")),
    (50, ("seek_video", "edx.video.position.changed")),
    (25, ("stop_video", "edx.video.stopped")),
    (12, ("speed_change_video", "")),
    (5, ("hide_transcript", "edx.video.transcript.hidden")),
    (5, ("show_transcript", "edx.video.transcript.shown")),
    (3, ("video_show_cc_menu", "edx.video.language_menu.shown")),
    (2, ("video_hide_cc_menu", "edx.video.language_menu.hidden")),
];

/// A position in a video, in seconds.
struct Seconds(u64);

impl std::fmt::Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1000, self.0 % 1000)
    }
}

fn position(random: &mut Random) -> Seconds {
    Seconds(random.low_index(600_000) as u64)
}

pub fn video(scene: &Scene<'_>, random: &mut Random, draft: &mut Draft) {
    let (event_type, name) = random.weighted(VIDEO);
    let course = scene.course;
    let at = scene.place * 2 + random.index(2);
    let id = &course.blocks[course.videos[at]].html_id;
    if !name.is_empty() && random.one_in(12) {
        draft.mobile(event_type, name, scene.page());
        put!(draft.body, r#"{{"code": "mobile", "id": "{id}""#);
        push_position(event_type, random, &mut draft.body);
    } else {
        draft.browser(event_type, scene.page());
        let code = if at.is_multiple_of(4) { "html5" } else { "b7xgknqkQk8" };
        put!(draft.body, r#"{{"id":"{id}","code":"{code}""#);
        push_position(event_type, random, &mut draft.body);
    }
    draft.body.push('}');
}

fn push_position(event_type: &str, random: &mut Random, body: &mut String) {
    let at = position(random);
    match event_type {
        "load_video" | "video_show_cc_menu" | "video_hide_cc_menu" => {}
        // At the very start the position is not there.
        "pause_video" if random.one_in(50) => {}
        "seek_video" => {
            let kind = random.pick(&["onCaptionSeek", "onSlideSeek", "onSkipSeek"]);
            put!(body, r#","old_time":{at},"new_time":{},"type":"{kind}""#, position(random));
        }
        "speed_change_video" => {
            let (old, new) = random.pick(&[("1.0", "1.50"), ("1.50", "1.0"), ("1.0", "0.75")]);
            put!(body, r#","current_time":{at},"old_speed":"{old}","new_speed":"{new}""#);
        }
        _ => put!(body, r#","currentTime":{at}"#),
    }
}

pub fn bumper(scene: &Scene<'_>, random: &mut Random, draft: &mut Draft) {
    let tail = random.pick(&["loaded", "played", "stopped", "skipped", "dismissed", "transcript.shown"]);
    let course = scene.course;
    let at = scene.place * 2;
    draft.browser(&format!("edx.video.bumper.{tail}"), scene.page());
    let host = &course.blocks[course.videos[at]].name;
    put!(draft.body, r#"{{"host_component_id":"{host}","bumper_id":"http://example.org/bumper.mp4","duration":7.5"#);
    if tail != "loaded" {
        put!(draft.body, r#","currentTime":{}"#, random.below(8));
    }
    draft.body.push_str(r#","code":"html5"}"#);
}

pub fn textbook(scene: &Scene<'_>, random: &mut Random, draft: &mut Draft) {
    let page = 1 + random.below(300);
    draft.browser("book", scene.url("/pdfbook/0/"));
    let chapter = format!("https://{}/c4x/{}/asset/book.pdf", scene.site.host(), scene.course.org);
    match random.below(4) {
        0 => {
            draft.event_type = "textbook.pdf.page.scrolled".into();
            put!(
                draft.body,
                r#"{{"name":"textbook.pdf.page.scrolled","chapter":"{chapter}","page":{page},"direction":"down"}}"#
            );
        }
        1 => {
            draft.event_type = "textbook.pdf.search.executed".into();
            put!(
                draft.body,
                concat!(
                    r#"{{"name":"textbook.pdf.search.executed","chapter":"{}","query":"cell","status":"","#,
                    r#""caseSensitive":false,"highlightAll":false,"page":{}}}"#
                ),
                chapter,
                page
            );
        }
        2 => put!(
            draft.body,
            r#"{{"type":"gotopage","name":"textbook.pdf.page.loaded","chapter":"{chapter}","old":{page},"new":{}}}"#,
            page + 1
        ),
        _ => put!(draft.body, r#"{{"type":"nextpage","chapter":"{chapter}","new":{}}}"#, page + 1),
    }
}
