"""`interim try`, `interim test` and `interim types`: the tools around a policy file."""

import json
import os
import re
import shlex
import subprocess
import textwrap

import pytest

from harness import ROOT, binary, run

POLICY = """
local interim = require "interim"

return {
  listen    = "127.0.0.1:8080",
  upstreams = { app = { "127.0.0.1:9000", "127.0.0.1:9001" }, uploads = "127.0.0.1:9100" },
  upstream  = "app",

  request = function(req)
    if interim.starts(req.path, "/boom") then error("on purpose") end
    if interim.starts(req.path, "/up/") then
      req.upstream = "uploads"
      req.path = req.path:sub(4)
      req.max_body = "1m"
      req.headers["x-id"] = "7"
      req.headers["x-debug"] = nil
    end
    req.ctx.began = interim.monotonic()
  end,

  expect = function(req)
    print("asked by", req.client.address, req.client.port)
    if not req.headers.authorization then return 401 end
    if req.path == "/here" then return "continue" end
    if req.path == "/odd" then return "foward" end
    if (req.body_size or 0) > 1000 then
      return { status = 413, headers = { ["X-Most"] = { "1000", "bytes" } }, body = "too long\\n" }
    end
  end,

  upgrade = function(req)
    if req.headers.origin ~= "https://app.example" then return 403 end
    if req.path == "/plain" then return false end
  end,

  timeout = function(req, t)
    interim.sleep(2)
    if req.path == "/api" then
      return { status = 504, body = ("%s %g %s %s"):format(t.kind, t.after, t.upstream, t.address) }
    end
  end,

  response = function(req, res)
    interim.sleep(3)
    res.headers.server = nil
    res.headers["x-took"] = ("%.0f"):format(interim.monotonic() - req.ctx.began)
    if res.status == 500 then return 502 end
  end,

  log = function(req, res)
    interim.log("warning", ("%s %s %s"):format(res.status, res.outcome, res.expect))
  end,
}
"""

EXPECT = ("-H", "Expect: 100-continue", "-H", "Content-Length: 10")
TOKEN = ("-H", "Authorization: x")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "policy.lua").write_text(POLICY)
    return tmp_path


@pytest.fixture
def attempt(folder):
    """attempt(words…): how `interim try policy.lua words…` ends."""
    return lambda *words: run("try", "policy.lua", *words, cwd=folder)


@pytest.fixture
def decided(attempt):
    """decided(words…): the same as JSON, with its hooks by name; it must have gone well."""
    def decided(*words, status=0):
        done = attempt(*words, "--json")
        assert (done.returncode, done.stderr) == (status, "")
        told = json.loads(done.stdout)
        told["hooks"] = {step["hook"]: step for step in told["hooks"]}
        return told
    return decided


# ---- try ----

def test_try_prints_what_each_hook_decides_as_a_person_reads_it(attempt):
    done = attempt("PUT", "/up/x?a=1", *EXPECT, "-H", "X-Debug: on")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == textwrap.dedent("""\
        PUT /up/x?a=1, from 127.0.0.1:50000

          request    goes on
                     path: /up/x -> /x
                     upstream: app -> uploads
                     max_body: none -> 1048576
                     header x-debug: on -> none
                     header x-id: none -> 7
          expect     401 Unauthorized
                     (the built-in page)
                     | info: asked by 127.0.0.1 50000
          log        goes on
                     | warning: 401 here refused
          not asked  upgrade, timeout, response

          then       the client gets 401 Unauthorized; no origin is asked
        """)


def test_try_says_where_a_request_goes(attempt):
    done = attempt("PUT", "/up/x?a=1", *EXPECT, *TOKEN)
    assert re.search(r"expect +forward: .* \(the default: it returned nil\)", done.stdout)
    assert re.search(r"then +to upstream uploads \(127\.0\.0\.1:9100\) as PUT /x\?a=1\n", done.stdout)
    assert re.search(r"log +not asked: no answer is known yet", done.stdout)


@pytest.mark.parametrize("words,hook,why", [
    (["-H", "expect: 100-continue"], "expect", "a request without a body has nothing to wait for"),
    (["-H", "Upgrade: websocket"], "upgrade", "Upgrade counts only with `Connection: upgrade`"),
    (["-H", "Upgrade: websocket", "-H", "Connection: upgrade", "--body-size", "1"], "upgrade",
     "and without a body"),
])
def test_try_says_why_a_field_counts_for_nothing(attempt, words, hook, why):
    assert re.search(rf"{hook} +not asked: .*{re.escape(why)}", attempt("PUT", "/", *words).stdout)


def test_try_shows_an_answer_with_fields_and_body(decided):
    hook = decided("PUT", "/", "-H", "Expect: 100-continue", "--body-size", "2000", *TOKEN)["hooks"]["expect"]
    assert (hook["decision"], hook["status"], hook["body"]) == ("answer", 413, "too long\n")
    assert hook["headers"] == {"x-most": ["1000", "bytes"], "content-type": "text/plain; charset=utf-8"}


