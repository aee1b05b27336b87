"""The status page in a browser: it draws what /status tells, brings along all it needs, and can be
used on a phone and in the dark."""

import time

import pytest

from browser import Browser
from harness import PATIENCE
from scenes import exchange, get
from test_admin import of

POLICY = """admin = "127.0.0.1:0",
  request = function(req)
    if req.path == "/no" then return 403 end
    if req.path == "/bad" then error "bad" end
  end,"""


@pytest.fixture(scope="module")
def browser():
    browser = Browser()
    yield browser
    browser.stop()


def url(proxy):
    return "http://%s:%d/" % of(proxy).address


def emulate(browser, command, **parameters):
    browser.ask("POST", f"{browser.session}/goog/cdp/execute",
                {"cmd": f"Emulation.{command}", "params": parameters})


def until(browser, condition):
    """The page comes to it."""
    end = time.monotonic() + PATIENCE
    while not (value := browser.run("{ return %s; }" % condition)) or isinstance(value, str):
        assert time.monotonic() < end, (condition, value,
                                        browser.run("{ return document.body.innerText; }"))
        time.sleep(0.05)


def cells(browser, section):
    """The rows of a section's table as lists of text."""
    return browser.run("{ return [...document.querySelectorAll('#%s tbody tr')].map(row => "
                       "[...row.children].map(cell => cell.textContent)); }" % section)


@pytest.fixture
def page(browser, proxy):
    """The page, drawn for the first time."""
    browser.open(url(proxy))
    until(browser, "document.getElementById('state').textContent === 'ready'")
    return browser


def test_it_is_small_and_brings_along_all_it_needs(page, proxy):
    status, head, body = of(proxy).get("/")
    assert (status, head["content-type"]) == (200, "text/html; charset=utf-8")
    assert len(body.encode()) < 60000
    loaded = page.run("{ return performance.getEntriesByType('resource').map(e => e.name); }")
    assert set(loaded) == {url(proxy) + "status"}


def test_it_shows_what_happens(page, client, origin):
    exchange(client, origin)
    client.send(get(target="/no"))
    assert client.response().status == 403
    client.send(get(target="/bad"))
    assert client.response().status == 500
    until(page, "document.querySelectorAll('#statuses tbody tr').length >= 3")
    rows = {row[0]: row for row in cells(page, "statuses")}
    assert {"200", "403", "500"} <= rows.keys()
    assert [row[0] for row in cells(page, "hooks")] == ["request"]
    assert cells(page, "hooks")[0][3] == "1"
    assert cells(page, "upstreams")[0][:2] == [origin.text, "in use"]
    assert cells(page, "processes")[0][0] == "worker 1"
    assert len(cells(page, "timeouts")) == 12


def test_it_is_drawn_anew(page, client):
    until(page, "document.querySelectorAll('#connections dd')[0].textContent === '1'")
    client.close()
    until(page, "document.querySelectorAll('#connections dd')[0].textContent === '0'")


def test_it_names_what_it_draws(page):
    assert page.run("{ return document.documentElement.lang; }") == "en"
    assert page.run("{ return [...document.querySelectorAll('svg')].every(s => "
                    "s.getAttribute('role') === 'img' && s.getAttribute('aria-label')); }")
    assert page.run("{ return [...document.querySelectorAll('table')].every(t => t.caption && "
                    "[...t.querySelectorAll('th')].every(h => h.scope)); }")
    assert page.run("{ return document.querySelectorAll('svg').length; }") >= 4


def test_it_fits_a_phone(page):
    try:
        emulate(page, "setDeviceMetricsOverride", width=360, height=740, deviceScaleFactor=2,
                mobile=True)
        assert page.run("{ return document.documentElement.scrollWidth <= innerWidth; }") is True
    finally:
        emulate(page, "clearDeviceMetricsOverride")


# What WCAG calls contrast, of every kind of text on what is behind it.
CONTRAST = """{
  const of = color => {
    const [r, g, b] = color.match(/\\d+/g).map(v => v / 255)
      .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = of(getComputedStyle(document.querySelector('section')).backgroundColor);
  return Math.min(...['h2', 'dt', 'dd', 'td', 'thead th', '#state', 'a'].map(which => {
    const text = of(getComputedStyle(document.querySelector(which)).color);
    return (Math.max(text, behind) + 0.05) / (Math.min(text, behind) + 0.05);
  })).toFixed(2) * 1;
}"""


def test_it_is_light_or_dark_as_asked_and_can_be_read(page):
    backs = set()
    for scheme in ("light", "dark"):
        emulate(page, "setEmulatedMedia",
                features=[{"name": "prefers-color-scheme", "value": scheme}])
        backs.add(page.run("{ return getComputedStyle(document.body).backgroundColor; }"))
        assert page.run(CONTRAST) >= 4.5
    emulate(page, "setEmulatedMedia", features=[])
    assert len(backs) == 2


def test_a_name_is_shown_and_not_obeyed(browser, start, origin):
    name = "<img src=x onerror=document.title=1>"
    proxy = start(f"""admin = "127.0.0.1:0", upstream = "{name}",
                  upstreams = {{ ["{name}"] = "{origin.text}" }},""", upstream=None)
    browser.open(url(proxy))
    until(browser, "document.querySelectorAll('#upstreams tbody tr').length > 0")
    assert cells(browser, "upstreams")[0][0] == f"{name} {origin.text}"
    assert browser.run("{ return document.querySelectorAll('img').length; }") == 0


def test_it_says_so_when_nobody_answers(browser, start):
    proxy = start('admin = "127.0.0.1:0",', fresh=True)
    browser.open(url(proxy))
    until(browser, "document.getElementById('state').textContent === 'ready'")
    proxy.stop()
    until(browser, "!document.getElementById('trouble').hidden")
    browser.open("about:blank")
