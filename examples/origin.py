#!/usr/bin/env python3
"""origin: a demo origin that shows what an origin may say before its answer.

    /           a greeting
    /hints      103 Early Hints, then the page
    /slow-job   102 Processing every second, then the result after four
    /stuck-job  102 Processing, then nothing
    /continue   100 Continue, then what it got
    /upload     reads the body, reports its size and SHA-256
    /ws         a WebSocket that echoes; of several subprotocols it takes the first
    /silent     never answers
    /client     who the client is, as this origin is told (X-Forwarded-For)

    origin.py PORT [NAME] listens on 127.0.0.1; 0 takes a free port. The port is printed once it
    listens. NAME is what it calls itself when it greets.
"""

import hashlib
import http.server
import json
import sys
import time

import ws


class Origin(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60
    disable_nagle_algorithm = True  # a head and its body are two writes

    def interim(self, status, *fields):
        self.send_response_only(status)
        for name, value in fields:
            self.send_header(name, value)
        self.end_headers()

    def answer(self, text, kind="text/plain"):
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def body(self):
        """The body of the request, piece by piece."""
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            while size := int(self.rfile.readline().split(b";")[0], 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
        left = int(self.headers.get("Content-Length", 0))
        while left > 0:
            piece = self.rfile.read(min(left, 1 << 20))
            if not piece:
                raise ConnectionError("the body was cut short")
            left -= len(piece)
            yield piece

    # An expectation is answered where the body is wanted, and nowhere else.
    def handle_expect_100(self):
        return True

    def wanted_body(self):
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.interim(100)
        return self.body()

    def upload(self):
        size, digest = 0, hashlib.sha256()
        for piece in self.wanted_body():
            size += len(piece)
            digest.update(piece)
        self.answer(json.dumps({"size": size, "sha256": digest.hexdigest()}) + "\n",
                    "application/json")

    def goes_on(self):
        got = b"".join(self.wanted_body())
        self.answer(f"got {len(got)} bytes after 100\n")

    def slow_job(self):
        for _ in range(3):
            time.sleep(1)
            self.interim(102)
        time.sleep(1)
        self.answer("done after four seconds\n")

    def hints(self):
        self.interim(103, ("Link", "</style.css>; rel=preload; as=style"))
        time.sleep(0.5)
        self.answer("<link rel=stylesheet href=/style.css>\n", "text/html")

    def web_socket(self):
        key = self.headers.get("Sec-WebSocket-Key")
        if key is None or "websocket" not in self.headers.get("Upgrade", "").lower():
            self.answer("a WebSocket lives here\n")
            return
        fields = [("Connection", "Upgrade"), ("Upgrade", "websocket"),
                  ("Sec-WebSocket-Accept", ws.accept_key(key))]
        if offered := self.headers.get("Sec-WebSocket-Protocol"):
            fields.append(("Sec-WebSocket-Protocol", offered.split(",")[0].strip()))
        self.interim(101, *fields)
        self.close_connection = True
        ws.echo(self.rfile, self.wfile)

    def silent(self):
        # Ends when the other side has had enough.
        self.connection.settimeout(None)
        self.rfile.read(1)
        self.close_connection = True

    def client(self):
        self.answer(f"{self.headers.get('X-Forwarded-For')}\n")

    def stuck_job(self):
        self.interim(102)
        self.silent()

    def handle_any(self):
        ways = {"/upload": self.upload, "/continue": self.goes_on, "/slow-job": self.slow_job,
                "/stuck-job": self.stuck_job, "/hints": self.hints, "/ws": self.web_socket,
                "/silent": self.silent, "/client": self.client}
        way = ways.get(self.path.split("?")[0])
        if way is not None:
            way()
            return
        for _ in self.body():
            pass
        self.answer(f"Hello from the {self.server.title}.\n")

    do_GET = do_HEAD = do_POST = do_PUT = handle_any

    def log_message(self, *words):
        pass  # the proxy's access log tells the story


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    title = "origin"

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], OSError):  # a side that hangs up is no news
            super().handle_error(request, client_address)


if __name__ == "__main__":
    server = Server(("127.0.0.1", int(sys.argv[1])), Origin)
    if len(sys.argv) > 2:
        server.title = sys.argv[2]
    print(server.server_address[1], flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
