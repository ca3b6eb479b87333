//! Lines that mislead who counts events: payloads, users, times, names and ids of the forms that really occur, and of
//! those that nobody should trust. A flat list; the last lines of each production day are made from it, in turn.

use crate::demo::course::{Course, Spelling};
use crate::demo::line::{Draft, EventSource, Form, Scene};
use crate::demo::text::Json;

/// One event. Empty fields are as usual. In all texts `<id>` is the course's id, `<other>` its other spelling,
/// `<encoded>` its id percent-encoded, `<old>` and `<new>` the beginning of a problem's id in either form, `<video>` a
/// video, `<date>` the log's date, `<long>` 300 letters, and `<ff>` a byte that is no UTF-8.
pub struct Trap {
    source: EventSource,
    event_type: &'static str,
    name: &'static str,
    form: Form,
    body: &'static str,
    /// JSON in place of the user's id; `-` for none at all.
    user: &'static str,
    /// JSON in place of the time.
    time: &'static str,
    /// Display name of the problem.
    title: &'static str,
}

const fn event(source: EventSource, event_type: &'static str, form: Form, body: &'static str) -> Trap {
    Trap { source, event_type, name: "", form, body, user: "", time: "", title: "" }
}

const fn browser(event_type: &'static str, body: &'static str) -> Trap {
    event(EventSource::Browser, event_type, Form::Text, body)
}

