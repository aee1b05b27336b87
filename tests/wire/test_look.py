"""`interim status` and `interim top`: what an operator sees, and what becomes of them when there is
nothing to see."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

import pytest

from harness import PATIENCE, binary, free_port, policy_text, run
from scenes import exchange, get
from test_admin import of
from test_operating import slow

POLICY = """admin = "127.0.0.1:0",
  request = function(req)
    if req.path == "/no" or req.path == "/metrics" then return 403 end
  end,"""


class Terminal:
    """A command on a terminal of its own."""

    def __init__(self, *args, rows=40, columns=120, term="xterm"):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(binary(), [binary(), *args], {**os.environ, "TERM": term})
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.text = ""

    def wait(self, pattern):
        """Reads until the pattern is in what came since the last time."""
        until = time.monotonic() + PATIENCE
        while not (found := re.search(pattern, self.text, re.S)):
            left = until - time.monotonic()
            assert left > 0, self.text
            if select.select([self.fd], [], [], left)[0]:
                self.text += os.read(self.fd, 65536).decode()
        self.text = self.text[found.end():]
        return found

    def press(self, key):
        os.write(self.fd, key)

    def end(self):
        """The exit status, when it has ended by itself."""
        while True:
            try:
                if not os.read(self.fd, 65536):
                    break
            except OSError:
                break
        _, status = os.waitpid(self.pid, 0)
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status)


def test_status_prints_how_it_is(proxy, client, origin):
    exchange(client, origin)
    client.send(get(target="/no"))
    assert client.response().status == 403
    of(proxy).wait(lambda s: s["counters"]["active"] == 0)
    done = run("status", str(proxy.process.pid))
    assert (done.returncode, done.stderr) == (0, "")
    assert re.match(r"interim \S+   ready   up \d+ s   policy generation 1\n", done.stdout)
    assert "1 of 1 work" in done.stdout
    assert re.search(r"^statuses +200 1   403 1$", done.stdout, re.M)
    assert re.search(r"^answered +upstream 1   here 1 ", done.stdout, re.M)
    assert re.search(r"^  request +calls 2   failed 0   median \S+ us", done.stdout, re.M)
    assert re.search(rf"^  {origin.text} +in use  requests 1   failed 0", done.stdout, re.M)


def test_status_asks_an_address(proxy):
    address = "%s:%d" % of(proxy).address
    assert run("status", address).stdout.startswith("interim ")


def test_status_prints_json(proxy):
    done = run("status", str(proxy.process.pid), "--json")
    assert json.loads(done.stdout)["state"] == "ready"


def test_output_that_is_lost_is_a_failure(start):
    """The C library keeps nothing of a long text that it could not write, so that its last flush has
    nothing to do and goes well."""
    many = ", ".join(f'"127.0.0.1:{port}"' for port in range(1, 100))
    proxy = start(f"upstreams = {{ many = {{ {many} }} }}," + POLICY)
    command = [binary(), "status", str(proxy.process.pid), "--json"]
    assert len(subprocess.run(command, capture_output=True).stdout) > 8192
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (1, "interim: the output cannot be written\n")


@pytest.mark.parametrize("command", ["status", "top"])
def test_there_may_be_no_admin_listener(start, command):
    done = run(command, str(start("").process.pid))
    assert (done.returncode, done.stdout) == (1, "")
    assert 'write admin = "127.0.0.1:9901" in its policy' in done.stderr


def test_it_may_not_have_read_its_policy_yet(tmp_path):
    policy = tmp_path / "policy.lua"
    policy.write_text(policy_text('admin = "127.0.0.1:0",', f"127.0.0.1:{free_port()}", "127.0.0.1:9",
                                  prelude=slow(1)))
    with subprocess.Popen([binary(), str(policy)], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as process:
        try:
            while "not the parent" in (said := run("status", str(process.pid)).stderr):
                assert process.poll() is None
        finally:
            process.terminate()
    assert said == "interim: it is starting, and has not read its policy yet; try again\n"


@pytest.mark.parametrize("command", ["status", "top"])
def test_nobody_may_be_there(command):
    address = f"127.0.0.1:{free_port()}"
    done = run(command, address)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"interim: {address}: Connection refused\n"


def test_it_may_be_something_else_that_answers(proxy):
    done = run("status", proxy.listen)
    assert done.returncode == 1 and "it answered 403 Forbidden" in done.stderr


@pytest.mark.parametrize("words", [["status", "1", "2"], ["status", "--jsn"], ["top", "--json"]])
def test_words_that_make_no_sense_are_refused(words):
    done = run(*words)
    assert done.returncode == 2 and "--help" in done.stderr


@pytest.mark.parametrize("address", ["127.0.0.1", ":", "0", "unix:", "status"])
def test_an_address_that_is_none_is_a_wrong_command_line(address):
    done = run("status", address)
    assert (done.returncode, done.stdout) == (2, "")
    assert f'interim: "{address}": ' in done.stderr and "expected" in done.stderr


@pytest.mark.parametrize("command", ["status", "top"])
def test_each_has_a_help(command):
    done = run(command, "--help")
    assert done.returncode == 0 and "interim top [PID | ADDRESS]" in done.stdout


def test_top_prints_once_without_a_terminal(proxy):
    done = run("top", str(proxy.process.pid))
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"^answered +upstream 0/s", done.stdout, re.M)
    assert "\033" not in done.stdout


def test_top_shows_what_passes_and_ends_at_q(proxy, client, origin):
    top = Terminal("top", str(proxy.process.pid))
    top.wait(r"\033\[\?1049h.*interim .*ready")
    exchange(client, origin)
    top.wait(r"answered +upstream 0\.\d/s|answered +upstream 1\.\d/s")
    top.press(b"q")
    top.wait(r"\033\[\?1049l")
    assert top.end() == 0


def test_top_draws_no_more_than_there_is_room_for(proxy):
    top = Terminal("top", str(proxy.process.pid), rows=5, columns=30)
    top.wait(r"\033\[H.*?\033\[J")
    frame = top.wait(r"\033\[H(.*?)\033\[J")[1]
    lines = [re.sub(r"\033\[K", "", line) for line in frame.split("\r\n")]
    assert len(lines) == 5 and max(map(len, lines)) == 30
    # What clears a line stands before it: behind a full one it would clear the last byte.
    assert all(line.startswith("\033[K") for line in frame.removeprefix("\033[H").split("\r\n"))
    top.press(b"q")
    assert top.end() == 0


def test_top_gives_the_terminal_back_when_it_is_ended(proxy):
    top = Terminal("top", str(proxy.process.pid))
    top.wait(r"interim ")
    os.kill(top.pid, signal.SIGTERM)
    top.wait(r"\033\[\?25h\033\[\?1049l")
    assert top.end() == 0


def test_top_ends_as_well_at_the_key_that_quits(proxy):
    top = Terminal("top", str(proxy.process.pid))
    top.wait(r"interim ")
    top.press(b"\x1c")
    top.wait(r"\033\[\?25h\033\[\?1049l")
    assert top.end() == 0


def test_top_gives_the_terminal_back_while_it_is_stopped(proxy):
    top = Terminal("top", str(proxy.process.pid))
    top.wait(r"interim ")
    modes = termios.tcgetattr(top.fd)
    top.press(b"\x1a")
    top.wait(r"\033\[\?25h\033\[\?1049l")
    _, status = os.waitpid(top.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status) and termios.tcgetattr(top.fd) != modes
    os.kill(top.pid, signal.SIGCONT)
    top.wait(r"\033\[\?1049h\033\[\?25l.*interim ")
    assert termios.tcgetattr(top.fd) == modes
    top.press(b"q")
    assert top.end() == 0


def test_top_prints_once_on_a_terminal_that_cannot_be_drawn_on(proxy):
    top = Terminal("top", str(proxy.process.pid), term="dumb")
    top.wait(r"answered +upstream 0/s")
    assert "\033" not in top.text and top.end() == 0


def test_top_says_when_nothing_comes_any_more(start):
    proxy = start('admin = "127.0.0.1:0", drain = 0,', fresh=True)
    top = Terminal("top", str(proxy.process.pid))
    top.wait(r"interim ")
    proxy.stop()
    top.wait(r"\033\[\?1049l.*interim: .*: Connection refused")
    assert top.end() == 1
