"""What went wrong elsewhere with upgrades and tunnels, and does not go wrong here.

Each test begins with the story: a public report about some other program, and what it came to. The
test is the scene of that report, played against this one."""

import pytest

from harness import free_port
from scenes import MARKER, OK, answer_with, get, is_page, refuses
from test_time import Span, times
from test_upgrade import ACCEPT, KEY, is_ordinary, offer, switching, tunnel

SECRET = get(target="/secret")


def offered(client, origin, head=None, early=b""):
    """An offer on its way: the origin's end, its head read."""
    client.send(head or offer(), early)
    wire = origin.accept()
    wire.request()
    return wire


def no_other_request(client, wire, origin):
    """Nothing behind the answer: not to the client, not to the origin, on whatever connection."""
    client.at_end()
    assert wire.here() == b"" and origin.untouched()


# Envoy, CVE-2024-23326: a 200 was taken for an accepted upgrade, and whatever followed passed
# without being looked at.
@pytest.mark.parametrize("status", ["200 OK", "204 No Content", "400 Bad Request", "404 Not Found"])
@pytest.mark.parametrize("fields", [[], ["Connection: upgrade", "Upgrade: websocket",
                                         f"Sec-WebSocket-Accept: {ACCEPT}"]],
                         ids=["plain", "with the fields of a 101"])
