"""Responses (rules H): what an origin may say, where its answer ends, and a cut that shows."""

import hashlib
import threading

import pytest

from harness import is_sanitized
from scenes import CHUNKED, EXPECT, MARKER, OK, answer_with, exchange, get, is_page, post


def asked(client, origin, head=None):
    client.send(head or get())
    wire = origin.accept()
    wire.request()
    return wire


BAD_HEADS = {
    "nonsense": b"nonsense\r\n\r\n",
    "a request": MARKER,
    "no version": b"200 OK\r\n\r\n",
    "ICY": b"ICY 200 OK\r\n\r\n",
    "lower case": b"http/1.1 200 OK\r\n\r\n",
    "HTTP/2.0": b"HTTP/2.0 200 OK\r\n\r\n",
    "HTTP/0.9": b"HTTP/0.9 200 OK\r\n\r\n",
    "two digits of minor": b"HTTP/1.10 200 OK\r\n\r\n",
    "status 099": b"HTTP/1.1 099 X\r\n\r\n",
    "status 000": b"HTTP/1.1 000 X\r\n\r\n",
    "status 600": b"HTTP/1.1 600 X\r\n\r\n",
    "status 999": b"HTTP/1.1 999 X\r\n\r\n",
    "two digits": b"HTTP/1.1 20 X\r\n\r\n",
    "four digits": b"HTTP/1.1 2000 X\r\n\r\n",
    "letters": b"HTTP/1.1 2OO X\r\n\r\n",
    "minus": b"HTTP/1.1 -20 X\r\n\r\n",
    "two spaces before the status": b"HTTP/1.1  200 OK\r\n\r\n",
    "tab before the status": b"HTTP/1.1\t200 OK\r\n\r\n",
    "bare LF in the status line": b"HTTP/1.1 200 OK\nX: y\r\n\r\n",
    "bare LF behind a field": b"HTTP/1.1 200 OK\r\nX: y\nContent-Length: 0\r\n\r\n",
    "bare CR in a value": b"HTTP/1.1 200 OK\r\nX: y\rz\r\n\r\n",
    "bare CR in the reason": b"HTTP/1.1 200 O\rK\r\n\r\n",
    "NUL in a value": b"HTTP/1.1 200 OK\r\nX: \0\r\n\r\n",
    "NUL in the reason": b"HTTP/1.1 200 O\0K\r\n\r\n",
    "control byte in a value": b"HTTP/1.1 200 OK\r\nX: \x02\r\n\r\n",
    "space before the colon": b"HTTP/1.1 200 OK\r\nX : y\r\n\r\n",
    "empty name": b"HTTP/1.1 200 OK\r\n: y\r\n\r\n",
    "no colon": b"HTTP/1.1 200 OK\r\nnonsense\r\n\r\n",
    "fold": b"HTTP/1.1 200 OK\r\nX: y\r\n z\r\n\r\n",
    "white space before the first field": b"HTTP/1.1 200 OK\r\n X: y\r\n\r\n",
    "an empty line first": b"\r\nHTTP/1.1 200 OK\r\n\r\n",
    "a head over the limit": b"HTTP/1.1 200 OK\r\nX: " + b"a" * 40000 + b"\r\n\r\n",
    "129 fields": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 129 + b"\r\n",
}

BAD_FRAMINGS = {
    "length and chunked": ["Content-Length: 5", CHUNKED],
    "two lengths that differ": ["Content-Length: 5", "Content-Length: 6"],
    "a list that differs": ["Content-Length: 5, 6"],
    "an empty length": ["Content-Length:"],
    "a minus": ["Content-Length: -1"],
    "a plus": ["Content-Length: +5"],
    "hex": ["Content-Length: 0x5"],
    "2^63": [f"Content-Length: {2**63}"],
    "letters": ["Content-Length: five"],
    "not ending in chunked": ["Transfer-Encoding: chunked, gzip"],
    "no chunked at all": ["Transfer-Encoding: gzip"],
    "identity": ["Transfer-Encoding: identity"],
    "chunked twice": [CHUNKED, CHUNKED],
    "an empty coding": ["Transfer-Encoding:"],
}


@pytest.mark.parametrize("head", BAD_HEADS.values(), ids=BAD_HEADS)
def test_h1_a_response_that_breaks_a_rule_is_a_502(client, origin, head):
    wire = asked(client, origin)
    wire.send(head, "hello")
    is_page(client.response(), 502)
    wire.ending()


