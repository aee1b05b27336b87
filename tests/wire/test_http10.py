"""HTTP/1.0 clients everywhere: they see one response and never a 1xx, whatever the origin says and
whatever a policy would allow."""

import pytest

from scenes import CHUNKED, EXPECT, MARKER, OK, answer_with, get, is_page, post, refuses
from test_time import Span, times
from test_upgrade import offer, switching

CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n"
HINTS = "HTTP/1.1 103 Early Hints\r\n\r\n"
PROCESSING = "HTTP/1.1 102 Processing\r\n\r\n"
EAGER = """
  expect = function() return "continue" end,
  upgrade = function() return true end,
"""


def get10(*fields, **keywords):
    return get(*fields, version="HTTP/1.0", **keywords)


def post10(*fields, **keywords):
    return post(*fields, version="HTTP/1.0", **keywords)


@pytest.fixture
def asked(client, origin):
    """A request of an HTTP/1.0 client on its way: the client, and the origin's end."""
    client.send(get10())
    wire = origin.accept()
    assert wire.request().start == "GET / HTTP/1.1"
    return client, wire


@pytest.mark.parametrize("interims", [CONTINUE, HINTS, PROCESSING, CONTINUE + HINTS + PROCESSING,
                                      HINTS * 256], ids=["100", "103", "102", "all", "256"])
def test_no_interim_reaches_it(asked, interims):
    client, wire = asked
    wire.send(interims, OK)
    answer = client.response()
    assert answer.body == b"ok"
    client.at_end()


def test_those_that_it_does_not_see_count_against_the_limits(asked):
    client, wire = asked
    wire.send(HINTS * 257)
    is_page(client.response(), 502)
    wire.ending()


def test_they_come_to_nothing_during_an_upload_either(client, origin):
    client.send(post10("Content-Length: 5"), "he")
    wire = origin.accept()
    wire.request_head()
    wire.exactly(2)
    wire.send(CONTINUE, HINTS)
    client.nothing()
    client.send("llo")
    wire.exactly(3)
    wire.send(PROCESSING, OK)
    assert client.response().body == b"ok"


@pytest.mark.parametrize("value", ["100-continue", "anything", "100-continue, 100-continue"])
def test_its_expectation_is_ignored_and_no_hook_is_asked(start, origin, value):
    proxy = start(EAGER)
    client = proxy.client()
    client.send(post10(f"Expect: {value}", "Content-Length: 5"))
    client.nothing()
    client.send("hello")
    wire = origin.accept()
    request = wire.request()
    assert (request.get("expect"), request.body) == (None, b"hello")
    wire.send(OK)
    assert client.response().body == b"ok"
    assert proxy.exchange()["expect"] == ""


def test_no_100_of_ours_after_a_silence(start, origin):
    client = start(times(continue_=0.1)).client()
    client.send(post10(EXPECT, "Content-Length: 5"))
    origin.accept().request_head()
    client.nothing(0.4)


def test_its_upgrade_is_ignored_and_no_hook_is_asked(start, origin):
    proxy = start(EAGER)
    client = proxy.client()
    client.send(offer(version="HTTP/1.0"))
    wire = origin.accept()
    request = wire.request()
    assert request.get("upgrade") is None
    wire.send(switching())
    is_page(client.response(), 502)
    wire.ending()
    assert proxy.exchange()["upgrade"] == ""


def test_a_426_is_an_ordinary_answer(asked):
    client, wire = asked
    wire.send(answer_with("Upgrade: websocket", "Connection: upgrade", status="426 Upgrade"))
    assert client.response().status == 426


@pytest.mark.parametrize("seconds,says,status", [
    ({"response": 0.3}, "", 524), ({"response": 0.3}, HINTS, 524),
    ({"response": 5, "processing": 0.3}, PROCESSING, 522),
    ({"response": 5, "processing": 5, "exchange": 0.3}, PROCESSING, 524),
], ids=["response", "behind a 103", "processing", "exchange"])
def test_the_clocks_are_the_same(start, origin, seconds, says, status):
    client = start(times(**seconds)).client()
    with Span(0.3):
        client.send(get10())
        wire = origin.accept()
        wire.request()
        wire.send(says)
        answer = client.response()
    is_page(answer, status)
    wire.ending()


def test_a_102_it_cannot_see_gives_the_origin_its_time_all_the_same(start, origin):
    client = start(times(response=0.3, processing=5)).client()
    client.send(get10())
    wire = origin.accept()
    wire.request()
    wire.send(PROCESSING)
    client.nothing(0.6)
    wire.send(OK)
    assert client.response().body == b"ok"


@pytest.mark.parametrize("policy,status", [
    ("request = function() return 403 end,", 403), ("request = function() error('x') end,", 500),
    ("response = function() return 503 end,", 503),
])
def test_what_a_policy_answers_is_well_formed_for_it(start, origin, policy, status):
    client = start(policy).client()
    client.send(get10())
    if status == 503:
        wire = origin.accept()
        wire.request()
        wire.send(HINTS, OK)
    is_page(client.response(), status)
    client.at_end()


def test_keep_alive_holds_over_interims(client, origin):
    wire = None
    for n in range(3):
        client.send(get10("Connection: keep-alive"))
        wire = wire or origin.accept()
        wire.request()
        wire.send(HINTS, answer_with(body=str(n)))
        answer = client.response()
        assert (answer.body, answer.get("connection").lower()) == (str(n).encode(), "keep-alive")


def test_chunks_behind_an_interim_are_decoded(asked):
    client, wire = asked
    wire.send(HINTS, f"HTTP/1.1 200 OK\r\n{CHUNKED}\r\n\r\n2\r\nok\r\n0\r\nX: trailer\r\n\r\n")
    answer = client.response()
    assert (answer.framing, answer.body, answer.get("transfer-encoding")) == ("close", b"ok", None)


def test_a_chunked_request_is_refused_with_or_without_an_expectation(client, origin):
    refuses(client, origin, post10(EXPECT, CHUNKED) + b"0\r\n\r\n", 400)


def test_an_early_answer_behind_a_100_it_did_not_see(client, origin):
    client.send(post10(EXPECT, "Content-Length: 500"), "part")
    wire = origin.accept()
    wire.request_head()
    wire.exactly(4)
    wire.send(CONTINUE, answer_with(status="413 No"))
    assert client.response().status == 413
    client.send(MARKER)
    client.ending()
    wire.ending()
    assert origin.untouched()
