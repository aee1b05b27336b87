"""families: the cases that are generated, a family for each part of a message."""

from cases import by_hand
from mutate import (CHUNKED, EVERY_KIND, FIELDS, FRAMING, GET, HOST, POST, case, label, places,
                    spoiled_names, spoiled_values, table)

VERSIONS = [
    b"HTTP/0.9", b"HTTP/1.0", b"HTTP/1.2", b"HTTP/1.9", b"HTTP/2.0", b"HTTP/2", b"HTTP/3",
    b"HTTP/9.9", b"HTTP/1", b"HTTP/1.", b"HTTP/.1", b"HTTP/11", b"HTTP/1.10", b"HTTP/1.01",
    b"HTTP/01.1", b"HTTP/1,1", b"HTTP/1.x", b"HTTP/x.1", b"HTTP/-1.1", b"HTTP/+1.1", b"http/1.1",
    b"Http/1.1", b"HTTPS/1.1", b"HTTP 1.1", b"HTTP//1.1", b"HTTP/1.1.1", b"HTTP/ 1.1",
    b"HTTP/1 .1", b"HTTP", b"H", b"ICY/1.1", b"RTSP/1.0", b"SIP/2.0", b"HTTP/1.1 x",
    b"HTTP/1.1 HTTP/1.1", b"\xc8TTP/1.1", b"HTTP/\xb9.1",
]
METHODS = [
    b"HEAD", b"OPTIONS", b"DELETE", b"PATCH", b"QUERY", b"PRI", b"get", b"M-SEARCH", b"A",
    b"X" * 32, b"X" * 33, b"X" * 300, b"CONNECT", b"connect", b"GET,POST", b"\"GET\"", b"GET:",
]
TARGETS = [
    b"/", b"//", b"//a/b", b"/a?b", b"/a??b", b"/?", b"?", b"?a", b"a", b"*", b"a:80", b"a.b",
    b"/%", b"/%00", b"/%0d%0aX:y", b"/%zz", b"/a/../b", b"/..", b"/a%2fb", b"/./", b"/a;b",
    b"/a\\b", b"/#a", b"/a#", b"http://b", b"http://b/", b"http://b/c?d", b"HTTP://b/c",
    b"https://b/c", b"http://b?c", b"http://b:81/", b"http://b:x/", b"http://b:/", b"http://",
    b"http:///c", b"http://:80/", b"http://u@b/", b"http://u:p@b/", b"http://b@/",
    b"http://[::1]/", b"http://[::1/", b"http://b b/", b"http://b,c/", b"http:/b", b"http:b",
    b"http:", b"ftp://b/", b"ws://b/", b"file:///b", b"javascript:b", b"http://b/#c",
    b"http://b\\c/", b"http://b%2fc/", b"http://b%/", b"data:,b", b"/" + b"a" * 8170,
    b"/" + b"a" * 8179, b"/" + b"a" * 9000,
]
SIZES = [
    b"", b"0x5", b"0X5", b"5h", b"x5", b"05", b"0005", b"0" * 15 + b"5", b"0" * 16 + b"5",
    b"0" * 40 + b"5", b"-5", b"+5", b"5,5", b"5 5", b"5.0", b"5e0", b"a", b"A", b"7fffffff",
    b"80000000", b"ffffffff", b"100000005", b"7fffffffffffffff", b"8000000000000000",
    b"ffffffffffffffff", b"10000000000000005", b"ffffffffffffffff5", b"4", b"6", b"b",
    b"\xef\xbc\x95", b"%35", b"\"5\"", b"null", b"chunk",
]
STATUSES = [
    b"", b"0", b"00", b"000", b"001", b"42", b"99", b"099", b"0200", b"20", b"2000", b"200.0",
    b"200 ", b"2OO", b"+200", b"-200", b"0x200", b"600", b"700", b"999", b"1000", b"599", b"299",
    b"418", b"200OK", b"\xb2\xb0\xb0", b"101",
]


