"""harness: the program under test, as a process that a test starts, asks and ends."""

import atexit
import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import time

from lines import PATIENCE, Lines
from peers import connect

ROOT = pathlib.Path(__file__).resolve().parents[2]
SANITIZER = ("AddressSanitizer", "LeakSanitizer", "runtime error:", "Assertion")


def binary():
    """The program: $INTERIM, or the newest one that was built."""
    if os.environ.get("INTERIM"):
        return os.environ["INTERIM"]
    built = sorted(ROOT.glob("build/*/interim"), key=lambda p: p.stat().st_mtime)
    assert built, "no binary: build one, or name it in $INTERIM"
    return str(built[-1])


def is_sanitized():
    """Whether the program carries a sanitizer, whose memory figures mean nothing."""
    return b"__asan_init" in pathlib.Path(binary()).read_bytes()


def is_counted():
    """Whether the program counts what is executed. Such a one writes files at its end, so it has no
    filter of system calls, and neither has one that is sanitized."""
    return b"GCOV_PREFIX" in pathlib.Path(binary()).read_bytes()


_guards = []


def free_port():
    """A port on 127.0.0.1 that no other test process takes: each keeps a guard on 127.0.0.2. The
    range lies below the one the kernel gives to outgoing connections."""
    start = 10000 + os.getpid() * 37 % 20000
    for step in range(20000):
        port = 10000 + (start - 10000 + step) % 20000
        guard = socket.socket()
        probe = socket.socket()
        try:
            guard.bind(("127.0.0.2", port))
            probe.bind(("127.0.0.1", port))
        except OSError:
            guard.close()
            continue
        finally:
            probe.close()
        _guards.append(guard)
        return port
    raise AssertionError("no free port")


def policy_text(fields, listen, upstream, prelude=""):
    """A policy file: the fields given, and what is needed to listen and to reach the origin."""
    lines = ['local interim = require "interim"', prelude, "return {", f'  listen = "{listen}",']
    if upstream is not None:
        lines.append(f'  upstream = "{upstream}",')
    for name, value in (("workers", "1"), ("access_log", '"json"')):
        if f"{name} =" not in fields:
            lines.append(f"  {name} = {value},")
    return "\n".join(lines + [fields, "}", ""])


