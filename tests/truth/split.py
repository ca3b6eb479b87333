# Splits one plain day log by the rules of the contract, slowly: one file per course id, named by its hex, and `none`.
# Usage: split.py DAY FOLDER
import json
import re
import sys
from pathlib import Path
from urllib.parse import unquote

NEW = r"(?P<course>[\w\-~.:]+\+[\w\-~.:]+\+[\w\-~.:]+%s)"
KEYS = [re.compile("course-v1:" + NEW % "" + r"\Z"), re.compile("ccx-v1:" + NEW % r"\+ccx@\d+" + r"\Z")]
BLOCKS = [
    ("course-v1:", re.compile("block-v1:" + NEW % "" + r"\+type@[\w\-~.:]+\+block@[\w\-~.:]+\Z")),
    ("ccx-v1:", re.compile("ccx-block-v1:" + NEW % r"\+ccx@\d+" + r"\+type@[\w\-~.:]+\+block@[\w\-~.:]+\Z")),
]
OLD = re.compile(r"[\w.%-]+/[\w.%-]+/[\w.%-]+\Z")
IN_BLOCK = re.compile(r"^(.*?/xblock/)([^/+]+(/|\+)[^/+]+(/|\+)[^/?#]+)")
IN_COURSE = re.compile(r"^(.*?/courses/)(?!v[0-9]+/[^/]+)([^/+]+(/|\+)[^/+]+(/|\+)[^/?]+)")


def key(text):
    return text if OLD.match(text) or any(pattern.match(text) for pattern in KEYS) else None


def of_block(text):
    for namespace, pattern in BLOCKS:
        match = pattern.match(text)
        if match:
            return namespace + match.group("course")
    return None


def of_url(url):
    url = unquote(url)
    block, course = IN_BLOCK.match(url), IN_COURSE.match(url)
    return (block and of_block(block.group(2))) or (course and key(course.group(2)))


def of_payload(payload):
    if isinstance(payload, str):
        try:
            payload = json.loads(payload, strict=False)
        except ValueError:
            return None
    if not isinstance(payload, dict):
        return None
    stated = payload.get("course_id")
    if isinstance(stated, str) and key(stated.strip()):
        return key(stated.strip())
    for name in ["id", "problem_id", "module_id"]:
        usage = payload.get(name)
        if isinstance(usage, str) and of_block(usage.strip()):
            return of_block(usage.strip())
    return None


def course(line):
    try:
        event = json.loads(line[line.index("{"):], strict=False)
    except ValueError:
        return None
    context = event.get("context")
    stated = context.get("course_id") if isinstance(context, dict) else None
    stated = stated.strip() if isinstance(stated, str) else ""
    if stated:
        return key(stated)
    url = event.get({"server": "event_type", "browser": "page"}.get(event.get("event_source")))
    return (isinstance(url, str) and of_url(url)) or of_payload(event.get("event"))


def main(day, folder):
    files = {}
    for line in day.read_bytes().split(b"\n")[:-1]:
        owner = course(line.decode("utf-8", "surrogateescape"))
        files.setdefault(owner, []).append(line + b"\n")
    folder.mkdir(parents=True)
    for owner, lines in files.items():
        name = "none" if owner is None else owner.encode().hex()
        (folder / name).write_bytes(b"".join(lines))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
