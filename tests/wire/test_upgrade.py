"""Upgrades and tunnels (rules F): offered, checked, and bytes that belong to nobody before 101."""

import base64
import hashlib
import threading
import time

import pytest

from harness import is_sanitized, stopped
from scenes import MARKER, OK, answer_with, exchange, get, is_page

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = base64.b64encode(hashlib.sha1(
    (KEY + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()

HOOK = """
  upgrade = function(req)
    local how = req.headers["x-how"]
    if how == "403" then return 403 end
    if how == "answer" then return { status = 401, body = "token, please\\n" } end
    if how == "true" then return true end
    if how == "false" then return false end
    if how == "list" then return { "second", "first" } end
    if how == "h2c" then return "h2c" end
    return nil
  end,
"""


def offer(*fields, protocol="websocket", target="/ws", **keywords):
    return get("Connection: Upgrade", f"Upgrade: {protocol}", f"Sec-WebSocket-Key: {KEY}",
               "Sec-WebSocket-Version: 13", *fields, target=target, **keywords)


def switching(*fields, protocol="websocket", accept=ACCEPT):
    lines = ["HTTP/1.1 101 Switching Protocols"]
    if protocol is not None:
        lines += ["Connection: Upgrade", f"Upgrade: {protocol}"]
    if accept is not None:
        lines.append(f"Sec-WebSocket-Accept: {accept}")
    return "\r\n".join([*lines, *fields, "", ""])


def tunnel(client, origin):
    """A tunnel that stands: the origin's end."""
    client.send(offer())
    wire = origin.accept()
    wire.request()
    wire.send(switching())
    assert client.head().status == 101
    return wire


def is_ordinary(client, origin, head):
    """The request passes without its offer, and the connection stays HTTP."""
    client.send(head)
    wire = origin.accept()
    request = wire.request()
    assert request.get("upgrade") is None
    assert "upgrade" not in (request.get("connection") or "").lower()
    wire.send(OK)
    answer = client.response()
    assert answer.status == 200
    return request


@pytest.mark.parametrize("head", [
    offer(version="HTTP/1.0"),
    get("Upgrade: websocket"),
    get("Connection: close", "Upgrade: websocket"),
    offer(protocol=""),
    offer(protocol="web socket"),
    offer(protocol="@websocket"),
    offer(protocol="websocket/"),
    get("Connection: upgrade"),
    offer("Content-Length: 5", method="POST") + b"hello",
    offer("Transfer-Encoding: chunked", method="POST") + b"0\r\n\r\n",
], ids=["HTTP/1.0", "no Connection", "another Connection", "empty", "no list", "no token",
        "no version behind the slash", "no Upgrade", "a body", "a chunked body"])
def test_f1_what_is_no_upgrade_is_ignored_and_not_forwarded(client, origin, head):
    is_ordinary(client, origin, head)


@pytest.mark.parametrize("protocol", ["websocket", "WebSocket", "websocket, other/1", "x, websocket",
                                      "h2c, websocket"])
def test_f2_without_a_hook_websocket_is_forwarded_and_nothing_else(client, origin, protocol):
    client.send(offer(protocol=protocol))
    wire = origin.accept()
    request = wire.request()
    assert request.get("upgrade").lower() == "websocket"
    assert request.get("connection").lower() == "upgrade"
    assert request.get("sec-websocket-key") == KEY
    wire.send(switching())
    head = client.head()
    assert (head.status, head.get("upgrade"), head.get("connection").lower()) == (
        101, "websocket", "upgrade")
    assert head.get("sec-websocket-accept") == ACCEPT


@pytest.mark.parametrize("protocol", ["h2c", "other", "h2c, other/2", "TLS/1.0"])
def test_f2_other_protocols_are_not_forwarded_without_a_policy(client, origin, protocol):
    head = get("Connection: Upgrade, HTTP2-Settings", f"Upgrade: {protocol}", "HTTP2-Settings: AAMA")
    assert is_ordinary(client, origin, head).get("http2-settings") is None


@pytest.mark.parametrize("how,offered,forwarded", [
    ("true", "first, websocket , third/3", "first, websocket, third/3"),
    ("list", "first, second, third", "second, first"),
    ("nil", "first, websocket", "websocket"),
    ("h2c", "websocket, h2c", "h2c"),
])
def test_f2_the_policy_chooses_which_and_in_which_order(start, origin, how, offered, forwarded):
    client = start(HOOK).client()
    client.send(offer(f"X-How: {how}", protocol=offered))
    wire = origin.accept()
    assert wire.request().get("upgrade") == forwarded
    chosen = forwarded.split(", ")[0]
    wire.send(switching(protocol=chosen, accept=ACCEPT if chosen == "websocket" else None))
    assert client.head().get("upgrade") == chosen
    wire.send("over to you")
    assert client.exactly(11) == b"over to you"


@pytest.mark.parametrize("how,passed", [("h2c", True), ("nil", False), ("false", False)])
def test_f5_http2_settings_pass_only_with_h2c(start, origin, how, passed):
    client = start(HOOK).client()
    client.send(get("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c, websocket",
                    "HTTP2-Settings: AAMA", f"Sec-WebSocket-Key: {KEY}", f"X-How: {how}"))
    wire = origin.accept()
    assert (wire.request().get("http2-settings") == "AAMA") is passed
    wire.send(OK)
    assert client.response().status == 200


def test_f3_early_bytes_wait_for_the_101_then_arrive(client, origin):
    client.send(offer(), "early bytes")
    wire = origin.accept()
    wire.request()
    wire.nothing()
    client.send(", and more")
    wire.nothing()
    wire.send(switching())
    assert client.head().status == 101
    assert wire.exactly(21) == b"early bytes, and more"


def test_f3_early_bytes_that_look_like_a_request_are_none(client, origin):
    client.send(offer(), MARKER)
    wire = origin.accept()
    wire.request()
    wire.nothing()
    wire.send(switching())
    client.head()
    assert wire.exactly(len(MARKER)) == MARKER
    assert origin.untouched()


BAD_SWITCHES = {
    "no Upgrade": "HTTP/1.1 101 X\r\nConnection: upgrade\r\n"
                  f"Sec-WebSocket-Accept: {ACCEPT}\r\n\r\n",
    "no Connection": "HTTP/1.1 101 X\r\nUpgrade: websocket\r\n"
                     f"Sec-WebSocket-Accept: {ACCEPT}\r\n\r\n",
    "neither": "HTTP/1.1 101 X\r\n\r\n",
    "a Connection of another kind": f"HTTP/1.1 101 X\r\nConnection: close\r\nUpgrade: websocket\r\n"
                                    f"Sec-WebSocket-Accept: {ACCEPT}\r\n\r\n",
    "a protocol not offered": switching(protocol="h2c"),
    "one offered, one not": switching(protocol="websocket, h2c"),
    "an empty Upgrade": switching(protocol=""),
    "no accept key": switching(accept=None),
    "a wrong accept key": switching(accept=ACCEPT.replace("s", "t")),
    "the request's key": switching(accept=KEY),
    "two accept keys": switching(f"Sec-WebSocket-Accept: {ACCEPT}"),
    "an empty accept key": switching(accept=""),
    "an accept key in another case": switching(accept=ACCEPT.lower()),
    "an accept key that is of one hop": switching("Connection: Sec-WebSocket-Accept"),
}


@pytest.mark.parametrize("head", BAD_SWITCHES.values(), ids=BAD_SWITCHES)
def test_f4_a_101_that_does_not_fit_the_offer_is_refused(client, origin, head):
    client.send(offer())
    wire = origin.accept()
    wire.request()
    wire.send(head, "bytes behind it")
    is_page(client.response(), 502)
    wire.ending()


@pytest.mark.parametrize("head", [BAD_SWITCHES["a wrong accept key"], switching(protocol="h2c")])
def test_f4_and_early_bytes_are_not_a_request_then(client, origin, head):
    client.send(offer(), MARKER)
    wire = origin.accept()
    wire.request()
    wire.send(head)
    is_page(client.response(), 502)
    client.at_end()
    wire.ending()
    assert b"marker" not in wire.held
    assert origin.untouched()


def test_f4_an_offer_without_a_key_cannot_be_accepted(client, origin):
    client.send(get("Connection: Upgrade", "Upgrade: websocket"))
    wire = origin.accept()
    wire.request()
    wire.send(switching())
    is_page(client.response(), 502)


@pytest.mark.parametrize("status", ["200 OK", "403 Forbidden", "400 Bad Request"])
def test_f5_another_answer_is_an_ordinary_one_and_http_goes_on(client, origin, status):
    client.send(offer())
    wire = origin.accept()
    wire.request()
    wire.send(answer_with(status=status, body="no tunnel"))
    answer = client.response()
    assert (answer.status, answer.body) == (int(status[:3]), b"no tunnel")
    assert not answer.closes()
    client.send(get(target="/next"))
    assert wire.request().target == "/next"
    wire.send(OK)
    assert client.response().body == b"ok"


@pytest.mark.parametrize("status", ["200 OK", "426 Upgrade Required"])
def test_f5_early_bytes_of_a_refused_upgrade_are_never_a_request(client, origin, status):
    client.send(offer(), MARKER)
    wire = origin.accept()
    wire.request()
    wire.send(answer_with(status=status))
    answer = client.response()
    assert answer.body == b"ok" and answer.closes()
    client.at_end()
    assert wire.here() == b""
    assert origin.untouched()


LAST_WORDS = {
    "an answer": lambda wire: wire.send(answer_with(status="403 No")),
    "200": lambda wire: wire.send(OK),
    "a misfit": lambda wire: wire.send(switching(protocol="h2c")),
    "nonsense": lambda wire: wire.send("nonsense\r\n\r\n"),
    "an end": lambda wire: wire.half_close(),
}


@pytest.mark.parametrize("first", ["client", "origin"])
@pytest.mark.parametrize("pooled,word", [(pooled, word) for pooled in (True, False)
                                         for word in LAST_WORDS if (pooled, word) != (True, "an end")])
def test_f5_early_bytes_that_were_not_read_yet_are_no_request_either(proxy, client, origin, word,
                                                                     first, pooled):
    """The worker is stopped, and finds them and the origin's last word in one turn. (The end of a
    pooled connection is none: the request is sent again.)"""
    if pooled:
        exchange(client, origin)
        client = proxy.client()
    client.send(offer())
    wire = origin.wires[-1] if pooled else origin.accept()
    wire.request()
    acts = [lambda: client.send(MARKER), lambda: LAST_WORDS[word](wire)]
    with stopped(proxy):
        for act in acts if first == "client" else reversed(acts):
            act()
            time.sleep(0.01)
    answer = client.response()
    assert answer.status in (403, 200, 502) and answer.closes()
    client.at_end()
    assert b"marker" not in wire.here()
    assert origin.untouched()


@pytest.mark.parametrize("hook,end", [("response", "200"), ("error", "an end")])
def test_f5_nor_are_those_that_came_while_a_hook_looked_at_the_answer(start, origin, hook, end):
    client = start(hook + " = function() interim.sleep(0.3) end,").client()
    client.send(offer())
    wire = origin.accept()
    wire.request()
    LAST_WORDS[end](wire)
    client.nothing(0.1)
    client.send(MARKER)
    assert client.response().closes()
    client.at_end()
    assert origin.untouched()


def test_f5_a_426_keeps_its_upgrade_field(client, origin):
    client.send(offer())
    wire = origin.accept()
    wire.request()
    wire.send(answer_with("Connection: Upgrade", "Upgrade: websocket, TLS/1.2",
                          "Sec-WebSocket-Version: 13", status="426 Upgrade Required"))
    answer = client.response()
    assert answer.get("upgrade") == "websocket, TLS/1.2"
    assert "upgrade" in answer.get("connection").lower()


@pytest.mark.parametrize("how,status,body", [("403", 403, None), ("answer", 401, b"token, please\n")])
def test_f5_a_refusal_by_the_policy_closes_after_the_answer(start, origin, how, status, body):
    proxy = start(HOOK)
    client = proxy.client()
    client.send(offer(f"X-How: {how}"), MARKER)
    answer = client.response()
    assert answer.status == status and answer.closes()
    assert body is None or answer.body == body
    client.at_end()
    assert origin.untouched()
    proxy.counts("upgrades_refused", 1)


def test_f5_false_makes_it_an_ordinary_request_and_the_connection_stays(start, origin):
    client = start(HOOK).client()
    is_ordinary(client, origin, offer("X-How: false"))
    client.send(get(target="/next"))
    assert origin.wires[-1].request().target == "/next"
    origin.wires[-1].send(OK)
    assert client.response().status == 200


def test_f6_bytes_pass_both_ways_as_they_are(client, origin):
    wire = tunnel(client, origin)
    every = bytes(range(256)) * 4
    client.send(every)
    assert wire.exactly(len(every)) == every
    wire.send(every[::-1])
    assert client.exactly(len(every)) == every[::-1]
    client.send(MARKER)
    assert wire.exactly(len(MARKER)) == MARKER


def test_f6_bytes_that_came_with_the_101_are_not_lost(client, origin):
    client.send(offer())
    wire = origin.accept()
    wire.request()
    wire.send(switching(), "first frame")
    assert client.head().status == 101
    assert client.exactly(11) == b"first frame"


def test_f6_early_bytes_of_both_sides_in_one_segment_each(client, origin):
    client.send(offer(), "c" * 5000)
    wire = origin.accept()
    wire.request()
    wire.send(switching(), "o" * 5000)
    client.head()
    assert client.exactly(5000) == b"o" * 5000
    assert wire.exactly(5000) == b"c" * 5000


def test_f6_a_101_byte_by_byte(client, origin):
    client.send(offer())
    wire = origin.accept()
    wire.request()
    wire.drip(switching().encode() + b"frame")
    assert client.head().status == 101
    assert client.exactly(5) == b"frame"


def test_f6_interims_may_come_before_the_101(client, origin):
    client.send(offer())
    wire = origin.accept()
    wire.request()
    wire.send("HTTP/1.1 103 X\r\nLink: a\r\n\r\n", switching())
    client.interim(103)
    assert client.head().status == 101


def test_f6_the_fields_of_a_101_pass(client, origin):
    client.send(offer("Sec-WebSocket-Protocol: chat", "Sec-WebSocket-Extensions: permessage-deflate"))
    wire = origin.accept()
    request = wire.request()
    assert request.get("sec-websocket-protocol") == "chat"
    assert request.get("sec-websocket-extensions") == "permessage-deflate"
    wire.send(switching("Sec-WebSocket-Protocol: chat", "Set-Cookie: a=b"))
    head = client.head()
    assert (head.get("sec-websocket-protocol"), head.get("set-cookie")) == ("chat", "a=b")
    assert head.get("content-length") is None and head.get("transfer-encoding") is None


@pytest.mark.parametrize("side", ["client", "origin"])
def test_f6_a_half_close_is_handed_on_as_a_half_close(client, origin, side):
    wire = tunnel(client, origin)
    first, second = (client, wire) if side == "client" else (wire, client)
    first.send("last words")
    first.half_close()
    assert second.rest() == b"last words"
    for _ in range(3):
        second.send("still here")
        assert first.exactly(10) == b"still here"
    second.half_close()
    first.at_end()


@pytest.mark.parametrize("side", ["client", "origin"])
def test_f6_a_reset_is_handed_on_as_a_reset(client, origin, side):
    wire = tunnel(client, origin)
    first, second = (client, wire) if side == "client" else (wire, client)
    first.reset()
    assert second.ending() == "reset"


@pytest.mark.parametrize("side", ["client", "origin"])
def test_f6_so_is_a_reset_behind_a_half_close_while_nobody_says_more(proxy, client, origin, side):
    wire = tunnel(client, origin)
    first, second = (client, wire) if side == "client" else (wire, client)
    first.send("last words")
    first.half_close()
    assert second.rest() == b"last words"
    first.reset()
    assert proxy.exchange()["error"] == "one side of the tunnel was reset"
    with pytest.raises(BrokenPipeError):
        second.send("to nobody")


@pytest.mark.parametrize("side", ["client", "origin"])
def test_f6_a_half_closed_tunnel_in_which_nobody_says_more_stands(proxy, client, origin, side):
    wire = tunnel(client, origin)
    first, second = (client, wire) if side == "client" else (wire, client)
    first.half_close()
    second.at_end()
    first.nothing(4)  # longer than it takes to find a reset
    second.send("still here")
    assert first.exactly(10) == b"still here"


def test_f6_a_half_close_before_the_101_is_not_lost(client, origin):
    client.send(offer(), "all I have to say")
    client.half_close()
    wire = origin.accept()
    wire.request()
    wire.send(switching(), "and I")
    assert client.head().status == 101
    assert client.exactly(5) == b"and I"
    assert wire.rest() == b"all I have to say"


@pytest.mark.parametrize("side", ["client", "origin"])
def test_f6_a_side_that_does_not_read_stops_the_other(proxy, client, origin, side):
    wire = tunnel(client, origin)
    writer, reader = (client, wire) if side == "client" else (wire, client)
    piece = bytes(range(256)) * 16
    before = proxy.worker_rss()
    taken = writer.send_until_blocked(piece)
    assert taken < 64 << 20
    if not is_sanitized():
        assert proxy.worker_rss() - before < 1 << 20
    # Meanwhile the other direction flows.
    reader.send("meanwhile")
    assert writer.exactly(9) == b"meanwhile"
    for position in range(0, taken, len(piece)):
        count = min(len(piece), taken - position)
        assert reader.exactly(count) == piece[:count]


def test_f6_bulk_in_both_directions_at_once(client, origin):
    wire = tunnel(client, origin)
    piece = hashlib.sha512(b"piece").digest() * 1024
    count = 512
    threads = [threading.Thread(target=lambda s=s: [s.send(piece) for _ in range(count)])
               for s in (client, wire)]
    for thread in threads:
        thread.start()
    results = {}

    def drain(name, side):
        results[name] = all(side.exactly(len(piece)) == piece for _ in range(count))

    readers = [threading.Thread(target=drain, args=pair) for pair in (("c", client), ("o", wire))]
    for thread in readers:
        thread.start()
    for thread in threads + readers:
        thread.join()
    assert results == {"c": True, "o": True}


def test_f6_the_bytes_of_a_tunnel_are_counted(proxy, client, origin):
    wire = tunnel(client, origin)
    client.send("x" * 1000)
    wire.exactly(1000)
    wire.send("y" * 70000)
    client.exactly(70000)
    assert proxy.stats()["tunnels"] == 1
    client.close()
    wire.at_end()
    wire.close()
    line = proxy.exchange()
    assert line["status"] == 101
    assert (line["tunnel_in"], line["tunnel_out"]) == (1000, 70000)


def test_an_upgrade_between_pipelined_requests_is_taken_in_order(client, origin):
    client.send(get(target="/before"), offer(), "early")
    wire = origin.accept()
    assert wire.request().target == "/before"
    wire.send(OK)
    assert client.response().body == b"ok"
    assert wire.request().target == "/ws"
    wire.nothing()
    wire.send(switching())
    assert client.head().status == 101
    assert wire.exactly(5) == b"early"


def test_a_connection_that_was_a_tunnel_is_never_pooled(proxy, client, origin):
    wire = tunnel(client, origin)
    client.close()
    wire.at_end()
    wire.close()
    exchange(proxy.client(), origin)


def test_a_client_that_leaves_before_the_101(client, origin):
    client.send(offer())
    wire = origin.accept()
    wire.request()
    client.reset()
    wire.ending()
    assert not wire.held
