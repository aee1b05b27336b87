"""mutate: good messages, and what spoils them in one place at a time: a byte before a name, between
name and colon, around a value, another value. What the result comes to is what strict.py says; a
mutation that is known to be no HTTP says so itself, as `must`."""

import strict
from cases import Case, unescape

NAMES = {0: "NUL", 8: "BS", 9: "TAB", 10: "LF", 11: "VT", 12: "FF", 13: "CR", 27: "ESC", 32: "SP",
         127: "DEL", 133: "NEL", 160: "NBSP"}
# One of every kind of byte that some reader somewhere takes for a blank, an end or a letter.
CONTROLS = [0, 1, 8, 10, 11, 12, 13, 27, 31, 127]
DELIMITERS = [ord(c) for c in '"(),/:;<=>?@[\\]{}']
TOKENS = [ord(c) for c in "!'*-._x|0"]
HIGH = [128, 133, 160, 255]
EVERY_KIND = CONTROLS + [9, 32] + DELIMITERS + TOKENS + HIGH

CHUNKED = b"5\r\nhello\r\n0\r\n\r\n"


def label(data):
    """Bytes as a part of a name: printable and without blanks."""
    if not data:
        return "nothing"
    return "".join(NAMES.get(b, chr(b) if 33 <= b <= 126 else f"x{b:02x}") for b in data[:24])


def case(name, rule, kind, data, to="GET", must=""):
    """A case whose verdict is the strict reader's. `must` is what the family knows already."""
    made = Case(name, rule, kind, data, "", to)
    made.sees, made.then = strict.read(made)
    assert made.then != "early", name
    if must == "refused":
        assert made.then.isdigit() or made.then in ("bad", "cut"), (name, data, made.then)
    elif must:
        assert made.then == must, (name, data, made.then)
    return made


def table(text):
    """(name, bytes) of each line: a name, blanks, and bytes with the escapes of a case file. No
    bytes are written as `-`."""
    for line in text.strip().splitlines():
        name, data = line.split(None, 1)
        yield name, b"" if data == "-" else unescape(data)


def places(text, every=EVERY_KIND):
    """The rows of a table with each kind of byte in the place of `@`."""
    rows = list(table(text))
    for byte in every:
        one = bytes([byte])
        for name, data in rows:
            yield f"{label(one)}-{name}", data.replace(b"@", one)


class Field:
    """A field that matters, in a good request: the start line before it, other fields, the body."""

    def __init__(self, name, value, line, body, others, values):
        self.name, self.value, self.line = name, value, line
        self.body, self.others, self.values = body, others, values
        initials = "".join(word[0] for word in name.decode().lower().split("-"))
        self.key = initials if b"-" in name else name.decode().lower()

    def request(self, line, body=None):
        """A request with that line; the body as the good value frames it, unless given."""
        body = self.body if body is None else body
        return self.line + self.others + line + b"\r\n" + body

    def is_named_by(self, name):
        return name.lower() == self.name.lower()


POST, GET = b"POST /up HTTP/1.1\r\n", b"GET /a HTTP/1.1\r\n"
HOST = b"Host: a\r\n"

