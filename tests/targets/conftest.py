"""Targets on a temporary folder, and a Control that a test holds in its hand."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from chalicelib.targets import Connection, TargetRegistry, TargetSettings
from tests.targets.hands import FixedClock


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "data.db"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE orders (country TEXT, amount INTEGER)")
        db.executemany("INSERT INTO orders VALUES (?, ?)", [("de", 3), ("fr", 4), ("de", 5)])
    db.close()
    return path


@pytest.fixture
def settings(tmp_path: Path, database: Path) -> TargetSettings:
    return TargetSettings(
        files=tmp_path / "files",
        runs=tmp_path / "runs",
        connections={"shop": Connection("shop", f"sqlite:///{database}", "s3cret")},
        http_allow=("127.0.0.1",),
        process_enabled=True,
    )


@pytest.fixture
def registry(settings: TargetSettings) -> TargetRegistry:
    return TargetRegistry(settings, FixedClock())
