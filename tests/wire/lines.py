"""lines: what a process writes, line by line, while it runs."""

import re
import threading
import time

PATIENCE = 20.0  # seconds after which something that must happen counts as missing


class Lines:
    """Gathers the lines of a pipe in a thread of its own; whoever waits is woken by the line."""

    def __init__(self, pipe):
        self._pipe = pipe
        self._lines = []
        self._ended = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._gather, daemon=True)
        self._thread.start()

    def _gather(self):
        for raw in self._pipe:
            with self._changed:
                self._lines.append(raw.decode("latin-1").rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def mark(self):
        """A place to wait from: lines that came before it do not count."""
        with self._changed:
            return len(self._lines)

    def since(self, mark=0):
        with self._changed:
            return self._lines[mark:]

    def text(self):
        return "\n".join(self.since())

    def wait(self, pattern, since=0, patience=PATIENCE):
        """The match of the first line at or after `since` in which `pattern` is found."""
        wanted = re.compile(pattern)
        until = time.monotonic() + patience
        at = since
        with self._changed:
            while True:
                while at < len(self._lines):
                    found = wanted.search(self._lines[at])
                    if found:
                        return found
                    at += 1
                left = until - time.monotonic()
                if self._ended or left <= 0:
                    seen = "\n".join(self._lines[since:])
                    raise AssertionError(f"no line with {pattern!r} came; these did:\n{seen}")
                self._changed.wait(left)

    def wait_end(self, patience=PATIENCE):
        self._thread.join(patience)
        assert not self._thread.is_alive(), "the pipe was not closed"
