"""Limits on connections: how many in all, of one address, requests on one, bytes that wait."""

import array
import fcntl
import pathlib
import re
import select
import termios
import time

import pytest

from harness import Proxy, binary, free_port, is_sanitized, policy_text, stopped
from peers import Origin
from scenes import OK, answer_with, get, is_page
from test_upgrade import tunnel

FEW = "limits = { connections = 2 },"
TWO_EACH = "limits = { connections_per_address = 2 },"


def serve(client, origin, wire=None):
    """One exchange; the origin's end of it."""
    client.send(get())
    wire = origin.accept() if wire is None else wire
    wire.request()
    wire.send(OK)
    assert client.response().body == b"ok"
    return wire


def busy(proxy, origin):
    """A client whose request is under way, and the origin's end of it."""
    client = proxy.client()
    client.send(get())
    wire = origin.accept()
    wire.request()
    return client, wire


def test_an_idle_client_yields_to_a_new_one(start, origin):
    proxy = start(FEW)
    clients = [proxy.client() for _ in range(2)]
    wire = serve(clients[1], origin)
    serve(clients[0], origin, wire)
    new = proxy.client()
    serve(new, origin, wire)
    clients[1].at_end()  # idle for longest
    serve(clients[0], origin, wire)
    proxy.counts("yielded", 1)
    proxy.counts("full", 0)


def test_who_waits_for_room_waits_once_however_much_another_pipelines(start):
    proxy = start("limits = { connections = 1 }, request = function() return 204 end,")
    first = proxy.client()
    first.send(get())
    first.response()
    with stopped(proxy):
        new = proxy.client()
        first.send(get() * 160)
    for _ in range(160):
        first.response()
    new.send(get())
    new.response()
    first.at_end()
    proxy.counts("full", 1)


def test_one_that_was_only_just_accepted_does_not_yield(start, origin):
    proxy = start(FEW)
    clients = [proxy.client() for _ in range(5)]
    for client in reversed(clients):
        client.send(get("Connection: close"))
    for _ in clients:
        wire = origin.accept()
        wire.request()
        wire.send(answer_with("Connection: close"))
        wire.close()
    for client in clients:
        assert client.response().body == b"ok"
    proxy.counts("yielded", 0)


def test_without_an_idle_one_a_new_client_waits_and_is_served(start, origin):
    proxy = start(FEW)
    first, second = busy(proxy, origin), busy(proxy, origin)
    waiting = proxy.client()
    waiting.send(get(target="/late"))
    proxy.counts("full", 1)
    proxy.log.wait("none of them idle .limits.connections.; accepting rests until one leaves")
    assert origin.untouched()
    first[1].reset()
    assert first[0].response().status == 502
    first[0].close()
    wire = origin.accept()
    assert wire.request().target == "/late"
    wire.send(OK)
    assert waiting.response().body == b"ok"
    second[1].send(OK)
    assert second[0].response().body == b"ok"


def test_a_client_that_becomes_idle_makes_room_for_one_that_waits(start, origin):
    proxy = start(FEW)
    first, second = busy(proxy, origin), busy(proxy, origin)
    waiting = proxy.client()
    waiting.send(get(target="/late"))
    proxy.counts("full", 1)
    first[1].send(OK)
    assert first[0].response().body == b"ok"
    wire = origin.either(first[1])
    assert wire.request().target == "/late"
    first[0].at_end()
    proxy.counts("yielded", 1)
    for end, client in ((wire, waiting), (second[1], second[0])):
        end.send(OK)
        assert client.response().body == b"ok"


def test_a_tunnel_does_not_yield(start, origin):
    proxy = start("limits = { connections = 1 },")
    client = proxy.client()
    wire = tunnel(client, origin)
    waiting = proxy.client()
    waiting.send(get())
    proxy.counts("full", 1)
    client.send("ping")
    assert wire.exactly(4) == b"ping"
    client.close()
    wire.at_end()
    wire.close()
    wire = origin.accept()
    wire.request()
    wire.send(OK)
    assert waiting.response().body == b"ok"


def arrived(client):
    """Bytes that wait in the client's socket."""
    count = array.array("i", [0])
    fcntl.ioctl(client.sock, termios.FIONREAD, count)
    return count[0]


def ask_until_blocked(client, body, most=1000):
    """Asks again and again and reads nothing, until an answer does not come. How often it asked."""
    for asked in range(1, most):
        before = arrived(client)
        client.send(get())
        until = time.monotonic() + 0.3
        while arrived(client) < before + body and time.monotonic() < until:
            time.sleep(0.001)
        if arrived(client) < before + body or asked + 1 == most:
            return asked


