"""Split everywhere: how the bytes were cut on their way is no part of a message.

Each scenario is played whole, byte by byte, and cut in two at every position of what the client
sends and of what the origin sends. Both sides must get the same bytes each time. It is the test of
whatever remembers where it stands in a stream: proxies have sent wrong bytes when a message came in
two pieces that met in an unexpected place (the ring buffer of sniproxy; bytes skipped behind an
interim response in Traffic Server, its issues 12244, 12905 and 12906).

INTERIM_LONG=1 cuts the long scenarios at many more positions.
"""

import os
import pathlib
import signal
import socket
import tempfile

import pytest

from harness import Proxy, is_sanitized
from scenes import CHUNKED, EXPECT, MARKER, get, post
from split import (CLIENT, ORIGIN, WHOLE, Cut, Lane, at_client, at_origin, client, client_ends, cuts,
                   origin, origin_ends, outcome, play_all, sends)
from test_upgrade import offer, switching

LANES = 4
LONG = bool(os.environ.get("INTERIM_LONG"))
POSITIONS = 4000 if LONG else 150  # of a stream that are cut, evenly

POLICY = """
  access_log = false,
  limits = { request_line = 100, head = 600, fields = 10 },
  request = function(req)
    if req.path == "/no" then return { status = 403, body = "no" } end
    if req.path == "/small" then req.max_body = 5 end
  end,
  expect = function(req)
    if req.path == "/continue" then return "continue" end
    if req.path == "/refuse" then return 401 end
  end,
  upgrade = function(req)
    if req.path == "/refuse" then return 403 end
  end,
"""


def ok(*fields, body="ok", status="200 OK"):
    """A final response of an origin that knows the time: the proxy adds nothing to it."""
    return "\r\n".join([f"HTTP/1.1 {status}", *fields, f"Content-Length: {len(body)}", "", body])


CHUNKS = '5;a=b\r\nhello\r\n1;c="d e"\r\n!\r\n0;e\r\nX-Sum: 1\r\nContent-Length: 9\r\nX-T: 2\r\n\r\n'
RAGGED = "6\r\nabcdef\r\n" + "1\r\ng\r\n" * 17 + "0a\r\n0123456789\r\n0\r\n\r\n"

