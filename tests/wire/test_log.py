"""The access log: one line for each exchange, text or JSON, that parses back whatever a client
sent; and the lines on stderr that say what was tried."""

import contextlib
import json
import os
import random
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

from harness import Proxy, binary, free_port, policy_text
from lines import PATIENCE, Lines
from peers import connect
from scenes import CHUNKED, EXPECT, OK, answer_with, exchange, get, post
from test_upgrade import offer, switching, tunnel

TEXT = 'access_log = "text",'
HOOK = """
  expect = function(req) if req.headers["x-how"] == "refuse" then return 401 end
                         return req.headers["x-how"] end,
  upgrade = function(req) if req.headers["x-how"] == "refuse" then return 403 end
                          if req.headers["x-how"] == "ordinary" then return false end end,
"""

LINE = re.compile(
    r'(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) (?P<id>\S+) (?P<client>\S+) '
    r'"(?P<method>\S*) (?P<target>\S*) HTTP/1\.[01]" (?P<status>\d+) (?P<outcome>\w+)'
    r'(?P<rest>( \w+=("([^"\\]|\\.)*"|[^ "]+))*)\Z')


def text_line(proxy, pattern=r"\S"):
    """The first text line of this scenario in which that is found, taken apart."""
    line = proxy.access.wait(pattern, proxy.access_began).string
    found = LINE.match(line)
    assert found, line
    fields = dict(re.findall(r' (\w+)=("(?:[^"\\]|\\.)*"|[^ "]+)', found["rest"]))
    return {**found.groupdict(), **fields, "line": line}


def test_bytes_of_large_chunks_are_those_of_their_data(proxy, client, origin):
    """Whether they were read or passed on unread."""
    data = bytes(1 << 20)
    chunk = b"%x\r\n%s\r\n" % (len(data), data)
    sending = threading.Thread(target=client.send, args=(post(CHUNKED), chunk * 3, "0\r\n\r\n"))
    sending.start()
    wire = origin.accept()
    wire.request()
    sending.join()
    answering = threading.Thread(target=wire.send, args=(
        f"HTTP/1.1 200 OK\r\n{CHUNKED}\r\n\r\n", chunk * 2, "0\r\n\r\n"))
    answering.start()
    client.response()
    answering.join()
    line = proxy.exchange()
    assert (line["bytes_in"], line["bytes_out"]) == (3 << 20, 2 << 20)


def test_json_tells_of_an_ordinary_exchange(proxy, client, origin):
    client.send(post("Content-Length: 5", target="/p?q"), "hello")
    wire = origin.accept()
    wire.request()
    wire.send(OK)
    client.response()
    line = proxy.exchange()
    assert (line["method"], line["target"], line["host"], line["version"]) == (
        "POST", "/p?q", "a", "1.1")
    assert (line["status"], line["outcome"], line["error"]) == (200, "upstream", "")
    assert (line["bytes_in"], line["bytes_out"]) == (5, 2)
    assert (line["interims"], line["interim_count"]) == ([], 0)
    assert (line["expect"], line["upgrade"]) == ("", "")
    assert (line["address"], line["reused"]) == (origin.text, False)
    assert line["client"] == "127.0.0.1:%d" % client.sock.getsockname()[1]
    assert 0 <= line["connect"] <= line["first_byte"] <= line["elapsed"] < 20


def test_text_tells_the_same(start, origin):
    proxy = start(TEXT)
    client = proxy.client()
    client.send(post("Content-Length: 5", target="/p?q"), "hello")
    wire = origin.accept()
    wire.request()
    wire.send("HTTP/1.1 102 P\r\n\r\nHTTP/1.1 103 E\r\n\r\n", OK)
    client.interim(102)
    client.interim(103)
    client.response()
    line = text_line(proxy)
    assert (line["method"], line["target"], line["status"], line["outcome"]) == (
        "POST", "/p?q", "200", "upstream")
    assert (line["in"], line["out"], line["interims"]) == ("5", "2", "102,103")
    assert (line["expect"], line["upgrade"], line["reused"]) == ("-", "-", "no")
    assert line["address"] == origin.text