def test_those_that_do_not_take_their_last_answer_do_not_hide_one_that_yields(start, shared_path):
    """More of them than are looked at for one that is idle. On a unix socket each holds the same."""
    path, body, lazy = shared_path / "front", 8000, 70
    fields = (f'limits = {{ connections = {lazy + 1} }}, '
              f'request = function() return {{ status = 200, body = ("x"):rep({body}) }} end,')
    proxy = start(fields, listen=f"unix:{path}")
    clients = [proxy.client() for _ in range(lazy)]
    times = ask_until_blocked(clients[0], body)
    for client in clients[1:]:
        assert ask_until_blocked(client, body, most=times) == times - 1
        client.send(get())
    idle = proxy.client()
    idle.send(get())
    assert len(idle.response().body) == body
    new = proxy.client()
    new.send(get())
    assert len(new.response().body) == body
    idle.at_end()
    proxy.counts("yielded", 1)
    for client in clients:  # they wait for nothing but themselves
        for _ in range(times):
            assert len(client.response().body) == body
    clients[0].send(get())
    assert len(clients[0].response().body) == body


def test_a_reload_that_raises_the_limit_lets_those_in_that_wait(start, origin):
    proxy = start("limits = { connections = 1 },", fresh=True)
    client, wire = busy(proxy, origin)
    waiting = proxy.client()
    waiting.send(get())
    proxy.counts("full", 1)
    proxy.write("limits = { connections = 2 },")
    assert proxy.reload().startswith("reloaded")
    other = origin.accept()
    other.request()
    for end, to in ((wire, client), (other, waiting)):
        end.send(OK)
        assert to.response().body == b"ok"


def test_an_address_with_too_many_gets_503_until_one_has_left(start, origin):
    proxy = start(TWO_EACH)
    clients = [proxy.client() for _ in range(2)]
    wire = serve(clients[0], origin)
    refused = proxy.client()
    refused.send(get(target="/refused"))
    answer = refused.response()
    is_page(answer, 503)
    assert answer.closes()
    refused.at_end()
    assert origin.untouched()
    proxy.log.wait("127.0.0.1 has more than 2 connections .* name it in trusted_proxies")
    proxy.counts("refused", 1)
    assert proxy.exchanges(2)[1]["error"] == "too many connections from this address"
    clients[1].close()
    proxy.wait_stats(lambda s: s["open"] == 1)
    serve(proxy.client(), origin, wire)


def test_other_addresses_are_not_counted_with_it(start, origin):
    proxy = start(TWO_EACH)
    for _ in range(2):
        proxy.client()
    other = proxy.client(source="127.0.0.9")
    serve(other, origin)
    proxy.counts("refused", 0)


def test_a_network_of_ipv6_counts_as_one_address(start):
    origin = Origin()
    proxy = start(TWO_EACH, upstream=origin.text, listen=f"[::1]:{free_port()}")
    clients = [proxy.client() for _ in range(2)]
    serve(clients[0], origin)
    refused = proxy.client()
    is_page(refused.response(), 503)
    origin.close()


@pytest.mark.parametrize("fields", [
    "limits = { connections_per_address = 0 },",
    'limits = { connections_per_address = 2 }, trusted_proxies = "127.0.0.0/8",',
])
def test_a_proxy_in_front_speaks_for_many(start, origin, fields):
    proxy = start(fields)
    for _ in range(5):
        proxy.client()
    serve(proxy.client(), origin)
    proxy.counts("refused", 0)


def test_a_crowd_that_is_refused_takes_no_memory_and_leaves_nothing(start, origin):
    proxy = start(TWO_EACH)
    kept = [proxy.client() for _ in range(2)]
    wire = serve(kept[0], origin)
    endings = []
    crowd = []
    for _ in range(200):
        try:
            crowd.append(proxy.client())
        except ConnectionResetError:
            endings.append("reset")
    proxy.counts("refused", 200)
    serve(kept[1], origin, wire)
    endings += [client.ending() for client in crowd]
    assert endings.count("reset") >= 100


def test_a_connection_closes_after_its_last_request(start, origin):
    proxy = start("limits = { requests = 3 },")
    client = proxy.client()
    client.send(*(get(target=f"/{n}") for n in range(4)))
    wire = origin.accept()
    for n in range(3):
        assert wire.request().target == f"/{n}"
        wire.send(answer_with(body=str(n)))
        answer = client.response()
        assert (answer.body, answer.closes()) == (str(n).encode(), n == 2)
    client.at_end()


