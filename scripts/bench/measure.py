"""Measures the product against the tools that it replaces, prints a table, and exits with 1 if a goal is missed.

Four parts, each of which can be asked for by name: `day`, reading one day and one table of a package; `pass`, what
tallies add to a day's pass; `samced`, the databases of a course of many days (samced.py); `names`, listing (names.py).

Both sides of a comparison take turns, so that whatever else the machine does meets both; medians are shown. The
pipelines have the source in the page cache and the key unlocked in gpg-agent; the mount has unlocked its own before the
clock starts. What the mount shows is exact, while grep also finds lines that only mention the course; it needs -a, as
logs hold bytes that are not text.
"""

import argparse
import os
import platform
import shutil
import signal
import statistics
import sys
import tempfile

import mounts
import names
import packages
import processes
import samced
from mounts import Mount

DATE = "2015-03-02"
PARTS = ("day", "pass", "samced", "names")
MB = 1_000_000
LATENCY_MILLISECONDS = 20


class Table:
    """Rows are printed as they come."""

    def __init__(self):
        self.missed = []
        self.row("", "edxfs", "instead", "figure", "goal")

    def row(self, what, ours="", theirs="", figure="", goal="-", verdict=""):
        print(f"{what:<58} {ours:>9} {theirs:>9} {figure:>9}  {goal:<9} {verdict}".rstrip(), flush=True)

    def note(self, text):
        print(f"    {text}", flush=True)

    def compare(self, what, ours, theirs, at_least=None):
        """`ours`, `theirs`: wall seconds of the rounds."""
        ours, theirs = statistics.median(ours), statistics.median(theirs)
        goal = f">= {at_least} x" if at_least else "-"
        met = None if at_least is None else theirs / ours >= at_least
        self.row(what, f"{ours:.3f} s", f"{theirs:.3f} s", f"{theirs / ours:.1f} x", goal, self.verdict(what, met))

    def bound(self, what, value, limit, show):
        self.row(what, figure=show(value), goal=f"<= {show(limit)}", verdict=self.verdict(what, value <= limit))

    def verdict(self, what, met):
        if met is False:
            self.missed.append(what.strip())
        return {None: "", True: "met", False: "MISSED"}[met]


class Bench:
    def __init__(self, options, keyring, package, work):
        self.options = options
        self.keyring = keyring
        self.package = package
        self.work = work
        self.out = os.path.join(work, "out")

    def mount(self, source=None, filled=None, key=None):
        """`key`: the package whose key opens the source, where that is not the day's."""
        return Mount(self.options.edxfs, key or self.package, source or self.package.data, self.work, filled)

    def example(self, name):
        """A program of ours that is built beside the product."""
        return os.path.join(os.path.dirname(self.options.edxfs), "examples", name)

    def pipeline(self, course):
        return processes.run(self.keyring.gunzipped(self.package.log, ["grep", "-a", "-F", course.id]), self.out)

    def rounds(self, *sides, rounds=None):
        """Each side's costs, all sides once in every round, and the one that begins changing."""
        costs = [[] for _ in sides]
        for number in range(rounds or self.options.rounds):
            order = range(len(sides)) if number % 2 == 0 else reversed(range(len(sides)))
            for side in order:
                costs[side].append(sides[side]())
        return costs


class Course:
    def __init__(self, folder, course_id, log_bytes):
        self.folder = folder
        self.id = course_id
        self.bytes = log_bytes

    @property
    def log(self):
        return os.path.join("courses", self.folder, "events", f"{DATE}.log")


def survey(bench):
    """Courses with events on that day, the largest first; plain bytes of the day; cache bytes after one pass."""
    processes.run(bench.keyring.gunzipped(bench.package.log, ["wc", "-c"]), bench.out)
    with open(bench.out) as out:
        day_bytes = int(out.read())
    with bench.mount() as mount:
        with open(mount.path("courses.tsv"), encoding="utf-8") as courses:
            rows = [line.rstrip("\n").split("\t") for line in courses][1:]
        found = [Course(row[0], row[1], 0) for row in rows if "@" not in row[0]]
        found = [course for course in found if os.path.exists(mount.path(course.log))]
        mount.read(mount.path(found[0].log), bench.out)
        cache_bytes = mount.status()["cache_bytes"]
        for course in found:
            course.bytes = os.path.getsize(mount.path(course.log))
    found = sorted((course for course in found if course.bytes), key=lambda course: -course.bytes)
    return found, day_bytes, cache_bytes


