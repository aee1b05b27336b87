"""The PROXY protocol: who a client is, told by a proxy in front in the first bytes of a connection,
and told so to an origin."""

import socket
import struct
import time

import pytest

from harness import free_port, run
from peers import Origin, connect
from programs import Program, need
from scenes import OK, answer_with, get, is_page
from test_upgrade import offer, switching

# A test connects from 127.0.0.1, the proxy in front, or from 127.0.0.9, a stranger.
TRUSTED = 'proxy_protocol = true, trusted_proxies = "127.0.0.1",'
STRANGER = "127.0.0.9"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def v1(client, port=5000):
    family = "TCP6" if ":" in client else "TCP4"
    server = "::1" if ":" in client else "192.0.2.80"
    return f"PROXY {family} {client} {server} {port} 80\r\n".encode()


def v2(client=None, port=5000, extensions=b"", command=1):
    """Without a client: of the unspecified family."""
    family, ends = 0, b""
    if client is not None:
        kind = socket.AF_INET6 if ":" in client else socket.AF_INET
        family = 0x21 if kind == socket.AF_INET6 else 0x11
        host = socket.inet_pton(kind, client)
        ends = host + host + struct.pack("!HH", port, 80)
    body = ends + extensions
    return SIGNATURE + bytes([0x20 | command, family]) + struct.pack("!H", len(body)) + body


HEADERS = {
    "v1, IPv4": (v1("203.0.113.7"), "203.0.113.7:5000"),
    "v1, IPv6": (v1("2001:db8::7"), "[2001:db8::7]:5000"),
    "v2, IPv4": (v2("203.0.113.7"), "203.0.113.7:5000"),
    "v2, IPv6": (v2("2001:db8::7"), "[2001:db8::7]:5000"),
    "v2, extensions": (v2("203.0.113.7", extensions=b"\x04\0\x05hello" * 60), "203.0.113.7:5000"),
}
NOBODY = {
    "v1, unknown": b"PROXY UNKNOWN\r\n",
    "v2, local": v2(command=0),
    "v2, local with an address": v2("203.0.113.7", command=0),
    "v2, unspecified": v2(),
}


def serve(client, origin, *parts):
    """One exchange, on a new connection to the origin: the request that it saw."""
    client.send(*parts)
    wire = origin.accept()
    request = wire.request()
    wire.send(answer_with("Connection: close"))
    wire.close()
    assert client.response().body == b"ok"
    return request


@pytest.mark.parametrize("header,who", HEADERS.values(), ids=HEADERS)
def test_the_client_is_who_the_header_names(start, origin, header, who):
    proxy = start(TRUSTED + """response = function(req, res)
        res.headers["x-client"] = req.client.address .. " " .. req.client.port end,""")
    client = proxy.client()
    client.send(header, get())
    wire = origin.accept()
    request = wire.request()
    wire.send(OK)
    host = who.rpartition(":")[0].strip("[]")
    assert client.response().get("x-client") == f"{host} 5000"
    assert request.get("x-forwarded-for") == host
    assert proxy.exchange()["client"] == who


@pytest.mark.parametrize("header", NOBODY.values(), ids=NOBODY)
def test_a_header_that_names_nobody_leaves_the_peer_itself(start, origin, header):
    proxy = start(TRUSTED)
    client = proxy.client()
    assert serve(client, origin, header, get()).get("x-forwarded-for") == "127.0.0.1"
    assert proxy.exchange()["client"] == "127.0.0.1:%d" % client.sock.getsockname()[1]


@pytest.mark.parametrize("header", [v1("203.0.113.7"), v2("203.0.113.7")], ids=["v1", "v2"])
def test_in_whatever_pieces_it_comes(start, origin, header):
    proxy = start(TRUSTED)
    message = header + get("Connection: close")
    for at in range(1, len(message)):
        client = proxy.client()
        client.send(message[:at])
        if at % 3 == 0:
            time.sleep(0.001)  # often, but not always, two reads
        assert serve(client, origin, message[at:]).get("x-forwarded-for") == "203.0.113.7"
    client = proxy.client()
    client.drip(message)
    assert serve(client, origin).get("x-forwarded-for") == "203.0.113.7"


def test_it_counts_for_the_whole_connection_and_comes_once(start, origin):
    proxy = start(TRUSTED)
    client = proxy.client()
    client.send(v1("203.0.113.7"), get(), get())
    wire = origin.accept()
    for _ in range(2):
        assert wire.request().get("x-forwarded-for") == "203.0.113.7"
        wire.send(OK)
        client.response()
    client.send(v1("203.0.113.8"), get())
    is_page(client.response(), 400)
    client.at_end()


