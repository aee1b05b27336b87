"""The npm package ws as client and server, and each of them with another: Python's websockets, and
the WebSocket of undici."""

import asyncio

import pytest
import websockets

from programs import NodeServer, need_package, node

POLICY = """
  upgrade = function(req) if req.path == "/gate" then return 403 end end,
"""


@pytest.fixture(scope="module")
def server():
    need_package("ws")
    server = NodeServer("ws_server")
    yield server
    server.stop()


@pytest.fixture
def through(start, server):
    return start(POLICY, upstream=server.text, lasting=True)


@pytest.fixture
def mark(server):
    return server.out.mark()


@pytest.mark.parametrize("how", ["plain", "deflate"])
def test_messages_of_every_size_come_back_as_they_went(through, how):
    echo, close = node("ws_client", "echo", through, how)
    assert echo["same"] == echo["sent"] == {"plain": 20, "deflate": 18}[how]
    assert echo["extensions"] == ("permessage-deflate" if how == "deflate" else "")
    assert (close["code"], close["reason"]) == (1000, "done")
    line = through.exchange()
    assert (line["status"], line["upgrade"]) == (101, "websocket")
    assert line["tunnel_in"] > 1 << 20 and line["tunnel_out"] > 1 << 20


def test_fragments_with_pings_between_them(through, server, mark):
    pieces, _ = node("ws_client", "pieces", through)
    assert pieces == {"event": "pieces", "whole": True, "pings": 6, "pongs": 4}
    server.out.wait('"event":"ping","data":"3"', mark)
    assert [ping["data"] for ping in server.events("ping", mark)] == ["0", "1", "2", "3"]


def test_ping_and_pong(through, server, mark):
    pong, _ = node("ws_client", "ping", through)
    assert pong["data"] == "are you there?" == server.event("ping", mark)["data"]


@pytest.mark.parametrize("code, reason", [(1000, ""), (3000, "registered"), (4999, "bye" * 41)])
def test_a_close_code_of_the_client_is_the_servers_and_comes_back(through, server, mark, code,
                                                                  reason):
    (close,) = node("ws_client", "close", through, code, reason)
    assert (close["code"], close["reason"]) == (code, reason)
    assert server.event("close", mark) == close


def test_a_close_code_of_the_server(through, server, mark):
    (close,) = node("ws_client", "enough", through)
    assert (close["code"], close["reason"]) == (4002, "enough")
    assert server.event("close", mark) == close


def test_a_client_that_is_gone_without_a_word_is_1006_at_the_server(through, server, mark):
    node("ws_client", "terminate", through)
    assert server.event("close", mark)["code"] == 1006


@pytest.mark.parametrize("offered, chosen", [
    (["chat.v1", "chat.v2"], "chat.v2"), (["chat.v2"], "chat.v2"), ([], ""),
], ids=["of two", "the only one", "none"])
def test_the_server_chooses_a_subprotocol(through, server, mark, offered, chosen):
    opened, _ = node("ws_client", "protocols", through, *offered)
    assert opened["protocol"] == chosen
    assert server.event("connection", mark)["origin"] == "https://app.example"


@pytest.mark.parametrize("path, status", [("/refused", 401), ("/gate", 403)],
                         ids=["the server", "the policy"])
def test_a_refusal_is_an_answer_with_its_status(through, server, mark, path, status):
    events = node("ws_client", "refused", through, path)
    assert {"event": "refused", "status": status} in events
    assert server.events("connection", mark) == []


def test_fifty_sockets_at_once(through):
    assert node("ws_client", "crowd", through, 50)[-1] == {"event": "crowd"}
    through.counts("upgrades_websocket", 50)


def test_the_websocket_of_undici(through, server, mark):
    need_package("undici")
    message, close = node("undici", "websocket", through)
    assert message == {"event": "message", "data": "hello", "protocol": "chat.v2"}
    assert close == {"event": "close", "code": 4001, "reason": "bye", "wasClean": True}
    assert server.event("close", mark)["code"] == 4001


def test_pythons_client_with_the_server_of_ws(through, server, mark):
    async def play():
        async with websockets.connect(f"ws://{through.listen}/pieces", max_size=None,
                                      subprotocols=["chat.v2"]) as socket:
            assert socket.subprotocol == "chat.v2"
            for data in ("text " * 20000, bytes(range(256)) * 1000):
                await socket.send(data)
                assert await socket.recv() == data
            await socket.close(4003, "so long")

    asyncio.run(play())
    close = server.event("close", mark)
    assert (close["code"], close["reason"]) == (4003, "so long")


def test_the_client_of_ws_with_pythons_server(start):
    async def play():
        async def handle(socket, path):
            async for message in socket:
                await socket.send(message)

        server = await websockets.serve(handle, "127.0.0.1", 0, max_size=None)
        host, port = server.sockets[0].getsockname()
        proxy = start(POLICY, upstream=f"{host}:{port}", lasting=True)
        got = await asyncio.to_thread(node, "ws_client", "echo", proxy, "deflate")
        server.close()
        await server.wait_closed()
        return got

    need_package("ws")
    echo, close = asyncio.run(play())
    assert echo["same"] == echo["sent"] and close["code"] == 1000