@pytest.mark.parametrize("status", [204, 205, 304])
def test_an_answer_that_can_have_no_body_is_shown_without_one(folder, attempt, tested, status):
    (folder / "policy.lua").write_text(f"""return {{
      listen = 8080, upstream = "127.0.0.1:9",
      request = function(req)
        return {{ status = {status}, body = req.path == "/body" and "none" or nil }}
      end,
    }}""")
    for path in ("/body", "/"):
        told = attempt("GET", path).stdout
        assert "page" not in told and "none" not in told
        done = tested(f"""
          local policy = require("interim.test").load("policy.lua")
          test("a", function() expect_equal(policy:request({{ path = "{path}" }}).body, "") end)
        """)
        assert done.returncode == 0, done.stdout


def test_try_knows_the_decisions_about_an_expectation(decided):
    assert decided("PUT", "/here", *EXPECT, *TOKEN)["hooks"]["expect"]["decision"] == "continue"
    assert decided("PUT", "/", *EXPECT, *TOKEN)["hooks"]["expect"]["decision"] == "forward"
    assert "expect" not in decided("PUT", "/", "-H", "Content-Length: 10")["hooks"]
    assert "expect" not in decided("GET", "/", "-H", "Expect: 100-continue")["hooks"]


def test_try_knows_the_decisions_about_an_upgrade(decided):
    offer = ("-H", "Connection: upgrade", "-H", "Upgrade: websocket, foo")
    there = (*offer, "-H", "Origin: https://app.example")
    assert decided("GET", "/", *offer)["final"] == {"status": 403, "by": "upgrade"}
    assert decided("GET", "/", *there)["hooks"]["upgrade"]["offers"] == ["websocket"]
    assert decided("GET", "/plain", *there)["hooks"]["upgrade"]["decision"] == "ordinary"
    assert "upgrade" not in decided("GET", "/")["hooks"]


@pytest.mark.parametrize("words,status,why", [
    (("GET", "/a b"), 400, "version"),
    (("GET", "/", "-H", "Host: a", "-H", "Host: b"), 400, "Host"),
    (("GET", "/", "-H", "X : 1"), 400, "field"),
    (("GET", "/", "-H", "X: a\nb"), 400, "bare"),
    (("POST", "/", "-H", "Content-Length: 1", "-H", "Transfer-Encoding: chunked"), 400, "Transfer-Encoding"),
    (("PUT", "/", "-H", "Expect: 200-ok", "--body-size", "1"), 417, "xpect"),
    (("GET", "/" + "a" * 9000), 414, "line"),
    (("CONNECT", "a:1"), 501, "CONNECT"),
], ids=repr)
def test_try_reads_a_request_as_the_proxy_does(decided, words, status, why):
    told = decided(*words)
    assert told["final"] == {"status": status, "by": "proxy"}
    assert why in told["hooks"]["proxy"]["error"]
    assert set(told["hooks"]) == {"proxy", "log"}


def test_try_holds_what_the_request_hook_set_against_the_limits(decided):
    told = decided("PUT", "/up/x", "--body-size", str(2 << 20))
    assert told["final"] == {"status": 413, "by": "proxy"}


MANY = """return {
  listen = 1, upstream = "127.0.0.1:9", limits = { fields = 4 },
  response = function(req, res)
    for i = 1, 4 do res.headers["x-" .. i] = "1" end
  end,
}"""


def test_try_holds_what_the_response_hook_set_against_the_limits(folder, attempt, decided):
    (folder / "policy.lua").write_text(MANY)
    told = decided("GET", "/", "--response", "200")
    assert told["final"] == {"status": 502, "by": "proxy"}
    assert told["hooks"]["proxy"]["error"] == "over limits.fields after the response hook"
    assert "the client gets 502 Bad Gateway\n" in attempt("GET", "/", "--response", "200").stdout


def labels(done):
    """What stands in the left column, from above."""
    return re.findall(r"^  (\(?\w+\)?(?: asked)?)  ", done.stdout, re.MULTILINE)


def test_try_prints_what_happened_in_its_order(folder, attempt):
    assert labels(attempt("PUT", "/up/x", "--body-size", str(2 << 20))) == [
        "request", "(proxy)", "log", "not asked", "then"]
    assert labels(attempt("GET", "/a b")) == ["(proxy)", "log", "not asked", "then"]
    assert labels(attempt("GET", "/", "--timeout", "send")) == [
        "request", "expect", "upgrade", "timeout", "response", "log", "then"]
    (folder / "policy.lua").write_text(
        MANY.replace("listen = 1,", "listen = 1, timeout = function() end, log = function() end,"))
    assert labels(attempt("GET", "/", "--response", "200")) == ["timeout", "response", "(proxy)", "log", "then"]