def request_fields():
    for f in FIELDS:
        rule = f"the field {f.name.decode()} of a request"
        for name, spoiled, must in spoiled_names(f):
            # A name that is not this one frames nothing: no body then.
            line = spoiled + b": " + f.value + b"\r\n"
            body = None if f.is_named_by(spoiled) or must else b""
            yield case(f"{f.key}/{name}", rule, "request", f.request(line, body), must=must)
        for name, spoiled, must in spoiled_values(f):
            yield case(f"{f.key}/{name}", rule, "request",
                       f.request(f.name + b":" + spoiled + b"\r\n"), must=must)
        for number, value in enumerate(f.values):
            body = b"" if f.name == b"Content-Length" and value in (b"0", b"00") else None
            yield case(f"{f.key}/value-{number:02}-{label(value)}", rule, "request",
                       f.request(f.name + b": " + value + b"\r\n", body))
        for lines in (1, 2):
            again = b"%s: %s\r\n" % (f.name, f.value)
            other = b"%s: x\r\n" % f.name
            yield case(f"{f.key}/twice-equal-{lines}", rule, "request",
                       f.request(again + again * lines))
            yield case(f"{f.key}/twice-then-other-{lines}", rule, "request",
                       f.request(again + other * lines))
            yield case(f"{f.key}/twice-other-first-{lines}", rule, "request",
                       f.request(other * lines + again))
        line = b"%s: %s\r\n" % (f.name, f.value)
        yield case(f"{f.key}/in-http-1.0", rule, "request",
                   f.request(line).replace(b"HTTP/1.1", b"HTTP/1.0", 1))
        yield case(f"{f.key}/in-http-1.9", rule, "request",
                   f.request(line).replace(b"HTTP/1.1", b"HTTP/1.9", 1))
        yield case(f"{f.key}/first-with-a-blank-before", rule, "request",
                   f.line + b" " + line + f.others + b"\r\n" + f.body, must="refused")


CODINGS = [b"Transfer-Encoding: chunked", b"transfer-encoding:chunked",
           b"Transfer-Encoding: identity", b"Transfer-Encoding:", b"Transfer-Encoding: x",
           b"Transfer-Encoding: gzip, chunked"]
LENGTHS = [b"Content-Length: 5", b"Content-Length: 0", b"content-length:15", b"Content-Length:",
           b"Content-Length: x"]


def both_framings():
    """The two fields that frame, together, in both orders: never guessed."""
    rule = "Transfer-Encoding together with Content-Length is refused"
    for kind, start in (("request", POST + HOST), ("response", b"HTTP/1.1 200 OK\r\n")):
        for i, coding in enumerate(CODINGS):
            for j, length in enumerate(LENGTHS):
                for first, lines in (("coding", [coding, length]), ("length", [length, coding])):
                    data = start + b"\r\n".join(lines) + b"\r\n\r\n" + CHUNKED
                    yield case(f"both/{kind}-{first}-first-{i}-{j}", rule, kind, data,
                               must="refused")


LINE_PLACES = r"""
before-method   @GET /a HTTP/1.1
in-method       GE@T /a HTTP/1.1
behind-method   GET@/a HTTP/1.1
before-path     GET @/a HTTP/1.1
in-path         GET /a@b HTTP/1.1
in-query        GET /a?b=@c HTTP/1.1
before-version  GET /a@HTTP/1.1
behind-version  GET /a HTTP/1.1@
"""
BAD_LINES = r"""
nothing-but-a-method    GET
no-version              GET /a
no-version-but-a-space  GET /a\x20
no-target               GET HTTP/1.1
empty-target            GET  HTTP/1.1
two-targets             GET /a /b HTTP/1.1
two-spaces-first        GET  /a HTTP/1.1
two-spaces-last         GET /a  HTTP/1.1
a-status-line           HTTP/1.1 200 OK
the-http2-preface       PRI * HTTP/2.0
a-field                 Host: b
tls-hello               \x16\x03\x01\x02\x00\x01
socks                   \x05\x01\x00
proxy-line              PROXY TCP4 1 2 3 4
request-in-request      GET /a HTTP/1.1 GET /b HTTP/1.1
"""
BETWEEN_REQUESTS = r"""
one-empty-line     \r\n
two-empty-lines    \r\n\r\n
three-empty-lines  \r\n\r\n\r\n
bare-LF            \n
bare-CR            \r
LF-CR              \n\r
CR-CR-LF           \r\r\n
blank-line         \x20\r\n
tab-line           \t\r\n
CR-LF-LF           \r\n\n
CR-LF-space        \r\n\x20
"""


