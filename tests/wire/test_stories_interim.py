"""What went wrong elsewhere with interim responses and expectations, and does not go wrong here.

Each test begins with the story: a public report about some other program, and what it came to. The
test is the scene of that report, played against this one."""

import itertools

import pytest

from harness import is_sanitized
from lines import PATIENCE
from scenes import (CHUNKED, EXPECT, MARKER, OK, answer_with, get, is_page, passes, post, refuses)
from test_time import Span, times

CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n"
HINTS = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"
PROCESSING = "HTTP/1.1 102 Processing\r\n\r\n"
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY"]


def upload(*fields, length=5):
    return post(EXPECT, f"Content-Length: {length}", *fields)


def held(client, origin, *fields):
    """An upload whose body waits for a 100: the origin's end."""
    client.send(upload(*fields))
    wire = origin.accept()
    assert wire.request_head().get("expect") == "100-continue"
    return wire


def say(wire, *parts):
    """The origin speaks, though the proxy may have hung up on it."""
    try:
        wire.send(*parts)
    except (BrokenPipeError, ConnectionResetError):
        pass


# Go's net/http, CVE-2024-24791: a server answered `Expect: 100-continue` with a final status; the
# client library left the connection in a state in which the next request on it was read as the
# body that never came. A proxy built on it let anybody break other people's requests.
@pytest.mark.parametrize("status", ["200 OK", "302 Found", "400 Bad Request", "503 No"])
def test_a_connection_whose_body_was_never_sent_carries_no_other_request(proxy, origin, status):
    client = proxy.client()
    wire = held(client, origin)
    wire.send(answer_with(status=status))
    answer = client.response()
    assert answer.status == int(status[:3]) and answer.closes()
    other = proxy.client()
    other.send(get(target="/other"))
    fresh = origin.accept()
    assert fresh.request().target == "/other"
    fresh.send(OK)
    assert other.response().body == b"ok"
    wire.at_end()


# Apache Traffic Server, CVE-2024-56202: exchanges with Expect kept resources after their end until
# none were left. (tests/soak/expect does the same ten thousand times, with descriptors and memory.)
def test_expectations_of_every_ending_leave_nothing_behind(proxy, origin):
    for ending in ("100", "final", "reset", "close", "leave"):
        client = proxy.client()
        wire = held(client, origin)
        if ending == "100":
            wire.send(CONTINUE)
            client.interim(100)
            client.send("hello")
            wire.exactly(5)
            wire.send(OK)
            assert client.response().status == 200
        elif ending == "final":
            wire.send(answer_with(status="403 Forbidden"))
            assert client.response().status == 403
        elif ending == "leave":
            client.reset()
            wire.ending()
        else:
            wire.close() if ending == "close" else wire.reset()
            assert client.response().status == 502
        client.close()
        wire.close()
    stats = proxy.wait_stats(lambda s: not (s["open"] or s["active"] or s["upstream_open"]))
    assert stats["expect_forwarded"] - proxy.before["expect_forwarded"] == 5


# Akamai, CVE-2025-32094: OPTIONS with `Expect` and a folded field was read in two ways by two
# servers of one path, so that one request hid in another.
@pytest.mark.parametrize("method", METHODS)
def test_a_folded_field_with_an_expectation_is_refused_for_every_method(client, origin, method):
    head = get("Expect: 100-continue\r\n folded", "Content-Length: 5", method=method)
    refuses(client, origin, head, 400)


# "HTTP/1.1 must die" (James Kettle, 2025): with `Expect`, plain or mangled, one server on the path
# forgot that there was a body (0.CL, CL.0), and read the body as the next request.
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("fields", [[], [EXPECT]], ids=["without", "with"])
def test_the_length_of_a_body_is_the_same_with_an_expectation(client, origin, method, fields):
    client.send(get(*fields, f"Content-Length: {len(MARKER)}", method=method), MARKER)
    wire = origin.accept()
    request = wire.request()
    assert (request.method, request.body) == (method, MARKER)
    wire.send(OK)
    assert client.response(to=method).status == 200
    client.send(get(target="/next"))
    assert wire.request().target == "/next"
    wire.send(OK)
    assert client.response().status == 200


@pytest.mark.parametrize("value", ["y 100-continue", "100-continue y", "x", "100-continue,",
                                   "100-continue\t100-continue", "\x0b100-continue", "100 continue"])
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_a_mangled_expectation_is_refused_with_all_that_follows(client, origin, method, value):
    client.send(get(f"Expect: {value}", f"Content-Length: {len(MARKER)}", method=method), MARKER,
                MARKER)
    answer = client.response()
    assert answer.status in (400, 417) and answer.closes()
    client.at_end()
    assert origin.untouched()


