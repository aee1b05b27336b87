"""Counters and the log of what was decided: interims by code, expectations and upgrades by what
became of them, timeouts by kind. Each moves once, and no other moves with it."""

import pytest

from peers import Origin
from scenes import EXPECT, OK, answer_with, exchange, get, post
from test_time import deaf, times  # noqa: F401 (a fixture)
from test_upgrade import offer, switching

CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n"
DECIDED = ("interims_", "expect_", "upgrades_", "timeouts_")

HOOK = """
  expect = function(req) if req.headers["x-how"] == "401" then return 401 end
                         return req.headers["x-how"] end,
  upgrade = function(req) local how = req.headers["x-how"]
                          if how == "403" then return 403 end
                          if how == "true" then return true end
                          if how == "false" then return false end end,
"""


def moves(proxy, wanted, prefixes=DECIDED):
    """These counters of what was decided have moved in this scenario, this far, and no others."""
    stats = proxy.wait_stats(lambda s: all(s[name] - proxy.before[name] >= by
                                           for name, by in wanted.items()))
    assert {name: value - proxy.before[name] for name, value in stats.items()
            if name.startswith(prefixes) and value != proxy.before[name]} == wanted


def upload(*fields):
    return post(EXPECT, "Content-Length: 5", *fields)


# ---- interim responses ----


@pytest.mark.parametrize("code,name", [(100, "100"), (102, "102"), (103, "103"), (104, "other"),
                                       (199, "other")])
@pytest.mark.parametrize("count", [1, 3])
def test_interims_by_code(proxy, client, origin, code, name, count):
    client.send(get())
    wire = origin.accept()
    wire.request()
    wire.send(f"HTTP/1.1 {code} X\r\n\r\n" * count, OK)
    for _ in range(count):
        client.interim(code)
    assert client.response().status == 200
    moves(proxy, {f"interims_{name}": count})
    line = proxy.exchange()
    assert (line["interims"], line["interim_count"]) == ([code] * count, count)


def test_interims_that_nobody_saw_are_dropped(proxy, client, origin):
    client.send(get(version="HTTP/1.0"))
    wire = origin.accept()
    wire.request()
    wire.send(CONTINUE, "HTTP/1.1 103 X\r\n\r\n", OK)
    assert client.response().status == 200
    moves(proxy, {"interims_dropped": 2})
    assert proxy.exchange()["interims"] == []


def test_the_log_keeps_the_first_codes_and_the_number_of_all(proxy, client, origin):
    client.send(get())
    wire = origin.accept()
    wire.request()
    wire.send("HTTP/1.1 103 X\r\n\r\n" * 20, OK)
    for _ in range(20):
        client.interim(103)
    client.response()
    line = proxy.exchange()
    assert (line["interims"], line["interim_count"]) == ([103] * 16, 20)
    moves(proxy, {"interims_103": 20})


# ---- expectations ----


def ends_with_100(client, wire):
    wire.send(CONTINUE)
    client.interim(100)
    client.send("hello")
    wire.exactly(5)
    wire.send(OK)
    return client.response().status


def ends_finally(client, wire):
    wire.send(answer_with(status="403 Forbidden"))
    return client.response().status


def starts_unasked(client, wire):
    client.send("hello")
    wire.exactly(5)
    wire.send(CONTINUE, OK)
    client.interim(100)
    return client.response().status


def breaks_off(client, wire):
    wire.close()
    return client.response().status


FORWARDED = {
    "forward-100": (ends_with_100, 200, {"expect_origin_100": 1, "interims_100": 1}),
    "forward-final": (ends_finally, 403, {"expect_origin_final": 1}),
    "forward-started": (starts_unasked, 200, {"expect_started": 1, "interims_100": 1}),
    "forward": (breaks_off, 502, {}),
}


