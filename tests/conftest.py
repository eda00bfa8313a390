"""What every test may ask for, and in which order tests run."""

from __future__ import annotations

import pytest
from _pytest.terminal import TerminalReporter

from tests.databases import empty_url, mariadb, mysql, open_empty

__all__ = ["empty_url", "mariadb", "mysql", "open_empty"]

# What takes longest begins first: several processes share the tests, and none is left with a long one
# when the others are done.
LONG = (
    "tests/model/",
    "tests/engine/test_race.py",
    "tests/engine/test_crashes.py",
    "tests/engine/test_policy_crashes.py",
    "tests/targets/test_process_crashes.py",
    "tests/engine/test_calendars.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """What tests measured (``record_property("measured", …)``): told, never judged."""
    told = [
        str(text)
        for report in terminalreporter.stats.get("passed", ())
        for name, text in report.user_properties
        if name == "measured" and report.when == "call"
    ]
    if told:
        terminalreporter.section("measured")
        for line in sorted(told):
            terminalreporter.line(line)
