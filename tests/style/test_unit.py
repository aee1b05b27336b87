"""The service's unit file confines it: measured by systemd itself, without running it."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest

UNIT = pathlib.Path(os.environ.get("INTERIM_UNIT", "build/release/interim.service"))
MOST = 1.5

if not shutil.which("systemd-analyze"):
    pytest.skip("systemd-analyze is missing: install systemd", allow_module_level=True)


def analyze(*words):
    return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True,
                          env={**os.environ, "SYSTEMD_LOG_LEVEL": "warning"}, timeout=60)


def test_its_exposure_is_small():
    done = analyze("security", "--offline=true", "--no-pager", str(UNIT))
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert found, done.stdout + done.stderr
    print(f"exposure {found[1]}")
    assert float(found[1]) <= MOST, done.stdout


def test_systemd_understands_every_line(tmp_path):
    """Verified with the program that was built in the place of the installed one."""
    text = re.sub(r"(?m)^(Exec\w+=)\S+/interim ", rf"\1{os.environ['INTERIM']} ", UNIT.read_text())
    unit = tmp_path / "interim.service"
    unit.write_text(text)
    done = analyze("verify", "--man=no", str(unit))
    ours = [line for line in done.stderr.splitlines() if "interim.service" in line]
    assert not ours, ours
