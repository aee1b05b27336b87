"""What every wire test gets: an origin to play, and a proxy in front of it.

A module says in POLICY which policy its tests run under; a test that needs another one asks
`start` for it. Proxies live as long as their module; each is checked after every test.
"""

import pathlib
import tempfile

import pytest

pytest.register_assert_rewrite("lines", "peers", "harness", "scenes")

from harness import Proxy  # noqa: E402
from peers import Origin  # noqa: E402
from programs import pytest_sessionfinish  # noqa: E402, F401


@pytest.fixture(scope="module")
def module_origin():
    origin = Origin()
    yield origin
    origin.close()


@pytest.fixture(scope="module")
def module_proxies():
    """Running proxies by what they were started with."""
    proxies = {}
    yield proxies
    failures = []
    for proxy in proxies.values():
        try:
            proxy.stop()
        except AssertionError as failure:
            failures.append(failure)
    if failures:
        raise failures[0]


@pytest.fixture
def origin(module_origin):
    yield module_origin


@pytest.fixture
def start(module_proxies, module_origin, tmp_path_factory):
    """start(fields, **keywords) gives a proxy that runs under these policy fields. One that is
    already running is used again, unless `fresh` is true."""
    used = []

    def start(fields="", fresh=False, **keywords):
        keywords.setdefault("upstream", module_origin.text)
        key = repr((fields, sorted(keywords.items())))
        proxy = None if fresh else module_proxies.get(key)
        if proxy is None:
            proxy = Proxy(tmp_path_factory.mktemp("proxy"), fields, **keywords)
            module_proxies[repr(id(proxy)) if fresh else key] = proxy
        if proxy not in used:
            used.append(proxy)
            proxy.begin()
        return proxy

    yield start
    # The clients first: an origin that hangs up on an exchange under way is another story.
    for proxy in used:
        for client in proxy.clients:
            client.close()
    module_origin.hang_up()
    for proxy in used:
        proxy.settle()


@pytest.fixture
def proxy(start, request):
    """The module's proxy."""
    return start(getattr(request.module, "POLICY", ""))


@pytest.fixture
def client(proxy):
    return proxy.client()


class Pair:
    """A client and the origin's end, joined by one exchange that went well."""

    def __init__(self, client, origin_wire):
        self.client = client
        self.origin = origin_wire


@pytest.fixture
def pair(proxy, origin, client):
    """An open client connection and an idle pooled connection to the origin."""
    client.send("GET /first HTTP/1.1\r\nHost: a\r\n\r\n")
    wire = origin.accept()
    wire.request()
    wire.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert client.response().status == 200
    return Pair(client, wire)


@pytest.fixture
def shared_path():
    """A directory that the workers can reach, which run as another user when started as root."""
    with tempfile.TemporaryDirectory(prefix="interim-") as name:
        path = pathlib.Path(name)
        path.chmod(0o777)
        yield path
