"""Reads events as the contract says: a structural walk, values not validated, of a repeated key the last.

A value is ("object", {name: value}), ("array", [value]), ("string", text) or ("atom", text), with its source text third.
"""

import math
import re
from datetime import datetime, timedelta, timezone

TOKEN = re.compile(rb'[ \t\r\n]*("[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]:,]|[^ \t\r\n"{}\[\]:,]+)', re.S)
ESCAPE = re.compile(r"\\(?:(u[0-9a-fA-F]{4})|(.?))", re.S)
LETTERS = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?\Z")
TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):?(\d\d))?\Z", re.ASCII
)
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
REPLACEMENT = "\ufffd"


def plain(raw):
    """Bytes as text; what is no UTF-8 is replaced, and NUL, at which SQLite's readers end a text, becomes its picture."""
    return raw.decode("utf-8", "replace").replace("\0", "\u2400")


def unescaped(raw):
    """The text of a JSON string, given without its quotes."""

    def one(match):
        if match[1]:
            return chr(int(match[1][1:], 16))
        if match[2] == "u":
            return REPLACEMENT
        return LETTERS.get(match[2], REPLACEMENT)

    text = ESCAPE.sub(one, raw.decode("utf-8", "replace"))
    # Two halves of a pair become one character, a half alone is replaced.
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").replace("\0", "\u2400")


class Walk:
    """One pass over the tokens of a text; `end` is where the value ended."""

    def __init__(self, text, start):
        self.text, self.end = text, start

    def token(self):
        match = TOKEN.match(self.text, self.end)
        if not match:
            raise ValueError("the text ends inside a value")
        self.end = match.end()
        return match.start(1), match[1]

    def value(self, begin, token):
        if token[:1] == b'"':
            return ("string", unescaped(token[1:-1]), token)
        if token == b"{":
            return ("object", self.members(), self.text[begin:self.end])
        if token == b"[":
            return ("array", self.elements(), self.text[begin:self.end])
        if token in (b"}", b"]", b":", b","):
            raise ValueError("a bracket that nothing opened")
        return ("atom", plain(token), token)

    def members(self):
        found, name = {}, None
        begin, token = self.token()
        while token != b"}":
            if token == b"]":
                raise ValueError("brackets do not match")
            if token == b":" and name is not None:
                value = self.value(*self.token())
                found.pop(name, None)
                found[name] = value
                name = None
            elif token not in (b":", b","):
                kind, text, _ = self.value(begin, token)
                name = text if kind == "string" else None
            begin, token = self.token()
        return found

    def elements(self):
        found = []
        begin, token = self.token()
        while token != b"]":
            if token not in (b":", b","):
                found.append(self.value(begin, token))
            begin, token = self.token()
        return found


def object_at(text, start):
    """The members of the object that begins there with only white space behind it; None if there is no such object."""
    walk = Walk(text, start)
    try:
        begin, token = walk.token()
        value = walk.value(begin, token)
    except (ValueError, RecursionError):
        return None
    return value[1] if value[0] == "object" and not text[walk.end:].strip(b" \t\r\n") else None


def event_of(line):
    """The members of a line's event; None where the line is none."""
    start = line.find(b"{")
    return None if start < 0 else object_at(line, start)


def string(members, name):
    """A member that is a string, as text; else None."""
    kind, text, *_ = members.get(name, ("none", None))
    return text if kind == "string" else None


def nested(members, name):
    """A member that is an object, as its members; else none."""
    kind, inner, *_ = members.get(name, ("none", None))
    return inner if kind == "object" else {}


def payload_of(event):
    """The members of the payload, an object or the text of one; None where it does not parse."""
    kind, content, *_ = event.get("event", ("none", None))
    if kind == "object":
        return content
    return object_at(content.encode(), 0) if kind == "string" else None


def user_of(event):
    kind, text, *_ = nested(event, "context").get("user_id", ("none", ""))
    if kind == "string":
        text = text.strip()
    elif kind != "atom" or not NUMBER.match(text):
        text = ""
    return text if text and len(text.encode()) <= 255 else "undefined"


def user_order(user):
    """Numbers by value, other texts by their bytes, `undefined` last."""
    if user == "undefined":
        return (2, 0, 0, b"")
    if re.fullmatch("[0-9]+", user):
        return (0, int(user), len(user), b"")
    return (1, 0, 0, user.encode())


def number_of(members, name):
    """A finite number, also if it is written as a string; else None."""
    kind, text, *_ = members.get(name, ("none", ""))
    if kind == "string":
        text = text.strip()
    if kind not in ("atom", "string") or not NUMBER.match(text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def instant(text):
    """Microseconds since 1970; None where the text is no time."""
    match = TIME.match(text) if text is not None else None
    if not match:
        return None
    fraction = int(((match[7] or "") + "000000")[:6])
    try:
        moment = datetime(*map(int, match.groups()[:6]), fraction, tzinfo=timezone.utc)
    except ValueError:
        return None
    micros = (moment - EPOCH) // timedelta(microseconds=1)
    if match[8]:
        offset = (int(match[9]) * 60 + int(match[10])) * 60_000_000
        micros += -offset if match[8] == "+" else offset
    return micros


def moment(micros):
    return EPOCH + timedelta(microseconds=micros)


def shown(micros):
    """As time columns have it."""
    return None if micros is None else moment(micros).strftime("%Y-%m-%d %H:%M:%S.%f")


def day_of(micros):
    return moment(micros).strftime("%Y-%m-%d")
