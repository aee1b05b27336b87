"""The hooks of a policy, end to end: what each is asked, what its answer does, and what happens
when it errs, loops or waits."""

import json
import time

import pytest

from harness import free_port
from peers import Origin
from scenes import (CHUNKED, EXPECT, MARKER, OK, answer_with, exchange, get, is_page, passes, post,
                    refuses)
from test_time import PROCESSING, Span
from test_upgrade import offer, switching


def says(lua):
    """A request hook that answers with a JSON rendering of this expression."""
    return f"""request = function(req)
      return {{ status = 200, body = interim.json.encode({lua}) }}
    end,"""


def told(start, origin, lua, head=None):
    """The value of a Lua expression over `req`, seen through a request."""
    client = start(says(lua)).client()
    client.send(head or get())
    return json.loads(client.response().body)


REQUEST = get("X-One: 1", "X-Two: a", "x-two: b", "Content-Length: 0", "X-Empty:",
              target="/p/q?r=s&t", method="PUT", host="Host: a.example:81")


@pytest.mark.parametrize("lua,value", [
    ("req.method", "PUT"),
    ("req.target", "/p/q?r=s&t"),
    ("req.path", "/p/q"),
    ("req.query", "r=s&t"),
    ("req.version", "1.1"),
    ("req.scheme", "http"),
    ("req.host", "a.example:81"),
    ("req.body_size", 0),
    ("req.expects_continue", False),
    ("req.client.address", "127.0.0.1"),
    ('type(req.client.port)', "number"),
    ("req.headers.host", "a.example:81"),
    ('req.headers["X-ONE"]', "1"),
    ('req.headers["x-two"]', "a, b"),
    ('req.headers["x-empty"]', ""),
    ('{ req.headers["x-none"] == nil }', [True]),
    ('req.headers:all("X-Two")', ["a", "b"]),
    ('(function() local n = {} for name, value in req.headers:each() do n[#n+1] = name end'
     ' return n end)()',
     ["Host", "X-One", "X-Two", "x-two", "Content-Length", "X-Empty"]),
    ('{ #req.upgrade }', [0]),
    ('type(req.id)', "string"),
    ('req.headers["content-length"]', "0"),
])
def test_req_tells_of_the_request(start, origin, lua, value):
    assert told(start, origin, lua, REQUEST) == value


def test_req_query_is_nil_without_one_and_empty_when_empty(start, origin):
    lua = "{ req.query == nil, req.query == '' }"
    assert told(start, origin, lua, get(target="/")) == [True, False]
    assert told(start, origin, lua, get(target="/?")) == [False, True]


def test_req_body_size_is_nil_when_chunked(start, origin):
    head = post(CHUNKED) + b"0\r\n\r\n"
    assert told(start, origin, "{ req.body_size == nil }", head) == [True]


def test_req_upgrade_lists_what_is_offered(start, origin):
    assert told(start, origin, "req.upgrade", offer(protocol="x, websocket")) == ["x", "websocket"]


def test_request_may_answer_and_nothing_reaches_an_origin(start, origin):
    proxy = start("""request = function(req)
      if req.path == "/plain" then return 403 end
      return { status = 201, headers = { ["X-Own"] = "1", ["content-type"] = "text/own" },
               body = "made here" }
    end,""")
    client = proxy.client()
    client.send(get(target="/plain"), get(target="/whole"), get(target="/head", method="HEAD"))
    is_page(client.response(), 403)
    answer = client.response()
    assert (answer.status, answer.body) == (201, b"made here")
    assert (answer.get("x-own"), answer.get("content-type")) == ("1", "text/own")
    answer = client.response(to="HEAD")
    assert (answer.status, answer.get("content-length")) == (201, "9")
    assert origin.untouched()
    proxy.wait_stats(lambda s: s["active"] == 0)
    proxy.counts("answered_here", 3)


def test_request_that_answers_early_never_reads_the_body_as_a_request(start, origin):
    client = start("request = function() return 403 end,").client()
    client.send(post(f"Content-Length: {len(MARKER)}"), MARKER)
    is_page(client.response(), 403)
    client.ending()
    assert not client.held
    assert origin.untouched()


