//! The fast scanner against its slow twin, that against Python, and the split's memory against its promise.

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use edxfs::edx::tracking_log::{Attribution, CourseRule, Fields, attribute, scan, walk};
use edxfs::error::Result;
use edxfs::recipe::split::split;
use edxfs::recipe::{Output, Outputs, Slot};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};

/// What is made of a line's parts when they are put together.
#[derive(Clone, Copy, Debug)]
enum Damage {
    None,
    Cut(prop::sample::Index),
    Remove(prop::sample::Index),
    Insert(prop::sample::Index, &'static [u8]),
}

/// Bytes that lead scanners astray.
const SOUP: [&[u8]; 34] = [
    b"\"",
    b"\\",
    b"\\\"",
    b"\\\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b" ",
    b"\t",
    b"\r",
    b"\n",
    b"\0",
    b"\xff",
    b"\xe2\x80",
    b"\x1f",
    b"\"context\"",
    b"\"context\": {",
    b"\"course_id\"",
    b"\"course_id\": \"A/B/C\"",
    b"\"cont\\u0065xt\"",
    b"\"course\\u005fid\": ",
    b"\"event_type\": \"x\"",
    b"\"event\":",
    b"NaN",
    b"-1.5e9",
    b"null",
    b"\xc3\xa5",
    b"\\u002b",
    b"\\ud83d\\ude00",
    b"\\ud83d",
    b"x",
];

fn soup() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(select(&SOUP[..]), 0..90).prop_map(|pieces| pieces.concat())
}

fn key() -> impl Strategy<Value = String> {
    let names = [
        "context",
        "course_id",
        "event_source",
        "event_type",
        "page",
        "event",
        "id",
        "problem_id",
        "module_id",
        "module",
        "name",
        "time",
        "user_id",
        "username",
        "x",
        "",
        "GET",
        "us\\u0065r_id",
        "tim\\u0065",
        "cont\\u0065xt",
        "course\\u005fid",
        "course\\u005Fid",
        "p\\u0061ge",
        "e\\u0076ent",
        "\\\"context",
        "context\\\\",
        "event_typ\\e",
    ];
    (select(names.to_vec()), 0_usize..70, 0..20).prop_map(|(name, padding, odds)| match odds {
        0 => format!("{}{name}", "k".repeat(padding)),
        _ => name.to_owned(),
    })
}

fn text() -> impl Strategy<Value = String> {
    let texts = [
        "",
        " ",
        "A/B/C",
        " A/B/C\\n",
        "A\\/B\\/C",
        "course-v1:A+B+C",
        "course-v1:A\\u002bB\\u002BC",
        "library-v1:A+B",
        "A/B",
        "junk",
        "ccx-v1:A+B+C+ccx@7",
        "server",
        "browser",
        "mobile",
        "s\\u0065rver",
        "/courses/A/B/C/info",
        "https://x/courses/A/B/C#",
        "/courses/course-v1:A+B+C/xblock/block-v1:A+B+D+type@p+block@q/handler",
        "/courses/A/B/C/xblock/i4x:;_;_A/h/i",
        "/api/courses/v1/courses/course-v1:A+B+C?x",
        "https://x/courses/course-v1%3AA%2BB%2BC/y/z/",
        "/xblock/block-v1:A+B+C+block@d",
        "block-v1:A+B+C+type@video+block@v",
        "{\\\"course_id\\\": \\\"A/B/C\\\"}",
        "\\\"context\\\": {\\\"course_id\\\": \\\"A/B/C\\\"}",
        "\t\u{1}\u{0}",
        "\\ud83d\\ude00\\ud83d",
        "å\\\\",
        "\\\\\\\"",
        "{[",
        "}",
        "course-v1:Å+B+C\u{1c}",
        "/accounts/login/",
        "course-v1:A+B+C+branch@d",
        "course-v1:A+B+C+",
        "A/B/",
    ];
    (select(texts.to_vec()), 0_usize..140, 0..12).prop_map(|(text, padding, odds)| match odds {
        0 => format!("{}{text}", "p".repeat(padding)),
        1 => format!("{text}{}", "\\\\".repeat(padding)),
        _ => text.to_owned(),
    })
}

fn white() -> impl Strategy<Value = &'static str> {
    select(vec!["", "", "", " ", " ", "\t", "\r", "  "])
}

/// JSON, or nearly.
fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        4 => text().prop_map(|text| format!("\"{text}\"")),
        1 => select(vec!["null", "7", "NaN", "-Infinity", "true", "1e999"]).prop_map(str::to_owned),
        1 => (1_usize..100).prop_map(|depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth))),
        1 => (1_usize..100).prop_map(|depth| format!("{}7{}", "{\"context\": ".repeat(depth), "}".repeat(depth))),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        prop_oneof![
            3 => object(inner.clone()),
            1 => prop::collection::vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(", "))),
        ]
    })
}

fn object(inner: impl Strategy<Value = String> + Clone) -> impl Strategy<Value = String> {
    let member = (key(), white(), white(), inner)
        .prop_map(|(key, before, after, value)| format!("\"{key}\"{before}:{after}{value}"));
    (prop::collection::vec(member, 0..7), white())
        .prop_map(|(members, white)| format!("{{{white}{}{white}}}", members.join(",")))
}

