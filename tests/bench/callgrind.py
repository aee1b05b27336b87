"""callgrind: the instructions that a worker of ours executes in user space, and what it calls. They
repeat to a fraction of a percent whatever else the machine does."""

import collections
import re


class Profile:
    """What a callgrind file says. Of two such, the difference is what lies between them: starting,
    opening and ending are in both and fall out."""

    def __init__(self, own=(), calls=(), units=1):
        self.own = collections.Counter(own)  # instructions by function
        self.calls = collections.Counter(calls)  # how often each was called
        self.units = units

    def read(self, path):
        names, function, called = {}, None, False
        for line in open(path, encoding="utf-8", errors="replace"):
            kind, _, rest = line.partition("=")
            if kind in ("fn", "cfn"):
                number, _, name = rest.strip().partition(" ")
                names.setdefault(number, name)
                if kind == "fn":
                    function = names[number]
                else:
                    callee = names[number]
            elif kind == "calls":
                self.calls[callee] += int(rest.split()[0])
                called = True
            elif called:
                called = False  # the cost of what was called is its own
            elif cost := re.match(r"[+*-]?\d* (\d+)$", line):
                self.own[function] += int(cost[1])
        return self

    def __sub__(self, other):
        units = self.units - other.units
        own = {name: count - other.own[name] for name, count in self.own.items()}
        calls = {name: count - other.calls[name] for name, count in self.calls.items()}
        return Profile(own, calls, units)

    def instructions(self):
        return sum(self.own.values()) / self.units

    def mallocs(self):
        """For each unit; a single one in thousands is none of theirs."""
        calls = sum(self.calls[name] for name in ("malloc", "calloc", "realloc"))
        return round(calls / self.units, 2) + 0.0  # no -0.0

    def own_each(self):
        """Function: its own instructions for each unit, the dearest first."""
        return {name: round(cost / self.units, 1) for name, cost in self.own.most_common() if cost}


def run_once(run, name, work, count):
    at = run.garden.directory / f"callgrind-{len(list(run.garden.directory.iterdir()))}"
    at.mkdir()
    at.chmod(0o777)  # the worker is another user
    under = ["valgrind", "--tool=callgrind", "--trace-children=yes",
             f"--callgrind-out-file={at}/%p"]
    # Its filter of system calls does not know those of valgrind.
    with run.garden.start(name, under, ["--allow", "load"]) as proxy:
        worker = proxy.workers()[0]
        with run.load(work.load, proxy, count=count, **work.options) as load:
            load.go()
    return Profile(units=count).read(at / str(worker))


def profile(run, name, work, few=500, many=2500):
    return run_once(run, name, work, many) - run_once(run, name, work, few)
