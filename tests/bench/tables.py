"""tables: what was measured, as Markdown for a reader and as JSON for a program."""

import collections
import json
import re

from works import ALL, CALLS, FIELDS, GOALS, IDLE, LOGGED, PROFILED, WORKS, measured, median

GREEN, RED, RESET = "\x1b[32m", "\x1b[31m", "\x1b[0m"


def number(value):
    """Three digits that count."""
    if value is None:
        return "–"
    if value == 0:
        return "0"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else \
        f"{value:.2f}"


def table(header, rows):
    def width(cell):
        return len(re.sub(r"\x1b\[\d+m", "", cell))

    widths = [max(3, *(width(row[i]) for row in [header, *rows])) for i in range(len(header))]
    lines = [header, ["-" * most for most in widths], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for line in lines for cells in [
        [cell + " " * (most - width(cell)) for cell, most in zip(line, widths)]])


def spread(values):
    return f"{number(min(values))} to {number(max(values))}"


def of_cpu(run):
    """A table for each work: time on the CPU of each proxy, and what ours is of it."""
    for work in WORKS:
        rows = []
        ours = run.figures.get(("cpu", work.name, run.first))
        for name in run.names(work.proxies):
            values = run.figures.get(("cpu", work.name, name))
            failure = run.failures.get(("cpu", work.name, name))
            if failure:
                rows.append([name, "failed", "", failure])
            elif values:
                rows.append([name, number(median(values)), spread(values),
                             number(median(a / b for a, b in zip(ours, values))) if ours else ""])
        if rows:
            yield f"### {work.title} (`{work.name}`)\n\n" + table(
                ["", f"CPU, {work.unit}", "rounds", f"{run.first} is × of it"], rows)


def matrix(run, title, columns):
    """A proxy a line, a figure a column: (heading, kind, work). Those without a figure fall out."""
    names = run.names((*ALL, *LOGGED))
    columns = [column for column in columns
               if any((*column[1:], name) in run.figures for name in names)]
    rows = []
    for name in names:
        values = [run.figures.get((kind, work, name)) for _, kind, work in columns]
        if any(values):
            rows.append([name, *(number(median(v)) if v else "–" for v in values)])
    if rows:
        yield f"## {title}\n\n" + table(["", *(heading for heading, _, _ in columns)], rows)


def of_matrices(run):
    yield from matrix(run, "A request's fields, and idle connections beside it: µs of CPU", [
        *((work.name, "cpu", work.name) for work in [*FIELDS, *IDLE]),
        ("ns a field, 5 to 50", "per field", "50 fields"),
        ("50 to 95", "per field", "95 fields")])
    yield from matrix(run, "System calls for each unit of work (strace)", [
        *((f"{work.name}, a MiB" if work.bulk else work.name, "calls", work.name)
          for work in CALLS),
        ("of them epoll_ctl: get", "epoll_ctl", "get")])
    yield from matrix(run, f"Memory, and CPU at rest; {run.idle} idle connections", [
        ("at rest, MiB", "memory", "rest"), ("a worker alone", "memory", "one worker"),
        ("peak, MiB", "memory", "peak"),
        ("client, KiB", "memory", "idle get"), ("tunnel, KiB", "memory", "idle echo"),
        ("CPU at rest, µs/s", "cpu at rest", "rest"),
        ("of it workers", "worker at rest", "rest"),
        ("workers beside clients", "worker at rest", "idle get"),
        ("beside tunnels", "worker at rest", "idle echo")])
    yield from matrix(run, "Instructions in user space for each unit of work (callgrind)", [
        *((work.name, "instructions", work.name) for work in PROFILED),
        *((f"malloc: {work.name}", "mallocs", work.name) for work in PROFILED)])


def of_profiles(run, count=20):
    """The dearest functions of each work, a column for each of ours."""
    for work in PROFILED:
        own = {name: profile.own_each() for (of, name), profile in run.profiles.items()
               if of == work.name}
        costs = collections.defaultdict(lambda: dict.fromkeys(own, 0))
        for name, each in own.items():
            for function, cost in each.items():
                costs[function][name] = cost
        dearest = sorted(costs.items(), key=lambda item: -max(item[1].values()))[:count]
        if own:
            yield f"### {work.title}: instructions by function\n\n" + table(
                ["", *own], [[f"`{function}`", *(number(cost) for cost in by_name.values())]
                             for function, by_name in dearest])


def of_goals(run):
    rows = []
    for label in run.labels:
        for goal in GOALS:
            value = measured(goal, run.figures, label)
            if value is None and not run.complete:
                continue
            met = value is not None and round(value, 3) <= goal.limit
            verdict = "met" if met else "not measured" if value is None else "**missed**"
            name = goal.text if len(run.labels) == 1 else f"{label}: {goal.text}"
            rows.append([name, number(value) + goal.unit, f"≤ {goal.limit:g}{goal.unit}",
                         run.colour(verdict, GREEN if met else RED)])
    if rows:
        yield "## Goals\n\n" + table(["", "measured", "goal", ""], rows)


def markdown(run):
    parts = [f"# {', '.join(f'{label} = {path}' for label, path in run.labels.items())}", run.about]
    parts += of_goals(run)
    if run.missing:
        parts.append("Left out: " + "; ".join(f"{name} ({why})" for name, why in
                                              run.missing.items()) + ".")
    cpu = list(of_cpu(run))
    if cpu:
        parts += ["## Time of the proxy on the CPU, user and system, for each unit of work", *cpu]
    parts += of_matrices(run)
    if run.options.profile:
        parts += of_profiles(run)
    return "\n\n".join(parts)


def as_json(run):
    figures = {}
    for (kind, work, proxy), values in run.figures.items():
        figures.setdefault(kind, {}).setdefault(work, {})[proxy] = values
    goals = [{"goal": goal.text, "binary": label, "measured": value, "limit": goal.limit,
              "met": None if value is None else value <= goal.limit}
             for label in run.labels for goal in GOALS
             for value in [measured(goal, run.figures, label)]]
    return json.dumps({"binaries": run.labels, "about": run.about, "figures": figures,
                       "goals": goals, "missing": run.missing,
                       "instructions": {" ".join(key): profile.own_each()
                                        for key, profile in run.profiles.items()},
                       "failures": {" ".join(key): why for key, why in run.failures.items()}},
                      indent=1)
