"""(g) Names alone: listing a course of ten years, finding one name among many, mounting with a large memory.

Beside each listing stands the same number of names in a filesystem that has nothing behind them (empty_fs.rs): what the
kernel, the library and the listing program cost anyway. Every listing is the first that the kernel asks for: its caches
are emptied before.
"""

import os
import sqlite3
import subprocess
from contextlib import contextmanager

import mounts
import packages
import processes

FACTS = 2_000_000


def measure(bench, table):
    many = packages.many_days(bench.options.edxfs, bench.options.data, bench.options.seed)
    table.note(f"{many.courses} courses of {many.days} days, nothing decoded, and as many names with nothing behind them")
    with bench.mount(many.data, key=many) as mount, empty(bench, many) as point:
        listings(bench, table, many, mount, point)
        table.bound("peak memory of the mount that listed them", processes.peak_bytes(mount.pid) / 1e6, 300,
                    lambda value: f"{value:.0f} MB")
    ready(bench, table, many)


def listings(bench, table, many, mount, point):
    course = mount.path("courses", min(name for name in os.listdir(mount.path("courses")) if "@" not in name), "events")
    folder = os.path.join(point, "folder-00000")
    sides = [
        (f"ls of a course of {many.days} days", ["ls", "-f"], course, folder),
        ("ls -l of it, sizes not known", ["ls", "-l"], course, folder),
        (f"find over {many.days * many.courses} names", ["find"], mount.path("events"), point),
    ]
    for what, program, ours, theirs in sides:
        names = [count(bench, program, path) for path in [ours, theirs]]
        walls = bench.rounds(lambda: once(bench, program, ours), lambda: once(bench, program, theirs))
        table.compare(what, *walls)
        table.note(f"{' '.join(program)} prints {names[0]} lines, beside it {names[1]}")
    if mount.status()["decoded_objects"] != 0:
        raise RuntimeError("a listing has decoded something")


def once(bench, program, path):
    mounts.drop_all_pages()
    return processes.run([[*program, path]], bench.out).wall


def count(bench, program, path):
    processes.run([[*program, path]], bench.out)
    with open(bench.out, "rb") as out:
        return sum(1 for _ in out)


@contextmanager
def empty(bench, many):
    """The mount point of the filesystem of names alone."""
    point = os.path.join(bench.work, "empty")
    os.makedirs(point)
    server = subprocess.Popen([bench.example("empty_fs"), point, str(many.courses), str(many.days)],
                              stdout=subprocess.PIPE, text=True)
    try:
        if server.stdout.readline() != "mounted\n":
            raise RuntimeError("empty_fs does not mount")
        yield point
    finally:
        subprocess.run(["umount", "-l", point], check=False)
        server.terminate()
        server.wait()


def ready(bench, table, many):
    """From the command to a mount that answers, with a ledger that remembers nothing and one of many facts."""
    with bench.mount(many.data, key=many) as mount:
        small = mount.cache
    large = mounts.new_cache(bench.work, small)
    remember(os.path.join(large, "ledger.sqlite"), FACTS)

    def until_ready(filled):
        with bench.mount(many.data, filled, key=many) as mount:
            return mount.ready_seconds

    walls = bench.rounds(lambda: until_ready(large), lambda: until_ready(small))
    table.compare(f"mount to ready with {FACTS // 1_000_000} million facts, against none", *walls)
    table.note(f"the ledger has {os.path.getsize(os.path.join(large, 'ledger.sqlite')) / 1e6:.0f} MB")


def remember(ledger, facts):
    """Facts about files that nobody asks for: the ledger is as large as after years."""
    with sqlite3.connect(ledger) as connection:
        rows = ((os.urandom(32), os.urandom(32), number, os.urandom(16)) for number in range(facts))
        connection.executemany("insert into facts(output, digest, bytes, seal) values (?, ?, ?, ?)", rows)
    connection.close()
