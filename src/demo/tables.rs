//! The catalogue of tables of `data-package.md` 8.1 and 8.2: name, header, and what fills it. A flat list.

use jiff::civil::Date;

use crate::demo::course::{Course, Enrolment, Spelling};
use crate::demo::learner::Learner;
use crate::demo::organisation::Organisation;
use crate::demo::plan::Site;
use crate::demo::text::{Dialect, NULL, Rows};

/// One course run on one site, as the exporter of one week saw it.
pub struct Snapshot<'a> {
    pub org: &'a Organisation,
    pub course: &'a Course,
    pub site: Site,
    pub date: Date,
    pub week: Week,
}

/// Which of the weekly packages this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Week {
    Earlier,
    /// The last one: a column more, and the exporter's failures.
    Newest,
}

/// One table.
pub struct Table {
    pub name: &'static str,
    /// Column names separated by blanks.
    pub header: &'static str,
    pub fill: fn(&Snapshot<'_>, &mut Rows),
}

impl Table {
    /// The file's content.
    pub fn content(&self, snapshot: &Snapshot<'_>) -> Vec<u8> {
        let dialect = if self.name == STUDENTMODULE { Dialect::S } else { Dialect::T1 };
        let mut rows = Rows::new(dialect, self.header);
        if self.name == PROFILE && snapshot.week == Week::Newest {
            rows = Rows::new(dialect, &format!("{} state", self.header));
        }
        (self.fill)(snapshot, &mut rows);
        self.mangled(snapshot, rows.into_bytes())
    }
}

impl Table {
    /// In the newest week some tables of two courses are not as they were: a column is gone, rows are too short or too
    /// long, and a cell is no UTF-8.
    fn mangled(&self, snapshot: &Snapshot<'_>, mut content: Vec<u8>) -> Vec<u8> {
        match (snapshot.course.rank, self.name, snapshot.week) {
            (1, PROFILE, Week::Newest) => without_column(&content, 12),
            (1, TAGS, Week::Newest) => without_column(&content, 0),
            (0, TAGS, Week::Newest) => {
                content
                    .extend_from_slice(b"9000001\t1001\n9000002\t1002\tk\xff\"\t\tv\tsurplus\n9000003\t1003\t\tNULL\t");
                content
            }
            _ => content,
        }
    }
}

fn without_column(content: &[u8], column: usize) -> Vec<u8> {
    let rows = content.split_inclusive(|byte| *byte == b'\n').map(|row| {
        let row = row.strip_suffix(b"\n").unwrap_or(row);
        let cells = row.split(|byte| *byte == b'\t').enumerate().filter(|(place, _)| *place != column);
        [cells.map(|(_, cell)| cell).collect::<Vec<_>>().join(&b'\t'), b"\n".to_vec()].concat()
    });
    rows.collect::<Vec<_>>().concat()
}

impl Snapshot<'_> {
    /// Who was enrolled by then.
    pub fn enrolled(&self) -> impl Iterator<Item = (&Enrolment, &Learner)> {
        let enrolments = self.course.enrolments(self.site).iter();
        enrolments.filter(|e| e.date <= self.date).map(|e| (e, &self.org.learners[e.learner]))
    }

    /// A number to start ids from, so that no two courses or sites share one.
    pub fn base(&self) -> u64 {
        let site = if self.site == Site::Edge { 500_000 } else { 0 };
        1 + site + self.course.rank as u64 * 1_000_000
    }

    /// A time for row `number`.
    pub fn time(&self, number: usize) -> String {
        format!("2015-02-{:02} {:02}:{:02}:0{}", 2 + number % 25, number % 24, number % 60, number % 7)
    }
}

pub const STUDENTMODULE: &str = "courseware_studentmodule";
const PROFILE: &str = "auth_userprofile";
const TAGS: &str = "user_api_usercoursetag";
/// The learner whose cells say what they are.
const MARKED: u64 = 1003;

