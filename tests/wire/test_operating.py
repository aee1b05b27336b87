"""What an operator and a service manager do to a running program: `interim reload`, an upgrade of
the binary under traffic, sockets passed on, and how it is."""

import fcntl
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest

from harness import PATIENCE, Proxy, binary, free_port, run
from peers import connect
from scenes import OK, exchange, get
from test_process import alive
from test_reload import Load, version
from test_upgrade import offer, switching


@pytest.fixture
def running(tmp_path, origin):
    """A proxy of the test's own."""
    started = []

    def running(fields="", **keywords):
        proxy = Proxy(tmp_path, fields, upstream=keywords.pop("upstream", origin.text), **keywords)
        started.append(proxy)
        proxy.begin()
        return proxy

    yield running
    for proxy in started:
        proxy.end_for_good()
    origin.hang_up()


def slow(seconds):
    """It takes its time in every process that loads it, so that who loads it can be met half-way."""
    return f"local begun = os.clock()\nwhile os.clock() - begun < {seconds} do end\n"


def ask(word, proxy):
    return run(word, str(proxy.process.pid))


# ---- interim reload ----

def test_interim_reload_waits_and_says_what_became_of_it(running, origin):
    proxy = running(version("1"))
    proxy.write(version("2"))
    done = ask("reload", proxy)
    assert (done.returncode, done.stdout, done.stderr) == (0, "reloaded: policy generation 2\n", "")
    # By the time it answers, the new policy is there.
    assert exchange(proxy.client(), origin)[0].get("x-policy") == "2"
    proxy.stop()


def test_interim_reload_prints_every_error_and_exits_1(running):
    proxy = running(version("1"))
    proxy.policy.write_text('return { listen = 1, upstream = 2, timeouts = { conect = 1 } }\n')
    done = ask("reload", proxy)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("interim: reload failed: ")
    assert "keeping policy generation 1\n" in done.stderr
    assert "upstream" in done.stderr and "timeouts.conect" in done.stderr
    proxy.stop()


def test_interim_reload_prints_as_many_errors_as_there_is_room_for(running):
    proxy = running()
    keys = [f"x{n:0>30}" for n in range(100)]
    proxy.write("\n".join(f"{key} = 1," for key in keys))
    done = ask("reload", proxy)
    assert done.returncode == 1
    told = [key for key in keys if f"{key}: unknown key" in done.stderr]
    assert told == keys[:len(told)] and len(told) > 20
    assert len(done.stderr) < 5000
    proxy.stop()


def test_interim_reload_answers_for_a_reload_that_began_after_it_asked(running):
    """While one reload is under way, whoever asks is answered by the next."""
    proxy = running(version("1"))
    slow = "print 'reading' local t = os.clock() while os.clock() - t < 0.5 do end\n"
    proxy.policy.write_text(slow + proxy.policy_now())
    mark = proxy.log.mark()
    proxy.kill(signal.SIGHUP)
    proxy.log.wait(r"loader: .*reading", mark)
    proxy.policy.write_text("nonsense")
    done = ask("reload", proxy)
    assert done.returncode == 1 and "keeping policy generation 2" in done.stderr
    proxy.stop()


def test_the_counters_say_how_the_last_reload_went_and_when(running):
    proxy = running(version("1"))
    stats = proxy.stats()
    assert (stats["last_reload"], stats["last_reload_time"]) == ("none", 0)
    for policy, result in ((version("2"), "ok"), ("nonsense = 1,", "failed")):
        before = time.time()
        proxy.write(policy)
        ask("reload", proxy)
        stats = proxy.stats()
        assert stats["last_reload"] == result
        assert before - 0.01 <= stats["last_reload_time"] <= time.time() + 0.01
    assert stats["generation"] == 2
    proxy.stop()


def test_only_root_and_its_own_user_may_ask(running):
    if os.geteuid() != 0:
        # Nobody else's user can be taken on, so there is no stranger to turn away.
        pytest.skip("only root can be someone else")
    proxy = running(version("1"))
    command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", binary(), "reload",
               str(proxy.process.pid)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 1
    assert "only root and the user it runs as" in done.stderr
    assert proxy.stats()["last_reload"] == "none"
    proxy.stop()