def request_lines():
    rule = "the request line: one space between three parts, every byte in its place"
    rest = HOST + b"\r\n"
    for name, line in places(LINE_PLACES, EVERY_KIND + [ord(c) for c in "#%^`"]):
        yield case(f"line/{name}", rule, "request", line + b"\r\n" + rest)
    for name, line in table(BAD_LINES):
        yield case(f"line/{name}", rule, "request", line + b"\r\n" + rest, must="refused")
    for version in VERSIONS:
        yield case(f"line/version-{label(version)}", rule, "request",
                   b"GET /a " + version + b"\r\n" + rest)
    for method in METHODS:
        yield case(f"line/method-{len(method)}-{label(method)}", rule, "request",
                   method + b" /a HTTP/1.1\r\n" + rest)
    for target in TARGETS:
        yield case(f"line/target-{len(target)}-{label(target)}", rule, "request",
                   b"GET " + target + b" HTTP/1.1\r\n" + rest)
    for target in (b"*", b"http://b", b"http://b?c", b"/", b"a:80"):
        yield case(f"line/options-{label(target)}", rule, "request",
                   b"OPTIONS " + target + b" HTTP/1.1\r\n" + rest)
    rule = "up to two empty lines come before a request"
    for name, data in table(BETWEEN_REQUESTS):
        yield case(f"line/{name}-first", rule, "request", data + GET + rest)
        yield case(f"line/{name}-between", rule, "request", GET + rest + data + GET + rest)


HEAD_ENDS = r"""
nothing         -
no-empty-line   \r\n
CR              \r
LF-LF           \n\n
CR-LF-LF        \r\n\n
LF-CR-LF        \n\r\n
LF-CR           \n\r\n\r
CR-CR           \r\r
CR-CR-LF        \r\r\n\r\n
CR-CR-LF-LF     \r\r\n\n
CR-LF-CR        \r\n\r
CR-LF-CR-X      \r\n\rX\r\n\r\n
CR-LF-SP-CR-LF  \r\n \r\n\r\n
CR-LF-TAB-CR-LF \r\n\t\r\n\r\n
NUL-line        \r\n\x00\r\n\r\n
VT-line         \r\n\x0b\r\n\r\n
"""
LINE_ENDS = r"""
bare-LF         \n
bare-CR         \r
LF-CR           \n\r
CR-CR-LF        \r\r\n
NUL-CR-LF       \x00\r\n
NEL             \x85
line-separator  \xe2\x80\xa8
"""


def ends_of_heads():
    rule = "a head ends in CRLF CRLF and nothing else"
    for name, end in table(HEAD_ENDS):
        yield case(f"end/request-{name}", rule, "request", GET + b"Host: a" + end)
        yield case(f"end/response-{name}", rule, "response",
                   b"HTTP/1.1 200 OK\r\nContent-Length: 0" + end)
    lines = [b"GET /a HTTP/1.1", b"Host: a", b"X: y", b"Z: z"]
    for position in range(len(lines)):
        for name, end in table(LINE_ENDS):
            data = b"".join(line + (end if at == position else b"\r\n")
                            for at, line in enumerate(lines))
            yield case(f"end/line-{position}-{name}", rule, "request", data + b"\r\n")


