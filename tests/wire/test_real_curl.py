"""curl uploads 200 MB and asks first: forwarded, continued here, refused by the policy, refused by
the origin. The answer always arrives, never a reset."""

import hashlib
import json
import subprocess
import threading

import pytest

from programs import Sink, curl, curl_facts, make_file, need
from scenes import answer_with

SIZE = 200_000_000

POLICY = """
  timeouts = { response = 2, processing = 2 },
  expect = function(req)
    local how = req.headers["x-how"]
    if how == "401" then return { status = 401, body = "who are you?\\n" } end
    if how == "413" then return { status = 413, body = "too much\\n" } end
    return how
  end,
  timeout = function(req, t)
    return { status = 504, headers = { ["content-type"] = "text/x-own" },
             body = ("waited %g s for %s\\n"):format(t.after, req.path) }
  end,
"""


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    path = tmp_path_factory.mktemp("big") / "upload.bin"
    return path, make_file(path, SIZE)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    path = tmp_path_factory.mktemp("small") / "upload.bin"
    return path, make_file(path, 3_000_000)


@pytest.fixture(scope="module")
def sink():
    sink = Sink()
    yield sink
    sink.stop()


def upload(proxy, big, how, *more):
    return curl_facts("-H", "Expect: 100-continue", "--expect100-timeout", "60", "-H",
                      f"X-How: {how}", "-T", big[0], *more, f"{proxy.url}/upload")


@pytest.mark.parametrize("how", ["forward", "continue"])
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_200_mb_arrive_whole(start, sink, big, how, framing):
    proxy = start(POLICY, upstream=sink.text, lasting=True)
    more = ["-H", "Transfer-Encoding: chunked"] if framing == "chunked" else []
    body, facts = upload(proxy, big, how, *more)
    assert facts["http_code"] == 200
    assert json.loads(body) == {"size": SIZE, "sha256": big[1]}
    line = proxy.exchange()
    assert line["bytes_in"] == SIZE
    assert line["interims"] == ([100] if how == "forward" else line["interims"])


@pytest.mark.parametrize("how", ["401", "413"])
def test_a_refusal_arrives_before_a_byte_is_sent(start, sink, big, how):
    proxy = start(POLICY, upstream=sink.text, lasting=True)
    body, facts = upload(proxy, big, how)
    assert (facts["http_code"], facts["size_upload"]) == (int(how), 0)
    assert body == (b"who are you?\n" if how == "401" else b"too much\n")


@pytest.mark.parametrize("how", ["401", "413"])
@pytest.mark.parametrize("again", range(5))
def test_a_refusal_arrives_though_curl_did_not_wait(start, sink, big, how, again):
    proxy = start(POLICY, upstream=sink.text, lasting=True)
    body, facts = upload(proxy, big, how, "--expect100-timeout", "0.001")
    assert facts["http_code"] == int(how)
    assert body == (b"who are you?\n" if how == "401" else b"too much\n")


@pytest.mark.parametrize("again", range(5))
@pytest.mark.parametrize("sent", [0, 1_000_000])
def test_a_refusal_by_the_origin_arrives(start, origin, big, sent, again):
    proxy = start(POLICY)

    def refuse():
        wire = origin.accept()
        wire.request_head()
        if sent:
            wire.send("HTTP/1.1 100 Continue\r\n\r\n")
            wire.exactly(sent)
        wire.send(answer_with("Connection: close", status="413 Too Large", body="enough"))
        wire.ending()

    thread = threading.Thread(target=refuse)
    thread.start()
    body, facts = upload(proxy, big, "forward")
    thread.join()
    assert (facts["http_code"], body) == (413, b"enough")
    assert (facts["size_upload"] == 0) is (sent == 0)


def test_an_upload_without_an_expectation(start, sink, big):
    proxy = start(POLICY, upstream=sink.text, lasting=True)
    body, _ = curl_facts("-H", "Expect:", "-T", big[0], f"{proxy.url}/upload")
    assert json.loads(body)["sha256"] == big[1]


def test_a_103_is_here_before_the_origin_sent_its_answer(start, origin):
    proxy = start(POLICY)
    heads = []

    def ask():
        heads.append(curl("-i", f"{proxy.url}/"))

    thread = threading.Thread(target=ask)
    thread.start()
    wire = origin.accept()
    wire.request()
    wire.send("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n", answer_with(body="page"))
    thread.join()
    text = heads[0].decode()
    assert text.index("103 Early Hints") < text.index("</a.css>") < text.index("200 OK")
    assert text.endswith("page")