# 204, 205 and 304 end with their head (RFC 9110 sections 15.3.5, 15.3.6, 15.4.5), and what is said
# there of a body would change what a cache has stored (RFC 9111 section 3.2).
@pytest.mark.parametrize("answer", ["{ status = STATUS, body = 'x' }", "STATUS",
                                    "{ status = STATUS, headers = { etag = '\"x\"' } }"])
@pytest.mark.parametrize("status", [204, 205, 304])
def test_an_answer_that_has_no_body_has_none_and_says_nothing_of_one(start, origin, status, answer):
    lua = answer.replace("STATUS", str(status))
    client = start(f"request = function() return {lua} end,").client()
    client.send(get(), get())
    for _ in range(2):
        response = client.response()
        assert (response.status, response.body) == (status, b"")
        assert response.get("content-length") == ("0" if status == 205 else None)
        assert response.get("content-type") is response.get("cache-control") is None
        assert response.get("etag") == ('"x"' if "etag" in lua else None)


def test_a_page_says_nothing_twice_and_the_policy_has_the_say_but_of_its_type(start, origin):
    client = start("""request = function()
      return { status = 503, headers = { ["content-type"] = "application/json",
        ["cache-control"] = { "max-age=60", "private" }, ["x-own"] = "1" } }
    end,""").client()
    client.send(get())
    page = client.response()
    assert page.all("content-type") == ["text/plain; charset=utf-8"]
    assert page.all("cache-control") == ["max-age=60", "private"]
    assert page.get("x-own") == "1" and b"503" in page.body


def test_an_answer_may_fill_limits_head(start, origin):
    client = start("""limits = { head = "512k" }, request = function()
      return { status = 200, headers = { ["x-big"] = ("a"):rep(500000) }, body = "hi" }
    end,""").client()
    client.send(get())
    answer = client.response()
    assert (len(answer.get("x-big")), answer.body) == (500000, b"hi")


def test_request_may_edit_headers(start, origin):
    client = start("""request = function(req)
      req.headers["X-New"] = "1"
      req.headers["x-old"] = nil
      req.headers["X-Change"] = "after"
      req.headers["X-Several"] = { "1", "2" }
    end,""").client()
    request = passes(client, origin, get("X-Old: 1", "X-Old: 2", "X-Change: before", "X-Keep: 1"))
    assert (request.get("x-new"), request.get("x-old"), request.get("x-change")) == ("1", None, "after")
    assert request.all("x-several") == ["1", "2"]
    assert request.get("x-keep") == "1"


def test_what_a_policy_sets_no_client_and_no_origin_can_nominate_away(start, origin):
    client = start("""request = function(req) req.headers["x-user"] = "alice" end,
    response = function(req, res) res.headers["x-frame-options"] = "DENY" end,""").client()
    request, answer = exchange(client, origin, ["Connection: x-user, x-own", "X-Own: 1"],
                               answer_with("Connection: x-frame-options, x-own", "X-Own: 1"))
    assert (request.get("x-user"), request.get("x-own")) == ("alice", None)
    assert (answer.get("x-frame-options"), answer.get("x-own")) == ("DENY", None)


@pytest.mark.parametrize("trusting", ["", 'trusted_proxies = "127.0.0.1",'])
def test_what_a_policy_says_of_the_way_goes_as_it_says(start, origin, trusting):
    client = start(trusting + """request = function(req)
      req.headers["X-Forwarded-For"] = "198.51.100.7"
      req.headers["X-Forwarded-Proto"] = "https"
    end,""").client()
    request = passes(client, origin, get("X-Forwarded-For: 1.2.3.4", "X-Forwarded-Proto: ftp"))
    assert request.all("x-forwarded-for") == ["198.51.100.7"]
    assert request.all("x-forwarded-proto") == ["https"]
    assert request.all("x-forwarded-host") == ["a"]


def test_request_may_rewrite_path_and_query(start, origin):
    client = start("""request = function(req)
      req.path = "/new" .. req.path
      if req.headers["x-drop"] then req.query = nil else req.query = "a=b" end
    end,""").client()
    assert passes(client, origin, get(target="/old?x=y")).target == "/new/old?a=b"
    origin.hang_up()
    assert passes(client, origin, get("X-Drop: 1", target="/old?x=y")).target == "/new/old"


