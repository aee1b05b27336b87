"""Interim responses (rules E): every 1xx of the origin reaches the client, at once and in order."""

import pytest

from harness import is_sanitized
from scenes import CHUNKED, EXPECT, OK, answer_with, exchange, get, is_page, post
from test_upgrade import offer

HINTS = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"


def asked(client, origin, head=None):
    """A request on its way: the origin's end, its head read."""
    client.send(head or get())
    wire = origin.accept()
    wire.request()
    return wire


@pytest.mark.parametrize("status,reason", [
    (100, "Continue"), (102, "Processing"), (103, "Early Hints"), (104, "Upload Resumption"),
    (110, "Odd"), (199, "Own Words \xe4"), (150, ""),
])
def test_e1_every_one_is_forwarded_with_its_fields_and_its_reason(client, origin, status, reason):
    wire = asked(client, origin)
    wire.send(f"HTTP/1.1 {status} {reason}\r\nX-One: 1\r\nLink: </a>; rel=x\r\nlink: </b>\r\n\r\n")
    head = client.interim(status)
    assert head.reason == reason
    assert head.fields[:3] == [("X-One", "1"), ("Link", "</a>; rel=x"), ("link", "</b>")]
    wire.send(OK)
    assert client.response().body == b"ok"


def test_e1_they_come_in_order_and_before_the_origin_went_on(proxy, client, origin):
    wire = asked(client, origin)
    for status in (103, 102, 103, 100, 199, 102):
        wire.send(f"HTTP/1.1 {status} X\r\nX-Own: {status}\r\n\r\n")
        assert client.interim(status).get("x-own") == str(status)
    wire.send(OK)
    assert client.response().status == 200
    stats = proxy.stats()
    moved = {n: stats[n] - proxy.before[n] for n in stats if n.startswith("interims")}
    assert moved == {"interims_100": 1, "interims_102": 2, "interims_103": 2, "interims_other": 1,
                     "interims_dropped": 0}


def test_e1_one_goes_out_as_soon_as_its_empty_line_is_there(client, origin):
    wire = asked(client, origin)
    wire.send(HINTS[:-2])
    client.nothing()
    wire.send("\r\nHTTP/1.1 20")
    client.interim(103)
    wire.send("0 OK\r\nContent-Length: 0\r\n\r\n")
    assert client.response().status == 200


def test_e2_none_is_sent_to_an_http_1_0_client(proxy, client, origin):
    client.send("GET / HTTP/1.0\r\n\r\n")
    wire = origin.accept()
    wire.request()
    wire.send("HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 102 Processing\r\n\r\n", HINTS, OK)
    assert client.response().body == b"ok"
    client.at_end()
    proxy.counts("interims_dropped", 3)


FRAMING = ["Content-Length: 5", "Content-Length: 99999999", "Transfer-Encoding: chunked",
           "Trailer: X", "Connection: close, X-Drop\r\nX-Drop: 1", "Keep-Alive: timeout=1",
           "Transfer-Encoding: gzip", "Content-Length: 0\r\nTransfer-Encoding: chunked",
           "Upgrade: h2c"]


@pytest.mark.parametrize("field", FRAMING)
@pytest.mark.parametrize("status", [100, 103])
def test_e3_what_frames_is_removed_and_frames_nothing(client, origin, field, status):
    wire = asked(client, origin)
    wire.send(f"HTTP/1.1 {status} X\r\n{field}\r\nX-Stay: 1\r\n\r\n", OK)
    head = client.interim(status)
    assert head.get("x-stay") == "1"
    for name in ("connection", "keep-alive", "x-drop", "upgrade"):
        assert head.get(name) is None
    assert client.response().body == b"ok"


def test_e3_a_103_with_a_length_does_not_swallow_the_next_exchange(client, origin):
    wire = asked(client, origin)
    wire.send("HTTP/1.1 103 X\r\nContent-Length: 38\r\n\r\n", OK)
    client.interim(103)
    assert client.response().body == b"ok"
    client.send(get(target="/next"))
    assert wire.request().target == "/next"
    wire.send(answer_with(body="next"))
    assert client.response().body == b"next"


def test_e4_they_flow_while_the_body_is_still_being_sent(client, origin):
    client.send(post("Content-Length: 10"), "first")
    wire = origin.accept()
    wire.request_head()
    wire.exactly(5)
    wire.send(HINTS)
    client.interim(103)
    client.send("agai")
    wire.exactly(4)
    wire.send("HTTP/1.1 102 Processing\r\n\r\n")
    client.interim(102)
    client.send("n")
    wire.exactly(1)
    wire.send(OK)
    assert client.response().body == b"ok"


