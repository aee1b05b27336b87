"""Request bodies (rules B): how long a body is, that it streams, and that nothing is guessed."""

import hashlib
import threading

import pytest

from harness import is_sanitized
from scenes import CHUNKED, MARKER, OK, post, refuses

MIB = 1 << 20

BAD_FRAMINGS = {
    "chunked in HTTP/1.0": (post(CHUNKED, version="HTTP/1.0"), 400),
    "chunked and a length": (post(CHUNKED, "Content-Length: 5"), 400),
    "a length and chunked": (post("Content-Length: 5", CHUNKED), 400),
    "chunked in two fields": (post(CHUNKED, CHUNKED), 400),
    "gzip and chunked in two fields": (post("Transfer-Encoding: gzip", CHUNKED), 400),
    "an unknown coding": (post("Transfer-Encoding: xchunked"), 400),
    "identity": (post("Transfer-Encoding: identity"), 400),
    "chunked first": (post("Transfer-Encoding: chunked, gzip"), 400),
    "chunked quoted": (post('Transfer-Encoding: "chunked"'), 400),
    "chunked with a parameter": (post("Transfer-Encoding: chunked;q=1"), 400),
    "an empty coding": (post("Transfer-Encoding:"), 400),
    "a comma alone": (post("Transfer-Encoding: ,"), 400),
    "chunked behind a vertical tab": (post("Transfer-Encoding: \x0bchunked"), 400),
    "another coding, then chunked": (post("Transfer-Encoding: gzip, chunked"), 501),
    "two lengths in a list": (post("Content-Length: 5, 5"), 400),
    "two lengths alike": (post("Content-Length: 5", "Content-Length: 5"), 400),
    "two lengths that differ": (post("Content-Length: 5", "Content-Length: 6"), 400),
    "a plus": (post("Content-Length: +5"), 400),
    "a minus": (post("Content-Length: -5"), 400),
    "a space within": (post("Content-Length: 5 5"), 400),
    "hex": (post("Content-Length: 0x5"), 400),
    "hex digits": (post("Content-Length: a"), 400),
    "an empty length": (post("Content-Length:"), 400),
    "a fraction": (post("Content-Length: 5.0"), 400),
    "an exponent": (post("Content-Length: 1e1"), 400),
    "2^63": (post(f"Content-Length: {2**63}"), 400),
    "2^64 + 5": (post(f"Content-Length: {2**64 + 5}"), 400),
    "forty digits": (post("Content-Length: " + "9" * 40), 400),
}


@pytest.mark.parametrize("head,status", BAD_FRAMINGS.values(), ids=BAD_FRAMINGS)
def test_b1_b2_framing_that_is_refused(client, origin, head, status):
    refuses(client, origin, head + b"hello", status)


@pytest.mark.parametrize("coding", ["chunked", "Chunked", "CHUNKED", " \tchunked\t "])
def test_b1_chunked_in_any_letter_case(client, origin, coding):
    client.send(post(f"Transfer-Encoding:{coding}"), "5\r\nhello\r\n0\r\n\r\n")
    wire = origin.accept()
    assert wire.request().body == b"hello"
    wire.send(OK)
    assert client.response().status == 200


@pytest.mark.parametrize("length", ["5", "005", "0" * 30 + "5"])
def test_b2_a_length_is_digits(client, origin, length):
    client.send(post(f"Content-Length: {length}"), "hello")
    wire = origin.accept()
    assert wire.request().body == b"hello"
    wire.send(OK)
    assert client.response().status == 200


def test_b2_the_greatest_length_is_accepted(client, origin):
    client.send(post(f"Content-Length: {2**63 - 1}"), "begun")
    wire = origin.accept()
    assert wire.request_head().get("content-length") == str(2**63 - 1)
    assert wire.exactly(5) == b"begun"


def test_b2_an_empty_body_stays_announced(client, origin):
    client.send(post("Content-Length: 0"))
    wire = origin.accept()
    assert wire.request().get("content-length") == "0"
    wire.send(OK)
    assert client.response().status == 200


