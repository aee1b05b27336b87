"""proxies: how each of those that are compared is configured and started, as one who knows it well
would for this work: one worker, no access log, connections to the origin kept, nothing buffered."""

import contextlib
import os
import pathlib
import random
import re
import shutil
import socket
import subprocess
import time

import measure

PATIENCE = 10
FEW, MANY = 1024, 16384  # connections
FIELD, MARK = b"X-Bench: on", b"x-hook: on"  # what a hook reads, and what the origin then sees

INTERIM = """
return {{
  listen = "127.0.0.1:{port}", upstream = "127.0.0.1:{origin}",
  workers = {workers}, access_log = {log},
  timeouts = {{ idle = "1h", upstream_idle = "1h" }},
  limits = {{ {limits} }},
  {hook}
}}
"""
INTERIM_HOOK = """request = function(req)
    req.headers["x-hook"] = req.headers["x-bench"] or "none"
  end,"""
# Not every version knows these; the load is one client with many connections.
INTERIM_LIMITS = ("connections_per_address = 100000", "connections = 100000")

NGINX = """
daemon off; worker_processes 1; worker_rlimit_nofile {descriptors};
pid {at}/pid; error_log {at}/log error;
{modules}
events {{ worker_connections {room}; }}
http {{
  {lua}
  access_log off;
  keepalive_timeout 1h; keepalive_requests 1000000000;
  client_max_body_size 0; client_body_buffer_size 64k;
  client_body_temp_path {at}/body; proxy_temp_path {at}/proxy; fastcgi_temp_path {at}/fastcgi;
  uwsgi_temp_path {at}/uwsgi; scgi_temp_path {at}/scgi;
  map $http_upgrade $connection_field {{ default upgrade; "" ""; }}
  upstream origin {{
    server 127.0.0.1:{origin};
    keepalive 128; keepalive_timeout 1h; keepalive_requests 1000000000;
  }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      {hook}
      proxy_pass http://origin;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Connection $connection_field;
      proxy_set_header Upgrade $http_upgrade;
      proxy_request_buffering off; proxy_buffering off;
      proxy_buffer_size 64k; proxy_buffers 8 64k;
      proxy_read_timeout 1h; proxy_send_timeout 1h;
    }}
  }}
}}
"""
NGINX_LUA = 'lua_package_path "{at}/usr/share/lua/5.1/?.lua;;";'
NGINX_HOOK = 'rewrite_by_lua_block { ngx.req.set_header("X-Hook", ngx.var.http_x_bench or "none") }'

HAPROXY = """
global
  nbthread 1
  maxconn {connections}
  maxpipes 64
  {load}
defaults
  mode http
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  timeout tunnel 1h
  timeout http-keep-alive 1h
  option splice-request
  option splice-response
  http-reuse always
frontend clients
  bind 127.0.0.1:{port} backlog 4096
  {hook}
  default_backend origin
backend origin
  server origin 127.0.0.1:{origin} pool-max-conn -1
"""
HAPROXY_HOOK = """core.register_action("hook", { "http-req" }, function(txn)
  txn.http:req_set_header("x-hook", txn.sf:req_fhdr("x-bench") or "none")
end)
"""


class Missing(Exception):
    """What is to be compared is not on this machine."""


def program(name):
    path = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin")
    if path is None:
        raise Missing(f"{name} is not installed")
    return path


_guards = []


def free_port():
    """One below the range that the kernel gives to outgoing connections. It stays free: the wire
    tests keep guards on 127.0.0.2, too."""
    while True:
        port = random.randrange(10000, 30000)
        guard = socket.socket()
        with socket.socket() as probe, contextlib.suppress(OSError):
            guard.bind(("127.0.0.2", port))
            probe.bind(("127.0.0.1", port))
            _guards.append(guard)
            return port
        guard.close()


