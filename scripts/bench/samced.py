"""(f) The samced.db of a course of many days, all of them indexed and cached before the clock starts.

Its two parts are timed apart by two packages: one has the course's events alone, one its courseware_studentmodule.
A third has both. A database counts as ready when its first bytes can be read; each time it is made anew, from a copy of
the cache that the index left.
"""

import json
import os
import sqlite3
import statistics
import subprocess
from functools import partial

import mounts
import processes

MB = 1_000_000
TABLE = "courseware_studentmodule"
# Only parses; it prints how many lines there were, so that nobody measures an empty pipe.
PERL = "my $json = JSON::XS->new->utf8; my $n = 0; while (<>) { $json->decode($_); $n++ } print $n"


def versions():
    """What the other sides are. Raises before anything is measured if one is missing."""
    try:
        perl = processes.output_of("perl", "-MJSON::XS", "-e", 'print "Perl $^V, JSON::XS $JSON::XS::VERSION"')
        return f"{perl}, sqlite3 {processes.output_of('sqlite3', '--version').split()[0]}"
    except (OSError, subprocess.CalledProcessError) as error:
        raise RuntimeError("needs the Debian packages perl, libjson-xs-perl and sqlite3") from error


def measure(bench, table, course):
    table.note(versions())
    table.note(f"a course of {course.days} days, {course.events} events, {course.rows} rows of {TABLE}")
    filled = {variant: index(bench, table, course, variant) for variant in ["events", "tables", "both"]}
    peaks = []

    def ready(variant):
        return database(bench, course, variant, filled[variant], peaks)

    events_part(bench, table, course, ready)
    tables_part(bench, table, course, ready)
    walls = [ready("both") for _ in range(bench.options.course_rounds)]
    table.row("samced.db with both parts", f"{statistics.median(walls):.3f} s")
    shown = lambda value: f"{value:.0f} MB"
    table.bound("peak memory of the mounts that made them", max(peaks) / MB, 300, shown)
    table.bound("peak memory of edxfs cat making it", by_command(bench, course, filled["both"]) / MB, 300, shown)
    organisation(bench, table, course, filled["both"])


def index(bench, table, course, variant):
    """A cache folder in which all is indexed and cached."""
    cache = mounts.new_cache(bench.work)
    command = [bench.options.edxfs, "index", *mounts.reading(bench.package, course.data(variant), cache)]
    cost = processes.run([command], bench.out)
    table.note(f"edxfs index, {variant}: {cost.wall:.1f} s, {cost.cpu():.1f} s user+system, "
               f"peak memory {cost.peak_bytes / MB:.0f} MB")
    return cache


def database(bench, course, variant, filled, peaks):
    """Wall seconds until the course's database is ready."""
    with bench.mount(course.data(variant), filled) as mount:
        path = mount.path("courses", course.course, "samced.db")
        wall = first_bytes(bench, mount, path)
        check(path, course, variant)
    peaks.append(mount.peak_bytes)
    return wall


def first_bytes(bench, mount, path):
    """Wall seconds until they are there; those of the whole file would be the kernel's and the cache's."""
    cost = mount.read(path, bench.out, ["head", "-c", "16"])
    with open(bench.out, "rb") as out:
        if out.read() != b"SQLite format 3\0":
            raise RuntimeError(f"{path} is no database; see the message above")
    return cost.wall


def check(path, course, variant):
    """What is fast but not all there is worth nothing."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        found = {}
        if variant != "tables":
            found["events"] = connection.execute("select sum(events) from event_counts").fetchone()[0]
        if variant != "events":
            found["rows"] = connection.execute(f"select count(*) from {TABLE}").fetchone()[0]
    connection.close()
    wanted = {"events": course.events, "rows": course.rows}
    if any(wanted[what] != number for what, number in found.items()):
        raise RuntimeError(f"samced.db of the {variant} package holds {found}, not {wanted}")


def events_part(bench, table, course, ready):
    # Perl's time is to be that of parsing, not that of a disk, nor of unpacking.
    processes.run([["cat", *course.lines]], os.devnull)
    def parsed():
        cost = processes.run([["perl", "-MJSON::XS", "-e", PERL, *course.lines]], bench.out)
        with open(bench.out) as out:
            if int(out.read()) != course.events:
                raise RuntimeError("Perl has not seen every line")
        return cost

    perl = []
    walls = bench.rounds(partial(ready, "events"), lambda: perl.append(parsed()) or perl[-1].wall,
                         rounds=bench.options.course_rounds)
    table.compare("samced.db, events' part, against only parsing in Perl", *walls, at_least=10)
    used = statistics.median(cost.cpu() for cost in perl)
    table.note(f"the aim is 20 x; Perl reads plain lines from the page cache and used {used:.1f} s user+system")


def tables_part(bench, table, course, ready):
    plain = os.path.join(bench.work, "plain.db")
    index_seconds = []

    def bare():
        remove(plain)
        told = json.loads(processes.output_of(bench.example("bare_insert"), course.studentmodule, plain))
        index_seconds.append(told["index"])
        return told["insert"]

    def imported():
        remove(plain)
        return processes.run([shell(plain, course.studentmodule)], os.devnull).wall

    ours, loop, shells = bench.rounds(partial(ready, "tables"), bare, imported, rounds=bench.options.course_rounds)
    remove(plain)
    table.compare("samced.db, tables' part, against a bare insert loop", ours, loop, at_least=0.7)
    more = statistics.median(index_seconds)
    table.note(f"samced.db has its index, the loop has not; making it took {more:.1f} s more")
    table.compare("samced.db, tables' part, against .import and create index", ours, shells, at_least=1)


def shell(database, rows):
    with open(rows, encoding="utf-8") as table:
        columns = ", ".join(f'"{name}" TEXT' for name in table.readline().rstrip("\n").split("\t"))
    return ["sqlite3", database, "pragma page_size = 4096", "pragma synchronous = off",
            f"create table {TABLE}({columns})", ".mode tabs", f".import --skip 1 '{rows}' {TABLE}",
            f"create index {TABLE}_student_id on {TABLE}(student_id)"]


def remove(path):
    if os.path.exists(path):
        os.remove(path)


def by_command(bench, course, filled):
    """Peak memory of the command that needs no mount."""
    cache = mounts.new_cache(bench.work, filled)
    options = mounts.reading(bench.package, course.data("both"), cache)
    cost = processes.run([[bench.options.edxfs, "cat", *options, f"courses/{course.course}/samced.db"]], bench.out)
    if os.path.getsize(bench.out) == 0:
        raise RuntimeError("edxfs cat has written nothing; see the message above")
    return cost.peak_bytes


def organisation(bench, table, course, filled):
    """All courses' database: of the long course's organisation, and of the day's, which has every kind of table."""
    packages = [("of the long course", course.data("both"), filled), ("of the day, nothing cached", None, None)]
    for name, folder, cache in packages:
        with bench.mount(folder, cache) as mount:
            wall = first_bytes(bench, mount, mount.path("samced.db"))
        table.bound(f"peak memory, organisation's samced.db {name}", mount.peak_bytes / MB, 300,
                    lambda value: f"{value:.0f} MB")
        table.note(f"ready in {wall:.1f} s")