CHUNK_PLACES = r"""
before-size          @5\r\nhello\r\n0\r\n\r\n
in-size              0@5\r\nhello\r\n0\r\n\r\n
behind-size          5@\r\nhello\r\n0\r\n\r\n
for-CR-of-size       5@\nhello\r\n0\r\n\r\n
for-LF-of-size       5\r@hello\r\n0\r\n\r\n
in-extension         5;a@b\r\nhello\r\n0\r\n\r\n
for-CR-of-data       5\r\nhello@\n0\r\n\r\n
for-LF-of-data       5\r\nhello\r@0\r\n\r\n
behind-last-size     5\r\nhello\r\n0@\r\n\r\n
for-CR-of-end        5\r\nhello\r\n0\r\n@\n
for-LF-of-end        5\r\nhello\r\n0\r\n\r@
in-trailer-name      0\r\nA@b: c\r\n\r\n
behind-trailer-name  0\r\nA@: c\r\n\r\n
in-trailer-value     0\r\nA: b@c\r\n\r\n
"""
CHUNKS = r"""
extension                 5;a\r\nhello\r\n
extension-with-value      5;a=b\r\nhello\r\n
extension-quoted          5;a="b;c"\r\nhello\r\n
extension-unclosed-quote  5;a="b\r\nhello\r\n
extension-empty           5;\r\nhello\r\n
extension-many            5;a;b;c=d;;\r\nhello\r\n
extension-after-blank     5 ;a\r\nhello\r\n
extension-of-256          5;\{256*a}\r\nhello\r\n
extension-of-257          5;\{257*a}\r\nhello\r\n
extension-LF              5;a\nb\r\nhello\r\n
extension-CR              5;a\rb\r\nhello\r\n
extension-hides-a-line    5;\n2\r\nhello\r\n
two-chunks                2\r\nhe\r\n3\r\nllo\r\n
sizes-of-one              1\r\nh\r\n1\r\ne\r\n1\r\nl\r\n1\r\nl\r\n1\r\no\r\n
data-is-framing           5\r\n0\r\n\r\n\r\n
binary                    5\r\n\x00\xff\r\n\x80\r\n
no-end-of-data            5\r\nhello
two-ends-of-data          5\r\nhello\r\n\r\n
more-data                 5\r\nhello!\r\n
less-data                 7\r\nhello\r\n
any-end-of-data           5\r\nhelloXX
blank-end-of-data         5\r\nhello \r\n
blank-line-first          \r\n5\r\nhello\r\n
nothing                   -
overhead-of-5000          \{20*1;\x20aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\nx\r\n}
overhead-of-20000         \{400*1;\x20aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\nx\r\n}
"""
LAST_CHUNKS = r"""
missing          -
half             0
no-empty-line    0\r\n
bare-LF          0\n\n
LF-end           0\r\n\n
CR-X             0\r\n\rX
CR-CR            0\r\n\r\r
zeros            0000\r\n\r\n
sixteen-zeros    0000000000000000\r\n\r\n
seventeen-zeros  00000000000000000\r\n\r\n
negative         -0\r\n\r\n
minus-one        -1\r\n\r\n
hex              0x0\r\n\r\n
extension        0;a=b\r\n\r\n
blank            0 \r\n\r\n
empty            \r\n\r\n
"""
TRAILERS = r"""
no-colon      A\r\n
empty-name    : b\r\n
folded        A: b\r\n c\r\n
blank-first   \x20A: b\r\n
bare-LF       A: b\nC: d\r\n
no-CR         A: b\n
empty-value   A:\r\n
two           A: b\r\nC: d\r\n
obs-text      A: \xe4\r\n
length        Content-Length: 5\r\n
coding        Transfer-Encoding: chunked\r\n
host          Host: b\r\n
request-line  GET /b HTTP/1.1\r\n
at-limit      A: \{8187*b}\r\n
over-limit    A: \{8188*b}\r\n
"""


def chunked_bodies():
    rule = "chunk = 1*16HEXDIG [ext] CRLF data CRLF, exactly"
    for name, data in places(CHUNK_PLACES, EVERY_KIND + [ord(c) for c in "+gG_`"]):
        yield case(f"chunk/{name}", rule, "body", data)
    for size in SIZES:
        yield case(f"chunk/size-{len(size)}-{label(size)}", rule, "body",
                   size + b"\r\nhello\r\n0\r\n\r\n")
    for name, data in table(CHUNKS):
        yield case(f"chunk/{name}", rule, "body", data + b"0\r\n\r\n")
    for name, end in table(LAST_CHUNKS):
        yield case(f"chunk/last-{name}", rule, "body", b"5\r\nhello\r\n" + end)
    rule = "trailer fields are fields, and bounded"
    for name, lines in table(TRAILERS):
        yield case(f"chunk/trailer-{name}", rule, "body",
                   b"5\r\nhello\r\n0\r\n" + lines + b"\r\n")


