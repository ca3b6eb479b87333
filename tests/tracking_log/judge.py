# Judges, line by line, what the walker found and whose event the producer's rule said it is: with Python's own JSON
# parser, and the regular expressions of the pipeline that makes the packages.
import json
import re
import sys

COURSE = re.compile(r"^(.*?/courses/)(?!v[0-9]+/[^/]+)(?P<id>[^/+]+(/|\+)[^/+]+(/|\+)[^/?]+)")
BLOCK = re.compile(r"^(.*?/xblock/)(?P<id>[^/+]+(/|\+)[^/+]+(/|\+)[^/?#]+)")
NEW = r"(?P<course>[\w\-~.:]+\+[\w\-~.:]+\+[\w\-~.:]+(\+branch@[\w\-~.:]+)?(\+version@[a-f0-9]{24})?%s)"
USAGE = r"(\+type@[\w\-~.:]+)?(?P<block>\+block@[\w\-~.:]+)?\Z"
KEYS = [
    re.compile("(?P<namespace>course-v1:)" + NEW % "" + USAGE),
    re.compile("(?P<namespace>ccx-v1:)" + NEW % r"\+ccx@\d+" + USAGE),
]
BLOCKS = [
    ("course-v1:", re.compile("block-v1:" + NEW % "" + USAGE)),
    ("ccx-v1:", re.compile("ccx-block-v1:" + NEW % r"\+ccx@\d+" + USAGE)),
]
OLD = re.compile(r"[\w.%-]+/[\w.%-]+/[\w.%-]*\Z")


def key(text):
    for pattern in KEYS:
        match = pattern.match(text)
        if match:
            return match.group("namespace") + match.group("course")
    return text if OLD.match(text) else None


def course_from_url(url):
    match = BLOCK.match(url)
    if match:
        for namespace, pattern in BLOCKS:
            usage = pattern.match(match.group("id"))
            if usage and usage.group("block"):
                return namespace + usage.group("course")
        return None
    match = COURSE.match(url)
    return key(match.group("id")) if match else None


def course(event):
    context = event.get("context")
    if not isinstance(context, dict):
        return None
    stated = context.get("course_id")
    stated = stated.strip() if isinstance(stated, str) else ""
    if stated:
        return stated if key(stated) else None
    field = {"server": "event_type", "browser": "page"}.get(str(event.get("event_source")))
    url = event.get(field)
    return course_from_url(url) if isinstance(url, str) else None


def decode(cell):
    return None if cell == "-" else bytes.fromhex(cell[1:])


def text(raw):
    return None if raw is None else json.loads('"' + raw.decode("utf-8", "replace") + '"', strict=False)


def whole(text):
    return re.sub("[\ud800-\udfff]", "\ufffd", text)


def check_rest(members, key, rest):
    assert (key in members) == (rest is not None), key
    if rest is not None:
        value, _ = json.JSONDecoder(strict=False).raw_decode(rest.decode("utf-8", "replace"))
        assert json.dumps(value) == json.dumps(members[key]), key


def check(cells):
    cells = list(map(decode, cells))
    line, found, has_context, course_id, source, event_type, page, rest, name, time, username, user, module, owner = cells
    line = line.decode("utf-8", "replace")
    try:
        event = json.loads(line[line.index("{"):], strict=False)
    except ValueError:
        return 0, 0
    assert found is not None, "not taken for an event"
    context = event.get("context")
    assert isinstance(context, dict) == (has_context is not None), "context"
    string = lambda value: value if isinstance(value, str) else None
    assert string((context if isinstance(context, dict) else {}).get("course_id")) == text(course_id), "course_id"
    assert string(event.get("event_source")) == text(source), "event_source"
    assert string(event.get("event_type")) == text(event_type), "event_type"
    assert string(event.get("page")) == text(page), "page"
    assert string(event.get("name")) == text(name), "name"
    assert string(event.get("time")) == text(time), "time"
    assert string(event.get("username")) == text(username), "username"
    check_rest(event, "event", rest)
    inside = context if isinstance(context, dict) else {}
    check_rest(inside, "user_id", user)
    check_rest(inside, "module", module)
    expected = course(event)
    owner = None if owner is None else owner.decode()
    assert (None if expected is None else whole(expected)) == owner, f"{expected} but {owner}"
    return 1, owner is not None


parsed = with_course = 0
for row in sys.stdin:
    cells = row.split()
    try:
        is_parsed, has_course = check(cells)
    except AssertionError as difference:
        print(difference, decode(cells[0]))
        sys.exit()
    parsed += is_parsed
    with_course += has_course
print("agreed", parsed, with_course)
