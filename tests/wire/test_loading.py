"""A policy is loaded by a process of its own, and then by every worker: what may go wrong there.

The first does it twice: it reads the policy with all it requires, and then loads that as a worker
will. --allow makes policies that do something else each time. Each load leaves a file in a folder,
named after its number, with the process that did it.
"""

import os
import pathlib
import signal
import subprocess
import tempfile
import time

import pytest

from harness import Proxy, binary, free_port
from lines import PATIENCE
from scenes import exchange
from test_operating import wait_for
from test_process import alive

POLICY = """
local counter = assert(io.open("{folder}/loads", "a"))
counter:write("x")
counter:flush()
local nth = counter:seek("cur")
counter:close()
local by = assert(io.open("{folder}/" .. nth, "w"))
by:write(io.open("/proc/self/stat"):read("*n"))
by:close()
local does = ({{ {plan} }})[nth]
if does == "fail" then error("load " .. nth .. " fails") end
if does == "end" then os.exit(7) end
if does == "wait" then io.open("{folder}/gate"):close() end
return {{
  listen = "{listen}", upstream = "{upstream}", workers = {workers}, access_log = "json",
  drain = 0.2, request = function(req) req.headers["x-load"] = tostring(nth) end,
}}
"""
STUCK = 10  # seconds that loading may take, in whatever process


class Plan:
    """A policy, its folder, and the program started with it."""

    def __init__(self, folder, plan, workers=1, upstream="127.0.0.1:9"):
        self.folder = folder
        folder.mkdir(exist_ok=True)
        folder.chmod(0o777)
        (folder / "loads").touch()
        (folder / "loads").chmod(0o666)
        os.mkfifo(folder / "gate")
        (folder / "gate").chmod(0o666)
        self.upstream = upstream
        self.listen = f"127.0.0.1:{free_port()}"
        self.policy = folder / "policy.lua"
        plan = ", ".join(f'[{nth}] = "{does}"' for nth, does in plan.items())
        self.text = POLICY.format(folder=folder, plan=plan, listen=self.listen, upstream=upstream,
                                  workers=workers)
        self.policy.write_text(self.text)
        self.args = ["run", str(self.policy), "--allow", "io,os"]

    def popen(self):
        return subprocess.Popen([binary(), *self.args], stderr=subprocess.PIPE, text=True,
                                stdin=subprocess.DEVNULL)

    def loaded(self, nth):
        """Waits for that load to have begun; who does it."""
        until = time.monotonic() + PATIENCE
        while True:
            try:
                if pid := (self.folder / str(nth)).read_text():
                    return int(pid)
            except FileNotFoundError:
                pass
            assert time.monotonic() < until, sorted(p.name for p in self.folder.iterdir())
            time.sleep(0.005)

    def open_gate(self):
        os.close(os.open(self.folder / "gate", os.O_WRONLY))


@pytest.fixture
def plan(shared_path):
    def plan(does, **keywords):
        return Plan(shared_path, does, **keywords)
    return plan


@pytest.fixture
def running(origin):
    """running(plan): a proxy under it, with two workers: loads 1 and 2, then 3 and 4."""
    started = []

    def running(plan):
        proxy = Proxy(plan.folder / "run", listen=plan.listen, args=plan.args)
        proxy.begin()
        started.append(proxy)
        return proxy

    yield running
    for proxy in started:
        for client in proxy.clients:
            client.close()
        origin.hang_up()
        proxy.stop()


def end(program, status):
    said = program.communicate(timeout=PATIENCE + STUCK)[1]
    assert program.returncode == status, said
    return said


def sleeps(pid):
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "S"


# ---- at the start ----

@pytest.mark.parametrize("does, says", [
    ({1: "fail"}, "policy.lua:11: load 1 fails\n"),
    ({1: "end"}, "policy.lua: the process that loads it exited with 7\n"),
    ({2: "fail"}, "policy.lua:11: load 2 fails\n"),
    ({3: "fail"}, "policy.lua:11: load 3 fails; exiting"),
    ({3: "end"}, "cannot start: worker 1 exited with 7; exiting"),
])
def test_what_cannot_be_loaded_ends_the_start(plan, does, says):
    assert says in end(plan(does).popen(), 1)


def test_sigterm_ends_a_start_that_is_still_loading(plan):
    loading = plan({1: "wait"})
    program = loading.popen()
    loader = loading.loaded(1)
    program.send_signal(signal.SIGTERM)
    end(program, 0)
    wait_for(lambda: not alive(loader), "the loader stays")


# ---- in a reload ----

def served_by(proxy, origin):
    """The load whose policy serves: 3 or 4 for the first one."""
    origin.hang_up()
    request, _ = exchange(proxy.client(), origin, fields=["Connection: close"])
    return int(request.get("x-load"))


