"""Joins one week's tables as tree.md 6 says, with plain Python. Arguments: the week's decrypted files, the folder to write."""

import collections
import glob
import os
import re
import sys

WEEK, OUT = sys.argv[1:]
NAME = re.compile(r"(?P<course>.+)-(?P<table>[a-z_]+)-(?P<site>prod-analytics|prod-edge-analytics)\.sql$")


def records(table, content):
    """A record of dialect S goes on behind an LF that an odd number of backslashes stands before."""
    found, pending = [], b""
    for line in content.split(b"\n"):
        pending += line
        if table == "courseware_studentmodule" and re.search(rb"(?<!\\)(\\\\)*\\\Z", pending):
            pending += b"\n"
            continue
        found.append(pending)
        pending = b""
    return [record for record in found if record]


def cells(table, record):
    if table == "courseware_studentmodule":
        return re.findall(rb"((?:[^\\\t]|\\.)*)(?:\t|\Z)", record, re.S)[: record.count(b"\t") + 1]
    return record.split(b"\t")


tables = collections.defaultdict(list)
for path in glob.glob(WEEK + "/**/*.sql", recursive=True):
    match = NAME.match(os.path.basename(path))
    folder = match["course"] + ("@edge" if match["site"] == "prod-edge-analytics" else "")
    with open(path, "rb") as file:
        tables[match["table"]].append((folder.encode(), file.read()))
os.makedirs(OUT)
for table, parts in tables.items():
    parts = [(folder, [cells(table, r) for r in records(table, content)]) for folder, content in sorted(parts)]
    columns = list(dict.fromkeys(name for _, rows in parts for name in rows[0]))
    with open(f"{OUT}/{table}.tsv", "wb") as out:
        out.write(b"\t".join([b"course"] + columns) + b"\n")
        for folder, (header, *rows) in parts:
            for row in rows:
                known = dict(zip(header, row))
                out.write(b"\t".join([folder] + [known.get(name, b"NULL") for name in columns]) + b"\n")
