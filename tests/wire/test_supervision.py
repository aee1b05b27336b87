"""The parent's care: counters of the dead, sockets in the file system, workers that keep dying."""

import fcntl
import os
import pathlib
import re
import signal
import socket
import stat
import subprocess
import time

import pytest

from harness import PATIENCE, Proxy, binary, check_laws, free_port, run
from lines import Lines
from scenes import exchange, get
from test_process import status_of


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


def test_many_deaths_in_a_row_leave_the_parent_answering(running):
    proxy = running(f'admin = "127.0.0.1:{free_port()}",')
    dead = set()
    for n in range(6):
        until = time.monotonic() + PATIENCE
        # The process behind the admin listener is new as well, and takes its name a moment later.
        while len(new := set(proxy.workers()) - dead) != 1:
            assert time.monotonic() < until
            time.sleep(0.01)
        (worker,) = new
        dead.add(worker)
        os.kill(worker, signal.SIGKILL)
        done = run("status", str(proxy.process.pid))
        assert done.returncode == 0 and "deaths" in done.stdout, done.stderr
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
def test_a_reload_may_name_the_user_that_is_in_force(running):
    proxy = running()
    proxy.write('user = "nobody",')
    assert "reloaded" in proxy.reload()
    proxy.write("")
    assert "reloaded" in proxy.reload()
    proxy.stop()


def test_a_reload_cannot_turn_the_jit_on(running):
    """The workers have given up the right to make code; the other way round is fine."""
    proxy = running()
    proxy.write("jit = true,")
    assert "jit: cannot be turned on" in proxy.reload()
    proxy.stop()
    proxy = running("jit = true,")
    proxy.write("")
    assert "reloaded" in proxy.reload()
    proxy.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can choose")
def test_a_policy_may_keep_roots_rights_and_is_warned_of_it(running, origin):
    proxy = running('user = "root",')
    proxy.log.wait('user is "root": this worker keeps all of root\'s rights')
    (worker,) = proxy.workers()
    assert status_of(worker)["Uid"].split() == ["0"] * 4
    exchange(proxy.client(), origin)
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


def test_a_folder_that_somebody_has_locked_is_no_reason_not_to_listen_there(running, origin, shared_path):
    path = shared_path / "front"
    folder = os.open(shared_path, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    proxy = running(listen=f"unix:{path}")
    exchange(proxy.client(), origin)
    proxy.stop()
    os.close(folder)
    assert not path.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another")
def test_a_folder_that_cannot_be_locked_is_no_reason_not_to_listen_there(shared_path):
    folder, left = shared_path / "folder", socket.socket(socket.AF_UNIX)
    folder.mkdir()
    left.bind(str(folder / "front"))
    left.close()
    for path in (folder, folder / "front"):
        os.chown(path, 65534, 65534)
    folder.chmod(0o300)  # may be changed, not read
    process = subprocess.Popen(
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", binary(), "--listen",
         f"unix:{folder}/front", "--upstream", "127.0.0.1:9"], stderr=subprocess.PIPE)
    log = Lines(process.stderr)
    try:
        log.wait("ready:")
    finally:
        process.terminate()
        assert process.wait(PATIENCE) == 0
    assert not (folder / "front").exists()


def test_a_worker_that_drains_already_may_be_given_less_time(running, origin):
    proxy = running("workers = 2, drain = 30,")
    first, _ = proxy.workers()
    os.kill(first, signal.SIGSTOP)
    client = proxy.client()
    client.send(get())
    origin.accept().request()  # by the second
    os.kill(first, signal.SIGCONT)
    proxy.write("workers = 1, drain = 30,")
    assert "generation 2" in proxy.reload()
    proxy.write("workers = 1, drain = 0.3,")
    assert "generation 3" in proxy.reload()
    proxy.kill(signal.SIGTERM)
    proxy.logged("worker 2: still busy at the end of the drain time")
    client.ending()
    proxy.stop()
    assert "killing" not in proxy.log.text()


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


def stands_still(proxy, worker, mark):
    """The line that says so, which must come between 1 s and 1.5 s, or a bit more on a busy
    machine."""
    began = time.monotonic()
    line = proxy.log.wait(rf"worker 1 \(pid {worker}\) has .*killing it", mark)[0]
    assert time.monotonic() - began > 0.9
    wait_replaced(proxy, worker, 1)
    return line


def test_a_worker_that_stands_still_in_a_hook_is_replaced_and_the_hook_named(running, origin):
    # A compiled loop is the one thing that the budget of a hook cannot end.
    proxy = running('jit = true, request = function(req) '
                    'if req.path == "/loop" then while true do end end end,')
    exchange(proxy.client(), origin)
    (worker,) = proxy.workers()
    stuck, mark = proxy.client(), proxy.log.mark()
    stuck.send(get(target="/loop"))
    line = stands_still(proxy, worker, mark)
    assert re.search(r"stood still for 1 s in the request hook of request [0-9a-f]{16};", line)
    stuck.ending()
    exchange(proxy.client(), origin)
    check_laws(proxy.wait_stats(lambda s: s["active"] == 0))
    proxy.stop()


def test_a_hook_that_stands_still_after_it_has_waited_is_named_too(running, origin):
    proxy = running('jit = true, log = function() interim.sleep(0.01) while true do end end,')
    (worker,) = proxy.workers()
    mark = proxy.log.mark()
    exchange(proxy.client(), origin)
    assert "in the log hook of request" in stands_still(proxy, worker, mark)
    proxy.stop()


def test_a_stopped_worker_is_replaced(running, origin):
    proxy = running()
    (worker,) = proxy.workers()
    mark = proxy.log.mark()
    os.kill(worker, signal.SIGSTOP)
    assert "has been stopped for 1 s; killing it" in stands_still(proxy, worker, mark)
    exchange(proxy.client(), origin)
    proxy.stop()


def test_a_worker_that_has_nothing_to_do_is_left_alone(running):
    proxy = running()
    before = proxy.workers()
    time.sleep(1.7)  # longer than one that stands still may live
    assert proxy.workers() == before
    proxy.stop()


def test_hooks_within_their_budgets_are_no_standstill(running, origin):
    """Thirty clients in one turn of the loop, each with a hook that takes nearly its 50 ms."""
    proxy = running('request = function(req) local t = os.clock() '
                    'while os.clock() - t < 0.04 do end return 204 end,')
    before = proxy.workers()
    clients = [proxy.client() for _ in range(40)]
    os.kill(before[0], signal.SIGSTOP)
    for client in clients:
        client.send(get())
    os.kill(before[0], signal.SIGCONT)
    for client in clients:
        assert client.response().status == 204
    assert proxy.workers() == before
    proxy.stop()
