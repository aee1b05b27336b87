"""What went wrong elsewhere with connections, memory and time, and does not go wrong here.

Each test begins with the story. More of them are told where they are played: clients that leave at
every stage in test_leaving.py, answers that nobody hears in test_early.py, bytes that come one by
one in test_split.py, deadlines in test_time.py, limits after an edit in test_policy.py.
"""

import threading

import pytest

from harness import cpu_seconds, free_port, is_sanitized
from scenes import CHUNKED, OK, answer_with, exchange, get, is_page, post
from test_upgrade import offer, switching

POLICY = """
  request = function(req)
    if req.path == "/here" then return { status = 200, body = "" } end
  end,
"""


@pytest.fixture
def shallow(start):
    """A proxy whose stack is bounded: what recurses over its input ends it. A sanitizer's frames are
    larger, and where the stack begins differs by some KiB."""
    proxy = start(POLICY, stack=1 << (18 if is_sanitized() else 16))
    workers = proxy.workers()
    yield proxy
    assert proxy.workers() == workers, "the worker died"


@pytest.fixture
def client(shallow):
    return shallow.client()


# Squid, CVE-2024-25111: the decoder of chunks called itself for each chunk; many small ones used up
# the stack and ended the process for everybody.
@pytest.mark.parametrize("size", [8, 512])
def test_many_chunks_both_ways_need_no_deeper_stack(client, origin, size):
    unit = b"%x\r\n%s\r\n" % (size, b"a" * size)
    body = unit * ((1 << 20) // len(unit)) + b"0\r\n\r\n"
    client.send(post(CHUNKED))
    wire = origin.accept()
    wire.request_head()
    writer = threading.Thread(target=client.send, args=(body,))
    writer.start()
    taken, _ = wire.chunks()
    writer.join()
    assert taken == b"a" * len(taken) and len(taken) == len(body) // len(unit) * size
    writer = threading.Thread(target=wire.send,
                              args=(f"HTTP/1.1 200 OK\r\n{CHUNKED}\r\n\r\n", body))
    writer.start()
    assert client.response().body == taken
    writer.join()


# Squid, CVE-2023-50269: a list in X-Forwarded-For was followed by a function that called itself for
# each member.
@pytest.mark.parametrize("name", ["X-Forwarded-For", "Connection", "TE", "Accept", "Via", "Cookie",
                                  "Forwarded", "Cache-Control", "Trailer", "Upgrade"])
def test_long_lists_need_no_deeper_stack(client, origin, name):
    field = f"{name}: " + "a," * 10000
    client.send(get(field, *["Connection: upgrade"] * (name == "Upgrade")))
    if name == "Connection":  # which nominates more than there can be
        is_page(client.response(), 400)
        return
    wire = origin.accept()
    wire.request()
    wire.send(answer_with(field))
    assert client.response().body == b"ok"


def test_many_pipelined_requests_need_no_deeper_stack(client):
    count = 5000
    writer = threading.Thread(target=client.send, args=(get(target="/here") * count,))
    writer.start()
    for _ in range(count):
        assert client.response().status == 200
    writer.join()


def test_many_interim_responses_need_no_deeper_stack(client, origin):
    client.send(get())
    wire = origin.accept()
    wire.request()
    wire.send("HTTP/1.1 103 X\r\n\r\n" * 256, OK)
    for _ in range(256):
        client.interim(103)
    assert client.response().body == b"ok"


# Squid, CVE-2024-25617: a header was within its limit when it came, grew while it was worked on, and
# then met an assertion. Here what a policy made of a head is measured again, and what the proxy adds
# itself fits behind a head of any allowed size.
GROWS = """
  request = function(req)
    if req.path == "/fields" then for n = 1, 130 do req.headers["x-" .. n] = "a" end end
    if req.path == "/size" then
      for n = 1, 8 do req.headers["x-" .. n] = req.headers["x-long"]:sub(1, 4096) end
    end
  end,
  response = function(req, res)
    if req.path == "/out-fields" then for n = 1, 130 do res.headers["x-" .. n] = "a" end end
    if req.path == "/out-size" then
      for n = 1, 8 do res.headers["x-" .. n] = res.headers["x-long"]:sub(1, 4096) end
    end
  end,
"""


@pytest.mark.parametrize("target", ["/fields", "/size"])
def test_a_request_that_grew_over_its_limit_is_a_431(start, origin, target):
    client = start(GROWS).client()
    client.send(get("X-Long: " + "a" * 8000, target=target))
    is_page(client.response(), 431)
    assert origin.untouched()


@pytest.mark.parametrize("target", ["/out-fields", "/out-size"])
def test_a_response_that_grew_over_its_limit_is_a_502(start, origin, target):
    client = start(GROWS).client()
    client.send(get(target=target))
    wire = origin.accept()
    wire.request()
    wire.send(answer_with("X-Long: " + "a" * 8000))
    is_page(client.response(), 502)


def test_what_the_proxy_adds_fits_behind_the_largest_head(start, origin):
    client = start('trusted_proxies = { "127.0.0.1" },').client()
    head = get("X-Forwarded-For: ", "Via: ")
    room = 32768 - len(head)
    client.send(get("X-Forwarded-For: " + "a," * (room // 4), "Via: " + "b," * (room // 4)))
    wire = origin.accept()
    request = wire.request()
    assert request.get("x-forwarded-for").endswith("127.0.0.1")
    assert request.all("via")[-1].endswith("1.1 interim")
    wire.send(OK)
    assert client.response().body == b"ok"


# Node.js, CVE-2019-5739: a kept-alive connection without a request had no limit of its own, so that
# idle clients held their sockets for ever.
def test_each_wait_of_a_connection_has_an_end_of_its_own(start, origin):
    proxy = start("timeouts = { idle = 0.2, header = 0.2, body = 0.2, linger = 0.2, response = 0.2,"
                  " stall = 0.2, tunnel = 0.2, upstream_idle = 0.2 },")
    never_spoke, kept, half_a_head, half_a_body, refused, unread = (
        proxy.client(receive_buffer=4096) for _ in range(6))
    exchange(kept, origin)
    half_a_head.send("GET /")
    half_a_body.send(post("Content-Length: 10"), "half")
    refused.send("no request\r\n\r\n")
    unread.send(get())
    # Nobody closes anything from here on: all ends are the proxy's.
    proxy.wait_stats(lambda s: s["open"] == 0 and s["upstream_open"] == 0)
    assert half_a_head.response().status == half_a_body.response().status == 408
    assert refused.response().status == 400
    assert unread.response().status == 524
    for client in (never_spoke, kept, half_a_head, half_a_body, refused, unread):
        client.at_end()


# Several servers spun at full speed, or died, when no descriptor was left for a connection that
# waited to be accepted, or accepted clients for whose requests there was none. Here a client is
# taken only if there are two for it, and accepting rests otherwise (test_limits.py); where they are
# missing all the same, in the kernel say, every call is made to fail by fault/fault.c.
def test_from_a_tunnel_a_missing_descriptor_takes_nothing(start, origin):
    proxy = start("", descriptors=40, fresh=True)
    tunnel = proxy.client()
    tunnel.send(offer(protocol="websocket"))
    wire = origin.accept()
    wire.request()
    wire.send(switching())
    assert tunnel.head().status == 101
    crowd = [proxy.client() for _ in range(60)]
    proxy.wait_stats(lambda s: s["full"] > 0)
    tunnel.send("there")
    assert wire.exactly(5) == b"there"
    wire.send("back")
    assert tunnel.exactly(4) == b"back"
    for client in crowd:
        client.close()


# A port that nobody listens on any more is a story told to every proxy: each attempt must give its
# descriptor back.
def test_a_thousand_refused_connections_leave_nothing(start):
    proxy = start("", upstream=f"127.0.0.1:{free_port()}")
    client = proxy.client()
    for _ in range(1000):
        client.send(get())
        assert client.response().status == 502