def resident(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmRSS")


def name_of(pid):
    """Of a process; "" if it has just ended."""
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def cpu_seconds(*pids):
    """That processes have spent on a core, by the scheduler's own count."""
    return sum(int(pathlib.Path(f"/proc/{pid}/schedstat").read_text().split()[0])
               for pid in pids) / 1e9


def run(*args, **keywords):
    """The program run to its end, for commands that end by themselves."""
    return subprocess.run([binary(), *args], capture_output=True, text=True, timeout=PATIENCE * 3,
                          **keywords)


@contextlib.contextmanager
def stopped(proxy):
    """The one worker stands still meanwhile: what happens comes to it in one turn of its loop."""
    (worker,) = proxy.workers()
    os.kill(worker, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(worker, signal.SIGCONT)


class Proxy:
    """A running interim. Every client it gives out is closed when its scenario settles."""

    def __init__(self, directory, fields="", upstream=None, args=None, prelude="", listen=None,
                 policy=None, descriptors=None, stack=None, lasting=False, program=None, env=None):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.listen = listen or f"127.0.0.1:{free_port()}"
        self.policy = self.directory / "policy.lua"
        self.upstream = upstream
        self.lasting = lasting  # the origin outlives a scenario: idle connections to it may rest
        self.prelude = prelude
        self.clients = []
        if args is None:
            if policy is None:
                self.write(fields)
            else:
                self.policy.write_text(policy)
            args = ["run", str(self.policy)]
        command = [program or binary(), *args]
        if descriptors is not None:
            command = ["prlimit", f"--nofile={descriptors}:{descriptors}", *command]
        if stack is not None:
            command = ["prlimit", f"--stack={stack}:{stack}", *command]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                                        start_new_session=True, env={**os.environ, **(env or {})})
        atexit.register(self.end_for_good)
        self.log = Lines(self.process.stderr)
        self.access = Lines(self.process.stdout)
        self.before = {}
        self.held = {}
        self.began = self.log.mark()
        self.access_began = 0
        try:
            self.ready = self.log.wait(r"ready:.*")
        except AssertionError:
            self.process.kill()
            raise

    def write(self, fields, prelude=None):
        """Writes the policy file anew; a running program sees it at the next SIGHUP."""
        self.policy.write_text(policy_text(fields, self.listen, self.upstream,
                                           self.prelude if prelude is None else prelude))

    def policy_now(self):
        return self.policy.read_text() if self.policy.exists() else ""

    @property
    def address(self):
        if self.listen.startswith("unix:"):
            return self.listen[5:]
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)

    @property
    def url(self):
        return f"http://{self.listen}"

    def client(self, **keywords):
        wire = connect(self.address, **keywords)
        self.clients.append(wire)
        return wire

    def children(self):
        """The process ids of the parent's children, each with its name."""
        pid = self.process.pid
        path = f"/proc/{pid}/task/{pid}/children"
        return {int(child): name_of(child) for child in pathlib.Path(path).read_text().split()}

    def workers(self):
        """All of them but the process behind the admin listener."""
        return [pid for pid, name in self.children().items() if name != "interim-admin"]

    def worker_rss(self):
        """Resident bytes of the one worker."""
        (worker,) = self.workers()
        return resident(worker)

    def memory(self):
        """Resident bytes of all workers."""
        return sum(map(resident, self.workers()))

    def descriptors(self):
        """How many descriptors each worker holds; empty where only root may look."""
        try:
            return {pid: len(os.listdir(f"/proc/{pid}/fd")) for pid in self.workers()}
        except (PermissionError, FileNotFoundError):
            return {}

    def kill(self, number):
        self.process.send_signal(number)

    def stats(self):
        mark = self.log.mark()
        self.kill(signal.SIGUSR1)
        return json.loads(self.log.wait(r"stats (\{.*\})", mark)[1])

    def counts(self, name, moved):
        """A counter moved that far in this scenario. It may move a moment after a test has seen
        what it counts, so this waits for it."""
        before = self.before[name]
        stats = self.wait_stats(lambda s: s[name] - before >= moved)
        assert stats[name] - before == moved, (name, stats[name] - before)

    def wait_stats(self, condition, patience=PATIENCE):
        """The first counters that meet a condition."""
        until = time.monotonic() + patience
        while True:
            stats = self.stats()
            if condition(stats):
                return stats
            assert time.monotonic() < until, f"counters did not come to it: {stats}"
            time.sleep(0.01)

    def begin(self):
        """A scenario starts: counters and lines are compared with what they are now."""
        self.before = self.stats()
        self.held = self.descriptors()
        self.began = self.log.mark()
        self.access_began = self.access.mark()

    def logged(self, pattern, patience=PATIENCE):
        """Waits for a line on stderr, of this scenario."""
        return self.log.wait(pattern, self.began, patience)

    def exchanges(self, count):
        """The first `count` access log lines of this scenario, parsed."""
        until = time.monotonic() + PATIENCE
        while True:
            lines = self.access.since(self.access_began)
            if len(lines) >= count:
                return [json.loads(line) for line in lines[:count]]
            assert time.monotonic() < until, f"{count} lines wanted, these came: {lines}"
            time.sleep(0.005)

    def exchange(self):
        return self.exchanges(1)[0]

    def exchanges_in_all(self, count):
        """One line has come for each exchange since the start, and no other."""
        until = time.monotonic() + PATIENCE
        while self.access.mark() < count:
            assert time.monotonic() < until, f"{count} exchanges, {self.access.mark()} lines"
            time.sleep(0.005)
        assert self.access.mark() == count, f"{count} exchanges, {self.access.mark()} lines"

    def settle(self):
        """The scenario is over: both ends hang up, the proxy comes to rest, and its counters obey
        the laws."""
        for client in self.clients:
            client.close()
        self.clients = []
        if self.process.poll() is not None:
            return
        moving = ["open", "active", "tunnels"] + ([] if self.lasting else ["upstream_open"])
        stats = self.wait_stats(lambda s: not any(s[name] for name in moving))
        check_laws(stats)
        if "access_log = false" not in self.policy_now():
            # Lost are lines that this machine was too busy to read in time.
            self.exchanges_in_all(stats["requests"] - stats["log_lost"])
        if not self.lasting and stats["generation"] == self.before.get("generation"):
            self.holds_what_it_held()

    def holds_what_it_held(self):
        """Each worker of the scenario's beginning has as many descriptors as it had then."""
        until = time.monotonic() + PATIENCE
        while now := self.descriptors():
            grown = {pid: (self.held[pid], now[pid]) for pid in self.held.keys() & now.keys()
                     if self.held[pid] != now[pid]}
            if not grown:
                return
            assert time.monotonic() < until, f"descriptors then and now: {grown}"
            time.sleep(0.01)

    def reload(self):
        """SIGHUP; the line that tells how it went."""
        mark = self.log.mark()
        self.kill(signal.SIGHUP)
        return self.log.wait(r"(reloaded|reload failed|nothing to reload).*", mark)[0]

    def end_for_good(self):
        """Nothing outlives the tests, not even when one failed before it could stop its proxy."""
        if self.process.poll() is None:
            self.process.kill()

    def stop(self, number=signal.SIGTERM, status=0):
        """Ends the program and checks how it ended."""
        if self.process.poll() is None:
            self.kill(number)
        try:
            ended = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError("did not end:\n" + self.log.text())
        self.log.wait_end()
        self.access.wait_end()
        text = self.log.text()
        for sign in SANITIZER:
            assert sign not in text, text
        assert ended == status, f"ended with {ended}:\n{text}"


def check_laws(stats):
    """What is true of the counters whenever the proxy is at rest."""
    ended = ("answered_upstream", "answered_here", "aborted", "cut")
    assert stats["requests"] == sum(stats[name] for name in ended) + stats["active"], stats
    assert stats["accepted"] == stats["open"] + stats["closed"], stats
    assert stats["disagreements"] == 0, stats
    became = ("origin_100", "origin_final", "started", "timed")
    assert sum(stats["expect_" + name] for name in became) <= stats["expect_forwarded"], stats
    became = ("websocket", "other", "declined", "broken")
    assert sum(stats["upgrades_" + name] for name in became) <= stats["upgrades_offered"], stats
    for name, value in stats.items():
        assert isinstance(value, str) or 0 <= value < 2**63, (name, value)
