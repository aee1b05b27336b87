"""peers: both ends of the wire, scripted.

A Wire is one connection, played step by step from a test: what is sent is exactly the bytes given,
what is read is read strictly, so that a sloppy byte from the proxy fails the test that sees it.
"""

import re
import select
import socket
import struct
import time

from lines import PATIENCE

QUIET = 0.15  # seconds of silence that count as "nothing was sent"

TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
STATUS_LINE = re.compile(r"HTTP/1\.1 ([1-5][0-9][0-9]) ([\t -~\x80-\xff]*)\Z")
REQUEST_LINE = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([!-~]+) (HTTP/1\.1)\Z")


class Head:
    """A start line and its fields, in order, as latin-1 text."""

    def __init__(self, raw):
        text = raw.decode("latin-1")
        assert text.endswith("\r\n\r\n"), raw
        lines = text[:-4].split("\r\n")
        for line in lines:
            assert "\r" not in line and "\n" not in line and "\0" not in line, raw
        self.raw = raw
        self.start = lines[0]
        self.fields = []
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            assert colon and TOKEN.match(name), line
            self.fields.append((name, value.strip(" \t")))
        self.status = None
        self.reason = self.method = self.target = None
        if self.start.startswith("HTTP/"):
            found = STATUS_LINE.match(self.start)
            assert found, self.start
            self.status, self.reason = int(found[1]), found[2]
        else:
            found = REQUEST_LINE.match(self.start)
            assert found, self.start
            self.method, self.target = found[1], found[2]

    def all(self, name):
        return [value for n, value in self.fields if n.lower() == name.lower()]

    def get(self, name):
        """The one value of a field, or None; several are an error."""
        values = self.all(name)
        assert len(values) <= 1, (name, values)
        return values[0] if values else None

    def names(self):
        return [name.lower() for name, _ in self.fields]

    def closes(self):
        return "close" in (self.get("connection") or "").lower()


class Message(Head):
    """A head with its body; `framing` is "none", "length", "chunked" or "close"."""

    def __init__(self, raw):
        super().__init__(raw)
        self.body = b""
        self.framing = "none"
        self.trailers = []


