"""strict: a strict reader of HTTP/1.1, written from the rules with patterns instead of a state
machine. It says what the generated cases must come to, and is held against those written by hand.

Each reader returns the messages it saw and what becomes of the connection: `next` (another message
may follow), `close`, `more` (the last message is not over), a status (the message is refused) or,
for a response, `cut` (refused after its head was given on)."""

import ipaddress
import re

from cases import Sight

TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
VALUE = rb"[\t -~\x80-\xff]*"
FIELD = re.compile(rb"(%s):(%s)" % (TOKEN, VALUE))
METHOD = re.compile(TOKEN)
TARGET = re.compile(rb"[!\"$-~]+")
ABSOLUTE = re.compile(rb"https?://([^/?]*)(.*)", re.IGNORECASE)
VERSION = re.compile(rb"HTTP/([0-9])\.([0-9])")
STATUS = re.compile(rb"([1-5][0-9][0-9])(?: (%s))?" % VALUE)
AUTHORITY = re.compile(rb"(?:\[([0-9A-Fa-f:.]+)\]|(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+)"
                       rb"(?::([0-9]*))?")
PROTOCOL = re.compile(rb"%s(?:/%s)?" % (TOKEN, TOKEN))
SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})(?:;[\t -~]{0,256})?")
PART_OF_SIZE = re.compile(rb"(?:[0-9A-Fa-f]{0,16}|[0-9A-Fa-f]{1,16}(?:;[\t -~]{0,256})?\r?)")
PART_OF_TRAILER = re.compile(rb"(?:%s(?::%s)?)?|%s:%s\r|\r" % (TOKEN, VALUE, TOKEN, VALUE))

START_LINE_MAX, HEAD_MAX, FIELDS_MAX = 8192, 32768, 128
METHOD_MAX, OFFERS_MAX, NOMINATED_MAX, TRAILER_MAX = 32, 16, 64, 8192
LENGTH_MAX = 2 ** 63 - 1
PROTECTED = {b"authorization", b"content-length", b"cookie", b"date", b"expect", b"forwarded",
             b"host", b"max-forwards", b"proxy-authorization", b"set-cookie", b"transfer-encoding",
             b"via", b"x-request-id"}


class Refused(Exception):
    """With the status of the answer."""


class Incomplete(Exception):
    """More bytes are needed."""


def need(condition, status):
    if not condition:
        raise Refused(status)


class Head:
    def __init__(self, fields, minor):
        self.fields = fields
        self.minor = min(minor, 1)

    def all(self, name):
        return [value for n, value in self.fields if n.lower() == name]

    def members(self, name):
        found = [m.strip(b" \t") for value in self.all(name) for m in value.split(b",")]
        return [member.lower() for member in found if member]


def split_head(data, at, start, status):
    """The lines of a head that begins at `start`, behind empty lines from `at` on, and its end."""
    first = data.find(b"\n", start)
    need((first if first >= 0 else len(data)) - start <= START_LINE_MAX + 1 or status != 400, 414)
    end = data.find(b"\r\n\r\n", start)
    bare = re.search(rb"(?<!\r)\n", data[start:end + 4 if end >= 0 else len(data)])
    need(bare is None, status)
    size = (end + 4 if end >= 0 else len(data) + 1) - at
    need(size <= HEAD_MAX, 431 if status == 400 else status)
    if end < 0:
        raise Incomplete
    return data[start:end].split(b"\r\n"), end + 4


def read_fields(lines, status):
    fields = []
    for line in lines:
        found = FIELD.fullmatch(line)
        need(found, status)
        need(len(fields) < FIELDS_MAX, 431 if status == 400 else status)
        fields.append((found[1], found[2].strip(b" \t")))
    return fields


def is_authority(text):
    found = AUTHORITY.fullmatch(text)
    if not found or int(found[2] or 0) > 65535:
        return False
    if found[1] is None:
        return True
    try:
        ipaddress.IPv6Address(found[1].decode())
    except ValueError:
        return False
    return True


