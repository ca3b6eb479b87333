//! One event as a line of JSON: the envelope of `data-package.md` 12 around a payload.

use std::fmt::Write;

use crate::demo::course::Course;
use crate::demo::learner::Learner;
use crate::demo::plan::Site;
use crate::demo::text::Json;

/// Where an event was emitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventSource {
    Browser,
    Server,
    Mobile,
}

/// How a payload stands in the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As a JSON string whose text it is.
    Text,
    /// As it is: an object, a list, a number.
    Value,
}

/// How an event's time is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeForm {
    Full,
    NoFraction,
    NoOffset,
}

/// An instant of a day.
#[derive(Clone, Debug)]
pub struct Moment {
    /// `YYYY-MM-DD`.
    pub date: String,
    /// Of the day.
    pub second: u32,
    pub micros: u32,
    pub form: TimeForm,
}

impl Moment {
    fn push(&self, out: &mut String) {
        let (hour, minute, second) = (self.second / 3600, self.second / 60 % 60, self.second % 60);
        put!(out, "{}T{hour:02}:{minute:02}:{second:02}", self.date);
        match self.form {
            TimeForm::Full => put!(out, ".{:06}+00:00", self.micros),
            TimeForm::NoFraction => out.push_str("+00:00"),
            TimeForm::NoOffset => put!(out, ".{:06}", self.micros),
        }
    }
}

/// Who does something where and when.
pub struct Scene<'a> {
    pub site: Site,
    pub course: &'a Course,
    pub learner: &'a Learner,
    pub anonymous_id: &'a str,
    pub moment: Moment,
    /// When the event reached the server, for those that came by a mobile device: a date.
    pub received: &'a str,
    pub session: String,
    /// Index of the course's page that the learner is on.
    pub place: usize,
    /// Which of the orders of keys the emitting server uses.
    pub key_order: usize,
}

impl Scene<'_> {
    /// The address of the page that the learner is on.
    pub fn page(&self) -> String {
        self.url(&format!("/courseware/{}/", self.course.pages[self.place]))
    }

    /// The address of a page of the course: what stands behind `/courses/{id}`.
    pub fn url(&self, tail: &str) -> String {
        format!("https://{}/courses/{}{tail}", self.site.host(), self.course.url_id)
    }
}

/// What happens, in true text: rendering escapes it. `body` alone is JSON already.
pub struct Draft {
    pub source: EventSource,
    pub event_type: String,
    /// Left out of the line if empty.
    pub name: String,
    pub form: Form,
    pub body: String,
    /// `null` in the line if empty.
    pub page: String,
    pub referer: String,
    pub path: String,
    /// The block that `context.module` names.
    pub module: Option<usize>,
}

impl Draft {
    pub fn new() -> Self {
        Draft {
            source: EventSource::Server,
            event_type: String::new(),
            name: String::new(),
            form: Form::Text,
            body: String::new(),
            page: String::new(),
            referer: String::new(),
            path: String::new(),
            module: None,
        }
    }

    /// A browser event on a page of the course, its payload JSON text to be filled in.
    pub fn browser(&mut self, event_type: &str, page: String) {
        self.clear(EventSource::Browser, event_type, Form::Text);
        self.referer.push_str(&page);
        self.page = page;
        self.path.push_str("/event");
    }

    /// A server event with an object as payload, to be filled in.
    pub fn server(&mut self, event_type: &str, path: String) {
        self.clear(EventSource::Server, event_type, Form::Value);
        self.path = path;
    }