class Wire:
    """One connection, with a test at this end of it."""

    def __init__(self, sock):
        self.sock = sock
        self.held = bytearray()
        sock.settimeout(PATIENCE)
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    # What this end does.

    def send(self, *parts):
        self.sock.sendall(b"".join(p.encode("latin-1") if isinstance(p, str) else p
                                   for p in parts))

    def drip(self, data, size=1, gap=0.0):
        """Sends in pieces, each in a segment of its own."""
        for at in range(0, len(data), size):
            self.sock.sendall(data[at:at + size])
            time.sleep(gap)

    def send_until_blocked(self, data, quiet=0.5):
        """Sends `data` over and over until the other side has taken nothing for `quiet` seconds.
        Returns the number of bytes that were taken."""
        taken = 0
        self.sock.setblocking(False)
        try:
            while select.select([], [self.sock], [], quiet)[1]:
                at = taken % len(data)
                try:
                    taken += self.sock.send(data[at:])
                except BlockingIOError:
                    pass
        finally:
            self.sock.settimeout(PATIENCE)
        return taken

    def half_close(self):
        self.sock.shutdown(socket.SHUT_WR)

    def close(self):
        self.sock.close()

    def shut(self):
        """Ends both directions, and with them whatever another thread waits for here."""
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def reset(self):
        """Closes so that the other side sees a reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    # What the other end did.

    def _more(self):
        try:
            got = self.sock.recv(65536)
        except socket.timeout:
            raise AssertionError(f"nothing came in {PATIENCE} s; held: {bytes(self.held)!r}")
        self.held += got
        return len(got) > 0

    def until(self, mark):
        """Everything up to and including `mark`."""
        start = 0
        while True:
            at = self.held.find(mark, start)
            if at >= 0:
                return self._take(at + len(mark))
            start = max(0, len(self.held) - len(mark))
            assert self._more(), f"ended before {mark!r}; held: {bytes(self.held)!r}"

    def exactly(self, count):
        while len(self.held) < count:
            assert self._more(), f"ended after {len(self.held)} of {count} bytes"
        return self._take(count)

    def _take(self, count):
        taken = bytes(self.held[:count])
        del self.held[:count]
        return taken

    def head(self):
        return Head(self.until(b"\r\n\r\n"))

    def request_head(self):
        message = Message(self.until(b"\r\n\r\n"))
        assert message.method is not None, message.start
        return message

    def request(self):
        """One whole request, its body by its framing."""
        message = self.request_head()
        self._body(message)
        return message

    def interim(self, status):
        """One interim response, which frames nothing."""
        head = self.head()
        assert head.status == status, head.raw
        assert 100 <= status < 200
        for name in ("content-length", "transfer-encoding", "trailer"):
            assert head.get(name) is None, head.raw
        return head

    def response_head(self):
        message = Message(self.until(b"\r\n\r\n"))
        assert message.status is not None and message.status >= 200, message.raw
        return message

    def response(self, to="GET"):
        """One whole final response to a request with that method."""
        message = self.response_head()
        if to == "HEAD" or message.status in (204, 304):
            return message
        self._body(message)
        if message.framing == "none":
            message.framing = "close"
            message.body = self.rest()
        return message

    def _body(self, message):
        length, coding = message.get("content-length"), message.get("transfer-encoding")
        assert length is None or coding is None, message.raw
        if length is not None:
            assert re.match(r"[0-9]+\Z", length), message.raw
            message.framing = "length"
            message.body = self.exactly(int(length))
        elif coding is not None:
            assert coding == "chunked", message.raw
            message.framing = "chunked"
            message.body, message.trailers = self.chunks()

    def chunk(self):
        """The data of one chunk; empty for the last one, whose trailer section is still to come."""
        line = self.until(b"\r\n")[:-2]
        assert re.match(rb"[0-9a-fA-F]{1,16}\Z", line), line
        size = int(line, 16)
        data = self.exactly(size)
        if size:
            assert self.exactly(2) == b"\r\n"
        return data

    def chunks(self):
        """A whole chunked body: its data and its trailer fields."""
        body = bytearray()
        while data := self.chunk():
            body += data
        trailers = []
        while line := self.until(b"\r\n")[:-2].decode("latin-1"):
            name, colon, value = line.partition(":")
            assert colon and TOKEN.match(name), line
            trailers.append((name, value.strip(" \t")))
        return bytes(body), trailers

    def rest(self):
        """Everything up to the end, which must be a clean one."""
        while self._more():
            pass
        return self._take(len(self.held))

    def at_end(self):
        """Nothing more came but a clean end."""
        assert self.rest() == b""

    def ending(self):
        """How the other side ended: "close" or "reset". What it sent before is in `held`."""
        try:
            while self._more():
                pass
            return "close"
        except ConnectionResetError:
            return "reset"

    def here(self):
        """What has come so far, without waiting for more. An end does not matter."""
        while select.select([self.sock], [], [], 0)[0]:
            try:
                if not self._more():
                    break
            except ConnectionResetError:
                break
        return bytes(self.held)

    def nothing(self, seconds=QUIET):
        """Neither a byte nor an end comes. Silence is no event: this one must wait."""
        assert not self.held, bytes(self.held)
        readable = select.select([self.sock], [], [], seconds)[0]
        assert not readable, self.sock.recv(65536)


def connect(address, receive_buffer=None, source=None):
    """A client. `address` is a (host, port) pair or a path; `source` is an address of its own."""
    if isinstance(address, str):
        sock = socket.socket(socket.AF_UNIX)
    else:
        sock = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
    if receive_buffer is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    if source is not None:
        sock.bind((source, 0))
    sock.settimeout(PATIENCE)
    sock.connect(address)
    return Wire(sock)


class Origin:
    """A listening socket whose connections a test accepts and plays one by one."""

    def __init__(self, address=("127.0.0.1", 0), backlog=64, receive_buffer=None):
        if isinstance(address, str):
            self.sock = socket.socket(socket.AF_UNIX)
        else:
            self.sock = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if receive_buffer is not None:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.bind(address)
        self.sock.listen(backlog)
        self.sock.settimeout(PATIENCE)
        self.wires = []

    @property
    def text(self):
        """The address as a policy file writes it."""
        name = self.sock.getsockname()
        if isinstance(name, str):
            return "unix:" + name
        return f"[{name[0]}]:{name[1]}" if ":" in name[0] else f"{name[0]}:{name[1]}"

    def accept(self):
        try:
            sock, _ = self.sock.accept()
        except socket.timeout:
            raise AssertionError("the proxy did not connect to the origin")
        wire = Wire(sock)
        self.wires.append(wire)
        return wire

    def either(self, wire):
        """Where the next request comes: on this pooled connection, or on a new one."""
        readable = select.select([self.sock, wire.sock], [], [], PATIENCE)[0]
        if wire.sock in readable and wire.sock.recv(1, socket.MSG_PEEK):
            return wire
        return self.accept()

    def untouched(self):
        """No connection waits to be accepted. Ask after an event that a request would precede."""
        return not select.select([self.sock], [], [], 0)[0]

    def hang_up(self):
        """Ends every connection, those never accepted too."""
        for wire in self.wires:
            wire.close()
        self.wires = []
        while not self.untouched():
            self.sock.accept()[0].close()

    def close(self):
        self.hang_up()
        self.sock.close()
