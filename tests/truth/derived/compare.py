"""Compares a samced.db with what the model says. Usage: compare.py DATABASE TABLES.jsonl; not 0, and why, if they differ.

The database is opened as researchers do: read-only, without `immutable`, where it lies.
"""

import json
import re
import sqlite3
import sys
from pathlib import Path
from urllib.parse import quote

from affinity import quoted, stored

SHOWN = 5
differences = []


def differ(text):
    differences.append(text)


def load(path):
    """The model's tables."""
    found, lines = [], iter(Path(path).read_text().split("\n"))
    for line in lines:
        if not line:
            break
        head = json.loads(line)
        rows = [json.loads(next(lines)) for _ in range(head["rows"])]
        found.append({"name": head["table"], "columns": head["columns"], "rows": rows})
    return found


def same_about(expected, found):
    """Equal, but for what is not laid down: how lists are separated and empty ones written; `*` stands for anything."""
    def plain(value):
        return [part for part in re.split("[ ,]+", value or "") if part]

    return expected[0] == found[0] and (expected[1] == "*" or plain(expected[1]) == plain(found[1]))


def compare_rows(database, table):
    name = table["name"]
    expected = stored(table)
    found = database.execute(f"SELECT * FROM {quoted(name)} ORDER BY rowid").fetchall()
    if len(expected) != len(found):
        differ(f"{name}: {len(found)} rows, not {len(expected)}")
    shown = 0
    for number, (wanted, row) in enumerate(zip(expected, found), 1):
        same = same_about(wanted, row) if name == "about" else wanted == row and types(wanted) == types(row)
        if same:
            continue
        shown += 1
        if shown > SHOWN:
            differ(f"{name}: and so on")
            break
        cells = zip([column for column, _ in table["columns"]], wanted, row)
        wrong = [f"{column} is {b!r}, not {a!r}" for column, a, b in cells if a != b or type(a) is not type(b)]
        differ(f"{name}, row {number} ({wanted[:2]!r}): " + "; ".join(wrong))


def types(row):
    return [type(value) for value in row]


def compare_indexes(database, tables):
    found = set(database.execute("SELECT name, tbl_name FROM sqlite_master WHERE type = 'index'"))
    expected = set()
    for table in tables:
        column = "student_id" if table["name"] == "courseware_studentmodule" else "user_id"
        if column in [name for name, _ in table["columns"]]:
            expected.add((f"{table['name']}_{column}", table["name"]))
            of_index = database.execute(f"PRAGMA index_info({quoted(table['name'] + '_' + column)})").fetchall()
            if [row[2] for row in of_index] != [column]:
                differ(f"the index {table['name']}_{column} is on {of_index}")
    if found != expected:
        differ(f"indexes: {sorted(found - expected)} too many, {sorted(expected - found)} missing")


def compare_format(path, database):
    with open(path, "rb") as file:
        head = file.read(100)
    for what, wanted, found in [
        ("journal format", b"\x01\x01", head[18:20]),
        ("page size", 4096, int.from_bytes(head[16:18], "big")),
        ("pragma page_size", 4096, database.execute("PRAGMA page_size").fetchone()[0]),
        ("integrity", "ok", database.execute("PRAGMA integrity_check").fetchone()[0]),
        ("encoding", "UTF-8", database.execute("PRAGMA encoding").fetchone()[0]),
        ("file size", Path(path).stat().st_size, 4096 * int.from_bytes(head[28:32], "big")),
    ]:
        if wanted != found:
            differ(f"{what}: {found!r}, not {wanted!r}")
    version = database.execute("PRAGMA user_version").fetchone()[0]
    stated = database.execute("SELECT value FROM about WHERE key = 'schema_version'").fetchone()
    if version < 1 or stated != (str(version),):
        differ(f"user_version is {version}, and `about` says {stated}")


def compare_tables(database, tables):
    found = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rowid")]
    expected = [table["name"] for table in tables]
    missing, more = [n for n in expected if n not in found], [n for n in found if n not in expected]
    if missing or more:
        differ(f"tables: missing {missing}, too many {more}")
    elif found != expected:
        first = next(place for place, name in enumerate(expected) if found[place] != name)
        differ(f"tables: in another order: {found[first]} stands where {expected[first]} should")
    for table in tables:
        if table["name"] not in found:
            continue
        info = database.execute(f"PRAGMA table_info({quoted(table['name'])})").fetchall()
        columns = [[row[1], row[2]] for row in info]
        if columns == table["columns"]:
            compare_rows(database, table)
        else:
            differ(f"{table['name']}: columns {columns}, not {table['columns']}")


def main(path, model):
    tables = load(model)
    with sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True) as database:
        compare_tables(database, tables)
        compare_indexes(database, tables)
        compare_format(path, database)
    if differences:
        sys.exit("\n".join(differences))


if __name__ == "__main__":
    main(*sys.argv[1:])