# Envoy, issues 2567 and 11433: a second 100 from the upstream ran into an assertion.
@pytest.mark.parametrize("count", [2, 3, 100])
def test_more_than_one_100_is_relayed(client, origin, count):
    wire = held(client, origin)
    wire.send(CONTINUE * count)
    for _ in range(count):
        client.interim(100)
    client.send("hello")
    wire.exactly(5)
    wire.send(CONTINUE, OK)
    client.interim(100)
    assert client.response().status == 200


# Apache Traffic Server, issues 1777, 2867 and 3836 and pull request 11548: assertions about the
# state of a transaction that the right moment of a 100 could reach.
SAYS = {"100": CONTINUE, "103": HINTS, "101": "HTTP/1.1 101 X\r\nUpgrade: x\r\n\r\n",
        "final": OK, "junk": "junk\r\n\r\n", "close": None, "reset": None}


@pytest.mark.parametrize("sent", [0, 2, 5])
def test_whatever_an_origin_says_in_whatever_order_the_worker_lives(start, origin, sent):
    proxy = start(times(response=0.2, body=0.2))
    workers = proxy.workers()
    for words in itertools.chain(*(itertools.product(SAYS, repeat=n) for n in (1, 2))):
        client = proxy.client()
        client.send(upload(), "hello"[:sent])
        wire = origin.accept()
        wire.request_head()
        wire.exactly(sent)
        for word in words:
            if word in ("close", "reset"):
                wire.close() if word == "close" else wire.reset()
                break
            say(wire, SAYS[word])
        head = client.head()
        while head.status < 200:
            head = client.head()
        last = next((word for word in words if word not in ("100", "103")), "silence")
        assert head.status in {"final": (200,), "silence": (408, 524)}.get(last, (502,)), words
        client.close()
        wire.close()
    assert proxy.workers() == workers


# Apache Traffic Server, issue 11536: Expect on a request with an empty body crashed the server.
@pytest.mark.parametrize("head", [
    post(EXPECT, "Content-Length: 0"), post(EXPECT), get(EXPECT), get(EXPECT, method="HEAD"),
    post(EXPECT, CHUNKED) + b"0\r\n\r\n",
], ids=["length 0", "POST without", "GET", "HEAD", "a chunked body of nothing"])
def test_an_expectation_about_nothing_is_no_matter(client, origin, head):
    client.send(head)
    wire = origin.accept()
    wire.request()
    wire.send(OK)
    assert client.response(to=head.split()[0].decode()).status == 200


# Apache Traffic Server, issues 12244, 12905 and 12906: bytes behind an interim response were
# skipped, depending on where the segment ended.
def test_an_interim_and_the_answer_may_be_cut_anywhere(proxy, origin):
    data = (CONTINUE + HINTS).encode() + OK
    client = proxy.client()
    wire = None
    for at in range(1, len(data)):
        client.send(upload(), "hello")
        wire = wire or origin.accept()
        assert wire.request().body == b"hello"
        wire.send(data[:at])
        wire.send(data[at:])
        client.interim(100)
        assert client.interim(103).get("link") == "</a.css>"
        assert client.response().body == b"ok"


# Apache Traffic Server, issue 12561: the handler that wrote a 100 to the client used memory of a
# client that had gone. Squid, audit of 2021 (100-continue-entry-assert): a 100 that arrived after
# the client had aborted ran into an assertion.
LEAVES = {
    "before the head is whole": lambda c, o: c.send("POST / HTTP/1.1\r\nExpect: 100-con"),
    "with the body held": lambda c, o: held(c, o),
    "with a 100 on its way": lambda c, o: say(held(c, o), CONTINUE),
    "with a storm on its way": lambda c, o: say(held(c, o), HINTS * 200),
    "with half a 100 on its way": lambda c, o: say(held(c, o), CONTINUE[:-2]),
    "with a final answer on its way": lambda c, o: say(held(c, o), OK),
}


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("stage", LEAVES.values(), ids=LEAVES)
def test_a_client_may_leave_at_any_moment_of_an_expectation(proxy, origin, stage, how):
    for _ in range(5):
        client = proxy.client()
        stage(client, origin)
        getattr(client, how)()
        for wire in origin.wires:
            say(wire, CONTINUE, HINTS, OK)
            wire.ending()
        origin.hang_up()
    passes(proxy.client(), origin, get())


