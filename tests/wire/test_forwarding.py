"""What is changed on the way (rules C), in both directions, and what is not."""

import re

import pytest

from scenes import OK, answer_with, exchange, refuses


HOP_BY_HOP = ["Connection: keep-alive, X-Drop, x-also", "X-Drop: 1", "X-Also: 2", "X-Stay: 3",
              "Keep-Alive: timeout=5", "Proxy-Connection: keep-alive"]


def test_c1_hop_by_hop_fields_are_removed_from_a_request(client, origin):
    request, _ = exchange(client, origin, HOP_BY_HOP)
    for name in ("x-drop", "x-also", "keep-alive", "proxy-connection"):
        assert request.get(name) is None
    assert request.get("x-stay") == "3"
    assert "x-drop" not in (request.get("connection") or "")


def test_c1_hop_by_hop_fields_are_removed_from_a_response(client, origin):
    _, answer = exchange(client, origin, answer=answer_with(*HOP_BY_HOP))
    for name in ("x-drop", "x-also", "keep-alive", "proxy-connection"):
        assert answer.get(name) is None
    assert answer.get("x-stay") == "3"


@pytest.mark.parametrize("te,passed", [
    ("trailers", "trailers"), ("trailers, gzip;q=0.5", "trailers"), ("gzip, Trailers", "trailers"),
    ("gzip", None), ("", None),
])
def test_c1_of_te_only_trailers_pass(client, origin, te, passed):
    request, _ = exchange(client, origin, ["Connection: TE", f"TE: {te}"])
    assert (request.get("te") or "").lower() == (passed or "")
    if passed:
        assert "te" in (request.get("connection") or "").lower().replace(" ", "").split(",")


@pytest.mark.parametrize("name", [
    "Host", "Content-Length", "Transfer-Encoding", "Authorization", "Cookie", "X-Forwarded-For",
    "X-Forwarded-Proto", "X-Forwarded-Host", "Forwarded", "Via", "Expect", "host", "CONTENT-LENGTH",
    "X-Request-Id",
])
def test_c1_what_frames_routes_or_authenticates_cannot_be_nominated(client, origin, name):
    head = f"GET / HTTP/1.1\r\nHost: a\r\nConnection: close, {name}\r\n\r\n"
    refuses(client, origin, head.encode(), 400)


def test_c1_connection_may_nominate_itself(client, origin):
    request, _ = exchange(client, origin, ["Connection: connection"])
    assert "connection" not in (request.get("connection") or "").lower()


def test_c1_an_upgrade_that_is_none_does_not_pass(client, origin):
    request, _ = exchange(client, origin, ["Upgrade: websocket"])
    assert request.get("upgrade") is None


def test_c2_via_is_appended_on_requests_and_responses(client, origin):
    request, answer = exchange(client, origin, ["Via: 1.0 before"], answer_with("Via: 1.1 behind"))
    assert ", ".join(request.all("via")) == "1.0 before, 1.1 interim"
    assert ", ".join(answer.all("via")) == "1.1 behind, 1.1 interim"


def test_c2_via_names_the_version_that_was_received(proxy, origin):
    client = proxy.client()
    client.send("GET / HTTP/1.0\r\nHost: a\r\n\r\n")
    wire = origin.accept()
    assert wire.request().get("via") == "1.0 interim"
    wire.send(OK)
    assert client.response().status == 200


@pytest.mark.parametrize("via,on_request,on_response", [
    ('"edge-7"', "1.1 edge-7", "1.1 edge-7"),
    ("false", None, None),
    ('{ name = "edge", responses = false }', "1.1 edge", None),
])
def test_c2_via_is_the_operators(start, origin, via, on_request, on_response):
    proxy = start(f"via = {via},")
    request, answer = exchange(proxy.client(), origin)
    assert (request.get("via"), answer.get("via")) == (on_request, on_response)


FORGED = ["X-Forwarded-For: 1.2.3.4", "X-Forwarded-Proto: https", "X-Forwarded-Host: evil"]


def test_c2_what_a_stranger_says_of_the_way_here_is_replaced(client, origin):
    request, _ = exchange(client, origin, FORGED)
    assert request.get("x-forwarded-for") == "127.0.0.1"
    assert request.get("x-forwarded-proto") == "http"
    assert request.get("x-forwarded-host") == "a"


def test_c2_what_a_trusted_proxy_says_of_it_is_kept(start, origin):
    proxy = start('trusted_proxies = { "127.0.0.0/8" },')
    request, _ = exchange(proxy.client(), origin, FORGED)
    assert ", ".join(request.all("x-forwarded-for")) == "1.2.3.4, 127.0.0.1"
    assert request.all("x-forwarded-proto")[0].startswith("https")
    assert request.all("x-forwarded-host")[0].startswith("evil")