class Proxy:
    """A running proxy; with `with`, until the end of the block."""

    def __init__(self, name, command, port, log):
        self.name = name
        self.log = log
        with open(log, "wb") as file:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stderr=file,
                stdout=subprocess.PIPE if port is None else subprocess.DEVNULL)
        if port is None:  # it takes one, and prints it
            port = int(self.process.stdout.readline())
        self.port = port
        self.address = f"127.0.0.1:{port}"

    def await_port(self):
        until = time.monotonic() + PATIENCE
        while True:
            if self.process.poll() is not None:
                raise Missing(self.log.read_text(errors="replace").strip()[-300:])
            with contextlib.suppress(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            if time.monotonic() > until:
                raise Missing(f"{self.name} does not listen")
            time.sleep(0.02)

    def sees_hook(self):
        """Whether the origin sees what a hook adds to a request."""
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as client:
            client.sendall(b"GET /head HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + FIELD
                           + b"\r\n\r\n")
            answer = b"".join(iter(lambda: client.recv(65536), b""))
        if not answer.startswith(b"HTTP/1.1 200"):
            raise Missing(f"{self.name} answers {answer[:80]!r}")
        return MARK in answer.lower()

    def processes(self):
        return measure.tree(self.process.pid)

    def workers(self):
        """Those of them that serve: a parent only watches."""
        return self.processes()[1:] or self.processes()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()


class Garden:
    """All that can be started: by name, each in front of the same origin."""

    def __init__(self, directory, helpers, unpacked, origin, interims, descriptors):
        self.directory = pathlib.Path(directory)
        self.helpers = helpers
        self.unpacked = unpacked  # what tests/packages unpacks
        self.origin = origin
        self.interims = interims  # label: path
        self.descriptors = descriptors
        self.started = 0
        self.limits = {}

    def start(self, name, under=(), extra=(), many=False):
        """Runs it; `under` another command, with `extra` arguments; with room for `many` thousand
        connections, for which some take memory before they come."""
        self.room = MANY if many else FEW
        base, _, variant = name.partition("+")
        self.started += 1
        at = self.directory / f"{self.started}-{re.sub('[^a-z0-9]', '-', name.lower())}"
        at.mkdir()
        at.chmod(0o777)
        make = self.interim if base in self.interims else getattr(self, base)
        command, port = make(at, base, variant)
        proxy = Proxy(name, [*under, *command, *extra], port, at / "stderr")
        try:
            proxy.await_port()
            if proxy.sees_hook() != ("hook" in variant):
                raise Missing(f"{name}: the hook has no effect, or there is one")
        except OSError as why:
            proxy.__exit__()
            raise Missing(f"{name}: {why}") from why
        except BaseException:
            proxy.__exit__()
            raise
        return proxy

    def interim(self, at, label, variant):
        port, policy = free_port(), at / "policy.lua"
        policy.write_text(INTERIM.format(
            port=port, origin=self.origin, limits=self.limits_known(label, at),
            workers=2 if "workers" in variant else 1,
            log=f'"{variant}"' if variant in ("text", "json") else "false",
            hook=INTERIM_HOOK if "hook" in variant else ""))
        return [self.interims[label], "run", str(policy), "--log-level", "error"], port

    def limits_known(self, label, at):
        """Those limits that would stand in the way and that this version knows."""
        if label not in self.limits:
            known = []
            for limit in INTERIM_LIMITS:
                trial = at / "trial.lua"
                trial.write_text('return { listen = "127.0.0.1:1", upstream = "127.0.0.1:2", '
                                 f'limits = {{ {limit} }} }}')
                if subprocess.run([self.interims[label], "check", str(trial)],
                                  capture_output=True).returncode == 0:
                    known.append(limit)
            self.limits[label] = ", ".join(known)
        return self.limits[label]

    def relay(self, at, name, variant):
        options = ["--splice"] if variant == "splice" else []
        return [str(self.helpers / "bench_relay"), f"127.0.0.1:{self.origin}", *options], None

    def nginx(self, at, name, variant):
        port, config, modules, lua, hook = free_port(), at / "nginx.conf", "", "", ""
        command = [program("nginx"), "-p", str(at), "-c", str(config), "-e", str(at / "log")]
        if variant == "hook":
            found = list(self.unpacked.glob("usr/lib/*/libluajit-5.1.so.2"))
            if not found:
                raise Missing("nginx's Lua module is not there")
            command = ["env", f"LD_LIBRARY_PATH={found[0].parent}", *command]
            modules = "".join(f"load_module {self.unpacked}/usr/lib/nginx/modules/{module}.so;\n"
                              for module in ("ndk_http_module", "ngx_http_lua_module"))
            lua, hook = NGINX_LUA.format(at=self.unpacked), NGINX_HOOK
        config.write_text(NGINX.format(at=at, port=port, origin=self.origin, modules=modules,
                                       lua=lua, hook=hook, room=2 * self.room,
                                       descriptors=self.descriptors))
        return command, port

    def haproxy(self, at, name, variant):
        port, config, hook, load = free_port(), at / "haproxy.cfg", "", ""
        if variant == "hook":
            (at / "hook.lua").write_text(HAPROXY_HOOK)
            load, hook = f"lua-load {at}/hook.lua", "http-request lua.hook"
        config.write_text(HAPROXY.format(port=port, origin=self.origin, load=load, hook=hook,
                                         connections=min(self.room, self.descriptors // 2 - 100)))
        return [program("haproxy"), "-db", "-f", str(config)], port