def test_no_log_when_none_is_wanted(start, origin):
    proxy = start("access_log = false,")
    exchange(proxy.client(), origin)
    proxy.wait_stats(lambda s: s["active"] == 0)
    for client in proxy.clients:
        client.close()
    origin.hang_up()
    proxy.stop()
    assert proxy.access.text() == ""


def test_the_status_is_the_final_one_and_the_interims_have_their_own_field(proxy, client, origin):
    client.send(get())
    wire = origin.accept()
    wire.request()
    wire.send("HTTP/1.1 103 E\r\n\r\nHTTP/1.1 102 P\r\n\r\nHTTP/1.1 100 C\r\n\r\n",
              answer_with(status="404 Not Found"))
    for status in (103, 102, 100):
        client.interim(status)
    client.response()
    line = proxy.exchange()
    assert (line["status"], line["interims"], line["interim_count"]) == (404, [103, 102, 100], 3)


def test_interims_kept_from_an_http_1_0_client_were_not_forwarded(proxy, client, origin):
    client.send(get(version="HTTP/1.0"))
    wire = origin.accept()
    wire.request()
    wire.send("HTTP/1.1 103 E\r\n\r\n", OK)
    client.response()
    line = proxy.exchange()
    assert (line["version"], line["interims"], line["interim_count"]) == ("1.0", [], 0)


@pytest.mark.parametrize("how,expect,status", [
    ("forward", "forward-100", 200), ("continue", "continue", 200), ("refuse", "refused", 401),
])
def test_the_decision_about_an_expectation(start, origin, how, expect, status):
    proxy = start(HOOK)
    client = proxy.client()
    client.send(post(EXPECT, "Content-Length: 5", f"X-How: {how}"))
    if how == "continue":
        client.interim(100)
    if how != "refuse":
        if how == "forward":
            wire = origin.accept()
            wire.request_head()
            wire.send("HTTP/1.1 100 Continue\r\n\r\n")
            client.interim(100)
            client.send("hello")
            wire.exactly(5)
        else:
            client.send("hello")
            wire = origin.accept()
            wire.request()
        wire.send(OK)
    assert client.response().status == status
    line = proxy.exchange()
    assert (line["status"], line["expect"]) == (status, expect)


def test_what_became_of_an_expectation_that_was_forwarded(start, origin):
    proxy = start("timeouts = { continue = 0.2 },")
    for n, became in enumerate(("forward-started", "forward-timed", "forward-final")):
        client = proxy.client()
        client.send(post(EXPECT, "Content-Length: 5"))
        wire = origin.accept()
        wire.request_head()
        if became == "forward-timed":
            client.interim(100)
        if became != "forward-final":
            client.send("hello")
            wire.exactly(5)
        wire.send(answer_with("Connection: close"))
        client.response()
        wire.close()
        assert proxy.exchanges(n + 1)[n]["expect"] == became


@pytest.mark.parametrize("how,status,upgrade", [
    ("accept", 101, "websocket"), ("refuse", 403, "refused"), ("ordinary", 200, "ordinary"),
    ("decline", 200, "declined"), ("break", 502, "broken"),
])
def test_the_decision_about_an_upgrade(start, origin, how, status, upgrade):
    proxy = start(HOOK)
    client = proxy.client()
    client.send(offer(f"X-How: {how}"))
    if how != "refuse":
        wire = origin.accept()
        wire.request()
        wire.send({"accept": switching(), "break": switching(accept="wrong")}.get(how, OK))
        if how == "accept":
            assert client.head().status == 101
        else:
            assert client.response().status == status
    else:
        assert client.response().status == 403
    client.close()
    origin.hang_up()
    line = proxy.exchange()
    assert (line["status"], line["upgrade"]) == (status, upgrade)


TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.mark.parametrize("hook", ["", "log = function(req, res) end,"], ids=["", "log hook"])
@pytest.mark.parametrize("form", ["json", "text"])
def test_a_tunnel_is_told_of_like_any_exchange(start, origin, form, hook):
    proxy = start(f'access_log = "{form}", {hook}')
    client = proxy.client()
    address = "127.0.0.1:%d" % client.sock.getsockname()[1]
    client.send(offer(f"traceparent: 00-{TRACE}-b7ad6b7169203331-01", target="/ws?a=b"))
    wire = origin.accept()
    ident = wire.request().get("x-request-id")
    wire.send("HTTP/1.1 103 E\r\n\r\n", switching())
    client.interim(103)
    assert client.head().status == 101
    exchange(proxy.client(), origin)  # what the request lay in may serve another now
    client.send("12345")
    assert wire.exactly(5) == b"12345"
    wire.send("123")
    assert client.exactly(3) == b"123"
    client.close()
    wire.at_end()
    wire.close()
    if form == "text":
        line = text_line(proxy, " 101 ")
        expected = {"status": "101", "in": "0", "out": "0", "reused": "no", "interims": "103",
                    "expect": "-", "tunnel_in": "5", "tunnel_out": "3"}
        assert "error" not in line
    else:
        line = proxy.exchanges(2)[1]
        expected = {"status": 101, "bytes_in": 0, "bytes_out": 0, "reused": False,
                    "interims": [103], "interim_count": 1, "expect": "", "tunnel_in": 5,
                    "tunnel_out": 3, "host": "a", "version": "1.1", "error": ""}
        assert 0 < line["connect"] <= line["first_byte"] <= line["elapsed"] < 20
    expected |= {"id": ident, "trace": TRACE, "client": address, "method": "GET",
                 "target": "/ws?a=b", "outcome": "upstream", "upstream": origin.text,
                 "address": origin.text, "upgrade": "websocket"}
    assert {name: line[name] for name in expected} == expected


@pytest.mark.parametrize("error,leave", [
    ("one side of the tunnel was reset", lambda client, wire: wire.reset()),
    ("the tunnel was idle for too long", lambda client, wire: None),
])
def test_the_end_of_a_tunnel_has_its_reason(start, origin, error, leave):
    proxy = start("timeouts = { tunnel = 0.5 },")
    client = proxy.client()
    wire = tunnel(client, origin)
    leave(client, wire)
    line = proxy.exchange()
    assert (line["status"], line["outcome"], line["error"]) == (101, "upstream", error)


@pytest.mark.parametrize("outcome", ["upstream", "here", "aborted", "cut"])
def test_the_outcome_says_where_the_answer_came_from(start, origin, outcome):
    proxy = start("request = function(req) if req.path == '/here' then return 403 end end,")
    client = proxy.client()
    client.send(get(target="/here" if outcome == "here" else "/"))
    if outcome != "here":
        wire = origin.accept()
        wire.request()
        if outcome == "upstream":
            wire.send(OK)
        elif outcome == "aborted":
            client.reset()
        elif outcome == "cut":
            wire.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n4")
            client.response_head()
            wire.close()
    line = proxy.exchange()
    assert line["outcome"] == outcome
    assert (line["error"] != "") is (outcome in ("cut", "aborted")) or outcome == "aborted"


HOSTILE = {
    "quotes and backslashes": get(target='/"\\"%22', host='Host: a'),
    "obs-text in a method's place": b"G\xe4T / HTTP/1.1\r\nHost: a\r\n\r\n",
    "control bytes": b"GET /\x1b[31m\x07 HTTP/1.1\r\nHost: a\r\n\r\n",
    "NUL": b"GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n",
    "a line break": b"GET / HTTP/1.1\n2026-01-01T00:00:00.000Z forged line\r\nHost: a\r\n\r\n",
    "nonsense": b"\xff\xfe\xfd \x80\r\n\r\n",
    "a quote as a host": b'GET / HTTP/1.1\r\nHost: "a"\r\n\r\n',
}


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("message", HOSTILE.values(), ids=HOSTILE)
def test_whatever_a_client_sends_a_line_parses_back(start, origin, form, message):
    proxy = start(f'access_log = "{form}", request = function() return 403 end,')
    client = proxy.client()
    client.send(message)
    assert client.response().status in (400, 403)
    line = proxy.access.wait(r"\S", proxy.access_began).string
    assert all(" " <= c <= "~" for c in line)
    if form == "text":
        assert LINE.match(line), line
    else:
        assert json.loads(line)["status"] in (400, 403)


def parsed(line, form):
    """The request line and host of a line, as they came; its other fields as they stand."""
    assert all(" " <= c <= "~" for c in line), line
    if form == "json":
        return json.loads(line)
    found = LINE.match(line)
    assert found, line
    plain = {name: re.sub(r"\\x([0-9a-f]{2})|\\(.)", lambda m: chr(int(m[1], 16)) if m[1] else m[2],
                          found[name]) for name in ("method", "target", "client")}
    return {**found.groupdict(), **plain}