def test_try_stops_at_the_last_hop(decided):
    assert decided("TRACE", "/", "-H", "Max-Forwards: 0")["final"]["status"] == 405


@pytest.mark.parametrize("client,seen", [
    ("10.1.2.3", "10.1.2.3 50000"), ("10.1.2.3:77", "10.1.2.3 77"), ("::1", "::1 50000"),
    ("[fd00::1]:99", "fd00::1 99"), ("unix:", " nil"),
])
def test_try_asks_as_this_client(decided, client, seen):
    hook = decided("PUT", "/", *EXPECT, "--client", client)["hooks"]["expect"]
    assert hook["log"] == [{"level": "info", "text": "asked by " + seen}]


@pytest.mark.parametrize("kind,body", [
    ("response", "response 100 app 127.0.0.1:9000"), ("connect", "connect 15 app 127.0.0.1:9000"),
    ("processing", "processing 100 app 127.0.0.1:9000"),
])
def test_try_asks_for_the_page_of_a_timeout(decided, kind, body):
    told = decided("GET", "/api", "--timeout", kind)
    assert told["hooks"]["timeout"]["body"] == body
    assert told["final"] == {"status": 504, "by": "timeout"}
    told = decided("GET", "/", "--timeout", kind)
    assert told["hooks"]["timeout"]["decision"] == "page"
    assert told["final"]["status"] == (524 if kind == "response" else 522)


def test_try_asks_for_the_page_of_an_error(attempt):
    done = attempt("GET", "/", "--error", "refused")
    assert re.search(r"error +the built-in page, 502 Bad Gateway \(the default: there is no such hook\)",
                     done.stdout)
    assert re.search(r"then +the client gets 502 Bad Gateway\n", done.stdout)


def test_try_asks_about_a_response(decided):
    told = decided("GET", "/", "--response", "201", "-R", "Server: nginx", "-R", "X-A: 1")
    hook = told["hooks"]["response"]
    assert hook["res"]["status"] == 201
    assert hook["edits"] == [{"what": "header server", "from": "nginx"},
                             {"what": "header x-took", "to": "3"}]
    assert told["final"] == {"status": 201, "by": "origin"}
    assert told["hooks"]["log"]["log"][0]["text"] == "201 upstream nil"
    told = decided("GET", "/", "--response", "500")
    assert told["final"] == {"status": 502, "by": "response"}


@pytest.mark.parametrize("says,told", [
    (("--response", "200"), "the client gets the origin's response, 200 OK"),
    (("--response", "500"), "the client gets 502 Bad Gateway"),
    (("--timeout", "send"), "the client gets 522 Connection Timed Out"),
    (("--error", "no_upstream"), "the client gets 502 Bad Gateway; no origin is asked"),
], ids=repr)
def test_try_says_whether_the_origin_was_asked(attempt, says, told):
    assert attempt("GET", "/", *says).stdout.endswith(f"\n  then       {told}\n")


def test_try_knows_a_500_of_the_origin_from_one_of_the_proxy(folder, decided):
    (folder / "policy.lua").write_text('return { listen = 1, upstream = "127.0.0.1:9" }')
    assert decided("GET", "/", "--response", "500")["final"] == {"status": 500, "by": "origin"}


def test_try_does_not_wait_and_the_clock_of_hooks_moves_on(decided):
    hook = decided("GET", "/", "--response", "200")["hooks"]["response"]
    assert hook["waited"] == 3 and hook["res"]["headers"]["x-took"] == "3"


@pytest.mark.parametrize("sleep", ["interim.sleep(11)", "while true do interim.sleep(1) end"])
def test_try_ends_a_hook_that_waits_too_long(folder, attempt, sleep):
    (folder / "policy.lua").write_text(
        'local interim = require "interim"\nreturn { listen = 1, upstream = "127.0.0.1:9", '
        f'request = function() {sleep} end }}\n')
    done = attempt("GET", "/")
    assert done.returncode == 1
    assert "failed: it waited longer than 10 s (timeouts.hook)" in done.stdout


@pytest.mark.parametrize("path,why", [
    ("/boom", r"failed: policy\.lua:10: on purpose\n +500 Internal Server Error is answered\n"),
    ("/odd", r'failed: returned "foward"; it may return nil, "forward", "continue"'),
])
def test_try_shows_a_hook_that_fails(attempt, path, why):
    done = attempt("PUT", path, *EXPECT, *TOKEN)
    assert done.returncode == 1
    assert re.search(why, done.stdout), done.stdout
    assert "the client gets 500 Internal Server Error" in done.stdout