BAD_CHUNKS = {
    "a plus": b"+5\r\nhello\r\n0\r\n\r\n",
    "a minus": b"-5\r\nhello\r\n0\r\n\r\n",
    "0x": b"0x5\r\nhello\r\n0\r\n\r\n",
    "a space before the size": b" 5\r\nhello\r\n0\r\n\r\n",
    "a space behind the size": b"5 \r\nhello\r\n0\r\n\r\n",
    "a tab behind the size": b"5\t\r\nhello\r\n0\r\n\r\n",
    "no digits": b"\r\nhello\r\n0\r\n\r\n",
    "no digits before an extension": b";a=b\r\nhello\r\n0\r\n\r\n",
    "no hex digit": b"g\r\nhello\r\n0\r\n\r\n",
    "17 digits": b"0" * 16 + b"5\r\nhello\r\n0\r\n\r\n",
    "a size that overflows": b"ffffffffffffffff1\r\nhello\r\n0\r\n\r\n",
    "bare LF behind the size": b"5\nhello\r\n0\r\n\r\n",
    "bare CR behind the size": b"5\rhello\r\n0\r\n\r\n",
    "no CRLF behind the data": b"5\r\nhelloXX0\r\n\r\n",
    "bare LF behind the data": b"5\r\nhello\n0\r\n\r\n",
    "more data than announced": b"5\r\nhello!\r\n0\r\n\r\n",
    "NUL in an extension": b"5;a\0b\r\nhello\r\n0\r\n\r\n",
    "LF in an extension": b"5;a\nb\r\nhello\r\n0\r\n\r\n",
    "CR in an extension": b"5;a\rb\r\nhello\r\n0\r\n\r\n",
    "obs-text in an extension": b"5;a\xe4\r\nhello\r\n0\r\n\r\n",
    "an extension of 300 bytes": b"5;" + b"a" * 300 + b"\r\nhello\r\n0\r\n\r\n",
    "bare LF at the end": b"5\r\nhello\r\n0\r\n\n",
    "a trailer line without a colon": b"5\r\nhello\r\n0\r\nnonsense\r\n\r\n",
    "a folded trailer": b"5\r\nhello\r\n0\r\nX: y\r\n z\r\n\r\n",
    "a control byte in a trailer": b"5\r\nhello\r\n0\r\nX: \x01\r\n\r\n",
    "one byte a chunk, without end": b"1\r\na\r\n" * 5000 + b"0\r\n\r\n",
}


@pytest.mark.parametrize("body", BAD_CHUNKS.values(), ids=BAD_CHUNKS)
def test_b3_a_broken_chunk_ends_both_sides(client, origin, body):
    client.send(post(CHUNKED), body, MARKER)
    assert client.response().status == 400
    client.at_end()
    # Whatever of the request was already on its way must look cut, not complete.
    while not origin.untouched():
        wire = origin.accept()
        wire.ending()
        assert b"0\r\n\r\n" not in wire.held
        assert b"/marker" not in wire.held


@pytest.mark.parametrize("body", [
    b"5\r\nhello\r\n0\r\n\r\n",
    b"0005\r\nhello\r\n00\r\n\r\n",
    b"5;a=b\r\nhello\r\n0;c\r\n\r\n",
    b'5; a = "b; c"\r\nhello\r\n0\r\n\r\n',
    b"5;" + b"a" * 255 + b"\r\nhello\r\n0\r\n\r\n",
    b"1\r\nh\r\n2\r\nel\r\n0000000000000002\r\nlo\r\n0\r\n\r\n",
])
def test_b3_chunks_in_any_valid_spelling_arrive_as_plain_chunks(client, origin, body):
    client.send(post(CHUNKED), body)
    wire = origin.accept()
    request = wire.request()  # reads strictly: no extension would pass
    assert (request.framing, request.body) == ("chunked", b"hello")
    wire.send(OK)
    assert client.response().status == 200


def test_b3_chunks_may_be_split_anywhere(pair):
    data = post(CHUNKED) + b"5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nX-Sum: 1\r\n\r\n"
    for at in range(1, len(data)):
        pair.client.send(data[:at])
        pair.client.send(data[at:])
        assert pair.origin.request().body == b"hello!"
        pair.origin.send(OK)
        assert pair.client.response().status == 200


