//! The names of events that are known, and the tables that they count in.

use std::sync::LazyLock;

/// A known name, or a column that stands for several. Names are in the order of their texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(u8);

/// What a name is known for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// An `event_type` that makes a video event, and a column of it.
    VideoEvent,
    /// What newer players call such an event: a column only.
    VideoName,
    Bumper,
    Problem,
    Textbook,
    /// Known, and counted in no table of its own.
    Plain,
    /// No event is called so.
    Column,
}

/// In order of text. Sources: edX Research Guide, and the lists of the ChalmersX Analytic Toolkit, of which two names in
/// `textbook.pdf` do not exist.
const NAMES: &[(&str, Class)] = &[
    ("book", Class::Textbook),
    ("edx.certificate.created", Class::Plain),
    ("edx.certificate.evidence_visited", Class::Plain),
    ("edx.certificate.revoked", Class::Plain),
    ("edx.certificate.shared", Class::Plain),
    ("edx.course.enrollment.activated", Class::Plain),
    ("edx.course.enrollment.deactivated", Class::Plain),
    ("edx.course.enrollment.mode_changed", Class::Plain),
    ("edx.course.enrollment.upgrade.clicked", Class::Plain),
    ("edx.course.enrollment.upgrade.succeeded", Class::Plain),
    ("edx.forum.comment.created", Class::Plain),
    ("edx.forum.response.created", Class::Plain),
    ("edx.forum.response.voted", Class::Plain),
    ("edx.forum.searched", Class::Plain),
    ("edx.forum.thread.created", Class::Plain),
    ("edx.forum.thread.viewed", Class::Plain),
    ("edx.forum.thread.voted", Class::Plain),
    ("edx.problem.hint.demandhint_displayed", Class::Problem),
    ("edx.problem.hint.feedback_displayed", Class::Problem),
    ("edx.ui.lms.link_clicked", Class::Plain),
    ("edx.ui.lms.outline.selected", Class::Plain),
    ("edx.ui.lms.sequence.next_selected", Class::Plain),
    ("edx.ui.lms.sequence.previous_selected", Class::Plain),
    ("edx.ui.lms.sequence.tab_selected", Class::Plain),
    ("edx.video.bumper.dismissed", Class::Bumper),
    ("edx.video.bumper.loaded", Class::Bumper),
    ("edx.video.bumper.played", Class::Bumper),
    ("edx.video.bumper.skipped", Class::Bumper),
    ("edx.video.bumper.stopped", Class::Bumper),
    ("edx.video.bumper.transcript.hidden", Class::Bumper),
    ("edx.video.bumper.transcript.menu.hidden", Class::Bumper),
    ("edx.video.bumper.transcript.menu.shown", Class::Bumper),
    ("edx.video.bumper.transcript.shown", Class::Bumper),
    ("edx.video.closed_captions.hidden", Class::Plain),
    ("edx.video.closed_captions.shown", Class::Plain),
    ("edx.video.language_menu.hidden", Class::VideoName),
    ("edx.video.language_menu.shown", Class::VideoName),
    ("edx.video.loaded", Class::VideoName),
    ("edx.video.paused", Class::VideoName),
    ("edx.video.played", Class::VideoName),
    ("edx.video.position.changed", Class::VideoName),
    ("edx.video.stopped", Class::VideoName),
    ("edx.video.transcript.hidden", Class::VideoName),
    ("edx.video.transcript.shown", Class::VideoName),
    ("hide_transcript", Class::VideoEvent),
    ("load_video", Class::VideoEvent),
    ("openassessment.student_training_assess_example", Class::Plain),
    ("openassessment.upload_file", Class::Plain),
    ("openassessmentblock.create_submission", Class::Plain),
    ("openassessmentblock.get_peer_submission", Class::Plain),
    ("openassessmentblock.get_submission_for_staff_grading", Class::Plain),
    ("openassessmentblock.peer_assess", Class::Plain),
    ("openassessmentblock.save_submission", Class::Plain),
    ("openassessmentblock.self_assess", Class::Plain),
    ("openassessmentblock.staff_assess", Class::Plain),
    ("openassessmentblock.submit_feedback_on_assessments", Class::Plain),
    ("other", Class::Column),
    ("page_close", Class::Plain),
    ("pause_video", Class::VideoEvent),
    ("play_video", Class::VideoEvent),
    ("problem_check", Class::Problem),
    ("problem_check_browser", Class::Column),
    ("problem_check_fail", Class::Problem),
    ("problem_check_server", Class::Column),
    ("problem_graded", Class::Problem),
    ("problem_rescore", Class::Problem),
    ("problem_rescore_fail", Class::Problem),
    ("problem_reset", Class::Problem),
    ("problem_save", Class::Problem),
    ("problem_show", Class::Problem),
    ("reset_problem", Class::Problem),
    ("reset_problem_fail", Class::Problem),
    ("save_problem_check", Class::Plain),
    ("save_problem_check_fail", Class::Plain),
    ("save_problem_fail", Class::Problem),
    ("save_problem_success", Class::Problem),
    ("seek_video", Class::VideoEvent),
    ("seq_goto", Class::Plain),
    ("seq_next", Class::Plain),
    ("seq_prev", Class::Plain),
    ("show_answer", Class::Problem),
    ("show_transcript", Class::VideoEvent),
    ("showanswer", Class::Problem),
    ("speed_change_video", Class::VideoEvent),
    ("stop_video", Class::VideoEvent),
    ("textbook.pdf.chapter.navigated", Class::Textbook),
    ("textbook.pdf.display.scaled", Class::Textbook),
    ("textbook.pdf.display.scrolled", Class::Textbook),
    ("textbook.pdf.outline.toggled", Class::Textbook),
    ("textbook.pdf.page.navigated", Class::Textbook),
    ("textbook.pdf.page.scrolled", Class::Textbook),
    ("textbook.pdf.search.casesensitivity.toggled", Class::Textbook),
    ("textbook.pdf.search.executed", Class::Textbook),
    ("textbook.pdf.search.highlight.toggled", Class::Textbook),
    ("textbook.pdf.search.navigatednext", Class::Textbook),
    ("textbook.pdf.searchcasesensitivity.toggled", Class::Textbook),
    ("textbook.pdf.thumbnail.navigated", Class::Textbook),
    ("textbook.pdf.thumbnails.toggled", Class::Textbook),
    ("textbook.pdf.zoom.buttons.changed", Class::Textbook),
    ("textbook.pdf.zoom.menu.changed", Class::Textbook),
    ("video_hide_cc_menu", Class::VideoEvent),
    ("video_show_cc_menu", Class::VideoEvent),
];

