"""Request heads (rules A): what is refused, with which status, and that nothing of a refused
message, nor of what stands behind it, ever reaches an origin."""

import pytest

from scenes import MARKER, OK, get, passes, refuses

BAD_BYTES = {
    "bare LF behind the request line": b"GET / HTTP/1.1\nHost: a\r\n\r\n",
    "bare LF behind a field": b"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n",
    "bare LF as the empty line": b"GET / HTTP/1.1\r\nHost: a\r\n\n",
    "bare LF before the request line": b"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "bare CR in a value": b"GET / HTTP/1.1\r\nHost: a\r\nX: b\rY: c\r\n\r\n",
    "bare CR behind the request line": b"GET / HTTP/1.1\rHost: a\r\n\r\n",
    "CR CR LF": b"GET / HTTP/1.1\r\r\nHost: a\r\n\r\n",
    "NUL in a value": b"GET / HTTP/1.1\r\nHost: a\r\nX: b\0c\r\n\r\n",
    "NUL in a name": b"GET / HTTP/1.1\r\nHost: a\r\nX\0: b\r\n\r\n",
    "NUL in the target": b"GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n",
    "control byte in a value": b"GET / HTTP/1.1\r\nHost: a\r\nX: b\x01c\r\n\r\n",
    "DEL in a value": b"GET / HTTP/1.1\r\nHost: a\r\nX: b\x7fc\r\n\r\n",
    "vertical tab around a value": b"GET / HTTP/1.1\r\nHost: a\r\nX:\x0bb\r\n\r\n",
    "three empty lines first": b"\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "white space before the first field": b"GET / HTTP/1.1\r\n Host: a\r\n\r\n",
    "tab before the first field": b"GET / HTTP/1.1\r\n\tX: b\r\nHost: a\r\n\r\n",
}


@pytest.mark.parametrize("head", BAD_BYTES.values(), ids=BAD_BYTES)
def test_a1_bytes_that_have_no_place_in_a_head(client, origin, head):
    refuses(client, origin, head, 400)


@pytest.mark.parametrize("lines", [1, 2])
def test_a1_one_or_two_empty_lines_before_a_request_are_skipped(client, origin, lines):
    assert passes(client, origin, b"\r\n" * lines + get()).target == "/"


@pytest.mark.parametrize("method", ["QUERY", "PURGE", "M-SEARCH", "get", "!#$%&'*+-.^_`|~9aZ",
                                    "X" * 32])
def test_a2_any_token_is_a_method(client, origin, method):
    assert passes(client, origin, get(method=method)).method == method


@pytest.mark.parametrize("method", ["G@T", "G(T", "GE\x7fT", "\"GET\"", "GE\xe4T", "G/T", "G:T"])
def test_a2_what_is_no_token_is_no_method(client, origin, method):
    refuses(client, origin, get(method=method), 400)


@pytest.mark.parametrize("method", ["X" * 33, "X" * 2000])
def test_a2_a_method_over_32_bytes_is_not_implemented(client, origin, method):
    refuses(client, origin, get(method=method), 501)


BAD_LINES = {
    "two spaces before the target": b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
    "two spaces before the version": b"GET /  HTTP/1.1\r\nHost: a\r\n\r\n",
    "space before the method": b" GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "space behind the version": b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
    "tab as separator": b"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "tab before the version": b"GET /\tHTTP/1.1\r\nHost: a\r\n\r\n",
    "no target": b"GET HTTP/1.1\r\nHost: a\r\n\r\n",
    "empty target": b"GET  HTTP/1.1\r\nHost: a\r\n\r\n",
    "space in the target": b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
    "four parts": b"GET / x HTTP/1.1\r\nHost: a\r\n\r\n",
    "method alone": b"GET\r\nHost: a\r\n\r\n",
    "a status line": b"HTTP/1.1 200 OK\r\nHost: a\r\n\r\n",
}


@pytest.mark.parametrize("head", BAD_LINES.values(), ids=BAD_LINES)
def test_a3_exactly_one_space_between_the_parts(client, origin, head):
    refuses(client, origin, head, 400)


BAD_TARGETS = {
    "relative": "index.html",
    "authority": "example:80",
    "another scheme": "ftp://example/",
    "scheme alone": "http:",
    "empty host": "http:///path",
    "port without host": "http://:80/",
    "userinfo": "http://user@example/",
    "userinfo with password": "http://u:p@example/",
    "star with GET": "*",
    "fragment": "/a#b",
    "raw UTF-8": "/\xc3\xa4",
    "DEL": "/\x7f",
    "fragment in absolute form": "http://example/#x",
    "backslash as scheme": "\\\\example\\",
}


