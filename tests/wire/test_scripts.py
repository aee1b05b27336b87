"""The scripts that ship: their documents are true, and they work in a worker, wherever the program
is. What each decides is tested beside it, by `interim test scripts`."""

import re
import shutil
import subprocess

import pytest

from harness import ROOT, binary
from scenes import CHUNKED, EXPECT, answer_with, exchange, get, is_page, passes, post
from test_upgrade import offer, switching

FOLDER = ROOT / "scripts"
NAMES = sorted(path.stem for path in FOLDER.glob("*.lua") if not path.stem.endswith("_test"))
SCRIPTS = [name for name in NAMES if name != "options"]
README = (FOLDER / "README.md").read_text()


def header(name):
    """The comment at a script's top, without its dashes."""
    lines = (FOLDER / f"{name}.lua").read_text().split("\n\n")[0].splitlines()
    return "\n".join(re.sub("^-- ?", "", line) for line in lines)


def example(name):
    return re.sub("(?m)^  ", "", header(name).split("Example:\n")[1]) + "\n"


EXAMPLES = {**{name: example(name) for name in SCRIPTS},
            **{f"README {n}": text for n, text in
               enumerate(re.findall(r"```lua\n(.*?)```", README, re.S), 1)}}


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_is_a_policy_that_loads_anywhere(tmp_path, name):
    program = shutil.copy(binary(), tmp_path / "moved")
    (tmp_path / "policy.lua").write_text(EXAMPLES[name])
    done = subprocess.run([program, "check", "policy.lua"], cwd=tmp_path, capture_output=True,
                          text=True)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_script_is_in_the_table_and_says_what_it_takes(name):
    assert f"[`{name}`]({name}.lua)" in README
    text = header(name)
    assert text.startswith(f"{name}: ") and "\nOptions:\n" in text
    taken = re.search(r"options\(\"%s\", .*?, \{\n(.*?)\n  \}\)" % name,
                      (FOLDER / f"{name}.lua").read_text(), re.S)[1]
    for option in re.findall(r"(?m)^    (\w+) = ", taken):
        assert re.search(rf"(?m)^  {option}\b", text), f"{option} is not documented"


def test_scripts_and_reference_know_the_fields_that_no_policy_may_set():
    head = (ROOT / "core/http/head.c").read_text()
    core = re.search(r"bool field_is_framing\(.*?\n}", head, re.S)[0]
    core = {name.lower().replace("_", "-") for name in re.findall(r"case FIELD_(\w+):", core)}
    known = re.search(r"local framing = {(.*?)\n}", (FOLDER / "options.lua").read_text(), re.S)[1]
    assert set(re.findall(r'\["([\w-]+)"\] = true', known)) == core
    named = re.search(r"frame or route a message \((.*?)\)", (ROOT / "lua/README.md").read_text())[1]
    assert set(re.findall(r"`([\w-]+)`", named.lower())) == core


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_script_has_its_tests_and_is_short(name):
    assert (FOLDER / f"{name}_test.lua").exists()
    assert len((FOLDER / f"{name}.lua").read_text().splitlines()) <= 80


def test_an_upload_is_gated_in_a_worker(start, origin):
    proxy = start('request = gate { tokens = "s3cret", max_size = 10, types = "image/*" },',
                  prelude='local gate = require "interim.scripts.upload_gate"')
    fields = ("Authorization: Bearer s3cret", "Content-Type: image/png")
    client = proxy.client()
    client.send(post(EXPECT, "Content-Length: 5", "Content-Type: image/png"))
    answer = client.response()
    is_page(answer, 401)
    assert answer.get("www-authenticate") == "Bearer"
    client = proxy.client()
    client.send(post(CHUNKED, *fields), "b\r\nhello world\r\n0\r\n\r\n")
    is_page(client.response(), 413)
    origin.hang_up()
    passes(proxy.client(), origin, post("Content-Length: 5", *fields) + b"hello")


def test_scripts_stand_beside_each_other_in_one_policy(start, origin):
    proxy = start("""
      upgrade = require("interim.scripts.websocket_origins") { origins = "https://a.example" },
      response = require("interim.scripts.security_headers")(),
      error = require("interim.scripts.json_errors")(),
    """)
    client = proxy.client()
    client.send(offer("Origin: https://b.example"))
    is_page(client.response(), 403)
    client = proxy.client()
    client.send(offer("Origin: https://a.example"))
    wire = origin.accept()
    wire.request()
    wire.send(switching())
    assert client.head().status == 101
    _, answer = exchange(proxy.client(), origin, answer=answer_with("Server: x"))
    assert (answer.get("server"), answer.get("x-content-type-options")) == (None, "nosniff")
    client = proxy.client()
    client.send(get())
    origin.wires[-1].request()
    origin.wires[-1].send("nonsense\r\n\r\n")
    assert client.response().get("content-type") == "application/problem+json"
    passes(proxy.client(), origin, get())
