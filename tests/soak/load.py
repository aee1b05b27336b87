"""load: exchanges at a steady rate over connections that stay open, each with a number of its own;
and tunnels that are asked now and then whether they live."""

import array
import asyncio
import collections
import itertools
import threading
import time

from lines import PATIENCE
from peers import connect
from scenes import get
from stream import ENDED, Stream, WrongBytes, check

SMALL = 100  # bytes of a small answer
OFFER = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")


async def small(stream, n):
    """A GET and its answer; whether the connection may carry another exchange."""
    stream.send(get(target=f"/small/{n}/{SMALL}"))
    answer = await stream.head()
    assert answer.status == 200, answer.start
    check(await stream.body(answer), n, SMALL)
    return not answer.closes()


class Tunnel:
    """Played from the thread that owns it."""

    def __init__(self, address):
        self.wire = connect(address)
        self.wire.send(get(*OFFER, target="/tunnel/0/0"))
        head = self.wire.head()
        assert head.status == 101, head.raw

    def lives(self):
        try:
            self.wire.send("ping")
            return self.wire.exactly(4) == b"ping"
        except (OSError, AssertionError):
            return False

    def close(self):
        self.wire.close()


class Load:
    """`rate` exchanges a second, each begun when it is due if one of `count` connections is free;
    without a rate, each as soon as one is. `pick` gives the exchange for a number.

    Runs with `await run()` until `over` is set, or in a thread of its own with `with`."""

    def __init__(self, address, rate=None, count=20, pick=lambda n: small):
        self.address = address
        self.rate = rate
        self.count = count
        self.pick = pick
        self.numbers = itertools.count()
        self.over = threading.Event()
        self.took = collections.defaultdict(lambda: array.array("f"))  # seconds since due, by name
        self.failures = []  # (client's port, what happened)
        self.wrong = []     # the same where other bytes came
        self.behind = 0     # seconds that an exchange began after it was due, at most

    async def due(self, n):
        """Waits until it is that exchange's turn; when that was."""
        now = time.monotonic()
        if self.rate is None:
            return now
        due = self.began + n / self.rate
        if due > now:
            await asyncio.sleep(due - now)
        else:
            self.behind = max(self.behind, now - due)
        return due

    async def one(self, stream, n, due):
        """Plays an exchange; its connection, if that may be used again."""
        exchange = self.pick(n)
        try:
            async with asyncio.timeout(PATIENCE):
                stream = stream or await Stream.dial(self.address)
                may_keep = await exchange(stream, n)
            self.took[exchange.__name__].append(time.monotonic() - due)
            if may_keep:
                return stream
        except WrongBytes as wrong:
            self.wrong.append((stream.port, f"{exchange.__name__}: {wrong}"))
        except (*ENDED, OSError, AssertionError) as failure:
            self.failures.append((stream and stream.port, f"{exchange.__name__}: {failure!r}"))
        if stream is not None:
            stream.close()
        return None

    async def lane(self):
        stream = None
        for n in self.numbers:
            due = await self.due(n)
            if self.over.is_set():
                break
            stream = await self.one(stream, n, due)
        if stream is not None:
            stream.close()

    async def run(self):
        self.began = time.monotonic()
        await asyncio.gather(*(self.lane() for _ in range(self.count)))
        self.seconds = time.monotonic() - self.began

    def __enter__(self):
        self.thread = threading.Thread(target=lambda: asyncio.run(self.run()))
        self.thread.start()
        return self

    def __exit__(self, *exception):
        self.over.set()
        self.thread.join()

    def total(self):
        return sum(map(len, list(self.took.values())))

    def wait(self, count):
        """Until that many more were answered."""
        goal, until = self.total() + count, time.monotonic() + PATIENCE
        while self.total() < goal:
            assert time.monotonic() < until, "the load stands still"
            time.sleep(0.001)