def test_an_error_is_told_whatever_the_id_of_the_request(folder, attempt, tested):
    """That of a trusted peer may hold anything that a log's line holds."""
    (folder / "policy.lua").write_text(POLICY.replace('"app",', '"app", trusted_proxies = { "127.0.0.1" },', 1))
    for name in ("req-1", "7", "a.-", "expect", "a:b@c/d=+~"):
        given = ("-H", "X-Request-Id: " + name)
        assert "failed: policy.lua:10: on purpose\n" in attempt("GET", "/boom", *given).stdout
        assert "| info: asked by 127.0.0.1 50000\n" in attempt("PUT", "/", *EXPECT, *given).stdout
    done = tested('''
        local policy = require("interim.test").load("policy.lua")
        test("boom", function()
          local r = policy:request { path = "/boom", headers = { ["x-request-id"] = "req-1" } }
          expect_match(r.error, "on purpose$")
        end)''')
    assert done.returncode == 0, done.stdout


def test_try_goes_on_after_a_failure_if_the_policy_says_so(folder, decided):
    text = POLICY.replace('upstream  = "app",', 'upstream  = "app", on_error = "default",')
    (folder / "policy.lua").write_text(text)
    told = decided("PUT", "/odd", *EXPECT, *TOKEN, status=1)
    assert told["hooks"]["expect"]["decision"] == "failed"
    assert told["origin"] == {"upstream": "app", "path": "/odd"}


def test_try_asks_the_error_hook_if_there_is_no_upstream(folder, decided):
    (folder / "policy.lua").write_text(
        'return { listen = 1, upstreams = { a = "127.0.0.1:1", b = "127.0.0.1:2" },\n'
        'request = function() end, error = function(req, e) return { status = 503, body = e.kind } end }')
    told = decided("GET", "/")
    assert told["hooks"]["error"]["body"] == "no_upstream"
    assert told["final"] == {"status": 503, "by": "error"}


def test_try_shows_what_the_file_logs_while_it_is_loaded_once(folder, attempt):
    (folder / "policy.lua").write_text('print("loading")\n' + POLICY)
    done = attempt("GET", "/")
    assert done.stderr == "policy.lua: info: policy, while it is loaded: loading\n"


def test_try_of_a_policy_that_does_not_load_says_what_check_says(folder, attempt):
    (folder / "policy.lua").write_text("return { listen = 1, upstream = 'a', timeouts = { conect = 1 } }\n")
    done = attempt("GET", "/")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == run("check", "policy.lua", cwd=folder).stderr


def test_no_byte_of_a_policy_reaches_the_terminal_as_a_command(folder, attempt):
    (folder / "policy.lua").write_text(
        'return { listen = 1, upstream = "127.0.0.1:9", request = function()\n'
        'print("\\27[2J") return { status = 200, body = "\\27]0;x\\7" } end }')
    done = attempt("GET", "/\x1b[31m")
    assert "\x1b" not in done.stdout and "\x07" not in done.stdout
    assert "\\x1b" in done.stdout


