"""Expect: 100-continue (rules D): who says 100, when, and what becomes of a body never sent."""

import time

import pytest

from scenes import CHUNKED, EXPECT, MARKER, OK, answer_with, exchange, get, is_page, post, refuses
from test_time import Span, times

CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n"
EMPTY = "0\r\n\r\n"  # a chunked body without data

HOOK = """
  expect = function(req)
    local how = req.headers["x-how"]
    if how == "401" then return 401 end
    if how == "413" then
      return { status = 413, headers = { ["x-why"] = "size" }, body = "50 MB at most\\n" }
    end
    if how == "nil" then return nil end
    return how
  end,
"""


def upload(*fields, length=5):
    return post(EXPECT, f"Content-Length: {length}", *fields)


def test_d1_the_head_goes_to_the_origin_at_once_and_without_the_body(client, origin):
    client.send(upload())
    wire = origin.accept()
    assert wire.request_head().get("expect") == "100-continue"
    wire.nothing()
    client.nothing(0)
    wire.send(CONTINUE)
    client.interim(100)
    client.send("hello")
    assert wire.exactly(5) == b"hello"
    wire.send(OK)
    answer = client.response()
    assert answer.body == b"ok" and not answer.closes()


def test_d1_the_connections_stay_after_a_body_that_was_sent(client, origin):
    for _ in range(3):
        client.send(upload())
        wire = origin.wires[-1] if origin.wires else origin.accept()
        wire.request_head()
        wire.send(CONTINUE)
        client.interim(100)
        client.send("hello")
        assert wire.exactly(5) == b"hello"
        wire.send(OK)
        assert client.response().status == 200


@pytest.mark.parametrize("value", ["100-continue", "100-Continue", "100-CONTINUE", " 100-continue "])
def test_d1_only_the_canonical_spelling_reaches_an_origin(client, origin, value):
    client.send(post(f"Expect:{value}", "Content-Length: 5"))
    wire = origin.accept()
    assert wire.request_head().get("expect") == "100-continue"
    wire.send(CONTINUE)
    client.interim(100)
    client.send("hello")
    wire.exactly(5)
    wire.send(OK)
    assert client.response().status == 200


@pytest.mark.parametrize("fields", [
    ["Expect: 200-ok"], ["Expect: 100-continue, 100-continue"], ["Expect: y 100-continue"],
    ["Expect: 100-continue; a=b"], ["Expect:"], ["Expect: 100-continu"], ['Expect: "100-continue"'],
    [EXPECT, EXPECT], [EXPECT, "Expect: x"],
], ids=repr)
def test_d1_any_other_value_fails_the_expectation(client, origin, fields):
    refuses(client, origin, post(*fields, "Content-Length: 5"), 417)


@pytest.mark.parametrize("head", [
    post(EXPECT, "Content-Length: 5", version="HTTP/1.0") + b"hello",
    get(EXPECT),
    post(EXPECT, "Content-Length: 0"),
    post(EXPECT),
], ids=["HTTP/1.0", "GET without a body", "length 0", "POST without a body"])
def test_d1_an_expectation_that_does_not_count_is_not_forwarded(client, origin, head):
    client.send(head)
    wire = origin.accept()
    assert wire.request().get("expect") is None
    wire.send(OK)
    assert client.response().status == 200


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "QUERY"])
def test_d1_an_expectation_never_changes_the_framing(client, origin, method):
    client.send(get(EXPECT, "Content-Length: 5", method=method))
    wire = origin.accept()
    assert wire.request_head().get("content-length") == "5"
    wire.send(CONTINUE)
    client.interim(100)
    client.send("GET /")
    assert wire.exactly(5) == b"GET /"
    wire.send(OK)
    assert client.response().status == 200


def test_d2_a_chunked_body_waits_for_100_too(client, origin):
    client.send(post(EXPECT, CHUNKED))
    wire = origin.accept()
    assert wire.request_head().get("transfer-encoding") == "chunked"
    wire.send(CONTINUE)
    client.interim(100)
    client.send("5\r\nhello\r\n0\r\n\r\n")
    assert wire.chunks() == (b"hello", [])
    wire.send(OK)
    assert client.response().status == 200


def test_d2_a_body_that_is_sent_unasked_is_relayed_unasked(client, origin):
    client.send(upload())
    wire = origin.accept()
    wire.request_head()
    client.send("hello")
    assert wire.exactly(5) == b"hello"
    wire.send(OK)
    assert client.response().status == 200


def test_d2_a_100_is_relayed_though_the_body_has_begun(client, origin):
    client.send(upload(), "he")
    wire = origin.accept()
    wire.request_head()
    assert wire.exactly(2) == b"he"
    wire.send(CONTINUE)
    client.interim(100)
    client.send("llo")
    assert wire.exactly(3) == b"llo"
    wire.send(OK)
    assert client.response().status == 200


def test_d2_no_100_is_made_up_when_the_origin_says_none(client, origin):
    client.send(upload())
    wire = origin.accept()
    wire.request_head()
    client.nothing(0.5)


