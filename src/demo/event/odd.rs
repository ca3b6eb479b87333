//! Lines that mislead a careless reader: the test vectors 17.1 and the traps 18 of `data-package.md`.

use std::fmt::Write;

use jiff::civil::Date;

use super::{page, problem, social, video};
use crate::demo::line::{Draft, EventSource, Form, Scene};
use crate::demo::plan::later;
use crate::demo::random::Random;
use crate::demo::text::Json;

/// What an odd line is made from.
pub struct Odd<'a, 'b> {
    pub scene: &'a mut Scene<'b>,
    pub draft: &'a mut Draft,
    pub random: &'a mut Random,
    /// The last ordinary line, with its line end; empty at the beginning.
    pub previous: &'a [u8],
    pub date: Date,
}

/// Makes one odd line, without its line end.
pub type Oddity = fn(&mut Odd<'_, '_>) -> Vec<u8>;

pub const ODDITIES: &[Oddity] = &[
    dashboard_without_course,
    login_without_course_id,
    course_only_in_page,
    course_only_in_event_type,
    library_id,
    padded_id,
    escaped_id,
    payload_with_quotes_of_its_own,
    another_organisations_ccx,
    enrolment_by_command,
    post_cut_at_512,
    line_cut_at_2043,
    line_cut_early,
    syslog_prefix,
    not_a_number,
    raw_control_character,
    invalid_utf8,
    lone_surrogate,
    repeated_key,
    repeated_line,
    another_organisations_course,
    percent_encoded_address,
    old_xblock_address,
    enrolment_by_tool,
    course_only_in_block_id,
    invalid_id,
    id_that_is_a_number,
    id_inside_the_payload,
    browser_without_context,
    empty_context,
    very_long_line,
    extra_keys,
    api_address,
    fragment_in_address,
    raw_unicode,
    compact_json,
    payload_of_no_known_shape,
    late_arrival,
];

impl Odd<'_, '_> {
    fn rendered(&mut self) -> String {
        let mut line = String::new();
        self.draft.render(self.scene, &mut line);
        line
    }

    /// A page view, whole.
    fn view(&mut self) -> String {
        page::view(self.scene, self.random, self.draft);
        self.rendered()
    }

    /// A browser event whose only mention of the course is its context and its page.
    fn closing(&mut self) -> String {
        page::close(self.scene, self.random, self.draft);
        self.rendered()
    }