def test_request_may_choose_the_upstream(start, origin):
    other = Origin()
    proxy = start(f"""upstreams = {{ one = "{origin.text}", two = "{other.text}" }},
    request = function(req) if req.path:find("^/two") then req.upstream = "two" end end,""",
                  upstream="one")
    client = proxy.client()
    passes(client, origin, get())
    passes(client, other, get(target="/two"))
    assert [line["upstream"] for line in proxy.exchanges(2)] == ["one", "two"]
    client.close()
    other.close()


@pytest.mark.parametrize("lua", [
    'req.headers["x"] = "a\\r\\nInjected: 1"', 'req.headers["x"] = "a\\nb"', 'req.headers["x"] = "a\\0b"',
    'req.headers["x y"] = "a"', 'req.headers["x:"] = "a"', 'req.headers[""] = "a"',
    'req.headers["content-length"] = "5"', 'req.headers["transfer-encoding"] = "chunked"',
    'req.headers["connection"] = "close"', 'req.headers["upgrade"] = "h2c"',
    'req.headers["expect"] = "100-continue"', 'req.headers["host"] = "evil"',
    'req.path = "no/slash"', 'req.path = "/a b"', 'req.path = "/a\\r\\nX: y"', 'req.path = "/a?b"',
    'req.query = "a#b"', 'req.query = "a\\n"', 'req.upstream = "nowhere"', 'req.method = "PUT"',
    'req.nonsense = 1', 'error("on purpose")', 'error({})', 'local x = nil + 1', 'return "foward"',
    'return 99', 'return 101', 'return 600', 'return { status = 200, body = 5 }',
    'return { status = 200, headers = { ["x"] = "a\\nb" } }', 'return { body = "no status" }',
    'return { status = 200, nonsense = 1 }', 'return { status = 200, headers = { ["content-length"] = "1" } }',
    'global = 1', 'return function() end',
])
def test_an_error_in_request_is_a_500_and_nothing_passes(start, origin, lua):
    fields = f"request = function(req) if req.headers['x-go'] then {lua} end end,"
    proxy = start(fields)
    client = proxy.client()
    client.send(get("X-Go: 1"))
    is_page(client.response(), 500)
    assert origin.untouched()
    proxy.counts("hook_errors", 1)
    proxy.logged(r"\brequest hook failed: \S.*policy\.lua:\d+")
    # The worker goes on.
    client = proxy.client()
    passes(client, origin, get())


def test_a_wrong_value_is_named_together_with_what_would_be_right(start, origin):
    proxy = start('expect = function(req) return "foward" end,')
    client = proxy.client()
    client.send(post(EXPECT, "Content-Length: 5"))
    assert client.response().status == 500
    proxy.logged(r'expect.*"?foward"?.*forward.*continue')


@pytest.mark.parametrize("hook,head", [
    ("request", get()),
    ("expect", post(EXPECT, "Content-Length: 5")),
    ("upgrade", offer()),
])
@pytest.mark.parametrize("lua", ["error('x')", "while true do end",
                                 "while true do pcall(function() while true do end end) end",
                                 "local t = {} while true do t[#t+1] = ('x'):rep(1e6) .. #t end"],
                         ids=["error", "loop", "loop in pcall", "memory"])
def test_a_hook_that_may_refuse_fails_closed(start, origin, hook, head, lua):
    proxy = start(f"{hook} = function(req) {lua} end,")
    client = proxy.client()
    before = proxy.workers()
    client.send(head)
    is_page(client.response(), 500)
    assert origin.untouched()
    proxy.counts("hook_errors", 1)
    assert proxy.workers() == before
    proxy.logged(rf"\b{hook}\b")


def test_on_error_default_fails_open(start, origin):
    proxy = start('on_error = "default", request = function() error("x") end,')
    passes(proxy.client(), origin, get())


def test_a_loop_holds_nobody_up_for_long(start, origin):
    proxy = start("request = function(req) if req.path == '/loop' then while true do end end end,")
    looper, other = proxy.client(), proxy.client()
    looper.send(get(target="/loop"))
    began = time.monotonic()
    passes(other, origin, get())
    assert looper.response().status == 500
    assert time.monotonic() - began < 2


