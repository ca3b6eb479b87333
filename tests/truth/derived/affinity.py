"""What SQLite makes of a table: its rows as they are stored, and as CSV."""

import re
import sqlite3


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def stored(table):
    """The table's rows as SQLite gives them back: a text bound to an INTEGER column may have become a number."""
    database = sqlite3.connect(":memory:")
    columns = ", ".join(f"{quoted(name)} {kind}" for name, kind in table["columns"])
    database.execute(f"CREATE TABLE t ({columns})")
    database.executemany(f"INSERT INTO t VALUES ({', '.join('?' * len(table['columns']))})", table["rows"])
    return database.execute("SELECT * FROM t ORDER BY rowid").fetchall()


def csv_cell(value):
    if value is None:
        return ""
    text = value if isinstance(value, str) else repr(value)
    return '"' + text.replace('"', '""') + '"' if text == "" or re.search('[,"\r\n]', text) else text


def csv_text(table):
    rows = [[name for name, _ in table["columns"]], *stored(table)]
    return "".join(",".join(map(csv_cell, row)) + "\r\n" for row in rows).encode()
