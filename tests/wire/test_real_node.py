"""Node as client and as origin: its own http module, and undici.

Node's server has an event for each expectation and writes a 100, 102 or 103 when it is told to;
its client has one for each interim response and for an upgrade.
"""

import pytest

from programs import NodeServer, Sink, curl, curl_facts, need_package, node
from scenes import MARKER, get

POLICY = """
  request = function(req)
    if req.path == "/refused" then return { status = 413, body = "not here\\n" } end
  end,
  expect = function(req)
    if req.path == "/gate" then return { status = 401, body = "who are you?\\n" } end
    if req.path == "/upload" and req.body_size == 7 then return "continue" end
  end,
  upgrade = function(req) return req.upgrade[1] ~= "other" and req.upgrade or false end,
"""


@pytest.fixture(scope="module")
def server():
    server = NodeServer("server")
    yield server
    server.stop()
    codes = [event["code"] for event in server.events("clientError")]
    assert set(codes) <= {"HPE_INVALID_EOF_STATE"}, codes  # of the client that left


@pytest.fixture(scope="module")
def sink():
    sink = Sink()
    yield sink
    sink.stop()


@pytest.fixture
def through(start, server):
    return start(POLICY, upstream=server.text, lasting=True)


# The events of an upload that was let in; Node tells of a 100 twice.
ALLOWED = ["sha256", "continue", "information", "response"]


def names(events):
    return [event["event"] for event in events]


# Expectations.

def test_the_body_follows_the_100_of_checkcontinue(through, server):
    mark = server.out.mark()
    events = node("client", "upload", through, "/upload", 1 << 20)
    assert names(events) == ALLOWED
    assert f'"size":{1 << 20},"sha256":"{events[0]["sha256"]}"' in events[-1]["body"]
    assert len(server.events("checkContinue", mark)) == 1
    line = through.exchange()
    assert (line["interims"], line["bytes_in"]) == ([100], 1 << 20)


def test_the_proxys_own_100_is_one_event_too(through, server):
    mark = server.out.mark()
    events = node("client", "upload", through, "/upload", 7)
    assert names(events) == ALLOWED
    assert events[0]["sha256"] in events[-1]["body"]
    assert server.events("checkContinue", mark) == []


@pytest.mark.parametrize("path, status, body", [
    ("/refuse", 413, "too much for node"), ("/early", 200, "not needed"),
    ("/gate", 401, "who are you?\n"),
], ids=["by the origin", "answered early", "by the policy"])
def test_a_refusal_comes_instead_of_the_100(through, path, status, body):
    events = node("client", "upload", through, path, 1 << 20)
    assert names(events) == ["sha256", "response"]
    facts = events[1]
    assert (facts["status"], facts["body"], facts["sent"]) == (status, body, 0)
    assert facts["close"]


def test_a_102_between_the_100_and_the_body(through):
    events = node("client", "upload", through, "/progress", 1000)
    assert names(events) == ALLOWED[:-1] + ["information", "response"]
    assert events[3]["status"] == 102 and events[0]["sha256"] in events[-1]["body"]


@pytest.mark.parametrize("expect", ["200-ok", "100-continue, 100-continue"])
def test_an_expectation_of_another_kind_never_reaches_checkexpectation(through, server, expect):
    mark = server.out.mark()
    _, facts = curl_facts("-H", f"Expect: {expect}", "-d", "x", f"{through.url}/upload")
    assert facts["http_code"] == 417
    assert server.events("checkExpectation", mark) == []


def test_a_client_that_leaves_in_its_upload_ends_the_request_at_the_origin(through, server):
    mark = server.out.mark()
    assert names(node("client", "leave", through)) == ["left"]
    assert server.event("aborted", mark)["url"] == "/upload"
    through.counts("aborted", 1)


# Interim responses.

def test_every_interim_is_an_event_in_its_order(through):
    events = node("client", "get", through, "/hints")
    assert [event.get("status") for event in events] == [103, 103, 102, 200]
    assert events[0]["link"] == "</a.css>; rel=preload"
    assert events[1]["link"] == "</b.js>; rel=preload, </c.js>; rel=preload"
    assert events[1]["reason"] == "Early Hints" and events[2]["reason"] == "Processing"
    assert dict(zip(events[1]["raw"][::2], events[1]["raw"][1::2]))["x-n"] == "2"
    assert events[3]["body"] == "page"
    assert through.exchange()["interims"] == [103, 103, 102]


def test_a_103_is_an_event_while_the_origin_still_waits(through):
    events = node("client", "held", through)
    assert events[0]["event"] == "information" and events[0]["status"] == 103
    assert sorted(event["body"] for event in events[1:]) == ["page", "released"]


