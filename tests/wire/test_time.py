"""Deadlines (rules G): each kind, when it strikes, what it says, and what it must not depend on.

The policies set short times. A deadline may come late on a busy machine, never early: tests ask for
"not before" exactly and for "by then" generously."""

import json
import os
import socket
import threading
import time

import pytest

from harness import free_port
from peers import Origin
from scenes import EXPECT, OK, answer_with, exchange, get, is_page, post
from test_upgrade import offer, switching, tunnel

LATE = 3.0  # seconds a deadline may be late

CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n"
PROCESSING = "HTTP/1.1 102 Processing\r\n\r\n"


class Span:
    """with Span(0.3): ... takes at least that long and not much longer."""

    def __init__(self, seconds):
        self.seconds = seconds

    def __enter__(self):
        self.began = time.monotonic()

    def __exit__(self, kind, value, trace):
        if kind is None:
            took = time.monotonic() - self.began
            # The clock of the loop is read once a turn, and on a busy machine this one is begun
            # late: hundredths may be missing.
            assert 0.9 * self.seconds - 0.02 <= took <= self.seconds + LATE, took


def times(**seconds):
    fields = ", ".join(f"{name.rstrip('_')} = {value}" for name, value in seconds.items())
    return f"timeouts = {{ {fields} }},"


def asked(client, origin, head=None):
    client.send(head or get())
    wire = origin.accept()
    wire.request()
    return wire


def test_header_bounds_the_head_as_a_whole(start, origin):
    proxy = start(times(header=0.4))
    client = proxy.client()
    with Span(0.4):
        client.send("GET / HTTP/1.1\r\nHost: a\r\n")
        answer = client.response()
    is_page(answer, 408)
    assert answer.closes()
    client.at_end()
    assert origin.untouched()
    proxy.counts("timeouts_header", 1)


def test_header_is_not_restarted_by_a_byte(start):
    client = start(times(header=0.4)).client()
    with Span(0.4):
        try:
            client.drip(get()[:-2] + b"X: " + b"a" * 200, gap=0.02)
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert client.response().status == 408


def test_header_runs_again_for_a_second_head(start, origin):
    client = start(times(header=0.3)).client()
    exchange(client, origin)
    client.send("GET / HT")
    with Span(0.3):
        assert client.response().status == 408
        client.at_end()


def test_idle_ends_a_connection_between_requests_without_a_word(start, origin):
    proxy = start(times(idle=0.3))
    client = proxy.client()
    exchange(client, origin)
    with Span(0.3):
        client.at_end()
    proxy.counts("timeouts_idle", 1)


def test_idle_ends_a_connection_that_never_asked(start):
    client = start(times(idle=0.3, header=0.3)).client()
    with Span(0.3):
        assert client.ending() == "close"


def test_body_bounds_the_silence_of_a_client(start, origin):
    proxy = start(times(body=0.3))
    client = proxy.client()
    client.send(post("Content-Length: 10"), "half")
    wire = origin.accept()
    wire.request_head()
    with Span(0.3):
        answer = client.response()
    is_page(answer, 408)
    client.at_end()
    wire.ending()
    proxy.counts("timeouts_body", 1)


def test_body_is_restarted_by_progress(start, origin):
    client = start(times(body=0.4)).client()
    client.send(post("Content-Length: 10"))
    wire = origin.accept()
    wire.request_head()
    with Span(0.9):
        for _ in range(10):
            time.sleep(0.1)
            client.send("x")
        assert wire.exactly(10) == b"x" * 10
    wire.send(OK)
    assert client.response().status == 200


def test_body_runs_from_a_100_though_a_102_came_before(start, origin):
    client = start(times(body=0.4, response=2, processing=4)).client()
    client.send(post(EXPECT, "Content-Length: 5"))
    wire = origin.accept()
    wire.request_head()
    wire.send(PROCESSING, CONTINUE)
    client.interim(102)
    with Span(0.4):
        client.interim(100)
        is_page(client.response(), 408)


def test_body_is_not_restarted_by_another_100(start, origin):
    client = start(times(body=1)).client()
    client.send(post(EXPECT, "Content-Length: 5"))
    wire = origin.accept()
    wire.request_head()
    wire.send(CONTINUE)
    client.interim(100)
    time.sleep(0.7)
    wire.send(CONTINUE)
    client.interim(100)
    began = time.monotonic()
    is_page(client.response(), 408)
    assert time.monotonic() - began < 0.9