def test_e4_they_flow_before_and_after_a_100(client, origin):
    client.send(post(EXPECT, CHUNKED))
    wire = origin.accept()
    wire.request_head()
    for status in (102, 100, 103, 100):
        wire.send(f"HTTP/1.1 {status} X\r\n\r\n")
        client.interim(status)
    client.send("2\r\nhi\r\n0\r\n\r\n")
    assert wire.chunks()[0] == b"hi"
    wire.send(HINTS, OK)
    client.interim(103)
    assert client.response().body == b"ok"


def test_e4_they_come_before_an_answer_to_head(client, origin):
    wire = asked(client, origin, get(method="HEAD"))
    wire.send(HINTS, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    client.interim(103)
    assert client.response(to="HEAD").get("content-length") == "1000"
    client.send(get())
    wire.request()
    wire.send(HINTS, OK)
    client.interim(103)
    assert client.response().body == b"ok"


def test_e4_each_pipelined_request_has_its_own(client, origin):
    client.send(*(get(target=f"/{n}") for n in range(3)))
    wire = origin.accept()
    for n in range(3):
        assert wire.request().target == f"/{n}"
        wire.send(f"HTTP/1.1 103 X\r\nX-N: {n}\r\n\r\n", answer_with(body=str(n)))
        assert client.interim(103).get("x-n") == str(n)
        assert client.response().body == str(n).encode()


def test_e4_many_in_one_segment_with_the_answer(client, origin):
    wire = asked(client, origin)
    wire.send(*(f"HTTP/1.1 103 X\r\nX-N: {n}\r\n\r\n" for n in range(50)), OK)
    assert [client.interim(103).get("x-n") for _ in range(50)] == [str(n) for n in range(50)]
    assert client.response().body == b"ok"


def test_e4_byte_by_byte(client, origin):
    wire = asked(client, origin)
    wire.drip(b"HTTP/1.1 100 Continue\r\n\r\n" + HINTS.encode() + OK)
    client.interim(100)
    assert client.interim(103).get("link") == "</a.css>; rel=preload"
    assert client.response().body == b"ok"


def test_e4_split_anywhere(pair):
    data = b"HTTP/1.1 102 P\r\nA: 1\r\n\r\nHTTP/1.1 103 E\r\nB: 2\r\n\r\n" + OK
    for at in range(1, len(data)):
        pair.client.send(get())
        pair.origin.request()
        pair.origin.send(data[:at])
        pair.origin.send(data[at:])
        assert pair.client.interim(102).get("a") == "1"
        assert pair.client.interim(103).get("b") == "2"
        assert pair.client.response().body == b"ok"


def test_e4_an_origin_of_http_1_0_may_not_but_the_answer_still_comes(client, origin):
    # A 1xx under HTTP/1.0 is not defined; whatever becomes of it, the exchange ends well-formed.
    wire = asked(client, origin)
    wire.send("HTTP/1.0 100 Continue\r\n\r\nHTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok")
    head = client.head()
    if head.status == 100:
        head = client.response_head()
    assert head.status in (200, 502)


def too_many(client, origin, sent, count):
    wire = asked(client, origin)
    wire.send(*sent)
    for _ in range(count):
        client.interim(103)
    is_page(client.response(), 502)
    wire.ending()


def test_e5_256_are_forwarded_and_the_next_is_refused(client, origin):
    too_many(client, origin, [b"HTTP/1.1 103 X\r\n\r\n"] * 257, 256)


def test_e5_256_are_allowed(client, origin):
    wire = asked(client, origin)
    wire.send(b"HTTP/1.1 103 X\r\n\r\n" * 256, OK)
    for _ in range(256):
        client.interim(103)
    assert client.response().body == b"ok"


def test_e5_their_heads_together_are_bounded(client, origin):
    one = b"HTTP/1.1 103 X\r\nX-Big: " + b"a" * 30000 + b"\r\n\r\n"
    too_many(client, origin, [one] * 9, 262144 // len(one))


def test_e5_each_is_a_head_like_any_other(client, origin):
    wire = asked(client, origin)
    wire.send(b"HTTP/1.1 103 X\r\nX-Big: " + b"a" * 40000 + b"\r\n\r\n")
    is_page(client.response(), 502)
    wire.ending()


def test_e5_the_bounds_are_the_operators(start, origin):
    proxy = start("limits = { interim = 3, interim_bytes = 1000 },")
    too_many(proxy.client(), origin, [b"HTTP/1.1 103 X\r\n\r\n"] * 4, 3)
    one = b"HTTP/1.1 103 X\r\nX: " + b"a" * 500 + b"\r\n\r\n"
    too_many(proxy.client(), origin, [one] * 2, 1)


def test_e5_a_client_that_does_not_read_stops_the_reading_from_the_origin(start, origin):
    proxy = start('limits = { interim = 1000000, interim_bytes = "1000m" },')
    client = proxy.client(receive_buffer=4096)
    wire = asked(client, origin)
    one = b"HTTP/1.1 103 X\r\nX-Big: " + b"a" * 1000 + b"\r\n\r\n"
    before = proxy.worker_rss()
    taken = wire.send_until_blocked(one)
    assert taken < 64 << 20
    if not is_sanitized():
        assert proxy.worker_rss() - before < 1 << 20
    # All that was taken whole is still to come, then the answer.
    wire.sock.setblocking(True)
    rest = one[taken % len(one):] if taken % len(one) else b""
    count = (taken + len(rest)) // len(one)
    for at in range(count):
        if at == count // 2:
            wire.send(rest, OK)
        client.interim(103)
    assert client.response().body == b"ok"


@pytest.mark.parametrize("fields", ["", "Connection: upgrade\r\nUpgrade: websocket\r\n"])
def test_e6_a_101_that_nobody_asked_for_is_refused(client, origin, fields):
    wire = asked(client, origin)
    wire.send(f"HTTP/1.1 101 Switching Protocols\r\n{fields}\r\nbytes of the other protocol")
    answer = client.response()
    is_page(answer, 502)
    wire.ending()


def test_e6_an_interim_without_a_final_answer_is_a_failure(client, origin):
    wire = asked(client, origin)
    wire.send(HINTS)
    client.interim(103)
    wire.close()
    is_page(client.response(), 502)


@pytest.mark.parametrize("head", [
    get(), get(EXPECT), get(method="HEAD"), post("Content-Length: 5"), post(CHUNKED),
    post(EXPECT, "Content-Length: 5", version="HTTP/1.0"), post(EXPECT, "Content-Length: 0"),
    post(EXPECT, "Content-Length: 5") + b"hello", post(EXPECT, CHUNKED) + b"0\r\n\r\n",
    offer(),
], ids=["GET", "GET that expects", "HEAD", "a body", "a chunked body", "HTTP/1.0", "no body",
        "a body sent", "a chunked body sent", "an upgrade"])
def test_e7_none_is_made_here_but_a_100_that_somebody_waits_for(start, origin, head):
    client = start("timeouts = { continue = 0.05 },").client()
    client.send(head)
    origin.accept().request_head()
    client.nothing(0.3)


ANSWERS = "function(req) return { status = tonumber(req.path:sub(2)) } end,"


@pytest.mark.parametrize("status", [100, 101, 102, 103, 199])
@pytest.mark.parametrize("hook,head", [
    ("request", get), ("expect", lambda **to: post(EXPECT, "Content-Length: 5", **to)),
    ("upgrade", offer)])
def test_e7_nor_does_a_policy_answer_with_one(start, origin, hook, head, status):
    client = start(f"{hook} = {ANSWERS}").client()
    client.send(head(target=f"/{status}"))
    is_page(client.response(), 500)
    assert origin.untouched()


@pytest.mark.parametrize("status", [100, 101, 102, 103, 199])
@pytest.mark.parametrize("policy,sent,page", [
    (f"response = {ANSWERS}", OK, 500), (f"error = {ANSWERS}", b"nonsense\r\n\r\n", 502),
    ("response = function(req, res) res.status = tonumber(req.path:sub(2)) end,", OK, 500),
], ids=["response", "error", "another status"])
def test_e7_nor_does_it_make_one_of_an_answer(start, origin, policy, sent, page, status):
    client = start(policy).client()
    wire = asked(client, origin, get(target=f"/{status}"))
    wire.send(sent)
    is_page(client.response(), page)


BROKEN = {
    "bare LF": "HTTP/1.1 103 X\nLink: a\r\n\r\n",
    "space before the colon": "HTTP/1.1 103 X\r\nLink : a\r\n\r\n",
    "NUL": "HTTP/1.1 103 X\r\nLink: a\0\r\n\r\n",
    "fold": "HTTP/1.1 103 X\r\nLink: a\r\n b\r\n\r\n",
    "two digits": "HTTP/1.1 10 X\r\n\r\n",
    "four digits": "HTTP/1.1 1030 X\r\n\r\n",
}


@pytest.mark.parametrize("head", BROKEN.values(), ids=BROKEN)
def test_a_broken_interim_is_a_failure_of_the_origin(client, origin, head):
    wire = asked(client, origin)
    wire.send(head, OK)
    is_page(client.response(), 502)
    wire.ending()


def test_a_client_that_leaves_while_interims_come(proxy, origin):
    for _ in range(20):
        client = proxy.client()
        wire = asked(client, origin)
        wire.send(HINTS)
        client.interim(103)
        client.reset()
        try:
            wire.send(HINTS * 50)
        except (BrokenPipeError, ConnectionResetError):
            pass
        wire.ending()
    exchange(proxy.client(), origin)


def test_a_1xx_behind_a_final_answer_reaches_nobody(client, origin):
    wire = asked(client, origin)
    wire.send(OK, HINTS)
    assert client.response().body == b"ok"
    wire.ending()
    client.send(get())
    fresh = origin.accept()
    fresh.request()
    fresh.send(OK)
    assert client.response().body == b"ok"