def test_a_visitor_who_says_nothing_or_nonsense_holds_up_nobody(running):
    proxy = running(version("1"))
    address = f"\0interim-{proxy.process.pid}"
    visitors = []
    for _ in range(40):
        visitor = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        visitor.connect(address)
        visitors.append(visitor)
    visitors[-1].send(b"dance")
    assert visitors[-1].recv(4096).startswith(b"-")
    assert ask("reload", proxy).returncode == 0
    for visitor in visitors:
        visitor.close()
    proxy.stop()


def visit(proxy, word):
    """Somebody who has asked for something and waits."""
    visitor = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    visitor.connect(f"\0interim-{proxy.process.pid}")
    visitor.settimeout(PATIENCE)
    visitor.send(word)
    return visitor


def test_who_comes_when_many_wait_is_told_so(running):
    proxy = running()
    proxy.write("", prelude=slow(0.3))
    visitors = [visit(proxy, b"reload") for _ in range(16)]
    for _ in range(3):  # turns, so that they are heard
        proxy.stats()
    done = ask("reload", proxy)
    assert (done.returncode, done.stderr) == (
        1, "interim: too many wait for an answer already; try again\n")
    for visitor in visitors:
        assert visitor.recv(4096).startswith(b"+reloaded")
        visitor.close()
    assert ask("reload", proxy).returncode == 0
    proxy.stop()


def test_a_process_that_is_no_interim_is_told_from_one(running):
    done = run("reload", str(os.getpid()))
    assert done.returncode == 1 and "not the parent of a running interim" in done.stderr


@pytest.fixture
def impostor():
    """impostor(pid): a listener in the place of that process's desk."""
    listeners = []

    def impostor(pid):
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listener.bind(f"\0interim-{pid}")
        listener.listen(1)
        listener.settimeout(PATIENCE)
        listeners.append(listener)
        return listener

    yield impostor
    for listener in listeners:
        listener.close()


def test_who_answers_in_the_name_of_another_process_is_not_believed(impostor):
    other = subprocess.Popen(["sleep", "60"])
    impostor(other.pid)
    try:
        done = run("reload", str(other.pid))
    finally:
        other.kill()
        other.wait()
    assert done.returncode == 1
    assert f"process {other.pid} is not the one that answers in its name" in done.stderr


def test_a_parent_that_ends_before_it_answers_is_told(impostor):
    listener = impostor(os.getpid())
    asking = subprocess.Popen([binary(), "reload", str(os.getpid())], stderr=subprocess.PIPE, text=True)
    desk, _ = listener.accept()
    assert desk.recv(100) == b"reload"
    desk.close()
    said = asking.communicate(timeout=PATIENCE)[1]
    assert asking.returncode == 1 and "it ended before it answered" in said


ALONE = r"""
set -e
interim=$1
if "$interim" reload; then exit 9; fi
"$interim" --listen unix:$2/a --upstream 127.0.0.1:9 2>$2/a.log & a=$!
until grep -qs ready: $2/a.log; do sleep 0.02; done
if "$interim" reload; then exit 8; fi
"$interim" --listen unix:$2/b --upstream 127.0.0.1:9 2>$2/b.log & b=$!
until grep -qs ready: $2/b.log; do sleep 0.02; done
if "$interim" reload; then exit 7; fi
kill $a $b
wait
echo pids $a $b
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a network namespace")
def test_without_a_process_id_the_only_one_is_asked(shared_path):
    done = subprocess.run(["unshare", "--net", "bash", "-c", ALONE, "alone", binary(),
                           str(shared_path)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    first, second = re.search(r"pids (\d+) (\d+)", done.stdout).groups()
    said = done.stderr.splitlines()
    assert said[0] == "interim: no interim is running here"
    assert "nothing to reload" in said[1]
    assert said[2].startswith("interim: several are running: say which by its process id: ")
    assert set(re.findall(r"\d+", said[2])) == {first, second}


ROGUE = r"""
import os, socket, sys
if len(sys.argv) > 2:
    os.setgid(65534)
    os.setuid(65534)
