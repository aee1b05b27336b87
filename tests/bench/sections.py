"""sections: what one run can measure, each by its name."""

import functools
import shutil
import time

import callgrind
import measure
from proxies import Missing
from works import (BY_NAME, CALLS, FIELDS, GIB, HOOKED, IDLE, LOGGED, MIB, OURS, PEERS, PROFILED,
                   RELAYS, WORKS, median)


def in_turn(run, cells, measure_one):
    """Every cell has its turn in every round, each time another first; one that failed rests."""
    for turn in range(run.rounds):
        for step in range(len(cells)):
            work, name = cells[(turn + step) % len(cells)]
            key = ("cpu", work.name, name)
            if key in run.failures:
                continue
            run.say(f"{work.name}, round {turn + 1} of {run.rounds}: {name}\r")
            try:
                run.note(key, measure_one(work, name))
            except measure.LoadFailed as why:
                run.fail(key, why)
    for work in dict.fromkeys(work for work, _ in cells):
        run.say(f"{work.name:18}" + "  ".join(
            f"{name} {median(run.figures[key]):.2f}" for other, name in cells
            if other is work and (key := ("cpu", work.name, name)) in run.figures) + "\n")


def cpu_of_unit(run, work, proxy):
    if work.bulk:
        options = {"count": 4}  # of 64 MiB
    else:
        options = {"seconds": run.seconds, "warm": run.warm}
    with run.load(work.load, proxy, **options, **work.options) as load:
        spent, told = measure.cpu_of(proxy, load)
    return spent / 1e9 / (told["bytes"] / GIB) if work.bulk else spent / 1e3 / told["count"]


def cpu_of_works(run, works):
    with run.started(works[0].proxies) as proxies:
        in_turn(run, [(work, name) for work in works for name in proxies if name in
                      run.names(work.proxies)],
                lambda work, name: cpu_of_unit(run, work, proxies[name]))


def fields(run):
    cpu_of_works(run, FIELDS)
    for fewer, more in zip(FIELDS, FIELDS[1:]):
        span = more.options["fields"] - fewer.options["fields"]
        for name in run.names(more.proxies):
            few, many = (run.figures.get(("cpu", work.name, name), ()) for work in (fewer, more))
            for a, b in zip(few, many):
                run.note(("per field", more.name, name), (b - a) * 1e3 / span)


def beside_idle(run):
    """The same requests beside a few and beside many idle connections, to two processes."""
    cells, running = [], {}
    for label in run.labels:
        for work, count in zip(IDLE, (10, run.idle)):
            proxy = run.stack.enter_context(run.garden.start(label, many=True))
            run.stack.enter_context(run.load("get", proxy, connections=count))
            running[work.name, label] = proxy
            cells.append((work, label))
    in_turn(run, cells, lambda work, name: cpu_of_unit(run, work, running[work.name, name]))


def one_by_one(run, proxies, section, many=False):
    """For figures that no noise moves: each proxy is started alone, measured, ended."""
    for name in run.names(proxies):
        run.say(f"{section.__name__}: {name}\r")
        try:
            with run.garden.start(name, many=many) as proxy:
                section(run, name, proxy)
        except (Missing, OSError) as why:
            run.missing[f"{section.__name__} of {name}"] = str(why)
        except measure.LoadFailed as why:
            run.fail((section.__name__, "", name), why)
    run.say(f"{section.__name__}: done\n")


def calls(run, name, proxy):
    """System calls of the workers in steady state, by strace. It slows them down, so that more is
    ready at each wait than there would be."""
    if shutil.which("strace") is None:
        raise Missing("strace is not installed")
    for work in CALLS:
        if name not in run.names(work.proxies):
            continue
        options = {"count": 2} if work.bulk else {"count": 4000, "warm": 0.1}
        with run.load(work.load, proxy, **options, **work.options) as load:
            with measure.traced(proxy.workers()) as counted:
                told = load.go()
        units = told["bytes"] / MIB if work.bulk else told["count"]
        run.note(("calls", work.name, name), sum(counted.values()) / units)
        run.note(("epoll_ctl", work.name, name), counted["epoll_ctl"] / units)


def warm_up(run, proxy):
    with run.load("get", proxy, count=1000) as load:
        load.go()
    time.sleep(0.3)  # what it does behind the last answer