def test_a_pattern_that_would_take_for_ever_is_stopped(start, origin):
    proxy = start("""request = function(req)
      return { status = 200, body = tostring(req.headers["x"]:find("^(%s*)*%s+$") ~= nil
               or req.headers["x"]:gsub("%s+$", "")) }
    end,""")
    client = proxy.client()
    began = time.monotonic()
    client.send(get("X: a" + " \t" * 14000 + "b"))
    client.response()
    assert time.monotonic() - began < 2


def test_a_hook_may_wait_and_holds_nobody_up(start, origin):
    proxy = start("""request = function(req)
      if req.path == "/slow" then interim.sleep(0.5) req.headers["x-waited"] = "yes" end
    end,""")
    slow, quick = proxy.client(), proxy.client()
    with Span(0.5):
        slow.send(get(target="/slow"))
        assert passes(quick, origin, get()).get("x-waited") is None
        quick.close()
        origin.hang_up()
        wire = origin.accept()
        assert wire.request().get("x-waited") == "yes"
    wire.send(OK)
    assert slow.response().body == b"ok"


@pytest.mark.parametrize("hook,head,status", [
    ("request", get(), 403), ("expect", post(EXPECT, "Content-Length: 5"), 403),
    ("upgrade", offer(), 403),
])
def test_every_refusing_hook_may_wait_first(start, origin, hook, head, status):
    client = start(f"{hook} = function(req) interim.sleep(0.1) return {status} end,").client()
    client.send(head)
    is_page(client.response(), status)
    assert origin.untouched()


def test_a_body_that_comes_while_a_hook_waits_is_not_lost(start, origin):
    client = start("request = function(req) interim.sleep(0.2) end,").client()
    client.send(post("Content-Length: 300000"), "x" * 300000)
    wire = origin.accept()
    assert wire.request().body == b"x" * 300000
    wire.send(OK)
    assert client.response().status == 200


def test_the_default_of_expect_may_wait_while_the_body_comes(start, origin):
    client = start('expect = function() interim.sleep(0.2) return "continue" end,').client()
    client.send(post(EXPECT, "Content-Length: 5"))
    client.send("hello")
    wire = origin.accept()
    assert wire.request().body == b"hello"
    wire.send(OK)
    answer = client.head()
    if answer.status == 100:  # the body came while the policy was being asked: none is needed
        raise AssertionError("a 100 for a client that already sends")
    assert answer.status == 200


def test_max_body_bounds_a_body_of_known_length(start, origin):
    client = start("request = function(req) req.max_body = 10 end,").client()
    passes(client, origin, post("Content-Length: 10") + b"x" * 10)
    client = start("request = function(req) req.max_body = 10 end,").client()
    client.send(post(f"Content-Length: {len(MARKER)}"), MARKER)
    is_page(client.response(), 413)
    client.at_end()
    assert origin.untouched()


def test_max_body_bounds_a_chunked_body_while_it_comes(start, origin):
    client = start("request = function(req) req.max_body = 10 end,").client()
    client.send(post(CHUNKED), "5\r\nhello\r\n")
    wire = origin.accept()
    wire.request_head()
    assert wire.chunk() == b"hello"
    client.send("6\r\nworld!\r\n0\r\n\r\n", MARKER)
    is_page(client.response(), 413)
    client.ending()
    wire.ending()
    assert b"0\r\n\r\n" not in wire.held and b"marker" not in wire.held
    assert origin.untouched()


def test_max_body_comes_before_the_expectation(start, origin):
    client = start("request = function(req) req.max_body = 10 end,").client()
    client.send(post(EXPECT, "Content-Length: 11"))
    answer = client.response()
    is_page(answer, 413)
    assert answer.closes()
    client.at_end()
    assert origin.untouched()


def test_the_limits_of_a_head_hold_after_a_policy_edited_it(start, origin):
    client = start("""request = function(req)
      for n = 1, 40 do req.headers["x-" .. n] = ("a"):rep(1000) end
    end,""").client()
    client.send(get())
    assert client.response().status in (431, 500)
    assert origin.untouched()


MANY = "for n = 1, 40 do %s.headers['x-' .. n] = %s end"


