"""The names that become columns or values: data-package.md 14 and 15, derived-data.md."""

VIDEO = set(
    "load_video play_video pause_video stop_video seek_video speed_change_video show_transcript hide_transcript "
    "video_show_cc_menu video_hide_cc_menu".split()
)
VIDEO_NAMES = VIDEO | {
    "edx.video." + tail
    for tail in (
        "loaded played paused stopped position.changed transcript.hidden transcript.shown language_menu.hidden "
        "language_menu.shown"
    ).split()
}
BUMPER = {
    "edx.video.bumper." + tail
    for tail in (
        "loaded played stopped skipped dismissed transcript.shown transcript.hidden transcript.menu.shown "
        "transcript.menu.hidden"
    ).split()
}
PROBLEM = set(
    "problem_check problem_check_fail problem_graded problem_rescore problem_rescore_fail problem_reset problem_save "
    "problem_show reset_problem reset_problem_fail save_problem_fail save_problem_success show_answer showanswer "
    "edx.problem.hint.demandhint_displayed edx.problem.hint.feedback_displayed".split()
)
TEXTBOOK = {"book"} | {
    "textbook.pdf." + tail
    for tail in (
        "thumbnails.toggled thumbnail.navigated outline.toggled chapter.navigated page.navigated zoom.buttons.changed "
        "zoom.menu.changed display.scaled display.scrolled search.executed search.navigatednext "
        "search.highlight.toggled search.casesensitivity.toggled page.scrolled searchcasesensitivity.toggled"
    ).split()
}
OTHERS = set(
    "edx.video.closed_captions.hidden edx.video.closed_captions.shown save_problem_check save_problem_check_fail "
    "edx.forum.thread.created edx.forum.response.created edx.forum.comment.created edx.forum.thread.voted "
    "edx.forum.response.voted edx.forum.thread.viewed edx.forum.searched "
    "edx.course.enrollment.activated edx.course.enrollment.deactivated edx.course.enrollment.mode_changed "
    "edx.course.enrollment.upgrade.clicked edx.course.enrollment.upgrade.succeeded "
    "openassessmentblock.create_submission openassessmentblock.save_submission openassessmentblock.peer_assess "
    "openassessmentblock.self_assess openassessmentblock.staff_assess openassessmentblock.get_peer_submission "
    "openassessmentblock.get_submission_for_staff_grading openassessmentblock.submit_feedback_on_assessments "
    "openassessment.student_training_assess_example openassessment.upload_file "
    "edx.certificate.created edx.certificate.revoked edx.certificate.shared edx.certificate.evidence_visited "
    "seq_goto seq_next seq_prev edx.ui.lms.sequence.tab_selected edx.ui.lms.sequence.next_selected "
    "edx.ui.lms.sequence.previous_selected edx.ui.lms.link_clicked edx.ui.lms.outline.selected page_close".split()
)
KNOWN = VIDEO_NAMES | BUMPER | PROBLEM | TEXTBOOK | OTHERS
SOURCES = {"browser", "server", "mobile", "task"}

# In the order of the tables; each kind of page and what its paths begin with.
VISITED = {
    "progress": "/progress",
    "info": "/info",
    "courseware": "/courseware",
    "discussion": "/discussion/forum",
}
PAGES = [
    ("courseware", ["/courseware", "/jump_to_id"]),
    ("info", ["/info"]),
    ("progress", ["/progress"]),
    ("about", ["/about"]),
    ("wiki", ["/course_wiki", "/wiki"]),
    ("discussion", ["/discussion/forum", "/discussion/threads", "/discussion/comments"]),
    ("textbook", ["/pdfbook", "/book"]),
    ("teams", ["/teams"]),
]
HANDLERS = ["/xblock", "/modx", "/xqueue"]
