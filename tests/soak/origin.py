"""origin: an origin in a process of its own, for as many connections as a soak opens.

What it answers depends on the target, /KIND/NUMBER/SIZE: bodies are those of stream.body_of(), and
an upload whose body is another one is answered 299. A KIND is a function of this file.
"""

import asyncio
import base64
import hashlib
import multiprocessing
import socket

from stream import ENDED, PATTERN, Stream, body_of

MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
FORK = multiprocessing.get_context("fork")
PIECE = 65536
CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n"
HINTS = "HTTP/1.1 103 Early Hints\r\nLink: </%d>; rel=preload\r\n\r\n"

released = FORK.Event()


def answer(stream, n, size, *fields, status="200 OK"):
    lines = [f"HTTP/1.1 {status}", *fields, f"Content-Length: {size}", "\r\n"]
    stream.send("\r\n".join(lines), body_of(n, size))


# ---- kinds: each returns whether the connection goes on ----


async def small(stream, request, n, size):
    answer(stream, n, size)
    return True


async def hints(stream, request, n, size):
    stream.send(HINTS % n)
    answer(stream, n, size)
    return True


async def chunked(stream, request, n, size):
    stream.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    stream.send_chunks(body_of(n, size))
    await stream.sent()
    return True


async def large(stream, request, n, size):
    """Sent piece by piece, and no faster than it is taken."""
    stream.hold_little()
    stream.send(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n")
    for at in range(0, size, PIECE):
        stream.send(PATTERN[at:min(at + PIECE, size)])
        await stream.sent()
    return True


async def upload(stream, request, n, size):
    """The body comes back in the framing that it came in."""
    if request.get("expect"):
        stream.send(CONTINUE)
    body = await stream.body(request)
    if body != body_of(n, size):
        answer(stream, n, 16, status="299 Other Bytes")
    elif request.get("content-length"):
        answer(stream, n, size)
    else:
        return await chunked(stream, request, n, size)
    return True


async def decline(stream, request, n, size):
    """An expectation, whose body then is not sent."""
    answer(stream, n, size, "Connection: close", status="403 Forbidden")
    return False


async def tunnel(stream, request, n, size):
    key = request.get("sec-websocket-key") + MAGIC
    accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
    stream.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                f"Sec-WebSocket-Accept: {accept}\r\n\r\n")
    while got := await stream.reader.read(65536):
        stream.send(got)
        await stream.sent()
    return False


async def silent(stream, request, n, size):
    """No answer, ever; whatever comes is read."""
    while await stream.reader.read(65536):
        pass
    return False


async def gone(stream, request, n, size):
    """An end in the place of an answer."""
    return False


async def cut(stream, request, n, size):
    """Half of an answer."""
    stream.send(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n", body_of(n, size // 2))
    return False


async def broken(stream, request, n, size):
    stream.send("HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok")
    return False


async def unasked(stream, request, n, size):
    stream.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
    return False


async def held(stream, request, n, size):
    """The answer waits for Origin.release()."""
    while not released.is_set():
        await asyncio.sleep(0.01)
    answer(stream, n, size)
    return True


async def leave(stream, request, n, size):
    """An answer, and an end that nothing told of."""
    answer(stream, n, size)
    return False


KINDS = {kind.__name__: kind
         for kind in (small, hints, chunked, large, upload, decline, tunnel, silent, gone, cut,
                      broken, unasked, held, leave)}


async def serve(reader, writer):
    stream = Stream(reader, writer)
    try:
        goes_on = True
        while goes_on:
            request = await stream.head()
            _, kind, n, size = request.target.split("/")
            goes_on = await KINDS[kind](stream, request, int(n), int(size))
    except ENDED:
        pass
    finally:
        writer.close()


async def serve_all(listener):
    server = await asyncio.start_server(serve, sock=listener, backlog=4096)
    await server.serve_forever()


def main(listener):
    asyncio.run(serve_all(listener))


class Origin:
    """With `with`: answers until the end of the block."""

    def __enter__(self):
        listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        # Those that it accepts inherit it: a 1xx and an answer are two small writes.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.text = "127.0.0.1:%d" % listener.getsockname()[1]
        released.clear()
        self.process = FORK.Process(target=main, args=(listener,), daemon=True)
        self.process.start()
        listener.close()
        return self

    def release(self):
        released.set()

    def __exit__(self, *exception):
        self.process.kill()
        self.process.join()
