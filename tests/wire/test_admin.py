"""The admin listener: what it shows, whom it answers, and that it follows the life of the whole."""

import json
import os
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

import exposition
from harness import PATIENCE, ROOT, Proxy, binary, free_port, run
from programs import need
from scenes import OK, exchange, get, post
from test_operating import activated, listening, start_activated
from test_process import alive
from test_upgrade import offer, switching, tunnel


class Admin:
    """The admin listener of a proxy."""

    def __init__(self, address):
        self.address = address

    def connect(self):
        if isinstance(self.address, str):
            wire = socket.socket(socket.AF_UNIX)
            wire.settimeout(PATIENCE)
            wire.connect(self.address)
            return wire
        return socket.create_connection(self.address, PATIENCE)

    def raw(self, request):
        """All that comes back, up to the end of the connection."""
        with self.connect() as wire:
            wire.sendall(request)
            return b"".join(iter(lambda: wire.recv(65536), b""))

    def get(self, path, method="GET"):
        """Status, head and body of an answer."""
        host = "localhost" if isinstance(self.address, str) else "%s:%d" % self.address
        answer = self.raw(f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        head, _, body = answer.partition(b"\r\n\r\n")
        line, *lines = head.decode().split("\r\n")
        head = {name.lower(): value for name, value in (one.split(": ", 1) for one in lines)}
        assert head["connection"] == "close"
        if method != "HEAD":
            assert int(head["content-length"]) == len(body)
        return int(line.split()[1]), head, body.decode()

    def status(self):
        status, head, body = self.get("/status")
        assert (status, head["content-type"]) == (200, "application/json")
        return json.loads(body)

    def wait(self, condition):
        """The first /status that meets a condition."""
        until = time.monotonic() + PATIENCE
        while not condition(status := self.status()):
            assert time.monotonic() < until, status
            time.sleep(0.01)
        return status

    def samples(self):
        """Every sample by its name and labels."""
        status, head, body = self.get("/metrics")
        assert (status, head["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
        return exposition.read(body)

    def metrics(self):
        """The same by names as they stand there, of labels that nothing has to be escaped in."""
        return {name + ("{" + ",".join(f'{k}="{v}"' for k, v in labels) + "}" if labels else ""): value
                for (name, labels), value in self.samples().items()}


def is_open(address):
    try:
        socket.create_connection(address, PATIENCE).close()
        return True
    except (ConnectionRefusedError, ConnectionResetError):
        return False


class Asker(threading.Thread):
    """Asks for a path until `stop`, which gives the statuses of all answers."""

    def __init__(self, admin, path):
        super().__init__(daemon=True)
        self.admin, self.path, self.statuses, self.over = admin, path, [], False
        self.start()

    def run(self):
        while not self.over:
            try:
                self.statuses.append(self.admin.get(self.path)[0])
            except OSError as failure:
                self.statuses.append(failure)

    def stop(self):
        self.over = True
        self.join(PATIENCE)
        return set(self.statuses)


def of(proxy):
    """The admin listener a running proxy has said it has."""
    text = proxy.log.wait(r"admin: listening on (\S+)")[1]
    if text.startswith("unix:"):
        return Admin(text[5:])
    host, _, port = text.rpartition(":")
    return Admin((host.strip("[]"), int(port)))


@pytest.fixture
def admin(proxy):
    return of(proxy)


@pytest.fixture
def running(tmp_path, origin):
    """A proxy of the test's own, which may be stopped."""
    started = []

    def running(fields, upstream=origin.text):
        proxy = Proxy(tmp_path, fields, upstream)
        started.append(proxy)
        proxy.begin()
        return proxy

    yield running
    for proxy in started:
        proxy.end_for_good()
    origin.hang_up()


POLICY = """admin = "127.0.0.1:0",
  timeouts = { response = 0.3 },
  request = function(req)
    if req.path == "/no" then return 403 end
    if req.path == "/bad" then error "bad" end
  end,
  expect = function() return "continue" end,"""


# ---- what is there ----

def test_it_lives(admin):
    assert admin.get("/healthz")[::2] == (200, "ok\n")
    assert admin.get("/readyz")[::2] == (200, "ready\n")


def test_the_status_has_the_counters(proxy, admin):
    want = proxy.stats()
    counters = admin.status()["counters"]
    assert counters == {name: want[name] for name in counters}
    assert len(counters) > 50


def test_the_status_tells_of_the_whole(proxy, admin):
    status = admin.status()
    assert status["state"] == "ready" and status["generation"] == 1
    assert status["last_reload"] == "none"
    assert (status["workers_wanted"], status["workers_working"]) == (1, 1)
    (worker,) = status["workers"]
    assert worker["number"] == 1 and worker["state"] == "working"
    assert worker["pid"] in proxy.workers()
    assert status["started"] <= worker["since"] <= status["time"]


def test_final_responses_are_counted_by_code(admin, client, origin):
    before = admin.metrics()
    exchange(client, origin)
    client.send(get(target="/no"))
    assert client.response().status == 403
    after = admin.wait(lambda s: s["counters"]["active"] == 0) and admin.metrics()
    for code in ("200", "403"):
        name = f'interim_responses_total{{code="{code}"}}'
        assert after[name] - before.get(name, 0) == 1
    assert after['interim_requests_total{outcome="here"}'] - \
        before['interim_requests_total{outcome="here"}'] == 1


def test_every_kind_of_decision_is_counted(admin, proxy, client, origin):
    before = admin.metrics()
    client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n")
    client.interim(100)
    client.send("x")
    wire = origin.accept()
    wire.request()
    wire.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
    client.interim(103)
    wire.send(OK)
    client.response()
    client.send(get(target="/slow"))
    wire.request()
    assert client.response().status == 524
    after = admin.wait(lambda s: s["counters"]["active"] == 0) and admin.metrics()
    for name in ('interim_interim_responses_total{code="103"}',
                 'interim_expectations_total{outcome="continued"}',
                 'interim_timeouts_total{kind="response"}',
                 'interim_responses_total{code="524"}'):
        assert after[name] - before.get(name, 0) == 1, name


def test_a_tunnel_is_counted_while_it_is_open(admin, client, origin):
    tunnel(client, origin)
    metrics = admin.metrics()
    assert metrics["interim_tunnels_open"] == 1
    assert metrics['interim_responses_total{code="101"}'] >= 1


def test_hooks_are_timed_and_their_errors_counted(admin, client):
    before = admin.status()["hooks"]["request"]
    client.send(get(target="/bad"))
    assert client.response().status == 500
    after = admin.status()["hooks"]["request"]
    assert after["asked"] - before["asked"] == 1
    assert after["failed"] - before["failed"] == 1
    assert after["run"]["count"] - before["run"]["count"] == 1
    assert after["run"]["seconds"] > before["run"]["seconds"]


def test_upstreams_are_counted_by_address(admin, client, origin):
    def of_origin():
        return admin.status()["upstreams"][0]
    before = of_origin()
    assert (before["upstream"], before["address"]) == (origin.text, origin.text)
    exchange(client, origin)
    after = of_origin()
    assert after["requests"] - before["requests"] == 1
    assert after["first_byte"]["count"] - before["first_byte"]["count"] == 1
    assert not after["resting"]


def test_an_address_that_fails_is_seen_to_rest(running):
    dead = f"127.0.0.1:{free_port()}"
    proxy = running(f"""
      admin = "127.0.0.1:0", upstream = "app",
      upstreams = {{ app = {{ "{dead}", "127.0.0.1:{free_port()}" }} }},""", upstream=None)
    admin = of(proxy)
    client = proxy.client()
    client.send(get())
    assert client.response().status == 502
    rows = {row["address"]: row for row in admin.status()["upstreams"]}
    assert rows[dead]["failures"] == 1 and rows[dead]["rests"] == 1
    name = f'interim_upstream_resting{{upstream="app",address="{dead}"}}'
    assert admin.metrics()[name] in (0, 1)
    proxy.stop()


def test_the_metrics_are_what_prometheus_wants(admin, client, origin):
    exchange(client, origin)
    unpacked = ROOT / "build/prometheus/usr/bin/promtool"
    promtool = str(unpacked) if unpacked.exists() else need("promtool")
    done = subprocess.run([promtool, "check", "metrics"], input=admin.get("/metrics")[2],
                          capture_output=True, text=True, timeout=PATIENCE * 3)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_names_of_upstreams_are_told_apart_whatever_they_hold(start):
    names = ["a", 'q"', "b\\", "b\\\\", "l\n", "t\t", 'a",address="x', "{}", "\u4e0a\u4f20",
             "\u4e0b\u8f7d"]
    quoted = ["".join(f"\\{byte:03}" for byte in name.encode()) for name in names]
    admin = of(start('admin = "127.0.0.1:0", upstream = "a", upstreams = { %s },' % ", ".join(
        f'["{name}"] = "127.0.0.1:9"' for name in quoted), upstream=None))
    found = {labels for name, labels in admin.samples() if name == "interim_upstream_requests_total"}
    seen = sorted(dict(labels)["upstream"] for labels in found)
    plain = [name for name in names if name.isascii()]
    assert len(seen) == len(names) and set(plain) <= set(seen)
    assert {dict(labels)["address"] for labels in found} == {"127.0.0.1:9"}


def test_a_histogram_adds_up(admin, client, origin):
    exchange(client, origin)
    samples = admin.metrics()
    name = "interim_request_duration_seconds"
    buckets = [value for key, value in samples.items() if key.startswith(name + "_bucket")]
    assert buckets == sorted(buckets)
    assert buckets[-1] == samples[name + "_count"] >= 1


# ---- what is open ----

def of_state(admin, state):
    """The first connection in that state."""
    until = time.monotonic() + PATIENCE
    while True:
        listing = json.loads(admin.get("/connections")[2])
        for row in listing["connections"]:
            if row["state"] == state:
                return row
        assert time.monotonic() < until, listing
        time.sleep(0.01)


def test_nothing_open_is_an_empty_list(proxy, admin):
    assert json.loads(admin.get("/connections")[2]) == {"connections": [], "total": 0, "shown": 0}


def test_an_idle_connection_is_listed(admin, client, origin):
    exchange(client, origin)
    row = of_state(admin, "idle")
    assert row["peer"] == "%s:%d" % client.sock.getsockname()
    assert row["requests"] == 1 and row["worker"] == 1
    assert 0 <= row["seconds"] < PATIENCE
    assert "path" not in row


def test_a_request_is_listed_with_where_it_is(admin, proxy, client, origin):
    client.send(post("Content-Length: 10", target="/up?token=secret"), "12345")
    wire = origin.accept()
    wire.head()
    row = of_state(admin, "request")
    assert (row["method"], row["path"], row["bytes_in"]) == ("POST", "/up", 5)
    assert row["upstream"] == row["address"] == origin.text
    assert row["generation"] == 1
    client.send("67890")
    assert of_state(admin, "wait")["bytes_in"] == 10
    wire.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
    client.head()
    row = of_state(admin, "response")
    wire.send("cd")
    assert row["id"] == proxy.exchange()["id"]


def test_a_tunnel_is_listed_with_its_bytes(admin, client, origin):
    client.send(offer(target="/ws?secret"))
    wire = origin.accept()
    ident = wire.request().get("x-request-id")
    wire.send(switching())
    client.head()
    client.send("12345")
    assert wire.exactly(5) == b"12345"
    row = of_state(admin, "tunnel")
    assert (row["method"], row["path"]) == ("GET", "/ws")
    assert (row["requests"], row["bytes_in"], row["bytes_out"]) == (1, 5, 0)
    assert row["upstream"] == row["address"] == origin.text
    assert (row["id"], row["generation"]) == (ident, 1)


def test_a_head_that_is_not_whole_is_listed(admin, client):
    client.send("GET / HTTP/1.1\r\n")
    assert of_state(admin, "head")["requests"] == 0


def test_a_path_is_shown_whatever_it_holds(admin, client, origin):
    client.send(get(target='/"\\' + "a" * 1000))
    wire = origin.accept()
    wire.request()
    assert of_state(admin, "wait")["path"] == '/"\\' + "a" * 124
    wire.send(OK)
    client.response()


def test_the_oldest_are_listed_and_the_rest_is_counted(start):
    proxy = start('admin = "127.0.0.1:0", limits = { connections_per_address = 0 },')
    admin = of(proxy)
    clients = [proxy.client() for _ in range(1100)]
    admin.wait(lambda s: s["counters"]["open"] == 1100)
    listing = json.loads(admin.get("/connections")[2])
    assert (listing["total"], listing["shown"]) == (1100, 1000)
    assert listing["note"] == "the oldest 1000 of 1100"
    assert len(listing["connections"]) == 1000
    ages = [row["seconds"] for row in listing["connections"]]
    assert ages == sorted(ages, reverse=True)
    first = {"%s:%d" % wire.sock.getsockname() for wire in clients[:50]}
    assert first <= {row["peer"] for row in listing["connections"]}


def test_those_of_all_workers_are_listed(start):
    proxy = start('admin = "127.0.0.1:0", workers = 2,')
    admin = of(proxy)
    clients = [proxy.client() for _ in range(40)]
    admin.wait(lambda s: s["counters"]["open"] == 40)
    listing = json.loads(admin.get("/connections")[2])
    peers = {row["peer"] for row in listing["connections"]}
    assert peers == {"%s:%d" % wire.sock.getsockname() for wire in clients}
    assert {row["worker"] for row in listing["connections"]} <= {1, 2}


def test_many_who_ask_at_once_are_all_answered(admin, client, origin):
    exchange(client, origin)
    wires = [admin.connect() for _ in range(30)]
    for wire in wires:
        wire.sendall(b"GET /connections HTTP/1.1\r\nHost: localhost\r\n\r\n")
    for wire in wires:
        answer = b"".join(iter(lambda: wire.recv(65536), b""))
        assert answer.startswith(b"HTTP/1.1 200 ") and b'"total":1' in answer
        wire.close()


def test_a_worker_that_is_silent_is_left_out(running):
    proxy = running('admin = "127.0.0.1:0", workers = 2,')
    admin = of(proxy)
    os.kill(admin.status()["workers"][0]["pid"], signal.SIGSTOP)
    listing = json.loads(admin.get("/connections")[2])
    assert listing["connections"] == [] and listing.get("silent_workers", 1) == 1
    proxy.logged("has been stopped")
    admin.wait(lambda s: s["workers_working"] == 2)
    proxy.stop()


# ---- whom it answers ----

def test_a_head_request_gets_the_head(admin):
    status, head, body = admin.get("/healthz", "HEAD")
    assert (status, head["content-length"], body) == (200, "3", "")


def test_there_is_nothing_to_change(admin):
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        status, head, _ = admin.get("/status", method)
        assert (status, head["allow"]) == (405, "GET, HEAD")


def test_another_path_is_not_found(admin):
    for path in ("/nothing", "/status/", "/metrics/../status", "/STATUS"):
        status, _, body = admin.get(path)
        assert status == 404 and "/metrics" in body


def test_a_query_changes_nothing(admin):
    assert admin.get("/healthz?x=1")[0] == 200


def test_a_name_that_somebody_else_may_have_pointed_here_is_refused(admin):
    for host in ("evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80"):
        answer = admin.raw(f"GET /status HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert answer.startswith(b"HTTP/1.1 421 "), host
        assert b"counters" not in answer
    for host in ("localhost", "LOCALHOST:9901", "[::1]:9901", "10.0.0.1"):
        answer = admin.raw(f"GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert answer.startswith(b"HTTP/1.1 200 "), host


def test_nobody_keeps_or_guesses_what_it_says(admin):
    _, head, _ = admin.get("/status")
    assert head["cache-control"] == "no-store"
    assert head["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in head["content-security-policy"]
    assert "access-control-allow-origin" not in head


@pytest.mark.parametrize("request_bytes, status", [
    (b"GET /status HTTP/1.1\r\n\r\n", 400),
    (b"GET /status HTTP/1.1\r\nHost : a\r\n\r\n", 400),
    (b"GET /status HTTP/1.1\nHost: a\n\n", 400),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", 400),
    (b"GET /status HTTP/2.0\r\nHost: a\r\n\r\n", 505),
    (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
    (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 20000 + b"\r\n\r\n", 431),
    (b"GET /status HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
])
def test_what_is_no_request_is_refused(admin, request_bytes, status):
    assert admin.raw(request_bytes).startswith(b"HTTP/1.1 %d " % status)
    assert admin.get("/healthz")[0] == 200


def test_a_request_in_pieces_is_read(admin):
    with admin.connect() as wire:
        for byte in b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n":
            wire.sendall(bytes([byte]))
        assert wire.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_one_request_a_connection(admin):
    one = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    assert admin.raw(one * 3).count(b"HTTP/1.1 200 ") == 1


def test_who_says_nothing_holds_up_nobody(admin):
    """More clients than it takes: the one that has been there for longest goes."""
    silent = [admin.connect() for _ in range(140)]
    assert admin.get("/healthz")[0] == 200
    assert silent[0].recv(1) == b""
    for wire in silent:
        wire.close()


def test_half_a_request_has_its_time(admin):
    with admin.connect() as half, admin.connect() as silent:
        half.sendall(b"GET /status HT")
        assert half.recv(65536).startswith(b"HTTP/1.1 408 ")
        assert silent.recv(1) == b""


def test_who_does_not_read_holds_up_nobody(admin):
    deaf = [admin.connect() for _ in range(20)]
    for wire in deaf:
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        wire.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert admin.get("/healthz")[0] == 200
    for wire in deaf:
        wire.close()


@pytest.fixture
def long_answer(start, shared_path):
    """An admin listener whose /connections is more than the kernel takes for a unix socket, and a
    way to a client that has asked for it."""
    proxy = start(f'admin = "unix:{shared_path}/admin", '
                  'timeouts = { hook = 60 }, limits = { connections_per_address = 0 }, '
                  'request = function() interim.sleep(50) end,')
    for _ in range(1000):
        proxy.client().send(get(target="/" + "p" * 200))
    admin = of(proxy)
    admin.wait(lambda s: s["counters"]["active"] == 1000)

    def ask():
        wire = admin.connect()
        wire.sendall(b"GET /connections HTTP/1.1\r\nHost: localhost\r\n\r\n")
        return wire

    return admin, ask


def test_who_reads_slowly_gets_it_whole(long_answer):
    admin, ask = long_answer
    with ask() as wire:
        admin.status()  # it has been answered in the meantime, as far as it takes it
        answer = b"".join(iter(lambda: wire.recv(4096), b""))
    assert len(json.loads(answer.partition(b"\r\n\r\n")[2])["connections"]) == 1000


def test_who_leaves_in_the_middle_is_forgotten(long_answer):
    admin, ask = long_answer
    for _ in range(3):
        with ask() as wire:
            wire.recv(100)
    assert admin.get("/healthz")[0] == 200


def test_who_leaves_at_once_leaves_nothing_behind(admin, proxy):
    for request in (b"", b"GET /sta", b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"):
        for _ in range(20):
            with admin.connect() as wire:
                wire.sendall(request)
    assert admin.get("/healthz")[0] == 200


# ---- where it is ----

def test_it_is_off_unless_asked_for(running):
    proxy = running("")
    assert len(proxy.children()) == 1
    assert "admin" not in proxy.log.text()
    proxy.stop()


def test_it_may_be_a_unix_socket(running, shared_path):
    path = str(shared_path / "admin.sock")
    proxy = running(f'admin = "unix:{path}",')
    admin = of(proxy)
    assert admin.get("/readyz")[0] == 200
    answer = admin.raw(b"GET /healthz HTTP/1.1\r\nHost: any.name\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    proxy.stop()
    assert not os.path.exists(path)


def test_an_address_that_others_can_reach_must_be_meant(tmp_path):
    policy = tmp_path / "policy.lua"
    text = 'return {{ listen = "127.0.0.1:1", upstream = "127.0.0.1:2", admin = {} }}'
    for wrong in ('"0.0.0.0:9901"', "9901", '"[::]:9901"', '{ listen = "0.0.0.0:9901" }'):
        policy.write_text(text.format(wrong))
        done = run("check", str(policy))
        assert done.returncode == 1
        assert 'admin = "127.0.0.1:9901"' in done.stderr and "public = true" in done.stderr
    policy.write_text(text.format('{ listen = "0.0.0.0:9901", public = true }'))
    assert run("check", str(policy)).returncode == 0


def test_a_public_one_answers_to_any_name(running):
    proxy = running('admin = { listen = "127.0.0.1:0", public = true },')
    answer = of(proxy).raw(b"GET /healthz HTTP/1.1\r\nHost: a.name\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    proxy.stop()


def test_a_reload_moves_it(running):
    one, two = (("127.0.0.1", free_port()) for _ in range(2))
    proxy = running(f'admin = "127.0.0.1:{one[1]}",')
    assert Admin(one).status()["generation"] == 1
    proxy.write(f'admin = "127.0.0.1:{two[1]}",')
    assert proxy.reload().startswith("reloaded")
    status = Admin(two).wait(lambda s: s["last_reload"] == "ok")
    assert status["generation"] == 2 and status["reloads_ok"] == 1
    until = time.monotonic() + PATIENCE
    while is_open(one):
        assert time.monotonic() < until
    proxy.write("")
    assert proxy.reload().startswith("reloaded")
    while is_open(two):
        assert time.monotonic() < until + PATIENCE
    proxy.stop()


def test_reloads_keep_nobody_from_an_answer(running):
    proxy = running(f'admin = "127.0.0.1:{free_port()}",')
    asker = Asker(of(proxy), "/status")
    for _ in range(10):
        assert proxy.reload().startswith("reloaded")
    assert asker.stop() == {200}
    proxy.stop()


def test_a_reload_that_fails_is_seen_and_changes_nothing(running):
    port = free_port()
    proxy = running(f'admin = "127.0.0.1:{port}",')
    admin = Admin(("127.0.0.1", port))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = "127.0.0.1:%d" % taken.getsockname()[1]
        proxy.write(f'admin = "{address}",')
        assert f"cannot listen on {address}" in proxy.reload()
    status = admin.wait(lambda s: s["last_reload"] == "failed")
    assert status["generation"] == 1
    metrics = admin.metrics()
    assert metrics["interim_last_reload_success"] == 0
    assert abs(metrics["interim_last_reload_timestamp_seconds"] - time.time()) < 60
    proxy.stop()


# ---- the life of the whole ----

def test_it_is_not_ready_while_it_drains(running, origin):
    proxy = running('admin = "127.0.0.1:0",')
    admin = of(proxy)
    client = proxy.client()
    client.send(get())
    wire = origin.accept()
    wire.request()
    proxy.kill(signal.SIGTERM)
    proxy.logged("draining")
    admin.wait(lambda s: s["state"] == "draining")
    assert admin.get("/readyz")[::2] == (503, "draining\n")
    assert admin.get("/healthz")[0] == 200
    assert admin.metrics()["interim_ready"] == 0
    wire.send(OK)
    assert client.response().body == b"ok"
    proxy.stop()
    assert not is_open(admin.address)


def test_it_is_not_ready_while_it_starts(tmp_path, origin):
    """A policy that takes its time to load in the worker."""
    port = free_port()
    slow = "local t = os.clock() while os.clock() - t < 0.3 do end\n"
    policy = tmp_path / "policy.lua"
    policy.write_text(slow + f'return {{ listen = "127.0.0.1:{free_port()}", workers = 1, '
                      f'upstream = "{origin.text}", admin = "127.0.0.1:{port}" }}')
    with subprocess.Popen([binary(), str(policy)], stderr=subprocess.PIPE) as proxy:
        admin, seen = Admin(("127.0.0.1", port)), []
        until = time.monotonic() + PATIENCE
        while "ready\n" not in seen:
            assert time.monotonic() < until
            try:
                seen.append(admin.get("/readyz")[2])
            except ConnectionRefusedError:
                time.sleep(0.01)
        proxy.terminate()
        proxy.wait(PATIENCE)
    assert seen[0] == "starting\n"


def test_when_it_dies_another_takes_its_place(running):
    proxy = running('admin = "127.0.0.1:0",')
    admin = of(proxy)
    workers = {worker["pid"] for worker in admin.status()["workers"]}
    (pid,) = (pid for pid, name in proxy.children().items() if name == "interim-admin")
    os.kill(pid, signal.SIGKILL)
    proxy.logged(r"the admin process \(pid \d+\) was killed by signal 9 .*; starting another")
    assert {worker["pid"] for worker in admin.status()["workers"]} == workers
    proxy.stop()


def test_when_it_dies_again_and_again_there_is_a_pause_between(running):
    proxy = running('admin = "127.0.0.1:0",')
    admin = of(proxy)
    began = time.monotonic()
    for _ in range(3):
        pids = [pid for pid, name in proxy.children().items() if name == "interim-admin"]
        while not pids:
            assert time.monotonic() < began + PATIENCE
            time.sleep(0.01)
            pids = [pid for pid, name in proxy.children().items() if name == "interim-admin"]
        mark = proxy.log.mark()
        os.kill(pids[0], signal.SIGKILL)
        proxy.log.wait("the admin process .* was killed by signal 9", mark)
    assert admin.status()["workers_working"] == 1
    assert time.monotonic() - began >= 0.1 + 0.2 + 0.4
    proxy.stop()


def test_who_holds_the_one_that_a_reload_replaced_is_let_go_after_a_while(running):
    proxy = running('admin = "127.0.0.1:0",')
    admin = of(proxy)
    admin.status()  # it has its name
    (before,) = (pid for pid, name in proxy.children().items() if name == "interim-admin")
    with admin.connect() as held:
        held.sendall(b"GET /status")
        admin.status()  # accepted after the other, so that one has been accepted, too
        assert "reloaded" in proxy.reload()
        assert admin.status()["generation"] == 2
        assert held.recv(1) == b""
    until = time.monotonic() + PATIENCE
    while before in proxy.children():
        assert time.monotonic() < until
        time.sleep(0.01)
    proxy.stop()


def test_a_worker_that_died_is_counted(running):
    proxy = running('admin = "127.0.0.1:0",')
    admin = of(proxy)
    (worker,) = admin.status()["workers"]
    os.kill(worker["pid"], signal.SIGKILL)
    status = admin.wait(lambda s: s["worker_deaths"] == 1 and s["workers_working"] == 1)
    assert status["workers"][0]["pid"] != worker["pid"]
    proxy.stop()


def end_successor(done):
    """What `interim upgrade` has started ends."""
    successor = int(re.search(r"process (\d+)", done.stdout)[1])
    os.kill(successor, signal.SIGTERM)
    until = time.monotonic() + PATIENCE
    while alive(successor):
        assert time.monotonic() < until
        time.sleep(0.01)


def test_an_upgrade_hands_it_over(running):
    port = free_port()
    proxy = running(f'admin = "127.0.0.1:{port}",')
    admin = Admin(("127.0.0.1", port))
    before = {worker["pid"] for worker in admin.status()["workers"]}
    asker = Asker(admin, "/readyz")
    done = run("upgrade", str(proxy.process.pid))
    assert done.returncode == 0, done.stderr
    assert proxy.process.wait(PATIENCE) == 0
    assert asker.stop() == {200}
    after = admin.status()
    assert not before & {worker["pid"] for worker in after["workers"]}
    end_successor(done)


def test_an_upgrade_without_it_ends_it(running):
    port = free_port()
    proxy = running(f'admin = "127.0.0.1:{port}",')
    assert Admin(("127.0.0.1", port)).status()["state"] == "ready"
    proxy.write("")
    done = run("upgrade", str(proxy.process.pid))
    assert done.returncode == 0, done.stderr
    assert proxy.process.wait(PATIENCE) == 0
    assert not is_open(("127.0.0.1", port))
    end_successor(done)


def test_a_port_that_the_kernel_chose_stays_its_own_in_an_upgrade(running, origin):
    """Both the client's listener and this one fit "any port of 127.0.0.1"."""
    proxy = running('admin = "127.0.0.1:0",')
    admin = of(proxy)
    done = run("upgrade", str(proxy.process.pid))
    assert done.returncode == 0, done.stderr
    assert proxy.process.wait(PATIENCE) == 0
    assert admin.status()["state"] == "ready"
    exchange(proxy.client(), origin)
    end_successor(done)


def test_a_service_manager_may_pass_it_on(tmp_path, origin):
    front, back = listening(), listening()
    address, admin = ("%s:%d" % s.getsockname() for s in (front, back))
    command, fds = activated(tmp_path, [front, back], f'"{address}", admin = "{admin}"',
                             upstream=origin.text)
    process = start_activated(command, fds)
    assert Admin(back.getsockname()).status()["generation"] == 1
    for s in (front, back):
        s.close()
    process.terminate()
    assert process.wait(PATIENCE) == 0
    process.stderr.close()
