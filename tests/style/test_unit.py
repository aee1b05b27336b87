"""The units confine what they run: measured by systemd itself, without running it."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest

UNITS = pathlib.Path(os.environ.get("INTERIM_UNITS", "build/release"))
MOST = 1.5

if not shutil.which("systemd-analyze"):
    pytest.skip("systemd-analyze is missing: install systemd", allow_module_level=True)


def analyze(*words):
    return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True,
                          env={**os.environ, "SYSTEMD_LOG_LEVEL": "warning"}, timeout=60)


@pytest.fixture(params=["interim.service", "interim@.service"])
def unit(request, tmp_path):
    """A unit, or an instance of it, with the program that was built in the place of the installed
    one."""
    text = (UNITS / request.param).read_text()
    unit = tmp_path / request.param.replace("@.", "@node.")
    unit.write_text(re.sub(r"(?m)^(Exec\w+=)\S+/interim ", rf"\1{os.environ['INTERIM']} ", text))
    return unit


def test_its_exposure_is_small(unit):
    done = analyze("security", "--offline=true", "--no-pager", str(unit))
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert found, done.stdout + done.stderr
    print(f"exposure {found[1]}")
    assert float(found[1]) <= MOST, done.stdout


def test_systemd_understands_every_line(unit):
    done = analyze("verify", "--man=no", str(unit))
    ours = [line for line in done.stderr.splitlines() if "interim" in line]
    assert not ours, ours


@pytest.mark.parametrize("name,folder", [("interim.service", "interim"),
                                         ("interim@.service", "interim-%i")])
def test_it_has_a_folder_for_its_sockets(name, folder):
    text = (UNITS / name).read_text()
    assert re.search(rf"(?m)^RuntimeDirectory={folder}$", text)


def test_an_instance_has_its_own_environment_and_policy():
    text = (UNITS / "interim@.service").read_text()
    assert ("Environment=NODE=%i POLICY=/etc/interim/policy.lua\n"
            "EnvironmentFile=-/etc/interim/%i.env\n") in text
    assert re.search(r"(?m)^ExecStart=\S+ run \$\{POLICY\}$", text)
