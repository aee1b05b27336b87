"""SIGHUP: all workers switch or none; nothing that is under way is lost."""

import json
import re
import signal
import threading
import time

import pytest

from harness import Proxy, free_port, is_sanitized
from peers import Origin, connect
from scenes import OK, exchange, get
from test_upgrade import offer, switching


def version(n, *more):
    return "\n".join([f'request = function(req) req.headers["x-policy"] = "{n}" end,', *more])


@pytest.fixture
def running(tmp_path, origin):
    """A proxy of the test's own whose policy it may change."""
    started = []

    def running(fields, **keywords):
        proxy = Proxy(tmp_path, fields, upstream=keywords.pop("upstream", origin.text), **keywords)
        started.append(proxy)
        proxy.begin()
        return proxy

    yield running
    for proxy in started:
        for client in proxy.clients:
            client.close()
    origin.hang_up()
    for proxy in started:
        proxy.settle()
        proxy.stop()


class Load:
    """Threads that ask and ask, each on its keep-alive connection, and an origin that answers."""

    def __init__(self, proxy, origin, clients=4):
        self.proxy = proxy
        self.origin = origin
        self.clients = clients
        self.failures = []
        self.seen = []  # the policy each answer was made under
        self.over = threading.Event()
        self.answered = threading.Event()
        self.server = threading.Thread(target=self.serve, daemon=True)
        self.threads = [threading.Thread(target=self.ask, daemon=True) for _ in range(clients)]

    def __enter__(self):
        self.server.start()
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *exception):
        self.over.set()
        for thread in self.threads:
            thread.join(30)
        # Not before: the last requests may still need a new connection.
        self.answered.set()
        self.server.join(30)
        for wire in self.origin.wires:
            wire.shut()
        assert not self.failures, self.failures[:3]

    def serve(self):
        self.origin.sock.settimeout(0.05)
        try:
            while not self.answered.is_set():
                try:
                    wire = self.origin.accept()
                except AssertionError:
                    continue
                threading.Thread(target=self.answer, args=(wire,), daemon=True).start()
        finally:
            self.origin.sock.settimeout(20)

    def answer(self, wire):
        try:
            while True:
                policy = wire.request().get("x-policy") or "none"
                wire.send(f"HTTP/1.1 200 OK\r\nContent-Length: {len(policy)}\r\n\r\n{policy}")
        except (AssertionError, OSError):
            pass  # the proxy let go of the connection

    def ask(self):
        client = connect(self.proxy.address)
        try:
            while not self.over.is_set():
                client.send(get())
                answer = client.response()
                assert answer.status == 200, answer.raw
                self.seen.append(answer.body.decode())
                if answer.closes():
                    client.close()
                    client = connect(self.proxy.address)
        except Exception as failure:
            self.failures.append(repr(failure))
        finally:
            client.close()

    def wait(self, count):
        """Until that many more answers came."""
        goal = len(self.seen) + count
        until = time.monotonic() + 20
        while len(self.seen) < goal and not self.failures:
            assert time.monotonic() < until, "the load stands still"
            time.sleep(0.005)


def test_a_good_policy_takes_over_without_a_failed_request(running, origin):
    proxy = running(version("1", "workers = 2,"))
    with Load(proxy, origin) as load:
        load.wait(50)
        for n in range(2, 8):
            proxy.write(version(n, "workers = 2,"))
            assert "reloaded" in proxy.reload()
            mark = len(load.seen)
            load.wait(50)
            # A request that began before the switch may still end after it, one a client.
            late = [policy for policy in load.seen[mark:] if policy != str(n)]
            assert set(late) <= {str(n - 1)} and len(late) <= load.clients


def test_workers_load_a_policy_one_after_another_so_that_the_others_serve(running):
    proxy = running(version("1", "workers = 3,"))
    proxy.write(version("2", "workers = 3,"), prelude="""
        print "begins"
        local t = os.clock() while os.clock() - t < 0.05 do end
        print "ends" """)
    mark = proxy.log.mark()
    assert "reloaded" in proxy.reload()
    loads = re.findall(r"worker (\d): .*(begins|ends)", "\n".join(proxy.log.since(mark)))
    assert loads == [(n, what) for n in "123" for what in ("begins", "ends")]


BROKEN = {
    "syntax": (None, "return {\n  listen = ,\n}\n", r"policy\.lua:2: "),
    "an unknown key": ("timeouts = { conect = 1 },", None, r"timeouts\.conect"),
    "an error": (None, "error('on purpose')\n", r"policy\.lua:1: .*on purpose"),
    "a loop": (None, "while true do end\n", r"policy\.lua"),
    "memory": (None, "local t = {} while true do t[#t+1] = ('x'):rep(1e6) .. #t end\n", r"policy\.lua"),
    "an unknown upstream": (None, 'return { listen = 8080, upstream = "nowhere" }\n', r"upstream"),
}


