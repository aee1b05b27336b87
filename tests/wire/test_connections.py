"""Connections (rules I): kept, pooled, retried, left by a client, and short of descriptors."""

import os
import pathlib
import signal
import threading
import time

import pytest

from harness import cpu_seconds, free_port, stopped
from peers import Origin
from scenes import CHUNKED, EXPECT, OK, answer_with, exchange, get, is_page, post
from test_upgrade import offer

SLEEPER = 'request = function(req) if req.path == "/sleep" then interim.sleep(30) end end,'


def test_i1_both_sides_keep_their_connection(proxy, client, origin):
    client.send(get())
    wire = origin.accept()
    for n in range(20):
        wire.request()
        wire.send(answer_with(body=str(n)))
        answer = client.response()
        assert answer.body == str(n).encode() and not answer.closes()
        if n < 19:
            client.send(get())
    proxy.counts("upstream_connects", 1)
    proxy.counts("upstream_reused", 19)


def test_i1_close_is_honoured_on_either_side(client, origin):
    client.send(get("Connection: close"))
    wire = origin.accept()
    wire.request()
    wire.send(OK)
    assert client.response().closes()
    client.at_end()


def test_i1_an_origin_that_closes_takes_nothing_from_the_client(client, origin):
    for _ in range(3):
        client.send(get())
        wire = origin.accept()
        wire.request()
        wire.send(answer_with("Connection: close"))
        wire.half_close()
        answer = client.response()
        assert answer.status == 200 and not answer.closes()
        wire.at_end()


def test_i1_a_client_that_closes_leaves_the_origin_to_the_next(proxy, origin):
    first = proxy.client()
    first.send(get("Connection: close"))
    wire = origin.accept()
    wire.request()
    wire.send(OK)
    first.response()
    first.at_end()
    second = proxy.client()
    second.send(get(target="/second"))
    assert wire.request().target == "/second"
    wire.send(OK)
    assert second.response().status == 200


def test_i1_http_1_0_closes_unless_it_asks_to_stay(client, origin):
    client.send(get(version="HTTP/1.0"))
    wire = origin.accept()
    wire.request()
    wire.send(OK)
    client.response()
    client.at_end()


def test_i1_http_1_0_may_ask_to_stay(client, origin):
    client.send(get("Connection: Keep-Alive", version="HTTP/1.0"))
    wire = origin.accept()
    for n in range(2):
        wire.request()
        wire.send(answer_with(body=str(n)))
        answer = client.response()
        assert answer.body == str(n).encode()
        assert answer.get("connection").lower() == "keep-alive"
        if n == 0:
            client.send(get("Connection: keep-alive", version="HTTP/1.0"))


def test_i1_pipelined_requests_are_answered_in_order(client, origin):
    client.send(*(get(target=f"/{n}") for n in range(10)))
    wire = origin.accept()
    for n in range(10):
        assert wire.request().target == f"/{n}"
        assert origin.untouched()  # one exchange at a time
        wire.send(answer_with(body=str(n)))
    assert [client.response().body for _ in range(10)] == [str(n).encode() for n in range(10)]


def test_i1_pipelined_bodies_and_methods_keep_apart(client, origin):
    client.send(post("Content-Length: 5", target="/1"), "hello",
                post(CHUNKED, target="/2"), "3\r\nhey\r\n0\r\n\r\n",
                get(target="/3", method="HEAD"), get(target="/4"))
    wire = origin.accept()
    for target, body in (("/1", b"hello"), ("/2", b"hey"), ("/3", b""), ("/4", b"")):
        request = wire.request()
        assert (request.target, request.body) == (target, body)
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", "" if target == "/3" else "ok")
        client.response(to="HEAD" if target == "/3" else "GET")


def test_i1_a_request_in_the_same_segment_as_the_end_of_a_body(client, origin):
    client.send(post("Content-Length: 5"), "he")
    wire = origin.accept()
    wire.request_head()
    wire.exactly(2)
    client.send("llo", get(target="/next"))
    wire.exactly(3)
    wire.send(OK)
    assert client.response().body == b"ok"
    assert wire.request().target == "/next"
    wire.send(OK)
    assert client.response().body == b"ok"


