"""load: requests at a steady rate over connections that stay open, and an origin in a process of its
own that answers them and echoes what comes through a tunnel."""

import base64
import hashlib
import multiprocessing
import re
import socket
import threading
import time

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
REQUEST = b"GET /load HTTP/1.1\r\nHost: load\r\n\r\n"
KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
OFFER = (b"GET /tunnel HTTP/1.1\r\nHost: load\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
         b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + KEY + b"\r\n\r\n")
PATIENCE = 20


def switching(head):
    key = re.search(rb"(?i)sec-websocket-key: *(\S+)", head)[1]
    accept = base64.b64encode(hashlib.sha1(key + MAGIC).digest())
    return (b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")


def answer(sock):
    held = b""
    try:
        while True:
            got = sock.recv(65536)
            if not got:
                return
            held += got
            while b"\r\n\r\n" in held:
                head, _, held = held.partition(b"\r\n\r\n")
                if b"GET /tunnel" in head:
                    sock.sendall(switching(head))
                    while got := sock.recv(65536):
                        sock.sendall(got)
                    return
                sock.sendall(ANSWER)
    except OSError:
        pass
    finally:
        sock.close()


def serve(listener):
    while True:
        sock, _ = listener.accept()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=answer, args=(sock,), daemon=True).start()


class Origin:
    """With `with`: answers in another process until the end of the block."""

    def __enter__(self):
        listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.text = "127.0.0.1:%d" % listener.getsockname()[1]
        self.process = multiprocessing.get_context("fork").Process(target=serve, args=(listener,),
                                                                   daemon=True)
        self.process.start()
        listener.close()
        return self

    def __exit__(self, *exception):
        self.process.kill()
        self.process.join()


def dial(address):
    sock = socket.create_connection(address, timeout=PATIENCE)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def ask(sock):
    """One request, and its whole answer."""
    sock.sendall(REQUEST)
    held = b""
    while not held.endswith(b"\r\n\r\nok"):
        got = sock.recv(65536)
        if not got:
            raise ConnectionError("ended before the answer")
        held += got
    if not held.startswith(b"HTTP/1.1 200 "):
        raise ConnectionError(held[:60])


class Tunnel:
    def __init__(self, address):
        self.sock = dial(address)
        self.sock.sendall(OFFER)
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.sock.recv(1)
        assert head.startswith(b"HTTP/1.1 101 "), head

    def lives(self):
        try:
            self.sock.sendall(b"ping")
            return self.sock.recv(4) == b"ping"
        except OSError:
            return False


class Load:
    """With `with`: `rate` requests a second over `count` connections, each with a thread."""

    def __init__(self, address, rate, count=20):
        self.address = address
        self.pause = count / rate
        self.count = count
        self.answered = [0] * count
        self.failures = []  # (client's port, what happened)
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(i,)) for i in range(count)]

    def run(self, i):
        sock = dial(self.address)
        due = time.monotonic() + self.pause * i / self.count
        while not self.over.is_set():
            try:
                ask(sock)
                self.answered[i] += 1
            except OSError as failure:
                self.failures.append((sock.getsockname()[1], repr(failure)))
                sock.close()
                sock = dial(self.address)
            due += self.pause
            time.sleep(max(0.0, due - time.monotonic()))
        sock.close()

    def __enter__(self):
        self.began = time.monotonic()
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *exception):
        self.over.set()
        for thread in self.threads:
            thread.join()
        self.seconds = time.monotonic() - self.began

    def total(self):
        return sum(self.answered)

    def wait(self, count):
        """Until that many more were answered."""
        goal, until = self.total() + count, time.monotonic() + PATIENCE
        while self.total() < goal:
            assert time.monotonic() < until, "the load stands still"
            time.sleep(0.001)