class Deaf:
    """An address on which connecting takes for ever: its queue is full and nobody accepts."""

    def __init__(self):
        self.origin = Origin(backlog=0)
        self.fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(self.origin.sock.getsockname())
            self.fillers.append(filler)
        time.sleep(0.05)  # the kernel's handshakes have no event to wait for

    def close(self):
        for filler in self.fillers:
            filler.close()
        self.origin.close()


@pytest.fixture
def deaf():
    deaf = Deaf()
    yield deaf
    deaf.close()


def test_connect_bounds_the_way_to_the_origin(start, deaf):
    proxy = start(times(connect=0.4), upstream=deaf.origin.text)
    client = proxy.client()
    with Span(0.4):
        client.send(get())
        answer = client.response()
    is_page(answer, 522)
    assert not answer.closes()
    proxy.counts("timeouts_connect", 1)


def test_send_bounds_an_origin_that_takes_no_bytes(start):
    origin = Origin(receive_buffer=4096)
    proxy = start(times(send=0.5), upstream=origin.text)
    client = proxy.client()
    client.send(post(f"Content-Length: {2**40}"))
    wire = origin.accept()
    wire.request_head()
    try:
        client.send_until_blocked(b"x" * 65536, quiet=5)
    except (ConnectionResetError, BrokenPipeError):
        pass
    answer = client.response()
    is_page(answer, 522)
    assert answer.closes()
    wire.ending()
    origin.close()
    proxy.counts("timeouts_send", 1)


@pytest.fixture
def near(shared_path):
    """An origin on a unix socket, which takes no more ahead than a few hundred KB."""
    path = f"{shared_path}/origin"
    origin = Origin(address=path)
    os.chmod(path, 0o777)
    yield origin
    origin.close()


TAIL = b"x" * 300_000  # more than its socket takes, and the rest is held in the worker


def test_send_bounds_an_origin_that_does_not_take_the_end_of_a_body(start, near):
    proxy = start(times(send=0.5, response=4), upstream=near.text)
    client = proxy.client()
    client.send(post(f"Content-Length: {len(TAIL)}"))
    near.accept()
    with Span(0.5):
        client.send(TAIL)
        is_page(client.response(), 522)
    proxy.counts("timeouts_send", 1)


def test_response_begins_when_a_slow_origin_has_taken_the_end_of_the_body(start, near):
    client = start(times(send=9, response=0.4), upstream=near.text).client()
    client.send(post(f"Content-Length: {len(TAIL)}"))
    wire = near.accept()
    wire.request_head()
    client.send(TAIL)
    client.nothing(0.8)
    with Span(0.4):
        wire.exactly(len(TAIL))
        is_page(client.response(), 524)


def test_send_does_not_run_once_the_answer_has_begun(start):
    origin = Origin(receive_buffer=4096)
    client = start(times(send=1), upstream=origin.text).client()
    client.send(post(f"Content-Length: {2**40}"))
    wire = origin.accept()
    wire.request_head()
    client.send_until_blocked(b"x" * 65536, quiet=0.2)
    wire.send("HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n")
    assert client.response_head().status == 200
    for _ in range(15):
        wire.send("x")
        assert client.exactly(1) == b"x"
        time.sleep(0.1)
    origin.close()


def test_response_bounds_the_wait_for_the_answer(start, origin):
    proxy = start(times(response=0.4))
    client = proxy.client()
    wire = asked(client, origin)
    with Span(0.4):
        answer = client.response()
    is_page(answer, 524)
    wire.ending()
    # The request was read whole: the connection is as good as before.
    assert not answer.closes()
    exchange(client, origin)
    proxy.counts("timeouts_response", 1)


@pytest.mark.parametrize("status", [100, 103, 104])
def test_response_is_not_restarted_by_other_interims(start, origin, status):
    client = start(times(response=0.5)).client()
    wire = asked(client, origin)
    with Span(0.5):
        for _ in range(3):
            wire.send(f"HTTP/1.1 {status} X\r\n\r\n")
            client.interim(status)
            time.sleep(0.1)
        assert client.response().status == 524


def send_on(client):
    try:
        client.send(b"x" * 2**26)
    except OSError:
        pass  # nobody wants it


@pytest.mark.parametrize("end", ["close", "reset"])
def test_response_does_not_run_while_the_response_hook_waits(start, origin, end):
    """The origin has answered, and reads no more of an upload that goes on."""
    client = start(times(response=0.3) + """
      response = function(req, res) interim.sleep(1) end,""").client()
    client.send(post(f"Content-Length: {2**40}"), b"x" * 100_000)
    wire = origin.accept()
    wire.request_head()
    wire.send(answer_with(status="413 Too Large"))
    time.sleep(0.1)
    getattr(wire, end)()
    uploading = threading.Thread(target=send_on, args=[client])
    uploading.start()
    answer = client.response()
    client.shut()
    uploading.join()
    assert (answer.status, answer.body) == (413, b"ok")