desk = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
desk.bind(f"\0interim-{os.getpid()}")
desk.listen(5)
print(os.getpid(), flush=True)
while True:
    visitor = desk.accept()[0]
    if visitor.recv(100):
        visitor.send(sys.argv[1].encode())
    visitor.close()
"""


@pytest.fixture
def rogue():
    """rogue(text, stranger): a process that has a desk and says that to whoever asks; its id."""
    processes = []

    def rogue(text, stranger=False):
        process = subprocess.Popen([sys.executable, "-c", ROGUE, text, *["x"] * stranger],
                                   stdout=subprocess.PIPE, text=True)
        processes.append(process)
        return process.stdout.readline().strip()

    yield rogue
    for process in processes:
        process.kill()
        process.communicate()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be someone else")
def test_another_users_process_is_not_taken_for_the_one_that_runs(rogue):
    """Other tests may run a real one meanwhile, which is asked then, or one of several."""
    pid = rogue("+reloaded: policy generation 7", stranger=True)
    done = run("status")
    assert "generation 7" not in done.stdout + done.stderr
    assert re.search(rf"{pid}\b", done.stderr) is None or re.search(
        rf"no interim is running here as root or as this user; another user's process {pid} says that "
        rf"it is one: if you know it, say so: interim status {pid}$", done.stderr), done.stderr
    # Nor by another user, even if named.
    command = ["setpriv", "--reuid=1", "--regid=1", "--clear-groups", binary(), "reload", pid]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"process {pid} is another user's: only root and the user it runs as may ask" in done.stderr
    # Root may, if it names it: a service has a user of its own.
    done = run("reload", pid)
    assert (done.returncode, done.stdout) == (0, "reloaded: policy generation 7\n")


# In a network and a /run of its own: what root is told before and after somebody made the folders.
SERVICE = r"""
mount -t tmpfs -o mode=0755 none /run
"$2" -c "$3" '+reloaded: policy generation 7' stranger >"$4/pid" &
while ! [ -s "$4/pid" ]; do sleep 0.05; done
reload() { "$1" reload 2>&1 | sed -E 's/[0-9]+/N/g'; }
mkdir -p /run/private/interim-a /run/user
chown 65534 /run/user /run/private/interim-a
ln -s private /run/interim-b
reload "$1"
ln -s private/interim-a /run/interim-a
reload "$1"
chmod 0777 /run
reload "$1"
kill %1
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a network and a mount namespace")
def test_root_finds_a_service_that_has_a_user_of_its_own(shared_path):
    done = subprocess.run(["unshare", "--net", "--mount", "bash", "-c", SERVICE, "service", binary(),
                           sys.executable, ROGUE, str(shared_path)], capture_output=True, text=True,
                          timeout=60)
    nobody = ("interim: no interim is running here as root or as this user; another user's process N "
              "says that it is one: if you know it, say so: interim reload N")
    assert done.stdout.splitlines() == [nobody, "reloaded: policy generation N", nobody], done.stderr


