"""Addresses that fail rest for a while, never all of them, and come back."""

import pytest

from harness import free_port
from peers import Origin
from scenes import answer_with, get, post
from test_time import Deaf, Span, deaf, times  # noqa: F401: a fixture

CLOSE = answer_with("Connection: close")


def upstream(*addresses, more=""):
    texts = ", ".join(f'"{address}"' for address in addresses)
    return f"upstreams = {{ app = {{ addresses = {{ {texts} }}, {more} }} }},"


def ask(proxy, origin):
    client = proxy.client()
    client.send(get())
    wire = origin.accept()
    wire.request()
    wire.send(CLOSE)
    wire.half_close()
    assert client.response().body == b"ok"
    client.close()


def refused(proxy):
    client = proxy.client()
    client.send(get())
    assert client.response().status == 502
    client.close()


def test_an_address_that_refuses_is_not_asked_again_at_once(start, origin):
    dead = f"127.0.0.1:{free_port()}"
    proxy = start(upstream(dead, origin.text), upstream="app")
    for _ in range(40):
        ask(proxy, origin)
    proxy.logged(f"upstream app: {dead} failed: Connection refused; trying others first for 1 s")
    # One by one it would have been twenty; a rest may have ended meanwhile.
    failures = proxy.stats()["upstream_failures"] - proxy.before["upstream_failures"]
    assert 1 <= failures <= 5
    assert proxy.stats()["upstream_rests"] - proxy.before["upstream_rests"] == failures


def test_all_of_them_are_tried_when_all_rest(start):
    port = free_port()
    proxy = start(upstream(f"127.0.0.1:{free_port()}", f"127.0.0.1:{port}"), upstream="app")
    for _ in range(3):
        refused(proxy)
    proxy.counts("upstream_failures", 6)
    back = Origin(("127.0.0.1", port))
    ask(proxy, back)
    proxy.logged(f"upstream app: 127.0.0.1:{port} answers again")
    back.close()


def test_one_address_alone_never_rests(start):
    port = free_port()
    proxy = start("", upstream=f"127.0.0.1:{port}")
    for _ in range(3):
        refused(proxy)
    back = Origin(("127.0.0.1", port))
    ask(proxy, back)
    back.close()


def test_an_address_that_does_not_connect_in_time_rests(start, origin, deaf):
    """The request, of which nothing was sent, goes to the next one within the time to connect."""
    proxy = start(upstream(deaf.origin.text, origin.text) + times(connect=1), upstream="app")
    with Span(0.5):
        client = proxy.client()
        client.send(post("Content-Length: 5"), "hello")
        wire = origin.accept()
    assert wire.request().body == b"hello"
    wire.send(CLOSE)
    assert client.response().body == b"ok"
    proxy.logged(f"{deaf.origin.text} failed: Connection timed out; trying others first for 1 s")
    proxy.counts("timeouts_connect", 0)
    for _ in range(4):
        ask(proxy, origin)


def test_all_addresses_have_the_time_to_connect_together(start, deaf):
    other = Deaf()
    proxy = start(upstream(deaf.origin.text, other.origin.text) + times(connect=0.8), upstream="app")
    client = proxy.client()
    with Span(0.8):
        client.send(get())
        assert client.response().status == 522
    proxy.counts("timeouts_connect", 1)
    proxy.counts("upstream_rests", 2)
    other.close()


def test_the_last_address_has_what_the_others_have_left(start, deaf):
    dead = f"127.0.0.1:{free_port()}"
    proxy = start(upstream(dead, deaf.origin.text) + times(connect=0.8), upstream="app")
    client = proxy.client()
    with Span(0.8):
        client.send(get())
        assert client.response().status == 522
    proxy.counts("timeouts_connect", 1)


def test_an_address_that_is_silent_three_times_in_a_row_rests(start, origin):
    silent = Origin()
    fields = upstream(silent.text, origin.text, more="timeouts = { response = 0.05 }")
    proxy = start(fields, upstream="app")
    for turn in range(3):
        client = proxy.client()
        client.send(get())
        silent.accept().request()
        assert client.response().status == 524
        client.close()
        if turn < 2:
            ask(proxy, origin)
    proxy.logged(f"{silent.text} failed: no response in time; trying others first for 1 s")
    for _ in range(4):
        ask(proxy, origin)
    silent.close()


@pytest.mark.parametrize("end", ["close", "reset", "half a head"])
def test_an_address_that_takes_requests_and_closes_three_times_in_a_row_rests(start, origin, end):
    dying = Origin()
    proxy = start(upstream(dying.text, origin.text), upstream="app", fresh=True)
    for turn in range(3):
        client = proxy.client()
        client.send(get())
        wire = dying.accept()
        wire.request()
        if end == "half a head":
            wire.send("HTTP/1.1 200 OK\r\nContent-")
        (wire.reset if end == "reset" else wire.close)()
        assert client.response().status == 502
        client.close()
        if turn < 2:
            ask(proxy, origin)
    proxy.logged(f"{dying.text} failed: the connection was .* before a complete response head; "
                 "trying others first for 1 s")
    for _ in range(4):
        ask(proxy, origin)
    proxy.counts("upstream_rests", 1)
    dying.close()


def test_one_that_closes_over_what_a_client_does_not_send_has_taken_nothing(start, origin):
    strict = Origin()
    proxy = start(upstream(strict.text, origin.text), upstream="app", fresh=True)
    for turn in range(4):
        client = proxy.client()
        client.send(post("Content-Length: 5"), "he")
        wire = strict.accept()
        wire.request_head()
        wire.exactly(2)
        wire.close()
        assert client.response().status == 502
        client.close()
        ask(proxy, origin)
    proxy.counts("upstream_rests", 0)
    strict.close()


def test_a_pooled_connection_that_is_closed_is_no_silence(start, origin):
    """Its origin may close it whenever it likes; only a request that may be sent but once fails."""
    keeping = Origin()
    proxy = start(upstream(keeping.text, origin.text), upstream="app", fresh=True)
    clients, wires = [proxy.client() for _ in range(4)], []
    for client in clients:
        client.send(get())
        wires.append(keeping.accept())
        wires[-1].request()
        ask(proxy, origin)
    for client, wire in zip(clients, wires):
        wire.send(answer_with())
        assert client.response().body == b"ok"
    for client in clients:
        client.send(post("Content-Length: 0"))
        wire = wires.pop()
        wire.request()
        wire.close()
        assert client.response().status == 502
        ask(proxy, origin)
    proxy.counts("upstream_rests", 0)
    keeping.close()


def test_the_fewest_busy_are_asked_first_but_not_one_that_rests(start, origin):
    dead = f"127.0.0.1:{free_port()}"
    other = Origin()
    fields = upstream(dead, origin.text, other.text, more='balance = "least"')
    proxy = start(fields, upstream="app")
    clients, wires = [], []
    for _ in range(6):
        clients.append(proxy.client())
        clients[-1].send(get())
        proxy.wait_stats(lambda s: s["upstream_open"] == len(clients))
    for end in (origin, other) * 3:
        wires.append(end.accept())
        wires[-1].request()
    for wire in wires:
        wire.send(CLOSE)
    for client in clients:
        assert client.response().body == b"ok"
    other.close()
