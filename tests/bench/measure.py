"""measure: what a proxy took of the machine: time on the CPU, memory, calls of the system; and the
load, of which it is told when the measured part begins and ends."""

import collections
import contextlib
import json
import pathlib
import re
import signal
import subprocess
import tempfile
import time

PROC = pathlib.Path("/proc")


def tree(pid):
    """The processes that came of one, itself first."""
    parents = {}
    for entry in PROC.glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = entry.read_text().rpartition(")")[2].split()
            parents[int(entry.parent.name)] = int(fields[1])
    found = [pid]
    for one in found:
        found += sorted(child for child, parent in parents.items() if parent == one)
    return found


def cpu(pids):
    """Nanoseconds, of the user and of the system, that all their threads have run."""
    return sum(int(thread.read_text().split()[0])
               for pid in pids for thread in (PROC / str(pid)).glob("task/*/schedstat"))


class LoadFailed(Exception):
    """An answer was not what it must be, or did not come."""


class Load:
    """bench_load, its connections open and warm; `go` measures, the end of the block closes."""

    def __init__(self, helpers, work, to, **options):
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        self.process = subprocess.Popen([helpers / "bench_load", work, to, "--wait", "yes", *words],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True)
        line = self.process.stdout.readline()
        if line != "ready\n":
            self.process.wait()
            raise LoadFailed(self.told(line).get("error", line.strip() or "it died"))

    @staticmethod
    def told(line):
        try:
            return json.loads(line)
        except ValueError:
            return {}

    def go(self):
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        told = self.told(self.process.stdout.readline())
        if "count" not in told:
            raise LoadFailed(told.get("error", "it died"))
        return told

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.stdout.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def cpu_of(proxy, load):
    """(Nanoseconds of the proxy, what was done meanwhile)."""
    pids = proxy.processes()
    before = cpu(pids)
    told = load.go()
    return cpu(pids) - before, told


@contextlib.contextmanager
def traced(pids):
    """Counts the system calls of processes during the block, by name, into the Counter it gives."""
    calls = collections.Counter()
    with tempfile.NamedTemporaryFile("r") as file:
        words = [word for pid in pids for word in ("-p", str(pid))]
        strace = subprocess.Popen(["strace", "-c", "-f", "-o", file.name, *words],
                                  stderr=subprocess.PIPE, text=True)
        for _ in pids:
            line = strace.stderr.readline()
            if "attached" not in line:
                raise OSError(line.strip() or "strace failed")
        time.sleep(0.05)
        yield calls
        strace.send_signal(signal.SIGINT)
        strace.communicate()
        for line in file:
            found = re.match(r" *[\d.]+ +[\d.]+ +\d+ +(\d+) +(?:\d+ +)?(\w+)$", line.rstrip())
            if found and found[2] != "total":
                calls[found[2]] += int(found[1])


def status(pid, name):
    found = re.search(rf"^{name}:\s+(\d+)", (PROC / str(pid) / "status").read_text(), re.M)
    return int(found[1]) * 1024


def memory(pids):
    """Bytes resident: what each process has alone, and once what they share. What is shared with
    strangers counts too, so that others on the machine make no difference."""
    alone, shared = 0, 0
    for pid in pids:
        text = (PROC / str(pid) / "smaps_rollup").read_text()
        part = {name: int(kib) * 1024 for name, kib in re.findall(r"^(\w+): +(\d+) kB", text, re.M)}
        alone += part["Private_Clean"] + part["Private_Dirty"]
        shared = max(shared, part["Shared_Clean"] + part["Shared_Dirty"])
    return alone + shared


def peak(pids):
    """The most that was ever resident."""
    return memory(pids) + sum(status(pid, "VmHWM") - status(pid, "VmRSS") for pid in pids)