# Each: the statuses of the final responses that the client gets, the number of requests that the
# origin gets, the steps. Methods other than GET where they decide about the response.
SCENARIOS = {
    "a GET": ([200], 1, [
        client(get("Accept: */*", target="/a?b")),
        at_origin("\r\n\r\n"),
        origin(ok("X-A: b")),
        at_client("\r\n\r\nok")]),
    "two empty lines before a request": ([200], 1, [
        client("\r\n\r\n", get()),
        at_origin("\r\n\r\n"),
        origin(ok()),
        at_client("\r\n\r\nok")]),
    "a POST of known length": ([201], 1, [
        client(post("Content-Length: 12"), "hello\r\n\r\nyou"),
        at_origin("\r\n\r\nhello\r\n\r\nyou"),
        origin(ok("ETag: x", status="201 Created")),
        at_client("ok")]),
    "chunks, extensions and trailers both ways": ([200], 1, [
        client(post(CHUNKED, "TE: trailers", "Trailer: X-Sum"), CHUNKS),
        at_origin("\r\n0\r\n"), at_origin("\r\n\r\n"),
        origin(f"HTTP/1.1 200 OK\r\n{CHUNKED}\r\nTrailer: X-Sum\r\n\r\n", CHUNKS),
        at_client("\r\n0\r\n"), at_client("\r\n\r\n")]),
    "ragged chunks, and a next request": ([200, 200], 2, [
        client(post(CHUNKED), RAGGED),
        at_origin("\r\n0\r\n\r\n"),
        origin(f"HTTP/1.1 200 OK\r\n{CHUNKED}\r\n\r\n", RAGGED),
        at_client("\r\n0\r\n\r\n"),
        client(get(target="/next")),
        at_origin("GET /next"), at_origin("\r\n\r\n"),
        origin(ok()),
        at_client("\r\n\r\nok")]),
    "an expectation forwarded and met": ([200], 1, [
        client(post(EXPECT, "Content-Length: 5")),
        at_origin("\r\n\r\n"),
        origin("HTTP/1.1 100 Continue\r\nX-A: b\r\n\r\n"),
        at_client("\r\n\r\n"),
        client("hello"),
        at_origin("hello"),
        origin(ok()),
        at_client("\r\n\r\nok")]),
    "an expectation that the origin refuses": ([417], 1, [
        client(post(EXPECT, "Content-Length: 38")),
        at_origin("\r\n\r\n"),
        origin(ok(status="417 Expectation Failed")),
        at_client("\r\n\r\nok"),
        client(MARKER)]),
    "an expectation met here, unmet by an unasked 100": ([200], 1, [
        client(post(EXPECT, CHUNKED, target="/continue")),
        at_client("HTTP/1.1 100 Continue\r\n\r\n"),
        at_origin("\r\n\r\n"),
        origin("HTTP/1.1 100 Continue\r\n\r\n"),
        client("5\r\nhello\r\n0\r\n\r\n"),
        at_origin("0\r\n\r\n"),
        origin(ok()),
        at_client("\r\n\r\nok")]),
    "an expectation refused here": ([401], 0, [
        client(post(EXPECT, "Content-Length: 38", target="/refuse")),
        at_client("\r\n\r\n"),
        client(MARKER)]),
    "a 103, a 102 and the final response at once": ([200], 1, [
        client(get()),
        at_origin("\r\n\r\n"),
        origin("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nLink: </b>\r\n\r\n"
               "HTTP/1.1 102 Processing\r\nContent-Length: 5\r\n\r\n"
               "HTTP/1.1 199 \r\n\r\n", ok()),
        at_client("\r\n\r\nok")]),
    "a 100 that nobody asked for, behind it the final response": ([204], 1, [
        client(post("Content-Length: 1"), "x"),
        at_origin("\r\n\r\nx"),
        origin("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n"),
        at_client("204"), at_client("\r\n\r\n")]),
    "interim responses towards HTTP/1.0": ([200], 1, [
        client(get(version="HTTP/1.0")),
        at_origin("\r\n\r\n"),
        origin("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n", ok()),
        at_client("\r\n\r\nok")]),
    "a 101 with early bytes on both sides": ([], 1, [
        client(offer(), "early from the client\r\n\r\n"),
        at_origin("\r\n\r\n"),
        origin(switching(), "early from the origin"),
        at_client("early from the origin"), at_origin("early from the client\r\n\r\n"),
        client("GET / HTTP/1.1\r\n\r\n"),
        at_origin("GET / HTTP/1.1\r\n\r\n"),
        origin("HTTP/1.1 200 OK\r\n\r\n"),
        client_ends(), origin_ends()]),
    "an upgrade that the origin declines, with early bytes": ([200], 1, [
        client(offer(), MARKER),
        at_origin("\r\n\r\n"),
        origin(ok()),
        at_client("\r\n\r\nok")]),
    "an upgrade that the policy refuses, with early bytes": ([403], 0, [
        client(offer(target="/refuse"), MARKER),
        at_client("\r\n\r\n")]),
    "a 101 that nobody asked for": ([502], 1, [
        client(get()),
        at_origin("\r\n\r\n"),
        origin(switching()),
        at_client("\r\n\r\n")]),
    "a HEAD, then a GET": ([200, 200], 2, [
        client(get(method="HEAD")),
        at_origin("\r\n\r\n"),
        origin("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"),
        at_client("\r\n\r\n"),
        client(get()),
        at_origin("\r\n\r\n"),
        origin(ok()),
        at_client("\r\n\r\nok")]),
    "a 304 and a 204 that announce a body": ([304, 204], 2, [
        client(get()),
        at_origin("\r\n\r\n"),
        origin("HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\n\r\n"),
        at_client("\r\n\r\n"),
        client(get()),
        at_origin("\r\n\r\n"),
        origin(f"HTTP/1.1 204 No Content\r\n{CHUNKED}\r\n\r\n"),
        at_client("\r\n\r\n")]),
    "a body that ends with the connection": ([200], 1, [
        client(get()),
        at_origin("\r\n\r\n"),
        origin("HTTP/1.1 200 OK\r\n\r\n0\r\n\r\nhello"),
        origin_ends(),
        at_client("\r\n0\r\n\r\n")]),
    "a body that ends with the connection, towards HTTP/1.0": ([200], 1, [
        client(get(version="HTTP/1.0")),
        at_origin("\r\n\r\n"),
        origin(f"HTTP/1.1 200 OK\r\n{CHUNKED}\r\n\r\n", CHUNKS),
        at_client("hello!")]),
    "HTTP/1.0 that asks to stay": ([200, 200], 2, [
        client(get("Connection: keep-alive", version="HTTP/1.0")),
        at_origin("\r\n\r\n"),
        origin(ok()),
        at_client("\r\n\r\nok"),
        client(get(version="HTTP/1.0", host=None)),
        at_origin("\r\n\r\n"),
        origin(ok()),
        at_client("\r\n\r\nok")]),
    "pipelined requests": ([200, 200, 200], 3, [
        client(get(target="/1"), get(target="/2"), get(target="/3")),
        at_origin("\r\n\r\n"),
        origin(ok(body="one")),
        at_origin("GET /2"), at_origin("\r\n\r\n"),
        origin(ok(body="two")),
        at_origin("GET /3"), at_origin("\r\n\r\n"),
        origin(ok(body="three")),
        at_client("three")]),
    "pipelined bodies": ([200, 200, 200], 3, [
        client(post("Content-Length: 5"), "hello", post(CHUNKED), CHUNKS,
               get(target="/3", method="HEAD")),
        at_origin("\r\n\r\nhello"),
        origin(ok(body="one")),
        at_origin("\r\n0\r\n"), at_origin("\r\n\r\n"),
        origin(ok(body="two")),
        at_origin("HEAD /3"), at_origin("\r\n\r\n"),
        origin("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"),
        at_client("1000\r\n"), at_client("\r\n\r\n")]),
    "a pipelined pair of expectations": ([200, 200], 2, [
        client(post(EXPECT, "Content-Length: 1")),
        at_origin("\r\n\r\n"),
        origin("HTTP/1.1 100 Continue\r\n\r\n"),
        at_client("\r\n\r\n"),
        client("x", post(EXPECT, "Content-Length: 1")),
        at_origin("x"),
        origin(ok()),
        at_origin("\r\n\r\n"),
        origin("HTTP/1.1 100 Continue\r\n\r\n"),
        at_client("100 Continue\r\n"), at_client("\r\n\r\n"),
        client("y"),
        at_origin("y"),
        origin(ok(body="second")),
        at_client("second")]),
    "bytes behind a response": ([200], 1, [
        client(get()),
        at_origin("\r\n\r\n"),
        origin(ok(), ok(body="for nobody")),
        at_client("\r\n\r\nok")]),
    "an early answer in the middle of a body": ([413], 1, [
        client(post("Content-Length: 46"), "some of it"),
        at_origin("some of it"),
        origin(ok(status="413 Too Large")),
        at_client("\r\n\r\nok"),
        client(MARKER)]),
    "OPTIONS that may go no further": ([200], 0, [
        client(get("Max-Forwards: 0", method="OPTIONS", target="*")),
        at_client("\r\n\r\n")]),
    "an answer of the request hook, with a body behind the head": ([403], 0, [
        client(post("Content-Length: 38", target="/no"), MARKER),
        at_client("\r\n\r\nno")]),
}

