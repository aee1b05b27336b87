"""What a policy's own mistakes can do: cost their exchange an answer and one log line. Every test
has a neighbour, an ordinary exchange that must be served meanwhile by the same worker."""

import resource
import time

import pytest

from harness import is_sanitized
from scenes import EXPECT, OK, get, is_page, post
from test_upgrade import offer

# Each must end as a failed hook.
DEEDS = {
    "error": "error('on purpose')",
    "error without text": "error({})",
    "loop": "while true do end",
    "goto": "::a:: goto a",
    "loop in pcall": "while true do pcall(function() while true do end end) end",
    "pcall to the stack's end": "local function f() for i = 1, 1e9 do pcall(f) end end f()",
    "recursion": "local function f() return 1 + f() end f()",
    "coroutines": "while true do coroutine.wrap(function() coroutine.yield() end)() end",
    "coroutines in coroutines":
        "local function f() for i = 1, 1e9 do coroutine.resume(coroutine.create(f)) end end f()",
    "loop in a metamethod":
        "return #setmetatable({}, { __index = function() while true do end end }).x",
    "loop in sort": "table.sort({ 3, 2, 1 }, function() while true do pcall(error) end end)",
    "find on a hostile header": "for i = 1, 100 do req.headers['x-hostile']:find('%s+$') end",
    "match on a hostile header": "pcall(string.match, req.headers['x-hostile'], '^(.-)%s*%s*%s*x$')"
                                 " while true do end",
    "gmatch on a hostile header": "for i = 1, 100 do for _ in req.headers['x-hostile']"
                                  ":gmatch('%s*x') do end end",
    "gsub on a hostile header": "for i = 1, 100 do req.headers['x-hostile']:gsub('%s+$', '') end",
    "string.rep of 1 GB": "return #('x'):rep(1e9)",
    "string.rep of 1 GB in pcall": "while true do pcall(string.rep, 'x', 1e9) end",
    "hoard": "local t = {} while true do t[#t + 1] = ('x'):rep(1e5) .. #t end",
    "hoard in pcall": "local t = {} while true do pcall(function() t[#t + 1] = ('x'):rep(1e5) .. #t"
                      " end) end",
    "hoard of tables": "local t = {} while true do t = { t, {}, {}, {} } end",
    "hoard by doubling": "local s = 'x' while true do s = s .. s end",
    "concat": "local t = {} for i = 1, 1e3 do t[i] = ('x'):rep(1e5) end return #table.concat(t)",
    "unpack": "return select('#', unpack({}, 1, 1e8))",
    "json": "local t = { 1 } for i = 1, 60 do t = { t, t } end interim.json.encode(t)",
    "bytecode": "return load('\\27LJ')()",
    "loadstring": "return loadstring('return 1')()",
    "string.dump": "return #string.dump(error)",
    "xpcall": "return xpcall(error, function() while true do end end)",
    "newproxy": "local p = newproxy(true) getmetatable(p).__gc = function() while true do end end",
    "jit": "jit.on() while true do end",
    "string metatable": "getmetatable('').__index = function() while true do end end",
    "a global": "leaked = 1",
    "the table of globals": "rawset(_G, 'leaked', 1)",
    "a library": "string.find = nil",
    "interim": "interim.sleep = nil",
    "leave": "os.exit(1)",
    "yield": "coroutine.yield()",
    "module": "require 'nothing'",
    "a body of 16 MB": "return { status = 200, body = ('x'):rep(2^24) }",
    "a field of 16 MB": "return { status = 200, headers = { a = ('x'):rep(2^24) } }",
    "a field in 100,000 lines": "local t = {} for i = 1, 1e5 do t[i] = 'x' end "
                                "return { status = 200, headers = { a = t } }",
    "10,000 fields": "local t = {} for i = 1, 1e4 do t['x' .. i] = 'x' end "
                     "return { status = 200, headers = t }",
    "fields and body together": "local t = {} for i = 1, 100 do t['x' .. i] = ('x'):rep(1e5) end "
                                "return { status = 200, headers = t, body = ('x'):rep(2^20) }",
    "edits that leave no room for a page": "for size = 5, 0, -1 do pcall(function() while true do "
                                           "req.headers.x = ('x'):rep(10 ^ size) end end) end "
                                           "error('full')",
    "a name of 1 MB": "return { status = 200, headers = { [('x'):rep(2^20)] = 'x' } }",
    "wrong type": "return function() end",
    "wait for ever": "while true do interim.sleep(3600) end",
}

