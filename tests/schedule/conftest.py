"""`pytest -m alltime tests/schedule` compares everything with the oracle; without it, a sample runs."""

from __future__ import annotations

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "alltime: the long comparison of schedules over all zones and years"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "alltime" in config.option.markexpr:
        return
    long = [item for item in items if item.get_closest_marker("alltime")]
    config.hook.pytest_deselected(items=long)
    items[:] = [item for item in items if item not in long]