def test_d2_after_a_silence_the_proxy_may_say_100_itself_once(start, origin):
    proxy = start("timeouts = { continue = 0.2 },")
    client = proxy.client()
    client.send(upload())
    wire = origin.accept()
    assert wire.request_head().get("expect") == "100-continue"
    client.interim(100)
    client.send("hello")
    assert wire.exactly(5) == b"hello"
    wire.send(CONTINUE, OK)
    assert client.response().status == 200
    proxy.counts("expect_forwarded", 1)


def test_d2_a_chunked_body_without_data_needs_no_100(start, origin):
    client = start(times(continue_=0.3, response=1, exchange=9)).client()
    client.send(post(EXPECT, CHUNKED), EMPTY)
    wire = origin.accept()
    assert wire.request().body == b""
    with Span(1):
        is_page(client.response(), 524)


def test_d2_the_size_of_a_chunk_begins_a_body(start, origin):
    client = start(times(body=0.5, response=5)).client()
    client.send(post(EXPECT, CHUNKED), "5\r\n")
    origin.accept().request_head()
    with Span(0.5):
        is_page(client.response(), 408)


def test_d2_a_100_in_time_is_the_only_one(start, origin):
    client = start("timeouts = { continue = 0.3 },").client()
    client.send(upload())
    wire = origin.accept()
    wire.request_head()
    wire.send(CONTINUE)
    client.interim(100)
    client.nothing(0.6)
    client.send("hello")
    wire.exactly(5)
    wire.send(OK)
    assert client.response().status == 200


def test_d2_continue_says_100_here_and_removes_the_field(start, origin):
    proxy = start(HOOK)
    client = proxy.client()
    client.send(upload("X-How: continue"))
    client.interim(100)
    client.send("hello")
    wire = origin.accept()
    request = wire.request()
    assert (request.get("expect"), request.body) == (None, b"hello")
    wire.send(CONTINUE, OK)  # unasked for: the client has had its 100
    assert client.response().status == 200
    stats = proxy.stats()
    assert stats["expect_continued"] - proxy.before["expect_continued"] == 1
    proxy.counts("interims_dropped", 1)


def test_d2_continue_needs_no_100_when_the_body_is_already_here(start, origin):
    client = start(HOOK).client()
    client.send(upload("X-How: continue"), "hello")
    wire = origin.accept()
    assert wire.request().body == b"hello"
    wire.send(OK)
    assert client.response().status == 200


@pytest.mark.parametrize("how", ["forward", "nil"])
def test_d2_forward_is_the_default(start, origin, how):
    client = start(HOOK).client()
    client.send(upload(f"X-How: {how}"))
    wire = origin.accept()
    assert wire.request_head().get("expect") == "100-continue"
    wire.send(CONTINUE)
    client.interim(100)
    client.send("hello")
    wire.exactly(5)
    wire.send(OK)
    assert client.response().status == 200


def test_d2_a_refusal_is_sent_at_once_and_closes(start, origin):
    proxy = start(HOOK)
    client = proxy.client()
    client.send(upload("X-How: 401"))
    answer = client.response()
    is_page(answer, 401)
    assert answer.closes()
    client.at_end()
    assert origin.untouched()
    proxy.counts("expect_refused", 1)


def test_d2_a_refusal_carries_the_policys_own_answer(start, origin):
    client = start(HOOK).client()
    client.send(upload("X-How: 413"))
    answer = client.response()
    assert (answer.status, answer.get("x-why"), answer.body) == (413, "size", b"50 MB at most\n")
    assert answer.closes()
    client.at_end()