# A request that is refused: the status, the bytes. A good request stands behind each.
REFUSALS = {
    "two framings": (400, post("Content-Length: 5", CHUNKED) + b"0\r\n\r\n"),
    "a space before a colon": (400, post("Content-Length : 5") + b"hello"),
    "a folded field": (400, get("X-A: b\r\n c")),
    "a bare line feed": (400, b"GET / HTTP/1.1\r\nHost: a\nX-A: b\r\n\r\n"),
    "a bare carriage return": (400, get("X-A: b\rc")),
    "a NUL": (400, get("X-A: \0")),
    "three empty lines": (400, b"\r\n\r\n\r\n" + get()),
    "no Host": (400, get(host=None)),
    "two Hosts": (400, get("Host: b")),
    "a length twice": (400, post("Content-Length: 0", "Content-Length: 0")),
    "no version": (400, b"GET /\r\n\r\n"),
    "the preface of HTTP/2": (505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "HTTP/2.0": (505, get(version="HTTP/2.0")),
    "a long target": (414, get(target="/" + "a" * 100)),
    "a long field": (431, get("X-A: " + "a" * 600)),
    "many fields": (431, get(*[f"X-{n}: b" for n in range(12)])),
    "another expectation": (417, post("Expect: 101-surprise", "Content-Length: 5") + b"hello"),
    "CONNECT": (501, b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n"),
    "another coding": (501, post("Transfer-Encoding: gzip, chunked") + b"0\r\n\r\n"),
    "a long method": (501, get(method="A" * 33)),
    "a body over the policy's limit": (413, post("Content-Length: 6", target="/small") + b"secret"),
}

# What an origin sends that is answered 502.
BAD_RESPONSES = {
    "two framings": f"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n{CHUNKED}\r\n\r\n0\r\n\r\n",
    "a space before a colon": "HTTP/1.1 200 OK\r\nX-A : b\r\n\r\n",
    "a bare line feed": "HTTP/1.1 200 OK\r\nX-A: b\nX-B: c\r\n\r\n",
    "status 600": "HTTP/1.1 600 X\r\n\r\n",
    "a long head": "HTTP/1.1 200 OK\r\nX-A: " + "a" * 600 + "\r\n\r\n",
    "a 1xx with a bad field": "HTTP/1.1 103 X\r\nA B: c\r\n\r\n",
}

LONG_BODY = bytes(range(256)) * 280  # 70 KiB: more than the proxy reads at a time


@pytest.fixture(scope="module")
def lanes():
    """As many proxies as plays run at a time, each with both ends on unix sockets."""
    lanes = []
    with tempfile.TemporaryDirectory(prefix="interim-") as name:
        directory = pathlib.Path(name)
        directory.chmod(0o777)
        for number in range(LANES):
            listening = socket.socket(socket.AF_UNIX)
            path = directory / f"origin{number}"
            listening.bind(str(path))
            path.chmod(0o777)
            listening.listen(64)
            proxy = Proxy(directory / f"proxy{number}", POLICY, upstream=f"unix:{path}",
                          listen=f"unix:{directory}/listen{number}")
            lanes.append(Lane(proxy, listening))
        yield lanes
        for lane in lanes:
            lane.proxy.stop(signal.SIGINT)


def check(lanes, steps, statuses, requests, methods=("GET",), torn=False):
    """Plays the steps in all ways. `torn`: the request breaks off, so that how much of it reaches
    the origin before that is a question of time."""
    methods = list(methods)
    (whole,) = play_all(lanes[:1], steps, [WHOLE])
    wanted = outcome(whole, methods)
    to_client, to_origin = wanted
    heads = [m[0] for m in to_client]
    assert [int(h[9:12]) for h in heads if int(h[9:12]) >= 200] == statuses, to_client
    assert sum(len(stream) for stream in to_origin) == requests, to_origin
    assert b"marker" not in repr((to_client, to_origin)).encode()
    longest = max(sends(steps, CLIENT), sends(steps, ORIGIN))
    stride = -(-longest // POSITIONS)
    dribble = 1 if longest < 4096 or LONG else 29
    for play in play_all(lanes, steps, cuts(steps, stride, dribble)):
        got = outcome(play, methods)
        if torn:
            got, expected = (got[0], got[1][0][0][0]), (wanted[0], wanted[1][0][0][0])
        else:
            expected = wanted
        assert got == expected, play.cut.name
    for lane in lanes:
        lane.proxy.settle()


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario(lanes, name):
    statuses, requests, steps = SCENARIOS[name]
    methods = {"a HEAD, then a GET": ["HEAD", "GET"],
               "pipelined bodies": ["POST", "POST", "HEAD"]}.get(name, ())
    check(lanes, steps, statuses, requests, methods)


@pytest.mark.parametrize("name", REFUSALS)
def test_refusal(lanes, name):
    status, request = REFUSALS[name]
    check(lanes, [client(request, MARKER), at_client("\r\n\r\n")], [status], 0)


@pytest.mark.parametrize("chunks", ["g\r\n", "5 \r\nhello\r\n", "0\r\nA B: c\r\n\r\n"])
def test_bad_chunk(lanes, chunks):
    steps = [client(post(CHUNKED), "2\r\nhe\r\n", chunks, MARKER), at_client("\r\n\r\n")]
    check(lanes, steps, [400], 1, torn=True)


def test_chunks_over_the_policys_limit(lanes):
    steps = [client(post(CHUNKED, target="/small"), "3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n", MARKER),
             at_client("\r\n\r\n")]
    check(lanes, steps, [413], 1, torn=True)


@pytest.mark.parametrize("name", BAD_RESPONSES)
def test_bad_response(lanes, name):
    steps = [client(get()), at_origin("\r\n\r\n"), origin(BAD_RESPONSES[name], ok()),
             at_client("\r\n\r\n")]
    check(lanes, steps, [502], 1)


@pytest.mark.parametrize("tail", ["5\r\nhello\r\nz", "5\r\nhelloXX"])
def test_response_that_breaks_off(lanes, tail):
    steps = [client(get()), at_origin("\r\n\r\n"),
             origin(f"HTTP/1.1 200 OK\r\n{CHUNKED}\r\n\r\n", tail, "\r\n0\r\n\r\n")]
    check(lanes, steps, [200], 1)


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_long_bodies(lanes, framing):
    field, body = {"length": (f"Content-Length: {len(LONG_BODY)}", LONG_BODY),
                   "chunked": (CHUNKED, b"%x\r\n%s\r\n0\r\n\r\n" % (len(LONG_BODY), LONG_BODY))
                   }[framing]
    end = LONG_BODY[-20:] if framing == "length" else "\r\n0\r\n\r\n"
    steps = [client(post(field), body), at_origin(end),
             origin(f"HTTP/1.1 200 OK\r\n{field}\r\n\r\n", body), at_client(end)]
    check(lanes, steps, [200], 1)


def peak_memory(lanes):
    """The most that the workers have held so far."""
    peak = 0
    for lane in lanes:
        for pid in lane.proxy.workers():
            status = pathlib.Path(f"/proc/{pid}/status").read_text()
            peak += int(status.split("VmHWM:")[1].split()[0]) * 1024
    return peak


@pytest.mark.skipif(is_sanitized(), reason="memory under a sanitizer says nothing")
def test_bytes_that_come_one_by_one_need_no_more_memory(lanes):
    """lighttpd kept a buffer for each read, however small, so that a slow sender made it run out of
    memory (CVE-2010-0295)."""
    body = LONG_BODY[:2000]
    chunked = b"%x\r\n%s\r\n0\r\nX-T: %s\r\n\r\n" % (len(body), body, b"a" * 1000)
    steps = [client(post(CHUNKED, "X-A: " + "b" * 400), chunked), at_origin("\r\n0\r\n"),
             origin(f"HTTP/1.1 200 OK\r\n{CHUNKED}\r\nX-A: " + "b" * 400 + "\r\n\r\n", chunked),
             at_client("\r\n0\r\n"), at_client("\r\n\r\n")]
    assert len(list(play_all(lanes, steps, [WHOLE] * LANES))) == LANES
    before = peak_memory(lanes)
    assert len(list(play_all(lanes, steps, [Cut("bytes", size=1)] * LANES))) == LANES
    assert peak_memory(lanes) - before < LANES * 128 * 1024
