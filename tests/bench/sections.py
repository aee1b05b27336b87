"""sections: what one run can measure, each by its name."""

import functools

import measure
from works import GIB, MIB, WORKS, median


def cpu_of_work(run, work):
    """Each proxy has its turn in every round, each time another one first."""
    options = dict(work.options)
    if work.bulk:
        options["count"] = 4 if run.options.quick else 16  # of 64 MiB
    else:
        options.update(seconds=run.seconds, warm=run.warm)
    with run.started(work.proxies) as proxies:
        names = list(proxies)
        for turn in range(run.rounds):
            for step in range(len(names)):
                name = names[(turn + step) % len(names)]
                key = ("cpu", work.name, name)
                if key in run.failures:
                    continue
                run.say(f"{work.name}, round {turn + 1} of {run.rounds}: {name}\r")
                try:
                    with run.load(work.load, proxies[name], **options) as load:
                        spent, told = measure.cpu_of(proxies[name], load)
                    run.note(key, spent / 1e9 / (told["bytes"] / GIB) if work.bulk
                             else spent / 1e3 / told["count"])
                except measure.LoadFailed as why:
                    run.fail(key, why)
        run.say(f"{work.name:18}" + "  ".join(
            f"{name} {median(run.figures[key]):.2f}" for name in names
            if (key := ("cpu", work.name, name)) in run.figures) + "\n")


SECTIONS = {work.name: functools.partial(cpu_of_work, work=work) for work in WORKS}
NAMES = {work.name: work.title for work in WORKS}
