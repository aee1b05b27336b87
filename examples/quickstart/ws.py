#!/usr/bin/env python3
"""ws: as little WebSocket (RFC 6455) as an echo needs, for both ends.

As a program: ws.py PORT ORIGIN TEXT connects to /ws on 127.0.0.1, says where it comes from, sends
one text and prints the status line and what comes back."""

import base64
import hashlib
import os
import socket
import struct
import sys

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


def accept_key(key):
    """The Sec-WebSocket-Accept that belongs to a Sec-WebSocket-Key."""
    digest = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
    return base64.b64encode(digest).decode()


def read_frame(file):
    """(final, opcode, payload) of the next frame, unmasked; None at the end."""
    head = file.read(2)
    if len(head) < 2:
        return None
    final, opcode, masked, length = head[0] & 128, head[0] & 15, head[1] & 128, head[1] & 127
    if length == 126:
        (length,) = struct.unpack(">H", file.read(2))
    elif length == 127:
        (length,) = struct.unpack(">Q", file.read(8))
    mask = file.read(4) if masked else bytes(4)
    payload = bytearray(file.read(length))
    for i in range(length):
        payload[i] ^= mask[i % 4]
    return final, opcode, bytes(payload)


def frame(opcode, payload, mask=b"", final=128):
    """One frame; a client's needs a mask of four bytes."""
    bit = 128 if mask else 0
    if len(payload) < 126:
        head = struct.pack(">BB", final | opcode, bit | len(payload))
    elif len(payload) < 65536:
        head = struct.pack(">BBH", final | opcode, bit | 126, len(payload))
    else:
        head = struct.pack(">BBQ", final | opcode, bit | 127, len(payload))
    if mask:
        payload = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
    return head + mask + payload


def echo(rfile, wfile):
    """Plays the server until the client says goodbye."""
    while (got := read_frame(rfile)) is not None:
        final, opcode, payload = got
        wfile.write(frame(PONG if opcode == PING else opcode, payload, final=final))
        wfile.flush()
        if opcode == CLOSE:
            break


def main(port, origin, text):
    key = base64.b64encode(os.urandom(16)).decode()
    with socket.create_connection(("127.0.0.1", int(port)), timeout=10) as sock:
        sock.sendall(f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: {origin}\r\n"
                     "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                     f"Sec-WebSocket-Key: {key}\r\n\r\n".encode())
        file = sock.makefile("rb")
        status = file.readline().decode().strip()
        print(status)
        fields = {}
        while line := file.readline().decode().strip():
            name, _, value = line.partition(":")
            fields[name.lower()] = value.strip()
        if " 101 " not in status:
            print(file.read(int(fields.get("content-length", 0))).decode(), end="")
            return
        assert fields["sec-websocket-accept"] == accept_key(key), "not the answer to this key"
        sock.sendall(frame(TEXT, text.encode(), os.urandom(4)))
        print("echo:", read_frame(file)[2].decode())
        sock.sendall(frame(CLOSE, b"", os.urandom(4)))


if __name__ == "__main__":
    main(*sys.argv[1:])
