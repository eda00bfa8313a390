"""The contract suite runs on every database: a test that takes ``store`` is four tests."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from chalicelib.store import SqlStore
from tests.databases import EVERY_KIND


@pytest.fixture(params=EVERY_KIND)
def kind(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


@pytest.fixture
def store(kind: str, open_empty: Callable[[str], SqlStore]) -> SqlStore:
    """An empty store; it is closed when the test is over."""
    return open_empty(kind)
