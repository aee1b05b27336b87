"""What ships is hardened: the flags of the build, read back from the program."""

import os
import re
import subprocess

import pytest

if os.environ.get("INTERIM_HARDENED") != "1":
    pytest.skip("this build is not the hardened one: use the release preset",
                allow_module_level=True)

PROGRAM = os.environ["INTERIM"]


def readelf(*options, file=PROGRAM):
    command = ["readelf", "--wide", *options, file]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_it_stands_at_another_address_each_time():
    assert "Type:" in readelf("--file-header")
    assert re.search(r"Type: +DYN ", readelf("--file-header"))
    assert re.search(r"\(FLAGS_1\).*\bPIE\b", readelf("--dynamic"))


def test_its_tables_are_bound_at_the_start_and_read_only_from_then_on():
    assert re.search(r"\(FLAGS\).*\bBIND_NOW\b", readelf("--dynamic"))
    assert "GNU_RELRO" in readelf("--segments")


def test_nothing_is_writable_and_executable():
    segments = readelf("--segments")
    (stack,) = re.findall(r"GNU_STACK.*", segments)
    assert " RWE" not in stack
    flags = re.findall(r"^  LOAD +(?:0x\w+ +){5}([RWE ]{3})", segments, re.M)
    assert len(flags) >= 4  # code stands apart from data
    assert not [f for f in flags if "W" in f and "E" in f]


def test_the_stack_and_buffers_are_checked():
    symbols = readelf("--dyn-syms")
    assert "__stack_chk_fail" in symbols
    assert {"__snprintf_chk", "__memcpy_chk"} <= set(re.findall(r"__\w+_chk\b", symbols))


def test_it_loads_libraries_from_the_system_only():
    assert not re.search(r"\((RPATH|RUNPATH)\)", readelf("--dynamic"))


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="CET is of x86")
def test_our_own_code_is_made_for_control_flow_enforcement():
    """The program as a whole has no such note: Debian's libraries linked into it lack theirs."""
    for archive in os.environ["INTERIM_ARCHIVES"].split(":"):
        text = readelf("--notes", file=archive)
        members = text.count("File: ")
        assert text.count("IBT, SHSTK") == members, archive
        assert members > 0
