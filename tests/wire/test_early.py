"""Early answers: whatever is answered before its body was read is answered whole, and what is left
over is never a request (rules D2, D3, H6, I4).

Each cause is tried with the body unsent, half sent, sent whole with another request behind it, and
sent in a flood that nobody wants (in Traffic Server an origin's early error raced the upload to it,
issue 9229). The body of each consists of requests: were its left-over read as one, it would reach
the origin or be answered. A reset that overtakes an answer destroys it, so every answer must come
whole, with a clean end behind it. A body that only one side forgot is the oldest and the newest way
to smuggle a request through a proxy (CL.0, 0.CL, and both by means of Expect).
"""

import socket

import pytest

from harness import free_port
from scenes import CHUNKED, EXPECT, MARKER, OK, answer_with, get, is_page, post
from test_upgrade import offer

POLICY = """
  timeouts = { response = 0.3, body = 0.3, header = 0.3 },
  upstreams = { app = "%s", nobody = "%s" },
  upstream = "app",
  request = function(req)
    if req.path == "/request" then return 403 end
    if req.path == "/fails" then error("no") end
    if req.path == "/small" then req.max_body = 10 end
    if req.path == "/nobody" then req.upstream = "nobody" end
    if req.path == "/wait" then interim.sleep(0.05); return 403 end
  end,
  expect = function(req) if req.path == "/expect" then return 401 end end,
  upgrade = function(req) if req.path == "/upgrade" then return 426 end end,
  response = function(req, res) if req.path == "/response" then return 403 end end,
"""

