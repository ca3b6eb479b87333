//! The tables of open response assessments, folder `ora/`: `data-package.md` 8.3. A flat list.
//!
//! Every fifth learner of a course has one submission to its one assessment, assessed by the next learner and by
//! themselves. Row `i` of each table belongs to submission `i`, so keys are a base plus a row number.

use crate::demo::event::uuid;
use crate::demo::tables::{Snapshot, Table};
use crate::demo::text::NULL;

/// One learner's submission.
struct Submission {
    id: u64,
    uuid: String,
    student: String,
    /// The anonymous id of who assesses it.
    peer: String,
    time: String,
}

fn submissions(snapshot: &Snapshot<'_>) -> Vec<Submission> {
    let students: Vec<&str> = snapshot.enrolled().step_by(5).map(|(e, _)| e.anonymous_id.as_str()).collect();
    let submission = |(i, student): (usize, &&str)| Submission {
        id: snapshot.base() + i as u64,
        uuid: uuid(student),
        student: (*student).to_owned(),
        peer: students[(i + 1) % students.len()].to_owned(),
        time: format!("{}.123456", snapshot.time(i)),
    };
    students.iter().enumerate().map(submission).collect()
}

fn item<'a>(snapshot: &'a Snapshot<'_>) -> &'a str {
    &snapshot.course.blocks[snapshot.course.assessment].usage
}

/// Of an assessment by oneself: behind those by peers.
const SELF: u64 = 100_000;