def test_i1_one_that_pipelines_does_not_keep_others_waiting(start):
    count = 200
    proxy = start('request = function(req) local t = os.clock() '
                  'while os.clock() - t < 0.005 do end return 204 end,')
    (worker,) = proxy.workers()
    many, one = proxy.client(), proxy.client()
    for client in (many, one):
        client.send(get())
        client.response()
    os.kill(worker, signal.SIGSTOP)
    many.send(get() * count)
    one.send(get())
    os.kill(worker, signal.SIGCONT)
    one.response()
    assert many.here().count(b"HTTP/1.1 204") < count / 2
    for _ in range(count):
        assert many.response().status == 204


LARGE = b"%x\r\n%s\r\n" % (1 << 16, bytes(range(256)) * 256)


def test_i1_more_than_a_megabyte_of_requests_behind_large_chunks(client, origin):
    """Data of large chunks is passed on unread, and what comes behind them drawn with it."""
    count, ballast = 300, "X-Ballast: " + "b" * 6000
    requests = b"".join(get(ballast, target=f"/{n}") for n in range(count))
    assert len(requests) > 1 << 20
    sending = threading.Thread(target=client.send, args=(
        post(CHUNKED, target="/up"), LARGE * 20 + b"0\r\nX-T: 1\r\n\r\n" + requests))
    sending.start()
    wire = origin.accept()
    request = wire.request()
    assert request.target == "/up" and request.body == bytes(range(256)) * 256 * 20
    wire.send(OK)
    for n in range(count):
        assert wire.request().target == f"/{n}"
        wire.send(answer_with(body=str(n)))
    sending.join()
    assert client.response().body == b"ok"
    assert [client.response().body for _ in range(count)] == [b"%d" % n for n in range(count)]


def two_pooled(proxy, origin):
    """Two idle connections to the origin, in the order in which they went idle."""
    clients = [proxy.client(), proxy.client()]
    wires = []
    for client in clients:
        client.send(get())
        wires.append(origin.accept())
        wires[-1].request()
    for client, wire in zip(clients, wires):
        wire.send(OK)
        client.response()
    return clients[0], wires


def test_i2_the_pool_gives_out_the_last_one_in(proxy, origin):
    client, wires = two_pooled(proxy, origin)
    for _ in range(3):
        client.send(get(target="/warm"))
        assert wires[1].request().target == "/warm"
        wires[1].send(OK)
        client.response()
    wires[0].nothing(0)


def test_i2_the_pool_is_bounded_in_number(start, origin):
    proxy = start("limits = { upstream_idle = 1 },")
    _, wires = two_pooled(proxy, origin)
    wires[1].at_end()
    proxy.wait_stats(lambda s: s["upstream_open"] == 1)


def test_i2_the_pool_is_bounded_in_age(start, origin):
    proxy = start("timeouts = { upstream_idle = 0.3 },")
    client = proxy.client()
    client.send(get())
    wire = origin.accept()
    wire.request()
    wire.send(OK)
    client.response()
    began = time.monotonic()
    wire.at_end()
    assert time.monotonic() - began > 0.25