def test_only_a_101_is_a_tunnel(client, origin, status, fields):
    wire = offered(client, origin)
    lines = [f"HTTP/1.1 {status}", *fields]
    wire.send("\r\n".join([*lines, "", ""] if status.startswith("204") else
                          [*lines, "Content-Length: 0", "", ""]))
    assert client.response().status == int(status[:3])
    # What comes now is a request like any other: read, checked, refused.
    client.send(b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", MARKER)
    is_page(client.response(), 400)
    assert wire.here() == b"" and origin.untouched()


# Pingora, CVE-2026-2833: it began to pass bytes on as soon as a request offered an upgrade, before
# the origin had said anything; an origin that refused read them as requests.
@pytest.mark.parametrize("answer", [
    answer_with(status="200 OK"), answer_with(status="403 Forbidden"),
    answer_with(status="426 Upgrade Required"), answer_with(status="500 No"),
], ids=["200", "403", "426", "500"])
def test_nothing_passes_before_the_101_and_after_a_refusal_nothing_ever(client, origin, answer):
    wire = offered(client, origin, early=SECRET)
    client.send(SECRET)
    wire.nothing()
    wire.send(answer)
    assert client.response().closes()
    no_other_request(client, wire, origin)


# Envoy, CVE-2025-64763: early data after CONNECT went on before the tunnel was granted.
@pytest.mark.parametrize("head", [
    b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n",
    b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
], ids=["plain", "with an offer"])
def test_there_is_no_connect_and_nothing_behind_one_is_read(client, origin, head):
    refuses(client, origin, head, 501)


# nghttpx, CVE-2026-58055: an Upgrade with a body went to a connection that was then used again,
# while the origin and the proxy disagreed on where the body ended.
@pytest.mark.parametrize("fields,body", [
    (["Content-Length: 5"], b"hello"), (["Transfer-Encoding: chunked"], b"5\r\nhello\r\n0\r\n\r\n"),
    (["Content-Length: 5", "Expect: 100-continue"], b"hello"),
], ids=["length", "chunked", "expecting"])
def test_an_offer_with_a_body_is_none_and_the_body_is_framed(client, origin, fields, body):
    request = is_ordinary(client, origin, offer(*fields, method="POST") + body)
    assert request.body == b"hello"
    client.send(get(target="/next"))
    assert origin.wires[-1].request().target == "/next"
    origin.wires[-1].send(OK)
    assert client.response().body == b"ok"


# Apache mod_proxy_wstunnel, CVE-2019-17567: it tunnelled whether or not the origin had switched;
# later requests on that connection met no check at all.
def test_after_a_refused_offer_the_next_request_meets_the_policy(start, origin):
    proxy = start("request = function(req) if req.path == '/secret' then return 403 end end,")
    client = proxy.client()
    wire = offered(client, origin)
    wire.send(OK)
    assert client.response().body == b"ok"
    client.send(SECRET)
    assert client.response().status == 403
    assert wire.here() == b"" and origin.untouched()


# WebSocket smuggling (0ang3el/websocket-smuggle): with a wrong Sec-WebSocket-Version the origin says
# 426, the proxy believes in a tunnel; or a 101 is had from a URL that fetches whatever it is told.
@pytest.mark.parametrize("version", ["777", "13, 777", ""])
def test_a_wrong_version_is_the_origins_to_refuse_and_no_tunnel(client, origin, version):
    head = get("Connection: Upgrade", "Upgrade: websocket", f"Sec-WebSocket-Key: {KEY}",
               f"Sec-WebSocket-Version: {version}")
    wire = offered(client, origin, head, early=SECRET)
    wire.send(answer_with("Sec-WebSocket-Version: 13", status="426 Upgrade Required"))
    answer = client.response()
    assert answer.status == 426 and answer.closes()
    no_other_request(client, wire, origin)


@pytest.mark.parametrize("head", [
    switching(accept=None), switching(accept="AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
    "HTTP/1.1 101 Switching Protocols\r\n\r\n",
], ids=["no proof", "a wrong one", "nothing"])
def test_a_101_of_somebody_who_did_not_read_the_key_is_none(client, origin, head):
    wire = offered(client, origin, early=SECRET)
    wire.send(head)
    is_page(client.response(), 502)
    no_other_request(client, wire, origin)


# Kemal, pull request 767; and "Security considerations for optimistic protocol transitions" (IETF
# httpbis): after a refused upgrade the connection stayed open, and what the client had sent for the
# other protocol was read as requests. Whoever refuses, for whatever reason, must close then.
REFUSALS = {
    "upgrade": "upgrade = function() return 403 end,",
    "request": "request = function() return 403 end,",
    "an error in upgrade": "upgrade = function() error('x') end,",
    "an error in request": "request = function() error('x') end,",
    "a limit": "request = function(req) req.headers.x = ('a'):rep(40000) end,",
}


@pytest.mark.parametrize("policy", REFUSALS.values(), ids=REFUSALS)
def test_whoever_refuses_an_offer_the_early_bytes_are_no_request(start, origin, policy):
    client = start(policy).client()
    client.send(offer(), MARKER)
    answer = client.response()
    assert answer.status in (403, 431, 500) and answer.closes()
    client.at_end()
    assert origin.untouched()


def test_nor_when_there_is_no_origin_to_ask(start):
    client = start("", upstream=f"127.0.0.1:{free_port()}").client()
    client.send(offer(), MARKER)
    answer = client.response()
    assert answer.status == 502 and answer.closes()
    client.at_end()


def test_nor_when_the_origin_is_too_slow(start, origin):
    client = start(times(response=0.3)).client()
    wire = offered(client, origin, early=MARKER)
    answer = client.response()
    assert answer.status == 524 and answer.closes()
    no_other_request(client, wire, origin)


# h2c smuggling (BishopFox/h2csmuggler): `Upgrade: h2c` went on, the origin switched, and HTTP/2 frames
# passed every rule of the proxy.
@pytest.mark.parametrize("connection", ["Upgrade, HTTP2-Settings", "Upgrade", "HTTP2-Settings"])
@pytest.mark.parametrize("protocol", ["h2c", "H2C", "h2c, h2", "h2c/2", ",h2c"])
def test_h2c_does_not_reach_an_origin(client, origin, protocol, connection):
    head = get(f"Connection: {connection}", f"Upgrade: {protocol}", "HTTP2-Settings: AAMAAABk")
    request = is_ordinary(client, origin, head)
    assert request.get("http2-settings") is None


def test_h2c_beside_websocket_is_left_out_and_cannot_be_switched_to(client, origin):
    client.send(get("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c, websocket",
                    f"Sec-WebSocket-Key: {KEY}", "HTTP2-Settings: AAMAAABk"))
    wire = origin.accept()
    request = wire.request()
    assert (request.get("upgrade"), request.get("http2-settings")) == ("websocket", None)
    wire.send(switching(protocol="h2c", accept=None))
    is_page(client.response(), 502)


# NVIDIA OpenShell (652) and secretgate (60): a 101 was handled as an ordinary response, whose body
# was read and never ended.
def test_a_101_has_no_body_and_a_silent_tunnel_ends_in_time(start, origin):
    client = start(times(tunnel=0.4)).client()
    wire = tunnel(client, origin)
    with Span(0.4):
        assert client.ending() in ("close", "reset")
    assert not client.held
    wire.ending()


# RFC 9110 section 7.8: `Upgrade` counts only where `Connection` names it, and never in HTTP/1.0.
# Http11Probe lists servers that switch all the same.
@pytest.mark.parametrize("head", [
    offer(version="HTTP/1.0"),
    get("Connection: keep-alive, Upgrade", "Upgrade: websocket", version="HTTP/1.0"),
    get("Upgrade: websocket", f"Sec-WebSocket-Key: {KEY}"),
    get("Connection: keep-alive", "Upgrade: websocket"),
    get("Connection: upgraded", "Upgrade: websocket"),
    get("Connection: x-upgrade", "Upgrade: websocket"),
], ids=["HTTP/1.0", "HTTP/1.0 keep-alive", "no Connection", "keep-alive", "a longer word",
        "another word"])
def test_what_is_no_offer_passes_without_it(client, origin, head):
    is_ordinary(client, origin, head)


# nginx, worker_shutdown_timeout: tunnels held workers of an old configuration for ever, or a
# reload cut them. (That a reload lets them live: test_reload. Here, the end.)
def test_a_tunnel_outlives_a_stop_by_the_time_to_drain_and_no_more(start, origin):
    proxy = start("drain = 0.6,", fresh=True)
    client = proxy.client()
    wire = tunnel(client, origin)
    proxy.kill(15)
    for _ in range(3):
        client.send("ping")
        assert wire.exactly(4) == b"ping"
        wire.send("pong")
        assert client.exactly(4) == b"pong"
    with Span(0.3):
        client.ending()
    wire.ending()
    assert proxy.process.wait(20) == 0


# Squid, audit of 2021 (pipeline-assert): a request that became a tunnel while others waited behind
# it in the pipeline ran into an assertion.
def test_an_offer_behind_pipelined_requests_waits_its_turn(client, origin):
    client.send(get(target="/1"), get(target="/2"), offer(), "for the tunnel")
    wire = origin.accept()
    for target in ("/1", "/2"):
        assert wire.request().target == target
        wire.nothing(0.05)
        wire.send(answer_with(body=target))
        assert client.response().body == target.encode()
    assert wire.request().get("upgrade") == "websocket"
    wire.nothing()
    wire.send(switching(), "welcome")
    assert client.head().status == 101
    assert client.exactly(7) == b"welcome"
    assert wire.exactly(14) == b"for the tunnel"


def test_requests_behind_an_offer_belong_to_nobody_but_the_tunnel(client, origin):
    wire = offered(client, origin, early=SECRET + SECRET)
    wire.nothing()
    wire.send(switching())
    assert client.head().status == 101
    assert wire.exactly(2 * len(SECRET)) == SECRET * 2
    assert origin.untouched()


def test_an_offer_that_the_policy_makes_ordinary_keeps_the_pipeline(start, origin):
    client = start("upgrade = function() return false end,").client()
    client.send(offer(), get(target="/next"))
    wire = origin.accept()
    assert wire.request().get("upgrade") is None
    wire.send(OK)
    assert client.response().status == 200
    assert wire.request().target == "/next"
    wire.send(OK)
    assert client.response().status == 200