@pytest.mark.parametrize("words,message", [
    (["GET"], "a policy file, a method and a path are needed"), (["GET", "/", "x"], "are needed"),
    (["GET", "/", "--jsno"], 'unknown option "--jsno"; did you mean "--json"?'),
    (["GET", "/", "-H"], "-H needs a value"),
    (["GET", "/", "--body-size", "many"], "--body-size takes a number"),
    (["GET", "/", "--response", "101"], "--response takes a number from 200 to 599"),
    (["GET", "/", "--timeout", "respons"], 'did you mean "response"?'),
    (["GET", "/", "--timeout", "refused"], 'there is no timeout of the kind "refused"'),
    (["GET", "/", "--error", "response"], 'there is no error of the kind "response"'),
    (["GET", "/", "--timeout", "send", "--response", "200"], "exclude each other"),
    (["GET", "/", "-R", "A: b"], "-R needs --response"),
    (["GET", "/", "--client", "nobody:x"], '"nobody:x"'),
], ids=repr)
def test_try_says_what_is_wrong_with_its_words(attempt, words, message):
    done = attempt(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr and "interim try --help" in done.stderr


# ---- test ----

TEST = """\
local policy = require("interim.test").load("policy.lua")

test("no token, no upload", function()
  expect_equal(policy:expect{ method="PUT", path="/up", headers={} }.status, 401)
end)
"""

ANSWERS = """\
local policy = require("interim.test").load("policy.lua")
local token = { Authorization = "x" }
local app = { origin = "https://app.example" }

test("request", function()
  local r = policy:request { path = "/up/x", query = "a=1", headers = { ["X-Debug"] = "1" } }
  expect_equal(r.decision, "go on")
  expect_equal({ r.req.path, r.req.query, r.req.upstream, r.req.max_body }, { "/x", "a=1", "uploads", 1048576 })
  expect_equal(r.req.headers, { host = "localhost", ["x-id"] = "7" })
end)
test("expect", function()
  expect_equal(policy:expect { headers = token }.decision, "forward")
  expect_equal(policy:expect { path = "/here", headers = token }.decision, "continue")
  local r = policy:expect { headers = token, body_size = 2000, client = "10.0.0.9" }
  expect_equal({ r.decision, r.status, r.body }, { "answer", 413, "too long\\n" })
  expect_equal(r.headers["x-most"], { "1000", "bytes" })
  expect_equal(r.log, { { level = "info", text = "asked by 10.0.0.9 50000" } })
  expect_equal(policy:expect { version = "1.0" }.decision, "not asked")
end)
test("upgrade", function()
  expect_equal(policy:upgrade {}.status, 403)
  expect_equal(policy:upgrade { headers = app }.offers, { "websocket" })
  expect_equal(policy:upgrade { headers = { origin = app.origin, upgrade = "foo" } }.decision, "ordinary")
end)
test("timeout and error", function()
  expect_equal(policy:timeout({ path = "/api" }, "send").body, "send 60 app 127.0.0.1:9000")
  expect_equal(policy:timeout({ path = "/api" }, { kind = "send", after = 3, upstream = "x", address = "y" }).body,
               "send 3 x y")
  expect_equal(policy:timeout({}, "response").decision, "page")
  expect_equal(policy:timeout({}, "response").status, 524)
  expect_equal(policy:error({}, "refused").status, 502)
end)
test("response", function()
  local r = policy:response({}, { status = 404, headers = { server = "x", a = { "1", "2" } } })
  expect_equal({ r.decision, r.status }, { "go on", 404 })
  expect_equal(r.res.headers, { a = { "1", "2" }, ["x-took"] = "3", ["content-length"] = "0" })
  expect_equal(policy:response({}, { status = 500 }).status, 502)
end)
test("log", function()
  expect_equal(policy:log({}, { status = 201, expect = "forward-100" }).log[1].text, "201 upstream forward-100")
end)
test("who decides before comes first", function()
  local r = policy:response({ path = "/boom" })
  expect_equal({ r.hook, r.decision, r.status }, { "request", "failed", 500 })
  expect_match(r.error, "policy.lua:10: on purpose")
  r = policy:request { headers = { x = "a\\nb" } }
  expect_equal({ r.hook, r.status }, { "proxy", 400 })
end)
test("the vocabulary", function()
  expect_true(1 == 1) expect_false(nil == 1) expect_nil(nil) expect_match("abc", "^a.c$")
  expect_match(expect_error(function() error("why not") end, "why"), "not$")
  expect_equal({ a = { 1, { b = 2 } } }, { a = { 1, { b = 2 } } })
  local loop = {} loop.self = loop
  expect_equal(loop, loop)
end)
"""


@pytest.fixture
def tested(folder):
    """tested(text, words…): how `interim test words…` ends, with this text in a_test.lua."""
    def tested(text, *words):
        (folder / "a_test.lua").write_text(text)
        return run("test", *words, cwd=folder)
    return tested


def test_a_test_that_passes_is_one_line(tested):
    done = tested(TEST)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "ok   a_test.lua: no token, no upload\n\n1 passed, 0 failed\n"


def test_policies_are_asked_with_tables_and_answer_with_tables(tested):
    done = tested(ANSWERS)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert done.stdout.endswith("\n8 passed, 0 failed\n")


FAILING = {
    "expect_equal(1, 2)": "expected 2, got 1",
    "expect_equal({ a = { b = 1, c = 'x' } }, { a = { b = 1, c = 'y', d = {} } })":
        '.a.c: expected "y", got "x"\n     .a.d: expected {}, got nil',
    "expect_equal({ ['x-a'] = 1 }, {})": '["x-a"]: expected nil, got 1',
    "expect_equal({ 1, 2 }, 5)": "expected 5, got { 1, 2 }",
    "expect_true(1)": "expected true, got 1",
    "expect_false(nil)": "expected false, got nil",
    "expect_nil('a\\n')": 'expected nil, got "a\\n"',
    "expect_match('abc', 'x')": 'expected text that matches "x", got "abc"',
    "expect_match(nil, 'x')": 'expected text that matches "x", got nil',
    "expect_error(function() end)": "expected an error, got none",
    "expect_error(function() error('a') end, 'b')": 'expected an error that matches "b"',
    "local x; x.y = 1": "attempt to index local 'x'",
    "error('\\27[2J')": "\\x1b[2J",
    "error({})": "(the error is a table value)",
    "nothing()": "attempt to call global 'nothing'",
    "policy:expect { pth = '/' }": 'the request has no field "pth"; did you mean "path"?',
    "policy:timeout({}, 'refused')": 'there is no timeout of the kind "refused"',
    "policy:response({}, { stats = 1 })": 'the response has no field "stats"; did you mean "status"?',
    "policy:log({}, { outcom = 1 })": 'the result has no field "outcom"; did you mean "outcome"?',
    "policy:timeout({}, { kind = 'send', after = 'soon' })": 'after must be a number from 0 on, not "soon"',
    "policy:timeout({}, { kind = 'send', elapsed = -1 })": "elapsed must be a number from 0 on, not -1",
    "policy:timeout({}, { kind = 'send', address = {} })": "address must be text, not a table",
    "policy:timeout({}, { kind = 'send', interims = 1.5 })": "interims must be a whole number from 0 on, not 1.5",
    "policy:response({}, { status = 103 })": "status must be a whole number from 200 to 599, not 103",
    "policy:log({}, { interims = 3 })":
        "the result: interims must be a list of codes from 100 to 199, not 3",
    "policy:log({}, { interims = { 'x' } })": "interims must be a list of codes from 100 to 199, not a table",
    "policy:log({}, { interims = { first = 103 } })": "interims must be a list of codes",
    "policy:log({}, { interims = { 103, 103 }, interim_count = 1 })":
        "interim_count must be at least 2, as many as interims has, not 1",
    "policy:log({}, { reused = 'no' })": 'the result: reused must be true or false, not "no"',
    "policy:log({}, { status = 1e9 })": "status must be a whole number from 0 to 599",
    "policy:request { headers = 'x' }": 'the request: headers must be a table, not "x"',
    "policy:request { headers = { x = { a = 'b' } } }":
        'the request: headers["x"] must be text or a list of texts, not a table',
    "policy:request { headers = { x = { 'a', nil, 'b' } } }": "must be text or a list of texts",
    "policy:request { headers = { x = true } }": 'headers["x"] must be text or a list of texts, not true',
    "policy:request { headers = { 'x' } }": "a name in headers must be text, not 1",
    "policy:request { path = {} }": "the request: path must be text, not a table",
    "policy:request { body_size = 'x' }": 'body_size must be a whole number from 0 on, not "x"',
    "policy:request(1)": "the request must be a table, not 1",
    "policy:expect { client = 'x:y' }": '"x:y": ',
    "policy.expect { path = '/' }": "call it as policy:expect { … }",
    "require('interim.test').load('none.lua')": "none.lua: cannot be read: No such file",
    "interim = require 'interim' interim.sleep(1)": "interim.sleep can only be called in a hook",
}


@pytest.mark.parametrize("body,message", FAILING.items(), ids=FAILING)
def test_a_test_that_fails_says_where_and_why(tested, body, message):
    done = tested(f'local policy = require("interim.test").load("policy.lua")\n\n'
                  f'test("it", function()\n  {body}\nend)\ntest("next", function() end)\n')
    assert done.returncode == 1
    place = r"a_test\.lua:[34]"
    assert re.search(rf"^FAIL {place}: it\n     .*{re.escape(message)}", done.stdout), done.stdout
    assert "ok   a_test.lua: next\n" in done.stdout
    assert done.stdout.endswith("\n1 passed, 1 failed\n")
    assert "\x1b" not in done.stdout


def test_a_log_hook_sees_the_result_that_a_test_tells(folder, tested):
    (folder / "told.lua").write_text('''return { listen = 1, upstream = "127.0.0.1:9",
        log = function(req, res) print(#res.interims, res.interims[1], res.interims[2], res.bytes_in, res.interim_count, res.reused)
        end }''')
    done = tested('''
        local policy = require("interim.test").load("told.lua")
        test("told", function()
          local r = policy:log({}, { interims = { 103, 102 }, bytes_in = 7 })
          expect_equal(r.log[1].text, "2 103 102 7 2 false")
          r = policy:log({}, { interim_count = 3, reused = true })
          expect_equal(r.log[1].text, "3 103 103 0 3 true")
          r = policy:log({}, { interims = { 102 }, interim_count = 400 })
          expect_equal(r.log[1].text, "16 102 103 0 400 false")
          expect_equal(policy:log({}).log[1].text, "0 nil nil 0 0 false")
        end)''')
    assert done.returncode == 0, done.stdout


def test_a_response_over_the_limits_is_the_proxys_word(folder, tested):
    (folder / "policy.lua").write_text(MANY)
    done = tested('''
        local policy = require("interim.test").load("policy.lua")
        test("over", function()
          local r = policy:response {}
          expect_equal({ r.hook, r.decision, r.status }, { "proxy", "answer", 502 })
          expect_equal(r.error, "over limits.fields after the response hook")
        end)''')
    assert done.returncode == 0, done.stdout


def test_a_policy_whose_path_is_too_long_is_told(tested):
    done = tested('require("interim.test").load(("x"):rep(5000))')
    assert done.returncode == 1
    assert "the path is too long" in done.stdout + done.stderr


def test_a_failing_test_shows_what_the_policy_logged(tested):
    done = tested(TEST.replace("401", "200").replace("/up", "/boom"))
    assert re.search(r"FAIL a_test\.lua:4: no token, no upload\n     expected 200, got 500\n"
                     r"     the policy logged: error: the request hook failed: policy\.lua:10: on purpose\n",
                     done.stdout), done.stdout


LOOPS = ["while true do end", "pcall(function() while true do end end) while true do end",
         "local t = {} while true do t[#t + 1] = ('x'):rep(1e6) .. #t end"]


@pytest.mark.parametrize("loop", LOOPS)
def test_a_test_that_never_ends_is_ended(tested, loop):
    done = tested(f'test("it", function() {loop} end)\ntest("next", function() end)\n')
    assert done.returncode == 1
    assert re.search(r"FAIL a_test\.lua:1: it\n     .*(on the CPU at a stretch|memory)", done.stdout)
    assert "ok   a_test.lua: next\n" in done.stdout


def test_a_file_that_cannot_be_run_fails_and_the_others_are_run(folder, tested):
    (folder / "b_test.lua").write_text("local x = = 1\n")
    (folder / "c_test.lua").write_text("error('no')\n")
    (folder / "d_test.lua").write_text("while true do end\n")
    (folder / "e_test.lua").write_text("-- nothing\n")
    done = tested(TEST)
    assert done.returncode == 1
    assert "FAIL b_test.lua:1: the file cannot be run\n" in done.stdout
    assert "FAIL c_test.lua:1: the file cannot be run\n     no\n" in done.stdout
    assert "FAIL d_test.lua:1: the file cannot be run\n     more than" in done.stdout
    assert "FAIL e_test.lua: there is no test in it\n" in done.stdout
    assert done.stdout.endswith("\n1 passed, 4 failed\n")


def test_tests_are_found_below_the_folder(folder):
    for name in ("z_test.lua", "sub/a_test.lua", "sub/helper.lua", ".hidden/a_test.lua", "test.lua"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text('test("it", function() end)\n')
    done = run("test", cwd=folder)
    assert done.stdout == "ok   sub/a_test.lua: it\nok   z_test.lua: it\n\n2 passed, 0 failed\n"
    done = run("test", "test.lua", "sub", cwd=folder)
    assert done.stdout == "ok   test.lua: it\nok   sub/a_test.lua: it\n\n2 passed, 0 failed\n"
    done = run("test", "none_test.lua", cwd=folder)
    assert (done.returncode, done.stderr) == (1, "none_test.lua: cannot be read: No such file or directory\n")


def test_no_test_at_all_is_a_failure(folder):
    done = run("test", cwd=folder)
    assert done.returncode == 1 and "there is no *_test.lua" in done.stderr


def test_paths_and_modules_are_beside_the_test_file(folder):
    (folder / "sub").mkdir()
    (folder / "sub" / "helper.lua").write_text("return { wanted = 401 }\n")
    (folder / "sub" / "a_test.lua").write_text(
        'local helper = require "helper"\n' + TEST.replace("policy.lua", "../policy.lua").replace("401", "helper.wanted"))
    done = run("test", cwd=folder)
    assert done.returncode == 0, done.stdout


def test_files_do_not_see_each_other(folder):
    (folder / "a_test.lua").write_text('left = 1\ntest("it", function() end)\n')
    (folder / "b_test.lua").write_text('test("it", function() expect_nil(left) end)\n')
    assert run("test", cwd=folder).returncode == 0


def test_results_as_json_lines(tested):
    done = tested(TEST + 'test("x", function() expect_true(1) end)\n', "--json")
    assert done.returncode == 1
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"file": "a_test.lua", "line": 3, "name": "no token, no upload", "ok": True},
        {"file": "a_test.lua", "line": 6, "name": "x", "ok": False, "message": "expected true, got 1"},
        {"passed": 1, "failed": 1},
    ]


