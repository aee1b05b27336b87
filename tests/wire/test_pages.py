"""Pages (rule G4): what a client is told about a timeout or an error. By its Accept, by a hook, for
HEAD, on a connection that goes on, in HTTP/1.0, under each setting of `statuses`."""

import json

import pytest

from harness import free_port
from scenes import OK, answer_with, exchange, get, is_page, post
from test_time import deaf, times  # noqa: F401 (a fixture)

STATUSES = ("default", "standard", "cloudflare")
SHORT = {"connect": 0.2, "body": 0.3, "response": 0.2, "processing": 0.2}


def setting(statuses, **seconds):
    return times(**{**SHORT, **seconds}) + f'statuses = "{statuses}",'


# ---- how each kind comes about; each leaves the answer to be read ----


def response(client, origin, *fields, **keywords):
    client.send(get(*fields, **keywords))
    origin.accept().request()


def processing(client, origin, *fields, **keywords):
    client.send(get(*fields, **keywords))
    wire = origin.accept()
    wire.request()
    wire.send("HTTP/1.1 102 P\r\n\r\n")
    if keywords.get("version") != "HTTP/1.0":
        client.interim(102)


def body(client, origin, *fields, **keywords):
    client.send(get("Content-Length: 5", *fields, **{**keywords, "method": "POST"}), "he")
    origin.accept().request_head()


def closed(client, origin, *fields, **keywords):
    client.send(get(*fields, **keywords))
    wire = origin.accept()
    wire.request()
    wire.close()


def bad_response(client, origin, *fields, **keywords):
    client.send(get(*fields, **keywords))
    wire = origin.accept()
    wire.request()
    wire.send("nonsense\r\n\r\n")