# Apache Traffic Server, issues 12866 and 13504: an interim response raced an early final answer, or
# the body that was already under way.
@pytest.mark.parametrize("interim", [CONTINUE, HINTS, PROCESSING], ids=["100", "103", "102"])
@pytest.mark.parametrize("sent", range(6))
@pytest.mark.parametrize("fields", [[], [EXPECT]], ids=["plain", "expecting"])
def test_an_interim_then_an_answer_at_every_step_of_an_upload(client, origin, fields, sent, interim):
    client.send(post(*fields, "Content-Length: 5"), "hello"[:sent])
    wire = origin.accept()
    wire.request_head()
    assert wire.exactly(sent) == b"hello"[:sent]
    wire.send(interim, answer_with(status="413 No"))
    client.interim(int(interim.split()[1]))
    answer = client.response()
    assert answer.status == 413
    assert answer.closes() == (sent < 5)
    client.send("hello"[sent:], get(target="/next"))
    if sent < 5:
        # What is still to come of the body is nobody's request.
        client.ending()
        wire.ending()
        assert b"/next" not in wire.held
        assert origin.untouched()
    else:
        assert wire.request().target == "/next"
        wire.send(OK)
        assert client.response().body == b"ok"


# Squid, audit of 2021 (expect-100-assert): two pipelined requests with Expect ran into an
# assertion: there was room for one 100.
@pytest.mark.parametrize("together", [True, False], ids=["in one segment", "one by one"])
def test_pipelined_expectations_are_met_one_after_the_other(client, origin, together):
    heads = [upload(f"X-N: {n}") + b"hello" for n in range(3)]
    if together:
        client.send(*heads)
    wire = None
    for n in range(3):
        if not together:
            client.send(heads[n])
        wire = wire or origin.accept()
        request = wire.request()
        assert (request.get("x-n"), request.body) == (str(n), b"hello")
        wire.send(CONTINUE, answer_with(body=str(n)))
        client.interim(100)
        assert client.response().body == str(n).encode()


# Squid, audit of 2021 (expect-100-invalid-headers-assert): an invalid field in a pipelined request
# with Expect built two answers for one request.
FAULTS = {
    "X : y": 400, "X: a\0b": 400, ": y": 400, "X: y\r\n folded": 400, "Content-Length: 6": 400,
    "Transfer-Encoding: chunked": 400, "Transfer-Encoding: gzip, chunked": 400, "Host: b": 400,
    "Expect: x": 417, "X: " + "a" * 40000: 431,
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: repr(fault[:30]))
def test_a_broken_request_behind_an_expectation_has_one_answer(client, origin, fault):
    client.send(upload(), "hello", upload(fault), MARKER)
    wire = origin.accept()
    assert wire.request().body == b"hello"
    wire.send(CONTINUE, OK)
    client.interim(100)
    assert client.response().body == b"ok"
    answer = client.response()
    is_page(answer, FAULTS[fault])
    assert answer.closes()
    client.at_end()
    assert not wire.here() and origin.untouched()