OTHERS = ["Forwarded: for=1.2.3.4;proto=https", "forwarded: for=5.6.7.8", "X-Forwarded-Port: 443",
          "X-Forwarded-Prefix: /admin", "x-forwarded-ssl: on", "X-Forwarded-: x"]


@pytest.mark.parametrize("line", OTHERS)
def test_c2_whatever_else_a_stranger_says_of_it_is_dropped(client, origin, line):
    """It would stand beside what the proxy says itself, and many servers believe it first."""
    name = line.partition(":")[0]
    request, _ = exchange(client, origin, [line, line.replace(name, name.replace("-", "_"), 1)])
    assert not [n for n in request.names() if "forwarded" in n and n not in
                ("x-forwarded-for", "x-forwarded-host", "x-forwarded-proto")]


@pytest.mark.parametrize("line", OTHERS)
def test_c2_whatever_else_a_trusted_proxy_says_of_it_is_kept(start, origin, line):
    proxy = start('trusted_proxies = { "127.0.0.0/8" },')
    request, _ = exchange(proxy.client(), origin, [line])
    name, _, value = line.partition(": ")
    assert request.all(name) == [value]


def test_c2_whatever_else_a_policy_says_of_it_goes_as_it_is_set(start, origin):
    proxy = start("""request = function(req)
        req.headers.forwarded = "for=_here"
        req.headers["x-forwarded-port"] = "8443" end,""")
    request, _ = exchange(proxy.client(), origin, OTHERS)
    assert request.all("forwarded") == ["for=_here"]
    assert request.all("x-forwarded-port") == ["8443"]
    assert request.get("x-forwarded-prefix") is None


OWN_ID = re.compile(r"[0-9a-f]{16}\Z")