BUSY = r"""
import os, pathlib, socket, subprocess, sys, time
desk = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
desk.bind(f"\0interim-{os.getpid()}")
desk.listen(0)
crowd = []
while not crowd or crowd[-1].connect_ex(desk.getsockname()) == 0:
    crowd.append(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
    crowd[-1].setblocking(False)
asking = subprocess.Popen([sys.argv[1], "reload"], stdout=subprocess.PIPE, text=True)
while asking.poll() is None and "unix" not in pathlib.Path(f"/proc/{asking.pid}/wchan").read_text():
    time.sleep(0.01)
for one in crowd:
    one.close()
desk.settimeout(0.1)  # it may have ended since it was looked at
while asking.poll() is None:
    try:
        visitor = desk.accept()[0]
    except TimeoutError:
        continue
    if visitor.recv(100):
        visitor.send(b"+reloaded")
print(asking.communicate()[0], asking.returncode)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a network namespace")
def test_one_that_is_too_busy_to_let_anybody_in_is_waited_for():
    done = subprocess.run(["unshare", "--net", sys.executable, "-c", BUSY, binary()],
                          capture_output=True, text=True, timeout=PATIENCE)
    assert done.stdout == "reloaded\n 0\n", done.stderr


@pytest.mark.parametrize("sign", "+-")
def test_what_is_said_does_not_speak_to_the_terminal(rogue, sign):
    done = run("reload", rogue(f"{sign}one\ntwo \x1b]0;x\x07\u009b\n"))
    said = done.stdout if sign == "+" else done.stderr.removeprefix("interim: ")
    assert said == "one\ntwo \\x1b]0;x\\x07\\xc2\\x9b\n\n"
    done = run("status", rogue(f"{sign}unix:/\x1b[2J"))
    assert "\\x1b[2J" in done.stderr and "\x1b" not in done.stderr


# ---- another binary ----

def wait_for(condition, what):
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until, what
        time.sleep(0.01)


@pytest.fixture
def upgradable(running, tmp_path):
    """A proxy whose program's file a test may replace. Whoever takes over is ended."""
    program = tmp_path / "interim"
    shutil.copy(binary(), program)
    successors = []

    def upgradable(fields="", **keywords):
        proxy = running(fields, program=str(program), **keywords)
        proxy.program = program
        proxy.successors = successors
        return proxy

    yield upgradable
    for pid in successors:
        try:
            os.kill(pid, signal.SIGTERM)
            wait_for(lambda: not alive(pid), "the successor stays")
        except ProcessLookupError:
            pass


def successor(proxy, mark):
    pid = int(proxy.log.wait(r"upgraded: process (\d+) has taken over", mark)[1])
    proxy.successors.append(pid)
    return pid


class PatientLoad(Load):
    """Like any client, it asks again when the connection it used before ended without a byte: a
    program that drains closes those that are idle (RFC 9112 section 9.3.1)."""

    def ask(self):
        used = 0
        client = connect(self.proxy.address)
        try:
            while not self.over.is_set():
                try:
                    client.send(get())
                    answer = client.response()
                except (AssertionError, OSError):
                    assert used > 0 and not client.held, "a request was lost"
                    client.close()
                    client, used = connect(self.proxy.address), 0
                    continue
                assert answer.status == 200, answer.raw
                self.seen.append(answer.body.decode())
                used += 1
                if answer.closes():
                    client.close()
                    client, used = connect(self.proxy.address), 0
        except Exception as failure:
            self.failures.append(repr(failure))
        finally:
            client.close()


def test_an_upgrade_under_load_loses_no_request(upgradable, origin):
    proxy = upgradable(version("1", "workers = 2,"))
    with PatientLoad(proxy, origin) as load:
        load.wait(50)
        mark = proxy.log.mark()
        proxy.write(version("2", "workers = 2,"))
        done = ask("upgrade", proxy)
        pid = successor(proxy, mark)
        assert (done.returncode, done.stdout) == (0, f"upgraded: process {pid} has taken over\n")
        # Until it has ended, the program before answers on connections that are open, too.
        assert proxy.process.wait(PATIENCE) == 0
        load.wait(50)
        assert load.seen[-1] == "2"
    assert run("reload", str(pid)).returncode == 0


def test_a_tunnel_outlives_the_program_it_was_made_by(upgradable, origin):
    proxy = upgradable()
    client = proxy.client()
    client.send(offer())
    wire = origin.accept()
    wire.request()
    wire.send(switching())
    client.head()
    mark = proxy.log.mark()
    proxy.kill(signal.SIGUSR2)
    successor(proxy, mark)
    client.send("ping")
    assert wire.exactly(4) == b"ping"
    client.close()
    wire.close()
    assert proxy.process.wait(PATIENCE) == 0


