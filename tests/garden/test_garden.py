"""What the proxy writes towards an origin, read by other servers: each must count the same messages.

Every request that the cases of tests/cases bring to an origin is captured byte for byte, then fed
to each reader on long connections, a mark before and behind each: an answer to the mark behind it
proves that the reader took the message to end where the proxy ended it. A reader may refuse a
message (its methods or targets may be narrower); it may not read it as less or more than one."""

import pathlib
import re
import tempfile

import pytest

from families import every_case
from harness import Proxy
from peers import Message, connect
from readers import READERS
from test_cases import Lane, play_request

BATCH = 40  # messages on a connection, if they are small
BATCH_BYTES = 32768


class Refused(Exception):
    """The reader answered that it does not take this message, and closed."""


@pytest.fixture(scope="module")
def written():
    """The requests that the proxy wrote, each once."""
    with tempfile.TemporaryDirectory(prefix="interim-") as name:
        lane = Lane(lambda fields, fresh, upstream: Proxy(name, fields, upstream=upstream))
        messages = {}
        for case in every_case():
            if case.kind != "response" and case.sees:
                lane.run([case], play_request)
                for message in lane.recorder.seen:
                    messages.setdefault(message.raw_bytes, message)
        lane.recorder.close()
        lane.proxy.settle()
        lane.proxy.stop()
    assert not lane.failures, "\n".join(lane.failures)
    return list(messages.values())


def mark(number):
    return b"GET /mark/%d HTTP/1.1\r\nHost: mark\r\n\r\n" % number


def final(wire, method):
    """The next final response."""
    while True:
        message = Message(wire.until(b"\r\n\r\n"))
        if message.status >= 200:
            break
    if method != "HEAD" and message.status not in (204, 304):
        wire._body(message)
    return message


def is_of(answer, method, target):
    """Whether an answer says that it is to this request."""
    return re.match(re.escape(f"{method} {target}") + r"( HTTP/1\.1)?\Z", answer.get("x-saw") or "")


def read_mark(wire, number):
    answer = final(wire, "GET")
    if answer.status >= 400 and answer.get("x-saw") is None:
        raise Refused(answer.status)
    assert is_of(answer, "GET", f"/mark/{number}"), (number, answer.raw)


def read_answer(wire, message):
    answer = final(wire, message.method)
    if answer.status >= 400 and (answer.get("x-saw") is None or answer.closes()):
        raise Refused(answer.status)
    # Apache answers OPTIONS * apart; the mark behind it tells.
    assert is_of(answer, message.method, message.target) or message.target == "*", \
        (answer.raw, message.raw)
    assert answer.get("x-length") in (None, str(len(message.body))), (answer.raw, message.raw)


class Feeding:
    """All messages through one reader."""

    def __init__(self, reader, messages):
        self.reader = reader
        self.messages = messages
        self.counted = 0
        self.refused = {}

    def batch(self, first):
        """Where a batch that starts there ends."""
        size, last = 0, first
        while last < len(self.messages) and last - first < BATCH and size < BATCH_BYTES:
            # Behind an offer of another protocol a reader may wait, as the proxy does.
            if self.messages[last].get("upgrade") is not None:
                break
            size += len(self.messages[last].raw_bytes)
            last += 1
        return last

    def alone(self, number):
        """One message between two marks, each sent after the answer to the one before."""
        message = self.messages[number]
        wire = connect(self.reader.address)
        try:
            wire.send(mark(number))
            read_mark(wire, number)
            wire.send(message.raw_bytes)
            try:
                read_answer(wire, message)
            except Refused as refusal:
                assert wire.ending() == "close" and not wire.held, message.raw
                self.refused[number] = str(refusal)
                return
            wire.send(mark(number + 1))
            read_mark(wire, number + 1)
            self.counted += 1
        finally:
            wire.close()

    def together(self, first, last):
        """A batch on one connection; the number of the first message that is not yet proved. What
        a reader does not like may take the answers before it along."""
        wire = connect(self.reader.address)
        number = first
        try:
            wire.send(*[mark(n) + self.messages[n].raw_bytes for n in range(first, last)],
                      mark(last))
            read_mark(wire, first)
            while number < last:
                read_answer(wire, self.messages[number])
                read_mark(wire, number + 1)
                self.counted += 1
                number += 1
        except (Refused, ConnectionError):
            pass
        except AssertionError as end:
            if not str(end).startswith("ended"):
                raise
        finally:
            wire.close()
        return number

    def run(self):
        number = 0
        while number < len(self.messages):
            last = self.batch(number)
            if last > number:
                number = self.together(number, last)
                if number == last:
                    continue
            self.alone(number)
            number += 1


@pytest.mark.parametrize("kind", READERS, ids=[reader.name for reader in READERS])
def test_every_reader_counts_the_same_messages(kind, written, capsys):
    with tempfile.TemporaryDirectory(prefix="interim-") as name:
        directory = pathlib.Path(name)
        directory.chmod(0o755)
        reader = kind(directory)
        try:
            feeding = Feeding(reader, written)
            feeding.run()
        finally:
            reader.stop()
    different = len(written) - feeding.counted - len(feeding.refused)
    with capsys.disabled():
        print(f"\n{kind.name}: {len(written)} messages, {feeding.counted} counted alike, "
              f"{len(feeding.refused)} refused, {different} read differently")
    assert different == 0
    assert feeding.counted > 0.75 * len(written)
