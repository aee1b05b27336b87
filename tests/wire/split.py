"""split: plays one scenario over and over, cut differently each time, and compares what comes out.

A scenario is a list of steps (what the client sends, what the origin sends, what must have come
before). It is played whole, then byte by byte, then cut in two at each position of each stream.
Both ends are unix sockets: their kernel tells when the proxy has taken what was sent, so a piece
follows as soon as the one before was read, and never together with it. Nothing here sleeps.
"""

import fcntl
import re
import select
import socket
import struct
import termios

from lines import PATIENCE
from peers import TOKEN

CLIENT, ORIGIN = "client", "origin"


# ---- the steps of a scenario ----


def _bytes(parts):
    return b"".join(p.encode("latin-1") if isinstance(p, str) else p for p in parts)


def client(*parts):
    """The client sends these bytes, and the proxy has read them."""
    return "send", CLIENT, _bytes(parts)


def origin(*parts):
    """The origin sends these bytes on its latest connection, and the proxy has read them."""
    return "send", ORIGIN, _bytes(parts)


def at_client(mark):
    """These bytes have come to the client, after those that the last such step waited for."""
    return "await", CLIENT, _bytes([mark])


def at_origin(mark):
    """These bytes have come to the origin."""
    return "await", ORIGIN, _bytes([mark])


def client_ends():
    return "end", CLIENT, b""


def origin_ends():
    return "end", ORIGIN, b""


def sends(steps, side):
    """How many bytes a side sends."""
    return sum(len(data) for kind, who, data in steps if kind == "send" and who == side)


# ---- how the bytes are cut ----


class Cut:
    """Which positions of which stream end a piece."""

    def __init__(self, name, size=0, at=None):
        self.name = name
        self.size = size  # of every piece; 0: whole
        self.at = at or {}  # a side to the one position at which its stream is cut

    def pieces(self, side, begin, data):
        """`data`, which stands at `begin` in what this side sends, in pieces."""
        if self.size:
            return [data[i:i + self.size] for i in range(0, len(data), self.size)]
        here = self.at.get(side, 0) - begin
        return [data[:here], data[here:]] if 0 < here < len(data) else [data]


WHOLE = Cut("whole")


def cuts(steps, stride=1, dribble=1):
    """Byte by byte, and in two at every `stride`th position of each stream."""
    yield Cut(f"in pieces of {dribble}", size=dribble)
    for side in (CLIENT, ORIGIN):
        for at in range(1, sends(steps, side), stride):
            yield Cut(f"{side} cut at {at}", at={side: at})


# ---- one play ----


def _taken(sock):
    """Whether the other side has read everything that was sent here. The kernel counts whole
    buffers, which are larger than 1; that one is its own for a moment when it tells of it."""
    return struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, b"\0\0\0\0"))[0] <= 1


class End:
    """One socket of a play: what came is gathered as it comes."""

    def __init__(self, sock, epoll):
        self.sock = sock
        self.got = bytearray()
        self.seen = 0  # up to here a step has waited for
        self.searched = 0  # up to here what it waits for does not begin
        self.over = False
        sock.setblocking(False)
        events = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET
        epoll.register(sock.fileno(), events)

    def gather(self):
        while not self.over:
            try:
                got = self.sock.recv(262144)
            except BlockingIOError:
                return
            except ConnectionResetError:
                got = b""
            self.over = not got
            self.got += got

    def has(self, mark):
        at = self.got.find(mark, max(self.seen, self.searched))
        if at < 0:
            self.searched = max(0, len(self.got) - len(mark) + 1)
            return False
        self.seen, self.searched = at + len(mark), 0
        return True

    def end(self):
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the other side was quicker


class Play:
    """One scenario, cut in one way, on a lane of its own. `run` is a generator: it stops where it
    must wait, and goes on whenever something happened on one of the lane's sockets."""

    def __init__(self, lane, steps, cut):
        self.lane = lane
        self.steps = steps
        self.cut = cut
        self.sent = {CLIENT: 0, ORIGIN: 0}
        self.origins = []
        self.waits_for = ""
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(lane.proxy.address)
        self.client = End(sock, lane.epoll)

    def gather(self):
        self.client.gather()
        while True:
            try:
                sock, _ = self.lane.listening.accept()
            except BlockingIOError:
                break
            self.origins.append(End(sock, self.lane.epoll))
        for end in self.origins:
            end.gather()

    def end_of(self, side):
        if side == CLIENT:
            return self.client
        return self.origins[-1] if self.origins else None

    def until(self, condition, what):
        self.waits_for = what
        self.gather()
        while not condition():
            yield
            self.gather()

    def send(self, side, data):
        yield from self.until(lambda: self.end_of(side) is not None, f"a connection to the {side}")
        end = self.end_of(side)
        for piece in self.cut.pieces(side, self.sent[side], data):
            while piece:
                try:
                    piece = piece[end.sock.send(piece):]
                except BlockingIOError:
                    yield from self.until(lambda: _taken(end.sock), "room for more")
                except OSError:
                    return  # the proxy has closed: the rest is for nobody
            yield from self.until(lambda: _taken(end.sock), f"{side}'s {data!r} to be read")
        self.sent[side] += len(data)

    def finish(self):
        """Both sides end; what comes until the proxy has ended too belongs to the play."""
        self.client.end()
        for end in self.origins:
            end.end()
        yield from self.until(lambda: self.client.over and all(e.over for e in self.origins),
                              "the proxy to end")
        for end in [self.client, *self.origins]:
            end.sock.close()

    def run(self):
        for kind, side, data in self.steps:
            if kind == "send":
                yield from self.send(side, data)
            elif kind == "await":
                yield from self.until(lambda: self.end_of(side) and self.end_of(side).has(data),
                                      f"{data!r} at the {side}")
            else:
                yield from self.until(lambda: self.end_of(side), "a connection")
                self.end_of(side).end()
        yield from self.finish()

    def __str__(self):
        came = [("client", bytes(self.client.got))] + [("origin", bytes(e.got))
                                                       for e in self.origins]
        return f"{self.cut.name}: waits for {self.waits_for}; came: {came}"