# Each looks like an escape and is none: the exchange goes on as if nothing had been done.
HARMLESS = {
    "__gc of a table": "setmetatable({}, { __gc = function() while true do end end })"
                       " for i = 1, 1e4 do local t = {} end",
    "a coroutine left behind": "coroutine.wrap(function() coroutine.yield() end)()",
    "a weak table": "local t = setmetatable({}, { __mode = 'k' }) for i = 1, 1e3 do t[{}] = i end",
    "a hostile header, trimmed": "assert(#interim.trim(req.headers['x-hostile']) == 65002)",
    "a hostile header, split":
        "assert(#interim.split(req.headers['x-hostile'], ' ') > 60000)",
}

PRELUDE = "local deeds = {\n" + "".join(
    f'["{name}"] = function(req) {lua} end,\n' for name, lua in {**DEEDS, **HARMLESS}.items()) + """}
local function act(hook, req)
  if req.headers["x-hook"] == hook then return deeds[req.headers["x-do"]](req) end
end
"""

HOOKS = ("request", "expect", "upgrade", "timeout", "error", "response", "log")

FIELDS = """
  limits = { head = "128k" },
  timeouts = { hook = 0.3, response = 0.3 },
""" + "".join(f'  {hook} = function(req) return act("{hook}", req) end,\n' for hook in HOOKS)


@pytest.fixture
def proxy(start):
    return start(FIELDS, prelude=PRELUDE)


def asks(hook, deed):
    fields = [f"X-Hook: {hook}", f"X-Do: {deed}"]
    if "hostile" in deed:
        fields.append("X-Hostile: y" + " " * 65000 + "y")
    return fields


def neighbour(proxy, origin, pooled=None):
    """Sends an ordinary request; the function that it returns expects the answer. It may reach the
    origin by a connection that stands already."""
    client = proxy.client()
    client.send(get())

    def served():
        wire = origin.either(pooled) if pooled else origin.accept()
        wire.request()
        wire.send(OK)
        assert client.response().body == b"ok"
    return served


def failed(proxy, hook, workers):
    """One failed hook, told in one line; the same workers."""
    proxy.logged(rf"the {hook} hook failed: ")
    proxy.counts("hook_errors", 1)
    assert proxy.workers() == workers


@pytest.mark.parametrize("deed", DEEDS)
def test_a_misdeed_costs_one_answer_and_nobody_else_anything(proxy, origin, deed):
    workers, client = proxy.workers(), proxy.client()
    client.send(get(*asks("request", deed)))
    served = neighbour(proxy, origin)
    served()
    is_page(client.response(), 500)
    assert origin.untouched()
    failed(proxy, "request", workers)


@pytest.mark.parametrize("deed", HARMLESS)
def test_what_looks_like_an_escape_is_none(proxy, origin, deed):
    client = proxy.client()
    client.send(get(*asks("request", deed)))
    wire = origin.accept()
    wire.request()
    wire.send(OK)
    assert client.response().body == b"ok"
    neighbour(proxy, origin, wire)()
    proxy.counts("hook_errors", 0)


KINDS = ("error", "loop", "hoard", "wait for ever", "wrong type")


@pytest.mark.parametrize("deed", KINDS)
@pytest.mark.parametrize("hook,head", [
    ("request", get), ("expect", lambda *fields: post(EXPECT, "Content-Length: 5", *fields)),
    ("upgrade", offer),
], ids=["request", "expect", "upgrade"])
def test_a_hook_before_the_origin_fails_closed(proxy, origin, hook, head, deed):
    workers, client = proxy.workers(), proxy.client()
    client.send(head(*asks(hook, deed)))
    neighbour(proxy, origin)()
    is_page(client.response(), 500)
    assert origin.untouched()
    failed(proxy, hook, workers)


