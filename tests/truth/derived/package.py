"""A package's plaintexts by what they are: days split by course folder, snapshots, the opt-in list."""

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
import split  # noqa: E402

SITES = {"edx": "prod", "prod": "prod", "edge": "edge"}
NAMES = {"prod": "prod-analytics", "edge": "prod-edge-analytics"}
DAY = re.compile(r"-(edx|prod|edge)-events-(\d{4}-\d\d-\d\d)\.log$")


class Package:
    """`folder` holds data/ and plain/; `courses`: rows of courses.tsv, which says what folders there are."""

    def __init__(self, folder, courses_tsv):
        self.folder, self.plain = Path(folder), Path(folder) / "plain"
        head, *rows = [line.split("\t") for line in Path(courses_tsv).read_text().splitlines()]
        self.courses = {row[0]: dict(zip(head, row)) for row in rows}
        owners = {(row["site"], row["course_id"]): folder for folder, row in self.courses.items()}
        self.lines = {folder: {} for folder in self.courses}
        self.dates = {"prod": set(), "edge": set()}
        for day in sorted(self.plain.glob("edx-course-data/*/*/events/*/*.log")):
            token, date = DAY.search(day.name).groups()
            self.dates[SITES[token]].add(date)
            for line in re.findall(rb"[^\n]*\n|[^\n]+\Z", day.read_bytes()):
                folder = owners.get((SITES[token], split.course(line.decode("utf-8", "surrogateescape"))))
                if folder:
                    self.lines[folder].setdefault(date, []).append(line)

    def days(self, folder, window):
        """The course's days with their lines, in order."""
        return [(date, lines) for date, lines in sorted(self.lines[folder].items()) if window.holds(date)]

    def unreadable(self, folder, window):
        """Days whose object is there and has no plaintext."""
        site = self.courses[folder]["site"]
        found = set()
        for path in (self.folder / "data").glob("edx-course-data/*/*/events/*/*.log.gz.gpg"):
            token, date = DAY.search(path.name.removesuffix(".gz.gpg")).groups()
            if SITES[token] == site and date not in self.dates[site] and window.holds(date):
                found.add(date)
        return sorted(found)

    def snapshots(self, folder):
        """The files of each weekly package that holds one of the course, by its date: {name behind the prefix: path}."""
        prefix, site = folder.removesuffix("@edge"), self.courses[folder]["site"]
        tails = (f"-{NAMES[site]}.sql", f"-{NAMES[site]}.json", f"-{NAMES[site]}.xml.tar.gz", f"-{site}.mongo")
        found = {}
        for week in sorted(self.plain.glob("course-data/*/*/")):
            date = re.search(r"-(\d{4}-\d\d-\d\d)$", week.name)
            for path in sorted(week.glob(prefix + "-*")) if date else []:
                kind = path.name[len(prefix) + 1:]
                tail = next((tail for tail in tails if ("-" + kind).endswith(tail)), None)
                kind = ("-" + kind)[1: -len(tail)] if tail and tail != f"-{site}.mongo" else "forum"
                if tail and "-" not in kind:
                    found.setdefault(date[1], {})[kind] = path
        return found

    def snapshot(self, folder, window):
        """The first on or after the window's end, else the newest: its date and files."""
        found = self.snapshots(folder)
        later = [date for date in sorted(found) if window.to and date >= window.to]
        date = later[0] if later else max(found, default=None)
        return date, found.get(date, {})

    def opt_in(self):
        lists = sorted(self.plain.glob("course-data/email-opt-in/*/*/*-email_opt_in-*.csv"))
        return lists[-1] if lists else None


class Window:
    """Days from one date to another, either side None where open."""

    def __init__(self, name="_"):
        self.name = name
        self.start, self.to = (side or None for side in name.split("_"))

    def holds(self, date):
        return (not self.start or self.start <= date) and (not self.to or date <= self.to)
