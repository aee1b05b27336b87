"""--allow: what is kept from policies, lifted by name, and loudly."""

import subprocess

import pytest

from harness import binary, free_port
from scenes import get

POLICY = """return {
  listen = "127.0.0.1:%d", upstream = "127.0.0.1:9", workers = 1, access_log = "json",
  request = function(req)
    if req.path == "/io" then
      local file = io.open("/proc/self/comm")
      local text = file:read("*l")
      file:close()
      return { status = 200, body = text }
    elseif req.path == "/ffi" then
      ffi.cdef "int getpid(void);"
      return { status = 200, body = tostring(ffi.C.getpid() > 1) }
    elseif req.path == "/load" then
      return { status = 200, body = loadstring("return 'loaded'")() }
    elseif req.path == "/os" then
      return { status = 200, body = type(os.remove) }
    elseif req.path == "/jit" then
      return { status = 200, body = type(jit.status) }
    elseif req.path == "/debug" then
      return { status = 200, body = type(debug.getinfo) }
    end
  end,
}
"""
SAYS = {"io": b"interim", "ffi": b"true", "load": b"loaded", "os": b"function",
        "jit": b"function", "debug": b"function"}


def run(start, tmp_path, *options):
    listen = f"127.0.0.1:{free_port()}"
    policy = tmp_path / "policy.lua"
    policy.write_text(POLICY % int(listen.rpartition(":")[2]))
    return start(fresh=True, listen=listen, policy=policy.read_text(),
                 args=["run", str(policy), *options])


def answer(proxy, name):
    client = proxy.client()
    client.send(get(target=f"/{name}"))
    return client.response()


@pytest.mark.parametrize("name", SAYS)
def test_what_is_not_allowed_is_not_there(start, tmp_path, name):
    proxy = run(start, tmp_path)
    if name == "os":
        assert answer(proxy, name).body == b"nil"
    else:
        assert answer(proxy, name).status == 500


def test_what_is_allowed_works_and_is_warned_of(start, tmp_path):
    proxy = run(start, tmp_path, "--allow", ",".join(SAYS))
    for name, says in SAYS.items():
        response = answer(proxy, name)
        assert (response.status, response.body) == (200, says), name
    proxy.log.wait(r"warning parent: --allow: nothing contains the policy")


def test_only_what_is_named_is_allowed(start, tmp_path):
    proxy = run(start, tmp_path, "--allow=load")
    assert answer(proxy, "load").body == b"loaded"
    assert answer(proxy, "io").status == 500


def test_an_unknown_name_is_refused_with_those_there_are():
    done = subprocess.run([binary(), "run", "policy.lua", "--allow", "io,net"],
                          capture_output=True, text=True)
    assert done.returncode == 2
    assert '--allow takes io, os, ffi, jit, debug, load, not "net"' in done.stderr
