"""cases: the data format of tests/cases (see README.md there), read and written."""

import pathlib
import re
from dataclasses import dataclass, field

HERE = pathlib.Path(__file__).parent

# Stands behind every message that is whole or refused. It must be read as a message of its own, or
# not at all.
REQUEST_MARKER = b"GET /marker HTTP/1.1\r\nHost: marker\r\n\r\n"
RESPONSE_MARKER = b"HTTP/1.1 299 Marker\r\nContent-Length: 6\r\n\r\nmarker"


@dataclass
class Sight:
    """One message as a strict reader sees it."""

    start: tuple  # of a request: method, target, host; of a response: (status,); of a body: ()
    framing: str  # none, length, chunked or close
    body: bytes = b""

    def line(self):
        words = [escape(word.encode("latin-1")) or "-" for word in self.start] + [self.framing]
        return " ".join(words) + (" " + escape(self.body) if self.body else "")


@dataclass
class Case:
    name: str
    rule: str
    kind: str  # request, response or body
    data: bytes
    then: str  # what becomes of the connection, or the status of the refusal
    to: str = "GET"  # of a response: the method it answers
    sees: list = field(default_factory=list)
    passes: list = field(default_factory=list)  # "Name: value" that the next hop gets
    drops: list = field(default_factory=list)  # names that it does not get
    story: str = ""

    @property
    def is_complete(self):
        return self.then != "more"

    @property
    def marker(self):
        """What stands behind the case's bytes."""
        if not self.is_complete:
            return b""
        return RESPONSE_MARKER if self.kind == "response" else REQUEST_MARKER


def escape(data):
    """Bytes as printable ASCII without leading or trailing blanks; runs of one byte are short."""
    def run(found):
        return f"\\{{{len(found[0])}*{one(found[0][:1])}}}"

    def one(byte):
        named = {b"\r": "\\r", b"\n": "\\n", b"\t": "\\t", b"\\": "\\\\"}.get(byte)
        if named:
            return named
        return byte.decode("ascii") if b" " <= byte <= b"~" else f"\\x{byte[0]:02x}"

    text = ""
    for found in re.finditer(rb"(.)\1{39,}|.", data, re.DOTALL):
        text += run(found) if len(found[0]) > 1 else one(found[0])
    if text.startswith(" "):
        text = "\\x20" + text[1:]
    return text[:-1] + "\\x20" if text.endswith(" ") else text


ESCAPES = re.compile(r"\\(?:x([0-9a-f]{2})|([rnt\\])|"
                     r"\{(\d+)\*((?:[^\\}]|\\x[0-9a-f]{2}|\\[rnt\\])+)\})")


def unescape(text):
    def bytes_of(found):
        code, letter, count, what = found.groups()
        if count:
            return ESCAPES.sub(bytes_of, what) * int(count)
        return chr(int(code, 16)) if code else {"r": "\r", "n": "\n", "t": "\t"}.get(letter, "\\")

    assert "\\" not in ESCAPES.sub("", text), f"an unknown escape: {text}"
    return ESCAPES.sub(bytes_of, text).encode("latin-1")


def parse_sight(kind, text):
    count = {"request": 3, "response": 1, "body": 0}[kind]
    words = text.split(" ", count + 1)
    start = tuple("" if word == "-" else unescape(word).decode("latin-1") for word in words[:count])
    return Sight(start, words[count], unescape(words[count + 1]) if len(words) > count + 1 else b"")


def parse(text, origin="?"):
    """The cases of one file."""
    cases = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        word, _, rest = line.partition(" ")
        if word == "case":
            cases.append(Case(rest, "", "", b"", ""))
            continue
        case = cases[-1]
        if word == "|":
            case.data += unescape(rest)
        elif word in ("request", "response", "body"):
            case.kind, case.to = word, rest.removeprefix("to ") or "GET"
        elif word == "sees":
            case.sees.append(parse_sight(case.kind, rest))
        elif word in ("passes", "drops"):
            getattr(case, word).append(rest)
        elif word in ("rule", "story", "then"):
            setattr(case, word, rest)
        else:
            raise ValueError(f"{origin}:{number}: {line}")
    return cases


def text_of(case):
    lines = [f"case {case.name}", f"rule {case.rule}"]
    lines += [f"story {case.story}"] if case.story else []
    lines.append(case.kind + (f" to {case.to}" if case.to != "GET" else ""))
    lines += ["| " + escape(line) for line in case.data.splitlines(keepends=True)]
    lines += ["sees " + sight.line() for sight in case.sees]
    lines += [f"passes {one}" for one in case.passes] + [f"drops {one}" for one in case.drops]
    return "\n".join([*lines, f"then {case.then}", "", ""])


def by_hand():
    """The cases of the files beside this one."""
    found = []
    for path in sorted(HERE.glob("*.case")):
        found += parse(path.read_text(), path.name)
    return found
