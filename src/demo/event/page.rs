//! Page views, handlers and navigation: `data-package.md` 15 and the end of 14.4.

use std::fmt::Write;

use crate::demo::line::{Draft, Form, Scene};
use crate::demo::random::Random;
use crate::demo::text::Json;

pub fn view(scene: &Scene<'_>, random: &mut Random, draft: &mut Draft) {
    let course = scene.course;
    let page = &course.pages[scene.place];
    let tail = match random.below(40) {
        0..12 => format!("/courseware/{page}/"),
        12..16 => "/courseware".into(),
        16..18 => "/courseware/".into(),
        18..23 => "/info".into(),
        23..26 => "/progress".into(),
        26 => format!("/progress/{}", scene.learner.id),
        27 => "/about".into(),
        28 => "/course_wiki".into(),
        29..32 => "/discussion/forum".into(),
        32..36 => format!("/discussion/forum/{}/threads/{}", course.topic(), course.post_id(random.index(12) * 3)),
        36 => format!("/discussion/threads/{}/reply", course.post_id(random.index(12) * 3)),
        37 => "/pdfbook/0/".into(),
        38 => format!("/{}/", course.blocks[course.sequentials[0]].name),
        _ => "/teams".into(),
    };
    draft.implicit(format!("/courses/{}{tail}", course.id));
    draft.referer = scene.page();
}

/// A request by a page's script: no view, but a good part of all lines.
pub fn handler(scene: &Scene<'_>, random: &mut Random, draft: &mut Draft) {
    let course = scene.course;
    let page = scene.place;
    let (block, action) = match random.below(4) {
        0 => (course.videos[page * 2], "xmodule_handler/save_user_state"),
        1 => (course.sequentials[page], "xmodule_handler/goto_position"),
        2 => (course.problems[page * 2 + 1], "xmodule_handler/input_ajax"),
        _ => (course.problems[page * 2], "xmodule_handler/problem_get"),
    };
    let usage = &course.blocks[block].usage;
    let usage = if usage.starts_with("i4x:") { usage.replace('/', ";_") } else { usage.clone() };
    draft.implicit(format!("/courses/{}/xblock/{usage}/handler/{action}", course.id));
    draft.referer = scene.page();
    if action.ends_with("save_user_state") {
        draft.body.clear();
        let second = random.low_index(600);
        let position = format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60);
        put!(draft.body, r#"{{"POST": {{"saved_video_position": ["{position}"]}}, "GET": {{}}}}"#);
    }
}

pub fn sequence(scene: &Scene<'_>, random: &mut Random, draft: &mut Draft) {
    let course = scene.course;
    let at = scene.place;
    let (event_type, name) = random.pick(&[
        ("seq_goto", "edx.ui.lms.sequence.tab_selected"),
        ("seq_next", "edx.ui.lms.sequence.next_selected"),
        ("seq_prev", "edx.ui.lms.sequence.previous_selected"),
    ]);
    draft.browser(event_type, scene.page());
    let id = Json(&course.blocks[course.sequentials[at]].usage);
    let (old, new) = if event_type == "seq_prev" { (2, 1) } else { (1, 2) };
    if random.one_in(4) {
        draft.name.push_str(name);
        put!(draft.body, r#"{{"current_tab":{old},"tab_count":2,"target_tab":{new},"id":"{id}"}}"#);
    } else {
        put!(draft.body, r#"{{"old":{old},"new":{new},"id":"{id}"}}"#);
    }
}

pub fn close(scene: &Scene<'_>, random: &mut Random, draft: &mut Draft) {
    draft.browser("page_close", scene.page());
    if random.one_in(2) {
        draft.body.push_str("{}");
    }
}

pub fn link(scene: &Scene<'_>, random: &mut Random, draft: &mut Draft) {
    let current = scene.url("/info");
    draft.browser("edx.ui.lms.link_clicked", current.clone());
    draft.name.push_str("edx.ui.lms.link_clicked");
    let target = scene.url(random.pick(&["/progress", "/discussion/forum/", "/course_wiki"]));
    put!(draft.body, r#"{{"current_url": "{current}", "target_url": "{target}"}}"#);
    if random.one_in(3) {
        draft.form = Form::Value;
    }
}