@pytest.mark.parametrize("size", [5, 200_000])
def test_d2_a_refusal_is_not_lost_though_the_body_comes_all_the_same(start, origin, size):
    client = start(HOOK).client()
    body = (MARKER * (size // len(MARKER) + 1))[:size]
    client.send(upload("X-How: 413", length=size), body, MARKER)
    assert client.response().status == 413
    client.at_end()
    assert origin.untouched()


def test_d2_a_refused_body_is_not_read_for_ever(start, origin):
    proxy = start(HOOK + "limits = { linger_bytes = 100000 }, timeouts = { linger = 1 },")
    client = proxy.client()
    client.send(upload("X-How: 413", length=2**40))
    assert client.response().status == 413
    try:
        client.send_until_blocked(b"x" * 65536, quiet=5)
        raise AssertionError("the proxy neither closed nor reset")
    except (ConnectionResetError, BrokenPipeError):
        pass


def test_i4_a_client_that_sends_more_than_is_discarded_has_time_to_read_its_answer(start, origin):
    # Closing at the bound would reset a client between two of its writes: curl then reports the
    # failed write and never looks at the answer.
    proxy = start(HOOK + "limits = { linger_bytes = 100000 }, timeouts = { linger = 0.5 },")
    client = proxy.client()
    client.send(upload("X-How: 413", length=2**40))
    began = time.monotonic()
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        client.send_until_blocked(b"x" * 65536, quiet=5)
    assert time.monotonic() - began > 0.49


def test_d3_a_final_answer_to_a_body_never_sent_closes_both_sides(client, origin):
    client.send(upload())
    wire = origin.accept()
    wire.request_head()
    wire.send(OK)
    answer = client.response()
    assert answer.body == b"ok" and answer.closes()
    wire.at_end()
    client.at_end()


@pytest.mark.parametrize("status", ["401 Unauthorized", "413 Too Large", "204 No Content"])
def test_d3_the_unsent_body_is_never_a_request(client, origin, status):
    client.send(upload(length=len(MARKER)))
    wire = origin.accept()
    wire.request_head()
    wire.send(f"HTTP/1.1 {status}\r\n",
              "" if status.startswith("204") else "Content-Length: 0\r\n", "\r\n")
    answer = client.response()
    assert answer.status == int(status[:3]) and answer.closes()
    client.send(MARKER)  # the body, late
    client.at_end()
    wire.ending()
    assert b"marker" not in wire.held
    assert origin.untouched()


def test_d3_a_body_sent_in_part_is_no_different(client, origin):
    client.send(upload(length=500), "x" * 100)
    wire = origin.accept()
    wire.request_head()
    wire.exactly(100)
    wire.send(answer_with(status="403 Forbidden", body="no"))
    answer = client.response()
    assert (answer.status, answer.body) == (403, b"no") and answer.closes()
    client.send("x" * 400, MARKER)
    client.at_end()
    wire.ending()
    assert b"marker" not in wire.held
    assert origin.untouched()


def test_d3_a_chunked_body_without_data_was_sent(client, origin):
    client.send(post(EXPECT, CHUNKED), EMPTY)
    wire = origin.accept()
    wire.request()
    wire.send(OK)
    answer = client.response()
    assert answer.body == b"ok" and not answer.closes()


def test_d3_a_100_that_nobody_used_changes_nothing(client, origin):
    client.send(upload())
    wire = origin.accept()
    wire.request_head()
    wire.send(CONTINUE, answer_with(status="403 Forbidden"))
    client.interim(100)
    answer = client.response()
    assert answer.status == 403 and answer.closes()
    client.at_end()
    wire.at_end()


def test_d4_a_dead_pooled_connection_is_replaced_for_a_post_that_waits(pair, origin):
    pair.client.send(upload())
    # The old connection gives out once the request is on it, before any byte of an answer.
    pair.origin.request_head()
    pair.origin.close()
    wire = origin.accept()
    assert wire.request_head().get("expect") == "100-continue"
    wire.send(CONTINUE)
    pair.client.interim(100)
    pair.client.send("hello")
    assert wire.exactly(5) == b"hello"
    wire.send(OK)
    assert pair.client.response().status == 200


def test_d4_not_once_a_byte_of_the_body_has_been_taken(pair, origin):
    pair.client.send(upload(), "hel")
    pair.origin.request_head()
    assert pair.origin.exactly(3) == b"hel"
    pair.origin.close()
    assert pair.client.response().status == 502
    assert origin.untouched()


def test_d4_not_once_a_body_without_data_has_been_sent(pair, origin):
    pair.client.send(post(EXPECT, CHUNKED), EMPTY)
    assert pair.origin.request().body == b""
    pair.origin.close()
    answer = pair.client.response()
    assert answer.status == 502 and not answer.closes()
    assert origin.untouched()


def test_pipelined_expectations_are_met_in_order(client, origin):
    client.send(upload("X-N: 1"))
    wire = origin.accept()
    for n in (1, 2, 3):
        assert wire.request_head().get("x-n") == str(n)
        wire.send(CONTINUE)
        client.interim(100)
        client.send("hello", upload(f"X-N: {n + 1}") if n < 3 else b"")
        assert wire.exactly(5) == b"hello"
        wire.send(answer_with(body=str(n)))
        assert client.response().body == str(n).encode()


def test_two_expectations_with_their_bodies_in_one_segment(client, origin):
    client.send(upload("X-N: 1"), "hello", upload("X-N: 2"), "again")
    wire = origin.accept()
    for n, body in ((1, b"hello"), (2, b"again")):
        request = wire.request()
        assert (request.get("x-n"), request.body) == (str(n), body)
        wire.send(answer_with(body=str(n)))
        assert client.response().body == str(n).encode()


@pytest.mark.parametrize("fault,status", [
    ("X : y", 400), ("Content-Length: 6", 400), ("Transfer-Encoding: chunked", 400),
    ("Host: b", 400), ("Expect: x", 417),
])
def test_a_broken_head_with_an_expectation_has_one_answer(client, origin, fault, status):
    refuses(client, origin, upload(fault), status)


def test_a_client_that_leaves_instead_of_sending_its_body(client, origin):
    client.send(upload())
    wire = origin.accept()
    wire.request_head()
    client.reset()
    wire.ending()
    assert not wire.held


def test_a_client_that_leaves_while_its_100_is_on_the_way(proxy, origin):
    for _ in range(20):
        client = proxy.client()
        client.send(upload())
        wire = origin.accept()
        wire.request_head()
        client.reset()
        try:
            wire.send(CONTINUE * 3)
        except (BrokenPipeError, ConnectionResetError):
            pass
        wire.ending()
    # And it goes on serving.
    exchange(proxy.client(), origin)