TE_VALUES = [
    b"", b"chunked", b"Chunked", b"CHUNKED", b"chunKed", b"identity", b"gzip", b"x", b"xchunked",
    b"chunkedx", b"chunke", b"chunk", b"chunked, chunked", b"chunked,chunked", b"gzip, chunked",
    b"gzip,chunked", b"chunked, gzip", b"chunked, identity", b"identity, chunked", b",chunked",
    b"chunked,", b", ,", b"chunked;", b"chunked;q=1", b"chunked;ext=1", b"gzip;q=1, chunked",
    b"\"chunked\"", b"'chunked'", b"<chunked>", b"{chunked}", b"chunked\x00", b"\x00chunked",
    b"chu\x00nked", b"chu nked", b"chunked chunked", b"chunked x", b"x chunked", b"cow",
    b"cow, chunked", b"%63hunked", b"=chunked", b"chunked=", b"chunked\xa0", b"\xa0chunked",
    b"chun\xe2\x84\xaaed", b"chunked\t\t", b"deflate, gzip, chunked", b"trailers",
    b"chunked\\", b"*", b"null",
]
CL_VALUES = [
    b"", b"5", b"05", b"00000000000000000005", b"+5", b"-5", b"-0", b"+0", b"0", b"00", b"5 ",
    b"5, 5", b"5,5", b"5, 6", b"5,", b",5", b", 5", b"5;", b"5 5", b"5\t5", b"5 6", b"0x5", b"0X5",
    b"x5", b"5x", b"5a", b"a", b"0b101", b"0o5", b"5.0", b"5.", b".5", b"5e0", b"5_0", b"1_0",
    b"\"5\"", b"'5'", b"(5)", b"five", b"NaN", b"inf", b"null", b"undefined", b"5\x00", b"\x005",
    b"5\x0b", b"\x0c5", b"5\xa0", b"\xa05", b"\xd9\xa5", b"\xef\xbc\x95", b"5%30", b"4294967301",
    b"9223372036854775807", b"9223372036854775808", b"18446744073709551615",
    b"18446744073709551616", b"18446744073709551621", b"99999999999999999999999999",
    b"-9223372036854775808", b"5\r\n 0", b"0, 5", b"*", b"5/5", b"4", b"6",
]
HOST_VALUES = [
    b"", b"a", b"A.EXAMPLE", b"a.", b"a:80", b"a:", b"a:0", b"a:65535", b"a:65536",
    b"a:99999999999999999999", b"a:-1", b"a:+80", b"a:8 0", b"a:80:80", b"a:http", b":80", b":",
    b"a b", b"a,b", b"a, b", b"a/b", b"a/", b"/a", b"a?b", b"a#b", b"a@b", b"u:p@a", b"@a",
    b"http://a", b"//a", b"a\\b", b"127.0.0.1", b"127.0.0.1:80", b"[::1]", b"[::1]:80", b"[::1",
    b"::1", b"[]", b"[::1]x", b"[::1]:", b"[::1]:x", b"[a]", b"[::ffff:1.2.3.4]", b"[v1.a]",
    b"[fe80::1%eth0]", b"[fe80::1%25eth0]", b"[::1]:80:80", b"[[::1]]", b"a%20b", b"a%2", b"a%zz",
    b"%", b"a\"b", b"<a>", b"a|b", b"a^b", b"a`b", b"a_b", b"a~b", b"a;b", b"(a)", b"*", b"\xe4",
    b"xn--4ca", b"a\x7f", b"a\x00", b"1", b"a..b", b"-a",
]
CONNECTION_VALUES = [
    b"", b"close", b"Close", b"CLOSE", b"keep-alive", b"close, close", b"x", b"close, keep-alive",
    b"keep-alive, close", b",close", b"close,", b",,close,,", b"close;", b"\"close\"", b"close x",
    b"clos", b"closed", b"connection", b"te", b"keep-alive, x, y", b"Host", b"host", b"x, Host",
    b"Content-Length", b"content-length, close", b"Transfer-Encoding", b"close, transfer-encoding",
    b"Authorization", b"Cookie", b"Set-Cookie", b"Expect", b"Via", b"Forwarded",
    b"X-Forwarded-For", b"x-forwarded-host", b"X-FORWARDED-PROTO", b"X-Forwarded-Anything",
    b"Date", b"Max-Forwards", b"Proxy-Authorization", b"upgrade", b"Upgrade, close", b"close\xa0",
    b"*", b"none", b"hos t", b"host:", b"Host;q=1",
]
EXPECT_VALUES = [
    b"", b"100-continue", b"100-Continue", b"100-CONTINUE", b"100-continu", b"100",
    b"100-continuee", b"x 100-continue", b"y 100-continue", b"100-continue, x", b"100-continue,",
    b",100-continue", b"100-continue, 100-continue", b"100-continue;q=1", b"\"100-continue\"",
    b"100 continue", b"100_continue", b"100-continue=1", b"200-ok", b"101-switching", b"continue",
    b"x", b"0", b"*", b"100-continue\xa0", b"100-\xc4\xb0continue", b"100\xe2\x80\x93continue",
]
UPGRADE_VALUES = [
    b"", b"websocket", b"WebSocket", b"WEBSOCKET", b"websocket/13", b"h2c", b"h2c, websocket",
    b"websocket, h2c", b"websocket,", b",websocket", b"web socket", b"websocket;",
    b"\"websocket\"", b"websocket/", b"/websocket", b"websocket//1", b"TLS/1.0",
    b"IRC/6.9, RTA/x11", b"websocketx", b"xwebsocket", b"connect-udp", b"HTTP/2.0",
    b"websocket/13/1", b"@", b"websocket, @", b"websocket\xa0",
    b", ".join(b"p%d" % n for n in range(16)), b", ".join(b"p%d" % n for n in range(17)),
    b", ".join([*(b"p%d" % n for n in range(15)), b"websocket"]),
    b", ".join([*(b"p%d" % n for n in range(16)), b"websocket"]),
]

