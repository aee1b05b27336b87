"""stream: one connection in an asyncio loop, read as strictly as peers.Wire reads; and the bodies
that go over it, each of which is like no other."""

import asyncio
import re
import socket
import struct

from peers import Message

CHUNK = 3000  # bytes in each chunk that is sent
LONGEST = 1 << 20
# No two neighbouring parts are alike, so that bytes lost or doubled move what follows.
PATTERN = b"".join(n.to_bytes(4, "big") for n in range(LONGEST // 2))
ENDED = (asyncio.IncompleteReadError, ConnectionError)


class WrongBytes(Exception):
    """Something came whole, and is not what was sent."""


def body_of(n, size):
    """The body of the exchange with this number, on its way to the origin and on its way back."""
    start = n % LONGEST
    return b"%016d" % n + PATTERN[start:start + size - 16]


def check(body, n, size):
    if body != body_of(n, size):
        raise WrongBytes(f"{n}: {len(body)} of {size} bytes, which begin with {body[:16]!r}")


class Stream:
    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer

    @classmethod
    async def dial(cls, address):
        return cls(*await asyncio.open_connection(*address))

    @property
    def port(self):
        return self.writer.get_extra_info("sockname")[1]

    # What this end does.

    def send(self, *parts):
        if self.writer.is_closing():
            raise ConnectionResetError("the other side has left")
        self.writer.write(b"".join(p.encode("latin-1") if isinstance(p, str) else p for p in parts))

    def send_chunks(self, body, last=b"0\r\n\r\n"):
        for at in range(0, len(body), CHUNK):
            piece = body[at:at + CHUNK]
            self.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        self.send(last)

    async def sent(self):
        """Until the kernel has all but a little of it."""
        await self.writer.drain()

    def hold_little(self):
        """From now on the kernel holds less of what is sent and not taken."""
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32768)

    def half_close(self):
        self.writer.write_eof()

    def close(self):
        self.writer.close()

    def reset(self):
        """Closes so that the other side sees a reset."""
        linger = struct.pack("ii", 1, 0)
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.writer.transport.abort()

    # What the other end did.

    async def head(self):
        return Message(await self.reader.readuntil(b"\r\n\r\n"))

    async def exactly(self, count):
        return await self.reader.readexactly(count)

    async def body(self, head):
        """The body behind a head; one that only an end would end is none."""
        if length := head.get("content-length"):
            return await self.reader.readexactly(int(length))
        if head.get("transfer-encoding") == "chunked":
            return await self.chunks()
        return b""

    async def chunks(self):
        body = []
        while True:
            line = await self.reader.readuntil(b"\r\n")
            assert re.match(rb"[0-9a-f]{1,8}\r\n\Z", line), line
            size = int(line, 16)
            piece = await self.reader.readexactly(size + 2)
            assert piece.endswith(b"\r\n"), piece[-20:]
            if size == 0:
                return b"".join(body)
            body.append(piece[:-2])

    async def at_end(self):
        """Nothing more comes but an end, be it a close or a reset."""
        try:
            rest = await self.reader.read()
        except ConnectionError:
            return
        assert not rest, rest[:100]