TCHAR = "!#$%&'*+-.^_`|~09azAZ"
TARGETS = "".join(map(chr, range(0x21, 0x7f)))


@pytest.mark.parametrize("form", ["text", "json"])
def test_every_field_of_a_request_that_passes_reads_back_as_it_was_sent(start, form):
    proxy = start(f'access_log = "{form}", request = function() return 204 end,')
    dice = random.Random(9)
    client, sent = proxy.client(), []
    for _ in range(200):
        method = "".join(dice.choices(TCHAR, k=dice.randrange(1, 33)))
        target = "/" + "".join(dice.choices(TARGETS.replace("#", ""), k=dice.randrange(200)))
        sent.append((method, target))
        client.send(get(method=method, target=target))
        assert client.response().status == 204, sent[-1]
    proxy.exchanges_in_all(proxy.stats()["requests"])
    lines = [parsed(line, form) for line in proxy.access.since(proxy.access_began)]
    assert [(line["method"], line["target"]) for line in lines] == sent


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_byte_anywhere_in_a_head_makes_a_line_that_does_not_parse(start, form):
    proxy = start(f'access_log = "{form}", request = function() return 204 end,')
    dice = random.Random(7)
    places = (b"GE%bT / HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n",
              b"GET / HTTP/1.%b1\r\nHost: a\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a%b\r\n\r\n",
              b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x%b\r\n\r\n")
    messages = [place % bytes([byte]) for place in places for byte in range(256)]
    messages += [place % dice.randbytes(dice.randrange(2, 40)) for place in places * 40]
    for message in messages:
        with contextlib.closing(connect(proxy.address)) as client:
            client.send(message)
            client.half_close()  # some ask for more
            client.sock.recv(65536)
    proxy.wait_stats(lambda s: not s["open"])
    lines = [parsed(line, form) for line in proxy.access.since(proxy.access_began)]
    statuses = {int(line["status"]) for line in lines}
    assert len(lines) > 1000 and statuses <= {0, 204, 400, 405, 414, 501, 505}, statuses
    proxy.exchanges_in_all(proxy.stats()["requests"])


@pytest.mark.parametrize("form", ["text", "json"])
def test_names_from_elsewhere_cannot_forge_a_field_either(start, shared_path, form):
    name = 'a b\n"\\\\ \x7fc'
    there = shared_path / "s"
    proxy = start(f"""access_log = "{form}", upstreams = {{ ["a b\\n\\" x=y"] = "unix:/no such/\\n" }},
                   request = function(req) req.upstream = "a b\\n\\" x=y" end,""",
                  listen=f"unix:{there}")
    sock = socket.socket(socket.AF_UNIX)
    with sock:
        sock.bind(str(shared_path / name))
        sock.connect(str(there))
        sock.sendall(get("Connection: close"))
        assert sock.recv(100).startswith(b"HTTP/1.1 50")
    line = parsed(proxy.access.wait(r"\S", proxy.access_began).string, form)
    assert line["client"] == "unix:"  # whatever path it has bound
    if form == "json":
        assert (line["upstream"], line["address"]) == ('a b\n" x=y', "unix:/no such/\n")


@pytest.mark.parametrize("form", ["text", "json"])
def test_what_a_policy_prints_cannot_forge_a_line(start, origin, form):
    proxy = start(f'access_log = "{form}", request = function(req) print(req.headers.x) return 403 end,')
    client = proxy.client()
    client.send(get("X: a\x80\xffb"))
    client.response()
    line = proxy.logged("request.*a.x80.*b").string
    assert all(" " <= c <= "~" for c in line)


def test_one_line_for_each_of_many_exchanges(proxy, client, origin):
    client.send(*(get(target=f"/{n}") for n in range(100)))
    wire = origin.accept()
    for _ in range(100):
        wire.request()
        wire.send(OK)
    for _ in range(100):
        client.response()
    lines = proxy.exchanges(100)
    assert [line["target"] for line in lines] == [f"/{n}" for n in range(100)]
    assert len({line["id"] for line in lines}) == 100


def test_a_missing_upstream_is_a_502_and_a_line_that_says_what_was_tried(start):
    address = f"127.0.0.1:{free_port()}"
    proxy = start("", upstream=address)
    client = proxy.client()
    client.send(get())
    assert client.response().status == 502
    line = proxy.logged(rf"{re.escape(address)}.*refused").string
    assert "502" in line
    access = proxy.exchange()
    assert (access["status"], access["outcome"]) == (502, "here")
    assert access["error"]


def test_a_missing_unix_socket_says_so_too(start, shared_path):
    proxy = start("", upstream=f"unix:{shared_path}/none.sock")
    client = proxy.client()
    client.send(get())
    assert client.response().status == 502
    proxy.logged(r"none\.sock.*No such file")


def test_a_refused_request_says_which_rule_it_broke(proxy, client):
    client.send("GET / HTTP/1.1\r\nHost: a\r\n", CHUNKED, "\r\nContent-Length: 5\r\n\r\n")
    assert client.response().status == 400
    line = proxy.exchange()
    assert re.search("Content-Length|Transfer-Encoding", line["error"], re.IGNORECASE)


def test_a_broken_response_says_which_rule_it_broke(proxy, client, origin):
    client.send(get())
    wire = origin.accept()
    wire.request()
    wire.send(f"HTTP/1.1 200 OK\r\n{CHUNKED}\r\nContent-Length: 5\r\n\r\n")
    assert client.response().status == 502
    line = proxy.exchange()
    assert re.search("Content-Length|Transfer-Encoding", line["error"], re.IGNORECASE)
    proxy.logged(re.escape(origin.text))


@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_a_log_that_nobody_reads_holds_up_no_traffic(tmp_path, kind):
    """Lines wait for a reader as long as there is room, then whole lines are lost, and counted."""
    listen, target = f"127.0.0.1:{free_port()}", "/" + "x" * 7000
    policy = tmp_path / "policy.lua"
    policy.write_text(f'return {{ listen = "{listen}", upstream = "127.0.0.1:9", workers = 1, '
                      'request = function() return 204 end }\n')
    if kind == "pipe":
        reader, writer = os.pipe()
    else:
        ends = socket.socketpair()
        reader, writer = (end.detach() for end in ends)
    process = subprocess.Popen([binary(), str(policy)], stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    try:
        log = Lines(process.stderr)
        log.wait("ready:")
        host, port = listen.split(":")
        client = connect((host, int(port)))
        for _ in range(300):
            client.send(get(target=target))
            assert client.response().status == 204
        mark = log.mark()
        process.send_signal(signal.SIGUSR1)
        lost = json.loads(log.wait(r"stats (\{.*\})", mark)[1])["log_lost"]
        assert 0 < lost < 300
        access = Lines(os.fdopen(reader, "rb"))
        until = time.monotonic() + PATIENCE
        while access.mark() < 300 - lost:  # by itself, once there is a reader again
            assert time.monotonic() < until, (access.mark(), lost)
            time.sleep(0.01)
        client.send(get(target="/last"))
        assert client.response().status == 204
        process.terminate()
        assert process.wait(PATIENCE) == 0
        access.wait_end()
        lines = access.since()
        assert len(lines) == 301 - lost and "/last" in lines[-1]
        assert all(line.endswith("connect_ms=0.0 first_byte_ms=0.0") for line in lines)
        assert "killing" not in log.text()
    finally:
        process.kill()
        process.wait()


def test_a_full_disk_loses_lines_and_no_request(tmp_path):
    policy, listen = tmp_path / "full.lua", f"127.0.0.1:{free_port()}"
    policy.write_text(policy_text("request = function() return 204 end,", listen, "127.0.0.1:1"))
    proxy = Proxy(tmp_path / "proxy", program="/bin/sh", listen=listen,
                  args=["-c", f"exec '{binary()}' run '{policy}' >/dev/full"])
    for _ in range(3):
        client = proxy.client()
        client.send(get())
        assert client.response().status == 204
    assert proxy.wait_stats(lambda s: s["log_lost"] > 0)["requests"] == 3
    client = proxy.client()
    client.send(get())
    assert client.response().status == 204
    proxy.stop()
    said = proxy.log.since()
    assert "lines of the access log lost in all: 4; standard output did not take them" in said[-2]
    assert said[-1].endswith("stopped")
