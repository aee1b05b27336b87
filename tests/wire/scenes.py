"""scenes: the few exchanges that many tests have in common."""

# Stands behind a message that is refused. Were any of its bytes read as a request, this one would
# reach the origin, or be answered.
MARKER = b"GET /marker HTTP/1.1\r\nHost: marker\r\n\r\n"

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = "Transfer-Encoding: chunked"
EXPECT = "Expect: 100-continue"


def get(*fields, target="/", version="HTTP/1.1", host="Host: a", method="GET"):
    """A request head."""
    lines = [f"{method} {target} {version}", *([host] if host else []), *fields]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def post(*fields, target="/up", **keywords):
    return get(*fields, target=target, method="POST", **keywords)


def answer_with(*fields, status="200 OK", body="ok"):
    """A response with these fields and a Content-Length."""
    lines = [f"HTTP/1.1 {status}", *fields, f"Content-Length: {len(body)}", "", body]
    return "\r\n".join(lines).encode("latin-1")


def exchange(client, origin, fields=(), answer=OK, method="GET", target="/", body=""):
    """A whole exchange on a new connection to the origin: the request as the origin saw it, the
    answer as the client saw it."""
    client.send(get(*fields, method=method, target=target), body)
    wire = origin.accept()
    request = wire.request()
    wire.send(answer)
    return request, client.response(to=method)


def passes(client, origin, head):
    """The request as the origin reads it, after a whole exchange on a new connection to it."""
    client.send(head)
    wire = origin.accept()
    request = wire.request()
    wire.send(OK)
    assert client.response().body == b"ok"
    return request


def is_page(answer, status):
    """A well-formed answer that the proxy made itself."""
    assert answer.status == status
    assert answer.framing == "length"
    assert answer.get("content-type")
    assert answer.get("cache-control") == "no-store"


def refuses(client, origin, message, status):
    """The status as a well-formed page, a clean end, and an origin that saw nothing: neither the
    message nor the marker behind it."""
    client.send(message, MARKER)
    answer = client.response()
    is_page(answer, status)
    assert answer.closes()
    client.at_end()
    assert origin.untouched()
