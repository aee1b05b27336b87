"""Python's http.client, which knows nothing of expectations but to skip a 100: here it waits for
one as its users do, looks before it sends, or sends without looking."""

import hashlib
import http.client
import json
import select
import socket

import pytest

from lines import PATIENCE
from programs import Sink

POLICY = """
  expect = function(req)
    if req.path == "/gate" then return { status = 413, body = "not so much\\n" } end
    if req.path == "/continue" then return "continue" end
  end,
"""

BODY = hashlib.sha256(b"body").digest() * 32768  # 1 MiB


@pytest.fixture(scope="module")
def sink():
    sink = Sink()
    yield sink
    sink.stop()


@pytest.fixture
def through(start, sink):
    return start(POLICY, upstream=sink.text, lasting=True)


@pytest.fixture
def connection(through):
    connection = http.client.HTTPConnection(*through.address, timeout=PATIENCE)
    yield connection
    connection.close()


def send_head(connection, path, *fields):
    connection.putrequest("PUT", path)
    for name, value in (("Content-Length", len(BODY)), ("Expect", "100-continue"), *fields):
        connection.putheader(name, value)
    connection.endheaders()


def wait_for_leave(connection):
    """What the next response is, without taking it away from getresponse."""
    readable = select.select([connection.sock], [], [], PATIENCE)[0]
    assert readable
    return connection.sock.recv(64, socket.MSG_PEEK).split(b"\r\n")[0]


def receipt(connection):
    response = connection.getresponse()
    assert response.status == 200
    return json.loads(response.read())


def is_whole(facts):
    assert facts == {"size": len(BODY), "sha256": hashlib.sha256(BODY).hexdigest()}


@pytest.mark.parametrize("path", ["/upload", "/continue"], ids=["the origin's", "the proxy's"])
def test_a_client_that_waits_for_the_100(through, connection, path):
    send_head(connection, path)
    assert wait_for_leave(connection) == b"HTTP/1.1 100 Continue"
    connection.send(BODY)
    response = connection.getresponse()  # skips the 100
    text = response.read()
    assert response.status == 200 and str(len(BODY)).encode() in text
    assert through.exchange()["expect"] == ("continue" if path == "/continue" else "forward-100")


def test_a_client_that_sends_without_looking(through, connection):
    connection.request("PUT", "/upload", BODY, {"Expect": "100-continue"})
    is_whole(receipt(connection))


def test_a_refusal_is_there_before_the_body_and_the_next_request_finds_a_new_connection(
        through, connection):
    send_head(connection, "/gate")
    assert wait_for_leave(connection).startswith(b"HTTP/1.1 413 ")
    response = connection.getresponse()
    assert response.will_close and response.read() == b"not so much\n"
    connection.request("PUT", "/upload", BODY)
    is_whole(receipt(connection))
    through.counts("accepted", 2)


def test_a_refusal_is_read_though_the_body_was_sent_all_the_same(connection):
    try:
        connection.request("PUT", "/gate", BODY, {"Expect": "100-continue"})
    except (BrokenPipeError, ConnectionResetError):
        pass
    response = connection.getresponse()
    assert (response.status, response.read()) == (413, b"not so much\n")


def test_uploads_one_after_the_other_on_one_connection(through, connection):
    connection.connect()
    for _ in range(10):
        send_head(connection, "/upload")
        assert wait_for_leave(connection) == b"HTTP/1.1 100 Continue"
        connection.send(BODY)
        is_whole(receipt(connection))
    through.counts("accepted", 1)
    assert [line["interims"] for line in through.exchanges(10)] == [[100]] * 10


def test_a_body_of_unknown_length(connection):
    pieces = (BODY[at:at + 9973] for at in range(0, len(BODY), 9973))
    connection.request("PUT", "/upload", pieces, encode_chunked=True,
                       headers={"Transfer-Encoding": "chunked"})
    is_whole(receipt(connection))


def test_a_client_of_http_1_0_gets_no_100_and_its_body_is_taken(through, connection):
    connection._http_vsn, connection._http_vsn_str = 10, "HTTP/1.0"
    send_head(connection, "/upload")
    connection.send(BODY)
    is_whole(receipt(connection))
    line = through.exchange()
    assert (line["status"], line["interims"], line["expect"]) == (200, [], "")


def test_head_has_no_body_and_keeps_the_connection(through, connection):
    connection.request("HEAD", "/")
    response = connection.getresponse()
    assert response.getheader("Content-Length") and response.read() == b""
    connection.request("GET", "/")
    assert connection.getresponse().read() == b"Hello from the origin.\n"
    through.counts("accepted", 1)