@pytest.mark.parametrize("limit,value", [("fields = 30", "'1'"), ("head = 2000", "('a'):rep(99)")])
def test_a7_the_log_says_which_limit_a_hook_went_over(start, origin, limit, value):
    name = "limits." + limit.split()[0]
    for hook, args, what, status in (("request", "req", "request", 431),
                                     ("response", "req, res", "response", 502)):
        proxy = start(f"""limits = {{ {limit} }}, {hook} = function({args})
          {MANY % (args.split(", ")[-1], value)}
        end,""")
        client = proxy.client()
        client.send(get("X-Request-Id: this"))
        if hook == "response":
            wire = origin.accept()
            wire.request()
            wire.send(OK)
        is_page(client.response(), status)
        proxy.logged(rf"\w+: the {what} is over {name} after the {hook} hook; answering {status}")
        assert proxy.exchange()["error"] == f"over {name} after the {hook} hook"


def test_a7_a_body_announced_as_too_large_is_told_like_one_that_comes(start, origin):
    proxy = start("request = function(req) req.max_body = 10 end,")
    client = proxy.client()
    client.send(post("Content-Length: 11"))
    assert client.response().status == 413
    assert proxy.exchange()["error"] == "the request body is over req.max_body"


@pytest.mark.parametrize("hook,head", [("request", get()), ("upgrade", offer()),
                                       ("expect", post(EXPECT, "Content-Length: 5"))])
def test_the_access_log_names_the_hook_that_failed(start, hook, head):
    proxy = start(hook + " = function() error('on purpose') end,")
    client = proxy.client()
    client.send(head)
    assert client.response().status == 500
    assert proxy.exchange()["error"] == f"the {hook} hook failed"


TIMEOUT = """
  timeouts = { response = 0.2, processing = 0.3, connect = 0.3 },
  timeout = function(req, t)
    return { status = 504, headers = { ["content-type"] = "application/json" },
             body = interim.json.encode { kind = t.kind, status = t.status, after = t.after,
               upstream = t.upstream, interims = t.interims, last = t.last_interim,
               elapsed = t.elapsed, sent = t.bytes_sent } }
  end,
"""


def test_timeout_makes_the_page(start, origin):
    client = start(TIMEOUT).client()
    client.send(post("Content-Length: 5"), "hello")
    wire = origin.accept()
    wire.request()
    answer = client.response()
    assert (answer.status, answer.get("content-type")) == (504, "application/json")
    page = json.loads(answer.body)
    assert (page["kind"], page["status"], page["after"]) == ("response", 524, 0.2)
    assert (page["interims"], page["sent"]) == (0, 5)
    assert 0.18 <= page["elapsed"] < 3.2
    wire.ending()
    exchange(client, origin)


def test_timeout_is_told_of_the_interims(start, origin):
    client = start(TIMEOUT).client()
    client.send(get())
    wire = origin.accept()
    wire.request()
    wire.send("HTTP/1.1 103 X\r\n\r\n", PROCESSING)
    client.interim(103)
    client.interim(102)
    page = json.loads(client.response().body)
    assert (page["kind"], page["status"], page["after"]) == ("processing", 522, 0.3)
    assert (page["interims"], page["last"]) == (2, 102)


@pytest.mark.parametrize("lua", ["return nil", "error('x')", "while true do end"])
def test_without_a_page_of_the_policys_there_is_the_built_in_one(start, origin, lua):
    client = start(f"timeouts = {{ response = 0.2 }}, timeout = function() {lua} end,").client()
    client.send(get())
    origin.accept().request()
    is_page(client.response(), 524)


def test_error_makes_the_page_for_what_is_no_timeout(start):
    port = free_port()
    fields = """error = function(req, e)
      return { status = 503, headers = { ["retry-after"] = "5" },
               body = table.concat({ e.kind, e.status, e.upstream, e.detail }, "|") }
    end,"""
    client = start(fields, upstream=f"127.0.0.1:{port}").client()
    client.send(get())
    answer = client.response()
    assert (answer.status, answer.get("retry-after")) == (503, "5")
    kind, status, _, detail = answer.body.decode().split("|")
    assert (kind, status) == ("refused", "502")
    assert f"127.0.0.1:{port}" in detail