    /// The line with another value, as JSON, for the context's course id.
    fn with_id(&self, line: &str, value: &str) -> String {
        let id = format!(r#""course_id": "{}", "path""#, Json(&self.scene.course.id));
        line.replace(&id, &format!(r#""course_id": {value}, "path""#))
    }

    /// The line with another value, as JSON, for the context's user id.
    fn with_user(&self, line: &str, value: &str) -> String {
        line.replace(
            &format!(r#""user_id": {}, "org_id""#, self.scene.learner.id),
            &format!(r#""user_id": {value}, "org_id""#),
        )
    }

    /// The line without the context's course id.
    fn without_id(&self, line: &str) -> String {
        line.replace(&format!(r#""course_id": "{}", "path""#, Json(&self.scene.course.id)), r#""path""#)
    }

    /// The line without its context; `rest` stands in its place.
    fn with_context(line: &str, rest: &str) -> String {
        let Some(begin) = line.find(r#""context": {"#) else { return line.to_owned() };
        let Some(length) = line[begin..].find(r#""path": "#) else { return line.to_owned() };
        let Some(end) = line[begin + length..].find("}, ") else { return line.to_owned() };
        format!("{}{rest}{}", &line[..begin], &line[begin + length + end + 3..])
    }

    fn address(&self, tail: &str) -> String {
        format!("https://{}{tail}", self.scene.site.host())
    }
}

fn dashboard_without_course(odd: &mut Odd<'_, '_>) -> Vec<u8> {
    odd.draft.browser("page_close", odd.address("/dashboard"));
    let line = odd.rendered();
    odd.with_id(&line, r#""""#).into_bytes()
}

fn login_without_course_id(odd: &mut Odd<'_, '_>) -> Vec<u8> {
    odd.draft.implicit("/login_ajax".into());
    odd.draft.body = r#"{"POST": {"email": ["a@example.org"], "password": "********"}, "GET": {}}"#.into();
    let line = odd.rendered();
    odd.without_id(&odd.with_user(&line, "null")).into_bytes()
}

fn course_only_in_page(odd: &mut Odd<'_, '_>) -> Vec<u8> {
    problem::browser_graded(odd.scene, odd.random, odd.draft);
    let line = odd.rendered();
    odd.with_id(&line, r#""""#)
        .replace(&format!(r#""org_id": "{}""#, odd.scene.course.org), r#""org_id": """#)
        .into_bytes()
}

fn course_only_in_event_type(odd: &mut Odd<'_, '_>) -> Vec<u8> {
    let line = odd.view();
    odd.with_id(&line, r#""""#).into_bytes()
}

fn library_id(odd: &mut Odd<'_, '_>) -> Vec<u8> {
    odd.draft.browser("page_close", odd.address("/library/courses"));
    let line = odd.rendered();
    odd.with_id(&line, &format!(r#""library-v1:{}+L1""#, odd.scene.course.org)).into_bytes()
}

fn padded_id(odd: &mut Odd<'_, '_>) -> Vec<u8> {
    let line = odd.closing();
    let id = format!(r#"" {} \n""#, Json(&odd.scene.course.id));
    let line = odd.with_user(&odd.with_id(&line, &id), &format!(r#""{}""#, odd.scene.learner.id));
    let (name, session) = (Json(&odd.scene.learner.username), &odd.scene.session);
    line.replace(&format!(r#""username": "{name}""#), &format!(r#""username": "{name}\n""#))
        .replace(&format!(r#""session": "{session}""#), r#""session": null"#)
        .into_bytes()
}

fn escaped_id(odd: &mut Odd<'_, '_>) -> Vec<u8> {
    let line = odd.closing();
    let id = Json(&odd.scene.course.id).to_string();
    let id = id.replace('+', "\\u002b").replace('/', "\\/").replace(':', "\\u003A");
    odd.with_id(&line, &format!("\"{id}\"")).into_bytes()
}

fn payload_with_quotes_of_its_own(odd: &mut Odd<'_, '_>) -> Vec<u8> {
    problem::browser_check(odd.scene, odd.random, odd.draft);
    odd.draft.body = format!("\"{}\"", odd.draft.body);
    let line = odd.rendered();
    odd.with_user(&line, r#""""#).into_bytes()
}

fn another_organisations_ccx(odd: &mut Odd<'_, '_>) -> Vec<u8> {
    let id = format!("ccx-v1:{}_Extension+Demo_ccx+T2+ccx@101", odd.scene.course.org);
    odd.draft.server("edx.bookmark.added", "/api/bookmarks/v1/bookmarks/".into());
    put!(odd.draft.body, r#"{{"course_id": "{id}"}}"#);
    let line = odd.rendered();
    odd.with_user(&odd.with_id(&line, &format!("\"{id}\"")), "null").into_bytes()
}

fn enrolment_by_command(odd: &mut Odd<'_, '_>) -> Vec<u8> {
    social::enrolment(odd.scene, odd.random, odd.draft);
    let line = odd.rendered();
    let (id, org) = (Json(&odd.scene.course.id), &odd.scene.course.org);
    let context =
        format!(r#""context": {{"course_id": "{id}", "org_id": "{org}", "command": "./manage.py enroll"}}, "#);
    let name = format!(r#""username": "{}""#, Json(&odd.scene.learner.username));
    Odd::with_context(&line, &context).replace(&name, r#""username": "anonymous""#).into_bytes()
}

fn post_cut_at_512(odd: &mut Odd<'_, '_>) -> Vec<u8> {
    let course = odd.scene.course;
    odd.draft.implicit(format!("/courses/{}/discussion/threads/{}/reply", course.id, course.post_id(0)));
    let mut body = r#"{"POST": {"body": [""#.to_owned();
    while body.len() < 512 {
        body.push_str("I wonder whether this was what you meant when ");
    }
    body.truncate(512);
    odd.draft.body = body;
    odd.rendered().into_bytes()
}

fn line_cut_at_2043(odd: &mut Odd<'_, '_>) -> Vec<u8> {
    problem::server_check(odd.scene, odd.random, odd.draft);
    let mut line = odd.rendered().into_bytes();
    line.truncate(2043);
    // The line must not end as a whole one would.
    line.truncate(line.len().min(2043) - 3);
    line
}

fn line_cut_early(odd: &mut Odd<'_, '_>) -> Vec<u8> {
    let user = Json(&odd.scene.learner.username);
    format!(
        concat!(
            r#"{{"username": "{}", "host": "www.edx.org", "event_source": "server", "event_type": "save_problem_check", "#,
            r#""time": "2012-10-01T10:00:00.000001", "event": {{"answers": {{"i4x-{}-6_00x-problem-L1_2_1": "def f(x):"#
        ),
        user, odd.scene.course.org
    )
    .into_bytes()
}

fn syslog_prefix(odd: &mut Odd<'_, '_>) -> Vec<u8> {
    let line = odd.view();
    let line = Odd::with_context(&line, "");
    format!("Sep  9 00:00:48 localhost {line}").into_bytes()
}

fn not_a_number(odd: &mut Odd<'_, '_>) -> Vec<u8> {
    video::video(odd.scene, odd.random, odd.draft);
    odd.draft.source = EventSource::Browser;
    odd.draft.form = Form::Value;
    odd.draft.event_type = "speed_change_video".into();
    odd.draft.body = r#"{"id": "0b9e39477cf34507a7a48f74be381fdd", "current_time": NaN, "new_speed": Infinity}"#.into();
    odd.rendered().into_bytes()
}

fn raw_control_character(odd: &mut Odd<'_, '_>) -> Vec<u8> {
    odd.closing().replace(r#""agent": ""#, "\"agent\": \"\u{1}\t").into_bytes()
}

fn invalid_utf8(odd: &mut Odd<'_, '_>) -> Vec<u8> {
    let line = odd.closing();
    let at = line.find(r#""agent": ""#).map_or(1, |at| at + 10);
    let mut bytes = line.into_bytes();
    // Latin-1, as some browsers sent it.
    bytes.splice(at..at, *b"M\xfcnchen\xff ");
    bytes
}

fn lone_surrogate(odd: &mut Odd<'_, '_>) -> Vec<u8> {
    odd.closing().replace(r#""agent": ""#, r#""agent": "\ud83d "#).into_bytes()
}

fn repeated_key(odd: &mut Odd<'_, '_>) -> Vec<u8> {
    let line = odd.closing();
    line.replace(r#""user_id""#, r#""course_id": "OtherX/First/R0", "user_id""#).into_bytes()
}

fn repeated_line(odd: &mut Odd<'_, '_>) -> Vec<u8> {
    match odd.previous.strip_suffix(b"\n") {
        Some(line) => line.to_vec(),
        None => odd.closing().into_bytes(),
    }
}

fn another_organisations_course(odd: &mut Odd<'_, '_>) -> Vec<u8> {
    let line = odd.closing();
    let id = odd.random.pick(&["course-v1:OtherX+Visit+R1", "OtherX/Guest/2014"]);
    odd.with_id(&line, &format!("\"{id}\"")).into_bytes()
}

fn percent_encoded_address(odd: &mut Odd<'_, '_>) -> Vec<u8> {
    let id = odd.scene.course.url_id.replace(':', "%3A").replace('+', "%2B");
    odd.draft.browser("page_close", odd.address(&format!("/courses/{id}/courseware/abc/")));
    let line = odd.rendered();
    odd.with_id(&line, r#""""#).into_bytes()
}

fn old_xblock_address(odd: &mut Odd<'_, '_>) -> Vec<u8> {
    let (org, id) = (&odd.scene.course.org, &odd.scene.course.id);
    let usage = format!("i4x:;_;_{org};_Demo;_problem;_p1");
    let path = format!("/courses/{id}/xblock/{usage}/handler/xmodule_handler/problem_check");
    odd.draft.implicit(path);
    let line = odd.rendered();
    odd.with_id(&line, r#""""#).into_bytes()
}

fn enrolment_by_tool(odd: &mut Odd<'_, '_>) -> Vec<u8> {
    social::enrolment(odd.scene, odd.random, odd.draft);
    let line = odd.rendered();
    odd.with_id(&line, "null").into_bytes()
}

fn course_only_in_block_id(odd: &mut Odd<'_, '_>) -> Vec<u8> {
    odd.draft.server("problem_rescore", "/".into());
    let course = odd.scene.course;
    let usage = Json(&course.blocks[course.problems[0]].usage);
    put!(odd.draft.body, r#"{{"problem_id": "{usage}", "student": "anna_k", "attempts": 1, "new_score": 2}}"#);
    let line = odd.rendered();
    odd.without_id(&line).into_bytes()
}

fn invalid_id(odd: &mut Odd<'_, '_>) -> Vec<u8> {
    let line = odd.closing();
    odd.with_id(&line, r#""not a course id""#).into_bytes()
}

fn id_that_is_a_number(odd: &mut Odd<'_, '_>) -> Vec<u8> {
    let line = odd.closing();
    odd.with_id(&line, "6002").into_bytes()
}

fn id_inside_the_payload(odd: &mut Odd<'_, '_>) -> Vec<u8> {
    odd.draft.browser("edx.ui.lms.link_clicked", odd.scene.url("/info"));
    odd.draft.body =
        r#"{"note": "\"context\": {\"course_id\": \"OtherX/No/R1\"}", "context": {"course_id": "x"}}"#.into();
    if odd.random.one_in(2) {
        odd.draft.form = Form::Value;
    }
    odd.rendered().into_bytes()
}

fn browser_without_context(odd: &mut Odd<'_, '_>) -> Vec<u8> {
    let line = odd.closing();
    Odd::with_context(&line, "").into_bytes()
}

fn empty_context(odd: &mut Odd<'_, '_>) -> Vec<u8> {
    let line = odd.view();
    Odd::with_context(&line, r#""context": {}, "#).into_bytes()
}

fn very_long_line(odd: &mut Odd<'_, '_>) -> Vec<u8> {
    odd.draft.server("openassessmentblock.create_submission", "/".into());
    let text = "Once more, with feeling. ".repeat(2200 + odd.random.index(400));
    put!(odd.draft.body, r#"{{"attempt_number": 1, "answer": {{"text": "{text}"}}}}"#);
    odd.rendered().into_bytes()
}

fn extra_keys(odd: &mut Odd<'_, '_>) -> Vec<u8> {
    let line = odd.view();
    let extra =
        r#"{"label": "x", "nonInteraction": 1, "augmented": {"country_code": "SE"}, "course_id": "OtherX/Top/R1", "#;
    line.replacen('{', extra, 1).into_bytes()
}

fn api_address(odd: &mut Odd<'_, '_>) -> Vec<u8> {
    odd.draft.implicit(format!("/api/courses/v1/courses/{}", odd.scene.course.id));
    let line = odd.rendered();
    odd.with_id(&line, "null").into_bytes()
}

fn fragment_in_address(odd: &mut Odd<'_, '_>) -> Vec<u8> {
    odd.draft.browser("page_close", odd.scene.url("#"));
    let line = odd.rendered();
    odd.with_id(&line, r#""""#).into_bytes()
}

fn raw_unicode(odd: &mut Odd<'_, '_>) -> Vec<u8> {
    odd.closing().replace(r#""agent": ""#, "\"agent\": \"\u{2028}\u{85}wörld 😀 ").into_bytes()
}

fn compact_json(odd: &mut Odd<'_, '_>) -> Vec<u8> {
    let line = odd.closing();
    line.replace("\": ", "\":").replace(", \"", ",\"").into_bytes()
}

fn payload_of_no_known_shape(odd: &mut Odd<'_, '_>) -> Vec<u8> {
    let line = odd.closing();
    let shapes = ["null", "17", "\"just words\"", r#""[\"input_p1_2_1=a\", \"<div>\"]""#, r#"["a", 1]"#];
    let shape = odd.random.pick(&shapes);
    let line = line.replace(r#""event": "{}""#, r#""event": """#);
    if odd.random.one_in(6) {
        return line.replace(r#""event": "", "#, "").into_bytes();
    }
    line.replace(r#""event": """#, &format!(r#""event": {shape}"#)).into_bytes()
}

fn late_arrival(odd: &mut Odd<'_, '_>) -> Vec<u8> {
    let id = odd.scene.course.blocks[odd.scene.course.videos[0]].html_id.clone();
    odd.draft.mobile("play_video", "edx.video.played", odd.scene.url("/courseware/a/b"));
    put!(odd.draft.body, r#"{{"code": "mobile", "id": "{id}", "currentTime": 114}}"#);
    odd.scene.moment.date = later(odd.date, -3).to_string();
    odd.rendered().into_bytes()
}