def note_rest(run, name, work, proxy, seconds=2):
    """Microseconds of CPU for each second: of all its processes, and of the workers alone. A parent
    that looks after its workers is never quite at rest."""
    groups = {"cpu at rest": proxy.processes(), "worker at rest": proxy.workers()}
    before = {kind: measure.cpu(pids) for kind, pids in groups.items()}
    time.sleep(seconds)
    for kind, pids in groups.items():
        run.note((kind, work, name), (measure.cpu(pids) - before[kind]) / 1e3 / seconds)


def rest(run, name, proxy):
    warm_up(run, proxy)
    run.note(("memory", "rest", name), measure.memory(proxy.processes()) / MIB)
    run.note(("memory", "one worker", name), measure.memory(proxy.workers()[:1]) / MIB)
    note_rest(run, name, "rest", proxy)


def idle(run, name, proxy, work):
    warm_up(run, proxy)
    before = measure.memory(proxy.processes())
    with run.load(work, proxy, connections=run.idle, count=run.idle) as load:
        time.sleep(0.5)
        each = (measure.memory(proxy.processes()) - before) / 1024 / run.idle
        run.note(("memory", f"idle {work}", name), each)
        note_rest(run, name, f"idle {work}", proxy)
        load.go()  # and all of them still work


def idle_clients(run, name, proxy):
    idle(run, name, proxy, "get")


def idle_tunnels(run, name, proxy):
    idle(run, name, proxy, "echo")


def peak(run, name, proxy):
    """The most that was resident, after bodies in all framings and both ways."""
    count = 4 if run.options.quick else 16
    for work in WORKS:
        if work.bulk:
            with run.load(work.load, proxy, count=count, **work.options) as load:
                load.go()
    run.note(("memory", "peak", name), measure.peak(proxy.processes()) / MIB)


def instructions(run):
    if shutil.which("valgrind") is None:
        run.missing["instructions"] = "valgrind is not installed"
        return
    for work in PROFILED:
        for name in run.names(n for n in work.proxies if n in (OURS, HOOKED, *LOGGED)):
            run.say(f"instructions: {work.name}, {name}\r")
            found = callgrind.profile(run, name, work)
            run.note(("instructions", work.name, name), found.instructions())
            run.note(("mallocs", work.name, name), found.mallocs())
            run.profiles[work.name, name] = found
    run.say("instructions: done\n")


def smoke(run):
    """Every work, a few dozen times, through ours and the relays. No figures: that it works."""
    with run.started((OURS, HOOKED, *RELAYS)) as proxies:
        for work in WORKS[:-2]:  # the last two are small GETs again
            options = {"size": "1m", "count": 4} if work.bulk else {"count": 48}
            for name, proxy in proxies.items():
                try:
                    with run.load(work.load, proxy, **{**work.options, **options}) as load:
                        told = load.go()
                    run.say(f"{work.name}, {name}: {told['count']}\n")
                except measure.LoadFailed as why:
                    run.fail(("smoke", work.name, name), why)
    for name, why in run.missing.items():
        run.fail(("smoke", "", name), why)


def alone(proxies, section, many=False):
    return functools.partial(one_by_one, proxies=proxies, section=section, many=many)


NAMES = {work.name: work.title for work in WORKS} | {
    "fields": "the cost of a request's field: 5, 50 and 95 of them",
    "idle": "small GET beside 10 and beside thousands of idle connections",
    "calls": "system calls for each unit of work (strace)",
    "rest": "memory and CPU at rest",
    "idle-clients": "memory of an idle keep-alive connection",
    "idle-tunnels": "memory of an idle tunnel",
    "peak": "the most memory while bodies are moved",
    "instructions": "instructions and calls of malloc for each unit of work (callgrind)",
}
SECTIONS = {work.name: functools.partial(cpu_of_works, works=[work]) for work in WORKS} | {
    "fields": fields,
    "idle": beside_idle,
    "calls": alone(BY_NAME["get"].proxies, calls),
    "rest": alone(PEERS, rest),
    "idle-clients": alone(PEERS, idle_clients, many=True),
    "idle-tunnels": alone(PEERS, idle_tunnels, many=True),
    "peak": alone(PEERS, peak),
    "instructions": instructions,
}
QUICK = [work.name for work in WORKS]  # of a quick run that names nothing