KINDS = {
    "response": (response, (524, 504, 524)),
    "processing": (processing, (522, 504, 522)),
    "body": (body, (408, 408, 408)),
    "closed": (closed, (502, 502, 520)),
    "bad_response": (bad_response, (502, 502, 520)),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("statuses", STATUSES)
def test_the_status_of_each_kind(start, origin, statuses, kind):
    scene, wanted = KINDS[kind]
    client = start(setting(statuses)).client()
    scene(client, origin)
    is_page(client.response(), wanted[STATUSES.index(statuses)])


@pytest.mark.parametrize("statuses,status", zip(STATUSES, (524, 504, 524)))
def test_the_status_of_exchange(start, origin, statuses, status):
    client = start(setting(statuses, response=9, exchange=0.2)).client()
    response(client, origin)
    is_page(client.response(), status)


@pytest.mark.parametrize("statuses,status", zip(STATUSES, (522, 504, 522)))
def test_the_status_of_connect(start, deaf, statuses, status):  # noqa: F811
    client = start(setting(statuses), upstream=deaf.origin.text).client()
    client.send(get())
    is_page(client.response(), status)


@pytest.mark.parametrize("statuses,status", zip(STATUSES, (502, 502, 521)))
def test_the_status_of_refused(start, statuses, status):
    client = start(setting(statuses), upstream=f"127.0.0.1:{free_port()}").client()
    client.send(get())
    is_page(client.response(), status)


@pytest.mark.parametrize("statuses,status", zip(STATUSES, (502, 502, 523)))
def test_the_status_of_unreachable(start, shared_path, statuses, status):
    client = start(setting(statuses), upstream=f"unix:{shared_path}/none").client()
    client.send(get())
    is_page(client.response(), status)


@pytest.mark.parametrize("accept,kind", [
    ("text/html", "text/html"), ("application/json", "application/json"),
    ("text/plain", "text/plain"), ("image/*", "text/plain"), (None, "text/plain"),
    ("text/html;q=0.1, application/json;q=0.2", "application/json"),
])
@pytest.mark.parametrize("scene", ["response", "body", "closed"])
def test_the_form_of_each_kind(start, origin, scene, accept, kind):
    client = start(setting("default")).client()
    KINDS[scene][0](client, origin, *([f"Accept: {accept}"] if accept else []))
    answer = client.response()
    is_page(answer, KINDS[scene][1][0])
    assert answer.get("content-type").split(";")[0] == kind
    if kind == "application/json":
        assert json.loads(answer.body)["status"] == answer.status
    assert str(answer.status).encode() in answer.body


@pytest.mark.parametrize("scene", ["response", "processing", "closed", "bad_response"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_connection_goes_on_behind_a_page(start, origin, method, scene):
    client = start(setting("default")).client()
    for _ in range(3):
        KINDS[scene][0](client, origin, method=method)
        answer = client.response(to=method)
        assert answer.status == KINDS[scene][1][0] and not answer.closes()
        assert int(answer.get("content-length")) > 0
    _, answer = exchange(client, origin)
    assert answer.body == b"ok"


@pytest.mark.parametrize("head", ["HEAD / HTTP/1.1\r\nHost : a\r\n\r\n", "HEAD / HTTP/1.1\nHost: a\n\n",
                                  "\r\nHEAD  / HTTP/1.1\r\n\r\n"])
def test_a_head_that_is_no_request_gets_no_body(start, head):
    client = start(setting("default")).client()
    client.send(head)
    answer = client.response(to="HEAD")
    assert answer.status == 400 and answer.closes() and int(answer.get("content-length")) > 0
    client.at_end()


def test_behind_the_page_of_a_body_that_never_came_it_does_not(start, origin):
    client = start(setting("default")).client()
    body(client, origin)
    answer = client.response()
    assert answer.status == 408 and answer.closes()
    client.at_end()


@pytest.mark.parametrize("keep", [True, False], ids=["keep-alive", "close"])
@pytest.mark.parametrize("scene", ["response", "processing", "closed"])
def test_a_page_for_http_1_0(start, origin, scene, keep):
    client = start(setting("default")).client()
    KINDS[scene][0](client, origin, *(["Connection: keep-alive"] if keep else []),
                    version="HTTP/1.0")
    answer = client.response()
    is_page(answer, KINDS[scene][1][0])
    if keep:
        assert answer.get("connection").lower() == "keep-alive"
        client.send(get(version="HTTP/1.0"))
        wire = origin.accept()
        wire.request()
        wire.send(OK)
        assert client.response().body == b"ok"
    client.at_end()


# ---- by a hook ----

TOLD = """
  timeout = function(req, t)
    local how = req.headers["x-how"]
    if how == "nil" then return nil end
    if how == "error" then error("x") end
    if how == "status" then return 503 end
    if how == "wait" then interim.sleep(0.1) end
    return { status = 599, headers = { ["content-type"] = "application/json" },
             body = interim.json.encode { kind = t.kind, status = t.status, after = t.after,
                                          interims = t.interims } }
  end,
  error = function(req, e)
    return { status = 599, body = interim.json.encode { kind = e.kind, status = e.status,
                                                        after = e.after, interims = e.interims } }
  end,
"""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("statuses", STATUSES)
def test_a_hook_is_told_the_kind_and_the_status_of_the_setting(start, origin, statuses, kind):
    scene, wanted = KINDS[kind]
    client = start(setting(statuses) + TOLD).client()
    scene(client, origin)
    answer = client.response()
    told = json.loads(answer.body)
    assert answer.status == 599
    assert (told["kind"], told["status"]) == (kind, wanted[STATUSES.index(statuses)])
    assert told["after"] == pytest.approx(SHORT.get(kind, 0))
    assert told["interims"] == (1 if kind == "processing" else 0)


@pytest.mark.parametrize("how,status", [("nil", 524), ("error", 524), ("status", 503),
                                        ("wait", 599), ("page", 599)])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_a_hook_may_answer_and_the_connection_goes_on(start, origin, method, how, status):
    client = start(setting("default") + TOLD).client()
    response(client, origin, f"X-How: {how}", method=method)
    answer = client.response(to=method)
    assert answer.status == status and not answer.closes()
    assert answer.get("date") and int(answer.get("content-length")) > 0
    _, answer = exchange(client, origin)
    assert answer.body == b"ok"


def test_a_hook_waits_while_the_client_leaves(start, origin):
    proxy = start(setting("default") + "timeout = function() interim.sleep(9) end,")
    client = proxy.client()
    response(client, origin)
    proxy.counts("timeouts_response", 1)
    client.reset()
    proxy.wait_stats(lambda s: s["open"] == 0)
    proxy.counts("aborted", 1)


def test_there_is_no_page_once_the_response_has_begun(start, origin):
    proxy = start(times(stall=0.3) + TOLD)
    client = proxy.client()
    client.send(get())
    wire = origin.accept()
    wire.request()
    wire.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
    client.response_head()
    client.ending()
    assert bytes(client.held) == b"half"


def test_an_expectation_that_waited_too_long_has_its_page_and_its_end(start, origin):
    client = start(setting("default") + TOLD).client()
    client.send(post("Expect: 100-continue", "Content-Length: 5"))
    wire = origin.accept()
    wire.request_head()
    answer = client.response()
    assert json.loads(answer.body)["kind"] == "response"
    assert answer.closes()
    client.at_end()
    wire.ending()


def test_a_late_answer_behind_a_page_reaches_nobody(start, origin):
    client = start(setting("default")).client()
    response(client, origin)
    is_page(client.response(), 524)
    try:
        origin.wires[-1].send(answer_with(body="late"))
    except (BrokenPipeError, ConnectionResetError):
        pass
    _, answer = exchange(client, origin, answer=answer_with(body="new"))
    assert answer.body == b"new"