def test_c2_every_request_has_an_id_that_origin_and_access_log_know(proxy, client, origin):
    client.send(*[b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"] * 3)
    wire, ids = origin.accept(), []
    for _ in range(3):
        ids.append(wire.request().get("x-request-id"))
        wire.send(OK)
        client.response()
    assert all(OWN_ID.match(one) for one in ids) and len(set(ids)) == 3
    assert [line["id"] for line in proxy.exchanges(3)] == ids


def test_c2_a_stranger_cannot_say_which_request_it_is(start, origin):
    proxy = start('request = function(req) if req.headers["x-request-id"] then return 500 end end,')
    request, answer = exchange(proxy.client(), origin, ["X-Request-Id: mine", "x-request-id: b",
                                                        "X_Request_Id: c"])
    assert answer.status == 200  # no hook saw it either
    assert OWN_ID.match(request.get("x-request-id")) and "x_request_id" not in request.names()
    assert proxy.exchange()["id"] == request.get("x-request-id")


TRUSTING = 'trusted_proxies = { "127.0.0.0/8" },'
SHOWING = TRUSTING + """
  request = function(req)
    if req.path == "/here" then return { status = 403, body = req.id } end
    if req.path == "/page" then return 403 end
    if req.path == "/own" then req.headers["x-request-id"] = "own-" .. req.id end
  end,"""


@pytest.mark.parametrize("given", ["a", "0" * 64, "8f14e45f-ceea-467f-a8d6-5b1d9c3f4a10",
                                   "Root=1-67891233-abcdef012345678912345678", "aB.9_~+/=:@"])
def test_c2_the_id_of_a_trusted_proxy_is_kept(start, origin, given):
    proxy = start(SHOWING)
    request, _ = exchange(proxy.client(), origin, [f"X-Request-ID: {given}"])
    assert request.get("x-request-id") == given
    assert proxy.exchange()["id"] == given


@pytest.mark.parametrize("given", [
    "", "0" * 65, "a b", "a,b", 'a"b', "a\\b", "a<b>", "a\xe9", "a\tb", "a;b", "a\r\nX-Request-Id: b",
])
def test_c2_but_not_one_that_could_be_misread(start, origin, given):
    proxy = start(SHOWING)
    request, _ = exchange(proxy.client(), origin, [f"X-Request-Id: {given}"])
    assert OWN_ID.match(request.get("x-request-id"))
    assert proxy.exchange()["id"] == request.get("x-request-id")


def test_c2_hooks_and_pages_show_the_same_id(start, origin):
    proxy = start(SHOWING)
    client = proxy.client()
    for target in ("/here", "/page"):
        client.send(f"GET {target} HTTP/1.1\r\nHost: a\r\nX-Request-Id: given-1\r\n\r\n")
        assert b"given-1" in client.response().body


def test_c2_a_policy_may_give_the_origin_another_id(start, origin):
    proxy = start(SHOWING)
    request, _ = exchange(proxy.client(), origin, ["X-Request-Id: given"], target="/own")
    assert request.get("x-request-id") == "own-given"
    assert proxy.exchange()["id"] == "given"


TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize("parent,logged", [
    (f"00-{TRACE}-00f067aa0ba902b7-01", TRACE),
    (f"01-{TRACE}-00f067aa0ba902b7-01-later", TRACE),
    (f"00-{TRACE}-00f067aa0ba902b7-01-later", ""),
    (f"ff-{TRACE}-00f067aa0ba902b7-01", ""),
    (f"00-{TRACE.upper()}-00f067aa0ba902b7-01", ""),
    (f"00-{'0' * 32}-00f067aa0ba902b7-01", ""),
    (f"00-{TRACE}-{'0' * 16}-01", ""),
    (f"00-{TRACE}", ""),
    ('"\x07\xff'.replace("\x07", "\t"), ""),
])
def test_c2_traceparent_passes_as_it_is_and_is_logged_if_well_formed(start, origin, parent, logged):
    for form in ("json", "text"):
        proxy = start(f'access_log = "{form}",')
        request, _ = exchange(proxy.client(), origin, [f"traceparent: {parent}"])
        assert request.get("traceparent") == parent
        line = proxy.access.wait(r"\S", proxy.access_began).string
        assert (f'"trace":"{logged}"' if form == "json" else f" trace={logged}") in line or \
            (form == "text" and not logged and "trace=" not in line)
        origin.hang_up()


@pytest.mark.parametrize("name", ["X_Forwarded_For", "x_forwarded-for", "Content_Length",
                                  "Transfer_Encoding", "X-Forwarded_Host"])
def test_c2_names_that_differ_by_an_underscore_are_dropped(client, origin, name):
    request, _ = exchange(client, origin, [f"{name}: 5", "My_Own: 1"])
    assert name.lower() not in request.names()
    assert request.get("my_own") == "1"


def test_c3_everything_else_passes_untouched(client, origin):
    fields = [("X-CaSe", "MiXeD"), ("Accept", "a/b;q=0.5 ,  c/d"), ("Cookie", "a=b; c=d"),
              ("X-Repeat", "1"), ("X-Between", "\xfc"), ("X-Repeat", "2"), ("x-repeat", "1"),
              ("Authorization", "Basic eDp5"), ("Content-Type", "text/plain"), ("X-Empty", ""),
              ("User-Agent", "t"), ("If-None-Match", 'W/"x"'), ("Origin", "http://a"),
              ("Range", "bytes=0-1")]
    lines = [f"{name}: {value}" for name, value in fields]
    known = {name.lower() for name, _ in fields}
    request, answer = exchange(client, origin, lines, answer_with(*lines))
    assert [f for f in request.fields if f[0].lower() in known] == fields
    assert [f for f in answer.fields if f[0].lower() in known] == fields
    assert request.names()[0] == "host"


def test_c3_a_response_keeps_its_reason_phrase(client, origin):
    _, answer = exchange(client, origin, answer="HTTP/1.1 299 Fine, \xe4nd odd\r\n"
                                                "Content-Length: 0\r\n\r\n")
    assert (answer.status, answer.reason) == (299, "Fine, \xe4nd odd")


def test_c3_a_response_may_have_no_reason_phrase(client, origin):
    _, answer = exchange(client, origin, answer="HTTP/1.1 404 \r\nContent-Length: 0\r\n\r\n")
    assert answer.status == 404


@pytest.mark.parametrize("method", ["TRACE", "OPTIONS"])
def test_c4_max_forwards_is_counted_down(client, origin, method):
    request, _ = exchange(client, origin, ["Max-Forwards: 2"], method=method)
    assert request.get("max-forwards") == "1"


def test_c4_max_forwards_of_other_methods_is_left_alone(client, origin):
    request, _ = exchange(client, origin, ["Max-Forwards: 0"])
    assert request.get("max-forwards") == "0"


@pytest.mark.parametrize("method,status", [("OPTIONS", 200), ("TRACE", 405)])
def test_c4_at_zero_the_answer_is_given_here(client, origin, method, status):
    client.send(f"{method} / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n")
    answer = client.response(to=method)
    assert answer.status == status
    if status == 405:
        assert answer.get("allow") is not None
    assert origin.untouched()


DATE = re.compile(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|"
                  r"Nov|Dec) \d{4} \d\d:\d\d:\d\d GMT\Z")


def test_c5_a_response_without_a_date_gets_one(client, origin):
    _, answer = exchange(client, origin)
    assert DATE.match(answer.get("date"))


def test_c5_a_date_that_is_there_stays(client, origin):
    date = "Sun, 06 Nov 1994 08:49:37 GMT"
    _, answer = exchange(client, origin, answer=answer_with(f"Date: {date}"))
    assert answer.get("date") == date


def test_c5_server_is_not_invented(client, origin):
    _, answer = exchange(client, origin)
    assert answer.get("server") is None