@pytest.mark.parametrize("content,reason", [
    ("#!/bin/sh\nexit 3\n", "the new program exited with 3"),
    ("no program", "cannot execute"),
    (None, "cannot execute"),
], ids=["exits", "no program", "gone"])
def test_a_program_that_does_not_start_changes_nothing(upgradable, origin, content, reason):
    proxy = upgradable(version("1"))
    proxy.program.unlink()
    if content is not None:
        proxy.program.write_text(content)
        proxy.program.chmod(0o755)
    before = proxy.workers()
    done = ask("upgrade", proxy)
    assert done.returncode == 1
    assert f"upgrade failed: {reason}" in done.stderr and "going on as before" in done.stderr
    proxy.logged(f"upgrade failed: {reason}")
    assert proxy.workers() == before
    exchange(proxy.client(), origin)
    assert ask("reload", proxy).returncode == 0
    proxy.stop()


def test_a_policy_that_went_bad_stops_an_upgrade(upgradable, origin):
    proxy = upgradable(version("1"))
    proxy.policy.write_text("nonsense")
    done = ask("upgrade", proxy)
    assert done.returncode == 1 and "the new program exited with 1" in done.stderr
    exchange(proxy.client(), origin)
    proxy.stop()


@pytest.mark.parametrize("reason", ["is taken", "is no longer wanted"])
def test_whoever_asked_for_an_upgrade_is_told_which_address_stops_it(upgradable, origin, reason):
    other = listening()
    host, port = other.getsockname()
    taken = f"{host}:{port}"
    proxy = upgradable()
    both = proxy.policy_now().replace(f'"{proxy.listen}"', f'{{ "{proxy.listen}", "{taken}" }}')
    if reason == "is taken":
        proxy.policy.write_text(both)
        want = f"cannot listen on {taken}: Address already in use; "
    else:
        other.close()
        proxy.policy.write_text(both)
        assert ask("reload", proxy).returncode == 0
        proxy.write("")
        want = f"clients are accepted on {taken}, which `listen` no longer names; reload before an upgrade; "
    done = ask("upgrade", proxy)
    assert done.returncode == 1 and done.stderr.startswith(f"interim: upgrade failed: {want}")
    assert done.stderr.endswith("; going on as before\n")
    exchange(proxy.client(), origin)
    if reason == "is no longer wanted":
        assert ask("reload", proxy).returncode == 0
        mark = proxy.log.mark()
        assert ask("upgrade", proxy).returncode == 0
        successor(proxy, mark)
        assert proxy.process.wait(PATIENCE) == 0
    else:
        other.close()
        proxy.stop()


def test_the_path_of_a_unix_socket_goes_over_with_it(upgradable, origin, shared_path):
    path = shared_path / "front"
    proxy = upgradable(listen=f"unix:{path}")
    proxy.policy.write_text(proxy.policy_now() + "nonsense")
    assert ask("upgrade", proxy).returncode == 1
    assert path.exists()
    proxy.write("")
    mark = proxy.log.mark()
    assert ask("upgrade", proxy).returncode == 0
    pid = successor(proxy, mark)
    assert proxy.process.wait(PATIENCE) == 0
    exchange(connect(proxy.address), origin)
    os.kill(pid, signal.SIGTERM)
    wait_for(lambda: not path.exists(), "the path was left behind")


def test_a_port_that_the_kernel_chose_is_kept(upgradable, origin):
    proxy = upgradable(listen="127.0.0.1:0")
    port = proxy.ready[0].split("127.0.0.1:")[1].split(",")[0]
    mark = proxy.log.mark()
    assert ask("upgrade", proxy).returncode == 0
    successor(proxy, mark)
    assert f"listening on 127.0.0.1:{port}" in proxy.log.wait("ready:.*", mark)[0]
    assert proxy.process.wait(PATIENCE) == 0
    exchange(connect(("127.0.0.1", int(port))), origin)


def test_sigterm_during_an_upgrade_ends_both(upgradable):
    proxy = upgradable()
    proxy.program.unlink()
    proxy.program.write_text("#!/bin/sh\nexec sleep 60\n")
    proxy.program.chmod(0o755)
    proxy.kill(signal.SIGUSR2)
    proxy.logged("upgrading")
    children = set(proxy.workers())
    proxy.stop()
    wait_for(lambda: not any(alive(pid) for pid in children), "the new program stays")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["TERM", "INT"])