BODY = MARKER * 4
HALF = BODY[:len(BODY) // 2 + 7]  # ends within a marker
FLOOD = MARKER * 8000  # 300 KB: more than the sockets on the way hold

LENGTH = "length"


def framed(framing, *fields, body=BODY, **keywords):
    """A head that announces the body, in either framing."""
    field = CHUNKED if framing == CHUNKED else f"Content-Length: {len(body)}"
    return post(field, *fields, **keywords)


def wire_form(framing, body):
    return b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if framing == CHUNKED else body


# Without an origin: cause to status and the head of the request, which announces a body.
HERE = {
    "400 space before a colon": (400, lambda f, b: framed(f, "X-A : b", body=b)),
    "400 two framings": (400, lambda f, b: post("Content-Length: 5", CHUNKED)),
    "400 no Host": (400, lambda f, b: framed(f, body=b, host=None)),
    "413 over max_body": (413, lambda f, b: framed(LENGTH, body=b, target="/small")),
    "414 a long target": (414, lambda f, b: framed(f, body=b, target="/" + "a" * 9000)),
    "417 another expectation": (417, lambda f, b: framed(f, "Expect: 200-ok", body=b)),
    "431 many fields": (431, lambda f, b: framed(f, *["X-A: b"] * 130, body=b)),
    "431 a long field": (431, lambda f, b: framed(f, "X-A: " + "b" * 40000, body=b)),
    "500 a hook that fails": (500, lambda f, b: framed(f, body=b, target="/fails")),
    "501 a coding": (501, lambda f, b: post("Transfer-Encoding: gzip, chunked")),
    "501 a long method": (501, lambda f, b: framed(f, body=b).replace(b"POST", b"P" * 33)),
    "501 CONNECT": (501, lambda f, b: b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n"),
    "502 refused": (502, lambda f, b: framed(f, body=b, target="/nobody")),
    "505 HTTP/2.0": (505, lambda f, b: framed(f, body=b, version="HTTP/2.0")),
    "403 the request hook": (403, lambda f, b: framed(f, body=b, target="/request")),
    "403 a hook that waited": (403, lambda f, b: framed(f, body=b, target="/wait")),
    "401 the expect hook": (401, lambda f, b: framed(f, EXPECT, body=b, target="/expect")),
    "426 the upgrade hook": (426, lambda f, b: offer(target="/upgrade")),
}

# By an origin, or because of it: status, head, and what the origin does once it has read the head.
THERE = {
    "502 closed": (502, framed, lambda wire: wire.close()),
    "502 reset": (502, framed, lambda wire: wire.reset()),
    "502 a bad head": (502, framed, lambda wire: wire.send("HTTP/1.1 200 OK\r\nX : y\r\n\r\n")),
    "502 an unasked 101": (502, framed, lambda wire: wire.send("HTTP/1.1 101 X\r\n\r\n")),
    "524 silence": (524, lambda f, *a, **k: framed(f, EXPECT, *a, **k), lambda wire: None),
    "403 the response hook": (403, lambda f, **k: framed(f, target="/response", **k),
                              lambda wire: wire.send(OK)),
    "413 of the origin": (413, framed, lambda wire: wire.send(answer_with(status="413 No"))),
    "413 and a close": (413, framed, lambda wire: (wire.send(answer_with(status="413 No")),
                                                   wire.close())),
    "413 and a reset": (413, framed, lambda wire: (wire.send(answer_with(status="413 No")),
                                                   wire.reset())),
    "417 of the origin": (417, lambda f, *a, **k: framed(f, EXPECT, *a, **k),
                          lambda wire: wire.send(answer_with(status="417 No"))),
}

FRAMINGS = [LENGTH, CHUNKED]


@pytest.fixture
def proxy(start, origin):
    return start(POLICY % (origin.text, f"127.0.0.1:{free_port()}"), upstream="app")


def next_client_is_served(proxy, origin):
    """Nothing waits on a connection for somebody else."""
    client = proxy.client()
    client.send(get(target="/next"))
    wire = origin.accept()
    assert wire.request().target == "/next"
    wire.send(answer_with(body="mine"))
    assert client.response().body == b"mine"


def is_answered(client, status):
    answer = client.response()
    assert answer.status == status
    assert answer.closes()
    return answer


def send_what_is_left(client, rest):
    try:
        client.send(rest, MARKER)
    except (BrokenPipeError, ConnectionResetError):
        pass  # the answer is read: a proxy that listens no longer is in its right


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("sent", ["nothing", "half", "all and a request"])
@pytest.mark.parametrize("cause", HERE)
def test_an_answer_made_here_comes_whole_and_its_left_over_is_no_request(proxy, client, origin,
                                                                        cause, sent, framing):
    status, head = HERE[cause]
    body = wire_form(framing, BODY)
    first = {"nothing": b"", "half": body[:len(HALF)], "all and a request": body + MARKER}[sent]
    client.send(head(framing, BODY), first)
    is_answered(client, status)
    send_what_is_left(client, body[len(first):])
    client.at_end()
    assert origin.untouched()
    next_client_is_served(proxy, origin)


@pytest.mark.parametrize("cause", HERE)
def test_an_answer_made_here_outlives_a_flood(client, origin, cause):
    """Nothing is read before all is sent: a reset would overtake the answer."""
    status, head = HERE[cause]
    client.send(head(LENGTH, FLOOD), FLOOD)
    is_answered(client, status)
    client.at_end()
    assert origin.untouched()


# A body that has begun has a clock of its own, which strikes first: 408, below.
BY_ORIGINS = [(cause, sent) for cause in THERE for sent in ("nothing", "half")
              if (cause, sent) != ("524 silence", "half")]


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("cause,sent", BY_ORIGINS)
def test_an_answer_because_of_the_origin_comes_whole_and_its_left_over_is_no_request(
        proxy, client, origin, cause, sent, framing):
    status, head, act = THERE[cause]
    body = wire_form(framing, BODY)
    first = b"" if sent == "nothing" else body[:len(HALF)]
    client.send(head(framing), first)
    wire = origin.accept()
    wire.request_head()
    act(wire)
    is_answered(client, status)
    send_what_is_left(client, body[len(first):])
    client.at_end()
    assert origin.untouched()
    next_client_is_served(proxy, origin)


@pytest.mark.parametrize("cause", [name for name in THERE if "524" not in name])
def test_an_answer_because_of_the_origin_outlives_a_flood(client, origin, cause):
    status, head, act = THERE[cause]
    client.send(head(LENGTH, body=FLOOD), FLOOD[:-1])
    wire = origin.accept()
    wire.request_head()
    act(wire)
    is_answered(client, status)
    client.at_end()
    assert origin.untouched()


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("cause", ["502 closed", "502 reset", "502 a bad head", "403 the response hook"])
def test_behind_a_body_that_was_sent_whole_stands_a_request(client, origin, cause, framing):
    """The request is over, so the connection stays, and what follows is a request in its right."""
    status, head, act = THERE[cause]
    client.send(head(framing), wire_form(framing, BODY), get(target="/behind"))
    wire = origin.accept()
    assert wire.request().body == BODY
    act(wire)
    answer = client.response()
    assert answer.status == status and not answer.closes()
    wire = origin.either(wire) if "hook" in cause else origin.accept()
    assert wire.request().target == "/behind"
    wire.send(answer_with(body="behind"))
    assert client.response().body == b"behind"


# ---- an answer that takes its time, while the rest of the body comes ----

SLOW = """
  timeouts = { continue = %g },
  request = function(req) if req.path == "/small" then req.max_body = 50 end end,
  response = function(req, res)
    if req.path == "/slow" then interim.log("a response waits"); interim.sleep(0.4) end
  end,
"""
# When the 401 comes, the client has sent nothing but its head; or the size of a chunk.
OWED = {"an expectation declined": ([EXPECT], 60), "told by our own 100": ([EXPECT], 0.05),
        "without an expectation": ([], 60), "a chunk begun": ([EXPECT], 60)}


def answered_early(proxy, client, origin, owed, target):
    """The body is still to come, and the answer is on its way, but not over. The origin's end."""
    fields, begun = OWED[owed][0], "chunk" in owed
    framing = CHUNKED if begun else f"Content-Length: {len(MARKER)}"
    client.send(post(framing, *fields, target=target),
                b"%x\r\n" % len(MARKER) if begun else b"")
    wire = origin.accept()
    wire.request_head()
    if "our own" in owed:
        client.interim(100)
    if begun:
        proxy.counts("expect_started", 1)
    wire.send("HTTP/1.1 401 No\r\nContent-Length: 4\r\n\r\n", "some" if target == "/slow" else "so")
    if target == "/slow":
        proxy.logged("a response waits")
    else:
        client.response_head()
        assert client.exactly(2) == b"so"
    return wire


@pytest.mark.parametrize("target", ["/slow", "/"], ids=["in the hook", "in the response's body"])
@pytest.mark.parametrize("owed", OWED)
def test_a_body_that_comes_behind_its_answer_is_no_request_and_both_sides_close(start, origin, owed,
                                                                               target):
    """An origin that answered in the place of a 100 may read on for another request."""
    proxy = start(SLOW % OWED[owed][1])
    client = proxy.client()
    wire = answered_early(proxy, client, origin, owed, target)
    client.send(MARKER, b"\r\n0\r\n\r\n" if "chunk" in owed else b"")
    if owed == "without an expectation":
        assert wire.exactly(len(MARKER)) == MARKER  # it still waits for that
    else:
        wire.nothing()
    if target == "/slow":
        answer = client.response()
        assert answer.body == b"some" and answer.closes()
    else:
        wire.send("me")
        assert client.exactly(2) == b"me"
    client.at_end()
    assert wire.ending() and not wire.held
    next_client_is_served(proxy, origin)


def test_a_body_that_the_origin_asked_for_late_is_relayed_behind_an_early_head(start, origin):
    proxy = start(SLOW % 0.05)
    client = proxy.client()
    client.send(post(EXPECT, "Content-Length: 5"))
    wire = origin.accept()
    wire.request_head()
    client.interim(100)
    wire.send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
    client.response_head()
    client.send("hello")
    wire.send(wire.exactly(5))
    assert client.exactly(5) == b"hello"
    client.at_end()
    wire.at_end()


@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_client_that_ends_its_side_behind_an_early_head_gets_all_of_the_answer(proxy, client,
                                                                                origin, framing):
    """RFC 9112 section 9.5: it asks for the rest of it no less than one that has sent its body."""
    client.send(framed(framing), wire_form(framing, BODY)[:40])
    wire = origin.accept()
    wire.request_head()
    wire.send("HTTP/1.1 413 No\r\nConnection: close\r\nContent-Length: 20\r\n\r\n0123456789")
    client.response_head()
    assert client.exactly(10) == b"0123456789"
    client.half_close()
    client.nothing()
    wire.send("abcdefghij")
    assert client.exactly(10) == b"abcdefghij"
    client.at_end()
    wire.ending()
    assert proxy.exchange()["outcome"] == "upstream"
    next_client_is_served(proxy, origin)


def test_a_body_that_grows_over_max_body_does_not_cut_an_answer_that_has_begun(start, origin):
    proxy = start(SLOW % 60)
    client = proxy.client()
    client.send(post(CHUNKED, target="/small"), "5\r\nhello\r\n")
    wire = origin.accept()
    wire.request_head()
    assert wire.chunk() == b"hello"
    wire.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nso")
    client.response_head()
    assert client.exactly(2) == b"so"
    client.send(wire_form(CHUNKED, BODY), MARKER)
    wire.nothing()
    wire.send("me")
    assert client.exactly(2) == b"me"
    client.at_end()
    assert wire.ending() and not wire.held
    next_client_is_served(proxy, origin)


def test_bytes_that_are_no_chunk_do_not_cut_an_answer_that_has_begun_and_discards_them(start, origin):
    proxy = start(SLOW % 60)
    client = proxy.client()
    client.send(post(EXPECT, CHUNKED))
    wire = origin.accept()
    wire.request_head()
    wire.send("HTTP/1.1 401 No\r\nContent-Length: 4\r\n\r\nso")
    assert client.response_head().closes()
    assert client.exactly(2) == b"so"
    client.send(MARKER)
    wire.nothing()
    wire.send("me")
    assert client.exactly(2) == b"me"
    client.at_end()
    assert wire.ending() and not wire.held
    assert proxy.exchange()["outcome"] == "upstream"
    next_client_is_served(proxy, origin)


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("sent", ["nothing", "half"])
def test_408_for_a_body_comes_whole_and_its_left_over_is_no_request(proxy, client, origin, sent,
                                                                   framing):
    body = wire_form(framing, BODY)
    first = b"" if sent == "nothing" else body[:len(HALF)]
    client.send(framed(framing), first)
    origin.accept().request_head()
    is_page(is_answered(client, 408), 408)
    send_what_is_left(client, body[len(first):])
    client.at_end()
    assert origin.untouched()
    next_client_is_served(proxy, origin)


def test_408_for_a_head_comes_whole_and_its_left_over_is_no_request(proxy, client, origin):
    client.send("POST / HTTP/1.1\r\nHost: a\r\n")
    is_page(is_answered(client, 408), 408)
    send_what_is_left(client, f"Content-Length: {len(BODY)}\r\n\r\n".encode() + BODY)
    client.at_end()
    assert origin.untouched()
    next_client_is_served(proxy, origin)


BAD_CHUNKS = {"a size that is none": b"g\r\n", "data that does not end": b"1\r\nxyz\r\n",
              "a bad trailer": b"0\r\nA B: c\r\n\r\n", "two bytes too many": b"0\r\n\r\r\n"}


@pytest.mark.parametrize("bad", BAD_CHUNKS.values(), ids=BAD_CHUNKS)
@pytest.mark.parametrize("sent", ["at once", "after a good chunk"])
def test_400_for_a_chunk_comes_whole_and_what_follows_is_no_request(proxy, client, origin, bad,
                                                                   sent):
    client.send(post(CHUNKED), b"" if sent == "at once" else b"2\r\nhi\r\n", bad, MARKER)
    is_page(is_answered(client, 400), 400)
    send_what_is_left(client, BODY)
    client.at_end()
    wire = origin.accept()
    wire.ending()
    assert b"marker" not in wire.held and b"\r\n0\r\n" not in wire.held
    next_client_is_served(proxy, origin)


def test_413_for_chunks_comes_whole_and_what_follows_is_no_request(proxy, client, origin):
    client.send(framed(CHUNKED, target="/small"), wire_form(CHUNKED, BODY), MARKER)
    is_answered(client, 413)
    client.at_end()
    wire = origin.accept()
    wire.ending()
    assert b"marker" not in wire.held
    next_client_is_served(proxy, origin)


@pytest.mark.parametrize("how", ["reset", "close", "half close and reset"])
@pytest.mark.parametrize("cause", HERE)
def test_an_answer_that_nobody_is_left_to_hear_harms_nobody(proxy, origin, cause, how):
    """Envoy answered a request whose client had been reset, and fell (CVE-2024-53270)."""
    _, head = HERE[cause]
    for sent in (b"", HALF):
        client = proxy.client()
        client.send(head(LENGTH, BODY), sent)
        if how.startswith("half"):
            client.half_close()
        client.close() if how == "close" else client.reset()
    proxy.wait_stats(lambda s: s["open"] == 0)
    assert origin.untouched()
    next_client_is_served(proxy, origin)


@pytest.mark.parametrize("cause", THERE)
def test_nor_does_one_because_of_the_origin(proxy, origin, cause):
    _, head, act = THERE[cause]
    for sent in (b"", HALF):
        client = proxy.client()
        client.send(head(LENGTH), sent)
        wire = origin.accept()
        wire.request_head()
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        act(wire)
        client.close()
    proxy.wait_stats(lambda s: s["open"] == 0)
    next_client_is_served(proxy, origin)
