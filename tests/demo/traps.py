"""Counts the traps of data-package.md 17.1 and 18 in one day's log on standard input; argument: the log's date."""

import collections
import json
import sys

DATE = sys.argv[1]
ORDINARY = {"UniX/BIO-1.2x/2014_T1", "course-v1:UniX+CHEM+R1"}
found = collections.Counter()
lines = sys.stdin.buffer.read().split(b"\n")
assert lines.pop() == b"", "the last line must end"
seen = set()
parsed = 0


def look_at_bytes(line):
    found["syslog prefix"] += line.startswith(b"Sep  9 ")
    found["cut at 2043"] += not line.endswith(b"}") and len(line) > 1000
    found["cut early"] += line.endswith(b'"def f(x):')
    found["long line"] += len(line) > 50_000
    found["repeated line"] += line in seen
    found["NaN"] += b": NaN" in line
    found["raw control character"] += b"\x01\t" in line
    found["escaped id"] += b'"course_id": "course-v1\\u003A' in line or b'"course_id": "UniX\\/' in line
    found["compact"] += line.startswith(b'{"username":"') or line.startswith(b'{"context":{')
    found["raw U+2028"] += "\u2028".encode() in line
    found["lone surrogate"] += b"\\ud83d " in line
    found["repeated key"] += line.count(b'"course_id": ') > 1 and b"OtherX/First/R0" in line
    try:
        line.decode()
    except UnicodeDecodeError:
        found["invalid UTF-8"] += 1


def look_at_event(e):
    found["source " + e["event_source"]] += 1
    found["another day"] += not e["time"].startswith(DATE)
    found["no fraction in time"] += "." not in e["time"]
    found["no offset in time"] += "+" not in e["time"]
    found["browser problem_check"] += e["event_source"] == "browser" and e["event_type"] == "problem_check"
    found["server problem_check"] += e["event_source"] == "server" and e["event_type"] == "problem_check"
    found["extra keys"] += "augmented" in e
    look_at_payload(e)
    if "context" not in e:
        found["no context"] += 1
        return
    found["empty context"] += e["context"] == {}
    found["envelope in context"] += "agent" in e["context"]
    look_at_ids(e, e["context"])


def look_at_payload(e):
    p = e.get("event", "missing")
    if isinstance(p, str) and p.startswith("{"):
        found["payload text"] += 1
        found["payload cut at 512"] += len(p) == 512 and "POST" in p
        found["course id in the payload's text"] += "OtherX/No/R1" in p
    elif isinstance(p, str):
        found["payload " + ("list in text" if p.startswith("[") else "with quotes" if p.startswith('"') else
                            "url-encoded" if "=" in p else "empty" if p == "" else "words")] += 1
    else:
        found["payload " + type(p).__name__] += 1


def look_at_ids(e, c):
    user = c.get("user_id", "missing")
    found["user " + ("missing" if user == "missing" else "empty" if user == "" else type(user).__name__)] += 1
    i = c.get("course_id", "missing")
    found["course id " + type(i).__name__] += 1
    if isinstance(i, str):
        found["padded id"] += i != i.strip()
        found["library id"] += i.startswith("library-v1:")
        found["another organisation"] += i.startswith(("OtherX/", "course-v1:OtherX+"))
        found["foreign ccx"] += i.startswith("ccx-v1:UniX_Extension+")
        found["own ccx"] += i.startswith("ccx-v1:UniX+")
        found["invalid id"] += i == "not a course id"
        found["missing id"] += i == "missing"
    if i in ("", None, "missing"):
        page, kind = e.get("page") or "", e["event_type"]
        payload = e.get("event") if isinstance(e.get("event"), dict) else {}
        found["dashboard"] += page.endswith("/dashboard")
        found["course in page only"] += "/courses/" in page and "%" not in page and "#" not in page
        found["course in event_type only"] += kind.startswith("/courses/") and "/xblock/" not in kind
        found["percent-encoded address"] += "%2F" in page or "%3A" in page or "/courses/UniX/" in page
        found["old xblock address"] += "/xblock/i4x:;_;_" in kind
        found["api address"] += kind.startswith("/api/courses/v1/courses/")
        found["fragment"] += page.endswith("#")
        found["course in event.course_id only"] += "course_id" in payload
        found["course in block id only"] += "problem_id" in payload


for line in lines:
    look_at_bytes(line)
    seen.add(line)
    try:
        event = json.loads(line)
    except ValueError:
        continue
    parsed += 1
    look_at_event(event)

assert parsed >= 0.95 * len(lines), (parsed, len(lines))
average = sum(map(len, lines)) / len(lines)
assert 900 < average < 1500, average
EXPECTED = """payload dict,payload list,payload url-encoded,payload with quotes,payload empty,payload text,payload cut at 512,
user int,user empty,user NoneType,user missing,user str,course id str,course id int,course id NoneType"""
for name in EXPECTED.replace("\n", "").split(","):
    found[name] += 0
absent = sorted(name for name, count in found.items() if count == 0)
print("not found: " + ", ".join(absent) if absent else "every trap is there")