def test_the_trust_is_that_in_the_client_and_no_longer_in_the_proxy(start, origin):
    proxy = start('proxy_protocol = true, trusted_proxies = { "127.0.0.1", "198.51.100.0/24" },')
    forged = ["X-Forwarded-For: 1.2.3.4", "X-Request-Id: mine"]
    request = serve(proxy.client(), origin, v1("203.0.113.7"), get(*forged))
    assert request.get("x-forwarded-for") == "203.0.113.7"
    assert request.get("x-request-id") != "mine"
    request = serve(proxy.client(), origin, v1("198.51.100.7"), get(*forged))
    assert request.get("x-forwarded-for") == "1.2.3.4, 198.51.100.7"
    assert request.get("x-request-id") == "mine"


BAD = {
    "a request": get(),
    "v1, cut short": b"PROXY TCP4 203.0.113.7\r\n" + get(),
    "v1, a bare line feed": b"PROXY UNKNOWN\n" + get(),
    "v1, a name": b"PROXY TCP4 localhost 192.0.2.80 1 2\r\n" + get(),
    "v1, without an end": b"PROXY UNKNOWN " + b"x" * 200,
    "v2, another version": SIGNATURE + b"\x31\x11\0\x0c" + bytes(12) + get(),
    "v2, datagrams": SIGNATURE + b"\x21\x12\0\x0c" + bytes(12) + get(),
    "v2, no room for its address": SIGNATURE + b"\x21\x11\0\x04" + bytes(4) + get(),
    "v2, too long": v2("203.0.113.7", extensions=bytes(526)),
    "TLS": b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + bytes(100),
}


@pytest.mark.parametrize("bytes_sent", BAD.values(), ids=BAD)
def test_a_trusted_peer_without_a_good_header_is_closed_without_a_word(start, origin, bytes_sent):
    proxy = start(TRUSTED)
    client = proxy.client()
    client.send(bytes_sent)
    assert client.ending() in ("close", "reset") and not client.held
    proxy.logged("127.0.0.1:.*begins without a good PROXY header .*; closing")
    assert origin.untouched()
    proxy.counts("requests", 0)


@pytest.mark.parametrize("header", [v1("203.0.113.7"), v2("203.0.113.7")], ids=["v1", "v2"])
def test_a_stranger_cannot_speak_it(start, origin, header):
    proxy = start(TRUSTED)
    client = proxy.client(source=STRANGER)
    client.send(header, get())
    is_page(client.response(), 400)
    client.at_end()
    assert origin.untouched()
    assert proxy.exchange()["client"].startswith(STRANGER)


def test_a_stranger_is_served_as_itself(start, origin):
    proxy = start(TRUSTED)
    request = serve(proxy.client(source=STRANGER), origin, get())
    assert request.get("x-forwarded-for") == STRANGER


@pytest.mark.parametrize("header", [v1("203.0.113.7"), v2("203.0.113.7")], ids=["v1", "v2"])
def test_without_the_setting_nobody_can(start, origin, header):
    proxy = start('trusted_proxies = "127.0.0.1",')
    client = proxy.client()
    client.send(header, get())
    is_page(client.response(), 400)
    client.at_end()
    assert origin.untouched()


def test_nobody_to_trust_is_an_error(tmp_path):
    policy = tmp_path / "policy.lua"
    policy.write_text('return { listen = "127.0.0.1:1", upstream = "127.0.0.1:2", '
                      'proxy_protocol = true }')
    done = run("check", str(policy))
    assert done.returncode == 1 and "proxy_protocol: nobody may speak it" in done.stderr
    policy.write_text('return { listen = "127.0.0.1:1", upstreams = { a = { '
                      'addresses = "127.0.0.1:2", proxy_protocol = "v3" } } }')
    done = run("check", str(policy))
    assert done.returncode == 1
    assert 'upstreams.a.proxy_protocol: must be "v1" or "v2"' in done.stderr


@pytest.mark.parametrize("part", [b"", b"PROXY ", SIGNATURE])
def test_it_has_the_time_of_a_head(start, origin, part):
    proxy = start(TRUSTED + "timeouts = { header = 0.3 },")
    client = proxy.client()
    client.send(part)
    client.at_end()
    proxy.counts("timeouts_header", 1)
    proxy.counts("requests", 0)


