use super::*;

/// What a rule makes of a line, short: `-` malformed, empty none, `S ` stated and `M ` mentioned before the id.
fn verdict(line: &[u8], rule: CourseRule) -> String {
    match attribute(line, rule) {
        Attribution::Malformed => "-".into(),
        Attribution::NoCourse => String::new(),
        Attribution::Course { id, evidence: Evidence::Stated } => format!("S {id}"),
        Attribution::Course { id, evidence: Evidence::Mentioned } => format!("M {id}"),
    }
}

fn both(line: &str) -> (String, String) {
    (verdict(line.as_bytes(), CourseRule::Producer), verdict(line.as_bytes(), CourseRule::Recall))
}

#[test]
fn the_test_vectors_go_to_their_courses() {
    let vectors = include_str!("tests/vectors.txt");
    let expected = [
        ("S UniX/BIO-1.2x/2014_T1", "S UniX/BIO-1.2x/2014_T1"),
        ("S UniX/BIO-1.2x/2014_T1", "S UniX/BIO-1.2x/2014_T1"),
        ("S course-v1:UniX+CHEM+R1", "S course-v1:UniX+CHEM+R1"),
        ("S course-v1:UniX+CHEM+R1", "S course-v1:UniX+CHEM+R1"),
        ("S UniX/BIO-1.2x/2014_T1", "S UniX/BIO-1.2x/2014_T1"),
        ("M course-v1:UniX+CHEM+R1", "M course-v1:UniX+CHEM+R1"),
        ("S UniX/BIO-1.2x/2014_T1", "S UniX/BIO-1.2x/2014_T1"),
        ("", "M UniX/6.00x/2012_Fall"),
        ("S UniX/BIO-1.2x/2014_T1", "S UniX/BIO-1.2x/2014_T1"),
        ("-", "-"),
        ("S UniX/BIO-1.2x/2014_T1", "S UniX/BIO-1.2x/2014_T1"),
        ("S ccx-v1:UniX_Extension+Demo_ccx+T2+ccx@101", "S ccx-v1:UniX_Extension+Demo_ccx+T2+ccx@101"),
    ];
    assert_eq!(vectors.lines().count(), expected.len());
    for (number, (line, (producer, recall))) in vectors.lines().zip(expected).enumerate() {
        assert_eq!(both(line), (producer.into(), recall.into()), "V{}", number + 1);
    }
}

