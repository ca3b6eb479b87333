"""The files of a snapshot as tables: TSV, forum, structure. A table is {"columns": [[name, type]], "rows": [[value]]}."""

import json
import re
from collections import Counter
from datetime import datetime, timedelta, timezone

from reading import EPOCH, plain, user_order

STANDARD = (
    "auth_userprofile certificates_generatedcertificate courseware_studentmodule student_courseenrollment "
    "student_languageproficiency user_api_usercoursetag wiki_article wiki_articlerevision"
).split()
PROFILE = set(
    "id user_id language location gender year_of_birth level_of_education allow_certificate country city".split()
)


def records(table, content):
    """Of dialect S, a record goes on behind an LF that an odd number of backslashes stands before."""
    pending = b""
    for line in re.findall(rb"[^\n]*\n|[^\n]+\Z", content):
        pending += line
        record = pending[:-1] if pending.endswith(b"\n") else pending
        if table == "courseware_studentmodule" and pending.endswith(b"\n") and len(re.search(rb"\\*\Z", record)[0]) % 2:
            continue
        yield record
        pending = b""
    if pending:
        yield pending


def cells(table, record):
    if table == "courseware_studentmodule":
        return split_escaped(record)
    return record.split(b"\t")


def split_escaped(record):
    """Splits at each HT before which stands an even number of backslashes."""
    found, cell, escaped = [], bytearray(), False
    for byte in record:
        if byte == 9 and not escaped:
            found.append(bytes(cell))
            cell = bytearray()
            continue
        cell.append(byte)
        escaped = byte == 92 and not escaped
    return found + [bytes(cell)]


def is_kept(table, column):
    if table == "auth_userprofile":
        return column in PROFILE
    return table != "certificates_generatedcertificate" or column != "name"


def standard(table, content, mended):
    """The table, every column TEXT; None of a file without even a header. `mended` counts what had to be mended."""
    rows = records(table, content)
    header = next(rows, None)
    if not header:
        return None
    header = [plain(cell) for cell in cells(table, header)]
    kept = [place for place, column in enumerate(header) if is_kept(table, column)]
    table_rows = []
    for record in rows:
        if not record and len(header) > 1:
            continue
        row = cells(table, record)
        mended["short_rows"] += len(row) < len(header)
        mended["long_rows"] += len(row) > len(header)
        row = [*row[: len(header)], *[None] * (len(header) - len(row))]
        texts = [None if row[place] is None else plain(row[place]) for place in kept]
        mended["invalid_utf8_cells"] += sum(row[p] is not None and is_invalid(row[p]) for p in kept)
        table_rows.append(texts)
    return {"columns": [[header[place], "TEXT"] for place in kept], "rows": table_rows}


def is_invalid(cell):
    try:
        cell.decode()
        return False
    except UnicodeDecodeError:
        return True


def created(post):
    """`created_at` as microseconds, whichever of the three forms it has."""
    date = post["created_at"]["$date"]
    if isinstance(date, dict):
        date = int(date["$numberLong"])
    if isinstance(date, int):
        return date * 1000
    moment = datetime.fromisoformat(date)
    return (moment.replace(tzinfo=moment.tzinfo or timezone.utc) - EPOCH) // timedelta(microseconds=1)


def oid(value):
    return value["$oid"] if isinstance(value, dict) else value


def forum(content):
    """Both tables from the forum file."""
    posts = [json.loads(line) for line in content.split(b"\n") if line.strip()]
    counts = Counter((post["author_id"], post["_type"]) for post in posts)
    activity = counted(["user_id"], {((user,), name): n for (user, name), n in counts.items()})
    rows = []
    for number, post in enumerate(sorted(posts, key=created), 1):
        is_thread = post["_type"] == "CommentThread"
        thread = post["_id"] if is_thread else post.get("comment_thread_id")
        rows.append([number, post["author_id"], oid(thread), oid(post.get("parent_id"))])
    columns = [["id", "INTEGER"], ["poster", "TEXT"], ["thread", "TEXT"], ["response_to", "TEXT"]]
    return {"discussion_forum_activity": activity, "discussion_forum_activity_ng": {"columns": columns, "rows": rows}}


def key_order(key):
    """User first; what follows by its bytes or its number."""
    return (user_order(key[0]), *[part.encode() if isinstance(part, str) else part for part in key[1:]])


def counted(keys, counts):
    """A table of one INTEGER column for each name counted: {(key, name): n}."""
    found = sorted({name for _, name in counts}, key=str.encode)
    types = {"time_compartment": "INTEGER"}
    columns = [[key, types.get(key, "TEXT")] for key in keys] + [[name, "INTEGER"] for name in found]
    rows = [[*key, *[counts.get((key, name)) for name in found]] for key in sorted({k for k, _ in counts}, key=key_order)]
    return {"columns": columns, "rows": rows}


AXIS = [
    ["block_id", "TEXT"], ["category", "TEXT"], ["display_name", "TEXT"], ["parent", "TEXT"], ["chapter", "TEXT"],
    ["sequential", "TEXT"], ["vertical", "TEXT"], ["position", "INTEGER"], ["graded", "INTEGER"], ["start", "TEXT"],
    ["due", "TEXT"],
]


def text(value):
    return value if isinstance(value, str) else None


def problem_titles(content):
    """Display names of problems by block id."""
    titles = {
        block_id: text(block.get("metadata", {}).get("display_name"))
        for block_id, block in json.loads(content).items()
        if block.get("category") == "problem"
    }
    return {block_id: title for block_id, title in titles.items() if title is not None}


def course_axis(content):
    """Blocks in course order: the course, then each child with all below it; `position` among its siblings, from 1."""
    blocks = json.loads(content)
    rows, seen = [], set()

    def visit(block_id, parent, position, above):
        block = blocks.get(block_id)
        if block is None or block_id in seen:
            return
        seen.add(block_id)
        metadata, category = block.get("metadata", {}), block.get("category")
        if category in ("chapter", "sequential", "vertical"):
            above = {**above, category: block_id}
        places = [above.get(level) for level in ("chapter", "sequential", "vertical")]
        graded = {True: 1, False: 0}.get(metadata.get("graded"))
        dates = [text(metadata.get(name)) for name in ("start", "due")]
        title = text(metadata.get("display_name"))
        rows.append([block_id, category, title, parent, *places, position, graded, *dates])
        for number, child in enumerate(block.get("children", []), 1):
            visit(child, block_id, number, above)

    for block_id in sorted(blocks):
        if blocks[block_id]["category"] == "course":
            visit(block_id, None, None, {})
    return {"columns": AXIS, "rows": rows}