def test_who_leaves_in_the_middle_leaves_nothing(start, origin):
    proxy = start(TRUSTED)
    for part in (b"", b"PROXY TCP4", SIGNATURE):
        client = proxy.client()
        client.send(part)
        client.half_close()
        client.at_end()
        client = proxy.client()
        client.send(part)
        client.reset()
    proxy.wait_stats(lambda s: s["open"] == 0)
    proxy.counts("requests", 0)


def test_connections_are_counted_at_the_clients_address(start, origin):
    proxy = start(TRUSTED + "limits = { connections_per_address = 2 },")
    kept = [proxy.client() for _ in range(2)]
    for client in kept:
        serve(client, origin, v1("203.0.113.7"), get())
    refused = proxy.client()
    refused.send(v2("203.0.113.7"), get(target="/refused"))
    is_page(refused.response(), 503)
    refused.at_end()
    proxy.counts("refused", 1)
    proxy.log.wait("203.0.113.7 has more than 2 connections")
    for other in (v1("203.0.113.8"), NOBODY["v2, local"], NOBODY["v2, local"], NOBODY["v2, local"]):
        serve(proxy.client(), origin, other, get())
    kept[0].close()
    proxy.wait_stats(lambda s: s["open"] == 5)
    serve(proxy.client(), origin, v1("203.0.113.7"), get())


def test_one_that_waits_for_it_does_not_hold_up_a_drain(start, origin):
    proxy = start(TRUSTED, fresh=True)
    silent, late = proxy.client(), proxy.client()
    proxy.wait_stats(lambda s: s["open"] == 2)
    mark = proxy.log.mark()
    proxy.kill(15)
    proxy.log.wait("draining", mark)
    serve(late, origin, v1("203.0.113.7"), get())
    silent.at_end()
    proxy.stop()


# ---- towards an origin ----


def upstream(version, address):
    return (f'upstreams = {{ app = {{ addresses = "{address}", proxy_protocol = "{version}" }} }}, '
            'upstream = "app",')


def told(wire, version):
    """The header that a connection to an origin begins with."""
    if version == "v1":
        return wire.until(b"\r\n")
    fixed = wire.exactly(16)
    return fixed + wire.exactly(struct.unpack("!H", fixed[14:])[0])


def ends_of(client, version):
    """The header for a client connected to the proxy on 127.0.0.1."""
    (_, port), (_, to) = client.sock.getsockname(), client.sock.getpeername()
    if version == "v1":
        return f"PROXY TCP4 127.0.0.1 127.0.0.1 {port} {to}\r\n".encode()
    return SIGNATURE + b"\x21\x11\0\x0c" + bytes([127, 0, 0, 1] * 2) + struct.pack("!HH", port, to)


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_an_origin_is_told_first_who_the_client_is(start, origin, version):
    proxy = start(upstream(version, origin.text), upstream=None)
    for _ in range(2):
        client = proxy.client()
        client.send(get())
        wire = origin.accept()
        assert told(wire, version) == ends_of(client, version)
        assert wire.request().get("x-forwarded-for") == "127.0.0.1"
        wire.send(OK)
        assert client.response().body == b"ok"


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_such_a_connection_is_used_once(start, origin, version):
    proxy = start(upstream(version, origin.text), upstream=None)
    client = proxy.client()
    client.send(get(), get())
    for _ in range(2):
        wire = origin.accept()
        assert told(wire, version) == ends_of(client, version)
        wire.request()
        wire.send(OK)
        assert client.response().body == b"ok"
        wire.at_end()
    assert [line["reused"] for line in proxy.exchanges(2)] == [False, False]


def test_a_tunnel_begins_with_it_too(start, origin):
    proxy = start(upstream("v2", origin.text), upstream=None)
    client = proxy.client()
    client.send(offer())
    wire = origin.accept()
    assert told(wire, "v2") == ends_of(client, "v2")
    wire.request()
    wire.send(switching(), "hello")
    assert client.head().status == 101
    assert client.exactly(5) == b"hello"


def test_a_client_on_a_unix_socket_is_nobody(start, origin, shared_path):
    for version, header in (("v1", b"PROXY UNKNOWN\r\n"), ("v2", SIGNATURE + b"\x21\0\0\0")):
        proxy = start(upstream(version, origin.text), upstream=None,
                      listen=f"unix:{shared_path}/{version}")
        client = proxy.client()
        client.send(get())
        wire = origin.accept()
        assert told(wire, version) == header
        wire.request()
        wire.send(OK)
        client.response()


