"""The data that is measured on: made once below a folder, and used again while its parameters are the same."""

import datetime
import json
import os
import random
import shutil
import subprocess
import tempfile
import zipfile
from dataclasses import dataclass

import course
import processes

COURSES = 30
ZIP_COURSES = 40
# The one table that is asked for, of the first course; the other members are noise, as encrypted bytes are.
TABLE = "student_courseenrollment"
TABLE_ROWS = 100_000
BULK = ["auth_user", "auth_userprofile", "certificates_generatedcertificate", "courseware_studentmodule"]


@dataclass
class Package:
    folder: str

    @property
    def secret_key(self):
        return os.path.join(self.folder, "keys/czar-secret.asc")

    @property
    def passphrase_file(self):
        return os.path.join(self.folder, "keys/passphrase.txt")

    @property
    def data(self):
        return os.path.join(self.folder, "data")

    @property
    def log(self):
        """The day's log of the main site."""
        return os.path.join(self.data, "edx-course-data/unix/edx/events/2015/unix-edx-events-2015-03-02.log.gz.gpg")


class Keyring:
    """A GnuPG home with the package's key, unlocked in its agent: what a data czar works with."""

    def __init__(self, package):
        self.package = package

    def __enter__(self):
        # Not below the data: the path of the agent's socket may have 107 bytes at most.
        self.home = tempfile.mkdtemp(prefix="edxfs-bench-")
        with open(os.path.join(self.home, "gpg-agent.conf"), "w") as options:
            options.write("default-cache-ttl 86400\nmax-cache-ttl 86400\n")
        try:
            unlock = ["--pinentry-mode", "loopback", "--passphrase-file", self.package.passphrase_file]
            subprocess.run(self.gpg(*unlock, "--import", self.package.secret_key), check=True)
            # The agent remembers the passphrase from here on.
            processes.run([self.gpg(*unlock, "--decrypt", self.package.log)], os.devnull)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *failure):
        subprocess.run(["gpgconf", "--homedir", self.home, "--kill", "all"], check=False)
        shutil.rmtree(self.home, ignore_errors=True)

    def gpg(self, *arguments):
        return ["gpg", "--homedir", self.home, "--batch", "--quiet", "--no-tty", *arguments]

    def gunzipped(self, encrypted, *more):
        """The pipeline that shows an encrypted log, and the stages of `more` behind it."""
        return [self.gpg("--decrypt", encrypted), ["zcat"], *more]


def once(folder, make):
    """Has `make(folder)` fill the folder unless it has been filled, and returns the facts that it told."""
    facts = os.path.join(folder, "facts.json")
    if not os.path.exists(facts):
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        made = make(folder)
        with open(facts, "w") as file:
            json.dump(made, file)
    with open(facts) as file:
        return json.load(file)


def day(edxfs, below, events, seed):
    """A package with one day of so many events on its main site."""
    def make(folder):
        subprocess.run([
            edxfs, "demo", "--folder", os.path.join(folder, "package"), "--days", "1", "--seed", str(seed),
            "--events-per-day", str(events), "--courses", str(COURSES),
        ], check=True)
        return {}

    folder = os.path.join(below, f"day-{events}-{seed}")
    once(folder, make)
    return Package(os.path.join(folder, "package"))


@dataclass
class ManyDays(Package):
    """Courses with an event log for each of many days; all logs are one file."""

    days: int
    courses: int


def many_days(edxfs, below, seed, days=3650, courses=27):
    def make(folder):
        package = os.path.join(folder, "package")
        subprocess.run([
            edxfs, "demo", "--folder", package, "--days", "7", "--seed", str(seed), "--events-per-day", "100",
            "--courses", str(courses),
        ], check=True)
        logs = os.path.join(package, "data/edx-course-data/unix/edx/events")
        first = Package(package).log
        for back in range(1, days - 7 + 1):
            date = datetime.date(2015, 3, 2) - datetime.timedelta(days=back)
            os.makedirs(os.path.join(logs, str(date.year)), exist_ok=True)
            os.link(first, os.path.join(logs, str(date.year), f"unix-edx-events-{date}.log.gz.gpg"))
        return {}

    folder = os.path.join(below, f"days-{days}-{courses}-{seed}")
    once(folder, make)
    return ManyDays(os.path.join(folder, "package"), days, courses)


def large_zip(keyring, below, total_bytes):
    """A folder with one weekly zip of about `total_bytes`; also the member that is asked for, and its bytes."""
    member = f"unix-2015-03-15/UniX-C00x-2015-{TABLE}-prod-analytics.sql.gpg"

    def make(folder):
        os.makedirs(os.path.join(folder, "data/course-data"))
        with zipfile.ZipFile(os.path.join(folder, "data/course-data/unix-2015-03-15.zip"), "w") as package:
            write_member(keyring, package, member, table())
            bulk = total_bytes // (ZIP_COURSES * len(BULK))
            for course in range(ZIP_COURSES):
                for name in BULK:
                    other = f"unix-2015-03-15/UniX-C{course:02}x-2015-{name}-prod-analytics.sql.gpg"
                    write_member(keyring, package, other, os.urandom(bulk), "--compress-algo", "none")
            directory = package.start_dir
        size = os.path.getsize(package.filename)
        wanted = package.getinfo(member).compress_size
        return {"zip_bytes": size, "directory_bytes": size - directory, "member_bytes": wanted}

    # The key is the day's: with another day the zip has to be made anew.
    folder = os.path.join(below, f"zip-{total_bytes}-{os.path.basename(os.path.dirname(keyring.package.folder))}")
    return os.path.join(folder, "data"), "UniX-C00x-2015", once(folder, make)