@pytest.mark.parametrize("target", BAD_TARGETS.values(), ids=BAD_TARGETS)
def test_a3_targets_of_no_known_form(client, origin, target):
    refuses(client, origin, get(target=target), 400)


def test_a3_a_target_in_absolute_form_is_rewritten_and_its_authority_is_the_host(client, origin):
    request = passes(client, origin, get(target="http://other.example:81/p/q?r=s", host="Host: a"))
    assert request.target == "/p/q?r=s"
    assert request.get("host") == "other.example:81"


def test_a3_https_is_an_absolute_form_too(client, origin):
    request = passes(client, origin, get(target="HTTPS://other.example/p"))
    assert (request.target, request.get("host")) == ("/p", "other.example")


@pytest.mark.parametrize("target,path", [("http://b", "/"), ("http://b?x=1", "/?x=1")])
def test_a3_an_absolute_form_without_a_path_asks_for_the_root(client, origin, target, path):
    request = passes(client, origin, get(target=target))
    assert (request.target, request.get("host")) == (path, "b")


def test_a3_a_star_is_for_options(client, origin):
    assert passes(client, origin, get(method="OPTIONS", target="*")).target == "*"


def test_a3_every_visible_byte_of_a_target_passes_as_it_is(client, origin):
    target = "/" + "".join(chr(b) for b in range(0x21, 0x7f) if chr(b) != "#") + "/%2e%2E/../x"
    assert passes(client, origin, get(target=target)).target == target


@pytest.mark.parametrize("target", ["example:443", "/", "http://example/"])
def test_a3_connect_is_not_implemented(client, origin, target):
    refuses(client, origin, get(method="CONNECT", target=target), 501)


@pytest.mark.parametrize("version,status", [
    ("HTTP/2.0", 505), ("HTTP/3.0", 505), ("HTTP/0.9", 505), ("HTTP/9.9", 505),
    ("http/1.1", 400), ("HTTP/1", 400), ("HTTP/1.", 400), ("HTTP/1.10", 400), ("HTTP/11", 400),
    ("HTTP/ 1.1", 400), ("HTTP/1,1", 400), ("HTTPS/1.1", 400), ("HTTP/+1.1", 400),
    ("HTTP/x.1", 400), ("ICY/1.1", 400),
])
def test_a4_versions_that_are_refused(client, origin, version, status):
    refuses(client, origin, get(version=version), status)


def test_a4_a_request_without_a_version_is_refused(client, origin):
    refuses(client, origin, b"GET /\r\n\r\n", 400)


@pytest.mark.parametrize("version", ["HTTP/1.2", "HTTP/1.9"])
def test_a4_a_higher_minor_version_counts_as_1_1(client, origin, version):
    passes(client, origin, get(version=version))
    passed = get(target="/again")
    client.send(passed)
    wire = origin.wires[-1]
    assert wire.request().target == "/again"
    wire.send(OK)
    assert client.response().status == 200


def test_a4_the_preface_of_http2_never_reaches_an_origin(client, origin):
    client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", MARKER)
    assert client.response().status in (400, 505)
    client.at_end()
    assert origin.untouched()


BAD_FIELDS = {
    "space before the colon": "X : b",
    "tab before the colon": "X\t: b",
    "empty name": ": b",
    "no colon": "just text",
    "parenthesis in the name": "X(y: b",
    "space in the name": "X y: b",
    "obs-text in the name": "X\xe4: b",
    "quote in the name": '"X": b',
    "slash in the name": "X/y: b",
    "folded with a space": "X: b\r\n c",
    "folded with a tab": "X: b\r\n\tc",
    "fold of nothing": "X: b\r\n ",
}


@pytest.mark.parametrize("field", BAD_FIELDS.values(), ids=BAD_FIELDS)
def test_a5_field_lines_that_are_refused(client, origin, field):
    refuses(client, origin, get(field), 400)


@pytest.mark.parametrize("field,value", [
    ("X:b", "b"), ("X: \t b \t ", "b"), ("X:", ""), ("X:   ", ""), ("X: b\tc", "b\tc"),
    ("X: \xe4\xff\x80", "\xe4\xff\x80"), ("X: a:b::c", "a:b::c"),
])
def test_a5_white_space_around_a_value_goes_and_its_bytes_stay(client, origin, field, value):
    assert passes(client, origin, get(field)).get("X") == value


def test_a5_a_name_of_many_bytes_is_a_name(client, origin):
    for length in (255, 256, 257, 270):
        name = "x" * length
        client.send(get(f"{name}: b"))
        wire = origin.wires[-1] if origin.wires else origin.accept()
        assert wire.request().get(name) == "b"
        wire.send(OK)
        assert client.response().status == 200


