"""The parent's care: counters of the dead, sockets in the file system, workers that keep dying."""

import os
import pathlib
import signal
import socket
import stat
import time

import pytest

from harness import PATIENCE, Proxy, check_laws, run
from scenes import exchange, get


@pytest.fixture
def running(tmp_path, origin):
    """A proxy that the test ends itself."""
    started = []

    def running(fields="", **keywords):
        keywords.setdefault("upstream", origin.text)
        proxy = Proxy(tmp_path, fields, **keywords)
        started.append(proxy)
        return proxy

    yield running
    for proxy in started:
        if proxy.process.poll() is None:
            proxy.process.kill()
            proxy.process.wait()
    origin.hang_up()


def wait_replaced(proxy, dead, count):
    until = time.monotonic() + PATIENCE
    while dead in proxy.workers() or len(proxy.workers()) != count:
        assert time.monotonic() < until, proxy.workers()
        time.sleep(0.01)


def test_what_a_dead_worker_had_open_is_settled(running, origin):
    proxy = running()
    exchange(proxy.client(), origin)
    busy = proxy.client()
    busy.send(get())
    origin.wires[-1].request()
    stats = proxy.wait_stats(lambda s: s["active"] == 1)
    assert (stats["open"], stats["aborted"]) == (2, 0)
    os.kill(proxy.workers()[0], signal.SIGKILL)
    stats = proxy.wait_stats(lambda s: s["open"] == 0)
    check_laws(stats)
    assert (stats["accepted"], stats["aborted"], stats["upstream_open"]) == (2, 1, 0)
    proxy.stop()


def test_a_worker_that_dies_again_and_again_is_started_after_a_pause(running, origin):
    proxy = running()
    for _ in range(2):
        (worker,) = proxy.workers()
        mark = proxy.log.mark()
        os.kill(worker, signal.SIGKILL)
        line = proxy.log.wait(rf"pid {worker}.*starting another (.*)", mark)
        wait_replaced(proxy, worker, 1)
    assert line[1] == "after a pause"
    exchange(proxy.client(), origin)
    proxy.stop()


def test_counters_are_told_while_no_worker_runs(running):
    proxy = running()
    for _ in range(4):
        (worker,) = proxy.workers()
        os.kill(worker, signal.SIGKILL)
        wait_replaced(proxy, worker, 1)
    (worker,) = proxy.workers()
    os.kill(worker, signal.SIGKILL)
    stats = proxy.wait_stats(lambda s: s["workers"] == 0)
    assert stats["generation"] == 1
    proxy.stop()


def test_workers_of_the_command_line_beat_the_policy_also_after_a_reload(running):
    proxy = running("workers = 1,")
    proxy.stop()
    proxy = running("", args=["--workers", "2", str(proxy.policy)], listen=proxy.listen)
    assert len(proxy.workers()) == 2
    proxy.write("workers = 3,")
    assert "reloaded" in proxy.reload()
    assert proxy.stats()["workers"] == 2
    proxy.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can choose")
def test_a_reload_cannot_change_the_user(running):
    proxy = running()
    proxy.write('user = "daemon",')
    assert "user: cannot change" in proxy.reload()
    assert proxy.stats()["generation"] == 1
    proxy.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can choose")
def test_a_user_that_does_not_exist_is_an_error_of_the_policy(tmp_path):
    policy = tmp_path / "policy.lua"
    policy.write_text('return { listen = "127.0.0.1:0", upstream = "127.0.0.1:9", '
                      'user = "nobody-of-that-name" }\n')
    for command in ("check", "run"):
        done = run(command, str(policy))
        assert done.returncode == 1
        assert 'user: cannot find "nobody-of-that-name"' in done.stderr


def test_a_unix_socket_lets_everyone_in_and_is_gone_afterwards(running, origin, shared_path):
    path = shared_path / "front"
    proxy = running(listen=f"unix:{path}")
    assert stat.S_IMODE(path.stat().st_mode) == 0o666
    exchange(proxy.client(), origin)
    proxy.stop()
    assert not path.exists()


def test_a_unix_socket_left_behind_is_taken_over(running, origin, shared_path):
    path = shared_path / "front"
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(path))
    left.close()
    proxy = running(listen=f"unix:{path}")
    exchange(proxy.client(), origin)
    proxy.stop()


def test_a_unix_socket_in_use_is_left_to_its_owner(shared_path):
    path = shared_path / "front"
    owner = socket.socket(socket.AF_UNIX)
    owner.bind(str(path))
    owner.listen()
    done = run("--listen", f"unix:{path}", "--upstream", "127.0.0.1:9")
    assert done.returncode == 1
    assert f"unix:{path}" in done.stderr and "answers on it" in done.stderr
    assert path.exists()
    owner.close()


def test_a_death_while_a_reload_is_under_way_leaves_all_workers_alike(running, origin):
    fields = 'workers = 2, request = function(req) req.headers["x-policy"] = "%d" end,'
    proxy = running(fields % 1)
    for n in range(2, 8):
        proxy.wait_stats(lambda s: s["workers"] == 2)
        victim = proxy.workers()[n % 2]
        proxy.write(fields % n)
        mark = proxy.log.mark()
        proxy.kill(signal.SIGHUP)
        os.kill(victim, signal.SIGKILL)
        proxy.log.wait("reloaded|reload failed", mark)
    # Once the dust has settled, one more reload finds every worker.
    proxy.write(fields % 99)
    assert "reloaded" in proxy.reload()
    proxy.wait_stats(lambda s: s["workers"] == 2)
    for _ in range(6):
        origin.hang_up()
        request, _ = exchange(proxy.client(), origin, fields=["Connection: close"])
        assert request.get("x-policy") == "99"
    proxy.stop()


def test_nothing_is_left_open_by_reloads(running):
    proxy = running("workers = 2,")
    pids = [proxy.process.pid, *proxy.workers()]

    def descriptors():
        return [len(list(pathlib.Path(f"/proc/{pid}/fd").iterdir())) for pid in pids]

    proxy.reload()
    before = descriptors()
    for n in range(6):
        proxy.write("workers = 2," if n % 2 else "nonsense = 1,")
        proxy.reload()
    assert descriptors() == before
    proxy.stop()
