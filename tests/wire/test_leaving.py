"""Whoever leaves, at whatever stage and however: the other side is told, and nothing is kept
(rules I3, H5, E6, F6).

lighttpd kept the slot of a client that had closed half of its connection, until there were no more
slots (CVE-2022-41556). Here each stage of an exchange is left by a client and by an origin, by a
reset, by a close and by a half-close; after each, counters and descriptors are back where they were:
the fixtures compare them after every test. With the worker stopped both leave in the same instant,
so that it finds all the news at once: programs have called back into connections that were closed
in the same turn (Envoy, CVE-2025-62409; Redis, CVE-2026-23479).
"""

import os
import signal
import threading
import time

import pytest

from scenes import CHUNKED, EXPECT, OK, exchange, get, is_page, post
from test_time import Deaf
from test_upgrade import offer, switching

HOOKS = """
  timeouts = { half_close = %g, response = %g, hook = 60 },
  request = function(req) if req.path == "/request" then interim.sleep(60) end end,
  expect = function(req) if req.path == "/expect" then interim.sleep(60) end end,
  upgrade = function(req) if req.path == "/upgrade" then interim.sleep(60) end end,
  response = function(req, res) if req.path == "/response" then interim.sleep(60) end end,
  error = function(req, e) if req.path == "/error" then interim.sleep(60) end end,
  timeout = function(req, t) if req.path == "/timeout" then interim.sleep(60) end end,
"""
HALF_CLOSE = 0.1
CONN_GONE_LOOK = 3  # as in core/net/conn.h
POLICY = HOOKS % (60, 60)  # what comes at all comes at once: nothing here waits for a minute
BRIEF = HOOKS % (HALF_CLOSE, 60)
IMPATIENT = HOOKS % (HALF_CLOSE, 0.1)


# ---- the stages: each brings an exchange there and returns the origin's end, if it has one ----


def asked(client, origin, head, *body):
    client.send(head, *body)
    wire = origin.accept()
    wire.request_head()
    return wire


def in_the_head(proxy, client, origin):
    client.send("GET / HTTP/1.1\r\nHost: a\r\nX-A")


def in_a_hook(head):
    def stage(proxy, client, origin):
        client.send(head)
        proxy.wait_stats(lambda s: s["active"] == 1)
    return stage


def in_the_body(proxy, client, origin):
    wire = asked(client, origin, post("Content-Length: 100"), "some")
    assert wire.exactly(4) == b"some"
    return wire


def in_a_chunk(proxy, client, origin):
    wire = asked(client, origin, post(CHUNKED), "8\r\nsome")
    assert wire.until(b"some")
    return wire


def in_a_body_that_nobody_takes(proxy, client, origin):
    wire = asked(client, origin, post(f"Content-Length: {2**40}"))
    client.send_until_blocked(b"x" * 65536, quiet=0.1)
    return wire


def waiting_for_100(proxy, client, origin):
    return asked(client, origin, post(EXPECT, "Content-Length: 5"))


def after_a_100(proxy, client, origin):
    wire = waiting_for_100(proxy, client, origin)
    wire.send("HTTP/1.1 100 Continue\r\n\r\n")
    client.interim(100)
    return wire


def waiting_for_the_answer(proxy, client, origin):
    return asked(client, origin, get())


def after_a_103(proxy, client, origin):
    wire = asked(client, origin, get())
    wire.send("HTTP/1.1 103 X\r\n\r\n")
    client.interim(103)
    return wire


def waiting_for_the_answer_to_a_body(proxy, client, origin):
    wire = asked(client, origin, post("Content-Length: 4"), "some")
    assert wire.exactly(4) == b"some"
    return wire


def in_a_response_head(proxy, client, origin):
    wire = asked(client, origin, get())
    wire.send("HTTP/1.1 200 OK\r\nX-A")
    return wire


def in_a_response(proxy, client, origin):
    wire = asked(client, origin, get())
    wire.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome")
    client.response_head()
    assert client.exactly(4) == b"some"
    return wire


def in_a_chunked_response(proxy, client, origin):
    wire = asked(client, origin, get())
    wire.send(f"HTTP/1.1 200 OK\r\n{CHUNKED}\r\n\r\n4\r\nsome\r\n")
    client.response_head()
    assert client.chunk() == b"some"
    return wire


def in_a_response_that_ends_by_closing(proxy, client, origin):
    wire = asked(client, origin, get())
    wire.send("HTTP/1.1 200 OK\r\n\r\nsome")
    client.response_head()
    assert client.chunk() == b"some"
    return wire


def in_a_response_that_nobody_reads(proxy, client, origin):
    wire = asked(client, origin, get())
    wire.send(f"HTTP/1.1 200 OK\r\nContent-Length: {2**40}\r\n\r\n")
    wire.send_until_blocked(b"x" * 65536, quiet=0.1)
    return wire


