"""The data that is measured on: made once below a folder, and used again while its parameters are the same."""

import json
import os
import random
import shutil
import subprocess
import tempfile
import zipfile
from dataclasses import dataclass

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


def write_member(keyring, package, name, content, *options):
    command = keyring.gpg("--encrypt", "--always-trust", "--recipient", "czar@unix.example.org", *options)
    encrypted = subprocess.run(command, input=content, stdout=subprocess.PIPE, check=True).stdout
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