def read_target(method, target):
    """(path with query, authority or None)."""
    if target.startswith(b"/") or (method == b"OPTIONS" and target == b"*"):
        return target, None
    found = ABSOLUTE.fullmatch(target)
    need(found and is_authority(found[1]), 400)
    path = found[2]
    if not path.startswith(b"/"):
        path = b"*" if method == b"OPTIONS" and not path else b"/" + path
    return path, found[1]


def read_request_line(line):
    method, _, rest = line.partition(b" ")
    need(METHOD.fullmatch(method), 400)
    need(len(method) <= METHOD_MAX and method != b"CONNECT", 501)
    target, _, version = rest.partition(b" ")
    need(TARGET.fullmatch(target), 400)
    found = VERSION.fullmatch(version)
    need(found, 400)
    need(found[1] == b"1", 505)
    return method, *read_target(method, target), int(found[2])


def read_host(head):
    hosts = head.all(b"host")
    need(len(hosts) <= 1 and (hosts or head.minor == 0), 400)
    if not hosts or (not hosts[0] and head.minor == 0):
        return b""
    need(is_authority(hosts[0]), 400)
    return hosts[0]


def read_framing(head, status):
    """(kind, length) from the fields alone; `none` when they say nothing."""
    codings, lengths = head.all(b"transfer-encoding"), head.all(b"content-length")
    if codings:
        need(head.minor == 1 and not lengths and len(codings) == 1, status)
        if codings[0].lower() == b"chunked":
            return "chunked", 0
        members = head.members(b"transfer-encoding")
        is_list = (len(members) > 1 and members[-1] == b"chunked" and
                   members.count(b"chunked") == 1 and all(map(METHOD.fullmatch, members)))
        raise Refused(501 if is_list and status == 400 else status)
    if lengths:
        need(len(lengths) == 1 and re.fullmatch(rb"[0-9]+", lengths[0]), status)
        need(int(lengths[0]) <= LENGTH_MAX, status)
        return "length", int(lengths[0])
    return "none", 0


def check_nominations(head):
    need(len(head.members(b"connection")) <= NOMINATED_MAX, 400)
    for name in head.members(b"connection"):
        need(name not in PROTECTED and not name.startswith(b"x-forwarded-"), 400)


def check_expectation(head):
    values = head.all(b"expect")
    if values and head.minor == 1:
        need(len(values) == 1 and values[0].lower() == b"100-continue", 417)


def offers_websocket(head, has_body):
    """Whether the request asks for an upgrade that the built-in rules forward."""
    members = head.members(b"upgrade")
    return (head.minor == 1 and not has_body and b"upgrade" in head.members(b"connection") and
            0 < len(members) <= OFFERS_MAX and all(map(PROTOCOL.fullmatch, members)) and
            b"websocket" in members)


def keeps_alive(head):
    tokens = head.members(b"connection")
    return b"close" not in tokens and (head.minor == 1 or b"keep-alive" in tokens)


class Chunks:
    """Reads one chunked body off the front of some bytes."""

    def __init__(self, data):
        self.data = data
        self.at = 0
        self.body = b""
        self.overhead = 0
        self.trailers = []
        while self.chunk():
            pass
        self.read_trailers()

    def spend(self, count):
        self.overhead += count
        need(self.overhead <= 16384 + len(self.body), 400)

    def line(self, whole, part):
        """The match of the next line."""
        end = self.data.find(b"\n", self.at)
        line = self.data[self.at:] if end < 0 else self.data[self.at:end]
        if end < 0:
            need(part.fullmatch(line), 400)
            self.spend(len(line))
            raise Incomplete
        found = whole.fullmatch(line[:-1]) if line.endswith(b"\r") else None
        need(found, 400)
        self.spend(end + 1 - self.at)
        self.at = end + 1
        return found

    def chunk(self):
        size = int(self.line(SIZE, PART_OF_SIZE)[1], 16)
        if size == 0:
            return False
        piece = self.data[self.at:self.at + size]
        self.body += piece
        self.at += len(piece)
        end = self.data[self.at:self.at + 2]
        if len(piece) < size:
            raise Incomplete
        need(b"\r\n".startswith(end), 400)
        self.spend(len(end))
        if len(end) < 2:
            raise Incomplete
        self.at += 2
        return True

    def read_trailers(self):
        start = self.at
        line = re.compile(rb"(?:%s:%s)?" % (TOKEN, VALUE))
        while True:
            field = self.line(line, PART_OF_TRAILER)[0]
            if not field:
                return
            need(self.at - start <= TRAILER_MAX, 400)
            self.trailers.append(field)


