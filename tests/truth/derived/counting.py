"""What the events of one course come to: everything that the tables from events are made of, in plain dictionaries."""

import math
import re
from collections import Counter, defaultdict
from urllib.parse import unquote

import names
from reading import (NUMBER, day_of, event_of, instant, nested, number_of, payload_of, string, user_of)

ANSWER = re.compile(r"_([0-9]+)_([0-9]+)\Z", re.ASCII)
NEW_ID = re.compile(r"course-v1:([^+/]+)\+([^+/]+)\+([^+/]+)\Z")
OLD_ID = re.compile(r"([^+/]+)/([^+/]+)/([^+/]+)\Z")


def spellings(course_id):
    """What may stand behind `/courses/` in a path of the course."""
    match = NEW_ID.match(course_id) or OLD_ID.match(course_id)
    if not match:
        return [course_id]
    return ["course-v1:" + "+".join(match.groups()), "/".join(match.groups())]


def video_of(payload):
    """The video that an event is about and None, or None and what `errors.txt` says."""
    if payload is None:
        return None, "payload does not parse"
    kind, text, *_ = payload.get("id", ("none", ""))
    if kind == "string":
        text = text.strip()
    elif kind != "atom" or not NUMBER.match(text):
        text = ""
    if not text:
        return None, "no video id"
    return (text, None) if len(text.encode()) <= 255 else (None, "video id too long")


def scalar(value):
    """As a text; None of null and of what is not there."""
    kind, text, source = value or ("none", None, None)
    if kind == "string":
        return text
    if kind == "atom":
        return {"true": "1", "false": "0", "null": None}.get(text, text)
    return source.decode("utf-8", "replace") if source else None


class Counts:
    """`compartment`: seconds; `pre`, `post`: patterns of survey names, None for the usual words."""

    def __init__(self, course_id, compartment=5, pre=None, post=None):
        self.addresses = ["/courses/" + spelling for spelling in spellings(course_id)]
        self.compartment, self.patterns = compartment, {"pre": pre, "post": post}
        self.events, self.order = 0, 0
        self.video, self.video_ng, self.steps = Counter(), Counter(), Counter()
        self.counts = {table: Counter() for table in ("pre_roll_video_activity", "problem_activity", "textbook_activity")}
        self.visits, self.event_counts = Counter(), Counter()
        self.checks, self.titles, self.errors = {}, {}, []
        self.survey_times = {"pre": {}, "post": {}}
        self.answers = {"pre": defaultdict(dict), "post": defaultdict(dict)}

    def add_day(self, date, lines):
        for number, line in enumerate(lines, 1):
            event = event_of(line)
            assert event is not None, (date, number)
            self.events += 1
            self.order += 1
            self.add(event, date, number)

    def add(self, event, date, number):
        kind, source = string(event, "event_type") or "", string(event, "event_source") or ""
        user, time = user_of(event), instant(string(event, "time"))
        if kind in names.VIDEO:
            self.add_video(event, kind, user, date, number)
        if kind in names.BUMPER:
            self.counts["pre_roll_video_activity"][user, kind] += 1
        if kind in names.PROBLEM:
            side = "_" + source if kind == "problem_check" and source in ("browser", "server") else ""
            self.counts["problem_activity"][user, kind + side] += 1
        if kind in names.TEXTBOOK or kind.startswith("textbook.pdf."):
            self.counts["textbook_activity"][user, kind if kind in names.TEXTBOOK else "other"] += 1
        path = self.path_below(kind) if kind.startswith("/") else None
        if path is not None and source == "server" and time is not None:
            for page, address in names.VISITED.items():
                if path == address or path.startswith(address + "/"):
                    self.visits[user, page, day_of(time)] += 1
        if time is not None:
            what = page_kind(path) if kind.startswith("/") else kind if kind in names.KNOWN else "other"
            self.event_counts[day_of(time), what, source if source in names.SOURCES else "other"] += 1
        if source == "server" and kind == "problem_check" and event.get("event", ("none",))[0] == "object":
            self.add_check(event, user, time)

    def path_below(self, path):
        """What stands behind `/courses/<id>`; None where that is not the course's own."""
        path = unquote(re.split("[?#]", path, maxsplit=1)[0], errors="replace")
        path = path[:-1] if path.endswith("/") else path
        for address in self.addresses:
            if path == address or path.startswith(address + "/"):
                return path[len(address):]
        return None

    def add_video(self, event, kind, user, date, number):
        name = string(event, "name") or kind
        name = name if name in names.VIDEO_NAMES else "other"
        self.video[user, name] += 1
        payload = payload_of(event)
        video, reason = video_of(payload)
        if reason:
            self.errors.append((date, number, reason))
            return
        self.video_ng[user, video, name] += 1
        at, old, new = (number_of(payload, key) for key in ("currentTime", "old_time", "new_time"))
        if at is not None:
            self.add_step(user, video, at, name)
        elif old is not None and new is not None:
            self.add_step(user, video, old, name + "_start")
            self.add_step(user, video, new, name + "_end")

    def add_step(self, user, video, seconds, name):
        place = math.floor(seconds / self.compartment)
        if -(2**63) <= place < 2**63:
            self.steps[user, video, place, name] += 1

    def add_check(self, event, user, time):
        payload = event["event"][1]
        problem = (string(payload, "problem_id") or "").strip()
        if not problem or len(problem.encode()) > 1024:
            return
        title = string(nested(nested(event, "context"), "module"), "display_name")
        # None sorts first; of one time the later line is the latest.
        when = (time is not None, time or 0, self.order)
        values = {key: scalar(payload.get(key)) for key in ("attempts", "grade", "max_grade", "success")}
        if (problem, user) not in self.checks or self.checks[problem, user][0] < when:
            self.checks[problem, user] = (when, time, values)
        if problem not in self.titles or self.titles[problem][0] < when:
            self.titles[problem] = (when, title)
        for survey in ("pre", "post"):
            if title is not None and self.is_survey(survey, title):
                self.add_survey(survey, payload, user, time, when)

    def is_survey(self, survey, title):
        if self.patterns[survey] is not None:
            return re.search(self.patterns[survey], title) is not None
        return survey in title.lower() and "survey" in title.lower()

    def add_survey(self, survey, payload, user, time, when):
        times = self.survey_times[survey]
        if user not in times or times[user][0] < when:
            times[user] = (when, time)
        given = {}
        for key, value in nested(payload, "answers").items():
            match = ANSWER.search(key)
            if value[0] == "array":
                inside = (scalar(element) for element in value[1] if element[0] in ("string", "atom"))
                text = ",".join(element for element in inside if element is not None)
            else:
                text = None if value[0] == "object" else scalar(value)
            if match and text is not None:
                given[f"problem_{match[1]}_{match[2]}"] = text
        answers = self.answers[survey][user]
        for column, text in given.items():
            if column not in answers or answers[column][0] < when:
                answers[column] = (when, text)


def page_kind(path):
    """The kind of page that `event_counts` says; `path` stands behind the course's address."""

    def is_below(address):
        return path == address or path.startswith(address + "/")

    if path is None:
        return "other"
    if any(is_below(address) for address in names.HANDLERS):
        return "handler"
    if is_below("/discussion") and path.rsplit("/", 1)[1] in ("create", "reply", "upvote"):
        return "handler"
    for kind, addresses in names.PAGES:
        if any(is_below(address) for address in addresses):
            return kind
    return "static_tab" if re.fullmatch("/[0-9a-f]{32}", path) else "other"