@pytest.mark.parametrize("form", ["json", "text"])
@pytest.mark.parametrize("word", FORWARDED)
def test_a_forwarded_expectation_by_its_ending(start, origin, form, word):
    end, status, counters = FORWARDED[word]
    proxy = start(f'access_log = "{form}",')
    client = proxy.client()
    client.send(upload())
    wire = origin.accept()
    wire.request_head()
    assert end(client, wire) == status
    moves(proxy, {"expect_forwarded": 1, **counters})
    line = proxy.access.wait(r"\S", proxy.access_began).string
    assert (f'"expect":"{word}"' if form == "json" else f" expect={word} ") in line
    assert (f'"status":{status}' if form == "json" else f'" {status} ') in line


def test_one_that_the_proxy_met_after_a_silence(start, origin):
    proxy = start(times(continue_=0.1))
    client = proxy.client()
    client.send(upload())
    wire = origin.accept()
    wire.request_head()
    client.interim(100)
    client.send("hello")
    wire.exactly(5)
    wire.send(CONTINUE, OK)  # too late: the client has had its 100
    assert client.response().status == 200
    moves(proxy, {"expect_forwarded": 1, "expect_timed": 1, "interims_dropped": 1})
    assert proxy.exchange()["expect"] == "forward-timed"


@pytest.mark.parametrize("how,early,word,counter", [
    ("continue", "", "continue", "expect_continued"),
    ("continue", "hello", "continue", "expect_continued"),
    ("401", "", "refused", "expect_refused"),
])
def test_one_that_the_policy_decided(start, origin, how, early, word, counter):
    proxy = start(HOOK)
    client = proxy.client()
    client.send(upload(f"X-How: {how}"), early)
    if how == "continue":
        if not early:
            client.interim(100)
            client.send("hello")
        wire = origin.accept()
        assert wire.request().body == b"hello"
        wire.send(OK)
    assert client.response().status == (200 if how == "continue" else 401)
    moves(proxy, {counter: 1})
    assert proxy.exchange()["expect"] == word


def test_one_that_did_not_count_is_not_counted(proxy, client, origin):
    client.send(post(EXPECT, "Content-Length: 5", version="HTTP/1.0"), "hello")
    wire = origin.accept()
    wire.request()
    wire.send(OK)
    client.response()
    client = proxy.client()
    client.send(post("Expect: x", "Content-Length: 5"))
    assert client.response().status == 417
    moves(proxy, {})
    assert [line["expect"] for line in proxy.exchanges(2)] == ["", ""]


def test_a_retry_counts_the_expectation_once(proxy, pair, origin):
    pair.client.send(upload())
    pair.origin.request_head()
    pair.origin.close()
    wire = origin.accept()
    wire.request_head()
    assert ends_with_100(pair.client, wire) == 200
    moves(proxy, {"expect_forwarded": 1, "expect_origin_100": 1, "interims_100": 1})


# ---- upgrades ----


@pytest.mark.parametrize("protocol,how,answer,word,counters", [
    ("websocket", "nil", switching(), "websocket",
     {"upgrades_offered": 1, "upgrades_websocket": 1}),
    ("x/2", "true", switching(protocol="x/2", accept=None), "x/2",
     {"upgrades_offered": 1, "upgrades_other": 1}),
    ("websocket", "nil", OK, "declined", {"upgrades_offered": 1, "upgrades_declined": 1}),
    ("websocket", "nil", switching(accept="x"), "broken",
     {"upgrades_offered": 1, "upgrades_broken": 1}),
    ("websocket", "nil", None, "offered", {"upgrades_offered": 1}),
    ("websocket", "403", None, "refused", {"upgrades_refused": 1}),
    ("websocket", "false", OK, "ordinary", {"upgrades_ordinary": 1}),
    ("h2c", "nil", OK, "ordinary", {"upgrades_ordinary": 1}),
], ids=["websocket", "another", "declined", "broken", "no answer", "refused", "false", "h2c"])
def test_upgrades_by_protocol_and_by_what_became_of_them(start, origin, protocol, how, answer, word,
                                                         counters):
    proxy = start(HOOK)
    client = proxy.client()
    client.send(offer(f"X-How: {how}", protocol=protocol))
    if how != "403":
        wire = origin.accept()
        wire.request()
        wire.send(answer) if answer else wire.close()
    status = client.head().status
    moves(proxy, counters)
    client.close()
    origin.hang_up()
    line = proxy.exchange()
    assert (line["upgrade"], line["status"]) == (word, status)