def read_body(data, framing, length):
    """(body, bytes used)."""
    if framing == "none":
        return b"", 0
    if framing == "length":
        if len(data) < length:
            raise Incomplete
        return data[:length], length
    chunks = Chunks(data)
    return chunks.body, chunks.at


def read_request(data, at, sees):
    """Reads one request; where the next one starts, or None if there can be none."""
    start = at
    while data.startswith(b"\r\n", start) and start < at + 4:
        start += 2
    if data[start:] in (b"", b"\r") and start < at + 4:
        raise Incomplete
    if data[start:]:
        need(METHOD.match(data, start), 400)
    else:
        raise Incomplete
    lines, end = split_head(data, at, start, 400)
    method, path, authority, minor = read_request_line(lines[0])
    head = Head(read_fields(lines[1:], 400), minor)
    host = read_host(head)
    framing, length = read_framing(head, 400)
    check_nominations(head)
    check_expectation(head)
    body, used = read_body(data[end:], framing, length)
    words = [word.decode("latin-1") for word in (method, path, authority or host)]
    sees.append(Sight(tuple(words), framing, body))
    has_body = framing == "chunked" or length > 0
    if not keeps_alive(head) or offers_websocket(head, has_body):
        return None
    return end + used


def read_requests(data):
    sees, at = [], 0
    try:
        while at is not None and at < len(data):
            at = read_request(data, at, sees)
    except Refused as refusal:
        return sees, str(refusal)
    except Incomplete:
        return sees, "more"
    return sees, "close" if at is None else "next"


def read_response(data, at, to, sees):
    need(at == len(data) or data[at:at + 1] == b"H", 502)
    lines, end = split_head(data, at, at, 502)
    version, _, rest = lines[0].partition(b" ")
    found, status = VERSION.fullmatch(version), STATUS.fullmatch(rest)
    need(found and status and found[1] == b"1", 502)
    code = int(status[1])
    head = Head(read_fields(lines[1:], 502), int(found[2]))
    if code < 200:
        need(code != 101, 502)
        sees.append(Sight((str(code),), "none"))
        return read_response(data, end, to, sees)
    framing, length = read_framing(head, 502)
    if to == "HEAD" or code in (204, 304):
        framing = "none"
    elif framing == "none":
        framing = "close"
    try:
        body = data[end:] if framing == "close" else read_body(data[end:], framing, length)[0]
    except Refused:
        return "cut"
    sees.append(Sight((str(code),), framing, body))
    return "next" if framing != "close" and keeps_alive(head) else "close"


def read_responses(data, to="GET"):
    """The interim responses and the final one; the connection is another request's afterwards."""
    sees = []
    try:
        return sees, read_response(data, 0, to, sees)
    except Refused as refusal:
        return sees, str(refusal)
    except Incomplete:
        return sees, "more"


def read_chunked(data):
    """A chunked body alone; `early` if it is over before its bytes are, which no case may be."""
    try:
        chunks = Chunks(data)
    except Refused:
        return [], "bad"
    except Incomplete:
        return [], "more"
    return [Sight((), "chunked", chunks.body)], "next" if chunks.at == len(data) else "early"


def read(case):
    """What a case comes to, by this reader."""
    if case.kind == "request":
        return read_requests(case.data)
    if case.kind == "response":
        return read_responses(case.data, case.to)
    return read_chunked(case.data)
