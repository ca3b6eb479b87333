"""What the mounted event files must hold: made with gpg, gunzip and json alone, by data-package.md 13.2.

Arguments: the package's data folder, a GNUPGHOME, the passphrase file, recall|producer, the folder to write.
Writes SITE/DATE.log (the day whole), SITE/DATE/ID (a course's lines, the id percent-encoded; "none" for those of no
folder), and ids.tsv with the columns site, id and prefix of the courses.
"""

import glob
import gzip
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote, unquote
from zipfile import ZipFile

DATA, HOME, PASSPHRASE, RULE, OUT = sys.argv[1:]
NAME = re.compile(r"-(edx|edge)-events-(\d{4}-\d\d-\d\d)\.log\.gz\.gpg$")
NEW = re.compile(r"(course-v1:)([\w.~:-]+)\+([\w.~:-]+)\+([\w.~:-]+)\Z")
CCX = re.compile(r"(ccx-v1:)([\w.~:-]+)\+([\w.~:-]+)\+([\w.~:-]+)\+ccx@(\d+)\Z")
OLD = re.compile(r"()([\w.%-]+)/([\w.%-]+)/([\w.%-]+)\Z")
BLOCK = re.compile(r"(ccx-)?block-v1:(.+?)\+type@[^+]+\+block@[\w.~:-]+\Z")
IN_XBLOCK = re.compile(r".*?/xblock/([^/+]+[/+][^/+]+[/+][^/?#]+)")
IN_COURSES = re.compile(r".*?/courses/(?!v[0-9]+/[^/]+)([^/+]+[/+][^/+]+[/+][^/?]+)")


def course_key(text):
    return next((m for m in (p.match(text) for p in (NEW, CCX, OLD)) if m), None)


def prefix(course_id):
    parts = course_key(course_id).groups()[1:]
    text = "-".join(parts[:3]) + ("-ccx-" + parts[3] if len(parts) > 3 else "")
    return "".join(c if ord(c) < 0x80 else "_" for c in text)


def of_block(text):
    match = BLOCK.match(text)
    found = match and ("ccx-v1:" if match[1] else "course-v1:") + match[2]
    return found if found and course_key(found) else None


def of_url(url):
    recall = RULE == "recall"
    url = unquote(url) if recall else url
    match = IN_XBLOCK.match(url)
    if match:
        found = of_block(match[1])
        if found or not recall:
            return found
    match = IN_COURSES.match(url)
    return match[1] if match and course_key(match[1]) else None


def of_payload(event):
    """(d) and (e) of the reading with more recall."""
    if isinstance(event, str):
        try:
            event = json.loads(event, strict=False)
        except ValueError:
            return None
    if not isinstance(event, dict):
        return None
    stated = event.get("course_id")
    if isinstance(stated, str) and course_key(stated.strip()):
        return stated.strip(), "stated"
    ids = (event.get(name) for name in ("id", "problem_id", "module_id"))
    found = next(filter(None, (of_block(i.strip()) for i in ids if isinstance(i, str))), None)
    return (found, "mentioned") if found else None


def whose(line):
    """The id and how it is known; None for no course and for what is no event."""
    text = line.decode("utf-8", "surrogateescape")
    try:
        start = text.index("{")
        record, end = json.JSONDecoder(strict=False).raw_decode(text, start)
    except ValueError:
        return None
    if text[end:].strip(" \t\r\n"):
        return None
    context = record.get("context")
    if not isinstance(context, dict):
        if RULE == "producer":
            return None
        context = {}
    stated = context.get("course_id")
    stated = stated.strip() if isinstance(stated, str) else ""
    if stated:
        return (stated, "stated") if course_key(stated) else None
    field = {"server": "event_type", "browser": "page"}.get(record.get("event_source"))
    url = record.get(field)
    found = of_url(url) if isinstance(url, str) else None
    if found:
        return found, "mentioned"
    return of_payload(record.get("event")) if RULE == "recall" else None


def decrypted(path):
    gpg = ["gpg", "--homedir", HOME, "--quiet", "--batch", "--pinentry-mode", "loopback"]
    done = subprocess.run(gpg + ["--passphrase-file", PASSPHRASE, "--decrypt", path], capture_output=True)
    if done.returncode:
        sys.exit(f"{path}: gpg ended with {done.returncode}: {done.stderr.decode(errors='replace')}")
    return gzip.decompress(done.stdout)


paths = sorted(glob.glob(DATA + "/edx-course-data/**/*.gpg", recursive=True))
paths = [path for path in paths if NAME.search(path) and os.path.getsize(path)]
days = {}
stated = set()
for path, log in zip(paths, ThreadPoolExecutor(os.cpu_count()).map(decrypted, paths)):
    match = NAME.search(path)
    site, date = {"edx": "prod"}.get(match[1], match[1]), match[2]
    lines = [(line, *(whose(line) or ("", ""))) for line in re.findall(rb"[^\n]*\n|[^\n]+\Z", log)]
    days[site, date] = lines
    stated.update((site, course_id) for _, course_id, evidence in lines if evidence == "stated")

# The first two letters of a zip: another organisation's object is in the folder, too, and is none.
zips = [path for path in glob.glob(DATA + "/course-data/*.zip") if open(path, "rb").read(2) == b"PK"]
entries = [name for path in zips for name in ZipFile(path).namelist()]
for (site, date), lines in days.items():
    folder = os.path.join(OUT, site, date)
    os.makedirs(folder)
    with open(folder + ".log", "wb") as whole:
        whole.write(b"".join(line for line, _, _ in lines))
    courses = {}
    for line, course_id, evidence in lines:
        if course_id and (site, course_id) not in stated:
            # Mentioned only, so it makes no folder; and no other folder of this package could be its.
            assert not any("/" + prefix(course_id) + "-" in name for name in entries), course_id
            course_id = ""
        courses.setdefault(course_id, []).append(line)
    for course_id, own in courses.items():
        with open(os.path.join(folder, quote(course_id, safe="") or "none"), "wb") as file:
            file.write(b"".join(own))
with open(os.path.join(OUT, "ids.tsv"), "w") as table:
    for site, course_id in sorted(stated):
        print(site, course_id, prefix(course_id), sep="\t", file=table)
