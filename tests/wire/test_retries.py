"""A pooled connection that turns out dead: one fresh retry, only where sending twice is safe
(rules I2, D4), and a table of where that is.

The origin's end of an idle pooled connection takes the request and dies before any byte of an
answer. What may then be sent again depends on the method, on how much of the body was used, and on
what became of an expectation.
"""

import pytest

from harness import stopped
from scenes import CHUNKED, EXPECT, OK, answer_with, get

POLICY = """
  expect = function(req) if req.path == "/continue" then return "continue" end end,
"""

IDEMPOTENT = ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"]
OTHERS = ["POST", "PATCH", "PURGE", "QUERY"]

# What the client sends at once: fields, bytes of the body; and what of the body comes later.
BODIES = {
    "no body": ([], "", ""),
    "an empty body": (["Content-Length: 0"], "", ""),
    "a body unsent": (["Content-Length: 5"], "", "hello"),
    "chunks unsent": ([CHUNKED], "", "5\r\nhello\r\n0\r\n\r\n"),
    "a body in part": (["Content-Length: 5"], "he", "llo"),
    "chunks in part": ([CHUNKED], "2\r\nhe\r\n", "3\r\nllo\r\n0\r\n\r\n"),
    "a body": (["Content-Length: 5"], "hello", ""),
}
EXPECTATIONS = ["none", "forwarded", "met here"]


def is_sent_again(method, body, expectation):
    """The rule: no byte of the body was used, and the method is safe to repeat or the origin can
    have done nothing yet, because it was asked and had not answered."""
    unused = BODIES[body][1] == ""
    return unused and (method in IDEMPOTENT or expectation == "forwarded")


def rows():
    for method in IDEMPOTENT + OTHERS:
        for body in BODIES:
            for expectation in EXPECTATIONS:
                has_body = body not in ("no body", "an empty body")
                if (expectation == "none" or has_body) and (method != "TRACE" or not has_body):
                    yield method, body, expectation


@pytest.mark.parametrize("death", ["close", "reset"])
@pytest.mark.parametrize("method,body,expectation", rows())
def test_a_request_is_sent_again_where_that_is_safe(proxy, pair, origin, method, body, expectation,
                                                   death):
    fields, first, rest = BODIES[body]
    if expectation != "none":
        fields = [*fields, EXPECT]
    target = "/continue" if expectation == "met here" else "/again"
    client = pair.client
    client.send(get(*fields, method=method, target=target), first)
    if expectation == "met here" and not first:
        client.interim(100)
    pair.origin.request_head()
    if first:
        pair.origin.until(b"he")
    getattr(pair.origin, death)()
    if not is_sent_again(method, body, expectation):
        answer = client.response(to=method)
        assert answer.status == 502
        proxy.counts("upstream_retries", 0)
        assert origin.untouched()
        return
    wire = origin.accept()
    if expectation == "forwarded":
        assert wire.request_head().get("expect") == "100-continue"
        wire.send("HTTP/1.1 100 Continue\r\n\r\n")
        client.interim(100)
        client.send(rest)
        assert (wire.chunks()[0] if CHUNKED in fields else wire.exactly(5)) == b"hello"
    else:
        client.send(rest)
        request = wire.request()
        assert (request.method, request.target) == (method, target)
        assert request.body == (b"hello" if rest else b"")
        assert request.get("expect") is None
    wire.send(OK if method != "HEAD" else "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
    assert client.response(to=method).status == 200
    proxy.counts("upstream_retries", 1)


@pytest.mark.parametrize("fields", [[], [EXPECT, "Content-Length: 5"]],
                         ids=["idempotent", "expecting"])
@pytest.mark.parametrize("death", ["close", "reset"])
def test_a_second_death_is_the_answer(proxy, pair, origin, fields, death):
    pair.client.send(get(*fields, method="POST" if fields else "GET"))
    pair.origin.request_head()
    getattr(pair.origin, death)()
    fresh = origin.accept()
    fresh.request_head()
    getattr(fresh, death)()
    assert pair.client.response().status == 502
    proxy.counts("upstream_retries", 1)
    assert origin.untouched()


def test_a_retry_sends_the_trailers_again(pair, origin):
    """Of a body without data, which may be sent twice."""
    pair.client.send(get(CHUNKED, "Trailer: X-Sum", method="PUT"), "0\r\nX-Sum: 1\r\n\r\n")
    assert pair.origin.request().trailers == [("X-Sum", "1")]
    pair.origin.close()
    fresh = origin.accept()
    assert fresh.request().trailers == [("X-Sum", "1")]
    fresh.send(OK)
    assert pair.client.response().body == b"ok"


def test_a_retry_never_takes_another_pooled_connection(proxy, pair, origin):
    """Where one is dead, so may be the next, and a request is retried only once."""
    other = proxy.client()
    pair.client.send(get(target="/one"))
    pair.origin.request()
    other.send(get(target="/two"))
    second = origin.accept()
    second.request()
    for wire, client in ((pair.origin, pair.client), (second, other)):
        wire.send(OK)
        assert client.response().body == b"ok"
    # Both idle now; the last one in is the first one out.
    pair.client.send(get(target="/again"))
    second.request_head()
    second.close()
    fresh = origin.accept()
    assert fresh.request().target == "/again"
    fresh.send(OK)
    assert pair.client.response().body == b"ok"


@pytest.mark.parametrize("end", ["close", "reset", "answer", "answer and close"])
@pytest.mark.parametrize("fields,method", [([], "GET"), (["Content-Length: 0"], "POST"),
                                           ([EXPECT, "Content-Length: 5"], "POST")],
                         ids=["idempotent", "not idempotent", "expecting"])
def test_a_pooled_connection_of_which_there_is_news_is_not_given_out(proxy, pair, origin, end,
                                                                    fields, method):
    """The worker is stopped, and finds the news and the request in one turn. An answer that stands
    on the connection before the request is nobody's: given to this client, it would shift all
    answers behind it by one."""
    with stopped(proxy):
        if "answer" in end:
            pair.origin.send(answer_with(body="for nobody"))
        if "close" in end:
            pair.origin.close()
        elif end == "reset":
            pair.origin.reset()
        pair.client.send(get(*fields, method=method, target="/again"))
    wire = origin.accept()
    assert wire.request_head().target == "/again"
    wire.send(OK)
    assert pair.client.response().body == b"ok"
    proxy.counts("upstream_retries", 0)


@pytest.mark.parametrize("end", ["close", "reset"])
@pytest.mark.parametrize("method,fields,body", [("POST", ["Content-Length: 5"], "hello"),
                                                ("PUT", ["Content-Length: 5"], "hello"),
                                                ("POST", [], "")])
def test_a_request_that_may_not_be_sent_twice_goes_to_no_connection_that_has_ended(
        proxy, client, origin, method, fields, body, end):
    """It is there in the turn of the loop in which the answer before it came, with the end right
    behind that: the loop has not looked again."""
    client.send(get(target="/first"), get(*fields, method=method, target="/second"), body)
    wire = origin.accept()
    assert wire.request().target == "/first"
    with stopped(proxy):
        wire.send(OK)
        getattr(wire, end)()
    assert client.response().body == b"ok"
    wire = origin.accept()
    second = wire.request()
    assert (second.method, second.target, second.body) == (method, "/second", body.encode())
    wire.send(OK)
    assert client.response().body == b"ok"
    proxy.counts("upstream_retries", 0)
