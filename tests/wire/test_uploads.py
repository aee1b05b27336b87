"""Where expectations meet something else: a hook that waits, a client that lost its patience or
left, a pooled connection that is dead, an answer that is early."""

import time

import pytest

from scenes import CHUNKED, EXPECT, MARKER, OK, answer_with, get, post
from test_time import Span, times

CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n"

WAITS = """
  expect = function(req)
    interim.sleep(tonumber(req.headers["x-wait"] or "0.5"))
    if req.headers["x-how"] == "401" then return 401 end
    return req.headers["x-how"]
  end,
"""


def upload(*fields, length=5):
    return post(EXPECT, f"Content-Length: {length}", *fields)


# ---- a hook that waits ----


def test_a_client_that_gives_up_waiting_for_the_hook_gets_no_100(start, origin):
    client = start(WAITS).client()
    with Span(2.0):
        client.send(upload("X-How: continue", "X-Wait: 2"))
        client.nothing(1.0)  # what curl does: a second, then the body
        client.send("hello")
        wire = origin.accept()
    request = wire.request()
    assert (request.get("expect"), request.body) == (None, b"hello")
    wire.send(OK)
    assert client.response().body == b"ok"


@pytest.mark.parametrize("sent", [b"h", b"hell", b"hello"])
def test_nor_does_part_of_a_body_get_lost_in_the_wait(start, origin, sent):
    client = start(WAITS).client()
    client.send(upload("X-How: continue", "X-Wait: 0.2"))
    client.send(sent)
    wire = origin.accept()
    wire.request_head()
    assert wire.exactly(len(sent)) == sent
    client.send(b"hello"[len(sent):])
    assert wire.exactly(5 - len(sent)) == b"hello"[len(sent):]
    wire.send(OK)
    assert client.response().body == b"ok"


def test_a_body_larger_than_what_is_held_waits_for_the_hook_in_the_kernel(start, origin):
    proxy = start(WAITS)
    client = proxy.client()
    body = bytes(range(256)) * 4096
    client.send(upload("X-How: forward", "X-Wait: 0.3", length=len(body)))
    client.sock.setblocking(False)
    taken = client.sock.send(body)
    client.sock.settimeout(20)
    wire = origin.accept()
    assert wire.request_head().get("expect") == "100-continue"
    client.send(body[taken:])
    assert wire.exactly(len(body)) == body
    wire.send(OK)
    assert client.response().body == b"ok"
    assert proxy.exchange()["expect"] == "forward-started"


def test_a_refusal_after_the_wait_is_sent_though_the_body_came(start, origin):
    client = start(WAITS).client()
    client.send(upload("X-How: 401", "X-Wait: 0.2", length=len(MARKER)), MARKER)
    answer = client.response()
    assert answer.status == 401 and answer.closes()
    client.at_end()
    assert origin.untouched()


@pytest.mark.parametrize("how", ["close", "reset", "half_close"])
@pytest.mark.parametrize("sent", ["", "he"])
def test_a_client_that_leaves_ends_the_wait(start, origin, how, sent):
    proxy = start(WAITS)
    client = proxy.client()
    client.send(upload("X-Wait: 30"), sent)
    proxy.wait_stats(lambda s: s["active"] == 1)
    getattr(client, how)()
    proxy.wait_stats(lambda s: s["open"] == 0, patience=5)
    proxy.counts("aborted", 1)
    assert origin.untouched()


def test_each_pipelined_expectation_has_its_own_wait(start, origin):
    client = start(WAITS).client()
    client.send(*(upload("X-How: continue", "X-Wait: 0.2", f"X-N: {n}") + b"hello"
                  for n in range(3)))
    wire = None
    with Span(0.6):
        for n in range(3):
            wire = wire or origin.accept()
            request = wire.request()
            assert (request.get("x-n"), request.body) == (str(n), b"hello")
            wire.send(answer_with(body=str(n)))
            assert client.response().body == str(n).encode()


# ---- a pooled connection that turns out dead ----


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_dead_pooled_connection_is_replaced_while_the_body_is_held(pair, origin, method, how):
    pair.client.send(get(EXPECT, "Content-Length: 5", method=method))
    pair.origin.request_head()
    getattr(pair.origin, how)()
    wire = origin.accept()
    head = wire.request_head()
    assert (head.method, head.get("expect")) == (method, "100-continue")
    wire.send(CONTINUE)
    pair.client.interim(100)
    pair.client.send("hello")
    assert wire.exactly(5) == b"hello"
    wire.send(OK)
    assert pair.client.response().body == b"ok"