@pytest.mark.parametrize("fields", BAD_FRAMINGS.values(), ids=BAD_FRAMINGS)
def test_h2_framing_that_is_ambiguous_is_a_502(client, origin, fields):
    wire = asked(client, origin)
    wire.send("\r\n".join(["HTTP/1.1 200 OK", *fields, "", "5\r\nhello\r\n0\r\n\r\n"]))
    is_page(client.response(), 502)
    wire.ending()


def test_h2_chunked_under_http_1_0_is_a_502(client, origin):
    wire = asked(client, origin)
    wire.send(f"HTTP/1.0 200 OK\r\n{CHUNKED}\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
    is_page(client.response(), 502)
    wire.ending()


@pytest.mark.parametrize("sent", ["", "HTTP/1.1", "HTTP/1.1 200 OK\r\nContent-Le"],
                         ids=["nothing", "a piece", "half a head"])
def test_an_origin_that_ends_before_its_head_is_a_502(client, origin, sent):
    wire = asked(client, origin)
    wire.send(sent)
    wire.close()
    is_page(client.response(), 502)


def test_an_origin_that_resets_before_its_head_is_a_502(client, origin):
    wire = asked(client, origin)
    wire.reset()
    is_page(client.response(), 502)


BODILESS = [("HEAD", "200 OK"), ("HEAD", "404 Not Found"), ("GET", "204 No Content"),
            ("GET", "304 Not Modified"), ("POST", "204 No Content")]


@pytest.mark.parametrize("method,status", BODILESS)
@pytest.mark.parametrize("field", ["Content-Length: 1000", CHUNKED, "X: y"])
def test_h3_some_answers_have_no_body_whatever_they_say(client, origin, method, status, field):
    head = get("Content-Length: 0", method=method) if method == "POST" else get(method=method)
    wire = asked(client, origin, head)
    wire.send(f"HTTP/1.1 {status}\r\n{field}\r\nETag: x\r\n\r\n")
    answer = client.response(to=method)
    assert answer.status == int(status[:3])
    assert answer.get("etag") == "x"
    # The connections are free for the next exchange at once.
    client.send(get(target="/next"))
    fresh = wire if origin.untouched() else origin.accept()
    assert fresh.request().target == "/next"
    fresh.send(answer_with(body="next"))
    assert client.response().body == b"next"


def test_h3_an_answer_to_head_keeps_its_length(client, origin):
    wire = asked(client, origin, get(method="HEAD"))
    wire.send("HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n")
    assert client.response(to="HEAD").get("content-length") == "12345"


@pytest.mark.parametrize("policy,status", [
    ("", "204 No Content"),
    ("response = function(req, res) res.status = 204 end,", "304 Not Modified")])
@pytest.mark.parametrize("field", ["Content-Length: 5", "Transfer-Encoding: chunked"])
def test_h3_but_never_that_of_a_204(start, origin, policy, status, field):
    client = start(policy).client()
    client.send(get(method="HEAD"))
    wire = origin.accept()
    wire.request()
    wire.send(f"HTTP/1.1 {status}\r\n{field}\r\n\r\n")
    answer = client.response(to="HEAD")
    assert answer.status == 204
    assert (answer.get("content-length"), answer.get("transfer-encoding")) == (None, None)


@pytest.mark.parametrize("method,status", BODILESS[:4])
def test_h3_a_body_that_must_not_be_there_reaches_nobody(client, origin, method, status):
    wire = asked(client, origin, get(method=method))
    wire.send(f"HTTP/1.1 {status}\r\nContent-Length: {len(OK)}\r\n\r\n", OK)
    assert client.response(to=method).status == int(status[:3])
    wire.ending()
    _, answer = exchange(client, origin, answer=answer_with(body="mine"))
    assert answer.body == b"mine"


def test_h3_bytes_behind_a_response_reach_nobody(client, origin):
    wire = asked(client, origin)
    wire.send(OK, answer_with(body="for nobody"))
    assert client.response().body == b"ok"
    wire.ending()
    _, answer = exchange(client, origin, answer=answer_with(body="mine"))
    assert answer.body == b"mine"


def test_h3_bytes_on_an_idle_pooled_connection_reach_nobody(pair, origin):
    pair.origin.send(answer_with(body="for nobody"))
    pair.origin.ending()
    _, answer = exchange(pair.client, origin, answer=answer_with(body="mine"))
    assert answer.body == b"mine"


def test_h4_a_body_of_unknown_length_is_chunked_towards_1_1(client, origin):
    wire = asked(client, origin)
    wire.send("HTTP/1.1 200 OK\r\n\r\nhello")
    head = client.response_head()
    assert head.get("transfer-encoding") == "chunked" and not head.closes()
    assert client.chunk() == b"hello"
    wire.send(" again")
    assert client.chunk() == b" again"
    wire.close()
    assert client.chunks() == (b"", [])
    exchange(client, origin)


def test_h4_a_body_of_unknown_length_is_closed_towards_1_0(client, origin):
    wire = asked(client, origin, get(version="HTTP/1.0"))
    wire.send("HTTP/1.1 200 OK\r\n\r\nhello")
    wire.close()
    answer = client.response()
    assert (answer.framing, answer.body) == ("close", b"hello")
    assert answer.get("transfer-encoding") is None


def test_h4_an_origin_of_http_1_0_ends_its_body_by_closing(client, origin):
    wire = asked(client, origin)
    wire.send("HTTP/1.0 200 OK\r\n\r\nhello")
    wire.close()
    answer = client.response()
    assert (answer.framing, answer.body) == ("chunked", b"hello")


def test_h4_chunks_are_decoded_towards_1_0(client, origin):
    wire = asked(client, origin, get("Connection: keep-alive", version="HTTP/1.0"))
    wire.send(f"HTTP/1.1 200 OK\r\n{CHUNKED}\r\n\r\n5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nX-T: 1\r\n\r\n")
    answer = client.response()
    assert (answer.framing, answer.body) == ("close", b"hello!")


def test_h4_chunks_are_framed_anew_towards_1_1(client, origin):
    wire = asked(client, origin)
    wire.send(f"HTTP/1.1 200 OK\r\n{CHUNKED}\r\nTrailer: X-T\r\n\r\n",
              "5;x=y\r\nhello\r\n01;z\r\n!\r\n0\r\nX-T: 1\r\nContent-Length: 3\r\n"
              "Set-Cookie: a=b\r\n\r\n")
    answer = client.response()
    assert (answer.framing, answer.body) == ("chunked", b"hello!")
    assert answer.trailers == [("X-T", "1")]
    assert answer.get("set-cookie") is None


def test_h4_a_chunked_response_may_be_split_anywhere(pair):
    data = f"HTTP/1.1 200 OK\r\n{CHUNKED}\r\n\r\n5\r\nhello\r\n2;x\r\n!!\r\n0\r\nX: y\r\n\r\n".encode()
    for at in range(1, len(data)):
        pair.client.send(get())
        pair.origin.request()
        pair.origin.send(data[:at])
        pair.origin.send(data[at:])
        assert pair.client.response().body == b"hello!!"


@pytest.mark.parametrize("end", ["close", "reset"])
def test_h5_a_response_of_known_length_that_ends_early_is_cut(proxy, client, origin, end):
    wire = asked(client, origin)
    wire.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    client.response_head()
    assert client.exactly(4) == b"half"
    getattr(wire, end)()
    client.ending()
    assert not client.held
    assert proxy.wait_stats(lambda s: s["active"] == 0)
    proxy.counts("cut", 1)


@pytest.mark.parametrize("end", ["close", "reset"])
def test_h5_a_chunked_response_that_ends_early_has_no_last_chunk(client, origin, end):
    wire = asked(client, origin)
    wire.send(f"HTTP/1.1 200 OK\r\n{CHUNKED}\r\n\r\n4\r\nhalf\r\n")
    client.response_head()
    assert client.chunk() == b"half"
    getattr(wire, end)()
    client.ending()
    assert not client.held


@pytest.mark.parametrize("chunk", ["zz\r\n", "5 \r\nhello\r\n", "5\r\nhelloXX", "5\nhello\r\n",
                                   "-1\r\n", "0\r\nX : y\r\n\r\n", "fffffffffffffffff\r\n"])
def test_h5_a_broken_chunk_cuts_the_response(client, origin, chunk):
    wire = asked(client, origin)
    wire.send(f"HTTP/1.1 200 OK\r\n{CHUNKED}\r\n\r\n4\r\ngood\r\n")
    client.response_head()
    assert client.chunk() == b"good"
    wire.send(chunk)
    client.ending()
    assert b"0\r\n\r\n" not in client.held and b"0\r\n" != bytes(client.held[:3])
    wire.ending()


def test_h5_towards_1_0_a_cut_is_a_reset_where_close_would_look_like_the_end(client, origin):
    wire = asked(client, origin, get(version="HTTP/1.0"))
    wire.send(f"HTTP/1.1 200 OK\r\n{CHUNKED}\r\n\r\n4\r\nhalf\r\n")
    client.response_head()
    assert client.exactly(4) == b"half"
    wire.close()
    assert client.ending() == "reset"


def test_h5_a_reset_of_a_body_without_a_length_is_no_end(client, origin):
    wire = asked(client, origin)
    wire.send("HTTP/1.1 200 OK\r\n\r\nhalf")
    client.response_head()
    assert client.chunk() == b"half"
    wire.reset()
    client.ending()
    assert not client.held


@pytest.mark.parametrize("sent", [0, 1000], ids=["nothing sent", "half sent"])
def test_h6_an_early_answer_is_relayed_at_once_then_both_close(client, origin, sent):
    client.send(post(f"Content-Length: {sent + len(MARKER)}"), "x" * sent)
    wire = origin.accept()
    wire.request_head()
    wire.exactly(sent)
    wire.send(answer_with(status="413 Too Large", body="enough"))
    answer = client.response()
    assert (answer.status, answer.body) == (413, b"enough")
    client.send(MARKER)  # the rest of the body, which must not be taken for a request
    client.at_end()
    wire.ending()
    assert origin.untouched()


def test_h6_an_early_answer_of_an_origin_that_closes_is_not_lost(client, origin):
    client.send(post(f"Content-Length: {10 << 20}"), "x" * 1000)
    wire = origin.accept()
    wire.request_head()
    wire.exactly(1000)
    wire.send(answer_with(status="403 Forbidden", body="no"))
    wire.close()
    answer = client.response()
    assert (answer.status, answer.body) == (403, b"no")


def test_h6_an_early_answer_to_a_chunked_body(client, origin):
    client.send(post(CHUNKED), "5\r\nhello\r\n")
    wire = origin.accept()
    wire.request_head()
    assert wire.chunk() == b"hello"
    wire.send(answer_with(status="400 Bad Request", body="no"))
    assert client.response().body == b"no"
    client.send(MARKER)
    client.ending()
    wire.ending()
    assert b"marker" not in wire.held
    assert origin.untouched()


def test_h6_while_the_origin_reads_the_body_goes_on(client, origin):
    client.send(post("Content-Length: 20"), "x" * 10)
    wire = origin.accept()
    wire.request_head()
    wire.exactly(10)
    wire.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst")
    client.response_head()
    assert client.exactly(5) == b"first"
    client.send("y" * 10)
    assert wire.exactly(10) == b"y" * 10
    wire.send("again")
    assert client.exactly(5) == b"again"


def test_h6_an_answer_behind_its_expectation_and_half_a_body(client, origin):
    client.send(post(EXPECT, CHUNKED))
    wire = origin.accept()
    wire.request_head()
    wire.send("HTTP/1.1 100 Continue\r\n\r\n")
    client.interim(100)
    client.send("5\r\nhello\r\n")
    assert wire.chunk() == b"hello"
    wire.send(answer_with(status="422 Unprocessable", body="no"))
    answer = client.response()
    assert answer.status == 422
    client.send(MARKER)
    client.ending()
    wire.ending()
    assert b"marker" not in wire.held and origin.untouched()


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_a_client_that_does_not_read_stops_the_reading_from_the_origin(proxy, origin, framing):
    client = proxy.client(receive_buffer=4096)
    wire = asked(client, origin)
    piece = bytes(range(256)) * 256
    field = {"length": f"Content-Length: {2**40}", "chunked": CHUNKED, "close": "X: y"}[framing]
    unit = b"%x\r\n%s\r\n" % (len(piece), piece) if framing == "chunked" else piece
    wire.send(f"HTTP/1.1 200 OK\r\n{field}\r\n\r\n")
    client.response_head()
    before = proxy.worker_rss()
    taken = wire.send_until_blocked(unit)
    assert taken < 64 << 20
    if not is_sanitized():
        assert proxy.worker_rss() - before < 1 << 20
    left = taken // len(unit) * len(piece)
    position = 0
    while position < left:
        data = client.exactly(min(left - position, 65536)) if framing == "length" else client.chunk()
        start = position % 256
        data = data[:left - position]
        assert data == (piece * 2)[start:start + len(data)]
        position += len(data)


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_a_large_response_arrives_whole(client, origin, framing):
    piece = hashlib.sha256(b"seed").digest() * 4096
    count = 256
    wire = asked(client, origin)
    field = {"length": f"Content-Length: {len(piece) * count}", "chunked": CHUNKED,
             "close": "X: y"}[framing]

    def download():
        wire.send(f"HTTP/1.1 200 OK\r\n{field}\r\n\r\n")
        for _ in range(count):
            wire.send(b"%x\r\n%s\r\n" % (len(piece), piece) if framing == "chunked" else piece)
        if framing == "chunked":
            wire.send("0\r\n\r\n")
        if framing == "close":
            wire.half_close()

    thread = threading.Thread(target=download)
    thread.start()
    answer = client.response()
    thread.join()
    assert hashlib.sha256(answer.body).digest() == hashlib.sha256(piece * count).digest()