    /// A request that the server noted: the path is the event type.
    pub fn implicit(&mut self, path: String) {
        self.clear(EventSource::Server, &path, Form::Text);
        self.path = path;
        self.body.push_str(r#"{"POST": {}, "GET": {}}"#);
    }

    /// An event of the mobile application, its payload JSON text to be filled in.
    pub fn mobile(&mut self, event_type: &str, name: &str, page: String) {
        self.clear(EventSource::Mobile, event_type, Form::Text);
        self.name.push_str(name);
        self.page = page;
        self.path.push_str("/segmentio/event");
    }

    fn clear(&mut self, source: EventSource, event_type: &str, form: Form) {
        self.source = source;
        self.event_type.clear();
        self.event_type.push_str(event_type);
        self.form = form;
        for text in [&mut self.name, &mut self.body, &mut self.page, &mut self.referer, &mut self.path] {
            text.clear();
        }
        self.module = None;
    }

    /// Appends the line, without its line end.
    pub fn render(&self, scene: &Scene<'_>, out: &mut String) {
        let order = match self.source {
            EventSource::Mobile => &MOBILE_ORDER[..],
            _ => KEY_ORDERS[scene.key_order % KEY_ORDERS.len()],
        };
        out.push('{');
        for field in order {
            self.push_field(*field, scene, out);
        }
        out.truncate(out.len() - 2);
        out.push('}');
    }

    fn push_field(&self, field: Field, scene: &Scene<'_>, out: &mut String) {
        let mobile = self.source == EventSource::Mobile;
        match field {
            Field::Username => put!(out, r#""username": "{}", "#, Json(&scene.learner.username)),
            Field::Type => put!(out, r#""event_type": "{}", "#, Json(&self.event_type)),
            Field::Name if self.name.is_empty() => {}
            Field::Name => put!(out, r#""name": "{}", "#, Json(&self.name)),
            Field::Ip if mobile => out.push_str(r#""ip": "", "#),
            Field::Ip => put!(out, r#""ip": "{}", "#, scene.learner.ip),
            Field::Agent if mobile => out.push_str(r#""agent": "Dalvik/1.6.0 (Linux; U; Android 4.4.4)", "#),
            Field::Agent => put!(out, r#""agent": "{}", "#, scene.learner.agent),
            Field::Host => put!(out, r#""host": "{}", "#, scene.site.host()),
            Field::Session if mobile => out.push_str(r#""session": "", "#),
            Field::Session => put!(out, r#""session": "{}", "#, scene.session),
            Field::Referer => put!(out, r#""referer": "{}", "#, Json(&self.referer)),
            Field::Language => put!(out, r#""accept_language": "{}", "#, scene.learner.language),
            Field::Event => self.push_event(out),
            Field::Source => put!(out, r#""event_source": "{}", "#, self.source_name()),
            Field::Context => self.push_context(scene, out),
            Field::Time => {
                out.push_str(r#""time": ""#);
                scene.moment.push(out);
                out.push_str(r#"", "#);
            }
            Field::Page if self.page.is_empty() => out.push_str(r#""page": null, "#),
            Field::Page => put!(out, r#""page": "{}", "#, Json(&self.page)),
        }
    }

    fn push_event(&self, out: &mut String) {
        match self.form {
            Form::Text => put!(out, r#""event": "{}", "#, Json(&self.body)),
            Form::Value => put!(out, r#""event": {}, "#, self.body),
        }
    }

    fn source_name(&self) -> &'static str {
        match self.source {
            EventSource::Browser => "browser",
            EventSource::Server => "server",
            EventSource::Mobile => "mobile",
        }
    }

    fn push_context(&self, scene: &Scene<'_>, out: &mut String) {
        let course = scene.course;
        out.push_str(r#""context": {"#);
        match self.source {
            EventSource::Server => {
                let group = scene.learner.id % 2;
                put!(out, r#""course_user_tags": {{"xblock.partition_service.partition_1292651160": "{group}"}}, "#);
            }
            EventSource::Browser => {}
            EventSource::Mobile => put!(
                out,
                concat!(
                    r#""component": "videoplayer", "received_at": "{}T08:00:01.373000+00:00", "application": "#,
                    r#"{{"name": "edx.mobileapp.android", "version": "1.0.02"}}, "client": {{"device": {{"id": "{}"}}}}, "#
                ),
                scene.received,
                &scene.learner.hash_id[..16]
            ),
        }
        if let Some(block) = self.module.and_then(|index| course.blocks.get(index)) {
            let (title, usage) = (Json(&block.title), Json(&block.usage));
            put!(out, r#""module": {{"display_name": "{title}", "usage_key": "{usage}"}}, "#);
        }
        if scene.key_order % KEY_ORDERS.len() == 2 {
            push_envelope_again(scene, out);
        }
        let (org, id, path) = (Json(&course.org), Json(&course.id), Json(&self.path));
        let user = scene.learner.id;
        put!(out, r#""user_id": {user}, "org_id": "{org}", "course_id": "{id}", "path": "{path}"}}, "#);
    }
}

/// Servers of 2014 repeated part of the envelope in the context.
fn push_envelope_again(scene: &Scene<'_>, out: &mut String) {
    let (name, ip, agent, host) =
        (Json(&scene.learner.username), &scene.learner.ip, scene.learner.agent, scene.site.host());
    put!(out, r#""username": "{name}", "ip": "{ip}", "agent": "{agent}", "host": "{host}", "#);
    put!(out, r#""session": "{}", "#, scene.session);
}

#[derive(Clone, Copy)]
enum Field {
    Username,
    Type,
    Name,
    Ip,
    Agent,
    Host,
    Session,
    Referer,
    Language,
    Event,
    Source,
    Context,
    Time,
    Page,
}

use Field::{Agent, Context, Event, Host, Ip, Language, Name, Page, Referer, Session, Source, Time, Type, Username};

/// Python dictionaries of different servers come in different orders.
const KEY_ORDERS: [&[Field]; 3] = [
    &[Username, Type, Name, Ip, Agent, Host, Referer, Language, Session, Event, Source, Context, Time, Page],
    &[Username, Host, Source, Type, Name, Context, Time, Ip, Event, Agent, Page, Referer, Language, Session],
    &[Context, Username, Session, Ip, Agent, Page, Host, Time, Referer, Language, Event, Type, Source],
];
const MOBILE_ORDER: [Field; 12] = [Username, Source, Name, Time, Agent, Page, Host, Session, Context, Ip, Event, Type];
