"""The engine's tests run on a real store: SQLite in memory, fresh for each, unless they ask for more."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from chalicelib.store import SqlStore
from tests.engine.world import World


@pytest.fixture
def world(open_empty: Callable[[str], SqlStore]) -> World:
    return World(open_empty("sqlite-memory"))
