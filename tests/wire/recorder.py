"""recorder: an origin that answers by itself and remembers what it read."""

import socket
import threading

from peers import Origin, Wire


class Recorded(Wire):
    """A wire that also keeps the bytes of the message being read."""

    def __init__(self, sock):
        super().__init__(sock)
        sock.settimeout(None)
        self.raw = b""

    def _take(self, count):
        taken = super()._take(count)
        self.raw += taken
        return taken


def saw(method, target, host, body):
    """What an answer says about the request it answers."""
    return f"{method} {target} {host} {len(body)}"


class Recorder:
    """Reads requests strictly on any number of connections, each in a thread. `seen` holds those
    that were whole, in order, with their `raw_bytes` and their `wire`; `faults` what was no HTTP.
    An answer names its request, unless `script` holds another for the target: (bytes, whether to
    hang up behind them)."""

    def __init__(self):
        self.origin = Origin()
        self.seen = []
        self.faults = []
        self.script = {}
        self.wires = set()
        self._changed = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def text(self):
        return self.origin.text

    def _accept(self):
        self.origin.sock.settimeout(None)
        while True:
            try:
                sock, _ = self.origin.sock.accept()
            except OSError:
                return
            wire = Recorded(sock)
            with self._changed:
                self.wires.add(wire)
            threading.Thread(target=self._serve, args=(wire,), daemon=True).start()

    def _serve(self, wire):
        try:
            while self._exchange(wire):
                pass
        except AssertionError as fault:
            # An end between two messages, or within one, is no fault.
            if not str(fault).startswith("ended"):
                self.faults.append(str(fault))
        except OSError:
            pass
        with self._changed:
            self.wires.discard(wire)
        wire.close()

    def _exchange(self, wire):
        wire.raw = b""
        message = wire.request()
        message.raw_bytes = wire.raw
        message.wire = wire
        self.seen.append(message)
        if message.target in self.script:
            data, ends = self.script[message.target]
            wire.send(data)
            if ends:
                wire.sock.shutdown(socket.SHUT_WR)
            return not ends
        text = saw(message.method, message.target, message.get("host"), message.body).encode()
        body = b"" if message.method == "HEAD" else text
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nX-Saw: %s\r\n\r\n%s"
                  % (len(text), text, body))
        return True

    def hang_up(self):
        with self._changed:
            for wire in self.wires:
                wire.shut()

    def close(self):
        self.hang_up()
        self.origin.sock.shutdown(socket.SHUT_RDWR)
        self.origin.sock.close()
