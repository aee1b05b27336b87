"""works: what is done through the proxies, by which of them, and the goals, as data.

A figure's key is (kind, work, proxy). Its value is a list, one for each round, or for those kinds
that no noise moves a list of one. "interim" stands for each binary that is measured.
"""

import dataclasses

GIB, MIB = 1 << 30, 1 << 20

OURS, HOOKED = "interim", "interim+hook"
RELAYS = ("relay", "relay+splice")
WORKERS = "interim+workers"  # two of them
LOGGED = ("interim+text", "interim+json")  # with an access log, to /dev/null
PLAIN = (OURS, *RELAYS, "nginx", "haproxy")
UNSPLICED = (OURS, "relay", "nginx", "haproxy")
PEERS = (OURS, HOOKED, "relay", "nginx", "nginx+hook", "haproxy", "haproxy+hook")
ALL = (OURS, HOOKED, *RELAYS, "nginx", "nginx+hook", "haproxy", "haproxy+hook")
# nginx 1.22 does not forward a 103, and says the 100 itself.
INTERIMS = (OURS, HOOKED, *RELAYS, "haproxy", "haproxy+hook")


@dataclasses.dataclass(frozen=True, eq=False)
class Work:
    name: str
    title: str
    load: str  # what bench_load does
    proxies: tuple
    options: dict = dataclasses.field(default_factory=dict)
    bulk: bool = False

    @property
    def unit(self):
        return "s per GiB" if self.bulk else "µs"


def bulk(name, title, load):
    return Work(name, title, load, PLAIN, {"connections": 1, "size": "64m"}, True)


WORKS = [
    Work("get", "small GET, 64 connections, 128-byte answer", "get", ALL),
    Work("get600", "the same with 600 bytes of fields", "get", ALL, {"bytes": 600}),
    Work("early", "103, then 200", "early", INTERIMS),
    Work("expect", "Expect, 100, small upload, 200", "expect", INTERIMS),
    Work("newconn", "a connection for each GET", "newconn", ALL),
    bulk("download", "download, Content-Length", "download"),
    bulk("download-chunked", "download, chunked", "download-chunked"),
    bulk("upload", "upload, Content-Length", "upload"),
    bulk("upload-chunked", "upload, chunked", "upload-chunked"),
    bulk("tunnel-down", "WebSocket tunnel, down", "pour"),
    bulk("tunnel-up", "WebSocket tunnel, up", "drain"),
    Work("echo", "64 bytes and back on 200 tunnels", "echo", PLAIN, {"connections": 200}),
    Work("workers", "small GET, one worker and two", "get", (OURS, WORKERS)),
    Work("log", "small GET, without an access log, with one as text, as JSON", "get",
         (OURS, *LOGGED)),
]
BY_NAME = {work.name: work for work in WORKS}
FIELDS = [Work(f"{count} fields", f"small GET with {count} fields", "get", UNSPLICED,
               {"fields": count}) for count in (5, 50, 95)]
IDLE = [Work(f"beside {what} idle", f"small GET beside {what} idle connections", "get", (OURS,))
        for what in ("10", "many")]
CALLS = [BY_NAME[name] for name in ("get", "early", "expect", "download", "tunnel-down")]
PROFILED = [BY_NAME[name] for name in ("get", "early", "expect", "log")]


@dataclasses.dataclass(frozen=True)
class Goal:
    """`ours` against `others`, the best of them, or, without them, against the limit itself."""
    text: str
    ours: tuple
    others: tuple
    how: str  # "ratio"; "more": ours less theirs; "value"
    limit: float
    unit: str


def ratio(text, work, limit, *others, ours=OURS):
    return Goal(f"{text}: of {' or '.join(others)}", ("cpu", work, ours),
                tuple(("cpu", work, other) for other in others), "ratio", limit, " ×")


def value(text, kind, work, limit, unit="", ours=OURS):
    return Goal(text, (kind, work, ours), (), "value", limit, unit)


GOALS = [
    ratio("small GET", "get", 0.92, "nginx"),
    ratio("small GET", "get", 1.15, "relay"),
    ratio("small GET, hook", "get", 0.80, "nginx+hook", ours=HOOKED),
    Goal("small GET, hook: more than without", ("cpu", "get", HOOKED), (("cpu", "get", OURS),),
         "more", 0.6, " µs"),
    ratio("103, then 200", "early", 0.85, "haproxy"),
    ratio("103, then 200", "early", 1.25, "relay"),
    ratio("Expect with 100", "expect", 0.85, "haproxy"),
    ratio("Expect with 100", "expect", 1.25, "relay"),
    ratio("download, Content-Length", "download", 1.10, "relay+splice"),
    ratio("download, chunked", "download-chunked", 0.90, "nginx", "haproxy"),
    ratio("upload, Content-Length", "upload", 1.10, "relay+splice"),
    ratio("upload, chunked", "upload-chunked", 0.90, "nginx", "haproxy"),
    ratio("tunnel, down", "tunnel-down", 1.10, "relay+splice"),
    ratio("tunnel, up", "tunnel-up", 1.10, "relay+splice"),
    ratio("echo through tunnels", "echo", 1.00, "relay"),
    ratio("new connections", "newconn", 0.90, "nginx"),
    value("idle keep-alive connection", "memory", "idle get", 0.40, " KiB"),
    value("idle tunnel", "memory", "idle echo", 0.40, " KiB"),
    value("worker's CPU at rest, for each second", "worker at rest", "rest", 0, " µs"),
    value("worker's CPU beside idle connections", "worker at rest", "idle get", 0, " µs"),
    value("worker's CPU beside idle tunnels", "worker at rest", "idle echo", 0, " µs"),
    value("at rest with a policy, one worker", "memory", "rest", 6, " MiB", HOOKED),
    value("system calls, small GET", "calls", "get", 4.12),
    value("system calls, 103 + 200", "calls", "early", 6.2),
    value("system calls, Expect with 100", "calls", "expect", 8.6),
    value("epoll_ctl, small GET", "epoll_ctl", "get", 0),
    value("malloc, small GET", "mallocs", "get", 0),
    ratio("two workers", "workers", 1.05, OURS, ours=WORKERS),
    *(ratio(f"access log, {name.partition('+')[2]}", "log", 1.05, OURS, ours=name)
      for name in LOGGED),
    Goal("small GET beside thousands of idle connections: of beside 10",
         ("cpu", "beside many idle", OURS), (("cpu", "beside 10 idle", OURS),),
         "ratio", 1.05, " ×"),
    value("a field, of 5 to 50", "per field", "50 fields", 25, " ns"),
    value("a field, of 50 to 95", "per field", "95 fields", 25, " ns"),
]


def of_label(name, label):
    """The proxy of that name where `label` is the binary in the place of interim."""
    return label + name[len(OURS):] if name.partition("+")[0] == OURS else name


def median(values):
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def measured(goal, figures, label):
    """What was measured for a goal; None where something of it was not. Ratios and differences are
    taken round by round, so that what moves both does not count."""
    def figure(key):
        kind, work, name = key
        return figures.get((kind, work, of_label(name, label)))

    ours = figure(goal.ours)
    others = [found for key in goal.others if (found := figure(key))]
    if not ours or (goal.others and not others):
        return None
    if goal.how == "value":
        return median(ours)
    best = min(others, key=median)
    if goal.how == "more":
        return median(a - b for a, b in zip(ours, best))
    return median(a / b for a, b in zip(ours, best))