pub const TABLES: &[Table] = &[
    Table {
        name: "auth_user",
        header: "id username first_name last_name email password is_staff is_active is_superuser last_login \
                 date_joined status email_key avatar_type country show_country date_of_birth interesting_tags \
                 ignored_tags email_tag_filter_strategy display_tag_filter_strategy consecutive_days_visit_count",
        fill: |snapshot, rows| {
            for (_, l) in snapshot.enrolled() {
                let staff = u8::from(l.id == 1002);
                let joined = format!("2012-03-04 00:57:{:02}", l.id % 60);
                let last = format!("2015-03-01 23:13:03.{:06}", l.id * 12_000 % 1_000_000);
                rows.row(&[
                    &l.id,
                    &l.username,
                    &"",
                    &"",
                    &l.email,
                    &"",
                    &staff,
                    &1,
                    &0,
                    &last,
                    &joined,
                    &"",
                    &NULL,
                    &"",
                    &"",
                    &0,
                    &NULL,
                    &"",
                    &"",
                    &0,
                    &0,
                    &0,
                ]);
            }
        },
    },
    Table {
        name: PROFILE,
        header: "id user_id name language location meta courseware gender mailing_address year_of_birth \
                 level_of_education goals allow_certificate country city bio profile_image_uploaded_at",
        fill: |snapshot, rows| {
            for (_, l) in snapshot.enrolled() {
                // Of one learner every cell that a de-identified table leaves out is marked.
                let mark = |usual: &str, mark: &str| if l.id == MARKED { mark } else { usual }.to_owned();
                let note = mark(r"x\ny", "marked_meta");
                let meta =
                    format!(r#"{{"old_emails": [["old_{}", "2012-11-16T10:28:10"]], "note": "{note}"}}"#, l.email);
                let id = l.id - 924;
                let born: &dyn std::fmt::Display = if l.id % 9 == 0 { &NULL } else { &l.year_of_birth };
                let address = mark(if l.id % 5 == 1 { "1 Main St\r\nTown" } else { "" }, "marked_address");
                let goals = ["", "line one\r\nline\ttwo", NULL, "see C:\\new\\table"][(l.id % 4) as usize];
                let location = if l.id % 6 == 0 { "by \"the\" C:\\lake,\t\u{1f600}" } else { "" };
                let cells: [&dyn std::fmt::Display; 18] = [
                    &id,
                    &l.id,
                    &l.full_name,
                    &"",
                    &location,
                    &meta,
                    &mark("course.xml", "marked_courseware"),
                    &l.gender,
                    &address,
                    born,
                    &l.education,
                    &mark(goals, "marked_goals"),
                    &1,
                    &l.country,
                    &NULL,
                    &mark(NULL, "marked_bio"),
                    &mark(NULL, "marked_image"),
                    &mark(NULL, "marked_state"),
                ];
                let width = if snapshot.week == Week::Newest { 18 } else { 17 };
                rows.row(&cells[..width]);
            }
        },
    },
    Table {
        name: "student_courseenrollment",
        header: "id user_id course_id created is_active mode",
        fill: |snapshot, rows| {
            for (i, (e, l)) in snapshot.enrolled().enumerate() {
                let (id, created) = (snapshot.base() + i as u64, format!("{} {}", e.date, e.time));
                rows.row(&[&id, &l.id, &snapshot.course.id, &created, &u8::from(l.id % 11 != 0), &e.mode]);
            }
        },
    },
    Table {
        name: "user_id_map",
        header: "hash_id user_id username",
        fill: |snapshot, rows| {
            rows.row(&[&"00ff00ff00ff00ff00ff00ff00ff00ff", &7, &"course_discovery_worker"]);
            for (_, l) in snapshot.enrolled() {
                rows.row(&[&l.hash_id, &l.id, &l.username]);
            }
        },
    },
    Table {
        name: "student_anonymoususerid",
        header: "id user_id anonymous_user_id course_id",
        fill: |snapshot, rows| {
            for (i, (e, l)) in snapshot.enrolled().enumerate() {
                rows.row(&[&(snapshot.base() + i as u64), &l.id, &e.anonymous_id, &snapshot.course.id]);
            }
        },
    },
    Table {
        name: "student_languageproficiency",
        header: "id user_profile_id code",
        fill: |snapshot, rows| {
            for (_, l) in snapshot.enrolled().filter(|(_, l)| l.id % 3 == 0) {
                rows.row(&[&(l.id * 10), &(l.id - 924), &["en", "sv", "zh-cn"][(l.id / 3 % 3) as usize]]);
            }
        },
    },
    Table {
        name: TAGS,
        header: "id user_id key course_id value",
        fill: |snapshot, rows| {
            for (i, (_, l)) in snapshot.enrolled().filter(|(_, l)| l.id % 4 == 0).enumerate() {
                let key = "xblock.partition_service.partition_0";
                rows.row(&[&(snapshot.base() + i as u64), &l.id, &key, &snapshot.course.id, &(l.id % 2)]);
            }
        },
    },
    Table {
        name: "student_courseaccessrole",
        header: "org course_id user_id role",
        fill: |snapshot, rows| rows.row(&[&snapshot.org.name, &snapshot.course.id, &1002, &"instructor"]),
    },
    Table {
        name: "django_comment_client_role_users",
        header: "course_id user_id name",
        fill: |snapshot, rows| {
            for (_, l) in snapshot.enrolled() {
                let role = if l.id == 1002 { "Administrator" } else { "Student" };
                rows.row(&[&snapshot.course.id, &l.id, &role]);
            }
        },
    },
    Table {
        name: "course_groups_cohortmembership",
        header: "user_id course_id group_type name",
        fill: |snapshot, rows| {
            for (_, l) in snapshot.enrolled().filter(|_| snapshot.course.rank == 0) {
                rows.row(&[
                    &l.id,
                    &snapshot.course.id,
                    &"cohort",
                    &["Default Group", "Grüppe \"B\""][(l.id % 2) as usize],
                ]);
            }
        },
    },
    Table {
        name: "teams",
        header: "id team_id name course_id topic_id date_created description country language discussion_topic_id \
                 last_activity_at team_size",
        fill: |snapshot, rows| {
            for team in 0..if snapshot.course.rank == 0 { 3 } else { 0 } {
                let (id, name) = (snapshot.base() + team, format!("Team {team}"));
                rows.row(&[
                    &id,
                    &format!("team-{team}-0f0e"),
                    &name,
                    &snapshot.course.id,
                    &"topic",
                    &"2015-02-03 10:00:00",
                    &"We\nmeet\ton \"Mondays\"",
                    &"SE",
                    &"sv",
                    &"0f0e0d0c0b0a",
                    &"2015-02-20 10:00:00.500000",
                    &2,
                ]);
            }
        },
    },
    Table {
        name: "teams_membership",
        header: "id user_id team_id date_joined last_activity_at",
        fill: |snapshot, rows| {
            for i in 0..if snapshot.course.rank == 0 { 6 } else { 0 } {
                let team = snapshot.base() + i / 2;
                rows.row(&[&(snapshot.base() + i), &(1001 + i), &team, &"2015-02-03 10:00:00", &"2015-02-20 10:00:00"]);
            }
        },
    },
    Table {
        name: "credit_crediteligibility",
        header: "id created modified username deadline course_id",
        fill: |_, _| {},
    },
    Table {
        name: "verify_student_verificationstatus",
        header: "timestamp status course_id checkpoint_location user_id",
        fill: |snapshot, rows| {
            for (i, (_, l)) in snapshot.enrolled().filter(|(e, _)| e.mode == "verified").enumerate() {
                let place = &snapshot.course.blocks[snapshot.course.sequentials[0]].usage;
                rows.row(&[&snapshot.time(i), &"approved", &snapshot.course.id, place, &l.id]);
            }
        },
    },
    Table {
        name: STUDENTMODULE,
        header: "id module_type module_id student_id state grade created modified max_grade done course_id",
        fill: student_modules,
    },
    Table {
        name: "grades_persistentcoursegrade",
        header: "course_id user_id grading_policy_hash percent_grade letter_grade passed_timestamp created modified",
        fill: |snapshot, rows| {
            for (i, (_, l)) in snapshot.enrolled().enumerate() {
                let grade = grade(l);
                let passed = if grade >= 0.6 { snapshot.time(i) } else { NULL.into() };
                let (letter, time) = (if grade >= 0.6 { "Pass" } else { "" }, snapshot.time(i));
                let hash = "PU3oq8V3/K8Xa5sIjtD7yFZ1Ln4=";
                rows.row(&[&snapshot.course.id, &l.id, &hash, &format!("{grade:?}"), &letter, &passed, &time, &time]);
            }
        },
    },
    Table {
        name: "grades_persistentsubsectiongrade",
        header: "course_id user_id usage_key earned_all possible_all earned_graded possible_graded first_attempted \
                 created modified",
        fill: |snapshot, rows| {
            for (i, (_, l)) in snapshot.enrolled().enumerate() {
                for sequential in snapshot.course.sequentials.iter().take(3) {
                    let (usage, time) = (&snapshot.course.blocks[*sequential].usage, snapshot.time(i));
                    rows.row(&[&snapshot.course.id, &l.id, usage, &"1.0", &"4.0", &"1.0", &"4.0", &NULL, &time, &time]);
                }
            }
        },
    },
    Table {
        name: "certificates_generatedcertificate",
        header: "id user_id download_url grade course_id key distinction status verify_uuid download_uuid name \
                 created_date modified_date error_reason mode",
        fill: |snapshot, rows| {
            for (i, (e, l)) in snapshot.enrolled().filter(|(_, l)| l.id % 2 == 1).enumerate() {
                let (grade, id) = (grade(l), snapshot.base() + i as u64);
                let status = if grade >= 0.6 { "downloadable" } else { "notpassing" };
                rows.row(&[
                    &id,
                    &l.id,
                    &"",
                    &format!("{grade:?}"),
                    &snapshot.course.id,
                    &"",
                    &0,
                    &status,
                    &l.hash_id,
                    &"",
                    &l.full_name,
                    &"2015-03-01 00:12:11",
                    &"2015-03-01 19:06:19",
                    &"",
                    &e.mode,
                ]);
            }
        },
    },
    Table {
        name: "wiki_article",
        header: "id current_revision_id created modified owner_id group_id group_read group_write other_read \
                 other_write",
        fill: |snapshot, rows| {
            let (own, time) = (snapshot.base(), snapshot.time(3));
            rows.row(&[&own, &(own + 1), &time, &time, &1002, &NULL, &1, &1, &1, &1]);
            // Of another organisation's course with the same number.
            rows.row(&[&(own + 900_000), &(own + 900_001), &time, &time, &555_001, &NULL, &1, &1, &1, &1]);
        },
    },
    Table {
        name: "wiki_articlerevision",
        header: "id revision_number user_message automatic_log ip_address user_id modified created \
                 previous_revision_id deleted locked article_id content title",
        fill: |snapshot, rows| {
            let (own, time, text) = (snapshot.base(), snapshot.time(3), "<h2>Hi</h2>\r\nsee C:\\new\\table");
            let title = &snapshot.course.number;
            rows.row(&[&own, &1, &"", &"", &"192.0.2.7", &1002, &time, &time, &NULL, &0, &0, &own, &"First", title]);
            rows.row(&[&(own + 1), &2, &"", &"", &"192.0.2.7", &NULL, &time, &time, &own, &0, &0, &own, &text, title]);
            let (id, foreign) = (own + 900_001, own + 900_000);
            let title = format!("OtherX.{title}");
            rows.row(&[&id, &1, &"", &"", &"192.0.2.8", &555_001, &time, &time, &NULL, &0, &0, &foreign, &"", &title]);
        },
    },
];

fn grade(learner: &Learner) -> f64 {
    (learner.id * 37 % 11) as f64 / 10.0
}

/// Chapters, videos and problems that each learner has met; a problem's state is JSON with its own escapes.
fn student_modules(snapshot: &Snapshot<'_>, rows: &mut Rows) {
    let course = snapshot.course;
    let enrolled: Vec<_> = snapshot.enrolled().collect();
    let mut id = snapshot.base();
    for (at, block) in course.blocks.iter().enumerate() {
        for (i, (_, learner)) in enrolled.iter().enumerate() {
            if (learner.id * 31 + at as u64) % 5 > 1 {
                continue;
            }
            id += 1;
            let time = snapshot.time(i + at);
            let (state, points) = match block.category {
                "problem" => (problem_state(&block.html_id, learner.id), Some(learner.id % 3)),
                "video" => (format!(r#"{{"saved_video_position": "00:0{}:07"}}"#, learner.id % 6), None),
                "course" | "chapter" | "sequential" => (r#"{"position": 2}"#.to_owned(), None),
                _ => continue,
            };
            let (grade, max) = match points {
                Some(points) => (points.to_string(), "2"),
                None => (NULL.to_owned(), NULL),
            };
            rows.row(&[
                &id,
                &block.category,
                &block.usage,
                &learner.id,
                &state,
                &grade,
                &time,
                &time,
                &max,
                &"na",
                &course.id,
            ]);
        }
    }
}

fn problem_state(input: &str, learner: u64) -> String {
    let answer = match learner % 4 {
        0 => r#"a \"b\"\nc \\ d"#,
        1 => "choice_2",
        2 => r"caf\u00e9",
        // A real tab and a real line end, as lenient JSON: the dialect's continued field and record.
        _ if learner.is_multiple_of(41) => "x\ty\nz",
        _ => "3.14",
    };
    format!(r#"{{"attempts": {}, "seed": 1, "student_answers": {{"{input}_2_1": "{answer}"}}}}"#, 1 + learner % 3)
}

/// The producer names the file of this one table otherwise, so for such ids it does not find it.
pub fn has_student_modules(course: &Course) -> bool {
    course.id.is_ascii() || matches!(course.spelling, Spelling::Ccx(_))
}