/// The members that matter, where they belong.
fn event() -> impl Strategy<Value = String> {
    let source = select(vec!["server", "browser", "mobile", "s\\u0065rver"]);
    let blank = prop_oneof![2 => Just(String::new()), 1 => text()];
    (source, blank, text(), text(), value(), 0_usize..5).prop_map(
        |(source, course_id, event_type, page, event, turn)| {
            let mut members = [
                format!("\"context\": {{\"course_id\": \"{course_id}\", \"user_id\": 7, \"path\": \"{page}\"}}"),
                format!("\"event_source\": \"{source}\""),
                format!("\"event_type\": \"{event_type}\""),
                format!("\"page\": \"{page}\""),
                format!("\"event\": {event}"),
            ];
            members.rotate_left(turn);
            format!("{{{}}}", members.join(", "))
        },
    )
}

fn line() -> impl Strategy<Value = Vec<u8>> {
    let prefix = select(vec!["", "", "", " ", "Sep  9 00:00:48 localhost ", "\u{feff}", "\"\\ x"]);
    let event = prop_oneof![object(value().boxed()), event()];
    let end = select(vec!["", "", "\n", "\n", "\r\n", " \t\n", "\0", "x", "}", "\u{85}"]);
    let damage = prop_oneof![
        12 => Just(Damage::None),
        1 => any::<prop::sample::Index>().prop_map(Damage::Cut),
        1 => any::<prop::sample::Index>().prop_map(Damage::Remove),
        3 => (any::<prop::sample::Index>(), select(&SOUP[..])).prop_map(|(at, piece)| Damage::Insert(at, piece)),
    ];
    (prefix, event, end, damage).prop_map(|(prefix, event, end, damage)| {
        let mut line = format!("{prefix}{event}{end}").into_bytes();
        match damage {
            Damage::None => {}
            Damage::Cut(at) => line.truncate(at.index(line.len())),
            Damage::Remove(at) => drop(line.remove(at.index(line.len()))),
            Damage::Insert(at, piece) => {
                let at = at.index(line.len());
                line.splice(at..at, piece.iter().copied());
            }
        }
        line
    })
}

proptest! {
    #![proptest_config(Config { cases: 4000, failure_persistence: None, ..Config::default() })]

    #[test]
    fn the_scanner_finds_what_the_walker_finds(line in line()) {
        prop_assert_eq!(scan(&line), walk(&line), "{}", String::from_utf8_lossy(&line));
    }

    #[test]
    fn the_scanner_finds_in_a_soup_what_the_walker_finds(mut line in soup()) {
        line.insert(0, b'{');
        prop_assert_eq!(scan(&line), walk(&line), "{}", String::from_utf8_lossy(&line));
        line.push(b'}');
        prop_assert_eq!(scan(&line), walk(&line), "{}", String::from_utf8_lossy(&line));
    }
}

/// Every byte of a tricky line comes to stand on every place of a block.
#[test]
fn block_boundaries_change_nothing() {
    for padding in 0..200 {
        let text = "p".repeat(padding);
        let slashes = "\\\\".repeat(padding);
        for line in [
            format!(
                "{{\"{text}\": {{}}, \"context\" : {{\"x\": [{{}}], \"course_id\": \"A/B/C\"}}, \"page\": \"{text}\"}}\n"
            ),
            format!("{{\"x\": \"{slashes}\", \"cont\\u0065xt\":{{\"course\\u005fid\":\"A/B/C\"}}}}"),
            format!("{{\"x\": \"{slashes}\\\"\", \"context\"{}: {{\"course_id\":\"A/B/C\"}}}}", " ".repeat(padding)),
            format!("{{{}\"context\":{{\"course_id\":\"A/B/C\"}}}}", " ".repeat(padding)),
        ] {
            let line = line.as_bytes();
            assert_eq!(scan(line), walk(line), "{}", String::from_utf8_lossy(line));
            assert_eq!(scan(line).and_then(|fields| fields.course_id()), Some(&b"A/B/C"[..]));
        }
        let deep = format!("{{\"a\": {}{}, \"page\": \"x\"}}", "[".repeat(padding), "]".repeat(padding));
        assert_eq!(scan(deep.as_bytes()), walk(deep.as_bytes()));
        assert!(scan(deep.as_bytes()).is_some_and(|fields| fields.page() == Some(b"x")));
        let wrong = format!("{{\"a\": {}{}}}", "[".repeat(padding + 1), "]".repeat(padding) + "}");
        assert_eq!(scan(wrong.as_bytes()), None);
    }
}

