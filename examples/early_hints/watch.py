#!/usr/bin/env python3
"""watch: shows what a client hears, and when: watch.py URL prints every response that comes,
interim and final, the links that each names, and how long it was silent in between."""

import socket
import sys
import time
import urllib.parse


def heads(file):
    """(status line, fields) of every response, up to the final one."""
    while True:
        status = file.readline().decode().strip()
        fields = []
        while line := file.readline().decode().strip():
            fields.append(line.partition(": ")[::2])
        yield status, fields
        if not status.startswith("HTTP/1.1 1"):
            return


def main(url):
    place = urllib.parse.urlsplit(url)
    with socket.create_connection((place.hostname, place.port or 80), timeout=30) as sock:
        sock.sendall(f"GET {place.path or '/'} HTTP/1.1\r\nHost: {place.netloc}\r\n"
                     "Connection: close\r\n\r\n".encode())
        latest = None
        for status, fields in heads(sock.makefile("rb")):
            now = time.monotonic()
            if latest is not None:
                print(f"  {now - latest:.1f} s later")
            latest = now
            print(status)
            for name, value in fields:
                if name.lower() == "link":
                    print(f"  load {value}")


if __name__ == "__main__":
    main(*sys.argv[1:])
