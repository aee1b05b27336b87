#!/usr/bin/env python3
"""ws: as little WebSocket (RFC 6455) as an echo needs, for both ends.

As a program: ws.py PORT ORIGIN TEXT... connects to /ws on 127.0.0.1, says where it comes from,
sends each text and prints the status line and what comes back."""

import argparse
import base64
import hashlib
import os
import socket
import struct
import subprocess

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


class Client:
    """A client's end: opens the WebSocket, prints the status line and the subprotocol chosen."""

    def __init__(self, port, origin, protocols):
        key = base64.b64encode(os.urandom(16)).decode()
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=10)
        offer = f"Sec-WebSocket-Protocol: {protocols}\r\n" if protocols else ""
        self.sock.sendall(f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: {origin}\r\n"
                          "Connection: Upgrade\r\nUpgrade: websocket\r\n"
                          f"Sec-WebSocket-Version: 13\r\n{offer}"
                          f"Sec-WebSocket-Key: {key}\r\n\r\n".encode())
        self.file = self.sock.makefile("rb")
        status = self.file.readline().decode().strip()
        print(status, flush=True)
        fields = {}
        while line := self.file.readline().decode().strip():
            field, _, value = line.partition(":")
            fields[field.lower()] = value.strip()
        self.is_open = " 101 " in status
        if not self.is_open:
            print(self.file.read(int(fields.get("content-length", 0))).decode(), end="")
            return
        assert fields["sec-websocket-accept"] == accept_key(key), "not the answer to this key"
        if "sec-websocket-protocol" in fields:
            print("subprotocol:", fields["sec-websocket-protocol"], flush=True)

    def say(self, text):
        self.sock.sendall(frame(TEXT, text.encode(), os.urandom(4)))
        print("echo:", read_frame(self.file)[2].decode(), flush=True)

    def close(self):
        if self.is_open:
            self.sock.sendall(frame(CLOSE, b"", os.urandom(4)))
            while read_frame(self.file) is not None:
                pass  # the server says goodbye, too, and it is the one that hangs up
        self.sock.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[2])
    parser.add_argument("--protocols", help="subprotocols to offer, separated by commas")
    parser.add_argument("--between", help="a command to run between two texts")
    parser.add_argument("port", type=int)
    parser.add_argument("origin")
    parser.add_argument("text", nargs="+")
    told = parser.parse_args()
    client = Client(told.port, told.origin, told.protocols)
    for i, text in enumerate(told.text if client.is_open else []):
        if i > 0 and told.between:
            subprocess.run(told.between, shell=True, check=True)
        client.say(text)
    client.close()


if __name__ == "__main__":
    main()
