"""exposition: a strict reader of the text that Prometheus reads, version 0.0.4. It owes nothing to
the program."""

import math
import re

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"')
NUMBER = re.compile(r"[+-]?(Inf|\d+(\.\d*)?([eE][+-]?\d+)?)|NaN")
MEANS = {"n": "\n", '"': '"', "\\": "\\"}


def read_labels(text):
    """Of `{a="b",c="d"}`, or nothing, as pairs, in that order."""
    labels, at = {}, 1
    if text == "":
        return ()
    assert text[0] == "{" and text[-1] == "}", text
    while at < len(text) - 1:
        found = LABEL.match(text, at)
        assert found and found[1] not in labels, text
        labels[found[1]] = re.sub(r"\\(.)", lambda m: MEANS[m[1]], found[2])
        at = found.end() + 1
        assert text[at - 1] == ("}" if at == len(text) else ","), text
    return tuple(labels.items())


def read(text):
    """The value of every sample, by its name and labels. Each family is explained once, before its
    samples, which stand together; no sample comes twice; counters say that they are."""
    assert text.endswith("\n") and "\r" not in text
    helped, kinds, samples = set(), {}, {}
    family = None
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP "):
            family, explained = line[7:].split(" ", 1)
            assert NAME.fullmatch(family) and explained and family not in helped, line
            assert not re.search(r"\\[^n\\]|\\$", explained.replace("\\\\", "")), line
            helped.add(family)
        elif line.startswith("# TYPE "):
            name, kind = line[7:].split(" ")
            assert name == family and name not in kinds, line
            assert kind in ("counter", "gauge", "histogram"), line
            assert (kind == "counter") == name.endswith("_total"), line
            kinds[name] = kind
        else:
            name = NAME.match(line)[0]
            labels, value = line[len(name):].rsplit(" ", 1)
            ends = "_(bucket|sum|count)" if kinds[family] == "histogram" else ""
            assert re.fullmatch(family + ends, name) and NUMBER.fullmatch(value), line
            sample = name, read_labels(labels)
            assert sample not in samples, line
            samples[sample] = float(value)
            assert samples[sample] >= 0, line
    for name in (name for name, kind in kinds.items() if kind == "histogram"):
        check_histograms(name, samples)
    return samples


def check_histograms(name, samples):
    """Buckets are sorted, never fall, and end in what `_count` says."""
    buckets = {}
    for (sample, labels), value in samples.items():
        if sample == name + "_bucket":
            others = tuple(pair for pair in labels if pair[0] != "le")
            buckets.setdefault(others, []).append((float(dict(labels)["le"]), value))
    for labels, found in buckets.items():
        bounds, values = zip(*found)
        assert list(bounds) == sorted(set(bounds)) and bounds[-1] == math.inf, found
        assert list(values) == sorted(values), found
        assert samples[name + "_count", labels] == values[-1], found
        assert (name + "_sum", labels) in samples
