"""Makes, slowly, what samced.db and the files beside it must hold, from a package's plaintexts.

Usage: main.py PACKAGE COURSES_TSV OUT [--window FROM_TO] [--compartment N] [--survey-pre RE] [--survey-post RE] FOLDER…

PACKAGE holds data/ and plain/. For each course FOLDER, and for "organisation", writes OUT/FOLDER/tables.jsonl (a line
per table: its name, its columns, how many rows, then a line per row), samced/ (the CSVs and errors.txt), and for
courses course-run-data/ (event files not gzipped) and learners/; "organisation" also email_opt_in.csv.
"""

import argparse
import json
from pathlib import Path

import database
import files
from affinity import csv_text
from counting import Counts
from package import Package, Window


def put(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


class Model:
    def __init__(self, options):
        self.options, self.window = options, Window(options.window)
        self.package = Package(options.package, options.courses_tsv)
        self.out = Path(options.out)

    def course(self, folder):
        days = self.package.days(folder, self.window)
        row, options = self.package.courses[folder], self.options
        counts = Counts(row["course_id"], options.compartment, options.survey_pre, options.survey_post)
        for date, lines in days:
            counts.add_day(date, lines)
        snapshot, found = self.package.snapshot(folder, self.window)
        kinds = {"course_structure": "structure"}
        read = {kinds.get(kind, kind): path.read_bytes() for kind, path in found.items() if kind != "course"}
        unreadable = self.package.unreadable(folder, self.window)
        course = database.Course(folder, row["course_id"], counts, snapshot, read, unreadable, [d for d, _ in days])
        return course, days, found

    def write_course(self, folder):
        course, days, found = self.course(folder)
        tables = database.of_course(course, self.window.name)
        errors = files.errors_text(course.counts)
        self.write_tables(self.out / folder, tables)
        put(self.out / folder / "samced/errors.txt", errors)
        for name, content in files.course_run_data(tables, found, days, errors).items():
            put(self.out / folder / "course-run-data" / name, content)
        for user, own in files.learners(days, found.get("auth_user")).items():
            for name, content in own.items():
                put(self.out / folder / "learners" / user / name, content)

    def write_organisation(self):
        made = [self.course(folder) for folder in sorted(self.package.courses, key=str.encode)]
        tables = database.of_organisation([course for course, _, _ in made], self.window.name)
        self.write_tables(self.out / "organisation", tables)
        list_path = self.package.opt_in()
        if list_path:
            users, profiles = ([f[kind] for _, _, f in made if kind in f] for kind in ("auth_user", "auth_userprofile"))
            put(self.out / "organisation/email_opt_in.csv", files.email_opt_in(list_path, users, profiles))

    def write_tables(self, folder, tables):
        lines = []
        for table in tables:
            head = {"table": table["name"], "columns": table["columns"], "rows": len(table["rows"])}
            lines += [json.dumps(head), *map(json.dumps, table["rows"])]
            put(folder / "samced" / f"SAMCED-{table['name']}.csv", csv_text(table))
        put(folder / "tables.jsonl", "".join(line + "\n" for line in lines).encode())


parser = argparse.ArgumentParser()
for name in ("package", "courses_tsv", "out"):
    parser.add_argument(name)
parser.add_argument("--window", default="_")
parser.add_argument("--compartment", type=int, default=5)
parser.add_argument("--survey-pre")
parser.add_argument("--survey-post")
parser.add_argument("folder", nargs="+")
options = parser.parse_args()
model = Model(options)
for folder in options.folder:
    if folder == "organisation":
        model.write_organisation()
    else:
        model.write_course(folder)
