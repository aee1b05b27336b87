"""Who takes what is written on stdout and stderr may stand still, be slow, be another user's, or be
a disk that is full: clients notice nothing, and what is lost is lost in whole lines, and counted."""

import contextlib
import fcntl
import json
import os
import pathlib
import pty
import re
import signal
import socket
import subprocess
import termios
import threading
import time

import pytest

from harness import PATIENCE, binary, free_port
from lines import Lines
from peers import connect
from scenes import get

STRANGER = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
QUICK = 0.8  # seconds: an answer on a machine that is busy, and less than a standstill lasts


def small_pipe():
    """Both ends of a pipe that holds a page."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    return reader, writer


class Service:
    """The program with outputs of the test's own."""

    def __init__(self, stdout, stderr, workers=1, before=()):
        self.port = free_port()
        self.process = subprocess.Popen(
            [*before, binary(), "--listen", f"127.0.0.1:{self.port}", "--upstream", "127.0.0.1:9",
             "--workers", str(workers)], stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr)

    def client(self):
        until = time.monotonic() + PATIENCE
        while True:
            try:
                return connect(("127.0.0.1", self.port))
            except ConnectionRefusedError:
                assert time.monotonic() < until and self.process.poll() is None
                time.sleep(0.01)

    def workers(self):
        pid = self.process.pid
        return sorted(pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split())

    def lost(self, log):
        mark = log.mark()
        self.process.send_signal(signal.SIGUSR1)
        return json.loads(log.wait(r"stats (\{.*\})", mark)[1])["log_lost"]

    def stop(self):
        self.process.terminate()
        assert self.process.wait(PATIENCE) == 0


@pytest.fixture
def serve():
    with contextlib.ExitStack() as ends:
        def serve(*args, **keywords):
            service = Service(*args, **keywords)
            ends.callback(service.process.wait)
            ends.callback(service.process.kill)
            return service

        yield serve


def answered(client, target="/"):
    """How long the answer took, which the proxy gives itself."""
    began = time.monotonic()
    client.send(get("Max-Forwards: 0", target=target, method="OPTIONS"))
    assert client.response().status == 200
    return time.monotonic() - began


def fails(service):
    """How long a request takes that no origin answers, of which there is a line on stderr."""
    client, began = service.client(), time.monotonic()
    client.send(get("Connection: close"))
    assert client.response().status == 502
    client.close()
    return time.monotonic() - began


def waits_for(condition):
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def owners():
    """By whom the pipe was made: the user that the program runs as, or another."""
    stranger = pytest.param(STRANGER, id="another", marks=pytest.mark.skipif(
        os.geteuid() != 0, reason="only root can become another"))
    return pytest.mark.parametrize("before", [pytest.param([], id="same"), stranger])


# ---- stderr ----

@owners()
def test_messages_that_nobody_reads_hold_up_neither_workers_nor_the_parent(serve, before):
    reader, writer = small_pipe()
    service = serve(subprocess.DEVNULL, writer, workers=2, before=before)
    os.close(writer)
    waits_for(lambda: len(service.workers()) == 2)
    workers = service.workers()
    assert max(fails(service) for _ in range(60)) < QUICK
    # The parent has something to say as well, and goes on.
    os.kill(int(workers[0]), signal.SIGKILL)
    waits_for(lambda: len(service.workers()) == 2 and workers[0] not in service.workers())
    assert workers[1] in service.workers()
    assert answered(service.client()) < QUICK
    began = time.monotonic()
    service.stop()
    assert time.monotonic() - began < 5
    log = Lines(os.fdopen(reader, "rb"))
    log.wait_end()
    assert all(re.match(r"\d{4}-\S+Z \w+ (parent|worker \d): ", line) for line in log.since())


def test_lost_messages_are_counted_and_told_of_once_there_is_room(serve):
    reader, writer = small_pipe()
    service = serve(subprocess.DEVNULL, writer)
    os.close(writer)
    for _ in range(60):
        fails(service)
    log = Lines(os.fdopen(reader, "rb"))
    log.wait("answering 502")
    fails(service)
    log.wait(r"worker 1: [0-9a-f]+3c: .* answering 502")
    lost = sum(map(int, re.findall(r"worker 1: lines lost before this one: (\d+);", log.text())))
    assert lost > 10 and log.text().count("answering 502") == 61 - lost
    service.stop()