def test_an_upgrade_that_a_stop_ends_leaves_no_socket_behind(upgradable, manager, shared_path, number):
    proxy = upgradable(env={"NOTIFY_SOCKET": manager.getsockname()})
    listen, path = proxy.listen, shared_path / "front"
    proxy.policy.write_text(proxy.policy_now().replace(f'"{listen}"', f'{{ "{listen}", "unix:{path}" }}')
                            .replace("return {", slow(0.4) + "return {"))
    with subprocess.Popen([binary(), "upgrade", str(proxy.process.pid)], stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True) as asking:
        wait_for(path.exists, "the new program does not listen")
        children = set(proxy.workers())
        proxy.stop(number)
        _, said = asking.communicate(timeout=PATIENCE)
    assert said == "interim: upgrade given up: stopping\n" and asking.returncode == 1
    assert "upgrade given up: stopping" in proxy.log.text()
    # The program before has waited for that.
    assert not path.exists()
    assert not any(alive(pid) for pid in children)
    # Which told the service manager nothing of its own end.
    assert sum(b"STOPPING" in message for message in waiting(manager)) == 1


@pytest.mark.parametrize("fails", [False, True], ids=["upgraded", "failed"])
def test_a_reload_asked_for_during_an_upgrade_is_done_by_who_is_there_then(upgradable, tmp_path, fails):
    proxy = upgradable()
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    proxy.program.unlink()
    proxy.program.write_text(f"#!/bin/sh\nread go <{gate}\n" +
                             ("exit 3\n" if fails else f'exec {binary()} "$@"\n'))
    proxy.program.chmod(0o755)
    mark = proxy.log.mark()
    proxy.kill(signal.SIGUSR2)
    proxy.logged("upgrading")
    proxy.kill(signal.SIGHUP)
    proxy.stats()  # the signal before it has arrived
    desk = visit(proxy, b"reload")
    for _ in range(3):  # turns, one in which it is let in and one in which it is heard
        proxy.stats()
    gate.write_text("go\n")
    said = desk.recv(4096).decode()
    desk.close()
    if fails:
        assert said == "+reloaded: policy generation 2"
        proxy.log.wait("upgrade failed: the new program exited with 3", mark)
        proxy.log.wait("reloaded: policy generation 2", mark)
        proxy.stop()
    else:
        pid = successor(proxy, mark)
        assert said == f"-process {pid} has taken over, and is to reload"
        proxy.log.wait("reloaded: policy generation 2", mark)
        assert proxy.process.wait(PATIENCE) == 0


# ---- sockets passed on ----

def activated(tmp_path, sockets, listen, pid="$$", upstream="127.0.0.1:9"):
    """The program as a service manager starts it, with these sockets as 3, 4, ..."""
    policy = tmp_path / "policy.lua"
    policy.write_text(f"return {{ listen = {listen}, upstream = \"{upstream}\", workers = 1 }}\n")
    script = "".join(f"exec {3 + i}<&{s.fileno()}; " for i, s in enumerate(sockets))
    script += f"export LISTEN_PID={pid} LISTEN_FDS={len(sockets)}; exec {binary()} {policy}"
    return ["bash", "-c", script], [s.fileno() for s in sockets]


def listening(path=None):
    s = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
    s.bind(str(path) if path else ("127.0.0.1", 0))
    s.listen(16)
    # Above those that the program is to find, so that the shell can put it there.
    high = socket.socket(fileno=fcntl.fcntl(s.fileno(), fcntl.F_DUPFD_CLOEXEC, 50))
    s.close()
    return high


def start_activated(command, fds):
    return subprocess.Popen(command, pass_fds=fds, stdout=subprocess.DEVNULL,
                            stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)


