use super::check::Check;
use super::page::{Addresses, PageKind, Section};
use super::payload::PayloadText;
use super::time;
use super::video::{self, Place, VideoPayload};
use super::{EventSource, EventType, user_id, username};
use crate::edx::course_run::CourseId;
use crate::edx::tracking_log::{Fields, walk};

/// The data package's vectors; V10 is no event.
fn vector(number: usize) -> Option<Fields<'static>> {
    let vectors = include_str!("../tracking_log/tests/vectors.txt");
    walk(vectors.lines().nth(number - 1).expect("there are twelve").as_bytes())
}

fn event(number: usize) -> Fields<'static> {
    vector(number).expect("an event")
}

fn kind(fields: &Fields<'_>) -> String {
    match EventType::of(fields) {
        EventType::Known(name) => name.as_str().to_owned(),
        EventType::Path(path) => path.into_owned(),
        EventType::Textbook => "a textbook's".to_owned(),
        EventType::Other => "other".to_owned(),
    }
}

#[test]
fn the_vectors_say_who_and_what() {
    assert_eq!(vector(10), None);
    let forum = "/courses/UniX/BIO-1.2x/2014_T1/discussion/threads/511d11/reply";
    for (number, user, name, source, event_type) in [
        (1, Some("1001"), Some("anna_k"), "server", "/courses/UniX/BIO-1.2x/2014_T1/progress"),
        (2, Some("1001"), Some("anna_k"), "browser", "seek_video"),
        (3, Some("1002"), Some("ben"), "mobile", "play_video"),
        (4, Some("1002"), Some("ben"), "server", "problem_check"),
        (5, None, None, "browser", "problem_check"),
        (6, Some("1002"), Some("ben"), "browser", "problem_graded"),
        (7, Some("1002"), Some("ben"), "browser", "page_close"),
        (8, None, Some("carl"), "server", "/courses/UniX/6.00x/2012_Fall/courseware/Week_1/"),
        (9, Some("1001"), Some("anna_k"), "server", forum),
        (11, None, Some("anonymous"), "server", "edx.course.enrollment.activated"),
        (12, None, Some("ben"), "server", "other"),
    ] {
        let fields = event(number);
        assert_eq!(user_id(&fields).id().as_deref(), user, "V{number}");
        assert_eq!(username(&fields).as_deref(), name, "V{number}");
        assert_eq!(EventSource::of(&fields).as_str(), source, "V{number}");
        assert_eq!(kind(&fields), event_type, "V{number}");
    }
}

#[test]
fn the_vectors_say_when() {
    for (number, instant) in [
        (1, 1_400_266_340_302_431),
        (2, 1_400_180_599_000_000),
        (3, 1_425_009_444_000_000),
        (7, 1_399_046_512_895_722),
        (8, 1_347_148_848_123_456),
    ] {
        assert_eq!(event(number).time().and_then(time::parse), Some(instant), "V{number}");
    }
}

#[test]
fn the_vectors_videos_are_read() {
    let mut room = PayloadText::default();
    for (number, id, place, column) in [
        (
            2,
            "i4x-UniX-BIO-1_2x-video-0b9e39477cf34507a7a48f74be38abcd",
            Place::Moved { from: 38.910057, to: 147.0 },
            "seek_video",
        ),
        (3, "0b9e39477cf34507a7a48f74be381fdd", Place::At(114.0), "edx.video.played"),
    ] {
        let fields = event(number);
        let EventType::Known(name) = EventType::of(&fields) else { panic!("V{number} is a video event") };
        assert!(name.is_video_event());
        assert_eq!(video::column(&fields, name).as_str(), column);
        let payload = VideoPayload::read(&fields, &mut room).expect("it parses");
        assert_eq!((payload.id().as_deref(), payload.place), (Ok(id), place), "V{number}");
    }
    for number in [5, 6, 7, 9] {
        assert_eq!(VideoPayload::read(&event(number), &mut room), None, "V{number}");
    }
}

#[test]
fn the_vectors_check_and_its_pages_are_read() {
    let check = Check::read(&event(4)).expect("a server's check");
    assert_eq!(check.problem, "block-v1:UniX+CHEM+R1+type@problem+block@p1");
    assert_eq!(check.display_name.as_deref(), Some("Quiz \u{2013} 1"));
    let cells = [&check.attempts, &check.grade, &check.max_grade, &check.success].map(|cell| cell.as_deref());
    assert_eq!(cells, [Some("2"), Some("1"), Some("2"), Some("incorrect")]);
    let answers: Vec<_> = check.answers().into_iter().map(|(column, text)| (column, text.into_owned())).collect();
    let expected = [("problem_2_1", "choice_0,choice_1"), ("problem_3_1", "42")];
    assert_eq!(answers, expected.map(|(column, text)| (column.to_owned(), text.to_owned())));
    assert_eq!(Check::read(&event(5)), None);

    let addresses = |id| Addresses::of(&CourseId::parse(id).expect("valid"));
    for (number, id, kind, section) in [
        (1, "UniX/BIO-1.2x/2014_T1", PageKind::Progress, Some(Section::Progress)),
        (8, "UniX/6.00x/2012_Fall", PageKind::Courseware, Some(Section::Courseware)),
        (9, "UniX/BIO-1.2x/2014_T1", PageKind::Handler, None),
    ] {
        let fields = event(number);
        let EventType::Path(path) = EventType::of(&fields) else { panic!("V{number} has a path") };
        let below = addresses(id).below(&path).expect("below the course").into_owned();
        assert_eq!((PageKind::of(&below), Section::of(&below)), (kind, section), "V{number}");
    }
}

#[test]
fn escapes_hide_nothing() {
    for (json, expected) in [
        (r#"{"event_type": "\/courses\/A\/B\/C"}"#, "/courses/A/B/C"),
        (r#"{"event_type": "play\u005fvideo"}"#, "play_video"),
        (r#"{"event_type": "textbook.pdf.\u0078"}"#, "a textbook's"),
        (r#"{"event_type": "textbook.pdf.x"}"#, "a textbook's"),
        (r#"{"event_type": ""}"#, "other"),
        (r#"{"event_type": 7}"#, "other"),
    ] {
        assert_eq!(kind(&walk(json.as_bytes()).expect("an event")), expected);
    }
    let source = |text: &str| EventSource::of(&walk(text.as_bytes()).expect("an event"));
    assert_eq!(source(r#"{"event_source": "s\u0065rver"}"#), EventSource::Server);
    assert_eq!(source(r#"{"event_source": "task"}"#), EventSource::Task);
    assert_eq!(source(r#"{"event_source": "servers"}"#), EventSource::Other);
    assert_eq!(source(r#"{"event_source": null}"#), EventSource::Other);
    assert!(EventSource::ALL.map(EventSource::as_str).is_sorted());
}
