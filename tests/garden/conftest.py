"""The garden uses what the wire tests and the cases are made of."""

import pathlib
import sys

import pytest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "wire"), str(TESTS / "cases")]

pytest.register_assert_rewrite("lines", "peers", "harness", "test_cases")

from programs import pytest_sessionfinish  # noqa: E402, F401