def test_sockets_of_the_service_manager_are_used(tmp_path, origin, shared_path):
    tcp, path = listening(), shared_path / "front"
    local = listening(path)
    path.chmod(0o666)
    host, port = tcp.getsockname()
    early = connect((host, port))  # before the program runs: it waits in the queue
    early.send(get())
    command, fds = activated(tmp_path, [tcp, local], f'{{ "{host}:{port}", "unix:{path}" }}',
                             upstream=origin.text)
    process = start_activated(command, fds)
    tcp.close()
    local.close()
    wire = origin.accept()
    wire.request()
    wire.send(OK)
    assert early.response().status == 200
    early.close()
    origin.hang_up()
    exchange(connect(str(path)), origin)
    process.terminate()
    assert process.wait(PATIENCE) == 0
    assert path.exists()  # it is the service manager's
    origin.hang_up()


def test_one_whose_predecessor_has_lost_patience_leaves_it_the_paths_and_the_word(
        tmp_path, shared_path, manager):
    path = shared_path / "front"
    local = listening(path)
    before, answer = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    before.shutdown(socket.SHUT_RD)
    high = socket.socket(fileno=fcntl.fcntl(answer.fileno(), fcntl.F_DUPFD_CLOEXEC, 60))
    answer.close()
    command, fds = activated(tmp_path, [local, high], f'"unix:{path}"')
    command[2] = command[2].replace("LISTEN_FDS=2", "LISTEN_FDS=1 LISTEN_FDNAMES=interim-owned "
                                                    f"NOTIFY_SOCKET={manager.getsockname()} "
                                                    "INTERIM_UPGRADE_FD=4")
    process = start_activated(command, fds)
    while "ready:" not in process.stderr.readline():
        assert process.poll() is None
    process.terminate()
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert path.exists()
    assert waiting(manager) == []
    before.close()


@pytest.mark.parametrize("case", ["unmatched", "not listening", "another process"])
def test_a_socket_that_does_not_fit_is_an_error_with_the_fix(tmp_path, case):
    tcp = listening()
    host, port = tcp.getsockname()
    if case == "not listening":
        tcp.close()
        plain = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        tcp = socket.socket(fileno=fcntl.fcntl(plain.fileno(), fcntl.F_DUPFD_CLOEXEC, 50))
    listen = f'"127.0.0.1:{free_port()}"'
    pid = "1" if case == "another process" else "$$"
    command, fds = activated(tmp_path, [tcp], listen, pid=pid)
    process = start_activated(command, fds)
    if case == "another process":
        # Not meant for this one: it binds by itself.
        while "ready:" not in process.stderr.readline():
            assert process.poll() is None
        process.terminate()
        process.communicate(timeout=PATIENCE)
        assert process.returncode == 0
        return
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    if case == "unmatched":
        assert f"the socket on {host}:{port} was passed on, but `listen` does not name it; add" in said
    else:
        assert "is no listening stream socket" in said and "Accept=no" in said


# ---- the service manager ----

@pytest.fixture
def manager(tmp_path):
    """The socket of a service manager: what it was told, message by message."""
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(str(path))
        s.settimeout(PATIENCE)
        yield s


def told(manager, name):
    """The first message that has this variable, as a dict."""
    while True:
        message = dict(line.split("=", 1) for line in manager.recv(4096).decode().split("\n"))
        if name in message:
            return message


def waiting(manager):
    """The messages that have come and were not looked at."""
    messages = []
    manager.setblocking(False)
    with pytest.raises(BlockingIOError):
        while True:
            messages.append(manager.recv(4096))
    return messages