fn server(event_type: &str) -> String {
    format!(r#"{{"event_source": "server", "event_type": "{event_type}", "context": {{"course_id": ""}}}}"#)
}

#[test]
fn a_url_names_the_course_that_the_producer_measured() {
    for (url, producer, recall) in [
        ("/courses/edX/DemoX/R1/info", "edX/DemoX/R1", "edX/DemoX/R1"),
        (
            "/courses/course-v1:edX+DemoX+R1/xblock/block-v1:edX+DemoX+R1+type@problem+block@p1/handler/x",
            "course-v1:edX+DemoX+R1",
            "course-v1:edX+DemoX+R1",
        ),
        (
            "/courses/edX/DemoX/R1/xblock/i4x:;_;_edX;_DemoX;_problem;_p1/handler/xmodule_handler/problem_check",
            "",
            "edX/DemoX/R1",
        ),
        ("/api/courses/v1/courses/course-v1:edX+DemoX+R1", "course-v1:edX+DemoX+R1", "course-v1:edX+DemoX+R1"),
        ("https://x/courses/edX/DemoX/R1#", "", ""),
        ("/courses/edX/DemoX", "", ""),
        (
            "https://x/courses/course-v1%3AedX%2BDemoX%2BR1/courseware/abc/",
            "course-v1%3AedX%2BDemoX%2BR1/courseware/abc",
            "course-v1:edX+DemoX+R1",
        ),
        ("/courses/library-v1:edX+L1/x", "", ""),
        ("/courses/v1/edX/DemoX/R1", "", ""),
        ("/courses/course-v1:edX+DemoX+R1?tab=2", "course-v1:edX+DemoX+R1", "course-v1:edX+DemoX+R1"),
        ("/courses/ccx-v1:edX+DemoX+R1+ccx@7/", "ccx-v1:edX+DemoX+R1+ccx@7", "ccx-v1:edX+DemoX+R1+ccx@7"),
        ("/dashboard", "", ""),
    ] {
        let mentioned = |id: &str| if id.is_empty() { String::new() } else { format!("M {id}") };
        assert_eq!(both(&server(url)), (mentioned(producer), mentioned(recall)), "{url}");
    }
}

#[test]
fn context_course_id_decides_alone_unless_it_is_blank() {
    let url = r#""event_source": "browser", "page": "https://x/courses/A/B/C/""#;
    for (context, producer, recall) in [
        (r#""context": {"course_id": "D/E/F"}"#, "S D/E/F", "S D/E/F"),
        (r#""context": {"course_id": "course-v1:D\u002bE\u002BF"}"#, "S course-v1:D+E+F", "S course-v1:D+E+F"),
        (r#""cont\u0065xt": {"course\u005fid": "D\/E\/F"}"#, "S D/E/F", "S D/E/F"),
        (r#""context": {"course_id": "library-v1:D+E"}"#, "", ""),
        (r#""context": {"course_id": "course-v1%3AD%2BE%2BF"}"#, "", ""),
        (r#""context": {"course_id": "junk"}"#, "", ""),
        (r#""context": {"course_id": " \n"}"#, "M A/B/C", "M A/B/C"),
        (r#""context": {"course_id": null}"#, "M A/B/C", "M A/B/C"),
        (r#""context": {"course_id": "D/E/F", "course_id": 7}"#, "M A/B/C", "M A/B/C"),
        (r#""context": {"course_id": "D/E/F"}, "context": {}"#, "M A/B/C", "M A/B/C"),
        (r#""context": {"course_id": "D/E/F"}, "context": null"#, "", "M A/B/C"),
        (r#""context": {"module": {"course_id": "D/E/F"}, "x": [{"course_id": "D/E/F"}]}"#, "M A/B/C", "M A/B/C"),
        (r#""x": "\"context\": {\"course_id\": \"D/E/F\"}""#, "", "M A/B/C"),
        (r#""context": [{"course_id": "D/E/F"}]"#, "", "M A/B/C"),
    ] {
        let line = format!("{{{context}, {url}}}");
        assert_eq!(both(&line), (producer.into(), recall.into()), "{line}");
    }
}

#[test]
fn the_payload_is_asked_last_and_only_for_recall() {
    for (event, recall) in [
        (r#"{"course_id": " A/B/C "}"#, "S A/B/C"),
        (r#""{\"course_id\": \"A\\u002fB/C\"}""#, "S A/B/C"),
        (r#"{"course_id": "junk", "id": "\nblock-v1:A+B+C+type@video+block@v"}"#, "M course-v1:A+B+C"),
        (r#""{\"module_id\": \"block-v1:A+B+C+type@video+block@v\"}""#, "M course-v1:A+B+C"),
        (r#"{"x": {"course_id": "A/B/C"}, "problem_id": "i4x://A/B/problem/p"}"#, ""),
        (r#""{\"course_id\": \"A/B/C\"} x""#, ""),
        (r#""{\"course_id\": \"A/B/C\", \"cut""#, ""),
        (r#"[{"course_id": "A/B/C"}]"#, ""),
        ("7", ""),
    ] {
        let line = format!(r#"{{"event_source": "server", "event": {event}, "event_type": "x"}}"#);
        assert_eq!(both(&line), (String::new(), recall.into()), "{line}");
    }
    let login = r#"{"event_source": "server", "event_type": "/accounts/login/", "event": "{\"GET\": {\"next\": [\"/courses/A/B/C/info\"]}}"}"#;
    assert_eq!(both(login), (String::new(), "M A/B/C".into()));
}

#[test]
fn a_url_that_the_payload_confirms_is_more_than_a_mention() {
    for (event, recall) in [
        (r#"{"course_id": "A/B/C"}"#, "S A/B/C"),
        (r#""{\"course_id\": \" A/B/C\"}""#, "S A/B/C"),
        (r#"{"course_id": "D/E/F"}"#, "M A/B/C"),
        (r#"{"id": "block-v1:A+B+C+type@video+block@v"}"#, "M A/B/C"),
    ] {
        let line =
            format!(r#"{{"event_source": "browser", "page": "/courses/A/B/C/", "context": {{}}, "event": {event}}}"#);
        assert_eq!(both(&line), ("M A/B/C".into(), recall.into()), "{line}");
    }
}

#[test]
fn only_white_space_may_follow_the_event() {
    for (line, event) in [
        ("{} \t\r\n", true),
        ("Sep  9 00:00:48 localhost {}", true),
        ("{}x", false),
        ("{}}", false),
        ("{} {}", false),
        ("{}\0", false),
        ("", false),
        ("\n", false),
        ("[]", false),
        ("{", false),
        ("{\"}", false),
        ("{]", false),
        ("{[}]", false),
        ("{\"a\": [NaN, \u{1}\u{fffd}, {\"b\": \"\t\"}]}", true),
    ] {
        assert_eq!(scan(line.as_bytes()).is_some(), event, "{line:?}");
        assert_eq!(walk(line.as_bytes()).is_some(), event, "{line:?}");
    }
}