/// What Python is asked about one line, in hexadecimal; `-` where there is nothing.
fn question(line: &[u8]) -> String {
    let hex = |bytes: Option<&[u8]>| match bytes {
        None => "-".to_owned(),
        Some(bytes) => format!("x{}", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()),
    };
    let course = match attribute(line, CourseRule::Producer) {
        Attribution::Course { id, .. } => Some(id.as_str().to_owned()),
        Attribution::NoCourse | Attribution::Malformed => None,
    };
    let fields = walk(line);
    let of = |field: fn(&Fields<'_>) -> Option<Vec<u8>>| hex(fields.as_ref().and_then(field).as_deref());
    [
        hex(Some(line)),
        hex(fields.as_ref().map(|_| &b""[..])),
        of(|fields| fields.has_context().then(Vec::new)),
        of(|fields| fields.course_id().map(<[u8]>::to_vec)),
        of(|fields| fields.event_source().map(<[u8]>::to_vec)),
        of(|fields| fields.event_type().map(<[u8]>::to_vec)),
        of(|fields| fields.page().map(<[u8]>::to_vec)),
        of(|fields| fields.event_and_rest().map(<[u8]>::to_vec)),
        of(|fields| fields.name().map(<[u8]>::to_vec)),
        of(|fields| fields.time().map(<[u8]>::to_vec)),
        of(|fields| fields.username().map(<[u8]>::to_vec)),
        of(|fields| fields.user_id_and_rest().map(<[u8]>::to_vec)),
        of(|fields| fields.module_and_rest().map(<[u8]>::to_vec)),
        hex(course.as_deref().map(str::as_bytes)),
    ]
    .join(" ")
}

#[test]
fn the_walker_finds_what_python_finds_and_the_producers_rule_is_the_producers() {
    let mut runner = TestRunner::deterministic();
    let lines: Vec<Vec<u8>> = (0..6000).map(|_| line().new_tree(&mut runner).expect("no filters").current()).collect();
    let questions: String = lines.iter().map(|line| question(line) + "\n").collect();
    let mut python = Command::new("python3")
        .args(["-c", include_str!("tracking_log/judge.py")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is installed");
    python.stdin.take().expect("piped").write_all(questions.as_bytes()).expect("python reads");
    let verdict = python.wait_with_output().expect("python ends");
    let verdict = String::from_utf8_lossy(&verdict.stdout).into_owned();
    let (parsed, with_course) = verdict
        .strip_prefix("agreed ")
        .and_then(|counts| counts.trim().split_once(' '))
        .unwrap_or_else(|| panic!("python disagrees: {verdict}"));
    // Lines that python cannot read, or that name no course, would prove nothing.
    assert!(parsed.parse::<u32>().is_ok_and(|count| count > 1000), "{verdict}");
    assert!(with_course.parse::<u32>().is_ok_and(|count| count > 100), "{verdict}");
}

/// Counts what is allocated, so that a promise about memory can be tested.
struct Counting;

static ALLOCATED: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

impl Counting {
    fn grow(bytes: usize) {
        let now = ALLOCATED.fetch_add(bytes, Ordering::Relaxed) + bytes;
        PEAK.fetch_max(now, Ordering::Relaxed);
    }
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Counting::grow(layout.size());
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        ALLOCATED.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        Counting::grow(bytes);
        ALLOCATED.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.realloc(pointer, layout, bytes) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Counts what comes to each output.
#[derive(Default)]
struct Counts(Vec<(Output, u64)>);

impl Outputs for Counts {
    fn create(&mut self, output: &Output) -> Result<Slot> {
        self.0.push((output.clone(), 0));
        Ok(Slot(self.0.len() - 1))
    }
    fn append(&mut self, slot: Slot, bytes: &[u8]) -> Result<()> {
        self.0[slot.0].1 += bytes.len() as u64;
        Ok(())
    }
}

#[test]
fn a_line_over_64_mib_is_loose_and_never_held_twice() {
    const LIMIT: u64 = 64 << 20;
    const SHORT: &[u8] = b"{\"context\": {\"course_id\": \"A/B/C\"}}\n";
    const HEAD: &[u8] = b"{\"context\": {\"course_id\": \"A/B/C\"}, \"x\": \"";
    const TAIL: &[u8] = b"\"}\n";
    let fill = LIMIT - (HEAD.len() + TAIL.len() - 1) as u64;
    for (fill, loose) in [(fill, 0), (fill + 1, LIMIT + 2), (3 * LIMIT, 3 * LIMIT + (HEAD.len() + TAIL.len()) as u64)] {
        let mut log = SHORT.chain(HEAD).chain(std::io::repeat(b'x').take(fill)).chain(TAIL).chain(SHORT);
        let mut counts = Counts::default();
        let before = ALLOCATED.load(Ordering::Relaxed);
        PEAK.store(before, Ordering::Relaxed);
        let summary = split(&mut log, CourseRule::Recall, &mut counts, None).expect("nothing can fail");
        let peak = PEAK.load(Ordering::Relaxed) - before;

        assert_eq!((summary.lines, summary.malformed), (3, u64::from(loose > 0)));
        assert_eq!(summary.plain_bytes, fill + (2 * SHORT.len() + HEAD.len() + TAIL.len()) as u64);
        assert_eq!(counts.0[0], (Output::Loose, loose));
        assert_eq!(counts.0.len(), 3);
        assert!(peak < 2 * LIMIT as usize, "{peak} bytes at once");
    }
}