def test_results_as_tap(folder, tested):
    (folder / "b_test.lua").write_text('test("# x", function() expect_true(1) end)\n')
    done = tested(TEST, "--tap")
    assert done.stdout == ("TAP version 13\nok 1 - a_test.lua: no token, no upload\n"
                           "not ok 2 - b_test.lua: \\# x\n# b_test.lua:1: expected true, got 1\n1..2\n")


def test_print_in_a_test_is_seen_apart_from_the_results(tested):
    done = tested('test("it", function() print("a", 1, nil) end)\n', "--tap")
    assert done.stderr == "a\t1\tnil\n"
    assert "a\t1" not in done.stdout


def test_a_policy_cannot_be_a_test(folder):
    (folder / "policy.lua").write_text('require "interim.test"\n' + POLICY)
    done = run("check", "policy.lua", cwd=folder)
    assert done.returncode == 1
    assert "interim.test is for test files" in done.stderr


def test_the_chapter_on_trying_and_testing_is_true(tmp_path):
    """Its policy, its test file and its commands, with exactly what they print."""
    text = (ROOT / "lua" / "README.md").read_text()
    text = text[text.index("## Trying and testing"):text.index("## The interim functions")]
    blocks = re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    policy, tests = [block for kind, block in blocks if kind == "lua"]
    (tmp_path / "policy.lua").write_text('local interim = require "interim"\n' + policy)
    (tmp_path / "policy_test.lua").write_text(tests)
    consoles = [block for kind, block in blocks if kind == "console"]
    assert len(consoles) == 4
    for console in consoles:
        command, _, printed = console.partition("\n")
        words = shlex.split(command.removeprefix("$ interim "))
        done = run(*words, cwd=tmp_path)
        assert (done.returncode, done.stdout, done.stderr) == (0, printed, ""), command


