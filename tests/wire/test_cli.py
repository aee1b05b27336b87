"""The command line, and what a policy that does not load says about itself."""

import re
import subprocess

import pytest

from harness import Proxy, binary, free_port, run
from peers import Origin
from scenes import exchange


@pytest.fixture
def check(tmp_path):
    """check(text, name=..., **more files): how `interim check` ends."""
    def check(text, **modules):
        (tmp_path / "policy.lua").write_text(text)
        for name, source in modules.items():
            (tmp_path / f"{name}.lua").write_text(source)
        return run("check", "policy.lua", cwd=tmp_path)
    return check


def fields(text):
    return f'return {{\n  listen = "127.0.0.1:8080",\n  upstream = "127.0.0.1:9",\n  {text}\n}}\n'


def test_a_good_policy_is_good(check):
    done = check(fields("workers = 2,"))
    assert (done.returncode, done.stderr) == (0, "")


BAD = {
    "timeouts = { conect = 5 },": r'^policy\.lua.*: timeouts\.conect: unknown.*did you mean "connect"\?',
    "limits = { haed = 5 },": r'limits\.haed: unknown.*did you mean "head"',
    "listne = 1,": r'listne: unknown.*did you mean "listen"',
    "zzzzzz = 1,": r"zzzzzz: unknown",
    'timeouts = { response = "soon" },': r"timeouts\.response: ",
    "timeouts = { response = -1 },": r"timeouts\.response: ",
    "timeouts = 5,": r"timeouts: ",
    "timeouts = { connect = 0/0 },": r"timeouts\.connect: ",
    'limits = { head = "64q" },': r"limits\.head: ",
    "limits = { fields = 1.5 },": r"limits\.fields: ",
    'workers = "many",': r"workers: ",
    "workers = 0,": r"workers: ",
    'statuses = "odd",': r"statuses: .*(default|standard|cloudflare)",
    'access_log = "xml",': r"access_log: .*(text|json)",
    'on_error = "open",': r"on_error: .*(deny|default)",
    'trusted_proxies = { "nonsense" },': r"trusted_proxies(\[1\]|\.1)?: ",
    'upstreams = { app = { addresses = {} } },': r"upstreams\.app",
    'upstreams = { app = "nonsense" },': r"upstreams\.app",
    'upstreams = { app = { addresses = "127.0.0.1:1", balance = "odd" } },': r"upstreams\.app\.balance: ",
    'upstreams = { app = { addresses = "127.0.0.1:1", timeouts = { x = 1 } } },': r"upstreams\.app\.timeouts\.x: ",
    "expect = 5,": r"expect: ",
    'request = "text",': r"request: ",
    "via = 5,": r"via: ",
    'via = "two words",': r"via: ",
    'drain = "x",': r"drain: ",
    "jit = 1,": r"jit: ",
    'user = 5,': r"user: ",
    '[1] = "x",': r"\[1\]",
    'timeouts = { response = 1, [3] = 2 },': r"timeouts(\[3\]: |: .*\[3\])",
}


@pytest.mark.parametrize("text,message", BAD.items(), ids=BAD)
def test_check_names_file_and_key(check, text, message):
    done = check(fields(text))
    assert done.returncode == 1
    assert done.stderr.startswith("policy.lua")
    assert re.search(message, done.stderr, re.MULTILINE), done.stderr


SOURCES = {
    "a syntax error": ("return {\n  listen = ,\n}\n", r"^policy\.lua:2: "),
    "an error while loading": ("local x\nlocal y = x.z\nreturn {}\n", r"^policy\.lua:2: "),
    "an error that was raised": ("\n\nerror('on purpose')\n", r"^policy\.lua:3: .*on purpose"),
    "no table": ("return 5\n", r"^policy\.lua.*table"),
    "nothing": ("", r"^policy\.lua.*table"),
    "no listen": ('return { upstream = "127.0.0.1:1" }\n', r"^policy\.lua.*listen"),
    "a missing module": ('require "nowhere"\nreturn {}\n', r"^policy\.lua:1: .*nowhere"),
    "a loop": ("while true do end\n", r"^policy\.lua"),
    "too much memory": ("local t = {} while true do t[#t+1] = ('x'):rep(1e6) .. #t end\n", r"^policy\.lua"),
    "an unknown upstream": ('return { listen = 8080, upstream = "nowhere" }\n', r"^policy\.lua.*upstream"),
    "io": ("local f = io.open('/etc/passwd')\nreturn {}\n", r"^policy\.lua:1: "),
    "bytecode": ("\x1bLJ\x02", r"^policy\.lua"),
}


@pytest.mark.parametrize("text,message", SOURCES.values(), ids=SOURCES)
def test_check_names_the_line_where_lua_knows_it(check, text, message):
    done = check(text)
    assert done.returncode == 1
    assert re.search(message, done.stderr, re.MULTILINE), done.stderr