def test_response_is_not_restarted_by_half_a_head(start, origin):
    client = start(times(response=0.5)).client()
    wire = asked(client, origin)
    with Span(0.5):
        wire.drip(b"HTTP/1.1 200 OK\r\nX: y", gap=0.01)
        assert client.response().status == 524


def test_response_begins_when_the_request_was_sent(start, origin):
    client = start(times(response=0.4)).client()
    client.send(post("Content-Length: 6"))
    wire = origin.accept()
    wire.request_head()
    for _ in range(6):
        time.sleep(0.1)
        client.send("x")
    wire.exactly(6)
    with Span(0.4):
        assert client.response().status == 524


def test_a_102_gives_the_origin_the_time_of_processing(start, origin):
    client = start(times(response=0.3, processing=1.0)).client()
    wire = asked(client, origin)
    wire.send(PROCESSING)
    client.interim(102)
    time.sleep(0.6)
    wire.send(OK)
    assert client.response().body == b"ok"


def test_processing_bounds_the_wait_after_a_102(start, origin):
    proxy = start(times(response=5, processing=0.4))
    client = proxy.client()
    wire = asked(client, origin)
    wire.send(PROCESSING)
    client.interim(102)
    with Span(0.4):
        answer = client.response()
    is_page(answer, 522)
    wire.ending()
    proxy.counts("timeouts_processing", 1)


def test_our_own_100_leaves_the_clock_that_a_102_set(start, origin):
    client = start(times(continue_=0.2, processing=0.8, response=4)).client()
    client.send(post(EXPECT, "Content-Length: 5"))
    wire = origin.accept()
    wire.request_head()
    with Span(0.8):
        wire.send(PROCESSING)
        client.interim(102)
        client.interim(100)
        client.send("hello")
        is_page(client.response(), 522)


def test_each_further_102_restarts_processing(start, origin):
    client = start(times(response=0.3, processing=0.5)).client()
    wire = asked(client, origin)
    for _ in range(5):
        wire.send(PROCESSING)
        client.interim(102)
        time.sleep(0.25)
    wire.send(OK)
    assert client.response().body == b"ok"


def test_the_strict_reading_lets_only_the_first_102_count(start, origin):
    client = start(times(response=5, processing=0.6, processing_restarts="false")).client()
    wire = asked(client, origin)
    with Span(0.6):
        for _ in range(3):
            wire.send(PROCESSING)
            client.interim(102)
            time.sleep(0.15)
        assert client.response().status == 522


def test_exchange_is_the_ceiling_that_no_102_lifts(start, origin):
    proxy = start(times(response=5, processing=5, exchange=0.7))
    client = proxy.client()
    with Span(0.7):
        wire = asked(client, origin)
        for _ in range(4):
            wire.send(PROCESSING)
            client.interim(102)
            time.sleep(0.1)
        answer = client.response()
    is_page(answer, 524)
    wire.ending()
    proxy.counts("timeouts_exchange", 1)


@pytest.mark.parametrize("hook,head", [("request", get()), ("upgrade", offer()),
                                       ("expect", post(EXPECT, "Content-Length: 5"))])
def test_exchange_says_so_when_it_passes_before_an_origin_was_asked(start, origin, hook, head):
    proxy = start(times(exchange=0.3) + hook + " = function() interim.sleep(30) end,")
    client = proxy.client()
    with Span(0.3):
        client.send(head)
        answer = client.response()
    is_page(answer, 524)
    assert b"origin did not" not in answer.body
    words = f"the {hook} hook took the time of the whole exchange"
    proxy.logged(words + r".* \(exchange\); answering 524")
    assert words in proxy.exchange()["error"]
    assert origin.untouched()
    proxy.counts("timeouts_exchange", 1)


def test_stall_cuts_a_response_of_known_length(start, origin):
    proxy = start(times(stall=0.4))
    client = proxy.client()
    wire = asked(client, origin)
    wire.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
    client.response_head()
    assert client.exactly(4) == b"half"
    with Span(0.4):
        client.ending()
    assert not client.held
    wire.ending()
    proxy.counts("timeouts_stall", 1)


def test_stall_cuts_a_chunked_response_without_a_last_chunk(start, origin):
    client = start(times(stall=0.4)).client()
    wire = asked(client, origin)
    wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
    client.response_head()
    assert client.chunk() == b"half"
    with Span(0.4):
        client.ending()
    assert not client.held
    wire.ending()