@pytest.mark.parametrize("fields,source,message", BROKEN.values(), ids=BROKEN)
def test_a_bad_policy_changes_nothing(running, origin, fields, source, message):
    proxy = running(version("1", "workers = 2,"))
    with Load(proxy, origin) as load:
        load.wait(20)
        before = proxy.workers()
        if source is None:
            proxy.write(version("2", fields))
        else:
            proxy.policy.write_text(source)
        line = proxy.reload()
        assert "reload failed" in line and re.search(message, line), line
        load.wait(50)
        assert set(load.seen) == {"1"}
        assert proxy.workers() == before
        proxy.write(version("3", "workers = 2,"))
        assert "reloaded" in proxy.reload()
        load.wait(50)
        assert load.seen[-1] == "3"


def test_a_policy_that_is_gone_changes_nothing(running, origin):
    proxy = running(version("1"))
    proxy.policy.unlink()
    assert "reload failed" in proxy.reload()
    request, _ = exchange(proxy.client(), origin)
    assert request.get("x-policy") == "1"


def test_a_hook_that_loops_harms_only_its_own_requests(running, origin):
    proxy = running(version("1"))
    proxy.write("request = function(req) if req.path == '/loop' then while true do end end end,")
    assert "reloaded" in proxy.reload()
    client = proxy.client()
    client.send(get(target="/loop"))
    assert client.response().status == 500
    exchange(proxy.client(), origin)


def test_tunnels_live_through_a_reload(running, origin):
    proxy = running(version("1"))
    client = proxy.client()
    client.send(offer())
    wire = origin.accept()
    wire.request()
    wire.send(switching())
    client.head()
    for n in range(3):
        proxy.write(version(n) if n != 1 else "nonsense = 1,")
        proxy.reload()
        client.send("ping")
        assert wire.exactly(4) == b"ping"
        wire.send("pong")
        assert client.exactly(4) == b"pong"


def test_what_is_under_way_ends_with_the_policy_it_began_with(running, origin):
    fields = version("1") + 'response = function(req, res) res.headers["x-ended"] = "%s" end,'
    proxy = running(fields % "old")
    client = proxy.client()
    client.send(get())
    wire = origin.accept()
    wire.request()
    proxy.write(fields % "new")
    assert "reloaded" in proxy.reload()
    wire.send(OK)
    assert client.response().get("x-ended") == "old"
    # The next one on the same connection is under the new one.
    client.send(get())
    wire = origin.either(wire)
    wire.request()
    wire.send(OK)
    assert client.response().get("x-ended") == "new"


def test_a_waiting_hook_ends_with_the_policy_it_began_with(running, origin):
    fields = 'request = function(req) if req.path == "/w" then interim.sleep(0.5) end ' \
             'req.headers["x-policy"] = "%s" end,'
    proxy = running(fields % "old")
    client = proxy.client()
    client.send(get(target="/w"))
    proxy.wait_stats(lambda s: s["active"] == 1)
    proxy.write(fields % "new")
    assert "reloaded" in proxy.reload()
    wire = origin.accept()
    assert wire.request().get("x-policy") == "old"
    wire.send(OK)
    assert client.response().status == 200


def served(client, origin):
    """One more exchange, wherever the proxy sends it; the request."""
    client.send(get())
    wire = origin.either(origin.wires[-1]) if origin.wires else origin.accept()
    request = wire.request()
    wire.send(OK)
    assert client.response().status == 200
    return request


def test_a_listener_is_added_and_removed(running, origin):
    proxy = running("")
    first, second = proxy.listen, f"127.0.0.1:{free_port()}"
    both = proxy.policy.read_text().replace(f'listen = "{first}"',
                                            f'listen = {{ "{first}", "{second}" }}')
    only = both.replace(f'{{ "{first}", "{second}" }}', f'"{second}"')
    kept = proxy.client()
    exchange(kept, origin)
    proxy.policy.write_text(both)
    assert "reloaded" in proxy.reload()
    host, port = second.split(":")
    added = connect((host, int(port)))
    proxy.clients.append(added)
    served(added, origin)
    proxy.policy.write_text(only)
    assert "reloaded" in proxy.reload()
    with pytest.raises(ConnectionRefusedError):
        connect(proxy.address)
    # Connections that came through the removed listener stay.
    served(kept, origin)


def test_a_listener_that_is_taken_changes_nothing(running, origin):
    taken = Origin()
    proxy = running(version("1"))
    good = proxy.policy.read_text()
    proxy.policy.write_text(good.replace(proxy.listen, taken.text))
    line = proxy.reload()
    assert "reload failed" in line and taken.text in line
    request, _ = exchange(proxy.client(), origin)
    assert request.get("x-policy") == "1"
    taken.close()


def test_the_number_of_workers_can_change(running, origin):
    proxy = running(version("1", "workers = 1,"))
    proxy.write(version("2", "workers = 3,"))
    assert "reloaded" in proxy.reload()
    wait_workers(proxy, 3)
    proxy.write(version("3", "workers = 1,"))
    assert "reloaded" in proxy.reload()
    wait_workers(proxy, 1)
    exchange(proxy.client(), origin)