def test_check_names_the_module_in_which_it_failed(check):
    done = check('require "helper"\nreturn {}\n', helper="return {\n  x = = 1\n}\n")
    assert done.returncode == 1
    assert re.search(r"helper\.lua:2: ", done.stderr), done.stderr


def test_check_reports_every_wrong_field(check):
    done = check(fields("timeouts = { conect = 5 }, statuses = 'odd', worker = 1,"))
    for key in ("timeouts.conect", "statuses", "worker"):
        assert key in done.stderr


def test_check_of_a_file_that_is_not_there(tmp_path):
    done = run("check", "none.lua", cwd=tmp_path)
    assert done.returncode == 1
    assert re.search(r"none\.lua.*No such file", done.stderr)


@pytest.mark.parametrize("text", ["return 5\n", fields("timeouts = { conect = 5 },")])
def test_run_refuses_what_check_refuses(tmp_path, text):
    (tmp_path / "policy.lua").write_text(text)
    checked = run("check", "policy.lua", cwd=tmp_path)
    for words in (["run", "policy.lua"], ["policy.lua"]):
        done = run(*words, cwd=tmp_path)
        assert done.returncode == 1
        assert done.stderr == checked.stderr


def test_version_and_help():
    done = run("--version")
    assert done.returncode == 0
    assert re.match(r"interim \d+\.\d+\.\d+", done.stdout)
    for words in (["--help"], ["-h"], ["help"]):
        done = run(*words)
        assert (done.returncode, done.stderr) == (0, "")
        for word in ("run", "check", "--listen", "--upstream", "--version", "HUP"):
            assert word in done.stdout


@pytest.mark.parametrize("words", [["--version"], ["--help"], ["check", "policy.lua"],
                                   ["status", "--help"]], ids=repr)
def test_output_that_is_lost_is_a_failure(tmp_path, words):
    (tmp_path / "policy.lua").write_text(fields(""))
    with open("/dev/full", "w") as full:
        assert subprocess.run([binary(), *words], cwd=tmp_path, stdout=full, timeout=60).returncode == 1


@pytest.mark.parametrize("words,message", [
    ([], "policy"), (["chekc", "x.lua"], 'did you mean "check"'), (["--lisen", "8080"], '"--listen"'),
    (["--listen"], "needs a value"), (["--listen", "8080"], "--upstream"), (["check"], "policy"),
    (["run"], "policy"), (["run", "a.lua", "b.lua"], "b.lua"), (["x.lua", "--workers", "0"], "--workers"),
    (["x.lua", "--workers", "many"], "--workers"), (["x.lua", "--listen", "8080"], "--listen"),
], ids=repr)
def test_a_wrong_command_line_says_what_was_meant(words, message):
    done = run(*words)
    assert done.returncode == 2
    assert message in done.stderr and done.stdout == ""


@pytest.mark.parametrize("listen", ["nonsense", "127.0.0.1:99999", "256.0.0.1:80", "unix:", ""])
def test_an_address_that_is_none_is_refused(listen):
    done = run("--listen", listen, "--upstream", "127.0.0.1:1")
    assert done.returncode == 2 and done.stderr


def test_flags_alone_run_the_defaults(tmp_path):
    origin = Origin()
    address = f"127.0.0.1:{free_port()}"
    proxy = Proxy(tmp_path, listen=address, upstream=origin.text,
                  args=["--listen", address, "--upstream", origin.text, "--workers", "1"])
    proxy.begin()
    exchange(proxy.client(), origin)
    origin.hang_up()
    proxy.settle()
    proxy.stop()
    assert re.search(r'"GET / HTTP/1\.1" 200 upstream', proxy.access.text())
    origin.close()


def test_a_policy_alone_is_run(tmp_path):
    origin = Origin()
    listen = f"127.0.0.1:{free_port()}"
    (tmp_path / "p.lua").write_text(
        f'return {{ listen = "{listen}", upstream = "{origin.text}", workers = 1 }}')
    proxy = Proxy(tmp_path, listen=listen, upstream=origin.text, args=[str(tmp_path / "p.lua")])
    exchange(proxy.client(), origin)
    origin.hang_up()
    proxy.settle()
    proxy.stop()
    origin.close()


def test_an_address_that_is_taken_is_named(tmp_path):
    taken = Origin()
    done = run("--listen", taken.text, "--upstream", "127.0.0.1:1")
    assert done.returncode == 1
    assert re.search(rf"{taken.text}.*[Aa]ddress already in use", done.stderr)
    taken.close()


def test_the_ready_line_says_where_it_listens(tmp_path):
    process = subprocess.Popen([binary(), "--listen", "127.0.0.1:0", "--upstream", "127.0.0.1:1"],
                               stderr=subprocess.PIPE, text=True)
    try:
        line = next(line for line in process.stderr if "ready:" in line)
        assert re.search(r"127\.0\.0\.1:[1-9]\d+", line)
    finally:
        process.terminate()
        process.communicate(timeout=20)
    assert process.returncode == 0