def test_a_socket_for_both_outputs_that_nobody_reads_holds_up_nobody(serve):
    """As a service manager gives to its services: one for the access log and the messages."""
    reader, writer = socket.socketpair()
    writer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    service = serve(writer, writer, workers=2)
    writer.close()
    assert max(fails(service) for _ in range(60)) < QUICK
    began = time.monotonic()
    service.process.terminate()
    lines = Lines(reader.makefile("rb"))
    assert service.process.wait(PATIENCE) == 0 and time.monotonic() - began < 5
    lines.wait_end()
    lines = lines.since()
    of_access, others = [], []
    for line in lines:
        (of_access if '"GET / HTTP/1.1" 502' in line else others).append(line)
    assert len(of_access) == 60
    assert all(re.match(r"\d{4}-\S+Z \w+ (parent|worker \d): ", line) for line in others), others
    reader.close()


# ---- stdout ----

@owners()
def test_an_access_log_that_nobody_reads_holds_up_no_traffic_whoever_made_the_pipe(serve, before):
    reader, writer = small_pipe()
    service = serve(writer, subprocess.PIPE, before=before)
    os.close(writer)
    log = Lines(service.process.stderr)
    log.wait("ready:")
    client = service.client()
    assert max(answered(client) for _ in range(300)) < QUICK
    access = Lines(os.fdopen(reader, "rb"))
    waits_for(lambda: access.mark() == 300)
    service.stop()
    assert "killing" not in log.text()


def test_a_fifo_without_a_reader_holds_up_no_traffic(serve, tmp_path):
    os.mkfifo(tmp_path / "fifo")
    fd = os.open(tmp_path / "fifo", os.O_RDWR)
    fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, 4096)
    service = serve(fd, subprocess.PIPE)
    log = Lines(service.process.stderr)
    log.wait("ready:")
    client = service.client()
    assert max(answered(client) for _ in range(300)) < QUICK
    service.stop()
    assert "killing" not in log.text()
    os.close(fd)


def test_a_terminal_that_was_stopped_holds_up_no_traffic(serve):
    master, slave = pty.openpty()
    settings = termios.tcgetattr(slave)
    service = serve(slave, subprocess.PIPE)
    log = Lines(service.process.stderr)
    log.wait("ready:")
    client = service.client()
    answered(client)
    assert b"OPTIONS" in os.read(master, 4096)
    termios.tcflow(slave, termios.TCOOFF)
    assert max(answered(client) for _ in range(300)) < QUICK
    termios.tcflow(slave, termios.TCOON)
    seen = b""
    while seen.count(b"\n") < 300:
        seen += os.read(master, 4096)
    assert termios.tcgetattr(slave) == settings
    service.stop()
    assert "killing" not in log.text()
    os.close(slave)
    os.close(master)


def test_behind_a_line_that_a_full_disk_cut_the_next_one_begins_anew(serve, tmp_path):
    """The disk is a limit on the size of files, with room for a part of the first lines."""
    path, most, room = tmp_path / "access", 16 << 20, 700
    path.touch()
    os.truncate(path, most - room)
    with open(path, "ab") as file:
        service = serve(file, subprocess.PIPE, before=["prlimit", f"--fsize={most}:{most}"])
    log = Lines(service.process.stderr)
    log.wait("ready:")
    client = service.client()
    for _ in range(10):
        answered(client)

    def since(size):
        with open(path, "rb") as file:
            file.seek(size)
            return file.read()

    waits_for(lambda: service.lost(log) + since(most - room).count(b"\n") == 10)
    assert path.stat().st_size == most and not since(most - 1) == b"\n"
    os.truncate(path, most - 10 * room)  # there is room again
    answered(client, target="/after")
    service.stop()
    written = since(most - 10 * room)
    assert re.fullmatch(rb'\n20\d\d-[^\n]* "OPTIONS /after [^\n]*\n', written), written
    assert "killed" not in log.text()


def test_a_slow_reader_of_the_access_log_does_not_slow_down_clients(serve):
    """Such a one takes forty lines in 90 ms, and a client makes thousands in a second."""
    reader, writer = small_pipe()
    service = serve(writer, subprocess.PIPE)
    os.close(writer)
    over = threading.Event()

    def read():
        while not over.wait(0.09) and os.read(reader, 4096):
            pass

    thread = threading.Thread(target=read)
    thread.start()
    log = Lines(service.process.stderr)
    log.wait("ready:")
    until = time.monotonic() + PATIENCE
    target, lost = "/" + "x" * 2000, 0
    while not lost:
        client = service.client()
        for _ in range(500):
            answered(client, target)
        client.close()
        lost = service.lost(log)
        assert time.monotonic() < until
    client, began = service.client(), time.monotonic()
    for _ in range(500):
        answered(client)
    assert time.monotonic() - began < 1.5
    over.set()
    thread.join()
    os.close(reader)
    service.stop()