@dataclass
class LongCourse:
    """A course of many days, and what belongs to it below one folder."""

    folder: str
    course: str
    course_id: str
    days: int
    events: int
    rows: int

    def data(self, variant):
        """`events`: the logs alone; `tables`: its courseware_studentmodule alone; `both`."""
        return os.path.join(self.folder, variant)

    @property
    def lines(self):
        """Its lines, plain, a file per day, in order."""
        folder = os.path.join(self.folder, "lines")
        return [os.path.join(folder, name) for name in sorted(os.listdir(folder))]

    @property
    def studentmodule(self):
        return os.path.join(self.folder, "studentmodule.sql")


# Beside the long course, so that a day is no single course's.
OTHERS = ("course-v1:UniX+L01x+2015", "course-v1:UniX+L02x+2015", "course-v1:UniX+L03x+2014_T1")
LEARNERS = 10_000


def long_course(keyring, below, days, events, rows, seed):
    """A package in which one course has `events` lines over `days`, and a courseware_studentmodule of `rows`."""
    main = course.Course("course-v1:UniX+L00x+2015", seed)
    events -= events % days

    def make(folder):
        main.enrol(LEARNERS)
        others = [course.Course(course_id, seed) for course_id in OTHERS]
        for other in others:
            other.enrol(LEARNERS // 100)
        for part in ["lines", "events/edx-course-data/unix/edx/events/2015", "tables/course-data", "both"]:
            os.makedirs(os.path.join(folder, part))
        for date in course.dates(days):
            write_day(keyring, folder, date, main, events // days, others)
        write_snapshot(keyring, folder, course.dates(days)[-1], main, rows)
        for variant in ["events", "tables"]:
            shutil.copytree(os.path.join(folder, variant), os.path.join(folder, "both"), copy_function=os.link,
                            dirs_exist_ok=True)
        return {}

    # The key is the day's, as above.
    key = os.path.basename(os.path.dirname(keyring.package.folder))
    folder = os.path.join(below, f"course-{days}-{events}-{rows}-{seed}-{key}")
    once(folder, make)
    return LongCourse(folder, main.folder, main.id, days, events, rows)


def write_day(keyring, folder, date, main, events, others):
    """The day's log as the producer leaves it, and the course's lines of it."""
    log = os.path.join(folder, f"events/edx-course-data/unix/edx/events/2015/unix-edx-events-{date}.log.gz.gpg")
    with open(log, "wb") as encrypted, open(os.path.join(folder, f"lines/{date}.log"), "wb") as own:
        gpg = subprocess.Popen(encryption(keyring, "--compress-algo", "none"), stdin=subprocess.PIPE, stdout=encrypted)
        gzip = subprocess.Popen(["gzip", "-6"], stdin=subprocess.PIPE, stdout=gpg.stdin)
        gpg.stdin.close()
        rest = [line for other in others for line in course.Day(other, date, max(events // 100, 1)).lines()]
        every = max(events // len(rest), 1)
        for number, line in enumerate(course.Day(main, date, events).lines()):
            line = line.encode()
            gzip.stdin.write(line)
            own.write(line)
            if number % every == 0 and rest:
                gzip.stdin.write(rest.pop().encode())
        gzip.stdin.close()
        for child in [gzip, gpg]:
            if child.wait() != 0:
                raise RuntimeError(f"{child.args[0]} failed with {child.returncode}")


def write_snapshot(keyring, folder, date, main, rows):
    """A weekly zip with one table, and that table plain."""
    plain = os.path.join(folder, "studentmodule.sql")
    with open(plain, "w", encoding="utf-8") as table:
        table.writelines(course.studentmodule(main, rows))
    with zipfile.ZipFile(os.path.join(folder, f"tables/course-data/unix-{date}.zip"), "w") as package:
        name = f"unix-{date}/{main.folder}-courseware_studentmodule-prod-analytics.sql.gpg"
        with open(plain, "rb") as table:
            command = encryption(keyring, "--compress-level", "1")
            encrypted = subprocess.run(command, stdin=table, stdout=subprocess.PIPE, check=True).stdout
        package.writestr(zipfile.ZipInfo(name, (date.year, date.month, date.day, 3, 0, 0)), encrypted)


def encryption(keyring, *options):
    return keyring.gpg("--encrypt", "--always-trust", "--recipient", "czar@unix.example.org", *options)


def write_member(keyring, package, name, content, *options):
    encrypted = subprocess.run(encryption(keyring, *options), input=content, stdout=subprocess.PIPE, check=True).stdout
    # Stored: Info-ZIP deflates encrypted bytes, which changes nothing here but the time it takes to make this.
    package.writestr(zipfile.ZipInfo(name, (2015, 3, 15, 3, 0, 0)), encrypted)


def table():
    """A table as the package has it: a header, then rows of tab-separated fields."""
    invent = random.Random(1)
    rows = ["id\tuser_id\tcourse_id\tcreated\tis_active\tmode"]
    for number in range(TABLE_ROWS):
        user = invent.randint(1, 9_999_999)
        created = f"2015-02-{invent.randint(1, 28):02} {invent.randint(0, 23):02}:{invent.randint(0, 59):02}:07"
        rows.append(f"{number}\t{user}\tcourse-v1:UniX+C00x+2015\t{created}\t1\thonor")
    return ("\n".join(rows) + "\n").encode()