BAD_HOSTS = {
    "none": None,
    "two": "Host: a\r\nHost: b",
    "two alike": "Host: a\r\nHost: a",
    "space": "Host: a b",
    "list": "Host: a, b",
    "path": "Host: a/b",
    "userinfo": "Host: u@a",
    "port of letters": "Host: a:http",
    "two ports": "Host: a:80:80",
    "open bracket": "Host: [::1",
    "fragment": "Host: a#b",
    "query": "Host: a?b",
}


@pytest.mark.parametrize("host", BAD_HOSTS.values(), ids=BAD_HOSTS)
def test_a6_http_1_1_has_exactly_one_valid_host(client, origin, host):
    refuses(client, origin, get(host=host), 400)


@pytest.mark.parametrize("host", ["a.example", "a.example:8080", "127.0.0.1", "[::1]:80", "a_b"])
def test_a6_hosts_that_are_valid(client, origin, host):
    assert passes(client, origin, get(host=f"Host: {host}")).get("host") == host


def test_a6_http_1_0_may_come_without_a_host(client, origin):
    assert passes(client, origin, get(host=None, version="HTTP/1.0")).target == "/"


def test_a6_http_1_0_has_at_most_one_host(client, origin):
    refuses(client, origin, get("Host: b", version="HTTP/1.0"), 400)


def line_of(length):
    """A request line of that many bytes, its CRLF not counted."""
    return "/" + "a" * (length - len("GET / HTTP/1.1"))


def test_a7_a_request_line_may_have_8192_bytes(client, origin):
    target = line_of(8192)
    assert passes(client, origin, get(target=target)).target == target


def test_a7_a_longer_request_line_is_414(client, origin):
    refuses(client, origin, get(target=line_of(8193)), 414)


def test_a7_a_request_line_without_an_end_is_414(client, origin):
    client.send("GET /", "a" * 20000)
    assert client.response().status == 414
    client.at_end()
    assert origin.untouched()


def head_of(length):
    """A head of that many bytes in all, in four fields."""
    fields = [f"X{n}: " for n in range(4)]
    room = length - len(get(*fields))
    fields[0] += "a" * (room // 2)
    fields[1] += "b" * (room - room // 2)
    return get(*fields)


def test_a7_a_head_may_have_32_kib(client, origin):
    head = head_of(32768)
    assert len(head) == 32768
    assert len(passes(client, origin, head).get("X0")) > 16000


def test_a7_a_bigger_head_is_431(client, origin):
    refuses(client, origin, head_of(32769), 431)


def test_a7_a_head_without_an_end_is_431(client, origin):
    client.send(get("X: " + "a" * 40000)[:-4])
    assert client.response().status == 431
    client.at_end()
    assert origin.untouched()


def test_a7_a_head_may_have_128_fields(client, origin):
    request = passes(client, origin, get(*(f"X{n}: {n}" for n in range(127))))
    assert [request.get(f"x{n}") for n in range(127)] == [str(n) for n in range(127)]


def test_a7_129_fields_are_431(client, origin):
    refuses(client, origin, get(*(f"X{n}: {n}" for n in range(128))), 431)


def test_a7_the_limits_are_the_operators(start, origin):
    proxy = start("limits = { request_line = 100, head = 400, fields = 5 },")
    refuses(proxy.client(), origin, get(target=line_of(101)), 414)
    refuses(proxy.client(), origin, head_of(401), 431)
    refuses(proxy.client(), origin, get("A: 1", "B: 1", "C: 1", "D: 1", "E: 1"), 431)
    passes(proxy.client(), origin, get("A: 1", "B: 1", "C: 1", "D: 1", target=line_of(100)))


def test_a_head_may_arrive_byte_by_byte(client, origin):
    head = get("X-One: 1", "X-Two: \xe4", target="/slow?q=1")
    client.drip(head)
    wire = origin.accept()
    request = wire.request()
    assert (request.target, request.get("x-one"), request.get("x-two")) == ("/slow?q=1", "1", "\xe4")
    wire.send(OK)
    assert client.response().status == 200


def test_a_head_may_be_split_anywhere(pair):
    head = get("X-One: 1", "Content-Length: 4", method="POST", target="/split") + b"body"
    for at in range(1, len(head)):
        pair.client.send(head[:at])
        pair.client.send(head[at:])
        request = pair.origin.request()
        assert (request.target, request.get("x-one"), request.body) == ("/split", "1", b"body")
        pair.origin.send(OK)
        assert pair.client.response().body == b"ok"


def test_a_refusal_behind_a_good_request_comes_after_its_answer(client, origin):
    client.send(get(target="/good"), get("X : y"), MARKER)
    wire = origin.accept()
    assert wire.request().target == "/good"
    wire.send(OK)
    assert client.response().body == b"ok"
    assert client.response().status == 400
    client.at_end()
    assert origin.untouched()
