"""Python's websockets, client and server, through the tunnel: 64 MiB each way."""

import asyncio
import hashlib
import threading

import pytest
import websockets

MIB = 1 << 20
PIECE = hashlib.sha256(b"a piece").digest() * (MIB // 32)


class Server:
    """Takes 64 MiB, sends its own 64 MiB meanwhile, then the hash of what came."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        self.server = asyncio.run_coroutine_threadsafe(self.listen(), self.loop).result(20)
        host, port = self.server.sockets[0].getsockname()
        self.text = f"{host}:{port}"

    async def listen(self):
        return await websockets.serve(self.handle, "127.0.0.1", 0, max_size=None, compression=None)

    async def handle(self, socket, path):
        if path == "/echo":
            async for message in socket:
                await socket.send(message)
            return
        sending = asyncio.ensure_future(send_all(socket, 64))
        digest = hashlib.sha256()
        for _ in range(64):
            digest.update(await socket.recv())
        await sending
        await socket.send(digest.hexdigest())

    def stop(self):
        async def close():
            self.server.close()
            await self.server.wait_closed()
        asyncio.run_coroutine_threadsafe(close(), self.loop).result(20)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


async def send_all(socket, count):
    for _ in range(count):
        await socket.send(PIECE)


@pytest.fixture(scope="module")
def server():
    server = Server()
    yield server
    server.stop()


def test_64_mib_each_way(start, server):
    proxy = start("", upstream=server.text, lasting=True)
    expected = hashlib.sha256(PIECE * 64).hexdigest()

    async def play():
        async with websockets.connect(f"ws://{proxy.listen}/bulk", max_size=None,
                                      compression=None) as socket:
            sending = asyncio.ensure_future(send_all(socket, 64))
            digest = hashlib.sha256()
            for _ in range(64):
                digest.update(await socket.recv())
            await sending
            assert digest.hexdigest() == expected
            assert await socket.recv() == expected

    asyncio.run(play())
    line = proxy.exchange()
    assert (line["status"], line["upgrade"]) == (101, "websocket")
    assert line["tunnel_in"] > 64 * MIB and line["tunnel_out"] > 64 * MIB


def test_messages_of_every_size(start, server):
    proxy = start("", upstream=server.text, lasting=True)

    async def play():
        async with websockets.connect(f"ws://{proxy.listen}/echo", max_size=None) as socket:
            for size in (0, 1, 125, 126, 127, 65535, 65536, 65537, 1000000):
                for kind in (b"x", "x"):
                    await socket.send(kind * size)
                    assert await socket.recv() == kind * size
            await socket.ping()

    asyncio.run(play())


def test_fifty_tunnels_at_once(start, server):
    proxy = start("", upstream=server.text, lasting=True)

    async def one(n):
        async with websockets.connect(f"ws://{proxy.listen}/echo") as socket:
            for m in range(20):
                await socket.send(f"{n} {m}")
                assert await socket.recv() == f"{n} {m}"

    async def play():
        await asyncio.gather(*(one(n) for n in range(50)))

    asyncio.run(play())
    proxy.counts("upgrades_websocket", 50)


def test_a_server_that_refuses(start, origin):
    proxy = start("")

    async def play():
        with pytest.raises(websockets.exceptions.InvalidStatusCode) as refused:
            async with websockets.connect(f"ws://{proxy.listen}/"):
                pass
        assert refused.value.status_code == 403

    def refuse():
        wire = origin.accept()
        wire.request()
        wire.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    thread = threading.Thread(target=refuse)
    thread.start()
    asyncio.run(play())
    thread.join()
