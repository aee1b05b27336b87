"""Chromium, with a page that nginx serves and whose requests the policy sends elsewhere: a
WebSocket and uploads with fetch. Browsers never ask with Expect, and hold connections as they please."""

import pathlib
import shutil
import tempfile

import pytest

from browser import Browser
from programs import NODE, Nginx, Sink

POLICY = """
  upstreams = { pages = "%s", app = "%s" },
  upstream = "app",
  request = function(req)
    if req.path == "/page.html" then req.upstream = "pages" end
    if req.path == "/refused" then return { status = 413, body = "not here\\n" } end
  end,
  upgrade = function(req) if req.path == "/gate" then return 403 end end,
"""


@pytest.fixture
def browser(start):
    browser = Browser()
    yield browser
    browser.stop()  # and with it go its connections, before the proxy has to come to rest


@pytest.fixture(scope="module")
def sink():
    sink = Sink()
    yield sink
    sink.stop()


@pytest.fixture(scope="module")
def pages(sink):
    with tempfile.TemporaryDirectory(prefix="interim-") as name:
        directory = pathlib.Path(name)
        directory.chmod(0o755)  # nginx's workers run as another user when started as root
        (directory / "files").mkdir()
        shutil.copy(NODE / "page.html", directory / "files")
        server = Nginx(directory, sink)
        yield server
        server.stop()


def test_a_page_with_a_websocket_and_uploads(start, pages, sink, browser):
    proxy = start(POLICY % (pages.text, sink.text), upstream=None, lasting=True)
    browser.open(f"{proxy.url}/page.html")
    verdict = browser.run("{ await played; return document.body.innerText; }")
    assert verdict.splitlines()[0] == "PASS", verdict
    proxy.counts("upgrades_websocket", 1)
    proxy.counts("upgrades_refused", 1)
    proxy.counts("interims_103", 1)