def in_an_early_response(proxy, client, origin):
    wire = in_the_body(proxy, client, origin)
    wire.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome")
    client.response_head()
    assert client.exactly(4) == b"some"
    return wire


def in_the_response_hook(proxy, client, origin):
    wire = asked(client, origin, get(target="/response"))
    wire.send(OK)
    proxy.wait_stats(lambda s: s["active"] == 1)
    return wire


def in_the_error_hook(proxy, client, origin):
    asked(client, origin, get(target="/error")).close()
    proxy.wait_stats(lambda s: s["upstream_open"] == 0)


def in_the_timeout_hook(proxy, client, origin):
    asked(client, origin, get(target="/timeout"))
    proxy.wait_stats(lambda s: s["timeouts_response"] > proxy.before["timeouts_response"])


def waiting_for_101(proxy, client, origin):
    return asked(client, origin, offer())


def in_a_tunnel(proxy, client, origin):
    wire = waiting_for_101(proxy, client, origin)
    wire.send(switching(), "hello")
    assert client.head().status == 101
    assert client.exactly(5) == b"hello"
    return wire


def in_a_tunnel_that_nobody_reads(proxy, client, origin):
    wire = waiting_for_101(proxy, client, origin)
    wire.send(switching())
    assert client.head().status == 101
    wire.send_until_blocked(b"x" * 65536, quiet=0.1)
    return wire


def after_a_refusal(proxy, client, origin):
    client.send("GET / HTTP/1.1\r\n\r\n", "x" * 1000)
    assert client.response().status == 400


def between_requests(proxy, client, origin):
    exchange(client, origin)


# Stages in which the request is whole: an end of the client's sending side is no news then.
WHOLE = [waiting_for_the_answer, after_a_103, waiting_for_the_answer_to_a_body, in_a_response_head,
         in_a_response, in_a_chunked_response, in_a_response_that_ends_by_closing,
         in_the_response_hook, waiting_for_101]
# Stages in which it is not: an end in the middle of it is the end of it.
TORN = [in_the_body, in_a_chunk, waiting_for_100, after_a_100]
# And one in which it is not, but the answer has begun: that is still to be heard.
EARLY = [in_an_early_response]
# Stages in which one side is full, so that its end is noticed only by a reset.
FULL = [in_a_body_that_nobody_takes, in_a_response_that_nobody_reads]
# Stages without an origin. A hook that waits for a body to come, too, is left only by a reset.
ALONE = {"in the request hook": in_a_hook(get(target="/request")),
         "in the upgrade hook": in_a_hook(offer(target="/upgrade")),
         "in the error hook": in_the_error_hook}
ALONE_TORN = {"in the request hook, with a body to come":
              in_a_hook(post("Content-Length: 5", target="/request")),
              "in the expect hook": in_a_hook(post(EXPECT, "Content-Length: 5", target="/expect"))}
IDLE = [in_the_head, after_a_refusal, between_requests]


def name_of(value):
    return value.__name__.replace("_", " ") if callable(value) else None


def is_left(proxy, aborted=1):
    proxy.wait_stats(lambda s: s["active"] == 0 and s["open"] == 0)
    proxy.counts("aborted", aborted)


def leave(client, how):
    {"reset": client.reset, "close": client.close, "half close": client.half_close}[how]()


@pytest.mark.parametrize("stage", WHOLE + TORN + EARLY + FULL + [in_a_tunnel_that_nobody_reads],
                         ids=name_of)
def test_a_client_that_resets_ends_the_origins_exchange_at_once(proxy, client, origin, stage):
    wire = stage(proxy, client, origin)
    client.reset()
    wire.ending()
    is_left(proxy, aborted=0 if "tunnel" in stage.__name__ else 1)


def test_a_client_that_resets_behind_a_body_that_nobody_takes_is_found_out_by_send(start, origin):
    """What it had sent still stands before the news of its end."""
    proxy = start("timeouts = { send = 0.2 },")
    client = proxy.client()
    in_a_body_that_nobody_takes(proxy, client, origin)
    client.reset()
    proxy.wait_stats(lambda s: s["active"] == 0 and s["open"] == 0 and s["upstream_open"] == 0)


def with_more_behind_it(stage):
    """Requests, more than is read before the first is answered."""
    def more(proxy, client, origin):
        stage(proxy, client, origin)
        client.send(get() * 3000)
    return more


UNREAD = {"waiting for the answer": with_more_behind_it(waiting_for_the_answer),
          "in the request hook": with_more_behind_it(in_a_hook(get(target="/request"))),
          "in a body that nobody takes": in_a_body_that_nobody_takes}