class Lane:
    """A proxy and its origin, for one play at a time."""

    def __init__(self, proxy, listening):
        self.proxy = proxy
        self.listening = listening
        self.listening.setblocking(False)
        self.epoll = None

    def begin(self, epoll):
        self.epoll = epoll
        epoll.register(self.listening.fileno(), select.EPOLLIN | select.EPOLLET)


def play_all(lanes, steps, wanted):
    """Plays a scenario once for each of the cuts wanted, as many at a time as there are lanes.
    Gives the plays, over, one by one."""
    epoll = select.epoll()
    for lane in lanes:
        lane.begin(epoll)
    wanted = iter(wanted)
    free, running = list(lanes), []
    while True:
        while free and (cut := next(wanted, None)) is not None:
            play = Play(free.pop(), steps, cut)
            running.append((play, play.run()))
        if not running:
            break
        still = []
        for play, run in running:
            try:
                next(run)
                still.append((play, run))
            except StopIteration:
                free.append(play.lane)
                yield play
        if len(still) == len(running) and not epoll.poll(PATIENCE):
            raise AssertionError("\n".join(str(play) for play, _ in running))
        running = still
    epoll.close()


# ---- what came out ----

DATE = re.compile(rb"(?mi)^Date: [^\r]*")
ID = re.compile(rb"\b[0-9a-f]{16}\b")


def _chunks(raw):
    """The data and the trailer section of a chunked body, and what stands behind it; a body that
    breaks off has None for its trailer section."""
    data = bytearray()
    while True:
        line, found, rest = raw.partition(b"\r\n")
        if not found:
            return bytes(data), None, b""
        assert re.match(rb"[0-9a-fA-F]{1,16}\Z", line), line
        size = int(line, 16)
        if size == 0:
            break
        data += rest[:size]
        if len(rest) < size + 2:
            return bytes(data), None, b""
        assert rest[size:size + 2] == b"\r\n", rest[:size + 2]
        raw = rest[size + 2:]
    trailers = bytearray()
    while True:
        line, found, rest = rest.partition(b"\r\n")
        if not found:
            return bytes(data), None, b""
        if not line:
            return bytes(data), bytes(trailers), rest
        assert TOKEN.match(line.partition(b":")[0].decode("latin-1")), line
        trailers += line + b"\r\n"


def messages(raw, methods=()):
    """The messages of a stream as (head, body, trailer section), read strictly. Where chunks end
    is no part of a message; nor are the time of day and the numbers of requests. `methods` are
    those of the requests that a stream of responses answers."""
    found = []
    methods = list(methods)
    while raw:
        head, end, rest = raw.partition(b"\r\n\r\n")
        if not end:
            return found + [("cut", raw)]
        lower = head.lower()
        status = int(head[9:12]) if head.startswith(b"HTTP/") else 0
        method = methods.pop(0) if status >= 200 and methods else ""
        length = re.search(rb"\r\ncontent-length: ([0-9]+)", lower)
        body = trailers = b""
        if status == 101 or not status and b"\r\nupgrade: " in lower:
            body, rest = rest, b""
        elif 0 < status < 200 or method == "HEAD" or status in (204, 304):
            pass
        elif b"\r\ntransfer-encoding: chunked" in lower:
            body, trailers, rest = _chunks(rest)
        elif length:
            body, rest = rest[:int(length[1])], rest[int(length[1]):]
        elif status:
            body, rest = rest, b""
        found.append((ID.sub(b"ID", DATE.sub(b"Date: then", head)), ID.sub(b"ID", body), trailers))
        raw = rest
    return found


def outcome(play, methods=()):
    """What a play brought to both sides."""
    return (messages(bytes(play.client.got), methods),
            [messages(bytes(end.got)) for end in play.origins])


