"""readers: other people's HTTP parsers. Each answers every request with X-Saw, which begins with
the method and the target it read."""

import http.server
import threading

from harness import free_port
from programs import Program, need


class Reader:
    """A program in the foreground; a test for which it is missing is skipped."""

    name = program = None

    def __init__(self, directory):
        self.address = ("127.0.0.1", free_port())
        self.process = Program([need(self.program), *self.arguments(directory, self.address[1])])
        self.process.await_port(self.address[1])

    def write(self, directory, name, text, **values):
        path = directory / name
        path.write_text(text.format(at=directory, **values))
        return str(path)

    def stop(self):
        self.process.stop()


NGINX = """
daemon off;
worker_processes 1;
pid {at}/pid;
error_log stderr crit;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {at}/body; proxy_temp_path {at}/proxy; fastcgi_temp_path {at}/fastcgi;
  uwsgi_temp_path {at}/uwsgi; scgi_temp_path {at}/scgi;
  keepalive_requests 100000;
  large_client_header_buffers 4 64k;
  server {{
    listen 127.0.0.1:{port};
    add_header X-Saw $request always;
    return 200 ok;
  }}
}}
"""


class Nginx(Reader):
    name = program = "nginx"

    def arguments(self, directory, port):
        config = self.write(directory, "nginx.conf", NGINX, port=port)
        return ["-p", str(directory), "-c", config, "-e", "stderr"]


HAPROXY = """
global
  tune.bufsize 65536
defaults
  mode http
  option http-buffer-request
  timeout client 20s
  timeout server 20s
  timeout connect 20s
  timeout http-request 20s
frontend garden
  bind 127.0.0.1:{port}
  http-request return status 200 hdr X-Saw "%[method] %[url]" content-type text/plain string ok
"""


class Haproxy(Reader):
    name, program = "HAProxy", "haproxy"

    def arguments(self, directory, port):
        return ["-db", "-f", self.write(directory, "haproxy.conf", HAPROXY, port=port)]


APACHE = """
ServerRoot {at}
ServerName localhost
PidFile {at}/pid
Listen 127.0.0.1:{port}
DefaultRuntimeDir {at}
ErrorLog /dev/stderr
LogLevel crit
User www-data
Group www-data
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule headers_module /usr/lib/apache2/modules/mod_headers.so
KeepAlive On
MaxKeepAliveRequests 0
LimitRequestLine 16380
LimitRequestFieldSize 65536
LimitRequestFields 300
DocumentRoot {at}
TraceEnable off
Header always set X-Saw "expr=%{{THE_REQUEST}}"
"""


class Apache(Reader):
    name, program = "Apache", "apache2"

    def arguments(self, directory, port):
        return ["-DFOREGROUND", "-f", self.write(directory, "apache.conf", APACHE, port=port)]


NODE = """
const http = require("http");
const server = http.createServer({ maxHeaderSize: 65536 }, (request, response) => {
  let length = 0;
  request.on("data", (data) => { length += data.length; });
  request.on("end", () => {
    response.setHeader("X-Saw", request.method + " " + request.url);
    response.setHeader("X-Length", length);
    response.end("ok");
  });
});
server.maxHeadersCount = 0;
server.listen(+process.argv[2], "127.0.0.1");
"""


class Node(Reader):
    name, program = "Node", "node"

    def arguments(self, directory, port):
        path = directory / "node.js"
        path.write_text(NODE)
        return [str(path), str(port)]


class Handler(http.server.BaseHTTPRequestHandler):
    """Python's own reader of heads. It leaves bodies to its user: read here as the head it made
    says."""

    protocol_version = "HTTP/1.1"
    timeout = 20

    def __getattr__(self, name):
        if name.startswith("do_"):
            return self.answer
        raise AttributeError(name)

    def chunked(self):
        length = 0
        while size := int(self.rfile.readline(), 16):
            length += len(self.rfile.read(size))
            assert self.rfile.read(2) == b"\r\n"
        while self.rfile.readline() != b"\r\n":
            pass
        return length

    def answer(self):
        if self.headers["Transfer-Encoding"] == "chunked":
            length = self.chunked()
        else:
            length = len(self.rfile.read(int(self.headers["Content-Length"] or 0)))
        self.send_response(200)
        self.send_header("X-Saw", self.requestline)
        self.send_header("X-Length", str(length))
        self.send_header("Content-Length", "2")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(b"ok")

    def log_message(self, *args):
        pass


class Python(Reader):
    name = "Python"

    def __init__(self, directory):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = self.server.server_address
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


READERS = [Nginx, Haproxy, Apache, Node, Python]