@pytest.mark.parametrize("stage", UNREAD.values(), ids=UNREAD)
def test_a_client_that_resets_behind_bytes_that_are_not_read_is_missed_within_seconds(
        proxy, client, origin, stage):
    """No event tells of it."""
    stage(proxy, client, origin)
    client.reset()
    is_left(proxy)
    proxy.counts("timeouts_half_close", 0)


@pytest.mark.parametrize("stage,how", [
    ("waiting for the answer", "close"), ("in the request hook", "half close"),
])
def test_a_client_that_ended_behind_bytes_that_are_not_read_is_missed_within_seconds(
        start, origin, stage, how):
    """Its end stands behind them: none comes to be read. From when it is seen, it has half_close
    seconds; so has the next one, whose exchange is the same memory."""
    proxy = start(BRIEF)
    for times in (1, 2):
        client, began = proxy.client(), time.monotonic()
        UNREAD[stage](proxy, client, origin)
        leave(client, how)
        proxy.wait_stats(lambda s: s["active"] == 0)
        assert time.monotonic() - began >= CONN_GONE_LOOK + HALF_CLOSE
        proxy.counts("timeouts_half_close", times)


def test_a_client_that_ends_its_side_has_its_time_also_when_its_body_was_not_read_for_a_while(
        proxy, client, origin):
    """It is looked for meanwhile, and that moment is not the end of its time."""
    body = b"x" * (8 << 20)
    client.send(post(f"Content-Length: {len(body)}"))
    wire = origin.accept()
    wire.request_head()
    sender = threading.Thread(target=lambda: (client.send(body), client.half_close()))
    sender.start()
    time.sleep(0.5)  # the body stands
    assert wire.exactly(len(body)) == body
    sender.join()
    time.sleep(3)
    wire.send(OK)
    assert client.response().status == 200
    assert client.ending() == "close"
    proxy.counts("timeouts_half_close", 0)


@pytest.mark.parametrize("stage", ALONE.values(), ids=ALONE)
def test_a_client_that_resets_ends_a_waiting_hook(proxy, client, origin, stage):
    stage(proxy, client, origin)
    client.reset()
    is_left(proxy)


@pytest.mark.parametrize("stage", ALONE_TORN.values(), ids=ALONE_TORN)
@pytest.mark.parametrize("how", ["reset", "close", "half close"])
def test_a_client_that_leaves_with_its_body_unsent_ends_a_waiting_hook(proxy, client, origin,
                                                                      stage, how):
    stage(proxy, client, origin)
    leave(client, how)
    is_left(proxy)


@pytest.mark.parametrize("how", ["close", "half close"])
@pytest.mark.parametrize("stage", WHOLE + EARLY, ids=name_of)
def test_a_client_that_ended_behind_its_request_or_in_its_answer_has_half_close_seconds(
        start, origin, stage, how):
    proxy = start(BRIEF)
    client = proxy.client()
    wire = stage(proxy, client, origin)
    began = time.monotonic()
    leave(client, how)
    wire.ending()
    assert time.monotonic() - began >= HALF_CLOSE - 0.02
    is_left(proxy)


@pytest.mark.parametrize("stage", ALONE.values(), ids=ALONE)
def test_a_waiting_hook_is_given_half_close_seconds_too(start, origin, stage):
    proxy = start(BRIEF)
    client = proxy.client()
    stage(proxy, client, origin)
    client.half_close()
    assert client.ending() in ("close", "reset") and not client.held
    is_left(proxy)


@pytest.mark.parametrize("how", ["reset", "close", "half close"])
def test_a_client_that_leaves_ends_a_waiting_timeout_hook(start, origin, how):
    proxy = start(IMPATIENT)
    client = proxy.client()
    in_the_timeout_hook(proxy, client, origin)
    leave(client, how)
    is_left(proxy)


@pytest.mark.parametrize("how", ["close", "half close"])
@pytest.mark.parametrize("stage", TORN, ids=name_of)
def test_a_client_that_ended_in_its_request_has_left(proxy, client, origin, stage, how):
    wire = stage(proxy, client, origin)
    leave(client, how)
    wire.ending()
    is_left(proxy)


@pytest.mark.parametrize("how", ["reset", "close", "half close"])
@pytest.mark.parametrize("stage", IDLE, ids=name_of)
def test_a_client_that_leaves_outside_an_exchange_aborts_none(proxy, client, origin, stage, how):
    stage(proxy, client, origin)
    leave(client, how)
    is_left(proxy, aborted=0)


@pytest.mark.parametrize("how", ["reset", "close", "half close"])
def test_a_client_that_leaves_while_a_connection_is_made_ends_that(start, how):
    deaf = Deaf()
    proxy = start(BRIEF, upstream=deaf.origin.text)
    client = proxy.client()
    client.send(get())
    proxy.wait_stats(lambda s: s["upstream_open"] == 1)
    leave(client, how)
    proxy.wait_stats(lambda s: s["upstream_open"] == 0)
    is_left(proxy)
    deaf.close()


