"""Every case of tests/cases through the real proxy. Behind each stands a marker, and then another
client asks for something of its own: the origin must see exactly the requests that a strict reader
sees, and nobody may get what belongs to another."""

import pathlib
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "cases"))

import strict  # noqa: E402
from cases import RESPONSE_MARKER, Sight, by_hand  # noqa: E402
from families import every_case  # noqa: E402
from recorder import Recorder, saw  # noqa: E402
from scenes import get, is_page  # noqa: E402

CHUNKED_REQUEST = b"POST /up HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNKED_RESPONSE = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
MARKER = Sight(("GET", "/marker", "marker"), "none")
FAILURES_MAX = 5  # a run stops there: each may have cost all patience


class Lane:
    """A proxy and an origin for one run of cases, one after the other."""

    def __init__(self, start):
        self.recorder = Recorder()
        self.proxy = start("", fresh=True, upstream=self.recorder.text)
        self.open = {}
        self.failures = []
        self.wanted = []
        self.cases = self.messages = self.unwanted = self.missing = 0

    def client(self, role):
        """The connection that plays a role; a new one if the last was used up."""
        if role not in self.open:
            self.open[role] = self.proxy.client()
        return self.open[role]

    def used_up(self, role):
        self.open.pop(role).close()

    def exchange(self, role, head, sight):
        """A request that must be answered with its own answer."""
        self.client(role).send(head)
        self.own_answer(role, sight)

    def own_answer(self, role, sight):
        answer = self.client(role).response(to=sight.start[0])
        assert answer.status == 200, answer.raw
        assert answer.get("x-saw") == saw(*sight.start, sight.body), answer.raw
        return answer

    def refused(self, role, status):
        answer = self.client(role).response()
        is_page(answer, status)
        return answer

    def count(self):
        """The messages that the origin saw beside those it should have, and those it missed."""
        seen = [Sight((m.method, m.target, m.get("host")), m.framing, m.body)
                for m in self.recorder.seen]
        self.messages += len(seen)
        self.unwanted += sum(one not in self.wanted for one in seen)
        self.missing += sum(one not in seen for one in self.wanted)
        return seen

    def check(self):
        """The origin saw what it should have: whole, each on its own, in order, and no more."""
        assert self.count() == self.wanted
        assert not self.recorder.faults, self.recorder.faults

    def run(self, cases, play):
        for number, case in enumerate(cases):
            self.recorder.seen.clear()
            self.recorder.script.clear()
            try:
                play(self, case, f"/next/{number}")
            except Exception as failure:
                self.count()
                self.failures.append(f"{case.name}: {type(failure).__name__} {failure}")
                self.start_afresh()
            self.cases += 1
            if len(self.failures) >= FAILURES_MAX:
                break

    def start_afresh(self):
        for role in list(self.open):
            self.used_up(role)
        self.recorder.hang_up()
        self.recorder.faults.clear()
        self.proxy.wait_stats(lambda s: not (s["open"] or s["active"] or s["upstream_open"]))


def check_fields(fields, case):
    names = [name.lower() for name, _ in fields]
    for one in case.passes:
        name, _, value = one.partition(": ")
        assert [v for n, v in fields if n.lower() == name.lower()] == [value], (one, fields)
    for name in case.drops:
        assert name.lower() not in names, (name, fields)


def play_request(lane, case, next_target):
    """A case as a request, with a marker behind it and another client after it."""
    sees, then, data = case.sees, case.then, case.data
    if case.kind == "body":
        sees = [Sight(("POST", "/up", "a"), one.framing, one.body) for one in sees]
        then, data = then.replace("bad", "400"), CHUNKED_REQUEST + data
    answered = sees + ([MARKER] if then == "next" else [])
    after = Sight(("GET", next_target, "next"), "none")
    lane.wanted = answered + [after]
    client = lane.client("case")
    client.send(data, case.marker)
    for sight in answered:
        answer = lane.own_answer("case", sight)
    if then == "more":
        client.half_close()
        assert client.rest() == b""
    elif then != "next":
        if then != "close":
            answer = lane.refused("case", int(then))
        assert answer.closes()
        client.at_end()
    if then != "next":
        lane.used_up("case")
    lane.exchange("next", get(target=next_target, host="Host: next"), after)
    if sees and case.passes + case.drops:
        last = lane.recorder.seen[len(sees) - 1]
        check_fields(last.trailers if case.kind == "body" else last.fields, case)
    lane.check()


