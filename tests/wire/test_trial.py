"""What a trial says is what the wire does: each exchange is made by both, and the log hooks of both
must be told the same."""

import json

import pytest

from harness import free_port, run
from scenes import EXPECT, OK, answer_with, get, post

POLICY = """
upstreams = {
  app = "%s", gone = "127.0.0.1:%d",
  slow = { addresses = "%s", timeouts = { response = 0.2 } },
},
limits = { fields = 20 },
request = function(req)
  if req.path == "/answer" then return 403 end
  if req.path == "/boom" then error("on purpose") end
  if req.path == "/small" then req.max_body = 1 end
  if req.path ~= "/nowhere" then req.upstream = req.query or "app" end
end,
expect = function(req)
  if req.path == "/continue" then return "continue" end
  if req.path == "/refuse" then return 401 end
  if req.path == "/odd" then error("on purpose") end
end,
upgrade = function(req)
  if req.path == "/refuse" then return 401 end
  if req.path == "/plain" then return false end
  if req.path == "/odd" then error("on purpose") end
end,
timeout = function(req)
  if req.path == "/page" then return 503 end
  if req.path == "/odd" then error("on purpose") end
end,
response = function(req, res)
  if req.path == "/replace" then return 503 end
  if req.path == "/fail" then error("on purpose") end
  if req.path == "/turn" then res.status = 500 end
  if req.path == "/many" then
    for i = 1, 20 do res.headers["x-" .. i] = "1" end
  elseif req.path == "/long" then
    res.headers["x-long"] = ("x"):rep(40000)
  end
end,
log = function(req, res)
  print("told " .. interim.json.encode {
    status = res.status, outcome = res.outcome, error = res.error, upstream = res.upstream,
    address = res.address, expect = res.expect, upgrade = res.upgrade, interims = res.interims,
    interim_count = res.interim_count, reused = res.reused,
  })
end,
"""

HELD = (EXPECT, "Content-Length: 5")
OFFER = ("Connection: upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
SAYS_200 = (OK, ("--response", "200"))
SAYS_500 = (answer_with(status="500 Oh"), ("--response", "500"))
SILENT = (b"", ("--timeout", "response"))
CLOSES = (None, ("--error", "closed"))
NOT_ASKED = ("not asked", ())

# What the client sends; what the origin does, on the wire and in the trial.
CASES = {
    "a bad request": (get("Host: b"), NOT_ASKED),
    "the request hook answers": (get(target="/answer"), NOT_ASKED),
    "the request hook fails": (get(target="/boom"), NOT_ASKED),
    "a body over req.max_body": (post("Content-Length: 5", target="/small"), NOT_ASKED),
    "the last hop of OPTIONS": (get("Max-Forwards: 0", method="OPTIONS"), NOT_ASKED),
    "the last hop of TRACE": (get("Max-Forwards: 0", method="TRACE"), NOT_ASKED),
    "no upstream": (get(target="/nowhere"), NOT_ASKED),
    "no upstream for an expectation": (post(*HELD, target="/nowhere"), NOT_ASKED),
    "no upstream for an offer": (get(*OFFER, target="/nowhere"), NOT_ASKED),
    "an expectation is refused": (post(*HELD, target="/refuse"), NOT_ASKED),
    "the expect hook fails": (post(*HELD, target="/odd"), NOT_ASKED),
    "an expectation, continued": (post(*HELD, target="/continue"), SAYS_200),
    "an expectation, forwarded": (post(*HELD), SAYS_200),
    "an expectation, and silence": (post(*HELD, target="/?slow"), SILENT),
    "an expectation, and a response replaced": (post(*HELD, target="/replace"), SAYS_200),
    "an offer is refused": (get(*OFFER, target="/refuse"), NOT_ASKED),
    "the upgrade hook fails": (get(*OFFER, target="/odd"), NOT_ASKED),
    "an offer, not passed on": (get(*OFFER, target="/plain"), SAYS_200),
    "an offer, declined": (get(*OFFER), SAYS_200),
    "an offer, and silence": (get(*OFFER, target="/?slow"), SILENT),
    "an offer, and a response replaced": (get(*OFFER, target="/replace"), SAYS_200),
    "a response": (get(), SAYS_200),
    "a 500 of the origin": (get(), SAYS_500),
    "a response turned into a 500": (get(target="/turn"), SAYS_200),
    "a response replaced": (get(target="/replace"), SAYS_200),
    "the response hook fails": (get(target="/fail"), SAYS_200),
    "a response with too many fields": (get(target="/many"), SAYS_200),
    "a response with too long a head": (get(target="/long"), SAYS_200),
    "silence": (get(target="/?slow"), SILENT),
    "silence, and a page": (get(target="/page?slow"), SILENT),
    "silence, and the timeout hook fails": (get(target="/odd?slow"), SILENT),
    "the origin closes": (get(), CLOSES),
    "the origin is gone": (get(target="/?gone"), ("not asked", ("--error", "refused"))),
}


def on_the_wire(proxy, origin, head, says):
    client = proxy.client()
    client.send(head)
    if says != "not asked":
        wire = origin.accept()
        wire.request_head()
        if says is None:
            wire.close()
        else:
            wire.send(says)
    return json.loads(proxy.logged(r"told (\{.*\})")[1])


def in_a_trial(proxy, head, words):
    line, *fields = head.decode().rstrip("\r\n").split("\r\n")
    method, path, _ = line.split(" ")
    given = [word for field in fields for word in ("-H", field)]
    done = run("try", str(proxy.policy), method, path, *given, *words, "--json")
    (log,) = [step for step in json.loads(done.stdout)["hooks"] if step["hook"] == "log"]
    return json.loads(log["log"][0]["text"].removeprefix("told "))


@pytest.fixture(scope="module")
def gone():
    return free_port()


def tells_the_same(proxy, origin, case):
    head, (says, words) = case
    wire = on_the_wire(proxy, origin, head, says)
    trial = in_a_trial(proxy, head, words)
    if trial.get("error") == "made up for a trial":
        assert wire.pop("error") and trial.pop("error")
    assert trial == wire


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_log_hook_is_told_by_a_trial_what_it_is_told_on_the_wire(start, origin, gone, case):
    tells_the_same(start(POLICY % (origin.text, gone, origin.text), upstream=None), origin, case)


FAILING_OPEN = {
    "the request hook fails": (get(target="/boom"), SAYS_200),
    "the expect hook fails": (post(*HELD, target="/odd"), SAYS_200),
    "the upgrade hook fails": (get(*OFFER, target="/odd"), SAYS_200),
    "the response hook fails": (get(target="/fail"), SAYS_200),
}


@pytest.mark.parametrize("case", FAILING_OPEN.values(), ids=FAILING_OPEN)
def test_a_trial_goes_on_after_a_failed_hook_as_the_wire_does(start, origin, gone, case):
    policy = POLICY.replace('then error("on', 'then req.upstream = "app" error("on', 1)
    policy = 'on_error = "default",' + policy % (origin.text, gone, origin.text)
    tells_the_same(start(policy, upstream=None), origin, case)