@pytest.mark.parametrize("nth", [7, 8])
@pytest.mark.parametrize("does, says", [
    ("fail", r"reload failed: worker \d: .*load \d fails; keeping policy generation 1"),
    ("end", r"reload failed: worker \d died while it was loading; keeping policy generation 1"),
])
def test_what_one_worker_cannot_load_none_uses(plan, running, origin, nth, does, says):
    proxy = running(plan({nth: does}, workers=2, upstream=origin.text))
    proxy.kill(signal.SIGHUP)
    proxy.logged(says)
    stats = proxy.wait_stats(lambda s: s["workers"] == 2)
    assert stats["generation"] == 1
    for _ in range(4):
        assert served_by(proxy, origin) in (3, 4, nth + 1)  # the last in the place of the dead
    assert "reloaded: policy generation 2" in proxy.reload()
    assert served_by(proxy, origin) > 9
    proxy.wait_stats(lambda s: s["generations"] == 2)  # one in each worker: no other is left


def test_a_worker_that_stands_still_when_all_switch_holds_up_no_reload(plan, running, origin):
    gated = plan({8: "wait"}, workers=2, upstream=origin.text)
    proxy = running(gated)
    proxy.kill(signal.SIGHUP)
    ready = gated.loaded(7)
    gated.loaded(8)
    # It has said that it is prepared once it waits again.
    wait_for(lambda: sleeps(ready), "it loads on and on")
    os.kill(ready, signal.SIGSTOP)
    gated.open_gate()
    proxy.logged(r"has been stopped for \S+ s; killing it")
    proxy.logged("reloaded: policy generation 2")
    proxy.wait_stats(lambda s: s["workers"] == 2)
    assert ready not in proxy.workers()
    for _ in range(4):
        assert served_by(proxy, origin) in (8, 9)


@pytest.mark.parametrize("nth", [5, 7])
def test_sigterm_ends_a_reload_that_is_still_loading(plan, running, nth):
    gated = plan({nth: "wait"}, workers=2)
    proxy = running(gated)
    proxy.kill(signal.SIGHUP)
    pid = gated.loaded(nth)
    proxy.stop()
    wait_for(lambda: not alive(pid), "who loads stays")


def test_who_waits_for_a_reload_is_told_that_the_end_came_first(plan, running):
    gated = plan({5: "wait"}, workers=2)
    proxy = running(gated)
    asking = subprocess.Popen([binary(), "reload", str(proxy.process.pid)], stderr=subprocess.PIPE,
                              text=True)
    gated.loaded(5)
    proxy.stop()
    assert end(asking, 1) == "interim: it has stopped\n"


# ---- without end ----

@pytest.fixture(scope="module")
def stuck():
    """Each kind of process in a load without end, all at the same time."""
    with tempfile.TemporaryDirectory(prefix="interim-") as name:
        yield from all_stuck(pathlib.Path(name))


def all_stuck(folder):
    folder.chmod(0o755)
    plans = {name: Plan(folder / name, {nth: "wait"}, workers=workers)
             for name, nth, workers in (("loader", 1, 1), ("worker", 3, 1), ("reloader", 5, 2),
                                        ("preparing", 8, 2))}
    programs = {name: plans[name].popen() for name in ("loader", "worker")}
    proxies = {name: Proxy(folder / name / "run", listen=plans[name].listen, args=plans[name].args)
               for name in ("reloader", "preparing")}
    for proxy in proxies.values():
        proxy.kill(signal.SIGHUP)
    yield {**programs, **proxies}
    for program in programs.values():
        program.kill()
        program.wait()
    for proxy in proxies.values():
        proxy.stop()


def test_a_start_waits_for_the_loader_no_longer_than_that(stuck):
    assert f"policy.lua: still loading after {STUCK} seconds: ended" in end(stuck["loader"], 1)


def test_a_start_waits_for_a_worker_no_longer_than_that(stuck):
    said = end(stuck["worker"], 1)
    assert "is not ready in time; killing it" in said
    assert "cannot start: worker 1 was killed by signal 9 (Killed); exiting" in said


def test_a_reload_waits_for_the_loader_no_longer_than_that(stuck):
    proxy = stuck["reloader"]
    proxy.log.wait(f"reload failed: .*still loading after {STUCK} seconds: ended; keeping")
    assert "reloaded: policy generation 2" in proxy.reload()


def test_a_reload_waits_for_a_worker_no_longer_than_that(stuck):
    proxy = stuck["preparing"]
    proxy.log.wait(r"worker \d \(pid \d+\) is silent; killing it")
    proxy.log.wait("reload failed: not every worker loaded it in time; keeping policy generation 1")
    proxy.wait_stats(lambda s: s["workers"] == 2)
    assert "reloaded: policy generation 2" in proxy.reload()