def test_stall_is_restarted_by_progress(start, origin):
    client = start(times(stall=0.4)).client()
    wire = asked(client, origin)
    wire.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
    for _ in range(10):
        wire.send("x")
        time.sleep(0.1)
    assert client.response().body == b"x" * 10


def test_stall_is_restarted_by_a_slow_reader_of_an_answer_of_the_proxy(start):
    policy = "request = function() return { status = 200, body = ('x'):rep(8e6) } end,"
    client = start(times(stall=0.5) + policy).client(receive_buffer=65536)
    client.send(get())
    assert client.response_head().get("content-length") == "8000000"
    for _ in range(20):
        assert client.exactly(400000) == b"x" * 400000
        time.sleep(0.1)


def test_stall_spares_a_reader_that_is_slow_but_steady(start):
    policy = "request = function() return { status = 200, body = ('x'):rep(8e6) } end,"
    proxy = start(times(stall=1) + policy)
    client = proxy.client(receive_buffer=8192)
    client.send(get())
    client.response_head()
    for _ in range(80):
        client.exactly(16000)
        time.sleep(0.05)
    proxy.counts("timeouts_stall", 0)


def test_stall_spares_such_a_reader_on_a_unix_socket(start, shared_path):
    """That is writable again only once it has taken three quarters of what the kernel holds."""
    policy = "request = function() return { status = 200, body = ('x'):rep(8e6) } end,"
    proxy = start(times(stall=1) + policy, listen=f"unix:{shared_path}/slow")
    client = proxy.client()
    client.send(get())
    client.response_head()
    for _ in range(80):
        assert client.sock.recv(4000)
        time.sleep(0.05)
    proxy.counts("timeouts_stall", 0)


def test_stall_ends_one_on_a_unix_socket_that_has_stopped(start, shared_path):
    policy = "request = function() return { status = 200, body = ('x'):rep(8e6) } end,"
    proxy = start(times(stall=0.4) + policy, listen=f"unix:{shared_path}/still")
    with Span(0.4):
        proxy.client().send(get())
        proxy.wait_stats(lambda s: s["closed"] == 1)
    proxy.counts("timeouts_stall", 1)


def test_stall_ends_a_connection_that_does_not_take_the_last_of_its_answer(start):
    policy = "request = function() return { status = 200, body = ('x'):rep(8e6) } end,"
    proxy = start(times(stall=0.4) + policy)
    client = proxy.client(receive_buffer=4096)
    with Span(0.4):
        client.send(get())
        proxy.wait_stats(lambda s: s["closed"] == 1)


def test_half_close_bounds_an_exchange_whose_client_stopped_sending(start, origin):
    proxy = start(times(half_close=0.4))
    client = proxy.client()
    wire = asked(client, origin)
    with Span(0.4):
        client.half_close()
        assert wire.ending() in ("close", "reset")
    client.ending()
    assert not client.held
    proxy.counts("timeouts_half_close", 1)


def test_tunnel_bounds_the_silence_of_a_tunnel(start, origin):
    proxy = start(times(tunnel=0.5))
    client = proxy.client()
    client.send(offer())
    wire = origin.accept()
    wire.request()
    wire.send(switching())
    client.head()
    for _ in range(4):
        time.sleep(0.2)
        wire.send("x")
        client.exactly(1)
    with Span(0.5):
        client.ending()
    wire.ending()
    proxy.counts("timeouts_tunnel", 1)


def test_tunnel_spares_a_reader_that_is_slow_but_steady(start, origin):
    proxy = start(times(tunnel=1))
    client = proxy.client(receive_buffer=4096)
    wire = tunnel(client, origin)
    data = bytes(range(256)) * (24 << 10)
    sender = threading.Thread(target=lambda: [wire.send(data), wire.half_close()])
    sender.start()
    at = 0
    while at < 1 << 20:
        assert client.exactly(16384) == data[at:at + 16384]
        at += 16384
        time.sleep(0.05)
    assert client.rest() == data[at:]
    sender.join()
    proxy.counts("timeouts_tunnel", 0)


def test_tunnel_bounds_how_long_a_reader_stands_still(start, origin):
    proxy = start(times(tunnel=2))
    client = proxy.client(receive_buffer=4096)
    wire = tunnel(client, origin)
    wire.send_until_blocked(b"x" * 65536)
    began = time.monotonic()
    proxy.wait_stats(lambda s: s["tunnels"] == 0)
    assert time.monotonic() - began < 3.5  # what the kernel took meanwhile does not double it
    # What it did not take is lost: that must not look like an end.
    assert client.ending() == "reset"
    proxy.counts("timeouts_tunnel", 1)