FIELDS = [
    Field(b"Transfer-Encoding", b"chunked", POST, CHUNKED, HOST, TE_VALUES),
    Field(b"Content-Length", b"5", POST, b"hello", HOST, CL_VALUES),
    Field(b"Host", b"a", GET, b"", b"X: y\r\n", HOST_VALUES),
    Field(b"Connection", b"close", GET, b"", HOST, CONNECTION_VALUES),
    Field(b"Expect", b"100-continue", POST, b"hello", HOST + b"Content-Length: 5\r\n",
          EXPECT_VALUES),
    Field(b"Upgrade", b"websocket", GET, b"", HOST + b"Connection: upgrade\r\n", UPGRADE_VALUES),
]
FRAMING = FIELDS[:2]


def spoiled_names(f):
    """(label, name with what stands before and behind it, must)."""
    for byte in EVERY_KIND:
        one = bytes([byte])
        must = "" if byte in TOKENS else "refused"
        yield f"{label(one)}-before-name", one + f.name, must
        if byte != ord(":"):
            yield f"{label(one)}-behind-name", f.name + one, must
        if byte not in DELIMITERS:
            yield f"{label(one)}-in-name", f.name[:3] + one + f.name[3:], must
    yield "fold-before-name", b"X: y\r\n " + f.name, "refused"
    yield "fold-behind-name", f.name + b"\r\n ", "refused"
    yield "byte-order-mark-before-name", b"\xef\xbb\xbf" + f.name, "refused"
    yield "name-in-upper-case", f.name.upper(), ""
    yield "name-in-lower-case", f.name.lower(), ""
    yield "name-in-mixed-case", f.name.swapcase(), ""
    yield "name-with-underscore", f.name.replace(b"-", b"_") + b"_", ""
    yield "name-twice", f.name + b": " + f.name, ""
    if b"-" in f.name:
        yield "name-without-dash", f.name.replace(b"-", b""), ""
        yield "name-with-space-for-dash", f.name.replace(b"-", b" "), "refused"


def spoiled_values(f):
    """(label, what stands between the colon and the end of the line, must)."""
    for byte in EVERY_KIND:
        one = bytes([byte])
        must = "refused" if byte in CONTROLS else ""
        yield f"{label(one)}-before-value", b" " + one + f.value, must
        yield f"{label(one)}-behind-value", b" " + f.value + one, must
        if byte in CONTROLS + HIGH:
            yield f"{label(one)}-for-the-space", one + f.value, must
            yield f"{label(one)}-in-value", b" " + f.value[:1] + one + f.value[1:], must
    yield "no-space", f.value, ""
    yield "two-spaces", b"  " + f.value, ""
    yield "blanks-around-value", b"\t " + f.value + b" \t", ""
    yield "many-blanks-around-value", b" " * 300 + f.value + b" " * 300, ""
    yield "second-colon", b":" + f.value, ""
    yield "fold-before-value", b"\r\n " + f.value, "refused"
    yield "fold-with-tab-before-value", b"\r\n\t" + f.value, "refused"
    yield "fold-behind-value", b" " + f.value + b"\r\n ", "refused"
    yield "fold-in-value", b" " + f.value[:1] + b"\r\n " + f.value[1:], "refused"
    yield "CR-CR-LF", b" " + f.value + b"\r", "refused"
    yield "bare-LF-fold", b"\n " + f.value, "refused"
    yield "escaped-CR-LF", b" " + f.value + b"\\r\\nX: y", ""
