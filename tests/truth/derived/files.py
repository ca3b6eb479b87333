"""The files beside the database: the toolkit's folder, learners' lines, the opt-in list."""

import csv
import io
import re

import names
from affinity import csv_text
from reading import event_of, string, user_of
from tables import STANDARD, cells, records

# What the toolkit copies as it is, by kind.
COPIED = ["course_structure", "course", "forum", *STANDARD[2:]]
LEARNER = re.compile(r"([1-9][0-9]{0,19}|undefined)\Z", re.ASCII)
DEIDENTIFIED = STANDARD[:2]


def errors_text(counts):
    return "".join(f"{date}\t{line}\t{reason}\n" for date, line, reason in counts.errors).encode()


def course_run_data(tables, snapshot_files, days, errors):
    """{path: content} of course-run-data but its info.txt; event files as they are before gzip."""
    sheets = {table["name"]: csv_text(table) for table in tables}
    found = {path.name: path.read_bytes() for kind, path in snapshot_files.items() if kind in COPIED}
    found.update({f"{name}.csv": sheets[name] for name in DEIDENTIFIED if name in sheets})
    found.update({f"events/{date}.log": b"".join(lines) for date, lines in days})
    for folder, wanted in [
        ("survey-data", ["pre_survey_answers", "post_survey_answers"]),
        ("improved-video-data", ["video_activity", "video_activity_ng", "video_activity_ng2"]),
        ("improved-forum-data", ["discussion_forum_activity", "discussion_forum_activity_ng"]),
    ]:
        found.update({f"{folder}/{name}.csv": sheets[name] for name in wanted if name in sheets})
    found["improved-video-data/errors.txt"] = errors
    return found


def table_rows(path):
    """A table's rows by column, escapes taken off, None for NULL."""
    rows = records("", path.read_bytes())
    header = [cell.decode() for cell in cells("", next(rows))]
    for record in rows:
        yield dict(zip(header, map(decoded, cells("", record))))


def decoded(cell):
    letters = {"\\": "\\", "n": "\n", "r": "\r", "t": "\t"}
    text = cell.decode("utf-8", "replace")
    return None if cell == b"NULL" else re.sub(r"\\([\\nrt])", lambda match: letters[match[1]], text)


def learners(days, auth_user):
    """{user: {file: lines}}; an event without a user counts for the one whose name it has."""
    ids = {row["username"]: row["id"] for row in table_rows(auth_user)} if auth_user else {}
    found = {}
    for _, lines in days:
        for line in lines:
            event = event_of(line)
            user = user_of(event)
            if user == "undefined":
                user = ids.get(string(event, "username"), user)
            if not LEARNER.match(user):
                continue
            files = found.setdefault(user, {"events.log": b"", "video_events.log": b""})
            files["events.log"] += line
            if string(event, "event_type") in names.VIDEO:
                files["video_events.log"] += line
    return found


def email_opt_in(path, users, profiles):
    """`users` and `profiles`: paths of each course's table, in order of folder."""
    mails, willing = {}, set()
    for row in csv.DictReader(io.StringIO(path.read_bytes().decode(), newline="")):
        mails.setdefault(row["email"].lower(), row["email"])
        if row["is_opted_in_for_email"].lower() == "true":
            willing.add(row["email"].lower())
    ids, people = {}, {}
    for user in (row for table in users for row in table_rows(table)):
        if user["email"]:
            mail = user["email"].lower()
            ids[mail] = min(int(user["id"]), ids.get(mail, int(user["id"])))
    for profile in (row for table in profiles for row in table_rows(table)):
        people.setdefault(profile["user_id"], profile)
    columns = ["name", "gender", "year_of_birth", "country"]
    rows = []
    for mail in sorted(willing, key=str.encode):
        person = people.get(str(ids.get(mail)), {})
        rows.append([mails[mail], *[person.get(column) for column in columns]])
    return csv_text({"columns": [[name, "TEXT"] for name in ["mail", *columns]], "rows": rows})