def test_hook_bounds_a_waiting_hook(start, origin):
    proxy = start(times(hook=0.4) + "request = function(req) interim.sleep(30) end,")
    client = proxy.client()
    with Span(0.4):
        client.send(get())
        answer = client.response()
    is_page(answer, 500)
    assert origin.untouched()
    proxy.logged(r"request.*hook|hook.*request")
    proxy.counts("timeouts_hook", 1)


def test_an_expectation_without_any_answer_ends_too(start, origin):
    client = start(times(response=0.4, body=0.4)).client()
    client.send(post(EXPECT, "Content-Length: 5"))
    wire = origin.accept()
    wire.request_head()
    answer = client.response()
    assert answer.status in (408, 524) and answer.closes()
    client.at_end()
    wire.ending()


def test_times_of_one_upstream_are_its_own(start, origin):
    fields = f"""upstreams = {{
      hasty = {{ addresses = {{ "{origin.text}" }}, timeouts = {{ response = 0.3 }} }},
      calm = "{origin.text}",
    }},
    request = function(req) req.upstream = req.headers["x-to"] end,
    """
    proxy = start(fields, upstream="calm")
    client = proxy.client()
    asked(client, origin, get("X-To: hasty"))
    with Span(0.3):
        assert client.response().status == 524
    wire = asked(client, origin, get("X-To: calm"))
    client.nothing(0.6)
    wire.send(OK)
    assert client.response().status == 200


@pytest.mark.parametrize("statuses,status", [("default", 524), ("standard", 504),
                                             ("cloudflare", 524)])
def test_the_status_of_a_timeout_is_a_setting(start, origin, statuses, status):
    client = start(times(response=0.2) + f'statuses = "{statuses}",').client()
    wire = asked(client, origin)
    is_page(client.response(), status)
    wire.ending()


@pytest.mark.parametrize("statuses,status", [("default", 522), ("standard", 504),
                                             ("cloudflare", 522)])
def test_so_is_that_of_processing(start, origin, statuses, status):
    client = start(times(processing=0.2) + f'statuses = "{statuses}",').client()
    wire = asked(client, origin)
    wire.send(PROCESSING)
    client.interim(102)
    is_page(client.response(), status)
    wire.ending()


@pytest.mark.parametrize("statuses,status", [("default", 502), ("standard", 502),
                                             ("cloudflare", 521)])
def test_a_refused_connection_is_an_error_and_no_timeout(start, statuses, status):
    proxy = start(f'statuses = "{statuses}",', upstream=f"127.0.0.1:{free_port()}")
    client = proxy.client()
    client.send(get())
    answer = client.response()
    is_page(answer, status)
    assert not answer.closes()


@pytest.mark.parametrize("statuses,status", [("default", 502), ("cloudflare", 520)])
def test_a_broken_response_is_an_error_and_no_timeout(start, origin, statuses, status):
    client = start(f'statuses = "{statuses}",').client()
    wire = asked(client, origin)
    wire.send("nonsense\r\n\r\n")
    is_page(client.response(), status)


@pytest.mark.parametrize("accept,kind", [
    ("text/html", "text/html"), ("text/html,application/xhtml+xml,*/*;q=0.8", "text/html"),
    ("application/json", "application/json"), ("text/plain", "text/plain"), ("*/*", "text/plain"),
    (None, "text/plain"), ("application/json;q=0.9, text/html;q=0.5", "application/json"),
    ("image/png", "text/plain"),
])
def test_g4_a_page_has_the_form_the_client_asks_for(start, origin, accept, kind):
    client = start(times(response=0.1)).client()
    wire = asked(client, origin, get(*([f"Accept: {accept}"] if accept else [])))
    answer = client.response()
    is_page(answer, 524)
    assert answer.get("content-type").split(";")[0] == kind
    assert b"524" in answer.body
    if kind == "application/json":
        json.loads(answer.body)
    if kind == "text/html":
        assert answer.body.lower().startswith(b"<!doctype html>")
    wire.ending()


def test_g4_a_page_for_head_has_no_body(start, origin):
    client = start(times(response=0.1)).client()
    wire = asked(client, origin, get(method="HEAD"))
    answer = client.response(to="HEAD")
    assert answer.status == 524
    assert int(answer.get("content-length")) > 0
    wire.ending()
    exchange(client, origin)


def test_g4_an_answer_that_comes_too_late_reaches_nobody(start, origin):
    client = start(times(response=0.2)).client()
    wire = asked(client, origin)
    assert client.response().status == 524
    try:
        wire.send(answer_with(body="late"))
    except (BrokenPipeError, ConnectionResetError):
        pass
    _, answer = exchange(client, origin, answer=answer_with(body="new"))
    assert answer.body == b"new"