def test_a_half_close_goes_through_a_tunnel_and_a_reset_too(proxy, client, origin):
    wire = in_a_tunnel(proxy, client, origin)
    client.half_close()
    wire.at_end()
    wire.send("more")
    assert client.exactly(4) == b"more"
    wire.half_close()
    client.at_end()
    is_left(proxy, aborted=0)
    proxy.counts("answered_upstream", 1)


@pytest.mark.parametrize("side", ["client", "origin"])
def test_a_reset_goes_through_a_tunnel(proxy, client, origin, side):
    wire = in_a_tunnel(proxy, client, origin)
    leaving, other = (client, wire) if side == "client" else (wire, client)
    leaving.reset()
    assert other.ending() == "reset"
    is_left(proxy, aborted=0)


# ---- the origin leaves ----


@pytest.mark.parametrize("how", ["close", "reset", "half close"])
@pytest.mark.parametrize("stage", [waiting_for_100, after_a_100, waiting_for_the_answer,
                                   after_a_103, waiting_for_the_answer_to_a_body,
                                   in_a_response_head, waiting_for_101, in_the_body, in_a_chunk],
                         ids=name_of)
def test_an_origin_that_leaves_before_its_head_is_a_502(proxy, client, origin, stage, how):
    wire = stage(proxy, client, origin)
    leave(wire, how)
    is_page(client.response(), 502)
    proxy.wait_stats(lambda s: s["active"] == 0 and s["upstream_open"] == 0)
    proxy.counts("answered_here", 1)
    assert origin.untouched()


@pytest.mark.parametrize("how", ["close", "reset", "half close"])
@pytest.mark.parametrize("stage", [in_a_response, in_a_chunked_response, in_an_early_response],
                         ids=name_of)
def test_an_origin_that_leaves_in_its_response_cuts_it(proxy, client, origin, stage, how):
    wire = stage(proxy, client, origin)
    leave(wire, how)
    client.ending()
    assert not client.held
    is_left(proxy, aborted=0)
    proxy.counts("cut", 1)


@pytest.mark.parametrize("how,outcome", [("close", "answered_upstream"),
                                         ("half close", "answered_upstream"), ("reset", "cut")])
def test_an_end_ends_a_body_without_a_length_and_a_reset_cuts_it(proxy, client, origin, how,
                                                                outcome):
    wire = in_a_response_that_ends_by_closing(proxy, client, origin)
    leave(wire, how)
    if outcome == "cut":
        client.ending()
        assert not client.held
    else:
        assert client.chunks() == (b"", [])
    proxy.wait_stats(lambda s: s["active"] == 0 and s["upstream_open"] == 0)
    proxy.counts(outcome, 1)


@pytest.mark.parametrize("how", ["close", "reset", "half close"])
def test_an_origin_that_leaves_a_pooled_connection_takes_nothing_from_anybody(proxy, pair, origin,
                                                                             how):
    leave(pair.origin, how)
    proxy.wait_stats(lambda s: s["upstream_open"] == 0)
    exchange(pair.client, origin)


@pytest.mark.parametrize("how", ["close", "reset", "half close"])
def test_an_origin_that_leaves_while_its_answer_waits_for_a_hook_has_answered(start, origin, how):
    proxy = start("response = function(req, res) interim.sleep(0.1) end,")
    client = proxy.client()
    wire = asked(client, origin, get())
    wire.send(OK)
    leave(wire, how)
    assert client.response().body == b"ok"


# ---- both at once ----


# A tunnel of which only one side was ended goes on: that is no end.
BOTH = [(stage, by_client, by_origin) for stage in [*WHOLE, *TORN, *EARLY, in_a_tunnel]
        for by_client in ("reset", "close", "half close")
        for by_origin in ("answers", "answers and closes", "answers and resets", "closes", "resets")
        if stage is not in_a_tunnel or by_client == "reset" or by_origin != "answers"]


@pytest.mark.parametrize("stage,by_client,by_origin", BOTH, ids=name_of)
def test_both_sides_leave_in_the_same_instant(start, origin, stage, by_client, by_origin):
    proxy = start(BRIEF)
    client = proxy.client()
    wire = stage(proxy, client, origin)
    (worker,) = proxy.workers()
    os.kill(worker, signal.SIGSTOP)
    try:
        if "answers" in by_origin:
            wire.send("HTTP/1.1 103 X\r\n\r\n", OK)
        leave(client, by_client)
        if by_origin.endswith("closes"):
            wire.close()
        elif by_origin.endswith("resets"):
            wire.reset()
    finally:
        os.kill(worker, signal.SIGCONT)
    if by_client == "half close":
        client.ending()
    proxy.wait_stats(lambda s: s["active"] == 0 and s["tunnels"] == 0)
    assert proxy.workers() == [worker]