def reads_cut(lane):
    """The answer does not come whole: the proxy's own page, or a connection that breaks off."""
    client = lane.client("case")
    try:
        message = client.response_head()
        if message.status != 502:
            client._body(message)
            assert message.framing != "none", message.raw
            raise RuntimeError(f"whole: {message.raw + message.body!r}")
        is_page_502 = client.exactly(int(message.get("content-length")))
        assert b"HTTP/1.1 299" not in is_page_502
    except ConnectionResetError:
        pass
    except AssertionError as end:
        assert str(end).startswith("ended"), end
    lane.used_up("case")


def play_response(lane, case, next_target):
    """A case as the answer of an origin, with a marker behind it and another client after it."""
    sees, then, data = case.sees, case.then, case.data
    if case.kind == "body":
        sees = [Sight(("200",), one.framing, one.body) for one in sees]
        then, data = then.replace("bad", "cut"), CHUNKED_RESPONSE + data
    until_close = bool(sees) and sees[-1].framing == "close"
    marker = RESPONSE_MARKER if case.is_complete else b""
    lane.recorder.script["/case"] = (data + marker, until_close or not case.is_complete)
    after = Sight(("GET", next_target, "next"), "none")
    lane.wanted = [Sight((case.to, "/case", "a"), "none"), after]
    client = lane.client("case")
    client.send(get(target="/case", method=case.to))
    answer = None
    for sight in sees:
        status = int(sight.start[0])
        if status < 200:
            client.interim(status)
            continue
        answer = client.response(to=case.to)
        assert answer.status == status
        assert answer.body == sight.body + (marker if until_close else b"")
    if then in ("cut", "more"):
        reads_cut(lane)
    elif then == "502":
        answer = lane.refused("case", 502)
    if answer and answer.closes():
        client.at_end()
        lane.used_up("case")
    lane.exchange("next", get(target=next_target, host="Host: next"), after)
    if case.passes + case.drops and answer:
        check_fields(answer.trailers if case.kind == "body" else answer.fields, case)
    lane.check()
    # More bytes came than the response has, or it ended badly: that connection is not used again.
    first, second = lane.recorder.seen
    assert first.wire is not second.wire


def test_the_strict_reader_comes_to_what_is_written_by_hand():
    for case in by_hand():
        assert strict.read(case) == (case.sees, case.then), case.name


def test_every_case_in_both_directions(start, capsys):
    cases = every_case()
    assert len(cases) >= 1000
    runs = [(play_request, [c for c in cases if c.kind == "request"]),
            (play_request, [c for c in cases if c.kind == "body"]),
            (play_response, [c for c in cases if c.kind == "response"]),
            (play_response, [c for c in cases if c.kind == "body"])]
    lanes = [Lane(start) for _ in runs]
    threads = [threading.Thread(target=lane.run, args=(some, play))
               for lane, (play, some) in zip(lanes, runs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for lane in lanes:
        for role in list(lane.open):
            lane.used_up(role)
        lane.recorder.close()
    failures = [failure for lane in lanes for failure in lane.failures]
    total = {name: sum(getattr(lane, name) for lane in lanes)
             for name in ("cases", "messages", "unwanted", "missing")}
    with capsys.disabled():
        print("\n{} cases, {cases} runs on the wire, {messages} requests at origins, {unwanted} "
              "smuggled, {missing} split or lost".format(len(cases), **total))
    assert not failures, "\n".join(failures)
    assert (total["unwanted"], total["missing"]) == (0, 0)
