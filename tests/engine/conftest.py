"""The engine's tests run on a real store: SQLite in memory, fresh for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from chalicelib.store import SqlStore, open_store
from tests.engine.world import NOON, World


@pytest.fixture
def fresh_store() -> Iterator[Callable[[], SqlStore]]:
    """A maker of stores, each empty and of its own; all are closed at the end."""
    opened: list[SqlStore] = []

    def fresh() -> SqlStore:
        for old in opened:
            old.close()
        opened.clear()
        store = open_store("sqlite://")
        store.migrate(NOON)
        opened.append(store)
        return store

    yield fresh
    for store in opened:
        store.close()


@pytest.fixture
def world(fresh_store: Callable[[], SqlStore]) -> World:
    return World(fresh_store())