const fn visit(path: &'static str) -> Trap {
    event(EventSource::Server, path, Form::Text, r#"{"POST": {}, "GET": {}}"#)
}

const fn check(title: &'static str, body: &'static str) -> Trap {
    Trap { title, ..event(EventSource::Server, "problem_check", Form::Value, body) }
}

impl Trap {
    const fn named(self, name: &'static str) -> Trap {
        Trap { name, ..self }
    }

    const fn by(self, user: &'static str) -> Trap {
        Trap { user, ..self }
    }

    const fn at(self, time: &'static str) -> Trap {
        Trap { time, ..self }
    }

    const fn with_object(self) -> Trap {
        Trap { form: Form::Value, ..self }
    }

    /// The line, without its line end.
    pub fn line(&self, scene: &Scene<'_>, draft: &mut Draft) -> Vec<u8> {
        let filled = |text: &str| filled(text, scene.course, scene.received);
        match self.source {
            EventSource::Server => draft.server(&filled(self.event_type), "/".into()),
            _ => draft.browser(self.event_type, scene.page()),
        }
        draft.name.push_str(self.name);
        draft.form = self.form;
        draft.body.push_str(&filled(self.body));
        let mut line = String::new();
        draft.render(scene, &mut line);
        let title = match self.title {
            "" => String::new(),
            title => format!(r#""module": {{"display_name": "{}"}}, "#, Json(title)),
        };
        let usual = format!(r#""user_id": {}, "org_id""#, scene.learner.id);
        let user = match self.user {
            "" => usual.clone(),
            "-" => r#""org_id""#.to_owned(),
            user => format!(r#""user_id": {}, "org_id""#, filled(user)),
        };
        line = line.replace(&usual, &format!("{title}{user}"));
        if let (false, Some(begin)) = (self.time.is_empty(), line.find(r#""time": ""#)) {
            let end = begin + 9 + line[begin + 9..].find('"').map_or(0, |length| length + 1);
            line.replace_range(begin + 8..end, &filled(self.time));
        }
        raw(line)
    }
}

fn filled(text: &str, course: &Course, date: &str) -> String {
    let Course { org, number, run, .. } = course;
    let new = format!("block-v1:{org}+{number}+{run}+type@problem+block@");
    let other = match course.spelling {
        Spelling::Old => format!("course-v1:{org}+{number}+{run}"),
        _ => format!("{org}/{number}/{run}"),
    };
    text.replace("<id>", &course.id)
        .replace("<other>", &other)
        .replace("<encoded>", &course.id.replace(':', "%3A").replace('+', "%2B"))
        .replace("<old>", &format!("i4x://{org}/{number}/problem/"))
        .replace("<new>", &new)
        .replace("<video>", &course.blocks[course.videos[0]].html_id)
        .replace("<date>", date)
        .replace("<long>", &"x".repeat(300))
}

/// With a byte that is no UTF-8 where the line says so.
fn raw(line: String) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(line.len());
    for (number, part) in line.split("<ff>").enumerate() {
        if number > 0 {
            bytes.push(0xff);
        }
        bytes.extend_from_slice(part.as_bytes());
    }
    bytes
}

/// Six of them a day and course are the list in ten days: neighbours meet in one day.
pub const TRAPS: &[Trap] = &[
    // A video's payload: object, cut, something else, or without an id that can be used.
    browser("play_video", r#"{"id": "<video>", "code": "html5", "currentTime": 61.5}"#).with_object(),
    browser("pause_video", r#"{"id": "<video>", "code": "html5", "curr"#),
    browser("stop_video", r#"["<video>", 3]"#).with_object(),
    browser("load_video", r#"{"id": "", "code": "html5"}"#),
    browser("load_video", r#"{"id": null, "code": "html5"}"#).with_object(),
    browser("play_video", r#"{"id": "<long>", "currentTime": 3}"#),
    browser("play_video", r#" {"id": "\n <video>", "currentTime": "12.25"} "#),
    browser("play_video", r#"{"id": 17, "id": 18, "currentTime": 4}"#),
    browser("play_video", r#"{"id": "a\u0000b<ff>\ud83d \"q\"\t😀", "currentTime": 4}"#),
    browser("play_video", r#"{"id": "<video>"} trailing"#),
    // Positions: strings, no numbers, before the start, beyond all compartments.
    browser("seek_video", r#"{"id": "<video>", "old_time": "38.910057", "new_time": " 147 "}"#),
    browser("seek_video", r#"{"id": "<video>", "old_time": NaN, "new_time": 9}"#),
    browser("seek_video", r#"{"id": "<video>", "currentTime": null, "old_time": 4.999, "new_time": 5e0}"#),
    browser("pause_video", r#"{"id": "<video>", "currentTime": -0.5}"#),
    browser("pause_video", r#"{"id": "<video>", "currentTime": 1e300}"#),
    browser("pause_video", r#"{"id": "<video>", "currentTime": "Infinity", "current_time": 5}"#),
    // Names: known, unknown, of another kind of event.
    browser("play_video", r#"{"id": "<video>", "currentTime": 30}"#).named("edx.video.played"),
    browser("play_video", r#"{"id": "<video>", "currentTime": 30}"#).named("x\"; drop table video_activity"),
    browser("seek_video", r#"{"id": "<video>", "old_time": 1, "new_time": 2}"#).named("edx.video.flown"),
    browser("edx.video.closed_captions.shown", r#"{"id": "<video>", "current_time": 5}"#),
    browser("edx.video.bumper.transcript.menu.shown", r#"{"bumper_id": "b", "code": "html5"}"#),
    browser("textbook.pdf.pages.torn", r#"{"name": "textbook.pdf.pages.torn", "page": 3}"#),
    browser("textbook.pdf.searchcasesensitivity.toggled", r#"{"page": 3, "query": "x"}"#),
    browser("textbook.epub.opened", "{}"),
    // Users.
    browser("play_video", r#"{"id": "<video>", "currentTime": 1}"#).by(r#""""#),
    browser("play_video", r#"{"id": "<video>", "currentTime": 1}"#).by("null"),
    browser("play_video", r#"{"id": "<video>", "currentTime": 1}"#).by("-"),
    browser("play_video", r#"{"id": "<video>", "currentTime": 1}"#).by(r#"" 1003\n""#),
    browser("play_video", r#"{"id": "<video>", "currentTime": 1}"#).by("12345678901234567890"),
    browser("play_video", r#"{"id": "<video>", "currentTime": 1}"#).by(r#""01003""#),
    browser("play_video", r#"{"id": "<video>", "currentTime": 1}"#).by(r#""bob \"q\" 😀""#),
    browser("play_video", r#"{"id": "<video>", "currentTime": 1}"#).by(r#"{"id": 5}"#),
    browser("play_video", r#"{"id": "<video>", "currentTime": 1}"#).by(r#""<long>""#),
    browser("play_video", r#"{"id": "<video>", "currentTime": 1}"#).by("true"),
    // Checks: ids that collide when cleaned, also with other tables, values of every kind, payloads that do not count.
    check(
        "Quiz A",
        r#"{"problem_id": "<old>Quiz-1.a", "attempts": 1, "grade": 0.5, "max_grade": 1.0, "success": "incorrect"}"#,
    ),
    check(
        "Quiz B",
        r#"{"problem_id": "<new>Quiz1a", "attempts": "3", "grade": "1.0", "max_grade": 2, "success": true}"#,
    ),
    check("Quiz C", r#"{"problem_id": "<old>QUIZ1A", "attempts": null, "grade": {"a": 1}, "success": null}"#),
    check("Quiz D", r#"{"problem_id": "<old>Quiz1a_2", "attempts": 2, "grade": 1e0, "max_grade": -1, "success": ""}"#),
    check(
        "Quiz E",
        r#"{"problem_id": " <old>activity\n", "attempts": 7, "grade": false, "max_grade": "two", "success": "a\u0000b"}"#,
    ),
    check("Quiz F", r#"{"problem_id": "<old>Index", "attempts": 1, "grade": 1, "max_grade": 1, "success": "correct"}"#),
    check("Quiz G", r#"{"problem_id": "no block at all", "attempts": 1}"#),
    check("Quiz H", r#"{"problem_id": "", "attempts": 1}"#),
    Trap { form: Form::Text, ..check("Quiz A", r#"{"problem_id": "<old>Quiz-1.a", "attempts": 9}"#) },
    // Latest: equal times, where the later line wins; times that cannot be read, which sort first.
    check("Quiz A", r#"{"problem_id": "<old>tie", "attempts": 1}"#).by("1001").at(r#""2015-03-02T12:00:00+00:00""#),
    check("Quiz A", r#"{"problem_id": "<old>tie", "attempts": 2}"#)
        .by("1001")
        .at(r#""2015-03-02T14:00:00.000000+02:00""#),
    check("Quiz A", r#"{"problem_id": "<old>tie", "attempts": 3}"#).by("1001").at(r#""2015-02-30T12:00:00""#),
    check("Quiz A", r#"{"problem_id": "<old>tie", "attempts": 4}"#).by("1004").at("null"),
    // Surveys over several problems that share a column, one that is both, and answers of every kind.
    check(
        "Pre-course SURVEY, part 1",
        r#"{"problem_id": "<old>s1", "answers": {"s1_2_1": "a, \"b\"\t😀", "s1_10_1": ["x", "y", 3]}}"#,
    )
    .by("1001"),
    check(
        "pre survey 2",
        r#"{"problem_id": "<old>s2", "answers": {"s2_2_1": "", "s2_3_1": 4.50, "s2_4_1": true, "none": "z"}}"#,
    )
    .by("1001"),
    check(
        "pre survey 2",
        r#"{"problem_id": "<old>s2", "answers": {"s2_3_1": null, "s2_4_1": {"a": 1}, "s2_5_1": "bad <ff> \ud83d"}}"#,
    ),
    check("Pre- and post-survey", r#"{"problem_id": "<old>s3", "answers": {"s3_2_1": "both", "t_2_1": "last"}}"#)
        .by("1001")
        .at(r#""soon""#),
    check("Umfrage danach", r#"{"problem_id": "<old>s4", "answers": {"s4_2_1": "only by a pattern"}}"#),
    // Visits, in every way of writing the course and its pages; and such as are none.
    visit("/courses/<id>/progress/?next=/a"),
    visit("/courses/<encoded>/info#top"),
    visit("/courses/<other>/courseware/w/1/"),
    visit("/courses/<id>/discussion/forum/x/threads/y"),
    visit("/courses/<id>/progressive"),
    visit("/courses/<id>x/info"),
    visit("/courses/<id>/info//"),
    visit("/courses/<id>/xblock/p/handler/problem_check"),
    visit("/courses/<id>/discussion/threads/a/upvote"),
    visit("/courses/<id>/jump_to_id/abc").at(r#""<date> 23:30:00.1234567-02:30""#),
    visit("/courses/<id>/wiki/a").at("17"),
    visit("a.name.of.nobody").at(r#""<date>T10:00:00Z""#),
];