def test_the_service_manager_is_told_of_every_change(running, manager):
    proxy = running(version("1"), env={"NOTIFY_SOCKET": manager.getsockname()})
    ready = told(manager, "READY")
    assert ready == {"READY": "1", "STATUS": "Policy generation 1, 1 worker"}
    before = time.monotonic_ns() // 1000
    proxy.kill(signal.SIGHUP)
    reloading = told(manager, "RELOADING")
    assert before <= int(reloading["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
    assert told(manager, "READY")["STATUS"] == "Policy generation 2, 1 worker"
    proxy.policy.write_text("nonsense")
    proxy.kill(signal.SIGHUP)
    told(manager, "RELOADING")
    status = told(manager, "READY")["STATUS"]
    assert status.startswith("Policy generation 2, 1 worker; reload failed: ")
    # One datagram of a kilobyte is enough for anybody.
    proxy.policy.write_text("return { " + ", ".join(f"x{n} = 1" for n in range(100)) + " }")
    proxy.kill(signal.SIGHUP)
    told(manager, "RELOADING")
    status = told(manager, "READY")["STATUS"]
    assert status.startswith("Policy generation 2, 1 worker; reload failed: ") and len(status) < 1024
    proxy.kill(signal.SIGTERM)
    assert told(manager, "STOPPING")["STOPPING"] == "1"
    proxy.stop()


def test_the_service_manager_is_asked_for_the_time_that_draining_may_take(running, manager):
    proxy = running('drain = "10m",', env={"NOTIFY_SOCKET": manager.getsockname()})
    told(manager, "READY")
    proxy.kill(signal.SIGTERM)
    assert int(told(manager, "STOPPING")["EXTEND_TIMEOUT_USEC"]) > 600 * 1_000_000
    proxy.stop()


def test_a_stop_at_once_asks_for_no_time(running, manager):
    proxy = running('drain = "10m",', env={"NOTIFY_SOCKET": manager.getsockname()})
    told(manager, "READY")
    proxy.kill(signal.SIGINT)
    assert told(manager, "STOPPING")["EXTEND_TIMEOUT_USEC"] == "0"
    proxy.stop()


def test_the_watchdog_is_fed_twice_as_often_as_it_wants(running, manager):
    proxy = running(env={"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "200000"})
    told(manager, "WATCHDOG")
    times = []
    for _ in range(5):
        told(manager, "WATCHDOG")
        times.append(time.monotonic())
    assert 0.3 < times[-1] - times[0] < 1
    proxy.kill(signal.SIGSTOP)
    manager.setblocking(False)
    with pytest.raises(BlockingIOError):
        while True:
            manager.recv(4096)
    proxy.kill(signal.SIGCONT)
    proxy.stop()


def test_a_watchdog_meant_for_another_process_is_not_fed(running, manager):
    proxy = running(env={"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "100000",
                         "WATCHDOG_PID": "1"})
    proxy.kill(signal.SIGHUP)
    told(manager, "READY")
    proxy.logged("reloaded")
    messages = [told(manager, "READY")]
    manager.settimeout(0.3)
    with pytest.raises(TimeoutError):
        while True:
            messages.append(manager.recv(4096))
    assert not any(b"WATCHDOG" in m for m in messages if isinstance(m, bytes))
    proxy.stop()


def test_after_an_upgrade_the_service_manager_knows_the_new_process(upgradable, manager):
    proxy = upgradable(env={"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "60000000",
                            "WATCHDOG_PID": "1"})
    told(manager, "READY")
    mark = proxy.log.mark()
    proxy.kill(signal.SIGUSR2)
    pid = successor(proxy, mark)
    assert told(manager, "MAINPID") == {"MAINPID": str(pid)}
    assert proxy.process.wait(PATIENCE) == 0
    # The old one's end is not the service's.
    assert not any(b"STOPPING" in message for message in waiting(manager))


def test_a_service_manager_may_have_an_abstract_address(running):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as abstract:
        abstract.bind("")  # the kernel chooses one
        abstract.settimeout(PATIENCE)
        address = abstract.getsockname().decode()
        proxy = running(env={"NOTIFY_SOCKET": address.replace("\0", "@", 1)})
        assert told(abstract, "READY")["READY"] == "1"
        proxy.stop()


@pytest.mark.parametrize("address", ["notify", "/" + "x" * 200, "vsock:2:1234"])
def test_an_address_of_the_service_manager_that_is_none_is_warned_of(running, address):
    proxy = running(env={"NOTIFY_SOCKET": address})
    assert "NOTIFY_SOCKET is no address of a unix socket; going on without" in proxy.log.text()
    proxy.stop()


def test_a_service_manager_that_is_gone_is_no_reason_to_stop(running, tmp_path, origin):
    proxy = running(env={"NOTIFY_SOCKET": str(tmp_path / "nobody")})
    exchange(proxy.client(), origin)
    assert "reloaded" in proxy.reload()
    proxy.stop()