def stage(costs, name):
    """Median user and system seconds of one stage."""
    found = [stage for cost in costs for stage in cost.stages if stage[0] == name]
    return [statistics.median(stage[at] for stage in found) for at in (1, 2)]


def cold_day(bench, table, largest):
    """(a) Each time an empty cache and a new mount."""
    def through_mount():
        with bench.mount() as mount:
            return mount.read(mount.path(largest.log), bench.out)

    costs = bench.rounds(through_mount, lambda: bench.pipeline(largest))
    walls = [[cost.wall for cost in side] for side in costs]
    table.compare(f"cold day, its largest course ({largest.bytes / MB:.0f} MB)", *walls, at_least=2)
    for side, name in zip(costs, ["edxfs", "instead"]):
        spent = {name: stage(side, name) for name, _, _ in side[0].stages}
        shown = ", ".join(f"{name} {user:.2f}+{system:.2f}" for name, (user, system) in spent.items())
        cores = statistics.median(cost.cpu() / cost.wall for cost in side)
        slowest = max(spent, key=lambda name: sum(spent[name]))
        table.note(f"{name}: {shown} s user+system; {cores:.1f} cores busy, most of it in {slowest}")


def cold_day_from_afar(bench, table, largest):
    """The same from an S3 server whose every answer takes a while, beside the folder."""
    def read(source):
        with bench.mount(source) as mount:
            return mount.read(mount.path(largest.log), bench.out).wall

    with mounts.slow_bucket(bench.example("slow_bucket"), bench.package.data, LATENCY_MILLISECONDS) as endpoint:
        walls = bench.rounds(lambda: read(endpoint), lambda: read(bench.package.data))
    table.compare(f"cold day, {LATENCY_MILLISECONDS} ms from S3, against the folder", *walls)


def cached(bench, table, largest, median):
    """(b) After one pass over the day, from the sealed cache, each time without cached pages of the mount."""
    with bench.mount() as mount:
        mount.read(mount.path(largest.log), bench.out)

        def from_cache(course):
            mounts.drop_pages(mount.path(course.log))
            return mount.read(mount.path(course.log), bench.out)

        for name, course, goal in [("median", median, 20), ("largest", largest, None)]:
            costs = bench.rounds(lambda: from_cache(course), lambda: bench.pipeline(course))
            walls = [[cost.wall for cost in side] for side in costs]
            table.compare(f"cached, {name} course ({course.bytes / MB:.1f} MB)", *walls, at_least=goal)
        against_plain(bench, table, mount, largest)


def against_plain(bench, table, mount, course):
    """(c) The kernel's page cache empty on both sides, then full on both."""
    plain = os.path.join(bench.work, "plain")
    shutil.copyfile(mount.path(course.log), plain)

    def read(path):
        return processes.run([["cat", path]], os.devnull).wall

    def read_cold(path):
        mounts.drop_all_pages()
        return read(path)

    paths = [mount.path(course.log), plain]
    if mounts.drop_all_pages():
        walls = bench.rounds(*[lambda path=path: read_cold(path) for path in paths])
        table.compare("cached, cold page cache, against a plain file", *walls)
    else:
        table.note("cold page cache: left out, only root may empty it")
    for path in paths:
        read(path)
    walls = bench.rounds(*[lambda path=path: read(path) for path in paths])
    table.compare("cached, warm page cache, against a plain file", *walls)
    os.remove(plain)


def one_table(bench, table, below):
    """(d) Fetched bytes are counted, so once is enough."""
    folder, course, facts = packages.large_zip(bench.keyring, below, bench.options.zip_bytes)
    with bench.mount(folder) as mount:
        path = mount.path("courses", course, "tables", f"{packages.TABLE}.tsv")
        listed = os.path.exists(path)
        directory = mount.status()["fetched_bytes"]
        cost = mount.read(path, bench.out)
        fetched = mount.status()["fetched_bytes"]
    with open(bench.out, "rb") as out:
        if not listed or out.read() != packages.table():
            raise RuntimeError("the table out of the large zip is not the one that was put in")
    needed = facts["member_bytes"] + facts["directory_bytes"]
    what = f"fetched per byte needed, a table out of {facts['zip_bytes'] / MB:.0f} MB of zip"
    table.bound(what, fetched / needed, 1.1, lambda value: f"{value:.3f}")
    table.note(f"needed: entry {facts['member_bytes']} + directory {facts['directory_bytes']} bytes; "
               f"fetched: {directory} to list, {fetched - directory} to read; {cost.wall:.3f} s")