def test_b4_trailers_are_forwarded_without_those_that_control(client, origin):
    harmless = [("X-Sum", "abc"), ("Server-Timing", "a;dur=1")]
    harmful = ["Content-Length: 3", "Transfer-Encoding: chunked", "Host: evil", "Connection: close",
               "Authorization: Basic eA==", "Cookie: a=b", "Set-Cookie: a=b", "Expect: 100-continue",
               "Content-Encoding: gzip", "Content-Type: text/html", "Content-Range: bytes 0-1/2",
               "Trailer: X", "TE: gzip", "Max-Forwards: 0", "Proxy-Authorization: x",
               "X-Forwarded-For: 1.2.3.4", "Upgrade: websocket", "Via: 1.1 x"]
    lines = harmful[:9] + [f"{n}: {v}" for n, v in harmless] + harmful[9:]
    client.send(post(CHUNKED), "5\r\nhello\r\n0\r\n", "\r\n".join(lines), "\r\n\r\n")
    wire = origin.accept()
    request = wire.request()
    assert request.trailers == harmless
    for line in harmful:
        name, _, value = line.partition(": ")
        assert value not in request.all(name) or name in ("Transfer-Encoding",)
    assert request.get("x-sum") is None
    wire.send(OK)
    assert client.response().status == 200


def test_b5_the_raw_bytes_of_a_head_do_not_pass(client, origin):
    client.send(b"GET /raw HTTP/1.1\r\nHost:a\r\nX-Odd:    spaced   \r\n\r\n")
    wire = origin.accept()
    raw = wire.until(b"\r\n\r\n")
    assert b"\r\nHost: a\r\n" in raw and b"\r\nX-Odd: spaced\r\n" in raw
    wire.send(OK)
    assert client.response().status == 200


def test_b6_a_body_streams_while_it_is_sent(client, origin):
    client.send(post("Content-Length: 10"), "first")
    wire = origin.accept()
    wire.request_head()
    assert wire.exactly(5) == b"first"
    client.send("again")
    assert wire.exactly(5) == b"again"
    wire.send(OK)
    assert client.response().status == 200


def test_b6_a_chunked_body_streams_while_it_is_sent(client, origin):
    client.send(post(CHUNKED), "5\r\nfir")
    wire = origin.accept()
    wire.request_head()
    got = bytearray(wire.chunk())
    client.send("st\r\n")
    while len(got) < 5:
        got += wire.chunk()
    assert got == b"first"
    client.send("0\r\n\r\n")
    assert wire.chunks() == (b"", [])
    wire.send(OK)
    assert client.response().status == 200


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_b6_a_slow_origin_stops_the_reading_from_the_client(proxy, origin, chunked):
    piece = bytes(range(256)) * 256
    framing = CHUNKED if chunked else f"Content-Length: {2**40}"
    unit = b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece
    client = proxy.client()
    client.send(post(framing))
    wire = origin.accept()
    wire.request_head()
    before = proxy.worker_rss()
    taken = client.send_until_blocked(unit)
    assert taken < 64 * MIB  # what the kernel's buffers hold, and no more
    if not is_sanitized():
        assert proxy.worker_rss() - before < MIB
    # All of it is still there, in order.
    left = taken if not chunked else taken // len(unit) * len(piece)
    position = 0
    while position < left:
        data = wire.chunk() if chunked else wire.exactly(min(left - position, len(piece)))
        data = data[:left - position]
        start = position % 256
        assert data == (piece + piece)[start:start + len(data)]
        position += len(data)


def test_b6_a_large_body_arrives_whole(client, origin):
    size = 64 * MIB
    piece = hashlib.sha256(b"seed").digest() * 2048
    sent = hashlib.sha256()

    def upload():
        left = size
        while left:
            data = piece[:left]
            client.send(data)
            sent.update(data)
            left -= len(data)

    client.send(post(f"Content-Length: {size}"))
    wire = origin.accept()
    wire.request_head()
    thread = threading.Thread(target=upload)
    thread.start()
    got = hashlib.sha256()
    for _ in range(size // len(piece)):
        got.update(wire.exactly(len(piece)))
    thread.join()
    assert got.digest() == sent.digest()
    wire.send(OK)
    assert client.response().status == 200


def test_a_client_that_ends_in_the_middle_of_a_body_ends_the_request(client, origin):
    client.send(post("Content-Length: 10"), "half")
    wire = origin.accept()
    wire.request_head()
    assert wire.exactly(4) == b"half"
    client.close()
    wire.ending()
    assert not wire.held


def test_a_client_that_ends_in_the_middle_of_a_chunk_ends_the_request(client, origin):
    client.send(post(CHUNKED), "5\r\nhel")
    wire = origin.accept()
    wire.request_head()
    client.close()
    wire.ending()
    assert b"0\r\n\r\n" not in wire.held