def test_what_waits_for_slow_clients_is_bounded(start, origin):
    """200 of them, each of which could be sent 64 KiB ahead: 12.5 MiB."""
    proxy = start('limits = { buffered = "1m", connections_per_address = 0 },')
    before = proxy.worker_rss()
    for n in range(200):
        client = proxy.client(receive_buffer=4096)
        client.send(get())
        wire = origin.accept()
        wire.request()
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n")
        wire.send_until_blocked(b"x" * 65536, quiet=0.005)
    assert proxy.worker_rss() - before < 6 << 20


def test_answers_of_a_policy_wait_within_the_same_bound(start):
    """30 of 8 MB each, of which the kernel takes a part."""
    proxy = start('limits = { buffered = "16m", connections_per_address = 0 }, '
                  'request = function(req) return { status = 200, '
                  'body = ("x"):rep(req.path == "/small" and 2000 or 8000000) } end,')
    before = proxy.worker_rss()
    clients = [proxy.client(receive_buffer=4096) for _ in range(30)]
    for client in clients:
        client.send(get())
        assert select.select([client.sock], [], [], 10)[0]
    if not is_sanitized():  # which keeps for a while what was freed
        assert proxy.worker_rss() - before < 48 << 20
    statuses = [client.response_head().status for client in clients]
    assert statuses.count(200) in range(2, 10)
    assert statuses == sorted(statuses)
    refused = proxy.client()
    refused.send(get())
    answer = refused.response()
    is_page(answer, 503)
    assert answer.closes()
    refused.at_end()
    proxy.logged("limits.buffered")
    small = proxy.client()
    small.send(get(target="/small"), get(method="HEAD"))
    assert len(small.response().body) == 2000
    assert small.response(to="HEAD").status == 200
    for client in clients:
        client.close()
    proxy.wait_stats(lambda s: s["open"] == 1)
    small.send(get())
    assert len(small.response().body) == 8000000


def test_a_limit_of_open_files_that_is_too_low_is_said_and_kept_to(start, origin):
    proxy = start("", descriptors=60)
    proxy.log.wait(r"limits.connections is 10000.* the limit of open files is 60: a worker takes "
                   r"\d+ clients at a time, and more wait")
    served = [busy(proxy, origin) for _ in range(21)]
    waiting = [proxy.client() for _ in range(20)]
    for client in waiting:
        client.send(get())
    proxy.counts("full", 1)
    for client, wire in served:
        wire.send(answer_with("Connection: close"))
        assert client.response().body == b"ok"
        wire.close()
    for client in waiting:
        wire = origin.accept()
        wire.request()
        wire.send(answer_with("Connection: close"))
        wire.close()
    for client in waiting:
        assert client.response().body == b"ok"
    proxy.counts("accept_pauses", 0)


def test_the_limit_of_open_files_is_raised_as_far_as_may_be(tmp_path, origin):
    policy = tmp_path / "policy.lua"
    policy.write_text(policy_text("limits = { connections = 100 },", "127.0.0.1:0", origin.text))
    proxy = Proxy(tmp_path / "run", program="prlimit",
                  args=["--nofile=100:300", binary(), "run", str(policy)])
    (worker,) = proxy.workers()
    limits = pathlib.Path(f"/proc/{worker}/limits").read_text()
    assert re.search(r"Max open files +300 +300 ", limits)
    assert "limit of open files" not in proxy.log.text()  # enough for a hundred
    proxy.stop()


def test_idle_connections_to_one_origin_make_room_for_another(start, origin):
    other = Origin()
    fields = (f'upstreams = {{ one = "{origin.text}", two = "{other.text}" }}, upstream = "one",'
              'request = function(req) if req.path == "/two" then req.upstream = "two" end end,')
    proxy = start(fields, upstream=None, descriptors=48)
    clients = []
    while True:
        clients.append(proxy.client())
        clients[-1].send(get())
        wire = origin.accept()
        wire.request()
        if proxy.stats()["open"] < len(clients) or len(clients) == 13:
            break
    for wire in origin.wires:
        wire.send(OK)
    for client in clients:
        assert client.response().body == b"ok"
    two = []
    for client in clients:
        client.send(get(target="/two"))
        two.append(other.accept())
        two[-1].request()
    for client, wire in zip(clients, two):
        wire.send(OK)
        assert client.response().body == b"ok"
    proxy.counts("upstream_failures", 0)
    other.close()