def test_error_is_asked_about_a_broken_response_too(start, origin):
    client = start("error = function(req, e) return { status = 502, body = e.kind } end,").client()
    client.send(get())
    wire = origin.accept()
    wire.request()
    wire.send("nonsense\r\n\r\n")
    assert client.response().body == b"bad_response"


RESPONSE = """
  response = function(req, res)
    res.headers["X-Path"] = req.path
    res.headers["x-secret"] = nil
    if res.status == 404 then res.status = 410 end
    if res.headers["x-refuse"] then return { status = 451, body = "not this" } end
    if res.headers["x-err"] then error("on purpose") end
    if res.headers["x-inject"] then res.headers["x"] = "a\\r\\nb: c" end
    if res.headers["x-frame"] then res.headers["content-length"] = "1" end
  end,
"""


def test_response_may_edit_the_final_head(start, origin):
    _, answer = exchange(start(RESPONSE).client(), origin, target="/p",
                         answer=answer_with("X-Secret: 1", "X-Keep: 1", status="404 Not Found"))
    assert (answer.status, answer.get("x-path"), answer.get("x-secret"), answer.get("x-keep")) == (
        410, "/p", None, "1")
    assert answer.body == b"ok"


def test_response_may_refuse(start, origin):
    _, answer = exchange(start(RESPONSE).client(), origin, answer=answer_with("X-Refuse: 1"))
    assert (answer.status, answer.body) == (451, b"not this")


@pytest.mark.parametrize("field", ["X-Err: 1", "X-Inject: 1", "X-Frame: 1"])
def test_response_that_errs_is_a_500(start, origin, field):
    proxy = start(RESPONSE)
    _, answer = exchange(proxy.client(), origin, answer=answer_with(field))
    is_page(answer, 500)
    assert answer.get("x-path") is None


def test_response_is_not_asked_about_interims(start, origin):
    client = start(RESPONSE).client()
    client.send(get())
    wire = origin.accept()
    wire.request()
    wire.send("HTTP/1.1 103 X\r\nX-Secret: 1\r\n\r\n", OK)
    head = client.interim(103)
    assert (head.get("x-secret"), head.get("x-path")) == ("1", None)
    assert client.response().get("x-path") == "/"


def test_log_is_told_how_it_ended(start, origin):
    proxy = start("""log = function(req, res)
      print("ended", req.path, res.status, res.bytes_out, #res.interims, req.ctx.note)
    end,
    request = function(req) req.ctx.note = "kept" end,""")
    client = proxy.client()
    client.send(get(target="/p"))
    wire = origin.accept()
    wire.request()
    wire.send("HTTP/1.1 103 X\r\n\r\n", OK)
    client.interim(103)
    client.response()
    line = proxy.logged(r"ended.*").string
    assert [w for w in line.split("ended")[1].replace("\\x09", " ").split()][:5] == [
        "/p", "200", "2", "1", "kept"]


def test_log_that_errs_costs_nothing_but_a_line(start, origin):
    proxy = start("log = function() error('on purpose') end,")
    client = proxy.client()
    passes(client, origin, get())
    proxy.logged("on purpose")
    proxy.counts("hook_errors", 1)


def test_print_goes_to_the_log_with_hook_and_request(start, origin):
    proxy = start('request = function(req) print("hello from", req.path) end,')
    passes(proxy.client(), origin, get(target="/p"))
    line = proxy.logged("hello from").string
    assert "request" in line and proxy.exchange()["id"] in line


def test_a_request_kept_beyond_its_exchange_is_an_error(start, origin):
    proxy = start("""request = function(req)
      if req.path == "/use" then return { status = 200, body = kept.req.path } end
      kept.req = req
    end,""", prelude="local kept = {}")
    client = proxy.client()
    passes(client, origin, get())
    client.send(get(target="/use"))
    is_page(client.response(), 500)


def test_ctx_belongs_to_one_exchange(start, origin):
    client = start("""request = function(req)
      req.ctx.n = (req.ctx.n or 0) + 1
      req.headers["x-n"] = tostring(req.ctx.n)
    end,""").client()
    assert passes(client, origin, get()).get("x-n") == "1"
    client.send(get())
    request = origin.wires[-1].request()
    assert request.get("x-n") == "1"
    origin.wires[-1].send(OK)
    client.response()