def machine(options):
    version = processes.output_of
    gpg = version("gpg", "--version").splitlines()[0]
    zcat = version("gzip", "--version").splitlines()[0]
    with open("/proc/cpuinfo") as info:
        models = [line.partition(":")[2].strip() for line in info if line.startswith("model name")]
    load = os.getloadavg()[0]
    busy = ": busy with other work, so compare processor seconds too" if load > 1 else ""
    print(f"{os.cpu_count()} cores ({models[0] if models else platform.machine()}), Linux {platform.release()}, "
          f"load {load:.1f}{busy}")
    print(f"{version(options.edxfs, '--version').strip()}, {gpg}, {zcat}, Python {platform.python_version()}, "
          f"medians of {options.rounds}")


def one_day(bench, table):
    """(a) to (d)."""
    courses, day_bytes, cache_bytes = survey(bench)
    largest, median = courses[0], courses[len(courses) // 2]
    ratio = day_bytes / os.path.getsize(bench.package.log)
    table.note(f"a day of {day_bytes / MB:.0f} MB, compressed {ratio:.1f}-fold, {len(courses)} courses")
    cold_day(bench, table, largest)
    cold_day_from_afar(bench, table, largest)
    cached(bench, table, largest, median)
    one_table(bench, table, bench.options.data)
    table.bound("peak memory of all mounts above", mounts.peak_bytes / MB, 300, lambda value: f"{value:.0f} MB")
    table.bound("cache bytes per plain byte", cache_bytes / day_bytes, 1 / 15, lambda value: f"1/{1 / value:.1f}")


def day_pass(bench, table):
    """(e) The same pass with its tallies and without, over the day's log, each time into a new cache."""
    package = bench.package

    def side(tallies):
        command = [bench.example("day_pass"), tallies, package.log, package.secret_key, package.passphrase_file, "1"]
        return float(processes.output_of(*command))

    walls = [statistics.median(side) for side in bench.rounds(lambda: side("with"), lambda: side("without"))]
    ratio = walls[0] / walls[1]
    table.bound("a day's pass with tallies, for each second without", ratio, 1.25, lambda value: f"{value:.2f}")
    table.note(f"with {walls[0]:.3f} s, without {walls[1]:.3f} s")


def measure(options, work):
    machine(options)
    package = packages.day(options.edxfs, options.data, options.events, options.seed)
    with packages.Keyring(package) as keyring:
        # What is measured must not meet the making of its data.
        if "day" in options.parts:
            packages.large_zip(keyring, options.data, options.zip_bytes)
        if "samced" in options.parts:
            course = packages.long_course(keyring, options.data, options.course_days, options.course_events,
                                          options.course_rows, options.seed)
        bench = Bench(options, keyring, package, work)
        table = Table()
        if "day" in options.parts:
            one_day(bench, table)
        if "pass" in options.parts:
            day_pass(bench, table)
        if "samced" in options.parts:
            samced.measure(bench, table, course)
        if "names" in options.parts:
            names.measure(bench, table)
    return table.missed


def arguments():
    about = "Measures edxfs against gpg, zcat, grep, Perl and sqlite3."
    parser = argparse.ArgumentParser(prog="scripts/bench/run", description=about)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"some of {', '.join(PARTS)}; without any, all")
    parser.add_argument("--edxfs", default="target/release/edxfs", help="the program to measure")
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each side")
    parser.add_argument("--events", type=int, default=335_000, help="lines of the day; 335000 are 400 MB")
    parser.add_argument("--course-days", type=int, default=100, help="days of the long course")
    parser.add_argument("--course-events", type=int, default=2_000_000, help="its events")
    parser.add_argument("--course-rows", type=int, default=2_000_000, help="rows of its courseware_studentmodule")
    parser.add_argument("--course-rounds", type=int, default=3, help="measurements of each side of it")
    parser.add_argument("--zip-bytes", type=int, default=2_000_000_000, help="size of the large zip")
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same day")
    parser.add_argument("--data", default="target/bench", help="folder of the data, which stays for the next run")
    parser.add_argument("--no-goals", action="store_true", help="exit with 0 also if a goal is missed")
    options = parser.parse_args()
    options.parts = options.parts or PARTS
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    options.edxfs, options.data = os.path.abspath(options.edxfs), os.path.abspath(options.data)
    return options


def main():
    options = arguments()
    # So that `finally` and `with` clean up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    os.makedirs(options.data, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="run-", dir=options.data) as work:
        missed = measure(options, work)
    if missed:
        print(f"\n{len(missed)} goals missed: {'; '.join(missed)}")
    return 1 if missed and not options.no_goals else 0


if __name__ == "__main__":
    sys.exit(main())
