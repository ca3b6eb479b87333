"""samced.db as a list of tables in their order, for a course or the organisation.

A table is {"name", "columns": [[name, type]], "rows": [[value]]}, values as they are bound: affinity comes later.
"""

import re
from collections import Counter, defaultdict

import names
from reading import day_of, shown
from tables import STANDARD, counted, course_axis, forum, key_order, problem_titles, standard

MOST_DATES = 1900
VALUES = [["attempts", "INTEGER"], ["grade", "INTEGER"], ["max_grade", "INTEGER"], ["success", "TEXT"], ["time", "TEXT"]]
FORUM = ["discussion_forum_activity", "discussion_forum_activity_ng"]
LEFT_OUT = ["courseware_studentmodule", "video_activity_ng2", "problem_<id>"]
MENDED = ["short_rows", "long_rows", "invalid_utf8_cells", "bad_forum_lines"]


def text_columns(*columns):
    return [[column, "TEXT"] for column in columns]


def activity(counts):
    """The tables of counts, in their order."""
    found = {
        "video_activity": counted(["user_id"], {((u,), n): c for (u, n), c in counts.video.items()}),
        "video_activity_ng": counted(
            ["user_id", "video_event_id"], {((u, v), n): c for (u, v, n), c in counts.video_ng.items()}
        ),
        "video_activity_ng2": counted(
            ["user_id", "video_event_id", "time_compartment"],
            {((u, v, t), n): c for (u, v, t, n), c in counts.steps.items()},
        ),
    }
    for table, tallies in counts.counts.items():
        found[table] = counted(["user_id"], {((u,), n): c for (u, n), c in tallies.items()})
    for survey in ("pre", "post"):
        found[survey + "_survey_answers"] = survey_answers(counts, survey)
    for page in names.VISITED:
        found["page_activity_" + page] = page_dates(counts.visits, page)
    rows = [[*key, visits] for key, visits in counts.visits.items()]
    columns = text_columns("user_id", "page", "date") + [["visits", "INTEGER"]]
    found["page_activity"] = {"columns": columns, "rows": sorted(rows, key=key_order)}
    return found


def survey_answers(counts, survey):
    answers = counts.answers[survey]
    found = sorted({column for given in answers.values() for column in given})
    rows = [
        [user, shown(time), *[answers[user].get(column, (None, None))[1] for column in found]]
        for user, (_, time) in counts.survey_times[survey].items()
    ]
    return {"columns": text_columns("user_id", "time", *found), "rows": sorted(rows, key=lambda row: key_order(row[:1]))}


def page_dates(visits, page):
    found = {((user,), "date_" + date.replace("-", "")): n for (user, kind, date), n in visits.items() if kind == page}
    return latest_dates(counted(["user_id"], found), 1)


def latest_dates(table, keys):
    """At most so many dates; everybody with a visit keeps a row."""
    cut = max(0, len(table["columns"]) - keys - MOST_DATES)
    kept = table["columns"][:keys] + table["columns"][keys + cut:]
    return {"columns": kept, "rows": [row[:keys] + row[keys + cut:] for row in table["rows"]]}


def table_names(problems, taken):
    """A name for each problem's table, in order of the full ids; SQLite keeps tables and indexes in one list."""
    taken, found = {lower + tail for lower in map(str.lower, taken) for tail in ("", "_user_id")}, {}
    for problem in sorted(problems, key=str.encode):
        block = re.search(r"/problem/(.*)|\+block@(.*)", problem, re.S)
        block = problem if block is None else block[1] or block[2] or ""
        plain = "problem_" + re.sub("[^A-Za-z0-9_]", "", block)
        name, turn = plain, 1
        while taken & {name.lower(), name.lower() + "_user_id"}:
            turn += 1
            name = f"{plain}_{turn}"
        taken |= {name.lower(), name.lower() + "_user_id"}
        found[problem] = name
    return found


def problem_tables(course, counts, titles, taken):
    """One table per problem, then `problem` and `problem_index`, with the structure's display name, else the events'."""
    rows = defaultdict(list)
    for (problem, user), (_, time, values) in counts.checks.items():
        rows[problem].append([user, *[values[k] for k in ("attempts", "grade", "max_grade", "success")], shown(time)])
    named = table_names(rows, taken)
    found, long_rows, index = {}, [], []
    for problem, name in named.items():
        own = sorted(rows[problem], key=lambda row: key_order(row[:1]))
        found[name] = {"columns": [["user_id", "TEXT"], *VALUES], "rows": own}
        long_rows += [[course, problem, r[0], r[1], r[4], r[2], r[3], r[5]] for r in own]
        index.append([name, problem, titles.get(problem, counts.titles[problem][1])])
    columns = text_columns("course", "problem_id", "user_id") + [VALUES[0], VALUES[3], *VALUES[1:3], VALUES[4]]
    found["problem"] = {"columns": columns, "rows": long_rows}
    found["problem_index"] = {"columns": text_columns("table_name", "problem_id", "display_name"), "rows": index}
    return found


