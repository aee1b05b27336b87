"""limits: those of a policy that this program knows."""

import pathlib
import tempfile

from harness import policy_text, run


def known_limits(**wanted):
    """`limits = { ... },` with those of `wanted` that the program knows; else nothing at all."""
    with tempfile.TemporaryDirectory() as directory:
        policy = pathlib.Path(directory) / "policy.lua"

        def is_known(name):
            fields = "limits = { %s = %d }," % (name, wanted[name])
            policy.write_text(policy_text(fields, "127.0.0.1:1", "127.0.0.1:1"))
            return f"limits.{name}: unknown key" not in run("check", str(policy)).stderr

        known = [f"{name} = {value}" for name, value in wanted.items() if is_known(name)]
    return "limits = { %s }," % ", ".join(known) if known else ""
