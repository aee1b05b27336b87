"""programs: real clients and servers, each in a directory and on a port of its own."""

import atexit
import hashlib
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import time

import pytest

from harness import ROOT, free_port
from lines import PATIENCE, Lines
from peers import connect


PACKAGES = ROOT / "build/node/node_modules"  # tests/run installs them there
MISSING = set()  # what tests of this run would have needed
SKIPPED = 77  # by which CTest knows, and says, that not everything was tested


def pytest_sessionfinish(session, exitstatus):
    """A client or server that this machine lacks is never passed over in silence."""
    if MISSING and exitstatus == pytest.ExitCode.OK:
        session.exitstatus = SKIPPED


def need(name):
    """The path of a program; a test for which this machine lacks it is skipped, by its name."""
    path = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin")
    if path is None:
        MISSING.add(name)
        pytest.skip(f"missing: {name}")
    return path


def need_package(name):
    """The same for a package of npm."""
    need("node")
    if not (PACKAGES / name).is_dir():
        MISSING.add(name)
        pytest.skip(f"missing: the npm package {name}")


class Program:
    """A server in the foreground, ended with the test."""

    def __init__(self, command, **keywords):
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        stdin=subprocess.DEVNULL, **keywords)
        atexit.register(self.stop)
        self.out = Lines(self.process.stdout)
        self.err = Lines(self.process.stderr)

    def await_port(self, port):
        """Until the port takes connections: these programs do not say when they are ready."""
        until = time.monotonic() + PATIENCE
        while True:
            assert self.process.poll() is None, self.err.text()
            try:
                connect(("127.0.0.1", port)).close()
                return
            except ConnectionRefusedError:
                assert time.monotonic() < until, self.err.text()
                time.sleep(0.01)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Sink(Program):
    """The demo origin of the examples: its /upload reports size and SHA-256 of what it got."""

    def __init__(self):
        super().__init__([sys.executable, "-B", str(ROOT / "examples/origin.py"), "0"])
        self.port = int(self.out.wait(r"^\d+$")[0])
        self.text = f"127.0.0.1:{self.port}"


NGINX = """
daemon off;
worker_processes 1;
pid {at}/pid;
error_log stderr warn;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {at}/body; proxy_temp_path {at}/proxy; fastcgi_temp_path {at}/fastcgi;
  uwsgi_temp_path {at}/uwsgi; scgi_temp_path {at}/scgi;
  types {{ text/plain txt; text/html html; }}
  keepalive_requests 10000;
  server {{
    listen 127.0.0.1:{port};
    root {at}/files;
    gzip on; gzip_proxied any; gzip_types text/plain; gzip_min_length 1;
    location /upload {{ client_max_body_size 0; proxy_pass http://{sink}; }}
    location /small {{ client_max_body_size 1m; proxy_pass http://{sink}/upload; }}
  }}
}}
"""

APACHE = """
ServerRoot {at}
ServerName localhost
PidFile {at}/pid
Listen 127.0.0.1:{port}
DefaultRuntimeDir {at}
ErrorLog /dev/stderr
User www-data
Group www-data
{modules}
TypesConfig {at}/mime.types
KeepAlive On
MaxKeepAliveRequests 0
DocumentRoot {at}/files
<Directory {at}/files>
  Require all granted
</Directory>
AddOutputFilterByType DEFLATE text/plain
ProxyPass /upload http://{sink}/upload
<Location /small>
  Require all denied
</Location>
"""

APACHE_MODULES = ("mpm_event", "authz_core", "mime", "filter", "deflate", "proxy", "proxy_http")


class Nginx(Program):
    refusal = 413  # of a large upload to /small

    def __init__(self, directory, sink):
        self.port = free_port()
        self.text = f"127.0.0.1:{self.port}"
        config = directory / "nginx.conf"
        config.write_text(NGINX.format(at=directory, port=self.port, sink=sink.text))
        super().__init__([need("nginx"), "-p", str(directory), "-c", str(config), "-e", "stderr"])
        self.await_port(self.port)


class Apache(Program):
    refusal = 403

    def __init__(self, directory, sink):
        self.port = free_port()
        self.text = f"127.0.0.1:{self.port}"
        modules = "\n".join(f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so"
                            for name in APACHE_MODULES)
        (directory / "mime.types").write_text("text/plain txt\n")
        config = directory / "apache.conf"
        config.write_text(APACHE.format(at=directory, port=self.port, sink=sink.text,
                                        modules=modules))
        super().__init__([need("apache2"), "-DFOREGROUND", "-f", str(config)])
        self.await_port(self.port)


NODE = ROOT / "tests/node"


def node_command(name, *args):
    return [need("node"), str(NODE / f"{name}.js"), *map(str, args)]


class NodeServer(Program):
    """A server of tests/node, which tells of its events line by line."""

    def __init__(self, name):
        super().__init__(node_command(name), env={**os.environ, "NODE_PATH": str(PACKAGES)})
        self.port = int(self.out.wait(r"^\d+$")[0])
        self.text = f"127.0.0.1:{self.port}"

    def event(self, name, since=0):
        """The first event of that name at or after a mark."""
        return json.loads(self.out.wait(f'"event":"{name}"', since).string)

    def events(self, name, since=0):
        """Those of that name that have come so far."""
        seen = [json.loads(line) for line in self.out.since(since) if line.startswith("{")]
        return [event for event in seen if event["event"] == name]


def node(name, scene, proxy, *words):
    """A scene of a client of tests/node, played to its end: its events in order."""
    done = subprocess.run(node_command(name, scene, proxy.address[1], *words), capture_output=True,
                          text=True, timeout=60, env={**os.environ, "NODE_PATH": str(PACKAGES)})
    assert done.returncode == 0 and not done.stderr, (done.stderr, done.stdout[:2000])
    return [json.loads(line) for line in done.stdout.splitlines()]


def curl(*args, check=True):
    """What curl prints; it must not fail."""
    done = subprocess.run([need("curl"), "-sS", "--max-time", "120", *map(str, args)],
                          capture_output=True, timeout=150)
    if check:
        assert done.returncode == 0, (done.returncode, done.stderr, done.stdout[:2000])
    return done.stdout


def curl_facts(*args):
    """(body, facts): what curl measured, by its own names for it."""
    names = ("http_code", "size_upload", "size_download", "num_connects", "time_total")
    form = "\n" + json.dumps({name: f"%{{{name}}}" for name in names})
    body, _, facts = curl(*args, "-w", form).rpartition(b"\n")
    return body, {name: float(value) for name, value in json.loads(facts).items()}


def make_file(path, size):
    """A file of that size in which no block is like another; its SHA-256."""
    digest = hashlib.sha256()
    source = random.Random(size)
    with open(path, "wb") as file:
        left = size
        while left:
            piece = source.randbytes(min(left, 1 << 20))
            file.write(piece)
            digest.update(piece)
            left -= len(piece)
    pathlib.Path(path).chmod(0o644)
    return digest.hexdigest()