# ---- types ----

def test_types_are_written_to_stdout_or_a_file(folder):
    done = run("types")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("---@meta interim\n") and "---@class (exact) interim.policy" in done.stdout
    assert run("types", "--output", "t.lua", cwd=folder).stdout == ""
    assert (folder / "t.lua").read_text() == done.stdout
    assert run("types", "--output=u.lua", cwd=folder).returncode == 0
    assert (folder / "u.lua").read_text() == done.stdout
    done = run("types", "--output", "none/t.lua", cwd=folder)
    assert done.returncode == 1 and "No such file" in done.stderr
    done = run("types", "--output=/dev/full")
    assert done.returncode == 1 and "/dev/full cannot be written: No space left" in done.stderr


# ---- what is allowed ----

ALLOWED = """local text = io and "io" or "no io"
return { listen = 1, upstream = "127.0.0.1:9", request = function()
  return { status = 200, body = text .. (os.remove and ", os" or "") }
end }"""

ALLOWED_TEST = """local policy = require("interim.test").load("policy.lua")
test("it", function()
  expect_nil(io)
  expect_equal(policy:request({}).body, "io, os")
end)"""


def test_a_policy_under_trial_may_use_what_is_allowed_it(folder, decided, tested):
    (folder / "policy.lua").write_text(ALLOWED)
    for words in ((), ("--allow", "io,os"), ("--allow=os", "--allow", "io")):
        assert decided("GET", "/", *words)["hooks"]["request"]["body"] == ("io, os" if words else "no io")
        assert tested(ALLOWED_TEST, *words).returncode == (0 if words else 1)


