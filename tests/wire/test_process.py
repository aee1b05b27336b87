"""Parent and workers: how the program stops, and what survives the death of a worker."""

import os
import pathlib
import re
import signal
import time

import pytest

from harness import (PATIENCE, Proxy, binary, free_port, is_counted, is_sanitized, policy_text,
                     stopped)
from scenes import OK, exchange, get, post
from test_upgrade import offer, switching, tunnel


@pytest.fixture
def running(tmp_path, origin):
    """A proxy that the test ends itself."""
    started = []

    def running(fields="", **keywords):
        proxy = Proxy(tmp_path, fields, upstream=origin.text, **keywords)
        started.append(proxy)
        return proxy

    yield running
    for proxy in started:
        if proxy.process.poll() is None:
            proxy.process.kill()
            proxy.process.wait()
    origin.hang_up()


def refused(proxy):
    """Waits until new clients are refused."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            proxy.client().close()
        except ConnectionRefusedError:
            return
        assert time.monotonic() < until, "still accepting"
        time.sleep(0.01)


def test_sigterm_ends_an_idle_proxy_at_once(running):
    proxy = running("workers = 2,")
    proxy.client()
    began = time.monotonic()
    proxy.stop()
    assert time.monotonic() - began < 5
    assert "stopped" in proxy.log.text()


def test_sigterm_finishes_what_is_under_way(running, origin):
    proxy = running()
    client = proxy.client()
    client.send(post("Content-Length: 10"), "first")
    wire = origin.accept()
    wire.request_head()
    proxy.kill(signal.SIGTERM)
    refused(proxy)
    client.send("again")
    assert wire.exactly(10) == b"firstagain"
    wire.send("HTTP/1.1 103 X\r\n\r\n", OK)
    client.interim(103)
    assert client.response().body == b"ok"
    client.at_end()
    proxy.stop()


def test_sigterm_closes_idle_connections(running, origin):
    proxy = running()
    idle, busy = proxy.client(), proxy.client()
    exchange(idle, origin)
    busy.send(get())
    wire = origin.wires[-1]
    wire.request()
    proxy.kill(signal.SIGTERM)
    idle.at_end()
    wire.send(OK)
    assert busy.response().body == b"ok"
    proxy.stop()


def test_sigterm_waits_no_longer_than_drain(running, origin):
    proxy = running("drain = 0.5,")
    client = proxy.client()
    client.send(get())
    origin.accept().request()
    began = time.monotonic()
    proxy.kill(signal.SIGTERM)
    client.ending()
    proxy.stop()
    assert 0.4 < time.monotonic() - began < 10


def test_the_log_says_what_the_end_of_a_drain_cut(running, origin):
    proxy = running("drain = 0.1,")
    client, waiting = proxy.client(), proxy.client()
    tunnel(client, origin)
    waiting.send(get())
    origin.accept().request()
    proxy.kill(signal.SIGTERM)
    client.ending()
    waiting.ending()
    proxy.stop()
    assert [(line["outcome"], line["error"]) for line in proxy.exchanges(2)] == [
        ("aborted", "the proxy stopped")] * 2


def test_sigterm_lets_a_tunnel_end(running, origin):
    proxy = running()
    client = proxy.client()
    client.send(offer())
    wire = origin.accept()
    wire.request()
    wire.send(switching())
    client.head()
    proxy.kill(signal.SIGTERM)
    refused(proxy)
    client.send("last words")
    assert wire.exactly(10) == b"last words"
    client.close()
    wire.at_end()
    wire.close()
    proxy.stop()


def test_a_drain_answers_what_idle_clients_have_sent_already(running, origin):
    proxy = running("request = function() return 204 end,")
    clients = [proxy.client() for _ in range(5)]
    for client in clients:
        client.send(get())
        assert not client.response().closes()
    with stopped(proxy):
        for client in clients:
            client.send(get())
        proxy.kill(signal.SIGTERM)
        proxy.log.wait("draining")
    for client in clients:
        assert client.response().status == 204
        client.at_end()
    proxy.stop()


def test_a_worker_that_dies_in_a_drain_is_told_of(running, origin):
    proxy = running("")
    tunnel(proxy.client(), origin)
    (worker,) = proxy.workers()
    proxy.kill(signal.SIGTERM)
    proxy.log.wait("draining")
    proxy.kill(signal.SIGHUP)
    proxy.log.wait("stopping: a reload comes too late")
    proxy.kill(signal.SIGUSR2)
    proxy.log.wait("stopping: an upgrade comes too late")
    os.kill(worker, signal.SIGKILL)
    proxy.log.wait("killed by signal 9 .* before it had finished")
    proxy.stop()


def test_a_drain_closes_a_client_once_it_has_taken_its_last_answer(running):
    proxy = running('request = function() return { status = 200, body = ("x"):rep(8000000) } end,')
    client = proxy.client(receive_buffer=4096)
    client.send(get())
    assert not client.response_head().closes()
    proxy.kill(signal.SIGTERM)
    proxy.log.wait("draining")
    assert len(client.exactly(8000000)) == 8000000
    client.at_end()
    proxy.stop()


WAITS = "log = function(req, res) interim.sleep(%g) print 'the log hook has ended' end,"


def test_sigterm_lets_log_hooks_that_wait_end(running, origin):
    proxy = running(WAITS % 0.5)
    exchange(proxy.client(), origin)
    proxy.clients[0].close()
    proxy.stop()
    assert "the log hook has ended" in proxy.log.text()


def test_log_hooks_wait_no_longer_than_drain(running, origin):
    proxy = running("drain = 0.5," + WAITS % 8)
    exchange(proxy.client(), origin)
    proxy.clients[0].close()
    began = time.monotonic()
    proxy.stop()
    assert 0.4 < time.monotonic() - began < 5
    assert "the log hook has ended" not in proxy.log.text()
    assert "still busy at the end of the drain time" in proxy.log.text()


def test_a_drain_answers_what_a_slow_client_has_sent_behind_its_last_answer(running):
    """It was not even read: closed over it, the tail of that answer would be lost to a reset."""
    proxy = running('request = function() return { status = 200, body = ("x"):rep(8000000) } end,')
    client = proxy.client(receive_buffer=4096)
    client.send(get())
    assert not client.response_head().closes()
    client.send(get())
    proxy.kill(signal.SIGTERM)
    proxy.log.wait("draining")
    assert len(client.exactly(8000000)) == 8000000
    assert client.response_head().closes()
    assert len(client.exactly(8000000)) == 8000000
    client.at_end()
    proxy.stop()


def test_a_second_sigterm_stops_at_once(running, origin):
    proxy = running()
    client = proxy.client()
    client.send(get())
    origin.accept().request()
    proxy.kill(signal.SIGTERM)
    proxy.log.wait("draining")
    began = time.monotonic()
    proxy.stop()
    assert time.monotonic() - began < 5


def test_sigint_stops_at_once(running, origin):
    proxy = running()
    client = proxy.client()
    client.send(get())
    origin.accept().request()
    began = time.monotonic()
    proxy.stop(signal.SIGINT)
    assert time.monotonic() - began < 5
    client.ending()


def test_a_worker_that_dies_is_replaced(running, origin):
    proxy = running("workers = 2,")
    before = proxy.workers()
    assert len(before) == 2
    os.kill(before[0], signal.SIGKILL)
    line = proxy.log.wait(r"worker.*killed by signal 9").string
    assert str(before[0]) in line
    until = time.monotonic() + PATIENCE
    while len(proxy.workers()) != 2 or before[0] in proxy.workers():
        assert time.monotonic() < until
        time.sleep(0.01)
    assert before[1] in proxy.workers()
    for _ in range(10):
        client = proxy.client()
        client.send(get("Connection: close"))
        wire = origin.accept()
        wire.request()
        wire.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        assert client.response().status == 200
    proxy.stop()


def test_no_connection_is_refused_while_the_only_worker_is_being_replaced(running, origin):
    proxy = running()
    (worker,) = proxy.workers()
    os.kill(worker, signal.SIGKILL)
    for _ in range(5):
        client = proxy.client()
        client.send(get())
        wire = origin.accept()
        wire.request()
        wire.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        assert client.response().status == 200
    proxy.stop()


def test_a_replaced_worker_has_the_newest_policy(running, origin):
    proxy = running('request = function(req) req.headers["x-policy"] = "1" end,')
    proxy.write('request = function(req) req.headers["x-policy"] = "2" end,')
    assert "reloaded" in proxy.reload()
    proxy.policy.write_text("broken")
    (worker,) = proxy.workers()
    os.kill(worker, signal.SIGKILL)
    request, _ = exchange(proxy.client(), origin)
    assert request.get("x-policy") == "2"
    proxy.stop()


def test_workers_end_with_their_parent(running):
    proxy = running("workers = 2,")
    workers = proxy.workers()
    proxy.process.kill()
    proxy.process.wait()
    until = time.monotonic() + PATIENCE
    while any(alive(pid) for pid in workers):
        assert time.monotonic() < until, "a worker outlives its parent"
        time.sleep(0.01)


def alive(pid):
    try:
        return "Z" not in pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


def status_of(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def test_workers_have_no_rights_they_do_not_need(running):
    proxy = running()
    (worker,) = proxy.workers()
    status = status_of(worker)
    assert status["NoNewPrivs"].strip() == "1"
    if not is_sanitized() and not is_counted():
        assert status["Seccomp"].strip() == "2"
    limits = pathlib.Path(f"/proc/{worker}/limits").read_text()
    assert re.search(r"Max core file size +0 +0 ", limits)
    if not is_sanitized():
        # What a process that cannot be traced by its own user has in /proc is root's.
        assert os.stat(f"/proc/{worker}/environ").st_uid == 0
    if os.geteuid() == 0:
        assert "0" not in status["Uid"].split()
        assert status["CapEff"].strip() == "0" * 16
    proxy.stop()


def shared_memory(pid):
    """What a process has of memory that others write, too: the file and range of each part."""
    parts = set()
    for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
        span, rights, offset, _, inode, *_ = line.split()
        if rights[3] == "s" and rights[1] == "w":
            first, last = (int(end, 16) for end in span.split("-"))
            parts.add((inode, int(offset, 16), int(offset, 16) + last - first))
    return parts


@pytest.mark.skipif(os.geteuid() != 0, reason="what they have mapped is root's to see")
def test_no_process_can_write_what_another_says_of_itself(running):
    proxy = running('workers = 2, admin = "127.0.0.1:0",')
    one, other = map(shared_memory, proxy.workers())
    assert len(one) == len(other) == 1
    (file, first, last), (same, begin, end) = *one, *other
    assert file == same and (last <= begin or end <= first)
    (admin,) = set(proxy.children()) - set(proxy.workers())
    assert not shared_memory(admin)
    proxy.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has groups to give up")
def test_workers_have_none_of_the_groups_that_root_had(tmp_path):
    policy, listen = tmp_path / "policy.lua", f"127.0.0.1:{free_port()}"
    policy.write_text(policy_text("", listen, "127.0.0.1:9"))
    proxy = Proxy(tmp_path / "proxy", program="setpriv", listen=listen,
                  args=["--groups=4,5,6", binary(), "run", str(policy)])
    (worker,) = proxy.workers()
    assert status_of(proxy.process.pid)["Groups"].split() == ["4", "5", "6"]
    assert status_of(worker)["Groups"].split() == []
    proxy.stop()


def test_the_parent_has_no_connection_of_a_client(running, origin):
    proxy = running()
    exchange(proxy.client(), origin)
    names = []
    for fd in pathlib.Path(f"/proc/{proxy.process.pid}/fd").iterdir():
        names.append(os.readlink(fd))
    inodes = {n[8:-1] for n in names if n.startswith("socket:[")}
    established = set()
    for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
        parts = line.split()
        if parts[3] == "01":
            established.add(parts[9])
    assert not inodes & established
    proxy.stop()


def test_idle_costs_no_cpu(running, origin):
    proxy = running()
    exchange(proxy.client(), origin)
    pids = [proxy.process.pid, *proxy.workers()]

    def spent():
        return sum(int(pathlib.Path(f"/proc/{p}/schedstat").read_text().split()[0]) for p in pids)

    before = spent()
    time.sleep(1)  # what is measured is what happens in a second
    assert spent() - before < 30_000_000
    origin.hang_up()
    proxy.stop()
