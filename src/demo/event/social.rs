//! Forum, enrolment, peer assessment and certificate events: `data-package.md` 14.4.

use std::fmt::Write;

use crate::demo::line::{Draft, Scene};
use crate::demo::random::Random;
use crate::demo::text::Json;

pub fn forum(scene: &Scene<'_>, random: &mut Random, draft: &mut Draft) {
    let course = scene.course;
    let (topic, thread) = (course.topic(), random.index(12));
    let (thread_id, answer_id) = (course.post_id(thread * 3), course.post_id(thread * 3 + 1));
    let base = format!("/courses/{}/discussion", course.id);
    let event_type = random.weighted(&[
        (4, "edx.forum.thread.viewed"),
        (3, "edx.forum.thread.created"),
        (3, "edx.forum.response.created"),
        (2, "edx.forum.comment.created"),
        (2, "edx.forum.thread.voted"),
        (2, "edx.forum.searched"),
    ]);
    draft.server(event_type, format!("{base}/{topic}/threads/{thread_id}"));
    draft.name.push_str(event_type);
    draft.referer = scene.url("/discussion/forum/");
    let url = Json(&draft.referer);
    let body = &mut draft.body;
    if event_type == "edx.forum.searched" {
        body.push_str(
            r#"{"query": "hund", "page": 1, "total_results": 3, "corrected_text": "hint", "group_id": null}"#,
        );
        return;
    }
    put!(body, r#"{{"id": "{thread_id}", "commentable_id": "{topic}", "category_id": "{topic}", "#);
    put!(body, r#""category_name": "Week 1 / General", "url": "{url}", "user_course_roles": [], "#);
    push_post(event_type, &thread_id, &answer_id, body);
    body.push_str(r#""user_forums_roles": ["Student"]}"#);
}

/// What each kind of forum event says more, each member with a comma behind it.
fn push_post(event_type: &str, thread: &str, answer: &str, body: &mut String) {
    match event_type {
        "edx.forum.thread.viewed" => body.push_str(r#""title": "Hi", "target_username": "anna_k", "#),
        "edx.forum.thread.voted" => {
            body.push_str(r#""target_username": "ben", "undo_vote": false, "vote_value": "up", "#);
        }
        "edx.forum.thread.created" => body.push_str(concat!(
            r#""title": "W\u00f6rld", "body": "Hello\n\nwhat is \"this\"?", "truncated": false, "#,
            r#""thread_type": "question", "group_id": null, "anonymous": false, "options": {"followed": true}, "#
        )),
        "edx.forum.response.created" => {
            put!(body, r#""body": "Me too", "truncated": false, "discussion": {{"id": "{thread}"}}, "#);
        }
        _ => put!(body, r#""body": "Thanks :)", "truncated": false, "response": {{"id": "{answer}"}}, "#),
    }
}

pub fn enrolment(scene: &Scene<'_>, random: &mut Random, draft: &mut Draft) {
    let tail = random.weighted(&[(7, "activated"), (2, "deactivated"), (1, "mode_changed")]);
    let event_type = format!("edx.course.enrollment.{tail}");
    draft.server(&event_type, "/change_enrollment".into());
    draft.name = event_type;
    let id = Json(&scene.course.id);
    put!(draft.body, r#"{{"course_id": "{id}", "user_id": {}, "mode": "audit"}}"#, scene.learner.id);
}

pub fn assessment(scene: &Scene<'_>, random: &mut Random, draft: &mut Draft) {
    let course = scene.course;
    let tail = random.weighted(&[
        (3, "create_submission"),
        (3, "save_submission"),
        (4, "peer_assess"),
        (2, "self_assess"),
        (3, "get_peer_submission"),
    ]);
    draft.server(&format!("openassessmentblock.{tail}"), format!("/courses/{}/xblock/handler/{tail}", course.id));
    draft.name = draft.event_type.clone();
    draft.page.push_str("x_module");
    draft.module = Some(course.assessment);
    let body = &mut draft.body;
    match tail {
        "create_submission" => push_submission(scene, body),
        "save_submission" if random.one_in(2) => {
            body.push_str(r#"{"saved_response": "{\"text\": \"My \\\"essay\\\"\"}"}"#);
        }
        "save_submission" => body.push_str(r#"{"saved_response": {"parts": [{"text": "My essay"}]}}"#),
        "get_peer_submission" => {
            let (id, item) = (Json(&course.id), Json(&course.blocks[course.assessment].usage));
            put!(body, r#"{{"course_id": "{id}", "item_id": "{item}", "submission_returned_uuid": "None", "#);
            put!(body, r#""requesting_student_id": "{}"}}"#, scene.anonymous_id);
        }
        "peer_assess" => push_verdict(scene, "PE", body),
        _ => push_verdict(scene, "SE", body),
    }
}

fn push_submission(scene: &Scene<'_>, body: &mut String) {
    let (uuid, day) = (uuid(scene.anonymous_id), &scene.moment.date);
    put!(body, r#"{{"submission_uuid": "{uuid}", "attempt_number": 1, "created_at": "{day}T10:00:00Z", "#);
    put!(
        body,
        r#""submitted_at": "{day}T10:00:00Z", "answer": {{"parts": [{{"text": "My \"essay\"\nsecond line"}}]}}}}"#
    );
}

/// `kind`: `PE` for a peer's, `SE` for one's own.
fn push_verdict(scene: &Scene<'_>, kind: &str, body: &mut String) {
    let (uuid, day, scorer) = (uuid(scene.anonymous_id), &scene.moment.date, scene.anonymous_id);
    put!(body, r#"{{"submission_uuid": "{uuid}", "scorer_id": "{scorer}", "score_type": "{kind}", "#);
    put!(body, r#""scored_at": "{day}T11:00:00.123456", "feedback": "Good, but \u2013 why?", "#);
    body.push_str(r#""rubric": {"content_hash": "e1c01bbc4b5e6aa9b75e6f3b6a7c8d9e0f102132"}, "parts": "#);
    body.push_str(r#"[{"criterion": {"name": "Ideas", "points_possible": 5}, "option": {"name": "Fair", "#);
    body.push_str(r#""points": 3}, "feedback": ""}]}"#);
}

/// An anonymous id in the form of a UUID: a submission's identity.
pub fn uuid(hex: &str) -> String {
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..32])
}

pub fn certificate(scene: &Scene<'_>, _random: &mut Random, draft: &mut Draft) {
    draft.server("edx.certificate.created", "/certificates".into());
    draft.name.push_str("edx.certificate.created");
    let (id, uuid, user) = (Json(&scene.course.id), &scene.learner.hash_id, scene.learner.id);
    put!(
        draft.body,
        concat!(
            r#"{{"certificate_id": "{}", "certificate_url": "https://{}/certificates/{}", "course_id": "{}", "#,
            r#""enrollment_mode": "verified", "generation_mode": "batch", "user_id": {}}}"#
        ),
        uuid,
        scene.site.host(),
        uuid,
        id,
        user
    );
}