@pytest.mark.parametrize("words,message", [
    (["--allow", "io,net"], '--allow takes io, os, ffi, jit, debug, load, not "net"'),
    (["--allow"], "--allow needs a value"), (["--alow=io"], 'did you mean "--allow"'),
], ids=repr)
def test_what_cannot_be_allowed_is_told(attempt, tested, words, message):
    for done in (attempt("GET", "/", *words), tested(TEST, *words)):
        assert (done.returncode, done.stdout) == (2, "")
        assert message in done.stderr and "--help" in done.stderr


# ---- all three ----

@pytest.mark.parametrize("words,message", [
    (["test", "--jsn"], 'did you mean "--json"'), (["types", "--ouput", "x"], 'did you mean "--output"'),
    (["types", "--output"], "a file is needed"), (["types", "x"], "x"), (["tset"], 'did you mean "test"'),
    (["tyr", "x.lua"], 'did you mean "try"'), (["--workers", "1", "try"], "come first"),
], ids=repr)
def test_a_wrong_word_says_what_was_meant(words, message):
    done = run(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


@pytest.mark.parametrize("tool", ["try", "test", "types"])
def test_each_tool_has_its_help(tool):
    done = run(tool, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert run(tool, "-h").stdout == done.stdout
    assert done.stdout.startswith(f"interim {tool} - ")
    assert all(len(line) <= 100 for line in done.stdout.splitlines())


@pytest.mark.parametrize("words", [["try", "policy.lua", "GET", "/"], ["test"], ["types"]], ids=repr)
def test_output_that_is_lost_is_a_failure(folder, words):
    (folder / "a_test.lua").write_text(TEST)
    with open("/dev/full", "w") as full:
        done = subprocess.run([binary(), *words], cwd=folder, stdout=full, stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == 1 and b"cannot be written" in done.stderr


def test_colours_are_for_terminals_only(folder):
    command = shlex.join([binary(), "try", "policy.lua", "GET", "/"])
    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    for extra, coloured in (({}, True), ({"NO_COLOR": "1"}, False)):
        done = subprocess.run(["script", "-qec", command, "/dev/null"], cwd=folder, capture_output=True,
                              env={**environment, **extra}, timeout=60)
        assert (b"\x1b[1mrequest\x1b[0m" in done.stdout) == coloured