def test_undici_is_informed_too(through):
    events = node("undici", "hints", through)
    assert [event["status"] for event in events] == [103, 103, 102, 200]
    assert events[0]["link"] == "</a.css>; rel=preload" and events[3]["body"] == "page"


def test_no_interim_for_curl_in_http_1_0(through):
    text = curl("-i", "--http1.0", f"{through.url}/hints")
    assert text.count(b"HTTP/1.") == 1 and text.endswith(b"\r\n\r\npage")


# Upgrades.

def test_upgrade_events_on_both_sides(through, server):
    mark = server.out.mark()
    events = node("client", "upgrade", through, "echo")
    assert events[0] == {"event": "upgrade", "status": 101, "upgrade": "echo"}
    assert events[1] == {"event": "echo", "early": "welcome ", "whole": True}
    assert server.event("upgrade", mark) == {"event": "upgrade", "upgrade": "echo", "early": 0}
    server.event("tunnel closed", mark)
    line = through.exchange()
    assert (line["status"], line["upgrade"]) == (101, "echo")
    assert (line["tunnel_in"], line["tunnel_out"]) == (1 << 20, (1 << 20) + len("welcome "))


def test_what_a_client_sends_early_comes_behind_the_101_and_not_with_the_head(through, server):
    mark = server.out.mark()
    client = through.client()
    client.send(get("Connection: upgrade", "Upgrade: echo"), MARKER)
    client.interim(101)
    assert client.exactly(8 + len(MARKER)) == b"welcome " + MARKER
    assert server.event("upgrade", mark)["early"] == 0


def test_an_upgrade_that_the_policy_makes_ordinary_is_a_response(through, server):
    mark = server.out.mark()
    events = node("client", "upgrade", through, "other")
    assert [(event["event"], event["status"]) for event in events] == [("response", 200)]
    assert server.events("upgrade", mark) == []


def test_an_answer_that_names_what_was_not_offered_opens_no_tunnel(through):
    events = node("client", "upgrade", through, "foo")
    assert [(event["event"], event["status"]) for event in events] == [("response", 502)]


def test_an_upgrade_by_undici(through):
    (event,) = node("undici", "upgrade", through)
    assert event == {"event": "echo", "upgrade": "echo", "text": "welcome all of it"}


# Connections and bodies.

def test_an_agent_that_keeps_its_connection(start, server):
    proxy = start(POLICY, upstream=server.text, lasting=True, fresh=True)
    mark = server.out.mark()
    (event,) = node("client", "many", proxy)
    assert event["bodies"] == [f"hello from /{n}" for n in range(50)]
    assert event["connections"] == 1
    assert len(server.events("connection", mark)) == 1
    proxy.counts("accepted", 1)
    proxy.counts("upstream_reused", 49)


def test_fifty_pipelined_requests_of_undici_are_answered_in_order(start, server):
    proxy = start(POLICY, upstream=server.text, lasting=True, fresh=True)
    (event,) = node("undici", "pipelined", proxy)
    assert event["bodies"] == [f"hello from /{n}" for n in range(50)]
    proxy.counts("accepted", 1)


def test_trailers_of_a_request(through):
    (event,) = node("client", "trailers", through)
    assert '"size":7' in event["body"] and '"trailers":{"x-sum":"2"}' in event["body"]


def test_trailers_of_a_response(through):
    (event,) = node("client", "get", through, "/trailers")
    assert (event["body"], event["trailers"]) == ("one,two,three", {"x-sum": "3"})


def test_a_large_chunked_response(through):
    (event,) = node("client", "big", through, 30_000_000)
    assert event["size"] == 30_000_000
    assert event["trailers"] == {"x-sha256": event["sha256"]}


def test_a_body_that_undici_makes_as_it_goes(through):
    (event,) = node("undici", "stream", through, 500)
    assert (event["status"], event["size"]) == (200, 5_000_000)
    assert event["sha256"] == event["sent"]


def test_fetch_uploads(through):
    (event,) = node("undici", "fetch", through)
    assert (event["status"], event["size"]) == (200, 1 << 20)
    assert event["sha256"] == event["sent"] and event["via"] == "1.1 interim"


def test_fetch_gets_a_refusal_that_comes_while_it_uploads(through):
    (event,) = node("undici", "refused", through)
    assert (event["status"], event["body"]) == (413, "not here\n")


def test_pythons_server_behind_nodes_client(start, sink):
    proxy = start(POLICY, upstream=sink.text, lasting=True)
    events = node("client", "upload", proxy, "/upload", 3_000_000)
    assert names(events) == ALLOWED
    assert events[0]["sha256"] in events[-1]["body"]


@pytest.fixture(autouse=True)
def undici_where_it_is_used(request):
    if "undici" in request.function.__name__ or "fetch" in request.function.__name__:
        need_package("undici")