def test_it_is_replaced_once(pair, origin):
    pair.client.send(upload())
    pair.origin.request_head()
    pair.origin.close()
    wire = origin.accept()
    wire.request_head()
    wire.close()
    answer = pair.client.response()
    assert answer.status == 502 and answer.closes()
    assert origin.untouched()


def test_not_after_an_interim_response(pair, origin):
    pair.client.send(upload())
    pair.origin.request_head()
    pair.origin.send("HTTP/1.1 103 Early Hints\r\n\r\n")
    pair.client.interim(103)
    pair.origin.close()
    assert pair.client.response().status == 502
    assert origin.untouched()


@pytest.mark.parametrize("policy,says", [
    ("expect = function() return 'continue' end,", True), (times(continue_=0.2), True),
])
def test_not_for_a_post_once_the_client_was_told_to_send(start, origin, policy, says):
    client = start(policy).client()
    client.send(get())
    first = origin.accept()
    first.request()
    first.send(OK)
    assert client.response().body == b"ok"
    client.send(upload())
    client.interim(100)
    first.request_head()
    first.close()
    # The head was seen by an origin, and whether it acted on it nobody knows.
    assert client.response().status == 502
    assert origin.untouched()


# ---- a final response in the place of a 100 ----


@pytest.mark.parametrize("fields,rest", [
    (["Content-Length: 5"], b"hello"), ([CHUNKED], b"5\r\nhello\r\n0\r\n\r\n"),
], ids=["length", "chunked"])
@pytest.mark.parametrize("share", ["unsent", "half", "whole"])
@pytest.mark.parametrize("status", ["200 OK", "401 No", "417 No", "307 There"])
def test_a_final_response_in_the_place_of_a_100(proxy, origin, status, share, fields, rest):
    client = proxy.client()
    sent = {"unsent": b"", "half": rest[:4], "whole": rest}[share]
    client.send(post(EXPECT, *fields), sent)
    wire = origin.accept()
    wire.request_head()
    if sent:
        wire.until(b"h")
    wire.send(answer_with(status=status))
    answer = client.response()
    assert answer.status == int(status[:3])
    assert answer.closes() == (share != "whole")
    client.send(rest[len(sent):], MARKER if share != "whole" else b"")
    if share == "whole":
        client.send(get(target="/next"))
        assert b"/next" in wire.until(b"/next HTTP/1.1\r\n")
        wire.until(b"\r\n\r\n")
        wire.send(OK)
        assert client.response().body == b"ok"
    else:
        client.ending()
        wire.ending()
        assert b"marker" not in wire.held
    assert origin.untouched()
    assert proxy.exchange()["expect"] == ("forward-final" if share == "unsent" else
                                          "forward-started")


# ---- time ----


def test_while_the_expectation_is_with_the_origin_the_client_owes_nothing(start, origin):
    client = start(times(body=0.2, response=5)).client()
    client.send(upload())
    wire = origin.accept()
    wire.request_head()
    client.nothing(0.6)
    wire.send(CONTINUE)
    client.interim(100)
    with Span(0.2):
        answer = client.response()  # and now it does
    assert answer.status == 408 and answer.closes()
    wire.ending()


def test_while_the_body_is_on_its_way_the_origin_owes_nothing(start, origin):
    client = start(times(body=5, response=0.3)).client()
    client.send(upload())
    wire = origin.accept()
    wire.request_head()
    wire.send(CONTINUE)
    client.interim(100)
    for byte in "hello":
        time.sleep(0.15)
        client.send(byte)
    assert wire.exactly(5) == b"hello"
    wire.send(OK)
    assert client.response().body == b"ok"


def test_a_102_every_while_does_not_lift_the_ceiling_over_a_held_body(start, origin):
    client = start(times(response=5, processing=5, exchange=0.8)).client()
    with Span(0.8):
        client.send(upload())
        wire = origin.accept()
        wire.request_head()
        for _ in range(6):
            wire.send("HTTP/1.1 102 Processing\r\n\r\n")
            client.interim(102)
            time.sleep(0.1)
        answer = client.response()
    assert answer.status == 524 and answer.closes()
    client.at_end()
    wire.ending()