@pytest.mark.parametrize("version,header", [
    ("v1", b"PROXY TCP4 203.0.113.7 0.0.0.0 5000 0\r\n"),
    ("v2", SIGNATURE + b"\x21\x11\0\x0c" + bytes([203, 0, 113, 7, 0, 0, 0, 0, 0x13, 0x88, 0, 0])),
], ids=["v1", "v2"])
def test_a_client_that_a_header_names_on_a_unix_socket_is_told_of(start, origin, shared_path,
                                                                 version, header):
    proxy = start('proxy_protocol = true, trusted_proxies = "unix:", '
                  + upstream(version, origin.text), upstream=None,
                  listen=f"unix:{shared_path}/{version}")
    client = proxy.client()
    client.send(v1("203.0.113.7"), get())
    wire = origin.accept()
    assert told(wire, version) == header
    assert wire.request().get("x-forwarded-for") == "203.0.113.7"
    wire.send(OK)
    assert client.response().body == b"ok"


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("client_host", ["203.0.113.7", "2001:db8::7"])
def test_from_interim_to_interim(start, origin, version, client_host):
    behind = start(TRUSTED)
    front = start(TRUSTED + upstream(version, behind.listen), upstream=None)
    request = serve(front.client(), origin, v2(client_host), get())
    # The one behind trusts the client of the header, which is no proxy, with nothing.
    assert request.get("x-forwarded-for") == client_host
    assert behind.exchange()["client"] == front.exchange()["client"]
    behind.wait_stats(lambda s: s["open"] == 0)


# ---- HAProxy in front, and behind ----

HAPROXY = """
defaults
  mode {mode}
  timeout connect 20s
  timeout client 20s
  timeout server 20s
frontend clients
  bind 127.0.0.1:{port} {bind}
  {rule}
  default_backend servers
backend servers
  {server}
"""


@pytest.fixture
def haproxy(tmp_path):
    """haproxy(...): one that runs, by its port."""
    running = []

    def start_haproxy(bind="", server="", rule="", mode="http"):
        port = free_port()
        config = tmp_path / f"haproxy-{port}.cfg"
        config.write_text(HAPROXY.format(mode=mode, port=port, bind=bind, server=server, rule=rule))
        program = Program([need("haproxy"), "-db", "-q", "-f", str(config)])
        running.append(program)
        until = time.monotonic() + 20
        while socket.socket().connect_ex(("127.0.0.1", port)) and time.monotonic() < until:
            time.sleep(0.01)
        return port

    yield start_haproxy
    for program in running:
        program.stop()


@pytest.mark.parametrize("mode", ["tcp", "http"])
@pytest.mark.parametrize("how", ["send-proxy", "send-proxy-v2", "send-proxy-v2-ssl-cn"])
def test_haproxy_tells_who_its_client_is(start, origin, haproxy, how, mode):
    proxy = start(TRUSTED)
    port = haproxy(server=f"server interim {proxy.listen} {how}", mode=mode)
    before = proxy.stats()["requests"]
    client = connect(("127.0.0.1", port), source=STRANGER)
    request = serve(client, origin, get("Connection: close"))
    assert request.get("x-forwarded-for") == STRANGER
    assert proxy.exchange()["client"] == "%s:%d" % client.sock.getsockname()
    assert proxy.stats()["requests"] == before + 1
    client.close()


def test_haproxys_health_checks_are_no_bad_headers(start, origin, haproxy):
    proxy = start(TRUSTED)
    mark = proxy.log.mark()
    haproxy(server=f"server interim {proxy.listen} send-proxy-v2 check inter 100ms")
    accepted = proxy.stats()["accepted"]
    proxy.wait_stats(lambda s: s["accepted"] >= accepted + 3)
    assert not [line for line in proxy.log.since(mark) if "PROXY header" in line]


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_haproxy_believes_what_it_is_told(start, haproxy, version):
    port = haproxy(bind="accept-proxy",
                   rule="http-request return status 200 hdr X-Saw %[src]:%[src_port] "
                        "content-type text/plain string ok")
    proxy = start(upstream(version, f"127.0.0.1:{port}"), upstream=None)
    client = proxy.client(source=STRANGER)
    client.send(get())
    assert client.response().get("x-saw") == "%s:%d" % client.sock.getsockname()
    client.close()