@pytest.mark.parametrize("deed", KINDS)
@pytest.mark.parametrize("hook,answer,status", [
    ("timeout", None, 524), ("error", b"nonsense\r\n\r\n", 502), ("response", OK, 500),
], ids=["timeout", "error", "response"])
def test_a_hook_behind_the_origin_gives_way_to_a_page(proxy, origin, hook, answer, status, deed):
    workers, client = proxy.workers(), proxy.client()
    client.send(get(*asks(hook, deed)))
    wire = origin.accept()
    wire.request()
    if answer is not None:
        wire.send(answer)
    neighbour(proxy, origin, wire)()
    is_page(client.response(), status)
    failed(proxy, hook, workers)


@pytest.mark.parametrize("deed", KINDS)
def test_the_log_hook_costs_nothing_but_a_line(proxy, origin, deed):
    workers, client = proxy.workers(), proxy.client()
    client.send(get(*asks("log", deed)))
    wire = origin.accept()
    wire.request()
    wire.send(OK)
    assert client.response().body == b"ok"
    neighbour(proxy, origin, wire)()
    failed(proxy, "log", workers)


def test_ten_thousand_out_of_memory_errors_leave_the_worker_as_it_was(start, origin):
    proxy = start("access_log = false," + FIELDS, prelude=PRELUDE)
    workers, client = proxy.workers(), proxy.client()
    head = get(*asks("request", "string.rep of 1 GB"))

    def misbehave(batches):
        for _ in range(batches):
            client.send(head * 100)
            for _ in range(100):
                is_page(client.response(), 500)

    misbehave(10)
    before = proxy.worker_rss()
    misbehave(90)
    if not is_sanitized():
        assert proxy.worker_rss() < before + 2 * 2**20
    neighbour(proxy, origin)()
    proxy.counts("hook_errors", 10000)
    assert proxy.workers() == workers


MANY = 9000

# Nobody is let go before all are there, so all did wait at once. So many lines in one turn of
# the loop are more than the access log holds.
BARRIER = f"""
  access_log = false,
  limits = {{ connections = {MANY + 1}, connections_per_address = 0 }},
  timeouts = {{ hook = 100 }},
  request = function(req)
    if req.path == "/" then return nil end
    here = here + 1
    while here < {MANY} do interim.sleep(0.5) end
    return 204
  end,
"""


@pytest.fixture
def descriptors():
    """As many as this process and those it starts may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2 * MANY + 1000:
        # The hard limit is the machine's: so many clients, of two each, cannot be had under it.
        pytest.skip(f"{hard} descriptors at most")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_thousands_of_hooks_wait_at_once(descriptors, start, origin):
    proxy = start(BARRIER, prelude="local here = 0", fresh=True)
    clients = [proxy.client() for _ in range(MANY)]
    for client in clients[1:]:
        client.send(get(target="/wait"))
    proxy.wait_stats(lambda s: s["active"] == MANY - 1, patience=60)
    neighbour(proxy, origin)()
    clients[0].send(get(target="/wait"))
    for client in clients:
        assert client.response().status == 204


def test_hooks_that_wait_end_with_their_clients(descriptors, start, origin):
    proxy = start(BARRIER, prelude="local here = -1e6", fresh=True)
    for _ in range(1000):
        proxy.client().send(get(target="/wait"))
    proxy.wait_stats(lambda s: s["active"] == 1000, patience=60)
    for client in proxy.clients:
        client.close()
    proxy.wait_stats(lambda s: s["active"] == 0 and s["open"] == 0)
    proxy.counts("aborted", 1000)
    neighbour(proxy, origin)()


def test_a_runaway_loop_holds_its_worker_up_for_the_budget_only(start, origin):
    """Loosely, on a shared machine; tests/bench/hooks measures it."""
    proxy = start("limits = { hook_cpu = 0.1 }, request = function(req) while true do end end,")
    client = proxy.client()
    began = time.monotonic()
    client.send(get())
    is_page(client.response(), 500)
    assert 0.09 <= time.monotonic() - began < 1