def give_out(wire):
    """A pooled connection takes the request and dies before any byte of an answer."""
    wire.request_head()
    wire.close()


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "DELETE", "PUT", "TRACE"])
def test_i2_an_idempotent_request_is_sent_again_on_a_fresh_connection(proxy, pair, origin, method):
    pair.client.send(get("X-Once: 1", method=method, target="/again"))
    give_out(pair.origin)
    wire = origin.accept()
    request = wire.request()
    assert (request.method, request.target, request.get("x-once")) == (method, "/again", "1")
    wire.send(OK if method != "HEAD" else "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
    assert pair.client.response(to=method).status == 200
    proxy.counts("upstream_retries", 1)


def test_i2_once_and_no_more(pair, origin):
    pair.client.send(get())
    give_out(pair.origin)
    give_out(origin.accept())
    is_page(pair.client.response(), 502)
    assert origin.untouched()


def test_i2_not_on_a_connection_that_was_fresh(client, origin):
    client.send(get())
    give_out(origin.accept())
    is_page(client.response(), 502)
    assert origin.untouched()


@pytest.mark.parametrize("method", ["POST", "PATCH", "PURGE"])
def test_i2_never_when_the_method_is_not_idempotent(pair, origin, method):
    pair.client.send(get("Content-Length: 0", method=method))
    give_out(pair.origin)
    is_page(pair.client.response(), 502)
    assert origin.untouched()


def test_i2_never_when_a_byte_of_the_body_was_taken(pair, origin):
    pair.client.send(get("Content-Length: 5", method="PUT"), "he")
    pair.origin.request_head()
    pair.origin.exactly(2)
    pair.origin.close()
    is_page(pair.client.response(), 502)
    assert origin.untouched()


@pytest.mark.parametrize("sent", ["H", "HTTP/1.1 103 X\r\n\r\n", "HTTP/1.1 200 OK\r\n"])
def test_i2_never_after_a_byte_of_an_answer(pair, origin, sent):
    pair.client.send(get())
    pair.origin.request()
    pair.origin.send(sent)
    pair.origin.close()
    if "103" in sent:
        pair.client.interim(103)
    is_page(pair.client.response(), 502)
    assert origin.untouched()


def test_i2_a_connection_that_died_while_idle_is_not_used(proxy, pair, origin):
    pair.origin.close()
    proxy.wait_stats(lambda s: s["upstream_open"] == 0)
    pair.client.send(post("Content-Length: 5"), "hello")
    wire = origin.accept()
    assert wire.request().body == b"hello"
    wire.send(OK)
    assert pair.client.response().status == 200


STAGES = ["waiting for the head", "waiting for 100", "in the middle of the body",
          "after a 103", "in the middle of the answer", "waiting for 101"]


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("how", ["reset", "close"])
def test_i3_when_the_client_leaves_the_origins_exchange_ends(proxy, client, origin, stage, how):
    head = {"waiting for 100": post(EXPECT, "Content-Length: 5"),
            "in the middle of the body": post("Content-Length: 100") + b"some",
            "waiting for 101": offer()}.get(stage, get())
    client.send(head)
    wire = origin.accept()
    wire.request_head()
    if stage == "in the middle of the body":
        wire.exactly(4)
    elif stage == "after a 103":
        wire.send("HTTP/1.1 103 X\r\n\r\n")
        client.interim(103)
    elif stage == "in the middle of the answer":
        wire.send(f"HTTP/1.1 200 OK\r\n{CHUNKED}\r\n\r\n4\r\nhalf\r\n")
        client.response_head()
        client.chunk()
    began = time.monotonic()
    getattr(client, how)()
    wire.ending()
    if how == "reset":
        assert time.monotonic() - began < 0.9  # at once, not after half_close
    proxy.wait_stats(lambda s: s["active"] == 0)
    proxy.counts("aborted", 1)


@pytest.mark.parametrize("how", ["reset", "close"])
def test_i3_when_the_client_leaves_a_waiting_hook_ends(start, how):
    proxy = start(SLEEPER)
    client = proxy.client()
    client.send(get(target="/sleep"))
    proxy.wait_stats(lambda s: s["active"] == 1)
    getattr(client, how)()
    proxy.wait_stats(lambda s: s["active"] == 0 and s["open"] == 0, patience=5)
    proxy.counts("aborted", 1)


def test_i3_a_client_that_ended_its_sending_side_gets_its_answer(client, origin):
    client.send(get())
    client.half_close()
    wire = origin.accept()
    wire.request()
    wire.send(OK)
    assert client.response().body == b"ok"
    client.at_end()


def test_i3_nor_does_an_answer_under_way_end_with_half_close(start, origin):
    client = start("timeouts = { half_close = 5 },").client()
    client.send(get())
    client.half_close()
    wire = origin.accept()
    wire.request()
    wire.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n")
    client.response_head()
    for _ in range(3):
        wire.send("ab")
        assert client.exactly(2) == b"ab"
    client.at_end()


def test_i4_a_refusal_survives_the_bytes_that_follow_it(client, origin):
    client.send("BAD REQUEST LINE\r\n\r\n")
    for _ in range(100):
        try:
            client.send("x" * 1000)
        except (BrokenPipeError, ConnectionResetError):
            break
    assert client.response().status == 400
    assert origin.untouched()


def test_i4_nor_does_what_was_not_read_yet_reset_an_answer_away(proxy, client, origin):
    """Some clients send an empty line behind a request that was to be their last."""
    client.send(get("Connection: close"))
    wire = origin.accept()
    wire.request()
    with stopped(proxy):
        client.send("\r\n")
        wire.send(OK)
        time.sleep(0.01)
    assert client.response().body == b"ok"
    client.at_end()


def test_i5_short_of_descriptors_accepting_rests_and_recovers(start, origin):
    proxy = start("", descriptors=40)
    served = proxy.client()
    served.send(get())
    wire = origin.accept()
    wire.request()
    (worker,) = proxy.workers()
    crowd = [proxy.client() for _ in range(80)]
    proxy.wait_stats(lambda s: s["full"] > 0)
    # The exchange under way goes on, and the worker does not spin.
    wire.send("HTTP/1.1 103 X\r\n\r\n")
    served.interim(103)
    before = cpu_seconds(worker)
    time.sleep(1)
    assert cpu_seconds(worker) - before < 0.3
    for client in crowd:
        client.close()
    proxy.wait_stats(lambda s: s["open"] == 1)
    wire.send(OK)
    assert served.response().body == b"ok"
    for client in (served, proxy.client()):
        client.send(get())
        wire.request()
        wire.send(OK)
        assert client.response().body == b"ok"


def test_addresses_of_one_upstream_take_turns(start, origin):
    second = Origin()
    fields = f'upstreams = {{ app = {{ "{origin.text}", "{second.text}" }} }},'
    proxy = start(fields, upstream="app")
    seen = []
    for _ in range(6):
        client = proxy.client()
        client.send(get())
        while origin.untouched() and second.untouched():
            time.sleep(0.001)
        to = second if origin.untouched() else origin
        seen.append(to)
        wire = to.accept()
        wire.request()
        wire.send(answer_with("Connection: close"))
        wire.half_close()
        assert client.response().status == 200
        wire.at_end()
    assert seen in ([origin, second] * 3, [second, origin] * 3)
    second.close()


def test_an_address_that_refuses_gives_way_to_the_next(start, origin):
    fields = f'upstreams = {{ app = {{ "127.0.0.1:{free_port()}", "{origin.text}" }} }},'
    proxy = start(fields, upstream="app")
    for _ in range(2):
        client = proxy.client()
        client.send(get())
        wire = origin.accept()
        wire.request()
        wire.send(answer_with("Connection: close"))
        wire.half_close()
        assert client.response().status == 200


def test_ipv6_on_both_sides(start):
    origin = Origin(("::1", 0))
    proxy = start("", upstream=origin.text, listen=f"[::1]:{free_port()}")
    client = proxy.client()
    client.send(get())
    wire = origin.accept()
    assert wire.request().get("x-forwarded-for") == "::1"
    wire.send(OK)
    assert client.response().body == b"ok"
    origin.close()


def test_an_address_is_its_own_name_however_long_its_path(start, shared_path):
    path = str(shared_path / "o")
    path += "o" * (107 - len(path))
    origin = Origin(path)
    pathlib.Path(path).chmod(0o777)
    proxy = start("", upstream=origin.text)
    client = proxy.client()
    client.send(get())
    wire = origin.accept()
    wire.request()
    wire.send(OK)
    assert client.response().body == b"ok"
    line = proxy.exchange()
    assert line["upstream"] == line["address"] == f"unix:{path}"
    origin.close()


def test_unix_sockets_on_both_sides(start, shared_path):
    origin = Origin(str(shared_path / "origin.sock"))
    (shared_path / "origin.sock").chmod(0o777)
    proxy = start("", upstream=origin.text, listen=f"unix:{shared_path}/listen.sock")
    client = proxy.client()
    client.send(get())
    wire = origin.accept()
    wire.request()
    wire.send(OK)
    assert client.response().body == b"ok"
    origin.close()