def test_hooks_see_only_what_passed_the_strict_reader(start, origin):
    proxy = start("request = function(req) print('asked') end,")
    refuses(proxy.client(), origin, get("X : y"), 400)
    assert not [line for line in proxy.log.since(proxy.began) if "asked" in line]


def test_modules_beside_the_policy_can_be_required(tmp_path_factory, origin, start):
    directory = tmp_path_factory.mktemp("modules")
    (directory / "greeting.lua").write_text('return { text = "from a module" }\n')
    from harness import Proxy
    proxy = Proxy(directory, 'request = function() return { status = 200, body = greeting.text } end,',
                  upstream=origin.text, prelude='local greeting = require "greeting"')
    client = proxy.client()
    client.send(get())
    assert client.response().body == b"from a module"
    client.close()
    proxy.stop()


def test_an_upgrade_can_be_answered_here(start, origin):
    client = start('upgrade = function() return { status = 426, body = "no" } end,').client()
    client.send(offer())
    assert (client.response().status, origin.untouched()) == (426, True)


def test_a_refusal_that_is_a_list_as_well_opens_no_tunnel(start, origin):
    proxy = start('upgrade = function() return { "websocket", status = 403 } end,')
    client = proxy.client()
    client.send(offer())
    assert (client.response().status, origin.untouched()) == (500, True)
    proxy.logged('the upgrade hook failed: returned a list of protocols in which the key "status"')


def test_an_empty_list_of_protocols_makes_an_ordinary_request(start, origin):
    client = start("upgrade = function() return {} end,").client()
    assert passes(client, origin, offer()).get("upgrade") is None


def test_a_protocol_that_was_not_offered_is_left_out(start, origin):
    client = start('upgrade = function() return { "other", "x" } end,').client()
    client.send(offer(protocol="websocket, x"))
    wire = origin.accept()
    assert wire.request().get("upgrade") == "x"
    wire.send(switching(protocol="x", accept=None))
    assert client.head().status == 101
    assert passes(start('upgrade = function() return "other" end,').client(), origin,
                  offer()).get("upgrade") is None


def test_all_hooks_in_one_exchange_come_in_order(start, origin):
    hooks = "".join(f'{h} = function(req) print("hook {h}") end,'
                    for h in ("request", "expect", "response", "log"))
    proxy = start(hooks)
    client = proxy.client()
    client.send(post(EXPECT, "Content-Length: 2"))
    wire = origin.accept()
    wire.request_head()
    wire.send("HTTP/1.1 100 Continue\r\n\r\n")
    client.interim(100)
    client.send("hi")
    wire.exactly(2)
    wire.send(OK)
    client.response()
    proxy.logged("hook log")
    seen = [line.split("hook ")[-1] for line in proxy.log.since(proxy.began) if "hook " in line]
    assert seen == ["request", "expect", "response", "log"]


def test_a_tunnel_is_logged_when_it_ends(start, origin):
    proxy = start('log = function(req, res) print("tunnel", res.status, res.tunnel_in) end,')
    client = proxy.client()
    client.send(offer())
    wire = origin.accept()
    wire.request()
    wire.send(switching())
    client.head()
    client.send("12345")
    wire.exactly(5)
    client.close()
    wire.at_end()
    wire.close()
    assert "5" in proxy.logged("tunnel.*101.*").group(0)


def test_the_log_hook_of_a_tunnel_sees_the_request_and_what_other_hooks_left(start, origin):
    proxy = start("""
      request = function(req) req.path = "/other"; req.ctx.seen = req.headers["x-a"] end,
      log = function(req, res)
        if res.status == 101 then
          print("end", req.path, req.query, req.headers["x-a"], req.ctx.seen, res.upgrade)
        end
      end,""")
    client = proxy.client()
    client.send(offer("X-A: b", target="/ws?q"))
    wire = origin.accept()
    wire.request()
    wire.send(switching())
    client.head()
    other = proxy.client()
    other.send(offer("X-A: c", target="/ws?r"))
    origin.accept().request()
    other.reset()
    client.close()
    wire.at_end()
    wire.close()
    assert proxy.logged(r"end\s+/other\s+q\s+b\s+b\s+websocket")