# ---- timeouts ----


def silent_request(client, origin):
    client.send(get())
    origin.accept().request()
    return client.response().status


def header(client, origin):
    client.send("GET / HT")
    return client.response().status


def idle(client, origin):
    exchange(client, origin)
    client.at_end()


def body(client, origin):
    client.send(post("Content-Length: 5"), "he")
    origin.accept().request_head()
    return client.response().status


def processing(client, origin):
    client.send(get())
    wire = origin.accept()
    wire.request()
    wire.send("HTTP/1.1 102 P\r\n\r\n")
    client.interim(102)
    return client.response().status


def stall(client, origin):
    client.send(get())
    wire = origin.accept()
    wire.request()
    wire.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
    assert client.ending() in ("close", "reset")


def half_close(client, origin):
    client.send(get())
    wire = origin.accept()
    wire.request()
    client.half_close()
    assert client.ending() in ("close", "reset")


def tunnel(client, origin):
    client.send(offer())
    wire = origin.accept()
    wire.request()
    wire.send(switching())
    assert client.head().status == 101
    assert client.ending() in ("close", "reset")


def hook(client, origin):
    client.send(get())
    return client.response().status


KINDS = {
    "header": (header, "", 408), "idle": (idle, "", None), "body": (body, "", 408),
    "response": (silent_request, "", 524), "processing": (processing, "", 522),
    "exchange": (silent_request, "", 524), "stall": (stall, "", None),
    "half_close": (half_close, "", None), "tunnel": (tunnel, "", None),
    "hook": (hook, "request = function() interim.sleep(9) end,", 500),
}


@pytest.mark.parametrize("kind", KINDS)
def test_timeouts_by_kind(start, origin, kind):
    scene, policy, status = KINDS[kind]
    proxy = start(times(**{kind: 0.3}) + policy)
    client = proxy.client()
    assert scene(client, origin) == status
    moves(proxy, {f"timeouts_{kind}": 1}, "timeouts_")


def test_a_connection_not_made_in_time(start, deaf):  # noqa: F811
    proxy = start(times(connect=0.3), upstream=deaf.origin.text)
    client = proxy.client()
    client.send(get())
    assert client.response().status == 522
    moves(proxy, {"timeouts_connect": 1}, "timeouts_")


def test_an_origin_that_takes_nothing(start):
    origin = Origin(receive_buffer=4096)
    proxy = start(times(send=0.4), upstream=origin.text)
    client = proxy.client()
    client.send(post(f"Content-Length: {2**40}"))
    origin.accept().request_head()
    try:
        client.send_until_blocked(b"x" * 65536, quiet=2)
    except (ConnectionResetError, BrokenPipeError):
        pass
    assert client.response().status == 522
    moves(proxy, {"timeouts_send": 1}, "timeouts_")
    origin.close()


def test_an_end_before_its_time_is_no_timeout(start, origin):
    proxy = start(times(idle=5, header=5, body=5, response=5, exchange=5))
    client = proxy.client()
    exchange(client, origin)
    client.send("GET / HT")
    client.close()
    client = proxy.client()
    client.send(post("Content-Length: 5"), "he")
    client.reset()
    proxy.wait_stats(lambda s: s["open"] == 0)
    moves(proxy, {})


def test_a_drain_is_no_timeout_of_idle_clients(start, origin):
    proxy = start("timeouts = { linger = 0.2 },", fresh=True)
    served = proxy.client()
    exchange(served, origin)
    busy = proxy.client()
    busy.send(get())
    wire = origin.either(origin.wires[0])
    wire.request()
    fresh = proxy.client()
    proxy.wait_stats(lambda s: s["open"] == 3)
    proxy.kill(15)
    served.at_end()
    fresh.at_end()
    moves(proxy, {}, "timeouts_")
    wire.send(OK)
    assert busy.response().status == 200
    proxy.process.wait(20)