def wait_workers(proxy, count):
    until = time.monotonic() + 20
    while len(proxy.workers()) != count:
        assert time.monotonic() < until, proxy.workers()
        time.sleep(0.01)


def test_many_signals_at_once_end_in_the_newest_policy(running, origin):
    proxy = running(version("0"))
    for n in range(1, 30):
        proxy.write(version(n))
        proxy.kill(signal.SIGHUP)
    proxy.write(version("last"))
    proxy.kill(signal.SIGHUP)
    while True:
        mark = proxy.log.mark()
        if served(proxy.client(), origin).get("x-policy") == "last":
            break
        proxy.log.wait("reloaded", mark)


def test_old_policies_are_freed(running, origin):
    proxy = running(version("0"))
    exchange(proxy.client(), origin)
    for n in range(5):
        proxy.write(version(n))
        proxy.reload()
    before = proxy.worker_rss()
    for n in range(60):
        proxy.write(version(n))
        assert "reloaded" in proxy.reload()
    # Under a sanitizer what was freed stays resident for a while.
    assert proxy.worker_rss() - before < (64 << 20 if is_sanitized() else 2 << 20)


def test_without_a_policy_there_is_nothing_to_reload(tmp_path, origin):
    listen = f"127.0.0.1:{free_port()}"
    proxy = Proxy(tmp_path, listen=listen, upstream=origin.text,
                  args=["--listen", listen, "--upstream", origin.text, "--workers", "1"])
    assert "nothing to reload" in proxy.reload()
    exchange(proxy.client(), origin)
    origin.hang_up()
    proxy.settle()
    proxy.stop()


def test_the_counters_say_which_generation_runs(running):
    proxy = running(version("1"))
    assert proxy.stats()["generation"] == 1
    proxy.reload()
    assert proxy.stats()["generation"] == 2
    proxy.policy.write_text("nonsense")
    proxy.reload()
    assert proxy.stats()["generation"] == 2
    assert json.dumps(proxy.stats())


def open_tunnel(proxy, origin):
    client = proxy.client()
    client.send(offer())
    wire = origin.accept()
    wire.request()
    wire.send(switching())
    client.head()
    return client, wire


def test_old_generations_are_counted_until_their_last_exchange_is_over(running, origin):
    proxy = running(version("1", "workers = 1,"))
    assert proxy.stats()["generations"] == 1
    client, wire = open_tunnel(proxy, origin)
    proxy.reload()
    proxy.reload()
    proxy.wait_stats(lambda s: s["generations"] == 2)  # the second one was used by nobody
    client.close()
    wire.close()
    proxy.wait_stats(lambda s: s["generations"] == 1)


def test_over_the_limit_of_generations_the_oldest_ones_tunnels_are_closed(running, origin):
    proxy = running(version("1", "limits = { generations = 3 },"))
    tunnels = []
    for n in range(4):
        tunnels.append(open_tunnel(proxy, origin))
        assert "reloaded" in proxy.reload()
    # Five generations: the two that the first two tunnels hold are too old.
    for n, generation in ((0, 1), (1, 2)):
        client, wire = tunnels[n]
        client.at_end()
        wire.at_end()
        proxy.logged(rf"policy generation {generation} is older than the newest 3 "
                     r"\(limits.generations\); closing its 1 tunnel$")
    for client, wire in tunnels[2:]:
        client.send("ping")
        assert wire.exactly(4) == b"ping"
    assert proxy.wait_stats(lambda s: s["generations"] == 3)["tunnels"] == 2
    assert "its policy is too old" == proxy.exchanges(1)[0]["error"]


def begin_stream(proxy, origin):
    client = proxy.client()
    client.send(get())
    wire = origin.accept()
    wire.request()
    wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n")
    client.response_head()
    assert client.chunk() == b"hi"
    return client, wire


def test_over_the_limit_of_generations_the_oldest_ones_responses_are_cut(running, origin):
    """A response may go on for ever."""
    proxy = running(version("1", "limits = { generations = 2 },"))
    streams = []
    for n in range(3):
        streams.append(begin_stream(proxy, origin))
        assert "reloaded" in proxy.reload()
    # Four generations: the two that the first two streams hold are too old.
    for client, wire in streams[:2]:
        assert client.rest() == b""  # without a last chunk
        wire.at_end()
    proxy.logged(r"its policy is too old; cutting the client connection$")
    assert proxy.wait_stats(lambda s: s["generations"] == 2)["cut"] == 2
    client, wire = streams[2]
    wire.send("5\r\nthere\r\n0\r\n\r\n")
    assert client.chunk() == b"there"
    assert client.chunk() == b""
    assert [e["error"] for e in proxy.exchanges(2)] == ["its policy is too old"] * 2