def event_counts(counts):
    columns = text_columns("date", "event_type", "event_source") + [["events", "INTEGER"]]
    return {"columns": columns, "rows": sorted([*key, events] for key, events in counts.event_counts.items())}


FIXED = [
    *STANDARD, *FORUM, "video_activity", "video_activity_ng", "video_activity_ng2", "pre_roll_video_activity",
    "problem_activity", "textbook_activity", "pre_survey_answers", "post_survey_answers",
    *["page_activity_" + page for page in names.VISITED], "page_activity", "problem", "problem_index", "event_counts",
    "course_axis", "about",
]


class Course:
    """One course's inputs: `files` of its snapshot by kind, None where there is none."""

    def __init__(self, folder, course_id, counts, snapshot, files, unreadable, days):
        self.folder, self.course_id, self.counts = folder, course_id, counts
        self.snapshot, self.unreadable, self.days = snapshot, unreadable, days
        self.mended = Counter()
        self.tables = {}
        for table in STANDARD:
            made = standard(table, files[table], self.mended) if table in files else None
            if made:
                self.tables[table] = made
        if "forum" in files:
            self.tables.update(forum(files["forum"]))
        self.tables.update(activity(counts))
        titles = problem_titles(files["structure"]) if "structure" in files else {}
        self.tables.update(problem_tables(folder, counts, titles, FIXED))
        self.tables["event_counts"] = event_counts(counts)
        if "structure" in files:
            self.tables["course_axis"] = course_axis(files["structure"])
        self.missing = [table for table in [*STANDARD, *FORUM, "course_axis"] if table not in self.tables]

    def about(self, scope, window, left_out=()):
        return {
            "schema_version": "1", "scope": scope, "course": self.folder, "course_id": self.course_id or "",
            "window": window, "snapshot": self.snapshot or "", "days": str(len(self.days)),
            "events": str(self.counts.events), "missing_tables": ",".join(self.missing),
            **{name: str(self.mended[name]) for name in MENDED},
            "unreadable_days": ",".join(self.unreadable), "cut_columns": "0", "left_out": ",".join(left_out),
        }


def about_table(values):
    return {"columns": text_columns("key", "value"), "rows": [[key, value] for key, value in values.items()]}


def in_order(tables):
    """Fixed tables in their order, the problems' before `problem`."""
    first, last = FIXED[: FIXED.index("problem")], FIXED[FIXED.index("problem"):]
    middle = [name for name in tables if name not in FIXED]
    return [{"name": name, **tables[name]} for name in [*first, *middle, *last] if name in tables]


def of_course(course, window):
    return in_order({**course.tables, "about": about_table(course.about("course", window))})


def of_organisation(courses, window):
    """Rows course by course; of a table the columns of all courses."""
    tables = {}
    for name in FIXED:
        parts = [(course.folder, course.tables[name]) for course in courses if name in course.tables]
        if parts and name not in LEFT_OUT:
            tables[name] = joined(name, parts)
    tables["about"] = about_table(organisation_about(courses, window))
    return in_order(tables)


def joined(name, parts):
    union = list(dict.fromkeys(tuple(column) for _, table in parts for column in table["columns"]))
    if name not in [*STANDARD, "problem"]:
        # Keys come first and are the same everywhere; what was counted is sorted.
        keys = {"pre_survey_answers": 2, "post_survey_answers": 2, "video_activity_ng": 2}.get(name, 1)
        if has_counted_columns(name):
            union = union[:keys] + sorted(union[keys:], key=lambda column: column[0].encode())
    rows = []
    for folder, table in parts:
        place = {tuple(column): at for at, column in enumerate(table["columns"])}
        for row in table["rows"]:
            own = [row[place[column]] if column in place else None for column in union]
            rows.append(own if name == "problem" else [folder, *own])
    columns = [list(column) for column in union]
    table = {"columns": columns if name == "problem" else [["course", "TEXT"], *columns], "rows": rows}
    return latest_dates(table, 2) if name.startswith("page_activity_") else table


def has_counted_columns(name):
    plain = [*STANDARD, "discussion_forum_activity_ng", "page_activity", "problem_index", "event_counts", "course_axis"]
    return name not in plain


def organisation_about(courses, window):
    first = courses[0].about("organisation", window, LEFT_OUT)
    values = {}
    for key in first:
        if key == "course":
            values["courses"] = str(len(courses))
        elif key in MENDED:
            values[key] = str(sum(course.mended[key] for course in courses))
        elif key != "course_id":
            values[key] = first[key]
    values["events"] = str(sum(course.counts.events for course in courses))
    values["days"] = str(len({day for course in courses for day in course.days}))
    values["snapshot"] = ",".join(sorted({course.snapshot for course in courses if course.snapshot}))
    values["unreadable_days"] = ",".join(sorted({day for course in courses for day in course.unreadable}))
    # Whether single courses' shares are named is not laid down.
    return {**values, "missing_tables": "*"}