# Squid keeps one interim response at a time and asserts that there is no other; elsewhere they pile
# up in memory for a client that does not read.
def test_a_storm_of_103s_over_a_held_body_is_held_back(start, origin):
    proxy = start('limits = { interim = 1000000, interim_bytes = "1000m" },')
    client = proxy.client(receive_buffer=4096)
    wire = held(client, origin)
    before = proxy.worker_rss()
    one = b"HTTP/1.1 103 Early Hints\r\nLink: </" + b"a" * 2000 + b">\r\n\r\n"
    taken = wire.send_until_blocked(one)
    assert taken < 64 << 20
    if not is_sanitized():
        assert proxy.worker_rss() - before < 1 << 20
    # Everything that was taken arrives, in order, and the exchange goes on.
    rest = one[taken % len(one):] if taken % len(one) else b""
    for _ in range((taken + len(rest)) // len(one) - 1):
        client.interim(103)
    wire.send(rest, CONTINUE)
    client.interim(103)
    client.interim(100)
    client.send("hello")
    assert wire.exactly(5) == b"hello"
    wire.send(OK)
    assert client.response().body == b"ok"


# Go (issue 65035), Ruby's net/http (319) and CPython: interim responses without end kept a client
# waiting for ever, or took its memory.
def test_an_origin_cannot_play_for_time_with_interims(start, origin):
    proxy = start(times(response=1))
    client = proxy.client()
    with Span(1):
        client.send(get())
        wire = origin.accept()
        wire.request()
        for _ in range(4):
            wire.send(HINTS, CONTINUE)
            client.interim(103)
            client.interim(100)
            client.nothing(0.1)
        is_page(client.response(), 524)
    wire.ending()


def test_nor_with_so_many_that_they_fill_the_memory(client, origin):
    client.send(get())
    wire = origin.accept()
    wire.request()
    for _ in range(256):
        wire.send(HINTS)
        client.interim(103)
    wire.send(HINTS)
    is_page(client.response(), 502)
    wire.ending()


# The router of Cloud Foundry when Go 1.20 came: its library began to relay the 100 itself. The
# client had two, and the log said 100 was the status of the request.
@pytest.mark.parametrize("how,expect,interims", [("continue", "continue", []),
                                                 ("forward", "forward-100", [100])])
def test_one_100_for_one_expectation_and_the_log_has_the_final_status(start, origin, how, expect,
                                                                      interims):
    proxy = start('expect = function(req) return req.headers["x-how"] end,')
    client = proxy.client()
    client.send(upload(f"X-How: {how}"))
    wire = origin.accept()
    wire.request_head()
    wire.send(CONTINUE)
    client.interim(100)
    client.send("hello")
    wire.exactly(5)
    wire.send(answer_with(status="201 Created"))
    assert client.response().status == 201
    line = proxy.exchange()
    assert (line["status"], line["expect"], line["interims"]) == (201, expect, interims)


# gun, the Erlang client, CVE-2026-43974: it took a 101 that it had not asked for, and gave the
# connection to a protocol of the server's choice.
@pytest.mark.parametrize("head", [
    get(), get("Connection: upgrade"), get("Upgrade: websocket"), get(method="HEAD"),
    upload(), post("Content-Length: 2") + b"hi", get("Connection: upgrade", "Upgrade: h2c"),
], ids=["GET", "only Connection", "only Upgrade", "HEAD", "Expect", "POST", "one not forwarded"])
def test_a_101_without_an_offer_opens_nothing(client, origin, head):
    client.send(head)
    wire = origin.accept()
    wire.request_head()
    wire.send("HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", MARKER)
    answer = client.response(to=head.split()[0].decode())
    assert answer.status == 502
    wire.ending()


# http-parser: a 103, a 204 or a 304 with Content-Length swallowed the next response as its body.
@pytest.mark.parametrize("method,bodyless", [
    ("GET", "HTTP/1.1 103 X\r\nContent-Length: 38\r\n\r\n"),
    ("GET", "HTTP/1.1 100 X\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ("GET", "HTTP/1.1 204 X\r\nContent-Length: 38\r\n\r\n"),
    ("GET", "HTTP/1.1 304 X\r\nContent-Length: 38\r\n\r\n"),
    ("HEAD", "HTTP/1.1 200 X\r\nContent-Length: 38\r\n\r\n"),
    ("HEAD", "HTTP/1.1 404 X\r\nTransfer-Encoding: chunked\r\n\r\n"),
])
def test_what_has_no_body_swallows_nothing(client, origin, method, bodyless):
    client.send(get(method=method))
    wire = origin.accept()
    wire.request()
    wire.send(bodyless)
    status = int(bodyless.split()[1])
    if status < 200:
        client.interim(status)
        wire.send(OK)
        assert client.response(to=method).body == b"ok"
    else:
        assert client.response(to=method).status == status
    client.send(get(target="/next"))
    assert wire.request().target == "/next"
    wire.send(answer_with(body="next"))
    assert client.response().body == b"next"


# RFC 9110 section 15.2: a server must not send a 1xx to an HTTP/1.0 client, which would take it for
# the final response. Many proxies relay what the origin says.
def test_an_http_1_0_client_sees_one_response(client, origin):
    client.send(post(EXPECT, "Content-Length: 5", version="HTTP/1.0"), "hello")
    wire = origin.accept()
    request = wire.request()
    assert (request.get("expect"), request.body) == (None, b"hello")
    wire.send(CONTINUE, PROCESSING, HINTS, OK)
    assert client.response().body == b"ok"
    client.at_end()


# nginx, proxy_early_hints: an origin that sent a 103 and closed must not look like an empty 200.
@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_103_and_then_nothing_is_a_failure(proxy, origin, how):
    client = proxy.client()
    client.send(get())
    wire = origin.accept()
    wire.request()
    wire.send(HINTS)
    client.interim(103)
    getattr(wire, how)()
    is_page(client.response(), 502)
    line = proxy.exchange()
    assert (line["status"], line["interims"], line["outcome"]) == (502, [103], "here")


# The deadlock of Expect: the client waits for a 100, the proxy for a body, the origin for either.
# HAProxy says 100 itself at once; RFC 9110 section 10.1.1 lets a client wait for a while only.
def test_an_origin_that_ignores_expectations_holds_nobody_up(start, origin):
    client = start(times(continue_=0.2, response=PATIENCE)).client()
    with Span(0.2):
        wire = held(client, origin)
        client.interim(100)
    client.send("hello")
    assert wire.exactly(5) == b"hello"
    wire.send(OK)
    assert client.response().status == 200


def test_and_without_that_setting_the_wait_ends_with_the_time_for_a_response(start, origin):
    client = start(times(response=0.4)).client()
    with Span(0.4):
        wire = held(client, origin)
        answer = client.response()
    is_page(answer, 524)
    assert answer.closes()
    client.at_end()
    wire.ending()