STATUS_PLACES = r"""
before-version  @HTTP/1.1 200 OK
behind-version  HTTP/1.1@200 OK
before-status   HTTP/1.1 @200 OK
in-status       HTTP/1.1 2@0 OK
behind-status   HTTP/1.1 200@OK
in-reason       HTTP/1.1 200 O@K
"""
STATUS_LINES = r"""
no-reason            HTTP/1.1 200\x20
no-reason-no-space   HTTP/1.1 200
nothing-but-version  HTTP/1.1
a-request-line       GET / HTTP/1.1
body-alone           hello
reason-of-2000       HTTP/1.1 200 \{2000*O}
empty-line-first     \r\nHTTP/1.1 200 OK
LF-first             \nHTTP/1.1 200 OK
"""


def status_lines():
    rule = "HTTP-version SP status-code SP reason, every byte in its place"
    rest = b"\r\nContent-Length: 5\r\n\r\nhello"
    for name, line in [*places(STATUS_PLACES), *table(STATUS_LINES)]:
        yield case(f"status/{name}", rule, "response", line + rest)
    for status in STATUSES:
        yield case(f"status/code-{len(status)}-{label(status)}", rule, "response",
                   b"HTTP/1.1 " + status + b" OK" + rest)
    for version in VERSIONS:
        yield case(f"status/version-{label(version)}", rule, "response",
                   version + b" 200 OK" + rest)


def response_with(line, f, start=b"HTTP/1.1 200 OK\r\n", body=None):
    return start + line + b"\r\n" + (f.body if body is None else body)


def response_fields():
    for f in FRAMING:
        rule = f"the field {f.name.decode()} of a response"
        key = f"response-{f.key}"
        for name, spoiled, must in spoiled_names(f):
            yield case(f"{key}/{name}", rule, "response",
                       response_with(spoiled + b": " + f.value + b"\r\n", f), must=must)
        for name, spoiled, must in spoiled_values(f):
            yield case(f"{key}/{name}", rule, "response",
                       response_with(f.name + b":" + spoiled + b"\r\n", f), must=must)
        for number, value in enumerate(f.values):
            yield case(f"{key}/value-{number:02}-{label(value)}", rule, "response",
                       response_with(f.name + b": " + value + b"\r\n", f))
        line = b"%s: %s\r\n" % (f.name, f.value)
        yield case(f"{key}/twice-equal", rule, "response", response_with(line * 2, f), must="502")
        yield case(f"{key}/in-http-1.0", rule, "response",
                   response_with(line, f, b"HTTP/1.0 200 OK\r\n"))


def responses_without_a_body():
    rule = "what has no body has none, whatever it says"
    final = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    for f in FRAMING:
        key = f"response-{f.key}"
        line = b"%s: %s\r\n" % (f.name, f.value)
        for code in (100, 102, 103, 104, 199, 204, 304):
            data = response_with(line, f, b"HTTP/1.1 %d X\r\n" % code, b"")
            yield case(f"{key}/of-{code}", rule, "response", data + (final if code < 200 else b""))
        for code in (200, 204, 404):
            data = response_with(line, f, b"HTTP/1.1 %d X\r\n" % code, b"")
            yield case(f"{key}/of-{code}-to-head", rule, "response", data, to="HEAD")


FAMILIES = [request_fields, both_framings, request_lines, ends_of_heads, chunked_bodies,
            status_lines, response_fields, responses_without_a_body]


def generated():
    """The generated cases, in the same order every time. Mutations that come to the same bytes
    count once."""
    seen, cases = set(), []
    for family in FAMILIES:
        for made in family():
            key = (made.kind, made.to, made.data)
            if key not in seen:
                seen.add(key)
                cases.append(made)
    return cases


def every_case():
    """By hand and generated. Each has a name of its own."""
    found = by_hand() + generated()
    names = [case.name for case in found]
    assert len(set(names)) == len(names), sorted({n for n in names if names.count(n) > 1})
    return found