impl Name {
    /// The column of names that nobody knows.
    pub const OTHER: Name = Name::called("other");
    pub const PROBLEM_CHECK: Name = Name::called("problem_check");
    pub const PROBLEM_CHECK_BROWSER: Name = Name::called("problem_check_browser");
    pub const PROBLEM_CHECK_SERVER: Name = Name::called("problem_check_server");

    /// How many there are.
    pub const COUNT: usize = NAMES.len();

    const fn called(text: &str) -> Name {
        let mut at = 0;
        while !equal(NAMES[at].0.as_bytes(), text.as_bytes()) {
            at += 1;
        }
        Name(at as u8)
    }

    /// The name that is written so; None where it is not known.
    #[inline]
    pub fn find(text: &[u8]) -> Option<Name> {
        static TABLE: LazyLock<Table> = LazyLock::new(Table::new);
        TABLE.find(text)
    }

    /// The name of this number, below `COUNT`.
    pub fn from_number(number: u8) -> Option<Name> {
        (usize::from(number) < Name::COUNT).then_some(Name(number))
    }

    /// Numbers are in the order of names.
    pub const fn number(self) -> u8 {
        self.0
    }

    pub fn as_str(self) -> &'static str {
        NAMES[usize::from(self.0)].0
    }

    pub fn is_video_event(self) -> bool {
        self.class() == Class::VideoEvent
    }

    pub fn is_video_column(self) -> bool {
        matches!(self.class(), Class::VideoEvent | Class::VideoName)
    }

    pub fn is_bumper(self) -> bool {
        self.class() == Class::Bumper
    }

    pub fn is_problem(self) -> bool {
        self.class() == Class::Problem
    }

    pub fn is_textbook(self) -> bool {
        self.class() == Class::Textbook
    }

    fn class(self) -> Class {
        NAMES[usize::from(self.0)].1
    }
}

const fn equal(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let mut at = 0;
    while at < one.len() {
        if one[at] != other[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// Where names are found by a cheap number made of them: this is asked for every event.
struct Table {
    /// Each a name's number + 1, or 0; a name stands behind others of its place.
    slots: [u8; Table::SLOTS],
}

impl Table {
    const SLOTS: usize = 1 << 10;

    fn new() -> Self {
        let mut slots = [0; Table::SLOTS];
        for (number, (text, class)) in NAMES.iter().enumerate() {
            if *class != Class::Column {
                let mut at = Table::place(text.as_bytes());
                while slots[at] != 0 {
                    at = (at + 1) % Table::SLOTS;
                }
                slots[at] = number as u8 + 1;
            }
        }
        Table { slots }
    }

    fn find(&self, text: &[u8]) -> Option<Name> {
        let mut at = Table::place(text);
        loop {
            let number = self.slots[at].checked_sub(1)?;
            if NAMES[usize::from(number)].0.as_bytes() == text {
                return Some(Name(number));
            }
            at = (at + 1) % Table::SLOTS;
        }
    }

    #[inline]
    fn place(text: &[u8]) -> usize {
        let word = |bytes: &[u8; 8]| u64::from_le_bytes(*bytes);
        let (head, tail) = match (text.first_chunk(), text.last_chunk()) {
            (Some(head), Some(tail)) => (word(head), word(tail)),
            _ => (text.iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte)), 0),
        };
        let mixed = (head ^ tail.rotate_left(23) ^ text.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 54) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_the_order_of_their_texts_and_found_by_them() {
        assert!(NAMES.is_sorted_by(|one, other| one.0 < other.0));
        assert!(Name::COUNT < usize::from(u8::MAX));
        for (number, (text, class)) in NAMES.iter().enumerate() {
            let found = Name::find(text.as_bytes());
            assert_eq!(found, (*class != Class::Column).then_some(Name(number as u8)), "{text}");
            assert_eq!(Name::from_number(number as u8).map(Name::as_str), Some(*text));
        }
        for unknown in ["", "x", "play_vide", "play_videos", "other", "problem_check_server", "textbook.pdf.x"] {
            assert_eq!(Name::find(unknown.as_bytes()), None, "{unknown}");
        }
    }

    #[test]
    fn the_lists_are_as_long_as_their_sources() {
        let count = |class| NAMES.iter().filter(|(_, of)| *of == class).count();
        let of = [Class::VideoEvent, Class::VideoName, Class::Bumper, Class::Problem, Class::Textbook].map(count);
        assert_eq!(of, [10, 9, 9, 16, 16]);
    }
}