def test_102_every_second_outlives_the_response_timeout(start, sink):
    proxy = start(POLICY, upstream=sink.text, lasting=True)
    text = curl("-i", f"{proxy.url}/slow-job").decode()
    assert text.count("HTTP/1.1 102 Processing") == 3
    assert text.endswith("done after four seconds\n")


def test_an_origin_that_never_answers_gets_the_hooks_own_page(start, sink):
    proxy = start(POLICY, upstream=sink.text, lasting=True)
    body, facts = curl_facts(f"{proxy.url}/silent")
    assert (facts["http_code"], body) == (504, b"waited 2 s for /silent\n")
    assert 2 <= facts["time_total"] < 6


def test_many_requests_share_their_connections(start, sink):
    proxy = start(POLICY, upstream=sink.text, lasting=True)
    body = curl(*[f"{proxy.url}/{n}" for n in range(50)])
    assert body.count(b"Hello from the origin.") == 50
    proxy.counts("accepted", 1)
    proxy.counts("upstream_connects", 1)


def piped(proxy, *args):
    """curl, uploading what it is given through a pipe."""
    return subprocess.Popen([need("curl"), "-sS", "--max-time", "60", "-T", "-", *args,
                             f"{proxy.url}/upload"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


@pytest.mark.parametrize("how", ["forward", "continue"])
def test_an_upload_from_a_pipe_waits_for_the_100_too(start, sink, how):
    proxy = start(POLICY, upstream=sink.text, lasting=True)
    process = piped(proxy, "-H", "Expect: 100-continue", "--expect100-timeout", "60", "-H",
                    f"X-How: {how}")
    data = b"through a pipe\n" * 100_000
    assert json.loads(process.communicate(data)[0])["sha256"] == hashlib.sha256(data).hexdigest()
    line = proxy.exchange()
    assert (line["status"], line["bytes_in"]) == (200, len(data))
    assert line["expect"] == ("forward-100" if how == "forward" else "continue")


def test_what_comes_through_a_pipe_is_there_before_the_rest(start, origin):
    proxy = start(POLICY)
    process = piped(proxy, "-H", "Expect:", "-N")
    wire = origin.accept()
    assert wire.request_head().get("transfer-encoding") == "chunked"
    for piece in (b"first", b"second"):
        process.stdin.write(piece)
        process.stdin.flush()
        assert wire.chunk() == piece
    process.stdin.close()
    assert wire.chunk() == b"" and wire.exactly(2) == b"\r\n"
    wire.send(answer_with(body="all"))
    assert process.stdout.read() == b"all" and process.wait() == 0
    process.stdout.close()


def test_curl_that_has_waited_enough_sends_and_is_relayed(start, origin, small):
    proxy = start(POLICY)
    answers = []

    def ask():
        answers.append(curl("-H", "Expect: 100-continue", "--expect100-timeout", "0.2",
                            "-T", small[0], f"{proxy.url}/upload"))

    thread = threading.Thread(target=ask)
    thread.start()
    wire = origin.accept()
    assert wire.request_head().get("expect") == "100-continue"
    assert hashlib.sha256(wire.exactly(small[0].stat().st_size)).hexdigest() == small[1]
    wire.send("HTTP/1.1 100 Continue\r\n\r\n", answer_with(body="late, but well"))
    thread.join()
    assert answers == [b"late, but well"]


def test_an_upload_in_http_1_0_is_told_nothing_and_taken(start, sink, small):
    proxy = start(POLICY, upstream=sink.text, lasting=True)
    text = curl("-i", "--http1.0", "-H", "Expect: 100-continue", "--expect100-timeout", "60",
                "-T", small[0], f"{proxy.url}/upload")
    head, _, body = text.partition(b"\r\n\r\n")
    assert b" 200 " in head.split(b"\r\n")[0]
    assert json.loads(body)["sha256"] == small[1]
    assert proxy.exchange()["interims"] == []


def test_curl_may_speak_http_1_0(start, sink):
    proxy = start(POLICY, upstream=sink.text, lasting=True)
    text = curl("-i", "--http1.0", f"{proxy.url}/hints")
    assert b" 103 " not in text and text.endswith(b"css>\n")


def test_two_proxies_in_a_row(start, sink, big):
    inner = start(POLICY, upstream=sink.text, lasting=True)
    outer = start(POLICY + "drain = 29,", upstream=inner.listen, lasting=True)
    body, _ = upload(outer, big, "forward")
    assert json.loads(body)["sha256"] == big[1]
    text = curl("-i", f"{outer.url}/hints")
    assert text.count(b" 103 ") == 1
    assert text.count(b"1.1 interim") == 4  # each proxy on each of the two heads
    outer.stop()