pub const TABLES: &[Table] = &[
    Table {
        name: "submissions_studentitem",
        header: "id student_id course_id item_id item_type",
        fill: |snapshot, rows| {
            for s in submissions(snapshot) {
                rows.row(&[&s.id, &s.student, &snapshot.course.id, &item(snapshot), &"openassessment"]);
            }
        },
    },
    Table {
        name: "submissions_submission",
        header: "id uuid student_item_id attempt_number submitted_at created_at raw_answer status",
        fill: |snapshot, rows| {
            for s in submissions(snapshot) {
                let answer = r#"{"parts": [{"text": "My \"essay\"\nsecond line"}]}"#;
                rows.row(&[&s.id, &s.uuid.replace('-', ""), &s.id, &1, &s.time, &s.time, &answer, &"A"]);
            }
        },
    },
    Table {
        name: "submissions_score",
        header: "id student_item_id submission_id points_earned points_possible created_at reset",
        fill: |snapshot, rows| {
            for s in submissions(snapshot) {
                rows.row(&[&s.id, &s.id, &s.id, &(s.id % 6), &5, &s.time, &0]);
            }
        },
    },
    Table {
        name: "submissions_scoresummary",
        header: "id student_item_id highest_id latest_id",
        fill: |snapshot, rows| {
            for s in submissions(snapshot) {
                rows.row(&[&s.id, &s.id, &s.id, &s.id]);
            }
        },
    },
    Table {
        name: "assessment_assessment",
        header: "id submission_uuid rubric_id scored_at scorer_id score_type feedback",
        fill: |snapshot, rows| {
            for s in submissions(snapshot) {
                let rubric = snapshot.base();
                rows.row(&[&s.id, &s.uuid, &rubric, &s.time, &s.peer, &"PE", &"Good,\r\nbut\t\"why\"?"]);
                rows.row(&[&(s.id + SELF), &s.uuid, &rubric, &s.time, &s.student, &"SE", &""]);
            }
        },
    },
    Table {
        name: "assessment_assessmentpart",
        header: "id assessment_id option_id criterion_id feedback",
        fill: |snapshot, rows| {
            for s in submissions(snapshot) {
                let (option, criterion) = (snapshot.base() + s.id % 3, snapshot.base());
                rows.row(&[&s.id, &s.id, &option, &criterion, &""]);
                rows.row(&[&(s.id + SELF), &(s.id + SELF), &NULL, &criterion, &"only words"]);
            }
        },
    },
    Table {
        name: "assessment_assessmentfeedback",
        header: "id submission_uuid feedback_text",
        fill: |snapshot, rows| {
            for s in submissions(snapshot).iter().step_by(3) {
                rows.row(&[&s.id, &s.uuid, &"Thanks"]);
            }
        },
    },
    Table {
        name: "assessment_assessmentfeedback_assessments",
        header: "id assessmentfeedback_id assessment_id",
        fill: |snapshot, rows| {
            for s in submissions(snapshot).iter().step_by(3) {
                rows.row(&[&s.id, &s.id, &s.id]);
            }
        },
    },
    Table {
        name: "assessment_assessmentfeedback_options",
        header: "id assessmentfeedback_id assessmentfeedbackoption_id",
        fill: |snapshot, rows| {
            for s in submissions(snapshot).iter().step_by(3) {
                rows.row(&[&s.id, &s.id, &1]);
            }
        },
    },
    Table {
        name: "assessment_assessmentfeedbackoption",
        header: "id text",
        fill: |_, rows| rows.row(&[&1, &"These assessments were useful."]),
    },
    Table {
        name: "assessment_rubric",
        header: "id content_hash structure_hash",
        fill: |snapshot, rows| {
            let hash = "e1c01bbc4b5e6aa9b75e6f3b6a7c8d9e0f102132";
            rows.row(&[&snapshot.base(), &hash, &hash]);
        },
    },
    Table {
        name: "assessment_criterion",
        header: "id rubric_id name label order_num prompt",
        fill: |snapshot, rows| {
            rows.row(&[&snapshot.base(), &snapshot.base(), &"Ideas", &"Ideas", &0, &"How good\r\nare the ideas?"]);
        },
    },
    Table {
        name: "assessment_criterionoption",
        header: "id criterion_id order_num points name label explanation",
        fill: |snapshot, rows| {
            for (number, name) in ["Poor", "Fair", "Good"].iter().enumerate() {
                let id = snapshot.base() + number as u64;
                rows.row(&[&id, &snapshot.base(), &number, &(number * 2), name, name, &""]);
            }
        },
    },
    Table {
        name: "assessment_peerworkflow",
        header: "id student_id item_id course_id submission_uuid created_at completed_at grading_completed_at \
                 cancelled_at",
        fill: |snapshot, rows| {
            for s in submissions(snapshot) {
                let (item, course) = (item(snapshot), &snapshot.course.id);
                rows.row(&[&s.id, &s.student, &item, course, &s.uuid, &s.time, &s.time, &NULL, &NULL]);
            }
        },
    },
    Table {
        name: "assessment_peerworkflowitem",
        header: "id scorer_id author_id submission_uuid started_at assessment_id scored",
        fill: |snapshot, rows| {
            // Filtered by the wrong key, so a row of another course is among them.
            rows.row(&[&77, &900_001, &900_002, &uuid(&"ab".repeat(16)), &snapshot.time(1), &snapshot.base(), &1]);
            for s in submissions(snapshot).iter().skip(1) {
                rows.row(&[&s.id, &(s.id - 1), &s.id, &s.uuid, &s.time, &s.id, &1]);
            }
        },
    },
    Table {
        name: "assessment_studenttrainingworkflow",
        header: "id submission_uuid student_id item_id course_id",
        fill: |snapshot, rows| {
            for s in submissions(snapshot) {
                rows.row(&[&s.id, &s.uuid, &s.student, &item(snapshot), &snapshot.course.id]);
            }
        },
    },
    Table {
        name: "assessment_studenttrainingworkflowitem",
        header: "id workflow_id order_num started_at completed_at training_example_id",
        fill: |snapshot, rows| {
            for s in submissions(snapshot) {
                rows.row(&[&s.id, &s.id, &0, &s.time, &NULL, &snapshot.base()]);
            }
        },
    },
    Table {
        name: "assessment_trainingexample",
        header: "id raw_answer rubric_id content_hash",
        fill: |snapshot, rows| {
            let answer = r#"{"answer": "An \"example\""}"#;
            rows.row(&[&snapshot.base(), &answer, &snapshot.base(), &"0a1b2c3d4e5f60718293a4b5c6d7e8f901020304"]);
        },
    },
    Table {
        name: "assessment_trainingexample_options_selected",
        header: "id trainingexample_id criterionoption_id",
        fill: |snapshot, rows| rows.row(&[&snapshot.base(), &snapshot.base(), &(snapshot.base() + 1)]),
    },
    Table {
        name: "workflow_assessmentworkflow",
        header: "id created modified status status_changed submission_uuid uuid course_id item_id",
        fill: |snapshot, rows| {
            for s in submissions(snapshot) {
                let (item, course) = (item(snapshot), &snapshot.course.id);
                rows.row(&[&s.id, &s.time, &s.time, &"done", &s.time, &s.uuid, &s.uuid, course, &item]);
            }
        },
    },
    Table {
        name: "workflow_assessmentworkflowstep",
        header: "id workflow_id name submitter_completed_at assessment_completed_at order_num",
        fill: |snapshot, rows| {
            for s in submissions(snapshot) {
                rows.row(&[&(s.id * 2), &s.id, &"peer", &s.time, &s.time, &0]);
                rows.row(&[&(s.id * 2 + 1), &s.id, &"self", &s.time, &NULL, &1]);
            }
        },
    },
];
